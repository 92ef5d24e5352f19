/* Chains, and what their executions told of their steps. Each chain is an agent's row too
 * (agents.is_chain), under the same id and name: who may see and execute it, its revision and its
 * executions hang from that. */
#ifndef C9_STORE_CHAIN_H
#define C9_STORE_CHAIN_H

#include <stdint.h>

#include "store/list.h"

struct chain_row {
    const char *id, *name, *description /* or NULL */, *user_id, *organization_id;
    const char *config;  /* JSON text */
    const char *status;  /* active, inactive, deprecated */
    const char *version; /* of the agent, that runs its configuration */
    int64_t at;
};
/* Behind the agent's row was inserted or updated: two statements. */
void store_chain_insert(struct storage_batch *batch, const struct chain_row *row);
void store_chain_update(struct storage_batch *batch, const struct chain_row *row);
/* The agent's row, and everything that hangs from it. Conflicts (first of two statements) while
 * executions of the chain are pending or running. */
void store_chain_delete(struct storage_batch *batch, const char *id);

/* *chain_r is NULL when it is not there. */
int store_chain_get(struct storage *storage, const char *id, json_t **chain_r, struct error *err);
/* Scope: organization. */
extern const struct list store_chain_list;
/* Without input, output and steps. Scope: chain. */
extern const struct list store_chain_execution_list;

/* New arrays. Of a row of chain_executions: what it told ({"step","at"}, in its order), and the
 * executions that it asked for (with input and output), oldest first. */
int store_chain_told(struct storage *storage, const char *execution_id, json_t **told_r,
                     struct error *err);
int store_chain_asked(struct storage *storage, const char *execution_id, json_t **asked_r,
                      struct error *err);
/* Of the last `max` executions of a chain's version that have ended: {"id","status",
 * "executionTimeMs"}; what they told ({"executionId","step"}); and what they asked for, as ended:
 * {"parentId","context","status","agentVersion","executionTimeMs","usage"}. */
int store_chain_ended(struct storage *storage, const char *chain_id, const char *version,
                      int64_t max, json_t **ended_r, json_t **told_r, json_t **asked_r,
                      struct error *err);

#endif
