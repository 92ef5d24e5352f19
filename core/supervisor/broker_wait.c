/* sleep and wait_for: the requests that are nothing but waiting. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/signal.h"
#include "store/wait.h"
#include "supervisor/engine-private.h"

enum { WAIT_MAX_S = 366 * 24 * 3600 };

/* ---- sleep ---- */

static void sleep_fire(struct loop_timer *timer)
{
    struct wait *wait = timer->arg;
    struct effect *effect = wait->effect;
    wait_end(effect);
    effect_answer(effect, json_object(), NULL);
}

void broker_sleep_begin(struct effect *effect)
{
    struct run *run = effect->run;
    int64_t us = jx_int(effect->request, "us", -1);
    error_auto err = ERROR_INIT;
    if (us < 0 || us > WAIT_MAX_S * CLOCK_SECOND) {
        error_set(&err, E_INVALID_REQUEST, "c9.sleep: between 0 and %d seconds", WAIT_MAX_S);
        effect_refuse(effect, &err, NULL);
        return;
    }
    struct wait *wait = wait_begin(effect, WAIT_SLEEP, NULL, NULL, us > 0 ? us : 1);
    wait->timer.fn = sleep_fire;
    /* A rehearsal does not wait; one that was stored goes by the wall clock. */
    int64_t left = run->ephemeral ? 0 : wait->stored ? wait_left(wait) : us;
    loop_timer_set(run->engine->loop, &wait->timer, left);
    run_idle_check(run);
}

/* ---- signals ---- */

/* What a pool thread looks up: the oldest kept signal of a name. */
struct look {
    struct engine *engine;
    char execution_id[UUID_SIZE];
    char *name;
    struct kept_signal signal;
    int found; /* as store_signal_next */
    struct error err;
    struct loop_timer again;
};

static void look_back(void *arg);
static void look_free(void *arg);

static void look(void *arg)
{
    struct look *l = arg;
    l->found =
        store_signal_next(l->engine->parts.storage, l->execution_id, l->name, &l->signal, &l->err);
    loop_post_owned(l->engine->loop, look_back, look_free, l);
}

static void look_free(void *arg)
{
    struct look *l = arg;
    free(l->name);
    free(l->signal.payload);
    error_clear(&l->err);
    free(l);
}

/* The names are looked up one after the other, and nothing while a signal found is on its way into
 * the journal: so none is found twice. */
static struct wait *wait_to_look_for(struct run *run)
{
    for (struct wait *w = run->waits; w != NULL; w = w->next)
        if (w->kind == WAIT_SIGNAL && w->effect != NULL && w->look)
            return w;
    return NULL;
}

static void run_look(struct run *run)
{
    struct wait *wait = run->looking || run->settling ? NULL : wait_to_look_for(run);
    if (wait == NULL)
        return;
    struct look *l = xcalloc(1, sizeof(*l));
    l->engine = run->engine;
    memcpy(l->execution_id, run->id, UUID_SIZE);
    l->name = xstrdup(wait->name);
    wait->look = false;
    run->looking = true;
    work_submit(run->engine->pool, look, l);
}

void run_signalled(struct run *run)
{
    for (struct wait *w = run->waits; w != NULL; w = w->next)
        w->look = true;
    run_look(run);
}

/* The commit that settled a signal is durable: there may be more. */
void run_signal_settled(struct run *run)
{
    run->settling = false;
    run_signalled(run);
}

static struct wait *wait_named(struct run *run, const char *name)
{
    for (struct wait *w = run->waits; w != NULL; w = w->next)
        if (w->kind == WAIT_SIGNAL && w->effect != NULL && strcmp(w->name, name) == 0)
            return w;
    return NULL;
}

/* A signal that came before anybody could say what it must look like. */
static void signal_refuse(struct run *run, const struct look *l, const struct error *why)
{
    struct commit *c = commit_next(run);
    store_signal_settle(c->batch, l->signal.id, "refused", 0, clock_wall_us());
    c->settles = true;
    jx_auto *event = json_pack("{s:s, s:s, s:s}", "name", l->name, "signalId", l->signal.id,
                               "message", why->message);
    if (json_object_get(why->details, "validationErrors") != NULL)
        json_object_set(event, "validationErrors",
                        json_object_get(why->details, "validationErrors"));
    size_t len;
    autofree char *text = jx_encode(event, &len);
    commit_event(run, "signalRefused", text, len, 0);
    commit_go(run);
}

static void signal_deliver(struct run *run, struct wait *wait, const struct look *l,
                           json_t *payload)
{
    struct effect *effect = wait->effect;
    struct commit *c = commit_next(run);
    store_signal_settle(c->batch, l->signal.id, "delivered", wait->seq, clock_wall_us());
    c->settles = true;
    wait_end(effect);
    effect_answer(effect,
                  json_pack("{s:O, s:s, s:s, s:I}", "payload", payload, "signal_id", l->signal.id,
                            "sent_by", l->signal.sent_by, "sent_us",
                            (json_int_t)l->signal.created_at),
                  NULL);
}

static void look_back(void *arg)
{
    struct look *l = arg;
    struct run *run = run_find(l->engine, l->execution_id);
    struct wait *wait = run != NULL ? wait_named(run, l->name) : NULL;
    if (run != NULL)
        run->looking = false;
    if (l->found < 0)
        log_warn("execution.signal", "%s: %s", l->execution_id, l->err.message);
    if (wait != NULL && l->found == 0 && run->end == RUN_GOES_ON && !run->interrupted) {
        error_auto err = ERROR_INIT;
        jx_auto *payload = jx_decode(l->signal.payload, l->signal.payload_len, "signal", &err);
        run->settling = true;
        if (payload == NULL ||
            (wait->schema != NULL && schema_validate(wait->schema, payload, &err) < 0))
            signal_refuse(run, l, &err);
        else
            signal_deliver(run, wait, l, payload);
    } else if (run != NULL) {
        run_look(run);
    }
    look_free(l);
}

static void timeout_fire(struct loop_timer *timer)
{
    struct wait *wait = timer->arg;
    struct effect *effect = wait->effect;
    error_auto err = ERROR_INIT;
    error_set(&err, E_WAIT_TIMEOUT, "no signal '%s' came in time", wait->name);
    error_detail(&err, "signal", json_string(wait->name));
    wait_end(effect);
    effect_refuse(effect, &err, NULL);
}

/* Of an example: the next signal of this name. */
static void rehearse(struct effect *effect, const char *name)
{
    json_t *signals = json_object_get(effect->run->rehearsal, "signals"), *signal;
    error_auto err = ERROR_INIT;
    size_t i;
    json_array_foreach (signals, i, signal) {
        if (strcmp(jx_str(signal, "name", ""), name) != 0)
            continue;
        json_t *payload = json_object_get(signal, "payload");
        json_t *answer = json_pack("{s:O, s:s, s:s, s:I}", "payload",
                                   payload != NULL ? payload : json_null(), "signal_id", "recorded",
                                   "sent_by", "recorded", "sent_us", (json_int_t)clock_wall_us());
        json_array_remove(signals, i);
        effect_answer(effect, answer, NULL);
        return;
    }
    if (json_object_get(effect->request, "timeout_us") != NULL)
        error_set(&err, E_WAIT_TIMEOUT, "no signal '%s' came in time", name);
    else
        error_set(&err, E_INVALID_STATE,
                  "the example has no signal '%s' left: add {name = \"%s\", payload = …} to its "
                  "`signals` list",
                  name, name);
    effect_refuse(effect, &err, NULL);
}

static int request_check(const struct effect *effect, struct schema **schema_r, struct error *err)
{
    const char *name = jx_str(effect->request, "name", "");
    const json_t *schema = json_object_get(effect->request, "schema");
    int64_t timeout = jx_int(effect->request, "timeout_us", 0);
    if (!signal_name_valid(name))
        return error_set(err, E_INVALID_REQUEST,
                         "c9.wait_for: a signal's name has 1 to 128 of a-z A-Z 0-9 . _ -");
    if (timeout < 0 || timeout > WAIT_MAX_S * CLOCK_SECOND)
        return error_set(err, E_INVALID_REQUEST, "c9.wait_for: timeout: between 0 and %d seconds",
                         WAIT_MAX_S);
    if (schema == NULL)
        return 0;
    *schema_r = schema_compile(schema, NULL, err);
    return *schema_r != NULL ? 0 : error_wrap(err, "c9.wait_for: schema");
}

void broker_wait_for_begin(struct effect *effect)
{
    struct run *run = effect->run;
    struct schema *schema = NULL;
    error_auto err = ERROR_INIT;
    if (request_check(effect, &schema, &err) < 0) {
        effect_refuse(effect, &err, NULL);
        return;
    }
    const char *name = jx_str(effect->request, "name", "");
    if (run->rehearsal != NULL) {
        schema_unref(schema);
        rehearse(effect, name);
        return;
    }
    const json_t *document = json_object_get(effect->request, "schema"),
                 *timeout = json_object_get(effect->request, "timeout_us");
    autofree char *schema_text = document != NULL ? jx_encode(document, NULL) : NULL;
    int64_t us = json_integer_value(timeout);
    struct wait *wait = wait_begin(effect, WAIT_SIGNAL, name, schema_text,
                                   timeout == NULL ? 0
                                   : us > 0        ? us
                                                   : 1);
    schema_unref(wait->schema);
    wait->schema = schema;
    wait->timer.fn = timeout_fire;
    wait->look = true;
    if (wait->until != 0)
        loop_timer_set(run->engine->loop, &wait->timer, wait_left(wait));
    run_look(run);
    run_idle_check(run);
}
