/* table.*: Lua's own but for sort, which there asks the clock for a pivot. Ours is a merge sort:
 * stable, the same on every run, and an order function that contradicts itself does no harm. */
#include "sandbox/vm-private.h"

enum { SORT_TABLE = 1, SORT_LESS, SORT_FROM, SORT_TO }; /* stack of table_sort */

/* Whether the value on top goes before the one below it. */
static bool sort_less(lua_State *L)
{
    if (lua_isnil(L, SORT_LESS))
        return lua_compare(L, -1, -2, LUA_OPLT);
    lua_pushvalue(L, SORT_LESS);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -4); /* left, right, less, right, left */
    lua_call(L, 2, 1);
    bool less = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return less;
}

static void sort_merge(lua_State *L, lua_Integer low, lua_Integer middle, lua_Integer high)
{
    lua_Integer left = low, right = middle, to = low;
    while (left < middle && right < high) {
        lua_rawgeti(L, SORT_FROM, left);
        lua_rawgeti(L, SORT_FROM, right);
        if (sort_less(L)) {
            lua_rawseti(L, SORT_TO, to++);
            right++;
            lua_pop(L, 1);
        } else {
            lua_pop(L, 1);
            lua_rawseti(L, SORT_TO, to++);
            left++;
        }
    }
    while (left < middle || right < high) {
        lua_rawgeti(L, SORT_FROM, left < middle ? left++ : right++);
        lua_rawseti(L, SORT_TO, to++);
    }
}

static int table_sort(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer n = luaL_len(L, 1);
    luaL_argcheck(L, n < INT32_MAX, 1, "array too big");
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    if (vm_frozen(L, 1))
        return luaL_error(L, "table.sort: the table is read-only");
    if (n < 2)
        return 0;
    luaL_checkstack(L, 8, NULL);
    lua_createtable(L, (int)n, 0);
    lua_createtable(L, (int)n, 0);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, SORT_TABLE, i);
        lua_rawseti(L, SORT_FROM, i);
    }
    for (lua_Integer width = 1; width < n; width *= 2) {
        for (lua_Integer low = 1; low <= n; low += 2 * width) {
            lua_Integer middle = low + width <= n ? low + width : n + 1;
            lua_Integer high = middle + width <= n ? middle + width : n + 1;
            sort_merge(L, low, middle, high);
        }
        lua_rotate(L, SORT_FROM, 1); /* what was written is read next */
    }
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, SORT_FROM, i);
        lua_seti(L, SORT_TABLE, i);
    }
    return 0;
}

void vm_table_open(lua_State *L, int globals)
{
    luaopen_table(L);
    lua_pushcfunction(L, table_sort);
    lua_setfield(L, -2, "sort");
    vm_freeze(L, false);
    lua_setfield(L, globals, "table");
}
