#include "service/batch.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "service/execution-private.h"
#include "service/execution.h"
#include "service/policy.h"
#include "service/problem.h"
#include "service/service-private.h"
#include "store/execution.h"
#include "store/execution_batch.h"
#include "store/execution_view.h"

/* ---- accepting ---- */

/* What all executions of a batch have in common. */
struct order {
    struct launch *launch;
    char *context, *note;
    int64_t priority, available_at;
    char id[UUID_SIZE];
};

static int inputs_check(const struct service *service, const json_t *inputs,
                        const struct launch *launch, struct error *err)
{
    jx_auto *problems = json_array();
    size_t n = json_array_size(inputs);
    if (!json_is_array(inputs) || n == 0)
        return error_set(err, E_INVALID_REQUEST, "inputs: must be an array with an input or more");
    if (n > (size_t)service->batch_max)
        return error_set(err, E_INVALID_REQUEST,
                         "inputs: has %zu; [limits] batch allows %" PRId64 " in one batch", n,
                         service->batch_max);
    for (size_t i = 0; i < n; i++) {
        error_auto failure = ERROR_INIT;
        if (execution_input_check(launch, json_array_get(inputs, i), &failure) == 0)
            continue;
        autofree char *path = xasprintf("/inputs/%zu", i);
        problem_add_error(problems, path, &failure);
    }
    return problem_raise(problems, E_INVALID_INPUT, "batch", err);
}

static int execution_add(const struct order *order, const struct principal *who, json_t *input,
                         int64_t index, int64_t at, struct storage_batch *batch, struct error *err)
{
    autofree char *key = NULL, *text = jx_encode(input, NULL);
    struct execution_row row = {.agent_id = order->launch->agent_id,
                                .agent_version = order->launch->version,
                                .organization_id = order->launch->organization_id,
                                .triggered_by = who->user_id,
                                .input = text,
                                .context = order->context,
                                .priority = order->priority,
                                .available_at = order->available_at != 0 ? order->available_at : at,
                                .created_at = at,
                                .version_note = order->note,
                                .batch_id = order->id,
                                .batch_index = index};
    if (policy_key(&order->launch->concurrency, NULL, input, &key, err) < 0)
        return error_wrap(err, "/inputs/%" PRId64, index);
    row.concurrency_key = key;
    uuid_make(row.id);
    store_execution_insert(batch, &row);
    return 0;
}

static int batch_accept(struct service *service, const struct principal *who,
                        const struct order *order, const json_t *inputs, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_AGENT_NOT_FOUND, "the agent was just deleted"}, {-1, E_NONE, NULL}};
    const struct execution_batch_row row = {.id = order->id,
                                            .organization_id = order->launch->organization_id,
                                            .agent_id = order->launch->agent_id,
                                            .agent_version = order->launch->version,
                                            .created_by = who->user_id,
                                            .total = (int64_t)json_array_size(inputs),
                                            .created_at = clock_wall_us()};
    struct storage_batch *batch = storage_batch_new();
    store_execution_batch_insert(batch, &row);
    for (int64_t i = 0; i < row.total; i++) {
        if (execution_add(order, who, json_array_get(inputs, (size_t)i), i, row.created_at, batch,
                          err) < 0) {
            storage_batch_free(batch);
            return -1;
        }
    }
    autofree char *location = xasprintf("/v1/batches/%s", order->id);
    if (service_commit_made(service, who, batch, 202, location, conflicts, err) < 0)
        return -1;
    service->ops->queued(service->engine);
    return 0;
}

int batch_create(struct service *service, const struct principal *who, const char *agent,
                 const json_t *body, json_t **batch_r, struct error *err)
{
    const json_t *inputs = json_object_get(body, "inputs");
    struct order order = {NULL};
    uuid_make(order.id);
    int result =
        service_engine(service, err) < 0 ||
                execution_order_check(service, body, &order.priority, &order.context, err) < 0 ||
                execution_order_time(body, &order.available_at, err) < 0 ||
                execution_choose(service, who, agent, jx_str(body, "version", NULL), order.id,
                                 &order.launch, &order.note, err) < 0 ||
                inputs_check(service, inputs, order.launch, err) < 0 ||
                batch_accept(service, who, &order, inputs, err) < 0
            ? -1
            : 0;
    launch_unref(order.launch);
    free(order.context);
    free(order.note);
    return result < 0 ? -1 : batch_get(service, who, order.id, batch_r, err);
}

/* ---- looking ---- */

static int batch_find(struct service *service, const struct principal *who, const char *id,
                      enum action action, struct execution_batch_meta *meta_r, json_t **batch_r,
                      struct error *err)
{
    jx_auto *batch = NULL;
    if (store_execution_batch_get(service->storage, id, who->user_id, meta_r, &batch, err) < 0)
        return -1;
    if (meta_r->id[0] == '\0')
        return permission_unseen(E_BATCH_NOT_FOUND, "batch", id, err);
    const struct resource resource = {.organization_id = meta_r->organization_id,
                                      .owner_id = meta_r->agent_owner,
                                      .visibility = meta_r->agent_visibility,
                                      .grants = meta_r->grants,
                                      .kind = RESOURCE_EXECUTION,
                                      .agent_id = meta_r->agent_id,
                                      .starter_id = meta_r->created_by};
    if (permission_require(who, action, &resource, E_BATCH_NOT_FOUND, "batch", id, err) < 0)
        return -1;
    if (batch_r != NULL)
        *batch_r = move_ptr(&batch);
    return 0;
}

static const char *status_of(const json_t *counts, int64_t total)
{
    if (jx_int(counts, "pending", 0) == total)
        return "pending";
    if (jx_int(counts, "pending", 0) + jx_int(counts, "running", 0) > 0)
        return "running";
    if (jx_int(counts, "completed", 0) == total)
        return "completed";
    return jx_int(counts, "failed", 0) > 0 ? "failed" : "cancelled";
}

int batch_get(struct service *service, const struct principal *who, const char *id,
              json_t **batch_r, struct error *err)
{
    static const char *const statuses[] = {"pending", "running", "completed", "failed",
                                           "cancelled"};
    struct execution_batch_meta meta;
    jx_auto *batch = NULL, *counts = NULL;
    if (batch_find(service, who, id, ACTION_READ, &meta, &batch, err) < 0 ||
        store_execution_batch_counts(service->storage, id, &counts, err) < 0)
        return -1;
    for (size_t i = 0; i < countof(statuses); i++)
        if (json_object_get(counts, statuses[i]) == NULL)
            json_object_set_new(counts, statuses[i], json_integer(0));
    json_object_set_new(batch, "status", json_string(status_of(counts, jx_int(batch, "total", 0))));
    json_object_set(batch, "counts", counts);
    *batch_r = move_ptr(&batch);
    return 0;
}

int batch_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err)
{
    const struct c9d_value scope[] = SCOPE_OF(who);
    return service_list(service, &store_execution_batch_list, query, scope, page_r, err);
}

int batch_executions(struct service *service, const struct principal *who, const char *id,
                     const struct list_query *query, json_t **page_r, struct error *err)
{
    struct execution_batch_meta meta;
    if (batch_find(service, who, id, ACTION_READ, &meta, NULL, err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(meta.id)};
    if (service_list(service, &store_batch_execution_list, query, scope, page_r, err) < 0)
        return -1;
    const json_t *items = json_object_get(*page_r, "items");
    for (size_t i = 0; i < json_array_size(items); i++)
        execution_present(json_array_get(items, i));
    return 0;
}

/* ---- cancelling ---- */

int batch_cancel(struct service *service, const struct principal *who, const char *id,
                 json_t **batch_r, struct error *err)
{
    struct execution_batch_meta meta;
    jx_auto *active = json_array();
    if (batch_find(service, who, id, ACTION_WRITE, &meta, NULL, err) < 0 ||
        store_execution_batch_active(service->storage, id, row_texts_fn, active, err) < 0)
        return -1;
    if (json_array_size(active) == 0)
        return error_set(err, E_INVALID_STATE, "all executions of batch %s have ended already", id);
    struct storage_batch *batch = storage_batch_new();
    store_execution_batch_cancel_request(batch, id, clock_wall_us());
    if (storage_commit(service->storage, batch, err) < 0 ||
        execution_cancel_idle(service, id, err) < 0)
        return -1;
    /* What a worker claims meanwhile sees the request. */
    for (size_t i = 0; i < json_array_size(active) && service->ops != NULL; i++)
        service->ops->cancel(service->engine, json_string_value(json_array_get(active, i)));
    if (service->ops != NULL)
        service->ops->queued(service->engine); /* those that slept */
    return batch_get(service, who, id, batch_r, err);
}
