#include "service/launch_row.h"

#include <string.h>

#include "base/json.h"
#include "store/execution.h"

void launch_row_add(struct storage_batch *batch, const struct launch *launch, const char *id,
                    const char *user_id, const char *input, const json_t *context,
                    const char *version_note, int64_t at)
{
    autofree char *context_text = jx_encode(context, NULL);
    struct execution_row row = {.agent_id = launch->agent_id,
                                .agent_version = launch->version,
                                .organization_id = launch->organization_id,
                                .triggered_by = user_id,
                                .input = input,
                                .context = context_text,
                                .version_note = version_note,
                                .available_at = at,
                                .created_at = at};
    memcpy(row.id, id, UUID_SIZE);
    store_execution_insert(batch, &row);
}
