/* What the fuzz targets of model plugins share: a plugin that is linked in, opened with the
 * defaults of its own table, and two kinds of input: "chat\n" and a chat request, or a reply as
 * recorded. */
#ifndef C9_TESTS_MODEL_FUZZ_H
#define C9_TESTS_MODEL_FUZZ_H

#include <stdint.h>

#include "base/clock.h"
#include "lib/model_transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One value may differ from the table's default. */
struct c9d_settings {
    const char *name, *text;
    int64_t number;
};

static const char *fuzz_setting_text(const struct c9d_settings *settings, const char *name)
{
    if (settings->name != NULL && strcmp(settings->name, name) == 0)
        return settings->text;
    for (const struct c9d_setting *s = c9d_plugin.settings; s->name != NULL; s++)
        if (strcmp(s->name, name) == 0)
            return s->otherwise;
    return NULL;
}

static int64_t fuzz_setting_int(const struct c9d_settings *settings, const char *name)
{
    if (settings->name != NULL && strcmp(settings->name, name) == 0)
        return settings->number;
    const char *text = fuzz_setting_text(settings, name);
    return text == NULL ? 0 : strcmp(text, "true") == 0 ? 1 : atoll(text);
}

static void fuzz_log(const char *plugin, enum c9d_log_level level, const char *message)
{
    (void)plugin, (void)level, (void)message;
}

static int64_t fuzz_now(void)
{
    return INT64_C(1445412480000000); /* so that dates give the same waits in every run */
}

static inline struct c9d_model *fuzz_open(struct c9d_settings settings)
{
    static const struct c9d_host host = {.log = fuzz_log,
                                         .now = fuzz_now,
                                         .state_folder = "/tmp",
                                         .setting_text = fuzz_setting_text,
                                         .setting_int = fuzz_setting_int};
    struct c9d_model *model = NULL;
    struct c9d_fault fault = {{0}};
    if (c9d_plugin.ops.model->open(&host, &settings, &model, &fault) < 0)
        abort();
    return model;
}

/* The transcript of one way of cutting; a reply that does not end, or goes on behind its end, is a
 * bug. */
static inline char *fuzz_play(const struct recording *r, struct c9d_model *model, size_t piece)
{
    const struct c9d_model_ops *ops = c9d_plugin.ops.model;
    struct transcript t = {.text = BUF_INIT};
    struct c9d_model_sink sink = transcript_sink(&t);
    recording_play_reply(r, ops, ops->reply_new(model, &sink), piece, piece);
    if (t.ends != 1 || t.after_end > 0)
        abort();
    return buf_steal(&t.text);
}

/* However it is cut, it tells the same. */
static inline void fuzz_reply(const struct recording *r, struct c9d_model *model)
{
    char *whole = fuzz_play(r, model, r->body_len > 0 ? r->body_len : 1);
    char *bytes = fuzz_play(r, model, 1), *pieces = fuzz_play(r, model, r->body_len % 61 + 2);
    if (strcmp(whole, bytes) != 0 || strcmp(whole, pieces) != 0)
        abort();
    free(whole);
    free(bytes);
    free(pieces);
}

/* A request is refused with a reason, or made. 0 when made. */
static inline int fuzz_request(struct c9d_model *model, const char *chat, size_t len,
                               struct c9d_http_request *request)
{
    struct c9d_fault fault = {{0}};
    int rc = c9d_plugin.ops.model->request(model, chat, len, request, &fault);
    if (rc < 0 ? fault.message[0] == '\0' : request->body == NULL)
        abort();
    return rc;
}

#endif
