/* Pages of lists: keyset cursors, filters and sorts, each list one table of them. The SQL of a page
 * is put together from the constants of these tables only; values are always parameters. */
#ifndef C9_STORE_LIST_H
#define C9_STORE_LIST_H

#include <jansson.h>

#include "base/buf.h"
#include "store/row.h"

enum filter_kind {
    FILTER_TEXT,
    FILTER_ID,       /* a UUID, in lower case */
    FILTER_TIME,     /* RFC 3339 → microseconds */
    FILTER_CONTAINS, /* text → a LIKE pattern that finds it anywhere, with ESCAPE '\' */
    FILTER_MEMBER /* as FILTER_CONTAINS, for a whole string in the text of a JSON array of names */
};

/* In a condition '?' stands for the value. For FILTER_TIME '[' and ']' stand for the least UUIDv7
 * of a minute before and a minute after: bounds of the ids of rows made then, for the sake of the
 * index. With `only` ("a|b") the row is for these values alone; a value that no row of the name
 * takes is refused. */
struct list_filter {
    const char *name; /* the query parameter */
    enum filter_kind kind;
    const char *only;
    const char *condition;
};

struct list_sort {
    const char *name, *column; /* NOT NULL */
    enum { SORT_TEXT, SORT_INT } kind;
};

struct list {
    const char *name;    /* cursors of one list are of no use to another */
    const char *columns; /* ", a, b": FIELDS(FIELD_COLUMN) */
    const char *from;    /* " FROM … WHERE …" with the parameters $1 … $n_scope */
    size_t n_scope;
    const char *table; /* "agents a": whose rows the columns are; for lists of several branches */
    const char *id;    /* the unique column that makes the order total */
    const char *default_sort;
    const struct list_sort *sorts;
    size_t n_sorts;
    const struct list_filter *filters;
    size_t n_filters;
    const struct field *fields;
    size_t n_fields;
};

/* Tables in the initializer of a list, with their numbers of rows. */
#define LIST_SORTS(rows)   .sorts = (rows), .n_sorts = countof(rows)
#define LIST_FILTERS(rows) .filters = (rows), .n_filters = countof(rows)
#define LIST_FIELDS(rows)  .fields = (rows), .n_fields = countof(rows)

/* One of several sources whose rows are merged into a list, each row once. An index should give
 * each in the order of the default sort; then a page costs its rows, whatever the sources hold. */
struct list_branch {
    const char *from; /* as in struct list; '?' stands for scope[param - 1] */
    const char *key,
        *id; /* this source's names of the default sort's column and of the id; or NULL */
    size_t param;
};

#define LIST_LIMIT     50
#define LIST_LIMIT_MAX 200

struct list_args {
    int64_t limit;         /* 1 to LIST_LIMIT_MAX; 0: LIST_LIMIT */
    const char *cursor;    /* NULL: from the start */
    const char *sort;      /* "name", "-name" (descending); NULL: default_sort */
    const json_t *filters; /* object of strings; may be NULL */
};

/* {"items":[…],"nextCursor":"…" or null}. scope: list->n_scope values. Blocks. E_INVALID_REQUEST
 * with details.validationErrors when an argument is not one that this list takes. */
int store_list(struct storage *storage, const struct list *list, const struct list_args *args,
               const struct c9d_value *scope, json_t **page_r, struct error *err);
/* The page as JSON text, appended; of n_branches sources instead of list->from, unless there are
 * none. scope: n_scope values. */
int store_list_text(struct storage *storage, const struct list *list,
                    const struct list_branch *branches, size_t n_branches,
                    const struct list_args *args, const struct c9d_value *scope, size_t n_scope,
                    struct buf *page, struct error *err);
/* The SQL that store_list would run, and how many parameters it has: for looking at its plan. */
int store_list_sql(const struct list *list, const struct list_args *args, struct buf *sql,
                   size_t *n_params_r, struct error *err);

/* The LIKE pattern of FILTER_CONTAINS; quoted: of FILTER_MEMBER. To be freed. */
char *list_pattern(const char *text, bool quoted);

/* Values for scopes, borrowing the text. */
struct c9d_value list_text(const char *s);
struct c9d_value list_int(int64_t i);

#endif
