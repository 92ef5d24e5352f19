#include "service/version.h"

#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/agent_config.h"
#include "service/launch.h"
#include "service/manifest.h"
#include "service/semver.h"
#include "service/service-private.h"
#include "service/trigger.h"
#include "store/skill.h"
#include "store/version.h"

enum { CHANGELOG_MAX = 80000, RETRIES = 5 };
#define FIRST_VERSION "1.0.0"

static int changelog_check(const json_t *body, const char **changelog_r, struct error *err)
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

static void highest_see(void *arg, const char *version)
{
    struct highest *highest = arg;
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

/* The configuration to be kept: the body's, or the draft. */
static int version_config(struct service *service, const struct principal *who, const json_t *body,
                          const json_t *agent, json_t **config_r, struct error *err)
{
    const json_t *given = json_object_get(body, "config");
    bool own = given != NULL && !json_is_null(given);
    if (own && agent_config_require(service, who->organization_id, given, err) < 0)
        return error_wrap(err, "config");
    *config_r = agent_config_of(own ? given : agent);
    return 0;
}

/* 0 done; 1: somebody else has made this version meanwhile; -1 error. */
static int version_insert(struct service *service, const struct principal *who,
                          const struct version_row *row, struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_VERSION_CONFLICT, ""}, {-1, E_NONE, NULL}};
    struct storage_batch *batch = storage_batch_new();
    store_version_insert(batch, row);
    autofree char *location = xasprintf("/v1/agents/%s/versions/%s", row->agent_id, row->version);
    error_auto failure = ERROR_INIT;
    if (service_commit_made(service, who, batch, 201, location, conflicts, &failure) == 0)
        return 0;
    return failure.code == E_VERSION_CONFLICT ? 1 : error_move(err, &failure);
}

static int version_read(struct service *service, const char *agent_id, const char *version,
                        json_t **version_r, struct error *err)
{
    bool latest = version == NULL || strcmp(version, "latest") == 0;
    if (store_version_get(service->storage, agent_id, latest ? NULL : version, version_r, err) < 0)
        return -1;
    if (*version_r != NULL)
        return 0;
    return latest
               ? error_set(err, E_VERSION_NOT_FOUND, "agent %s has no published version", agent_id)
               : error_set(err, E_VERSION_NOT_FOUND, "agent %s has no version %.64s", agent_id,
                           version);
}

int version_create(struct service *service, const struct principal *who, const char *agent_id,
                   const json_t *body, json_t **version_r, struct error *err)
{
    struct agent_meta meta;
    jx_auto *agent = NULL, *config = NULL;
    char id[UUID_SIZE], next[SEMVER_MAX + 1];
    const char *asked = jx_str(body, "version", NULL), *changelog;
    if (agent_find(service, who, agent_id, ACTION_WRITE, &meta, &agent, err) < 0 ||
        changelog_check(body, &changelog, err) < 0 ||
        version_config(service, who, body, agent, &config, err) < 0)
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
        taken = version_insert(service, who, &row, err);
    }
    if (taken > 0)
        return error_set(err, E_VERSION_CONFLICT, "agent %s has a version %s already", meta.id,
                         row.version);
    return taken < 0 ? -1 : version_read(service, meta.id, row.version, version_r, err);
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
                const char *version, json_t **version_r, struct error *err)
{
    struct agent_meta meta;
    if (agent_find(service, who, agent_id, ACTION_READ, &meta, NULL, err) < 0)
        return -1;
    return version_read(service, meta.id, version, version_r, err);
}

/* ---- publishing ---- */

/* What the version current before could do; nothing when there was none. */
static int capabilities_before(struct service *service, const char *agent_id, json_t **before_r,
                               struct error *err)
{
    jx_auto *current = NULL, *needs = NULL;
    if (store_version_get(service->storage, agent_id, NULL, &current, err) < 0)
        return -1;
    if (current != NULL && launch_needs(service, json_object_get(current, "config"),
                                        json_object_get(current, "pins"), &needs, err) < 0)
        return error_wrap(err, "the version current before");
    *before_r = manifest_capabilities(needs);
    return 0;
}

static int capabilities_change(struct service *service, const char *agent_id, const json_t *config,
                               const json_t *pins, json_t **change_r, struct error *err)
{
    jx_auto *needs = NULL, *before = NULL;
    if (launch_needs(service, config, pins, &needs, err) < 0 ||
        capabilities_before(service, agent_id, &before, err) < 0)
        return -1;
    jx_auto *after = manifest_capabilities(needs);
    *change_r = json_pack("{s:o, s:o}", "gained", manifest_difference(after, before), "lost",
                          manifest_difference(before, after));
    return 0;
}

/* Everything in one batch: the agent's state, the current mark, the pins, and that all that is
 * pinned is still there. */
static int publish_commit(struct service *service, const struct principal *who,
                          const char *agent_id, const char *version, const json_t *config,
                          const json_t *pins, const char *changelog, struct error *err)
{
    struct conflict conflicts[] = {
        {0, E_INVALID_STATE, "the agent is archived, or was removed meanwhile"},
        {1, E_VERSION_CONFLICT, "another version is being published at the same time; try again"},
        {2, E_VERSION_CONFLICT, "the version is published already and cannot be changed"},
        {-1, E_NONE, NULL}};
    autofree char *pins_text = jx_encode(pins, NULL);
    int64_t now = clock_wall_us();
    struct storage_batch *batch = storage_batch_new();
    store_agent_published(batch, agent_id, version, now);
    store_version_publish(batch, agent_id, version, pins_text, changelog, now);
    if (json_object_get(pins, "loop") != NULL)
        store_source_insert(batch, service->loop.sha256, service->loop.source, service->loop.len,
                            service->loop.manifest);
    const json_t *skills = json_object_get(pins, "skills");
    for (size_t i = 0; i < json_array_size(skills); i++)
        store_source_guard(batch, jx_str(json_array_get(skills, i), "sha256", ""));
    if (trigger_publish(service, batch, who, agent_id, config, err) < 0) {
        storage_batch_free(batch);
        return -1;
    }
    autofree char *location = xasprintf("/v1/agents/%s/versions/%s", agent_id, version);
    error_auto failure = ERROR_INIT;
    if (service_commit_made(service, who, batch, 200, location, conflicts, &failure) == 0)
        return 0;
    if (failure.code == E_INVALID_STATE && jx_int(failure.details, "statement", 0) > 2)
        return error_set(err, E_INVALID_AGENT_CONFIG,
                         "a skill of the version was removed meanwhile");
    return error_move(err, &failure);
}

int version_publish(struct service *service, const struct principal *who, const char *agent_id,
                    const char *version, const json_t *body, json_t **version_r, struct error *err)
{
    struct agent_meta meta;
    jx_auto *row = NULL, *pins = NULL, *change = NULL;
    const char *changelog;
    if (agent_find(service, who, agent_id, ACTION_WRITE, &meta, NULL, err) < 0 ||
        changelog_check(body, &changelog, err) < 0 ||
        version_read(service, meta.id, version, &row, err) < 0)
        return -1;
    const char *exact = jx_str(row, "version", "");
    if (json_object_get(row, "publishedAt") != NULL)
        return error_set(err, E_VERSION_CONFLICT, "version %s of agent %s is published already",
                         exact, meta.id);
    /* What was right when the version was made may have gone since. */
    const json_t *config = json_object_get(row, "config");
    if (agent_config_require(service, meta.organization_id, config, err) < 0 ||
        launch_pins(service, meta.organization_id, config, &pins, err) < 0 ||
        capabilities_change(service, meta.id, config, pins, &change, err) < 0 ||
        publish_commit(service, who, meta.id, exact, config, pins, changelog, err) < 0 ||
        version_read(service, meta.id, exact, version_r, err) < 0)
        return -1;
    trigger_published(service);
    json_object_set_new(*version_r, "capabilities", move_ptr(&change));
    return 0;
}
