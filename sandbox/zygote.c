/* The zygote. Two processes: the one that the supervisor started enters the namespaces, forks the
 * zygote proper into them (as pid 1, which reaps what it forked), and waits for it. Each ends with
 * its parent. */
#include "sandbox/zygote.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/children.h"
#include "sandbox/executor.h"
#include "sandbox/near.h"
#include "sandbox/patience.h"
#include "sandbox/policy.h"
#include "sandbox/vm.h"

enum {
    CONTROL_FD = WIRE_FD,
    USUAL_MEMORY =
        64 << 20, /* the default of [limits] memory; others cost an executor a call more */
};

struct zygote {
    struct lockdown lockdown;
    struct lua_State *L;
    struct buf report;
    bool strict;
    int signals; /* signalfd of SIGCHLD and PATIENCE_SIGNAL */
};

/* ---- start ----------------------------------------------------------------------------------- */

static int zygote_down(const char *what)
{
    char text[256];
    snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));
    struct wire_control down = {.type = WIRE_CTL_DOWN};
    (void)wire_control_send(CONTROL_FD, &down, text,
                            NULL); /* when nobody hears it, the exit says it */
    return 1;
}

/* NULL, or what is missing that may not be, with errno. */
static const char *zygote_lock_down(struct zygote *z, const struct lockdown_layer *rows, size_t n)
{
    const char *missing = lockdown_apply(rows, n, &z->lockdown, &z->report);
    return z->strict ? missing : NULL;
}

static int zygote_receive_setup(struct zygote *z, uint64_t *memory_max_r)
{
    struct wire_control setup;
    int fds[WIRE_CTL_FDS];
    int rc = wire_control_receive_bare(CONTROL_FD, &setup, fds);
    if (rc == 1 && setup.type != WIRE_CTL_SETUP) {
        errno = EPROTO;
        rc = -1;
    }
    if (rc == 0)
        errno = ECONNRESET;
    if (rc != 1)
        return -1;
    z->strict = (setup.flags & WIRE_SETUP_STRICT) != 0;
    *memory_max_r = setup.memory_max;
    return 0;
}

/* In the process of the supervisor: its status is the zygote's. It has nothing open to keep alive.
 */
static int zygote_guard(pid_t pid)
{
    int status = 0;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || close_range(0, ~0u, 0) < 0)
        return 1;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* The signal mask is what executors inherit as well. */
static int zygote_signals(struct zygote *z)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, PATIENCE_SIGNAL);
    if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
        return -1;
    z->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return z->signals < 0 ? -1 : 0;
}

/* The kernel writes into a thread's rseq area when it was preempted, which would copy its page
 * after every fork. Nothing here uses it. Where it cannot be left, only time is lost. */
static void zygote_leave_rseq(void)
{
    enum { LENGTH = 32 }; /* as libc registers it */
    if (__rseq_size != 0)
        syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, LENGTH,
                RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

static int layer_policy(struct lockdown *lockdown)
{
    (void)lockdown;
    return policy_zygote_install();
}

/* When nothing else is left to do. */
static const struct lockdown_layer last_layers[] = {
    {"zygote syscall policy", layer_policy, true,
     "no other call below the supervisor, not even before START"},
};

/* Everything between the fork into the namespaces and UP. NULL, or what failed, with errno. */
static const char *zygote_prepare(struct zygote *z, uint64_t memory_max)
{
    zygote_leave_rseq();
    if (zygote_signals(z) < 0 || patience_prepare() < 0 || executor_prepare() < 0)
        return "signals";
    if (children_set_up() < 0)
        return "table of executors";
    if (arena_map(memory_max) < 0)
        return "memory for executors";
    errno = ENOMEM;
    z->L = vm_new();
    if (z->L == NULL)
        return "Lua state (the reason is on standard error)";
    near_keep();
    if (arena_inherit(USUAL_MEMORY) < 0)
        return "memory for executors";
    z->lockdown.zygote = getpid();
    const char *missing = zygote_lock_down(z, lockdown_zygote, lockdown_zygote_count);
    if (missing == NULL && close_range(0, LAST_CLOSED_FD, 0) < 0)
        return "standard descriptors";
    if (missing == NULL)
        missing = zygote_lock_down(z, last_layers, countof(last_layers));
    return missing;
}

static int zygote_up(struct zygote *z)
{
    struct wire_control up = {.type = WIRE_CTL_UP};
    buf_auto text = BUF_INIT;
    lockdown_describe(lockdown_executor, lockdown_executor_count, &z->report);
    lockdown_describe(lockdown_start, lockdown_start_count, &z->report);
    buf_printf(&text, "[%s]", z->report.data);
    buf_free(&z->report);
    return wire_control_send(CONTROL_FD, &up, text.data, NULL);
}

/* As _Fork, without a word of libc's: it would have the child's tid written beside its thread's
 * variables, which copies that page for each executor. No threads, so there are no handlers and
 * locks to care for; what libc believes to be its tid is the zygote's, and nothing asks for it.
 * leaf: the cgroup that the child begins in, or -1. */
static pid_t zygote_fork(int leaf)
{
    struct clone_args args = {
        .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)leaf};
    return (pid_t)(leaf < 0 ? syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L)
                            : syscall(SYS_clone3, &args, sizeof(args)));
}

/* ---- executors ------------------------------------------------------------------------------- */

/* The socket goes back: what the engine has written into it already must not be lost. */
static int spawn_failed(uint64_t cookie, int failure, int socket)
{
    struct wire_control failed = {.type = WIRE_CTL_FAILED, .cookie = cookie, .status = failure};
    return wire_control_send(CONTROL_FD, &failed, NULL, (int[WIRE_CTL_FDS]){socket, -1});
}

static int zygote_spawn(struct zygote *z, uint64_t cookie, int socket, int leaf)
{
    if (children_full() || children_pid(cookie) != 0)
        return spawn_failed(cookie, children_full() ? EAGAIN : EEXIST, socket);
    pid_t pid = zygote_fork(leaf);
    if (pid == 0) {
        patience_born();
        executor_main(socket, &z->lockdown, z->L);
    }
    if (pid < 0)
        return spawn_failed(cookie, errno, socket);
    children_add(cookie, pid);
    patience_begin(children_patience(pid), pid);
    return 0;
}

static int zygote_kill(uint64_t cookie)
{
    pid_t pid = children_pid(cookie);
    /* It cannot have been reaped and its pid given away: only this process reaps, and then forgets
     * it. */
    return pid == 0 ? 0 : kill(pid, SIGKILL);
}

static uint64_t us_of(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

static int zygote_reap(void)
{
    struct wire_control exited = {.type = WIRE_CTL_EXITED};
    struct rusage usage;
    pid_t pid;
    while ((pid = wait4(-1, &exited.status, WNOHANG, &usage)) > 0) {
        struct patience *patience = children_patience(pid);
        if (patience == NULL)
            continue; /* pid 1 inherits orphans; an executor cannot fork, so none is known */
        patience_end(patience);
        children_remove(pid, &exited.cookie);
        exited.pid = (uint32_t)pid;
        exited.user_us = us_of(usage.ru_utime);
        exited.system_us = us_of(usage.ru_stime);
        exited.maxrss = (uint64_t)usage.ru_maxrss * 1024;
        if (wire_control_send(CONTROL_FD, &exited, NULL, NULL) < 0)
            return -1;
    }
    return 0;
}

static int zygote_hear(struct zygote *z)
{
    enum { AT_ONCE = 16 };
    struct signalfd_siginfo infos[AT_ONCE];
    ssize_t n = read(z->signals, infos, sizeof(infos));
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    bool ended = false;
    for (size_t i = 0; i < (size_t)n / sizeof(infos[0]); i++) {
        ended |= infos[i].ssi_signo == SIGCHLD;
        if (infos[i].ssi_signo == (uint32_t)PATIENCE_SIGNAL)
            patience_over(&infos[i], children_patience((pid_t)infos[i].ssi_int));
    }
    return ended ? zygote_reap() : 0;
}

/* 1: served; 0: the supervisor is gone; -1: the conversation is broken. */
static int zygote_serve(struct zygote *z)
{
    struct wire_control control;
    int fds[WIRE_CTL_FDS], rc = wire_control_receive_bare(CONTROL_FD, &control, fds);
    autofd int socket = fds[WIRE_CTL_SOCKET], leaf = fds[WIRE_CTL_CGROUP];
    if (rc <= 0)
        return rc;
    if ((control.type == WIRE_CTL_SPAWN) != (socket >= 0)) {
        errno = EPROTO;
        return -1;
    }
    switch (control.type) {
    case WIRE_CTL_SPAWN:
        return zygote_spawn(z, control.cookie, socket, leaf) < 0 ? -1 : 1;
    case WIRE_CTL_KILL:
        return zygote_kill(control.cookie) < 0 ? -1 : 1;
    default:
        errno = EPROTO;
        return -1;
    }
}

static int zygote_loop(struct zygote *z)
{
    struct pollfd fds[] = {{CONTROL_FD, POLLIN, 0}, {z->signals, POLLIN, 0}};
    for (;;) {
        if (poll(fds, countof(fds), patience_turn()) < 0 && errno != EINTR)
            return zygote_down("poll");
        if (fds[1].revents != 0 && zygote_hear(z) < 0)
            return zygote_down("signals");
        int rc = fds[0].revents != 0 ? zygote_serve(z) : 1;
        if (rc < 0)
            return zygote_down("control socket");
        if (rc == 0)
            return 0;
    }
}

int zygote_main(void)
{
    static struct zygote z;
    uint64_t memory_max;
    const char *failed = NULL;
    if (zygote_receive_setup(&z, &memory_max) < 0)
        return zygote_down("SETUP");
    failed = zygote_lock_down(&z, lockdown_namespaces, lockdown_namespace_count);
    if (failed != NULL)
        return zygote_down(failed);
    pid_t pid = z.lockdown.pid ? fork() : 0;
    if (pid < 0)
        return zygote_down("fork into the pid namespace");
    if (pid > 0)
        return zygote_guard(pid);
    failed = zygote_prepare(&z, memory_max);
    if (failed != NULL)
        return zygote_down(failed);
    if (zygote_up(&z) < 0)
        return zygote_down("UP");
    return zygote_loop(&z);
}
