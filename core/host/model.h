/* The model facade: one configured provider, "[model NAME]" of the configuration. */
#ifndef C9_HOST_MODEL_H
#define C9_HOST_MODEL_H

#include <stdint.h>

#include "host/host.h"

struct model;

/* What every [model NAME] section has beside the plugin's own settings. */
struct model_limits {
    char *default_model;        /* `model`: used when a request names none; may be NULL */
    int64_t timeout_us;         /* `timeout`: of one attempt */
    int64_t attempts;           /* `attempts`: tries in all */
    int64_t concurrency;        /* `concurrency`: requests at a time; more wait */
    /* `price_input`, `price_output`: per million tokens, in micro-cents (1e-6 cent) as integers; the
     * configuration takes cents with decimals. */
    int64_t input_price, output_price;
};

struct model *model_open(struct host *host, struct config *config, const char *instance,
                         struct error *err);
void model_close(struct model *model);
const char *model_name(const struct model *model); /* the instance */
const struct model_limits *model_limits(const struct model *model);
/* Cost of so many tokens in micro-cents, rounded up. */
int64_t model_cost(const struct model *model, int64_t input_tokens, int64_t output_tokens);

int model_request(struct model *model, const char *chat, size_t len,
                  struct c9d_http_request *request_r, struct error *err);
void model_request_free(struct model *model, struct c9d_http_request *request);
const struct c9d_model_ops *model_ops(const struct model *model); /* for reply_* */
struct c9d_reply *model_reply_new(struct model *model, const struct c9d_model_sink *sink);

#endif
