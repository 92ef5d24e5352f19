#include "store/hook.h"

#include <string.h>

#include "base/clock.h"
#include "store/access.h"

#define HOOK_FIELDS(F)                                                                             \
    F("h.id", "id", TEXT)                                                                          \
    F("h.agent_id", "agentId", TEXT)                                                               \
    F("h.organization_id", "organizationId", TEXT)                                                 \
    F("h.name", "name", TEXT)                                                                      \
    F("h.style", "style", TEXT)                                                                    \
    F("h.delivers", "delivers", TEXT)                                                              \
    F("h.event_type", "eventType", TEXT)                                                           \
    F("h.version", "version", TEXT)                                                                \
    F("h.tolerance_ms", "toleranceMs", INT)                                                        \
    F("h.is_active", "isActive", BOOL)                                                             \
    F("h.previous_until", "previousSecretUntil", TIME)                                             \
    F("h.last_delivery_at", "lastDeliveryAt", TIME)                                                \
    F("h.created_by", "createdBy", TEXT)                                                           \
    F("h.revision", "revision", INT)                                                               \
    F("h.created_at", "createdAt", TIME)                                                           \
    F("h.updated_at", "updatedAt", TIME)
static const struct field fields[] = {HOOK_FIELDS(FIELD_ENTRY)};

static const struct list_sort sorts[] = {{"createdAt", "h.id", SORT_TEXT}};
static const struct list_filter filters[] = {{"name", FILTER_TEXT, NULL, "h.name = ?"}};

const struct list store_hook_list = {
    .name = "hooks",
    .columns = HOOK_FIELDS(FIELD_COLUMN),
    .from = " FROM hook_endpoints h JOIN agents a ON a.id = h.agent_id WHERE h.organization_id = $1"
            " AND ($3 = 1 OR " ACCESS_SEES("$2") ")",
    .n_scope = 3,
    .id = "h.id",
    .default_sort = "-createdAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

const struct list store_agent_hook_list = {
    .name = "agent-hooks",
    .columns = HOOK_FIELDS(FIELD_COLUMN),
    .from = " FROM hook_endpoints h WHERE h.agent_id = $1",
    .n_scope = 1,
    .id = "h.id",
    .default_sort = "-createdAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

/* ---- writing ---- */

void store_hook_limit(struct storage_batch *batch, const char *agent_id, int64_t max)
{
    /* Writes the agent's row: counting and inserting are one step for all writers. */
    storage_batch_add(batch,
                      "UPDATE agents SET updated_at = updated_at WHERE id = $1 AND"
                      " (SELECT COUNT(*) FROM hook_endpoints WHERE agent_id = $1) < $2",
                      1, NULL, NULL, "si", agent_id, max);
}

void store_hook_insert(struct storage_batch *batch, const char *id, const char *agent_id,
                       const char *organization_id, const char *user_id,
                       const struct hook_columns *columns, const char *secret, int64_t now)
{
    storage_batch_add(batch,
                      "INSERT INTO hook_endpoints (id, agent_id, organization_id, created_by, name,"
                      " style, delivers, event_type, version, tolerance_ms, is_active, secret,"
                      " created_at, updated_at)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)",
                      1, NULL, NULL, "sssssssssiisi", id, agent_id, organization_id, user_id,
                      columns->name, columns->style, columns->delivers, columns->event_type,
                      columns->version, columns->tolerance_ms, (int64_t)columns->active, secret,
                      now);
}

void store_hook_update(struct storage_batch *batch, const char *id, int64_t revision,
                       const struct hook_columns *columns, int64_t now)
{
    storage_batch_add(batch,
                      "UPDATE hook_endpoints SET name = $3, delivers = $4, event_type = $5,"
                      " version = $6, tolerance_ms = $7, is_active = $8, updated_at = $9,"
                      " revision = revision + 1 WHERE id = $1 AND revision = $2",
                      1, NULL, NULL, "sissssiii", id, revision, columns->name, columns->delivers,
                      columns->event_type, columns->version, columns->tolerance_ms,
                      (int64_t)columns->active, now);
}

void store_hook_rotate(struct storage_batch *batch, const char *id, int64_t revision,
                       const char *secret, int64_t until, int64_t now)
{
    storage_batch_add(batch,
                      "UPDATE hook_endpoints SET previous_secret = secret, previous_until = $4,"
                      " secret = $3, updated_at = $5, revision = revision + 1"
                      " WHERE id = $1 AND revision = $2",
                      1, NULL, NULL, "sisii", id, revision, secret, until, now);
}

void store_hook_delete(struct storage_batch *batch, const char *id, const int64_t *revision)
{
    storage_batch_add(batch,
                      "DELETE FROM hook_endpoints"
                      " WHERE id = $1 AND revision = COALESCE($2, revision)",
                      1, NULL, NULL, "sI", id, revision);
}

static void hook_used(struct storage_batch *batch, const char *endpoint_id, int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE hook_endpoints SET last_delivery_at = $2 WHERE id = $1"
                      " AND (last_delivery_at IS NULL OR last_delivery_at < $3)",
                      -1, NULL, NULL, "sii", endpoint_id, at, at - 60 * CLOCK_SECOND);
}

void store_hook_receive(struct storage_batch *batch, const struct hook_receipt *r, int64_t since)
{
    storage_batch_add(batch,
                      "DELETE FROM hook_deliveries WHERE endpoint_id = $1 AND created_at < $2", -1,
                      NULL, NULL, "si", r->endpoint_id, since);
    storage_batch_add(
        batch,
        "INSERT INTO hook_deliveries (id, endpoint_id, delivery_key, outcome, execution_id,"
        " event_id, event_type, error_code, reason, payload, redelivery_of, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " ON CONFLICT (endpoint_id, delivery_key) DO UPDATE SET id = $1, outcome = $4,"
        " execution_id = $5, event_id = $6, event_type = $7, error_code = $8, reason = $9,"
        " payload = $10, created_at = $12 WHERE hook_deliveries.outcome = 'refused'",
        r->execution_id != NULL ? 1 : -1, NULL, NULL, "sssssssssssi", r->id, r->endpoint_id, r->key,
        r->outcome, r->execution_id, r->event_id, r->event_type, r->error_code, r->reason,
        r->payload, r->redelivery_of, r->at);
    hook_used(batch, r->endpoint_id, r->at);
}

/* ---- reading ---- */

#define META_COLUMNS "h.id, h.agent_id, h.created_by, h.revision"
enum { META_COUNT = 4 };
#define BY_ID " FROM hook_endpoints h WHERE h.id = $1"

struct hook_read {
    struct row_read row;
    struct hook_meta *meta;
};

static int hook_row(void *arg, const struct c9d_value *v, size_t n)
{
    struct hook_read *read = arg;
    row_text_into(&v[0], read->meta->id, UUID_SIZE);
    row_text_into(&v[1], read->meta->agent_id, UUID_SIZE);
    row_text_into(&v[2], read->meta->created_by, UUID_SIZE);
    read->meta->revision = v[3].u.i;
    return row_read_fn(&read->row, v, n);
}

int store_hook_get(struct storage *storage, const char *id, struct hook_meta *meta_r,
                   json_t **hook_r, struct error *err)
{
    struct hook_read read = {{fields, countof(fields), META_COUNT, NULL}, meta_r};
    meta_r->id[0] = '\0';
    if (storage_query(storage, "SELECT " META_COLUMNS HOOK_FIELDS(FIELD_COLUMN) BY_ID, hook_row,
                      &read, err, "s", id) < 0)
        return -1;
    *hook_r = read.row.json;
    return 0;
}

static int target_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct hook_target *target = arg;
    row_text_into(&v[0], target->id, UUID_SIZE);
    row_text_into(&v[1], target->agent_id, UUID_SIZE);
    row_text_into(&v[2], target->organization_id, UUID_SIZE);
    row_text_into(&v[3], target->user_id, UUID_SIZE);
    row_text_into(&v[4], target->style, sizeof(target->style));
    row_text_into(&v[5], target->delivers, sizeof(target->delivers));
    target->event_type = row_text(&v[6]);
    target->version = row_text(&v[7]);
    target->secret = row_text(&v[8]);
    target->previous_secret = row_text(&v[9]);
    target->previous_until = v[10].type == C9D_INT ? v[10].u.i : 0;
    target->tolerance = v[11].u.i * 1000;
    target->active = v[12].u.i != 0;
    return 1;
}

int store_hook_target(struct storage *storage, const char *id, struct hook_target *target_r,
                      struct error *err)
{
    *target_r = (struct hook_target){.id = ""};
    if (storage_query(storage,
                      "SELECT id, agent_id, organization_id, created_by, style, delivers,"
                      " event_type, version, secret, previous_secret, previous_until, tolerance_ms,"
                      " is_active FROM hook_endpoints WHERE id = $1",
                      target_row, target_r, err, "s", id) < 0) {
        hook_target_free(target_r);
        return -1;
    }
    return target_r->secret != NULL ? 0 : 1;
}

static void wipe(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void hook_target_free(struct hook_target *target)
{
    free(target->event_type);
    free(target->version);
    wipe(target->secret);
    wipe(target->previous_secret);
    *target = (struct hook_target){.id = ""};
}

int store_hook_delivered(struct storage *storage, const char *endpoint_id, const char *key,
                         int64_t since, char execution_id_r[UUID_SIZE], struct error *err)
{
    execution_id_r[0] = '\0';
    return storage_query(storage,
                         "SELECT execution_id FROM hook_deliveries WHERE endpoint_id = $1"
                         " AND delivery_key = $2 AND created_at >= $3 AND outcome = 'started'",
                         row_uuid_fn, execution_id_r, err, "ssi", endpoint_id, key, since);
}

/* ---- deliveries as clients see them ---- */

#define DELIVERY_FIELDS(F)                                                                         \
    F("d.id", "id", TEXT)                                                                          \
    F("d.endpoint_id", "endpointId", TEXT)                                                         \
    F("d.outcome", "outcome", TEXT)                                                                \
    F("d.execution_id", "executionId", TEXT)                                                       \
    F("(SELECT e.status FROM agent_executions e WHERE e.id = d.execution_id)", "executionStatus",  \
      TEXT)                                                                                        \
    F("d.event_id", "eventId", TEXT)                                                               \
    F("d.event_type", "eventType", TEXT)                                                           \
    F("d.error_code", "errorCode", TEXT)                                                           \
    F("d.reason", "reason", TEXT)                                                                  \
    F("d.redelivery_of", "redeliveryOf", TEXT)                                                     \
    F("d.created_at", "createdAt", TIME)
static const struct field delivery_fields[] = {DELIVERY_FIELDS(FIELD_ENTRY)};
static const struct list_sort delivery_sorts[] = {{"createdAt", "d.id", SORT_TEXT}};
static const struct list_filter delivery_filters[] = {
    {"outcome", FILTER_TEXT, "started|event|refused", "d.outcome = ?"}};

const struct list store_hook_delivery_list = {
    .name = "hook-deliveries",
    .columns = DELIVERY_FIELDS(FIELD_COLUMN),
    .from = " FROM hook_deliveries d WHERE d.endpoint_id = $1",
    .n_scope = 1,
    .id = "d.id",
    .default_sort = "-createdAt",
    .sorts = delivery_sorts,
    .n_sorts = countof(delivery_sorts),
    .filters = delivery_filters,
    .n_filters = countof(delivery_filters),
    .fields = delivery_fields,
    .n_fields = countof(delivery_fields),
};

#define ONE_FIELDS(F) DELIVERY_FIELDS(F) F("d.payload", "payload", JSON)
static const struct field one_fields[] = {ONE_FIELDS(FIELD_ENTRY)};

int store_hook_delivery_get(struct storage *storage, const char *endpoint_id, const char *id,
                            json_t **delivery_r, struct error *err)
{
    struct row_read read = {one_fields, countof(one_fields), 1, NULL};
    if (storage_query(storage,
                      "SELECT 0" ONE_FIELDS(FIELD_COLUMN) " FROM hook_deliveries d"
                                                          " WHERE d.endpoint_id = $1 AND d.id = $2",
                      row_read_fn, &read, err, "ss", endpoint_id, id) < 0)
        return -1;
    *delivery_r = read.json;
    return 0;
}
