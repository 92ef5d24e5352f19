/* Whom visibility, grants and teams let at an agent; and that a list shows what can be read one by
 * one. */
#include "lib/service_world.h"

#include "service/grant.h"
#include "service/permission.h"
#include "store/team.h"

static char red[UUID_SIZE], blue[UUID_SIZE];

static void team_new(const char *name, char id[UUID_SIZE])
{
    const struct team_row row = {
        .id = uuid_make(id), .organization_id = owner.organization_id, .name = name, .at = 1};
    struct storage_batch *batch = storage_batch_new();
    store_team_insert(batch, &row);
    if (world_commit(&w, batch) < 0)
        abort();
}

static int team_add(const char *team, const struct principal *who)
{
    struct storage_batch *batch = storage_batch_new();
    store_team_member_insert(batch, team, who->user_id, 1);
    return world_commit(&w, batch);
}

static int team_remove(const char *team, const struct principal *who)
{
    struct storage_batch *batch = storage_batch_new();
    store_team_member_delete(batch, team, who->user_id);
    return world_commit(&w, batch);
}

static void agent_as(const struct principal *who, const char *name, const char *visibility,
                     char id_r[UUID_SIZE])
{
    error_auto err = ERROR_INIT;
    autofree char *text = xasprintf("{'name':'%s','skillset':['sum'],'triggerMode':'manual',"
                                    "'visibility':'%s','executionConfig':{'entrypoint':'sum'}}",
                                    name, visibility);
    jx_auto *body = js(text);
    jx_auto *agent = NULL;
    if (agent_create(service, who, body, &agent, &err) < 0)
        bail(name, &err);
    snprintf(id_r, UUID_SIZE, "%s", jx_str(agent, "id", ""));
}

static int get(const struct principal *who, const char *id)
{
    jx_auto *agent = NULL;
    error_auto err = ERROR_INIT;
    return agent_get(service, who, id, &agent, &err) == 0 ? 0 : (int)err.code;
}

static void grant(const char *agent, const char *body_text, char id_r[UUID_SIZE])
{
    bool created;
    jx_auto *body = js(body_text);
    jx_auto *made = NULL;
    error_auto err = ERROR_INIT;
    if (grant_create(service, &owner, agent, body, &made, &created, &err) < 0)
        bail(body_text, &err);
    snprintf(id_r, UUID_SIZE, "%s", jx_str(made, "id", ""));
}

/* ---- pages against single reads ---- */

static char agents[200][UUID_SIZE];
static size_t n_agents;

/* Every page of a list as text "name name …", and that no row comes twice. */
static size_t list_all(const struct principal *who, int64_t limit, const char *sort, json_t *names)
{
    char *cursor = NULL;
    size_t rows = 0;
    do {
        error_auto err = ERROR_INIT;
        jx_auto *page = NULL;
        const struct list_query query = {.limit = limit, .cursor = cursor, .sort = sort};
        if (agents_page(service, who, &query, &page, &err) < 0)
            bail("list", &err);
        const json_t *items = json_object_get(page, "items");
        for (size_t i = 0; i < json_array_size(items); i++, rows++)
            json_object_set_new(names, jx_str(json_array_get(items, i), "id", ""), json_true());
        free(cursor);
        const char *next = jx_str(page, "nextCursor", NULL);
        cursor = next != NULL ? xstrdup(next) : NULL;
    } while (cursor != NULL);
    return rows;
}

static void compare(const struct principal *who, const char *what)
{
    static const char *const sorts[] = {"-createdAt", "createdAt", "name"};
    static const int64_t limits[] = {1, 3, 200};
    for (size_t s = 0; s < 3; s++) {
        for (size_t l = 0; l < 3; l++) {
            jx_auto *listed = json_object();
            size_t rows = list_all(who, limits[l], sorts[s], listed), wrong = 0;
            for (size_t i = 0; i < n_agents; i++)
                wrong += (get(who, agents[i]) == 0) != (json_object_get(listed, agents[i]) != NULL);
            if (!ok(wrong == 0 && rows == json_object_size(listed),
                    "%s: by %s, %d a page: the list is what can be read", what, sorts[s],
                    (int)limits[l]))
                note("%zu wrong of %zu, %zu rows, %zu different", wrong, n_agents, rows,
                     json_object_size(listed));
        }
    }
}

static void lists_test(void)
{
    static const char *const visibilities[] = {"private", "team", "organization", "public"};
    static const char *const grants[] = {"read", "write", "execute", "admin"};
    const struct principal *people[] = {&owner, &member};
    char name[32], body[128], id[UUID_SIZE];
    for (size_t i = 0; i < 64; i++) {
        snprintf(name, sizeof(name), "list %zu", i);
        agent_as(people[i / 4 % 2], name, visibilities[i % 4], agents[n_agents]);
        if (i % 3 == 0) {
            snprintf(body, sizeof(body), "{'permission':'%s','userId':'%s'}", grants[i / 3 % 4],
                     i % 2 == 0 ? viewer.user_id : member.user_id);
            grant(agents[n_agents], body, id);
        }
        if (i % 5 == 0) {
            snprintf(body, sizeof(body), "{'permission':'%s','teamId':'%s'}", grants[i / 5 % 4],
                     i % 2 == 0 ? red : blue);
            grant(agents[n_agents], body, id);
        }
        n_agents++;
    }
    compare(&owner, "owner");
    compare(&member, "member");
    compare(&viewer, "viewer");
    team_add(red, &viewer);
    team_add(red, &owner);
    team_add(blue, &member);
    team_add(blue, &viewer);
    compare(&member, "member in a team");
    compare(&viewer, "viewer in two teams");
    team_remove(red, &owner);
    compare(&viewer, "when an owner of agents has left the team");
    jx_auto *patch = js("{'visibility':'private'}");
    for (size_t i = 0; i < n_agents; i += 2) {
        jx_auto *agent = NULL;
        works(agent_update(service, &owner, agents[i], patch, NULL, &agent, &err), "made private");
    }
    compare(&viewer, "when half of them were made private");
    compare(&member, "for the member too");
    struct storage_batch *batch = storage_batch_new();
    store_team_delete(batch, red);
    is_int(world_commit(&w, batch), 0, "a team is removed");
    compare(&viewer, "when a team is gone");
    is_int(world_int(&w, "SELECT COUNT(*) FROM agent_audience v WHERE NOT EXISTS (SELECT 1 FROM"
                         " teams t WHERE t.id = v.audience_id) AND NOT EXISTS (SELECT 1 FROM users"
                         " u WHERE u.id = v.audience_id)"),
           0, "nothing of it is left");
}

static void grants_test(void)
{
    char id[UUID_SIZE], first[UUID_SIZE], again[UUID_SIZE], body[128];
    jx_auto *none = NULL, *page = NULL;
    agent_as(&owner, "granted", "private", id);
    is_int(get(&member, id), E_AGENT_NOT_FOUND, "a private agent is not there for others");
    snprintf(body, sizeof(body), "{'permission':'read','userId':'%s'}", member.user_id);
    grant(id, body, first);
    grant(id, body, again);
    is_str(again, first, "the same grant again is the one that is there");
    is_int(get(&member, id), 0, "a grant to read shows it");
    jx_auto *patch = js("{'description':'x'}");
    fails(agent_update(service, &member, id, patch, NULL, &none, &err), E_INSUFFICIENT_PERMISSIONS,
          "change", "and no more than that");
    fails(grant_list(service, &member, id, &(struct list_query){0}, &none, &err),
          E_INSUFFICIENT_PERMISSIONS, "administer", "who reads sees no grants");
    works(grant_list(service, &owner, id, &(struct list_query){0}, &page, &err), "the owner does");
    is_int(json_array_size(json_object_get(page, "items")), 1, "one");
    works(grant_delete(service, &owner, id, first, NULL, &err), "it is taken back");
    is_int(get(&member, id), E_AGENT_NOT_FOUND, "at once");
    fails(grant_delete(service, &owner, id, first, NULL, &err), E_GRANT_NOT_FOUND, "", "again");

    bool created;
    jx_auto *both = js("{'permission':'reed','userId':'a','teamId':'b'}");
    fails(grant_create(service, &owner, id, both, &none, &created, &err), E_INVALID_REQUEST,
          "and 1 more", "what is wrong with a grant");
    snprintf(body, sizeof(body), "{'permission':'read','userId':'%s'}", stranger.user_id);
    jx_auto *outside = js(body);
    fails(grant_create(service, &owner, id, outside, &none, &created, &err), E_INVALID_REQUEST,
          "userId", "a user of no organization of ours");
    snprintf(body, sizeof(body), "{'permission':'admin','teamId':'%s'}", red);
    grant(id, body, first);
    works(agent_delete(service, &owner, id, NULL, false, &err), "the agent goes with its grants");
}

static void organizations_test(void)
{
    char hidden[UUID_SIZE], open[UUID_SIZE];
    agent_as(&owner, "hidden", "private", hidden);
    agent_as(&owner, "open", "public", open);
    is_int(get(&stranger, hidden), E_AGENT_NOT_FOUND, "not there for another organization");
    is_int(get(&stranger, open), 0, "a public one is");
    error_auto err = ERROR_INIT;
    jx_auto *none = NULL;
    jx_auto *patch = js("{'description':'x'}");
    is_int(agent_update(service, &stranger, open, patch, NULL, &none, &err), -1,
           "but not to be changed");
    is_int(err.code, E_INSUFFICIENT_PERMISSIONS, "since that is not its organization");
    struct principal elsewhere = owner;
    snprintf(elsewhere.organization_id, sizeof(elsewhere.organization_id), "elsewhere");
    is_int(get(&elsewhere, hidden), E_VISIBILITY_VIOLATION,
           "who sees it in another organization of his is told so");
    elsewhere = member;
    snprintf(elsewhere.organization_id, sizeof(elsewhere.organization_id), "elsewhere");
    is_int(get(&elsewhere, hidden), E_AGENT_NOT_FOUND, "who does not, is not");
}

int main(void)
{
    service_world_new("");
    upload("{'name':'sum','version':'1.0.0','description':'Sums.'}");
    team_new("red", red);
    team_new("blue", blue);
    is_int(team_add(red, &stranger), -1, "a stranger gets into no team");
    is_int(team_add(blue, &owner), 0, "a member does");
    is_int(team_add(blue, &owner), 0, "twice");
    is_int(team_remove(blue, &owner), 0, "and out");
    is_int(team_remove(blue, &owner), -1, "once");
    grants_test();
    organizations_test();
    lists_test();
    service_world_free();
    return done_testing();
}
