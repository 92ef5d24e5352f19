/* One request through libmicrohttpd: URI and headers, body, answer, end. Facts of 0.9.75 that shape
 * this file are in DESIGN §7; above all, an answer in the first call of the access handler closes
 * the connection, so the first call answers only when a body follows that nobody wants to read. */
#include "api/serve.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdarg.h>
#include <string.h>

#include "api/api-private.h"
#include "api/follow.h"
#include "api/idempotency.h"
#include "api/media.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/stream.h"
#include "base/clock.h"
#include "base/log.h"
#include "service/audit.h"

enum {
    CONNECTION_MEMORY = 32 * 1024, /* for request line, headers and a piece of the body */
    SLOWEST_READER = 16 * 1024,    /* bytes/s that a client must take of an answer */
    LOG_PATH_MAX = 256,
};

/* A connection, from accept to close. */
struct connection {
    struct deadline deadline;
    struct exchange *spare; /* the last one's memory, for the next */
};

enum phase { PHASE_NEW, PHASE_BODY, PHASE_POOL, PHASE_AGAIN, PHASE_ANSWERED };

/* A request being served, from its request line to the end of its answer. */
struct exchange {
    struct request request;
    struct reply reply;
    struct error err;
    int outcome; /* of the handler */
    enum phase phase;
    bool failed;          /* before the handler: err says why */
    struct waiter waiter; /* for POOL */
    bool waits;           /* waiter is there */
    char path[LOG_PATH_MAX];
    size_t sent;
};

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static void connection_deadline(struct MHD_Connection *mhd, int64_t at)
{
    struct connection *connection = connection_of(mhd);
    if (connection != NULL)
        atomic_store_explicit(&connection->deadline.at, at, memory_order_relaxed);
}

/* ---- connections ---- */

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct api *api = cls;
    struct connection *connection = *context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (connection != NULL) {
            deadline_end(&connection->deadline);
            free(connection->spare);
        }
        free(connection);
        *context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    connection = xcalloc(1, sizeof(*connection));
    deadline_begin(&connection->deadline, api->keeper, info->connect_fd,
                   clock_monotonic_us() + api->request_timeout);
    *context = connection;
}

/* ---- the request's parts ---- */

/* The target as it came, before libmicrohttpd cuts and unescapes it. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct api *api = cls;
    struct connection *connection = connection_of(mhd);
    struct exchange *x = connection != NULL ? move_ptr(&connection->spare) : NULL;
    if (x == NULL)
        x = xmalloc(sizeof(*x));
    memset(x, 0, sizeof(*x));
    x->request.api = api;
    x->request.connection = mhd;
    x->request.started = clock_monotonic_us();
    x->request.target_text = xstrdup(target);
    x->request.method = "";
    size_t len = strcspn(target, "?");
    memcpy(x->path, target, len < LOG_PATH_MAX ? len : LOG_PATH_MAX - 1);
    atomic_fetch_add(&api->busy, 1);
    connection_deadline(mhd, x->request.started + api->request_timeout);
    return x;
}

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    return request_add_header(cls, name, name_len, value != NULL ? value : "", value_len) ? MHD_YES
                                                                                          : MHD_NO;
}

/* All that can be said before the body: 0, or -1 with x->err. */
static int exchange_check(struct exchange *x)
{
    struct request *request = &x->request;
    if (strlen(request->target_text) > TARGET_MAX) {
        request->target_text[0] = '\0';
        request_check(request, &x->err);
        return error_set(&x->err, E_INVALID_REQUEST, "the request target is longer than %d bytes",
                         TARGET_MAX);
    }
    if (request_check(request, &x->err) < 0)
        return -1;
    if (atomic_load(&request->api->draining) && request->operation != NULL &&
        !request->operation->public)
        return error_set(&x->err, E_UNAVAILABLE,
                         "the server is draining; it takes no new requests");
    if (request_authorise(request, &x->err) < 0)
        return -1;
    return request_check_parameters(request, &x->err);
}

/* ---- the audit log ---- */

enum { TYPE_MAX = 32 };

/* Attempts that were denied: by a code that says so, or by saying that there is no such thing. */
static void audit_refusal(struct exchange *x)
{
    static const enum error_code codes[] = {E_AGENT_ACCESS_DENIED, E_INSUFFICIENT_PERMISSIONS,
                                            E_VISIBILITY_VIOLATION};
    const struct request *request = &x->request;
    bool denied = request->origin.unseen || (x->err.code == E_AUTHENTICATION_REQUIRED &&
                                             request_header(request, "Authorization") != NULL);
    for (size_t i = 0; i < countof(codes); i++)
        denied = denied || x->err.code == codes[i];
    if (!denied || request->origin.operation == NULL)
        return;
    char type[TYPE_MAX];
    const char *subject = request_subject(request, type, sizeof(type));
    audit_denied(request->api->service, &request->who, subject != NULL ? type : NULL, subject,
                 &x->err);
}

/* A change whose service function wrote no row of its own. */
static void audit_rest(const struct exchange *x)
{
    const struct request *request = &x->request;
    if (request->origin.audited || strcmp(request->operation->method, "GET") == 0)
        return;
    char type[TYPE_MAX];
    const char *subject = request_subject(request, type, sizeof(type));
    audit_note(request->api->service, &request->who, subject != NULL ? type : NULL, subject);
}

/* ---- answering ---- */

static struct MHD_Response *response_make(struct exchange *x)
{
    struct reply *reply = &x->reply;
    if (reply->stream != NULL)
        return stream_response(move_ptr(&reply->stream), reply->stream_after);
    if (reply->fixed != NULL) {
        x->sent = reply->fixed_len;
        return MHD_create_response_from_buffer(reply->fixed_len, (void *)reply->fixed,
                                               MHD_RESPMEM_PERSISTENT);
    }
    size_t len = x->sent = reply->text.len;
    return len == 0 ? MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT)
                    : MHD_create_response_from_buffer(len, buf_steal(&reply->text),
                                                      MHD_RESPMEM_MUST_FREE);
}

static void response_headers(const struct exchange *x, struct MHD_Response *response)
{
    const struct reply *reply = &x->reply;
    MHD_add_response_header(response, "X-Request-Id", x->request.id);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Cache-Control",
                            reply->cacheable ? "private, no-cache" : "no-store");
    if (reply->media != NULL)
        MHD_add_response_header(response, "Content-Type", reply->media);
    for (size_t i = 0; i < reply->n_headers; i++)
        MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    if (x->request.distrusted || atomic_load(&x->request.api->draining))
        MHD_add_response_header(response, "Connection", "close");
}

static enum MHD_Result exchange_answer(struct exchange *x, struct MHD_Connection *mhd)
{
    bool stream = x->reply.stream != NULL;
    int64_t patience = x->request.api->request_timeout;
    struct MHD_Response *response = response_make(x);
    if (response == NULL)
        return MHD_NO;
    response_headers(x, response);
    x->phase = PHASE_ANSWERED;
    patience += (int64_t)x->sent * CLOCK_SECOND / SLOWEST_READER;
    connection_deadline(mhd, stream ? 0 : clock_monotonic_us() + patience);
    enum MHD_Result queued = MHD_queue_response(mhd, (unsigned)x->reply.status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result exchange_refuse(struct exchange *x, struct MHD_Connection *mhd)
{
    audit_refusal(x);
    reply_error(&x->reply, &x->request, &x->err);
    return exchange_answer(x, mhd);
}

static enum MHD_Result exchange_options(struct exchange *x, struct MHD_Connection *mhd)
{
    reply_empty(&x->reply, 204);
    reply_header(&x->reply, "Allow", "%s",
                 x->request.route != NULL ? x->request.route->allow
                                          : "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    return exchange_answer(x, mhd);
}

/* ---- running the handler ---- */

static int exchange_kept(struct exchange *x)
{
    struct api *api = x->request.api;
    uint64_t version = service_version(api->service);
    if (kept_find(api->kept, &x->request, version, &x->reply))
        return 0;
    int outcome = x->request.operation->handler->fn(&x->request, &x->reply, &x->err);
    if (outcome == 0)
        kept_put(api->kept, &x->request, version, &x->reply);
    return outcome;
}

/* Decoding, and for what runs on the pool the idempotency key around the handler. */
static int exchange_handle(struct exchange *x)
{
    const struct handler_row *row = x->request.operation->handler;
    struct stored_answer first = {0};
    struct idempotency *key = NULL;
    if (request_decode_body(&x->request, &x->err) < 0)
        return -1;
    if (row->mode == HANDLER_KEPT)
        return exchange_kept(x);
    if (row->mode != HANDLER_POOL)
        return row->fn(&x->request, &x->reply, &x->err);
    int seen = idempotency_begin(&x->request, &key, &first, &x->err);
    if (seen != 0) {
        int replayed = seen < 0 ? -1 : idempotency_replay(&x->request, &first, &x->reply, &x->err);
        stored_answer_clear(&first);
        return replayed;
    }
    int outcome = row->fn(&x->request, &x->reply, &x->err);
    if (outcome == 0) {
        idempotency_store(key, &x->reply);
        audit_rest(x);
    }
    x->request.who.claim = NULL;
    idempotency_free(key);
    return outcome;
}

static void exchange_job(void *arg)
{
    struct exchange *x = arg;
    struct keeper *keeper = x->request.api->keeper;
    log_bind("request", x->request.id);
    x->outcome = exchange_handle(x);
    log_bind("request", NULL);
    x->phase = PHASE_AGAIN;
    waiter_wake(&x->waiter); /* x may be gone behind this */
    keeper_leave(keeper);
}

/* Hands it to the pool and puts the connection to sleep. */
static enum MHD_Result exchange_submit(struct exchange *x, struct MHD_Connection *mhd)
{
    struct api *api = x->request.api;
    if (!keeper_enter(api->keeper)) {
        error_set(&x->err, E_UNAVAILABLE, "the server is stopping");
        return exchange_refuse(x, mhd);
    }
    waiter_init(&x->waiter, api->keeper, mhd);
    x->waits = true;
    x->phase = PHASE_POOL;
    work_submit(api->pool, exchange_job, x);
    /* Also when the job is done already: the wake is kept, and the next call answers. */
    while (!waiter_park(&x->waiter, INT64_MAX, false))
        if (x->phase == PHASE_AGAIN)
            return x->outcome < 0 ? exchange_refuse(x, mhd) : exchange_answer(x, mhd);
    return MHD_YES;
}

static enum MHD_Result exchange_conclude(struct exchange *x, struct MHD_Connection *mhd)
{
    if (x->outcome == HANDLER_PARKED) {
        x->phase = PHASE_AGAIN;
        return MHD_YES;
    }
    return x->outcome < 0 ? exchange_refuse(x, mhd) : exchange_answer(x, mhd);
}

/* The whole request is there. */
static enum MHD_Result exchange_run(struct exchange *x, struct MHD_Connection *mhd)
{
    connection_deadline(mhd, 0);
    if (x->failed)
        return exchange_refuse(x, mhd);
    if (x->request.operation == NULL)
        return exchange_options(x, mhd);
    if (x->request.operation->handler->mode == HANDLER_POOL)
        return exchange_submit(x, mhd);
    log_bind("request", x->request.id);
    x->outcome = exchange_handle(x);
    enum MHD_Result result = exchange_conclude(x, mhd);
    log_bind("request", NULL);
    return result;
}

/* The connection was woken. */
static enum MHD_Result exchange_again(struct exchange *x, struct MHD_Connection *mhd)
{
    if (x->waits)
        return x->outcome < 0 ? exchange_refuse(x, mhd) : exchange_answer(x, mhd);
    log_bind("request", x->request.id);
    x->outcome = x->request.again(&x->request, &x->reply, &x->err);
    enum MHD_Result result = exchange_conclude(x, mhd);
    log_bind("request", NULL);
    return result;
}

static void client_address(struct MHD_Connection *mhd, char *out, size_t size)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info != NULL ? info->client_addr : NULL;
    if (address != NULL && address->sa_family == AF_UNIX)
        snprintf(out, size, "unix");
    else if (address == NULL ||
             getnameinfo(address,
                         address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                        : sizeof(struct sockaddr_in),
                         out, (socklen_t)size, NULL, 0, NI_NUMERICHOST) != 0)
        out[0] = '\0';
}

/* The first call: the headers are there. */
static enum MHD_Result exchange_begin(struct exchange *x, struct MHD_Connection *mhd,
                                      const char *method)
{
    client_address(mhd, x->request.address, sizeof(x->request.address));
    x->phase = PHASE_BODY;
    x->request.method = method;
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, on_header, &x->request);
    x->failed = exchange_check(x) < 0;
    return x->failed && request_has_body(&x->request) ? exchange_refuse(x, mhd) : MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_data_size, void **context)
{
    struct exchange *x = *context;
    (void)cls;
    (void)url;
    (void)version;
    if (x->phase == PHASE_NEW)
        return exchange_begin(x, mhd, method);
    if (x->phase == PHASE_AGAIN)
        return exchange_again(x, mhd);
    if (x->phase == PHASE_ANSWERED || x->phase == PHASE_POOL)
        return MHD_YES;
    if (*upload_data_size > 0) {
        bool patient = request_take_body(&x->request, upload_data, *upload_data_size);
        *upload_data_size = 0;
        return patient ? MHD_YES : MHD_NO;
    }
    return exchange_run(x, mhd);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct api *api = cls;
    struct exchange *x = *context;
    if (x == NULL)
        return;
    if (api->access_log) {
        log_bind("request", x->request.id);
        log_info("http.request", "%s %s %d %" PRId64 "us %zu%s", x->request.method, x->path,
                 x->reply.status, clock_monotonic_us() - x->request.started, x->sent,
                 code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : " cut");
        log_bind("request", NULL);
    }
    connection_deadline(mhd, clock_monotonic_us() + api->idle_timeout + api->request_timeout);
    if (x->waits)
        waiter_clear(&x->waiter);
    request_clear(&x->request);
    reply_clear(&x->reply);
    error_clear(&x->err);
    struct connection *connection = connection_of(mhd);
    if (connection != NULL && connection->spare == NULL)
        connection->spare = x;
    else
        free(x);
    *context = NULL;
    atomic_fetch_sub(&api->busy, 1);
}

/* ---- the daemon ---- */

/* Paths and queries are decoded by us, from the target as it came. */
static size_t on_unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls;
    (void)mhd;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *fmt, va_list ap)
{
    char text[256];
    (void)cls;
    vsnprintf(text, sizeof(text), fmt, ap);
    text[strcspn(text, "\n")] = '\0';
    log_debug("http.library", "%s", text);
}

struct MHD_Daemon *serve_start(struct api *api, int fd, unsigned threads, unsigned max)
{
    unsigned flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG;
    unsigned idle = (unsigned)(api->idle_timeout / CLOCK_SECOND);
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, api, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, threads > 1 ? threads : 0,
        MHD_OPTION_CONNECTION_LIMIT, max, MHD_OPTION_CONNECTION_TIMEOUT, idle > 0 ? idle : 1,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_URI_LOG_CALLBACK, on_target, api, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape,
        NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, api, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, api, MHD_OPTION_END);
}
