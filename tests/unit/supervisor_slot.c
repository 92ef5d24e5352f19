/* How many run at once, and who is next: slots of agents, keys and organizations, their lines, and
 * the store behind a long one. A real store; nobody is given an executor, so who has its slots
 * waits for a place. */
#include "lib/store_world.h"

#include "base/clock.h"
#include "supervisor/engine-private.h"

enum { LINE = 100 /* of one slot in memory */, RUNS = 60, STEPS = 4000, KEYS = 3 };

static struct world w;
static struct engine engine;
static struct launch launches[3];
static int64_t clock_us = 1000000;

static void world_open(void)
{
    error_auto err = ERROR_INIT;
    w = world_new(true, "");
    world_people(&w);
    world_sql(&w, "INSERT INTO agents (id, name, user_id, organization_id, created_at, updated_at)"
                  " VALUES ('agent-0', 'A', 'ann', 'org', 1, 1),"
                  " ('agent-1', 'B', 'ann', 'org', 1, 1), ('agent-2', 'C', 'ann', 'org', 1, 1)");
    if ((engine.loop = loop_new(&err)) == NULL)
        bail("loop", &err);
    engine.parts.storage = w.storage;
    engine.parts.config = w.config;
    engine.queue_kick = -1;
    engine.lease_us = 600 * CLOCK_SECOND;
    snprintf(engine.owner, sizeof(engine.owner), "test");
    company_begin(&engine);
    for (size_t i = 0; i < countof(launches); i++) {
        struct launch *l = &launches[i];
        snprintf(l->agent_id, sizeof(l->agent_id), "agent-%zu", i);
        snprintf(l->organization_id, sizeof(l->organization_id), "org");
        l->version = "1.0.0";
        l->refs = 1 << 20; /* never freed */
    }
}

static void limits_set(size_t i, int64_t limit, int64_t per_key, enum concurrency_policy policy)
{
    launches[i].concurrency =
        (struct launch_concurrency){.limit = limit, .per_key = per_key, .policy = policy};
}

static struct run *run_make(size_t agent, const char *key)
{
    char id[UUID_SIZE];
    struct run *run = run_new(&engine, uuid_make(id), &launches[agent]);
    run->user_id = xstrdup("ann");
    run->context = xstrdup("{}");
    run->input = xstrdup("null");
    run->concurrency_key = xstrdup_or_null(key);
    run->created_at = ++clock_us;
    run->durable = true;
    return run;
}

/* One that the store has too. */
static struct run *run_stored(size_t agent, const char *key)
{
    struct run *run = run_make(agent, key);
    struct storage_batch *batch = storage_batch_new();
    const struct execution_row row = run_row(run);
    store_execution_insert(batch, &row);
    if (world_commit(&w, batch) < 0)
        ok(false, "a row is inserted");
    run->starts_kept = 1;
    return run;
}

static bool has_slots(const struct run *run)
{
    return run->line != NULL; /* it got as far as to wait for a place */
}

/* ---- turns of the loop ---- */

static bool (*until_fn)(void);
static int64_t until_end;

static void until_look(struct loop_timer *timer)
{
    if (until_fn() || clock_monotonic_us() > until_end)
        loop_stop(engine.loop);
    else
        loop_timer_set(engine.loop, timer, 500);
}

static bool until(bool (*fn)(void))
{
    struct loop_timer timer = {.fn = until_look};
    until_fn = fn;
    until_end = clock_monotonic_us() + 30 * CLOCK_SECOND;
    loop_timer_set(engine.loop, &timer, 0);
    loop_run(engine.loop);
    return fn();
}

static bool nothing_under_way(void)
{
    for (struct run *run = engine.runs; run != NULL; run = run->hh.next)
        if (run->flying != NULL || run->next != NULL)
            return false;
    return true;
}

/* What was asked of the store has come back before a commit of ours does, and the loop hears it:
 * later it would be another test's. */
static void all_free(void)
{
    world_sql(&w, "DELETE FROM agent_executions WHERE id IS NULL");
    until(nothing_under_way);
    engine.over = true;
    struct run *run, *tmp;
    HASH_ITER(hh, engine.runs, run, tmp)
    run_free(run);
    engine.over = false;
}

/* ---- rows of tests ---- */

static void order_test(void)
{
    limits_set(0, 1, 0, CONCURRENCY_QUEUE);
    struct run *first = run_make(0, NULL), *old = run_make(0, NULL), *young = run_make(0, NULL),
               *urgent = run_make(0, NULL);
    urgent->priority = 1;
    struct run *const order[] = {first, urgent, old, young};
    run_admit(first);
    run_admit(young);
    run_admit(urgent);
    run_admit(old);
    for (size_t i = 0; i < countof(order); i++) {
        int n = 0;
        for (size_t k = i; k < countof(order); k++)
            n += has_slots(order[k]);
        ok(n == 1 && has_slots(order[i]), "one at a time, the best first: %zu", i + 1);
        run_free(order[i]);
    }
    ok(engine.slots == NULL, "and no slot is left");
}

/* A parent waits for its child, so that must not wait for it. */
static void child_test(void)
{
    limits_set(0, 1, 1, CONCURRENCY_QUEUE);
    struct run *parent = run_make(0, "k"), *other = run_make(0, "k"), *child = run_make(0, "k"),
               *stranger = run_make(1, NULL);
    child->parent_id = xstrdup(parent->id);
    child->depth = 1;
    stranger->parent_id = xstrdup("gone");
    stranger->depth = 3;
    engine.n_running = engine.running_max = 0;
    run_admit(parent);
    run_admit(other);
    ok(slots_take(child), "a child shares what its parent holds");
    ok(slots_take(stranger), "one whose parent is not here takes its own");
    run_free(child);
    ok(has_slots(parent) && !has_slots(other), "whose end frees nothing");
    run_free(parent);
    ok(has_slots(other), "the parent's does");
    run_free(other);
    run_free(stranger);
    ok(engine.slots == NULL, "and no slot is left");
}

static void refused_test(void)
{
    error_auto err = ERROR_INIT;
    limits_set(0, 1, 1, CONCURRENCY_REJECT);
    struct run *holder = run_make(0, "k"), *more = run_make(0, "k");
    ok(!slots_refuse(holder, &err), "the first is not refused");
    run_admit(holder);
    ok(slots_refuse(more, &err) && err.code == E_CONCURRENCY_LIMIT, "the second is");
    ok(strstr(err.message, "this concurrencyKey") != NULL, "for its key, which is looked at first");
    run_free(holder);
    error_clear(&err);
    ok(!slots_refuse(more, &err), "not when the place is free again");
    run_free(more);
    engine.per_organization = 1;
    holder = run_make(1, NULL);
    more = run_make(0, NULL);
    run_admit(holder);
    ok(!slots_refuse(more, &err),
       "the organization's limit is a line, whatever the agent's policy");
    run_admit(more);
    ok(more->blocked_on != NULL, "in which it waits");
    run_free(more);
    run_free(holder);
    engine.per_organization = 0;
    ok(engine.slots == NULL, "and no slot is left");
}

static void policies_test(void)
{
    limits_set(0, 2, 0, CONCURRENCY_CANCEL_NEWEST);
    struct run *a = run_stored(0, NULL), *b = run_stored(0, NULL), *c = run_stored(0, NULL);
    run_admit(a);
    run_admit(b);
    run_admit(c);
    ok(c->end == RUN_CANCELLED && c->superseded_by[0] != '\0' && has_slots(a) && has_slots(b),
       "cancel-newest: the newest is");
    all_free();
    limits_set(0, 2, 0, CONCURRENCY_CANCEL_IN_PROGRESS);
    a = run_stored(0, NULL);
    b = run_stored(0, NULL);
    c = run_stored(0, NULL);
    struct run *d = run_stored(0, NULL);
    run_admit(b);
    run_admit(c);
    run_admit(d);
    ok(b->end == RUN_CANCELLED && c->end == RUN_GOES_ON && d->blocked_on != NULL,
       "cancel-in-progress: the oldest makes place");
    is_str(b->superseded_by, d->id, "and knows for whom");
    run_admit(a);
    ok(a->end == RUN_CANCELLED, "one that is older than all makes none");
    char taker[UUID_SIZE];
    snprintf(taker, sizeof(taker), "%s", d->id);
    until(nothing_under_way);
    d = run_find(&engine, taker);
    ok(d != NULL && has_slots(d), "when the one that was cancelled is gone, its place is taken");
    all_free();
    ok(engine.slots == NULL, "and no slot is left");
}

static void organization_test(void)
{
    limits_set(0, 0, 0, CONCURRENCY_QUEUE);
    struct run *runs[4];
    slots_limit_organization(&engine, "org", 2);
    for (size_t i = 0; i < countof(runs); i++)
        run_admit(runs[i] = run_make(0, NULL));
    ok(has_slots(runs[1]) && !has_slots(runs[2]), "an organization's own limit");
    slots_limit_organization(&engine, "org", 1);
    run_free(runs[0]);
    ok(!has_slots(runs[2]), "lowered: nobody comes before there are fewer than that");
    slots_limit_organization(&engine, "org", 2);
    ok(has_slots(runs[2]) && !has_slots(runs[3]), "raised: at once");
    slots_limit_organization(&engine, "org", 0);
    ok(has_slots(runs[3]), "taken away: all");
    for (size_t i = 1; i < countof(runs); i++)
        run_free(runs[i]);
    ok(engine.slots == NULL && engine.organization_limits == NULL, "and no slot is left");
}

/* ---- the store behind the line ---- */

static bool eleven_are_stored(void)
{
    return world_int(&w, "SELECT count(*) FROM agent_executions WHERE blocked_on = 'agent/agent-2'"
                         " AND lease_owner IS NULL") == 11 &&
           nothing_under_way();
}

static bool all_are_called(void)
{
    return world_int(&w, "SELECT count(*) FROM agent_executions WHERE blocked_on IS NOT NULL") == 0;
}

static void store_test(void)
{
    world_sql(&w, "DELETE FROM agent_executions"); /* of former tests */
    limits_set(2, 1, 0, CONCURRENCY_QUEUE);
    struct run *holder = run_stored(2, NULL), *line[LINE], *ran = run_stored(2, NULL);
    ran->starts = 1; /* and lost its executor */
    ran->started_at = ran->created_at;
    ran->excused = true;
    run_admit(holder);
    for (size_t i = 0; i < countof(line); i++)
        run_admit(line[i] = run_stored(2, NULL));
    for (int i = 0; i < 10; i++)
        run_admit(run_stored(2, NULL));
    run_admit(ran);
    ok(until(eleven_are_stored), "who comes behind a long line waits in the store");
    is_int(world_int(&w, "SELECT count(*) FROM agent_executions WHERE blocked_on IS NOT NULL"
                         " AND attempt = 0"),
           10, "with no start");
    is_int(world_int(&w, "SELECT count(*) FROM agent_executions WHERE blocked_on IS NOT NULL"
                         " AND attempt = 1 AND status = 'pending'"),
           1, "but the one that had one");
    is_int(world_int(&w, "SELECT count(*) FROM agent_executions WHERE lease_owner = 'test'"
                         " AND attempt = 0"),
           LINE + 1, "nor has any of those here: none has a place yet");
    is_int(HASH_COUNT(engine.runs), LINE + 1, "the others are gone from memory");
    for (size_t i = 0; i < LINE / 2 - 2; i++)
        run_free(line[i]);
    run_free(holder);
    ok(has_slots(line[LINE / 2 - 2]), "the line goes on");
    is_int(world_int(&w, "SELECT count(*) FROM agent_executions WHERE blocked_on IS NOT NULL"), 11,
           "as long as it is long, nobody is called");
    run_free(line[LINE / 2 - 2]);
    ok(until(all_are_called), "when half of it is gone, those in the store are");
    is_int(world_int(&w, "SELECT count(*) FROM agent_executions WHERE lease_owner IS NULL"
                         " AND status = 'pending' AND available_at < 9000000000000000000"),
           11, "and may be claimed");
    all_free();
    slots_free(&engine);
    engine.slots = NULL;
    world_sql(&w, "DELETE FROM agent_executions");
}

static bool one_is_stored(void)
{
    return world_int(&w, "SELECT count(*) FROM agent_executions WHERE blocked_on IS NOT NULL") ==
               1 &&
           nothing_under_way();
}

/* While some are called from the store, so many come that the line is full again. */
static void called_meanwhile_test(void)
{
    limits_set(2, 1, 0, CONCURRENCY_QUEUE);
    struct run *holder = run_stored(2, NULL), *line[LINE], *more[LINE / 2 + 1];
    run_admit(holder);
    for (size_t i = 0; i < countof(line); i++)
        run_admit(line[i] = run_stored(2, NULL));
    run_admit(run_stored(2, NULL));
    ok(until(one_is_stored), "one waits in the store");
    for (size_t i = 0; i < countof(more); i++)
        more[i] = run_stored(2, NULL);
    struct run *last = run_stored(2, NULL);
    for (size_t i = 0; i < countof(line) / 2; i++)
        run_free(line[i]);
    run_free(holder); /* now it is called */
    for (size_t i = 0; i < countof(more); i++)
        run_admit(more[i]);
    run_admit(last);
    ok(until(one_is_stored), "it comes, and another goes there meanwhile");
    for (size_t i = countof(line) / 2; i < countof(line); i++)
        run_free(line[i]);
    for (size_t i = 0; i < countof(more); i++)
        run_free(more[i]);
    ok(until(all_are_called), "which is not forgotten");
    all_free();
    loop_timer_cancel(engine.loop, &engine.slot_look);
    slots_free(&engine);
    engine.slots = NULL;
    world_sql(&w, "DELETE FROM agent_executions");
}

/* What a former life has left is called when nobody stands in the line. */
static void former_life_test(void)
{
    limits_set(2, 1, 0, CONCURRENCY_QUEUE);
    struct run *run = run_stored(2, NULL);
    run_free(run);
    world_sql(&w, "UPDATE agent_executions SET blocked_on = 'agent/agent-2', lease_owner = NULL,"
                  " lease_until = NULL, available_at = 9223372036854775807");
    slots_restore(&engine, "agent/agent-2", 1);
    ok(until(all_are_called), "what a former life has left is called back");
    loop_timer_cancel(engine.loop, &engine.slot_look);
    slots_free(&engine);
    engine.slots = NULL;
}

/* ---- whatever comes and goes ---- */

static uint64_t random_state = 7;

static unsigned random_below(unsigned n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % n;
}

static struct run *some[RUNS];

static int64_t holders(const struct run *like, int what)
{
    int64_t n = 0;
    for (size_t i = 0; i < RUNS; i++) {
        const struct run *r = some[i];
        if (r == NULL || !has_slots(r))
            continue;
        bool same =
            what == 0 || (r->launch == like->launch &&
                          (what == 1 || (r->concurrency_key != NULL &&
                                         strcmp(r->concurrency_key, like->concurrency_key) == 0)));
        n += same;
    }
    return n;
}

/* Of its organization, agent and key: 0 no limit, 1 has room, 2 full, 3 more than full. */
static int fullness(const struct run *run, int what, int64_t organization)
{
    const struct launch_concurrency *c = &run->launch->concurrency;
    int64_t limit = what == 0 ? organization : what == 1 ? c->limit : c->per_key;
    if (limit == 0 || (what == 2 && run->concurrency_key == NULL))
        return 0;
    int64_t n = holders(run, what);
    return n < limit ? 1 : n == limit ? 2 : 3;
}

static void random_test(void)
{
    int idle = 0, over = 0, waited = 0;
    int64_t organization = 6;
    limits_set(0, 3, 1, CONCURRENCY_QUEUE);
    limits_set(1, 0, 2, CONCURRENCY_QUEUE);
    limits_set(2, 2, 0, CONCURRENCY_QUEUE);
    slots_limit_organization(&engine, "org", organization);
    for (int step = 0; step < STEPS; step++) {
        struct run **run = &some[random_below(RUNS)];
        if (*run == NULL) {
            char key[] = {(char)('a' + random_below(KEYS)), '\0'};
            *run = run_make(random_below(3), random_below(3) > 0 ? key : NULL);
            (*run)->priority = random_below(3);
            run_admit(*run);
        } else {
            run_free(*run); /* it ends, or is cancelled in line */
            *run = NULL;
        }
        for (size_t i = 0; i < RUNS; i++) {
            if (some[i] == NULL)
                continue;
            int most = 0;
            for (int what = 0; what < 3; what++) {
                int full = fullness(some[i], what, organization);
                most = full > most ? full : most;
            }
            over += most == 3;
            waited += !has_slots(some[i]);
            idle += !has_slots(some[i]) && most < 2;
        }
    }
    is_int(over, 0, "no limit is ever exceeded");
    is_int(idle, 0, "and nobody waits while there is a place for it");
    ok(waited > STEPS, "though many wait");
    for (size_t i = 0; i < RUNS; i++)
        if (some[i] != NULL)
            run_free(some[i]);
    slots_limit_organization(&engine, "org", 0);
    ok(engine.slots == NULL, "and no slot is left");
}

int main(void)
{
    world_open();
    order_test();
    child_test();
    refused_test();
    organization_test();
    policies_test();
    store_test();
    called_meanwhile_test();
    former_life_test();
    random_test();
    storage_close(w.storage);
    loop_free(engine.loop);
    w.storage = NULL;
    world_free(&w);
    return done_testing();
}
