#include "service/alias.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/problem.h"
#include "service/semver.h"
#include "service/service-private.h"
#include "store/alias.h"
#include "store/version.h"

enum { WHOLE = 100 };

bool alias_name_valid(const char *name)
{
    static const char *const taken[] = {"latest", "draft", "x"};
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    for (size_t i = 0; i < countof(taken); i++)
        if (strcmp(taken[i], name) == 0)
            return false;
    return name[0] >= 'a' && name[0] <= 'z' && name[n] == '\0' && n <= ALIAS_NAME_MAX;
}

static int alias_missing(const char *agent_id, const char *name, struct error *err)
{
    return error_set(err, E_VERSION_NOT_FOUND, "agent %s has no alias %.64s", agent_id, name);
}

/* ---- reading ---- */

int alias_list(struct service *service, const struct principal *who, const char *agent_id,
               const struct list_query *query, json_t **page_r, struct error *err)
{
    struct agent_meta meta;
    if (agent_find(service, who, agent_id, ACTION_READ, &meta, NULL, err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(meta.id)};
    return service_list(service, &store_alias_list, query, scope, page_r, err);
}

static int alias_read(struct service *service, const char *agent_id, const char *name,
                      json_t **alias_r, struct error *err)
{
    if (store_alias_get(service->storage, agent_id, name, alias_r, err) < 0)
        return -1;
    return *alias_r != NULL ? 0 : alias_missing(agent_id, name, err);
}

int alias_get(struct service *service, const struct principal *who, const char *agent_id,
              const char *name, json_t **alias_r, struct error *err)
{
    struct agent_meta meta;
    if (agent_find(service, who, agent_id, ACTION_READ, &meta, NULL, err) < 0)
        return -1;
    return alias_read(service, meta.id, name, alias_r, err);
}

/* ---- targets ---- */

static bool named_before(const json_t *targets, size_t i, const char *version)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(jx_str(json_array_get(targets, k), "version", ""), version) == 0)
            return true;
    return false;
}

/* Checks one and appends it in its canonical shape. Its weight, or 0. */
static int64_t target_check(const json_t *targets, size_t i, json_t *canonical, json_t *problems)
{
    const json_t *target = json_array_get(targets, i), *given = json_object_get(target, "weight");
    const char *version = jx_str(target, "version", "");
    autofree char *version_path = xasprintf("/targets/%zu/version", i);
    autofree char *weight_path = xasprintf("/targets/%zu/weight", i);
    bool alone = json_array_size(targets) == 1;
    int64_t weight = given == NULL && alone ? WHOLE : json_integer_value(given);
    if (!semver_valid(version))
        problem_add(problems, version_path, "must be an exact version such as 1.2.0");
    else if (named_before(targets, i, version))
        problem_add(problems, version_path, "'%s' is there twice", version);
    if (weight < 1 || weight > WHOLE || (given != NULL && !json_is_integer(given))) {
        problem_add(problems, weight_path, "must be an integer from 1 to %d: percent", WHOLE);
        return 0;
    }
    json_array_append_new(
        canonical, json_pack("{s:s, s:I}", "version", version, "weight", (json_int_t)weight));
    return weight;
}

static int targets_check(const json_t *body, json_t *canonical, struct error *err)
{
    jx_auto *problems = json_array();
    const json_t *targets = json_object_get(body, "targets");
    size_t n = json_array_size(targets);
    int64_t sum = 0;
    if (n < 1 || n > ALIAS_TARGETS_MAX)
        problem_add(problems, "/targets", "must be an array of 1 to %d targets", ALIAS_TARGETS_MAX);
    for (size_t i = 0; i < n && n <= ALIAS_TARGETS_MAX; i++)
        sum += target_check(targets, i, canonical, problems);
    if (json_array_size(problems) == 0 && sum != WHOLE)
        problem_add(problems, "/targets", "the weights add up to %" PRId64 ", not to %d", sum,
                    WHOLE);
    return problem_raise(problems, E_INVALID_REQUEST, "alias", err);
}

/* ---- writing ---- */

/* Statement 0 is the limit, then a guard for each target, then perhaps one for the revision, then
 * it. */
static int put_commit(struct service *service, const struct principal *who, const char *agent_id,
                      const char *name, const json_t *before, const json_t *targets,
                      const int64_t *wanted, bool only_new, struct error *err)
{
    char id[UUID_SIZE], messages[ALIAS_TARGETS_MAX][256];
    struct conflict conflicts[ALIAS_TARGETS_MAX + 4];
    int n = 0;
    autofree char *limit =
        xasprintf("agent %s has %" PRId64 " aliases, as many as [limits] aliases allows", agent_id,
                  service->aliases_max);
    struct storage_batch *batch = storage_batch_new();
    store_alias_limit(batch, agent_id, name, service->aliases_max);
    conflicts[n++] = (struct conflict){0, E_ORGANIZATION_LIMIT_EXCEEDED, limit};
    for (size_t i = 0; i < json_array_size(targets); i++, n++) {
        const char *version = jx_str(json_array_get(targets, i), "version", "");
        snprintf(messages[i], sizeof(messages[i]),
                 "/targets/%zu/version: agent %s has no published version %s", i, agent_id,
                 version);
        store_version_guard(batch, agent_id, version);
        conflicts[n] = (struct conflict){n, E_VERSION_NOT_FOUND, messages[i]};
    }
    if (wanted != NULL) {
        store_alias_guard(batch, agent_id, name, wanted);
        conflicts[n] = (struct conflict){n, E_PRECONDITION_FAILED, "the alias was changed since"};
        n++;
    }
    conflicts[n] = (struct conflict){n, E_PRECONDITION_FAILED, "the alias is there already"};
    conflicts[n + 1] = (struct conflict){-1, E_NONE, NULL};
    autofree char *text = jx_encode(targets, NULL);
    store_alias_put(batch, uuid_make(id), agent_id, name, text, only_new, clock_wall_us());
    jx_auto *was =
        before != NULL ? json_pack("{s:O}", "targets", json_object_get(before, "targets")) : NULL;
    jx_auto *is = json_pack("{s:O}", "targets", targets);
    part_audit(service, batch, who, "alias", agent_id, name, was, is);
    return service_commit(service, batch, conflicts, err);
}

int alias_put(struct service *service, const struct principal *who, const char *agent_id,
              const char *name, const json_t *body, const char *if_match, bool only_new,
              json_t **alias_r, bool *created_r, struct error *err)
{
    struct agent_meta meta;
    jx_auto *targets = json_array(), *before = NULL;
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    if (conditional < 0 || agent_find(service, who, agent_id, ACTION_WRITE, &meta, NULL, err) < 0)
        return -1;
    if (!alias_name_valid(name))
        return error_set(err, E_INVALID_REQUEST,
                         "alias: a name starts with a letter a to z, has 1 to %d of a-z 0-9 _ -, "
                         "and is not latest, draft or x",
                         ALIAS_NAME_MAX);
    if (agent_require(&meta, LIFE_EXECUTE, err) < 0 || targets_check(body, targets, err) < 0 ||
        store_alias_get(service->storage, meta.id, name, &before, err) < 0 ||
        put_commit(service, who, meta.id, name, before, targets, conditional != 0 ? &wanted : NULL,
                   only_new, err) < 0)
        return -1;
    *created_r = before == NULL;
    return alias_read(service, meta.id, name, alias_r, err);
}

int alias_delete(struct service *service, const struct principal *who, const char *agent_id,
                 const char *name, const char *if_match, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_PRECONDITION_FAILED, "the alias was changed since"}, {-1, E_NONE, NULL}};
    struct agent_meta meta;
    jx_auto *alias = NULL;
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    if (conditional < 0 || agent_find(service, who, agent_id, ACTION_WRITE, &meta, NULL, err) < 0 ||
        alias_read(service, meta.id, name, &alias, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_alias_guard(batch, meta.id, name, conditional != 0 ? &wanted : NULL);
    store_alias_delete(batch, meta.id, name);
    part_audit(service, batch, who, "alias", meta.id, name, alias, NULL);
    return service_commit(service, batch, conflicts, err);
}

/* ---- picking ---- */

/* 0 to 99, evenly over the ids; another alias with the same weights deals differently. */
static int64_t lot_of(const char *name, const char *execution_id)
{
    uint8_t digest[SHA256_SIZE];
    uint64_t number = 0;
    autofree char *text = xasprintf("%s/%s", name, execution_id);
    hash_sha256(text, strlen(text), digest);
    for (int i = 0; i < 8; i++)
        number = number << 8 | digest[i];
    return (int64_t)(number % WHOLE);
}

int alias_pick(struct service *service, const char *agent_id, const char *name,
               const char *execution_id, char version_r[SEMVER_MAX + 1], struct error *err)
{
    jx_auto *alias = NULL;
    if (alias_read(service, agent_id, name, &alias, err) < 0)
        return -1;
    const json_t *targets = json_object_get(alias, "targets");
    int64_t lot = lot_of(name, execution_id);
    size_t i = 0;
    for (; i + 1 < json_array_size(targets); i++) {
        lot -= jx_int(json_array_get(targets, i), "weight", 0);
        if (lot < 0)
            break;
    }
    snprintf(version_r, SEMVER_MAX + 1, "%s", jx_str(json_array_get(targets, i), "version", ""));
    return 0;
}
