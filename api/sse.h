/* Frames of server-sent events (WHATWG HTML §9.2). Pure, any thread. */
#ifndef C9_API_SSE_H
#define C9_API_SSE_H

#include <stdint.h>

#include "base/buf.h"

/* Appends one event. id 0: none. type has no line break (it is ours). data is any text: each line
 * of it becomes a data line, so that nothing in it can end the frame or begin another. */
void sse_event(struct buf *out, int64_t id, const char *type, const char *data, size_t len);
/* Appends a comment: keeps the connection alive, and finds out that it is not. */
void sse_heartbeat(struct buf *out);

#endif
