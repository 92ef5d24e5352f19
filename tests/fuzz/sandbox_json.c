/* The JSON codec of skills: any bytes are a value or an error, and a value survives encode and
 * decode. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/vm-private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* data is the light userdata at 1, size the integer at 2. */
static int round_trip(lua_State *L)
{
    size_t at;
    const char *why = vm_json_decode(L, lua_touserdata(L, 1), (size_t)lua_tointeger(L, 2), &at);
    if (why != NULL) {
        if (at > (size_t)lua_tointeger(L, 2) || lua_gettop(L) != 2)
            abort();
        return 0;
    }
    vm_bytes_reset(L, &vm.out);
    vm_json_encode(L, 3, "value", 0); /* may refuse: depth, NUL bytes */
    lua_pushlstring(L, vm.out.data, vm.out.len);
    size_t len;
    const char *text = lua_tolstring(L, 4, &len);
    if (vm_json_decode(L, text, len, &at) != NULL)
        abort();
    vm_bytes_reset(L, &vm.out);
    vm_json_encode(L, 5, "value", 0);
    if (vm.out.len != len || memcmp(vm.out.data, text, len) != 0)
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lua_State *L;
    if (L == NULL) {
        if (arena_map(256u << 20) != 0)
            abort();
        arena_limit(128u << 20);
        L = vm_new();
        if (L == NULL)
            abort();
    }
    lua_settop(L, 0);
    lua_pushcfunction(L, round_trip);
    lua_pushlightuserdata(L, (void *)(uintptr_t)data);
    lua_pushinteger(L, (lua_Integer)size);
    lua_pcall(L, 2, 0, 0);
    if (lua_gettop(L) > 1)
        abort();
    return 0;
}
