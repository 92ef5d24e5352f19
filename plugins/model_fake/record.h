/* The fake's replies on their way: records of a letter, a decimal length, a line end, and so many
 * bytes. M model, D delta, T tool call (id, name, arguments: a line each, the last may have more),
 * U usage "in out", F reason, E "status retry wait_us" and a line of message. F or E ends. */
#ifndef MODEL_FAKE_RECORD_H
#define MODEL_FAKE_RECORD_H

#include <c9d/plugin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { RECORD_REPLY_MAX = 32 * 1024 * 1024 };

void record_write(FILE *out, char letter, const char *bytes, size_t len);
void record_printf(FILE *out, char letter, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Reading, as <c9d/plugin.h> wants it. */
struct c9d_reply *record_reply_new(struct c9d_model *model, const struct c9d_model_sink *sink);
void record_reply_status(struct c9d_reply *reply, int status);
void record_reply_header(struct c9d_reply *reply, const char *name, const char *value);
int record_reply_feed(struct c9d_reply *reply, const char *data, size_t len);
void record_reply_end(struct c9d_reply *reply);
void record_reply_free(struct c9d_reply *reply);

#endif
