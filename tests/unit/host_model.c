/* The model facade: what a [model NAME] section may say, prices, and the model that is used when a
 * request names none. */
#include "tap.h"

#include "lib/model_section.h"

static struct host *host;

/* Opens [model m] with these lines; checks that every key was declared too. */
static struct model *open_section(const char *lines, struct error *err, struct config **config_r)
{
    autofree char *text = xasprintf("[model m]\n%s", lines);
    *config_r = section_config(text);
    struct model *model = model_open(host, *config_r, "m", err);
    if (model != NULL && config_check(*config_r, err) < 0) {
        model_close(model);
        model = NULL;
    }
    return model;
}

static void defaults_test(void)
{
    error_auto err = ERROR_INIT;
    struct config *config;
    struct model *model = open_section("", &err, &config);
    if (!ok(model != NULL, "an empty section is model_openai with defaults %s", err.message))
        return;
    const struct model_limits *limits = model_limits(model);
    is_str(model_name(model), "m", "it has the section's name");
    ok(limits->default_model == NULL, "and no default model");
    is_int(limits->timeout_us, 120 * INT64_C(1000000), "timeout 120s");
    is_int(limits->attempts, 3, "attempts 3");
    is_int(limits->concurrency, 64, "concurrency 64");
    is_int(model_cost(model, 1000000, 1000000), 0, "without prices nothing costs");
    model_close(model);
    config_free(config);
}

static void prices_test(void)
{
    static const struct {
        const char *text;
        int64_t micro_cents;
    } prices[] = {{"0", 0},
                  {"15", 15000000},
                  {"0.075", 75000},
                  {"0.000001", 1},
                  {"250.5", 250500000},
                  {"1.0000000", 1000000},
                  {"1000000000", INT64_C(1000000000000000)}};
    static const char *const wrong[] = {"-1",    "1,5",       "1.",         ".5",
                                        "1e3",   "0.0000001", "1000000001", "99999999999999999999",
                                        "cheap", "1 2"};
    for (size_t i = 0; i < countof(prices); i++) {
        error_auto err = ERROR_INIT;
        struct config *config;
        autofree char *lines = xasprintf("plugin = fake\nprice_input = %s\n", prices[i].text);
        struct model *model = open_section(lines, &err, &config);
        is_int(model != NULL ? model_limits(model)->input_price : -1, prices[i].micro_cents,
               "a price of %s cents is exact", prices[i].text);
        model_close(model);
        config_free(config);
    }
    for (size_t i = 0; i < countof(wrong); i++) {
        error_auto err = ERROR_INIT;
        struct config *config;
        autofree char *lines = xasprintf("plugin = fake\nprice_output = %s\n", wrong[i]);
        struct model *model = open_section(lines, &err, &config);
        ok(model == NULL && err.code == E_CONFIG_INVALID && strstr(err.message, "price_output"),
           "a price of %s is refused: %s", wrong[i], err.message);
        model_close(model);
        config_free(config);
    }
}

static void cost_test(void)
{
    error_auto err = ERROR_INIT;
    struct config *config;
    struct model *model =
        open_section("plugin = fake\nprice_input = 15\nprice_output = 0.000001\n", &err, &config);
    if (!ok(model != NULL, "prices are taken %s", err.message))
        return;
    is_int(model_cost(model, 0, 0), 0, "nothing costs nothing");
    is_int(model_cost(model, 1, 0), 15, "one token of 15 cents a million");
    is_int(model_cost(model, 0, 1), 1, "a fraction of a micro-cent is rounded up");
    is_int(model_cost(model, 1, 1), 16, "the sum is rounded, once");
    is_int(model_cost(model, 0, 1000000), 1, "a whole one is not");
    is_int(model_cost(model, -5, -5), 0, "negative counts are none");
    is_int(model_cost(model, INT64_MAX, INT64_MAX), INT64_MAX, "too much is the most there is");
    model_close(model);
    config_free(config);
}

/* The body of a request as model_openai makes it, decoded. */
static json_t *request_body(struct model *model, const char *chat, struct error *err)
{
    struct c9d_http_request request;
    if (model_request(model, chat, strlen(chat), &request, err) < 0)
        return NULL;
    json_t *body = jx_decode(request.body, request.body_len, "body", err);
    model_request_free(model, &request);
    return body;
}

static void default_model_test(void)
{
#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"the \\\"model\\\": \\\\\"}]"
    static const struct {
        const char *chat, *model;
    } chats[] = {
        {"{" HI "}", "small"},
        {" \n{ " HI "}", "small"},
        {"{\"model\":\"big\"," HI "}", "big"},
        {"{" HI ", \"model\" : \"big\"}", "big"},
        {"{\"tools\":[{\"name\":\"t\",\"parameters\":{\"model\":\"x\"}}]," HI "}", "small"},
        {"{\"stop\":[\"model\"]," HI "}", "small"},
    };
    error_auto open_err = ERROR_INIT;
    struct config *config;
    struct model *model = open_section("model = small\n", &open_err, &config);
    for (size_t i = 0; i < countof(chats); i++) {
        error_auto err = ERROR_INIT;
        jx_auto *body = request_body(model, chats[i].chat, &err);
        is_str(jx_str(body, "model", NULL), chats[i].model, "chat %zu asks for %s", i,
               chats[i].model);
    }
    error_auto err = ERROR_INIT;
    ok(request_body(model, "{}", &err) == NULL && strstr(err.message, "messages") != NULL,
       "an empty object is still refused for its own fault: %s", err.message);
    model_close(model);
    config_free(config);
    model = open_section("", &open_err, &config);
    ok(request_body(model, "{" HI "}", &err) == NULL && strstr(err.message, "model m") != NULL,
       "with no model at all the request is refused: %s", err.message);
    model_close(model);
    config_free(config);
}

static void refusals_test(void)
{
    static const struct {
        const char *lines, *names;
    } sections[] = {
        {"plugin = nowhere\n", "model_nowhere"},
        {"plugin = ../evil\n", "evil"},
        {"timeout = 0s\n", "timeout"},
        {"attempts = 0\n", "attempts"},
        {"concurrency = -1\n", "concurrency"},
        {"modle = x\n", "model"},
        {"base_url = ftp://x\n", "base_url"},
        {"base_url = https://\n", "base_url"},
        {"base_url = https://user:pw@host/v1\n", "base_url"},
        {"base_url = https://host/v 1\n", "base_url"},
        {"api_key = a b\n", "api_key"},
        {"api_key = k\napi_key_header = Content-Length\n", "api_key_header"},
        {"headers = nocolon\n", "headers"},
        {"headers = Host: x\n", "headers"},
        {"headers = A: 1 | B:\n", "headers"},
        {"max_tokens_field = tokens\n", "max_tokens_field"},
        {"max_reply = 10\n", "max_reply"},
        {"plugin = fake\nscript = /nowhere/script.json\n", "/nowhere/script.json"},
        {"plugin = fake\noutput_tokens = -4\n", "output_tokens"},
        {"plugin = fake\nbase_url = https://x\n", "base_url"},
    };
    for (size_t i = 0; i < countof(sections); i++) {
        error_auto err = ERROR_INIT;
        struct config *config;
        struct model *model = open_section(sections[i].lines, &err, &config);
        ok(model == NULL && strstr(err.message, sections[i].names) != NULL, "refused: %s",
           err.message);
        model_close(model);
        config_free(config);
    }
}

int main(void)
{
    host = section_host();
    defaults_test();
    prices_test();
    cost_test();
    default_model_test();
    refusals_test();
    host_free(host);
    return done_testing();
}
