/* Grants on agents: read, write, execute or admin, to a user or a team of the agent's organization.
 */
#ifndef C9_SERVICE_GRANT_H
#define C9_SERVICE_GRANT_H

#include "service/service.h"

/* All need ACTION_ADMIN on the agent. No filters. */
enum { GRANT_REVISION = 1 }; /* it is never edited: its ETag is always the same */

int grant_list(struct service *service, const struct principal *who, const char *agent,
               const struct list_query *query, json_t **page_r, struct error *err);
/* body: {"permission", "userId" or "teamId"}. The same again gives the one that is there (created_r
 * false). */
int grant_create(struct service *service, const struct principal *who, const char *agent,
                 const json_t *body, json_t **grant_r, bool *created_r, struct error *err);
int grant_get(struct service *service, const struct principal *who, const char *agent,
              const char *id, json_t **grant_r, struct error *err);
int grant_delete(struct service *service, const struct principal *who, const char *agent,
                 const char *id, const char *if_match, struct error *err);

#endif
