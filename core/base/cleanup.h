/* Scope-bound release of locals and explicit transfer of ownership. */
#ifndef C9_BASE_CLEANUP_H
#define C9_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(fn) __attribute__((cleanup(fn)))

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}
static inline void cleanup_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
static inline void cleanup_file(FILE **f)
{
    if (*f != NULL)
        fclose(*f);
}

#define autofree cleanup(cleanup_free) /* any pointer from malloc; initialise it */
#define autofd   cleanup(cleanup_fd)   /* an int descriptor; -1 when empty */
#define autofile cleanup(cleanup_file)

/* Hands over what a local owns: `return move_ptr(&local);` leaves NULL behind. */
#define move_ptr(pp)                                                                               \
    ({                                                                                             \
        __typeof__(*(pp)) moved_ = *(pp);                                                          \
        *(pp) = NULL;                                                                              \
        moved_;                                                                                    \
    })
static inline int move_fd(int *fd)
{
    int moved = *fd;
    *fd = -1;
    return moved;
}

#define countof(a) (sizeof(a) / sizeof((a)[0]))

/* Allocation failure ends the process with a message: a half-served request is worse than a
 * restart, since everything accepted is durable. Nothing sized by outside input may come here
 * without having been bounded first. */
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrdup_or_null(const char *s); /* NULL stays NULL */
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

#endif
