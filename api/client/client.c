#include "client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/json.h"
#include "base/nearest.h"
#include "base/uuid.h"
#include "client/format.h"
#include "client/term.h"

enum { CALL_SECONDS = 120 };

void client_free(struct client *client)
{
    http_free(client->http);
    profile_free(&client->profile);
}

/* ---- problems ---- */

static void say_place(struct buf *out, const json_t *problem)
{
    const char *path = jx_str(problem, "path", ""), *parameter = jx_str(problem, "parameter", NULL);
    buf_append_str(out, "  ");
    if (parameter != NULL && *path == '\0')
        buf_printf(out, "%s: ", parameter);
    else
        buf_printf(out, "%s: ", *path != '\0' ? path : "(the whole)");
    buf_append_str(out, jx_str(problem, "message", "is not valid"));
    buf_append_char(out, '\n');
}

/* Any error, from here or from the server, in one shape. */
static void say_problem(const char *code, const char *message, const json_t *details,
                        const char *request_id)
{
    buf_auto text = BUF_INIT;
    size_t i;
    json_t *item;
    buf_printf(&text, "%s%s%s\n", code != NULL ? code : "", code != NULL ? ": " : "", message);
    const json_t *places = json_object_get(details, "validationErrors");
    bool said = json_array_size(places) == 1 &&
                strstr(message, jx_str(json_array_get(places, 0), "message", "?")) != NULL;
    json_array_foreach (places, i, item)
        if (!said)
            say_place(&text, item);
    json_array_foreach (json_object_get(details, "suggestedActions"), i, item)
        buf_printf(&text, "  %s\n", json_is_string(item) ? json_string_value(item) : "");
    if (request_id != NULL && *request_id != '\0')
        buf_printf(&text, "  request %s\n", request_id);
    text.data[text.len - 1] = '\0';
    term_say("%s", text.data);
}

static int exit_of(const char *code)
{
    static const struct {
        const char *code;
        int exit;
    } rows[] = {
        {"ServiceUnavailable", EXIT_UNREACHABLE},
        {"AuthenticationRequired", EXIT_UNREACHABLE},
        {"AgentAccessDenied", EXIT_UNREACHABLE},
        {"ConfigInvalid", EXIT_UNREACHABLE},
    };
    for (size_t i = 0; i < countof(rows); i++)
        if (strcmp(rows[i].code, code) == 0)
            return rows[i].exit;
    return EXIT_FAILED;
}

int client_fail(const struct client *client, const struct error *err)
{
    const char *code = error_row(err->code)->name;
    if (client->json) {
        jx_auto *envelope = json_pack("{so}", "error", error_to_json(err));
        autofree char *text = jx_encode(envelope, NULL);
        fprintf(stderr, "%s\n", text);
    } else {
        say_problem(NULL, err->message, err->details, NULL);
    }
    return exit_of(code);
}

static int fail_unauthenticated(const struct client *client)
{
    const struct profile *p = &client->profile;
    if (p->token == NULL)
        term_say(
            "c9d at %s wants a token, and there is none.\n  `c9ctl login %s --token-file FILE` "
            "stores one; C9CTL_TOKEN or --token-file give one for once.\n  The first token is "
            "made by `c9d init`, more by `c9ctl token create`.",
            p->url, p->url);
    else
        term_say("c9d at %s refuses the token (from %s): it is not known there, expired or "
                 "revoked.\n  `c9ctl login %s --token-file FILE` stores another.",
                 p->url, p->token_origin, p->url);
    return EXIT_UNREACHABLE;
}

static int fail_stranger(const struct client *client, const struct http_reply *reply,
                         const char *what)
{
    const struct profile *p = &client->profile;
    term_say("what answers at %s (from %s) is not c9d: it said %ld %s %s\n  Check the address: "
             "--url, C9CTL_URL, or the profile's url. c9d's own is in its log when it starts.",
             p->url, p->url_origin, reply->status, reply->type, what);
    return EXIT_UNREACHABLE;
}

/* The server's envelope, or something else that came in its place. */
static int fail_reply(const struct client *client, const struct http_reply *reply,
                      const json_t *json)
{
    const json_t *error = json_object_get(json, "error");
    const char *code = jx_str(error, "code", NULL);
    if (code == NULL)
        return fail_stranger(client, reply, "without c9d's error envelope");
    if (client->json) {
        autofree char *text = jx_encode(json, NULL);
        fprintf(stderr, "%s\n", text);
    } else if (reply->status == 401) {
        return fail_unauthenticated(client);
    } else {
        say_problem(code, jx_str(error, "message", ""), json_object_get(error, "details"),
                    jx_str(error, "requestId", NULL));
        if (reply->retry_after[0] != '\0')
            term_say("it may be tried again after %s s", reply->retry_after);
    }
    return exit_of(code);
}

/* ---- requests ---- */

int client_open(struct client *client, const struct args *args)
{
    error_auto err = ERROR_INIT;
    if (client->http != NULL)
        return EXIT_DONE;
    if (profile_resolve(args, &client->profile, &err) < 0) {
        int code = client_fail(client, &err);
        return err.code == E_INVALID_REQUEST ? EXIT_USAGE : code;
    }
    client->http = http_new(&client->profile);
    return EXIT_DONE;
}

int client_reply(struct client *client, const struct http_reply *reply, json_t **json_r)
{
    jx_auto *json = NULL;
    if (reply->body.len > 0) {
        if (strncasecmp(reply->type, "application/json", 16) != 0)
            return fail_stranger(client, reply, "instead of JSON");
        json_error_t where;
        json = json_loadb(reply->body.data, reply->body.len,
                          JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &where);
        if (json == NULL)
            return fail_stranger(client, reply, "that cannot be read");
    }
    if (reply->status < 200 || reply->status > 299)
        return fail_reply(client, reply, json);
    if (json_r != NULL)
        *json_r = move_ptr(&json);
    return EXIT_DONE;
}

int client_call(struct client *client, const struct args *args, const struct http_request *request,
                json_t **json_r)
{
    error_auto err = ERROR_INIT;
    http_reply_auto reply = {0};
    struct http_request timed = *request;
    int rc = client_open(client, args);
    if (rc != EXIT_DONE)
        return rc;
    timed.timeout_s = timed.timeout_s != 0 ? timed.timeout_s : CALL_SECONDS;
    if (http_send(client->http, &timed, NULL, &reply, &err) < 0)
        return client_fail(client, &err);
    return client_reply(client, &reply, json_r);
}

int client_get(struct client *client, const struct args *args, const char *path, json_t **json_r)
{
    return client_call(client, args, &(struct http_request){.method = "GET", .path = path}, json_r);
}

/* ---- output ---- */

int client_print(const struct buf *text)
{
    if (text->len == 0 || term_write(STDOUT_FILENO, text->data, text->len) == 0)
        return EXIT_DONE;
    term_say("cannot write to standard output: %s", strerror(errno));
    return EXIT_FAILED;
}

int client_print_json(const json_t *value)
{
    buf_auto text = BUF_INIT;
    if (term_is_tty(STDOUT_FILENO)) {
        format_json(&text, value);
    } else {
        jx_append(&text, value);
        buf_append_char(&text, '\n');
    }
    return client_print(&text);
}

/* ---- names ---- */

static const struct resolver {
    const char *kind, *list;
    bool by_name;     /* the list takes ?name= */
    const char *also; /* the kind that is meant when none of this one has the name; or NULL */
} resolvers[] = {
    {"agent", "/v1/agents", true, "chain"}, /* is executed as one */
    {"chain", "/v1/chains", true, NULL},    {"persona", "/v1/personas", true, NULL},
    {"hook", "/v1/hooks", true, NULL},      {"schedule", "/v1/schedules", true, NULL},
    {"token", "/v1/tokens", false, NULL},   {"user", "/v1/users", true, NULL},
    {"team", "/v1/teams", true, NULL},      {"org", "/v1/organizations", false, NULL},
};

struct found {
    const char *ref;
    char *id;         /* of the first match */
    size_t n;         /* matches */
    char *names[100]; /* others, for the nearest */
    size_t n_names;
};

static void found_free(struct found *found)
{
    free(found->id);
    while (found->n_names > 0)
        free(found->names[--found->n_names]);
}

static void found_take(struct found *found, const json_t *page)
{
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(page, "items"), i, item) {
        const char *name = jx_str(item, "name", ""), *id = jx_str(item, "id", "");
        if (strcmp(name, found->ref) == 0 && uuid_valid(id, strlen(id))) {
            found->n++;
            if (found->id == NULL)
                found->id = xstrdup(id);
        } else if (found->n_names < countof(found->names)) {
            found->names[found->n_names++] = xstrdup(name);
        }
    }
}

/* Looks through the list, all pages when it has no filter. */
static int found_search(struct client *client, const struct args *args, const struct resolver *r,
                        bool by_name, struct found *found)
{
    jx_auto *page = NULL;
    buf_auto path = BUF_INIT;
    do {
        const char *next = jx_str(page, "nextCursor", NULL);
        buf_reset(&path);
        buf_printf(&path, "%s?limit=200", r->list);
        if (by_name) {
            buf_append_str(&path, "&name=");
            http_encode(&path, found->ref);
        }
        if (next != NULL) {
            buf_append_str(&path, "&cursor=");
            http_encode(&path, next);
        }
        json_decref(page);
        page = NULL;
        int rc = client_get(client, args, path.data, &page);
        if (rc != EXIT_DONE)
            return rc;
        found_take(found, page);
    } while (!by_name && !r->by_name && jx_str(page, "nextCursor", NULL) != NULL);
    return EXIT_DONE;
}

static int found_missing(struct client *client, const struct args *args, const struct resolver *r,
                         struct found *found)
{
    if (r->by_name && found_search(client, args, r, false, found) != EXIT_DONE)
        return EXIT_UNREACHABLE;
    const char *near = nearest_name(found->ref, (const char *const *)found->names, found->n_names);
    term_say("there is no %s '%s'%s%s%s\n  `c9ctl %s list` shows those you can see.", r->kind,
             found->ref, near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
             near != NULL ? "'?" : "", r->kind);
    return EXIT_FAILED;
}

static const struct resolver *resolver_of(const char *kind)
{
    for (size_t i = 0; kind != NULL && i < countof(resolvers); i++)
        if (strcmp(resolvers[i].kind, kind) == 0)
            return &resolvers[i];
    return NULL;
}

char *client_resolve(struct client *client, const struct args *args, const char *kind,
                     const char *ref, int *exit_r)
{
    const struct resolver *r = resolver_of(kind);
    *exit_r = EXIT_DONE;
    if (r == NULL || uuid_valid(ref, strlen(ref)))
        return xstrdup(ref);
    cleanup(found_free) struct found found = {.ref = ref};
    *exit_r = found_search(client, args, r, r->by_name, &found);
    const struct resolver *also = resolver_of(r->also);
    if (*exit_r == EXIT_DONE && found.n == 0 && also != NULL)
        *exit_r = found_search(client, args, also, also->by_name, &found);
    if (*exit_r != EXIT_DONE)
        return NULL;
    if (found.n == 1)
        return move_ptr(&found.id);
    if (found.n == 0) {
        *exit_r = found_missing(client, args, r, &found);
    } else {
        term_say("%zu %ss have the name '%s': give the id; `c9ctl %s list` shows it", found.n, kind,
                 ref, kind);
        *exit_r = EXIT_FAILED;
    }
    return NULL;
}

/* ---- asking and reading ---- */

bool client_confirm(const struct args *args, const char *question, const char *what)
{
    if (args_has(args, "--yes") || !term_is_tty(STDIN_FILENO) || !term_is_tty(STDERR_FILENO))
        return true;
    buf_auto text = BUF_INIT;
    buf_printf(&text, "%s ", question);
    term_escape(&text, what, strlen(what), TERM_CELL);
    buf_append_str(&text, "? [y/N] ");
    term_write(STDERR_FILENO, text.data, text.len);
    char answer[16] = "";
    bool yes =
        fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
    if (!yes)
        term_say("left as it was");
    return yes;
}

int client_read_file(const char *path, size_t max, struct buf *out, struct error *err)
{
    if (strcmp(path, "-") == 0)
        return file_read_fd(STDIN_FILENO, "standard input", max, E_INVALID_REQUEST, out, err);
    return file_read(path, max, E_INVALID_REQUEST, out, err);
}
