/* The state: made once in the zygote, run once in each executor. It takes 20 KiB; made in each
 * executor instead it cost 100 to 200 µs and 31 page faults more. What is shared by that is the
 * hash seed, with which a skill can slow down nobody but itself. */
#include <stdio.h>
#include <string.h>

#include "sandbox/vm-private.h"

struct vm vm;

void vm_slot_push(lua_State *L, enum vm_slot slot)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, VM_SLOT(slot));
}

void vm_mark(lua_State *L, enum vm_slot slot)
{
    vm_slot_push(L, slot);
    lua_setmetatable(L, -2);
}

bool vm_marked(lua_State *L, int idx, enum vm_slot slot)
{
    if (!lua_istable(L, idx) || !lua_getmetatable(L, idx))
        return false;
    vm_slot_push(L, slot);
    bool marked = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return marked;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

enum { BYTES_KEPT = 16 << 10 };

static bool bytes_resize(lua_State *L, struct vm_bytes *b, size_t cap)
{
    void *ud;
    lua_Alloc alloc = lua_getallocf(L, &ud);
    char *data = alloc(ud, b->data, b->cap, cap);
    if (data == NULL && cap > 0)
        return false;
    b->data = data;
    b->cap = cap;
    return true;
}

void vm_bytes_reserve(lua_State *L, struct vm_bytes *b, size_t n)
{
    if (b->data != NULL && b->cap - b->len >= n)
        return;
    size_t cap = b->cap < 256 ? 256 : b->cap;
    while (cap - b->len < n)
        cap += cap / 2;
    if (bytes_resize(L, b, cap) || bytes_resize(L, b, b->len + n))
        return;
    lua_gc(L, LUA_GCCOLLECT);
    if (!bytes_resize(L, b, b->len + n))
        vm_fatal_raise(L, VM_FATAL_MEMORY);
}

void vm_bytes_put(lua_State *L, struct vm_bytes *b, const void *data, size_t len)
{
    if (len == 0)
        return;
    vm_bytes_reserve(L, b, len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void vm_bytes_char(lua_State *L, struct vm_bytes *b, char c)
{
    vm_bytes_put(L, b, &c, 1);
}

void vm_bytes_reset(lua_State *L, struct vm_bytes *b)
{
    b->len = 0;
    if (b->cap > BYTES_KEPT)
        bytes_resize(L, b, 0);
    if (b->cap == 0)
        b->data = NULL;
}

/* ---- the state ------------------------------------------------------------------------------- */

static int vm_panic(lua_State *L)
{
    (void)L;
    return 0; /* Lua aborts: nothing here runs unprotected */
}

static void slot_table(lua_State *L, enum vm_slot slot, const char *mode)
{
    lua_newtable(L);
    if (mode != NULL) {
        lua_newtable(L);
        lua_pushstring(L, mode);
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
    }
    lua_rawseti(L, LUA_REGISTRYINDEX, VM_SLOT(slot));
}

static void environment_open(lua_State *L, int globals)
{
    lua_newtable(L);
    lua_pushvalue(L, globals);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "environment");
    lua_setfield(L, -2, "__metatable");
    lua_rawseti(L, LUA_REGISTRYINDEX, VM_SLOT(VM_SLOT_ENVIRONMENT));
}

static int vm_open(lua_State *L)
{
    static const enum vm_slot tables[] = {VM_SLOT_SKILLS,  VM_SLOT_CONTEXT, VM_SLOT_ANSWERS,
                                          VM_SLOT_STREAMS, VM_SLOT_NEXT,    VM_SLOT_CAUSE};
    for (size_t i = 0; i < countof(tables); i++)
        slot_table(L, tables[i], NULL);
    slot_table(L, VM_SLOT_IDS, "k");
    lua_newtable(L);
    int globals = lua_gettop(L);
    environment_open(L, globals);
    vm_json_open(L);
    vm_error_open(L);
    vm_base_open(L, globals);
    vm_coroutine_open(L, globals);
    vm_table_open(L, globals);
    vm_string_open(L, globals);
    vm_random_open(L, globals);
    vm_c9_open(L, globals);
    lua_rawseti(L, LUA_REGISTRYINDEX, VM_SLOT(VM_SLOT_GLOBALS));
    return 0;
}

lua_State *vm_new(void)
{
    memset(&vm, 0, sizeof(vm));
    lua_State *L = lua_newstate(arena_realloc, NULL);
    if (L == NULL) {
        fputs("no memory for the Lua state\n", stderr);
        return NULL;
    }
    lua_atpanic(L, vm_panic);
    memset(lua_getextraspace(L), 0, LUA_EXTRASPACE);
    vm.main = vm.running = L;
    vm.ready_end = &vm.ready;
    lua_pushcfunction(L, vm_open);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
        fprintf(stderr, "the Lua state cannot be prepared: %s\n", lua_tostring(L, -1));
        lua_close(L);
        return NULL;
    }
    lua_settop(L, 0);
    /* The first collection marks, and so copies, every inherited page: let it come only when ten
     * times as much is in use. */
    lua_gc(L, LUA_GCINC, 1000, 0, 0);
    lua_gc(L, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCINC, 200, 0, 0);
    return L;
}

lua_State *vm_running(void)
{
    return vm.running;
}

/* ---- one execution --------------------------------------------------------------------------- */

static void payload_read(lua_State *L, const struct wire_header *header)
{
    vm_bytes_reset(L, &vm.in);
    vm_bytes_reserve(L, &vm.in, (size_t)header->length + 1);
    executor_read(vm.in.data, header->length);
    vm.in.len = header->length;
}

static void skill_keep(lua_State *L, const struct wire_header *header)
{
    payload_read(L, header);
    const uint8_t *data = (const uint8_t *)vm.in.data;
    size_t name_len = vm.in.len < 2 ? 0 : (size_t)data[0] | (size_t)data[1] << 8;
    if (name_len == 0 || name_len > VM_NAME_MAX || vm.in.len - 2 < name_len)
        vm_error_raise(L, "InternalError", "a SKILL frame has a name of %d bytes", (int)name_len);
    vm_slot_push(L, VM_SLOT_SKILLS);
    lua_pushlstring(L, vm.in.data + 2, name_len);
    if (vm.entry[0] == '\0')
        memcpy(vm.entry, vm.in.data + 2, name_len);
    lua_pushlstring(L, vm.in.data + 2 + name_len, vm.in.len - 2 - name_len);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* Removes the members that are null from the table on top and all below it. */
static void context_strip(lua_State *L)
{
    luaL_checkstack(L, 6, NULL);
    for (lua_pushnil(L); lua_next(L, -2);) { /* table, key, value */
        bool null = lua_islightuserdata(L, -1) && lua_type(L, -2) == LUA_TSTRING;
        if (lua_istable(L, -1))
            context_strip(L);
        lua_pop(L, 1);
        if (null) {
            lua_pushvalue(L, -1);
            lua_pushnil(L);
            lua_rawset(L, -4);
        }
    }
}

/* Pushes input and context of the RUN frame. */
static void run_decode(lua_State *L, const struct wire_header *header)
{
    size_t at;
    payload_read(L, header);
    const char *why = vm_json_decode(L, vm.in.data, vm.in.len, &at);
    if (why != NULL || !lua_istable(L, -1))
        vm_error_raise(L, "InternalError", "the RUN frame does not decode: %s (byte %d)",
                       why != NULL ? why : "not an object", (int)at);
    vm_bytes_reset(L, &vm.in);
    lua_getfield(L, -1, "input");
    if (lua_getfield(L, -2, "context") != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
    }
    lua_remove(L, -3);
    context_strip(L);
    vm_freeze(L, true);
    lua_pushvalue(L, -1);
    lua_rawseti(L, LUA_REGISTRYINDEX, VM_SLOT(VM_SLOT_CONTEXT));
}

/* Reads SKILL and RUN frames; leaves input, context. */
static int execution_receive(lua_State *L)
{
    for (;;) {
        struct wire_header header;
        executor_receive(&header);
        if (header.type == WIRE_CANCEL)
            vm_fatal_raise(L, VM_FATAL_CANCELLED);
        if (header.type == WIRE_RUN)
            return run_decode(L, &header), 2;
        if (header.type != WIRE_SKILL)
            vm_error_raise(L, "InternalError", "frame of type %d before RUN", header.type);
        skill_keep(L, &header);
    }
}

static int result_encode(lua_State *L)
{
    vm_bytes_reset(L, &vm.out);
    vm_json_encode(L, 1, "output", 0);
    if (vm.out.len > vm.start.output_max)
        vm_error_raise_limit(L, "outputBytes", vm.start.output_max,
                             "the output has %I bytes, more than outputBytes = %I",
                             (lua_Integer)vm.out.len, (lua_Integer)vm.start.output_max);
    return 0;
}

/* Sends the value on top; or says why it cannot be sent. */
static void result_send(lua_State *L)
{
    uint8_t stats[WIRE_STATS_SIZE];
    lua_pushcfunction(L, result_encode);
    lua_insert(L, -2);
    vm.trace[0] = '\0'; /* no code runs any more: there is no place to show */
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        vm_failure_send(L);
        return;
    }
    vm_stats_write(stats);
    executor_send(WIRE_RESULT, 0, 0, stats, sizeof(stats), vm.out.data, vm.out.len);
}

/* input, context → output, by way of the entry skill. */
static void execution_run(lua_State *L)
{
    if (vm_skill_load(L, vm.entry) != LUA_OK) {
        vm_failure_send_as(L, "InvalidSkill");
        return;
    }
    if (lua_getfield(L, -1, "run") != LUA_TFUNCTION) {
        lua_pushfstring(L, "%s.lua: the skill's table has no function run", vm.entry);
        vm_failure_send_as(L, "InvalidSkill");
        return;
    }
    lua_remove(L, -2);
    lua_insert(L, 1); /* run, input, context */
    if (vm_task_main(L, 2) != LUA_OK)
        vm_failure_send(L);
    else
        result_send(L);
}

static void execution_describe(lua_State *L)
{
    lua_settop(L, 0);
    lua_pushcfunction(L, vm_skill_describe);
    vm_slot_push(L, VM_SLOT_SKILLS);
    lua_getfield(L, -1, vm.entry); /* describe, skills, source */
    lua_replace(L, -2);
    if (vm_skill_load(L, vm.entry) != LUA_OK) {
        vm_failure_send_as(L, "InvalidSkill");
        return;
    }
    lua_insert(L, -2);
    lua_pushstring(L, vm.entry);
    lua_insert(L, -2); /* describe, skill, name, source */
    if (lua_pcall(L, 3, 1, 0) != LUA_OK)
        vm_failure_send_as(L, "InvalidSkill");
    else
        result_send(L);
}

void vm_execute(lua_State *L, const struct wire_start *start)
{
    vm.start = *start;
    vm_random_seed(start->seed);
    lua_settop(L, 0);
    lua_pushcfunction(L, execution_receive);
    if (lua_pcall(L, 0, LUA_MULTRET, 0) != LUA_OK)
        vm_failure_send(L);
    else if (start->mode == WIRE_MODE_DESCRIBE)
        execution_describe(L);
    else
        execution_run(L);
}
