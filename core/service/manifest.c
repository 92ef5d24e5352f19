#include "service/manifest.h"

#include <string.h>

#include "schema/schema.h"
#include "service/launch.h"
#include "service/problem.h"
#include "service/semver.h"
#include "service/service-private.h"

enum { NAME_MAX_LEN = 64, DESCRIPTION_MAX = 4096, NEEDS_MAX = 64, NEED_MAX = 256 };

/* Whether it may be a skill's name: lower-case, as tools of models and members of LIKE patterns
 * need it. */
static bool name_valid(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return name[0] >= 'a' && name[0] <= 'z' && name[n] == '\0' && n <= NAME_MAX_LEN;
}

/* ---- needs ---- */

static const char *const need_kinds[] = {"model", "http", "agents", "documents", "secrets"};

static bool need_kind_known(const char *kind)
{
    for (size_t i = 0; i < countof(need_kinds); i++)
        if (strcmp(need_kinds[i], kind) == 0)
            return true;
    return false;
}

/* "*" is any. */
static void model_check(const struct service *service, const char *name, const char *path,
                        json_t *problems)
{
    if (strcmp(name, "*") == 0)
        return;
    for (size_t i = 0; i < service->n_models; i++)
        if (strcmp(service->models[i], name) == 0)
            return;
    autofree char *hint =
        problem_hint(name, (const char *const *)service->models, service->n_models);
    problem_add(problems, path, "there is no [model %s] in the configuration%s", name, hint);
}

static void need_check(const struct service *service, const char *kind, const json_t *values,
                       const char *path, json_t *problems)
{
    if (!json_is_array(values) || json_array_size(values) > NEEDS_MAX) {
        problem_add(problems, path, "must be an array of at most %d texts", NEEDS_MAX);
        return;
    }
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *value = json_array_get(values, i);
        autofree char *place = xasprintf("%s/%zu", path, i);
        if (!json_is_string(value) || json_string_length(value) == 0 ||
            json_string_length(value) > NEED_MAX)
            problem_add(problems, place, "must be a text of 1 to %d bytes", NEED_MAX);
        else if (strcmp(kind, "model") == 0 && service->n_models > 0)
            model_check(service, json_string_value(value), place, problems);
    }
}

/* An empty Lua table comes as an array or as an object, whatever was meant. */
static void empty_as(json_t *object, const char *key, json_t *empty)
{
    const json_t *value = json_object_get(object, key);
    bool is_empty = (json_is_array(value) && json_array_size(value) == 0) ||
                    (json_is_object(value) && json_object_size(value) == 0);
    if (is_empty)
        json_object_set(object, key, empty);
    json_decref(empty);
}

static void needs_check(const struct service *service, json_t *manifest, json_t *problems)
{
    empty_as(manifest, "needs", json_object());
    json_t *needs = json_object_get(manifest, "needs");
    if (needs == NULL)
        return;
    if (!json_is_object(needs)) {
        problem_add(problems, "/needs", "must be a table of lists: %s",
                    "{ model = { \"default\" }, http = { \"example.org\" } }");
        return;
    }
    for (size_t i = 0; i < countof(need_kinds); i++)
        empty_as(needs, need_kinds[i], json_array());
    const char *kind;
    json_t *values;
    json_object_foreach (needs, kind, values) {
        autofree char *path = problem_path("/needs", kind);
        if (need_kind_known(kind)) {
            need_check(service, kind, values, path, problems);
            continue;
        }
        problem_unknown(problems, path, "capability", kind, need_kinds, countof(need_kinds));
    }
}

/* ---- the rest ---- */

static void schema_check(json_t *manifest, const char *key, json_t *problems)
{
    empty_as(manifest, key, json_object());
    const json_t *document = json_object_get(manifest, key);
    if (document == NULL)
        return;
    error_auto err = ERROR_INIT;
    schema_auto *schema = schema_cache_get(document, &err);
    autofree char *path = problem_path("", key);
    if (schema == NULL)
        problem_add_error(problems, path, &err);
}

void manifest_check(const struct service *service, json_t *manifest, json_t *problems)
{
    if (!json_is_object(manifest)) {
        problem_add(problems, "", "the file must return a table with names");
        return;
    }
    const char *name = jx_str(manifest, "name", "");
    if (!name_valid(name))
        problem_add(problems, "/name",
                    "must start with a letter a to z and have 1 to %d of a-z 0-9 _ -",
                    NAME_MAX_LEN);
    else if (strcmp(name, LOOP_NAME) == 0 || strcmp(name, CHAIN_LOOP_NAME) == 0)
        problem_add(problems, "/name", "is the name of a built-in loop");
    if (!semver_valid(jx_str(manifest, "version", "")))
        problem_add(problems, "/version", "must be a semantic version such as 1.0.0");
    const json_t *description = json_object_get(manifest, "description");
    if (description != NULL &&
        (!json_is_string(description) || json_string_length(description) > DESCRIPTION_MAX))
        problem_add(problems, "/description", "must be a text of at most %d bytes",
                    DESCRIPTION_MAX);
    schema_check(manifest, "input", problems);
    schema_check(manifest, "output", problems);
    needs_check(service, manifest, problems);
}

/* ---- unions and differences ---- */

static bool array_has(const json_t *array, const char *text)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (strcmp(json_string_value(json_array_get(array, i)), text) == 0)
            return true;
    return false;
}

void manifest_needs_add(json_t *needs, const json_t *manifest)
{
    const char *kind;
    json_t *values;
    json_object_foreach (json_object_get(manifest, "needs"), kind, values) {
        if (json_object_get(needs, kind) == NULL)
            json_object_set_new(needs, kind, json_array());
        json_t *all = json_object_get(needs, kind);
        for (size_t i = 0; i < json_array_size(values); i++) {
            const char *text = json_string_value(json_array_get(values, i));
            if (text != NULL && !array_has(all, text))
                json_array_append_new(all, json_string(text));
        }
    }
}

static int text_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *manifest_capabilities(const json_t *needs)
{
    size_t n = 0, room = 0;
    const char *kind;
    json_t *values;
    json_object_foreach ((json_t *)needs, kind, values)
        room += json_array_size(values);
    autofree char **texts = xcalloc(room, sizeof(*texts));
    json_object_foreach ((json_t *)needs, kind, values)
        for (size_t i = 0; i < json_array_size(values); i++)
            texts[n++] = xasprintf("%s:%s", kind, json_string_value(json_array_get(values, i)));
    qsort(texts, n, sizeof(*texts), text_order);
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(all, json_string(texts[i]));
        free(texts[i]);
    }
    return all;
}

json_t *manifest_difference(const json_t *of, const json_t *but)
{
    json_t *rest = json_array();
    for (size_t i = 0; i < json_array_size(of); i++)
        if (!array_has(but, json_string_value(json_array_get(of, i))))
            json_array_append(rest, json_array_get(of, i));
    return rest;
}
