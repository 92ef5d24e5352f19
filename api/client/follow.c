#include "client/follow.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/uuid.h"
#include "client/format.h"
#include "client/sse.h"
#include "client/term.h"

enum {
    RETRY_FIRST_MS = 250,
    RETRY_MOST_MS = 4000,
    AWAY_MOST_S = 60, /* a server that restarts is back by then */
    CANCEL_SECONDS = 20
};

struct follow {
    struct client *client;
    const struct follow_options *options;
    struct sse sse;
    char id[UUID_SIZE]; /* "" until it is known */
    int64_t last;       /* number of the last event, 0 before the first */
    int64_t heard_at;   /* monotonic, when bytes last came */
    json_t *end;        /* the end event, or an ExecutionResult: NULL until it ends */
    bool began;         /* the server took it */
    bool in_delta;      /* the cursor is behind a piece of model output */
    bool cancel_sent;
};

/* ---- Ctrl-C ---- */

static volatile sig_atomic_t interrupts;

static void on_interrupt(int sig)
{
    (void)sig;
    interrupts = interrupts + 1;
}

/* Without SA_RESTART: what waits is to wake up. */
static void interrupts_watch(struct sigaction *was_r)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigemptyset(&action.sa_mask);
    interrupts = 0;
    sigaction(SIGINT, &action, was_r);
}

/* ---- what is shown ---- */

static void show(struct follow *f, const struct buf *line)
{
    if (f->in_delta)
        term_write(STDERR_FILENO, "\n", 1);
    f->in_delta = false;
    term_write(STDERR_FILENO, line->data, line->len);
}

__attribute__((format(printf, 3, 4))) static void show_note(struct follow *f, enum term_style style,
                                                            const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buf_auto line = BUF_INIT;
    buf_append_str(&line, term_style(STDERR_FILENO, style));
    term_escape(&line, text, strlen(text), TERM_TEXT);
    buf_printf(&line, "%s\n", term_style(STDERR_FILENO, TERM_PLAIN));
    show(f, &line);
}

static const struct level {
    const char *name;
    enum term_style style;
} levels[] = {{"debug", TERM_DIM}, {"info", TERM_BLUE}, {"warn", TERM_YELLOW}, {"error", TERM_RED}};

void follow_format_log(struct buf *out, const json_t *record, int fd)
{
    const char *level = jx_str(record, "level", "info"), *time = jx_str(record, "timestamp", "");
    enum term_style style = TERM_PLAIN;
    for (size_t i = 0; i < countof(levels); i++)
        if (strcmp(levels[i].name, level) == 0)
            style = levels[i].style;
    int64_t us;
    if (clock_parse_rfc3339(time, strlen(time), &us) == 0) {
        char text[CLOCK_RFC3339_SIZE];
        clock_format_rfc3339(us, text);
        buf_printf(out, "%s%.12s%s ", term_style(fd, TERM_DIM), text + 11,
                   term_style(fd, TERM_PLAIN));
    }
    buf_auto name = BUF_INIT;
    term_escape(&name, level, strlen(level), TERM_CELL);
    buf_printf(out, "%s%-5s%s ", style != TERM_PLAIN ? term_style(fd, style) : "", name.data,
               style != TERM_PLAIN ? term_style(fd, TERM_PLAIN) : "");
    const char *message = jx_str(record, "message", "");
    term_escape(out, message, strlen(message), TERM_TEXT);
    const json_t *metadata = json_object_get(record, "metadata");
    if (json_object_size(metadata) > 0) {
        buf_printf(out, " %s", term_style(fd, TERM_DIM));
        format_text(out, metadata);
        buf_append_str(out, term_style(fd, TERM_PLAIN));
    }
    buf_append_char(out, '\n');
}

/* ---- events ---- */

static void event_execution(struct follow *f, const json_t *data)
{
    const char *id = jx_str(data, "executionId", "");
    if (!uuid_valid(id, strlen(id)) || f->id[0] != '\0')
        return;
    memcpy(f->id, id, sizeof(f->id));
    show_note(f, TERM_DIM, "execution %s", f->id);
}

/* Between attempts: what went wrong, and for how long there is a pause. */
static void show_pause(struct follow *f, const json_t *data, const char *at)
{
    const json_t *error = json_object_get(data, "lastError");
    int64_t us;
    buf_auto when = BUF_INIT;
    if (clock_parse_rfc3339(at, strlen(at), &us) == 0)
        format_relative(&when, us, clock_wall_us());
    show_note(f, TERM_YELLOW, "%s: %s; attempt %lld of %lld comes %s",
              jx_str(error, "code", "it failed"), jx_str(error, "message", "no reason was given"),
              (long long)jx_int(data, "attempt", 0), (long long)jx_int(data, "maxAttempts", 0),
              when.len > 0 ? when.data : at);
}

static void event_status(struct follow *f, const json_t *data)
{
    const char *next = jx_str(data, "nextAttemptAt", NULL);
    if (next != NULL)
        show_pause(f, data, next);
    else
        show_note(f, TERM_DIM, "%s", jx_str(data, "status", "?"));
}

/* A line when it begins; another one when it failed, or took so long that one asks. */
static void event_step(struct follow *f, const json_t *data)
{
    enum { LONG_MS = 1000 };
    const char *state = jx_str(data, "state", ""), *kind = jx_str(data, "kind", "?");
    long long step = (long long)jx_int(data, "step", 0);
    buf_auto took = BUF_INIT;
    bool failed = strcmp(state, "failed") == 0;
    format_duration(&took, json_object_get(data, "tookMs"));
    if (strcmp(state, "started") == 0)
        show_note(f, TERM_DIM, "step %lld: %s", step, kind);
    else if (failed || jx_int(data, "tookMs", 0) >= LONG_MS)
        show_note(f, failed ? TERM_YELLOW : TERM_DIM, "step %lld: %s %s %s", step, kind,
                  failed ? "failed after" : "took", took.len > 0 ? took.data : "a while");
}

static void event_usage(struct follow *f, const json_t *data)
{
    buf_auto usage = BUF_INIT;
    format_usage(&usage, data);
    show_note(f, TERM_DIM, "so far: %s", usage.len > 0 ? usage.data : "nothing");
}

static void event_log(struct follow *f, const json_t *data)
{
    buf_auto line = BUF_INIT;
    follow_format_log(&line, data, STDERR_FILENO);
    show(f, &line);
}

static void event_delta(struct follow *f, const json_t *data)
{
    const char *text = jx_str(data, "text", "");
    buf_auto shown = BUF_INIT;
    term_escape(&shown, text, strlen(text), TERM_TEXT);
    if (shown.len == 0)
        return;
    term_write(STDERR_FILENO, shown.data, shown.len);
    f->in_delta = shown.data[shown.len - 1] != '\n';
}

/* What a chain says of its steps. */
static void chain_step(struct follow *f, const json_t *step)
{
    buf_auto line = BUF_INIT;
    const json_t *why = json_object_get(step, "reason"), *error = json_object_get(step, "error");
    long long attempt = (long long)jx_int(step, "attempt", 1);
    buf_append_str(&line, "chain step ");
    format_text(&line, json_object_get(step, "id"));
    buf_append_str(&line, ": ");
    format_text(&line, json_object_get(step, "status"));
    if (attempt > 1)
        buf_printf(&line, ", attempt %lld", attempt);
    if (error != NULL || why != NULL)
        buf_append_str(&line, ": ");
    format_text(&line, error != NULL ? json_object_get(error, "message") : why);
    if (jx_bool(step, "willRetry", false))
        buf_append_str(&line, "; it is tried again");
    show_note(f, error != NULL ? TERM_YELLOW : TERM_DIM, "%s", line.data);
}

static void event_emit(struct follow *f, const json_t *data)
{
    buf_auto line = BUF_INIT;
    const json_t *value = json_object_get(data, "value");
    if (json_is_object(json_object_get(value, "chainStep"))) {
        chain_step(f, json_object_get(value, "chainStep"));
        return;
    }
    buf_printf(&line, "%semit%s  ", term_style(STDERR_FILENO, TERM_GREEN),
               term_style(STDERR_FILENO, TERM_PLAIN));
    format_text(&line, value != NULL ? value : data);
    buf_append_char(&line, '\n');
    show(f, &line);
}

static void event_end(struct follow *f, const json_t *data)
{
    f->end = json_incref((json_t *)data);
}

static const struct event_row {
    const char *type;
    void (*take)(struct follow *f, const json_t *data);
    bool always; /* also when quiet, and without a number of its own */
} events[] = {
    {"execution", event_execution, true},
    {"status", event_status, false},
    {"step", event_step, false},
    {"usage", event_usage, false},
    {"log", event_log, false},
    {"delta", event_delta, false},
    {"emit", event_emit, false},
    {"end", event_end, true},
};

/* Whether the event was seen before the connection broke. */
static bool seen(struct follow *f, const struct sse_event *event)
{
    char *end;
    errno = 0;
    long long number = event->own_id ? strtoll(event->id, &end, 10) : 0;
    if (number <= 0 || errno != 0 || *end != '\0')
        return false;
    if (number <= f->last)
        return true;
    f->last = number;
    return false;
}

static int on_event(void *arg, const struct sse_event *event, struct error *err)
{
    struct follow *f = arg;
    const struct event_row *row = NULL;
    for (size_t i = 0; i < countof(events); i++)
        if (strcmp(events[i].type, event->type) == 0)
            row = &events[i];
    if (seen(f, event) || row == NULL || f->end != NULL || (f->options->quiet && !row->always))
        return 0; /* types that later servers send are passed over */
    json_error_t where;
    jx_auto *data = json_loadb(event->data, event->len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(data))
        return error_set(
            err, E_INVALID_REQUEST,
            "the server sent a '%s' event that is no JSON object: it is not c9d, or of "
            "another version",
            event->type);
    row->take(f, data);
    return 0;
}

static int on_data(void *arg, const char *bytes, size_t len, struct error *err)
{
    struct follow *f = arg;
    f->began = true;
    f->heard_at = clock_monotonic_us();
    return sse_feed(&f->sse, bytes, len, on_event, f, err);
}

/* ---- cancelling ---- */

static int no_data(void *arg, const char *bytes, size_t len, struct error *err)
{
    (void)arg, (void)bytes, (void)len;
    return error_set(err, E_INVALID_REQUEST, "a stream in answer to a cancellation");
}

static bool not_twice(void *arg)
{
    (void)arg;
    return interrupts < 2;
}

/* By a connection of its own: the other one is held by the stream. */
static void cancel(struct follow *f)
{
    error_auto err = ERROR_INIT;
    http_reply_auto reply = {0};
    struct http *http = http_new(&f->client->profile);
    autofree char *path = xasprintf("/v1/executions/%s/cancel", f->id);
    const struct http_listener listener = {no_data, not_twice, NULL};
    f->cancel_sent = true;
    show_note(f, TERM_YELLOW, "cancelling; Ctrl-C once more leaves without waiting for the end");
    int rc = http_send(
        http, &(struct http_request){.method = "POST", .path = path, .timeout_s = CANCEL_SECONDS},
        &listener, &reply, &err);
    if (rc < 0 && err.code != E_CANCELLED)
        client_fail(f->client, &err);
    else if (rc == 0 && reply.status != 409) /* 409: it has ended meanwhile */
        client_reply(f->client, &reply, NULL);
    http_free(http);
}

static bool on_idle(void *arg)
{
    struct follow *f = arg;
    if (interrupts > 0 && !f->cancel_sent && f->id[0] != '\0' && f->end == NULL)
        cancel(f);
    return interrupts < 2;
}

/* ---- the outcome ---- */

static int outcome_exit(const char *status)
{
    return strcmp(status, "completed") == 0   ? EXIT_DONE
           : strcmp(status, "cancelled") == 0 ? EXIT_CANCELLED
                                              : EXIT_FAILED;
}

/* The end event in the shape of an ExecutionResult. */
static json_t *outcome_result(struct follow *f)
{
    json_t *result = json_object();
    static const char *const same[] = {"status", "output", "executionTime", "resourceUsage"};
    const json_t *error = json_object_get(f->end, "error");
    json_object_set_new(result, "executionId", json_string(f->id));
    for (size_t i = 0; i < countof(same); i++)
        if (json_object_get(f->end, same[i]) != NULL)
            json_object_set(result, same[i], json_object_get(f->end, same[i]));
    if (json_is_object(error)) {
        json_object_set(result, "error", json_object_get(error, "message"));
        json_object_set(result, "errorCode", json_object_get(error, "code"));
        json_object_set(result, "errorDetails", (json_t *)error);
    } else if (error != NULL) {
        static const char *const flat[] = {"error", "errorCode", "errorDetails"};
        for (size_t i = 0; i < countof(flat); i++)
            json_object_set(result, flat[i], json_object_get(f->end, flat[i]));
    }
    return result;
}

/* Text as it is, so that it can go into a file; the rest as JSON. */
static int output_print(const json_t *output)
{
    if (!json_is_string(output))
        return client_print_json(output);
    buf_auto text = BUF_INIT;
    const char *s = json_string_value(output);
    size_t len = json_string_length(output);
    if (term_is_tty(STDOUT_FILENO))
        term_escape(&text, s, len, TERM_TEXT);
    else
        buf_append(&text, s, len);
    if (len > 0 && s[len - 1] != '\n')
        buf_append_char(&text, '\n');
    return client_print(&text);
}

static void failure_show(struct follow *f, const json_t *result)
{
    const json_t *details = json_object_get(result, "errorDetails");
    const char *traceback = jx_str(details, "traceback", NULL),
               *code = jx_str(result, "errorCode", NULL);
    buf_auto line = BUF_INIT;
    size_t i;
    json_t *problem;
    buf_printf(&line, "%s", term_style(STDERR_FILENO, TERM_RED));
    format_text(&line, json_object_get(result, "errorCode"));
    buf_printf(&line, "%s%s", term_style(STDERR_FILENO, TERM_PLAIN), code != NULL ? ": " : "");
    const char *message = jx_str(result, "error", "no reason was given");
    term_escape(&line, message, strlen(message), TERM_TEXT);
    buf_append_char(&line, '\n');
    json_array_foreach (json_object_get(json_object_get(details, "details"), "validationErrors"), i,
                        problem) {
        buf_append_str(&line, "  ");
        format_text(&line, json_object_get(problem, "path"));
        buf_append_str(&line, ": ");
        format_text(&line, json_object_get(problem, "message"));
        buf_append_char(&line, '\n');
    }
    if (traceback != NULL) {
        term_escape(&line, traceback, strlen(traceback), TERM_TEXT);
        buf_append_char(&line, '\n');
    }
    show(f, &line);
}

static int outcome_show(struct follow *f)
{
    jx_auto *result = outcome_result(f);
    const char *status = jx_str(result, "status", "failed");
    int code = outcome_exit(status);
    if (f->client->json) {
        int rc = client_print_json(result);
        return rc != EXIT_DONE ? rc : code;
    }
    if (code == EXIT_FAILED)
        failure_show(f, result);
    buf_auto usage = BUF_INIT;
    const json_t *took = json_object_get(result, "executionTime");
    if (took != NULL) {
        buf_append_str(&usage, " in ");
        format_duration(&usage, took);
    }
    buf_append_str(&usage, ": ");
    format_usage(&usage, json_object_get(result, "resourceUsage"));
    show_note(f,
              code == EXIT_DONE        ? TERM_GREEN
              : code == EXIT_CANCELLED ? TERM_YELLOW
                                       : TERM_RED,
              "%s%s", status, usage.data);
    const json_t *output = json_object_get(result, "output");
    int rc = output != NULL ? output_print(output) : EXIT_DONE;
    return rc != EXIT_DONE ? rc : code;
}

/* ---- the loop ---- */

static int leave(struct follow *f)
{
    if (f->id[0] != '\0')
        show_note(f, TERM_YELLOW, "left; to see how it ends: c9ctl execution follow %s", f->id);
    else
        term_say("left before the server answered");
    return EXIT_LEFT;
}

static int give_up(struct follow *f, const struct error *err)
{
    client_fail(f->client, err);
    if (f->id[0] != '\0')
        show_note(f, TERM_YELLOW, "it goes on without us: c9ctl execution follow %s", f->id);
    return EXIT_UNREACHABLE;
}

static int send_once(struct follow *f, const struct http_request *begin, struct http_reply *reply,
                     struct error *err)
{
    autofree char *path = NULL, *resume = NULL;
    struct http_request request = {.method = "GET", .accept = "text/event-stream"};
    const struct http_listener listener = {on_data, on_idle, f};
    sse_restart(&f->sse);
    if (f->id[0] == '\0')
        return http_send(f->client->http, begin, &listener, reply, err);
    path = xasprintf("/v1/executions/%s/stream", f->id);
    request.path = path;
    if (f->last > 0) {
        resume = xasprintf("Last-Event-ID: %lld", (long long)f->last);
        request.headers[0] = resume;
    }
    return http_send(f->client->http, &request, &listener, reply, err);
}

static bool may_pass(long status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

/* An answer that is no stream: the result itself, or that it was accepted, or a problem. */
static int take_reply(struct follow *f, const struct http_reply *reply)
{
    jx_auto *json = NULL;
    int rc = client_reply(f->client, reply, &json);
    if (rc != EXIT_DONE)
        return rc;
    f->began = true;
    event_execution(f, json);
    if (reply->status == 200)
        f->end = move_ptr(&json);
    return EXIT_DONE;
}

static void wait_ms(struct follow *f, int ms)
{
    if (ms > 0 && interrupts < 2)
        poll(NULL, 0, ms);
    on_idle(f);
}

/* Said behind the events, where it is read. */
static void show_deprecation(struct follow *f, const struct http_reply *reply)
{
    if (reply->deprecation[0] != '\0' && !f->options->quiet)
        show_note(f, TERM_YELLOW, "what runs is deprecated%s%s",
                  reply->sunset[0] != '\0' ? "; it is to run until " : "", reply->sunset);
}

static int follow_loop(struct follow *f, const struct http_request *begin)
{
    int pause = RETRY_FIRST_MS;
    bool said = false, sent = false;
    int64_t broke_at = 0;
    for (;;) {
        error_auto err = ERROR_INIT;
        http_reply_auto reply = {0};
        int64_t heard = f->heard_at;
        int rc = send_once(f, begin, &reply, &err);
        sent = sent || reply.sent;
        show_deprecation(f, &reply);
        if (f->end != NULL)
            return EXIT_DONE;
        if (interrupts >= 2)
            return leave(f);
        if (rc < 0 && err.code != E_UNAVAILABLE)
            return give_up(f, &err);
        bool stream =
            rc == 0 && reply.status == 200 && strncasecmp(reply.type, "text/event-stream", 17) == 0;
        if (rc == 0 && !stream && !(f->began && may_pass(reply.status))) {
            int code = take_reply(f, &reply);
            if (code != EXIT_DONE || f->end != NULL)
                return code;
            continue;
        }
        if (rc == 0)
            error_set(&err, E_UNAVAILABLE,
                      "the server ended the stream before the execution's end");
        /* Counted from the break: a stream that fell silent was noticed late. */
        bool progress = f->heard_at != heard;
        int64_t now = clock_monotonic_us();
        broke_at = progress || broke_at == 0 ? now : broke_at;
        if (!sent || now - broke_at > AWAY_MOST_S * CLOCK_SECOND)
            return give_up(f, &err);
        if (!said && !f->options->quiet)
            show_note(f, TERM_DIM, "the connection broke; trying again for %d s", AWAY_MOST_S);
        said = !progress;
        pause = progress ? RETRY_FIRST_MS : pause * 2 < RETRY_MOST_MS ? pause * 2 : RETRY_MOST_MS;
        wait_ms(f, pause);
    }
}

int follow_run(struct client *client, const struct http_request *begin, const char *id,
               const struct follow_options *options)
{
    struct follow f = {
        .client = client, .options = options, .sse = SSE_INIT, .heard_at = clock_monotonic_us()};
    struct sigaction was;
    if (id != NULL)
        snprintf(f.id, sizeof(f.id), "%s", id);
    interrupts_watch(&was);
    int rc = follow_loop(&f, begin);
    if (rc == EXIT_DONE && f.end != NULL)
        rc = outcome_show(&f);
    sigaction(SIGINT, &was, NULL);
    sse_free(&f.sse);
    json_decref(f.end);
    return rc;
}
