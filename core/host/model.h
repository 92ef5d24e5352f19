/* The model facade: one configured provider, "[model NAME]" of the configuration. Opened and closed
 * on the main thread; the rest may be called from any, except that one reply is one thread's. */
#ifndef C9_HOST_MODEL_H
#define C9_HOST_MODEL_H

#include <stdint.h>

#include "host/host.h"

struct model;

/* What every [model NAME] section has beside the plugin's own settings. */
struct model_limits {
    char *default_model; /* `model`: used when a request names none; may be NULL */
    int64_t timeout_us;  /* `timeout`: of one attempt */
    int64_t attempts;    /* `attempts`: tries in all */
    int64_t concurrency; /* `concurrency`: requests at a time; more wait */
    /* `price_input`, `price_output`: per million tokens, in micro-cents (1e-6 cent) as integers;
     * the configuration takes cents with decimals. */
    int64_t input_price, output_price;
};

/* Declares the section's keys, loads the plugin that its key `plugin` names (NAME is model_NAME.so)
 * and opens it. Keys and texts of config are used during the call only. NULL: E_CONFIG_INVALID or
 * E_PLUGIN_INVALID, with section and key. */
struct model *model_open(struct host *host, struct config *config, const char *instance,
                         struct error *err);
/* All its requests and replies must have been freed: they borrow from it. NULL is fine. */
void model_close(struct model *model);
const char *model_name(const struct model *model);                  /* the instance */
const struct model_limits *model_limits(const struct model *model); /* lives as long as the model */
/* Cost of so many tokens in micro-cents, rounded up; negative counts are none, and what does not
 * fit is INT64_MAX. */
int64_t model_cost(const struct model *model, int64_t input_tokens, int64_t output_tokens);

/* chat is JSON text as in abi/plugin.h; where it names no model, the section's is put in. 0, and
 * request_r is to be released by model_request_free; or -1: E_INVALID_REQUEST with the member. */
int model_request(struct model *model, const char *chat, size_t len,
                  struct c9d_http_request *request_r, struct error *err);
void model_request_free(struct model *model, struct c9d_http_request *request); /* and clears it */
const struct c9d_model_ops *model_ops(const struct model *model);               /* for reply_* */
/* NULL: no memory. The sink is copied. To be freed by ops->reply_free. */
struct c9d_reply *model_reply_new(struct model *model, const struct c9d_model_sink *sink);

#endif
