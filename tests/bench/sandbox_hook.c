/* What the CPU limit costs ordinary code: the same Lua with the limit's timers set and without,
 * interleaved. There is no count hook that could cost anything; a hook is set when the time is up.
 * Prints "BARE_US LIMITED_US", medians. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/executor.h"
#include "sandbox/vm.h"

enum { ROUNDS = 15, MEMORY = 64 << 20 };
#define HOUR_US 3600000000u

static const char work[] =
    "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end fib(25)\n"
    "local t = {} for i = 1, 100000 do t[i] = i * 7919 % 100003 end table.sort(t)\n"
    "local words = {} for w in (('some words of text '):rep(5000)):gmatch('%a+') do words[w] = (words[w] or 0) + 1 end\n"
    "local s = {} for i = 1, 50000 do s[#s + 1] = ('%d:%s'):format(i, 'x') end return #table.concat(s, ',')";

/* CPU time in µs, of a process of its own. */
static double run(bool limited)
{
    double *us = mmap(NULL, sizeof(*us), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (us == MAP_FAILED)
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        if (arena_map(MEMORY) < 0)
            _exit(1);
        lua_State *L = lua_newstate(arena_realloc, NULL);
        luaL_openlibs(L);
        if (limited && executor_limit_cpu(HOUR_US) < 0)
            _exit(1);
        uint64_t from = executor_cpu_us();
        if (luaL_dostring(L, work) != LUA_OK)
            _exit(1);
        *us = (double)(executor_cpu_us() - from);
        _exit(0);
    }
    int status = 1;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        abort();
    double result = *us;
    munmap(us, sizeof(*us));
    return result;
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(void)
{
    double bare[ROUNDS], limited[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        bare[i] = run(false);
        limited[i] = run(true);
    }
    qsort(bare, ROUNDS, sizeof(bare[0]), by_time);
    qsort(limited, ROUNDS, sizeof(limited[0]), by_time);
    printf("%.0f %.0f\n", bare[ROUNDS / 2], limited[ROUNDS / 2]);
    return 0;
}
