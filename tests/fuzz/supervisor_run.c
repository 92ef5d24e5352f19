/* Whatever an executor sends into an execution, after framing: LOG, EMIT, REQUEST, RESULT, FAILURE,
 * DENIED. It is answered, or the execution ends; what is stored and told of it is JSON, and what
 * was held for it is given back. The execution has no store, no executor and recorded replies:
 * nothing leaves the process.
 *
 * Input: a byte of flags, then messages: type, length (2 bytes, little endian), payload. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "schema/schema.h"
#include "supervisor/engine-private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLAG_SCHEMA = 1, FLAG_NOT_DURABLE = 2, FLAG_NARROW = 4, FLAG_REPLAY = 8, WRONG_ID = 0x80 };

static const unsigned types[] = {WIRE_LOG,    WIRE_EMIT,    WIRE_REQUEST,
                                 WIRE_RESULT, WIRE_FAILURE, WIRE_DENIED};

static struct engine engine;
static struct launch launch;
static struct schema *schema;
static struct launch_skill skill = {.name = "tool"};
static bool alive;

static void die_unless(bool holds)
{
    if (!holds)
        abort();
}

static void must_be_json(const char *text, size_t len)
{
    jx_auto *value = jx_decode(text, len, "what is told", NULL);
    die_unless(value != NULL);
}

static void on_event(void *arg, const char *type, const char *data, size_t len)
{
    (void)arg;
    (void)type;
    must_be_json(data, len);
}

static void on_ended(struct execution_watch *watch, const struct execution_outcome *outcome)
{
    (void)watch;
    alive = false;
    if (outcome->output != NULL)
        must_be_json(outcome->output, strlen(outcome->output));
    if (outcome->error != NULL)
        must_be_json(outcome->error, strlen(outcome->error));
    must_be_json(outcome->usage, strlen(outcome->usage));
}

static json_t *json_of(const char *text)
{
    json_t *value = jx_decode(text, strlen(text), "the target's own", NULL);
    die_unless(value != NULL);
    return value;
}

static void world_open(void)
{
    jx_auto *document = json_of("{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"},"
                                "\"s\":{\"pattern\":\"^a+$\"}},\"additionalProperties\":false}");
    engine.loop = loop_new(NULL);
    company_begin(&engine);
    engine.pool = work_pool_new("pool", 1, NULL);
    engine.grace_us = 1;
    engine.depth_max = 8;
    engine.asks_max = 3;
    engine.journal_bytes_max = 1 << 20;
    engine.journal_effects_max = 50;
    engine.journal_request_max = 4096;
    die_unless(engine.loop != NULL && engine.pool != NULL);
    die_unless((schema = schema_cache_get(document, NULL)) != NULL);
    skill.input = schema;
    launch.refs = 1 << 30; /* never freed */
    launch.skills = &skill;
    launch.n_skills = 1;
    launch.version = launch.agent_name = "fuzzed";
    launch.needs = json_of("{\"model\":[\"default\"],\"http\":[\"*\"],\"agents\":[\"*\"]}");
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
}

static void limits_set(bool narrow)
{
    launch.limits = (struct launch_limits){.cpu_us = 1000000,
                                           .wall_us = 600 * CLOCK_SECOND,
                                           .memory = 1 << 20,
                                           .output_max = 1 << 16,
                                           .log_bytes = narrow ? 64 : 1 << 16,
                                           .log_count = narrow ? 2 : 100,
                                           .emit_count = narrow ? 2 : 100,
                                           .requests = narrow ? 3 : 100,
                                           .host_memory = narrow ? 4096 : 1 << 20};
}

static void stop(void *arg)
{
    (void)arg;
    loop_stop(engine.loop);
}

/* Until nothing of it is under way. */
static void settle(struct run *run)
{
    do {
        loop_post(engine.loop, stop, NULL);
        loop_run(engine.loop);
    } while (alive && (run->flying != NULL || run->checks != NULL));
}

static struct run *run_open(unsigned flags)
{
    static struct execution_watch watch = {.ended = on_ended};
    char id[UUID_SIZE];
    limits_set((flags & FLAG_NARROW) != 0);
    launch.output_schema = (flags & FLAG_SCHEMA) != 0 ? schema : NULL;
    struct run *run = run_new(&engine, uuid_make(id), &launch);
    run->ephemeral = true;
    run->durable = (flags & FLAG_NOT_DURABLE) == 0;
    run->rehearsal = json_of("{\"model\":[{\"content\":\"hello\"},{\"content\":\"\"}],"
                             "\"http\":[{\"status\":200}],\"agents\":[1,null]}");
    run->user_id = xstrdup("");
    run->context = xstrdup("{}");
    run->on_event = on_event;
    if ((flags & FLAG_REPLAY) != 0) {
        run->replays = xcalloc(1, sizeof(*run->replays));
        run->replays[0] = (struct replay){
            .seq = 2, .kind = WIRE_KIND_NOW, .digest = "0", .answer = xstrdup("{}")};
        run->n_replays = 1;
    }
    run_watch(run, &watch);
    alive = true;
    return run;
}

static void message(struct run *run, uint8_t selector, const uint8_t *payload, size_t len,
                    uint64_t *notice, uint64_t *request)
{
    struct wire_header h = {.type = (uint16_t)types[(selector & 0x7f) % countof(types)],
                            .length = (uint32_t)len};
    const struct wire_row *row = wire_row(h.type);
    if (len < row->min || len > (size_t)launch.limits.output_max + RUN_FRAME_SLACK)
        return; /* the reader refuses it */
    if (row->numbered)
        h.id = ++*(h.type == WIRE_REQUEST ? request : notice) + (selector & WRONG_ID ? 7 : 0);
    /* A block of its own, so that a sanitizer sees the first byte read past the end. */
    uint8_t *copy = xmalloc(len);
    memcpy(copy, payload, len);
    run_frame(&run->user, &h, copy);
    free(copy);
    settle(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t notice = 0, request = 0;
    if (engine.loop == NULL)
        world_open();
    if (size < 1)
        return 0;
    struct run *run = run_open(data[0]);
    for (size_t at = 1; alive && at + 3 <= size;) {
        size_t len = data[at + 1] | (size_t)data[at + 2] << 8;
        if (len > size - at - 3)
            len = size - at - 3;
        message(run, data[at], data + at + 3, len, &notice, &request);
        at += 3 + len;
    }
    if (alive) {
        broker_abort(run);
        run_replays_free(run);
        die_unless(run->held >= 0 && run->held <= launch.limits.host_memory);
        run_free(run);
    }
    die_unless(engine.runs == NULL);
    return 0;
}
