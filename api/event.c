/* Events: CloudEvents in structured, batched and binary messages. */
#include "service/event.h"

#include <string.h>
#include <strings.h>

#include "api/answer.h"
#include "api/api-private.h"
#include "api/media.h"
#include "base/json.h"
#include "service/cloudevent.h"
#include "service/problem.h"

#define MEDIA_EVENT  "application/cloudevents+json"
#define MEDIA_EVENTS "application/cloudevents-batch+json"

static void event_add(json_t *events, json_t *event)
{
    if (event != NULL)
        json_array_append_new(events, event);
}

static int batch_read(const struct request *request, json_t *events, json_t *problems,
                      struct error *err)
{
    int64_t max = event_batch_max(request->api->service);
    size_t n = json_array_size(request->body);
    if (n > (size_t)max)
        return error_set(err, E_INVALID_REQUEST,
                         "there are %zu events; [events] batch allows %ld in one request", n,
                         (long)max);
    for (size_t i = 0; i < n; i++) {
        autofree char *path = xasprintf("/%zu", i);
        event_add(events, cloudevent_read(json_array_get(request->body, i), path, problems));
    }
    return 0;
}

static int binary_read(const struct request *request, json_t *events, json_t *problems,
                       struct error *err)
{
    struct cloudevent_header headers[REQUEST_HEADERS_MAX];
    const struct header *type = request_header(request, "Content-Type");
    size_t n = 0;
    for (size_t i = 0; i < request->n_headers; i++)
        if (strncasecmp(request->headers[i].name, "ce-", 3) == 0)
            headers[n++] =
                (struct cloudevent_header){request->headers[i].name, request->headers[i].value};
    if (n == 0)
        return error_set(err, E_UNSUPPORTED_MEDIA_TYPE,
                         "this is no CloudEvent: send " MEDIA_EVENT ", " MEDIA_EVENTS
                         ", or the attributes as headers ce-id, ce-source, ce-type, "
                         "ce-specversion");
    const struct buf *body = &request->body_text;
    event_add(events,
              cloudevent_read_binary(headers, n, type != NULL ? type->value : NULL,
                                     body->data != NULL ? body->data : "", body->len, problems));
    return 0;
}

/* The events of the request, whatever way they came: an array, or NULL. */
static json_t *events_read(const struct request *request, struct error *err)
{
    jx_auto *events = json_array();
    jx_auto *problems = json_array();
    const char *media = request->body_type != NULL ? request->body_type->media : "";
    int result = 0;
    if (strcmp(media, MEDIA_EVENTS) == 0)
        result = batch_read(request, events, problems, err);
    else if (strcmp(media, MEDIA_EVENT) == 0)
        event_add(events, cloudevent_read(request->body, "", problems));
    else
        result = binary_read(request, events, problems, err);
    if (result < 0 || problem_raise(problems, E_INVALID_EVENT, "event", err) < 0)
        return NULL;
    return move_ptr(&events);
}

int handle_event_send(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *result = NULL;
    jx_auto *events = events_read(request, err);
    if (events == NULL ||
        event_take(request->api->service, &request->who, events, NULL, &result, err) < 0)
        return -1;
    reply_json(reply, 202, result);
    return 0;
}

int handle_event_test(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *result = NULL;
    jx_auto *events = events_read(request, err);
    if (events == NULL ||
        event_test(request->api->service, &request->who, events, &result, err) < 0)
        return -1;
    reply_json(reply, 200, result);
    return 0;
}

int handle_event_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, event_list);
}

int handle_event_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "eventId", event_get);
}
