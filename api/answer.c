#include "api/answer.h"

#include "api/api-private.h"
#include "api/conditional.h"
#include "base/json.h"

/* ---- lists ---- */

int answer_list(struct request *request, struct reply *reply, struct error *err, answer_list_fn *fn)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (fn(request->api->service, &request->who, &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int answer_list_by(struct request *request, struct reply *reply, struct error *err,
                   const char *parameter, answer_list_fn *fn)
{
    if (request->filters == NULL)
        request->filters = json_object();
    json_object_set_new(request->filters, parameter, json_string(request_path(request, parameter)));
    return answer_list(request, reply, err, fn);
}

int answer_list_of(struct request *request, struct reply *reply, struct error *err,
                   const char *parameter, answer_list_of_fn *fn)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (fn(request->api->service, &request->who, request_path(request, parameter), &query, &page,
           err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

/* ---- resources ---- */

int answer_one(struct request *request, struct reply *reply, struct error *err, int status,
               const char *parameter, answer_one_fn *fn)
{
    jx_auto *resource = NULL;
    if (fn(request->api->service, &request->who, request_path(request, parameter), &resource, err) <
        0)
        return -1;
    reply_resource(reply, request, status, resource);
    return 0;
}

int answer_part(struct request *request, struct reply *reply, struct error *err, int status,
                const char *parameter, const char *part, answer_part_fn *fn)
{
    jx_auto *resource = NULL;
    if (fn(request->api->service, &request->who, request_path(request, parameter),
           request_path(request, part), &resource, err) < 0)
        return -1;
    reply_resource(reply, request, status, resource);
    return 0;
}

/* ---- what a body makes ---- */

static void reply_made(struct reply *reply, const struct request *request, int status,
                       const char *location, const json_t *resource)
{
    reply_resource(reply, request, status, resource);
    if (location != NULL)
        reply_header(reply, "Location", "%s/%s", location, jx_str(resource, "id", ""));
}

int answer_body(struct request *request, struct reply *reply, struct error *err, int status,
                const char *location, answer_body_fn *fn)
{
    jx_auto *resource = NULL;
    if (fn(request->api->service, &request->who, request->body, &resource, err) < 0)
        return -1;
    reply_made(reply, request, status, location, resource);
    return 0;
}

int answer_body_of(struct request *request, struct reply *reply, struct error *err, int status,
                   const char *location, const char *parameter, answer_body_of_fn *fn)
{
    jx_auto *resource = NULL;
    if (fn(request->api->service, &request->who, request_path(request, parameter), request->body,
           &resource, err) < 0)
        return -1;
    reply_made(reply, request, status, location, resource);
    return 0;
}

int answer_update(struct request *request, struct reply *reply, struct error *err,
                  const char *parameter, answer_update_fn *fn)
{
    struct if_match condition;
    jx_auto *resource = NULL;
    if (request_if_match(request, &condition, err) < 0 ||
        fn(request->api->service, &request->who, request_path(request, parameter), request->body,
           condition.tag, &resource, err) < 0)
        return -1;
    reply_resource(reply, request, 200, resource);
    return 0;
}

/* ---- what is gone ---- */

int answer_gone(struct request *request, struct reply *reply, struct error *err,
                const char *parameter, answer_gone_fn *fn)
{
    if (fn(request->api->service, &request->who, request_path(request, parameter), err) < 0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}

int answer_gone_if(struct request *request, struct reply *reply, struct error *err,
                   const char *parameter, answer_gone_if_fn *fn)
{
    struct if_match condition;
    if (request_if_match(request, &condition, err) < 0 ||
        fn(request->api->service, &request->who, request_path(request, parameter), condition.tag,
           err) < 0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}

int answer_gone_part(struct request *request, struct reply *reply, struct error *err,
                     const char *parameter, const char *part, answer_gone_part_fn *fn)
{
    if (fn(request->api->service, &request->who, request_path(request, parameter),
           request_path(request, part), err) < 0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}

int answer_gone_part_if(struct request *request, struct reply *reply, struct error *err,
                        const char *parameter, const char *part, answer_gone_part_if_fn *fn)
{
    struct if_match condition;
    if (request_if_match(request, &condition, err) < 0 ||
        fn(request->api->service, &request->who, request_path(request, parameter),
           request_path(request, part), condition.tag, err) < 0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}
