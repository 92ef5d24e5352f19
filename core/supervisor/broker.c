/* The broker: the one door. Every request of an executor is checked against the table below,
 * counted, carried out, and its answer is durable before the executor sees it. */
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/engine-private.h"

static void begin_now(struct effect *effect);
static void begin_validate(struct effect *effect);
static void begin_secret(struct effect *effect);
static int allow_model(struct effect *effect, struct error *err);
static int allow_http(struct effect *effect, struct error *err);
static int allow_agent(struct effect *effect, struct error *err);

/* One row a kind of request. A kind without a row does not exist. */
static const struct broker_row {
    /* Whether the manifest and the operator allow it; NULL: needs no capability. */
    int (*allow)(struct effect *effect, struct error *err);
    void (*begin)(struct effect *effect);
    bool counts; /* to ask once more may be to do it once more: asked [executions] asks times */
} rows[WIRE_KIND_COUNT_] = {
    [WIRE_KIND_NOW] = {NULL, begin_now},
    [WIRE_KIND_SLEEP] = {NULL, broker_sleep_begin},
    [WIRE_KIND_MODEL_CHAT] = {allow_model, broker_model_begin, true},
    [WIRE_KIND_HTTP_REQUEST] = {allow_http, broker_http_begin, true},
    [WIRE_KIND_AGENT_EXECUTE] = {allow_agent, broker_agent_begin},
    [WIRE_KIND_VALIDATE] = {NULL, begin_validate},
    [WIRE_KIND_WAIT_FOR] = {NULL, broker_wait_for_begin},
    [WIRE_KIND_SECRET] = {NULL, begin_secret},
};

/* ---- capabilities ---------------------------------------------------------------------------- */

static int denied(struct effect *effect, struct error *err, const char *kind, const char *what)
{
    error_set(err, E_CAPABILITY_DENIED,
              "the skill's manifest does not name %s '%.200s': add it to needs.%s", kind, what,
              kind);
    error_detail(err, "capability", json_pack("s+", kind, ":", what));
    error_detail(err, "kind", json_string(wire_kind_name(effect->kind)));
    return -1;
}

static bool named(const json_t *list, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)list, i, item)
        if (json_is_string(item) && (strcmp(json_string_value(item), name) == 0 ||
                                     strcmp(json_string_value(item), "*") == 0))
            return true;
    return false;
}

static int allow_model(struct effect *effect, struct error *err)
{
    const char *provider = jx_str(effect->request, "provider", "default");
    if (named(json_object_get(effect->run->launch->needs, "model"), provider))
        return 0;
    return denied(effect, err, "model", provider);
}

static int allow_http(struct effect *effect, struct error *err)
{
    (void)effect; /* each hop is checked where its host is known: broker_http.c */
    (void)err;
    return 0;
}

static int allow_agent(struct effect *effect, struct error *err)
{
    const char *agent = jx_str(effect->request, "agent", "");
    if (named(json_object_get(effect->run->launch->needs, "agents"), agent))
        return 0;
    return denied(effect, err, "agents", agent);
}

/* ---- a request's way ------------------------------------------------------------------------- */

static void effect_free(struct effect *e)
{
    DL_DELETE(e->run->effects, e);
    if (e->wait != NULL) { /* it may go on in another life */
        loop_timer_cancel(e->run->engine->loop, &e->wait->timer);
        e->wait->effect = NULL;
    }
    e->run->held -= e->held;
    error_clear(&e->refused);
    json_decref(e->request);
    free(e->asked);
    free(e);
}

/* One that grows beyond its bounds ends: what is journaled is durable, and replayed for ever. */
static bool journal_has_room(struct run *run, size_t bytes)
{
    const struct engine *engine = run->engine;
    run->journal_bytes += (int64_t)bytes;
    run->journal_effects++;
    bool many = run->journal_effects > engine->journal_effects_max;
    if (!many && run->journal_bytes <= engine->journal_bytes_max)
        return true;
    error_auto err = ERROR_INIT;
    int64_t most = many ? engine->journal_effects_max : engine->journal_bytes_max;
    error_set(&err, E_RESOURCE_EXHAUSTED,
              "the execution's journal would have more than %ld %s: [journal] %s", (long)most,
              many ? "effects" : "bytes", many ? "effects" : "bytes");
    error_detail(&err, "setting", json_string(many ? "[journal] effects" : "[journal] bytes"));
    error_detail(&err, "max", json_integer(most));
    run_end_failed(run, &err, NULL);
    if (run->executor != NULL)
        executor_kill(run->executor);
    return false;
}

/* ---- steps: what whoever follows the execution sees of its effects ---- */

static bool is_step(unsigned kind)
{
    return kind != WIRE_KIND_NOW && kind != WIRE_KIND_VALIDATE;
}

static void step_started(struct effect *e)
{
    char event[96];
    if (!is_step(e->kind))
        return;
    commit_deltas(e->run);
    int len = snprintf(event, sizeof(event), "{\"step\":%lu,\"kind\":\"%s\",\"state\":\"started\"}",
                       (unsigned long)e->seq, wire_kind_name(e->kind));
    commit_event(e->run, "step", event, (size_t)len, 0);
    commit_soon(e->run);
}

/* With the answer, in its commit: each once, whatever happens. */
static void step_ended(struct effect *e, bool is_error, const struct effect_cost *cost)
{
    char event[256];
    if (!is_step(e->kind))
        return;
    int len = snprintf(
        event, sizeof(event), "{\"step\":%lu,\"kind\":\"%s\",\"state\":\"%s\",\"tookMs\":%ld}",
        (unsigned long)e->seq, wire_kind_name(e->kind), is_error ? "failed" : "completed",
        (long)((clock_wall_us() - e->asked_at) / 1000));
    commit_event(e->run, "step", event, (size_t)len, 0);
    if (cost->tokens == 0 && cost->cost_microcents == 0)
        return;
    buf_auto usage = BUF_INIT;
    run_usage_append(e->run, &usage);
    commit_event(e->run, "usage", usage.data, usage.len, 0);
}

void effect_answer_text(struct effect *e, const char *text, size_t len, bool is_error,
                        const struct effect_cost *cost)
{
    static const struct effect_cost nothing;
    struct run *run = e->run;
    if (cost == NULL)
        cost = &nothing;
    e->abort = NULL; /* its state is gone */
    run->usage.api_calls += cost->api_calls;
    run->usage.tokens += cost->tokens;
    run->usage.cost_microcents += cost->cost_microcents;
    bool journals = !run->ephemeral;
    if (journals && !journal_has_room(run, len + e->asked_len))
        return; /* all effects are dropped */
    commit_deltas(run);
    struct commit *c = commit_next(run);
    wire_frame_append(&c->answers, WIRE_ANSWER, is_error ? WIRE_FLAG_ERROR : 0, e->seq, text, len);
    c->bytes += 2 * len; /* the frame, and the journal's row */
    if (journals) {
        int64_t now = clock_wall_us(); /* a replay goes by these: their order is ours, always */
        run->answered_at = now > run->answered_at ? now : run->answered_at + 1;
        struct journal_row row = {
            .seq = (int64_t)e->seq,
            .kind = wire_kind_name(e->kind),
            .request_sha256 = e->digest,
            .request = e->asked,
            .request_len = e->asked_len,
            .answer = text,
            .answer_len = len,
            .is_error = is_error,
            .api_calls = cost->api_calls,
            .tokens = cost->tokens,
            .cost_microcents = cost->cost_microcents,
            .asked_at = e->asked_at,
            .answered_at = run->answered_at,
        };
        store_journal_append(c->batch, run->id, &row);
    }
    step_ended(e, is_error, cost);
    run->n_pending--;
    effect_free(e);
    commit_go(run);
    run_idle_check(run);
}

void effect_answer(struct effect *effect, json_t *answer, const struct effect_cost *cost)
{
    size_t len;
    autofree char *text = jx_encode(answer, &len);
    error_auto err = ERROR_INIT;
    json_decref(answer);
    effect_release(effect, (size_t)effect->held); /* the answer is in its place now */
    if (len > WIRE_PAYLOAD_MAX || run_hold_check(effect->run, 2 * len, "the answer", &err) < 0) {
        if (err.code == E_NONE)
            error_set(&err, E_RESOURCE_EXHAUSTED, "an answer of %zu bytes is more than can be sent",
                      len);
        effect_refuse(effect, &err, cost);
        return;
    }
    effect_answer_text(effect, text, len, false, cost);
}

void effect_refuse(struct effect *effect, const struct error *err, const struct effect_cost *cost)
{
    jx_auto *object = error_to_json(err);
    json_object_set_new(object, "retryable", json_boolean(error_row(err->code)->retryable));
    size_t len;
    autofree char *text = jx_encode(object, &len);
    effect_answer_text(effect, text, len, true, cost);
}

void effect_aborted(struct effect *effect, int64_t calls)
{
    if (effect->run->evicting)
        return; /* what it waits for goes on */
    effect->run->usage.api_calls += calls;
    effect->run->aborted_calls += calls;
}

void effect_delta(struct effect *effect, const char *text, size_t len, bool to_executor,
                  bool to_events)
{
    struct run *run = effect->run;
    if (to_executor && run->executor != NULL) {
        executor_send_frame(run->executor, WIRE_DELTA, 0, effect->seq, text, len);
        executor_flush(run->executor);
    }
    if (to_events) {
        if (run->delta_request != (int64_t)effect->seq)
            commit_deltas(run);
        run->delta_request = (int64_t)effect->seq;
        buf_append(&run->delta, text, len);
        commit_soon(run);
    }
}

void effect_key(const struct effect *effect, int64_t n, char key_r[UUID_SIZE])
{
    char text[UUID_SIZE + 96];
    int len = snprintf(text, sizeof(text), "%s/%lu/%ld/key/%ld", effect->run->id,
                       (unsigned long)effect->seq, (long)effect->run->retries, (long)n);
    uuid_of_text(text, (size_t)len, key_r);
}

json_t *effect_rehearsed(struct effect *effect, const char *kind)
{
    json_t *replies = json_object_get(effect->run->rehearsal, kind);
    if (json_array_size(replies) > 0) {
        json_t *reply = json_incref(json_array_get(replies, 0));
        json_array_remove(replies, 0);
        return reply;
    }
    error_auto err = ERROR_INIT;
    error_set(&err,
              strcmp(kind, "model") == 0  ? E_MODEL_FAILED
              : strcmp(kind, "http") == 0 ? E_HTTP_FAILED
                                          : E_EXECUTION_FAILED,
              "the example has no recorded reply left for this %s call: add one to its `%s` list",
              kind, kind);
    effect_refuse(effect, &err, NULL);
    return NULL;
}

/* Budgets of calls' cost: checked before each effect that costs. */
static int within_budget(struct run *run, struct error *err)
{
    const struct launch_limits *l = &run->launch->limits;
    struct spent left = run_left(run);
    if (left.tokens > 0 && left.cost_microcents > 0)
        return 0;
    struct spent used = run_spent(run);
    const struct {
        int64_t left, used, limit, unit;
        const char *name;
    } budgets[] = {
        {left.tokens, used.tokens, l->tokens, 1, "tokens"},
        {left.cost_microcents, used.cost_microcents, l->cost_microcents, 1000000, "costCents"},
    };
    const size_t i = left.tokens > 0;
    bool own = budgets[i].limit > 0 && budgets[i].used >= budgets[i].limit;
    error_set(err, E_RESOURCE_EXHAUSTED, "the %s budget of %s is used up",
              own ? "execution's" : "executing execution's", budgets[i].name);
    error_detail(err, "limit", json_string(budgets[i].name));
    error_detail(err, "used", json_integer(budgets[i].used / budgets[i].unit));
    if (own)
        error_detail(err, "max", json_integer(budgets[i].limit / budgets[i].unit));
    return -1;
}

/* ---- asked again ---- */

static int64_t asks_before(const struct run *run, uint64_t seq)
{
    for (size_t i = 0; i < run->n_asks; i++)
        if (run->asks[i].seq == (int64_t)seq)
            return run->asks[i].asks;
    return 1; /* its former life may have asked */
}

/* It may have been under way when the former life ended. That it is asked again is durable before
 * it is; what was asked as often as is allowed is refused. True: that is under way, or done. */
static bool effect_asks_again(struct effect *e)
{
    struct run *run = e->run;
    if (!run->frontier || !rows[e->kind].counts || e->asking != NULL)
        return false;
    int64_t before = asks_before(run, e->seq);
    if (before >= run->engine->asks_max) {
        error_auto err = ERROR_INIT;
        error_set(&err, E_OUTCOME_UNKNOWN,
                  "step %ld (%s) was under way when c9d or its sandbox was killed, after it was "
                  "asked %ld times; it is not asked again: [executions] asks",
                  (long)e->seq, wire_kind_name(e->kind), (long)before);
        error_detail(&err, "step", json_integer((json_int_t)e->seq));
        error_detail(&err, "asks", json_integer(before));
        effect_refuse(e, &err, NULL);
        return true;
    }
    struct commit *c = e->asking = commit_next(run);
    c->asks = true;
    store_ask_put(c->batch, run->id, (int64_t)e->seq, before + 1, clock_wall_us());
    commit_go(run);
    return true;
}

static void effect_begin(struct effect *e)
{
    error_auto err = ERROR_INIT;
    const struct broker_row *row = &rows[e->kind];
    if (effect_asks_again(e))
        return;
    e->begun = true;
    if (e->refused.code != E_NONE) {
        error_move(&err, &e->refused);
        effect_refuse(e, &err, NULL);
        return;
    }
    if (row->allow != NULL && (row->allow(e, &err) < 0 || within_budget(e->run, &err) < 0)) {
        effect_refuse(e, &err, NULL);
    } else if (e->run->recorded != NULL && broker_is_recorded(e)) {
        broker_recorded_begin(e);
    } else {
        step_started(e);
        row->begin(e);
    }
}

/* ---- public ---------------------------------------------------------------------------------- */

/* Decodes the request if there is room for it; else *request_r stays NULL and refused says why: the
 * effect is refused as soon as it begins. -1: no request at all, its sender is dead. */
static int request_decode(struct run *run, const char *text, size_t len, json_t **request_r,
                          struct error *refused)
{
    error_auto err = ERROR_INIT;
    if (run_hold_check(run, jx_weight(text, len) + len, "a request", refused) < 0)
        return 0;
    *request_r = jx_decode(text, len, "request", &err);
    if (json_is_object(*request_r))
        return 0;
    run_violated(&run->user, *request_r == NULL ? err.message : "a request that is not an object");
    return -1;
}

/* NULL when the rules allow it. */
static const char *request_wrong(const struct run *run, uint64_t id, unsigned kind)
{
    if (kind >= WIRE_KIND_COUNT_ || rows[kind].begin == NULL)
        return "a request of unknown kind";
    if (id != run->last_request + 1)
        return "a request out of order";
    if (run->n_pending >= RUN_PENDING_MAX)
        return "more pending requests than allowed";
    if (id > (uint64_t)run->launch->limits.requests + 1)
        return "more requests than its limits allow";
    return NULL;
}

/* An executor that does not read what it is told and asks for more. */
static bool unread_too_much(struct run *run)
{
    error_auto err = ERROR_INIT;
    if (run->executor == NULL || executor_unsent(run->executor) + run->behind.len <
                                     (size_t)run->launch->limits.host_memory / 2)
        return false;
    run_hold_check(run, (size_t)run->launch->limits.host_memory, "answers that it does not read",
                   &err);
    run_end_failed(run, &err, NULL);
    executor_kill(run->executor);
    return true;
}

static struct effect *effect_new(struct run *run, uint64_t id, unsigned kind, const char *digest)
{
    struct effect *e = xcalloc(1, sizeof(*e));
    e->run = run;
    e->seq = id;
    e->kind = kind;
    e->asked_at = clock_wall_us();
    memcpy(e->digest, digest, sizeof(e->digest));
    DL_APPEND(run->effects, e);
    return e;
}

/* The text is kept for the journal, if it is not too long for that. */
static void effect_keep(struct effect *e, const char *text, size_t len)
{
    struct run *run = e->run;
    if (len <= (size_t)run->engine->journal_request_max && !run->ephemeral) {
        e->asked_len = len;
        e->asked = xstrndup(text, len);
    }
    e->held = (int64_t)e->asked_len;
    if (e->request != NULL)
        e->held += (int64_t)jx_weight(text, len);
    run->held += e->held;
}

void broker_request(struct run *run, uint64_t id, const uint8_t *payload, size_t len)
{
    unsigned kind = payload[0] | (unsigned)payload[1] << 8;
    const char *wrong = request_wrong(run, id, kind);
    if (wrong != NULL) {
        run_violated(&run->user, wrong);
        return;
    }
    error_auto refused = ERROR_INIT;
    jx_auto *request = NULL;
    if (unread_too_much(run) ||
        request_decode(run, (const char *)payload + 2, len - 2, &request, &refused) < 0)
        return;
    company_leave(run);
    run->last_request = id;
    run->n_pending++;
    char digest[SHA256_HEX_SIZE];
    hash_sha256_hex(payload, len, digest);
    if (broker_replay(run, id, kind, digest, request))
        return;
    struct effect *e = effect_new(run, id, kind, digest);
    e->request = move_ptr(&request);
    if (refused.code != E_NONE)
        error_move(&e->refused, &refused);
    effect_keep(e, (const char *)payload + 2, len - 2);
    run_idle_check(run);
    if (run->durable)
        effect_begin(e);
    else
        commit_go(run); /* the row, which may be waiting for company */
}

void broker_asks_durable(struct run *run, const struct commit *commit)
{
    for (struct effect *e = run->effects, *next; e != NULL && run->end == RUN_GOES_ON; e = next) {
        next = e->next;
        if (!e->begun && e->asking == commit)
            effect_begin(e);
    }
}

void broker_row_durable(struct run *run)
{
    for (struct effect *e = run->effects, *next; e != NULL && run->end == RUN_GOES_ON; e = next) {
        next = e->next;
        if (!e->begun && e->asking == NULL)
            effect_begin(e);
    }
}

void broker_abort(struct run *run)
{
    while (run->effects != NULL) {
        struct effect *e = run->effects;
        if (e->begun && e->abort != NULL)
            e->abort(e);
        effect_free(e);
    }
    run->n_pending = 0;
}

/* ---- the small kinds ------------------------------------------------------------------------- */

static void begin_now(struct effect *effect)
{
    effect_answer(effect, json_pack("{sI}", "us", (json_int_t)clock_wall_us()), NULL);
}

/* The schema asked about; *found_r false when nothing of that name is there. NULL: anything is
 * valid. */
static struct schema *validate_schema(struct effect *effect, bool *found_r)
{
    const struct launch *launch = effect->run->launch;
    const char *of = jx_str(effect->request, "of", ""), *name = jx_str(effect->request, "name", "");
    *found_r = true;
    if (strcmp(of, "output") == 0)
        return launch->output_schema;
    for (size_t i = 0; strcmp(of, "skill") == 0 && i < launch->n_skills; i++)
        if (strcmp(launch->skills[i].name, name) == 0)
            return launch->skills[i].input;
    *found_r = false;
    return NULL;
}

static void begin_validate(struct effect *effect)
{
    error_auto err = ERROR_INIT;
    bool found;
    struct schema *schema = validate_schema(effect, &found);
    json_t *value = json_object_get(effect->request, "value");
    if (!found || value == NULL) {
        error_set(&err, E_INVALID_REQUEST,
                  "there is no skill of this name in the agent's skillset, or no value");
        effect_refuse(effect, &err, NULL);
    } else {
        check_value(effect, schema, value);
    }
}

/* Its capability is checked where it is known what there is: secrets.c. */
static void begin_secret(struct effect *effect)
{
    error_auto err = ERROR_INIT;
    char reference[SECRET_REFERENCE_SIZE];
    if (secret_reference(effect->run, jx_str(effect->request, "name", ""), reference, &err) < 0)
        effect_refuse(effect, &err, NULL);
    else
        effect_answer(effect, json_pack("{ss}", "reference", reference), NULL);
}
