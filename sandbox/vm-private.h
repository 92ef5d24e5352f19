/* What the files of the VM share. One VM a process, so its state is one static struct (vm.c). */
#ifndef C9_SANDBOX_VM_PRIVATE_H
#define C9_SANDBOX_VM_PRIVATE_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/vm.h"

enum { VM_DEPTH_MAX = 64, VM_NAME_MAX = 128, VM_TRACE_MAX = 8192 };

/* Errors that no code of a skill may catch; the first one wins. */
enum vm_fatal { VM_FATAL_NONE, VM_FATAL_TIME, VM_FATAL_MEMORY, VM_FATAL_CANCELLED, VM_FATAL_LIMIT };

/* A growable block outside the collector's sight, but counted by the allocator: what is read from
 * and written to the socket. It is never lost to a Lua error, because there is one of each in
 * struct vm. */
struct vm_bytes {
    char *data;
    size_t len, cap;
};

struct vm_task;

struct vm {
    lua_State *main, *running;
    struct wire_start start;
    enum vm_fatal fatal;
    const char *limit; /* VM_FATAL_LIMIT: its name, and what it is set to */
    uint64_t limit_value;
    bool loading;         /* a skill's file is evaluated: no effects */
    bool streaming;       /* inside a callback of a streamed answer: no effects */
    bool can_wait;        /* every resume between the task's root and here can be yielded across */
    struct vm_task *task; /* that runs now */
    struct vm_task *ready, **ready_end;
    struct vm_task *waiting; /* for an answer or for room to ask */
    uint64_t requests, notices;
    uint32_t pending, logs, emits;
    uint64_t log_bytes;
    uint64_t ids; /* handed out by vm_object_id */
    int depth;    /* of the stack that exhausted the memory */
    struct vm_bytes in, out;
    char entry[VM_NAME_MAX + 1]; /* the first skill's name */
    char trace[VM_TRACE_MAX];    /* of the error that ends the execution */
};
extern struct vm vm;

/* Tables in the registry, by the address of these. */
enum vm_slot {
    VM_SLOT_GLOBALS = 1, /* what every environment inherits */
    VM_SLOT_ARRAY,       /* metatable that marks arrays */
    VM_SLOT_ERROR,       /* metatable of error objects */
    VM_SLOT_RESPONSE,    /* metatable of HTTP answers */
    VM_SLOT_SKILLS,      /* name → source text, or the evaluated table */
    VM_SLOT_CONTEXT,     /* ctx, read-only */
    VM_SLOT_ANSWERS,     /* id → answer not yet taken; an error has VM_SLOT_ERROR's metatable */
    VM_SLOT_STREAMS,     /* id → function that takes deltas; after it raised: {its error} */
    VM_SLOT_IDS,         /* weak: object → number that tostring shows */
    VM_SLOT_NEXT,        /* {table, its sorted keys, position}: what next() did last */
    VM_SLOT_CAUSE,       /* {error, traceback} of the task that made c9.all fail */
    VM_SLOT_ENVIRONMENT, /* metatable of skills' environments */
    VM_SLOT_COUNT_
};
#define VM_SLOT(slot) (LUA_RIDX_LAST + 1 + (slot))
void vm_slot_push(lua_State *L, enum vm_slot slot);
/* The table on top gets the slot's table as its metatable; whether the value at idx has it. */
void vm_mark(lua_State *L, enum vm_slot slot);
bool vm_marked(lua_State *L, int idx, enum vm_slot slot);

/* ---- vm.c: bytes ----------------------------------------------------------------------------- */
/* All raise VM_FATAL_MEMORY when there is none. */
void vm_bytes_reserve(lua_State *L, struct vm_bytes *b, size_t n);
void vm_bytes_put(lua_State *L, struct vm_bytes *b, const void *data, size_t len);
void vm_bytes_char(lua_State *L, struct vm_bytes *b, char c);
/* Empties; gives a large block back. */
void vm_bytes_reset(lua_State *L, struct vm_bytes *b);

/* ---- vm_error.c ------------------------------------------------------------------------------ */
/* Ends the execution: raises what cannot be caught. `vm.fatal` keeps the first. */
_Noreturn void vm_fatal_raise(lua_State *L, enum vm_fatal fatal);
_Noreturn void vm_limit_raise(lua_State *L, const char *limit, uint64_t value);
/* After a protected call or resume failed: does not return when it may not be caught. The error is
 * on top. */
void vm_fatal_check(lua_State *L, int status);
/* Pushes an error object: code, message by format (as lua_pushfstring). */
void vm_error_push(lua_State *L, const char *code, const char *fmt, ...);
_Noreturn void vm_error_raise(lua_State *L, const char *code, const char *fmt, ...);
/* A ResourceExhausted that can be caught; details name the limit and what it is set to. */
_Noreturn void vm_error_raise_limit(lua_State *L, const char *limit, uint64_t max, const char *fmt,
                                    ...);
/* Writes L's traceback, skills' code only, to out (NUL-terminated); allocates nothing. */
size_t vm_trace_write(lua_State *L, int level, char *out, size_t size);
int vm_trace_depth(lua_State *L);
/* Sends the FAILURE for the error on top of L (or for vm.fatal). */
void vm_failure_send(lua_State *L);
/* As that, with this code for plain errors. */
void vm_failure_send_as(lua_State *L, const char *code);
void vm_stats_write(uint8_t out[WIRE_STATS_SIZE]);
void vm_error_open(lua_State *L);

/* ---- vm_json.c ------------------------------------------------------------------------------- */
enum { VM_JSON_LENIENT = 1 };
/* Appends the JSON text of the value at idx to vm.out; raises "WHAT.path: why". `what` names the
 * value. LENIENT: what JSON cannot hold becomes text instead. */
void vm_json_encode(lua_State *L, int idx, const char *what, unsigned flags);
/* Pushes the value of a JSON text. NULL, or why not (nothing pushed then), with the offset in
 * *at_r. */
const char *vm_json_decode(lua_State *L, const char *text, size_t len, size_t *at_r);
/* Pushes a well-formed copy of a text that may not be: each wrong byte becomes U+FFFD. */
void vm_text_push(lua_State *L, const char *s, size_t len);
void vm_json_open(lua_State *L);
int vm_json_encode_text(lua_State *L); /* c9.json.encode, decode, array */
int vm_json_decode_text(lua_State *L);
int vm_json_array(lua_State *L);

/* ---- vm_base.c, vm_keys.c, vm_coroutine.c, vm_table.c, vm_string.c, vm_random.c -------------- */
void vm_base_open(lua_State *L, int globals);
/* Pushes tostring(value) without raw addresses. */
const char *vm_tostring(lua_State *L, int idx, size_t *len_r);
/* Replaces the table on top by a read-only view; deep: of all tables below too. */
void vm_freeze(lua_State *L, bool deep);
/* Replaces the value at idx by what a read-only view shows; others stay. */
void vm_thaw(lua_State *L, int idx);
bool vm_frozen(lua_State *L, int idx);

/* Pushes an array of the keys of the table at idx in the order of pairs; returns how many. */
lua_Integer vm_keys_push(lua_State *L, int idx);
int vm_keys_pairs(lua_State *L);
int vm_keys_next(lua_State *L);

void vm_coroutine_open(lua_State *L, int globals);
/* lua_resume that keeps vm.running and vm.can_wait; can_wait: of the one who resumes. */
int vm_resume(lua_State *from, lua_State *co, int nargs, int *nres_r, bool can_wait);
/* Yields to the scheduler from a coroutine of any depth; use as `return vm_wait(L, ctx, k)`. */
int vm_wait(lua_State *L, lua_KContext ctx, lua_KFunction k);
bool vm_can_wait(lua_State *L);
void vm_coroutine_root(lua_State *co); /* marks a task's coroutine */
/* lua_resetthread that keeps vm.running: runs the __close handlers that co has open, which cannot
 * yield. */
int vm_coroutine_reset(lua_State *co);

void vm_table_open(lua_State *L, int globals);
void vm_string_open(lua_State *L, int globals);
void vm_random_open(lua_State *L, int globals);
void vm_random_seed(const uint8_t seed[32]);
int vm_random(lua_State *L); /* math.random */
int vm_random_uuid(lua_State *L);

/* ---- vm_tasks.c ------------------------------------------------------------------------------ */
/* Runs the function and its nargs arguments on top of L as the first task, until it is done. Pushes
 * its results on L: LUA_OK and exactly one value, or an error status and the error (trace in
 * vm.trace). */
int vm_task_main(lua_State *L, int nargs);
int vm_task_all(lua_State *L); /* c9.all */
/* Asks for the request table on top; below it, the function that takes deltas, or nil. Then calls
 * `done` with the answer, and gives its results; raises the answer when it is an error. May yield:
 * use as `return vm_effect(L, kind, done)`. */
int vm_effect(lua_State *L, enum wire_kind kind, lua_CFunction done);

/* ---- vm_c9.c, vm_notice.c, vm_args.c, vm_skill.c --------------------------------------------- */
struct vm_binding {
    const char *name; /* "model.chat" */
    lua_CFunction fn;
};
void vm_c9_open(lua_State *L, int globals);
extern const struct vm_binding
    vm_c9_bindings[]; /* ends with a NULL name; for the stubs' test too */

int vm_notice_debug(lua_State *L);
int vm_notice_info(lua_State *L);
int vm_notice_warn(lua_State *L);
int vm_notice_error(lua_State *L);
int vm_notice_emit(lua_State *L);
int vm_notice_print(lua_State *L);

enum vm_arg_type {
    VM_ARG_STRING = 1,
    VM_ARG_NUMBER = 2,
    VM_ARG_INTEGER = 4,
    VM_ARG_BOOLEAN = 8,
    VM_ARG_TABLE = 16,
    VM_ARG_FUNCTION = 32,
    VM_ARG_ANY = 64
};
struct vm_arg {
    const char *name;
    unsigned types;
    bool required;
};
/* The table at idx has the fields of rows (ends with a NULL name) and no others; raises
 * "c9.http.request: url must be a string, got nil". */
void vm_args_check(lua_State *L, int idx, const char *function, const struct vm_arg *rows);
/* Microseconds of a number of seconds or a text such as "250ms", "10s", "5m", "2h", "3d". */
lua_Integer vm_args_duration(lua_State *L, int idx, const char *what);
/* Pushes the skill's table: evaluated now if it was not yet. 0, or an error status with the error.
 */
int vm_skill_load(lua_State *L, const char *name);
int vm_skill_call(lua_State *L); /* c9.skills.call */
int vm_skill_list(lua_State *L);
/* The skill's table, its name, its source → its description, without functions. Raises what is
 * wrong. */
int vm_skill_describe(lua_State *L);

#endif
