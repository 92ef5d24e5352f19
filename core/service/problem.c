#include "service/problem.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/nearest.h"

static void append(json_t *problems, const char *path, const char *message)
{
    if (json_array_size(problems) < PROBLEMS_MAX)
        json_array_append_new(problems, json_pack("{s:s, s:s}", "path", path, "message", message));
}

void problem_add(json_t *problems, const char *path, const char *fmt, ...)
{
    struct error text = ERROR_INIT; /* its message is cut at a character, not inside one */
    va_list ap;
    va_start(ap, fmt);
    char *message = NULL;
    if (vasprintf(&message, fmt, ap) < 0)
        abort();
    va_end(ap);
    error_set(&text, E_INVALID_REQUEST, "%s", message);
    free(message);
    append(problems, path, text.message);
}

char *problem_path(const char *path, const char *name)
{
    buf_auto out = BUF_INIT;
    buf_append_str(&out, path);
    jx_pointer_append(&out, name, strlen(name));
    return buf_steal(&out);
}

void problem_add_error(json_t *problems, const char *path, const struct error *err)
{
    const json_t *places = json_object_get(err->details, "validationErrors");
    if (json_array_size(places) == 0)
        append(problems, path, err->message);
    for (size_t i = 0; i < json_array_size(places); i++) {
        const json_t *place = json_array_get(places, i);
        const char *inner = json_string_value(json_object_get(place, "path"));
        const char *message = json_string_value(json_object_get(place, "message"));
        autofree char *whole = xasprintf("%s%s", path, inner != NULL ? inner : "");
        append(problems, whole, message != NULL ? message : err->message);
    }
}

char *problem_hint(const char *word, const char *const *candidates, size_t n)
{
    const char *near = nearest_name(word, candidates, n);
    return near != NULL ? xasprintf("; did you mean '%s'?", near) : xstrdup("");
}

void problem_unknown(json_t *problems, const char *path, const char *what, const char *word,
                     const char *const *candidates, size_t n)
{
    buf_auto text = BUF_INIT;
    autofree char *hint = problem_hint(word, candidates, n);
    buf_printf(&text, "there is no such %s%s", what, hint);
    for (size_t i = 0; i < n && hint[0] == '\0'; i++)
        buf_printf(&text, "%s%s",
                   i == 0      ? "; there is "
                   : i + 1 < n ? ", "
                               : " and ",
                   candidates[i]);
    problem_add(problems, path, "%s", text.data);
}

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

void problem_unknown_members(json_t *problems, const char *path, const json_t *object,
                             const char *const *names, size_t n)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)object, name, value) {
        if (is_one_of(name, names, n))
            continue;
        autofree char *place = problem_path(path, name);
        problem_unknown(problems, place, "member", name, names, n);
    }
}

int problem_raise(const json_t *problems, enum error_code code, const char *what, struct error *err)
{
    size_t n = json_array_size(problems);
    if (n == 0)
        return 0;
    const json_t *first = json_array_get(problems, 0);
    const char *path = json_string_value(json_object_get(first, "path"));
    char more[48] = "";
    if (n > 1)
        snprintf(more, sizeof(more), " (and %zu more)", n - 1);
    error_set(err, code, "%s: %s%s%s%s", what, path, path[0] != '\0' ? ": " : "",
              json_string_value(json_object_get(first, "message")), more);
    error_detail(err, "validationErrors", json_incref((json_t *)problems));
    return -1;
}
