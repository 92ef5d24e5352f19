#include "store/audit.h"

#include "store/store.h"

/* What is hashed, in this order for ever: a column more goes to the end, with a hash of another
 * kind. */
#define CONTENT_FIELDS(F)                                                                          \
    F("l.id", "id", TEXT)                                                                          \
    F("l.at", "at", INT)                                                                           \
    F("l.organization_id", "organizationId", TEXT)                                                 \
    F("l.user_id", "userId", TEXT)                                                                 \
    F("l.token_id", "tokenId", TEXT)                                                               \
    F("l.kind", "kind", TEXT)                                                                      \
    F("l.operation", "operation", TEXT)                                                            \
    F("l.resource_type", "resourceType", TEXT)                                                     \
    F("l.resource_id", "resourceId", TEXT)                                                         \
    F("l.code", "code", TEXT)                                                                      \
    F("l.message", "message", TEXT)                                                                \
    F("l.before", "before", TEXT)                                                                  \
    F("l.after", "after", TEXT)                                                                    \
    F("l.address", "address", TEXT)                                                                \
    F("l.user_agent", "userAgent", TEXT)                                                           \
    F("l.request_id", "requestId", TEXT)

#define VIEW_FIELDS(F)                                                                             \
    F("l.id", "id", TEXT)                                                                          \
    F("l.at", "at", TIME)                                                                          \
    F("l.user_id", "userId", TEXT)                                                                 \
    F("l.token_id", "tokenId", TEXT)                                                               \
    F("l.kind", "kind", TEXT)                                                                      \
    F("l.operation", "operation", TEXT)                                                            \
    F("l.resource_type", "resourceType", TEXT)                                                     \
    F("l.resource_id", "resourceId", TEXT)                                                         \
    F("l.code", "code", TEXT)                                                                      \
    F("l.message", "message", TEXT)                                                                \
    F("l.before", "before", JSON)                                                                  \
    F("l.after", "after", JSON)                                                                    \
    F("l.address", "address", TEXT)                                                                \
    F("l.user_agent", "userAgent", TEXT)                                                           \
    F("l.request_id", "requestId", TEXT)                                                           \
    F("l.position", "position", INT)                                                               \
    F("l.hash", "hash", TEXT)

static const struct field view_fields[] = {VIEW_FIELDS(FIELD_ENTRY)};

static const struct list_sort sorts[] = {{"at", "l.id", SORT_TEXT}};
static const struct list_filter filters[] = {
    {"kind", FILTER_TEXT, "change|denied", "l.kind = ?"},
    {"operation", FILTER_TEXT, NULL, "l.operation = ?"},
    {"userId", FILTER_ID, NULL, "l.user_id = ?"},
    {"resourceType", FILTER_TEXT, NULL, "l.resource_type = ?"},
    {"resourceId", FILTER_TEXT, NULL, "l.resource_id = ? AND l.resource_id IS NOT NULL"},
    {"requestId", FILTER_TEXT, NULL, "l.request_id = ?"},
    {"after", FILTER_TIME, NULL, "l.at > ? AND l.id >= ["},
    {"before", FILTER_TIME, NULL, "l.at < ? AND l.id < ]"},
};
const struct list store_audit_list = {
    .name = "audit",
    .columns = VIEW_FIELDS(FIELD_COLUMN),
    .from = " FROM audit_log l WHERE l.organization_id = $1",
    .n_scope = 1,
    .id = "l.id",
    .default_sort = "-at",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(view_fields),
};

void store_audit_insert(struct storage_batch *batch, const struct audit_row *row)
{
    char id[UUID_SIZE];
    storage_batch_add(batch,
                      "INSERT INTO audit_log (id, at, organization_id, user_id, token_id, kind,"
                      " operation, resource_type, resource_id, code, message, before, after,"
                      " address, user_agent, request_id) VALUES ($1, $2,"
                      " COALESCE($3, (SELECT value FROM instance WHERE key = 'organization')), $4,"
                      " $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
                      1, NULL, NULL, "sissssssssssssss", uuid_make(id), row->at,
                      row->organization_id, row->user_id, row->token_id, row->kind, row->operation,
                      row->resource_type, row->resource_id, row->code, row->message, row->before,
                      row->after, row->address, row->user_agent, row->request_id);
}

/* ---- the chain ---- */

struct chain_read {
    store_audit_fn fn;
    void *arg;
};

static int chain_row(void *arg, const struct c9d_value *v, size_t n)
{
    struct chain_read *read = arg;
    char id[UUID_SIZE], hash[SHA256_HEX_SIZE];
    json_t *content = json_array();
    row_text_into(&v[0], id, sizeof(id));
    row_text_into(&v[2], hash, sizeof(hash));
    for (size_t i = 3; i < n; i++)
        json_array_append_new(content, v[i].type == C9D_NULL  ? json_null()
                                       : v[i].type == C9D_INT ? json_integer(v[i].u.i)
                                                              : json_stringn(v[i].u.s, v[i].len));
    int stop = read->fn(read->arg, id, v[1].type == C9D_INT ? v[1].u.i : 0, hash, content);
    json_decref(content);
    return stop;
}

#define CHAIN_SELECT                                                                               \
    "SELECT l.id, l.position, l.hash" CONTENT_FIELDS(FIELD_COLUMN) " FROM audit_log l"

int store_audit_unsealed(struct storage *storage, int64_t max, store_audit_fn fn, void *arg,
                         struct error *err)
{
    struct chain_read read = {fn, arg};
    return storage_query(storage, CHAIN_SELECT " WHERE l.position IS NULL ORDER BY l.id LIMIT $1",
                         chain_row, &read, err, "i", max);
}

int store_audit_sealed(struct storage *storage, int64_t after, int64_t max, store_audit_fn fn,
                       void *arg, struct error *err)
{
    struct chain_read read = {fn, arg};
    return storage_query(storage,
                         CHAIN_SELECT " WHERE l.position > $1 ORDER BY l.position LIMIT $2",
                         chain_row, &read, err, "ii", after, max);
}

int store_audit_head(struct storage *storage, char head_r[AUDIT_HEAD_MAX], struct error *err)
{
    autofree char *head = store_instance_get(storage, AUDIT_HEAD, err);
    if (head == NULL)
        return -1;
    snprintf(head_r, AUDIT_HEAD_MAX, "%s", head);
    return 0;
}

void store_audit_head_move(struct storage_batch *batch, const char *from, const char *to)
{
    storage_batch_add(batch,
                      "UPDATE instance SET value = $2 WHERE key = 'audit.head' AND value = $1", 1,
                      NULL, NULL, "ss", from, to);
}

void store_audit_seal(struct storage_batch *batch, const char *id, int64_t position,
                      const char *hash)
{
    storage_batch_add(batch,
                      "UPDATE audit_log SET position = $2, hash = $3"
                      " WHERE id = $1 AND position IS NULL",
                      1, NULL, NULL, "sis", id, position, hash);
}
