/* A request from the wire: request line, headers and body, up to the handler. Input: "METHOD
 * TARGET\n", "Name: value\n" …, an empty line, the body. */
#include <stdint.h>
#include <string.h>

#include "api/api-private.h"
#include "api/openapi_text.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct api *api_get(void)
{
    static struct api api = {.max_body = 1 << 16, .body_memory = 1 << 24};
    error_auto err = ERROR_INIT;
    if (api.router == NULL) {
        jx_auto *document = jx_decode(openapi_text, (size_t)(openapi_text_end - openapi_text),
                                      "openapi.json", &err);
        api.router = router_new(document, handler_table, handler_table_len, &err);
        if (api.router == NULL)
            abort();
    }
    return &api;
}

/* Cuts the next line out of *text; NULL at the end. */
static char *line_take(char **text)
{
    char *line = *text;
    if (line == NULL)
        return NULL;
    char *end = strchr(line, '\n');
    if (end != NULL)
        *end++ = '\0';
    *text = end;
    return line;
}

static void request_read(struct request *request, char **text)
{
    char *line = line_take(text), *blank = line != NULL ? strchr(line, ' ') : NULL;
    request->method = line != NULL ? line : "";
    request->target_text = xstrdup(blank != NULL ? blank + 1 : "");
    if (blank != NULL)
        *blank = '\0';
    while ((line = line_take(text)) != NULL && *line != '\0') {
        char *colon = strchr(line, ':');
        if (colon == NULL)
            continue;
        *colon++ = '\0';
        colon += strspn(colon, " ");
        request_add_header(request, line, strlen(line), colon, strlen(colon));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    error_auto err = ERROR_INIT;
    struct request request = {.api = api_get()};
    struct reply reply = {0};
    autofree char *copy = xstrndup((const char *)data, size);
    char *text = copy;
    request_read(&request, &text);
    size_t begin = text != NULL ? (size_t)(text - copy) : size;
    int failed = request_check(&request, &err) < 0 || request_check_parameters(&request, &err) < 0;
    if (!failed && request.operation != NULL) {
        if (begin < size && request_has_body(&request))
            request_take_body(&request, (const char *)data + begin, size - begin);
        failed = request_decode_body(&request, &err) < 0;
    }
    if (failed)
        reply_error(&reply, &request, &err);
    reply_clear(&reply);
    request_clear(&request);
    return 0;
}
