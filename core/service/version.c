#include "service/version.h"

#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/agent_config.h"
#include "service/audit.h"
#include "service/semver.h"
#include "service/service-private.h"
#include "store/version.h"

enum { CHANGELOG_MAX = 80000, RETRIES = 5 };
#define FIRST_VERSION "1.0.0"

int changelog_read(const json_t *body, const char **changelog_r, struct error *err)
{
    const json_t *changelog = json_object_get(body, "changelog");
    *changelog_r = json_string_value(changelog);
    if (changelog == NULL || json_is_null(changelog) ||
        (json_is_string(changelog) && json_string_length(changelog) <= CHANGELOG_MAX))
        return 0;
    return error_set(err, E_INVALID_REQUEST, "changelog: must be a text of at most %d bytes",
                     CHANGELOG_MAX);
}

/* ---- creating ---- */

struct highest {
    char version[SEMVER_MAX + 1];
};

static void highest_see(void *arg, const struct version_meta *meta)
{
    struct highest *highest = arg;
    const char *version = meta->version;
    if (!semver_valid(version) ||
        (highest->version[0] != '\0' && semver_compare(version, highest->version) <= 0))
        return;
    snprintf(highest->version, sizeof(highest->version), "%s", version);
}

static int version_next(struct service *service, const char *agent_id, char out[SEMVER_MAX + 1],
                        struct error *err)
{
    struct highest highest = {""};
    if (store_version_each(service->storage, agent_id, highest_see, &highest, err) < 0)
        return -1;
    if (highest.version[0] == '\0') {
        snprintf(out, SEMVER_MAX + 1, "%s", FIRST_VERSION);
        return 0;
    }
    if (!semver_next(highest.version, out))
        return error_set(err, E_INVALID_REQUEST,
                         "version: there is no next patch of %s; say which version",
                         highest.version);
    return 0;
}

/* Of a version to be the beginning of a new one. */
static int config_from(struct service *service, const char *agent_id, const char *ref,
                       json_t **config_r, struct error *err)
{
    jx_auto *version = NULL;
    if (version_find(service, agent_id, ref, &version, err) < 0)
        return error_wrap(err, "from");
    enum life state = life_of(jx_str(version, "status", ""));
    if (version_require(version, life_working_event(state), err) < 0)
        return error_wrap(err, "from");
    *config_r = json_incref(json_object_get(version, "config"));
    return 0;
}

/* The configuration to be kept: the body's, another version's, or the draft. */
static int version_config(struct service *service, const struct principal *who, const json_t *body,
                          const struct agent_meta *meta, const json_t *agent, json_t **config_r,
                          struct error *err)
{
    const json_t *given = json_object_get(body, "config");
    const char *from = jx_str(body, "from", NULL);
    bool own = given != NULL && !json_is_null(given);
    if (own && from != NULL)
        return error_set(err, E_INVALID_REQUEST, "config, from: only one of them can be given");
    if (from != NULL)
        return config_from(service, meta->id, from, config_r, err);
    if (own && agent_config_require(service, who->organization_id, given, err) < 0)
        return error_wrap(err, "config");
    *config_r = agent_config_of(own ? given : agent);
    return 0;
}

void part_audit(struct service *service, struct storage_batch *batch, const struct principal *who,
                const char *type, const char *agent_id, const char *name, const json_t *before,
                const json_t *after)
{
    autofree char *id = xasprintf("%s/%s", agent_id, name);
    audit_change(service, batch, who, type, id, before, after);
}

/* 0 done; 1: somebody else has made this version meanwhile; -1 error. */
static int version_insert(struct service *service, const struct principal *who,
                          const struct version_row *row, const json_t *config, struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_VERSION_CONFLICT, ""}, {-1, E_NONE, NULL}};
    struct storage_batch *batch = storage_batch_new();
    store_version_insert(batch, row);
    jx_auto *after = json_pack("{s:s, s:O, s:s*}", "status", "draft", "config", config, "changelog",
                               row->changelog);
    part_audit(service, batch, who, "version", row->agent_id, row->version, NULL, after);
    autofree char *location = xasprintf("/v1/agents/%s/versions/%s", row->agent_id, row->version);
    error_auto failure = ERROR_INIT;
    if (service_commit_made(service, who, batch, 201, location, conflicts, &failure) == 0)
        return 0;
    return failure.code == E_VERSION_CONFLICT ? 1 : error_move(err, &failure);
}

int version_create(struct service *service, const struct principal *who, const char *agent_id,
                   const json_t *body, json_t **version_r, struct error *err)
{
    struct agent_meta meta;
    jx_auto *agent = NULL, *config = NULL;
    char id[UUID_SIZE], next[SEMVER_MAX + 1];
    const char *asked = jx_str(body, "version", NULL), *changelog;
    if (agent_find(service, who, agent_id, ACTION_WRITE, &meta, &agent, err) < 0 ||
        changelog_read(body, &changelog, err) < 0 ||
        agent_require(&meta, life_working_event(life_of(meta.status)), err) < 0 ||
        version_config(service, who, body, &meta, agent, &config, err) < 0)
        return -1;
    if (asked != NULL && !semver_valid(asked))
        return error_set(err, E_INVALID_REQUEST,
                         "version: must be a semantic version such as 1.2.0, of at most %d bytes",
                         SEMVER_MAX);
    autofree char *text = jx_encode(config, NULL);
    struct version_row row = {.id = uuid_make(id),
                              .agent_id = meta.id,
                              .version = asked != NULL ? asked : next,
                              .config = text,
                              .changelog = changelog,
                              .user_id = who->user_id,
                              .at = clock_wall_us()};
    int taken = 1;
    for (int i = 0; i < (asked != NULL ? 1 : RETRIES) && taken > 0; i++) {
        if (asked == NULL && version_next(service, meta.id, next, err) < 0)
            return -1;
        taken = version_insert(service, who, &row, config, err);
    }
    if (taken > 0)
        return error_set(err, E_VERSION_CONFLICT, "agent %s has a version %s already", meta.id,
                         row.version);
    return taken < 0 ? -1 : version_find(service, meta.id, row.version, version_r, err);
}

/* ---- looking ---- */

int version_list(struct service *service, const struct principal *who, const char *agent_id,
                 const struct list_query *query, json_t **page_r, struct error *err)
{
    struct agent_meta meta;
    if (agent_find(service, who, agent_id, ACTION_READ, &meta, NULL, err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(meta.id)};
    return service_list(service, &store_version_list, query, scope, page_r, err);
}

int version_get(struct service *service, const struct principal *who, const char *agent_id,
                const char *ref, json_t **version_r, struct error *err)
{
    struct agent_meta meta;
    if (agent_find(service, who, agent_id, ACTION_READ, &meta, NULL, err) < 0)
        return -1;
    return version_find(service, meta.id, ref, version_r, err);
}

/* ---- changing drafts ---- */

static int patch_check(const json_t *patch, struct error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(patch))
        return error_set(err, E_INVALID_REQUEST, "the patch must be an object (RFC 7396)");
    json_object_foreach ((json_t *)patch, key, value)
        if (strcmp(key, "config") != 0 && strcmp(key, "changelog") != 0)
            return error_set(err, E_INVALID_REQUEST,
                             "%.64s: of a version only config and changelog can be changed", key);
    return 0;
}

/* One try. 0 done, 1 another revision by now, -1 error. */
static int update_try(struct service *service, const struct principal *who,
                      const struct agent_meta *meta, const char *version, const json_t *patch,
                      const int64_t *wanted, json_t **version_r, struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_PRECONDITION_FAILED, ""}, {-1, E_NONE, NULL}};
    jx_auto *row = NULL;
    const char *changelog;
    if (version_find(service, meta->id, version, &row, err) < 0)
        return -1;
    int64_t revision = jx_int(row, "revision", 0);
    const char *exact = jx_str(row, "version", "");
    if (life_of(jx_str(row, "status", "")) != LIFE_DRAFT)
        return error_set(err, E_VERSION_CONFLICT,
                         "version %s of agent %s is %s and cannot be changed", exact, meta->id,
                         jx_str(row, "status", ""));
    if (service_revision_check(revision, wanted, "version", err) < 0)
        return -1;
    jx_auto *merged = jx_merge_patch(row, patch);
    const json_t *given = json_object_get(merged, "config");
    if (changelog_read(merged, &changelog, err) < 0)
        return -1;
    if (agent_config_require(service, who->organization_id, given, err) < 0)
        return error_wrap(err, "config");
    jx_auto *config = agent_config_of(given);
    autofree char *text = jx_encode(config, NULL);
    struct storage_batch *batch = storage_batch_new();
    store_version_edit(batch, meta->id, exact, revision, text, changelog);
    jx_auto *before = json_pack("{s:O, s:O*}", "config", json_object_get(row, "config"),
                                "changelog", json_object_get(row, "changelog"));
    jx_auto *after = json_pack("{s:O, s:s*}", "config", config, "changelog", changelog);
    part_audit(service, batch, who, "version", meta->id, exact, before, after);
    error_auto failure = ERROR_INIT;
    if (service_commit(service, batch, conflicts, &failure) == 0)
        return version_find(service, meta->id, exact, version_r, err);
    return failure.code == E_PRECONDITION_FAILED ? 1 : error_move(err, &failure);
}

int version_update(struct service *service, const struct principal *who, const char *agent_id,
                   const char *version, const json_t *patch, const char *if_match,
                   json_t **version_r, struct error *err)
{
    struct agent_meta meta;
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    if (conditional < 0 || patch_check(patch, err) < 0 ||
        agent_find(service, who, agent_id, ACTION_WRITE, &meta, NULL, err) < 0 ||
        agent_require(&meta, life_working_event(life_of(meta.status)), err) < 0)
        return -1;
    int busy = 1;
    for (int i = 0; i < RETRIES && busy > 0; i++) /* a second look says what it has become */
        busy = update_try(service, who, &meta, version, patch, conditional != 0 ? &wanted : NULL,
                          version_r, err);
    if (busy > 0)
        return error_set(err, E_UNAVAILABLE, "version %.64s is being changed by others; try again",
                         version);
    return busy;
}

int version_delete(struct service *service, const struct principal *who, const char *agent_id,
                   const char *version, const char *if_match, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_INVALID_STATE,
         "executions of the version are pending or running (cancel them or wait for their end), or "
         "it was changed meanwhile"},
        {-1, E_NONE, NULL}};
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    struct agent_meta meta;
    jx_auto *row = NULL;
    if (conditional < 0 || agent_find(service, who, agent_id, ACTION_WRITE, &meta, NULL, err) < 0 ||
        version_find(service, meta.id, version, &row, err) < 0 ||
        version_require(row, LIFE_DELETE, err) < 0)
        return -1;
    int64_t revision = jx_int(row, "revision", 0);
    if (service_revision_check(revision, conditional != 0 ? &wanted : NULL, "version", err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_version_delete(batch, meta.id, jx_str(row, "version", ""), revision);
    part_audit(service, batch, who, "version", meta.id, jx_str(row, "version", ""), row, NULL);
    return service_commit(service, batch, conflicts, err);
}
