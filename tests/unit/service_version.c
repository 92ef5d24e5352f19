/* Versions: what is published is pinned for good, and what runs is what was pinned. */
#include "lib/service_world.h"

#include <pthread.h>

#include "schema/schema.h"
#include "service/alias.h"
#include "service/launch.h"

static char agent[UUID_SIZE];

static void make_agent(const char *config, char id[UUID_SIZE])
{
    error_auto err = ERROR_INIT;
    jx_auto *body = js(config);
    jx_auto *made = NULL;
    if (agent_create(service, &owner, body, &made, &err) < 0)
        bail(config, &err);
    snprintf(id, UUID_SIZE, "%s", jx_str(made, "id", ""));
}

static json_t *create(const char *body, struct error *err)
{
    jx_auto *decoded = js(body);
    json_t *version = NULL;
    return version_create(service, &owner, agent, decoded, &version, err) == 0 ? version : NULL;
}

static int publish(const char *id, const char *version, json_t **version_r, struct error *err)
{
    return version_publish(service, &owner, id, version, NULL, version_r, err);
}

static void create_test(void)
{
    jx_auto *first = create("{}", NULL);
    is_str(jx_str(first, "version", ""), "1.0.0", "the first version is 1.0.0");
    ok(!jx_bool(first, "isCurrent", true) && json_object_get(first, "publishedAt") == NULL,
       "and not published");
    is_str(jx_str(json_object_get(first, "config"), "name", ""), "Sums", "a snapshot of the draft");
    ok(json_object_get(json_object_get(first, "config"), "id") == NULL,
       "of the configuration only");
    jx_auto *second = create("{'changelog':'more'}", NULL);
    is_str(jx_str(second, "version", ""), "1.0.1", "the next is the next patch");
    jx_auto *third =
        create("{'version':'2.0.0-rc.1','config':{'name':'Other','skillset':[]}}", NULL);
    is_str(jx_str(json_object_get(third, "config"), "name", ""), "Other", "or what the body says");
    jx_auto *fourth = create("{}", NULL);
    is_str(jx_str(fourth, "version", ""), "2.0.0", "after a pre-release its release");
    error_auto taken = ERROR_INIT, wrong = ERROR_INIT, bad = ERROR_INIT;
    ok(create("{'version':'1.0.0'}", &taken) == NULL && taken.code == E_VERSION_CONFLICT, "taken");
    ok(create("{'version':'1.0'}", &wrong) == NULL && wrong.code == E_INVALID_REQUEST,
       "no version");
    ok(create("{'config':{'name':'x','skillset':['nothing']}}", &bad) == NULL &&
           bad.code == E_INVALID_AGENT_CONFIG,
       "no configuration");
    jx_auto *page = NULL, *none = NULL;
    const struct list_query query = {.limit = 3};
    works(version_list(service, &viewer, agent, &query, &page, &err), "versions are listed");
    is_str(jx_str(json_array_get(json_object_get(page, "items"), 0), "version", ""), "2.0.0",
           "newest first");
    fails(version_get(service, &owner, agent, "latest", &none, &err), E_VERSION_NOT_FOUND,
          "no published", "there is no latest yet");
    fails(version_get(service, &owner, agent, "9.9.9", &none, &err), E_VERSION_NOT_FOUND, "9.9.9",
          "nor one that was never made");
}

static bool capability(const json_t *version, const char *way, const char *text)
{
    jx_auto *wanted = json_pack("[s]", text);
    return json_equal(json_object_get(json_object_get(version, "capabilities"), way), wanted);
}

static void publish_test(void)
{
    jx_auto *first = NULL, *again = NULL, *second = NULL, *latest = NULL, *now = NULL;
    fails(version_publish(service, &viewer, agent, "1.0.0", NULL, &again, &err),
          E_INSUFFICIENT_PERMISSIONS, "", "a viewer publishes nothing");
    works(publish(agent, "1.0.0", &first, &err), "a version is published");
    ok(jx_bool(first, "isCurrent", false), "and current");
    ok(capability(first, "gained", "http:example.org"), "what it can do is new");
    const json_t *pins = json_object_get(first, "pins");
    is_int(strlen(jx_str(json_array_get(json_object_get(pins, "skills"), 0), "sha256", "")), 64,
           "skills are pinned by digest");
    ok(json_is_null(json_object_get(pins, "persona")), "there is no persona");
    works(agent_get(service, &owner, agent, &now, &err), "the agent");
    is_str(jx_str(now, "status", ""), "published", "is published");
    is_int(jx_int(now, "revision", 0), 2, "which is a change of it");
    fails(publish(agent, "1.0.0", &again, &err), E_VERSION_CONFLICT, "already", "once");
    upload("{'name':'sum','version':'1.1.0','needs':{'model':['cheap']}}");
    works(publish(agent, "1.0.1", &second, &err), "the next");
    ok(capability(second, "gained", "model:cheap") &&
           capability(second, "lost", "http:example.org"),
       "with what it gained and lost");
    works(version_get(service, &owner, agent, "latest", &latest, &err), "latest");
    is_str(jx_str(latest, "version", ""), "1.0.1", "is the one published last");
    is_int(world_int(&w, "SELECT count(*) FROM agent_versions WHERE is_current = 1"), 1,
           "and only one is current");
}

static int prepare(const struct principal *who, const char *version, const json_t *input,
                   struct launch **launch_r, struct error *err)
{
    autofree char *note = NULL;
    return execution_prepare(service, who, agent, version, "id", input, launch_r, &note, err);
}

/* What was pinned is what runs, whatever is uploaded since. */
static void launch_test(void)
{
    struct launch *launch = NULL, *same = NULL, *draft = NULL;
    jx_auto *input = js("{'n':1}");
    upload("{'name':'sum','version':'2.0.0','input':{'type':'integer'}}");
    fails(prepare(&viewer, "1.0.0", input, &launch, &err), E_INSUFFICIENT_PERMISSIONS, "execute",
          "a viewer executes nothing");
    works(prepare(&member, "1.0.0", input, &launch, &err), "an old version");
    ok(strstr(launch->skills[0].source, "\"1.0.0\"") != NULL, "runs the source that it pinned");
    is_str(launch->skills[0].name, "sum", "its entry point");
    is_int(launch->limits.memory, 8 << 20, "within its limits");
    is_int(launch->limits.cpu_us, 10000000, "and the defaults");
    jx_auto *context = jx_decode(launch->context, launch->context_len, "context", NULL);
    const json_t *of_agent = json_object_get(context, "agent");
    is_str(jx_str(of_agent, "name", ""), "Sums", "the context names the agent");
    is_str(jx_str(of_agent, "version", ""), "1.0.0", "and the version");
    ok(json_object_get(json_object_get(of_agent, "settings"), "limits") == NULL &&
           json_object_get(json_object_get(of_agent, "settings"), "entrypoint") != NULL,
       "has its settings without limits");
    is_int(json_array_size(json_object_get(context, "skills")), 0, "and no skill beside the entry");
    works(execution_launch(service, agent, "1.0.0", &same, &err), "taken up again");
    ok(launch == same, "it is the same launch");
    fails(prepare(&owner, "draft", input, &draft, &err), E_INVALID_INPUT, "",
          "the draft runs the newest source, which wants an integer");
    fails(prepare(&member, "draft", input, &draft, &err), E_INSUFFICIENT_PERMISSIONS, "draft",
          "for those who may change it");
    fails(prepare(&member, "2.0.0", input, &draft, &err), E_INSUFFICIENT_PERMISSIONS, "drafts",
          "nor a version that is not published");
    launch_unref(launch);
    launch_unref(same);
}

/* One execution has one pick; many have them as the weights say. */
static void alias_test(void)
{
    jx_auto *body =
        js("{'targets':[{'version':'1.0.0','weight':90},{'version':'1.0.1','weight':10}]}");
    jx_auto *alias = NULL;
    bool created = false;
    int rare = 0, same = 0;
    works(alias_put(service, &owner, agent, "stable", body, NULL, false, &alias, &created, &err),
          "an alias is made");
    ok(created, "for the first time");
    for (int i = 0; i < 2000; i++) {
        char id[UUID_SIZE], first[SEMVER_MAX + 1] = "", again[SEMVER_MAX + 1] = "";
        uuid_make(id);
        alias_pick(service, agent, "stable", id, first, NULL);
        alias_pick(service, agent, "stable", id, again, NULL);
        same += strcmp(first, again) == 0;
        rare += strcmp(first, "1.0.1") == 0;
    }
    is_int(same, 2000, "an execution's pick is always the same");
    ok(rare > 120 && rare < 280, "one in ten gets the one with a tenth: %d of 2000", rare);
    struct version_choice choice;
    works(version_resolve(service, &member, agent, "stable", "an id", &choice, &err),
          "it resolves");
    is_str(jx_str(choice.note, "ref", ""), "stable", "with a note of what was asked for");
    version_choice_clear(&choice);
    fails(alias_put(service, &viewer, agent, "stable", body, NULL, false, &alias, &created, &err),
          E_INSUFFICIENT_PERMISSIONS, "", "a viewer changes none");
    fails(version_resolve(service, &viewer, agent, "stable", "an id", &choice, &err),
          E_INSUFFICIENT_PERMISSIONS, "", "nor executes");
}

static void skill_gone_test(void)
{
    jx_auto *none = NULL;
    struct launch *launch = NULL;
    upload("{'name':'gone','version':'1.0.0'}");
    char id[UUID_SIZE];
    make_agent("{'name':'Goner','skillset':['gone'],'visibility':'organization',"
               "'executionConfig':{'entrypoint':'gone'}}",
               id);
    jx_auto *body = js("{}");
    jx_auto *version = NULL, *published = NULL, *next = NULL, *after = NULL;
    works(version_create(service, &owner, id, body, &version, &err), "a version");
    works(publish(id, "1.0.0", &published, &err), "is published");
    works(version_create(service, &owner, id, body, &next, &err), "another is not");
    jx_auto *patch = js("{'skillset':[],'executionConfig':null}");
    works(agent_update(service, &owner, id, patch, NULL, &after, &err),
          "the draft lets go of the skill");
    works(skill_delete(service, &owner, "gone", NULL, &err), "which is deleted");
    works(execution_launch(service, id, "1.0.0", &launch, &err), "the published version");
    ok(launch != NULL && strstr(launch->skills[0].source, "gone") != NULL, "keeps its source");
    launch_unref(launch);
    fails(publish(id, "1.0.1", &none, &err), E_INVALID_AGENT_CONFIG, "/skillset/0",
          "what is not pinned cannot be published any more");
}

static void loop_test(void)
{
    char id[UUID_SIZE], persona[UUID_SIZE];
    jx_auto *words = js("{'name':'Kind','prompt':'Be kind.'}");
    jx_auto *made = NULL, *version = NULL, *published = NULL, *edited = NULL;
    works(persona_create(service, &owner, words, &made, &err), "a persona");
    snprintf(persona, sizeof(persona), "%s", jx_str(made, "id", ""));
    autofree char *config = xasprintf("{'name':'Loop','skillset':['sum'],'personaId':'%s',"
                                      "'outputSchema':{'type':'string'},"
                                      "'executionConfig':{'provider':'cheap','maxSteps':3}}",
                                      persona);
    make_agent(config, id);
    jx_auto *body = js("{}");
    works(version_create(service, &owner, id, body, &version, &err), "a version of it");
    works(publish(id, "1.0.0", &published, &err), "is published");
    is_str(jx_str(json_object_get(json_object_get(published, "pins"), "loop"), "name", ""),
           "agent_loop", "the agent loop is pinned");
    jx_auto *other = js("{'prompt':'Be cruel.'}");
    works(persona_update(service, &owner, persona, other, NULL, &edited, &err),
          "the persona is edited");
    struct launch *launch = NULL;
    works(execution_launch(service, id, "1.0.0", &launch, &err), "it is launched");
    is_int(launch->n_skills, 2, "with the loop and the skill");
    is_str(launch->skills[0].source, "-- the loop\n", "the loop first");
    ok(launch->skills[1].input != NULL, "the tool with its schema");
    ok(launch->output_schema != NULL, "the answer with the agent's");
    jx_auto *context = jx_decode(launch->context, launch->context_len, "context", NULL);
    const json_t *of_agent = json_object_get(context, "agent");
    is_str(jx_str(of_agent, "persona", ""), "Be kind.", "the persona is what it was");
    ok(jx_bool(of_agent, "has_output_schema", false), "the loop is told of the schema");
    const json_t *tool = json_array_get(json_object_get(context, "skills"), 0);
    is_str(jx_str(tool, "name", ""), "sum", "and of the tools");
    is_str(jx_str(json_object_get(tool, "input"), "type", ""), "integer", "with their input");
    jx_auto *needs = js("{'model':['cheap']}");
    ok(json_equal(launch->needs, needs), "and may ask its own provider only");
    launch_unref(launch);
}

/* ---- at the same time ---- */

enum { PUBLISHERS = 4 };

static void *publisher(void *arg)
{
    int64_t won = 0;
    struct principal who = owner;
    for (int i = 0; i < 10; i++) {
        error_auto err = ERROR_INIT;
        char version[16];
        snprintf(version, sizeof(version), "3.0.%d", i);
        jx_auto *made = NULL;
        won += version_publish(service, &who, arg, version, NULL, &made, &err) == 0;
        struct launch *launch = NULL;
        if (execution_launch(service, arg, version, &launch, &err) == 0)
            launch_unref(launch);
    }
    return (void *)(intptr_t)won;
}

static void race_test(void)
{
    for (int i = 0; i < 10; i++) {
        error_auto err = ERROR_INIT;
        autofree char *body = xasprintf("{'version':'3.0.%d'}", i);
        json_decref(create(body, &err));
    }
    pthread_t threads[PUBLISHERS];
    int64_t won = 0;
    for (int i = 0; i < PUBLISHERS; i++)
        if (pthread_create(&threads[i], NULL, publisher, agent) != 0)
            abort();
    for (int i = 0; i < PUBLISHERS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        won += (intptr_t)result;
    }
    is_int(won, 10, "each version is published by one of four");
    is_int(world_int(&w, "SELECT count(*) FROM agent_versions v JOIN agents a ON a.id = v.agent_id"
                         " AND a.current_version = v.version WHERE v.is_current = 1"
                         " AND a.name = 'Sums'"),
           1, "and the agent says the one that is current");
}

int main(void)
{
    service_world_new("");
    upload("{'name':'sum','version':'1.0.0','needs':{'http':['example.org']}}");
    make_agent("{'name':'Sums','skillset':['sum'],'visibility':'organization','executionConfig':"
               "{'entrypoint':'sum','limits':{'memoryMb':8}}}",
               agent);
    create_test();
    publish_test();
    launch_test();
    alias_test();
    skill_gone_test();
    loop_test();
    race_test();
    service_world_free();
    schema_cache_clear();
    return done_testing();
}
