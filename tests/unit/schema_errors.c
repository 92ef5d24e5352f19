/* What an instance that does not match is told: places, keywords, sentences. */
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

/* Checks the first error, and how many there are. Quotes are written as ' in the texts. */
static void told(const char *schema_text, const char *instance_text, const char *path,
                 const char *schema_path, const char *message, size_t count)
{
    error_auto err = ERROR_INIT;
    jx_auto *document = parse(schema_text), *instance = parse(instance_text);
    schema_auto *schema = schema_compile(document, NULL, &err);
    if (!ok(schema != NULL, "%s compiles", schema_text)) {
        note("%s", err.message);
        return;
    }
    is_int(schema_validate(schema, instance, &err), -1, "%s does not take %s", schema_text,
           instance_text);
    is_int(err.code, E_INVALID_REQUEST, "it is an invalid request");
    const json_t *errors = json_object_get(err.details, "validationErrors");
    const json_t *first = json_array_get(errors, 0);
    is_str(jx_str(first, "path", NULL), path, "path");
    is_str(jx_str(first, "schemaPath", NULL), schema_path, "schema path");
    is_str(jx_str(first, "message", NULL), message, "message");
    const char *slash = strrchr(schema_path, '/');
    const char *keyword = jx_str(first, "keyword", NULL);
    ok(keyword != NULL && slash != NULL, "there is a keyword");
    is_int(json_array_size(errors), count, "as many errors as there are faults");
}

static const struct {
    const char *schema, *instance, *path, *schema_path, *message;
    size_t count;
} rows[] = {
    {"{\"properties\":{\"a\":{\"items\":{\"type\":\"string\"}}}}", "{\"a\":[1.5]}", "/a/0",
     "/properties/a/items/type", "must be a string, is a number", 1},
    {"{\"type\":[\"integer\",\"null\"]}", "true", "", "/type",
     "must be null or an integer, is a boolean", 1},
    {"{\"type\":[\"integer\",\"number\"]}", "\"\"", "", "/type", "must be a number, is a string",
     1},
    {"{\"required\":[\"a\",\"b\",\"c\"]}", "{\"b\":1}", "", "/required",
     "must have the member \"a\"", 2},
    {"{\"$ref\":\"#/$defs/p\",\"$defs\":{\"p\":{\"minimum\":1}}}", "0", "", "/$ref/minimum",
     "must be at least 1, is 0", 1},
    {"{\"additionalProperties\":false,\"properties\":{\"a\":{}}}", "{\"a~/b\":1}", "/a~0~1b",
     "/additionalProperties", "is not allowed; there is \"a\"", 1},
    {"{\"additionalProperties\":false,\"properties\":{\"input\":{},\"version\":{}}}",
     "{\"inputs\":1}", "/inputs", "/additionalProperties",
     "is not allowed; did you mean \"input\"?", 1},
    {"{\"additionalProperties\":false,\"properties\":{\"a\":{},\"b\":{}}}", "{\"other\":1}",
     "/other", "/additionalProperties", "is not allowed; there are \"a\", \"b\"", 1},
    {"{\"additionalProperties\":false}", "{\"a\":1}", "/a", "/additionalProperties",
     "is not allowed", 1},
    {"{\"unevaluatedProperties\":false,\"allOf\":[{\"properties\":{\"a\":{}}}]}",
     "{\"a\":1,\"b\":2}", "/b", "/unevaluatedProperties", "is not allowed", 1},
    {"{\"enum\":[1,\"x\",null]}", "2", "", "/enum", "must be one of 1, \"x\", null", 1},
    {"{\"const\":\"x\"}", "2", "", "/const", "must be \"x\"", 1},
    {"{\"maxLength\":2}", "\"äöü\"", "", "/maxLength", "must be at most 2 characters long, is 3",
     1},
    {"{\"format\":\"uuid\"}", "\"x\"", "", "/format", "must be a UUID", 1},
    {"{\"pattern\":\"^a+$\"}", "\"b\"", "", "/pattern", "must match the pattern ^a+$", 1},
    {"{\"uniqueItems\":true}", "[1,2,1.0]", "", "/uniqueItems",
     "must have no two equal items, but those at 0 and 2 are", 1},
    {"{\"multipleOf\":0.01}", "0.075", "", "/multipleOf", "must be a multiple of 0.01, is 0.075",
     1},
    {"{\"contains\":{\"type\":\"string\"}}", "[1]", "", "/contains",
     "must contain at least 1 item that matches, has 0", 1},
    {"{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":1}]}", "3", "", "/oneOf",
     "must match one of the 2 alternatives, matches both 0 and 1", 1},
    {"{\"not\":{\"type\":\"string\"}}", "\"\"", "", "/not", "must not match the schema in \"not\"",
     1},
    {"{\"if\":{\"minimum\":5},\"then\":{\"maximum\":7}}", "8", "", "/then/maximum",
     "must be at most 7, is 8", 1},
    {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", "", "/dependentRequired",
     "must have the member \"b\", since it has \"a\"", 1},
    {"{\"propertyNames\":{\"maxLength\":2}}", "{\"abc\":1}", "", "/propertyNames",
     "has the member \"abc\", whose name must be at most 2 characters long, is 3", 1},
    {"{\"prefixItems\":[{},{\"type\":\"null\"}],\"items\":false}", "[1,2,3]", "/1",
     "/prefixItems/1/type", "must be null, is an integer", 2},
    {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"items\":[{}],"
     "\"additionalItems\":{\"type\":\"null\"}}",
     "[1,2]", "/1", "/additionalItems/type", "must be null, is an integer", 1},
    {"{\"patternProperties\":{\"^x/\":{\"type\":\"null\"}}}", "{\"x/y\":0}", "/x~1y",
     "/patternProperties/^x~1/type", "must be null, is an integer", 1},
};

/* An alternative whose type is wrong is not the nearest one. */
static void test_nearest_alternative(void)
{
    told("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"required\":[\"a\",\"b\"]},"
         "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}]}",
         "{\"a\":1}", "", "/anyOf", "must match at least one of the 3 alternatives, matches none",
         2);
}

static void test_nearest_in_message(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *document = parse(
        "{\"oneOf\":[{\"properties\":{\"kind\":{\"const\":\"a\"}},\"required\":[\"kind\",\"x\"]},"
        "{\"properties\":{\"kind\":{\"const\":\"b\"},\"y\":{\"type\":\"string\"}}}]}");
    jx_auto *instance = parse("{\"kind\":\"b\",\"y\":3}");
    schema_auto *schema = schema_compile(document, NULL, &err);
    schema_validate(schema, instance, &err);
    is_str(err.message,
           "The value must match one of the 2 alternatives, matches none; the nearest: "
           "\"/y\" must be a string, is an integer",
           "the message tells of the nearest alternative");
}

static void test_first_place_in_message(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *document = parse("{\"items\":{\"type\":\"string\"}}");
    jx_auto *two = parse("[\"\",1,2]"), *root = parse("{}");
    schema_auto *schema = schema_compile(document, NULL, &err);
    schema_validate(schema, two, &err);
    is_str(err.message, "\"/1\" must be a string, is an integer (and 1 more)",
           "the message names the first place and how many more there are");
    schema_unref(schema);
    schema = schema_compile(json_object_get(document, "items"), NULL, &err);
    schema_validate(schema, root, &err);
    is_str(err.message, "The value must be a string, is an object", "or the value as a whole");
}

static void test_errors_are_bounded(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *document = parse("{\"items\":{\"type\":\"string\"}}"), *many = json_array();
    for (int i = 0; i < 1000; i++)
        json_array_append_new(many, json_integer(i));
    schema_auto *schema = schema_compile(document, NULL, &err);
    schema_validate(schema, many, &err);
    is_int(json_array_size(json_object_get(err.details, "validationErrors")), SCHEMA_ERRORS_MAX,
           "no more errors than the bound");
    struct schema_options opts = {.errors_max = 3};
    schema_auto *few = schema_compile(document, &opts, &err);
    schema_validate(few, many, &err);
    is_int(json_array_size(json_object_get(err.details, "validationErrors")), 3,
           "the bound can be set");
    is_int(schema_validate(few, many, NULL), -1, "who does not care passes no error");
}

int main(void)
{
    for (size_t i = 0; i < countof(rows); i++)
        told(rows[i].schema, rows[i].instance, rows[i].path, rows[i].schema_path, rows[i].message,
             rows[i].count);
    test_nearest_alternative();
    test_nearest_in_message();
    test_first_place_in_message();
    test_errors_are_bounded();
    return done_testing();
}
