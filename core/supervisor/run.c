/* One live execution: from admission to its terminal state. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "schema/schema.h"
#include "supervisor/engine-private.h"

enum {
    PENDING_REQUESTS_MAX = 64, /* of one executor at a time */
    FRAME_SLACK =
        4096, /* a frame's JSON is bounded by output_max; this is for what stands around it */
    INPUT_FRAME_MAX = 1 << 20, /* what is read of an executor at once */
    CPU_GRACE_US =
        200000 /* beyond the limit, after which a SIGKILL must have been the CPU timer's */
};

static void run_ready(struct executor_user *user, struct executor *executor);
static void run_frame(struct executor_user *user, const struct wire_header *h,
                      const uint8_t *payload);
static void run_violated(struct executor_user *user, const char *why);
static void run_exited(struct executor_user *user, const struct executor_exit *how);
static void wall_fire(struct loop_timer *timer);
static void flush_fire(struct loop_timer *timer);
static void grace_fire(struct loop_timer *timer);

struct run *run_new(struct engine *engine, const char *id, struct launch *launch)
{
    struct run *run = xcalloc(1, sizeof(*run));
    run->engine = engine;
    run->user = (struct executor_user){
        .ready = run_ready, .frame = run_frame, .violated = run_violated, .exited = run_exited};
    memcpy(run->id, id, UUID_SIZE - 1);
    run->launch = launch != NULL ? launch_ref(launch) : NULL;
    run->wall = (struct loop_timer){.fn = wall_fire, .arg = run};
    run->flush = (struct loop_timer){.fn = flush_fire, .arg = run};
    run->grace = (struct loop_timer){.fn = grace_fire, .arg = run};
    atomic_fetch_add(&engine->n_live, 1);
    HASH_ADD_STR(engine->runs, id, run);
    return run;
}

struct run *run_find(struct engine *engine, const char *id)
{
    struct run *run = NULL;
    HASH_FIND_STR(engine->runs, id, run);
    return run;
}

void run_watch(struct run *run, struct execution_watch *watch)
{
    watch->next_ = run->watchers;
    watch->place_ = &run->watchers;
    if (watch->next_ != NULL)
        watch->next_->place_ = &watch->next_;
    run->watchers = watch;
    memcpy(watch->id_, run->id, UUID_SIZE);
}

static void commit_free(struct commit *c)
{
    if (c == NULL)
        return;
    storage_batch_free(c->batch);
    buf_free(&c->answers);
    error_clear(&c->err);
    free(c);
}

static void replays_free(struct run *run)
{
    for (size_t i = 0; i < run->n_replays; i++)
        free(run->replays[i].answer);
    free(run->replays);
    run->replays = NULL;
    run->n_replays = run->next_replay = 0;
}

static const char *const end_status[] = {
    [RUN_COMPLETED] = "completed",
    [RUN_FAILED] = "failed",
    [RUN_CANCELLED] = "cancelled",
};

static void usage_append(const struct execution_usage *u, struct buf *out)
{
    buf_printf(
        out,
        "{\"cpuTimeMs\":%ld,\"cpuTimeUs\":%ld,\"memoryPeakMb\":%ld,\"memoryPeakBytes\":%ld,"
        "\"apiCallsCount\":%ld,\"tokensConsumed\":%ld,\"costCents\":%ld,\"costMicrocents\":%ld}",
        (long)((u->cpu_us + 999) / 1000), (long)u->cpu_us,
        (long)((u->memory_peak + (1 << 20) - 1) >> 20), (long)u->memory_peak, (long)u->api_calls,
        (long)u->tokens, (long)((u->cost_microcents + 999999) / 1000000), (long)u->cost_microcents);
}

static void watchers_ended(struct run *run)
{
    if (run->watchers == NULL || run->end == RUN_GOES_ON)
        return;
    buf_auto usage = BUF_INIT;
    usage_append(&run->usage, &usage);
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

void run_watchers_leave(struct run *run)
{
    struct execution_watch *w = run->watchers, *next;
    run->watchers = NULL;
    for (; w != NULL; w = next) {
        next = w->next_;
        w->place_ = NULL;
        if (w->left != NULL)
            w->left(w);
    }
}

static void waiting_remove(struct run *run)
{
    if (!run->in_line)
        return;
    run->in_line = false;
    *run->waiting_place = run->waiting_next;
    if (run->waiting_next != NULL)
        run->waiting_next->waiting_place = run->waiting_place;
    else
        run->engine->waiting_end = run->waiting_place;
}

void run_free(struct run *run)
{
    struct engine *engine = run->engine;
    watchers_ended(run);
    broker_abort(run);
    waiting_remove(run);
    if (run->asked)
        executors_unask(engine->parts.executors, &run->user);
    run->asked = false;
    run_executor_left(run);
    loop_timer_cancel(engine->loop, &run->wall);
    loop_timer_cancel(engine->loop, &run->flush);
    loop_timer_cancel(engine->loop, &run->grace);
    HASH_DEL(engine->runs, run);
    atomic_fetch_sub(&engine->n_live, 1);
    launch_unref(run->launch);
    commit_free(run->next);
    replays_free(run);
    buf_free(&run->delta);
    json_decref(run->rehearsal);
    free(run->user_id);
    free(run->parent_id);
    free(run->context);
    free(run->input);
    free(run->output);
    free(run->error);
    free(run->error_message);
    free(run->kill_reason);
    free(run);
}

/* ---- getting an executor
 * ------------------------------------------------------------------------------ */

static void run_ask(struct run *run)
{
    run->counted = true;
    run->engine->n_running++;
    run->asked = true;
    executors_ask(run->engine->parts.executors, &run->user);
}

void run_executor_left(struct run *run)
{
    struct engine *engine = run->engine;
    if (!run->counted)
        return;
    run->counted = false;
    engine->n_running--;
    struct run *first = engine->waiting;
    if (first != NULL && engine->n_running < engine->running_max) {
        waiting_remove(first);
        run_ask(first);
    }
}

void run_admit(struct run *run)
{
    struct engine *engine = run->engine;
    /* A child's parent holds a place while it waits: children must not wait for places. */
    if (engine->n_running < engine->running_max || run->depth > 0) {
        run_ask(run);
        return;
    }
    run->in_line = true;
    run->waiting_next = NULL;
    run->waiting_place = engine->waiting_end;
    *engine->waiting_end = run;
    engine->waiting_end = &run->waiting_next;
}

void run_insert(struct run *run)
{
    struct engine *engine = run->engine;
    struct commit *c = commit_next(run);
    c->inserts = true;
    struct execution_row row = {
        .agent_id = run->launch->agent_id,
        .agent_version = run->launch->version,
        .organization_id = run->launch->organization_id,
        .triggered_by = run->user_id,
        .parent_id = run->parent_id,
        .input = run->input,
        .context = run->context,
        .priority = run->priority,
        .available_at = run->created_at,
        .created_at = run->created_at,
        .lease_owner = engine->owner,
        .lease_until = clock_wall_us() + engine->lease_us,
    };
    memcpy(row.id, run->id, UUID_SIZE);
    if (!run->ephemeral)
        store_execution_insert(c->batch, &row);
    run->attempt = 1;
    commit_go(run);
}

void engine_send_skill(struct buf *out, const char *name, const char *source, size_t len)
{
    size_t name_len = strlen(name);
    struct wire_header h = {.length = (uint32_t)(2 + name_len + len), .type = WIRE_SKILL};
    uint8_t head[WIRE_HEADER_SIZE];
    wire_header_encode(&h, head);
    buf_append(out, head, sizeof(head));
    buf_append_char(out, (char)(name_len & 0xff));
    buf_append_char(out, (char)(name_len >> 8));
    buf_append(out, name, name_len);
    buf_append(out, source, len);
}

static void send_start(struct run *run, struct buf *out)
{
    const struct launch_limits *l = &run->launch->limits;
    struct wire_start start = {
        .mode = WIRE_MODE_RUN,
        .log_bytes_max = (uint32_t)l->log_bytes,
        .log_count_max = (uint32_t)l->log_count,
        .emit_count_max = (uint32_t)l->emit_count,
        .requests_max = (uint32_t)l->requests,
        .pending_max = PENDING_REQUESTS_MAX,
        .cpu_us = (uint64_t)l->cpu_us,
        .memory = (uint64_t)l->memory,
        .output_max = (uint64_t)l->output_max,
    };
    /* The same on replay, and not to be guessed from the id. */
    hash_hmac_sha256(run->engine->secret, sizeof(run->engine->secret), run->id, UUID_SIZE - 1,
                     start.seed);
    memcpy(start.execution_id, run->id, UUID_SIZE);
    buf_auto payload = BUF_INIT;
    wire_start_encode(&start, &payload);
    wire_frame_append(out, WIRE_START, 0, 0, payload.data, payload.len);
}

/* {"input":…,"context":{"execution":{…},"agent":{…},"skills":[…]}}: the texts are put together, not
 * parsed. */
static void send_run(struct run *run, struct buf *out)
{
    buf_auto payload = BUF_INIT;
    buf_reserve(&payload, run->input_len + run->launch->context_len + 256);
    buf_append_str(&payload, "{\"input\":");
    buf_append(&payload, run->input, run->input_len);
    buf_printf(&payload, ",\"context\":{\"execution\":{\"id\":\"%s\",\"attempt\":%ld}", run->id,
               (long)run->attempt);
    if (run->launch->context_len > 2) {
        buf_append_char(&payload, ',');
        buf_append(&payload, run->launch->context + 1, run->launch->context_len - 1);
    } else {
        buf_append_char(&payload, '}');
    }
    buf_append_char(&payload, '}');
    wire_frame_append(out, WIRE_RUN, 0, 0, payload.data, payload.len);
}

static void run_ready(struct executor_user *user, struct executor *executor)
{
    struct run *run = (struct run *)user;
    run->asked = false;
    run->executor = executor;
    if (run->end != RUN_GOES_ON) { /* cancelled while in line */
        executor_kill(executor);
        return;
    }
    executor_payload_limit(executor, (uint64_t)run->launch->limits.output_max + FRAME_SLACK);
    struct buf *out = executor_out(executor);
    send_start(run, out);
    for (size_t i = 0; i < run->launch->n_skills; i++) {
        const struct launch_skill *s = &run->launch->skills[i];
        engine_send_skill(out, s->name, s->source, s->source_len);
    }
    send_run(run, out);
    if (run->started_at == 0)
        run->started_at = clock_wall_us();
    executor_flush(executor);
    loop_timer_set(run->engine->loop, &run->wall, run->launch->limits.wall_us);
    if (run->seq == 0)
        commit_event(run, "status", "{\"status\":\"running\"}", 20, 0);
    commit_soon(run);
}

static void flush_fire(struct loop_timer *timer)
{
    struct run *run = timer->arg;
    commit_deltas(run);
    if (!run->started && run->started_at != 0 && run->end == RUN_GOES_ON && !run->ephemeral) {
        run->started = true;
        store_execution_started(commit_next(run)->batch, run->id, run->engine->owner,
                                run->started_at);
    }
    commit_go(run);
}

/* ---- what an executor says
 * -------------------------------------------------------------------------------- */

static void run_violation(struct run *run, const char *why)
{
    error_auto err = ERROR_INIT;
    error_set(&err, E_PROTOCOL_VIOLATION, "the executor broke the protocol: %s", why);
    log_warn("execution.violation", "execution %s: %s", run->id, why);
    run_end_failed(run, &err, NULL);
}

/* Notices are numbered without gaps; those a former life has stored are passed over. */
static bool notice_fresh(struct run *run, uint64_t n)
{
    if (n != run->notice + 1) {
        run_violation(run, "a notice's number is out of order");
        return false;
    }
    run->notice = n;
    return n > run->notice_stored;
}

static const char *const log_levels[] = {"debug", "info", "warn", "error"};

static void frame_log(struct run *run, const struct wire_header *h, const uint8_t *p)
{
    uint32_t len = p[1] | (uint32_t)p[2] << 8 | (uint32_t)p[3] << 16 | (uint32_t)p[4] << 24;
    const struct launch_limits *l = &run->launch->limits;
    if (p[0] > 3 || len > h->length - 5) {
        run_violation(run, "a log record's lengths do not fit");
        return;
    }
    run->log_bytes += h->length;
    if (++run->log_count > l->log_count + 1 ||
        run->log_bytes > l->log_bytes + l->output_max + FRAME_SLACK) {
        run_violation(run, "more logs than its limits allow");
        return;
    }
    error_auto err = ERROR_INIT;
    size_t meta_len = h->length - 5 - len;
    const char *message = (const char *)p + 5, *meta = message + len;
    jx_auto *metadata =
        meta_len > 0 ? jx_decode(meta, meta_len, "log metadata", &err) : json_object();
    jx_auto *text = json_stringn(message, len);
    if (!json_is_object(metadata) || text == NULL) {
        run_violation(run, "a log record is not UTF-8 or its metadata not an object");
        return;
    }
    if (!notice_fresh(run, h->id))
        return;
    commit_deltas(run);
    struct commit *c = commit_next(run);
    c->bytes += h->length + 64;
    c->last_seq = ++run->seq;
    if (!run->ephemeral)
        store_execution_log(c->batch, run->id, run->seq, (int64_t)h->id, log_levels[p[0]], message,
                            len, meta_len > 0 ? meta : NULL, meta_len, clock_wall_us());
    if (run->on_event != NULL) {
        jx_auto *event =
            json_pack("{sssOsO}", "level", log_levels[p[0]], "message", text, "metadata", metadata);
        size_t event_len;
        autofree char *event_text = jx_encode(event, &event_len);
        run->on_event(run->on_event_arg, "log", event_text, event_len);
    }
    commit_soon(run);
}

static void frame_emit(struct run *run, const struct wire_header *h, const uint8_t *p)
{
    error_auto err = ERROR_INIT;
    jx_auto *value = jx_decode((const char *)p, h->length, "emit", &err);
    if (value == NULL || ++run->emit_count > run->launch->limits.emit_count + 1) {
        run_violation(run, value == NULL ? err.message : "more emits than its limits allow");
        return;
    }
    if (!notice_fresh(run, h->id))
        return;
    commit_deltas(run);
    buf_auto event = BUF_INIT;
    buf_append_str(&event, "{\"value\":");
    buf_append(&event, p, h->length);
    buf_append_char(&event, '}');
    commit_event(run, "emit", event.data, event.len, (int64_t)h->id);
    commit_soon(run);
}

static void frame_request(struct run *run, const struct wire_header *h, const uint8_t *p)
{
    broker_request(run, h->id, p, h->length);
}

/* The peak as the allocator counted; an executor cannot say more than it was allowed. */
static int take_stats(struct run *run, const struct wire_header *h, const uint8_t *p)
{
    struct wire_stats stats;
    const char *why = wire_stats_decode(p, h->length, &stats);
    if (why != NULL) {
        run_violation(run, why);
        return -1;
    }
    int64_t peak = stats.memory_peak < (uint64_t)run->launch->limits.memory
                       ? (int64_t)stats.memory_peak
                       : run->launch->limits.memory;
    if (peak > run->usage.memory_peak)
        run->usage.memory_peak = peak;
    return 0;
}

static void frame_result(struct run *run, const struct wire_header *h, const uint8_t *p)
{
    error_auto err = ERROR_INIT;
    if (take_stats(run, h, p) < 0)
        return;
    const char *text = (const char *)p + WIRE_STATS_SIZE;
    size_t len = h->length - WIRE_STATS_SIZE;
    jx_auto *output = jx_decode(text, len, "output", &err);
    if (output == NULL) {
        run_violation(run, err.message);
    } else if (run->launch->output_schema != NULL &&
               schema_validate(run->launch->output_schema, output, &err) < 0) {
        err.code = E_EXECUTION_FAILED;
        error_wrap(&err, "the output does not match the agent's output schema");
        run_end_failed(run, &err, NULL);
    } else {
        run_end_completed(run, text, len);
    }
}

static void frame_failure(struct run *run, const struct wire_header *h, const uint8_t *p)
{
    error_auto decode_err = ERROR_INIT, err = ERROR_INIT;
    if (take_stats(run, h, p) < 0)
        return;
    jx_auto *said = jx_decode((const char *)p + WIRE_STATS_SIZE, h->length - WIRE_STATS_SIZE,
                              "failure", &decode_err);
    if (!json_is_object(said)) {
        run_violation(run, said == NULL ? decode_err.message : "a failure that is not an object");
        return;
    }
    const char *code = jx_str(said, "code", "ExecutionFailed");
    enum error_code known = error_code_by_name(code);
    error_set(&err, known != E_NONE ? known : E_EXECUTION_FAILED, "%s",
              jx_str(said, "message", "the skill failed"));
    json_t *details = json_object_get(said, "details");
    const char *key;
    json_t *value;
    json_object_foreach (details, key, value) /* none when it is not an object */
        error_detail(&err, key, json_incref(value));
    if (known == E_NONE)
        error_detail(&err, "code", json_string(code));
    run_end_failed(run, &err, jx_str(said, "traceback", NULL));
}

static void (*const frames[WIRE_TYPE_COUNT_])(struct run *run, const struct wire_header *h,
                                              const uint8_t *p) = {
    [WIRE_LOG] = frame_log,       [WIRE_EMIT] = frame_emit,       [WIRE_REQUEST] = frame_request,
    [WIRE_RESULT] = frame_result, [WIRE_FAILURE] = frame_failure,
};

static void run_frame(struct executor_user *user, const struct wire_header *h,
                      const uint8_t *payload)
{
    struct run *run = (struct run *)user;
    if (run->end == RUN_GOES_ON && !run->interrupted)
        frames[h->type](run, h, payload);
}

static void run_violated(struct executor_user *user, const char *why)
{
    run_violation((struct run *)user, why);
}

/* ---- how it ends
 * --------------------------------------------------------------------------------------------- */

/* The first decision stays. */
static bool run_decide(struct run *run, enum run_end_kind end)
{
    if (run->end != RUN_GOES_ON)
        return false;
    run->end = end;
    run->ended_at = clock_wall_us();
    broker_abort(run);
    loop_timer_cancel(run->engine->loop, &run->wall);
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
    run_after_decision(run);
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

static void wall_fire(struct loop_timer *timer)
{
    struct run *run = timer->arg;
    error_auto err = ERROR_INIT;
    error_set(&err, E_EXECUTION_TIMEOUT, "the execution took longer than its %ld ms of wall time",
              (long)(run->launch->limits.wall_us / 1000));
    error_detail(&err, "limit", json_string("wallTimeMs"));
    error_detail(&err, "limitMs", json_integer(run->launch->limits.wall_us / 1000));
    run_end_killed(run, &err);
}

static void run_end_cancelled(struct run *run)
{
    error_auto err = ERROR_INIT;
    error_set(&err, E_CANCELLED, "the execution was cancelled");
    run_end_killed(run, &err);
}

static void grace_fire(struct loop_timer *timer)
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
    if (run->executor == NULL) {
        if (!run->loading)
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
    broker_abort(run);
    commit_free(run->next);
    run->next = NULL;
    loop_timer_cancel(run->engine->loop, &run->wall);
    loop_timer_cancel(run->engine->loop, &run->grace);
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
    } else if (sig == SIGKILL) {
        error_set(err, E_RESOURCE_EXHAUSTED,
                  "the kernel killed the executor, most likely for memory");
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

static void run_exited(struct executor_user *user, const struct executor_exit *how)
{
    struct run *run = (struct run *)user;
    run->executor = NULL;
    run->asked = false;
    run_executor_left(run);
    run->usage.cpu_us += how->cpu_us;
    if (how->maxrss > 0 && run->usage.memory_peak == 0)
        run->usage.memory_peak = how->maxrss;
    if (run->end == RUN_GOES_ON && how->lost) {
        run->lost = true;
        run_interrupt(run);
        return;
    }
    if (run->end == RUN_GOES_ON && !run->interrupted && !run->dropped) {
        error_auto err = ERROR_INIT;
        death_explain(run, how, &err);
        log_info("execution.died", "execution %s: %s", run->id, err.message);
        run_end_failed(run, &err, NULL);
        return;
    }
    run_settle(run);
}

static void settle_end_event(struct run *run)
{
    buf_auto usage = BUF_INIT, event = BUF_INIT;
    usage_append(&run->usage, &usage);
    struct execution_end end = {
        .status = end_status[run->end],
        .output = run->output,
        .error_message = run->error_message,
        .error_details = run->error,
        .usage_json = usage.data,
        .usage = run->usage,
        .started_at = run->started_at,
        .completed_at = run->ended_at,
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
    if (!run->ephemeral)
        store_execution_ended(c->batch, run->id, run->launch->agent_id, run->engine->owner, &end);
    commit_event(run, "end", event.data, event.len, 0);
    commit_go(run);
}

/* Nothing of it runs any more: write the end, take it up again, or let it go. */
void run_settle(struct run *run)
{
    loop_timer_cancel(run->engine->loop, &run->grace);
    if (run->dropped) {
        if (run->flying == NULL)
            run_free(run);
    } else if (run->interrupted) {
        if (run->flying == NULL)
            run_load(run, 0);
    } else if (run->end != RUN_GOES_ON && (run->next == NULL || !run->next->ends)) {
        settle_end_event(run);
    }
}
