/* One reply: told apart by status and first byte into an error, one JSON object, or a stream of
 * events. Whatever comes, the sink hears finish or error exactly once. */
#include "reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "answer.h"
#include "failure.h"
#include "sse.h"
#include "text.h"

enum { ERROR_BODY_MAX = 64 * 1024 }; /* what is kept of an error's body */
enum { STOP = 1 };                   /* returned through the event decoder */

enum body_kind { BODY_UNKNOWN, BODY_OBJECT, BODY_EVENTS, BODY_ERROR };

struct c9d_reply {
    const struct c9d_model *model;
    struct answer answer;
    struct failure_hints hints;
    int status;       /* 0 until there is one */
    bool says_events; /* by its content-type */
    enum body_kind kind;
    size_t seen; /* bytes of the body so far */
    struct text body;
    struct sse sse;
    bool settled, failed; /* settled: finish or error was told */
};

struct c9d_reply *reply_new(struct c9d_model *model, const struct c9d_model_sink *sink)
{
    struct c9d_reply *reply = calloc(1, sizeof(*reply));
    if (reply == NULL)
        return NULL;
    reply->model = model;
    reply->answer.sink = *sink;
    reply->hints.should_retry = -1;
    return reply;
}

void reply_free(struct c9d_reply *reply)
{
    if (reply == NULL)
        return;
    answer_free(&reply->answer);
    text_free(&reply->body);
    sse_free(&reply->sse);
    free(reply);
}

/* A later status line (after 100 Continue) starts over. */
void reply_status(struct c9d_reply *reply, int status)
{
    reply->status = status;
    reply->says_events = false;
    reply->hints = (struct failure_hints){.should_retry = -1};
}

void reply_header(struct c9d_reply *reply, const char *name, const char *value)
{
    if (strcmp(name, "content-type") == 0)
        reply->says_events = strncasecmp(value, "text/event-stream", 17) == 0;
    failure_hint(&reply->hints, name, value);
}

/* ---- the two ends ---------------------------------------------------------------------------- */

/* Usage is told before an error too: what was counted may have been charged. */
static int reply_fail(struct c9d_reply *reply, struct failure *failure)
{
    const struct c9d_model_sink *sink = &reply->answer.sink;
    const struct failure_hints *hints = &reply->hints;
    if (reply->settled)
        return -1;
    reply->settled = reply->failed = true;
    answer_usage(&reply->answer);
    provider_redact(reply->model, failure->message);
    bool retry = hints->should_retry < 0 ? failure->retry : hints->should_retry == 1;
    int64_t wait = retry ? failure_wait(hints, reply->model->host->now()) : 0;
    int status = failure->status > 0 ? failure->status : reply->status;
    sink->error(sink->arg, status, failure->message, retry, wait);
    return -1;
}

static void reply_finish(struct c9d_reply *reply)
{
    if (reply->settled)
        return;
    reply->settled = true;
    answer_finish(&reply->answer);
}

static int reply_malformed(struct c9d_reply *reply, const char *what, const char *why)
{
    struct failure failure;
    failure_set(&failure, 0, true, "the provider's reply %s%s%s", what, why[0] ? ": " : "", why);
    return reply_fail(reply, &failure);
}

/* ---- success: one object, or events ---------------------------------------------------------- */

/* One completion or chunk. STOP when it ended the reply. */
static int object_take(struct c9d_reply *reply, const char *data, size_t len, bool is_error)
{
    char why[256];
    struct failure failure;
    json_t *object = text_decode(data, len, TEXT_REPLY_VALUES_MAX, 0, why, sizeof(why));
    if (object == NULL) {
        reply_malformed(reply, "is not the JSON it should be", why);
        return STOP;
    }
    int rc = -1;
    if (json_is_array(object) || is_error)
        failure_from_json(&failure, object);
    else
        rc = answer_take(&reply->answer, object, &failure);
    json_decref(object);
    if (rc < 0)
        reply_fail(reply, &failure);
    return rc < 0 ? STOP : 0;
}

static int event_take(void *arg, const char *name, const char *data, size_t len)
{
    struct c9d_reply *reply = arg;
    while (len > 0 && (data[len - 1] == ' ' || data[len - 1] == '\t'))
        len--;
    if (len == 6 && memcmp(data, "[DONE]", 6) == 0) {
        if (reply->answer.begun)
            reply_finish(reply);
        else
            reply_malformed(reply, "is a stream without an answer in it", "");
        return STOP;
    }
    return len > 0 ? object_take(reply, data, len, strcmp(name, "error") == 0) : 0;
}

static int events_result(struct c9d_reply *reply, int rc)
{
    struct failure failure;
    if (rc == SSE_TOO_LONG) {
        failure_set(&failure, 0, false, "the provider's stream has an event over %d bytes",
                    SSE_EVENT_MAX);
        return reply_fail(reply, &failure);
    }
    if (rc == SSE_NO_MEMORY) {
        failure_set(&failure, 0, true, "out of memory for the model's reply");
        return reply_fail(reply, &failure);
    }
    return reply->failed ? -1 : 0;
}

static void object_end(struct c9d_reply *reply)
{
    if (object_take(reply, reply->body.data, reply->body.len, false) != 0)
        return;
    if (reply->answer.begun)
        reply_finish(reply);
    else
        reply_malformed(reply, "has no choices", "");
}

static void events_end(struct c9d_reply *reply)
{
    if (events_result(reply, sse_end(&reply->sse, event_take, reply)) < 0 || reply->settled)
        return;
    if (answer_complete(&reply->answer))
        reply_finish(reply);
    else
        reply_malformed(reply, "ended before the answer did", "");
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* By the first byte that is no blank (nor part of a byte order mark): servers send errors as JSON
 * under the content-type of events, and events under that of JSON. */
static enum body_kind body_kind_of(const struct c9d_reply *reply, char first)
{
    if (reply->status < 200 || reply->status > 299)
        return BODY_ERROR;
    if (first == '{' || first == '[')
        return BODY_OBJECT;
    if (reply->says_events || (first != '\0' && strchr(":deir", first) != NULL))
        return BODY_EVENTS;
    return BODY_OBJECT;
}

static bool is_leading(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\xEF' || c == '\xBB' ||
           c == '\xBF';
}

static int body_keep(struct c9d_reply *reply, const char *data, size_t len)
{
    if (reply->kind == BODY_ERROR && len > ERROR_BODY_MAX - reply->body.len)
        len = ERROR_BODY_MAX - reply->body.len;
    if (text_append(&reply->body, data, len))
        return 0;
    struct failure failure;
    failure_set(&failure, 0, true, "out of memory for the model's reply");
    return reply_fail(reply, &failure);
}

static int feed_some(struct c9d_reply *reply, const char *data, size_t len)
{
    if (reply->kind == BODY_UNKNOWN) {
        while (len > 0 && is_leading(*data))
            data++, len--;
        if (len == 0)
            return 0;
        reply->kind = body_kind_of(reply, *data);
    }
    if (reply->kind != BODY_EVENTS)
        return body_keep(reply, data, len);
    return events_result(reply, sse_feed(&reply->sse, data, len, event_take, reply));
}

int reply_feed(struct c9d_reply *reply, const char *data, size_t len)
{
    struct failure failure;
    if (reply->settled)
        return reply->failed ? -1 : 0;
    size_t room = reply->model->max_reply - reply->seen;
    bool too_much = len > room && (reply->status >= 200 && reply->status <= 299);
    size_t part = len > room ? room : len;
    reply->seen += part;
    /* What fits is read first, so that the events are the same however the bytes were cut. */
    if (feed_some(reply, data, part) < 0)
        return -1;
    if (!too_much || reply->settled)
        return 0;
    failure_set(&failure, 0, false, "the provider's reply is over max_reply (%zu bytes)",
                reply->model->max_reply);
    return reply_fail(reply, &failure);
}

void reply_end(struct c9d_reply *reply)
{
    struct failure failure;
    if (reply->settled)
        return;
    bool good = reply->status >= 200 && reply->status <= 299;
    if (reply->status == 0) {
        reply_malformed(reply, "never came", "");
    } else if (!good) {
        failure_from_body(&failure, reply->status, reply->body.len > 0 ? reply->body.data : "",
                          reply->body.len);
        reply_fail(reply, &failure);
    } else if (reply->kind == BODY_UNKNOWN) {
        reply_malformed(reply, "is empty", "");
    } else if (reply->kind == BODY_EVENTS) {
        events_end(reply);
    } else {
        object_end(reply);
    }
}
