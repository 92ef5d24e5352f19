/* Skills: Lua files by name, their sources by SHA-256. */
#ifndef C9_SERVICE_SKILL_H
#define C9_SERVICE_SKILL_H

#include "service/service.h"

#define SKILL_SOURCE_MAX (1u << 20) /* bytes; [limits] skill_source */

/* Evaluates the source in a sandbox for its manifest, then stores it as the newest revision of the
 * skill that its `name` says. The same source again changes nothing (created_r false). if_match:
 * the SHA-256 that is to be there now, or NULL. */
int skill_upload(struct service *service, const struct principal *who, const char *source,
                 size_t len, const char *if_match, json_t **skill_r, bool *created_r,
                 struct error *err);
int skill_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err);
/* ref: name or id; revision: SHA-256, or NULL for the current. With source. */
int skill_get(struct service *service, const struct principal *who, const char *ref,
              const char *revision, json_t **skill_r, struct error *err);
int skill_revisions(struct service *service, const struct principal *who, const char *ref,
                    json_t **page_r, struct error *err);
/* E_RESOURCE_IN_USE with details.agents while a draft names it; published versions keep their
 * pinned source. if_match: a SHA-256, or NULL. */
int skill_delete(struct service *service, const struct principal *who, const char *ref,
                 const char *if_match, struct error *err);

#endif
