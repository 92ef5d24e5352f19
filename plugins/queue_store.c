/* queue_store: the rows of agent_executions that are not at an end are the queue.
 *
 * To enqueue is to write the row, so nothing can fall between the two. A claim first takes the
 * lease off rows whose lease is over, and then looks at rows without one only. So it costs what it
 * claims, however many executions run; the store keeps an index for each step:
 *   (priority DESC, available_at, id) of rows without a lease, (lease_until) of rows with one. */
#include <c9d/plugin.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OWNER_SIZE = 128 };

struct c9d_queue {
    const struct c9d_host *host;
    bool exclusive; /* this process alone has the store */
    pthread_mutex_t lock;
    char owner[OWNER_SIZE]; /* whose claim was the last to void all others' leases */
};

#define ACTIVE "status IN ('pending', 'running')"

static const char sql_reset[] = "SELECT 1";

static const char sql_void[] =
    "UPDATE agent_executions SET lease_owner = NULL, lease_until = NULL"
    " WHERE " ACTIVE " AND lease_owner IS NOT NULL AND lease_owner <> $1";

static const char sql_expire[] =
    "UPDATE agent_executions SET lease_owner = NULL, lease_until = NULL"
    " WHERE " ACTIVE " AND lease_owner IS NOT NULL AND lease_until < $1";

static const char sql_claim[] =
    "UPDATE agent_executions SET lease_owner = $1, lease_until = $2, attempt = attempt + 1"
    " WHERE id IN (SELECT id FROM agent_executions"
    " WHERE " ACTIVE " AND lease_owner IS NULL AND available_at <= $3"
    " ORDER BY priority DESC, available_at, id LIMIT $4)"
    " RETURNING id, priority, available_at, attempt";

static const char sql_renew[] =
    "UPDATE agent_executions SET lease_until = $2 WHERE " ACTIVE " AND lease_owner = $1"
    " AND lease_owner IS NOT NULL"; /* implied, but said for the index */

static const char sql_release[] =
    "UPDATE agent_executions SET lease_owner = NULL, lease_until = NULL, available_at = $3"
    " WHERE id = $1 AND " ACTIVE " AND lease_owner = $2";

static const char sql_depth[] =
    "SELECT (SELECT count(*) FROM agent_executions WHERE " ACTIVE " AND lease_owner IS NULL)"
    " + (SELECT count(*) FROM agent_executions"
    " WHERE " ACTIVE " AND lease_owner IS NOT NULL AND lease_until < $1)";

static struct c9d_value text(const char *s)
{
    return (struct c9d_value){.type = C9D_TEXT, .len = strlen(s), .u.s = s};
}

static struct c9d_value integer(int64_t i)
{
    return (struct c9d_value){.type = C9D_INT, .u.i = i};
}

/* ---- a batch, and waiting for it ---- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done;
    int status;
};

static void waiter_done(struct c9d_batch *batch, int status)
{
    struct waiter *waiter = batch->arg;
    pthread_mutex_lock(&waiter->lock);
    waiter->done = true;
    waiter->status = status;
    /* Under the lock: the waiter lives on the stack of whom it wakes. */
    pthread_cond_signal(&waiter->ended);
    pthread_mutex_unlock(&waiter->lock);
}

static int commit(struct c9d_queue *queue, const struct c9d_statement *statements, size_t n,
                  struct c9d_fault *fault)
{
    struct waiter waiter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    struct c9d_batch batch = {
        .statements = statements, .n = n, .done = waiter_done, .arg = &waiter};
    queue->host->storage_ops->submit(queue->host->storage, &batch);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.done)
        pthread_cond_wait(&waiter.ended, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    pthread_cond_destroy(&waiter.ended);
    pthread_mutex_destroy(&waiter.lock);
    if (waiter.status != 0)
        *fault = batch.fault;
    return waiter.status;
}

/* ---- operations ---- */

struct claim {
    struct c9d_job *jobs;
    size_t n, max;
};

/* The driver may run a batch again from the start: then what it returned before does not count. */
static int claim_reset(void *arg, const struct c9d_value *columns, size_t n)
{
    (void)columns, (void)n;
    ((struct claim *)arg)->n = 0;
    return 0;
}

static int claim_row(void *arg, const struct c9d_value *columns, size_t n)
{
    struct claim *claim = arg;
    if (n != 4 || claim->n == claim->max)
        return 1;
    struct c9d_job *job = &claim->jobs[claim->n++];
    snprintf(job->id, sizeof(job->id), "%.*s", (int)columns[0].len, columns[0].u.s);
    job->priority = columns[1].u.i;
    job->available_at = columns[2].u.i;
    job->attempt = columns[3].u.i;
    return 0;
}

static int best_first(const void *a, const void *b)
{
    const struct c9d_job *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (x->available_at != y->available_at)
        return x->available_at < y->available_at ? -1 : 1;
    return strcmp(x->id, y->id);
}

/* With an exclusive store whoever else holds a lease is a process that is gone. Looking for them
 * takes a walk over all leases, so it is done once per owner. */
static bool others_to_void(struct c9d_queue *queue, const char *owner)
{
    pthread_mutex_lock(&queue->lock);
    bool wanted = queue->exclusive && strcmp(queue->owner, owner) != 0;
    pthread_mutex_unlock(&queue->lock);
    return wanted;
}

static void others_voided(struct c9d_queue *queue, const char *owner)
{
    pthread_mutex_lock(&queue->lock);
    snprintf(queue->owner, sizeof(queue->owner), "%s", owner);
    pthread_mutex_unlock(&queue->lock);
}

static int store_claim(struct c9d_queue *queue, const char *owner, int64_t lease, size_t max,
                       struct c9d_job *jobs_r, struct c9d_fault *fault)
{
    struct claim claim = {jobs_r, 0, max};
    int64_t now = queue->host->now();
    struct c9d_value by_owner[] = {text(owner)}, by_time[] = {integer(now)};
    struct c9d_value wanted[] = {text(owner), integer(now + lease), integer(now),
                                 integer((int64_t)max)};
    struct c9d_statement statements[4];
    size_t n = 0;
    bool voids = others_to_void(queue, owner);
    statements[n++] = (struct c9d_statement){sql_reset, NULL, 0, -1, claim_reset, &claim};
    if (voids)
        statements[n++] = (struct c9d_statement){sql_void, by_owner, 1, -1, NULL, NULL};
    statements[n++] = (struct c9d_statement){sql_expire, by_time, 1, -1, NULL, NULL};
    statements[n++] = (struct c9d_statement){sql_claim, wanted, 4, -1, claim_row, &claim};
    int status = commit(queue, statements, n, fault);
    if (status != 0)
        return status;
    if (voids)
        others_voided(queue, owner);
    /* RETURNING promises no order. */
    qsort(jobs_r, claim.n, sizeof(*jobs_r), best_first);
    return (int)claim.n;
}

static int store_renew(struct c9d_queue *queue, const char *owner, int64_t lease,
                       struct c9d_fault *fault)
{
    struct c9d_value params[] = {text(owner), integer(queue->host->now() + lease)};
    struct c9d_statement statement = {sql_renew, params, 2, -1, NULL, NULL};
    return commit(queue, &statement, 1, fault);
}

static int store_release(struct c9d_queue *queue, const char *owner, const char *id, int64_t delay,
                         struct c9d_fault *fault)
{
    struct c9d_value params[] = {text(id), text(owner), integer(queue->host->now() + delay)};
    struct c9d_statement statement = {sql_release, params, 3, -1, NULL, NULL};
    return commit(queue, &statement, 1, fault);
}

static int depth_row(void *arg, const struct c9d_value *columns, size_t n)
{
    (void)n;
    *(int64_t *)arg = columns[0].u.i;
    return 0;
}

static int store_depth(struct c9d_queue *queue, int64_t *depth_r, struct c9d_fault *fault)
{
    struct c9d_value now = integer(queue->host->now());
    return queue->host->storage_ops->query(queue->host->storage, sql_depth, &now, 1, depth_row,
                                           depth_r, fault);
}

/* No descriptor: all jobs are pushed by this process, or found by the timer. */
static int store_fd(struct c9d_queue *queue)
{
    (void)queue;
    return -1;
}

static int store_open(const struct c9d_host *host, const struct c9d_settings *settings,
                      struct c9d_queue **queue_r, struct c9d_fault *fault)
{
    (void)settings;
    struct c9d_queue *queue = host->storage != NULL ? calloc(1, sizeof(*queue)) : NULL;
    if (queue == NULL) {
        snprintf(fault->message, sizeof(fault->message), "%s",
                 host->storage == NULL ? "needs a storage; it lives in its rows" : "out of memory");
        return C9D_E_FAILED;
    }
    queue->host = host;
    queue->exclusive = host->storage_ops->exclusive(host->storage) != 0;
    pthread_mutex_init(&queue->lock, NULL);
    *queue_r = queue;
    return 0;
}

static void store_close(struct c9d_queue *queue)
{
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

static const struct c9d_queue_ops ops = {.rows_are_jobs = 1,
                                         .open = store_open,
                                         .close = store_close,
                                         .claim = store_claim,
                                         .renew = store_renew,
                                         .release = store_release,
                                         .depth = store_depth,
                                         .fd = store_fd};

C9D_EXPORT const struct c9d_plugin c9d_plugin = {
    .abi = C9D_ABI,
    .kind = C9D_KIND_QUEUE,
    .name = "queue_store",
    .version = C9_VERSION,
    .description = "The waiting rows of the store are the queue; for one node.",
    .ops.queue = &ops,
};
