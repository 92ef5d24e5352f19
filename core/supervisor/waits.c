/* Long waits: a sleep, a signal, a child execution. An execution of which nothing is left to do but
 * to wait gives its executor back: it is evicted, which leaves its row, and comes back by replay
 * when it is due, a signal came or a child ended. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/wait.h"
#include "supervisor/engine-private.h"

static const char *const kind_names[] = {
    [WAIT_SLEEP] = "sleep",
    [WAIT_SIGNAL] = "signal",
    [WAIT_EXECUTION] = "execution",
};

/* ---- the list ---- */

void wait_free(struct wait *wait)
{
    schema_unref(wait->schema);
    free(wait->name);
    free(wait->schema_text);
    free(wait);
}

void run_waits_free(struct run *run)
{
    for (struct wait *w = run->waits, *next; w != NULL; w = next) {
        next = w->next;
        loop_timer_cancel(run->engine->loop, &w->timer);
        wait_free(w);
    }
    run->waits = NULL;
}

struct wait *wait_of_row(const struct wait_row *row)
{
    struct wait *wait = xcalloc(1, sizeof(*wait));
    for (size_t k = 0; k < countof(kind_names); k++)
        if (strcmp(row->kind, kind_names[k]) == 0)
            wait->kind = (enum wait_kind)k;
    wait->seq = row->seq;
    wait->name = xstrdup_or_null(row->name);
    wait->schema_text = xstrdup_or_null(row->schema);
    wait->since = row->since;
    wait->until = row->until;
    wait->stored = true;
    return wait;
}

/* [{"seq","kind","name","since","until"}…] of those that are stored; NULL when there are none. */
static char *waits_json(const struct run *run)
{
    jx_auto *list = json_array();
    char at[CLOCK_RFC3339_SIZE];
    for (const struct wait *w = run->waits; w != NULL; w = w->next) {
        if (!w->stored)
            continue;
        json_t *item =
            json_pack("{s:I, s:s}", "seq", (json_int_t)w->seq, "kind", kind_names[w->kind]);
        if (w->name != NULL)
            json_object_set_new(item, w->kind == WAIT_EXECUTION ? "executionId" : "name",
                                json_string(w->name));
        json_object_set_new(item, "since", json_string(clock_format_rfc3339(w->since, at)));
        if (w->until != 0)
            json_object_set_new(item, "until", json_string(clock_format_rfc3339(w->until, at)));
        json_array_append_new(list, item);
    }
    return json_array_size(list) > 0 ? jx_encode(list, NULL) : NULL;
}

static void wait_store(struct run *run, struct wait *wait)
{
    struct wait_row row = {
        .organization_id = run->launch->organization_id,
        .seq = wait->seq,
        .kind = kind_names[wait->kind],
        .name = wait->name,
        .schema = wait->schema_text,
        .since = wait->since,
        .until = wait->until,
    };
    memcpy(row.execution_id, run->id, UUID_SIZE);
    store_wait_insert(commit_next(run)->batch, &row);
    wait->stored = true;
}

/* Those who follow it hear what it waits for. */
static void waits_tell(struct run *run)
{
    autofree char *waits = waits_json(run);
    store_execution_waiting(commit_next(run)->batch, run->id, waits);
    buf_auto event = BUF_INIT;
    buf_append_str(&event, "{\"status\":\"running\"");
    if (waits != NULL)
        buf_printf(&event, ",\"waitingFor\":%s", waits);
    buf_append_char(&event, '}');
    commit_event(run, "status", event.data, event.len, 0);
}

static struct wait *wait_find(struct run *run, int64_t seq)
{
    for (struct wait *w = run->waits; w != NULL; w = w->next)
        if (w->seq == seq)
            return w;
    return NULL;
}

struct wait *wait_begin(struct effect *effect, enum wait_kind kind, const char *name,
                        const char *schema_text, int64_t timeout_us)
{
    struct run *run = effect->run;
    struct wait *wait = wait_find(run, (int64_t)effect->seq);
    if (wait == NULL) {
        struct wait **end = &run->waits;
        while (*end != NULL)
            end = &(*end)->next;
        wait = *end = xcalloc(1, sizeof(*wait));
        wait->seq = (int64_t)effect->seq;
        wait->kind = kind;
        wait->name = xstrdup_or_null(name);
        wait->schema_text = xstrdup_or_null(schema_text);
        wait->since = clock_wall_us();
        wait->until = timeout_us > 0 ? wait->since + timeout_us : 0;
        bool lasts = kind == WAIT_SIGNAL || timeout_us >= WAIT_STORED_US;
        if (lasts && !run->ephemeral) {
            wait_store(run, wait);
            if (kind == WAIT_SIGNAL)
                waits_tell(run);
            commit_go(run);
        }
    }
    wait->effect = effect;
    wait->unsure = kind == WAIT_EXECUTION;
    wait->timer.arg = wait;
    effect->wait = wait;
    return wait;
}

/* How long from now, by the wall clock: it may have begun in a former life. */
int64_t wait_left(const struct wait *wait)
{
    int64_t left = wait->until - clock_wall_us();
    return left > 0 ? left : 0;
}

void wait_end(struct effect *effect)
{
    struct run *run = effect->run;
    struct wait *wait = effect->wait, **place = &run->waits;
    while (*place != wait)
        place = &(*place)->next;
    *place = wait->next;
    effect->wait = NULL;
    loop_timer_cancel(run->engine->loop, &wait->timer);
    if (wait->stored && !run->ephemeral) {
        store_wait_delete(commit_next(run)->batch, run->id, wait->seq);
        waits_tell(run);
    }
    wait_free(wait);
}

/* ---- idle ---- */

/* Nothing is under way but waits that will take longer yet. */
static bool run_only_waits(const struct run *run)
{
    if (run->executor == NULL || !run->durable || run->ephemeral || run->end != RUN_GOES_ON ||
        run->interrupted || run->cancelling || run->evicting || run->effects == NULL ||
        run->catching_up || run->engine->evict_us == 0)
        return false;
    for (const struct effect *e = run->effects; e != NULL; e = e->next)
        if (e->wait == NULL || e->wait->unsure ||
            (e->wait->until != 0 && wait_left(e->wait) < run->engine->evict_us))
            return false;
    return true;
}

/* While it is idle its wall time stands still. */
void run_idle_check(struct run *run)
{
    struct engine *engine = run->engine;
    bool idle = run_only_waits(run);
    if (idle == run->idle)
        return;
    run->idle = idle;
    if (idle) {
        run_asleep(run);
        loop_timer_set(engine->loop, &run->evict, engine->evict_us);
    } else {
        run->yielding = false;
        loop_timer_cancel(engine->loop, &run->evict);
        run_awake(run);
    }
}

void run_evict_fire(struct loop_timer *timer)
{
    struct run *run = timer->arg;
    run->yielding = true;
    executor_send_frame(run->executor, WIRE_YIELD, 0, 0, NULL, 0);
    executor_flush(run->executor);
}

/* ---- eviction ---- */

/* It has nothing to do but to read what we sent last, and that was YIELD. */
void run_said_idle(struct run *run)
{
    bool answers = (run->flying != NULL && run->flying->answers.len > 0) ||
                   (run->next != NULL && run->next->answers.len > 0);
    if (!run->yielding || answers || !run_only_waits(run))
        return;
    run->evicting = true;
    broker_abort(run);
    loop_timer_cancel(run->engine->loop, &run->wall);
    loop_timer_cancel(run->engine->loop, &run->evict);
    executor_kill(run->executor); /* `exited` goes on from there: it knows the CPU time */
}

void run_evict(struct run *run)
{
    struct commit *c = commit_next(run);
    commit_started(run); /* while the lease is there: it ends in this commit */
    int64_t due = 0;
    for (struct wait *w = run->waits; w != NULL; w = w->next) {
        if (!w->stored)
            wait_store(run, w);
        if (w->until != 0 && (due == 0 || w->until < due))
            due = w->until;
    }
    autofree char *waits = waits_json(run);
    store_execution_waiting(c->batch, run->id, waits);
    const struct sleep_row row = {.owner = run->engine->owner,
                                  .cpu_us = run->usage.cpu_us,
                                  .memory_peak = run->usage.memory_peak,
                                  .active_us = run->active_us,
                                  .due = due,
                                  .now = clock_wall_us()};
    store_execution_asleep(c->batch, run->id, &row);
    c->releases = run->unleased = true;
    run_log(run, log_debug, "execution.evicted", "it waits for %s", waits != NULL ? waits : "[]");
    commit_go(run);
}
