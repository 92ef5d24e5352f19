/* The server about itself: health, readiness, the OpenAPI document. None needs a token. */
#include "api/api-private.h"
#include "api/media.h"
#include "api/openapi_text.h"
#include "api/reply.h"
#include "api/request.h"

static void reply_fixed(struct reply *reply, int status, const char *text, size_t len)
{
    reply->status = status;
    reply->media = MEDIA_JSON;
    reply->fixed = text;
    reply->fixed_len = len;
}

int handle_health(struct request *request, struct reply *reply, struct error *err)
{
    static const char text[] = "{\"status\":\"ok\"}";
    (void)request;
    (void)err;
    reply_fixed(reply, 200, text, sizeof(text) - 1);
    return 0;
}

int handle_readiness(struct request *request, struct reply *reply, struct error *err)
{
    static const char text[] = "{\"status\":\"ready\"}";
    if (atomic_load(&request->api->draining))
        return error_set(err, E_UNAVAILABLE, "the server is draining");
    reply_fixed(reply, 200, text, sizeof(text) - 1);
    return 0;
}

int handle_openapi(struct request *request, struct reply *reply, struct error *err)
{
    (void)err;
    reply_fixed(reply, 200, openapi_text, (size_t)(openapi_text_end - openapi_text));
    reply_etag(reply, request, request->api->document_tag);
    return 0;
}
