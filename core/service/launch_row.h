/* An execution that the services make themselves, as a row of the store: any worker claims it from
 * the queue. service_nudge tells ours that there is one. */
#ifndef C9_SERVICE_LAUNCH_ROW_H
#define C9_SERVICE_LAUNCH_ROW_H

#include "service/engine.h"

struct storage_batch;

/* One statement. input: JSON text that the launch takes; context: an object;
 * version_note: of execution_prepare, or NULL; at: now, wall µs. */
void launch_row_add(struct storage_batch *batch, const struct launch *launch, const char *id,
                    const char *user_id, const char *input, const json_t *context,
                    const char *version_note, int64_t at);

#endif
