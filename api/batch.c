/* Batches of executions. */
#include "service/batch.h"

#include "api/answer.h"

int handle_batch_create(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body_of(request, reply, err, 202, "/v1/batches", "agentId", batch_create);
}

int handle_batch_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, batch_list);
}

int handle_batch_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "batchId", batch_get);
}

int handle_batch_executions(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_of(request, reply, err, "batchId", batch_executions);
}

int handle_batch_cancel(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 202, "batchId", batch_cancel);
}
