/* Organizations. A token acts in one; owners of the installation's own organization (`c9d init`)
 * run them all. */
#ifndef C9_SERVICE_ORGANIZATION_H
#define C9_SERVICE_ORGANIZATION_H

#include "service/service.h"

/* Those that the user is a member of, with "role"; all, for those who run them. */
int organization_list(struct service *service, const struct principal *who,
                      const struct list_query *query, json_t **page_r, struct error *err);
/* body: {"name", "settings"?}. Who makes it becomes its owner. For those who run them all. */
int organization_create(struct service *service, const struct principal *who, const json_t *body,
                        json_t **organization_r, struct error *err);
int organization_get(struct service *service, const struct principal *who, const char *id,
                     json_t **organization_r, struct error *err);
/* RFC 7396 on name and settings; owners. settings: maxAgents, maxUsers, maxTeams, within [limits];
 * maxRunning, within [executions] per_organization. */
int organization_update(struct service *service, const struct principal *who, const char *id,
                        const json_t *patch, const char *if_match, json_t **organization_r,
                        struct error *err);
/* Owners. E_RESOURCE_IN_USE while it has agents; E_INVALID_STATE for the installation's own. */
int organization_delete(struct service *service, const struct principal *who, const char *id,
                        const char *if_match, struct error *err);

/* When the engine was attached: tells it all that organizations have set. */
int organization_running_restore(struct service *service, struct error *err);

#endif
