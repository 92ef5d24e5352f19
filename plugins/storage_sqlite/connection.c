/* One connection: pragmas, prepared statements, running one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

/* ---- opening ---- */

enum { LOOKASIDE_SLOTS = 200 };

int connection_exec(struct connection *connection, const char *sql, struct c9d_fault *fault)
{
    errno = 0;
    int rc = sqlite3_exec(connection->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : fault_from(fault, connection->db, rc, sql);
}

/* temp_store keeps the journals of savepoints, and sorts, out of temporary files. Checkpoints are
 * the checkpointer's. What a burst made of the WAL beyond 64 MiB is given back. */
static int connection_setup(struct connection *connection, const struct options *options,
                            bool writes, struct c9d_fault *fault)
{
    char pragmas[512];
    snprintf(pragmas, sizeof(pragmas),
             "PRAGMA cache_size=-%" PRId64 "; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;"
             "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA synchronous=%s;%s",
             options->cache_size / 1024, options->synchronous,
             writes && !options->memory ? "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
                                          "PRAGMA journal_size_limit=67108864;"
                                        : "");
    sqlite3_extended_result_codes(connection->db, 1);
    /* A fifth of SQLite's own 120 KB, which each connection touches at once; what does not fit is
     * malloc's. */
    sqlite3_db_config(connection->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 128, LOOKASIDE_SLOTS);
    sqlite3_busy_timeout(connection->db, (int)(options->busy_timeout / 1000));
    /* Double quotes are for names: a misspelt column must not become a string. */
    sqlite3_db_config(connection->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(connection->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(connection->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    errno = 0;
    int rc = sqlite3_exec(connection->db, pragmas, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : fault_from(fault, connection->db, rc, options->path);
}

/* Nobody asks SQLite how much memory it uses, and counting takes one lock for all threads at each
 * allocation. Too late, and refused, when another part of the process uses SQLite already: then it
 * counts. */
static void library_set_up(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    gather_set_up();
}

struct connection *connection_open(const struct options *options, bool writes,
                                   struct c9d_fault *fault)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, library_set_up);
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        fault_set(fault, C9D_E_FAILED, "%s: out of memory", options->path);
        return NULL;
    }
    /* NOMUTEX: one thread at a time is ours to see to. */
    int flags = SQLITE_OPEN_NOMUTEX |
                (writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
    /* Where commits are synced: elsewhere the last of what was gathered could wait for the next. */
    bool gathers = writes && strcmp(options->synchronous, "FULL") == 0;
    int rc = sqlite3_open_v2(options->path, &connection->db, flags, gathers ? gather_vfs : NULL);
    if (rc != SQLITE_OK)
        fault_from(fault, connection->db, rc, options->path);
    else if (connection_setup(connection, options, writes, fault) == 0)
        return connection;
    connection_close(connection);
    return NULL;
}

static void statement_free(struct statement *statement)
{
    sqlite3_finalize(statement->stmt);
    free(statement->sql);
    free(statement->param_of);
    free(statement->columns);
    free(statement);
}

void connection_close(struct connection *connection)
{
    if (connection == NULL)
        return;
    while (connection->newest != NULL) {
        struct statement *statement = connection->newest;
        connection->newest = statement->older;
        statement_free(statement);
    }
    sqlite3_close(connection->db);
    free(connection);
}

/* ---- the cache of prepared statements ---- */
/* Found by the address of the text first, which for c9d's own constants is always right and needs
 * no hash; the text is compared all the same, since texts made at run time reuse addresses. */

static uint32_t text_hash(const char *s)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *s != '\0'; s++)
        hash = (hash ^ (unsigned char)*s) * 16777619u;
    return hash;
}

static struct statement **address_slot(struct connection *c, const char *sql)
{
    uintptr_t bits = (uintptr_t)sql;
    return &c->by_address[(bits ^ (bits >> 8)) % STATEMENT_SLOTS];
}

static void recency_remove(struct connection *c, struct statement *s)
{
    *(s->newer != NULL ? &s->newer->older : &c->newest) = s->older;
    *(s->older != NULL ? &s->older->newer : &c->oldest) = s->newer;
}

static void recency_add(struct connection *c, struct statement *s)
{
    s->newer = NULL;
    s->older = c->newest;
    *(c->newest != NULL ? &c->newest->newer : &c->oldest) = s;
    c->newest = s;
}

static void cache_drop(struct connection *c, struct statement *s)
{
    struct statement **place = &c->slots[s->hash % STATEMENT_SLOTS];
    while (*place != s)
        place = &(*place)->chain;
    *place = s->chain;
    for (size_t i = 0; i < STATEMENT_SLOTS; i++)
        if (c->by_address[i] == s)
            c->by_address[i] = NULL;
    recency_remove(c, s);
    c->n_statements--;
    statement_free(s);
}

/* Drops the one unused for longest; those that run now stay. */
static void cache_make_room(struct connection *c)
{
    struct statement *s = c->oldest;
    while (s != NULL && s->busy)
        s = s->newer;
    if (s != NULL)
        cache_drop(c, s);
}

static void cache_add(struct connection *c, struct statement *s)
{
    if (c->n_statements >= STATEMENTS_MAX)
        cache_make_room(c);
    s->chain = c->slots[s->hash % STATEMENT_SLOTS];
    c->slots[s->hash % STATEMENT_SLOTS] = s;
    recency_add(c, s);
    c->n_statements++;
    s->cached = true;
}

static struct statement *cache_find(struct connection *c, const char *sql)
{
    struct statement **hint = address_slot(c, sql);
    struct statement *s = *hint;
    if (s == NULL || s->address != sql || strcmp(s->sql, sql) != 0) {
        uint32_t hash = text_hash(sql);
        s = c->slots[hash % STATEMENT_SLOTS];
        while (s != NULL && (s->hash != hash || strcmp(s->sql, sql) != 0))
            s = s->chain;
        if (s == NULL)
            return NULL;
        s->address = sql;
        *hint = s;
    }
    if (c->newest != s) {
        recency_remove(c, s);
        recency_add(c, s);
    }
    return s;
}

/* ---- preparing ---- */

/* "$12" is a name to SQLite, not a number: which parameter each name means is looked up once. */
static int params_map(struct statement *s, struct c9d_fault *fault)
{
    for (int i = 0; i < s->n_binds; i++) {
        const char *name = sqlite3_bind_parameter_name(s->stmt, i + 1);
        char *end = NULL;
        long number = name != NULL && name[0] == '$' ? strtol(name + 1, &end, 10) : 0;
        if (number < 1 || number > UINT16_MAX || *end != '\0')
            return fault_set(fault, C9D_E_FAILED, "parameters are $1, $2, … (%.200s)", s->sql);
        s->param_of[i] = (uint16_t)(number - 1);
        if (number > s->n_params)
            s->n_params = (int)number;
    }
    return 0;
}

static struct statement *statement_prepare(struct connection *c, const char *sql, bool keep,
                                           struct c9d_fault *fault)
{
    struct statement *s = calloc(1, sizeof(*s));
    if (s == NULL || (s->sql = strdup(sql)) == NULL)
        goto memory;
    const char *rest;
    int rc =
        sqlite3_prepare_v3(c->db, sql, -1, keep ? SQLITE_PREPARE_PERSISTENT : 0, &s->stmt, &rest);
    if (rc != SQLITE_OK) {
        fault_from(fault, c->db, rc, sql);
        goto fail;
    }
    if (s->stmt == NULL || rest[strspn(rest, " \t\n;")] != '\0') {
        fault_set(fault, C9D_E_FAILED, "exactly one statement is wanted (%.200s)", sql);
        goto fail;
    }
    s->n_binds = sqlite3_bind_parameter_count(s->stmt);
    s->n_columns = sqlite3_column_count(s->stmt);
    s->param_of = calloc((size_t)s->n_binds + 1, sizeof(*s->param_of));
    s->columns = calloc((size_t)s->n_columns + 1, sizeof(*s->columns));
    if (s->param_of == NULL || s->columns == NULL)
        goto memory;
    if (params_map(s, fault) < 0)
        goto fail;
    s->hash = text_hash(sql);
    s->address = sql;
    return s;
memory:
    fault_set(fault, C9D_E_FAILED, "out of memory (%.200s)", sql);
fail:
    if (s != NULL)
        statement_free(s);
    return NULL;
}

/* A statement ready to be bound; given back by statement_release. */
static struct statement *statement_take(struct connection *c, const char *sql,
                                        struct c9d_fault *fault)
{
    struct statement *s = cache_find(c, sql);
    if (s == NULL || s->busy) {
        bool keep = s == NULL;
        s = statement_prepare(c, sql, keep, fault);
        if (s != NULL && keep)
            cache_add(c, s);
    }
    if (s != NULL)
        s->busy = true;
    return s;
}

static void statement_release(struct statement *s)
{
    if (!s->cached) {
        statement_free(s);
        return;
    }
    sqlite3_reset(s->stmt);
    s->busy = false;
}

/* ---- running ---- */

static int value_bind(sqlite3_stmt *stmt, int i, const struct c9d_value *v)
{
    /* STATIC: the caller's memory outlives the run, and the next run binds every one anew. */
    switch (v->type) {
    case C9D_NULL:
        return sqlite3_bind_null(stmt, i);
    case C9D_INT:
        return sqlite3_bind_int64(stmt, i, v->u.i);
    case C9D_REAL:
        return sqlite3_bind_double(stmt, i, v->u.d);
    case C9D_TEXT:
        return sqlite3_bind_text64(stmt, i, v->u.s, v->len, SQLITE_STATIC, SQLITE_UTF8);
    case C9D_BLOB:
        return v->len == 0 ? sqlite3_bind_zeroblob(stmt, i, 0)
                           : sqlite3_bind_blob64(stmt, i, v->u.s, v->len, SQLITE_STATIC);
    }
    return SQLITE_MISMATCH;
}

static int statement_bind(struct connection *c, struct statement *s, const struct run *run,
                          struct c9d_fault *fault)
{
    if (run->n_params != (size_t)s->n_params)
        return fault_set(fault, C9D_E_FAILED, "%d parameters wanted, %zu given (%.200s)",
                         s->n_params, run->n_params, run->sql);
    for (int i = 0; i < s->n_binds; i++) {
        int rc = value_bind(s->stmt, i + 1, &run->params[s->param_of[i]]);
        if (rc != SQLITE_OK)
            return fault_from(fault, c->db, rc, run->sql);
    }
    return 0;
}

static void column_read(sqlite3_stmt *stmt, int i, struct c9d_value *v)
{
    *v = (struct c9d_value){.type = C9D_NULL};
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        v->type = C9D_INT;
        v->u.i = sqlite3_column_int64(stmt, i);
        break;
    case SQLITE_FLOAT:
        v->type = C9D_REAL;
        v->u.d = sqlite3_column_double(stmt, i);
        break;
    case SQLITE_TEXT:
        v->type = C9D_TEXT;
        v->u.s = (const char *)sqlite3_column_text(stmt, i);
        v->len = (size_t)sqlite3_column_bytes(stmt, i);
        break;
    case SQLITE_BLOB:
        v->type = C9D_BLOB;
        v->u.s = sqlite3_column_blob(stmt, i);
        v->len = (size_t)sqlite3_column_bytes(stmt, i);
        if (v->u.s == NULL)
            v->u.s = "";
        break;
    }
}

/* Hands each row to the caller. A change runs to its end though no one listens; a read stops. */
static int statement_step(struct statement *s, const struct run *run, int64_t *rows_r)
{
    bool listening = run->row != NULL;
    int rc;
    *rows_r = 0;
    while ((rc = sqlite3_step(s->stmt)) == SQLITE_ROW) {
        (*rows_r)++;
        if (!listening)
            continue;
        for (int i = 0; i < s->n_columns; i++)
            column_read(s->stmt, i, &s->columns[i]);
        listening = run->row(run->row_arg, s->columns, (size_t)s->n_columns) == 0;
        if (!listening && run->read_only)
            return SQLITE_DONE;
    }
    return rc;
}

int connection_run(struct connection *c, const struct run *run, int64_t *count_r,
                   struct c9d_fault *fault)
{
    errno = 0;
    struct statement *s = statement_take(c, run->sql, fault);
    if (s == NULL)
        return C9D_E_FAILED;
    int status = 0;
    int64_t rows = 0;
    if (run->read_only && !sqlite3_stmt_readonly(s->stmt)) {
        status =
            fault_set(fault, C9D_E_FAILED, "a query must not change anything (%.200s)", run->sql);
    } else if ((status = statement_bind(c, s, run, fault)) == 0) {
        int rc = statement_step(s, run, &rows);
        if (rc != SQLITE_DONE)
            status = fault_from(fault, c->db, rc, run->sql);
    }
    if (status == 0 && count_r != NULL)
        *count_r = s->n_columns > 0 ? rows : sqlite3_changes64(c->db);
    statement_release(s);
    return status;
}
