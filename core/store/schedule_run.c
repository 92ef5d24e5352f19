#include "store/schedule_run.h"

#include <string.h>

void schedule_due_free(struct schedule_due *due)
{
    free(due->cron_expression);
    free(due->timezone);
    free(due->version);
    free(due->input);
    due->cron_expression = due->timezone = due->version = due->input = NULL;
}

/* ---- reading ---- */

struct due_read {
    struct schedule_due *rows;
    int n;
};

#define DUE_COLUMNS                                                                                \
    "s.id, s.agent_id, s.organization_id, s.created_by, s.cron_expression, s.timezone, s.version," \
    " s.input_data, s.overlap_policy, s.missed_run_policy, s.missed_run_window_ms, s.jitter_ms,"   \
    " s.next_execution_at, s.last_scheduled_for, s.revision"

static int due_row(void *arg, const struct c9d_value *v, size_t n)
{
    struct due_read *read = arg;
    struct schedule_due *due = &read->rows[read->n++];
    *due = (struct schedule_due){.cron_expression = row_text(&v[4]),
                                 .timezone = row_text(&v[5]),
                                 .version = row_text(&v[6]),
                                 .input = row_text(&v[7]),
                                 .missed_run_window = v[10].u.i * 1000,
                                 .jitter = v[11].u.i * 1000,
                                 .at = v[12].type == C9D_INT ? v[12].u.i : 0,
                                 .last_scheduled_for = v[13].type == C9D_INT ? v[13].u.i : 0,
                                 .revision = v[14].u.i,
                                 .scheduled_for = v[15].u.i};
    row_text_into(&v[0], due->id, sizeof(due->id));
    row_text_into(&v[1], due->agent_id, sizeof(due->agent_id));
    row_text_into(&v[2], due->organization_id, sizeof(due->organization_id));
    row_text_into(&v[3], due->user_id, sizeof(due->user_id));
    row_text_into(&v[8], due->overlap_policy, sizeof(due->overlap_policy));
    row_text_into(&v[9], due->missed_run_policy, sizeof(due->missed_run_policy));
    if (n > 16)
        row_text_into(&v[16], due->run_id, sizeof(due->run_id));
    return 0;
}

int store_schedule_due(struct storage *storage, int64_t now, size_t max, struct schedule_due *due_r,
                       struct error *err)
{
    struct due_read read = {due_r, 0};
    int result = storage_query(storage,
                               "SELECT " DUE_COLUMNS ", s.scheduled_for FROM scheduled_executions s"
                               " WHERE s.is_active = 1 AND s.next_execution_at <= $1"
                               " ORDER BY s.next_execution_at LIMIT $2",
                               due_row, &read, err, "ii", now, (int64_t)max);
    return result < 0 ? -1 : read.n;
}

int store_schedule_queued(struct storage *storage, size_t max, struct schedule_due *due_r,
                          struct error *err)
{
    struct due_read read = {due_r, 0};
    int result = storage_query(
        storage,
        "SELECT " DUE_COLUMNS ", r.scheduled_for, r.id"
        " FROM schedule_runs r JOIN scheduled_executions s ON s.id = r.schedule_id"
        " WHERE r.outcome = 'queued' AND s.is_active = 1"
        " AND NOT EXISTS (SELECT 1 FROM schedule_runs o WHERE o.schedule_id = r.schedule_id"
        " AND o.outcome = 'queued' AND o.id < r.id)"
        " AND NOT EXISTS (SELECT 1 FROM agent_executions e WHERE e.schedule_id = r.schedule_id"
        " AND e.schedule_id IS NOT NULL AND e.status IN ('pending', 'running'))"
        " ORDER BY r.id LIMIT $1",
        due_row, &read, err, "i", (int64_t)max);
    return result < 0 ? -1 : read.n;
}

int store_schedule_any_queued(struct storage *storage, bool *any_r, struct error *err)
{
    int64_t one = 0;
    int result = storage_query(storage,
                               "SELECT 1 FROM schedule_runs r JOIN scheduled_executions s"
                               " ON s.id = r.schedule_id WHERE r.outcome = 'queued'"
                               " AND s.is_active = 1 LIMIT 1",
                               row_int_fn, &one, err, "");
    *any_r = one != 0;
    return result;
}

int store_schedule_next(struct storage *storage, int64_t *at_r, struct error *err)
{
    *at_r = INT64_MAX;
    return storage_query(storage,
                         "SELECT next_execution_at FROM scheduled_executions WHERE is_active = 1"
                         " AND next_execution_at >= 0 ORDER BY next_execution_at LIMIT 1",
                         row_int_fn, at_r, err, "");
}

struct active_read {
    char (*ids)[UUID_SIZE];
    int n;
};

static int active_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct active_read *read = arg;
    row_text_into(&v[0], read->ids[read->n++], UUID_SIZE);
    return 0;
}

int store_schedule_active(struct storage *storage, const char *id, size_t max,
                          char (*ids_r)[UUID_SIZE], int64_t *queued_r, struct error *err)
{
    struct active_read read = {ids_r, 0};
    *queued_r = 0;
    if (storage_query(storage,
                      "SELECT id FROM agent_executions WHERE schedule_id = $1"
                      " AND status IN ('pending', 'running') LIMIT $2",
                      active_row, &read, err, "si", id, (int64_t)max) < 0 ||
        storage_query(storage,
                      "SELECT COUNT(*) FROM schedule_runs WHERE schedule_id = $1"
                      " AND outcome = 'queued'",
                      row_int_fn, queued_r, err, "s", id) < 0)
        return -1;
    return read.n;
}

/* ---- writing ---- */

void store_schedule_advance(struct storage_batch *batch, const struct schedule_due *from,
                            struct schedule_time next, const char *outcome, int64_t last_for,
                            const int64_t *executed_at)
{
    storage_batch_add(batch,
                      "UPDATE scheduled_executions SET scheduled_for = $4, next_execution_at = $5,"
                      " last_outcome = COALESCE($6, last_outcome), last_scheduled_for = $7,"
                      " last_execution_at = COALESCE($8, last_execution_at)"
                      " WHERE id = $1 AND scheduled_for = $2 AND revision = $3 AND is_active = 1",
                      1, NULL, NULL, "siiiIsII", from->id, from->scheduled_for, from->revision,
                      next.scheduled_for, next.at != 0 ? &next.at : NULL, outcome,
                      last_for != 0 ? &last_for : NULL, executed_at);
}

void store_schedule_halt(struct storage_batch *batch, const struct schedule_due *due,
                         const char *outcome, int64_t now)
{
    storage_batch_add(batch,
                      "UPDATE scheduled_executions SET is_active = 0, next_execution_at = NULL,"
                      " last_outcome = $4, updated_at = $5, revision = revision + 1"
                      " WHERE id = $1 AND scheduled_for = $2 AND revision = $3 AND is_active = 1",
                      1, NULL, NULL, "siisi", due->id, due->scheduled_for, due->revision, outcome,
                      now);
}

#define RUN_INSERT                                                                                 \
    "INSERT INTO schedule_runs (id, schedule_id, scheduled_for, outcome, by_hand, execution_id,"   \
    " reason, error_code, missed_count, missed_until, created_at)"                                 \
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"

void store_schedule_run_insert(struct storage_batch *batch, const struct schedule_run_row *row)
{
    bool missed = row->missed_count != 0;
    storage_batch_add(
        batch,
        missed ? RUN_INSERT " ON CONFLICT (schedule_id, scheduled_for) DO NOTHING" : RUN_INSERT,
        missed ? -1 : 1, NULL, NULL, "ssisisssIIi", row->id, row->schedule_id, row->scheduled_for,
        row->outcome, (int64_t)row->by_hand, row->execution_id, row->reason, row->error_code,
        missed ? &row->missed_count : NULL, missed ? &row->missed_until : NULL, row->at);
}

void store_schedule_run_leave(struct storage_batch *batch, const struct schedule_run_row *row)
{
    storage_batch_add(batch,
                      "UPDATE schedule_runs SET outcome = $2, execution_id = $3, reason = $4,"
                      " error_code = $5 WHERE id = $1 AND outcome = 'queued'",
                      1, NULL, NULL, "sssss", row->id, row->outcome, row->execution_id, row->reason,
                      row->error_code);
}

void store_schedule_execution(struct storage_batch *batch, const char *execution_id,
                              const char *schedule_id)
{
    storage_batch_add(batch, "UPDATE agent_executions SET schedule_id = $2 WHERE id = $1", 1, NULL,
                      NULL, "ss", execution_id, schedule_id);
}

void store_schedule_forget(struct storage_batch *batch, const char *schedule_id, int64_t before)
{
    storage_batch_add(batch,
                      "DELETE FROM schedule_runs WHERE schedule_id = $1 AND scheduled_for < $2"
                      " AND outcome <> 'queued'",
                      -1, NULL, NULL, "si", schedule_id, before);
}

void store_schedule_reset(struct storage_batch *batch, int64_t after)
{
    storage_batch_add(batch,
                      "UPDATE scheduled_executions SET scheduled_for = 0, next_execution_at = 0,"
                      " last_scheduled_for = NULL WHERE is_active = 1 AND last_scheduled_for > $1",
                      -1, NULL, NULL, "i", after);
}
