/* Versions of agents. */
#include "service/version.h"

#include "api/answer.h"
#include "api/api-private.h"
#include "api/conditional.h"
#include "base/json.h"
#include "service/compare.h"

int handle_version_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_of(request, reply, err, "agentId", version_list);
}

int handle_version_create(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *version = NULL;
    if (version_create(request->api->service, &request->who, request_path(request, "agentId"),
                       request->body, &version, err) < 0)
        return -1;
    reply_resource(reply, request, 201, version);
    reply_header(reply, "Location", "/v1/agents/%s/versions/%s", jx_str(version, "agentId", ""),
                 jx_str(version, "version", ""));
    return 0;
}

int handle_version_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_part(request, reply, err, 200, "agentId", "version", version_get);
}

int handle_version_update(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    jx_auto *version = NULL;
    if (request_if_match(request, &condition, err) < 0 ||
        version_update(request->api->service, &request->who, request_path(request, "agentId"),
                       request_path(request, "version"), request->body, condition.tag, &version,
                       err) < 0)
        return -1;
    reply_resource(reply, request, 200, version);
    return 0;
}

int handle_version_delete(struct request *request, struct reply *reply, struct error *err)
{
    return answer_gone_part_if(request, reply, err, "agentId", "version", version_delete);
}

int handle_version_publish(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *version = NULL;
    if (version_publish(request->api->service, &request->who, request_path(request, "agentId"),
                        request_path(request, "version"), request->body, &version, err) < 0)
        return -1;
    reply_resource(reply, request, 200, version);
    return 0;
}

int handle_version_rollback(struct request *request, struct reply *reply, struct error *err)
{
    return answer_part(request, reply, err, 200, "agentId", "version", version_rollback);
}

int handle_version_deprecate(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *version = NULL;
    if (version_deprecate(request->api->service, &request->who, request_path(request, "agentId"),
                          request_path(request, "version"), request->body, &version, err) < 0)
        return -1;
    reply_resource(reply, request, 200, version);
    return 0;
}

int handle_version_archive(struct request *request, struct reply *reply, struct error *err)
{
    return answer_part(request, reply, err, 200, "agentId", "version", version_archive);
}

int handle_version_compare(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *diff = NULL;
    if (version_compare(request->api->service, &request->who, request_path(request, "agentId"),
                        jx_str(request->query, "from", NULL), jx_str(request->query, "to", NULL),
                        &diff, err) < 0)
        return -1;
    reply_json(reply, 200, diff);
    return 0;
}
