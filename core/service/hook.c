#include "service/hook-private.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/audit.h"
#include "service/execution-private.h"
#include "service/problem.h"

#define CHANGED           "the endpoint was changed since"
#define TOLERANCE_DEFAULT INT64_C(300000)
#define GRACE_DEFAULT     INT64_C(86400000)

/* ---- finding ---- */

int hook_find(struct service *service, const struct principal *who, const char *id, bool own,
              struct hook_meta *meta_r, json_t **hook_r, struct error *err)
{
    struct agent_meta agent;
    jx_auto *hook = NULL;
    error_auto failure = ERROR_INIT;
    if (store_hook_get(service->storage, id, meta_r, &hook, err) < 0)
        return -1;
    if (meta_r->id[0] == '\0')
        return permission_unseen(E_ENDPOINT_NOT_FOUND, "endpoint", id, err);
    if (agent_find(service, who, meta_r->agent_id, ACTION_READ, &agent, NULL, &failure) < 0)
        return failure.code == E_STORAGE_FAILED
                   ? error_move(err, &failure)
                   : permission_unseen(E_ENDPOINT_NOT_FOUND, "endpoint", id, err);
    const struct resource resource = agent_resource(&agent);
    if (strcmp(agent.organization_id, who->organization_id) != 0)
        return permission_unseen(E_ENDPOINT_NOT_FOUND, "endpoint", id, err);
    if (own && strcmp(meta_r->created_by, who->user_id) != 0 &&
        !permission_has(who, ACTION_WRITE, &resource))
        return error_set(err, E_INSUFFICIENT_PERMISSIONS,
                         "endpoint %s is neither yours nor of an agent that you may change", id);
    autofree char *path = xasprintf("/v1/hooks/%s", meta_r->id);
    json_object_set_new(hook, "path", json_string(path));
    *hook_r = move_ptr(&hook);
    return 0;
}

int hook_get(struct service *service, const struct principal *who, const char *id, json_t **hook_r,
             struct error *err)
{
    struct hook_meta meta;
    return hook_find(service, who, id, false, &meta, hook_r, err);
}

static void paths_add(const json_t *page)
{
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(page, "items"), i, item) {
        autofree char *path = xasprintf("/v1/hooks/%s", jx_str(item, "id", ""));
        json_object_set_new(item, "path", json_string(path));
    }
}

int hook_list(struct service *service, const struct principal *who, const struct list_query *query,
              json_t **page_r, struct error *err)
{
    const char *agent = jx_str(query->filters, "agentId", NULL);
    struct agent_meta meta;
    jx_auto *filters = filters_without(query->filters, "agentId");
    struct list_query rest = *query;
    const struct c9d_value scope[] = SCOPE_OF(who);
    rest.filters = filters;
    int result;
    if (agent == NULL) {
        result = service_list(service, &store_hook_list, &rest, scope, page_r, err);
    } else {
        if (agent_find(service, who, agent, ACTION_READ, &meta, NULL, err) < 0)
            return -1;
        if (strcmp(meta.organization_id, who->organization_id) != 0)
            return error_set(err, E_INSUFFICIENT_PERMISSIONS,
                             "agent %s is another organization's: its endpoints are not seen from "
                             "here",
                             meta.id);
        const struct c9d_value of_agent[] = {list_text(meta.id)};
        result = service_list(service, &store_agent_hook_list, &rest, of_agent, page_r, err);
    }
    if (result == 0)
        paths_add(*page_r);
    return result;
}

/* ---- changing ---- */

static enum hook_style style_of(const char *name)
{
    return strcmp(name, hook_style_names[HOOK_GITHUB]) == 0 ? HOOK_GITHUB : HOOK_STANDARD;
}

/* Shapes are the API's business; this is what they mean together. */
static int columns_read(const json_t *body, struct hook_columns *columns, struct error *err)
{
    jx_auto *problems = json_array();
    *columns =
        (struct hook_columns){.name = jx_str(body, "name", ""),
                              .style = jx_str(body, "style", hook_style_names[HOOK_STANDARD]),
                              .delivers = jx_str(body, "delivers", "execution"),
                              .event_type = jx_str(body, "eventType", NULL),
                              .version = jx_str(body, "version", NULL),
                              .tolerance_ms = jx_int(body, "toleranceMs", TOLERANCE_DEFAULT),
                              .active = jx_bool(body, "isActive", true)};
    bool event = strcmp(columns->delivers, "event") == 0;
    if (event && columns->event_type == NULL)
        problem_add(problems, "/eventType", "is required where events are delivered");
    if (!event && columns->event_type != NULL)
        problem_add(problems, "/eventType", "is for endpoints that deliver events");
    if (event && columns->version != NULL)
        problem_add(problems, "/version", "is for endpoints that deliver executions");
    return problem_raise(problems, E_INVALID_ENDPOINT, "endpoint", err);
}

static int secret_choose(const json_t *body, enum hook_style style, char **secret_r,
                         struct error *err)
{
    const char *given = jx_str(body, "secret", NULL);
    const char *fault = given != NULL ? hook_secret_fault(style, given) : NULL;
    if (fault != NULL)
        return error_set(err, E_INVALID_ENDPOINT, "endpoint: /secret: %s", fault);
    *secret_r = given != NULL ? xstrdup(given) : hook_secret_make(style);
    return 0;
}

/* The version that deliveries would run, when they run one. */
static int version_check(struct service *service, const struct principal *who, const char *agent_id,
                         const struct hook_columns *columns, struct error *err)
{
    struct launch *launch = NULL;
    autofree char *note = NULL;
    if (strcmp(columns->delivers, "execution") != 0)
        return 0;
    if (execution_choose(service, who, agent_id, columns->version, "", &launch, &note, err) < 0)
        return -1;
    launch_unref(launch);
    return 0;
}

int hook_create(struct service *service, const struct principal *who, const char *agent,
                const json_t *body, json_t **hook_r, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_ORGANIZATION_LIMIT_EXCEEDED,
         "the agent has as many endpoints as [hooks] per_agent allows"},
        {-1, E_NONE, NULL}};
    struct agent_meta meta;
    struct hook_columns columns;
    autofree char *secret = NULL;
    char id[UUID_SIZE];
    if (permission_create(who, "endpoints", err) < 0 ||
        agent_find(service, who, agent, ACTION_WRITE, &meta, NULL, err) < 0 ||
        columns_read(body, &columns, err) < 0 ||
        secret_choose(body, style_of(columns.style), &secret, err) < 0 ||
        version_check(service, who, meta.id, &columns, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_hook_limit(batch, meta.id, config_int(service->config, "hooks", NULL, "per_agent"));
    store_hook_insert(batch, uuid_make(id), meta.id, meta.organization_id, who->user_id, &columns,
                      secret, clock_wall_us());
    audit_change(service, batch, who, "hook", id, NULL, body);
    autofree char *location = xasprintf("/v1/hooks/%s", id);
    jx_auto *shown_once = json_pack("{s:s}", "secret", secret);
    if (service_commit_made_with(service, who, batch, 201, location, shown_once, conflicts, err) <
            0 ||
        hook_get(service, who, id, hook_r, err) < 0)
        return -1;
    json_object_update(*hook_r, shown_once);
    return 0;
}

static int edit_once(struct service *service, const struct principal *who, const char *id,
                     const json_t *patch, const int64_t *wanted, json_t **hook_r, struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_PRECONDITION_FAILED, CHANGED},
                                                {-1, E_NONE, NULL}};
    struct hook_meta meta;
    struct hook_columns columns;
    jx_auto *hook = NULL;
    if (hook_find(service, who, id, true, &meta, &hook, err) < 0 ||
        service_revision_check(meta.revision, wanted, "endpoint", err) < 0)
        return -1;
    jx_auto *after = jx_merge_patch(hook, patch);
    if (columns_read(after, &columns, err) < 0 ||
        version_check(service, who, meta.agent_id, &columns, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_hook_update(batch, meta.id, meta.revision, &columns, clock_wall_us());
    audit_change(service, batch, who, "hook", meta.id, hook, after);
    if (service_commit(service, batch, conflicts, err) < 0)
        return -1;
    return hook_get(service, who, meta.id, hook_r, err);
}

int hook_update(struct service *service, const struct principal *who, const char *id,
                const json_t *patch, const char *if_match, json_t **hook_r, struct error *err)
{
    return service_edit(service, who, id, patch, if_match, edit_once, "endpoint", hook_r, err);
}

int hook_delete(struct service *service, const struct principal *who, const char *id,
                const char *if_match, struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_PRECONDITION_FAILED, CHANGED},
                                                {-1, E_NONE, NULL}};
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    struct hook_meta meta;
    jx_auto *hook = NULL;
    if (conditional < 0 || hook_find(service, who, id, true, &meta, &hook, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_hook_delete(batch, meta.id, conditional != 0 ? &wanted : NULL);
    audit_change(service, batch, who, "hook", meta.id, hook, NULL);
    return service_commit(service, batch, conflicts, err);
}

int hook_rotate(struct service *service, const struct principal *who, const char *id,
                const json_t *body, json_t **hook_r, struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_INVALID_STATE, CHANGED}, {-1, E_NONE, NULL}};
    struct hook_meta meta;
    jx_auto *hook = NULL;
    autofree char *secret = NULL;
    if (hook_find(service, who, id, true, &meta, &hook, err) < 0 ||
        secret_choose(body, style_of(jx_str(hook, "style", "")), &secret, err) < 0)
        return -1;
    int64_t now = clock_wall_us();
    struct storage_batch *batch = storage_batch_new();
    store_hook_rotate(batch, meta.id, meta.revision, secret,
                      now + jx_int(body, "graceMs", GRACE_DEFAULT) * 1000, now);
    audit_change(service, batch, who, "hook", meta.id, NULL, body);
    if (service_commit(service, batch, conflicts, err) < 0 ||
        hook_get(service, who, meta.id, hook_r, err) < 0)
        return -1;
    json_object_set_new(*hook_r, "secret", json_string(secret));
    return 0;
}
