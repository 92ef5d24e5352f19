/* The system calls of the zygote, and of executors before they read what is not trusted.
 *
 * It is worth its place twice. Nothing below the supervisor can make another call, not even before
 * START. And the kernel, when a filter is put on, tries it with each number there is, unless an
 * inherited filter has refused that number already: the executors' own, put on for every execution,
 * is tried with these few. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/policy-private.h"

static const struct {
    int call;
    const char *reason;
} rows[] = {
    {SYS_recvmsg, "the control socket"},
    {SYS_sendmsg, "the control socket"},
#ifdef SYS_poll
    {SYS_poll, "its loop"},
#endif
    {SYS_ppoll, "its loop, where poll is no call of its own"},
    {SYS_read, "that a child ended; in an executor its socket"},
    {SYS_wait4, "reaping"},
    {SYS_kill, "KILL"},
    {SYS_timer_delete, "an executor's patience"},
    {SYS_sched_setaffinity, "who takes long keeps to other CPUs than the zygote"},
    {SYS_socketpair, "between engine and executor"},
    {SYS_clone, "an executor"},
    {SYS_clone3, "an executor in a cgroup of its own"},
    {SYS_close, "the ends that are others'"},
    {SYS_brk, "the report of the layers"},
    {SYS_mmap, "the report of the layers"},
    {SYS_munmap, "the report of the layers"},
    {SYS_restart_syscall, "its loop, after it was stopped"},
    {SYS_dup3, "executor: descriptors"},
    {SYS_close_range, "executor: descriptors"},
    {SYS_setpgid, "executor: process group"},
    {SYS_getpid, "executor: its uid"},
    {SYS_setresuid, "executor: its uid"},
    {SYS_capset, "executor: capabilities"},
    {SYS_prctl, "executor: parent death"},
    {SYS_getppid, "executor: parent death"},
    {SYS_prlimit64, "executor: limits"},
    {SYS_timer_create, "executor: CPU time"},
    {SYS_timer_settime, "executor: CPU time"},
    {SYS_clock_gettime, "executor: CPU time"},
    {SYS_seccomp, "executor: its policy"},
    {SYS_write, "executor: its socket"},
    {SYS_rt_sigreturn, "executor: back from the handler of the CPU timer"},
    {SYS_exit_group, "the end"},
    {SYS_openat, "check-sandbox shows that what stands behind the policies refuses it"},
    {SYS_mkdirat, "check-sandbox, the same"},
    {SYS_socket, "check-sandbox, the same"},
    {SYS_connect, "check-sandbox, the same"},
    {SYS_execve, "check-sandbox, the same"},
    {SYS_ptrace, "check-sandbox, the same"},
    {SYS_process_vm_readv, "check-sandbox, the same"},
};

#ifdef C9_SANITIZED /* whose runtimes need more */
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

int policy_zygote_install(void)
{
    struct sock_filter program[countof(rows) + 5];
    enum { LAST = countof(program) - 1 };
    unsigned short n = 0;
    program[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    program[n++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, POLICY_ARCH, 0, LAST - 3);
    program[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < countof(rows); i++, n++)
        program[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rows[i].call,
                                                  (uint8_t)(LAST - n - 1), 0);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog filter = {.len = n, .filter = program};
    return SANITIZED ? 0 : (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}
