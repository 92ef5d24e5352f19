/* The broker's table, a row of tests for each kind of request: what it may, what it is answered,
 * what it costs, what its journal says; and what becomes of an execution whose requests break the
 * rules or whose commits fail. A real store, no executor. */
#include "lib/store_world.h"

#include "base/clock.h"
#include "service/service.h"
#include "supervisor/engine-private.h"

static struct world w;
static struct engine engine;
static struct model *model;
static struct service *service;
static struct launch_skill skills[2] = {{.name = "main"}, {.name = "tool"}};
static struct launch launch;
static struct run *run;
static uint64_t asked;

static const char configuration[] = "[model default]\n"
                                    "plugin = fake\n"
                                    "input_tokens = 100\n"
                                    "output_tokens = 20\n"
                                    "price_input = 15\n"
                                    "price_output = 60\n"
                                    "[secret mine]\n"
                                    "value = hush-hush-hush\n"
                                    "hosts = example.org\n"
                                    "[secret theirs]\n"
                                    "value = hush-hush-hush\n"
                                    "hosts = example.org\n"
                                    "agents = another\n";

static json_t *js(const char *text)
{
    autofree char *copy = xstrdup(text);
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    error_auto err = ERROR_INIT;
    json_t *value = jx_decode(copy, strlen(copy), "test", &err);
    if (value == NULL)
        bail(text, &err);
    return value;
}

/* ---- the world ------------------------------------------------------------------------------- */

static void world_open(void)
{
    error_auto err = ERROR_INIT;
    w = world_new(true, configuration);
    world_people(&w);
    if (config_declare(w.config, guard_keys, guard_keys_n, &err) < 0 ||
        secrets_declare(w.config, &err) < 0 ||
        (model = model_open(w.host, w.config, "default", &err)) == NULL ||
        (service = service_new(w.storage, w.config, &err)) == NULL ||
        (engine.loop = loop_new(&err)) == NULL ||
        (engine.pool = work_pool_new("pool", 1, &err)) == NULL ||
        (engine.guard = guard_new(w.config, &err)) == NULL ||
        (engine.secrets = secrets_new(w.config, &err)) == NULL)
        bail("world", &err);
    engine.parts = (struct engine_parts){.config = w.config,
                                         .storage = w.storage,
                                         .service = service,
                                         .models = &model,
                                         .n_models = 1};
    static struct provider provider;
    provider = (struct provider){.model = model, .line_end = &provider.line};
    engine.providers = &provider;
    company_begin(&engine);
    engine.model_fetcher = fetcher_new(engine.loop);
    engine.skill_fetcher = fetcher_new(engine.loop);
    snprintf(engine.owner, sizeof(engine.owner), "test");
    engine.queue_kick = -1;
    engine.lease_us = 600 * CLOCK_SECOND;
    jx_auto *document = js("{'type':'object','properties':{'n':{'type':'integer'}},"
                           "'additionalProperties':false}");
    skills[1].input = launch.output_schema = schema_cache_get(document, &err);
    snprintf(launch.agent_id, sizeof(launch.agent_id), "agent");
    snprintf(launch.organization_id, sizeof(launch.organization_id), "org");
    launch.agent_name = "Agent";
    launch.version = "draft";
    launch.skills = skills;
    launch.n_skills = countof(skills);
    launch.refs = 1 << 20; /* never freed */
    launch.context = "{}";
    launch.context_len = 2;
}

static void world_close(void)
{
    work_pool_free(engine.pool);
    service_stop(service);
    fetcher_free(engine.model_fetcher);
    fetcher_free(engine.skill_fetcher);
    guard_free(engine.guard);
    secrets_free(engine.secrets);
    service_free(service);
    model_close(model);
    schema_unref(skills[1].input);
    json_decref(launch.needs);
    storage_close(w.storage);
    loop_free(engine.loop);
    w.storage = NULL;
    world_free(&w);
}

/* What every test begins with. */
static void bounds_set(void)
{
    engine.depth_max = 8;
    engine.asks_max = 3;
    engine.journal_bytes_max = 1 << 20;
    engine.journal_effects_max = 1000;
    engine.journal_request_max = 4096;
    launch.limits = (struct launch_limits){.cpu_us = 10 * CLOCK_SECOND,
                                           .wall_us = 600 * CLOCK_SECOND,
                                           .memory = 1 << 20,
                                           .output_max = 1 << 16,
                                           .requests = 1000,
                                           .host_memory = 1 << 20};
    json_decref(launch.needs);
    launch.needs = js("{'model':['default','missing'],'http':['127.0.0.1'],'agents':['*'],"
                      "'secrets':['mine','theirs','none']}");
}

/* Turns of the loop until fn is true; half a minute at most. */
struct until {
    bool (*fn)(void);
    int64_t end;
    struct loop_timer timer;
    bool came;
};

static void until_look(struct loop_timer *timer)
{
    struct until *u = timer->arg;
    u->came = u->fn();
    if (u->came || clock_monotonic_us() > u->end)
        loop_stop(engine.loop);
    else
        loop_timer_set(engine.loop, &u->timer, 500);
}

static bool until(bool (*fn)(void))
{
    struct until u = {fn, clock_monotonic_us() + 30 * CLOCK_SECOND, {.fn = until_look}, false};
    u.timer.arg = &u;
    loop_timer_set(engine.loop, &u.timer, 0);
    loop_run(engine.loop);
    return u.came;
}

/* What its watcher hears. */
static struct {
    int accepted, refused, left, ended;
    char *status, *error;
} heard;

static void on_accepted(struct execution_watch *watch, struct error *err)
{
    (void)watch;
    heard.accepted += err == NULL;
    heard.refused += err != NULL;
    if (err != NULL)
        run = NULL;
}

static void on_left(struct execution_watch *watch)
{
    (void)watch;
    heard.left++;
    run = NULL;
}

static void on_ended(struct execution_watch *watch, const struct execution_outcome *outcome)
{
    (void)watch;
    heard.ended++;
    heard.status = xstrdup(outcome->status);
    heard.error = outcome->error != NULL ? xstrdup(outcome->error) : NULL;
    run = NULL;
}

static struct execution_watch watch = {.accepted = on_accepted, .left = on_left, .ended = on_ended};

static bool is_durable(void)
{
    return run == NULL || (run->durable && run->flying == NULL);
}

static char execution[UUID_SIZE];

static void run_begin_as(const char *id)
{
    free(heard.status);
    free(heard.error);
    memset(&heard, 0, sizeof(heard));
    asked = 0;
    snprintf(execution, sizeof(execution), "%s", id);
    run = run_new(&engine, execution, &launch);
    run->user_id = xstrdup("ann");
    run->context = xstrdup("{}");
    run->input = xstrdup("null");
    run->input_len = 4;
    run->created_at = run->started_at = clock_wall_us();
    run_watch(run, &watch);
    run_insert(run, NULL);
}

static void run_begin(void)
{
    char id[UUID_SIZE];
    run_begin_as(uuid_make(id));
    if (!until(is_durable) || run == NULL)
        ok(false, "an execution is stored");
}

static bool is_quiet(void)
{
    return run == NULL ||
           (run->effects == NULL && run->flying == NULL && run->next == NULL && !run->loading);
}

static void run_end(void)
{
    until(is_quiet);
    if (run != NULL)
        run_free(run);
    run = NULL;
}

static void ask_as(uint64_t id, unsigned kind, const char *request)
{
    buf_auto payload = BUF_INIT;
    autofree char *text = xstrdup(request);
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    buf_append_char(&payload, (char)(kind & 0xff));
    buf_append_char(&payload, (char)(kind >> 8));
    buf_append_str(&payload, text);
    struct wire_header h = {.type = WIRE_REQUEST, .id = id, .length = (uint32_t)payload.len};
    run_frame(&run->user, &h, (const uint8_t *)payload.data);
}

static void ask(unsigned kind, const char *request)
{
    ask_as(++asked, kind, request);
}

/* The journal's row of the last request; answer NULL when it has none. */
static struct {
    char *kind, *sha256, *request, *answer;
    int64_t failed, calls, tokens, cost, asked_at, answered_at;
    int rows;
} row;

static char *column(const struct c9d_value *v)
{
    return v->type == C9D_TEXT ? xstrndup(v->u.s, v->len) : NULL;
}

static int row_take(void *arg, const struct c9d_value *c, size_t n)
{
    (void)arg, (void)n;
    row.rows++;
    row.kind = column(&c[0]);
    row.sha256 = column(&c[1]);
    row.request = column(&c[2]);
    row.answer = column(&c[3]);
    row.failed = c[4].u.i;
    row.calls = c[5].u.i;
    row.tokens = c[6].u.i;
    row.cost = c[7].u.i;
    row.asked_at = c[8].u.i;
    row.answered_at = c[9].u.i;
    return 0;
}

static void row_clear(void)
{
    free(row.kind);
    free(row.sha256);
    free(row.request);
    free(row.answer);
    memset(&row, 0, sizeof(row));
}

static void row_read(uint64_t seq)
{
    error_auto err = ERROR_INIT;
    row_clear();
    if (storage_query(w.storage,
                      "SELECT kind, request_sha256, request, answer, is_error, api_calls, tokens,"
                      " cost_microcents, asked_at, answered_at FROM execution_journal"
                      " WHERE execution_id = $1 AND seq = $2",
                      row_take, NULL, &err, "si", execution, (int64_t)seq) < 0)
        bail("journal", &err);
}

static bool has(const char *text, const char *part)
{
    return text != NULL && strstr(text, part) != NULL;
}

/* ---- one row a request ----------------------------------------------------------------------- */

#define CHAT "'chat':{'messages':[{'role':'user','content':'hi'}]}"

static const struct {
    const char *what, *request;
    unsigned kind;
    const char *answer; /* part of it, ' for " */
    bool failed;
    int64_t calls, tokens, cost;
} cases[] = {
    {"now", "{}", WIRE_KIND_NOW, "{'us':1", false, 0, 0, 0},
    {"a sleep", "{'us':1000}", WIRE_KIND_SLEEP, "{}", false, 0, 0, 0},
    {"a sleep of nothing", "{'us':0}", WIRE_KIND_SLEEP, "{}", false, 0, 0, 0},
    {"a sleep backwards", "{'us':-1}", WIRE_KIND_SLEEP, "InvalidRequest", true, 0, 0, 0},
    {"a sleep without a time", "{}", WIRE_KIND_SLEEP, "InvalidRequest", true, 0, 0, 0},
    {"a sleep of two years", "{'us':63072000000000}", WIRE_KIND_SLEEP, "InvalidRequest", true, 0, 0,
     0},
    /* 100 × 15 + 20 × 60 cents a million */
    {"a chat", "{'provider':'default'," CHAT "}", WIRE_KIND_MODEL_CHAT, "'content':'fake: hi'",
     false, 1, 120, 2700},
    {"a chat with whom there is", "{" CHAT "}", WIRE_KIND_MODEL_CHAT,
     "'usage':{'input_tokens':100,'output_tokens':20}", false, 1, 120, 2700},
    {"a streamed chat", "{'stream':true," CHAT "}", WIRE_KIND_MODEL_CHAT, "'deltas':[6,2]", false,
     1, 120, 2700},
    {"a chat that the manifest does not name", "{'provider':'other'," CHAT "}",
     WIRE_KIND_MODEL_CHAT, "CapabilityDenied", true, 0, 0, 0},
    {"a chat with a provider that is not there", "{'provider':'missing'," CHAT "}",
     WIRE_KIND_MODEL_CHAT, "[model missing]", true, 0, 0, 0},
    {"a chat without messages", "{'chat':{}}", WIRE_KIND_MODEL_CHAT, "InvalidRequest", true, 0, 0,
     0},
    {"a chat that is none", "{'chat':[]}", WIRE_KIND_MODEL_CHAT, "InvalidRequest", true, 0, 0, 0},
    {"a chat with a message that is none", "{'chat':{'messages':[7]}}", WIRE_KIND_MODEL_CHAT,
     "InvalidRequest", true, 0, 0, 0},
    {"http to a private address", "{'url':'http://127.0.0.1:1/'}", WIRE_KIND_HTTP_REQUEST,
     "AddressDenied", true, 1, 0, 0},
    {"http to a host that the manifest does not name", "{'url':'http://example.org/'}",
     WIRE_KIND_HTTP_REQUEST, "needs.http", true, 0, 0, 0},
    {"http without a URL", "{}", WIRE_KIND_HTTP_REQUEST, "HttpFailed", true, 0, 0, 0},
    {"http to what is no URL", "{'url':'http://'}", WIRE_KIND_HTTP_REQUEST, "HttpFailed", true, 0,
     0, 0},
    {"http by another scheme", "{'url':'ftp://127.0.0.1/'}", WIRE_KIND_HTTP_REQUEST, "only http",
     true, 0, 0, 0},
    {"http with a user in the URL", "{'url':'http://a:b@127.0.0.1/'}", WIRE_KIND_HTTP_REQUEST,
     "user name", true, 0, 0, 0},
    {"http by a method of its own", "{'url':'http://127.0.0.1/','method':'CONNECT'}",
     WIRE_KIND_HTTP_REQUEST, "common method", true, 0, 0, 0},
    {"http with a header that would be two",
     "{'url':'http://127.0.0.1/','headers':{'a':'b\\r\\nc: d'}}", WIRE_KIND_HTTP_REQUEST,
     "HttpFailed", true, 1, 0, 0},
    {"an agent that is not there", "{'agent':'nobody','input':1}", WIRE_KIND_AGENT_EXECUTE,
     "AgentNotFound", true, 1, 0, 0},
    {"no agent", "{'input':1}", WIRE_KIND_AGENT_EXECUTE, "InvalidRequest", true, 0, 0, 0},
    {"a value that fits", "{'of':'skill','name':'tool','value':{'n':1}}", WIRE_KIND_VALIDATE,
     "{'valid':true,'errors':[]}", false, 0, 0, 0},
    {"a value that does not fit", "{'of':'skill','name':'tool','value':{'n':'x'}}",
     WIRE_KIND_VALIDATE, "'path':'/n'", false, 0, 0, 0},
    {"a value for a skill that takes anything", "{'of':'skill','name':'main','value':7}",
     WIRE_KIND_VALIDATE, "'valid':true", false, 0, 0, 0},
    {"an output that does not fit", "{'of':'output','value':7}", WIRE_KIND_VALIDATE,
     "'valid':false", false, 0, 0, 0},
    {"a value for no skill", "{'of':'skill','name':'x','value':1}", WIRE_KIND_VALIDATE,
     "InvalidRequest", true, 0, 0, 0},
    {"no value", "{'of':'output'}", WIRE_KIND_VALIDATE, "InvalidRequest", true, 0, 0, 0},
    {"a signal that does not come", "{'name':'go','timeout_us':1000}", WIRE_KIND_WAIT_FOR,
     "WaitTimeout", true, 0, 0, 0},
    {"a signal with a name that is none", "{'name':'a b'}", WIRE_KIND_WAIT_FOR, "InvalidRequest",
     true, 0, 0, 0},
    {"a signal awaited backwards", "{'name':'a','timeout_us':-1}", WIRE_KIND_WAIT_FOR,
     "InvalidRequest", true, 0, 0, 0},
    {"a signal of a schema that is none", "{'name':'a','schema':{'type':'x'}}", WIRE_KIND_WAIT_FOR,
     "schema", true, 0, 0, 0},
    {"a secret", "{'name':'mine'}", WIRE_KIND_SECRET, "{'reference':'c9-secret-", false, 0, 0, 0},
    {"a secret that the manifest does not name", "{'name':'x'}", WIRE_KIND_SECRET,
     "CapabilityDenied", true, 0, 0, 0},
    {"a secret that is not there", "{'name':'none'}", WIRE_KIND_SECRET, "[secret none]", true, 0, 0,
     0},
    {"a secret of another agent", "{'name':'theirs'}", WIRE_KIND_SECRET, "CapabilityDenied", true,
     0, 0, 0},
};

static void test_kinds(void)
{
    bounds_set();
    run_begin();
    int64_t calls = 0, tokens = 0, cost = 0;
    for (size_t i = 0; i < countof(cases) && run != NULL; i++) {
        ask(cases[i].kind, cases[i].request);
        until(is_quiet);
        row_read(asked);
        autofree char *answer = xstrdup(cases[i].answer);
        for (char *c = answer; *c != '\0'; c++)
            if (*c == '\'')
                *c = '"';
        ok(has(row.answer, answer) && row.failed == cases[i].failed, "%s: its answer",
           cases[i].what);
        if (!has(row.answer, answer))
            note("%s", row.answer);
        ok(row.calls == cases[i].calls && row.tokens == cases[i].tokens &&
               row.cost == cases[i].cost,
           "%s: its cost", cases[i].what);
        ok(row.rows == 1 && has(row.kind, wire_kind_name(cases[i].kind)) &&
               strlen(row.sha256) == 64 && row.request != NULL && row.asked_at <= row.answered_at,
           "%s: its place in the journal", cases[i].what);
        calls += cases[i].calls;
        tokens += cases[i].tokens;
        cost += cases[i].cost;
    }
    ok(run != NULL && run->usage.api_calls == calls && run->usage.tokens == tokens &&
           run->usage.cost_microcents == cost,
       "what they cost together is the execution's");
    ok(run != NULL && run->held == 0 && run->n_pending == 0, "and nothing is held any more");
    run_end();
}

/* ---- what the rows have in common ------------------------------------------------------------ */

static void test_signal(void)
{
    error_auto err = ERROR_INIT;
    bounds_set();
    run_begin();
    static const char sql[] = "INSERT INTO execution_signals (id, execution_id, name, payload,"
                              " sent_by, created_at) VALUES ($1, $2, 'go', $3, 'ann', 1)";
    struct storage_batch *batch = storage_batch_new();
    storage_batch_add(batch, sql, 1, NULL, NULL, "sss", "s1", execution, "\"wrong\"");
    storage_batch_add(batch, sql, 1, NULL, NULL, "sss", "s2", execution, "{\"n\":1}");
    if (storage_commit(w.storage, batch, &err) < 0)
        bail("signals", &err);
    ask(WIRE_KIND_WAIT_FOR, "{'name':'go','schema':{'type':'object'}}");
    until(is_quiet);
    row_read(asked);
    ok(has(row.answer, "\"payload\":{\"n\":1}") && has(row.answer, "\"signal_id\":\"s2\""),
       "a signal that was there is delivered, behind one that does not fit");
    is_int(world_int(&w, "SELECT count(*) FROM execution_signals WHERE id = 's1' AND state ="
                         " 'refused' OR id = 's2' AND state = 'delivered' AND seq = 1"),
           2, "and what became of both is stored");
    run_end();
}

static void test_order(void)
{
    bounds_set();
    engine.journal_request_max = 20;
    run_begin();
    ask(WIRE_KIND_SLEEP, "{'us':20000}");
    ask(WIRE_KIND_NOW, "{}");
    is_int(run->n_pending, 1, "what is answered at once is not pending");
    ask(WIRE_KIND_NOW, "{'much':'more than the journal keeps'}");
    until(is_quiet);
    row_read(1);
    int64_t slept = row.answered_at;
    row_read(2);
    ok(row.answered_at < slept && has(row.request, "{}"),
       "what takes longer is answered later, and the journal says so");
    row_read(3);
    ok(row.rows == 1 && row.request == NULL && strlen(row.sha256) == 64,
       "a request that is too long for the journal is there by its digest");
    run_end();
}

static void test_budget(void)
{
    bounds_set();
    launch.limits.tokens = 200;
    run_begin();
    for (int i = 0; i < 3; i++) {
        ask(WIRE_KIND_MODEL_CHAT, "{" CHAT "}");
        until(is_quiet);
    }
    row_read(2);
    ok(!row.failed, "a chat within the budget of tokens is had, also when it ends above");
    row_read(3);
    ok(row.failed && has(row.answer, "ResourceExhausted") && has(row.answer, "\"tokens\"") &&
           row.calls == 0,
       "the next one is refused before it costs anything");
    ask(WIRE_KIND_SLEEP, "{'us':1}");
    until(is_quiet);
    row_read(4);
    ok(!row.failed && row.rows == 1, "what costs nothing goes on");
    run_end();
    bounds_set();
    launch.limits.cost_microcents = 2000;
    run_begin();
    ask(WIRE_KIND_MODEL_CHAT, "{" CHAT "}");
    until(is_quiet);
    ask(WIRE_KIND_HTTP_REQUEST, "{'url':'http://127.0.0.1/'}");
    until(is_quiet);
    row_read(2);
    ok(has(row.answer, "costCents"), "the same for money, whatever would spend it");
    run_end();
}

static void test_depth(void)
{
    bounds_set();
    run_begin();
    run->depth = 8;
    ask(WIRE_KIND_AGENT_EXECUTE, "{'agent':'nobody'}");
    until(is_quiet);
    row_read(1);
    ok(row.failed && has(row.answer, "[executions] depth") && row.calls == 0,
       "executions by executions go so deep only");
    run_end();
}

static void test_held(void)
{
    bounds_set();
    launch.limits.host_memory = 4096;
    run_begin();
    buf_auto big = BUF_INIT;
    buf_append_str(&big, "{'x':[1");
    for (int i = 0; i < 100; i++)
        buf_append_str(&big, ",1");
    buf_append_str(&big, "]}");
    ask(WIRE_KIND_VALIDATE, big.data);
    until(is_quiet);
    row_read(1);
    ok(row.failed && has(row.answer, "hostMemoryMb"),
       "what would take more memory than is allowed is refused, undecoded");
    run_end();
}

/* Its former life may have asked: a second time only if that is allowed, and made durable. */
static void test_asked_again(void)
{
    bounds_set();
    run_begin();
    run->frontier = true;
    run->n_asks = 1;
    run->asks = xcalloc(1, sizeof(*run->asks));
    run->asks[0] = (struct ask){.seq = 2, .asks = 3};
    ask(WIRE_KIND_MODEL_CHAT, "{" CHAT "}");
    until(is_quiet);
    row_read(1);
    ok(!row.failed && row.rows == 1, "what may have been asked once is asked again");
    is_int(world_int(&w, "SELECT max(asks) FROM execution_asks WHERE seq = 1"), 2,
           "and that is durable before it is");
    ask(WIRE_KIND_MODEL_CHAT, "{" CHAT "}");
    until(is_quiet);
    row_read(2);
    ok(row.failed && has(row.answer, "OutcomeUnknown") && row.calls == 0,
       "what was asked as often as is allowed is not");
    ask(WIRE_KIND_NOW, "{}");
    until(is_quiet);
    row_read(3);
    ok(!row.failed && row.rows == 1, "what is the same however often it is asked is not counted");
    run_end();
}

/* ---- broken rules ---------------------------------------------------------------------------- */

static bool has_ended(void)
{
    return run == NULL;
}

static void ends(const char *code, const char *says, const char *what)
{
    until(has_ended);
    ok(heard.ended == 1 && has(heard.status, "failed") && has(heard.error, code) &&
           has(heard.error, says),
       "%s ends the execution", what);
    if (!has(heard.error, says))
        note("%s", heard.error);
    autofree char *sql = xasprintf(
        "SELECT count(*) FROM agent_executions WHERE id = '%s' AND status = 'failed'", execution);
    is_int(world_int(&w, sql), 1, "%s: and that is stored", what);
}

static void test_violations(void)
{
    static const struct {
        uint64_t id;
        unsigned kind;
        const char *request, *says, *what;
    } rows[] = {
        {1, 0, "{}", "unknown kind", "kind 0"},
        {1, WIRE_KIND_COUNT_, "{}", "unknown kind", "a kind too many"},
        {1, 65535, "{}", "unknown kind", "a kind from nowhere"},
        {2, WIRE_KIND_NOW, "{}", "out of order", "a number too far"},
        {0, WIRE_KIND_NOW, "{}", "out of order", "a number too low"},
        {1, WIRE_KIND_NOW, "{", "request", "a request that is no JSON"},
        {1, WIRE_KIND_NOW, "[]", "not an object", "a request that is no object"},
        {1, WIRE_KIND_NOW, "{'a':1,'a':2}", "request", "a request with a key twice"},
    };
    bounds_set();
    for (size_t i = 0; i < countof(rows); i++) {
        run_begin();
        ask_as(rows[i].id, rows[i].kind, rows[i].request);
        ends("ProtocolViolation", rows[i].says, rows[i].what);
    }
}

static void test_too_many(void)
{
    bounds_set();
    run_begin();
    for (int i = 0; i < RUN_PENDING_MAX; i++)
        ask(WIRE_KIND_SLEEP, "{'us':500000}");
    ok(run->end == RUN_GOES_ON, "many may be under way");
    ask(WIRE_KIND_SLEEP, "{'us':500000}");
    ends("ProtocolViolation", "pending", "one more");
    launch.limits.requests = 2;
    run_begin();
    for (int i = 0; i < 3; i++)
        ask(WIRE_KIND_NOW, "{}");
    ok(run->end == RUN_GOES_ON,
       "the executor itself refuses the last; it may have been on its way");
    ask(WIRE_KIND_NOW, "{}");
    ends("ProtocolViolation", "more requests", "one beyond its limit");
    bounds_set();
    engine.journal_effects_max = 2;
    run_begin();
    for (int i = 0; i < 3; i++)
        ask(WIRE_KIND_NOW, "{}");
    ends("ResourceExhausted", "[journal] effects", "a journal with too many rows");
    bounds_set();
    engine.journal_bytes_max = 100;
    run_begin();
    for (int i = 0; i < 10 && run->end == RUN_GOES_ON; i++)
        ask(WIRE_KIND_NOW, "{}");
    ends("ResourceExhausted", "[journal] bytes", "a journal of too many bytes");
}

/* ---- commits that fail ----------------------------------------------------------------------- */

static bool is_loading(void)
{
    return run == NULL || run->loading;
}

static void test_commits(void)
{
    bounds_set();
    run_begin();
    autofree char *sql = xasprintf(
        "INSERT INTO execution_journal (execution_id, seq, kind, request_sha256, answer, asked_at,"
        " answered_at) VALUES ('%s', 1, 'now', '', '{}', 1, 1)",
        execution);
    world_sql(&w, sql);
    ask(WIRE_KIND_NOW, "{}");
    until(is_loading);
    ok(run != NULL && run->interrupted && heard.left == 0,
       "an answer that is there already: what is stored is looked at");
    autofree char *taken_over =
        xasprintf("UPDATE agent_executions SET lease_owner = 'another' WHERE id = '%s'", execution);
    world_sql(&w, taken_over);
    until(has_ended);
    row_read(1);
    ok(heard.left == 1 && heard.ended == 0 && has(row.answer, "{}"),
       "another goes on with it: its answer stays, and who waits looks into the store");

    run_begin();
    char taken[UUID_SIZE];
    memcpy(taken, execution, sizeof(taken));
    run_end();
    run_begin_as(taken);
    until(has_ended);
    ok(heard.refused == 1 && heard.accepted == 0, "a row that is there already is not accepted");

    run_begin();
    world_sql(&w, "ALTER TABLE execution_journal RENAME TO gone");
    ask(WIRE_KIND_NOW, "{}");
    until(is_loading);
    ok(run != NULL && run->interrupted && run->paused != NULL && run->pause_us == CLOCK_SECOND,
       "an answer that cannot be stored interrupts it, and it is taken up again after a while");
    ok(run != NULL && run->effects == NULL && heard.ended == 0 && heard.left == 0,
       "nobody has heard of it");
    run_free(run);
    world_sql(&w, "ALTER TABLE gone RENAME TO execution_journal");
    run = NULL;
}

int main(void)
{
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    world_open();
    test_kinds();
    test_signal();
    test_order();
    test_budget();
    test_depth();
    test_held();
    test_asked_again();
    test_violations();
    test_too_many();
    test_commits();
    world_close();
    row_clear();
    return done_testing();
}
