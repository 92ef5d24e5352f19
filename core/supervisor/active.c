/* How long the present attempt has been at work, which its limit of wall time bounds: kept in the
 * row now and then, so that a crash does not give an execution its whole time anew. */
#include "base/log.h"
#include "supervisor/engine-private.h"

enum {
    LOOK_US = 1000000, /* how often runs are looked at */
    PART = 20,        /* a crash may forget this part of the limit, or the time between two looks */
    BATCH_RUNS = 1000 /* in one batch, so that others come in between */
};

void run_awake(struct run *run)
{
    if (run->executor == NULL || run->end != RUN_GOES_ON || run->interrupted)
        return;
    int64_t left = run->launch->limits.wall_us - run->active_us;
    run->awake_at = loop_now(run->engine->loop);
    loop_timer_set(run->engine->loop, &run->wall, left > 0 ? left : 0);
}

static int64_t active_now(const struct run *run)
{
    return run->active_us + (run->awake_at != 0 ? loop_now(run->engine->loop) - run->awake_at : 0);
}

void run_asleep(struct run *run)
{
    run->active_us = active_now(run);
    run->awake_at = 0;
    loop_timer_cancel(run->engine->loop, &run->wall);
}

void run_active_restore(struct run *run, int64_t stored)
{
    run->active_stored = stored;
    if (run->active_us < stored) /* else it has lived in this process, and nothing is lost */
        run->active_us = stored;
}

/* ---- keeping ---- */

static bool due(const struct run *run, int64_t active, bool last)
{
    if (!run->durable || run->ephemeral || run->dropped || run->unleased || run->evicting ||
        run->end != RUN_GOES_ON)
        return false;
    int64_t part = run->launch->limits.wall_us / PART;
    int64_t news = active - run->active_stored;
    return last ? news > 0 : news >= (part > LOOK_US ? part : LOOK_US);
}

static void kept(void *arg, struct error *err)
{
    (void)arg;
    if (err != NULL) /* the next one says it too */
        log_warn("execution.active", "%s", err->message);
}

static void active_keep(struct engine *engine, bool last)
{
    struct storage_batch *batch = NULL;
    struct run *run, *tmp;
    HASH_ITER(hh, engine->runs, run, tmp)
    {
        int64_t active = active_now(run);
        if (!due(run, active, last))
            continue;
        if (batch == NULL)
            batch = storage_batch_new();
        store_execution_active(batch, run->id, engine->owner, run->retries, active);
        run->active_stored = active;
        if (storage_batch_count(batch) >= BATCH_RUNS)
            storage_submit(engine->parts.storage, move_ptr(&batch), kept, NULL);
    }
    if (batch != NULL)
        storage_submit(engine->parts.storage, batch, kept, NULL);
}

static void look_fire(struct loop_timer *timer)
{
    struct engine *engine = timer->arg;
    active_keep(engine, false);
    loop_timer_set(engine->loop, timer, LOOK_US);
}

static void look_start(void *arg)
{
    struct engine *engine = arg;
    engine->active_look = (struct loop_timer){.fn = look_fire, .arg = engine};
    loop_timer_set(engine->loop, &engine->active_look, LOOK_US);
}

void active_start(struct engine *engine)
{
    engine_call(engine, look_start, engine);
}

void active_stop(struct engine *engine)
{
    loop_timer_cancel(engine->loop, &engine->active_look);
    active_keep(engine, true);
}
