/* Launches: how an agent's configuration and its pins become what the engine runs. */
#ifndef C9_SERVICE_LAUNCH_H
#define C9_SERVICE_LAUNCH_H

#include "service/engine.h"
#include "service/service.h"
#include "store/agent.h"

#define LOOP_NAME       "agent_loop"
#define CHAIN_LOOP_NAME "chain_loop"
#define VERSION_DRAFT   "draft"

/* What can change an agent's behaviour beside its configuration, as the store has it now:
 *   {"skills":[{"name","version","sha256"}],"persona":{"id","name","prompt"} or null,
 *    "loop":{"name","version","sha256"}}                 loop: without executionConfig.entrypoint
 * A chain's configuration has the member "chain", and its pins, which are made in chain.c, "plan".
 * E_INVALID_AGENT_CONFIG when a skill or the persona is gone; E_UNAVAILABLE when there is no agent
 * loop. */
int launch_pins(struct service *service, const char *organization_id, const json_t *config,
                json_t **pins_r, struct error *err);
/* What is pinned, whole: an array of {"source","manifest"}, the entry point first, then the other
 * skills in the order of the skillset. config and pins belong together. */
int launch_sources(struct service *service, const json_t *config, const json_t *pins,
                   json_t **sources_r, struct error *err);
/* The union of the needs of all that is pinned. config and pins belong together. */
int launch_needs(struct service *service, const json_t *config, const json_t *pins,
                 json_t **needs_r, struct error *err);

/* A version by its text, or VERSION_DRAFT. Whether it may run was decided before (version_resolve).
 * Published ones are cached, drafts are put together anew with skills and persona as they are now.
 * *launch_r is referenced. */
int launch_get(struct service *service, const struct agent_meta *meta, const char *version,
               struct launch **launch_r, struct error *err);

/* For files that leave this machine: sources, limits, schemas; what from_json makes runs the same.
 * from_json takes nothing on trust: E_INVALID_REQUEST. *launch_r is referenced. */
json_t *launch_to_json(const struct launch *launch);
int launch_from_json(const json_t *json, struct launch **launch_r, struct error *err);

/* Bounded, least recently used first out. Any thread. */
struct launch_cache;
struct launch_cache *launch_cache_new(void);
void launch_cache_free(struct launch_cache *cache);

#endif
