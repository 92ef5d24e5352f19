/* Chains: what is read of texts, what is wrong with a configuration, and what becomes of one. */
#include "service/chain.h"

#include "lib/service_world.h"
#include "service/chain_config.h"
#include "service/chain_expr.h"
#include "tap.h"

/* ---- texts ---- */

typedef json_t *parse_fn(const char *text, size_t len, struct error *err);

/* want: the tree, with ' for ", or "column N". */
static void reads(parse_fn *parse, const char *text, const char *want)
{
    error_auto err = ERROR_INIT;
    jx_auto *tree = parse(text, strlen(text), &err);
    if (strncmp(want, "column", 6) == 0) {
        ok(tree == NULL && strncmp(err.message, want, strlen(want)) == 0, "%.40s: %s", text,
           err.message);
        return;
    }
    jx_auto *wanted = js(want);
    autofree char *got = jx_encode(tree, NULL);
    ok(json_equal(tree, wanted), "%.40s is %s", text, tree != NULL ? got : err.message);
}

static void test_conditions_are_read(void)
{
    static const char *const rows[][2] = {
        {"true", "['=', true]"},
        {" $.input.a-b_1[0]['c.d'] ", "['$', 'input', 'a-b_1', 0, 'c.d']"},
        {"$.input.n >= -1.5e3", "['>=', ['$', 'input', 'n'], ['=', -1500.0]]"},
        {"not exists( $.vars.x )", "['not', ['exists', ['$', 'vars', 'x']]]"},
        {"1 and 2 and 3 or 4", "['or', ['and', ['=', 1], ['=', 2], ['=', 3]], ['=', 4]]"},
        {"1 and (2 or 3)", "['and', ['=', 1], ['or', ['=', 2], ['=', 3]]]"},
        {"not 1 == 2", "['not', ['==', ['=', 1], ['=', 2]]]"},
        {"not (1) and 2", "['and', ['not', ['=', 1]], ['=', 2]]"},
        {"trues == 1", "column 1"},
        {"$ == 1", "column 2"},
        {"$.input == ", "column 12"},
        {"$.input = 1", "column 9"},
        {"1 == 1 == 1", "column 8"},
        {"(1", "column 3"},
        {"exists($.input", "column 15"},
        {"'a", "column 1"},
        {"", "column 1"},
    };
    for (size_t i = 0; i < countof(rows); i++)
        reads(chain_condition_parse, rows[i][0], rows[i][1]);
}

static void test_mappings_are_read(void)
{
    static const char *const rows[][2] = {
        {"$.input", "['$', 'input']"},
        {"={\"a\": [1, null]}", "['json', '{\\'a\\':[1,null]}']"},
        {"=", "column 2"},
        {"=1 2", "column 2"},
        {"", "['text']"},
        {"a {{$.input.b}}{{ $.vars.c[1] }}!",
         "['text', ['=', 'a '], ['$', 'input', 'b'], ['$', 'vars', 'c', 1], ['=', '!']]"},
        {"a {{b}}", "column 5"},
        {"a {{$.b", "column 8"},
        {"$.input and more", "column 9"},
    };
    static const char *const targets[][2] = {
        {"a", "['a']"},       {"a.b['c d'].e", "['a', 'b', 'c d', 'e']"},
        {"$", "[]"},          {"[\"a.b\"]", "['a.b']"},
        {"a[0]", "column 5"}, {"", "column 1"},
        {"a b", "column 3"},  {"$.a", "column 1"},
    };
    for (size_t i = 0; i < countof(rows); i++)
        if (i != 1) /* quotes in quotes */
            reads(chain_mapping_parse, rows[i][0], rows[i][1]);
    for (size_t i = 0; i < countof(targets); i++)
        reads(chain_target_parse, targets[i][0], targets[i][1]);
    error_auto err = ERROR_INIT;
    jx_auto *json = chain_mapping_parse(rows[1][0], strlen(rows[1][0]), &err);
    is_str(json_string_value(json_array_get(json, 1)), "{\"a\":[1,null]}", "JSON stays what it is");
}

static void test_nesting_is_bounded(void)
{
    char deep[256];
    memset(deep, '(', 100);
    strcpy(deep + 100, "1");
    reads(chain_condition_parse, deep, "column 31");
    for (size_t i = 0; i < 240; i += 4)
        memcpy(deep + i, "not ", 5);
    reads(chain_condition_parse, deep, "column ");
    buf_auto many = BUF_INIT;
    buf_append_str(&many, "$.input.a == 1");
    for (int i = 0; i < 500; i++)
        buf_append_str(&many, " or $.input.a == 1");
    error_auto err = ERROR_INIT;
    jx_auto *tree = chain_condition_parse(many.data, many.len, &err);
    is_int((long)json_array_size(tree), 502, "as many terms as one likes");
}

/* ---- configurations ---- */

static char leaf[UUID_SIZE], unpublished[UUID_SIZE];

static void agent_make(const char *name, bool publish, char id_r[UUID_SIZE])
{
    error_auto err = ERROR_INIT;
    jx_auto *agent = NULL, *version = NULL, *published = NULL;
    jx_auto *body =
        json_pack("{s:s, s:[s], s:s, s:{s:s}, s:s, s:{s:s, s:[s], s:{s:{}}, s:b}}", "name", name,
                  "skillset", "work", "triggerMode", "manual", "executionConfig", "entrypoint",
                  "work", "visibility", "organization", "inputSchema", "type", "object", "required",
                  "text", "properties", "text", "additionalProperties", 0);
    jx_auto *nothing = json_object();
    if (agent_create(service, &owner, body, &agent, &err) < 0)
        bail(name, &err);
    snprintf(id_r, UUID_SIZE, "%s", jx_str(agent, "id", ""));
    if (publish && (version_create(service, &owner, id_r, nothing, &version, &err) < 0 ||
                    version_publish(service, &owner, id_r, jx_str(version, "version", ""), nothing,
                                    &published, &err) < 0))
        bail(name, &err);
}

/* "PATH PATH…" of the problems, in their order. */
static char *problems(const char *config, const char *chain_id, json_t **plan_r)
{
    error_auto err = ERROR_INIT;
    jx_auto *given = js(config);
    jx_auto *errors = json_array();
    jx_auto *warnings = json_array();
    if (chain_config_check(service, &owner, chain_id, given, "", errors, warnings, plan_r, &err) <
        0)
        bail(config, &err);
    buf_auto text = BUF_INIT;
    for (size_t i = 0; i < json_array_size(errors); i++)
        buf_printf(&text, "%s%s", i > 0 ? " " : "", jx_str(json_array_get(errors, i), "path", ""));
    buf_append_str(&text, "");
    return buf_steal(&text);
}

static void wrong(const char *config, const char *want, const char *what)
{
    jx_auto *plan = NULL;
    autofree char *got = problems(config, NULL, &plan);
    is_str(got, want, "%s", what);
    ok((plan == NULL) == (*want != '\0'), "and a plan is made of what is right");
}

static void test_what_is_wrong(void)
{
    wrong("{'steps':[{'id':'a','agentId':'leaf'}]}", "", "a chain of one step");
    wrong("{'steps':[]}", "/steps", "no step is none");
    wrong("{'steps':[{'id':'a','agentId':'leaf'},{'id':'a','agentId':'leaf'}]}", "/steps/1/id",
          "ids are unique");
    wrong("{'steps':[{'id':'a','agentId':'draft'}]}", "/steps/0/agentId", "agents are published");
    wrong("{'steps':[{'id':'a','agentId':'leaf','version':'^7'}]}", "/steps/0/version",
          "in that version");
    wrong("{'steps':[{'id':'a','agentId':'leaf','inputMapping':{'other':'=1'}}]}",
          "/steps/0/inputMapping /steps/0/inputMapping/other",
          "what the agent must have is there, and nothing that it does not know");
    wrong("{'steps':[{'id':'a','agentId':'leaf','inputMapping':{'$':'$.input.x'}}]}", "",
          "the whole may be anything");
    wrong("{'steps':[{'id':'a','agentId':'leaf','condition':'exists($.steps.b)','parallel':'p'},"
          "{'id':'b','agentId':'leaf','condition':'exists($.steps.a)','parallel':'p'},"
          "{'id':'c','agentId':'leaf','condition':'exists($.steps.a) and exists($.steps.b)'}]}",
          "/steps/0/condition /steps/1/condition", "neighbours do not see each other");
    wrong(
        "{'steps':[{'id':'a','agentId':'leaf','onError':{'strategy':'fallback',"
        "'fallbackStep':'f'}},{'id':'f','agentId':'leaf','inputMapping':{'text':'$.error.message'}}"
        "],'output':{'x':'$.steps.f.output'}}",
        "", "a fallback knows the error");
    wrong("{'steps':[{'id':'f','agentId':'leaf'}],'errorHandling':{'strategy':'fallback',"
          "'fallbackStep':'f'}}",
          "/steps", "something must run at all");
    wrong("{'steps':[{'id':'a','agentId':'leaf','outputMapping':{'x.y':'$.output'}},"
          "{'id':'b','agentId':'leaf','outputMapping':{'z':'$.vars.x.y','w':'$.vars.z'}}]}",
          "/steps/1/outputMapping/w", "variables are there behind the step that sets them");
}

/* However large it is, what is said of it is small, and said soon. */
static void test_large_ones(void)
{
    jx_auto *config = js("{'steps':[]}");
    jx_auto *mapping = json_object();
    for (int i = 0; i < 1001; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        json_object_set_new(mapping, name, json_string("=1"));
    }
    jx_auto *step =
        json_pack("{s:s, s:s, s:O}", "id", "a", "agentId", "leaf", "outputMapping", mapping);
    json_array_append(json_object_get(config, "steps"), step);
    autofree char *wide = jx_encode(config, NULL);
    wrong(wide, "/steps/0/outputMapping", "a mapping has at most 1000 rows");
    for (int i = 0; i < 1000; i++)
        json_array_append_new(json_object_get(config, "steps"), json_object());
    autofree char *is_long = jx_encode(config, NULL);
    jx_auto *plan = NULL;
    autofree char *got = problems(is_long, NULL, &plan);
    ok(plan == NULL && strncmp(got, "/steps", 6) == 0, "a chain at most 1000 steps");
}

static void test_a_plan(void)
{
    jx_auto *plan = NULL;
    autofree char *none =
        problems("{'steps':[{'id':'a','agentId':'leaf','timeout':5,'parallel':'p'},"
                 "{'id':'b','agentId':'leaf','parallel':'p','condition':'true'},"
                 "{'id':'c','agentId':'leaf','version':'^1.0'}],'timeout':9,"
                 "'retryPolicy':{'maxAttempts':2}}",
                 NULL, &plan);
    is_str(none, "", "a configuration that is right");
    jx_auto *want = js("[['a','b'],['c']]");
    ok(json_equal(json_object_get(plan, "groups"), want), "neighbours are one group");
    const json_t *a = json_array_get(json_object_get(plan, "steps"), 0);
    is_int(jx_int(json_object_get(a, "retry"), "attempts", 0), 2, "the chain's policy holds");
    is_int(jx_int(a, "timeout_ms", 0), 5, "a step's timeout is its own");
    is_int(jx_int(plan, "timeout_ms", 0), 9, "the chain's too");
}

/* ---- chains ---- */

static void test_a_chain_is_an_agent_that_runs(void)
{
    jx_auto *body = js("{'name':'c','chainConfig':{'steps':[{'id':'a','agentId':'leaf'}]}}");
    jx_auto *chain = NULL, *agent = NULL, *page = NULL, *edited = NULL, *whole = NULL;
    jx_auto *run = js("{'input':1}");
    char id[UUID_SIZE];
    works(chain_create(service, &member, body, &chain, &err), "a member makes one");
    const char *chain_id = jx_str(chain, "id", "");
    works(execution_start(service, &member, chain_id, run, NULL, id, &err), "it is executed");
    is_str(engine.agent_version, "1.0.0", "in its version");
    fails(agent_get(service, &owner, chain_id, &agent, &err), E_AGENT_NOT_FOUND, "",
          "it is no agent");
    fails(agent_delete(service, &owner, chain_id, NULL, true, &err), E_AGENT_NOT_FOUND, "",
          "and not deleted as one");
    fails(chain_delete(service, &member, chain_id, NULL, &err), E_INVALID_STATE, "",
          "nor deleted while it runs");
    works(agents_page(service, &owner, &(struct list_query){.limit = 50}, &page, &err), "agents");
    is_int((long)json_array_size(json_object_get(page, "items")), 2, "do not have it among them");
    jx_auto *patch = js("{'chainConfig':{'timeout':1000}}");
    works(chain_update(service, &owner, chain_id, patch, "1", &edited, &err),
          "an admin changes it");
    is_str(jx_str(edited, "currentVersion", ""), "2.0.0", "which makes a version");
    fails(chain_update(service, &viewer, chain_id, patch, NULL, &agent, &err),
          E_INSUFFICIENT_PERMISSIONS, "", "a viewer does not");
    works(chain_execution_get(service, &viewer, id, &whole, &err), "but sees its executions");
    is_str(jx_str(json_array_get(json_object_get(whole, "executionSteps"), 0), "status", ""),
           "pending", "with the steps");
    fails(chain_get(service, &stranger, chain_id, &agent, &err), E_CHAIN_NOT_FOUND, "",
          "for strangers there is none");
    jx_auto *self = js("{'chainConfig':{'steps':[{'id':'a','agentId':'c'}]}}");
    fails(chain_update(service, &owner, chain_id, self, NULL, &agent, &err), E_INVALID_CHAIN, "",
          "it does not run itself");
    jx_auto *off = js("{'status':'inactive'}");
    jx_auto *inactive = NULL;
    works(chain_update(service, &member, chain_id, off, NULL, &inactive, &err),
          "it is put out of use");
    fails(execution_start(service, &member, chain_id, run, NULL, id, &err), E_INVALID_STATE, "",
          "and is not executed");
}

int main(void)
{
    test_conditions_are_read();
    test_mappings_are_read();
    test_nesting_is_bounded();
    service_world_new("");
    upload("{'name':'work','version':'1.0.0'}");
    agent_make("leaf", true, leaf);
    agent_make("draft", false, unpublished);
    test_what_is_wrong();
    test_large_ones();
    test_a_plan();
    test_a_chain_is_an_agent_that_runs();
    service_world_free();
    return done_testing();
}
