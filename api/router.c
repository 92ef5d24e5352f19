/* Building the router out of the OpenAPI document, and matching paths. */
#include "api/router.h"

#include <string.h>

#include "base/json.h"
#include "service/token.h"

struct router {
    struct route *routes;
    size_t n_routes;
};

/* What building needs at hand. */
struct builder {
    const json_t *document;
    struct schema_document *schemas;
    const struct handler_row *rows;
    size_t n_rows;
    bool *used; /* rows that have found their operation */
};

static const char *const methods[METHODS_MAX] = {"get", "post", "put", "patch", "delete"};

/* ---- walking the document ---- */

/* A place in the document and its JSON Pointer. */
struct place {
    const json_t *value;
    char *pointer;
};
static void place_clear(struct place *place)
{
    free(place->pointer);
}
#define place_auto cleanup(place_clear) struct place

static struct place place_member(const struct place *place, const char *key)
{
    buf_auto pointer = BUF_INIT;
    buf_append_str(&pointer, place->pointer);
    jx_pointer_append(&pointer, key, strlen(key));
    return (struct place){json_object_get(place->value, key), buf_steal(&pointer)};
}

static struct place place_item(const struct place *place, size_t i)
{
    return (struct place){json_array_get(place->value, i), xasprintf("%s/%zu", place->pointer, i)};
}

/* Follows a "$ref" to a component (one step: components do not refer further). */
static int place_resolve(const struct builder *builder, struct place *place, struct error *err)
{
    const char *ref = jx_str(place->value, "$ref", NULL);
    if (ref == NULL)
        return 0;
    const json_t *value = builder->document;
    autofree char *path = xstrdup(ref[0] == '#' && ref[1] == '/' ? ref + 2 : "");
    char *rest = NULL;
    for (char *key = strtok_r(path, "/", &rest); key != NULL; key = strtok_r(NULL, "/", &rest))
        value = json_object_get(value, key);
    if (value == NULL || path[0] == '\0')
        return error_set(err, E_INTERNAL, "%s: %s does not resolve", place->pointer, ref);
    free(place->pointer);
    *place = (struct place){value, xstrdup(ref + 1)};
    return 0;
}

/* ---- operations ---- */

static int parameter_build(struct builder *builder, const struct place *place,
                           struct operation *operation, struct error *err)
{
    static const char *const places[] = {
        [IN_PATH] = "path", [IN_QUERY] = "query", [IN_HEADER] = "header"};
    static const char *const types[] = {"string", "integer", "boolean"};
    struct parameter *p = &operation->parameters[operation->n_parameters++];
    place_auto schema = place_member(place, "schema");
    const char *in = jx_str(place->value, "in", ""), *type = jx_str(schema.value, "type", "");
    size_t where = 0, kind = 0;

    p->name = xstrdup(jx_str(place->value, "name", ""));
    while (where < countof(places) && strcmp(places[where], in) != 0)
        where++;
    while (kind < countof(types) && strcmp(types[kind], type) != 0)
        kind++;
    if (where == countof(places) || kind == countof(types))
        return error_set(err, E_INTERNAL, "%s: in '%s', type '%s' is not handled", place->pointer,
                         in, type);
    p->place = (enum parameter_place)where;
    p->type = (enum parameter_type)kind;
    p->required = jx_bool(place->value, "required", false);
    operation->keyed |= strcmp(p->name, "Idempotency-Key") == 0;
    p->schema = schema_compile_at(builder->schemas, schema.pointer, err);
    return p->schema != NULL ? 0 : error_wrap(err, "%s", schema.pointer);
}

/* Those of the path item, then the operation's own. */
static int parameters_build(struct builder *builder, const struct place *item,
                            const struct place *place, struct operation *operation,
                            struct error *err)
{
    place_auto of_item = place_member(item, "parameters"), own = place_member(place, "parameters");
    const struct place *lists[] = {&of_item, &own};
    size_t total = json_array_size(of_item.value) + json_array_size(own.value);
    operation->parameters = xcalloc(total > 0 ? total : 1, sizeof(*operation->parameters));
    for (size_t l = 0; l < countof(lists); l++) {
        for (size_t i = 0; i < json_array_size(lists[l]->value); i++) {
            place_auto parameter = place_item(lists[l], i);
            if (place_resolve(builder, &parameter, err) < 0 ||
                parameter_build(builder, &parameter, operation, err) < 0)
                return -1;
        }
    }
    return 0;
}

static int bodies_build(struct builder *builder, const struct place *place,
                        struct operation *operation, struct error *err)
{
    place_auto body = place_member(place, "requestBody");
    place_auto content = place_member(&body, "content");
    const char *media;
    json_t *type;
    operation->body_required = jx_bool(body.value, "required", false);
    const char *name = jx_str(place->value, "x-c9d-body-error", NULL);
    operation->body_error = name != NULL ? error_code_by_name(name) : E_INVALID_REQUEST;
    if (operation->body_error == E_NONE)
        return error_set(err, E_INTERNAL, "%s: no error is named '%s'", place->pointer, name);
    json_object_foreach ((json_t *)content.value, media, type) {
        place_auto at = place_member(&content, media);
        place_auto schema = place_member(&at, "schema");
        if (operation->n_bodies == BODY_TYPES_MAX)
            return error_set(err, E_INTERNAL, "%s: too many media types", content.pointer);
        struct body_type *row = &operation->bodies[operation->n_bodies++];
        row->media = xstrdup(media);
        row->schema = schema_compile_at(builder->schemas, schema.pointer, err);
        if (row->schema == NULL)
            return error_wrap(err, "%s", schema.pointer);
    }
    return 0;
}

static void produces_add(struct operation *operation, const char *media)
{
    for (size_t i = 0; i < operation->n_produces; i++)
        if (strcmp(operation->produces[i], media) == 0)
            return;
    if (operation->n_produces < PRODUCES_MAX)
        operation->produces[operation->n_produces++] = xstrdup(media);
}

static int produces_build(struct builder *builder, const struct place *place,
                          struct operation *operation, struct error *err)
{
    static const char *const statuses[] = {"200", "201", "202"};
    place_auto responses = place_member(place, "responses");
    for (size_t i = 0; i < countof(statuses); i++) {
        place_auto response = place_member(&responses, statuses[i]);
        const char *media;
        json_t *content;
        if (place_resolve(builder, &response, err) < 0)
            return -1;
        json_object_foreach (json_object_get(response.value, "content"), media, content)
            produces_add(operation, media);
    }
    return 0;
}

/* security: [] is public; else the first requirement's scopes are all needed. A second one says
 * that a token for single agents will do as well. */
static int security_build(const struct place *place, struct operation *operation, struct error *err)
{
    const json_t *security = json_object_get(place->value, "security");
    const json_t *scopes = json_object_get(json_array_get(security, 0), "bearer");
    const json_t *single = json_object_get(json_array_get(security, 1), "bearer");
    const char *second = json_string_value(json_array_get(single, 0));
    operation->public = json_is_array(security) && json_array_size(security) == 0;
    operation->single = second != NULL && (strcmp(second, "agents:execute:{agentId}") == 0 ||
                                           strcmp(second, "agents:execute:{chainId}") == 0);
    if (!operation->public && !json_is_array(scopes))
        return error_set(err, E_INTERNAL, "%s: neither public nor with scopes", place->pointer);
    if (json_array_size(security) > 1 && !operation->single)
        return error_set(err, E_INTERNAL, "%s: the second requirement is not for single agents",
                         place->pointer);
    for (size_t i = 0; i < json_array_size(scopes); i++) {
        const char *name = json_string_value(json_array_get(scopes, i));
        int scope = name != NULL ? scope_by_name(name) : -1;
        if (scope < 0 || operation->n_scopes == SCOPES_MAX)
            return error_set(err, E_INTERNAL, "%s: no scope is named '%s'", place->pointer,
                             name != NULL ? name : "");
        operation->scopes[operation->n_scopes++] = scope;
    }
    return 0;
}

static int handler_find(struct builder *builder, const struct place *place,
                        struct operation *operation, struct error *err)
{
    for (size_t i = 0; i < builder->n_rows; i++) {
        if (strcmp(builder->rows[i].operation, operation->id) != 0)
            continue;
        if (builder->used[i])
            return error_set(err, E_INTERNAL, "%s: operation %s is there twice", place->pointer,
                             operation->id);
        builder->used[i] = true;
        operation->handler = &builder->rows[i];
        return 0;
    }
    return error_set(err, E_INTERNAL, "%s: operation %s has no handler", place->pointer,
                     operation->id);
}

static int operation_build(struct builder *builder, const struct place *item, const char *method,
                           struct route *route, struct error *err)
{
    place_auto place = place_member(item, method);
    if (place.value == NULL)
        return 0;
    struct operation *operation = xcalloc(1, sizeof(*operation));
    route->operations[route->n_operations++] = operation;
    operation->id = xstrdup(jx_str(place.value, "operationId", ""));
    operation->method = xstrdup(method);
    for (char *c = operation->method; *c != '\0'; c++)
        *c = (char)(*c - 'a' + 'A');
    if (handler_find(builder, &place, operation, err) < 0 ||
        parameters_build(builder, item, &place, operation, err) < 0 ||
        bodies_build(builder, &place, operation, err) < 0 ||
        produces_build(builder, &place, operation, err) < 0)
        return -1;
    return security_build(&place, operation, err);
}

/* ---- routes ---- */

static void route_split(struct route *route, const char *template)
{
    autofree char *path = xstrdup(template);
    char *rest = NULL;
    route->template = xstrdup(template);
    route->segments = xcalloc(strlen(template), sizeof(*route->segments));
    for (char *s = strtok_r(path, "/", &rest); s != NULL; s = strtok_r(NULL, "/", &rest))
        route->segments[route->n_segments++] = xstrndup(s, strcspn(s, "}"));
}

static void route_allow(struct route *route)
{
    buf_auto allow = BUF_INIT;
    for (size_t i = 0; i < route->n_operations; i++) {
        buf_append_str(&allow, route->operations[i]->method);
        buf_append_str(&allow,
                       strcmp(route->operations[i]->method, "GET") == 0 ? ", HEAD, " : ", ");
    }
    buf_append_str(&allow, "OPTIONS");
    route->allow = buf_steal(&allow);
}

static int route_build(struct builder *builder, const struct place *paths, const char *template,
                       struct route *route, struct error *err)
{
    place_auto item = place_member(paths, template);
    route_split(route, template);
    for (size_t i = 0; i < METHODS_MAX; i++)
        if (operation_build(builder, &item, methods[i], route, err) < 0)
            return -1;
    route_allow(route);
    return 0;
}

/* Literals before parameters at the first place where two routes differ. */
static int route_compare(const void *left, const void *right)
{
    const struct route *a = left, *b = right;
    if (a->n_segments != b->n_segments)
        return a->n_segments < b->n_segments ? -1 : 1;
    for (size_t i = 0; i < a->n_segments; i++)
        if ((*a->segments[i] == '{') != (*b->segments[i] == '{'))
            return *a->segments[i] == '{' ? 1 : -1;
    return 0;
}

static int routes_build(struct builder *builder, struct router *router, struct error *err)
{
    struct place root = {builder->document, xstrdup("")};
    place_auto paths = place_member(&root, "paths");
    const char *template;
    json_t *item;
    place_clear(&root);
    router->routes = xcalloc(json_object_size(paths.value) + 1, sizeof(*router->routes));
    json_object_foreach ((json_t *)paths.value, template, item) {
        if (route_build(builder, &paths, template, &router->routes[router->n_routes++], err) < 0)
            return -1;
    }
    for (size_t i = 0; i < builder->n_rows; i++)
        if (!builder->used[i])
            return error_set(err, E_INTERNAL, "handler %s has no operation in openapi.json",
                             builder->rows[i].operation);
    qsort(router->routes, router->n_routes, sizeof(*router->routes), route_compare);
    return 0;
}

struct router *router_new(const json_t *document, const struct handler_row *rows, size_t n_rows,
                          struct error *err)
{
    autofree bool *used = xcalloc(n_rows + 1, sizeof(*used));
    struct builder builder = {document, schema_document_new(document, NULL, err), rows, n_rows,
                              used};
    struct router *router = xcalloc(1, sizeof(*router));
    if (builder.schemas == NULL || routes_build(&builder, router, err) < 0) {
        error_wrap(err, "openapi.json");
        router_free(router);
        router = NULL;
    }
    schema_document_free(builder.schemas);
    return router;
}

static void operation_free(struct operation *operation)
{
    for (size_t i = 0; i < operation->n_parameters; i++) {
        free(operation->parameters[i].name);
        schema_unref(operation->parameters[i].schema);
    }
    for (size_t i = 0; i < operation->n_bodies; i++) {
        free(operation->bodies[i].media);
        schema_unref(operation->bodies[i].schema);
    }
    for (size_t i = 0; i < operation->n_produces; i++)
        free(operation->produces[i]);
    free(operation->parameters);
    free(operation->method);
    free(operation->id);
    free(operation);
}

static void route_free(struct route *route)
{
    for (size_t i = 0; i < route->n_segments; i++)
        free(route->segments[i]);
    for (size_t i = 0; i < route->n_operations; i++)
        operation_free(route->operations[i]);
    free(route->segments);
    free(route->template);
    free(route->allow);
}

void router_free(struct router *router)
{
    if (router == NULL)
        return;
    for (size_t i = 0; i < router->n_routes; i++)
        route_free(&router->routes[i]);
    free(router->routes);
    free(router);
}

/* ---- matching ---- */

static bool route_matches(const struct route *route, const char *const *segments)
{
    for (size_t i = 0; i < route->n_segments; i++)
        if (*route->segments[i] != '{' && strcmp(route->segments[i], segments[i]) != 0)
            return false;
    return true;
}

const struct route *router_match(const struct router *router, const char *const *segments,
                                 size_t n_segments)
{
    for (size_t i = 0; i < router->n_routes; i++)
        if (router->routes[i].n_segments == n_segments &&
            route_matches(&router->routes[i], segments))
            return &router->routes[i];
    return NULL;
}

const struct operation *route_operation(const struct route *route, const char *method)
{
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    for (size_t i = 0; i < route->n_operations; i++)
        if (strcmp(route->operations[i]->method, method) == 0)
            return route->operations[i];
    return NULL;
}
