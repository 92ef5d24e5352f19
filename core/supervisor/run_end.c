/* How an execution ends: decided once, written when its executor is gone, told when that is
 * durable. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/row.h"
#include "store/wait.h"
#include "store/webhook.h"
#include "supervisor/engine-private.h"

static const char *const end_status[] = {
    [RUN_COMPLETED] = "completed",
    [RUN_FAILED] = "failed",
    [RUN_CANCELLED] = "cancelled",
};

struct usage_report run_usage(const struct run *run)
{
    return (struct usage_report){run->usage, run->children_tokens, run->children_cost};
}

void usage_append(const struct usage_report *usage, struct buf *out)
{
    const struct execution_usage *u = &usage->own;
    buf_printf(
        out,
        "{\"cpuTimeMs\":%ld,\"cpuTimeUs\":%ld,\"memoryPeakMb\":%ld,\"memoryPeakBytes\":%ld,"
        "\"apiCallsCount\":%ld,\"tokensConsumed\":%ld,\"costCents\":%ld,\"costMicrocents\":%ld,"
        "\"childrenTokens\":%ld,\"childrenCostMicrocents\":%ld}",
        (long)((u->cpu_us + 999) / 1000), (long)u->cpu_us,
        (long)((u->memory_peak + (1 << 20) - 1) >> 20), (long)u->memory_peak, (long)u->api_calls,
        (long)u->tokens, (long)((u->cost_microcents + 999999) / 1000000), (long)u->cost_microcents,
        (long)usage->children_tokens, (long)usage->children_cost);
}

void run_usage_append(const struct run *run, struct buf *out)
{
    const struct usage_report usage = run_usage(run);
    usage_append(&usage, out);
}

void run_watchers_end(struct run *run)
{
    if (run->watchers == NULL || run->end == RUN_GOES_ON)
        return;
    buf_auto usage = BUF_INIT;
    run_usage_append(run, &usage);
    struct execution_outcome outcome = {
        .status = end_status[run->end],
        .output = run->output,
        .error = run->error,
        .usage = usage.data,
        .started_at = run->started_at,
        .completed_at = run->ended_at,
        .execution_time_us = run->started_at != 0 ? run->ended_at - run->started_at : 0,
    };
    struct execution_watch *w = run->watchers, *next;
    run->watchers = NULL;
    for (; w != NULL; w = next) {
        next = w->next_;
        w->place_ = NULL;
        if (w->ended != NULL)
            w->ended(w, &outcome);
    }
}

/* The first decision stays. */
static bool run_decide(struct run *run, enum run_end_kind end)
{
    if (run->end != RUN_GOES_ON)
        return false;
    run->end = end;
    company_leave(run);
    slots_leave_line(run);
    loop_timer_cancel(run->engine->loop, &run->again);
    run->ended_at = clock_wall_us();
    if (run->ended_at < run->started_at) /* the clock was set back */
        run->ended_at = run->started_at;
    checks_drop(run);
    broker_abort(run);
    loop_timer_cancel(run->engine->loop, &run->wall);
    loop_timer_cancel(run->engine->loop, &run->evict);
    return true;
}

/* A final frame lets the executor go by itself; anything else ends it. */
static void run_after_decision(struct run *run)
{
    if (run->executor == NULL)
        run_settle(run);
    else
        loop_timer_set(run->engine->loop, &run->grace, run->engine->grace_us);
}

void run_end_completed(struct run *run, const char *output, size_t len)
{
    if (!run_decide(run, RUN_COMPLETED))
        return;
    run->output = xstrndup(output, len);
    struct executor *executor = run->executor;
    if (executor == NULL || !run_leave_executor(run)) {
        run_after_decision(run);
        return;
    }
    run_settle(run);
    executor_deafen(executor); /* behind what a client waits for */
}

void run_end_failed(struct run *run, const struct error *err, const char *traceback)
{
    bool cancelled = err->code == E_CANCELLED && run->cancelling;
    if (!run_decide(run, cancelled ? RUN_CANCELLED : RUN_FAILED))
        return;
    jx_auto *object = error_to_json(err);
    json_object_set_new(object, "retryable", json_boolean(error_row(err->code)->retryable));
    if (traceback != NULL)
        json_object_set_new(object, "traceback", json_string(traceback));
    if (cancelled && run->superseded_by[0] != '\0')
        json_object_set_new(object, "supersededBy", json_string(run->superseded_by));
    run->error = jx_encode(object, NULL);
    run->error_message = xstrdup(err->message);
    run_after_decision(run);
}

static void run_end_killed(struct run *run, const struct error *err)
{
    run_end_failed(run, err, NULL);
    if (run->executor != NULL)
        executor_kill(run->executor);
}

void run_wall_fire(struct loop_timer *timer)
{
    struct run *run = timer->arg;
    error_auto err = ERROR_INIT;
    error_set(&err, E_EXECUTION_TIMEOUT, "the execution took longer than its %ld ms of wall time",
              (long)(run->launch->limits.wall_us / 1000));
    error_detail(&err, "limit", json_string("wallTimeMs"));
    error_detail(&err, "limitMs", json_integer(run->launch->limits.wall_us / 1000));
    run_end_killed(run, &err);
}

void run_end_cancelled(struct run *run)
{
    error_auto err = ERROR_INIT;
    if (run->superseded_by[0] != '\0')
        error_set(&err, E_CANCELLED, "cancelled for the sake of execution %s", run->superseded_by);
    else
        error_set(&err, E_CANCELLED, "the execution was cancelled");
    run_end_killed(run, &err);
}

void run_supersede(struct run *run, const char *by)
{
    if (run->cancelling || run->end != RUN_GOES_ON || run->dropped)
        return;
    memcpy(run->superseded_by, by, UUID_SIZE);
    run_cancel(run);
}

void run_grace_fire(struct loop_timer *timer)
{
    struct run *run = timer->arg;
    if (run->end == RUN_GOES_ON && run->cancelling)
        run_end_cancelled(run);
    else if (run->executor != NULL)
        executor_kill(run->executor);
}

void run_cancel(struct run *run)
{
    if (run->cancelling || run->end != RUN_GOES_ON)
        return;
    run->cancelling = true;
    if (run->evicting)
        return; /* it is cancelled in its sleep */
    run_idle_check(run);
    if (run->executor == NULL) {
        /* What is loading, or about to be let go, sees it when it comes back. */
        if (!run->loading && !run->unleased)
            run_end_cancelled(run);
        return;
    }
    executor_send_frame(run->executor, WIRE_CANCEL, 0, 0, NULL, 0);
    executor_flush(run->executor);
    loop_timer_set(run->engine->loop, &run->grace, run->engine->grace_us);
}

void run_interrupt(struct run *run)
{
    if (run->ephemeral) { /* there is no store to take it up from */
        error_auto err = ERROR_INIT;
        error_set(&err, E_UNAVAILABLE, "the sandbox ended under the execution");
        run_end_failed(run, &err, NULL);
        return;
    }
    run->interrupted = true;
    checks_drop(run);
    broker_abort(run);
    /* Nothing more is written before it has been read again: neither what waited for company, nor
     * streamed text that was no event yet, which whoever is asked again says again. */
    loop_timer_cancel(run->engine->loop, &run->flush);
    buf_free(&run->delta);
    if (run->next != NULL && run->next->inserts) {
        commit_go(run); /* without a row there would be nothing to take up */
    } else {
        commit_free(run->next);
        run->next = NULL;
    }
    run_asleep(run);
    loop_timer_cancel(run->engine->loop, &run->grace);
    loop_timer_cancel(run->engine->loop, &run->evict);
    if (run->executor != NULL)
        executor_kill(run->executor); /* `exited` goes on from there */
    else
        run_settle(run);
}

/* Says why an executor ended that left no final frame. */
static void death_explain(struct run *run, const struct executor_exit *how, struct error *err)
{
    const struct launch_limits *l = &run->launch->limits;
    int sig = WIFSIGNALED(how->status) ? WTERMSIG(how->status) : 0;
    if (sig == SIGKILL && how->cpu_us >= l->cpu_us) {
        error_set(err, E_EXECUTION_TIMEOUT, "the execution used more than its %ld ms of CPU time",
                  (long)(l->cpu_us / 1000));
        error_detail(err, "limit", json_string("cpuTimeMs"));
        error_detail(err, "limitMs", json_integer(l->cpu_us / 1000));
        error_detail(err, "usedMs", json_integer(how->cpu_us / 1000));
    } else if (sig == SIGKILL) { /* a rehearsal */
        error_set(err, E_RESOURCE_EXHAUSTED,
                  "the executor was killed, most likely by the kernel for memory");
        error_detail(err, "limit", json_string("memoryMb"));
    } else if (sig == SIGSYS) {
        error_set(err, E_EXECUTION_FAILED,
                  "the sandbox killed the executor for a forbidden system call");
        error_detail(err, "signal", json_integer(sig));
    } else if (sig != 0) {
        error_set(err, E_EXECUTION_FAILED, "the executor crashed: %s", strsignal(sig));
        error_detail(err, "signal", json_integer(sig));
    } else {
        error_set(err, E_EXECUTION_FAILED, "the executor ended without a result (status %d)",
                  WEXITSTATUS(how->status));
    }
}

/* By an operator, or by the kernel in want of memory: it goes on in a fresh process, as often as
 * [executions] attempts allows. Ours would have decided the end, and its own limits would show. */
static bool killed_from_outside(const struct run *run, const struct executor_exit *how)
{
    return !run->interrupted && !run->dropped && !run->ephemeral && WIFSIGNALED(how->status) &&
           WTERMSIG(how->status) == SIGKILL && how->cpu_us < run->launch->limits.cpu_us;
}

void run_exited(struct executor_user *user, const struct executor_exit *how)
{
    struct run *run = (struct run *)user;
    run->executor = NULL;
    run->asked = false;
    company_leave(run);
    run_executor_left(run);
    run->usage.cpu_us += how->cpu_us;
    if (how->maxrss > 0 && run->usage.memory_peak == 0)
        run->usage.memory_peak = how->maxrss;
    if (run->evicting && !run->dropped) {
        run_evict(run);
        return;
    }
    if (run->end == RUN_GOES_ON && run->checking)
        return; /* its output is there, and being looked at: check_output goes on from here */
    if (run->end == RUN_GOES_ON && (how->lost || killed_from_outside(run, how))) {
        run->killed = !how->lost;
        run_interrupt(run);
        return;
    }
    if (run->end == RUN_GOES_ON && !run->interrupted && !run->dropped) {
        error_auto err = ERROR_INIT;
        death_explain(run, how, &err);
        run_log(run, log_info, "execution.died", "%s", err.message);
        run_end_failed(run, &err, NULL);
        return;
    }
    run_settle(run);
}

/* The history of an execution that was tried more than once has its last attempt too. */
static void settle_last_attempt(struct run *run, struct commit *c)
{
    const struct execution_attempt attempt = {.attempt = run->retries + 1,
                                              .status = end_status[run->end],
                                              .error_message = run->error_message,
                                              .error_details = run->error,
                                              .started_at = run->attempt_started_at,
                                              .completed_at = run->ended_at};
    store_execution_attempt(c->batch, run->id, &attempt);
}

static void settle_webhooks(struct run *run, struct commit *c)
{
    static const char *const events[] = {
        [RUN_COMPLETED] = "execution.completed",
        [RUN_FAILED] = "execution.failed",
        [RUN_CANCELLED] = "execution.cancelled",
    };
    c->notifies = true;
    store_webhook_deliver(c->batch, run->id, events[run->end], run->ended_at);
}

void run_children_cancel(struct run *run, const char *id)
{
    struct commit *c = commit_next(run);
    if (run->ephemeral)
        return;
    if (c->children == NULL)
        c->children = json_object();
    store_children_cancel(c->batch, run->id, id, clock_wall_us(), row_ids_fn, c->children);
}

/* A row that is not stored yet is stored as it ended. */
static void settle_row(struct run *run, struct commit *c, const struct execution_end *end)
{
    const struct execution_row row = run_row(run);
    if (c->inserts)
        store_execution_insert_ended(c->batch, 0, &row, end);
    else
        store_execution_ended(c->batch, run->id, run->launch->agent_id,
                              run->unleased ? NULL : run->engine->owner, end);
}

static void settle_end_event(struct run *run)
{
    buf_auto usage = BUF_INIT, event = BUF_INIT;
    run_usage_append(run, &usage);
    struct execution_end end = {
        .status = end_status[run->end],
        .output = run->output,
        .error_message = run->error_message,
        .error_details = run->error,
        .usage_json = usage.data,
        .usage = run->usage,
        .started_at = run->started_at,
        .completed_at = run->ended_at,
        .starts = run->starts,
    };
    commit_deltas(run);
    buf_printf(&event, "{\"status\":\"%s\"", end.status);
    if (run->output != NULL) {
        buf_append_str(&event, ",\"output\":");
        buf_append_str(&event, run->output);
    }
    if (run->error != NULL) {
        buf_append_str(&event, ",\"error\":");
        buf_append_str(&event, run->error);
    }
    int64_t took = run->started_at != 0 ? run->ended_at - run->started_at : 0;
    buf_printf(&event, ",\"executionTime\":%ld.%03ld,\"resourceUsage\":%s}", (long)(took / 1000),
               (long)(took % 1000), usage.data);
    struct commit *c = commit_next(run);
    c->ends = true;
    if (!run->ephemeral) {
        settle_row(run, c, &end);
        if (run->retries > 0)
            settle_last_attempt(run, c);
        if (run->end == RUN_FAILED && (run->retries > 0 || run->exhausted))
            store_dead_letter_insert(c->batch, run->launch->organization_id, run->launch->agent_id,
                                     run->id, run->error_message, run->ended_at);
        if (atomic_load(&run->engine->notifier.wanted))
            settle_webhooks(run, c);
        if (run->waits != NULL)
            store_waits_delete(c->batch, run->id);
        if (run->parent_id != NULL)
            store_execution_wake(c->batch, run->parent_id, run->ended_at);
    }
    if (run->cancelling)
        run_children_cancel(run, NULL);
    run_log(run, log_debug, "execution.ended", "%s", end.status);
    commit_event(run, "end", event.data, event.len, 0);
    commit_go(run);
}

/* Nothing of it runs any more: write the end, take it up again, or let it go. */
void run_settle(struct run *run)
{
    run_leave_line(run);
    loop_timer_cancel(run->engine->loop, &run->grace);
    if (run->dropped) {
        if (run->flying == NULL)
            run_let_go(run); /* whoever has it now, or nobody yet */
    } else if (run->interrupted) {
        if (run->flying == NULL)
            run_load(run, run->pause_us);
    } else if (run->end != RUN_GOES_ON && (run->next == NULL || !run->next->ends)) {
        if (!run_retry(run))
            settle_end_event(run);
    }
}
