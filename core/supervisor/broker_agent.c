/* agents.execute: a child execution, durable like any other. Its id follows from the parent's id
 * and the step, so that a parent that runs again finds the child that it has already, instead of
 * starting a second one. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/execution.h"
#include "service/policy.h"
#include "supervisor/engine-private.h"

enum { POLL_US = 200000 }; /* for a child that another life or node has */

struct child {
    struct execution_watch watch; /* first: cast back */
    struct effect *effect;        /* NULL: the parent has gone; what comes back is dropped */
    struct engine *engine;
    char id[UUID_SIZE];
    struct loop_timer poll;
    bool preparing, watching, late;
    /* For the pool thread; the engine leaves them alone meanwhile. */
    char *agent, *version, *label, *user_id, *organization_id, *input, *concurrency_key;
    struct launch *launch;
    char *note;
    struct execution_job job; /* the child, when it is there already */
    bool exists;
    char *output;
    struct error err;
};

static void child_prepare(struct child *child);

/* Of parent, step and, behind the first, the attempt; in lists it is behind its parent. */
static void child_id(const struct run *parent, uint64_t step, char out[UUID_SIZE])
{
    char text[UUID_SIZE + 48];
    int len = parent->retries == 0
                  ? snprintf(text, sizeof(text), "%s/%lu", parent->id, (unsigned long)step)
                  : snprintf(text, sizeof(text), "%s/%lu/%ld", parent->id, (unsigned long)step,
                             (long)parent->retries);
    uuid_behind(parent->id, step, text, (size_t)len, out);
}

static void child_free(void *arg)
{
    struct child *child = arg;
    loop_timer_cancel(child->engine->loop, &child->poll);
    launch_unref(child->launch);
    execution_job_free(&child->job);
    error_clear(&child->err);
    free(child->agent);
    free(child->version);
    free(child->label);
    free(child->user_id);
    free(child->organization_id);
    free(child->input);
    free(child->concurrency_key);
    free(child->output);
    free(child->note);
    free(child);
}

/* Nobody waits for it any more; what it has spent up to now is its parent's. */
static void child_let_go(struct child *child)
{
    struct run *parent = child->effect->run;
    child->effect = NULL;
    if (child->watching) {
        engine_ops.unwatch(child->engine, &child->watch);
        child->watching = false;
        const struct run *run = run_find(child->engine, child->id);
        if (run != NULL) {
            struct spent so_far = run_spent(run);
            parent->children_tokens += so_far.tokens;
            parent->children_cost += so_far.cost_microcents;
        }
    }
    if (!child->preparing)
        child_free(child);
}

static void child_abort(struct effect *effect)
{
    effect_aborted(effect, 1);
    child_let_go(effect->state);
}

/* The time that its parent gave it has passed, by the wall clock. */
static void child_late(struct child *child)
{
    struct effect *effect = child->effect;
    const struct wait *wait = effect->wait;
    error_auto err = ERROR_INIT;
    int64_t timeout_ms = (wait->until - wait->since) / 1000;
    error_set(&err, E_EXECUTION_TIMEOUT,
              "the execution of %s took longer than its timeout of %ld ms", child->agent,
              (long)timeout_ms);
    error_detail(&err, "limit", json_string("timeout"));
    error_detail(&err, "limitMs", json_integer(timeout_ms));
    error_detail(&err, "executionId", json_string(child->id));
    run_children_cancel(effect->run, child->id);
    child_let_go(child);
    wait_end(effect);
    effect_refuse(effect, &err, &(struct effect_cost){.api_calls = 1});
}

/* While it is looked for: it may have ended in time. */
static void late_fire(struct loop_timer *timer)
{
    const struct wait *wait = timer->arg;
    struct child *child = wait->effect->state;
    child->late = true;
    if (!child->preparing)
        child_late(child);
}

static bool child_has_ended(const struct child *child)
{
    return child->exists && strcmp(child->job.status, "pending") != 0 &&
           strcmp(child->job.status, "running") != 0;
}

/* What it and its own children have spent is the parent's from now on. */
static json_t *child_charge(struct child *child, const char *usage)
{
    error_auto err = ERROR_INIT;
    struct run *parent = child->effect->run;
    jx_auto *used = usage != NULL ? jx_decode(usage, strlen(usage), "usage", &err) : NULL;
    int64_t tokens = jx_int(used, "tokensConsumed", 0) + jx_int(used, "childrenTokens", 0);
    int64_t cost = jx_int(used, "costMicrocents", 0) + jx_int(used, "childrenCostMicrocents", 0);
    parent->children_tokens += tokens;
    parent->children_cost += cost;
    return json_pack("{sIsI}", "tokens", (json_int_t)tokens, "cost_microcents", (json_int_t)cost);
}

static void child_refuse(struct child *child)
{
    struct effect *effect = child->effect;
    error_auto err = ERROR_INIT;
    error_move(&err, &child->err);
    error_detail(&err, "executionId", json_string(child->id));
    child_free(child);
    wait_end(effect);
    effect_refuse(effect, &err, &(struct effect_cost){.api_calls = 1});
}

static void child_answer(struct child *child, const char *status, const char *output,
                         const char *error, const char *usage)
{
    error_auto err = ERROR_INIT;
    jx_auto *used = child_charge(child, usage);
    if (strcmp(status, "completed") != 0) {
        jx_auto *said = error != NULL ? jx_decode(error, strlen(error), "error", &err) : NULL;
        enum error_code code = error_code_by_name(jx_str(said, "code", ""));
        error_set(&child->err, code != E_NONE ? code : E_EXECUTION_FAILED,
                  "the execution of %s %s: %s", child->agent, status,
                  jx_str(said, "message", "no reason was given"));
        error_detail(&child->err, "usage", json_incref(used));
        child_refuse(child);
        return;
    }
    json_t *value = jx_decode(output != NULL ? output : "null", output != NULL ? strlen(output) : 4,
                              "output", &err);
    if (value == NULL) {
        error_move(&child->err, &err);
        child_refuse(child);
        return;
    }
    struct effect *effect = child->effect;
    json_t *answer =
        json_pack("{s:s, s:o, s:O}", "execution_id", child->id, "output", value, "usage", used);
    child_free(child);
    wait_end(effect);
    effect_answer(effect, answer, &(struct effect_cost){.api_calls = 1});
}

/* Its end will wake its parent, wherever that is. */
static void child_is_stored(const struct child *child)
{
    child->effect->wait->unsure = false;
    run_idle_check(child->effect->run);
}

/* The store cannot be asked, or take it: that is not the skill's to hear. */
static bool child_tries_again(struct child *child, struct error *err)
{
    if (err->code != E_STORAGE_FAILED)
        return false;
    error_clear(err);
    loop_timer_set(child->engine->loop, &child->poll, POLL_US);
    return true;
}

static void child_accepted(struct execution_watch *watch, struct error *err)
{
    struct child *child = (struct child *)watch;
    if (err == NULL) {
        child_is_stored(child);
        return;
    }
    child->watching = false;
    if (err->code == E_INVALID_STATE) { /* a former life's has come, and may have gone, meanwhile */
        child_prepare(child);
        return;
    }
    if (child_tries_again(child, err))
        return;
    error_move(&child->err, err);
    child_refuse(child);
}

static void child_ended(struct execution_watch *watch, const struct execution_outcome *outcome)
{
    struct child *child = (struct child *)watch;
    child->watching = false;
    child_answer(child, outcome->status, outcome->output, outcome->error, outcome->usage);
}

/* The child is not here any more: look into the store until it has ended. */
static void child_left(struct execution_watch *watch)
{
    struct child *child = (struct child *)watch;
    child->watching = false;
    loop_timer_set(child->engine->loop, &child->poll, POLL_US);
}

static void poll_fire(struct loop_timer *timer)
{
    child_prepare(timer->arg);
}

static void child_submit(struct child *child)
{
    struct run *parent = child->effect->run;
    struct run *run = run_new(child->engine, child->id, child->launch);
    run->user_id = xstrdup(parent->user_id);
    run->parent_id = xstrdup(parent->id);
    jx_auto *context = json_pack("{s:s, s:i, s:s*}", "parentId", parent->id, "depth",
                                 (int)parent->depth + 1, "label", child->label);
    run->context = jx_encode(context, NULL);
    run->version_note = move_ptr(&child->note);
    run->input = xstrdup(child->input);
    run->input_len = strlen(child->input);
    run->priority = parent->priority;
    run->concurrency_key = move_ptr(&child->concurrency_key);
    run->created_at = clock_wall_us();
    run->depth = parent->depth + 1;
    run_child_adopt(parent, run);
    child->watching = true;
    run_watch(run, &child->watch);
    error_auto err = ERROR_INIT;
    if (slots_refuse(run, &err)) {
        run_refuse(run, &err);
        return;
    }
    run_insert(run, NULL);
    run_admit(run);
}

/* Back on the engine thread. */
static void child_prepared(void *arg)
{
    struct child *child = arg;
    child->preparing = false;
    if (child->effect == NULL) {
        child_free(child);
        return;
    }
    struct run *run = run_find(child->engine, child->id);
    if (child_tries_again(child, &child->err)) {
        return;
    } else if (child->err.code != E_NONE) {
        child_refuse(child);
    } else if (child->late && !child_has_ended(child)) {
        child_late(child);
    } else if (run != NULL) {
        child->watching = true;
        run_watch(run, &child->watch);
        if (child->exists || run->durable)
            child_is_stored(child);
    } else if (!child->exists && run_child_admissible(child->effect->run, &child->err) < 0) {
        child_refuse(child);
    } else if (!child->exists) {
        child_submit(child);
    } else if (!child_has_ended(child)) {
        child_is_stored(child);
        loop_timer_set(child->engine->loop, &child->poll, POLL_US);
    } else {
        child_answer(child, child->job.status, child->job.output, child->job.error,
                     child->job.usage);
    }
}

/* On a pool thread. */
static void child_look_up(void *arg)
{
    struct child *child = arg;
    struct engine_parts *parts = &child->engine->parts;
    struct principal who;
    execution_job_free(&child->job);
    child->job = (struct execution_job){0};
    launch_unref(move_ptr(&child->launch));
    int found = store_execution_job(parts->storage, child->id, &child->job, &child->err);
    child->exists = found == 0;
    if (found == 1) {
        jx_auto *input = jx_decode(child->input, strlen(child->input), "input", &child->err);
        if (input != NULL &&
            execution_principal(parts->service, child->user_id, child->organization_id, &who,
                                &child->err) == 0 &&
            execution_prepare(parts->service, &who, child->agent, child->version, child->id, input,
                              &child->launch, &child->note, &child->err) == 0)
            policy_key(&child->launch->concurrency, NULL, input, &child->concurrency_key,
                       &child->err);
    }
    loop_post_owned(child->engine->loop, child_prepared, child_free, child);
}

static void child_prepare(struct child *child)
{
    child->preparing = true;
    work_submit(child->engine->pool, child_look_up, child);
}

/* ---- tokens and money below ------------------------------------------------------------------ */

struct spent run_spent(const struct run *run)
{
    struct spent all = {run->usage.tokens + run->children_tokens,
                        run->usage.cost_microcents + run->children_cost};
    for (const struct effect *e = run->effects; e != NULL; e = e->next) {
        const struct child *child = e->kind == WIRE_KIND_AGENT_EXECUTE ? e->state : NULL;
        const struct run *below = child != NULL ? run_find(run->engine, child->id) : NULL;
        if (below == NULL)
            continue;
        struct spent its = run_spent(below);
        all.tokens += its.tokens;
        all.cost_microcents += its.cost_microcents;
    }
    return all;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct spent run_left(const struct run *run)
{
    struct spent left = {INT64_MAX, INT64_MAX};
    for (; run != NULL && run->launch != NULL;
         run = run->parent_id != NULL ? run_find(run->engine, run->parent_id) : NULL) {
        const struct launch_limits *l = &run->launch->limits;
        if (l->tokens == 0 && l->cost_microcents == 0)
            continue;
        struct spent used = run_spent(run);
        if (l->tokens > 0)
            left.tokens = least(left.tokens, l->tokens - used.tokens);
        if (l->cost_microcents > 0)
            left.cost_microcents =
                least(left.cost_microcents, l->cost_microcents - used.cost_microcents);
    }
    return left;
}

void run_children_replayed(struct run *run, const struct replay *replay)
{
    error_auto err = ERROR_INIT;
    if (replay->kind != WIRE_KIND_AGENT_EXECUTE || replay->copied)
        return;
    jx_auto *answer = jx_decode(replay->answer, replay->answer_len, "journaled answer", &err);
    const json_t *holder = replay->is_error ? json_object_get(answer, "details") : answer;
    const json_t *used = json_object_get(holder, "usage");
    run->children_tokens += jx_int(used, "tokens", 0);
    run->children_cost += jx_int(used, "cost_microcents", 0);
}

void broker_agent_begin(struct effect *effect)
{
    struct run *run = effect->run;
    error_auto err = ERROR_INIT;
    const char *agent = jx_str(effect->request, "agent", NULL);
    json_t *input = json_object_get(effect->request, "input");
    if (run->rehearsal != NULL) {
        json_t *reply = effect_rehearsed(effect, "agents");
        if (reply != NULL)
            effect_answer(
                effect, json_pack("{s:s, s:o}", "execution_id", "recorded", "output", reply), NULL);
        return;
    }
    if (agent == NULL || run->depth + 1 > run->engine->depth_max) {
        if (agent == NULL)
            error_set(&err, E_INVALID_REQUEST,
                      "c9.agents.execute: the agent's id or name is needed");
        else
            error_set(&err, E_RESOURCE_EXHAUSTED,
                      "executions may call executions %ld deep: [executions] depth",
                      (long)run->engine->depth_max);
        effect_refuse(effect, &err, NULL);
        return;
    }
    struct child *child = xcalloc(1, sizeof(*child));
    child->watch = (struct execution_watch){
        .accepted = child_accepted, .ended = child_ended, .left = child_left};
    child->effect = effect;
    child->engine = run->engine;
    child->poll = (struct loop_timer){.fn = poll_fire, .arg = child};
    child->agent = xstrdup(agent);
    const char *version = jx_str(effect->request, "version", NULL);
    child->version = xstrdup_or_null(version);
    child->label = xstrdup_or_null(jx_str(effect->request, "label", NULL));
    child->user_id = xstrdup(run->user_id);
    child->organization_id = xstrdup(run->launch->organization_id);
    child->input = input != NULL ? jx_encode(input, NULL) : xstrdup("null");
    child_id(run, effect->seq, child->id);
    effect->state = child;
    effect->abort = child_abort;
    int64_t timeout = jx_int(effect->request, "timeout_us", -1);
    struct wait *wait =
        wait_begin(effect, WAIT_EXECUTION, child->id, NULL, timeout == 0 ? 1 : timeout);
    if (wait->until != 0) {
        wait->timer.fn = late_fire;
        loop_timer_set(run->engine->loop, &wait->timer, wait_left(wait));
    }
    run_idle_check(run);
    child_prepare(child);
}
