/* Grants on agents. */
#include "service/grant.h"

#include <stdio.h>

#include "api/answer.h"
#include "api/api-private.h"
#include "base/json.h"

int handle_grant_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_of(request, reply, err, "agentId", grant_list);
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
    return answer_gone_part_if(request, reply, err, "agentId", "grantId", grant_delete);
}
