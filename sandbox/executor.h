/* One execution's process, from the fork to its end. The transport that the VM uses is in vm.h. */
#ifndef C9_SANDBOX_EXECUTOR_H
#define C9_SANDBOX_EXECUTOR_H

#include "sandbox/lockdown.h"

struct lua_State;

/* Zygote, once: signal handlers and the syscall filter, which executors inherit. 0, or -1 with
 * errno. */
int executor_prepare(void);

/* The life of an executor: lock down, READY, START, limits, policy, vm_execute, exit. `socket` is
 * its end; it has SIGCHLD blocked as the zygote has. */
_Noreturn void executor_main(int socket, const struct lockdown *inherited, struct lua_State *L);

/* The steps of it, for tests and benchmarks. */
/* Applies lockdown_executor: the name of the layer that failed, with errno, or NULL. */
const char *executor_lock_down(struct lockdown *lockdown);
/* From now on so many µs of CPU time: first vm_time_up_hook, SIGKILL a little later. 0, or -1. */
int executor_limit_cpu(uint64_t us);

#endif
