/* c9ctl agent publish, agent diff, alias set. */
#include <string.h>

#include "base/json.h"
#include "client/changes.h"
#include "client/command.h"
#include "client/term.h"

/* Sends a JSON body to /v1/agents/ID + rest; json_r as client_call has it. */
static int agent_send(struct client *client, const struct args *args, const char *method,
                      const char *id, const char *rest, const json_t *body, json_t **json_r)
{
    buf_auto path = BUF_INIT;
    size_t len;
    autofree char *text = jx_encode(body, &len);
    buf_append_str(&path, "/v1/agents/");
    http_encode(&path, id);
    buf_append_str(&path, rest);
    return client_call(client, args,
                       &(struct http_request){.method = method,
                                              .path = path.data,
                                              .type = "application/json",
                                              .body = text,
                                              .len = len},
                       json_r);
}

/* ---- publish ---- */

static void text_set(json_t *body, const char *key, const char *text)
{
    if (text != NULL)
        json_object_set_new(body, key, jx_text(text, strlen(text)));
}

static int published_show(struct client *client, const json_t *version)
{
    if (client->json)
        return client_print_json(version);
    static const char *const members[] = {"agentId",   "version", "isCurrent",   "publishedAt",
                                          "changelog", "pins",    "capabilities"};
    jx_auto *some = json_object();
    for (size_t i = 0; i < countof(members); i++)
        if (json_object_get(version, members[i]) != NULL)
            json_object_set(some, members[i], json_object_get(version, members[i]));
    buf_auto text = BUF_INIT;
    format_object(&text, some);
    return client_print(&text);
}

int command_agent_publish(struct client *client, const struct args *args)
{
    int rc;
    autofree char *id = client_resolve(client, args, "agent", args_at(args, 0), &rc);
    jx_auto *body = json_object(), *made = NULL, *published = NULL, *nothing = json_object();
    if (id == NULL)
        return rc;
    text_set(body, "version", args_get(args, "--version"));
    text_set(body, "changelog", args_get(args, "--changelog"));
    rc = agent_send(client, args, "POST", id, "/versions", body, &made);
    if (rc != EXIT_DONE)
        return rc;
    const char *version = jx_str(made, "version", "");
    buf_auto rest = BUF_INIT;
    buf_append_str(&rest, "/versions/");
    http_encode(&rest, version);
    buf_append_str(&rest, "/publish");
    rc = agent_send(client, args, "POST", id, rest.data, nothing, &published);
    if (rc != EXIT_DONE) {
        term_say("version %s was made, but not published", version);
        return rc;
    }
    return published_show(client, published);
}

/* ---- diff ---- */

static void text_append(struct buf *out, const json_t *object, const char *key)
{
    format_text(out, json_object_get(object, key));
}

static void entry_append(struct buf *out, const char *what, const json_t *entry)
{
    const json_t *diff = json_object_get(entry, "diff");
    buf_append_str(out, what);
    if (json_object_get(entry, "name") != NULL) {
        buf_append_char(out, ' ');
        text_append(out, entry, "name");
    }
    buf_append_str(out, ": ");
    text_append(out, entry, "change");
    buf_append_str(out, jx_bool(entry, "truncated", false) ? " (too much to be shown)\n" : "\n");
    if (json_is_string(diff))
        changes_lines(out, json_string_value(diff), json_string_length(diff));
}

static void capabilities_append(struct buf *out, const json_t *diff)
{
    static const char *const ways[] = {"gained", "lost"};
    const json_t *capabilities = json_object_get(diff, "capabilities");
    for (size_t i = 0; i < countof(ways); i++) {
        const json_t *list = json_object_get(capabilities, ways[i]);
        if (json_array_size(list) == 0)
            continue;
        buf_printf(out, "capabilities %s: ", ways[i]);
        format_list(out, list);
        buf_append_char(out, '\n');
    }
}

static int diff_show(const json_t *diff)
{
    buf_auto text = BUF_INIT;
    const json_t *persona = json_object_get(diff, "persona"),
                 *skills = json_object_get(diff, "skills"), *patch = json_object_get(diff, "patch"),
                 *compatibility = json_object_get(diff, "compatibility");
    if (strcmp(jx_str(diff, "suggestedBump", ""), "none") == 0) {
        term_say("%s and %s are the same", jx_str(diff, "from", "?"), jx_str(diff, "to", "?"));
        return EXIT_DONE;
    }
    text_append(&text, diff, "from");
    buf_append_str(&text, " → ");
    text_append(&text, diff, "to");
    buf_append_char(&text, '\n');
    changes_patch(&text, patch);
    if (json_is_object(persona))
        entry_append(&text, "persona", persona);
    for (size_t i = 0; i < json_array_size(skills); i++)
        entry_append(&text, "skill", json_array_get(skills, i));
    capabilities_append(&text, diff);
    changes_schema(&text, "input", json_object_get(compatibility, "input"));
    changes_schema(&text, "output", json_object_get(compatibility, "output"));
    buf_append_str(&text, "next version: ");
    text_append(&text, diff, "suggestedVersion");
    buf_append_str(&text, " (");
    text_append(&text, diff, "suggestedBump");
    buf_append_str(&text, ")\n");
    return client_print(&text);
}

int command_agent_diff(struct client *client, const struct args *args)
{
    static const char *const names[] = {"from", "to"};
    int rc;
    autofree char *id = client_resolve(client, args, "agent", args_at(args, 0), &rc);
    jx_auto *diff = NULL;
    buf_auto path = BUF_INIT;
    if (id == NULL)
        return rc;
    buf_append_str(&path, "/v1/agents/");
    http_encode(&path, id);
    buf_append_str(&path, "/compare");
    for (size_t i = 0; i < countof(names) && args_at(args, i + 1) != NULL; i++) {
        buf_printf(&path, "%c%s=", i == 0 ? '?' : '&', names[i]);
        http_encode(&path, args_at(args, i + 1));
    }
    rc = client_get(client, args, path.data, &diff);
    if (rc != EXIT_DONE)
        return rc;
    return client->json ? client_print_json(diff) : diff_show(diff);
}

/* ---- alias set ---- */

/* "1.4.0=90"; false after having said what is wrong with it. */
static bool target_read(const char *text, json_t *targets)
{
    const char *mark = strchr(text, '=');
    size_t n = mark != NULL ? strspn(mark + 1, "0123456789") : 0;
    if (mark != NULL && (n == 0 || n > 3 || mark[1 + n] != '\0')) {
        term_say("'%s' is no target: give VERSION, or VERSION=PERCENT such as 1.4.0=90", text);
        return false;
    }
    json_t *target = json_object();
    json_object_set_new(target, "version",
                        jx_text(text, mark != NULL ? (size_t)(mark - text) : strlen(text)));
    if (mark != NULL)
        json_object_set_new(target, "weight", json_integer(strtoll(mark + 1, NULL, 10)));
    json_array_append_new(targets, target);
    return true;
}

int command_alias_set(struct client *client, const struct args *args)
{
    int rc;
    jx_auto *body = json_object(), *alias = NULL;
    json_t *targets = json_array();
    json_object_set_new(body, "targets", targets);
    for (size_t i = 2; i < args->n; i++)
        if (!target_read(args_at(args, i), targets))
            return EXIT_USAGE;
    autofree char *id = client_resolve(client, args, "agent", args_at(args, 0), &rc);
    if (id == NULL)
        return rc;
    buf_auto rest = BUF_INIT, text = BUF_INIT;
    buf_append_str(&rest, "/aliases/");
    http_encode(&rest, args_at(args, 1));
    rc = agent_send(client, args, "PUT", id, rest.data, body, &alias);
    if (rc != EXIT_DONE)
        return rc;
    if (client->json)
        return client_print_json(alias);
    format_object(&text, alias);
    return client_print(&text);
}
