#include "service/event.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "host/storage.h"
#include "service/audit.h"
#include "service/event_trigger.h"
#include "service/event_waiters.h"
#include "service/execution.h"
#include "service/launch_row.h"
#include "service/service-private.h"
#include "store/event.h"

enum { RETRIES = 5 }; /* when the same events are sent at the same time */
#define HOUR (3600 * CLOCK_SECOND)

static const struct config_key keys[] = {
    {"events", "batch", CONFIG_INT, "100", 1, 10000, NULL, "Events of one request."},
    {"events", "deduplicate", CONFIG_DURATION, "24h", CLOCK_SECOND, 3660 * 24 * HOUR, NULL,
     "How long an event of the same source and id is taken for a repetition."},
    {"events", "history", CONFIG_DURATION, "30d", HOUR, 36500 * 24 * HOUR, NULL,
     "How long events, and what they started, are remembered; never shorter than deduplicate."},
};

int event_config_declare(struct config *config, struct error *err)
{
    return config_declare(config, keys, countof(keys), err);
}

int64_t event_batch_max(const struct service *service)
{
    return config_int(service->config, "events", NULL, "batch");
}

static int64_t key_since(const struct service *service, int64_t now)
{
    return now - config_int(service->config, "events", NULL, "deduplicate");
}

static int64_t history_since(const struct service *service, int64_t now)
{
    int64_t since = now - config_int(service->config, "events", NULL, "history");
    return since < key_since(service, now) ? since : key_since(service, now);
}

/* ---- who waits for an event ---- */

/* One whose trigger matches, and its input. */
struct waiter {
    const char *agent_id, *user_id, *agent_name;
    json_t *input;
};

/* Whether the waiter can be executed, in the name of who published it; else why holds the reason.
 * Only the store's failures are returned. */
static int waiter_prepare(struct service *service, const struct principal *who,
                          const struct waiter *waiter, const char *execution_id,
                          struct launch_row *row_r, struct error *why, struct error *err)
{
    struct principal publisher;
    error_auto failure = ERROR_INIT;
    if (execution_principal(service, waiter->user_id, who->organization_id, &publisher, &failure) ==
            0 &&
        launch_row_prepare(service, &publisher, waiter->agent_id, NULL, execution_id, waiter->input,
                           row_r, &failure) == 0)
        return 0;
    return failure.code == E_STORAGE_FAILED ? error_move(err, &failure)
                                            : (error_move(why, &failure), 0);
}

static json_t *match_json(const struct waiter *waiter, const char *execution_id,
                          const struct error *why)
{
    bool started = why->code == E_NONE;
    json_t *match = json_pack("{s:s, s:s}", "agentId", waiter->agent_id, "outcome",
                              started ? "started" : "failed");
    if (started && execution_id != NULL)
        json_object_set_new(match, "executionId", json_string(execution_id));
    if (!started) {
        json_object_set_new(match, "reason", json_string(why->message));
        json_object_set_new(match, "errorCode", json_string(error_row(why->code)->name));
    }
    return match;
}

/* ---- taking ---- */

/* One request's events, on their way into one batch. */
struct taking {
    struct service *service;
    const struct principal *who;
    const char *endpoint_id;
    struct storage_batch *batch; /* NULL: only a test */
    json_t *items;
    int64_t now;
    bool starts; /* there are executions among it */
};

/* The name and the input, to those who see the agent. */
static int waiter_show(const struct taking *t, const struct waiter *waiter, json_t *match,
                       struct error *err)
{
    struct agent_meta meta;
    error_auto failure = ERROR_INIT;
    if (agent_find(t->service, t->who, waiter->agent_id, ACTION_READ, &meta, NULL, &failure) < 0)
        return failure.code == E_STORAGE_FAILED ? error_move(err, &failure) : 0;
    json_object_set_new(match, "agentName", json_string(waiter->agent_name));
    json_object_set(match, "input", waiter->input);
    return 0;
}

static int waiter_take(struct taking *t, const char *event_id, const struct waiter *waiter,
                       json_t *matches, struct error *err)
{
    launch_row_auto prepared = {NULL};
    error_auto why = ERROR_INIT;
    char execution_id[UUID_SIZE];
    uuid_make(execution_id);
    if (waiter_prepare(t->service, t->who, waiter, execution_id, &prepared, &why, err) < 0)
        return -1;
    json_t *match = match_json(waiter, t->batch != NULL ? execution_id : NULL, &why);
    json_array_append_new(matches, match);
    if (t->batch == NULL)
        return waiter_show(t, waiter, match, err);
    bool started = prepared.launch != NULL;
    const struct event_match_row row = {.event_id = event_id,
                                        .agent_id = waiter->agent_id,
                                        .outcome = started ? "started" : "failed",
                                        .execution_id = started ? execution_id : NULL,
                                        .reason = started ? NULL : why.message,
                                        .error_code = started ? NULL : error_row(why.code)->name};
    store_event_match_insert(t->batch, &row);
    if (started) {
        jx_auto *context =
            json_pack("{s:{s:s, s:s}}", "trigger", "type", "event", "eventId", event_id);
        autofree char *input = jx_encode(waiter->input, NULL);
        launch_row_add(t->batch, &prepared, execution_id, waiter->user_id, input, context, t->now);
        t->starts = true;
    }
    return 0;
}

static void key_make(const json_t *event, char key_r[SHA256_HEX_SIZE])
{
    buf_auto text = BUF_INIT;
    buf_append_str(&text, jx_str(event, "source", ""));
    buf_append_char(&text, '\n'); /* is in neither */
    buf_append_str(&text, jx_str(event, "id", ""));
    hash_sha256_hex(text.data, text.len, key_r);
}

/* The same event earlier in this request. */
static json_t *item_find(const struct taking *t, const json_t *event)
{
    for (size_t i = 0; i < json_array_size(t->items); i++) {
        json_t *item = json_array_get(t->items, i);
        if (strcmp(jx_str(item, "eventId", ""), jx_str(event, "id", "")) == 0 &&
            strcmp(jx_str(item, "source", ""), jx_str(event, "source", "")) == 0)
            return item;
    }
    return NULL;
}

static json_t *item_make(const char *id, const json_t *event, bool duplicate, json_t *matches)
{
    json_t *item = json_pack("{s:s, s:s, s:s, s:b, s:O}", "eventId", jx_str(event, "id", ""),
                             "source", jx_str(event, "source", ""), "type",
                             jx_str(event, "type", ""), "duplicate", duplicate, "matches", matches);
    if (id != NULL)
        json_object_set_new(item, "id", json_string(id));
    return item;
}

/* An event that was taken before, as its answer was. */
static int duplicate_add(struct taking *t, const json_t *event, const char *id, struct error *err)
{
    jx_auto *before = NULL;
    jx_auto *none = json_array();
    if (store_event_get(t->service->storage, t->who->organization_id, id, &before, err) < 0)
        return -1;
    json_t *matches = json_object_get(before, "matches");
    size_t i;
    json_t *match;
    json_array_foreach (matches, i, match)
        json_object_del(match, "executionStatus");
    json_array_append_new(t->items, item_make(id, event, true, matches != NULL ? matches : none));
    return 0;
}

static void event_row_add(struct taking *t, const json_t *event, const char *id, const char *key)
{
    autofree char *text = jx_encode(event, NULL);
    struct event_row row = {.organization_id = t->who->organization_id,
                            .user_id = t->who->user_id,
                            .endpoint_id = t->endpoint_id,
                            .source = jx_str(event, "source", ""),
                            .event_id = jx_str(event, "id", ""),
                            .type = jx_str(event, "type", ""),
                            .subject = jx_str(event, "subject", NULL),
                            .event = text,
                            .at = t->now};
    memcpy(row.id, id, UUID_SIZE);
    memcpy(row.key, key, SHA256_HEX_SIZE);
    store_event_insert(t->batch, &row, key_since(t->service, t->now));
}

/* Whoever waits for it, one after the other. */
static int matches_take(struct taking *t, const json_t *event, const char *id, json_t *matches,
                        struct error *err)
{
    struct event_waiters *waiters;
    int result = 0;
    if (event_waiters_get(t->service->event_waiters, t->service->storage, t->who->organization_id,
                          &waiters, err) < 0)
        return -1;
    for (size_t i = 0; i < waiters->n && result == 0; i++) {
        const struct event_waiter *w = &waiters->items[i];
        jx_auto *input = event_trigger_match(w->events, event);
        const struct waiter waiter = {w->agent_id, w->user_id, w->agent_name, input};
        if (input != NULL)
            result = waiter_take(t, id, &waiter, matches, err);
    }
    event_waiters_unref(waiters);
    return result;
}

static int one_take(struct taking *t, const json_t *event, struct error *err)
{
    char id[UUID_SIZE], key[SHA256_HEX_SIZE];
    json_t *same = item_find(t, event);
    if (same != NULL) {
        json_t *again = json_copy(same);
        json_object_set_new(again, "duplicate", json_true());
        json_array_append_new(t->items, again);
        return 0;
    }
    key_make(event, key);
    if (store_event_find(t->service->storage, t->who->organization_id, key,
                         key_since(t->service, t->now), id, err) < 0)
        return -1;
    if (id[0] != '\0')
        return duplicate_add(t, event, id, err);
    jx_auto *matches = json_array();
    uuid_make(id);
    if (t->batch != NULL)
        event_row_add(t, event, id, key);
    int result = matches_take(t, event, id, matches, err);
    if (result == 0)
        json_array_append_new(t->items,
                              item_make(t->batch != NULL ? id : NULL, event, false, matches));
    return result;
}

static int all_take(struct taking *t, const json_t *events, struct error *err)
{
    for (size_t i = 0; i < json_array_size(events); i++)
        if (one_take(t, json_array_get(events, i), err) < 0)
            return -1;
    return 0;
}

/* 0 done; 1 one of them was just taken by another request; -1 error. */
static int take_try(struct taking *t, const json_t *events, struct error *err)
{
    error_auto failure = ERROR_INIT;
    t->items = json_array();
    t->batch = storage_batch_new();
    t->now = clock_wall_us();
    if (all_take(t, events, err) < 0) {
        storage_batch_free(t->batch);
        json_decref(move_ptr(&t->items));
        return -1;
    }
    store_event_forget(t->batch, t->who->organization_id, history_since(t->service, t->now));
    if (storage_commit(t->service->storage, t->batch, &failure) == 0)
        return 0;
    json_decref(move_ptr(&t->items));
    return failure.code == E_INVALID_STATE ? 1 : error_move(err, &failure);
}

int event_take(struct service *service, const struct principal *who, const json_t *events,
               const char *endpoint_id, json_t **result_r, struct error *err)
{
    struct taking t = {.service = service, .who = who, .endpoint_id = endpoint_id};
    if (permission_create(who, "events", err) < 0 || service_engine(service, err) < 0)
        return -1;
    int busy = 1;
    for (int i = 0; i < RETRIES && busy > 0; i++)
        busy = take_try(&t, events, err);
    if (busy > 0)
        return error_set(err, E_UNAVAILABLE, "the same events are just being taken; try again");
    if (busy < 0)
        return -1;
    if (t.starts)
        service_nudge(service);
    audit_unchanged(who); /* events are their own record */
    *result_r = json_pack("{s:o}", "items", t.items);
    return 0;
}

int event_test(struct service *service, const struct principal *who, const json_t *events,
               json_t **result_r, struct error *err)
{
    struct taking t = {
        .service = service, .who = who, .items = json_array(), .now = clock_wall_us()};
    if (all_take(&t, events, err) < 0) {
        json_decref(t.items);
        return -1;
    }
    audit_unchanged(who);
    *result_r = json_pack("{s:o}", "items", t.items);
    return 0;
}

/* ---- looking ---- */

int event_get(struct service *service, const struct principal *who, const char *id,
              json_t **event_r, struct error *err)
{
    if (store_event_get(service->storage, who->organization_id, id, event_r, err) < 0)
        return -1;
    return *event_r != NULL ? 0 : permission_unseen(E_EVENT_NOT_FOUND, "event", id, err);
}

int event_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err)
{
    const struct c9d_value scope[] = {list_text(who->organization_id)};
    return service_list(service, &store_event_list, query, scope, page_r, err);
}

/* ---- of agents ---- */

void event_trigger_publish(struct storage_batch *batch, const char *agent_id,
                           const char *organization_id, const char *user_id, const json_t *config)
{
    const json_t *trigger = json_object_get(config, "triggerConfig");
    if (strcmp(jx_str(config, "triggerMode", ""), "event") != 0) {
        store_event_trigger_drop(batch, agent_id);
        return;
    }
    autofree char *events = jx_encode(json_object_get(trigger, "events"), NULL);
    store_event_trigger_put(batch, agent_id, organization_id, user_id, events, clock_wall_us());
}
