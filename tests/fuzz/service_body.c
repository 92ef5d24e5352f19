/* Any JSON as the body of a use case, on a real store: done, or refused with a client's error and
 * the place that is wrong. The first byte says which use case, the rest is the body. */
#include <libgen.h>
#include <unistd.h>

#include "base/utf8.h"
#include "lib/service_world.h"
#include "service/batch.h"
#include "service/webhook.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void world_open(void)
{
    /* The plugin of this build is beside this program. */
    char self[4096] = "";
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        abort();
    autofree char *build = xasprintf("%s/../..", dirname(self));
    setenv("C9_BUILD", build, 1);
    service_world_new("[limits]\nagents = 20\n");
    upload("{'name':'sum','version':'1.0.0'}");
    atexit(service_world_free);
}

/* What a client did wrong; never ours. */
static void refused(const struct error *err)
{
    must(err->code != E_NONE && err->code != E_INTERNAL && err->code != E_STORAGE_FAILED);
    must(utf8_valid(err->message, strlen(err->message)));
    const json_t *problems = json_object_get(err->details, "validationErrors");
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const char *path = jx_str(json_array_get(problems, i), "path", NULL);
        must(path != NULL && (path[0] == '\0' || path[0] == '/'));
    }
}

static int body_agent(const json_t *body, json_t **made, struct error *err)
{
    jx_auto *result = NULL, *again = NULL;
    if (agent_validate(service, &owner, body, &result, err) < 0)
        return -1;
    int created = agent_create(service, &owner, body, made, err);
    if (created < 0)
        return -1;
    /* What is created was valid, reads the same again, and survives a patch of nothing. */
    must(jx_bool(result, "valid", false));
    const char *id = jx_str(*made, "id", "");
    must(agent_get(service, &owner, id, &again, err) == 0 && json_equal(*made, again));
    jx_auto *nothing = json_object();
    jx_auto *patched = NULL, *version = NULL;
    must(agent_update(service, &owner, id, nothing, NULL, &patched, err) == 0);
    must(version_create(service, &owner, id, nothing, &version, err) == 0);
    return agent_delete(service, &owner, id, NULL, false, err);
}

static int body_patch(const json_t *body, json_t **made, struct error *err)
{
    jx_auto *config = js("{'name':'Patched','skillset':['sum']}");
    jx_auto *agent = NULL;
    must(agent_create(service, &owner, config, &agent, err) == 0);
    error_auto later = ERROR_INIT;
    int result = agent_update(service, &owner, jx_str(agent, "id", ""), body, NULL, made, err);
    must(agent_delete(service, &owner, jx_str(agent, "id", ""), NULL, false, &later) == 0);
    return result;
}

static int body_persona(const json_t *body, json_t **made, struct error *err)
{
    int result = persona_create(service, &owner, body, made, err);
    return result == 0 ? persona_delete(service, &owner, jx_str(*made, "id", ""), "*", err) : -1;
}

static int body_token(const json_t *body, json_t **made, struct error *err)
{
    return token_create(service, &member, body, made, err);
}

static int body_skill(const json_t *body, json_t **made, struct error *err)
{
    bool created;
    autofree char *text = jx_encode(body, NULL);
    autofree char *source = xasprintf("--%s\n", text);
    if (skill_upload(service, &owner, source, strlen(source), NULL, made, &created, err) < 0)
        return -1;
    if (strcmp(jx_str(*made, "name", ""), "sum") == 0)
        return 0;
    return skill_delete(service, &owner, jx_str(*made, "name", ""), NULL, err);
}

static int body_list(const json_t *body, json_t **made, struct error *err)
{
    typedef int (*list_fn)(struct service *, const struct principal *, const struct list_query *,
                           json_t **, struct error *);
    static const list_fn lists[] = {agents_page, execution_list, persona_list, skill_list,
                                    token_list};
    const json_t *filters = json_object_get(body, "filters");
    const struct list_query query = {.limit = jx_int(body, "limit", 0),
                                     .cursor = jx_str(body, "cursor", NULL),
                                     .sort = jx_str(body, "sort", NULL),
                                     .filters = json_is_object(filters) ? filters : NULL};
    size_t which = (size_t)jx_int(body, "list", 0) % countof(lists);
    return lists[which](service, &owner, &query, made, err);
}

static int body_execute(const json_t *body, json_t **made, struct error *err)
{
    char id[UUID_SIZE];
    *made = NULL;
    return execution_start(service, &owner, jx_str(body, "agent", "x"), body, NULL, id, err);
}

static int body_batch(const json_t *body, json_t **made, struct error *err)
{
    return batch_create(service, &owner, jx_str(body, "agent", "x"), body, made, err);
}

static int body_webhook(const json_t *body, json_t **made, struct error *err)
{
    jx_auto *changed = NULL;
    if (webhook_create(service, &owner, body, made, err) < 0)
        return -1;
    const char *id = jx_str(*made, "id", "");
    jx_auto *nothing = json_object();
    must(webhook_update(service, &owner, id, nothing, NULL, &changed, err) == 0);
    return webhook_delete(service, &owner, id, NULL, err);
}

/* By the first byte: '1', '2' … */
static int (*const bodies[])(const json_t *body, json_t **made, struct error *err) = {
    body_agent, body_patch,   body_persona, body_token,  body_skill,
    body_list,  body_execute, body_batch,   body_webhook};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (service == NULL)
        world_open();
    if (size < 2)
        return 0;
    error_auto err = ERROR_INIT;
    jx_auto *body = jx_decode((const char *)data + 1, size - 1, "body", NULL);
    jx_auto *made = NULL;
    if (body != NULL && bodies[(uint8_t)(data[0] - '1') % countof(bodies)](body, &made, &err) < 0)
        refused(&err);
    return 0;
}
