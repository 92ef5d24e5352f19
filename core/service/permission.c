#include "service/permission.h"

#include <string.h>

#include "store/agent.h"

struct role {
    const char *name;
    bool rules; /* over the organization itself */
    bool all;   /* does everything in the organization */
    bool works; /* creates, executes what it sees, does everything to its own */
};
static const struct role roles[] = {
    {"owner", true, true, true},
    {"admin", false, true, true},
    {"member", false, false, true},
    {"viewer", false, false, false},
};
static const struct role nobody = {"", false, false, false};

static const struct role *role_of(const struct principal *who)
{
    for (size_t i = 0; i < countof(roles); i++)
        if (strcmp(roles[i].name, who->role) == 0)
            return &roles[i];
    return &nobody;
}

int permission_role_rank(const char *role)
{
    for (size_t i = 0; i < countof(roles); i++)
        if (strcmp(roles[i].name, role) == 0)
            return (int)(countof(roles) - i);
    return 0;
}

/* What a grant gives, by action; reading comes with any. */
static const unsigned granting[ACTION_COUNT_] = {
    [ACTION_READ] = ~0u,
    [ACTION_WRITE] = STORE_GRANT_WRITE | STORE_GRANT_ADMIN,
    [ACTION_EXECUTE] = STORE_GRANT_EXECUTE | STORE_GRANT_ADMIN,
    [ACTION_ADMIN] = STORE_GRANT_ADMIN,
};

static bool visibility_is(const struct resource *resource, const char *visibility)
{
    return resource->visibility != NULL && strcmp(resource->visibility, visibility) == 0;
}

static bool owns(const struct principal *who, const struct resource *resource)
{
    return resource->owner_id != NULL && strcmp(who->user_id, resource->owner_id) == 0;
}

/* Whether somebody whose role does not see everything sees this. */
static bool sees(const struct principal *who, const struct resource *resource)
{
    if (owns(who, resource) || resource->grants != 0)
        return true;
    if (resource->kind == RESOURCE_PRIVATE)
        return false;
    return resource->visibility == NULL || visibility_is(resource, "organization") ||
           visibility_is(resource, "public");
}

static bool allowed_inside(const struct principal *who, const struct role *role, enum action action,
                           const struct resource *resource)
{
    if (resource->kind == RESOURCE_ORGANIZATION && action == ACTION_ADMIN)
        return role->rules;
    if (role->all || (resource->grants & granting[action]) != 0)
        return true;
    if (action == ACTION_WRITE || action == ACTION_ADMIN)
        return role->works && owns(who, resource);
    return sees(who, resource) && (action == ACTION_READ || role->works);
}

static bool allowed_outside(const struct role *role, enum action action,
                            const struct resource *resource)
{
    if (resource->kind == RESOURCE_ORGANIZATION)
        return resource->operated && role->rules;
    return visibility_is(resource, "public") &&
           (action == ACTION_READ || (action == ACTION_EXECUTE && role->works));
}

static bool allowed(const struct principal *who, enum action action,
                    const struct resource *resource)
{
    const struct role *role = role_of(who);
    if (role == &nobody)
        return false;
    bool inside = strcmp(who->organization_id, resource->organization_id) == 0;
    if (resource->kind == RESOURCE_EXECUTION) {
        bool started = strcmp(resource->starter_id, who->user_id) == 0;
        if (!inside)
            return started && visibility_is(resource, "public");
        if (started || who->limited)
            return started;
    }
    return inside ? allowed_inside(who, role, action, resource)
                  : allowed_outside(role, action, resource);
}

/* A token for single agents: whether this is one of them. */
static bool in_scope(const struct principal *who, const struct resource *resource)
{
    if (!who->limited)
        return true;
    for (size_t i = 0; i < who->n_agents && resource->agent_id != NULL; i++)
        if (strcmp(who->agents[i], resource->agent_id) == 0)
            return true;
    return false;
}

enum verdict permission_decide(const struct principal *who, enum action action,
                               const struct resource *resource)
{
    if (!allowed(who, ACTION_READ, resource))
        return VERDICT_UNSEEN;
    if (!in_scope(who, resource))
        return VERDICT_OUT_OF_SCOPE;
    return allowed(who, action, resource) ? VERDICT_ALLOWED : VERDICT_FORBIDDEN;
}

bool permission_has(const struct principal *who, enum action action,
                    const struct resource *resource)
{
    return permission_decide(who, action, resource) == VERDICT_ALLOWED;
}

int permission_unseen(enum error_code unseen, const char *what, const char *ref, struct error *err)
{
    return error_set(err, unseen, "%s %.200s does not exist, or you may not see it", what, ref);
}

static int out_of_scope(const char *what, const char *ref, struct error *err)
{
    error_set(err, E_AGENT_ACCESS_DENIED,
              "the token is for single agents, and %s %.200s is not of them", what, ref);
    error_detail(err, "requiredScope", json_string("agents:execute"));
    return -1;
}

int permission_require(const struct principal *who, enum action action,
                       const struct resource *resource, enum error_code unseen, const char *what,
                       const char *ref, struct error *err)
{
    static const char *const verbs[ACTION_COUNT_] = {[ACTION_READ] = "read",
                                                     [ACTION_WRITE] = "change",
                                                     [ACTION_EXECUTE] = "execute",
                                                     [ACTION_ADMIN] = "administer"};
    switch (permission_decide(who, action, resource)) {
    case VERDICT_ALLOWED:
        return 0;
    case VERDICT_UNSEEN:
        if (who->origin != NULL)
            who->origin->unseen = true;
        return permission_unseen(unseen, what, ref, err);
    case VERDICT_OUT_OF_SCOPE:
        return out_of_scope(what, ref, err);
    case VERDICT_FORBIDDEN:
        break;
    }
    return error_set(err, E_INSUFFICIENT_PERMISSIONS,
                     "you may see %s %.200s, but as %s you may not %s it", what, ref, who->role,
                     verbs[action]);
}

int permission_create(const struct principal *who, const char *what, struct error *err)
{
    if (role_of(who)->works)
        return 0;
    return error_set(err, E_INSUFFICIENT_PERMISSIONS,
                     "as %s of the organization you may not create %s", who->role, what);
}

int permission_admin(const struct principal *who, const char *what, struct error *err)
{
    if (role_of(who)->all)
        return 0;
    return error_set(err, E_INSUFFICIENT_PERMISSIONS, "as %s of the organization you may not %s",
                     who->role, what);
}

bool permission_sees_all(const struct principal *who)
{
    return role_of(who)->all;
}
