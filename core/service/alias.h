/* Aliases: names that stand for versions of an agent, each with its share of the executions:
 *
 *     stable   90 % 1.4.0, 10 % 1.5.0-rc.1
 */
#ifndef C9_SERVICE_ALIAS_H
#define C9_SERVICE_ALIAS_H

#include "service/semver.h"
#include "service/service.h"

#define ALIAS_NAME_MAX    64 /* bytes */
#define ALIAS_TARGETS_MAX 10

/* A letter a to z, then a-z 0-9 _ -; neither latest, draft nor x, which mean something else. */
bool alias_name_valid(const char *name);

int alias_list(struct service *service, const struct principal *who, const char *agent_id,
               const struct list_query *query, json_t **page_r, struct error *err);
int alias_get(struct service *service, const struct principal *who, const char *agent_id,
              const char *name, json_t **alias_r, struct error *err);
/* body: {"targets":[{"version","weight"}]}: exact versions that are published or deprecated,
 * weights in percent that add up to 100; one target alone needs no weight. Makes it (created_r) or
 * changes it; only_new: does not change it, E_PRECONDITION_FAILED. */
int alias_put(struct service *service, const struct principal *who, const char *agent_id,
              const char *name, const json_t *body, const char *if_match, bool only_new,
              json_t **alias_r, bool *created_r, struct error *err);
int alias_delete(struct service *service, const struct principal *who, const char *agent_id,
                 const char *name, const char *if_match, struct error *err);

/* The target for one execution: always the same for the same id, and over many ids as the weights
 * say. E_VERSION_NOT_FOUND when there is no such alias. */
int alias_pick(struct service *service, const char *agent_id, const char *name,
               const char *execution_id, char version_r[SEMVER_MAX + 1], struct error *err);

#endif
