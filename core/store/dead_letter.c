/* Dead letters: executions and deliveries that were tried as often as they may be. */
#include "store/access.h"
#include "store/webhook.h"

void store_dead_letter_insert(struct storage_batch *batch, const char *organization_id,
                              const char *agent_id, const char *execution_id, const char *reason,
                              int64_t at)
{
    char id[UUID_SIZE];
    storage_batch_add(batch,
                      "INSERT INTO dead_letters (id, kind, organization_id, agent_id, execution_id,"
                      " reason, created_at) VALUES ($1, 'execution', $2, $3, $4, $5, $6)",
                      1, NULL, NULL, "sssssi", uuid_make(id), organization_id, agent_id,
                      execution_id, reason, at);
}

void store_dead_letter_requeued(struct storage_batch *batch, const char *id, const char *as,
                                int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE dead_letters SET requeued_at = $2, requeued_as = $3"
                      " WHERE id = $1 AND requeued_at IS NULL",
                      1, NULL, NULL, "sis", id, at, as);
}

#define LETTER_FIELDS(F)                                                                           \
    F("l.id", "id", TEXT)                                                                          \
    F("l.kind", "kind", TEXT)                                                                      \
    F("l.agent_id", "agentId", TEXT)                                                               \
    F("l.execution_id", "executionId", TEXT)                                                       \
    F("l.delivery_id", "deliveryId", TEXT)                                                         \
    F("l.reason", "reason", TEXT)                                                                  \
    F("l.requeued_at", "requeuedAt", TIME)                                                         \
    F("l.requeued_as", "requeuedAs", TEXT)                                                         \
    F("l.created_at", "createdAt", TIME)
static const struct field fields[] = {LETTER_FIELDS(FIELD_ENTRY)};
static const struct list_sort sorts[] = {{"createdAt", "l.id", SORT_TEXT}};
static const struct list_filter filters[] = {
    {"kind", FILTER_TEXT, "execution|webhook", "l.kind = ?"},
    {"agentId", FILTER_ID, NULL, "l.agent_id = ?"},
    {"state", FILTER_TEXT, "waiting", "? = 'waiting' AND l.requeued_at IS NULL"},
    {"state", FILTER_TEXT, "requeued", "? = 'requeued' AND l.requeued_at IS NOT NULL"},
};

const struct list store_dead_letter_list = {
    .name = "deadLetters",
    .columns = LETTER_FIELDS(FIELD_COLUMN),
    .from = " FROM dead_letters l WHERE l.organization_id = $1 AND ($3 = 1 OR EXISTS (SELECT 1"
            " FROM agents a WHERE a.id = l.agent_id AND " ACCESS_SEES("$2") "))",
    .n_scope = 3,
    .id = "l.id",
    .default_sort = "-createdAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

enum { META_COUNT = 11 };

struct letter_read {
    struct row_read row;
    struct dead_letter_meta *meta;
};

static int letter_row(void *arg, const struct c9d_value *v, size_t n)
{
    struct letter_read *read = arg;
    struct dead_letter_meta *meta = read->meta;
    row_text_into(&v[0], meta->id, sizeof(meta->id));
    row_text_into(&v[1], meta->organization_id, sizeof(meta->organization_id));
    row_text_into(&v[2], meta->agent_id, sizeof(meta->agent_id));
    row_text_into(&v[3], meta->execution_id, sizeof(meta->execution_id));
    row_text_into(&v[4], meta->kind, sizeof(meta->kind));
    row_text_into(&v[5], meta->delivery_id, sizeof(meta->delivery_id));
    meta->requeued = v[6].type == C9D_INT;
    row_text_into(&v[7], meta->triggered_by, sizeof(meta->triggered_by));
    row_text_into(&v[8], meta->agent_owner, sizeof(meta->agent_owner));
    row_text_into(&v[9], meta->agent_visibility, sizeof(meta->agent_visibility));
    meta->grants = (unsigned)v[10].u.i;
    return row_read_fn(&read->row, v, n);
}

int store_dead_letter_get(struct storage *storage, const char *id, const char *user_id,
                          struct dead_letter_meta *meta_r, json_t **letter_r, struct error *err)
{
    struct letter_read read = {{fields, countof(fields), META_COUNT, NULL}, meta_r};
    meta_r->id[0] = '\0';
    int result = storage_query(
        storage,
        "SELECT l.id, l.organization_id, l.agent_id, l.execution_id, l.kind, l.delivery_id,"
        " l.requeued_at, e.triggered_by, a.user_id, a.visibility, " ACCESS_GRANTS("$2")
            LETTER_FIELDS(
                FIELD_COLUMN) " FROM dead_letters l JOIN agent_executions e ON e.id = l.execution_id"
                              " JOIN agents a ON a.id = l.agent_id WHERE l.id = $1",
        letter_row, &read, err, "ss", id, user_id);
    if (letter_r != NULL)
        *letter_r = read.row.json;
    else
        json_decref(read.row.json);
    return result;
}
