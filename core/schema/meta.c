#include "schema/meta.h"

#include <pthread.h>
#include <string.h>

enum { META_COUNT_MAX = 16 };

static json_t *documents[META_COUNT_MAX];
static struct schema *schemas[2];
static pthread_once_t documents_once = PTHREAD_ONCE_INIT, schemas_once = PTHREAD_ONCE_INIT;
static const char *const draft_uris[] = {
    [SCHEMA_DRAFT_2020_12] = "https://json-schema.org/draft/2020-12/schema",
    [SCHEMA_DRAFT_7] = "http://json-schema.org/draft-07/schema",
};

static void documents_load(void)
{
    for (size_t i = 0; i < meta_text_count; i++) {
        error_auto err = ERROR_INIT;
        documents[i] =
            jx_decode(meta_texts[i].text, strlen(meta_texts[i].text), "meta-schema", &err);
        if (documents[i] == NULL) {
            fprintf(stderr, "%s: %s\n", meta_texts[i].uri, err.message);
            abort(); /* the program itself is broken */
        }
    }
}

const json_t *meta_document(const char *uri)
{
    pthread_once(&documents_once, documents_load);
    for (size_t i = 0; i < meta_text_count; i++)
        if (strcmp(meta_texts[i].uri, uri) == 0)
            return documents[i];
    return NULL;
}

static void schemas_compile(void)
{
    /* Formats annotate here: a reference that leads somewhere is good enough, whatever characters
     * it has unescaped, and what is wrong with a pattern is told when it is compiled. */
    static const struct schema_options opts = {.format_annotates = true};
    for (size_t i = 0; i < countof(draft_uris); i++) {
        error_auto err = ERROR_INIT;
        schemas[i] = document_compile(meta_document(draft_uris[i]), &opts, 0, false, &err);
        if (schemas[i] == NULL) {
            fprintf(stderr, "%s: %s\n", draft_uris[i], err.message);
            abort();
        }
    }
}

const struct schema *meta_schema(enum schema_draft draft)
{
    pthread_once(&schemas_once, schemas_compile);
    return schemas[draft];
}

int meta_draft(const char *uri)
{
    size_t len = strlen(uri);
    if (len > 0 && uri[len - 1] == '#')
        len--;
    for (size_t i = 0; i < countof(draft_uris); i++)
        if (strlen(draft_uris[i]) == len && memcmp(draft_uris[i], uri, len) == 0)
            return (int)i;
    return -1;
}
