/* Reads a chat request once, for all that ask where the conversation stands. */
#include "talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t calls_bytes(const json_t *calls)
{
    int64_t bytes = 0;
    size_t i;
    json_t *call;
    json_array_foreach (calls, i, call) {
        char *arguments =
            json_dumps(json_object_get(call, "arguments"), JSON_COMPACT | JSON_ENCODE_ANY);
        bytes += (int64_t)json_string_length(json_object_get(call, "name"));
        bytes += arguments != NULL ? (int64_t)strlen(arguments) : 0;
        free(arguments);
    }
    return bytes;
}

static const char *role_of(const json_t *message)
{
    const char *role = json_string_value(json_object_get(message, "role"));
    return role != NULL ? role : "";
}

static int message_read(struct talk *talk, size_t i, const json_t *message, struct c9d_fault *fault)
{
    const json_t *content = json_object_get(message, "content");
    const char *role = role_of(message);
    bool assistant = strcmp(role, "assistant") == 0, tool = strcmp(role, "tool") == 0;
    if (!assistant && !tool && strcmp(role, "user") != 0 && strcmp(role, "system") != 0) {
        snprintf(fault->message, sizeof(fault->message),
                 "messages[%zu].role: must be system, user, assistant or tool", i);
        return C9D_E_FAILED;
    }
    if (!assistant && !json_is_string(content)) {
        snprintf(fault->message, sizeof(fault->message), "messages[%zu].content: must be a string",
                 i);
        return C9D_E_FAILED;
    }
    if (strcmp(role, "user") == 0)
        talk->user = json_string_value(content);
    if (!tool)
        talk->tail = i + 1;
    talk->turn += assistant;
    talk->input_bytes += (int64_t)json_string_length(content);
    talk->input_bytes += calls_bytes(json_object_get(message, "tool_calls"));
    return 0;
}

int talk_read(struct talk *talk_r, const json_t *chat, struct c9d_fault *fault)
{
    const char *model = json_string_value(json_object_get(chat, "model"));
    *talk_r =
        (struct talk){.chat = chat, .messages = json_object_get(chat, "messages"), .user = ""};
    talk_r->model = model != NULL && model[0] != '\0' ? model : "fake";
    if (!json_is_array(talk_r->messages) || json_array_size(talk_r->messages) == 0) {
        snprintf(fault->message, sizeof(fault->message),
                 "messages: must be an array of at least one message");
        return C9D_E_FAILED;
    }
    size_t i;
    json_t *message;
    json_array_foreach (talk_r->messages, i, message)
        if (message_read(talk_r, i, message, fault) < 0)
            return C9D_E_FAILED;
    return 0;
}

bool talk_after_tool(const struct talk *talk)
{
    return talk->tail < json_array_size(talk->messages);
}

const char *talk_tool_name(const struct talk *talk, size_t i)
{
    const char *id =
        json_string_value(json_object_get(json_array_get(talk->messages, i), "tool_call_id"));
    for (size_t m = i; id != NULL && m-- > 0;) {
        size_t k;
        json_t *call;
        json_array_foreach (json_object_get(json_array_get(talk->messages, m), "tool_calls"), k,
                            call) {
            const char *of = json_string_value(json_object_get(call, "id"));
            const char *name = json_string_value(json_object_get(call, "name"));
            if (of != NULL && name != NULL && strcmp(id, of) == 0)
                return name;
        }
    }
    return "";
}

char *talk_results(const struct talk *talk)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL)
        return NULL;
    for (size_t i = talk->tail; i < json_array_size(talk->messages); i++)
        fprintf(out, "%s%s", i > talk->tail ? "\n" : "",
                json_string_value(json_object_get(json_array_get(talk->messages, i), "content")));
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

const json_t *talk_tool(const struct talk *talk, const char *name)
{
    size_t i;
    json_t *tool;
    json_array_foreach (json_object_get(talk->chat, "tools"), i, tool) {
        const char *of = json_string_value(json_object_get(tool, "name"));
        if (of != NULL && strcmp(of, name) == 0)
            return tool;
    }
    return NULL;
}
