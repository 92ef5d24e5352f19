/* Taking executions up again: claimed from the queue, or interrupted here. The store is read on
 * pool threads; the queue has a thread of its own, since its plugin may block. */
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/execution.h"
#include "store/wait.h"
#include "supervisor/engine-private.h"

enum {
    CLAIM_MAX = 256,
    CLAIM_EVERY_US = 1000000, /* of a queue without a descriptor, or that could not be asked */
    RETRY_US = 1000000        /* when the store cannot be read */
};

/* What a pool thread reads for a run. */
struct loading {
    struct run *run; /* stays while run->loading is set */
    struct engine *engine;
    char id[UUID_SIZE];
    struct loop_timer timer;
    struct execution_job job;
    struct launch *launch;
    struct replay *replays;
    size_t n_replays, cap_replays;
    struct wait *waits, **waits_end;
    struct ask *asks;
    size_t n_asks;
    int64_t journal_bytes, answered_at;
    struct execution_usage usage;
    int64_t seq, notice;
    bool found;
    struct error err;        /* the store: try again */
    struct error launch_err; /* the agent or version: the execution fails */
};

static void journal_row(void *arg, const struct journal_row *row)
{
    struct loading *l = arg;
    if (l->n_replays == l->cap_replays) {
        l->cap_replays = l->cap_replays > 0 ? l->cap_replays * 2 : 16;
        l->replays = xrealloc(l->replays, l->cap_replays * sizeof(*l->replays));
    }
    struct replay *r = &l->replays[l->n_replays++];
    *r = (struct replay){.seq = row->seq,
                         .kind = wire_kind_by_name(row->kind),
                         .is_error = row->is_error,
                         .answer = xstrndup(row->answer, row->answer_len),
                         .answer_len = row->answer_len,
                         .request =
                             row->request != NULL ? xstrndup(row->request, row->request_len) : NULL,
                         .request_len = row->request_len,
                         .copied = row->copied};
    l->journal_bytes += (int64_t)(row->answer_len + row->request_len);
    snprintf(r->digest, sizeof(r->digest), "%s", row->request_sha256);
    l->answered_at = row->answered_at; /* they come in this order */
    l->usage.api_calls += row->api_calls;
    l->usage.tokens += row->tokens;
    l->usage.cost_microcents += row->cost_microcents;
}

static void wait_row(void *arg, const struct wait_row *row)
{
    struct loading *l = arg;
    *l->waits_end = wait_of_row(row);
    l->waits_end = &(*l->waits_end)->next;
}

static void ask_row(void *arg, int64_t seq, int64_t asks)
{
    struct loading *l = arg;
    l->asks = xrealloc(l->asks, (l->n_asks + 1) * sizeof(*l->asks));
    l->asks[l->n_asks++] = (struct ask){seq, asks};
}

static void loading_free(void *arg)
{
    struct loading *l = arg;
    for (size_t i = 0; i < l->n_replays; i++) {
        free(l->replays[i].answer);
        free(l->replays[i].request);
    }
    free(l->replays);
    free(l->asks);
    for (struct wait *w = l->waits, *next; w != NULL; w = next) {
        next = w->next;
        wait_free(w);
    }
    launch_unref(l->launch);
    execution_job_free(&l->job);
    error_clear(&l->err);
    error_clear(&l->launch_err);
    free(l);
}

static void loaded(void *arg);

/* On a pool thread. */
static void load(void *arg)
{
    struct loading *l = arg;
    struct storage *storage = l->engine->parts.storage;
    int got = store_execution_job(storage, l->id, &l->job, &l->err);
    l->found = got == 0;
    if (l->found && store_execution_progress(storage, l->id, &l->seq, &l->notice, &l->err) == 0 &&
        store_journal_read(storage, l->id, journal_row, l, &l->err) == 0 &&
        store_waits_read(storage, l->id, wait_row, l, &l->err) == 0 &&
        store_asks_read(storage, l->id, ask_row, l, &l->err) == 0)
        execution_launch(l->engine->parts.service, l->job.agent_id, l->job.agent_version,
                         &l->launch, &l->launch_err);
    if (l->launch_err.code == E_STORAGE_FAILED)
        error_move(&l->err, &l->launch_err);
    loop_post_owned(l->engine->loop, loaded, loading_free, l);
}

static void load_timer_fire(struct loop_timer *timer)
{
    struct loading *l = timer->arg;
    l->run->paused = NULL;
    work_submit(l->engine->pool, load, l);
}

void run_load(struct run *run, int64_t after_us)
{
    struct loading *l = xcalloc(1, sizeof(*l));
    l->run = run;
    l->engine = run->engine;
    memcpy(l->id, run->id, UUID_SIZE);
    l->timer = (struct loop_timer){.fn = load_timer_fire, .arg = l};
    l->waits_end = &l->waits;
    run->loading = true;
    if (after_us > 0) {
        run->paused = l;
        loop_timer_set(run->engine->loop, &l->timer, after_us);
    } else {
        work_submit(run->engine->pool, load, l);
    }
}

void run_load_drop(struct run *run)
{
    if (run->paused == NULL)
        return;
    loop_timer_cancel(run->engine->loop, &run->paused->timer);
    loading_free(run->paused);
}

/* Puts what was read into the run, as if it had just been admitted. */
static void run_restore(struct run *run, struct loading *l)
{
    bool lived = run->interrupted, claimed = run->launch == NULL || run->reclaimed;
    run->reclaimed = false;
    run->interrupted = run->started = run->asked = run->input_sent = false;
    run->end = RUN_GOES_ON;
    free(run->output);
    free(run->error);
    free(run->error_message);
    run->output = run->error = run->error_message = NULL;
    if (run->launch == NULL)
        run->launch = move_ptr(&l->launch);
    free(run->user_id);
    free(run->parent_id);
    free(run->context);
    free(run->input);
    run->user_id = move_ptr(&l->job.triggered_by);
    run->parent_id = move_ptr(&l->job.parent_id);
    run->context = move_ptr(&l->job.context);
    run->input = l->job.input != NULL ? move_ptr(&l->job.input) : xstrdup("null");
    run->input_len = strlen(run->input);
    run->created_at = l->job.created_at;
    run->started_at = l->job.started_at;
    run->priority = l->job.priority;
    run->retries = l->job.retries;
    run->attempt_seq = l->job.attempt_seq;
    free(run->concurrency_key);
    run->concurrency_key = move_ptr(&l->job.concurrency_key);
    run->starts_kept = l->job.attempt;
    if (claimed && run->starts < l->job.attempt - 1)
        run->starts = l->job.attempt - 1; /* the claim has counted the one to come */
    run->durable = true;
    run->cancelling = run->cancelling || l->job.cancel_requested;
    run->seq = l->seq;
    run->notice = run->last_request = 0;
    run->notice_stored = (uint64_t)l->notice;
    run->n_pending = 0;
    run->log_bytes = run->log_count = run->emit_count = 0;
    run_replays_free(run);
    run->replays = move_ptr(&l->replays);
    run->n_replays = l->n_replays;
    l->n_replays = 0;
    run->asks = move_ptr(&l->asks);
    run->n_asks = l->n_asks;
    run->frontier = lived || run->starts > 0;
    run->catching_up = run->frontier || run->n_replays > 0;
    run->fenced = false;
    buf_free(&run->behind);
    run->answered_at = l->answered_at;
    run->journal_bytes = l->journal_bytes;
    run->journal_effects = (int64_t)run->n_replays;
    run_waits_free(run);
    run->waits = move_ptr(&l->waits);
    run->idle = run->yielding = run->evicting = run->settling = false;
    run->unleased = false; /* the commit that was to end the lease failed */
    run_active_restore(run, l->job.active_us);
    free(run->seed_id);
    run->seed_id = move_ptr(&l->job.seed_id);
    error_auto err = ERROR_INIT;
    /* What failed attempts have used, and what is in the journal of this one. */
    jx_auto *used = l->job.usage != NULL
                        ? jx_decode(l->job.usage, strlen(l->job.usage), "resource_usage", &err)
                        : NULL;
    run->usage.api_calls =
        jx_int(used, "apiCallsCount", 0) + l->usage.api_calls + run->aborted_calls;
    run->usage.tokens = jx_int(used, "tokensConsumed", 0) + l->usage.tokens;
    run->usage.cost_microcents = jx_int(used, "costMicrocents", 0) + l->usage.cost_microcents;
    run->children_tokens = jx_int(used, "childrenTokens", 0);
    run->children_cost = jx_int(used, "childrenCostMicrocents", 0);
    run->check_cpu_us = 0;
    if (run->usage.cpu_us == 0)
        run->usage.cpu_us = jx_int(used, "cpuTimeUs", 0);
    if (run->usage.memory_peak == 0)
        run->usage.memory_peak = jx_int(used, "memoryPeakBytes", 0);
    if (run->usage.cpu_us < l->job.cpu_us)
        run->usage.cpu_us = l->job.cpu_us;
    if (run->usage.memory_peak < l->job.memory_peak)
        run->usage.memory_peak = l->job.memory_peak;
    for (size_t i = 0; i < run->n_replays; i++) {
        run->held += (int64_t)run->replays[i].answer_len;
        run_children_replayed(run, &run->replays[i]);
    }
    jx_auto *context = run->context != NULL
                           ? jx_decode(run->context, strlen(run->context), "context", &err)
                           : NULL;
    run->depth = (unsigned)jx_int(context, "depth", 0);
}

static void run_gone(struct run *run)
{
    run_watchers_leave(run);
    run_free(run);
}

/* False: it has ended, its agent was deleted, or the lease is another's, or nobody's yet. */
static bool is_ours(const struct run *run, const struct loading *l)
{
    bool leased = run->reclaimed || (l->job.lease_owner != NULL &&
                                     strcmp(l->job.lease_owner, run->engine->owner) == 0);
    return l->found && leased &&
           (strcmp(l->job.status, "pending") == 0 || strcmp(l->job.status, "running") == 0);
}

static void loaded(void *arg)
{
    struct loading *l = arg;
    struct run *run = l->run;
    struct engine *engine = l->engine;
    run->loading = false;
    if (l->err.code != E_NONE) {
        run_log(run, log_error, "execution.load", "%s; trying again", l->err.message);
        run_load(run, RETRY_US);
    } else if (!is_ours(run, l)) {
        run_gone(run);
    } else {
        error_auto err = ERROR_INIT;
        run_restore(run, l);
        if (run->launch == NULL) {
            /* Its row can only be ended by naming the agent, which the row knows. */
            error_move(&err, &l->launch_err);
            run->launch = launch_gone(l->job.agent_id, l->job.organization_id);
            run_end_failed(run, &err, NULL);
        } else if (run->cancelling) {
            run_end_cancelled(run);
        } else if (run->starts >= engine->attempts_max && !run->excused) {
            error_set(&err, run->killed ? E_RESOURCE_EXHAUSTED : E_EXECUTION_FAILED,
                      "it was started %ld times and %s: [executions] attempts", (long)run->starts,
                      run->killed ? "its executor was killed, most likely by the kernel for memory"
                                  : "never came to an end");
            error_detail(&err, "attempts", json_integer(run->starts));
            run->exhausted = true;
            run_end_failed(run, &err, NULL);
        } else {
            if (run->frontier)
                run_log(run, log_info, "execution.resumed", "start %ld, %zu effects in its journal",
                        (long)(run->starts + !run->excused), run->n_replays);
            run_admit(run);
        }
    }
    loading_free(l);
}

/* A claimed job. False: it is just being let go here; ask again. */
static bool engine_adopt(struct engine *engine, const char *id)
{
    struct run *run = run_find(engine, id);
    if (run != NULL && (run->unleased || run->dropped))
        return false; /* the claim is of its next life: when this one has gone */
    if (run == NULL)
        run_load(run_new(engine, id, NULL), 0);
    else if (run->loading)
        run->reclaimed = true;
    else
        run->starts_kept++; /* the claim of what runs is no start */
    return true;
}

/* ---- the queue's thread ---------------------------------------------------------------------- */

struct claimed {
    struct engine *engine;
    char id[UUID_SIZE];
};

static void claimed_adopt(void *arg)
{
    struct claimed *c = arg;
    if (!engine_adopt(c->engine, c->id)) {
        loop_post_owned(c->engine->loop, claimed_adopt, free, c);
        return;
    }
    atomic_fetch_sub(&c->engine->n_live, 1);
    free(c);
}

/* In time for two more tries before the leases end. *renew_at: monotonic µs. */
static void queue_renew_due(struct engine *engine, int64_t *renew_at)
{
    error_auto err = ERROR_INIT;
    if (clock_monotonic_us() < *renew_at)
        return;
    *renew_at = clock_monotonic_us() + engine->lease_us / 3;
    if (queue_renew(engine->parts.queue, engine->owner, engine->lease_us, &err) < 0)
        log_error("queue.renew", "%s", err.message);
}

/* Claims until there is no more or we are full; that can take longer than a lease. False: the queue
 * could not be asked. */
static bool queue_claim_all(struct engine *engine, int64_t *renew_at)
{
    struct c9d_job *jobs = xcalloc(CLAIM_MAX, sizeof(*jobs));
    bool more = true, fine = true;
    while (more && !atomic_load(&engine->draining)) {
        error_auto err = ERROR_INIT;
        queue_renew_due(engine, renew_at);
        int64_t room = engine->live_max - atomic_load(&engine->n_live);
        size_t want = room < CLAIM_MAX ? (size_t)(room > 0 ? room : 0) : CLAIM_MAX;
        int n = want > 0 ? queue_claim(engine->parts.queue, engine->owner, engine->lease_us, want,
                                       jobs, &err)
                         : 0;
        if (n < 0) {
            log_error("queue.claim", "%s", err.message);
            atomic_store(&engine->doubtful, true);
            fine = false;
        }
        for (int i = 0; i < n; i++) {
            struct claimed *c = xcalloc(1, sizeof(*c));
            c->engine = engine;
            memcpy(c->id, jobs[i].id, UUID_SIZE);
            atomic_fetch_add(&engine->n_live, 1); /* until it is adopted: the room is taken */
            loop_post_owned(engine->loop, claimed_adopt, free, c);
        }
        atomic_store(&engine->starved, n == (int)want && want < CLAIM_MAX);
        more = n == CLAIM_MAX;
    }
    free(jobs);
    return fine;
}

/* ---- leases that nobody here knows of ---- */

static void orphan_adopt(void *arg)
{
    const struct claimed *c = arg;
    if (run_find(c->engine, c->id) == NULL && !atomic_load(&c->engine->draining))
        run_load(run_new(c->engine, c->id, NULL), 0);
    free(arg);
}

static int orphan_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct claimed *c = xcalloc(1, sizeof(*c));
    c->engine = arg;
    snprintf(c->id, sizeof(c->id), "%s", v[0].u.s);
    loop_post_owned(c->engine->loop, orphan_adopt, free, c);
    return 0;
}

/* A batch of which the store says that it failed may have come through: a database that was lost
 * at its commit cannot tell. What has our lease then is looked for when the store is well again;
 * else it would be renewed for ever, and never run. */
static bool queue_look_for_orphans(struct engine *engine)
{
    error_auto err = ERROR_INIT;
    if (!atomic_exchange(&engine->doubtful, false) ||
        store_execution_leased(engine->parts.storage, engine->owner, orphan_row, engine, &err) == 0)
        return true;
    atomic_store(&engine->doubtful, true);
    return false;
}

/* Until there may be work, a lease is to be renewed, or the end. */
static bool queue_wait(struct engine *engine, int64_t renew_at, bool fine)
{
    int fd = queue_fd(engine->parts.queue);
    struct pollfd wake[] = {{.fd = engine->queue_kick, .events = POLLIN},
                            {.fd = fd, .events = POLLIN}};
    int64_t wait = renew_at - clock_monotonic_us();
    if ((fd < 0 || !fine) && wait > CLAIM_EVERY_US)
        wait = CLAIM_EVERY_US;
    if (poll(wake, countof(wake), wait > 0 ? (int)(wait / 1000) + 1 : 0) > 0) {
        char drain[64];
        for (size_t i = 0; i < countof(wake); i++)
            while (wake[i].revents != 0 && read(wake[i].fd, drain, sizeof(drain)) > 0)
                continue;
    }
    return !atomic_load(&engine->queue_stop);
}

struct blocked {
    struct engine *engine;
    char *name;
    int64_t n;
};

static void blocked_free(void *arg)
{
    struct blocked *b = arg;
    free(b->name);
    free(b);
}

static void blocked_restore(void *arg)
{
    struct blocked *b = arg;
    slots_restore(b->engine, b->name, b->n);
    blocked_free(b);
}

static void blocked_found(void *arg, const char *name, int64_t n)
{
    struct blocked *b = xcalloc(1, sizeof(*b));
    *b = (struct blocked){arg, xstrdup(name), n};
    loop_post_owned(b->engine->loop, blocked_restore, blocked_free, b);
}

/* A former life has left executions that wait for one of its lines. */
static void blocked_find(struct engine *engine)
{
    error_auto err = ERROR_INIT;
    if (store_execution_blocked_counts(engine->parts.storage, blocked_found, engine, &err) < 0)
        log_error("engine.slot", "%s", err.message);
}

static void *queue_main(void *arg)
{
    struct engine *engine = arg;
    blocked_find(engine);
    int64_t renew_at = clock_monotonic_us() + engine->lease_us / 3;
    prctl(PR_SET_NAME, "c9d-queue");
    bool fine;
    do {
        fine = queue_claim_all(engine, &renew_at);
        if (fine)
            fine = queue_look_for_orphans(engine);
        queue_renew_due(engine, &renew_at);
    } while (queue_wait(engine, renew_at, fine));
    return NULL;
}

void engine_queue_kick(struct engine *engine)
{
    const uint64_t one = 1;
    if (write(engine->queue_kick, &one, sizeof(one)) < 0) /* EAGAIN: it is readable already */
        return;
}

int engine_queue_start(struct engine *engine, struct error *err)
{
    if (pthread_create(&engine->queue_thread, NULL, queue_main, engine) == 0)
        return 0;
    return error_set(err, E_INTERNAL, "cannot start the queue's thread");
}

void engine_queue_stop(struct engine *engine)
{
    atomic_store(&engine->queue_stop, true);
    engine_queue_kick(engine);
    pthread_join(engine->queue_thread, NULL);
}
