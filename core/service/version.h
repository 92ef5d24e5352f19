/* Versions of an agent. */
#ifndef C9_SERVICE_VERSION_H
#define C9_SERVICE_VERSION_H

#include "service/service.h"

/* body: {"version"? (default: next patch), "config"? (default: the draft), "changelog"?}. Not
 * published yet. */
int version_create(struct service *service, const struct principal *who, const char *agent_id,
                   const json_t *body, json_t **version_r, struct error *err);
int version_list(struct service *service, const struct principal *who, const char *agent_id,
                 const struct list_query *query, json_t **page_r, struct error *err);
/* version: exact, or "latest" (the current published one). */
int version_get(struct service *service, const struct principal *who, const char *agent_id,
                const char *version, json_t **version_r, struct error *err);
/* Pins skill digests and the persona's text, makes it the current one. body: {"changelog"?}. The
 * answer has "capabilities": {"gained":[…],"lost":[…]} against the version current before.
 * Publishing it again is E_VERSION_CONFLICT. */
int version_publish(struct service *service, const struct principal *who, const char *agent_id,
                    const char *version, const json_t *body, json_t **version_r, struct error *err);

#endif
