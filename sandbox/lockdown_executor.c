/* What each executor does after the fork, before it says READY. Every step is paid for each
 * execution: tests/bench/sandbox_spawn.c shows the cost.
 *
 * All calls go through syscall(2): after a fork each page of code that runs is a fault, and libc's
 * wrappers are spread over a dozen of them. */
#include "sandbox/lockdown.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire/wire.h"

static int layer_descriptors(struct lockdown *lockdown)
{
    if (lockdown->socket != WIRE_FD && syscall(SYS_dup3, lockdown->socket, WIRE_FD, 0) < 0)
        return -1;
    lockdown->socket = WIRE_FD;
    return syscall(SYS_close_range, 0, LAST_CLOSED_FD, 0) < 0 ||
                   syscall(SYS_close_range, WIRE_FD + 1, ~0u, 0) < 0
               ? -1
               : 0;
}

/* A session each would cost 200 µs and more where the scheduler groups by session (autogroup), and
 * would make each executor weigh as much as the supervisor: the zygote's one session is all of
 * theirs. */
static int layer_group(struct lockdown *lockdown)
{
    (void)lockdown;
    return (int)syscall(SYS_setpgid, 0, 0);
}

/* The pid is unique among the living, and so the uid. */
static int layer_uid(struct lockdown *lockdown)
{
    lockdown->self = (pid_t)syscall(SYS_getpid);
    if (!lockdown->uid_range)
        return 0;
    long uid = lockdown->self;
    return (int)syscall(SYS_setresuid, uid, uid, uid);
}

static int layer_capabilities(struct lockdown *lockdown)
{
    (void)lockdown;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {0};
    return (int)syscall(SYS_capset, &header, data);
}

/* After the change of uid, which would forget it. */
static int layer_parent(struct lockdown *lockdown)
{
    if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return -1;
    if (syscall(SYS_getppid) == lockdown->zygote)
        return 0;
    errno = ESRCH; /* it died before this held */
    return -1;
}

static int layer_limits(struct lockdown *lockdown)
{
    static const struct rlimit none = {0, 0};
    (void)lockdown;
    return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &none, NULL) < 0 ||
                   syscall(SYS_prlimit64, 0, RLIMIT_NPROC, &none, NULL) < 0
               ? -1
               : 0;
}

const struct lockdown_layer lockdown_executor[] = {
    {"descriptors", layer_descriptors, true, "the socket is the only one"},
    {"process group", layer_group, true, "no neighbour in the group"},
    {"own user", layer_uid, true, "neighbours have other uids, where a range is mapped"},
    {"capabilities", layer_capabilities, true, "none"},
    {"parent death", layer_parent, true, "nothing outlives the zygote"},
    {"process limits", layer_limits, true, "no further descriptor, no further process"},
};
const size_t lockdown_executor_count = countof(lockdown_executor);

const struct lockdown_layer lockdown_start[] = {
    {"memory", NULL, true,
     "Lua's memory ends at the execution's limit, its pages at twice that and 4 MiB"},
    {"CPU time", NULL, true, "an error that skills cannot catch, then SIGKILL; RLIMIT_CPU behind"},
    {"syscall policy", NULL, true,
     "five calls on one descriptor; any other ends the executor and is named"},
};
const size_t lockdown_start_count = countof(lockdown_start);
