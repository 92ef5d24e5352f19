/* What executions wait for, signals to them, and what is in their journals. */
#include "service/journal.h"

#include "api/api-private.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/json.h"
#include "service/signal.h"

int handle_execution_signal(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *signal = NULL;
    const struct header *key = request_header(request, "Idempotency-Key");
    if (signal_send(request->api->service, &request->who, request_path(request, "executionId"),
                    request_path(request, "name"), request->body, key != NULL ? key->value : NULL,
                    &signal, err) < 0)
        return -1;
    reply_json(reply, 202, signal);
    return 0;
}

int handle_execution_waits(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (wait_list_of(request->api->service, &request->who, request_path(request, "executionId"),
                     &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int handle_wait_list(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (wait_list(request->api->service, &request->who, &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int handle_execution_journal(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (journal_list(request->api->service, &request->who, request_path(request, "executionId"),
                     &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}
