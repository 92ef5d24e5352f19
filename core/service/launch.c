#include "service/launch-private.h"

#include <pthread.h>
#include <string.h>

#include "base/json.h"
#include "schema/schema.h"
#include "service/chain_config.h"
#include "service/limits.h"
#include "service/manifest.h"
#include "service/policy.h"
#include "service/service-private.h"
#include "store/persona.h"
#include "store/skill.h"
#include "store/version.h"

/* ---- the object ---- */

struct launch *launch_ref(struct launch *launch)
{
    __atomic_add_fetch(&launch->refs, 1, __ATOMIC_RELAXED);
    return launch;
}

struct launch *launch_gone(const char *agent_id, const char *organization_id)
{
    struct launch_whole *whole = xcalloc(1, sizeof(*whole));
    struct launch *launch = &whole->launch;
    launch->refs = 1;
    snprintf(launch->agent_id, sizeof(launch->agent_id), "%s", agent_id);
    snprintf(launch->organization_id, sizeof(launch->organization_id), "%s", organization_id);
    return launch;
}

void launch_unref(struct launch *launch)
{
    if (launch == NULL || __atomic_sub_fetch(&launch->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    struct launch_whole *whole = (struct launch_whole *)launch;
    for (size_t i = 0; i < launch->n_skills; i++)
        schema_unref(whole->skills[i].input);
    schema_unref(launch->input_schema);
    schema_unref(launch->output_schema);
    json_decref(launch->needs);
    json_decref(whole->sources);
    json_decref(whole->execution_config);
    json_decref(whole->input_document);
    json_decref(whole->output_document);
    free(whole->skills);
    free(whole->agent_name);
    free(whole->version);
    free(whole->context);
    free(whole);
}

/* ---- pins ---- */

static const char *entrypoint_of(const json_t *config)
{
    return jx_str(json_object_get(config, "executionConfig"), "entrypoint", NULL);
}

static int pin_skills(struct service *service, const char *organization_id, const json_t *config,
                      json_t *pins, struct error *err)
{
    const json_t *names = json_object_get(config, "skillset");
    jx_auto *skills = NULL;
    if (store_skill_manifests(service->storage, organization_id, names, &skills, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const char *found = jx_str(json_array_get(skills, i), "name", "");
        if (strcmp(found, name) != 0)
            return error_set(err, E_INVALID_AGENT_CONFIG,
                             "/skillset/%zu: there is no skill '%s' any more", i, name);
        json_object_del(json_array_get(skills, i), "manifest");
    }
    json_object_set(pins, "skills", skills);
    return 0;
}

static int pin_persona(struct service *service, const char *organization_id, const json_t *config,
                       json_t *pins, struct error *err)
{
    const char *id = jx_str(config, "personaId", NULL);
    if (id == NULL)
        return json_object_set_new(pins, "persona", json_null());
    struct persona_meta meta;
    jx_auto *persona = NULL;
    if (store_persona_get(service->storage, id, organization_id, &meta, &persona, err) < 0)
        return -1;
    if (persona == NULL)
        return error_set(err, E_INVALID_AGENT_CONFIG, "/personaId: there is no persona %s any more",
                         id);
    return json_object_set_new(pins, "persona",
                               json_pack("{s:s, s:s, s:s}", "id", id, "name",
                                         jx_str(persona, "name", ""), "prompt",
                                         jx_str(persona, "prompt", "")));
}

/* What runs a configuration without an entry point. */
static enum loop loop_of(const json_t *config)
{
    return json_object_get(config, "chain") != NULL ? LOOP_CHAIN : LOOP_AGENT;
}

static int pin_loop(const struct service *service, const json_t *config, json_t *pins,
                    struct error *err)
{
    const struct loop_skill *loop = &service->loops[loop_of(config)];
    if (entrypoint_of(config) != NULL)
        return 0;
    if (loop->source == NULL)
        return error_set(err, E_UNAVAILABLE,
                         "the %s is missing: %s could not be read when c9d started; see "
                         "[skills] folder, or give the agent an executionConfig.entrypoint",
                         loop->name, loop->file);
    return json_object_set_new(pins, "loop",
                               json_pack("{s:s, s:s, s:s}", "name", loop->name, "version",
                                         C9_VERSION, "sha256", loop->sha256));
}

int launch_pins(struct service *service, const char *organization_id, const json_t *config,
                json_t **pins_r, struct error *err)
{
    jx_auto *pins = json_object();
    if (pin_skills(service, organization_id, config, pins, err) < 0 ||
        pin_persona(service, organization_id, config, pins, err) < 0 ||
        pin_loop(service, config, pins, err) < 0)
        return -1;
    *pins_r = move_ptr(&pins);
    return 0;
}

/* ---- sources ---- */

/* A loop of this program by its digest; NULL when it is none. */
static const struct loop_skill *loop_pinned(const struct service *service, const char *sha256)
{
    for (size_t i = 0; i < LOOP_COUNT_; i++)
        if (service->loops[i].source != NULL && strcmp(sha256, service->loops[i].sha256) == 0)
            return &service->loops[i];
    return NULL;
}

/* Appends {"source","manifest"} of one pin. The loops of this program need not be in the store. */
static int source_append(struct service *service, const json_t *pin, json_t *sources,
                         struct error *err)
{
    const char *sha256 = jx_str(pin, "sha256", "");
    const struct loop_skill *loop = loop_pinned(service, sha256);
    json_t *source = NULL;
    if (loop != NULL) {
        json_t *manifest =
            jx_decode(loop->manifest, strlen(loop->manifest), "the loop's manifest", err);
        source =
            json_pack("{s:s#, s:o}", "source", loop->source, (int)loop->len, "manifest", manifest);
    } else if (store_source_get(service->storage, sha256, &source, err) < 0) {
        return -1;
    }
    if (source == NULL)
        return error_set(err, E_INTERNAL, "the source %.64s of skill %s is not in the store",
                         sha256, jx_str(pin, "name", "?"));
    json_array_append_new(sources, source);
    return 0;
}

static const json_t *pin_named(const json_t *pins, const char *name)
{
    const json_t *skills = json_object_get(pins, "skills");
    for (size_t i = 0; i < json_array_size(skills); i++)
        if (strcmp(jx_str(json_array_get(skills, i), "name", ""), name) == 0)
            return json_array_get(skills, i);
    return NULL;
}

/* The entry point first, then the other skills in the order of the skillset. */
static int sources_load(struct service *service, const json_t *config, const json_t *pins,
                        json_t *sources, struct error *err)
{
    const char *entrypoint = entrypoint_of(config);
    const json_t *entry =
        entrypoint != NULL ? pin_named(pins, entrypoint) : json_object_get(pins, "loop");
    if (entry == NULL)
        return error_set(err, E_INVALID_AGENT_CONFIG,
                         "/executionConfig/entrypoint: '%s' is not in the skillset",
                         entrypoint != NULL ? entrypoint : LOOP_NAME);
    if (source_append(service, entry, sources, err) < 0)
        return -1;
    const json_t *skills = json_object_get(pins, "skills");
    for (size_t i = 0; i < json_array_size(skills); i++)
        if (json_array_get(skills, i) != entry &&
            source_append(service, json_array_get(skills, i), sources, err) < 0)
            return -1;
    return 0;
}

/* ---- needs ---- */

/* The agent loop asks the agent's provider, whatever its manifest says. */
static const char *provider_of(const struct service *service, const json_t *config)
{
    const char *chosen = jx_str(json_object_get(config, "executionConfig"), "provider", NULL);
    if (chosen != NULL)
        return chosen;
    for (size_t i = 0; i < service->n_models; i++)
        if (strcmp(service->models[i], "default") == 0)
            return "default";
    return service->n_models > 0 ? service->models[0] : "default";
}

static json_t *needs_of(const struct service *service, const json_t *config, const json_t *sources)
{
    json_t *needs = json_object();
    const json_t *chain = json_object_get(config, "chain");
    if (chain != NULL) {
        jx_auto *steps = chain_config_needs(chain);
        manifest_needs_add(needs, steps);
    } else if (entrypoint_of(config) == NULL) {
        jx_auto *loop = json_pack("{s:{s:[s]}}", "needs", "model", provider_of(service, config));
        manifest_needs_add(needs, loop);
    }
    for (size_t i = 0; i < json_array_size(sources); i++)
        manifest_needs_add(needs, json_object_get(json_array_get(sources, i), "manifest"));
    return needs;
}

int launch_sources(struct service *service, const json_t *config, const json_t *pins,
                   json_t **sources_r, struct error *err)
{
    jx_auto *sources = json_array();
    if (sources_load(service, config, pins, sources, err) < 0)
        return -1;
    *sources_r = move_ptr(&sources);
    return 0;
}

int launch_needs(struct service *service, const json_t *config, const json_t *pins,
                 json_t **needs_r, struct error *err)
{
    jx_auto *sources = json_array();
    if (sources_load(service, config, pins, sources, err) < 0)
        return -1;
    *needs_r = needs_of(service, config, sources);
    return 0;
}

/* ---- the context ---- */

static json_t *context_agent(const struct service *service, const struct launch *launch,
                             const json_t *config, const json_t *pins)
{
    const json_t *given = json_object_get(config, "executionConfig");
    json_t *settings = given != NULL ? json_copy((json_t *)given) : json_object();
    static const char *const not_for_skills[] = {"limits", "retry", "concurrency"};
    for (size_t i = 0; i < countof(not_for_skills); i++)
        json_object_del(settings, not_for_skills[i]);
    if (entrypoint_of(config) == NULL && loop_of(config) == LOOP_AGENT)
        json_object_set_new(settings, "provider", json_string(provider_of(service, config)));
    const json_t *output = json_object_get(config, "outputSchema");
    const char *prompt = jx_str(json_object_get(pins, "persona"), "prompt", NULL);
    json_t *agent = json_pack("{s:s, s:s, s:s, s:s*, s:o, s:b}", "id", launch->agent_id, "name",
                              launch->agent_name, "version", launch->version, "persona", prompt,
                              "settings", settings, "has_output_schema", output != NULL);
    if (json_object_get(pins, "plan") != NULL)
        json_object_set(agent, "chain", json_object_get(pins, "plan"));
    /* Lua cannot look into true and false, and there is nothing to see. */
    if (json_is_object(output))
        json_object_set(agent, "output_schema", (json_t *)output);
    return agent;
}

/* What the entry point may call: the skills behind it. */
static json_t *context_skills(const json_t *sources)
{
    json_t *skills = json_array();
    for (size_t i = 1; i < json_array_size(sources); i++) {
        const json_t *manifest = json_object_get(json_array_get(sources, i), "manifest");
        json_t *skill = json_object();
        static const char *const members[] = {"name", "version", "description", "input"};
        for (size_t m = 0; m < countof(members); m++) {
            json_t *value = json_object_get(manifest, members[m]);
            if (value != NULL)
                json_object_set(skill, members[m], value);
        }
        json_array_append_new(skills, skill);
    }
    return skills;
}

/* ---- building ---- */

static int schema_of(const json_t *document, struct schema **schema_r, struct error *err)
{
    *schema_r = NULL;
    if (document == NULL || json_is_null(document))
        return 0;
    *schema_r = schema_cache_get(document, err);
    return *schema_r != NULL ? 0 : -1;
}

/* An agent without a schema of its own has its entry point's. */
static int schemas_set(struct launch_whole *whole, const json_t *config, struct error *err)
{
    struct launch *launch = &whole->launch;
    const json_t *sources = whole->sources;
    const json_t *manifest = json_object_get(json_array_get(sources, 0), "manifest");
    const json_t *input = json_object_get(config, "inputSchema");
    const json_t *output = json_object_get(config, "outputSchema");
    if (input == NULL)
        input = json_object_get(manifest, "input");
    if (output == NULL)
        output = json_object_get(manifest, "output");
    whole->input_document = json_deep_copy(input);
    whole->output_document = json_deep_copy(output);
    return schema_of(input, &launch->input_schema, err) < 0 ||
                   schema_of(output, &launch->output_schema, err) < 0
               ? -1
               : 0;
}

static int skills_set(struct launch_whole *whole, struct error *err)
{
    size_t n = json_array_size(whole->sources);
    whole->skills = xcalloc(n, sizeof(*whole->skills));
    whole->launch.skills = whole->skills;
    for (size_t i = 0; i < n; i++) {
        const json_t *entry = json_array_get(whole->sources, i);
        const json_t *source = json_object_get(entry, "source");
        const json_t *manifest = json_object_get(entry, "manifest");
        struct launch_skill *skill = &whole->skills[whole->launch.n_skills++];
        skill->name = jx_str(manifest, "name", "");
        skill->source = json_string_value(source);
        skill->source_len = json_string_length(source);
        if (schema_of(json_object_get(manifest, "input"), &skill->input, err) < 0)
            return error_wrap(err, "skill %s", skill->name);
    }
    return 0;
}

static void launch_cleanup(struct launch **launch)
{
    launch_unref(*launch);
}

static int launch_build(struct service *service, const struct agent_meta *meta, const char *version,
                        const json_t *config, const json_t *pins, struct launch **launch_r,
                        struct error *err)
{
    struct launch_whole *whole = xcalloc(1, sizeof(*whole));
    cleanup(launch_cleanup) struct launch *launch = &whole->launch;
    launch->refs = 1;
    memcpy(launch->agent_id, meta->id, sizeof(launch->agent_id));
    memcpy(launch->organization_id, meta->organization_id, sizeof(launch->organization_id));
    launch->agent_name = whole->agent_name = xstrdup(jx_str(config, "name", ""));
    launch->version = whole->version = xstrdup(version);
    launch->limits = limits_get(
        service->config, json_object_get(json_object_get(config, "executionConfig"), "limits"));
    whole->execution_config = json_deep_copy(json_object_get(config, "executionConfig"));
    launch->retry = policy_retry(whole->execution_config);
    launch->concurrency = policy_concurrency(whole->execution_config);
    whole->sources = json_array();
    if (sources_load(service, config, pins, whole->sources, err) < 0 ||
        schemas_set(whole, config, err) < 0 || skills_set(whole, err) < 0)
        return -1;
    launch->needs = needs_of(service, config, whole->sources);
    jx_auto *context =
        json_pack("{s:o, s:o}", "agent", context_agent(service, launch, config, pins), "skills",
                  context_skills(whole->sources));
    launch->context = whole->context = jx_encode(context, &launch->context_len);
    *launch_r = move_ptr(&launch);
    return 0;
}

static int launch_draft(struct service *service, const struct agent_meta *meta,
                        struct launch **launch_r, struct error *err)
{
    struct agent_meta now;
    jx_auto *agent = NULL, *pins = NULL;
    if (store_agent_get(service->storage, meta->id, meta->user_id, &now, &agent, err) < 0)
        return -1;
    if (agent == NULL)
        return permission_unseen(E_AGENT_NOT_FOUND, "agent", meta->id, err);
    if (launch_pins(service, meta->organization_id, agent, &pins, err) < 0)
        return -1;
    return launch_build(service, &now, VERSION_DRAFT, agent, pins, launch_r, err);
}

/* *fixed_r: nothing can change it any more. */
static int launch_version(struct service *service, const struct agent_meta *meta,
                          const char *version, struct launch **launch_r, bool *fixed_r,
                          struct error *err)
{
    jx_auto *row = NULL, *now = NULL;
    if (store_version_get(service->storage, meta->id, version, &row, err) < 0)
        return -1;
    if (row == NULL)
        return error_set(err, E_VERSION_NOT_FOUND, "agent %s has no version %.64s", meta->id,
                         version);
    const json_t *config = json_object_get(row, "config"), *pins = json_object_get(row, "pins");
    *fixed_r = pins != NULL;
    if (pins == NULL && launch_pins(service, meta->organization_id, config, &now, err) < 0)
        return -1;
    return launch_build(service, meta, version, config, pins != NULL ? pins : now, launch_r, err);
}

/* ---- the cache ---- */

enum { CACHE_MAX = 256, CACHE_SLOTS = 512 };

struct cached {
    char agent_id[UUID_SIZE], version[STORE_VERSION_SIZE];
    struct launch *launch;
    uint64_t used; /* the cache's clock at the last use */
    struct cached *chain;
};

struct launch_cache {
    pthread_mutex_t lock;
    struct cached *slots[CACHE_SLOTS];
    struct cached entries[CACHE_MAX];
    size_t n;
    uint64_t clock;
};

struct launch_cache *launch_cache_new(void)
{
    struct launch_cache *cache = xcalloc(1, sizeof(*cache));
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void launch_cache_free(struct launch_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->n; i++)
        launch_unref(cache->entries[i].launch);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static struct cached **cache_slot(struct launch_cache *cache, const char *agent_id,
                                  const char *version)
{
    uint32_t hash = hash_fnv1a(HASH_FNV1A, agent_id, strlen(agent_id));
    hash = hash_fnv1a(hash, version, strlen(version));
    return &cache->slots[hash % CACHE_SLOTS];
}

static struct cached *cache_find(struct launch_cache *cache, const char *agent_id,
                                 const char *version)
{
    struct cached *entry = *cache_slot(cache, agent_id, version);
    while (entry != NULL &&
           (strcmp(entry->agent_id, agent_id) != 0 || strcmp(entry->version, version) != 0))
        entry = entry->chain;
    if (entry != NULL)
        entry->used = ++cache->clock;
    return entry;
}

static struct launch *cache_get(struct launch_cache *cache, const char *agent_id,
                                const char *version)
{
    pthread_mutex_lock(&cache->lock);
    struct cached *entry = cache_find(cache, agent_id, version);
    struct launch *launch = entry != NULL ? launch_ref(entry->launch) : NULL;
    pthread_mutex_unlock(&cache->lock);
    return launch;
}

/* A free entry; when there is none, the one unused for longest. *dropped_r is to be let go. */
static struct cached *cache_take(struct launch_cache *cache, struct launch **dropped_r)
{
    if (cache->n < CACHE_MAX)
        return &cache->entries[cache->n++];
    struct cached *oldest = &cache->entries[0];
    for (size_t i = 1; i < CACHE_MAX; i++)
        if (cache->entries[i].used < oldest->used)
            oldest = &cache->entries[i];
    struct cached **place = cache_slot(cache, oldest->agent_id, oldest->version);
    while (*place != oldest)
        place = &(*place)->chain;
    *place = oldest->chain;
    *dropped_r = oldest->launch;
    return oldest;
}

static void cache_put(struct launch_cache *cache, struct launch *launch)
{
    struct launch *dropped = NULL;
    pthread_mutex_lock(&cache->lock);
    if (cache_find(cache, launch->agent_id, launch->version) == NULL) {
        struct cached *entry = cache_take(cache, &dropped);
        struct cached **slot = cache_slot(cache, launch->agent_id, launch->version);
        *entry =
            (struct cached){.launch = launch_ref(launch), .used = ++cache->clock, .chain = *slot};
        memcpy(entry->agent_id, launch->agent_id, sizeof(entry->agent_id));
        snprintf(entry->version, sizeof(entry->version), "%s", launch->version);
        *slot = entry;
    }
    pthread_mutex_unlock(&cache->lock);
    launch_unref(dropped);
}

int launch_get(struct service *service, const struct agent_meta *meta, const char *version,
               struct launch **launch_r, struct error *err)
{
    if (strcmp(version, VERSION_DRAFT) == 0)
        return launch_draft(service, meta, launch_r, err);
    *launch_r = cache_get(service->launches, meta->id, version);
    if (*launch_r != NULL)
        return 0;
    bool fixed = false;
    if (launch_version(service, meta, version, launch_r, &fixed, err) < 0)
        return -1;
    if (fixed)
        cache_put(service->launches, *launch_r);
    return 0;
}
