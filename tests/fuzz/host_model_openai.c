/* model_openai: replies (status, headers, body, streamed or not), and chat requests. */
#include "lib/model_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct c9d_model *model;
    if (model == NULL)
        model = fuzz_open((struct c9d_settings){"max_reply", NULL, 4096});
    if (size < 5 || memcmp(data, "chat\n", 5) != 0) {
        struct recording r = recording_parse((const char *)data, size);
        fuzz_reply(&r, model);
        free(r.memory);
        return 0;
    }
    struct c9d_http_request request;
    if (fuzz_request(model, (const char *)data + 5, size - 5, &request) < 0)
        return 0;
    json_t *body =
        json_loadb(request.body, request.body_len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (!json_is_object(body))
        abort(); /* what is sent is JSON, whatever was asked */
    json_decref(body);
    c9d_plugin.ops.model->request_free(&request);
    return 0;
}
