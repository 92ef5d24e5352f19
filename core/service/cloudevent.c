#include "service/cloudevent.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "service/problem.h"

enum { TEXT_MAX = 2048, NAME_MAX_BYTES = 64 };

/* ---- attributes ---- */

static const char *non_empty(const char *text)
{
    return text[0] != '\0' ? NULL : "must not be empty";
}

static const char *version_fits(const char *text)
{
    return strcmp(text, "1.0") == 0 ? NULL : "must be \"1.0\"";
}

static const char *time_fits(const char *text)
{
    int64_t us;
    return clock_parse_rfc3339(text, strlen(text), &us) == 0
               ? NULL
               : "must be an RFC 3339 time such as 2026-01-31T12:00:00Z";
}

/* RFC 3986: what can be in a reference at all. */
static const char *reference_fits(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("-._~:/?#[]@!$&'()*+,;=%", *c) == NULL)
            return "must be a URI reference: other characters are percent-encoded";
    return non_empty(text);
}

static const char *uri_fits(const char *text)
{
    size_t scheme =
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.");
    if (!isalpha((unsigned char)text[0]) || text[scheme] != ':')
        return "must be a URI with a scheme";
    return reference_fits(text);
}

/* RFC 2045: type "/" subtype, and parameters. */
static const char *media_fits(const char *text)
{
    static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "!#$%&'*+-.^_`|~";
    size_t type = strspn(text, token);
    size_t subtype = text[type] == '/' ? strspn(text + type + 1, token) : 0;
    const char *rest = text + type + 1 + subtype;
    bool good = type > 0 && subtype > 0 && (*rest == '\0' || strchr("; \t", *rest) != NULL);
    return good ? NULL : "must be a media type such as application/json";
}

static const struct attribute {
    const char *name;
    bool required;
    const char *(*fits)(const char *text); /* what is wrong, or NULL */
} attributes[] = {
    {"specversion", true, version_fits},    {"id", true, non_empty},
    {"source", true, reference_fits},       {"type", true, non_empty},
    {"datacontenttype", false, media_fits}, {"dataschema", false, uri_fits},
    {"subject", false, non_empty},          {"time", false, time_fits},
};

static const struct attribute *attribute_find(const char *name)
{
    for (size_t i = 0; i < countof(attributes); i++)
        if (strcmp(attributes[i].name, name) == 0)
            return &attributes[i];
    return NULL;
}

int cloudevent_name_valid(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= NAME_MAX_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789") == len;
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

static void text_check(const struct attribute *attribute, const char *place, const json_t *value,
                       json_t *problems)
{
    const char *text = json_string_value(value), *wrong = NULL;
    if (text == NULL)
        wrong = "must be a text";
    else if (json_string_length(value) > TEXT_MAX)
        wrong = "must have at most 2048 bytes";
    else if (has_control(text))
        wrong = "must not have control characters";
    else if (attribute != NULL)
        wrong = attribute->fits(text);
    if (wrong != NULL)
        problem_add(problems, place, "%s", wrong);
}

/* An extension is a text, a boolean, or an integer of 32 bits. */
static void extension_check(const char *name, const char *place, const json_t *value,
                            json_t *problems)
{
    if (!cloudevent_name_valid(name))
        problem_add(problems, place, "a name of an attribute is made of a-z and 0-9, at most %d",
                    NAME_MAX_BYTES);
    else if (json_is_string(value))
        text_check(NULL, place, value, problems);
    else if (json_is_integer(value)
                 ? json_integer_value(value) > INT32_MAX || json_integer_value(value) < INT32_MIN
                 : !json_is_boolean(value))
        problem_add(problems, place,
                    "an extension must be a text, a boolean or an integer of 32 bits");
}

static void data_check(const json_t *event, const char *path, json_t *problems)
{
    const json_t *base64 = json_object_get(event, "data_base64");
    autofree char *place = problem_path(path, "data_base64");
    if (base64 == NULL || json_is_null(base64))
        return;
    if (json_object_get(event, "data") != NULL)
        problem_add(problems, place, "there is data already; an event has one of them");
    const char *text = json_string_value(base64);
    size_t len = json_string_length(base64);
    autofree uint8_t *bytes = xmalloc(len / 4 * 3 + 3);
    if (text == NULL || hash_base64_decode(text, len, bytes, &len) < 0)
        problem_add(problems, place, "must be a text in base64");
}

json_t *cloudevent_read(const json_t *event, const char *path, json_t *problems)
{
    size_t before = json_array_size(problems);
    const char *name;
    json_t *value;
    if (!json_is_object(event)) {
        problem_add(problems, path, "an event must be an object");
        return NULL;
    }
    jx_auto *read = json_object();
    for (size_t i = 0; i < countof(attributes); i++) {
        autofree char *place = problem_path(path, attributes[i].name);
        value = json_object_get(event, attributes[i].name);
        if (attributes[i].required && (value == NULL || json_is_null(value)))
            problem_add(problems, place, "is required");
    }
    json_object_foreach ((json_t *)event, name, value) {
        bool data = strcmp(name, "data") == 0 || strcmp(name, "data_base64") == 0;
        const struct attribute *attribute = attribute_find(name);
        autofree char *place = problem_path(path, name);
        if (json_is_null(value) && !data)
            continue;
        if (attribute != NULL)
            text_check(attribute, place, value, problems);
        else if (!data)
            extension_check(name, place, value, problems);
        json_object_set(read, name, value);
    }
    data_check(event, path, problems);
    return json_array_size(problems) == before ? move_ptr(&read) : NULL;
}

/* ---- binary messages ---- */

/* HTTP binding §3.1.3.2: percent-encoded UTF-8, perhaps in double quotes. NULL: it is not. */
static json_t *header_decode(const char *value)
{
    buf_auto out = BUF_INIT;
    size_t len = strlen(value);
    if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
        value++;
        len -= 2;
    }
    buf_append_str(&out, "");
    for (size_t i = 0; i < len; i++) {
        int high = value[i] == '%' && i + 2 < len ? hash_hex_value(value[i + 1]) : -1;
        int low = high >= 0 ? hash_hex_value(value[i + 2]) : -1;
        if (value[i] == '%' && (low < 0 || (high | low) == 0))
            return NULL;
        buf_append_char(&out, (char)(low >= 0 ? high << 4 | low : value[i]));
        i += low >= 0 ? 2 : 0;
    }
    return utf8_valid(out.data, out.len) ? json_stringn(out.data, out.len) : NULL;
}

static void attribute_from_header(json_t *event, const struct cloudevent_header *header,
                                  json_t *problems)
{
    char name[NAME_MAX_BYTES + 2];
    snprintf(name, sizeof(name), "%s", header->name + 3);
    for (char *c = name; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    autofree char *place = problem_path("", name);
    json_t *value = header_decode(header->value);
    if (value == NULL)
        problem_add(problems, place, "header %.80s is not UTF-8, percent-encoded", header->name);
    else if (strcmp(name, "data") == 0 || strcmp(name, "datacontenttype") == 0 ||
             json_object_get(event, name) != NULL)
        problem_add(problems, place, "header %.80s %s", header->name,
                    strncmp(name, "data", 4) == 0 ? "is not taken: it is Content-Type and the body"
                                                  : "is there twice");
    else
        json_object_set(event, name, value);
    json_decref(value);
}

/* application/json, …+json */
static bool is_json(const char *type)
{
    size_t len = strcspn(type, "; \t");
    return (len == 16 && strncasecmp(type, "application/json", len) == 0) ||
           (len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0);
}

static void data_set(json_t *event, const char *type, const char *body, size_t len,
                     json_t *problems)
{
    error_auto err = ERROR_INIT;
    if (is_json(type)) {
        json_t *data = jx_decode(body, len, "data", &err);
        if (data == NULL)
            problem_add(problems, "/data", "%s", err.message);
        else
            json_object_set_new(event, "data", data);
    } else if (strncasecmp(type, "text/", 5) == 0 && utf8_valid(body, len) &&
               memchr(body, '\0', len) == NULL) {
        json_object_set_new(event, "data", json_stringn(body, len));
    } else {
        autofree char *text = xmalloc((len + 2) / 3 * 4 + 1);
        json_object_set_new(event, "data_base64", json_string(hash_base64(body, len, text)));
    }
}

json_t *cloudevent_read_binary(const struct cloudevent_header *headers, size_t n,
                               const char *content_type, const char *body, size_t len,
                               json_t *problems)
{
    jx_auto *event = json_object();
    size_t before = json_array_size(problems);
    for (size_t i = 0; i < n; i++)
        if (strncasecmp(headers[i].name, "ce-", 3) == 0)
            attribute_from_header(event, &headers[i], problems);
    const char *type = content_type != NULL ? content_type : "application/octet-stream";
    if (len > 0)
        data_set(event, type, body, len, problems);
    if (content_type != NULL)
        json_object_set_new(event, "datacontenttype", jx_text(content_type, strlen(content_type)));
    json_t *read = cloudevent_read(event, "", problems);
    if (json_array_size(problems) == before)
        return read;
    json_decref(read);
    return NULL;
}
