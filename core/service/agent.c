#include "service/agent.h"

#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/agent_config.h"
#include "service/audit.h"
#include "service/metas.h"
#include "service/service-private.h"
#include "service/trigger.h"
#include "store/revision.h"
#include "store/team.h"
#include "store/token.h"

#define DUPLICATE "an agent, or a chain, of this name exists in the organization"
#define CHANGED   "the agent was changed since"

/* Of an agent that the token may not see. That it exists is told to those alone who see it in
 * another organization of theirs. */
static int unseen(struct service *service, const struct principal *who,
                  const struct resource *resource, const char *ref, struct error *err)
{
    struct principal there = *who;
    if (who->origin != NULL)
        who->origin->unseen = true;
    if (strcmp(resource->organization_id, who->organization_id) == 0 || who->limited)
        return permission_unseen(E_AGENT_NOT_FOUND, "agent", ref, err);
    int found = store_member_role(service->storage, resource->organization_id, who->user_id,
                                  there.role, err);
    if (found < 0)
        return -1;
    memcpy(there.organization_id, resource->organization_id, UUID_SIZE);
    if (found != 0 || !permission_has(&there, ACTION_READ, resource))
        return permission_unseen(E_AGENT_NOT_FOUND, "agent", ref, err);
    error_set(err, E_VISIBILITY_VIOLATION,
              "agent %.200s is visible to you in another organization only, and not to this token",
              ref);
    error_detail(err, "organizationId", json_string(resource->organization_id));
    return -1;
}

struct resource agent_resource(const struct agent_meta *meta)
{
    return (struct resource){.organization_id = meta->organization_id,
                             .owner_id = meta->user_id,
                             .visibility = meta->visibility,
                             .grants = meta->grants,
                             .agent_id = meta->id};
}

static int agent_read(struct service *service, const struct principal *who, const char *ref,
                      enum action action, struct agent_meta *meta_r, json_t **agent_r,
                      struct error *err)
{
    if (!uuid_valid(ref, strlen(ref)))
        return store_agent_get_by_name(service->storage, who->organization_id, ref, who->user_id,
                                       meta_r, agent_r, err);
    if (action == ACTION_EXECUTE && agent_r == NULL)
        return metas_agent(service->metas, service->storage, ref, who->user_id, meta_r, err);
    return store_agent_get(service->storage, ref, who->user_id, meta_r, agent_r, err);
}

/* A chain is executed as an agent is, and has what hangs from that; it is none. */
static int no_agent(const struct agent_meta *meta, struct error *err)
{
    return error_set(err, E_AGENT_NOT_FOUND, "%s is a chain: see /v1/chains/%s", meta->id,
                     meta->id);
}

int agent_find(struct service *service, const struct principal *who, const char *ref,
               enum action action, struct agent_meta *meta_r, json_t **agent_r, struct error *err)
{
    jx_auto *agent = NULL;
    if (agent_read(service, who, ref, action, meta_r, agent_r != NULL ? &agent : NULL, err) < 0)
        return -1;
    if (meta_r->id[0] == '\0')
        return permission_unseen(E_AGENT_NOT_FOUND, "agent", ref, err);
    const struct resource resource = agent_resource(meta_r);
    if (permission_decide(who, action, &resource) == VERDICT_UNSEEN)
        return unseen(service, who, &resource, ref, err);
    if (permission_require(who, action, &resource, E_AGENT_NOT_FOUND, "agent", ref, err) < 0)
        return -1;
    if (meta_r->chain && agent_r != NULL)
        return no_agent(meta_r, err);
    if (agent_r != NULL)
        *agent_r = move_ptr(&agent);
    return 0;
}

int agent_require(const struct agent_meta *meta, enum life_event event, struct error *err)
{
    char what[UUID_SIZE + 8];
    if (meta->chain && event != LIFE_EXECUTE)
        return no_agent(meta, err);
    snprintf(what, sizeof(what), "agent %s", meta->id);
    if (life_require(life_of(meta->status), event, what, err) == 0)
        return 0;
    error_detail(err, "agentId", json_string(meta->id));
    return -1;
}

/* What was written is read back, so that the answer is what the next GET gives. */
int agent_create(struct service *service, const struct principal *who, const json_t *given,
                 json_t **agent_r, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_ORGANIZATION_LIMIT_EXCEEDED,
         "the organization has as many agents as its settings.maxAgents, or [limits] agents, allows"},
        {1, E_DUPLICATE_AGENT_NAME, DUPLICATE},
        {-1, E_NONE, NULL}};
    if (permission_create(who, "agents", err) < 0 ||
        agent_config_require(service, who->organization_id, given, err) < 0)
        return -1;
    jx_auto *config = agent_config_of(given);
    cleanup(agent_config_columns_free) struct agent_config_columns columns;
    agent_config_to_columns(config, &columns);
    char id[UUID_SIZE];
    struct storage_batch *batch = storage_batch_new();
    store_agent_limit(batch, who->organization_id, service->agents_max);
    store_agent_insert(batch, uuid_make(id), who->user_id, who->organization_id, &columns.columns,
                       clock_wall_us());
    autofree char *location = xasprintf("/v1/agents/%s", id);
    audit_change(service, batch, who, "agent", id, NULL, config);
    if (service_commit_made(service, who, batch, 201, location, conflicts, err) < 0)
        return -1;
    return agent_get(service, who, id, agent_r, err);
}

int agent_get(struct service *service, const struct principal *who, const char *id,
              json_t **agent_r, struct error *err)
{
    struct agent_meta meta;
    return agent_find(service, who, id, ACTION_READ, &meta, agent_r, err);
}

int agent_list(struct service *service, const struct principal *who, const struct list_query *query,
               struct buf *page, struct error *err)
{
    const struct c9d_value scope[] = {list_text(who->organization_id)};
    const struct list_args args = service_list_args(query);
    if (permission_sees_all(who))
        return store_list_text(service->storage, &store_agent_list, NULL, 0, &args, scope, 1, page,
                               err);
    char teams[STORE_TEAMS_MAX][UUID_SIZE];
    size_t n_teams;
    if (store_user_teams(service->storage, who->organization_id, who->user_id, teams, &n_teams,
                         err) < 0)
        return -1;
    return store_agent_list_seen(service->storage, &args, who->organization_id, who->user_id, teams,
                                 n_teams, page, err);
}

/* The working copy becomes the body, when that is the whole of it, or is patched by it. */
static int edit_once(struct service *service, const struct principal *who, const char *id,
                     const json_t *body, bool whole, const int64_t *wanted, json_t **agent_r,
                     struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_PRECONDITION_FAILED, CHANGED},
                                                {1, E_DUPLICATE_AGENT_NAME, DUPLICATE},
                                                {-1, E_NONE, NULL}};
    struct agent_meta meta;
    jx_auto *agent = NULL;
    if (agent_find(service, who, id, ACTION_WRITE, &meta, &agent, err) < 0 ||
        service_revision_check(meta.revision, wanted, "agent", err) < 0 ||
        agent_require(&meta, life_working_event(life_of(meta.status)), err) < 0)
        return -1;
    jx_auto *before = agent_config_of(agent);
    jx_auto *merged = whole ? json_incref((json_t *)body) : jx_merge_patch(before, body);
    if (agent_config_require(service, who->organization_id, merged, err) < 0)
        return -1;
    jx_auto *config = agent_config_of(merged);
    cleanup(agent_config_columns_free) struct agent_config_columns columns;
    agent_config_to_columns(config, &columns);
    struct storage_batch *batch = storage_batch_new();
    store_revision_guard(batch, REVISED_AGENT, meta.id, &meta.revision);
    store_agent_update(batch, meta.id, &columns.columns, clock_wall_us());
    audit_change(service, batch, who, "agent", meta.id, before, config);
    if (service_commit(service, batch, conflicts, err) < 0)
        return -1;
    return agent_get(service, who, meta.id, agent_r, err);
}

static int patch_once(struct service *service, const struct principal *who, const char *id,
                      const json_t *patch, const int64_t *wanted, json_t **agent_r,
                      struct error *err)
{
    return edit_once(service, who, id, patch, false, wanted, agent_r, err);
}

static int replace_once(struct service *service, const struct principal *who, const char *id,
                        const json_t *config, const int64_t *wanted, json_t **agent_r,
                        struct error *err)
{
    return edit_once(service, who, id, config, true, wanted, agent_r, err);
}

int agent_update(struct service *service, const struct principal *who, const char *id,
                 const json_t *patch, const char *if_match, json_t **agent_r, struct error *err)
{
    if (!json_is_object(patch))
        return error_set(err, E_INVALID_REQUEST, "the patch must be an object (RFC 7396)");
    return service_edit(service, who, id, patch, if_match, patch_once, "agent", agent_r, err);
}

int agent_replace(struct service *service, const struct principal *who, const char *id,
                  const json_t *config, const char *if_match, json_t **agent_r, struct error *err)
{
    return service_edit(service, who, id, config, if_match, replace_once, "agent", agent_r, err);
}

int agent_delete(struct service *service, const struct principal *who, const char *id,
                 const char *if_match, bool force, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_PRECONDITION_FAILED, CHANGED},
        {1, E_INVALID_STATE,
         "executions of the agent are pending or running (cancel them or wait for their end), or it "
         "was published meanwhile"},
        {-1, E_NONE, NULL}};
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    struct agent_meta meta;
    jx_auto *agent = NULL;
    if (conditional < 0 || agent_find(service, who, id, ACTION_ADMIN, &meta, &agent, err) < 0)
        return -1;
    if (!force && agent_require(&meta, LIFE_DELETE, err) < 0)
        return error_wrap(err, "archive it first, or force it");
    struct storage_batch *batch = storage_batch_new();
    store_revision_guard(batch, REVISED_AGENT, meta.id, conditional != 0 ? &wanted : NULL);
    store_agent_delete(batch, meta.id, force);
    audit_change(service, batch, who, "agent", meta.id, agent, NULL);
    return service_commit(service, batch, conflicts, err);
}

/* ---- the end of its life ---- */

int agent_deprecate(struct service *service, const struct principal *who, const char *id,
                    const json_t *body, json_t **agent_r, struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_INVALID_STATE, CHANGED}, {-1, E_NONE, NULL}};
    struct agent_meta meta;
    struct deprecation deprecation;
    if (agent_find(service, who, id, ACTION_WRITE, &meta, NULL, err) < 0 ||
        agent_require(&meta, LIFE_DEPRECATE, err) < 0 ||
        deprecation_read(body, &deprecation, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_agent_deprecate(batch, meta.id, &deprecation);
    jx_auto *before = json_pack("{s:s}", "status", meta.status);
    jx_auto *after = deprecation_json(&deprecation);
    audit_change(service, batch, who, "agent", meta.id, before, after);
    autofree char *location = xasprintf("/v1/agents/%s", meta.id);
    if (service_commit_made(service, who, batch, 200, location, conflicts, err) < 0)
        return -1;
    return agent_get(service, who, meta.id, agent_r, err);
}

int agent_archive(struct service *service, const struct principal *who, const char *id,
                  json_t **agent_r, struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_INVALID_STATE, CHANGED}, {-1, E_NONE, NULL}};
    struct agent_meta meta;
    if (agent_find(service, who, id, ACTION_WRITE, &meta, NULL, err) < 0 ||
        agent_require(&meta, LIFE_ARCHIVE, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_agent_archive(batch, meta.id, clock_wall_us());
    trigger_withdraw(batch, meta.id);
    jx_auto *before = json_pack("{s:s}", "status", meta.status);
    jx_auto *after = json_pack("{s:s}", "status", "archived");
    audit_change(service, batch, who, "agent", meta.id, before, after);
    autofree char *location = xasprintf("/v1/agents/%s", meta.id);
    if (service_commit_made(service, who, batch, 200, location, conflicts, err) < 0)
        return -1;
    return agent_get(service, who, meta.id, agent_r, err);
}

int agent_validate(struct service *service, const struct principal *who, const json_t *config,
                   json_t **result_r, struct error *err)
{
    jx_auto *errors = json_array();
    jx_auto *warnings = json_array();
    if (agent_config_check(service, who->organization_id, config, errors, warnings, err) < 0)
        return -1;
    *result_r = json_pack("{s:b, s:O, s:O}", "valid", json_array_size(errors) == 0, "errors",
                          errors, "warnings", warnings);
    return 0;
}
