#include "service/launch_row.h"

#include <string.h>

#include "base/json.h"
#include "service/engine.h"
#include "service/execution.h"
#include "service/launch.h"
#include "service/policy.h"
#include "store/execution.h"

void launch_row_clear(struct launch_row *row)
{
    launch_unref(row->launch);
    free(row->version_note);
    free(row->concurrency_key);
    *row = (struct launch_row){NULL};
}

int launch_row_prepare(struct service *service, const struct principal *who, const char *agent,
                       const char *version, const char *execution_id, const json_t *input,
                       struct launch_row *row_r, struct error *err)
{
    *row_r = (struct launch_row){NULL};
    if (execution_prepare(service, who, agent, version, execution_id, input, &row_r->launch,
                          &row_r->version_note, err) == 0 &&
        policy_key(&row_r->launch->concurrency, NULL, input, &row_r->concurrency_key, err) == 0)
        return 0;
    launch_row_clear(row_r);
    return -1;
}

void launch_row_add(struct storage_batch *batch, const struct launch_row *row, const char *id,
                    const char *user_id, const char *input, const json_t *context, int64_t at)
{
    autofree char *context_text = jx_encode(context, NULL);
    struct execution_row execution = {.agent_id = row->launch->agent_id,
                                      .agent_version = row->launch->version,
                                      .organization_id = row->launch->organization_id,
                                      .triggered_by = user_id,
                                      .input = input,
                                      .context = context_text,
                                      .version_note = row->version_note,
                                      .concurrency_key = row->concurrency_key,
                                      .available_at = at,
                                      .created_at = at};
    memcpy(execution.id, id, UUID_SIZE);
    store_execution_insert(batch, &execution);
}
