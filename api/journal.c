/* What executions wait for, signals to them, and what is in their journals. */
#include "service/journal.h"

#include "api/answer.h"
#include "api/api-private.h"
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
    return answer_list_of(request, reply, err, "executionId", wait_list_of);
}

int handle_wait_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, wait_list);
}

int handle_execution_journal(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_of(request, reply, err, "executionId", journal_list);
}

/* ---- time travel ---- */

int handle_execution_replay(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "executionId", execution_replay);
}

int handle_execution_export(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "executionId", execution_export);
}

typedef int make_fn(struct service *service, const struct principal *who, const char *execution,
                    const json_t *body, char id_r[UUID_SIZE], struct error *err);

static int make_of(struct request *request, make_fn *make, struct reply *reply, struct error *err)
{
    char id[UUID_SIZE];
    const char *origin = request_path(request, "executionId");
    if (make(request->api->service, &request->who, origin, request->body, id, err) < 0)
        return -1;
    jx_auto *json = execution_made_json(id, origin);
    reply_header(reply, "Location", "/v1/executions/%s", id);
    reply_json(reply, 202, json);
    return 0;
}

int handle_execution_retry(struct request *request, struct reply *reply, struct error *err)
{
    return make_of(request, execution_retry, reply, err);
}

int handle_execution_fork(struct request *request, struct reply *reply, struct error *err)
{
    return make_of(request, execution_fork, reply, err);
}

int handle_agent_backtest(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body_of(request, reply, err, 200, NULL, "agentId", agent_backtest);
}
