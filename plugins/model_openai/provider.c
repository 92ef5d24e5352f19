/* The settings of a provider, checked once: where it is, and what is said in every request. */
#include "provider.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text.h"

#define DEFAULT_BASE_URL "https://api.openai.com/v1"
enum { VALUE_MAX = 8192, KEY_REDACT_MIN = 8 };

const struct c9d_setting provider_settings[] = {
    {"base_url", C9D_TYPE_STRING, DEFAULT_BASE_URL,
     "Where the API is, up to and with its version: \"/chat/completions\" is put behind the path.",
     0},
    {"api_key", C9D_TYPE_SECRET, NULL, "The key; leave it out for servers that want none.", 0},
    {"api_key_header", C9D_TYPE_STRING, "Authorization",
     "Header that carries the key: as \"Bearer KEY\" in Authorization, bare in any other.", 0},
    {"organization", C9D_TYPE_STRING, NULL, "Sent as OpenAI-Organization.", 0},
    {"project", C9D_TYPE_STRING, NULL, "Sent as OpenAI-Project.", 0},
    {"headers", C9D_TYPE_SECRET, NULL, "More headers: \"Name: value | Name: value\".", 0},
    {"max_tokens_field", C9D_TYPE_STRING, "max_tokens",
     "How the provider calls the limit of output tokens: max_tokens or max_completion_tokens.", 0},
    {"stream_usage", C9D_TYPE_BOOL, "true",
     "Ask for token counts in streams (stream_options); off for servers that refuse it.", 0},
    {"strict_schema", C9D_TYPE_BOOL, "false",
     "Ask the provider to enforce response schemas strictly; it then takes a subset of JSON "
     "Schema.",
     0},
    {"max_reply", C9D_TYPE_SIZE, "8MiB", "Longest reply taken.", 0},
    {NULL, C9D_TYPE_STRING, NULL, NULL, 0},
};

/* Field values: visible ASCII and single blanks, so that no value can end its header line. */
static bool value_valid(const char *value, size_t len)
{
    if (len == 0 || len > VALUE_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (value[i] < ' ' || value[i] > '~')
            return false;
    return true;
}

/* A token of RFC 9110, and none of the headers that are the transport's business. */
static bool name_valid(const char *name, size_t len)
{
    static const char *const transport[] = {
        "connection", "content-length", "content-type",      "expect",         "host", "te",
        "trailer",    "upgrade",        "transfer-encoding", "accept-encoding"};
    if (len == 0 || len > 128)
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] <= ' ' || name[i] > '~' || strchr("()<>@,;:\\\"/[]?={}", name[i]) != NULL)
            return false;
    for (size_t i = 0; i < sizeof(transport) / sizeof(transport[0]); i++)
        if (strlen(transport[i]) == len && strncasecmp(name, transport[i], len) == 0)
            return false;
    return true;
}

static int header_put(struct c9d_model *model, const char *name, size_t name_len,
                      const char *prefix, const char *value, size_t value_len, const char *setting,
                      struct c9d_fault *fault)
{
    if (model->n_headers == PROVIDER_HEADERS_MAX)
        return fault_set(fault, "headers: more than %d; give fewer", PROVIDER_HEADERS_MAX);
    char *owned = strndup(name, name_len), *text = NULL;
    if (owned == NULL || asprintf(&text, "%s%.*s", prefix, (int)value_len, value) < 0) {
        free(owned);
        return fault_set(fault, "%s: out of memory", setting);
    }
    model->headers[model->n_headers++] = (struct c9d_header){owned, text};
    return 0;
}

/* An optional setting that becomes one header. */
static int header_from_setting(struct c9d_model *model, const struct c9d_settings *settings,
                               const char *setting, const char *name, struct c9d_fault *fault)
{
    const char *value = model->host->setting_text(settings, setting);
    if (value == NULL || value[0] == '\0')
        return 0;
    if (!value_valid(value, strlen(value)))
        return fault_set(fault, "%s: has a control or non-ASCII character, or is over %d bytes",
                         setting, VALUE_MAX);
    return header_put(model, name, strlen(name), "", value, strlen(value), setting, fault);
}

static int key_take(struct c9d_model *model, const struct c9d_settings *settings,
                    struct c9d_fault *fault)
{
    const char *key = model->host->setting_text(settings, "api_key");
    const char *name = model->host->setting_text(settings, "api_key_header");
    if (key == NULL || key[0] == '\0')
        return 0;
    if (!value_valid(key, strlen(key)) || strchr(key, ' ') != NULL)
        return fault_set(fault,
                         "api_key: has a blank, control or non-ASCII character, or is over "
                         "%d bytes; check the file for stray line ends",
                         VALUE_MAX);
    if (name == NULL || !name_valid(name, strlen(name)))
        return fault_set(fault, "api_key_header: not the name of a header a key can go in");
    model->api_key = strdup(key);
    if (model->api_key == NULL)
        return fault_set(fault, "api_key: out of memory");
    const char *prefix = strcasecmp(name, "authorization") == 0 ? "Bearer " : "";
    return header_put(model, name, strlen(name), prefix, key, strlen(key), "api_key", fault);
}

/* Cuts blanks off both ends. */
static const char *trim(const char *s, size_t *len)
{
    while (*len > 0 && s[0] == ' ')
        s++, (*len)--;
    while (*len > 0 && s[*len - 1] == ' ')
        (*len)--;
    return s;
}

static int headers_take(struct c9d_model *model, const char *list, struct c9d_fault *fault)
{
    for (size_t n = 1; list != NULL && *list != '\0'; n++) {
        size_t len = strcspn(list, "|"), name_len = strcspn(list, ":|"), value_len;
        const char *next = list[len] == '|' ? list + len + 1 : NULL;
        if (name_len == len)
            return fault_set(fault, "headers: number %zu has no colon; write Name: value", n);
        const char *value = list + name_len + 1;
        value_len = len - name_len - 1;
        const char *name = trim(list, &name_len);
        value = trim(value, &value_len);
        if (!name_valid(name, name_len))
            return fault_set(fault, "headers: number %zu has a name that cannot be set", n);
        if (!value_valid(value, value_len))
            return fault_set(fault, "headers: number %zu has an empty or invalid value", n);
        if (header_put(model, name, name_len, "", value, value_len, "headers", fault) < 0)
            return C9D_E_FAILED;
        list = next;
    }
    return 0;
}

static bool is_loopback(const char *host, size_t len)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == len && strncasecmp(host, names[i], len) == 0)
            return true;
    return false;
}

/* A query behind the path ("?api-version=…" of some gateways) stays behind it. */
static int url_take(struct c9d_model *model, const char *base, struct c9d_fault *fault)
{
    if (base == NULL || base[0] == '\0')
        base = DEFAULT_BASE_URL;
    bool clear = strncasecmp(base, "http://", 7) == 0;
    if (!clear && strncasecmp(base, "https://", 8) != 0)
        return fault_set(fault, "base_url: must start with https:// or http://");
    for (const char *c = base; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || *c == '#')
            return fault_set(fault, "base_url: has a character at %td that no URL here may have",
                             c - base + 1);
    const char *host = base + (clear ? 7 : 8);
    size_t authority = strcspn(host, "/?");
    if (memchr(host, '@', authority) != NULL)
        return fault_set(fault, "base_url: holds a user name; put the key in api_key");
    size_t host_len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?");
    if (host_len == 0 || host_len > authority)
        return fault_set(fault, "base_url: names no host");
    size_t path_end = strcspn(base, "?");
    const char *query = base + path_end;
    while (path_end > 0 && base[path_end - 1] == '/')
        path_end--;
    if (asprintf(&model->url, "%.*s/chat/completions%s", (int)path_end, base, query) < 0) {
        model->url = NULL;
        return fault_set(fault, "base_url: out of memory");
    }
    if (clear && model->api_key != NULL && !is_loopback(host, host_len))
        model->host->log("model_openai", C9D_LOG_WARN,
                         "base_url is http: the api_key crosses the network in the clear");
    return 0;
}

static int limits_take(struct c9d_model *model, const struct c9d_settings *settings,
                       struct c9d_fault *fault)
{
    static const char *const fields[] = {"max_tokens", "max_completion_tokens"};
    const char *field = model->host->setting_text(settings, "max_tokens_field");
    for (size_t i = 0; i < 2; i++)
        if (field != NULL && strcmp(field, fields[i]) == 0)
            model->max_tokens_field = fields[i];
    if (model->max_tokens_field == NULL)
        return fault_set(fault, "max_tokens_field: must be max_tokens or max_completion_tokens");
    int64_t max_reply = model->host->setting_int(settings, "max_reply");
    if (max_reply < 1024 || max_reply > INT64_C(1) << 30)
        return fault_set(fault, "max_reply: must be from 1KiB to 1GiB");
    model->max_reply = (size_t)max_reply;
    model->stream_usage = model->host->setting_int(settings, "stream_usage") != 0;
    model->strict_schema = model->host->setting_int(settings, "strict_schema") != 0;
    return 0;
}

static int settings_take(struct c9d_model *model, const struct c9d_settings *settings,
                         struct c9d_fault *fault)
{
    const struct c9d_host *host = model->host;
    if (header_put(model, "Content-Type", 12, "", "application/json", 16, "headers", fault) < 0 ||
        key_take(model, settings, fault) < 0 ||
        url_take(model, host->setting_text(settings, "base_url"), fault) < 0 ||
        header_from_setting(model, settings, "organization", "OpenAI-Organization", fault) < 0 ||
        header_from_setting(model, settings, "project", "OpenAI-Project", fault) < 0 ||
        headers_take(model, host->setting_text(settings, "headers"), fault) < 0)
        return C9D_E_FAILED;
    return limits_take(model, settings, fault);
}

int provider_open(const struct c9d_host *host, const struct c9d_settings *settings,
                  struct c9d_model **model_r, struct c9d_fault *fault)
{
    struct c9d_model *model = calloc(1, sizeof(*model));
    if (model == NULL)
        return fault_set(fault, "out of memory");
    model->host = host;
    if (settings_take(model, settings, fault) < 0) {
        provider_close(model);
        return C9D_E_FAILED;
    }
    *model_r = model;
    return 0;
}

static void secret_free(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void provider_close(struct c9d_model *model)
{
    if (model == NULL)
        return;
    for (size_t i = 0; i < model->n_headers; i++) {
        free((char *)model->headers[i].name);
        secret_free((char *)model->headers[i].value);
    }
    secret_free(model->api_key);
    free(model->url);
    free(model);
}

void provider_redact(const struct c9d_model *model, char *message)
{
    size_t len = model->api_key != NULL ? strlen(model->api_key) : 0;
    if (len < KEY_REDACT_MIN)
        return;
    for (char *at = message; (at = strstr(at, model->api_key)) != NULL; at += len)
        memset(at, '*', len);
}
