/* What a model plugin tells its sink, as lines of text, and whether it kept the order it must:
 *   model NAME | delta "JSON" | call ID NAME ARGUMENTS | usage IN OUT | finish REASON
 *   error STATUS retry|final WAIT_US MESSAGE */
#ifndef C9_TESTS_MODEL_TRANSCRIPT_H
#define C9_TESTS_MODEL_TRANSCRIPT_H

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "host/model.h"

struct transcript {
    struct buf text;
    int ends;      /* finish and error; must be 1 */
    int after_end; /* anything told behind the end; must be 0 */
    int late;      /* deltas behind tool calls or usage; must be 0 */
    bool tail;     /* tool calls or usage were told */
};

static void transcript_line(struct transcript *t)
{
    t->after_end += t->ends > 0;
}

static void transcript_delta(void *arg, const char *text, size_t len)
{
    struct transcript *t = arg;
    json_t *value = json_stringn(text, len);
    char *encoded = value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    transcript_line(t);
    t->late += t->tail;
    buf_printf(&t->text, "delta %s\n", encoded != NULL ? encoded : "(no UTF-8)");
    free(encoded);
    json_decref(value);
}

static void transcript_call(void *arg, const char *id, const char *name, const char *arguments,
                            size_t len)
{
    struct transcript *t = arg;
    transcript_line(t);
    t->tail = true;
    buf_printf(&t->text, "call %s %s ", id, name);
    buf_append(&t->text, arguments, len);
    buf_append_char(&t->text, '\n');
}

static void transcript_usage(void *arg, int64_t input_tokens, int64_t output_tokens)
{
    struct transcript *t = arg;
    transcript_line(t);
    t->tail = true;
    buf_printf(&t->text, "usage %" PRId64 " %" PRId64 "\n", input_tokens, output_tokens);
}

static void transcript_finish(void *arg, const char *reason)
{
    struct transcript *t = arg;
    transcript_line(t);
    t->ends++;
    buf_printf(&t->text, "finish %s\n", reason);
}

static void transcript_model(void *arg, const char *name)
{
    struct transcript *t = arg;
    transcript_line(t);
    buf_printf(&t->text, "model %s\n", name);
}

static void transcript_error(void *arg, int status, const char *message, int retry,
                             int64_t retry_after)
{
    struct transcript *t = arg;
    transcript_line(t);
    t->ends++;
    buf_printf(&t->text, "error %d %s %" PRId64 " %s\n", status, retry ? "retry" : "final",
               retry_after, message);
}

static inline struct c9d_model_sink transcript_sink(struct transcript *t)
{
    return (struct c9d_model_sink){.arg = t,
                                   .delta = transcript_delta,
                                   .tool_call = transcript_call,
                                   .usage = transcript_usage,
                                   .finish = transcript_finish,
                                   .model = transcript_model,
                                   .error = transcript_error};
}

static inline bool transcript_orderly(const struct transcript *t)
{
    return t->ends == 1 && t->after_end == 0 && t->late == 0;
}

/* A recorded reply: status line, headers, an empty line, the body. */
struct recording {
    int status;
    char *head; /* "name: value" lines, NUL-terminated each */
    size_t n_headers;
    const char *body;
    size_t body_len;
    char *memory;
};

/* Takes text apart (lines end in LF or CRLF). data is copied. */
static inline struct recording recording_parse(const char *data, size_t len)
{
    struct recording r = {.memory = xmalloc(len + 1)};
    memcpy(r.memory, data, len);
    r.memory[len] = '\0';
    char *c = r.memory, *end = r.memory + len;
    for (int line = 0; c < end; line++) {
        char *stop = memchr(c, '\n', (size_t)(end - c));
        char *next = stop != NULL ? stop + 1 : end;
        if (stop == NULL)
            stop = end;
        *stop = '\0';
        if (stop > c && stop[-1] == '\r')
            stop[-1] = '\0';
        bool blank = *c == '\0';
        if (line == 0) {
            const char *space = strchr(c, ' ');
            r.status = space != NULL ? atoi(space) : 0;
            r.head = next;
        } else if (!blank) {
            r.n_headers++;
        }
        c = next;
        if (blank)
            break;
    }
    r.body = c;
    r.body_len = (size_t)(end - c);
    return r;
}

/* Feeds status and headers, name in lower case as the engine does. */
static inline void recording_feed_head(const struct recording *r, const struct c9d_model_ops *ops,
                                       struct c9d_reply *reply)
{
    const char *c = r->head;
    ops->reply_status(reply, r->status);
    for (size_t i = 0; i < r->n_headers; i++) {
        char name[64] = "";
        size_t n = strcspn(c, ":");
        for (size_t k = 0; k < n && k < sizeof(name) - 1; k++)
            name[k] = (char)(c[k] >= 'A' && c[k] <= 'Z' ? c[k] + 32 : c[k]);
        const char *value = c + n + (c[n] == ':');
        ops->reply_header(reply, name, value + strspn(value, " "));
        c += strlen(c);
        while (*c == '\0' && c < r->body)
            c++;
    }
}

/* Plays a recording into a reply, with its body cut into pieces of `piece` bytes behind a first one
 * of `first`, and frees the reply. */
static inline void recording_play_reply(const struct recording *r, const struct c9d_model_ops *ops,
                                        struct c9d_reply *reply, size_t first, size_t piece)
{
    recording_feed_head(r, ops, reply);
    size_t at = 0, n = first;
    while (at < r->body_len) {
        if (n > r->body_len - at)
            n = r->body_len - at;
        /* An exact-size block: a sanitizer sees the first byte read past it. */
        char *part = xmalloc(n > 0 ? n : 1);
        memcpy(part, r->body + at, n);
        int rc = ops->reply_feed(reply, part, n);
        free(part);
        if (rc < 0)
            break;
        at += n;
        n = piece;
    }
    ops->reply_end(reply);
    ops->reply_free(reply);
}

static inline void recording_play(const struct recording *r, struct model *model, size_t first,
                                  size_t piece, struct transcript *t)
{
    struct c9d_model_sink sink = transcript_sink(t);
    recording_play_reply(r, model_ops(model), model_reply_new(model, &sink), first, piece);
}

#endif
