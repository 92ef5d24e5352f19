/* The epoll loop. A turn is: wait, timers that are due, descriptors, then what was posted. */
#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { TURN_EVENTS = 256 };

struct post {
    void (*fn)(void *arg);
    void (*drop)(void *arg); /* or NULL */
    void *arg;
};

/* A vector that keeps its memory; two of them take turns as the inbox. */
struct posts {
    struct post *rows;
    size_t n, cap;
};

struct loop {
    int epoll_fd, wake_fd;
    int64_t now;
    int64_t rest_us, rest_until;
    atomic_bool stopping;

    /* This turn's events; a removed watch is nulled out of what is still to be delivered. */
    struct epoll_event events[TURN_EVENTS];
    int at, n_events;

    /* A binary heap by `at`; timers[place - 1] is the timer whose place it is. */
    struct loop_timer **timers;
    uint32_t n_timers, cap_timers;

    pthread_mutex_t lock;
    struct posts inbox; /* under lock */
    bool woken;         /* under lock: the eventfd is signalled and not yet read */
    struct posts outbox;
};

struct loop *loop_new(struct error *err)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    pthread_mutex_init(&loop->lock, NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* The loop's own address tells the wake-up from the watches. */
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = loop};
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &wake) < 0) {
        error_errno(err, E_INTERNAL, "event loop: cannot make epoll and eventfd descriptors");
        loop_free(loop);
        return NULL;
    }
    loop->now = clock_monotonic_us();
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    for (size_t i = 0; i < loop->inbox.n; i++)
        if (loop->inbox.rows[i].drop != NULL)
            loop->inbox.rows[i].drop(loop->inbox.rows[i].arg);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    pthread_mutex_destroy(&loop->lock);
    free(loop->inbox.rows);
    free(loop->outbox.rows);
    free(loop->timers);
    free(loop);
}

int64_t loop_now(const struct loop *loop)
{
    return loop->now;
}

void loop_rest(struct loop *loop, int64_t rest_us, int64_t for_us)
{
    loop->rest_us = rest_us;
    loop->rest_until = loop->now + for_us;
}

/* ---- descriptors ---- */

static int watch_control(struct loop *loop, int op, struct loop_watch *watch, uint32_t events,
                         struct error *err)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, op, watch->fd, &event) < 0)
        return error_errno(err, E_INTERNAL, "event loop: cannot watch descriptor %d", watch->fd);
    watch->active = true;
    return 0;
}

int loop_watch_add(struct loop *loop, struct loop_watch *watch, uint32_t events, struct error *err)
{
    return watch_control(loop, EPOLL_CTL_ADD, watch, events, err);
}

int loop_watch_change(struct loop *loop, struct loop_watch *watch, uint32_t events,
                      struct error *err)
{
    return watch_control(loop, EPOLL_CTL_MOD, watch, events, err);
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch)
{
    if (!watch->active)
        return;
    watch->active = false;
    /* Fails only when fd was closed before, and then the kernel has forgotten it already. */
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    for (int i = loop->at; i < loop->n_events; i++)
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
}

/* ---- timers ---- */

static void timer_put(struct loop *loop, struct loop_timer *timer, uint32_t place)
{
    loop->timers[place - 1] = timer;
    timer->place = place;
}

/* Moves the timer from a hole at place towards the root, then to where it belongs. */
static void timer_rise(struct loop *loop, struct loop_timer *timer, uint32_t place)
{
    for (uint32_t parent; place > 1; place = parent) {
        parent = place / 2;
        if (loop->timers[parent - 1]->at <= timer->at)
            break;
        timer_put(loop, loop->timers[parent - 1], place);
    }
    timer_put(loop, timer, place);
}

static void timer_sink(struct loop *loop, struct loop_timer *timer, uint32_t place)
{
    for (uint64_t child; (child = 2 * (uint64_t)place) <= loop->n_timers; place = (uint32_t)child) {
        if (child < loop->n_timers && loop->timers[child]->at < loop->timers[child - 1]->at)
            child++;
        if (timer->at <= loop->timers[child - 1]->at)
            break;
        timer_put(loop, loop->timers[child - 1], place);
    }
    timer_put(loop, timer, place);
}

static void timer_settle(struct loop *loop, struct loop_timer *timer, uint32_t place)
{
    if (place > 1 && loop->timers[place / 2 - 1]->at > timer->at)
        timer_rise(loop, timer, place);
    else
        timer_sink(loop, timer, place);
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t after_us)
{
    /* From the present and not from loop_now: a long callback must not shorten what it arms. */
    int64_t now = clock_monotonic_us();
    if (__builtin_add_overflow(now, after_us > 0 ? after_us : 0, &timer->at))
        timer->at = INT64_MAX;
    uint32_t place = timer->place;
    if (place == 0) {
        if (loop->n_timers == loop->cap_timers) {
            loop->cap_timers = loop->cap_timers > 0 ? 2 * loop->cap_timers : 64;
            loop->timers = xrealloc(loop->timers, loop->cap_timers * sizeof(*loop->timers));
        }
        place = ++loop->n_timers;
    }
    timer_settle(loop, timer, place);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
    uint32_t place = timer->place;
    if (place == 0)
        return;
    timer->place = 0;
    struct loop_timer *last = loop->timers[--loop->n_timers];
    if (last != timer)
        timer_settle(loop, last, place);
}

/* Only what is due at the start of the turn: a timer that re-arms itself with 0 lets the others
 * and the descriptors have their turn. */
static void timers_run(struct loop *loop)
{
    int64_t due = loop->now;
    while (loop->n_timers > 0 && loop->timers[0]->at <= due) {
        struct loop_timer *timer = loop->timers[0];
        loop_timer_cancel(loop, timer);
        timer->fn(timer);
    }
}

/* ---- posted work ---- */

static void wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t n;
    do {
        n = write(loop->wake_fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
}

void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    loop_post_owned(loop, fn, NULL, arg);
}

void loop_post_owned(struct loop *loop, void (*fn)(void *arg), void (*drop)(void *arg), void *arg)
{
    pthread_mutex_lock(&loop->lock);
    struct posts *in = &loop->inbox;
    if (in->n == in->cap) {
        in->cap = in->cap > 0 ? 2 * in->cap : 64;
        in->rows = xrealloc(in->rows, in->cap * sizeof(*in->rows));
    }
    in->rows[in->n++] = (struct post){fn, drop, arg};
    bool first = !loop->woken;
    loop->woken = true;
    pthread_mutex_unlock(&loop->lock);
    /* Not under the lock, or who wakes on this processor would find it taken. */
    if (first)
        wake(loop);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    wake(loop);
}

static void posts_run(struct loop *loop)
{
    uint64_t count;
    if (read(loop->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
        log_error("loop.wake", "reading the event loop's eventfd: %s", strerror(errno));
    pthread_mutex_lock(&loop->lock);
    struct posts mine = loop->inbox;
    loop->inbox = loop->outbox;
    loop->outbox = (struct posts){0};
    loop->woken = false;
    pthread_mutex_unlock(&loop->lock);
    for (size_t i = 0; i < mine.n; i++)
        mine.rows[i].fn(mine.rows[i].arg);
    mine.n = 0;
    loop->outbox = mine;
}

/* ---- the turn ---- */

/* Milliseconds until the next timer, rounded up, as waking early would be a turn for nothing. */
static int turn_timeout(const struct loop *loop)
{
    if (loop->n_timers == 0)
        return -1;
    int64_t us = loop->timers[0]->at - clock_monotonic_us();
    if (us <= 0)
        return 0;
    const int64_t unit = CLOCK_SECOND / 1000;
    return us < INT_MAX * unit ? (int)((us + unit - 1) / unit) : INT_MAX;
}

static void turn_wait(struct loop *loop)
{
    if (loop->now < loop->rest_until && loop->rest_us > 0)
        usleep((useconds_t)loop->rest_us);
    int n = epoll_wait(loop->epoll_fd, loop->events, TURN_EVENTS, turn_timeout(loop));
    if (n < 0 && errno != EINTR) {
        /* Nothing can be served any more; a restart resumes all that was accepted. */
        log_error("loop.wait", "epoll_wait: %s", strerror(errno));
        abort();
    }
    loop->at = 0;
    loop->n_events = n > 0 ? n : 0;
    loop->now = clock_monotonic_us();
}

static bool watches_run(struct loop *loop)
{
    bool posted = false;
    while (loop->at < loop->n_events) {
        struct epoll_event event = loop->events[loop->at++];
        struct loop_watch *watch = event.data.ptr;
        if (event.data.ptr == loop)
            posted = true;
        else if (watch != NULL)
            watch->fn(watch, event.events);
    }
    return posted;
}

void loop_run(struct loop *loop)
{
    while (!atomic_load(&loop->stopping)) {
        turn_wait(loop);
        timers_run(loop);
        if (watches_run(loop))
            posts_run(loop);
    }
    atomic_store(&loop->stopping, false);
}
