/* Executions: start, look at, cancel. */
#ifndef C9_SERVICE_EXECUTION_H
#define C9_SERVICE_EXECUTION_H

#include "base/buf.h"
#include "service/service.h"

/* Finds the agent (id, or name within the organization) and the version (any reference of
 * version.h; execution_id settles what an alias stands for), checks states, the permission to
 * execute, and the input against the schema. Cached: cheap when nothing changed. *launch_r is
 * referenced. *note_r: what is to be kept with the execution (version_choice), a new text or NULL.
 */
int execution_prepare(struct service *service, const struct principal *who, const char *agent,
                      const char *version, const char *execution_id, const json_t *input,
                      struct launch **launch_r, char **note_r, struct error *err);
/* For executions taken up again, and for children: the launch of an agent version as stored, with
 * no principal and no check but existence. */
int execution_launch(struct service *service, const char *agent_id, const char *version,
                     struct launch **launch_r, struct error *err);
/* A child's principal: the user of the parent. */
int execution_principal(struct service *service, const char *user_id, const char *organization_id,
                        struct principal *principal_r, struct error *err);

/* body: {"input":any,"version"?,"context"?,"priority"?,"delay"? or "startAt"?,
 * "concurrencyKey"?}. Prepares and submits; id_r is the new id. The watch (may be NULL) gets
 * accepted, news and ended. */
int execution_start(struct service *service, const struct principal *who, const char *agent,
                    const json_t *body, struct execution_watch *watch, char id_r[UUID_SIZE],
                    struct error *err);
/* As that; *note_r, a new text or NULL, is what was noted of the version: its warnings among it. */
int execution_start_noted(struct service *service, const struct principal *who, const char *agent,
                          const json_t *body, struct execution_watch *watch, char id_r[UUID_SIZE],
                          char **note_r, struct error *err);

int execution_get(struct service *service, const struct principal *who, const char *id,
                  json_t **execution_r, struct error *err);
/* Filters: agentId (id or name; E_AGENT_NOT_FOUND when it may not be seen), status, createdAfter,
 * createdBefore. Items have neither inputData nor outputData nor errorDetails; execution_get has
 * them. Sort: createdAt. */
int execution_list(struct service *service, const struct principal *who,
                   const struct list_query *query, json_t **page_r, struct error *err);
/* Filters: level (at least). In order; keyset by seq. */
int execution_logs(struct service *service, const struct principal *who, const char *id,
                   const struct list_query *query, json_t **page_r, struct error *err);
/* The attempts that failed and were followed by another, and then the last. In order. */
int execution_attempts(struct service *service, const struct principal *who, const char *id,
                       const struct list_query *query, json_t **page_r, struct error *err);
/* Asks to cancel; also what is pending. E_INVALID_STATE when it has ended. Returns the execution as
 * it is. */
int execution_cancel(struct service *service, const struct principal *who, const char *id,
                     json_t **execution_r, struct error *err);
/* Whether who may see it, and whether it has ended (then outcome strings are not needed: read
 * events). */
int execution_check(struct service *service, const struct principal *who, const char *id,
                    bool *ended_r, struct error *err);
/* Events after seq, in order: for streams. */
int execution_events(struct service *service, const char *id, int64_t after, int64_t max,
                     void (*fn)(void *arg, int64_t seq, const char *type, const char *data,
                                size_t len),
                     void *arg, struct error *err);
int execution_watch(struct service *service, const char *id, struct execution_watch *watch);
void execution_unwatch(struct service *service, struct execution_watch *watch);

/* The ExecutionResult of the specification from an outcome, appended as JSON text:
 * {"executionId","status","output"|"error","errorCode","errorDetails","executionTime",
 * "resourceUsage"}. */
void execution_result_append(struct buf *out, const char *id,
                             const struct execution_outcome *outcome);

#endif
