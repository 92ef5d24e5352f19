/* Errors: those of c9 calls (tables), those that no skill can catch, and what is said of them at
 * the end. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/vm-private.h"

static const char fatal_mark; /* its address is the value that is thrown */

static void fatal_hook(lua_State *L, lua_Debug *ar)
{
    vm_time_up_hook(L, ar);
}

/* From here on every instruction raises again, in close handlers and coroutines too. */
_Noreturn void vm_fatal_raise(lua_State *L, enum vm_fatal fatal)
{
    if (vm.fatal == VM_FATAL_NONE) {
        vm.fatal = fatal;
        vm_trace_write(L, 0, vm.trace, sizeof(vm.trace));
    }
    lua_sethook(L, fatal_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&fatal_mark);
    lua_error(L);
    __builtin_unreachable();
}

_Noreturn void vm_limit_raise(lua_State *L, const char *limit, uint64_t value)
{
    if (vm.fatal == VM_FATAL_NONE) {
        vm.limit = limit;
        vm.limit_value = value;
    }
    vm_fatal_raise(L, VM_FATAL_LIMIT);
}

void vm_time_up_hook(lua_State *L, void *ar)
{
    (void)ar;
    vm_fatal_raise(L, VM_FATAL_TIME);
}

void vm_fatal_check(lua_State *L, int status)
{
    if (status == LUA_ERRMEM)
        vm_fatal_raise(L, VM_FATAL_MEMORY);
    if (executor_time_up)
        vm_fatal_raise(L, VM_FATAL_TIME);
    if (vm.fatal != VM_FATAL_NONE)
        vm_fatal_raise(L, vm.fatal);
}

/* ---- error objects --------------------------------------------------------------------------- */

static void error_push_va(lua_State *L, const char *code, const char *fmt, va_list ap)
{
    lua_createtable(L, 0, 4);
    lua_pushstring(L, code);
    lua_setfield(L, -2, "code");
    lua_pushvfstring(L, fmt, ap);
    lua_setfield(L, -2, "message");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "retryable");
    lua_newtable(L);
    lua_setfield(L, -2, "details");
    vm_mark(L, VM_SLOT_ERROR);
}

void vm_error_push(lua_State *L, const char *code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_push_va(L, code, fmt, ap);
    va_end(ap);
}

_Noreturn void vm_error_raise(lua_State *L, const char *code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_push_va(L, code, fmt, ap);
    va_end(ap);
    lua_error(L);
    __builtin_unreachable();
}

_Noreturn void vm_error_raise_limit(lua_State *L, const char *limit, uint64_t max, const char *fmt,
                                    ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_push_va(L, "ResourceExhausted", fmt, ap);
    va_end(ap);
    lua_getfield(L, -1, "details");
    lua_pushstring(L, limit);
    lua_setfield(L, -2, "limit");
    lua_pushinteger(L, (lua_Integer)max);
    lua_setfield(L, -2, "max");
    lua_pop(L, 1);
    lua_error(L);
    __builtin_unreachable();
}

static int error_tostring(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    vm_tostring(L, (lua_pushliteral(L, "code"), lua_rawget(L, 1), -1), NULL);
    vm_tostring(L, (lua_pushliteral(L, "message"), lua_rawget(L, 1), -1), NULL);
    lua_pushfstring(L, "%s: %s", lua_tostring(L, 3), lua_tostring(L, 5));
    return 1;
}

void vm_error_open(lua_State *L)
{
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "c9.error");
    lua_setfield(L, -2, "__name");
    lua_pushliteral(L, "c9.error");
    lua_setfield(L, -2, "__metatable");
    lua_rawseti(L, LUA_REGISTRYINDEX, VM_SLOT(VM_SLOT_ERROR));
}

/* ---- tracebacks ------------------------------------------------------------------------------ */

struct text {
    char *at, *end;
};

__attribute__((format(printf, 2, 3))) static void text_add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->at, (size_t)(t->end - t->at), fmt, ap);
    va_end(ap);
    if (n > 0)
        t->at += n < t->end - t->at ? n : t->end - t->at - 1;
}

static void trace_frame(struct text *t, const lua_Debug *ar)
{
    text_add(t, "%s:%d: in ", ar->short_src, ar->currentline);
    if (strcmp(ar->what, "main") == 0)
        text_add(t, "the file's main part\n");
    else if (ar->name != NULL && ar->name[0] != '?')
        text_add(t, "%s '%s'\n", ar->namewhat[0] != '\0' ? ar->namewhat : "function", ar->name);
    else
        text_add(t, "function <%s:%d>\n", ar->short_src, ar->linedefined);
}

/* How many levels there are, by bisection: lua_getstack walks from the top each time. */
int vm_trace_depth(lua_State *L)
{
    lua_Debug ar;
    int there = -1, gone = 1;
    while (lua_getstack(L, gone, &ar)) {
        there = gone;
        gone *= 2;
    }
    if (there < 0)
        return lua_getstack(L, 0, &ar);
    while (there + 1 < gone) {
        int middle = there + (gone - there) / 2;
        *(lua_getstack(L, middle, &ar) ? &there : &gone) = middle;
    }
    return there + 1;
}

size_t vm_trace_write(lua_State *L, int level, char *out, size_t size)
{
    enum { FIRST = 12, LAST = 10 };
    struct text t = {out, out + size};
    lua_Debug ar;
    int depth = vm_trace_depth(L);
    out[0] = '\0';
    for (int i = level; i < depth; i++) {
        if (i == level + FIRST && depth - i > LAST) {
            text_add(&t, "... (%d levels)\n", depth - i - LAST);
            i = depth - LAST;
        }
        if (!lua_getstack(L, i, &ar) || !lua_getinfo(L, "nSl", &ar))
            break;
        if (ar.currentline > 0) /* skills' code; not ours in C */
            trace_frame(&t, &ar);
    }
    if (t.at > out && t.at[-1] == '\n')
        *--t.at = '\0';
    return (size_t)(t.at - out);
}

/* ---- the FAILURE ----------------------------------------------------------------------------- */

/* As wire_stats_encode, which would call malloc. */
void vm_stats_write(uint8_t out[WIRE_STATS_SIZE])
{
    const uint64_t words[] = {arena_peak(), executor_cpu_us()};
    for (int i = 0; i < WIRE_STATS_SIZE; i++)
        out[i] = (uint8_t)(words[i / 8] >> 8 * (i % 8));
}

/* A JSON text of ASCII by format; from outside come only numbers and vm.trace, which is escaped. */
static void text_add_json(struct text *t, const char *s)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '\n')
            text_add(t, "\\n");
        else if (c == '"' || c == '\\')
            text_add(t, "\\%c", c);
        else if (c >= 0x20 && c < 0x7F)
            text_add(t, "%c", c);
        else
            text_add(t, "?");
    }
}

/* "file:line: " of the innermost frame. */
static void trace_place_add(struct text *t)
{
    char place[VM_NAME_MAX + 32];
    const char *end = strstr(vm.trace, ": in ");
    if (end == NULL || (size_t)(end - vm.trace) >= sizeof(place))
        return;
    memcpy(place, vm.trace, (size_t)(end - vm.trace));
    place[end - vm.trace] = '\0';
    text_add_json(t, place);
    text_add(t, ": ");
}

/* What a call of a Lua function takes at least: endless recursion meets the memory limit before
 * Lua's own. */
enum { LEVEL_BYTES = 100 };

static void fatal_describe(struct text *t)
{
    unsigned long long memory = vm.start.memory;
    switch (vm.fatal) {
    case VM_FATAL_TIME:
        text_add(t,
                 "\"code\":\"ExecutionTimeout\",\"message\":\"the execution used more CPU time "
                 "than its limit "
                 "of %llu ms\",\"details\":{\"limit\":\"cpuTimeMs\",\"limitMs\":%llu}",
                 (unsigned long long)vm.start.cpu_us / 1000,
                 (unsigned long long)vm.start.cpu_us / 1000);
        break;
    case VM_FATAL_MEMORY:
        if ((uint64_t)vm.depth * LEVEL_BYTES > memory / 4) {
            text_add(t, "\"code\":\"ExecutionFailed\",\"message\":\"");
            trace_place_add(t);
            text_add(t,
                     "stack overflow, %d calls deep: does a function call itself without "
                     "end?\",\"details\":"
                     "{\"limit\":\"memory\",\"limitBytes\":%llu,\"peakBytes\":%llu}",
                     vm.depth, memory, (unsigned long long)arena_peak());
            break;
        }
        text_add(
            t,
            "\"code\":\"ResourceExhausted\",\"message\":\"the execution needs more memory than its "
            "limit of "
            "%llu "
            "bytes\",\"details\":{\"limit\":\"memory\",\"limitBytes\":%llu,\"peakBytes\":%llu}",
            memory, memory, (unsigned long long)arena_peak());
        break;
    case VM_FATAL_CANCELLED:
        text_add(
            t, "\"code\":\"Cancelled\",\"message\":\"the execution was cancelled\",\"details\":{}");
        break;
    default:
        text_add(t,
                 "\"code\":\"ResourceExhausted\",\"message\":\"the execution exceeded its limit %s "
                 "= %llu\","
                 "\"details\":{\"limit\":\"%s\",\"max\":%llu}",
                 vm.limit, (unsigned long long)vm.limit_value, vm.limit,
                 (unsigned long long)vm.limit_value);
    }
}

/* Needs no memory: there may be none. */
static void failure_send_fatal(void)
{
    static char out[2 * VM_TRACE_MAX + 1024];
    uint8_t stats[WIRE_STATS_SIZE];
    struct text t = {out, out + sizeof(out) - 8};
    text_add(&t, "{");
    fatal_describe(&t);
    text_add(&t, ",\"retryable\":false,\"traceback\":\"");
    text_add_json(&t, vm.trace);
    t.end = out + sizeof(out);
    text_add(&t, "\"}");
    vm_stats_write(stats);
    executor_send(WIRE_FAILURE, 0, 0, stats, sizeof(stats), out, (size_t)(t.at - out));
}

/* Codes that an error object keeps; any other error is an ExecutionFailed. */
static bool failure_code_known(const char *code)
{
    static const char *const codes[] = {"ExecutionFailed",
                                        "ExecutionTimeout",
                                        "ChainExecutionFailed",
                                        "ResourceExhausted",
                                        "InvalidInput",
                                        "InvalidSkill",
                                        "Cancelled",
                                        "CapabilityDenied",
                                        "ModelFailed",
                                        "HttpFailed",
                                        "AddressDenied",
                                        "ReplayDiverged",
                                        "AgentNotFound",
                                        "VersionNotFound",
                                        "SkillNotFound",
                                        "AgentAccessDenied",
                                        "InsufficientPermissions",
                                        "VisibilityViolation",
                                        "OrganizationLimitExceeded",
                                        "InvalidState",
                                        "TooManyRequests",
                                        "InvalidRequest",
                                        "ServiceUnavailable",
                                        "InternalError",
                                        "WaitTimeout",
                                        "OutcomeUnknown"};
    for (size_t i = 0; i < countof(codes); i++)
        if (strcmp(codes[i], code) == 0)
            return true;
    return false;
}

/* Pushes the raw field of the table at idx when it has the type, or nil. */
static bool failure_field(lua_State *L, int idx, const char *name, int type)
{
    lua_pushstring(L, name);
    if (lua_rawget(L, idx) == type)
        return true;
    lua_pop(L, 1);
    lua_pushnil(L);
    return false;
}

/* Stack: 1 error, 2 the failure to fill, 3 its details. */
static void failure_from_table(lua_State *L)
{
    vm_thaw(L, 1);
    if (failure_field(L, 1, "details", LUA_TTABLE)) {
        for (lua_pushnil(L); lua_next(L, 4); lua_pop(L, 1))
            if (lua_type(L, -2) == LUA_TSTRING) {
                lua_pushvalue(L, -2);
                lua_pushvalue(L, -2);
                lua_rawset(L, 3);
            }
    }
    lua_settop(L, 3);
    if (failure_field(L, 1, "code", LUA_TSTRING))
        lua_setfield(L, failure_code_known(lua_tostring(L, -1)) ? 2 : 3, "code");
    lua_settop(L, 3);
    if (failure_field(L, 1, "retryable", LUA_TBOOLEAN))
        lua_setfield(L, 2, "retryable");
    lua_settop(L, 3);
    failure_field(L, 1, "message", LUA_TSTRING);
}

/* 1 error, 2 code for plain errors; pushes the text in vm.out. Protected: may run a __tostring. */
static int failure_encode(lua_State *L)
{
    size_t len;
    lua_createtable(L, 0, 5);
    lua_insert(L, 2); /* error, failure, code */
    lua_setfield(L, 2, "code");
    lua_pushboolean(L, 0);
    lua_setfield(L, 2, "retryable");
    lua_newtable(L); /* error, failure, details */
    lua_pushnil(L);  /* and message */
    if (lua_istable(L, 1)) {
        lua_pop(L, 1);
        failure_from_table(L);
    }
    if (lua_isnil(L, 4) && lua_isnil(L, 1)) {
        lua_pushliteral(L, "the skill raised an error without a value (nil)");
    } else if (lua_isnil(L, 4)) {
        const char *s = vm_tostring(L, 1, &len);
        vm_text_push(L, s, len);
    }
    lua_setfield(L, 2, "message");
    lua_settop(L, 3);
    lua_setfield(L, 2, "details");
    lua_pushstring(L, vm.trace);
    lua_setfield(L, 2, "traceback");
    vm_bytes_reset(L, &vm.out);
    vm_json_encode(L, 2, "error", VM_JSON_LENIENT);
    return 0;
}

/* Also when the error's own code fails: then less is said. */
void vm_failure_send_as(lua_State *L, const char *code)
{
    uint8_t stats[WIRE_STATS_SIZE];
    for (int attempt = 0; vm.fatal == VM_FATAL_NONE && attempt < 2; attempt++) {
        int error = lua_gettop(L);
        lua_pushcfunction(L, failure_encode);
        lua_pushvalue(L, error);
        lua_pushstring(L, code);
        int status = lua_pcall(L, 2, 0, 0);
        if (status == LUA_OK && vm.out.len <= vm.start.output_max) {
            vm_stats_write(stats);
            executor_send(WIRE_FAILURE, 0, 0, stats, sizeof(stats), vm.out.data, vm.out.len);
            return;
        }
        if (status == LUA_OK)
            lua_pushliteral(L, "(the error is larger than an output may be)");
        else
            lua_pushliteral(L, "(the error is a table whose __tostring fails)");
        if (status == LUA_ERRMEM)
            vm.fatal = VM_FATAL_MEMORY;
    }
    if (vm.fatal == VM_FATAL_NONE) {
        vm.fatal = VM_FATAL_LIMIT;
        vm.limit = "outputBytes";
        vm.limit_value = vm.start.output_max;
    }
    failure_send_fatal();
}

void vm_failure_send(lua_State *L)
{
    vm_failure_send_as(L, "ExecutionFailed");
}
