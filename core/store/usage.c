#include "store/usage.h"

#include "base/cleanup.h"
#include "store/access.h"

/* Also of executions of agents that one sees; an index gives each agent's rows in the order of
 * time. */
#define SUMS                                                                                       \
    " COUNT(DISTINCT u.execution_id) AS executions, CAST(SUM(u.cpu_time_us) AS BIGINT) AS cpu,"    \
    " MAX(u.memory_peak_bytes) AS memory, CAST(SUM(u.api_calls_count) AS BIGINT) AS calls,"        \
    " CAST(SUM(u.tokens_consumed) AS BIGINT) AS tokens,"                                           \
    " CAST(SUM(u.cost_microcents) AS BIGINT) AS cost"                                              \
    " FROM agents a JOIN agent_resource_usage u ON u.agent_id = a.id"                              \
    " JOIN agent_executions e ON e.id = u.execution_id"                                            \
    " WHERE a.organization_id = $1 AND u.recorded_at >= $4 AND u.recorded_at < $5"                 \
    " AND ($6 = '' OR a.id = $6)"                                                                  \
    " AND ($3 = 1 OR e.triggered_by = $2 OR " ACCESS_SEES("$2") ")"

#define SUM_FIELDS(F)                                                                              \
    F("g.executions", "executions", INT)                                                           \
    F("(g.cpu + 999) / 1000", "cpuTimeMs", INT)                                                    \
    F("(g.memory + 1048575) / 1048576", "memoryPeakMb", INT)                                       \
    F("g.calls", "apiCallsCount", INT)                                                             \
    F("g.tokens", "tokensConsumed", INT)                                                           \
    F("(g.cost + 999999) / 1000000", "costCents", INT)                                             \
    F("g.cpu", "cpuTimeUs", INT)                                                                   \
    F("g.memory", "memoryPeakBytes", INT)                                                          \
    F("g.cost", "costMicrocents", INT)
#define AGENT_FIELDS(F)                                                                            \
    F("g.agent_id", "agentId", TEXT) F("g.agent_name", "agentName", TEXT) SUM_FIELDS(F)
#define DAY_FIELDS(F)          F("g.day * 86400000000", "day", TIME) SUM_FIELDS(F)
#define ORGANIZATION_FIELDS(F) F("g.organization_id", "organizationId", TEXT) SUM_FIELDS(F)

static const struct field agent_fields[] = {AGENT_FIELDS(FIELD_ENTRY)};
static const struct field day_fields[] = {DAY_FIELDS(FIELD_ENTRY)};
static const struct field organization_fields[] = {ORGANIZATION_FIELDS(FIELD_ENTRY)};
static const struct list_sort agent_sorts[] = {{"agentId", "g.agent_id", SORT_TEXT}};
static const struct list_sort day_sorts[] = {{"day", "g.day", SORT_INT}};
static const struct list_sort organization_sorts[] = {
    {"organizationId", "g.organization_id", SORT_TEXT}};

#define USAGE(title, fields_of, sums, id_column, rows, sort_rows, first)                           \
    {                                                                                              \
        .name = title, .columns = fields_of(FIELD_COLUMN),                                         \
        .from = " FROM (SELECT " sums ") g"                                                        \
                " WHERE g.executions > 0",                                                         \
        .n_scope = 6, .id = id_column, .default_sort = first, LIST_SORTS(sort_rows),               \
        LIST_FIELDS(rows),                                                                         \
    }

const struct list store_usage_by_agent =
    USAGE("usageByAgent", AGENT_FIELDS,
          "a.id AS agent_id, MAX(a.name) AS agent_name," SUMS " GROUP BY a.id", "g.agent_id",
          agent_fields, agent_sorts, "agentId");
const struct list store_usage_by_day = USAGE(
    "usageByDay", DAY_FIELDS,
    "u.recorded_at / 86400000000 AS day, CAST(u.recorded_at / 86400000000 AS TEXT) AS day_id," SUMS
    " GROUP BY u.recorded_at / 86400000000",
    "g.day_id", day_fields, day_sorts, "-day");
const struct list store_usage_of_organization =
    USAGE("usageOfOrganization", ORGANIZATION_FIELDS,
          "a.organization_id AS organization_id," SUMS " GROUP BY a.organization_id",
          "g.organization_id", organization_fields, organization_sorts, "organizationId");
