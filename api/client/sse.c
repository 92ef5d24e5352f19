#include "client/sse.h"

#include <string.h>

void sse_free(struct sse *sse)
{
    buf_free(&sse->line);
    buf_free(&sse->data);
}

void sse_restart(struct sse *sse)
{
    buf_reset(&sse->line);
    buf_reset(&sse->data);
    sse->type[0] = '\0';
    sse->has_data = sse->has_id = sse->after_cr = sse->begun = false;
}

static int event_give(struct sse *sse, sse_fn fn, void *arg, struct error *err)
{
    int rc = 0;
    if (sse->has_data) {
        size_t len =
            sse->data.len - (sse->data.len > 0); /* the last line break is not part of it */
        sse->data.data[len] = '\0';
        struct sse_event event = {.type = sse->type[0] != '\0' ? sse->type : "message",
                                  .id = sse->id,
                                  .own_id = sse->has_id,
                                  .data = sse->data.data,
                                  .len = len};
        rc = fn(arg, &event, err);
    }
    buf_reset(&sse->data);
    sse->has_data = sse->has_id = false;
    sse->type[0] = '\0';
    return rc;
}

static bool is(const char *name, size_t len, const char *wanted)
{
    return len == strlen(wanted) && memcmp(name, wanted, len) == 0;
}

static void name_set(char out[SSE_NAME_MAX], const char *value, size_t len)
{
    if (len < SSE_NAME_MAX && memchr(value, '\0', len) == NULL) {
        memcpy(out, value, len);
        out[len] = '\0';
    }
}

static void retry_set(struct sse *sse, const char *value, size_t len)
{
    long ms = 0;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9' || len > 7)
            return;
        ms = ms * 10 + (value[i] - '0');
    }
    sse->retry_ms = len > 0 ? ms : sse->retry_ms;
}

static int line_take(struct sse *sse, sse_fn fn, void *arg, struct error *err)
{
    const char *line = sse->line.data;
    size_t len = sse->line.len;
    if (len == 0)
        return event_give(sse, fn, arg, err);
    const char *colon = memchr(line, ':', len);
    size_t name = colon != NULL ? (size_t)(colon - line) : len;
    const char *value = line + name + (colon != NULL);
    value += value < line + len && *value == ' ';
    size_t n = (size_t)(line + len - value);
    if (is(line, name, "data")) {
        if (sse->data.len + n + 1 > SSE_EVENT_MAX)
            return error_set(err, E_INVALID_REQUEST, "an event is larger than %d bytes",
                             SSE_EVENT_MAX);
        buf_append(&sse->data, value, n);
        buf_append_char(&sse->data, '\n');
        sse->has_data = true;
    } else if (is(line, name, "event")) {
        name_set(sse->type, value, n);
    } else if (is(line, name, "id")) {
        name_set(sse->id, value, n);
        sse->has_id = true;
    } else if (is(line, name, "retry")) {
        retry_set(sse, value, n);
    } /* a comment, or a field that later servers send */
    return 0;
}

static int line_end(struct sse *sse, sse_fn fn, void *arg, struct error *err)
{
    static const char mark[] = "\xEF\xBB\xBF";
    if (!sse->begun && sse->line.len >= 3 && memcmp(sse->line.data, mark, 3) == 0)
        buf_consume(&sse->line, 3);
    sse->begun = true;
    int rc = line_take(sse, fn, arg, err);
    buf_reset(&sse->line);
    return rc;
}

int sse_feed(struct sse *sse, const char *bytes, size_t len, sse_fn fn, void *arg,
             struct error *err)
{
    while (len > 0) {
        /* CR LF is one line end, also when it comes in two pieces. */
        if (sse->after_cr && *bytes == '\n') {
            bytes++;
            len--;
        }
        sse->after_cr = false;
        size_t n = 0;
        while (n < len && bytes[n] != '\n' && bytes[n] != '\r')
            n++;
        if (sse->line.len + n > SSE_EVENT_MAX)
            return error_set(err, E_INVALID_REQUEST, "a line of an event is larger than %d bytes",
                             SSE_EVENT_MAX);
        if (n > 0)
            buf_append(&sse->line, bytes, n);
        if (n < len) {
            sse->after_cr = bytes[n] == '\r';
            n++;
            if (line_end(sse, fn, arg, err) < 0)
                return -1;
        }
        bytes += n;
        len -= n;
    }
    return 0;
}
