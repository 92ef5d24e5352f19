/* What comes in by a webhook endpoint. Anybody can send here: until the signature was found right,
 * a delivery costs one indexed lookup and one digest of a bounded body, and writes nothing. */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "host/storage.h"
#include "service/audit.h"
#include "service/cloudevent.h"
#include "service/event.h"
#include "service/execution.h"
#include "service/hook-private.h"
#include "service/hook_rate.h"
#include "service/launch_row.h"
#include "service/service-private.h"
#include "store/hook.h"

#define HOUR (3600 * CLOCK_SECOND)

static const struct config_key keys[] = {
    {"hooks", "per_agent", CONFIG_INT, "100", 1, 100000, NULL, "Webhook endpoints of one agent."},
    {"hooks", "max_body", CONFIG_SIZE, "256KiB", 1024, 16 << 20, NULL,
     "Bytes of a delivery to a webhook endpoint."},
    {"hooks", "replay_window", CONFIG_DURATION, "7d", HOUR, 3660 * 24 * HOUR, NULL,
     "How long a delivery is remembered, so that the same one again starts nothing."},
    {"hooks", "unverified_per_minute", CONFIG_INT, "60", 0, 1000000, NULL,
     "Deliveries with a wrong signature that one address may send to one endpoint in a minute (ten times as "
     "many to all); behind them it is refused for a while (429). 0: any number."},
};

int hook_config_declare(struct config *config, struct error *err)
{
    return config_declare(config, keys, countof(keys), err);
}

/* ---- is it one of ours ---- */

/* An endpoint that is not there looks like a wrong signature, and takes as long. */
static int target_verify(struct service *service, const char *id, const struct hook_delivery *d,
                         struct hook_target *target, char key_r[SHA256_HEX_SIZE], struct error *err)
{
    int64_t now = clock_wall_us();
    int found =
        uuid_valid(id, strlen(id)) ? store_hook_target(service->storage, id, target, err) : 1;
    if (found < 0)
        return -1;
    const char *secrets[2] = {target->secret, NULL};
    if (target->previous_until > now)
        secrets[1] = target->previous_secret;
    bool github = d->message.id == NULL && d->message.hub_signature != NULL;
    enum hook_style style = github ? HOOK_GITHUB : HOOK_STANDARD;
    autofree char *nobody = found == 0 ? NULL : hook_secret_make(style);
    if (found == 0)
        style =
            strcmp(target->style, hook_style_names[HOOK_GITHUB]) == 0 ? HOOK_GITHUB : HOOK_STANDARD;
    else
        secrets[0] = nobody;
    return hook_signature_check(style, secrets, &d->message, now,
                                found == 0 ? target->tolerance : HOUR, key_r, err);
}

/* ---- the body ---- */

static bool type_is(const char *type, const char *wanted)
{
    size_t n = strcspn(type, "; \t");
    return n == strlen(wanted) && strncasecmp(type, wanted, n) == 0;
}

/* JSON as it is; a form or a text as a text; null when there is none. */
static json_t *body_read(const struct hook_delivery *d, struct error *err)
{
    const char *type = d->content_type != NULL ? d->content_type : "application/json";
    size_t n = strcspn(type, "; \t");
    bool json =
        type_is(type, "application/json") || (n > 5 && strncasecmp(type + n - 5, "+json", 5) == 0);
    if (d->message.len == 0)
        return json_null();
    if (json)
        return jx_decode(d->message.body, d->message.len, "the delivery", err);
    bool text =
        strncasecmp(type, "text/", 5) == 0 || type_is(type, "application/x-www-form-urlencoded");
    if (!text)
        error_set(err, E_UNSUPPORTED_MEDIA_TYPE,
                  "Content-Type is %.100s; an endpoint takes JSON, text or a form", type);
    else if (!utf8_valid(d->message.body, d->message.len) ||
             memchr(d->message.body, '\0', d->message.len) != NULL)
        error_set(err, E_INVALID_REQUEST, "the delivery is not UTF-8 text");
    else
        return json_stringn(d->message.body, d->message.len);
    return NULL;
}

/* ---- what becomes of it ---- */

static struct hook_receipt receipt_of(const struct hook_take *take, char id[UUID_SIZE],
                                      const char *outcome)
{
    return (struct hook_receipt){.id = uuid_make(id),
                                 .endpoint_id = take->target->id,
                                 .key = take->key,
                                 .outcome = outcome,
                                 .event_type = take->type,
                                 .redelivery_of = take->redelivery_of,
                                 .at = clock_wall_us()};
}

static int64_t window_begin(const struct service *service)
{
    return clock_wall_us() - config_int(service->config, "hooks", NULL, "replay_window");
}

/* 0 done; 1: another request just took the same; -1 error. */
static int execution_try(struct service *service, const struct principal *who,
                         const struct hook_take *take, json_t **result_r, struct error *err)
{
    char id[UUID_SIZE], receipt_id[UUID_SIZE];
    const struct hook_target *target = take->target;
    int64_t since = window_begin(service);
    launch_row_auto prepared = {NULL};
    error_auto failure = ERROR_INIT;
    if (store_hook_delivered(service->storage, target->id, take->key, since, id, err) < 0)
        return -1;
    if (id[0] != '\0') {
        *result_r = json_pack("{s:b, s:s}", "duplicate", true, "executionId", id);
        return 0;
    }
    uuid_make(id);
    if (launch_row_prepare(service, who, target->agent_id, target->version, id, take->data,
                           &prepared, err) < 0)
        return -1;
    struct hook_receipt receipt = receipt_of(take, receipt_id, "started");
    receipt.execution_id = id;
    jx_auto *context = json_pack("{s:{s:s, s:s, s:s}}", "trigger", "type", "webhook", "endpointId",
                                 target->id, "deliveryId", receipt_id);
    autofree char *text = jx_encode(take->data, NULL);
    struct storage_batch *batch = storage_batch_new();
    store_hook_receive(batch, &receipt, since);
    launch_row_add(batch, &prepared, id, target->user_id, text, context, receipt.at);
    if (storage_commit(service->storage, batch, &failure) < 0)
        return failure.code == E_INVALID_STATE ? 1 : error_move(err, &failure);
    service_nudge(service);
    *result_r = json_pack("{s:b, s:s}", "duplicate", false, "executionId", id);
    return 0;
}

static int take_execution(struct service *service, const struct principal *who,
                          const struct hook_take *take, json_t **result_r, struct error *err)
{
    int result = execution_try(service, who, take, result_r, err);
    if (result > 0)
        result = execution_try(service, who, take, result_r, err);
    return result <= 0
               ? result
               : error_set(err, E_UNAVAILABLE, "the endpoint is just being changed; try again");
}

/* "TYPE", or "TYPE.push" for GitHub's event "push". */
static char *type_make(const struct hook_target *target, const char *event)
{
    if (event == NULL || strcmp(target->style, hook_style_names[HOOK_GITHUB]) != 0 ||
        event[0] == '\0' || strlen(event) > 100 ||
        strspn(event, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(event))
        return xstrdup(target->event_type);
    return xasprintf("%s.%s", target->event_type, event);
}

static int take_event(struct service *service, const struct principal *who,
                      const struct hook_take *take, json_t **result_r, struct error *err)
{
    char time[CLOCK_RFC3339_SIZE], receipt_id[UUID_SIZE];
    autofree char *source = xasprintf("/v1/hooks/%s", take->target->id);
    jx_auto *taken = NULL;
    jx_auto *events = json_pack("[{s:s, s:s, s:s, s:s, s:s, s:s, s:O}]", "specversion", "1.0", "id",
                                take->key, "source", source, "type", take->type, "time",
                                clock_format_rfc3339(clock_wall_us(), time), "datacontenttype",
                                "application/json", "data", take->data);
    if (event_take(service, who, events, take->target->id, &taken, err) < 0)
        return -1;
    const json_t *item = json_array_get(json_object_get(taken, "items"), 0);
    *result_r =
        json_pack("{s:b, s:s, s:O}", "duplicate", jx_bool(item, "duplicate", false), "eventId",
                  jx_str(item, "id", ""), "matches", json_object_get(item, "matches"));
    struct hook_receipt receipt = receipt_of(take, receipt_id, "event");
    receipt.event_id = jx_str(item, "id", "");
    struct storage_batch *batch = storage_batch_new();
    store_hook_receive(batch, &receipt, window_begin(service));
    return storage_commit(service->storage, batch, err);
}

/* For whoever looks for it later. What may pass the sender sends again, and that is not kept. */
static void refusal_note(struct service *service, const struct hook_take *take,
                         const struct error *refusal)
{
    const struct error_row *row = error_row(refusal->code);
    char id[UUID_SIZE];
    error_auto err = ERROR_INIT;
    if (row->status >= 500 || row->status == 429)
        return;
    autofree char *payload = take->data != NULL ? jx_encode(take->data, NULL) : NULL;
    struct hook_receipt receipt = receipt_of(take, id, "refused");
    receipt.error_code = row->name;
    receipt.reason = refusal->message;
    receipt.payload = payload;
    struct storage_batch *batch = storage_batch_new();
    store_hook_receive(batch, &receipt, window_begin(service));
    if (storage_commit(service->storage, batch, &err) < 0)
        log_warn("hook.refused", "endpoint %s: %s", take->target->id, err.message);
}

static int take_try(struct service *service, const struct hook_take *take, json_t **result_r,
                    struct error *err)
{
    const struct hook_target *target = take->target;
    struct principal who;
    if (!target->active)
        return error_set(err, E_INVALID_STATE, "the endpoint is paused");
    if (execution_principal(service, target->user_id, target->organization_id, &who, err) < 0)
        return -1;
    return take->type != NULL ? take_event(service, &who, take, result_r, err)
                              : take_execution(service, &who, take, result_r, err);
}

int hook_take(struct service *service, const struct hook_take *take, json_t **result_r,
              struct error *err)
{
    int result = take_try(service, take, result_r, err);
    if (result < 0)
        refusal_note(service, take, err);
    return result;
}

/* A signature is looked at only from addresses that have not sent too many wrong ones. */
static int target_admit(struct service *service, const struct principal *from, const char *id,
                        const struct hook_delivery *delivery, struct hook_target *target,
                        char key_r[SHA256_HEX_SIZE], struct error *err)
{
    const char *address =
        from->origin != NULL && from->origin->address != NULL ? from->origin->address : "";
    int64_t now = clock_monotonic_us();
    int64_t wait = hook_rate_wait(service->hook_rate, address, id, now);
    if (wait > 0) {
        error_set(err, E_TOO_MANY_REQUESTS,
                  "too many deliveries with a wrong signature came from this address: [hooks] "
                  "unverified_per_minute");
        error_detail(err, "retryAfter", json_integer(wait / CLOCK_SECOND + 1));
        return -1;
    }
    int result = target_verify(service, id, delivery, target, key_r, err);
    if (result < 0 && err->code == E_SIGNATURE_INVALID)
        hook_rate_count(service->hook_rate, address, id, now);
    return result;
}

int hook_deliver(struct service *service, const struct principal *from, const char *id,
                 const struct hook_delivery *delivery, json_t **result_r, struct error *err)
{
    cleanup(hook_target_free) struct hook_target target = {.id = ""};
    char key[SHA256_HEX_SIZE];
    int64_t max = config_int(service->config, "hooks", NULL, "max_body");
    if (delivery->message.len > (size_t)max)
        return error_set(err, E_PAYLOAD_TOO_LARGE,
                         "the delivery is larger than the %ld bytes of [hooks] max_body",
                         (long)max);
    if (service_engine(service, err) < 0 ||
        target_admit(service, from, id, delivery, &target, key, err) < 0)
        return -1;
    audit_unchanged(from); /* a delivery is no change, and what becomes of it is its own record */
    jx_auto *data = body_read(delivery, err);
    bool event = strcmp(target.delivers, "event") == 0;
    autofree char *type = event ? type_make(&target, delivery->event) : NULL;
    const struct hook_take take = {&target, key, type, data, NULL};
    if (data != NULL)
        return hook_take(service, &take, result_r, err);
    refusal_note(service, &take, err);
    return -1;
}
