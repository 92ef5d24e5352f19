/* pairs and next in an order that does not depend on Lua's hash seed: positive integers ascending,
 * then booleans (false first), other numbers ascending, strings by bytes, and everything else by
 * its place in the arena. Arrays cost what they cost in Lua: only when a walk meets a key that is
 * not the next integer, the keys that are left are collected and sorted. */
#include <endian.h>
#include <string.h>

#include "sandbox/vm-private.h"

struct key {
    uint8_t rank;
    uint64_t order;      /* within the rank; of a text its first eight bytes */
    lua_Integer integer; /* decides where two numbers are equal as floats */
    const char *text;    /* the key is in the table, so the string lives */
    size_t len;
    lua_Integer index; /* where the key is kept meanwhile */
};
enum { RANK_INDEX, RANK_BOOLEAN, RANK_NUMBER, RANK_TEXT, RANK_ADDRESS };

/* Bits whose order as an integer is the order of the numbers (IEEE 754; NaN is no key). */
static uint64_t number_order(lua_Number n)
{
    uint64_t bits;
    memcpy(&bits, &n, sizeof(bits));
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

static uint64_t text_order(const char *s, size_t len)
{
    uint8_t head[8] = {0};
    uint64_t order;
    memcpy(head, s, len < sizeof(head) ? len : sizeof(head));
    memcpy(&order, head, sizeof(order));
    return be64toh(order);
}

static void key_fill(lua_State *L, int idx, struct key *key)
{
    key->integer = 0;
    switch (lua_type(L, idx)) {
    case LUA_TBOOLEAN:
        key->rank = RANK_BOOLEAN;
        key->order = lua_toboolean(L, idx) ? 1 : 0;
        break;
    case LUA_TNUMBER:
        key->rank = RANK_NUMBER;
        if (lua_isinteger(L, idx) && (key->integer = lua_tointeger(L, idx)) > 0) {
            key->rank = RANK_INDEX;
            key->order = (uint64_t)key->integer;
        } else {
            key->order = number_order(lua_tonumber(L, idx));
        }
        break;
    case LUA_TSTRING:
        key->rank = RANK_TEXT;
        key->text = lua_tolstring(L, idx, &key->len);
        key->order = text_order(key->text, key->len);
        break;
    default:
        key->rank = RANK_ADDRESS;
        key->order = (uintptr_t)lua_topointer(L, idx);
    }
}

static bool text_less(const struct key *a, const struct key *b)
{
    int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    return order < 0 || (order == 0 && a->len < b->len);
}

static bool key_less(const struct key *a, const struct key *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank;
    if (a->order != b->order)
        return a->order < b->order;
    return a->rank == RANK_TEXT ? text_less(a, b) : a->integer < b->integer;
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

/* Counts what lua_next gives from the key on top (not popped), up to one more than `most`. */
static lua_Integer keys_count(lua_State *L, int idx, lua_Integer most)
{
    lua_Integer n = 0;
    lua_pushvalue(L, -1);
    for (; lua_next(L, idx); lua_pop(L, 1))
        if (++n > most) {
            lua_pop(L, 2);
            break;
        }
    return n;
}

enum { FEW = 32 };

/* The usual small table: the keys wait on the stack. The first key is on top, not nil. */
static lua_Integer keys_few(lua_State *L, int idx)
{
    struct key keys[FEW + 1];
    int base = lua_gettop(L);
    lua_Integer n = 0;
    luaL_checkstack(L, FEW + 6, NULL);
    lua_pushvalue(L, -1);
    do {
        key_fill(L, -1, &keys[n]);
        lua_pushvalue(L, -1);
        lua_insert(L, base + 1 + (int)n); /* base, keys …, key */
        keys[n].index = base + 1 + n;
        n++;
        if (!lua_next(L, idx))
            break;
        lua_pop(L, 1);
    } while (n <= FEW);
    keys_sort(keys, (size_t)n);
    lua_createtable(L, (int)n, 0);
    for (lua_Integer i = 0; i < n; i++) {
        lua_pushvalue(L, (int)keys[i].index);
        lua_rawseti(L, -2, i + 1);
    }
    lua_replace(L, base);
    lua_settop(L, base);
    return n;
}

static lua_Integer keys_many(lua_State *L, int idx)
{
    lua_Integer n = keys_count(L, idx, LUA_MAXINTEGER - 1) + 1;
    luaL_checkstack(L, 8, NULL);
    lua_createtable(L, n < INT32_MAX ? (int)n : 0, 0); /* key, unsorted */
    struct key *keys = lua_newuserdatauv(L, (size_t)n * sizeof(*keys), 0);
    lua_rotate(L, -3, 2); /* unsorted, memory, key */
    for (lua_Integer i = 0; i < n; i++) {
        key_fill(L, -1, &keys[i]);
        keys[i].index = i + 1;
        lua_pushvalue(L, -1);
        lua_rawseti(L, -4, i + 1);
        if (lua_next(L, idx))
            lua_pop(L, 1);
    } /* unsorted, memory: the last lua_next popped its key */
    keys_sort(keys, (size_t)n);
    lua_createtable(L, n < INT32_MAX ? (int)n : 0, 0); /* unsorted, memory, sorted */
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(L, -3, keys[i].index);
        lua_rawseti(L, -2, i + 1);
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
    return n;
}

/* Pops the key on top; pushes the sorted array of it (unless nil) and of all that lua_next gives
 * after it. */
static lua_Integer keys_rest(lua_State *L, int idx)
{
    if (lua_isnil(L, -1)) {
        if (!lua_next(L, idx)) {
            lua_newtable(L);
            return 0;
        }
        lua_pop(L, 1);
    }
    return keys_count(L, idx, FEW) < FEW ? keys_few(L, idx) : keys_many(L, idx);
}

lua_Integer vm_keys_push(lua_State *L, int idx)
{
    idx = lua_absindex(L, idx);
    lua_pushnil(L);
    return keys_rest(L, idx);
}

/* ---- pairs ----------------------------------------------------------------------------------- */

/* Pushes the next of the sorted keys that still has a value, and the value; at: upvalue or stack
 * index. */
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

/* Upvalues: 1 sorted keys, nil while the walk is in the sequence; 2 position in them. Arguments:
 * table, key. */
static int pairs_step(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    vm_thaw(L, 1);
    if (lua_isnil(L, lua_upvalueindex(1))) {
        lua_Integer last = lua_tointeger(L, 2); /* nil: 0 */
        if (!lua_next(L, 1)) {                  /* table, key, value */
            lua_pushnil(L);
            return 1;
        }
        if (lua_isinteger(L, 2) && lua_tointeger(L, 2) == last + 1)
            return 2;
        lua_pop(L, 1);
        keys_rest(L, 1); /* table, keys */
        lua_replace(L, lua_upvalueindex(1));
    }
    lua_Integer position = lua_tointeger(L, lua_upvalueindex(2));
    bool more = keys_step(L, 1, lua_upvalueindex(1), &position);
    lua_pushinteger(L, position);
    lua_replace(L, lua_upvalueindex(2));
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
    lua_pushnil(L);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, pairs_step, 2);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* ---- next ------------------------------------------------------------------------------------ */

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

/* The sorted keys of the table at 1 are on top; the place of the key at 2, or of the last one
 * before it. */
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

/* The answer of the previous call is kept, so that a loop of next() sorts once: {table, keys,
 * position}. */
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
