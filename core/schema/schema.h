/* JSON Schema, drafts 2020-12 and 7: compile once, validate often.
 *
 *     struct schema *s = schema_compile(document, NULL, &err);
 *     if (s == NULL || schema_validate(s, instance, &err) < 0)
 *         return -1;
 *     schema_unref(s);
 *
 * A compiled schema never changes: any number of threads may validate with it at once. Compiling
 * and validating are bounded in depth and in work whatever the schema and the instance are, and
 * nothing is ever fetched. Patterns are ECMA-262, matched by PCRE2.
 *
 * Errors. Both a schema that is not valid and an instance that does not match give
 * E_INVALID_REQUEST (change err->code to what the caller's API says, message and details stay),
 * a message of one sentence about the first place, and
 *
 *     details.validationErrors = [{"path": "/a/0", "schemaPath": "/properties/a/items/type",
 *                                  "keyword": "type", "message": "must be a string, is a number"}]
 *
 * `path` is the JSON Pointer into the value that was checked ("" is all of it): the instance, or
 * the schema's own document when that is what is wrong. `schemaPath` is the way the evaluation
 * took through the schema, references included ("/$ref/type"). */
#ifndef C9_SCHEMA_SCHEMA_H
#define C9_SCHEMA_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SCHEMA_ERRORS_MAX     20      /* places reported for one instance */
#define SCHEMA_DEPTH_MAX      768     /* schemas applied inside each other; 1/2 KiB of stack each */
#define SCHEMA_STEPS_MAX      5000000 /* keywords and members looked at for one instance */
#define SCHEMA_PATTERN_US_MAX 100000  /* CPU time that slow patterns may take for one instance */
#define SCHEMA_NODES_MAX      100000  /* sub-schemas of one document and all it refers to */
#define SCHEMA_NESTING_MAX    128     /* nesting of arrays and objects in a schema document */

struct schema;
struct schema_document;

enum schema_draft { SCHEMA_DRAFT_2020_12, SCHEMA_DRAFT_7 };

/* Where documents come from that a $ref or a $schema names and that are neither in the document
 * itself nor one of the two drafts' meta-schemas (those are built in). Returns the document at
 * the absolute `uri` (without fragment), borrowed for the length of the call that asked, or NULL:
 * then the reference does not resolve and the schema is refused. Only called while compiling. */
struct schema_resolver {
    const json_t *(*resolve)(void *arg, const char *uri);
    void *arg;
};

/* Zero is the default of every field. The options are copied. */
struct schema_options {
    enum schema_draft draft;         /* of documents without $schema */
    const char *base_uri;            /* of a document without $id; NULL: none */
    struct schema_resolver resolver; /* resolve NULL: nothing outside the document */
    bool format_annotates;           /* `format` is not checked */
    unsigned errors_max;             /* 0: SCHEMA_ERRORS_MAX */
    unsigned depth_max;              /* 0: SCHEMA_DEPTH_MAX, which is also the most */
    uint64_t steps_max;              /* 0: SCHEMA_STEPS_MAX */
    int64_t pattern_us_max;          /* 0: SCHEMA_PATTERN_US_MAX */
};

/* Compiles a document that is a schema as a whole. It is copied; opts may be NULL. Refused when
 * it does not match its meta-schema, a pattern does not compile, a reference does not resolve,
 * `$schema` names a dialect not known here, or it is deeper or larger than the bounds above.
 * Any thread. NULL on failure, else a reference to be dropped with schema_unref. */
struct schema *schema_compile(const json_t *document, const struct schema_options *opts,
                              struct error *err);

/* Schemas inside a larger document that is not one itself, such as OpenAPI 3.1. All that come out
 * of one document share the copy of it and their sub-schemas, and their references ("#/components/
 * schemas/Agent") resolve against the whole. `document` is copied. NULL on failure. */
struct schema_document *schema_document_new(const json_t *document,
                                            const struct schema_options *opts, struct error *err);
/* The schema at a JSON Pointer ("/paths/~1v1~1agents/post/…/schema"), compiled on first use. One
 * thread at a time per document, and nobody validates with one of its schemas meanwhile. NULL on
 * failure, else a reference to be dropped with schema_unref. Once one schema of a document was
 * refused, all further ones are. */
struct schema *schema_compile_at(struct schema_document *document, const char *pointer,
                                 struct error *err);
/* Lets go of the document; its schemas keep what they need. NULL is allowed. */
void schema_document_free(struct schema_document *document);

/* Any thread. NULL is allowed; schema_ref returns its argument. */
struct schema *schema_ref(struct schema *schema);
void schema_unref(struct schema *schema);
static inline void schema_cleanup(struct schema **s)
{
    schema_unref(*s);
}
#define schema_auto cleanup(schema_cleanup) struct schema

/* 0 when the instance matches, else -1 and err as above. An instance that needs more depth, steps
 * or pattern time than the limits does not match; the message names the limit. The instance is
 * not changed. Any thread. No allocation while it matches, but for schemas with patterns,
 * unevaluated* on large values, or uniqueItems on large arrays. */
int schema_validate(const struct schema *schema, const json_t *instance, struct error *err);

/* A process-wide cache for schemas that come as values (an agent's inputSchema): compiled with the
 * default options, found again by the SHA-256 of the canonical text, the least recently used
 * dropped beyond SCHEMA_CACHE_MAX. Schemas that are refused are not kept. Any thread. A
 * reference to be dropped with schema_unref, or NULL. */
#define SCHEMA_CACHE_MAX 256
struct schema *schema_cache_get(const json_t *document, struct error *err);
void schema_cache_clear(void);   /* drops what is in it */
size_t schema_cache_count(void); /* schemas in it */

#endif
