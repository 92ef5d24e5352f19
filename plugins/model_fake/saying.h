/* What the fake says to a conversation. */
#ifndef MODEL_FAKE_SAYING_H
#define MODEL_FAKE_SAYING_H

#include <c9d/plugin.h>
#include <jansson.h>
#include <stdint.h>

#include "talk.h"

struct saying {
    char *content;       /* owned; "" for none */
    json_t *calls;       /* owned array of {"name", "arguments"} */
    const char *finish;  /* NULL: what follows from the calls */
    const json_t *error; /* borrowed from the script; NULL for none */
    int64_t delay;       /* µs, -1: the setting's */
};

/* From the script (may be NULL), else by the rules of README. 0 or C9D_E_FAILED. */
int saying_make(struct saying *saying_r, const json_t *script, const struct talk *talk,
                struct c9d_fault *fault);
void saying_free(struct saying *saying);

#endif
