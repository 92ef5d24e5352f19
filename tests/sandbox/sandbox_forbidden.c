/* An attacker who runs native code in an executor: after the real lock-down it makes, from C, each
 * call that is not in the policy and matters, and dies of it. The calls that are in the policy
 * work, and only as far as their arguments allow. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/executor.h"
#include "sandbox/policy.h"
#include "sandbox/vm.h"

/* What the policy may have: a row more needs a reason in its table, and a change here. */
enum { ROWS = 5, PLAIN = 42 };

static struct lockdown lockdown;
static pid_t neighbour, main_pid;
static char page[8192] __attribute__((aligned(4096)));

#ifdef C9_SANITIZED
enum { WIDE = 1 };
#else
enum { WIDE = 0 };
#endif

/* ---- the attempts: each makes one call; reaching its end means that it was let through ------- */

struct attempt {
    const char *what;
    long call;
    long args[6];
    bool wide; /* allowed in sanitizer builds */
};

#define P(x) ((long)(uintptr_t)(x))
#define HIGH (1L << 32)
static const char *const shell[] = {"/bin/sh", NULL};
static struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "x"};
static union bpf_attr bpf_map = {
    .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
static struct iovec here = {page, 16};
static struct itimerspec later = {.it_value = {1000, 0}};

/* A call under its own name. */
#define CALL(name, wide, ...)                                                                      \
    {                                                                                              \
#name, SYS_##name, {__VA_ARGS__ }, wide                                                    \
    }

static const struct attempt attempts[] = {
    {"open a file", SYS_openat, {AT_FDCWD, P("/etc/passwd"), O_RDONLY}, false},
    {"openat2", SYS_openat2, {AT_FDCWD, P("."), P(page), 24}, false},
    {"stat a file", SYS_newfstatat, {AT_FDCWD, P("/"), P(page)}, false},
    {"change the folder", SYS_chdir, {P("/")}, false},
    {"list a folder", SYS_getdents64, {3, P(page), sizeof(page)}, false},
    {"mount", SYS_mount, {P("none"), P("/"), P("tmpfs")}, false},
    {"make a namespace", SYS_unshare, {CLONE_NEWUSER}, false},
    {"enter a namespace", SYS_setns, {3}, false},
    {"make a socket", SYS_socket, {AF_INET, SOCK_STREAM}, false},
    {"make a pair of sockets", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, P(page)}, false},
    {"connect", SYS_connect, {3, P(&address), sizeof(address)}, false},
    {"send a descriptor", SYS_sendmsg, {3, P(page)}, false},
    {"receive a descriptor", SYS_recvmsg, {3, P(page)}, false},
    {"sendto", SYS_sendto, {3, P(page), 1}, false},
    {"set a socket option", SYS_setsockopt, {3, SOL_SOCKET, SO_SNDBUF, P(page), 4}, false},
    {"ioctl", SYS_ioctl, {3, 0x541b, P(page)}, false},
    {"fcntl", SYS_fcntl, {3, F_GETFL}, false},
    {"duplicate the socket", SYS_dup, {3}, false},
    {"close the socket", SYS_close, {3}, false},
    {"clone", SYS_clone, {SIGCHLD}, false},
    {"clone3", SYS_clone3, {P(page), 64}, false},
    {"execve", SYS_execve, {P("/bin/sh"), P(shell), 0}, false},
    {"execveat", SYS_execveat, {3, P(""), P(shell), 0, AT_EMPTY_PATH}, false},
    {"ptrace a neighbour", SYS_ptrace, {PTRACE_ATTACH, -1}, false},
    {"read a neighbour's memory", SYS_process_vm_readv, {-1, P(&here), 1, P(&here), 1}, false},
    {"write a neighbour's memory", SYS_process_vm_writev, {-1, P(&here), 1, P(&here), 1}, false},
    {"kill a neighbour", SYS_kill, {-1, SIGKILL}, false},
    {"kill a neighbour's thread", SYS_tgkill, {-1, -1, SIGKILL}, false},
    {"open a neighbour", SYS_pidfd_open, {-1}, false},
    {"queue a signal", SYS_rt_sigqueueinfo, {-1, SIGKILL, P(page)}, false},
    {"compare with a neighbour", SYS_kcmp, {-1, -1, 0}, false},
    {"map executable memory",
     SYS_mmap,
     {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0},
     true},
    {"map memory",
     SYS_mmap,
     {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0},
     true},
    {"make memory executable", SYS_mprotect, {P(page), 4096, PROT_READ | PROT_EXEC}, true},
    {"unmap memory", SYS_munmap, {P(page), 4096}, true},
    {"move memory", SYS_mremap, {P(page), 4096, 8192, MREMAP_MAYMOVE}, false},
    {"grow the heap", SYS_brk, {0}, false},
    {"share memory", SYS_shmget, {0, 4096, 0600}, false},
    {"make a memory file", SYS_memfd_create, {P("x"), 0}, false},
    {"userfaultfd", SYS_userfaultfd, {0}, false},
    {"io_uring", SYS_io_uring_setup, {1, P(page)}, false},
    {"bpf", SYS_bpf, {BPF_MAP_CREATE, P(&bpf_map), sizeof(bpf_map)}, false},
    {"perf_event_open", SYS_perf_event_open, {P(page), 0, -1, -1, 0}, false},
    {"prctl: forget the parent's death", SYS_prctl, {PR_SET_PDEATHSIG, 0}, false},
    {"prctl: dumpable", SYS_prctl, {PR_SET_DUMPABLE, 1}, false},
    {"personality", SYS_personality, {READ_IMPLIES_EXEC}, false},
    {"another seccomp filter", SYS_seccomp, {1, 0, P(page)}, false},
    {"put off the CPU timer", SYS_timer_settime, {0, 0, P(&later), 0}, false},
    {"delete the CPU timer", SYS_timer_delete, {1}, false},
    {"make a timer", SYS_timer_create, {CLOCK_MONOTONIC, 0, P(page)}, false},
    {"ignore a signal", SYS_rt_sigaction, {SIGXCPU, 0, P(page), 8}, true},
    {"block signals", SYS_rt_sigprocmask, {SIG_BLOCK, 0, P(page), 8}, true},
    {"raise a limit", SYS_prlimit64, {0, RLIMIT_CPU, 0, P(page)}, false},
    {"change the uid", SYS_setuid, {0}, false},
    {"take capabilities", SYS_capset, {P(page), P(page)}, false},
    {"use the keyring", SYS_keyctl, {0, -3, 1}, false},
    {"randomness of the kernel", SYS_getrandom, {P(page), 16, 0}, false},
    {"the host's name", SYS_uname, {P(page)}, false},
    {"the pid", SYS_getpid, {0}, true},
    {"sleep", SYS_nanosleep, {P(&later.it_value), 0}, false},
    {"wait on a futex", SYS_futex, {P(page), 0, 1, P(&later.it_value)}, true},
    {"set the clock", SYS_clock_settime, {CLOCK_REALTIME, P(&later.it_value)}, false},
    {"the clock of the wall", SYS_clock_gettime, {CLOCK_REALTIME, P(page)}, false},
    {"the clock of a neighbour", SYS_clock_gettime, {~(1L << 3) | 2, P(page)}, false},
    {"the clock of the process", SYS_clock_gettime, {CLOCK_PROCESS_CPUTIME_ID, P(page)}, false},
    {"a clock with bits above 32",
     SYS_clock_gettime,
     {CLOCK_THREAD_CPUTIME_ID | HIGH, P(page)},
     false},
    {"write on standard error", SYS_write, {2, P("x"), 1}, true},
    {"write on another descriptor", SYS_write, {4, P("x"), 1}, false},
    {"write on a descriptor with bits above 32", SYS_write, {3 | HIGH, P("x"), 1}, false},
    {"read another descriptor", SYS_read, {0, P(page), 1}, false},
    {"read a descriptor with bits above 32", SYS_read, {3 | HIGH, P(page), 1}, false},
    {"readv", SYS_readv, {3, P(&here), 1}, false},
    {"writev", SYS_writev, {3, P(&here), 1}, false},
    {"end one thread only", SYS_exit, {0}, false},
    {"restart a call", SYS_restart_syscall, {0}, false},
    {"a call that does not exist", 100000, {0}, false},
    {"the highest number", -1, {0}, false},
    /* files without opening them */
    CALL(mkdirat, false, AT_FDCWD, P("/x"), 0700),
    CALL(unlinkat, false, AT_FDCWD, P("/x"), 0),
    CALL(linkat, false, AT_FDCWD, P("/"), AT_FDCWD, P("/x")),
    CALL(symlinkat, false, P("/"), AT_FDCWD, P("/x")),
    CALL(renameat2, false, AT_FDCWD, P("/"), AT_FDCWD, P("/x")),
    CALL(fchmodat, false, AT_FDCWD, P("/"), 0777),
    CALL(fchownat, false, AT_FDCWD, P("/"), 0, 0),
    CALL(utimensat, false, AT_FDCWD, P("/")),
    CALL(truncate, false, P("/x"), 0),
    CALL(statx, false, AT_FDCWD, P("/"), 0, 0, P(page)),
    CALL(readlinkat, false, AT_FDCWD, P("/x"), P(page), 16),
    CALL(faccessat, false, AT_FDCWD, P("/"), 0),
    CALL(name_to_handle_at, false, AT_FDCWD, P("/"), P(page), P(page)),
    CALL(open_by_handle_at, false, 3, P(page), 0),
    CALL(mknodat, false, AT_FDCWD, P("/x"), 020666),
    CALL(fchdir, false, 3),
    CALL(getcwd, false, P(page), 16),
    CALL(setxattr, false, P("/"), P("user.x"), P(page), 1),
    CALL(inotify_init1, false, 0),
    CALL(fanotify_init, false, 0),
    CALL(quotactl, false, 0, P("/")),
    CALL(acct, false, P("/x")),
    /* mounts */
    CALL(umount2, false, P("/"), 2),
    CALL(pivot_root, false, P("."), P(".")),
    CALL(chroot, false, P("/")),
    CALL(open_tree, false, AT_FDCWD, P("/"), 1),
    CALL(move_mount, false, 3, P(""), 3, P("")),
    CALL(fsopen, false, P("tmpfs"), 0),
    CALL(fsmount, false, 3),
    CALL(mount_setattr, false, AT_FDCWD, P("/"), 0, P(page), 32),
    CALL(swapon, false, P("/x"), 0),
    CALL(swapoff, false, P("/x")),
    /* the socket, by other calls */
    CALL(bind, false, 3, P(&address), sizeof(address)),
    CALL(listen, false, 3, 1),
    CALL(accept4, false, 3),
    CALL(shutdown, false, 3, SHUT_RDWR),
    CALL(recvfrom, false, 3, P(page), 1, MSG_DONTWAIT),
    CALL(sendmmsg, false, 3, P(page), 1),
    CALL(recvmmsg, false, 3, P(page), 1, MSG_DONTWAIT),
    CALL(getsockopt, false, 3, SOL_SOCKET, SO_PEERCRED, P(page), P(page)),
    CALL(getsockname, false, 3, P(page), P(page)),
    CALL(getpeername, false, 3, P(page), P(page)),
    CALL(pread64, false, 3, P(page), 1, 0),
    CALL(pwrite64, false, 3, P(page), 1, 0),
    CALL(preadv2, false, 3, P(&here), 1),
    CALL(pwritev2, false, 3, P(&here), 1),
    CALL(lseek, false, 3, 0, 0),
    CALL(fsync, false, 3),
    CALL(ftruncate, false, 3, 0),
    CALL(fstat, false, 3, P(page)),
    CALL(flock, false, 3, 2),
    CALL(ppoll, false, P(page), 0, P(&later.it_value)),
    /* new descriptors */
    CALL(pipe2, false, P(page), 0),
    CALL(dup3, false, 3, 4, 0),
    CALL(eventfd2, false, 0, 0),
    CALL(epoll_create1, false, 0),
    CALL(signalfd4, false, -1, P(page), 8, 0),
    CALL(timerfd_create, false, 0, 0),
    CALL(close_range, false, 3, 3, 0),
    CALL(splice, false, 3, 0, 3, 0, 1, 0),
    CALL(tee, false, 3, 3, 1, 0),
    CALL(vmsplice, false, 3, P(&here), 1, 0),
    CALL(sendfile, false, 3, 3, 0, 1),
    CALL(copy_file_range, false, 3, 0, 3, 0, 1),
    CALL(memfd_secret, false, 0),
    CALL(pidfd_getfd, false, 3, 3, 0),
    /* neighbours */
    CALL(tkill, false, -1, SIGKILL),
    CALL(rt_tgsigqueueinfo, false, -1, -1, SIGKILL, P(page)),
    CALL(pidfd_send_signal, false, 3, SIGKILL),
    CALL(process_madvise, false, 3, P(&here), 1, 20),
    CALL(process_mrelease, false, 3),
    CALL(wait4, false, -1),
    CALL(waitid, false, 0, 0, P(page), 4),
    CALL(setpgid, false, 0, -1),
    CALL(getpgid, false, -1),
    CALL(setsid, false, 0),
    CALL(getsid, false, -1),
    CALL(getppid, false, 0),
    CALL(setpriority, false, 0, 0, -20),
    CALL(getpriority, false, 0, -1),
    CALL(ioprio_set, false, 1, 0, 0),
    CALL(sched_setaffinity, false, 0, 8, P(page)),
    CALL(sched_setscheduler, false, 0, 1, P(page)),
    CALL(sched_setattr, false, 0, P(page)),
    CALL(sched_getaffinity, false, 0, 8, P(page)),
    CALL(migrate_pages, false, -1, 1, P(page), P(page)),
    CALL(move_pages, false, -1),
    CALL(get_robust_list, false, -1, P(page), P(page)),
    /* memory */
    CALL(mlock, false, P(page), 4096),
    CALL(mlockall, false, 1),
    CALL(mincore, false, P(page), 4096, P(page)),
    CALL(pkey_mprotect, false, P(page), 4096, 4, -1),
    CALL(remap_file_pages, false, P(page), 4096),
    CALL(msync, false, P(page), 4096, 4),
    CALL(shmat, false, 0, 0, 0),
    CALL(semget, false, 0, 1, 0600),
    CALL(msgget, false, 0, 0600),
    CALL(mq_open, false, P("x"), 0),
    CALL(mbind, false, P(page), 4096, 0),
    CALL(membarrier, false, 1),
    /* privileges */
    CALL(setresuid, false, 0, 0, 0),
    CALL(setreuid, false, 0, 0),
    CALL(setgid, false, 0),
    CALL(setresgid, false, 0, 0, 0),
    CALL(setgroups, false, 0, P(page)),
    CALL(setfsuid, false, 0),
    CALL(capget, false, P(page), P(page)),
    CALL(add_key, false, P("user"), P("x"), P(page), 1, -3),
    CALL(request_key, false, P("user"), P("x"), 0, 0),
    CALL(getuid, false, 0),
    CALL(getgroups, false, 16, P(page)),
    /* the kernel */
    CALL(init_module, false, P(page), 1, P("")),
    CALL(finit_module, false, 3, P(""), 0),
    CALL(delete_module, false, P("x"), 0),
    CALL(kexec_load, false, 0, 0, P(page), 0),
    CALL(kexec_file_load, false, 3, 3, 0, P(""), 0),
    CALL(reboot, false, 0xfee1dead, 672274793, 0),
    CALL(syslog, false, 3, P(page), 16),
    CALL(sethostname, false, P("x"), 1),
    CALL(setdomainname, false, P("x"), 1),
    CALL(settimeofday, false, P(page), 0),
    CALL(clock_adjtime, false, 0, P(page)),
    CALL(adjtimex, false, P(page)),
    CALL(vhangup, false, 0),
    CALL(nfsservctl, false, 0),
    CALL(sysinfo, false, P(page)),
    CALL(io_setup, false, 1, P(page)),
    CALL(io_submit, false, 0, 1, P(page)),
    CALL(io_uring_enter, false, 3, 1),
    CALL(io_uring_register, false, 3, 0),
    CALL(landlock_create_ruleset, false, 0, 0, 1),
    CALL(landlock_restrict_self, false, 3, 0),
    CALL(set_tid_address, false, P(page)),
    CALL(set_robust_list, false, P(page), 24),
    CALL(rseq, false, P(page), 32, 0, 0),
    /* time and itself */
    CALL(clock_nanosleep, false, 0, 0, P(&later.it_value)),
    CALL(clock_getres, false, 0, P(page)),
    CALL(gettimeofday, true, P(page)),
    CALL(times, false, P(page)),
    CALL(getrusage, false, 0, P(page)),
    CALL(setitimer, false, 0, P(page)),
    CALL(timer_getoverrun, false, 0),
    CALL(timer_gettime, false, 0, P(page)),
    CALL(rt_sigsuspend, false, P(page), 8),
    CALL(rt_sigpending, false, P(page), 8),
    CALL(rt_sigtimedwait, false, P(page), 0, P(&later.it_value), 8),
    CALL(getcpu, false, P(page)),
    CALL(gettid, true, 0),
    CALL(getrlimit, false, 0, P(page)),
    CALL(setrlimit, false, 0, P(page)),
#ifdef __x86_64__
    CALL(open, true, P("/etc/passwd"), O_RDONLY),
    CALL(creat, false, P("/x"), 0600),
    CALL(stat, false, P("/"), P(page)),
    CALL(fork, false, 0),
    CALL(vfork, false, 0),
    CALL(pipe, false, P(page)),
    CALL(dup2, false, 3, 4),
    CALL(poll, false, P(page), 0, 1),
    CALL(select, false, 0, 0, 0, 0, P(page)),
    CALL(pause, false, 0),
    CALL(alarm, false, 1),
    CALL(time, false, P(page)),
    CALL(modify_ldt, false, 1, P(page), 16),
    CALL(arch_prctl, false, 0x1003, P(page)),
    CALL(iopl, false, 3),
    CALL(ioperm, false, 0, 1, 1),
    CALL(set_thread_area, false, P(page)),
    CALL(uselib, false, P("/x")),
    {"write by the x32 numbers", 0x40000001, {3, P("x"), 1}, false},
    {"open by the x32 numbers", 0x40000002, {P("/etc/passwd"), O_RDONLY}, false},
    {"ioctl by the x32 numbers", 0x40000202, {3, 0x541b, P(page)}, false},
#endif
};

/* ---- running them ---------------------------------------------------------------------------- */

static void locked_child(int socket, const struct attempt *a)
{
    struct lockdown mine = lockdown;
    mine.socket = socket;
    if (executor_lock_down(&mine) != NULL || executor_limit_cpu(5000000) < 0 ||
        policy_install() < 0)
        _exit(1);
    long args[6];
    for (int i = 0; i < 6; i++) /* -1 stands for the neighbour where a pid goes */
        args[i] = a->args[i] == -1 && i < 2 ? neighbour : a->args[i];
    syscall(a->call, args[0], args[1], args[2], args[3], args[4], args[5]);
    _exit(PLAIN);
}

/* What the last child said on its socket. */
static struct wire_denied said;
static bool told;

static void listen_to(int fd)
{
    uint8_t bytes[WIRE_HEADER_SIZE + WIRE_DENIED_SIZE];
    struct wire_header header;
    told = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) == (ssize_t)sizeof(bytes) &&
           wire_header_decode(bytes, true, &header) == NULL && header.type == WIRE_DENIED &&
           wire_denied_decode(bytes + WIRE_HEADER_SIZE, WIRE_DENIED_SIZE, &said) == NULL;
}

static int status_of(void (*fn)(int, const struct attempt *), const struct attempt *a)
{
    int pair[2], status = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        fn(pair[1], a);
    close(pair[1]);
    if (waitpid(pid, &status, 0) != pid)
        status = -1;
    listen_to(pair[0]);
    close(pair[0]);
    return status;
}

static bool died_of_sigsys(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static void test_attempts(void)
{
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        const struct attempt *a = &attempts[i];
        if (WIDE && a->wide) {
            skip("the wide policy of sanitizers", a->what);
            continue;
        }
        int status = status_of(locked_child, a);
        bool named = told && said.number == (uint32_t)a->call;
        if (!ok(died_of_sigsys(status) && named, "denied and named: %s", a->what))
            note("status %#x, %s %u", status, told ? "told" : "not told", said.number);
    }
}

#ifdef __x86_64__
/* int 0x80, by the numbers of i386: some of them are numbers that the policy allows on x86-64. */
static const struct attempt i386[] = {
    {"read", 3, {3, 0, 0}, false},
    {"write", 4, {3, 0, 0}, false},
    {"open", 5, {0, 0, 0}, false},
    {"fork", 2, {0}, false},
    {"execve", 11, {0, 0, 0}, false},
    {"rt_sigreturn", 173, {0}, false},
    {"exit_group", 252, {42}, false},
    {"clock_gettime", 265, {2, 0}, false},
    {"the number of exit_group", 231, {0}, false},
};

static void child_i386(int socket, const struct attempt *a)
{
    struct lockdown mine = lockdown;
    mine.socket = socket;
    if (executor_lock_down(&mine) != NULL || policy_install() < 0)
        _exit(1);
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(a->call), "b"(a->args[0]), "c"(a->args[1]), "d"(a->args[2])
                     : "memory");
    _exit(PLAIN);
}
#endif

static void child_allowed(int socket, const struct attempt *a)
{
    struct lockdown mine = lockdown;
    (void)a;
    mine.socket = socket;
    if (executor_lock_down(&mine) != NULL || executor_limit_cpu(20000) < 0 || policy_install() < 0)
        _exit(1);
    executor_send(WIRE_READY, 0, 0, "12345678abcd", 12, NULL, 0);
    while (!executor_time_up) /* the handler runs and returns */
        if (executor_cpu_us() > 1000000)
            _exit(2);
    _exit(PLAIN);
}

/* Without the policy, only what the other layers say. */
static void child_layers(int socket, const struct attempt *a)
{
    struct lockdown mine = lockdown;
    (void)a;
    mine.socket = socket;
    if (executor_lock_down(&mine) != NULL)
        _exit(1);
    int bits = 0;
    struct sockaddr_un abstract = {.sun_family = AF_UNIX, .sun_path = "\0c9d"};
    bits |= (open("/", O_RDONLY) < 0) << 0;
    bits |= (socket < 0 || syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) < 0) << 1;
    bits |= (fork() < 0) << 2;
    bits |= (ptrace(PTRACE_ATTACH, neighbour, 0, 0) < 0) << 3;
    bits |= (dup(WIRE_FD) < 0) << 4;
    bits |= (connect(WIRE_FD, (struct sockaddr *)&abstract, sizeof(abstract)) < 0) << 5;
    bits |= (prctl(PR_GET_DUMPABLE) == 0) << 6;
    _exit(bits);
}

/* The zygote's policy refuses what has no row; the executor's, put on behind it, decides how such a
 * call ends. */
static void child_both_policies(int socket, const struct attempt *a)
{
    (void)socket;
    (void)a;
    if (policy_zygote_install() < 0 || syscall(SYS_getppid) < 0)
        _exit(1);
    if (!WIDE && (syscall(SYS_uname, page) == 0 || errno != EPERM))
        _exit(2);
    if (policy_install() < 0)
        _exit(3);
    syscall(SYS_uname, page);
    _exit(PLAIN);
}

/* A process of the same zygote that sits there. */
static void neighbour_start(void)
{
    neighbour = fork();
    if (neighbour == 0) {
        struct lockdown mine = lockdown;
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
            _exit(1);
        mine.socket = pair[0];
        if (executor_lock_down(&mine) != NULL)
            _exit(1);
        for (;;)
            pause();
    }
}

static void run(void)
{
    buf_auto report = BUF_INIT;
    lockdown.zygote = getpid();
    ok(executor_prepare() == 0, "the policy is built");
    lockdown_apply(lockdown_zygote, lockdown_zygote_count, &lockdown, &report);
    note("%s", report.data);
    neighbour_start();
    if (WIDE)
        skip("the wide policy of sanitizers", "the policy has its number of rows");
    else
        is_int(policy_row_count, ROWS, "the policy has %d rows", ROWS);
    for (size_t i = 0; i < policy_row_count; i++)
        ok(policy_rows[i].reason != NULL && policy_rows[i].reason[0] != '\0', "%s has a reason: %s",
           policy_rows[i].name, policy_rows[i].reason);
    int status = status_of(child_allowed, NULL);
    /* CPU timers are looked at on ticks: on a busy machine both may be due at the same one, and the
     * hard one wins. */
    for (int i = 0; i < 20 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; i++)
        status = status_of(child_allowed, NULL);
#ifdef __SANITIZE_THREAD__
    skip("TSan puts handlers off until a call blocks",
         "allowed: write, the CPU clock, handlers, exit");
#else
    ok(WIFEXITED(status) && WEXITSTATUS(status) == PLAIN,
       "allowed: write, the CPU clock, back from a handler, exit (%#x)", status);
#endif
    test_attempts();
#ifdef __x86_64__
    for (size_t i = 0; i < sizeof(i386) / sizeof(i386[0]); i++) {
        status = status_of(child_i386, &i386[i]);
        bool named = told && said.number == (uint32_t)i386[i].call && said.arch == 0x40000003;
        ok((died_of_sigsys(status) && named) ||
               (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV),
           "denied by the numbers of i386: %s (%#x)", i386[i].what, status);
    }
#endif
    status = status_of(child_layers, NULL);
    static const char *const held[] = {"open", "socket",  "fork",    "ptrace",
                                       "dup",  "connect", "dumpable"};
    for (int i = 0; i < 7; i++)
        ok(WIFEXITED(status) && (WEXITSTATUS(status) >> i & 1),
           "without the policy %s is refused as well", held[i]);
    status = status_of(child_both_policies, NULL);
    ok(died_of_sigsys(status),
       "behind the zygote's policy a call without a row ends the executor as well (%#x)", status);
    is_int(kill(neighbour, 0), 0, "the neighbour lives");
    kill(neighbour, SIGKILL);
}

/* One pass in a process of its own: the lock-down is for good. Descriptor limits and the like hold
 * for the test's own output too, so it goes through a pipe; the last thing in it is how many tests
 * ran and failed. */
static void pass_run(uid_t uid)
{
    int out[2], counts[2] = {tap_run, tap_failed + 1};
    buf_auto report = BUF_INIT, text = BUF_INIT;
    if (pipe(out) < 0)
        abort();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(out[0]);
        if (uid != 0 && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
                         setresuid(uid, uid, uid) < 0))
            _exit(1);
        lockdown_apply(lockdown_namespaces, lockdown_namespace_count, &lockdown, &report);
        pid = fork(); /* into the pid namespace */
    }
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[1]);
        run();
        counts[0] = tap_run;
        counts[1] = tap_failed;
        fflush(stdout);
        if (write(STDOUT_FILENO, counts, sizeof(counts)) != sizeof(counts))
            _exit(1);
        _exit(0); /* no leak check: a sanitizer could not trace what is not dumpable */
    }
    close(out[1]);
    if (getpid() != main_pid) /* the one between */
        _exit(waitpid(pid, NULL, 0) != pid);
    char bytes[4096];
    for (ssize_t n; (n = read(out[0], bytes, sizeof(bytes))) > 0;)
        buf_append(&text, bytes, (size_t)n);
    close(out[0]);
    waitpid(pid, NULL, 0);
    size_t len = text.len < sizeof(counts) ? 0 : text.len - sizeof(counts);
    fwrite(text.data, 1, len, stdout);
    if (len > 0)
        memcpy(counts, text.data + len, sizeof(counts));
    tap_run = counts[0];
    tap_failed = counts[1];
}

int main(void)
{
    main_pid = getpid();
    bool root = geteuid() == 0;
    note("as %s", root ? "root" : "this user");
    pass_run(0);
    if (root) {
        note("as uid 65534");
        pass_run(65534);
    }
    int status = done_testing();
    fflush(stdout);
    _exit(status);
}
