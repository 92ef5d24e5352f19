/* The life of versions from their publishing on. */
#include "service/version.h"

#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/agent.h"
#include "service/agent_config.h"
#include "service/audit.h"
#include "service/launch.h"
#include "service/manifest.h"
#include "service/service-private.h"
#include "service/trigger.h"
#include "store/alias.h"
#include "store/skill.h"
#include "store/version.h"

static char *version_location(const char *agent_id, const char *version)
{
    return xasprintf("/v1/agents/%s/versions/%s", agent_id, version);
}

/* after is consumed. */
static void state_audit(struct service *service, struct storage_batch *batch,
                        const struct principal *who, const char *agent_id, const json_t *row,
                        json_t *after)
{
    jx_auto *before = json_pack("{s:O}", "status", json_object_get(row, "status"));
    part_audit(service, batch, who, "version", agent_id, jx_str(row, "version", ""), before, after);
    json_decref(after);
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
                          const char *agent_id, const json_t *row, const json_t *pins,
                          const char *changelog, struct error *err)
{
    struct conflict conflicts[] = {
        {0, E_INVALID_STATE, "the agent was deprecated, archived or removed meanwhile"},
        {1, E_VERSION_CONFLICT, "another version is being published at the same time; try again"},
        {2, E_VERSION_CONFLICT, "the version was published or changed meanwhile"},
        {-1, E_NONE, NULL}};
    autofree char *pins_text = jx_encode(pins, NULL);
    const char *version = jx_str(row, "version", "");
    const struct loop_skill *loop = &service->loops[LOOP_AGENT];
    int64_t now = clock_wall_us();
    struct storage_batch *batch = storage_batch_new();
    store_agent_published(batch, agent_id, version, now);
    store_version_publish(batch, agent_id, version, jx_int(row, "revision", 0), pins_text,
                          changelog, now);
    if (json_object_get(pins, "loop") != NULL)
        store_source_insert(batch, loop->sha256, loop->source, loop->len, loop->manifest);
    const json_t *skills = json_object_get(pins, "skills");
    for (size_t i = 0; i < json_array_size(skills); i++)
        store_source_guard(batch, jx_str(json_array_get(skills, i), "sha256", ""));
    if (trigger_publish(service, batch, who, agent_id, json_object_get(row, "config"), err) < 0) {
        storage_batch_free(batch);
        return -1;
    }
    state_audit(
        service, batch, who, agent_id, row,
        json_pack("{s:s, s:O, s:s*}", "status", "published", "pins", pins, "changelog", changelog));
    autofree char *location = version_location(agent_id, version);
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
        changelog_read(body, &changelog, err) < 0 ||
        agent_require(&meta, life_working_event(life_of(meta.status)), err) < 0 ||
        version_find(service, meta.id, version, &row, err) < 0)
        return -1;
    const char *exact = jx_str(row, "version", ""), *status = jx_str(row, "status", "");
    if (life_of(status) != LIFE_DRAFT)
        return error_set(err, E_VERSION_CONFLICT, "version %s of agent %s is published already%s%s",
                         exact, meta.id, life_of(status) != LIFE_PUBLISHED ? ", and " : "",
                         life_of(status) != LIFE_PUBLISHED ? status : "");
    /* What was right when the version was made may have gone since. */
    const json_t *config = json_object_get(row, "config");
    if (agent_config_require(service, meta.organization_id, config, err) < 0 ||
        launch_pins(service, meta.organization_id, config, &pins, err) < 0 ||
        capabilities_change(service, meta.id, config, pins, &change, err) < 0 ||
        publish_commit(service, who, meta.id, row, pins, changelog, err) < 0 ||
        version_find(service, meta.id, exact, version_r, err) < 0)
        return -1;
    trigger_published(service);
    json_object_set_new(*version_r, "capabilities", move_ptr(&change));
    return 0;
}

/* ---- what comes later ---- */

/* The agent, the version, and that the event is possible for it. */
static int version_at(struct service *service, const struct principal *who, const char *agent_id,
                      const char *version, enum life_event event, struct agent_meta *meta_r,
                      json_t **row_r, struct error *err)
{
    jx_auto *row = NULL;
    if (agent_find(service, who, agent_id, ACTION_WRITE, meta_r, NULL, err) < 0 ||
        version_find(service, meta_r->id, version, &row, err) < 0 ||
        version_require(row, event, err) < 0)
        return -1;
    *row_r = move_ptr(&row);
    return 0;
}

int version_rollback(struct service *service, const struct principal *who, const char *agent_id,
                     const char *version, json_t **agent_r, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_INVALID_STATE, "the agent was deprecated, archived or removed meanwhile"},
        {2, E_INVALID_STATE, "the version was deprecated or archived meanwhile"},
        {-1, E_NONE, NULL}};
    struct agent_meta meta;
    jx_auto *row = NULL;
    if (version_at(service, who, agent_id, version, LIFE_MAKE_CURRENT, &meta, &row, err) < 0 ||
        agent_require(&meta, LIFE_MAKE_CURRENT, err) < 0)
        return -1;
    const char *exact = jx_str(row, "version", "");
    if (!jx_bool(row, "isCurrent", false)) {
        struct storage_batch *batch = storage_batch_new();
        store_agent_published(batch, meta.id, exact, clock_wall_us());
        store_version_make_current(batch, meta.id, exact);
        if (trigger_publish(service, batch, who, meta.id, json_object_get(row, "config"), err) <
            0) {
            storage_batch_free(batch);
            return -1;
        }
        jx_auto *before = json_pack("{s:s}", "currentVersion", meta.current_version);
        jx_auto *after = json_pack("{s:s}", "currentVersion", exact);
        audit_change(service, batch, who, "agent", meta.id, before, after);
        autofree char *location = xasprintf("/v1/agents/%s", meta.id);
        if (service_commit_made(service, who, batch, 200, location, conflicts, err) < 0)
            return -1;
        trigger_published(service);
    } else {
        audit_unchanged(who);
    }
    return agent_get(service, who, meta.id, agent_r, err);
}

static int refuse_deprecation(struct error *err, const char *path, const char *message)
{
    error_set(err, E_INVALID_REQUEST, "%s: %s", path + 1, message);
    error_detail(err, "validationErrors",
                 json_pack("[{s:s, s:s}]", "path", path, "message", message));
    return -1;
}

int deprecation_read(const json_t *body, struct deprecation *deprecation_r, struct error *err)
{
    enum { REASON_MAX = 1000 };
    const json_t *reason = json_object_get(body, "reason"),
                 *sunset = json_object_get(body, "sunset");
    *deprecation_r = (struct deprecation){.at = clock_wall_us()};
    if (reason != NULL && !json_is_null(reason)) {
        if (!json_is_string(reason) || json_string_length(reason) > REASON_MAX)
            return refuse_deprecation(err, "/reason", "must be a text of at most 1000 bytes");
        deprecation_r->reason = json_string_value(reason);
    }
    if (sunset == NULL || json_is_null(sunset))
        return 0;
    if (!json_is_string(sunset) ||
        clock_parse_rfc3339(json_string_value(sunset), json_string_length(sunset),
                            &deprecation_r->sunset_at) < 0)
        return refuse_deprecation(err, "/sunset",
                                  "must be an RFC 3339 time such as 2027-01-31T12:00:00Z");
    if (deprecation_r->sunset_at < deprecation_r->at)
        return refuse_deprecation(err, "/sunset", "must not be past");
    return 0;
}

json_t *deprecation_json(const struct deprecation *deprecation)
{
    char sunset[CLOCK_RFC3339_SIZE];
    bool given = deprecation->sunset_at != 0;
    return json_pack("{s:s, s:s*, s:s*}", "status", "deprecated", "sunset",
                     given ? clock_format_rfc3339(deprecation->sunset_at, sunset) : NULL, "reason",
                     deprecation->reason);
}

int version_deprecate(struct service *service, const struct principal *who, const char *agent_id,
                      const char *version, const json_t *body, json_t **version_r,
                      struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_INVALID_STATE, "the version was deprecated or archived meanwhile"},
        {-1, E_NONE, NULL}};
    struct agent_meta meta;
    struct deprecation deprecation;
    jx_auto *row = NULL;
    if (version_at(service, who, agent_id, version, LIFE_DEPRECATE, &meta, &row, err) < 0 ||
        deprecation_read(body, &deprecation, err) < 0)
        return -1;
    const char *exact = jx_str(row, "version", "");
    struct storage_batch *batch = storage_batch_new();
    store_version_deprecate(batch, meta.id, exact, &deprecation);
    state_audit(service, batch, who, meta.id, row, deprecation_json(&deprecation));
    autofree char *location = version_location(meta.id, exact);
    if (service_commit_made(service, who, batch, 200, location, conflicts, err) < 0)
        return -1;
    return version_find(service, meta.id, exact, version_r, err);
}

int version_archive(struct service *service, const struct principal *who, const char *agent_id,
                    const char *version, json_t **version_r, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_RESOURCE_IN_USE,
         "the version is named by an alias, or was changed meanwhile; see details.aliases"},
        {-1, E_NONE, NULL}};
    struct agent_meta meta;
    jx_auto *row = NULL, *aliases = NULL;
    if (version_at(service, who, agent_id, version, LIFE_ARCHIVE, &meta, &row, err) < 0)
        return -1;
    const char *exact = jx_str(row, "version", "");
    if (jx_bool(row, "isCurrent", false))
        return error_set(err, E_RESOURCE_IN_USE,
                         "version %s is the current one of agent %s: publish another or roll back "
                         "first, or archive the agent",
                         exact, meta.id);
    struct storage_batch *batch = storage_batch_new();
    store_version_archive(batch, meta.id, exact);
    state_audit(service, batch, who, meta.id, row, json_pack("{s:s}", "status", "archived"));
    autofree char *location = version_location(meta.id, exact);
    error_auto failure = ERROR_INIT;
    if (service_commit_made(service, who, batch, 200, location, conflicts, &failure) == 0)
        return version_find(service, meta.id, exact, version_r, err);
    if (failure.code == E_RESOURCE_IN_USE &&
        store_alias_naming(service->storage, meta.id, exact, &aliases, err) == 0)
        error_detail(&failure, "aliases", json_incref(aliases));
    return error_move(err, &failure);
}
