/* The seam between the locked-down process and the Lua in it: executor.c makes the limits hold,
 * vm_*.c give skills their language. One VM a process; no threads. */
#ifndef C9_SANDBOX_VM_H
#define C9_SANDBOX_VM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/wire.h"

struct lua_State;

/* ---- memory (arena.c) ------------------------------------------------------------------------ */
/* Everything that Lua holds comes from one range that the zygote maps at a fixed address (so that
 * addresses, and what depends on them, are the same on replay). */

/* Maps the range; `limit_max` is the largest limit arena_limit will be given. Zygote, once. 0 or
 * -1. */
int arena_map(size_t limit_max);
/* From now on Lua may hold so many bytes (as Lua counts: requested sizes). */
void arena_limit(size_t bytes);
/* From now on children inherit of the range what this limit needs, and arena_seal maps or unmaps
 * the difference: the usual limit costs them no call. Zygote, once. 0, or -1 with errno. */
int arena_inherit(size_t usual_limit);
/* Gives back the pages beyond those of the limit: native code that touches more gets SIGSEGV. Once,
 * in the executor; arena_limit may not raise the limit afterwards. 0, or -1 with errno. */
int arena_seal(void);
size_t arena_used(void);
size_t arena_peak(void);   /* since arena_limit */
bool arena_exceeded(void); /* a request was refused because of the limit */
/* A lua_Alloc; ud unused. */
void *arena_realloc(void *ud, void *ptr, size_t old_size, size_t new_size);

/* ---- transport (executor.c) ------------------------------------------------------------------ */
/* Blocking I/O on WIRE_FD. A closed or broken socket ends the process: nobody is there to tell. */

/* Sends one frame made of two pieces (either may be empty). */
void executor_send(unsigned type, unsigned flags, uint64_t id, const void *head, size_t head_len,
                   const void *body, size_t body_len);
/* Reads the next header; then exactly header->length bytes must be read with executor_read. */
void executor_receive(struct wire_header *header_r);
void executor_read(void *out, size_t len);
/* CPU time of the process so far, for struct wire_stats; the only clock that is left after
 * lock-down. */
uint64_t executor_cpu_us(void);

/* Set by the CPU timer's signal: the time is up. The handler also sets a hook on vm_running(). */
extern volatile sig_atomic_t executor_time_up;

/* ---- the VM (vm_*.c) ------------------------------------------------------------------------- */

/* Makes the state with its libraries and the prelude, from arena memory, in the zygote: executors
 * inherit it copy-on-write. NULL: out of memory or a broken prelude (message on stderr). */
struct lua_State *vm_new(void);
/* The coroutine that runs now: what the signal handler must hook. Never NULL after vm_new. */
struct lua_State *vm_running(void);
/* The hook function for it: raises the error that skills cannot catch. */
void vm_time_up_hook(struct lua_State *L, void *ar);
/* Executes from START to the final frame: reads SKILL and RUN frames, runs, sends RESULT or
 * FAILURE. Returns after that; the caller exits at once, without lua_close. Called after lock-down.
 */
void vm_execute(struct lua_State *L, const struct wire_start *start);

#endif
