/* ChainConfig: checked whole, and made into the plan that skills/chain_loop.lua runs. */
#ifndef C9_SERVICE_CHAIN_CONFIG_H
#define C9_SERVICE_CHAIN_CONFIG_H

#include "service/service.h"

/* All that is wrong with a configuration as it came, for somebody who is to run it: problems (see
 * problem.h) below path. chain_id: of the chain that it becomes, which it must not come to again;
 * NULL for a new one. *plan_r: a new object, NULL when there are errors:
 *   {"steps": [{"id","agent","version"?,"input"?,"output"?,"condition"?,"timeout_ms"?,
 *               "retry": {"attempts","backoff_ms","factor","backoff_max_ms","on"?},
 *               "on_error","fallback"?}…],
 *    "groups": [[id…]…], in which order, side by side; "output"?, "timeout_ms"?}
 * mappings are [{"target": [name…], "value": tree}…], trees those of chain_expr.h.
 * -1 only when the store cannot be asked. */
int chain_config_check(struct service *service, const struct principal *who, const char *chain_id,
                       const json_t *config, const char *path, json_t *errors, json_t *warnings,
                       json_t **plan_r, struct error *err);

/* The agents that its steps name, as `needs` of a manifest has them: {"needs":{"agents":[…]}}. */
json_t *chain_config_needs(const json_t *config);

#endif
