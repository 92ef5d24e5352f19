/* Allocation that cannot fail, apart from everything else so that the zygote links only this. */
#include "base/cleanup.h"

#include <stdarg.h>
#include <string.h>

static void __attribute__((noreturn)) mem_exhausted(size_t size)
{
    char text[96];
    int n = snprintf(text, sizeof(text), "c9d: out of memory (asked for %zu bytes)\n", size);
    if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
        abort();
    abort();
}

void *xmalloc(size_t size)
{
    void *p = malloc(size > 0 ? size : 1);
    if (p == NULL)
        mem_exhausted(size);
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = n > 0 && size > 0 ? calloc(n, size) : calloc(1, 1);
    if (p == NULL)
        mem_exhausted(n * size);
    return p;
}

void *xrealloc(void *p, size_t size)
{
    void *q = realloc(p, size > 0 ? size : 1);
    if (q == NULL)
        mem_exhausted(size);
    return q;
}

char *xstrndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = xmalloc(len + 1);
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *xstrdup(const char *s)
{
    size_t size = strlen(s) + 1;
    return memcpy(xmalloc(size), s, size);
}

char *xstrdup_or_null(const char *s)
{
    return s != NULL ? xstrdup(s) : NULL;
}

char *xasprintf(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    if (n < 0)
        mem_exhausted(0);
    return s;
}
