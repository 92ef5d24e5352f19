/* Teams of an organization: who shares one sees each other's agents of visibility `team`, and
 * grants go to them. Every member sees them, admins change them. */
#ifndef C9_SERVICE_TEAM_H
#define C9_SERVICE_TEAM_H

#include "service/service.h"

/* Filters: name, userId. */
int team_list(struct service *service, const struct principal *who, const struct list_query *query,
              json_t **page_r, struct error *err);
/* body: {"name","description"?} */
int team_create(struct service *service, const struct principal *who, const json_t *body,
                json_t **team_r, struct error *err);
int team_get(struct service *service, const struct principal *who, const char *id, json_t **team_r,
             struct error *err);
int team_update(struct service *service, const struct principal *who, const char *id,
                const json_t *patch, const char *if_match, json_t **team_r, struct error *err);
/* With the grants to it. */
int team_delete(struct service *service, const struct principal *who, const char *id,
                const char *if_match, struct error *err);
int team_members(struct service *service, const struct principal *who, const char *id,
                 const struct list_query *query, json_t **page_r, struct error *err);
/* A member of the organization; again to no effect. A user is in at most 20 teams of one. */
int team_member_add(struct service *service, const struct principal *who, const char *id,
                    const char *user_id, struct error *err);
int team_member_remove(struct service *service, const struct principal *who, const char *id,
                       const char *user_id, struct error *err);

#endif
