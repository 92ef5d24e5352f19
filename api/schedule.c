/* Schedules. */
#include "service/schedule.h"

#include "api/answer.h"
#include "api/api-private.h"
#include "api/conditional.h"
#include "base/json.h"

int handle_schedule_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, schedule_list);
}

int handle_schedule_list_of_agent(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_by(request, reply, err, "agentId", schedule_list);
}

int handle_schedule_create(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body_of(request, reply, err, 201, "/v1/schedules", "agentId", schedule_create);
}

int handle_schedule_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "scheduleId", schedule_get);
}

int handle_schedule_update(struct request *request, struct reply *reply, struct error *err)
{
    return answer_update(request, reply, err, "scheduleId", schedule_update);
}

int handle_schedule_delete(struct request *request, struct reply *reply, struct error *err)
{
    return answer_gone_if(request, reply, err, "scheduleId", schedule_delete);
}

static int activity_set(struct request *request, struct reply *reply, bool active,
                        struct error *err)
{
    jx_auto *schedule = NULL;
    if (schedule_set_active(request->api->service, &request->who,
                            request_path(request, "scheduleId"), active, &schedule, err) < 0)
        return -1;
    reply_resource(reply, request, 200, schedule);
    return 0;
}

int handle_schedule_pause(struct request *request, struct reply *reply, struct error *err)
{
    return activity_set(request, reply, false, err);
}

int handle_schedule_resume(struct request *request, struct reply *reply, struct error *err)
{
    return activity_set(request, reply, true, err);
}

int handle_schedule_run(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *run = NULL;
    if (schedule_run_now(request->api->service, &request->who, request_path(request, "scheduleId"),
                         &run, err) < 0)
        return -1;
    reply_json(reply, 202, run);
    reply_header(reply, "Location", "/v1/executions/%s", jx_str(run, "executionId", ""));
    return 0;
}

int handle_schedule_runs(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_of(request, reply, err, "scheduleId", schedule_runs);
}

int handle_schedule_preview(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *preview = NULL;
    if (schedule_preview(request->api->service, request->body, &preview, err) < 0)
        return -1;
    reply_json(reply, 200, preview);
    return 0;
}

int handle_schedule_preview_of(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *preview = NULL;
    if (schedule_preview_of(request->api->service, &request->who,
                            request_path(request, "scheduleId"), jx_int(request->query, "count", 0),
                            &preview, err) < 0)
        return -1;
    reply_json(reply, 200, preview);
    return 0;
}
