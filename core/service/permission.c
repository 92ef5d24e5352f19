#include "service/permission.h"

#include <string.h>

#include "store/agent.h"

struct role {
    const char *name;
    bool all;   /* reads, writes and executes everything */
    bool works; /* creates, executes what it sees, writes its own */
};
static const struct role roles[] = {
    {"owner", true, true},
    {"admin", true, true},
    {"member", false, true},
    {"viewer", false, false},
};
static const struct role nobody = {"", false, false};

static const struct role *role_of(const struct principal *who)
{
    for (size_t i = 0; i < countof(roles); i++)
        if (strcmp(roles[i].name, who->role) == 0)
            return &roles[i];
    return &nobody;
}

/* What a grant gives, by action; reading comes with any. */
static const unsigned granting[] = {
    [ACTION_READ] = ~0u,
    [ACTION_WRITE] = STORE_GRANT_WRITE | STORE_GRANT_ADMIN,
    [ACTION_EXECUTE] = STORE_GRANT_EXECUTE | STORE_GRANT_ADMIN,
};

static bool visible_to_all(const struct resource *resource)
{
    return resource->visibility == NULL || strcmp(resource->visibility, "organization") == 0 ||
           strcmp(resource->visibility, "public") == 0;
}

bool permission_has(const struct principal *who, enum action action,
                    const struct resource *resource)
{
    const struct role *role = role_of(who);
    if (role == &nobody || strcmp(who->organization_id, resource->organization_id) != 0)
        return false;
    if (role->all || (resource->grants & granting[action]) != 0)
        return true;
    bool owns = strcmp(who->user_id, resource->owner_id) == 0;
    if (action == ACTION_WRITE)
        return role->works && owns;
    bool sees = owns || visible_to_all(resource) || resource->grants != 0;
    return sees && (action == ACTION_READ || role->works);
}

int permission_unseen(enum error_code unseen, const char *what, const char *ref, struct error *err)
{
    return error_set(err, unseen, "%s %.200s does not exist, or you may not see it", what, ref);
}

int permission_require(const struct principal *who, enum action action,
                       const struct resource *resource, enum error_code unseen, const char *what,
                       const char *ref, struct error *err)
{
    static const char *const verbs[] = {
        [ACTION_READ] = "read", [ACTION_WRITE] = "change", [ACTION_EXECUTE] = "execute"};
    if (permission_has(who, action, resource))
        return 0;
    if (!permission_has(who, ACTION_READ, resource))
        return permission_unseen(unseen, what, ref, err);
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

bool permission_sees_all(const struct principal *who)
{
    return role_of(who)->all;
}
