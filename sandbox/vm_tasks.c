/* Tasks and effects. A task is a coroutine that the scheduler resumes; the skill's run is the
 * first, c9.all starts more. An effect sends its request and, if the coroutine can, yields to the
 * scheduler until the answer is there; where it cannot (in a sort's order function, a metamethod in
 * C …) it reads frames on the spot and keeps the answers of others. Frames are read only when
 * nothing can run, so the order of answers is the only thing that decides the order of execution.
 */
#include <string.h>

#include "sandbox/vm-private.h"

struct group;

struct vm_task {
    struct vm_task *next; /* in vm.ready or vm.waiting */
    lua_State *co;
    struct group *group; /* NULL: the first task */
    lua_Integer index;
    uint64_t request; /* it waits for its answer; 0: for room to ask */
    int nargs;        /* on co, for its next resume */
};

/* What one c9.all waits for; a userdata on its caller's stack, whose user values hold: */
struct group {
    lua_Integer n, remaining;
    struct vm_task *waiter;
    struct vm_task tasks[];
};
enum { GROUP_COROUTINES = 1, GROUP_RESULTS, GROUP_ERRORS, GROUP_VALUES = GROUP_ERRORS };

static struct vm_task first; /* and how it ended: */
static int first_status, first_results;

static void ready_push(struct vm_task *task)
{
    task->next = NULL;
    *vm.ready_end = task;
    vm.ready_end = &task->next;
}

static struct vm_task *ready_pop(void)
{
    struct vm_task *task = vm.ready;
    if (task != NULL && (vm.ready = task->next) == NULL)
        vm.ready_end = &vm.ready;
    return task;
}

/* Makes the first task ready that waits for this. */
static void waiting_wake(uint64_t request)
{
    for (struct vm_task **at = &vm.waiting; *at != NULL; at = &(*at)->next)
        if ((*at)->request == request) {
            struct vm_task *task = *at;
            *at = task->next;
            ready_push(task);
            return;
        }
}

static void waiting_push(struct vm_task *task, uint64_t request)
{
    struct vm_task **end = &vm.waiting;
    while (*end != NULL)
        end = &(*end)->next;
    task->request = request;
    task->next = NULL;
    *end = task;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void frame_answer(lua_State *L, const struct wire_header *header)
{
    size_t at;
    luaL_checkstack(L, 8, NULL);
    vm_slot_push(L, VM_SLOT_ANSWERS);
    const char *why = vm_json_decode(L, vm.in.data, vm.in.len, &at);
    if (why != NULL)
        vm_error_raise(L, "InternalError", "the answer to request %I does not decode: %s (byte %I)",
                       (lua_Integer)header->id, why, (lua_Integer)at);
    if ((header->flags & WIRE_FLAG_ERROR) && lua_istable(L, -1))
        vm_mark(L, VM_SLOT_ERROR);
    lua_rawseti(L, -2, (lua_Integer)header->id);
    lua_pop(L, 1);
    vm.pending--;
    waiting_wake(header->id);
    waiting_wake(0);
}

static void frame_delta(lua_State *L, const struct wire_header *header)
{
    lua_Integer id = (lua_Integer)header->id;
    luaL_checkstack(L, 8, NULL);
    vm_slot_push(L, VM_SLOT_STREAMS);
    if (lua_rawgeti(L, -1, id) != LUA_TFUNCTION) { /* none, or it failed already */
        lua_pop(L, 2);
        return;
    }
    lua_pushlstring(L, vm.in.data, vm.in.len);
    vm.streaming = true;
    int status = lua_pcall(L, 1, 0, 0);
    vm.streaming = false;
    if (status != LUA_OK) { /* raised when the answer is there */
        vm_fatal_check(L, status);
        lua_createtable(L, 1, 0);
        lua_insert(L, -2);
        lua_rawseti(L, -2, 1);
        lua_rawseti(L, -2, id);
    }
    lua_pop(L, 1);
}

static void frame_cancel(lua_State *L, const struct wire_header *header)
{
    (void)header;
    vm_fatal_raise(L, VM_FATAL_CANCELLED);
}

/* Frames are read only when nothing can run: to have come to this one is the answer. */
static void frame_yield(lua_State *L, const struct wire_header *header)
{
    (void)L, (void)header;
    executor_send(WIRE_IDLE, 0, 0, NULL, 0, NULL, 0);
}

static void frame_next(lua_State *L)
{
    static void (*const handlers[WIRE_TYPE_COUNT_])(lua_State *, const struct wire_header *) = {
        [WIRE_ANSWER] = frame_answer,
        [WIRE_DELTA] = frame_delta,
        [WIRE_CANCEL] = frame_cancel,
        [WIRE_YIELD] = frame_yield};
    struct wire_header header;
    executor_receive(&header);
    vm_bytes_reset(L, &vm.in);
    vm_bytes_reserve(L, &vm.in, header.length);
    executor_read(vm.in.data, header.length);
    vm.in.len = header.length;
    if (header.type >= WIRE_TYPE_COUNT_ || handlers[header.type] == NULL)
        vm_error_raise(L, "InternalError", "frame of type %d where an answer is expected",
                       header.type);
    handlers[header.type](L, &header);
}

/* ---- the scheduler --------------------------------------------------------------------------- */

/* A task failed with the error on top of it: runs the __close handlers of what it left open, as
 * pcall would, and gives the status, which they may change, as the error. The traceback is taken
 * before, on vm.trace. */
static int task_unwind(lua_State *L, struct vm_task *task)
{
    vm_trace_write(task->co, 0, vm.trace, sizeof(vm.trace));
    int status = vm_coroutine_reset(task->co);
    if (status != LUA_OK)
        vm_fatal_check(L, status);
    return status;
}

/* The task's coroutine ended. Its results or its error are on top of it. */
static void task_done(lua_State *L, struct vm_task *task, int status, int nres)
{
    struct group *group = task->group;
    if (group == NULL) {
        first_status = status;
        first_results = nres;
        return;
    }
    /* The group is on its caller's stack; its tables are found by way of the registry. */
    lua_rawgetp(L, LUA_REGISTRYINDEX, group);
    lua_getiuservalue(L, -1, status == LUA_OK ? GROUP_RESULTS : GROUP_ERRORS); /* group, values */
    if (status == LUA_OK && nres > 1)
        lua_pop(task->co, nres - 1);
    if (status == LUA_OK && nres == 0)
        lua_pushnil(L);
    else
        lua_xmove(task->co, L, 1);
    if (status == LUA_OK && lua_isnil(L, -1)) {
        lua_pushlightuserdata(L, NULL); /* c9.null keeps the place */
        lua_replace(L, -2);
    } else if (status != LUA_OK) {
        lua_createtable(L, 2, 0); /* the error may be nil */
        lua_insert(L, -2);
        lua_rawseti(L, -2, 1);
        lua_pushstring(L, vm.trace);
        lua_rawseti(L, -2, 2);
    }
    lua_rawseti(L, -2, task->index);
    lua_pop(L, 2);
    if (--group->remaining == 0 && group->waiter != NULL)
        ready_push(group->waiter);
}

static void task_run(lua_State *L, struct vm_task *task)
{
    struct vm_task *outer = vm.task;
    int nres = 0, nargs = task->nargs;
    task->nargs = 0;
    luaL_checkstack(L, 8, NULL);
    vm.task = task;
    int status = vm_resume(L, task->co, nargs, &nres, true);
    vm.task = outer;
    if (status == LUA_YIELD) /* it stands in a list, or its group will wake it */
        return;
    if (status == LUA_ERRMEM && vm.fatal == VM_FATAL_NONE) {
        vm.fatal = VM_FATAL_MEMORY;
        vm.depth = vm_trace_depth(task->co);
        vm_trace_write(task->co, 0, vm.trace, sizeof(vm.trace));
    }
    if (status != LUA_OK) {
        vm_fatal_check(L, status);
        status = task_unwind(L, task);
    }
    task_done(L, task, status, nres);
}

static void scheduler_step(lua_State *L)
{
    struct vm_task *task = ready_pop();
    if (task != NULL)
        task_run(L, task);
    else if (vm.pending > 0)
        frame_next(L);
    else
        vm_error_raise(L, "InternalError", "every task waits and nothing was asked for");
}

static int task_main(lua_State *L)
{
    lua_State *co = lua_newthread(L);
    int nargs = lua_gettop(L) - 1; /* function, arguments …, co */
    lua_insert(L, 1);
    lua_xmove(L, co, nargs);
    vm_coroutine_root(co);
    first = (struct vm_task){.co = co, .nargs = nargs - 1};
    first_status = LUA_YIELD;
    ready_push(&first);
    while (first_status == LUA_YIELD)
        scheduler_step(L);
    luaL_checkstack(L, 4, NULL);
    if (first_status == LUA_OK && first_results == 0)
        lua_pushnil(co);
    if (first_status == LUA_OK && first_results > 1)
        lua_pop(co, first_results - 1);
    lua_xmove(co, L, 1);
    return 1;
}

/* Behind the traceback on vm.trace, that of the c9.all function whose error this is. */
static void trace_cause(lua_State *L)
{
    vm_slot_push(L, VM_SLOT_CAUSE);
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    size_t len = strlen(vm.trace);
    if (lua_isstring(L, -1) && lua_rawequal(L, -2, -4)) {
        size_t n;
        const char *trace = lua_tolstring(L, -1, &n);
        static const char head[] = "\nin a function of c9.all:\n";
        if (len + sizeof(head) + n < sizeof(vm.trace)) {
            memcpy(vm.trace + len, head, sizeof(head) - 1);
            memcpy(vm.trace + len + sizeof(head) - 1, trace, n + 1);
        }
    }
    lua_pop(L, 3);
}

int vm_task_main(lua_State *L, int nargs)
{
    lua_pushcfunction(L, task_main);
    lua_insert(L, -(nargs + 2));
    int status = lua_pcall(L, nargs + 1, 1, 0);
    if (status == LUA_ERRMEM && vm.fatal == VM_FATAL_NONE)
        vm.fatal = VM_FATAL_MEMORY;
    if (status == LUA_OK && first_status != LUA_OK) {
        status = first_status;
        trace_cause(L);
    }
    return status;
}

/* ---- c9.all ---------------------------------------------------------------------------------- */

enum { ALL_FUNCTIONS = 1, ALL_AS_TABLE, ALL_GROUP }; /* stack of c9.all */

static void all_task_start(lua_State *L, struct group *group, lua_Integer i)
{
    struct vm_task *task = &group->tasks[i - 1];
    lua_getiuservalue(L, ALL_GROUP, GROUP_COROUTINES);
    lua_State *co = lua_newthread(L);
    lua_rawseti(L, -2, i);
    lua_pop(L, 1);
    vm_coroutine_root(co);
    if (lua_geti(L, ALL_FUNCTIONS, i) != LUA_TFUNCTION)
        luaL_error(L, "c9.all: item %I must be a function, got %s", i, luaL_typename(L, -1));
    lua_xmove(L, co, 1);
    *task = (struct vm_task){.co = co, .group = group, .index = i};
}

/* The error of the first function that failed, with its traceback kept for the report. */
static int all_failed(lua_State *L)
{
    vm_slot_push(L, VM_SLOT_CAUSE); /* … {error, trace}, cause */
    for (int i = 1; i <= 2; i++) {
        lua_rawgeti(L, -2, i);
        lua_rawseti(L, -2, i);
    }
    lua_rawgeti(L, -1, 1);
    return lua_error(L);
}

static int all_done(lua_State *L)
{
    struct group *group = lua_touserdata(L, ALL_GROUP);
    lua_settop(L, ALL_GROUP);
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, group);
    lua_getiuservalue(L, ALL_GROUP, GROUP_ERRORS);
    for (lua_Integer i = 1; i <= group->n; i++, lua_pop(L, 1))
        if (lua_rawgeti(L, -1, i) == LUA_TTABLE)
            return all_failed(L);
    lua_getiuservalue(L, ALL_GROUP, GROUP_RESULTS);
    if (lua_toboolean(L, ALL_AS_TABLE))
        return 1;
    luaL_checkstack(L, (int)group->n, "too many results");
    for (lua_Integer i = 1; i <= group->n; i++)
        lua_rawgeti(L, ALL_GROUP + 2, i);
    return (int)group->n;
}

static int all_done_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return all_done(L);
}

static void all_group_new(lua_State *L, lua_Integer n)
{
    struct group *group =
        lua_newuserdatauv(L, sizeof(*group) + (size_t)n * sizeof(group->tasks[0]), GROUP_VALUES);
    *group = (struct group){.n = n, .remaining = n};
    for (int i = 1; i <= GROUP_VALUES; i++) {
        lua_createtable(L, i == GROUP_ERRORS ? 0 : (int)n, 0);
        lua_setiuservalue(L, -2, i);
    }
    lua_getiuservalue(L, -1, GROUP_RESULTS);
    vm_mark(L, VM_SLOT_ARRAY);
    lua_pop(L, 1);
}

/* all{f, g} gives {results}, all(f, g) gives results. All run to their end; then the error of the
 * first that failed is raised. */
int vm_task_all(lua_State *L)
{
    bool as_table = !lua_isfunction(L, 1);
    if (as_table) {
        luaL_argexpected(L, lua_istable(L, 1) && lua_gettop(L) == 1, 1, "table of functions");
        vm_thaw(L, 1);
    } else {
        lua_createtable(L, lua_gettop(L), 0);
        lua_insert(L, 1);
        for (int i = lua_gettop(L) - 1; i >= 1; i--)
            lua_rawseti(L, 1, i);
    }
    if (vm.loading || vm.streaming)
        return luaL_error(L, "c9.all cannot be called %s",
                          vm.loading ? "while the skill's file is loaded; call it in run"
                                     : "in a stream function");
    lua_Integer n = luaL_len(L, 1);
    luaL_argcheck(L, n <= 100000, 1, "more than 100000 functions");
    lua_pushboolean(L, as_table);
    all_group_new(L, n); /* functions, as_table, group */
    struct group *group = lua_touserdata(L, ALL_GROUP);
    for (lua_Integer i = 1; i <= n; i++)
        all_task_start(L, group, i);
    lua_pushvalue(L, ALL_GROUP);
    lua_rawsetp(L, LUA_REGISTRYINDEX, group);
    for (lua_Integer i = 0; i < n; i++)
        ready_push(&group->tasks[i]);
    if (n > 0 && vm_can_wait(L)) {
        group->waiter = vm.task;
        return vm_wait(L, 0, all_done_k);
    }
    while (group->remaining > 0)
        scheduler_step(L);
    return all_done(L);
}

/* ---- effects --------------------------------------------------------------------------------- */

enum { EFFECT_STREAM = 1, EFFECT_REQUEST, EFFECT_KIND, EFFECT_DONE, EFFECT_TOP = EFFECT_DONE };

static int effect_take(lua_State *L, lua_Integer id)
{
    lua_settop(L, EFFECT_TOP);
    lua_pushvalue(L, EFFECT_DONE);
    vm_slot_push(L, VM_SLOT_STREAMS);
    if (lua_rawgeti(L, -1, id) == LUA_TTABLE) { /* the stream function raised an error: that one */
        lua_rawgeti(L, -1, 1);
        return lua_error(L);
    }
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_rawseti(L, -2, id);
    vm_slot_push(L, VM_SLOT_ANSWERS);
    lua_rawgeti(L, -1, id);
    lua_pushnil(L);
    lua_rawseti(L, -3, id); /* …, done, streams, answers, answer */
    if (vm_marked(L, -1, VM_SLOT_ERROR))
        return lua_error(L);
    lua_replace(L, -3);
    lua_pop(L, 1); /* …, done, answer */
    lua_call(L, 1, LUA_MULTRET);
    return lua_gettop(L) - EFFECT_TOP;
}

static int effect_answer_k(lua_State *L, int status, lua_KContext id)
{
    (void)status;
    return effect_take(L, (lua_Integer)id);
}

/* There is room: send, then wait for the answer. */
static int effect_send(lua_State *L)
{
    unsigned kind = (unsigned)lua_tointeger(L, EFFECT_KIND);
    uint8_t head[2] = {(uint8_t)kind, (uint8_t)(kind >> 8)};
    char what[64] = "c9.";
    strncat(what, wire_kind_name(kind), sizeof(what) - 8);
    vm_bytes_reset(L, &vm.out);
    vm_json_encode(L, EFFECT_REQUEST, what, 0);
    if (vm.out.len > vm.start.output_max)
        vm_error_raise_limit(L, "outputBytes", vm.start.output_max,
                             "%s: the request has more than outputBytes = %I bytes", what,
                             (lua_Integer)vm.start.output_max);
    if (vm.requests >= vm.start.requests_max)
        vm_limit_raise(L, "requests", vm.start.requests_max);
    lua_Integer id = (lua_Integer)++vm.requests;
    vm.pending++;
    if (lua_isfunction(L, EFFECT_STREAM)) {
        vm_slot_push(L, VM_SLOT_STREAMS);
        lua_pushvalue(L, EFFECT_STREAM);
        lua_rawseti(L, -2, id);
        lua_pop(L, 1);
    }
    executor_send(WIRE_REQUEST, 0, (uint64_t)id, head, sizeof(head), vm.out.data, vm.out.len);
    vm_bytes_reset(L, &vm.out);
    if (vm_can_wait(L)) {
        waiting_push(vm.task, (uint64_t)id);
        return vm_wait(L, (lua_KContext)id, effect_answer_k);
    }
    for (;;) {
        vm_slot_push(L, VM_SLOT_ANSWERS);
        bool there = lua_rawgeti(L, -1, id) != LUA_TNIL;
        lua_pop(L, 2);
        if (there)
            return effect_take(L, id);
        frame_next(L);
    }
}

static int effect_room_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lua_settop(L, EFFECT_TOP);
    if (vm.pending < vm.start.pending_max)
        return effect_send(L);
    if (vm_can_wait(L)) {
        waiting_push(vm.task, 0);
        return vm_wait(L, 0, effect_room_k);
    }
    while (vm.pending >= vm.start.pending_max)
        frame_next(L);
    return effect_send(L);
}

int vm_effect(lua_State *L, enum wire_kind kind, lua_CFunction done)
{
    if (vm.loading)
        return luaL_error(L,
                          "c9.%s cannot be called while the skill's file is loaded; call it in run",
                          wire_kind_name(kind));
    if (vm.streaming)
        return luaL_error(
            L, "c9.%s cannot be called in a stream function; collect, and call it afterwards",
            wire_kind_name(kind));
    lua_pushinteger(L, kind);
    lua_pushcfunction(L, done);
    lua_rotate(L, 1, EFFECT_TOP); /* stream, request, kind, done, the caller's own … */
    return effect_room_k(L, LUA_OK, 0);
}
