/* c9ctl login, status, version. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "client/command.h"
#include "client/term.h"

enum { PROBE_SECONDS = 15 };

/* 0 with the status, or the exit code after having said why not. */
static int probe(struct client *client, const char *path, struct http_reply *reply)
{
    error_auto err = ERROR_INIT;
    const struct http_request request = {.method = "GET", .path = path, .timeout_s = PROBE_SECONDS};
    return http_send(client->http, &request, NULL, reply, &err) < 0 ? client_fail(client, &err)
                                                                    : EXIT_DONE;
}

/* Whether c9d is there and takes the token. A token without the scope to list agents is one too. */
static int check_token(struct client *client)
{
    http_reply_auto reply = {0};
    int rc = probe(client, "/v1/agents?limit=1", &reply);
    if (rc != EXIT_DONE || reply.status == 403)
        return rc;
    return client_reply(client, &reply, NULL);
}

static bool profile_name_valid(const char *name)
{
    for (const char *p = name; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && (p == name || strchr("_-.", *p) == NULL))
            return false;
    return *name != '\0' && strlen(name) <= 40;
}

int command_login(struct client *client, const struct args *args)
{
    error_auto err = ERROR_INIT;
    const char *url = args_at(args, 0), *name = args_get(args, "--profile");
    const char *file = args_get(args, "--token-file");
    struct profile *p = &client->profile;
    name = name != NULL ? name : "default";
    url = url != NULL               ? url
          : args_has(args, "--url") ? args_get(args, "--url")
                                    : PROFILE_URL_DEFAULT;
    autofree char *path = profile_path();
    if (!profile_name_valid(name) || profile_url_check(url, &err) < 0 || path == NULL) {
        term_say("%s", err.code != E_NONE ? err.message
                       : path == NULL     ? "HOME is not set: where to write the profile?"
                                          : "--profile takes a name of letters, digits, '_', '-' "
                                            "and '.', at most 40");
        return EXIT_USAGE;
    }
    p->url = xstrdup(url);
    for (size_t len = strlen(p->url); len > 0 && p->url[len - 1] == '/';)
        p->url[--len] = '\0';
    p->url_origin = "the argument";
    p->token = profile_token_read(file != NULL ? file : "-", &err);
    p->token_origin = file != NULL ? file : "standard input";
    if (p->token == NULL)
        return client_fail(client, &err);
    client->http = http_new(p);
    int rc = check_token(client);
    if (rc != EXIT_DONE)
        return rc;
    if (profile_save(path, name, p->url, p->token, &err) < 0)
        return client_fail(client, &err);
    term_say("%s takes the token; profile '%s' is written to %s", p->url, name, path);
    return EXIT_DONE;
}

/* ---- status ---- */

static void set_answer(json_t *all, const char *member, const struct http_reply *reply)
{
    json_error_t where;
    jx_auto *json = json_loadb(reply->body.len > 0 ? reply->body.data : "", reply->body.len,
                               JSON_REJECT_DUPLICATES, &where);
    const char *status = jx_str(json, "status", reply->status == 200 ? "?" : "unavailable");
    json_object_set_new(all, member, json_string(status));
}

static int status_show(struct client *client, const json_t *all)
{
    buf_auto text = BUF_INIT;
    if (client->json)
        return client_print_json(all);
    format_object(&text, all);
    return client_print(&text);
}

int command_status(struct client *client, const struct args *args)
{
    static const struct {
        const char *member, *path;
    } probes[] = {{"health", "/healthz"}, {"readiness", "/readyz"}};
    jx_auto *all = json_object();
    bool well = true;
    int rc = client_open(client, args);
    if (rc != EXIT_DONE)
        return rc;
    json_object_set_new(all, "url", json_string(client->profile.url));
    for (size_t i = 0; i < countof(probes); i++) {
        http_reply_auto reply = {0};
        rc = probe(client, probes[i].path, &reply);
        /* Alive or not is always answered in full; anything else is not c9d. */
        if (rc == EXIT_DONE && i == 0)
            rc = client_reply(client, &reply, NULL);
        if (rc != EXIT_DONE)
            return rc;
        set_answer(all, probes[i].member, &reply);
        well = well && reply.status == 200;
    }
    if (client->profile.token == NULL) {
        json_object_set_new(all, "token", json_string("none"));
    } else {
        http_reply_auto reply = {0};
        rc = probe(client, "/v1/agents?limit=1", &reply);
        if (rc != EXIT_DONE)
            return rc;
        well = well && reply.status != 401;
        json_object_set_new(all, "token",
                            json_string(reply.status == 401 ? "refused" : "accepted"));
    }
    rc = status_show(client, all);
    return rc != EXIT_DONE ? rc : well ? EXIT_DONE : EXIT_UNREACHABLE;
}

int command_version(struct client *client, const struct args *args)
{
    (void)args;
    buf_auto text = BUF_INIT;
    buf_append_str(&text,
                   client->json ? "{\"version\":\"" C9_VERSION "\"}\n" : "c9ctl " C9_VERSION "\n");
    return client_print(&text);
}
