/* c9ctl run, execution follow, execution logs. */
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/uuid.h"
#include "client/command.h"
#include "client/follow.h"
#include "client/term.h"

enum { INPUT_MAX = 64 << 20, LOGS_DEFAULT = 10000 };

static int usage_fail(struct client *client, const struct error *err)
{
    client_fail(client, err);
    return EXIT_USAGE;
}

/* --set NAME=TEXT, or NAME=@FILE: members of the input, as text. */
static int input_set(json_t *input, const char *text, struct error *err)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return error_set(err, E_INVALID_REQUEST,
                         "--set takes MEMBER=TEXT, or MEMBER=@FILE for a file's text; not '%s'",
                         text);
    autofree char *name = xstrndup(text, (size_t)(equals - text));
    buf_auto content = BUF_INIT;
    const char *value = equals + 1;
    if (*value == '@') {
        if (client_read_file(value + 1, INPUT_MAX, &content, err) < 0)
            return -1;
        value = content.data;
    }
    json_t *member =
        content.data != NULL ? json_stringn(content.data, content.len) : json_string(value);
    if (json_object_set_new(input, name, member) < 0)
        return error_set(err, E_INVALID_REQUEST, "--set %s: not UTF-8 text", name);
    return 0;
}

/* NULL when none was given, with err's code E_NONE. */
static json_t *input_make(const struct args *args, struct error *err)
{
    const char *file = args_get(args, "--input"), *text = args_get(args, "--input-json");
    buf_auto content = BUF_INIT;
    jx_auto *input = NULL;
    if (file != NULL && text != NULL) {
        error_set(err, E_INVALID_REQUEST, "--input and --input-json are two inputs: give one");
        return NULL;
    }
    if (file != NULL && strchr("{[\"", file[0]) != NULL && access(file, F_OK) < 0) {
        error_set(err, E_INVALID_REQUEST, "--input takes a file; --input-json takes JSON itself");
        return NULL;
    }
    if (file != NULL) {
        if (client_read_file(file, INPUT_MAX, &content, err) < 0)
            return NULL;
        input = jx_decode(content.data, content.len,
                          strcmp(file, "-") == 0 ? "standard input" : file, err);
    } else if (text != NULL) {
        input = jx_decode(text, strlen(text), "--input-json", err);
    }
    if (err->code != E_NONE)
        return NULL;
    const char *member;
    for (size_t i = 0; (member = args_nth(args, "--set", i)) != NULL; i++) {
        if (input == NULL)
            input = json_object();
        if (!json_is_object(input)) {
            error_set(err, E_INVALID_REQUEST, "--set adds to an object, and the input is none");
            return NULL;
        }
        if (input_set(input, member, err) < 0)
            return NULL;
    }
    return move_ptr(&input);
}

static void body_text(json_t *body, const char *name, const char *text)
{
    if (text != NULL)
        json_object_set_new(body, name, jx_text(text, strlen(text)));
}

static int body_context(json_t *body, const struct args *args, struct error *err)
{
    const char *file = args_get(args, "--context");
    buf_auto content = BUF_INIT;
    if (file == NULL)
        return 0;
    if (client_read_file(file, INPUT_MAX, &content, err) < 0)
        return -1;
    json_t *context = jx_decode(content.data, content.len, file, err);
    return context != NULL ? json_object_set_new(body, "context", context) : -1;
}

/* Its secret comes from a file: what is in argv is seen by all. */
static int body_webhook(json_t *body, const struct args *args, struct error *err)
{
    enum { SECRET_MAX = 1024 };
    const char *url = args_get(args, "--webhook"), *file = args_get(args, "--webhook-secret");
    buf_auto secret = BUF_INIT;
    if (url == NULL && file == NULL)
        return 0;
    if (url == NULL || file == NULL)
        return error_set(err, E_INVALID_REQUEST,
                         "--webhook URL and --webhook-secret FILE are given together: who is told "
                         "checks with the secret that it was c9d");
    if (client_read_file(file, SECRET_MAX, &secret, err) < 0)
        return -1;
    const char *line = secret.len > 0 ? secret.data : "";
    json_object_set_new(
        body, "webhook",
        json_pack("{s:s, s:o}", "url", url, "secret", jx_text(line, strcspn(line, "\r\n"))));
    return 0;
}

static json_t *body_make(const struct args *args, struct error *err)
{
    jx_auto *body = json_object();
    json_t *input = input_make(args, err);
    if (err->code != E_NONE)
        return NULL;
    if (input != NULL)
        json_object_set_new(body, "input", input);
    const char *priority = args_get(args, "--priority");
    body_text(body, "version", args_get(args, "--version"));
    body_text(body, "delay", args_get(args, "--delay"));
    body_text(body, "startAt", args_get(args, "--at"));
    body_text(body, "concurrencyKey", args_get(args, "--concurrency-key"));
    body_text(body, "onDisconnect", args_get(args, "--on-disconnect"));
    if (body_context(body, args, err) < 0 || body_webhook(body, args, err) < 0)
        return NULL;
    if (priority != NULL) {
        char *end;
        long n = strtol(priority, &end, 10);
        if (*priority == '\0' || *end != '\0' || n < -1000 || n > 1000) {
            error_set(err, E_INVALID_REQUEST, "--priority is a number from -1000 to 1000; not '%s'",
                      priority);
            return NULL;
        }
        json_object_set_new(body, "priority", json_integer(n));
    }
    return move_ptr(&body);
}

/* Only says that it was accepted. */
static int run_async(struct client *client, const struct args *args, struct http_request *request)
{
    jx_auto *json = NULL;
    buf_auto line = BUF_INIT;
    request->accept = "application/json";
    request->headers[1] = "Prefer: respond-async";
    int rc = client_call(client, args, request, &json);
    if (rc != EXIT_DONE)
        return rc;
    if (client->json)
        return client_print_json(json);
    format_text(&line, json_object_get(json, "executionId"));
    buf_append_char(&line, '\n');
    return client_print(&line);
}

/* Executing takes an agent's name as it is; a chain's becomes an id. */
static int path_make(struct client *client, const struct args *args, bool chain, struct buf *path)
{
    int rc = EXIT_DONE;
    autofree char *id = chain ? client_resolve(client, args, "chain", args_at(args, 0), &rc) : NULL;
    if (chain && id == NULL)
        return rc;
    buf_append_str(path, chain ? "/v1/chains/" : "/v1/agents/");
    http_encode(path, chain ? id : args_at(args, 0));
    buf_append_str(path, "/execute");
    return EXIT_DONE;
}

static int run(struct client *client, const struct args *args, bool chain)
{
    error_auto err = ERROR_INIT;
    buf_auto path = BUF_INIT;
    jx_auto *body = body_make(args, &err);
    if (body == NULL)
        return usage_fail(client, &err);
    int rc = client_open(client, args);
    if (rc == EXIT_DONE)
        rc = path_make(client, args, chain, &path);
    if (rc != EXIT_DONE)
        return rc;
    size_t len;
    autofree char *text = jx_encode(body, &len);
    char key[UUID_SIZE];
    const char *own = args_get(args, "--idempotency-key");
    autofree char *idempotency =
        xasprintf("Idempotency-Key: %s", own != NULL ? own : uuid_make(key));
    struct http_request request = {.method = "POST",
                                   .path = path.data,
                                   .accept = "text/event-stream",
                                   .type = "application/json",
                                   .body = text,
                                   .len = len,
                                   .headers = {idempotency}};
    if (args_has(args, "--async"))
        return run_async(client, args, &request);
    const struct follow_options options = {.quiet = args_has(args, "--no-follow")};
    return follow_run(client, &request, NULL, &options);
}

int command_run(struct client *client, const struct args *args)
{
    return run(client, args, false);
}

int command_chain_run(struct client *client, const struct args *args)
{
    return run(client, args, true);
}

static int check_id(const char *id)
{
    if (uuid_valid(id, strlen(id)))
        return EXIT_DONE;
    term_say("'%s' is not an execution's id; `c9ctl execution list` shows them", id);
    return EXIT_USAGE;
}

int command_execution_follow(struct client *client, const struct args *args)
{
    const struct follow_options options = {0};
    int rc = check_id(args_at(args, 0));
    if (rc == EXIT_DONE)
        rc = client_open(client, args);
    return rc != EXIT_DONE ? rc : follow_run(client, NULL, args_at(args, 0), &options);
}

int command_execution_logs(struct client *client, const struct args *args)
{
    size_t limit, i;
    jx_auto *merged = NULL;
    buf_auto path = BUF_INIT, text = BUF_INIT;
    const char *level = args_get(args, "--level");
    json_t *record;
    int rc = check_id(args_at(args, 0));
    if (rc != EXIT_DONE || !route_limit(args, LOGS_DEFAULT, &limit))
        return EXIT_USAGE;
    buf_printf(&path, "/v1/executions/%s/logs", args_at(args, 0));
    if (level != NULL) {
        buf_append_str(&path, "?level=");
        http_encode(&path, level);
    }
    rc = route_pages(client, args, path.data, limit, &merged);
    if (rc != EXIT_DONE)
        return rc;
    if (client->json)
        return client_print_json(merged);
    json_array_foreach (json_object_get(merged, "items"), i, record)
        follow_format_log(&text, record, STDOUT_FILENO);
    if (jx_str(merged, "nextCursor", NULL) != NULL)
        term_say("there are more; --limit N shows more of them, --limit 0 all");
    return client_print(&text);
}
