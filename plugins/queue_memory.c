/* queue_memory: a queue in this process, which ends with it. For tests of the contract.
 *
 * A job is in exactly one of three heaps: ready (best first), delayed (soonest first), leased
 * (first to expire first). A timer descriptor is armed for the earliest moment a claim might find
 * one. */
#include <c9d/plugin.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { OWNER_SIZE = 128, SLOTS = 1024 };

struct heap;

struct node {
    struct c9d_job job;
    char owner[OWNER_SIZE]; /* while leased */
    int64_t lease_until;
    int64_t turn;       /* while ready; 0: claimed before */
    struct heap *heap;  /* where it is */
    size_t place;       /* in it */
    struct node *chain; /* same slot by id */
};

struct heap {
    bool (*before)(const struct node *a, const struct node *b);
    struct node **nodes;
    size_t n, room;
};

struct c9d_queue {
    const struct c9d_host *host;
    pthread_mutex_t lock;
    struct heap ready, delayed, leased;
    struct node *slots[SLOTS];
    int fd;
};

/* ---- heaps ---- */

static bool before_ready(const struct node *a, const struct node *b)
{
    if (a->job.priority != b->job.priority)
        return a->job.priority > b->job.priority;
    if (a->turn != b->turn)
        return a->turn < b->turn;
    if (a->job.available_at != b->job.available_at)
        return a->job.available_at < b->job.available_at;
    return strcmp(a->job.id, b->job.id) < 0;
}

static bool before_delayed(const struct node *a, const struct node *b)
{
    if (a->job.available_at != b->job.available_at)
        return a->job.available_at < b->job.available_at;
    return strcmp(a->job.id, b->job.id) < 0;
}

static bool before_leased(const struct node *a, const struct node *b)
{
    return a->lease_until < b->lease_until;
}

static void heap_put(struct heap *heap, size_t place, struct node *node)
{
    heap->nodes[place] = node;
    node->heap = heap;
    node->place = place;
}

static void heap_up(struct heap *heap, struct node *node)
{
    size_t at = node->place;
    for (size_t up; at > 0 && heap->before(node, heap->nodes[up = (at - 1) / 2]); at = up)
        heap_put(heap, at, heap->nodes[up]);
    heap_put(heap, at, node);
}

static void heap_down(struct heap *heap, struct node *node)
{
    size_t at = node->place;
    for (size_t down; (down = 2 * at + 1) < heap->n; at = down) {
        if (down + 1 < heap->n && heap->before(heap->nodes[down + 1], heap->nodes[down]))
            down++;
        if (!heap->before(heap->nodes[down], node))
            break;
        heap_put(heap, at, heap->nodes[down]);
    }
    heap_put(heap, at, node);
}

/* Every heap can hold every node: moving one never fails. Called before a node is made. */
static bool heap_reserve(struct heap *heap, size_t n)
{
    if (n <= heap->room)
        return true;
    size_t room = 2 * n;
    struct node **nodes = realloc(heap->nodes, room * sizeof(struct node *));
    if (nodes == NULL)
        return false;
    heap->nodes = nodes;
    heap->room = room;
    return true;
}

static void heap_add(struct heap *heap, struct node *node)
{
    heap_put(heap, heap->n++, node);
    heap_up(heap, node);
}

static void heap_remove(struct node *node)
{
    struct heap *heap = node->heap;
    struct node *last = heap->nodes[--heap->n];
    if (last == node)
        return;
    heap_put(heap, node->place, last);
    heap_up(heap, last);
    heap_down(heap, last);
}

/* ---- jobs by id ---- */

static struct node **node_place(struct c9d_queue *queue, const char *id)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *s = id; *s != '\0'; s++)
        hash = (hash ^ (unsigned char)*s) * 16777619u;
    struct node **place = &queue->slots[hash % SLOTS];
    while (*place != NULL && strcmp((*place)->job.id, id) != 0)
        place = &(*place)->chain;
    return place;
}

/* NULL when owner has no lease on it. */
static struct node *node_of(struct c9d_queue *queue, const char *owner, const char *id)
{
    struct node *node = *node_place(queue, id);
    bool held = node != NULL && node->heap == &queue->leased && strcmp(node->owner, owner) == 0;
    return held ? node : NULL;
}

/* One behind the last of its agent's; when that has none, level with the first of the priority. */
static int64_t turn_of(const struct heap *ready, const struct node *node)
{
    int64_t last = 0, first = INT64_MAX;
    if (node->job.attempt > 0)
        return 0;
    for (size_t i = 0; i < ready->n; i++) {
        const struct node *other = ready->nodes[i];
        if (other->job.priority != node->job.priority)
            continue;
        if (other->turn > 0 && other->turn < first)
            first = other->turn;
        if (strcmp(other->job.agent, node->job.agent) == 0 && other->turn > last)
            last = other->turn;
    }
    return last > 0 ? last + 1 : first != INT64_MAX ? first : 1;
}

/* Until a claim puts it in line. */
static void node_wait(struct c9d_queue *queue, struct node *node)
{
    heap_add(&queue->delayed, node);
}

static void leases_end(struct c9d_queue *queue, int64_t now)
{
    while (queue->leased.n > 0 && queue->leased.nodes[0]->lease_until < now) {
        struct node *node = queue->leased.nodes[0];
        heap_remove(node);
        node_wait(queue, node);
    }
}

static void line_up(struct c9d_queue *queue, int64_t now)
{
    while (queue->delayed.n > 0 && queue->delayed.nodes[0]->job.available_at <= now) {
        struct node *node = queue->delayed.nodes[0];
        heap_remove(node);
        node->turn = turn_of(&queue->ready, node);
        heap_add(&queue->ready, node);
    }
}

/* The next moment at which a claim may find something; a past one fires at once. */
static void queue_arm(struct c9d_queue *queue)
{
    int64_t at = INT64_MAX;
    if (queue->ready.n > 0)
        at = 1;
    if (queue->delayed.n > 0 && queue->delayed.nodes[0]->job.available_at < at)
        at = queue->delayed.nodes[0]->job.available_at;
    if (queue->leased.n > 0 && queue->leased.nodes[0]->lease_until < at)
        at = queue->leased.nodes[0]->lease_until + 1;
    struct itimerspec when = {.it_value = {0}};
    if (at != INT64_MAX) {
        when.it_value.tv_sec = at / 1000000;
        when.it_value.tv_nsec = at % 1000000 * 1000;
    }
    timerfd_settime(queue->fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int64_t queue_enter(struct c9d_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    int64_t now = queue->host->now();
    leases_end(queue, now);
    return now;
}

static void queue_leave(struct c9d_queue *queue)
{
    queue_arm(queue);
    pthread_mutex_unlock(&queue->lock);
}

/* ---- operations ---- */

static int fault_say(struct c9d_fault *fault, int status, const char *what)
{
    snprintf(fault->message, sizeof(fault->message), "%s", what);
    return status;
}

static int push_locked(struct c9d_queue *queue, const struct c9d_job *job, struct c9d_fault *fault)
{
    struct node **place = node_place(queue, job->id);
    if (*place != NULL)
        return fault_say(fault, C9D_E_CONFLICT, "the job is in the queue already");
    size_t n = queue->ready.n + queue->delayed.n + queue->leased.n + 1;
    struct node *node = calloc(1, sizeof(*node));
    if (node == NULL || !heap_reserve(&queue->ready, n) || !heap_reserve(&queue->delayed, n) ||
        !heap_reserve(&queue->leased, n)) {
        free(node);
        return fault_say(fault, C9D_E_FULL, "out of memory");
    }
    node->job = *job;
    *place = node;
    node_wait(queue, node);
    return 0;
}

static int memory_push(struct c9d_queue *queue, const struct c9d_job *job, struct c9d_fault *fault)
{
    queue_enter(queue);
    int status = push_locked(queue, job, fault);
    queue_leave(queue);
    return status;
}

static int memory_claim(struct c9d_queue *queue, const char *owner, int64_t lease, size_t max,
                        struct c9d_job *jobs_r, struct c9d_fault *fault)
{
    if (strlen(owner) >= OWNER_SIZE)
        return fault_say(fault, C9D_E_FAILED, "the owner's name is too long");
    int64_t now = queue_enter(queue);
    size_t n = 0;
    line_up(queue, now);
    for (; n < max && queue->ready.n > 0; n++) {
        struct node *node = queue->ready.nodes[0];
        heap_remove(node);
        snprintf(node->owner, sizeof(node->owner), "%s", owner);
        node->lease_until = now + lease;
        node->job.attempt++;
        heap_add(&queue->leased, node);
        jobs_r[n] = node->job;
    }
    queue_leave(queue);
    return (int)n;
}

static int memory_renew(struct c9d_queue *queue, const char *owner, int64_t lease,
                        struct c9d_fault *fault)
{
    (void)fault;
    int64_t now = queue_enter(queue);
    struct heap *leased = &queue->leased;
    for (size_t i = 0; i < leased->n; i++)
        if (strcmp(leased->nodes[i]->owner, owner) == 0)
            leased->nodes[i]->lease_until = now + lease;
    /* From the last parent to the root: the order is made anew in linear time. */
    for (size_t i = leased->n / 2; i-- > 0;)
        heap_down(leased, leased->nodes[i]);
    queue_leave(queue);
    return 0;
}

static int memory_ack(struct c9d_queue *queue, const char *owner, const char *id,
                      struct c9d_fault *fault)
{
    (void)fault;
    queue_enter(queue);
    struct node *node = node_of(queue, owner, id);
    if (node != NULL) {
        *node_place(queue, id) = node->chain;
        heap_remove(node);
        free(node);
    }
    queue_leave(queue);
    return 0;
}

static int memory_release(struct c9d_queue *queue, const char *owner, const char *id, int64_t delay,
                          struct c9d_fault *fault)
{
    (void)fault;
    int64_t now = queue_enter(queue);
    struct node *node = node_of(queue, owner, id);
    if (node != NULL) {
        heap_remove(node);
        node->job.available_at = now + delay;
        node_wait(queue, node);
    }
    queue_leave(queue);
    return 0;
}

static int memory_depth(struct c9d_queue *queue, int64_t *depth_r, struct c9d_fault *fault)
{
    (void)fault;
    queue_enter(queue);
    *depth_r = (int64_t)(queue->ready.n + queue->delayed.n);
    queue_leave(queue);
    return 0;
}

static int memory_fd(struct c9d_queue *queue)
{
    return queue->fd;
}

static int memory_open(const struct c9d_host *host, const struct c9d_settings *settings,
                       struct c9d_queue **queue_r, struct c9d_fault *fault)
{
    (void)settings;
    struct c9d_queue *queue = calloc(1, sizeof(*queue));
    if (queue == NULL)
        return fault_say(fault, C9D_E_FAILED, "out of memory");
    queue->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (queue->fd < 0) {
        free(queue);
        return fault_say(fault, C9D_E_FAILED, strerrordesc_np(errno));
    }
    queue->host = host;
    queue->ready.before = before_ready;
    queue->delayed.before = before_delayed;
    queue->leased.before = before_leased;
    pthread_mutex_init(&queue->lock, NULL);
    *queue_r = queue;
    return 0;
}

static void memory_close(struct c9d_queue *queue)
{
    struct heap *heaps[] = {&queue->ready, &queue->delayed, &queue->leased};
    for (size_t h = 0; h < sizeof(heaps) / sizeof(heaps[0]); h++) {
        for (size_t i = 0; i < heaps[h]->n; i++)
            free(heaps[h]->nodes[i]);
        free(heaps[h]->nodes);
    }
    close(queue->fd);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

static const struct c9d_queue_ops ops = {.open = memory_open,
                                         .close = memory_close,
                                         .push = memory_push,
                                         .claim = memory_claim,
                                         .renew = memory_renew,
                                         .ack = memory_ack,
                                         .release = memory_release,
                                         .depth = memory_depth,
                                         .fd = memory_fd};

C9D_EXPORT const struct c9d_plugin c9d_plugin = {
    .abi = C9D_ABI,
    .kind = C9D_KIND_QUEUE,
    .name = "queue_memory",
    .version = C9_VERSION,
    .description = "A queue in memory that ends with the process; for tests.",
    .ops.queue = &ops,
};
