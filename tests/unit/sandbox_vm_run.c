/* From source and input to a result or a failure that says where. */
#include <lua.h>

#include "sandbox_vm.h"

static const char *run(const char *body)
{
    return vm_run((struct vm_case){.source = vm_body(body)});
}

static void test_results(void)
{
    is_str(run("return 1"), "1", "a number comes back");
    is_str(run("return { b = 1, a = { 1, 2.0, 'x' } }"), "{\"a\":[1,2.0,\"x\"],\"b\":1}",
           "objects have their keys in order, floats stay floats");
    is_int(vm_end.type, WIRE_RESULT, "as a RESULT");
    is_str(run("return nil"), "null", "nothing is null");
    is_str(vm_run((struct vm_case){
               .source = vm_body("return { input.x, input.y == c9.null, #input.l, input.l }"),
               .input = "{\"x\":\"\\u00e9\\ud83d\\ude00\",\"y\":null,\"l\":[]}"}),
           "[\"é😀\",true,0,[]]", "input is decoded, null and empty arrays are kept");
    is_str(run("local s = 0 for i = 1, 10000 do s = s + i * i % 7 end return s"), "20001",
           "the sum of the benchmark");
    is_str(vm_run((struct vm_case){
               .source = vm_body("return { ctx.agent.name, ctx.agent.persona == nil }"),
               .context = "{\"agent\":{\"name\":\"a\",\"persona\":null}}"}),
           "[\"a\",true]", "the context is there, absent members are nil");
}

static void test_failures(void)
{
    const char *f = run("local function deep() error('no way') end\ndeep()\nreturn 1");
    is_int(vm_end.type, WIRE_FAILURE, "an error is a FAILURE");
    ok(vm_has(f, "\"code\":\"ExecutionFailed\""), "its code is ExecutionFailed");
    ok(vm_has(f, "test.lua:2: no way"), "its message has file and line");
    ok(vm_has(f, "test.lua:2: in local 'deep'"), "the traceback names function, file and line");
    ok(vm_has(f, "test.lua:3: in"), "and its caller");
    f = run(
        "error({ code = 'ModelFailed', message = 'm', details = { a = 1 }, retryable = true })");
    ok(vm_has(f, "\"code\":\"ModelFailed\"") && vm_has(f, "\"details\":{\"a\":1}") &&
           vm_has(f, "\"retryable\":true"),
       "error tables keep code, details and retryable");
    f = run("error({ code = 'Mine', message = 'm' })");
    ok(vm_has(f, "\"code\":\"ExecutionFailed\"") && vm_has(f, "\"details\":{\"code\":\"Mine\"}"),
       "a code of one's own goes to the details");
    ok(vm_has(run("error()"), "without a value"), "error() without a value");
    ok(vm_has(run("local t = {} t.t = t error(t)"), "table#"), "a cyclic table as error");
    ok(vm_has(run("error(setmetatable({}, { __tostring = function() error('again') end }))"),
              "__tostring fails"),
       "an error whose __tostring fails");
    ok(vm_has(run("error('\\xff\\xfe')"), "\xEF\xBF\xBD"), "an error that is not text");
    ok(vm_has(run("local t = nil; return t.x"), "attempt to index a nil value (local 't')"),
       "Lua's own errors");
    f = run("local function f() return 1 + f() end return f()");
    ok(vm_has(f, "stack overflow") && vm_has(f, "ExecutionFailed") &&
           vm_has(f, "\"message\":\"test.lua:2:"),
       "endless recursion");
    f = vm_run((struct vm_case){.source = "return {"});
    ok(vm_has(f, "InvalidSkill") && vm_has(f, "test.lua:1:"), "a syntax error names file and line");
    f = vm_run((struct vm_case){.source = "error('early')"});
    ok(vm_has(f, "InvalidSkill") && vm_has(f, "test.lua:1: early"),
       "an error while the file is loaded");
    ok(vm_has(vm_run((struct vm_case){.source = "return 1"}), "must return a table"),
       "a file that returns no table");
    ok(vm_has(vm_run((struct vm_case){.source = "\x1bLua"}), "InvalidSkill"),
       "binary chunks are refused");
}

static void test_output_refused(void)
{
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"return { items = { 1, 2, { name = print } } }", "output.items[3].name is a function"},
        {"local t = {} t.a = { t } return t", "output.a[1] is a table that contains itself"},
        {"return { x = 0/0 }", "output.x is not a number (NaN)"},
        {"return { x = math.huge }", "output.x is infinite"},
        {"return { 1, 2, x = 3 }", "output has both string keys and array items"},
        {"return { [1] = 1, [3] = 3, [9] = 1 }", "output is an array with holes"},
        {"return { [1.5] = 1 }", "output has keys that are neither"},
        {"return { s = 'a\\xff' }", "output.s is not valid UTF-8"},
        {"return { s = 'a\\0' }", "output.s has a NUL byte"},
        {"local t = {} for _ = 1, 100 do t = { t } end return t", "is nested too deeply"},
        {"return coroutine.create(print)", "output is a coroutine"},
        {"return string.rep('x', 2000000)", "more than outputBytes"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ok(vm_has(run(rows[i].body), rows[i].says), "refused: %s", rows[i].says);
}

static void test_limits(void)
{
    static const char *const loops[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(error, function() while true do end end) end",
        "local co = coroutine.wrap(function() while true do end end) while true do pcall(co) end",
        "local x <close> = setmetatable({}, { __close = function() while true do end end }) while "
        "true do end",
        "coroutine.wrap(function() while true do coroutine.yield(pcall(function() while true do "
        "end end)) end end)()"
        " while true do end",
        "local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = "
        "function() while true do"
        " end end }) coroutine.yield() end) coroutine.resume(co) while true do "
        "pcall(coroutine.close, co) end",
        "error(setmetatable({}, { __tostring = function() while true do end end }))",
        "table.sort({3,2,1}, function() while true do end end)",
        "c9.all(function() while true do end end)",
    };
    struct wire_start start = {.cpu_us = 60000, .memory = 8u << 20};
    for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++)
        ok(vm_has(vm_run((struct vm_case){.source = vm_body(loops[i]), .start = start}),
                  "ExecutionTimeout"),
           "stopped: %s", loops[i]);
    static const char *const eaters[] = {
        "local t = {} for i = 1, math.huge do t[i] = {} end",
        "local s = 'x' while true do s = s .. s end",
        "return string.rep('x', 1e9)",
        "local t = {} while true do pcall(function() for i = 1, math.huge do t[#t + 1] = "
        "('x'):rep(1000) .. i end end) end",
        "local t = {} coroutine.wrap(function() pcall(function() for i = 1, math.huge do t[i] = {} "
        "end end) end)() return 1",
        "return c9.json.encode(string.rep('\\1', 3000000))",
    };
    for (size_t i = 0; i < sizeof(eaters) / sizeof(eaters[0]); i++) {
        const char *f = vm_run((struct vm_case){.source = vm_body(eaters[i]),
                                                .start = {.cpu_us = 2000000, .memory = 8u << 20}});
        ok(vm_has(f, "\"code\":\"ResourceExhausted\"") && vm_has(f, "\"limit\":\"memory\"") &&
               vm_has(f, "\"limitBytes\":8388608"),
           "stopped: %s", eaters[i]);
    }
    ok(vm_has(vm_run((struct vm_case){.source = vm_body("while true do pcall(print, 'x') end"),
                                      .start = {.log_count_max = 10}}),
              "\"limit\":\"logCount\""),
       "floods of logs");
    ok(vm_has(vm_run((struct vm_case){.source =
                                          vm_body("while true do pcall(print, ('x'):rep(100)) end"),
                                      .start = {.log_bytes_max = 1000}}),
              "\"limit\":\"logBytes\""),
       "logs too large");
    ok(vm_has(vm_run((struct vm_case){.source = vm_body("while true do pcall(c9.emit, 1) end"),
                                      .start = {.emit_count_max = 10}}),
              "\"limit\":\"emitCount\""),
       "floods of emits");
}

int main(void)
{
    test_results();
    test_failures();
    test_output_refused();
    test_limits();
    return done_testing();
}
