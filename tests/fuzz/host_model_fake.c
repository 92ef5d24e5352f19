/* model_fake: chat requests and the replies they get, and replies that it never wrote. */
#include "lib/model_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct c9d_model *model;
    if (model == NULL)
        model = fuzz_open((struct c9d_settings){0});
    if (size < 5 || memcmp(data, "chat\n", 5) != 0) {
        struct recording r = recording_parse((const char *)data, size);
        fuzz_reply(&r, model);
        free(r.memory);
        return 0;
    }
    struct c9d_http_request request;
    if (fuzz_request(model, (const char *)data + 5, size - 5, &request) < 0)
        return 0;
    char head[] = "";
    struct recording r = {
        .status = 200, .head = head, .body = request.body, .body_len = request.body_len};
    if (request.body_len < 65536)
        fuzz_reply(&r, model);
    c9d_plugin.ops.model->request_free(&request);
    return 0;
}
