/* model_openai: any provider that speaks OpenAI's chat completions. */
#include <c9d/plugin.h>

#include "provider.h"
#include "reply.h"
#include "request.h"

static const struct c9d_model_ops ops = {
    .open = provider_open,
    .close = provider_close,
    .request = request_build,
    .request_free = request_free,
    .reply_new = reply_new,
    .reply_status = reply_status,
    .reply_header = reply_header,
    .reply_feed = reply_feed,
    .reply_end = reply_end,
    .reply_free = reply_free,
};

C9D_EXPORT const struct c9d_plugin c9d_plugin = {
    .abi = C9D_ABI,
    .kind = C9D_KIND_MODEL,
    .name = "model_openai",
    .version = "1",
    .description = "Chat completions as OpenAI, Ollama, vLLM, llama.cpp and gateways serve them.",
    .settings = provider_settings,
    .ops.model = &ops,
};
