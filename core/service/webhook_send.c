/* Deliveries: what is due, what it says, and what follows from how it went. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/execution-private.h"
#include "service/service-private.h"
#include "service/webhook.h"
#include "service/webhook_send.h"
#include "store/execution_view.h"

enum { PER_WEBHOOK = 4 /* at a time, so that one that hangs holds up no other */ };
#define HOUR (3600 * CLOCK_SECOND)

static const struct config_key keys[] = {
    {"webhooks", "per_organization", CONFIG_INT, "1000", 1, 1000000, NULL,
     "Webhooks of one organization; those that an execution brings along are not counted."},
    {"webhooks", "attempts", CONFIG_INT, "12", 1, 100, NULL,
     "How often the delivery of a webhook is tried before it is a dead letter."},
    {"webhooks", "backoff", CONFIG_DURATION, "5s", 1000, 24 * HOUR, NULL,
     "Pause behind the first failed attempt, four times as long behind each further one."},
    {"webhooks", "backoff_max", CONFIG_DURATION, "6h", 1000, 7 * 24 * HOUR, NULL,
     "The longest pause between two attempts."},
    {"webhooks", "timeout", CONFIG_DURATION, "15s", 100000, 300 * CLOCK_SECOND, NULL,
     "How long an endpoint may take to answer."},
    {"webhooks", "disable_after", CONFIG_DURATION, "5d", 1000, 365 * 24 * HOUR, NULL,
     "A webhook of which nothing has arrived for so long is disabled."},
    {"webhooks", "rotation_overlap", CONFIG_DURATION, "24h", 0, 365 * 24 * HOUR, NULL,
     "How long the old secret of a webhook signs beside the new one."},
    {"webhooks", "payload", CONFIG_SIZE, "256KiB", 4096, 32 << 20, NULL,
     "Bytes of a notification; a longer output is left out of it."},
    {"webhooks", "concurrent", CONFIG_INT, "32", 1, 1000, NULL, "Deliveries at the same time."},
};

int webhook_config_declare(struct config *config, struct error *err)
{
    return config_declare(config, keys, countof(keys), err);
}

static int64_t setting(const struct service *service, const char *name)
{
    return config_int(service->config, "webhooks", NULL, name);
}

int64_t webhook_timeout(const struct service *service)
{
    return setting(service, "timeout");
}

int64_t webhook_concurrency(const struct service *service)
{
    return setting(service, "concurrent");
}

/* ---- what it says ---- */

static const char *const told[][2] = {
    {"id", "executionId"},
    {"agentId", "agentId"},
    {"agentVersion", "agentVersion"},
    {"status", "status"},
    {"outputData", "output"},
    {"errorMessage", "error"},
    {"errorCode", "errorCode"},
    {"errorDetails", "errorDetails"},
    {"executionTimeMs", "executionTime"},
    {"resourceUsage", "resourceUsage"},
    {"executionContext", "context"},
    {"attempt", "attempt"},
    {"batchId", "batchId"},
    {"batchIndex", "batchIndex"},
    {"concurrencyKey", "concurrencyKey"},
    {"createdAt", "createdAt"},
    {"startedAt", "startedAt"},
    {"completedAt", "completedAt"},
};

static void payload_make(const struct service *service, json_t *execution,
                         struct webhook_message *message)
{
    json_t *data = json_object();
    for (size_t i = 0; i < countof(told); i++)
        if (json_object_get(execution, told[i][0]) != NULL)
            json_object_set(data, told[i][1], json_object_get(execution, told[i][0]));
    jx_auto *payload = json_pack("{s:s, s:s, s:o}", "type", message->delivery.event, "timestamp",
                                 jx_str(execution, "completedAt", ""), "data", data);
    message->body = jx_encode(payload, &message->len);
    if (message->len <= (size_t)setting(service, "payload"))
        return;
    free(message->body);
    json_object_del(data, "output");
    json_object_set_new(data, "outputOmitted", json_true());
    message->body = jx_encode(payload, &message->len);
}

void webhook_message_free(struct webhook_message *message)
{
    webhook_delivery_free(&message->delivery);
    free(message->body);
    free(message);
}

/* NULL: it is gone, or its execution is. */
static struct webhook_message *message_make(struct service *service, const char *id,
                                            struct error *err)
{
    struct webhook_message *message = xcalloc(1, sizeof(*message));
    struct execution_meta meta;
    jx_auto *execution = NULL;
    if (store_webhook_delivery_load(service->storage, id, &message->delivery, err) != 0 ||
        store_execution_get(service->storage, message->delivery.execution_id, "", &meta, &execution,
                            err) < 0 ||
        execution == NULL) {
        webhook_message_free(message);
        return NULL;
    }
    payload_make(service, execution_present(execution), message);
    return message;
}

/* ---- what is due ---- */

int webhook_claim(struct service *service, int64_t max, bool all,
                  struct webhook_message **messages_r, int64_t *next_r, struct error *err)
{
    jx_auto *ids = json_object();
    int64_t now = clock_wall_us(), lease = now + setting(service, "timeout") + 60 * CLOCK_SECOND;
    *messages_r = NULL;
    if (max > 0) {
        struct storage_batch *batch = storage_batch_new();
        store_webhook_claim(batch, now, lease, max, PER_WEBHOOK, all, row_ids_fn, ids);
        if (storage_commit(service->storage, batch, err) < 0)
            return -1;
    }
    const char *id;
    json_t *nothing;
    json_object_foreach (ids, id, nothing) {
        error_auto failure = ERROR_INIT;
        struct webhook_message *message = message_make(service, id, &failure);
        if (message == NULL) { /* its lease ends, and it is looked at again */
            log_warn("webhook.claim", "delivery %s: %s", id,
                     failure.code != E_NONE ? failure.message : "it is gone");
            continue;
        }
        message->next = *messages_r;
        *messages_r = message;
    }
    return store_webhook_next(service->storage, next_r, err);
}

/* ---- what follows ---- */

static int64_t pause_behind(const struct service *service, int64_t tries)
{
    int64_t pause = setting(service, "backoff"), most = setting(service, "backoff_max");
    uint32_t random;
    while (--tries > 0 && pause < most)
        pause *= 4;
    if (pause > most)
        pause = most;
    hash_random(&random, sizeof(random));
    return pause - pause / 10 + (int64_t)(random % 1000) * (pause / 5) / 1000; /* ± 10 % */
}

void webhook_settle(struct service *service, const struct webhook_message *message,
                    const struct webhook_attempt *attempt, struct storage_batch *batch)
{
    const struct webhook_delivery *d = &message->delivery;
    bool arrived = attempt->error == NULL && attempt->status >= 200 && attempt->status < 300;
    autofree char *refused =
        attempt->error == NULL && !arrived ? xasprintf("it answered %d", attempt->status) : NULL;
    struct webhook_result result = {.status = "delivered",
                                    .attempt = d->attempts + 1,
                                    .tries = d->tries + 1,
                                    .at = attempt->at,
                                    .took_ms = attempt->took_us / 1000,
                                    .response_status = attempt->status,
                                    .response = attempt->response,
                                    .error = refused != NULL ? refused : attempt->error,
                                    .next_attempt_at = attempt->at};
    if (!arrived) {
        bool gone = attempt->status == 410;
        result.failing_since = d->failing_since != 0 ? d->failing_since : attempt->at;
        if (gone)
            result.disabled_reason = "its endpoint answered 410 Gone";
        else if (attempt->at - result.failing_since >= setting(service, "disable_after"))
            result.disabled_reason = "nothing has arrived for [webhooks] disable_after";
        bool over = result.disabled_reason != NULL || !d->is_active ||
                    result.tries >= setting(service, "attempts");
        result.status = over ? "dead" : "pending";
        result.next_attempt_at = clock_wall_us() + pause_behind(service, result.tries);
    }
    store_webhook_settle(batch, d, &result);
}
