/* c9 calls: what is asked for, how answers come back, tasks, notices, descriptions. */
#include <lua.h>

#include "sandbox_vm.h"

#define ANSWERS(...)                                                                               \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static const char *run(const char *body, const char *const *answers)
{
    return vm_run((struct vm_case){.source = vm_body(body), .answers = answers});
}

static void test_requests(void)
{
    is_str(run("return c9.now()", ANSWERS("{\"us\":1700000000000001}")), "1700000000.000001",
           "now gives seconds");
    is_str(vm_end.text, "REQUEST 1 now {}\n", "and asks with id 1");
    run("c9.sleep('250ms') c9.sleep(1.5) c9.sleep('3d')", NULL);
    is_str(vm_end.text,
           "REQUEST 1 sleep {\"us\":250000}\nREQUEST 2 sleep {\"us\":1500000}\n"
           "REQUEST 3 sleep {\"us\":259200000000}\n",
           "sleep takes seconds and durations");
    is_str(run("local a = c9.model.chat{ messages = { { role = 'user', content = 'hi' } }, "
               "max_tokens = 5, stop = 'x' }"
               "return { a.content, a.usage.output_tokens, a.tool_calls == nil }",
               ANSWERS("{\"content\":\"yo\",\"tool_calls\":null,\"usage\":{\"input_tokens\":1,"
                       "\"output_tokens\":2}}")),
           "[\"yo\",2,true]", "chat gives the answer");
    is_str(vm_end.text,
           "REQUEST 1 model.chat "
           "{\"chat\":{\"max_tokens\":5,\"messages\":[{\"content\":\"hi\",\"role\":\"user\"}],"
           "\"stop\":[\"x\"]},\"emit\":false,\"provider\":\"default\",\"stream\":false}\n",
           "and asks for it so");
    is_str(run("local parts = {} local a = c9.model.chat{ messages = {{role='user'}}, stream = "
               "function(d) parts[#parts+1] = d"
               " c9.emit(d) end } return { parts, a.content }",
               ANSWERS("~he", "~llo", "{\"content\":\"hello\"}")),
           "[[\"he\",\"llo\"],\"hello\"]", "deltas reach the stream function before the answer");
    ok(vm_has(vm_end.text, "EMIT 1 \"he\"\nEMIT 2 \"llo\"\n"), "which may emit");
    ok(vm_has(run("c9.model.chat{ messages = {{role='user'}}, stream = function(d) error('mine') "
                  "end }",
                  ANSWERS("~x", "~y", "{\"content\":\"\"}")),
              "test.lua:2: mine"),
       "its error comes out of the call");
    ok(vm_has(run("c9.model.chat{ messages = {{role='user'}}, stream = function(d) c9.now() end }",
                  ANSWERS("~x", "{}")),
              "in a stream function"),
       "it may not make effects");
    is_str(run("local r = c9.http.request{ url = 'https://e.org/', json = { 1 }, headers = { A = 1 "
               "}, timeout = '2s' }"
               "return { r.status, r.headers['content-type'], r:json().x }",
               ANSWERS("{\"status\":200,\"headers\":{\"content-type\":\"a\"},\"body\":\"{\\\"x\\\":"
                       "[]}\"}")),
           "[200,\"a\",[]]", "http gives status, headers, body and json()");
    is_str(vm_end.text,
           "REQUEST 1 http.request "
           "{\"body\":\"[1]\",\"headers\":{\"A\":\"1\",\"content-type\":\"application/json\"},"
           "\"method\":\"GET\",\"timeout_us\":2000000,\"url\":\"https://e.org/\"}\n",
           "and sends a JSON body");
    is_str(run("local r = c9.http.request{ url = 'x' } return { #r.body, r.body:byte(1, -1) }",
               ANSWERS("{\"status\":200,\"headers\":{},\"body_base64\":\"/wAB\"}")),
           "[3,255,0,1]", "bodies of bytes");
    is_str(
        run("local p, s = c9.wait_for('approve', { schema = { type = 'boolean' }, timeout = "
            "'2h' }) return { p, s.sent_by, s.sent_at, s.sent_us == nil }",
            ANSWERS(
                "{\"payload\":false,\"sent_by\":\"u\",\"signal_id\":\"i\",\"sent_us\":1500000}")),
        "[false,\"u\",1.5,true]", "wait_for gives the payload and the signal");
    is_str(vm_end.text,
           "REQUEST 1 wait_for "
           "{\"name\":\"approve\",\"schema\":{\"type\":\"boolean\"},\"timeout_us\":7200000000}\n",
           "and asks for it so");
    ok(vm_has(run("c9.wait_for(1)", NULL), "the signal's name must be a string, got number"),
       "its name is a string");
    ok(vm_has(run("c9.wait_for('a', { timout = 1 })", NULL), "timeout"), "its options are checked");
    is_str(run("local o, i = c9.agents.execute('a', { x = c9.null }, { version = '1.0.0' }) return "
               "{ o, i.execution_id }",
               ANSWERS("{\"execution_id\":\"e\",\"output\":[null]}")),
           "[[null],\"e\"]", "agents.execute: output and info");
    is_str(
        vm_end.text,
        "REQUEST 1 agents.execute {\"agent\":\"a\",\"input\":{\"x\":null},\"version\":\"1.0.0\"}\n",
        "and asks with its version");
    is_str(run("local ok, e = c9.skills.validate('s', 1) local all = c9.validate_output(2) return "
               "{ ok, e[1].path, all }",
               ANSWERS("{\"valid\":false,\"errors\":[{\"path\":\"/x\",\"message\":\"m\"}]}",
                       "{\"valid\":true,\"errors\":[]}")),
           "[false,\"/x\",true]", "validation");
    is_str(vm_end.text,
           "REQUEST 1 validate {\"name\":\"s\",\"of\":\"skill\",\"value\":1}\nREQUEST 2 validate "
           "{\"of\":\"output\",\"value\":2}\n",
           "asks the engine");
}

static void test_errors(void)
{
    const char *const denied[] = {
        "!{\"code\":\"HttpFailed\",\"message\":\"m\",\"retryable\":true,\"details\":{\"a\":[]}}",
        NULL};
    is_str(run("local ok, e = pcall(c9.http.request, { url = 'x' })\n return { ok, e.code, "
               "e.retryable, tostring(e) }",
               denied),
           "[false,\"HttpFailed\",true,\"HttpFailed: m\"]",
           "an error answer is a table that can be caught");
    const char *f = run("c9.http.request{ url = 'x' }", denied);
    ok(vm_has(f, "\"code\":\"HttpFailed\"") && vm_has(f, "\"details\":{\"a\":[]}") &&
           vm_has(f, "test.lua:2: in"),
       "or ends the execution, with its code and a traceback");
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"c9.http.request{ }", "test.lua:2: c9.http.request: url must be a string, got nil"},
        {"c9.http.request{ url = 'x', metod = 'GET' }",
         "unknown field 'metod'; did you mean 'method'?"},
        {"c9.http.request{ url = 'x', headers = { 1 } }", "headers must be names"},
        {"c9.model.chat{ messages = {} }", "at least one message"},
        {"c9.model.chat{ messages = {{}} }", "messages[1].role must be a string"},
        {"c9.model.chat{ messages = {{role='user', content=print}} }",
         "c9.model.chat.chat.messages[1].content is a function"},
        {"c9.sleep('soon')", "got soon"},
        {"c9.sleep(-1)", "c9.sleep: the duration must be seconds"},
        {"c9.agents.execute(1)", "the agent must be a string"},
        {"c9.skills.call('nope')", "this agent has no skill 'nope'"},
        {"c9.nope()", "attempt to call a nil value (field 'nope')"},
        {"c9.log = 1", "read-only: cannot set field 'log'"},
        {"string.format = 1", "read-only"},
        {"rawset(math, 'pi', 3)", "read-only"},
        {"ctx.agent.name = 'x'", "read-only"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ok(vm_has(vm_run((struct vm_case){.source = vm_body(rows[i].body),
                                          .context = "{\"agent\":{\"name\":\"a\"}}"}),
                  rows[i].says),
           "said: %s", rows[i].says);
    ok(vm_has(vm_run((struct vm_case){.source = "c9.now() return {}"}),
              "while the skill's file is loaded"),
       "no effects while a file is loaded");
    const char *cancelled =
        vm_run((struct vm_case){.source = vm_body("while true do pcall(c9.now) end"),
                                .cancel_at = 3,
                                .answers = ANSWERS("{\"us\":1}", "{\"us\":1}")});
    ok(vm_has(cancelled, "\"code\":\"Cancelled\""),
       "a cancelled execution ends at its next call, and cannot catch that");
    f = vm_run((struct vm_case){.source = vm_body("for _ = 1, 5 do pcall(c9.sleep, 0) end"),
                                .answers = ANSWERS("{}", "{}", "{}"),
                                .start = {.requests_max = 3}});
    ok(vm_has(f, "ResourceExhausted") && vm_has(f, "\"limit\":\"requests\"") &&
           vm_has(f, "\"max\":3"),
       "too many calls end the execution, which cannot catch that");
}

static void test_tasks(void)
{
    is_str(run("local a, b, c = c9.all(function() return c9.now() end, function() return 2 end, "
               "function() end)"
               "return { a, b, c }",
               ANSWERS("{\"us\":1000000}")),
           "[1.0,2,null]", "results are in order");
    is_str(run("return c9.all{}", NULL), "[]", "of nothing, too");
    const char *const three[] = {"{\"us\":1000000}", "{\"us\":2000000}", "{\"us\":3000000}", NULL};
    is_str(vm_run((struct vm_case){.source = vm_body("return c9.all{ c9.now, c9.now, c9.now }"),
                                   .answers = three,
                                   .newest_first = true}),
           "[3.0,2.0,1.0]", "requests are pending together, answers in any order");
    is_str(vm_run((struct vm_case){
               .source = vm_body(
                   "local n = {} for i = 1, 40 do n[i] = function() c9.sleep(i) return i end end "
                   "local s = 0 for _, v in ipairs(c9.all(n)) do s = s + v end return s"),
               .start = {.pending_max = 3},
               .newest_first = true}),
           "820", "more tasks than may be pending wait for room");
    is_str(run("return c9.all{ function() return c9.all{ c9.now, function() return "
               "coroutine.wrap(function() coroutine.yield(1) "
               "end)() end } end, c9.now }",
               ANSWERS("{\"us\":1000000}", "{\"us\":2000000}")),
           "[[2.0,1],1.0]", "tasks nest; user coroutines are their own");
    is_str(vm_run((struct vm_case){
               .source = vm_body(
                   "local function gen() local co = coroutine.wrap(function() for i = 1, 2 do "
                   "coroutine.yield(c9.now()) end end) return { co(), co() } end return c9.all{ "
                   "gen, gen }"),
               .newest_first = true,
               .answers = ANSWERS("{\"us\":1000000}", "{\"us\":2000000}", "{\"us\":3000000}",
                                  "{\"us\":4000000}")}),
           "[[3.0,4.0],[1.0,2.0]]", "effects pass through coroutines of a task");
    ok(vm_has(vm_end.text, "REQUEST 1 now {}\nREQUEST 2 now {}\nREQUEST 3"), "while others go on");
    is_str(run("local t = { 3, 1, 2 } table.sort(t, function(a, b) c9.sleep(0) return a < b end) "
               "return { t, c9.all{"
               " function() table.sort(t, function(a, b) return c9.all(function() c9.sleep(0) "
               "return a > b end) end) return t end } }",
               NULL),
           "[[3,2,1],[[3,2,1]]]", "effects work where Lua cannot yield");
    const char *f = run("c9.all(function() c9.now() end, function()\n error('first') end, "
                        "function() error('second') end)",
                        ANSWERS("{\"us\":1}"));
    ok(vm_has(f, "test.lua:3: first") && vm_has(f, "test.lua:3: in function") &&
           vm_has(f, "in a function of c9.all"),
       "the first function's error is raised, with its traceback");
    is_str(run("return { pcall(c9.all, function() error({ code = 'X' }) end) }", NULL),
           "[false,{\"code\":\"X\"}]", "and can be caught");
    ok(vm_has(run("coroutine.yield(1)", NULL), "outside a coroutine"),
       "run itself is no coroutine");
    is_str(run("local co co = coroutine.create(function() c9.now() return 1 end)\n local ok, why = "
               "true\n local r = c9.all{ function() return"
               " select(2, coroutine.resume(co)) end, function() ok, why = coroutine.resume(co) "
               "end }\n return { r, ok, why, coroutine.status(co) }",
               ANSWERS("{\"us\":1}")),
           "[[1,null],false,\"cannot resume a coroutine that waits for a c9 call\",\"dead\"]",
           "a coroutine that waits cannot be resumed by another task");
    ok(vm_has(run("c9.all(1, 2)", NULL), "table of functions"), "c9.all says what it wants");
    ok(vm_has(run("c9.all{ print, 2 }", NULL), "item 2 must be a function"), "and where");
}

static void test_notices(void)
{
    run("c9.log.info('a', 1, { x = 1 }, { y = { print } }) c9.emit({ 1 }) print('b', nil, {}) "
        "c9.log.error({ 1, 'z' }, {3})",
        NULL);
    ok(vm_has(vm_end.text, "LOG 1 1 a 1{\"x\":1,\"y\":[\"function#1\"]}\nEMIT 2 [1]\nLOG 3 1 "
                           "b\tnil\ttable#2\nLOG 4 3 [1,\"z\"] [3]\n"),
       "logs take text and metadata; notices are numbered together");
    run("c9.log.warn('\\xff', { s = '\\0' })", NULL);
    ok(vm_has(vm_end.text, "LOG 1 2 \xEF\xBF\xBD{\"s\":\"\xEF\xBF\xBD\"}"),
       "what is not text becomes text");
}

static void test_skills(void)
{
    struct vm_case c = {
        .source = "x = 1 return { run = function(input, ctx) c9.log.info('here') return { "
                  "c9.skills.call('other', input), x, #c9.skills.list() } end }",
        .other_source = "x = (x or 0) + 10 return { run = function(input, ctx) c9.sleep(1) x = x + "
                        "1 return { x, input.a, ctx.agent.name } end }",
        .input = "{\"a\":7}",
        .context = "{\"agent\":{\"name\":\"n\"},\"skills\":[{\"name\":\"other\"}]}"};
    is_str(vm_run(c), "[[11,7,\"n\"],1,1]", "skills call each other, each with its own globals");
    c.other_source = "return { run = function() error('inside') end }";
    ok(vm_has(vm_run(c), "other.lua:1: inside"), "errors name the file they come from");
    c.other_source = "return {";
    ok(vm_has(vm_run(c), "other.lua:1:"), "also when it does not compile");
}

static void test_describe(void)
{
    static const char good[] = "return {\n name = 'good', version = '1.2.3-rc.1+b', description = "
                               "'d',\n input = { type = 'object' },\n"
                               " needs = { model = 'default', http = { 'e.org' } },\n examples = { "
                               "{ name = 'n', input = 1, output = c9.json.array{} } },\n"
                               " run = function() end }";
    struct vm_case c = {.source = good, .start = {.mode = WIRE_MODE_DESCRIBE}};
    is_str(vm_run(c),
           "{\"description\":\"d\",\"examples\":[{\"input\":1,\"name\":\"n\",\"output\":[]}],"
           "\"input\":{\"type\":\"object\"},"
           "\"name\":\"good\",\"needs\":{\"http\":[\"e.org\"],\"model\":[\"default\"]},\"version\":"
           "\"1.2.3-rc.1+b\"}",
           "a description is the table without functions");
    is_int(vm_end.type, WIRE_RESULT, "as a RESULT");
    static const struct {
        const char *source, *says;
    } rows[] = {
        {"return {\n version = '1.0.0', run = print }", "name must be a string, got nil"},
        {"return {\n name = 'Bad Name',\n version = '1.0.0', run = print }",
         "test.lua:2: name must begin"},
        {"return {\n name = 'x',\n version = '1.0', run = print }",
         "test.lua:3: version must be a semantic version"},
        {"return {\n name = 'x',\n version = '01.0.0', run = print }", "semantic version"},
        {"return {\n name = 'x', version = '1.0.0',\n descripton = 1, run = print }",
         "test.lua:3: the skill: unknown field 'descripton'; did you mean 'description'?"},
        {"return {\n name = 'x', version = '1.0.0', needs = {\n htp = {} }, run = print }",
         "test.lua:3: needs: unknown field 'htp'; did you mean 'http'?"},
        {"return {\n name = 'x', version = '1.0.0', needs = {\n filesystem = {} }, run = print }",
         "test.lua:3: needs: unknown field 'filesystem'; there is model, http"},
        {"return {\n name = 'x', version = '1.0.0', needs = {\n http = { 1 } }, run = print }",
         "test.lua:3: needs.http must be a list"},
        {"return { name = 'x', version = '1.0.0', needs = { http = { a = 1 } }, run = print }",
         "needs.http must be a list"},
        {"return {\n name = 'x', version = '1.0.0', needs = {\n http = { 'a.example', "
         "'https://b.example/x' } }, run = print }",
         "test.lua:3: needs.http names hosts"},
        {"return { name = 'x', version = '1.0.0', needs = { http = 'b.example:80' }, run = print }",
         "without scheme, port or path; got \\\"b.example:80"},
        {"return { name = 'x', version = '1.0.0' }", "run must be a function, got nil"},
        {"return { name = 'x', version = '1.0.0', run = print,\n input = { properties = { f = "
         "print } } }",
         "test.lua:2: input.properties.f is a function"},
        {"return { name = 'x', version = '1.0.0', run = print, examples = { { inptu = 1 } } }",
         "examples[1]: unknown field 'inptu'"},
        {"return { name = 'x', version = '1.0.0', run = print, examples = { 1 } }",
         "examples must be a list of tables"},
        {"c9.now()", "while the skill's file is loaded"},
        {"while true do end", "ExecutionTimeout"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        c.source = rows[i].source;
        c.start.cpu_us = 100000;
        const char *f = vm_run(c);
        ok(vm_end.type == WIRE_FAILURE && vm_has(f, rows[i].says), "said: %s", rows[i].says);
    }
}

int main(void)
{
    test_requests();
    test_errors();
    test_tasks();
    test_notices();
    test_skills();
    test_describe();
    return done_testing();
}
