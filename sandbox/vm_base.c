/* The globals that skills have, read-only views of host tables, and tostring without addresses. */
#include <string.h>

#include "sandbox/vm-private.h"

/* ---- read-only views ------------------------------------------------------------------------- */
/* A view is an empty table whose metatable leads to the real one; its key cannot be made in Lua. */

static const char frozen_key;

static int frozen_newindex(lua_State *L)
{
    return luaL_error(L, "this table is read-only: cannot set field '%s'", vm_tostring(L, 2, NULL));
}

static int frozen_len(lua_State *L)
{
    vm_thaw(L, 1);
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 1));
    return 1;
}

/* Pushes the real table when the value at idx is a view. */
static bool frozen_push(lua_State *L, int idx)
{
    if (!lua_istable(L, idx) || !lua_getmetatable(L, idx))
        return false;
    bool is = lua_rawgetp(L, -1, &frozen_key) == LUA_TTABLE;
    lua_remove(L, -2);
    if (!is)
        lua_pop(L, 1);
    return is;
}

bool vm_frozen(lua_State *L, int idx)
{
    bool is = frozen_push(L, idx);
    if (is)
        lua_pop(L, 1);
    return is;
}

void vm_thaw(lua_State *L, int idx)
{
    idx = lua_absindex(L, idx);
    if (frozen_push(L, idx))
        lua_replace(L, idx);
}

void vm_freeze(lua_State *L, bool deep)
{
    luaL_checkstack(L, 6, NULL);
    if (deep) {
        for (lua_pushnil(L); lua_next(L, -2);) { /* real, key, value */
            if (!lua_istable(L, -1) || vm_frozen(L, -1)) {
                lua_pop(L, 1);
                continue;
            }
            vm_freeze(L, true);
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, -4); /* an existing key: the walk may go on */
        }
    }
    lua_newtable(L);
    lua_createtable(L, 0, 5); /* real, view, metatable */
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, -3);
    lua_rawsetp(L, -2, &frozen_key);
    lua_pushcfunction(L, frozen_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, frozen_len);
    lua_setfield(L, -2, "__len");
    lua_pushliteral(L, "read-only");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}

/* ---- tostring -------------------------------------------------------------------------------- */

static void object_push(lua_State *L, int idx)
{
    vm_slot_push(L, VM_SLOT_IDS);
    lua_pushvalue(L, idx);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushinteger(L, (lua_Integer)++vm.ids);
        lua_pushvalue(L, idx);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    } /* ids, number */
    bool named = luaL_getmetafield(L, idx, "__name") == LUA_TSTRING;
    const char *kind = named ? lua_tostring(L, -1) : luaL_typename(L, idx);
    lua_pushfstring(L, "%s#%I", kind, lua_tointeger(L, named ? -2 : -1));
    lua_replace(L, -(named ? 4 : 3));
    lua_pop(L, named ? 2 : 1);
}

const char *vm_tostring(lua_State *L, int idx, size_t *len_r)
{
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 8, NULL);
    if (luaL_callmeta(L, idx, "__tostring")) {
        if (!lua_isstring(L, -1))
            luaL_error(L, "'__tostring' must return a string");
        return lua_tolstring(L, -1, len_r);
    }
    switch (lua_type(L, idx)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TSTRING:
        return luaL_tolstring(L, idx, len_r);
    case LUA_TLIGHTUSERDATA:
        lua_pushliteral(L, "null");
        break;
    default:
        object_push(L, idx);
    }
    return lua_tolstring(L, -1, len_r);
}

static int base_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    vm_tostring(L, 1, NULL);
    return 1;
}

/* ---- pcall, xpcall --------------------------------------------------------------------------- */

static int pcall_done(lua_State *L, int status, lua_KContext extra)
{
    if (status != LUA_OK && status != LUA_YIELD) {
        vm_fatal_check(L, status);
        lua_pushboolean(L, 0);
        lua_pushvalue(L, -2);
        return 2;
    }
    return lua_gettop(L) - (int)extra;
}

static int base_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1); /* true, function, arguments … */
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, pcall_done);
    return pcall_done(L, status, 0);
}

/* Stands before a skill's message handler, which must not see what cannot be caught. */
static int xpcall_handler(lua_State *L)
{
    if (vm.fatal != VM_FATAL_NONE)
        return 1;
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

static int base_xpcall(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, xpcall_handler, 1);
    lua_replace(L, 2);
    int n = lua_gettop(L);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2); /* function, handler, true, function, arguments … */
    int status = lua_pcallk(L, n - 2, LUA_MULTRET, 2, 2, pcall_done);
    return pcall_done(L, status, 2);
}

/* ---- metatables and raw access --------------------------------------------------------------- */

/* Skills do not see the mark of arrays. */
static int base_getmetatable(lua_State *L)
{
    luaL_checkany(L, 1);
    if (vm_marked(L, 1, VM_SLOT_ARRAY) || !lua_getmetatable(L, 1)) {
        lua_pushnil(L);
        return 1;
    }
    luaL_getmetafield(L, 1, "__metatable");
    return 1; /* the field, or the metatable below it: luaL_getmetafield pushes nothing for nil */
}

static int base_setmetatable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    int type = lua_type(L, 2);
    luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
    lua_settop(L, 2);
    if (!vm_marked(L, 1, VM_SLOT_ARRAY) && luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    if (type == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "setmetatable: __gc is not available (no finalizers in skills); "
                                 "use a local variable with <close>");
        lua_pop(L, 1);
    }
    lua_setmetatable(L, 1);
    return 1;
}

static int base_rawget(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    vm_thaw(L, 1);
    lua_rawget(L, 1);
    return 1;
}

static int base_rawset(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    luaL_checkany(L, 3);
    lua_settop(L, 3);
    if (vm_frozen(L, 1))
        return frozen_newindex(L);
    lua_rawset(L, 1);
    return 1;
}

static int base_rawlen(lua_State *L)
{
    int type = lua_type(L, 1);
    luaL_argexpected(L, type == LUA_TTABLE || type == LUA_TSTRING, 1, "table or string");
    vm_thaw(L, 1);
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 1));
    return 1;
}

/* ---- the table of globals -------------------------------------------------------------------- */

/* Lua's own that are taken as they are. What is in neither list does not exist. */
static const char *const base_kept[] = {"assert", "error",    "ipairs", "rawequal",
                                        "select", "tonumber", "type",   "_VERSION"};
static const luaL_Reg base_own[] = {{"getmetatable", base_getmetatable},
                                    {"next", vm_keys_next},
                                    {"pairs", vm_keys_pairs},
                                    {"pcall", base_pcall},
                                    {"print", vm_notice_print},
                                    {"rawget", base_rawget},
                                    {"rawlen", base_rawlen},
                                    {"rawset", base_rawset},
                                    {"setmetatable", base_setmetatable},
                                    {"tostring", base_tostring},
                                    {"xpcall", base_xpcall},
                                    {NULL, NULL}};

static void utf8_open(lua_State *L, int globals)
{
    luaopen_utf8(L);
    vm_freeze(L, false);
    lua_setfield(L, globals, "utf8");
}

void vm_base_open(lua_State *L, int globals)
{
    luaopen_base(L); /* fills the table that lua_load would give to chunks, and pushes it */
    for (size_t i = 0; i < countof(base_kept); i++) {
        lua_getfield(L, -1, base_kept[i]);
        lua_setfield(L, globals, base_kept[i]);
    }
    lua_pop(L, 1);
    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pushvalue(L, globals);
    luaL_setfuncs(L, base_own, 0);
    lua_pop(L, 1);
    utf8_open(L, globals);
}
