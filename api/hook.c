/* Webhook endpoints, and what is delivered to them. */
#include "service/hook.h"

#include "api/api-private.h"
#include "api/conditional.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/json.h"

int handle_hook_list(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (hook_list(request->api->service, &request->who, &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int handle_hook_list_of_agent(struct request *request, struct reply *reply, struct error *err)
{
    if (request->filters == NULL)
        request->filters = json_object();
    json_object_set_new(request->filters, "agentId", json_string(request_path(request, "agentId")));
    return handle_hook_list(request, reply, err);
}

int handle_hook_create(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *hook = NULL;
    if (hook_create(request->api->service, &request->who, request_path(request, "agentId"),
                    request->body, &hook, err) < 0)
        return -1;
    reply_json(reply, 201, hook);
    reply_header(reply, "Location", "/v1/hooks/%s", jx_str(hook, "id", ""));
    reply_revision(reply, request, hook);
    return 0;
}

int handle_hook_get(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *hook = NULL;
    if (hook_get(request->api->service, &request->who, request_path(request, "endpointId"), &hook,
                 err) < 0)
        return -1;
    reply_json(reply, 200, hook);
    reply_revision(reply, request, hook);
    return 0;
}

int handle_hook_update(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    jx_auto *hook = NULL;
    if (request_if_match(request, &condition, err) < 0 ||
        hook_update(request->api->service, &request->who, request_path(request, "endpointId"),
                    request->body, condition.tag, &hook, err) < 0)
        return -1;
    reply_json(reply, 200, hook);
    reply_revision(reply, request, hook);
    return 0;
}

int handle_hook_delete(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    if (request_if_match(request, &condition, err) < 0 ||
        hook_delete(request->api->service, &request->who, request_path(request, "endpointId"),
                    condition.tag, err) < 0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}

int handle_hook_rotate(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *hook = NULL;
    if (hook_rotate(request->api->service, &request->who, request_path(request, "endpointId"),
                    request->body, &hook, err) < 0)
        return -1;
    reply_json(reply, 200, hook);
    reply_revision(reply, request, hook);
    return 0;
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
