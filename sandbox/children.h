/* The executors that are alive: found by the supervisor's cookie (to kill one) and by pid (when one
 * ended). Executors do not inherit it: they learn nothing of their neighbours, and forks do not
 * copy it. */
#ifndef C9_SANDBOX_CHILDREN_H
#define C9_SANDBOX_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sandbox/patience.h"

enum { CHILDREN_MAX = 1 << 16 };

int children_set_up(void); /* 0, or -1 with errno */
bool children_full(void);
/* cookie must not be there, pid > 0; not when full. */
void children_add(uint64_t cookie, pid_t pid);
pid_t children_pid(uint64_t cookie); /* 0: not alive */
/* A child's patience, zero at first; NULL: there is no such child. Until it is removed. */
struct patience *children_patience(pid_t pid);
bool children_remove(pid_t pid, uint64_t *cookie_r); /* false: there is no such child */

#endif
