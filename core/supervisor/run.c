/* One live execution: its life, its place among the others, and what it is started with.
 * run_frames.c hears what it says, run_end.c decides and writes how it ends. */
#include <string.h>

#include "base/clock.h"
#include "store/idempotency.h"
#include "store/webhook.h"
#include "supervisor/engine-private.h"

static void run_ready(struct executor_user *user, struct executor *executor);
static void flush_fire(struct loop_timer *timer);

struct run *run_new(struct engine *engine, const char *id, struct launch *launch)
{
    struct run *run = xcalloc(1, sizeof(*run));
    run->engine = engine;
    run->user = (struct executor_user){.early = true,
                                       .ready = run_ready,
                                       .frame = run_frame,
                                       .violated = run_violated,
                                       .exited = run_exited};
    memcpy(run->id, id, UUID_SIZE - 1);
    run->launch = launch != NULL ? launch_ref(launch) : NULL;
    run->wall = (struct loop_timer){.fn = run_wall_fire, .arg = run};
    run->flush = (struct loop_timer){.fn = flush_fire, .arg = run};
    run->grace = (struct loop_timer){.fn = run_grace_fire, .arg = run};
    run->again = (struct loop_timer){.fn = run_again_fire, .arg = run};
    run->evict = (struct loop_timer){.fn = run_evict_fire, .arg = run};
    atomic_fetch_add(&engine->n_live, 1);
    HASH_ADD_STR(engine->runs, id, run);
    seats_to_run(run);
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

void run_replays_free(struct run *run)
{
    for (size_t i = 0; i < run->n_replays; i++) {
        if (run->replays[i].answer != NULL)
            run->held -= (int64_t)run->replays[i].answer_len;
        free(run->replays[i].answer);
        free(run->replays[i].request);
    }
    free(run->replays);
    free(run->asks);
    run->replays = NULL;
    run->asks = NULL;
    run->n_replays = run->next_replay = run->n_asks = 0;
}

void watchers_leave(struct execution_watch *watchers)
{
    for (struct execution_watch *w = watchers, *next; w != NULL; w = next) {
        next = w->next_;
        w->place_ = NULL;
        if (w->left != NULL)
            w->left(w);
    }
}

void run_watchers_leave(struct run *run)
{
    struct execution_watch *watchers = run->watchers;
    run->watchers = NULL;
    watchers_leave(watchers);
}

void run_let_go(struct run *run)
{
    struct engine *engine = run->engine;
    seats_from_run(run);
    run_free(run);
    engine_queue_kick(engine);
}

void run_leave_line(struct run *run)
{
    turn_leave(run);
    slots_leave_line(run);
    if (run->executor != NULL)
        return;
    if (run->asked)
        executors_unask(run->engine->parts.executors, &run->user);
    run->asked = false;
    run_executor_left(run);
}

/* There is a place for one more: the queue's thread hears of it when there was none, and not for
 * every single one. */
static void run_left_room(struct engine *engine)
{
    int64_t live = atomic_fetch_sub(&engine->n_live, 1) - 1;
    if (atomic_load(&engine->starved) && live <= engine->live_max - (engine->live_max + 7) / 8)
        engine_queue_kick(engine);
}

static void brood_leave(struct run *run)
{
    if (run->brood == NULL)
        return;
    run->brood->live -= run->in_brood;
    if (--run->brood->refs == 0)
        free(run->brood);
}

void run_free(struct run *run)
{
    struct engine *engine = run->engine;
    company_leave(run);
    run_watchers_end(run);
    checks_drop(run);
    broker_abort(run);
    run_leave_line(run);
    loop_timer_cancel(engine->loop, &run->wall);
    loop_timer_cancel(engine->loop, &run->flush);
    loop_timer_cancel(engine->loop, &run->grace);
    loop_timer_cancel(engine->loop, &run->again);
    loop_timer_cancel(engine->loop, &run->evict);
    slots_release(run);
    run_waits_free(run);
    run_load_drop(run);
    HASH_DEL(engine->runs, run);
    run_left_room(engine);
    brood_leave(run);
    launch_unref(run->launch);
    commit_free(run->next);
    run_replays_free(run);
    buf_free(&run->delta);
    buf_free(&run->behind);
    json_decref(run->rehearsal);
    json_decref(run->report);
    free(run->used);
    free(run->origin_id);
    free(run->origin_kind);
    journal_copy_clear(&run->journal);
    free(run->user_id);
    free(run->version_note);
    free(run->parent_id);
    free(run->context);
    free(run->concurrency_key);
    free(run->webhook_url);
    free(run->webhook_secret);
    free(run->input);
    free(run->seed_id);
    free(run->output);
    free(run->error);
    free(run->error_message);
    free(run);
}

/* ---- getting an executor --------------------------------------------------------------------- */

int64_t run_starts(const struct run *run)
{
    return run->starts + (run->counted && !run->input_sent && !run->excused);
}

void run_start_counted(struct run *run)
{
    if (!run->counted || run->asked || run->input_sent || run->end != RUN_GOES_ON ||
        run->interrupted || run->dropped)
        return; /* it has lost its place meanwhile */
    run->asked = true;
    executors_ask(run->engine->parts.executors, &run->user);
}

/* It has a place from now on. */
static void run_ask(struct run *run)
{
    run->counted = true;
    run->engine->n_running++;
    run->engine->n_children += run->depth > 0;
    if (run->ephemeral || run_starts(run) == run->starts_kept) {
        run_start_counted(run);
    } else {
        commit_next(run)->starts = true;
        commit_go(run);
    }
}

/* It waits for a place: no start is under way. A row that is not on its way yet says so by itself.
 */
static void run_line_up(struct run *run)
{
    if (run->ephemeral || run_starts(run) == run->starts_kept ||
        (run->next != NULL && run->next->inserts))
        return;
    commit_next(run);
    commit_go(run);
}

void run_executor_left(struct run *run)
{
    if (!run->counted)
        return;
    run->counted = false;
    engine_place_free(run->engine, run->depth > 0);
}

void engine_place_free(struct engine *engine, bool child)
{
    engine->n_running--;
    engine->n_children -= child;
    struct run *first = engine->n_running < engine->running_max ? turn_next(engine) : NULL;
    if (first != NULL)
        run_ask(first);
}

/* Children do not wait for places, since their parents hold one; they have as many of their own.
 * One brood gets half of them at most: another's executions shall find some, whatever the first
 * does. */
int run_child_admissible(const struct run *parent, struct error *err)
{
    const struct engine *engine = parent->engine;
    int64_t most = engine->running_max > RUN_PENDING_MAX ? engine->running_max : RUN_PENDING_MAX;
    int64_t share = engine->children_max < most / 2 ? engine->children_max : most / 2;
    if (parent->brood != NULL && parent->brood->live >= share)
        return error_set(
            err, E_UNAVAILABLE,
            "%ld executions are under way below one execution: [executions] children is "
            "%ld, and half of [executions] running %ld",
            (long)parent->brood->live, (long)engine->children_max, (long)engine->running_max);
    if (engine->n_children < most && engine->n_running < engine->executors_max &&
        atomic_load(&engine->n_live) < engine->live_max)
        return 0;
    return error_set(
        err, E_UNAVAILABLE,
        "no place is left for an execution by an execution: [executions] running is %ld",
        (long)engine->running_max);
}

void run_child_adopt(struct run *parent, struct run *child)
{
    if (parent->brood == NULL) {
        parent->brood = xcalloc(1, sizeof(*parent->brood));
        parent->brood->refs = 1;
    }
    child->brood = parent->brood;
    child->brood->refs++;
    child->brood->live++;
    child->in_brood = true;
}

void run_admit(struct run *run)
{
    struct engine *engine = run->engine;
    if (!slots_take(run)) {
        if (run->blocked_on != NULL)
            run_line_up(run);
        return;
    }
    /* A child's parent holds a place while it waits: children must not wait for places. They have
     * as many of their own, and are refused beyond: run_child_admissible. */
    if (engine->n_running < engine->running_max || run->depth > 0) {
        run_ask(run);
        return;
    }
    turn_join(run);
    run_line_up(run);
}

/* In the row's own batch: no crash can leave one without the other. */
static void insert_key(struct run *run, struct commit *c, const struct run_key *key)
{
    autofree char *location = xasprintf("/v1/executions/%s", run->id);
    struct idempotency_row row = {.request_sha256 = (char *)key->request_sha256,
                                  .location = location,
                                  .body = key->answer,
                                  .status = 202};
    store_idempotency_insert(c->batch, run->launch->organization_id, key->key, &row,
                             run->created_at, key->expired);
}

/* Its own webhook: no crash can leave one without the other. */
static void insert_webhook(struct run *run, struct commit *c)
{
    char id[UUID_SIZE];
    const struct webhook_row row = {
        .id = uuid_make(id),
        .organization_id = run->launch->organization_id,
        .execution_id = run->id,
        .url = run->webhook_url,
        .events = "[\"execution.completed\",\"execution.failed\",\"execution.cancelled\"]",
        .secret = run->webhook_secret,
        .created_by = run->user_id,
        .is_active = true,
        .at = run->created_at};
    store_webhook_insert(c->batch, &row);
    atomic_store(&run->engine->notifier.wanted, true);
}

/* A fork begins with what its origin was answered, which is paid for. */
static void insert_journal(struct run *run, struct commit *c)
{
    for (size_t i = 0; i < run->journal.n; i++) {
        const struct journal_entry *e = &run->journal.entries[i];
        const struct journal_row row = {.seq = e->seq,
                                        .kind = e->kind,
                                        .request_sha256 = e->sha256,
                                        .request = e->request,
                                        .request_len = e->request_len,
                                        .answer = e->answer,
                                        .answer_len = e->answer_len,
                                        .is_error = e->failed,
                                        .copied = true,
                                        .asked_at = e->asked_at,
                                        .answered_at = e->answered_at};
        store_journal_append(c->batch, run->id, &row);
    }
    journal_copy_clear(&run->journal);
}

struct execution_row run_row(const struct run *run)
{
    const struct engine *engine = run->engine;
    struct execution_row row = {
        .agent_id = run->launch->agent_id,
        .agent_version = run->launch->version,
        .organization_id = run->launch->organization_id,
        .triggered_by = run->user_id,
        .parent_id = run->parent_id,
        .input = run->input,
        .context = run->context,
        .version_note = run->version_note,
        .priority = run->priority,
        .available_at = run->available_at != 0 ? run->available_at : run->created_at,
        .created_at = run->created_at,
        .lease_owner = run->available_at != 0 ? NULL : engine->owner,
        .lease_until = clock_wall_us() + engine->lease_us,
        .concurrency_key = run->concurrency_key,
        .origin_id = run->origin_id,
        .origin_kind = run->origin_kind,
        .seed_id = run->seed_id,
    };
    memcpy(row.id, run->id, UUID_SIZE);
    return row;
}

void run_insert(struct run *run, const struct run_key *key)
{
    struct commit *c = commit_next(run);
    c->inserts = true;
    c->releases = run->unleased = run->available_at != 0;
    const struct execution_row row = run_row(run);
    if (!run->ephemeral)
        store_execution_insert(c->batch, &row);
    if (key != NULL)
        insert_key(run, c, key); /* at RUN_KEY_STATEMENT */
    insert_journal(run, c);
    if (run->webhook_url != NULL)
        insert_webhook(run, c);
    run->starts_kept = run->unleased ? 0 : 1;
    if (key == NULL && run->watchers != NULL && run->watchers->patient && !c->releases)
        commit_soon(run);
    else
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

/* The id that the skill sees. */
static const char *run_shown_id(const struct run *run)
{
    return run->recorded != NULL ? run->recorded->execution_id : run->id;
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
        .pending_max = RUN_PENDING_MAX,
        .cpu_us = (uint64_t)l->cpu_us,
        .memory = (uint64_t)l->memory,
        .output_max = (uint64_t)l->output_max,
    };
    if (run->recorded != NULL && run->recorded->seed != NULL)
        memcpy(start.seed, run->recorded->seed, sizeof(start.seed));
    else
        engine_seed(run->engine, run->seed_id != NULL ? run->seed_id : run->id, run->retries,
                    start.seed);
    memcpy(start.execution_id, run_shown_id(run), UUID_SIZE);
    buf_auto payload = BUF_INIT;
    executor_limit_memory(run->executor, start.memory);
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
    buf_printf(&payload, ",\"context\":{\"execution\":{\"id\":\"%s\",\"attempt\":%ld}",
               run_shown_id(run), (long)run->retries + 1);
    if (run->launch->context_len > 2) {
        buf_append_char(&payload, ',');
        buf_append(&payload, run->launch->context + 1, run->launch->context_len - 1);
    } else {
        buf_append_char(&payload, '}');
    }
    buf_append_char(&payload, '}');
    wire_frame_append(out, WIRE_RUN, 0, 0, payload.data, payload.len);
}

static void running_event(struct run *run)
{
    char event[64];
    int len = run->retries == 0
                  ? snprintf(event, sizeof(event), "{\"status\":\"running\"}")
                  : snprintf(event, sizeof(event), "{\"status\":\"running\",\"attempt\":%ld}",
                             (long)run->retries + 1);
    commit_event(run, "status", event, (size_t)len, 0);
}

void run_input_sent(struct run *run)
{
    if (!run->durable || !run->input_sent)
        return;
    free(run->input);
    run->input = NULL;
    run->input_len = 0;
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
    executor_payload_limit(executor, (uint64_t)run->launch->limits.output_max + RUN_FRAME_SLACK);
    struct buf *out = executor_out(executor);
    send_start(run, out);
    for (size_t i = 0; i < run->launch->n_skills; i++) {
        const struct launch_skill *s = &run->launch->skills[i];
        engine_send_skill(out, s->name, s->source, s->source_len);
    }
    send_run(run, out);
    broker_catch_up(run);
    run->attempt_started_at = clock_wall_us();
    run->starts += !run->excused;
    run->excused = false;
    run->input_sent = true;
    company_enter(run);
    run_input_sent(run);
    if (run->started_at == 0)
        run->started_at = run->attempt_started_at;
    executor_flush(executor);
    run->idle = run->yielding = false;
    run_awake(run);
    if (run->seq == run->attempt_seq)
        running_event(run);
    commit_soon(run);
}

static void flush_fire(struct loop_timer *timer)
{
    struct run *run = timer->arg;
    commit_deltas(run);
    if (!run->started && run->input_sent && run->end == RUN_GOES_ON)
        commit_next(run); /* if there is nothing else to say: that it runs */
    commit_go(run);
}
