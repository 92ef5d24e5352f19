/* JSON, straight from Lua values to vm.out and from text to Lua values.
 *
 * Which table is an array: one that is marked (every decoded array is, and what c9.json.array
 * made), and every other that has the keys 1 … n and no more, n > 0. All others are objects, {}
 * too. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "sandbox/vm-private.h"

/* Where the encoder is: a chain on the C stack, for the message and to see a cycle. */
struct place {
    const struct place *up;
    const void *table;
    const char *key; /* NULL: index */
    lua_Integer index;
    int depth;
};

struct encoder {
    lua_State *L;
    const char *what;
    unsigned flags;
};

static void place_write(const struct place *place, const char *what, luaL_Buffer *b)
{
    if (place == NULL) {
        luaL_addstring(b, what);
        return;
    }
    place_write(place->up, what, b);
    char index[32];
    if (place->key == NULL) {
        snprintf(index, sizeof(index), "[%lld]", (long long)place->index);
        luaL_addstring(b, index);
        return;
    }
    luaL_addchar(b, '.');
    luaL_addlstring(b, place->key, strnlen(place->key, VM_NAME_MAX));
}

static _Noreturn void encode_refuse(const struct encoder *e, const struct place *place,
                                    const char *why)
{
    luaL_Buffer b;
    luaL_where(e->L, 1);
    luaL_buffinit(e->L, &b);
    place_write(place, e->what, &b);
    luaL_addstring(&b, " ");
    luaL_addstring(&b, why);
    luaL_pushresult(&b);
    lua_concat(e->L, 2);
    lua_error(e->L);
    __builtin_unreachable();
}

static bool encode_lenient(const struct encoder *e)
{
    return (e->flags & VM_JSON_LENIENT) != 0;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* Bytes from s that need neither escape nor replacement. */
static size_t text_plain_len(const unsigned char *s, size_t len)
{
    size_t n = 0;
    while (n < len) {
        if (s[n] >= 0x20 && s[n] < 0x80 && s[n] != '"' && s[n] != '\\') {
            n++;
            continue;
        }
        size_t c = s[n] < 0x80 ? 0 : utf8_char_len((const char *)s + n, len - n);
        if (c == 0)
            break;
        n += c;
    }
    return n;
}

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

void vm_text_push(lua_State *L, const char *s, size_t len)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    while (len > 0) {
        size_t n = utf8_char_len(s, len);
        if (n == 0 || s[0] == '\0')
            luaL_addstring(&b, replacement);
        else
            luaL_addlstring(&b, s, n);
        n = n == 0 ? 1 : n;
        s += n;
        len -= n;
    }
    luaL_pushresult(&b);
}

static void encode_escape(const struct encoder *e, unsigned char c)
{
    static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *p = names; *p != '\0'; p += 2)
        if ((unsigned char)p[0] == c) {
            char escape[2] = {'\\', p[1]};
            vm_bytes_put(e->L, &vm.out, escape, 2);
            return;
        }
    char escape[7];
    snprintf(escape, sizeof(escape), "\\u%04x", c);
    vm_bytes_put(e->L, &vm.out, escape, 6);
}

static void encode_text(const struct encoder *e, const struct place *place, const char *s,
                        size_t len)
{
    vm_bytes_char(e->L, &vm.out, '"');
    for (size_t i = 0; i < len;) {
        size_t n = text_plain_len((const unsigned char *)s + i, len - i);
        vm_bytes_put(e->L, &vm.out, s + i, n);
        i += n;
        if (i == len)
            break;
        unsigned char c = (unsigned char)s[i++];
        if (c < 0x80 && c != 0)
            encode_escape(e, c);
        else if (encode_lenient(e))
            vm_bytes_put(e->L, &vm.out, replacement, 3);
        else
            encode_refuse(e, place,
                          c == 0 ? "has a NUL byte; text must not"
                                 : "is not valid UTF-8; JSON holds text only");
    }
    vm_bytes_char(e->L, &vm.out, '"');
}

/* ---- encoding -------------------------------------------------------------------------------- */

static void encode_value(const struct encoder *e, int idx, const struct place *place);

/* What JSON has no word for, as text. */
static void encode_odd(const struct encoder *e, int idx, const struct place *place, const char *why)
{
    if (!encode_lenient(e))
        encode_refuse(e, place, why);
    size_t len;
    luaL_checkstack(e->L, 4, NULL);
    const char *s = vm_tostring(e->L, idx, &len);
    encode_text(e, place, s, len);
    lua_pop(e->L, 1);
}

static void encode_number(const struct encoder *e, int idx, const struct place *place)
{
    char text[40];
    int len;
    if (lua_isinteger(e->L, idx)) {
        len = snprintf(text, sizeof(text), "%lld", (long long)lua_tointeger(e->L, idx));
    } else {
        double n = lua_tonumber(e->L, idx);
        if (!isfinite(n)) {
            encode_odd(e, idx, place, isnan(n) ? "is not a number (NaN)" : "is infinite");
            return;
        }
        /* The shortest of these that reads back as the same number; 17 digits always do. */
        for (int digits = 15; digits <= 17; digits++) {
            len = snprintf(text, sizeof(text), "%.*g", digits, n);
            if (strtod(text, NULL) == n)
                break;
        }
        if (strpbrk(text, ".e") == NULL) /* stays a float where it is read */
            len += snprintf(text + len, sizeof(text) - len, ".0");
    }
    vm_bytes_put(e->L, &vm.out, text, (size_t)len);
}

static void encode_array(const struct encoder *e, int idx, const struct place *place, lua_Integer n)
{
    struct place here = {.up = place, .depth = place ? place->depth + 1 : 1};
    here.table = lua_topointer(e->L, idx);
    vm_bytes_char(e->L, &vm.out, '[');
    for (lua_Integer i = 1; i <= n; i++) {
        here.index = i;
        if (i > 1)
            vm_bytes_char(e->L, &vm.out, ',');
        lua_rawgeti(e->L, idx, i);
        encode_value(e, lua_gettop(e->L), &here);
        lua_pop(e->L, 1);
    }
    vm_bytes_char(e->L, &vm.out, ']');
}

static void encode_object(const struct encoder *e, int idx, const struct place *place)
{
    lua_State *L = e->L;
    struct place here = {.up = place, .depth = place ? place->depth + 1 : 1};
    here.table = lua_topointer(L, idx);
    lua_Integer n = vm_keys_push(L, idx); /* … keys */
    vm_bytes_char(L, &vm.out, '{');
    for (lua_Integer i = 1; i <= n; i++) {
        if (i > 1)
            vm_bytes_char(L, &vm.out, ',');
        lua_rawgeti(L, -1, i); /* … keys, key */
        size_t len;
        const char *key;
        if (lua_type(L, -1) == LUA_TSTRING) {
            key = lua_tolstring(L, -1, &len);
            lua_pushvalue(L, -1); /* … keys, key, text */
        } else {
            key = vm_tostring(L, -1, &len);
        }
        here.key = key;
        encode_text(e, &here, key, len);
        vm_bytes_char(L, &vm.out, ':');
        lua_pushvalue(L, -2);
        lua_rawget(L, idx); /* … keys, key, text, value */
        encode_value(e, lua_gettop(L), &here);
        lua_pop(L, 3);
    }
    lua_pop(L, 1);
    vm_bytes_char(L, &vm.out, '}');
}

/* What keys a table has. */
struct shape {
    lua_Integer in_sequence, strings, others;
};
static struct shape json_shape(lua_State *L, int idx, lua_Integer n)
{
    struct shape shape = {0};
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            shape.strings++;
        } else if (lua_isinteger(L, -2)) {
            lua_Integer key = lua_tointeger(L, -2);
            *(key >= 1 && key <= n ? &shape.in_sequence : &shape.others) += 1;
        } else {
            shape.others++;
        }
    }
    return shape;
}

static void encode_table(const struct encoder *e, int idx, const struct place *place)
{
    lua_State *L = e->L;
    vm_thaw(L, idx);
    const void *table = lua_topointer(L, idx);
    for (const struct place *p = place; p != NULL; p = p->up)
        if (p->table == table) {
            encode_odd(e, idx, place, "is a table that contains itself");
            return;
        }
    if (place != NULL && place->depth >= VM_DEPTH_MAX) {
        encode_odd(e, idx, place, "is nested too deeply; JSON here has at most 64 levels");
        return;
    }
    luaL_checkstack(L, 12, "value is nested too deeply");
    lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
    bool marked = vm_marked(L, idx, VM_SLOT_ARRAY);
    struct shape shape = json_shape(L, idx, n);
    bool sequence = shape.in_sequence == n && shape.strings == 0 && shape.others == 0;
    if (sequence && (n > 0 || marked))
        encode_array(e, idx, place, n);
    else if (encode_lenient(e) || (shape.in_sequence == 0 && shape.others == 0 && !marked))
        encode_object(e, idx, place);
    else if (shape.strings > 0 && (marked || shape.in_sequence > 0))
        encode_refuse(e, place, "has both string keys and array items; use one kind of key");
    else if (shape.strings == 0 && (marked || shape.in_sequence > 0))
        encode_refuse(e, place, "is an array with holes; its keys must be 1, 2, 3 without gaps");
    else
        encode_refuse(e, place, "has keys that are neither strings nor 1, 2, 3 and so on");
}

static void encode_value(const struct encoder *e, int idx, const struct place *place)
{
    switch (lua_type(e->L, idx)) {
    case LUA_TNIL:
        vm_bytes_put(e->L, &vm.out, "null", 4);
        break;
    case LUA_TBOOLEAN: {
        bool b = lua_toboolean(e->L, idx);
        vm_bytes_put(e->L, &vm.out, b ? "true" : "false", b ? 4 : 5);
        break;
    }
    case LUA_TNUMBER:
        encode_number(e, idx, place);
        break;
    case LUA_TSTRING: {
        size_t len;
        const char *s = lua_tolstring(e->L, idx, &len);
        encode_text(e, place, s, len);
        break;
    }
    case LUA_TTABLE:
        encode_table(e, idx, place);
        break;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(e->L, idx) == NULL) { /* c9.null */
            vm_bytes_put(e->L, &vm.out, "null", 4);
            break;
        } /* fallthrough */
    case LUA_TFUNCTION:
        encode_odd(e, idx, place, "is a function; JSON has none");
        break;
    default:
        encode_odd(e, idx, place, "is a coroutine; JSON has none");
    }
}

void vm_json_encode(lua_State *L, int idx, const char *what, unsigned flags)
{
    luaL_checkstack(L, 12, NULL);
    lua_pushvalue(L, idx);
    struct encoder e = {.L = L, .what = what, .flags = flags};
    encode_value(&e, lua_gettop(L), NULL);
    lua_pop(L, 1);
}

/* ---- decoding -------------------------------------------------------------------------------- */

struct decoder {
    lua_State *L;
    const char *at, *end;
    int depth;
    const char *why;
};

static bool decode_value(struct decoder *d);

static bool decode_refuse(struct decoder *d, const char *why)
{
    d->why = why;
    return false;
}

static void decode_space(struct decoder *d)
{
    while (d->at < d->end && (*d->at == ' ' || *d->at == '\t' || *d->at == '\n' || *d->at == '\r'))
        d->at++;
}

static bool decode_char(struct decoder *d, char c)
{
    decode_space(d);
    if (d->at == d->end || *d->at != c)
        return false;
    d->at++;
    return true;
}

static int decode_hex4(struct decoder *d)
{
    int value = 0;
    if (d->end - d->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = *d->at++;
        int digit = c >= '0' && c <= '9'                 ? c - '0'
                    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                         : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static bool decode_unicode(struct decoder *d, luaL_Buffer *b)
{
    long c = decode_hex4(d);
    if (c >= 0xD800 && c <= 0xDBFF) {
        long low = -1;
        if (d->end - d->at >= 2 && d->at[0] == '\\' && d->at[1] == 'u') {
            d->at += 2;
            low = decode_hex4(d);
        }
        if (low < 0xDC00 || low > 0xDFFF)
            return decode_refuse(d, "half of a surrogate pair");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    if (c < 0)
        return decode_refuse(d, "\\u needs four hexadecimal digits");
    if (c >= 0xDC00 && c <= 0xDFFF)
        return decode_refuse(d, "half of a surrogate pair");
    char utf8[4];
    int n = 0;
    if (c < 0x80) {
        utf8[n++] = (char)c;
    } else if (c < 0x800) {
        utf8[n++] = (char)(0xC0 | c >> 6);
    } else if (c < 0x10000) {
        utf8[n++] = (char)(0xE0 | c >> 12);
        utf8[n++] = (char)(0x80 | (c >> 6 & 0x3F));
    } else {
        utf8[n++] = (char)(0xF0 | c >> 18);
        utf8[n++] = (char)(0x80 | (c >> 12 & 0x3F));
        utf8[n++] = (char)(0x80 | (c >> 6 & 0x3F));
    }
    if (c >= 0x80)
        utf8[n++] = (char)(0x80 | (c & 0x3F));
    luaL_addlstring(b, utf8, (size_t)n);
    return true;
}

static bool decode_escape(struct decoder *d, luaL_Buffer *b)
{
    static const char names[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    if (d->at == d->end)
        return decode_refuse(d, "text without its closing quote");
    char c = *d->at++;
    if (c == 'u')
        return decode_unicode(d, b);
    for (const char *p = names; *p != '\0'; p += 2)
        if (p[0] == c) {
            luaL_addchar(b, p[1]);
            return true;
        }
    return decode_refuse(d, "unknown escape");
}

static bool decode_escaped(struct decoder *d, luaL_Buffer *b)
{
    for (;;) {
        const char *from = d->at;
        size_t n = text_plain_len((const unsigned char *)from, (size_t)(d->end - from));
        luaL_addlstring(b, from, n);
        d->at += n;
        if (d->at == d->end)
            return decode_refuse(d, "text without its closing quote");
        unsigned char c = (unsigned char)*d->at++;
        if (c == '"')
            return true;
        if (c != '\\')
            return decode_refuse(d, c < 0x20 ? "control character in text" : "invalid UTF-8");
        if (!decode_escape(d, b))
            return false;
    }
}

/* Behind the opening quote; pushes the string. */
static bool decode_string(struct decoder *d)
{
    const char *from = d->at;
    d->at += text_plain_len((const unsigned char *)from, (size_t)(d->end - from));
    if (d->at < d->end && *d->at == '"') { /* the usual case: nothing to unescape */
        lua_pushlstring(d->L, from, (size_t)(d->at++ - from));
        return true;
    }
    luaL_Buffer b;
    luaL_buffinit(d->L, &b);
    luaL_addlstring(&b, from, (size_t)(d->at - from));
    bool fine = decode_escaped(d, &b);
    /* Also when it failed: a large buffer is a to-be-closed slot, and in Lua 5.4.4 lua_settop
     * across one may use a pointer into a stack that has moved. */
    luaL_pushresult(&b);
    return fine;
}

static bool digits_skip(struct decoder *d)
{
    const char *from = d->at;
    while (d->at < d->end && *d->at >= '0' && *d->at <= '9')
        d->at++;
    return d->at > from;
}

/* Moves behind a number of JSON's grammar; whether it is written as an integer in *integer_r. */
static bool number_scan(struct decoder *d, bool *integer_r)
{
    *integer_r = true;
    if (*d->at == '-')
        d->at++;
    const char *first = d->at;
    if (!digits_skip(d) || (*first == '0' && d->at - first > 1))
        return false;
    if (d->at < d->end && *d->at == '.') {
        *integer_r = false;
        d->at++;
        if (!digits_skip(d))
            return false;
    }
    if (d->at < d->end && (*d->at | 32) == 'e') {
        *integer_r = false;
        d->at++;
        if (d->at < d->end && (*d->at == '+' || *d->at == '-'))
            d->at++;
        if (!digits_skip(d))
            return false;
    }
    return true;
}

static bool decode_number(struct decoder *d)
{
    const char *from = d->at;
    bool integer;
    if (!number_scan(d, &integer))
        return decode_refuse(d, "malformed number");
    /* Lua's own reading: an integer when it fits 64 bits, a float otherwise. */
    lua_pushlstring(d->L, from, (size_t)(d->at - from));
    const char *text = lua_tostring(d->L, -1);
    if (!integer || lua_stringtonumber(d->L, text) == 0)
        lua_pushnumber(d->L, strtod(text, NULL));
    lua_remove(d->L, -2);
    if (!isfinite(lua_tonumber(d->L, -1)))
        return decode_refuse(d, "number too large");
    return true;
}

static bool decode_array(struct decoder *d)
{
    lua_newtable(d->L);
    vm_mark(d->L, VM_SLOT_ARRAY);
    if (decode_char(d, ']'))
        return true;
    for (lua_Integer i = 1;; i++) {
        if (!decode_value(d)) /* array, value */
            return false;
        lua_rawseti(d->L, -2, i);
        if (decode_char(d, ']'))
            return true;
        if (!decode_char(d, ','))
            return decode_refuse(d, "expected , or ] in an array");
    }
}

static bool decode_member(struct decoder *d)
{
    if (!decode_char(d, '"'))
        return decode_refuse(d, "expected a member's name in quotes");
    if (!decode_string(d)) /* object, key */
        return false;
    lua_pushvalue(d->L, -1);
    if (lua_rawget(d->L, -3) != LUA_TNIL)
        return decode_refuse(d, "a member's name appears twice");
    lua_pop(d->L, 1);
    if (!decode_char(d, ':'))
        return decode_refuse(d, "expected : behind a member's name");
    if (!decode_value(d)) /* object, key, value */
        return false;
    lua_rawset(d->L, -3);
    return true;
}

static bool decode_object(struct decoder *d)
{
    lua_newtable(d->L);
    if (decode_char(d, '}'))
        return true;
    for (;;) {
        if (!decode_member(d))
            return false;
        if (decode_char(d, '}'))
            return true;
        if (!decode_char(d, ','))
            return decode_refuse(d, "expected , or } in an object");
    }
}

static bool decode_nested(struct decoder *d, bool (*decode)(struct decoder *))
{
    d->at++;
    if (++d->depth > VM_DEPTH_MAX + 8) /* what the engine wraps round a value of full depth */
        return decode_refuse(d, "nested too deeply");
    luaL_checkstack(d->L, 8, NULL);
    bool fine = decode(d);
    d->depth--;
    return fine;
}

static bool decode_word(struct decoder *d)
{
    static const struct {
        const char *word;
        size_t len;
    } words[] = {{"null", 4}, {"true", 4}, {"false", 5}};
    for (size_t i = 0; i < countof(words); i++) {
        if ((size_t)(d->end - d->at) < words[i].len ||
            memcmp(d->at, words[i].word, words[i].len) != 0)
            continue;
        d->at += words[i].len;
        if (i == 0)
            lua_pushlightuserdata(d->L, NULL);
        else
            lua_pushboolean(d->L, i == 1);
        return true;
    }
    return decode_refuse(d, "expected a value");
}

static bool decode_value(struct decoder *d)
{
    decode_space(d);
    if (d->at == d->end)
        return decode_refuse(d, "the text ends where a value is expected");
    char c = *d->at;
    if (c == '{')
        return decode_nested(d, decode_object);
    if (c == '[')
        return decode_nested(d, decode_array);
    if (c == '"') {
        d->at++;
        return decode_string(d);
    }
    if (c == '-' || (c >= '0' && c <= '9'))
        return decode_number(d);
    return decode_word(d);
}

const char *vm_json_decode(lua_State *L, const char *text, size_t len, size_t *at_r)
{
    struct decoder d = {.L = L, .at = text, .end = text + len};
    int top = lua_gettop(L);
    luaL_checkstack(L, 8, NULL);
    bool fine = decode_value(&d);
    if (fine) {
        decode_space(&d);
        if (d.at != d.end)
            fine = decode_refuse(&d, "something behind the value");
    }
    *at_r = (size_t)(d.at - text);
    if (fine)
        return NULL;
    lua_settop(L, top);
    return d.why;
}

/* ---- c9.json --------------------------------------------------------------------------------- */

int vm_json_encode_text(lua_State *L)
{
    luaL_checkany(L, 1);
    vm_bytes_reset(L, &vm.out);
    vm_json_encode(L, 1, "value", 0);
    lua_pushlstring(L, vm.out.data, vm.out.len);
    vm_bytes_reset(L, &vm.out);
    return 1;
}

int vm_json_decode_text(lua_State *L)
{
    size_t len, at, line = 1;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *why = vm_json_decode(L, text, len, &at);
    if (why == NULL)
        return 1;
    for (size_t i = 0; i < at; i++)
        line += text[i] == '\n';
    return luaL_error(L, "c9.json.decode: %s (line %d, byte %d)", why, (int)line, (int)at);
}

int vm_json_array(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    if (vm_frozen(L, 1))
        return luaL_error(L, "c9.json.array: the table is read-only");
    if (lua_getmetatable(L, 1) && !vm_marked(L, 1, VM_SLOT_ARRAY))
        return luaL_error(L, "c9.json.array: the table has another metatable");
    lua_settop(L, 1);
    vm_mark(L, VM_SLOT_ARRAY);
    return 1;
}

void vm_json_open(lua_State *L)
{
    lua_newtable(L);
    lua_pushliteral(L, "array");
    lua_setfield(L, -2, "__name");
    lua_rawseti(L, LUA_REGISTRYINDEX, VM_SLOT(VM_SLOT_ARRAY));
}
