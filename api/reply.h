/* An answer before it is sent. Any thread; one at a time. */
#ifndef C9_API_REPLY_H
#define C9_API_REPLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct request;
struct follow;

enum { REPLY_HEADERS_MAX = 12 };

struct reply {
    int status;
    const char *media; /* of the body; static */
    struct buf text;   /* the body, unless: */
    const char *fixed; /* static */
    size_t fixed_len;
    struct follow *stream; /* the events of an execution; owned */
    int64_t stream_after;
    struct {
        const char *name; /* static */
        char *value;
    } headers[REPLY_HEADERS_MAX];
    size_t n_headers;
    bool cacheable; /* with revalidation; otherwise no-store */
};

void reply_clear(struct reply *reply);
/* A printf value; what would end the header is left out. */
void reply_header(struct reply *reply, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* One that reply_header made before. */
void reply_header_copy(struct reply *reply, const char *name, const char *value);
const char *reply_header_get(const struct reply *reply, const char *name); /* or NULL */
/* A JSON body from a value (borrowed). */
void reply_json(struct reply *reply, int status, const json_t *value);
void reply_empty(struct reply *reply, int status);
/* Sets ETag from the text; turns the reply into 304 when the request's If-None-Match has it. */
void reply_etag(struct reply *reply, const struct request *request, const char *tag);
/* The second half of it, for a reply that has its ETag already. */
void reply_revalidate(struct reply *reply, const struct request *request);
/* The envelope, and the headers that belong to the error. Replaces what was in the reply. */
void reply_error(struct reply *reply, const struct request *request, const struct error *err);

#endif
