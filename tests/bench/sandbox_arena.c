/* The arena against glibc's malloc under the same Lua, interleaved: CPU time, and memory touched.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/vm.h"

enum { ROUNDS = 9, LIMIT = 256 << 20 };

static const struct {
    const char *what, *source;
} work[] = {
    {"small tables", "for i = 1, 300000 do local t = {i, {i}, x = i} end"},
    {"strings",
     "local t = {} for i = 1, 200000 do t[#t + 1] = 'k' .. i .. ':' .. i * 2 end table.concat(t)"},
    {"a growing map", "local m = {} for i = 1, 200000 do m['k' .. i] = {v = i} end"},
    {"closures",
     "local f for i = 1, 300000 do local g = f f = function() return g, i end if i % 100 == 0 then "
     "f = nil end end"},
    {"large strings", "local s = 'x' for r = 1, 20 do s = 'x' for i = 1, 20 do s = s .. s end end"},
};

struct result {
    double us;
    long kib;
};

static void *alloc_libc(void *ud, void *ptr, size_t old_size, size_t new_size)
{
    (void)ud;
    (void)old_size;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, new_size);
}

/* In a process of its own, so that memory is its own. */
static struct result run(lua_Alloc alloc, const char *source)
{
    struct result *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0),
                  result;
    if (shared == MAP_FAILED)
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        struct timespec t;
        struct rusage before, after;
        if (arena_map(LIMIT) < 0)
            _exit(1);
        lua_State *L = lua_newstate(alloc, NULL);
        luaL_openlibs(L);
        getrusage(RUSAGE_SELF, &before);
        double from = (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t),
                       (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3);
        if (luaL_dostring(L, source) != LUA_OK)
            _exit(1);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        shared->us = (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3 - from;
        getrusage(RUSAGE_SELF, &after);
        shared->kib = after.ru_maxrss - before.ru_maxrss;
        _exit(0);
    }
    int status = 1;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        abort();
    result = *shared;
    munmap(shared, sizeof(*shared));
    return result;
}

static int by_time(const void *a, const void *b)
{
    double x = ((const struct result *)a)->us, y = ((const struct result *)b)->us;
    return (x > y) - (x < y);
}

int main(void)
{
    for (size_t i = 0; i < sizeof(work) / sizeof(work[0]); i++) {
        struct result libc[ROUNDS], arena[ROUNDS];
        for (int r = 0; r < ROUNDS; r++) {
            libc[r] = run(alloc_libc, work[i].source);
            arena[r] = run(arena_realloc, work[i].source);
        }
        qsort(libc, ROUNDS, sizeof(libc[0]), by_time);
        qsort(arena, ROUNDS, sizeof(arena[0]), by_time);
        const struct result *l = &libc[ROUNDS / 2], *a = &arena[ROUNDS / 2];
        printf("%-14s malloc %7.1f ms %6ld KiB, arena %7.1f ms %6ld KiB: %.2f of the speed\n",
               work[i].what, l->us / 1000, l->kib, a->us / 1000, a->kib, l->us / a->us);
    }
    return 0;
}
