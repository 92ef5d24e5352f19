/* c9ctl replay: on the server, or in the sandbox of this machine from a file. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "client/command.h"
#include "client/local.h"
#include "client/term.h"

static int result_show(struct client *client, const json_t *result)
{
    bool same = jx_bool(result, "same", false);
    if (client->json) {
        int rc = client_print_json(result);
        return rc != EXIT_DONE ? rc : same ? EXIT_DONE : EXIT_FAILED;
    }
    buf_auto text = BUF_INIT;
    buf_printf(&text, "%s: %s after %ld steps\n", same ? "the same" : "different",
               jx_str(result, "status", ""), (long)jx_int(result, "steps", 0));
    const json_t *difference = json_object_get(result, "difference");
    if (difference != NULL) {
        buf_append_str(&text, "  ");
        format_text(&text, json_object_get(difference, "message"));
        buf_append_char(&text, '\n');
    }
    int rc = client_print(&text);
    return rc != EXIT_DONE ? rc : same ? EXIT_DONE : EXIT_FAILED;
}

static int export_to(struct client *client, const struct args *args, const char *id,
                     const char *file)
{
    jx_auto *json = NULL;
    error_auto err = ERROR_INIT;
    autofree char *path = xasprintf("/v1/executions/%s/export", id);
    int rc = client_get(client, args, path, &json);
    if (rc != EXIT_DONE)
        return rc;
    size_t len;
    autofree char *text = jx_encode(json, &len);
    autofd int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || term_write(fd, text, len) < 0) {
        error_errno(&err, E_INVALID_REQUEST, "%s", file);
        return client_fail(client, &err);
    }
    term_say("%s is written; replay it with: c9ctl replay --file %s", file, file);
    return EXIT_DONE;
}

int command_replay(struct client *client, const struct args *args)
{
    const char *file = args_get(args, "--file"), *to = args_get(args, "--export");
    const char *id = args->n > 0 ? args_at(args, 0) : NULL;
    if ((file != NULL) == (id != NULL) || (file != NULL && to != NULL)) {
        term_say("replay takes an EXECUTION, or --file FILE");
        return EXIT_USAGE;
    }
    if (file != NULL)
        return local_run(client, "replay", file);
    if (to != NULL)
        return export_to(client, args, id, to);
    jx_auto *result = NULL;
    autofree char *path = xasprintf("/v1/executions/%s/replay", id);
    int rc = client_call(client, args,
                         &(struct http_request){.method = "POST", .path = path, .timeout_s = 600},
                         &result);
    return rc == EXIT_DONE ? result_show(client, result) : rc;
}
