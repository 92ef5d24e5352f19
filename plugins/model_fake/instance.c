/* Walks a schema and builds what it demands and nothing it merely allows. */
#include "instance.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_MAX = 10000, DEPTH_MAX = 32, LENGTH_MAX = 65536, POINTER_TOKEN_MAX = 256 };
enum { EFFORT_MAX = 1 << 20 };

struct walk {
    const json_t *root;
    int values, depth;
    size_t effort; /* members copied and bytes made: small schemas can demand huge instances */
};

/* Charges what a value weighs; stops weighing once all is spent. */
static void effort_add(struct walk *walk, const json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    walk->effort += 1 + json_string_length(value);
    json_array_foreach (value, i, item) {
        if (walk->effort > EFFORT_MAX)
            return;
        effort_add(walk, item);
    }
    json_object_foreach ((json_t *)value, key, item) {
        if (walk->effort > EFFORT_MAX)
            return;
        walk->effort += strlen(key);
        effort_add(walk, item);
    }
}

static json_t *instance_make(struct walk *walk, const json_t *schema);

/* ---- references and combinations ------------------------------------------------------------- */

/* "#/a/b" within the root (RFC 6901); NULL when it leads elsewhere. */
static const json_t *reference_find(const json_t *root, const char *reference)
{
    if (reference[0] != '#')
        return NULL;
    const json_t *at = root;
    for (const char *c = reference + 1; *c == '/' && at != NULL;) {
        char token[POINTER_TOKEN_MAX];
        size_t n = 0;
        for (c++; *c != '\0' && *c != '/' && n < sizeof(token) - 1; c++)
            if (c[0] == '~' && (c[1] == '0' || c[1] == '1'))
                token[n++] = *++c == '0' ? '~' : '/';
            else
                token[n++] = *c;
        token[n] = '\0';
        at = json_is_array(at) ? json_array_get(at, (size_t)strtoul(token, NULL, 10))
                               : json_object_get(at, token);
    }
    return at;
}

/* Adds to `into` what `from` demands beside it. */
static void demands_add(struct walk *walk, json_t *into, const json_t *from)
{
    const char *key;
    json_t *value;
    if (walk->effort > EFFORT_MAX)
        return;
    json_object_foreach ((json_t *)from, key, value) {
        json_t *have = json_object_get(into, key);
        walk->effort += 1 + json_object_size(value) + json_array_size(value);
        if (have == NULL) {
            json_object_set_new(into, key, json_copy(value));
        } else if (strcmp(key, "properties") == 0 && json_is_object(have)) {
            json_object_update(have, value);
        } else if (strcmp(key, "required") == 0 && json_is_array(have)) {
            json_array_extend(have, value);
        }
    }
}

/* The schema with its references and combinations folded in: new reference. */
static json_t *schema_flatten(struct walk *walk, const json_t *schema)
{
    json_t *flat = json_object();
    demands_add(walk, flat, schema);
    for (int round = 0; round < DEPTH_MAX; round++) {
        json_t *reference = json_incref(json_object_get(flat, "$ref"));
        json_t *all = json_incref(json_object_get(flat, "allOf"));
        json_t *any = json_incref(json_object_get(flat, "anyOf"));
        json_t *one = json_incref(json_object_get(flat, "oneOf"));
        bool done = reference == NULL && all == NULL && any == NULL && one == NULL;
        json_object_del(flat, "$ref");
        json_object_del(flat, "allOf");
        json_object_del(flat, "anyOf");
        json_object_del(flat, "oneOf");
        size_t i;
        json_t *part;
        if (json_is_string(reference))
            demands_add(walk, flat, reference_find(walk->root, json_string_value(reference)));
        json_array_foreach (all, i, part)
            demands_add(walk, flat, part);
        demands_add(walk, flat, json_array_get(any, 0));
        demands_add(walk, flat, json_array_get(one, 0));
        json_decref(reference);
        json_decref(all);
        json_decref(any);
        json_decref(one);
        if (done)
            break;
    }
    return flat;
}

/* ---- one function a type --------------------------------------------------------------------- */

static int64_t count_of(const json_t *schema, const char *key, int64_t most)
{
    double n = json_number_value(json_object_get(schema, key));
    return n <= 0 ? 0 : n > (double)most ? most : (int64_t)n;
}

static json_t *object_make(struct walk *walk, const json_t *schema)
{
    json_t *object = json_object(), *properties = json_object_get(schema, "properties"), *name;
    const json_t *others = json_object_get(schema, "additionalProperties");
    size_t i;
    json_array_foreach (json_object_get(schema, "required"), i, name) {
        const json_t *of = json_object_get(properties, json_string_value(name));
        if (json_is_string(name) &&
            json_object_set_new(object, json_string_value(name),
                                instance_make(walk, of != NULL ? of : others)) < 0)
            goto fail;
    }
    const char *key;
    json_t *of;
    size_t least = (size_t)count_of(schema, "minProperties", VALUES_MAX);
    json_object_foreach (properties, key, of)
        if (json_object_size(object) < least && json_object_get(object, key) == NULL &&
            json_object_set_new(object, key, instance_make(walk, of)) < 0)
            goto fail;
    for (size_t n = 1; json_object_size(object) < least; n++) {
        char made[32];
        snprintf(made, sizeof(made), "p%zu", n);
        if (json_object_set_new(object, made, instance_make(walk, others)) < 0)
            goto fail;
    }
    return object;
fail:
    json_decref(object);
    return NULL;
}

static json_t *array_make(struct walk *walk, const json_t *schema)
{
    json_t *array = json_array();
    const json_t *items = json_object_get(schema, "items");
    const json_t *tuple = json_is_array(items) ? items : json_object_get(schema, "prefixItems");
    const json_t *contains = json_object_get(schema, "contains");
    int64_t least = count_of(schema, "minItems", VALUES_MAX + 1);
    if (json_is_object(contains) && least == 0)
        least = 1;
    for (int64_t i = 0; i < least; i++) {
        const json_t *of = json_array_get(tuple, (size_t)i);
        if (of == NULL)
            of = json_is_object(contains) && i == least - 1 ? contains
                 : json_is_array(items)                     ? NULL
                                                            : items;
        if (json_array_append_new(array, instance_make(walk, of)) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *string_make(struct walk *walk, const json_t *schema)
{
    static const struct {
        const char *format, *example;
    } formats[] = {
        {"date-time", "1970-01-01T00:00:00Z"},
        {"date", "1970-01-01"},
        {"time", "00:00:00Z"},
        {"duration", "P0D"},
        {"email", "a@example.org"},
        {"hostname", "example.org"},
        {"ipv4", "127.0.0.1"},
        {"ipv6", "::1"},
        {"uri", "http://example.org"},
        {"uuid", "00000000-0000-0000-0000-000000000000"},
    };
    const char *format = json_string_value(json_object_get(schema, "format"));
    for (size_t i = 0; format != NULL && i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(format, formats[i].format) == 0)
            return json_string(formats[i].example);
    size_t len = (size_t)count_of(schema, "minLength", LENGTH_MAX);
    char *text = malloc(len + 1);
    walk->effort += len;
    if (text == NULL)
        return NULL;
    memset(text, 'x', len);
    json_t *string = json_stringn(text, len);
    free(text);
    return string;
}

/* The number nearest to zero within the bounds. */
static double number_find(const json_t *schema, bool whole)
{
    const json_t *least = json_object_get(schema, "minimum");
    const json_t *over = json_object_get(schema, "exclusiveMinimum");
    const json_t *most = json_object_get(schema, "maximum");
    const json_t *under = json_object_get(schema, "exclusiveMaximum");
    const json_t *multiple = json_object_get(schema, "multipleOf");
    double step = json_is_number(multiple) ? fabs(json_number_value(multiple)) : 0;
    double n = 0;
    if (step <= 0)
        step = 1;
    if (json_is_number(least) && json_number_value(least) > n)
        n = json_number_value(least);
    if (json_is_number(over) && json_number_value(over) >= n)
        n = floor(json_number_value(over) / step) * step + step;
    if (json_is_number(most) && json_number_value(most) < n)
        n = json_number_value(most);
    if (json_is_number(under) && json_number_value(under) <= n)
        n = ceil(json_number_value(under) / step) * step - step;
    if (whole || json_is_number(multiple))
        n = (n < 0 ? floor(n / step) : ceil(n / step)) * step;
    return n;
}

static json_t *integer_make(struct walk *walk, const json_t *schema)
{
    (void)walk;
    double n = number_find(schema, true);
    return json_integer(fabs(n) < 9e18 ? (json_int_t)n : 0);
}

static json_t *number_make(struct walk *walk, const json_t *schema)
{
    (void)walk;
    double n = number_find(schema, false);
    if (n == floor(n) && fabs(n) < 9e15)
        return json_integer((json_int_t)n);
    return json_real(isfinite(n) ? n : 0);
}

static json_t *boolean_make(struct walk *walk, const json_t *schema)
{
    (void)walk, (void)schema;
    return json_false();
}

static json_t *null_make(struct walk *walk, const json_t *schema)
{
    (void)walk, (void)schema;
    return json_null();
}

/* ---- the walk -------------------------------------------------------------------------------- */

/* The first type named, or the one whose keywords are there. */
static const char *type_of(const json_t *schema)
{
    static const struct {
        const char *key, *type;
    } signs[] = {
        {"properties", "object"}, {"required", "object"},   {"minProperties", "object"},
        {"items", "array"},       {"prefixItems", "array"}, {"minItems", "array"},
        {"minLength", "string"},  {"format", "string"},     {"pattern", "string"},
        {"minimum", "number"},    {"maximum", "number"},    {"multipleOf", "number"},
    };
    const json_t *type = json_object_get(schema, "type");
    if (json_is_array(type))
        type = json_array_get(type, 0);
    if (json_is_string(type))
        return json_string_value(type);
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (json_object_get(schema, signs[i].key) != NULL)
            return signs[i].type;
    return "null";
}

static json_t *flat_make(struct walk *walk, const json_t *schema)
{
    static const struct {
        const char *type;
        json_t *(*make)(struct walk *walk, const json_t *schema);
    } types[] = {{"object", object_make},   {"array", array_make},   {"string", string_make},
                 {"integer", integer_make}, {"number", number_make}, {"boolean", boolean_make},
                 {"null", null_make}};
    const json_t *constant = json_object_get(schema, "const");
    const json_t *choices = json_object_get(schema, "enum");
    if (constant == NULL)
        constant = json_array_get(choices, 0);
    if (constant != NULL) {
        effort_add(walk, constant);
        return json_incref((json_t *)constant); /* never changed: shared with the schema */
    }
    const char *type = type_of(schema);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(type, types[i].type) == 0)
            return types[i].make(walk, schema);
    return json_null();
}

static json_t *instance_make(struct walk *walk, const json_t *schema)
{
    if (++walk->values > VALUES_MAX || walk->depth == DEPTH_MAX || walk->effort > EFFORT_MAX)
        return NULL;
    if (!json_is_object(schema))
        return json_null();
    walk->depth++;
    json_t *flat = schema_flatten(walk, schema);
    json_t *instance = flat_make(walk, flat);
    json_decref(flat);
    walk->depth--;
    return instance;
}

json_t *instance_smallest(const json_t *schema)
{
    struct walk walk = {.root = schema};
    return instance_make(&walk, schema);
}
