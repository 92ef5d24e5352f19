/* The statements of executions: each does what the engine counts on, and refuses what it must. */
#include "base/json.h"
#include "lib/store_world.h"
#include "store/execution.h"
#include "store/row.h"

static struct world w;

/* Of agent_executions, all but the id. */
#define COLUMNS                                                                                    \
    "agent_id, agent_version, organization_id, input_data, output_data, status, started_at, "      \
    "completed_at, execution_time_ms, error_message, error_details, resource_usage, "              \
    "triggered_by, parent_id, execution_context, cancel_requested, priority, available_at, "       \
    "lease_owner, lease_until, attempt, created_at, version_note, journal_removed, "               \
    "waiting_for, active_us, cpu_us, memory_peak, origin_id, origin_kind, seed_id, turn, "         \
    "retries, attempt_seq, concurrency_key, blocked_on, batch_id, batch_index, schedule_id"

static struct execution_row row_of(const char *id, const char *owner)
{
    struct execution_row row = {.agent_id = "agent",
                                .agent_version = "1.0.0",
                                .organization_id = "org",
                                .triggered_by = "ann",
                                .input = "{\"n\":1}",
                                .context = "{}",
                                .priority = 3,
                                .available_at = 10,
                                .created_at = 10,
                                .lease_owner = owner,
                                .lease_until = 99,
                                .concurrency_key = "key",
                                .version_note = "{\"ref\":\"^1\"}"};
    snprintf(row.id, sizeof(row.id), "%s", id);
    return row;
}

static void insert(const char *id, const char *owner)
{
    struct storage_batch *batch = storage_batch_new();
    const struct execution_row row = row_of(id, owner);
    store_execution_insert(batch, &row);
    is_int(world_commit(&w, batch), 0, "%s is inserted", id);
}

static int started(const char *id, const char *owner)
{
    struct storage_batch *batch = storage_batch_new();
    store_execution_started(batch, id, owner, 2000000);
    return world_commit(&w, batch);
}

static int starts(const char *id, const char *owner, int64_t n)
{
    struct storage_batch *batch = storage_batch_new();
    store_execution_starts(batch, id, owner, n);
    return world_commit(&w, batch);
}

static int64_t attempt(const char *id)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT attempt FROM agent_executions WHERE id = '%s'", id);
    return world_int(&w, sql);
}

static struct execution_end end_of(const char *status)
{
    return (struct execution_end){
        .status = status,
        .output = "42",
        .error_message = "why",
        .error_details = "{}",
        .usage_json = "{\"cpuTimeUs\":1500}",
        .usage = {.cpu_us = 1500, .memory_peak = 1, .tokens = 7, .cost_microcents = 1},
        .started_at = 2000000,
        .completed_at = 2345000,
        .starts = 2};
}

static int ended(const char *id, const char *owner, const char *status)
{
    struct storage_batch *batch = storage_batch_new();
    const struct execution_end end = end_of(status);
    store_execution_ended(batch, id, "agent", owner, &end);
    return world_commit(&w, batch);
}

static void life_test(void)
{
    insert("e1", "me");
    is_int(world_int(&w, "SELECT attempt FROM agent_executions WHERE id = 'e1'"), 1,
           "the first start of what is inserted under a lease is counted");
    is_int(started("e1", "other"), -1, "who has no lease cannot start it");
    is_int(started("e1", "me"), 0, "who has it can");
    is_int(started("e1", "me"), 0, "again, when it is taken up again");
    is_int(starts("e1", "other", 7), -1, "who has no lease counts no start");
    is_int(starts("e1", "me", 3), 0, "who has it counts them");
    is_int(attempt("e1"), 3, "as they are");
    is_int(ended("e1", "other", "completed"), -1, "who has no lease cannot end it");
    is_int(ended("e1", NULL, "completed"), -1, "nor can nobody");
    is_int(ended("e1", "me", "completed"), 0, "who has it can");
    is_int(ended("e1", "me", "failed"), -1, "once");
    is_int(attempt("e1"), 2, "with those that were made");
    is_int(world_int(&w, "SELECT execution_time_ms FROM agent_executions WHERE id = 'e1'"), 345,
           "its time in milliseconds");
    is_int(world_int(&w, "SELECT lease_owner IS NULL FROM agent_executions WHERE id = 'e1'"), 1,
           "and the lease is over");
    is_int(world_int(&w, "SELECT count(*) FROM agent_resource_usage WHERE execution_id = 'e1'"), 1,
           "usage is written once");
    is_int(world_int(&w, "SELECT cpu_time_ms * 100 + memory_peak_mb * 10 + cost_cents"
                         " FROM agent_resource_usage WHERE execution_id = 'e1'"),
           211, "rounded up");
}

/* An insertion that waits in its batch for the end of the execution. */
static void at_once_test(void)
{
    struct storage_batch *batch = storage_batch_new();
    const struct execution_row row = row_of("once", "me");
    const struct execution_end end = end_of("completed");
    store_execution_insert(batch, &row);
    store_execution_event(batch, "once", 1, "status", "{}", 2, 0, 11);
    store_execution_insert_ended(batch, 0, &row, &end);
    is_int(world_commit(&w, batch), 0, "inserted as it ended, and what hangs from it behind it");
    insert("twice", "me");
    is_int(ended("twice", "me", "completed"), 0, "one inserted and ended");
    is_int(world_int(&w, "SELECT count(*) FROM pragma_table_info('agent_executions')") > 30, 1,
           "of all columns");
    is_int(world_int(&w,
                     "SELECT count(*) FROM (SELECT json_array(" COLUMNS
                     ") FROM agent_executions WHERE id = 'once' INTERSECT"
                     " SELECT json_array(" COLUMNS ") FROM agent_executions WHERE id = 'twice')"),
           1, "both have the same row");
    is_int(world_int(&w, "SELECT count(*) FROM agent_resource_usage WHERE execution_id = 'once'"
                         " AND cpu_time_us = 1500 AND recorded_at = 2345000"),
           1, "and usage");
}

static void usage_set_test(void)
{
    struct storage_batch *batch = storage_batch_new();
    const struct execution_usage usage = {.cpu_us = 2500}, stale = {.cpu_us = 9900};
    store_execution_usage_set(batch, "once", 1500, "{\"cpuTimeUs\":2500}", &usage);
    store_execution_usage_set(batch, "once", 1500, "{\"cpuTimeUs\":9900}", &stale);
    is_int(world_commit(&w, batch), 0, "usage is put right");
    is_int(world_int(&w, "SELECT cpu_time_ms * 10000 + cpu_time_us + memory_peak_mb * 100000"
                         " FROM agent_resource_usage WHERE execution_id = 'once'"),
           132500, "CPU time, and nothing else, where it is what was to be put right");
    is_int(world_int(&w, "SELECT json_extract(resource_usage, '$.cpuTimeUs') FROM agent_executions"
                         " WHERE id = 'once'"),
           2500, "in the execution too");
}

static int retried(const char *id, const char *owner, bool keep)
{
    struct storage_batch *batch = storage_batch_new();
    const struct execution_attempt attempt = {.attempt = 1,
                                              .status = "failed",
                                              .error_message = "no",
                                              .error_details = "{}",
                                              .started_at = 2000000,
                                              .completed_at = 3000000,
                                              .next_attempt_at = 9000000};
    store_execution_retried(batch, id, owner, &attempt, 4, "{\"cpuTimeUs\":5}", keep);
    return world_commit(&w, batch);
}

static void retry_test(void)
{
    insert("r1", "me");
    is_int(started("r1", "me"), 0, "an attempt runs");
    is_int(retried("r1", "other", true), -1, "who has no lease cannot end it");
    is_int(retried("r1", "me", true), 0, "who has it can");
    is_int(world_int(&w, "SELECT count(*) FROM agent_executions WHERE id = 'r1' AND retries = 1"
                         " AND status = 'pending' AND lease_owner = 'me' AND attempt = 0"
                         " AND attempt_seq = 4 AND available_at = 9000000"),
           1, "it is pending again, under its lease");
    is_int(world_int(&w, "SELECT count(*) FROM execution_attempts WHERE execution_id = 'r1'"), 1,
           "and the attempt is recorded");
    insert("r2", "me");
    is_int(retried("r2", "me", false), 0, "for a long pause");
    is_int(world_int(&w, "SELECT count(*) FROM agent_executions WHERE id = 'r2'"
                         " AND lease_owner IS NULL AND attempt = 0 AND turn IS NULL"),
           1, "it is given back");
}

static void blocked_test(void)
{
    insert("b1", "me");
    struct storage_batch *batch = storage_batch_new();
    store_execution_starts(batch, "b1", "me", 5);
    store_execution_blocked(batch, "b1", "me", "agent/x");
    is_int(world_commit(&w, batch), 0, "one waits in the store");
    is_int(attempt("b1"), 5, "and its starts are what they were");
    batch = storage_batch_new();
    store_execution_unblock(batch, "agent/y", 10, 77, NULL, NULL);
    store_execution_unblock(batch, "agent/x", 10, 78, NULL, NULL);
    is_int(world_commit(&w, batch), 0, "it is called back");
    is_int(world_int(&w, "SELECT available_at FROM agent_executions WHERE id = 'b1'"
                         " AND blocked_on IS NULL"),
           78, "by its own limit");
}

static void idle_test(void)
{
    insert("i1", NULL);
    insert("i2", "me");
    struct storage_batch *batch = storage_batch_new();
    store_execution_cancel_idle(batch, "i1", "stopped", "{\"code\":\"Cancelled\"}", 5, NULL, NULL);
    store_execution_cancel_idle(batch, "i2", "stopped", "{\"code\":\"Cancelled\"}", 5, NULL, NULL);
    is_int(world_commit(&w, batch), 0, "what nobody has is cancelled");
    is_int(world_int(&w, "SELECT count(*) FROM agent_executions WHERE id = 'i1'"
                         " AND status = 'cancelled' AND completed_at = 5"),
           1, "at once");
    is_int(world_int(&w, "SELECT count(*) FROM execution_events WHERE execution_id = 'i1'"
                         " AND type = 'end' AND seq = 1"),
           1, "with its end");
    is_int(world_int(&w, "SELECT count(*) FROM agent_executions WHERE id = 'i2'"
                         " AND status = 'pending'"),
           1, "what somebody has is his to end");
}

static void unleased_test(void)
{
    insert("e2", NULL);
    is_int(world_int(&w, "SELECT attempt FROM agent_executions WHERE id = 'e2'"), 0,
           "without a lease no start is counted");
    is_int(ended("e2", "me", "cancelled"), -1, "what nobody has, nobody else can end");
    struct storage_batch *batch = storage_batch_new();
    store_execution_cancel_request(batch, "e2");
    is_int(world_commit(&w, batch), 0, "cancelling is asked for");
    is_int(ended("e2", NULL, "cancelled"), 0, "and done");
    batch = storage_batch_new();
    store_execution_cancel_request(batch, "e2");
    is_int(world_commit(&w, batch), -1, "what has ended cannot be cancelled");
}

struct seen {
    char text[512];
    int64_t journal[4];
    int n;
};

static void see_event(void *arg, int64_t seq, const char *type, const char *data, size_t len)
{
    struct seen *seen = arg;
    size_t at = strlen(seen->text);
    snprintf(seen->text + at, sizeof(seen->text) - at, "%" PRId64 " %s %.*s\n", seq, type, (int)len,
             data);
}

static void see_journal(void *arg, const struct journal_row *row)
{
    struct seen *seen = arg;
    seen->journal[seen->n++] = row->seq;
    snprintf(seen->text, sizeof(seen->text), "%s %.*s", row->kind, (int)row->answer_len,
             row->answer);
}

static void stream_test(void)
{
    error_auto err = ERROR_INIT;
    struct seen seen = {.n = 0};
    int64_t seq, notice;
    insert("e3", "me");
    is_int(store_execution_progress(w.storage, "e3", &seq, &notice, &err), 0, "progress");
    is_int(seq * 10 + notice, 0, "of nothing");
    struct storage_batch *batch = storage_batch_new();
    store_execution_event(batch, "e3", 1, "status", "{}", 2, 0, 1);
    store_execution_event(batch, "e3", 2, "emit", "[1]", 3, 1, 2);
    store_execution_log(batch, "e3", 3, 2, "info", "a \"b\"\n", 6, NULL, 0, 3);
    is_int(world_commit(&w, batch), 0, "events and a log");
    store_execution_progress(w.storage, "e3", &seq, &notice, &err);
    is_int(seq * 10 + notice, 32, "the highest of both tables");
    is_int(store_execution_events(w.storage, "e3", 1, 10, see_event, &seen, &err), 0, "read");
    is_str(seen.text,
           "2 emit [1]\n3 log {\"level\":\"info\",\"message\":\"a \\\"b\\\"\\n\",\"metadata\":{},"
           "\"timestamp\":\"1970-01-01T00:00:00.000003Z\"}\n",
           "in order, behind the one given, logs as JSON");
    seen.text[0] = '\0';
    store_execution_events(w.storage, "e3", 0, 1, see_event, &seen, &err);
    is_str(seen.text, "1 status {}\n", "up to max");
    batch = storage_batch_new();
    store_execution_event(batch, "e3", 2, "emit", "1", 1, 3, 4);
    is_int(world_commit(&w, batch), -1, "a place in the sequence is taken once");
}

static void journal_test(void)
{
    error_auto err = ERROR_INIT;
    struct seen seen = {.n = 0};
    const struct journal_row second = {.seq = 2,
                                       .kind = "now",
                                       .request_sha256 = "b",
                                       .answer = "2",
                                       .answer_len = 1,
                                       .answered_at = 5};
    const struct journal_row first = {.seq = 1,
                                      .kind = "model.chat",
                                      .request_sha256 = "a",
                                      .answer = "{\"x\":1}",
                                      .answer_len = 7,
                                      .answered_at = 6};
    struct storage_batch *batch = storage_batch_new();
    store_journal_append(batch, "e3", &second);
    store_journal_append(batch, "e3", &first);
    is_int(world_commit(&w, batch), 0, "answers are journaled");
    is_int(store_journal_read(w.storage, "e3", see_journal, &seen, &err), 0, "and read");
    ok(seen.n == 2 && seen.journal[0] == 2 && seen.journal[1] == 1, "in the order answered");
    is_str(seen.text, "model.chat {\"x\":1}", "with all they say");
    batch = storage_batch_new();
    store_journal_append(batch, "e3", &first);
    is_int(world_commit(&w, batch), -1, "a request is answered once");
}

static void job_test(void)
{
    error_auto err = ERROR_INIT;
    struct execution_job job;
    is_int(store_execution_job(w.storage, "e3", &job, &err), 0, "a job is found");
    is_str(job.input, "{\"n\":1}", "with its input");
    is_str(job.status, "pending", "and its status");
    ok(job.parent_id == NULL && job.attempt == 1 && job.started_at == 0, "and the rest");
    execution_job_free(&job);
    is_int(store_execution_job(w.storage, "nothing", &job, &err), 1, "what is not there is not");
}

/* A batch may be run again from its start, with its rows. */
static void again_test(void)
{
    jx_auto *ids = json_object();
    const char *const told[] = {"a", "b", "a", "b", "c"};
    for (size_t i = 0; i < countof(told); i++) {
        const struct c9d_value id = {.type = C9D_TEXT, .len = 1, .u.s = told[i]};
        is_int(row_ids_fn(ids, &id, 1), 0, "%s is told of", told[i]);
    }
    autofree char *text = jx_encode_sorted(ids, NULL);
    is_str(text, "{\"a\":null,\"b\":null,\"c\":null}", "each id is there once");
}

static void instance_test(void)
{
    error_auto err = ERROR_INIT;
    ok(store_instance_get(w.storage, "node", &err) == NULL && err.code == E_NOT_FOUND,
       "a fact that was never put");
    is_int(store_instance_put(w.storage, "node", "one", &err), 0, "put");
    is_int(store_instance_put(w.storage, "node", "two", &err), 0, "put again");
    autofree char *value = store_instance_get(w.storage, "node", &err);
    is_str(value, "one", "the first one wins");
    is_int(store_migrate(w.storage, &err), 0, "migrating again does nothing");
}

int main(void)
{
    w = world_new(true, "");
    world_people(&w);
    life_test();
    at_once_test();
    usage_set_test();
    unleased_test();
    retry_test();
    blocked_test();
    idle_test();
    stream_test();
    journal_test();
    job_test();
    again_test();
    instance_test();
    world_free(&w);
    return done_testing();
}
