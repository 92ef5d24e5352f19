/* Aliases: names for versions of an agent. */
#ifndef C9_STORE_ALIAS_H
#define C9_STORE_ALIAS_H

#include <stdint.h>

#include "store/list.h"

/* Conflicts unless the agent has fewer aliases beside this one than max. */
void store_alias_limit(struct storage_batch *batch, const char *agent_id, const char *name,
                       int64_t max);
/* Conflicts unless it is there with this revision (NULL: any). */
void store_alias_guard(struct storage_batch *batch, const char *agent_id, const char *name,
                       const int64_t *revision);
/* Makes it, or gives it other targets (JSON text) and counts the revision up; only_new: conflicts
 * then. */
void store_alias_put(struct storage_batch *batch, const char *id, const char *agent_id,
                     const char *name, const char *targets, bool only_new, int64_t at);
/* Conflicts when it is not there. */
void store_alias_delete(struct storage_batch *batch, const char *agent_id, const char *name);

/* *alias_r is NULL when it is not there. */
int store_alias_get(struct storage *storage, const char *agent_id, const char *name,
                    json_t **alias_r, struct error *err);
/* New array of the names of those that have this version among their targets. */
int store_alias_naming(struct storage *storage, const char *agent_id, const char *version,
                       json_t **names_r, struct error *err);
/* Scope: agent. */
extern const struct list store_alias_list;

#endif
