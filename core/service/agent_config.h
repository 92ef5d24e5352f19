/* AgentConfig: the members that a client decides, checked all at once. */
#ifndef C9_SERVICE_AGENT_CONFIG_H
#define C9_SERVICE_AGENT_CONFIG_H

#include "service/service.h"
#include "store/agent.h"

/* Problems (see problem.h) of a configuration as it came: errors and warnings are arrays. -1 only
 * when the store cannot be asked. */
int agent_config_check(struct service *service, const char *organization_id, const json_t *config,
                       json_t *errors, json_t *warnings, struct error *err);
/* As that, with E_INVALID_AGENT_CONFIG for any error. */
int agent_config_require(struct service *service, const char *organization_id, const json_t *config,
                         struct error *err);

/* The AgentConfig in an object that has more members (an Agent); absent and null members get their
 * defaults, or are left out. New object. */
json_t *agent_config_of(const json_t *object);

/* A whole configuration as columns; borrows from config, owns the texts it had to make. */
struct agent_config_columns {
    struct agent_columns columns;
    char *owned[6];
};
void agent_config_to_columns(const json_t *config, struct agent_config_columns *out);
void agent_config_columns_free(struct agent_config_columns *out);

#endif
