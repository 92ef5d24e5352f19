/* What model_openai makes of a chat request and of its settings. */
#include "tap.h"

#include "lib/model_section.h"
#include "lib/model_transcript.h"

static struct host *host;

static struct model *open_section(const char *lines, struct config **config_r)
{
    error_auto err = ERROR_INIT;
    autofree char *text = xasprintf("[model m]\nmodel = gpt\n%s", lines);
    *config_r = section_config(text);
    struct model *model = model_open(host, *config_r, "m", &err);
    ok(model != NULL, "opens %s", err.message);
    return model;
}

static void body_is(struct model *model, const char *chat, const char *want, const char *what)
{
    struct c9d_http_request request;
    error_auto err = ERROR_INIT;
    int rc = model_request(model, chat, strlen(chat), &request, &err);
    if (!ok(rc == 0, "%s: is made %s", what, err.message))
        return;
    jx_auto *got = jx_decode(request.body, request.body_len, "body", &err);
    jx_auto *wanted = jx_decode(want, strlen(want), "wanted", &err);
    if (!ok(got != NULL && wanted != NULL && jx_equal(got, wanted), "%s: is what it must be", what))
        note("got %s %s", request.body, err.message);
    model_request_free(model, &request);
}

static void messages_test(struct model *model)
{
    body_is(model, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
            "{\"model\":\"gpt\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
            "a message");
    body_is(
        model,
        "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
        "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"name\":\"t\",\"arguments\":"
        "{\"x\":[1,2]}},{\"id\":\"b\",\"name\":\"u\"},{\"id\":\"c\",\"name\":\"v\","
        "\"arguments\":\"{bad\"}]},{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"\"}]}",
        "{\"model\":\"gpt\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
        "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"t\","
        "\"arguments\":\"{\\\"x\\\":[1,2]}\"}},"
        "{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"u\",\"arguments\":\"{}\"}},"
        "{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"v\","
        "\"arguments\":\"{bad\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"\"}]}",
        "tool calls and results");
    body_is(
        model,
        "{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\",\"tool_calls\":[]}],\"tools\":[],"
        "\"tool_choice\":\"auto\"}",
        "{\"model\":\"gpt\",\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}]}",
        "empty lists, which providers refuse, are left out");
}

#define ONE      "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define ONE_MADE "{\"model\":\"gpt\"," ONE

static void options_test(struct model *model)
{
    body_is(model,
            "{" ONE ",\"tools\":[{\"name\":\"t\",\"description\":\"d\",\"parameters\":"
            "{\"type\":\"object\",\"required\":[\"a\"]}},{\"name\":\"u\"}],"
            "\"tool_choice\":{\"name\":\"t\"}}",
            ONE_MADE
            ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"t\","
            "\"description\":\"d\",\"parameters\":{\"type\":\"object\",\"required\":[\"a\"]}}},"
            "{\"type\":\"function\",\"function\":{\"name\":\"u\",\"parameters\":"
            "{\"type\":\"object\",\"properties\":{}}}}],"
            "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"t\"}}}",
            "tools and a choice");
    body_is(model, "{" ONE ",\"tools\":[{\"name\":\"t\"}],\"tool_choice\":\"required\"}",
            ONE_MADE ",\"tool_choice\":\"required\",\"tools\":[{\"type\":\"function\",\"function\":"
                     "{\"name\":\"t\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}]}",
            "a choice in a word");
    body_is(model, "{" ONE ",\"response_schema\":{\"type\":\"object\"}}",
            ONE_MADE ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
                     "\"name\":\"answer\",\"schema\":{\"type\":\"object\"},\"strict\":false}}}",
            "a schema");
    body_is(model,
            "{" ONE ",\"temperature\":0.25,\"top_p\":1,\"max_tokens\":9,\"stop\":[\"a\"],"
            "\"seed\":-3,\"stream\":false}",
            ONE_MADE
            ",\"temperature\":0.25,\"top_p\":1,\"max_tokens\":9,\"stop\":[\"a\"],\"seed\":-3}",
            "plain members");
    body_is(model, "{" ONE ",\"stream\":true}",
            ONE_MADE ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}", "a stream");
}

static void refusals_test(struct model *model)
{
    static const struct {
        const char *chat, *names;
    } chats[] = {
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"bot\",\"content\":\"\"}]"
         "}",
         "messages[1].role"},
        {"{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}", "messages[0].tool_call_id"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"tool_calls\":[1]}]}",
         "messages[0].tool_calls"},
        {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\"}]}]}",
         "messages[0].tool_calls[0]"},
        {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"name\":\"b\","
         "\"arguments\":7}]}]}",
         "arguments"},
        {"{" ONE ",\"tools\":[{\"description\":\"x\"}]}", "tools[0].name"},
        {"{" ONE ",\"tools\":[{\"name\":\"x\",\"parameters\":7}]}", "tools[0]"},
        {"{" ONE ",\"tools\":[{\"name\":\"x\"}],\"tool_choice\":\"maybe\"}", "tool_choice"},
        {"{" ONE ",\"response_schema\":\"x\"}", "response_schema"},
        {"{" ONE ",\"temperature\":\"hot\"}", "temperature"},
        {"{" ONE ",\"max_tokens\":0}", "max_tokens"},
        {"{" ONE ",\"stop\":\"x\"}", "stop"},
        {"{" ONE ",\"seed\":1.5}", "seed"},
        {"{" ONE ",\"stream\":1}", "stream"},
        {"{" ONE ",\"model\":7}", "model"},
    };
    for (size_t i = 0; i < countof(chats); i++) {
        struct c9d_http_request request;
        error_auto err = ERROR_INIT;
        int rc = model_request(model, chats[i].chat, strlen(chats[i].chat), &request, &err);
        ok(rc < 0 && strstr(err.message, chats[i].names) != NULL, "refused: %s", err.message);
    }
    buf_auto deep = BUF_INIT;
    error_auto err = ERROR_INIT;
    struct c9d_http_request request;
    buf_append_str(&deep, "{" ONE ",\"response_schema\":");
    for (int i = 0; i < 100000; i++)
        buf_append_char(&deep, '[');
    ok(model_request(model, deep.data, deep.len, &request, &err) < 0 &&
           strstr(err.message, "nested") != NULL,
       "refused: %s", err.message);
}

static const char *header_of(const struct c9d_http_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_headers; i++)
        if (strcmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

static void request_make(struct model *model, struct c9d_http_request *request)
{
    static const char chat[] = "{" ONE ",\"max_tokens\":5,\"stream\":true}";
    error_auto err = ERROR_INIT;
    ok(model_request(model, chat, strlen(chat), request, &err) == 0, "a request %s", err.message);
}

static void settings_test(void)
{
    struct config *config;
    struct c9d_http_request request;
    struct model *model = open_section("api_key = sk-abc\norganization = org-1\nproject = p-1\n"
                                       "headers = X-A: one two | X-B:3\n",
                                       &config);
    request_make(model, &request);
    is_str(request.method, "POST", "it is posted");
    is_str(request.url, "https://api.openai.com/v1/chat/completions", "to the public API");
    is_str(header_of(&request, "Authorization"), "Bearer sk-abc", "with the key");
    is_str(header_of(&request, "Content-Type"), "application/json", "as JSON");
    is_str(header_of(&request, "OpenAI-Organization"), "org-1", "for an organization");
    is_str(header_of(&request, "OpenAI-Project"), "p-1", "and a project");
    is_str(header_of(&request, "X-A"), "one two", "with a header of our own");
    is_str(header_of(&request, "X-B"), "3", "and another");
    model_request_free(model, &request);
    model_close(model);
    config_free(config);
    model = open_section("base_url = http://[::1]:8080/deployments/x/?api-version=1\napi_key = k\n"
                         "api_key_header = api-key\nstream_usage = no\nstrict_schema = yes\n"
                         "max_tokens_field = max_completion_tokens\n",
                         &config);
    request_make(model, &request);
    is_str(request.url, "http://[::1]:8080/deployments/x/chat/completions?api-version=1",
           "a query stays behind the path");
    is_str(header_of(&request, "api-key"), "k", "a key in a header of its own is bare");
    ok(header_of(&request, "Authorization") == NULL, "and nowhere else");
    ok(strstr(request.body, "stream_options") == NULL, "stream_usage can be switched off");
    ok(strstr(request.body, "\"max_completion_tokens\":5") != NULL, "max_tokens has another name");
    model_request_free(model, &request);
    model_close(model);
    config_free(config);
}

/* ---- bounds of replies that no recording should have the size of ----------------------------- */

static void reply_is(struct model *model, const char *body, size_t len, const char *want,
                     const char *what)
{
    struct transcript t = {.text = BUF_INIT};
    char head[] = "";
    struct recording r = {.status = 200, .head = head, .body = body, .body_len = len};
    recording_play(&r, model, len, len, &t);
    ok(transcript_orderly(&t) && t.text.len > 0 && strstr(t.text.data, want) != NULL, "%s: %s",
       what, want);
    buf_free(&t.text);
}

static void bounds_test(struct model *model)
{
    buf_auto body = BUF_INIT;
    buf_append_str(&body, "{\"choices\":[");
    while (body.len < 300000)
        buf_append_str(&body, "{},");
    reply_is(model, body.data, body.len, "too many values", "a swarm of objects");
    buf_reset(&body);
    buf_append_str(&body, "data: {\"a\":\"");
    while (body.len < (2 << 20))
        buf_append_str(&body, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    reply_is(model, body.data, body.len, "has an event over", "an endless line");
    buf_reset(&body);
    while (body.len < (2 << 20))
        buf_append_str(&body, "data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    reply_is(model, body.data, body.len, "has an event over", "an endless event");
    buf_reset(&body);
    while (body.len < (9 << 20))
        buf_append_str(&body, "data: {\"choices\":[{\"delta\":{\"content\":\"more\"}}]}\n\n");
    reply_is(model, body.data, body.len, "is over max_reply (8388608 bytes)", "an endless stream");
}

int main(void)
{
    struct config *config;
    host = section_host();
    struct model *model = open_section("", &config);
    if (model != NULL) {
        messages_test(model);
        options_test(model);
        refusals_test(model);
        bounds_test(model);
    }
    model_close(model);
    config_free(config);
    settings_test();
    host_free(host);
    return done_testing();
}
