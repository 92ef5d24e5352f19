/* Tokens. */
#include "service/token.h"

#include "api/api-private.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/json.h"

int handle_token_list(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (token_list(request->api->service, &request->who, &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int handle_token_create(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *token = NULL;
    if (token_create(request->api->service, &request->who, request->body, &token, err) < 0)
        return -1;
    reply_json(reply, 201, token);
    reply_header(reply, "Location", "/v1/tokens/%s", jx_str(token, "id", ""));
    return 0;
}

int handle_token_get(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *token = NULL;
    if (token_get(request->api->service, &request->who, request_path(request, "tokenId"), &token,
                  err) < 0)
        return -1;
    reply_json(reply, 200, token);
    return 0;
}

int handle_token_rotate(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *token = NULL;
    if (token_rotate(request->api->service, &request->who, request_path(request, "tokenId"),
                     request->body, &token, err) < 0)
        return -1;
    reply_json(reply, 201, token);
    reply_header(reply, "Location", "/v1/tokens/%s", jx_str(token, "id", ""));
    return 0;
}

int handle_token_revoke(struct request *request, struct reply *reply, struct error *err)
{
    if (token_revoke(request->api->service, &request->who, request_path(request, "tokenId"), err) <
        0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}
