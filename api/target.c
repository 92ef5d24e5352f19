/* Paths and queries from the wire. */
#include "api/target.h"

#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"

/* Decodes percent escapes in place; plus: '+' is a blank. The new length, or -1. */
static ssize_t percent_decode(char *s, bool plus, const char *where, struct error *err)
{
    char *to = s;
    for (const char *from = s; *from != '\0'; from++, to++) {
        *to = plus && *from == '+' ? ' ' : *from;
        if (*from != '%')
            continue;
        int high = hash_hex_value(from[1]), low = high < 0 ? -1 : hash_hex_value(from[2]);
        if (low < 0)
            return error_set(err, E_INVALID_REQUEST,
                             "%s has a %% that is not followed by two hexadecimal digits", where);
        if (high == 0 && low == 0)
            return error_set(err, E_INVALID_REQUEST, "%s has an encoded NUL (%%00)", where);
        *to = (char)(high << 4 | low);
        from += 2;
    }
    *to = '\0';
    if (!utf8_valid(s, (size_t)(to - s)))
        return error_set(err, E_INVALID_REQUEST, "%s is not UTF-8 once decoded", where);
    return to - s;
}

static int segment_decode(char *segment, struct error *err)
{
    ssize_t len = percent_decode(segment, false, "the path", err);
    if (len < 0)
        return -1;
    for (const char *p = segment; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return error_set(err, E_INVALID_REQUEST, "the path has a control character");
        if (*p == '/' || *p == '\\')
            return error_set(err, E_INVALID_REQUEST,
                             "the path has an encoded slash, or a backslash");
    }
    if (strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
        return error_set(err, E_INVALID_REQUEST, "the path has a '.' or '..' segment");
    if (len == 0)
        return error_set(err, E_INVALID_REQUEST, "the path has an empty segment (a '/' too many)");
    return 0;
}

/* The path of an absolute-form target, which servers must take too (RFC 9112 §3.2.2). */
static char *absolute_path(char *text, struct error *err)
{
    size_t scheme = strncasecmp(text, "http://", 7) == 0    ? 7
                    : strncasecmp(text, "https://", 8) == 0 ? 8
                                                            : 0;
    char *path = scheme > 0 ? strchr(text + scheme, '/') : NULL;
    if (path == NULL)
        error_set(err, E_INVALID_REQUEST, "the request target must begin with '/'");
    return path;
}

int target_parse(char *text, struct target *target_r, struct error *err)
{
    *target_r = (struct target){0};
    if (strcmp(text, "*") == 0)
        return 0;
    if (text[0] != '/' && (text = absolute_path(text, err)) == NULL)
        return -1;
    char *query = strchr(text, '?');
    if (query != NULL) {
        *query = '\0';
        target_r->query = query + 1;
    }
    for (char *segment = text + 1; segment != NULL && text[1] != '\0';) {
        char *next = strchr(segment, '/');
        if (next != NULL)
            *next++ = '\0';
        if (target_r->n_segments == SEGMENTS_MAX)
            return error_set(err, E_NOT_FOUND, "there is nothing at this path");
        if (segment_decode(segment, err) < 0)
            return -1;
        target_r->segments[target_r->n_segments++] = segment;
        segment = next;
    }
    return 0;
}

static int query_add(json_t *query, char *name, struct error *err)
{
    char *value = strchr(name, '=');
    if (value != NULL)
        *value++ = '\0';
    if (percent_decode(name, true, "the name of a query parameter", err) < 0 ||
        (value != NULL && percent_decode(value, true, "the value of a query parameter", err) < 0))
        return error_wrap(err, "query");
    if (json_object_get(query, name) != NULL)
        return error_set(err, E_INVALID_REQUEST, "query parameter %s is given twice", name);
    json_object_set_new(query, name, json_string(value != NULL ? value : ""));
    return 0;
}

json_t *target_query(char *query, struct error *err)
{
    jx_auto *object = json_object();
    for (char *part = query, *next; part != NULL; part = next) {
        next = strchr(part, '&');
        if (next != NULL)
            *next++ = '\0';
        if (*part != '\0' && query_add(object, part, err) < 0)
            return NULL;
    }
    return move_ptr(&object);
}
