/* Reading, checking and matching the script. */
#include "script.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 2, 3))) static int refuse(struct c9d_fault *fault, const char *fmt,
                                                        ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(fault->message, sizeof(fault->message), fmt, ap);
    va_end(ap);
    return C9D_E_FAILED;
}

int script_duration(const char *text, int64_t *us_r)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000}};
    const int64_t day = 86400000000;
    int64_t n = 0;
    const char *c = text;
    for (; *c >= '0' && *c <= '9'; c++)
        n = n <= day ? n * 10 + (*c - '0') : n;
    for (size_t i = 0; c > text && i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(c, units[i].name) == 0 && n <= day / units[i].us) {
            *us_r = n * units[i].us;
            return 0;
        }
    return -1;
}

/* ---- checking: a row a member ---------------------------------------------------------------- */

static bool is_text(const json_t *value)
{
    return json_is_string(value);
}

static bool is_word(const json_t *value) /* travels on a line of its own */
{
    return json_string_length(value) > 0 && strpbrk(json_string_value(value), "\n\r") == NULL;
}

static bool is_flag(const json_t *value)
{
    return json_is_boolean(value);
}

static bool is_count(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool is_status(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 100 &&
           json_integer_value(value) <= 599;
}

static bool is_duration(const json_t *value)
{
    int64_t us;
    return json_is_string(value) && script_duration(json_string_value(value), &us) == 0;
}

static bool is_reason(const json_t *value)
{
    static const char *const reasons[] = {"stop", "length", "tool_calls", "content_filter"};
    for (size_t i = 0; json_is_string(value) && i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (strcmp(json_string_value(value), reasons[i]) == 0)
            return true;
    return false;
}

static bool is_arguments(const json_t *value)
{
    return json_is_object(value) || json_is_string(value);
}

static bool is_object(const json_t *value)
{
    return json_is_object(value);
}

static bool is_array(const json_t *value)
{
    return json_is_array(value);
}

struct member {
    const char *name;
    bool (*valid)(const json_t *value);
    const char *must;
};

static const struct member match_members[] = {
    {"contains", is_text, "a string"},
    {"model", is_text, "a string"},
    {"after_tool", is_text, "a string"},
    {"turn", is_count, "an integer from 0"},
    {NULL, NULL, NULL},
};
static const struct member call_members[] = {
    {"name", is_word, "a string on one line"},
    {"arguments", is_arguments, "an object or a string"},
    {NULL, NULL, NULL},
};
static const struct member error_members[] = {
    {"status", is_status, "an HTTP status"},
    {"message", is_text, "a string"},
    {"retry", is_flag, "true or false"},
    {"retry_after", is_duration, "a duration such as \"50ms\""},
    {NULL, NULL, NULL},
};
static const struct member reply_members[] = {
    {"match", is_object, "an object"},
    {"content", is_text, "a string"},
    {"tool_calls", is_array, "an array"},
    {"finish", is_reason, "stop, length, tool_calls or content_filter"},
    {"delay", is_duration, "a duration such as \"50ms\""},
    {"error", is_object, "an object"},
    {NULL, NULL, NULL},
};

static int members_check(const json_t *object, const struct member *members, const char *place,
                         struct c9d_fault *fault)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return refuse(fault, "%s: must be an object", place);
    json_object_foreach ((json_t *)object, key, value) {
        const struct member *member = members;
        while (member->name != NULL && strcmp(member->name, key) != 0)
            member++;
        if (member->name == NULL)
            return refuse(fault, "%s: has no member \"%.64s\"", place, key);
        if (!member->valid(value))
            return refuse(fault, "%s.%s: must be %s", place, key, member->must);
    }
    return 0;
}

static int reply_check(const json_t *reply, size_t n, struct c9d_fault *fault)
{
    char place[96];
    snprintf(place, sizeof(place), "replies[%zu]", n);
    if (members_check(reply, reply_members, place, fault) < 0)
        return C9D_E_FAILED;
    const json_t *match = json_object_get(reply, "match"), *error = json_object_get(reply, "error");
    snprintf(place, sizeof(place), "replies[%zu].match", n);
    if (match != NULL && members_check(match, match_members, place, fault) < 0)
        return C9D_E_FAILED;
    snprintf(place, sizeof(place), "replies[%zu].error", n);
    if (error != NULL && members_check(error, error_members, place, fault) < 0)
        return C9D_E_FAILED;
    size_t i;
    json_t *call;
    json_array_foreach (json_object_get(reply, "tool_calls"), i, call) {
        snprintf(place, sizeof(place), "replies[%zu].tool_calls[%zu]", n, i);
        if (members_check(call, call_members, place, fault) < 0)
            return C9D_E_FAILED;
        if (json_object_get(call, "name") == NULL)
            return refuse(fault, "%s.name: is missing", place);
    }
    return 0;
}

static int script_check(const json_t *script, struct c9d_fault *fault)
{
    static const struct member members[] = {{"replies", is_array, "an array"}, {NULL, NULL, NULL}};
    if (members_check(script, members, "script", fault) < 0)
        return C9D_E_FAILED;
    size_t i;
    json_t *reply;
    json_array_foreach (json_object_get(script, "replies"), i, reply)
        if (reply_check(reply, i, fault) < 0)
            return C9D_E_FAILED;
    return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The file's bytes, to be freed; NULL with errno. */
static char *file_read(const char *path, size_t *len_r)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    errno = EINVAL;
    char *data = NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        (errno = EFBIG, st.st_size <= SCRIPT_FILE_MAX))
        data = malloc((size_t)st.st_size + 1);
    size_t len = 0;
    for (ssize_t n = 1; data != NULL && n > 0 && len < (size_t)st.st_size; len += (size_t)n) {
        n = read(fd, data + len, (size_t)st.st_size - len);
        if (n < 0) {
            int number = errno;
            free(data);
            data = NULL;
            errno = number;
            break;
        }
    }
    int number = errno;
    close(fd);
    errno = number;
    *len_r = len;
    return data;
}

json_t *script_read(const char *path, struct c9d_fault *fault)
{
    size_t len;
    json_error_t error;
    char *text = file_read(path, &len);
    if (text == NULL) {
        refuse(fault, "script %s: cannot be read (a plain file up to %d bytes): %s", path,
               SCRIPT_FILE_MAX, strerror(errno));
        return NULL;
    }
    json_t *script = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (script == NULL) {
        refuse(fault, "script %s:%d:%d: %s", path, error.line, error.column, error.text);
        return NULL;
    }
    struct c9d_fault why;
    if (script_check(script, &why) == 0)
        return script;
    json_decref(script);
    refuse(fault, "script %.200s: %.300s", path, why.message);
    return NULL;
}

/* ---- matching -------------------------------------------------------------------------------- */

static bool after_tool_fits(const json_t *after, const struct talk *talk)
{
    if (after == NULL)
        return !talk_after_tool(talk);
    const char *name = json_string_value(after);
    for (size_t i = talk->tail; i < json_array_size(talk->messages); i++)
        if (strcmp(name, "*") == 0 || strcmp(name, talk_tool_name(talk, i)) == 0)
            return true;
    return false;
}

static bool reply_fits(const json_t *match, const struct talk *talk)
{
    const char *contains = json_string_value(json_object_get(match, "contains"));
    const char *model = json_string_value(json_object_get(match, "model"));
    const json_t *turn = json_object_get(match, "turn");
    return (contains == NULL || strstr(talk->user, contains) != NULL) &&
           (model == NULL || strcmp(talk->model, model) == 0) &&
           (turn == NULL || json_integer_value(turn) == talk->turn) &&
           after_tool_fits(json_object_get(match, "after_tool"), talk);
}

const json_t *script_match(const json_t *script, const struct talk *talk)
{
    size_t i;
    json_t *reply;
    json_array_foreach (json_object_get(script, "replies"), i, reply)
        if (reply_fits(json_object_get(reply, "match"), talk))
            return reply;
    return NULL;
}
