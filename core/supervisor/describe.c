/* Evaluating a skill file for its manifest, in an executor like any other but without a door: every
 * request of it is a violation. */
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/sync.h"
#include "supervisor/engine-private.h"

/* A file has no call to wait for, so that only a busy machine makes it take WALL_US. */
enum { CPU_US = 500000, WALL_US = 10000000, MEMORY = 32 << 20, MANIFEST_MAX = 256 << 10 };

struct description {
    struct executor_user user; /* first: cast back */
    struct engine *engine;
    struct executor *executor;
    struct loop_timer wall;
    const char *name, *source;
    size_t len;
    bool asked, timed_out;
    json_t *manifest;
    struct error *err;
    struct latch latch; /* the caller waits for it */
};

static void finish(struct description *d)
{
    loop_timer_cancel(d->engine->loop, &d->wall);
    latch_open(&d->latch);
}

static void described_ready(struct executor_user *user, struct executor *executor)
{
    struct description *d = (struct description *)user;
    d->asked = false;
    d->executor = executor;
    executor_payload_limit(executor, MANIFEST_MAX);
    struct wire_start start = {.mode = WIRE_MODE_DESCRIBE,
                               .cpu_us = CPU_US,
                               .memory = MEMORY,
                               .output_max = MANIFEST_MAX / 2};
    memset(start.execution_id, '0', sizeof(start.execution_id) - 1);
    buf_auto payload = BUF_INIT;
    executor_limit_memory(executor, start.memory);
    wire_start_encode(&start, &payload);
    executor_send_frame(executor, WIRE_START, 0, 0, payload.data, payload.len);
    engine_send_skill(executor_out(executor), d->name, d->source, d->len);
    static const char run[] = "{\"input\":null,\"context\":{}}";
    executor_send_frame(executor, WIRE_RUN, 0, 0, run, sizeof(run) - 1);
    executor_flush(executor);
}

static void described_failure(struct description *d, const char *text, size_t len)
{
    error_auto err = ERROR_INIT;
    jx_auto *said = jx_decode(text, len, "failure", &err);
    const char *code = jx_str(said, "code", "");
    error_set(d->err, E_INVALID_SKILL, "%s",
              jx_str(said, "message", "the file cannot be evaluated"));
    if (strcmp(code, "InvalidSkill") != 0 && strcmp(code, "ExecutionFailed") != 0)
        error_wrap(d->err, "while the file was evaluated");
    json_t *traceback = json_object_get(said, "traceback");
    if (traceback != NULL)
        error_detail(d->err, "traceback", json_incref(traceback));
}

static void described_denied(struct description *d, const uint8_t *payload, size_t len)
{
    struct wire_denied what;
    if (wire_denied_decode(payload, len, &what) != NULL)
        return; /* its size was checked with its header */
    denied_explain(&what, d->err);
    d->err->code = E_INVALID_SKILL;
    error_wrap(d->err, "while the file was evaluated");
}

static void described_frame(struct executor_user *user, const struct wire_header *h,
                            const uint8_t *payload)
{
    struct description *d = (struct description *)user;
    if (d->manifest != NULL || d->err->code != E_NONE)
        return;
    if (h->type == WIRE_LOG)
        return; /* c9.log at the top of a file harms nobody and is heard by nobody */
    if (h->type == WIRE_DENIED) {
        described_denied(d, payload, h->length);
        return;
    }
    if (h->type != WIRE_RESULT && h->type != WIRE_FAILURE) {
        error_set(
            d->err, E_INVALID_SKILL,
            "%s.lua: a skill file may call c9 functions in `run` only, not while it is loaded",
            d->name);
        executor_kill(d->executor);
        return;
    }
    const char *text = (const char *)payload + WIRE_STATS_SIZE;
    size_t len = h->length - WIRE_STATS_SIZE;
    if (h->type == WIRE_FAILURE)
        described_failure(d, text, len);
    else
        d->manifest = jx_decode(text, len, "manifest", d->err);
}

static void described_violated(struct executor_user *user, const char *why)
{
    struct description *d = (struct description *)user;
    if (d->err->code == E_NONE)
        error_set(d->err, E_PROTOCOL_VIOLATION, "%s", why);
}

static void described_exited(struct executor_user *user, const struct executor_exit *how)
{
    struct description *d = (struct description *)user;
    if (d->manifest == NULL && d->err->code == E_NONE) {
        if (how->lost)
            error_set(d->err, E_UNAVAILABLE, "the sandbox is being started again: try again");
        else if (d->timed_out && how->cpu_us < CPU_US)
            error_set(d->err, E_UNAVAILABLE, "the machine is too busy to load the file: try again");
        else if (how->cpu_us >= CPU_US)
            error_set(d->err, E_INVALID_SKILL,
                      "%s.lua: the file takes too long to load: do the work in `run`", d->name);
        else
            error_set(d->err, E_INVALID_SKILL,
                      "%s.lua: the file crashed the executor (status 0x%x)", d->name, how->status);
    }
    finish(d);
}

static void wall_fire(struct loop_timer *timer)
{
    struct description *d = timer->arg;
    d->timed_out = true;
    if (d->executor != NULL) {
        executor_kill(d->executor);
        return;
    }
    executors_unask(d->engine->parts.executors, &d->user);
    error_set(d->err, E_UNAVAILABLE, "no executor was free in time: try again");
    finish(d);
}

static void begin(void *arg)
{
    struct description *d = arg;
    loop_timer_set(d->engine->loop, &d->wall, WALL_US);
    executors_ask(d->engine->parts.executors, &d->user);
}

int engine_describe(void *engine, const char *name, const char *source, size_t len,
                    json_t **manifest_r, struct error *err)
{
    error_auto said = ERROR_INIT;
    struct description d = {
        .user = {.ready = described_ready,
                 .frame = described_frame,
                 .violated = described_violated,
                 .exited = described_exited},
        .engine = engine,
        .name = name,
        .source = source,
        .len = len,
        .err = &said,
        .latch = LATCH_INIT,
    };
    d.wall = (struct loop_timer){.fn = wall_fire, .arg = &d};
    loop_post(d.engine->loop, begin, &d);
    latch_wait(&d.latch);
    if (d.manifest == NULL)
        return error_move(err, &said);
    *manifest_r = d.manifest;
    return 0;
}
