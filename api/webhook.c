/* Completion webhooks, their deliveries, and dead letters. */
#include "service/webhook.h"

#include "api/answer.h"

int handle_webhook_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, webhook_list);
}

int handle_webhook_create(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body(request, reply, err, 201, "/v1/webhooks", webhook_create);
}

int handle_webhook_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "webhookId", webhook_get);
}

int handle_webhook_update(struct request *request, struct reply *reply, struct error *err)
{
    return answer_update(request, reply, err, "webhookId", webhook_update);
}

int handle_webhook_delete(struct request *request, struct reply *reply, struct error *err)
{
    return answer_gone_if(request, reply, err, "webhookId", webhook_delete);
}

int handle_webhook_test(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "webhookId", webhook_test);
}

int handle_webhook_rotate(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "webhookId", webhook_rotate);
}

int handle_delivery_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, webhook_deliveries);
}

int handle_delivery_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "deliveryId", webhook_delivery_get);
}

int handle_delivery_attempts(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_of(request, reply, err, "deliveryId", webhook_delivery_attempts);
}

int handle_delivery_again(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 202, "deliveryId", webhook_redeliver);
}

int handle_dead_letter_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, dead_letter_list);
}

int handle_dead_letter_requeue(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 202, "deadLetterId", dead_letter_requeue);
}
