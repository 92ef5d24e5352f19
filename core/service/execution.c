#include "service/execution.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "host/storage.h"
#include "schema/schema.h"
#include "service/execution-private.h"
#include "service/journal.h"
#include "service/launch.h"
#include "service/policy.h"
#include "service/service-private.h"
#include "service/version.h"
#include "service/webhook.h"
#include "store/execution.h"
#include "store/execution_view.h"
#include "store/token.h"
#include "store/webhook.h"

enum { PRIORITY_MAX = 1000 };
#define START_MAX (366 * 86400 * CLOCK_SECOND) /* how far ahead an execution may be put off */

/* ---- preparing ---- */

int execution_input_check(const struct launch *launch, const json_t *input, struct error *err)
{
    error_auto failure = ERROR_INIT;
    if (launch->input_schema == NULL || schema_validate(launch->input_schema, input, &failure) == 0)
        return 0;
    failure.code = E_INVALID_INPUT;
    return error_move(err, &failure);
}

int execution_choose(struct service *service, const struct principal *who, const char *agent,
                     const char *version, const char *id, struct launch **launch_r, char **note_r,
                     struct error *err)
{
    struct agent_meta meta;
    version_choice_auto choice = {.note = NULL};
    if (agent_find(service, who, agent, ACTION_EXECUTE, &meta, NULL, err) < 0 ||
        version_choose(service, who, &meta, version, id, &choice, err) < 0 ||
        launch_get(service, &meta, choice.version, launch_r, err) < 0)
        return -1;
    *note_r = choice.note != NULL ? jx_encode(choice.note, NULL) : NULL;
    return 0;
}

int execution_prepare(struct service *service, const struct principal *who, const char *agent,
                      const char *version, const char *execution_id, const json_t *input,
                      struct launch **launch_r, char **note_r, struct error *err)
{
    struct launch *launch = NULL;
    autofree char *note = NULL;
    if (execution_choose(service, who, agent, version, execution_id, &launch, &note, err) < 0)
        return -1;
    if (execution_input_check(launch, input, err) < 0) {
        error_detail(err, "agentId", json_string(launch->agent_id));
        launch_unref(launch);
        return -1;
    }
    *launch_r = launch;
    *note_r = move_ptr(&note);
    return 0;
}

int execution_launch(struct service *service, const char *agent_id, const char *version,
                     struct launch **launch_r, struct error *err)
{
    struct agent_meta meta;
    if (store_agent_get(service->storage, agent_id, "", &meta, NULL, err) < 0)
        return -1;
    if (meta.id[0] == '\0')
        return permission_unseen(E_AGENT_NOT_FOUND, "agent", agent_id, err);
    return launch_get(service, &meta, version, launch_r, err);
}

int execution_principal(struct service *service, const char *user_id, const char *organization_id,
                        struct principal *principal_r, struct error *err)
{
    struct principal who = {.scopes = 0};
    int found = store_member_role(service->storage, organization_id, user_id, who.role, err);
    if (found < 0)
        return -1;
    if (found != 0)
        return error_set(err, E_INSUFFICIENT_PERMISSIONS,
                         "user %s is not a member of the organization any more", user_id);
    snprintf(who.user_id, sizeof(who.user_id), "%s", user_id);
    snprintf(who.organization_id, sizeof(who.organization_id), "%s", organization_id);
    *principal_r = who;
    return 0;
}

/* ---- starting ---- */

/* delay or startAt: not before. What lies in the past starts at once. */
int execution_order_time(const json_t *body, int64_t *available_at_r, struct error *err)
{
    const char *delay = jx_str(body, "delay", NULL), *at = jx_str(body, "startAt", NULL);
    int64_t now = clock_wall_us(), when = now, wait = 0;
    if (delay != NULL && at != NULL)
        return error_set(err, E_INVALID_REQUEST, "delay, startAt: give one of them");
    if (delay != NULL && clock_parse_duration(delay, &wait) < 0)
        return error_set(err, E_INVALID_REQUEST,
                         "delay: must be a duration such as 250ms, 30s, 5m, 2h or 3d");
    if (at != NULL && clock_parse_rfc3339(at, strlen(at), &when) < 0)
        return error_set(err, E_INVALID_REQUEST,
                         "startAt: must be an RFC 3339 time such as 2026-01-31T12:00:00Z");
    if (delay != NULL)
        when = now + wait;
    if (when - now > START_MAX)
        return error_set(err, E_INVALID_REQUEST, "%s: lies more than 366 days ahead",
                         delay != NULL ? "delay" : "startAt");
    *available_at_r = when > now ? when : 0;
    return 0;
}

int execution_order_check(const struct service *service, const json_t *body, int64_t *priority_r,
                          char **context_r, struct error *err)
{
    const json_t *priority = json_object_get(body, "priority");
    const json_t *context = json_object_get(body, "context");
    const json_t *version = json_object_get(body, "version");
    *priority_r = json_integer_value(priority);
    if ((priority != NULL && !json_is_integer(priority)) || *priority_r < -PRIORITY_MAX ||
        *priority_r > PRIORITY_MAX)
        return error_set(err, E_INVALID_REQUEST, "priority: must be an integer from %d to %d",
                         -PRIORITY_MAX, PRIORITY_MAX);
    if (version != NULL && !json_is_string(version))
        return error_set(err, E_INVALID_REQUEST, "version: must be a text");
    if (context != NULL && !json_is_object(context))
        return error_set(err, E_INVALID_REQUEST, "context: must be an object");
    size_t len = 2;
    *context_r = context != NULL ? jx_encode(context, &len) : xstrdup("{}");
    if (len > (size_t)service->object_max)
        return error_set(err, E_INVALID_REQUEST,
                         "context: has %zu bytes as JSON; [limits] object allows %" PRId64, len,
                         service->object_max);
    return 0;
}

static int order_webhook(const json_t *target, struct execution_order *order, struct error *err)
{
    if (target == NULL)
        return 0;
    if (webhook_target_check(target, err) < 0)
        return -1;
    order->webhook_url = jx_str(target, "url", NULL);
    order->webhook_secret = jx_str(target, "secret", NULL);
    return 0;
}

static void order_origin(struct execution_order *order, const struct execution_origin *origin)
{
    order->origin_id = origin->id;
    order->origin_kind = origin->kind;
    order->seed_id = origin->seed_id;
    if (origin->journal == NULL || origin->journal->n == 0)
        return;
    order->journal = *origin->journal;
    *origin->journal = (struct journal_copy){NULL, 0};
    if (order->available_at == 0)
        order->available_at = clock_wall_us();
}

int execution_start_noted(struct service *service, const struct principal *who, const char *agent,
                          const json_t *body, struct execution_watch *watch, char id_r[UUID_SIZE],
                          char **note_r, struct error *err)
{
    return execution_start_of(service, who, agent, body, NULL, watch, id_r, note_r, err);
}

int execution_start_of(struct service *service, const struct principal *who, const char *agent,
                       const json_t *body, const struct execution_origin *origin,
                       struct execution_watch *watch, char id_r[UUID_SIZE], char **note_r,
                       struct error *err)
{
    const json_t *given = json_object_get(body, "input");
    jx_auto *nothing = json_null();
    const json_t *input = given != NULL ? given : nothing;
    autofree char *context = NULL, *input_text = NULL, *note = NULL, *key = NULL;
    struct execution_order order = {.user_id = who->user_id};
    memcpy(id_r, uuid_make(order.id), UUID_SIZE);
    if (service_engine(service, err) < 0 ||
        execution_order_check(service, body, &order.priority, &context, err) < 0 ||
        execution_order_time(body, &order.available_at, err) < 0 ||
        order_webhook(json_object_get(body, "webhook"), &order, err) < 0 ||
        execution_prepare(service, who, agent, jx_str(body, "version", NULL), order.id, input,
                          &order.launch, &note, err) < 0)
        return -1;
    if (policy_key(&order.launch->concurrency, jx_str(body, "concurrencyKey", NULL), input, &key,
                   err) < 0) {
        launch_unref(order.launch);
        return -1;
    }
    order.concurrency_key = key;
    input_text = jx_encode(input, &order.input_len);
    order.input = input_text;
    order.context = context;
    if (who->claim != NULL) {
        order.key = who->claim->key;
        order.key_sha256 = who->claim->request_sha256;
        order.key_expired = clock_wall_us() - service->key_lifetime;
    }
    order.version_note = note;
    autofree char *answer = NULL;
    if (origin != NULL) {
        jx_auto *made = execution_made_json(id_r, origin->id);
        answer = jx_encode(made, NULL);
        order.key_answer = answer;
        order_origin(&order, origin);
    }
    int result = service->ops->submit(service->engine, &order, watch, err);
    journal_copy_clear(&order.journal); /* of what was not taken */
    launch_unref(order.launch);
    if (result == 0)
        *note_r = move_ptr(&note);
    return result;
}

int execution_start(struct service *service, const struct principal *who, const char *agent,
                    const json_t *body, struct execution_watch *watch, char id_r[UUID_SIZE],
                    struct error *err)
{
    autofree char *note = NULL;
    return execution_start_noted(service, who, agent, body, watch, id_r, &note, err);
}

/* ---- looking ---- */

static struct resource execution_resource(const struct execution_meta *meta)
{
    return (struct resource){.organization_id = meta->organization_id,
                             .owner_id = meta->agent_owner,
                             .visibility = meta->agent_visibility,
                             .grants = meta->grants,
                             .kind = RESOURCE_EXECUTION,
                             .agent_id = meta->agent_id,
                             .starter_id = meta->triggered_by};
}

int execution_find(struct service *service, const struct principal *who, const char *id,
                   enum action action, struct execution_meta *meta_r, json_t **execution_r,
                   struct error *err)
{
    jx_auto *execution = NULL;
    json_t **wanted = execution_r != NULL ? &execution : NULL;
    if (store_execution_get(service->storage, id, who->user_id, meta_r, wanted, err) < 0)
        return -1;
    if (meta_r->id[0] == '\0')
        return permission_unseen(E_EXECUTION_NOT_FOUND, "execution", id, err);
    const struct resource resource = execution_resource(meta_r);
    if (permission_require(who, action, &resource, E_EXECUTION_NOT_FOUND, "execution", id, err) < 0)
        return -1;
    if (execution_r != NULL)
        *execution_r = move_ptr(&execution);
    return 0;
}

/* resourceUsage has all its members from the start. */
json_t *execution_present(json_t *execution)
{
    static const char *const members[] = {"cpuTimeMs",      "memoryPeakMb", "apiCallsCount",
                                          "tokensConsumed", "costCents",    "cpuTimeUs",
                                          "memoryPeakBytes"};
    json_t *usage = json_object_get(execution, "resourceUsage");
    for (size_t i = 0; i < countof(members); i++)
        if (json_object_get(usage, members[i]) == NULL)
            json_object_set_new(usage, members[i], json_integer(0));
    return execution;
}

int execution_get(struct service *service, const struct principal *who, const char *id,
                  json_t **execution_r, struct error *err)
{
    struct execution_meta meta;
    if (execution_find(service, who, id, ACTION_READ, &meta, execution_r, err) < 0)
        return -1;
    execution_present(*execution_r);
    return 0;
}

int execution_list(struct service *service, const struct principal *who,
                   const struct list_query *query, json_t **page_r, struct error *err)
{
    const char *agent = jx_str(query->filters, "agentId", NULL);
    struct agent_meta meta;
    jx_auto *filters = filters_without(query->filters, "agentId");
    struct list_query rest = *query;
    rest.filters = filters;
    const struct c9d_value scope[] = SCOPE_OF(who);
    int result = -1;
    if (agent == NULL) {
        result = service_list(service, &store_execution_list, &rest, scope, page_r, err);
    } else if (agent_find(service, who, agent, ACTION_READ, &meta, NULL, err) == 0) {
        bool inside = strcmp(meta.organization_id, who->organization_id) == 0;
        const struct c9d_value of_agent[] = {list_text(meta.id),
                                             list_text(inside ? "" : who->user_id)};
        result = service_list(service, &store_agent_execution_list, &rest, of_agent, page_r, err);
    }
    if (result < 0)
        return -1;
    const json_t *items = json_object_get(*page_r, "items");
    for (size_t i = 0; i < json_array_size(items); i++)
        execution_present(json_array_get(items, i));
    return 0;
}

int execution_logs(struct service *service, const struct principal *who, const char *id,
                   const struct list_query *query, json_t **page_r, struct error *err)
{
    struct execution_meta meta;
    if (execution_find(service, who, id, ACTION_READ, &meta, NULL, err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(meta.id)};
    return service_list(service, &store_execution_log_list, query, scope, page_r, err);
}

int execution_attempts(struct service *service, const struct principal *who, const char *id,
                       const struct list_query *query, json_t **page_r, struct error *err)
{
    struct execution_meta meta;
    if (execution_find(service, who, id, ACTION_READ, &meta, NULL, err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(meta.id)};
    return service_list(service, &store_execution_attempt_list, query, scope, page_r, err);
}

json_t *execution_made_json(const char *id, const char *origin_id)
{
    return json_pack("{s:s, s:s, s:s}", "executionId", id, "status", "pending", "originId",
                     origin_id);
}

bool execution_has_ended(const char *status)
{
    return strcmp(status, "pending") != 0 && strcmp(status, "running") != 0;
}

int execution_check(struct service *service, const struct principal *who, const char *id,
                    bool *ended_r, struct error *err)
{
    struct execution_meta meta;
    if (execution_find(service, who, id, ACTION_READ, &meta, NULL, err) < 0)
        return -1;
    *ended_r = execution_has_ended(meta.status);
    return 0;
}

int execution_events(struct service *service, const char *id, int64_t after, int64_t max,
                     void (*fn)(void *arg, int64_t seq, const char *type, const char *data,
                                size_t len),
                     void *arg, struct error *err)
{
    return store_execution_events(service->storage, id, after, max, fn, arg, err);
}

int execution_watch(struct service *service, const char *id, struct execution_watch *watch)
{
    return service->ops != NULL ? service->ops->watch(service->engine, id, watch) : 0;
}

void execution_unwatch(struct service *service, struct execution_watch *watch)
{
    if (service->ops != NULL)
        service->ops->unwatch(service->engine, watch);
}

/* ---- cancelling ---- */

int execution_ended_error(const char *id, const char *status, struct error *err)
{
    error_set(err, E_INVALID_STATE, "execution %s has ended already: it is %s", id, status);
    error_detail(err, "executionId", json_string(id));
    return -1;
}

/* Lost against a worker that claims one at this moment, which sees cancel_requested, and against
 * its end. */
int execution_cancel_idle(struct service *service, const char *which, struct error *err)
{
    static const char message[] = "the execution was cancelled";
    jx_auto *error =
        json_pack("{s:s, s:s}", "code", error_row(E_CANCELLED)->name, "message", message);
    jx_auto *ids = json_object();
    autofree char *details = jx_encode(error, NULL);
    struct storage_batch *batch = storage_batch_new();
    store_webhook_deliver_idle(batch, which, clock_wall_us());
    store_execution_cancel_idle(batch, which, message, details, clock_wall_us(), row_ids_fn, ids);
    if (storage_commit(service->storage, batch, err) < 0)
        return -1;
    const char *id;
    json_t *nothing;
    if (service->ops == NULL || json_object_size(ids) == 0)
        return 0;
    json_object_foreach (ids, id, nothing)
        service->ops->ended(service->engine, id);
    service->ops->queued(service->engine); /* who waits for one of them was woken */
    service->ops->notify(service->engine);
    return 0;
}

int execution_cancel(struct service *service, const struct principal *who, const char *id,
                     json_t **execution_r, struct error *err)
{
    struct execution_meta meta;
    if (execution_find(service, who, id, ACTION_WRITE, &meta, NULL, err) < 0)
        return -1;
    if (execution_has_ended(meta.status))
        return execution_ended_error(id, meta.status, err);
    struct storage_batch *batch = storage_batch_new();
    store_execution_cancel_request(batch, id);
    error_auto failure = ERROR_INIT;
    if (storage_commit(service->storage, batch, &failure) < 0)
        return failure.code == E_INVALID_STATE ? execution_ended_error(id, "not running", err)
                                               : error_move(err, &failure);
    bool live = service->ops != NULL && service->ops->cancel(service->engine, id) == 1;
    /* What ran before has used something: the engine ends it, as soon as it has claimed it. */
    bool ran = strcmp(meta.status, "running") == 0 && service->ops != NULL;
    if (!live && ran)
        service->ops->queued(service->engine);
    else if (!live && execution_cancel_idle(service, id, err) < 0)
        return -1;
    return execution_get(service, who, id, execution_r, err);
}

/* ---- results ---- */

/* The outcome's texts are JSON already, and large: only the error is taken apart. */
void execution_outcome_copy(struct execution_outcome *to_r, const struct execution_outcome *from)
{
    *to_r = *from;
    to_r->status = xstrdup_or_null(from->status);
    to_r->output = xstrdup_or_null(from->output);
    to_r->error = xstrdup_or_null(from->error);
    to_r->usage = xstrdup_or_null(from->usage);
}

void execution_outcome_clear(struct execution_outcome *outcome)
{
    free((char *)outcome->status);
    free((char *)outcome->output);
    free((char *)outcome->error);
    free((char *)outcome->usage);
    *outcome = (struct execution_outcome){.status = NULL};
}

void execution_result_append(struct buf *out, const char *id,
                             const struct execution_outcome *outcome)
{
    buf_printf(out, "{\"executionId\":\"%s\",\"status\":\"%s\"", id, outcome->status);
    if (outcome->error != NULL) {
        jx_auto *error = json_loads(outcome->error, 0, NULL);
        jx_auto *message = json_string(jx_str(error, "message", "it failed"));
        jx_auto *code = json_string(jx_str(error, "code", error_row(E_EXECUTION_FAILED)->name));
        buf_append_str(out, ",\"error\":");
        jx_append(out, message);
        buf_append_str(out, ",\"errorCode\":");
        jx_append(out, code);
        buf_append_str(out, ",\"errorDetails\":");
        buf_append_str(out, outcome->error);
    } else if (outcome->output != NULL) {
        buf_append_str(out, ",\"output\":");
        buf_append_str(out, outcome->output);
    }
    buf_printf(out, ",\"executionTime\":%" PRId64 ".%03d,\"resourceUsage\":",
               outcome->execution_time_us / 1000, (int)(outcome->execution_time_us % 1000));
    buf_append_str(out, outcome->usage);
    buf_append_char(out, '}');
}
