/* math.*, with a generator that is seeded from the execution: the same numbers when it is replayed.
 * xoshiro256** and splitmix64 (Blackman, Vigna; public domain algorithms). */
#include <stdio.h>
#include <string.h>

#include "sandbox/vm-private.h"

struct random {
    uint64_t s[4];
};
static struct random random_math, random_ids; /* math.randomseed must not repeat ids */
static uint8_t random_first[32];

static uint64_t rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static uint64_t random_next(struct random *r)
{
    uint64_t *s = r->s, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static uint64_t splitmix_next(uint64_t *x)
{
    uint64_t z = *x += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static void random_fill(struct random *r, uint64_t a, uint64_t b)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix_next(i % 2 == 0 ? &a : &b) ^ (i == 3); /* never all zero */
}

/* Every bit of the seed changes every word of the state. */
static void random_start(struct random *r, const uint8_t seed[32], uint64_t stream)
{
    uint64_t word[4], x = stream;
    memcpy(word, seed, sizeof(word));
    for (int i = 0; i < 4; i++) {
        x ^= word[i];
        x = splitmix_next(&x);
    }
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix_next(&x) ^ word[i];
    if ((r->s[0] | r->s[1] | r->s[2] | r->s[3]) == 0)
        r->s[0] = 1;
}

void vm_random_seed(const uint8_t seed[32])
{
    memcpy(random_first, seed, sizeof(random_first));
    random_start(&random_math, seed, 1);
    random_start(&random_ids, seed, 2);
}

/* Uniform in 0 … limit: the bits it needs, drawn again while above. */
static uint64_t random_below(uint64_t limit)
{
    if (limit == UINT64_MAX)
        return random_next(&random_math);
    uint64_t mask = limit == 0 ? 0 : UINT64_MAX >> __builtin_clzll(limit), n;
    while ((n = random_next(&random_math) & mask) > limit)
        ;
    return n;
}

int vm_random(lua_State *L)
{
    lua_Integer low = 1, high;
    switch (lua_gettop(L)) {
    case 0:
        lua_pushnumber(L, (double)(random_next(&random_math) >> 11) * 0x1p-53);
        return 1;
    case 1:
        high = luaL_checkinteger(L, 1);
        if (high == 0) { /* all bits, as in Lua */
            lua_pushinteger(L, (lua_Integer)random_next(&random_math));
            return 1;
        }
        break;
    case 2:
        low = luaL_checkinteger(L, 1);
        high = luaL_checkinteger(L, 2);
        break;
    default:
        return luaL_error(L, "wrong number of arguments");
    }
    luaL_argcheck(L, low <= high, lua_gettop(L), "interval is empty");
    uint64_t drawn = (uint64_t)low + random_below((uint64_t)high - (uint64_t)low);
    lua_pushinteger(L, (lua_Integer)drawn);
    return 1;
}

static int math_randomseed(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) { /* there is no other entropy */
        random_start(&random_math, random_first, 1);
        return 0;
    }
    lua_Integer a, b = luaL_optinteger(L, 2, 0);
    if (!lua_isinteger(L, 1)) {
        lua_Number n = luaL_checknumber(L, 1);
        memcpy(&a, &n, sizeof(a));
    } else {
        a = lua_tointeger(L, 1);
    }
    random_fill(&random_math, (uint64_t)a, (uint64_t)b);
    return 0;
}

int vm_random_uuid(lua_State *L)
{
    uint64_t high = random_next(&random_ids), low = random_next(&random_ids);
    char text[37];
    high = (high & ~0xF000ull) | 0x4000; /* version 4, RFC 9562 variant */
    low = (low & ~(3ull << 62)) | 2ull << 62;
    snprintf(text, sizeof(text), "%08llx-%04llx-%04llx-%04llx-%012llx",
             (unsigned long long)(high >> 32), (unsigned long long)(high >> 16 & 0xFFFF),
             (unsigned long long)(high & 0xFFFF), (unsigned long long)(low >> 48),
             (unsigned long long)(low & 0xFFFFFFFFFFFF));
    lua_pushstring(L, text);
    return 1;
}

void vm_random_open(lua_State *L, int globals)
{
    /* Some builds of Lua 5.4 still have these of 5.2. */
    static const char *const deprecated[] = {"atan2", "cosh", "frexp", "ldexp",
                                             "log10", "pow",  "sinh",  "tanh"};
    luaopen_math(L);
    lua_pushcfunction(L, vm_random);
    lua_setfield(L, -2, "random");
    lua_pushcfunction(L, math_randomseed);
    lua_setfield(L, -2, "randomseed");
    for (size_t i = 0; i < countof(deprecated); i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, deprecated[i]);
    }
    vm_freeze(L, false);
    lua_setfield(L, globals, "math");
}
