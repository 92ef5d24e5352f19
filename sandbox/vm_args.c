/* What the functions of c9 take: shapes as tables, errors that name function and field. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "sandbox/vm-private.h"

static bool arg_matches(lua_State *L, int idx, unsigned types)
{
    switch (lua_type(L, idx)) {
    case LUA_TSTRING:
        return types & VM_ARG_STRING;
    case LUA_TNUMBER:
        return (types & VM_ARG_NUMBER) || ((types & VM_ARG_INTEGER) && lua_isinteger(L, idx));
    case LUA_TBOOLEAN:
        return types & VM_ARG_BOOLEAN;
    case LUA_TTABLE:
        return types & VM_ARG_TABLE;
    case LUA_TFUNCTION:
        return types & VM_ARG_FUNCTION;
    default:
        return false;
    }
}

static const char *arg_types_write(unsigned types, char *out, size_t size)
{
    static const char *const names[] = {"string",  "number", "integer",
                                        "boolean", "table",  "function"};
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < countof(names) && len < size; i++)
        if (types & 1u << i)
            len +=
                (size_t)snprintf(out + len, size - len, "%s%s", len > 0 ? " or " : "a ", names[i]);
    return out;
}

/* The field nearest to the word, or NULL: for "did you mean". */
static const char *arg_nearest(const char *word, const struct vm_arg *rows)
{
    enum { FIELDS_MAX = 32 };
    const char *names[FIELDS_MAX];
    size_t n = 0;
    for (; rows->name != NULL && n < FIELDS_MAX; rows++)
        names[n++] = rows->name;
    return nearest_name(word, names, n);
}

/* "; there is A, B, C", left on the stack. */
static const char *arg_names_push(lua_State *L, const struct vm_arg *rows)
{
    lua_pushliteral(L, "");
    for (const struct vm_arg *row = rows; row->name != NULL; row++) {
        lua_pushfstring(L, "%s%s%s", lua_tostring(L, -1), row == rows ? "; there is " : ", ",
                        row->name);
        lua_replace(L, -2);
    }
    return lua_tostring(L, -1);
}

static void arg_refuse_unknown(lua_State *L, const char *function, const struct vm_arg *rows)
{
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    const char *near = name != NULL ? arg_nearest(name, rows) : NULL;
    if (name == NULL)
        luaL_error(L, "%s: fields must have names, got a key of type %s", function,
                   luaL_typename(L, -1));
    else if (near != NULL)
        luaL_error(L, "%s: unknown field '%s'; did you mean '%s'?", function, name, near);
    else
        luaL_error(L, "%s: unknown field '%s'%s", function, name, arg_names_push(L, rows));
}

static const struct vm_arg *arg_find(lua_State *L, const struct vm_arg *rows)
{
    if (lua_type(L, -1) != LUA_TSTRING)
        return NULL;
    for (; rows->name != NULL; rows++)
        if (strcmp(rows->name, lua_tostring(L, -1)) == 0)
            return rows;
    return NULL;
}

void vm_args_check(lua_State *L, int idx, const char *function, const struct vm_arg *rows)
{
    char types[96];
    idx = lua_absindex(L, idx);
    vm_thaw(L, idx);
    lua_Integer n = vm_keys_push(L, idx);
    for (lua_Integer i = 1; i <= n;
         i++) { /* in order, so that the first mistake is always the same */
        lua_rawgeti(L, -1, i);
        if (arg_find(L, rows) == NULL)
            arg_refuse_unknown(L, function, rows);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    for (; rows->name != NULL; rows++) {
        lua_pushstring(L, rows->name);
        bool absent = lua_rawget(L, idx) == LUA_TNIL;
        bool fine =
            absent ? !rows->required : rows->types == VM_ARG_ANY || arg_matches(L, -1, rows->types);
        if (!fine)
            luaL_error(L, "%s: %s must be %s, got %s", function, rows->name,
                       arg_types_write(rows->types, types, sizeof(types)), luaL_typename(L, -1));
        lua_pop(L, 1);
    }
}

lua_Integer vm_args_duration(lua_State *L, int idx, const char *what)
{
    static const struct {
        const char *unit;
        double us;
    } units[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 6e7}, {"h", 3.6e9}, {"d", 8.64e10}};
    double us = -1;
    if (lua_type(L, idx) == LUA_TNUMBER) {
        us = lua_tonumber(L, idx) * 1e6;
    } else if (lua_type(L, idx) == LUA_TSTRING) {
        const char *text = lua_tostring(L, idx), *unit = text + strspn(text, "0123456789.");
        lua_pushlstring(L, text, (size_t)(unit - text));
        for (size_t i = 0; i < countof(units); i++)
            if (strcmp(unit, units[i].unit) == 0 && lua_isnumber(L, -1))
                us = lua_tonumber(L, -1) * units[i].us;
        lua_pop(L, 1);
    }
    if (!(us >= 0 && us <= 3.2e15)) /* a hundred years */
        luaL_error(L,
                   "%s must be seconds, or a text such as \"250ms\", \"10s\", \"5m\", \"2h\", "
                   "\"3d\"; got %s",
                   what,
                   lua_type(L, idx) == LUA_TSTRING || lua_type(L, idx) == LUA_TNUMBER
                       ? lua_tostring(L, idx)
                       : luaL_typename(L, idx));
    return (lua_Integer)llround(us);
}
