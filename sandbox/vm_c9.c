/* The c9 module: one row a function. What a function sends and gets is in wire.h's list of kinds.
 */
#include <string.h>

#include "sandbox/vm-private.h"

/* Replaces nil at idx by a value of the C string. */
static void field_string(lua_State *L, int table, const char *name, const char *value)
{
    table = lua_absindex(L, table);
    lua_pushstring(L, value);
    lua_setfield(L, table, name);
}

static void field_copy(lua_State *L, int from, int to, const char *name, const char *as)
{
    lua_pushstring(L, name);
    lua_rawget(L, from);
    lua_setfield(L, to, as); /* nil: no member */
}

static bool field_true(lua_State *L, int table, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, table);
    bool is = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is;
}

static int done_nothing(lua_State *L)
{
    (void)L;
    return 0;
}

/* ---- time ------------------------------------------------------------------------------------ */

static int now_done(lua_State *L)
{
    lua_getfield(L, 1, "us");
    lua_pushnumber(L, lua_tonumber(L, -1) / 1e6); /* exact to the microsecond until the year 2255 */
    return 1;
}

static int c9_now(lua_State *L)
{
    lua_settop(L, 0);
    lua_pushnil(L);
    lua_newtable(L);
    return vm_effect(L, WIRE_KIND_NOW, now_done);
}

static int c9_sleep(lua_State *L)
{
    lua_Integer us = vm_args_duration(L, 1, "c9.sleep: the duration");
    lua_settop(L, 0);
    lua_pushnil(L);
    lua_newtable(L);
    lua_pushinteger(L, us);
    lua_setfield(L, -2, "us");
    return vm_effect(L, WIRE_KIND_SLEEP, done_nothing);
}

/* ---- signals --------------------------------------------------------------------------------- */

static const struct vm_arg wait_args[] = {{"schema", VM_ARG_TABLE, false},
                                          {"timeout", VM_ARG_NUMBER | VM_ARG_STRING, false},
                                          {NULL, 0, false}};

/* payload, {signal_id, sent_by, sent_at}. */
static int wait_done(lua_State *L)
{
    lua_getfield(L, 1, "sent_us");
    lua_pushnumber(L, lua_tonumber(L, -1) / 1e6);
    lua_setfield(L, 1, "sent_at");
    lua_pushnil(L);
    lua_setfield(L, 1, "sent_us");
    lua_settop(L, 1);
    lua_getfield(L, 1, "payload");
    lua_pushnil(L);
    lua_setfield(L, 1, "payload");
    lua_insert(L, 1);
    return 2;
}

static int c9_wait_for(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TSTRING)
        return luaL_error(L, "c9.wait_for: the signal's name must be a string, got %s",
                          luaL_typename(L, 1));
    if (lua_isnoneornil(L, 2)) {
        lua_settop(L, 1);
        lua_newtable(L);
    }
    lua_settop(L, 2);
    luaL_checktype(L, 2, LUA_TTABLE);
    vm_args_check(L, 2, "c9.wait_for", wait_args);
    lua_pushnil(L);
    lua_createtable(L, 0, 3); /* name, options, nil, request */
    lua_pushvalue(L, 1);
    lua_setfield(L, 4, "name");
    field_copy(L, 2, 4, "schema", "schema");
    if (lua_getfield(L, 2, "timeout") != LUA_TNIL) {
        lua_pushinteger(L, vm_args_duration(L, -1, "c9.wait_for: timeout"));
        lua_setfield(L, 4, "timeout_us");
    }
    lua_settop(L, 4);
    return vm_effect(L, WIRE_KIND_WAIT_FOR, wait_done);
}

/* ---- models ---------------------------------------------------------------------------------- */

static const struct vm_arg chat_args[] = {{"provider", VM_ARG_STRING, false},
                                          {"model", VM_ARG_STRING, false},
                                          {"messages", VM_ARG_TABLE, true},
                                          {"tools", VM_ARG_TABLE, false},
                                          {"tool_choice", VM_ARG_STRING | VM_ARG_TABLE, false},
                                          {"response_schema", VM_ARG_TABLE, false},
                                          {"temperature", VM_ARG_NUMBER, false},
                                          {"top_p", VM_ARG_NUMBER, false},
                                          {"max_tokens", VM_ARG_INTEGER, false},
                                          {"stop", VM_ARG_STRING | VM_ARG_TABLE, false},
                                          {"seed", VM_ARG_INTEGER, false},
                                          {"stream", VM_ARG_FUNCTION, false},
                                          {"emit", VM_ARG_BOOLEAN, false},
                                          {NULL, 0, false}};
/* Of these, the ones that go to the model as they are. */
static const char *const chat_fields[] = {"model",       "messages",        "tools",
                                          "tool_choice", "response_schema", "temperature",
                                          "top_p",       "max_tokens",      "seed"};

static void chat_messages_check(lua_State *L)
{
    lua_getfield(L, 1, "messages");
    vm_thaw(L, -1);
    lua_Integer n = luaL_len(L, -1);
    if (n == 0)
        luaL_error(L, "c9.model.chat: messages must have at least one message");
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        if (!lua_istable(L, -1))
            luaL_error(L, "c9.model.chat: messages[%I] must be a table, got %s", i,
                       luaL_typename(L, -1));
        if (lua_getfield(L, -1, "role") != LUA_TSTRING)
            luaL_error(L,
                       "c9.model.chat: messages[%I].role must be a string such as \"user\", got %s",
                       i, luaL_typename(L, -1));
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

/* stop may be one text; the model wants a list. */
static void chat_stop_copy(lua_State *L, int chat)
{
    if (lua_getfield(L, 1, "stop") == LUA_TSTRING) {
        lua_createtable(L, 1, 0);
        lua_insert(L, -2);
        lua_rawseti(L, -2, 1);
    }
    lua_setfield(L, chat, "stop");
}

static void chat_tools_copy(lua_State *L, int chat)
{
    lua_getfield(L, 1, "tools");
    if (lua_istable(L, -1)) {
        vm_thaw(L, -1);
        if (lua_rawlen(L, -1) == 0) { /* none is the same as not named */
            lua_pop(L, 1);
            lua_pushnil(L);
        }
    }
    lua_setfield(L, chat, "tools");
}

/* Members that are null are left out, so that `if answer.content` says what it seems to. */
static int chat_done(lua_State *L)
{
    for (lua_pushnil(L); lua_next(L, 1);) {
        bool null = lua_islightuserdata(L, -1);
        lua_pop(L, 1);
        if (null) {
            lua_pushvalue(L, -1);
            lua_pushnil(L);
            lua_rawset(L, 1);
        }
    }
    lua_settop(L, 1);
    return 1;
}

static int c9_model_chat(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    vm_args_check(L, 1, "c9.model.chat", chat_args);
    chat_messages_check(L);
    lua_getfield(L, 1, "stream");
    lua_createtable(L, 0, 4);
    lua_newtable(L); /* arguments, stream, request, chat */
    for (size_t i = 0; i < countof(chat_fields); i++)
        field_copy(L, 1, 4, chat_fields[i], chat_fields[i]);
    chat_stop_copy(L, 4);
    chat_tools_copy(L, 4);
    lua_setfield(L, 3, "chat");
    field_string(L, 3, "provider", "default");
    lua_getfield(L, 1, "provider");
    if (lua_isnil(L, -1))
        lua_pop(L, 1);
    else
        lua_setfield(L, 3, "provider");
    bool emit = field_true(L, 1, "emit");
    lua_pushboolean(L, emit);
    lua_setfield(L, 3, "emit");
    lua_pushboolean(L, emit || lua_isfunction(L, 2));
    lua_setfield(L, 3, "stream");
    return vm_effect(L, WIRE_KIND_MODEL_CHAT, chat_done);
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

static const struct vm_arg http_args[] = {
    {"method", VM_ARG_STRING, false},     {"url", VM_ARG_STRING, true},
    {"headers", VM_ARG_TABLE, false},     {"body", VM_ARG_STRING, false},
    {"json", VM_ARG_ANY, false},          {"timeout", VM_ARG_NUMBER | VM_ARG_STRING, false},
    {"max_bytes", VM_ARG_INTEGER, false}, {NULL, 0, false}};

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* Pushes the bytes; the text is the engine's own. */
static void base64_push(lua_State *L, const char *text, size_t len)
{
    luaL_Buffer b;
    unsigned bits = 0, n = 0;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < len; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0)
            break; /* = at the end */
        bits = bits << 6 | (unsigned)digit;
        n += 6;
        if (n >= 8) {
            n -= 8;
            luaL_addchar(&b, (char)(bits >> n & 0xFF));
        }
    }
    luaL_pushresult(&b);
}

static int response_json(lua_State *L)
{
    size_t len, at;
    if (!lua_istable(L, 1))
        return luaL_error(L, "call it as response:json()");
    lua_getfield(L, 1, "body");
    const char *body = luaL_checklstring(L, -1, &len);
    const char *why = vm_json_decode(L, body, len, &at);
    if (why != NULL)
        return luaL_error(L, "response:json(): the body is not JSON: %s (byte %I)", why,
                          (lua_Integer)at);
    return 1;
}

static int http_done(lua_State *L)
{
    size_t len;
    if (lua_getfield(L, 1, "body_base64") == LUA_TSTRING) {
        const char *text = lua_tolstring(L, -1, &len);
        base64_push(L, text, len);
        lua_setfield(L, 1, "body");
        lua_pushnil(L);
        lua_setfield(L, 1, "body_base64");
    }
    lua_settop(L, 1);
    vm_mark(L, VM_SLOT_RESPONSE);
    return 1;
}

/* Pushes a copy of headers, all text. */
static void http_headers_push(lua_State *L)
{
    lua_newtable(L);
    int to = lua_gettop(L);
    lua_getfield(L, 1, "headers");
    if (lua_istable(L, -1)) {
        vm_thaw(L, -1);
        for (lua_pushnil(L); lua_next(L, to + 1); lua_pop(L, 1)) {
            if (lua_type(L, -2) != LUA_TSTRING || !lua_isstring(L, -1))
                luaL_error(L,
                           "c9.http.request: headers must be names with a string or number each");
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_tostring(L, -1);
            lua_rawset(L, to);
        }
    }
    lua_settop(L, to);
}

/* Arguments at 1, request at 3: json becomes the body and its type. */
static void http_json_copy(lua_State *L)
{
    lua_getfield(L, 1, "json");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    lua_getfield(L, 1, "body");
    if (!lua_isnil(L, -1))
        luaL_error(L, "c9.http.request: give body or json, not both");
    lua_pop(L, 1);
    vm_bytes_reset(L, &vm.out);
    vm_json_encode(L, -1, "c9.http.request: json", 0);
    lua_pushlstring(L, vm.out.data, vm.out.len);
    lua_setfield(L, 3, "body");
    lua_getfield(L, 3, "headers");
    bool typed = false;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        typed = typed || strcasecmp(lua_tostring(L, -2), "content-type") == 0;
    if (!typed)
        field_string(L, -1, "content-type", "application/json");
    lua_pop(L, 2);
}

static int c9_http_request(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    vm_args_check(L, 1, "c9.http.request", http_args);
    lua_pushnil(L);
    lua_createtable(L, 0, 6); /* arguments, nil, request */
    field_string(L, 3, "method", "GET");
    if (lua_getfield(L, 1, "method") != LUA_TNIL)
        lua_setfield(L, 3, "method");
    lua_settop(L, 3);
    field_copy(L, 1, 3, "url", "url");
    field_copy(L, 1, 3, "body", "body");
    field_copy(L, 1, 3, "max_bytes", "max_bytes");
    http_headers_push(L);
    lua_setfield(L, 3, "headers");
    http_json_copy(L);
    if (lua_getfield(L, 1, "timeout") != LUA_TNIL) {
        lua_pushinteger(L, vm_args_duration(L, -1, "c9.http.request: timeout"));
        lua_setfield(L, 3, "timeout_us");
    }
    lua_settop(L, 3);
    return vm_effect(L, WIRE_KIND_HTTP_REQUEST, http_done);
}

/* ---- agents ---------------------------------------------------------------------------------- */

static const struct vm_arg agent_args[] = {{"version", VM_ARG_STRING, false},
                                           {"timeout", VM_ARG_NUMBER | VM_ARG_STRING, false},
                                           {"label", VM_ARG_STRING, false},
                                           {NULL, 0, false}};

/* output, {execution_id}: and whatever else the engine tells. */
static int agent_done(lua_State *L)
{
    lua_getfield(L, 1, "output");
    lua_pushnil(L);
    lua_setfield(L, 1, "output");
    lua_insert(L, 1);
    return 2;
}

static int c9_agents_execute(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TSTRING)
        return luaL_error(L,
                          "c9.agents.execute: the agent must be a string (its name or id), got %s",
                          luaL_typename(L, 1));
    if (lua_isnoneornil(L, 3)) {
        lua_settop(L, 2);
        lua_newtable(L);
    }
    lua_settop(L, 3);
    luaL_checktype(L, 3, LUA_TTABLE);
    vm_args_check(L, 3, "c9.agents.execute", agent_args);
    lua_pushnil(L);
    lua_createtable(L, 0, 3); /* agent, input, options, nil, request */
    lua_pushvalue(L, 1);
    lua_setfield(L, 5, "agent");
    if (lua_isnil(L, 2))
        lua_pushlightuserdata(L, NULL);
    else
        lua_pushvalue(L, 2);
    lua_setfield(L, 5, "input");
    if (lua_getfield(L, 3, "version") == LUA_TNIL)
        lua_pushlightuserdata(L, NULL);
    lua_setfield(L, 5, "version");
    field_copy(L, 3, 5, "label", "label");
    if (lua_getfield(L, 3, "timeout") != LUA_TNIL) {
        lua_pushinteger(L, vm_args_duration(L, -1, "c9.agents.execute: timeout"));
        lua_setfield(L, 5, "timeout_us");
    }
    lua_settop(L, 5);
    return vm_effect(L, WIRE_KIND_AGENT_EXECUTE, agent_done);
}

/* ---- secrets --------------------------------------------------------------------------------- */

static int secret_done(lua_State *L)
{
    lua_getfield(L, 1, "reference");
    return 1;
}

static int c9_secret(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TSTRING)
        return luaL_error(L, "c9.secret: the name must be a string, got %s", luaL_typename(L, 1));
    lua_settop(L, 1);
    lua_pushnil(L);
    lua_createtable(L, 0, 1); /* name, nil, request */
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "name");
    return vm_effect(L, WIRE_KIND_SECRET, secret_done);
}

/* ---- validation ------------------------------------------------------------------------------ */

/* true, or false and the list of {path, message}. */
static int validate_done(lua_State *L)
{
    lua_getfield(L, 1, "valid");
    if (lua_toboolean(L, -1))
        return 1;
    lua_getfield(L, 1, "errors");
    return 2;
}

/* The value is on top; name: of the skill, or NULL. */
static int validate(lua_State *L, const char *name)
{
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushlightuserdata(L, NULL);
    }
    lua_pushnil(L);
    lua_createtable(L, 0, 3); /* value, nil, request */
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "value");
    field_string(L, -1, "of", name != NULL ? "skill" : "output");
    if (name != NULL)
        field_string(L, -1, "name", name);
    return vm_effect(L, WIRE_KIND_VALIDATE, validate_done);
}

static int c9_skills_validate(lua_State *L)
{
    lua_settop(L, 2);
    return validate(L, luaL_checkstring(L, 1));
}

static int c9_validate_output(lua_State *L)
{
    lua_settop(L, 1);
    return validate(L, NULL);
}

/* ---- the table ------------------------------------------------------------------------------- */

/* c9.random is math.random, c9.json is opened by vm_json.c, c9.null is a value. */
const struct vm_binding vm_c9_bindings[] = {
    {"agents.execute", c9_agents_execute},
    {"all", vm_task_all},
    {"emit", vm_notice_emit},
    {"http.request", c9_http_request},
    {"json.array", vm_json_array},
    {"json.decode", vm_json_decode_text},
    {"json.encode", vm_json_encode_text},
    {"log.debug", vm_notice_debug},
    {"log.error", vm_notice_error},
    {"log.info", vm_notice_info},
    {"log.warn", vm_notice_warn},
    {"model.chat", c9_model_chat},
    {"now", c9_now},
    {"random", vm_random},
    {"secret", c9_secret},
    {"skills.call", vm_skill_call},
    {"skills.list", vm_skill_list},
    {"skills.validate", c9_skills_validate},
    {"sleep", c9_sleep},
    {"uuid", vm_random_uuid},
    {"validate_output", c9_validate_output},
    {"wait_for", c9_wait_for},
    {NULL, NULL},
};

static void response_open(lua_State *L)
{
    lua_newtable(L);
    lua_newtable(L);
    lua_pushcfunction(L, response_json);
    lua_setfield(L, -2, "json");
    vm_freeze(L, false);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "c9.response");
    lua_setfield(L, -2, "__metatable");
    lua_rawseti(L, LUA_REGISTRYINDEX, VM_SLOT(VM_SLOT_RESPONSE));
}

void vm_c9_open(lua_State *L, int globals)
{
    response_open(L);
    lua_newtable(L);
    for (const struct vm_binding *row = vm_c9_bindings; row->name != NULL; row++) {
        const char *dot = strchr(row->name, '.');
        lua_pushvalue(L, -1);
        if (dot != NULL) {
            lua_pushlstring(L, row->name, (size_t)(dot - row->name));
            luaL_getsubtable(L, -2, lua_tostring(L, -1)); /* c9, c9, name, c9.name */
        }
        lua_pushcfunction(L, row->fn);
        lua_setfield(L, -2, dot != NULL ? dot + 1 : row->name);
        lua_pop(L, dot != NULL ? 3 : 1);
    }
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    vm_freeze(L, true);
    lua_setfield(L, globals, "c9");
}
