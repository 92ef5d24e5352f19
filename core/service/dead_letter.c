/* Dead letters: looked at, and sent again. */
#include <string.h>

#include "base/clock.h"
#include "service/audit.h"
#include "service/execution-private.h"
#include "service/execution.h"
#include "service/service-private.h"
#include "service/webhook.h"
#include "store/execution.h"
#include "store/webhook.h"

int dead_letter_list(struct service *service, const struct principal *who,
                     const struct list_query *query, json_t **page_r, struct error *err)
{
    const struct c9d_value scope[] = SCOPE_OF(who);
    return service_list(service, &store_dead_letter_list, query, scope, page_r, err);
}

static int letter_find(struct service *service, const struct principal *who, const char *id,
                       struct dead_letter_meta *meta_r, struct error *err)
{
    if (store_dead_letter_get(service->storage, id, who->user_id, meta_r, NULL, err) < 0)
        return -1;
    const struct resource resource = {.organization_id = meta_r->organization_id,
                                      .owner_id = meta_r->agent_owner,
                                      .visibility = meta_r->agent_visibility,
                                      .grants = meta_r->grants,
                                      .kind = RESOURCE_EXECUTION,
                                      .agent_id = meta_r->agent_id,
                                      .starter_id = meta_r->triggered_by};
    if (meta_r->id[0] == '\0')
        return permission_unseen(E_DEAD_LETTER_NOT_FOUND, "dead letter", id, err);
    return permission_require(who, ACTION_WRITE, &resource, E_DEAD_LETTER_NOT_FOUND, "dead letter",
                              id, err);
}

static const struct conflict conflicts[] = {
    {0, E_INVALID_STATE, "the dead letter was sent again already"},
    {1, E_INVALID_STATE, "the delivery is pending already"},
    {-1, E_NONE, NULL}};

/* Accepts the execution anew: the same version, input and context, as its own user's. */
static int execution_again(struct service *service, const struct dead_letter_meta *meta,
                           struct error *err)
{
    struct execution_job job;
    char id[UUID_SIZE];
    int found = store_execution_job(service->storage, meta->execution_id, &job, err);
    if (found != 0)
        return found < 0
                   ? -1
                   : permission_unseen(E_EXECUTION_NOT_FOUND, "execution", meta->execution_id, err);
    int64_t now = clock_wall_us();
    struct execution_row row = {.agent_id = job.agent_id,
                                .agent_version = job.agent_version,
                                .organization_id = job.organization_id,
                                .triggered_by = job.triggered_by,
                                .input = job.input,
                                .context = job.context,
                                .priority = job.priority,
                                .available_at = now,
                                .created_at = now,
                                .concurrency_key = job.concurrency_key,
                                .origin_id = job.id,
                                .origin_kind = "retry"};
    memcpy(row.id, uuid_make(id), UUID_SIZE);
    struct storage_batch *batch = storage_batch_new();
    store_dead_letter_requeued(batch, meta->id, id, now);
    store_execution_insert(batch, &row);
    int result = service_commit(service, batch, conflicts, err);
    execution_job_free(&job);
    if (result == 0 && service->ops != NULL)
        service->ops->queued(service->engine);
    return result;
}

static int delivery_again(struct service *service, const struct dead_letter_meta *meta,
                          struct error *err)
{
    int64_t now = clock_wall_us();
    struct storage_batch *batch = storage_batch_new();
    store_dead_letter_requeued(batch, meta->id, NULL, now);
    store_webhook_redeliver(batch, meta->delivery_id, now);
    if (service_commit(service, batch, conflicts, err) < 0)
        return -1;
    if (service->ops != NULL)
        service->ops->notify(service->engine);
    return 0;
}

int dead_letter_requeue(struct service *service, const struct principal *who, const char *id,
                        json_t **letter_r, struct error *err)
{
    struct dead_letter_meta meta;
    if (service_engine(service, err) < 0 || letter_find(service, who, id, &meta, err) < 0)
        return -1;
    if (meta.requeued)
        return error_set(err, E_INVALID_STATE, "%s", conflicts[0].message);
    int result = strcmp(meta.kind, "webhook") == 0 ? delivery_again(service, &meta, err)
                                                   : execution_again(service, &meta, err);
    if (result < 0)
        return -1;
    audit_note(service, who, "deadLetter", id);
    return store_dead_letter_get(service->storage, id, who->user_id, &meta, letter_r, err);
}
