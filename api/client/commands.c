/* The table of commands. */
#include "base/json.h"
#include "client/command.h"
#include "client/commands_people.h"
#include "client/term.h"

const char commands_more[] =
    "[--json] [--profile NAME] [--url URL] [--token-file FILE] [-h] [--help]";

#define COLUMNS(c) .columns = (c), .n_columns = countof(c)

/* ---- skills ---- */

static const struct column skill_columns[] = {
    {"NAME", "name", format_text, false},
    {"VERSION", "version", format_text, false},
    {"REVISION", "sha256", format_digest, false},
    {"UPDATED", "updatedAt", format_when, false},
    {"DESCRIPTION", "description", format_text, false},
};
static const struct column revision_columns[] = {
    {"REVISION", "sha256", format_text, false},
    {"VERSION", "version", format_text, false},
    {"CURRENT", "isCurrent", format_mark, false},
    {"CREATED", "createdAt", format_when, false},
};
static const struct from name_filters[] = {{"name", "--name", FROM_TEXT, NULL},
                                           {"text", "--text", FROM_TEXT, NULL},
                                           {"sort", "--sort", FROM_TEXT, NULL},
                                           {NULL, NULL, 0, NULL}};
static const struct route skill_list = {
    .method = "GET", .path = "/v1/skills", .query = name_filters, COLUMNS(skill_columns)};
static const struct route skill_revisions = {.method = "GET",
                                             .path = "/v1/skills/{skill}/revisions",
                                             COLUMNS(revision_columns),
                                             .whole = true};
static const struct route skill_delete = {.method = "DELETE",
                                          .path = "/v1/skills/{skill}",
                                          .ask = "delete the skill",
                                          .done = "is deleted"};

/* ---- personas ---- */

static const struct column persona_columns[] = {
    {"NAME", "name", format_text, false},
    {"ID", "id", format_text, false},
    {"UPDATED", "updatedAt", format_when, false},
    {"DESCRIPTION", "description", format_text, false},
};
static const struct from persona_body[] = {
    {"name", NULL, FROM_TEXT, NULL},
    {"prompt", "--prompt", FROM_FILE, NULL},
    {"description", "--description", FROM_TEXT, NULL},
    {NULL, NULL, 0, NULL},
};
static const struct from persona_patch[] = {
    {"name", "--name", FROM_TEXT, NULL},
    {"prompt", "--prompt", FROM_FILE, NULL},
    {"description", "--description", FROM_TEXT, NULL},
    {NULL, NULL, 0, NULL},
};
static const struct route persona_create = {.method = "POST",
                                            .path = "/v1/personas",
                                            .body = persona_body,
                                            .members = "id name description"};
static const struct route persona_list = {
    .method = "GET", .path = "/v1/personas", .query = name_filters, COLUMNS(persona_columns)};
static const struct route persona_get = {.method = "GET", .path = "/v1/personas/{persona}"};
static const struct route persona_update = {.method = "PATCH",
                                            .path = "/v1/personas/{persona}",
                                            .body = persona_patch,
                                            .members = "id name description revision updatedAt"};
static const struct route persona_delete = {.method = "DELETE",
                                            .path = "/v1/personas/{persona}",
                                            .ask = "delete the persona",
                                            .done = "is deleted"};

/* ---- agents and their versions ---- */

static const struct column agent_columns[] = {
    {"NAME", "name", format_text, false},         {"ID", "id", format_text, false},
    {"STATUS", "status", format_text, false},     {"VERSION", "currentVersion", format_text, false},
    {"UPDATED", "updatedAt", format_when, false}, {"SKILLS", "skillset", format_list, false},
};
static const struct from agent_filters[] = {
    {"name", "--name", FROM_TEXT, NULL},
    {"text", "--text", FROM_TEXT, NULL},
    {"status", "--status", FROM_TEXT, NULL},
    {"visibility", "--visibility", FROM_TEXT, NULL},
    {"triggerMode", "--trigger-mode", FROM_TEXT, NULL},
    {"skill", "--skill", FROM_TEXT, NULL},
    {"owner", "--owner", FROM_TEXT, "user"},
    {"organization", "--org", FROM_TEXT, "org"},
    {"sort", "--sort", FROM_TEXT, NULL},
    {NULL, NULL, 0, NULL},
};
static const struct from whole_file[] = {{"body", "-f", FROM_WHOLE, NULL}, {NULL, NULL, 0, NULL}};

static int validation_show(struct client *client, const json_t *json)
{
    static const char *const lists[] = {"errors", "warnings"};
    static const char *const labels[] = {"error", "warning"};
    bool valid = jx_bool(json, "valid", false);
    buf_auto text = BUF_INIT;
    for (size_t k = 0; k < countof(lists) && !client->json; k++) {
        size_t i;
        json_t *problem;
        json_array_foreach (json_object_get(json, lists[k]), i, problem) {
            buf_printf(&text, "%s ", labels[k]);
            format_text(&text, json_object_get(problem, "path"));
            buf_append_str(&text, ": ");
            format_text(&text, json_object_get(problem, "message"));
            buf_append_char(&text, '\n');
        }
    }
    buf_append_str(&text, valid ? "valid\n" : "not valid\n");
    int rc = client->json ? client_print_json(json) : client_print(&text);
    return rc != EXIT_DONE ? rc : valid ? EXIT_DONE : EXIT_FAILED;
}

#define AGENT_BRIEF "id name status currentVersion skillset"
static const struct route agent_create = {
    .method = "POST", .path = "/v1/agents", .body = whole_file, .members = AGENT_BRIEF};
static const struct route agent_list = {
    .method = "GET", .path = "/v1/agents", .query = agent_filters, COLUMNS(agent_columns)};
static const struct route agent_get = {.method = "GET", .path = "/v1/agents/{agent}"};
static const struct route agent_update = {.method = "PATCH",
                                          .path = "/v1/agents/{agent}",
                                          .body = whole_file,
                                          .members = AGENT_BRIEF " revision"};
static const struct route agent_replace = {.method = "PUT",
                                           .path = "/v1/agents/{agent}",
                                           .body = whole_file,
                                           .members = AGENT_BRIEF " revision"};
static const struct from agent_force[] = {{"force", "--force", FROM_FLAG, NULL},
                                          {NULL, NULL, 0, NULL}};
static const struct route agent_delete = {.method = "DELETE",
                                          .path = "/v1/agents/{agent}",
                                          .query = agent_force,
                                          .ask = "delete the agent",
                                          .done = "is deleted"};
static const struct route agent_validate = {
    .method = "POST", .path = "/v1/agents/validate", .body = whole_file, .show = validation_show};

/* ---- chains ---- */

static const struct column chain_columns[] = {
    {"NAME", "name", format_text, false},
    {"ID", "id", format_text, false},
    {"STATUS", "status", format_text, false},
    {"VERSION", "currentVersion", format_text, false},
    {"UPDATED", "updatedAt", format_when, false},
    {"DESCRIPTION", "description", format_text, false},
};
static const struct from chain_filters[] = {
    {"name", "--name", FROM_TEXT, NULL},     {"text", "--text", FROM_TEXT, NULL},
    {"status", "--status", FROM_TEXT, NULL}, {"owner", "--owner", FROM_TEXT, "user"},
    {"sort", "--sort", FROM_TEXT, NULL},     {NULL, NULL, 0, NULL},
};
#define CHAIN_BRIEF "id name status currentVersion"
static const struct route chain_create = {
    .method = "POST", .path = "/v1/chains", .body = whole_file, .members = CHAIN_BRIEF};
static const struct route chain_list = {
    .method = "GET", .path = "/v1/chains", .query = chain_filters, COLUMNS(chain_columns)};
static const struct route chain_get = {.method = "GET", .path = "/v1/chains/{chain}"};
static const struct route chain_update = {.method = "PATCH",
                                          .path = "/v1/chains/{chain}",
                                          .body = whole_file,
                                          .members = CHAIN_BRIEF " revision"};
static const struct route chain_delete = {.method = "DELETE",
                                          .path = "/v1/chains/{chain}",
                                          .ask = "delete the chain and all that hangs from it",
                                          .done = "is deleted"};
static const struct route chain_validate = {
    .method = "POST", .path = "/v1/chains/validate", .body = whole_file, .show = validation_show};

static const struct column chain_execution_columns[] = {
    {"ID", "id", format_text, false},
    {"STATUS", "status", format_text, false},
    {"VERSION", "chainVersion", format_text, false},
    {"CREATED", "createdAt", format_when, false},
    {"TOOK", "executionTimeMs", format_duration, true},
    {"CODE", "errorCode", format_text, false},
    {"ERROR", "errorMessage", format_text, false},
};
static const struct from chain_execution_filters[] = {{"status", "--status", FROM_TEXT, NULL},
                                                      {"version", "--version", FROM_TEXT, NULL},
                                                      {"sort", "--sort", FROM_TEXT, NULL},
                                                      {NULL, NULL, 0, NULL}};
static const struct route chain_executions = {.method = "GET",
                                              .path = "/v1/chains/{chain}/executions",
                                              .query = chain_execution_filters,
                                              COLUMNS(chain_execution_columns)};
static const struct route chain_execution = {.method = "GET",
                                             .path = "/v1/chain-executions/{execution}"};

/* Of the figures the suggestions are what is acted on; --json has all. */
static int suggestions_show(struct client *client, const json_t *answer)
{
    buf_auto text = BUF_INIT;
    const json_t *suggestions = json_object_get(answer, "suggestions");
    size_t i;
    json_t *suggestion;
    buf_printf(&text, "%lld executions were looked at\n",
               (long long)jx_int(answer, "executions", 0));
    json_array_foreach (suggestions, i, suggestion) {
        format_text(&text, json_object_get(suggestion, "message"));
        buf_append_char(&text, '\n');
    }
    if (json_array_size(suggestions) == 0)
        buf_append_str(&text, "nothing is suggested\n");
    (void)client;
    return client_print(&text);
}
static const struct route chain_optimize = {
    .method = "GET", .path = "/v1/chains/{chain}/optimize", .show = suggestions_show};

static const struct from deprecation_body[] = {{"sunset", "--sunset", FROM_TIME, NULL},
                                               {"reason", "--reason", FROM_TEXT, NULL},
                                               {NULL, NULL, 0, NULL}};
static const struct route agent_deprecate = {.method = "POST",
                                             .path = "/v1/agents/{agent}/deprecate",
                                             .body = deprecation_body,
                                             .members = "id name status deprecatedAt sunsetAt"};
static const struct route agent_archive = {.method = "POST",
                                           .path = "/v1/agents/{agent}/archive",
                                           .members = "id name status",
                                           .ask = "archive the agent, for good"};
static const struct route agent_rollback = {.method = "POST",
                                            .path =
                                                "/v1/agents/{agent}/versions/{version}/rollback",
                                            .members = AGENT_BRIEF};

static const struct column version_columns[] = {
    {"VERSION", "version", format_text, false},   {"STATUS", "status", format_text, false},
    {"CURRENT", "isCurrent", format_mark, false}, {"PUBLISHED", "publishedAt", format_when, false},
    {"CREATED", "createdAt", format_when, false}, {"CHANGELOG", "changelog", format_text, false},
};
static const struct from version_filters[] = {{"status", "--status", FROM_TEXT, NULL},
                                              {NULL, NULL, 0, NULL}};
static const struct from version_body[] = {
    {"version", "--version", FROM_TEXT, NULL},
    {"from", "--from", FROM_TEXT, NULL},
    {"config", "--config", FROM_JSON, NULL},
    {"changelog", "--changelog", FROM_TEXT, NULL},
    {NULL, NULL, 0, NULL},
};
static const struct from publish_body[] = {{"changelog", "--changelog", FROM_TEXT, NULL},
                                           {NULL, NULL, 0, NULL}};
static const struct route version_create = {.method = "POST",
                                            .path = "/v1/agents/{agent}/versions",
                                            .body = version_body,
                                            .members = "agentId version changelog createdAt"};
static const struct route version_list = {.method = "GET",
                                          .path = "/v1/agents/{agent}/versions",
                                          .query = version_filters,
                                          COLUMNS(version_columns)};
static const struct route version_get = {.method = "GET",
                                         .path = "/v1/agents/{agent}/versions/{version}"};
static const struct route version_publish = {
    .method = "POST",
    .path = "/v1/agents/{agent}/versions/{version}/publish",
    .body = publish_body,
    .members = "agentId version isCurrent publishedAt changelog pins capabilities"};

static const struct route version_update = {.method = "PATCH",
                                            .path = "/v1/agents/{agent}/versions/{version}",
                                            .body = whole_file,
                                            .members = "agentId version status changelog revision"};
static const struct route version_delete = {.method = "DELETE",
                                            .path = "/v1/agents/{agent}/versions/{version}",
                                            .ask = "delete the version",
                                            .done = "is deleted",
                                            .what = 1};
static const struct route version_deprecate = {
    .method = "POST",
    .path = "/v1/agents/{agent}/versions/{version}/deprecate",
    .body = deprecation_body,
    .members = "agentId version status deprecatedAt sunsetAt"};
static const struct route version_archive = {.method = "POST",
                                             .path =
                                                 "/v1/agents/{agent}/versions/{version}/archive",
                                             .members = "agentId version status",
                                             .ask = "archive the version, for good",
                                             .what = 1};

/* "1.4.0 90 %, 1.5.0-rc.1 10 %" */
static void targets_show(struct buf *out, const json_t *targets)
{
    size_t i;
    json_t *target;
    json_array_foreach (targets, i, target) {
        buf_append_str(out, i > 0 ? ", " : "");
        format_text(out, json_object_get(target, "version"));
        buf_append_char(out, ' ');
        format_text(out, json_object_get(target, "weight"));
        buf_append_str(out, " %");
    }
}

static const struct column alias_columns[] = {
    {"ALIAS", "name", format_text, false},
    {"UPDATED", "updatedAt", format_when, false},
    {"TARGETS", "targets", targets_show, false},
};
static const struct route alias_list = {
    .method = "GET", .path = "/v1/agents/{agent}/aliases", COLUMNS(alias_columns)};
static const struct route alias_get = {.method = "GET",
                                       .path = "/v1/agents/{agent}/aliases/{alias}"};
static const struct route alias_delete = {.method = "DELETE",
                                          .path = "/v1/agents/{agent}/aliases/{alias}",
                                          .ask = "delete the alias",
                                          .done = "is deleted",
                                          .what = 1};

/* ---- executions ---- */

static void usage_calls(struct buf *out, const json_t *usage)
{
    format_count(out, json_object_get(usage, "apiCallsCount"));
}

static void usage_tokens(struct buf *out, const json_t *usage)
{
    format_count(out, json_object_get(usage, "tokensConsumed"));
}

static const struct column execution_columns[] = {
    {"ID", "id", format_text, false},
    {"STATUS", "status", format_text, false},
    {"CREATED", "createdAt", format_when, false},
    {"TOOK", "executionTimeMs", format_duration, true},
    {"CPU", "resourceUsage", format_cpu, true},
    {"MEMORY", "resourceUsage", format_memory, true},
    {"CALLS", "resourceUsage", usage_calls, true},
    {"TOKENS", "resourceUsage", usage_tokens, true},
    {"COST", "resourceUsage", format_cost, true},
    {"VERSION", "agentVersion", format_text, false},
    {"AGENT", "agentId", format_text, false},
};
static const struct from execution_filters[] = {
    {"agentId", "--agent", FROM_TEXT, "agent"},
    {"status", "--status", FROM_TEXT, NULL},
    {"createdAfter", "--after", FROM_TIME, NULL},
    {"createdBefore", "--before", FROM_TIME, NULL},
    {"version", "--version", FROM_TEXT, NULL},
    {"triggeredBy", "--user", FROM_TEXT, "user"},
    {"parentId", "--parent", FROM_TEXT, NULL},
    {"errorCode", "--error", FROM_TEXT, NULL},
    {"batchId", "--batch", FROM_TEXT, NULL},
    {"concurrencyKey", "--key", FROM_TEXT, NULL},
    {"text", "--text", FROM_TEXT, NULL},
    {"sort", "--sort", FROM_TEXT, NULL},
    {NULL, NULL, 0, NULL},
};
static const struct route execution_list = {.method = "GET",
                                            .path = "/v1/executions",
                                            .query = execution_filters,
                                            COLUMNS(execution_columns)};
static const struct route execution_get = {.method = "GET", .path = "/v1/executions/{execution}"};
static const struct column attempt_columns[] = {
    {"ATTEMPT", "attempt", format_count, true},    {"STATUS", "status", format_text, false},
    {"STARTED", "startedAt", format_when, false},  {"ENDED", "completedAt", format_when, false},
    {"NEXT", "nextAttemptAt", format_when, false}, {"CODE", "errorCode", format_text, false},
    {"ERROR", "errorMessage", format_text, false},
};
static const struct route execution_attempts = {
    .method = "GET", .path = "/v1/executions/{execution}/attempts", COLUMNS(attempt_columns)};
static const struct route execution_cancel = {
    .method = "POST", .path = "/v1/executions/{execution}/cancel", .members = "id status"};

/* ---- usage ---- */

static void sum_cost(struct buf *out, const json_t *microcents)
{
    jx_auto *usage = json_pack("{s:O}", "costMicrocents", microcents);
    format_cost(out, usage);
}

static void sum_cpu(struct buf *out, const json_t *us)
{
    jx_auto *usage = json_pack("{s:O}", "cpuTimeUs", us);
    format_cpu(out, usage);
}

static void sum_memory(struct buf *out, const json_t *bytes)
{
    jx_auto *usage = json_pack("{s:O}", "memoryPeakBytes", bytes);
    format_memory(out, usage);
}

static const struct column usage_columns[] = {
    {"AGENT", "agentName", format_text, false},
    {"DAY", "day", format_text, false},
    {"EXECUTIONS", "executions", format_count, true},
    {"CPU", "cpuTimeUs", sum_cpu, true},
    {"PEAK", "memoryPeakBytes", sum_memory, true},
    {"CALLS", "apiCallsCount", format_count, true},
    {"TOKENS", "tokensConsumed", format_count, true},
    {"COST", "costMicrocents", sum_cost, true},
};
static const struct from usage_filters[] = {{"groupBy", "--by", FROM_TEXT, NULL},
                                            {"agentId", "--agent", FROM_TEXT, "agent"},
                                            {"from", "--from", FROM_TIME, NULL},
                                            {"to", "--to", FROM_TIME, NULL},
                                            {NULL, NULL, 0, NULL}};
static const struct route usage_list = {
    .method = "GET", .path = "/v1/usage", .query = usage_filters, COLUMNS(usage_columns)};
/* ---- time travel ---- */

static const struct from retry_body[] = {{"version", "--version", FROM_TEXT, NULL},
                                         {NULL, NULL, 0, NULL}};
static const struct from fork_body[] = {
    {"step", "--step", FROM_COUNT, NULL},      {"version", "--version", FROM_TEXT, NULL},
    {"input", "--input", FROM_JSON, NULL},     {"input", "--input-json", FROM_JSON_TEXT, NULL},
    {"answers", "--answers", FROM_JSON, NULL}, {NULL, NULL, 0, NULL},
};
static const struct from backtest_body[] = {{"version", "--version", FROM_TEXT, NULL},
                                            {"baseVersion", "--base", FROM_TEXT, NULL},
                                            {"executions", "--last", FROM_COUNT, NULL},
                                            {NULL, NULL, 0, NULL}};
static void format_difference(struct buf *out, const json_t *difference)
{
    format_text(out, json_object_get(difference, "message"));
}

static const struct column backtest_columns[] = {
    {"EXECUTION", "executionId", format_text, false},
    {"SAME", "same", format_mark, false},
    {"STATUS", "status", format_text, false},
    {"CHANGED", "changedRequests", format_count, true},
    {"DIFFERENCE", "difference", format_difference, false},
};

static int backtest_show(struct client *client, const json_t *json)
{
    if (client->json)
        return client_print_json(json);
    buf_auto text = BUF_INIT;
    const json_t *items = json_object_get(json, "items");
    if (json_array_size(items) > 0)
        format_table(&text, backtest_columns, countof(backtest_columns), items,
                     term_columns(STDOUT_FILENO));
    buf_printf(&text, "%ld of %ld executions of %s come out the same with %s\n",
               (long)jx_int(json, "same", 0), (long)jx_int(json, "compared", 0),
               jx_str(json, "baseVersion", ""), jx_str(json, "version", ""));
    int rc = client_print(&text);
    return rc != EXIT_DONE ? rc : jx_int(json, "different", 0) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static const struct route execution_retry = {
    .method = "POST", .path = "/v1/executions/{execution}/retry", .body = retry_body};
static const struct route execution_fork = {
    .method = "POST", .path = "/v1/executions/{execution}/fork", .body = fork_body};
static const struct route agent_backtest = {.method = "POST",
                                            .path = "/v1/agents/{agent}/backtest",
                                            .body = backtest_body,
                                            .show = backtest_show};

/* ---- schedules ---- */

static const struct column schedule_columns[] = {
    {"NAME", "name", format_text, false},
    {"ID", "id", format_text, false},
    {"WHEN", "cronExpression", format_text, false},
    {"ZONE", "timezone", format_text, false},
    {"ACTIVE", "isActive", format_mark, false},
    {"NEXT", "nextExecutionAt", format_when, false},
    {"LAST", "lastExecutionAt", format_when, false},
    {"OUTCOME", "lastOutcome", format_text, false},
    {"AGENT", "agentId", format_text, false},
};
static const struct column run_columns[] = {
    {"SCHEDULED", "scheduledFor", format_text, false},
    {"OUTCOME", "outcome", format_text, false},
    {"STATUS", "executionStatus", format_text, false},
    {"EXECUTION", "executionId", format_text, false},
    {"REASON", "reason", format_text, false},
};
static const struct column preview_columns[] = {
    {"LOCAL", "local", format_text, false},
    {"UTC", "scheduledFor", format_text, false},
    {"STARTS", "startsAt", format_text, false},
};
static int preview_show(struct client *client, const json_t *json)
{
    if (client->json)
        return client_print_json(json);
    buf_auto text = BUF_INIT;
    const json_t *runs = json_object_get(json, "runs");
    if (json_array_size(runs) == 0)
        term_say("it does not come within 50 years");
    else
        format_table(&text, preview_columns, countof(preview_columns), runs,
                     term_columns(STDOUT_FILENO));
    return client_print(&text);
}
#define SCHEDULE_OPTIONS                                                                           \
    {"timezone", "--timezone", FROM_TEXT, NULL}, {"inputData", "--input", FROM_JSON, NULL},        \
        {"name", "--name", FROM_TEXT, NULL}, {"version", "--version", FROM_TEXT, NULL},            \
        {"overlapPolicy", "--overlap", FROM_TEXT, NULL},                                           \
        {"missedRunPolicy", "--missed", FROM_TEXT, NULL},                                          \
        {"missedRunWindowMs", "--missed-window", FROM_DURATION, NULL},                             \
        {"isActive", "--active", FROM_BOOLEAN, NULL},                                              \
    {                                                                                              \
        "jitterMs", "--jitter", FROM_DURATION, NULL                                                \
    }
static const struct from schedule_body[] = {
    {"cronExpression", "--cron", FROM_TEXT, NULL}, SCHEDULE_OPTIONS, {NULL, NULL, 0, NULL}};
static const struct from schedule_filters[] = {{"agentId", "--agent", FROM_TEXT, "agent"},
                                               {"state", "--state", FROM_TEXT, NULL},
                                               {"name", "--name", FROM_TEXT, NULL},
                                               {NULL, NULL, 0, NULL}};
static const struct from run_filters[] = {{"outcome", "--outcome", FROM_TEXT, NULL},
                                          {NULL, NULL, 0, NULL}};
static const struct from preview_body[] = {{"cronExpression", NULL, FROM_TEXT, NULL},
                                           {"timezone", "--timezone", FROM_TEXT, NULL},
                                           {"from", "--from", FROM_TIME, NULL},
                                           {"count", "--count", FROM_COUNT, NULL},
                                           {NULL, NULL, 0, NULL}};
static const struct from count_query[] = {{"count", "--count", FROM_TEXT, NULL},
                                          {NULL, NULL, 0, NULL}};
#define SCHEDULE_BRIEF                                                                             \
    "id agentId name cronExpression timezone isActive nextExecutionAt overlapPolicy "              \
    "missedRunPolicy jitterMs"
static const struct route schedule_create = {.method = "POST",
                                             .path = "/v1/agents/{agent}/schedules",
                                             .body = schedule_body,
                                             .members = SCHEDULE_BRIEF};
static const struct route schedule_list = {
    .method = "GET", .path = "/v1/schedules", .query = schedule_filters, COLUMNS(schedule_columns)};
static const struct route schedule_get = {.method = "GET", .path = "/v1/schedules/{schedule}"};
static const struct route schedule_update = {.method = "PATCH",
                                             .path = "/v1/schedules/{schedule}",
                                             .body = schedule_body,
                                             .members = SCHEDULE_BRIEF};
static const struct route schedule_delete = {.method = "DELETE",
                                             .path = "/v1/schedules/{schedule}",
                                             .ask = "delete the schedule",
                                             .done = "is deleted"};
static const struct route schedule_pause = {
    .method = "POST", .path = "/v1/schedules/{schedule}/pause", .members = SCHEDULE_BRIEF};
static const struct route schedule_resume = {
    .method = "POST", .path = "/v1/schedules/{schedule}/resume", .members = SCHEDULE_BRIEF};
static const struct route schedule_run = {.method = "POST", .path = "/v1/schedules/{schedule}/run"};
static const struct route schedule_runs = {.method = "GET",
                                           .path = "/v1/schedules/{schedule}/runs",
                                           .query = run_filters,
                                           COLUMNS(run_columns)};
static const struct route schedule_next = {.method = "GET",
                                           .path = "/v1/schedules/{schedule}/preview",
                                           .query = count_query,
                                           .show = preview_show};
static const struct route schedule_preview = {
    .method = "POST", .path = "/v1/schedules/preview", .body = preview_body, .show = preview_show};
/* ---- waits, signals, journals ---- */

static const struct column wait_columns[] = {
    {"EXECUTION", "executionId", format_text, false},
    {"KIND", "kind", format_text, false},
    {"NAME", "name", format_text, false},
    {"SINCE", "since", format_when, false},
    {"UNTIL", "until", format_when, false},
    {"AGENT", "agentId", format_text, false},
};
static const struct from wait_filters[] = {
    {"kind", "--kind", FROM_TEXT, NULL},
    {"name", "--name", FROM_TEXT, NULL},
    {"agentId", "--agent", FROM_TEXT, "agent"},
    {"sort", "--sort", FROM_TEXT, NULL},
    {NULL, NULL, 0, NULL},
};
static const struct route wait_list = {
    .method = "GET", .path = "/v1/waits", .query = wait_filters, COLUMNS(wait_columns)};
static const struct route execution_waits = {
    .method = "GET", .path = "/v1/executions/{execution}/waits", COLUMNS(wait_columns)};
static const struct from signal_body[] = {
    {"payload", "--payload", FROM_JSON, NULL},
    {"payload", "--payload-json", FROM_JSON_TEXT, NULL},
    {NULL, NULL, 0, NULL},
};
static const struct route execution_signal = {.method = "POST",
                                              .path = "/v1/executions/{execution}/signals/{signal}",
                                              .body = signal_body,
                                              .members = "signalId executionId name createdAt"};
static const struct column journal_columns[] = {
    {"STEP", "seq", format_count, true},
    {"KIND", "kind", format_text, false},
    {"FAILED", "failed", format_mark, false},
    {"CALLS", "apiCallsCount", format_count, true},
    {"TOKENS", "tokensConsumed", format_count, true},
    {"ASKED", "askedAt", format_when, false},
    {"ANSWERED", "answeredAt", format_when, false},
};
static const struct from journal_filters[] = {{"kind", "--kind", FROM_TEXT, NULL},
                                              {NULL, NULL, 0, NULL}};
static const struct route execution_journal = {.method = "GET",
                                               .path = "/v1/executions/{execution}/journal",
                                               .query = journal_filters,
                                               COLUMNS(journal_columns)};
/* ---- webhooks, dead letters ---- */

static const struct column webhook_columns[] = {
    {"ID", "id", format_text, false},
    {"ACTIVE", "isActive", format_mark, false},
    {"URL", "url", format_text, false},
    {"EVENTS", "events", format_list, false},
    {"FAILING", "failingSince", format_when, false},
    {"AGENT", "agentId", format_text, false},
};
static const struct column delivery_columns[] = {
    {"STATUS", "status", format_text, false},     {"EVENT", "event", format_text, false},
    {"TRIES", "attempts", format_count, true},    {"ANSWER", "responseStatus", format_count, true},
    {"CREATED", "createdAt", format_when, false}, {"NEXT", "nextAttemptAt", format_when, false},
    {"ERROR", "error", format_text, false},       {"ID", "id", format_text, false},
};
static const struct column delivery_log_columns[] = {
    {"ATTEMPT", "attempt", format_count, true}, {"WHEN", "attemptedAt", format_when, false},
    {"TOOK", "tookMs", format_duration, true},  {"ANSWER", "responseStatus", format_count, true},
    {"ERROR", "error", format_text, false},     {"RESPONSE", "response", format_text, false},
};
static const struct column letter_columns[] = {
    {"ID", "id", format_text, false},
    {"KIND", "kind", format_text, false},
    {"CREATED", "createdAt", format_when, false},
    {"REQUEUED", "requeuedAt", format_when, false},
    {"REASON", "reason", format_text, false},
    {"EXECUTION", "executionId", format_text, false},
};
static const struct from webhook_filters[] = {{"agentId", "--agent", FROM_TEXT, "agent"},
                                              {"sort", "--sort", FROM_TEXT, NULL},
                                              {NULL, NULL, 0, NULL}};
static const struct from delivery_filters[] = {{"webhookId", "--webhook", FROM_TEXT, NULL},
                                               {"executionId", "--execution", FROM_TEXT, NULL},
                                               {"status", "--status", FROM_TEXT, NULL},
                                               {"sort", "--sort", FROM_TEXT, NULL},
                                               {NULL, NULL, 0, NULL}};
static const struct from letter_filters[] = {{"kind", "--kind", FROM_TEXT, NULL},
                                             {"agentId", "--agent", FROM_TEXT, "agent"},
                                             {"state", "--state", FROM_TEXT, NULL},
                                             {"sort", "--sort", FROM_TEXT, NULL},
                                             {NULL, NULL, 0, NULL}};
static const struct from webhook_body[] = {{"url", NULL, FROM_TEXT, NULL},
                                           {"agentId", "--agent", FROM_TEXT, "agent"},
                                           {"events", "--event", FROM_LIST, NULL},
                                           {"description", "--description", FROM_TEXT, NULL},
                                           {"isActive", "--active", FROM_BOOLEAN, NULL},
                                           {"secret", "--secret-file", FROM_LINE, NULL},
                                           {NULL, NULL, 0, NULL}};
#define WEBHOOK_BRIEF "id url agentId events isActive failingSince disabledReason secret"
static const struct route webhook_create = {
    .method = "POST", .path = "/v1/webhooks", .body = webhook_body, .members = WEBHOOK_BRIEF};
static const struct route webhook_list = {
    .method = "GET", .path = "/v1/webhooks", .query = webhook_filters, COLUMNS(webhook_columns)};
static const struct route webhook_get = {.method = "GET", .path = "/v1/webhooks/{webhook}"};
static const struct route webhook_update = {.method = "PATCH",
                                            .path = "/v1/webhooks/{webhook}",
                                            .body = whole_file,
                                            .members = WEBHOOK_BRIEF};
static const struct route webhook_delete = {.method = "DELETE",
                                            .path = "/v1/webhooks/{webhook}",
                                            .ask = "delete the webhook",
                                            .done = "is deleted"};
static const struct route webhook_rotate = {
    .method = "POST", .path = "/v1/webhooks/{webhook}/rotate", .members = "id secret"};
/* Exits with 1 when it did not arrive. */
static int test_show(struct client *client, const json_t *json)
{
    bool delivered = jx_bool(json, "delivered", false);
    buf_auto text = BUF_INIT;
    const char *error = jx_str(json, "error", NULL);
    if (error != NULL) {
        buf_append_str(&text, "it did not answer: ");
        format_text(&text, json_object_get(json, "error"));
    } else {
        buf_printf(&text, "%s: it answered %lld in ", delivered ? "delivered" : "NOT delivered",
                   (long long)jx_int(json, "responseStatus", 0));
        format_duration(&text, json_object_get(json, "tookMs"));
    }
    buf_append_char(&text, '\n');
    int rc = client->json ? client_print_json(json) : client_print(&text);
    return rc != EXIT_DONE ? rc : delivered ? EXIT_DONE : EXIT_FAILED;
}

static const struct route webhook_test = {
    .method = "POST", .path = "/v1/webhooks/{webhook}/test", .show = test_show};
static const struct route delivery_list = {.method = "GET",
                                           .path = "/v1/webhook-deliveries",
                                           .query = delivery_filters,
                                           COLUMNS(delivery_columns)};
static const struct route delivery_get = {.method = "GET",
                                          .path = "/v1/webhook-deliveries/{delivery}"};
static const struct route delivery_log = {.method = "GET",
                                          .path = "/v1/webhook-deliveries/{delivery}/attempts",
                                          COLUMNS(delivery_log_columns)};
static const struct route delivery_again = {.method = "POST",
                                            .path = "/v1/webhook-deliveries/{delivery}/redeliver",
                                            .members = "id status nextAttemptAt"};
static const struct route letter_list = {
    .method = "GET", .path = "/v1/dead-letters", .query = letter_filters, COLUMNS(letter_columns)};
static const struct route letter_requeue = {.method = "POST",
                                            .path = "/v1/dead-letters/{letter}/requeue",
                                            .members = "id kind requeuedAt requeuedAs"};

/* ---- batches ---- */

static const struct column batch_columns[] = {
    {"ID", "id", format_text, false},
    {"AGENT", "agentId", format_text, false},
    {"VERSION", "agentVersion", format_text, false},
    {"TOTAL", "total", format_count, true},
    {"CREATED", "createdAt", format_when, false},
};
static const struct from batch_filters[] = {
    {"agentId", "--agent", FROM_TEXT, "agent"},
    {"createdAfter", "--after", FROM_TIME, NULL},
    {"createdBefore", "--before", FROM_TIME, NULL},
    {"sort", "--sort", FROM_TEXT, NULL},
    {NULL, NULL, 0, NULL},
};
static const struct from batch_execution_filters[] = {
    {"status", "--status", FROM_TEXT, NULL},
    {"errorCode", "--error", FROM_TEXT, NULL},
    {"sort", "--sort", FROM_TEXT, NULL},
    {NULL, NULL, 0, NULL},
};
#define BATCH_BRIEF "id agentId agentVersion total status counts createdAt"
static const struct route batch_create = {.method = "POST",
                                          .path = "/v1/agents/{agent}/batches",
                                          .body = whole_file,
                                          .members = BATCH_BRIEF};
static const struct route batch_list = {
    .method = "GET", .path = "/v1/batches", .query = batch_filters, COLUMNS(batch_columns)};
static const struct route batch_get = {
    .method = "GET", .path = "/v1/batches/{batch}", .members = BATCH_BRIEF};
static const struct route batch_executions = {.method = "GET",
                                              .path = "/v1/batches/{batch}/executions",
                                              .query = batch_execution_filters,
                                              COLUMNS(execution_columns)};
static const struct route batch_cancel = {
    .method = "POST", .path = "/v1/batches/{batch}/cancel", .members = "id status counts"};

/* ---- events and webhook endpoints ---- */

static const struct column event_columns[] = {
    {"ID", "id", format_text, false},         {"TYPE", "type", format_text, false},
    {"SOURCE", "source", format_text, false}, {"SUBJECT", "subject", format_text, false},
    {"EVENT", "eventId", format_text, false}, {"RECEIVED", "receivedAt", format_when, false},
};
static const struct from event_filters[] = {{"type", "--type", FROM_TEXT, NULL},
                                            {"source", "--source", FROM_TEXT, NULL},
                                            {"eventId", "--id", FROM_TEXT, NULL},
                                            {"sort", "--sort", FROM_TEXT, NULL},
                                            {"receivedAfter", "--after", FROM_TIME, NULL},
                                            {"receivedBefore", "--before", FROM_TIME, NULL},
                                            {NULL, NULL, 0, NULL}};
static const struct route event_list = {
    .method = "GET", .path = "/v1/events", .query = event_filters, COLUMNS(event_columns)};
static const struct route event_get = {.method = "GET", .path = "/v1/events/{event}"};

/* The secret alone goes to stdout, so that it can be sent to a file. */
static int secret_show(struct client *client, const json_t *json)
{
    if (client->json)
        return client_print_json(json);
    buf_auto text = BUF_INIT;
    term_say("endpoint '%s': deliveries go to %s; its secret is shown this once:",
             jx_str(json, "name", ""), jx_str(json, "path", ""));
    format_text(&text, json_object_get(json, "secret"));
    buf_append_char(&text, '\n');
    return client_print(&text);
}

static const struct column hook_columns[] = {
    {"NAME", "name", format_text, false},       {"ID", "id", format_text, false},
    {"STYLE", "style", format_text, false},     {"DELIVERS", "delivers", format_text, false},
    {"ACTIVE", "isActive", format_mark, false}, {"LAST", "lastDeliveryAt", format_when, false},
    {"AGENT", "agentId", format_text, false},
};
static const struct from hook_body[] = {{"name", "--name", FROM_TEXT, NULL},
                                        {"style", "--style", FROM_TEXT, NULL},
                                        {"delivers", "--delivers", FROM_TEXT, NULL},
                                        {"eventType", "--event-type", FROM_TEXT, NULL},
                                        {"version", "--version", FROM_TEXT, NULL},
                                        {"toleranceMs", "--tolerance", FROM_DURATION, NULL},
                                        {"isActive", "--active", FROM_BOOLEAN, NULL},
                                        {"secret", "--secret-file", FROM_LINE, NULL},
                                        {NULL, NULL, 0, NULL}};
static const struct from hook_filters[] = {{"agentId", "--agent", FROM_TEXT, "agent"},
                                           {"name", "--name", FROM_TEXT, NULL},
                                           {NULL, NULL, 0, NULL}};
static const struct from rotate_body[] = {{"graceMs", "--grace", FROM_DURATION, NULL},
                                          {"secret", "--secret-file", FROM_LINE, NULL},
                                          {NULL, NULL, 0, NULL}};
static const struct route hook_create = {
    .method = "POST", .path = "/v1/agents/{agent}/hooks", .body = hook_body, .show = secret_show};
static const struct route hook_list = {
    .method = "GET", .path = "/v1/hooks", .query = hook_filters, COLUMNS(hook_columns)};
static const struct route hook_get = {.method = "GET", .path = "/v1/hooks/{hook}"};
static const struct route hook_update = {.method = "PATCH",
                                         .path = "/v1/hooks/{hook}",
                                         .body = hook_body,
                                         .members = "id agentId name style delivers isActive path"};
static const struct route hook_rotate = {
    .method = "POST", .path = "/v1/hooks/{hook}/rotate", .body = rotate_body, .show = secret_show};
static const struct column received_columns[] = {
    {"RECEIVED", "createdAt", format_when, false},
    {"OUTCOME", "outcome", format_text, false},
    {"STATUS", "executionStatus", format_text, false},
    {"CODE", "errorCode", format_text, false},
    {"EXECUTION", "executionId", format_text, false},
    {"EVENT", "eventId", format_text, false},
    {"ID", "id", format_text, false},
    {"REASON", "reason", format_text, false},
};
static const struct from received_filters[] = {{"outcome", "--outcome", FROM_TEXT, NULL},
                                               {NULL, NULL, 0, NULL}};
static const struct route hook_deliveries = {.method = "GET",
                                             .path = "/v1/hooks/{hook}/deliveries",
                                             .query = received_filters,
                                             COLUMNS(received_columns)};
static const struct route hook_delivery = {.method = "GET",
                                           .path = "/v1/hooks/{hook}/deliveries/{delivery}"};
static const struct route hook_redeliver = {
    .method = "POST", .path = "/v1/hooks/{hook}/deliveries/{delivery}/redeliver"};
static const struct route hook_delete = {.method = "DELETE",
                                         .path = "/v1/hooks/{hook}",
                                         .ask = "delete the endpoint",
                                         .done = "is deleted"};

/* ---- the API itself ---- */

static int document_show(struct client *client, const json_t *json)
{
    (void)client;
    return client_print_json(json);
}

static const struct route openapi_get = {
    .method = "GET", .path = "/v1/openapi.json", .show = document_show};

/* ---- the table ---- */

#define SCHEDULE_USAGE                                                                                               \
    "[--timezone ZONE] [--input FILE] [--name NAME] [--version VERSION] [--overlap skip|queue|cancelRunning|allow] " \
    "[--missed skip|one|all] [--missed-window DURATION] [--jitter DURATION] [--active true|false]"

#define RUN_USAGE                                                                                  \
    "[--input FILE|-] [--input-json JSON] [--set MEMBER=TEXT…] [--version VERSION] "             \
    "[--priority N] [--delay DURATION] [--at TIME] [--concurrency-key KEY] "                       \
    "[--on-disconnect continue|cancel] [--webhook URL] [--webhook-secret FILE] [--context FILE] "  \
    "[--idempotency-key KEY] [--async] [--no-follow]"

const struct command commands[] = {
    {"run", NULL, "AGENT " RUN_USAGE,
     "Execute an agent, follow it live, print its output and exit with its outcome.", command_run,
     NULL},

    {"agent", "create", "-f FILE", "Create an agent from a JSON file.", NULL, &agent_create},
    {"agent", "list",
     "[--name NAME] [--text TEXT] [--status draft|published|deprecated|archived] [--visibility private|team|organization|public] "
     "[--trigger-mode manual|event|scheduled] [--skill SKILL] [--owner USER] [--org ORG] [--sort ORDER] [--limit N]",
     "List agents.", NULL, &agent_list},
    {"agent", "get", "AGENT", "Show an agent.", NULL, &agent_get},
    {"agent", "update", "AGENT -f FILE", "Edit an agent's draft by a JSON merge patch.", NULL,
     &agent_update},
    {"agent", "replace", "AGENT -f FILE", "Put a JSON file in the place of an agent's draft.", NULL,
     &agent_replace},
    {"agent", "publish", "AGENT [--version VERSION] [--changelog TEXT]",
     "Make a version of an agent as it is now, and publish it.", command_agent_publish, NULL},
    {"agent", "diff", "AGENT [FROM] [TO]",
     "Show what changed from one version to another, what it breaks, and which version is next.",
     command_agent_diff, NULL},
    {"agent", "rollback", "AGENT VERSION", "Make a version current that was published before.",
     NULL, &agent_rollback},
    {"agent", "deprecate", "AGENT [--sunset TIME] [--reason TEXT]",
     "Let an agent run on, with a warning.", NULL, &agent_deprecate},
    {"agent", "archive", "AGENT [--yes]", "Let an agent run no more; it can still be read.", NULL,
     &agent_archive},
    {"agent", "delete", "AGENT [--force] [--yes]", "Delete an agent.", NULL, &agent_delete},
    {"agent", "backtest", "AGENT [--version VERSION] [--base VERSION] [--last N]",
     "Run a version, or the draft, on the last recorded executions and compare.", NULL,
     &agent_backtest},
    {"agent", "validate", "-f FILE", "Check an agent's file without saving it.", NULL,
     &agent_validate},

    {"version", "create",
     "AGENT [--version VERSION] [--from VERSION] [--config FILE] [--changelog TEXT]",
     "Make a version of an agent as it is now, of another version, or of a file.", NULL,
     &version_create},
    {"version", "list", "AGENT [--status draft|published|deprecated|archived] [--limit N]",
     "List an agent's versions.", NULL, &version_list},
    {"version", "get", "AGENT VERSION", "Show a version.", NULL, &version_get},
    {"version", "publish", "AGENT VERSION [--changelog TEXT]",
     "Publish a version: from then on it is what runs.", NULL, &version_publish},
    {"version", "update", "AGENT VERSION -f FILE",
     "Edit a version that is not published by a JSON merge patch.", NULL, &version_update},
    {"version", "deprecate", "AGENT VERSION [--sunset TIME] [--reason TEXT]",
     "Let a version run on, with a warning.", NULL, &version_deprecate},
    {"version", "archive", "AGENT VERSION [--yes]",
     "Let a version run no more; it can still be read.", NULL, &version_archive},
    {"version", "delete", "AGENT VERSION [--yes]", "Delete a draft or archived version.", NULL,
     &version_delete},

    {"alias", "list", "AGENT [--limit N]", "List an agent's aliases.", NULL, &alias_list},
    {"alias", "get", "AGENT ALIAS", "Show an alias.", NULL, &alias_get},
    {"alias", "set", "AGENT ALIAS TARGET…",
     "Let a name stand for versions, each VERSION or VERSION=PERCENT.", command_alias_set, NULL},
    {"alias", "delete", "AGENT ALIAS [--yes]", "Delete an alias.", NULL, &alias_delete},

    {"usage", NULL,
     "[--by agent|day|organization] [--agent AGENT] [--from TIME] [--to TIME] [--limit N]",
     "Sum up what executions used, by agent, day or organization.", NULL, &usage_list},
    {"execution", "list",
     "[--agent AGENT] [--status pending|running|completed|failed|cancelled] [--version VERSION] [--user USER] [--parent EXECUTION] "
     "[--error CODE] [--batch BATCH] [--key KEY] [--text TEXT] [--after TIME] [--before TIME] "
     "[--sort ORDER] [--limit N]",
     "List executions and what each used.", NULL, &execution_list},
    {"execution", "get", "EXECUTION", "Show an execution.", NULL, &execution_get},
    {"execution", "logs", "EXECUTION [--level debug|info|warn|error] [--limit N]",
     "Print an execution's logs.", command_execution_logs, NULL},
    {"execution", "attempts", "EXECUTION [--limit N]",
     "List the attempts of an execution that was tried again.", NULL, &execution_attempts},
    {"execution", "follow", "EXECUTION",
     "Follow an execution live, as `run` does, and exit with its outcome.",
     command_execution_follow, NULL},
    {"execution", "cancel", "EXECUTION", "Cancel an execution.", NULL, &execution_cancel},
    {"execution", "waits", "EXECUTION [--limit N]", "List what an execution waits for.", NULL,
     &execution_waits},
    {"execution", "signal", "EXECUTION NAME [--payload FILE|-] [--payload-json JSON]",
     "Send a signal to an execution that waits for it, now or later.", NULL, &execution_signal},
    {"execution", "journal", "EXECUTION [--kind KIND] [--limit N]",
     "List what an execution asked for and was answered.", NULL, &execution_journal},

    {"execution", "retry", "EXECUTION [--version VERSION]",
     "Start an execution with the input of one that failed.", NULL, &execution_retry},
    {"execution", "fork",
     "EXECUTION [--step N] [--input FILE|-] [--input-json JSON] [--version VERSION] "
     "[--answers FILE]",
     "Start an execution that is answered as this one was up to a step.", NULL, &execution_fork},

    {"replay", NULL, "[EXECUTION] [--export FILE] [--file FILE]",
     "Run an execution again from its journal and compare; or export it, or replay an exported "
     "file here, without a server.",
     command_replay, NULL},

    {"wait", "list", "[--kind KIND] [--name NAME] [--agent AGENT] [--sort ORDER] [--limit N]",
     "List what waits, and for what.", NULL, &wait_list},

    {"batch", "create", "AGENT -f FILE",
     "Execute an agent on many inputs: a JSON file with the array `inputs`.", NULL, &batch_create},
    {"batch", "list", "[--agent AGENT] [--after TIME] [--before TIME] [--sort ORDER] [--limit N]",
     "List batches.", NULL, &batch_list},
    {"batch", "get", "BATCH", "Show a batch: its status, and how many have which.", NULL,
     &batch_get},
    {"batch", "executions",
     "BATCH [--status pending|running|completed|failed|cancelled] [--error CODE] [--sort ORDER] [--limit N]",
     "List a batch's executions in the order of its inputs.", NULL, &batch_executions},
    {"batch", "cancel", "BATCH", "Cancel all of a batch that has not ended.", NULL, &batch_cancel},

    {"webhook", "create",
     "URL [--agent AGENT] [--event EVENT…] [--description TEXT] [--active true|false] "
     "[--secret-file FILE]",
     "Be told when executions end; prints the secret that signs, this once.", NULL,
     &webhook_create},
    {"webhook", "list", "[--agent AGENT] [--sort ORDER] [--limit N]", "List webhooks.", NULL,
     &webhook_list},
    {"webhook", "get", "WEBHOOK", "Show a webhook.", NULL, &webhook_get},
    {"webhook", "update", "WEBHOOK -f FILE", "Edit a webhook by a JSON merge patch.", NULL,
     &webhook_update},
    {"webhook", "delete", "WEBHOOK [--yes]", "Delete a webhook and its deliveries.", NULL,
     &webhook_delete},
    {"webhook", "test", "WEBHOOK", "Send a webhook a test notification, and say what it answers.",
     NULL, &webhook_test},
    {"webhook", "rotate", "WEBHOOK", "Give a webhook a new secret; the old one signs on a while.",
     NULL, &webhook_rotate},
    {"delivery", "list",
     "[--webhook WEBHOOK] [--execution EXECUTION] [--status pending|delivered|dead] [--sort ORDER] [--limit N]",
     "List what webhooks were sent.", NULL, &delivery_list},
    {"delivery", "get", "DELIVERY", "Show a delivery.", NULL, &delivery_get},
    {"delivery", "log", "DELIVERY [--limit N]", "List a delivery's attempts and their answers.",
     NULL, &delivery_log},
    {"delivery", "redeliver", "DELIVERY", "Deliver it again.", NULL, &delivery_again},
    {"dead-letter", "list",
     "[--kind execution|webhook] [--agent AGENT] [--state waiting|requeued] [--sort ORDER] [--limit N]",
     "List executions and deliveries that were tried as often as they may be.", NULL, &letter_list},
    {"dead-letter", "requeue", "LETTER", "Send a dead letter again.", NULL, &letter_requeue},

    {"skill", "new", "NAME [--dir DIR]", "Write NAME.lua, a skill to begin with.",
     command_skill_new, NULL},
    {"skill", "test", "FILE…",
     "Run the examples of skill files in the real sandbox, without a daemon.", command_skill_test,
     NULL},
    {"skill", "upload", "FILE…", "Upload skill files.", command_skill_upload, NULL},
    {"skill", "list", "[--name NAME] [--text TEXT] [--sort ORDER] [--limit N]", "List skills.",
     NULL, &skill_list},
    {"skill", "get", "SKILL [--source] [--revision SHA256]",
     "Show a skill, or print its Lua source.", command_skill_get, NULL},
    {"skill", "revisions", "SKILL", "List a skill's revisions.", NULL, &skill_revisions},
    {"skill", "delete", "SKILL [--yes]", "Delete a skill that no agent names.", NULL,
     &skill_delete},

    {"chain", "create", "-f FILE", "Create a chain of agents from a JSON file.", NULL,
     &chain_create},
    {"chain", "list",
     "[--name NAME] [--text TEXT] [--status active|inactive|deprecated] [--owner USER] "
     "[--sort ORDER] [--limit N]",
     "List chains.", NULL, &chain_list},
    {"chain", "get", "CHAIN", "Show a chain.", NULL, &chain_get},
    {"chain", "update", "CHAIN -f FILE", "Edit a chain by a JSON merge patch.", NULL,
     &chain_update},
    {"chain", "delete", "CHAIN [--yes]", "Delete a chain and its executions.", NULL, &chain_delete},
    {"chain", "validate", "-f FILE", "Check a chain's configuration without saving it.", NULL,
     &chain_validate},
    {"chain", "run", "CHAIN " RUN_USAGE,
     "Execute a chain, follow it live, print its output and exit with its outcome.",
     command_chain_run, NULL},
    {"chain", "executions",
     "CHAIN [--status pending|running|completed|failed|cancelled] [--version VERSION] "
     "[--sort ORDER] [--limit N]",
     "List a chain's executions.", NULL, &chain_executions},
    {"chain", "execution", "EXECUTION", "Show an execution of a chain, with its steps.", NULL,
     &chain_execution},
    {"chain", "optimize", "CHAIN", "Say what a chain's executions suggest to change.", NULL,
     &chain_optimize},

    {"persona", "create", "NAME --prompt FILE [--description TEXT]",
     "Create a persona; its prompt is the file's text.", NULL, &persona_create},
    {"persona", "list", "[--name NAME] [--text TEXT] [--sort ORDER] [--limit N]", "List personas.",
     NULL, &persona_list},
    {"persona", "get", "PERSONA", "Show a persona.", NULL, &persona_get},
    {"persona", "update", "PERSONA [--name NAME] [--prompt FILE] [--description TEXT]",
     "Edit a persona.", NULL, &persona_update},
    {"persona", "delete", "PERSONA [--yes]", "Delete a persona.", NULL, &persona_delete},

    {"schedule", "create", "AGENT --cron EXPRESSION " SCHEDULE_USAGE,
     "Run an agent at the times of a cron expression.", NULL, &schedule_create},
    {"schedule", "list", "[--agent AGENT] [--state STATE] [--name NAME] [--limit N]",
     "List schedules.", NULL, &schedule_list},
    {"schedule", "get", "SCHEDULE", "Show a schedule.", NULL, &schedule_get},
    {"schedule", "update", "SCHEDULE [--cron EXPRESSION] " SCHEDULE_USAGE, "Edit a schedule.", NULL,
     &schedule_update},
    {"schedule", "delete", "SCHEDULE [--yes]", "Delete a schedule and its history.", NULL,
     &schedule_delete},
    {"schedule", "pause", "SCHEDULE", "Pause a schedule.", NULL, &schedule_pause},
    {"schedule", "resume", "SCHEDULE", "Resume a schedule from its next time on.", NULL,
     &schedule_resume},
    {"schedule", "run", "SCHEDULE", "Run a schedule now, beside its times.", NULL, &schedule_run},
    {"schedule", "runs", "SCHEDULE [--outcome started|queued|skipped|missed|failed] [--limit N]",
     "List what became of a schedule's times, and why.", NULL, &schedule_runs},
    {"schedule", "next", "SCHEDULE [--count N]", "Show a schedule's next times.", NULL,
     &schedule_next},
    {"schedule", "preview", "EXPRESSION [--timezone ZONE] [--from TIME] [--count N]",
     "Show the next times of a cron expression without saving it.", NULL, &schedule_preview},

    {"event", "send",
     "[TYPE] [-f FILE] [--source SOURCE] [--id ID] [--subject SUBJECT] [--data FILE] [--test]",
     "Send a CloudEvent to the agents that wait for it, or see who would get it.",
     command_event_send, NULL},
    {"event", "list",
     "[--type TYPE] [--source SOURCE] [--id ID] [--after TIME] [--before TIME] [--sort ORDER] "
     "[--limit N]",
     "List events.", NULL, &event_list},
    {"event", "get", "EVENT", "Show an event and what it started.", NULL, &event_get},

    {"hook", "create",
     "AGENT --name NAME [--style standard|github] [--delivers execution|event] [--event-type TYPE] [--version VERSION] "
     "[--tolerance DURATION] [--secret-file FILE]",
     "Make a webhook endpoint of an agent and print its secret, this once.", NULL, &hook_create},
    {"hook", "list", "[--agent AGENT] [--name NAME] [--limit N]",
     "List webhook endpoints; never their secrets.", NULL, &hook_list},
    {"hook", "get", "HOOK", "Show a webhook endpoint.", NULL, &hook_get},
    {"hook", "update",
     "HOOK [--name NAME] [--delivers execution|event] [--event-type TYPE] [--version VERSION] "
     "[--tolerance DURATION] [--active true|false]",
     "Edit a webhook endpoint.", NULL, &hook_update},
    {"hook", "rotate", "HOOK [--grace DURATION] [--secret-file FILE]",
     "Give a webhook endpoint a new secret and print it, this once.", NULL, &hook_rotate},
    {"hook", "deliveries", "HOOK [--outcome started|event|refused] [--limit N]",
     "List what an endpoint was sent, and what became of it.", NULL, &hook_deliveries},
    {"hook", "delivery", "HOOK DELIVERY", "Show a delivery, with its payload when it was refused.",
     NULL, &hook_delivery},
    {"hook", "redeliver", "HOOK DELIVERY", "Take a delivery once more.", NULL, &hook_redeliver},
    {"hook", "delete", "HOOK [--yes]", "Delete a webhook endpoint.", NULL, &hook_delete},

    {"apply", NULL, "-f DIR [--dry-run] [--yes]",
     "Bring skills, personas, agents and chains from files to the server.", command_apply, NULL},
    {"export", NULL, "DIR [AGENT…] [--force]",
     "Write agents with their skills and personas, and chains, to files that apply takes.",
     command_export, NULL},

    {"token", "create", "NAME --scope SCOPE… [--expires TIME] [--user USER] [--org ORG]",
     "Create a token and print it, this once.", NULL, &token_create},
    {"token", "list", "[--user USER] [--limit N]", "List tokens; never the tokens themselves.",
     NULL, &token_list},
    {"token", "get", "TOKEN", "Show a token, without the token itself.", NULL, &token_get},
    {"token", "rotate", "TOKEN [--overlap DURATION]",
     "Replace a token by a new one and print that, this once.", NULL, &token_rotate},
    {"token", "revoke", "TOKEN", "Revoke a token.", NULL, &token_revoke},

    {"org", "create", "NAME [--settings FILE]", "Create an organization.", NULL, &org_create},
    {"org", "list", "[--limit N]", "List your organizations.", NULL, &org_list},
    {"org", "get", "ORG", "Show an organization.", NULL, &org_get},
    {"org", "update", "ORG [--name NAME] [--settings FILE]", "Edit an organization.", NULL,
     &org_update},
    {"org", "delete", "ORG [--yes]", "Delete an organization that has no agents.", NULL,
     &org_delete},

    {"user", "create",
     "NAME [--email ADDRESS] [--role owner|admin|member|viewer] [--kind person|service]",
     "Add a user, or a service account, to the organization.", NULL, &user_create},
    {"user", "list",
     "[--name NAME] [--text TEXT] [--email ADDRESS] [--role owner|admin|member|viewer] [--kind person|service] [--sort ORDER] "
     "[--limit N]",
     "List the organization's users.", NULL, &user_list},
    {"user", "get", "USER", "Show a user.", NULL, &user_get},
    {"user", "update", "USER [--name NAME] [--email ADDRESS] [--role owner|admin|member|viewer]",
     "Edit a user.", NULL, &user_update},
    {"user", "delete", "USER [--hand-over-to USER] [--yes]", "Remove a user from the organization.",
     NULL, &user_delete},

    {"team", "create", "NAME [--description TEXT]", "Create a team.", NULL, &team_create},
    {"team", "list", "[--name NAME] [--user USER] [--sort ORDER] [--limit N]", "List teams.", NULL,
     &team_list},
    {"team", "get", "TEAM", "Show a team.", NULL, &team_get},
    {"team", "update", "TEAM [--name NAME] [--description TEXT]", "Edit a team.", NULL,
     &team_update},
    {"team", "delete", "TEAM [--yes]", "Delete a team, with the grants to it.", NULL, &team_delete},
    {"team", "members", "TEAM [--limit N]", "List a team's members.", NULL, &team_members},
    {"team", "add", "TEAM USER", "Put a user into a team.", NULL, &team_add},
    {"team", "remove", "TEAM USER", "Take a user out of a team.", NULL, &team_remove},

    {"grant", "create", "AGENT --permission read|write|execute|admin [--user USER] [--team TEAM]",
     "Grant a user or a team access to an agent.", NULL, &grant_create},
    {"grant", "list", "AGENT [--limit N]", "List an agent's grants.", NULL, &grant_list},
    {"grant", "get", "AGENT GRANT", "Show a grant.", NULL, &grant_get},
    {"grant", "delete", "AGENT GRANT", "Take a grant back.", NULL, &grant_delete},

    {"audit", "list",
     "[--kind KIND] [--operation NAME] [--user USER] [--type TYPE] [--id ID] [--request ID] "
     "[--after TIME] [--before TIME] [--limit N]",
     "List who changed what, and who was refused.", NULL, &audit_list},
    {"audit", "verify", "[--expect HEAD]",
     "Verify the audit log's chain of hashes; exit 1 when it is broken.", NULL, &audit_verify},

    {"whoami", NULL, "", "Show the user, the organization and the scopes of the token.", NULL,
     &me_route},
    {"login", NULL, "[URL]",
     "Store a server's address and a token (--token-file FILE, or asked for) as a profile.",
     command_login, NULL},
    {"status", NULL, "", "Say whether the server is alive, takes requests and takes the token.",
     command_status, NULL},
    {"openapi", NULL, "", "Print the server's description of its API (OpenAPI 3.1).", NULL,
     &openapi_get},
    {"version", NULL, "", "Print the version of c9ctl.", command_version, NULL},
    {"completion", NULL, "", "Print the completion script for bash.", command_completion, NULL},
    {"help", NULL, "[NOUN] [VERB]", "Print this, or the help of a command.", command_help, NULL},
};
const size_t commands_n = countof(commands);
