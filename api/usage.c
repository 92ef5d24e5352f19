/* What executions used. */
#include "service/usage.h"

#include "api/answer.h"

int handle_usage_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, usage_list);
}
