#!/usr/bin/python3
"""Retries: how often, after which errors, how long between; what is seen meanwhile; cancelled and killed between two
attempts; priced together."""
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, children, contains, equal, eventually, ok, run  # noqa: E402
from model_server import ModelServer  # noqa: E402

models = ModelServer()
models.__enter__()
daemon = Daemon({"model default": {"plugin": "openai", "base_url": models.base_url, "model": "echo"}})

# Fails until its attempt is the one that the input names; random and a paid effect tell attempts apart.
SOURCE = """return { name = "flaky", version = "1.0.0", needs = { model = { "default" } },
  run = function(input, ctx)
    local answer = c9.model.chat{ messages = { { role = "user", content = "x" .. ctx.execution.attempt } } }
    c9.emit({ attempt = ctx.execution.attempt })
    if ctx.execution.attempt < input.good then
      if input.code then error({ code = input.code, message = "as asked" }) end
      error("not yet")
    end
    return { attempt = ctx.execution.attempt, random = c9.random(1000000000), said = answer.content }
  end }"""


def agent(name, retry, source=SOURCE):
    return daemon.api.lua_agent(name, source.replace('"flaky"', f'"{name}"'),
                                executionConfig={"entrypoint": name, **({"retry": retry} if retry else {})})["id"]


quick = agent("quick", {"attempts": 3, "backoffMs": 20})
once = agent("once", None)
picky = agent("picky", {"attempts": 3, "backoffMs": 20, "on": ["ExecutionTimeout", "mine"]})
slow = agent("slow", {"attempts": 5, "backoffMs": 30000})
short = agent("short", {"attempts": 2, "backoffMs": 2000, "jitter": 0})

CRASH = 'return { name = "flaky", version = "1.0.0", run = function() error("at once") end }'
crash = agent("crash", {"attempts": 3, "backoffMs": 5}, CRASH)
crash_slow = agent("crash_slow", {"attempts": 3, "backoffMs": 60000}, CRASH)


def execute(which, body, headers=None):
    return daemon.api.execute(which, body, headers)


def attempts_of(execution):
    return daemon.api.get(f"/v1/executions/{execution}/attempts").json["items"]


def test_tried_again():
    models.reset()
    answer = execute(quick, {"good": 3})
    equal((answer.status, answer.json["status"]), (200, "completed"), "the third attempt succeeds, and that is the answer")
    equal(answer.json["output"]["attempt"], 3, "the skill knows which attempt it is")
    execution = daemon.api.get(f"/v1/executions/{answer.json['executionId']}").json
    equal((execution["attempt"], execution["starts"]), (3, 1), "and so does the execution")
    history = attempts_of(execution["id"])
    equal([(a["attempt"], a["status"]) for a in history], [(1, "failed"), (2, "failed"), (3, "completed")],
          "each attempt is recorded")
    contains(history[0]["errorMessage"], "not yet", "with its error")
    equal(history[0]["errorCode"], "ExecutionFailed", "and its code")
    ok(all("nextAttemptAt" in a for a in history[:2]) and "nextAttemptAt" not in history[2], "and when the next was due")
    equal(models.calls()["calls"], 3, "each attempt pays for its own effects: a journal is not taken over")
    equal(answer.json["resourceUsage"]["apiCallsCount"], 3, "and all of them are counted")


def test_fails_at_once():
    answer = execute(crash, {})
    equal((answer.json["status"], len(attempts_of(answer.json["executionId"]))), ("failed", 3),
          "what fails before anything of it was stored is tried again too")
    execution = execute(crash_slow, {}, {"Prefer": "wait=1"}).json["executionId"]
    seen = daemon.api.get(f"/v1/executions/{execution}").json
    equal((seen["status"], seen["attempt"]), ("pending", 2), "and is pending meanwhile")
    daemon.api.post(f"/v1/executions/{execution}/cancel")


def test_events():
    execution = execute(quick, {"good": 3}).json["executionId"]
    events = [e for e in daemon.api.stream("GET", f"/v1/executions/{execution}/stream") if e.id is not None]
    equal([e.id for e in events], list(range(1, len(events) + 1)), "events are numbered through all attempts")
    equal([e.data["value"]["attempt"] for e in events if e.type == "emit"], [1, 2, 3], "each attempt's are there")
    statuses = [e.data for e in events if e.type == "status"]
    equal([s["status"] for s in statuses], ["running", "pending", "running", "pending", "running"],
          "pending again between attempts")
    equal((statuses[1]["attempt"], statuses[1]["maxAttempts"]), (2, 3), "which attempt comes")
    equal(statuses[1]["lastError"]["code"], "ExecutionFailed", "and why")
    equal([e.type for e in events].count("end"), 1, "there is one end")


def test_ran_out():
    answer = execute(quick, {"good": 9})
    equal((answer.json["status"], answer.json["errorCode"]), ("failed", "ExecutionFailed"), "attempts run out")
    equal(len(attempts_of(answer.json["executionId"])), 3, "after as many as were allowed")
    answer = execute(once, {"good": 9})
    equal((answer.json["status"], attempts_of(answer.json["executionId"])), ("failed", []), "without a policy there is one")


def test_which_errors():
    equal(len(attempts_of(execute(picky, {"good": 2}).json["executionId"])), 0, "a code that is not named ends it")
    equal(execute(picky, {"good": 2, "code": "mine"}).json["status"], "completed", "a skill's own code can be named")
    hopeless = execute(quick, {"good": 2, "code": "CapabilityDenied"}).json
    equal((hopeless["status"], attempts_of(hopeless["executionId"])), ("failed", []),
          "what would fail the same way is not tried again")


def test_between_attempts():
    execution = execute(slow, {"good": 2}, {"Prefer": "respond-async"}).json["executionId"]
    path = f"/v1/executions/{execution}"
    ok(eventually(lambda: "nextAttemptAt" in daemon.api.get(path).json), "it says when the next attempt begins")
    seen = daemon.api.get(path).json
    equal((seen["status"], seen["attempt"]), ("pending", 2), "it is pending again")
    ok("errorCode" not in seen and "completedAt" not in seen, "and no error while a retry is pending")
    events = []
    thread = threading.Thread(target=lambda: events.extend(daemon.api.fresh().stream("GET", path + "/stream")))
    thread.start()
    time.sleep(0.1)
    begin = time.monotonic()
    equal(daemon.api.post(path + "/cancel").json["status"], "cancelled", "it can be cancelled then")
    thread.join(30 * SLOW)
    ok(time.monotonic() - begin < 5 * SLOW and [e.type for e in events][-1] == "end", "at once, and who follows it is told")


def test_cancelled_in_a_short_pause():
    execution = execute(short, {"good": 2}, {"Prefer": "respond-async"}).json["executionId"]
    path = f"/v1/executions/{execution}"
    ok(eventually(lambda: "nextAttemptAt" in daemon.api.get(path).json), "between two attempts")
    daemon.api.post(path + "/cancel")
    ok(eventually(lambda: daemon.api.get(path).json["status"] == "cancelled", 1.5 * SLOW), "it is cancelled before the next")


def test_killed_between_attempts():
    execution = execute(short, {"good": 2}, {"Prefer": "respond-async"}).json["executionId"]
    path = f"/v1/executions/{execution}"
    ok(eventually(lambda: "nextAttemptAt" in daemon.api.get(path).json), "between two attempts")
    daemon.kill()
    daemon.start()
    ok(eventually(lambda: daemon.api.get(path).json["status"] == "completed"), "after kill -9 the next attempt comes")
    equal(daemon.api.get(path).json["outputData"]["attempt"], 2, "as the second")
    equal(daemon.api.get(path).json["resourceUsage"]["apiCallsCount"], 2, "what the first used is not forgotten")
    emitted = [e.data["value"]["attempt"] for e in daemon.api.stream("GET", path + "/stream") if e.type == "emit"]
    equal(emitted, [1, 2], "nor are its events")


def test_who_waits_in_line_outlives_the_zygote():
    """It has not been started: the zygote's end, which takes the executors that wait ready along, is nothing to it."""
    cramped = Daemon({"model default": {"plugin": "openai", "base_url": models.base_url, "model": "hang"},
                      "executions": {"running": "2", "attempts": "1", "drain": "100ms"}})
    hangs = cramped.api.lua_agent("hangs", SOURCE.replace('"flaky"', '"hangs"'))["id"]
    waits = cramped.api.lua_agent("waits", 'return { name = "waits", version = "1.0.0", run = function(input) return input end }')["id"]
    before = models.calls()["calls"]
    first = [cramped.api.execute(hangs, {"good": 1}, {"Prefer": "respond-async"}).json["executionId"] for _ in range(2)]
    ok(eventually(lambda: models.calls()["calls"] == before + 2), "two run")
    line = [cramped.api.execute(waits, i, {"Prefer": "respond-async"}).json["executionId"] for i in range(10)]
    os.kill(children(cramped.process.pid)[0], signal.SIGKILL)
    ended = ("completed", "failed")
    ok(eventually(lambda: all(cramped.api.get(f"/v1/executions/{e}").json["status"] in ended for e in first + line)), "all end")
    equal([cramped.api.get(f"/v1/executions/{e}").json["status"] for e in first + line], ["failed"] * 2 + ["completed"] * 10,
          "those that ran have used their only start up, those in line have theirs")
    cramped.stop()


def test_starts_are_counted_whatever_ended_them():
    """First its executor is killed, then the daemon. It is the only one: else the next may die of the same blow."""
    mortal = Daemon({"model default": {"plugin": "openai", "base_url": models.base_url, "model": "hang"},
                     "executions": {"attempts": "2"}, "executors": {"ready": "0"}})
    hangs = mortal.api.lua_agent("hangs", SOURCE.replace('"flaky"', '"hangs"'))["id"]
    before = models.calls()["calls"]
    execution = mortal.api.execute(hangs, {"good": 1}, {"Prefer": "respond-async"}).json["executionId"]
    path = f"/v1/executions/{execution}"
    ok(eventually(lambda: models.calls()["calls"] == before + 1), "it runs")
    for executor in [p for a in children(mortal.process.pid) for b in children(a) for p in children(b)]:
        os.kill(executor, signal.SIGKILL)
    ok(eventually(lambda: mortal.api.get(path).json["starts"] == 2), "it is started again, and that is stored")
    mortal.kill()
    mortal.start()
    ok(eventually(lambda: mortal.api.get(path).json["status"] == "failed"), "it is not started a third time")
    contains(mortal.api.get(path).json["errorMessage"], "started 2 times", "the error says why")
    mortal.stop()


def test_refused_configuration():
    for retry, place in (({"attempts": 0}, "attempts"), ({"attempts": 1000}, "attempts"), ({"backoffMs": -1}, "backoffMs"),
                         ({"jitter": 2}, "jitter"), ({"on": "x"}, "on"), ({"atempts": 3}, "atempts")):
        answer = daemon.api.post("/v1/agents", {"name": "bad", "skillset": ["quick"],
                                                "executionConfig": {"entrypoint": "quick", "retry": retry}})
        equal(answer.code, "InvalidAgentConfig", f"{retry} is refused")
        contains(answer.message, f"/executionConfig/retry/{place}", "at its place")


run(globals(), daemon)
