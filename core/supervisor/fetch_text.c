/* One GET for the services: key sets of identity providers. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "supervisor/engine-private.h"
#include "supervisor/fetch.h"

struct fetch_text {
    struct engine *engine;
    char *url;
    size_t max;
    int64_t timeout;
    void (*done)(void *arg, const char *body, size_t len, struct error *err);
    void *arg;
    int status;
    struct buf body;
    struct fetch_text *next, **place; /* of all under way */
};

static void text_free(struct fetch_text *t)
{
    *t->place = t->next;
    if (t->next != NULL)
        t->next->place = t->place;
    buf_free(&t->body);
    free(t->url);
    free(t);
}

static void text_status(void *arg, int status)
{
    struct fetch_text *t = arg;
    t->status = status;
}

static int text_data(void *arg, const char *data, size_t len)
{
    struct fetch_text *t = arg;
    if (t->body.len + len > t->max)
        return 1;
    buf_append(&t->body, data, len);
    return 0;
}

static void text_done(void *arg, struct error *failure)
{
    struct fetch_text *t = arg;
    error_auto err = ERROR_INIT;
    if (failure != NULL)
        error_move(&err, failure);
    else if (t->status != 200)
        error_set(&err, E_HTTP_FAILED, "%s answered %d", t->url, t->status);
    bool failed = err.code != E_NONE;
    t->done(t->arg, failed || t->body.data == NULL ? "" : t->body.data, failed ? 0 : t->body.len,
            failed ? &err : NULL);
    text_free(t);
}

static void text_begin(void *arg)
{
    struct fetch_text *t = arg;
    error_auto err = ERROR_INIT;
    static const struct fetch_header accept[] = {{"Accept", "application/json"}};
    const struct fetch_spec spec = {.method = "GET",
                                    .url = t->url,
                                    .headers = accept,
                                    .n_headers = countof(accept),
                                    .timeout_us = t->timeout,
                                    .status = text_status,
                                    .data = text_data,
                                    .done = text_done,
                                    .arg = t};
    if (fetch_start(t->engine->model_fetcher, &spec, &err) == NULL)
        text_done(t, &err);
}

static void text_post(void *arg)
{
    struct fetch_text *t = arg;
    t->next = t->engine->texts;
    t->place = &t->engine->texts;
    if (t->next != NULL)
        t->next->place = &t->next;
    t->engine->texts = t;
    text_begin(t);
}

int engine_fetch(void *engine, const char *url, size_t max, int64_t timeout_us,
                 void (*done)(void *arg, const char *body, size_t len, struct error *err),
                 void *arg, struct error *err)
{
    (void)err;
    struct fetch_text *t = xcalloc(1, sizeof(*t));
    t->engine = engine;
    t->url = xstrdup(url);
    t->max = max;
    t->timeout = timeout_us;
    t->done = done;
    t->arg = arg;
    loop_post(t->engine->loop, text_post, t);
    return 0;
}

void engine_fetch_drop(struct engine *engine)
{
    for (struct fetch_text *t = engine->texts, *next; t != NULL; t = next) {
        next = t->next;
        text_free(t);
    }
}
