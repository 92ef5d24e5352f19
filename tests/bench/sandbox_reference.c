/* What executions are measured against: a C loop of fork + an executor's lock-down + the same Lua +
 * exit, and nothing else: no HTTP, no JSON, no store, no protocol. In a zygote's place: in its
 * layers, with its Lua state.
 *
 *     sandbox_reference rate WORKERS SECONDS     runs a second, so many workers each forking one at
 * a time sandbox_reference wait COUNT FILE          median µs of one 4 KiB append to FILE with
 * fdatasync, and of one run sandbox_reference bare WORKERS SECONDS     fork + exit only
 *     sandbox_reference lock WORKERS SECONDS     fork + lock-down + exit
 */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sandbox/executor.h"
#include "sandbox/policy.h"
#include "sandbox/vm.h"

enum { WORKERS_MAX = 64, COUNT_MAX = 100000, PAGE = 4096, LIMIT = 64 << 20, ARENA = 512 << 20 };

static const char skill[] =
    "local sum = 0 for i = 1, 10000 do sum = sum + i * i % 7 end return sum";
enum { SUM = 20001 };

static struct lockdown lockdown;
static lua_State *L;
static int sock;
/* What processes below measure; printed outside. */
static struct results {
    uint64_t runs[WORKERS_MAX];
    int64_t us[COUNT_MAX];
} * results;

static void run_bare(void)
{
}

static void run_lock(void)
{
    struct lockdown mine = lockdown;
    mine.socket = sock;
    if (executor_lock_down(&mine) != NULL || executor_limit_cpu(10 * CLOCK_SECOND) < 0 ||
        policy_install() < 0)
        _exit(1);
}

static void run_lua(void)
{
    struct lockdown mine = lockdown;
    mine.socket = sock;
    if (executor_lock_down(&mine) != NULL)
        _exit(1);
    arena_limit(LIMIT);
    if (executor_limit_cpu(10 * CLOCK_SECOND) < 0 || policy_install() < 0 ||
        luaL_loadbufferx(L, skill, sizeof(skill) - 1, "=skill", "t") != LUA_OK ||
        lua_pcall(L, 0, 1, 0) != LUA_OK || lua_tointeger(L, -1) != SUM)
        _exit(1);
}

static void run(void (*work)(void))
{
    int status;
    pid_t pid = _Fork();
    if (pid == 0) {
        work();
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        fprintf(stderr, "sandbox_reference: a run failed: %s\n",
                pid < 0 ? strerror(errno) : "see its status");
        _exit(1);
    }
}

/* Executors check that their parent still is who forked them. */
static void worker(unsigned i, int64_t until, void (*work)(void))
{
    lockdown.zygote = getpid();
    while (clock_monotonic_us() < until) {
        run(work);
        results->runs[i]++;
    }
    _exit(0);
}

static void rate(unsigned workers, double seconds, void (*work)(void))
{
    int64_t until = clock_monotonic_us() + (int64_t)(seconds * 1e6);
    int status;
    for (unsigned i = 0; i < workers; i++) {
        pid_t pid = fork();
        if (pid == 0)
            worker(i, until, work);
        if (pid < 0)
            _exit(1);
    }
    for (unsigned i = 0; i < workers; i++)
        if (wait(&status) < 0 || status != 0)
            _exit(1);
}

static void waits(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int64_t from = clock_monotonic_us();
        run(run_lua);
        results->us[i] = clock_monotonic_us() - from;
    }
}

/* Outside: inside the layers no file may grow. Cheaper than both in turn, which is to our
 * disadvantage. */
static int appends(unsigned count, const char *path)
{
    static const char page[PAGE] = "x";
    autofd int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    for (unsigned i = 0; i < count; i++) {
        int64_t from = clock_monotonic_us();
        if (write(file, page, sizeof(page)) != sizeof(page) || fdatasync(file) < 0)
            return -1;
        results->us[i] = clock_monotonic_us() - from;
    }
    return 0;
}

/* As zygote_prepare does it. */
static void enter(void)
{
    buf_auto report = BUF_INIT;
    lockdown.zygote = getpid();
    if (executor_prepare() < 0 || arena_map(ARENA) < 0 || (L = vm_new()) == NULL) {
        fprintf(stderr, "sandbox_reference: no Lua state: %s\n", strerror(errno));
        _exit(1);
    }
    lockdown_apply(lockdown_zygote, lockdown_zygote_count, &lockdown, &report);
    policy_zygote_install();
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t median(unsigned n)
{
    qsort(results->us, n, sizeof(results->us[0]), by_value);
    return results->us[n / 2];
}

static void print_rate(unsigned workers, double seconds)
{
    uint64_t runs = 0;
    for (unsigned i = 0; i < workers; i++)
        runs += results->runs[i];
    printf("%.1f\n", (double)runs / seconds);
}

static const struct mode {
    const char *name;
    void (*work)(void);
} modes[] = {{"rate", run_lua}, {"lock", run_lock}, {"bare", run_bare}};

/* Forks a zygote's place and waits for what it does: 0, or -1. */
static int inside(unsigned n, double seconds, void (*work)(void))
{
    buf_auto report = BUF_INIT;
    int status;
    const char *missing =
        lockdown_apply(lockdown_namespaces, lockdown_namespace_count, &lockdown, &report);
    if (missing != NULL)
        fprintf(stderr, "sandbox_reference: without the %s: %s\n", missing, strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        enter();
        if (work != NULL)
            rate(n, seconds, work);
        else
            waits(n);
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static int compare_wait(unsigned count, const char *path)
{
    if (appends(count, path) < 0)
        return 1;
    int64_t append = median(count);
    if (inside(count, 0, NULL) < 0)
        return 1;
    printf("%ld %ld\n", (long)append, (long)median(count));
    return 0;
}

int main(int argc, char **argv)
{
    int pair[2];
    void (*work)(void) = NULL;
    for (size_t i = 0; argc == 4 && i < countof(modes); i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            work = modes[i].work;
    unsigned n = argc == 4 ? (unsigned)atoi(argv[2]) : 0;
    if (n < 1 || n > (work != NULL ? WORKERS_MAX : COUNT_MAX) ||
        (work == NULL && strcmp(argv[1], "wait") != 0))
        return 2;
    results =
        mmap(NULL, sizeof(*results), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (results == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return 1;
    sock = pair[1];
    if (work == NULL)
        return compare_wait(n, argv[3]);
    double seconds = strtod(argv[3], NULL);
    if (inside(n, seconds, work) < 0)
        return 1;
    print_rate(n, seconds);
    return 0;
}
