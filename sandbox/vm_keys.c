/* pairs and next in an order that does not depend on Lua's hash seed: positive integers ascending, then
 * booleans (false first), other numbers ascending, strings by bytes, and everything else by its place in the
 * arena. Arrays cost what they cost in Lua: only when a walk meets a key that is not the next
 * integer, the keys that are left are collected and sorted. */
#include <string.h>

#include "sandbox/vm-private.h"

struct key {
    uint8_t rank;
    lua_Integer index; /* in the array of unsorted keys */
    union {
        lua_Integer integer;
        lua_Number number;
        const void *address;
        struct {
            const char *s;
            size_t len;
        } text; /* the key is in the table, so the string lives */
    } as;
};
enum { RANK_INDEX, RANK_BOOLEAN, RANK_NUMBER, RANK_TEXT, RANK_ADDRESS };

static void key_fill(lua_State *L, int idx, struct key *key)
{
    switch (lua_type(L, idx)) {
    case LUA_TBOOLEAN:
        key->rank = RANK_BOOLEAN;
        key->as.integer = lua_toboolean(L, idx);
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(L, idx) && lua_tointeger(L, idx) > 0) {
            key->rank = RANK_INDEX;
            key->as.integer = lua_tointeger(L, idx);
        } else {
            key->rank = RANK_NUMBER;
            key->as.number = lua_tonumber(L, idx);
        }
        break;
    case LUA_TSTRING:
        key->rank = RANK_TEXT;
        key->as.text.s = lua_tolstring(L, idx, &key->as.text.len);
        break;
    default:
        key->rank = RANK_ADDRESS;
        key->as.address = lua_topointer(L, idx);
    }
}

static bool text_less(const struct key *a, const struct key *b)
{
    size_t la = a->as.text.len, lb = b->as.text.len;
    int order = memcmp(a->as.text.s, b->as.text.s, la < lb ? la : lb);
    return order < 0 || (order == 0 && la < lb);
}

static bool key_less(const struct key *a, const struct key *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank;
    switch (a->rank) {
    case RANK_INDEX:
    case RANK_BOOLEAN:
        return a->as.integer < b->as.integer;
    case RANK_NUMBER: /* integers at the ends of their range may be equal as floats */
        return a->as.number < b->as.number;
    case RANK_TEXT:
        return text_less(a, b);
    default:
        return (uintptr_t)a->as.address < (uintptr_t)b->as.address;
    }
}

/* Heap sort: in place, no recursion, and no worst case (libc's qsort allocates). */
static void keys_sift(struct key *keys, size_t root, size_t n)
{
    struct key moving = keys[root];
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && key_less(&keys[child], &keys[child + 1]))
            child++;
        if (!key_less(&moving, &keys[child]))
            break;
        keys[root] = keys[child];
    }
    keys[root] = moving;
}

static void keys_sort(struct key *keys, size_t n)
{
    if (n <= 12) {
        for (size_t i = 1; i < n; i++) {
            struct key moving = keys[i];
            size_t at = i;
            for (; at > 0 && key_less(&moving, &keys[at - 1]); at--)
                keys[at] = keys[at - 1];
            keys[at] = moving;
        }
        return;
    }
    for (size_t i = n / 2; i-- > 0;)
        keys_sift(keys, i, n);
    for (size_t last = n - 1; last > 0; last--) {
        struct key top = keys[0];
        keys[0] = keys[last];
        keys[last] = top;
        keys_sift(keys, 0, last);
    }
}

/* Counts what lua_next gives from the key on top (not popped). */
static lua_Integer keys_count(lua_State *L, int idx)
{
    lua_Integer n = 0;
    lua_pushvalue(L, -1);
    for (; lua_next(L, idx); lua_pop(L, 1))
        n++;
    return n;
}

/* Pops the key on top; pushes the sorted array of it (unless nil) and of all that lua_next gives after it. */
static lua_Integer keys_rest(lua_State *L, int idx)
{
    bool first = !lua_isnil(L, -1);
    lua_Integer n = keys_count(L, idx) + first;
    struct key few[32], *keys = few;
    luaL_checkstack(L, 6, NULL);
    lua_createtable(L, n < INT32_MAX ? (int)n : 0, 0); /* key, unsorted */
    lua_insert(L, -2);                                 /* unsorted, key */
    if (n > (lua_Integer)VM_COUNT(few))
        keys = lua_newuserdatauv(L, (size_t)n * sizeof(*keys), 0);
    else
        lua_pushnil(L);
    lua_insert(L, -2); /* unsorted, memory, key */
    lua_Integer i = 0;
    for (bool more = first || lua_next(L, idx); more; more = lua_next(L, idx)) {
        if (!first)
            lua_pop(L, 1);
        first = false;
        key_fill(L, -1, &keys[i]);
        keys[i].index = i + 1;
        i++;
        lua_pushvalue(L, -1);
        lua_rawseti(L, -4, i);
    } /* unsorted, memory: lua_next popped the last key */
    keys_sort(keys, (size_t)n);
    lua_createtable(L, n < INT32_MAX ? (int)n : 0, 0); /* unsorted, memory, sorted */
    for (i = 0; i < n; i++) {
        lua_rawgeti(L, -3, keys[i].index);
        lua_rawseti(L, -2, i + 1);
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
    return n;
}

lua_Integer vm_keys_push(lua_State *L, int idx)
{
    idx = lua_absindex(L, idx);
    lua_pushnil(L);
    return keys_rest(L, idx);
}

/* ---- pairs ----------------------------------------------------------------------------------------------- */

/* Pushes the next of the sorted keys that still has a value, and the value; at: upvalue or stack index. */
static bool keys_step(lua_State *L, int table, int keys, lua_Integer *position)
{
    for (;;) {
        if (lua_rawgeti(L, keys, ++*position) == LUA_TNIL)
            return false;
        lua_pushvalue(L, -1);
        if (lua_rawget(L, table) != LUA_TNIL)
            return true;
        lua_pop(L, 2); /* removed while the loop ran */
    }
}

/* Upvalues: 1 position; 2 sorted keys, nil while the walk is in the sequence. Arguments: table, key. */
static int pairs_step(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    vm_thaw(L, 1);
    lua_Integer position = lua_tointeger(L, lua_upvalueindex(1));
    if (lua_isnil(L, lua_upvalueindex(2))) {
        if (!lua_next(L, 1)) { /* table, key, value */
            lua_pushnil(L);
            return 1;
        }
        if (lua_isinteger(L, 2) && lua_tointeger(L, 2) == position + 1) {
            lua_pushinteger(L, position + 1);
            lua_replace(L, lua_upvalueindex(1));
            return 2;
        }
        lua_pop(L, 1);
        keys_rest(L, 1); /* table, keys */
        lua_replace(L, lua_upvalueindex(2));
        position = 0;
    }
    bool more = keys_step(L, 1, lua_upvalueindex(2), &position);
    lua_pushinteger(L, position);
    lua_replace(L, lua_upvalueindex(1));
    return more ? 2 : 1;
}

static int pairs_done(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 3;
}

int vm_keys_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(L, 1);
        lua_callk(L, 1, 3, 0, pairs_done);
        return 3;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushinteger(L, 0);
    lua_pushnil(L);
    lua_pushcclosure(L, pairs_step, 2);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* ---- next ------------------------------------------------------------------------------------------------ */

static int next_first(lua_State *L)
{
    lua_pushinteger(L, 1);
    if (lua_rawgeti(L, 1, 1) != LUA_TNIL)
        return 2;
    struct key least = {.rank = UINT8_MAX};
    lua_pushnil(L); /* table, nil; below: the least key so far */
    lua_replace(L, 2);
    for (lua_pushnil(L); lua_next(L, 1);) {
        lua_pop(L, 1);
        struct key key;
        key_fill(L, -1, &key);
        if (least.rank == UINT8_MAX || key_less(&key, &least)) {
            least = key;
            lua_pushvalue(L, -1);
            lua_replace(L, 2);
        }
    }
    lua_settop(L, 2);
    if (lua_isnil(L, 2))
        return 1;
    lua_pushvalue(L, 2);
    lua_rawget(L, 1);
    return 2;
}

/* The sorted keys of the table at 1 are on top; the place of the key at 2, or of the last one before it. */
static lua_Integer next_place(lua_State *L, lua_Integer n)
{
    struct key want, key;
    key_fill(L, 2, &want);
    lua_Integer low = 0, high = n; /* keys[low] <= want < keys[high + 1] */
    while (low < high) {
        lua_Integer middle = low + (high - low + 1) / 2;
        lua_rawgeti(L, -1, middle);
        key_fill(L, -1, &key);
        lua_pop(L, 1);
        if (key_less(&want, &key))
            high = middle - 1;
        else
            low = middle;
    }
    return low;
}

/* The answer of the previous call is kept, so that a loop of next() sorts once: {table, keys, position}. */
int vm_keys_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    vm_thaw(L, 1);
    if (lua_isnil(L, 2))
        return next_first(L);
    vm_slot_push(L, VM_SLOT_NEXT); /* table, key, cache */
    lua_rawgeti(L, 3, 1);
    lua_rawgeti(L, 3, 2);
    lua_rawgeti(L, 3, 3); /* table, key, cache, its table, keys, position */
    lua_Integer position = lua_tointeger(L, 6);
    bool known = false;
    if (lua_rawequal(L, 1, 4)) {
        lua_rawgeti(L, 5, position);
        known = lua_rawequal(L, -1, 2);
    }
    lua_settop(L, 5);
    if (!known) {
        lua_Integer n = vm_keys_push(L, 1);
        lua_replace(L, 5);
        position = next_place(L, n);
        lua_pushvalue(L, 1);
        lua_rawseti(L, 3, 1);
        lua_pushvalue(L, 5);
        lua_rawseti(L, 3, 2);
    }
    bool more = keys_step(L, 1, 5, &position);
    lua_pushinteger(L, position);
    lua_rawseti(L, 3, 3);
    if (more)
        return 2;
    for (int i = 1; i <= 3; i++) { /* the walk is over: let go of the table */
        lua_pushnil(L);
        lua_rawseti(L, 3, i);
    }
    lua_pushnil(L);
    return 1;
}
