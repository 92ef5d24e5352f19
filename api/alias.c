/* Aliases of versions. */
#include "service/alias.h"

#include "api/api-private.h"
#include "api/conditional.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/json.h"

int handle_alias_list(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (alias_list(request->api->service, &request->who, request_path(request, "agentId"), &query,
                   &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int handle_alias_get(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *alias = NULL;
    if (alias_get(request->api->service, &request->who, request_path(request, "agentId"),
                  request_path(request, "alias"), &alias, err) < 0)
        return -1;
    reply_json(reply, 200, alias);
    reply_revision(reply, request, alias);
    return 0;
}

int handle_alias_put(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    bool created;
    jx_auto *alias = NULL;
    if (request_if_match(request, &condition, err) < 0 ||
        alias_put(request->api->service, &request->who, request_path(request, "agentId"),
                  request_path(request, "alias"), request->body, condition.tag, &alias, &created,
                  err) < 0)
        return -1;
    reply_json(reply, created ? 201 : 200, alias);
    if (created)
        reply_header(reply, "Location", "/v1/agents/%s/aliases/%s", jx_str(alias, "agentId", ""),
                     jx_str(alias, "name", ""));
    reply_revision(reply, request, alias);
    return 0;
}

int handle_alias_delete(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    if (request_if_match(request, &condition, err) < 0 ||
        alias_delete(request->api->service, &request->who, request_path(request, "agentId"),
                     request_path(request, "alias"), condition.tag, err) < 0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}
