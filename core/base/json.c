/* Strict decoding on jansson. */
#include "base/json.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

struct place {
    size_t line, column;
};

/* A member that found no memory would be missing without a word, in what is stored too. */
__attribute__((constructor)) static void allocation_set(void)
{
    json_set_alloc_funcs(xmalloc, free);
}

static struct place place_of(const char *text, size_t at)
{
    struct place p = {.line = 1, .column = 1};
    for (size_t i = 0; i < at; i++) {
        p.column = text[i] == '\n' ? 1 : p.column + 1;
        p.line += text[i] == '\n';
    }
    return p;
}

/* Where nesting exceeds JX_DEPTH_MAX, or len. jansson itself would recurse 2,048 deep. The text
 * may be malformed: then the answer is of no interest, as jansson refuses it. */
static size_t depth_exceeded_at(const char *text, size_t len)
{
    size_t depth = 0;
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '"':
            for (i++; i < len && text[i] != '"'; i++)
                i += text[i] == '\\';
            break;
        case '[':
        case '{':
            if (++depth > JX_DEPTH_MAX)
                return i;
            break;
        case ']':
        case '}':
            depth -= depth > 0;
            break;
        default:
            break;
        }
    }
    return len;
}

/* Measured with jansson 2.14 on glibc: an empty object or array with its table, an element with its
 * place, a member with its key. Strings are counted by the length of the text. */
enum { WEIGHT_VALUE = 96, WEIGHT_ARRAY = 192, WEIGHT_OBJECT = 320, WEIGHT_MEMBER = 96 };

size_t jx_weight(const char *text, size_t len)
{
    static const uint16_t weights[256] = {
        [','] = WEIGHT_VALUE, ['['] = WEIGHT_ARRAY, ['{'] = WEIGHT_OBJECT, [':'] = WEIGHT_MEMBER};
    size_t weight = len + WEIGHT_VALUE;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            for (i++; i < len && text[i] != '"'; i++)
                i += text[i] == '\\';
        else
            weight += weights[(unsigned char)text[i]];
    }
    return weight;
}

json_t *jx_decode(const char *text, size_t len, const char *what, struct error *err)
{
    /* jansson drops a NUL that ends a number. */
    const char *nul = len > 0 ? memchr(text, '\0', len) : NULL;
    if (nul != NULL) {
        struct place p = place_of(text, (size_t)(nul - text));
        error_set(err, E_INVALID_REQUEST, "%s: line %zu, column %zu: NUL byte", what, p.line,
                  p.column);
        return NULL;
    }
    size_t deep = depth_exceeded_at(text, len);
    if (deep < len) {
        struct place p = place_of(text, deep);
        error_set(err, E_INVALID_REQUEST, "%s: line %zu, column %zu: nested deeper than %d levels",
                  what, p.line, p.column, JX_DEPTH_MAX);
        return NULL;
    }
    json_error_t at;
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at);
    if (value == NULL)
        error_set(err, E_INVALID_REQUEST, "%s: line %d, column %d: %s", what,
                  at.line > 0 ? at.line : 1, at.column > 0 ? at.column : 1,
                  json_error_code(&at) == json_error_null_character
                      ? "a text with \\u0000 is not taken"
                      : at.text);
    return value;
}

const char *jx_str(const json_t *object, const char *key, const char *otherwise)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s != NULL ? s : otherwise;
}

int64_t jx_int(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool jx_bool(const json_t *object, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

json_t *jx_text(const char *s, size_t len)
{
    json_t *whole = json_stringn(s, len);
    if (whole != NULL)
        return whole;
    buf_auto text = BUF_INIT;
    for (size_t n; len > 0; s += n, len -= n) {
        n = utf8_char_len(s, len);
        if (n > 0) {
            buf_append(&text, s, n);
        } else {
            buf_append_str(&text, "\xEF\xBF\xBD");
            n = 1;
        }
    }
    return json_stringn(text.data, text.len);
}

void jx_pointer_append(struct buf *pointer, const char *name, size_t len)
{
    buf_append_char(pointer, '/');
    for (const char *end = name + len; name < end; name++) {
        if (*name == '~')
            buf_append_str(pointer, "~0");
        else if (*name == '/')
            buf_append_str(pointer, "~1");
        else
            buf_append_char(pointer, *name);
    }
}

bool jx_pointer_valid(const char *pointer, size_t len)
{
    if (len > 0 && *pointer != '/')
        return false;
    for (size_t i = 0; i < len; i++)
        if (pointer[i] == '~' && (i + 1 == len || (pointer[i + 1] != '0' && pointer[i + 1] != '1')))
            return false;
    return true;
}

/* An index has neither sign nor leading zeros. */
static const json_t *pointer_item(const json_t *array, const char *index, size_t len)
{
    bool valid =
        len > 0 && len < 10 && strspn(index, "0123456789") >= len && (len == 1 || *index != '0');
    return valid ? json_array_get(array, strtoul(index, NULL, 10)) : NULL;
}

const json_t *jx_pointer_step(const json_t *value, const char **pointer)
{
    const char *token = *pointer + 1, *end = token + strcspn(token, "/");
    *pointer = end;
    if (!json_is_object(value))
        return pointer_item(value, token, (size_t)(end - token));
    autofree char *name = xstrndup(token, (size_t)(end - token));
    char *to = name;
    for (const char *from = name; *from != '\0'; from++)
        *to++ = *from != '~' ? *from : *++from == '1' ? '/' : '~';
    *to = '\0';
    return json_object_get(value, name);
}

const json_t *jx_pointer_get(const json_t *value, const char *pointer)
{
    if (!jx_pointer_valid(pointer, strlen(pointer)))
        return NULL;
    while (value != NULL && *pointer != '\0')
        value = jx_pointer_step(value, &pointer);
    return value;
}

/* Exact: converting the integer would make 2^53+1 equal to 2^53. */
static bool number_equal(json_int_t i, double d)
{
    return d >= -0x1p63 && d < 0x1p63 && (json_int_t)d == i && (double)(json_int_t)d == d;
}

static bool array_equal(const json_t *a, const json_t *b)
{
    size_t n = json_array_size(a);
    if (n != json_array_size(b))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!jx_equal(json_array_get(a, i), json_array_get(b, i)))
            return false;
    return true;
}

static bool object_equal(const json_t *a, const json_t *b)
{
    if (json_object_size(a) != json_object_size(b))
        return false;
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)a, key, value) {
        const json_t *other = json_object_get(b, key);
        if (other == NULL || !jx_equal(value, other))
            return false;
    }
    return true;
}

bool jx_equal(const json_t *a, const json_t *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (json_is_integer(a) && json_is_real(b))
        return number_equal(json_integer_value(a), json_real_value(b));
    if (json_is_real(a) && json_is_integer(b))
        return number_equal(json_integer_value(b), json_real_value(a));
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_array(a))
        return array_equal(a, b);
    if (json_is_object(a))
        return object_equal(a, b);
    return json_equal(a, b);
}

/* result is ours alone and an object. */
static void merge_into(json_t *result, const json_t *patch)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)patch, key, value) {
        if (json_is_null(value)) {
            json_object_del(result, key);
        } else if (json_is_object(value)) {
            json_t *member = json_object_get(result, key);
            if (!json_is_object(member)) {
                member = json_object();
                json_object_set_new(result, key, member);
            }
            merge_into(member, value);
        } else {
            json_object_set_new(result, key, json_deep_copy(value));
        }
    }
}

json_t *jx_merge_patch(const json_t *target, const json_t *patch)
{
    if (!json_is_object(patch))
        return json_deep_copy(patch);
    json_t *result = json_is_object(target) ? json_deep_copy(target) : json_object();
    merge_into(result, patch);
    return result;
}
