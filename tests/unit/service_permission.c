/* Who may do what, as one table. */
#include "service/permission.h"
#include "store/agent.h"
#include "tap.h"

static const struct {
    const char *role, *visibility;
    bool own;
    unsigned grants;
    const char *may; /* r, w, x */
} cases[] = {
    {"owner", "private", false, 0, "rwx"},
    {"admin", "private", false, 0, "rwx"},
    {"member", "private", false, 0, ""},
    {"member", "private", true, 0, "rwx"},
    {"member", "team", false, 0, ""},
    {"member", "organization", false, 0, "rx"},
    {"member", "public", false, 0, "rx"},
    {"member", NULL, false, 0, "rx"},
    {"member", "organization", true, 0, "rwx"},
    {"member", "private", false, STORE_GRANT_READ, "rx"},
    {"member", "private", false, STORE_GRANT_WRITE, "rwx"},
    {"member", "team", false, STORE_GRANT_EXECUTE, "rx"},
    {"member", "private", false, STORE_GRANT_ADMIN, "rwx"},
    {"viewer", "private", false, 0, ""},
    {"viewer", "organization", false, 0, "r"},
    {"viewer", "public", false, 0, "r"},
    {"viewer", "private", true, 0, "r"},
    {"viewer", "private", false, STORE_GRANT_READ, "r"},
    {"viewer", "private", false, STORE_GRANT_EXECUTE, "rx"},
    {"viewer", "private", false, STORE_GRANT_WRITE, "rw"},
    {"", "public", true, STORE_GRANT_ADMIN, ""},
    {"wizard", "public", true, STORE_GRANT_ADMIN, ""},
};

int main(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct principal who = {.user_id = "me", .organization_id = "org"};
        snprintf(who.role, sizeof(who.role), "%s", cases[i].role);
        struct resource res = {"org", cases[i].own ? "me" : "you", cases[i].visibility,
                               cases[i].grants};
        char may[4] = "", *m = may;
        for (int action = 0; action < 3; action++)
            if (permission_has(&who, (enum action)action, &res))
                *m++ = "rwx"[action];
        is_str(may, cases[i].may, "%s, %s%s, grants %u", cases[i].role,
               cases[i].visibility != NULL ? cases[i].visibility : "no agent",
               cases[i].own ? ", own" : "", cases[i].grants);
        res.organization_id = "other";
        ok(!permission_has(&who, ACTION_READ, &res), "nothing in another organization");
    }
    error_auto err = ERROR_INIT;
    const struct principal viewer = {.user_id = "me", .organization_id = "org", .role = "viewer"};
    const struct resource seen = {"org", "you", "public", 0}, unseen = {"org", "you", "private", 0};
    permission_require(&viewer, ACTION_WRITE, &seen, E_AGENT_NOT_FOUND, "agent", "a", &err);
    is_int(err.code, E_INSUFFICIENT_PERMISSIONS, "what one sees and may not do");
    permission_require(&viewer, ACTION_WRITE, &unseen, E_AGENT_NOT_FOUND, "agent", "a", &err);
    is_int(err.code, E_AGENT_NOT_FOUND, "what one may not see is not there");
    is_int(permission_create(&viewer, "agents", &err), -1, "a viewer creates nothing");
    return done_testing();
}
