#include "base/sync.h"

#include <time.h>

#include "base/clock.h"

void latch_open(struct latch *latch)
{
    pthread_mutex_lock(&latch->lock);
    latch->open = true;
    /* Under the lock: the latch lives on the stack of whom it wakes. */
    pthread_cond_signal(&latch->opened);
    pthread_mutex_unlock(&latch->lock);
}

void latch_wait(struct latch *latch)
{
    pthread_mutex_lock(&latch->lock);
    while (!latch->open)
        pthread_cond_wait(&latch->opened, &latch->lock);
    pthread_mutex_unlock(&latch->lock);
    pthread_cond_destroy(&latch->opened);
    pthread_mutex_destroy(&latch->lock);
}

void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_us)
{
    const struct timespec until = {.tv_sec = until_us / CLOCK_SECOND,
                                   .tv_nsec = until_us % CLOCK_SECOND * 1000};
    return (until_us == INT64_MAX ? pthread_cond_wait(cond, lock)
                                  : pthread_cond_timedwait(cond, lock, &until)) == 0;
}
