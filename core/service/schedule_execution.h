/* An execution that the scheduler makes: a row of the store, claimed from the queue as any other.
 */
#ifndef C9_SERVICE_SCHEDULE_EXECUTION_H
#define C9_SERVICE_SCHEDULE_EXECUTION_H

#include "service/launch_row.h"
#include "store/schedule_run.h"

/* Two statements. run->execution_id is its id; input: the prepared one, as JSON text. Its
 * context says {"trigger":{"type":"schedule","scheduleId","runId","scheduledFor"}}. */
void schedule_execution_add(struct storage_batch *batch, const struct launch_row *row,
                            const char *user_id, const struct schedule_run_row *run,
                            const char *input);

#endif
