#include "service/grant.h"

#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/audit.h"
#include "service/problem.h"
#include "service/service-private.h"
#include "store/team.h"

int grant_list(struct service *service, const struct principal *who, const char *agent,
               const struct list_query *query, json_t **page_r, struct error *err)
{
    struct agent_meta meta;
    if (agent_find(service, who, agent, ACTION_ADMIN, &meta, NULL, err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(meta.id)};
    return service_list(service, &store_grant_list, query, scope, page_r, err);
}

static int body_check(const json_t *body, struct grant_row *row, struct error *err)
{
    static const char *const permissions[] = {"read", "write", "execute", "admin"};
    jx_auto *problems = json_array();
    row->permission = jx_str(body, "permission", "");
    row->user_id = jx_str(body, "userId", NULL);
    row->team_id = jx_str(body, "teamId", NULL);
    bool known = false;
    for (size_t i = 0; i < countof(permissions); i++)
        known = known || strcmp(permissions[i], row->permission) == 0;
    if (!known)
        problem_add(problems, "/permission", "must be read, write, execute or admin");
    if ((row->user_id != NULL) == (row->team_id != NULL))
        problem_add(problems, "", "must have userId or teamId, and not both");
    return problem_raise(problems, E_INVALID_REQUEST, "grant", err);
}

int grant_create(struct service *service, const struct principal *who, const char *agent,
                 const json_t *body, json_t **grant_r, bool *created_r, struct error *err)
{
    struct agent_meta meta;
    char id[UUID_SIZE];
    struct grant_row row = {.id = uuid_make(id), .granted_by = who->user_id, .at = clock_wall_us()};
    if (agent_find(service, who, agent, ACTION_ADMIN, &meta, NULL, err) < 0 ||
        body_check(body, &row, err) < 0)
        return -1;
    const struct conflict conflicts[] = {
        {0, E_INVALID_REQUEST,
         row.team_id != NULL ? "teamId: the agent's organization has no such team"
                             : "userId: no such user is a member of the agent's organization"},
        {-1, E_NONE, NULL}};
    row.agent_id = meta.id;
    if (store_grant_get(service->storage,
                        &(struct grant_row){.agent_id = meta.id,
                                            .permission = row.permission,
                                            .user_id = row.user_id,
                                            .team_id = row.team_id},
                        grant_r, err) < 0)
        return -1;
    *created_r = *grant_r == NULL;
    if (!*created_r) {
        audit_unchanged(who);
        return 0;
    }
    struct storage_batch *batch = storage_batch_new();
    store_grant_insert(batch, &row);
    audit_change(service, batch, who, "agent", meta.id, NULL, body);
    autofree char *location = xasprintf("/v1/agents/%s/grants/%s", meta.id, id);
    if (service_commit_made(service, who, batch, 201, location, conflicts, err) < 0 ||
        store_grant_get(service->storage, &row, grant_r, err) < 0)
        return -1;
    return *grant_r != NULL ? 0
                            : error_set(err, E_GRANT_NOT_FOUND, "the grant was removed meanwhile");
}

static int grant_find(struct service *service, const struct principal *who, const char *agent,
                      const char *id, struct agent_meta *meta_r, json_t **grant_r,
                      struct error *err)
{
    if (agent_find(service, who, agent, ACTION_ADMIN, meta_r, NULL, err) < 0)
        return -1;
    const struct grant_row row = {.id = id, .agent_id = meta_r->id};
    if (store_grant_get(service->storage, &row, grant_r, err) < 0)
        return -1;
    return *grant_r != NULL
               ? 0
               : error_set(err, E_GRANT_NOT_FOUND, "agent %s has no grant %s", meta_r->id, id);
}

int grant_get(struct service *service, const struct principal *who, const char *agent,
              const char *id, json_t **grant_r, struct error *err)
{
    struct agent_meta meta;
    return grant_find(service, who, agent, id, &meta, grant_r, err);
}

int grant_delete(struct service *service, const struct principal *who, const char *agent,
                 const char *id, const char *if_match, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_GRANT_NOT_FOUND, "the grant was removed meanwhile"}, {-1, E_NONE, NULL}};
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    struct agent_meta meta;
    jx_auto *grant = NULL;
    if (conditional < 0 || grant_find(service, who, agent, id, &meta, &grant, err) < 0 ||
        service_revision_check(GRANT_REVISION, conditional != 0 ? &wanted : NULL, "grant", err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_grant_delete(batch, meta.id, id, json_object_get(grant, "teamId") != NULL);
    audit_change(service, batch, who, "agent", meta.id, grant, NULL);
    return service_commit(service, batch, conflicts, err);
}
