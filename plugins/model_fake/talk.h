/* Where a conversation stands. */
#ifndef MODEL_FAKE_TALK_H
#define MODEL_FAKE_TALK_H

#include <c9d/plugin.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct talk {
    const json_t *chat, *messages; /* borrowed */
    const char *model;             /* asked for, or "fake" */
    const char *user;              /* content of the last user message, or "" */
    size_t tail;                   /* index of the first of the tool messages at the end */
    int64_t turn;                  /* assistant messages so far */
    int64_t input_bytes;           /* of contents, names and arguments */
};

/* Checks what the fake relies on. 0, or C9D_E_FAILED with fault; talk borrows from chat. */
int talk_read(struct talk *talk_r, const json_t *chat, struct c9d_fault *fault);
bool talk_after_tool(const struct talk *talk); /* the last message is a tool's */
/* The name of the tool that message i answers for, "" when no call has its id. */
const char *talk_tool_name(const struct talk *talk, size_t i);
/* What the tools at the end said, a line each. To be freed; NULL: no memory. */
char *talk_results(const struct talk *talk);
/* The tool offered under this name, or NULL. */
const json_t *talk_tool(const struct talk *talk, const char *name);

#endif
