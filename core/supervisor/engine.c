#include "supervisor/engine.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sync.h"
#include "store/store.h"
#include "supervisor/engine-private.h"

enum {
    POOL_THREADS = 4,
    DRAIN_POLL_US = 10000,
    DESCRIPTORS_KEPT = 512 /* for HTTP clients, providers, files: not for executors */
};

const struct config_key engine_keys[] = {
    {"executions", "running", CONFIG_INT, "10000", 1, 1000000, NULL,
     "Executions that run, or wait for an effect, at the same time; more wait for a place."},
    {"executions", "live", CONFIG_INT, "100000", 1, 10000000, NULL,
     "Executions held in memory, running and waiting for a place; a request beyond is refused with "
     "503."},
    {"executions", "attempts", CONFIG_INT, "5", 1, 1000, NULL,
     "How often an execution is started in all, when crashes cut it short, before it fails."},
    {"executions", "asks", CONFIG_INT, "2", 1, 1000, NULL,
     "How often a model or HTTP call is asked in all that was under way when c9d or its sandbox was "
     "killed; after that it is refused (OutcomeUnknown)."},
    {"executions", "evict", CONFIG_DURATION, "10s", 0, 86400 * CLOCK_SECOND, NULL,
     "An execution that has waited so long (c9.sleep, c9.wait_for, c9.agents.execute) and has as "
     "long to wait yet gives its process back; 0: none does."},
    {"executions", "signals", CONFIG_INT, "1000", 1, 1000000, NULL,
     "Signals that an execution keeps before it waits for them."},
    {"executions", "depth", CONFIG_INT, "8", 0, 100, NULL,
     "How deep executions may execute other agents."},
    {"executions", "children", CONFIG_INT, "256", 1, 1000000, NULL,
     "Executions that one execution may have under way below it, all levels together; at most half of "
     "all there is place for."},
    {"executions", "grace", CONFIG_DURATION, "2s", 1000, 600 * CLOCK_SECOND, NULL,
     "Between asking a cancelled execution to stop and killing it."},
    {"executions", "drain", CONFIG_DURATION, "20s", 0, 3600 * CLOCK_SECOND, NULL,
     "How long a stopping daemon waits for what runs; the rest goes on after the next start."},
    {"executions", "per_organization", CONFIG_INT, "0", 0, 1000000, NULL,
     "Executions of one organization that run at the same time, more wait; 0: any number."},
    {"executions", "lease", CONFIG_DURATION, "30s", 3 * CLOCK_SECOND, 3600 * CLOCK_SECOND, NULL,
     "How long a worker that is not heard of keeps its executions."},
    {"journal", "bytes", CONFIG_SIZE, "64MiB", 1024, INT64_C(1) << 40, NULL,
     "Bytes of requests and answers that one execution may journal."},
    {"journal", "effects", CONFIG_INT, "100000", 1, 10000000, NULL,
     "Effects that one execution may journal."},
    {"journal", "request", CONFIG_SIZE, "64KiB", 0, 32 << 20, NULL,
     "Requests up to this size are kept beside their answers; of longer ones the digest."},
};
const size_t engine_keys_n = countof(engine_keys);

/* ---- calls into the engine's thread ---------------------------------------------------------- */

struct call {
    void (*fn)(void *arg);
    void *arg;
    struct latch latch;
};

static void call_run(void *arg)
{
    struct call *call = arg;
    call->fn(call->arg);
    latch_open(&call->latch);
}

void engine_call(struct engine *engine, void (*fn)(void *arg), void *arg)
{
    if (!engine->started || pthread_equal(pthread_self(), engine->thread)) {
        fn(arg);
        return;
    }
    struct call call = {.fn = fn, .arg = arg, .latch = LATCH_INIT};
    loop_post(engine->loop, call_run, &call);
    latch_wait(&call.latch);
}

/* ---- what the services ask ------------------------------------------------------------------- */

struct submission {
    struct engine *engine;
    struct launch *launch;
    struct execution_watch *watch;
    char id[UUID_SIZE];
    char *user_id, *parent_id, *input, *context, *concurrency_key, *version_note;
    char *webhook_url, *webhook_secret;
    char *origin_id, *origin_kind, *seed_id;
    struct journal_copy journal;
    size_t input_len;
    int64_t priority, available_at;
    struct run_key key;
};

static void submit_on_loop(void *arg)
{
    struct submission *s = arg;
    struct run *run = run_new(s->engine, s->id, s->launch);
    atomic_fetch_sub(&s->engine->n_live, 1); /* counted by engine_submit already */
    launch_unref(s->launch);
    run->user_id = s->user_id;
    run->parent_id = s->parent_id;
    run->input = s->input;
    run->input_len = s->input_len;
    run->context = s->context;
    run->version_note = s->version_note;
    run->priority = s->priority;
    run->created_at = clock_wall_us();
    run->available_at = s->available_at;
    run->concurrency_key = s->concurrency_key;
    run->webhook_url = s->webhook_url;
    run->webhook_secret = s->webhook_secret;
    run->origin_id = s->origin_id;
    run->origin_kind = s->origin_kind;
    run->seed_id = s->seed_id;
    run->journal = s->journal;
    if (s->watch != NULL)
        run_watch(run, s->watch);
    error_auto err = ERROR_INIT;
    if (run->available_at == 0 && slots_refuse(run, &err)) {
        run_refuse(run, &err);
    } else {
        run_insert(run, s->key.key != NULL ? &s->key : NULL);
        if (!run->unleased)
            run_admit(run);
    }
    free(s->key.key);
    free(s->key.answer);
    free(s);
}

static int engine_submit(void *arg, struct execution_order *order, struct execution_watch *watch,
                         struct error *err)
{
    struct engine *engine = arg;
    if (atomic_load(&engine->draining))
        return error_set(err, E_UNAVAILABLE, "the daemon is stopping");
    if (atomic_fetch_add(&engine->n_live, 1) >= engine->live_max) {
        atomic_fetch_sub(&engine->n_live, 1);
        return error_set(err, E_UNAVAILABLE,
                         "%ld executions are waiting or running: [executions] live",
                         (long)engine->live_max);
    }
    struct submission *s = xcalloc(1, sizeof(*s));
    s->engine = engine;
    s->launch = launch_ref(order->launch);
    s->watch = watch;
    memcpy(s->id, order->id, UUID_SIZE);
    s->user_id = xstrdup(order->user_id);
    s->parent_id = xstrdup_or_null(order->parent_id);
    s->input = xstrndup(order->input, order->input_len);
    s->input_len = order->input_len;
    s->context = xstrdup(order->context != NULL ? order->context : "{}");
    s->version_note = xstrdup_or_null(order->version_note);
    s->priority = order->priority;
    if (order->key != NULL) {
        s->key.key = xstrdup(order->key);
        s->key.answer = xstrdup_or_null(order->key_answer);
        snprintf(s->key.request_sha256, sizeof(s->key.request_sha256), "%s", order->key_sha256);
        s->key.expired = order->key_expired;
    }
    s->available_at = order->available_at;
    s->origin_id = xstrdup_or_null(order->origin_id);
    s->origin_kind = xstrdup_or_null(order->origin_kind);
    s->seed_id = xstrdup_or_null(order->seed_id);
    s->journal = order->journal;
    order->journal = (struct journal_copy){NULL, 0};
    s->concurrency_key = xstrdup_or_null(order->concurrency_key);
    if (order->webhook_url != NULL) {
        s->webhook_url = xstrdup(order->webhook_url);
        s->webhook_secret = xstrdup(order->webhook_secret);
    }
    loop_post(engine->loop, submit_on_loop, s);
    return 0;
}

struct lookup {
    struct engine *engine;
    const char *id;
    struct execution_watch *watch;
    int found;
};

/* With the store to ourselves what is not live here is live nowhere, and comes back here. */
static bool all_is_here(const struct engine *engine)
{
    return engine->parts.storage != NULL && storage_exclusive(engine->parts.storage);
}

static void watch_on_loop(void *arg)
{
    struct lookup *l = arg;
    struct run *run = run_find(l->engine, l->id);
    l->found = run != NULL || all_is_here(l->engine);
    if (run != NULL)
        run_watch(run, l->watch);
    else if (l->found)
        seat_take(l->engine, l->id, l->watch);
}

static int engine_watch(void *arg, const char *id, struct execution_watch *watch)
{
    struct lookup l = {arg, id, watch, 0};
    watch->place_ = NULL;
    engine_call(arg, watch_on_loop, &l);
    return l.found;
}

static void unwatch_on_loop(void *arg)
{
    struct lookup *l = arg;
    struct execution_watch *watch = l->watch;
    struct run *run = run_find(l->engine, watch->id_);
    if (run == NULL) {
        seat_leave(l->engine, watch);
        return; /* or it has ended: no callback is left */
    }
    for (struct execution_watch **p = &run->watchers; *p != NULL; p = &(*p)->next_) {
        if (*p != watch)
            continue;
        *p = watch->next_;
        if (watch->next_ != NULL)
            watch->next_->place_ = p;
        return;
    }
}

static void engine_unwatch(void *arg, struct execution_watch *watch)
{
    struct lookup l = {.engine = arg, .watch = watch};
    engine_call(arg, unwatch_on_loop, &l);
}

static void cancel_on_loop(void *arg)
{
    struct lookup *l = arg;
    struct run *run = run_find(l->engine, l->id);
    l->found = run != NULL;
    if (run != NULL)
        run_cancel(run);
}

static int engine_cancel(void *arg, const char *id)
{
    struct lookup l = {.engine = arg, .id = id};
    engine_call(arg, cancel_on_loop, &l);
    return l.found;
}

static void ended_on_loop(void *arg)
{
    struct lookup *l = arg;
    seats_leave(l->engine, l->id);
}

static void engine_ended(void *arg, const char *id)
{
    struct lookup l = {.engine = arg, .id = id};
    engine_call(arg, ended_on_loop, &l);
}

static void signalled_on_loop(void *arg)
{
    struct lookup *l = arg;
    struct run *run = run_find(l->engine, l->id);
    if (run != NULL)
        run_signalled(run);
}

static void engine_signalled(void *arg, const char *id)
{
    struct lookup l = {.engine = arg, .id = id};
    engine_call(arg, signalled_on_loop, &l);
    engine_queue_kick(arg);
}

static void engine_queued(void *arg)
{
    engine_queue_kick(arg);
}

static void engine_notify(void *arg)
{
    notifier_kick(arg);
}

struct running_limit {
    struct engine *engine;
    const char *id;
    int64_t limit;
};

static void limit_on_loop(void *arg)
{
    const struct running_limit *l = arg;
    slots_limit_organization(l->engine, l->id, l->limit);
}

static void engine_limit_running(void *arg, const char *organization_id, int64_t limit)
{
    struct running_limit l = {arg, organization_id, limit};
    engine_call(arg, limit_on_loop, &l);
}

const struct engine_ops engine_ops = {
    .submit = engine_submit,
    .watch = engine_watch,
    .unwatch = engine_unwatch,
    .cancel = engine_cancel,
    .ended = engine_ended,
    .queued = engine_queued,
    .limit_running = engine_limit_running,
    .notify = engine_notify,
    .send = notifier_send,
    .signalled = engine_signalled,
    .replay = engine_replay,
    .seed = engine_seed,
    .describe = engine_describe,
    .fetch = engine_fetch,
};

/* ---- rehearsals ------------------------------------------------------------------------------ */

struct rehearsal {
    struct execution_watch watch; /* first: cast back */
    struct engine *engine;
    struct launch *launch;
    const char *input;
    const json_t *replies;
    void (*on_event)(void *arg, const char *type, const char *data, size_t len);
    void *arg;
    struct execution_outcome *outcome;
    struct latch latch;
};

static void rehearsal_ended(struct execution_watch *watch, const struct execution_outcome *outcome)
{
    struct rehearsal *r = (struct rehearsal *)watch;
    execution_outcome_copy(r->outcome, outcome);
    latch_open(&r->latch);
}

static void rehearsal_begin(void *arg)
{
    struct rehearsal *r = arg;
    char id[UUID_SIZE];
    struct run *run = run_new(r->engine, uuid_make(id), r->launch);
    run->ephemeral = true;
    run->rehearsal = r->replies != NULL ? json_deep_copy(r->replies) : json_object();
    run->user_id = xstrdup("");
    run->context = xstrdup("{}");
    run->input = xstrdup(r->input);
    run->input_len = strlen(r->input);
    run->on_event = r->on_event;
    run->on_event_arg = r->arg;
    run_watch(run, &r->watch);
    run_insert(run, NULL);
    run_admit(run);
}

int engine_rehearse(struct engine *engine, struct launch *launch, const char *input,
                    const json_t *replies,
                    void (*on_event)(void *arg, const char *type, const char *data, size_t len),
                    void *arg, struct execution_outcome *outcome_r, struct error *err)
{
    (void)err;
    struct rehearsal r = {
        .watch = {.ended = rehearsal_ended},
        .engine = engine,
        .launch = launch,
        .input = input,
        .replies = replies,
        .on_event = on_event,
        .arg = arg,
        .outcome = outcome_r,
        .latch = LATCH_INIT,
    };
    loop_post(engine->loop, rehearsal_begin, &r);
    latch_wait(&r.latch);
    return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* An executor costs one descriptor. */
static void limit_by_descriptors(struct engine *engine)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    int64_t possible = (int64_t)limit.rlim_cur - DESCRIPTORS_KEPT;
    engine->executors_max = possible > 1 ? possible : 1;
    if (engine->running_max <= possible)
        return;
    log_warn("engine.descriptors",
             "[executions] running = %ld needs that many descriptors, there are %ld: at most %ld "
             "run at a time (raise LimitNOFILE)",
             (long)engine->running_max, (long)limit.rlim_cur, (long)(possible > 1 ? possible : 1));
    engine->running_max = possible > 1 ? possible : 1;
}

static void parse_secret(const char *hex, uint8_t out[32])
{
    for (int i = 0; i < 32; i++) {
        unsigned byte = 0;
        sscanf(hex + (size_t)i * 2, "%2x", &byte);
        out[i] = (uint8_t)byte;
    }
}

/* The secret that executions' seeds derive from, and the name under which we hold leases. */
static int engine_identity(struct engine *engine, struct error *err)
{
    uint8_t fresh[32];
    char hex[65], boot[UUID_SIZE];
    hash_random(fresh, sizeof(fresh));
    memcpy(engine->secret, fresh, sizeof(fresh));
    snprintf(engine->owner, sizeof(engine->owner), "local/%s", uuid_make(boot));
    if (engine->parts.storage == NULL)
        return 0;
    hash_hex(fresh, sizeof(fresh), hex);
    if (store_instance_put(engine->parts.storage, "seed_secret", hex, err) < 0)
        return -1;
    autofree char *kept = store_instance_get(engine->parts.storage, "seed_secret", err);
    if (kept == NULL || strlen(kept) != 64)
        return kept == NULL ? -1
                            : error_set(err, E_STORAGE_FAILED, "instance.seed_secret is damaged");
    parse_secret(kept, engine->secret);
    return 0;
}

struct engine *engine_new(const struct engine_parts *parts, struct error *err)
{
    struct engine *engine = xcalloc(1, sizeof(*engine));
    struct config *c = parts->config;
    engine->parts = *parts;
    company_begin(engine);
    engine->running_max = config_int(c, "executions", NULL, "running");
    engine->live_max = config_int(c, "executions", NULL, "live");
    engine->attempts_max = config_int(c, "executions", NULL, "attempts");
    engine->depth_max = config_int(c, "executions", NULL, "depth");
    engine->children_max = config_int(c, "executions", NULL, "children");
    engine->grace_us = config_int(c, "executions", NULL, "grace");
    engine->drain_us = config_int(c, "executions", NULL, "drain");
    engine->per_organization = config_int(c, "executions", NULL, "per_organization");
    engine->lease_us = config_int(c, "executions", NULL, "lease");
    engine->evict_us = config_int(c, "executions", NULL, "evict");
    engine->asks_max = config_int(c, "executions", NULL, "asks");
    engine->journal_bytes_max = config_int(c, "journal", NULL, "bytes");
    engine->journal_effects_max = config_int(c, "journal", NULL, "effects");
    engine->journal_request_max = config_int(c, "journal", NULL, "request");
    engine->queue_kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    engine->providers = xcalloc(parts->n_models + 1, sizeof(*engine->providers));
    for (size_t i = 0; i < parts->n_models; i++) {
        engine->providers[i].model = parts->models[i];
        engine->providers[i].line_end = &engine->providers[i].line;
    }
    limit_by_descriptors(engine);
    if (engine->queue_kick < 0) {
        error_errno(err, E_INTERNAL, "eventfd");
        engine_free(engine);
        return NULL;
    }
    engine->loop = loop_new(err);
    if (engine->loop == NULL || (engine->guard = guard_new(c, err)) == NULL ||
        (engine->secrets = secrets_new(c, err)) == NULL || engine_identity(engine, err) < 0 ||
        executors_attach(parts->executors, engine->loop, err) < 0) {
        engine_free(engine);
        return NULL;
    }
    engine->model_fetcher = fetcher_new(engine->loop);
    engine->skill_fetcher = fetcher_new(engine->loop);
    return engine;
}

static void *engine_main(void *arg)
{
    struct engine *engine = arg;
    prctl(PR_SET_NAME, "c9d-engine");
    loop_run(engine->loop);
    return NULL;
}

int engine_start(struct engine *engine, struct error *err)
{
    sigset_t all, before;
    engine->pool = work_pool_new("c9d-engine-io", POOL_THREADS, err);
    if (engine->pool == NULL)
        return -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    engine->started = true; /* before the thread: its first turn may compare */
    int failed = pthread_create(&engine->thread, NULL, engine_main, engine);
    if (failed != 0) {
        engine->started = false;
        failed = error_set(err, E_INTERNAL, "cannot start the engine's thread");
    } else if (engine->parts.queue != NULL) {
        notifier_start(engine);
        active_start(engine);
        failed = engine_queue_start(engine, err);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0 ? 0 : -1;
}

/* What still runs is left as it is in the store: after the next start its lease is void and it goes
 * on. */
static void abandon_all(void *arg)
{
    struct engine *engine = arg;
    size_t left = 0;
    active_stop(engine);
    struct run *run, *tmp;
    HASH_ITER(hh, engine->runs, run, tmp)
    {
        left++;
        if (run->next != NULL && run->next->inserts)
            commit_go(run); /* a row that was waiting for company */
        run_watchers_leave(run);
        run->dropped = true;
        checks_drop(run);
        broker_abort(run);
    }
    company_go(engine);
    seats_leave_all(engine);
    if (left > 0)
        log_info("engine.abandoned", "%zu executions go on after the next start", left);
}

void engine_drain(struct engine *engine)
{
    atomic_store(&engine->draining, true);
    int64_t until = clock_monotonic_us() + engine->drain_us;
    while (atomic_load(&engine->n_live) > 0 && clock_monotonic_us() < until)
        usleep(DRAIN_POLL_US);
}

void engine_stop(struct engine *engine)
{
    atomic_store(&engine->draining, true);
    if (!engine->started)
        return;
    engine_call(engine, abandon_all, engine);
    if (engine->parts.queue != NULL)
        engine_queue_stop(engine);
    loop_stop(engine->loop);
    pthread_join(engine->thread, NULL);
    engine->started = false;
    /* Behind the loop, which gives it work as long as executors say something. What it finishes now
     * goes with the loop. */
    work_pool_free(engine->pool);
    engine->pool = NULL;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    engine->over = true;
    struct run *run, *tmp;
    HASH_ITER(hh, engine->runs, run, tmp)
    {
        run->executor = NULL;
        commit_free(move_ptr(&run->flying)); /* the storage is closed: nobody has it any more */
        run_free(run);
    }
    leavers_free(engine);
    executors_free(engine->parts.executors);
    notifier_free(engine);
    fetcher_free(engine->model_fetcher);
    fetcher_free(engine->skill_fetcher);
    engine_fetch_drop(engine);
    guard_free(engine->guard);
    secrets_free(engine->secrets);
    if (engine->loop != NULL)
        loop_free(engine->loop);
    seats_leave_all(engine);
    slots_free(engine);
    if (engine->queue_kick >= 0)
        close(engine->queue_kick);
    free(engine->providers);
    free(engine);
}
