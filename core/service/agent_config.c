#include "service/agent_config.h"

#include <inttypes.h>
#include <string.h>

#include "schema/schema.h"
#include "service/limits.h"
#include "service/policy.h"
#include "service/problem.h"
#include "service/service-private.h"
#include "service/trigger.h"
#include "store/persona.h"
#include "store/skill.h"

enum { NAME_CHARS = 128, DESCRIPTION_CHARS = 10000, HINT_SKILLS = 500 };

/* A configuration being checked. */
struct check {
    struct service *service;
    const char *organization_id;
    const json_t *config;
    json_t *errors, *warnings;
    struct error *err;
};

/* ---- texts ---- */

static size_t characters(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}

static bool has_control(const char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return true;
    return false;
}

static int check_name(struct check *c, const char *path, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t n = text != NULL ? characters(text, json_string_length(value)) : 0;
    if (n < 1 || n > NAME_CHARS)
        problem_add(c->errors, path, "must be a text of 1 to %d characters", NAME_CHARS);
    else if (has_control(text))
        problem_add(c->errors, path, "must not have control characters");
    else if (uuid_valid(text, json_string_length(value)))
        problem_add(c->errors, path, "must not look like an id, since agents are found by both");
    return 0;
}

static int check_description(struct check *c, const char *path, const json_t *value)
{
    if (!json_is_string(value) ||
        characters(json_string_value(value), json_string_length(value)) > DESCRIPTION_CHARS)
        problem_add(c->errors, path, "must be a text of at most %d characters", DESCRIPTION_CHARS);
    return 0;
}

static void check_choice(struct check *c, const char *path, const json_t *value,
                         const char *const *choices, size_t n, const char *all)
{
    const char *text = json_string_value(value);
    for (size_t i = 0; text != NULL && i < n; i++)
        if (strcmp(choices[i], text) == 0)
            return;
    autofree char *hint = problem_hint(text != NULL ? text : "", choices, n);
    problem_add(c->errors, path, "must be one of %s%s", all, hint);
}

static int check_trigger_mode(struct check *c, const char *path, const json_t *value)
{
    static const char *const modes[] = {"manual", "event", "scheduled"};
    check_choice(c, path, value, modes, countof(modes), "manual, event, scheduled");
    return 0;
}

static int check_visibility(struct check *c, const char *path, const json_t *value)
{
    static const char *const visibilities[] = {"private", "team", "organization", "public"};
    check_choice(c, path, value, visibilities, countof(visibilities),
                 "private, team, organization, public");
    return 0;
}

/* ---- objects and schemas ---- */

static bool check_size(struct check *c, const char *path, const json_t *value)
{
    buf_auto text = BUF_INIT;
    jx_append(&text, value);
    if (text.len <= (size_t)c->service->object_max)
        return true;
    problem_add(c->errors, path, "has %zu bytes as JSON; [limits] object allows %" PRId64, text.len,
                c->service->object_max);
    return false;
}

static int check_object(struct check *c, const char *path, const json_t *value)
{
    if (!json_is_object(value))
        problem_add(c->errors, path, "must be an object");
    else
        check_size(c, path, value);
    return 0;
}

static int check_schema(struct check *c, const char *path, const json_t *value)
{
    if (!json_is_object(value) && !json_is_boolean(value)) {
        problem_add(c->errors, path, "must be a JSON Schema: an object, true or false");
        return 0;
    }
    if (!check_size(c, path, value))
        return 0;
    error_auto err = ERROR_INIT;
    schema_auto *schema = schema_cache_get(value, &err);
    if (schema == NULL)
        problem_add_error(c->errors, path, &err);
    return 0;
}

/* ---- what must exist ---- */

static int check_persona(struct check *c, const char *path, const json_t *value)
{
    const char *id = json_string_value(value);
    if (id == NULL || !uuid_valid(id, json_string_length(value))) {
        problem_add(c->errors, path, "must be a UUID in lower case");
        return 0;
    }
    struct persona_meta meta;
    jx_auto *persona = NULL;
    if (store_persona_get(c->service->storage, id, c->organization_id, &meta, &persona, c->err) < 0)
        return -1;
    if (persona == NULL)
        problem_add(c->errors, path, "there is no persona %s", id);
    return 0;
}

static bool array_has(const json_t *array, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        const char *other = json_string_value(json_array_get(array, i));
        if (other != NULL && strcmp(other, text) == 0)
            return true;
    }
    return false;
}

/* The nearest of those there are. */
static int missing_skill(struct check *c, const char *path, const char *name)
{
    jx_auto *names = NULL;
    if (store_skill_names(c->service->storage, c->organization_id, HINT_SKILLS, &names, c->err) < 0)
        return -1;
    size_t n = json_array_size(names);
    autofree const char **texts = xcalloc(n, sizeof(*texts));
    for (size_t i = 0; i < n; i++)
        texts[i] = json_string_value(json_array_get(names, i));
    autofree char *hint = problem_hint(name, texts, n);
    problem_add(c->errors, path, "there is no skill '%.64s'%s", name, hint);
    return 0;
}

static int check_skill(struct check *c, const char *path, const json_t *skillset, size_t i)
{
    const char *name = json_string_value(json_array_get(skillset, i));
    if (name == NULL) {
        problem_add(c->errors, path, "must be the name of a skill");
        return 0;
    }
    if (array_has(skillset, i, name)) {
        problem_add(c->errors, path, "'%.64s' is there twice", name);
        return 0;
    }
    struct skill_meta meta;
    if (store_skill_find(c->service->storage, c->organization_id, name, &meta, c->err) < 0)
        return -1;
    /* Skills are found by id too, but a skillset names them. */
    if (meta.id[0] == '\0' || strcmp(meta.name, name) != 0)
        return missing_skill(c, path, name);
    return 0;
}

static int check_skillset(struct check *c, const char *path, const json_t *value)
{
    if (!json_is_array(value) || json_array_size(value) > (size_t)c->service->skills_max) {
        problem_add(c->errors, path, "must be an array of at most %" PRId64 " names of skills",
                    c->service->skills_max);
        return 0;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        autofree char *place = xasprintf("%s/%zu", path, i);
        if (check_skill(c, place, value, i) < 0)
            return -1;
    }
    return 0;
}

/* ---- executionConfig ---- */

static int check_entrypoint(struct check *c, const char *path, const json_t *value)
{
    const char *name = json_string_value(value);
    const json_t *skillset = json_object_get(c->config, "skillset");
    size_t n = json_array_size(skillset);
    if (name != NULL && array_has(skillset, n, name))
        return 0;
    autofree const char **names = xcalloc(n, sizeof(*names));
    size_t n_names = 0;
    for (size_t i = 0; i < n; i++)
        if (json_is_string(json_array_get(skillset, i)))
            names[n_names++] = json_string_value(json_array_get(skillset, i));
    autofree char *hint = problem_hint(name != NULL ? name : "", names, n_names);
    problem_add(c->errors, path, "must be the name of a skill in the skillset%s", hint);
    return 0;
}

static int check_provider(struct check *c, const char *path, const json_t *value)
{
    const char *name = json_string_value(value);
    const struct service *service = c->service;
    if (name == NULL || name[0] == '\0' || json_string_length(value) > 64) {
        problem_add(c->errors, path, "must be the name of a [model NAME] of the configuration");
        return 0;
    }
    for (size_t i = 0; i < service->n_models; i++)
        if (strcmp(service->models[i], name) == 0)
            return 0;
    autofree char *hint =
        problem_hint(name, (const char *const *)service->models, service->n_models);
    if (service->n_models > 0)
        problem_add(c->errors, path, "there is no [model %s] in the configuration%s", name, hint);
    return 0;
}

static int check_model(struct check *c, const char *path, const json_t *value)
{
    if (!json_is_string(value) || json_string_length(value) == 0 || json_string_length(value) > 256)
        problem_add(c->errors, path, "must be a text of 1 to 256 bytes");
    return 0;
}

static int check_temperature(struct check *c, const char *path, const json_t *value)
{
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= 0 && number <= 2))
        problem_add(c->errors, path, "must be a number from 0 to 2");
    return 0;
}

static void check_count(struct check *c, const char *path, const json_t *value, int64_t max)
{
    int64_t number = json_is_integer(value) ? json_integer_value(value) : 0;
    if (number < 1 || number > max)
        problem_add(c->errors, path, "must be an integer from 1 to %" PRId64, max);
}

static int check_tokens(struct check *c, const char *path, const json_t *value)
{
    check_count(c, path, value, 10000000);
    return 0;
}

static int check_total_tokens(struct check *c, const char *path, const json_t *value)
{
    check_count(c, path, value, INT64_C(1000000000000));
    return 0;
}

static int check_steps(struct check *c, const char *path, const json_t *value)
{
    check_count(c, path, value, 1000);
    return 0;
}

static int check_limits(struct check *c, const char *path, const json_t *value)
{
    limits_check(c->service->config, value, path, c->errors);
    return 0;
}

static int check_retry(struct check *c, const char *path, const json_t *value)
{
    policy_check_retry(value, path, c->errors);
    return 0;
}

static int check_concurrency(struct check *c, const char *path, const json_t *value)
{
    policy_check_concurrency(value, path, c->errors);
    return 0;
}

/* ---- the tables ---- */

struct member {
    const char *name;
    bool required;
    int (*check)(struct check *c, const char *path, const json_t *value); /* 0, or -1 with c->err */
    const char *otherwise; /* JSON text of the default, NULL: left out */
};

static int check_execution_config(struct check *c, const char *path, const json_t *value);

static const struct member config_members[] = {
    {"name", true, check_name, NULL},
    {"description", false, check_description, NULL},
    {"personaId", false, check_persona, NULL},
    {"skillset", false, check_skillset, "[]"},
    {"inputSchema", false, check_schema, NULL},
    {"outputSchema", false, check_schema, NULL},
    {"triggerMode", false, check_trigger_mode, "\"manual\""},
    {"triggerConfig", false, check_object, "{}"},
    {"executionConfig", false, check_execution_config, "{}"},
    {"visibility", false, check_visibility, "\"private\""},
    {"metadata", false, check_object, "{}"},
};

static const struct member execution_members[] = {
    {"entrypoint", false, check_entrypoint, NULL},
    {"provider", false, check_provider, NULL},
    {"model", false, check_model, NULL},
    {"temperature", false, check_temperature, NULL},
    {"maxTokens", false, check_tokens, NULL},
    {"maxSteps", false, check_steps, NULL},
    {"maxTotalTokens", false, check_total_tokens, NULL},
    {"limits", false, check_limits, NULL},
    {"retry", false, check_retry, NULL},
    {"concurrency", false, check_concurrency, NULL},
};

static void check_unknown(struct check *c, const char *path, const json_t *object,
                          const struct member *table, size_t n)
{
    const char *names[countof(config_members) + countof(execution_members)] = {NULL};
    for (size_t i = 0; i < n; i++)
        names[i] = table[i].name;
    problem_unknown_members(c->errors, path, object, names, n);
}

static int check_members(struct check *c, const char *path, const json_t *object,
                         const struct member *table, size_t n)
{
    check_unknown(c, path, object, table, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(object, table[i].name);
        autofree char *place = problem_path(path, table[i].name);
        bool given = value != NULL && !json_is_null(value);
        if (!given && table[i].required)
            problem_add(c->errors, place, "is required");
        else if (given && table[i].check(c, place, value) < 0)
            return -1;
    }
    return 0;
}

static int check_execution_config(struct check *c, const char *path, const json_t *value)
{
    if (!json_is_object(value)) {
        problem_add(c->errors, path, "must be an object");
        return 0;
    }
    return check_members(c, path, value, execution_members, countof(execution_members));
}

/* What will be accepted, and is probably not meant. */
static void check_meaning(struct check *c)
{
    static const char *const of_the_loop[] = {"provider",  "model",    "temperature",
                                              "maxTokens", "maxSteps", "maxTotalTokens"};
    const json_t *execution = json_object_get(c->config, "executionConfig");
    bool has_entrypoint = json_is_string(json_object_get(execution, "entrypoint"));
    if (!has_entrypoint && c->service->n_models == 0)
        problem_add(c->warnings, "/executionConfig",
                    "without an entrypoint the agent loop asks a model, and none is configured");
    for (size_t i = 0; has_entrypoint && i < countof(of_the_loop); i++) {
        autofree char *path = problem_path("/executionConfig", of_the_loop[i]);
        if (json_object_get(execution, of_the_loop[i]) != NULL)
            problem_add(
                c->warnings, path,
                "is for the agent loop; the entrypoint only finds it in ctx.agent.settings");
    }
    if (has_entrypoint && json_is_string(json_object_get(c->config, "personaId")))
        problem_add(c->warnings, "/personaId",
                    "is for the agent loop; the entrypoint only finds it in ctx.agent.persona");
}

int agent_config_check(struct service *service, const char *organization_id, const json_t *config,
                       json_t *errors, json_t *warnings, struct error *err)
{
    struct check c = {service, organization_id, config, errors, warnings, err};
    if (!json_is_object(config)) {
        problem_add(errors, "", "must be an object");
        return 0;
    }
    if (check_members(&c, "", config, config_members, countof(config_members)) < 0)
        return -1;
    trigger_check(service, config, errors);
    check_meaning(&c);
    return 0;
}

int agent_config_require(struct service *service, const char *organization_id, const json_t *config,
                         struct error *err)
{
    jx_auto *errors = json_array();
    jx_auto *warnings = json_array();
    if (agent_config_check(service, organization_id, config, errors, warnings, err) < 0)
        return -1;
    return problem_raise(errors, E_INVALID_AGENT_CONFIG, "agent", err);
}

/* ---- shapes ---- */

json_t *agent_config_of(const json_t *object)
{
    json_t *config = json_object();
    for (size_t i = 0; i < countof(config_members); i++) {
        const struct member *member = &config_members[i];
        json_t *value = json_object_get(object, member->name);
        if (value != NULL && !json_is_null(value))
            json_object_set(config, member->name, value);
        else if (member->otherwise != NULL)
            json_object_set_new(config, member->name,
                                json_loads(member->otherwise, JSON_DECODE_ANY, NULL));
    }
    return config;
}

void agent_config_to_columns(const json_t *config, struct agent_config_columns *out)
{
    static const char *const encoded[] = {"skillset",      "inputSchema",     "outputSchema",
                                          "triggerConfig", "executionConfig", "metadata"};
    for (size_t i = 0; i < countof(encoded); i++) {
        const json_t *value = json_object_get(config, encoded[i]);
        out->owned[i] = value != NULL ? jx_encode(value, NULL) : NULL;
    }
    out->columns = (struct agent_columns){
        .name = jx_str(config, "name", ""),
        .description = jx_str(config, "description", NULL),
        .persona_id = jx_str(config, "personaId", NULL),
        .trigger_mode = jx_str(config, "triggerMode", "manual"),
        .visibility = jx_str(config, "visibility", "private"),
        .skillset = out->owned[0],
        .input_schema = out->owned[1],
        .output_schema = out->owned[2],
        .trigger_config = out->owned[3],
        .execution_config = out->owned[4],
        .metadata = out->owned[5],
    };
}

void agent_config_columns_free(struct agent_config_columns *out)
{
    for (size_t i = 0; i < countof(out->owned); i++)
        free(out->owned[i]);
}
