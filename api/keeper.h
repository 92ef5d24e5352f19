/* Connections that sleep, and deadlines of those that do not. libmicrohttpd knows inactivity only,
 * and never looks at a suspended connection; one thread here does. */
#ifndef C9_API_KEEPER_H
#define C9_API_KEEPER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct MHD_Connection;
struct keeper;

struct keeper *keeper_new(struct error *err); /* starts the thread; NULL on failure */
void keeper_free(struct keeper *keeper);      /* ends it; nothing may be left in it */
/* Wakes all that sleep `interruptible`, and lets none of those sleep again. */
void keeper_interrupt(struct keeper *keeper);
bool keeper_interrupted(const struct keeper *keeper);

/* Counts work of other threads that will wake a connection: false once interrupted, then it must
 * not begin. keeper_wait returns when all that began has ended. */
bool keeper_enter(struct keeper *keeper);
void keeper_leave(struct keeper *keeper);
void keeper_wait(struct keeper *keeper);

/* One connection that may sleep; embedded in its owner. Works as an event: a wake that comes before
 * the parking is not lost. */
struct waiter {
    pthread_mutex_t lock; /* also for the owner's data that the waker writes */
    struct MHD_Connection *connection;
    struct keeper *keeper;
    bool parked, woken, interruptible; /* under the lock */
    int64_t due;                       /* monotonic µs; under the lock */
    struct waiter *next, **place;      /* the keeper's, under its lock */
};
void waiter_init(struct waiter *waiter, struct keeper *keeper, struct MHD_Connection *connection);
/* Not while parked. No wake may come any more. */
void waiter_clear(struct waiter *waiter);
/* On the connection's thread, inside one of libmicrohttpd's callbacks, lock not held: puts the
 * connection to sleep until waiter_wake, or `due` (INT64_MAX: never). False when there is no need
 * to (woken already, due, or interrupted): look at the state again. */
bool waiter_park(struct waiter *waiter, int64_t due, bool interruptible);
/* Any thread. waiter_wake_locked: with waiter->lock held. */
void waiter_wake(struct waiter *waiter);
void waiter_wake_locked(struct waiter *waiter);

/* A connection's deadline: when it passes, the socket is shut down, and libmicrohttpd closes it. */
struct deadline {
    int fd;
    _Atomic int64_t at; /* monotonic µs; 0: none. Any thread may set it */
    struct keeper *keeper;
    struct deadline *next, **place;
};
void deadline_begin(struct deadline *deadline, struct keeper *keeper, int fd, int64_t at);
/* Before the descriptor is closed. */
void deadline_end(struct deadline *deadline);

#endif
