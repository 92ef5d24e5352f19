#include "store/schedule.h"

#include "store/access.h"

#define SCHEDULE_FIELDS(F)                                                                         \
    F("s.id", "id", TEXT)                                                                          \
    F("s.agent_id", "agentId", TEXT)                                                               \
    F("s.organization_id", "organizationId", TEXT)                                                 \
    F("s.name", "name", TEXT)                                                                      \
    F("s.cron_expression", "cronExpression", TEXT)                                                 \
    F("s.timezone", "timezone", TEXT)                                                              \
    F("s.input_data", "inputData", JSON)                                                           \
    F("s.version", "version", TEXT)                                                                \
    F("s.is_active", "isActive", BOOL)                                                             \
    F("s.overlap_policy", "overlapPolicy", TEXT)                                                   \
    F("s.missed_run_policy", "missedRunPolicy", TEXT)                                              \
    F("s.missed_run_window_ms", "missedRunWindowMs", INT)                                          \
    F("s.jitter_ms", "jitterMs", INT)                                                              \
    F("s.next_execution_at", "nextExecutionAt", TIME)                                              \
    F("s.last_execution_at", "lastExecutionAt", TIME)                                              \
    F("s.last_outcome", "lastOutcome", TEXT)                                                       \
    F("s.origin", "origin", TEXT)                                                                  \
    F("s.created_by", "createdBy", TEXT)                                                           \
    F("s.revision", "revision", INT)                                                               \
    F("s.created_at", "createdAt", TIME)                                                           \
    F("s.updated_at", "updatedAt", TIME)
#define RUN_FIELDS(F)                                                                              \
    F("r.id", "id", TEXT)                                                                          \
    F("r.schedule_id", "scheduleId", TEXT)                                                         \
    F("r.scheduled_for", "scheduledFor", TIME)                                                     \
    F("r.outcome", "outcome", TEXT)                                                                \
    F("r.by_hand", "byHand", BOOL)                                                                 \
    F("r.execution_id", "executionId", TEXT)                                                       \
    F("e.status", "executionStatus", TEXT)                                                         \
    F("r.reason", "reason", TEXT)                                                                  \
    F("r.error_code", "errorCode", TEXT)                                                           \
    F("r.missed_count", "missedCount", INT)                                                        \
    F("r.missed_until", "missedUntil", TIME)                                                       \
    F("r.created_at", "createdAt", TIME)
static const struct field fields[] = {SCHEDULE_FIELDS(FIELD_ENTRY)};
static const struct field run_fields[] = {RUN_FIELDS(FIELD_ENTRY)};

static const struct list_sort sorts[] = {{"createdAt", "s.id", SORT_TEXT}};
static const struct list_sort run_sorts[] = {{"createdAt", "r.id", SORT_TEXT}};
static const struct list_filter filters[] = {
    {"state", FILTER_TEXT, "active|paused",
     "CASE s.is_active WHEN 1 THEN 'active' ELSE 'paused' END = ?"},
    {"name", FILTER_TEXT, NULL, "s.name = ?"},
};
static const struct list_filter run_filters[] = {
    {"outcome", FILTER_TEXT, "started|queued|skipped|missed|failed", "r.outcome = ?"},
};

const struct list store_schedule_list = {
    .name = "schedules",
    .columns = SCHEDULE_FIELDS(FIELD_COLUMN),
    .from = " FROM scheduled_executions s JOIN agents a ON a.id = s.agent_id"
            " WHERE s.organization_id = $1"
            " AND ($3 = 1 OR " ACCESS_SEES("$2") ")",
    .n_scope = 3,
    .id = "s.id",
    .default_sort = "-createdAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

const struct list store_agent_schedule_list = {
    .name = "agent-schedules",
    .columns = SCHEDULE_FIELDS(FIELD_COLUMN),
    .from = " FROM scheduled_executions s WHERE s.agent_id = $1",
    .n_scope = 1,
    .id = "s.id",
    .default_sort = "-createdAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

const struct list store_schedule_run_list = {
    .name = "schedule-runs",
    .columns = RUN_FIELDS(FIELD_COLUMN),
    .from = " FROM schedule_runs r LEFT JOIN agent_executions e ON e.id = r.execution_id"
            " WHERE r.schedule_id = $1",
    .n_scope = 1,
    .id = "r.id",
    .default_sort = "-createdAt",
    LIST_SORTS(run_sorts),
    LIST_FILTERS(run_filters),
    LIST_FIELDS(run_fields),
};

/* ---- writing ---- */

static const int64_t *at_or_null(const struct schedule_time *next)
{
    return next->at != 0 ? &next->at : NULL;
}

void store_schedule_limit(struct storage_batch *batch, const char *agent_id, int64_t max)
{
    /* Writes the agent's row: counting and inserting are one step for all writers. */
    storage_batch_add(batch,
                      "UPDATE agents SET updated_at = updated_at WHERE id = $1 AND"
                      " (SELECT COUNT(*) FROM scheduled_executions WHERE agent_id = $1) < $2",
                      1, NULL, NULL, "si", agent_id, max);
}

void store_schedule_insert(struct storage_batch *batch, const char *id, const char *agent_id,
                           const char *organization_id, const char *user_id,
                           const struct schedule_columns *columns, struct schedule_time next,
                           int64_t now)
{
    storage_batch_add(batch,
                      "INSERT INTO scheduled_executions (id, agent_id, organization_id, created_by,"
                      " name, cron_expression, timezone, version, input_data, overlap_policy,"
                      " missed_run_policy, missed_run_window_ms, jitter_ms, is_active,"
                      " scheduled_for, next_execution_at, created_at, updated_at)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,"
                      " $16, $17, $17)",
                      1, NULL, NULL, "sssssssssssiiiiIi", id, agent_id, organization_id, user_id,
                      columns->name, columns->cron_expression, columns->timezone, columns->version,
                      columns->input, columns->overlap_policy, columns->missed_run_policy,
                      columns->missed_run_window_ms, columns->jitter_ms, (int64_t)columns->active,
                      next.scheduled_for, at_or_null(&next), now);
}

void store_schedule_update(struct storage_batch *batch, const char *id, int64_t revision,
                           const struct schedule_columns *columns, struct schedule_time next,
                           int64_t now)
{
    storage_batch_add(batch,
                      "UPDATE scheduled_executions SET name = $3, cron_expression = $4,"
                      " timezone = $5, version = $6, input_data = $7, overlap_policy = $8,"
                      " missed_run_policy = $9, missed_run_window_ms = $10, jitter_ms = $11,"
                      " is_active = $12, scheduled_for = $13, next_execution_at = $14,"
                      " updated_at = $15, revision = revision + 1"
                      " WHERE id = $1 AND revision = $2",
                      1, NULL, NULL, "sisssssssiiiiIi", id, revision, columns->name,
                      columns->cron_expression, columns->timezone, columns->version, columns->input,
                      columns->overlap_policy, columns->missed_run_policy,
                      columns->missed_run_window_ms, columns->jitter_ms, (int64_t)columns->active,
                      next.scheduled_for, at_or_null(&next), now);
}

void store_schedule_delete(struct storage_batch *batch, const char *id, const int64_t *revision)
{
    storage_batch_add(batch,
                      "DELETE FROM scheduled_executions"
                      " WHERE id = $1 AND revision = COALESCE($2, revision)",
                      1, NULL, NULL, "sI", id, revision);
}

/* A time that has come, and was not seen to yet, still comes. */
#define SAME_TIMES                                                                                 \
    "cron_expression = $4 AND timezone = $5 AND jitter_ms = $11 AND next_execution_at IS NOT NULL"

void store_schedule_put(struct storage_batch *batch, const char *id, const char *agent_id,
                        const char *organization_id, const char *user_id,
                        const struct schedule_columns *columns, struct schedule_time next,
                        int64_t now)
{
    storage_batch_add(batch,
                      "UPDATE scheduled_executions SET created_by = $2, name = $3,"
                      " cron_expression = $4, timezone = $5, version = $6, input_data = $7,"
                      " overlap_policy = $8, missed_run_policy = $9, missed_run_window_ms = $10,"
                      " jitter_ms = $11,"
                      " scheduled_for = CASE WHEN " SAME_TIMES " THEN scheduled_for ELSE $12 END,"
                      " next_execution_at = CASE WHEN is_active = 0 THEN NULL"
                      " WHEN " SAME_TIMES " THEN next_execution_at ELSE $13 END, updated_at = $14,"
                      " revision = revision + 1 WHERE agent_id = $1 AND origin = 'agent'",
                      -1, NULL, NULL, "sssssssssiiiIi", agent_id, user_id, columns->name,
                      columns->cron_expression, columns->timezone, columns->version, columns->input,
                      columns->overlap_policy, columns->missed_run_policy,
                      columns->missed_run_window_ms, columns->jitter_ms, next.scheduled_for,
                      at_or_null(&next), now);
    storage_batch_add(
        batch,
        "INSERT INTO scheduled_executions (id, agent_id, organization_id, created_by,"
        " name, cron_expression, timezone, version, input_data, overlap_policy,"
        " missed_run_policy, missed_run_window_ms, jitter_ms, is_active, origin,"
        " scheduled_for, next_execution_at, created_at, updated_at)"
        " SELECT $1, a.id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, 'agent',"
        " $14, $15, $16, $16 FROM agents a WHERE a.id = $2 AND NOT EXISTS (SELECT 1"
        " FROM scheduled_executions WHERE agent_id = $2 AND origin = 'agent')",
        -1, NULL, NULL, "sssssssssssiiiIi", id, agent_id, organization_id, user_id, columns->name,
        columns->cron_expression, columns->timezone, columns->version, columns->input,
        columns->overlap_policy, columns->missed_run_policy, columns->missed_run_window_ms,
        columns->jitter_ms, next.scheduled_for, at_or_null(&next), now);
}

void store_schedule_pause_all(struct storage_batch *batch, const char *agent_id, int64_t now)
{
    storage_batch_add(batch,
                      "UPDATE scheduled_executions SET is_active = 0, next_execution_at = NULL,"
                      " updated_at = $2, revision = revision + 1"
                      " WHERE agent_id = $1 AND is_active = 1",
                      -1, NULL, NULL, "si", agent_id, now);
}

void store_schedule_drop(struct storage_batch *batch, const char *agent_id)
{
    storage_batch_add(batch,
                      "DELETE FROM scheduled_executions WHERE agent_id = $1 AND origin = 'agent'",
                      -1, NULL, NULL, "s", agent_id);
}

/* ---- reading ---- */

#define META_COLUMNS                                                                               \
    "s.id, s.agent_id, s.created_by, s.origin, s.revision, s.is_active, s.last_scheduled_for,"     \
    " s.scheduled_for, s.next_execution_at"
enum { META_COUNT = 9 };
#define BY_ID " FROM scheduled_executions s WHERE s.id = $1"

struct schedule_read {
    struct row_read row;
    struct schedule_meta *meta;
};

static int schedule_row(void *arg, const struct c9d_value *v, size_t n)
{
    struct schedule_read *read = arg;
    struct schedule_meta *meta = read->meta;
    row_text_into(&v[0], meta->id, sizeof(meta->id));
    row_text_into(&v[1], meta->agent_id, sizeof(meta->agent_id));
    row_text_into(&v[2], meta->created_by, sizeof(meta->created_by));
    row_text_into(&v[3], meta->origin, sizeof(meta->origin));
    meta->revision = v[4].u.i;
    meta->active = v[5].u.i != 0;
    meta->last_scheduled_for = v[6].type == C9D_INT ? v[6].u.i : 0;
    meta->next.scheduled_for = v[7].u.i;
    meta->next.at = v[8].type == C9D_INT ? v[8].u.i : 0;
    return n > META_COUNT ? row_read_fn(&read->row, v, n) : 1;
}

int store_schedule_get(struct storage *storage, const char *id, struct schedule_meta *meta_r,
                       json_t **schedule_r, struct error *err)
{
    static const char meta_only[] = "SELECT " META_COLUMNS BY_ID;
    static const char whole[] = "SELECT " META_COLUMNS SCHEDULE_FIELDS(FIELD_COLUMN) BY_ID;
    struct schedule_read read = {{fields, countof(fields), META_COUNT, NULL}, meta_r};
    meta_r->id[0] = '\0';
    if (storage_query(storage, schedule_r != NULL ? whole : meta_only, schedule_row, &read, err,
                      "s", id) < 0)
        return -1;
    if (schedule_r != NULL)
        *schedule_r = read.row.json;
    return 0;
}

int store_schedule_origin(struct storage *storage, const char *agent_id, char id_r[UUID_SIZE],
                          struct error *err)
{
    id_r[0] = '\0';
    return storage_query(storage,
                         "SELECT id FROM scheduled_executions WHERE agent_id = $1"
                         " AND origin = 'agent'",
                         row_uuid_fn, id_r, err, "s", agent_id);
}
