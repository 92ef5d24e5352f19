/* string.*: Lua's own without dump; format shows no addresses, rep does no work for an empty
 * result. */
#include <string.h>

#include "sandbox/vm-private.h"

/* Calls the function below the top n values with them, for one result. Its errors would name no
 * place and no function, having been called from C: they get both. */
static int string_call(lua_State *L, int n, const char *name)
{
    int status = lua_pcall(L, n, 1, 0);
    if (status == LUA_OK)
        return 1;
    vm_fatal_check(L, status);
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        luaL_gsub(L, lua_tostring(L, -2), "'?'", name);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

/* Upvalue 1: Lua's string.format. Values that %s would show with their address are made text
 * before. */
static int string_format(lua_State *L)
{
    size_t len;
    const char *format = luaL_checklstring(L, 1, &len), *end = format + len;
    int top = lua_gettop(L), arg = 1;
    for (const char *p = format; p < end; p++) {
        if (*p != '%')
            continue;
        if (++p < end && *p == '%')
            continue;
        while (p < end && strchr("-+ #0123456789.", *p) != NULL && *p != '\0')
            p++;
        arg++;
        if (p < end && *p == 'p')
            return luaL_error(
                L, "string.format: %%p is not available (no addresses in skills); use %%s");
        if (p < end && *p == 's' && arg <= top && lua_type(L, arg) != LUA_TSTRING) {
            vm_tostring(L, arg, NULL);
            lua_replace(L, arg);
        }
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    return string_call(L, top, "'format'");
}

/* Upvalue 1: Lua's string.rep, which loops n times also when there is nothing to copy. */
static int string_rep(lua_State *L)
{
    size_t len, separator = 0;
    luaL_checklstring(L, 1, &len);
    luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &separator);
    if (len + separator == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    lua_settop(L, 3);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    return string_call(L, 3, "'rep'");
}

static void string_wrap(lua_State *L, const char *name, lua_CFunction fn)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, fn, 1);
    lua_setfield(L, -2, name);
}

void vm_string_open(lua_State *L, int globals)
{
    luaopen_string(L); /* also sets the metatable of strings, whose __index is this table */
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    string_wrap(L, "format", string_format);
    string_wrap(L, "rep", string_rep);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushliteral(L, "string");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
    vm_freeze(L, false);
    lua_setfield(L, globals, "string");
}
