/* A model plugin that does what its contract forbids: the model's name says what. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <c9d/plugin.h>

struct c9d_model {
    int takes_none;
};

struct c9d_reply {
    struct c9d_model_sink sink;
    char what[64];
};

static int faulty_open(const struct c9d_host *host, const struct c9d_settings *settings,
                       struct c9d_model **model_r, struct c9d_fault *fault)
{
    (void)fault;
    if (host->setting_int(settings, "opens") == 0)
        return C9D_E_FAILED; /* without a word */
    return (*model_r = calloc(1, sizeof(**model_r))) != NULL ? 0 : C9D_E_FAILED;
}

static void faulty_close(struct c9d_model *model)
{
    free(model);
}

/* The name of the model, as the chat has it. */
static void name_of(const char *chat, char *out, size_t size)
{
    const char *at = strstr(chat, "\"model\":\"");
    snprintf(out, size, "%s", at != NULL ? at + 9 : "");
    out[strcspn(out, "\"")] = '\0';
}

static int faulty_request(struct c9d_model *model, const char *chat, size_t len,
                          struct c9d_http_request *request_r, struct c9d_fault *fault)
{
    (void)len, (void)fault;
    char *what = calloc(1, 64);
    if (what == NULL)
        return C9D_E_FAILED;
    name_of(chat, what, 64);
    model->takes_none = strcmp(what, "takes-none") == 0;
    if (strcmp(what, "refuses") == 0) {
        free(what);
        return C9D_E_FAILED; /* without a word */
    }
    *request_r = (struct c9d_http_request){.method = "POST", .memory = what};
    if (strcmp(what, "bad-url") == 0)
        request_r->url = "http://[::1/x y";
    else if (strcmp(what, "no-method") == 0)
        request_r->url = "http://127.0.0.1:9/", request_r->method = NULL;
    request_r->body = what;
    request_r->body_len = strlen(what);
    return 0;
}

static void faulty_request_free(struct c9d_http_request *request)
{
    free(request->memory);
}

static struct c9d_reply *faulty_reply_new(struct c9d_model *model,
                                          const struct c9d_model_sink *sink)
{
    if (model->takes_none)
        return NULL;
    struct c9d_reply *reply = calloc(1, sizeof(*reply));
    if (reply != NULL)
        reply->sink = *sink;
    return reply;
}

static void faulty_status(struct c9d_reply *reply, int status)
{
    (void)reply, (void)status;
}

static void faulty_header(struct c9d_reply *reply, const char *name, const char *value)
{
    (void)reply, (void)name, (void)value;
}

static int faulty_feed(struct c9d_reply *reply, const char *data, size_t len)
{
    snprintf(reply->what, sizeof(reply->what), "%.*s", (int)len, data);
    return strcmp(reply->what, "stops-reading") == 0 ? -1 : 0;
}

static void faulty_end(struct c9d_reply *reply)
{
    const struct c9d_model_sink *s = &reply->sink;
    const char *what = reply->what;
    s->delta(s->arg, strcmp(what, "no-text") == 0 ? "a\xff\xfe" : "text",
             strcmp(what, "no-text") == 0 ? 3 : 4);
    if (strcmp(what, "negative") == 0)
        s->usage(s->arg, -1000000, INT64_MIN);
    else if (strcmp(what, "huge") == 0)
        s->usage(s->arg, INT64_MAX, INT64_MAX);
    else
        s->usage(s->arg, 1, 1);
    if (strcmp(what, "nulls") == 0) {
        s->model(s->arg, NULL);
        s->tool_call(s->arg, NULL, NULL, "", 0);
        s->finish(s->arg, NULL);
    } else if (strcmp(what, "null-error") == 0) {
        s->error(s->arg, 0, NULL, 1, INT64_MIN);
    } else if (strcmp(what, "both") == 0) {
        s->error(s->arg, 500, "first", 0, 0);
        s->finish(s->arg, "stop");
        s->error(s->arg, 500, "second", 0, 0);
        s->delta(s->arg, "more", 4);
    } else if (strcmp(what, "says-nothing") != 0) {
        s->finish(s->arg, "stop");
    }
}

static void faulty_reply_free(struct c9d_reply *reply)
{
    free(reply);
}

static const struct c9d_model_ops ops = {.open = faulty_open,
                                         .close = faulty_close,
                                         .request = faulty_request,
                                         .request_free = faulty_request_free,
                                         .reply_new = faulty_reply_new,
                                         .reply_status = faulty_status,
                                         .reply_header = faulty_header,
                                         .reply_feed = faulty_feed,
                                         .reply_end = faulty_end,
                                         .reply_free = faulty_reply_free};

static const struct c9d_setting settings[] = {
    {"opens", C9D_TYPE_BOOL, "yes", "Whether it does.", 0}, {0}};

C9D_EXPORT const struct c9d_plugin c9d_plugin = {.abi = C9D_ABI,
                                                 .kind = C9D_KIND_MODEL,
                                                 .name = "model_faulty",
                                                 .version = "1",
                                                 .description = "Breaks its contract.",
                                                 .settings = settings,
                                                 .ops.model = &ops};
