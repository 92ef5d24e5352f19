/* A chat request as <c9d/plugin.h> has it becomes a POST to chat completions. */
#ifndef MODEL_OPENAI_REQUEST_H
#define MODEL_OPENAI_REQUEST_H

#include "provider.h"

int request_build(struct c9d_model *model, const char *chat, size_t len,
                  struct c9d_http_request *request_r, struct c9d_fault *fault);
void request_free(struct c9d_http_request *request);

#endif
