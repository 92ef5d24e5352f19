/* The server's life: configuration, start, drain, stop. */
#include "api/http.h"

#include <microhttpd.h>
#include <string.h>
#include <unistd.h>

#include "api/api-private.h"
#include "api/forwarded.h"
#include "api/listen.h"
#include "api/openapi_text.h"
#include "api/serve.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"

static const struct config_key config_keys[] = {
    {"http", "listen", CONFIG_LIST, "127.0.0.1:8420", 0, 0, NULL,
     "Addresses to listen on: HOST:PORT, [V6]:PORT, unix:PATH; port 0 takes a free one."},
    {"http", "max_body", CONFIG_SIZE, "8MiB", 1024, INT64_C(1) << 30, NULL,
     "Largest request body."},
    {"http", "body_memory", CONFIG_SIZE, "128MiB", 1 << 20, INT64_C(1) << 40, NULL,
     "Memory of all request bodies at once, decoded: [1,1,1] takes fifty times its length."},
    {"http", "request_timeout", CONFIG_DURATION, "30s", CLOCK_SECOND, 3600 * CLOCK_SECOND, NULL,
     "Time within which a whole request must have arrived."},
    {"http", "idle_timeout", CONFIG_DURATION, "60s", CLOCK_SECOND, 3600 * CLOCK_SECOND, NULL,
     "Time after which a connection without a request is closed."},
    {"http", "max_connections", CONFIG_INT, "4096", 1, 1000000, NULL,
     "Most connections at once; further ones wait to be accepted."},
    {"http", "threads", CONFIG_INT, "0", 0, 256, NULL,
     "Threads that serve connections; 0: one per processor."},
    {"http", "workers", CONFIG_INT, "8", 1, 256, NULL,
     "Threads for requests that write; as many can share one commit."},
    {"http", "heartbeat", CONFIG_DURATION, "10s", CLOCK_SECOND / 10, 3600 * CLOCK_SECOND, NULL,
     "How often a stream that has nothing to say shows that it lives."},
    {"http", "access_log", CONFIG_BOOL, "yes", 0, 0, NULL, "Log every request."},
    {"http", "trusted_proxies", CONFIG_LIST, "", 0, 0, NULL,
     "Proxies whose Forwarded or X-Forwarded-For is believed: addresses, networks (10.0.0.0/8), \"unix\"."},
};

struct http_server {
    struct api api;
    struct listener listeners[LISTEN_MAX];
    struct MHD_Daemon *daemons[LISTEN_MAX];
    size_t n_listeners;
    unsigned threads, max_connections;
};

static int addresses_check(struct config *config, struct error *err)
{
    int status = 0;
    autofree char *text = xstrdup(config_string(config, "http", NULL, "listen"));
    char *rest = NULL;
    for (char *a = strtok_r(text, " ,\t", &rest); a != NULL; a = strtok_r(NULL, " ,\t", &rest)) {
        autofree char *wrong = listen_wrong(a);
        if (wrong != NULL)
            status = config_problem(config, "http", NULL, "listen", wrong, err);
    }
    return status;
}

static int proxies_check(struct config *config, struct error *err)
{
    struct forwarded *proxies = NULL;
    error_auto why = ERROR_INIT;
    if (forwarded_new(config_string(config, "http", NULL, "trusted_proxies"), &proxies, &why) < 0)
        return config_problem(config, "http", NULL, "trusted_proxies", why.message, err);
    forwarded_free(proxies);
    return 0;
}

int http_config_declare(struct config *config, struct error *err)
{
    int status = config_declare(config, config_keys, countof(config_keys), err);
    if (addresses_check(config, err) < 0)
        status = -1;
    return proxies_check(config, err) < 0 ? -1 : status;
}

static void config_read(struct http_server *server, const struct config *config)
{
    struct api *api = &server->api;
    int64_t threads = config_int(config, "http", NULL, "threads");
    if (threads == 0)
        threads = sysconf(_SC_NPROCESSORS_ONLN);
    server->threads = threads > 0 ? (unsigned)threads : 1;
    server->max_connections = (unsigned)config_int(config, "http", NULL, "max_connections");
    if (server->max_connections < server->threads)
        server->max_connections = server->threads;
    api->max_body = (size_t)config_int(config, "http", NULL, "max_body");
    api->body_memory = (size_t)config_int(config, "http", NULL, "body_memory");
    api->request_timeout = config_int(config, "http", NULL, "request_timeout");
    api->idle_timeout = config_int(config, "http", NULL, "idle_timeout");
    api->heartbeat = config_int(config, "http", NULL, "heartbeat");
    api->access_log = config_bool(config, "http", NULL, "access_log");
}

static int listeners_open(struct http_server *server, const struct config *config,
                          struct error *err)
{
    const char *list = config_string(config, "http", NULL, "listen");
    autofree char *text = xstrdup(list != NULL ? list : "");
    char *rest = NULL;
    for (char *a = strtok_r(text, " ,\t", &rest); a != NULL; a = strtok_r(NULL, " ,\t", &rest)) {
        if (server->n_listeners == LISTEN_MAX)
            return error_set(err, E_CONFIG_INVALID, "[http] listen: more than %d addresses",
                             LISTEN_MAX);
        if (listener_open(&server->listeners[server->n_listeners], a, err) < 0)
            return -1;
        server->n_listeners++;
    }
    return server->n_listeners > 0
               ? 0
               : error_set(err, E_CONFIG_INVALID, "[http] listen: no address is given");
}

/* "/readyz" and the document's tag; the router with its compiled schemas. */
static int router_read(struct api *api, struct error *err)
{
    size_t len = (size_t)(openapi_text_end - openapi_text);
    char hex[SHA256_HEX_SIZE];
    jx_auto *document =
        jx_decode(openapi_rules, (size_t)(openapi_rules_end - openapi_rules), "openapi.json", err);
    if (document == NULL)
        return -1;
    memcpy(api->document_tag, hash_sha256_hex(openapi_text, len, hex),
           sizeof(api->document_tag) - 1);
    api->router = router_new(document, handler_table, handler_table_len, err);
    return api->router != NULL ? 0 : -1;
}

static int server_build(struct http_server *server, struct config *config, struct error *err)
{
    struct api *api = &server->api;
    if (http_config_declare(config, err) < 0)
        return -1;
    config_read(server, config);
    if (forwarded_new(config_string(config, "http", NULL, "trusted_proxies"), &api->forwarded,
                      err) < 0)
        return -1;
    if (router_read(api, err) < 0 || listeners_open(server, config, err) < 0)
        return -1;
    api->keys = keys_new();
    api->kept = kept_new();
    api->keeper = keeper_new(err);
    api->pool = api->keeper != NULL
                    ? work_pool_new("http-worker",
                                    (unsigned)config_int(config, "http", NULL, "workers"), err)
                    : NULL;
    return api->pool != NULL ? 0 : -1;
}

struct http_server *http_server_new(struct service *service, struct config *config,
                                    struct error *err)
{
    struct http_server *server = xcalloc(1, sizeof(*server));
    server->api.service = service;
    if (server_build(server, config, err) < 0) {
        http_server_stop(server);
        return NULL;
    }
    return server;
}

int http_server_start(struct http_server *server, struct error *err)
{
    for (size_t i = 0; i < server->n_listeners; i++) {
        struct listener *l = &server->listeners[i];
        /* The first address is where the load comes; the others get one thread. */
        server->daemons[i] =
            serve_start(&server->api, l->fd, i == 0 ? server->threads : 1, server->max_connections);
        if (server->daemons[i] == NULL)
            return error_set(err, E_INTERNAL, "%s: cannot start the HTTP threads", l->url);
        l->fd = -1;
        log_info("http.listening", "%s", l->url);
    }
    return 0;
}

const char *http_server_address(const struct http_server *server, size_t i)
{
    return i < server->n_listeners ? server->listeners[i].url : NULL;
}

void http_server_drain(struct http_server *server)
{
    atomic_store(&server->api.draining, true);
}

unsigned http_server_busy(const struct http_server *server)
{
    return atomic_load(&server->api.busy);
}

/* Time for the answers of those just woken to leave. */
static void answers_leave(const struct http_server *server)
{
    enum { TURN_US = 5000, TURNS = 100 };
    for (int i = 0; i < TURNS && http_server_busy(server) > 0; i++)
        usleep(TURN_US);
}

void http_server_stop(struct http_server *server)
{
    if (server == NULL)
        return;
    http_server_drain(server);
    if (server->api.keeper != NULL) {
        keeper_interrupt(server->api.keeper);
        keeper_wait(server->api.keeper);
        answers_leave(server);
    }
    for (size_t i = 0; i < server->n_listeners; i++) {
        if (server->daemons[i] != NULL)
            MHD_stop_daemon(server->daemons[i]);
        listener_close(&server->listeners[i]);
    }
    if (server->api.pool != NULL)
        work_pool_free(server->api.pool);
    keeper_free(server->api.keeper);
    keys_free(server->api.keys);
    forwarded_free(server->api.forwarded);
    kept_free(server->api.kept);
    router_free(server->api.router);
    free(server);
}
