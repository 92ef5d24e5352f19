/* Batches of executions. */
#include "service/batch.h"

#include "api/api-private.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/json.h"

int handle_batch_create(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *batch = NULL;
    if (batch_create(request->api->service, &request->who, request_path(request, "agentId"),
                     request->body, &batch, err) < 0)
        return -1;
    reply_json(reply, 202, batch);
    reply_header(reply, "Location", "/v1/batches/%s", jx_str(batch, "id", ""));
    return 0;
}

int handle_batch_list(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (batch_list(request->api->service, &request->who, &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int handle_batch_get(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *batch = NULL;
    if (batch_get(request->api->service, &request->who, request_path(request, "batchId"), &batch,
                  err) < 0)
        return -1;
    reply_json(reply, 200, batch);
    return 0;
}

int handle_batch_executions(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (batch_executions(request->api->service, &request->who, request_path(request, "batchId"),
                         &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int handle_batch_cancel(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *batch = NULL;
    if (batch_cancel(request->api->service, &request->who, request_path(request, "batchId"), &batch,
                     err) < 0)
        return -1;
    reply_json(reply, 202, batch);
    return 0;
}
