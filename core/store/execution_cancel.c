/* The end of executions that no worker has: put off, waiting for a place, between attempts. */
#include "store/execution.h"
#include "store/wait.h"

#define USED(member) ", COALESCE(CAST(e.resource_usage ->> '" member "' AS BIGINT), 0)"
#define NO_USAGE                                                                                   \
    "{\"cpuTimeMs\":0,\"memoryPeakMb\":0,\"apiCallsCount\":0,\"tokensConsumed\":0,"                \
    "\"costCents\":0,\"cpuTimeUs\":0,\"memoryPeakBytes\":0}"

/* The event needs its number in the execution's sequence; what failed attempts have used is
 * accounted, under the execution's id, since it ends once. */
void store_execution_cancel_idle(struct storage_batch *batch, const char *which,
                                 const char *message, const char *error, int64_t at,
                                 c9d_row_fn ended, void *arg)
{
    storage_batch_add(
        batch,
        "INSERT INTO execution_events (execution_id, seq, type, data, timestamp)"
        " SELECT e.id, 1 + (SELECT MAX(s.seq) FROM (SELECT COALESCE(MAX(v.seq), 0) AS seq"
        " FROM execution_events v WHERE v.execution_id = e.id UNION ALL"
        " SELECT COALESCE(MAX(l.seq), 0) FROM execution_logs l WHERE l.execution_id = e.id) s),"
        " 'end', '{\"status\":\"cancelled\",\"error\":' || $2 || ',\"resourceUsage\":'"
        " || CASE WHEN e.resource_usage = '{}' THEN '" NO_USAGE "' ELSE e.resource_usage END"
        " || '}', $3 FROM agent_executions e WHERE " STORE_IDLE("e."),
        -1, NULL, NULL, "ssi", which, error, at);
    storage_batch_add(
        batch,
        "INSERT INTO agent_resource_usage (id, agent_id, execution_id, cpu_time_ms, cpu_time_us,"
        " memory_peak_mb, memory_peak_bytes, api_calls_count, tokens_consumed, cost_cents,"
        " cost_microcents, recorded_at) SELECT e.id, e.agent_id, e.id" USED("cpuTimeMs") USED(
            "cpuTimeUs") USED("memoryPeakMb") USED("memoryPeakBytes") USED("apiCallsCount")
            USED("tokensConsumed") USED("costCents")
                USED("costMicrocents") ", $2 FROM agent_executions e WHERE e.resource_usage <> '{}' AND " STORE_IDLE(
                    "e."),
        -1, NULL, NULL, "si", which, at);
    storage_batch_add(batch,
                      "UPDATE agent_executions SET " STORE_AWAKE(
                          "$2") " WHERE id IN (SELECT e.parent_id FROM agent_executions e"
                                " WHERE e.parent_id IS NOT NULL AND " STORE_IDLE("e.") ")",
                      -1, NULL, NULL, "si", which, at);
    storage_batch_add(batch,
                      "UPDATE agent_executions SET status = 'cancelled', error_message = $2,"
                      " error_details = $3, completed_at = $4, blocked_on = NULL,"
                      " resource_usage = CASE WHEN resource_usage = '{}' THEN '" NO_USAGE "'"
                      " ELSE resource_usage END WHERE " STORE_IDLE("") " RETURNING id",
                      -1, ended, arg, "sssi", which, message, error, at);
}
