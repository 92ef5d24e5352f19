/* What the zygote does once, and every executor inherits. */
#include "sandbox/lockdown.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- namespaces ------------------------------------------------------------------------------ */

static int layer_user(struct lockdown *lockdown)
{
    return lockdown_user_enter(lockdown);
}

static int layer_pid(struct lockdown *lockdown)
{
    lockdown->pid = unshare(CLONE_NEWPID) == 0;
    return lockdown->pid ? 0 : -1;
}

static int layer_mount(struct lockdown *lockdown)
{
    lockdown->mount = unshare(CLONE_NEWNS) == 0;
    return lockdown->mount ? 0 : -1;
}

static int layer_network(struct lockdown *lockdown)
{
    (void)lockdown;
    return unshare(CLONE_NEWNET);
}

static int layer_ipc(struct lockdown *lockdown)
{
    (void)lockdown;
    return unshare(CLONE_NEWIPC);
}

static int layer_uts(struct lockdown *lockdown)
{
    static const char name[] = "executor";
    (void)lockdown;
    return unshare(CLONE_NEWUTS) < 0 ? -1 : sethostname(name, sizeof(name) - 1);
}

static int layer_cgroup(struct lockdown *lockdown)
{
    (void)lockdown;
    return unshare(CLONE_NEWCGROUP);
}

const struct lockdown_layer lockdown_namespaces[] = {
    {"user namespace", layer_user, true,
     "privileges end at its border; ids that are nobody's outside"},
    {"pid namespace", layer_pid, true, "no other process can be named; all end with the zygote"},
    {"mount namespace", layer_mount, true, "the empty root is its own"},
    {"network namespace", layer_network, true, "no interface, no address, no abstract socket"},
    {"ipc namespace", layer_ipc, true, "no shared memory or queue of others"},
    {"uts namespace", layer_uts, true, "the host's name stays unknown"},
    {"cgroup namespace", layer_cgroup, true, "the place in the host's tree stays unknown"},
};
const size_t lockdown_namespace_count = countof(lockdown_namespaces);

/* ---- resource limits ------------------------------------------------------------------------- */

#ifdef C9_SANITIZED /* whose frames are larger */
enum { STACK_BYTES = 8 << 20 };
#else
enum { STACK_BYTES = 1 << 20, SPACE_SLACK = 4 << 20 };
#endif

static const struct {
    int resource;
    rlim_t value;
} limits[] = {
    {RLIMIT_CORE, 0}, {RLIMIT_FSIZE, FILE_BYTES}, {RLIMIT_MEMLOCK, 0},         {RLIMIT_MSGQUEUE, 0},
    {RLIMIT_NICE, 0}, {RLIMIT_RTPRIO, 0},         {RLIMIT_STACK, STACK_BYTES},
};

static int limit_set(int resource, rlim_t value)
{
    struct rlimit limit = {value, value};
    return setrlimit(resource, &limit);
}

/* Address space ends a little above what is mapped now: the arena is, so nothing more is needed. */
static int space_limit(void)
{
#ifdef C9_SANITIZED /* whose shadow grows */
    return 0;
#else
    autofile FILE *statm = fopen("/proc/self/statm", "re");
    unsigned long pages;
    if (statm == NULL || fscanf(statm, "%lu", &pages) != 1)
        return -1;
    return limit_set(RLIMIT_AS, (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + SPACE_SLACK);
#endif
}

static int layer_limits(struct lockdown *lockdown)
{
    (void)lockdown;
    for (size_t i = 0; i < countof(limits); i++)
        if (limit_set(limits[i].resource, limits[i].value) < 0)
            return -1;
    return space_limit();
}

/* ---- privileges ------------------------------------------------------------------------------ */

static int layer_root(struct lockdown *lockdown)
{
    if (!lockdown->mount) { /* the host's own mounts are not ours to change */
        errno = EPERM;
        return -1;
    }
    return lockdown_root_enter();
}

/* Root that got no user namespace: the uid at least must not be root's. */
static int layer_uid(struct lockdown *lockdown)
{
    enum { UID_ALONE = 65534 };
    if (lockdown->user || geteuid() != 0)
        return 0;
    return setresgid(UID_ALONE, UID_ALONE, UID_ALONE) < 0 ||
                   setresuid(UID_ALONE, UID_ALONE, UID_ALONE) < 0
               ? -1
               : 0;
}

static int layer_new_privileges(struct lockdown *lockdown)
{
    (void)lockdown;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int layer_dumpable(struct lockdown *lockdown)
{
    (void)lockdown;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int layer_bounding_set(struct lockdown *lockdown)
{
    (void)lockdown;
    for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return -1;
    return prctl(PR_SET_SECUREBITS,
                 SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                     SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED | SECBIT_KEEP_CAPS_LOCKED,
                 0, 0, 0);
}

/* What is left to the zygote: giving executors their uid, stopping and killing them, and choosing
 * their CPUs. Each ends at its user namespace. */
static int layer_capabilities(struct lockdown *lockdown)
{
    uint32_t keep =
        lockdown->uid_range ? 1u << CAP_SETUID | 1u << CAP_KILL | 1u << CAP_SYS_NICE : 0;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{.effective = keep, .permitted = keep}};
    return (int)syscall(SYS_capset, &header, data);
}

/* ---- the kernel's own boxes ------------------------------------------------------------------ */

/* As in the kernel's uapi; Debian 12's header has the first member only. */
struct ruleset {
    uint64_t fs, net, scoped;
};

/* What each version of the interface can deny: file access rights as bits 0 … fs_last, and then
 * some. */
static const struct {
    unsigned fs_bits, net_bits, scope_bits;
    size_t size;
} landlock_abis[] = {
    {13, 0, 0, 8}, {14, 0, 0, 8}, {15, 0, 0, 8}, {15, 2, 0, 16}, {16, 2, 0, 16}, {16, 2, 2, 24},
};

static int layer_landlock(struct lockdown *lockdown)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return -1;
    size_t at =
        (size_t)abi <= countof(landlock_abis) ? (size_t)abi - 1 : countof(landlock_abis) - 1;
    struct ruleset ruleset = {
        (1ull << landlock_abis[at].fs_bits) - 1,
        (1ull << landlock_abis[at].net_bits) - 1,
        (1ull << landlock_abis[at].scope_bits) - 1,
    };
    autofd int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, landlock_abis[at].size, 0);
    snprintf(lockdown->detail, sizeof(lockdown->detail), "ABI %ld, nothing allowed", abi);
    return fd < 0 ? -1 : (int)syscall(SYS_landlock_restrict_self, fd, 0);
}

#ifndef PR_SET_MDWE
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static int layer_mdwe(struct lockdown *lockdown)
{
    (void)lockdown;
    return prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
}

static int layer_huge_pages(struct lockdown *lockdown)
{
    (void)lockdown;
    return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

static int layer_session(struct lockdown *lockdown)
{
    (void)lockdown;
    return setsid() < 0 && getsid(0) != getpid() ? -1 : 0;
}

/* A change of uid forgets it, so it comes behind. The control socket's end says the same, a little
 * later. */
static int layer_parent(struct lockdown *lockdown)
{
    (void)lockdown;
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

static int layer_umask(struct lockdown *lockdown)
{
    (void)lockdown;
    umask(0777);
    return 0;
}

/* Limits need /proc, landlock forbids mounts, and without capabilities nothing more can be given
 * up. */
const struct lockdown_layer lockdown_zygote[] = {
    {"resource limits", layer_limits, true, "core, files, stack, locked memory, address space"},
    {"empty root", layer_root, true, "no files, no /proc, nothing to write to"},
    {"unprivileged user", layer_uid, true, "never root's own uid without a namespace"},
    {"session", layer_session, true, "no terminal; the scheduler weighs all executors as one"},
    {"umask", layer_umask, true, "what could be created would be nobody's"},
    {"no new privileges", layer_new_privileges, true,
     "no gain by exec; the syscall policy needs it"},
    {"no dumps", layer_dumpable, true, "no core, no ptrace, no /proc/PID of others"},
    {"landlock", layer_landlock, true, "files, TCP, abstract sockets and signals, once more"},
    {"no executable memory", layer_mdwe, false, "Linux 6.3; the syscall policy forbids it too"},
    {"no huge pages", layer_huge_pages, false,
     "an executor touches what it uses, not 2 MiB at a time"},
    {"bounding set", layer_bounding_set, false, "needs privileges; empty capabilities do not"},
    {"parent death", layer_parent, true, "nothing outlives the supervisor"},
    {"capabilities", layer_capabilities, true,
     "none but to give executors their uid, to stop and kill them, and to choose their CPUs"},
};
const size_t lockdown_zygote_count = countof(lockdown_zygote);
