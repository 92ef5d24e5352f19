/* JSON values as text for people. All text is escaped for terminals. One thread. */
#ifndef C9_CLIENT_FORMAT_H
#define C9_CLIENT_FORMAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Appends a value as one line; NULL or null: nothing. */
typedef void (*format_fn)(struct buf *out, const json_t *value);
void format_text(struct buf *out, const json_t *value);   /* text as it is, the rest as JSON */
void format_when(struct buf *out, const json_t *value);   /* "3 min ago" */
void format_digest(struct buf *out, const json_t *value); /* 12 hex digits */
void format_list(struct buf *out, const json_t *value);   /* "a, b" */
void format_mark(struct buf *out, const json_t *value);   /* true: "*" */
void format_count(struct buf *out, const json_t *value);
void format_duration(struct buf *out, const json_t *value); /* from milliseconds */
void format_cpu(struct buf *out, const json_t *value);      /* these three take a ResourceUsage */
void format_memory(struct buf *out, const json_t *value);
void format_cost(struct buf *out, const json_t *value);
/* "2.71 ms CPU, 411 KiB peak, 3 calls, 120 tokens, 0.4 cents" */
void format_usage(struct buf *out, const json_t *value);

/* Relative to now_us, both since 1970: "just now", "3 min ago", "in 2 d". */
void format_relative(struct buf *out, int64_t us, int64_t now_us);

/* Indented JSON with a line break behind, members in the order given. */
void format_json(struct buf *out, const json_t *value);

/* A column of a table. */
struct column {
    const char *heading;
    const char *member; /* of the row's object; NULL: the whole object */
    format_fn format;
    bool right; /* numbers */
};
/* Rows of objects as aligned columns. limit: columns of the terminal, 0: none; a last column that
 * is text is cut there. */
void format_table(struct buf *out, const struct column *columns, size_t n, const json_t *rows,
                  size_t limit);
/* One object, a line for each member: label and value; objects and long texts below. */
void format_object(struct buf *out, const json_t *object);

#endif
