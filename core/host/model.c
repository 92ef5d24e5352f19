/* The model facade: what every [model NAME] section has, over a model plugin's functions. */
#include "host/model.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "host/host-private.h"

#define SECTION "model"
/* A price per million tokens is at most this many cents: a cost then fits for any count. */
#define PRICE_CENTS_MAX INT64_C(1000000000)
#define MICROS          INT64_C(1000000) /* micro-cents in a cent; tokens in a million */

struct model {
    const struct c9d_model_ops *ops;
    struct c9d_model *raw;
    char *name;
    struct model_limits limits;
};

static const struct config_key keys[] = {
    {SECTION, "plugin", CONFIG_STRING, "openai", 0, 0, NULL,
     "Which plugin speaks to this provider: NAME stands for model_NAME.so."},
    {SECTION, "model", CONFIG_STRING, NULL, 0, 0, NULL,
     "The provider's name of the model to use when a request names none."},
    {SECTION, "timeout", CONFIG_DURATION, "120s", CLOCK_SECOND / 1000, 3600 * CLOCK_SECOND, NULL,
     "How long one attempt may take."},
    {SECTION, "attempts", CONFIG_INT, "3", 1, 20, NULL,
     "How often a request is tried in all, when trying again may help."},
    {SECTION, "concurrency", CONFIG_INT, "64", 1, 100000, NULL,
     "Requests at a time; more wait for their turn."},
    {SECTION, "price_input", CONFIG_STRING, "0", 0, 0, NULL,
     "Price of a million input tokens in cents, such as 15 or 0.075."},
    {SECTION, "price_output", CONFIG_STRING, "0", 0, 0, NULL,
     "Price of a million output tokens in cents."},
};

/* ---- the section ----------------------------------------------------------------------------- */

/* Cents with up to six decimals, as micro-cents: exact, no floating point. 0 or -1. */
static int price_parse(const char *text, int64_t *micro_cents_r)
{
    int64_t cents = 0, fraction = 0, unit = MICROS;
    const char *c = text;
    for (; *c >= '0' && *c <= '9'; c++)
        if ((cents = cents * 10 + (*c - '0')) > PRICE_CENTS_MAX)
            return -1;
    if (c == text)
        return -1;
    if (*c == '.') {
        const char *decimals = ++c;
        for (; *c >= '0' && *c <= '9'; c++) {
            unit /= 10;
            if (unit == 0 && *c != '0')
                return -1; /* finer than a micro-cent */
            fraction += (*c - '0') * unit;
        }
        if (c == decimals)
            return -1;
    }
    if (*c != '\0')
        return -1;
    *micro_cents_r = cents * MICROS + fraction;
    return 0;
}

static int price_read(const struct config *config, const char *instance, const char *key,
                      int64_t *price_r, struct error *err)
{
    const char *text = config_string(config, SECTION, instance, key);
    if (text == NULL)
        text = "0";
    if (price_parse(text, price_r) == 0)
        return 0;
    return error_set(
        err, E_CONFIG_INVALID,
        "%s: [%s %s] %s = %s: must be cents per million tokens, from 0 to %lld, with at "
        "most six decimals, such as 15 or 0.075",
        config_origin(config, SECTION, instance, key), SECTION, instance, key, text,
        (long long)PRICE_CENTS_MAX);
}

static int limits_read(struct model_limits *limits_r, const struct config *config,
                       const char *instance, struct error *err)
{
    const char *model = config_string(config, SECTION, instance, "model");
    limits_r->timeout_us = config_int(config, SECTION, instance, "timeout");
    limits_r->attempts = config_int(config, SECTION, instance, "attempts");
    limits_r->concurrency = config_int(config, SECTION, instance, "concurrency");
    if (price_read(config, instance, "price_input", &limits_r->input_price, err) < 0 ||
        price_read(config, instance, "price_output", &limits_r->output_price, err) < 0)
        return -1;
    if (model != NULL && model[0] != '\0')
        limits_r->default_model = xstrdup(model);
    return 0;
}

static int plugin_open(struct model *model, struct host *host, struct config *config,
                       const struct c9d_plugin *plugin, struct error *err)
{
    struct c9d_settings *settings = host_settings(host, config, SECTION, model->name, plugin, err);
    if (settings == NULL)
        return -1;
    struct c9d_fault fault = {{0}};
    autofree char *who = xasprintf("[" SECTION " %s] %s", model->name, plugin->name);
    int status = model->ops->open(host_callbacks(host), settings, &model->raw, &fault);
    host_settings_free(settings);
    return status == 0 ? 0 : host_fault(err, E_CONFIG_INVALID, who, status, &fault);
}

struct model *model_open(struct host *host, struct config *config, const char *instance,
                         struct error *err)
{
    if (config_declare_instance(config, SECTION, instance, keys, countof(keys), err) < 0)
        return NULL;
    autofree char *file = xasprintf("model_%s", config_string(config, SECTION, instance, "plugin"));
    const struct c9d_plugin *plugin = host_plugin(host, file, C9D_KIND_MODEL, err);
    if (plugin == NULL)
        return NULL;
    struct model *model = xcalloc(1, sizeof(*model));
    model->ops = plugin->ops.model;
    model->name = xstrdup(instance);
    if (limits_read(&model->limits, config, instance, err) == 0 &&
        plugin_open(model, host, config, plugin, err) == 0)
        return model;
    model_close(model);
    return NULL;
}

void model_close(struct model *model)
{
    if (model == NULL)
        return;
    if (model->raw != NULL)
        model->ops->close(model->raw);
    free(model->limits.default_model);
    free(model->name);
    free(model);
}

const char *model_name(const struct model *model)
{
    return model->name;
}

const struct model_limits *model_limits(const struct model *model)
{
    return &model->limits;
}

const struct c9d_model_ops *model_ops(const struct model *model)
{
    return model->ops;
}

int64_t model_cost(const struct model *model, int64_t input_tokens, int64_t output_tokens)
{
    __int128 in = input_tokens > 0 ? input_tokens : 0, out = output_tokens > 0 ? output_tokens : 0;
    __int128 cost =
        (in * model->limits.input_price + out * model->limits.output_price + MICROS - 1) / MICROS;
    return cost > INT64_MAX ? INT64_MAX : (int64_t)cost;
}

/* ---- requests -------------------------------------------------------------------------------- */

/* Behind the string that starts at the quote s[i]; len when it does not end. */
static size_t string_skip(const char *s, size_t len, size_t i)
{
    for (i++; i < len && s[i] != '"'; i++)
        if (s[i] == '\\')
            i++;
    return i < len ? i + 1 : len;
}

static size_t blank_skip(const char *s, size_t len, size_t i)
{
    while (i < len && (s[i] == ' ' || s[i] == '\t' || s[i] == '\r' || s[i] == '\n'))
        i++;
    return i;
}

/* Whether the object's own members have a "model". A look at the text, so that a long conversation
 * is not decoded once more; text that is no JSON is left to the plugin to refuse. */
static bool chat_names_model(const char *chat, size_t len)
{
    size_t depth = 0;
    for (size_t i = 0; i < len;) {
        if (chat[i] == '"') {
            size_t end = string_skip(chat, len, i), colon = blank_skip(chat, len, end);
            if (depth == 1 && end - i == 7 && memcmp(chat + i, "\"model\"", 7) == 0 &&
                colon < len && chat[colon] == ':')
                return true;
            i = end;
            continue;
        }
        if (chat[i] == '{' || chat[i] == '[')
            depth++;
        else if ((chat[i] == '}' || chat[i] == ']') && depth > 0)
            depth--;
        i++;
    }
    return false;
}

/* The chat with the section's model as its first member. */
static bool default_model_put(const struct model *model, const char *chat, size_t len,
                              struct buf *out)
{
    const char *name = model->limits.default_model;
    size_t open = blank_skip(chat, len, 0);
    if (name == NULL || open == len || chat[open] != '{' || chat_names_model(chat, len))
        return false;
    size_t first = blank_skip(chat, len, open + 1);
    jx_auto *value = json_string(name);
    if (value == NULL)
        return false; /* no UTF-8 */
    buf_append_str(out, "{\"model\":");
    jx_append(out, value);
    if (first < len && chat[first] != '}')
        buf_append_char(out, ',');
    buf_append(out, chat + first, len - first);
    return true;
}

int model_request(struct model *model, const char *chat, size_t len,
                  struct c9d_http_request *request_r, struct error *err)
{
    struct c9d_fault fault = {{0}};
    buf_auto named = BUF_INIT;
    if (default_model_put(model, chat, len, &named)) {
        chat = named.data;
        len = named.len;
    }
    *request_r = (struct c9d_http_request){0};
    int status = model->ops->request(model->raw, chat, len, request_r, &fault);
    if (status == 0)
        return 0;
    autofree char *who = xasprintf("model %s", model->name);
    return host_fault(err, E_INVALID_REQUEST, who, status, &fault);
}

void model_request_free(struct model *model, struct c9d_http_request *request)
{
    if (request->memory != NULL)
        model->ops->request_free(request);
}

struct c9d_reply *model_reply_new(struct model *model, const struct c9d_model_sink *sink)
{
    return model->ops->reply_new(model->raw, sink);
}
