#include "service/organization.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/audit.h"
#include "service/problem.h"
#include "service/service-private.h"
#include "service/token_cache.h"
#include "store/people.h"
#include "store/revision.h"
#include "store/store.h"
#include "store/token.h"

static const char *const settings_names[] = {"maxAgents", "maxUsers", "maxTeams", "maxRunning"};

/* Whether the token acts in the installation's own organization: 1, 0, -1 error. */
static int of_installation(struct service *service, const struct principal *who, struct error *err)
{
    error_auto failure = ERROR_INIT;
    autofree char *own = store_instance_get(service->storage, STORE_ORGANIZATION, &failure);
    if (own == NULL)
        return failure.code == E_NOT_FOUND ? 0 : error_move(err, &failure);
    return strcmp(own, who->organization_id) == 0;
}

/* Its members see it whichever of their organizations the token acts in. */
static int organization_find(struct service *service, const struct principal *who, const char *id,
                             enum action action, json_t **organization_r, struct error *err)
{
    jx_auto *organization = NULL;
    int operated = of_installation(service, who, err);
    if (operated < 0 ||
        store_organization_get(service->storage, id, who->user_id, &organization, err) < 0)
        return -1;
    if (organization == NULL)
        return permission_unseen(E_ORGANIZATION_NOT_FOUND, "organization", id, err);
    const struct resource resource = {
        .organization_id = id, .kind = RESOURCE_ORGANIZATION, .operated = operated == 1};
    bool member = json_object_get(organization, "role") != NULL;
    if (!(member && action == ACTION_READ) &&
        permission_require(who, action, &resource, E_ORGANIZATION_NOT_FOUND, "organization", id,
                           err) < 0)
        return -1;
    *organization_r = move_ptr(&organization);
    return 0;
}

/* ---- bodies ---- */

/* None may run is not a limit: executions would wait for ever. */
static int least_of(const char *setting)
{
    return strcmp(setting, "maxRunning") == 0;
}

static void settings_check(const json_t *settings, json_t *problems)
{
    const char *name;
    json_t *value;
    if (settings != NULL && !json_is_object(settings))
        problem_add(problems, "/settings", "must be an object");
    json_object_foreach ((json_t *)settings, name, value) {
        bool known = false;
        for (size_t i = 0; i < countof(settings_names); i++)
            known = known || strcmp(settings_names[i], name) == 0;
        autofree char *path = problem_path("/settings", name);
        if (!known)
            problem_unknown(problems, path, "setting", name, settings_names,
                            countof(settings_names));
        else if (!json_is_integer(value) || json_integer_value(value) < least_of(name))
            problem_add(problems, path, "must be a whole number from %d up", least_of(name));
    }
}

static int body_check(const json_t *body, struct error *err)
{
    jx_auto *problems = json_array();
    service_name_check(body, problems);
    settings_check(json_object_get(body, "settings"), problems);
    return problem_raise(problems, E_INVALID_REQUEST, "organization", err);
}

static json_t *body_of(const json_t *organization)
{
    return json_pack("{s:O?, s:O?}", "name", json_object_get(organization, "name"), "settings",
                     json_object_get(organization, "settings"));
}

/* The engine counts what runs. */
static void running_tell(const struct service *service, const char *id, const json_t *settings)
{
    if (service->ops != NULL && service->ops->limit_running != NULL)
        service->ops->limit_running(service->engine, id, jx_int(settings, "maxRunning", 0));
}

static void running_found(void *arg, const char *id, int64_t limit)
{
    const struct service *service = arg;
    service->ops->limit_running(service->engine, id, limit);
}

int organization_running_restore(struct service *service, struct error *err)
{
    if (service->ops->limit_running == NULL)
        return 0;
    return store_organization_running_each(service->storage, running_found, service, err);
}

static const char duplicate[] = "an organization of this name exists";
#define CHANGED "the organization was changed since"

/* ---- use cases ---- */

int organization_list(struct service *service, const struct principal *who,
                      const struct list_query *query, json_t **page_r, struct error *err)
{
    int operated = of_installation(service, who, err);
    if (operated < 0)
        return -1;
    const struct resource any = {
        .organization_id = "", .kind = RESOURCE_ORGANIZATION, .operated = operated == 1};
    const struct c9d_value scope[] = {list_text(who->user_id),
                                      list_int(permission_has(who, ACTION_ADMIN, &any))};
    return service_list(service, &store_organization_list, query, scope, page_r, err);
}

int organization_create(struct service *service, const struct principal *who, const json_t *body,
                        json_t **organization_r, struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_DUPLICATE_NAME, duplicate},
                                                {-1, E_NONE, NULL}};
    int operated = of_installation(service, who, err);
    if (operated < 0)
        return -1;
    const struct resource any = {
        .organization_id = "", .kind = RESOURCE_ORGANIZATION, .operated = operated == 1};
    if (!permission_has(who, ACTION_ADMIN, &any))
        return error_set(err, E_INSUFFICIENT_PERMISSIONS,
                         "only owners of the installation's own organization create others");
    if (body_check(body, err) < 0)
        return -1;
    char id[UUID_SIZE];
    const json_t *settings = json_object_get(body, "settings");
    autofree char *text = settings != NULL ? jx_encode(settings, NULL) : xstrdup("{}");
    const struct organization_row row = {.id = uuid_make(id),
                                         .name = jx_str(body, "name", ""),
                                         .settings = text,
                                         .at = clock_wall_us()};
    struct storage_batch *batch = storage_batch_new();
    store_organization_insert(batch, &row);
    store_member_insert(batch, id, who->user_id, "owner", row.at);
    audit_change(service, batch, who, "organization", id, NULL, body);
    autofree char *location = xasprintf("/v1/organizations/%s", id);
    if (service_commit_made(service, who, batch, 201, location, conflicts, err) < 0)
        return -1;
    running_tell(service, id, settings);
    return organization_get(service, who, id, organization_r, err);
}

int organization_get(struct service *service, const struct principal *who, const char *id,
                     json_t **organization_r, struct error *err)
{
    return organization_find(service, who, id, ACTION_READ, organization_r, err);
}

static int edit_once(struct service *service, const struct principal *who, const char *id,
                     const json_t *patch, const int64_t *wanted, json_t **organization_r,
                     struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_PRECONDITION_FAILED, CHANGED}, {1, E_DUPLICATE_NAME, duplicate}, {-1, E_NONE, NULL}};
    jx_auto *organization = NULL;
    if (organization_find(service, who, id, ACTION_ADMIN, &organization, err) < 0)
        return -1;
    int64_t revision = jx_int(organization, "revision", 0);
    if (service_revision_check(revision, wanted, "organization", err) < 0)
        return -1;
    jx_auto *before = body_of(organization);
    jx_auto *after = jx_merge_patch(before, patch);
    if (body_check(after, err) < 0)
        return -1;
    const json_t *settings = json_object_get(after, "settings");
    autofree char *text = settings != NULL ? jx_encode(settings, NULL) : xstrdup("{}");
    const struct organization_row row = {
        .id = id, .name = jx_str(after, "name", ""), .settings = text, .at = clock_wall_us()};
    struct storage_batch *batch = storage_batch_new();
    store_revision_guard(batch, REVISED_ORGANIZATION, id, &revision);
    store_organization_update(batch, &row);
    audit_change(service, batch, who, "organization", id, before, after);
    if (service_commit(service, batch, conflicts, err) < 0)
        return -1;
    running_tell(service, id, settings);
    return organization_get(service, who, id, organization_r, err);
}

int organization_update(struct service *service, const struct principal *who, const char *id,
                        const json_t *patch, const char *if_match, json_t **organization_r,
                        struct error *err)
{
    return service_edit(service, who, id, patch, if_match, edit_once, "organization",
                        organization_r, err);
}

int organization_delete(struct service *service, const struct principal *who, const char *id,
                        const char *if_match, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_PRECONDITION_FAILED, CHANGED},
        {1, E_RESOURCE_IN_USE, "the organization has agents; delete them first"},
        {2, E_INVALID_STATE, "the installation's own organization cannot be deleted"},
        {-1, E_NONE, NULL}};
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    jx_auto *organization = NULL;
    if (conditional < 0 ||
        organization_find(service, who, id, ACTION_ADMIN, &organization, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_revision_guard(batch, REVISED_ORGANIZATION, id, conditional != 0 ? &wanted : NULL);
    store_organization_delete(batch, id, clock_wall_us());
    audit_change(service, batch, who, "organization", id, organization, NULL);
    int result = service_commit(service, batch, conflicts, err);
    token_cache_drop(service->tokens, id);
    return result;
}
