/* Aliases of versions. */
#include "service/alias.h"

#include "api/answer.h"
#include "api/api-private.h"
#include "api/conditional.h"
#include "base/json.h"

int handle_alias_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_of(request, reply, err, "agentId", alias_list);
}

int handle_alias_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_part(request, reply, err, 200, "agentId", "alias", alias_get);
}

int handle_alias_put(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    bool created, only_new;
    jx_auto *alias = NULL;
    if (request_if_match(request, &condition, err) < 0 ||
        request_only_new(request, &only_new, err) < 0 ||
        alias_put(request->api->service, &request->who, request_path(request, "agentId"),
                  request_path(request, "alias"), request->body, condition.tag, only_new, &alias,
                  &created, err) < 0)
        return -1;
    reply_resource(reply, request, created ? 201 : 200, alias);
    if (created)
        reply_header(reply, "Location", "/v1/agents/%s/aliases/%s", jx_str(alias, "agentId", ""),
                     jx_str(alias, "name", ""));
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
