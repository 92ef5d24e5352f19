#include "store/list.h"

#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/nearest.h"
#include "base/uuid.h"

enum { PARAMS_MAX = 64, CURSOR_MAX = 2048, FILTER_VALUE_MAX = 1024 };
#define SLACK (60 * CLOCK_SECOND) /* between the making of an id and of its row */

/* A page being asked for. */
struct query {
    const struct list *list;
    const struct list_args *args;
    const struct list_branch *branches;
    size_t n_branches, n_scope;
    const struct list_sort *sort;
    bool descending, sorted_by_default;
    json_t *cursor; /* decoded: [list, sort, key, id] */
    struct buf sql; /* being put together: the filters first, then the statement */
    struct c9d_value params[PARAMS_MAX];
    char *owned[PARAMS_MAX]; /* texts made for parameters */
    size_t n_params, n_owned;
    int64_t limit;
    /* The answer: */
    struct buf *text; /* or: */
    json_t *items;
    int64_t n_items;
    json_t *last_key, *last_id;
    bool more;
};

static void query_cleanup(struct query *q)
{
    json_decref(q->cursor);
    json_decref(q->items);
    json_decref(q->last_key);
    json_decref(q->last_id);
    buf_free(&q->sql);
    for (size_t i = 0; i < q->n_owned; i++)
        free(q->owned[i]);
}

struct c9d_value list_text(const char *s)
{
    if (s == NULL)
        return (struct c9d_value){.type = C9D_NULL};
    return (struct c9d_value){.type = C9D_TEXT, .len = strlen(s), .u.s = s};
}

struct c9d_value list_int(int64_t i)
{
    return (struct c9d_value){.type = C9D_INT, .u.i = i};
}

/* `parameter` is what the client called it: limit, cursor, sort or a filter's name. */
static int refuse(struct error *err, const char *parameter, const char *message)
{
    error_set(err, E_INVALID_REQUEST, "%s: %s", parameter, message);
    error_detail(err, "validationErrors",
                 json_pack("[{s:s+, s:s}]", "path", "/", parameter, "message", message));
    return -1;
}

/* ---- parameters of the statement ---- */

static void sql_param(struct query *q, struct c9d_value value)
{
    if (q->n_params == PARAMS_MAX)
        abort(); /* a list with too many filters is a mistake in its table */
    q->params[q->n_params++] = value;
    buf_printf(&q->sql, "$%zu", q->n_params);
}

static const char *query_own(struct query *q, char *text)
{
    if (q->n_owned == PARAMS_MAX)
        abort();
    return q->owned[q->n_owned++] = text;
}

/* RFC 9562 §5.7: 48 bits of milliseconds lead, then version 7 and variant 10. */
static char *uuid_least(int64_t us)
{
    uint64_t ms = us > 0 ? (uint64_t)us / 1000 : 0;
    return xasprintf("%08x-%04x-7000-8000-000000000000", (unsigned)(ms >> 16),
                     (unsigned)(ms & 0xffff));
}

char *list_pattern(const char *text, bool quoted)
{
    buf_auto pattern = BUF_INIT;
    buf_append_str(&pattern, quoted ? "%\"" : "%");
    for (; *text != '\0'; text++) {
        if (strchr("%_\\", *text) != NULL)
            buf_append_char(&pattern, '\\');
        buf_append_char(&pattern, *text);
    }
    buf_append_str(&pattern, quoted ? "\"%" : "%");
    return buf_steal(&pattern);
}

/* ---- filters ---- */

static bool word_in(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (const char *w = words; len > 0; w++) {
        size_t n = strcspn(w, "|");
        if (n == len && memcmp(w, word, n) == 0)
            return true;
        w += n;
        if (*w == '\0')
            return false;
    }
    return false;
}

/* The row for this name and value, or NULL. */
static const struct list_filter *filter_row(const struct query *q, const char *name,
                                            const char *value, struct error *err)
{
    buf_auto allowed = BUF_INIT;
    const char *names[PARAMS_MAX];
    size_t n_names = 0;
    for (size_t i = 0; i < q->list->n_filters; i++) {
        const struct list_filter *row = &q->list->filters[i];
        names[n_names++ % PARAMS_MAX] = row->name;
        if (strcmp(row->name, name) != 0)
            continue;
        if (row->only == NULL || word_in(row->only, value))
            return row;
        buf_printf(&allowed, "%s%s", allowed.len > 0 ? "|" : "must be one of ", row->only);
    }
    if (allowed.len > 0) {
        refuse(err, name, allowed.data);
        return NULL;
    }
    const char *near = nearest_name(name, names, n_names < PARAMS_MAX ? n_names : PARAMS_MAX);
    autofree char *message =
        xasprintf("there is no such filter%s%s%s", near ? "; did you mean '" : "", near ? near : "",
                  near ? "'?" : "");
    refuse(err, name, message);
    return NULL;
}

static int filter_value(struct query *q, const struct list_filter *row, const char *text,
                        struct c9d_value *value_r, int64_t *time_r, struct error *err)
{
    *value_r = list_text(text);
    switch (row->kind) {
    case FILTER_TEXT:
        return 0;
    case FILTER_ID:
        return uuid_valid(text, strlen(text)) ? 0 : refuse(err, row->name, "is not a UUID");
    case FILTER_TIME:
        if (clock_parse_rfc3339(text, strlen(text), time_r) < 0)
            return refuse(err, row->name, "is not an RFC 3339 time such as 2026-01-31T12:00:00Z");
        *value_r = list_int(*time_r);
        return 0;
    case FILTER_CONTAINS:
    case FILTER_MEMBER:
        *value_r = list_text(query_own(q, list_pattern(text, row->kind == FILTER_MEMBER)));
        return 0;
    }
    abort();
}

static int filter_append(struct query *q, const char *name, const json_t *given, struct error *err)
{
    const char *text = json_string_value(given);
    if (text == NULL || json_string_length(given) > FILTER_VALUE_MAX)
        return refuse(err, name, "must be a text of at most 1024 bytes");
    struct c9d_value value;
    int64_t time = 0;
    const struct list_filter *row = filter_row(q, name, text, err);
    if (row == NULL || filter_value(q, row, text, &value, &time, err) < 0)
        return -1;
    buf_append_str(&q->sql, " AND (");
    for (const char *c = row->condition; *c != '\0'; c++) {
        if (*c == '?')
            sql_param(q, value);
        else if (*c == '[' || *c == ']')
            sql_param(q, list_text(query_own(q, uuid_least(time + (*c == '[' ? -SLACK : SLACK)))));
        else
            buf_append_char(&q->sql, *c);
    }
    buf_append_char(&q->sql, ')');
    return 0;
}

/* ---- sort and cursor ---- */

static int query_sort(struct query *q, struct error *err)
{
    const char *name = q->args->sort != NULL ? q->args->sort : q->list->default_sort;
    q->descending = name[0] == '-';
    name += q->descending;
    const char *usual = q->list->default_sort;
    q->sorted_by_default = strcmp(name, usual + (usual[0] == '-')) == 0;
    for (size_t i = 0; i < q->list->n_sorts; i++) {
        if (strcmp(q->list->sorts[i].name, name) == 0) {
            q->sort = &q->list->sorts[i];
            return 0;
        }
    }
    buf_auto names = BUF_INIT;
    for (size_t i = 0; i < q->list->n_sorts; i++)
        buf_printf(&names, "%s%s", i > 0 ? ", " : "must be one of ", q->list->sorts[i].name);
    buf_append_str(&names, "; '-' in front reverses the order");
    return refuse(err, "sort", names.data);
}

static char *sort_text(const struct query *q)
{
    return xasprintf("%s%s", q->descending ? "-" : "", q->sort->name);
}

static char *cursor_encode(const struct query *q)
{
    autofree char *sort = sort_text(q);
    jx_auto *cursor = json_pack("[s, s, O, O]", q->list->name, sort, q->last_key, q->last_id);
    size_t len;
    autofree char *text = jx_encode(cursor, &len);
    char *out = xmalloc((len * 4 + 2) / 3 + 1);
    return hash_base64url(text, len, out);
}

static bool cursor_fits(const struct query *q, const json_t *cursor)
{
    autofree char *sort = sort_text(q);
    const char *list = json_string_value(json_array_get(cursor, 0));
    const char *order = json_string_value(json_array_get(cursor, 1));
    const json_t *key = json_array_get(cursor, 2), *id = json_array_get(cursor, 3);
    /* A list that is sorted by its own id repeats the key, of whatever type that is. */
    bool sorted_by_id = strcmp(q->sort->column, q->list->id) == 0;
    return json_array_size(cursor) == 4 && list != NULL && strcmp(list, q->list->name) == 0 &&
           order != NULL && strcmp(order, sort) == 0 &&
           (q->sort->kind == SORT_INT ? json_is_integer(key) : json_is_string(key)) &&
           (json_is_string(id) || (sorted_by_id && json_is_integer(id)));
}

static int query_cursor(struct query *q, struct error *err)
{
    const char *text = q->args->cursor;
    if (text == NULL)
        return 0;
    static const char refusal[] = "is not one that this list gave with this sort; "
                                  "start again without it";
    char decoded[CURSOR_MAX];
    size_t len = strlen(text);
    ssize_t n = len <= CURSOR_MAX ? hash_base64url_decode(text, len, decoded) : -1;
    if (n <= 0)
        return refuse(err, "cursor", refusal);
    q->cursor = jx_decode(decoded, (size_t)n, "cursor", NULL);
    return q->cursor != NULL && cursor_fits(q, q->cursor) ? 0 : refuse(err, "cursor", refusal);
}

static struct c9d_value cursor_value(const struct query *q, size_t place)
{
    const json_t *value = json_array_get(q->cursor, place);
    return json_is_integer(value) ? list_int(json_integer_value(value))
                                  : list_text(json_string_value(value));
}

/* ---- the statement ---- */

/* What a branch calls the sort's column, and the id. */
static const char *branch_key(const struct query *q, const struct list_branch *branch)
{
    return branch->key != NULL && q->sorted_by_default ? branch->key : q->sort->column;
}

static const char *branch_id(const struct query *q, const struct list_branch *branch)
{
    return branch->id != NULL ? branch->id : q->list->id;
}

/* Behind the cursor, whose key and id are the parameters `first` and the next. */
static void sql_position(struct query *q, const struct list_branch *branch, size_t first)
{
    const char *less = q->descending ? " < " : " > ";
    const char *key = branch_key(q, branch), *id = branch_id(q, branch);
    if (strcmp(key, id) == 0)
        buf_printf(&q->sql, " AND %s%s$%zu", id, less, first);
    else
        buf_printf(&q->sql, " AND (%s, %s)%s($%zu, $%zu)", key, id, less, first, first + 1);
}

/* columns: what is selected beside key and id. */
static void sql_branch(struct query *q, const struct list_branch *branch, const char *columns,
                       const char *filters, size_t position)
{
    buf_printf(&q->sql, "SELECT %s AS k, %s AS i%s", branch_key(q, branch), branch_id(q, branch),
               columns);
    for (const char *c = branch->from; *c != '\0'; c++) {
        if (*c == '?')
            buf_printf(&q->sql, "$%zu", branch->param);
        else
            buf_append_char(&q->sql, *c);
    }
    buf_append_str(&q->sql, filters);
    if (q->cursor != NULL)
        sql_position(q, branch, position);
}

static void sql_order(struct query *q, const char *key, const char *id)
{
    const char *way = q->descending ? " DESC" : "";
    buf_printf(&q->sql, " ORDER BY %s%s", key, way);
    if (strcmp(key, id) != 0)
        buf_printf(&q->sql, ", %s%s", id, way);
}

static void sql_limit(struct query *q)
{
    buf_append_str(&q->sql, " LIMIT ");
    sql_param(q, list_int(q->limit + 1)); /* one more tells whether there is a next page */
}

/* The keys of all branches are merged first, so that whole rows are read for one page alone. */
static void sql_merge(struct query *q, const char *filters, size_t position)
{
    buf_printf(&q->sql, "SELECT v.k, v.i%s FROM (", q->list->columns);
    for (size_t i = 0; i < q->n_branches; i++) {
        if (i > 0)
            buf_append_str(&q->sql, " UNION ");
        sql_branch(q, &q->branches[i], "", filters, position);
    }
    sql_order(q, "1", "2");
    sql_limit(q);
    buf_printf(&q->sql, ") v JOIN %s ON %s = v.i", q->list->table, q->list->id);
    sql_order(q, "v.k", "v.i");
}

/* The filters' conditions, in q->sql for the moment; to be freed. */
static char *query_filters(struct query *q, struct error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)q->args->filters, name, value)
        if (filter_append(q, name, value, err) < 0)
            return NULL;
    return buf_steal(&q->sql);
}

static void query_position(struct query *q)
{
    bool sorted_by_id = strcmp(q->sort->column, q->list->id) == 0;
    q->params[q->n_params++] = cursor_value(q, 2);
    if (!sorted_by_id)
        q->params[q->n_params++] = cursor_value(q, 3);
}

static int query_build(struct query *q, const struct c9d_value *scope, struct error *err)
{
    if (q->args->limit < 0 || q->args->limit > LIST_LIMIT_MAX)
        return refuse(err, "limit", "must be 1 to 200");
    q->limit = q->args->limit > 0 ? q->args->limit : LIST_LIMIT;
    if (query_sort(q, err) < 0 || query_cursor(q, err) < 0)
        return -1;
    for (; q->n_params < q->n_scope; q->n_params++)
        q->params[q->n_params] =
            scope != NULL ? scope[q->n_params] : (struct c9d_value){.type = C9D_NULL};
    autofree char *filters = query_filters(q, err);
    if (filters == NULL)
        return -1;
    size_t position = q->n_params + 1;
    if (q->cursor != NULL)
        query_position(q);
    if (q->n_branches > 1) {
        sql_merge(q, filters, position);
        return 0;
    }
    sql_branch(q, &q->branches[0], q->list->columns, filters, position);
    sql_order(q, q->sort->column, q->list->id);
    sql_limit(q);
    return 0;
}

int store_list_sql(const struct list *list, const struct list_args *args, struct buf *sql,
                   size_t *n_params_r, struct error *err)
{
    const struct list_branch whole = {.from = list->from};
    cleanup(query_cleanup) struct query q = {
        .list = list, .args = args, .branches = &whole, .n_branches = 1, .n_scope = list->n_scope};
    if (query_build(&q, NULL, err) < 0)
        return -1;
    buf_append(sql, q.sql.data, q.sql.len);
    *n_params_r = q.n_params;
    return 0;
}

/* ---- the page ---- */

static void key_set(json_t **place, const struct c9d_value *column)
{
    json_decref(*place);
    *place = column->type == C9D_INT ? json_integer(column->u.i)
                                     : json_stringn(column->u.s, column->len);
}

static int page_row(void *arg, const struct c9d_value *columns, size_t n)
{
    (void)n;
    struct query *q = arg;
    if (q->n_items == q->limit) {
        q->more = true;
        return 1;
    }
    if (++q->n_items == q->limit) {
        key_set(&q->last_key, &columns[0]);
        key_set(&q->last_id, &columns[1]);
    }
    if (q->text == NULL) {
        json_array_append_new(q->items,
                              row_to_json(q->list->fields, q->list->n_fields, columns + 2));
        return 0;
    }
    if (q->n_items > 1)
        buf_append_char(q->text, ',');
    row_append(q->text, q->list->fields, q->list->n_fields, columns + 2);
    return 0;
}

int store_list_text(struct storage *storage, const struct list *list,
                    const struct list_branch *branches, size_t n_branches,
                    const struct list_args *args, const struct c9d_value *scope, size_t n_scope,
                    struct buf *page, struct error *err)
{
    const struct list_branch whole = {.from = list->from};
    cleanup(query_cleanup) struct query q = {.list = list,
                                             .args = args,
                                             .branches = n_branches > 0 ? branches : &whole,
                                             .n_branches = n_branches > 0 ? n_branches : 1,
                                             .n_scope = n_scope,
                                             .text = page};
    buf_append_str(page, "{\"items\":[");
    if (query_build(&q, scope, err) < 0 ||
        storage_query_values(storage, q.sql.data, q.params, q.n_params, page_row, &q, err) < 0)
        return -1;
    autofree char *next = q.more ? cursor_encode(&q) : NULL;
    buf_printf(page, "],\"nextCursor\":%s%s%s}", next != NULL ? "\"" : "",
               next != NULL ? next : "null", next != NULL ? "\"" : "");
    return 0;
}

int store_list(struct storage *storage, const struct list *list, const struct list_args *args,
               const struct c9d_value *scope, json_t **page_r, struct error *err)
{
    const struct list_branch whole = {.from = list->from};
    cleanup(query_cleanup) struct query q = {.list = list,
                                             .args = args,
                                             .branches = &whole,
                                             .n_branches = 1,
                                             .n_scope = list->n_scope,
                                             .items = json_array()};
    if (query_build(&q, scope, err) < 0 ||
        storage_query_values(storage, q.sql.data, q.params, q.n_params, page_row, &q, err) < 0)
        return -1;
    autofree char *next = q.more ? cursor_encode(&q) : NULL;
    *page_r = json_pack("{s:O, s:s?}", "items", q.items, "nextCursor", next);
    return 0;
}
