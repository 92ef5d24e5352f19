/* From the OpenAPI document to what a request is checked by. Built once; immutable afterwards, so
 * any thread may use it. */
#ifndef C9_API_ROUTER_H
#define C9_API_ROUTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/handler.h"
#include "base/error.h"
#include "schema/schema.h"

enum parameter_place { IN_PATH, IN_QUERY, IN_HEADER };
enum parameter_type { PARAMETER_STRING, PARAMETER_INTEGER, PARAMETER_BOOLEAN };

struct parameter {
    char *name;
    enum parameter_place place;
    enum parameter_type type;
    bool required;
    struct schema *schema;
};

struct body_type {
    char *media;
    struct schema *schema;
};

enum { PRODUCES_MAX = 4, BODY_TYPES_MAX = 4, SCOPES_MAX = 4, METHODS_MAX = 5 };

struct operation {
    char *id, *method;
    const struct handler_row *handler;
    bool public;            /* needs no token */
    int scopes[SCOPES_MAX]; /* enum scope: all are needed; none: any token will do */
    size_t n_scopes;
    bool single; /* or one of agents:execute:<agentId>, which then limits what is reached */
    struct parameter *parameters; /* the path's in the order of the path, then the others */
    size_t n_parameters;
    struct body_type bodies[BODY_TYPES_MAX];
    size_t n_bodies;
    bool body_required, keyed;    /* keyed: takes Idempotency-Key */
    enum error_code body_error;   /* what a body that its schema refuses is called */
    char *produces[PRODUCES_MAX]; /* media types of 200 to 202, the preferred one first */
    size_t n_produces;
};

struct route {
    char *template;
    char **segments; /* "{name" is a parameter */
    size_t n_segments;
    struct operation *operations[METHODS_MAX];
    size_t n_operations;
    char *allow; /* value of the Allow header */
};

struct router;

/* E_INTERNAL with the name of what does not fit: an operation without a row, a row without an
 * operation, a scope nobody knows, a schema that does not compile. NULL on failure. */
struct router *router_new(const json_t *document, const struct handler_row *rows, size_t n_rows,
                          struct error *err);
void router_free(struct router *router); /* NULL is fine */

/* The route of a path, literal segments before parameters, or NULL. */
const struct route *router_match(const struct router *router, const char *const *segments,
                                 size_t n_segments);
/* "HEAD" finds GET. NULL when the path does not take the method. */
const struct operation *route_operation(const struct route *route, const char *method);

#endif
