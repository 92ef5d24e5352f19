#include "store/row.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

static json_t *value_text(const struct c9d_value *v)
{
    return json_stringn_nocheck(v->u.s, v->len);
}

static json_t *value_int(const struct c9d_value *v)
{
    return json_integer(v->u.i);
}

static json_t *value_time(const struct c9d_value *v)
{
    char text[CLOCK_RFC3339_SIZE];
    return json_string_nocheck(clock_format_rfc3339(v->u.i, text));
}

static json_t *value_bool(const struct c9d_value *v)
{
    return json_boolean(v->u.i != 0);
}

/* Only what was encoded by c9d is in the store: if it does not decode, the database is damaged. */
static json_t *value_json(const struct c9d_value *v)
{
    json_error_t at;
    json_t *value = json_loadb(v->u.s, v->len, JSON_DECODE_ANY, &at);
    if (value != NULL)
        return value;
    log_error("store.damaged", "a JSON column does not decode: %s", at.text);
    return json_null();
}

static json_t *(*const decoders[])(const struct c9d_value *v) = {
    [FIELD_TEXT] = value_text, [FIELD_INT] = value_int,   [FIELD_TIME] = value_time,
    [FIELD_BOOL] = value_bool, [FIELD_JSON] = value_json,
};

json_t *row_to_json(const struct field *fields, size_t n, const struct c9d_value *columns)
{
    json_t *object = json_object();
    for (size_t i = 0; i < n; i++)
        if (columns[i].type != C9D_NULL)
            json_object_set_new_nocheck(object, fields[i].key,
                                        decoders[fields[i].kind](&columns[i]));
    return object;
}

/* ---- as text ---- */

static void append_text(struct buf *out, const struct c9d_value *v)
{
    jx_append_text(out, v->u.s, v->len);
}

static void append_int(struct buf *out, const struct c9d_value *v)
{
    buf_printf(out, "%" PRId64, v->u.i);
}

static void append_time(struct buf *out, const struct c9d_value *v)
{
    char text[CLOCK_RFC3339_SIZE];
    buf_append_char(out, '"');
    buf_append(out, clock_format_rfc3339(v->u.i, text), CLOCK_RFC3339_SIZE - 1);
    buf_append_char(out, '"');
}

static void append_bool(struct buf *out, const struct c9d_value *v)
{
    buf_append_str(out, v->u.i != 0 ? "true" : "false");
}

/* As it was encoded when it was stored. */
static void append_json(struct buf *out, const struct c9d_value *v)
{
    buf_append(out, v->u.s, v->len);
}

static void (*const appenders[])(struct buf *out, const struct c9d_value *v) = {
    [FIELD_TEXT] = append_text, [FIELD_INT] = append_int,   [FIELD_TIME] = append_time,
    [FIELD_BOOL] = append_bool, [FIELD_JSON] = append_json,
};

void row_append(struct buf *out, const struct field *fields, size_t n,
                const struct c9d_value *columns)
{
    char before = '{';
    for (size_t i = 0; i < n; i++) {
        if (columns[i].type == C9D_NULL)
            continue;
        buf_append_char(out, before);
        buf_append_char(out, '"');
        buf_append_str(out, fields[i].key);
        buf_append(out, "\":", 2);
        appenders[fields[i].kind](out, &columns[i]);
        before = ',';
    }
    buf_append_str(out, before == '{' ? "{}" : "}");
}

char *row_text(const struct c9d_value *column)
{
    return column->type == C9D_TEXT ? xstrndup(column->u.s, column->len) : NULL;
}

void row_text_into(const struct c9d_value *column, char *out, size_t size)
{
    snprintf(out, size, "%s", column->type == C9D_TEXT ? column->u.s : "");
}

int row_read_fn(void *arg, const struct c9d_value *columns, size_t n)
{
    struct row_read *read = arg;
    (void)n;
    json_decref(read->json); /* a driver may try a batch again from its start */
    read->json = row_to_json(read->fields, read->n, columns + read->skip);
    return 1;
}

int row_uuid_fn(void *arg, const struct c9d_value *columns, size_t n)
{
    (void)n;
    row_text_into(&columns[0], arg, UUID_SIZE);
    return 1;
}

int row_int_fn(void *arg, const struct c9d_value *columns, size_t n)
{
    (void)n;
    if (columns[0].type == C9D_INT)
        *(int64_t *)arg = columns[0].u.i;
    return 1;
}

int row_texts_fn(void *arg, const struct c9d_value *columns, size_t n)
{
    (void)n;
    json_array_append_new(arg, value_text(&columns[0]));
    return 0;
}

int row_names_fn(void *arg, const struct c9d_value *columns, size_t n)
{
    (void)n;
    json_t *named = json_object();
    json_object_set_new_nocheck(named, "id", value_text(&columns[0]));
    json_object_set_new_nocheck(named, "name", value_text(&columns[1]));
    json_array_append_new(arg, named);
    return 0;
}

int row_ids_fn(void *arg, const struct c9d_value *columns, size_t n)
{
    (void)n;
    json_object_set_new(arg, columns[0].u.s, json_null());
    return 0;
}
