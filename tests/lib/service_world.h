/* The services on a fresh store, with people and an engine that only notes what it is asked. */
#ifndef C9_TESTS_SERVICE_WORLD_H
#define C9_TESTS_SERVICE_WORLD_H

#include "base/json.h"
#include "lib/store_world.h"
#include "service/agent.h"
#include "service/execution.h"
#include "service/persona.h"
#include "service/service.h"
#include "service/skill.h"
#include "service/token.h"
#include "service/version.h"
#include "store/execution.h"

static struct world w;
static struct service *service;
static struct principal owner, member, viewer, stranger;
static char owner_token[TOKEN_SIZE];

/* ---- the engine: a row for each execution, without a lease; nothing runs ---- */

static struct {
    int submitted, live; /* live: what cancel answers */
    bool refuses;
    char input[256], context[256], agent_version[65];
    int64_t priority;
} engine;

static int engine_submit(void *arg, struct execution_order *order, struct execution_watch *watch,
                         struct error *err)
{
    (void)arg;
    if (engine.refuses)
        return error_set(err, E_UNAVAILABLE, "draining");
    engine.submitted++;
    engine.priority = order->priority;
    snprintf(engine.input, sizeof(engine.input), "%.*s", (int)order->input_len, order->input);
    snprintf(engine.context, sizeof(engine.context), "%s", order->context);
    snprintf(engine.agent_version, sizeof(engine.agent_version), "%s", order->launch->version);
    struct execution_row row = {.agent_id = order->launch->agent_id,
                                .agent_version = order->launch->version,
                                .organization_id = order->launch->organization_id,
                                .triggered_by = order->user_id,
                                .parent_id = order->parent_id,
                                .input = order->input,
                                .context = order->context,
                                .priority = order->priority,
                                .available_at = 1,
                                .created_at = 1};
    memcpy(row.id, order->id, sizeof(row.id));
    struct storage_batch *batch = storage_batch_new();
    store_execution_insert(batch, &row);
    if (storage_commit(w.storage, batch, err) < 0)
        return -1;
    if (watch != NULL)
        watch->accepted(watch, NULL);
    return 0;
}

static int engine_watch(void *arg, const char *id, struct execution_watch *watch)
{
    (void)arg, (void)id, (void)watch;
    return 0;
}

static void engine_unwatch(void *arg, struct execution_watch *watch)
{
    (void)arg, (void)watch;
}

static int engine_cancel(void *arg, const char *id)
{
    (void)arg, (void)id;
    return engine.live;
}

static void engine_ended(void *arg, const char *id)
{
    (void)arg, (void)id;
}

static void engine_queued(void *arg)
{
    (void)arg;
}

/* The manifest is the JSON behind "--" in the first line. */
static int engine_describe(void *arg, const char *file, const char *source, size_t len,
                           json_t **manifest_r, struct error *err)
{
    (void)arg;
    size_t n = strcspn(source, "\n");
    if (len < 2 || strncmp(source, "--", 2) != 0)
        return error_set(err, E_INVALID_SKILL, "%s.lua:1: not a skill", file);
    *manifest_r = jx_decode(source + 2, n - 2, file, err);
    return *manifest_r != NULL ? 0 : -1;
}

static const struct engine_ops engine_ops = {
    .submit = engine_submit,
    .watch = engine_watch,
    .unwatch = engine_unwatch,
    .cancel = engine_cancel,
    .ended = engine_ended,
    .queued = engine_queued,
    .notify = engine_queued,
    .describe = engine_describe,
};

/* ---- people ---- */

static struct principal person(const char *name, const char *role)
{
    error_auto err = ERROR_INIT;
    struct principal who;
    char id[UUID_SIZE];
    uuid_make(id);
    autofree char *user = xasprintf("INSERT INTO users (id, name, created_at, updated_at)"
                                    " VALUES ('%s', '%s', 1, 1)",
                                    id, name);
    autofree char *membership = xasprintf("INSERT INTO memberships (organization_id, user_id, role,"
                                          " created_at) VALUES ('%s', '%s', '%s', 1)",
                                          owner.organization_id, id, role);
    world_sql(&w, user);
    world_sql(&w, membership);
    if (execution_principal(service, id, owner.organization_id, &who, &err) < 0)
        bail(name, &err);
    return who;
}

static void service_world_new(const char *config)
{
    error_auto err = ERROR_INIT;
    w = world_new(true, config);
    setenv("C9D_SKILLS_FOLDER", w.folder, 1);
    static const char *const loops[][2] = {{"agent_loop", "-- the loop\n"},
                                           {"chain_loop", "-- the chains' loop\n"}};
    for (size_t i = 0; i < countof(loops); i++) {
        autofree char *loop = xasprintf("%s/%s.lua", w.folder, loops[i][0]);
        FILE *file = fopen(loop, "w");
        if (file == NULL || fputs(loops[i][1], file) < 0 || fclose(file) != 0)
            abort();
    }
    service = service_new(w.storage, w.config, &err);
    if (service == NULL || token_init(w.storage, "Org", "Ann", false, owner_token, &err) < 0 ||
        token_authenticate(service, owner_token, strlen(owner_token), &owner, &err) < 0)
        bail("service", &err);
    const char *const models[] = {"default", "cheap"};
    service_set_models(service, models, 2);
    service_attach_engine(service, &engine_ops, NULL);
    member = person("Mel", "member");
    viewer = person("Vic", "viewer");
    stranger = member;
    uuid_make(stranger.user_id);
    snprintf(stranger.organization_id, sizeof(stranger.organization_id), "elsewhere");
}

static void service_world_free(void)
{
    service_free(service);
    world_free(&w);
}

/* ---- shorthands ---- */

/* JSON with ' for " */
__attribute__((unused)) static json_t *js(const char *text)
{
    autofree char *copy = xstrdup(text);
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    error_auto err = ERROR_INIT;
    json_t *value = jx_decode(copy, strlen(copy), "test", &err);
    if (value == NULL)
        bail(text, &err);
    return value;
}

__attribute__((unused)) static void upload(const char *manifest)
{
    error_auto err = ERROR_INIT;
    bool created;
    jx_auto *decoded = js(manifest);
    autofree char *json = jx_encode(decoded, NULL);
    autofree char *source = xasprintf("--%s\n", json);
    jx_auto *skill = NULL;
    if (skill_upload(service, &owner, source, strlen(source), NULL, &skill, &created, &err) < 0)
        bail(manifest, &err);
}

/* A page of agents, decoded. */
__attribute__((unused)) static int agents_page(struct service *s, const struct principal *who,
                                               const struct list_query *query, json_t **page_r,
                                               struct error *err)
{
    buf_auto text = BUF_INIT;
    if (agent_list(s, who, query, &text, err) < 0)
        return -1;
    *page_r = jx_decode(text.data, text.len, "page", err);
    return *page_r != NULL ? 0 : -1;
}

/* An error of this code, saying this. */
__attribute__((unused)) static bool failed(int result, const struct error *err,
                                           enum error_code code, const char *says, const char *name)
{
    bool right = result == -1 && err->code == code && strstr(err->message, says) != NULL;
    if (!ok(right, "%s: %s", name, error_row(code)->name))
        note("result %d, %s: %s", result, error_row(err->code)->name, err->message);
    return right;
}
#define fails(call, code, says, name)                                                              \
    do {                                                                                           \
        error_auto err = ERROR_INIT;                                                               \
        int result_ = (call);                                                                      \
        failed(result_, &err, code, says, name);                                                   \
    } while (0)
#define works(call, name)                                                                          \
    do {                                                                                           \
        error_auto err = ERROR_INIT;                                                               \
        if (!ok((call) == 0, "%s", name))                                                          \
            note("%s", err.message);                                                               \
    } while (0)

#endif
