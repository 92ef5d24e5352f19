/* Signals to executions that wait for them, and what waits. */
#ifndef C9_SERVICE_SIGNAL_H
#define C9_SERVICE_SIGNAL_H

#include "service/service.h"

/* 1 to 128 of a-z A-Z 0-9 . _ - */
bool signal_name_valid(const char *name);

/* body: {"payload"?: any}. key: the client's Idempotency-Key, or NULL; the same key, name and
 * execution are one signal. Kept until the execution waits for it; checked against the schema of
 * the wait that is open, if one is. *signal_r: {"signalId","executionId","name","createdAt"}.
 * E_EXECUTION_NOT_FOUND, E_INVALID_STATE when it has ended, E_INVALID_INPUT with validationErrors,
 * E_IDEMPOTENCY_CONFLICT for the same key with another payload, E_RESOURCE_EXHAUSTED when it keeps
 * as many as [executions] signals. */
int signal_send(struct service *service, const struct principal *who, const char *execution,
                const char *name, const json_t *body, const char *key, json_t **signal_r,
                struct error *err);
/* What the execution waits for. Sort: since. */
int wait_list_of(struct service *service, const struct principal *who, const char *execution,
                 const struct list_query *query, json_t **page_r, struct error *err);
/* What waits of all that who may see. Filters: kind, name, agentId. */
int wait_list(struct service *service, const struct principal *who, const struct list_query *query,
              json_t **page_r, struct error *err);

#endif
