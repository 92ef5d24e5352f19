/* The executor: everything that runs in it before the VM, and the VM's transport. */
#include "sandbox/executor.h"

#include <errno.h>
#include <lua.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/policy.h"
#include "sandbox/probe.h"
#include "sandbox/vm.h"

/* ---- transport ------------------------------------------------------------------------------- */
/* Raw calls: the policy compares all 64 bits of the descriptor, and a wrapper may leave the upper
 * ones to chance. Nobody is there to tell of a broken socket: the supervisor sees the exit. */

static void wire_write(const void *data, size_t len)
{
    for (const uint8_t *at = data; len > 0;) {
        long n = syscall(SYS_write, (long)WIRE_FD, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(1);
        at += n;
        len -= (size_t)n;
    }
}

/* How many bytes, least to most. */
static size_t wire_read(uint8_t *out, size_t least, size_t most)
{
    size_t got = 0;
    while (got < least) {
        long n = syscall(SYS_read, (long)WIRE_FD, out + got, most - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(n < 0);
        got += (size_t)n;
    }
    return got;
}

void executor_read(void *out, size_t len)
{
    wire_read(out, len, len);
}

/* READY, until it goes along with the first frame: the engine need not wake for it alone when it
 * has sent START already. */
static struct {
    uint8_t bytes[WIRE_HEADER_SIZE + WIRE_READY_SIZE];
    size_t len;
} unsaid;

void executor_send(unsigned type, unsigned flags, uint64_t id, const void *head, size_t head_len,
                   const void *body, size_t body_len)
{
    enum {
        TOGETHER = 1024
    }; /* below this one write is cheaper than three; the stack is touched anyway */
    uint8_t bytes[TOGETHER];
    struct wire_header header = {(uint32_t)(head_len + body_len), (uint16_t)type, (uint16_t)flags,
                                 id};
    memcpy(bytes, unsaid.bytes, unsaid.len);
    wire_header_encode(&header, bytes + unsaid.len);
    size_t len = unsaid.len + WIRE_HEADER_SIZE;
    unsaid.len = 0;
    if (head_len <= sizeof(bytes) - len) {
        if (head_len > 0)
            memcpy(bytes + len, head, head_len);
        len += head_len;
        head_len = 0;
    }
    if (head_len == 0 && body_len <= sizeof(bytes) - len) {
        if (body_len > 0)
            memcpy(bytes + len, body, body_len);
        len += body_len;
        body_len = 0;
    }
    wire_write(bytes, len);
    wire_write(head, head_len);
    wire_write(body, body_len);
}

void executor_receive(struct wire_header *header_r)
{
    uint8_t bytes[WIRE_HEADER_SIZE];
    executor_read(bytes, sizeof(bytes));
    if (wire_header_decode(bytes, false, header_r) != NULL)
        _exit(1); /* the engine is of another build, and knows from the exit */
}

/* ---- CPU time -------------------------------------------------------------------------------- */

volatile sig_atomic_t executor_time_up;

enum {
    SOFT_SIGNAL = SIGXCPU, /* RLIMIT_CPU, the backstop, sends it too */
    SOFT_AGAIN_US =
        2000, /* a coroutine that began just then has no hook: it gets one the next time */
    HARD_AFTER_US = 5000,  /* with the kernel's tick of 4 ms below 10 ms */
    HARD_AFTER_PART = 100, /* and a hundredth of the limit */
};

/* The clock of its only thread: that of the process is coarse while timers look at it. */
uint64_t executor_cpu_us(void)
{
    struct timespec now = {0};
    if (syscall(SYS_clock_gettime, (long)CLOCK_THREAD_CPUTIME_ID, &now) < 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void time_up_hook(lua_State *L, lua_Debug *ar)
{
    vm_time_up_hook(L, ar);
}

static void time_up(int signal)
{
    (void)signal;
    executor_time_up = 1;
    /* lua_sethook(3): "can be called asynchronously (e.g. during a signal)". */
    lua_State *L = vm_running();
    if (L != NULL)
        lua_sethook(L, time_up_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static struct timespec timespec_of(uint64_t us)
{
    return (struct timespec){(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
}

static int timer_start(int signal, uint64_t at_us, uint64_t again_us)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal};
    struct itimerspec when = {timespec_of(again_us), timespec_of(at_us)};
    int timer;
    if (syscall(SYS_timer_create, (long)CLOCK_PROCESS_CPUTIME_ID, &event, &timer) < 0)
        return -1;
    return (int)syscall(SYS_timer_settime, timer, TIMER_ABSTIME, &when, NULL);
}

int executor_limit_cpu(uint64_t us)
{
    uint64_t now = executor_cpu_us(), hard = us / HARD_AFTER_PART + HARD_AFTER_US, end;
    if (__builtin_add_overflow(now + hard, us, &end) || end > (uint64_t)INT64_MAX / 1000) {
        errno = ERANGE;
        return -1;
    }
    rlim_t seconds = end / 1000000 + 2;
    if (timer_start(SOFT_SIGNAL, now + us, SOFT_AGAIN_US) < 0 || timer_start(SIGKILL, end, 0) < 0)
        return -1;
    return (int)syscall(SYS_prlimit64, 0, RLIMIT_CPU, &(struct rlimit){seconds, seconds}, NULL);
}

/* ---- forbidden calls ------------------------------------------------------------------------- */

extern const char __executable_start[], etext[]; /* the linker's */

/* Where in the program: an address would tell the owner of a skill how all executors are laid out.
 */
static uint64_t place_of(const void *address)
{
    uintptr_t at = (uintptr_t)address, begin = (uintptr_t)__executable_start,
              end = (uintptr_t)etext;
    return at >= begin && at < end ? at - begin : WIRE_NOWHERE;
}

/* The policy refused a call, which was not made. Says which, in one write that need not succeed,
 * and dies: SIGSYS is blocked while its handler runs, and a blocked signal of this kind kills. */
static void denied(int signal, siginfo_t *info, void *context)
{
    struct wire_denied what = {(uint32_t)info->si_syscall, info->si_arch,
                               place_of(info->si_call_addr)};
    struct wire_header header = {.length = WIRE_DENIED_SIZE, .type = WIRE_DENIED};
    uint8_t bytes[WIRE_HEADER_SIZE + WIRE_DENIED_SIZE];
    (void)signal;
    (void)context;
    wire_header_encode(&header, bytes);
    wire_denied_encode(&what, bytes + WIRE_HEADER_SIZE);
    syscall(SYS_write, (long)WIRE_FD, bytes, sizeof(bytes));
    syscall(SYS_kill, 0, 0); /* has no row */
    for (;;)
        _exit(1);
}

/* ---- life ------------------------------------------------------------------------------------ */

int executor_prepare(void)
{
    struct sigaction soft = {.sa_handler = time_up, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction forbidden = {.sa_sigaction = denied, .sa_flags = SA_SIGINFO};
    sigemptyset(&soft.sa_mask);
    sigemptyset(&ignore.sa_mask);
    sigfillset(&forbidden.sa_mask);
    policy_build();
    return sigaction(SOFT_SIGNAL, &soft, NULL) < 0 || sigaction(SIGPIPE, &ignore, NULL) < 0 ||
                   sigaction(SIGSYS, &forbidden, NULL) < 0
               ? -1
               : 0;
}

const char *executor_lock_down(struct lockdown *lockdown)
{
    for (size_t i = 0; i < lockdown_executor_count; i++)
        if (lockdown_executor[i].apply(lockdown) < 0)
            return lockdown_executor[i].name;
    return NULL;
}

static _Noreturn void executor_refuse(struct lockdown *lockdown, const char *layer)
{
    int failure = errno;
    uint8_t bytes[4] = {(uint8_t)failure, (uint8_t)(failure >> 8)};
    if (lockdown->socket == WIRE_FD)
        executor_send(WIRE_LOCKFAIL, 0, 0, bytes, sizeof(bytes), layer, strlen(layer));
    _exit(1);
}

static void executor_say_ready(const struct lockdown *lockdown)
{
    struct wire_header header = {.length = WIRE_READY_SIZE, .type = WIRE_READY};
    struct wire_ready ready = {executor_cpu_us(), (uint32_t)lockdown->self};
    wire_header_encode(&header, unsaid.bytes);
    wire_ready_encode(&ready, unsaid.bytes + WIRE_HEADER_SIZE);
    unsaid.len = sizeof(unsaid.bytes);
}

/* How many bytes are there already, at most so many. */
static size_t wire_peek(void *out, size_t most)
{
    struct iovec space = {out, most};
    struct msghdr message = {.msg_iov = &space, .msg_iovlen = 1};
    long n = syscall(SYS_recvmsg, (long)WIRE_FD, &message, MSG_DONTWAIT);
    return n > 0 ? (size_t)n : 0;
}

/* Reads START, which the engine sends when it has work: until then this waits, and says so. */
static void executor_start(struct lockdown *lockdown, struct wire_start *start_r)
{
    struct wire_header header;
    uint8_t bytes[WIRE_HEADER_SIZE + WIRE_START_SIZE];
    size_t got = wire_peek(bytes, sizeof(bytes));
    if (got == 0) {
        wire_write(unsaid.bytes, unsaid.len);
        unsaid.len = 0;
    }
    if (got < WIRE_HEADER_SIZE)
        got += wire_read(bytes + got, WIRE_HEADER_SIZE - got, sizeof(bytes) - got);
    bool fine = wire_header_decode(bytes, false, &header) == NULL && header.type == WIRE_START;
    if (fine)
        executor_read(bytes + got, sizeof(bytes) - got);
    if (!fine || wire_start_decode(bytes + WIRE_HEADER_SIZE, WIRE_START_SIZE, start_r) != NULL) {
        errno = EPROTO;
        executor_refuse(lockdown, "START");
    }
}

_Noreturn void executor_main(int socket, const struct lockdown *inherited, struct lua_State *L)
{
    struct lockdown mine = *inherited, *lockdown = &mine; /* the stack's page is written anyway */
    lockdown->socket = socket;
    const char *failed = executor_lock_down(lockdown);
    if (failed != NULL)
        executor_refuse(lockdown, failed);
    executor_say_ready(lockdown);
    struct wire_start start;
    executor_start(lockdown, &start);
    arena_limit(start.memory);
    if (arena_seal() < 0)
        executor_refuse(lockdown, "memory");
    if (executor_limit_cpu(start.cpu_us) < 0)
        executor_refuse(lockdown, "CPU time");
    if (start.mode != WIRE_MODE_PROBE_BEHIND && policy_install() < 0)
        executor_refuse(lockdown, "system calls");
    if (start.mode >= WIRE_MODE_PROBE)
        probe_run(
            &start); /* reads no further byte: nothing untrusted is there without the policy */
    else
        vm_execute(L, &start);
    _exit(0);
}
