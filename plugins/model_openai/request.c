/* Chat request → the provider's JSON. The two differ in how tools and tool calls are wrapped, and
 * in arguments being an object here and JSON text there. */
#include "request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { PLACE_MAX = 64 };

/* Sets and keeps going: a NULL value (no memory) is remembered by the result. */
static int put_new(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value);
}

static int no_memory(struct c9d_fault *fault)
{
    return fault_set(fault, "chat request: out of memory");
}

/* ---- messages -------------------------------------------------------------------------------- */

static json_t *arguments_text(const json_t *arguments)
{
    if (json_is_string(arguments))
        return json_incref((json_t *)arguments);
    char *text = arguments != NULL ? json_dumps(arguments, JSON_COMPACT) : strdup("{}");
    json_t *value = text != NULL ? json_string(text) : NULL;
    free(text);
    return value;
}

static json_t *tool_call_build(const json_t *call, const char *place, size_t i,
                               struct c9d_fault *fault)
{
    const json_t *id = json_object_get(call, "id"), *name = json_object_get(call, "name");
    const json_t *arguments = json_object_get(call, "arguments");
    if (!json_is_string(id) || !json_is_string(name)) {
        fault_set(fault, "%s.tool_calls[%zu]: needs the strings id and name", place, i);
        return NULL;
    }
    if (arguments != NULL && !json_is_object(arguments) && !json_is_string(arguments)) {
        fault_set(fault, "%s.tool_calls[%zu].arguments: must be an object", place, i);
        return NULL;
    }
    json_t *built = json_pack("{s:O, s:s, s:{s:O, s:o}}", "id", id, "type", "function", "function",
                              "name", name, "arguments", arguments_text(arguments));
    if (built == NULL)
        no_memory(fault);
    return built;
}

static int tool_calls_put(json_t *out, const json_t *calls, const char *place,
                          struct c9d_fault *fault)
{
    if (!json_is_array(calls))
        return fault_set(fault, "%s.tool_calls: must be an array", place);
    if (json_array_size(calls) == 0)
        return 0; /* providers refuse an empty one */
    json_t *list = json_array();
    if (put_new(out, "tool_calls", list) < 0)
        return no_memory(fault);
    size_t i;
    json_t *call;
    json_array_foreach (calls, i, call) {
        json_t *built = tool_call_build(call, place, i, fault);
        if (built == NULL)
            return C9D_E_FAILED;
        if (json_array_append_new(list, built) < 0)
            return no_memory(fault);
    }
    return 0;
}

static bool role_valid(const char *role)
{
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    for (size_t i = 0; role != NULL && i < sizeof(roles) / sizeof(roles[0]); i++)
        if (strcmp(role, roles[i]) == 0)
            return true;
    return false;
}

static int message_put(json_t *out, const json_t *message, const char *place,
                       struct c9d_fault *fault)
{
    const json_t *role = json_object_get(message, "role");
    const json_t *calls = json_object_get(message, "tool_calls");
    const json_t *call_id = json_object_get(message, "tool_call_id");
    json_t *content = json_object_get(message, "content");
    const char *who = json_string_value(role);
    if (!role_valid(who))
        return fault_set(fault, "%s.role: must be system, user, assistant or tool", place);
    bool assistant = strcmp(who, "assistant") == 0, tool = strcmp(who, "tool") == 0;
    bool empty = content == NULL || json_is_null(content);
    if (!json_is_string(content) && !(empty && assistant))
        return fault_set(fault, "%s.content: must be a string", place);
    if (tool && !json_is_string(call_id))
        return fault_set(fault, "%s.tool_call_id: a tool's message needs it", place);
    int failed = json_object_set(out, "role", (json_t *)role);
    failed |= put_new(out, "content", empty ? json_null() : json_incref(content));
    if (tool)
        failed |= json_object_set(out, "tool_call_id", (json_t *)call_id);
    if (failed)
        return no_memory(fault);
    if (calls == NULL || json_is_null(calls))
        return 0;
    if (!assistant)
        return fault_set(fault, "%s.tool_calls: only an assistant's message has them", place);
    return tool_calls_put(out, calls, place, fault);
}

static int messages_put(json_t *body, const json_t *chat, struct c9d_fault *fault)
{
    const json_t *messages = json_object_get(chat, "messages");
    if (!json_is_array(messages) || json_array_size(messages) == 0)
        return fault_set(fault, "messages: must be an array of at least one message");
    json_t *list = json_array();
    if (put_new(body, "messages", list) < 0)
        return no_memory(fault);
    size_t i;
    json_t *message;
    json_array_foreach (messages, i, message) {
        char place[PLACE_MAX];
        snprintf(place, sizeof(place), "messages[%zu]", i);
        json_t *out = json_object();
        if (json_array_append_new(list, out) < 0)
            return no_memory(fault);
        if (message_put(out, message, place, fault) < 0)
            return C9D_E_FAILED;
    }
    return 0;
}

/* ---- tools, and what the answer must look like ----------------------------------------------- */

static json_t *tool_build(const json_t *tool, size_t i, struct c9d_fault *fault)
{
    json_t *name = json_object_get(tool, "name"), *words = json_object_get(tool, "description");
    json_t *parameters = json_object_get(tool, "parameters");
    if (!json_is_string(name)) {
        fault_set(fault, "tools[%zu].name: must be a string", i);
        return NULL;
    }
    if ((words != NULL && !json_is_string(words)) ||
        (parameters != NULL && !json_is_object(parameters))) {
        fault_set(fault, "tools[%zu]: description must be a string, parameters an object", i);
        return NULL;
    }
    json_t *function = json_object();
    int failed = json_object_set(function, "name", name);
    if (words != NULL)
        failed |= json_object_set(function, "description", words);
    failed |=
        put_new(function, "parameters",
                parameters != NULL ? json_incref(parameters)
                                   : json_pack("{s:s, s:{}}", "type", "object", "properties"));
    if (failed) {
        json_decref(function);
        no_memory(fault);
        return NULL;
    }
    json_t *built = json_pack("{s:s, s:o}", "type", "function", "function", function);
    if (built == NULL)
        no_memory(fault);
    return built;
}

static int tool_choice_put(json_t *body, json_t *choice, struct c9d_fault *fault)
{
    static const char *const words[] = {"auto", "none", "required"};
    const char *word = json_string_value(choice);
    json_t *name = json_object_get(choice, "name");
    for (size_t i = 0; word != NULL && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(word, words[i]) == 0)
            return json_object_set(body, "tool_choice", choice) < 0 ? no_memory(fault) : 0;
    if (!json_is_string(name))
        return fault_set(fault,
                         "tool_choice: must be auto, none, required or an object with a name");
    return put_new(body, "tool_choice",
                   json_pack("{s:s, s:{s:O}}", "type", "function", "function", "name", name)) < 0
               ? no_memory(fault)
               : 0;
}

static int tools_put(json_t *body, const json_t *chat, struct c9d_fault *fault)
{
    const json_t *tools = json_object_get(chat, "tools");
    json_t *choice = json_object_get(chat, "tool_choice");
    if (tools != NULL && !json_is_array(tools))
        return fault_set(fault, "tools: must be an array");
    if (json_array_size(tools) == 0)
        return 0; /* providers refuse an empty list, and a choice without tools */
    json_t *list = json_array();
    if (put_new(body, "tools", list) < 0)
        return no_memory(fault);
    size_t i;
    json_t *tool;
    json_array_foreach (tools, i, tool) {
        json_t *built = tool_build(tool, i, fault);
        if (built == NULL)
            return C9D_E_FAILED;
        if (json_array_append_new(list, built) < 0)
            return no_memory(fault);
    }
    return choice != NULL ? tool_choice_put(body, choice, fault) : 0;
}

static int response_schema_put(const struct c9d_model *model, json_t *body, const json_t *chat,
                               struct c9d_fault *fault)
{
    json_t *schema = json_object_get(chat, "response_schema");
    if (schema == NULL)
        return 0;
    if (!json_is_object(schema))
        return fault_set(fault, "response_schema: must be an object");
    json_t *format =
        json_pack("{s:s, s:{s:s, s:O, s:b}}", "type", "json_schema", "json_schema", "name",
                  "answer", "schema", schema, "strict", (int)model->strict_schema);
    return put_new(body, "response_format", format) < 0 ? no_memory(fault) : 0;
}

/* ---- the plain members ----------------------------------------------------------------------- */

static bool is_positive(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) > 0;
}

static bool is_integer(const json_t *value)
{
    return json_is_integer(value);
}

static bool is_number(const json_t *value)
{
    return json_is_number(value);
}

static bool is_strings(const json_t *value)
{
    size_t i;
    json_t *item;
    json_array_foreach (value, i, item)
        if (!json_is_string(item))
            return false;
    return json_is_array(value);
}

static int plain_members_put(const struct c9d_model *model, json_t *body, const json_t *chat,
                             struct c9d_fault *fault)
{
    const struct {
        const char *name, *theirs;
        bool (*valid)(const json_t *value);
        const char *must;
    } members[] = {
        {"temperature", "temperature", is_number, "a number"},
        {"top_p", "top_p", is_number, "a number"},
        {"max_tokens", model->max_tokens_field, is_positive, "an integer over 0"},
        {"stop", "stop", is_strings, "an array of strings"},
        {"seed", "seed", is_integer, "an integer"},
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        json_t *value = json_object_get(chat, members[i].name);
        if (value == NULL)
            continue;
        if (!members[i].valid(value))
            return fault_set(fault, "%s: must be %s", members[i].name, members[i].must);
        if (json_object_set(body, members[i].theirs, value) < 0)
            return no_memory(fault);
    }
    return 0;
}

static int stream_put(const struct c9d_model *model, json_t *body, const json_t *chat,
                      struct c9d_fault *fault)
{
    json_t *stream = json_object_get(chat, "stream");
    if (stream != NULL && !json_is_boolean(stream))
        return fault_set(fault, "stream: must be true or false");
    if (!json_is_true(stream))
        return 0;
    int failed = json_object_set(body, "stream", stream);
    if (model->stream_usage)
        failed |= put_new(body, "stream_options", json_pack("{s:b}", "include_usage", 1));
    return failed ? no_memory(fault) : 0;
}

static int body_fill(const struct c9d_model *model, json_t *body, const json_t *chat,
                     struct c9d_fault *fault)
{
    json_t *name = json_object_get(chat, "model");
    if (!json_is_object(chat))
        return fault_set(fault, "chat request: must be an object");
    if (json_string_length(name) == 0)
        return fault_set(fault,
                         "model: the request names none; set `model` in the [model] section");
    if (json_object_set(body, "model", name) < 0)
        return no_memory(fault);
    if (messages_put(body, chat, fault) < 0 || tools_put(body, chat, fault) < 0 ||
        response_schema_put(model, body, chat, fault) < 0 ||
        plain_members_put(model, body, chat, fault) < 0)
        return C9D_E_FAILED;
    return stream_put(model, body, chat, fault);
}

int request_build(struct c9d_model *model, const char *chat, size_t len,
                  struct c9d_http_request *request_r, struct c9d_fault *fault)
{
    char why[256];
    json_t *from =
        text_decode(chat, len, TEXT_CHAT_VALUES_MAX, JSON_REJECT_DUPLICATES, why, sizeof(why));
    if (from == NULL)
        return fault_set(fault, "chat request: %s", why);
    json_t *body = json_object();
    int rc = body != NULL ? body_fill(model, body, from, fault) : no_memory(fault);
    char *text = rc == 0 ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    json_decref(from);
    if (rc < 0)
        return C9D_E_FAILED;
    if (text == NULL)
        return no_memory(fault);
    *request_r = (struct c9d_http_request){.method = "POST",
                                           .url = model->url,
                                           .headers = model->headers,
                                           .n_headers = model->n_headers,
                                           .body = text,
                                           .body_len = strlen(text),
                                           .memory = text};
    return 0;
}

void request_free(struct c9d_http_request *request)
{
    free(request->memory);
    *request = (struct c9d_http_request){0};
}
