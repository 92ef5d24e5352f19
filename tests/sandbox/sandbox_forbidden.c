/* An attacker who runs native code in an executor: after the real lock-down it makes, from C, each call that is
 * not in the policy and matters, and dies of it. The calls that are in the policy work, and only as far as
 * their arguments allow. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
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
static pid_t neighbour;
static char page[8192] __attribute__((aligned(4096)));

#ifdef C9_SANITIZED
enum { WIDE = 1 };
#else
enum { WIDE = 0 };
#endif

/* ---- the attempts: each makes one call; reaching its end means that it was let through --------------------- */

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
static union bpf_attr bpf_map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4,
                                 .max_entries = 1};
static struct iovec here = {page, 16};
static struct itimerspec later = {.it_value = {1000, 0}};

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
    {"map executable memory", SYS_mmap,
     {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}, true},
    {"map memory", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}, true},
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
    {"a clock with bits above 32", SYS_clock_gettime, {CLOCK_PROCESS_CPUTIME_ID | HIGH, P(page)}, false},
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
#ifdef __x86_64__
    {"write by the x32 numbers", 0x40000001, {3, P("x"), 1}, false},
#endif
};

/* ---- running them --------------------------------------------------------------------------------------------- */

static void locked_child(int socket, const struct attempt *a)
{
    struct lockdown mine = lockdown;
    mine.socket = socket;
    if (executor_lock_down(&mine) != NULL || executor_limit_cpu(5000000) < 0 || policy_install() < 0)
        _exit(1);
    long args[6];
    for (int i = 0; i < 6; i++) /* -1 stands for the neighbour where a pid goes */
        args[i] = a->args[i] == -1 && i < 2 ? neighbour : a->args[i];
    syscall(a->call, args[0], args[1], args[2], args[3], args[4], args[5]);
    _exit(PLAIN);
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
        if (!ok(died_of_sigsys(status), "denied: %s", a->what))
            note("status %#x", status);
    }
}

#ifdef __x86_64__
/* int 0x80: the numbers of i386, where 1 is exit and 4 is write. */
static void child_i386(int socket, const struct attempt *a)
{
    struct lockdown mine = lockdown;
    (void)a;
    mine.socket = socket;
    if (executor_lock_down(&mine) != NULL || policy_install() < 0)
        _exit(1);
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(3), "b"(3), "c"(0), "d"(0) : "memory");
    _exit(result == 0 ? PLAIN : PLAIN + 1);
}
#endif

static void child_allowed(int socket, const struct attempt *a)
{
    struct lockdown mine = lockdown;
    (void)a;
    mine.socket = socket;
    if (executor_lock_down(&mine) != NULL || executor_limit_cpu(20000) < 0 || policy_install() < 0)
        _exit(1);
    executor_send(WIRE_READY, 0, 0, "12345678", 8, NULL, 0);
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

static int run(void)
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
    /* CPU timers are looked at on ticks: on a busy machine both may be due at the same one, and the hard one wins. */
    for (int i = 0; i < 20 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; i++)
        status = status_of(child_allowed, NULL);
#ifdef __SANITIZE_THREAD__
    skip("TSan puts handlers off until a call blocks", "allowed: write, the CPU clock, handlers, exit");
#else
    ok(WIFEXITED(status) && WEXITSTATUS(status) == PLAIN,
       "allowed: write, the CPU clock, back from a handler, exit (%#x)", status);
#endif
    test_attempts();
#ifdef __x86_64__
    status = status_of(child_i386, NULL);
    ok(died_of_sigsys(status) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV),
       "denied: a call by the numbers of i386 (%#x)", status);
#endif
    status = status_of(child_layers, NULL);
    static const char *const held[] = {"open", "socket", "fork", "ptrace", "dup", "connect", "dumpable"};
    for (int i = 0; i < 7; i++)
        ok(WIFEXITED(status) && (WEXITSTATUS(status) >> i & 1), "without the policy %s is refused as well",
           held[i]);
    is_int(kill(neighbour, 0), 0, "the neighbour lives");
    kill(neighbour, SIGKILL);
    return done_testing();
}

/* Descriptor limits and the like hold for the test's own output too, so it goes through a pipe. */
int main(void)
{
    int out[2], status = 1;
    buf_auto report = BUF_INIT;
    if (pipe(out) < 0)
        return 1;
    lockdown_apply(lockdown_namespaces, lockdown_namespace_count, &lockdown, &report);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        status = run();
        fflush(stdout);
        _exit(status); /* no leak check: a sanitizer could not trace what is not dumpable */
    }
    close(out[1]);
    char text[4096];
    for (ssize_t n; (n = read(out[0], text, sizeof(text))) > 0;)
        fwrite(text, 1, (size_t)n, stdout);
    waitpid(pid, &status, 0);
    fflush(stdout);
    _exit(status != 0);
}
