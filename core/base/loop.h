/* One epoll loop: descriptors, timers, and work posted from other threads.
 * All functions are for the loop's own thread, except loop_post and loop_stop. */
#ifndef C9_BASE_LOOP_H
#define C9_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "error.h"

struct loop;

/* A watched descriptor, embedded in its owner; fill fn and arg, then loop_watch_add. `events` are
 * EPOLL* bits, level-triggered. The loop never closes fd. */
struct loop_watch {
    int fd;
    void (*fn)(struct loop_watch *watch, uint32_t events);
    void *arg;
    bool active; /* the loop's own */
};

/* A one-shot timer, embedded in its owner; zero it before first use, then set fn. Kept in a binary
 * heap: O(log n) to arm, re-arm and cancel. */
struct loop_timer {
    void (*fn)(struct loop_timer *timer);
    void *arg;
    int64_t at;     /* the loop's own: monotonic µs */
    uint32_t place; /* the loop's own: 1-based place in the heap, 0 when not armed */
};

struct loop *loop_new(struct error *err);  /* NULL on failure */
void loop_free(struct loop *loop);         /* not while running; see loop_post_owned */
void loop_run(struct loop *loop);          /* returns after loop_stop */
void loop_stop(struct loop *loop);         /* any thread */
int64_t loop_now(const struct loop *loop); /* monotonic µs, read once per turn */
/* During the next for_us, the loop sleeps rest_us before each wait: what comes meanwhile is one
 * turn and wakes nobody, and timers and posts are late by as much. Each call replaces the last. */
void loop_rest(struct loop *loop, int64_t rest_us, int64_t for_us);

int loop_watch_add(struct loop *loop, struct loop_watch *watch, uint32_t events, struct error *err);
int loop_watch_change(struct loop *loop, struct loop_watch *watch, uint32_t events,
                      struct error *err);
/* Safe inside any callback, also for another watch whose event is waiting in this turn. */
void loop_watch_remove(struct loop *loop, struct loop_watch *watch);

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t after_us); /* re-arms */
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);                /* idempotent */

/* Runs fn(arg) on the loop's thread, in the order posted; any thread. Never blocks longer than
 * a mutex; wakes the loop at most once per turn. */
void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg);
/* The same with an arg that is fn's to free: drop(arg) frees it when the loop is freed before fn
 * has run. With loop_post nothing is called then. */
void loop_post_owned(struct loop *loop, void (*fn)(void *arg), void (*drop)(void *arg), void *arg);

#endif
