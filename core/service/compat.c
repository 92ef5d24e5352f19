#include "service/compat.h"

#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "service/problem.h"

enum { DEPTH_MAX = 64 };

/* What a change does to the set of values that are taken. */
enum effect {
    LESS,  /* fewer are */
    MORE,  /* more are */
    OTHER, /* cannot be said, or some are not and some others are */
    ADDED, /* what was not described is: nobody has to know */
};

struct compare {
    enum compat_side side;
    const json_t *from_root, *to_root;
    json_t *changes;
    struct {
        const json_t *from, *to;
    } stack[DEPTH_MAX]; /* what is being compared: schemas that hold themselves end there */
    int depth;
};

__attribute__((format(printf, 5, 6))) static void change_add(struct compare *c, const char *path,
                                                             const char *keyword,
                                                             enum effect effect, const char *fmt,
                                                             ...)
{
    static const enum effect breaks[] = {[COMPAT_INPUT] = LESS, [COMPAT_OUTPUT] = MORE};
    if (json_array_size(c->changes) >= COMPAT_CHANGES_MAX)
        return;
    va_list ap;
    char *message = NULL;
    va_start(ap, fmt);
    if (vasprintf(&message, fmt, ap) < 0)
        abort();
    va_end(ap);
    autofree char *place = keyword[0] != '\0' ? problem_path(path, keyword) : xstrdup(path);
    json_array_append_new(c->changes,
                          json_pack("{s:s, s:s, s:b, s:o}", "path", place, "keyword", keyword,
                                    "breaking", effect == OTHER || effect == breaks[c->side],
                                    "message", jx_text(message, strlen(message))));
    free(message);
}

/* ---- sets of values ---- */

static bool array_has(const json_t *array, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (jx_equal(json_array_get(array, i), value))
            return true;
    return false;
}

/* How many of `of` are not in `in`; the first of them. */
static size_t missing_from(const json_t *of, const json_t *in, const json_t **first_r)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(of); i++) {
        if (array_has(in, json_array_get(of, i)))
            continue;
        if (n++ == 0)
            *first_r = json_array_get(of, i);
    }
    return n;
}

static char *shown(const json_t *value)
{
    enum { SHOWN_MAX = 60 };
    size_t len;
    char *text = jx_encode(value, &len);
    if (len <= SHOWN_MAX)
        return text;
    free(text);
    return xstrdup(json_is_string(value) ? "a long text" : "a long value");
}

/* ---- handlers: one keyword in both schemas, NULL where it is not ---- */

struct keyword;
typedef void handler_fn(struct compare *c, const char *path, const struct keyword *keyword,
                        const json_t *from, const json_t *to);
struct keyword {
    const char *name;
    handler_fn *compare; /* NULL: nothing that a caller could notice */
};

static void compare_schemas(struct compare *c, const char *path, const json_t *from,
                            const json_t *to);

static unsigned type_bits(const json_t *type)
{
    static const char *const names[] = {"null",   "boolean", "object", "array",
                                        "string", "integer", "number"};
    unsigned bits = 0;
    if (type == NULL)
        return (1u << countof(names)) - 1;
    for (size_t i = 0; i < json_array_size(type); i++)
        bits |= type_bits(json_array_get(type, i));
    for (size_t i = 0; i < countof(names) && json_is_string(type); i++)
        if (strcmp(json_string_value(type), names[i]) == 0)
            bits |= 1u << i;
    return bits & 1u << 6 ? bits | 1u << 5 : bits; /* an integer is a number */
}

static void type_compare(struct compare *c, const char *path, const struct keyword *keyword,
                         const json_t *from, const json_t *to)
{
    unsigned before = type_bits(from), after = type_bits(to);
    if (before == after)
        return;
    bool lost = (before & ~after) != 0, gained = (after & ~before) != 0;
    autofree char *was = from != NULL ? shown(from) : xstrdup("anything");
    autofree char *is = to != NULL ? shown(to) : xstrdup("anything");
    change_add(c, path, keyword->name,
               lost && gained ? OTHER
               : lost         ? LESS
                              : MORE,
               "was %s, is %s", was, is);
}

static void choices_compare(struct compare *c, const char *path, const struct keyword *keyword,
                            const json_t *from, const json_t *to)
{
    const json_t *lost = NULL, *gained = NULL;
    if (from == NULL || to == NULL) {
        change_add(c, path, keyword->name, from == NULL ? LESS : MORE, "%s",
                   from == NULL ? "only certain values are left" : "any value is possible now");
        return;
    }
    size_t n_lost = missing_from(from, to, &lost), n_gained = missing_from(to, from, &gained);
    autofree char *first_lost = shown(lost), *first_gained = shown(gained);
    if (n_lost > 0)
        change_add(c, path, keyword->name, LESS, "%s is no choice any more%s", first_lost,
                   n_lost > 1 ? ", nor are others" : "");
    if (n_gained > 0)
        change_add(c, path, keyword->name, MORE, "%s is a new choice%s", first_gained,
                   n_gained > 1 ? ", with others" : "");
}

static void const_compare(struct compare *c, const char *path, const struct keyword *keyword,
                          const json_t *from, const json_t *to)
{
    jx_auto *before = from != NULL ? json_pack("[O]", from) : NULL;
    jx_auto *after = to != NULL ? json_pack("[O]", to) : NULL;
    if (before == NULL || after == NULL || !json_equal(before, after))
        choices_compare(c, path, keyword, before, after);
}

static void required_compare(struct compare *c, const char *path, const struct keyword *keyword,
                             const json_t *from, const json_t *to)
{
    for (size_t i = 0; i < json_array_size(to); i++)
        if (!array_has(from, json_array_get(to, i)))
            change_add(c, path, keyword->name, LESS, "'%s' is required now",
                       json_string_value(json_array_get(to, i)));
    for (size_t i = 0; i < json_array_size(from); i++)
        if (!array_has(to, json_array_get(from, i)))
            change_add(c, path, keyword->name, MORE, "'%s' is not required any more",
                       json_string_value(json_array_get(from, i)));
}

static double bound_of(const json_t *value, double otherwise)
{
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

/* minimum, minLength …: more is less. */
static void least_compare(struct compare *c, const char *path, const struct keyword *keyword,
                          const json_t *from, const json_t *to)
{
    double before = bound_of(from, -INFINITY), after = bound_of(to, -INFINITY);
    if (before != after)
        change_add(c, path, keyword->name, after > before ? LESS : MORE,
                   after > before ? "the least is greater" : "the least is smaller");
}

static void most_compare(struct compare *c, const char *path, const struct keyword *keyword,
                         const json_t *from, const json_t *to)
{
    double before = bound_of(from, INFINITY), after = bound_of(to, INFINITY);
    if (before != after)
        change_add(c, path, keyword->name, after < before ? LESS : MORE,
                   after < before ? "the most is smaller" : "the most is greater");
}

/* What is there, is not, or is another one. */
static void presence_compare(struct compare *c, const char *path, const struct keyword *keyword,
                             const json_t *from, const json_t *to)
{
    change_add(c, path, keyword->name,
               from == NULL ? LESS
               : to == NULL ? MORE
                            : OTHER,
               "%s",
               from == NULL ? "is new"
               : to == NULL ? "is gone"
                            : "is another one");
}

static void unique_compare(struct compare *c, const char *path, const struct keyword *keyword,
                           const json_t *from, const json_t *to)
{
    if (json_is_true(from) != json_is_true(to))
        change_add(c, path, keyword->name, json_is_true(to) ? LESS : MORE,
                   json_is_true(to) ? "no two may be alike now" : "two may be alike now");
}

/* anyOf, oneOf: whole alternatives. */
static void alternatives_compare(struct compare *c, const char *path, const struct keyword *keyword,
                                 const json_t *from, const json_t *to)
{
    const json_t *first;
    if (from == NULL || to == NULL) {
        presence_compare(c, path, keyword, from, to);
        return;
    }
    bool lost = missing_from(from, to, &first) > 0, gained = missing_from(to, from, &first) > 0;
    if (lost || gained)
        change_add(c, path, keyword->name,
                   lost && gained ? OTHER
                   : lost         ? LESS
                                  : MORE,
                   "%s",
                   lost && gained ? "has other alternatives"
                   : lost         ? "has lost an alternative"
                                  : "has a new alternative");
}

static void schema_compare(struct compare *c, const char *path, const struct keyword *keyword,
                           const json_t *from, const json_t *to)
{
    autofree char *place = problem_path(path, keyword->name);
    compare_schemas(c, place, from, to);
}

static bool closed(const json_t *additional)
{
    return json_is_false(additional);
}

static void additional_compare(struct compare *c, const char *path, const struct keyword *keyword,
                               const json_t *from, const json_t *to)
{
    if (closed(from) == closed(to))
        schema_compare(c, path, keyword, from, to);
    else if (closed(to))
        change_add(c, path, keyword->name, LESS, "other members are not possible any more");
    else /* whoever reads an output passes over what he does not know */
        change_add(c, path, keyword->name, c->side == COMPAT_OUTPUT ? ADDED : MORE,
                   "other members are possible now");
}

/* With the schemas that they belong to: what a member is that is not named depends on them. */
static void properties_compare(struct compare *c, const char *path, const json_t *from_schema,
                               const json_t *to_schema)
{
    const json_t *from = json_object_get(from_schema, "properties");
    const json_t *to = json_object_get(to_schema, "properties");
    autofree char *place = problem_path(path, "properties");
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)from, name, value) {
        autofree char *at = problem_path(place, name);
        if (json_object_get(to, name) != NULL)
            compare_schemas(c, at, value, json_object_get(to, name));
        else if (c->side == COMPAT_OUTPUT)
            change_add(c, place, name, OTHER, "is not given any more");
        else if (closed(json_object_get(to_schema, "additionalProperties")))
            change_add(c, place, name, LESS, "is not taken any more");
        else
            change_add(c, place, name, MORE, "is not looked at any more");
    }
    json_object_foreach ((json_t *)to, name, value)
        if (json_object_get(from, name) == NULL)
            change_add(c, place, name, ADDED, "is new");
}

/* ---- the table: in the order in which changes are told ---- */

static const struct keyword keywords[] = {
    {"type", type_compare},
    {"const", const_compare},
    {"enum", choices_compare},
    {"required", required_compare},
    {"additionalProperties", additional_compare},
    {"items", schema_compare},
    {"minimum", least_compare},
    {"exclusiveMinimum", least_compare},
    {"minLength", least_compare},
    {"minItems", least_compare},
    {"minProperties", least_compare},
    {"maximum", most_compare},
    {"exclusiveMaximum", most_compare},
    {"maxLength", most_compare},
    {"maxItems", most_compare},
    {"maxProperties", most_compare},
    {"pattern", presence_compare},
    {"format", presence_compare},
    {"multipleOf", presence_compare},
    {"uniqueItems", unique_compare},
    {"anyOf", alternatives_compare},
    {"oneOf", alternatives_compare},
    {"allOf", presence_compare},
    {"not", presence_compare},
    {"if", presence_compare},
    {"then", presence_compare},
    {"else", presence_compare},
    {"contains", presence_compare},
    {"minContains", least_compare},
    {"maxContains", most_compare},
    {"prefixItems", presence_compare},
    {"additionalItems", presence_compare},
    {"propertyNames", presence_compare},
    {"patternProperties", presence_compare},
    {"dependentRequired", presence_compare},
    {"dependentSchemas", presence_compare},
    {"dependencies", presence_compare},
    {"unevaluatedItems", presence_compare},
    {"unevaluatedProperties", presence_compare},
    {"$dynamicRef", presence_compare},
    {"$ref", presence_compare}, /* one that could not be followed */
};

/* ---- schemas ---- */

/* Local references ("#/$defs/name") followed, as far as they lead somewhere. */
static const json_t *resolved(const json_t *root, const json_t *schema)
{
    for (int i = 0; i < DEPTH_MAX; i++) {
        const char *ref = jx_str(schema, "$ref", NULL);
        if (ref == NULL || ref[0] != '#')
            return schema;
        const json_t *target = jx_pointer_get(root, ref + 1);
        if (target == NULL)
            return schema;
        schema = target;
    }
    return schema;
}

static bool compared_already(const struct compare *c, const json_t *from, const json_t *to)
{
    for (int i = 0; i < c->depth; i++)
        if (c->stack[i].from == from && c->stack[i].to == to)
            return true;
    return false;
}

static void compare_keywords(struct compare *c, const char *path, const json_t *from,
                             const json_t *to)
{
    properties_compare(c, path, from, to);
    for (size_t i = 0; i < countof(keywords); i++) {
        const json_t *before = json_object_get(from, keywords[i].name);
        const json_t *after = json_object_get(to, keywords[i].name);
        /* References are in places that look the same and lead elsewhere. */
        bool inside =
            keywords[i].compare == schema_compare || keywords[i].compare == additional_compare;
        if ((before != NULL || after != NULL) && (inside || !jx_equal(before, after)))
            keywords[i].compare(c, path, &keywords[i], before, after);
    }
}

static void compare_schemas(struct compare *c, const char *path, const json_t *from,
                            const json_t *to)
{
    from = resolved(c->from_root, from);
    to = resolved(c->to_root, to);
    if (json_is_false(from) || json_is_false(to)) {
        if (json_is_false(from) != json_is_false(to))
            change_add(c, path, "", json_is_false(to) ? LESS : MORE,
                       json_is_false(to) ? "nothing fits any more" : "something fits now");
        return;
    }
    if (compared_already(c, from, to))
        return;
    if (c->depth == DEPTH_MAX) {
        if (!jx_equal(from, to))
            change_add(c, path, "", OTHER, "is another one, too deep to be compared");
        return;
    }
    c->stack[c->depth].from = from;
    c->stack[c->depth++].to = to;
    compare_keywords(c, path, from, to); /* true and NULL have no keywords, as {} */
    c->depth--;
}

json_t *compat_changes(const json_t *from, const json_t *to, enum compat_side side)
{
    struct compare c = {.side = side, .from_root = from, .to_root = to, .changes = json_array()};
    compare_schemas(&c, "", from, to);
    return c.changes;
}

bool compat_kept(const json_t *changes)
{
    for (size_t i = 0; i < json_array_size(changes); i++)
        if (jx_bool(json_array_get(changes, i), "breaking", false))
            return false;
    return true;
}
