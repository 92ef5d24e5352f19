/* Coroutines that let c9 calls pass: a coroutine that waits for an answer is yielded across, up to
 * the root of its task; and that know who runs, for the signal that ends CPU time. */
#include "sandbox/vm-private.h"

/* Lives in front of every lua_State (LUA_EXTRASPACE); new ones copy the main thread's zeros. */
struct marks {
    bool waiting; /* for the scheduler; only that or its resumer may go on with it */
    bool root;    /* of a task: skills see it as the main thread */
};
static struct marks *marks_of(lua_State *L)
{
    _Static_assert(sizeof(struct marks) <= LUA_EXTRASPACE, "marks fit");
    return lua_getextraspace(L);
}

int vm_resume(lua_State *from, lua_State *co, int nargs, int *nres_r, bool can_wait)
{
    bool outer = vm.can_wait;
    lua_State *running = vm.running;
    marks_of(co)->waiting = false;
    if (vm.fatal != VM_FATAL_NONE)
        vm_fatal_raise(from, vm.fatal);
    vm.can_wait = can_wait;
    vm.running = co;
    int status = lua_resume(co, from, nargs, nres_r);
    vm.running = running;
    vm.can_wait = outer;
    if (executor_time_up) /* its signal may have found co running a moment ago, and hooked that */
        vm_fatal_raise(from, VM_FATAL_TIME);
    return status;
}

bool vm_can_wait(lua_State *L)
{
    return vm.can_wait && lua_isyieldable(L);
}

int vm_wait(lua_State *L, lua_KContext ctx, lua_KFunction k)
{
    marks_of(L)->waiting = true;
    return lua_yieldk(L, 0, ctx, k);
}

void vm_coroutine_root(lua_State *co)
{
    marks_of(co)->root = true;
}

static lua_State *coroutine_check(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "coroutine");
    return co;
}

enum { RESUME_ERROR = -1, RESUME_WAITS = -2 };

/* After co came back: the number of its results, now on L; or RESUME_ERROR with the error on L. */
static int resume_finish(lua_State *L, lua_State *co, int status, int nres)
{
    if (status == LUA_YIELD && marks_of(co)->waiting)
        return RESUME_WAITS;
    if (status == LUA_OK || status == LUA_YIELD) {
        if (!lua_checkstack(L, nres + 1)) {
            lua_pop(co, nres);
            lua_pushliteral(L, "too many results to resume");
            return RESUME_ERROR;
        }
        lua_xmove(co, L, nres);
        return nres;
    }
    vm_fatal_check(L, status);
    lua_xmove(co, L, 1);
    return RESUME_ERROR;
}

static int resume_go(lua_State *L, lua_State *co, int nargs)
{
    int nres = 0;
    int status = vm_resume(L, co, nargs, &nres, vm_can_wait(L));
    return resume_finish(L, co, status, nres);
}

static int resume_start(lua_State *L, lua_State *co, int nargs)
{
    if (marks_of(co)->waiting) {
        lua_pushliteral(L, "cannot resume a coroutine that waits for a c9 call");
        return RESUME_ERROR;
    }
    if (!lua_checkstack(co, nargs)) {
        lua_pushliteral(L, "too many arguments to resume");
        return RESUME_ERROR;
    }
    lua_xmove(L, co, nargs);
    return resume_go(L, co, nargs);
}

static int coroutine_resumed(lua_State *L, int n);

static int coroutine_resume_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return coroutine_resumed(L, resume_go(L, lua_tothread(L, 1), 0));
}

static int coroutine_resumed(lua_State *L, int n)
{
    if (n == RESUME_WAITS)
        return vm_wait(L, 0, coroutine_resume_k);
    lua_pushboolean(L, n != RESUME_ERROR);
    n = n == RESUME_ERROR ? 1 : n;
    lua_insert(L, -(n + 1));
    return n + 1;
}

static int coroutine_resume(lua_State *L)
{
    lua_State *co = coroutine_check(L);
    return coroutine_resumed(L, resume_start(L, co, lua_gettop(L) - 1));
}

int vm_coroutine_reset(lua_State *co)
{
    lua_State *running = vm.running;
    bool can_wait = vm.can_wait;
    vm.running = co;
    vm.can_wait = false;
    int status = lua_resetthread(co);
    vm.running = running;
    vm.can_wait = can_wait;
    return status;
}

static int wrap_resumed(lua_State *L, int n);

static int wrap_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return wrap_resumed(L, resume_go(L, lua_tothread(L, lua_upvalueindex(1)), 0));
}

static int wrap_resumed(lua_State *L, int n)
{
    if (n == RESUME_WAITS)
        return vm_wait(L, 0, wrap_k);
    if (n != RESUME_ERROR)
        return n;
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) { /* it failed: close its variables */
        lua_pushvalue(L, -1);
        lua_xmove(L, co, 1); /* resetthread takes the error from the top */
        status = vm_coroutine_reset(co);
        vm_fatal_check(L, status);
        lua_xmove(co, L, 1);
    }
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrap_call(lua_State *L)
{
    return wrap_resumed(L, resume_start(L, lua_tothread(L, lua_upvalueindex(1)), lua_gettop(L)));
}

static int coroutine_create(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

static int coroutine_wrap(lua_State *L)
{
    coroutine_create(L);
    lua_pushcclosure(L, wrap_call, 1);
    return 1;
}

static int coroutine_yield(lua_State *L)
{
    if (marks_of(L)->root)
        return luaL_error(L, "attempt to yield from outside a coroutine");
    return lua_yield(L, lua_gettop(L));
}

static int coroutine_running(lua_State *L)
{
    lua_pushthread(L);
    lua_pushboolean(L, marks_of(L)->root);
    return 2;
}

static int coroutine_isyieldable(lua_State *L)
{
    lua_State *co = lua_isthread(L, 1) ? lua_tothread(L, 1) : L;
    lua_pushboolean(L, !marks_of(co)->root && lua_isyieldable(co));
    return 1;
}

static const char *status_name(lua_State *L, lua_State *co)
{
    lua_Debug ar;
    if (L == co)
        return "running";
    if (lua_status(co) == LUA_YIELD)
        return marks_of(co)->waiting ? "normal" : "suspended";
    if (lua_status(co) != LUA_OK)
        return "dead";
    if (lua_getstack(co, 0, &ar))
        return "normal";
    return lua_gettop(co) == 0 ? "dead" : "suspended";
}

static int coroutine_status(lua_State *L)
{
    lua_pushstring(L, status_name(L, coroutine_check(L)));
    return 1;
}

static int coroutine_close(lua_State *L)
{
    lua_State *co = coroutine_check(L);
    const char *name = status_name(L, co);
    if (name[0] == 'n' || name[0] == 'r') /* normal, running */
        return luaL_error(L, "cannot close a %s coroutine", name);
    int status = vm_coroutine_reset(co);
    if (status == LUA_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    vm_fatal_check(L, status);
    lua_pushboolean(L, 0);
    lua_xmove(co, L, 1);
    return 2;
}

void vm_coroutine_open(lua_State *L, int globals)
{
    static const luaL_Reg functions[] = {{"close", coroutine_close},
                                         {"create", coroutine_create},
                                         {"isyieldable", coroutine_isyieldable},
                                         {"resume", coroutine_resume},
                                         {"running", coroutine_running},
                                         {"status", coroutine_status},
                                         {"wrap", coroutine_wrap},
                                         {"yield", coroutine_yield},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    vm_freeze(L, false);
    lua_setfield(L, globals, "coroutine");
}
