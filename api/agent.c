/* Agents. */
#include "service/agent.h"

#include "api/answer.h"
#include "api/api-private.h"
#include "api/conditional.h"
#include "api/media.h"
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
    return answer_body(request, reply, err, 201, "/v1/agents", agent_create);
}

int handle_agent_validate(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body(request, reply, err, 200, NULL, agent_validate);
}

int handle_agent_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "agentId", agent_get);
}

int handle_agent_update(struct request *request, struct reply *reply, struct error *err)
{
    return answer_update(request, reply, err, "agentId", agent_update);
}

int handle_agent_replace(struct request *request, struct reply *reply, struct error *err)
{
    return answer_update(request, reply, err, "agentId", agent_replace);
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
    return answer_body_of(request, reply, err, 200, NULL, "agentId", agent_deprecate);
}

int handle_agent_archive(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "agentId", agent_archive);
}
