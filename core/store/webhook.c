/* Webhooks as clients see and change them. */
#include "store/webhook.h"

void store_webhook_limit(struct storage_batch *batch, const char *organization_id, int64_t max)
{
    /* Writes the organization's row: counting and inserting are one step for all writers. */
    storage_batch_add(batch,
                      "UPDATE organizations SET updated_at = updated_at WHERE id = $1"
                      " AND (SELECT COUNT(*) FROM webhooks WHERE organization_id = $1"
                      " AND execution_id IS NULL) < $2",
                      1, NULL, NULL, "si", organization_id, max);
}

void store_webhook_insert(struct storage_batch *batch, const struct webhook_row *row)
{
    storage_batch_add(batch,
                      "INSERT INTO webhooks (id, organization_id, agent_id, execution_id, url,"
                      " description, events, secret, created_by, is_active, created_at, updated_at)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
                      1, NULL, NULL, "sssssssssii", row->id, row->organization_id, row->agent_id,
                      row->execution_id, row->url, row->description, row->events, row->secret,
                      row->created_by, (int64_t)row->is_active, row->at);
}

void store_webhook_update(struct storage_batch *batch, const struct webhook_row *row,
                          int64_t revision)
{
    storage_batch_add(
        batch,
        "UPDATE webhooks SET url = $2, description = $3, events = $4, is_active = $5,"
        " disabled_reason = NULL, failing_since = CASE WHEN is_active = $5 THEN failing_since END,"
        " updated_at = $6, revision = revision + 1 WHERE id = $1 AND revision = $7",
        1, NULL, NULL, "ssssiii", row->id, row->url, row->description, row->events,
        (int64_t)row->is_active, row->at, revision);
}

void store_webhook_rotate(struct storage_batch *batch, const char *id, const char *secret,
                          int64_t old_until, int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE webhooks SET old_secret = secret, old_until = $3, secret = $2,"
                      " updated_at = $4, revision = revision + 1 WHERE id = $1",
                      1, NULL, NULL, "ssii", id, secret, old_until, at);
}

void store_webhook_delete(struct storage_batch *batch, const char *id, const int64_t *revision)
{
    storage_batch_add(batch,
                      "DELETE FROM webhooks WHERE id = $1 AND revision = COALESCE($2, revision)", 1,
                      NULL, NULL, "sI", id, revision);
}

/* ---- reading ---- */

#define WEBHOOK_FIELDS(F)                                                                          \
    F("id", "id", TEXT)                                                                            \
    F("organization_id", "organizationId", TEXT)                                                   \
    F("agent_id", "agentId", TEXT)                                                                 \
    F("url", "url", TEXT)                                                                          \
    F("description", "description", TEXT)                                                          \
    F("events", "events", JSON)                                                                    \
    F("is_active", "isActive", BOOL)                                                               \
    F("failing_since", "failingSince", TIME)                                                       \
    F("disabled_reason", "disabledReason", TEXT)                                                   \
    F("created_by", "createdBy", TEXT)                                                             \
    F("revision", "revision", INT)                                                                 \
    F("created_at", "createdAt", TIME)                                                             \
    F("updated_at", "updatedAt", TIME)
static const struct field fields[] = {WEBHOOK_FIELDS(FIELD_ENTRY)};

static const struct list_sort sorts[] = {{"createdAt", "id", SORT_TEXT}};
static const struct list_filter filters[] = {
    {"agentId", FILTER_ID, NULL, "agent_id = ?"},
};

const struct list store_webhook_list = {
    .name = "webhooks",
    .columns = WEBHOOK_FIELDS(FIELD_COLUMN),
    .from = " FROM webhooks WHERE organization_id = $1 AND execution_id IS NULL",
    .n_scope = 1,
    .id = "id",
    .default_sort = "-createdAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

enum { META_COUNT = 4 };

struct webhook_read {
    struct row_read row;
    struct webhook_meta *meta;
};

static int webhook_row_fn(void *arg, const struct c9d_value *v, size_t n)
{
    struct webhook_read *read = arg;
    row_text_into(&v[0], read->meta->id, sizeof(read->meta->id));
    row_text_into(&v[1], read->meta->organization_id, sizeof(read->meta->organization_id));
    row_text_into(&v[2], read->meta->agent_id, sizeof(read->meta->agent_id));
    read->meta->revision = v[3].u.i;
    return row_read_fn(&read->row, v, n);
}

int store_webhook_get(struct storage *storage, const char *id, struct webhook_meta *meta_r,
                      json_t **webhook_r, struct error *err)
{
    struct webhook_read read = {{fields, countof(fields), META_COUNT, NULL}, meta_r};
    int result = storage_query(storage,
                               "SELECT id, organization_id, agent_id, revision" WEBHOOK_FIELDS(
                                   FIELD_COLUMN) " FROM webhooks WHERE id = $1"
                                                 " AND execution_id IS NULL",
                               webhook_row_fn, &read, err, "s", id);
    *webhook_r = read.row.json;
    return result;
}

static int any_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)v, (void)n;
    *(bool *)arg = true;
    return 1;
}

int store_webhook_any(struct storage *storage, bool *any_r, struct error *err)
{
    *any_r = false;
    return storage_query(storage, "SELECT 1 FROM webhooks LIMIT 1", any_row, any_r, err, "");
}

/* ---- deliveries as clients see them ---- */

#define DELIVERY_FIELDS(F)                                                                         \
    F("d.id", "id", TEXT)                                                                          \
    F("d.webhook_id", "webhookId", TEXT)                                                           \
    F("d.execution_id", "executionId", TEXT)                                                       \
    F("w.url", "url", TEXT)                                                                        \
    F("d.event", "event", TEXT)                                                                    \
    F("d.status", "status", TEXT)                                                                  \
    F("d.attempts", "attempts", INT)                                                               \
    F("CASE WHEN d.status = 'pending' THEN d.next_attempt_at END", "nextAttemptAt", TIME)          \
    F("d.response_status", "responseStatus", INT)                                                  \
    F("d.error", "error", TEXT)                                                                    \
    F("d.delivered_at", "deliveredAt", TIME)                                                       \
    F("d.created_at", "createdAt", TIME)
static const struct field delivery_fields[] = {DELIVERY_FIELDS(FIELD_ENTRY)};

static const struct list_sort delivery_sorts[] = {{"createdAt", "d.created_at", SORT_INT}};
static const struct list_filter delivery_filters[] = {
    {"webhookId", FILTER_ID, NULL, "d.webhook_id = ?"},
    {"executionId", FILTER_ID, NULL, "d.execution_id = ?"},
    {"status", FILTER_TEXT, "pending|delivered|dead", "d.status = ?"},
};

const struct list store_webhook_delivery_list = {
    .name = "webhookDeliveries",
    .columns = DELIVERY_FIELDS(FIELD_COLUMN),
    .from = " FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id"
            " WHERE d.organization_id = $1",
    .n_scope = 1,
    .id = "d.id",
    .default_sort = "-createdAt",
    LIST_SORTS(delivery_sorts),
    LIST_FILTERS(delivery_filters),
    LIST_FIELDS(delivery_fields),
};

int store_webhook_delivery_get(struct storage *storage, const char *id, struct webhook_meta *meta_r,
                               json_t **delivery_r, struct error *err)
{
    struct webhook_read read = {{delivery_fields, countof(delivery_fields), META_COUNT, NULL},
                                meta_r};
    int result = storage_query(
        storage,
        "SELECT w.id, w.organization_id, w.agent_id, w.revision" DELIVERY_FIELDS(
            FIELD_COLUMN) " FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id"
                          " WHERE d.id = $1",
        webhook_row_fn, &read, err, "s", id);
    *delivery_r = read.row.json;
    return result;
}

#define ATTEMPT_FIELDS(F)                                                                          \
    F("attempt", "attempt", INT)                                                                   \
    F("attempted_at", "attemptedAt", TIME)                                                         \
    F("took_ms", "tookMs", INT)                                                                    \
    F("response_status", "responseStatus", INT)                                                    \
    F("response", "response", TEXT)                                                                \
    F("error", "error", TEXT)
static const struct field attempt_fields[] = {ATTEMPT_FIELDS(FIELD_ENTRY)};
static const struct list_sort attempt_sorts[] = {{"attempt", "attempt", SORT_INT}};

const struct list store_webhook_attempt_list = {
    .name = "webhookAttempts",
    .columns = ATTEMPT_FIELDS(FIELD_COLUMN),
    .from = " FROM webhook_attempts WHERE delivery_id = $1",
    .n_scope = 1,
    .id = "attempt",
    .default_sort = "attempt",
    LIST_SORTS(attempt_sorts),
    LIST_FIELDS(attempt_fields),
};
