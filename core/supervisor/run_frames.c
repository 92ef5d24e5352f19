/* What an executor says. Everything in a frame is hostile until decoded; what breaks the rules ends
 * the execution. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/engine-private.h"

enum { OUTPUT_AT_ONCE = 16 << 10 }; /* bytes; larger outputs are decoded on a pool thread */

static void run_kill(struct run *run)
{
    if (run->executor != NULL)
        executor_kill(run->executor);
}

static void run_violation(struct run *run, const char *why)
{
    error_auto err = ERROR_INIT;
    error_set(&err, E_PROTOCOL_VIOLATION, "the executor broke the protocol: %s", why);
    run_log(run, log_warn, "execution.violation", "%s", why);
    run_end_failed(run, &err, NULL);
    run_kill(run); /* who breaks the rules gets no grace */
}

/* It may be too much for what the supervisor may hold: looked at before it is decoded. */
static json_t *frame_decode(struct run *run, const char *text, size_t len, const char *what)
{
    error_auto err = ERROR_INIT;
    if (run_hold_check(run, jx_weight(text, len), what, &err) < 0) {
        run_end_failed(run, &err, NULL);
        run_kill(run);
        return NULL;
    }
    json_t *value = jx_decode(text, len, what, &err);
    if (value == NULL)
        run_violation(run, err.message);
    return value;
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
        run->log_bytes > l->log_bytes + l->output_max + RUN_FRAME_SLACK) {
        run_violation(run, "more logs than its limits allow");
        return;
    }
    size_t meta_len = h->length - 5 - len;
    const char *message = (const char *)p + 5, *meta = message + len;
    jx_auto *metadata =
        meta_len > 0 ? frame_decode(run, meta, meta_len, "a log record's metadata") : json_object();
    jx_auto *text = json_stringn(message, len);
    if (metadata == NULL)
        return;
    if (!json_is_object(metadata) || text == NULL || memchr(message, '\0', len) != NULL) {
        run_violation(run, "a log record is not text or its metadata not an object");
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
    if (++run->emit_count > run->launch->limits.emit_count + 1) {
        run_violation(run, "more emits than its limits allow");
        return;
    }
    jx_auto *value = frame_decode(run, (const char *)p, h->length, "an emitted value");
    if (value == NULL)
        return;
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
    if (take_stats(run, h, p) < 0)
        return;
    const char *text = (const char *)p + WIRE_STATS_SIZE;
    size_t len = h->length - WIRE_STATS_SIZE;
    if (run->launch->output_schema != NULL || len > OUTPUT_AT_ONCE) {
        check_output(run, text, len);
        return;
    }
    jx_auto *output = frame_decode(run, text, len, "the output");
    if (output != NULL)
        run_end_completed(run, text, len);
}

static void frame_failure(struct run *run, const struct wire_header *h, const uint8_t *p)
{
    error_auto err = ERROR_INIT;
    if (take_stats(run, h, p) < 0)
        return;
    jx_auto *said = frame_decode(run, (const char *)p + WIRE_STATS_SIZE,
                                 h->length - WIRE_STATS_SIZE, "a failure");
    if (said == NULL)
        return;
    if (!json_is_object(said)) {
        run_violation(run, "a failure that is not an object");
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

void denied_explain(const struct wire_denied *what, struct error *err)
{
    char place[64] = "outside of the program's code";
    if (what->place != WIRE_NOWHERE)
        snprintf(place, sizeof(place), "c9d-zygote+0x%llx", (unsigned long long)what->place);
    const char *name = wire_syscall_name(what->arch, what->number);
    const char *arch = wire_arch_name(what->arch, what->number);
    error_set(err, E_EXECUTION_FAILED,
              "the sandbox killed the executor for the forbidden system call %s (%u, %s) at %s",
              name != NULL ? name : "without a name", what->number, arch, place);
    error_detail(err, "syscall", name != NULL ? json_string(name) : json_null());
    error_detail(err, "number", json_integer(what->number));
    error_detail(err, "architecture", json_string(arch));
    error_detail(err, "instructionPointer", json_string(place));
}

/* It says this of itself: who owns the executor can make it lie, but not live. */
static void frame_denied(struct run *run, const struct wire_header *h, const uint8_t *p)
{
    error_auto err = ERROR_INIT;
    struct wire_denied what;
    const char *why = wire_denied_decode(p, h->length, &what);
    if (why != NULL) {
        run_violation(run, why);
        return;
    }
    denied_explain(&what, &err);
    run_log(run, log_warn, "execution.denied", "%s", err.message);
    run_end_failed(run, &err, NULL);
    run_kill(run);
}

static void frame_idle(struct run *run, const struct wire_header *h, const uint8_t *p)
{
    (void)h, (void)p;
    if (!broker_said_idle(run))
        run_said_idle(run);
}

static void (*const frames[WIRE_TYPE_COUNT_])(struct run *run, const struct wire_header *h,
                                              const uint8_t *p) = {
    [WIRE_LOG] = frame_log,       [WIRE_EMIT] = frame_emit,       [WIRE_REQUEST] = frame_request,
    [WIRE_RESULT] = frame_result, [WIRE_FAILURE] = frame_failure, [WIRE_DENIED] = frame_denied,
    [WIRE_IDLE] = frame_idle,
};

void run_frame(struct executor_user *user, const struct wire_header *h, const uint8_t *payload)
{
    struct run *run = (struct run *)user;
    if (run->end == RUN_GOES_ON && !run->interrupted && !run->evicting)
        frames[h->type](run, h, payload);
}

void run_violated(struct executor_user *user, const char *why)
{
    run_violation((struct run *)user, why);
}
