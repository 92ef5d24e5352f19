#include "store/execution_view.h"

#include "store/access.h"

#define STARTS_LATER                                                                               \
    "CASE WHEN e.status = 'pending' AND e.blocked_on IS NULL AND e.available_at > e.created_at"

/* Who has given its process back has been started, though it does not count when it comes back. */
#define STARTS "CASE WHEN e.attempt = 0 AND e.status = 'running' THEN 1 ELSE e.attempt END"

#define EXECUTION_FIELDS(F)                                                                        \
    F("e.id", "id", TEXT)                                                                          \
    F("e.agent_id", "agentId", TEXT)                                                               \
    F("e.agent_version", "agentVersion", TEXT)                                                     \
    F("e.version_note ->> 'ref'", "versionRef", TEXT)                                              \
    F("CASE WHEN e.version_note ->> 'test' IS NULL THEN 0 ELSE 1 END", "test", BOOL)               \
    F("e.version_note -> 'warnings'", "warnings", JSON)                                            \
    F("e.organization_id", "organizationId", TEXT)                                                 \
    F("e.status", "status", TEXT)                                                                  \
    F("e.started_at", "startedAt", TIME)                                                           \
    F("e.completed_at", "completedAt", TIME)                                                       \
    F("e.execution_time_ms", "executionTimeMs", INT)                                               \
    F("e.error_message", "errorMessage", TEXT)                                                     \
    F("e.error_details ->> 'code'", "errorCode", TEXT)                                             \
    F("e.resource_usage", "resourceUsage", JSON)                                                   \
    F("e.triggered_by", "triggeredBy", TEXT)                                                       \
    F("e.parent_id", "parentId", TEXT)                                                             \
    F("e.execution_context", "executionContext", JSON)                                             \
    F("e.priority", "priority", INT)                                                               \
    F("e.retries + 1", "attempt", INT)                                                             \
    F(STARTS, "starts", INT)                                                                       \
    F(STARTS_LATER " AND e.retries = 0 THEN e.available_at END", "startAt", TIME)                  \
    F(STARTS_LATER " AND e.retries > 0 THEN e.available_at END", "nextAttemptAt", TIME)            \
    F("e.concurrency_key", "concurrencyKey", TEXT)                                                 \
    F("e.waiting_for", "waitingFor", JSON)                                                         \
    F("CASE WHEN e.journal_removed = 1 THEN 1 END", "journalRemoved", BOOL)                        \
    F("e.origin_id", "originId", TEXT)                                                             \
    F("e.origin_kind", "originKind", TEXT)                                                         \
    F("e.batch_id", "batchId", TEXT)                                                               \
    F("e.batch_index", "batchIndex", INT)                                                          \
    F("e.created_at", "createdAt", TIME)
#define EXECUTION_FULL_FIELDS(F)                                                                   \
    EXECUTION_FIELDS(F)                                                                            \
    F("e.input_data", "inputData", JSON)                                                           \
    F("e.output_data", "outputData", JSON)                                                         \
    F("e.error_details", "errorDetails", JSON)
#define LOG_FIELDS(F)                                                                              \
    F("id", "id", TEXT)                                                                            \
    F("execution_id", "executionId", TEXT)                                                         \
    F("seq", "seq", INT)                                                                           \
    F("log_level", "level", TEXT)                                                                  \
    F("message", "message", TEXT)                                                                  \
    F("metadata", "metadata", JSON)                                                                \
    F("timestamp", "timestamp", TIME)
static const struct field fields[] = {EXECUTION_FIELDS(FIELD_ENTRY)};
static const struct field full_fields[] = {EXECUTION_FULL_FIELDS(FIELD_ENTRY)};
#define ATTEMPT_FIELDS(F)                                                                          \
    F("attempt", "attempt", INT)                                                                   \
    F("status", "status", TEXT)                                                                    \
    F("error_message", "errorMessage", TEXT)                                                       \
    F("error_details ->> 'code'", "errorCode", TEXT)                                               \
    F("error_details", "errorDetails", JSON)                                                       \
    F("started_at", "startedAt", TIME)                                                             \
    F("completed_at", "completedAt", TIME)                                                         \
    F("next_attempt_at", "nextAttemptAt", TIME)
static const struct field attempt_fields[] = {ATTEMPT_FIELDS(FIELD_ENTRY)};
static const struct field log_fields[] = {LOG_FIELDS(FIELD_ENTRY)};

/* Ids are UUIDv7, so their order is the order of creation, and a time bounds them. */
static const struct list_sort sorts[] = {{"createdAt", "e.id", SORT_TEXT}};

/* Most executions have completed: those are found on the way along the page index. The others have
 * an index of their own, whose condition must stand in the query word by word. */
static const struct list_filter filters[] = {
    {"status", FILTER_TEXT, "pending|running|failed|cancelled",
     "e.status = ? AND e.status <> 'completed'"},
    {"status", FILTER_TEXT, "completed", "e.status = ?"},
    {"version", FILTER_TEXT, NULL, "e.agent_version = ?"},
    {"triggeredBy", FILTER_ID, NULL, "e.triggered_by = ?"},
    {"parentId", FILTER_ID, NULL, "e.parent_id = ?"},
    {"errorCode", FILTER_TEXT, NULL, "e.error_details ->> 'code' = ? AND e.status <> 'completed'"},
    {"batchId", FILTER_ID, NULL, "e.batch_id = ? AND e.batch_id IS NOT NULL"},
    {"concurrencyKey", FILTER_TEXT, NULL,
     "e.concurrency_key = ? AND e.concurrency_key IS NOT NULL"},
    {"text", FILTER_CONTAINS, NULL,
     "(e.input_data LIKE ? ESCAPE '\\' OR e.output_data LIKE ? ESCAPE '\\'"
     " OR e.error_message LIKE ? ESCAPE '\\')"},
    {"createdAfter", FILTER_TIME, NULL, "e.created_at > ? AND e.id >= ["},
    {"createdBefore", FILTER_TIME, NULL, "e.created_at < ? AND e.id < ]"},
};

/* What one may see of an organization's executions: one's own, and those of agents one sees. */
#define SEEN                                                                                       \
    " AND ($3 = 1 OR e.triggered_by = $2 OR EXISTS (SELECT 1 FROM agents a WHERE a.id = "          \
    "e.agent_id AND " ACCESS_SEES("$2") "))"

const struct list store_execution_list = {
    .name = "executions",
    .columns = EXECUTION_FIELDS(FIELD_COLUMN),
    .from = " FROM agent_executions e WHERE e.organization_id = $1" SEEN,
    .n_scope = 3,
    .id = "e.id",
    .default_sort = "-createdAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

const struct list store_agent_execution_list = {
    .name = "agentExecutions",
    .columns = EXECUTION_FIELDS(FIELD_COLUMN),
    .from = " FROM agent_executions e WHERE e.agent_id = $1 AND ($2 = '' OR e.triggered_by = $2)",
    .n_scope = 2,
    .id = "e.id",
    .default_sort = "-createdAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

static const struct list_sort batch_sorts[] = {{"index", "e.batch_index", SORT_INT}};

const struct list store_batch_execution_list = {
    .name = "batchExecutions",
    .columns = EXECUTION_FIELDS(FIELD_COLUMN),
    .from = " FROM agent_executions e WHERE e.batch_id = $1 AND e.batch_id IS NOT NULL",
    .n_scope = 1,
    .id = "e.batch_index",
    .default_sort = "index",
    LIST_SORTS(batch_sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

static const struct list_sort log_sorts[] = {{"seq", "seq", SORT_INT}};
static const struct list_filter log_filters[] = {
    {"level", FILTER_TEXT, "debug", "? = 'debug'"},
    {"level", FILTER_TEXT, "info", "? = 'info' AND log_level <> 'debug'"},
    {"level", FILTER_TEXT, "warn", "? = 'warn' AND log_level IN ('warn', 'error')"},
    {"level", FILTER_TEXT, "error", "log_level = ?"},
};

const struct list store_execution_log_list = {
    .name = "logs",
    .columns = LOG_FIELDS(FIELD_COLUMN),
    .from = " FROM execution_logs WHERE execution_id = $1",
    .n_scope = 1,
    .id = "seq",
    .default_sort = "seq",
    LIST_SORTS(log_sorts),
    LIST_FILTERS(log_filters),
    LIST_FIELDS(log_fields),
};

static const struct list_sort attempt_sorts[] = {{"attempt", "attempt", SORT_INT}};

const struct list store_execution_attempt_list = {
    .name = "attempts",
    .columns = ATTEMPT_FIELDS(FIELD_COLUMN),
    .from = " FROM execution_attempts WHERE execution_id = $1",
    .n_scope = 1,
    .id = "attempt",
    .default_sort = "attempt",
    LIST_SORTS(attempt_sorts),
    LIST_FIELDS(attempt_fields),
};

/* ---- one ---- */

#define META_COLUMNS                                                                               \
    "e.id, e.agent_id, e.organization_id, e.triggered_by, e.status,"                               \
    " CASE WHEN e.lease_owner IS NULL THEN 0 ELSE 1 END, a.user_id, a.visibility,"                 \
    " " ACCESS_GRANTS("$2")
#define META_FROM " FROM agent_executions e JOIN agents a ON a.id = e.agent_id WHERE e.id = $1"
enum { META_COUNT = 9 };

struct execution_read {
    struct row_read row;
    struct execution_meta *meta;
};

static int execution_row(void *arg, const struct c9d_value *v, size_t n)
{
    struct execution_read *read = arg;
    struct execution_meta *meta = read->meta;
    row_text_into(&v[0], meta->id, sizeof(meta->id));
    row_text_into(&v[1], meta->agent_id, sizeof(meta->agent_id));
    row_text_into(&v[2], meta->organization_id, sizeof(meta->organization_id));
    row_text_into(&v[3], meta->triggered_by, sizeof(meta->triggered_by));
    row_text_into(&v[4], meta->status, sizeof(meta->status));
    meta->leased = v[5].u.i != 0;
    row_text_into(&v[6], meta->agent_owner, sizeof(meta->agent_owner));
    row_text_into(&v[7], meta->agent_visibility, sizeof(meta->agent_visibility));
    meta->grants = (unsigned)v[8].u.i;
    return n > META_COUNT ? row_read_fn(&read->row, v, n) : 1;
}

int store_execution_get(struct storage *storage, const char *id, const char *user_id,
                        struct execution_meta *meta_r, json_t **execution_r, struct error *err)
{
    static const char meta_only[] = "SELECT " META_COLUMNS META_FROM;
    static const char whole[] =
        "SELECT " META_COLUMNS EXECUTION_FULL_FIELDS(FIELD_COLUMN) META_FROM;
    struct execution_read read = {{full_fields, countof(full_fields), META_COUNT, NULL}, meta_r};
    meta_r->id[0] = '\0';
    if (storage_query(storage, execution_r != NULL ? whole : meta_only, execution_row, &read, err,
                      "ss", id, user_id) < 0)
        return -1;
    if (execution_r != NULL)
        *execution_r = read.row.json;
    return 0;
}
