/* Rows of agent_executions and what hangs from them. Writing functions add to a batch, so that the
 * engine decides what becomes durable together; reading functions block (not for the engine). */
#ifndef C9_STORE_EXECUTION_H
#define C9_STORE_EXECUTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "host/storage.h"

struct execution_row {
    char id[UUID_SIZE];
    const char *agent_id, *agent_version, *organization_id, *triggered_by, *parent_id /* or NULL */;
    const char *input;                             /* JSON text */
    const char *context;                           /* JSON text */
    const char *version_note;                      /* JSON text, or NULL */
    const char *origin_id, *origin_kind, *seed_id; /* or NULL: see schema_4.sql */
    int64_t priority, available_at, created_at;
    const char *lease_owner; /* NULL: any worker may claim it; else its first start is counted */
    int64_t lease_until;
    const char *concurrency_key; /* or NULL */
    const char *batch_id;        /* or NULL */
    int64_t batch_index;
};
void store_execution_insert(struct storage_batch *batch, const struct execution_row *row);
/* To running, from pending or (taken up again) running; expects the lease. started_at stays what it
 * was the first time. */
void store_execution_started(struct storage_batch *batch, const char *id, const char *owner,
                             int64_t started_at);
/* The column `attempt`: how often the present attempt was started, and once more while somebody who
 * has the lease may just be starting it. So a start is durable before it is made, whatever happens
 * then: a claim counts one, as does an insertion under a lease; who finds no place for it gives
 * that back with this, and takes it again before the start. Expects the lease. */
void store_execution_starts(struct storage_batch *batch, const char *id, const char *owner,
                            int64_t starts);

struct execution_usage {
    int64_t cpu_us, memory_peak, api_calls, tokens, cost_microcents;
};
struct execution_end {
    const char *status;        /* completed, failed, cancelled */
    const char *output;        /* JSON text or NULL */
    const char *error_message; /* or NULL */
    const char *error_details; /* JSON text or NULL */
    const char *usage_json;    /* the ResourceUsage object */
    struct execution_usage usage;
    int64_t started_at, completed_at; /* started_at 0: never started */
    int64_t starts;                   /* of the attempt that ended */
};
/* The terminal state, once: the batch fails with a conflict unless owner holds the lease (NULL:
 * unleased) and the row is pending or running. Ends the lease and writes agent_resource_usage. Two
 * statements. */
void store_execution_ended(struct storage_batch *batch, const char *id, const char *agent_id,
                           const char *owner, const struct execution_end *end);
/* What a completed one used, put right after its end, where it is stored with stored_cpu_us: the
 * end may have failed to be stored, and another life, or another node, has brought its own. */
void store_execution_usage_set(struct storage_batch *batch, const char *id, int64_t stored_cpu_us,
                               const char *usage_json, const struct execution_usage *usage);

/* Both at once, when the row is in the batch still: in the place of the statement of
 * store_execution_insert. Two statements, as store_execution_ended's second behind all. */
void store_execution_insert_ended(struct storage_batch *batch, size_t statement,
                                  const struct execution_row *row, const struct execution_end *end);

struct execution_attempt {
    int64_t attempt; /* 1, 2, 3 … */
    const char *status, *error_message, *error_details /* as in execution_end */;
    int64_t started_at, completed_at; /* of this attempt; started_at 0: never started */
    int64_t next_attempt_at;          /* 0: it was the last */
};
/* A row of the attempts' history. */
void store_execution_attempt(struct storage_batch *batch, const char *id,
                             const struct execution_attempt *attempt);
/* An attempt has failed, and the next one waits: pending again, not before next_attempt_at; what
 * the failed one had journaled is forgotten, its events (up to seq) stay. usage_json: of all
 * attempts so far. keep_lease: the owner tries it itself; else anybody may claim it. Expects the
 * lease. */
void store_execution_retried(struct storage_batch *batch, const char *id, const char *owner,
                             const struct execution_attempt *attempt, int64_t seq,
                             const char *usage_json, bool keep_lease);
/* How long the attempt behind `retries` failed ones has been at work. Nothing changes unless owner
 * holds the lease. */
void store_execution_active(struct storage_batch *batch, const char *id, const char *owner,
                            int64_t retries, int64_t active_us);
/* The line of the limit `blocked_on` is full: without a lease, it waits in the store until
 * unblocked. Expects the lease. */
void store_execution_blocked(struct storage_batch *batch, const char *id, const char *owner,
                             const char *blocked_on);
/* The first n that wait for it, best first, may be claimed. row gets the id of each, on the
 * driver's thread: row_ids_fn. */
void store_execution_unblock(struct storage_batch *batch, const char *blocked_on, int64_t n,
                             int64_t now, c9d_row_fn row, void *arg);
/* For each limit that executions wait for, the name and how many; valid during the call. */
int store_execution_blocked_counts(struct storage *storage,
                                   void (*fn)(void *arg, const char *blocked_on, int64_t n),
                                   void *arg, struct error *err);

/* notice: the number of the executor's notice that this came from; 0: not one of the executor's.
 * metadata: JSON object text; NULL: {}. */
void store_execution_log(struct storage_batch *batch, const char *id, int64_t seq, int64_t notice,
                         const char *level, const char *message, size_t message_len,
                         const char *metadata, size_t metadata_len, int64_t at);
void store_execution_event(struct storage_batch *batch, const char *id, int64_t seq,
                           const char *type, const char *data, size_t len, int64_t notice,
                           int64_t at);

struct journal_row {
    int64_t seq;
    const char *kind;
    const char *request_sha256; /* "": any request of the kind is answered (a fork's own answer) */
    const char *request;        /* JSON text; NULL: too long to be kept */
    const char *answer;         /* JSON text */
    size_t request_len, answer_len;
    bool is_error, copied;
    int64_t api_calls, tokens, cost_microcents;
    int64_t asked_at, answered_at;
};
void store_journal_append(struct storage_batch *batch, const char *id,
                          const struct journal_row *row);
/* Takes off the entries that a fork has of its origin, from seq on. */
void store_journal_uncopy(struct storage_batch *batch, const char *id, int64_t seq);
/* In order of answered_at, seq; rows are valid during the call. */
int store_journal_read(struct storage *storage, const char *id,
                       void (*fn)(void *arg, const struct journal_row *row), void *arg,
                       struct error *err);
/* Effects that were asked again: how often in all, and those read. */
void store_ask_put(struct storage_batch *batch, const char *id, int64_t seq, int64_t asks,
                   int64_t at);
int store_asks_read(struct storage *storage, const char *id,
                    void (*fn)(void *arg, int64_t seq, int64_t asks), void *arg, struct error *err);
/* Cancelling of its children that have not ended (child NULL: of all) is asked for; what nobody has
 * of them can be claimed for it. row gets the id of each: row_ids_fn. */
void store_children_cancel(struct storage_batch *batch, const char *id, const char *child,
                           int64_t now, c9d_row_fn row, void *arg);
/* Highest event seq stored so far, and highest notice of the present attempt (0 when none). */
int store_execution_progress(struct storage *storage, const char *id, int64_t *seq_r,
                             int64_t *notice_r, struct error *err);

/* What the engine needs to take an execution up again. Strings are owned by the struct. */
struct execution_job {
    char id[UUID_SIZE];
    char *agent_id, *agent_version, *organization_id, *triggered_by, *parent_id, *input, *context;
    char *output, *error;          /* JSON text; NULL while it has not ended */
    char *concurrency_key, *usage; /* usage: ResourceUsage of failed attempts, JSON text */
    char *seed_id;                 /* or NULL */
    char *lease_owner;             /* or NULL */
    int64_t attempt, retries, attempt_seq, created_at, started_at, priority;
    int64_t active_us, cpu_us, memory_peak; /* of all that was before it was evicted */
    bool cancel_requested;
    char status[12];
};
/* 0 found, 1 not there, -1 error. */
int store_execution_job(struct storage *storage, const char *id, struct execution_job *job_r,
                        struct error *err);
void execution_job_free(struct execution_job *job); /* what it owns */
/* The id of each that owner has the lease of. */
int store_execution_leased(struct storage *storage, const char *owner, c9d_row_fn row, void *arg,
                           struct error *err);

/* In a condition on agent_executions with a prefix ("e.", or ""): of this id, or of the batch of
 * this id ($1), which nobody has. By batch the condition of the partial index follows from the
 * comparison. */
#define STORE_IDLE(row)                                                                            \
    "(" row "id = $1 OR " row "batch_id = $1) AND " row "status = 'pending'"                       \
    " AND " row "lease_owner IS NULL"
/* Brings the executions that nobody has (of this id, or of the batch of this id) to their end:
 * cancelled, with error (JSON text) and its message; wakes those who wait for them. ended gets the
 * id of each: row_ids_fn. Behind a cancel request. */
void store_execution_cancel_idle(struct storage_batch *batch, const char *which,
                                 const char *message, const char *error, int64_t at,
                                 c9d_row_fn ended, void *arg);
/* Durable before the engine is asked, so that a crash in between forgets nothing; wakes it when it
 * sleeps. The batch fails with a conflict when the execution has ended. */
void store_execution_cancel_request(struct storage_batch *batch, const char *id);

/* Events and logs after seq in order, up to max: type, data JSON text. For streams. A log's type is
 * "log", its data {"level","message","metadata","timestamp"}. */
int store_execution_events(struct storage *storage, const char *id, int64_t after, int64_t max,
                           void (*fn)(void *arg, int64_t seq, const char *type, const char *data,
                                      size_t len),
                           void *arg, struct error *err);

#endif
