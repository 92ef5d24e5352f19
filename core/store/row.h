/* Rows to JSON by tables. A resource's columns stand in one X-macro, one F(column, key, kind) each:
 *
 *     #define PERSONA_FIELDS(F) F("id", "id", TEXT) F("created_at", "createdAt", TIME)
 *     static const struct field persona_fields[] = {PERSONA_FIELDS(FIELD_ENTRY)};
 *     "SELECT revision" PERSONA_FIELDS(FIELD_COLUMN) " FROM personas WHERE id = $1"
 *
 * so that columns and keys cannot drift apart. SQL NULL gives no member. */
#ifndef C9_STORE_ROW_H
#define C9_STORE_ROW_H

#include <jansson.h>

#include "base/buf.h"
#include "base/uuid.h"
#include "host/storage.h"

enum field_kind {
    FIELD_TEXT,
    FIELD_INT,
    FIELD_TIME, /* microseconds → RFC 3339 */
    FIELD_BOOL,
    FIELD_JSON /* JSON text → the value */
};

struct field {
    const char *key;
    enum field_kind kind;
};
#define FIELD_COLUMN(column, key, kind) ", " column
#define FIELD_ENTRY(column, key, kind)  {key, FIELD_##kind},

/* A new object. Any thread. */
json_t *row_to_json(const struct field *fields, size_t n, const struct c9d_value *columns);
/* The same as JSON text, appended: no value is built on the way. */
void row_append(struct buf *out, const struct field *fields, size_t n,
                const struct c9d_value *columns);
/* A new string from a text column, NULL from SQL NULL. */
char *row_text(const struct c9d_value *column);
/* Into an array of `size` bytes, cut to fit; "" from SQL NULL. */
void row_text_into(const struct c9d_value *column, char *out, size_t size);

/* For one row as JSON: fill fields and n. Reads the columns from `skip` on. json stays NULL when
 * there was no row. */
struct row_read {
    const struct field *fields;
    size_t n, skip;
    json_t *json;
};
int row_read_fn(void *arg, const struct c9d_value *columns, size_t n);

/* For queries of one plain column, or two. arg is: */
int row_uuid_fn(void *arg, const struct c9d_value *columns, size_t n);  /* char [UUID_SIZE] */
int row_int_fn(void *arg, const struct c9d_value *columns, size_t n);   /* int64_t, left by NULL */
int row_texts_fn(void *arg, const struct c9d_value *columns, size_t n); /* json_t, an array */
int row_names_fn(void *arg, const struct c9d_value *columns, size_t n); /* of {"id","name"} */
/* For RETURNING id in a batch, which may be run again from its start: a json_t, an object whose
 * names are the ids. */
int row_ids_fn(void *arg, const struct c9d_value *columns, size_t n);

#endif
