/* model_fake: a model without a model. Offline, deterministic, scripted if wanted. */
#include <c9d/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "saying.h"
#include "script.h"
#include "talk.h"

enum { BYTES_PER_TOKEN = 4 };

struct c9d_model {
    int64_t delay;                       /* µs before each reply */
    int64_t input_tokens, output_tokens; /* 0: counted */
    json_t *script;                      /* NULL: none; never changed once read */
};

static const struct c9d_setting settings_table[] = {
    {"delay", C9D_TYPE_DURATION, "0s", "How long every reply takes.", 0},
    {"input_tokens", C9D_TYPE_INT, "0", "Reported for each request; 0 counts one for 4 bytes.", 0},
    {"output_tokens", C9D_TYPE_INT, "0", "Reported for each reply; 0 counts one for 4 bytes.", 0},
    {"script", C9D_TYPE_STRING, NULL, "A JSON file of replies; without, the model echoes.", 0},
    {NULL, C9D_TYPE_STRING, NULL, NULL, 0},
};

static void fake_close(struct c9d_model *model)
{
    if (model != NULL)
        json_decref(model->script);
    free(model);
}

static int fake_open(const struct c9d_host *host, const struct c9d_settings *settings,
                     struct c9d_model **model_r, struct c9d_fault *fault)
{
    struct c9d_model *model = calloc(1, sizeof(*model));
    if (model == NULL) {
        snprintf(fault->message, sizeof(fault->message), "out of memory");
        return C9D_E_FAILED;
    }
    const char *script = host->setting_text(settings, "script");
    model->delay = host->setting_int(settings, "delay");
    model->input_tokens = host->setting_int(settings, "input_tokens");
    model->output_tokens = host->setting_int(settings, "output_tokens");
    if (model->input_tokens < 0 || model->output_tokens < 0) {
        snprintf(fault->message, sizeof(fault->message),
                 "input_tokens and output_tokens must not be negative");
        goto fail;
    }
    if (script != NULL && script[0] != '\0' && (model->script = script_read(script, fault)) == NULL)
        goto fail;
    *model_r = model;
    return 0;
fail:
    fake_close(model);
    return C9D_E_FAILED;
}

/* ---- a saying becomes records ---------------------------------------------------------------- */

static void error_write(FILE *out, const json_t *error)
{
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *after = json_string_value(json_object_get(error, "retry_after"));
    int64_t wait = 0, status = json_integer_value(json_object_get(error, "status"));
    if (after != NULL)
        script_duration(after, &wait);
    record_printf(out, 'E', "%d %d %lld\n%s", status > 0 ? (int)status : 500,
                  json_is_true(json_object_get(error, "retry")), (long long)wait,
                  message != NULL ? message : "the script says that this fails");
}

/* In a stream each word is a delta of its own, with the blanks behind it. */
static void content_write(FILE *out, const char *content, bool stream)
{
    while (*content != '\0') {
        size_t len = strlen(content);
        if (stream) {
            len = strcspn(content, " \n");
            len += strspn(content + len, " \n");
        }
        record_write(out, 'D', content, len);
        content += len;
    }
}

/* Ids count within the conversation, so that no two calls of it share one. Returns the bytes
 * said. */
static int64_t calls_write(FILE *out, const json_t *calls, const struct talk *talk)
{
    int64_t bytes = 0;
    size_t i;
    json_t *call;
    json_array_foreach (calls, i, call) {
        const json_t *arguments = json_object_get(call, "arguments");
        const char *name = json_string_value(json_object_get(call, "name"));
        char *dumped = json_is_object(arguments) ? json_dumps(arguments, JSON_COMPACT) : NULL;
        const char *text = dumped != NULL              ? dumped
                           : json_is_string(arguments) ? json_string_value(arguments)
                                                       : "{}";
        record_printf(out, 'T', "call_%lld_%zu\n%s\n%s", (long long)talk->turn, i, name, text);
        bytes += (int64_t)(strlen(name) + strlen(text));
        free(dumped);
    }
    return bytes;
}

static int64_t tokens_of(int64_t bytes)
{
    return (bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN;
}

static void saying_write(FILE *out, const struct c9d_model *model, const struct saying *saying,
                         const struct talk *talk)
{
    if (saying->error != NULL) {
        error_write(out, saying->error);
        return;
    }
    record_write(out, 'M', talk->model, strlen(talk->model));
    content_write(out, saying->content, json_is_true(json_object_get(talk->chat, "stream")));
    int64_t bytes = (int64_t)strlen(saying->content) + calls_write(out, saying->calls, talk);
    record_printf(
        out, 'U', "%lld %lld",
        (long long)(model->input_tokens > 0 ? model->input_tokens : tokens_of(talk->input_bytes)),
        (long long)(model->output_tokens > 0 ? model->output_tokens : tokens_of(bytes)));
    const char *finish = json_array_size(saying->calls) > 0 ? "tool_calls" : "stop";
    record_printf(out, 'F', "%s", saying->finish != NULL ? saying->finish : finish);
}

static int request_fill(const struct c9d_model *model, const struct saying *saying,
                        const struct talk *talk, struct c9d_http_request *request_r,
                        struct c9d_fault *fault)
{
    char *body = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&body, &len);
    if (out != NULL) {
        saying_write(out, model, saying, talk);
        if (fclose(out) == 0 && len <= RECORD_REPLY_MAX) {
            *request_r = (struct c9d_http_request){.method = "POST",
                                                   .body = body,
                                                   .body_len = len,
                                                   .memory = body,
                                                   .delay = saying->delay >= 0 ? saying->delay
                                                                               : model->delay};
            return 0;
        }
    }
    free(body);
    snprintf(fault->message, sizeof(fault->message), "out of memory, or the reply is over %d bytes",
             RECORD_REPLY_MAX);
    return C9D_E_FAILED;
}

static int fake_request(struct c9d_model *model, const char *chat, size_t len,
                        struct c9d_http_request *request_r, struct c9d_fault *fault)
{
    json_error_t error;
    struct talk talk;
    struct saying saying = {0};
    json_t *decoded = json_loadb(chat, len, JSON_REJECT_DUPLICATES, &error);
    if (decoded == NULL) {
        snprintf(fault->message, sizeof(fault->message), "chat request: line %d, column %d: %s",
                 error.line, error.column, error.text);
        return C9D_E_FAILED;
    }
    int rc = talk_read(&talk, decoded, fault);
    if (rc == 0)
        rc = saying_make(&saying, model->script, &talk, fault);
    if (rc == 0)
        rc = request_fill(model, &saying, &talk, request_r, fault);
    saying_free(&saying);
    json_decref(decoded);
    return rc;
}

static void fake_request_free(struct c9d_http_request *request)
{
    free(request->memory);
    *request = (struct c9d_http_request){0};
}

static const struct c9d_model_ops ops = {
    .open = fake_open,
    .close = fake_close,
    .request = fake_request,
    .request_free = fake_request_free,
    .reply_new = record_reply_new,
    .reply_status = record_reply_status,
    .reply_header = record_reply_header,
    .reply_feed = record_reply_feed,
    .reply_end = record_reply_end,
    .reply_free = record_reply_free,
};

C9D_EXPORT const struct c9d_plugin c9d_plugin = {
    .abi = C9D_ABI,
    .kind = C9D_KIND_MODEL,
    .name = "model_fake",
    .version = "1",
    .description = "Offline and deterministic: scripted replies and tool calls, or an echo.",
    .settings = settings_table,
    .ops.model = &ops,
};
