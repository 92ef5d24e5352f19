/* Skills. */
#include "service/skill.h"

#include <string.h>

#include "api/answer.h"
#include "api/api-private.h"
#include "api/conditional.h"
#include "base/json.h"
#include "base/utf8.h"

int handle_skill_list(struct request *request, struct reply *reply, struct error *err)
{
    return answer_list(request, reply, err, skill_list);
}

/* The Lua file: the body itself, or its member "source". */
static int source_find(const struct request *request, const char **source_r, size_t *len_r,
                       struct error *err)
{
    const json_t *member = json_object_get(request->body, "source");
    *source_r = member != NULL ? json_string_value(member) : request->body_text.data;
    *len_r = member != NULL ? json_string_length(member) : request->body_text.len;
    if (!utf8_valid(*source_r, *len_r))
        return error_set(err, E_INVALID_REQUEST, "the Lua file is not UTF-8");
    return 0;
}

int handle_skill_upload(struct request *request, struct reply *reply, struct error *err)
{
    const char *source;
    size_t len;
    bool created;
    struct if_match condition;
    jx_auto *skill = NULL;
    if (source_find(request, &source, &len, err) < 0 ||
        request_if_match(request, &condition, err) < 0 ||
        skill_upload(request->api->service, &request->who, source, len, condition.tag, &skill,
                     &created, err) < 0)
        return -1;
    reply_json(reply, created ? 201 : 200, skill);
    reply_header(reply, "Location", "/v1/skills/%s", jx_str(skill, "name", ""));
    return 0;
}

static int skill_reply(struct request *request, struct reply *reply, const char *revision,
                       struct error *err)
{
    jx_auto *skill = NULL;
    if (skill_get(request->api->service, &request->who, request_path(request, "skill"), revision,
                  &skill, err) < 0)
        return -1;
    reply_json(reply, 200, skill);
    reply_etag(reply, request, jx_str(skill, "sha256", ""));
    return 0;
}

int handle_skill_get(struct request *request, struct reply *reply, struct error *err)
{
    return skill_reply(request, reply, NULL, err);
}

int handle_skill_revision(struct request *request, struct reply *reply, struct error *err)
{
    return skill_reply(request, reply, request_path(request, "sha256"), err);
}

int handle_skill_revisions(struct request *request, struct reply *reply, struct error *err)
{
    return answer_one(request, reply, err, 200, "skill", skill_revisions);
}

int handle_skill_delete(struct request *request, struct reply *reply, struct error *err)
{
    return answer_gone_if(request, reply, err, "skill", skill_delete);
}
