/* What the lock-down costs: fork + lock-down + exit against fork + exit, in the same process,
 * interleaved; and each step by itself. Runs in a zygote's place: in its namespaces, with its Lua
 * state.
 *
 *     sandbox_spawn [rounds]
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/executor.h"
#include "sandbox/policy.h"
#include "sandbox/vm.h"

enum { BATCH = 200, ROUNDS_MAX = 100, STEPS_MAX = 16, WIDTHS = 2, LIMIT = 64 << 20 };

static struct lockdown lockdown;
static int sock;
/* What children and the zygote's place measure; printed outside, where files may be written. */
static struct results {
    double step[STEPS_MAX]; /* µs, added up */
    double plain[WIDTHS], locked[WIDTHS];
} * results;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void child_plain(void)
{
}

static int step_timer(struct lockdown *l)
{
    (void)l;
    return executor_limit_cpu(1000000);
}

static int step_policy(struct lockdown *l)
{
    (void)l;
    return policy_install();
}

static void child_locked(void)
{
    struct lockdown mine = lockdown;
    mine.socket = sock;
    if (executor_lock_down(&mine) != NULL || step_timer(&mine) < 0 || step_policy(&mine) < 0)
        _exit(1);
}

static void child_measured(void)
{
    struct lockdown mine = lockdown;
    mine.socket = sock;
    size_t i = 0;
    double from = now_us();
    for (; i < lockdown_executor_count; i++) {
        int rc = lockdown_executor[i].apply(&mine);
        double to = now_us();
        if (rc < 0)
            _exit(1);
        results->step[i] += to - from;
        from = now_us();
    }
    if (step_timer(&mine) < 0)
        _exit(1);
    results->step[i++] += now_us() - from;
    from = now_us();
    if (step_policy(&mine) < 0)
        _exit(1);
    results->step[i] += now_us() - from;
}

/* µs for one, so many at a time. */
static double batch(void (*work)(void), unsigned width)
{
    double from = now_us();
    unsigned started = 0, ended = 0;
    while (ended < BATCH) {
        while (started < BATCH && started - ended < width) {
            pid_t pid = _Fork();
            if (pid == 0) {
                work();
                _exit(0);
            }
            if (pid < 0)
                abort();
            started++;
        }
        int status;
        if (wait(&status) < 0 || status != 0) {
            fprintf(stderr, "sandbox_spawn: a child failed (%x)\n", status);
            _exit(1);
        }
        ended++;
    }
    return (now_us() - from) / BATCH;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), by_value);
    return v[n / 2];
}

static void compare(unsigned rounds, unsigned width)
{
    double plain[ROUNDS_MAX], locked[ROUNDS_MAX];
    for (unsigned i = 0; i < rounds; i++) {
        plain[i] = batch(child_plain, width);
        locked[i] = batch(child_locked, width);
    }
    results->plain[width - 1] = median(plain, rounds);
    results->locked[width - 1] = median(locked, rounds);
}

static void run(unsigned rounds)
{
    lockdown.zygote = getpid();
    buf_auto report = BUF_INIT;
    if (arena_map(LIMIT) < 0 || vm_new() == NULL || executor_prepare() < 0) {
        fprintf(stderr, "sandbox_spawn: no Lua state: %s\n", strerror(errno));
        _exit(1);
    }
    lockdown_apply(lockdown_zygote, lockdown_zygote_count, &lockdown, &report);
    policy_zygote_install();
    buf_free(&report);
    for (unsigned width = 1; width <= WIDTHS; width++)
        compare(rounds, width);
    for (unsigned i = 0; i < rounds; i++)
        batch(child_measured, 1);
    _exit(0);
}

static void print(unsigned rounds)
{
    for (unsigned i = 0; i < WIDTHS; i++)
        printf(
            "%u at a time: fork + exit %.1f us, fork + lock-down + exit %.1f us: %.2f of the rate\n",
            i + 1, results->plain[i], results->locked[i], results->plain[i] / results->locked[i]);
    for (size_t i = 0; i < lockdown_executor_count + 2; i++)
        printf("  %-16s %6.2f us\n",
               i < lockdown_executor_count    ? lockdown_executor[i].name
               : i == lockdown_executor_count ? "CPU timers"
                                              : "system calls",
               results->step[i] / (rounds * BATCH));
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 9;
    int pair[2];
    buf_auto report = BUF_INIT;
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    results =
        mmap(NULL, sizeof(*results), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (results == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return 1;
    sock = pair[1];
    const char *missing =
        lockdown_apply(lockdown_namespaces, lockdown_namespace_count, &lockdown, &report);
    if (missing != NULL)
        printf("without the %s: %s\n", missing, strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        run(rounds);
    int status = 1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return 1;
    print(rounds);
    return 0;
}
