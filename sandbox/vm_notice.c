/* c9.log, c9.emit, print: what goes out without an answer, counted and bounded. */
#include <string.h>

#include "sandbox/vm-private.h"

enum { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR };

static void log_send(lua_State *L, int level, int message, int metadata)
{
    size_t len;
    const char *text = lua_tolstring(L, message, &len);
    uint8_t head[5] = {(uint8_t)level, (uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16),
                       (uint8_t)(len >> 24)};
    vm_bytes_reset(L, &vm.out);
    vm_bytes_put(L, &vm.out, head, sizeof(head));
    vm_bytes_put(L, &vm.out, text, len);
    if (!lua_isnil(L, metadata))
        vm_json_encode(L, metadata, "metadata", VM_JSON_LENIENT);
    vm.log_bytes += vm.out.len;
    if (++vm.logs > vm.start.log_count_max)
        vm_limit_raise(L, "logCount", vm.start.log_count_max);
    if (vm.log_bytes > vm.start.log_bytes_max)
        vm_limit_raise(L, "logBytes", vm.start.log_bytes_max);
    executor_send(WIRE_LOG, 0, ++vm.notices, vm.out.data, vm.out.len, NULL, 0);
    vm_bytes_reset(L, &vm.out);
}

/* Pushes the text of the value at idx, well-formed: tables as JSON unless they have a __tostring.
 */
static void log_text_push(lua_State *L, int idx)
{
    size_t len;
    if (lua_istable(L, idx) && luaL_getmetafield(L, idx, "__tostring") == LUA_TNIL) {
        vm_bytes_reset(L, &vm.out);
        vm_json_encode(L, idx, "message", VM_JSON_LENIENT);
        lua_pushlstring(L, vm.out.data, vm.out.len);
        vm_bytes_reset(L, &vm.out);
        return;
    }
    if (lua_istable(L, idx))
        lua_pop(L, 1);
    const char *s = vm_tostring(L, idx, &len);
    vm_text_push(L, s, len);
    lua_remove(L, -2);
}

/* Whether the value at idx is a table of string keys: metadata, not text. */
static bool log_is_metadata(lua_State *L, int idx)
{
    int top = lua_gettop(L);
    if (!lua_istable(L, idx) || vm_marked(L, idx, VM_SLOT_ERROR))
        return false;
    lua_pushvalue(L, idx);
    vm_thaw(L, -1);
    lua_pushnil(L);
    bool is = lua_next(L, -2) && lua_type(L, -2) == LUA_TSTRING;
    lua_settop(L, top);
    return is;
}

static void log_metadata_merge(lua_State *L, int from, int to)
{
    lua_pushvalue(L, from);
    vm_thaw(L, -1);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, to);
    }
    lua_pop(L, 1);
}

/* message, …: tables with string keys are metadata, everything else belongs to the message. */
static int notice_log(lua_State *L, int level)
{
    int n = lua_gettop(L);
    luaL_checkany(L, 1);
    luaL_checkstack(L, 10, NULL);
    if (vm.start.mode == WIRE_MODE_DESCRIBE) /* nobody reads a log of that */
        return 0;
    log_text_push(L, 1);
    lua_pushnil(L); /* arguments …, message, metadata */
    for (int i = 2; i <= n; i++) {
        if (!log_is_metadata(L, i)) {
            lua_pushvalue(L, n + 1);
            lua_pushliteral(L, " ");
            log_text_push(L, i);
            lua_concat(L, 3);
            lua_replace(L, n + 1);
            continue;
        }
        if (lua_isnil(L, n + 2)) {
            lua_newtable(L);
            lua_replace(L, n + 2);
        }
        log_metadata_merge(L, i, n + 2);
    }
    log_send(L, level, n + 1, n + 2);
    return 0;
}

int vm_notice_debug(lua_State *L)
{
    return notice_log(L, LEVEL_DEBUG);
}

int vm_notice_info(lua_State *L)
{
    return notice_log(L, LEVEL_INFO);
}

int vm_notice_warn(lua_State *L)
{
    return notice_log(L, LEVEL_WARN);
}

int vm_notice_error(lua_State *L)
{
    return notice_log(L, LEVEL_ERROR);
}

int vm_notice_print(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_Buffer b;
    if (vm.start.mode == WIRE_MODE_DESCRIBE)
        return 0;
    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&b, '\t');
        vm_tostring(L, i, NULL);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    size_t len;
    const char *s = lua_tolstring(L, -1, &len);
    vm_text_push(L, s, len);
    lua_pushnil(L);
    log_send(L, LEVEL_INFO, lua_gettop(L) - 1, lua_gettop(L));
    return 0;
}

int vm_notice_emit(lua_State *L)
{
    luaL_checkany(L, 1);
    if (vm.loading)
        return luaL_error(
            L, "c9.emit cannot be called while the skill's file is loaded; call it in run");
    vm_bytes_reset(L, &vm.out);
    vm_json_encode(L, 1, "c9.emit: value", 0);
    if (vm.out.len > vm.start.output_max)
        vm_error_raise(L, "ResourceExhausted",
                       "c9.emit: the value has more than outputBytes = %I bytes",
                       (lua_Integer)vm.start.output_max);
    if (++vm.emits > vm.start.emit_count_max)
        vm_limit_raise(L, "emitCount", vm.start.emit_count_max);
    executor_send(WIRE_EMIT, 0, ++vm.notices, vm.out.data, vm.out.len, NULL, 0);
    vm_bytes_reset(L, &vm.out);
    return 0;
}
