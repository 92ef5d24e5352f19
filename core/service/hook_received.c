/* What endpoints were sent: looking at it, and taking it once more. */
#include <string.h>

#include "service/audit.h"
#include "service/hook-private.h"
#include "store/event.h"
#include "store/execution_view.h"

int hook_deliveries(struct service *service, const struct principal *who, const char *id,
                    const struct list_query *query, json_t **page_r, struct error *err)
{
    struct hook_meta meta;
    jx_auto *hook = NULL;
    if (hook_find(service, who, id, true, &meta, &hook, err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(meta.id)};
    return service_list(service, &store_hook_delivery_list, query, scope, page_r, err);
}

int hook_delivery_get(struct service *service, const struct principal *who, const char *id,
                      const char *delivery_id, json_t **delivery_r, struct error *err)
{
    struct hook_meta meta;
    jx_auto *hook = NULL;
    if (hook_find(service, who, id, true, &meta, &hook, err) < 0 ||
        store_hook_delivery_get(service->storage, meta.id, delivery_id, delivery_r, err) < 0)
        return -1;
    return *delivery_r != NULL
               ? 0
               : permission_unseen(E_DELIVERY_NOT_FOUND, "delivery", delivery_id, err);
}

/* What it carried: its own, or what is in the execution or the event that it became. */
static int payload_find(struct service *service, const struct principal *who,
                        const json_t *delivery, json_t **payload_r, struct error *err)
{
    const char *execution_id = jx_str(delivery, "executionId", NULL),
               *event_id = jx_str(delivery, "eventId", NULL);
    struct execution_meta meta;
    jx_auto *holder = NULL;
    const json_t *payload = json_object_get(delivery, "payload");
    if (execution_id != NULL) {
        if (store_execution_get(service->storage, execution_id, who->user_id, &meta, &holder, err) <
            0)
            return -1;
        payload = json_object_get(holder, "inputData");
    } else if (event_id != NULL) {
        if (store_event_get(service->storage, who->organization_id, event_id, &holder, err) < 0)
            return -1;
        payload = json_object_get(json_object_get(holder, "event"), "data");
    }
    if (payload == NULL)
        return error_set(err, E_INVALID_STATE,
                         "what was delivered could not be read then, or is not kept any more");
    *payload_r = json_incref((json_t *)payload);
    return 0;
}

int hook_redeliver(struct service *service, const struct principal *who, const char *id,
                   const char *delivery_id, json_t **result_r, struct error *err)
{
    cleanup(hook_target_free) struct hook_target target = {.id = ""};
    jx_auto *delivery = NULL, *payload = NULL;
    char key[UUID_SIZE];
    if (service_engine(service, err) < 0 ||
        hook_delivery_get(service, who, id, delivery_id, &delivery, err) < 0 ||
        payload_find(service, who, delivery, &payload, err) < 0)
        return -1;
    int found = store_hook_target(service->storage, id, &target, err);
    if (found != 0)
        return found < 0 ? -1 : permission_unseen(E_ENDPOINT_NOT_FOUND, "endpoint", id, err);
    bool event = strcmp(target.delivers, "event") == 0;
    const char *type = event ? jx_str(delivery, "eventType", target.event_type) : NULL;
    const struct hook_take take = {&target, uuid_make(key), type, payload, delivery_id};
    audit_note(service, who, "hook", id);
    return hook_take(service, &take, result_r, err);
}
