/* The one JSON encoder: straight into a buffer, reals as the shortest text that reads back. */
#include "base/json.h"

#include <math.h>
#include <string.h>

enum { NUMBER_MAX = 32 };

/* Any byte of v that must be escaped: below 0x20, '"' or '\\' (eight bytes at a time). */
static inline bool needs_escape8(uint64_t v)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t quote = v ^ (ones * '"'), slash = v ^ (ones * '\\');
    uint64_t below = (v - ones * 0x20) & ~v;
    uint64_t special = ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
    return ((below | special) & highs) != 0;
}

static inline bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

static size_t plain_run(const char *s, size_t len)
{
    size_t i = 0;
    for (uint64_t v; i + sizeof(v) <= len; i += sizeof(v)) {
        memcpy(&v, s + i, sizeof(v));
        if (needs_escape8(v))
            break;
    }
    while (i < len && !needs_escape((unsigned char)s[i]))
        i++;
    return i;
}

static void append_escape(struct buf *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char short_forms[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    char letter = c == '"' || c == '\\' ? (char)c : short_forms[c];
    if (letter != 0)
        buf_append(b, (char[]){'\\', letter}, 2);
    else
        buf_append(b, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

void jx_append_text(struct buf *b, const char *s, size_t len)
{
    buf_reserve(b, len + 2);
    buf_append_char(b, '"');
    for (;;) {
        size_t n = plain_run(s, len);
        buf_append(b, s, n);
        s += n;
        len -= n;
        if (len == 0)
            break;
        append_escape(b, (unsigned char)*s++);
        len--;
    }
    buf_append_char(b, '"');
}

static void append_integer(struct buf *b, json_int_t value)
{
    char text[NUMBER_MAX];
    size_t at = sizeof(text);
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        text[--at] = (char)('0' + left % 10);
    } while ((left /= 10) > 0);
    if (value < 0)
        text[--at] = '-';
    buf_append(b, text + at, sizeof(text) - at);
}

/* jansson holds finite reals only. An integral real keeps ".0", so that it is read back as a real.
 * No program of c9d sets a locale: the decimal point is a point. */
static void append_real(struct buf *b, double value)
{
    if (fabs(value) < 1e15 && value == (double)(json_int_t)value) {
        if (signbit(value) && value == 0)
            buf_append_char(b, '-');
        append_integer(b, (json_int_t)value);
        buf_append(b, ".0", 2);
        return;
    }
    char text[NUMBER_MAX];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buf_append_str(b, text);
    if (strpbrk(text, ".e") == NULL)
        buf_append(b, ".0", 2);
}

static void append_value(struct buf *b, const json_t *value, bool sort);

static void append_array(struct buf *b, const json_t *array, bool sort)
{
    size_t n = json_array_size(array);
    buf_append_char(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_append_char(b, ',');
        append_value(b, json_array_get(array, i), sort);
    }
    buf_append_char(b, ']');
}

static void append_member(struct buf *b, void *iter, bool first, bool sort)
{
    if (!first)
        buf_append_char(b, ',');
    jx_append_text(b, json_object_iter_key(iter), json_object_iter_key_len(iter));
    buf_append_char(b, ':');
    append_value(b, json_object_iter_value(iter), sort);
}

static int iter_compare(const void *a, const void *b)
{
    void *x = *(void *const *)a, *y = *(void *const *)b;
    size_t xn = json_object_iter_key_len(x), yn = json_object_iter_key_len(y);
    int order = memcmp(json_object_iter_key(x), json_object_iter_key(y), xn < yn ? xn : yn);
    return order != 0 ? order : (xn > yn) - (xn < yn);
}

static void append_sorted_members(struct buf *b, json_t *object)
{
    size_t n = json_object_size(object), i = 0;
    autofree void **iters = xmalloc(n * sizeof(*iters));
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it))
        iters[i++] = it;
    qsort(iters, n, sizeof(*iters), iter_compare);
    for (i = 0; i < n; i++)
        append_member(b, iters[i], i == 0, true);
}

static void append_object(struct buf *b, const json_t *value, bool sort)
{
    /* jansson's iterators take no const object, but change nothing. */
    json_t *object = (json_t *)value;
    buf_append_char(b, '{');
    if (sort) {
        append_sorted_members(b, object);
    } else {
        void *first = json_object_iter(object);
        for (void *it = first; it != NULL; it = json_object_iter_next(object, it))
            append_member(b, it, it == first, false);
    }
    buf_append_char(b, '}');
}

static void append_value(struct buf *b, const json_t *value, bool sort)
{
    switch (value != NULL ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        append_object(b, value, sort);
        break;
    case JSON_ARRAY:
        append_array(b, value, sort);
        break;
    case JSON_STRING:
        jx_append_text(b, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        append_integer(b, json_integer_value(value));
        break;
    case JSON_REAL:
        append_real(b, json_real_value(value));
        break;
    case JSON_TRUE:
        buf_append(b, "true", 4);
        break;
    case JSON_FALSE:
        buf_append(b, "false", 5);
        break;
    case JSON_NULL:
        buf_append(b, "null", 4);
        break;
    }
}

void jx_append(struct buf *b, const json_t *value)
{
    append_value(b, value, false);
}

static char *encode(const json_t *value, bool sort, size_t *len_r)
{
    struct buf b = BUF_INIT;
    append_value(&b, value, sort);
    if (len_r != NULL)
        *len_r = b.len;
    return buf_steal(&b);
}

char *jx_encode(const json_t *value, size_t *len_r)
{
    return encode(value, false, len_r);
}

char *jx_encode_sorted(const json_t *value, size_t *len_r)
{
    return encode(value, true, len_r);
}
