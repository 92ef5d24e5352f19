/* Anybody's bytes as an event, as the headers of one, as a triggerConfig, as a webhook's headers:
 * read or refused, and what was read holds what it promises. The first byte says which. */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "service/cloudevent.h"
#include "service/event_trigger.h"
#include "service/hook_signature.h"
#include "service/problem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* What was read is read again as itself, and has what every event has. */
static void event_holds(json_t *event, const json_t *problems)
{
    jx_auto *none = json_array();
    must((event != NULL) == (json_array_size(problems) == 0));
    if (event == NULL)
        return;
    jx_auto *again = cloudevent_read(event, "", none);
    must(again != NULL && json_equal(again, event));
    must(jx_str(event, "id", "")[0] != '\0' && jx_str(event, "type", "")[0] != '\0');
}

static void one_event(const char *text, size_t len)
{
    jx_auto *json = jx_decode(text, len, "fuzz", NULL);
    jx_auto *problems = json_array();
    if (json == NULL)
        return;
    jx_auto *event = cloudevent_read(json, "", problems);
    event_holds(event, problems);
}

/* Lines "name: value", an empty one, and the body. */
static void one_message(const char *text, size_t len)
{
    autofree char *copy = xstrndup(text, len);
    struct cloudevent_header headers[32];
    const char *type = NULL;
    size_t n = 0;
    char *line = copy, *next;
    for (; n < countof(headers) && (next = strchr(line, '\n')) != NULL && next != line; n++) {
        *next = '\0';
        char *value = strchr(line, ':');
        headers[n] = (struct cloudevent_header){line, value != NULL ? value + 1 : ""};
        if (value != NULL)
            *value = '\0';
        if (strcmp(line, "Content-Type") == 0 &&
            utf8_valid(headers[n].value, strlen(headers[n].value)))
            type = headers[n].value;
        line = next + 1;
    }
    jx_auto *problems = json_array();
    jx_auto *event = cloudevent_read_binary(headers, n, type, line, strlen(line), problems);
    event_holds(event, problems);
}

static void one_trigger(const char *text, size_t len)
{
    static const char sample[] =
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/shop/a\",\"type\":\"com.shop.order\","
        "\"subject\":\"s\",\"n\":7,\"data\":{\"a\":[1,{\"b~/\":null}],\"\":0}}";
    jx_auto *event = jx_decode(sample, strlen(sample), "sample", NULL);
    jx_auto *json = jx_decode(text, len, "fuzz", NULL);
    jx_auto *problems = json_array();
    if (!json_is_object(json))
        return;
    event_trigger_check(json, "", problems);
    if (json_array_size(problems) > 0)
        return;
    json_decref(event_trigger_match(json_object_get(json, "events"), event));
}

/* Four headers, a line each, and the body. Nobody guesses a signature. */
static void one_delivery(const char *text, size_t len)
{
    static const char *const secrets[2] = {"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", NULL};
    autofree char *copy = xstrndup(text, len);
    char *part[5] = {copy};
    for (int i = 1; i < 5; i++) {
        char *end = part[i - 1] != NULL ? strchr(part[i - 1], '\n') : NULL;
        part[i] = end != NULL ? end + 1 : NULL;
        if (end != NULL)
            *end = '\0';
    }
    const struct hook_message message = {.id = part[0],
                                         .timestamp = part[1],
                                         .signature = part[2],
                                         .hub_signature = part[3],
                                         .body = part[4] != NULL ? part[4] : "",
                                         .len = part[4] != NULL ? strlen(part[4]) : 0};
    for (int style = 0; style < HOOK_STYLE_COUNT_; style++) {
        error_auto err = ERROR_INIT;
        char key[SHA256_HEX_SIZE];
        must(hook_signature_check((enum hook_style)style, secrets, &message, 1700000000000000,
                                  300000000, key, &err) < 0 &&
             err.code == E_SIGNATURE_INVALID);
        if (part[0] != NULL)
            hook_secret_fault((enum hook_style)style, part[0]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(const char *text, size_t len) = {one_event, one_message,
                                                                    one_trigger, one_delivery};
    if (size > 0)
        targets[data[0] % countof(targets)]((const char *)data + 1, size - 1);
    return 0;
}
