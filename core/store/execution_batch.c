#include "store/execution_batch.h"

#include "store/access.h"
#include "store/wait.h"

void store_execution_batch_insert(struct storage_batch *batch,
                                  const struct execution_batch_row *row)
{
    storage_batch_add(batch,
                      "INSERT INTO execution_batches (id, organization_id, agent_id,"
                      " agent_version, total, created_by, created_at)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7)",
                      1, NULL, NULL, "ssssisi", row->id, row->organization_id, row->agent_id,
                      row->agent_version, row->total, row->created_by, row->created_at);
}

/* ---- reading ---- */

#define BATCH_FIELDS(F)                                                                            \
    F("b.id", "id", TEXT)                                                                          \
    F("b.agent_id", "agentId", TEXT)                                                               \
    F("b.agent_version", "agentVersion", TEXT)                                                     \
    F("b.organization_id", "organizationId", TEXT)                                                 \
    F("b.total", "total", INT)                                                                     \
    F("b.created_by", "createdBy", TEXT)                                                           \
    F("b.created_at", "createdAt", TIME)
static const struct field fields[] = {BATCH_FIELDS(FIELD_ENTRY)};

static const struct list_sort sorts[] = {{"createdAt", "b.id", SORT_TEXT}};
static const struct list_filter filters[] = {
    {"agentId", FILTER_ID, NULL, "b.agent_id = ?"},
    {"createdAfter", FILTER_TIME, NULL, "b.created_at > ? AND b.id >= ["},
    {"createdBefore", FILTER_TIME, NULL, "b.created_at < ? AND b.id < ]"},
};

const struct list store_execution_batch_list = {
    .name = "batches",
    .columns = BATCH_FIELDS(FIELD_COLUMN),
    .from = " FROM execution_batches b WHERE b.organization_id = $1 AND ($3 = 1"
            " OR b.created_by = $2 OR EXISTS (SELECT 1 FROM agents a WHERE a.id = b.agent_id"
            " AND " ACCESS_SEES("$2") "))",
    .n_scope = 3,
    .id = "b.id",
    .default_sort = "-createdAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

#define META_COLUMNS                                                                               \
    "b.id, b.agent_id, b.organization_id, b.created_by, a.user_id, a.visibility,"                  \
    " " ACCESS_GRANTS("$2")
enum { META_COUNT = 7 };

struct batch_read {
    struct row_read row;
    struct execution_batch_meta *meta;
};

static int batch_row(void *arg, const struct c9d_value *v, size_t n)
{
    struct batch_read *read = arg;
    struct execution_batch_meta *meta = read->meta;
    row_text_into(&v[0], meta->id, sizeof(meta->id));
    row_text_into(&v[1], meta->agent_id, sizeof(meta->agent_id));
    row_text_into(&v[2], meta->organization_id, sizeof(meta->organization_id));
    row_text_into(&v[3], meta->created_by, sizeof(meta->created_by));
    row_text_into(&v[4], meta->agent_owner, sizeof(meta->agent_owner));
    row_text_into(&v[5], meta->agent_visibility, sizeof(meta->agent_visibility));
    meta->grants = (unsigned)v[6].u.i;
    return row_read_fn(&read->row, v, n);
}

int store_execution_batch_get(struct storage *storage, const char *id, const char *user_id,
                              struct execution_batch_meta *meta_r, json_t **batch_r,
                              struct error *err)
{
    struct batch_read read = {{fields, countof(fields), META_COUNT, NULL}, meta_r};
    meta_r->id[0] = '\0';
    int result = storage_query(
        storage,
        "SELECT " META_COLUMNS BATCH_FIELDS(
            FIELD_COLUMN) " FROM execution_batches b JOIN agents a ON a.id = b.agent_id"
                          " WHERE b.id = $1",
        batch_row, &read, err, "ss", id, user_id);
    if (batch_r != NULL)
        *batch_r = read.row.json;
    else
        json_decref(read.row.json);
    return result;
}

static int count_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    json_object_set_new(arg, v[0].u.s, json_integer(v[1].u.i));
    return 0;
}

int store_execution_batch_counts(struct storage *storage, const char *id, json_t **counts_r,
                                 struct error *err)
{
    *counts_r = json_object();
    return storage_query(storage,
                         "SELECT status, count(*) FROM agent_executions"
                         " WHERE batch_id = $1 AND batch_id IS NOT NULL GROUP BY status",
                         count_row, *counts_r, err, "s", id);
}

int store_execution_batch_active(struct storage *storage, const char *id, c9d_row_fn row, void *arg,
                                 struct error *err)
{
    return storage_query(storage,
                         "SELECT id FROM agent_executions WHERE batch_id = $1"
                         " AND batch_id IS NOT NULL AND status IN ('pending', 'running')",
                         row, arg, err, "s", id);
}

void store_execution_batch_cancel_request(struct storage_batch *batch, const char *id, int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE agent_executions SET cancel_requested = 1, " STORE_CALLED(
                          "$2") " WHERE batch_id = $1 AND batch_id IS NOT NULL"
                                " AND status IN ('pending', 'running')",
                      -1, NULL, NULL, "si", id, at);
}
