/* What the files of this room share. A schema is compiled in three steps: the documents are
 * indexed (document.c: which objects are schemas, what base URI and anchors they have), each of
 * them becomes a node with one op a keyword (keywords.c and its fill functions), and the nodes
 * are walked along an instance (validate.c, with the ops' check functions). */
#ifndef C9_SCHEMA_SCHEMA_PRIVATE_H
#define C9_SCHEMA_SCHEMA_PRIVATE_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/json.h"
#include "schema/schema.h"

/* ---- memory: one arena a document, freed once ------------------------------------------------ */
struct arena_block;
struct arena {
    struct arena_block *last;
};
void *arena_alloc(struct arena *arena, size_t size); /* zeroed, never NULL */
char *arena_strndup(struct arena *arena, const char *s, size_t len);
void arena_free(struct arena *arena);

/* ---- dialects -------------------------------------------------------------------------------- */
enum vocabulary {
    VOCAB_CORE = 1 << 0,
    VOCAB_APPLICATOR = 1 << 1,
    VOCAB_UNEVALUATED = 1 << 2,
    VOCAB_VALIDATION = 1 << 3,
    VOCAB_META_DATA = 1 << 4,
    VOCAB_FORMAT_ANNOTATION = 1 << 5,
    VOCAB_CONTENT = 1 << 6,
    VOCAB_FORMAT_ASSERTION = 1 << 7,
    VOCAB_FORMAT = VOCAB_FORMAT_ANNOTATION | VOCAB_FORMAT_ASSERTION,
    VOCAB_STANDARD = 0x7f, /* the 2020-12 meta-schema's own; also used for draft 7 */
};
struct dialect {
    struct dialect *next;
    const char *uri; /* of its meta-schema */
    enum schema_draft draft;
    unsigned vocabularies;
    struct schema *owned; /* its meta-schema, when it is not a built-in one */
};

/* ---- documents and their index --------------------------------------------------------------- */
struct node;
struct dynamic_anchor {
    struct dynamic_anchor *next;
    const char *name;
    const struct node *node;
};
/* A schema resource: what shares one base URI. */
struct resource {
    char *uri; /* without fragment; "" when there is none */
    const json_t *root;
    const struct dialect *dialect;
    struct dynamic_anchor *dynamic_anchors;
};

#define APPLIES(type)   (1u << (type))
#define APPLIES_NUMBER  (APPLIES(JSON_INTEGER) | APPLIES(JSON_REAL))
#define APPLIES_BOOLEAN (APPLIES(JSON_TRUE) | APPLIES(JSON_FALSE))
#define APPLIES_ALL     0xffu
#define TYPE_INTEGER    (1u << 8) /* beside APPLIES bits in `type`: reals without a fraction too */

struct run;
struct frame;
struct op;
typedef bool op_check(struct run *run, const struct op *op, const struct frame *frame);

/* A number as digits * 10^exponent, exactly as it was written in decimal. */
struct decimal {
    uint64_t digits;
    int exponent;
};

/* One keyword of one schema, compiled. */
struct op {
    op_check *check;
    const char *keyword;
    const json_t *value; /* the keyword's, in the document */
    unsigned applies;    /* to instances of these types; for others it holds */
    bool last;           /* unevaluated…: only asked when all the others hold */
    union {
        unsigned types;                    /* type */
        size_t count;                      /* min…, max… of lengths and sizes */
        struct decimal divisor;            /* multipleOf */
        const struct constants *constants; /* enum */
        const struct pattern *pattern;     /* pattern */
        const struct format *format;       /* format */
        const struct node *node;           /* $ref, not, propertyNames, unevaluated… */
        struct {                           /* allOf, anyOf, oneOf */
            const struct node **nodes;
            size_t n;
        } list;
        struct { /* $dynamicRef */
            const struct node *node;
            const char *name; /* NULL: it is a plain reference */
        } dynamic;
        struct { /* if; NULL: not there */
            const struct node *condition, *yes, *no;
        } branch;
        struct { /* contains */
            const struct node *node;
            size_t least, most;
            bool marks; /* what it contains counts as evaluated (2020-12) */
        } contains;
        struct {                              /* prefixItems and items, items and additionalItems */
            const struct node **nodes, *rest; /* rest NULL: anything */
            size_t n;
            const char *prefix_keyword, *rest_keyword;
        } items;
        const struct members *members; /* properties, patternProperties, additionalProperties */
        struct {                       /* dependentSchemas, dependentRequired, dependencies */
            const struct dependent *rows;
            size_t n;
        } dependents;
    };
};

struct node {
    const json_t *schema; /* an object; NULL for the two boolean ones */
    struct resource *resource;
    struct node *next; /* waiting to be filled */
    struct op *ops;
    size_t op_count;
    bool never;  /* `false` */
    bool tracks; /* has unevaluated…, so what is evaluated is tracked */
};
extern const struct node node_true, node_false;

struct source { /* a JSON document: the one compiled, or one it refers to */
    struct source *next;
    const json_t *root;
    json_t *owned;   /* root, when it is a copy of ours */
    const char *uri; /* where it came from */
};
struct place;   /* document.c: what a URI, or a URI with an anchor, names */
struct indexed; /* document.c: the node of a schema, the resource of a root */

struct schema_document {
    atomic_uint refs;
    struct schema_options opts; /* with the defaults filled in */
    unsigned meta_level;        /* meta-schemas being compiled inside each other */
    bool check;                 /* schemas against their meta-schema */
    bool broken;                /* one was refused, and left nodes without their ops */
    struct arena arena;
    struct source *sources; /* the document itself is the last */
    struct place *by_uri;
    struct indexed *by_value;
    struct dialect *dialects;
    struct resource *base; /* of the document itself */
    struct node *waiting;  /* to be filled */
    struct pattern *patterns;
    size_t pattern_size, node_count;
};
struct schema {
    atomic_uint refs;
    struct schema_document *document;
    const struct node *root;
};

/* schema.c */
struct schema *document_compile(const json_t *root, const struct schema_options *opts,
                                unsigned meta_level, bool check, struct error *err);

/* document.c: takes a document in, as a schema or as one that has some inside; it is copied unless
 * it is a built-in one. Its root resource, or NULL. */
struct resource *document_add(struct schema_document *doc, const char *uri, const json_t *root,
                              bool copy, const struct dialect *dialect, bool is_schema,
                              struct error *err);
void document_index_free(struct schema_document *doc);
/* The node of a value that may not be known to be a schema yet; it is then checked and indexed. */
const struct node *document_enter(struct schema_document *doc, const json_t *schema,
                                  struct resource *resource, struct error *err);
/* The node of a schema that lies at a schema position of an indexed schema. */
const struct node *document_node(struct schema_document *doc, const json_t *schema);
/* The value at a JSON Pointer below value; *resource follows into embedded resources. NULL: none.
 */
const json_t *document_pointer(struct schema_document *doc, const json_t *value,
                               const char *pointer, struct resource **resource);
/* What a reference in `from` leads to. anchor_r: the name when it is a $dynamicAnchor, else NULL.
 * NULL on failure, without the place in err. */
const struct node *document_resolve(struct schema_document *doc, const struct resource *from,
                                    const char *ref, const char **anchor_r, struct error *err);

/* fault.c: fills err for a fault in a schema of one of the documents, at its keyword or (NULL)
 * itself. */
int document_error(struct schema_document *doc, const json_t *schema, const char *keyword,
                   struct error *err, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The pointer to a value in the document that it lies in, which is *source_r. To be freed. */
char *document_path(struct schema_document *doc, const json_t *value,
                    const struct source **source_r);

/* dialect.c: the dialect of a document or resource with this $schema; NULL on failure. */
const struct dialect *dialect_find(struct schema_document *doc, const char *uri, struct error *err);
const struct dialect *dialect_builtin(enum schema_draft draft);
const struct schema *dialect_meta(const struct dialect *dialect);
void dialect_free_all(struct schema_document *doc);

/* ---- keywords -------------------------------------------------------------------------------- */
enum shape { /* where in a keyword's value schemas are */
             SHAPE_NONE,
             SHAPE_SCHEMA,         /* it is one */
             SHAPE_LIST,           /* an array of them */
             SHAPE_MAP,            /* an object of them */
             SHAPE_SCHEMA_OR_LIST, /* items of draft 7 */
             SHAPE_MAP_MIXED,      /* dependencies: arrays of names beside them */
};
struct compile {
    struct schema_document *doc;
    struct node *node;
    struct error *err;
};
/* Adds the op of a keyword. 0, or -1 with c->err filled. op is zeroed but for keyword, value and
 * applies; an op whose check stays NULL is dropped. */
typedef int keyword_fill(struct compile *c, struct op *op, const json_t *value);
struct keyword {
    const char *name;
    unsigned drafts; /* 1 << SCHEMA_DRAFT_… */
    unsigned vocabularies;
    enum shape shape;
    unsigned takes; /* JSON types of its value */
    unsigned applies;
    keyword_fill *fill; /* NULL: another keyword's fill reads it, or it only holds schemas */
};
extern const struct keyword keywords[];
extern const size_t keyword_count;
bool keyword_in(const struct keyword *keyword, const struct dialect *dialect);
/* A keyword's value in a schema; NULL also when the dialect does not have the keyword. */
const json_t *keyword_value(const struct node *node, const char *name);
int keyword_fill_node(struct schema_document *doc, struct node *node, struct error *err);

keyword_fill fill_type, fill_const, fill_enum, fill_multiple_of, fill_maximum, fill_minimum,
    fill_exclusive_maximum, fill_exclusive_minimum;                       /* check_value.c */
keyword_fill fill_max_length, fill_min_length, fill_pattern, fill_format; /* check_string.c */
keyword_fill fill_max_items, fill_min_items, fill_unique_items, fill_items, fill_prefix_items,
    fill_contains, fill_unevaluated_items; /* check_array.c */
keyword_fill fill_max_properties, fill_min_properties, fill_required, fill_dependent_required,
    fill_members, fill_property_names, fill_unevaluated_properties; /* check_object.c */
keyword_fill fill_ref, fill_dynamic_ref, fill_all_of, fill_any_of, fill_one_of, fill_not, fill_if,
    fill_dependent_schemas, fill_dependencies; /* check_apply.c */

/* A non-negative integer (2.0 is one), cut to SIZE_MAX. 0 or -1 with c->err filled. */
int fill_count(struct compile *c, const json_t *value, const char *keyword, size_t *count_r);
/* The node of each schema in an array. */
const struct node **fill_nodes(struct compile *c, const json_t *list, size_t *n_r);

/* ---- a validation ---------------------------------------------------------------------------- */
struct step { /* one token of a path: a name, or an index when key is NULL */
    const char *key;
    size_t len; /* of key, or the index; STEP_NONE: no token */
};
#define STEP_NONE      ((struct step){NULL, SIZE_MAX})
#define STEP_INDEX(i)  ((struct step){NULL, (i)})
#define STEP_KEY(k, l) ((struct step){(k), (l)})

/* Which members or items of one instance have been evaluated. */
struct seen {
    size_t n;
    uint64_t *bits;
    uint64_t few[2];
};
struct frame { /* one schema being applied to one instance; on the stack */
    const struct frame *up;
    const struct node *node;
    const json_t *instance;
    struct seen *seen;   /* NULL when nobody asks */
    const char *keyword; /* of up's schema, that led here */
    struct step sub, at; /* below the keyword; from up's instance to this one */
};
struct run {
    const struct schema_document *document;
    uint64_t steps; /* left */
    unsigned depth; /* left */
    unsigned errors_max;
    bool reporting; /* collect errors and go on; else the first failure ends it */
    bool stopped;   /* a limit was reached: nothing holds any more */
    json_t *errors, *stop_error;
    const char *path_prefix; /* put before every path; "" for none */
    const char *instead;     /* what may have been meant by the member looked at; NULL: unknown */
    struct matcher *matcher; /* pattern.c's, made on first use */
};

/* Applies node to a value at `at` from the frame's instance. */
bool run_apply(struct run *run, const struct frame *up, const struct node *node,
               const json_t *instance, struct seen *seen, const char *keyword, struct step sub,
               struct step at);
/* The same to the frame's own instance, with nothing reported. */
bool run_test(struct run *run, const struct frame *up, const struct node *node, struct seen *seen,
              const char *keyword, struct step sub);
/* Takes n steps from the budget; false when it is used up (and the run stopped). */
bool run_charge(struct run *run, const struct frame *frame, uint64_t n);
/* Ends the run because of a limit. Returns false. */
bool run_stop(struct run *run, const struct frame *frame, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Reports that op does not hold, when errors are collected. Returns false. */
bool run_fail(struct run *run, const struct frame *frame, const struct op *op, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Validates at a place inside a larger value, whose pointer goes before the paths. */
int run_validate(const struct schema *schema, const json_t *instance, const char *path_prefix,
                 struct error *err);
/* The pointer to the frame's instance; to be freed. */
char *frame_pointer(const struct run *run, const struct frame *frame);
bool run_full(const struct run *run); /* as many errors as are wanted */

static inline void seen_mark(struct seen *seen, size_t i)
{
    seen->bits[i / 64] |= UINT64_C(1) << (i % 64);
}
static inline bool seen_has(const struct seen *seen, size_t i)
{
    return (seen->bits[i / 64] >> (i % 64)) & 1;
}

/* ---- small parts ----------------------------------------------------------------------------- */
/* uri.c: RFC 3986 reference resolution; to be freed. The fragment stays. */
char *uri_resolve(const char *base, const char *ref);

/* pattern.c */
struct pattern *pattern_compile(struct schema_document *doc, const char *text, size_t len,
                                char why[256]); /* NULL: see why */
void pattern_free_all(struct pattern *patterns);
bool pattern_matches(struct run *run, const struct frame *frame, const struct pattern *pattern,
                     const char *s, size_t len);
void matcher_free(struct matcher *matcher);
/* ecma.c: an ECMA-262 pattern as one for PCRE2. 0, or -1 and why. out may be NULL. */
int ecma_translate(const char *text, size_t len, struct buf *out, char why[256]);

/* format.c: NULL when the format is not known here */
struct format {
    const char *name;
    bool (*valid)(const char *s, size_t len);
    const char *a; /* "a date-time as RFC 3339 has it" */
};
const struct format *format_find(const char *name);
bool format_uri(const char *s, size_t len); /* format_net.c */
bool format_uri_reference(const char *s, size_t len);
bool format_ipv4(const char *s, size_t len);
bool format_ipv6(const char *s, size_t len);
bool format_hostname(const char *s, size_t len);
bool format_email(const char *s, size_t len);
bool format_a_label(const char *s, size_t len); /* what follows "xn--"; format_idna.c */

/* number.c */
int number_compare(const json_t *a, const json_t *b); /* exact; <0, 0, >0 */
bool number_is_integer(const json_t *value);
struct decimal number_decimal(const json_t *value);
bool number_is_multiple(const json_t *value, struct decimal divisor);

/* value.c: equal values (1 and 1.0, members in any order) have equal hashes. *size is raised by
 * the work done. Keyed by a secret of the process. */
uint64_t value_hash(const json_t *value, uint64_t *size);
const char *value_type_name(const json_t *value); /* "an object" */
/* The value's text, cut to something readable in a sentence. Returns out. */
char *value_excerpt(const json_t *value, char out[64]);

/* Appends the UTF-8 of a code point. */
void utf8_append(struct buf *out, uint32_t c);
/* Appends "/token" with ~ and / escaped. */
void pointer_append(struct buf *out, struct step step);

#endif
