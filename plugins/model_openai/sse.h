/* Server-sent events (WHATWG HTML, "Interpreting an event stream"), fed in pieces cut anywhere. */
#ifndef MODEL_OPENAI_SSE_H
#define MODEL_OPENAI_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

enum { SSE_EVENT_MAX = 1 << 20 }; /* bytes of one line, and of one event's data */

enum sse_failure { SSE_TOO_LONG = -1, SSE_NO_MEMORY = -2 };

/* One event; name is "" when the stream gave none. Non-zero stops the decoder, which returns it.
 * Must not be one of enum sse_failure. */
typedef int (*sse_event_fn)(void *arg, const char *name, const char *data, size_t len);

struct sse {
    struct text line, data;
    char name[32]; /* longer names are cut */
    bool has_data, after_cr, begun;
};

void sse_free(struct sse *sse);
int sse_feed(struct sse *sse, const char *bytes, size_t len, sse_event_fn event, void *arg);
/* At the end of the bytes: hands out an event whose closing blank line is missing, which the
 * standard would drop, but servers that hang up after their last line exist. */
int sse_end(struct sse *sse, sse_event_fn event, void *arg);

#endif
