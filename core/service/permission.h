/* Who may do what: all of it. Scopes of tokens are the API's business; here it is about roles,
 * owners, visibility and grants. */
#ifndef C9_SERVICE_PERMISSION_H
#define C9_SERVICE_PERMISSION_H

#include "service/service.h"

enum action { ACTION_READ, ACTION_WRITE, ACTION_EXECUTE };

struct resource {
    const char *organization_id, *owner_id;
    const char *visibility; /* of an agent; NULL: the organization's, as all that is no agent */
    unsigned grants;        /* enum store_grant, of the one who asks */
};

/* owner, admin: everything in the organization. member: reads what is visible to him, executes what
 * he reads, writes what he owns. viewer: reads what is visible to him. A grant gives what it says
 * on top, and reading with it. `team` is `private` plus grants. Nothing reaches into another
 * organization. */
bool permission_has(const struct principal *who, enum action action,
                    const struct resource *resource);
/* As an error: `unseen` when it may not even be read ("agent X does not exist, or you may not see
 * it"), else E_INSUFFICIENT_PERMISSIONS. what: "agent"; ref: how it was asked for. */
int permission_require(const struct principal *who, enum action action,
                       const struct resource *resource, enum error_code unseen, const char *what,
                       const char *ref, struct error *err);
/* Says that there is no such thing; also what permission_require says when it may not be seen. */
int permission_unseen(enum error_code unseen, const char *what, const char *ref, struct error *err);

/* Whether the role may make agents, personas, skills. E_INSUFFICIENT_PERMISSIONS. */
int permission_create(const struct principal *who, const char *what, struct error *err);
/* Whether everything of the organization is visible to the role, private things included. */
bool permission_sees_all(const struct principal *who);

#endif
