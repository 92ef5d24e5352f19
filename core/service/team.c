#include "service/team.h"

#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/audit.h"
#include "service/problem.h"
#include "service/service-private.h"
#include "store/revision.h"
#include "store/team.h"

static const char duplicate[] = "a team of this name exists in the organization";
#define CHANGED "the team was changed since"

static int team_find(struct service *service, const struct principal *who, const char *id,
                     enum action action, json_t **team_r, struct error *err)
{
    jx_auto *team = NULL;
    if (store_team_get(service->storage, id, who->organization_id, &team, err) < 0)
        return -1;
    if (team == NULL)
        return permission_unseen(E_TEAM_NOT_FOUND, "team", id, err);
    const struct resource resource = {.organization_id = who->organization_id};
    if (permission_require(who, action, &resource, E_TEAM_NOT_FOUND, "team", id, err) < 0)
        return -1;
    *team_r = move_ptr(&team);
    return 0;
}

static int body_check(const json_t *body, struct error *err)
{
    jx_auto *problems = json_array();
    service_name_check(body, problems);
    return problem_raise(problems, E_INVALID_REQUEST, "team", err);
}

static struct team_row row_of(const struct principal *who, const char *id, const json_t *body)
{
    return (struct team_row){.id = id,
                             .organization_id = who->organization_id,
                             .name = jx_str(body, "name", ""),
                             .description = jx_str(body, "description", NULL),
                             .at = clock_wall_us()};
}

int team_list(struct service *service, const struct principal *who, const struct list_query *query,
              json_t **page_r, struct error *err)
{
    const struct c9d_value scope[] = {list_text(who->organization_id)};
    return service_list(service, &store_team_list, query, scope, page_r, err);
}

int team_create(struct service *service, const struct principal *who, const json_t *body,
                json_t **team_r, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_ORGANIZATION_LIMIT_EXCEEDED,
         "the organization has as many teams as its settings.maxTeams, or [limits] teams, allows"},
        {1, E_DUPLICATE_NAME, duplicate},
        {-1, E_NONE, NULL}};
    if (permission_admin(who, "create teams", err) < 0 || body_check(body, err) < 0)
        return -1;
    char id[UUID_SIZE];
    const struct team_row row = row_of(who, uuid_make(id), body);
    struct storage_batch *batch = storage_batch_new();
    store_team_limit(batch, who->organization_id, service->teams_max);
    store_team_insert(batch, &row);
    audit_change(service, batch, who, "team", id, NULL, body);
    autofree char *location = xasprintf("/v1/teams/%s", id);
    if (service_commit_made(service, who, batch, 201, location, conflicts, err) < 0)
        return -1;
    return team_get(service, who, id, team_r, err);
}

int team_get(struct service *service, const struct principal *who, const char *id, json_t **team_r,
             struct error *err)
{
    return team_find(service, who, id, ACTION_READ, team_r, err);
}

static int edit_once(struct service *service, const struct principal *who, const char *id,
                     const json_t *patch, const int64_t *wanted, json_t **team_r, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_PRECONDITION_FAILED, CHANGED}, {1, E_DUPLICATE_NAME, duplicate}, {-1, E_NONE, NULL}};
    jx_auto *team = NULL;
    if (team_find(service, who, id, ACTION_WRITE, &team, err) < 0)
        return -1;
    int64_t revision = jx_int(team, "revision", 0);
    if (service_revision_check(revision, wanted, "team", err) < 0)
        return -1;
    jx_auto *before = json_pack("{s:O*, s:O*}", "name", json_object_get(team, "name"),
                                "description", json_object_get(team, "description"));
    jx_auto *after = jx_merge_patch(before, patch);
    if (body_check(after, err) < 0)
        return -1;
    const struct team_row row = row_of(who, id, after);
    struct storage_batch *batch = storage_batch_new();
    store_revision_guard(batch, REVISED_TEAM, id, &revision);
    store_team_update(batch, &row);
    audit_change(service, batch, who, "team", id, before, after);
    if (service_commit(service, batch, conflicts, err) < 0)
        return -1;
    return team_get(service, who, id, team_r, err);
}

int team_update(struct service *service, const struct principal *who, const char *id,
                const json_t *patch, const char *if_match, json_t **team_r, struct error *err)
{
    return service_edit(service, who, id, patch, if_match, edit_once, "team", team_r, err);
}

int team_delete(struct service *service, const struct principal *who, const char *id,
                const char *if_match, struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_PRECONDITION_FAILED, CHANGED},
                                                {-1, E_NONE, NULL}};
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    jx_auto *team = NULL;
    if (conditional < 0 || team_find(service, who, id, ACTION_WRITE, &team, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_revision_guard(batch, REVISED_TEAM, id, conditional != 0 ? &wanted : NULL);
    store_team_delete(batch, id);
    audit_change(service, batch, who, "team", id, team, NULL);
    return service_commit(service, batch, conflicts, err);
}

int team_members(struct service *service, const struct principal *who, const char *id,
                 const struct list_query *query, json_t **page_r, struct error *err)
{
    jx_auto *team = NULL;
    if (team_find(service, who, id, ACTION_READ, &team, err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(id)};
    return service_list(service, &store_team_member_list, query, scope, page_r, err);
}

int team_member_add(struct service *service, const struct principal *who, const char *id,
                    const char *user_id, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_INVALID_REQUEST,
         "no such user is a member of the organization, or he is in as many teams as one can be"},
        {-1, E_NONE, NULL}};
    jx_auto *team = NULL;
    if (team_find(service, who, id, ACTION_WRITE, &team, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_team_member_insert(batch, id, user_id, clock_wall_us());
    jx_auto *after = json_pack("{s:s}", "member", user_id);
    audit_change(service, batch, who, "team", id, NULL, after);
    return service_commit(service, batch, conflicts, err);
}

int team_member_remove(struct service *service, const struct principal *who, const char *id,
                       const char *user_id, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_USER_NOT_FOUND, "the user is not in the team"}, {-1, E_NONE, NULL}};
    jx_auto *team = NULL;
    if (team_find(service, who, id, ACTION_WRITE, &team, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_team_member_delete(batch, id, user_id);
    jx_auto *before = json_pack("{s:s}", "member", user_id);
    audit_change(service, batch, who, "team", id, before, NULL);
    return service_commit(service, batch, conflicts, err);
}
