/* Executions: what may start, what is seen of them, how they are cancelled, and keys that
 * make a repeated request one. */
#include "lib/service_world.h"

#include <pthread.h>

#include "base/buf.h"
#include "schema/schema.h"
#include "service/idempotency.h"

static char agent[UUID_SIZE], hidden[UUID_SIZE];

static void make_agent(const struct principal *who, const char *config, char id[UUID_SIZE])
{
    error_auto err = ERROR_INIT;
    jx_auto *body = js(config);
    jx_auto *nothing = json_object();
    jx_auto *made = NULL, *version = NULL, *published = NULL;
    if (agent_create(service, who, body, &made, &err) < 0)
        bail(config, &err);
    snprintf(id, UUID_SIZE, "%s", jx_str(made, "id", ""));
    if (version_create(service, who, id, nothing, &version, &err) < 0 ||
        version_publish(service, who, id, "1.0.0", NULL, &published, &err) < 0)
        bail(config, &err);
}

static int accepted;

static void watch_accepted(struct execution_watch *watch, struct error *err)
{
    accepted += err == NULL;
    (void)watch;
}

static int start(const struct principal *who, const char *name, const char *body,
                 char id[UUID_SIZE], struct error *err)
{
    struct execution_watch watch = {.accepted = watch_accepted};
    jx_auto *decoded = js(body);
    return execution_start(service, who, name, decoded, &watch, id, err);
}

static void start_test(void)
{
    char id[UUID_SIZE];
    works(start(&member, "Sums", "{'input':{'n':1},'context':{'a':1},'priority':-5}", id, &err),
          "an agent is executed by name");
    is_str(engine.input, "{\"n\":1}", "with the input");
    is_str(engine.context, "{\"a\":1}", "the context");
    is_int(engine.priority, -5, "and the priority");
    is_str(engine.agent_version, "1.0.0", "of the current version");
    is_int(accepted, 1, "and accepted");
    ok(uuid_valid(id, strlen(id)), "it has an id");
    fails(start(&member, agent, "{'input':{}}", id, &err), E_INVALID_INPUT, "",
          "input that does not match");
    fails(start(&member, agent, "{}", id, &err), E_INVALID_INPUT, "", "no input, which is null");
    fails(start(&member, agent, "{'input':{'n':1},'priority':5000}", id, &err), E_INVALID_REQUEST,
          "priority", "a priority beyond bounds");
    fails(start(&member, agent, "{'input':{'n':1},'context':[]}", id, &err), E_INVALID_REQUEST,
          "context", "a context that is no object");
    fails(start(&viewer, agent, "{'input':{'n':1}}", id, &err), E_INSUFFICIENT_PERMISSIONS, "",
          "a viewer");
    fails(start(&member, hidden, "{'input':{'n':1}}", id, &err), E_AGENT_NOT_FOUND, "",
          "a private agent of another");
    fails(start(&member, "nothing", "{'input':{'n':1}}", id, &err), E_AGENT_NOT_FOUND, "", "none");
    fails(start(&member, agent, "{'input':{'n':1},'version':'7.0.0'}", id, &err),
          E_VERSION_NOT_FOUND, "", "a version that is not");
    engine.refuses = true;
    fails(start(&member, agent, "{'input':{'n':1}}", id, &err), E_UNAVAILABLE, "draining",
          "no engine");
    engine.refuses = false;
    world_sql(&w, "UPDATE agents SET status = 'archived' WHERE name = 'Sums'");
    fails(start(&member, agent, "{'input':{'n':1}}", id, &err), E_INVALID_STATE, "archived",
          "archived");
    world_sql(&w, "UPDATE agents SET status = 'deprecated' WHERE name = 'Sums'");
    works(start(&owner, agent, "{'input':{'n':2}}", id, &err), "deprecated ones still run");
    is_int(engine.submitted, 2, "two were submitted in all");
}

static void grants_test(void)
{
    char id[UUID_SIZE];
    autofree char *sql =
        xasprintf("INSERT INTO agent_permissions (id, agent_id, user_id,"
                  " permission_type, granted_at) VALUES ('g', '%s', '%s', 'execute', 1)",
                  hidden, viewer.user_id);
    world_sql(&w, sql);
    works(start(&viewer, hidden, "{'input':1}", id, &err), "a grant to execute");
    fails(start(&viewer, hidden, "{'input':1,'version':'draft'}", id, &err),
          E_INSUFFICIENT_PERMISSIONS, "draft", "is none to run the draft");
}

static size_t listed(const struct principal *who, const char *filters)
{
    error_auto err = ERROR_INIT;
    jx_auto *decoded = js(filters);
    jx_auto *page = NULL;
    const struct list_query query = {.filters = decoded};
    if (execution_list(service, who, &query, &page, &err) < 0)
        return err.code == E_AGENT_NOT_FOUND ? 404 : 999;
    const json_t *first = json_array_get(json_object_get(page, "items"), 0);
    if (first != NULL && (json_object_get(first, "inputData") != NULL ||
                          jx_int(json_object_get(first, "resourceUsage"), "cpuTimeMs", -1) != 0))
        return 998;
    return json_array_size(json_object_get(page, "items"));
}

static void list_test(void)
{
    is_int(listed(&owner, "{}"), 3, "an owner sees all");
    is_int(listed(&member, "{}"), 2, "a member those of agents that he sees");
    is_int(listed(&viewer, "{}"), 3, "a viewer his own as well");
    is_int(listed(&stranger, "{}"), 0, "a stranger none");
    autofree char *by_agent = xasprintf("{'agentId':'%s','status':'pending'}", agent);
    is_int(listed(&member, by_agent), 2, "of one agent");
    is_int(listed(&member, "{'agentId':'Sums'}"), 2, "by its name");
    autofree char *not_his = xasprintf("{'agentId':'%s'}", hidden);
    is_int(listed(&member, not_his), 404, "not of one that he may not see");
    is_int(listed(&owner, "{'status':'failed'}"), 0, "by status");
    is_int(listed(&owner, "{'createdAfter':'2000-01-01T00:00:00Z'}"), 0, "by time");
}

static void get_test(void)
{
    char id[UUID_SIZE];
    bool ended = true;
    jx_auto *execution = NULL, *none = NULL, *logs = NULL;
    works(start(&owner, hidden, "{'input':[1.0,null]}", id, &err), "one is started");
    works(execution_get(service, &owner, id, &execution, &err), "and read");
    autofree char *input = jx_encode(json_object_get(execution, "inputData"), NULL);
    is_str(input, "[1.0,null]", "with its input as it was");
    is_str(jx_str(execution, "triggeredBy", ""), owner.user_id, "who");
    is_int(jx_int(execution, "attempt", -1), 1, "its first attempt");
    is_int(jx_int(execution, "starts", -1), 0, "and how often that was begun");
    fails(execution_get(service, &member, id, &none, &err), E_EXECUTION_NOT_FOUND, "",
          "not by others");
    fails(execution_get(service, &stranger, id, &none, &err), E_EXECUTION_NOT_FOUND, "",
          "nor strangers");
    works(execution_check(service, &owner, id, &ended, &err), "it is looked at");
    ok(!ended, "and has not ended");
    struct storage_batch *batch = storage_batch_new();
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    for (int64_t i = 0; i < 4; i++)
        store_execution_log(batch, id, i + 1, i + 1, levels[i], "m", 1, "{\"k\":1}", 7, 5);
    world_commit(&w, batch);
    jx_auto *filters = js("{'level':'warn'}");
    const struct list_query query = {.filters = filters};
    works(execution_logs(service, &owner, id, &query, &logs, &err), "its logs");
    const json_t *items = json_object_get(logs, "items");
    is_int(json_array_size(items), 2, "of a level and above");
    is_str(jx_str(json_array_get(items, 0), "level", ""), "warn", "in order");
}

/* ---- cancelling ---- */

static void see_end(void *arg, int64_t seq, const char *type, const char *data, size_t len)
{
    (void)seq;
    snprintf(arg, 64, "%s %.*s", type, (int)(len < 40 ? len : 40), data);
}

static void cancel_test(void)
{
    char id[UUID_SIZE], live[UUID_SIZE], event[64] = "";
    error_auto err = ERROR_INIT;
    bool ended = false;
    jx_auto *gone = NULL, *none = NULL, *running = NULL;
    if (start(&owner, agent, "{'input':{'n':1}}", id, &err) < 0 ||
        start(&owner, agent, "{'input':{'n':1}}", live, &err) < 0)
        bail("start", &err);
    error_auto denied = ERROR_INIT, twice = ERROR_INIT;
    failed(execution_cancel(service, &viewer, id, &none, &denied), &denied,
           E_INSUFFICIENT_PERMISSIONS, "", "a viewer cancels nothing of others");
    is_int(execution_cancel(service, &owner, id, &gone, &err), 0, "what waits is cancelled");
    is_str(jx_str(gone, "status", ""), "cancelled", "at once");
    is_str(jx_str(gone, "errorCode", ""), "Cancelled", "with a code");
    ok(jx_str(gone, "completedAt", NULL) != NULL && jx_str(gone, "startedAt", NULL) == NULL,
       "it never started");
    execution_check(service, &owner, id, &ended, &err);
    ok(ended, "it has ended");
    execution_events(service, id, 0, 10, see_end, event, &err);
    ok(strncmp(event, "end {\"status\":\"cancelled\"", 24) == 0, "and its stream says so");
    failed(execution_cancel(service, &owner, id, &none, &twice), &twice, E_INVALID_STATE,
           "it is cancelled", "once");
    engine.live = 1;
    is_int(execution_cancel(service, &owner, live, &running, &err), 0,
           "what runs here is asked to stop");
    is_str(jx_str(running, "status", ""), "pending", "and ends when it ends");
    is_int(world_int(&w, "SELECT count(*) FROM agent_executions WHERE cancel_requested = 1"), 2,
           "both wishes are durable");
    engine.live = 0;
    world_sql(&w, "UPDATE agent_executions SET lease_owner = 'elsewhere' WHERE status = 'pending'");
    json_decref(running);
    running = NULL;
    is_int(execution_cancel(service, &owner, live, &running, &err), 0, "what another node has");
    is_str(jx_str(running, "status", ""), "pending", "is left to it");
}

/* ---- results ---- */

static void result_test(void)
{
    buf_auto good = BUF_INIT, bad = BUF_INIT;
    const struct execution_outcome fine = {
        .status = "completed", .output = "[1]", .usage = "{}", .execution_time_us = 12345};
    execution_result_append(&good, "e", &fine);
    is_str(
        good.data,
        "{\"executionId\":\"e\",\"status\":\"completed\",\"output\":[1],\"executionTime\":12.345,"
        "\"resourceUsage\":{}}",
        "a result");
    const struct execution_outcome broken = {
        .status = "failed",
        .error = "{\"code\":\"ExecutionTimeout\",\"message\":\"too \\\"long\\\"\"}",
        .usage = "{}"};
    execution_result_append(&bad, "e", &broken);
    jx_auto *decoded = jx_decode(bad.data, bad.len, "result", NULL);
    is_str(jx_str(decoded, "error", ""), "too \"long\"", "a failure has its message");
    is_str(jx_str(decoded, "errorCode", ""), "ExecutionTimeout", "and its code");
}

/* ---- idempotency ---- */

static int key(const char *name, const char *sha256, int *status, struct error *err)
{
    struct stored_answer answer = {0};
    int seen = idempotency_get(service, &owner, name, sha256, &answer, err);
    *status = answer.status;
    stored_answer_clear(&answer);
    return seen;
}

static int put(const char *name, const char *sha256, int status, struct error *err)
{
    return idempotency_answer(service, &owner, name, sha256, status, "/v1/agents/x", "{}", err);
}

static void keys_test(void)
{
    int status = 0;
    error_auto err = ERROR_INIT, other = ERROR_INIT, bad = ERROR_INIT;
    is_int(key("k1", "aa", &status, &err), 0, "a key is new");
    is_int(put("k1", "aa", 201, &err), 0, "its request is answered");
    is_int(key("k1", "aa", &status, &err), 1, "the same request later");
    is_int(status, 201, "gets the same answer");
    failed(key("k1", "bb", &status, &other), &other, E_IDEMPOTENCY_CONFLICT, "another request",
           "another request of the key");
    failed(key("a b", "aa", &status, &bad), &bad, E_INVALID_REQUEST, "visible ASCII", "no key");
    is_int(put("k1", "bb", 202, &err), 0, "another answer");
    is_int(key("k1", "aa", &status, &err), 1, "does not replace the first");
    world_sql(&w, "UPDATE idempotency_keys SET created_at = 1 WHERE key = 'k1'");
    is_int(key("k1", "ee", &status, &err), 0, "keys are forgotten in the end");
    is_int(put("k2", "aa", 200, &err), 0, "and the next one");
    is_int(world_int(&w, "SELECT count(*) FROM idempotency_keys"), 1, "sweeps them away");
}

enum { STARTERS = 4 };

/* Launches are made, shared and let go by many threads. */
static void *starter(void *arg)
{
    intptr_t prepared = 0;
    for (int i = 0; i < 50; i++) {
        error_auto err = ERROR_INIT;
        struct launch *launch = NULL;
        autofree char *note = NULL;
        const char *name = i % 2 == 0 ? hidden : agent, *version = i % 10 == 9 ? "draft" : NULL;
        if (execution_prepare(service, &owner, name, version, "id", arg, &launch, &note, &err) ==
            0) {
            prepared++;
            launch_unref(launch);
        }
    }
    return (void *)prepared;
}

static void race_test(void)
{
    pthread_t threads[STARTERS];
    intptr_t prepared = 0;
    jx_auto *input = js("{'n':1}");
    for (int i = 0; i < STARTERS; i++)
        if (pthread_create(&threads[i], NULL, starter, input) != 0)
            abort();
    for (int i = 0; i < STARTERS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        prepared += (intptr_t)result;
    }
    is_int(prepared, STARTERS * 50, "four threads prepare what they like");
}

int main(void)
{
    service_world_new("");
    upload("{'name':'sum','version':'1.0.0','input':{'type':'object','required':['n']}}");
    upload("{'name':'any','version':'1.0.0'}");
    make_agent(&owner,
               "{'name':'Sums','skillset':['sum'],'visibility':'organization',"
               "'executionConfig':{'entrypoint':'sum'}}",
               agent);
    make_agent(&owner,
               "{'name':'Hidden','skillset':['any'],'executionConfig':{'entrypoint':'any'}}",
               hidden);
    start_test();
    grants_test();
    list_test();
    get_test();
    cancel_test();
    result_test();
    keys_test();
    race_test();
    service_world_free();
    schema_cache_clear();
    return done_testing();
}
