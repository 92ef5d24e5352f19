/* Server-sent events: framing. */
#include "api/sse.h"

#include <inttypes.h>
#include <string.h>

/* The length of the line at s: up to CR, LF or the end. */
static size_t line_len(const char *s, const char *end)
{
    const char *p = s;
    while (p < end && *p != '\n' && *p != '\r')
        p++;
    return (size_t)(p - s);
}

void sse_event(struct buf *out, int64_t id, const char *type, const char *data, size_t len)
{
    const char *end = data + len;
    if (id > 0)
        buf_printf(out, "id: %" PRId64 "\n", id);
    buf_append_str(out, "event: ");
    buf_append_str(out, type);
    buf_append_char(out, '\n');
    for (;;) {
        size_t line = line_len(data, end);
        buf_append_str(out, "data: ");
        buf_append(out, data, line);
        buf_append_char(out, '\n');
        data += line;
        if (data == end)
            break;
        data += data[0] == '\r' && data + 1 < end && data[1] == '\n' ? 2 : 1;
    }
    buf_append_char(out, '\n');
}

void sse_heartbeat(struct buf *out)
{
    buf_append_str(out, ":\n\n");
}
