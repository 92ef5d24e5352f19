/* One configured provider: what open() made of the settings. Never written again, so any thread.
 * It outlives its requests and replies. */
#ifndef MODEL_OPENAI_PROVIDER_H
#define MODEL_OPENAI_PROVIDER_H

#include <c9d/plugin.h>
#include <stdbool.h>
#include <stddef.h>

enum { PROVIDER_HEADERS_MAX = 24 };

struct c9d_model {
    const struct c9d_host *host;
    char *url;                                       /* of chat completions */
    struct c9d_header headers[PROVIDER_HEADERS_MAX]; /* both strings owned */
    size_t n_headers;
    char *api_key; /* NULL: none */
    const char *max_tokens_field;
    bool stream_usage, strict_schema;
    size_t max_reply; /* bytes of a reply's body */
};

extern const struct c9d_setting provider_settings[];

int provider_open(const struct c9d_host *host, const struct c9d_settings *settings,
                  struct c9d_model **model_r, struct c9d_fault *fault);
void provider_close(struct c9d_model *model);
/* Overwrites the key wherever a provider's message quotes it. */
void provider_redact(const struct c9d_model *model, char *message);

#endif
