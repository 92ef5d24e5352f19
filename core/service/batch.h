/* Batches: many inputs for one agent, accepted or refused together, each an execution of its own.
 */
#ifndef C9_SERVICE_BATCH_H
#define C9_SERVICE_BATCH_H

#include "service/service.h"

/* body: {"inputs":[any,…],"version"?,"context"?,"priority"?,"delay"? or "startAt"?}. All inputs are
 * checked; when one is wrong, nothing is accepted, and all that is wrong is said. batch_r as
 * batch_get gives it. */
int batch_create(struct service *service, const struct principal *who, const char *agent,
                 const json_t *body, json_t **batch_r, struct error *err);
/* With "status" (pending: none has begun; running; then completed when all are, failed when one is,
 * else cancelled) and "counts" by status. */
int batch_get(struct service *service, const struct principal *who, const char *id,
              json_t **batch_r, struct error *err);
/* Filters: agentId, createdAfter, createdBefore. Without status and counts. Sort: createdAt. */
int batch_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err);
/* Its executions, as execution_list has them. Sort: index. */
int batch_executions(struct service *service, const struct principal *who, const char *id,
                     const struct list_query *query, json_t **page_r, struct error *err);
/* Asks all that have not ended to stop. E_INVALID_STATE when all have. */
int batch_cancel(struct service *service, const struct principal *who, const char *id,
                 json_t **batch_r, struct error *err);

#endif
