/* Grants on agents. */
#include "service/grant.h"

#include <stdio.h>

#include "api/api-private.h"
#include "api/conditional.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/json.h"

int handle_grant_list(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (grant_list(request->api->service, &request->who, request_path(request, "agentId"), &query,
                   &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int handle_grant_create(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *grant = NULL;
    bool created;
    const char *agent = request_path(request, "agentId");
    if (grant_create(request->api->service, &request->who, agent, request->body, &grant, &created,
                     err) < 0)
        return -1;
    reply_json(reply, created ? 201 : 200, grant);
    reply_header(reply, "Location", "/v1/agents/%s/grants/%s", jx_str(grant, "agentId", ""),
                 jx_str(grant, "id", ""));
    return 0;
}

int handle_grant_get(struct request *request, struct reply *reply, struct error *err)
{
    char tag[12];
    jx_auto *grant = NULL;
    if (grant_get(request->api->service, &request->who, request_path(request, "agentId"),
                  request_path(request, "grantId"), &grant, err) < 0)
        return -1;
    reply_json(reply, 200, grant);
    snprintf(tag, sizeof(tag), "%d", GRANT_REVISION);
    reply_etag(reply, request, tag);
    return 0;
}

int handle_grant_delete(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    if (request_if_match(request, &condition, err) < 0 ||
        grant_delete(request->api->service, &request->who, request_path(request, "agentId"),
                     request_path(request, "grantId"), condition.tag, err) < 0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}
