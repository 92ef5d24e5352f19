#include "client/format.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "client/term.h"

void format_text(struct buf *out, const json_t *value)
{
    if (json_is_string(value)) {
        term_escape(out, json_string_value(value), json_string_length(value), TERM_CELL);
    } else if (value != NULL && !json_is_null(value)) {
        size_t len;
        autofree char *text = jx_encode(value, &len);
        term_escape_json(out, text, len);
    }
}

void format_list(struct buf *out, const json_t *value)
{
    if (!json_is_array(value)) {
        format_text(out, value);
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        buf_append_str(out, i > 0 ? ", " : "");
        format_text(out, json_array_get(value, i));
    }
}

void format_digest(struct buf *out, const json_t *value)
{
    buf_auto whole = BUF_INIT;
    format_text(&whole, value);
    buf_append(out, whole.len > 0 ? whole.data : "", whole.len < 12 ? whole.len : 12);
}

void format_mark(struct buf *out, const json_t *value)
{
    buf_append_str(out, json_is_true(value) ? "*" : "");
}

void format_count(struct buf *out, const json_t *value)
{
    format_text(out, value);
}

struct unit {
    int64_t size;
    const char *name;
};

void format_relative(struct buf *out, int64_t us, int64_t now_us)
{
    static const struct unit units[] = {
        {INT64_C(365) * 86400, "y"}, {86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    bool past = us <= now_us;
    int64_t seconds = (past ? now_us - us : us - now_us) / CLOCK_SECOND;
    if (seconds < 2) {
        buf_append_str(out, past ? "just now" : "now");
        return;
    }
    size_t i = 0;
    while (seconds < units[i].size)
        i++;
    buf_printf(out, "%s%lld %s%s", past ? "" : "in ", (long long)(seconds / units[i].size),
               units[i].name, past ? " ago" : "");
}

void format_when(struct buf *out, const json_t *value)
{
    int64_t us;
    if (json_is_string(value) &&
        clock_parse_rfc3339(json_string_value(value), json_string_length(value), &us) == 0)
        format_relative(out, us, clock_wall_us());
    else
        format_text(out, value);
}

/* Three digits that say something: 2.71, 27.1, 271. */
static void append_scaled(struct buf *out, double n, const char *unit)
{
    int decimals = n >= 99.95 || n == floor(n) ? 0 : n >= 9.995 ? 1 : 2;
    buf_printf(out, "%.*f %s", decimals, n, unit);
}

/* "2.71 ms" */
static void format_us(struct buf *out, int64_t us)
{
    if (us < 1000)
        buf_printf(out, "%lld µs", (long long)us);
    else if (us < CLOCK_SECOND)
        append_scaled(out, (double)us / 1e3, "ms");
    else if (us < 120 * CLOCK_SECOND)
        append_scaled(out, (double)us / 1e6, "s");
    else
        buf_printf(out, "%lld min %lld s", (long long)(us / (60 * CLOCK_SECOND)),
                   (long long)(us / CLOCK_SECOND % 60));
}

/* "411 KiB" */
static void format_bytes(struct buf *out, int64_t bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double n = (double)bytes;
    size_t i = 0;
    for (; n >= 1023.5 && i + 1 < countof(names); i++)
        n /= 1024;
    append_scaled(out, n, names[i]);
}

void format_duration(struct buf *out, const json_t *value)
{
    double ms = json_number_value(value);
    if (json_is_number(value) && ms >= 0 && ms < 1e15)
        format_us(out, (int64_t)(ms * 1000));
}

/* The exact member when there is one, else the rounded one in the exact one's unit. */
static int64_t usage_get(const json_t *usage, const char *exact, const char *rounded,
                         int64_t factor)
{
    int64_t n = jx_int(usage, exact, -1), product;
    if (n >= 0)
        return n;
    n = jx_int(usage, rounded, 0);
    return n < 0 || __builtin_mul_overflow(n, factor, &product) ? 0 : product;
}

void format_cpu(struct buf *out, const json_t *value)
{
    format_us(out, usage_get(value, "cpuTimeUs", "cpuTimeMs", 1000));
}

void format_memory(struct buf *out, const json_t *value)
{
    format_bytes(out, usage_get(value, "memoryPeakBytes", "memoryPeakMb", 1 << 20));
}

void format_cost(struct buf *out, const json_t *value)
{
    int64_t n = usage_get(value, "costMicrocents", "costCents", 1000000);
    char text[32];
    int len = snprintf(text, sizeof(text), "%lld.%06lld", (long long)(n / 1000000),
                       (long long)(n % 1000000));
    while (text[len - 1] == '0')
        len--;
    len -= text[len - 1] == '.';
    buf_append(out, text, (size_t)len);
    buf_append_str(out, " cents");
}

void format_usage(struct buf *out, const json_t *value)
{
    if (!json_is_object(value))
        return;
    int64_t calls = jx_int(value, "apiCallsCount", 0), tokens = jx_int(value, "tokensConsumed", 0);
    format_cpu(out, value);
    buf_append_str(out, " CPU, ");
    format_memory(out, value);
    buf_printf(out, " peak, %lld call%s, %lld token%s, ", (long long)calls, calls == 1 ? "" : "s",
               (long long)tokens, tokens == 1 ? "" : "s");
    format_cost(out, value);
}

/* ---- JSON ---- */

enum { PRETTY_DEPTH_MAX = 2048 }; /* jansson decodes no deeper */

static void append_pretty(struct buf *out, const json_t *value, int depth);

static void append_indent(struct buf *out, int depth)
{
    buf_append_char(out, '\n');
    for (int i = 0; i < depth; i++)
        buf_append_str(out, "  ");
}

static void append_members(struct buf *out, const json_t *object, int depth)
{
    const char *name, *between = "";
    json_t *member;
    buf_append_char(out, '{');
    json_object_foreach ((json_t *)object, name, member) {
        jx_auto *label = json_string(name);
        buf_append_str(out, between);
        append_indent(out, depth + 1);
        jx_append(out, label);
        buf_append_str(out, ": ");
        append_pretty(out, member, depth + 1);
        between = ",";
    }
    append_indent(out, depth);
    buf_append_char(out, '}');
}

static void append_items(struct buf *out, const json_t *array, int depth)
{
    buf_append_char(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        buf_append_str(out, i > 0 ? "," : "");
        append_indent(out, depth + 1);
        append_pretty(out, json_array_get(array, i), depth + 1);
    }
    append_indent(out, depth);
    buf_append_char(out, ']');
}

static void append_pretty(struct buf *out, const json_t *value, int depth)
{
    if (json_object_size(value) > 0 && depth < PRETTY_DEPTH_MAX)
        append_members(out, value, depth);
    else if (json_array_size(value) > 0 && depth < PRETTY_DEPTH_MAX)
        append_items(out, value, depth);
    else
        jx_append(out, value);
}

void format_json(struct buf *out, const json_t *value)
{
    buf_auto text = BUF_INIT;
    append_pretty(&text, value, 0);
    term_escape_json(out, text.data, text.len);
    buf_append_char(out, '\n');
}

/* ---- tables ---- */

static void append_blanks(struct buf *out, size_t n)
{
    while (n-- > 0)
        buf_append_char(out, ' ');
}

/* At the end of a line. */
static void drop_blanks(struct buf *out)
{
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
}

/* The longest prefix that takes at most width columns. */
static size_t cut_columns(const char *s, size_t len, size_t width)
{
    size_t n = 0;
    while (n < len) {
        size_t next = n + 1;
        while (next < len && ((unsigned char)s[next] & 0xc0) == 0x80)
            next++;
        if (term_width(s, next) > width)
            break;
        n = next;
    }
    return n;
}

static void append_cell(struct buf *out, const struct column *column, const struct buf *cell,
                        size_t width, bool last, size_t room)
{
    size_t len = cell->len, taken = term_width(cell->data, len);
    if (last && room > 0 && taken > room) {
        len = cut_columns(cell->data, len, room - 1);
        buf_append(out, cell->data, len);
        buf_append_str(out, "…");
        return;
    }
    if (column->right)
        append_blanks(out, width - taken);
    if (len > 0)
        buf_append(out, cell->data, len);
    if (!column->right && !last)
        append_blanks(out, width - taken);
}

static void fill_cell(struct buf *cell, const struct column *column, const json_t *row)
{
    const json_t *value = column->member != NULL ? json_object_get(row, column->member) : row;
    if (value != NULL && !json_is_null(value))
        column->format(cell, value);
}

void format_table(struct buf *out, const struct column *columns, size_t n, const json_t *rows,
                  size_t limit)
{
    enum { GAP = 2, ROOM_MIN = 10 };
    size_t lines = json_array_size(rows) + 1;
    autofree struct buf *cells = xcalloc(lines * n, sizeof(*cells));
    autofree size_t *widths = xcalloc(n, sizeof(*widths));
    for (size_t i = 0; i < lines; i++) {
        for (size_t k = 0; k < n; k++) {
            struct buf *cell = &cells[i * n + k];
            if (i == 0)
                buf_append_str(cell, columns[k].heading);
            else
                fill_cell(cell, &columns[k], json_array_get(rows, i - 1));
            size_t width = cell->len > 0 ? term_width(cell->data, cell->len) : 0;
            widths[k] = width > widths[k] ? width : widths[k];
        }
    }
    size_t before = 0;
    for (size_t k = 0; k + 1 < n; k++)
        before += widths[k] + GAP;
    size_t room = limit >= before + ROOM_MIN ? limit - before : 0;
    for (size_t i = 0; i < lines; i++) {
        for (size_t k = 0; k < n; k++) {
            append_blanks(out, k > 0 ? GAP : 0);
            append_cell(out, &columns[k], &cells[i * n + k], widths[k], k + 1 == n, room);
            buf_free(&cells[i * n + k]);
        }
        drop_blanks(out);
        buf_append_char(out, '\n');
    }
}

/* ---- one object ---- */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static void append_at(struct buf *out, const json_t *value)
{
    format_text(out, value);
    buf_append_str(out, " (");
    format_when(out, value);
    buf_append_char(out, ')');
}

/* What needs more than its text; the member's name says what it is. */
static const struct member_format {
    const char *ends;
    format_fn format;
} member_formats[] = {
    {"At", append_at},
    {"resourceUsage", format_usage},
    {"executionTimeMs", format_duration},
    {"executionTime", format_duration},
};

static bool is_flat(const json_t *value)
{
    size_t i;
    json_t *item;
    if (json_is_object(value))
        return json_object_size(value) == 0;
    json_array_foreach (value, i, item)
        if (!json_is_string(item))
            return false;
    return true;
}

/* What does not fit behind its label: every line of it indented. */
static void append_block(struct buf *out, const json_t *value)
{
    buf_auto text = BUF_INIT;
    if (json_is_string(value))
        term_escape(&text, json_string_value(value), json_string_length(value), TERM_TEXT);
    else
        format_json(&text, value);
    drop_blanks(out);
    for (const char *p = text.data; *p != '\0';) {
        size_t n = strcspn(p, "\n");
        buf_append_str(out, "\n    ");
        buf_append(out, p, n);
        p += n + (p[n] == '\n');
    }
}

static void append_member(struct buf *out, const char *name, const json_t *value)
{
    for (size_t i = 0; i < countof(member_formats); i++) {
        if (ends_with(name, member_formats[i].ends)) {
            member_formats[i].format(out, value);
            return;
        }
    }
    bool long_text = json_is_string(value) && strchr(json_string_value(value), '\n') != NULL;
    if (long_text || !is_flat(value))
        append_block(out, value);
    else
        format_list(out, value);
}

void format_object(struct buf *out, const json_t *object)
{
    const char *name;
    json_t *value;
    size_t width = 0;
    json_object_foreach ((json_t *)object, name, value)
        width = strlen(name) > width ? strlen(name) : width;
    width = width < 24 ? width : 24;
    json_object_foreach ((json_t *)object, name, value) {
        size_t start = out->len;
        term_escape(out, name, strlen(name), TERM_CELL);
        append_blanks(out, out->len - start < width ? width - (out->len - start) : 0);
        buf_append_str(out, "  ");
        append_member(out, name, value);
        buf_append_char(out, '\n');
    }
}
