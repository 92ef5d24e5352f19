/* Tokens. */
#include "service/token.h"

#include "api/answer.h"

int handle_token_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, token_list);
}

int handle_token_create(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body(request, reply, err, 201, "/v1/tokens", token_create);
}

int handle_token_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "tokenId", token_get);
}

int handle_token_rotate(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body_of(request, reply, err, 201, "/v1/tokens", "tokenId", token_rotate);
}

int handle_token_revoke(struct request *request, struct reply *reply, struct error *err)
{
    return answer_gone(request, reply, err, "tokenId", token_revoke);
}
