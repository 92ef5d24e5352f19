#include "supervisor/retention.h"

#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sync.h"
#include "store/retention.h"

enum {
    EXECUTIONS_AT_ONCE = 20,
    ROWS_AT_ONCE = 200, /* of one execution; so a batch removes at most 4,000 rows of a kind */
    REST_LEAST_US = 5000
};
#define AGE_MAX (INT64_C(100) * 366 * 86400 * CLOCK_SECOND)

const struct config_key retention_keys[] = {
    {"retention", "executions", CONFIG_DURATION, "90d", 0, AGE_MAX, NULL,
     "How long executions are kept after their end, with all that belongs to them; 0: for ever."},
    {"retention", "events", CONFIG_DURATION, "30d", 0, AGE_MAX, NULL,
     "How long the events of ended executions are kept; 0: as long as the execution."},
    {"retention", "logs", CONFIG_DURATION, "30d", 0, AGE_MAX, NULL,
     "How long the logs of ended executions are kept; 0: as long as the execution."},
    {"retention", "journals", CONFIG_DURATION, "7d", 0, AGE_MAX, NULL,
     "How long the journals of ended executions are kept, for replays and forks; 0: as long as the "
     "execution."},
    {"retention", "every", CONFIG_DURATION, "1m", 100000, 86400 * CLOCK_SECOND, NULL,
     "How often it is looked for what is old enough."},
};
const size_t retention_keys_n = countof(retention_keys);

typedef void remove_fn(struct storage_batch *batch, const char *id, int64_t max,
                       struct retention_count *count);

/* One row a key of [retention]. An execution's row goes when all else of it has gone. */
static const struct rule {
    const char *key;
    remove_fn *remove[3];
    bool row;
} rules[] = {
    {"journals", {store_retention_journal}, false},
    {"events", {store_retention_events}, false},
    {"logs", {store_retention_logs}, false},
    {"executions", {store_retention_journal, store_retention_events, store_retention_logs}, true},
};

struct retention {
    struct storage *storage;
    struct config *config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
};

static bool rest(struct retention *r, int64_t us)
{
    int64_t until = clock_monotonic_us() + us;
    pthread_mutex_lock(&r->lock);
    while (!r->stop && cond_wait_until(&r->wake, &r->lock, until))
        continue;
    bool stop = r->stop;
    pthread_mutex_unlock(&r->lock);
    return !stop;
}

/* Commits, and leaves the writer to others for as long. */
static int commit(struct retention *r, struct storage_batch *batch, struct error *err)
{
    int64_t began = clock_monotonic_us();
    if (storage_commit(r->storage, batch, err) < 0)
        return -1;
    int64_t took = clock_monotonic_us() - began;
    return rest(r, took > REST_LEAST_US ? took : REST_LEAST_US) ? 0 : 1;
}

/* What hangs from these executions. 0, 1: to be stopped, -1. */
static int remove_parts(struct retention *r, remove_fn *remove,
                        const struct retention_place *places, int n, struct error *err)
{
    struct retention_count counts[EXECUTIONS_AT_ONCE] = {{0}};
    bool left[EXECUTIONS_AT_ONCE], any = n > 0;
    for (int i = 0; i < n; i++)
        left[i] = true;
    while (any) {
        struct storage_batch *batch = storage_batch_new();
        for (int i = 0; i < n; i++) {
            counts[i].n = 0;
            if (left[i])
                remove(batch, places[i].id, ROWS_AT_ONCE, &counts[i]);
        }
        int done = commit(r, batch, err);
        if (done != 0)
            return done;
        any = false;
        for (int i = 0; i < n; i++) {
            left[i] = counts[i].n >= ROWS_AT_ONCE;
            any = any || left[i];
        }
    }
    return 0;
}

static int remove_rows(struct retention *r, const struct rule *rule,
                       const struct retention_place *places, int n, struct error *err)
{
    struct storage_batch *batch = storage_batch_new();
    for (int i = 0; i < n && rule->row; i++)
        store_retention_execution(batch, places[i].id);
    store_retention_keep(batch, rule->key, &places[n - 1]);
    return commit(r, batch, err);
}

/* All that is old enough by one rule. 0, 1: to be stopped, -1. */
static int apply(struct retention *r, const struct rule *rule, struct error *err)
{
    int64_t age = config_int(r->config, "retention", NULL, rule->key);
    struct retention_place place, places[EXECUTIONS_AT_ONCE];
    if (age == 0)
        return 0;
    if (store_retention_place(r->storage, rule->key, &place, err) < 0)
        return -1;
    int64_t removed = 0;
    for (;;) {
        int n = store_retention_ended(r->storage, &place, clock_wall_us() - age, EXECUTIONS_AT_ONCE,
                                      places, err);
        if (n <= 0) {
            if (removed > 0)
                log_info("retention.removed", "%s of %ld executions that ended before", rule->key,
                         (long)removed);
            return n;
        }
        int done = 0;
        for (size_t k = 0; k < countof(rule->remove) && rule->remove[k] != NULL && done == 0; k++)
            done = remove_parts(r, rule->remove[k], places, n, err);
        if (done == 0)
            done = remove_rows(r, rule, places, n, err);
        if (done != 0)
            return done;
        place = places[n - 1];
        removed += n;
    }
}

static void *run(void *arg)
{
    struct retention *r = arg;
    int64_t every = config_int(r->config, "retention", NULL, "every");
    prctl(PR_SET_NAME, "c9d-retention");
    while (rest(r, every)) {
        for (size_t i = 0; i < countof(rules); i++) {
            error_auto err = ERROR_INIT;
            if (apply(r, &rules[i], &err) < 0)
                log_error("retention.failed", "%s: %s", rules[i].key, err.message);
        }
    }
    return NULL;
}

struct retention *retention_start(struct storage *storage, struct config *config, struct error *err)
{
    struct retention *r = xcalloc(1, sizeof(*r));
    r->storage = storage;
    r->config = config;
    pthread_mutex_init(&r->lock, NULL);
    cond_init(&r->wake);
    if (pthread_create(&r->thread, NULL, run, r) == 0)
        return r;
    error_set(err, E_INTERNAL, "cannot start the thread of [retention]");
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    free(r);
    return NULL;
}

void retention_stop(struct retention *r)
{
    if (r == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
