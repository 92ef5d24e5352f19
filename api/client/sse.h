/* Reads server-sent events (WHATWG HTML §9.2) from bytes as they come. Pure; one thread. */
#ifndef C9_CLIENT_SSE_H
#define C9_CLIENT_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

enum {
    SSE_EVENT_MAX = 32 << 20, /* bytes of one event, and of one line */
    SSE_NAME_MAX = 64
};

struct sse_event {
    const char *type; /* "message" when none was given */
    const char *id;   /* the last id there was, "" when none: survives events without one */
    bool own_id;      /* this event brought it */
    const char *data; /* NUL behind; borrowed until the callback returns */
    size_t len;
};
/* Returns 0, or -1 with err to stop. */
typedef int (*sse_fn)(void *arg, const struct sse_event *event, struct error *err);

struct sse {
    struct buf line, data;
    char type[SSE_NAME_MAX], id[SSE_NAME_MAX];
    long retry_ms; /* what the server asked for; -1 until then */
    bool has_data, has_id, after_cr, begun;
};
#define SSE_INIT                                                                                   \
    {                                                                                              \
        .retry_ms = -1                                                                             \
    }
void sse_free(struct sse *sse);
/* Forgets a half-read event, keeps the last id: for a new connection. */
void sse_restart(struct sse *sse);
/* Calls fn for every event that is complete. -1: a line or event is larger than it may be, or what
 * fn said. */
int sse_feed(struct sse *sse, const char *bytes, size_t len, sse_fn fn, void *arg,
             struct error *err);

#endif
