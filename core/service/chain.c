#include "service/chain-private.h"

#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/audit.h"
#include "service/chain_config.h"
#include "service/launch.h"
#include "service/problem.h"
#include "store/chain.h"
#include "store/revision.h"
#include "store/skill.h"
#include "store/version.h"

#define CHANGED   "the chain was changed since"
#define DUPLICATE "an agent or a chain of this name exists in the organization"

/* ---- finding ---- */

int chain_find(struct service *service, const struct principal *who, const char *ref,
               enum action action, struct agent_meta *meta_r, json_t **chain_r, struct error *err)
{
    int read = uuid_valid(ref, strlen(ref))
                   ? store_agent_get(service->storage, ref, who->user_id, meta_r, NULL, err)
                   : store_agent_get_by_name(service->storage, who->organization_id, ref,
                                             who->user_id, meta_r, NULL, err);
    if (read < 0)
        return -1;
    if (meta_r->id[0] == '\0' || !meta_r->chain)
        return permission_unseen(E_CHAIN_NOT_FOUND, "chain", ref, err);
    const struct resource resource = agent_resource(meta_r);
    if (permission_require(who, action, &resource, E_CHAIN_NOT_FOUND, "chain", ref, err) < 0)
        return -1;
    if (chain_r == NULL)
        return 0;
    if (store_chain_get(service->storage, meta_r->id, chain_r, err) < 0)
        return -1;
    return *chain_r != NULL ? 0 : permission_unseen(E_CHAIN_NOT_FOUND, "chain", ref, err);
}

int chain_version(struct service *service, const char *id, const char *version, json_t **version_r,
                  const json_t **steps_r, struct error *err)
{
    if (store_version_get(service->storage, id, version, version_r, err) < 0)
        return -1;
    if (*version_r == NULL)
        return error_set(err, E_VERSION_NOT_FOUND, "chain %s has no version %.64s", id, version);
    const json_t *pins = json_object_get(*version_r, "pins");
    *steps_r = json_object_get(json_object_get(pins, "plan"), "steps");
    return 0;
}

int chain_get(struct service *service, const struct principal *who, const char *id,
              json_t **chain_r, struct error *err)
{
    struct agent_meta meta;
    return chain_find(service, who, id, ACTION_READ, &meta, chain_r, err);
}

int chain_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err)
{
    const struct c9d_value scope[] = {list_text(who->organization_id)};
    return service_list(service, &store_chain_list, query, scope, page_r, err);
}

int chain_executable(struct service *service, const struct principal *who, const char *id,
                     struct error *err)
{
    struct agent_meta meta;
    return chain_find(service, who, id, ACTION_EXECUTE, &meta, NULL, err);
}

/* ---- checking ---- */

static const char *const members[] = {"name", "description", "chainConfig", "status"};

/* What a client decides, of a chain as it is shown, or of what he sent. */
static json_t *body_of(const json_t *chain)
{
    json_t *body = json_object();
    for (size_t i = 0; i < countof(members); i++) {
        json_t *value = json_object_get(chain, members[i]);
        if (value != NULL && !json_is_null(value))
            json_object_set(body, members[i], value);
    }
    return body;
}

static void status_check(const json_t *body, json_t *problems)
{
    static const char *const states[] = {"active", "inactive", "deprecated"};
    const char *status = jx_str(body, "status", NULL);
    if (json_object_get(body, "status") == NULL)
        return;
    for (size_t i = 0; status != NULL && i < countof(states); i++)
        if (strcmp(status, states[i]) == 0)
            return;
    problem_add(problems, "/status", "must be active, inactive or deprecated");
}

static int body_require(struct service *service, const struct principal *who, const char *id,
                        const json_t *body, json_t **plan_r, struct error *err)
{
    enum { DESCRIPTION_MAX = 40000 };
    jx_auto *problems = json_array();
    jx_auto *warnings = json_array();
    const json_t *description = json_object_get(body, "description");
    problem_unknown_members(problems, "", body, members, countof(members));
    service_name_check(body, problems);
    if (description != NULL &&
        (!json_is_string(description) || json_string_length(description) > DESCRIPTION_MAX))
        problem_add(problems, "/description", "must be a text of at most %d bytes",
                    DESCRIPTION_MAX);
    status_check(body, problems);
    if (chain_config_check(service, who, id, json_object_get(body, "chainConfig"), "/chainConfig",
                           problems, warnings, plan_r, err) < 0)
        return -1;
    if (json_array_size(problems) == 0)
        return 0;
    json_decref(move_ptr(plan_r));
    return problem_raise(problems, E_INVALID_CHAIN, "chain", err);
}

int chain_validate(struct service *service, const struct principal *who, const json_t *config,
                   json_t **result_r, struct error *err)
{
    jx_auto *errors = json_array();
    jx_auto *warnings = json_array();
    jx_auto *plan = NULL;
    if (chain_config_check(service, who, NULL, config, "", errors, warnings, &plan, err) < 0)
        return -1;
    *result_r = json_pack("{s:b, s:O, s:O}", "valid", json_array_size(errors) == 0, "errors",
                          errors, "warnings", warnings);
    return 0;
}

/* ---- what runs ---- */

/* The chain's timeout is the loop's to keep; this bounds the loop, should waits count. */
static json_t *limits_of(const json_t *config)
{
    enum { SPARE_MS = 60000 };
    const json_t *given = json_object_get(config, "limits"),
                 *timeout = json_object_get(config, "timeout");
    json_t *limits = given != NULL ? json_copy((json_t *)given) : json_object();
    static const char *const most[] = {"requests", "emitCount"}; /* as many as its steps take */
    for (size_t i = 0; i < countof(most); i++)
        if (json_object_get(limits, most[i]) == NULL)
            json_object_set_new(limits, most[i], json_integer(INT32_MAX));
    if (json_object_get(limits, "wallTimeMs") == NULL && timeout != NULL)
        json_object_set_new(limits, "wallTimeMs",
                            json_integer(json_integer_value(timeout) + SPARE_MS));
    return limits;
}

/* The chain as an agent's configuration. */
static json_t *agent_of(const json_t *body)
{
    json_t *config = json_object_get(body, "chainConfig");
    return json_pack("{s:O, s:O*, s:[], s:s, s:{}, s:{s:o}, s:s, s:{}, s:O}", "name",
                     json_object_get(body, "name"), "description",
                     json_object_get(body, "description"), "skillset", "triggerMode", "manual",
                     "triggerConfig", "executionConfig", "limits", limits_of(config), "visibility",
                     "organization", "metadata", "chain", config);
}

/* A published version of what the chain is now: three statements and the loop's source. */
static int version_add(struct service *service, struct storage_batch *batch,
                       const struct principal *who, const struct chain_row *row,
                       const json_t *agent, json_t *plan, struct error *err)
{
    const struct loop_skill *loop = &service->loops[LOOP_CHAIN];
    jx_auto *pins = NULL;
    char id[UUID_SIZE];
    if (launch_pins(service, who->organization_id, agent, &pins, err) < 0)
        return -1;
    json_object_set(pins, "plan", plan);
    autofree char *config_text = jx_encode(agent, NULL), *pins_text = jx_encode(pins, NULL);
    const struct version_row version = {.id = uuid_make(id),
                                        .agent_id = row->id,
                                        .version = row->version,
                                        .config = config_text,
                                        .user_id = who->user_id,
                                        .at = row->at};
    store_version_insert(batch, &version);
    store_version_publish(batch, row->id, row->version, 1, pins_text, NULL, row->at);
    store_source_insert(batch, loop->sha256, loop->source, loop->len, loop->manifest);
    return 0;
}

/* The chain's row from a body that was checked; owns what it points to but the ids. */
struct chain_texts {
    struct chain_row row;
    char *config;
    char version[STORE_VERSION_SIZE];
};

static void texts_set(struct chain_texts *texts, const json_t *body, const struct principal *who,
                      const char *id)
{
    texts->config = jx_encode(json_object_get(body, "chainConfig"), NULL);
    texts->row = (struct chain_row){.id = id,
                                    .name = jx_str(body, "name", NULL),
                                    .description = jx_str(body, "description", NULL),
                                    .user_id = who->user_id,
                                    .organization_id = who->organization_id,
                                    .config = texts->config,
                                    .status = jx_str(body, "status", "active"),
                                    .version = texts->version,
                                    .at = clock_wall_us()};
}

static void texts_clear(struct chain_texts *texts)
{
    free(texts->config);
}

static struct agent_columns columns_of(const struct chain_row *row, const char *execution_config)
{
    return (struct agent_columns){.name = row->name,
                                  .description = row->description,
                                  .skillset = "[]",
                                  .trigger_mode = "manual",
                                  .trigger_config = "{}",
                                  .execution_config = execution_config,
                                  .visibility = "organization",
                                  .metadata = "{}"};
}

/* ---- changing ---- */

int chain_create(struct service *service, const struct principal *who, const json_t *body,
                 json_t **chain_r, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_ORGANIZATION_LIMIT_EXCEEDED,
         "the organization has as many agents and chains as its settings.maxAgents, or [limits] "
         "agents, allows"},
        {1, E_DUPLICATE_NAME, DUPLICATE},
        {-1, E_NONE, NULL}};
    jx_auto *plan = NULL;
    jx_auto *given = body_of(body);
    if (permission_create(who, "chains", err) < 0 ||
        body_require(service, who, NULL, given, &plan, err) < 0)
        return -1;
    char id[UUID_SIZE];
    cleanup(texts_clear) struct chain_texts texts = {.version = "1.0.0"};
    texts_set(&texts, given, who, uuid_make(id));
    jx_auto *agent = agent_of(given);
    autofree char *execution_config = jx_encode(json_object_get(agent, "executionConfig"), NULL);
    const struct agent_columns columns = columns_of(&texts.row, execution_config);
    struct storage_batch *batch = storage_batch_new();
    store_agent_limit(batch, who->organization_id, service->agents_max);
    store_agent_insert(batch, id, who->user_id, who->organization_id, &columns, texts.row.at);
    store_chain_insert(batch, &texts.row);
    if (version_add(service, batch, who, &texts.row, agent, plan, err) < 0) {
        storage_batch_free(batch);
        return -1;
    }
    autofree char *location = xasprintf("/v1/chains/%s", id);
    audit_change(service, batch, who, "chain", id, NULL, given);
    if (service_commit_made(service, who, batch, 201, location, conflicts, err) < 0)
        return -1;
    return chain_get(service, who, id, chain_r, err);
}

/* A chain whose name or configuration changes gets a version more, numbered by the edit. */
static int edit_once(struct service *service, const struct principal *who, const char *id,
                     const json_t *patch, const int64_t *wanted, json_t **chain_r,
                     struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_PRECONDITION_FAILED, CHANGED}, {1, E_DUPLICATE_NAME, DUPLICATE}, {-1, E_NONE, NULL}};
    struct agent_meta meta;
    jx_auto *chain = NULL, *plan = NULL;
    if (chain_find(service, who, id, ACTION_WRITE, &meta, &chain, err) < 0 ||
        service_revision_check(meta.revision, wanted, "chain", err) < 0)
        return -1;
    jx_auto *before = body_of(chain);
    jx_auto *merged = jx_merge_patch(before, patch);
    jx_auto *after = body_of(merged);
    jx_auto *old_agent = agent_of(before);
    jx_auto *agent = agent_of(after);
    bool runs_other = !json_equal(old_agent, agent);
    if (body_require(service, who, meta.id, after, &plan, err) < 0)
        return -1;
    cleanup(texts_clear) struct chain_texts texts = {.config = NULL};
    texts_set(&texts, after, who, meta.id);
    if (runs_other)
        snprintf(texts.version, sizeof(texts.version), "%lld.0.0", (long long)meta.revision + 1);
    else
        snprintf(texts.version, sizeof(texts.version), "%s", meta.current_version);
    autofree char *execution_config = jx_encode(json_object_get(agent, "executionConfig"), NULL);
    const struct agent_columns columns = columns_of(&texts.row, execution_config);
    struct storage_batch *batch = storage_batch_new();
    store_revision_guard(batch, REVISED_AGENT, meta.id, &meta.revision);
    store_agent_update(batch, meta.id, &columns, texts.row.at);
    store_chain_update(batch, &texts.row);
    if (runs_other && version_add(service, batch, who, &texts.row, agent, plan, err) < 0) {
        storage_batch_free(batch);
        return -1;
    }
    audit_change(service, batch, who, "chain", meta.id, before, after);
    if (service_commit(service, batch, conflicts, err) < 0)
        return -1;
    return chain_get(service, who, meta.id, chain_r, err);
}

int chain_update(struct service *service, const struct principal *who, const char *id,
                 const json_t *patch, const char *if_match, json_t **chain_r, struct error *err)
{
    if (!json_is_object(patch))
        return error_set(err, E_INVALID_REQUEST, "the patch must be an object (RFC 7396)");
    return service_edit(service, who, id, patch, if_match, edit_once, "chain", chain_r, err);
}

int chain_delete(struct service *service, const struct principal *who, const char *id,
                 const char *if_match, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_PRECONDITION_FAILED, CHANGED},
        {1, E_INVALID_STATE,
         "executions of the chain are pending or running: cancel them or wait for their end"},
        {-1, E_NONE, NULL}};
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    struct agent_meta meta;
    jx_auto *chain = NULL;
    if (conditional < 0 || chain_find(service, who, id, ACTION_ADMIN, &meta, &chain, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_revision_guard(batch, REVISED_AGENT, meta.id, conditional != 0 ? &wanted : NULL);
    store_chain_delete(batch, meta.id);
    audit_change(service, batch, who, "chain", meta.id, chain, NULL);
    return service_commit(service, batch, conflicts, err);
}
