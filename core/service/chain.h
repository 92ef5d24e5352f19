/* Chains of agents: steps, each an execution of an agent. A chain is executed as an agent of its id
 * would be, by skills/chain_loop.lua, and each configuration is a published version of that agent;
 * so what executions are, may and cost holds for those of chains. It shares its name with the
 * agents of the organization, and is visible to the members. */
#ifndef C9_SERVICE_CHAIN_H
#define C9_SERVICE_CHAIN_H

#include "service/service.h"

/* body: {"name","description"?,"chainConfig","status"?: active, inactive or deprecated}.
 * E_INVALID_CHAIN with details.validationErrors. */
int chain_create(struct service *service, const struct principal *who, const json_t *body,
                 json_t **chain_r, struct error *err);
int chain_get(struct service *service, const struct principal *who, const char *id,
              json_t **chain_r, struct error *err);
/* Filters: status, owner, name, text. */
int chain_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err);
/* patch: RFC 7396 of the body above. What runs goes on with the configuration it began with. */
int chain_update(struct service *service, const struct principal *who, const char *id,
                 const json_t *patch, const char *if_match, json_t **chain_r, struct error *err);
/* With its executions; refused while one is pending or running. */
int chain_delete(struct service *service, const struct principal *who, const char *id,
                 const char *if_match, struct error *err);
/* config: a ChainConfig. {"valid","errors","warnings"}. */
int chain_validate(struct service *service, const struct principal *who, const json_t *config,
                   json_t **result_r, struct error *err);

/* Whether it is a chain that `who` may execute; execution_start with its id does. */
int chain_executable(struct service *service, const struct principal *who, const char *id,
                     struct error *err);

/* Filters: status, version. */
int chain_executions(struct service *service, const struct principal *who, const char *id,
                     const struct list_query *query, json_t **page_r, struct error *err);
/* With executionSteps: [{"id","agentId","status": pending, running, completed, failed or skipped,
 * "executionId"?,"agentVersion"?,"attempt"?,"startedAt"?,"completedAt"?,"output"?,"error"?,
 * "reason"?}], in the order of the configuration that ran. */
int chain_execution_get(struct service *service, const struct principal *who, const char *id,
                        json_t **execution_r, struct error *err);

/* What the last executions of the chain as it is now suggest: {"executions": how many were looked
 * at, "steps": [figures], "suggestions": [{"kind","stepId"?,"message","evidence"}]}. */
int chain_optimize(struct service *service, const struct principal *who, const char *id,
                   json_t **suggestions_r, struct error *err);

#endif
