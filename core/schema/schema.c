/* From document to schema and back: what schema.h promises of their lives. */
#include <string.h>

#include "schema/meta.h"
#include "schema/schema-private.h"

/* Fills all nodes that wait; filling one may find more. */
static int document_fill(struct schema_document *doc, struct error *err)
{
    while (doc->waiting != NULL) {
        struct node *node = doc->waiting;
        doc->waiting = node->next;
        if (keyword_fill_node(doc, node, err) < 0)
            return -1;
    }
    return 0;
}

static void document_release(struct schema_document *doc)
{
    if (atomic_fetch_sub(&doc->refs, 1) != 1)
        return;
    document_index_free(doc);
    for (struct source *s = doc->sources; s != NULL; s = s->next)
        json_decref(s->owned);
    dialect_free_all(doc);
    pattern_free_all(doc->patterns);
    arena_free(&doc->arena);
    free(doc);
}

static void options_fill(struct schema_options *o)
{
    if (o->errors_max == 0)
        o->errors_max = SCHEMA_ERRORS_MAX;
    if (o->depth_max == 0 || o->depth_max > SCHEMA_DEPTH_MAX)
        o->depth_max = SCHEMA_DEPTH_MAX;
    if (o->steps_max == 0)
        o->steps_max = SCHEMA_STEPS_MAX;
    if (o->pattern_us_max == 0)
        o->pattern_us_max = SCHEMA_PATTERN_US_MAX;
}

static struct schema_document *document_new(const json_t *root, const struct schema_options *opts,
                                            unsigned meta_level, bool check, bool is_schema,
                                            struct error *err)
{
    struct schema_document *doc = xcalloc(1, sizeof(*doc));
    atomic_init(&doc->refs, 1);
    if (opts != NULL)
        doc->opts = *opts;
    options_fill(&doc->opts);
    doc->meta_level = meta_level;
    doc->check = check;
    const char *base = doc->opts.base_uri != NULL ? doc->opts.base_uri : "";
    doc->opts.base_uri = arena_strndup(&doc->arena, base, strcspn(base, "#"));
    const struct dialect *dialect = dialect_builtin(doc->opts.draft);
    const char *dialect_uri = is_schema ? NULL : jx_str(root, "jsonSchemaDialect", NULL);
    if (dialect_uri != NULL && meta_draft(dialect_uri) >= 0)
        dialect = dialect_builtin((enum schema_draft)meta_draft(dialect_uri));
    doc->base = document_add(doc, doc->opts.base_uri, root, true, dialect, is_schema, err);
    if (doc->base != NULL)
        return doc;
    document_release(doc);
    return NULL;
}

/* The schema at a root that was entered. */
static struct schema *schema_new(struct schema_document *doc, const struct node *root,
                                 struct error *err)
{
    if (root == NULL || document_fill(doc, err) < 0) {
        doc->broken = true;
        return NULL;
    }
    struct schema *schema = xcalloc(1, sizeof(*schema));
    atomic_init(&schema->refs, 1);
    atomic_fetch_add(&doc->refs, 1);
    schema->document = doc;
    schema->root = root;
    return schema;
}

struct schema *document_compile(const json_t *root, const struct schema_options *opts,
                                unsigned meta_level, bool check, struct error *err)
{
    struct schema_document *doc = document_new(root, opts, meta_level, check, true, err);
    if (doc == NULL)
        return NULL;
    struct schema *schema = schema_new(doc, document_node(doc, doc->base->root), err);
    document_release(doc);
    return schema;
}

struct schema *schema_compile(const json_t *document, const struct schema_options *opts,
                              struct error *err)
{
    return document_compile(document, opts, 0, true, err);
}

struct schema_document *schema_document_new(const json_t *document,
                                            const struct schema_options *opts, struct error *err)
{
    return document_new(document, opts, 0, true, false, err);
}

struct schema *schema_compile_at(struct schema_document *doc, const char *pointer,
                                 struct error *err)
{
    if (doc->broken) {
        error_set(err, E_INVALID_REQUEST, "A schema of this document was refused before");
        return NULL;
    }
    struct resource *resource = doc->base;
    const json_t *value = document_pointer(doc, resource->root, pointer, &resource);
    if (value == NULL) {
        error_set(err, E_INVALID_REQUEST, "The document has nothing at \"%s\"", pointer);
        return NULL;
    }
    return schema_new(doc, document_enter(doc, value, resource, err), err);
}

void schema_document_free(struct schema_document *doc)
{
    if (doc != NULL)
        document_release(doc);
}

struct schema *schema_ref(struct schema *schema)
{
    if (schema != NULL)
        atomic_fetch_add_explicit(&schema->refs, 1, memory_order_relaxed);
    return schema;
}

void schema_unref(struct schema *schema)
{
    if (schema == NULL || atomic_fetch_sub(&schema->refs, 1) != 1)
        return;
    document_release(schema->document);
    free(schema);
}
