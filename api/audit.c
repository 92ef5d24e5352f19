/* The audit log. */
#include "service/audit.h"

#include "api/api-private.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/json.h"

int handle_audit_list(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (audit_list(request->api->service, &request->who, &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
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
