/* Who waits for news of executions that are not live: their watchers sit here under the execution's
 * id until it is claimed again, or ends without having been live. */
#include <string.h>

#include "supervisor/engine-private.h"

struct seat {
    char id[UUID_SIZE];
    struct execution_watch *watchers;
    UT_hash_handle hh;
};

static struct seat *seat_find(struct engine *engine, const char *id)
{
    struct seat *seat = NULL;
    HASH_FIND_STR(engine->seats, id, seat);
    return seat;
}

static struct seat *seat_make(struct engine *engine, const char *id)
{
    struct seat *seat = seat_find(engine, id);
    if (seat != NULL)
        return seat;
    seat = xcalloc(1, sizeof(*seat));
    memcpy(seat->id, id, UUID_SIZE - 1);
    HASH_ADD_STR(engine->seats, id, seat);
    return seat;
}

static void seat_free(struct engine *engine, struct seat *seat)
{
    HASH_DEL(engine->seats, seat);
    free(seat);
}

static void watch_push(struct execution_watch **list, struct execution_watch *watch)
{
    watch->next_ = *list;
    watch->place_ = list;
    if (watch->next_ != NULL)
        watch->next_->place_ = &watch->next_;
    *list = watch;
}

static void watchers_move(struct execution_watch **to, struct execution_watch *from)
{
    for (struct execution_watch *w = from, *next; w != NULL; w = next) {
        next = w->next_;
        watch_push(to, w);
    }
}

void seat_take(struct engine *engine, const char *id, struct execution_watch *watch)
{
    watch_push(&seat_make(engine, id)->watchers, watch);
    memcpy(watch->id_, id, UUID_SIZE);
}

void seats_from_run(struct run *run)
{
    struct execution_watch *watchers = run->watchers;
    run->watchers = NULL;
    if (watchers != NULL)
        watchers_move(&seat_make(run->engine, run->id)->watchers, watchers);
}

void seats_to_run(struct run *run)
{
    struct seat *seat = seat_find(run->engine, run->id);
    if (seat == NULL)
        return;
    watchers_move(&run->watchers, seat->watchers);
    seat_free(run->engine, seat);
}

void seats_leave(struct engine *engine, const char *id)
{
    struct seat *seat = seat_find(engine, id);
    if (seat == NULL)
        return;
    struct execution_watch *watchers = seat->watchers;
    seat_free(engine, seat);
    watchers_leave(watchers);
}

void seats_leave_all(struct engine *engine)
{
    struct seat *seat, *tmp;
    HASH_ITER(hh, engine->seats, seat, tmp)
    {
        seats_leave(engine, seat->id);
    }
}

bool seat_leave(struct engine *engine, struct execution_watch *watch)
{
    struct seat *seat = seat_find(engine, watch->id_);
    if (seat == NULL)
        return false;
    for (struct execution_watch *w = seat->watchers; w != NULL; w = w->next_) {
        if (w != watch)
            continue;
        *w->place_ = w->next_;
        if (w->next_ != NULL)
            w->next_->place_ = w->place_;
        if (seat->watchers == NULL)
            seat_free(engine, seat);
        return true;
    }
    return false;
}
