/* Lines end with LF, CR or CRLF; `data` lines add up until a blank line; the rest is skipped. */
#include "sse.h"

#include <stdio.h>
#include <string.h>

void sse_free(struct sse *sse)
{
    text_free(&sse->line);
    text_free(&sse->data);
}

static int sse_dispatch(struct sse *sse, sse_event_fn event, void *arg)
{
    int rc = 0;
    if (sse->has_data)
        rc = event(arg, sse->name, sse->data.data, sse->data.len);
    sse->has_data = false;
    sse->name[0] = '\0';
    text_clear(&sse->data);
    return rc;
}

static int sse_data(struct sse *sse, const char *value, size_t len)
{
    if (sse->data.len + len + 1 > SSE_EVENT_MAX)
        return SSE_TOO_LONG;
    if (sse->has_data && !text_append(&sse->data, "\n", 1))
        return SSE_NO_MEMORY;
    sse->has_data = true;
    return text_append(&sse->data, value, len) ? 0 : SSE_NO_MEMORY;
}

static int sse_line(struct sse *sse, sse_event_fn event, void *arg)
{
    const char *line = sse->line.len > 0 ? sse->line.data : "";
    size_t len = sse->line.len;
    if (!sse->begun && len >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0)
        line += 3, len -= 3;
    sse->begun = true;
    if (len == 0)
        return sse_dispatch(sse, event, arg);
    const char *colon = memchr(line, ':', len);
    size_t field = colon != NULL ? (size_t)(colon - line) : len;
    const char *value = colon != NULL ? colon + 1 : line + len;
    size_t value_len = (size_t)(line + len - value);
    if (value_len > 0 && value[0] == ' ')
        value++, value_len--;
    if (field == 4 && memcmp(line, "data", 4) == 0)
        return sse_data(sse, value, value_len);
    if (field == 5 && memcmp(line, "event", 5) == 0)
        snprintf(sse->name, sizeof(sse->name), "%.*s",
                 (int)(value_len < sizeof(sse->name) ? value_len : sizeof(sse->name)), value);
    return 0;
}

int sse_feed(struct sse *sse, const char *bytes, size_t len, sse_event_fn event, void *arg)
{
    const char *end = bytes + len;
    while (bytes < end) {
        if (sse->after_cr && *bytes == '\n') {
            sse->after_cr = false;
            bytes++;
            continue;
        }
        sse->after_cr = false;
        const char *stop = bytes;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        size_t part = (size_t)(stop - bytes);
        if (sse->line.len + part > SSE_EVENT_MAX)
            return SSE_TOO_LONG;
        if (!text_append(&sse->line, bytes, part))
            return SSE_NO_MEMORY;
        if (stop == end)
            return 0;
        sse->after_cr = *stop == '\r';
        int rc = sse_line(sse, event, arg);
        text_clear(&sse->line);
        if (rc != 0)
            return rc;
        bytes = stop + 1;
    }
    return 0;
}

int sse_end(struct sse *sse, sse_event_fn event, void *arg)
{
    int rc = sse->line.len > 0 ? sse_line(sse, event, arg) : 0;
    text_clear(&sse->line);
    return rc != 0 ? rc : sse_dispatch(sse, event, arg);
}
