/* Latches, and conditions with an end. */
#include "base/sync.h"

#include "base/clock.h"
#include "tap.h"

struct given {
    struct latch latch;
    int answer;
};

static void *answer(void *arg)
{
    struct given *given = arg;
    given->answer = 42;
    latch_open(&given->latch);
    return NULL;
}

static void test_latch(void)
{
    struct given given = {.latch = LATCH_INIT}, before = {.latch = LATCH_INIT};
    pthread_t thread;
    pthread_create(&thread, NULL, answer, &given);
    latch_wait(&given.latch);
    is_int(given.answer, 42, "what was written before the opening is seen");
    pthread_join(thread, NULL);
    answer(&before);
    latch_wait(&before.latch);
    ok(true, "an open latch lets through at once");
}

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool open;
};

static void *gate_open(void *arg)
{
    struct gate *gate = arg;
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_signal(&gate->cond);
    pthread_mutex_unlock(&gate->lock);
    return NULL;
}

static void test_condition(void)
{
    enum { SHORT_US = 20000 };
    struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    cond_init(&gate.cond);
    pthread_mutex_lock(&gate.lock);
    int64_t until = clock_monotonic_us() + SHORT_US;
    while (cond_wait_until(&gate.cond, &gate.lock, until))
        continue;
    ok(clock_monotonic_us() >= until, "it waits until the time has come");
    ok(!cond_wait_until(&gate.cond, &gate.lock, 1), "a time that is past is not waited for");
    pthread_create(&thread, NULL, gate_open, &gate);
    while (!gate.open && cond_wait_until(&gate.cond, &gate.lock, INT64_MAX))
        continue;
    ok(gate.open, "for ever ends with the signal");
    pthread_mutex_unlock(&gate.lock);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&gate.cond);
}

int main(void)
{
    test_latch();
    test_condition();
    return done_testing();
}
