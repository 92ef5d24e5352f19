#include "service/chain_agent.h"

#include <string.h>

#include "service/launch-private.h"
#include "service/problem.h"
#include "service/service-private.h"
#include "service/version.h"
#include "store/version.h"

struct check {
    struct service *service;
    const struct principal *who;
    const char *chain_id;
    json_t *errors, *warnings;
    struct error *err; /* of the store */
};

/* What the store cannot be asked is no problem of the configuration. */
static int agent_problem(struct check *c, const char *path, struct error *why)
{
    if (why->code == E_STORAGE_FAILED || why->code == E_INTERNAL)
        return error_move(c->err, why);
    problem_add(c->errors, path, "%s", why->message);
    return 0;
}

static int named_meta(struct service *service, const char *organization_id, const char *ref,
                      struct agent_meta *meta_r, struct error *err)
{
    if (uuid_valid(ref, strlen(ref)))
        return store_agent_get(service->storage, ref, "", meta_r, NULL, err);
    return store_agent_get_by_name(service->storage, organization_id, ref, "", meta_r, NULL, err);
}

/* Whether a chain, as it is now, comes to the one that is checked. seen: ids. */
static int chain_reaches(struct check *c, const struct agent_meta *chain, json_t *seen,
                         bool *reaches_r)
{
    jx_auto *version = NULL;
    if (strcmp(chain->id, c->chain_id) == 0) {
        *reaches_r = true;
        return 0;
    }
    if (json_object_get(seen, chain->id) != NULL)
        return 0;
    json_object_set_new(seen, chain->id, json_true());
    if (store_version_get(c->service->storage, chain->id, NULL, &version, c->err) < 0)
        return -1;
    const json_t *config = json_object_get(version, "config");
    const json_t *steps = json_object_get(json_object_get(config, "chain"), "steps");
    for (size_t i = 0; !*reaches_r && i < json_array_size(steps); i++) {
        struct agent_meta meta;
        if (named_meta(c->service, chain->organization_id,
                       jx_str(json_array_get(steps, i), "agentId", ""), &meta, c->err) < 0 ||
            (meta.id[0] != '\0' && meta.chain && chain_reaches(c, &meta, seen, reaches_r) < 0))
            return -1;
    }
    return 0;
}

static int cycle_check(struct check *c, const struct agent_meta *meta, const char *path)
{
    bool reaches = false;
    jx_auto *seen = json_object();
    if (c->chain_id == NULL || !meta->chain)
        return 0;
    if (chain_reaches(c, meta, seen, &reaches) < 0)
        return -1;
    if (reaches)
        problem_add(c->errors, path, "%s",
                    strcmp(meta->id, c->chain_id) == 0 ? "is the chain itself"
                                                       : "is a chain that comes to this one again");
    return 0;
}

static bool target_sets(const json_t *rows, const char *name)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *target = json_object_get(json_array_get(rows, i), "target");
        if (json_array_size(target) == 0 ||
            strcmp(json_string_value(json_array_get(target, 0)), name) == 0)
            return true;
    }
    return false;
}

/* A mapping against the agent's input schema, as far as both say what must be there. */
static void input_check(struct check *c, const struct chain_step *step, const json_t *schema)
{
    const json_t *rows = step->input;
    const json_t *required = json_object_get(schema, "required"),
                 *properties = json_object_get(schema, "properties");
    autofree char *path = problem_path(step->path, "inputMapping");
    for (size_t i = 0; rows != NULL && i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (name != NULL && !target_sets(rows, name))
            problem_add(c->errors, path, "leaves out '%s', which the agent's input must have",
                        name);
    }
    if (!json_is_false(json_object_get(schema, "additionalProperties")) ||
        json_object_get(schema, "patternProperties") != NULL)
        return;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *name = json_string_value(
            json_array_get(json_object_get(json_array_get(rows, i), "target"), 0));
        if (name == NULL || json_object_get(properties, name) != NULL)
            continue;
        autofree char *place = problem_path(path, name);
        problem_add(c->errors, place, "the agent's input has no member of this name");
    }
}

static int step_check(struct check *c, const struct chain_step *step)
{
    const char *ref = jx_str(step->json, "agentId", ""),
               *version = jx_str(step->json, "version", NULL);
    autofree char *path = problem_path(step->path, "agentId"),
                  *version_path = problem_path(step->path, "version");
    struct agent_meta meta;
    version_choice_auto choice = {.note = NULL};
    error_auto why = ERROR_INIT;
    if (ref[0] == '\0')
        return 0;
    if (agent_find(c->service, c->who, ref, ACTION_EXECUTE, &meta, NULL, &why) < 0)
        return agent_problem(c, path, &why);
    if (cycle_check(c, &meta, path) < 0)
        return -1;
    if (version_choose(c->service, c->who, &meta, version, "", &choice, &why) < 0)
        return agent_problem(c, version != NULL ? version_path : path, &why);
    const json_t *warnings = json_object_get(choice.note, "warnings");
    for (size_t i = 0; i < json_array_size(warnings); i++)
        problem_add(c->warnings, path, "%s", jx_str(json_array_get(warnings, i), "message", ""));
    struct launch *launch = NULL;
    if (launch_get(c->service, &meta, choice.version, &launch, &why) < 0)
        return agent_problem(c, path, &why);
    input_check(c, step, ((struct launch_whole *)launch)->input_document);
    launch_unref(launch);
    return 0;
}

int chain_agent_check(struct service *service, const struct principal *who, const char *chain_id,
                      const struct chain_step *step, json_t *errors, json_t *warnings,
                      struct error *err)
{
    struct check c = {service, who, chain_id, errors, warnings, err};
    return step_check(&c, step);
}
