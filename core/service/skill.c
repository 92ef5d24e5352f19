#include "service/skill.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "host/storage.h"
#include "service/audit.h"
#include "service/manifest.h"
#include "service/problem.h"
#include "service/service-private.h"
#include "store/skill.h"

enum { RETRIES = 3 }; /* of uploading while somebody else uploads or deletes the same name */

static struct resource resource_of(const struct principal *who, const struct skill_meta *meta)
{
    return (struct resource){.organization_id = who->organization_id, .owner_id = meta->user_id};
}

static int skill_find(struct service *service, const struct principal *who, const char *ref,
                      enum action action, struct skill_meta *meta_r, struct error *err)
{
    if (store_skill_find(service->storage, who->organization_id, ref, meta_r, err) < 0)
        return -1;
    if (meta_r->id[0] == '\0')
        return permission_unseen(E_SKILL_NOT_FOUND, "skill", ref, err);
    struct resource resource = resource_of(who, meta_r);
    return permission_require(who, action, &resource, E_SKILL_NOT_FOUND, "skill", ref, err);
}

/* The shape of the API: the manifest's schemas and needs beside it, as members of their own. */
static json_t *skill_present(json_t *skill)
{
    static const char *const members[] = {"input", "output", "needs"};
    const json_t *manifest = json_object_get(skill, "manifest");
    for (size_t i = 0; i < countof(members); i++) {
        json_t *value = json_object_get(manifest, members[i]);
        if (value != NULL)
            json_object_set(skill, members[i], value);
    }
    return skill;
}

/* ---- upload ---- */

static int source_check(const struct service *service, const char *source, size_t len,
                        struct error *err)
{
    if (len == 0)
        return error_set(err, E_INVALID_SKILL, "the source is empty");
    if (len > (size_t)service->source_max)
        return error_set(err, E_INVALID_SKILL,
                         "the source has %zu bytes; [limits] skill_source allows %" PRId64, len,
                         service->source_max);
    if (memchr(source, '\0', len) != NULL || !utf8_valid(source, len))
        return error_set(err, E_INVALID_SKILL, "the source is not UTF-8 text");
    return 0;
}

static int describe(struct service *service, const char *source, size_t len, json_t **manifest_r,
                    struct error *err)
{
    if (service_engine(service, err) < 0)
        return -1;
    jx_auto *manifest = NULL;
    if (service->ops->describe(service->engine, "skill", source, len, &manifest, err) < 0)
        return -1;
    jx_auto *problems = json_array();
    manifest_check(service, manifest, problems);
    if (problem_raise(problems, E_INVALID_SKILL, "skill", err) < 0)
        return -1;
    *manifest_r = move_ptr(&manifest);
    return 0;
}

/* One try. 0 done, 1 somebody else was faster: look again, -1 error. */
static int upload_try(struct service *service, const struct principal *who, struct skill_row *row,
                      const char *wanted, char id[UUID_SIZE], bool *created_r, struct error *err)
{
    struct skill_meta meta;
    if (store_skill_find(service->storage, who->organization_id, row->name, &meta, err) < 0)
        return -1;
    bool exists = meta.id[0] != '\0';
    struct resource resource = resource_of(who, &meta);
    if (exists && permission_require(who, ACTION_WRITE, &resource, E_SKILL_NOT_FOUND, "skill",
                                     row->name, err) < 0)
        return -1;
    if (!exists && permission_create(who, "skills", err) < 0)
        return -1;
    if (wanted != NULL && (!exists || strcmp(meta.sha256, wanted) != 0))
        return error_set(err, E_PRECONDITION_FAILED, "skill %s %s", row->name,
                         exists ? "was uploaded anew since" : "is not there");
    memcpy(id, meta.id, UUID_SIZE);
    *created_r = !exists || strcmp(meta.sha256, row->sha256) != 0;
    if (!*created_r) {
        audit_unchanged(who);
        return 0;
    }
    row->id = exists ? id : uuid_make(id);
    row->at = clock_wall_us();
    struct storage_batch *batch = storage_batch_new();
    if (exists)
        store_skill_guard(batch, id, meta.sha256);
    (exists ? store_skill_revise : store_skill_insert)(batch, row);
    static const struct conflict none[] = {{-1, E_NONE, NULL}};
    autofree char *location = xasprintf("/v1/skills/%s", row->name);
    jx_auto *before = exists ? json_pack("{s:s}", "sha256", meta.sha256) : NULL;
    jx_auto *after = json_pack("{s:s, s:s, s:s}", "name", row->name, "version", row->version,
                               "sha256", row->sha256);
    audit_change(service, batch, who, "skill", id, before, after);
    error_auto failure = ERROR_INIT;
    if (service_commit_made(service, who, batch, 201, location, none, &failure) == 0)
        return 0;
    return failure.code == E_INVALID_STATE ? 1 : error_move(err, &failure);
}

int skill_upload(struct service *service, const struct principal *who, const char *source,
                 size_t len, const char *if_match, json_t **skill_r, bool *created_r,
                 struct error *err)
{
    jx_auto *manifest = NULL;
    if (permission_create(who, "skills", err) < 0 || source_check(service, source, len, err) < 0 ||
        describe(service, source, len, &manifest, err) < 0)
        return -1;
    char sha256[SHA256_HEX_SIZE], id[UUID_SIZE];
    autofree char *text = jx_encode(manifest, NULL);
    struct skill_row row = {.name = jx_str(manifest, "name", ""),
                            .version = jx_str(manifest, "version", ""),
                            .user_id = who->user_id,
                            .organization_id = who->organization_id,
                            .sha256 = hash_sha256_hex(source, len, sha256),
                            .source = source,
                            .source_len = len,
                            .manifest = text};
    int busy = 1;
    for (int i = 0; i < RETRIES && busy > 0; i++)
        busy = upload_try(service, who, &row, if_match, id, created_r, err);
    if (busy > 0)
        return error_set(err, E_UNAVAILABLE, "skill %s is being changed by others; try again",
                         row.name);
    return busy < 0 ? -1 : skill_get(service, who, id, sha256, skill_r, err);
}

/* ---- the rest ---- */

int skill_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err)
{
    const struct c9d_value scope[] = {list_text(who->organization_id)};
    return service_list(service, &store_skill_list, query, scope, page_r, err);
}

int skill_get(struct service *service, const struct principal *who, const char *ref,
              const char *revision, json_t **skill_r, struct error *err)
{
    struct skill_meta meta;
    jx_auto *skill = NULL;
    if (store_skill_get(service->storage, who->organization_id, ref, revision, &meta, &skill, err) <
        0)
        return -1;
    struct resource resource = resource_of(who, &meta);
    if (meta.id[0] == '\0' || !permission_has(who, ACTION_READ, &resource))
        return permission_unseen(E_SKILL_NOT_FOUND, "skill", ref, err);
    if (skill == NULL)
        return error_set(err, E_SKILL_NOT_FOUND, "skill %s has no revision %.64s", meta.name,
                         revision != NULL ? revision : meta.sha256);
    *skill_r = skill_present(move_ptr(&skill));
    return 0;
}

int skill_revisions(struct service *service, const struct principal *who, const char *ref,
                    json_t **page_r, struct error *err)
{
    struct skill_meta meta;
    if (skill_find(service, who, ref, ACTION_READ, &meta, err) < 0)
        return -1;
    const struct list_query query = {.limit = LIST_LIMIT_MAX};
    const struct c9d_value scope[] = {list_text(meta.id)};
    return service_list(service, &store_skill_revision_list, &query, scope, page_r, err);
}

int skill_delete(struct service *service, const struct principal *who, const char *ref,
                 const char *if_match, struct error *err)
{
    const struct conflict conflicts[] = {
        {0, if_match != NULL ? E_PRECONDITION_FAILED : E_SKILL_NOT_FOUND,
         "the skill was uploaded anew since, or deleted"},
        {1, E_RESOURCE_IN_USE, "the skill is in the skillset of agents"},
        {-1, E_NONE, NULL}};
    struct skill_meta meta;
    if (skill_find(service, who, ref, ACTION_WRITE, &meta, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_skill_guard(batch, meta.id, if_match);
    store_skill_delete(batch, meta.id, meta.name, who->organization_id);
    jx_auto *before = json_pack("{s:s, s:s}", "name", meta.name, "sha256", meta.sha256);
    audit_change(service, batch, who, "skill", meta.id, before, NULL);
    error_auto failure = ERROR_INIT;
    if (service_commit(service, batch, conflicts, &failure) == 0)
        return 0;
    jx_auto *agents = NULL;
    if (failure.code == E_RESOURCE_IN_USE &&
        store_skill_agents(service->storage, who->organization_id, meta.name, &agents, NULL) == 0)
        error_detail(&failure, "agents", move_ptr(&agents));
    return error_move(err, &failure);
}
