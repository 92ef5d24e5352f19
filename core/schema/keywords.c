/* The keywords of both drafts, in the order in which they are asked: what is cheap first, what
 * depends on the others last. */
#include <string.h>

#include "schema/schema-private.h"

#define D12     (1u << SCHEMA_DRAFT_2020_12)
#define D7      (1u << SCHEMA_DRAFT_7)
#define BOTH    (D12 | D7)
#define OBJECT  APPLIES(JSON_OBJECT)
#define ARRAY   APPLIES(JSON_ARRAY)
#define STRING  APPLIES(JSON_STRING)
#define NUMBER  APPLIES_NUMBER
#define BOOLEAN APPLIES_BOOLEAN
#define SCHEMA  (OBJECT | BOOLEAN)
#define ANY     APPLIES_ALL

const struct keyword keywords[] = {
    /* name, drafts, vocabulary, schemas in it, takes, applies to, fill */
    {"type", BOTH, VOCAB_VALIDATION, SHAPE_NONE, STRING | ARRAY, ANY, fill_type},
    {"const", BOTH, VOCAB_VALIDATION, SHAPE_NONE, ANY, ANY, fill_const},
    {"enum", BOTH, VOCAB_VALIDATION, SHAPE_NONE, ARRAY, ANY, fill_enum},
    {"maximum", BOTH, VOCAB_VALIDATION, SHAPE_NONE, NUMBER, NUMBER, fill_maximum},
    {"exclusiveMaximum", BOTH, VOCAB_VALIDATION, SHAPE_NONE, NUMBER, NUMBER,
     fill_exclusive_maximum},
    {"minimum", BOTH, VOCAB_VALIDATION, SHAPE_NONE, NUMBER, NUMBER, fill_minimum},
    {"exclusiveMinimum", BOTH, VOCAB_VALIDATION, SHAPE_NONE, NUMBER, NUMBER,
     fill_exclusive_minimum},
    {"multipleOf", BOTH, VOCAB_VALIDATION, SHAPE_NONE, NUMBER, NUMBER, fill_multiple_of},
    {"maxLength", BOTH, VOCAB_VALIDATION, SHAPE_NONE, NUMBER, STRING, fill_max_length},
    {"minLength", BOTH, VOCAB_VALIDATION, SHAPE_NONE, NUMBER, STRING, fill_min_length},
    {"format", BOTH, VOCAB_FORMAT, SHAPE_NONE, STRING, STRING, fill_format},
    {"pattern", BOTH, VOCAB_VALIDATION, SHAPE_NONE, STRING, STRING, fill_pattern},
    {"maxItems", BOTH, VOCAB_VALIDATION, SHAPE_NONE, NUMBER, ARRAY, fill_max_items},
    {"minItems", BOTH, VOCAB_VALIDATION, SHAPE_NONE, NUMBER, ARRAY, fill_min_items},
    {"uniqueItems", BOTH, VOCAB_VALIDATION, SHAPE_NONE, BOOLEAN, ARRAY, fill_unique_items},
    {"maxProperties", BOTH, VOCAB_VALIDATION, SHAPE_NONE, NUMBER, OBJECT, fill_max_properties},
    {"minProperties", BOTH, VOCAB_VALIDATION, SHAPE_NONE, NUMBER, OBJECT, fill_min_properties},
    {"required", BOTH, VOCAB_VALIDATION, SHAPE_NONE, ARRAY, OBJECT, fill_required},
    {"dependentRequired", D12, VOCAB_VALIDATION, SHAPE_NONE, OBJECT, OBJECT,
     fill_dependent_required},
    /* the first of each three that is there compiles them together */
    {"properties", BOTH, VOCAB_APPLICATOR, SHAPE_MAP, OBJECT, OBJECT, fill_members},
    {"patternProperties", BOTH, VOCAB_APPLICATOR, SHAPE_MAP, OBJECT, OBJECT, fill_members},
    {"additionalProperties", BOTH, VOCAB_APPLICATOR, SHAPE_SCHEMA, SCHEMA, OBJECT, fill_members},
    {"propertyNames", BOTH, VOCAB_APPLICATOR, SHAPE_SCHEMA, SCHEMA, OBJECT, fill_property_names},
    {"prefixItems", D12, VOCAB_APPLICATOR, SHAPE_LIST, ARRAY, ARRAY, fill_prefix_items},
    {"items", D12, VOCAB_APPLICATOR, SHAPE_SCHEMA, SCHEMA, ARRAY, fill_prefix_items},
    {"items", D7, VOCAB_APPLICATOR, SHAPE_SCHEMA_OR_LIST, SCHEMA | ARRAY, ARRAY, fill_items},
    {"additionalItems", D7, VOCAB_APPLICATOR, SHAPE_SCHEMA, SCHEMA, ARRAY, NULL},
    {"contains", BOTH, VOCAB_APPLICATOR, SHAPE_SCHEMA, SCHEMA, ARRAY, fill_contains},
    {"minContains", D12, VOCAB_VALIDATION, SHAPE_NONE, NUMBER, ARRAY, NULL},
    {"maxContains", D12, VOCAB_VALIDATION, SHAPE_NONE, NUMBER, ARRAY, NULL},
    {"$ref", BOTH, VOCAB_CORE, SHAPE_NONE, STRING, ANY, fill_ref},
    {"$dynamicRef", D12, VOCAB_CORE, SHAPE_NONE, STRING, ANY, fill_dynamic_ref},
    {"allOf", BOTH, VOCAB_APPLICATOR, SHAPE_LIST, ARRAY, ANY, fill_all_of},
    {"anyOf", BOTH, VOCAB_APPLICATOR, SHAPE_LIST, ARRAY, ANY, fill_any_of},
    {"oneOf", BOTH, VOCAB_APPLICATOR, SHAPE_LIST, ARRAY, ANY, fill_one_of},
    {"not", BOTH, VOCAB_APPLICATOR, SHAPE_SCHEMA, SCHEMA, ANY, fill_not},
    {"if", BOTH, VOCAB_APPLICATOR, SHAPE_SCHEMA, SCHEMA, ANY, fill_if},
    {"then", BOTH, VOCAB_APPLICATOR, SHAPE_SCHEMA, SCHEMA, ANY, NULL},
    {"else", BOTH, VOCAB_APPLICATOR, SHAPE_SCHEMA, SCHEMA, ANY, NULL},
    {"dependentSchemas", D12, VOCAB_APPLICATOR, SHAPE_MAP, OBJECT, OBJECT, fill_dependent_schemas},
    {"dependencies", D7, VOCAB_APPLICATOR, SHAPE_MAP_MIXED, OBJECT, OBJECT, fill_dependencies},
    {"unevaluatedItems", D12, VOCAB_UNEVALUATED, SHAPE_SCHEMA, SCHEMA, ARRAY,
     fill_unevaluated_items},
    {"unevaluatedProperties", D12, VOCAB_UNEVALUATED, SHAPE_SCHEMA, SCHEMA, OBJECT,
     fill_unevaluated_properties},
    /* only places where schemas are */
    {"$defs", D12, VOCAB_CORE, SHAPE_MAP, OBJECT, ANY, NULL},
    {"definitions", BOTH, VOCAB_CORE, SHAPE_MAP, OBJECT, ANY, NULL},
    {"contentSchema", D12, VOCAB_CONTENT, SHAPE_SCHEMA, SCHEMA, ANY, NULL},
};
const size_t keyword_count = countof(keywords);

bool keyword_in(const struct keyword *keyword, const struct dialect *dialect)
{
    return (keyword->drafts & (1u << dialect->draft)) != 0 &&
           (keyword->vocabularies & dialect->vocabularies) != 0;
}

/* Draft 7: what stands beside a $ref is ignored. */
static bool keyword_hidden(const struct keyword *keyword, const struct node *node)
{
    return node->resource->dialect->draft == SCHEMA_DRAFT_7 && strcmp(keyword->name, "$ref") != 0 &&
           json_is_string(json_object_get(node->schema, "$ref"));
}

const json_t *keyword_value(const struct node *node, const char *name)
{
    for (size_t i = 0; i < keyword_count; i++)
        if (strcmp(keywords[i].name, name) == 0 &&
            keyword_in(&keywords[i], node->resource->dialect))
            return json_object_get(node->schema, name);
    return NULL;
}

static int keyword_check_takes(struct compile *c, const struct keyword *keyword,
                               const json_t *value)
{
    static const struct {
        unsigned types;
        const char *text;
    } texts[] = {
        {STRING | ARRAY, "a string or an array"},
        {ARRAY, "an array"},
        {NUMBER, "a number"},
        {STRING, "a string"},
        {OBJECT, "an object"},
        {BOOLEAN, "a boolean"},
        {SCHEMA, "a schema: an object or a boolean"},
        {SCHEMA | ARRAY, "a schema or an array of schemas"},
    };
    if (keyword->takes & APPLIES(json_typeof(value)))
        return 0;
    size_t i = 0;
    while (i + 1 < countof(texts) && texts[i].types != keyword->takes)
        i++;
    return document_error(c->doc, c->node->schema, keyword->name, c->err, "must be %s, is %s",
                          texts[i].text, value_type_name(value));
}

int keyword_fill_node(struct schema_document *doc, struct node *node, struct error *err)
{
    struct compile c = {doc, node, err};
    struct op ops[countof(keywords)];
    size_t n = 0;
    for (size_t i = 0; i < keyword_count; i++) {
        const struct keyword *keyword = &keywords[i];
        const json_t *value = json_object_get(node->schema, keyword->name);
        if (value == NULL || !keyword_in(keyword, node->resource->dialect) ||
            keyword_hidden(keyword, node))
            continue;
        if (keyword_check_takes(&c, keyword, value) < 0)
            return -1;
        struct op *op = &ops[n];
        *op = (struct op){.keyword = keyword->name, .value = value, .applies = keyword->applies};
        if (keyword->fill != NULL && keyword->fill(&c, op, value) < 0)
            return -1;
        n += op->check != NULL;
    }
    node->op_count = n;
    if (n > 0) {
        node->ops = arena_alloc(&doc->arena, n * sizeof(*ops));
        memcpy(node->ops, ops, n * sizeof(*ops));
    }
    return 0;
}

int fill_count(struct compile *c, const json_t *value, const char *keyword, size_t *count_r)
{
    double number = json_number_value(value);
    if (number < 0 || !number_is_integer(value))
        return document_error(c->doc, c->node->schema, keyword, c->err,
                              "must be a non-negative integer");
    *count_r = number >= 0x1p53 ? SIZE_MAX : (size_t)number;
    return 0;
}

const struct node **fill_nodes(struct compile *c, const json_t *list, size_t *n_r)
{
    size_t i;
    json_t *schema;
    *n_r = json_array_size(list);
    const struct node **nodes = arena_alloc(&c->doc->arena, (*n_r + 1) * sizeof(struct node *));
    json_array_foreach (list, i, schema)
        nodes[i] = document_node(c->doc, schema);
    return nodes;
}
