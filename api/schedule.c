/* Schedules. */
#include "service/schedule.h"

#include "api/api-private.h"
#include "api/conditional.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/json.h"

int handle_schedule_list(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (schedule_list(request->api->service, &request->who, &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int handle_schedule_list_of_agent(struct request *request, struct reply *reply, struct error *err)
{
    if (request->filters == NULL)
        request->filters = json_object();
    json_object_set_new(request->filters, "agentId", json_string(request_path(request, "agentId")));
    return handle_schedule_list(request, reply, err);
}

int handle_schedule_create(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *schedule = NULL;
    if (schedule_create(request->api->service, &request->who, request_path(request, "agentId"),
                        request->body, &schedule, err) < 0)
        return -1;
    reply_json(reply, 201, schedule);
    reply_header(reply, "Location", "/v1/schedules/%s", jx_str(schedule, "id", ""));
    reply_revision(reply, request, schedule);
    return 0;
}

int handle_schedule_get(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *schedule = NULL;
    if (schedule_get(request->api->service, &request->who, request_path(request, "scheduleId"),
                     &schedule, err) < 0)
        return -1;
    reply_json(reply, 200, schedule);
    reply_revision(reply, request, schedule);
    return 0;
}

int handle_schedule_update(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    jx_auto *schedule = NULL;
    if (request_if_match(request, &condition, err) < 0 ||
        schedule_update(request->api->service, &request->who, request_path(request, "scheduleId"),
                        request->body, condition.tag, &schedule, err) < 0)
        return -1;
    reply_json(reply, 200, schedule);
    reply_revision(reply, request, schedule);
    return 0;
}

int handle_schedule_delete(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    if (request_if_match(request, &condition, err) < 0 ||
        schedule_delete(request->api->service, &request->who, request_path(request, "scheduleId"),
                        condition.tag, err) < 0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}

static int activity_set(struct request *request, struct reply *reply, bool active,
                        struct error *err)
{
    jx_auto *schedule = NULL;
    if (schedule_set_active(request->api->service, &request->who,
                            request_path(request, "scheduleId"), active, &schedule, err) < 0)
        return -1;
    reply_json(reply, 200, schedule);
    reply_revision(reply, request, schedule);
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
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (schedule_runs(request->api->service, &request->who, request_path(request, "scheduleId"),
                      &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
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
