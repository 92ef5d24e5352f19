/* Who may do what, as one table. */
#include "service/permission.h"
#include "store/agent.h"
#include "tap.h"

#include <string.h>

static const struct {
    const char *role, *visibility;
    bool own;
    unsigned grants;
    const char *may;   /* r, w, x, a */
    const char *there; /* what a member of another organization may, with this role there */
} cases[] = {
    {"owner", "private", false, 0, "rwxa", ""},
    {"admin", "private", false, 0, "rwxa", ""},
    {"owner", "public", false, 0, "rwxa", "rx"},
    {"member", "private", false, 0, "", ""},
    {"member", "private", true, 0, "rwxa", ""},
    {"member", "team", false, 0, "", ""},
    {"member", "team", false, STORE_GRANT_TEAM, "rx", ""},
    {"member", "organization", false, 0, "rx", ""},
    {"member", "public", false, 0, "rx", "rx"},
    {"member", "public", false, STORE_GRANT_ADMIN, "rwxa", "rx"},
    {"member", NULL, false, 0, "rx", ""},
    {"member", "organization", true, 0, "rwxa", ""},
    {"member", "private", false, STORE_GRANT_READ, "rx", ""},
    {"member", "private", false, STORE_GRANT_WRITE, "rwx", ""},
    {"member", "team", false, STORE_GRANT_EXECUTE, "rx", ""},
    {"member", "private", false, STORE_GRANT_ADMIN, "rwxa", ""},
    {"viewer", "private", false, 0, "", ""},
    {"viewer", "organization", false, 0, "r", ""},
    {"viewer", "team", false, STORE_GRANT_TEAM, "r", ""},
    {"viewer", "public", false, 0, "r", "r"},
    {"viewer", "private", true, 0, "r", ""},
    {"viewer", "private", false, STORE_GRANT_READ, "r", ""},
    {"viewer", "private", false, STORE_GRANT_EXECUTE, "rx", ""},
    {"viewer", "private", false, STORE_GRANT_WRITE, "rw", ""},
    {"", "public", true, STORE_GRANT_ADMIN, "", ""},
    {"wizard", "public", true, STORE_GRANT_ADMIN, "", ""},
};

static const char *may(const struct principal *who, const struct resource *resource)
{
    static char letters[ACTION_COUNT_ + 1];
    char *m = letters;
    for (int action = 0; action < ACTION_COUNT_; action++)
        if (permission_has(who, (enum action)action, resource))
            *m++ = "rwxa"[action];
    *m = '\0';
    return letters;
}

static void agents_test(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct principal who = {.user_id = "me", .organization_id = "org"};
        snprintf(who.role, sizeof(who.role), "%s", cases[i].role);
        struct resource res = {.organization_id = "org",
                               .owner_id = cases[i].own ? "me" : "you",
                               .visibility = cases[i].visibility,
                               .grants = cases[i].grants,
                               .agent_id = "agent"};
        is_str(may(&who, &res), cases[i].may, "%s, %s%s, grants %u", cases[i].role,
               cases[i].visibility != NULL ? cases[i].visibility : "no agent",
               cases[i].own ? ", own" : "", cases[i].grants);
        res.organization_id = "other";
        is_str(may(&who, &res), cases[i].there, "and in another organization");
        who.limited = true;
        is_str(may(&who, &res), "", "a token for single agents reaches no other");
    }
}

static void kinds_test(void)
{
    struct principal who = {.user_id = "me", .organization_id = "org", .role = "member"};
    struct resource token = {.organization_id = "org", .owner_id = "you", .kind = RESOURCE_PRIVATE};
    is_str(may(&who, &token), "", "another's token is not seen");
    token.owner_id = "me";
    is_str(may(&who, &token), "rwxa", "one's own is one's own");
    struct resource organization = {.organization_id = "org", .kind = RESOURCE_ORGANIZATION};
    is_str(may(&who, &organization), "rx", "a member sees the organization");
    strcpy(who.role, "admin");
    is_str(may(&who, &organization), "rwx", "an admin changes it");
    strcpy(who.role, "owner");
    is_str(may(&who, &organization), "rwxa", "and the owner rules it");

    strcpy(who.role, "viewer");
    struct resource execution = {.organization_id = "other",
                                 .owner_id = "you",
                                 .visibility = "private",
                                 .kind = RESOURCE_EXECUTION,
                                 .agent_id = "agent",
                                 .starter_id = "me"};
    is_str(may(&who, &execution), "", "a token does not reach into another organization");
    execution.visibility = "public";
    is_str(may(&who, &execution), "rwxa", "but to what its user started of a public agent");
    execution.starter_id = "you";
    is_str(may(&who, &execution), "", "what others started elsewhere is not seen");
    execution.organization_id = "org";
    is_str(may(&who, &execution), "r", "in the organization it is as its agent is");
    who.limited = true;
    who.n_agents = 1;
    strcpy(who.agents[0], "agent");
    is_str(may(&who, &execution), "", "but not for a token for this agent alone");
    execution.starter_id = "me";
    is_str(may(&who, &execution), "rwxa", "unless its user started it");
}

int main(void)
{
    agents_test();
    kinds_test();
    error_auto err = ERROR_INIT;
    const struct principal viewer = {.user_id = "me", .organization_id = "org", .role = "viewer"};
    const struct resource seen = {.organization_id = "org",
                                  .owner_id = "you",
                                  .visibility = "public"},
                          unseen = {
                              .organization_id = "org", .owner_id = "you", .visibility = "private"};
    permission_require(&viewer, ACTION_WRITE, &seen, E_AGENT_NOT_FOUND, "agent", "a", &err);
    is_int(err.code, E_INSUFFICIENT_PERMISSIONS, "what one sees and may not do");
    permission_require(&viewer, ACTION_WRITE, &unseen, E_AGENT_NOT_FOUND, "agent", "a", &err);
    is_int(err.code, E_AGENT_NOT_FOUND, "what one may not see is not there");
    is_int(permission_create(&viewer, "agents", &err), -1, "a viewer creates nothing");
    return done_testing();
}
