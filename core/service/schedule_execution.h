/* An execution that the scheduler makes: a row of the store, claimed from the queue as any other.
 */
#ifndef C9_SERVICE_SCHEDULE_EXECUTION_H
#define C9_SERVICE_SCHEDULE_EXECUTION_H

#include "service/engine.h"
#include "store/schedule_run.h"

/* Two statements. run->execution_id is its id; input: JSON text that the launch takes. Its context
 * says
 * {"trigger":{"type":"schedule","scheduleId","runId","scheduledFor"}}. version_note: as
 * execution_prepare gave it. */
void schedule_execution_add(struct storage_batch *batch, const struct launch *launch,
                            const char *user_id, const struct schedule_run_row *run,
                            const char *input, const char *version_note);

#endif
