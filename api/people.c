/* Organizations, users, teams and who one is. */
#include "api/answer.h"
#include "api/api-private.h"
#include "api/conditional.h"
#include "base/json.h"
#include "service/organization.h"
#include "service/team.h"
#include "service/user.h"

/* ---- organizations ---- */

int handle_organization_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, organization_list);
}

int handle_organization_create(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body(request, reply, err, 201, "/v1/organizations", organization_create);
}

int handle_organization_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "organizationId", organization_get);
}

int handle_organization_update(struct request *request, struct reply *reply, struct error *err)
{
    return answer_update(request, reply, err, "organizationId", organization_update);
}

int handle_organization_delete(struct request *request, struct reply *reply, struct error *err)
{
    return answer_gone_if(request, reply, err, "organizationId", organization_delete);
}

/* ---- users ---- */

int handle_me(struct request *request, struct reply *reply, struct error *err)
{
    jx_auto *me = NULL;
    if (user_me(request->api->service, &request->who, &me, err) < 0)
        return -1;
    reply_json(reply, 200, me);
    return 0;
}

int handle_user_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, user_list);
}

int handle_user_create(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body(request, reply, err, 201, "/v1/users", user_create);
}

int handle_user_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "userId", user_get);
}

int handle_user_update(struct request *request, struct reply *reply, struct error *err)
{
    return answer_update(request, reply, err, "userId", user_update);
}

int handle_user_delete(struct request *request, struct reply *reply, struct error *err)
{
    struct if_match condition;
    if (request_if_match(request, &condition, err) < 0 ||
        user_delete(request->api->service, &request->who, request_path(request, "userId"),
                    jx_str(request->query, "handOverTo", NULL), condition.tag, err) < 0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}

/* ---- teams ---- */

int handle_team_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, team_list);
}

int handle_team_create(struct request *request, struct reply *reply, struct error *err)
{
    return answer_body(request, reply, err, 201, "/v1/teams", team_create);
}

int handle_team_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "teamId", team_get);
}

int handle_team_update(struct request *request, struct reply *reply, struct error *err)
{
    return answer_update(request, reply, err, "teamId", team_update);
}

int handle_team_delete(struct request *request, struct reply *reply, struct error *err)
{
    return answer_gone_if(request, reply, err, "teamId", team_delete);
}

int handle_team_members(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list_of(request, reply, err, "teamId", team_members);
}

int handle_team_member_add(struct request *request, struct reply *reply, struct error *err)
{
    return answer_gone_part(request, reply, err, "teamId", "userId", team_member_add);
}

int handle_team_member_remove(struct request *request, struct reply *reply, struct error *err)
{
    return answer_gone_part(request, reply, err, "teamId", "userId", team_member_remove);
}
