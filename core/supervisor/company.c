/* Commits that wait for company. What a commit costs (its pages, its sync, all that it
 * wakes) is about the same for one execution and for a dozen. While more executions compute than
 * there are CPUs nothing is lost by waiting a little: the time goes to them. As soon as there is a
 * CPU for each, none waits.
 *
 * For the same reason the engine rests between its turns while there is a crowd: one turn for the
 * news of several costs less than to be woken by each.
 *
 * Who has computed for long is not counted: a hundred that burn all they get must not make the
 * others' commits late. */
#include <sched.h>
#include <utlist.h>

#include "base/clock.h"
#include "supervisor/engine-private.h"

enum {
    GROUP_MAX = 16,
    WAIT_US = 5000,   /* of the first in a group */
    FRESH_US = 50000, /* since START: who takes longer is not counted */
    CROWD = 4,        /* for each CPU: more than the CPUs can finish while the engine rests */
    REST_US = 800
};

void company_begin(struct engine *engine)
{
    struct company *co = &engine->company;
    cpu_set_t set;
    co->cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    co->end = &co->first;
    co->timer = (struct loop_timer){.fn = company_fire, .arg = engine};
}

static void company_rest(struct engine *engine)
{
    const struct company *co = &engine->company;
    loop_rest(engine->loop, co->n_fresh > CROWD * co->cpus ? REST_US : 0, FRESH_US);
}

void company_enter(struct run *run)
{
    struct company *co = &run->engine->company;
    company_leave(run);
    run->fresh_at = loop_now(run->engine->loop);
    DL_APPEND2(co->fresh, run, fresh_prev, fresh_next);
    co->n_fresh++;
    company_rest(run->engine);
}

void company_leave(struct run *run)
{
    struct company *co = &run->engine->company;
    if (run->fresh_prev == NULL)
        return;
    DL_DELETE2(co->fresh, run, fresh_prev, fresh_next);
    run->fresh_prev = NULL;
    co->n_fresh--;
    company_rest(run->engine);
}

static bool company_comes(struct engine *engine)
{
    struct company *co = &engine->company;
    int64_t old = loop_now(engine->loop) - FRESH_US;
    while (co->fresh != NULL && co->fresh->fresh_at <= old)
        company_leave(co->fresh);
    return co->n_fresh > co->cpus && !atomic_load(&engine->draining);
}

void company_go(struct engine *engine)
{
    struct company *co = &engine->company;
    loop_timer_cancel(engine->loop, &co->timer);
    struct commit *c = co->first;
    co->first = NULL;
    co->end = &co->first;
    co->n = 0;
    for (struct commit *next; c != NULL; c = next) {
        next = c->next;
        commit_submit(c, next != NULL);
    }
}

void company_fire(struct loop_timer *timer)
{
    company_go(timer->arg);
}

void company_join(struct commit *c)
{
    struct engine *engine = c->run->engine;
    struct company *co = &engine->company;
    c->next = NULL;
    *co->end = c;
    co->end = &c->next;
    if (++co->n >= GROUP_MAX || !company_comes(engine))
        company_go(engine);
    else if (co->timer.place == 0)
        loop_timer_set(engine->loop, &co->timer, WAIT_US);
}
