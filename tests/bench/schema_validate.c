/* Validating a 100 KiB value against about 200 keywords, beside jansson's parsing of the same text:
 * medians of interleaved runs. */
#include <time.h>

#include "base/json.h"
#include "schema/schema.h"

enum { RUNS = 101, FIELDS = 64, SIZE = 100 << 10 };

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* FIELDS members a record, of eight kinds, each with two or three keywords. */
static json_t *schema_make(size_t *keywords_r)
{
    static const char *const kinds[] = {
        "{\"type\":\"string\",\"minLength\":1,\"maxLength\":80}",
        "{\"type\":\"integer\",\"minimum\":0,\"maximum\":1000000}",
        "{\"type\":\"string\",\"format\":\"date-time\"}",
        "{\"type\":\"array\",\"items\":{\"type\":\"number\"},\"maxItems\":20}",
        "{\"type\":\"string\",\"enum\":[\"one\",\"two\",\"three\"]}",
        "{\"type\":\"string\",\"pattern\":\"^[a-z]+-[0-9]+$\"}",
        "{\"anyOf\":[{\"type\":\"string\",\"minLength\":3},{\"type\":\"null\"}]}",
        "{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"number\"},\"y\":{\"type\":"
        "\"number\"}},\"required\":[\"x\",\"y\"],\"additionalProperties\":false}",
    };
    static const size_t keywords[] = {3, 3, 2, 4, 2, 2, 4, 6};
    json_t *properties = json_object(), *required = json_array();
    *keywords_r = 5;
    for (int i = 0; i < FIELDS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "field%02d", i);
        json_object_set_new(properties, name, json_loads(kinds[i % (int)countof(kinds)], 0, NULL));
        json_array_append_new(required, json_string(name));
        *keywords_r += keywords[i % (int)countof(kinds)];
    }
    return json_pack("{s:s,s:{s:s,s:o,s:o,s:b}}", "type", "array", "items", "type", "object",
                     "properties", properties, "required", required, "additionalProperties", 0);
}

static json_t *record_make(void)
{
    static const char *const values[] = {
        "\"a title of some length\"",
        "12345",
        "\"2026-01-31T23:59:59.5Z\"",
        "[1,2.5,3,4,5]",
        "\"three\"",
        "\"ticket-4711\"",
        "\"text\"",
        "{\"x\":1.5,\"y\":2}",
    };
    json_t *record = json_object();
    for (int i = 0; i < FIELDS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "field%02d", i);
        json_object_set_new(record, name,
                            json_loads(values[i % (int)countof(values)], JSON_DECODE_ANY, NULL));
    }
    return record;
}

int main(void)
{
    error_auto err = ERROR_INIT;
    size_t keywords, len = 0;
    jx_auto *document = schema_make(&keywords), *list = json_array();
    char *text = NULL;
    while (len < SIZE) {
        json_array_append_new(list, record_make());
        free(text);
        text = jx_encode(list, &len);
    }
    schema_auto *schema = schema_compile(document, NULL, &err);
    if (schema == NULL || schema_validate(schema, list, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    static int64_t parse[RUNS], validate[RUNS], compile[RUNS];
    for (int i = 0; i < RUNS; i++) {
        int64_t start = now_ns();
        jx_auto *parsed = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
        parse[i] = now_ns() - start;
        start = now_ns();
        schema_validate(schema, parsed, NULL);
        validate[i] = now_ns() - start;
        start = now_ns();
        schema_unref(schema_compile(document, NULL, &err));
        compile[i] = now_ns() - start;
    }
    qsort(parse, RUNS, sizeof(*parse), by_value);
    qsort(validate, RUNS, sizeof(*validate), by_value);
    qsort(compile, RUNS, sizeof(*compile), by_value);
    printf("schema: %zu bytes, %zu keywords: parse %.0f us, validate %.0f us (%.2f x), "
           "compile %.0f us\n",
           len, keywords, (double)parse[RUNS / 2] / 1e3, (double)validate[RUNS / 2] / 1e3,
           (double)validate[RUNS / 2] / (double)parse[RUNS / 2], (double)compile[RUNS / 2] / 1e3);
    free(text);
    return 0;
}
