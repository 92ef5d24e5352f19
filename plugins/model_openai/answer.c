/* Completions of many servers. What differs: the text may be null, a string or parts; the calls may
 * lack ids or indices or have objects for arguments; the reason may be missing or go by other
 * names. */
#include "answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TOKENS_MAX INT64_C(1000000000000)

void answer_free(struct answer *answer)
{
    for (size_t i = 0; i < answer->n_calls; i++)
        text_free(&answer->calls[i].arguments);
    free(answer->calls);
}

/* ---- text ------------------------------------------------------------------------------------ */

/* NULs are dropped: neither SQL nor JSON decoders further on take them. */
static void text_tell(struct answer *answer, const json_t *string)
{
    const char *text = json_string_value(string), *end = text + json_string_length(string);
    while (text < end) {
        const char *nul = memchr(text, '\0', (size_t)(end - text));
        const char *stop = nul != NULL ? nul : end;
        if (stop > text)
            answer->sink.delta(answer->sink.arg, text, (size_t)(stop - text));
        text = stop + 1;
    }
}

static void content_take(struct answer *answer, const json_t *content)
{
    if (json_is_string(content)) {
        text_tell(answer, content);
        return;
    }
    size_t i;
    json_t *part;
    json_array_foreach (content, i, part) {
        const json_t *text = json_object_get(part, "text");
        if (json_is_string(text))
            text_tell(answer, text);
    }
}

/* ---- tool calls ------------------------------------------------------------------------------ */

static int out_of_memory(struct failure *failure)
{
    failure_set(failure, 0, true, "out of memory for the model's reply");
    return -1;
}

static struct answer_call *call_new(struct answer *answer, int64_t index, struct failure *failure)
{
    if (answer->n_calls == ANSWER_CALLS_MAX) {
        failure_set(failure, 0, false, "the model asks for more than %d tool calls at once",
                    ANSWER_CALLS_MAX);
        return NULL;
    }
    if (answer->calls == NULL)
        answer->calls = calloc(ANSWER_CALLS_MAX, sizeof(*answer->calls));
    if (answer->calls == NULL) {
        out_of_memory(failure);
        return NULL;
    }
    struct answer_call *call = &answer->calls[answer->n_calls++];
    call->index = index;
    return call;
}

/* The call that a delta belongs to. Deltas of one call share the index; some servers give every
 * call index 0 or none, and then another id says that it is another call. */
static struct answer_call *call_find(struct answer *answer, const json_t *delta, const char *id,
                                     struct failure *failure)
{
    const json_t *number = json_object_get(delta, "index");
    bool numbered = json_is_integer(number);
    size_t n = answer->calls != NULL ? answer->n_calls : 0;
    struct answer_call *last = n > 0 ? &answer->calls[n - 1] : NULL;
    int64_t index = numbered ? json_integer_value(number) : last != NULL ? last->index : 0;
    for (size_t i = n; i-- > 0;) {
        struct answer_call *call = &answer->calls[i];
        if (call->index != index)
            continue;
        bool other = id[0] != '\0' && call->id[0] != '\0' && strcmp(id, call->id) != 0;
        return other ? call_new(answer, index, failure) : call;
    }
    return call_new(answer, index, failure);
}

static int arguments_take(struct answer_call *call, const json_t *arguments,
                          struct failure *failure)
{
    bool added = true;
    if (json_is_string(arguments)) {
        added = text_append(&call->arguments, json_string_value(arguments),
                            json_string_length(arguments));
    } else if (arguments != NULL && !json_is_null(arguments) && call->arguments.len == 0) {
        char *text = json_dumps(arguments, JSON_COMPACT | JSON_ENCODE_ANY);
        added = text != NULL && text_append(&call->arguments, text, strlen(text));
        free(text);
    }
    return added ? 0 : out_of_memory(failure);
}

/* Names come whole in the first delta, or again in each, or in pieces. */
static int name_take(struct answer_call *call, const char *name, struct failure *failure)
{
    size_t have = strlen(call->name), more = name != NULL ? strlen(name) : 0;
    if (more == 0 || strcmp(call->name, name) == 0)
        return 0;
    if (have + more >= sizeof(call->name)) {
        failure_set(failure, 0, false, "the model asks for a tool with a name over %d bytes",
                    ANSWER_NAME_MAX - 1);
        return -1;
    }
    memcpy(call->name + have, name, more + 1);
    return 0;
}

static int call_take(struct answer_call *call, const char *id, const json_t *function,
                     struct failure *failure)
{
    if (id[0] != '\0' && call->id[0] == '\0') {
        size_t len = strlen(id);
        if (len >= sizeof(call->id)) {
            failure_set(failure, 0, false, "a tool call has an id over %d bytes",
                        ANSWER_NAME_MAX - 1);
            return -1;
        }
        memcpy(call->id, id, len + 1);
    }
    if (name_take(call, json_string_value(json_object_get(function, "name")), failure) < 0)
        return -1;
    return arguments_take(call, json_object_get(function, "arguments"), failure);
}

/* In a chunk a call without an index goes on with the last one; in a whole message each is
 * new. */
static int calls_take(struct answer *answer, const json_t *calls, bool whole,
                      struct failure *failure)
{
    size_t i;
    json_t *delta;
    json_array_foreach (calls, i, delta) {
        const char *id = json_string_value(json_object_get(delta, "id"));
        if (id == NULL)
            id = "";
        struct answer_call *call =
            whole ? call_new(answer, (int64_t)i, failure) : call_find(answer, delta, id, failure);
        if (call == NULL || call_take(call, id, json_object_get(delta, "function"), failure) < 0)
            return -1;
    }
    return 0;
}

/* The way tools were called before there were several: one function, no id. */
static int function_call_take(struct answer *answer, const json_t *function,
                              struct failure *failure)
{
    if (!json_is_object(function))
        return 0;
    struct answer_call *call =
        answer->n_calls > 0 ? &answer->calls[0] : call_new(answer, 0, failure);
    return call != NULL ? call_take(call, "", function, failure) : -1;
}

/* An id for a call without one: from its place and content (FNV-1a), so that the same reply gives
 * the same ids and two replies hardly ever share one. */
static void call_id_make(struct answer_call *call, size_t place)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *c = call->name; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    for (size_t i = 0; i < call->arguments.len; i++)
        hash = (hash ^ (unsigned char)call->arguments.data[i]) * 0x100000001b3u;
    snprintf(call->id, sizeof(call->id), "call_%zu_%016" PRIx64, place, hash);
}

/* Results are matched to calls by id, so one that is missing or taken is made. */
static void call_id_settle(struct answer *answer, size_t place)
{
    struct answer_call *call = &answer->calls[place];
    bool usable = call->id[0] != '\0';
    for (size_t i = 0; usable && i < place; i++)
        usable = strcmp(answer->calls[i].id, call->id) != 0;
    if (!usable)
        call_id_make(call, place);
}

static void calls_tell(struct answer *answer)
{
    for (size_t i = 0; i < answer->n_calls; i++) {
        struct answer_call *call = &answer->calls[i];
        call_id_settle(answer, i);
        bool empty = call->arguments.len == 0;
        answer->sink.tool_call(answer->sink.arg, call->id, call->name,
                               empty ? "{}" : call->arguments.data,
                               empty ? 2 : call->arguments.len);
    }
}

/* ---- reason, usage, model -------------------------------------------------------------------- */

static const char *reason_map(const char *said)
{
    static const struct {
        const char *theirs, *ours;
    } reasons[] = {
        {"length", "length"},
        {"max_tokens", "length"},
        {"max_output_tokens", "length"},
        {"model_length", "length"},
        {"tool_calls", "tool_calls"},
        {"tool_call", "tool_calls"},
        {"function_call", "tool_calls"},
        {"tool_use", "tool_calls"},
        {"content_filter", "content_filter"},
        {"content-filter", "content_filter"},
        {"safety", "content_filter"},
        {"refusal", "content_filter"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (strcasecmp(said, reasons[i].theirs) == 0)
            return reasons[i].ours;
    return "stop"; /* "stop", "eos", "end_turn", "stop_sequence", and what is to come */
}

/* False when the member is not there. */
static bool tokens_get(const json_t *usage, const char *name, const char *other, int64_t *tokens_r)
{
    const json_t *value = json_object_get(usage, name);
    if (!json_is_number(value))
        value = json_object_get(usage, other);
    double approximate = json_number_value(value);
    if (!json_is_number(value) || approximate < 0)
        return false;
    *tokens_r = approximate >= (double)TOKENS_MAX ? TOKENS_MAX
                : json_is_integer(value)          ? (int64_t)json_integer_value(value)
                                                  : (int64_t)approximate;
    return true;
}

/* Servers that tell it in every chunk count up: the last one stands. */
static void usage_take(struct answer *answer, const json_t *usage)
{
    bool in = tokens_get(usage, "prompt_tokens", "input_tokens", &answer->input_tokens);
    bool out = tokens_get(usage, "completion_tokens", "output_tokens", &answer->output_tokens);
    answer->has_usage |= in || out;
}

static void model_take(struct answer *answer, const char *name)
{
    if (answer->model_told || name == NULL || name[0] == '\0')
        return;
    answer->model_told = true;
    answer->sink.model(answer->sink.arg, name);
}

/* Gateways tell an upstream's failure within the choice, and some servers as the reason to stop. */
static int choice_failure(const json_t *choice, const char *reason, struct failure *failure)
{
    static const char *const broken[] = {"error", "insufficient_system_resource"};
    if (json_is_object(json_object_get(choice, "error"))) {
        failure_from_json(failure, choice);
        return -1;
    }
    for (size_t i = 0; reason != NULL && i < sizeof(broken) / sizeof(broken[0]); i++)
        if (strcmp(reason, broken[i]) == 0) {
            failure_set(failure, 502, true, "the provider broke off: %s", reason);
            return -1;
        }
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int choice_take(struct answer *answer, const json_t *choice, struct failure *failure)
{
    const json_t *delta = json_object_get(choice, "delta");
    bool whole = !json_is_object(delta);
    const json_t *message = whole ? json_object_get(choice, "message") : delta;
    const json_t *refusal = json_object_get(message, "refusal");
    const char *reason = json_string_value(json_object_get(choice, "finish_reason"));
    if (choice_failure(choice, reason, failure) < 0)
        return -1;
    answer->begun = true;
    content_take(answer, json_object_get(message, "content"));
    if (reason != NULL && reason[0] != '\0' && answer->reason == NULL)
        answer->reason = reason_map(reason);
    if (json_string_length(refusal) > 0) {
        text_tell(answer, refusal);
        answer->reason = "content_filter";
    }
    if (calls_take(answer, json_object_get(message, "tool_calls"), whole, failure) < 0)
        return -1;
    return function_call_take(answer, json_object_get(message, "function_call"), failure);
}

int answer_take(struct answer *answer, const json_t *object, struct failure *failure)
{
    const json_t *error = json_object_get(object, "error");
    const json_t *choices = json_object_get(object, "choices");
    const char *kind = json_string_value(json_object_get(object, "object"));
    if ((error != NULL && !json_is_null(error)) || (kind != NULL && strcmp(kind, "error") == 0)) {
        failure_from_json(failure, object);
        return -1;
    }
    model_take(answer, json_string_value(json_object_get(object, "model")));
    usage_take(answer, json_object_get(object, "usage"));
    size_t i;
    json_t *choice;
    json_array_foreach (choices, i, choice)
        if (json_integer_value(json_object_get(choice, "index")) == 0 &&
            choice_take(answer, choice, failure) < 0)
            return -1;
    return 0;
}

bool answer_complete(const struct answer *answer)
{
    return answer->reason != NULL;
}

void answer_usage(const struct answer *answer)
{
    if (answer->has_usage)
        answer->sink.usage(answer->sink.arg, answer->input_tokens, answer->output_tokens);
}

/* Some servers say "stop" beside tool calls, or "tool_calls" without any. */
void answer_finish(struct answer *answer)
{
    const char *reason = answer->reason != NULL ? answer->reason : "stop";
    if (strcmp(reason, "stop") == 0 || strcmp(reason, "tool_calls") == 0)
        reason = answer->n_calls > 0 ? "tool_calls" : "stop";
    calls_tell(answer);
    answer_usage(answer);
    answer->sink.finish(answer->sink.arg, reason);
}
