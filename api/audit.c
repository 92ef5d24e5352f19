/* The audit log. */
#include "service/audit.h"

#include "api/answer.h"
#include "api/api-private.h"
#include "base/json.h"

int handle_audit_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, audit_list);
}

int handle_audit_verify(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *result = NULL;
    if (audit_verify(request->api->service, &request->who, jx_str(request->query, "expect", NULL),
                     &result, err) < 0)
        return -1;
    reply_json(reply, 200, result);
    return 0;
}
