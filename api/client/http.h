/* One server, one connection kept open, on libcurl. Redirects are not followed: the token goes to
 * the server that was named and nowhere else. One thread. */
#ifndef C9_CLIENT_HTTP_H
#define C9_CLIENT_HTTP_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "client/profile.h"

enum {
    HTTP_REPLY_MAX = 64 << 20, /* bytes of a reply that is kept whole */
    HTTP_HEADER_MAX = 512      /* bytes kept of a header's value */
};

struct http;
/* The profile is borrowed. Never NULL. */
struct http *http_new(const struct profile *profile);
void http_free(struct http *http);

struct http_request {
    const char *method;
    const char *path;   /* with the query, encoded */
    const char *accept; /* NULL: application/json */
    const char *type;   /* of the body; NULL: no body */
    const char *body;
    size_t len;
    const char *headers[4]; /* "Name: value", more of them */
    long timeout_s;         /* for the whole; 0: none */
};

struct http_reply {
    long status;
    bool sent; /* the request went out, whether or not it was answered */
    char type[HTTP_HEADER_MAX], request_id[HTTP_HEADER_MAX], retry_after[HTTP_HEADER_MAX];
    char deprecation[HTTP_HEADER_MAX], sunset[HTTP_HEADER_MAX]; /* RFC 9745, RFC 8594 */
    struct buf body;
};
void http_reply_free(struct http_reply *reply);
#define http_reply_auto cleanup(http_reply_free) struct http_reply

/* What a stream calls. data: bytes of a 200 of text/event-stream; -1 with err stops. idle: at least
 * once a second and on every signal; false leaves the stream. */
struct http_listener {
    int (*data)(void *arg, const char *bytes, size_t len, struct error *err);
    bool (*idle)(void *arg);
    void *arg;
};

/* Sends and receives. listener NULL: the whole reply is kept in reply_r (also of any status). With
 * one, a stream is handed to it, any other reply is kept. 0 when there is a reply; -1 with
 * E_UNAVAILABLE and what was tried and what usually helps (the server is not there, TLS, time-out),
 * or E_CANCELLED (idle said so), or what data said. */
int http_send(struct http *http, const struct http_request *request,
              const struct http_listener *listener, struct http_reply *reply_r, struct error *err);

/* Appends s percent-encoded as a part of a path or query. */
void http_encode(struct buf *out, const char *s);

#endif
