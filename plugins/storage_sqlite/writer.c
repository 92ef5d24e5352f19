/* The one thread that writes. All batches that wait are committed together: one transaction, one
 * sync of the WAL, and then everyone is told. A batch that comes alone, or with
 * few, is not kept waiting for company. */
#include <signal.h>
#include <string.h>
#include <time.h>

#include "driver.h"

enum {
    GROUP_MAX = 512,     /* so that the first of a flood does not wait for all of it */
    GATHER_FROM = 6,     /* a group of so many is followed by a pause … */
    GATHER_NS = 1000000, /* … of this */
    CAREFUL_GROUPS =
        16, /* so many have savepoints from the start after one in which a batch failed */
};

/* A batch and what became of it, until its group is durable. */
struct outcome {
    struct c9d_batch *batch;
    int status;
};

static int batch_fail(struct c9d_batch *batch, size_t statement, int status)
{
    batch->failed = statement;
    return status;
}

static int batch_run(struct c9d_storage *storage, struct c9d_batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        const struct c9d_statement *s = &batch->statements[i];
        struct run run = {s->sql, s->params, s->n_params, s->row, s->row_arg, false};
        int64_t count = 0;
        int status = connection_run(storage->writer, &run, &count, &batch->fault);
        if (status != 0)
            return batch_fail(batch, i, status);
        if (s->expect >= 0 && count != s->expect)
            return batch_fail(batch, i,
                              fault_set(&batch->fault, C9D_E_CONFLICT,
                                        "%lld rows changed, %lld expected (%.200s)",
                                        (long long)count, (long long)s->expect, s->sql));
    }
    return 0;
}

static int step(struct c9d_storage *storage, const char *sql, struct c9d_fault *fault)
{
    struct run run = {.sql = sql};
    return connection_run(storage->writer, &run, NULL, fault);
}

/* After most failures of a statement the transaction goes on; after some SQLite has ended it. */
static bool transaction_lost(struct c9d_storage *storage)
{
    return sqlite3_get_autocommit(storage->writer->db) != 0;
}

static void transaction_end(struct c9d_storage *storage)
{
    struct c9d_fault fault;
    if (!transaction_lost(storage) && step(storage, "ROLLBACK", &fault) != 0)
        driver_log(storage, C9D_LOG_ERROR, "rollback failed: %s", fault.message);
}

static int transaction_commit(struct c9d_storage *storage, struct c9d_fault *fault)
{
    int status = step(storage, "COMMIT", fault);
    if (status != 0)
        transaction_end(storage);
    else
        storage->n_commits++;
    atomic_store(&storage->memory_commits, storage->n_commits);
    return status;
}

/* One batch, one transaction: every failure is its own. */
static int commit_single(struct c9d_storage *storage, struct c9d_batch *batch)
{
    int status = step(storage, "BEGIN IMMEDIATE", &batch->fault);
    if (status != 0)
        return batch_fail(batch, 0, status);
    status = batch_run(storage, batch);
    if (status != 0) {
        transaction_end(storage);
        return status;
    }
    status = transaction_commit(storage, &batch->fault);
    return status == 0 ? 0 : batch_fail(batch, batch->n, status);
}

/* Runs a batch within the group's transaction. False: the transaction is to be ended and the group
 * done again. A savepoint, with which a batch that fails is undone alone, costs a copy of each page
 * that the batch changes; nearly none fails, so a group goes without first. */
static bool member_run(struct c9d_storage *storage, struct outcome *outcome, bool careful)
{
    struct c9d_fault fault;
    if (!careful) {
        outcome->status = batch_run(storage, outcome->batch);
        return outcome->status == 0;
    }
    if (step(storage, "SAVEPOINT batch", &fault) != 0)
        return false;
    outcome->status = batch_run(storage, outcome->batch);
    if (transaction_lost(storage))
        return false;
    if (outcome->status != 0 && step(storage, "ROLLBACK TO batch", &fault) != 0)
        return false;
    return step(storage, "RELEASE batch", &fault) == 0;
}

/* 0: each outcome is set. 1: must be done again. Negative: no transaction could be begun. */
static int try_group(struct c9d_storage *storage, struct outcome *group, size_t n, bool careful,
                     struct c9d_fault *fault)
{
    int status = step(storage, "BEGIN IMMEDIATE", fault);
    if (status != 0)
        return status;
    for (size_t i = 0; i < n; i++)
        if (!member_run(storage, &group[i], careful)) {
            transaction_end(storage);
            return 1;
        }
    return transaction_commit(storage, fault) == 0 ? 0 : 1;
}

/* As try_group; 1: must be done again one by one. Where one batch fails others soon do. */
static int commit_group(struct c9d_storage *storage, struct outcome *group, size_t n,
                        struct c9d_fault *fault)
{
    if (storage->careful == 0) {
        int status = try_group(storage, group, n, false, fault);
        if (status <= 0)
            return status;
        storage->careful = CAREFUL_GROUPS;
    }
    storage->careful--;
    return try_group(storage, group, n, true, fault);
}

/* When the group as a whole fails (no space, a deferred key, an I/O error), it is done again one by
 * one, so that each batch gets its own answer and none suffers from a neighbour. When it cannot
 * even begin, no single one could: all get that answer, after one time-out and not one each. */
static void commit(struct c9d_storage *storage, struct outcome *group, size_t n)
{
    struct c9d_fault fault;
    pthread_mutex_lock(&storage->writer_lock);
    int status = n == 1 ? 1 : commit_group(storage, group, n, &fault);
    for (size_t i = 0; i < n && status != 0; i++) {
        if (status > 0) {
            group[i].status = commit_single(storage, group[i].batch);
        } else {
            group[i].status = batch_fail(group[i].batch, 0, status);
            group[i].batch->fault = fault;
        }
    }
    pthread_mutex_unlock(&storage->writer_lock);
    storage->n_batches += n;
    if (n > storage->largest_group)
        storage->largest_group = n;
}

/* Waits for work. Returns how many were taken; 0: closing, and nothing is left. */
static size_t group_take(struct c9d_storage *storage, struct outcome *group)
{
    size_t n = 0;
    pthread_mutex_lock(&storage->queue_lock);
    while (storage->first == NULL && !storage->closing)
        pthread_cond_wait(&storage->queue_filled, &storage->queue_lock);
    for (; storage->first != NULL && n < GROUP_MAX; n++) {
        group[n] = (struct outcome){storage->first, 0};
        storage->first = storage->first->next;
    }
    if (storage->first == NULL)
        storage->last = &storage->first;
    pthread_mutex_unlock(&storage->queue_lock);
    return n;
}

/* What a commit costs, its fsync and pages, is about the same for one batch and for many. When the
 * last group was large, more are on their way, and it pays to wait for them; where few write, none
 * waits. */
static void group_gather(size_t last)
{
    static const struct timespec pause = {0, GATHER_NS};
    if (last >= GATHER_FROM)
        nanosleep(&pause, NULL);
}

static void *writer_main(void *arg)
{
    struct c9d_storage *storage = arg;
    struct outcome group[GROUP_MAX];
    size_t n = 0;
    while (group_gather(n), (n = group_take(storage, group)) > 0) {
        commit(storage, group, n);
        for (size_t i = 0; i < n; i++)
            group[i].batch->done(group[i].batch, group[i].status);
        checkpointer_tend(storage);
    }
    return NULL;
}

void writer_submit(struct c9d_storage *storage, struct c9d_batch *batch)
{
    batch->next = NULL;
    pthread_mutex_lock(&storage->queue_lock);
    *storage->last = batch;
    storage->last = &batch->next;
    if (!batch->more)
        pthread_cond_signal(&storage->queue_filled);
    pthread_mutex_unlock(&storage->queue_lock);
}

int writer_start(struct c9d_storage *storage, struct c9d_fault *fault)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int rc = pthread_create(&storage->thread, NULL, writer_main, storage);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return fault_set(fault, C9D_E_FAILED, "no thread for the writer: %s", strerrordesc_np(rc));
    pthread_setname_np(storage->thread, "c9d-writer");
    storage->started = true;
    return 0;
}

void writer_stop(struct c9d_storage *storage)
{
    if (!storage->started)
        return;
    pthread_mutex_lock(&storage->queue_lock);
    storage->closing = true;
    pthread_cond_signal(&storage->queue_filled);
    pthread_mutex_unlock(&storage->queue_lock);
    pthread_join(storage->thread, NULL);
    storage->started = false;
}
