/* Moves the WAL into the database beside the commits, on a thread and a connection of its own.
 *
 * A passive checkpoint takes no lock that the writer wants, so commits go on while it copies and
 * syncs. SQLite starts the WAL over at the first commit that finds all of it copied; under a
 * stream of commits the thread is always a few frames behind, so that past WAL_LONG the writer
 * copies those few itself. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

enum {
    WAL_STEP = 800,         /* frames (4 KiB each) not yet copied that are worth a checkpoint */
    WAL_LONG = 2000,        /* frames from which on the writer helps to start over */
    WAL_PREPARED = 8 << 20, /* bytes; a little more than WAL_LONG frames fill */
    WAL_PIECE = 64 * 1024   /* SQLite's files take less than 128 KiB in one write */
};

struct checkpointer {
    struct connection *connection;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    bool asked, stopping;
    atomic_int copied; /* frames of the present WAL that are in the database */
    atomic_int frames; /* in the WAL after the last commit */
    int next_help;     /* the writer's: frames at which it helps */
};

/* On failure (most often: another checkpoint is running) nothing is lost: the next does more. */
static void checkpoint(struct c9d_storage *storage, sqlite3 *db)
{
    struct checkpointer *c = storage->checkpointer;
    int frames = 0, copied = 0;
    int rc = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
    if (rc == SQLITE_OK)
        atomic_store(&c->copied, copied);
    else if ((rc & 0xff) != SQLITE_BUSY)
        driver_log(storage, C9D_LOG_WARN, "checkpoint failed: %s", sqlite3_errmsg(db));
}

static bool asked(struct checkpointer *c)
{
    pthread_mutex_lock(&c->lock);
    while (!c->asked && !c->stopping)
        pthread_cond_wait(&c->wanted, &c->lock);
    bool go_on = !c->stopping;
    pthread_mutex_unlock(&c->lock);
    return go_on;
}

static void *checkpointer_main(void *arg)
{
    struct c9d_storage *storage = arg;
    struct checkpointer *c = storage->checkpointer;
    while (asked(c)) {
        checkpoint(storage, c->connection->db);
        pthread_mutex_lock(&c->lock);
        c->asked = false;
        pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

static int wal_grew(void *arg, sqlite3 *db, const char *schema, int frames)
{
    struct checkpointer *c = arg;
    (void)db, (void)schema;
    /* Fewer than before: the WAL was started over. */
    if (frames < atomic_exchange(&c->frames, frames)) {
        atomic_store(&c->copied, 0);
        c->next_help = WAL_LONG;
    }
    return SQLITE_OK;
}

void checkpointer_tend(struct c9d_storage *storage)
{
    struct checkpointer *c = storage->checkpointer;
    if (c == NULL)
        return;
    int frames = atomic_load(&c->frames);
    if (frames - atomic_load(&c->copied) < WAL_STEP && frames < c->next_help)
        return;
    pthread_mutex_lock(&c->lock);
    bool idle = !c->asked;
    if (idle && frames < c->next_help) {
        c->asked = true;
        pthread_cond_signal(&c->wanted);
    }
    pthread_mutex_unlock(&c->lock);
    if (idle && frames >= c->next_help) {
        /* A reader on an old snapshot may hold the WAL: do not try again with every commit. */
        c->next_help = frames + WAL_STEP;
        checkpoint(storage, storage->writer->db);
    }
}

static int wal_fill(sqlite3_file *wal, sqlite3_int64 from, const char *zeros)
{
    int rc = SQLITE_OK;
    for (sqlite3_int64 at = from; at < WAL_PREPARED && rc == SQLITE_OK;) {
        int n = (int)(WAL_PREPARED - at < WAL_PIECE ? WAL_PREPARED - at : WAL_PIECE);
        rc = wal->pMethods->xWrite(wal, zeros, n, at);
        at += n;
    }
    if (rc == SQLITE_OK)
        rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
    if (rc != SQLITE_OK)
        wal->pMethods->xTruncate(wal, from);
    return rc;
}

/* Syncing a file that grew costs a commit of the file system's own journal: a commit into a log
 * that has its size already took 160 µs where one that made it grow took 310. Zeros behind the last
 * frame are what SQLite finds behind it after every start-over too, and stops at. Under the write
 * lock, so that no one else appends meanwhile. Without it c9d is slower for a while. */
void wal_prepare(struct c9d_storage *storage)
{
    struct c9d_fault fault;
    sqlite3_file *wal = NULL;
    sqlite3_int64 size = 0;
    sqlite3 *db = storage->writer->db;
    char *zeros = calloc(1, WAL_PIECE);
    if (zeros == NULL || connection_exec(storage->writer, "BEGIN IMMEDIATE", &fault) != 0) {
        free(zeros);
        return;
    }
    int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (rc == SQLITE_OK && (wal == NULL || wal->pMethods == NULL))
        rc = SQLITE_CANTOPEN;
    if (rc == SQLITE_OK)
        rc = wal->pMethods->xFileSize(wal, &size);
    if (rc == SQLITE_OK && size < WAL_PREPARED)
        rc = wal_fill(wal, size, zeros);
    free(zeros);
    if (connection_exec(storage->writer, "ROLLBACK", &fault) != 0 || rc != SQLITE_OK)
        driver_log(storage, C9D_LOG_WARN, "the write-ahead log could not be prepared (%d)", rc);
}

int checkpointer_start(struct c9d_storage *storage, struct c9d_fault *fault)
{
    struct checkpointer *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return fault_set(fault, C9D_E_FAILED, "out of memory");
    c->next_help = WAL_LONG;
    c->connection = connection_open(&storage->options, true, fault);
    if (c->connection == NULL) {
        free(c);
        return C9D_E_FAILED;
    }
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wanted, NULL);
    storage->checkpointer = c;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int rc = pthread_create(&c->thread, NULL, checkpointer_main, storage);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        storage->checkpointer = NULL;
        connection_close(c->connection);
        free(c);
        return fault_set(fault, C9D_E_FAILED, "no thread for checkpoints: %s", strerrordesc_np(rc));
    }
    pthread_setname_np(c->thread, "c9d-checkpoint");
    sqlite3_wal_hook(storage->writer->db, wal_grew, c);
    return 0;
}

void checkpointer_stop(struct c9d_storage *storage)
{
    struct checkpointer *c = storage->checkpointer;
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->wanted);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    sqlite3_wal_hook(storage->writer->db, NULL, NULL);
    connection_close(c->connection);
    pthread_cond_destroy(&c->wanted);
    pthread_mutex_destroy(&c->lock);
    free(c);
    storage->checkpointer = NULL;
}
