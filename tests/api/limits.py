#!/usr/bin/python3
"""A skill that loops, eats memory, recurses, floods or crashes ends with the right error, and nothing else notices."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, contains, equal, eventually, note, ok, run  # noqa: E402

daemon = Daemon({"limits": {"cpu_time": f"{300 * SLOW}ms", "memory": "16MiB", "log_count": 50, "emit_count": 50,
                            "requests": 20, "output": "64KiB", "wall_time": f"{60 * SLOW}s"}})


def agent(name, body, **config):
    source = f"""return {{ name = "{name}", version = "1.0.0", description = "a test",
  run = function(input)
{body}
  end }}"""
    return daemon.api.lua_agent(name, source, **config)["id"]


def ends(name, body, code, **details):
    result = daemon.api.execute(agent(name, body)).json
    equal(result.get("status"), "failed", f"{name}: it fails")
    equal(result.get("errorCode"), code, f"{name}: with {code}")
    said = (result.get("errorDetails") or {}).get("details", result.get("errorDetails") or {})
    for key, value in details.items():
        equal(said.get(key), value, f"{name}: {key} is told")
    return result


def test_cpu_time():
    result = ends("loop", "while true do end", "ExecutionTimeout", limit="cpuTimeMs")
    used = result["resourceUsage"]["cpuTimeMs"]
    ok(290 * SLOW <= used <= 330 * SLOW + 100, f"it used its 300 ms of CPU time and hardly more: {used}")


def test_cpu_time_where_no_lua_runs():
    ends("backtrack", 'return (("a"):rep(30000)):find((".-"):rep(30) .. "b")', "ExecutionTimeout")
    ends("repeat-nothing", "for i = 1, 1e9 do local s = (''):rep(1e8) end", "ExecutionTimeout")


def test_cpu_time_that_is_caught():
    ends("catch", "while true do pcall(function() while true do end end) end", "ExecutionTimeout")
    ends("coroutines", "while true do coroutine.wrap(function() while true do end end)() end", "ExecutionTimeout")
    ends("close", """
    local function f()
      local x <close> = setmetatable({}, { __close = function() while true do end end })
      while true do end
    end
    while true do pcall(f) end""", "ExecutionTimeout")


def test_memory():
    result = ends("bomb", "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end", "ResourceExhausted")
    peak = result["resourceUsage"]["memoryPeakBytes"]
    ok(8 << 20 <= peak <= 16 << 20, f"the peak is below the limit and near it: {peak}")
    ends("string-bomb", "local s = 'x' while true do s = s .. s end", "ResourceExhausted")
    ends("caught-bomb", "while true do pcall(function() local t = {} while true do t[#t + 1] = {} end end) end",
         "ResourceExhausted")


def test_bombs_beside_honest_executions():
    """100 of each at once: whoever is honest completes, whoever is not ends with the error of his own limit."""
    each = 100 if SLOW == 1 else 20
    kinds = {
        "bomb-table": ("local t = {} for i = 1, 1e9 do t[i] = i end", "ResourceExhausted"),
        "bomb-string": ("local s = 'x' while true do s = s .. s end", "ResourceExhausted"),
        "bomb-caught": ("local t = {} while true do pcall(function() while true do t[#t + 1] = {} end end) end",
                        "ResourceExhausted"),
        "bomb-loop": ("while true do pcall(function() while true do end end) end", "ExecutionTimeout"),
    }
    bombs = [(agent(name, body, executionConfig={"limits": {"cpuTimeMs": 100 * SLOW, "memoryMb": 4}}), code)
             for name, (body, code) in kinds.items()]
    honest = agent("beside-bombs", """local t = {} for i = 1, 20000 do t[i] = { i, tostring(i) } end
    c9.sleep(0.05) local n = 0 for _, v in ipairs(t) do n = n + #v[2] end return n""")
    started = [[], []]
    for i in range(each):
        bomb, code = bombs[i % len(bombs)]
        for list_, id_, want in ((started[0], bomb, code), (started[1], honest, 88894)):
            answer = daemon.api.execute(id_, None, {"Prefer": "respond-async"})
            list_.append((answer.headers["Location"], want))
    ended = eventually(lambda: all(daemon.api.get(at).json["status"] not in ("pending", "running")
                                   for list_ in started for at, _ in list_), 120 * SLOW, 0.5)
    ok(ended, f"{each} bombs and {each} honest executions all end")
    outputs = [daemon.api.get(at).json for at, _ in started[1]]
    equal(sum(x["status"] == "completed" and x["outputData"] == 88894 for x in outputs), each,
          "all honest ones complete, with their result")
    codes = [(daemon.api.get(at).json["errorDetails"]["code"], want) for at, want in started[0]]
    equal([pair for pair in codes if pair[0] != pair[1]], [], "each bomb ends with the error of its own limit")
    equal(sum("zygote." in line for line in daemon.log().splitlines()), 0, "and the zygote never noticed")


def test_recursion():
    result = ends("recurse", "local function f(n) return 1 + f(n + 1) end return f(1)", "ExecutionFailed")
    contains(result["error"], "recurse.lua:3", "the error names file and line")


def test_floods():
    ends("log-flood", "for i = 1, 1e6 do c9.log.info('line ' .. i) end", "ResourceExhausted")
    ends("emit-flood", "for i = 1, 1e6 do c9.emit(i) end", "ResourceExhausted")
    ends("request-flood", "for i = 1, 1e6 do c9.now() end", "ResourceExhausted")
    ends("fat-output", "return ('x'):rep(100000)", "ResourceExhausted")


def test_errors_are_told():
    result = ends("raise", "local t = nil\n    return t.x", "ExecutionFailed")
    contains(result["error"], "raise.lua:4", "a runtime error names file and line")
    contains((result.get("errorDetails") or {}).get("traceback"), "raise.lua:4", "the traceback too")
    ends("raise-nil", "error(nil)", "ExecutionFailed")
    ends("raise-cycle", "local t = {} t.t = t error(t)", "ExecutionFailed")
    ends("raise-loop", "error(setmetatable({}, { __tostring = function() while true do end end }))", "ExecutionTimeout")


def test_outputs_that_are_no_json():
    for name, body in {"cyclic": "local t = {} t.t = t return t", "nan": "return 0/0", "function": "return { f = print }",
                       "mixed": "return { 1, 2, x = 3 }", "bytes": "return '\\xff\\xfe'"}.items():
        ends(f"output-{name}", body, "ExecutionFailed")


def test_wall_time():
    result = daemon.api.execute(agent("slow", "while true do c9.sleep(0.05) end", executionConfig={"limits": {"wallTimeMs": 300}})).json
    equal(result["errorCode"], "ExecutionTimeout", "an execution that waits again and again ends by its wall time")


def test_limits_are_bounded_by_the_operator():
    answer = daemon.api.post("/v1/agents", {"name": "greedy", "triggerMode": "manual", "skillset": [],
                                            "executionConfig": {"limits": {"memoryMb": 100000}}})
    equal(answer.status, 422, "a limit over the operator's maximum is refused")
    contains(str(answer.details), "/executionConfig/limits/memoryMb", "the error names the place")


def test_output_schema():
    agent_id = agent("liar", "return { n = 'three' }", outputSchema={"type": "object", "properties": {"n": {"type": "integer"}}})
    result = daemon.api.execute(agent_id).json
    equal(result["errorCode"], "ExecutionFailed", "an output that does not fit its schema fails the execution")
    contains(str(result["errorDetails"]), "/n", "with the place")


def test_nothing_else_notices():
    honest = agent("honest", "local s = 0 for i = 1, 10000 do s = s + i * i % 7 end return s")
    bomb = agent("bystander-bomb", "local t = {} while true do t[#t + 1] = ('x'):rep(4096) .. #t end")
    bombs = [daemon.api.execute(bomb, headers={"Prefer": "respond-async"}).json["executionId"] for _ in range(20)]
    results = [daemon.api.execute(honest).json for _ in range(20)]
    equal([r["status"] for r in results], ["completed"] * 20, "honest executions complete beside bombs")
    equal(len({r["output"] for r in results}), 1, "and compute the same")
    note(f"{len(bombs)} bombs")


run(globals(), daemon)
