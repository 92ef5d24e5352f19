/* From bytes to a checked request. */
#include "api/request.h"

#include <ctype.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <strings.h>

#include "api/api-private.h"
#include "api/forwarded.h"
#include "api/media.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/nearest.h"
#include "base/uuid.h"
#include "service/token.h"

/* ---- headers ---- */

bool request_add_header(struct request *request, const char *name, size_t name_len,
                        const char *value, size_t value_len)
{
    request->header_bytes += name_len + value_len;
    if (request->n_headers == REQUEST_HEADERS_MAX ||
        request->header_bytes > REQUEST_HEADER_BYTES_MAX) {
        request->headers_exceed = true;
        return false;
    }
    request->headers[request->n_headers++] = (struct header){name, value, name_len, value_len};
    return true;
}

const struct header *request_header(const struct request *request, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < request->n_headers; i++) {
        const struct header *h = &request->headers[i];
        if (h->name_len == len && strncasecmp(h->name, name, len) == 0)
            return h;
    }
    return NULL;
}

bool request_has_body(const struct request *request)
{
    const struct header *length = request_header(request, "Content-Length");
    return request_header(request, "Transfer-Encoding") != NULL ||
           (length != NULL && strspn(length->value, "0") != length->value_len);
}

/* Those of which a second one would make the request mean two things (RFC 9110 §5.3, RFC 9112
 * §6.3). */
static const char *const single_headers[] = {
    "Content-Length", "Transfer-Encoding", "Host",          "Authorization",
    "Content-Type",   "Content-Encoding",  "Accept",        "If-Match",
    "If-None-Match",  "Idempotency-Key",   "Last-Event-ID", "X-Request-Id",
    "Expect",
};

static bool single_header(const struct header *header)
{
    for (size_t i = 0; i < countof(single_headers); i++)
        if (strcasecmp(single_headers[i], header->name) == 0)
            return true;
    return false;
}

static int header_check(const struct request *request, size_t i, struct error *err)
{
    const struct header *h = &request->headers[i];
    for (size_t c = 0; c < h->name_len; c++) {
        if (!isalnum((unsigned char)h->name[c]) &&
            (h->name[c] == '\0' || strchr("!#$%&'*+-.^_`|~", h->name[c]) == NULL))
            return error_set(err, E_INVALID_REQUEST,
                             "a header's name has a character that is not allowed there (a blank "
                             "before the colon?)");
    }
    for (size_t c = 0; c < h->value_len; c++) {
        if (((unsigned char)h->value[c] < 0x20 && h->value[c] != '\t') || h->value[c] == 0x7f)
            return error_set(err, E_INVALID_REQUEST, "header %s has a control character", h->name);
    }
    if (request_header(request, h->name) != h && single_header(h))
        return error_set(err, E_INVALID_REQUEST, "header %s is given twice", h->name);
    return h->name_len > 0 ? 0 : error_set(err, E_INVALID_REQUEST, "a header has no name");
}

/* What decides where the request ends must be said once and clearly (request smuggling). */
static int framing_check(const struct request *request, struct error *err)
{
    const struct header *length = request_header(request, "Content-Length");
    const struct header *coding = request_header(request, "Transfer-Encoding");
    if (length != NULL && coding != NULL)
        return error_set(err, E_INVALID_REQUEST,
                         "Content-Length and Transfer-Encoding are both given");
    if (coding != NULL && strcasecmp(coding->value, "chunked") != 0)
        return error_set(err, E_INVALID_REQUEST, "Transfer-Encoding must be chunked");
    if (length != NULL && (length->value_len == 0 || length->value_len > 18 ||
                           strspn(length->value, "0123456789") != length->value_len))
        return error_set(err, E_INVALID_REQUEST, "Content-Length is not a number of bytes");
    return 0;
}

static int headers_check(const struct request *request, struct error *err)
{
    if (request->headers_exceed)
        return error_set(err, E_HEADERS_TOO_LARGE, "more than %d headers, or %d bytes of them",
                         REQUEST_HEADERS_MAX, REQUEST_HEADER_BYTES_MAX);
    for (size_t i = 0; i < request->n_headers; i++)
        if (header_check(request, i, err) < 0)
            return -1;
    return framing_check(request, err);
}

/* The client's id when it is harmless to repeat it, else one of ours; a bad one is refused later.
 */
static int id_choose(struct request *request, struct error *err)
{
    const struct header *h = request_header(request, "X-Request-Id");
    bool valid = h != NULL && h->value_len >= 1 && h->value_len <= REQUEST_ID_MAX;
    for (size_t i = 0; valid && i < h->value_len; i++)
        valid = isalnum((unsigned char)h->value[i]) || strchr("._:/+=-", h->value[i]) != NULL;
    if (valid)
        memcpy(request->id, h->value, h->value_len + 1);
    else
        uuid_make(request->id);
    if (h != NULL && !valid)
        return error_set(err, E_INVALID_REQUEST,
                         "header X-Request-Id must be 1 to %d of A-Z a-z 0-9 . _ : / + = -",
                         REQUEST_ID_MAX);
    return 0;
}

/* ---- the route ---- */

static int route_find(struct request *request, struct error *err)
{
    if (target_parse(request->target_text, &request->target, err) < 0)
        return -1;
    bool options = strcmp(request->method, "OPTIONS") == 0;
    if (options && strcmp(request->target_text, "*") == 0)
        return 0;
    request->head = strcmp(request->method, "HEAD") == 0;
    request->route =
        router_match(request->api->router, request->target.segments, request->target.n_segments);
    if (request->route == NULL)
        return error_set(err, E_NOT_FOUND, "there is nothing at this path");
    request->operation = route_operation(request->route, request->method);
    if (request->operation == NULL && !options)
        return error_set(err, E_METHOD_NOT_ALLOWED, "%s does not take this method; it takes %s",
                         request->route->template, request->route->allow);
    return 0;
}

int request_check(struct request *request, struct error *err)
{
    int id_valid = id_choose(request, err);
    request->distrusted = headers_check(request, err) < 0;
    if (request->distrusted || id_valid < 0)
        return -1;
    return route_find(request, err);
}

/* ---- who ---- */

/* What the proxies before us say, if they are trusted. Forwarded is the standard; where it is, the
 * other is not looked at. */
static void origin_forwarded(struct request *request)
{
    static const char *const names[] = {"Forwarded", "X-Forwarded-For"};
    const char *values[REQUEST_HEADERS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < countof(names) && n == 0; i++)
        for (size_t k = 0; k < request->n_headers; k++)
            if (strcasecmp(request->headers[k].name, names[i]) == 0)
                values[n++] = request->headers[k].value;
    if (n > 0)
        forwarded_apply(request->api->forwarded, values, n, request->address,
                        sizeof(request->address));
}

/* Where it comes from, for the audit log. */
static void origin_set(struct request *request)
{
    const struct header *h = request_header(request, "User-Agent");
    origin_forwarded(request);
    snprintf(request->agent, sizeof(request->agent), "%s", h != NULL ? h->value : "");
    for (char *c = request->agent; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = '?';
    request->origin = (struct origin){.operation = request->operation->id,
                                      .address = request->address,
                                      .user_agent = request->agent,
                                      .request_id = request->id};
    request->who.origin = &request->origin;
}

int request_authorise(struct request *request, struct error *err)
{
    const struct operation *operation = request->operation;
    if (operation == NULL || operation->public)
        return 0;
    const struct header *h = request_header(request, "Authorization");
    origin_set(request);
    if (h == NULL)
        return error_set(err, E_AUTHENTICATION_REQUIRED,
                         "no token; send the header Authorization: Bearer TOKEN");
    if (strncasecmp(h->value, "Bearer ", 7) != 0)
        return error_set(err, E_AUTHENTICATION_REQUIRED,
                         "header Authorization must be: Bearer TOKEN");
    const char *token = h->value + 7;
    token += strspn(token, " ");
    if (token_authenticate(request->api->service, token, strlen(token), &request->who, err) < 0)
        return -1;
    request->who.origin = &request->origin;
    for (size_t i = 0; i < operation->n_scopes; i++) {
        enum scope scope = (enum scope)operation->scopes[i];
        if (operation->single && request->who.n_agents > 0 && !scope_has(&request->who, scope))
            request->who.limited = true;
        else if (scope_require(&request->who, scope, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- parameters ---- */

static int accept_choose(struct request *request, struct error *err)
{
    const struct operation *operation = request->operation;
    const struct header *h = request_header(request, "Accept");
    request->accept = MEDIA_JSON;
    if (operation->n_produces == 0)
        return 0;
    int chosen = media_negotiate(h != NULL ? h->value : "", h != NULL ? h->value_len : 0,
                                 (const char *const *)operation->produces, operation->n_produces);
    if (chosen < 0)
        return error_set(err, E_NOT_ACCEPTABLE, "header Accept takes none of: %s%s%s",
                         operation->produces[0], operation->n_produces > 1 ? ", " : "",
                         operation->n_produces > 1 ? operation->produces[1] : "");
    request->accept = operation->produces[chosen];
    return 0;
}

/* The JSON value that the parameter's schema is to be asked about; what does not read as its type
 * stays a string, for the schema to refuse. */
static json_t *parameter_value(const struct parameter *parameter, const char *text)
{
    char *end;
    size_t digits = strspn(*text == '-' ? text + 1 : text, "0123456789");
    if (parameter->type == PARAMETER_BOOLEAN &&
        (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
        return json_boolean(*text == 't');
    if (parameter->type == PARAMETER_INTEGER && digits > 0 && digits <= 18 &&
        strlen(text) == digits + (*text == '-'))
        return json_integer(strtoll(text, &end, 10));
    return json_string(text);
}

static int parameter_check(const struct parameter *parameter, const json_t *value,
                           struct error *err)
{
    static const char *const places[] = {
        [IN_PATH] = "path", [IN_QUERY] = "query", [IN_HEADER] = "header"};
    if (value == NULL)
        return error_set(err, E_INVALID_REQUEST, "header %s is not UTF-8", parameter->name);
    if (schema_validate(parameter->schema, value, err) == 0)
        return 0;
    json_t *errors = json_object_get(err->details, "validationErrors"), *row;
    size_t i;
    json_array_foreach (errors, i, row)
        json_object_set_new(row, "parameter", json_string(parameter->name));
    return error_wrap(err, "%s parameter %s", places[parameter->place], parameter->name);
}

static const struct parameter *parameter_find(const struct operation *operation,
                                              enum parameter_place place, const char *name)
{
    for (size_t i = 0; i < operation->n_parameters; i++)
        if (operation->parameters[i].place == place &&
            strcmp(operation->parameters[i].name, name) == 0)
            return &operation->parameters[i];
    return NULL;
}

static int query_unknown(const struct operation *operation, const char *name, struct error *err)
{
    const char **names = xcalloc(operation->n_parameters + 1, sizeof(*names));
    size_t n = 0;
    for (size_t i = 0; i < operation->n_parameters; i++)
        if (operation->parameters[i].place == IN_QUERY)
            names[n++] = operation->parameters[i].name;
    const char *nearest = nearest_name(name, names, n);
    error_set(err, E_INVALID_REQUEST, "there is no query parameter '%.100s' here%s%s%s", name,
              nearest != NULL ? "; did you mean '"
              : n == 0        ? "; this operation takes none"
                              : "",
              nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
    free(names);
    return -1;
}

static int query_check(struct request *request, struct error *err)
{
    static const char *const paging[] = {"limit", "cursor", "sort"};
    const char *name;
    json_t *text;
    if (request->target.query == NULL)
        return 0;
    jx_auto *given = target_query(request->target.query, err);
    if (given == NULL)
        return -1;
    request->query = json_object();
    json_object_foreach (given, name, text) {
        const struct parameter *parameter = parameter_find(request->operation, IN_QUERY, name);
        if (parameter == NULL)
            return query_unknown(request->operation, name, err);
        json_t *value = parameter_value(parameter, json_string_value(text));
        json_object_set_new(request->query, name, value);
        if (parameter_check(parameter, value, err) < 0)
            return -1;
    }
    request->filters = json_copy(request->query);
    for (size_t i = 0; i < countof(paging); i++)
        json_object_del(request->filters, paging[i]);
    return 0;
}

/* Path and header parameters, and whether a query parameter is missing. */
static int parameters_check(struct request *request, struct error *err)
{
    for (size_t i = 0; i < request->operation->n_parameters; i++) {
        const struct parameter *p = &request->operation->parameters[i];
        const struct header *h = p->place == IN_HEADER ? request_header(request, p->name) : NULL;
        bool given = p->place == IN_PATH || h != NULL ||
                     (p->place == IN_QUERY && json_object_get(request->query, p->name) != NULL);
        if (p->required && !given)
            return error_set(err, E_INVALID_REQUEST, "parameter %s is missing", p->name);
        if (!given || p->place == IN_QUERY)
            continue;
        jx_auto *value = json_string(h != NULL ? h->value : request_path(request, p->name));
        if (parameter_check(p, value, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- the body ---- */

static int body_type_unknown(const struct request *request, const char *got, struct error *err)
{
    const struct operation *operation = request->operation;
    buf_auto names = BUF_INIT;
    for (size_t i = 0; i < operation->n_bodies; i++)
        buf_printf(&names, "%s%s", i > 0 ? " or " : "", operation->bodies[i].media);
    return error_set(err, E_UNSUPPORTED_MEDIA_TYPE, "Content-Type is %s; this operation takes %s",
                     got, names.data);
}

static const struct body_type *body_type_of(const struct operation *operation, const char *media)
{
    for (size_t i = 0; i < operation->n_bodies; i++)
        if (strcmp(operation->bodies[i].media, media) == 0)
            return &operation->bodies[i];
    return NULL;
}

static int body_type_find(struct request *request, struct error *err)
{
    const struct header *h = request_header(request, "Content-Type");
    const struct body_type *any = body_type_of(request->operation, MEDIA_ANY);
    char type[MEDIA_TYPE_MAX];
    bool utf8;
    if (h == NULL && any == NULL)
        return body_type_unknown(request, "not given", err);
    request->body_type = any;
    if (h == NULL)
        return 0;
    if (media_content_type(h->value, h->value_len, type, &utf8) < 0)
        return body_type_unknown(request, "malformed", err);
    if (!utf8)
        return error_set(err, E_UNSUPPORTED_MEDIA_TYPE, "the body's charset must be UTF-8");
    const struct body_type *exact = body_type_of(request->operation, type);
    if (exact != NULL)
        request->body_type = exact;
    return request->body_type != NULL ? 0 : body_type_unknown(request, type, err);
}

static int body_too_large(const struct request *request, struct error *err)
{
    error_set(err, E_PAYLOAD_TOO_LARGE, "the body is larger than [http] max_body, %zu bytes",
              request->api->max_body);
    error_detail(err, "maxBytes", json_integer((json_int_t)request->api->max_body));
    return -1;
}

static int body_head_check(struct request *request, struct error *err)
{
    const struct header *length = request_header(request, "Content-Length");
    const struct header *encoding = request_header(request, "Content-Encoding");
    if (!request_has_body(request))
        return 0;
    if (request->operation->n_bodies == 0)
        return error_set(err, E_INVALID_REQUEST, "this operation takes no body");
    if (encoding != NULL && strcasecmp(encoding->value, "identity") != 0)
        return error_set(err, E_UNSUPPORTED_MEDIA_TYPE,
                         "Content-Encoding is not taken; send the body as it is");
    if (length != NULL && strtoull(length->value, NULL, 10) > request->api->max_body)
        return body_too_large(request, err);
    return body_type_find(request, err);
}

int request_check_parameters(struct request *request, struct error *err)
{
    if (request->operation == NULL)
        return 0;
    if (accept_choose(request, err) < 0 || query_check(request, err) < 0 ||
        parameters_check(request, err) < 0)
        return -1;
    return body_head_check(request, err);
}

enum {
    BODY_SMALL = 64 << 10
}; /* is not counted: so many connections bound it, and it gets through */

/* Takes so much of [http] body_memory; false when it is not there. */
static bool body_hold(struct request *request, size_t bytes)
{
    struct api *api = request->api;
    size_t held = request->body_held + bytes;
    if (held > BODY_SMALL) {
        size_t part = request->body_held > BODY_SMALL ? bytes : held;
        if (atomic_fetch_add(&api->bodies, part) + part > api->body_memory) {
            atomic_fetch_sub(&api->bodies, part);
            return false;
        }
    }
    request->body_held = held;
    return true;
}

bool request_take_body(struct request *request, const char *data, size_t len)
{
    enum { PATIENCE = 4 }; /* times the bound: what a client may send before it hears of the 413 */
    request->body_size += len;
    request->body_crowded = request->body_crowded || !body_hold(request, len);
    if (request->body_size <= request->api->max_body && !request->body_crowded)
        buf_append(&request->body_text, data, len);
    else
        buf_free(&request->body_text);
    return request->body_size / PATIENCE <= request->api->max_body;
}

static int body_crowded(struct error *err)
{
    return error_set(err, E_UNAVAILABLE,
                     "other requests' bodies take what [http] body_memory allows; try again");
}

/* The decoded value is to be held beside the text. */
static int body_weigh(struct request *request, struct error *err)
{
    size_t max = request->api->body_memory, len = request->body_text.len;
    size_t weight = jx_weight(request->body_text.data, len);
    if (len + weight <= max || weight <= BODY_SMALL)
        return body_hold(request, weight) ? 0 : body_crowded(err);
    error_set(err, E_PAYLOAD_TOO_LARGE,
              "the body takes about %zu bytes of memory; [http] body_memory is %zu", len + weight,
              max);
    error_detail(err, "maxBytes", json_integer((json_int_t)max));
    return -1;
}

static int body_missing(struct request *request, struct error *err)
{
    if (request->operation->body_required)
        return error_set(err, E_INVALID_REQUEST, "the body is missing; this operation takes %s",
                         request->operation->bodies[0].media);
    request->body = request->operation->n_bodies > 0 ? json_object() : NULL;
    return 0;
}

int request_decode_body(struct request *request, struct error *err)
{
    const struct buf *text = &request->body_text;
    if (request->operation == NULL)
        return 0;
    if (request->body_size > request->api->max_body)
        return body_too_large(request, err);
    if (request->body_crowded)
        return body_crowded(err);
    if (text->len == 0)
        return body_missing(request, err);
    if (request->body_type == NULL)
        return error_set(err, E_INVALID_REQUEST, "this operation takes no body");
    if (strncmp(request->body_type->media, "text/", 5) == 0 ||
        strcmp(request->body_type->media, MEDIA_ANY) == 0)
        return 0;
    if (body_weigh(request, err) < 0)
        return -1;
    request->body = jx_decode(text->data, text->len, "request body", err);
    if (request->body == NULL)
        return -1;
    if (schema_validate(request->body_type->schema, request->body, err) < 0) {
        err->code = request->operation->body_error;
        return error_wrap(err, "request body");
    }
    return 0;
}

void request_clear(struct request *request)
{
    if (request->state_free != NULL && request->state != NULL)
        request->state_free(request->state);
    free(request->target_text);
    json_decref(request->query);
    json_decref(request->filters);
    json_decref(request->body);
    buf_free(&request->body_text);
    if (request->body_held > BODY_SMALL)
        atomic_fetch_sub(&request->api->bodies, request->body_held);
    if (request->body_held > 8 << 20) /* nobody else needs so much soon */
        malloc_trim(0);
}

/* ---- for handlers ---- */

const char *request_path(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->route->n_segments; i++) {
        const char *segment = request->route->segments[i];
        if (segment[0] == '{' && strcmp(segment + 1, name) == 0)
            return request->target.segments[i];
    }
    return NULL;
}

const char *request_subject(const struct request *request, char *type_r, size_t type_size)
{
    const char *subject = NULL;
    for (size_t i = 0; request->route != NULL && i < request->route->n_segments; i++) {
        const char *segment = request->route->segments[i];
        if (segment[0] != '{')
            continue;
        size_t len = strlen(segment + 1);
        if (len > 2 && strcmp(segment + 1 + len - 2, "Id") == 0)
            len -= 2;
        snprintf(type_r, type_size, "%.*s", (int)len, segment + 1);
        subject = request->target.segments[i];
    }
    return subject;
}

struct list_query request_list_query(struct request *request)
{
    return (struct list_query){
        .limit = jx_int(request->query, "limit", 0),
        .cursor = jx_str(request->query, "cursor", NULL),
        .sort = jx_str(request->query, "sort", NULL),
        .filters = request->filters,
    };
}
