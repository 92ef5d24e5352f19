/* Events: CloudEvents come in, and the agents that wait for such are executed. An event, what it
 * matched and the executions are durable together, before it is acknowledged; the same event
 * (source and id) again, within [events] deduplicate, starts nothing. */
#ifndef C9_SERVICE_EVENT_H
#define C9_SERVICE_EVENT_H

#include "service/service.h"

struct storage_batch;

/* events: an array of CloudEvents that were read (cloudevent.h). All or none of them are taken. The
 * answer: {"items":[{"id","eventId","source","type","duplicate","matches":[{"agentId","outcome",
 * "executionId"?,"reason"?,"errorCode"?}]}]} in the order given. endpoint_id: of the webhook
 * endpoint, or NULL. */
int event_take(struct service *service, const struct principal *who, const json_t *events,
               const char *endpoint_id, json_t **result_r, struct error *err);
/* What they would do: the same, where outcome is what it would be, with "agentName" and "input". */
int event_test(struct service *service, const struct principal *who, const json_t *events,
               json_t **result_r, struct error *err);

int event_get(struct service *service, const struct principal *who, const char *id,
              json_t **event_r, struct error *err);
/* Filters: type, source, eventId, receivedAfter, receivedBefore. Sort: receivedAt. */
int event_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err);
/* [events] batch: events of one request. */
int64_t event_batch_max(const struct service *service);

/* Adds to the batch that publishes a configuration whatever keeps its subscription in step. */
void event_trigger_publish(struct storage_batch *batch, const char *agent_id,
                           const char *organization_id, const char *user_id, const json_t *config);

/* ---- the configuration ---- */

int event_config_declare(struct config *config, struct error *err);

#endif
