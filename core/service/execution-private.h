/* What the files about executions share: signals and time travel beside execution.c itself. */
#ifndef C9_SERVICE_EXECUTION_PRIVATE_H
#define C9_SERVICE_EXECUTION_PRIVATE_H

#include "service/engine.h"
#include "service/permission.h"
#include "service/service.h"
#include "store/execution_view.h"

/* The execution, if who may do that to it; E_EXECUTION_NOT_FOUND when he may not even see it.
 * execution_r may be NULL. */
int execution_find(struct service *service, const struct principal *who, const char *id,
                   enum action action, struct execution_meta *meta_r, json_t **execution_r,
                   struct error *err);
/* The execution that a new one is made of. */
struct execution_origin {
    const char *id, *kind, *seed_id;
    struct journal_copy *journal; /* what the new one's begins with; taken over. NULL: nothing */
};
/* execution_start_noted; origin may be NULL. */
int execution_start_of(struct service *service, const struct principal *who, const char *agent,
                       const json_t *body, const struct execution_origin *origin,
                       struct execution_watch *watch, char id_r[UUID_SIZE], char **note_r,
                       struct error *err);
bool execution_has_ended(const char *status);
int execution_ended_error(const char *id, const char *status, struct error *err); /* -1 */

/* execution_prepare without an input; id: of the execution or batch, by which an alias chooses. */
int execution_choose(struct service *service, const struct principal *who, const char *agent,
                     const char *version, const char *id, struct launch **launch_r, char **note_r,
                     struct error *err);
/* E_INVALID_INPUT. */
int execution_input_check(const struct launch *launch, const json_t *input, struct error *err);
/* What a request says beside the input. *context_r: JSON text, to be freed; *available_at_r: 0 when
 * it may start at once. E_INVALID_REQUEST. */
int execution_order_check(const struct service *service, const json_t *body, int64_t *priority_r,
                          char **context_r, struct error *err);
int execution_order_time(const json_t *body, int64_t *available_at_r, struct error *err);
/* Ends those that are pending and that no worker has, of this id or of the batch of this id, and
 * tells who watches them. */
int execution_cancel_idle(struct service *service, const char *which, struct error *err);
/* Fills in what an execution as stored leaves out. Returns it. */
json_t *execution_present(json_t *execution);

#endif
