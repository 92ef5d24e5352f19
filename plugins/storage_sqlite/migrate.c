/* The schema's version, type tokens, and copies of the database. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"

enum { PATH_SIZE = 4096 };
#define APPLICATION_ID 0x63396401 /* "c9d" 1: `file` and other programs know the database by it */

/* ---- type tokens ---- */

static const struct {
    const char *token, *type;
} tokens[] = {
    {"@ID@", "TEXT"},           {"@TEXT@", "TEXT"},
    {"@INT@", "INTEGER"},       {"@REAL@", "REAL"},
    {"@BLOB@", "BLOB"},         {"@TIME@", "INTEGER"},
    {"@JSON@", "TEXT"},         {"@BOOL@", "INTEGER"},
    {"@STRICT@", "STRICT"},     {"@STRICT_BY_KEY@", "STRICT, WITHOUT ROWID"},
    {"@JOIN@", "group_concat"},
};
enum { N_TOKENS = sizeof(tokens) / sizeof(tokens[0]) };

static size_t token_at(const char *sql)
{
    size_t i = 0;
    while (i < N_TOKENS && strncmp(sql, tokens[i].token, strlen(tokens[i].token)) != 0)
        i++;
    return i;
}

/* The SQL with every token replaced, to be freed. An '@' that starts none stays what it is. */
static char *sql_expand(const char *sql)
{
    /* None is more than twice as long as its token. */
    char *out = malloc(2 * strlen(sql) + 1), *to = out;
    while (out != NULL && *sql != '\0') {
        size_t i = *sql == '@' ? token_at(sql) : N_TOKENS;
        if (i == N_TOKENS) {
            *to++ = *sql++;
            continue;
        }
        to = stpcpy(to, tokens[i].type);
        sql += strlen(tokens[i].token);
    }
    if (out != NULL)
        *to = '\0';
    return out;
}

/* ---- copies ---- */

/* The name appears only when the copy is whole: it is written beside, then linked, which never
 * replaces a file. VACUUM INTO syncs what it writes. */
static int copy_by(struct connection *connection, const char *path, struct c9d_fault *fault)
{
    char partial[PATH_SIZE];
    if (snprintf(partial, sizeof(partial), "%s.partial", path) >= PATH_SIZE)
        return fault_set(fault, C9D_E_FAILED, "%s: the name is too long", path);
    if (access(path, F_OK) == 0)
        return fault_set(fault, C9D_E_FAILED, "%s exists; a backup is a new file", path);
    unlink(partial); /* of a copy that was cut short */
    struct c9d_value name = {C9D_TEXT, strlen(partial), {.s = partial}};
    struct run run = {.sql = "VACUUM INTO $1", .params = &name, .n_params = 1};
    int status = connection_run(connection, &run, NULL, fault);
    if (status == 0 && (chmod(partial, 0600) < 0 || link(partial, path) < 0))
        status = fault_set(fault, C9D_E_FAILED, "%s: %s", path, strerrordesc_np(errno));
    unlink(partial);
    return status;
}

int copy_write(const struct options *options, const char *path, struct c9d_fault *fault)
{
    struct connection *connection = connection_open(options, false, fault);
    int status = connection != NULL ? copy_by(connection, path, fault) : C9D_E_FAILED;
    connection_close(connection);
    return status;
}

/* ---- versions ---- */

static int row_int(void *arg, const struct c9d_value *columns, size_t n)
{
    (void)n;
    *(int64_t *)arg = columns[0].u.i;
    return 0;
}

static int read_int(struct connection *w, const char *sql, int64_t *value_r,
                    struct c9d_fault *fault)
{
    struct run run = {.sql = sql, .row = row_int, .row_arg = value_r, .read_only = true};
    *value_r = 0;
    return connection_run(w, &run, NULL, fault);
}

/* 0 for a database without any table; refuses those of other programs. */
static int version_read(struct c9d_storage *storage, int64_t *version_r, struct c9d_fault *fault)
{
    struct connection *w = storage->writer;
    int64_t application, tables;
    *version_r = 0;
    if (read_int(w, "PRAGMA application_id", &application, fault) != 0 ||
        read_int(w, "SELECT count(*) FROM sqlite_schema", &tables, fault) != 0)
        return C9D_E_FAILED;
    if (application == 0 && tables == 0)
        return 0;
    if (application != APPLICATION_ID)
        return fault_set(fault, C9D_E_FAILED,
                         "%s is the database of another program; set another [storage] path",
                         storage->options.path);
    return read_int(w, "SELECT coalesce(max(version), 0) FROM schema_version", version_r, fault);
}

static int version_record(struct c9d_storage *storage, int64_t version, struct c9d_fault *fault)
{
    struct c9d_value values[] = {{.type = C9D_INT, .u.i = version},
                                 {.type = C9D_INT, .u.i = storage->host->now()}};
    struct run run = {.sql = "INSERT INTO schema_version (version, applied_at) VALUES ($1, $2)",
                      .params = values,
                      .n_params = 2};
    return connection_run(storage->writer, &run, NULL, fault);
}

static int keys_check(struct connection *w, const char *what, struct c9d_fault *fault)
{
    struct run run = {.sql = "PRAGMA foreign_key_check"};
    int64_t broken = 0;
    int status = connection_run(w, &run, &broken, fault);
    if (status == 0 && broken > 0)
        status = fault_set(fault, C9D_E_FAILED,
                           "%s would leave %" PRId64 " rows without the row they refer to", what,
                           broken);
    return status;
}

static int migration_apply(struct c9d_storage *storage, const struct c9d_migration *migration,
                           struct c9d_fault *fault)
{
    struct connection *w = storage->writer;
    char what[64];
    snprintf(what, sizeof(what), "schema version %" PRId64, migration->version);
    char *sql = sql_expand(migration->sql);
    int rc = sql != NULL ? sqlite3_exec(w->db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
    int status = rc == SQLITE_OK ? 0 : fault_from(fault, w->db, rc, what);
    free(sql);
    if (status == 0)
        status = keys_check(w, what, fault);
    if (status == 0)
        status = version_record(storage, migration->version, fault);
    return status;
}

/* Makes a fresh database ours. */
static int database_mark(struct c9d_storage *storage, const struct c9d_migration *none,
                         struct c9d_fault *fault)
{
    char sql[256];
    (void)none;
    snprintf(
        sql, sizeof(sql),
        "PRAGMA application_id=%d;"
        "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)"
        " STRICT;",
        APPLICATION_ID);
    return connection_exec(storage->writer, sql, fault);
}

static int in_transaction(struct c9d_storage *storage, const struct c9d_migration *migration,
                          int (*fn)(struct c9d_storage *, const struct c9d_migration *,
                                    struct c9d_fault *),
                          struct c9d_fault *fault)
{
    struct connection *w = storage->writer;
    int status = connection_exec(w, "BEGIN IMMEDIATE", fault);
    if (status != 0)
        return status;
    status = fn(storage, migration, fault);
    if (status == 0)
        status = connection_exec(w, "COMMIT", fault);
    if (status != 0 && sqlite3_get_autocommit(w->db) == 0) {
        struct c9d_fault second;
        if (connection_exec(w, "ROLLBACK", &second) != 0)
            driver_log(storage, C9D_LOG_ERROR, "rollback failed: %s", second.message);
    }
    return status;
}

/* "c9d.db.v3-20260131T235959Z.bak" beside the database. */
static int copy_before(struct c9d_storage *storage, int64_t version, char path[PATH_SIZE],
                       struct c9d_fault *fault)
{
    char when[32];
    time_t now = (time_t)(storage->host->now() / 1000000);
    struct tm utc;
    strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
    if (snprintf(path, PATH_SIZE, "%s.v%" PRId64 "-%s.bak", storage->options.path, version, when) >=
        PATH_SIZE)
        return fault_set(fault, C9D_E_FAILED, "%s: the name is too long", storage->options.path);
    return copy_write(&storage->options, path, fault);
}

/* An upgrade that failed at its first step changed nothing. Its copy goes, or a daemon that is
 * started again and again would fill the disk with them. */
static void copy_after(struct c9d_storage *storage, int64_t before, const char *path)
{
    int64_t now;
    struct c9d_fault fault;
    if (version_read(storage, &now, &fault) == 0 && now == before)
        unlink(path);
    else
        driver_log(storage, C9D_LOG_INFO,
                   "schema version %" PRId64 " was upgraded; the database of before is %s", before,
                   path);
}

static int migrate(struct c9d_storage *storage, const struct c9d_migration *migrations, size_t n,
                   struct c9d_fault *fault)
{
    int64_t version, last = n > 0 ? migrations[n - 1].version : 0;
    int status = version_read(storage, &version, fault);
    if (status != 0)
        return status;
    if (version > last)
        return fault_set(fault, C9D_E_VERSION,
                         "%s has schema version %" PRId64 ", this c9d knows up to %" PRId64
                         "; use a newer c9d, or restore the copy made before the upgrade",
                         storage->options.path, version, last);
    char copy[PATH_SIZE];
    bool older = version > 0 && version < last && !storage->options.memory;
    if (older && (status = copy_before(storage, version, copy, fault)) != 0)
        return status;
    int64_t marked = 0;
    status = read_int(storage->writer, "PRAGMA application_id", &marked, fault);
    if (status == 0 && marked == 0)
        status = in_transaction(storage, NULL, database_mark, fault);
    for (size_t i = 0; i < n && status == 0; i++)
        if (migrations[i].version > version)
            status = in_transaction(storage, &migrations[i], migration_apply, fault);
    if (older)
        copy_after(storage, version, copy);
    return status;
}

/* Foreign keys are off meanwhile, as https://sqlite.org/lang_altertable.html §7 wants it for a
 * table that is made anew; each step checks them all before it commits. */
int driver_migrate(struct c9d_storage *storage, const struct c9d_migration *migrations, size_t n,
                   struct c9d_fault *fault)
{
    pthread_mutex_lock(&storage->writer_lock);
    int status = connection_exec(storage->writer, "PRAGMA foreign_keys=OFF", fault);
    if (status == 0)
        status = migrate(storage, migrations, n, fault);
    struct c9d_fault second;
    if (connection_exec(storage->writer, "PRAGMA foreign_keys=ON", status == 0 ? fault : &second) !=
            0 &&
        status == 0)
        status = C9D_E_FAILED;
    pthread_mutex_unlock(&storage->writer_lock);
    return status;
}
