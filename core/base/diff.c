#include "base/diff.h"

#include <stdint.h>
#include <string.h>

#include "base/json.h"

enum { CONTEXT = 3 };

/* ---- lines ---- */

/* With its line break, which the last one may lack. */
struct line {
    const char *s;
    size_t len;
    uint64_t hash;
};

static uint64_t line_hash(const char *s, size_t len)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)s[i]) * UINT64_C(1099511628211);
    return hash;
}

static struct line *lines_of(const char *text, size_t len, size_t *n_r)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n' || i + 1 == len;
    struct line *lines = xcalloc(n + 1, sizeof(*lines));
    for (size_t i = 0; i < n; i++) {
        const char *end = memchr(text, '\n', len);
        size_t taken = end != NULL ? (size_t)(end - text) + 1 : len;
        lines[i] = (struct line){text, taken, line_hash(text, taken)};
        text += taken;
        len -= taken;
    }
    *n_r = n;
    return lines;
}

static bool line_same(const struct line *a, const struct line *b)
{
    return a->hash == b->hash && a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

/* ---- the script: '=' '-' '+' for each line, in order ---- */

/* Two texts without what they begin and end with alike. */
struct middle {
    const struct line *a, *b;
    int n, m;
};

/* E. Myers, An O(ND) Difference Algorithm and Its Variations (1986): how far each diagonal k = x -
 * y comes with d edits. furthest[d] holds the diagonals -d to d. The number of edits, or -1. */
static int edits_seek(const struct middle *mid, int **furthest, int most)
{
    for (int d = 0; d <= most; d++) {
        int *now = furthest[d] = xcalloc(2 * (size_t)d + 1, sizeof(int));
        const int *last = d > 0 ? furthest[d - 1] + d - 1 : NULL; /* last[k], k within ±(d-1) */
        for (int k = -d; k <= d; k += 2) {
            bool down = k == -d || (k != d && last[k - 1] < last[k + 1]);
            int x = d == 0 ? 0 : down ? last[k + 1] : last[k - 1] + 1;
            while (x < mid->n && x - k < mid->m && line_same(&mid->a[x], &mid->b[x - k]))
                x++;
            now[k + d] = x;
            if (x >= mid->n && x - k >= mid->m)
                return d;
        }
    }
    return -1;
}

/* Walks back from the end and fills the script from behind. */
static void script_trace(const struct middle *mid, int *const *furthest, int d, char *script_end)
{
    int x = mid->n, y = mid->m;
    for (; d > 0; d--) {
        const int *last = furthest[d - 1] + d - 1;
        int k = x - y;
        bool down = k == -d || (k != d && last[k - 1] < last[k + 1]);
        int from_x = down ? last[k + 1] : last[k - 1];
        int from_y = from_x - (down ? k + 1 : k - 1);
        for (; x > from_x + !down && y > from_y + down; x--, y--)
            *--script_end = '=';
        *--script_end = down ? '+' : '-';
        x = from_x;
        y = from_y;
    }
    while (x-- > 0)
        *--script_end = '=';
}

static char *script_of_middle(const struct middle *mid, char *script)
{
    int *furthest[DIFF_EDITS_MAX + 1] = {NULL};
    int most = mid->n + mid->m < DIFF_EDITS_MAX ? mid->n + mid->m : DIFF_EDITS_MAX;
    int edits = edits_seek(mid, furthest, most);
    size_t len = (size_t)mid->n + (size_t)mid->m;
    if (edits >= 0) {
        len = (len + (size_t)edits) / 2; /* lines alike are in both */
        script_trace(mid, furthest, edits, script + len);
    } else {
        memset(script, '-', (size_t)mid->n);
        memset(script + mid->n, '+', (size_t)mid->m);
    }
    for (int d = 0; d <= most; d++)
        free(furthest[d]);
    return script + len;
}

static char *script_make(const struct line *a, size_t n, const struct line *b, size_t m)
{
    char *script = xcalloc(n + m + 1, 1), *end = script;
    size_t head = 0, tail = 0;
    while (head < n && head < m && line_same(&a[head], &b[head]))
        head++;
    while (tail < n - head && tail < m - head && line_same(&a[n - 1 - tail], &b[m - 1 - tail]))
        tail++;
    const struct middle mid = {a + head, b + head, (int)(n - head - tail), (int)(m - head - tail)};
    memset(end, '=', head);
    end = script_of_middle(&mid, end + head);
    memset(end, '=', tail);
    return script;
}

/* ---- hunks ---- */

static void line_append(struct buf *out, char mark, const struct line *line)
{
    buf_append_char(out, mark);
    buf_append(out, line->s, line->len);
    if (line->s[line->len - 1] != '\n')
        buf_append_str(out, "\n\\ No newline at end of file\n");
}

/* Where the change ends that begins at `at`, with those that are near: behind its last line. */
static size_t hunk_end(const char *script, size_t at)
{
    size_t end = at, alike = 0;
    for (size_t i = at; script[i] != '\0' && alike <= 2 * CONTEXT; i++) {
        alike = script[i] == '=' ? alike + 1 : 0;
        if (script[i] != '=')
            end = i + 1;
    }
    return end;
}

/* "@@ -3,7 +3,8 @@": of no lines, the line before them is named. */
static void range_append(struct buf *out, char mark, size_t first, size_t n)
{
    buf_printf(out, "%c%zu", mark, n > 0 ? first + 1 : first);
    if (n != 1)
        buf_printf(out, ",%zu", n);
}

static void hunk_append(struct buf *out, const char *script, size_t from, size_t to,
                        const struct line *a, size_t x, const struct line *b, size_t y)
{
    size_t in_a = 0, in_b = 0;
    for (size_t i = from; i < to; i++) {
        in_a += script[i] != '+';
        in_b += script[i] != '-';
    }
    buf_append_str(out, "@@ ");
    range_append(out, '-', x, in_a);
    buf_append_char(out, ' ');
    range_append(out, '+', y, in_b);
    buf_append_str(out, " @@\n");
    for (size_t i = from; i < to; i++) {
        line_append(out, script[i] == '=' ? ' ' : script[i], script[i] == '+' ? &b[y] : &a[x]);
        x += script[i] != '+';
        y += script[i] != '-';
    }
}

void diff_unified(struct buf *out, const char *from_name, const char *to_name, const char *from,
                  size_t from_len, const char *to, size_t to_len)
{
    if (from_len == to_len && (from_len == 0 || memcmp(from, to, from_len) == 0))
        return;
    size_t n, m, x = 0, y = 0;
    autofree struct line *a = lines_of(from, from_len, &n);
    autofree struct line *b = lines_of(to, to_len, &m);
    autofree char *script = script_make(a, n, b, m);
    buf_printf(out, "--- %s\n+++ %s\n", from_name, to_name);
    for (size_t i = 0; script[i] != '\0';) {
        size_t alike = strspn(script + i, "=");
        if (script[i + alike] == '\0')
            break;
        size_t skipped = alike > CONTEXT ? alike - CONTEXT : 0;
        i += skipped;
        x += skipped;
        y += skipped;
        size_t end = hunk_end(script, i + alike - skipped);
        size_t behind = strspn(script + end, "=");
        end += behind < CONTEXT ? behind : CONTEXT;
        hunk_append(out, script, i, end, a, x, b, y);
        for (; i < end; i++) {
            x += script[i] != '+';
            y += script[i] != '-';
        }
    }
}

/* ---- JSON ---- */

static void operation_add(json_t *patch, const char *op, const struct buf *path,
                          const json_t *value)
{
    json_t *operation = json_object();
    json_object_set_new(operation, "op", json_string(op));
    json_object_set_new(operation, "path", json_stringn(path->data, path->len));
    if (value != NULL)
        json_object_set_new(operation, "value", json_deep_copy(value));
    json_array_append_new(patch, operation);
}

static void cut(struct buf *path, size_t len)
{
    path->len = len;
    path->data[len] = '\0';
}

static void diff_values(json_t *patch, struct buf *path, const json_t *from, const json_t *to);

static void diff_objects(json_t *patch, struct buf *path, const json_t *from, const json_t *to)
{
    size_t len = path->len;
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)from, key, value) {
        jx_pointer_append(path, key, strlen(key));
        const json_t *other = json_object_get(to, key);
        if (other == NULL)
            operation_add(patch, "remove", path, NULL);
        else
            diff_values(patch, path, value, other);
        cut(path, len);
    }
    json_object_foreach ((json_t *)to, key, value) {
        jx_pointer_append(path, key, strlen(key));
        if (json_object_get(from, key) == NULL)
            operation_add(patch, "add", path, value);
        cut(path, len);
    }
}

static void diff_arrays(json_t *patch, struct buf *path, const json_t *from, const json_t *to)
{
    size_t len = path->len, n = json_array_size(from), m = json_array_size(to);
    size_t head = 0, tail = 0, least = n < m ? n : m;
    while (head < least && jx_equal(json_array_get(from, head), json_array_get(to, head)))
        head++;
    while (tail < least - head &&
           jx_equal(json_array_get(from, n - 1 - tail), json_array_get(to, m - 1 - tail)))
        tail++;
    for (size_t i = head; i < least - tail; i++) {
        buf_printf(path, "/%zu", i);
        diff_values(patch, path, json_array_get(from, i), json_array_get(to, i));
        cut(path, len);
    }
    for (size_t i = n - tail; i-- > m - tail && n > m;) { /* from behind: places stay right */
        buf_printf(path, "/%zu", i);
        operation_add(patch, "remove", path, NULL);
        cut(path, len);
    }
    for (size_t i = n - tail; i < m - tail; i++) {
        buf_printf(path, "/%zu", i);
        operation_add(patch, "add", path, json_array_get(to, i));
        cut(path, len);
    }
}

static void diff_values(json_t *patch, struct buf *path, const json_t *from, const json_t *to)
{
    if (jx_equal(from, to))
        return;
    if (json_is_object(from) && json_is_object(to))
        diff_objects(patch, path, from, to);
    else if (json_is_array(from) && json_is_array(to))
        diff_arrays(patch, path, from, to);
    else
        operation_add(patch, "replace", path, to);
}

json_t *diff_json(const json_t *from, const json_t *to)
{
    buf_auto path = BUF_INIT;
    json_t *patch = json_array();
    buf_reserve(&path, 1);
    buf_append_str(&path, "");
    diff_values(patch, &path, from, to);
    return patch;
}
