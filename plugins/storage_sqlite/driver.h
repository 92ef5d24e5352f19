/* Shared by the files of storage_sqlite only.
 *
 *   storage_sqlite.c  descriptor, open, close, reads from a pool of connections
 *   connection.c      one connection: pragmas, cache of prepared statements, running one
 *   writer.c          the one thread that commits, waiting batches together
 *   checkpoint.c      the thread that moves the WAL into the database
 *   gather.c          what is written to the WAL, gathered
 *   migrate.c         schema versions, type tokens, backup copies
 *   version.c         whether anything was committed
 *   fault.c           SQLite's results as C9D_E_*
 */
#ifndef STORAGE_SQLITE_DRIVER_H
#define STORAGE_SQLITE_DRIVER_H

#include <c9d/plugin.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>

/* ---- fault.c ---- */

int fault_set(struct c9d_fault *fault, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* From what db said last (db may be NULL: then from rc alone). errno was cleared before the call
 * that failed, so that it tells of an I/O error. Returns the C9D_E_*. */
int fault_from(struct c9d_fault *fault, sqlite3 *db, int rc, const char *doing);

/* ---- connection.c ---- */

enum {
    STATEMENTS_MAX = 192, /* kept prepared per connection; c9d has about a hundred fixed ones */
    STATEMENT_SLOTS = 256 /* of each hash, a power of two */
};

struct statement {
    sqlite3_stmt *stmt;
    char *sql;
    const char *address; /* of the text it was last asked by */
    uint32_t hash;
    struct statement *chain; /* same slot */
    struct statement *newer, *older;
    int n_binds, n_params, n_columns;
    uint16_t *param_of;        /* which $N, from 0, SQLite's i-th parameter is */
    struct c9d_value *columns; /* of the row at hand */
    bool busy;                 /* running: a nested use needs another */
    bool cached;
};

/* Used by one thread at a time; whoever has it sees to that. */
struct connection {
    sqlite3 *db;
    struct connection *next; /* in the pool */
    struct statement *slots[STATEMENT_SLOTS];
    struct statement *by_address[STATEMENT_SLOTS]; /* hint only: checked before use */
    struct statement *newest, *oldest;
    unsigned n_statements;
};

struct options {
    char *path; /* absolute, or ":memory:" */
    bool memory;
    const char *synchronous; /* "FULL" or "NORMAL" */
    int64_t cache_size;      /* bytes */
    int64_t busy_timeout;    /* µs */
};

struct connection *connection_open(const struct options *options, bool writes,
                                   struct c9d_fault *fault);
void connection_close(struct connection *connection);
/* For what needs no parameters and no rows. */
int connection_exec(struct connection *connection, const char *sql, struct c9d_fault *fault);

struct run {
    const char *sql;
    const struct c9d_value *params;
    size_t n_params;
    c9d_row_fn row;
    void *row_arg;
    bool read_only; /* anything but a SELECT is refused */
};
/* Runs one statement to its end (a read: until row says stop). count_r, which may be NULL, gets how
 * many rows it changed, or returned if it returns rows. */
int connection_run(struct connection *connection, const struct run *run, int64_t *count_r,
                   struct c9d_fault *fault);

/* ---- gather.c ---- */

extern const char *gather_vfs; /* for connections that write; NULL: the default one */
void gather_set_up(void);      /* once */

/* ---- the store ---- */

struct checkpointer;
struct wal_header;

struct c9d_storage {
    const struct c9d_host *host;
    struct options options;
    int lock_fd; /* of the file beside the database; -1 in memory */

    /* The writing connection. In memory it is the only one, so that reads take the lock too, and a
     * read from within a row function takes it again: recursive. */
    struct connection *writer;
    pthread_mutex_t writer_lock;

    pthread_t thread;
    bool started;
    pthread_mutex_t queue_lock;
    pthread_cond_t queue_filled;
    struct c9d_batch *first, **last; /* waiting, oldest first */
    bool closing;
    const volatile struct wal_header
        *wal; /* the WAL's index; NULL in memory, or when it is of another format */
    atomic_ullong memory_commits; /* the version in memory */
    unsigned careful;             /* the writer's: groups to go with savepoints from the start */

    pthread_mutex_t pool_lock;
    struct connection *readers; /* idle, last used first */
    unsigned n_readers;

    struct checkpointer *checkpointer;            /* NULL in memory */
    uint64_t n_commits, n_batches, largest_group; /* the writer's; told at close */
};

void driver_log(const struct c9d_storage *storage, enum c9d_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- writer.c ---- */

int writer_start(struct c9d_storage *storage, struct c9d_fault *fault);
void writer_stop(struct c9d_storage *storage); /* after all that was submitted is done */
void writer_submit(struct c9d_storage *storage, struct c9d_batch *batch);

/* ---- checkpoint.c ---- */

int checkpointer_start(struct c9d_storage *storage, struct c9d_fault *fault);
void checkpointer_stop(struct c9d_storage *storage);
/* Gives the WAL its size before anyone else uses the database. */
void wal_prepare(struct c9d_storage *storage);
/* By the writer's thread, between commits, with no transaction open. */
void checkpointer_tend(struct c9d_storage *storage);

/* ---- version.c ---- */

void version_set_up(struct c9d_storage *storage);
uint64_t driver_version(struct c9d_storage *storage);

/* ---- migrate.c ---- */

int driver_migrate(struct c9d_storage *storage, const struct c9d_migration *migrations, size_t n,
                   struct c9d_fault *fault);
int copy_write(const struct options *options, const char *path, struct c9d_fault *fault);

#endif
