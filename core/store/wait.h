/* Long waits, signals, and executions that were evicted while they wait. Writing functions add to a
 * batch; reading functions block (not for the engine). */
#ifndef C9_STORE_WAIT_H
#define C9_STORE_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "host/storage.h"
#include "store/list.h"

/* When what waits for no time is available: the year 10000. */
#define STORE_NEVER INT64_C(253402300800000000)

/* In an UPDATE of agent_executions with the time in `now`: what sleeps is available from now on. */
#define STORE_AWAKE(now)                                                                           \
    "available_at = CASE WHEN status = 'running' AND lease_owner IS NULL AND blocked_on IS NULL"   \
    " AND available_at > " now " THEN " now " ELSE available_at END"

/* The same for one that is to be cancelled, which needs no place. What never ran is ended where it
 * is. */
#define STORE_CALLED(now)                                                                          \
    "available_at = CASE WHEN status = 'running' AND lease_owner IS NULL"                          \
    " AND available_at > " now " THEN " now " ELSE available_at END,"                              \
    " blocked_on = CASE WHEN status <> 'running' OR lease_owner IS NOT NULL THEN blocked_on END"

struct wait_row {
    char execution_id[UUID_SIZE];
    const char *organization_id;
    int64_t seq;
    const char *kind;     /* sleep, signal, execution */
    const char *name;     /* or NULL */
    const char *schema;   /* JSON text or NULL */
    int64_t since, until; /* until 0: no limit */
};
/* Keeps the row that is there already: a wait begins once, however often its execution does. */
void store_wait_insert(struct storage_batch *batch, const struct wait_row *row);
void store_wait_delete(struct storage_batch *batch, const char *execution_id, int64_t seq);
void store_waits_delete(struct storage_batch *batch, const char *execution_id);
/* What the execution's detail `waitingFor` shows: a JSON array, or NULL for none. */
void store_execution_waiting(struct storage_batch *batch, const char *id, const char *waiting_for);
/* Open waits in order of seq; valid during the call. organization_id is not filled. */
int store_waits_read(struct storage *storage, const char *execution_id,
                     void (*fn)(void *arg, const struct wait_row *row), void *arg,
                     struct error *err);
/* Scope: organization, user, 1 when he sees all of the organization. */
extern const struct list store_wait_list;
/* Scope: execution. */
extern const struct list store_execution_wait_list;

/* To sleep: expects owner's lease, and ends it. due 0: only a signal or a child's end wakes it.
 * What came meanwhile (a signal for an open wait, a child's end, a request to cancel) wakes it in
 * the same batch. */
struct sleep_row {
    const char *owner;
    int64_t cpu_us, memory_peak, active_us, due, now;
};
void store_execution_asleep(struct storage_batch *batch, const char *id,
                            const struct sleep_row *row);
/* Nothing when it does not sleep. */
void store_execution_wake(struct storage_batch *batch, const char *id, int64_t now);

struct signal_row {
    char id[UUID_SIZE];
    const char *execution_id, *name, *payload, *sent_by, *key; /* key may be NULL */
    size_t payload_len;
    int64_t created_at;
};
/* Keeps it, and wakes the execution if it sleeps. The batch conflicts at its first statement when
 * the execution has ended, at its second when the key was used. */
void store_signal_insert(struct storage_batch *batch, const struct signal_row *row);
/* state: delivered (seq: by which wait) or refused. Expects it to be kept. */
void store_signal_settle(struct storage_batch *batch, const char *id, const char *state,
                         int64_t seq, int64_t at);
/* The oldest kept signal of this name; payload to be freed. 0 found, 1 none, -1 error. */
struct kept_signal {
    char id[UUID_SIZE], sent_by[UUID_SIZE];
    char *payload;
    size_t payload_len;
    int64_t created_at;
};
int store_signal_next(struct storage *storage, const char *execution_id, const char *name,
                      struct kept_signal *signal_r, struct error *err);
/* The signal that came with this key: 0 found, 1 none, -1 error. signal_r as above. */
int store_signal_by_key(struct storage *storage, const char *execution_id, const char *name,
                        const char *key, struct kept_signal *signal_r, struct error *err);
int store_signals_kept(struct storage *storage, const char *execution_id, int64_t *n_r,
                       struct error *err);
/* The schema of the first open wait for this name: 0 there is such a wait (*schema_r may be NULL;
 * to be freed), 1 none, -1 error. */
int store_wait_schema(struct storage *storage, const char *execution_id, const char *name,
                      char **schema_r, struct error *err);

#endif
