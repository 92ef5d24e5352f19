/* Personas. */
#include "service/persona.h"

#include "api/answer.h"

int handle_persona_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, persona_list);
}

int handle_persona_create(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body(request, reply, err, 201, "/v1/personas", persona_create);
}

int handle_persona_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "personaId", persona_get);
}

int handle_persona_update(struct request *request, struct reply *reply, struct error *err)
{
    return answer_update(request, reply, err, "personaId", persona_update);
}

int handle_persona_delete(struct request *request, struct reply *reply, struct error *err)
{
    return answer_gone_if(request, reply, err, "personaId", persona_delete);
}
