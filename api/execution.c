/* Executions: look at, cancel. Starting and streaming are in execute.c. */
#include "service/execution.h"

#include "api/answer.h"

int handle_execution_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, execution_list);
}

int handle_execution_list_of_agent(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_by(request, reply, err, "agentId", execution_list);
}

int handle_execution_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "executionId", execution_get);
}

int handle_execution_logs(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_of(request, reply, err, "executionId", execution_logs);
}

int handle_execution_attempts(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_of(request, reply, err, "executionId", execution_attempts);
}

int handle_execution_cancel(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 202, "executionId", execution_cancel);
}
