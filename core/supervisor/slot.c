/* How many executions run at once: one slot for each organization, agent and concurrency key that
 * is limited. An execution takes all the slots it needs, or none and waits for one that is full. A
 * slot's line in memory is short; behind it, executions wait in the store under the slot's name.
 *
 * An execution whose ancestor holds a slot shares it: a parent waits for its child, so to make the
 * child wait for the parent would be for ever. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/row.h"
#include "supervisor/engine-private.h"

enum {
    LINE_MAX_RUNS = 100,    /* of one slot in memory */
    LOOK_EVERY_US = 1000000 /* for slots that nobody holds any more */
};

struct slot {
    char *name;
    int64_t held;
    struct slot_use *holders;
    struct run *line; /* best first */
    int64_t n_line;
    int64_t stored; /* that wait in the store, at least about */
    bool calling;   /* some of those are just being called back */
    unsigned pins;  /* somebody on the stack has it */
    UT_hash_handle hh;
};

/* What an execution needs, in the order in which it is said which one is full. */
struct need {
    struct slot *slot;
    int64_t limit;
    bool shared; /* an ancestor holds it */
};

static struct slot *slot_make(struct engine *engine, const char *name)
{
    struct slot *slot = NULL;
    HASH_FIND_STR(engine->slots, name, slot);
    if (slot != NULL)
        return slot;
    slot = xcalloc(1, sizeof(*slot));
    slot->name = xstrdup(name);
    HASH_ADD_KEYPTR(hh, engine->slots, slot->name, strlen(slot->name), slot);
    return slot;
}

static void slot_free_unused(struct engine *engine, struct slot *slot)
{
    if (slot->held > 0 || slot->line != NULL || slot->stored > 0 || slot->calling || slot->pins > 0)
        return;
    HASH_DEL(engine->slots, slot); /* NOLINT(clang-analyzer-core.NullDereference): uthash's links */
    free(slot->name);
    free(slot);
}

static bool run_holds(const struct run *run, const struct slot *slot)
{
    for (unsigned i = 0; i < run->n_uses; i++)
        if (run->uses[i].slot == slot)
            return true;
    return false;
}

static bool ancestor_holds(const struct run *run, const struct slot *slot)
{
    for (unsigned i = run->depth; run->parent_id != NULL && i > 0; i--) {
        run = run_find(run->engine, run->parent_id);
        if (run == NULL)
            return false;
        if (run_holds(run, slot))
            return true;
    }
    return false;
}

static unsigned need_add(struct run *run, struct need *needs, unsigned n, int64_t limit,
                         const char *name)
{
    if (limit <= 0)
        return n;
    struct slot *slot = slot_make(run->engine, name);
    needs[n] = (struct need){slot, limit, ancestor_holds(run, slot)};
    return n + 1;
}

struct organization_limit {
    char id[UUID_SIZE];
    int64_t limit;
    UT_hash_handle hh;
};

/* Its own, or the server's, whichever is lower; 0: none. */
static int64_t organization_limit(const struct engine *engine, const char *id)
{
    const struct organization_limit *own = NULL;
    HASH_FIND_STR(engine->organization_limits, id, own);
    int64_t all = engine->per_organization;
    return own == NULL ? all : all != 0 && all < own->limit ? all : own->limit;
}

static unsigned needs_of(struct run *run, struct need needs[RUN_SLOTS_MAX])
{
    const struct launch *launch = run->launch;
    unsigned n = 0;
    autofree char *organization = xasprintf("organization/%s", launch->organization_id);
    autofree char *agent = xasprintf("agent/%s", launch->agent_id);
    autofree char *key = run->concurrency_key != NULL
                             ? xasprintf("key/%s/%s", launch->agent_id, run->concurrency_key)
                             : NULL;
    if (key != NULL)
        n = need_add(run, needs, n, launch->concurrency.per_key, key);
    n = need_add(run, needs, n, launch->concurrency.limit, agent);
    return need_add(run, needs, n, organization_limit(run->engine, launch->organization_id),
                    organization);
}

/* The first that has no place; NULL: all have. */
static struct need *first_full(struct need *needs, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!needs[i].shared && needs[i].slot->held >= needs[i].limit)
            return &needs[i];
    return NULL;
}

static void needs_forget(struct engine *engine, struct need *needs, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        slot_free_unused(engine, needs[i].slot);
}

static void take_all(struct run *run, struct need *needs, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct slot_use *use = &run->uses[run->n_uses++];
        struct slot *slot = needs[i].slot;
        *use = (struct slot_use){.slot = slot, .run = run, .counts = !needs[i].shared};
        slot->held += use->counts;
        use->next = slot->holders;
        use->place = &slot->holders;
        if (use->next != NULL)
            use->next->place = &use->next;
        slot->holders = use;
    }
}

/* ---- the line ---- */

static bool goes_first(const struct run *a, const struct run *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority;
    if (a->created_at != b->created_at)
        return a->created_at < b->created_at;
    return strcmp(a->id, b->id) < 0;
}

static void line_join(struct slot *slot, struct run *run)
{
    struct run **place = &slot->line;
    while (*place != NULL && !goes_first(run, *place))
        place = &(*place)->slot_next;
    run->slot_next = *place;
    run->slot_place = place;
    if (run->slot_next != NULL)
        run->slot_next->slot_place = &run->slot_next;
    *place = run;
    run->blocked_on = slot;
    slot->n_line++;
}

void slots_leave_line(struct run *run)
{
    struct slot *slot = run->blocked_on;
    if (slot == NULL)
        return;
    *run->slot_place = run->slot_next;
    if (run->slot_next != NULL)
        run->slot_next->slot_place = run->slot_place;
    run->blocked_on = NULL;
    slot->n_line--;
}

/* ---- the store behind the line ---- */

struct recall {
    struct engine *engine;
    char *name;
    int64_t asked, stored; /* stored: that were known of when they were called */
    json_t *came;          /* ids */
    bool failed;
};

static void recall_free(void *arg)
{
    struct recall *recall = arg;
    json_decref(recall->came);
    free(recall->name);
    free(recall);
}

static void recalled(void *arg)
{
    struct recall *recall = arg;
    struct slot *slot = slot_make(recall->engine, recall->name);
    int64_t came = (int64_t)json_object_size(recall->came);
    slot->calling = false;
    /* More may have come to the store meanwhile, which this has not seen. */
    int64_t since = slot->stored - recall->stored;
    int64_t left = came < recall->asked || recall->stored < came ? 0 : recall->stored - came;
    if (!recall->failed)
        slot->stored = left + since;
    slot_free_unused(recall->engine, slot);
    engine_queue_kick(recall->engine);
    recall_free(recall);
}

static void recall_done(void *arg, struct error *err)
{
    struct recall *recall = arg;
    recall->failed = err != NULL;
    if (err != NULL)
        log_warn("engine.slot", "%s: %s; trying again", recall->name, err->message);
    loop_post_owned(recall->engine->loop, recalled, recall_free, recall);
}

/* Calls back as many as the line has room for. */
static void slot_recall(struct engine *engine, struct slot *slot)
{
    if (slot->stored <= 0 || slot->calling || slot->n_line > LINE_MAX_RUNS / 2)
        return;
    struct recall *recall = xcalloc(1, sizeof(*recall));
    recall->engine = engine;
    recall->name = xstrdup(slot->name);
    recall->asked = LINE_MAX_RUNS - slot->n_line;
    recall->stored = slot->stored;
    recall->came = json_object();
    slot->calling = true;
    struct storage_batch *batch = storage_batch_new();
    store_execution_unblock(batch, slot->name, recall->asked, clock_wall_us(), row_ids_fn,
                            recall->came);
    storage_submit(engine->parts.storage, batch, recall_done, recall);
}

static void look_fire(struct loop_timer *timer)
{
    struct engine *engine = timer->arg;
    bool any = false;
    struct slot *slot, *tmp;
    HASH_ITER(hh, engine->slots, slot, tmp)
    {
        slot_recall(engine, slot);
        any = any || slot->stored > 0;
    }
    if (any)
        loop_timer_set(engine->loop, timer, LOOK_EVERY_US);
}

static void slot_look_soon(struct engine *engine)
{
    engine->slot_look.fn = look_fire;
    engine->slot_look.arg = engine;
    if (engine->slot_look.place == 0)
        loop_timer_set(engine->loop, &engine->slot_look, LOOK_EVERY_US);
}

static void slot_store(struct run *run, struct slot *slot)
{
    struct commit *c = commit_next(run);
    commit_started(run); /* while the lease is there: it ends in this commit */
    c->releases = run->unleased = true;
    c->blocked_on = xstrdup(slot->name);
    store_execution_blocked(c->batch, run->id, run->engine->owner, slot->name);
    commit_go(run);
}

void slots_stored(struct engine *engine, const char *name)
{
    slot_make(engine, name)->stored++;
    slot_look_soon(engine);
}

void slots_restore(struct engine *engine, const char *name, int64_t n)
{
    slot_make(engine, name)->stored = n;
    slot_look_soon(engine);
}

/* ---- who makes place ---- */

static bool came_before(const struct run *a, const struct run *b)
{
    return a->created_at != b->created_at ? a->created_at < b->created_at
                                          : strcmp(a->id, b->id) < 0;
}

/* The oldest that came before it and has not been told to go; NULL: there is none. */
static struct run *oldest_before(const struct run *run, const struct slot *slot)
{
    struct run *oldest = NULL;
    for (struct slot_use *use = slot->holders; use != NULL; use = use->next)
        if (use->counts && !use->run->cancelling && came_before(use->run, run) &&
            (oldest == NULL || came_before(use->run, oldest)))
            oldest = use->run;
    return oldest;
}

/* Older ones go until there will be a place for it. False: all are newer. */
static bool cancel_older(struct run *run, const struct need *full)
{
    int64_t going = 0;
    for (struct slot_use *use = full->slot->holders; use != NULL; use = use->next)
        going += use->counts && use->run->cancelling;
    for (struct run *other; full->slot->held - going >= full->limit; going++) {
        if ((other = oldest_before(run, full->slot)) == NULL)
            return false;
        run_supersede(other, run->id);
    }
    for (struct run *other = full->slot->line, *next; other != NULL; other = next) {
        next = other->slot_next;
        if (came_before(run, other))
            return false;
        run_supersede(other, run->id);
    }
    return true;
}

static void refuse(const struct run *run, const struct need *full, struct error *err)
{
    error_set(err, E_CONCURRENCY_LIMIT,
              "%ld executions run already, as many as executionConfig.concurrency allows %s",
              (long)full->limit,
              strncmp(full->slot->name, "key/", 4) == 0 ? "with this concurrencyKey"
                                                        : "of this agent");
    error_detail(err, "limit", json_integer(full->limit));
    if (run->concurrency_key != NULL)
        error_detail(err, "concurrencyKey", json_string(run->concurrency_key));
}

bool slots_refuse(struct run *run, struct error *err)
{
    struct need needs[RUN_SLOTS_MAX];
    if (run->launch->concurrency.policy != CONCURRENCY_REJECT)
        return false;
    unsigned n = needs_of(run, needs);
    struct need *full = first_full(needs, n);
    bool refused = full != NULL && strncmp(full->slot->name, "organization/", 13) != 0;
    if (refused)
        refuse(run, full, err);
    needs_forget(run->engine, needs, n);
    return refused;
}

/* There is no place for it: what its agent's policy says. The organization's limit is a line
 * always. */
static void slot_wait(struct run *run, struct need *full)
{
    bool organization = strncmp(full->slot->name, "organization/", 13) == 0;
    enum concurrency_policy policy =
        organization ? CONCURRENCY_QUEUE : run->launch->concurrency.policy;
    error_auto err = ERROR_INIT;
    if (policy == CONCURRENCY_REJECT) {
        refuse(run, full, &err);
        run_end_failed(run, &err, NULL);
    } else if (policy == CONCURRENCY_CANCEL_NEWEST ||
               (policy == CONCURRENCY_CANCEL_IN_PROGRESS && !cancel_older(run, full))) {
        run_supersede(run, full->slot->holders->run->id);
    } else if (policy == CONCURRENCY_QUEUE && full->slot->n_line >= LINE_MAX_RUNS) {
        slot_store(run, full->slot);
    } else {
        line_join(full->slot, run);
    }
}

bool slots_take(struct run *run)
{
    struct need needs[RUN_SLOTS_MAX];
    if (run->ephemeral || run->n_uses > 0)
        return true;
    unsigned n = needs_of(run, needs);
    struct need *full = first_full(needs, n);
    if (full == NULL)
        take_all(run, needs, n);
    else
        slot_wait(run, full);
    needs_forget(run->engine, needs, n);
    return full == NULL;
}

/* Those at the head of the line try again: each may wait for another slot now. */
static void slot_wake(struct engine *engine, struct slot *slot)
{
    int64_t tries = slot->n_line;
    while (slot->line != NULL && tries-- > 0) {
        struct run *run = slot->line;
        struct need needs[RUN_SLOTS_MAX];
        unsigned n = needs_of(run, needs);
        struct need *full = first_full(needs, n);
        bool stays = full != NULL && full->slot == slot;
        needs_forget(engine, needs, n);
        if (stays)
            break;
        slots_leave_line(run);
        run_admit(run);
    }
    slot_recall(engine, slot);
}

void slots_release(struct run *run)
{
    struct engine *engine = run->engine;
    struct slot *freed[RUN_SLOTS_MAX];
    unsigned n = 0;
    slots_leave_line(run);
    for (; n < run->n_uses; n++) {
        struct slot_use *use = &run->uses[n];
        *use->place = use->next;
        if (use->next != NULL)
            use->next->place = use->place;
        use->slot->held -= use->counts;
        use->slot->pins++;
        freed[n] = use->slot;
    }
    run->n_uses = 0;
    for (unsigned i = 0; i < n; i++) {
        if (!engine->over)
            slot_wake(engine, freed[i]);
        freed[i]->pins--;
        slot_free_unused(engine, freed[i]);
    }
}

void slots_limit_organization(struct engine *engine, const char *id, int64_t limit)
{
    struct organization_limit *own = NULL;
    HASH_FIND_STR(engine->organization_limits, id, own);
    if (own == NULL && limit > 0) {
        own = xcalloc(1, sizeof(*own));
        snprintf(own->id, sizeof(own->id), "%s", id);
        HASH_ADD_STR(engine->organization_limits, id, own);
    }
    if (limit > 0) {
        own->limit = limit;
    } else if (own != NULL) {
        HASH_DEL(engine->organization_limits, own);
        free(own);
    }
    autofree char *name = xasprintf("organization/%s", id);
    struct slot *slot = NULL;
    HASH_FIND_STR(engine->slots, name, slot);
    if (slot == NULL)
        return;
    slot->pins++;
    slot_wake(engine, slot); /* there may be places now */
    slot->pins--;
    slot_free_unused(engine, slot);
}

void slots_free(struct engine *engine)
{
    struct organization_limit *own, *next;
    HASH_ITER(hh, engine->organization_limits, own, next)
    {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): uthash's links */
        HASH_DEL(engine->organization_limits, own);
        free(own);
    }
    struct slot *slot, *tmp;
    HASH_ITER(hh, engine->slots, slot, tmp)
    {
        HASH_DEL(engine->slots, slot); /* NOLINT(clang-analyzer-unix.Malloc): uthash's links */
        free(slot->name);
        free(slot);
    }
}
