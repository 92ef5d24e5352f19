/* Differences of texts and of JSON: what `patch` makes of a unified diff is the other text, and a
 * patch of RFC 6902 makes the other value. */
#include "base/diff.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "tap.h"

/* ---- texts ---- */

/* Follows a unified diff; false when it does not fit. */
static bool follow(const char *from, const char *diff, struct buf *to)
{
    size_t line = 1;
    const char *d = diff;
    for (int i = 0; i < 2 && *d != '\0'; i++)
        d += strcspn(d, "\n") + 1;
    while (*d != '\0') {
        size_t first, n = 1;
        if (sscanf(d, "@@ -%zu,%zu", &first, &n) < 1)
            return false;
        for (; line < first + (n == 0); line++) { /* what is between */
            size_t len = strcspn(from, "\n") + 1;
            buf_append(to, from, len);
            from += len;
        }
        d += strcspn(d, "\n") + 1;
        while (*d != '\0' && *d != '@') {
            size_t len = strcspn(d, "\n") + 1;
            bool cut = d[len] == '\\';
            size_t body = len - 1 - cut;
            if (*d != '+') {
                if (strncmp(from, d + 1, body) != 0)
                    return false;
                from += body;
                line++;
            }
            if (*d != '-')
                buf_append(to, d + 1, body);
            d += len;
            if (cut)
                d += strcspn(d, "\n") + 1;
        }
    }
    buf_append_str(to, from);
    return true;
}

static bool leads(const char *from, const char *to)
{
    buf_auto diff = BUF_INIT, got = BUF_INIT;
    diff_unified(&diff, "a", "b", from, strlen(from), to, strlen(to));
    buf_append_str(&got, "");
    if (diff.data == NULL)
        return strcmp(from, to) == 0;
    return follow(from, diff.data, &got) && strcmp(got.data, to) == 0;
}

static void unified_test(void)
{
    buf_auto out = BUF_INIT;
    const char *from = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
    const char *to = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13";
    diff_unified(&out, "one", "two", from, strlen(from), to, strlen(to));
    is_str(out.data,
           "--- one\n+++ two\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
           "@@ -10,3 +10,4 @@\n 10\n 11\n 12\n+13\n\\ No newline at end of file\n",
           "as diff -u has it");
    buf_reset(&out);
    diff_unified(&out, "one", "two", "", 0, "new\n", 4);
    is_str(out.data, "--- one\n+++ two\n@@ -0,0 +1 @@\n+new\n", "from nothing");
    buf_reset(&out);
    diff_unified(&out, "one", "two", "old\n", 4, "", 0);
    is_str(out.data, "--- one\n+++ two\n@@ -1 +0,0 @@\n-old\n", "to nothing");
    buf_reset(&out);
    diff_unified(&out, "one", "two", "same\n", 5, "same\n", 5);
    is_int(out.len, 0, "nothing when they are the same");
}

static unsigned random_next(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return *state >> 16;
}

/* Lines of few kinds, so that many are alike. */
static void random_text(struct buf *out, unsigned *state, unsigned lines)
{
    buf_append_str(out, "");
    for (unsigned i = 0; i < lines; i++)
        buf_printf(out, "%c\n", 'a' + (int)(random_next(state) % 6));
    if (lines > 0 && random_next(state) % 3 == 0)
        out->data[--out->len] = '\0';
}

static void random_texts_test(void)
{
    unsigned state = 9, right = 0;
    for (int i = 0; i < 500; i++) {
        buf_auto a = BUF_INIT, b = BUF_INIT;
        random_text(&a, &state, random_next(&state) % 40);
        random_text(&b, &state, random_next(&state) % 40);
        bool fits = leads(a.data, b.data);
        right += fits;
        if (!fits)
            note("%s----\n%s", a.data, b.data);
    }
    is_int(right, 500, "500 differences lead from one text to the other");
    buf_auto a = BUF_INIT, b = BUF_INIT;
    for (int i = 0; i < 3000; i++) {
        buf_printf(&a, "a%d\n", i);
        buf_printf(&b, "b%d\n", i);
    }
    ok(leads(a.data, b.data), "also when there is too much of it");
}

/* ---- JSON ---- */

static json_t *place(json_t *root, char *pointer, char **last_r)
{
    json_t *at = root;
    for (char *token = pointer + 1, *next; (next = strchr(token, '/')) != NULL; token = next + 1) {
        *next = '\0';
        at = json_is_array(at) ? json_array_get(at, strtoul(token, NULL, 10))
                               : json_object_get(at, token);
        *last_r = next + 1;
    }
    if (strchr(pointer + 1, '/') == NULL && *last_r == NULL)
        *last_r = pointer + 1;
    return at;
}

/* RFC 6902, for names without escapes; the value afterwards. */
static json_t *apply(json_t *value, const json_t *patch)
{
    for (size_t i = 0; i < json_array_size(patch); i++) {
        const json_t *operation = json_array_get(patch, i);
        json_t *new = json_object_get(operation, "value");
        const char *op = jx_str(operation, "op", "");
        autofree char *path = xstrdup(jx_str(operation, "path", ""));
        char *last = NULL;
        if (path[0] == '\0') {
            json_decref(value);
            value = json_incref(new);
            continue;
        }
        json_t *at = place(value, path, &last);
        size_t index = strtoul(last, NULL, 10);
        if (json_is_array(at)) {
            if (op[0] == 'a')
                json_array_insert(at, index, new);
            else if (op[2] == 'm')
                json_array_remove(at, index);
            else
                json_array_set(at, index, new);
        } else if (op[0] == 'r' && op[2] == 'm') {
            json_object_del(at, last);
        } else {
            json_object_set(at, last, new);
        }
    }
    return value;
}

static json_t *random_value(unsigned *state, int depth)
{
    unsigned kind = random_next(state) % (depth > 0 ? 6 : 4);
    if (kind == 0)
        return json_integer(random_next(state) % 4);
    if (kind == 1)
        return json_string(random_next(state) % 2 ? "x" : "y");
    if (kind == 2)
        return json_null();
    if (kind == 3)
        return json_true();
    json_t *value = kind == 4 ? json_array() : json_object();
    for (unsigned i = random_next(state) % 6; i > 0; i--) {
        char name[2] = {(char)('a' + (int)(random_next(state) % 5)), '\0'};
        if (kind == 4)
            json_array_append_new(value, random_value(state, depth - 1));
        else
            json_object_set_new(value, name, random_value(state, depth - 1));
    }
    return value;
}

static void json_test(void)
{
    static const struct {
        const char *from, *to, *patch;
    } rows[] = {
        {"{'a':1}", "{'a':1.0}", "[]"},
        {"{'a':1,'b':2}", "{'b':3}",
         "[{'op':'remove','path':'/a'},{'op':'replace','path':'/b','value':3}]"},
        {"{}", "{'a/b~c':[]}", "[{'op':'add','path':'/a~1b~0c','value':[]}]"},
        {"[1,2,3,4]", "[1,4]", "[{'op':'remove','path':'/2'},{'op':'remove','path':'/1'}]"},
        {"[1,4]", "[1,2,3,4]",
         "[{'op':'add','path':'/1','value':2},{'op':'add','path':'/2','value':3}]"},
        {"[1]", "{}", "[{'op':'replace','path':'','value':{}}]"},
        {"{'a':{'b':[1]}}", "{'a':{'b':[2]}}", "[{'op':'replace','path':'/a/b/0','value':2}]"},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        const char *texts[] = {rows[i].from, rows[i].to};
        json_t *values[2];
        for (int k = 0; k < 2; k++) {
            autofree char *text = xstrdup(texts[k]);
            for (char *c = text; *c != '\0'; c++)
                *c = *c == '\'' ? '"' : *c;
            values[k] = json_loads(text, 0, NULL);
        }
        jx_auto *patch = diff_json(values[0], values[1]);
        autofree char *got = jx_encode(patch, NULL);
        for (char *c = got; *c != '\0'; c++)
            *c = *c == '"' ? '\'' : *c;
        is_str(got, rows[i].patch, "from %s to %s", rows[i].from, rows[i].to);
        json_decref(values[0]);
        json_decref(values[1]);
    }
    unsigned state = 5, right = 0;
    for (int i = 0; i < 2000; i++) {
        json_t *from = random_value(&state, 4);
        jx_auto *to = random_value(&state, 4);
        jx_auto *patch = diff_json(from, to);
        jx_auto *got = apply(json_deep_copy(from), patch);
        right += jx_equal(got, to);
        json_decref(from);
    }
    is_int(right, 2000, "2000 patches make one value of the other");
}

int main(void)
{
    unified_test();
    random_texts_test();
    json_test();
    return done_testing();
}
