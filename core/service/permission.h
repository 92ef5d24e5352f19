/* Who may do what: all of it, in one function. Which operation a token may call at all is decided
 * before, by its scopes (token.h); what it may do there to what, here.
 *
 * - owner: everything in the organization, and what changes the organization itself;
 * - admin: everything in the organization;
 * - member: reads what is visible to him, executes what he reads, does everything to what he owns;
 * - viewer: reads what is visible to him.
 *
 * Visible is: private, to the owner; team, also to whoever shares a team with the owner;
 * organization, to its members; public, to every user of this server. A grant, to a user or one of
 * his teams, gives what it says on top, and reading with it; admin gives all. Other organizations
 * read public agents and, as far as the role in one's own organization works, execute them, and see
 * the executions that they started; nothing else reaches into another organization. */
#ifndef C9_SERVICE_PERMISSION_H
#define C9_SERVICE_PERMISSION_H

#include "service/service.h"

/* ADMIN: grants, deletion; of an organization: what only its owners may. */
enum action { ACTION_READ, ACTION_WRITE, ACTION_EXECUTE, ACTION_ADMIN, ACTION_COUNT_ };

enum resource_kind {
    RESOURCE_SHARED,    /* an agent, or what all members see: skills, personas, members, teams */
    RESOURCE_PRIVATE,   /* seen by its owner and those who see everything: tokens */
    RESOURCE_EXECUTION, /* with visibility and grants of its agent; its starter does everything to
                           it */
    RESOURCE_ORGANIZATION
};

struct resource {
    const char *organization_id, *owner_id;
    const char *visibility; /* of an agent; NULL: the organization's, as all that is no agent */
    unsigned grants;        /* enum store_grant, of the one who asks */
    enum resource_kind kind;
    const char *agent_id;   /* the agent that it is, or belongs to; may be NULL */
    const char *starter_id; /* of an execution: the user who started it */
    bool operated; /* an organization: who asks is of the installation's own, whose owners run them
                      all */
};

enum verdict {
    VERDICT_ALLOWED,
    VERDICT_FORBIDDEN,    /* seen, but this may not be done to it */
    VERDICT_OUT_OF_SCOPE, /* the token is for other agents */
    VERDICT_UNSEEN
};
enum verdict permission_decide(const struct principal *who, enum action action,
                               const struct resource *resource);
/* Whether the verdict is ALLOWED. */
bool permission_has(const struct principal *who, enum action action,
                    const struct resource *resource);
/* As an error: `unseen` when it may not even be read ("agent X does not exist, or you may not see
 * it"), E_AGENT_ACCESS_DENIED out of the token's scope, else E_INSUFFICIENT_PERMISSIONS. what:
 * "agent"; ref: how it was asked for. */
int permission_require(const struct principal *who, enum action action,
                       const struct resource *resource, enum error_code unseen, const char *what,
                       const char *ref, struct error *err);
/* Says that there is no such thing; also what permission_require says when it may not be seen. */
int permission_unseen(enum error_code unseen, const char *what, const char *ref, struct error *err);

/* Whether the role may make agents, personas, skills. E_INSUFFICIENT_PERMISSIONS. */
int permission_create(const struct principal *who, const char *what, struct error *err);
/* Whether the role manages the organization's people. what: "add users".
 * E_INSUFFICIENT_PERMISSIONS. */
int permission_admin(const struct principal *who, const char *what, struct error *err);
/* Whether everything of the organization is visible to the role, private things included. */
bool permission_sees_all(const struct principal *who);

/* Roles by name, the mightier the greater; 0: there is none of this name. */
int permission_role_rank(const char *role);

#endif
