#!/usr/bin/python3
"""kill -9 loses nothing: every accepted execution reaches one terminal state, and no effect that was answered is asked
for again."""
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, equal, eventually, note, ok, run  # noqa: E402
from model_server import ModelServer  # noqa: E402

N = 100
models = ModelServer()
models.__enter__()
daemon = Daemon({
    "model default": {"plugin": "openai", "base_url": models.base_url, "model": "slow:150", "concurrency": 1000},
    "limits": {"wall_time": "2m"},
})

SOURCE = """return { name = "steps", version = "1.0.0", description = "asks a model three times", needs = { model = { "default" } },
  run = function(input)
    local texts = {}
    for i = 1, 3 do
      c9.emit({ step = i })
      local answer = c9.model.chat{ messages = { { role = "user", content = input .. "/" .. i } } }
      texts[i] = answer.content
      c9.log.info("step " .. i)
    end
    return { texts = texts, random = c9.random(1000000), now = c9.now() > 0 }
  end }"""
SUMS = """return { name = "sums", version = "1.0.0", description = "computes",
  run = function(n) local sum = 0 for i = 1, n do sum = sum + i % 7 end return sum end }"""
# While one thing is asked another computes: it may be told the answer before it comes to what it asked in its former life.
TWO = """return { name = "two", version = "1.0.0", description = "does two things at once", needs = { model = { "default" } },
  run = function(input)
    local function ask(what)
      return c9.model.chat{ model = "slow:0+" .. what, messages = { { role = "user", content = "x" } } }.content
    end
    local function second()
      c9.sleep(0.001)
      local sum = 0
      for i = 1, 3e7 do sum = sum + i % 7 end
      if input == "more" then ask("two/b") ask("two/c") end
      return ask("two/last-" .. input)
    end
    return c9.all{ function() return ask("two/first-" .. input) .. ask("two/second-" .. input) end, second }
  end }"""
agent = daemon.api.lua_agent("steps", SOURCE)["id"]
two = daemon.api.lua_agent("two", TWO)["id"]


def start(n):
    return [daemon.api.execute(agent, f"run{i}", headers={"Prefer": "respond-async"}).json["executionId"] for i in range(n)]


def statuses(ids):
    return [daemon.api.get(f"/v1/executions/{i}").json["status"] for i in ids]


def all_ended(ids):
    return all(s in ("completed", "failed", "cancelled") for s in statuses(ids))


def events_of(execution):
    return list(daemon.api.stream("GET", f"/v1/executions/{execution}/stream"))


def zygotes():
    found = subprocess.run(["pgrep", "-P", str(daemon.process.pid)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def check(ids, name):
    ok(eventually(lambda: all_ended(ids), 60 * SLOW, 0.2), f"{name}: every execution ends")
    equal(statuses(ids), ["completed"] * len(ids), f"{name}: all complete")
    for execution in ids[:: max(1, len(ids) // 10)]:
        events = events_of(execution)
        numbers = [e.id for e in events if e.id is not None]
        equal(numbers, list(range(1, len(numbers) + 1)), f"{name}: events without gap or repeat")
        equal([e.type for e in events].count("end"), 1, f"{name}: one end")
        equal([e.data["value"]["step"] for e in events if e.type == "emit"], [1, 2, 3], f"{name}: each emit once")
        equal([e.data["message"] for e in events if e.type == "log"], ["step 1", "step 2", "step 3"], f"{name}: each log once")


def test_kill_the_daemon():
    models.reset()
    ids = start(N)
    time.sleep(0.25)
    daemon.kill()
    first = models.calls()["calls"]
    daemon.start()
    check(ids, "daemon killed")
    calls = models.calls()["calls"]
    note(f"{calls} model calls for {N} × 3 effects, {first} before the kill")
    ok(3 * N <= calls <= 4 * N, "no model call is paid twice but the one in flight")


def test_calls_have_keys():
    keys = {}
    for request in models.requests():
        headers = {name.lower(): value for name, value in request["headers"].items()}
        keys.setdefault(request["body"]["messages"][0]["content"], []).append(headers.get("idempotency-key"))
    ok(keys and all(None not in k and len(set(k)) == 1 for k in keys.values()), "a call that is asked again has the key that it had")
    equal(len({k[0] for k in keys.values()}), len(keys), "and each call has its own")
    note(f"{sum(len(k) > 1 for k in keys.values())} of the last calls were asked twice")


def test_what_is_new_waits_for_what_is_old():
    """The first call is answered at once in the second life, long before the other half has come to where it was."""
    for input_ in ("less", "more"):
        first, second, last = (f"slow:0+two/{what}-{input_}" for what in ("first", "second", "last"))
        models.reset()
        models.script({"replies": [{"match": {"model": first}, "as": "hang", "times": 1}, {"match": {"model": second}, "as": "hang"},
                                   {"match": {"model": last}, "as": "hang", "times": 3}]})
        execution = daemon.api.execute(two, input_, headers={"Prefer": "respond-async"}).json["executionId"]
        for life in (1, 2):
            ok(eventually(lambda: models.calls()["byModel"].get(last) == life), f"{input_}: life {life}: the last call is under way")
            if life == 2:
                ok(eventually(lambda: models.calls()["byModel"].get(second)), f"{input_}: and the first was answered")
            daemon.kill()
            daemon.start()
        models.script({"replies": []})
        ok(eventually(lambda: all_ended([execution])), f"{input_}: it ends in its third life")
        error = daemon.api.get(f"/v1/executions/{execution}").json.get("errorDetails") or {}
        equal(error.get("code"), "OutcomeUnknown", f"{input_}: because the last call would be made a third time")
        equal(models.calls()["byModel"][last], 2, f"{input_}: which it is not")


def test_kill_the_zygote():
    models.reset()
    ids = start(20)
    time.sleep(0.25)
    for pid in zygotes():
        os.kill(pid, signal.SIGKILL)
    check(ids, "zygote killed")
    ok(models.calls()["calls"] <= 80, "no model call is paid twice but the one in flight")


def test_whoever_waits_outlives_the_zygote():
    """Their rows may not have been stored yet when it dies."""
    answers = []
    sums = daemon.api.lua_agent("sums", SUMS)["id"]
    daemon.api.execute(sums, 1)

    def wait():
        answers.append(daemon.api.fresh().execute(sums, 1000000))

    threads = [threading.Thread(target=wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.02)
    for pid in zygotes():
        os.kill(pid, signal.SIGKILL)
    for thread in threads:
        thread.join(60 * SLOW)
    equal([(a.status, a.json["status"]) for a in answers], [(200, "completed")] * 8, "each gets its result")
    stored = statuses([a.json["executionId"] for a in answers])
    equal(stored, ["completed"] * 8, "which is stored")


def test_a_plain_stop_gives_back():
    daemon.stop()
    daemon.config["executions"] = {"drain": "100ms"}
    daemon.write_config()
    daemon.start()
    ids = start(10)
    equal(daemon.stop(), 0, "SIGTERM ends the daemon within its drain time")
    daemon.start()
    check(ids, "stopped and started")


def test_crashes_give_no_more_time():
    """An execution has its wall time once, however often the daemon dies under it."""
    daemon.stop()
    daemon.config["executions"] = {"attempts": 100}
    daemon.write_config()
    daemon.start()
    busy = daemon.api.lua_agent("busy", """return { name = "busy", version = "1.0.0", description = "waits a little, for ever",
      run = function() while true do c9.sleep(0.05) end end }""", executionConfig={"limits": {"wallTimeMs": 3000}})["id"]
    execution = daemon.api.execute(busy, headers={"Prefer": "respond-async"}).json["executionId"]
    lives = 0
    for lives in range(1, 8):
        if eventually(lambda: all_ended([execution]), 2, 0.1):
            break
        daemon.kill()
        daemon.start()
    equal(daemon.api.get(f"/v1/executions/{execution}").json["errorCode"], "ExecutionTimeout", "its time ends")
    note(f"in its life no. {lives}")


def test_a_poisonous_execution_ends():
    daemon.stop()
    daemon.config["executions"] = {"attempts": 2}
    daemon.write_config()
    daemon.start()
    models.script({"replies": [{"match": {"contains": "poison"}, "content": "never", "as": "hang"}]})
    execution = daemon.api.execute(agent, "poison", headers={"Prefer": "respond-async"}).json["executionId"]
    for _ in range(2):
        eventually(lambda: daemon.api.get(f"/v1/executions/{execution}").json["status"] == "running")
        daemon.kill()
        daemon.start()
    ended = eventually(lambda: all_ended([execution]))
    ok(ended, "an execution that is started again and again ends")
    equal(daemon.api.get(f"/v1/executions/{execution}").json["status"], "failed", "as failed")


run(globals(), daemon)
