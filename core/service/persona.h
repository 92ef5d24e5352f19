/* Personas: the system prompts of agents. body: {"name","description"?,"prompt"}. */
#ifndef C9_SERVICE_PERSONA_H
#define C9_SERVICE_PERSONA_H

#include "service/service.h"

int persona_create(struct service *service, const struct principal *who, const json_t *body,
                   json_t **persona_r, struct error *err);
int persona_get(struct service *service, const struct principal *who, const char *id,
                json_t **persona_r, struct error *err);
int persona_list(struct service *service, const struct principal *who,
                 const struct list_query *query, json_t **page_r, struct error *err);
/* patch: RFC 7396; if_match: the ETag's text or NULL. */
int persona_update(struct service *service, const struct principal *who, const char *id,
                   const json_t *patch, const char *if_match, json_t **persona_r,
                   struct error *err);
int persona_delete(struct service *service, const struct principal *who, const char *id,
                   const char *if_match, struct error *err);

#endif
