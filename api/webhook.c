/* Completion webhooks, their deliveries, and dead letters. */
#include "service/webhook.h"

#include "api/api-private.h"
#include "api/conditional.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/json.h"

typedef int list_fn(struct service *service, const struct principal *who,
                    const struct list_query *query, json_t **page_r, struct error *err);
typedef int one_fn(struct service *service, const struct principal *who, const char *id,
                   json_t **one_r, struct error *err);

static int reply_page(struct request *request, struct reply *reply, list_fn *list,
                      struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (list(request->api->service, &request->who, &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

static int reply_one(struct request *request, struct reply *reply, one_fn *one, const char *part,
                     int status, struct error *err)
{
    jx_auto *json = NULL;
    if (one(request->api->service, &request->who, request_path(request, part), &json, err) < 0)
        return -1;
    reply_json(reply, status, json);
    if (json_object_get(json, "revision") != NULL)
        reply_revision(reply, request, json);
    return 0;
}

int handle_webhook_list(struct request *request, struct reply *reply, struct error *err)
{
    return reply_page(request, reply, webhook_list, err);
}

int handle_webhook_create(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *webhook = NULL;
    if (webhook_create(request->api->service, &request->who, request->body, &webhook, err) < 0)
        return -1;
    reply_json(reply, 201, webhook);
    reply_header(reply, "Location", "/v1/webhooks/%s", jx_str(webhook, "id", ""));
    reply_revision(reply, request, webhook);
    return 0;
}

int handle_webhook_get(struct request *request, struct reply *reply, struct error *err)
{
    return reply_one(request, reply, webhook_get, "webhookId", 200, err);
}

int handle_webhook_update(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    jx_auto *webhook = NULL;
    if (request_if_match(request, &condition, err) < 0 ||
        webhook_update(request->api->service, &request->who, request_path(request, "webhookId"),
                       request->body, condition.tag, &webhook, err) < 0)
        return -1;
    reply_json(reply, 200, webhook);
    reply_revision(reply, request, webhook);
    return 0;
}

int handle_webhook_delete(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    if (request_if_match(request, &condition, err) < 0 ||
        webhook_delete(request->api->service, &request->who, request_path(request, "webhookId"),
                       condition.tag, err) < 0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}

int handle_webhook_rotate(struct request *request, struct reply *reply, struct error *err)
{
    return reply_one(request, reply, webhook_rotate, "webhookId", 200, err);
}

int handle_delivery_list(struct request *request, struct reply *reply, struct error *err)
{
    return reply_page(request, reply, webhook_deliveries, err);
}

int handle_delivery_get(struct request *request, struct reply *reply, struct error *err)
{
    return reply_one(request, reply, webhook_delivery_get, "deliveryId", 200, err);
}

int handle_delivery_attempts(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (webhook_delivery_attempts(request->api->service, &request->who,
                                  request_path(request, "deliveryId"), &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int handle_delivery_again(struct request *request, struct reply *reply, struct error *err)
{
    return reply_one(request, reply, webhook_redeliver, "deliveryId", 202, err);
}

int handle_dead_letter_list(struct request *request, struct reply *reply, struct error *err)
{
    return reply_page(request, reply, dead_letter_list, err);
}

int handle_dead_letter_requeue(struct request *request, struct reply *reply, struct error *err)
{
    return reply_one(request, reply, dead_letter_requeue, "deadLetterId", 202, err);
}
