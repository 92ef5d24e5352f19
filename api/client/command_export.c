/* c9ctl export: agents, and the skills and personas that they need, and chains, as a folder that
 * apply takes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "client/command.h"
#include "client/folder.h"
#include "client/term.h"

enum { PROMPT_INLINE_MAX = 80 }; /* a short prompt of one line stays in its JSON */

struct export
{
    struct client *client;
    const struct args *args;
    const char *dir;
    json_t *personas; /* the server's */
    json_t *skills;   /* names, to be written */
    json_t *wanted;   /* ids of personas, to be written */
    size_t written[4];
};

static void export_free(struct export *x)
{
    json_decref(x->personas);
    json_decref(x->skills);
    json_decref(x->wanted);
}

/* ---- files ---- */

static int fail(const struct export *x, const char *path)
{
    error_auto err = ERROR_INIT;
    error_errno(&err, E_INVALID_REQUEST, "%s", path);
    client_fail(x->client, &err);
    return EXIT_FAILED;
}

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    bool empty = true;
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        empty = empty && entry->d_name[0] == '.';
    if (dir != NULL)
        closedir(dir);
    return empty;
}

/* A file appears whole, or not at all. */
static int file_write(const struct export *x, const char *part, const char *file, const char *text,
                      size_t len)
{
    autofree char *path = xasprintf("%s/%s/%s", x->dir, part, file);
    autofree char *partial = xasprintf("%s/%s/.%s.partial", x->dir, part, file);
    autofd int fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return fail(x, partial);
    if (term_write(fd, text, len) < 0 || rename(partial, path) < 0) {
        int rc = fail(x, path);
        unlink(partial);
        return rc;
    }
    return EXIT_DONE;
}

static int json_write(const struct export *x, const char *part, const char *name,
                      const json_t *value)
{
    buf_auto text = BUF_INIT;
    autofree char *file = folder_file_name(name, ".json");
    format_json(&text, value);
    return file_write(x, part, file, text.data, text.len);
}

static int folders_make(const struct export *x)
{
    static const char *const parts[] = {"", "/skills", "/personas", "/agents", "/chains"};
    if (!args_has(x->args, "--force") && !is_empty(x->dir)) {
        term_say("%s is not empty: give another folder, or --force to write over what is there",
                 x->dir);
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < countof(parts); i++) {
        autofree char *path = xasprintf("%s%s", x->dir, parts[i]);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return fail(x, path);
    }
    return EXIT_DONE;
}

/* ---- what to write ---- */

static void want(json_t *list, const json_t *value)
{
    size_t i;
    json_t *there;
    json_array_foreach (list, i, there)
        if (json_equal(there, value))
            return;
    if (json_is_string(value))
        json_array_append(list, (json_t *)value);
}

static const json_t *persona_by_id(const struct export *x, const char *id)
{
    for (size_t i = 0; i < json_array_size(x->personas); i++)
        if (strcmp(jx_str(json_array_get(x->personas, i), "id", ""), id) == 0)
            return json_array_get(x->personas, i);
    return NULL;
}

/* Adds version and changelog when what the agent runs is what it is now: else a file with both
 * would ask for a version that differs from it. */
static int version_add(const struct export *x, const json_t *agent, json_t *config)
{
    jx_auto *diff = NULL, *version = NULL;
    const char *id = jx_str(agent, "id", ""), *name = jx_str(agent, "name", "");
    if (strcmp(jx_str(agent, "status", ""), "draft") == 0)
        return EXIT_DONE;
    autofree char *path = xasprintf("/v1/agents/%s/compare", id);
    int rc = client_get(x->client, x->args, path, &diff);
    if (rc != EXIT_DONE)
        return rc;
    if (strcmp(jx_str(diff, "suggestedBump", ""), "none") != 0) {
        term_say("agent %s was changed since version %s: it is written as it is now, without a "
                 "version to publish",
                 name, jx_str(diff, "from", ""));
        return EXIT_DONE;
    }
    buf_auto at = BUF_INIT;
    buf_printf(&at, "/v1/agents/%s/versions/", id);
    http_encode(&at, jx_str(diff, "from", ""));
    rc = client_get(x->client, x->args, at.data, &version);
    if (rc != EXIT_DONE)
        return rc;
    json_object_set(config, "version", json_object_get(diff, "from"));
    if (json_object_get(version, "changelog") != NULL)
        json_object_set(config, "changelog", json_object_get(version, "changelog"));
    return EXIT_DONE;
}

static int agent_write(struct export *x, const json_t *agent)
{
    jx_auto *config = folder_config(agent);
    const json_t *skills = json_object_get(config, "skillset"),
                 *id = json_object_get(agent, "personaId");
    for (size_t i = 0; i < json_array_size(skills); i++)
        want(x->skills, json_array_get(skills, i));
    if (json_is_string(id)) {
        want(x->wanted, id);
        json_object_set(config, "persona",
                        json_object_get(persona_by_id(x, json_string_value(id)), "name"));
    }
    int rc = version_add(x, agent, config);
    x->written[2]++;
    return rc == EXIT_DONE ? json_write(x, "agents", jx_str(agent, "name", ""), config) : rc;
}

static int skill_write(struct export *x, const char *name)
{
    buf_auto path = BUF_INIT;
    jx_auto *skill = NULL;
    buf_append_str(&path, "/v1/skills/");
    http_encode(&path, name);
    int rc = client_get(x->client, x->args, path.data, &skill);
    if (rc != EXIT_DONE)
        return rc;
    const json_t *source = json_object_get(skill, "source");
    autofree char *file = folder_file_name(name, ".lua");
    x->written[0]++;
    return file_write(x, "skills", file, json_is_string(source) ? json_string_value(source) : "",
                      json_string_length(source));
}

static int persona_write(struct export *x, const json_t *persona)
{
    const char *name = jx_str(persona, "name", "");
    const json_t *prompt = json_object_get(persona, "prompt");
    const char *text = json_is_string(prompt) ? json_string_value(prompt) : "";
    jx_auto *out = json_pack("{s:s, s:O*}", "name", name, "description",
                             json_object_get(persona, "description"));
    int rc = EXIT_DONE;
    if (json_string_length(prompt) <= PROMPT_INLINE_MAX && strchr(text, '\n') == NULL) {
        json_object_set_new(out, "prompt", json_string(text));
    } else {
        autofree char *file = folder_file_name(name, ".txt");
        json_object_set_new(out, "promptFile", json_string(file));
        rc = file_write(x, "personas", file, text, json_string_length(prompt));
    }
    x->written[1]++;
    return rc == EXIT_DONE ? json_write(x, "personas", name, out) : rc;
}

static const char *name_of(const json_t *items, const char *id)
{
    size_t i;
    json_t *item;
    json_array_foreach (items, i, item)
        if (strcmp(jx_str(item, "id", ""), id) == 0)
            return jx_str(item, "name", NULL);
    return NULL;
}

/* Its agents by name, as another server has other ids. Ids of what is not seen here stay. */
static int chain_write(struct export *x, const json_t *chain, const json_t *agents,
                       const json_t *chains)
{
    jx_auto *shown = folder_chain(chain);
    jx_auto *body = json_deep_copy(shown);
    size_t i;
    json_t *step;
    json_array_foreach (json_object_get(json_object_get(body, "chainConfig"), "steps"), i, step) {
        const char *id = jx_str(step, "agentId", "");
        const char *name = name_of(agents, id);
        if (name == NULL)
            name = name_of(chains, id);
        if (name != NULL)
            json_object_set_new(step, "agentId", json_string(name));
    }
    x->written[3]++;
    return json_write(x, "chains", jx_str(chain, "name", ""), body);
}

/* ---- the command ---- */

static int list_all(const struct export *x, const char *path, json_t **items_r)
{
    jx_auto *merged = NULL;
    int rc = route_pages(x->client, x->args, path, 0, &merged);
    if (rc == EXIT_DONE)
        *items_r = json_incref(json_object_get(merged, "items"));
    return rc;
}

/* The agents that were named, or all; then all skills, personas and chains too. */
static int agents_read(struct export *x, json_t **agents_r)
{
    size_t i;
    json_t *item;
    if (x->args->n == 1) {
        jx_auto *skills = NULL;
        int rc = list_all(x, "/v1/skills", &skills);
        json_array_foreach (skills, i, item)
            want(x->skills, json_object_get(item, "name"));
        json_array_foreach (x->personas, i, item)
            want(x->wanted, json_object_get(item, "id"));
        return rc == EXIT_DONE ? list_all(x, "/v1/agents?sort=name", agents_r) : rc;
    }
    *agents_r = json_array();
    for (i = 1; i < x->args->n; i++) {
        int rc;
        autofree char *id = client_resolve(x->client, x->args, "agent", args_at(x->args, i), &rc);
        autofree char *path = xasprintf("/v1/agents/%s", id != NULL ? id : "");
        json_t *agent = NULL;
        if (id == NULL || (rc = client_get(x->client, x->args, path, &agent)) != EXIT_DONE)
            return rc;
        json_array_append_new(*agents_r, agent);
    }
    return EXIT_DONE;
}

static int export_run(struct export *x)
{
    jx_auto *agents = NULL, *chains = NULL;
    size_t i;
    json_t *item;
    int rc = list_all(x, "/v1/personas", &x->personas);
    if (rc == EXIT_DONE)
        rc = agents_read(x, &agents);
    if (rc == EXIT_DONE && x->args->n == 1)
        rc = list_all(x, "/v1/chains?sort=name", &chains);
    if (rc == EXIT_DONE)
        rc = folders_make(x);
    if (rc != EXIT_DONE)
        return rc;
    json_array_foreach (agents, i, item)
        if ((rc = agent_write(x, item)) != EXIT_DONE)
            return rc;
    json_array_foreach (x->skills, i, item)
        if ((rc = skill_write(x, json_string_value(item))) != EXIT_DONE)
            return rc;
    json_array_foreach (x->wanted, i, item) {
        const json_t *persona = persona_by_id(x, json_string_value(item));
        if (persona != NULL && (rc = persona_write(x, persona)) != EXIT_DONE)
            return rc;
    }
    json_array_foreach (chains, i, item)
        if ((rc = chain_write(x, item, agents, chains)) != EXIT_DONE)
            return rc;
    if (x->client->json) {
        jx_auto *counts = json_pack("{s:i, s:i, s:i, s:i}", "skills", (int)x->written[0],
                                    "personas", (int)x->written[1], "agents", (int)x->written[2],
                                    "chains", (int)x->written[3]);
        return client_print_json(counts);
    }
    term_say("%s: skills %zu, personas %zu, agents %zu, chains %zu", x->dir, x->written[0],
             x->written[1], x->written[2], x->written[3]);
    return EXIT_DONE;
}

int command_export(struct client *client, const struct args *args)
{
    cleanup(export_free) struct export x = {.client = client,
                                            .args = args,
                                            .dir = args_at(args, 0),
                                            .skills = json_array(),
                                            .wanted = json_array()};
    int rc = client_open(client, args);
    return rc != EXIT_DONE ? rc : export_run(&x);
}
