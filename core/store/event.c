#include "store/event.h"

#define EVENT_FIELDS(F)                                                                            \
    F("v.id", "id", TEXT)                                                                          \
    F("v.event_id", "eventId", TEXT)                                                               \
    F("v.source", "source", TEXT)                                                                  \
    F("v.type", "type", TEXT)                                                                      \
    F("v.subject", "subject", TEXT)                                                                \
    F("v.endpoint_id", "endpointId", TEXT)                                                         \
    F("v.user_id", "userId", TEXT)                                                                 \
    F("v.received_at", "receivedAt", TIME)
#define EVENT_FULL_FIELDS(F) EVENT_FIELDS(F) F("v.event", "event", JSON)
#define MATCH_FIELDS(F)                                                                            \
    F("m.agent_id", "agentId", TEXT)                                                               \
    F("m.outcome", "outcome", TEXT)                                                                \
    F("m.execution_id", "executionId", TEXT)                                                       \
    F("e.status", "executionStatus", TEXT)                                                         \
    F("m.reason", "reason", TEXT)                                                                  \
    F("m.error_code", "errorCode", TEXT)
static const struct field fields[] = {EVENT_FIELDS(FIELD_ENTRY)};
static const struct field full_fields[] = {EVENT_FULL_FIELDS(FIELD_ENTRY)};
static const struct field match_fields[] = {MATCH_FIELDS(FIELD_ENTRY)};

static const struct list_sort sorts[] = {{"receivedAt", "v.id", SORT_TEXT}};
static const struct list_filter filters[] = {
    {"type", FILTER_TEXT, NULL, "v.type = ?"},
    {"source", FILTER_TEXT, NULL, "v.source = ?"},
    {"eventId", FILTER_TEXT, NULL, "v.event_id = ?"},
    {"receivedAfter", FILTER_TIME, NULL, "v.received_at > ? AND v.id >= ["},
    {"receivedBefore", FILTER_TIME, NULL, "v.received_at < ? AND v.id <= ]"},
};

const struct list store_event_list = {
    .name = "events",
    .columns = EVENT_FIELDS(FIELD_COLUMN),
    .from = " FROM events v WHERE v.organization_id = $1",
    .n_scope = 1,
    .id = "v.id",
    .default_sort = "-receivedAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

/* ---- writing ---- */

void store_event_insert(struct storage_batch *batch, const struct event_row *row, int64_t since)
{
    storage_batch_add(batch,
                      "UPDATE events SET dedup_key = NULL WHERE organization_id = $1"
                      " AND dedup_key = $2 AND received_at < $3",
                      -1, NULL, NULL, "ssi", row->organization_id, row->key, since);
    storage_batch_add(batch,
                      "INSERT INTO events (id, organization_id, user_id, endpoint_id, source,"
                      " event_id, type, subject, event, dedup_key, received_at)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                      1, NULL, NULL, "ssssssssssi", row->id, row->organization_id, row->user_id,
                      row->endpoint_id, row->source, row->event_id, row->type, row->subject,
                      row->event, row->key, row->at);
}

void store_event_forget(struct storage_batch *batch, const char *organization_id, int64_t before)
{
    storage_batch_add(batch, "DELETE FROM events WHERE organization_id = $1 AND received_at < $2",
                      -1, NULL, NULL, "si", organization_id, before);
}

void store_event_match_insert(struct storage_batch *batch, const struct event_match_row *row)
{
    storage_batch_add(batch,
                      "INSERT INTO event_matches (event_id, agent_id, outcome, execution_id,"
                      " reason, error_code) VALUES ($1, $2, $3, $4, $5, $6)",
                      1, NULL, NULL, "ssssss", row->event_id, row->agent_id, row->outcome,
                      row->execution_id, row->reason, row->error_code);
}

/* ---- reading ---- */

int store_event_find(struct storage *storage, const char *organization_id, const char *key,
                     int64_t since, char id_r[UUID_SIZE], struct error *err)
{
    id_r[0] = '\0';
    return storage_query(storage,
                         "SELECT id FROM events WHERE organization_id = $1 AND dedup_key = $2"
                         " AND received_at >= $3",
                         row_uuid_fn, id_r, err, "ssi", organization_id, key, since);
}

static int match_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    json_array_append_new(arg, row_to_json(match_fields, countof(match_fields), v + 1));
    return 0;
}

int store_event_get(struct storage *storage, const char *organization_id, const char *id,
                    json_t **event_r, struct error *err)
{
    struct row_read read = {full_fields, countof(full_fields), 1, NULL};
    json_t *matches = json_array();
    if (storage_query(storage,
                      "SELECT 0" EVENT_FULL_FIELDS(
                          FIELD_COLUMN) " FROM events v WHERE v.id = $1 AND v.organization_id = $2",
                      row_read_fn, &read, err, "ss", id, organization_id) < 0 ||
        storage_query(storage,
                      "SELECT 0" MATCH_FIELDS(
                          FIELD_COLUMN) " FROM event_matches m LEFT JOIN agent_executions e"
                                        " ON e.id = m.execution_id WHERE m.event_id = $1"
                                        " ORDER BY m.agent_id",
                      match_row, matches, err, "s", id) < 0) {
        json_decref(matches);
        json_decref(read.json);
        return -1;
    }
    *event_r = read.json;
    if (read.json != NULL)
        json_object_set(read.json, "matches", matches);
    json_decref(matches);
    return 0;
}

/* ---- what agents wait for ---- */

void store_event_trigger_put(struct storage_batch *batch, const char *agent_id,
                             const char *organization_id, const char *user_id, const char *events,
                             int64_t at)
{
    storage_batch_add(batch,
                      "INSERT INTO event_triggers (agent_id, organization_id, user_id, events,"
                      " updated_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (agent_id) DO UPDATE"
                      " SET user_id = $3, events = $4, updated_at = $5",
                      1, NULL, NULL, "ssssi", agent_id, organization_id, user_id, events, at);
}

void store_event_trigger_drop(struct storage_batch *batch, const char *agent_id)
{
    storage_batch_add(batch, "DELETE FROM event_triggers WHERE agent_id = $1", -1, NULL, NULL, "s",
                      agent_id);
}

struct each {
    void (*fn)(void *arg, const char *agent_id, const char *agent_name, const char *user_id,
               const char *events, size_t len);
    void *arg;
};

static int trigger_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    const struct each *each = arg;
    each->fn(each->arg, v[0].u.s, v[1].u.s, v[2].u.s, v[3].u.s, v[3].len);
    return 0;
}

int store_event_trigger_each(struct storage *storage, const char *organization_id,
                             void (*fn)(void *arg, const char *agent_id, const char *agent_name,
                                        const char *user_id, const char *events, size_t len),
                             void *arg, struct error *err)
{
    struct each each = {fn, arg};
    return storage_query(storage,
                         "SELECT t.agent_id, a.name, t.user_id, t.events FROM event_triggers t"
                         " JOIN agents a ON a.id = t.agent_id WHERE t.organization_id = $1"
                         " ORDER BY t.agent_id",
                         trigger_row, &each, err, "s", organization_id);
}
