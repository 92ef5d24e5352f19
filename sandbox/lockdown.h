/* The layers that an executor lives behind, as tables. What is the same for every executor is done
 * once in the zygote and inherited (lockdown_zygote.c); the rest is done after the fork
 * (lockdown_executor.c). */
#ifndef C9_SANDBOX_LOCKDOWN_H
#define C9_SANDBOX_LOCKDOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/buf.h"

enum { LOCKDOWN_DETAIL_MAX = 128 };

/* The last of the standard descriptors that are closed, and how long a file may become. */
#ifdef C9_SANITIZED /* whose reports go to standard error, which may be a file */
enum { LAST_CLOSED_FD = STDOUT_FILENO, FILE_BYTES = 1 << 30 };
#else
enum { LAST_CLOSED_FD = STDERR_FILENO, FILE_BYTES = 0 };
#endif

/* What later layers and executors must know of earlier ones. */
struct lockdown {
    bool user, pid, mount;            /* namespaces entered */
    bool uid_range;                   /* the user namespace has a uid for each pid */
    pid_t zygote;                     /* its pid as executors see it */
    pid_t self;                       /* executor: its own */
    int socket;                       /* executor: its end, until it is WIRE_FD */
    char detail[LOCKDOWN_DETAIL_MAX]; /* of the layer just applied; no quotes, no control characters
                                       */
};

struct lockdown_layer {
    const char *name;
    int (*apply)(struct lockdown *lockdown); /* 0, or -1 with errno: not in force */
    bool required;                           /* strict mode does not go on without */
    const char *reason;
};

/* In order of application. The namespaces' rows run in the process that the supervisor started; the
 * pid namespace holds only its children, so that the zygote proper is forked between these two. */
extern const struct lockdown_layer lockdown_namespaces[];
extern const size_t lockdown_namespace_count;
extern const struct lockdown_layer lockdown_zygote[];
extern const size_t lockdown_zygote_count;
/* After the fork, all fatal when they fail; the CPU limit and the syscall policy come after START.
 */
extern const struct lockdown_layer lockdown_executor[];
extern const size_t lockdown_executor_count;
/* What START puts in force, after these and in executor.c: only to be told of. */
extern const struct lockdown_layer lockdown_start[];
extern const size_t lockdown_start_count;

/* Applies n rows and appends one JSON object for each to report, as in WIRE_CTL_UP, separated by
 * commas. Returns the name of the first required layer that is not in force, with errno; NULL:
 * none. */
const char *lockdown_apply(const struct lockdown_layer *rows, size_t n, struct lockdown *lockdown,
                           struct buf *report);

/* Appends a row for each without applying it: what every executor does for itself, "state":"each".
 */
void lockdown_describe(const struct lockdown_layer *rows, size_t n, struct buf *report);

/* lockdown_root.c: an empty, read-only root; needs a mount namespace of its own. 0, or -1 with
 * errno. */
int lockdown_root_enter(void);
/* lockdown_user.c: a user namespace; fills user, uid_range, detail. 0, or -1 with errno. */
int lockdown_user_enter(struct lockdown *lockdown);

#endif
