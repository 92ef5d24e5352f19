/* Documents: indexing what is a schema in them, and following references. */
#include <string.h>
#include <uthash.h>

#include "base/hash.h"
#include "schema/meta.h"
#include "schema/schema-private.h"

struct place {
    const char *key; /* a URI without fragment, or URI#anchor */
    const json_t *schema;
    struct resource *resource;
    const char *dynamic_name; /* of a $dynamicAnchor */
    UT_hash_handle hh;
};
struct indexed {
    const json_t *key;
    struct node *node;
    struct resource *root_of; /* the resource whose root it is */
    UT_hash_handle hh;
};

const struct node node_true = {0}, node_false = {.never = true};

/* ---- the index ------------------------------------------------------------------------------- */

static struct indexed *index_find(struct schema_document *doc, const json_t *value)
{
    struct indexed *entry;
    HASH_FIND_PTR(doc->by_value, &value, entry);
    return entry;
}

static struct indexed *index_get(struct schema_document *doc, const json_t *value)
{
    struct indexed *entry = index_find(doc, value);
    if (entry == NULL) {
        entry = arena_alloc(&doc->arena, sizeof(*entry));
        entry->key = value;
        HASH_ADD_PTR(doc->by_value, key, entry);
    }
    return entry;
}

static struct place *place_find(struct schema_document *doc, const char *key)
{
    struct place *place;
    HASH_FIND_STR(doc->by_uri, key, place);
    return place;
}

static int place_add(struct schema_document *doc, const char *key, const json_t *schema,
                     struct resource *resource, const char *dynamic_name, struct error *err)
{
    struct place *place = place_find(doc, key);
    if (place == NULL) {
        place = arena_alloc(&doc->arena, sizeof(*place));
        place->key = arena_strndup(&doc->arena, key, strlen(key));
        place->schema = schema;
        place->resource = resource;
        HASH_ADD_KEYPTR(hh, doc->by_uri, place->key, strlen(place->key), place);
    } else if (place->schema != schema) {
        return document_error(doc, schema, NULL, err, "is the second one that is called \"%s\"",
                              key);
    }
    if (dynamic_name != NULL)
        place->dynamic_name = dynamic_name;
    return 0;
}

static struct resource *resource_add(struct schema_document *doc, const char *uri,
                                     const json_t *root, const struct dialect *dialect,
                                     struct error *err)
{
    struct resource *resource = arena_alloc(&doc->arena, sizeof(*resource));
    resource->uri = arena_strndup(&doc->arena, uri, strcspn(uri, "#"));
    resource->root = root;
    resource->dialect = dialect;
    if (!json_is_boolean(root))
        index_get(doc, root)->root_of = resource;
    return place_add(doc, resource->uri, root, resource, NULL, err) < 0 ? NULL : resource;
}

/* An object's own URI reference, or NULL: where draft 7 has a $ref, it has nothing else. */
static const char *schema_id(const json_t *schema, const struct dialect *dialect)
{
    if (dialect->draft == SCHEMA_DRAFT_7 && json_object_get(schema, "$ref") != NULL)
        return NULL;
    const char *id = jx_str(schema, "$id", NULL);
    return id != NULL && id[0] != '#' ? id : NULL;
}

static const struct dialect *schema_dialect(struct schema_document *doc, const json_t *schema,
                                            const struct dialect *otherwise, struct error *err)
{
    const char *uri = jx_str(schema, "$schema", NULL);
    if (uri == NULL)
        return otherwise;
    const struct dialect *dialect = dialect_find(doc, uri, err);
    if (dialect == NULL && err != NULL && err->details == NULL) {
        autofree char *message = xstrdup(err->message);
        document_error(doc, schema, "$schema", err, "is not usable: %s", message);
    }
    return dialect;
}

static int anchor_add(struct schema_document *doc, struct node *node, const char *name,
                      bool dynamic, struct error *err)
{
    autofree char *key = xasprintf("%s#%s", node->resource->uri, name);
    if (place_add(doc, key, node->schema, node->resource, dynamic ? name : NULL, err) < 0)
        return -1;
    if (dynamic) {
        struct dynamic_anchor *anchor = arena_alloc(&doc->arena, sizeof(*anchor));
        anchor->name = name;
        anchor->node = node;
        anchor->next = node->resource->dynamic_anchors;
        node->resource->dynamic_anchors = anchor;
    }
    return 0;
}

static int anchors_add(struct schema_document *doc, struct node *node, struct error *err)
{
    const json_t *schema = node->schema;
    if (node->resource->dialect->draft == SCHEMA_DRAFT_7) {
        const char *id = jx_str(schema, "$id", "");
        const char *anchor = json_object_get(schema, "$ref") == NULL ? strchr(id, '#') : NULL;
        return anchor != NULL && anchor[1] != '\0' ? anchor_add(doc, node, anchor + 1, false, err)
                                                   : 0;
    }
    const char *anchor = jx_str(schema, "$anchor", NULL);
    const char *dynamic = jx_str(schema, "$dynamicAnchor", NULL);
    if (anchor != NULL && anchor_add(doc, node, anchor, false, err) < 0)
        return -1;
    return dynamic != NULL ? anchor_add(doc, node, dynamic, true, err) : 0;
}

static int index_schema(struct schema_document *doc, const json_t *schema,
                        struct resource *resource, struct error *err);

/* The schemas in one keyword's value. A value of a shape that does not fit is left to the fill. */
static int index_keyword(struct schema_document *doc, const struct keyword *keyword,
                         const json_t *value, struct resource *resource, struct error *err)
{
    size_t i;
    const char *key;
    json_t *member;
    enum shape shape = keyword->shape;
    if (shape == SHAPE_SCHEMA_OR_LIST)
        shape = json_is_array(value) ? SHAPE_LIST : SHAPE_SCHEMA;
    if (shape == SHAPE_SCHEMA)
        return index_schema(doc, value, resource, err);
    if (shape == SHAPE_LIST) {
        json_array_foreach (value, i, member)
            if (index_schema(doc, member, resource, err) < 0)
                return -1;
    } else if (shape == SHAPE_MAP || shape == SHAPE_MAP_MIXED) {
        json_object_foreach ((json_t *)value, key, member) {
            if (shape == SHAPE_MAP_MIXED && json_is_array(member))
                continue;
            if (index_schema(doc, member, resource, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* Recursion is bounded: nesting_check saw the document first. */
static int index_schema(struct schema_document *doc, const json_t *schema,
                        struct resource *resource, struct error *err)
{
    if (json_is_boolean(schema))
        return 0;
    if (!json_is_object(schema))
        return document_error(doc, schema, NULL, err, "must be a schema: an object or a boolean");
    struct indexed *entry = index_get(doc, schema);
    if (entry->node != NULL)
        return 0;
    const char *id = schema_id(schema, resource->dialect);
    if (id != NULL && resource->root != schema) {
        const struct dialect *dialect = schema_dialect(doc, schema, resource->dialect, err);
        if (dialect == NULL)
            return -1;
        autofree char *uri = uri_resolve(resource->uri, id);
        resource = resource_add(doc, uri, schema, dialect, err);
        if (resource == NULL)
            return -1;
    }
    if (++doc->node_count > SCHEMA_NODES_MAX)
        return document_error(doc, schema, NULL, err, "is one too many: a document may have %d",
                              SCHEMA_NODES_MAX);
    struct node *node = arena_alloc(&doc->arena, sizeof(*node));
    node->schema = schema;
    node->resource = resource;
    node->next = doc->waiting;
    doc->waiting = node;
    entry->node = node;
    if (anchors_add(doc, node, err) < 0)
        return -1;
    for (size_t i = 0; i < keyword_count; i++) {
        const json_t *value = json_object_get(schema, keywords[i].name);
        if (value != NULL && keyword_in(&keywords[i], resource->dialect) &&
            index_keyword(doc, &keywords[i], value, resource, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- entering: a schema that was not known to be one yet ------------------------------------- */

static int meta_check(struct schema_document *doc, const json_t *schema,
                      const struct resource *resource, struct error *err)
{
    if (!doc->check)
        return 0;
    const struct schema *meta = dialect_meta(resource->dialect);
    if (run_validate(meta, schema, "", NULL) == 0)
        return 0;
    const struct source *source;
    autofree char *path = document_path(doc, schema, &source);
    run_validate(meta, schema, path, err);
    return error_wrap(err, "The schema%s%s is not valid",
                      source != NULL && source->next != NULL ? " " : "",
                      source != NULL && source->next != NULL ? source->uri : "");
}

const struct node *document_node(struct schema_document *doc, const json_t *schema)
{
    if (json_is_boolean(schema))
        return json_is_true(schema) ? &node_true : &node_false;
    return index_find(doc, schema)->node;
}

const struct node *document_enter(struct schema_document *doc, const json_t *schema,
                                  struct resource *resource, struct error *err)
{
    const struct indexed *entry = index_find(doc, schema);
    if (json_is_boolean(schema) || (entry != NULL && entry->node != NULL))
        return document_node(doc, schema);
    if (meta_check(doc, schema, resource, err) < 0 || index_schema(doc, schema, resource, err) < 0)
        return NULL;
    return document_node(doc, schema);
}

static bool nesting_fits(const json_t *value, unsigned left)
{
    const char *key;
    size_t i;
    json_t *member;
    if (left == 0)
        return false;
    json_object_foreach ((json_t *)value, key, member)
        if (!nesting_fits(member, left - 1))
            return false;
    json_array_foreach (value, i, member)
        if (!nesting_fits(member, left - 1))
            return false;
    return true;
}

struct resource *document_add(struct schema_document *doc, const char *uri, const json_t *root,
                              bool copy, const struct dialect *dialect, bool is_schema,
                              struct error *err)
{
    if (!nesting_fits(root, SCHEMA_NESTING_MAX)) {
        error_set(err, E_INVALID_REQUEST, "The schema%s%s is nested deeper than %d",
                  *uri != '\0' ? " " : "", uri, SCHEMA_NESTING_MAX);
        return NULL;
    }
    struct source *source = arena_alloc(&doc->arena, sizeof(*source));
    source->owned = copy ? json_deep_copy(root) : NULL;
    source->root = root = copy ? source->owned : root;
    source->uri = arena_strndup(&doc->arena, uri, strlen(uri));
    source->next = doc->sources;
    doc->sources = source;
    const char *id = NULL;
    if (is_schema) {
        dialect = schema_dialect(doc, root, dialect, err);
        if (dialect == NULL)
            return NULL;
        id = schema_id(root, dialect);
    }
    autofree char *own = id != NULL ? uri_resolve(uri, id) : xstrdup(uri);
    struct resource *resource = resource_add(doc, own, root, dialect, err);
    if (resource == NULL)
        return NULL;
    if (place_find(doc, uri) == NULL && place_add(doc, uri, root, resource, NULL, err) < 0)
        return NULL;
    if (is_schema && document_enter(doc, root, resource, err) == NULL)
        return NULL;
    return resource;
}

/* ---- references ------------------------------------------------------------------------------ */

static struct place *place_load(struct schema_document *doc, const char *uri,
                                const struct dialect *dialect, struct error *err)
{
    struct place *place = place_find(doc, uri);
    if (place != NULL)
        return place;
    const struct schema_resolver *resolver = &doc->opts.resolver;
    const json_t *root = meta_document(uri);
    bool builtin = root != NULL;
    if (root == NULL && resolver->resolve != NULL)
        root = resolver->resolve(resolver->arg, uri);
    if (root == NULL) {
        error_set(err, E_INVALID_REQUEST, "there is no document %s here, and nothing is fetched",
                  uri);
        return NULL;
    }
    bool check = doc->check;
    doc->check = check && !builtin;
    struct resource *resource = document_add(doc, uri, root, !builtin, dialect, true, err);
    doc->check = check;
    return resource != NULL ? place_find(doc, uri) : NULL;
}

const json_t *document_pointer(struct schema_document *doc, const json_t *value,
                               const char *pointer, struct resource **resource)
{
    if (!jx_pointer_valid(pointer, strlen(pointer)))
        return NULL;
    while (*pointer != '\0' && value != NULL) {
        value = jx_pointer_step(value, &pointer);
        const struct indexed *entry = value != NULL ? index_find(doc, value) : NULL;
        if (entry != NULL && entry->root_of != NULL)
            *resource = entry->root_of;
    }
    return value;
}

static void percent_decode(char *s)
{
    char *out = s;
    for (; *s != '\0'; s++) {
        int high = *s == '%' ? hash_hex_value(s[1]) : -1,
            low = high >= 0 ? hash_hex_value(s[2]) : -1;
        if (low >= 0 && (high | low) != 0) {
            *out++ = (char)(high << 4 | low);
            s += 2;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

const struct node *document_resolve(struct schema_document *doc, const struct resource *from,
                                    const char *ref, const char **anchor_r, struct error *err)
{
    autofree char *uri = uri_resolve(from->uri, ref);
    char *hash = strchr(uri, '#');
    char *fragment = hash != NULL ? hash + 1 : uri + strlen(uri);
    if (hash != NULL)
        *hash = '\0';
    const struct place *place = place_load(doc, uri, from->dialect, err);
    *anchor_r = NULL;
    if (place == NULL)
        return NULL;
    percent_decode(fragment);
    struct resource *resource = place->resource;
    const json_t *schema = place->schema;
    if (*fragment == '/') {
        schema = document_pointer(doc, schema, fragment, &resource);
    } else if (*fragment != '\0') {
        autofree char *key = xasprintf("%s#%s", resource->uri, fragment);
        place = place_find(doc, key);
        schema = place != NULL ? place->schema : NULL;
        *anchor_r = place != NULL ? place->dynamic_name : NULL;
    }
    if (schema == NULL) {
        error_set(err, E_INVALID_REQUEST, "there is nothing at \"#%s\"%s%s", fragment,
                  *uri != '\0' ? " in " : "", uri);
        return NULL;
    }
    return document_enter(doc, schema, resource, err);
}

void document_index_free(struct schema_document *doc)
{
    HASH_CLEAR(hh, doc->by_uri);
    HASH_CLEAR(hh, doc->by_value);
}
