/* Executions: look at, cancel. Starting and streaming are in execute.c. */
#include "service/execution.h"

#include "api/api-private.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/json.h"

int handle_execution_list(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (execution_list(request->api->service, &request->who, &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int handle_execution_list_of_agent(struct request *request, struct reply *reply, struct error *err)
{
    if (request->filters == NULL)
        request->filters = json_object();
    json_object_set_new(request->filters, "agentId", json_string(request_path(request, "agentId")));
    return handle_execution_list(request, reply, err);
}

int handle_execution_get(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *execution = NULL;
    if (execution_get(request->api->service, &request->who, request_path(request, "executionId"),
                      &execution, err) < 0)
        return -1;
    reply_json(reply, 200, execution);
    return 0;
}

/* A list of what hangs from one execution. */
static int reply_part(struct request *request, struct reply *reply,
                      int (*list)(struct service *service, const struct principal *who,
                                  const char *id, const struct list_query *query, json_t **page_r,
                                  struct error *err),
                      struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (list(request->api->service, &request->who, request_path(request, "executionId"), &query,
             &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int handle_execution_logs(struct request *request, struct reply *reply, struct error *err)
{
    return reply_part(request, reply, execution_logs, err);
}

int handle_execution_attempts(struct request *request, struct reply *reply, struct error *err)
{
    return reply_part(request, reply, execution_attempts, err);
}

int handle_execution_cancel(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *execution = NULL;
    if (execution_cancel(request->api->service, &request->who, request_path(request, "executionId"),
                         &execution, err) < 0)
        return -1;
    reply_json(reply, 202, execution);
    return 0;
}
