/* Linked into a zygote of its own (build/tests/attacker/c9d-zygote, see the Makefile): an attacker
 * who runs native code in an executor of a real daemon. There print(CALL, …) makes a system call,
 * by its name or number, with integers and strings as arguments, and gives its result or nil and
 * errno; and print("misbehave") does what each sanitizer reports. Any other print prints. */
#include <errno.h>
#include <lauxlib.h>
#include <linux/audit.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire/wire.h"

#ifdef __x86_64__
enum { ARCH = (int)AUDIT_ARCH_X86_64 };
#else
enum { ARCH = (int)AUDIT_ARCH_AARCH64 };
#endif
enum { NUMBERS = 600 };

int __real_vm_notice_print(lua_State *L);
int __wrap_vm_notice_print(lua_State *L);

/* -1: it is not a call. */
static long call_number(lua_State *L)
{
    if (lua_isinteger(L, 1))
        return (long)lua_tointeger(L, 1);
    const char *want = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "";
    for (unsigned i = 0; i < NUMBERS; i++) {
        const char *name = wire_syscall_name((uint32_t)ARCH, i);
        if (name != NULL && strcmp(name, want) == 0)
            return i;
    }
    return -1;
}

static int misbehave(void)
{
    char *volatile block = malloc(1);
    volatile int bits = 100;
    int result = 1 << bits;
    free(block);
    return result + *block;
}

int __wrap_vm_notice_print(lua_State *L)
{
    if (lua_gettop(L) == 1 && strcmp(luaL_tolstring(L, 1, NULL), "misbehave") == 0) {
        lua_pushinteger(L, misbehave());
        return 1;
    }
    long number = call_number(L), args[6] = {0};
    if (number < 0)
        return __real_vm_notice_print(L);
    for (int i = 0; i < 6; i++)
        args[i] = lua_isinteger(L, i + 2) ? (long)lua_tointeger(L, i + 2)
                                          : (long)(uintptr_t)lua_tostring(L, i + 2);
    long result = syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
    if (result >= 0) {
        lua_pushinteger(L, result);
        return 1;
    }
    lua_pushnil(L);
    lua_pushinteger(L, errno);
    return 2;
}
