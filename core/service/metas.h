/* What each execution asks about its agent, kept while the definitions in the store stay. Any
 * thread. */
#ifndef C9_SERVICE_METAS_H
#define C9_SERVICE_METAS_H

#include "store/agent.h"
#include "store/version.h"

struct metas;

struct metas *metas_new(void);
void metas_free(struct metas *metas); /* NULL is fine */

/* As store_agent_get without the agent. What others than c9d do to its database is seen within a
 * second. */
int metas_agent(struct metas *metas, struct storage *storage, const char *id, const char *user_id,
                struct agent_meta *meta_r, struct error *err);
/* As store_version_meta, the same. */
int metas_version(struct metas *metas, struct storage *storage, const char *agent_id,
                  const char *version, struct version_meta *meta_r, struct error *err);

#endif
