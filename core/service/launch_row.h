/* An execution that the services make themselves, as a row of the store: any worker claims it from
 * the queue, and the limits and policies of its agent hold for it as for any other. service_nudge
 * tells ours that there is one. */
#ifndef C9_SERVICE_LAUNCH_ROW_H
#define C9_SERVICE_LAUNCH_ROW_H

#include "base/cleanup.h"
#include "service/service.h"

struct launch;
struct storage_batch;

/* What is to be executed; launch is NULL until it is prepared. */
struct launch_row {
    struct launch *launch;
    char *version_note;    /* of execution_prepare; or NULL */
    char *concurrency_key; /* that the agent finds in the input; or NULL */
};
void launch_row_clear(struct launch_row *row);
#define launch_row_auto cleanup(launch_row_clear) struct launch_row

/* execution_prepare, and the concurrency key of the input. On failure *row_r is empty. */
int launch_row_prepare(struct service *service, const struct principal *who, const char *agent,
                       const char *version, const char *execution_id, const json_t *input,
                       struct launch_row *row_r, struct error *err);
/* One statement. input: the prepared one, as JSON text; context: an object; at: now, wall µs. */
void launch_row_add(struct storage_batch *batch, const struct launch_row *row, const char *id,
                    const char *user_id, const char *input, const json_t *context, int64_t at);

#endif
