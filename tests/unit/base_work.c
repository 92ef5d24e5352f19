/* The pool of threads. */
#include "base/work.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "tap.h"

static atomic_int sum;
static void add(void *arg)
{
    atomic_fetch_add(&sum, (int)(intptr_t)arg);
}

static int order[1000], order_n; /* by the one thread of a pool */
static void remember(void *arg)
{
    order[order_n++] = (int)(intptr_t)arg;
}

static void test_order(void)
{
    struct work_pool *pool = work_pool_new("one", 1, NULL);
    for (intptr_t i = 0; i < 1000; i++)
        work_submit(pool, remember, (void *)i);
    work_pool_free(pool);
    bool right = order_n == 1000;
    for (int i = 0; i < 1000 && right; i++)
        right = order[i] == i;
    ok(right, "one thread works in the order submitted, and ends after the last");
}

static void *submit_many(void *arg)
{
    for (int i = 0; i < 2000; i++)
        work_submit(arg, add, (void *)1);
    return NULL;
}

static void test_many(void)
{
    struct work_pool *pool = work_pool_new("a name longer than the kernel takes", 4, NULL);
    pthread_t feeders[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&feeders[i], NULL, submit_many, pool);
    for (int i = 0; i < 3; i++)
        pthread_join(feeders[i], NULL);
    work_pool_free(pool);
    is_int(atomic_load(&sum), 6000, "all that three threads submit is done once");
}

struct chain {
    struct work_pool *pool;
    atomic_int left;
};
static void chain_step(void *arg)
{
    struct chain *chain = arg;
    if (atomic_fetch_sub(&chain->left, 1) > 1)
        work_submit(chain->pool, chain_step, chain);
}

static pthread_barrier_t meeting;
static void meet(void *arg)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    *(bool *)arg = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGCHLD) == 1;
    pthread_barrier_wait(&meeting);
}

static void test_threads(void)
{
    bool blocked[2] = {false, false};
    pthread_barrier_init(&meeting, NULL, 3);
    struct work_pool *pool = work_pool_new("two", 2, NULL);
    work_submit(pool, meet, &blocked[0]);
    work_submit(pool, meet, &blocked[1]);
    pthread_barrier_wait(&meeting);
    ok(true, "two threads work at the same time");
    struct chain chain = {.pool = pool, .left = 100};
    work_submit(pool, chain_step, &chain);
    work_pool_free(pool);
    pthread_barrier_destroy(&meeting);
    ok(blocked[0] && blocked[1], "with all signals blocked");
    is_int(atomic_load(&chain.left), 0, "work may submit work, also while the pool ends");
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    ok(!sigismember(&mask, SIGTERM), "the caller's signals are as before");
}

int main(void)
{
    test_order();
    test_many();
    test_threads();
    atomic_store(&sum, 0);
    struct work_pool *pool = work_pool_new("none", 0, NULL);
    work_submit(pool, add, (void *)3);
    work_pool_free(pool);
    is_int(atomic_load(&sum), 3, "a pool has one thread at least");
    work_pool_free(NULL);
    return done_testing();
}
