/* c9ctl apply: a folder's skills, personas, agents and chains on the server. First all files are
 * read and compared, then what differs is shown, then it is done in the order in which things need
 * each other: skills, personas, agents, versions, chains. */
#include <string.h>

#include "base/diff.h"
#include "base/json.h"
#include "client/changes.h"
#include "client/command.h"
#include "client/folder.h"
#include "client/term.h"

struct apply {
    struct client *client;
    const struct args *args;
    struct folder folder;
    json_t *personas; /* the server's, by their names; those made here are added */
    json_t *steps;    /* what is to be done: {"kind","name","change", …} */
    struct buf text;  /* the same for people */
};

static void apply_free(struct apply *a)
{
    folder_free(&a->folder);
    json_decref(a->personas);
    json_decref(a->steps);
    buf_free(&a->text);
}

/* ---- asking ---- */

static int refuse(const struct apply *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static int refuse(const struct apply *a, const char *fmt, ...)
{
    error_auto err = ERROR_INIT;
    va_list ap;
    char *text = NULL;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    error_set(&err, E_VERSION_CONFLICT, "%s", text);
    free(text);
    client_fail(a->client, &err);
    return EXIT_FAILED;
}

/* The first item of a list that has this name; NULL when there is none. */
static int find(const struct apply *a, const char *list, const char *name, json_t **item_r)
{
    buf_auto path = BUF_INIT;
    jx_auto *page = NULL;
    buf_printf(&path, "%s?limit=1&name=", list);
    http_encode(&path, name);
    int rc = client_get(a->client, a->args, path.data, &page);
    *item_r =
        rc == EXIT_DONE ? json_incref(json_array_get(json_object_get(page, "items"), 0)) : NULL;
    return rc;
}

static int find_by_id(const json_t *list, const char *id, const char **name_r)
{
    size_t i;
    json_t *item;
    *name_r = NULL;
    json_array_foreach (list, i, item)
        if (strcmp(jx_str(item, "id", ""), id) == 0)
            *name_r = jx_str(item, "name", NULL);
    return *name_r != NULL;
}

/* ---- the plan ---- */

static json_t *step_add(struct apply *a, const char *kind, const json_t *entry, const char *change)
{
    json_t *step = json_pack("{s:s, s:O, s:s, s:O}", "kind", kind, "name",
                             json_object_get(entry, "name"), "change", change, "entry", entry);
    json_array_append_new(a->steps, step);
    bool new = strcmp(change, "create") == 0;
    buf_printf(&a->text, "%s%s%s %s ", term_style(STDOUT_FILENO, new ? TERM_GREEN : TERM_YELLOW),
               new ? "+" : "~", term_style(STDOUT_FILENO, TERM_PLAIN), kind);
    format_text(&a->text, json_object_get(entry, "name"));
    buf_append_char(&a->text, '\n');
    return step;
}

static void lines_add(struct apply *a, const char *what, const char *from, const char *to)
{
    buf_auto diff = BUF_INIT;
    autofree char *server = xasprintf("%s on the server", what);
    diff_unified(&diff, server, what, from, strlen(from), to, strlen(to));
    if (diff.len > 0)
        changes_lines(&a->text, diff.data, diff.len);
}

static int plan_skill(struct apply *a, const json_t *entry)
{
    const char *name = jx_str(entry, "name", "");
    jx_auto *item = NULL, *whole = NULL;
    int rc = find(a, "/v1/skills", name, &item);
    if (rc != EXIT_DONE)
        return rc;
    if (item == NULL) {
        step_add(a, "skill", entry, "create");
        return EXIT_DONE;
    }
    if (strcmp(jx_str(item, "sha256", ""), jx_str(entry, "sha256", "")) == 0)
        return EXIT_DONE;
    buf_auto path = BUF_INIT;
    buf_append_str(&path, "/v1/skills/");
    http_encode(&path, name);
    rc = client_get(a->client, a->args, path.data, &whole);
    if (rc != EXIT_DONE)
        return rc;
    json_object_set(step_add(a, "skill", entry, "update"), "sha256",
                    json_object_get(item, "sha256"));
    lines_add(a, jx_str(entry, "file", name), jx_str(whole, "source", ""),
              jx_str(entry, "source", ""));
    return EXIT_DONE;
}

static int plan_persona(struct apply *a, const json_t *entry)
{
    const json_t *there = folder_find(a->personas, jx_str(entry, "name", ""));
    if (there == NULL) {
        step_add(a, "persona", entry, "create");
        return EXIT_DONE;
    }
    const char *from = jx_str(there, "prompt", ""), *to = jx_str(entry, "prompt", "");
    bool described =
        strcmp(jx_str(there, "description", ""), jx_str(entry, "description", "")) == 0;
    if (described && strcmp(from, to) == 0)
        return EXIT_DONE;
    json_t *step = step_add(a, "persona", entry, "update");
    json_object_set(step, "id", json_object_get(there, "id"));
    json_object_set(step, "revision", json_object_get(there, "revision"));
    if (!described)
        buf_append_str(&a->text, "  ~ /description\n");
    lines_add(a, jx_str(entry, "file", ""), from, to);
    return EXIT_DONE;
}

/* The server's agent as a file has it: by the persona's name. */
static json_t *config_of(const struct apply *a, const json_t *agent)
{
    const char *persona;
    json_t *config = folder_config(agent);
    const char *id = jx_str(agent, "personaId", NULL);
    if (id != NULL && find_by_id(a->personas, id, &persona))
        json_object_set_new(config, "persona", json_string(persona));
    return config;
}

static int persona_require(const struct apply *a, const json_t *entry)
{
    const char *name = jx_str(json_object_get(entry, "config"), "persona", NULL);
    if (name == NULL || folder_find(a->folder.personas, name) != NULL ||
        folder_find(a->personas, name) != NULL)
        return EXIT_DONE;
    return refuse(a, "%s: there is no persona '%s', neither in the folder nor on the server",
                  jx_str(entry, "file", ""), name);
}

static int plan_agent(struct apply *a, const json_t *entry, json_t **there_r)
{
    int rc = persona_require(a, entry);
    if (rc == EXIT_DONE)
        rc = find(a, "/v1/agents", jx_str(entry, "name", ""), there_r);
    if (rc != EXIT_DONE)
        return rc;
    if (*there_r == NULL) {
        step_add(a, "agent", entry, "create");
        return EXIT_DONE;
    }
    jx_auto *before = config_of(a, *there_r);
    jx_auto *patch = diff_json(before, json_object_get(entry, "config"));
    if (json_array_size(patch) == 0)
        return EXIT_DONE;
    json_t *step = step_add(a, "agent", entry, "update");
    json_object_set(step, "id", json_object_get(*there_r, "id"));
    json_object_set(step, "revision", json_object_get(*there_r, "revision"));
    json_object_set(step, "patch", patch);
    changes_patch(&a->text, patch);
    return EXIT_DONE;
}

/* ---- versions ---- */

static int versions_of(const struct apply *a, const char *id, json_t **list_r)
{
    autofree char *path = xasprintf("/v1/agents/%s/versions", id);
    jx_auto *merged = NULL;
    int rc = route_pages(a->client, a->args, path, 0, &merged);
    if (rc == EXIT_DONE)
        *list_r = json_incref(json_object_get(merged, "items"));
    return rc;
}

/* The digest that a skill has once all is done: the file's, or the server's. */
static int skill_digest(const struct apply *a, const char *name, json_t **digest_r)
{
    const json_t *entry = folder_find(a->folder.skills, name);
    jx_auto *item = NULL;
    int rc = EXIT_DONE;
    if (entry == NULL)
        rc = find(a, "/v1/skills", name, &item);
    *digest_r = json_incref(json_object_get(entry != NULL ? entry : item, "sha256"));
    return rc;
}

static const char *prompt_of(const struct apply *a, const json_t *config)
{
    const char *name = jx_str(config, "persona", NULL);
    if (name == NULL)
        return "";
    const json_t *entry = folder_find(a->folder.personas, name);
    return jx_str(entry != NULL ? entry : folder_find(a->personas, name), "prompt", "");
}

/* What of a published version is not as the files have it; "" when all is. */
static int version_differs(const struct apply *a, const json_t *version, const json_t *entry,
                           struct buf *what)
{
    const json_t *pins = json_object_get(version, "pins");
    jx_auto *before = folder_config(json_object_get(version, "config"));
    jx_auto *after = json_copy(json_object_get(entry, "config"));
    const char *prompt = jx_str(json_object_get(pins, "persona"), "prompt", "");
    buf_append_str(what, strcmp(prompt, prompt_of(a, after)) != 0 ? " the persona;" : "");
    json_object_del(before, "persona");
    json_object_del(after, "persona");
    jx_auto *patch = diff_json(before, after);
    for (size_t i = 0; i < json_array_size(patch); i++)
        buf_printf(what, " %s;", jx_str(json_array_get(patch, i), "path", ""));
    const json_t *skills = json_object_get(after, "skillset");
    for (size_t i = 0; i < json_array_size(skills); i++) {
        const char *name = json_string_value(json_array_get(skills, i));
        jx_auto *digest = NULL;
        if (name == NULL)
            continue;
        int rc = skill_digest(a, name, &digest);
        if (rc != EXIT_DONE)
            return rc;
        const json_t *pin = folder_find(json_object_get(pins, "skills"), name);
        if (pin != NULL && !jx_equal(json_object_get(pin, "sha256"), digest))
            buf_printf(what, " the skill %s;", name);
    }
    return EXIT_DONE;
}

static int version_check(const struct apply *a, const json_t *version, const json_t *entry)
{
    const char *file = jx_str(entry, "file", ""), *text = jx_str(entry, "version", "");
    const char *status = jx_str(version, "status", "");
    buf_auto what = BUF_INIT;
    if (strcmp(status, "published") != 0 && strcmp(status, "deprecated") != 0)
        return refuse(a, "%s: version %s is there already and is %s: give another in /version",
                      file, text, status);
    int rc = version_differs(a, version, entry, &what);
    if (rc != EXIT_DONE || what.len == 0)
        return rc;
    what.data[what.len - 1] = '\0';
    return refuse(a,
                  "%s: version %s is published and differs from the files:%s. A published version "
                  "does not change: give a higher one in /version",
                  file, text, what.data);
}

static int plan_version(struct apply *a, const json_t *entry, const json_t *there)
{
    const char *text = jx_str(entry, "version", NULL);
    jx_auto *versions = NULL;
    size_t i;
    json_t *version;
    if (text == NULL)
        return EXIT_DONE;
    int rc = there != NULL ? versions_of(a, jx_str(there, "id", ""), &versions) : EXIT_DONE;
    if (rc != EXIT_DONE)
        return rc;
    json_array_foreach (versions, i, version)
        if (strcmp(jx_str(version, "version", ""), text) == 0)
            return version_check(a, version, entry);
    json_object_set(step_add(a, "version", entry, "create"), "version",
                    json_object_get(entry, "version"));
    a->text.len--; /* behind the name, on its line */
    buf_append_str(&a->text, " ");
    format_text(&a->text, json_object_get(entry, "version"));
    buf_append_str(&a->text, " is published\n");
    return EXIT_DONE;
}

/* ---- chains ---- */

static int plan_chain(struct apply *a, json_t *entry);

/* The chains of the folder that its steps execute come before it. */
static int plan_chains_of(struct apply *a, const json_t *entry)
{
    size_t i;
    json_t *step;
    const json_t *config = json_object_get(json_object_get(entry, "body"), "chainConfig");
    json_array_foreach (json_object_get(config, "steps"), i, step) {
        json_t *other = folder_find(a->folder.chains, jx_str(step, "agentId", ""));
        int rc = other != NULL ? plan_chain(a, other) : EXIT_DONE;
        if (rc != EXIT_DONE)
            return rc;
    }
    return EXIT_DONE;
}

static int plan_chain(struct apply *a, json_t *entry)
{
    jx_auto *there = NULL;
    if (jx_bool(entry, "planned", false))
        return EXIT_DONE;
    json_object_set_new(entry, "planned", json_true());
    int rc = plan_chains_of(a, entry);
    if (rc == EXIT_DONE)
        rc = find(a, "/v1/chains", jx_str(entry, "name", ""), &there);
    if (rc != EXIT_DONE)
        return rc;
    if (there == NULL) {
        step_add(a, "chain", entry, "create");
        return EXIT_DONE;
    }
    jx_auto *before = folder_chain(there);
    jx_auto *patch = diff_json(before, json_object_get(entry, "body"));
    if (json_array_size(patch) == 0)
        return EXIT_DONE;
    json_t *step = step_add(a, "chain", entry, "update");
    json_object_set(step, "there", there);
    json_object_set(step, "patch", patch);
    changes_patch(&a->text, patch);
    return EXIT_DONE;
}

static int plan_all(struct apply *a)
{
    size_t i;
    json_t *entry;
    int rc = EXIT_DONE;
    json_array_foreach (a->folder.skills, i, entry)
        if ((rc = plan_skill(a, entry)) != EXIT_DONE)
            return rc;
    json_array_foreach (a->folder.personas, i, entry)
        if ((rc = plan_persona(a, entry)) != EXIT_DONE)
            return rc;
    jx_auto *there = json_array();
    json_array_foreach (a->folder.agents, i, entry) {
        json_t *agent = NULL;
        rc = plan_agent(a, entry, &agent);
        json_array_append_new(there, agent != NULL ? agent : json_null());
        if (rc != EXIT_DONE)
            return rc;
    }
    json_array_foreach (a->folder.agents, i, entry) {
        const json_t *agent = json_array_get(there, i);
        rc = plan_version(a, entry, json_is_object(agent) ? agent : NULL);
        if (rc != EXIT_DONE)
            return rc;
    }
    json_array_foreach (a->folder.chains, i, entry)
        if ((rc = plan_chain(a, entry)) != EXIT_DONE)
            return rc;
    return EXIT_DONE;
}

/* ---- doing it ---- */

static int send(const struct apply *a, const char *method, const char *path, const json_t *body,
                const json_t *revision, json_t **json_r)
{
    size_t len;
    autofree char *text = jx_encode(body, &len);
    autofree char *match =
        revision != NULL ? xasprintf("If-Match: \"%lld\"", (long long)json_integer_value(revision))
                         : NULL;
    return client_call(a->client, a->args,
                       &(struct http_request){.method = method,
                                              .path = path,
                                              .type = strcmp(method, "PATCH") == 0
                                                          ? "application/merge-patch+json"
                                                          : "application/json",
                                              .body = text,
                                              .len = len,
                                              .headers = {match}},
                       json_r);
}

static int do_skill(struct apply *a, const json_t *step)
{
    const json_t *entry = json_object_get(step, "entry"),
                 *source = json_object_get(entry, "source");
    const char *there = jx_str(step, "sha256", NULL);
    autofree char *match = there != NULL ? xasprintf("If-Match: \"%s\"", there) : NULL;
    jx_auto *skill = NULL;
    int rc = client_call(a->client, a->args,
                         &(struct http_request){.method = "POST",
                                                .path = "/v1/skills",
                                                .type = "text/x-lua",
                                                .body = json_string_value(source),
                                                .len = json_string_length(source),
                                                .headers = {match},
                                                .timeout_s = 120},
                         &skill);
    const char *name = jx_str(skill, "name", ""), *file = jx_str(entry, "file", "");
    if (rc == EXIT_DONE && strcmp(name, jx_str(entry, "name", "")) != 0)
        return refuse(a,
                      "%s: the skill in it is called '%s', and was uploaded by this name: rename "
                      "the file, or the skill",
                      file, name);
    return rc;
}

static int do_persona(struct apply *a, const json_t *step)
{
    const json_t *entry = json_object_get(step, "entry"), *id = json_object_get(step, "id");
    const json_t *description = json_object_get(entry, "description");
    jx_auto *body = json_pack("{s:O, s:O}", "name", json_object_get(entry, "name"), "prompt",
                              json_object_get(entry, "prompt"));
    if (description != NULL || id != NULL)
        json_object_set_new(body, "description",
                            description != NULL ? json_incref((json_t *)description) : json_null());
    autofree char *path =
        id != NULL ? xasprintf("/v1/personas/%s", json_string_value(id)) : xstrdup("/v1/personas");
    json_t *persona = NULL;
    int rc = send(a, id != NULL ? "PATCH" : "POST", path, body, json_object_get(step, "revision"),
                  &persona);
    if (rc == EXIT_DONE && id == NULL)
        json_array_append(a->personas, persona);
    json_decref(persona);
    return rc;
}

static int do_agent(struct apply *a, const json_t *step)
{
    const json_t *entry = json_object_get(step, "entry"), *id = json_object_get(step, "id");
    jx_auto *body = json_copy(json_object_get(entry, "config")), *agent = NULL;
    const char *persona = jx_str(body, "persona", NULL);
    if (persona != NULL)
        json_object_set(body, "personaId",
                        json_object_get(folder_find(a->personas, persona), "id"));
    json_object_del(body, "persona");
    autofree char *path =
        id != NULL ? xasprintf("/v1/agents/%s", json_string_value(id)) : xstrdup("/v1/agents");
    return send(a, id != NULL ? "PUT" : "POST", path, body, json_object_get(step, "revision"),
                &agent);
}

static int do_version(struct apply *a, const json_t *step)
{
    const json_t *entry = json_object_get(step, "entry"),
                 *changelog = json_object_get(entry, "changelog");
    jx_auto *agent = NULL, *made = NULL, *published = NULL, *nothing = json_object();
    jx_auto *body = json_pack("{s:O, s:O*}", "version", json_object_get(entry, "version"),
                              "changelog", changelog);
    int rc = find(a, "/v1/agents", jx_str(entry, "name", ""), &agent);
    if (rc != EXIT_DONE)
        return rc;
    buf_auto path = BUF_INIT;
    buf_printf(&path, "/v1/agents/%s/versions", jx_str(agent, "id", ""));
    rc = send(a, "POST", path.data, body, NULL, &made);
    buf_append_char(&path, '/');
    http_encode(&path, jx_str(made, "version", ""));
    buf_append_str(&path, "/publish");
    return rc == EXIT_DONE ? send(a, "POST", path.data, nothing, NULL, &published) : rc;
}

/* As a merge patch that makes the server's the file's: what the file does not have is taken away.
 */
static json_t *patch_to(const json_t *from, const json_t *to)
{
    const char *key;
    json_t *value;
    if (!json_is_object(from) || !json_is_object(to))
        return json_incref((json_t *)to);
    json_t *patch = json_object();
    json_object_foreach ((json_t *)from, key, value)
        if (json_object_get(to, key) == NULL)
            json_object_set_new(patch, key, json_null());
    json_object_foreach ((json_t *)to, key, value)
        if (!json_equal(json_object_get(from, key), value))
            json_object_set_new(patch, key, patch_to(json_object_get(from, key), value));
    return patch;
}

static int do_chain(struct apply *a, const json_t *step)
{
    const json_t *body = json_object_get(json_object_get(step, "entry"), "body"),
                 *there = json_object_get(step, "there");
    jx_auto *chain = NULL;
    if (there == NULL)
        return send(a, "POST", "/v1/chains", body, NULL, &chain);
    jx_auto *before = folder_chain(there);
    jx_auto *patch = patch_to(before, body);
    autofree char *path = xasprintf("/v1/chains/%s", jx_str(there, "id", ""));
    return send(a, "PATCH", path, patch, json_object_get(there, "revision"), &chain);
}

static int do_all(struct apply *a)
{
    static const struct {
        const char *kind;
        int (*fn)(struct apply *a, const json_t *step);
    } doers[] = {
        {"skill", do_skill},     {"persona", do_persona}, {"agent", do_agent},
        {"version", do_version}, {"chain", do_chain},
    };
    size_t i, done = 0, n = json_array_size(a->steps);
    json_t *step;
    json_array_foreach (a->steps, i, step) {
        for (size_t k = 0; k < countof(doers); k++) {
            if (strcmp(doers[k].kind, jx_str(step, "kind", "")) != 0)
                continue;
            int rc = doers[k].fn(a, step);
            if (rc != EXIT_DONE) {
                term_say("%s: %s %s failed; %zu of %zu changes are done",
                         jx_str(json_object_get(step, "entry"), "file", ""),
                         jx_str(step, "kind", ""), jx_str(step, "name", ""), done, n);
                return rc;
            }
            done++;
        }
    }
    if (!a->client->json)
        term_say("%zu change%s done", n, n == 1 ? " is" : "s are");
    return EXIT_DONE;
}

/* ---- the command ---- */

static int report(const struct apply *a, bool applied)
{
    size_t i;
    json_t *step;
    jx_auto *changes = json_array();
    if (!a->client->json)
        return EXIT_DONE;
    json_array_foreach (a->steps, i, step) {
        json_t *brief = json_copy(step);
        json_object_del(brief, "entry");
        json_object_del(brief, "revision");
        json_object_del(brief, "there");
        json_array_append_new(changes, brief);
    }
    jx_auto *all = json_pack("{s:O, s:b}", "changes", changes, "applied", applied);
    return client_print_json(all);
}

static int apply_run(struct apply *a)
{
    jx_auto *merged = NULL;
    bool dry = args_has(a->args, "--dry-run");
    int rc = route_pages(a->client, a->args, "/v1/personas", 0, &merged);
    if (rc != EXIT_DONE)
        return rc;
    a->personas = json_incref(json_object_get(merged, "items"));
    rc = plan_all(a);
    if (rc != EXIT_DONE)
        return rc;
    size_t n = json_array_size(a->steps);
    if (n == 0) {
        if (!a->client->json)
            term_say("nothing to change: the server is as the files are");
        return report(a, !dry);
    }
    if (!a->client->json && (rc = client_print(&a->text)) != EXIT_DONE)
        return rc;
    if (dry) {
        rc = report(a, false);
        return rc != EXIT_DONE ? rc : EXIT_DIFFERS;
    }
    if (!client_confirm(a->args, "change this on the server", a->client->profile.url))
        return EXIT_FAILED;
    rc = do_all(a);
    return rc != EXIT_DONE ? rc : report(a, true);
}

int command_apply(struct client *client, const struct args *args)
{
    error_auto err = ERROR_INIT;
    cleanup(apply_free) struct apply a = {.client = client, .args = args};
    if (folder_read(args_get(args, "-f"), &a.folder, &err) < 0) {
        client_fail(client, &err);
        return EXIT_USAGE;
    }
    a.steps = json_array();
    int rc = client_open(client, args);
    return rc != EXIT_DONE ? rc : apply_run(&a);
}
