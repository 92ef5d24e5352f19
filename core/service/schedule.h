/* Schedules: agents that run at times. One that an agent's triggerConfig describes comes and goes
 * with its published version (origin "agent") and can only be paused and resumed here. */
#ifndef C9_SERVICE_SCHEDULE_H
#define C9_SERVICE_SCHEDULE_H

#include "service/service.h"

struct storage_batch;

/* body: {"cronExpression","name"?,"timezone"?,"inputData"?,"version"?,"isActive"?,"overlapPolicy"?,
 * "missedRunPolicy"?,"missedRunWindowMs"?,"jitterMs"?}. E_INVALID_SCHEDULE names all that is wrong.
 * The agent must be one that `who` may execute, its version must be there, and the input must fit.
 * Runs are made in the name of `who`. */
int schedule_create(struct service *service, const struct principal *who, const char *agent,
                    const json_t *body, json_t **schedule_r, struct error *err);
int schedule_get(struct service *service, const struct principal *who, const char *id,
                 json_t **schedule_r, struct error *err);
/* Filters: agentId (id or name), state, name. */
int schedule_list(struct service *service, const struct principal *who,
                  const struct list_query *query, json_t **page_r, struct error *err);
/* RFC 7396 on the members of the body above. What follows is for who made it, and for those who may
 * change the agent. */
int schedule_update(struct service *service, const struct principal *who, const char *id,
                    const json_t *patch, const char *if_match, json_t **schedule_r,
                    struct error *err);
int schedule_delete(struct service *service, const struct principal *who, const char *id,
                    const char *if_match, struct error *err);
/* Resuming makes up for nothing: the next run is the next one from now. */
int schedule_set_active(struct service *service, const struct principal *who, const char *id,
                        bool active, json_t **schedule_r, struct error *err);
/* Runs it now, in the name of `who`, whatever runs of it already. The answer is the run. */
int schedule_run_now(struct service *service, const struct principal *who, const char *id,
                     json_t **run_r, struct error *err);
/* What became of its times, newest first. Filter: outcome. */
int schedule_runs(struct service *service, const struct principal *who, const char *id,
                  const struct list_query *query, json_t **page_r, struct error *err);

enum { SCHEDULE_PREVIEW_MAX = 1000, SCHEDULE_PREVIEW = 10 };
/* The next times. body: {"cronExpression","timezone"?,"from"?,"count"?}. */
int schedule_preview(struct service *service, const json_t *body, json_t **preview_r,
                     struct error *err);
/* Of a schedule there is; count 0: SCHEDULE_PREVIEW. */
int schedule_preview_of(struct service *service, const struct principal *who, const char *id,
                        int64_t count, json_t **preview_r, struct error *err);

/* ---- of agents ---- */

/* What is wrong with the triggerConfig of an agent whose triggerMode is `scheduled`: as the body
 * above without name, version and isActive. */
void schedule_trigger_check(struct service *service, const json_t *trigger_config, const char *path,
                            json_t *problems);
/* Adds to the batch that publishes a configuration whatever keeps its schedule in step. */
int schedule_trigger_publish(struct service *service, struct storage_batch *batch,
                             const char *agent_id, const char *organization_id, const char *user_id,
                             const json_t *config, struct error *err);

/* ---- the scheduler's ---- */

/* Starts what is due at `now` (wall µs), the longest due first and not more than some hundreds, and
 * says in *next_r when to come again: not after `now` when there is more; INT64_MAX: not before it
 * is woken. Blocks; one thread at a time in a process; several processes may. -1 when the store
 * failed: what was not started is still due. */
int schedule_fire(struct service *service, int64_t now, int64_t *next_r, struct error *err);
/* The clock may have been set back by far: what had come in the future comes again. */
int schedule_clock_set(struct service *service, int64_t now, struct error *err);
/* Called whenever schedule_fire should run earlier than it said. Any thread. */
void service_attach_scheduler(struct service *service, void (*wake)(void *arg), void *arg);

#endif
