/* Waiting for another thread. All times are of clock_monotonic_us. */
#ifndef C9_BASE_SYNC_H
#define C9_BASE_SYNC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Opens once: for whoever waits on its own stack until work that it gave away is done. What was
 * written before the opening is seen behind the waiting. */
struct latch {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool open; /* under lock */
};
#define LATCH_INIT                                                                                 \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false                                 \
    }
void latch_open(struct latch *latch); /* any thread; the latch may be gone when it returns */
void latch_wait(struct latch *latch); /* until it is open; releases it */

/* A condition whose waits end by the monotonic clock. */
void cond_init(pthread_cond_t *cond);
/* With the lock held. False: the time has come; true: look again. INT64_MAX: for ever. */
bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_us);

#endif
