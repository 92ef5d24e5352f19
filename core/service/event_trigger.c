#include "service/event_trigger.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/config.h"
#include "base/json.h"
#include "service/cloudevent.h"
#include "service/problem.h"

enum { EVENTS_MAX = 100, PATTERN_MAX = 1024, DEPTH_MAX = 8, MEMBERS_MAX = 200 };

/* ---- patterns ---- */

bool event_pattern_matches(const char *pattern, const char *text, char separator)
{
    char stop[2] = {separator, '\0'};
    for (;;) {
        size_t p = strcspn(pattern, stop), t = strcspn(text, stop);
        if (p == 1 && pattern[0] == '#' && pattern[1] == '\0')
            return true;
        bool any = p == 1 && pattern[0] == '*' && t > 0;
        if (!any && (p != t || memcmp(pattern, text, p) != 0))
            return false;
        pattern += p;
        text += t;
        if (*pattern == '\0' || *text == '\0')
            /* "a/#" is for "a" too. */
            return *pattern == *text || (*text == '\0' && pattern[1] == '#' && pattern[2] == '\0');
        pattern++;
        text++;
    }
}

static void pattern_check(const json_t *value, char separator, const char *path, json_t *problems)
{
    const char *text = json_string_value(value);
    if (text == NULL || text[0] == '\0' || json_string_length(value) > PATTERN_MAX) {
        problem_add(problems, path, "must be a pattern of 1 to %d bytes", PATTERN_MAX);
        return;
    }
    char stop[2] = {separator, '\0'};
    for (const char *s = text;; s++) {
        size_t n = strcspn(s, stop);
        bool last = s[n] == '\0';
        if (n > 1 && (memchr(s, '*', n) != NULL || (last && s[n - 1] == '#')))
            problem_add(problems, path, "'*' and '#' stand for whole segments, not in '%.*s'",
                        (int)(n < 100 ? n : 100), s);
        if (n == 1 && s[0] == '#' && !last)
            problem_add(problems, path, "'#' can only be the last segment");
        s += n;
        if (last)
            return;
    }
}

/* ---- JSON Pointers ---- */

static void pointer_check(const char *pointer, const char *path, json_t *problems)
{
    if (pointer == NULL || !jx_pointer_valid(pointer, strlen(pointer)))
        problem_add(problems, path, "must be a JSON Pointer: empty, or such as /data/order/id");
}

/* ---- filters ---- */

typedef bool text_fn(const char *text, size_t len, const char *wanted, size_t wanted_len);

static bool text_exact(const char *text, size_t len, const char *wanted, size_t wanted_len)
{
    return len == wanted_len && memcmp(text, wanted, len) == 0;
}

static bool text_prefix(const char *text, size_t len, const char *wanted, size_t wanted_len)
{
    return len >= wanted_len && memcmp(text, wanted, wanted_len) == 0;
}

static bool text_suffix(const char *text, size_t len, const char *wanted, size_t wanted_len)
{
    return len >= wanted_len && memcmp(text + len - wanted_len, wanted, wanted_len) == 0;
}

/* Attributes are compared as the texts that they have in headers. */
static bool attribute_is(const json_t *event, const char *name, const json_t *wanted, text_fn *fits)
{
    const json_t *value = json_object_get(event, name);
    char number[24];
    const char *text = json_string_value(value);
    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        text = number;
    } else if (json_is_boolean(value)) {
        text = json_is_true(value) ? "true" : "false";
    }
    return text != NULL &&
           fits(text, strlen(text), json_string_value(wanted), json_string_length(wanted));
}

static bool filter_matches(const json_t *filter, const json_t *event);

static bool attributes_match(const json_t *operand, const json_t *event, text_fn *fits)
{
    const char *name;
    json_t *wanted;
    json_object_foreach ((json_t *)operand, name, wanted)
        if (!attribute_is(event, name, wanted, fits))
            return false;
    return true;
}

static bool match_exact(const json_t *operand, const json_t *event)
{
    return attributes_match(operand, event, text_exact);
}

static bool match_prefix(const json_t *operand, const json_t *event)
{
    return attributes_match(operand, event, text_prefix);
}

static bool match_suffix(const json_t *operand, const json_t *event)
{
    return attributes_match(operand, event, text_suffix);
}

static bool match_data(const json_t *operand, const json_t *event)
{
    const json_t *data = json_object_get(event, "data");
    const char *pointer;
    json_t *wanted;
    json_object_foreach ((json_t *)operand, pointer, wanted) {
        const json_t *value = jx_pointer_get(data, pointer);
        if (value == NULL || !jx_equal(value, wanted))
            return false;
    }
    return true;
}

static bool match_all(const json_t *operand, const json_t *event)
{
    for (size_t i = 0; i < json_array_size(operand); i++)
        if (!filter_matches(json_array_get(operand, i), event))
            return false;
    return true;
}

static bool match_any(const json_t *operand, const json_t *event)
{
    for (size_t i = 0; i < json_array_size(operand); i++)
        if (filter_matches(json_array_get(operand, i), event))
            return true;
    return false;
}

static bool match_not(const json_t *operand, const json_t *event)
{
    return !filter_matches(operand, event);
}

/* A filter being checked. */
struct check {
    json_t *problems;
    int depth, members; /* so far */
};

static void filter_check(struct check *c, const json_t *filter, const char *path);

static void check_attributes(struct check *c, const json_t *operand, const char *path)
{
    const char *name;
    json_t *value;
    if (!json_is_object(operand) || json_object_size(operand) == 0)
        problem_add(c->problems, path, "must be an object of attributes and texts");
    json_object_foreach ((json_t *)operand, name, value) {
        autofree char *place = problem_path(path, name);
        if (!cloudevent_name_valid(name))
            problem_add(c->problems, place, "there can be no attribute of this name");
        if (!json_is_string(value) || json_string_length(value) == 0)
            problem_add(c->problems, place, "must be a text");
    }
}

static void check_data(struct check *c, const json_t *operand, const char *path)
{
    const char *pointer;
    json_t *value;
    if (!json_is_object(operand) || json_object_size(operand) == 0)
        problem_add(c->problems, path, "must be an object of JSON Pointers and values");
    json_object_foreach ((json_t *)operand, pointer, value) {
        autofree char *place = problem_path(path, pointer);
        pointer_check(pointer, place, c->problems);
    }
}

static void check_filters(struct check *c, const json_t *operand, const char *path)
{
    if (!json_is_array(operand) || json_array_size(operand) == 0)
        problem_add(c->problems, path, "must be an array of filters, with at least one");
    for (size_t i = 0; i < json_array_size(operand); i++) {
        autofree char *place = xasprintf("%s/%zu", path, i);
        filter_check(c, json_array_get(operand, i), place);
    }
}

static void check_filter(struct check *c, const json_t *operand, const char *path)
{
    filter_check(c, operand, path);
}

static const struct dialect {
    const char *name;
    void (*check)(struct check *c, const json_t *operand, const char *path);
    bool (*match)(const json_t *operand, const json_t *event);
} dialects[] = {
    {"exact", check_attributes, match_exact},   {"prefix", check_attributes, match_prefix},
    {"suffix", check_attributes, match_suffix}, {"data", check_data, match_data},
    {"all", check_filters, match_all},          {"any", check_filters, match_any},
    {"not", check_filter, match_not},
};

static const struct dialect *dialect_find(const char *name)
{
    for (size_t i = 0; i < countof(dialects); i++)
        if (strcmp(dialects[i].name, name) == 0)
            return &dialects[i];
    return NULL;
}

static void dialect_unknown(struct check *c, const char *name, const char *place)
{
    const char *names[countof(dialects)];
    for (size_t i = 0; i < countof(dialects); i++)
        names[i] = dialects[i].name;
    autofree char *hint = problem_hint(name, names, countof(names));
    problem_add(c->problems, place, "a filter has exact, prefix, suffix, data, all, any and not%s",
                hint);
}

static void filter_check(struct check *c, const json_t *filter, const char *path)
{
    const char *name;
    json_t *operand;
    if (!json_is_object(filter) || json_object_size(filter) == 0) {
        problem_add(c->problems, path, "a filter must be an object, with at least one member");
        return;
    }
    if (++c->depth > DEPTH_MAX) {
        problem_add(c->problems, path, "filters are nested more than %d deep", DEPTH_MAX);
        c->depth--;
        return;
    }
    json_object_foreach ((json_t *)filter, name, operand) {
        const struct dialect *dialect = dialect_find(name);
        autofree char *place = problem_path(path, name);
        if (++c->members > MEMBERS_MAX) {
            problem_add(c->problems, place, "there are more than %d conditions", MEMBERS_MAX);
            break;
        }
        if (dialect == NULL)
            dialect_unknown(c, name, place);
        else
            dialect->check(c, operand, place);
    }
    c->depth--;
}

static bool filter_matches(const json_t *filter, const json_t *event)
{
    const char *name;
    json_t *operand;
    json_object_foreach ((json_t *)filter, name, operand) {
        const struct dialect *dialect = dialect_find(name);
        if (dialect == NULL || !dialect->match(operand, event))
            return false;
    }
    return true;
}

/* ---- triggerConfig.events ---- */

static void check_type(struct check *c, const json_t *value, const char *path)
{
    pattern_check(value, '.', path, c->problems);
}

static void check_source(struct check *c, const json_t *value, const char *path)
{
    pattern_check(value, '/', path, c->problems);
}

static void check_input(struct check *c, const json_t *value, const char *path)
{
    pointer_check(json_string_value(value), path, c->problems);
}

static const struct {
    const char *name;
    bool required;
    void (*check)(struct check *c, const json_t *value, const char *path);
} members[] = {
    {"type", true, check_type},
    {"source", false, check_source},
    {"filter", false, check_filter},
    {"input", false, check_input},
};

static void entry_check(struct check *c, const json_t *entry, const char *path)
{
    const char *names[countof(members)];
    if (!json_is_object(entry)) {
        problem_add(c->problems, path, "must be an object");
        return;
    }
    for (size_t i = 0; i < countof(members); i++) {
        names[i] = members[i].name;
        const json_t *value = json_object_get(entry, members[i].name);
        autofree char *place = problem_path(path, members[i].name);
        if (value != NULL)
            members[i].check(c, value, place);
        else if (members[i].required)
            problem_add(c->problems, place, "is required");
    }
    problem_unknown_members(c->problems, path, entry, names, countof(names));
}

void event_trigger_check(const json_t *trigger_config, const char *path, json_t *problems)
{
    const json_t *events = json_object_get(trigger_config, "events");
    autofree char *place = problem_path(path, "events");
    problem_unknown_members(problems, path, trigger_config, (const char *const[]){"events"}, 1);
    size_t n = json_array_size(events);
    if (n < 1 || n > EVENTS_MAX)
        problem_add(problems, place,
                    "must be an array of 1 to %d objects {type, source, filter, input}",
                    EVENTS_MAX);
    for (size_t i = 0; i < n && i < EVENTS_MAX; i++) {
        struct check c = {.problems = problems};
        autofree char *at = xasprintf("%s/%zu", place, i);
        entry_check(&c, json_array_get(events, i), at);
    }
}

static bool entry_matches(const json_t *entry, const json_t *event)
{
    const char *source = jx_str(entry, "source", NULL);
    const json_t *filter = json_object_get(entry, "filter");
    return event_pattern_matches(jx_str(entry, "type", ""), jx_str(event, "type", ""), '.') &&
           (source == NULL || event_pattern_matches(source, jx_str(event, "source", ""), '/')) &&
           (filter == NULL || filter_matches(filter, event));
}

json_t *event_trigger_match(const json_t *events, const json_t *event)
{
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *entry = json_array_get(events, i);
        if (!entry_matches(entry, event))
            continue;
        const json_t *part = jx_pointer_get(event, jx_str(entry, "input", ""));
        return part != NULL ? json_incref((json_t *)part) : json_null();
    }
    return NULL;
}
