/* Dialects: the two drafts, and 2020-12 meta-schemas of others that choose vocabularies. */
#include <string.h>

#include "schema/meta.h"
#include "schema/schema-private.h"

enum { META_LEVEL_MAX = 3 }; /* meta-schemas of meta-schemas */

static const struct dialect builtin[] = {
    [SCHEMA_DRAFT_2020_12] = {.uri = "https://json-schema.org/draft/2020-12/schema",
                              .draft = SCHEMA_DRAFT_2020_12,
                              .vocabularies = VOCAB_STANDARD},
    [SCHEMA_DRAFT_7] = {.uri = "http://json-schema.org/draft-07/schema",
                        .draft = SCHEMA_DRAFT_7,
                        .vocabularies = VOCAB_STANDARD},
};
static const struct {
    const char *name;
    unsigned vocabulary;
} vocabularies[] = {
    {"core", VOCAB_CORE},
    {"applicator", VOCAB_APPLICATOR},
    {"unevaluated", VOCAB_UNEVALUATED},
    {"validation", VOCAB_VALIDATION},
    {"meta-data", VOCAB_META_DATA},
    {"format-annotation", VOCAB_FORMAT_ANNOTATION},
    {"format-assertion", VOCAB_FORMAT_ASSERTION},
    {"content", VOCAB_CONTENT},
};
#define VOCABULARY_BASE "https://json-schema.org/draft/2020-12/vocab/"

const struct dialect *dialect_builtin(enum schema_draft draft)
{
    return &builtin[draft];
}

const struct schema *dialect_meta(const struct dialect *dialect)
{
    return dialect->owned != NULL ? dialect->owned : meta_schema(dialect->draft);
}

static unsigned vocabulary_by_uri(const char *uri)
{
    size_t n = strlen(VOCABULARY_BASE);
    if (strncmp(uri, VOCABULARY_BASE, n) != 0)
        return 0;
    for (size_t i = 0; i < countof(vocabularies); i++)
        if (strcmp(uri + n, vocabularies[i].name) == 0)
            return vocabularies[i].vocabulary;
    return 0;
}

/* Reads $vocabulary. 0 or -1. */
static int dialect_read(struct dialect *dialect, const json_t *meta, struct error *err)
{
    const char *uri;
    json_t *required;
    json_t *list = json_object_get(meta, "$vocabulary");
    int draft = meta_draft(jx_str(meta, "$schema", ""));
    dialect->draft = draft < 0 ? SCHEMA_DRAFT_2020_12 : (enum schema_draft)draft;
    dialect->vocabularies = json_is_object(list) ? VOCAB_CORE : VOCAB_STANDARD;
    json_object_foreach (list, uri, required) {
        unsigned vocabulary = vocabulary_by_uri(uri);
        dialect->vocabularies |= vocabulary;
        if (vocabulary == 0 && json_is_true(required))
            return error_set(
                err, E_INVALID_REQUEST,
                "The meta-schema %s requires the vocabulary %s, which is not known here",
                dialect->uri, uri);
    }
    return 0;
}

const struct dialect *dialect_find(struct schema_document *doc, const char *uri, struct error *err)
{
    int draft = meta_draft(uri);
    if (draft >= 0)
        return &builtin[draft];
    for (struct dialect *d = doc->dialects; d != NULL; d = d->next)
        if (strcmp(d->uri, uri) == 0)
            return d;
    const struct schema_resolver *resolver = &doc->opts.resolver;
    const json_t *meta = resolver->resolve != NULL ? resolver->resolve(resolver->arg, uri) : NULL;
    if (!json_is_object(meta) || doc->meta_level == META_LEVEL_MAX) {
        error_set(err, E_INVALID_REQUEST,
                  "\"$schema\" names %s, which is not known here; use %s or %s#", uri,
                  builtin[SCHEMA_DRAFT_2020_12].uri, builtin[SCHEMA_DRAFT_7].uri);
        return NULL;
    }
    struct dialect *dialect = arena_alloc(&doc->arena, sizeof(*dialect));
    dialect->uri = arena_strndup(&doc->arena, uri, strlen(uri));
    if (dialect_read(dialect, meta, err) < 0)
        return NULL;
    struct schema_options opts = doc->opts;
    opts.base_uri = dialect->uri;
    opts.draft = dialect->draft;
    opts.format_annotates = true; /* see meta.c */
    dialect->owned = document_compile(meta, &opts, doc->meta_level + 1, true, err);
    if (dialect->owned == NULL) {
        error_wrap(err, "The meta-schema %s is not valid", uri);
        return NULL;
    }
    dialect->next = doc->dialects;
    doc->dialects = dialect;
    return dialect;
}

void dialect_free_all(struct schema_document *doc)
{
    for (struct dialect *d = doc->dialects; d != NULL; d = d->next)
        schema_unref(d->owned);
}
