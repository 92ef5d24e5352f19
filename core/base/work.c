/* The pool of threads for what may block. */
#include "base/work.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

struct work {
    struct work *next;
    void (*fn)(void *arg);
    void *arg;
};

struct work_pool {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct work *first, **last; /* under lock, as are the two below */
    bool ending;
    unsigned n_threads;
    pthread_t threads[];
};

static struct work *work_take(struct work_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->first == NULL && !pool->ending)
        pthread_cond_wait(&pool->wanted, &pool->lock);
    struct work *work = pool->first;
    if (work != NULL) {
        pool->first = work->next;
        if (pool->first == NULL)
            pool->last = &pool->first;
    }
    pthread_mutex_unlock(&pool->lock);
    return work;
}

static void *work_thread(void *arg)
{
    struct work_pool *pool = arg;
    for (struct work *work; (work = work_take(pool)) != NULL; free(work))
        work->fn(work->arg);
    return NULL;
}

/* Signals are blocked around the creation, as a thread inherits the mask. */
static int threads_start(struct work_pool *pool, const char *name, unsigned threads,
                         struct error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = 0;
    while (failed == 0 && pool->n_threads < threads) {
        pthread_t *thread = &pool->threads[pool->n_threads];
        failed = pthread_create(thread, NULL, work_thread, pool);
        if (failed == 0) {
            char label[16]; /* the kernel's bound */
            snprintf(label, sizeof(label), "%s", name);
            pthread_setname_np(*thread, label);
            pool->n_threads++;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0)
        return 0;
    return error_set(err, E_INTERNAL, "cannot start thread %u of %u of the pool '%s': %s",
                     pool->n_threads + 1, threads, name, strerror(failed));
}

struct work_pool *work_pool_new(const char *name, unsigned threads, struct error *err)
{
    threads = threads > 0 ? threads : 1; /* what is submitted must run */
    struct work_pool *pool = xcalloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wanted, NULL);
    pool->last = &pool->first;
    if (threads_start(pool, name, threads, err) < 0) {
        work_pool_free(pool);
        return NULL;
    }
    return pool;
}

void work_submit(struct work_pool *pool, void (*fn)(void *arg), void *arg)
{
    struct work *work = xmalloc(sizeof(*work));
    *work = (struct work){.fn = fn, .arg = arg};
    pthread_mutex_lock(&pool->lock);
    *pool->last = work;
    pool->last = &work->next;
    pthread_cond_signal(&pool->wanted);
    pthread_mutex_unlock(&pool->lock);
}

void work_pool_free(struct work_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->wanted);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->wanted);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
