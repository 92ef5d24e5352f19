/* Executions run again: as they were, elsewhere, and with another version. */
#include <string.h>

#include "base/hash.h"
#include "schema/schema.h"
#include "service/execution.h"
#include "service/journal-private.h"
#include "service/launch.h"
#include "store/execution.h"
#include "store/journal.h"
#include "store/version.h"

enum { BACKTEST_DEFAULT = 20, SEED_SIZE = 32 };
#define FILE_FORMAT "c9d-execution/1"

static void replay_result_clear(struct replay_result *result)
{
    execution_outcome_clear(&result->outcome);
    json_decref(result->report);
    *result = (struct replay_result){.report = NULL};
}
#define result_auto cleanup(replay_result_clear) struct replay_result

/* ---- comparing ---- */

static json_t *decode_or_null(const char *text)
{
    error_auto err = ERROR_INIT;
    json_t *value = text != NULL ? jx_decode(text, strlen(text), "text", &err) : NULL;
    return value != NULL ? value : json_null();
}

static json_t *difference_of(const char *member, const json_t *expected, const json_t *got)
{
    jx_auto *before = json_pack("{s:O}", member, expected);
    jx_auto *after = json_pack("{s:O}", member, got);
    return jx_difference(before, after);
}

/* What stopped it came from outside, and is in no journal: it has come as far as it did. */
static bool stopped_from_outside(const json_t *execution, const json_t *error)
{
    return strcmp(jx_str(execution, "status", ""), "completed") != 0 &&
           jx_bool(json_object_get(error, "details"), "journalEnds", false);
}

static json_t *diverged(const json_t *error)
{
    const json_t *details = json_object_get(error, "details");
    json_t *difference = json_pack("{s:s}", "message", jx_str(error, "message", ""));
    static const char *const members[] = {"step", "expected", "got"};
    for (size_t i = 0; i < countof(members); i++)
        if (json_object_get(details, members[i]) != NULL)
            json_object_set(difference, members[i], json_object_get(details, members[i]));
    const json_t *request = json_object_get(details, "difference");
    if (request != NULL) {
        json_object_set_new(difference, "path", json_string(jx_str(request, "path", "")));
        json_object_set(difference, "expected", json_object_get(request, "expected"));
        json_object_set(difference, "got", json_object_get(request, "got"));
    }
    return difference;
}

/* NULL: it came out as it did. */
static json_t *outcome_difference(const json_t *execution, const struct execution_outcome *outcome)
{
    jx_auto *error = decode_or_null(outcome->error);
    if (stopped_from_outside(execution, error))
        return NULL;
    if (strcmp(jx_str(error, "code", ""), "ReplayDiverged") == 0)
        return diverged(error);
    jx_auto *before = json_string(jx_str(execution, "status", ""));
    jx_auto *after = json_string(outcome->status);
    json_t *difference = difference_of("status", before, after);
    if (difference != NULL)
        return difference;
    if (strcmp(outcome->status, "completed") == 0) {
        jx_auto *nothing = json_null(), *output = decode_or_null(outcome->output);
        const json_t *recorded = json_object_get(execution, "outputData");
        return difference_of("output", recorded != NULL ? recorded : nothing, output);
    }
    const json_t *recorded = json_object_get(execution, "errorDetails");
    jx_auto *was = json_pack("{s:s, s:s}", "code", jx_str(recorded, "code", ""), "message",
                             jx_str(recorded, "message", ""));
    jx_auto *is = json_pack("{s:s, s:s}", "code", jx_str(error, "code", ""), "message",
                            jx_str(error, "message", ""));
    return difference_of("error", was, is);
}

static json_t *result_json(const json_t *execution, const struct replay_result *result)
{
    const struct execution_outcome *o = &result->outcome;
    jx_auto *difference = outcome_difference(execution, o);
    json_t *json =
        json_pack("{s:s, s:b, s:s, s:I, s:f, s:o}", "executionId", jx_str(execution, "id", ""),
                  "same", difference == NULL, "status", o->status, "steps",
                  (json_int_t)jx_int(result->report, "used", 0), "executionTime",
                  (double)o->execution_time_us / 1000, "resourceUsage", decode_or_null(o->usage));
    if (o->output != NULL)
        json_object_set_new(json, "output", decode_or_null(o->output));
    if (o->error != NULL)
        json_object_set_new(json, "error", decode_or_null(o->error));
    if (difference != NULL)
        json_object_set(json, "difference", difference);
    return json;
}

/* ---- here ---- */

static int ended_find(struct service *service, const struct principal *who, const char *id,
                      struct execution_meta *meta_r, json_t **execution_r, struct error *err)
{
    if (service_engine(service, err) < 0 ||
        execution_find(service, who, id, ACTION_EXECUTE, meta_r, execution_r, err) < 0)
        return -1;
    if (execution_has_ended(meta_r->status))
        return 0;
    return error_set(err, E_INVALID_STATE, "execution %s has not ended: it is %s", id,
                     meta_r->status);
}

struct rerun {
    struct execution_meta meta;
    json_t *execution;
    struct execution_job job; /* seed and retries */
    struct journal_copy journal;
    struct launch *launch;
    char *input;
};

static void rerun_clear(struct rerun *r)
{
    json_decref(r->execution);
    execution_job_free(&r->job);
    journal_copy_clear(&r->journal);
    launch_unref(r->launch);
    free(r->input);
}
#define rerun_auto cleanup(rerun_clear) struct rerun

/* All but the launch. */
static int rerun_load(struct service *service, const struct principal *who, const char *id,
                      struct rerun *r, struct error *err)
{
    if (ended_find(service, who, id, &r->meta, &r->execution, err) < 0 ||
        journal_copy_load(service, &r->meta, r->execution, &r->journal, err) < 0)
        return -1;
    int found = store_execution_job(service->storage, id, &r->job, err);
    if (found != 0)
        return found < 0 ? -1 : permission_unseen(E_EXECUTION_NOT_FOUND, "execution", id, err);
    r->input = xstrdup(r->job.input != NULL ? r->job.input : "null");
    return 0;
}

static struct replay_order rerun_order(const struct rerun *r, bool loose)
{
    return (struct replay_order){.launch = r->launch,
                                 .execution_id = r->meta.id,
                                 .seed_id = r->job.seed_id != NULL ? r->job.seed_id : r->meta.id,
                                 .retries = r->job.retries,
                                 .input = r->input,
                                 .journal = &r->journal,
                                 .loose = loose};
}

int execution_replay(struct service *service, const struct principal *who, const char *execution,
                     json_t **result_r, struct error *err)
{
    rerun_auto r = {.launch = NULL};
    result_auto result = {.report = NULL};
    if (rerun_load(service, who, execution, &r, err) < 0 ||
        execution_launch(service, r.meta.agent_id, r.job.agent_version, &r.launch, err) < 0)
        return -1;
    const struct replay_order order = rerun_order(&r, false);
    if (service->ops->replay(service->engine, &order, &result, err) < 0)
        return -1;
    *result_r = result_json(r.execution, &result);
    return 0;
}

/* ---- elsewhere ---- */

int execution_export(struct service *service, const struct principal *who, const char *execution,
                     json_t **file_r, struct error *err)
{
    rerun_auto r = {.launch = NULL};
    if (rerun_load(service, who, execution, &r, err) < 0 ||
        execution_launch(service, r.meta.agent_id, r.job.agent_version, &r.launch, err) < 0)
        return -1;
    uint8_t seed[SEED_SIZE];
    char hex[2 * SEED_SIZE + 1];
    service->ops->seed(service->engine, r.job.seed_id != NULL ? r.job.seed_id : r.meta.id,
                       r.job.retries, seed);
    hash_hex(seed, sizeof(seed), hex);
    *file_r = json_pack("{s:s, s:O, s:s, s:o, s:o}", "format", FILE_FORMAT, "execution",
                        r.execution, "seed", hex, "launch", launch_to_json(r.launch), "journal",
                        journal_copy_to_json(&r.journal));
    return 0;
}

static int seed_read(const char *hex, uint8_t seed[SEED_SIZE], struct error *err)
{
    if (strlen(hex) != 2 * SEED_SIZE || strspn(hex, "0123456789abcdef") != 2 * SEED_SIZE)
        return error_set(err, E_INVALID_REQUEST, "seed: must be %d hexadecimal digits",
                         2 * SEED_SIZE);
    for (size_t i = 0; i < SEED_SIZE; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        seed[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return 0;
}

int execution_replay_file(const struct engine_ops *ops, void *engine, const json_t *file,
                          json_t **result_r, struct error *err)
{
    rerun_auto r = {.launch = NULL};
    result_auto result = {.report = NULL};
    uint8_t seed[SEED_SIZE];
    const json_t *execution = json_object_get(file, "execution");
    const char *id = jx_str(execution, "id", "");
    if (strcmp(jx_str(file, "format", ""), FILE_FORMAT) != 0)
        return error_set(err, E_INVALID_REQUEST, "the file's format is not \"" FILE_FORMAT "\"");
    if (strlen(id) != UUID_SIZE - 1)
        return error_set(err, E_INVALID_REQUEST, "execution.id: is no UUID");
    if (seed_read(jx_str(file, "seed", ""), seed, err) < 0 ||
        journal_copy_from_json(json_object_get(file, "journal"), &r.journal, err) < 0 ||
        launch_from_json(json_object_get(file, "launch"), &r.launch, err) < 0)
        return -1;
    const json_t *input = json_object_get(execution, "inputData");
    r.input = input != NULL ? jx_encode(input, NULL) : xstrdup("null");
    const struct replay_order order = {.launch = r.launch,
                                       .execution_id = id,
                                       .seed = seed,
                                       .input = r.input,
                                       .journal = &r.journal};
    if (ops->replay(engine, &order, &result, err) < 0)
        return -1;
    *result_r = result_json(execution, &result);
    return 0;
}

/* ---- another version ---- */

static json_t *before_and_after(json_int_t before, json_int_t after)
{
    return json_pack("{s:I, s:I}", "before", before, "after", after);
}

/* What the journal's entries cost, as the replay's do. */
static json_t *backtest_item(const struct rerun *r, const struct replay_result *result)
{
    const json_t *report = result->report, *was = json_object_get(r->execution, "resourceUsage");
    jx_auto *is = decode_or_null(result->outcome.usage);
    json_t *item = result_json(r->execution, result);
    int64_t cost = 0, tokens = 0, calls = 0;
    for (size_t i = 0; i < r->journal.n; i++) {
        cost += r->journal.entries[i].cost_microcents;
        tokens += r->journal.entries[i].tokens;
        calls += r->journal.entries[i].api_calls;
    }
    json_object_del(item, "resourceUsage");
    json_object_del(item, "executionTime");
    json_object_set_new(item, "costMicrocents",
                        before_and_after(cost, jx_int(is, "costMicrocents", 0)));
    json_object_set_new(item, "tokensConsumed",
                        before_and_after(tokens, jx_int(is, "tokensConsumed", 0)));
    json_object_set_new(item, "apiCallsCount",
                        before_and_after(calls, jx_int(is, "apiCallsCount", 0)));
    json_object_set_new(item, "cpuTimeUs",
                        before_and_after(jx_int(was, "cpuTimeUs", 0), jx_int(is, "cpuTimeUs", 0)));
    json_object_set_new(item, "changedRequests", json_integer(jx_int(report, "changed", 0)));
    json_object_set(item, "changes", json_object_get(report, "changes"));
    json_object_set_new(item, "unusedAnswers", json_integer(jx_int(report, "unused", 0)));
    return item;
}

/* Its input may not be one that the version takes. */
static json_t *backtest_refused(const struct rerun *r, const struct error *err)
{
    return json_pack("{s:s, s:b, s:s, s:{s:s, s:s}}", "executionId", r->meta.id, "same", 0,
                     "status", "refused", "difference", "path", "/input", "message", err->message);
}

static int backtest_one(struct service *service, const struct principal *who, const char *id,
                        struct launch *launch, json_t *items, struct error *err)
{
    rerun_auto r = {.launch = launch_ref(launch)};
    result_auto result = {.report = NULL};
    error_auto refused = ERROR_INIT;
    if (rerun_load(service, who, id, &r, err) < 0)
        return -1;
    jx_auto *input = decode_or_null(r.input);
    if (launch->input_schema != NULL &&
        schema_validate(launch->input_schema, input, &refused) < 0) {
        json_array_append_new(items, backtest_refused(&r, &refused));
        return 0;
    }
    const struct replay_order order = rerun_order(&r, true);
    if (service->ops->replay(service->engine, &order, &result, err) < 0)
        return -1;
    json_array_append_new(items, backtest_item(&r, &result));
    return 0;
}

int agent_backtest(struct service *service, const struct principal *who, const char *agent,
                   const json_t *body, json_t **report_r, struct error *err)
{
    struct agent_meta meta;
    const char *version = jx_str(body, "version", VERSION_DRAFT);
    int64_t most = jx_int(body, "executions", BACKTEST_DEFAULT);
    if (most < 1 || most > BACKTEST_MAX)
        return error_set(err, E_INVALID_REQUEST, "executions: must be from 1 to %d", BACKTEST_MAX);
    if (service_engine(service, err) < 0 ||
        agent_find(service, who, agent, ACTION_WRITE, &meta, NULL, err) < 0)
        return -1;
    const char *base = jx_str(body, "baseVersion", meta.current_version);
    struct launch *launch = NULL;
    jx_auto *ids = json_array(), *items = json_array();
    if (launch_get(service, &meta, version, &launch, err) < 0)
        return -1;
    int result = store_journal_recorded(service->storage, meta.id, base, most, ids, err);
    for (size_t i = 0; i < json_array_size(ids) && result == 0; i++)
        result = backtest_one(service, who, json_string_value(json_array_get(ids, i)), launch,
                              items, err);
    launch_unref(launch);
    if (result < 0)
        return -1;
    json_int_t same = 0;
    size_t i;
    json_t *item;
    json_array_foreach (items, i, item)
        same += jx_bool(item, "same", false);
    json_int_t all = (json_int_t)json_array_size(items);
    *report_r = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:O}", "agentId", meta.id, "version",
                          version, "baseVersion", base, "compared", all, "same", same, "different",
                          all - same, "items", items);
    return 0;
}
