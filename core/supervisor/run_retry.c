/* Attempts: a failed one may be followed by another, as the agent's retry policy says. Between the
 * two the execution is pending again; whoever watches it sees no end. */
#include <string.h>

#include "base/clock.h"
#include "service/policy.h"
#include "supervisor/engine-private.h"

/* A pause up to this is spent in memory; for a longer one the execution is let go. */
#define HOLD_US (10 * CLOCK_SECOND)

static double random_part(void)
{
    uint32_t n;
    hash_random((uint8_t *)&n, sizeof(n));
    return (double)n / (double)UINT32_MAX;
}

static bool wanted(const struct run *run)
{
    const struct launch_retry *retry = &run->launch->retry;
    if (run->end != RUN_FAILED || run->ephemeral || run->exhausted || run->cancelling ||
        run->retries + 1 >= retry->attempts)
        return false;
    error_auto err = ERROR_INIT;
    jx_auto *error = jx_decode(run->error, strlen(run->error), "error", &err);
    enum error_code code = error_code_by_name(jx_str(error, "code", ""));
    return policy_retries(retry, code, jx_str(json_object_get(error, "details"), "code", NULL));
}

static void retry_event(struct run *run)
{
    char at[CLOCK_RFC3339_SIZE];
    buf_auto event = BUF_INIT;
    buf_printf(&event,
               "{\"status\":\"pending\",\"attempt\":%ld,\"maxAttempts\":%ld,"
               "\"nextAttemptAt\":\"%s\",\"lastError\":",
               (long)run->retries + 1, (long)run->launch->retry.attempts,
               clock_format_rfc3339(run->available_at, at));
    buf_append_str(&event, run->error);
    buf_append_char(&event, '}');
    commit_event(run, "status", event.data, event.len, 0);
}

bool run_retry(struct run *run)
{
    if (!wanted(run))
        return false;
    int64_t pause = policy_pause(&run->launch->retry, run->retries + 1, random_part());
    bool keep = pause <= HOLD_US && !atomic_load(&run->engine->draining);
    buf_auto usage = BUF_INIT;
    run->retries++;
    run->available_at = clock_wall_us() + pause;
    commit_deltas(run);
    retry_event(run);
    run->attempt_seq = run->seq;
    run_usage_append(run, &usage);
    const struct execution_attempt attempt = {.attempt = run->retries,
                                              .status = "failed",
                                              .error_message = run->error_message,
                                              .error_details = run->error,
                                              .started_at = run->attempt_started_at,
                                              .completed_at = run->ended_at,
                                              .next_attempt_at = run->available_at};
    struct commit *c = commit_next(run);
    c->retries = keep;
    c->releases = run->unleased = !keep;
    store_execution_retried(c->batch, run->id, run->engine->owner, &attempt, run->seq, usage.data,
                            keep);
    run_log(run, log_info, "execution.retried", "attempt %ld failed: %s", (long)run->retries,
            run->error_message);
    run->aborted_calls = 0; /* they are in the row now */
    run->end = RUN_GOES_ON;
    run->started = true; /* this commit must not say that it runs */
    commit_go(run);
    return true;
}

/* What of the failed attempt must not be taken for the next one's. The rest is read from the store.
 */
void run_retry_durable(struct run *run)
{
    int64_t pause = run->available_at - clock_wall_us();
    slots_release(run);
    run->starts = run->available_at = run->attempt_started_at = 0;
    run->excused = false;
    run->active_us = run->awake_at = run->active_stored = 0;
    loop_timer_set(run->engine->loop, &run->again, pause > 0 ? pause : 0);
}

void run_again_fire(struct loop_timer *timer)
{
    struct run *run = timer->arg;
    run_load(run, 0);
}
