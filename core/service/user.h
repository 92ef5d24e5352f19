/* Users: members of an organization, people or service accounts (which only have tokens). A user
 * may be a member of several; what is said here is about the organization of the token. */
#ifndef C9_SERVICE_USER_H
#define C9_SERVICE_USER_H

#include "service/service.h"

/* {"user":…,"organization":{"id","name","role"},"scopes":[…],"tokenId"?}: who the token stands for.
 */
int user_me(struct service *service, const struct principal *who, json_t **me_r, struct error *err);
/* Filters: role, kind, email, name, text. Every member. */
int user_list(struct service *service, const struct principal *who, const struct list_query *query,
              json_t **page_r, struct error *err);
int user_get(struct service *service, const struct principal *who, const char *id, json_t **user_r,
             struct error *err);
/* body: {"name","email"?,"kind"?,"role"?}. Somebody with that e-mail address becomes a member as he
 * is. Admins; only an owner makes owners. */
int user_create(struct service *service, const struct principal *who, const json_t *body,
                json_t **user_r, struct error *err);
/* RFC 7396 on name, email, role. Roles: admins, and only an owner makes or unmakes owners, and not
 * the last one. Name and address: one's own, and admins for those who are in no other organization.
 */
int user_update(struct service *service, const struct principal *who, const char *id,
                const json_t *patch, const char *if_match, json_t **user_r, struct error *err);
/* Takes him out of the organization, with his tokens. heir: whom his agents go to; without one
 * E_RESOURCE_IN_USE with details.agents while he owns some. What else he owns goes to the heir, or
 * to who asks. */
int user_delete(struct service *service, const struct principal *who, const char *id,
                const char *heir, const char *if_match, struct error *err);

#endif
