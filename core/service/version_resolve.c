/* From what is asked for to one version. */
#include <string.h>

#include "base/clock.h"
#include "service/alias.h"
#include "service/launch.h"
#include "service/lifecycle.h"
#include "service/metas.h"
#include "service/semver_range.h"
#include "service/service-private.h"
#include "service/version.h"
#include "store/version.h"

/* ---- references ---- */

enum ref_kind { REF_LATEST, REF_DRAFT, REF_EXACT, REF_RANGE, REF_ALIAS, REF_NONE };

static enum ref_kind ref_read(const char *ref, struct semver_range *range)
{
    if (ref == NULL || strcmp(ref, "latest") == 0)
        return REF_LATEST;
    if (strcmp(ref, VERSION_DRAFT) == 0)
        return REF_DRAFT;
    if (semver_valid(ref))
        return REF_EXACT;
    if (semver_range_parse(ref, range))
        return REF_RANGE;
    return alias_name_valid(ref) ? REF_ALIAS : REF_NONE;
}

static int ref_refuse(const char *ref, struct error *err)
{
    return error_set(err, E_INVALID_REQUEST,
                     "version: %.128s is no version (1.2.0), no range of them (^1.2, ~1.2.3, 1.x, "
                     "\">=1.2 <2\") and no name",
                     ref);
}

static int version_missing(const char *agent_id, const char *ref, struct error *err)
{
    error_set(err, E_VERSION_NOT_FOUND, "agent %s has no version %.128s", agent_id, ref);
    error_detail(err, "agentId", json_string(agent_id));
    return -1;
}

/* ---- ranges ---- */

/* The highest in a range so far. */
struct highest {
    const struct semver_range *range;
    struct version_meta published, deprecated;
};

static void highest_see(void *arg, const struct version_meta *meta)
{
    struct highest *highest = arg;
    enum life state = life_of(meta->status);
    struct version_meta *best = state == LIFE_PUBLISHED    ? &highest->published
                                : state == LIFE_DEPRECATED ? &highest->deprecated
                                                           : NULL;
    if (best == NULL || !semver_range_has(highest->range, meta->version))
        return;
    /* Of two that differ in build metadata only, the one whose text is greater. */
    int order = best->version[0] != '\0' ? semver_compare(meta->version, best->version) : 1;
    if (order > 0 || (order == 0 && strcmp(meta->version, best->version) > 0))
        *best = *meta;
}

static int range_find(struct service *service, const char *agent_id, const char *ref,
                      const struct semver_range *range, struct version_meta *meta_r,
                      struct error *err)
{
    struct highest highest = {.range = range};
    if (store_version_each(service->storage, agent_id, highest_see, &highest, err) < 0)
        return -1;
    *meta_r = highest.published.version[0] != '\0' ? highest.published : highest.deprecated;
    if (meta_r->version[0] != '\0')
        return 0;
    error_set(err, E_VERSION_NOT_FOUND, "agent %s has no published version in %.128s", agent_id,
              ref);
    error_detail(err, "agentId", json_string(agent_id));
    return -1;
}

/* ---- reading ---- */

int version_find(struct service *service, const char *agent_id, const char *ref, json_t **version_r,
                 struct error *err)
{
    struct semver_range range;
    struct version_meta meta;
    enum ref_kind kind = ref_read(ref, &range);
    if (kind == REF_NONE)
        return version_missing(agent_id, ref, err);
    if (kind == REF_RANGE && range_find(service, agent_id, ref, &range, &meta, err) < 0)
        return -1;
    const char *exact = kind == REF_LATEST ? NULL : kind == REF_RANGE ? meta.version : ref;
    if (store_version_get(service->storage, agent_id, exact, version_r, err) < 0)
        return -1;
    if (*version_r != NULL)
        return 0;
    return kind == REF_LATEST
               ? error_set(err, E_VERSION_NOT_FOUND, "agent %s has no published version", agent_id)
               : version_missing(agent_id, ref, err);
}

int version_require(const json_t *version, enum life_event event, struct error *err)
{
    autofree char *what = xasprintf("version %s", jx_str(version, "version", ""));
    return life_require(life_of(jx_str(version, "status", "")), event, what, err);
}

/* ---- choosing ---- */

void version_choice_clear(struct version_choice *choice)
{
    json_decref(choice->note);
    choice->note = NULL;
}

static void note_set(struct version_choice *choice, const char *key, json_t *value)
{
    if (choice->note == NULL)
        choice->note = json_object();
    json_object_set_new(choice->note, key, value);
}

static int draft_require(const struct principal *who, const struct agent_meta *meta,
                         struct error *err)
{
    const struct resource resource = agent_resource(meta);
    if (permission_has(who, ACTION_WRITE, &resource))
        return 0;
    return error_set(err, E_INSUFFICIENT_PERMISSIONS,
                     "drafts of agent %s run only for those who may change it", meta->id);
}

static int choose_exact(struct service *service, const struct agent_meta *agent, const char *exact,
                        struct version_meta *meta_r, struct error *err)
{
    if (metas_version(service->metas, service->storage, agent->id, exact, meta_r, err) < 0)
        return -1;
    return meta_r->version[0] != '\0' ? 0 : version_missing(agent->id, exact, err);
}

static int choose_latest(struct service *service, const struct agent_meta *agent,
                         struct version_meta *meta_r, struct error *err)
{
    if (metas_version(service->metas, service->storage, agent->id, NULL, meta_r, err) < 0)
        return -1;
    if (meta_r->version[0] != '\0')
        return 0;
    error_set(err, E_INVALID_STATE,
              "agent %s has no published version: publish one, or ask for version \"draft\"",
              agent->id);
    error_detail(err, "agentId", json_string(agent->id));
    error_detail(err, "state", json_string(agent->status));
    life_tell_allowed(err, json_pack("[s, s, s]", "edit", "publish", "delete"));
    return -1;
}

static int choose_alias(struct service *service, const struct agent_meta *agent, const char *name,
                        const char *execution_id, struct version_meta *meta_r, struct error *err)
{
    char exact[SEMVER_MAX + 1];
    if (alias_pick(service, agent->id, name, execution_id, exact, err) < 0)
        return -1;
    return choose_exact(service, agent, exact, meta_r, err);
}

/* ---- warnings ---- */

static json_t *warning_of(const char *what, int64_t deprecated_at, int64_t sunset_at,
                          const char *reason)
{
    char at[CLOCK_RFC3339_SIZE], sunset[CLOCK_RFC3339_SIZE] = "";
    clock_format_rfc3339(deprecated_at, at);
    if (sunset_at != 0)
        clock_format_rfc3339(sunset_at, sunset);
    autofree char *message = xasprintf("%s is deprecated%s%s%s%s", what, reason != NULL ? ": " : "",
                                       reason != NULL ? reason : "",
                                       sunset_at != 0 ? "; it is to run until " : "", sunset);
    return json_pack("{s:s, s:o, s:s, s:s*}", "code", "Deprecated", "message",
                     jx_text(message, strlen(message)), "deprecatedAt", at, "sunsetAt",
                     sunset_at != 0 ? sunset : NULL);
}

/* What is deprecated says so in every execution: the agent, the version, or both. */
static int warnings_add(struct service *service, const struct agent_meta *agent,
                        const struct version_meta *meta, struct version_choice *choice,
                        struct error *err)
{
    jx_auto *warnings = json_array();
    if (life_of(agent->status) == LIFE_DEPRECATED) {
        struct deprecation of;
        autofree char *reason = NULL;
        if (store_agent_deprecation(service->storage, agent->id, &of, &reason, err) < 0)
            return -1;
        autofree char *what = xasprintf("agent %s", agent->id);
        json_array_append_new(warnings, warning_of(what, of.at, of.sunset_at, reason));
    }
    if (life_of(meta->status) == LIFE_DEPRECATED) {
        autofree char *reason = NULL;
        if (store_version_reason(service->storage, agent->id, meta->version, &reason, err) < 0)
            return -1;
        autofree char *what = xasprintf("version %s of agent %s", meta->version, agent->id);
        json_array_append_new(warnings,
                              warning_of(what, meta->deprecated_at, meta->sunset_at, reason));
    }
    if (json_array_size(warnings) > 0)
        note_set(choice, "warnings", move_ptr(&warnings));
    return 0;
}

/* ---- all of it ---- */

static int choose_draft(const struct principal *who, const struct agent_meta *agent,
                        struct version_choice *choice, struct error *err)
{
    if (agent->chain)
        return error_set(err, E_INVALID_REQUEST,
                         "version: a chain has no draft; each edit of it is a version");
    if (draft_require(who, agent, err) < 0)
        return -1;
    snprintf(choice->version, sizeof(choice->version), "%s", VERSION_DRAFT);
    note_set(choice, "test", json_true());
    return 0;
}

static int choose_kind(struct service *service, const struct agent_meta *agent, const char *ref,
                       const char *execution_id, struct version_meta *meta_r,
                       struct version_choice *choice, struct error *err)
{
    struct semver_range range;
    enum ref_kind kind = ref_read(ref, &range);
    if (kind == REF_NONE)
        return ref_refuse(ref, err);
    if (kind == REF_RANGE || kind == REF_ALIAS)
        note_set(choice, "ref", json_string(ref));
    return kind == REF_LATEST  ? choose_latest(service, agent, meta_r, err)
           : kind == REF_EXACT ? choose_exact(service, agent, ref, meta_r, err)
           : kind == REF_RANGE ? range_find(service, agent->id, ref, &range, meta_r, err)
                               : choose_alias(service, agent, ref, execution_id, meta_r, err);
}

static int choose(struct service *service, const struct principal *who,
                  const struct agent_meta *agent, const char *ref, const char *execution_id,
                  struct version_choice *choice, struct error *err)
{
    struct version_meta meta;
    if (agent_require(agent, LIFE_EXECUTE, err) < 0)
        return -1;
    if (ref != NULL && strcmp(ref, VERSION_DRAFT) == 0)
        return choose_draft(who, agent, choice, err);
    if (choose_kind(service, agent, ref, execution_id, &meta, choice, err) < 0)
        return -1;
    autofree char *what = xasprintf("version %s of agent %s", meta.version, agent->id);
    if (life_require(life_of(meta.status), LIFE_EXECUTE, what, err) < 0)
        return -1;
    snprintf(choice->version, sizeof(choice->version), "%s", meta.version);
    if (life_of(meta.status) == LIFE_DRAFT) {
        if (draft_require(who, agent, err) < 0)
            return -1;
        note_set(choice, "test", json_true());
    }
    return warnings_add(service, agent, &meta, choice, err);
}

int version_choose(struct service *service, const struct principal *who,
                   const struct agent_meta *agent, const char *ref, const char *execution_id,
                   struct version_choice *choice_r, struct error *err)
{
    *choice_r = (struct version_choice){.note = NULL};
    if (choose(service, who, agent, ref, execution_id, choice_r, err) == 0)
        return 0;
    version_choice_clear(choice_r);
    return -1;
}

int version_resolve(struct service *service, const struct principal *who, const char *agent,
                    const char *ref, const char *execution_id, struct version_choice *choice_r,
                    struct error *err)
{
    struct agent_meta meta;
    *choice_r = (struct version_choice){.note = NULL};
    if (agent_find(service, who, agent, ACTION_EXECUTE, &meta, NULL, err) < 0)
        return -1;
    return version_choose(service, who, &meta, ref, execution_id, choice_r, err);
}
