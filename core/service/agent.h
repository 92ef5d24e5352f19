/* Agents: the specification's Agent and AgentConfig. The row is the draft, versions snapshots. */
#ifndef C9_SERVICE_AGENT_H
#define C9_SERVICE_AGENT_H

#include "service/service.h"

int agent_create(struct service *service, const struct principal *who, const json_t *config,
                 json_t **agent_r, struct error *err);
int agent_get(struct service *service, const struct principal *who, const char *id,
              json_t **agent_r, struct error *err);
/* Filters: status, visibility, triggerMode, skill, name, text. */
int agent_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err);
/* RFC 7396 on the AgentConfig members; if_match: the revision's ETag text, or NULL. */
int agent_update(struct service *service, const struct principal *who, const char *id,
                 const json_t *patch, const char *if_match, json_t **agent_r, struct error *err);
/* With all that hangs from it; refused with E_INVALID_STATE while executions of it are live. */
int agent_delete(struct service *service, const struct principal *who, const char *id,
                 const char *if_match, struct error *err);
/* {"valid":bool,"errors":[…],"warnings":[…]}; fails only when it cannot be said. */
int agent_validate(struct service *service, const struct principal *who, const json_t *config,
                   json_t **result_r, struct error *err);

#endif
