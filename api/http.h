/* The REST API's server: HTTP in, one service function called, HTTP out. api/README.md shows how
 * its parts fit; api/openapi.json is what it serves. */
#ifndef C9_API_HTTP_H
#define C9_API_HTTP_H

#include <stddef.h>

#include "base/config.h"
#include "base/error.h"
#include "service/service.h"

struct http_server;

/* Declares the keys of section [http], and tells what of its addresses is wrong as it is written:
 * 0, or -1 with err as config_check. http_server_new does it too; for `c9d check-config`. */
int http_config_declare(struct config *config, struct error *err);

/* Builds the router and compiles the schemas of the OpenAPI document, binds and listens on the
 * addresses of [http] listen; nothing is answered yet. service and config are borrowed and must
 * outlive it. A route without a handler, a handler without a route, or an address that cannot be
 * had fails. NULL on failure. */
struct http_server *http_server_new(struct service *service, struct config *config,
                                    struct error *err);
/* Starts the threads: from now on requests are answered. */
int http_server_start(struct http_server *server, struct error *err);
/* The addresses in force as URLs ("http://127.0.0.1:8420", "unix:/run/c9d/c9d.sock"), also when the
 * configured port was 0; NULL behind the last. Borrowed for the server's life. */
const char *http_server_address(const struct http_server *server, size_t i);
/* From now on new requests get 503 with Retry-After, and /readyz says so; requests that wait, and
 * streams, go on. Any thread, any number of times. */
void http_server_drain(struct http_server *server);
/* Requests that are being answered, waiting ones and streams included. Any thread. */
unsigned http_server_busy(const struct http_server *server);
/* Answers what still waits with 503, ends the streams (clients take them up again behind
 * Last-Event-ID), ends the threads, closes the sockets and frees. The service and its engine must
 * still be there: watches are given back here. NULL is fine. */
void http_server_stop(struct http_server *server);

#endif
