/* The growable buffer and the allocation functions. */
#include "base/buf.h"

#include "tap.h"

static void test_empty(void)
{
    buf_auto b = BUF_INIT;
    buf_reset(&b);
    ok(b.data == NULL && b.len == 0, "an untouched buffer holds nothing");
    buf_consume(&b, 0);
    autofree char *s = buf_steal(&b);
    is_str(s, "", "stealing from an untouched buffer gives an empty string");
    buf_append(&b, NULL, 0);
    ok(b.data != NULL && b.data[0] == '\0', "appending nothing makes an empty string");
}

static void test_append(void)
{
    buf_auto b = BUF_INIT;
    buf_append_str(&b, "ab");
    buf_append_char(&b, 'c');
    buf_printf(&b, "%d-%s", 42, "x");
    is_str(b.data, "abc42-x", "appends join");
    is_int(b.len, 7, "and the length counts them");
    buf_consume(&b, 3);
    is_str(b.data, "42-x", "consuming drops from the front");
    buf_consume(&b, 4);
    is_str(b.data, "", "consuming all leaves an empty string");
    buf_append_str(&b, "y");
    char *kept = b.data;
    buf_reset(&b);
    ok(b.data == kept && b.len == 0 && kept[0] == '\0', "reset keeps the memory");
}

static void test_growth(void)
{
    buf_auto b = BUF_INIT;
    for (int i = 0; i < 100000; i++)
        buf_append_char(&b, (char)('a' + i % 26));
    bool right = b.len == 100000 && b.data[100000] == '\0';
    for (int i = 0; i < 100000 && right; i++)
        right = b.data[i] == 'a' + i % 26;
    ok(right, "100,000 single bytes stay in order, a NUL behind");
    buf_reset(&b);
    autofree char *wide = xmalloc(70001);
    memset(wide, 'w', 70000);
    wide[70000] = '\0';
    buf_printf(&b, "<%s>", wide);
    ok(b.len == 70002 && b.data[0] == '<' && b.data[70001] == '>', "printf grows as it needs");
    buf_reserve(&b, 5000);
    ok(b.cap - b.len > 5000, "reserve makes room for the bytes and a NUL");
}

static void test_integers(void)
{
    buf_auto b = BUF_INIT;
    buf_append_u32le(&b, 0x01020304);
    buf_append_u64le(&b, UINT64_C(0x1122334455667788));
    ok(b.len == 12 && memcmp(b.data, "\4\3\2\1\x88\x77\x66\x55\x44\x33\x22\x11", 12) == 0,
       "integers are little-endian");
}

static void test_memory(void)
{
    autofree char *a = xasprintf("%s/%d", "x", 7);
    is_str(a, "x/7", "xasprintf formats");
    autofree char *b = xstrndup("abcdef", 3);
    is_str(b, "abc", "xstrndup cuts");
    autofree char *c = xstrndup("ab", 10);
    is_str(c, "ab", "xstrndup stops at the NUL");
    autofree char *d = xcalloc(0, 8), *e = xmalloc(0);
    ok(d != NULL && e != NULL, "nothing still has an address");
    char *from = xstrdup("moved"), *to = move_ptr(&from);
    ok(from == NULL && strcmp(to, "moved") == 0, "move_ptr leaves NULL behind");
    free(to);
}

int main(void)
{
    test_empty();
    test_append();
    test_growth();
    test_integers();
    test_memory();
    return done_testing();
}
