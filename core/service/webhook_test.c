/* Sends a notification of nothing, so that its receiver can be tried, and waits for the answer. */
#include <stdatomic.h>

#include "base/clock.h"
#include "base/sync.h"
#include "service/audit.h"
#include "service/service-private.h"
#include "service/webhook-private.h"
#include "service/webhook_send.h"

enum { TESTS_MAX = 8 /* at a time: each holds a thread of the API until it is answered */ };

struct trial {
    struct latch latch;
    json_t *result;
};

static void on_attempt(void *arg, const struct webhook_attempt *attempt)
{
    struct trial *trial = arg;
    bool arrived = attempt->error == NULL && attempt->status >= 200 && attempt->status < 300;
    trial->result =
        json_pack("{s:b, s:I, s:s*, s:s*}", "delivered", arrived, "tookMs",
                  (json_int_t)(attempt->took_us / 1000), "response",
                  attempt->error == NULL ? attempt->response : NULL, "error", attempt->error);
    if (attempt->error == NULL)
        json_object_set_new(trial->result, "responseStatus", json_integer(attempt->status));
    latch_open(&trial->latch);
}

/* Like that of an end, of another type. */
static int message_make(struct service *service, const json_t *webhook,
                        struct webhook_message *message, struct error *err)
{
    char now[CLOCK_RFC3339_SIZE], id[UUID_SIZE];
    if (store_webhook_target(service->storage, jx_str(webhook, "id", ""), &message->delivery,
                             err) != 0)
        return err->code != E_NONE
                   ? -1
                   : error_set(err, E_WEBHOOK_NOT_FOUND, "the webhook was just deleted");
    snprintf(message->delivery.id, sizeof(message->delivery.id), "test_%s", uuid_make(id));
    jx_auto *body = json_pack("{s:s, s:s, s:{s:O, s:O, s:O*}}", "type", "webhook.test", "timestamp",
                              clock_format_rfc3339(clock_wall_us(), now), "data", "webhookId",
                              json_object_get(webhook, "id"), "organizationId",
                              json_object_get(webhook, "organizationId"), "agentId",
                              json_object_get(webhook, "agentId"));
    message->body = jx_encode(body, &message->len);
    return 0;
}

static json_t *send_and_wait(struct service *service, struct webhook_message *message)
{
    struct trial trial = {LATCH_INIT, NULL};
    json_t *id = json_string(message->delivery.id);
    service->ops->send(service->engine, message, on_attempt, &trial);
    latch_wait(&trial.latch);
    json_object_set_new(trial.result, "id", id);
    return trial.result;
}

int webhook_test(struct service *service, const struct principal *who, const char *id,
                 json_t **result_r, struct error *err)
{
    struct webhook_meta meta;
    jx_auto *webhook = NULL;
    if (service_engine(service, err) < 0 ||
        webhook_find(service, who, id, &meta, &webhook, err) < 0)
        return -1;
    if (atomic_fetch_add(&service->webhook_tests, 1) >= TESTS_MAX) {
        atomic_fetch_sub(&service->webhook_tests, 1);
        return error_set(err, E_TOO_MANY_REQUESTS,
                         "%d webhooks are being tested; try again when one has answered",
                         TESTS_MAX);
    }
    struct webhook_message *message = xcalloc(1, sizeof(*message));
    int result = message_make(service, webhook, message, err);
    if (result == 0)
        *result_r = send_and_wait(service, message);
    else
        webhook_message_free(message);
    atomic_fetch_sub(&service->webhook_tests, 1);
    if (result == 0)
        audit_note(service, who, "webhook", id);
    return result;
}
