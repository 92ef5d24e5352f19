/* Agents. */
#include "service/agent.h"

#include "api/api-private.h"
#include "api/conditional.h"
#include "api/media.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/json.h"

int handle_agent_list(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    if (agent_list(request->api->service, &request->who, &query, &reply->text, err) < 0)
        return -1;
    reply->status = 200;
    reply->media = MEDIA_JSON;
    return 0;
}

int handle_agent_create(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *agent = NULL;
    if (agent_create(request->api->service, &request->who, request->body, &agent, err) < 0)
        return -1;
    reply_json(reply, 201, agent);
    reply_header(reply, "Location", "/v1/agents/%s", jx_str(agent, "id", ""));
    reply_revision(reply, request, agent);
    return 0;
}

int handle_agent_validate(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *result = NULL;
    if (agent_validate(request->api->service, &request->who, request->body, &result, err) < 0)
        return -1;
    reply_json(reply, 200, result);
    return 0;
}

int handle_agent_get(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *agent = NULL;
    if (agent_get(request->api->service, &request->who, request_path(request, "agentId"), &agent,
                  err) < 0)
        return -1;
    reply_json(reply, 200, agent);
    reply_revision(reply, request, agent);
    return 0;
}

int handle_agent_update(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    jx_auto *agent = NULL;
    if (request_if_match(request, &condition, err) < 0 ||
        agent_update(request->api->service, &request->who, request_path(request, "agentId"),
                     request->body, condition.tag, &agent, err) < 0)
        return -1;
    reply_json(reply, 200, agent);
    reply_revision(reply, request, agent);
    return 0;
}

int handle_agent_replace(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    jx_auto *agent = NULL;
    if (request_if_match(request, &condition, err) < 0 ||
        agent_replace(request->api->service, &request->who, request_path(request, "agentId"),
                      request->body, condition.tag, &agent, err) < 0)
        return -1;
    reply_json(reply, 200, agent);
    reply_revision(reply, request, agent);
    return 0;
}

int handle_agent_delete(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    if (request_if_match(request, &condition, err) < 0 ||
        agent_delete(request->api->service, &request->who, request_path(request, "agentId"),
                     condition.tag, jx_bool(request->query, "force", false), err) < 0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}

int handle_agent_deprecate(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *agent = NULL;
    if (agent_deprecate(request->api->service, &request->who, request_path(request, "agentId"),
                        request->body, &agent, err) < 0)
        return -1;
    reply_json(reply, 200, agent);
    reply_revision(reply, request, agent);
    return 0;
}

int handle_agent_archive(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *agent = NULL;
    if (agent_archive(request->api->service, &request->who, request_path(request, "agentId"),
                      &agent, err) < 0)
        return -1;
    reply_json(reply, 200, agent);
    reply_revision(reply, request, agent);
    return 0;
}
