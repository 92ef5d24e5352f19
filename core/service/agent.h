/* Agents: the specification's Agent and AgentConfig. The row is the draft, versions snapshots. */
#ifndef C9_SERVICE_AGENT_H
#define C9_SERVICE_AGENT_H

#include "base/buf.h"
#include "service/service.h"

int agent_create(struct service *service, const struct principal *who, const json_t *config,
                 json_t **agent_r, struct error *err);
int agent_get(struct service *service, const struct principal *who, const char *id,
              json_t **agent_r, struct error *err);
/* Filters: status, visibility, triggerMode, skill, owner, organization, name, text. */
int agent_list(struct service *service, const struct principal *who, const struct list_query *query,
               struct buf *page, struct error *err);
/* RFC 7396 on the AgentConfig members, of a draft or published agent: its working copy. Published
 * versions stay as they are. if_match: the revision's ETag text, or NULL. */
int agent_update(struct service *service, const struct principal *who, const char *id,
                 const json_t *patch, const char *if_match, json_t **agent_r, struct error *err);
/* The same with a whole AgentConfig; what it does not name takes its default. */
int agent_replace(struct service *service, const struct principal *who, const char *id,
                  const json_t *config, const char *if_match, json_t **agent_r, struct error *err);
/* With all that hangs from it: versions, aliases, executions, grants. Refused with E_INVALID_STATE
 * while executions of it are live, and, unless force, while it is published or deprecated: archive
 * it first. */
int agent_delete(struct service *service, const struct principal *who, const char *id,
                 const char *if_match, bool force, struct error *err);
/* body: {"sunset"? (RFC 3339, not past), "reason"?}. Only what is published; see lifecycle.h. */
int agent_deprecate(struct service *service, const struct principal *who, const char *id,
                    const json_t *body, json_t **agent_r, struct error *err);
/* What is published or deprecated runs no more; what runs goes on. */
int agent_archive(struct service *service, const struct principal *who, const char *id,
                  json_t **agent_r, struct error *err);
/* {"valid":bool,"errors":[…],"warnings":[…]}; fails only when it cannot be said. */
int agent_validate(struct service *service, const struct principal *who, const json_t *config,
                   json_t **result_r, struct error *err);

#endif
