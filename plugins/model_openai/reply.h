/* The bytes of one reply become events. */
#ifndef MODEL_OPENAI_REPLY_H
#define MODEL_OPENAI_REPLY_H

#include "provider.h"

struct c9d_reply *reply_new(struct c9d_model *model, const struct c9d_model_sink *sink);
void reply_status(struct c9d_reply *reply, int status);
void reply_header(struct c9d_reply *reply, const char *name, const char *value);
int reply_feed(struct c9d_reply *reply, const char *data, size_t len);
void reply_end(struct c9d_reply *reply);
void reply_free(struct c9d_reply *reply);

#endif
