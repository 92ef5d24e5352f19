#include "client/changes.h"

#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "client/format.h"
#include "client/term.h"

enum { VALUE_MAX = 200 }; /* bytes shown of a value */

static void styled(struct buf *out, enum term_style style, const char *text, size_t len)
{
    buf_append_str(out, term_style(STDOUT_FILENO, style));
    term_escape(out, text, len, TERM_CELL);
    buf_append_str(out, term_style(STDOUT_FILENO, TERM_PLAIN));
}

static void value_append(struct buf *out, const json_t *value)
{
    size_t len;
    autofree char *text = jx_encode(value, &len);
    buf_append_str(out, "  ");
    term_escape_json(out, text, len < VALUE_MAX ? len : VALUE_MAX);
    buf_append_str(out, len > VALUE_MAX ? " …" : "");
}

void changes_patch(struct buf *out, const json_t *patch)
{
    static const struct {
        const char *op, *mark;
        enum term_style style;
    } marks[] = {
        {"add", "+", TERM_GREEN}, {"remove", "-", TERM_RED}, {"replace", "~", TERM_YELLOW}};
    size_t i;
    json_t *operation;
    json_array_foreach (patch, i, operation) {
        const char *op = jx_str(operation, "op", ""), *path = jx_str(operation, "path", "");
        const json_t *value = json_object_get(operation, "value");
        for (size_t m = 0; m < countof(marks); m++) {
            if (strcmp(marks[m].op, op) != 0)
                continue;
            buf_append_str(out, "  ");
            styled(out, marks[m].style, marks[m].mark, 1);
        }
        buf_append_char(out, ' ');
        term_escape(out, path, strlen(path), TERM_CELL);
        if (value != NULL)
            value_append(out, value);
        buf_append_char(out, '\n');
    }
}

static enum term_style line_style(const char *line, size_t len)
{
    if (len >= 3 && (strncmp(line, "---", 3) == 0 || strncmp(line, "+++", 3) == 0))
        return TERM_BOLD;
    return len == 0         ? TERM_PLAIN
           : line[0] == '+' ? TERM_GREEN
           : line[0] == '-' ? TERM_RED
           : line[0] == '@' ? TERM_BLUE
                            : TERM_PLAIN;
}

void changes_lines(struct buf *out, const char *diff, size_t len)
{
    while (len > 0) {
        const char *end = memchr(diff, '\n', len);
        size_t n = end != NULL ? (size_t)(end - diff) : len;
        enum term_style style = line_style(diff, n);
        if (style == TERM_PLAIN)
            term_escape(out, diff, n, TERM_CELL);
        else
            styled(out, style, diff, n);
        buf_append_char(out, '\n');
        n += end != NULL;
        diff += n;
        len -= n;
    }
}

void changes_schema(struct buf *out, const char *what, const json_t *changes)
{
    size_t i;
    json_t *change;
    json_array_foreach (changes, i, change) {
        bool breaking = jx_bool(change, "breaking", false);
        buf_append_str(out, "  ");
        if (breaking)
            styled(out, TERM_RED, "breaks callers", 14);
        else
            buf_append_str(out, "compatible");
        buf_printf(out, ": %s ", what);
        format_text(out, json_object_get(change, "path"));
        buf_append_str(out, " ");
        format_text(out, json_object_get(change, "message"));
        buf_append_char(out, '\n');
    }
}
