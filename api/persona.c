/* Personas. */
#include "service/persona.h"

#include "api/api-private.h"
#include "api/conditional.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/json.h"

int handle_persona_list(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (persona_list(request->api->service, &request->who, &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int handle_persona_create(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *persona = NULL;
    if (persona_create(request->api->service, &request->who, request->body, &persona, err) < 0)
        return -1;
    reply_json(reply, 201, persona);
    reply_header(reply, "Location", "/v1/personas/%s", jx_str(persona, "id", ""));
    reply_revision(reply, request, persona);
    return 0;
}

int handle_persona_get(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *persona = NULL;
    if (persona_get(request->api->service, &request->who, request_path(request, "personaId"),
                    &persona, err) < 0)
        return -1;
    reply_json(reply, 200, persona);
    reply_revision(reply, request, persona);
    return 0;
}

int handle_persona_update(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    jx_auto *persona = NULL;
    if (request_if_match(request, &condition, err) < 0 ||
        persona_update(request->api->service, &request->who, request_path(request, "personaId"),
                       request->body, condition.tag, &persona, err) < 0)
        return -1;
    reply_json(reply, 200, persona);
    reply_revision(reply, request, persona);
    return 0;
}

int handle_persona_delete(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    if (request_if_match(request, &condition, err) < 0 ||
        persona_delete(request->api->service, &request->who, request_path(request, "personaId"),
                       condition.tag, err) < 0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}
