/* The queue facade. */
#include "host/queue.h"

#include <string.h>

#include "base/cleanup.h"
#include "host/host-private.h"

struct queue {
    const struct c9d_queue_ops *ops;
    struct c9d_queue *raw;
    const char *name;
    struct c9d_host callbacks; /* the host's, and the storage */
};

struct queue *queue_open(struct host *host, struct config *config, const char *name,
                         struct storage *storage, struct error *err)
{
    const struct c9d_plugin *plugin = host_plugin(host, name, C9D_KIND_QUEUE, err);
    if (plugin == NULL)
        return NULL;
    struct c9d_settings *settings = host_settings(host, config, "queue", NULL, plugin, err);
    if (settings == NULL)
        return NULL;
    struct queue *queue = xcalloc(1, sizeof(*queue));
    *queue = (struct queue){plugin->ops.queue, NULL, plugin->name, *host_callbacks(host)};
    if (storage != NULL) {
        queue->callbacks.storage_ops = storage_ops(storage);
        queue->callbacks.storage = storage_raw(storage);
    }
    struct c9d_fault fault = {{0}};
    int status = queue->ops->open(&queue->callbacks, settings, &queue->raw, &fault);
    host_settings_free(settings);
    if (status == 0)
        return queue;
    host_fault(err, E_UNAVAILABLE, queue->name, status, &fault);
    free(queue);
    return NULL;
}

void queue_close(struct queue *queue)
{
    if (queue == NULL)
        return;
    queue->ops->close(queue->raw);
    free(queue);
}

bool queue_rows_are_jobs(const struct queue *queue)
{
    return queue->ops->rows_are_jobs != 0;
}

/* What a plugin returned, as ours: counts pass, failures become errors. */
static int queue_result(const struct queue *queue, int status, const struct c9d_fault *fault,
                        struct error *err)
{
    return status >= 0 ? status : host_fault(err, E_UNAVAILABLE, queue->name, status, fault);
}

int queue_push(struct queue *queue, const struct c9d_job *job, struct error *err)
{
    struct c9d_fault fault = {{0}};
    if (queue->ops->rows_are_jobs)
        return 0; /* the row is there, or there is no job */
    return queue_result(queue, queue->ops->push(queue->raw, job, &fault), &fault, err);
}

int queue_claim(struct queue *queue, const char *owner, int64_t lease_us, size_t max,
                struct c9d_job *jobs_r, struct error *err)
{
    struct c9d_fault fault = {{0}};
    int n = queue->ops->claim(queue->raw, owner, lease_us, max, jobs_r, &fault);
    return queue_result(queue, n, &fault, err);
}

int queue_renew(struct queue *queue, const char *owner, int64_t lease_us, struct error *err)
{
    struct c9d_fault fault = {{0}};
    int status = queue->ops->renew(queue->raw, owner, lease_us, &fault);
    return queue_result(queue, status, &fault, err);
}

int queue_ack(struct queue *queue, const char *owner, const char *id, struct error *err)
{
    struct c9d_fault fault = {{0}};
    if (queue->ops->rows_are_jobs)
        return 0; /* the terminal status took it off */
    return queue_result(queue, queue->ops->ack(queue->raw, owner, id, &fault), &fault, err);
}

int queue_release(struct queue *queue, const char *owner, const char *id, int64_t delay_us,
                  struct error *err)
{
    struct c9d_fault fault = {{0}};
    int status = queue->ops->release(queue->raw, owner, id, delay_us, &fault);
    return queue_result(queue, status, &fault, err);
}

int queue_depth(struct queue *queue, int64_t *depth_r, struct error *err)
{
    struct c9d_fault fault = {{0}};
    return queue_result(queue, queue->ops->depth(queue->raw, depth_r, &fault), &fault, err);
}

int queue_fd(struct queue *queue)
{
    return queue->ops->fd(queue->raw);
}
