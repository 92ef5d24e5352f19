/* Chains. Executing one is execute.c's. */
#include "service/chain.h"

#include "api/answer.h"

int handle_chain_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, chain_list);
}

int handle_chain_create(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body(request, reply, err, 201, "/v1/chains", chain_create);
}

int handle_chain_validate(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body(request, reply, err, 200, NULL, chain_validate);
}

int handle_chain_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "chainId", chain_get);
}

int handle_chain_update(struct request *request, struct reply *reply, struct error *err)
{
    return answer_update(request, reply, err, "chainId", chain_update);
}

int handle_chain_delete(struct request *request, struct reply *reply, struct error *err)
{
    return answer_gone_if(request, reply, err, "chainId", chain_delete);
}

int handle_chain_executions(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_of(request, reply, err, "chainId", chain_executions);
}

int handle_chain_execution_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "executionId", chain_execution_get);
}

int handle_chain_optimize(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "chainId", chain_optimize);
}
