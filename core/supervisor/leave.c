/* Executors that have said their last word. An execution that completed is stored without waiting
 * until its process is gone: all that counts is known, its CPU time by the kernel's clock. What
 * ending takes beyond that is its process's as well, so when that is more than a little, the usage
 * is put right. */
#include <string.h>

#include "base/log.h"
#include "supervisor/engine-private.h"

enum {
    LITTLE_US = 1000,  /* ending an ordinary executor takes a twentieth of this */
    LATER_US = 100000, /* its end is not stored yet: look again */
};

struct leaver {
    struct executor_user user; /* first: cast back */
    struct engine *engine;
    struct executor *executor; /* NULL: it is gone */
    char id[UUID_SIZE];        /* of the execution */
    struct usage_report usage; /* as it was stored, but for what came behind that: */
    int64_t stored_us;         /* its CPU time as stored */
    int64_t counted_us;        /* of this executor's, in it */
    bool holds_place, child;
    struct loop_timer timer; /* kills it, later waits for the end to be stored */
    struct leaver *next, **place;
};

static void leaver_free(struct leaver *l)
{
    loop_timer_cancel(l->engine->loop, &l->timer);
    *l->place = l->next;
    if (l->next != NULL)
        l->next->place = l->place;
    free(l);
}

void leavers_free(struct engine *engine)
{
    while (engine->leavers != NULL)
        leaver_free(engine->leavers); /* NOLINT(clang-analyzer-unix.Malloc): it unlinks itself */
}

static void correction_stored(void *arg, struct error *err)
{
    (void)arg;
    if (err != NULL)
        log_warn("execution.usage", "its last CPU time could not be stored: %s", err->message);
}

static void leaver_correct(struct leaver *l)
{
    buf_auto text = BUF_INIT;
    struct storage_batch *batch = storage_batch_new();
    usage_append(&l->usage, &text);
    store_execution_usage_set(batch, l->id, l->stored_us, text.data, &l->usage.own);
    storage_submit(l->engine->parts.storage, batch, correction_stored, NULL);
    leaver_free(l);
}

static void leaver_fire(struct loop_timer *timer)
{
    struct leaver *l = timer->arg;
    if (l->executor != NULL)
        executor_kill(l->executor);
    else if (run_find(l->engine, l->id) != NULL)
        loop_timer_set(l->engine->loop, &l->timer, LATER_US);
    else
        leaver_correct(l);
}

static void leaver_frame(struct executor_user *user, const struct wire_header *h,
                         const uint8_t *payload)
{
    (void)user, (void)h, (void)payload; /* none is let through behind a final one */
}

static void leaver_exited(struct executor_user *user, const struct executor_exit *how)
{
    struct leaver *l = (struct leaver *)user;
    int64_t more = how->lost ? 0 : how->cpu_us - l->counted_us;
    l->executor = NULL;
    if (l->holds_place)
        engine_place_free(l->engine, l->child);
    if (more > LITTLE_US || more < -LITTLE_US) {
        l->usage.own.cpu_us += more;
        loop_timer_set(l->engine->loop, &l->timer, 0);
    } else {
        leaver_free(l);
    }
}

bool run_leave_executor(struct run *run)
{
    struct engine *engine = run->engine;
    int64_t used = run->ephemeral || run->interrupted || run->dropped || run->evicting
                       ? -1
                       : executor_cpu_now(run->executor);
    if (used < 0)
        return false;
    run->usage.cpu_us += used;
    struct leaver *l = xcalloc(1, sizeof(*l));
    *l = (struct leaver){.user = {.frame = leaver_frame, .exited = leaver_exited},
                         .engine = engine,
                         .executor = run->executor,
                         .usage = run_usage(run),
                         .stored_us = run->usage.cpu_us,
                         .counted_us = used,
                         .holds_place = run->counted,
                         .child = run->depth > 0,
                         .next = engine->leavers,
                         .place = &engine->leavers};
    memcpy(l->id, run->id, UUID_SIZE);
    l->timer = (struct loop_timer){.fn = leaver_fire, .arg = l};
    if (l->next != NULL)
        l->next->place = &l->next;
    engine->leavers = l;
    loop_timer_set(engine->loop, &l->timer, engine->grace_us);
    executor_hand_over(run->executor, &l->user);
    run->executor = NULL;
    run->counted = false;
    return true;
}
