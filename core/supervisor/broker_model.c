/* model.chat: the plugin translates, this file waits, retries and counts. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/engine-private.h"

enum {
    BACKOFF_US = 250000, /* first pause before a retry; doubled each time, with jitter */
    BACKOFF_MAX_US = 20000000,
    RETRY_AFTER_MAX_US = 120000000 /* a provider that asks for more is not waited for */
};

struct chat {
    struct effect *effect;
    struct provider *provider;
    struct chat *line_next, **line_place; /* waiting for the provider's concurrency */
    bool in_line, in_flight, streamed_any;
    int64_t attempt, retry_after;
    struct c9d_http_request request;
    bool has_request;
    struct fetch *fetch;
    struct c9d_reply *reply;
    size_t held;             /* bytes for this attempt's reply */
    struct loop_timer timer; /* a pause before a retry, or the delay of a local reply */
    bool stream, emit;
    /* What the reply said: */
    struct buf content;
    json_t *tool_calls;
    json_t *deltas; /* lengths of the pieces that the skill's callback saw: a replay cuts the text
                       alike */
    char *finish, *model;
    int64_t input_tokens, output_tokens;
    bool failed, retryable;
    struct error err;
};

static void chat_attempt(struct chat *chat);

static void chat_release(struct chat *chat);

/* ---- the plugin's sink ----------------------------------------------------------------------- */

static void sink_delta(void *arg, const char *text, size_t len)
{
    struct chat *chat = arg;
    if (len == 0) /* the wire has no empty DELTA */
        return;
    buf_append(&chat->content, text, len);
    if (!chat->stream && !chat->emit)
        return;
    chat->streamed_any = true;
    if (chat->stream)
        json_array_append_new(chat->deltas, json_integer((json_int_t)len));
    effect_delta(chat->effect, text, len, chat->stream, chat->emit);
}

static void sink_tool_call(void *arg, const char *id, const char *name, const char *arguments,
                           size_t len)
{
    struct chat *chat = arg;
    error_auto err = ERROR_INIT;
    json_t *decoded = jx_decode(arguments, len, "tool arguments", &err);
    json_t *call = json_pack("{ssss}", "id", id, "name", name);
    if (call == NULL) { /* not UTF-8 */
        json_decref(decoded);
        return;
    }
    /* A model can write arguments that are no JSON: the skill sees the text and what is wrong with
     * it. */
    if (decoded != NULL) {
        json_object_set_new(call, "arguments", decoded);
    } else {
        json_object_set_new(call, "arguments_text", json_stringn(arguments, len));
        json_object_set_new(call, "arguments_error", json_string(err.message));
    }
    json_array_append_new(chat->tool_calls, call);
}

/* What a provider says that was used: no less than nothing, and no more than can be added up over
 * all effects of an execution. */
#define TOKENS_MAX     INT64_C(1000000000000)
#define MICROCENTS_MAX (INT64_C(1) << 46) /* 700,000 dollars */

static int64_t usage_possible(int64_t said, int64_t most)
{
    return said < 0 ? 0 : said < most ? said : most;
}

static void sink_usage(void *arg, int64_t input, int64_t output)
{
    struct chat *chat = arg;
    chat->input_tokens = usage_possible(input, TOKENS_MAX);
    chat->output_tokens = usage_possible(output, TOKENS_MAX);
}

static void sink_finish(void *arg, const char *reason)
{
    struct chat *chat = arg;
    free(chat->finish);
    chat->finish = xstrdup(reason != NULL ? reason : "stop");
}

static void sink_model(void *arg, const char *name)
{
    struct chat *chat = arg;
    free(chat->model);
    chat->model = xstrdup_or_null(name);
}

static void sink_error(void *arg, int status, const char *message, int retry, int64_t retry_after)
{
    struct chat *chat = arg;
    if (chat->failed)
        return; /* the first one says why */
    chat->failed = true;
    chat->retryable = retry != 0;
    chat->retry_after = retry_after > 0 ? retry_after : 0;
    error_set(&chat->err, E_MODEL_FAILED, "%s: %s", model_name(chat->provider->model),
              message != NULL ? message : "the plugin gives no reason");
    error_detail(&chat->err, "status", json_integer(status));
}

/* The plugin has not kept its contract. */
static void plugin_failed(struct chat *chat, const char *what)
{
    if (chat->failed)
        return;
    chat->failed = true;
    error_set(&chat->err, E_MODEL_FAILED, "%s: the plugin %s", model_name(chat->provider->model),
              what);
}

/* ---- one attempt ----------------------------------------------------------------------------- */

static void attempt_clear(struct chat *chat)
{
    if (chat->fetch != NULL)
        fetch_cancel(chat->fetch);
    chat->fetch = NULL;
    if (chat->reply != NULL)
        model_ops(chat->provider->model)->reply_free(chat->reply);
    chat->reply = NULL;
    effect_release(chat->effect, chat->held);
    chat->held = 0;
    buf_free(&chat->content);
    json_decref(chat->tool_calls);
    json_decref(chat->deltas);
    chat->tool_calls = chat->deltas = NULL;
    free(chat->finish);
    free(chat->model);
    chat->finish = chat->model = NULL;
    chat->input_tokens = chat->output_tokens = 0;
    chat->failed = chat->retryable = false;
    chat->retry_after = 0;
}

static void chat_free(struct chat *chat)
{
    loop_timer_cancel(chat->effect->run->engine->loop, &chat->timer);
    attempt_clear(chat);
    chat_release(chat);
    if (chat->has_request)
        model_request_free(chat->provider->model, &chat->request);
    error_clear(&chat->err);
    free(chat);
}

static void chat_abort(struct effect *effect)
{
    const struct chat *chat = effect->state;
    effect_aborted(effect, chat->attempt);
    chat_free(effect->state);
}

static struct effect_cost chat_cost(const struct chat *chat)
{
    return (struct effect_cost){
        .api_calls = chat->attempt,
        .tokens = chat->input_tokens + chat->output_tokens,
        .cost_microcents = usage_possible(
            model_cost(chat->provider->model, chat->input_tokens, chat->output_tokens),
            MICROCENTS_MAX),
    };
}

static void chat_succeed(struct chat *chat)
{
    struct effect *effect = chat->effect;
    struct effect_cost cost = chat_cost(chat);
    const char *asked = jx_str(json_object_get(effect->request, "chat"), "model", "");
    json_t *answer =
        json_pack("{s:s%, s:s, s:s, s:{s:I, s:I}}", "content",
                  chat->content.data != NULL ? chat->content.data : "", chat->content.len,
                  "finish_reason", chat->finish != NULL ? chat->finish : "stop", "model",
                  chat->model != NULL ? chat->model : asked, "usage", "input_tokens",
                  (json_int_t)chat->input_tokens, "output_tokens", (json_int_t)chat->output_tokens);
    if (answer == NULL) {
        error_auto err = ERROR_INIT;
        error_set(&err, E_MODEL_FAILED, "%s: the reply is not UTF-8",
                  model_name(chat->provider->model));
        chat_free(chat);
        effect_refuse(effect, &err, &cost);
        return;
    }
    if (json_array_size(chat->tool_calls) > 0)
        json_object_set(answer, "tool_calls", chat->tool_calls);
    if (chat->stream)
        json_object_set(answer, "deltas", chat->deltas);
    chat_free(chat);
    effect_answer(effect, answer, &cost);
}

static void chat_fail(struct chat *chat)
{
    struct effect *effect = chat->effect;
    struct effect_cost cost = chat_cost(chat);
    error_auto err = ERROR_INIT;
    error_move(&err, &chat->err);
    error_detail(&err, "attempts", json_integer(chat->attempt));
    chat_free(chat);
    effect_refuse(effect, &err, &cost);
}

/* Once text has been streamed to someone, a second attempt would say it twice. */
static bool chat_may_retry(const struct chat *chat)
{
    return chat->retryable && !chat->streamed_any && chat->retry_after <= RETRY_AFTER_MAX_US &&
           chat->attempt < model_limits(chat->provider->model)->attempts;
}

static int64_t chat_pause(const struct chat *chat)
{
    int64_t pause = BACKOFF_US;
    for (int64_t i = 1; i < chat->attempt && pause < BACKOFF_MAX_US; i++)
        pause *= 2;
    uint32_t random;
    hash_random(&random, sizeof(random));
    pause = pause / 2 + (int64_t)(random % (uint64_t)(pause / 2 + 1));
    return chat->retry_after > pause ? chat->retry_after : pause;
}

static void retry_fire(struct loop_timer *timer)
{
    chat_attempt(timer->arg);
}

static void chat_attempt_over(struct chat *chat)
{
    if (chat->finish == NULL)
        plugin_failed(chat, "did not say how the reply ended");
    if (!chat->failed) {
        chat_succeed(chat);
    } else if (!chat_may_retry(chat)) {
        chat_fail(chat);
    } else {
        int64_t pause = chat_pause(chat);
        log_info("model.retry", "%s; attempt %ld follows in %ld ms", chat->err.message,
                 (long)chat->attempt + 1, (long)(pause / 1000));
        attempt_clear(chat);
        chat->timer.fn = retry_fire;
        loop_timer_set(chat->effect->run->engine->loop, &chat->timer, pause);
    }
}

static void fetched_status(void *arg, int status)
{
    struct chat *chat = arg;
    model_ops(chat->provider->model)->reply_status(chat->reply, status);
}

static void fetched_header(void *arg, const char *name, const char *value)
{
    struct chat *chat = arg;
    model_ops(chat->provider->model)->reply_header(chat->reply, name, value);
}

/* Held twice: what the plugin keeps until it is whole, and what it made of it. */
static int fetched_data(void *arg, const char *data, size_t len)
{
    struct chat *chat = arg;
    error_auto err = ERROR_INIT;
    if (effect_hold(chat->effect, 2 * len, "a model's reply", &err) < 0) {
        chat->failed = true;
        chat->retryable = false;
        error_clear(&chat->err);
        error_move(&chat->err, &err);
        return -1;
    }
    chat->held += 2 * len;
    if (model_ops(chat->provider->model)->reply_feed(chat->reply, data, len) >= 0)
        return 0;
    plugin_failed(chat, "stopped reading and did not say why");
    return -1;
}

static void fetched(void *arg, struct error *err)
{
    struct chat *chat = arg;
    chat->fetch = NULL;
    if (err == NULL) {
        model_ops(chat->provider->model)->reply_end(chat->reply);
    } else if (!chat->failed) {
        chat->failed = chat->retryable = true;
        error_set(&chat->err, E_MODEL_FAILED, "%s: %s", model_name(chat->provider->model),
                  err->message);
    }
    chat_attempt_over(chat);
}

/* A plugin that needs no network: its body is the reply. */
static void local_fire(struct loop_timer *timer)
{
    struct chat *chat = timer->arg;
    const struct c9d_model_ops *ops = model_ops(chat->provider->model);
    ops->reply_status(chat->reply, 200);
    if (fetched_data(chat, chat->request.body, chat->request.body_len) >= 0)
        ops->reply_end(chat->reply);
    chat_attempt_over(chat);
}

static void chat_attempt(struct chat *chat)
{
    struct engine *engine = chat->effect->run->engine;
    struct c9d_model_sink sink = {chat,        sink_delta, sink_tool_call, sink_usage,
                                  sink_finish, sink_model, sink_error};
    error_clear(&chat->err);
    chat->attempt++;
    chat->tool_calls = json_array();
    chat->deltas = json_array();
    chat->reply = model_reply_new(chat->provider->model, &sink);
    if (chat->reply == NULL) {
        plugin_failed(chat, "takes no reply");
        chat_attempt_over(chat);
        return;
    }
    if (chat->request.url == NULL) {
        chat->timer.fn = local_fire;
        loop_timer_set(engine->loop, &chat->timer, chat->request.delay);
        return;
    }
    struct fetch_spec spec = {
        .method = chat->request.method != NULL ? chat->request.method : "POST",
        .url = chat->request.url,
        .n_headers = chat->request.n_headers,
        .body = chat->request.body,
        .body_len = chat->request.body_len,
        .timeout_us = model_limits(chat->provider->model)->timeout_us,
        .status = fetched_status,
        .header = fetched_header,
        .data = fetched_data,
        .done = fetched,
        .arg = chat,
    };
    struct fetch_header headers[64];
    char key[UUID_SIZE];
    if (spec.n_headers > countof(headers) - 1)
        spec.n_headers = countof(headers) - 1;
    for (size_t i = 0; i < spec.n_headers; i++)
        headers[i] =
            (struct fetch_header){chat->request.headers[i].name, chat->request.headers[i].value};
    /* A provider that knows it answers what is asked again in another life from what it answered.
     */
    effect_key(chat->effect, chat->attempt, key);
    headers[spec.n_headers++] = (struct fetch_header){"Idempotency-Key", key};
    spec.headers = headers;
    chat->fetch = fetch_start(engine->model_fetcher, &spec, &chat->err);
    if (chat->fetch == NULL) {
        chat->failed = true;
        chat_attempt_over(chat);
    }
}

/* ---- the provider's concurrency -------------------------------------------------------------- */

static void line_remove(struct chat *chat)
{
    *chat->line_place = chat->line_next;
    if (chat->line_next != NULL)
        chat->line_next->line_place = chat->line_place;
    else
        chat->provider->line_end = chat->line_place;
    chat->in_line = false;
}

static void chat_release(struct chat *chat)
{
    struct provider *p = chat->provider;
    if (chat->in_line)
        line_remove(chat);
    if (!chat->in_flight)
        return;
    chat->in_flight = false;
    p->in_flight--;
    struct chat *first = p->line;
    if (first == NULL)
        return;
    line_remove(first);
    first->in_flight = true;
    p->in_flight++;
    first->timer.fn = retry_fire; /* on a turn of its own: we may be deep in another's end */
    loop_timer_set(first->effect->run->engine->loop, &first->timer, 0);
}

static void chat_queue(struct chat *chat)
{
    struct provider *p = chat->provider;
    if (p->in_flight < model_limits(p->model)->concurrency) {
        chat->in_flight = true;
        p->in_flight++;
        chat_attempt(chat);
        return;
    }
    chat->in_line = true;
    chat->line_place = p->line_end;
    *p->line_end = chat;
    p->line_end = &chat->line_next;
}

/* ---- the request ----------------------------------------------------------------------------- */

static struct provider *provider_find(struct engine *engine, const char *name)
{
    for (size_t i = 0; i < engine->parts.n_models; i++)
        if (strcmp(model_name(engine->providers[i].model), name) == 0)
            return &engine->providers[i];
    return NULL;
}

static void rehearse(struct effect *effect)
{
    json_t *reply = effect_rehearsed(effect, "model");
    if (reply == NULL)
        return;
    static const struct {
        const char *member, *otherwise;
    } required[] = {{"content", ""}, {"finish_reason", "stop"}, {"model", "recorded"}};
    for (size_t i = 0; i < countof(required); i++)
        if (json_object_get(reply, required[i].member) == NULL)
            json_object_set_new(reply, required[i].member, json_string(required[i].otherwise));
    if (json_object_get(reply, "usage") == NULL)
        json_object_set_new(reply, "usage",
                            json_pack("{sisi}", "input_tokens", 0, "output_tokens", 0));
    size_t len = json_string_length(json_object_get(reply, "content"));
    if (len > 0 &&
        (jx_bool(effect->request, "stream", false) || jx_bool(effect->request, "emit", false)))
        effect_delta(effect, jx_str(reply, "content", ""), len,
                     jx_bool(effect->request, "stream", false),
                     jx_bool(effect->request, "emit", false));
    effect_answer(effect, reply, &(struct effect_cost){.api_calls = 1});
}

/* The plugin gets the chat with `stream` set, the provider's model, and no more tokens than the
 * budget has left. */
static int chat_translate(struct chat *chat, struct error *err)
{
    struct run *run = chat->effect->run;
    json_t *given = json_object_get(chat->effect->request, "chat");
    if (!json_is_object(given) || !json_is_array(json_object_get(given, "messages")))
        return error_set(err, E_INVALID_REQUEST, "c9.model.chat: messages must be a list");
    jx_auto *copy = json_copy(given);
    const char *model = model_limits(chat->provider->model)->default_model;
    if (json_object_get(copy, "model") == NULL && model != NULL)
        json_object_set_new(copy, "model", json_string(model));
    json_object_set_new(copy, "stream", json_boolean(chat->stream || chat->emit));
    int64_t left = run_left(run).tokens;
    if (left < jx_int(copy, "max_tokens", INT64_MAX))
        json_object_set_new(copy, "max_tokens", json_integer(left));
    size_t len;
    autofree char *text = jx_encode(copy, &len);
    if (model_request(chat->provider->model, text, len, &chat->request, err) < 0)
        return -1;
    chat->has_request = true;
    /* libcurl has a copy of the body. */
    return effect_hold(chat->effect, 2 * chat->request.body_len, "a request to a model", err);
}

void broker_model_begin(struct effect *effect)
{
    struct engine *engine = effect->run->engine;
    error_auto err = ERROR_INIT;
    if (effect->run->rehearsal != NULL) {
        rehearse(effect);
        return;
    }
    const char *name = jx_str(effect->request, "provider", "default");
    struct provider *provider = provider_find(engine, name);
    if (provider == NULL) {
        error_set(
            &err, E_MODEL_FAILED,
            "no model provider '%.100s' is configured: add [model %.100s] to the configuration",
            name, name);
        effect_refuse(effect, &err, NULL);
        return;
    }
    struct chat *chat = xcalloc(1, sizeof(*chat));
    chat->effect = effect;
    chat->provider = provider;
    chat->timer.arg = chat;
    chat->stream = jx_bool(effect->request, "stream", false);
    chat->emit = jx_bool(effect->request, "emit", false);
    effect->state = chat;
    effect->abort = chat_abort;
    if (chat_translate(chat, &err) < 0) {
        chat_free(chat);
        effect_refuse(effect, &err, NULL);
        return;
    }
    chat_queue(chat);
}
