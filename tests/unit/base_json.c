/* Strict decoding, the encoder, equality and merge patch. */
#include "base/json.h"

#include <malloc.h>
#include <math.h>

#include "tap.h"

static json_t *decode(const char *text)
{
    json_t *j = jx_decode(text, strlen(text), "test", NULL);
    if (j == NULL)
        note("does not decode: %s", text);
    return j;
}

static void test_refused(void)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "an empty text"},
        {"  ", "blanks"},
        {"{\"a\":1,\"a\":2}", "a duplicate key"},
        {"\"\xFF\"", "bytes that are no UTF-8"},
        {"\"\xED\xA0\x80\"", "a surrogate in UTF-8"},
        {"\"\\ud800\"", "a lone surrogate escape"},
        {"\"a\\u0000b\"", "NUL in a string"},
        {"\"a\nb\"", "a raw control character in a string"},
        {"9223372036854775808", "an integer above int64"},
        {"-9223372036854775809", "an integer below int64"},
        {"1e400", "a real outside double"},
        {"[1,]", "a trailing comma"},
        {"{\"a\":1} x", "something behind the value"},
        {"01", "a leading zero"},
        {"+1", "a plus sign"},
        {"NaN", "NaN"},
        {"Infinity", "Infinity"},
        {"'a'", "single quotes"},
        {"// c\n1", "a comment"},
        {"[1", "an open array"},
        {"\"", "an open string"},
        {"\"\\", "an open escape"},
        {"\xEF\xBB\xBF{}", "a byte order mark"},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        error_auto err = ERROR_INIT;
        jx_auto *j = jx_decode(rows[i].text, strlen(rows[i].text), "body", &err);
        ok(j == NULL && err.code == E_INVALID_REQUEST &&
               strncmp(err.message, "body: line ", 11) == 0,
           "%s is refused", rows[i].why);
    }
    error_auto err = ERROR_INIT;
    ok(jx_decode("1\0", 2, "body", &err) == NULL, "a NUL behind the value is refused");
    ok(jx_decode("{\n \"a\": tru }", 13, "request body", &err) == NULL &&
           strstr(err.message, "request body: line 2, column 9") != NULL,
       "the message names the place (%s)", err.message);
}

static void test_depth(void)
{
    error_auto err = ERROR_INIT;
    buf_auto b = BUF_INIT;
    for (int i = 0; i < JX_DEPTH_MAX; i++)
        buf_append_char(&b, '[');
    for (int i = 0; i < JX_DEPTH_MAX; i++)
        buf_append_char(&b, ']');
    jx_auto *most = jx_decode(b.data, b.len, "x", &err);
    ok(most != NULL, "%d levels are taken", JX_DEPTH_MAX);
    buf_reset(&b);
    buf_append_str(&b, "\n ");
    for (int i = 0; i <= JX_DEPTH_MAX; i++)
        buf_append_str(&b, "{\"a\":");
    ok(jx_decode(b.data, b.len, "x", &err) == NULL, "one more is refused");
    is_str(err.message, "x: line 2, column 322: nested deeper than 64 levels", "at its place");
    jx_auto *quoted =
        decode("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"");
    ok(quoted != NULL, "brackets in strings are no nesting");
    jx_auto *wide =
        decode("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
               "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
               "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]");
    ok(wide != NULL, "closed brackets are no nesting");
}

static void test_encode(void)
{
    static const char *const same[] = {
        "null",
        "true",
        "false",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "\"\"",
        "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\"",
        "[]",
        "{}",
        "[[],{}]",
        "{\"b\":1,\"a\":[1,2.5,\"\xC3\xA9\xF0\x9F\x98\x80\"]}",
        "\"exactly8\"",
        "\"1234567\\n\"",
        "\"12345678\\\"\"",
        "\"abcdefghijklmnop\\\\qrstuvwxyz\"",
        "0.1",
        "-0.0",
        "1.0",
        "1.5e300",
        "1e-7",
        "0.30000000000000004",
        "123456789.125",
        "5e-324",
        "1.7976931348623157e+308",
        "999999999999999.0",
        "1e+15",
        "1e+22",
        "1234567890123456.0",
        "\"\xC2\x80\xE2\x80\xA8\"",
    };
    for (size_t i = 0; i < countof(same); i++) {
        jx_auto *j = decode(same[i]);
        size_t len = 0;
        autofree char *text = jx_encode(j, &len);
        jx_auto *back = decode(text);
        ok(j != NULL && len == strlen(text) && json_equal(j, back), "%s reads back as itself (%s)",
           same[i], text);
        if (strchr(same[i], 'e') == NULL || same[i][0] == '"')
            is_str(text, same[i], "and is written the same");
    }
    autofree char *null = jx_encode(NULL, NULL);
    is_str(null, "null", "no value is null");
    jx_auto *j = decode("{\"b\":{\"z\":1,\"y\":2},\"a\":[3,{\"d\":4,\"c\":5}],\"ab\":6,\"\":7}");
    autofree char *sorted = jx_encode_sorted(j, NULL);
    is_str(sorted, "{\"\":7,\"a\":[3,{\"c\":5,\"d\":4}],\"ab\":6,\"b\":{\"y\":2,\"z\":1}}",
           "sorted: keys in byte order at every level");
    buf_auto b = BUF_INIT;
    buf_append_str(&b, "data: ");
    jx_append(&b, json_object_get(j, "a"));
    is_str(b.data, "data: [3,{\"d\":4,\"c\":5}]", "jx_append goes behind what there is");
}

/* Every escape at every position in and around the eight bytes that are looked at together. */
static void test_escapes(void)
{
    int wrong = 0;
    for (int c = 1; c < 0x80; c++) {
        for (int at = 0; at < 20; at++) {
            char text[24];
            memset(text, 'x', sizeof(text));
            text[at] = (char)c;
            jx_auto *j = json_stringn(text, 20);
            autofree char *encoded = jx_encode(j, NULL);
            jx_auto *back = jx_decode(encoded, strlen(encoded), "x", NULL);
            wrong += back == NULL || !json_equal(j, back);
        }
    }
    is_int(wrong, 0, "every ASCII character at every offset survives");
}

static void test_random_reals(void)
{
    uint64_t state = 88172645463325252u;
    int wrong = 0, longer = 0;
    for (int i = 0; i < 20000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        double d;
        memcpy(&d, &state, sizeof(d));
        if (!isfinite(d))
            continue;
        jx_auto *j = json_real(d);
        autofree char *text = jx_encode(j, NULL);
        jx_auto *back = jx_decode(text, strlen(text), "x", NULL);
        wrong += !json_is_real(back) || json_real_value(back) != d;
        longer += strlen(text) > 24;
    }
    ok(wrong == 0 && longer == 0, "20,000 random doubles read back exactly, as reals");
}

static void test_getters(void)
{
    jx_auto *j = decode("{\"s\":\"x\",\"i\":7,\"b\":true,\"r\":1.5}");
    is_str(jx_str(j, "s", "d"), "x", "a string");
    is_str(jx_str(j, "i", "d"), "d", "another type gives the default");
    ok(jx_str(j, "none", NULL) == NULL, "so does an absent member");
    is_int(jx_int(j, "i", 1), 7, "an integer");
    is_int(jx_int(j, "r", 1), 1, "a real is none");
    ok(jx_bool(j, "b", false) && jx_bool(j, "s", true), "a boolean, and a default");
    is_int(jx_int(NULL, "i", 3), 3, "members of no object are defaults");
}

static void test_text(void)
{
    jx_auto *a = jx_text("ab\0c", 4);
    is_int(json_string_length(a), 4, "text of any bytes keeps a NUL");
    jx_auto *b = jx_text("a\x80\xFFz", 4);
    is_str(json_string_value(b), "a\xEF\xBF\xBD\xEF\xBF\xBDz", "and replaces what is no UTF-8");
    jx_auto *c = jx_text(NULL, 0);
    is_int(json_string_length(c), 0, "no bytes are an empty string");
}

static void test_equal(void)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"1", "1.0", true},
        {"1", "1.5", false},
        {"0", "-0.0", true},
        {"1", "true", false},
        {"0", "false", false},
        {"null", "false", false},
        {"\"a\"", "\"a\"", true},
        {"9007199254740993", "9007199254740992.0", false},
        {"9223372036854775807", "9223372036854775808.0", false},
        {"-9223372036854775808", "-9223372036854775808.0", true},
        {"[1,2]", "[1.0,2]", true},
        {"[1,2]", "[2,1]", false},
        {"[1]", "[1,1]", false},
        {"{\"a\":1,\"b\":[2]}", "{\"b\":[2.0],\"a\":1}", true},
        {"{\"a\":1}", "{\"b\":1}", false},
        {"{\"a\":1}", "{\"a\":1,\"b\":1}", false},
        {"{}", "[]", false},
        {"\"1\"", "1", false},
        {"1e300", "1", false},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        jx_auto *a = decode(rows[i].a), *b = decode(rows[i].b);
        ok(jx_equal(a, b) == rows[i].equal && jx_equal(b, a) == rows[i].equal, "%s %s %s",
           rows[i].a, rows[i].equal ? "equals" : "does not equal", rows[i].b);
    }
}

static void test_difference(void)
{
    static const char *const rows[][3] = {
        {"{\"b\":1,\"a\":2}", "{\"b\":2,\"a\":3}", "/a: expected 2, got 3"},
        {"{\"a\":[1,{\"b/c\":\"x\"}]}", "{\"a\":[1.0,{\"b/c\":\"y\"}]}",
         "/a/1/b~1c: expected \"x\", got \"y\""},
        {"[1]", "[1,2]", "/1: expected nothing, got 2"},
        {"{\"a\":null}", "{}", "/a: expected null, got nothing"},
        {"1", "\"1\"", "the value: expected 1, got \"1\""},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        jx_auto *a = decode(rows[i][0]), *b = decode(rows[i][1]);
        jx_auto *difference = jx_difference(a, b), *none = jx_difference(a, a);
        is_str(jx_str(difference, "message", ""), rows[i][2], "difference: %s", rows[i][2]);
        ok(none == NULL, "a value does not differ from itself");
    }
    autofree char *text = xmalloc(1003);
    memset(text, 'x', 1002);
    text[0] = text[1001] = '"';
    text[1002] = '\0';
    jx_auto *large = decode(text), *small = decode("1");
    jx_auto *difference = jx_difference(large, small);
    ok(strlen(jx_str(difference, "expected", "")) < 250, "a long value is cut");
}

/* The examples of RFC 7396, appendix A. */
/* The examples of RFC 6901 §5, and what is none. */
static void test_pointer(void)
{
    static const struct {
        const char *pointer, *value; /* NULL: there is none */
        bool valid;
    } rows[] = {
        {"/foo", "[\"bar\",\"baz\"]", true},
        {"/foo/0", "\"bar\"", true},
        {"/foo/1", "\"baz\"", true},
        {"/foo/2", NULL, true},
        {"/foo/01", NULL, true},
        {"/foo/-", NULL, true},
        {"/foo/+1", NULL, true},
        {"/foo/", NULL, true},
        {"/foo/4294967296", NULL, true},
        {"/foo/0/0", NULL, true},
        {"/", "0", true},
        {"/a~1b", "1", true},
        {"/c%d", "2", true},
        {"/e^f", "3", true},
        {"/ ", "7", true},
        {"/m~0n", "8", true},
        {"/m~01n", "9", true},
        {"/nowhere", NULL, true},
        {"/nowhere/at/all", NULL, true},
        {"foo", NULL, false},
        {"/m~n", NULL, false},
        {"/m~", NULL, false},
    };
    jx_auto *document = decode("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,"
                               "\" \":7,\"m~n\":8,\"m~1n\":9}");
    ok(jx_pointer_get(document, "") == document, "the empty pointer is the whole");
    for (size_t i = 0; i < countof(rows); i++) {
        const char *pointer = rows[i].pointer;
        const json_t *value = jx_pointer_get(document, pointer);
        autofree char *text = value != NULL ? jx_encode(value, NULL) : NULL;
        is_str(text != NULL ? text : "none", rows[i].value != NULL ? rows[i].value : "none", "%s",
               pointer);
        is_int(jx_pointer_valid(pointer, strlen(pointer)), rows[i].valid, "%s is one or not",
               pointer);
    }
    buf_auto pointer = BUF_INIT;
    jx_pointer_append(&pointer, "a", 1);
    jx_pointer_append(&pointer, "m~1/n", 5);
    is_str(pointer.data, "/a/m~01~1n", "names are escaped");
}

static void test_merge(void)
{
    static const char *const rows[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
        {"{\"a\":\"foo\"}", "null", "null"},
        {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        jx_auto *target = decode(rows[i][0]), *patch = decode(rows[i][1]);
        jx_auto *result = jx_merge_patch(target, patch);
        autofree char *text = jx_encode(result, NULL), *before = jx_encode(target, NULL);
        is_str(text, rows[i][2], "%s patched with %s", rows[i][0], rows[i][1]);
        ok(strcmp(before, rows[i][0]) == 0, "and the target is left alone");
    }
    jx_auto *patch = decode("{\"a\":[1]}");
    jx_auto *made = jx_merge_patch(NULL, patch);
    json_array_append_new(json_object_get(made, "a"), json_integer(2));
    is_int(json_array_size(json_object_get(patch, "a")), 1, "the result shares nothing");
}

/* What the decoder takes from the heap for a text of n pieces. */
static size_t heap_taken(const char *text, size_t len)
{
    struct mallinfo2 before = mallinfo2();
    jx_auto *value = jx_decode(text, len, "text", NULL);
    struct mallinfo2 after = mallinfo2();
    if (value == NULL)
        note("does not decode: %.60s", text);
    return value == NULL ? SIZE_MAX / 2
                         : after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
}

static void test_weight(void)
{
    static const char *const pieces[] = {"1",
                                         "[]",
                                         "{}",
                                         "\"\"",
                                         "\"some text\"",
                                         "1.5",
                                         "null",
                                         "{\"a\":1}",
                                         "{\"a\":\"b\",\"c\":[]}",
                                         "[[[1]]]",
                                         "\",,,,[[[{{{\"",
                                         "{\"a\":{\"a\":{\"a\":{}}}}"};
    for (size_t i = 0; i < countof(pieces); i++) {
        buf_auto text = BUF_INIT;
        buf_append_char(&text, '[');
        for (int n = 0; n < 5000; n++)
            buf_printf(&text, "%s%s", n > 0 ? "," : "", pieces[i]);
        buf_append_char(&text, ']');
        size_t weight = jx_weight(text.data, text.len), taken = heap_taken(text.data, text.len);
        if (taken == 0)
            continue; /* a sanitizer's heap does not tell */
        if (!ok(taken <= weight && weight <= 8 * taken, "a list of %s weighs what it takes",
                pieces[i]))
            note("%zu bytes of text, %zu taken, weight %zu", text.len, taken, weight);
    }
}

int main(void)
{
    test_refused();
    test_depth();
    test_encode();
    test_escapes();
    test_random_reals();
    test_getters();
    test_text();
    test_equal();
    test_difference();
    test_pointer();
    test_merge();
    test_weight();
    return done_testing();
}
