/* Organizations, users, teams and who one is: resources of one shape, so that each operation is a
 * row of what its service function is. */
#include "api/api-private.h"
#include "api/conditional.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/json.h"
#include "service/organization.h"
#include "service/team.h"
#include "service/user.h"

typedef int list_fn(struct service *service, const struct principal *who,
                    const struct list_query *query, json_t **page_r, struct error *err);
typedef int create_fn(struct service *service, const struct principal *who, const json_t *body,
                      json_t **made_r, struct error *err);
typedef int get_fn(struct service *service, const struct principal *who, const char *id,
                   json_t **got_r, struct error *err);
typedef int update_fn(struct service *service, const struct principal *who, const char *id,
                      const json_t *patch, const char *if_match, json_t **got_r, struct error *err);
typedef int delete_fn(struct service *service, const struct principal *who, const char *id,
                      const char *if_match, struct error *err);
typedef int member_fn(struct service *service, const struct principal *who, const char *id,
                      const char *user_id, struct error *err);

static int answer_list(struct request *request, struct reply *reply, struct error *err, list_fn *fn)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (fn(request->api->service, &request->who, &query, &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

static int answer_create(struct request *request, struct reply *reply, struct error *err,
                         create_fn *fn)
{
    jx_auto *made = NULL;
    if (fn(request->api->service, &request->who, request->body, &made, err) < 0)
        return -1;
    reply_json(reply, 201, made);
    reply_header(reply, "Location", "%s/%s", request->route->template, jx_str(made, "id", ""));
    reply_revision(reply, request, made);
    return 0;
}

static int answer_get(struct request *request, struct reply *reply, struct error *err,
                      const char *parameter, get_fn *fn)
{
    jx_auto *got = NULL;
    if (fn(request->api->service, &request->who, request_path(request, parameter), &got, err) < 0)
        return -1;
    reply_json(reply, 200, got);
    reply_revision(reply, request, got);
    return 0;
}

static int answer_update(struct request *request, struct reply *reply, struct error *err,
                         const char *parameter, update_fn *fn)
{
    struct if_match condition;
    jx_auto *got = NULL;
    if (request_if_match(request, &condition, err) < 0 ||
        fn(request->api->service, &request->who, request_path(request, parameter), request->body,
           condition.tag, &got, err) < 0)
        return -1;
    reply_json(reply, 200, got);
    reply_revision(reply, request, got);
    return 0;
}

static int answer_delete(struct request *request, struct reply *reply, struct error *err,
                         const char *parameter, delete_fn *fn)
{
    struct if_match condition;
    if (request_if_match(request, &condition, err) < 0 ||
        fn(request->api->service, &request->who, request_path(request, parameter), condition.tag,
           err) < 0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}

static int answer_member(struct request *request, struct reply *reply, struct error *err,
                         member_fn *fn)
{
    if (fn(request->api->service, &request->who, request_path(request, "teamId"),
           request_path(request, "userId"), err) < 0)
        return -1;
    reply_empty(reply, 204);
    return 0;
}

/* ---- organizations ---- */

int handle_organization_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, organization_list);
}

int handle_organization_create(struct request *request, struct reply *reply, struct error *err)
{
    return answer_create(request, reply, err, organization_create);
}

int handle_organization_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_get(request, reply, err, "organizationId", organization_get);
}

int handle_organization_update(struct request *request, struct reply *reply, struct error *err)
{
    return answer_update(request, reply, err, "organizationId", organization_update);
}

int handle_organization_delete(struct request *request, struct reply *reply, struct error *err)
{
    return answer_delete(request, reply, err, "organizationId", organization_delete);
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
    return answer_create(request, reply, err, user_create);
}

int handle_user_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_get(request, reply, err, "userId", user_get);
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
    return answer_create(request, reply, err, team_create);
}

int handle_team_get(struct request *request, struct reply *reply, struct error *err)
{
    return answer_get(request, reply, err, "teamId", team_get);
}

int handle_team_update(struct request *request, struct reply *reply, struct error *err)
{
    return answer_update(request, reply, err, "teamId", team_update);
}

int handle_team_delete(struct request *request, struct reply *reply, struct error *err)
{
    return answer_delete(request, reply, err, "teamId", team_delete);
}

int handle_team_members(struct request *request, struct reply *reply, struct error *err)
{
    struct list_query query = request_list_query(request);
    jx_auto *page = NULL;
    if (team_members(request->api->service, &request->who, request_path(request, "teamId"), &query,
                     &page, err) < 0)
        return -1;
    reply_json(reply, 200, page);
    return 0;
}

int handle_team_member_add(struct request *request, struct reply *reply, struct error *err)
{
    return answer_member(request, reply, err, team_member_add);
}

int handle_team_member_remove(struct request *request, struct reply *reply, struct error *err)
{
    return answer_member(request, reply, err, team_member_remove);
}
