/* Skills, personas and agents: what is wrong is said all at once and changes nothing; names, limits
 * and revisions hold against whoever comes at the same time. */
#include "lib/service_world.h"

#include <pthread.h>

/* ---- skills ---- */

static int upload_as(const struct principal *who, const char *source, bool *created_r,
                     struct error *err)
{
    json_t *skill = NULL;
    int result = skill_upload(service, who, source, strlen(source), NULL, &skill, created_r, err);
    json_decref(skill);
    return result;
}

static void skills_test(void)
{
    bool created = false;
    const char *first =
        "--{\"name\":\"sum\",\"version\":\"1.0.0\",\"description\":\"Adds.\",\"input\":[],"
        "\"needs\":{\"http\":[\"example.org\"],\"model\":{}}}\n";
    const char *second = "--{\"name\":\"sum\",\"version\":\"1.1.0\"}\n";
    works(upload_as(&member, first, &created, &err), "a skill is uploaded");
    ok(created, "and new");
    works(upload_as(&member, first, &created, &err), "the same again");
    ok(!created, "changes nothing");
    works(upload_as(&member, second, &created, &err), "another source of the name");
    ok(created, "is a revision");
    works(upload_as(&owner, second, &created, &err), "also by an owner");
    fails(upload_as(&viewer, first, &created, &err), E_INSUFFICIENT_PERMISSIONS, "viewer",
          "a viewer");
    fails(upload_as(&member, "print()", &created, &err), E_INVALID_SKILL, "skill.lua:1",
          "no skill");
    fails(upload_as(&member, "", &created, &err), E_INVALID_SKILL, "empty", "nothing");
    fails(upload_as(&member, "--{}\xff\n", &created, &err), E_INVALID_SKILL, "UTF-8", "no text");

    jx_auto *skill = NULL, *old = NULL, *revisions = NULL, *none = NULL;
    works(skill_get(service, &viewer, "sum", NULL, &skill, &err), "everybody reads it by name");
    is_str(jx_str(skill, "version", ""), "1.1.0", "the current revision");
    is_str(jx_str(skill, "source", ""), second, "with its source");
    works(skill_revisions(service, &viewer, jx_str(skill, "id", ""), &revisions, &err),
          "revisions");
    const json_t *items = json_object_get(revisions, "items");
    is_int(json_array_size(items), 2, "are two");
    ok(jx_bool(json_array_get(items, 0), "isCurrent", false) &&
           !jx_bool(json_array_get(items, 1), "isCurrent", true),
       "of which the newest is current");
    works(skill_get(service, &viewer, "sum", jx_str(json_array_get(items, 1), "sha256", ""), &old,
                    &err),
          "an old one by its digest");
    is_str(jx_str(old, "description", ""), "Adds.", "is what it was");
    ok(json_is_object(json_object_get(old, "input")), "an empty table is the schema it must be");
    fails(skill_get(service, &member, "sum", "00", &none, &err), E_SKILL_NOT_FOUND, "no revision",
          "a digest that is none");
    fails(skill_get(service, &stranger, "sum", NULL, &none, &err), E_SKILL_NOT_FOUND, "",
          "from another organization");
}

static void manifest_test(void)
{
    bool created;
    error_auto refusal = ERROR_INIT;
    int result =
        upload_as(&owner,
                  "--{\"name\":\"Sum\",\"version\":\"1\",\"description\":3,"
                  "\"input\":{\"type\":\"strin\"},\"needs\":{\"modl\":[],\"model\":[\"cheep\"],"
                  "\"http\":[1]}}\n",
                  &created, &refusal);
    failed(result, &refusal, E_INVALID_SKILL, "more)", "a manifest that is all wrong");
    autofree char *problems = jx_encode(json_object_get(refusal.details, "validationErrors"), NULL);
    ok(strstr(problems, "/needs/modl") != NULL && strstr(problems, "did you mean 'model'?") != NULL,
       "names a capability that there is");
    ok(strstr(problems, "/needs/model/0") != NULL &&
           strstr(problems, "did you mean 'cheap'?") != NULL,
       "and a model that is configured");
    ok(strstr(problems, "/input/type") != NULL, "and the place in the schema");
    fails(upload_as(&owner, "--{\"name\":\"agent_loop\",\"version\":\"1.0.0\"}\n", &created, &err),
          E_INVALID_SKILL, "built-in", "the agent loop's name");
}

/* ---- personas ---- */

static void personas_test(char id[UUID_SIZE])
{
    jx_auto *body = js("{'name':'Critic','prompt':'You are strict.'}");
    jx_auto *persona = NULL, *after = NULL, *none = NULL, *third = NULL;
    works(persona_create(service, &member, body, &persona, &err), "a persona is made");
    snprintf(id, UUID_SIZE, "%s", jx_str(persona, "id", ""));
    fails(persona_create(service, &owner, body, &none, &err), E_DUPLICATE_NAME, "",
          "its name is taken");
    jx_auto *patch = js("{'description':'x','prompt':'You are kind.'}");
    works(persona_update(service, &member, id, patch, "1", &after, &err), "it is edited");
    is_int(jx_int(after, "revision", 0), 2, "which counts");
    fails(persona_update(service, &member, id, patch, "1", &none, &err), E_PRECONDITION_FAILED,
          "changed since", "an old ETag");
    fails(persona_update(service, &member, id, patch, "W/\"x\"", &none, &err),
          E_PRECONDITION_FAILED, "not an ETag", "none of ours");
    jx_auto *removal = js("{'description':null}");
    works(persona_update(service, &owner, id, removal, NULL, &third, &err), "null removes");
    ok(json_object_get(third, "description") == NULL, "a member");
    jx_auto *foreign = js("{'systemMessage':'x'}");
    fails(persona_update(service, &owner, id, foreign, NULL, &none, &err), E_INVALID_REQUEST,
          "there is no such member; there is name, ", "what there is, when nothing is near");
    jx_auto *wrong = js("{'prompt':'','nam':'x'}");
    fails(persona_update(service, &owner, id, wrong, NULL, &none, &err), E_INVALID_REQUEST,
          "did you mean 'name'?", "what is wrong");
    fails(persona_update(service, &viewer, id, patch, NULL, &none, &err),
          E_INSUFFICIENT_PERMISSIONS, "change", "a viewer");
    fails(persona_get(service, &stranger, id, &none, &err), E_PERSONA_NOT_FOUND, "", "a stranger");
}

/* ---- agents ---- */

static json_t *agent_as(const struct principal *who, const char *config)
{
    error_auto err = ERROR_INIT;
    jx_auto *body = js(config);
    json_t *agent = NULL;
    if (agent_create(service, who, body, &agent, &err) < 0)
        bail(config, &err);
    return agent;
}

static void validation_test(const char *persona)
{
    autofree char *text = xasprintf(
        "{'name':'a\\u0007','description':1,'personaId':'%c%s','skillset':['sum','sun','sum',4],"
        "'inputSchema':{'type':'strin'},'outputSchema':7,'triggerMode':'manul','triggerConfig':[],"
        "'visibility':'secret','metadata':3,'skilset':[],'executionConfig':{'entrypoint':'sup',"
        "'provider':'defalt','model':'','temperature':3,'maxTokens':0,'maxSteps':1.5,'"
        "maxTotalTokens':-1,"
        "'modle':'x','limits':{'cpuTimeMs':0,'memoryMb':999999,'cpuTime':1,'tokens':0}}}",
        persona[0] == 'f' ? 'e' : 'f', persona + 1);
    jx_auto *config = js(text);
    jx_auto *result = NULL;
    works(agent_validate(service, &viewer, config, &result, &err), "anybody may ask");
    ok(!jx_bool(result, "valid", true), "it is not valid");
    autofree char *errors = jx_encode(json_object_get(result, "errors"), NULL);
    static const char *const says[] = {
        "/name",
        "/description",
        "/personaId",
        "/skillset/1",
        "did you mean 'sum'?",
        "/skillset/2",
        "is there twice",
        "/skillset/3",
        "/inputSchema/type",
        "/outputSchema",
        "did you mean 'manual'?",
        "/triggerConfig",
        "/visibility",
        "/metadata",
        "did you mean 'skillset'?",
        "/executionConfig/entrypoint",
        "did you mean 'default'?",
        "/executionConfig/model",
        "/executionConfig/temperature",
        "/executionConfig/maxTokens",
        "/executionConfig/maxSteps",
        "/executionConfig/maxTotalTokens",
        "did you mean 'model'?",
        "/executionConfig/limits/cpuTimeMs",
        "/executionConfig/limits/memoryMb",
        "from 1 to 512 (the server's [limits] memory_max)",
        "did you mean 'cpuTimeMs'?",
        "/executionConfig/limits/tokens",
    };
    for (size_t i = 0; i < countof(says); i++)
        ok(strstr(errors, says[i]) != NULL, "it says %s", says[i]);
    error_auto refusal = ERROR_INIT;
    jx_auto *none = NULL;
    int created = agent_create(service, &owner, config, &none, &refusal);
    failed(created, &refusal, E_INVALID_AGENT_CONFIG, "/skilset", "creating says the same");
    ok(json_equal(json_object_get(refusal.details, "validationErrors"),
                  json_object_get(result, "errors")),
       "in all detail");
    is_int(world_int(&w, "SELECT count(*) FROM agents"), 0, "and made nothing");
    jx_auto *warned = js("{'name':'w','skillset':['sum'],"
                         "'executionConfig':{'entrypoint':'sum','model':'x'}}");
    jx_auto *warnings = NULL;
    works(agent_validate(service, &owner, warned, &warnings, &err), "warnings");
    ok(jx_bool(warnings, "valid", false) &&
           json_array_size(json_object_get(warnings, "warnings")) == 1,
       "leave it valid");
}

static void agents_test(const char *persona)
{
    autofree char *text =
        xasprintf("{'name':'Añe','skillset':['sum'],'personaId':'%s','visibility':"
                  "'organization','executionConfig':{'limits':{'memoryMb':8}}}",
                  persona);
    jx_auto *agent = agent_as(&member, text);
    const char *id = jx_str(agent, "id", "");
    is_str(jx_str(agent, "status", ""), "draft", "an agent starts as a draft");
    is_str(jx_str(agent, "triggerMode", ""), "manual", "with defaults");
    ok(json_is_object(json_object_get(agent, "metadata")), "for all members");
    ok(json_object_get(agent, "description") == NULL, "and without those it has not");
    jx_auto *by_name = NULL, *none = NULL, *second = NULL, *patched = NULL;
    works(agent_get(service, &viewer, "Añe", &by_name, &err), "it is found by name");
    ok(json_equal(agent, by_name), "the same");
    jx_auto *same = js("{'name':'Añe','skillset':[]}");
    fails(agent_create(service, &owner, same, &none, &err), E_DUPLICATE_AGENT_NAME, "",
          "a name twice");
    fails(agent_create(service, &viewer, same, &none, &err), E_INSUFFICIENT_PERMISSIONS, "",
          "a viewer");

    jx_auto *patch =
        js("{'description':'d','personaId':null,'executionConfig':{'entrypoint':'sum'},"
           "'metadata':{'a':{'b':1}}}");
    works(agent_update(service, &member, id, patch, "1", &patched, &err), "a merge patch");
    ok(json_object_get(patched, "personaId") == NULL, "null removes");
    is_int(jx_int(json_object_get(json_object_get(patched, "executionConfig"), "limits"),
                  "memoryMb", 0),
           8, "what it does not name stays");
    is_int(jx_int(patched, "revision", 0), 2, "the revision counts");
    fails(agent_update(service, &member, id, patch, "1", &none, &err), E_PRECONDITION_FAILED, "",
          "an old ETag");
    jx_auto *bad = js("{'status':'archived'}");
    fails(agent_update(service, &member, id, bad, NULL, &none, &err), E_INVALID_AGENT_CONFIG,
          "/status", "what is not the client's to say");
    fails(agent_update(service, &viewer, id, patch, NULL, &none, &err), E_INSUFFICIENT_PERMISSIONS,
          "", "a viewer");
    second = agent_as(&owner, "{'name':'Own','skillset':[]}");
    fails(agent_get(service, &member, "Own", &none, &err), E_AGENT_NOT_FOUND, "may not see it",
          "a private one of another");
    fails(agent_get(service, &stranger, id, &none, &err), E_AGENT_NOT_FOUND, "",
          "another organization");
    jx_auto *rename = js("{'name':'Own'}");
    fails(agent_update(service, &member, id, rename, NULL, &none, &err), E_DUPLICATE_AGENT_NAME, "",
          "renaming to a name that is taken");

    fails(skill_delete(service, &owner, "sum", NULL, &err), E_RESOURCE_IN_USE, "skillset",
          "a skill in use");
    fails(persona_delete(service, &viewer, persona, NULL, &err), E_INSUFFICIENT_PERMISSIONS, "",
          "deleting as a viewer");
    jx_auto *back = json_pack("{s:s}", "personaId", persona);
    jx_auto *again = NULL;
    works(agent_update(service, &owner, id, back, NULL, &again, &err), "the persona again");
    error_auto used = ERROR_INIT;
    int deleted = persona_delete(service, &owner, persona, NULL, &used);
    failed(deleted, &used, E_RESOURCE_IN_USE, "", "a persona in use");
    is_str(jx_str(json_array_get(json_object_get(used.details, "agents"), 0), "name", ""), "Añe",
           "by whom");
}

static void list_test(void)
{
    jx_auto *all = NULL, *seen = NULL, *filtered = NULL;
    const struct list_query query = {.sort = "name"};
    works(agents_page(service, &owner, &query, &all, &err), "the owner's list");
    is_int(json_array_size(json_object_get(all, "items")), 2, "has all");
    works(agents_page(service, &viewer, &query, &seen, &err), "a viewer's");
    is_int(json_array_size(json_object_get(seen, "items")), 1, "what is visible");
    jx_auto *filters = js("{'skill':'sum','status':'draft','visibility':'organization',"
                          "'triggerMode':'manual','name':'Añe','text':'añ'}");
    const struct list_query narrow = {.filters = filters};
    works(agents_page(service, &owner, &narrow, &filtered, &err), "every filter at once");
    is_int(json_array_size(json_object_get(filtered, "items")), 1, "narrows it");
}

/* ---- at the same time ---- */

enum { WRITERS = 4, WRITES = 25 };

static void *writer(void *arg)
{
    int *done = arg;
    for (int i = 0; i < WRITES; i++) {
        error_auto err = ERROR_INIT;
        jx_auto *agent = NULL;
        jx_auto *patch = js("{'description':'at the same time'}");
        struct principal who;
        if (token_authenticate(service, owner_token, TOKEN_SIZE - 1, &who, &err) == 0 &&
            agent_update(service, &who, "Own", patch, NULL, &agent, &err) == 0)
            ++*done;
        else if (err.code != E_UNAVAILABLE)
            return arg;
    }
    return NULL;
}

static void race_test(void)
{
    pthread_t threads[WRITERS];
    int done[WRITERS] = {0}, sum = 0;
    void *wrong = NULL;
    for (int i = 0; i < WRITERS; i++)
        if (pthread_create(&threads[i], NULL, writer, &done[i]) != 0)
            abort();
    for (int i = 0; i < WRITERS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        wrong = result != NULL ? result : wrong;
        sum += done[i];
    }
    ok(wrong == NULL, "updates at the same time are done, or told to try again");
    is_int(world_int(&w, "SELECT revision FROM agents WHERE name = 'Own'"), 1 + sum,
           "and each that is done counts once");
}

static void limit_test(void)
{
    jx_auto *none = NULL;
    json_decref(agent_as(&owner, "{'name':'Third','skillset':[]}"));
    jx_auto *fourth = js("{'name':'Fourth','skillset':[]}");
    fails(agent_create(service, &owner, fourth, &none, &err), E_ORGANIZATION_LIMIT_EXCEEDED,
          "limits", "one agent too many");
    autofree char *filler = xcalloc(1, 3000);
    memset(filler, 'x', 2999);
    jx_auto *big =
        json_pack("{s:s, s:[], s:{s:s}}", "name", "Big", "skillset", "metadata", "x", filler);
    fails(agent_create(service, &owner, big, &none, &err), E_INVALID_AGENT_CONFIG, "/metadata",
          "metadata beyond the limit");
}

static void delete_test(void)
{
    fails(agent_delete(service, &viewer, "Añe", NULL, false, &err), E_INSUFFICIENT_PERMISSIONS, "",
          "a viewer");
    fails(agent_delete(service, &owner, "Añe", "1", false, &err), E_PRECONDITION_FAILED, "",
          "an old ETag");
    world_sql(&w,
              "INSERT INTO agent_executions (id, agent_id, agent_version, organization_id,"
              " triggered_by, available_at, created_at) SELECT 'e', id, 'draft', organization_id,"
              " user_id, 1, 1 FROM agents WHERE name = 'Añe'");
    fails(agent_delete(service, &owner, "Añe", NULL, false, &err), E_INVALID_STATE,
          "pending or running", "while it runs");
    world_sql(&w, "UPDATE agent_executions SET status = 'completed'");
    works(agent_delete(service, &owner, "Añe", NULL, false, &err), "and after");
    is_int(world_int(&w, "SELECT count(*) FROM agent_executions"), 0, "its executions go with it");
    works(skill_delete(service, &owner, "sum", NULL, &err), "the skill is free now");
    is_int(world_int(&w, "SELECT count(*) FROM skill_sources"), 0, "and its sources go");
    fails(skill_delete(service, &owner, "sum", NULL, &err), E_SKILL_NOT_FOUND, "", "twice");
}

int main(void)
{
    char persona[UUID_SIZE];
    service_world_new("[limits]\nagents = 3\nobject = 2KiB\n");
    skills_test();
    manifest_test();
    personas_test(persona);
    validation_test(persona);
    agents_test(persona);
    list_test();
    race_test();
    limit_test();
    delete_test();
    service_world_free();
    return done_testing();
}
