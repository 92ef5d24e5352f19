/* How model_fake answers: by its script, by the user's lines, by a schema, or as an echo. */
#include "tap.h"

#include "lib/model_section.h"
#include "lib/model_transcript.h"

static struct host *host;

static const char script_text[] =
    "{\"replies\": ["
    "{\"match\": {\"turn\": 2}, \"content\": \"third\"},"
    "{\"match\": {\"contains\": \"weather\"}, \"content\": \"Let me see.\", "
    " \"tool_calls\": [{\"name\": \"get\", \"arguments\": {\"city\": \"Oslo\"}}, {\"name\": "
    "\"raw\", "
    " \"arguments\": \"{bad\"}]},"
    "{\"match\": {\"after_tool\": \"get\"}, \"content\": \"{{user}} -> {{result}}\", "
    " \"delay\": \"50ms\"},"
    "{\"match\": {\"after_tool\": \"*\"}, \"content\": \"other tool\"},"
    "{\"match\": {\"contains\": \"busy\"}, \"error\": {\"status\": 429, \"message\": \"calm é\", "
    " \"retry\": true, \"retry_after\": \"2s\"}},"
    "{\"match\": {\"model\": \"long\"}, \"content\": \"cut\", \"finish\": \"length\"}]}";

static struct model *open_section(const char *lines, struct config **config_r, struct error *err)
{
    autofree char *text = xasprintf("[model m]\nplugin = fake\n%s", lines);
    *config_r = section_config(text);
    return model_open(host, *config_r, "m", err);
}

/* Opens with a script in a file of its own. */
static struct model *open_script(const char *script, struct config **config_r, struct error *err)
{
    autofree char *path = tap_temporary();
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, script, strlen(script)) < 0)
        abort();
    close(fd);
    autofree char *lines = xasprintf("script = %s\n", path);
    struct model *model = open_section(lines, config_r, err);
    unlink(path);
    return model;
}

static void says(struct model *model, const char *chat, int64_t delay, const char *want)
{
    struct c9d_http_request request;
    error_auto err = ERROR_INIT;
    struct transcript t = {.text = BUF_INIT};
    char head[] = "";
    if (!ok(model_request(model, chat, strlen(chat), &request, &err) == 0, "is made %s",
            err.message))
        return;
    struct recording r = {
        .status = 200, .head = head, .body = request.body, .body_len = request.body_len};
    recording_play(&r, model, request.body_len, 1, &t);
    is_int(request.delay, delay, "takes %lld us", (long long)delay);
    is_str(t.text.data, want, "%s", chat);
    buf_free(&t.text);
    model_request_free(model, &request);
}

#define USER(text) "{\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}]"
#define TOOL(name, text)                                                                           \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"weather\"},{\"role\":\"assistant\","          \
    "\"tool_calls\":[{\"id\":\"1\",\"name\":\"" name "\",\"arguments\":{}}]},"                     \
    "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"" text "\"}]"

static void script_test(void)
{
    error_auto err = ERROR_INIT;
    struct config *config;
    struct model *model = open_script(script_text, &config, &err);
    if (!ok(model != NULL, "a script is taken %s", err.message))
        return;
    says(model, USER("the weather?") "}", 0,
         "model fake\ndelta \"Let me see.\"\ncall call_0_0 get {\"city\":\"Oslo\"}\n"
         "call call_0_1 raw {bad\nusage 3 9\nfinish tool_calls\n");
    says(model, TOOL("get", "rain") "}", 50000,
         "model fake\ndelta \"weather -> rain\"\nusage 4 4\nfinish stop\n");
    says(model, TOOL("set", "done") "}", 0,
         "model fake\ndelta \"other tool\"\nusage 4 3\nfinish stop\n");
    says(model, USER("busy") "}", 0, "error 429 retry 2000000 calm é\n");
    says(model, USER("x") ",\"model\":\"long\"}", 0,
         "model long\ndelta \"cut\"\nusage 1 1\nfinish length\n");
    says(model,
         "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"assistant\","
         "\"content\":\"b\"},{\"role\":\"user\",\"content\":\"weather\"}]}",
         0, "model fake\ndelta \"third\"\nusage 3 2\nfinish stop\n");
    says(model, USER("nothing fits") "}", 0,
         "model fake\ndelta \"fake: nothing fits\"\nusage 3 5\nfinish stop\n");
    model_close(model);
    config_free(config);
}

#define TOOLS                                                                                      \
    ",\"tools\":[{\"name\":\"add\",\"parameters\":{\"type\":\"object\",\"required\":[\"n\"],"      \
    "\"properties\":{\"n\":{\"type\":\"integer\",\"minimum\":2}}}},{\"name\":\"sub\"}]"

static void rules_test(void)
{
    error_auto err = ERROR_INIT;
    struct config *config;
    struct model *model =
        open_section("delay = 20ms\ninput_tokens = 7\noutput_tokens = 8\n", &config, &err);
    says(model, USER("a b\\nc") ",\"stream\":true}", 20000,
         "model fake\ndelta \"fake: \"\ndelta \"a \"\ndelta \"b\\n\"\ndelta \"c\"\n"
         "usage 7 8\nfinish stop\n");
    says(model, USER("please\\ncall add {\\\"n\\\":1}\\r\\ncall sub\\ncall mul {}") TOOLS "}",
         20000,
         "model fake\ncall call_0_0 add {\"n\":1}\ncall call_0_1 sub {}\nusage 7 8\n"
         "finish tool_calls\n");
    says(model, USER("call add {}") TOOLS ",\"tool_choice\":\"none\"}", 20000,
         "model fake\ndelta \"fake: call add {}\"\nusage 7 8\nfinish stop\n");
    says(model, USER("x") TOOLS ",\"tool_choice\":\"required\"}", 20000,
         "model fake\ncall call_0_0 add {\"n\":2}\nusage 7 8\nfinish tool_calls\n");
    says(model, USER("x") TOOLS ",\"tool_choice\":{\"name\":\"sub\"}}", 20000,
         "model fake\ncall call_0_0 sub {}\nusage 7 8\nfinish tool_calls\n");
    says(model, TOOL("add", "42") TOOLS ",\"tool_choice\":\"required\"}", 20000,
         "model fake\ndelta \"fake: 42\"\nusage 7 8\nfinish stop\n");
    model_close(model);
    config_free(config);
}

static void schemas_test(void)
{
    static const struct {
        const char *schema, *instance;
    } schemas[] = {
        {"{}", "null"},
        {"{\"const\":{\"a\":1}}", "{\"a\":1}"},
        {"{\"enum\":[\"b\",\"a\"]}", "\"b\""},
        {"{\"type\":[\"string\",\"null\"]}", "\"\""},
        {"{\"type\":\"string\",\"minLength\":3}", "\"xxx\""},
        {"{\"type\":\"string\",\"format\":\"date\"}", "\"1970-01-01\""},
        {"{\"type\":\"boolean\"}", "false"},
        {"{\"type\":\"integer\",\"minimum\":2.5}", "3"},
        {"{\"type\":\"integer\",\"exclusiveMinimum\":3}", "4"},
        {"{\"type\":\"integer\",\"minimum\":4,\"multipleOf\":3}", "6"},
        {"{\"type\":\"integer\",\"maximum\":-2}", "-2"},
        {"{\"type\":\"number\",\"minimum\":0.5}", "0.5"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":2}", "[0,0]"},
        {"{\"prefixItems\":[{\"const\":1},{\"const\":2}],\"items\":{\"const\":3},\"minItems\":3}",
         "[1,2,3]"},
        {"{\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{}},\"required\":[\"a\"]}",
         "{\"a\":\"\"}"},
        {"{\"type\":\"object\",\"minProperties\":2,\"properties\":{\"a\":{\"const\":1}}}",
         "{\"a\":1,\"p1\":null}"},
        {"{\"$ref\":\"#/$defs/x~1y\",\"$defs\":{\"x/y\":{\"const\":7}}}", "7"},
        {"{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}", "0"},
        {"{\"allOf\":[{\"properties\":{\"a\":{\"const\":1}}},{\"required\":[\"a\"]}]}",
         "{\"a\":1}"},
        {"{\"$ref\":\"#\"}", "null"},
    };
    error_auto err = ERROR_INIT;
    struct config *config;
    struct model *model = open_section("input_tokens = 1\noutput_tokens = 1\n", &config, &err);
    for (size_t i = 0; i < countof(schemas); i++) {
        autofree char *chat = xasprintf(USER("x") ",\"response_schema\":%s}", schemas[i].schema);
        jx_auto *text = json_string(schemas[i].instance);
        autofree char *quoted = json_dumps(text, JSON_ENCODE_ANY);
        autofree char *want = xasprintf("model fake\ndelta %s\nusage 1 1\nfinish stop\n", quoted);
        says(model, chat, 0, want);
    }
    static const char *const hostile[] = {
        "{\"type\":\"array\",\"minItems\":1000000,\"items\":{}}",
        "{\"type\":\"array\",\"minItems\":99,\"items\":{\"$ref\":\"#\"}}",
        "{\"type\":\"array\",\"minItems\":9999,\"items\":{\"type\":\"string\",\"minLength\":60000}"
        "}",
        "{\"required\":[\"a\"],\"properties\":{\"a\":{\"$ref\":\"#\"}}}",
    };
    for (size_t i = 0; i < countof(hostile); i++) {
        struct c9d_http_request request;
        error_auto why = ERROR_INIT;
        autofree char *chat = xasprintf(USER("x") ",\"response_schema\":%s}", hostile[i]);
        ok(model_request(model, chat, strlen(chat), &request, &why) < 0, "refused: %s",
           why.message);
    }
    model_close(model);
    config_free(config);
}

static void bad_scripts_test(void)
{
    static const struct {
        const char *script, *names;
    } scripts[] = {
        {"{", ":1:"},
        {"[]", "script: must be an object"},
        {"{\"reply\":[]}", "no member \"reply\""},
        {"{\"replies\":{}}", "script.replies"},
        {"{\"replies\":[{}, 7]}", "replies[1]: must be an object"},
        {"{\"replies\":[{\"contents\":\"x\"}]}", "no member \"contents\""},
        {"{\"replies\":[{\"match\":{\"turn\":-1}}]}", "replies[0].match.turn"},
        {"{\"replies\":[{\"delay\":\"1.5s\"}]}", "replies[0].delay"},
        {"{\"replies\":[{\"finish\":\"end\"}]}", "replies[0].finish"},
        {"{\"replies\":[{\"error\":{\"status\":42}}]}", "replies[0].error.status"},
        {"{\"replies\":[{\"tool_calls\":[{}]}]}", "replies[0].tool_calls[0].name"},
        {"{\"replies\":[{\"tool_calls\":[{\"name\":\"a\\nb\"}]}]}",
         "replies[0].tool_calls[0].name"},
    };
    for (size_t i = 0; i < countof(scripts); i++) {
        error_auto err = ERROR_INIT;
        struct config *config;
        struct model *model = open_script(scripts[i].script, &config, &err);
        ok(model == NULL && strstr(err.message, scripts[i].names) != NULL, "refused: %s",
           err.message);
        model_close(model);
        config_free(config);
    }
}

int main(void)
{
    host = section_host();
    script_test();
    rules_test();
    schemas_test();
    bad_scripts_test();
    host_free(host);
    return done_testing();
}
