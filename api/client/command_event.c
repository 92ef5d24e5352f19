/* c9ctl event send: a CloudEvent from a file, or put together from options. */
#include <string.h>

#include "base/json.h"
#include "base/uuid.h"
#include "client/command.h"
#include "client/term.h"

enum { FILE_MAX = 16 << 20 };

static json_t *file_json(const char *path, struct error *err)
{
    buf_auto text = BUF_INIT;
    return client_read_file(path, FILE_MAX, &text, err) == 0
               ? jx_decode(text.data != NULL ? text.data : "", text.len, path, err)
               : NULL;
}

/* TYPE and options; the server says what is wrong with them. */
static json_t *event_make(const struct args *args, struct error *err)
{
    char id[UUID_SIZE];
    const char *given = args_get(args, "--id"), *subject = args_get(args, "--subject");
    const char *source = args_get(args, "--source"), *data = args_get(args, "--data");
    jx_auto *event = json_pack("{s:s, s:s, s:s, s:s}", "specversion", "1.0", "id",
                               given != NULL ? given : uuid_make(id), "source",
                               source != NULL ? source : "/c9ctl", "type", args_at(args, 0));
    if (event == NULL) {
        error_set(err, E_INVALID_REQUEST, "the attributes must be UTF-8 text");
        return NULL;
    }
    if (subject != NULL)
        json_object_set_new(event, "subject", json_string(subject));
    json_t *value = data != NULL ? file_json(data, err) : NULL;
    if (data != NULL && value == NULL)
        return NULL;
    if (value != NULL)
        json_object_set_new(event, "data", value);
    return move_ptr(&event);
}

static void match_append(struct buf *text, const json_t *match)
{
    const char *name = jx_str(match, "agentName", NULL);
    buf_append_str(text, "  ");
    format_text(text, json_object_get(match, name != NULL ? "agentName" : "agentId"));
    buf_append_char(text, ' ');
    format_text(text, json_object_get(match, "outcome"));
    buf_append_char(text, ' ');
    format_text(text,
                json_object_get(match, json_object_get(match, "executionId") != NULL ? "executionId"
                                                                                     : "reason"));
    buf_append_char(text, '\n');
}

static int results_show(struct client *client, const json_t *json)
{
    buf_auto text = BUF_INIT;
    size_t i, k;
    json_t *item, *match;
    if (client->json)
        return client_print_json(json);
    json_array_foreach (json_object_get(json, "items"), i, item) {
        const json_t *matches = json_object_get(item, "matches");
        format_text(&text, json_object_get(item, "type"));
        buf_append_char(&text, ' ');
        format_text(&text, json_object_get(item, "eventId"));
        buf_printf(&text, "%s, for %zu agent%s\n",
                   jx_bool(item, "duplicate", false) ? ": was taken before" : "",
                   json_array_size(matches), json_array_size(matches) == 1 ? "" : "s");
        json_array_foreach (matches, k, match)
            match_append(&text, match);
    }
    return client_print(&text);
}

int command_event_send(struct client *client, const struct args *args)
{
    error_auto err = ERROR_INIT;
    const char *file = args_get(args, "-f");
    jx_auto *json = NULL;
    if ((file != NULL) == (args_at(args, 0) != NULL)) {
        term_say("give the TYPE of the event, or -f FILE with the whole of it");
        return EXIT_USAGE;
    }
    jx_auto *event = file != NULL ? file_json(file, &err) : event_make(args, &err);
    if (event == NULL) {
        client_fail(client, &err);
        return EXIT_USAGE;
    }
    size_t len;
    autofree char *text = jx_encode(event, &len);
    const struct http_request request = {
        .method = "POST",
        .path = args_has(args, "--test") ? "/v1/events:test" : "/v1/events",
        .type = json_is_array(event) ? "application/cloudevents-batch+json"
                                     : "application/cloudevents+json",
        .body = text,
        .len = len};
    int rc = client_call(client, args, &request, &json);
    return rc == EXIT_DONE ? results_show(client, json) : rc;
}
