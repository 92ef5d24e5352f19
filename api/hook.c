/* Webhook endpoints, and what is delivered to them. */
#include "service/hook.h"

#include "api/answer.h"
#include "api/api-private.h"
#include "base/json.h"

int handle_hook_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, hook_list);
}

int handle_hook_list_of_agent(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_by(request, reply, err, "agentId", hook_list);
}

int handle_hook_create(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body_of(request, reply, err, 201, "/v1/hooks", "agentId", hook_create);
}

int handle_hook_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "endpointId", hook_get);
}

int handle_hook_update(struct request *request, struct reply *reply, struct error *err)
{
    return answer_update(request, reply, err, "endpointId", hook_update);
}

int handle_hook_delete(struct request *request, struct reply *reply, struct error *err)
{
    return answer_gone_if(request, reply, err, "endpointId", hook_delete);
}

int handle_hook_rotate(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body_of(request, reply, err, 200, NULL, "endpointId", hook_rotate);
}

static const char *header_value(const struct request *request, const char *name)
{
    const struct header *h = request_header(request, name);
    return h != NULL ? h->value : NULL;
}

int handle_hook_deliver(struct request *request, struct reply *reply, struct error *err)
{
    const struct hook_delivery delivery = {
        .message = {.id = header_value(request, "webhook-id"),
                    .timestamp = header_value(request, "webhook-timestamp"),
                    .signature = header_value(request, "webhook-signature"),
                    .hub_signature = header_value(request, "X-Hub-Signature-256"),
                    .body = request->body_text.data != NULL ? request->body_text.data : "",
                    .len = request->body_text.len},
        .content_type = header_value(request, "Content-Type"),
        .event = header_value(request, "X-GitHub-Event")};
    jx_auto *result = NULL;
    if (hook_deliver(request->api->service, &request->who, request_path(request, "endpointId"),
                     &delivery, &result, err) < 0)
        return -1;
    reply_json(reply, 202, result);
    return 0;
}

int handle_hook_delivery_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_of(request, reply, err, "endpointId", hook_deliveries);
}

int handle_hook_delivery_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_part(request, reply, err, 200, "endpointId", "hookDeliveryId", hook_delivery_get);
}

int handle_hook_redeliver(struct request *request, struct reply *reply, struct error *err)
{
    return answer_part(request, reply, err, 202, "endpointId", "hookDeliveryId", hook_redeliver);
}
