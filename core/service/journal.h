/* Time travel: what an execution asked for and was answered, and what can be made of it. */
#ifndef C9_SERVICE_JOURNAL_H
#define C9_SERVICE_JOURNAL_H

#include "service/service.h"

/* Entries in the order asked; keyset by seq. Filters: kind. */
int journal_list(struct service *service, const struct principal *who, const char *execution,
                 const struct list_query *query, json_t **page_r, struct error *err);

/* Runs an ended execution again with its own version, input and seed, every effect answered from
 * its journal. *result_r: {"executionId","same","status","output"|"error","difference"?,"steps",
 * "executionTime","resourceUsage"}. Blocks while it runs. E_INVALID_STATE when it has not ended, or
 * its journal was removed. */
int execution_replay(struct service *service, const struct principal *who, const char *execution,
                     json_t **result_r, struct error *err);
/* All that `c9d replay` needs to do so elsewhere, as one object. */
int execution_export(struct service *service, const struct principal *who, const char *execution,
                     json_t **file_r, struct error *err);
/* The same with a file that execution_export made, on an engine that needs no store. */
int execution_replay_file(const struct engine_ops *ops, void *engine, const json_t *file,
                          json_t **result_r, struct error *err);

/* A new execution with the same input: of one that failed or was cancelled. body: {"version"?:
 * default the same}. id_r: of the new one, which is durable. */
int execution_retry(struct service *service, const struct principal *who, const char *execution,
                    const json_t *body, char id_r[UUID_SIZE], struct error *err);
/* A new execution that is answered as this one was up to a step, and goes its own way from the
 * first request that is another. body: {"step"?: entries before it are kept, default all, "input"?,
 * "version"?, "answers"?: [{"seq","answer","failed"?}] given in the place of those}. */
int execution_fork(struct service *service, const struct principal *who, const char *execution,
                   const json_t *body, char id_r[UUID_SIZE], struct error *err);

/* What answers both: {"executionId","status":"pending","originId"}. New object. */
json_t *execution_made_json(const char *id, const char *origin_id);

/* Runs a version (default the draft) on the inputs of the last executions of another (default the
 * current one), every effect answered from their journals. body: {"version"?, "baseVersion"?,
 * "executions"?: at most BACKTEST_MAX, default 20}. *report_r: {"version","baseVersion","compared",
 * "same","different","items":[…]}. */
enum { BACKTEST_MAX = 100 };
int agent_backtest(struct service *service, const struct principal *who, const char *agent,
                   const json_t *body, json_t **report_r, struct error *err);

#endif
