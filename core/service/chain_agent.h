/* The agent of a chain's step: whether it is there, runs, takes what the step gives it, and does
 * not come to the chain again. */
#ifndef C9_SERVICE_CHAIN_AGENT_H
#define C9_SERVICE_CHAIN_AGENT_H

#include "service/service.h"

struct chain_step {
    const json_t *json;  /* ChainStep as it came */
    const json_t *input; /* of the plan: [{"target","value"}…]; NULL: it has no mapping */
    const char *path;    /* JSON Pointer of the step */
};
/* Adds what is wrong for `who`, who is to run it. chain_id: of the chain that it becomes a step of;
 * NULL for a new one. -1 only when the store cannot be asked. */
int chain_agent_check(struct service *service, const struct principal *who, const char *chain_id,
                      const struct chain_step *step, json_t *errors, json_t *warnings,
                      struct error *err);

#endif
