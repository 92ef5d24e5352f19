/* Plain routes: what a row says, done. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "client/command.h"
#include "client/term.h"

enum { PAGE = 200, LIMIT_DEFAULT = 1000, BODY_MAX = 16 << 20, PATH_WORD_MAX = 32 };

/* ---- values ---- */

static int time_parse(const char *text, bool ahead, char out[CLOCK_RFC3339_SIZE], struct error *err)
{
    int64_t us;
    if (clock_parse_rfc3339(text, strlen(text), &us) < 0) {
        if (clock_parse_duration(text, &us) < 0)
            return error_set(
                err, E_INVALID_REQUEST,
                "'%s' is no time: give one such as 2026-01-31T12:00:00Z, or a duration "
                "such as 30d, 2h or 5m",
                text);
        us = ahead ? clock_wall_us() + us : clock_wall_us() - us;
    }
    clock_format_rfc3339(us, out);
    return 0;
}

static json_t *number_value(const struct from *from, const char *text, struct error *err)
{
    int64_t number;
    size_t digits = strspn(text, "0123456789");
    if (from->kind == FROM_COUNT && digits > 0 && digits <= 18 && text[digits] == '\0')
        return json_integer(strtoll(text, NULL, 10));
    if (from->kind != FROM_COUNT && clock_parse_duration(text, &number) == 0)
        return json_integer(number / (from->kind == FROM_SECONDS ? CLOCK_SECOND : 1000));
    error_set(err, E_INVALID_REQUEST, "%s takes %s; not '%s'",
              from->option != NULL ? from->option : from->name,
              from->kind == FROM_COUNT ? "a number" : "a duration such as 30s, 5m or 2h", text);
    return NULL;
}

static json_t *list_value(const struct args *args, const char *option)
{
    json_t *list = json_array();
    const char *text;
    for (size_t i = 0; (text = args_nth(args, option, i)) != NULL; i++) {
        for (size_t n; *text != '\0'; text += n + (text[n] == ',')) {
            n = strcspn(text, ",");
            if (n > 0)
                json_array_append_new(list, jx_text(text, n));
        }
    }
    return list;
}

static json_t *file_value(const char *path, bool whole, struct error *err)
{
    buf_auto text = BUF_INIT;
    if (client_read_file(path, BODY_MAX, &text, err) < 0)
        return NULL;
    if (whole)
        return jx_decode(text.data, text.len, path, err);
    json_t *value = json_stringn(text.data, text.len);
    if (value == NULL)
        error_set(err, E_INVALID_REQUEST, "%s: not UTF-8 text", path);
    return value;
}

/* So that secrets stay out of argv. */
static json_t *line_value(const char *path, struct error *err)
{
    jx_auto *text = file_value(path, false, err);
    const char *s = json_string_value(text);
    return s != NULL ? json_stringn(s, strcspn(s, "\r\n")) : NULL;
}

static json_t *boolean_value(const struct from *from, const char *text, struct error *err)
{
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(text[0] == 't');
    error_set(err, E_INVALID_REQUEST, "%s takes true or false; not '%s'", from->option, text);
    return NULL;
}

static const char *given(const struct args *args, const struct from *from)
{
    return from->option != NULL ? args_get(args, from->option) : args_at(args, 0);
}

static json_t *body_value(const struct args *args, const struct from *from, struct error *err)
{
    char time[CLOCK_RFC3339_SIZE];
    const char *text = given(args, from);
    switch (from->kind) {
    case FROM_LIST:
        return list_value(args, from->option);
    case FROM_TIME:
        return time_parse(text, true, time, err) == 0 ? json_string(time) : NULL;
    case FROM_COUNT:
    case FROM_DURATION:
    case FROM_SECONDS:
        return number_value(from, text, err);
    case FROM_FLAG:
        return json_true();
    case FROM_BOOLEAN:
        return boolean_value(from, text, err);
    case FROM_LINE:
        return line_value(text, err);
    case FROM_FILE:
    case FROM_JSON:
    case FROM_WHOLE:
        return file_value(text, from->kind != FROM_FILE, err);
    case FROM_JSON_TEXT:
        return jx_decode(text, strlen(text), from->option, err);
    case FROM_TEXT:
        break;
    }
    json_t *value = json_string(text);
    if (value == NULL)
        error_set(err, E_INVALID_REQUEST, "%s: not UTF-8 text", from->name);
    return value;
}

/* The body, or NULL with err; an object when no member was given. */
static json_t *body_make(const struct args *args, const struct from *from, struct error *err)
{
    jx_auto *body = json_object();
    for (; from->name != NULL; from++) {
        if (given(args, from) == NULL)
            continue;
        json_t *value = body_value(args, from, err);
        if (value == NULL)
            return NULL;
        if (from->kind == FROM_WHOLE) {
            json_decref(body);
            body = value;
        } else if (!json_is_object(body)) {
            json_decref(value);
            error_set(err, E_INVALID_REQUEST, "the file must hold a JSON object");
            return NULL;
        } else {
            json_object_set_new(body, from->name, value);
        }
    }
    return move_ptr(&body);
}

/* ---- path and query ---- */

static int append_argument(struct client *client, const struct args *args, const char *kind,
                           const char *ref, struct buf *path)
{
    int rc;
    autofree char *id = client_resolve(client, args, kind, ref, &rc);
    if (id != NULL)
        http_encode(path, id);
    return rc;
}

/* Names in the body become ids. */
static int body_resolve(struct client *client, const struct args *args, const struct from *from,
                        json_t *body)
{
    for (; from != NULL && from->name != NULL; from++) {
        const char *ref = from->resolve != NULL ? jx_str(body, from->name, NULL) : NULL;
        if (ref == NULL)
            continue;
        int rc;
        autofree char *id = client_resolve(client, args, from->resolve, ref, &rc);
        if (id == NULL)
            return rc;
        json_object_set_new(body, from->name, json_string(id));
    }
    return EXIT_DONE;
}

static int append_path(struct client *client, const struct args *args, const char *template,
                       struct buf *path)
{
    size_t next = 0;
    buf_reserve(path, strlen(template) + 1);
    for (const char *p = template; *p != '\0';) {
        size_t n = strcspn(p, "{");
        buf_append(path, p, n);
        p += n;
        if (*p == '\0')
            break;
        char kind[PATH_WORD_MAX] = "";
        n = strcspn(p, "}");
        memcpy(kind, p + 1, n - 1 < sizeof(kind) ? n - 1 : sizeof(kind) - 1);
        int rc = append_argument(client, args, kind, args_at(args, next++), path);
        if (rc != EXIT_DONE)
            return rc;
        p += n + 1;
    }
    return EXIT_DONE;
}

static int append_query(struct client *client, const struct args *args, const struct from *from,
                        struct buf *path)
{
    error_auto err = ERROR_INIT;
    for (; from != NULL && from->name != NULL; from++) {
        char time[CLOCK_RFC3339_SIZE];
        const char *text = given(args, from);
        if (text == NULL)
            continue;
        if (from->kind == FROM_TIME) {
            if (time_parse(text, false, time, &err) < 0) {
                client_fail(client, &err);
                return EXIT_USAGE;
            }
            text = time;
        }
        if (from->kind == FROM_FLAG)
            text = "true";
        buf_printf(path, "%c%s=", strchr(path->data, '?') == NULL ? '?' : '&', from->name);
        int rc =
            append_argument(client, args, from->resolve != NULL ? from->resolve : "", text, path);
        if (rc != EXIT_DONE)
            return rc;
    }
    return EXIT_DONE;
}

/* ---- lists ---- */

bool route_limit(const struct args *args, size_t otherwise, size_t *limit_r)
{
    const char *text = args_get(args, "--limit");
    *limit_r = otherwise;
    if (text == NULL)
        return true;
    size_t n = strspn(text, "0123456789");
    if (n > 0 && n < 10 && text[n] == '\0') {
        *limit_r = strtoul(text, NULL, 10);
        return true;
    }
    term_say("--limit is a number of items, 0 for all; not '%s'", text);
    return false;
}

static size_t page_size(size_t limit, size_t have)
{
    return limit == 0 || limit - have > PAGE ? PAGE : limit - have;
}

int route_pages(struct client *client, const struct args *args, const char *path, size_t limit,
                json_t **merged_r)
{
    jx_auto *items = json_array();
    autofree char *cursor = NULL;
    do {
        buf_auto next = BUF_INIT;
        jx_auto *page = NULL;
        buf_printf(&next, "%s%climit=%zu", path, strchr(path, '?') == NULL ? '?' : '&',
                   page_size(limit, json_array_size(items)));
        if (cursor != NULL) {
            buf_append_str(&next, "&cursor=");
            http_encode(&next, cursor);
        }
        int rc = client_get(client, args, next.data, &page);
        if (rc != EXIT_DONE)
            return rc;
        json_t *more = json_object_get(page, "items");
        free(cursor);
        cursor = NULL;
        const char *following = jx_str(page, "nextCursor", NULL);
        /* An empty page that promises more would go on for ever. */
        if (following != NULL && json_array_size(more) > 0)
            cursor = xstrdup(following);
        json_array_extend(items, more);
    } while (cursor != NULL && (limit == 0 || json_array_size(items) < limit));
    *merged_r = json_pack("{sOss?}", "items", items, "nextCursor", cursor);
    if (*merged_r == NULL)
        return EXIT_FAILED;
    if (cursor == NULL)
        json_object_set_new(*merged_r, "nextCursor", json_null());
    return EXIT_DONE;
}

static int list_run(struct client *client, const struct args *args, const struct route *route,
                    const char *path)
{
    size_t limit;
    jx_auto *merged = NULL;
    if (!route_limit(args, LIMIT_DEFAULT, &limit))
        return EXIT_USAGE;
    int rc = route->whole ? client_get(client, args, path, &merged)
                          : route_pages(client, args, path, limit, &merged);
    if (rc != EXIT_DONE)
        return rc;
    if (client->json)
        return client_print_json(merged);
    const json_t *items = json_object_get(merged, "items");
    buf_auto text = BUF_INIT;
    if (json_array_size(items) == 0)
        term_say("there are none");
    else
        format_table(&text, route->columns, route->n_columns, items, term_columns(STDOUT_FILENO));
    if (jx_str(merged, "nextCursor", NULL) != NULL)
        term_say("there are more than these %zu; --limit N shows more of them, --limit 0 all",
                 json_array_size(items));
    return client_print(&text);
}

/* ---- one object ---- */

static int object_show(const struct route *route, const json_t *json)
{
    jx_auto *some = route->members != NULL ? json_object() : NULL;
    for (const char *p = route->members; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, " ");
        autofree char *name = xstrndup(p, n);
        json_t *value = json_object_get(json, name);
        if (value != NULL)
            json_object_set(some, name, value);
        p += n + (p[n] == ' ');
    }
    buf_auto text = BUF_INIT;
    format_object(&text, some != NULL ? some : json);
    return client_print(&text);
}

static int answer_show(struct client *client, const struct args *args, const struct route *route,
                       const json_t *json)
{
    if (client->json)
        return json != NULL ? client_print_json(json) : EXIT_DONE;
    if (route->done != NULL && json == NULL) {
        term_say("%s %s", args_at(args, route->what), route->done);
        return EXIT_DONE;
    }
    return json != NULL ? object_show(route, json) : EXIT_DONE;
}

int route_run(struct client *client, const struct args *args, const struct route *route)
{
    error_auto err = ERROR_INIT;
    buf_auto path = BUF_INIT;
    jx_auto *body = NULL, *json = NULL;
    if (route->body != NULL) {
        body = body_make(args, route->body, &err);
        if (body == NULL) {
            client_fail(client, &err);
            return EXIT_USAGE;
        }
    }
    if (route->ask != NULL && !client_confirm(args, route->ask, args_at(args, route->what)))
        return EXIT_FAILED;
    int rc = append_path(client, args, route->path, &path);
    if (rc == EXIT_DONE)
        rc = body_resolve(client, args, route->body, body);
    if (rc == EXIT_DONE)
        rc = append_query(client, args, route->query, &path);
    if (rc != EXIT_DONE)
        return rc;
    if (route->columns != NULL)
        return list_run(client, args, route, path.data);
    size_t len = 0;
    autofree char *text = body != NULL ? jx_encode(body, &len) : NULL;
    bool patch = strcmp(route->method, "PATCH") == 0;
    rc = client_call(client, args,
                     &(struct http_request){
                         .method = route->method,
                         .path = path.data,
                         .type = body == NULL ? NULL
                                 : patch      ? "application/merge-patch+json"
                                              : "application/json",
                         .body = text,
                         .len = len,
                     },
                     &json);
    if (rc != EXIT_DONE)
        return rc;
    return route->show != NULL ? route->show(client, json) : answer_show(client, args, route, json);
}
