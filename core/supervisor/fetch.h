/* Outbound HTTP on the engine's loop (libcurl's multi interface). Engine thread only.
 *
 * There is one instance for model providers, whom the operator chose, and one for what skills ask
 * for: they share no connections, so that no skill can ride on a connection that its guard would
 * have refused. */
#ifndef C9_SUPERVISOR_FETCH_H
#define C9_SUPERVISOR_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/loop.h"

struct fetcher;
struct fetch;

struct fetch_header {
    const char *name, *value;
};

/* All pointers are borrowed during fetch_start only, but for arg. */
struct fetch_spec {
    const char *method, *url;
    const char *shown_url; /* in errors; NULL: url */
    const struct fetch_header *headers;
    size_t n_headers;
    const char *body; /* NULL: none */
    size_t body_len;
    int64_t timeout_us; /* in all */
    /* Called for every address about to be connected to; false refuses it. NULL: all are fine. */
    bool (*address_allowed)(void *arg, const struct sockaddr *address);
    void (*status)(void *arg, int status);
    void (*header)(void *arg, const char *name, const char *value); /* name in lower case */
    int (*data)(void *arg, const char *data, size_t len);           /* non-zero: stop */
    /* Exactly once, last; the fetch is gone after it. err NULL: the reply is complete. Not called
     * after fetch_cancel. E_ADDRESS_DENIED when address_allowed refused, E_HTTP_FAILED otherwise.
     */
    void (*done)(void *arg, struct error *err);
    void *arg;
};

/* Costs nothing: libcurl is loaded by the first fetch (curl.h). */
struct fetcher *fetcher_new(struct loop *loop);
void fetcher_free(struct fetcher *fetcher); /* cancels what is under way */
/* NULL with err when it cannot even begin (bad URL, bad header, no libcurl). Never calls back
 * before it returns. What is not idempotent (RFC 9110 §9.2.2) is sent once; the rest may be sent
 * again when a connection that was kept ends without an answer. */
struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_spec *spec,
                          struct error *err);
void fetch_cancel(struct fetch *fetch);

#endif
