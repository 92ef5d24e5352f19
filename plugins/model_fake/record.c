/* Records written and read. The reader trusts nothing, as every reader of replies. */
#include "record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX = 12 }; /* letter, up to ten digits, line end */

void record_write(FILE *out, char letter, const char *bytes, size_t len)
{
    fprintf(out, "%c%zu\n", letter, len);
    fwrite(bytes, 1, len, out);
}

void record_printf(FILE *out, char letter, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int len = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (len >= 0) { /* a record that is missing for want of memory is found by the reader */
        record_write(out, letter, text, (size_t)len);
        free(text);
    }
}

struct c9d_reply {
    struct c9d_model_sink sink;
    char *data; /* what was not yet a whole record; NUL behind len */
    size_t len, cap;
    int status;
    bool settled, failed;
};

struct c9d_reply *record_reply_new(struct c9d_model *model, const struct c9d_model_sink *sink)
{
    (void)model;
    struct c9d_reply *reply = calloc(1, sizeof(*reply));
    if (reply != NULL)
        reply->sink = *sink;
    return reply;
}

void record_reply_status(struct c9d_reply *reply, int status)
{
    reply->status = status;
}

void record_reply_header(struct c9d_reply *reply, const char *name, const char *value)
{
    (void)reply, (void)name, (void)value; /* a reply without network has none */
}

void record_reply_free(struct c9d_reply *reply)
{
    if (reply != NULL)
        free(reply->data);
    free(reply);
}

static int reply_fail(struct c9d_reply *reply, int status, const char *message, bool retry,
                      int64_t wait)
{
    reply->settled = reply->failed = true;
    reply->sink.error(reply->sink.arg, status, message, retry, wait);
    return -1;
}

static int reply_malformed(struct c9d_reply *reply)
{
    return reply_fail(reply, reply->status, "the fake model's reply is malformed", false, 0);
}

/* ---- one row a letter; text is NUL-terminated at len, and may be written to ------------------ */

static int model_read(struct c9d_reply *reply, char *text, size_t len)
{
    (void)len;
    reply->sink.model(reply->sink.arg, text);
    return 0;
}

static int delta_read(struct c9d_reply *reply, char *text, size_t len)
{
    reply->sink.delta(reply->sink.arg, text, len);
    return 0;
}

static int tool_call_read(struct c9d_reply *reply, char *text, size_t len)
{
    char *name = memchr(text, '\n', len);
    char *arguments = name != NULL ? memchr(name + 1, '\n', len - (size_t)(name + 1 - text)) : NULL;
    if (arguments == NULL)
        return reply_malformed(reply);
    *name++ = '\0';
    *arguments++ = '\0';
    reply->sink.tool_call(reply->sink.arg, text, name, arguments, (size_t)(text + len - arguments));
    return 0;
}

static int usage_read(struct c9d_reply *reply, char *text, size_t len)
{
    int64_t in, out;
    (void)len;
    if (sscanf(text, "%18" SCNd64 " %18" SCNd64, &in, &out) != 2 || in < 0 || out < 0)
        return reply_malformed(reply);
    reply->sink.usage(reply->sink.arg, in, out);
    return 0;
}

static int finish_read(struct c9d_reply *reply, char *text, size_t len)
{
    (void)len;
    reply->settled = true;
    reply->sink.finish(reply->sink.arg, text);
    return 0;
}

static int error_read(struct c9d_reply *reply, char *text, size_t len)
{
    int status, retry;
    int64_t wait;
    char *message = memchr(text, '\n', len);
    if (message == NULL || sscanf(text, "%4d %1d %18" SCNd64, &status, &retry, &wait) != 3)
        return reply_malformed(reply);
    return reply_fail(reply, status, message + 1, retry != 0, wait);
}

static int record_read(struct c9d_reply *reply, char letter, char *text, size_t len)
{
    static const struct {
        char letter;
        int (*read)(struct c9d_reply *reply, char *text, size_t len);
    } letters[] = {{'M', model_read}, {'D', delta_read},  {'T', tool_call_read},
                   {'U', usage_read}, {'F', finish_read}, {'E', error_read}};
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
        if (letters[i].letter == letter)
            return letters[i].read(reply, text, len);
    return reply_malformed(reply);
}

/* ---- bytes to records ------------------------------------------------------------------------ */

static bool reply_keep(struct c9d_reply *reply, const char *data, size_t len)
{
    if (reply->cap - reply->len <= len) {
        size_t cap = reply->len + len + 1 + reply->cap / 2;
        char *grown = realloc(reply->data, cap);
        if (grown == NULL)
            return false;
        reply->data = grown;
        reply->cap = cap;
    }
    memcpy(reply->data + reply->len, data, len);
    reply->len += len;
    reply->data[reply->len] = '\0';
    return true;
}

/* The length of the head at data, 0 when more bytes are needed, or -1. */
static int head_read(const char *data, size_t len, size_t *payload_r)
{
    size_t n = 0, i = 1;
    for (; i < len && i < HEAD_MAX && data[i] >= '0' && data[i] <= '9'; i++)
        n = n * 10 + (size_t)(data[i] - '0');
    if (i == len && i < HEAD_MAX)
        return 0;
    if (i == 1 || i == HEAD_MAX || data[i] != '\n' || n > RECORD_REPLY_MAX)
        return -1;
    *payload_r = n;
    return (int)i + 1;
}

int record_reply_feed(struct c9d_reply *reply, const char *data, size_t len)
{
    if (reply->settled)
        return reply->failed ? -1 : 0;
    if (len > RECORD_REPLY_MAX - reply->len || !reply_keep(reply, data, len))
        return reply_malformed(reply);
    size_t done = 0;
    int rc = 0;
    while (rc == 0 && !reply->settled && done < reply->len) {
        size_t payload = 0, left = reply->len - done;
        int head = head_read(reply->data + done, left, &payload);
        if (head < 0)
            return reply_malformed(reply);
        if (head == 0 || payload > left - (size_t)head)
            break;
        char *text = reply->data + done + head;
        char after = text[payload];
        text[payload] = '\0';
        rc = record_read(reply, reply->data[done], text, payload);
        text[payload] = after;
        done += (size_t)head + payload;
    }
    memmove(reply->data, reply->data + done, reply->len - done);
    reply->len -= done;
    return rc;
}

void record_reply_end(struct c9d_reply *reply)
{
    if (!reply->settled)
        reply_malformed(reply);
}
