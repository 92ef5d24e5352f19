/* Sends what webhooks are owed: claimed in the store by pool threads, sent from the engine's loop
 * behind the guard of skills' requests, settled in the store. A delivery that was claimed when the
 * daemon died is claimed again. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "service/webhook_send.h"
#include "supervisor/engine-private.h"

enum { RESPONSE_MAX = 1024 /* bytes kept of an answer */ };
#define LOOK_AGAIN_US (60 * CLOCK_SECOND) /* at the latest: the clock may have been set */
#define RETRY_US      CLOCK_SECOND        /* when the store fails */

struct sending {
    struct engine *engine;
    struct webhook_message *message;
    struct fetch *fetch;
    struct buf response;
    int status;
    int64_t at, began;
    /* Told how it went, and nothing is settled; NULL: it is of the queue. */
    void (*done)(void *arg, const struct webhook_attempt *attempt);
    void *arg;
    struct sending *next, **place;
};

struct claim {
    struct engine *engine;
    struct webhook_message *messages;
    int64_t max, next;
    bool all, failed;
};

static void notifier_look(struct engine *engine);

/* ---- one request ---- */

static void sending_free(struct sending *s)
{
    *s->place = s->next;
    if (s->next != NULL)
        s->next->place = s->place;
    webhook_message_free(s->message);
    buf_free(&s->response);
    free(s);
}

static void settled(void *arg)
{
    struct sending *s = arg;
    struct engine *engine = s->engine;
    engine->notifier.sending--;
    sending_free(s);
    notifier_look(engine);
}

static void settle_done(void *arg, struct error *err)
{
    struct sending *s = arg;
    if (err != NULL) /* its lease ends, and it is sent again */
        log_warn("webhook.settle", "delivery %s: %s", s->message->delivery.id, err->message);
    loop_post(s->engine->loop, settled, s);
}

static void sending_settle(struct sending *s, const struct error *err)
{
    struct engine *engine = s->engine;
    jx_auto *text = s->response.len > 0 ? jx_text(s->response.data, s->response.len) : NULL;
    const struct webhook_attempt attempt = {.at = s->at,
                                            .took_us = clock_monotonic_us() - s->began,
                                            .status = err == NULL ? s->status : 0,
                                            .response = json_string_value(text),
                                            .error = err != NULL ? err->message : NULL};
    if (s->done != NULL) {
        s->done(s->arg, &attempt);
        sending_free(s);
        return;
    }
    struct storage_batch *batch = storage_batch_new();
    webhook_settle(engine->parts.service, s->message, &attempt, batch);
    storage_submit(engine->parts.storage, batch, settle_done, s);
}

static void reply_status(void *arg, int status)
{
    ((struct sending *)arg)->status = status;
}

static void reply_header(void *arg, const char *name, const char *value)
{
    (void)arg, (void)name, (void)value;
}

/* The beginning is kept for the log, the rest is not read. */
static int reply_data(void *arg, const char *data, size_t len)
{
    struct sending *s = arg;
    size_t room = RESPONSE_MAX - s->response.len;
    buf_append(&s->response, data, len < room ? len : room);
    return s->response.len == RESPONSE_MAX;
}

static void reply_done(void *arg, struct error *err)
{
    struct sending *s = arg;
    bool cut = err != NULL && s->response.len == RESPONSE_MAX; /* by reply_data */
    s->fetch = NULL;
    sending_settle(s, cut ? NULL : err);
}

static bool address_allowed(void *arg, const struct sockaddr *address)
{
    return guard_address_allowed(((struct sending *)arg)->engine->guard, address);
}

static int host_check(const struct engine *engine, const char *url, struct error *err)
{
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    autofree char *name = xstrndup(host, len);
    return guard_host_allowed(engine->guard, name)
               ? 0
               : error_set(err, E_ADDRESS_DENIED, "[outbound] hosts does not name %s", name);
}

static struct sending *sending_new(struct engine *engine, struct webhook_message *message)
{
    struct sending *s = xcalloc(1, sizeof(*s));
    *s = (struct sending){.engine = engine,
                          .message = message,
                          .at = clock_wall_us(),
                          .began = clock_monotonic_us(),
                          .next = engine->notifier.all,
                          .place = &engine->notifier.all};
    if (s->next != NULL)
        s->next->place = &s->next;
    engine->notifier.all = s;
    return s;
}

static void sending_begin(struct sending *s)
{
    struct engine *engine = s->engine;
    const struct webhook_message *message = s->message;
    const struct webhook_delivery *d = &message->delivery;
    char stamp[24];
    error_auto err = ERROR_INIT;
    snprintf(stamp, sizeof(stamp), "%" PRId64, s->at / CLOCK_SECOND);
    autofree char *signature = webhook_sign(message, s->at / CLOCK_SECOND);
    const struct fetch_header headers[] = {
        {"Content-Type", "application/json"},
        {"webhook-id", d->id},
        {"webhook-timestamp", stamp},
        {"webhook-signature", signature},
    };
    const struct fetch_spec spec = {.method = "POST",
                                    .url = d->url,
                                    .headers = headers,
                                    .n_headers = countof(headers),
                                    .body = message->body,
                                    .body_len = message->len,
                                    .timeout_us = webhook_timeout(engine->parts.service),
                                    .address_allowed = address_allowed,
                                    .status = reply_status,
                                    .header = reply_header,
                                    .data = reply_data,
                                    .done = reply_done,
                                    .arg = s};
    if (host_check(engine, d->url, &err) == 0)
        s->fetch = fetch_start(engine->skill_fetcher, &spec, &err);
    if (s->fetch == NULL)
        sending_settle(s, &err);
}

/* ---- what is due ---- */

static void look_fire(struct loop_timer *timer)
{
    notifier_look(timer->arg);
}

static void claimed(void *arg)
{
    struct claim *claim = arg;
    struct engine *engine = claim->engine;
    struct notifier *n = &engine->notifier;
    n->claiming = false;
    n->all_void = n->all_void || !claim->failed;
    for (struct webhook_message *m = claim->messages, *next; m != NULL; m = next) {
        next = m->next;
        n->sending++;
        sending_begin(sending_new(engine, m));
    }
    int64_t wait = claim->failed ? RETRY_US : claim->next - clock_wall_us();
    if (n->again) {
        n->again = false;
        notifier_look(engine);
    } else if (claim->failed || claim->next != INT64_MAX) {
        wait = wait < LOOK_AGAIN_US ? wait : LOOK_AGAIN_US;
        loop_timer_cancel(engine->loop, &n->timer);
        if (n->sending < n->sending_max) /* else whoever ends looks */
            loop_timer_set(engine->loop, &n->timer, wait > 0 ? wait : 1000);
    }
    free(claim);
}

static void claim_free(void *arg)
{
    struct claim *claim = arg;
    for (struct webhook_message *m = claim->messages, *next; m != NULL; m = next) {
        next = m->next;
        webhook_message_free(m);
    }
    free(claim);
}

static void claim_job(void *arg)
{
    struct claim *claim = arg;
    error_auto err = ERROR_INIT;
    claim->failed = webhook_claim(claim->engine->parts.service, claim->max, claim->all,
                                  &claim->messages, &claim->next, &err) < 0;
    if (claim->failed)
        log_warn("webhook.claim", "%s; trying again", err.message);
    loop_post_owned(claim->engine->loop, claimed, claim_free, claim);
}

static void notifier_look(struct engine *engine)
{
    struct notifier *n = &engine->notifier;
    if (n->claiming) {
        n->again = true;
        return;
    }
    if (n->sending >= n->sending_max || engine->over || atomic_load(&engine->draining))
        return;
    struct claim *claim = xcalloc(1, sizeof(*claim));
    *claim = (struct claim){.engine = engine,
                            .max = n->sending_max - n->sending,
                            .all = !n->all_void && storage_exclusive(engine->parts.storage)};
    n->claiming = true;
    work_submit(engine->pool, claim_job, claim);
}

/* ---- out of turn ---- */

struct order {
    struct engine *engine;
    struct webhook_message *message;
    void (*done)(void *arg, const struct webhook_attempt *attempt);
    void *arg;
};

static void send_on_loop(void *arg)
{
    struct order *order = arg;
    struct sending *s = sending_new(order->engine, order->message);
    s->done = order->done;
    s->arg = order->arg;
    free(order);
    sending_begin(s);
}

void notifier_send(void *engine, struct webhook_message *message,
                   void (*done)(void *arg, const struct webhook_attempt *attempt), void *arg)
{
    struct order *order = xcalloc(1, sizeof(*order));
    *order = (struct order){engine, message, done, arg};
    loop_post(order->engine->loop, send_on_loop, order);
}

/* ---- life ---- */

static void look_on_loop(void *arg)
{
    notifier_look(arg);
}

void notifier_kick(struct engine *engine)
{
    atomic_store(&engine->notifier.wanted, true);
    loop_post(engine->loop, look_on_loop, engine);
}

void notifier_start(struct engine *engine)
{
    struct notifier *n = &engine->notifier;
    bool any = true;
    error_auto err = ERROR_INIT;
    n->timer = (struct loop_timer){.fn = look_fire, .arg = engine};
    n->sending_max = webhook_concurrency(engine->parts.service);
    if (store_webhook_any(engine->parts.storage, &any, &err) < 0)
        log_warn("webhook.claim", "%s", err.message);
    if (any)
        notifier_kick(engine);
}

void notifier_free(struct engine *engine)
{
    struct notifier *n = &engine->notifier;
    for (struct sending *s = n->all, *next; s != NULL; s = next) {
        next = s->next;
        if (s->fetch != NULL)
            fetch_cancel(s->fetch);
        if (s->done != NULL)
            s->done(s->arg, &(struct webhook_attempt){.at = s->at, .error = "c9d is stopping"});
        sending_free(s);
    }
    if (engine->loop != NULL)
        loop_timer_cancel(engine->loop, &n->timer);
}
