/* What an execution makes durable. A run has at most two commits: one under way, and one being
 * filled with all that comes meanwhile; so its batches are in order, and under load they grow
 * instead of queueing. */
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/engine-private.h"

enum {
    PAUSE_MIN_US = 1000000,    /* before it is taken up again when a commit failed, doubled … */
    PAUSE_MAX_US = 64000000,   /* … up to this */
    SOON_US = 20000,           /* how long events wait for company */
    PATIENT_US = 100000,       /* … and the row of which nobody hears before its end */
    PAUSE_BYTES = 1 << 20,     /* of uncommitted events, after which the executor is not read */
    DELTA_EVENT_MAX = 64 << 10 /* bytes of streamed text in one event */
};

static void commit_returned(void *arg);

struct commit *commit_next(struct run *run)
{
    if (run->next == NULL) {
        run->next = xcalloc(1, sizeof(*run->next));
        run->next->run = run;
        run->next->batch = run->ephemeral ? NULL : storage_batch_new();
    }
    return run->next;
}

void commit_free(struct commit *c)
{
    if (c == NULL)
        return;
    storage_batch_free(c->batch);
    buf_free(&c->answers);
    free(c->blocked_on);
    json_decref(c->children);
    error_clear(&c->err);
    free(c);
}

/* On a thread of the storage driver's. */
static void commit_stored(void *arg, struct error *err)
{
    struct commit *c = arg;
    c->failed = err != NULL;
    if (err != NULL)
        error_move(&c->err, err);
    loop_post(c->run->engine->loop, commit_returned, c);
}

void commit_started(struct run *run)
{
    if (run->end != RUN_GOES_ON || run->ephemeral || run->unleased)
        return;
    int64_t starts = run_starts(run);
    if (starts != run->starts_kept)
        store_execution_starts(run->next->batch, run->id, run->engine->owner, starts);
    run->starts_kept = starts;
    if (run->started || !run->input_sent)
        return;
    run->started = true;
    store_execution_started(run->next->batch, run->id, run->engine->owner, run->started_at);
}

void commit_go(struct run *run)
{
    if (run->flying != NULL || run->next == NULL)
        return;
    loop_timer_cancel(run->engine->loop, &run->flush);
    commit_started(run);
    struct commit *c = run->flying = move_ptr(&run->next);
    if (run->ephemeral)
        loop_post(run->engine->loop, commit_returned, c);
    else
        company_join(c);
}

void commit_submit(struct commit *c, bool more)
{
    struct storage_batch *batch = move_ptr(&c->batch);
    storage_batch_more(batch, more);
    storage_submit(c->run->engine->parts.storage, batch, commit_stored, c);
}

void commit_soon(struct run *run)
{
    bool patient = run->next != NULL && run->next->inserts;
    if (run->flush.place == 0)
        loop_timer_set(run->engine->loop, &run->flush, patient ? PATIENT_US : SOON_US);
}

void commit_event(struct run *run, const char *type, const char *data, size_t len, int64_t notice)
{
    if (run->on_event != NULL)
        run->on_event(run->on_event_arg, type, data, len);
    struct commit *c = commit_next(run);
    c->last_seq = ++run->seq;
    c->bytes += len + 64;
    if (!run->ephemeral)
        store_execution_event(c->batch, run->id, run->seq, type, data, len, notice,
                              clock_wall_us());
    if (c->bytes > PAUSE_BYTES && run->executor != NULL)
        executor_pause(run->executor, true);
}

void commit_deltas(struct run *run)
{
    while (run->delta.len > 0) {
        size_t n = run->delta.len < DELTA_EVENT_MAX ? run->delta.len : DELTA_EVENT_MAX;
        /* Cut between characters. */
        while (n < run->delta.len && n > 1 && ((unsigned char)run->delta.data[n] & 0xc0) == 0x80)
            n--;
        jx_auto *event = json_pack("{sIss%}", "request", (json_int_t)run->delta_request, "text",
                                   run->delta.data, n);
        if (event != NULL) { /* NULL: not UTF-8, which a provider must not send */
            size_t len;
            autofree char *text = jx_encode(event, &len);
            commit_event(run, "delta", text, len, 0);
        }
        buf_consume(&run->delta, n);
    }
    buf_free(&run->delta);
}

static void watchers_accepted(struct run *run, struct error *err)
{
    for (struct execution_watch *w = run->watchers, *next; w != NULL; w = next) {
        next = w->next_;
        if (w->accepted != NULL)
            w->accepted(w, err);
    }
}

static void watchers_news(struct run *run, int64_t seq)
{
    for (struct execution_watch *w = run->watchers, *next; w != NULL; w = next) {
        next = w->next_;
        if (w->news != NULL)
            w->news(w, seq);
    }
}

void run_refuse(struct run *run, struct error *err)
{
    watchers_accepted(run, err);
    run->watchers = NULL;
    run->dropped = true;
    if (run->executor != NULL)
        executor_kill(run->executor);
    else
        run_free(run);
}

static void commit_failed(struct run *run, struct commit *c)
{
    run_log(run, log_warn, "execution.commit", "%s", c->err.message);
    if (c->inserts) {
        atomic_store(&run->engine->doubtful, true);
        if (c->err.code == E_INVALID_STATE &&
            jx_int(c->err.details, "statement", -1) == RUN_KEY_STATEMENT) {
            error_clear(&c->err);
            error_set(&c->err, E_UNAVAILABLE,
                      "a request with this Idempotency-Key is just being handled; try again");
        }
        run_refuse(run, &c->err);
        return;
    }
    /* The store may be unable to take it, the lease another's by now, or the execution at an end:
     * what is read there next says so.
     *
     * Effects that this batch was to journal will be asked for, and paid, again: not at once while
     * the store cannot take them, and no oftener than [executions] asks. It is not its fault, and
     * no attempt. */
    run->evicting = false;
    run->excused = run->excused || run->input_sent;
    run->pause_us = run->pause_us == 0             ? PAUSE_MIN_US
                    : run->pause_us < PAUSE_MAX_US ? 2 * run->pause_us
                                                   : PAUSE_MAX_US;
    run_interrupt(run);
}

/* Its row waits in the store now. */
static void commit_released(struct run *run, struct commit *c)
{
    if (c->last_seq > 0)
        watchers_news(run, c->last_seq);
    if (run->cancelling)
        run_end_cancelled(run);
    else
        run_let_go(run);
}

/* Children that are to be cancelled: those that are here hear it. */
static void commit_cancels(struct engine *engine, json_t *children)
{
    const char *id;
    json_t *nothing;
    json_object_foreach (children, id, nothing) {
        struct run *child = run_find(engine, id);
        if (child != NULL)
            run_cancel(child);
    }
    engine_queue_kick(engine);
}

static void commit_durable(struct run *run, struct commit *c)
{
    run->pause_us = 0;
    if (json_object_size(c->children) > 0)
        commit_cancels(run->engine, c->children);
    if (c->inserts) {
        run->durable = true;
        run_input_sent(run);
        watchers_accepted(run, NULL);
        if (!c->ends && !c->releases)
            broker_row_durable(run);
    }
    if (c->releases) {
        commit_released(run, c);
        return;
    }
    if (c->answers.len > 0 && run->executor != NULL && !run->interrupted && !run->evicting) {
        run->yielding = false;
        broker_answers(run, &c->answers);
    }
    if (run->executor != NULL)
        executor_pause(run->executor, false);
    if (c->ends) {
        if (run->parent_id != NULL)
            engine_queue_kick(run->engine); /* it may have been woken */
        if (c->notifies)
            notifier_kick(run->engine);
        run_free(run); /* tells the watchers */
        return;
    }
    if (c->retries && run->end == RUN_GOES_ON) {
        watchers_news(run, c->last_seq);
        run_retry_durable(run);
        return;
    }
    if (c->settles)
        run_signal_settled(run);
    if (c->asks && run->end == RUN_GOES_ON && !run->interrupted)
        broker_asks_durable(run, c);
    if (c->starts)
        run_start_counted(run);
    if ((run->interrupted || run->dropped) && run->executor == NULL) {
        run_settle(run);
        return;
    }
    if (c->last_seq > 0)
        watchers_news(run, c->last_seq);
    /* What came meanwhile: an answer or the end goes at once, events may wait for company. */
    if (run->next != NULL &&
        (run->next->answers.len > 0 || run->next->ends || run->next->releases || run->next->asks ||
         run->next->starts || run->next->settles || run->next->bytes > PAUSE_BYTES / 2))
        commit_go(run);
    else if (run->next != NULL)
        commit_soon(run);
}

static void commit_returned(void *arg)
{
    struct commit *c = arg;
    struct run *run = c->run;
    run->flying = NULL;
    if (c->blocked_on != NULL) /* counted behind what it is a part of, so that none is forgotten */
        slots_stored(run->engine, c->blocked_on);
    if (c->failed)
        commit_failed(run, c);
    else
        commit_durable(run, c);
    commit_free(c);
}
