/* Where two JSON values part. */
#include <string.h>

#include "base/json.h"

enum { SHOWN_MAX = 200 /* bytes of a value in a message or a difference */ };

/* A value as it is, or the beginning of its text when it is long. */
static json_t *shown(const json_t *value)
{
    size_t len;
    autofree char *text = jx_encode_sorted(value, &len);
    if (len <= SHOWN_MAX)
        return json_deep_copy(value);
    autofree char *cut = xasprintf("%.*s…", SHOWN_MAX, text);
    return jx_text(cut, strlen(cut));
}

static char *shown_text(const json_t *value)
{
    if (value == NULL)
        return xstrdup("nothing");
    jx_auto *short_value = shown(value);
    return jx_encode_sorted(short_value, NULL);
}

static json_t *difference_at(const char *path, const json_t *expected, const json_t *got)
{
    autofree char *a = shown_text(expected), *b = shown_text(got);
    json_t *message =
        json_sprintf("%s: expected %s, got %s", path[0] != '\0' ? path : "the value", a, b);
    json_t *difference = json_pack("{s:s, s:o}", "path", path, "message",
                                   message != NULL ? message : json_string("the values differ"));
    if (expected != NULL)
        json_object_set_new(difference, "expected", shown(expected));
    if (got != NULL)
        json_object_set_new(difference, "got", shown(got));
    return difference;
}

static json_t *find(struct buf *path, const json_t *expected, const json_t *got);

static json_t *find_below(struct buf *path, const char *key, const json_t *expected,
                          const json_t *got)
{
    size_t len = path->len;
    jx_pointer_append(path, key, strlen(key));
    json_t *found = find(path, expected, got);
    path->len = len;
    return found;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *find_in_objects(struct buf *path, const json_t *expected, const json_t *got)
{
    size_t n = 0, most = json_object_size(expected) + json_object_size(got);
    autofree const char **keys = xcalloc(most + 1, sizeof(*keys));
    const char *key;
    json_t *value, *found = NULL;
    json_object_foreach ((json_t *)expected, key, value)
        keys[n++] = key;
    json_object_foreach ((json_t *)got, key, value)
        if (json_object_get(expected, key) == NULL)
            keys[n++] = key;
    qsort(keys, n, sizeof(*keys), by_name);
    for (size_t i = 0; i < n && found == NULL; i++)
        found = find_below(path, keys[i], json_object_get(expected, keys[i]),
                           json_object_get(got, keys[i]));
    return found;
}

static json_t *find_in_arrays(struct buf *path, const json_t *expected, const json_t *got)
{
    size_t a = json_array_size(expected), b = json_array_size(got);
    json_t *found = NULL;
    for (size_t i = 0; i < (a > b ? a : b) && found == NULL; i++) {
        char index[24];
        snprintf(index, sizeof(index), "%zu", i);
        found = find_below(path, index, json_array_get(expected, i), json_array_get(got, i));
    }
    return found;
}

static json_t *find(struct buf *path, const json_t *expected, const json_t *got)
{
    if (jx_equal(expected, got))
        return NULL;
    if (json_is_object(expected) && json_is_object(got))
        return find_in_objects(path, expected, got);
    if (json_is_array(expected) && json_is_array(got))
        return find_in_arrays(path, expected, got);
    autofree char *text = xstrndup(path->data != NULL ? path->data : "", path->len);
    return difference_at(text, expected, got);
}

json_t *jx_difference(const json_t *expected, const json_t *got)
{
    buf_auto path = BUF_INIT;
    return find(&path, expected, got);
}
