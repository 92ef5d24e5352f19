#include "service/chain_config.h"

#include <string.h>

#include "schema/schema.h"
#include "service/chain_agent.h"
#include "service/chain_expr.h"
#include "service/limits.h"
#include "service/problem.h"
#include "service/service-private.h"

enum { STEPS_MAX = 1000, MAPPING_MAX = 1000 /* as the shape has them */ };

/* ---- shape ---- */

/* The schemas ChainConfig and ChainStep of api/openapi.json, without their texts. */
static const char shape[] =
    "{\"$defs\":{"
    "\"mapping\":{\"type\":\"object\",\"maxProperties\":1000,\"additionalProperties\":{\"type\":\"string\"}},"
    "\"name\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_-]{1,64}$\"},"
    "\"ms\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":31622400000},"
    "\"handling\":{\"type\":\"object\",\"required\":[\"strategy\"],\"properties\":{"
    "\"strategy\":{\"enum\":[\"stop\",\"continue\",\"fallback\"]},"
    "\"fallbackStep\":{\"$ref\":\"#/$defs/name\"}},\"additionalProperties\":false},"
    "\"retry\":{\"type\":\"object\",\"properties\":{"
    "\"maxAttempts\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100},"
    "\"backoffMs\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":604800000},"
    "\"maxBackoffMs\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":604800000},"
    "\"backoffMultiplier\":{\"type\":\"number\",\"minimum\":1,\"maximum\":10},"
    "\"retryOn\":{\"type\":\"array\",\"maxItems\":32,\"items\":{\"type\":\"string\",\"minLength\":1,"
    "\"maxLength\":64}}},\"additionalProperties\":false}},"
    "\"type\":\"object\",\"required\":[\"steps\"],\"properties\":{"
    "\"steps\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":1000,\"items\":{"
    "\"type\":\"object\",\"required\":[\"id\",\"agentId\"],\"properties\":{"
    "\"id\":{\"$ref\":\"#/$defs/name\"},"
    "\"agentId\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":200},"
    "\"version\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":128},"
    "\"inputMapping\":{\"$ref\":\"#/$defs/mapping\"},"
    "\"outputMapping\":{\"$ref\":\"#/$defs/mapping\"},"
    "\"condition\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":10000},"
    "\"timeout\":{\"$ref\":\"#/$defs/ms\"},"
    "\"parallel\":{\"$ref\":\"#/$defs/name\"},"
    "\"onError\":{\"$ref\":\"#/$defs/handling\"},"
    "\"retryPolicy\":{\"$ref\":\"#/$defs/retry\"}},\"additionalProperties\":false}},"
    "\"output\":{\"$ref\":\"#/$defs/mapping\"},"
    "\"errorHandling\":{\"$ref\":\"#/$defs/handling\"},"
    "\"timeout\":{\"$ref\":\"#/$defs/ms\"},"
    "\"retryPolicy\":{\"$ref\":\"#/$defs/retry\"},"
    "\"limits\":{\"type\":\"object\"}},\"additionalProperties\":false}";

static bool shape_check(const json_t *config, const char *path, json_t *errors)
{
    error_auto err = ERROR_INIT;
    jx_auto *document = jx_decode(shape, sizeof(shape) - 1, "the shape of chains", &err);
    schema_auto *schema = document != NULL ? schema_cache_get(document, &err) : NULL;
    if (schema != NULL && schema_validate(schema, config, &err) == 0)
        return true;
    problem_add_error(errors, path, &err);
    return false;
}

/* ---- the steps ---- */

struct step {
    const json_t *json;
    const char *id;
    char *path;
    size_t order; /* 1, 2, 3 … of its group; what stands in for a step has that step's; 0: never */
    bool stands_in;
    json_t *plan; /* borrowed from the plan */
};

struct check {
    struct service *service;
    const struct principal *who;
    const char *chain_id, *path;
    const json_t *config;
    json_t *errors, *warnings;
    struct step *steps;
    size_t n;
    json_t *places;    /* id → index */
    json_t *variables; /* name → order of the first step that writes it */
    json_t *plan, *groups;
    struct error *err; /* of the store */
    /* What is being read at the moment: */
    const char *reading; /* its path */
    size_t order;        /* steps before this one are known */
    bool has_output, has_error, constant;
};

static struct step *step_named(struct check *c, const char *id)
{
    const json_t *place = id != NULL ? json_object_get(c->places, id) : NULL;
    return place != NULL ? &c->steps[json_integer_value(place)] : NULL;
}

static void unknown_step(struct check *c, const char *path, const char *id)
{
    const char **names = xcalloc(c->n, sizeof(*names));
    for (size_t i = 0; i < c->n; i++)
        names[i] = c->steps[i].id;
    autofree char *hint = problem_hint(id, names, c->n);
    problem_add(c->errors, path, "there is no step '%s'%s", id, hint);
    free(names);
}

static void steps_read(struct check *c)
{
    const json_t *steps = json_object_get(c->config, "steps");
    c->n = json_array_size(steps);
    c->steps = xcalloc(c->n, sizeof(*c->steps));
    for (size_t i = 0; i < c->n; i++) {
        struct step *step = &c->steps[i];
        step->json = json_array_get(steps, i);
        step->id = jx_str(step->json, "id", "");
        step->path = xasprintf("%s/steps/%zu", c->path, i);
        autofree char *path = problem_path(step->path, "id");
        if (json_object_get(c->places, step->id) != NULL)
            problem_add(c->errors, path, "is the id of another step too");
        else
            json_object_set_new(c->places, step->id, json_integer((json_int_t)i));
    }
}

/* ---- what happens when one fails ---- */

static bool strategy_is(const json_t *handling, const char *strategy)
{
    return strcmp(jx_str(handling, "strategy", ""), strategy) == 0;
}

static void handling_check(struct check *c, const json_t *handling, const char *path,
                           const struct step *of)
{
    const char *id = jx_str(handling, "fallbackStep", NULL);
    autofree char *place = problem_path(path, "fallbackStep");
    struct step *to = step_named(c, id);
    if (handling == NULL)
        return;
    if (!strategy_is(handling, "fallback")) {
        if (id != NULL)
            problem_add(c->errors, place, "belongs to the strategy fallback");
    } else if (id == NULL) {
        problem_add(c->errors, place, "is needed: the step that takes the place of one that fails");
    } else if (to == NULL) {
        unknown_step(c, place, id);
    } else if (to == of) {
        problem_add(c->errors, place, "is the step itself");
    } else {
        to->stands_in = true;
    }
}

/* What holds for a step: its own, else the chain's, which does not hold for what stands in. */
static const json_t *handling_of(const struct check *c, const struct step *step)
{
    const json_t *own = json_object_get(step->json, "onError");
    if (own != NULL || step->stands_in)
        return own;
    return json_object_get(c->config, "errorHandling");
}

static void handlings_check(struct check *c)
{
    autofree char *path = problem_path(c->path, "errorHandling");
    handling_check(c, json_object_get(c->config, "errorHandling"), path, NULL);
    for (size_t i = 0; i < c->n; i++) {
        autofree char *own = problem_path(c->steps[i].path, "onError");
        handling_check(c, json_object_get(c->steps[i].json, "onError"), own, &c->steps[i]);
    }
    for (size_t i = 0; i < c->n; i++) {
        const struct step *step = &c->steps[i];
        if (!step->stands_in)
            continue;
        autofree char *own = problem_path(step->path, "onError"),
                      *side = problem_path(step->path, "parallel");
        if (strategy_is(json_object_get(step->json, "onError"), "fallback"))
            problem_add(c->errors, own, "a step that stands in for another has no fallback itself");
        if (json_object_get(step->json, "parallel") != NULL)
            problem_add(c->errors, side, "a step that stands in for another runs in its place");
    }
}

/* Neighbours of the same `parallel` run side by side. */
static void orders_set(struct check *c)
{
    const char *group = NULL;
    size_t order = 0;
    for (size_t i = 0; i < c->n; i++) {
        struct step *step = &c->steps[i];
        if (step->stands_in)
            continue;
        const char *own = jx_str(step->json, "parallel", NULL);
        if (order == 0 || own == NULL || group == NULL || strcmp(own, group) != 0) {
            json_array_append_new(c->groups, json_array());
            order++;
        }
        group = own;
        step->order = order;
        json_array_append_new(json_array_get(c->groups, order - 1), json_string(step->id));
        struct step *to = step_named(c, jx_str(handling_of(c, step), "fallbackStep", NULL));
        if (to != NULL && to->order == 0)
            to->order = order;
    }
    if (order == 0 && c->n > 0) {
        autofree char *path = problem_path(c->path, "steps");
        problem_add(c->errors, path, "all of them only stand in for others: none would run");
    }
}

/* ---- paths ---- */

static void step_path_check(struct check *c, const json_t *path)
{
    static const char *const members[] = {"output", "status", "error"};
    const char *id = json_string_value(json_array_get(path, 2));
    const json_t *third = json_array_get(path, 3);
    const struct step *step = step_named(c, id);
    if (id == NULL) {
        problem_add(c->errors, c->reading, "$.steps is followed by the id of a step");
    } else if (step == NULL) {
        unknown_step(c, c->reading, id);
    } else if (step->order == 0 || step->order >= c->order) {
        problem_add(c->errors, c->reading, "$.steps.%s has not run by then", id);
    } else if (third != NULL) {
        const char *name = json_string_value(third);
        for (size_t i = 0; i < countof(members); i++)
            if (name != NULL && strcmp(name, members[i]) == 0)
                return;
        problem_add(c->errors, c->reading, "a step has output, status and error, no %s",
                    name != NULL ? name : "items");
    }
}

static void variable_path_check(struct check *c, const json_t *path)
{
    const char *name = json_string_value(json_array_get(path, 2));
    if (json_array_size(path) == 2)
        return;
    const json_t *order = name != NULL ? json_object_get(c->variables, name) : NULL;
    if (order == NULL || json_integer_value(order) >= (json_int_t)c->order)
        problem_add(c->errors, c->reading, "no step before sets $.vars.%s in its outputMapping",
                    name != NULL ? name : "[…]");
}

static void path_check(void *arg, const json_t *path)
{
    struct check *c = arg;
    const char *root = json_string_value(json_array_get(path, 1));
    c->constant = false;
    if (root == NULL)
        root = "[…]";
    if (strcmp(root, "steps") == 0)
        step_path_check(c, path);
    else if (strcmp(root, "vars") == 0)
        variable_path_check(c, path);
    else if (strcmp(root, "output") == 0 && !c->has_output)
        problem_add(c->errors, c->reading, "$.output is there in an outputMapping only");
    else if (strcmp(root, "error") == 0 && !c->has_error)
        problem_add(c->errors, c->reading,
                    "$.error is there for a step that stands in for another only");
    else if (strcmp(root, "input") != 0 && strcmp(root, "previous") != 0 &&
             strcmp(root, "output") != 0 && strcmp(root, "error") != 0)
        problem_add(c->errors, c->reading,
                    "there is no $.%s: paths begin with $.input, $.previous, $.steps or $.vars",
                    root);
}

/* ---- mappings and conditions ---- */

static json_t *tree_read(struct check *c, const char *path, const json_t *text,
                         json_t *(*parse)(const char *, size_t, struct error *))
{
    error_auto why = ERROR_INIT;
    json_t *tree = parse(json_string_value(text), json_string_length(text), &why);
    if (tree == NULL) {
        problem_add(c->errors, path, "%s", why.message);
        return NULL;
    }
    c->reading = path;
    c->constant = true;
    chain_expr_paths(tree, path_check, c);
    return tree;
}

/* Whether one target is the other, or lies in it. */
static bool targets_meet(const json_t *a, const json_t *b)
{
    size_t n = json_array_size(a), m = json_array_size(b);
    for (size_t i = 0; i < n && i < m; i++)
        if (!json_equal(json_array_get(a, i), json_array_get(b, i)))
            return false;
    return true;
}

static void mapping_row(struct check *c, json_t *rows, const char *path, const char *name,
                        const json_t *text, bool whole)
{
    error_auto why = ERROR_INIT;
    jx_auto *target = chain_target_parse(name, strlen(name), &why);
    jx_auto *value = tree_read(c, path, text, chain_mapping_parse);
    if (target == NULL)
        problem_add(c->errors, path, "the target: %s", why.message);
    else if (json_array_size(target) == 0 && !whole)
        problem_add(c->errors, path, "the target must be the name of a variable");
    for (size_t i = 0; target != NULL && i < json_array_size(rows); i++)
        if (targets_meet(target, json_object_get(json_array_get(rows, i), "target")))
            problem_add(c->errors, path, "another target is a part of this one, or this of it");
    if (target != NULL && value != NULL)
        json_array_append_new(rows, json_pack("{s:O, s:O}", "target", target, "value", value));
}

/* A new array, or NULL when the mapping is not there or has nothing in it. */
static json_t *mapping_read(struct check *c, const json_t *mapping, const char *path, bool whole)
{
    const char *name;
    json_t *text;
    if (!json_is_object(mapping) || json_object_size(mapping) == 0 ||
        json_object_size(mapping) > MAPPING_MAX)
        return NULL;
    json_t *rows = json_array();
    json_object_foreach ((json_t *)mapping, name, text) {
        autofree char *place = problem_path(path, name);
        if (json_is_string(text))
            mapping_row(c, rows, place, name, text, whole);
    }
    return rows;
}

static void set_if(json_t *object, const char *key, json_t *value)
{
    if (value != NULL)
        json_object_set_new(object, key, value);
}

/* The variables that steps write, each with the first step's order. */
static void variables_collect(struct check *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const char *name;
        json_t *text;
        json_object_foreach (json_object_get(c->steps[i].json, "outputMapping"), name, text) {
            error_auto why = ERROR_INIT;
            jx_auto *target = chain_target_parse(name, strlen(name), &why);
            const char *variable = json_string_value(json_array_get(target, 0));
            const json_t *there = variable != NULL ? json_object_get(c->variables, variable) : NULL;
            json_int_t order = (json_int_t)c->steps[i].order;
            if (variable != NULL && (there == NULL || json_integer_value(there) > order))
                json_object_set_new(c->variables, variable, json_integer(order));
        }
    }
}

static void condition_read(struct check *c, struct step *step)
{
    const json_t *text = json_object_get(step->json, "condition");
    autofree char *path = problem_path(step->path, "condition");
    if (!json_is_string(text))
        return;
    json_t *tree = tree_read(c, path, text, chain_condition_parse);
    set_if(step->plan, "condition", tree);
    if (tree != NULL && c->constant)
        problem_add(c->warnings, path, "is always the same: no path is in it");
}

static void expressions_read(struct check *c, struct step *step)
{
    autofree char *input = problem_path(step->path, "inputMapping"),
                  *output = problem_path(step->path, "outputMapping");
    c->order = step->order;
    c->has_output = false;
    c->has_error = step->stands_in;
    condition_read(c, step);
    set_if(step->plan, "input",
           mapping_read(c, json_object_get(step->json, "inputMapping"), input, true));
    c->has_output = true;
    set_if(step->plan, "output",
           mapping_read(c, json_object_get(step->json, "outputMapping"), output, false));
    c->has_output = c->has_error = false;
}

/* ---- the plan ---- */

static json_t *retry_plan(const struct check *c, const struct step *step)
{
    const json_t *policy = json_object_get(step->json, "retryPolicy");
    if (policy == NULL)
        policy = json_object_get(c->config, "retryPolicy");
    const json_t *factor = json_object_get(policy, "backoffMultiplier");
    return json_pack("{s:I, s:I, s:f, s:I, s:O*}", "attempts",
                     (json_int_t)jx_int(policy, "maxAttempts", 1), "backoff_ms",
                     (json_int_t)jx_int(policy, "backoffMs", 1000), "factor",
                     factor != NULL ? json_number_value(factor) : 2.0, "backoff_max_ms",
                     (json_int_t)jx_int(policy, "maxBackoffMs", 60000), "on",
                     json_object_get(policy, "retryOn"));
}

static void step_plan(struct check *c, struct step *step, json_t *steps)
{
    const json_t *handling = handling_of(c, step);
    const char *strategy = jx_str(handling, "strategy", "stop");
    step->plan = json_pack(
        "{s:s, s:s, s:s*, s:O*, s:o, s:s, s:s*}", "id", step->id, "agent",
        jx_str(step->json, "agentId", ""), "version", jx_str(step->json, "version", NULL),
        "timeout_ms", json_object_get(step->json, "timeout"), "retry", retry_plan(c, step),
        "on_error", strategy, "fallback",
        strategy_is(handling, "fallback") ? jx_str(handling, "fallbackStep", NULL) : NULL);
    json_array_append_new(steps, step->plan);
}

static int all_check(struct check *c)
{
    autofree char *output = problem_path(c->path, "output"),
                  *limits_path = problem_path(c->path, "limits");
    const json_t *limits = json_object_get(c->config, "limits"),
                 *timeout = json_object_get(c->config, "timeout");
    json_t *steps = json_array();
    json_object_set_new(c->plan, "steps", steps);
    json_object_set(c->plan, "groups", c->groups);
    steps_read(c);
    handlings_check(c);
    orders_set(c);
    variables_collect(c);
    for (size_t i = 0; i < c->n; i++) {
        step_plan(c, &c->steps[i], steps);
        expressions_read(c, &c->steps[i]);
        const struct chain_step step = {.json = c->steps[i].json,
                                        .input = json_object_get(c->steps[i].plan, "input"),
                                        .path = c->steps[i].path};
        if (chain_agent_check(c->service, c->who, c->chain_id, &step, c->errors, c->warnings,
                              c->err) < 0)
            return -1;
    }
    c->order = c->n + 1;
    set_if(c->plan, "output", mapping_read(c, json_object_get(c->config, "output"), output, true));
    if (timeout != NULL)
        json_object_set(c->plan, "timeout_ms", (json_t *)timeout);
    if (limits != NULL)
        limits_check(c->service->config, limits, limits_path, c->errors);
    return 0;
}

int chain_config_check(struct service *service, const struct principal *who, const char *chain_id,
                       const json_t *config, const char *path, json_t *errors, json_t *warnings,
                       json_t **plan_r, struct error *err)
{
    *plan_r = NULL;
    const json_t *steps = json_object_get(config, "steps");
    bool shaped = shape_check(config, path, errors);
    if (!shaped && (!json_is_array(steps) || json_array_size(steps) > STEPS_MAX))
        return 0;
    jx_auto *places = json_object();
    jx_auto *variables = json_object();
    jx_auto *plan = json_object();
    jx_auto *groups = json_array();
    struct check c = {.service = service,
                      .who = who,
                      .chain_id = chain_id,
                      .path = path,
                      .config = config,
                      .errors = errors,
                      .warnings = warnings,
                      .places = places,
                      .variables = variables,
                      .plan = plan,
                      .groups = groups,
                      .err = err};
    int result = all_check(&c);
    for (size_t i = 0; i < c.n; i++)
        free(c.steps[i].path);
    free(c.steps);
    if (result == 0 && json_array_size(errors) == 0)
        *plan_r = move_ptr(&plan);
    return result;
}

json_t *chain_config_needs(const json_t *config)
{
    json_t *agents = json_array();
    const json_t *steps = json_object_get(config, "steps");
    for (size_t i = 0; i < json_array_size(steps); i++)
        json_array_append_new(agents, json_string(jx_str(json_array_get(steps, i), "agentId", "")));
    return json_pack("{s:{s:o}}", "needs", "agents", agents);
}
