/* The thread that wakes what is due, and shuts what is late. */
#include "api/keeper.h"

#include <microhttpd.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sync.h"

enum {
    TURN_MIN_US = 20 * 1000,   /* between two looks, so that many due times cost one look */
    TURN_MAX_US = 1000 * 1000, /* while there is any connection: deadlines may have come nearer */
};

struct keeper {
    pthread_t thread;
    pthread_mutex_t lock; /* taken before a waiter's lock */
    pthread_cond_t changed, idle;
    struct waiter *waiters;
    struct deadline *deadlines;
    int64_t next; /* when the thread looks next */
    unsigned entered;
    atomic_bool interrupted;
    bool stopping;
};

/* ---- waiters ---- */

void waiter_init(struct waiter *waiter, struct keeper *keeper, struct MHD_Connection *connection)
{
    pthread_mutex_init(&waiter->lock, NULL);
    waiter->connection = connection;
    waiter->keeper = keeper;
    waiter->due = INT64_MAX;
    pthread_mutex_lock(&keeper->lock);
    waiter->next = keeper->waiters;
    waiter->place = &keeper->waiters;
    if (waiter->next != NULL)
        waiter->next->place = &waiter->next;
    keeper->waiters = waiter;
    pthread_mutex_unlock(&keeper->lock);
}

void waiter_clear(struct waiter *waiter)
{
    pthread_mutex_lock(&waiter->keeper->lock);
    *waiter->place = waiter->next;
    if (waiter->next != NULL)
        waiter->next->place = waiter->place;
    pthread_mutex_unlock(&waiter->keeper->lock);
    /* Whoever woke it last may still be on the way out of the lock. */
    pthread_mutex_lock(&waiter->lock);
    pthread_mutex_unlock(&waiter->lock);
    pthread_mutex_destroy(&waiter->lock);
}

static void keeper_look_by(struct keeper *keeper, int64_t due)
{
    pthread_mutex_lock(&keeper->lock);
    if (due < keeper->next) {
        keeper->next = due;
        pthread_cond_signal(&keeper->changed);
    }
    pthread_mutex_unlock(&keeper->lock);
}

bool waiter_park(struct waiter *waiter, int64_t due, bool interruptible)
{
    pthread_mutex_lock(&waiter->lock);
    bool park = !waiter->woken && due > clock_monotonic_us() &&
                !(interruptible && keeper_interrupted(waiter->keeper));
    waiter->woken = false;
    if (park) {
        waiter->parked = true;
        waiter->interruptible = interruptible;
        waiter->due = due;
        MHD_suspend_connection(waiter->connection);
    }
    pthread_mutex_unlock(&waiter->lock);
    /* The waiter is still there whatever happens meanwhile: only this thread ends it. */
    if (park && due != INT64_MAX)
        keeper_look_by(waiter->keeper, due);
    return park;
}

void waiter_wake_locked(struct waiter *waiter)
{
    if (!waiter->parked) {
        waiter->woken = true;
        return;
    }
    waiter->parked = false;
    MHD_resume_connection(waiter->connection);
}

void waiter_wake(struct waiter *waiter)
{
    pthread_mutex_lock(&waiter->lock);
    waiter_wake_locked(waiter);
    pthread_mutex_unlock(&waiter->lock);
}

/* With the keeper's lock held: wakes what is due, and says when the next one is. */
static int64_t waiters_look(struct keeper *keeper, int64_t now)
{
    int64_t next = INT64_MAX;
    for (struct waiter *w = keeper->waiters; w != NULL; w = w->next) {
        pthread_mutex_lock(&w->lock);
        if (w->parked && (w->due <= now || (w->interruptible && keeper_interrupted(keeper))))
            waiter_wake_locked(w);
        else if (w->parked && w->due < next)
            next = w->due;
        pthread_mutex_unlock(&w->lock);
    }
    return next;
}

/* ---- deadlines ---- */

void deadline_begin(struct deadline *deadline, struct keeper *keeper, int fd, int64_t at)
{
    deadline->fd = fd;
    deadline->keeper = keeper;
    atomic_store(&deadline->at, at);
    pthread_mutex_lock(&keeper->lock);
    bool first = keeper->deadlines == NULL;
    deadline->next = keeper->deadlines;
    deadline->place = &keeper->deadlines;
    if (deadline->next != NULL)
        deadline->next->place = &deadline->next;
    keeper->deadlines = deadline;
    if (first) {
        keeper->next = 0;
        pthread_cond_signal(&keeper->changed);
    }
    pthread_mutex_unlock(&keeper->lock);
}

void deadline_end(struct deadline *deadline)
{
    pthread_mutex_lock(&deadline->keeper->lock);
    *deadline->place = deadline->next;
    if (deadline->next != NULL)
        deadline->next->place = deadline->place;
    pthread_mutex_unlock(&deadline->keeper->lock);
}

static void deadlines_look(struct keeper *keeper, int64_t now)
{
    for (struct deadline *d = keeper->deadlines; d != NULL; d = d->next) {
        int64_t at = atomic_load_explicit(&d->at, memory_order_relaxed);
        if (at != 0 && at <= now) {
            log_info("http.deadline", "closed a connection that took too long");
            atomic_store(&d->at, 0);
            shutdown(d->fd, SHUT_RDWR);
        }
    }
}

/* ---- the thread ---- */

static void *keeper_run(void *arg)
{
    struct keeper *keeper = arg;
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->stopping) {
        int64_t now = clock_monotonic_us();
        if (now >= keeper->next) {
            int64_t next = waiters_look(keeper, now);
            deadlines_look(keeper, now);
            if (next < now + TURN_MIN_US)
                next = now + TURN_MIN_US;
            if (keeper->deadlines != NULL && next > now + TURN_MAX_US)
                next = now + TURN_MAX_US;
            keeper->next = next;
        }
        cond_wait_until(&keeper->changed, &keeper->lock, keeper->next);
    }
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

static int keeper_start(struct keeper *keeper, struct error *err)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&keeper->thread, NULL, keeper_run, keeper);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed != 0)
        return error_set(err, E_INTERNAL, "cannot start a thread: %s", strerror(failed));
    pthread_setname_np(keeper->thread, "http-keeper");
    return 0;
}

struct keeper *keeper_new(struct error *err)
{
    struct keeper *keeper = xcalloc(1, sizeof(*keeper));
    pthread_mutex_init(&keeper->lock, NULL);
    cond_init(&keeper->changed);
    pthread_cond_init(&keeper->idle, NULL);
    if (keeper_start(keeper, err) < 0) {
        free(keeper);
        return NULL;
    }
    return keeper;
}

void keeper_free(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->stopping = true;
    pthread_cond_signal(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    pthread_cond_destroy(&keeper->idle);
    pthread_cond_destroy(&keeper->changed);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}

bool keeper_interrupted(const struct keeper *keeper)
{
    return atomic_load(&keeper->interrupted);
}

void keeper_interrupt(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    atomic_store(&keeper->interrupted, true);
    waiters_look(keeper, clock_monotonic_us());
    pthread_mutex_unlock(&keeper->lock);
}

bool keeper_enter(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    bool entered = !keeper_interrupted(keeper);
    keeper->entered += entered;
    pthread_mutex_unlock(&keeper->lock);
    return entered;
}

void keeper_leave(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    if (--keeper->entered == 0)
        pthread_cond_broadcast(&keeper->idle);
    pthread_mutex_unlock(&keeper->lock);
}

void keeper_wait(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    while (keeper->entered > 0)
        pthread_cond_wait(&keeper->idle, &keeper->lock);
    pthread_mutex_unlock(&keeper->lock);
}
