/* Answers. */
#include "api/reply.h"

#include <stdarg.h>
#include <string.h>

#include "api/etag.h"
#include "api/follow.h"
#include "api/media.h"
#include "api/request.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

void reply_clear(struct reply *reply)
{
    buf_free(&reply->text);
    if (reply->stream != NULL) {
        follow_detach(reply->stream);
        follow_unref(reply->stream);
    }
    for (size_t i = 0; i < reply->n_headers; i++)
        free(reply->headers[i].value);
    *reply = (struct reply){0};
}

void reply_header(struct reply *reply, const char *name, const char *fmt, ...)
{
    va_list ap;
    buf_auto value = BUF_INIT;
    if (reply->n_headers == REPLY_HEADERS_MAX)
        return;
    va_start(ap, fmt);
    char *text = NULL;
    int len = vasprintf(&text, fmt, ap);
    va_end(ap);
    for (int i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x20 && text[i] != 0x7f)
            buf_append_char(&value, text[i]);
    free(text);
    reply->headers[reply->n_headers].name = name;
    reply->headers[reply->n_headers++].value = buf_steal(&value);
}

void reply_header_copy(struct reply *reply, const char *name, const char *value)
{
    if (reply->n_headers == REPLY_HEADERS_MAX)
        return;
    reply->headers[reply->n_headers].name = name;
    reply->headers[reply->n_headers++].value = xstrdup(value);
}

const char *reply_header_get(const struct reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->n_headers; i++)
        if (strcmp(reply->headers[i].name, name) == 0)
            return reply->headers[i].value;
    return NULL;
}

void reply_json(struct reply *reply, int status, const json_t *value)
{
    reply->status = status;
    reply->media = MEDIA_JSON;
    jx_append(&reply->text, value);
}

void reply_empty(struct reply *reply, int status)
{
    reply->status = status;
    reply->media = NULL;
    reply->fixed = NULL;
    buf_reset(&reply->text);
}

void reply_etag(struct reply *reply, const struct request *request, const char *tag)
{
    reply_header(reply, "ETag", "\"%s\"", tag);
    reply->cacheable = true;
    reply_revalidate(reply, request);
}

void reply_revalidate(struct reply *reply, const struct request *request)
{
    const struct header *h = request_header(request, "If-None-Match");
    const char *quoted = h != NULL ? reply_header_get(reply, "ETag") : NULL;
    if (quoted == NULL || strcmp(request->operation->method, "GET") != 0)
        return;
    autofree char *tag = xstrndup(quoted + 1, strlen(quoted) - 2);
    if (etag_listed(h->value, h->value_len, tag))
        reply_empty(reply, 304);
}

/* RFC 6750 §3: what kind of token would do. */
static void challenge(struct reply *reply, const struct request *request, const struct error *err)
{
    if (err->code == E_AUTHENTICATION_REQUIRED) {
        bool given = request_header(request, "Authorization") != NULL;
        reply_header(reply, "WWW-Authenticate", "Bearer realm=\"c9d\"%s",
                     given ? ", error=\"invalid_token\"" : "");
    } else if (err->code == E_AGENT_ACCESS_DENIED) {
        reply_header(reply, "WWW-Authenticate",
                     "Bearer realm=\"c9d\", error=\"insufficient_scope\", scope=\"%s\"",
                     jx_str(err->details, "requiredScope", ""));
    }
}

void reply_error(struct reply *reply, const struct request *request, const struct error *err)
{
    enum { RETRY_AFTER = 1 }; /* seconds, where the error does not say */
    const struct error_row *row = error_row(err->code);
    char now[CLOCK_RFC3339_SIZE];
    json_t *body = error_to_json(err);
    jx_auto *envelope = json_object();
    json_object_set_new(body, "timestamp", json_string(clock_format_rfc3339(clock_wall_us(), now)));
    json_object_set_new(body, "requestId", json_string(request->id));
    json_object_set_new(envelope, "error", body);

    reply_clear(reply);
    reply_json(reply, row->status, envelope);
    challenge(reply, request, err);
    if (row->status == 429 || row->status == 503)
        reply_header(reply, "Retry-After", "%lld",
                     (long long)jx_int(err->details, "retryAfter", RETRY_AFTER));
    if (err->code == E_METHOD_NOT_ALLOWED)
        reply_header(reply, "Allow", "%s", request->route->allow);
    if (row->status >= 500)
        log_warn("http.error", "%s: %s", row->name, err->message);
}
