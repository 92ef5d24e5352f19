/* While c9d is built: what of openapi.json (standard input) it needs to judge requests, on standard
 * output. Left out is what only readers want: texts and examples, headers and bodies of answers but
 * for their media types, component schemas that no request refers to. c9d then parses half as much
 * when it starts; compiled schemas keep their document, so it is memory of the idle daemon too. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SCHEMAS "#/components/schemas/"

/* Annotations are told from properties of the same name by their type: a schema is never a string
 * or an array. */
static bool annotation(const char *key, const json_t *value)
{
    return json_is_string(value) ? strcmp(key, "description") == 0 || strcmp(key, "summary") == 0
                                 : strcmp(key, "examples") == 0 && json_is_array(value);
}

/* Their members are values, whatever they are called. */
static bool literal(const char *key)
{
    return strcmp(key, "enum") == 0 || strcmp(key, "const") == 0 || strcmp(key, "default") == 0;
}

static void texts_drop(json_t *value)
{
    const char *key;
    void *next;
    size_t i;
    json_t *member;
    json_array_foreach (value, i, member)
        texts_drop(member);
    json_object_foreach_safe(value, next, key, member)
    {
        if (annotation(key, member))
            json_object_del(value, key);
        else if (!literal(key))
            texts_drop(member);
    }
}

static void answers_drop(json_t *responses)
{
    const char *status, *media;
    json_t *response, *type;
    json_object_foreach (responses, status, response) {
        json_object_del(response, "headers");
        json_object_foreach (json_object_get(response, "content"), media, type)
            json_object_clear(type);
    }
}

/* Adds the names of the component schemas that value refers to, and those that they refer to. */
static void references_collect(const json_t *schemas, const json_t *value, json_t *names)
{
    const char *key, *ref = json_string_value(json_object_get(value, "$ref"));
    size_t i;
    json_t *member;
    if (ref != NULL && strncmp(ref, SCHEMAS, strlen(SCHEMAS)) == 0) {
        const char *name = ref + strlen(SCHEMAS);
        if (json_object_get(names, name) == NULL) {
            json_object_set_new(names, name, json_true());
            references_collect(schemas, json_object_get(schemas, name), names);
        }
    }
    json_array_foreach ((json_t *)value, i, member)
        references_collect(schemas, member, names);
    json_object_foreach ((json_t *)value, key, member)
        references_collect(schemas, member, names);
}

static void schemas_drop(json_t *document)
{
    json_t *components = json_object_get(document, "components"), *member;
    json_t *schemas = json_object_get(components, "schemas");
    json_t *names = json_object();
    const char *key;
    void *next;
    references_collect(schemas, json_object_get(document, "paths"), names);
    json_object_foreach (components, key, member)
        if (member != schemas)
            references_collect(schemas, member, names);
    json_object_foreach_safe(schemas, next, key, member) if (json_object_get(names, key) == NULL)
        json_object_del(schemas, key);
    json_decref(names);
}

static void reduce(json_t *document)
{
    const char *path, *method;
    json_t *item, *operation;
    texts_drop(document);
    json_object_foreach (json_object_get(document, "paths"), path, item)
        json_object_foreach (item, method, operation)
            answers_drop(json_object_get(operation, "responses"));
    answers_drop(json_object_get(json_object_get(document, "components"), "responses"));
    schemas_drop(document);
}

int main(void)
{
    json_error_t at;
    json_t *document = json_loadf(stdin, JSON_REJECT_DUPLICATES, &at);
    if (document == NULL) {
        fprintf(stderr, "openapi.json:%d:%d: %s\n", at.line, at.column, at.text);
        return 1;
    }
    reduce(document);
    int failed = json_dumpf(document, stdout, JSON_COMPACT) < 0 || fflush(stdout) != 0;
    json_decref(document);
    return failed ? 1 : 0;
}
