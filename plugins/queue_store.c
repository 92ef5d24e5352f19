/* queue_store: the rows of agent_executions that are not at an end are the queue.
 *
 * To enqueue is to write the row, so nothing can fall between the two. A claim takes the lease off
 * rows whose lease is over, puts rows that have become available in line, and then takes from the
 * line. So it costs what it claims, however many executions run or are delayed; the store keeps an
 * index for each step.
 *
 * The line is start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queueing", 1996) with
 * one flow an agent and equal weights: a row's turn is one behind the last of its agent's, or, when
 * that has none, level with the first in line. What was claimed before goes first, as it did. */
#include <c9d/plugin.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    OWNER_SIZE = 128,
    LINE_UP_MAX = 4096,  /* rows put in line by one claim: a bound of its time */
    REST_US = 20 * 1000, /* between two wakes by the clock */
};

struct c9d_queue {
    const struct c9d_host *host;
    bool exclusive; /* this process alone has the store */
    pthread_mutex_t lock;
    char owner[OWNER_SIZE]; /* whose claim was the last to void all others' leases */
    int fd;                 /* a timer: when a delay or a lease ends */
};

#define ACTIVE "status IN ('pending', 'running')"

#define WAITING(row)                                                                               \
    row "status IN ('pending', 'running') AND " row "lease_owner IS NULL AND " row                 \
        "turn IS NOT NULL"
#define DELAYED ACTIVE " AND lease_owner IS NULL AND turn IS NULL"

static const char sql_reset[] = "SELECT 1";

static const char sql_void[] =
    "UPDATE agent_executions SET lease_owner = NULL, lease_until = NULL, turn = NULL"
    " WHERE " ACTIVE " AND lease_owner IS NOT NULL AND lease_owner <> $1";

static const char sql_expire[] =
    "UPDATE agent_executions SET lease_owner = NULL, lease_until = NULL, turn = NULL"
    " WHERE " ACTIVE " AND lease_owner IS NOT NULL AND lease_until < $1";

static const char sql_line_up[] =
    "UPDATE agent_executions SET turn = CASE WHEN due.attempt > 0 THEN 0 ELSE due.place + COALESCE("
    "(SELECT MAX(w.turn) FROM agent_executions w WHERE w.agent_id = due.agent_id"
    " AND w.priority = due.priority AND " WAITING(
        "w.") "),"
              "(SELECT MIN(w.turn) FROM agent_executions w WHERE w.priority = due.priority"
              " AND w.turn > 0 AND " WAITING(
                  "w.") ") - 1, 0) END"
                        " FROM (SELECT id, agent_id, priority, attempt, row_number() OVER"
                        " (PARTITION BY agent_id, priority ORDER BY available_at, id) AS place"
                        " FROM (SELECT id, agent_id, priority, attempt, available_at FROM agent_executions"
                        " WHERE " DELAYED
                        " AND available_at <= $1 ORDER BY available_at LIMIT $2) AS first) AS due"
                        " WHERE agent_executions.id = due.id";

static const char sql_claim[] =
    "UPDATE agent_executions SET lease_owner = $1, lease_until = $2, attempt = attempt + 1"
    " WHERE id IN (SELECT id FROM agent_executions"
    " WHERE " WAITING("") " AND available_at <= $3"
                          " ORDER BY priority DESC, turn, available_at, id LIMIT $4)"
                          " RETURNING id, priority, available_at, attempt, agent_id, turn";

static const char sql_next[] =
    "SELECT (SELECT MIN(available_at) FROM agent_executions WHERE " DELAYED "),"
    " (SELECT MIN(lease_until) FROM agent_executions WHERE " ACTIVE " AND lease_owner IS NOT NULL)";

static const char sql_renew[] =
    "UPDATE agent_executions SET lease_until = $2 WHERE " ACTIVE " AND lease_owner = $1"
    " AND lease_owner IS NOT NULL"; /* implied, but said for the index */

static const char sql_release[] =
    "UPDATE agent_executions SET lease_owner = NULL, lease_until = NULL, turn = NULL,"
    " available_at = $3 WHERE id = $1 AND " ACTIVE " AND lease_owner = $2";

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
    int64_t *turns; /* of each */
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
    if (n != 6 || claim->n == claim->max)
        return 1;
    struct c9d_job *job = &claim->jobs[claim->n];
    snprintf(job->id, sizeof(job->id), "%.*s", (int)columns[0].len, columns[0].u.s);
    job->priority = columns[1].u.i;
    job->available_at = columns[2].u.i;
    job->attempt = columns[3].u.i;
    snprintf(job->agent, sizeof(job->agent), "%.*s", (int)columns[4].len, columns[4].u.s);
    claim->turns[claim->n++] = columns[5].u.i;
    return 0;
}

static bool goes_first(const struct claim *claim, size_t a, size_t b)
{
    const struct c9d_job *x = &claim->jobs[a], *y = &claim->jobs[b];
    if (x->priority != y->priority)
        return x->priority > y->priority;
    if (claim->turns[a] != claim->turns[b])
        return claim->turns[a] < claim->turns[b];
    if (x->available_at != y->available_at)
        return x->available_at < y->available_at;
    return strcmp(x->id, y->id) < 0;
}

/* RETURNING promises no order, but mostly keeps the subquery's: sorting by insertion. */
static void claim_sort(struct claim *claim)
{
    for (size_t i = 1; i < claim->n; i++)
        for (size_t k = i; k > 0 && goes_first(claim, k, k - 1); k--) {
            struct c9d_job job = claim->jobs[k];
            int64_t turn = claim->turns[k];
            claim->jobs[k] = claim->jobs[k - 1];
            claim->turns[k] = claim->turns[k - 1];
            claim->jobs[k - 1] = job;
            claim->turns[k - 1] = turn;
        }
}

/* ---- the timer ---- */

static int next_row(void *arg, const struct c9d_value *columns, size_t n)
{
    int64_t *next = arg;
    for (size_t i = 0; i < n; i++)
        if (columns[i].type == C9D_INT && columns[i].u.i < *next)
            *next = columns[i].u.i;
    return 1;
}

/* More: a claim was full, so there may be work at once. */
static void arm(struct c9d_queue *queue, bool more)
{
    int64_t now = queue->host->now(), next = INT64_MAX;
    struct c9d_fault fault;
    if (more)
        next = now;
    else if (queue->host->storage_ops->query(queue->host->storage, sql_next, NULL, 0, next_row,
                                             &next, &fault) < 0)
        next = now + 1000000; /* the next claim says what is wrong */
    struct itimerspec when = {.it_value = {0}};
    if (next != INT64_MAX) {
        next = next + 1 > now + REST_US || more ? next + 1 : now + REST_US;
        when.it_value.tv_sec = next / 1000000;
        when.it_value.tv_nsec = next % 1000000 * 1000;
    }
    timerfd_settime(queue->fd, TFD_TIMER_ABSTIME, &when, NULL);
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
    int64_t *turns = max > 0 ? calloc(max, sizeof(*turns)) : NULL;
    struct claim claim = {jobs_r, turns, 0, max};
    if (max > 0 && turns == NULL) {
        snprintf(fault->message, sizeof(fault->message), "out of memory");
        return C9D_E_FAILED;
    }
    int64_t now = queue->host->now();
    struct c9d_value by_owner[] = {text(owner)}, by_time[] = {integer(now)};
    struct c9d_value wanted[] = {text(owner), integer(now + lease), integer(now),
                                 integer((int64_t)max)};
    struct c9d_value due[] = {integer(now), integer(LINE_UP_MAX)};
    struct c9d_statement statements[5];
    size_t n = 0;
    bool voids = others_to_void(queue, owner);
    statements[n++] = (struct c9d_statement){sql_reset, NULL, 0, -1, claim_reset, &claim};
    if (voids)
        statements[n++] = (struct c9d_statement){sql_void, by_owner, 1, -1, NULL, NULL};
    statements[n++] = (struct c9d_statement){sql_expire, by_time, 1, -1, NULL, NULL};
    statements[n++] = (struct c9d_statement){sql_line_up, due, 2, -1, NULL, NULL};
    statements[n++] = (struct c9d_statement){sql_claim, wanted, 4, -1, claim_row, &claim};
    int status = commit(queue, statements, n, fault);
    if (status == 0)
        claim_sort(&claim);
    free(turns);
    if (status != 0)
        return status;
    if (voids)
        others_voided(queue, owner);
    arm(queue, claim.n > 0 && claim.n == max);
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

/* Of rows that this process writes the host knows; the timer tells of delays and leases. */
static int store_fd(struct c9d_queue *queue)
{
    return queue->fd;
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
    queue->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (queue->fd < 0) {
        snprintf(fault->message, sizeof(fault->message), "%s", strerrordesc_np(errno));
        free(queue);
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
    close(queue->fd);
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
