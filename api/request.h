/* A request as the handlers see it, and the checks that every one of them relies on. Everything up
 * to the handler is done here, on bytes, without libmicrohttpd: the fuzz target calls the same
 * functions. */
#ifndef C9_API_REQUEST_H
#define C9_API_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/handler.h"
#include "api/router.h"
#include "api/target.h"
#include "base/buf.h"
#include "base/error.h"
#include "service/service.h"

struct api;
struct MHD_Connection;

enum {
    REQUEST_ID_MAX = 128,             /* bytes */
    REQUEST_HEADERS_MAX = 64,         /* how many */
    REQUEST_HEADER_BYTES_MAX = 16384, /* names and values of all */
};

struct header {
    const char *name, *value; /* NUL-terminated; borrowed from the connection */
    size_t name_len, value_len;
};

struct request {
    struct api *api;
    const char *method;
    char *target_text; /* owned; target points into it */
    struct header headers[REQUEST_HEADERS_MAX];
    size_t n_headers, header_bytes;
    bool headers_exceed; /* there were more than fit */
    bool distrusted; /* the headers are not clear: nothing behind them is to be read as a request */
    char id[REQUEST_ID_MAX + 1];
    int64_t started; /* monotonic µs */

    /* From request_check on: */
    struct target target;
    const struct route *route;
    const struct operation *operation; /* NULL: OPTIONS */
    bool head;                         /* HEAD: as GET without the body */
    const char *accept;                /* the media type to answer with */
    struct principal who;
    struct origin origin;    /* who.origin points to it */
    char address[64];        /* of the client; "" when it is not known */
    char agent[128];         /* User-Agent, cut, with '?' for what is not ASCII */
    json_t *query, *filters; /* what was given, typed; without limit, cursor and sort */

    struct buf body_text;
    size_t body_size;  /* bytes received, also those dropped */
    size_t body_held;  /* its part of api->bodies */
    bool body_crowded; /* there was no memory for it: dropped */
    const struct body_type *body_type;
    json_t *body; /* decoded and checked; for text types and MEDIA_ANY NULL; {} where one may be
                     left out */

    /* ASYNC handlers only: what is called when the connection wakes, and its state. */
    handler_fn *again;
    void *state;
    void (*state_free)(void *state);
    struct MHD_Connection *connection;
};

/* Adds a header as received; false beyond the bounds (request_check then refuses). */
bool request_add_header(struct request *request, const char *name, size_t name_len,
                        const char *value, size_t value_len);
/* The header of that name, or NULL; names are case-insensitive. */
const struct header *request_header(const struct request *request, const char *name);
/* Whether a body follows the headers. */
bool request_has_body(const struct request *request);

/* In this order. Each: 0, or -1 with the API's error. */
/* The id; headers and framing; the path; the route and method. */
int request_check(struct request *request, struct error *err);
/* The bearer token and the operation's scopes. Asks the service. Without a token that is good,
 * request->who is nobody. */
int request_authorise(struct request *request, struct error *err);
/* Accept, query, path and header parameters, the body's type and announced size. */
int request_check_parameters(struct request *request, struct error *err);
/* Takes a piece of the body; false when the client must be cut off (far beyond the bound). */
bool request_take_body(struct request *request, const char *data, size_t len);
/* Decodes the body and checks it by its schema. */
int request_decode_body(struct request *request, struct error *err);
void request_clear(struct request *request);

/* For handlers. The path parameter of that name; it is there. */
const char *request_path(const struct request *request, const char *name);
/* What the request is about, for the audit log: "agent" and its id for …/{agentId}/…; NULLs for
 * none. The texts are the route's and the target's; type_r has type_size bytes. */
const char *request_subject(const struct request *request, char *type_r, size_t type_size);
/* limit, cursor and sort, and the other query parameters as filters. Borrowed from the request. */
struct list_query request_list_query(struct request *request);

#endif
