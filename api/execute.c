/* Executing an agent, or a chain: the answer waits, comes at once, or streams. */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "api/api-private.h"
#include "api/follow.h"
#include "api/idempotency.h"
#include "api/media.h"
#include "api/prefer.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "service/chain.h"
#include "service/execution.h"

enum {
    LOOK_US = 10 * 1000 * 1000, /* how often a waiting answer looks into the store itself */
    LEFT_US = 500 * 1000,       /* and for a client that its execution ends with */
};

/* A waiting execute, between the wakes of its connection. */
struct execute {
    struct follow *follow;
    struct prefer prefer;
    bool replayed;
    struct keys_waiter line; /* while another request has the key */
    bool answered;
    const char *chain; /* its id; NULL: an agent is executed */
    bool later;        /* it is put off: nobody waits for its end without having asked to */
    int64_t until;     /* Prefer: wait; monotonic µs */
    json_t *warnings;  /* of the version that runs; or NULL */
};

static void execute_free(void *arg)
{
    struct execute *x = arg;
    if (x->follow != NULL) {
        keys_forget(x->follow->api->keys, &x->line);
        if (!x->answered)
            follow_abandoned(x->follow);
        follow_detach(x->follow);
        follow_unref(x->follow);
    }
    json_decref(x->warnings);
    free(x);
}

/* ---- answers ---- */

/* A time in any of the warnings: the earliest; 0 when there is none. */
static int64_t warnings_time(const json_t *warnings, const char *member)
{
    int64_t earliest = 0, at;
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        const char *text = jx_str(json_array_get(warnings, i), member, "");
        if (clock_parse_rfc3339(text, strlen(text), &at) == 0 && (earliest == 0 || at < earliest))
            earliest = at;
    }
    return earliest;
}

/* RFC 9745 and RFC 8594. */
static void reply_deprecation(struct reply *reply, const json_t *warnings)
{
    int64_t since = warnings_time(warnings, "deprecatedAt"),
            until = warnings_time(warnings, "sunsetAt");
    char date[CLOCK_HTTP_SIZE];
    if (since != 0)
        reply_header(reply, "Deprecation", "@%lld", (long long)(since / CLOCK_SECOND));
    if (until != 0)
        reply_header(reply, "Sunset", "%s", clock_format_http(until, date));
}

static void reply_names_execution(struct reply *reply, const struct execute *x, const char *id)
{
    reply_header(reply, "Content-Location", "/v1/executions/%s", id);
    if (x->replayed)
        reply_header(reply, "Idempotent-Replayed", "true");
    reply_deprecation(reply, x->warnings);
}

static int reply_accepted(struct execute *x, struct reply *reply)
{
    x->answered = true;
    reply->status = 202;
    reply->media = MEDIA_JSON;
    buf_printf(&reply->text, "{\"executionId\":\"%s\",\"status\":\"pending\"}", x->follow->id);
    reply_header(reply, "Location", "/v1/executions/%s", x->follow->id);
    reply_names_execution(reply, x, x->follow->id);
    if (x->prefer.respond_async)
        reply_header(reply, "Preference-Applied", "respond-async");
    else if (x->prefer.wait >= 0)
        reply_header(reply, "Preference-Applied", "wait=%d", x->prefer.wait);
    return 0;
}

/* Puts members behind those of the object. */
static void result_add(struct buf *result, const char *name, const json_t *value)
{
    result->len--; /* the last brace */
    buf_printf(result, ",\"%s\":", name);
    jx_append(result, value);
    buf_append_char(result, '}');
}

/* What became of the chain's steps. When the store cannot say, the result is told without. */
static void result_add_steps(const struct execute *x, struct buf *result)
{
    jx_auto *execution = NULL;
    error_auto err = ERROR_INIT;
    if (chain_execution_get(x->follow->api->service, &x->follow->who, x->follow->id, &execution,
                            &err) < 0)
        return;
    result_add(result, "chainId", json_object_get(execution, "chainId"));
    result_add(result, "executionSteps", json_object_get(execution, "executionSteps"));
}

static int reply_result(struct execute *x, struct reply *reply)
{
    x->answered = true;
    reply->status = 200;
    reply->media = MEDIA_JSON;
    reply->text = x->follow->result;
    x->follow->result = (struct buf)BUF_INIT;
    if (x->warnings != NULL && reply->text.len > 0)
        result_add(&reply->text, "warnings", x->warnings);
    if (x->chain != NULL && reply->text.len > 0)
        result_add_steps(x, &reply->text);
    reply_names_execution(reply, x, x->follow->id);
    if (x->prefer.wait >= 0)
        reply_header(reply, "Preference-Applied", "wait=%d", x->prefer.wait);
    return 0;
}

static int reply_stream(struct execute *x, struct reply *reply)
{
    reply->status = 200;
    reply->media = MEDIA_EVENT_STREAM;
    reply_names_execution(reply, x, x->follow->id);
    reply->stream = move_ptr(&x->follow);
    return 0;
}

/* From startedAt to completedAt; 0 when it never started. */
static double milliseconds_between(const json_t *execution)
{
    const char *started = jx_str(execution, "startedAt", ""),
               *completed = jx_str(execution, "completedAt", "");
    int64_t from, to;
    if (clock_parse_rfc3339(started, strlen(started), &from) < 0 ||
        clock_parse_rfc3339(completed, strlen(completed), &to) < 0)
        return 0;
    return (double)(to - from) / 1000;
}

/* The specification's ExecutionResult from an execution as stored. */
static json_t *result_from_execution(const json_t *execution)
{
    static const char *const members[][2] = {
        {"id", "executionId"},
        {"status", "status"},
        {"errorMessage", "error"},
        {"errorCode", "errorCode"},
        {"errorDetails", "errorDetails"},
        {"resourceUsage", "resourceUsage"},
    };
    json_t *result = json_object();
    for (size_t i = 0; i < countof(members); i++) {
        json_t *value = json_object_get(execution, members[i][0]);
        if (value != NULL)
            json_object_set(result, members[i][1], value);
    }
    if (strcmp(jx_str(execution, "status", ""), "completed") == 0)
        json_object_set_new(result, "output",
                            json_incref(json_object_get(execution, "outputData")));
    json_object_set_new(result, "executionTime", json_real(milliseconds_between(execution)));
    return result;
}

static bool status_final(const char *status)
{
    return strcmp(status, "pending") != 0 && strcmp(status, "running") != 0;
}

/* For what no engine here tells about: 1 and the reply when it has ended, 0 when not. */
static int reply_from_store(struct request *request, struct execute *x, struct reply *reply,
                            struct error *err)
{
    jx_auto *execution = NULL;
    if (execution_get(request->api->service, &request->who, x->follow->id, &execution, err) < 0)
        return -1;
    if (!status_final(jx_str(execution, "status", "")))
        return 0;
    jx_auto *result = result_from_execution(execution);
    jx_append(&x->follow->result, result);
    reply_result(x, reply);
    return 1;
}

static int error_stopping(const struct execute *x, struct error *err)
{
    error_set(err, E_UNAVAILABLE,
              "the server is stopping; execution %s is kept and goes on after the next start",
              x->follow->id);
    error_detail(err, "executionId", json_string(x->follow->id));
    return -1;
}

/* ---- waiting ---- */

enum progress { PROGRESS_NONE, PROGRESS_DURABLE, PROGRESS_ENDED, PROGRESS_REFUSED };

static enum progress execute_progress(struct execute *x, struct error *err)
{
    struct follow *follow = x->follow;
    pthread_mutex_lock(&follow->waiter.lock);
    enum progress progress = follow->refused     ? PROGRESS_REFUSED
                             : !follow->accepted ? PROGRESS_NONE
                             : follow->ended     ? PROGRESS_ENDED
                                                 : PROGRESS_DURABLE;
    if (progress == PROGRESS_REFUSED)
        error_move(err, &follow->refusal);
    pthread_mutex_unlock(&follow->waiter.lock);
    return progress;
}

/* Called when it has started, and at every wake of the connection. */
static int execute_go_on(struct request *request, struct reply *reply, struct error *err)
{
    struct execute *x = request->state;
    bool streams = strcmp(request->accept, MEDIA_EVENT_STREAM) == 0;
    int64_t look = clock_monotonic_us() + LOOK_US;
    for (;;) {
        int64_t now = clock_monotonic_us();
        enum progress progress = execute_progress(x, err);
        if (progress == PROGRESS_REFUSED)
            return -1;
        if (follow_has_left(x->follow))
            x->follow->looked_at = 0;
        if (progress != PROGRESS_NONE && streams)
            return reply_stream(x, reply);
        if (progress == PROGRESS_ENDED && !x->prefer.respond_async && !x->later)
            return reply_result(x, reply);
        if (progress != PROGRESS_NONE && (x->prefer.respond_async || x->later || now >= x->until))
            return reply_accepted(x, reply);
        if (keeper_interrupted(request->api->keeper))
            return error_stopping(x, err);
        if (now >= x->follow->looked_at + LOOK_US && progress == PROGRESS_DURABLE) {
            x->follow->looked_at = now;
            int ended = reply_from_store(request, x, reply, err);
            if (ended != 0)
                return ended > 0 ? 0 : -1;
        }
        if (follow_client_left(x->follow))
            return error_set(err, E_UNAVAILABLE, "the client has gone");
        int64_t due = progress == PROGRESS_DURABLE && x->until < look ? x->until : look;
        if (x->follow->cancels && now + LEFT_US < due)
            due = now + LEFT_US;
        if (waiter_park(&x->follow->waiter, due, true))
            return HANDLER_PARKED;
    }
}

static struct execute *execute_new(struct request *request, struct MHD_Connection *connection)
{
    struct execute *x = xcalloc(1, sizeof(*x));
    bool streams = strcmp(request->accept, MEDIA_EVENT_STREAM) == 0;
    x->prefer.wait = -1;
    for (size_t i = 0; i < request->n_headers; i++)
        if (strcasecmp(request->headers[i].name, "Prefer") == 0)
            prefer_parse(request->headers[i].value, request->headers[i].value_len, &x->prefer);
    x->until =
        x->prefer.wait >= 0 ? clock_monotonic_us() + x->prefer.wait * CLOCK_SECOND : INT64_MAX;
    x->follow = follow_new(request->api, connection);
    x->follow->keeps_result = !streams;
    x->follow->cancels = strcmp(jx_str(request->body, "onDisconnect", "continue"), "cancel") == 0;
    x->follow->who = request->who;
    x->follow->who.claim = NULL;
    x->later = x->prefer.wait < 0 && (json_object_get(request->body, "delay") != NULL ||
                                      json_object_get(request->body, "startAt") != NULL);
    x->follow->wake_on_accept =
        streams || x->prefer.respond_async || x->later || x->prefer.wait >= 0;
    x->follow->watch.patient = !x->follow->wake_on_accept && !x->follow->cancels;
    x->follow->looked_at = clock_monotonic_us();
    return x;
}

/* ---- starting ---- */

/* The key's first answer says which execution it is: wait for that one. */
static int execute_again(struct request *request, struct execute *x, const char *location,
                         struct error *err)
{
    jx_auto *execution = NULL;
    const char *id = strrchr(location, '/');
    if (id == NULL || strlen(id + 1) != UUID_SIZE - 1)
        return error_set(err, E_INTERNAL, "the idempotency key's location '%s' is no execution",
                         location);
    if (execution_get(request->api->service, &request->who, id + 1, &execution, err) < 0)
        return -1;
    x->warnings = json_incref(json_object_get(execution, "warnings"));
    x->replayed = true;
    follow_watch(x->follow, id + 1);
    x->follow->looked_at = 0; /* it may have ended: look at once */
    return 0;
}

/* 0: it has started; 1: it had; IDEMPOTENCY_BUSY; -1. */
static int execute_start(struct request *request, struct execute *x, struct error *err)
{
    autofree char *note = NULL;
    if (x->chain != NULL &&
        chain_executable(request->api->service, &request->who, x->chain, err) < 0)
        return -1;
    x->follow->watching = true;
    const char *agent = x->chain != NULL ? x->chain : request_path(request, "agentId");
    if (execution_start_noted(request->api->service, &request->who, agent, request->body,
                              &x->follow->watch, x->follow->id, &note, err) < 0) {
        x->follow->watching = false;
        return -1;
    }
    if (note != NULL) {
        jx_auto *said = json_loads(note, 0, NULL);
        x->warnings = json_incref(json_object_get(said, "warnings"));
    }
    return 0;
}

static int execute_keyed(struct request *request, struct execute *x, struct error *err)
{
    struct stored_answer first = {0};
    struct idempotency *key = NULL;
    int seen = idempotency_begin_async(request, &x->line, &key, &first, err);
    if (seen == 1 &&
        execute_again(request, x, first.location != NULL ? first.location : "", err) < 0)
        seen = -1;
    stored_answer_clear(&first);
    if (seen != 0)
        return seen;
    x->follow->key = key;
    int started = execute_start(request, x, err);
    request->who.claim = NULL; /* the key may be gone by now */
    return started;
}

static int execute_begin(struct request *request, struct reply *reply, struct error *err)
{
    struct execute *x = request->state;
    for (;;) {
        int begun = execute_keyed(request, x, err);
        if (begun < 0)
            return -1;
        if (begun != IDEMPOTENCY_BUSY)
            break;
        if (keeper_interrupted(request->api->keeper))
            return error_set(err, E_UNAVAILABLE, "the server is stopping");
        if (waiter_park(&x->follow->waiter, INT64_MAX, true))
            return HANDLER_PARKED;
    }
    request->again = execute_go_on;
    return execute_go_on(request, reply, err);
}

int handle_execute(struct request *request, struct reply *reply, struct error *err)
{
    struct execute *x = execute_new(request, request->connection);
    x->chain = request_path(request, "chainId");
    request->state = x;
    request->state_free = execute_free;
    request->again = execute_begin;
    x->line.waiter = &x->follow->waiter;
    return execute_begin(request, reply, err);
}

/* ---- streaming what is there already ---- */

static int64_t stream_after(const struct request *request)
{
    const struct header *h = request_header(request, "Last-Event-ID");
    return h != NULL ? strtoll(h->value, NULL, 10) : jx_int(request->query, "lastEventId", 0);
}

int handle_execution_stream(struct request *request, struct reply *reply, struct error *err)
{
    const char *id = request_path(request, "executionId");
    bool ended;
    if (execution_check(request->api->service, &request->who, id, &ended, err) < 0)
        return -1;
    reply->status = 200;
    reply->media = MEDIA_EVENT_STREAM;
    reply_header(reply, "Content-Location", "/v1/executions/%s", id);
    if (request->head)
        return 0;
    reply->stream = follow_new(request->api, request->connection);
    reply->stream_after = stream_after(request);
    follow_watch(reply->stream, id);
    /* Looked at again, since it may have ended before it was watched. */
    if (execution_check(request->api->service, &request->who, id, &ended, err) < 0)
        return -1;
    if (ended) {
        follow_detach(reply->stream);
        reply->stream->ended = true;
    }
    return 0;
}
