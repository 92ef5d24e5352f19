/* No schema and no instance makes validation slow: each hostile pair ends within a bound of CPU
 * time, with an error that names the limit where one was reached. */
#include <time.h>

#include "base/json.h"
#include "schema/schema.h"
#include "tap.h"

/* CPU milliseconds; wide, so that a loaded machine and sanitizers pass, and exponential work not.
 */
enum { BOUND_MS = 4000, UNDER_VALGRIND = 5 };

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

static long cpu_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* says: part of the message; NULL: the instance matches. Both values are consumed. */
static void bounded(const char *name, json_t *document, json_t *instance, const char *says)
{
    error_auto err = ERROR_INIT;
    long start = cpu_ms();
    schema_auto *schema = schema_compile(document, NULL, &err);
    if (!ok(schema != NULL, "%s: compiles", name))
        note("%s", err.message);
    if (schema != NULL) {
        int rc = schema_validate(schema, instance, &err);
        is_int(rc, says == NULL ? 0 : -1, "%s: verdict", name);
        if (says != NULL && !ok(strstr(err.message, says) != NULL, "%s: says \"%s\"", name, says))
            note("%s", err.message);
    }
    long took = cpu_ms() - start;
    if (!ok(took < (getenv("C9_VALGRIND") != NULL ? UNDER_VALGRIND * BOUND_MS : BOUND_MS),
            "%s: ends in time", name))
        note("%ld ms", took);
    note("%s: %ld ms", name, took);
    json_decref(document);
    json_decref(instance);
}

static json_t *string_of(const char *unit, size_t times, const char *end)
{
    buf_auto b = BUF_INIT;
    for (size_t i = 0; i < times; i++)
        buf_append_str(&b, unit);
    buf_append_str(&b, end);
    return json_stringn(b.data, b.len);
}

static json_t *pattern(const char *text)
{
    return json_pack("{s:s}", "pattern", text);
}

static void test_patterns(void)
{
    bounded("nested quantifiers", pattern("^(a+)+$"), string_of("a", 40, "!"), "pattern");
    bounded("nested quantifiers, long", pattern("^(a+)+$"), string_of("a", 100000, "!"), "pattern");
    bounded("overlapping alternatives", pattern("^(a|a)*$"), string_of("a", 200, "!"), "pattern");
    bounded("quadratic from every start", pattern("a+[bc]"), string_of("a", 500000, ""), "pattern");
    bounded("quadratic with digits", pattern("\\d+(x|y)"), string_of("1", 500000, ""), "pattern");
    bounded("two stars", pattern(".*.*[xy]"), string_of("a", 100000, ""), "pattern");
    bounded("back-references", pattern("^(a*)(a*)(a*)(a*)\\1\\2\\3\\4[bc]"),
            string_of("a", 2000, ""), "pattern");
    bounded("long text, honest pattern", pattern("^([A-Za-z0-9+/]{4})*$"),
            string_of("QUJD", 5000, ""), NULL);
    bounded("long text, pattern at its end", pattern("needle"), string_of("hay", 300000, "needle"),
            NULL);
    /* Searched for as long as a value may take, which is measured in time. */
    size_t times = getenv("C9_VALGRIND") != NULL ? 10000 : 300000;
    bounded("long text, pattern not there", pattern("needle"), string_of("nee", times, ""),
            "must match the pattern");
}

/* Each pattern stays below every limit for one string, and there are many strings. */
static void test_many_slow_strings(void)
{
    json_t *list = json_array();
    for (int i = 0; i < 3000; i++)
        json_array_append_new(list, string_of("a", 17, "!"));
    bounded("many strings, slow each",
            json_pack("{s:{s:{s:s}}}", "items", "not", "pattern", "^(a+)+$"), list, "pattern");
}

static void test_recursion(void)
{
    json_t *deep = json_array();
    for (int i = 0; i < 1500; i++)
        deep = json_pack("[o]", deep);
    bounded("a reference to itself", parse("{\"$ref\":\"#\"}"), json_null(), "inside each other");
    bounded("a circle of references",
            parse("{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"allOf\":[{\"$ref\":\"#/$defs/b\"}]},"
                  "\"b\":{\"$ref\":\"#/$defs/a\"}}}"),
            json_null(), "inside each other");
    bounded("a circle that doubles", parse("{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}"),
            json_null(), "inside each other");
    bounded("an instance deeper than the limit", parse("{\"items\":{\"$ref\":\"#\"}}"), deep,
            "inside each other");
}

/* n levels that each apply the next one twice: 2^n applications. */
static void test_exponential(const char *keyword, const char *leaf)
{
    json_t *defs = json_object();
    for (int i = 0; i < 40; i++) {
        char name[16], next[32];
        snprintf(name, sizeof(name), "l%d", i);
        snprintf(next, sizeof(next), "#/$defs/l%d", i + 1);
        json_object_set_new(defs, name,
                            json_pack("{s:[{s:s},{s:s}]}", keyword, "$ref", next, "$ref", next));
    }
    json_object_set_new(defs, "l40", json_pack("{s:s}", "type", leaf));
    char label[64];
    snprintf(label, sizeof(label), "doubling %s", keyword);
    bounded(label, json_pack("{s:s,s:o}", "$ref", "#/$defs/l0", "$defs", defs), json_integer(1),
            "steps");
}

static void test_large(void)
{
    json_t *numbers = json_array(), *equal = json_array(), *wide = json_object();
    json_t *values = json_array(), *picks = json_array();
    char name[32];
    for (int i = 0; i < 100000; i++) {
        json_array_append_new(numbers, json_pack("[i,{s:i}]", i, "a", i));
        json_array_append_new(equal, json_integer(i));
        snprintf(name, sizeof(name), "member%d", i);
        json_object_set_new(wide, name, json_true());
    }
    json_array_append_new(equal, json_real(99999));
    bounded("100,000 different items", parse("{\"uniqueItems\":true}"), numbers, NULL);
    bounded("100,001 items, two equal", parse("{\"uniqueItems\":true}"), equal, "99999 and 100000");
    bounded("100,000 members",
            parse("{\"additionalProperties\":{\"type\":\"boolean\"},"
                  "\"unevaluatedProperties\":false}"),
            wide, NULL);
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "value %d", i);
        json_array_append_new(values, json_string(name));
        json_array_append_new(picks, json_string(name));
    }
    bounded("20,000 values against 20,000 constants",
            json_pack("{s:{s:o}}", "items", "enum", values), picks, NULL);
}

static void test_steps(void)
{
    json_t *list = json_array(), *branches = json_array();
    for (int i = 0; i < 20000; i++)
        json_array_append_new(list, json_integer(i));
    for (int i = 0; i < 1000; i++)
        json_array_append_new(branches, json_pack("{s:i}", "const", -1 - i));
    bounded("20,000 items against 1,000 alternatives",
            json_pack("{s:{s:o}}", "items", "anyOf", branches), list, "alternatives");
    json_t *again = json_array(), *same = json_array();
    for (int i = 0; i < 20000; i++)
        json_array_append_new(again, json_integer(i));
    for (int i = 0; i < 1000; i++)
        json_array_append_new(same, json_pack("{s:i}", "maximum", 1000000));
    bounded("20,000 items against 1,000 schemas", json_pack("{s:{s:o}}", "items", "allOf", same),
            again, "steps");
}

static void test_options(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *document = parse("{\"items\":{\"type\":\"integer\"}}");
    jx_auto *nested = parse("{\"items\":{\"$ref\":\"#\"}}");
    jx_auto *list = json_array(), *deep = parse("[[[[]]]]");
    for (int i = 0; i < 1000; i++)
        json_array_append_new(list, json_integer(i));
    struct schema_options few = {.steps_max = 500}, flat = {.depth_max = 3};
    schema_auto *schema = schema_compile(document, &few, &err);
    is_int(schema_validate(schema, list, &err), -1, "the budget of steps can be set");
    ok(strstr(err.message, "more than 500 steps") != NULL, "the message names it");
    schema_auto *shallow = schema_compile(nested, &flat, &err);
    error_clear(&err);
    is_int(schema_validate(shallow, deep, &err), -1, "the depth can be set");
    ok(strstr(err.message, "more than 3 schemas") != NULL, "the message names it");
}

/* Patterns and documents that would take much memory to compile. */
static void test_compiling(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *huge = string_of("(?:(?:abcdefghij){100}){100}", 1, "");
    jx_auto *one = json_pack("{s:O}", "pattern", huge);
    ok(schema_compile(one, NULL, &err) == NULL, "a pattern too large is refused");
    jx_auto *long_text = string_of("a", 20000, "");
    jx_auto *two = json_pack("{s:O}", "pattern", long_text);
    ok(schema_compile(two, NULL, &err) == NULL, "a pattern too long is refused");
    jx_auto *many = json_object(), *nodes = json_array();
    char name[32];
    for (int i = 0; i < 4000; i++) {
        snprintf(name, sizeof(name), "(?:[ab]cdefgh){500}%d", i);
        json_object_set_new(many, name, json_true());
    }
    jx_auto *three = json_pack("{s:O}", "patternProperties", many);
    long start = cpu_ms();
    ok(schema_compile(three, NULL, &err) == NULL, "patterns too large together are refused");
    note("%s: %ld ms", err.message, cpu_ms() - start);
    for (int i = 0; i < SCHEMA_NODES_MAX; i++)
        json_array_append_new(nodes, json_object());
    jx_auto *four = json_pack("{s:O}", "allOf", nodes);
    start = cpu_ms();
    ok(schema_compile(four, NULL, &err) == NULL, "a schema of too many sub-schemas is refused");
    note("%.200s: %ld ms", err.message, cpu_ms() - start);
}

int main(void)
{
    test_patterns();
    test_many_slow_strings();
    test_recursion();
    test_exponential("allOf", "integer");
    test_exponential("anyOf", "string");
    test_exponential("oneOf", "string");
    test_large();
    test_steps();
    test_options();
    test_compiling();
    return done_testing();
}
