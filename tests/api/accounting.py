#!/usr/bin/python3
"""What an execution used is on the execution and in the usage table, exact, however it ended; what it executes counts
against its limits; and the sums of GET /v1/usage are the sums."""
import contextlib
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, contains, equal, eventually, note, ok, run  # noqa: E402

TOKENS = 120  # of one call: 100 in, 20 out
COST = 100 * 15 + 20 * 60  # microcents: the prices are cents for a million tokens
daemon = Daemon({"model default": {"plugin": "fake", "input_tokens": 100, "output_tokens": 20, "price_input": 15,
                                   "price_output": 60},
                 "model slow": {"plugin": "fake", "delay": "30s", "input_tokens": 100, "output_tokens": 20},
                 "executions": {"grace": "300ms"}, "limits": {"memory_max": "512MiB"}})
CHAT = 'c9.model.chat{ messages = { { role = "user", content = "x" } } }\n'
NEEDS = '{ model = { "default", "slow" }, agents = { "*" } }'


def agent(name, body, **config):
    return daemon.api.lua_agent(name, f"""return {{ name = "{name}", version = "1.0.0", description = "a test", needs = {NEEDS},
  run = function(input)
{body}
  end }}""", **config)["id"]


def row(execution):
    """Of agent_resource_usage."""
    with contextlib.closing(sqlite3.connect(f"file:{daemon.folder}/state/c9d.db?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT cpu_time_us, memory_peak_bytes, api_calls_count, tokens_consumed, cost_microcents,"
                          " cpu_time_ms, memory_peak_mb, cost_cents FROM agent_resource_usage WHERE execution_id = ?",
                          (execution,)).fetchall()
    return rows


def same(execution, name):
    def alike():
        usage = daemon.api.get(f"/v1/executions/{execution}").json["resourceUsage"]
        return usage if row(execution) == [tuple(usage[k] for k in keys)] else None

    keys = ("cpuTimeUs", "memoryPeakBytes", "apiCallsCount", "tokensConsumed", "costMicrocents", "cpuTimeMs",
            "memoryPeakMb", "costCents")
    usage = eventually(alike)  # what ending took may be added between one look and the other
    if not ok(usage, f"{name}: the table has one row, and it says the same"):
        note(row(execution))
    ok(usage["cpuTimeUs"] > 0 and usage["memoryPeakBytes"] > 1000, f"{name}: CPU time and memory are there: {usage}")
    return usage


def test_completed():
    result = daemon.api.execute(agent("three", CHAT * 3)).json
    usage = same(result["executionId"], "completed")
    equal((usage["apiCallsCount"], usage["tokensConsumed"], usage["costMicrocents"], usage["costCents"]),
          (3, 3 * TOKENS, 3 * COST, 1), "completed: calls, tokens and cost are exact")


def test_what_ending_takes():
    """Giving back much memory takes time, after the result."""
    big = agent("big", "local s = ('x'):rep(32 << 20) return #s", executionConfig={"limits": {"memoryMb": 80}})
    result = daemon.api.execute(big).json
    equal(result.get("output"), 32 << 20, "an execution that holds much memory to its end")
    told = result["resourceUsage"]["cpuTimeUs"]
    stored = eventually(lambda: max(0, daemon.api.get(f"/v1/executions/{result['executionId']}").json["resourceUsage"]["cpuTimeUs"] - told))
    ok(stored > 1000, f"what it took to end is added: {told} and {stored} us")
    same(result["executionId"], "big")


def test_however_it_ends():
    for name, body, code, limits in (
            ("fails", CHAT + "error('no')", "ExecutionFailed", {}),
            ("loops", CHAT + "while true do end", "ExecutionTimeout", {"cpuTimeMs": 100 * SLOW}),
            ("hangs", CHAT + 'c9.model.chat{ provider = "slow", messages = { { role = "user", content = "x" } } }', "ExecutionTimeout", {"wallTimeMs": 400 * SLOW}),
            ("eats", CHAT + "local t = {} while true do t[#t + 1] = ('x'):rep(999) .. #t end", "ResourceExhausted",
             {"memoryMb": 8})):
        result = daemon.api.execute(agent(name, body, executionConfig={"limits": limits})).json
        equal(result.get("errorCode"), code, f"{name}: it ends with {code}")
        usage = same(result["executionId"], name)
        equal((usage["apiCallsCount"], usage["tokensConsumed"], usage["costMicrocents"]), (2 if name == "hangs" else 1, TOKENS, COST), f"{name}: what it had used is counted, also the call under way")
        if name == "loops":
            ok(100 * SLOW <= usage["cpuTimeMs"] <= 150 * SLOW + 50, f"loops: CPU time up to its end: {usage['cpuTimeMs']} ms")


def test_cancelled_during_a_call():
    agent_id = agent("waits", CHAT + 'c9.model.chat{ provider = "slow", messages = { { role = "user", content = "x" } } }')
    execution = daemon.api.execute(agent_id, None, {"Prefer": "respond-async"}).json["executionId"]
    ok(eventually(lambda: "model.chat" in str(daemon.api.get(f"/v1/executions/{execution}/journal").json)), "it has had one answer")
    daemon.api.post(f"/v1/executions/{execution}/cancel")
    eventually(lambda: daemon.api.get(f"/v1/executions/{execution}").json["status"] == "cancelled")
    usage = same(execution, "cancelled")
    ok(usage["apiCallsCount"] in (1, 2) and usage["tokensConsumed"] == TOKENS, f"cancelled: with the call under way: {usage['apiCallsCount']}")


def test_cpu_time_over_attempts():
    agent_id = agent("again", "local s = 0 for i = 1, 3e6 do s = s + i end error('no')",
                     executionConfig={"retry": {"attempts": 3, "backoffMs": 1, "on": ["ExecutionFailed"]}})
    result = daemon.api.execute(agent_id).json
    if result["status"] != "failed":
        note(result)
    usage = same(result["executionId"], "three attempts")
    once = daemon.api.execute(agent("once", "local s = 0 for i = 1, 3e6 do s = s + i end error('no')")).json["resourceUsage"]
    ok(usage["cpuTimeUs"] > 1.5 * once["cpuTimeUs"], f"three attempts cost more than one: {usage['cpuTimeUs']}, {once['cpuTimeUs']} us")


def test_children_count_against_their_parent():
    agent("child", CHAT * 2 + "return 1")
    parent = agent("parent", """
    local done = 0
    for i = 1, 10 do
      local fine, failure = pcall(c9.agents.execute, "child", i)
      if not fine then return { done = done, code = failure.code, message = failure.message } end
      done = i
    end""", executionConfig={"limits": {"tokens": 500}})
    result = daemon.api.execute(parent).json
    out, usage = result["output"], result["resourceUsage"]
    equal(out["code"], "ResourceExhausted", "a parent's budget ends what its children spend")
    contains(out["message"], "tokens", "and the error names it")
    ok(2 * TOKENS * out["done"] <= 500 and usage["childrenTokens"] >= 500 - TOKENS, f"after {out['done']} children: {usage}")
    ok(usage["childrenTokens"] <= 500 + TOKENS, "no call begins beyond it")
    equal(usage["tokensConsumed"], 0, "its own tokens are its own")


def test_children_at_once():
    agent("kid", CHAT * 5 + "return 1")
    parent = agent("crowd", """
    local calls = {}
    for i = 1, 8 do calls[i] = function() return (pcall(c9.agents.execute, "kid", i)) end end
    return c9.all(calls)""", executionConfig={"limits": {"tokens": 1000}})
    usage = daemon.api.execute(parent).json["resourceUsage"]
    ok(1000 <= usage["childrenTokens"] <= 1000 + 8 * TOKENS,
       f"children at once share the budget too: {usage['childrenTokens']} of 1000, not {8 * 5 * TOKENS}")


def test_grandchildren():
    agent("leaf", CHAT * 4 + "return 1")
    agent("middle", 'return c9.agents.execute("leaf", 1)')
    top = agent("top", """
    local fine, failure = pcall(c9.agents.execute, "middle", 1)
    local again = pcall(c9.agents.execute, "middle", 1)
    return { fine = fine and again }""", executionConfig={"limits": {"costCents": 1}})
    cheap = daemon.api.execute(top).json
    equal((cheap["output"]["fine"], cheap["resourceUsage"]["childrenCostMicrocents"]), (True, 8 * COST),
          "what executions below executions cost is counted up to the first")


def sums(**query):
    path = "/v1/usage?" + "&".join(f"{k}={v}" for k, v in query.items())
    items = []
    while path:
        page = daemon.api.get(path)
        equal(page.status, 200, "the usage is told") if page.status != 200 else None
        items += page.json["items"]
        path = page.json["nextCursor"] and "/v1/usage?" + "&".join(
            f"{k}={v}" for k, v in (query | {"cursor": page.json["nextCursor"]}).items())
    return items


def stored():
    with contextlib.closing(sqlite3.connect(f"file:{daemon.folder}/state/c9d.db?mode=ro", uri=True)) as db:
        return db.execute("SELECT count(*), sum(cpu_time_us), max(memory_peak_bytes), sum(api_calls_count),"
                          " sum(tokens_consumed), sum(cost_microcents), count(DISTINCT agent_id)"
                          " FROM agent_resource_usage").fetchone()


def test_sums():
    def total(items):
        cut = [tuple(i[k] for k in ("executions", "cpuTimeUs", "memoryPeakBytes", "apiCallsCount", "tokensConsumed",
                                    "costMicrocents")) for i in items]
        return tuple(max(c) if n == 2 else sum(c) for n, c in enumerate(zip(*cut)))

    def told():
        before = stored()
        answers = sums(groupBy="organization"), sums(limit=3), sums(groupBy="day")
        return (answers, before) if stored() == before else None
    # What an executor's leaving takes is put right behind its execution's end: asked until nothing changes meanwhile.
    (whole, by_agent, by_day), (*want, agents) = eventually(told)
    want = tuple(want)
    equal((len(whole), total(whole)), (1, want), "the organization's sum is that of its executions")
    equal((len(by_agent), total(by_agent)), (agents, want), "so is that of all agents, page by page")
    equal(total(by_day), want, "and that of all days")
    three = next(i for i in by_agent if i["agentName"] == "three")
    equal(sums(groupBy="organization", agentId=three["agentId"])[0]["tokensConsumed"], 3 * TOKENS, "one agent's alone")
    equal(sums(to="2001-01-01T00:00:00Z"), [], "and nothing of another time")
    equal(daemon.api.get("/v1/usage?from=2030-01-01T00:00:00Z&to=2020-01-01T00:00:00Z").status, 400, "times the wrong way round are refused")
    equal(daemon.api.get("/v1/usage?groupBy=hour").status, 400, "so is another grouping")
    equal(daemon.api.get("/v1/usage?agentId=00000000-0000-4000-8000-000000000000").code, "AgentNotFound", "and an agent that is not there")


def test_scope():
    token = daemon.api.post("/v1/tokens", {"name": "blind", "scopes": ["executions:read"]}).json["token"]
    equal(daemon.api.with_token(token).get("/v1/usage").code, "AgentAccessDenied", "it takes the scope usage:read")


run(globals(), daemon)
