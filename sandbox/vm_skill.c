/* Skills: their source, their environments, their description. */
#include <string.h>

#include "sandbox/vm-private.h"

static int load_handler(lua_State *L)
{
    if (vm.fatal == VM_FATAL_NONE)
        vm_trace_write(L, 1, vm.trace, sizeof(vm.trace));
    return 1;
}

/* Gives the function on top its own environment, which inherits the globals. */
static void skill_environment_set(lua_State *L)
{
    lua_newtable(L);
    vm_mark(L, VM_SLOT_ENVIRONMENT);
    lua_setupvalue(L, -2, 1);
}

/* Replaces the source on top by the evaluated table. Or an error status, with the error. */
static int skill_evaluate(lua_State *L, const char *name)
{
    size_t len;
    int base = lua_gettop(L);
    const char *source = lua_tolstring(L, -1, &len);
    lua_pushcfunction(L, load_handler); /* source, handler */
    lua_pushfstring(L, "@%s.lua", name);
    int status = luaL_loadbufferx(L, source, len, lua_tostring(L, -1), "t");
    if (status == LUA_OK) {
        bool outer = vm.loading;
        skill_environment_set(L);
        vm.loading = true;
        status = lua_pcall(L, 0, 1, base + 1);
        vm.loading = outer;
    }
    if (status == LUA_OK && !lua_istable(L, -1)) {
        lua_pushfstring(
            L, "%s.lua: the file must return a table with the skill's fields, it returns %s", name,
            lua_isnil(L, -1) ? "nothing" : luaL_typename(L, -1));
        status = LUA_ERRRUN;
    }
    lua_replace(L, base);
    lua_settop(L, base);
    return status;
}

int vm_skill_load(lua_State *L, const char *name)
{
    luaL_checkstack(L, 12, NULL);
    vm_slot_push(L, VM_SLOT_SKILLS);
    lua_getfield(L, -1, name); /* skills, source or table */
    int status = LUA_OK;
    if (lua_isnil(L, -1)) {
        vm_error_push(L, "SkillNotFound", "this agent has no skill '%s'", name);
        lua_replace(L, -2);
        status = LUA_ERRRUN;
    } else if (lua_isstring(L, -1)) {
        status = skill_evaluate(L, name);
        if (status == LUA_OK) {
            lua_pushvalue(L, -1);
            lua_setfield(L, -3, name);
        }
    }
    lua_remove(L, -2);
    return status;
}

/* ---- c9.skills ------------------------------------------------------------------------------- */

static int call_done(lua_State *L, int status, lua_KContext base)
{
    (void)status;
    return lua_gettop(L) - (int)base;
}

/* name, input: runs another skill of the agent, in this VM and under the same limits. */
int vm_skill_call(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    if (vm.loading)
        return luaL_error(
            L, "c9.skills.call cannot be called while the skill's file is loaded; call it in run");
    lua_settop(L, 2);
    int status = vm_skill_load(L, name);
    if (status != LUA_OK) {
        vm_fatal_check(L, status);
        return lua_error(L);
    }
    if (lua_getfield(L, 3, "run") != LUA_TFUNCTION)
        return luaL_error(L, "c9.skills.call: the skill '%s' has no function run", name);
    lua_pushvalue(L, 2);
    vm_slot_push(L, VM_SLOT_CONTEXT);
    lua_callk(L, 2, LUA_MULTRET, 3, call_done);
    return call_done(L, LUA_OK, 3);
}

int vm_skill_list(lua_State *L)
{
    vm_slot_push(L, VM_SLOT_CONTEXT);
    if (lua_istable(L, -1))
        lua_getfield(L, -1, "skills");
    if (lua_isnil(L, -1)) {
        lua_newtable(L);
        vm_mark(L, VM_SLOT_ARRAY);
        vm_freeze(L, false);
    }
    return 1;
}

/* ---- description ----------------------------------------------------------------------------- */

static const struct vm_arg skill_fields[] = {{"name", VM_ARG_STRING, true},
                                             {"version", VM_ARG_STRING, true},
                                             {"description", VM_ARG_STRING, false},
                                             {"input", VM_ARG_TABLE, false},
                                             {"output", VM_ARG_TABLE, false},
                                             {"needs", VM_ARG_TABLE, false},
                                             {"examples", VM_ARG_TABLE, false},
                                             {"run", VM_ARG_FUNCTION, true},
                                             {NULL, 0, false}};
static const struct vm_arg skill_needs[] = {{"model", VM_ARG_STRING | VM_ARG_TABLE, false},
                                            {"http", VM_ARG_STRING | VM_ARG_TABLE, false},
                                            {"agents", VM_ARG_STRING | VM_ARG_TABLE, false},
                                            {"documents", VM_ARG_STRING | VM_ARG_TABLE, false},
                                            {"secrets", VM_ARG_STRING | VM_ARG_TABLE, false},
                                            {NULL, 0, false}};
static const struct vm_arg skill_example[] = {{"name", VM_ARG_STRING, false},
                                              {"input", VM_ARG_ANY, false},
                                              {"output", VM_ARG_ANY, false},
                                              {"error", VM_ARG_STRING, false},
                                              {"model", VM_ARG_TABLE, false},
                                              {"http", VM_ARG_TABLE, false},
                                              {"agents", VM_ARG_TABLE, false},
                                              {"signals", VM_ARG_TABLE, false},
                                              {NULL, 0, false}};

static bool letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* ^[a-z][a-z0-9_-]{0,63}$ */
static bool skill_name_valid(const char *s)
{
    size_t n = 0;
    if (!(s[0] >= 'a' && s[0] <= 'z'))
        return false;
    while (letter_or_digit(s[n]) || s[n] == '_' || s[n] == '-')
        n++;
    return s[n] == '\0' && n <= 64;
}

/* Semantic Versioning 2.0.0: three numbers without leading zeros, then -pre.release and +build. */
static bool skill_version_valid(const char *s)
{
    for (int i = 0; i < 3; i++) {
        size_t n = strspn(s, "0123456789");
        if (n == 0 || n > 9 || (s[0] == '0' && n > 1) || (i < 2 && s[n] != '.'))
            return false;
        s += n + (i < 2);
    }
    static const char rest[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.";
    for (const char *mark = "-+"; *mark != '\0'; mark++)
        if (*s == *mark) {
            size_t n = strspn(s + 1, rest);
            if (n == 0 || n > 64 || s[n] == '.' || s[1] == '.' || strncmp(s + 1, "..", n) == 0)
                return false;
            s += n + 1;
        }
    return *s == '\0';
}

static bool identifier_char(char c)
{
    return letter_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The line on which `field =` stands first in the source, or that of its last return. */
static int source_line(const char *source, const char *field)
{
    int line = 1, last_return = 1;
    size_t len = strlen(field);
    for (const char *p = source; *p != '\0'; p++) {
        bool begins = p == source || !identifier_char(p[-1]);
        if (begins && strncmp(p, "return", 6) == 0 && !identifier_char(p[6]))
            last_return = line;
        if (begins && strncmp(p, field, len) == 0) {
            const char *after = p + len + strspn(p + len, " \t");
            if (after[0] == '=' && after[1] != '=')
                return line;
        }
        line += *p == '\n';
    }
    return last_return;
}

enum { DESCRIBE_SKILL = 1, DESCRIBE_NAME, DESCRIBE_SOURCE, DESCRIBE_OUT }; /* stack */

_Noreturn static void describe_refuse(lua_State *L, const char *field, const char *why)
{
    const char *source = lua_tostring(L, DESCRIBE_SOURCE);
    vm_error_push(L, "InvalidSkill", "%s.lua:%d: %s", lua_tostring(L, DESCRIBE_NAME),
                  source_line(source, field), why);
    lua_getfield(L, -1, "details");
    lua_pushstring(L, field);
    lua_setfield(L, -2, "field");
    lua_pop(L, 1);
    lua_error(L);
    __builtin_unreachable();
}

struct check {
    const char *what;
    const struct vm_arg *rows;
};

static int describe_check(lua_State *L)
{
    const struct check *check = lua_touserdata(L, 2);
    vm_args_check(L, 1, check->what, check->rows);
    return 0;
}

/* The table on top against rows; a complaint gets file and line. */
static void describe_shape(lua_State *L, const char *field, const char *what,
                           const struct vm_arg *rows)
{
    struct check check = {what, rows};
    lua_pushcfunction(L, describe_check);
    lua_pushvalue(L, -2);
    lua_pushlightuserdata(L, &check);
    int status = lua_pcall(L, 2, 0, 0);
    if (status == LUA_OK)
        return;
    vm_fatal_check(L, status);
    const char *why = lua_tostring(L, -1), *quoted = why == NULL ? NULL : strchr(why, '\'');
    char name[VM_NAME_MAX] = "";
    if (quoted != NULL && strstr(why, "unknown field") != NULL) /* point at that one */
        for (size_t i = 0; i + 1 < sizeof(name) && quoted[i + 1] != '\'' && quoted[i + 1] != '\0';
             i++)
            name[i] = quoted[i + 1];
    describe_refuse(L, name[0] != '\0' ? name : field, why != NULL ? why : "malformed");
}

static void describe_text(lua_State *L, const char *field, bool (*valid)(const char *),
                          const char *why)
{
    lua_getfield(L, DESCRIBE_SKILL, field);
    size_t len;
    const char *s = lua_tolstring(L, -1, &len);
    if (strlen(s) != len || !valid(s))
        describe_refuse(L, field, why);
    lua_setfield(L, DESCRIBE_OUT, field);
}

/* needs.KIND on top: a list of texts, or one. Leaves a marked list. */
static void describe_need(lua_State *L, const char *kind)
{
    lua_newtable(L);
    vm_mark(L, VM_SLOT_ARRAY);
    lua_insert(L, -2); /* list, given */
    if (lua_isstring(L, -1)) {
        lua_rawseti(L, -2, 1);
        return;
    }
    lua_Integer n = luaL_len(L, -1);
    lua_pushnil(L);
    bool list = n > 0 || !lua_next(L, -2);
    lua_settop(L, DESCRIBE_OUT + 4); /* needs, its copy, list, given */
    for (lua_Integer i = 1; i <= n && list; i++) {
        list = lua_rawgeti(L, -1, i) == LUA_TSTRING && lua_rawlen(L, -1) > 0;
        lua_rawseti(L, -3, i);
    }
    if (!list) {
        lua_pushfstring(L, "needs.%s must be a list of names, such as { \"default\" }", kind);
        describe_refuse(L, kind, lua_tostring(L, -1));
    }
    lua_pop(L, 1);
}

/* Hosts are compared as they are: with a scheme, a port or a path one would never be met. */
static bool host_plain(const char *host)
{
    const char *colon = strchr(host, ':');
    return strpbrk(host, "/ ") == NULL && (colon == NULL || strchr(colon + 1, ':') != NULL);
}

/* needs.http on top. */
static void describe_hosts(lua_State *L)
{
    lua_Integer n = luaL_len(L, -1);
    for (lua_Integer i = 1; i <= n; i++, lua_pop(L, 1)) {
        lua_rawgeti(L, -1, i);
        if (host_plain(lua_tostring(L, -1)))
            continue;
        lua_pushfstring(L,
                        "needs.http names hosts, such as { \"api.example.org\" }, without scheme, "
                        "port or path; got \"%s\"",
                        lua_tostring(L, -1));
        describe_refuse(L, "http", lua_tostring(L, -1));
    }
}

static void describe_needs(lua_State *L)
{
    lua_settop(L, DESCRIBE_OUT);
    if (lua_getfield(L, DESCRIBE_SKILL, "needs") == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
    }
    describe_shape(L, "needs", "needs", skill_needs);
    lua_newtable(L); /* needs, its copy */
    for (const struct vm_arg *row = skill_needs; row->name != NULL; row++) {
        lua_pushstring(L, row->name);
        if (lua_rawget(L, DESCRIBE_OUT + 1) == LUA_TNIL) {
            lua_pop(L, 1);
            continue;
        }
        describe_need(L, row->name);
        if (strcmp(row->name, "http") == 0)
            describe_hosts(L);
        lua_setfield(L, DESCRIBE_OUT + 2, row->name);
    }
    lua_setfield(L, DESCRIBE_OUT, "needs");
}

static void describe_examples(lua_State *L)
{
    char what[32];
    lua_settop(L, DESCRIBE_OUT);
    if (lua_getfield(L, DESCRIBE_SKILL, "examples") == LUA_TNIL)
        return;
    lua_Integer n = luaL_len(L, -1);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_pushfstring(L, "examples[%I]", i);
        strncpy(what, lua_tostring(L, -1), sizeof(what) - 1);
        what[sizeof(what) - 1] = '\0';
        lua_pop(L, 1);
        lua_rawgeti(L, -1, i);
        if (!lua_istable(L, -1))
            describe_refuse(L, "examples",
                            "examples must be a list of tables { name =, input =, output = }");
        describe_shape(L, "examples", what, skill_example);
        lua_pop(L, 1);
    }
    vm_slot_push(L, VM_SLOT_ARRAY);
    if (!lua_getmetatable(L, -2))
        lua_setmetatable(L, -2);
    lua_settop(L, DESCRIBE_OUT + 1);
    lua_setfield(L, DESCRIBE_OUT, "examples");
}

/* Schemas and examples must be JSON; said here with file and line rather than later without. */
static int describe_encode(lua_State *L)
{
    vm_bytes_reset(L, &vm.out);
    vm_json_encode(L, 1, luaL_checkstring(L, 2), 0);
    return 0;
}

static void describe_encodable(lua_State *L, const char *field)
{
    lua_pushcfunction(L, describe_encode);
    lua_getfield(L, DESCRIBE_OUT, field);
    lua_pushstring(L, field);
    int status = lua_pcall(L, 2, 0, 0);
    if (status == LUA_OK)
        return;
    vm_fatal_check(L, status);
    describe_refuse(L, field, lua_tostring(L, -1));
}

int vm_skill_describe(lua_State *L)
{
    static const char *const copied[] = {"input", "output", "description"};
    lua_settop(L, DESCRIBE_SOURCE); /* skill, name, source */
    lua_newtable(L);
    lua_pushvalue(L, DESCRIBE_SKILL);
    describe_shape(L, "name", "the skill", skill_fields);
    describe_text(L, "name", skill_name_valid,
                  "name must begin with a-z and have at most 64 of a-z, 0-9, _ and -");
    describe_text(L, "version", skill_version_valid,
                  "version must be a semantic version such as \"1.0.0\"");
    lua_pushliteral(L, "");
    lua_setfield(L, DESCRIBE_OUT, "description");
    for (size_t i = 0; i < countof(copied); i++) {
        if (lua_getfield(L, DESCRIBE_SKILL, copied[i]) == LUA_TNIL)
            lua_pop(L, 1);
        else
            lua_setfield(L, DESCRIBE_OUT, copied[i]);
    }
    describe_needs(L);
    describe_examples(L);
    static const char *const encoded[] = {"description", "input", "output", "needs", "examples"};
    for (size_t i = 0; i < countof(encoded); i++)
        describe_encodable(L, encoded[i]);
    lua_settop(L, DESCRIBE_OUT);
    return 1;
}
