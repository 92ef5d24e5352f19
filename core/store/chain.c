#include "store/chain.h"

#define CHAIN_FIELDS(F)                                                                            \
    F("c.id", "id", TEXT)                                                                          \
    F("c.name", "name", TEXT)                                                                      \
    F("c.description", "description", TEXT)                                                        \
    F("c.user_id", "userId", TEXT)                                                                 \
    F("c.organization_id", "organizationId", TEXT)                                                 \
    F("c.chain_config", "chainConfig", JSON)                                                       \
    F("c.status", "status", TEXT)                                                                  \
    F("a.current_version", "currentVersion", TEXT)                                                 \
    F("a.revision", "revision", INT)                                                               \
    F("c.created_at", "createdAt", TIME)                                                           \
    F("c.updated_at", "updatedAt", TIME)
static const struct field fields[] = {CHAIN_FIELDS(FIELD_ENTRY)};

static const struct list_sort sorts[] = {
    {"createdAt", "c.id", SORT_TEXT},
    {"name", "c.name", SORT_TEXT},
};
static const struct list_filter filters[] = {
    {"status", FILTER_TEXT, "active|inactive|deprecated", "c.status = ?"},
    {"owner", FILTER_ID, NULL, "c.user_id = ?"},
    {"name", FILTER_TEXT, NULL, "c.name = ?"},
    {"text", FILTER_CONTAINS, NULL,
     "(LOWER(c.name) LIKE LOWER(?) ESCAPE '\\'"
     " OR LOWER(c.description) LIKE LOWER(?) ESCAPE '\\')"},
};

const struct list store_chain_list = {
    .name = "chains",
    .columns = CHAIN_FIELDS(FIELD_COLUMN),
    .from = " FROM agent_chains c JOIN agents a ON a.id = c.id WHERE c.organization_id = $1",
    .n_scope = 1,
    .id = "c.id",
    .default_sort = "-createdAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

#define EXECUTION_FIELDS(F)                                                                        \
    F("e.id", "id", TEXT)                                                                          \
    F("e.agent_id", "chainId", TEXT)                                                               \
    F("e.agent_version", "chainVersion", TEXT)                                                     \
    F("e.status", "status", TEXT)                                                                  \
    F("e.started_at", "startedAt", TIME)                                                           \
    F("e.completed_at", "completedAt", TIME)                                                       \
    F("e.execution_time_ms", "executionTimeMs", INT)                                               \
    F("e.error_message", "errorMessage", TEXT)                                                     \
    F("e.error_details ->> 'code'", "errorCode", TEXT)                                             \
    F("e.triggered_by", "triggeredBy", TEXT)                                                       \
    F("e.created_at", "createdAt", TIME)
static const struct field execution_fields[] = {EXECUTION_FIELDS(FIELD_ENTRY)};

static const struct list_sort execution_sorts[] = {{"createdAt", "e.id", SORT_TEXT}};
static const struct list_filter execution_filters[] = {
    {"status", FILTER_TEXT, "pending|running|completed|failed|cancelled", "e.status = ?"},
    {"version", FILTER_TEXT, NULL, "e.agent_version = ?"},
};

const struct list store_chain_execution_list = {
    .name = "chainExecutions",
    .columns = EXECUTION_FIELDS(FIELD_COLUMN),
    .from = " FROM agent_executions e WHERE e.agent_id = $1",
    .n_scope = 1,
    .id = "e.id",
    .default_sort = "-createdAt",
    LIST_SORTS(execution_sorts),
    LIST_FILTERS(execution_filters),
    LIST_FIELDS(execution_fields),
};

/* ---- writing ---- */

/* What the agent is, so that executions of the chain go by its status. */
static void agent_set(struct storage_batch *batch, const struct chain_row *row)
{
    storage_batch_add(batch,
                      "UPDATE agents SET is_chain = 1, current_version = $2,"
                      " status = CASE $3 WHEN 'active' THEN 'published' WHEN 'inactive' THEN"
                      " 'archived' ELSE 'deprecated' END,"
                      " deprecated_at = CASE $3 WHEN 'deprecated' THEN COALESCE(deprecated_at, $4)"
                      " END WHERE id = $1",
                      1, NULL, NULL, "sssi", row->id, row->version, row->status, row->at);
}

void store_chain_insert(struct storage_batch *batch, const struct chain_row *row)
{
    agent_set(batch, row);
    storage_batch_add(batch,
                      "INSERT INTO agent_chains (id, name, description, user_id, organization_id,"
                      " chain_config, status, created_at, updated_at)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
                      1, NULL, NULL, "sssssssi", row->id, row->name, row->description, row->user_id,
                      row->organization_id, row->config, row->status, row->at);
}

void store_chain_update(struct storage_batch *batch, const struct chain_row *row)
{
    agent_set(batch, row);
    storage_batch_add(batch,
                      "UPDATE agent_chains SET name = $2, description = $3, chain_config = $4,"
                      " status = $5, updated_at = $6 WHERE id = $1",
                      1, NULL, NULL, "sssssi", row->id, row->name, row->description, row->config,
                      row->status, row->at);
}

void store_chain_delete(struct storage_batch *batch, const char *id)
{
    storage_batch_add(batch,
                      "DELETE FROM agents WHERE id = $1 AND is_chain = 1 AND NOT EXISTS"
                      " (SELECT 1 FROM agent_executions e WHERE e.agent_id = $1"
                      " AND e.status IN ('pending', 'running'))",
                      1, NULL, NULL, "s", id);
    storage_batch_add(batch, "DELETE FROM agent_chains WHERE id = $1", 1, NULL, NULL, "s", id);
}

/* ---- reading ---- */

int store_chain_get(struct storage *storage, const char *id, json_t **chain_r, struct error *err)
{
    struct row_read read = {fields, countof(fields), 1, NULL};
    if (storage_query(storage,
                      "SELECT 1" CHAIN_FIELDS(FIELD_COLUMN) " FROM agent_chains c"
                                                            " JOIN agents a ON a.id = c.id"
                                                            " WHERE c.id = $1",
                      row_read_fn, &read, err, "s", id) < 0)
        return -1;
    *chain_r = read.json;
    return 0;
}

/* Rows as an array; the columns are those of the fields. */
struct rows_read {
    const struct field *fields;
    size_t n;
    json_t *rows;
};

static int rows_fn(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct rows_read *read = arg;
    json_array_append_new(read->rows, row_to_json(read->fields, read->n, v));
    return 0;
}

#define ROWS(table)                                                                                \
    {                                                                                              \
        table, countof(table), json_array()                                                        \
    }

static int rows_give(int status, struct rows_read *read, json_t **rows_r)
{
    if (status < 0)
        json_decref(read->rows);
    else
        *rows_r = read->rows;
    return status < 0 ? -1 : 0;
}

int store_chain_told(struct storage *storage, const char *execution_id, json_t **told_r,
                     struct error *err)
{
    static const struct field told[] = {{"step", FIELD_JSON}, {"at", FIELD_TIME}};
    struct rows_read read = ROWS(told);
    return rows_give(storage_query(storage,
                                   "SELECT data -> 'value' ->> 'chainStep', timestamp"
                                   " FROM execution_events"
                                   " WHERE execution_id = $1 AND type = 'emit' ORDER BY seq",
                                   rows_fn, &read, err, "s", execution_id),
                     &read, told_r);
}

int store_chain_asked(struct storage *storage, const char *execution_id, json_t **asked_r,
                      struct error *err)
{
    static const struct field asked[] = {{"id", FIELD_TEXT},           {"agentId", FIELD_TEXT},
                                         {"agentVersion", FIELD_TEXT}, {"context", FIELD_JSON},
                                         {"status", FIELD_TEXT},       {"startedAt", FIELD_TIME},
                                         {"completedAt", FIELD_TIME},  {"outputData", FIELD_JSON},
                                         {"errorMessage", FIELD_TEXT}, {"errorCode", FIELD_TEXT}};
    struct rows_read read = ROWS(asked);
    return rows_give(
        storage_query(storage,
                      "SELECT id, agent_id, agent_version, execution_context, status, started_at,"
                      " completed_at, output_data, error_message, error_details ->> 'code'"
                      " FROM agent_executions WHERE parent_id = $1 AND parent_id IS NOT NULL"
                      " ORDER BY id",
                      rows_fn, &read, err, "s", execution_id),
        &read, asked_r);
}

#define LAST_ENDED                                                                                 \
    "(SELECT e.id FROM agent_executions e WHERE e.agent_id = $1 AND e.agent_version = $2"          \
    " AND e.status <> 'pending' AND e.status <> 'running' ORDER BY e.id DESC LIMIT $3)"

int store_chain_ended(struct storage *storage, const char *chain_id, const char *version,
                      int64_t max, json_t **ended_r, json_t **told_r, json_t **asked_r,
                      struct error *err)
{
    static const struct field ended[] = {
        {"id", FIELD_TEXT}, {"status", FIELD_TEXT}, {"executionTimeMs", FIELD_INT}};
    static const struct field told[] = {{"executionId", FIELD_TEXT}, {"step", FIELD_JSON}};
    static const struct field asked[] = {
        {"parentId", FIELD_TEXT},     {"context", FIELD_JSON},        {"status", FIELD_TEXT},
        {"agentVersion", FIELD_TEXT}, {"executionTimeMs", FIELD_INT}, {"usage", FIELD_JSON}};
    static const struct {
        const char *sql;
        const struct field *fields;
        size_t n;
    } queries[] = {
        {"SELECT id, status, execution_time_ms FROM agent_executions WHERE id IN " LAST_ENDED,
         ended, countof(ended)},
        {"SELECT execution_id, data -> 'value' ->> 'chainStep' FROM execution_events WHERE type = 'emit'"
         " AND execution_id IN " LAST_ENDED " ORDER BY execution_id, seq",
         told, countof(told)},
        {"SELECT c.parent_id, c.execution_context, c.status, c.agent_version, c.execution_time_ms,"
         " c.resource_usage FROM agent_executions c WHERE c.parent_id IS NOT NULL"
         " AND c.completed_at IS NOT NULL AND c.parent_id IN " LAST_ENDED " ORDER BY c.id",
         asked, countof(asked)},
    };
    json_t **const results[] = {ended_r, told_r, asked_r};
    for (size_t i = 0; i < countof(queries); i++) {
        struct rows_read read = {queries[i].fields, queries[i].n, json_array()};
        if (rows_give(storage_query(storage, queries[i].sql, rows_fn, &read, err, "ssi", chain_id,
                                    version, max),
                      &read, results[i]) < 0)
            return -1;
    }
    return 0;
}
