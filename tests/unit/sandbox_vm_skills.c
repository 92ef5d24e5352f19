/* The skills that ship: their own examples, the agent loop against a scripted model, and that stubs
 * and luacheck's table name what the module has. */
#include <dirent.h>
#include <jansson.h>

#include "sandbox/vm-private.h"
#include "sandbox_vm.h"

static char *file_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);
    if (f == NULL || fread(text, 1, (1 << 20) - 1, f) == 0)
        printf("# cannot read %s\n", path);
    if (f != NULL)
        fclose(f);
    return text;
}

/* ---- examples -------------------------------------------------------------------------------- */

/* secrets: each is asked for once, before anything else. */
static void example_run(const char *name, const char *source, json_t *secrets, json_t *example)
{
    const char *answers[32] = {NULL}, *title = json_string_value(json_object_get(example, "name"));
    size_t n = 0, i;
    json_t *reply, *want = json_object_get(example, "output");
    const char *want_error = json_string_value(json_object_get(example, "error"));
    static const char *const kinds[] = {"model", "http"};
    json_array_foreach (secrets, i, reply)
        answers[n++] = strdup("{\"reference\":\"c9-secret-0123\"}");
    for (size_t k = 0; k < 2; k++)
        json_array_foreach (json_object_get(example, kinds[k]), i, reply)
            answers[n++] = json_dumps(reply, JSON_COMPACT);
    char *input = json_dumps(json_object_get(example, "input"), JSON_ENCODE_ANY);
    const char *got = vm_run(
        (struct vm_case){.name = name, .source = source, .input = input, .answers = answers});
    json_t *value = json_loads(got, JSON_DECODE_ANY, NULL);
    bool fine = want_error != NULL
                    ? vm_end.type == WIRE_FAILURE &&
                          strcmp(want_error, json_string_value(json_object_get(value, "code"))) == 0
                    : vm_end.type == WIRE_RESULT && json_equal(value, want);
    if (!ok(fine, "%s: %s", name, title))
        printf("# got %s\n# want %s\n", got,
               want ? json_dumps(want, JSON_ENCODE_ANY | JSON_SORT_KEYS) : want_error);
    json_decref(value);
    free(input);
    while (n > 0)
        free((char *)(uintptr_t)answers[--n]);
}

static void test_examples(void)
{
    DIR *dir = opendir("skills/examples");
    int skills = 0;
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        char path[512], name[64] = "";
        const char *dot = strstr(e->d_name, ".lua");
        if (dot == NULL || dot - e->d_name >= (ptrdiff_t)sizeof(name))
            continue;
        memcpy(name, e->d_name, (size_t)(dot - e->d_name));
        snprintf(path, sizeof(path), "skills/examples/%s", e->d_name);
        char *source = file_read(path);
        const char *text = vm_run((struct vm_case){
            .name = name, .source = source, .start = {.mode = WIRE_MODE_DESCRIBE}});
        json_t *described = json_loads(text, 0, NULL), *example;
        size_t i;
        if (!ok(vm_end.type == WIRE_RESULT, "%s is a valid skill", name))
            printf("# %s\n", text);
        is_str(json_string_value(json_object_get(described, "name")), name,
               "and has its file's name");
        ok(json_array_size(json_object_get(described, "examples")) > 0, "and has examples");
        json_array_foreach (json_object_get(described, "examples"), i, example)
            example_run(name, source,
                        json_object_get(json_object_get(described, "needs"), "secrets"), example);
        json_decref(described);
        free(source);
        skills++;
    }
    if (dir != NULL)
        closedir(dir);
    ok(skills >= 7, "%d example skills", skills);
}

/* ---- real files ------------------------------------------------------------------------------ */

static void test_files(void)
{
    char *source = file_read("skills/examples/csv_report.lua"),
         *csv = file_read("skills/examples/data/requests.csv");
    json_t *input = json_pack("{s:s,s:s,s:[s,s],s:i}", "csv", csv, "group_by", "service", "sum",
                              "requests", "errors", "top", 2);
    char *text = json_dumps(input, 0);
    json_decref(input); /* nothing is left to a child but what it is given */
    const char *got =
        vm_run((struct vm_case){.name = "csv_report", .source = source, .input = text});
    ok(vm_has(got, "\"rows\":168") && vm_has(got, "\"groups\":4") &&
           vm_has(got, "\"key\":\"images\""),
       "the report of the CSV file");
    free(text);
    free(source);
    free(csv);
    source = file_read("skills/examples/log_summary.lua");
    char *log = file_read("skills/examples/data/access.log");
    input = json_pack("{s:s}", "log", log);
    text = json_dumps(input, 0);
    json_decref(input);
    got = vm_run((struct vm_case){.name = "log_summary", .source = source, .input = text});
    ok(vm_has(got, "\"requests\":400") && vm_has(got, "\"unreadable_lines\":0") &&
           vm_has(got, "\"path\":\"/checkout\""),
       "the summary of the access log");
    free(text);
    free(source);
    free(log);
}

/* ---- the agent loop -------------------------------------------------------------------------- */

#define ANSWERS(...)                                                                               \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define USAGE "\"usage\":{\"input_tokens\":10,\"output_tokens\":5}"
static char *loop_source, *calculator_source;

static const char *loop(const char *agent, const char *input, const char *const *answers)
{
    char context[2048];
    snprintf(
        context, sizeof(context),
        "{\"agent\":{\"name\":\"a\",\"persona\":\"Be "
        "kind.\"%s},\"skills\":[{\"name\":\"calculator\","
        "\"description\":\"counts\",\"input\":{\"type\":\"object\"}},{\"name\":\"agent_loop\"}]}",
        agent);
    return vm_run((struct vm_case){.name = "agent_loop",
                                   .source = loop_source,
                                   .other_name = "calculator",
                                   .other_source = calculator_source,
                                   .input = input,
                                   .context = context,
                                   .answers = answers});
}

static void test_loop_tools(void)
{
    is_str(
        loop("", "\"hi\"", ANSWERS("{\"content\":\"hello\",\"finish_reason\":\"stop\"," USAGE "}")),
        "\"hello\"", "an answer at once");
    ok(vm_has(vm_end.text, "{\"content\":\"Be "
                           "kind.\",\"role\":\"system\"},{\"content\":\"hi\",\"role\":\"user\"}") &&
           vm_has(vm_end.text, "\"tools\":[{\"description\":\"counts\",\"name\":\"calculator\","
                               "\"parameters\":{\"type\":\"object\"}}]") &&
           vm_has(vm_end.text, "\"emit\":true"),
       "persona, input and tools are in the request");
    is_str(
        loop("", "{\"q\":1}",
             ANSWERS("{\"content\":null,\"finish_reason\":\"tool_calls\",\"tool_calls\":[{\"id\":"
                     "\"c1\",\"name\":\"calculator\",\"arguments\":{\"expression\":\"2*21\"}},"
                     "{\"id\":\"c2\",\"name\":\"nope\",\"arguments\":{}},{\"id\":\"c3\",\"name\":"
                     "\"calculator\",\"arguments\":\"{\\\"expression\\\":\\\"1/0\\\"}\"},"
                     "{\"id\":\"c4\",\"name\":\"calculator\",\"arguments\":\"{oops\"}]," USAGE "}",
                     "{\"valid\":true}", "{\"valid\":true}", "{\"content\":\"42\"," USAGE "}")),
        "\"42\"", "tool calls, then an answer");
    ok(vm_has(vm_end.text,
              "{\"content\":\"{\\\"result\\\":42}\",\"role\":\"tool\",\"tool_call_id\":\"c1\"}"),
       "a result goes back as JSON");
    ok(vm_has(vm_end.text, "there is no tool 'nope'") && vm_has(vm_end.text, "division by zero") &&
           vm_has(vm_end.text, "the arguments are not JSON"),
       "mistakes go back as errors");
    ok(vm_has(vm_end.text, "{\"content\":\"{\\\"q\\\":1}\",\"role\":\"user\"}"),
       "an object as input is shown as JSON");
    loop("", "{\"message\":\"m\"}", ANSWERS("{\"content\":\"x\"}"));
    ok(vm_has(vm_end.text, "{\"content\":\"m\",\"role\":\"user\"}"), "or its message alone");
    loop("", "\"x\"",
         ANSWERS(
             "{\"tool_calls\":[{\"id\":\"c1\",\"name\":\"calculator\",\"arguments\":{}}]}",
             "{\"valid\":false,\"errors\":[{\"path\":\"\",\"message\":\"expression is missing\"}]}",
             "{\"content\":\"x\"}"));
    ok(vm_has(vm_end.text, "expression is missing"), "arguments are validated first");
}

static void test_loop_limits(void)
{
    const char *again =
        "{\"tool_calls\":[{\"id\":\"c\",\"name\":\"nope\",\"arguments\":{}}]," USAGE "}";
    const char *f = loop(",\"settings\":{\"maxSteps\":2}", "\"x\"", ANSWERS(again, again, again));
    ok(vm_has(f, "ResourceExhausted") && vm_has(f, "\"limit\":\"max_steps\""),
       "the limit of steps");
    f = loop(",\"settings\":{\"max_total_tokens\":20}", "\"x\"", ANSWERS(again, again, again));
    ok(vm_has(f, "ResourceExhausted") && vm_has(f, "\"limit\":\"max_total_tokens\""),
       "the limit of tokens");
    loop(",\"settings\":{\"provider\":\"p\",\"model\":\"m\",\"temperature\":0.5,\"maxTokens\":9}",
         "\"x\"", ANSWERS("{\"content\":\"x\"}"));
    ok(vm_has(vm_end.text, "\"max_tokens\":9") && vm_has(vm_end.text, "\"model\":\"m\"") &&
           vm_has(vm_end.text, "\"provider\":\"p\"") && vm_has(vm_end.text, "\"temperature\":0.5"),
       "the agent's settings reach the model");
    f = loop(
        "", "\"x\"",
        ANSWERS(
            "!{\"code\":\"ModelFailed\",\"message\":\"down\",\"retryable\":true,\"details\":{}}"));
    ok(vm_has(f, "\"code\":\"ModelFailed\"") && vm_has(f, "agent_loop.lua:"),
       "a failing model ends it");
}

static void test_loop_output(void)
{
    const char *schema = ",\"has_output_schema\":true,\"output_schema\":{\"type\":\"object\"}";
    const char *bad =
        "{\"valid\":false,\"errors\":[{\"path\":\"/n\",\"message\":\"must be a number\"}]}";
    is_str(loop(schema, "\"x\"",
                ANSWERS("{\"content\":\"```json\\n{\\\"n\\\":1}\\n```\"}", "{\"valid\":true}")),
           "{\"n\":1}", "an answer that fits, out of its fence");
    ok(vm_has(vm_end.text, "\"response_schema\":{\"type\":\"object\"}"),
       "the model is told the schema");
    is_str(loop(schema, "\"x\"",
                ANSWERS("{\"content\":\"{}\"}", bad, "{\"content\":\"{\\\"n\\\":2}\"}",
                        "{\"valid\":true}")),
           "{\"n\":2}", "one turn to repair");
    ok(vm_has(vm_end.text, "- /n: must be a number"), "with the errors");
    const char *f =
        loop(schema, "\"x\"", ANSWERS("{\"content\":\"{}\"}", bad, "{\"content\":\"{}\"}", bad));
    ok(vm_has(f, "ExecutionFailed") &&
           vm_has(f, "\"validationErrors\":[{\"message\":\"must be a number\",\"path\":\"/n\"}]"),
       "then it fails");
    is_str(loop(",\"has_output_schema\":true", "\"x\"",
                ANSWERS("{\"content\":\"just text\"}", "{\"valid\":true}")),
           "\"just text\"", "a schema that takes text takes text");
}

/* ---- stubs ----------------------------------------------------------------------------------- */

static void test_stubs(void)
{
    char *stubs = file_read("skills/library/c9.lua"), *rc = file_read("skills/.luacheckrc"),
         *leaves = strstr(rc, "c9 = {\n");
    int bound = 0, declared = 0;
    for (const struct vm_binding *row = vm_c9_bindings; row->name != NULL; row++, bound++) {
        char line[128];
        snprintf(line, sizeof(line), "function c9.%s(", row->name);
        ok(strstr(stubs, line) != NULL, "c9.%s has a stub", row->name);
        const char *leaf = strchr(row->name, '.') ? strchr(row->name, '.') + 1 : row->name;
        snprintf(line, sizeof(line), strchr(row->name, '.') ? "\"%s\"" : " %s = {}", leaf);
        ok(leaves != NULL && strstr(leaves, line) != NULL, "and luacheck knows it");
    }
    for (const char *at = stubs; (at = strstr(at, "\nfunction c9.")) != NULL; at++)
        declared++;
    is_int(declared, bound, "no stub is without its function");
    is_int(system("luacheck -q --config skills/.luacheckrc skills > /dev/null"), 0,
           "luacheck finds nothing in skills/");
    free(stubs);
    free(rc);
}

/* Every global and library function there is stands in .luacheckrc, and the other way round. */
static void test_surface(void)
{
    static const char list[] =
        "local names = {} for _, g in ipairs{ 'string', 'table', 'math', 'utf8', 'coroutine' } do\n"
        "for name in pairs(_ENV[g]) do names[#names + 1] = g .. '.' .. name end end\n"
        "for _, g in ipairs{ 'os', 'io', 'debug', 'package', 'require', 'load', 'loadstring', "
        "'dofile', 'loadfile', 'collectgarbage', '_G' }"
        " do assert(_ENV[g] == nil, g) end return names";
    const char *got = vm_run((struct vm_case){.source = vm_body(list)});
    json_t *names = json_loads(got, 0, NULL), *name;
    char *rc = file_read("skills/.luacheckrc");
    size_t i;
    ok(json_array_size(names) > 50, "what does not belong is not there: %.60s", got);
    bool all = true;
    json_array_foreach (names, i, name) {
        char quoted[64];
        snprintf(quoted, sizeof(quoted), "\"%s\"", strchr(json_string_value(name), '.') + 1);
        if (strstr(rc, quoted) == NULL) {
            printf("# not in .luacheckrc: %s\n", json_string_value(name));
            all = false;
        }
    }
    ok(all, "luacheck's table has every library function");
    json_decref(names);
    free(rc);
}

int main(void)
{
    loop_source = file_read("skills/agent_loop.lua");
    calculator_source = file_read("skills/examples/calculator.lua");
    test_examples();
    test_files();
    test_loop_tools();
    test_loop_limits();
    test_loop_output();
    test_stubs();
    test_surface();
    free(loop_source);
    free(calculator_source);
    return done_testing();
}
