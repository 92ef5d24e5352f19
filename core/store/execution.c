/* Executions: the statements of the hot path. Every text is one constant, so that a driver finds
 * its prepared statement by the address. */
#include "store/execution.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "store/wait.h"

/* ---- writing ---- */

void store_execution_insert(struct storage_batch *batch, const struct execution_row *row)
{
    int64_t attempt = row->lease_owner != NULL;
    const int64_t *lease_until = row->lease_owner != NULL ? &row->lease_until : NULL;
    storage_batch_add(
        batch,
        "INSERT INTO agent_executions (id, agent_id, agent_version, organization_id,"
        " input_data, triggered_by, parent_id, execution_context, priority,"
        " available_at, lease_owner, lease_until, attempt, created_at,"
        " concurrency_key, version_note, origin_id, origin_kind, seed_id, batch_id,"
        " batch_index) VALUES ($1,"
        " $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,"
        " $19, $20, $21)",
        1, NULL, NULL, "ssssssssiisIiissssssI", row->id, row->agent_id, row->agent_version,
        row->organization_id, row->input, row->triggered_by, row->parent_id, row->context,
        row->priority, row->available_at, row->lease_owner, lease_until, attempt, row->created_at,
        row->concurrency_key, row->version_note, row->origin_id, row->origin_kind, row->seed_id,
        row->batch_id, row->batch_id != NULL ? &row->batch_index : NULL);
}

void store_execution_started(struct storage_batch *batch, const char *id, const char *owner,
                             int64_t started_at)
{
    storage_batch_add(batch,
                      "UPDATE agent_executions SET status = 'running',"
                      " started_at = COALESCE(started_at, $3)"
                      " WHERE id = $1 AND lease_owner = $2 AND status IN ('pending', 'running')",
                      1, NULL, NULL, "ssi", id, owner, started_at);
}

void store_execution_starts(struct storage_batch *batch, const char *id, const char *owner,
                            int64_t starts)
{
    storage_batch_add(batch,
                      "UPDATE agent_executions SET attempt = $3"
                      " WHERE id = $1 AND lease_owner = $2 AND status IN ('pending', 'running')",
                      1, NULL, NULL, "ssi", id, owner, starts);
}

static int64_t divide_up(int64_t value, int64_t unit)
{
    return (value + unit - 1) / unit;
}

static void usage_insert(struct storage_batch *batch, const char *id, const char *agent_id,
                         const struct execution_usage *usage, int64_t at)
{
    char row_id[UUID_SIZE];
    storage_batch_add(batch,
                      "INSERT INTO agent_resource_usage (id, agent_id, execution_id, cpu_time_ms,"
                      " cpu_time_us, memory_peak_mb, memory_peak_bytes, api_calls_count,"
                      " tokens_consumed, cost_cents, cost_microcents, recorded_at)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                      1, NULL, NULL, "sssiiiiiiiii", uuid_make(row_id), agent_id, id,
                      divide_up(usage->cpu_us, 1000), usage->cpu_us,
                      divide_up(usage->memory_peak, 1 << 20), usage->memory_peak, usage->api_calls,
                      usage->tokens, divide_up(usage->cost_microcents, 1000000),
                      usage->cost_microcents, at);
}

void store_execution_ended(struct storage_batch *batch, const char *id, const char *agent_id,
                           const char *owner, const struct execution_end *end)
{
    bool started = end->started_at != 0;
    int64_t time_ms = started ? (end->completed_at - end->started_at) / 1000 : 0;
    storage_batch_add(
        batch,
        "UPDATE agent_executions SET status = $3, output_data = $4, error_message = $5,"
        " error_details = $6, resource_usage = $7,"
        " started_at = COALESCE(started_at, $8), completed_at = $9,"
        " execution_time_ms = $10, attempt = $11, lease_owner = NULL, lease_until = NULL,"
        " waiting_for = NULL"
        " WHERE id = $1 AND status IN ('pending', 'running')"
        " AND lease_owner IS NOT DISTINCT FROM $2",
        1, NULL, NULL, "sssssssIiIi", id, owner, end->status, end->output, end->error_message,
        end->error_details, end->usage_json, started ? &end->started_at : NULL, end->completed_at,
        started ? &time_ms : NULL, end->starts);
    usage_insert(batch, id, agent_id, &end->usage, end->completed_at);
}

void store_execution_insert_ended(struct storage_batch *batch, size_t statement,
                                  const struct execution_row *row, const struct execution_end *end)
{
    bool started = end->started_at != 0;
    int64_t time_ms = started ? (end->completed_at - end->started_at) / 1000 : 0;
    storage_batch_replace(
        batch, statement,
        "INSERT INTO agent_executions (id, agent_id, agent_version, organization_id,"
        " input_data, triggered_by, parent_id, execution_context, priority,"
        " available_at, attempt, created_at, concurrency_key, version_note, origin_id,"
        " origin_kind, seed_id, status, output_data, error_message, error_details,"
        " resource_usage, started_at, completed_at, execution_time_ms) VALUES ($1, $2, $3, $4,"
        " $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,"
        " $23, $24, $25)",
        1, "ssssssssiiiissssssssssIiI", row->id, row->agent_id, row->agent_version,
        row->organization_id, row->input, row->triggered_by, row->parent_id, row->context,
        row->priority, row->available_at, end->starts, row->created_at, row->concurrency_key,
        row->version_note, row->origin_id, row->origin_kind, row->seed_id, end->status, end->output,
        end->error_message, end->error_details, end->usage_json, started ? &end->started_at : NULL,
        end->completed_at, started ? &time_ms : NULL);
    usage_insert(batch, row->id, row->agent_id, &end->usage, end->completed_at);
}

void store_execution_usage_set(struct storage_batch *batch, const char *id, int64_t stored_cpu_us,
                               const char *usage_json, const struct execution_usage *usage)
{
    storage_batch_add(batch,
                      "UPDATE agent_executions SET resource_usage = $2 WHERE id = $1"
                      " AND status = 'completed' AND EXISTS (SELECT 1 FROM agent_resource_usage"
                      " WHERE execution_id = $1 AND cpu_time_us = $3)",
                      -1, NULL, NULL, "ssi", id, usage_json, stored_cpu_us);
    storage_batch_add(batch,
                      "UPDATE agent_resource_usage SET cpu_time_ms = $2, cpu_time_us = $3"
                      " WHERE execution_id = $1 AND cpu_time_us = $4",
                      -1, NULL, NULL, "siii", id, divide_up(usage->cpu_us, 1000), usage->cpu_us,
                      stored_cpu_us);
}

void store_execution_attempt(struct storage_batch *batch, const char *id,
                             const struct execution_attempt *attempt)
{
    bool started = attempt->started_at != 0, last = attempt->next_attempt_at == 0;
    storage_batch_add(batch,
                      "INSERT INTO execution_attempts (execution_id, attempt, status,"
                      " error_message, error_details, started_at, completed_at, next_attempt_at)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                      1, NULL, NULL, "sisssIiI", id, attempt->attempt, attempt->status,
                      attempt->error_message, attempt->error_details,
                      started ? &attempt->started_at : NULL, attempt->completed_at,
                      last ? NULL : &attempt->next_attempt_at);
}

void store_execution_retried(struct storage_batch *batch, const char *id, const char *owner,
                             const struct execution_attempt *attempt, int64_t seq,
                             const char *usage_json, bool keep_lease)
{
    storage_batch_add(
        batch,
        "UPDATE agent_executions SET status = 'pending', retries = $3, attempt_seq = $4,"
        " available_at = $5, turn = NULL, resource_usage = $6, attempt = 0, active_us = 0,"
        " waiting_for = NULL,"
        " started_at = COALESCE(started_at, $8),"
        " lease_owner = CASE WHEN $7 = 1 THEN lease_owner END,"
        " lease_until = CASE WHEN $7 = 1 THEN lease_until END"
        " WHERE id = $1 AND lease_owner = $2 AND status IN ('pending', 'running')",
        1, NULL, NULL, "ssiiisiI", id, owner, attempt->attempt, seq, attempt->next_attempt_at,
        usage_json, (int64_t)keep_lease, attempt->started_at != 0 ? &attempt->started_at : NULL);
    storage_batch_add(batch, "DELETE FROM execution_journal WHERE execution_id = $1", -1, NULL,
                      NULL, "s", id);
    storage_batch_add(batch, "DELETE FROM execution_asks WHERE execution_id = $1", -1, NULL, NULL,
                      "s", id);
    store_waits_delete(batch, id);
    store_execution_attempt(batch, id, attempt);
}

void store_execution_active(struct storage_batch *batch, const char *id, const char *owner,
                            int64_t retries, int64_t active_us)
{
    storage_batch_add(batch,
                      "UPDATE agent_executions SET active_us = $4"
                      " WHERE id = $1 AND lease_owner = $2 AND retries = $3 AND active_us < $4",
                      -1, NULL, NULL, "ssii", id, owner, retries, active_us);
}

void store_execution_blocked(struct storage_batch *batch, const char *id, const char *owner,
                             const char *blocked_on)
{
    storage_batch_add(batch,
                      "UPDATE agent_executions SET blocked_on = $3, available_at = $4,"
                      " turn = NULL, lease_owner = NULL, lease_until = NULL"
                      " WHERE id = $1 AND lease_owner = $2 AND status IN ('pending', 'running')",
                      1, NULL, NULL, "sssi", id, owner, blocked_on, INT64_MAX);
}

void store_execution_unblock(struct storage_batch *batch, const char *blocked_on, int64_t n,
                             int64_t now, c9d_row_fn row, void *arg)
{
    storage_batch_add(batch,
                      "UPDATE agent_executions SET blocked_on = NULL, available_at = $3"
                      " WHERE id IN (SELECT id FROM agent_executions"
                      " WHERE blocked_on = $1 AND blocked_on IS NOT NULL"
                      " AND status IN ('pending', 'running')"
                      " ORDER BY priority DESC, created_at, id LIMIT $2) RETURNING id",
                      -1, row, arg, "sii", blocked_on, n, now);
}

void store_execution_log(struct storage_batch *batch, const char *id, int64_t seq, int64_t notice,
                         const char *level, const char *message, size_t message_len,
                         const char *metadata, size_t metadata_len, int64_t at)
{
    char row_id[UUID_SIZE];
    if (metadata == NULL)
        metadata = "{}", metadata_len = 2;
    storage_batch_add(
        batch,
        "INSERT INTO execution_logs (id, execution_id, seq, notice, log_level, message,"
        " metadata, timestamp) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        1, NULL, NULL, "ssiIsSSi", uuid_make(row_id), id, seq, notice != 0 ? &notice : NULL, level,
        message, message_len, metadata, metadata_len, at);
}

void store_execution_event(struct storage_batch *batch, const char *id, int64_t seq,
                           const char *type, const char *data, size_t len, int64_t notice,
                           int64_t at)
{
    storage_batch_add(
        batch,
        "INSERT INTO execution_events (execution_id, seq, type, data, notice, timestamp)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        1, NULL, NULL, "sisSIi", id, seq, type, data, len, notice != 0 ? &notice : NULL, at);
}

void store_journal_append(struct storage_batch *batch, const char *id,
                          const struct journal_row *row)
{
    storage_batch_add(
        batch,
        "INSERT INTO execution_journal (execution_id, seq, kind, request_sha256, request, answer,"
        " is_error, copied, api_calls, tokens, cost_microcents, asked_at, answered_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        1, NULL, NULL, "sissSSiiiiiii", id, row->seq, row->kind, row->request_sha256, row->request,
        row->request_len, row->answer, row->answer_len, (int64_t)row->is_error,
        (int64_t)row->copied, row->api_calls, row->tokens, row->cost_microcents, row->asked_at,
        row->answered_at);
}

void store_journal_uncopy(struct storage_batch *batch, const char *id, int64_t seq)
{
    storage_batch_add(batch,
                      "DELETE FROM execution_journal WHERE execution_id = $1 AND seq >= $2"
                      " AND copied = 1",
                      -1, NULL, NULL, "si", id, seq);
}

void store_ask_put(struct storage_batch *batch, const char *id, int64_t seq, int64_t asks,
                   int64_t at)
{
    storage_batch_add(batch,
                      "INSERT INTO execution_asks (execution_id, seq, asks, asked_at)"
                      " VALUES ($1, $2, $3, $4)"
                      " ON CONFLICT (execution_id, seq) DO UPDATE SET asks = $3, asked_at = $4",
                      1, NULL, NULL, "siii", id, seq, asks, at);
}

void store_execution_cancel_request(struct storage_batch *batch, const char *id)
{
    storage_batch_add(batch,
                      "UPDATE agent_executions SET cancel_requested = 1,"
                      " " STORE_CALLED("$2") " WHERE id = $1 AND status IN ('pending', 'running')",
                      1, NULL, NULL, "si", id, clock_wall_us());
}

void store_children_cancel(struct storage_batch *batch, const char *id, const char *child,
                           int64_t now, c9d_row_fn row, void *arg)
{
    storage_batch_add(batch,
                      "UPDATE agent_executions SET cancel_requested = 1,"
                      " blocked_on = CASE WHEN lease_owner IS NOT NULL THEN blocked_on END,"
                      " available_at = CASE WHEN lease_owner IS NULL AND available_at > $2 THEN $2"
                      " ELSE available_at END WHERE parent_id = $1 AND parent_id IS NOT NULL"
                      " AND id = COALESCE($3, id)"
                      " AND status IN ('pending', 'running') RETURNING id",
                      -1, row, arg, "sis", id, now, child);
}

/* ---- reading ---- */

struct journal_read {
    void (*fn)(void *arg, const struct journal_row *row);
    void *arg;
};

static int journal_read_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    const struct journal_read *read = arg;
    const struct journal_row row = {
        .seq = v[0].u.i,
        .kind = v[1].u.s,
        .request_sha256 = v[2].u.s,
        .answer = v[3].u.s,
        .answer_len = v[3].len,
        .request = v[10].type == C9D_TEXT ? v[10].u.s : NULL,
        .request_len = v[10].type == C9D_TEXT ? v[10].len : 0,
        .copied = v[11].u.i != 0,
        .is_error = v[4].u.i != 0,
        .api_calls = v[5].u.i,
        .tokens = v[6].u.i,
        .cost_microcents = v[7].u.i,
        .asked_at = v[8].u.i,
        .answered_at = v[9].u.i,
    };
    read->fn(read->arg, &row);
    return 0;
}

int store_journal_read(struct storage *storage, const char *id,
                       void (*fn)(void *arg, const struct journal_row *row), void *arg,
                       struct error *err)
{
    struct journal_read read = {fn, arg};
    return storage_query(storage,
                         "SELECT seq, kind, request_sha256, answer, is_error, api_calls, tokens,"
                         " cost_microcents, asked_at, answered_at, request, copied"
                         " FROM execution_journal"
                         " WHERE execution_id = $1 ORDER BY answered_at, seq",
                         journal_read_row, &read, err, "s", id);
}

struct asks_read {
    void (*fn)(void *arg, int64_t seq, int64_t asks);
    void *arg;
};

static int asks_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    const struct asks_read *read = arg;
    read->fn(read->arg, v[0].u.i, v[1].u.i);
    return 0;
}

int store_asks_read(struct storage *storage, const char *id,
                    void (*fn)(void *arg, int64_t seq, int64_t asks), void *arg, struct error *err)
{
    struct asks_read read = {fn, arg};
    return storage_query(storage, "SELECT seq, asks FROM execution_asks WHERE execution_id = $1",
                         asks_row, &read, err, "s", id);
}

/* One row a table. */
static int progress_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    int64_t *most = arg;
    for (size_t i = 0; i < 2; i++)
        if (v[i].u.i > most[i])
            most[i] = v[i].u.i;
    return 0;
}

int store_execution_progress(struct storage *storage, const char *id, int64_t *seq_r,
                             int64_t *notice_r, struct error *err)
{
    int64_t most[2] = {0, 0};
    if (storage_query(storage,
                      "SELECT COALESCE(MAX(v.seq), 0), COALESCE(MAX(CASE WHEN v.seq >"
                      " (SELECT attempt_seq FROM agent_executions WHERE id = $1)"
                      " THEN v.notice END), 0) FROM execution_events v WHERE v.execution_id = $1"
                      " UNION ALL"
                      " SELECT COALESCE(MAX(l.seq), 0), COALESCE(MAX(CASE WHEN l.seq >"
                      " (SELECT attempt_seq FROM agent_executions WHERE id = $1)"
                      " THEN l.notice END), 0) FROM execution_logs l WHERE l.execution_id = $1",
                      progress_row, most, err, "s", id) < 0)
        return -1;
    *seq_r = most[0];
    *notice_r = most[1];
    return 0;
}

struct job_read {
    struct execution_job *job;
    bool found;
};

static int job_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct job_read *read = arg;
    struct execution_job *job = read->job;
    read->found = true;
    snprintf(job->id, sizeof(job->id), "%s", v[0].u.s);
    job->agent_id = row_text(&v[1]);
    job->agent_version = row_text(&v[2]);
    job->organization_id = row_text(&v[3]);
    job->triggered_by = row_text(&v[4]);
    job->parent_id = row_text(&v[5]);
    job->input = row_text(&v[6]);
    job->context = row_text(&v[7]);
    job->attempt = v[8].u.i;
    job->created_at = v[9].u.i;
    job->started_at = v[10].type == C9D_INT ? v[10].u.i : 0;
    job->cancel_requested = v[11].u.i != 0;
    snprintf(job->status, sizeof(job->status), "%s", v[12].u.s);
    job->output = row_text(&v[13]);
    job->error = row_text(&v[14]);
    job->priority = v[15].u.i;
    job->retries = v[16].u.i;
    job->attempt_seq = v[17].u.i;
    job->concurrency_key = row_text(&v[18]);
    job->usage = row_text(&v[19]);
    job->active_us = v[20].u.i;
    job->cpu_us = v[21].u.i;
    job->memory_peak = v[22].u.i;
    job->seed_id = row_text(&v[23]);
    job->lease_owner = row_text(&v[24]);
    return 1;
}

int store_execution_job(struct storage *storage, const char *id, struct execution_job *job_r,
                        struct error *err)
{
    *job_r = (struct execution_job){.id = ""};
    struct job_read read = {job_r, false};
    if (storage_query(
            storage,
            "SELECT id, agent_id, agent_version, organization_id, triggered_by, parent_id,"
            " input_data, execution_context, attempt, created_at, started_at,"
            " cancel_requested, status, output_data, error_details, priority,"
            " retries, attempt_seq, concurrency_key, resource_usage, active_us, cpu_us,"
            " memory_peak, seed_id, lease_owner"
            " FROM agent_executions WHERE id = $1",
            job_row, &read, err, "s", id) < 0) {
        execution_job_free(job_r);
        return -1;
    }
    return read.found ? 0 : 1;
}

void execution_job_free(struct execution_job *job)
{
    free(job->agent_id);
    free(job->agent_version);
    free(job->organization_id);
    free(job->triggered_by);
    free(job->parent_id);
    free(job->input);
    free(job->context);
    free(job->output);
    free(job->error);
    free(job->concurrency_key);
    free(job->usage);
    free(job->seed_id);
    free(job->lease_owner);
    *job = (struct execution_job){.id = ""};
}

int store_execution_leased(struct storage *storage, const char *owner, c9d_row_fn row, void *arg,
                           struct error *err)
{
    return storage_query(storage,
                         "SELECT id FROM agent_executions WHERE lease_owner = $1"
                         " AND lease_owner IS NOT NULL AND status IN ('pending', 'running')",
                         row, arg, err, "s", owner);
}

struct blocked_read {
    void (*fn)(void *arg, const char *blocked_on, int64_t n);
    void *arg;
};

static int blocked_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    const struct blocked_read *read = arg;
    read->fn(read->arg, v[0].u.s, v[1].u.i);
    return 0;
}

int store_execution_blocked_counts(struct storage *storage,
                                   void (*fn)(void *arg, const char *blocked_on, int64_t n),
                                   void *arg, struct error *err)
{
    struct blocked_read read = {fn, arg};
    return storage_query(storage,
                         "SELECT blocked_on, count(*) FROM agent_executions"
                         " WHERE blocked_on IS NOT NULL AND status IN ('pending', 'running')"
                         " GROUP BY blocked_on",
                         blocked_row, &read, err, "");
}

/* ---- the stream ---- */

struct events_read {
    void (*fn)(void *arg, int64_t seq, const char *type, const char *data, size_t len);
    void *arg;
    struct buf log;
};

static void append_json_string(struct buf *out, const struct c9d_value *text)
{
    jx_auto *string = jx_text(text->u.s, text->len);
    jx_append(out, string);
}

static void log_event_append(struct buf *out, const struct c9d_value *v)
{
    char at[CLOCK_RFC3339_SIZE];
    buf_append_str(out, "{\"level\":\"");
    buf_append(out, v[3].u.s, v[3].len);
    buf_append_str(out, "\",\"message\":");
    append_json_string(out, &v[4]);
    buf_append_str(out, ",\"metadata\":");
    buf_append(out, v[2].u.s, v[2].len);
    buf_printf(out, ",\"timestamp\":\"%s\"}", clock_format_rfc3339(v[5].u.i, at));
}

static int events_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct events_read *read = arg;
    if (v[3].type == C9D_NULL) {
        read->fn(read->arg, v[0].u.i, v[1].u.s, v[2].u.s, v[2].len);
        return 0;
    }
    buf_reset(&read->log);
    log_event_append(&read->log, v);
    read->fn(read->arg, v[0].u.i, v[1].u.s, read->log.data, read->log.len);
    return 0;
}

int store_execution_events(struct storage *storage, const char *id, int64_t after, int64_t max,
                           void (*fn)(void *arg, int64_t seq, const char *type, const char *data,
                                      size_t len),
                           void *arg, struct error *err)
{
    struct events_read read = {fn, arg, BUF_INIT};
    int result = storage_query(storage,
                               "SELECT seq, type, data, NULL AS level, NULL AS message, timestamp"
                               " FROM execution_events WHERE execution_id = $1 AND seq > $2"
                               " UNION ALL"
                               " SELECT seq, 'log', metadata, log_level, message, timestamp"
                               " FROM execution_logs WHERE execution_id = $1 AND seq > $2"
                               " ORDER BY seq LIMIT $3",
                               events_row, &read, err, "sii", id, after, max);
    buf_free(&read.log);
    return result;
}
