/* Memory that runs out: the C9_MEMORY_FAILS-th allocation fails, once. How many there were goes to
 * the file C9_MEMORY_COUNT at the end. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static long allocations, fails_at;

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("C9_MEMORY_FAILS");
    allocations = 0;
    fails_at = at != NULL ? atol(at) : 0;
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("C9_MEMORY_COUNT");
    int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    if (fd < 0)
        return;
    dprintf(fd, "%ld\n", allocations);
    close(fd);
}

static int fails(void)
{
    if (__atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED) != fails_at)
        return 0;
    errno = ENOMEM;
    return 1;
}

SHOWN void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

SHOWN void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

SHOWN void *realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}
