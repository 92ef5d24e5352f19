#include "store/wait.h"

#include <string.h>

#include "store/access.h"
#include "store/execution.h"

/* ---- waits ---- */

void store_wait_insert(struct storage_batch *batch, const struct wait_row *row)
{
    char id[UUID_SIZE];
    storage_batch_add(batch,
                      "INSERT INTO execution_waits (id, execution_id, organization_id, seq, kind,"
                      " name, schema, since, until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
                      " ON CONFLICT (execution_id, seq) DO NOTHING",
                      -1, NULL, NULL, "sssisssiI", uuid_make(id), row->execution_id,
                      row->organization_id, row->seq, row->kind, row->name, row->schema, row->since,
                      row->until != 0 ? &row->until : NULL);
}

void store_wait_delete(struct storage_batch *batch, const char *execution_id, int64_t seq)
{
    storage_batch_add(batch, "DELETE FROM execution_waits WHERE execution_id = $1 AND seq = $2", -1,
                      NULL, NULL, "si", execution_id, seq);
}

void store_waits_delete(struct storage_batch *batch, const char *execution_id)
{
    storage_batch_add(batch, "DELETE FROM execution_waits WHERE execution_id = $1", -1, NULL, NULL,
                      "s", execution_id);
}

void store_execution_waiting(struct storage_batch *batch, const char *id, const char *waiting_for)
{
    storage_batch_add(batch, "UPDATE agent_executions SET waiting_for = $2 WHERE id = $1", -1, NULL,
                      NULL, "ss", id, waiting_for);
}

struct waits_read {
    void (*fn)(void *arg, const struct wait_row *row);
    void *arg;
};

static int wait_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    const struct waits_read *read = arg;
    struct wait_row row = {
        .seq = v[1].u.i,
        .kind = v[2].u.s,
        .name = v[3].type == C9D_TEXT ? v[3].u.s : NULL,
        .schema = v[4].type == C9D_TEXT ? v[4].u.s : NULL,
        .since = v[5].u.i,
        .until = v[6].type == C9D_INT ? v[6].u.i : 0,
    };
    row_text_into(&v[0], row.execution_id, sizeof(row.execution_id));
    read->fn(read->arg, &row);
    return 0;
}

int store_waits_read(struct storage *storage, const char *execution_id,
                     void (*fn)(void *arg, const struct wait_row *row), void *arg,
                     struct error *err)
{
    struct waits_read read = {fn, arg};
    return storage_query(storage,
                         "SELECT execution_id, seq, kind, name, schema, since, until"
                         " FROM execution_waits WHERE execution_id = $1 ORDER BY seq",
                         wait_row, &read, err, "s", execution_id);
}

#define WAIT_FIELDS(F)                                                                             \
    F("w.execution_id", "executionId", TEXT)                                                       \
    F("e.agent_id", "agentId", TEXT)                                                               \
    F("w.seq", "seq", INT)                                                                         \
    F("w.kind", "kind", TEXT)                                                                      \
    F("w.name", "name", TEXT)                                                                      \
    F("w.schema", "schema", JSON)                                                                  \
    F("w.since", "since", TIME)                                                                    \
    F("w.until", "until", TIME)
static const struct field wait_fields[] = {WAIT_FIELDS(FIELD_ENTRY)};
static const struct list_sort wait_sorts[] = {{"since", "w.id", SORT_TEXT}};
static const struct list_filter wait_filters[] = {
    {"kind", FILTER_TEXT, "sleep|signal|execution", "w.kind = ?"},
    {"name", FILTER_TEXT, NULL, "w.name = ?"},
    {"agentId", FILTER_ID, NULL, "e.agent_id = ?"},
};
#define WAIT_FROM " FROM execution_waits w JOIN agent_executions e ON e.id = w.execution_id"

const struct list store_wait_list = {
    .name = "waits",
    .columns = WAIT_FIELDS(FIELD_COLUMN),
    .from = WAIT_FROM
    " WHERE w.organization_id = $1"
    " AND ($3 = 1 OR e.triggered_by = $2 OR EXISTS (SELECT 1 FROM agents a WHERE a.id = e.agent_id"
    " AND " ACCESS_SEES("$2") "))",
    .n_scope = 3,
    .id = "w.id",
    .default_sort = "-since",
    LIST_SORTS(wait_sorts),
    LIST_FILTERS(wait_filters),
    LIST_FIELDS(wait_fields),
};

const struct list store_execution_wait_list = {
    .name = "executionWaits",
    .columns = WAIT_FIELDS(FIELD_COLUMN),
    .from = WAIT_FROM " WHERE w.execution_id = $1",
    .n_scope = 1,
    .id = "w.id",
    .default_sort = "since",
    LIST_SORTS(wait_sorts),
    LIST_FILTERS(wait_filters),
    LIST_FIELDS(wait_fields),
};

/* ---- asleep ---- */

void store_execution_asleep(struct storage_batch *batch, const char *id,
                            const struct sleep_row *row)
{
    storage_batch_add(batch,
                      "UPDATE agent_executions SET lease_owner = NULL, lease_until = NULL,"
                      " turn = NULL, available_at = $3, attempt = 0, active_us = $4, cpu_us = $5,"
                      " memory_peak = $6"
                      " WHERE id = $1 AND lease_owner = $2 AND status IN ('pending', 'running')",
                      1, NULL, NULL, "ssiiii", id, row->owner,
                      row->due != 0 ? row->due : STORE_NEVER, row->active_us, row->cpu_us,
                      row->memory_peak);
    storage_batch_add(
        batch,
        "UPDATE agent_executions SET " STORE_AWAKE(
            "$2") " WHERE id = $1 AND (cancel_requested = 1"
                  " OR EXISTS (SELECT 1 FROM execution_waits w JOIN execution_signals s"
                  " ON s.execution_id = w.execution_id AND s.name = w.name AND s.state = 'kept'"
                  " WHERE w.execution_id = $1 AND w.kind = 'signal')"
                  " OR EXISTS (SELECT 1 FROM execution_waits w JOIN agent_executions c ON c.id = w.name"
                  " WHERE w.execution_id = $1 AND w.kind = 'execution'"
                  " AND c.status NOT IN ('pending', 'running')))",
        -1, NULL, NULL, "si", id, row->now);
}

void store_execution_wake(struct storage_batch *batch, const char *id, int64_t now)
{
    storage_batch_add(batch, "UPDATE agent_executions SET " STORE_AWAKE("$2") " WHERE id = $1", -1,
                      NULL, NULL, "si", id, now);
}

/* ---- signals ---- */

void store_signal_insert(struct storage_batch *batch, const struct signal_row *row)
{
    /* Changes the row, awake or not: so it is in order with the batch that puts it to sleep. */
    storage_batch_add(batch,
                      "UPDATE agent_executions SET " STORE_AWAKE(
                          "$2") " WHERE id = $1 AND status IN ('pending', 'running')",
                      1, NULL, NULL, "si", row->execution_id, row->created_at);
    storage_batch_add(batch,
                      "INSERT INTO execution_signals (id, execution_id, name, key, payload,"
                      " sent_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)"
                      " ON CONFLICT DO NOTHING",
                      1, NULL, NULL, "ssssSsi", row->id, row->execution_id, row->name, row->key,
                      row->payload, row->payload_len, row->sent_by, row->created_at);
}

void store_signal_settle(struct storage_batch *batch, const char *id, const char *state,
                         int64_t seq, int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE execution_signals SET state = $2, seq = $3, settled_at = $4"
                      " WHERE id = $1 AND state = 'kept'",
                      1, NULL, NULL, "ssIi", id, state, seq != 0 ? &seq : NULL, at);
}

struct signal_read {
    struct kept_signal *signal;
    bool found;
};

static int signal_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct signal_read *read = arg;
    read->found = true;
    row_text_into(&v[0], read->signal->id, UUID_SIZE);
    row_text_into(&v[1], read->signal->sent_by, UUID_SIZE);
    read->signal->payload = xstrndup(v[2].u.s, v[2].len);
    read->signal->payload_len = v[2].len;
    read->signal->created_at = v[3].u.i;
    return 1;
}

int store_signal_next(struct storage *storage, const char *execution_id, const char *name,
                      struct kept_signal *signal_r, struct error *err)
{
    struct signal_read read = {signal_r, false};
    if (storage_query(storage,
                      "SELECT id, sent_by, payload, created_at FROM execution_signals"
                      " WHERE execution_id = $1 AND name = $2 AND state = 'kept'"
                      " ORDER BY id LIMIT 1",
                      signal_row, &read, err, "ss", execution_id, name) < 0)
        return -1;
    return read.found ? 0 : 1;
}

int store_signal_by_key(struct storage *storage, const char *execution_id, const char *name,
                        const char *key, struct kept_signal *signal_r, struct error *err)
{
    struct signal_read read = {signal_r, false};
    if (storage_query(storage,
                      "SELECT id, sent_by, payload, created_at FROM execution_signals"
                      " WHERE execution_id = $1 AND name = $2 AND key = $3",
                      signal_row, &read, err, "sss", execution_id, name, key) < 0)
        return -1;
    return read.found ? 0 : 1;
}

int store_signals_kept(struct storage *storage, const char *execution_id, int64_t *n_r,
                       struct error *err)
{
    *n_r = 0;
    return storage_query(storage,
                         "SELECT count(*) FROM execution_signals"
                         " WHERE execution_id = $1 AND state = 'kept'",
                         row_int_fn, n_r, err, "s", execution_id);
}

struct schema_read {
    char **schema_r;
    bool found;
};

static int schema_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct schema_read *read = arg;
    read->found = true;
    *read->schema_r = row_text(&v[0]);
    return 1;
}

int store_wait_schema(struct storage *storage, const char *execution_id, const char *name,
                      char **schema_r, struct error *err)
{
    struct schema_read read = {schema_r, false};
    *schema_r = NULL;
    if (storage_query(storage,
                      "SELECT schema FROM execution_waits"
                      " WHERE execution_id = $1 AND kind = 'signal' AND name = $2"
                      " ORDER BY seq LIMIT 1",
                      schema_row, &read, err, "ss", execution_id, name) < 0)
        return -1;
    return read.found ? 0 : 1;
}
