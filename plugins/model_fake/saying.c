/* The script's word, or else: call the tools that the user names, fill in the schema that is asked
 * for, or say what was said. */
#include "saying.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "script.h"

enum { CALLS_MAX = 128 };
enum { CALL_LINES_MAX = 1024 }; /* each is looked up among all tools */

void saying_free(struct saying *saying)
{
    free(saying->content);
    json_decref(saying->calls);
}

static int no_memory(struct c9d_fault *fault)
{
    snprintf(fault->message, sizeof(fault->message), "out of memory");
    return C9D_E_FAILED;
}

/* ---- by the script --------------------------------------------------------------------------- */

/* Content with {{user}} and {{result}} filled in. To be freed; NULL: no memory. */
static char *content_fill(const char *content, const struct talk *talk)
{
    char *results = talk_results(talk), *text = NULL;
    const struct {
        const char *mark, *value;
    } marks[] = {{"{{user}}", talk->user}, {"{{result}}", results}};
    size_t len;
    FILE *out = results != NULL ? open_memstream(&text, &len) : NULL;
    while (out != NULL && *content != '\0') {
        size_t i = 0;
        while (i < 2 && strncmp(content, marks[i].mark, strlen(marks[i].mark)) != 0)
            i++;
        if (i < 2) {
            fputs(marks[i].value, out);
            content += strlen(marks[i].mark);
        } else {
            fputc(*content++, out);
        }
    }
    if (out != NULL && fclose(out) != 0) {
        free(text);
        text = NULL;
    }
    free(results);
    return text;
}

static int script_say(struct saying *saying, const json_t *reply, const struct talk *talk,
                      struct c9d_fault *fault)
{
    const char *content = json_string_value(json_object_get(reply, "content"));
    const char *delay = json_string_value(json_object_get(reply, "delay"));
    saying->finish = json_string_value(json_object_get(reply, "finish"));
    saying->error = json_object_get(reply, "error");
    if (delay != NULL)
        script_duration(delay, &saying->delay);
    saying->content = content_fill(content != NULL ? content : "", talk);
    json_array_extend(saying->calls, json_object_get(reply, "tool_calls"));
    return saying->content != NULL ? 0 : no_memory(fault);
}

/* ---- without one ----------------------------------------------------------------------------- */

static int call_add(struct saying *saying, const json_t *tool, json_t *arguments,
                    struct c9d_fault *fault)
{
    json_t *call =
        json_pack("{s:O, s:o}", "name", json_object_get(tool, "name"), "arguments", arguments);
    return json_array_append_new(saying->calls, call) < 0 ? no_memory(fault) : 0;
}

/* One line "call NAME {json}", for a tool that is offered. The rest of the line is passed on as it
 * is, so that malformed arguments can be tried too. */
static int named_call_say(struct saying *saying, const struct talk *talk, const char *line,
                          size_t len, struct c9d_fault *fault)
{
    char name[128];
    size_t n = 0;
    if (len <= 5 || strncmp(line, "call ", 5) != 0 || json_array_size(saying->calls) == CALLS_MAX)
        return 0;
    for (line += 5, len -= 5; n < len && line[n] != ' ' && n < sizeof(name) - 1; n++)
        name[n] = line[n];
    name[n] = '\0';
    const json_t *tool = talk_tool(talk, name);
    if (tool == NULL)
        return 0;
    for (line += n, len -= n; len > 0 && *line == ' '; len--)
        line++;
    return call_add(saying, tool, len > 0 ? json_stringn(line, len) : json_object(), fault);
}

static int named_calls_say(struct saying *saying, const struct talk *talk, struct c9d_fault *fault)
{
    int tried = 0;
    for (const char *line = talk->user; *line != '\0' && tried < CALL_LINES_MAX;) {
        size_t len = strcspn(line, "\r\n");
        tried += strncmp(line, "call ", 5) == 0;
        if (named_call_say(saying, talk, line, len, fault) < 0)
            return C9D_E_FAILED;
        line += len + (line[len] != '\0');
    }
    return 0;
}

/* A tool that must be called although the user names none: with the least it takes. */
static int forced_call_say(struct saying *saying, const struct talk *talk, struct c9d_fault *fault)
{
    const json_t *choice = json_object_get(talk->chat, "tool_choice");
    const char *word = json_string_value(choice);
    const char *name = json_string_value(json_object_get(choice, "name"));
    const json_t *tool = name != NULL ? talk_tool(talk, name) : NULL;
    if (word != NULL && strcmp(word, "required") == 0)
        tool = json_array_get(json_object_get(talk->chat, "tools"), 0);
    if (!json_is_string(json_object_get(tool, "name")))
        return 0;
    const json_t *parameters = json_object_get(tool, "parameters");
    json_t *arguments = parameters != NULL ? instance_smallest(parameters) : json_object();
    if (arguments == NULL) {
        snprintf(fault->message, sizeof(fault->message),
                 "tools: the smallest arguments that fit \"%.64s\" are too large",
                 json_string_value(json_object_get(tool, "name")));
        return C9D_E_FAILED;
    }
    return call_add(saying, tool, arguments, fault);
}

static int calls_say(struct saying *saying, const struct talk *talk, struct c9d_fault *fault)
{
    const char *choice = json_string_value(json_object_get(talk->chat, "tool_choice"));
    if (talk_after_tool(talk) || (choice != NULL && strcmp(choice, "none") == 0))
        return 0;
    if (named_calls_say(saying, talk, fault) < 0)
        return C9D_E_FAILED;
    return json_array_size(saying->calls) > 0 ? 0 : forced_call_say(saying, talk, fault);
}

static int schema_say(struct saying *saying, const json_t *schema, struct c9d_fault *fault)
{
    json_t *instance = instance_smallest(schema);
    if (instance == NULL) {
        snprintf(fault->message, sizeof(fault->message),
                 "response_schema: the smallest value that fits is too large or nested too deeply");
        return C9D_E_FAILED;
    }
    saying->content = json_dumps(instance, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(instance);
    return saying->content != NULL ? 0 : no_memory(fault);
}

static int echo_say(struct saying *saying, const struct talk *talk, struct c9d_fault *fault)
{
    char *results = talk_after_tool(talk) ? talk_results(talk) : NULL;
    if (talk_after_tool(talk) && results == NULL)
        return no_memory(fault);
    if (asprintf(&saying->content, "fake: %s", results != NULL ? results : talk->user) < 0)
        saying->content = NULL;
    free(results);
    return saying->content != NULL ? 0 : no_memory(fault);
}

int saying_make(struct saying *saying_r, const json_t *script, const struct talk *talk,
                struct c9d_fault *fault)
{
    *saying_r = (struct saying){.calls = json_array(), .delay = -1};
    const json_t *reply = script_match(script, talk);
    const json_t *schema = json_object_get(talk->chat, "response_schema");
    if (saying_r->calls == NULL)
        return no_memory(fault);
    if (reply != NULL)
        return script_say(saying_r, reply, talk, fault);
    if (calls_say(saying_r, talk, fault) < 0)
        return C9D_E_FAILED;
    if (json_array_size(saying_r->calls) > 0) {
        saying_r->content = strdup("");
        return saying_r->content != NULL ? 0 : no_memory(fault);
    }
    return schema != NULL ? schema_say(saying_r, schema, fault) : echo_say(saying_r, talk, fault);
}
