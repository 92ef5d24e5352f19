/* Which schemas are refused and how, references, schemas inside a document, options, the cache. */
#include <pthread.h>

#include "base/json.h"
#include "schema/schema.h"
#include "tap.h"

static json_t *parse(const char *text)
{
    error_auto err = ERROR_INIT;
    json_t *json = jx_decode(text, strlen(text), "test", &err);
    if (json == NULL) {
        printf("Bail out! %s: %s\n", text, err.message);
        exit(1);
    }
    return json;
}

static const struct {
    const char *schema, *path, *says;
} refused[] = {
    {"{\"type\":\"strng\"}", "/type", "/type"},
    {"{\"properties\":{\"a\":{\"minLength\":-1}}}", "/properties/a/minLength", "at least 0"},
    {"{\"required\":\"a\"}", "/required", "must be an array"},
    {"[]", "", "must be a boolean or an object"},
    {"{\"items\":{\"pattern\":\"(\"}}", "/items/pattern", "without its"},
    {"{\"pattern\":\"(?i)x\"}", "/pattern", "ECMA-262"},
    {"{\"pattern\":\"a{2,1}\"}", "/pattern", "at byte 1"},
    {"{\"pattern\":\"(?<=a+)b\"}", "/pattern", "not a usable regular expression"},
    {"{\"pattern\":\"(?<a b>x)\"}", "/pattern", "a group's name"},
    {"{\"pattern\":\"(?<>x)\"}", "/pattern", "a group's name"},
    {"{\"pattern\":\"(?<1>x)\"}", "/pattern", "a group's name"},
    {"{\"pattern\":\"(?<n\"}", "/pattern", "a group's name"},
    {"{\"pattern\":\"(?<n23456789012345678901234567890123>x)\"}", "/pattern", "a group's name"},
    {"{\"pattern\":\"\\\\k\"}", "/pattern", "takes a group's <name>"},
    {"{\"pattern\":\"(?<n>x)\\\\k<m>\"}", "/pattern", "not a usable regular expression"},
    {"{\"pattern\":\"(?<n>x)(?<n>y)\"}", "/pattern", "not a usable regular expression"},
    {"{\"pattern\":\"(?'n'x)\"}", "/pattern", "ECMA-262"},
    {"{\"pattern\":\"(?P<n>x)\"}", "/pattern", "ECMA-262"},
    {"{\"patternProperties\":{\"[\":{}}}", "/patternProperties", "[\""},
    {"{\"$ref\":\"#/$defs/none\"}", "/$ref", "leads nowhere"},
    {"{\"$ref\":\"https://example.org/x.json\"}", "/$ref", "nothing is fetched"},
    {"{\"$defs\":{\"a b\":{\"$ref\":\"#/$defs/a c\"}}}", "/$defs/a b/$ref", "leads nowhere"},
    {"{\"$ref\":\"#nowhere\"}", "/$ref", "leads nowhere"},
    {"{\"$ref\":\"#/$defs/a~2\",\"$defs\":{\"a\":{}}}", "/$ref", "leads nowhere"},
    {"{\"allOf\":[]}", "/allOf", "at least 1"},
    {"{\"multipleOf\":0}", "/multipleOf", "more than 0"},
    {"{\"$schema\":\"https://json-schema.org/draft/2019-09/schema\"}", "/$schema",
     "not known here"},
    {"{\"$defs\":{\"a\":{\"$anchor\":\"x\"},\"b\":{\"$anchor\":\"x\"}}}", "/$defs/b", "second one"},
    {"{\"$defs\":{\"a\":{\"$id\":\"http://e/x\"},\"b\":{\"$id\":\"http://e/x\"}}}", "/$defs/b",
     "second one"},
    {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"items\":[3]}", "/items", ""},
    {"{\"unevaluatedItems\":1}", "/unevaluatedItems", "must be a boolean or an object"},
};

static void test_refused(void)
{
    for (size_t i = 0; i < countof(refused); i++) {
        error_auto err = ERROR_INIT;
        jx_auto *document = parse(refused[i].schema);
        struct schema *schema = schema_compile(document, NULL, &err);
        ok(schema == NULL && err.code == E_INVALID_REQUEST, "%s is refused", refused[i].schema);
        schema_unref(schema);
        const json_t *first = json_array_get(json_object_get(err.details, "validationErrors"), 0);
        is_str(jx_str(first, "path", NULL), refused[i].path, "the error names the place");
        if (!ok(strstr(err.message, refused[i].says) != NULL, "and says why"))
            note("%s", err.message);
    }
}

static void test_named_groups(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *document = parse("{\"pattern\":\"^(?<n2345678901234567890123456789012>a|b)"
                              "\\\\k<n2345678901234567890123456789012>\\\\1$\"}");
    schema_auto *schema = schema_compile(document, NULL, &err);
    if (!ok(schema != NULL, "a group may have a name of 32 letters"))
        note("%s", err.message);
    jx_auto *same = json_string("bbb"), *other = json_string("bab");
    ok(schema != NULL && schema_validate(schema, same, &err) == 0, "which stands for its text");
    ok(schema != NULL && schema_validate(schema, other, &err) < 0, "and for no other");
}

static void test_nesting(void)
{
    error_auto err = ERROR_INIT;
    json_t *deep = json_true(), *most = json_true();
    for (int i = 0; i < SCHEMA_NESTING_MAX + 1; i++)
        deep = json_pack("{s:o}", "not", deep);
    for (int i = 0; i < SCHEMA_NESTING_MAX - 1; i++)
        most = json_pack("{s:o}", "not", most);
    ok(schema_compile(deep, NULL, &err) == NULL, "a schema nested too deep is refused");
    ok(strstr(err.message, "nested deeper") != NULL, "and the error says so");
    error_clear(&err);
    struct schema *schema = schema_compile(most, NULL, &err);
    if (!ok(schema != NULL, "the deepest one is taken"))
        note("%s", err.message);
    schema_unref(schema);
    json_decref(deep);
    json_decref(most);
}

/* A document that is not a schema itself, as OpenAPI's are. */
static void test_schemas_in_a_document(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *api = parse(
        "{\"openapi\":\"3.1.0\",\"paths\":{\"/a\":{\"schema\":{\"$ref\":\"#/components/schemas/"
        "A\"}}},"
        "\"components\":{\"schemas\":{"
        "\"A\":{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#/components/schemas/A\"},"
        "\"b\":{\"$ref\":\"#/components/schemas/B\"}}},\"B\":{\"type\":\"integer\"},"
        "\"Bad\":{\"type\":7}}}}");
    jx_auto *good = parse("{\"next\":{\"next\":{\"b\":1}}}");
    jx_auto *bad = parse("{\"next\":{\"next\":{\"b\":\"x\"}}}");
    struct schema_document *doc = schema_document_new(api, NULL, &err);
    ok(doc != NULL, "a document that is no schema is taken");
    ok(schema_compile_at(doc, "/nothing", &err) == NULL, "nothing at a pointer is refused");
    schema_auto *inline_one = schema_compile_at(doc, "/paths/~1a/schema", &err);
    schema_auto *named = schema_compile_at(doc, "/components/schemas/A", &err);
    ok(inline_one != NULL && named != NULL, "schemas in it compile");
    ok(schema_compile_at(doc, "/components/schemas/Bad", &err) == NULL, "bad ones are refused");
    const json_t *first = json_array_get(json_object_get(err.details, "validationErrors"), 0);
    is_str(jx_str(first, "path", NULL), "/components/schemas/Bad/type",
           "with the place in the whole document");
    schema_document_free(doc);
    json_object_clear(api);
    is_int(schema_validate(inline_one, good, &err), 0, "they outlive the document");
    is_int(schema_validate(named, bad, &err), -1, "references go to the whole document");
    first = json_array_get(json_object_get(err.details, "validationErrors"), 0);
    is_str(jx_str(first, "path", NULL), "/next/next/b", "place in the instance");
    is_str(jx_str(first, "schemaPath", NULL),
           "/properties/next/$ref/properties/next/$ref/properties/b/$ref/type",
           "and the way through the references");
}

static const json_t *resolve_one(void *arg, const char *uri)
{
    return strcmp(uri, "https://example.org/item.json") == 0 ? arg : NULL;
}

static void test_resolver(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *item = parse("{\"type\":\"integer\"}"), *one = parse("[1]"), *text = parse("[\"\"]");
    jx_auto *document = parse("{\"$id\":\"https://example.org/list.json\","
                              "\"items\":{\"$ref\":\"item.json\"}}");
    struct schema_options opts = {.resolver = {resolve_one, item}};
    schema_auto *schema = schema_compile(document, &opts, &err);
    ok(schema != NULL, "a resolver gives other documents");
    json_object_clear(item);
    is_int(schema_validate(schema, one, &err), 0, "they are copied");
    is_int(schema_validate(schema, text, &err), -1, "and checked against");
}

static void test_options(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *document = parse("{\"format\":\"ipv4\"}"), *text = parse("\"x\"");
    jx_auto *old = parse("{\"dependencies\":{\"a\":[\"b\"]}}"), *object = parse("{\"a\":1}");
    struct schema_options annotates = {.format_annotates = true}, seven = {.draft = SCHEMA_DRAFT_7};
    schema_auto *asserted = schema_compile(document, NULL, &err);
    schema_auto *annotated = schema_compile(document, &annotates, &err);
    is_int(schema_validate(asserted, text, NULL), -1, "format is asserted");
    is_int(schema_validate(annotated, text, NULL), 0, "or annotates, when asked");
    schema_auto *new_draft = schema_compile(old, NULL, &err);
    schema_auto *old_draft = schema_compile(old, &seven, &err);
    is_int(schema_validate(new_draft, object, NULL), 0, "2020-12 is the default");
    is_int(schema_validate(old_draft, object, NULL), -1, "draft 7 when asked");
}

/* Generators leave characters unescaped that a URI does not have. */
static void test_careless_reference(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *document = parse("{\"$ref\":\"#/$defs/Map<string, x>\",\"$defs\":{\"Map<string, x>\":"
                              "{\"type\":\"null\"}}}");
    jx_auto *number = json_integer(1);
    schema_auto *schema = schema_compile(document, NULL, &err);
    ok(schema != NULL, "a reference with characters unescaped resolves");
    is_int(schema_validate(schema, number, &err), -1, "and is followed");
}

static void test_document_is_copied(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *document = parse("{\"required\":[\"a\"],\"const\":{\"a\":[1,2.5,\"x\"]}}");
    jx_auto *instance = parse("{\"a\":[1.0,2.5,\"x\"]}");
    schema_auto *schema = schema_compile(document, NULL, &err);
    json_array_clear(json_object_get(document, "required"));
    json_object_clear(document);
    is_int(schema_validate(schema, instance, &err), 0, "the document may change after compiling");
}

/* ---- the cache ------------------------------------------------------------------------------- */

static void test_cache(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *a = parse("{\"type\":\"string\",\"minLength\":1}");
    jx_auto *same = parse("{\"minLength\":1,\"type\":\"string\"}"), *bad = parse("{\"type\":1}");
    schema_auto *first = schema_cache_get(a, &err);
    schema_auto *again = schema_cache_get(same, &err);
    ok(first != NULL && first == again, "the same schema in another order of keys is the same one");
    is_int(schema_cache_count(), 1, "and kept once");
    ok(schema_cache_get(bad, &err) == NULL, "a bad schema is refused");
    is_int(schema_cache_count(), 1, "and not kept");
    for (int i = 0; i < SCHEMA_CACHE_MAX + 10; i++) {
        jx_auto *other = json_pack("{s:i}", "minLength", i);
        schema_unref(schema_cache_get(other, &err));
        if (i % 100 == 0)
            schema_unref(schema_cache_get(a, &err));
    }
    is_int(schema_cache_count(), SCHEMA_CACHE_MAX, "the cache is bounded");
    schema_auto *kept = schema_cache_get(a, &err);
    ok(kept == first, "what is used stays");
    schema_cache_clear();
    is_int(schema_cache_count(), 0, "it can be emptied");
    jx_auto *text = parse("\"x\"");
    is_int(schema_validate(first, text, &err), 0, "and who holds one keeps it");
}

static void *validate_often(void *arg)
{
    json_t *document = arg;
    for (int i = 0; i < 200; i++) {
        jx_auto *copy = json_deep_copy(document);
        jx_auto *instance = json_pack("{s:[s,s]}", "a", "x", i % 2 == 0 ? "y" : "z1");
        error_auto err = ERROR_INIT;
        schema_auto *schema = schema_cache_get(copy, &err);
        if (schema == NULL || (schema_validate(schema, instance, &err) == 0) != (i % 2 == 0))
            return document;
    }
    return NULL;
}

static void test_threads(void)
{
    jx_auto *document = parse("{\"properties\":{\"a\":{\"items\":{\"pattern\":\"^[a-z]+$\"},"
                              "\"uniqueItems\":true}},\"unevaluatedProperties\":false}");
    json_t *copies[4];
    pthread_t threads[4];
    int failed = 0;
    for (size_t i = 0; i < countof(threads); i++) {
        copies[i] = json_deep_copy(document);
        pthread_create(&threads[i], NULL, validate_often, copies[i]);
    }
    for (size_t i = 0; i < countof(threads); i++) {
        void *result;
        pthread_join(threads[i], &result);
        failed += result != NULL;
        json_decref(copies[i]);
    }
    is_int(failed, 0, "threads compile, share and validate at once");
    schema_cache_clear();
}

int main(void)
{
    test_refused();
    test_named_groups();
    test_nesting();
    test_schemas_in_a_document();
    test_resolver();
    test_options();
    test_careless_reference();
    test_document_is_copied();
    test_cache();
    test_threads();
    return done_testing();
}
