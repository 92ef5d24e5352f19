/* A disk that fails, or is slow, on command: loaded into the daemon by LD_PRELOAD. The file named
 * by C9_FAULTS begins with struct orders; the test writes them while the daemon runs. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct orders {
    volatile int32_t write_errno; /* writing to the database fails with it; 0: it does not */
    volatile int32_t sync_errno;  /* the same for syncing it */
    volatile int64_t refused;     /* counts */
    volatile int64_t read_us; /* how long the engine's pool waits before it reads the database */
};

static struct orders *orders(void)
{
    static struct orders *mapped;
    static const struct orders none;
    if (mapped != NULL)
        return mapped;
    const char *path = getenv("C9_FAULTS");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p =
        fd >= 0 ? mmap(NULL, sizeof(none), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    return mapped = p != MAP_FAILED ? p : (struct orders *)(uintptr_t)&none;
}

static int is_database(int fd)
{
    char link[64], target[4096];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = '\0';
    return strstr(target, "c9d.db") != NULL;
}

static int refuses(int32_t why, int fd)
{
    if (why == 0 || !is_database(fd))
        return 0;
    __atomic_add_fetch((int64_t *)(uintptr_t)&orders()->refused, 1, __ATOMIC_RELAXED);
    errno = why;
    return 1;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define SHOWN      __attribute__((visibility("default")))

static void read_slowly(int fd)
{
    char name[16] = "";
    if (orders()->read_us == 0 || !is_database(fd))
        return;
    pthread_getname_np(pthread_self(), name, sizeof(name));
    if (strcmp(name, "c9d-engine-io") == 0)
        usleep((useconds_t)orders()->read_us);
}

SHOWN ssize_t pread(int fd, void *data, size_t len, off_t at)
{
    read_slowly(fd);
    return NEXT(pread)(fd, data, len, at);
}

SHOWN ssize_t pread64(int fd, void *data, size_t len, off64_t at)
{
    read_slowly(fd);
    return NEXT(pread64)(fd, data, len, at);
}

SHOWN ssize_t write(int fd, const void *data, size_t len)
{
    return refuses(orders()->write_errno, fd) ? -1 : NEXT(write)(fd, data, len);
}

SHOWN ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    return refuses(orders()->write_errno, fd) ? -1 : NEXT(pwrite)(fd, data, len, at);
}

SHOWN ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    return refuses(orders()->write_errno, fd) ? -1 : NEXT(pwrite64)(fd, data, len, at);
}

SHOWN int fsync(int fd)
{
    return refuses(orders()->sync_errno, fd) ? -1 : NEXT(fsync)(fd);
}

SHOWN int fdatasync(int fd)
{
    return refuses(orders()->sync_errno, fd) ? -1 : NEXT(fdatasync)(fd);
}
