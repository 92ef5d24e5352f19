/* The queue facade: a queue plugin's functions with c9d's error object. See abi/plugin.h for each.
 */
#ifndef C9_HOST_QUEUE_H
#define C9_HOST_QUEUE_H

#include <stdbool.h>

#include "host/host.h"
#include "host/storage.h"

struct queue;

/* storage is handed to the plugin (queue_store lives in its rows). */
struct queue *queue_open(struct host *host, struct config *config, const char *name,
                         struct storage *storage, struct error *err);
void queue_close(struct queue *queue);
bool queue_rows_are_jobs(const struct queue *queue);
int queue_push(struct queue *queue, const struct c9d_job *job, struct error *err);
int queue_claim(struct queue *queue, const char *owner, int64_t lease_us, size_t max,
                struct c9d_job *jobs_r, struct error *err); /* how many, or -1 */
int queue_renew(struct queue *queue, const char *owner, int64_t lease_us, struct error *err);
int queue_ack(struct queue *queue, const char *owner, const char *id, struct error *err);
int queue_release(struct queue *queue, const char *owner, const char *id, int64_t delay_us,
                  struct error *err);
int queue_depth(struct queue *queue, int64_t *depth_r, struct error *err);
int queue_fd(struct queue *queue);

#endif
