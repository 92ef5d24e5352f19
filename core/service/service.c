/* Opens the services, and what all of them use. */
#include "service/service-private.h"

#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"
#include "host/storage.h"
#include "service/audit-private.h"
#include "service/event.h"
#include "service/event_waiters.h"
#include "service/hook.h"
#include "service/hook_rate.h"
#include "service/identity.h"
#include "service/launch.h"
#include "service/limits.h"
#include "service/metas.h"
#include "service/organization.h"
#include "service/problem.h"
#include "service/schedule_settings.h"
#include "service/skill.h"
#include "service/token_cache.h"
#include "service/webhook.h"

static const struct config_key keys[] = {
    {"limits", "agents", CONFIG_INT, "10000", 1, 10000000, NULL,
     "Agents and chains of one organization."},
    {"limits", "users", CONFIG_INT, "10000", 1, 10000000, NULL, "Users of one organization."},
    {"limits", "teams", CONFIG_INT, "1000", 1, 10000000, NULL, "Teams of one organization."},
    {"limits", "aliases", CONFIG_INT, "32", 1, 1000, NULL, "Aliases of one agent."},
    {"limits", "skills_per_agent", CONFIG_INT, "64", 1, 100, NULL, "Skills of one agent."},
    {"limits", "object", CONFIG_SIZE, "64KiB", 1024, 16 << 20, NULL,
     "Bytes of each free or schema member of an agent (metadata, triggerConfig, inputSchema …), "
     "and "
     "of an execution's context."},
    {"limits", "skill_source", CONFIG_SIZE, "1MiB", 1024, SKILL_SOURCE_MAX, NULL,
     "Bytes of a skill's source."},
    {"limits", "batch", CONFIG_INT, "1000", 1, 100000, NULL, "Inputs of one batch."},
    {"limits", "idempotency_keys", CONFIG_DURATION, "24h", 60 * INT64_C(1000000),
     365 * 86400 * INT64_C(1000000), NULL, "How long an Idempotency-Key is remembered."},
    {"auth", "rotation_overlap", CONFIG_DURATION, "1h", 0, 365 * 86400 * INT64_C(1000000), NULL,
     "How long a token that was rotated stays good, unless the request says otherwise."},
    {"auth", "rotation_overlap_max", CONFIG_DURATION, "7d", 0, 365 * 86400 * INT64_C(1000000), NULL,
     "How long a request may ask for."},
    {"audit", "denied_per_minute", CONFIG_INT, "600", 0, 1000000, NULL,
     "Denied attempts that are written to the audit log; of more only the number is."},
    {"skills", "folder", CONFIG_STRING, NULL, 0, 0, NULL,
     "Where the skills that come with c9d are, the loops of agents and chains among them (default " C9_SKILLDIR
     ")."},
};

/* ---- the loops ---- */

/* Without it, agents that have an entry point still work: said once here, and whenever it is
 * needed. */
static void loop_load(struct service *service, enum loop which, const char *name)
{
    struct loop_skill *loop = &service->loops[which];
    const char *folder = config_string(service->config, "skills", NULL, "folder");
    loop->name = name;
    loop->file =
        xasprintf("%s/%s.lua", folder != NULL ? folder : path_beside("skills", C9_SKILLDIR), name);
    buf_auto source = BUF_INIT;
    error_auto err = ERROR_INIT;
    if (file_read(loop->file, SKILL_SOURCE_MAX, E_UNAVAILABLE, &source, &err) < 0) {
        log_warn("service.loop", "what needs the %s cannot be published: %s; see [skills] folder",
                 name, err.message);
        return;
    }
    loop->len = source.len;
    loop->source = buf_steal(&source);
    hash_sha256_hex(loop->source, loop->len, loop->sha256);
    jx_auto *manifest = json_pack("{s:s, s:s, s:{}}", "name", name, "version", C9_VERSION, "needs");
    loop->manifest = jx_encode(manifest, NULL);
}

/* ---- life ---- */

int service_config_declare(struct config *config, struct error *err)
{
    static int (*const declarations[])(struct config *, struct error *) = {
        limits_declare,          webhook_config_declare, identities_declare,
        schedule_config_declare, event_config_declare,   hook_config_declare,
    };
    int status = config_declare(config, keys, countof(keys), err);
    for (size_t i = 0; i < countof(declarations); i++)
        if (declarations[i](config, err) < 0)
            status = -1;
    return status;
}

struct service *service_new(struct storage *storage, struct config *config, struct error *err)
{
    if (service_config_declare(config, err) < 0)
        return NULL;
    struct service *service = xcalloc(1, sizeof(*service));
    service->storage = storage;
    service->config = config;
    service->users_max = config_int(config, "limits", NULL, "users");
    service->teams_max = config_int(config, "limits", NULL, "teams");
    service->agents_max = config_int(config, "limits", NULL, "agents");
    service->aliases_max = config_int(config, "limits", NULL, "aliases");
    service->skills_max = config_int(config, "limits", NULL, "skills_per_agent");
    service->object_max = config_int(config, "limits", NULL, "object");
    service->source_max = config_int(config, "limits", NULL, "skill_source");
    service->batch_max = config_int(config, "limits", NULL, "batch");
    service->key_lifetime = config_int(config, "limits", NULL, "idempotency_keys");
    service->tokens = token_cache_new();
    service->auditor = auditor_new(storage, config_int(config, "audit", NULL, "denied_per_minute"));
    service->hook_rate = hook_rate_new(config_int(config, "hooks", NULL, "unverified_per_minute"));
    service->event_waiters = event_waiter_cache_new();
    service->launches = launch_cache_new();
    service->metas = metas_new();
    service->schedules = schedule_context_new(config);
    loop_load(service, LOOP_AGENT, LOOP_NAME);
    loop_load(service, LOOP_CHAIN, CHAIN_LOOP_NAME);
    if (identities_new(config, &service->identities, err) < 0) {
        service_free(service);
        return NULL;
    }
    return service;
}

void service_attach_engine(struct service *service, const struct engine_ops *ops, void *engine)
{
    service->ops = ops;
    service->engine = engine;
    error_auto err = ERROR_INIT;
    if (identities_start(service->identities, service, &err) < 0)
        log_error("jwt.keys", "%s", err.message);
    if (organization_running_restore(service, &err) < 0)
        log_error("service.organizations", "%s", err.message);
    auditor_wake(service->auditor); /* rows that the last run left unsealed */
}

void service_set_models(struct service *service, const char *const *names, size_t n)
{
    for (size_t i = 0; i < service->n_models; i++)
        free(service->models[i]);
    free(service->models);
    service->models = xcalloc(n, sizeof(*service->models));
    service->n_models = n;
    for (size_t i = 0; i < n; i++)
        service->models[i] = xstrdup(names[i]);
}

void service_stop(struct service *service)
{
    if (service != NULL)
        auditor_free(move_ptr(&service->auditor));
}

void service_free(struct service *service)
{
    if (service == NULL)
        return;
    service_stop(service);
    identities_free(service->identities);
    service_set_models(service, NULL, 0);
    free(service->models);
    token_cache_free(service->tokens);
    launch_cache_free(service->launches);
    event_waiter_cache_free(service->event_waiters);
    hook_rate_free(service->hook_rate);
    metas_free(service->metas);
    schedule_context_free(service->schedules);
    for (size_t i = 0; i < LOOP_COUNT_; i++) {
        free(service->loops[i].file);
        free(service->loops[i].source);
        free(service->loops[i].manifest);
    }
    free(service);
}

uint64_t service_version(const struct service *service)
{
    return storage_version(service->storage);
}

int service_engine(const struct service *service, struct error *err)
{
    if (service->ops != NULL)
        return 0;
    return error_set(err, E_UNAVAILABLE, "the engine is not running yet; try again in a moment");
}

void service_nudge(const struct service *service)
{
    if (service->ops != NULL && service->ops->queued != NULL)
        service->ops->queued(service->engine);
}

/* ---- what all use ---- */

int service_commit(struct service *service, struct storage_batch *batch,
                   const struct conflict *conflicts, struct error *err)
{
    error_auto failure = ERROR_INIT;
    if (storage_commit(service->storage, batch, &failure) == 0)
        return 0;
    if (failure.code != E_INVALID_STATE)
        return error_move(err, &failure);
    int64_t statement = jx_int(failure.details, "statement", -1);
    for (const struct conflict *row = conflicts; row->statement >= 0; row++)
        if (row->statement == statement)
            return error_set(err, row->code, "%s", row->message);
    return error_move(err, &failure);
}

void service_name_check(const json_t *body, json_t *problems)
{
    enum { NAME_BYTES_MAX = 800 };
    const json_t *name = json_object_get(body, "name");
    size_t len = json_string_length(name);
    if (!json_is_string(name) || len == 0 || len > NAME_BYTES_MAX)
        problem_add(problems, "/name", "must be a text of 1 to %d bytes", NAME_BYTES_MAX);
}

struct list_args service_list_args(const struct list_query *query)
{
    return (struct list_args){.limit = query->limit,
                              .cursor = query->cursor,
                              .sort = query->sort,
                              .filters = query->filters};
}

json_t *filters_without(const json_t *filters, const char *name)
{
    json_t *rest = filters != NULL ? json_copy((json_t *)filters) : json_object();
    json_object_del(rest, name);
    return rest;
}

int service_list(struct service *service, const struct list *list, const struct list_query *query,
                 const struct c9d_value *scope, json_t **page_r, struct error *err)
{
    const struct list_args args = service_list_args(query);
    return store_list(service->storage, list, &args, scope, page_r, err);
}

int service_if_match(const char *if_match, int64_t *revision_r, struct error *err)
{
    if (if_match == NULL)
        return 0;
    size_t n = strspn(if_match, "0123456789");
    if (n == 0 || n > 18 || if_match[n] != '\0')
        return error_set(err, E_PRECONDITION_FAILED,
                         "If-Match: %.64s is not an ETag of this resource", if_match);
    *revision_r = strtoll(if_match, NULL, 10);
    return 1;
}

int service_revision_check(int64_t revision, const int64_t *wanted, const char *noun,
                           struct error *err)
{
    if (wanted == NULL || revision == *wanted)
        return 0;
    return error_set(err, E_PRECONDITION_FAILED, "the %s was changed since", noun);
}

int service_edit(struct service *service, const struct principal *who, const char *id,
                 const json_t *body, const char *if_match, edit_fn *edit, const char *noun,
                 json_t **after_r, struct error *err)
{
    enum { TRIES = 5 };
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    if (conditional < 0)
        return -1;
    for (int i = 0; i < TRIES; i++) {
        error_auto failure = ERROR_INIT;
        if (edit(service, who, id, body, conditional != 0 ? &wanted : NULL, after_r, &failure) == 0)
            return 0;
        if (conditional != 0 || failure.code != E_PRECONDITION_FAILED)
            return error_move(err, &failure);
    }
    return error_set(err, E_UNAVAILABLE, "%s %.64s is being changed by others; try again", noun,
                     id);
}
