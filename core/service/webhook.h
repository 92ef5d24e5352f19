/* Completion webhooks: who is told when executions end, what became of it, and what could not be
 * done at all (dead letters). Requests are signed as Standard Webhooks 1.0 says. */
#ifndef C9_SERVICE_WEBHOOK_H
#define C9_SERVICE_WEBHOOK_H

#include "service/service.h"

int webhook_config_declare(struct config *config, struct error *err); /* [webhooks] */

/* body: {"url","agentId"?,"events"?,"description"?,"secret"?,"isActive"?}. Those of an agent: who
 * may write it; those of all agents: owners and admins. The answer has "secret", this once. */
int webhook_create(struct service *service, const struct principal *who, const json_t *body,
                   json_t **webhook_r, struct error *err);
int webhook_get(struct service *service, const struct principal *who, const char *id,
                json_t **webhook_r, struct error *err);
/* For owners and admins; with agentId also for who may change that agent. Filters: agentId. Sort:
 * createdAt. */
int webhook_list(struct service *service, const struct principal *who,
                 const struct list_query *query, json_t **page_r, struct error *err);
/* A merge patch of url, events, description, isActive. */
int webhook_update(struct service *service, const struct principal *who, const char *id,
                   const json_t *patch, const char *if_match, json_t **webhook_r,
                   struct error *err);
int webhook_delete(struct service *service, const struct principal *who, const char *id,
                   const char *if_match, struct error *err);
/* A new secret, in the answer this once; the old one signs too for [webhooks] rotation_overlap. */
int webhook_rotate(struct service *service, const struct principal *who, const char *id,
                   json_t **webhook_r, struct error *err);

/* Sends it a notification of type webhook.test, out of turn and whether or not it is active, and
 * blocks for the answer: {"id","delivered","responseStatus"?,"response"?,"error"?,"tookMs"}.
 * E_TOO_MANY_REQUESTS when some are at it. */
int webhook_test(struct service *service, const struct principal *who, const char *id,
                 json_t **result_r, struct error *err);

/* For owners and admins; those of a webhook for who may change it, so is what follows. Filters:
 * webhookId, executionId, status. Sort: createdAt. */
int webhook_deliveries(struct service *service, const struct principal *who,
                       const struct list_query *query, json_t **page_r, struct error *err);
int webhook_delivery_get(struct service *service, const struct principal *who, const char *id,
                         json_t **delivery_r, struct error *err);
/* The delivery log: one item an attempt. */
int webhook_delivery_attempts(struct service *service, const struct principal *who, const char *id,
                              const struct list_query *query, json_t **page_r, struct error *err);
/* Sends it again, under the same webhook-id. E_INVALID_STATE while it is pending. */
int webhook_redeliver(struct service *service, const struct principal *who, const char *id,
                      json_t **delivery_r, struct error *err);

/* Filters: kind, agentId, state. Sort: createdAt. */
int dead_letter_list(struct service *service, const struct principal *who,
                     const struct list_query *query, json_t **page_r, struct error *err);
/* Once: an execution runs again as a new one, a webhook is delivered again. */
int dead_letter_requeue(struct service *service, const struct principal *who, const char *id,
                        json_t **letter_r, struct error *err);

/* ---- for executions that bring their own ---- */

/* {"url","secret"}; E_INVALID_REQUEST. */
int webhook_target_check(const json_t *target, struct error *err);

#endif
