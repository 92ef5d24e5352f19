/* What a completion says, put together from one whole object or from many chunks, and told to the
 * sink: text at once, tool calls, usage and the reason at the end. */
#ifndef MODEL_OPENAI_ANSWER_H
#define MODEL_OPENAI_ANSWER_H

#include <c9d/plugin.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "failure.h"
#include "text.h"

enum { ANSWER_CALLS_MAX = 128, ANSWER_NAME_MAX = 256 };

struct answer_call {
    int64_t index;                                   /* the provider's number for it */
    char id[ANSWER_NAME_MAX], name[ANSWER_NAME_MAX]; /* "" until said */
    struct text arguments;
};

struct answer {
    struct c9d_model_sink sink;
    struct answer_call *calls;
    size_t n_calls;
    const char *reason; /* one of the four, NULL until said */
    int64_t input_tokens, output_tokens;
    bool has_usage, model_told, begun; /* begun: a choice was seen */
};

void answer_free(struct answer *answer);
/* Takes a chat.completion or a chat.completion.chunk. Negative: failure is filled. */
int answer_take(struct answer *answer, const json_t *object, struct failure *failure);
bool answer_complete(const struct answer *answer); /* a finish reason was said */
void answer_usage(const struct answer *answer);    /* tells the usage, if any was said */
void answer_finish(struct answer *answer);         /* tells tool calls, usage, and the reason */

#endif
