#include "service/persona.h"

#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/audit.h"
#include "service/problem.h"
#include "service/service-private.h"
#include "store/persona.h"
#include "store/revision.h"

enum { NAME_MAX_LEN = 800, DESCRIPTION_MAX = 40000, PROMPT_MAX = 400000 };
#define CHANGED "the persona was changed since"

struct member {
    const char *name;
    bool required;
    size_t max; /* bytes */
};
static const struct member members[] = {
    {"name", true, NAME_MAX_LEN},
    {"description", false, DESCRIPTION_MAX},
    {"prompt", true, PROMPT_MAX},
};

static bool absent(const json_t *value)
{
    return value == NULL || json_is_null(value);
}

static void unknown_check(const json_t *body, json_t *problems)
{
    const char *names[countof(members)];
    for (size_t i = 0; i < countof(members); i++)
        names[i] = members[i].name;
    problem_unknown_members(problems, "", body, names, countof(names));
}

static int body_check(const json_t *body, struct error *err)
{
    jx_auto *problems = json_array();
    unknown_check(body, problems);
    for (size_t i = 0; i < countof(members); i++) {
        const struct member *member = &members[i];
        const json_t *value = json_object_get(body, member->name);
        autofree char *path = problem_path("", member->name);
        if (absent(value) && !member->required)
            continue;
        size_t len = json_string_length(value);
        if (!json_is_string(value) || (member->required && len == 0) || len > member->max)
            problem_add(problems, path, "must be a text of %d to %zu bytes", member->required,
                        member->max);
    }
    return problem_raise(problems, E_INVALID_REQUEST, "persona", err);
}

static struct persona_row row_of(const json_t *body, const char *id, const struct principal *who)
{
    return (struct persona_row){.id = id,
                                .name = jx_str(body, "name", NULL),
                                .description = jx_str(body, "description", NULL),
                                .prompt = jx_str(body, "prompt", NULL),
                                .user_id = who->user_id,
                                .organization_id = who->organization_id,
                                .at = clock_wall_us()};
}

static int persona_find(struct service *service, const struct principal *who, const char *id,
                        enum action action, struct persona_meta *meta_r, json_t **persona_r,
                        struct error *err)
{
    jx_auto *persona = NULL;
    if (store_persona_get(service->storage, id, who->organization_id, meta_r, &persona, err) < 0)
        return -1;
    if (persona == NULL)
        return permission_unseen(E_PERSONA_NOT_FOUND, "persona", id, err);
    struct resource resource = {.organization_id = who->organization_id,
                                .owner_id = meta_r->user_id};
    if (permission_require(who, action, &resource, E_PERSONA_NOT_FOUND, "persona", id, err) < 0)
        return -1;
    *persona_r = move_ptr(&persona);
    return 0;
}

int persona_create(struct service *service, const struct principal *who, const json_t *body,
                   json_t **persona_r, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_DUPLICATE_NAME, "a persona of this name exists in the organization"},
        {-1, E_NONE, NULL}};
    if (permission_create(who, "personas", err) < 0 || body_check(body, err) < 0)
        return -1;
    char id[UUID_SIZE];
    struct persona_row row = row_of(body, uuid_make(id), who);
    struct storage_batch *batch = storage_batch_new();
    store_persona_insert(batch, &row);
    autofree char *location = xasprintf("/v1/personas/%s", id);
    audit_change(service, batch, who, "persona", id, NULL, body);
    if (service_commit_made(service, who, batch, 201, location, conflicts, err) < 0)
        return -1;
    return persona_get(service, who, id, persona_r, err);
}

int persona_get(struct service *service, const struct principal *who, const char *id,
                json_t **persona_r, struct error *err)
{
    struct persona_meta meta;
    return persona_find(service, who, id, ACTION_READ, &meta, persona_r, err);
}

int persona_list(struct service *service, const struct principal *who,
                 const struct list_query *query, json_t **page_r, struct error *err)
{
    const struct c9d_value scope[] = {list_text(who->organization_id)};
    return service_list(service, &store_persona_list, query, scope, page_r, err);
}

/* What may be changed of a persona as it is. */
static json_t *body_of(const json_t *persona)
{
    json_t *body = json_object();
    for (size_t i = 0; i < countof(members); i++) {
        json_t *value = json_object_get(persona, members[i].name);
        if (value != NULL)
            json_object_set(body, members[i].name, value);
    }
    return body;
}

static int edit_once(struct service *service, const struct principal *who, const char *id,
                     const json_t *patch, const int64_t *wanted, json_t **persona_r,
                     struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_PRECONDITION_FAILED, CHANGED},
        {1, E_DUPLICATE_NAME, "a persona of this name exists in the organization"},
        {-1, E_NONE, NULL}};
    struct persona_meta meta;
    jx_auto *persona = NULL;
    if (persona_find(service, who, id, ACTION_WRITE, &meta, &persona, err) < 0 ||
        service_revision_check(meta.revision, wanted, "persona", err) < 0)
        return -1;
    jx_auto *before = body_of(persona);
    jx_auto *body = jx_merge_patch(before, patch);
    if (body_check(body, err) < 0)
        return -1;
    const struct persona_row row = row_of(body, id, who);
    struct storage_batch *batch = storage_batch_new();
    store_revision_guard(batch, REVISED_PERSONA, id, &meta.revision);
    store_persona_update(batch, &row);
    audit_change(service, batch, who, "persona", id, before, body);
    if (service_commit(service, batch, conflicts, err) < 0)
        return -1;
    return persona_get(service, who, id, persona_r, err);
}

int persona_update(struct service *service, const struct principal *who, const char *id,
                   const json_t *patch, const char *if_match, json_t **persona_r, struct error *err)
{
    return service_edit(service, who, id, patch, if_match, edit_once, "persona", persona_r, err);
}

int persona_delete(struct service *service, const struct principal *who, const char *id,
                   const char *if_match, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_PRECONDITION_FAILED, CHANGED},
        {1, E_RESOURCE_IN_USE, "the persona is used by agents"},
        {-1, E_NONE, NULL}};
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    struct persona_meta meta;
    jx_auto *persona = NULL, *agents = NULL;
    if (conditional < 0 || persona_find(service, who, id, ACTION_WRITE, &meta, &persona, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_revision_guard(batch, REVISED_PERSONA, id, conditional != 0 ? &wanted : NULL);
    store_persona_delete(batch, id);
    audit_change(service, batch, who, "persona", id, persona, NULL);
    error_auto failure = ERROR_INIT;
    if (service_commit(service, batch, conflicts, &failure) == 0)
        return 0;
    if (failure.code == E_RESOURCE_IN_USE &&
        store_persona_agents(service->storage, id, &agents, NULL) == 0)
        error_detail(&failure, "agents", move_ptr(&agents));
    return error_move(err, &failure);
}
