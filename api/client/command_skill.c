/* c9ctl skill upload, get, new, test. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "client/command.h"
#include "client/local.h"
#include "client/skill_template.h"
#include "client/term.h"

enum { SOURCE_MAX = 1 << 20, NAME_MAX_LEN = 63 };

/* ---- upload ---- */

static int upload_one(struct client *client, const struct args *args, const char *file)
{
    error_auto err = ERROR_INIT;
    buf_auto source = BUF_INIT, line = BUF_INIT;
    http_reply_auto reply = {0};
    jx_auto *skill = NULL;
    if (client_read_file(file, SOURCE_MAX, &source, &err) < 0)
        return client_fail(client, &err);
    int rc = client_open(client, args);
    if (rc != EXIT_DONE)
        return rc;
    const struct http_request request = {.method = "POST",
                                         .path = "/v1/skills",
                                         .type = "text/x-lua",
                                         .body = source.data,
                                         .len = source.len,
                                         .timeout_s = 120};
    if (http_send(client->http, &request, NULL, &reply, &err) < 0)
        return client_fail(client, &err);
    rc = client_reply(client, &reply, &skill);
    if (rc != EXIT_DONE) {
        term_say("%s was not uploaded", file);
        return rc;
    }
    if (client->json)
        return client_print_json(skill);
    format_text(&line, json_object_get(skill, "name"));
    buf_append_char(&line, ' ');
    format_text(&line, json_object_get(skill, "version"));
    buf_append_char(&line, ' ');
    format_digest(&line, json_object_get(skill, "sha256"));
    buf_append_str(&line, reply.status == 201 ? " uploaded\n" : " was there already\n");
    return client_print(&line);
}

int command_skill_upload(struct client *client, const struct args *args)
{
    int worst = EXIT_DONE;
    for (size_t i = 0; i < args->n; i++) {
        int rc = upload_one(client, args, args_at(args, i));
        worst = rc > worst ? rc : worst;
        if (rc == EXIT_UNREACHABLE)
            break; /* it would be said again for each file */
    }
    return worst;
}

/* ---- get ---- */

int command_skill_get(struct client *client, const struct args *args)
{
    jx_auto *skill = NULL;
    buf_auto path = BUF_INIT, text = BUF_INIT;
    const char *revision = args_get(args, "--revision");
    buf_append_str(&path, "/v1/skills/");
    http_encode(&path, args_at(args, 0));
    if (revision != NULL) {
        buf_append_str(&path, "/revisions/");
        http_encode(&path, revision);
    }
    int rc = client_get(client, args, path.data, &skill);
    if (rc != EXIT_DONE)
        return rc;
    if (args_has(args, "--source")) {
        const json_t *source = json_object_get(skill, "source");
        const char *s = json_is_string(source) ? json_string_value(source) : "";
        if (term_is_tty(STDOUT_FILENO))
            term_escape(&text, s, json_string_length(source), TERM_TEXT);
        else
            buf_append(&text, s, json_string_length(source));
        return client_print(&text);
    }
    if (client->json)
        return client_print_json(skill);
    /* The manifest says it all again, and the source is asked for. */
    json_object_del(skill, "source");
    json_object_del(skill, "manifest");
    format_object(&text, skill);
    return client_print(&text);
}

/* ---- new ---- */

/* As the service wants a skill's name. */
static bool name_valid(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return name[0] >= 'a' && name[0] <= 'z' && name[n] == '\0' && n <= NAME_MAX_LEN;
}

int command_skill_new(struct client *client, const struct args *args)
{
    const char *name = args_at(args, 0), *dir = args_get(args, "--dir");
    (void)client;
    if (!name_valid(name)) {
        term_say("'%s' cannot be a skill's name: it starts with a letter a to z and has 1 to %d of "
                 "a-z 0-9 _ -",
                 name, NAME_MAX_LEN);
        return EXIT_USAGE;
    }
    autofree char *path = xasprintf("%s/%s.lua", dir != NULL ? dir : ".", name);
    autofd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        term_say(errno == EEXIST ? "%s is there already, and stays as it is" : "%s: cannot write",
                 path);
        return EXIT_FAILED;
    }
    buf_auto text = BUF_INIT;
    skill_template(&text, name);
    if (term_write(fd, text.data, text.len) < 0) {
        term_say("%s: %s", path, strerror(errno));
        return EXIT_FAILED;
    }
    term_say("%s is written. Next:\n  c9ctl skill test %s\n  c9ctl skill upload %s", path, path,
             path);
    return EXIT_DONE;
}

/* ---- test ---- */

int command_skill_test(struct client *client, const struct args *args)
{
    int worst = EXIT_DONE;
    for (size_t i = 0; i < args->n; i++) {
        int rc = local_run(client, "skill-test", args_at(args, i));
        worst = rc > worst ? rc : worst;
    }
    return worst;
}
