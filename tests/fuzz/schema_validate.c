/* Input: a schema's text, NUL, an instance's text. Whatever they are, compiling and validating end
 * soon, agree with themselves, and tell what is wrong. */
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *decode(const void *text, size_t len)
{
    error_auto err = ERROR_INIT;
    return jx_decode(text, len, "input", &err);
}

static void validate(const json_t *document, const json_t *instance,
                     const struct schema_options *opts)
{
    error_auto err = ERROR_INIT;
    schema_auto *schema = schema_compile(document, opts, &err);
    if (schema == NULL && err.code == E_NONE)
        abort(); /* refused without saying why */
    if (schema == NULL)
        return;
    int first = schema_validate(schema, instance, NULL);
    int second = schema_validate(schema, instance, &err);
    const json_t *errors = json_object_get(err.details, "validationErrors");
    /* The time that patterns took may differ between the two. */
    if (first != second && strstr(err.message, "pattern") == NULL)
        abort();
    if (second < 0 && json_array_size(errors) == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t schema_len = nul != NULL ? (size_t)(nul - data) : size;
    jx_auto *document = decode(data, schema_len);
    jx_auto *instance = nul != NULL ? decode(nul + 1, size - schema_len - 1) : json_null();
    if (document == NULL || instance == NULL)
        return 0;
    struct schema_options seven = {.draft = SCHEMA_DRAFT_7, .steps_max = 100000};
    struct schema_options new_draft = {.steps_max = 100000, .pattern_us_max = 20000};
    validate(document, instance, &new_draft);
    validate(document, instance, &seven);
    return 0;
}
