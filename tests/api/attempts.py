#!/usr/bin/python3
"""Retries: how often, after which errors, how long between; what is seen meanwhile; cancelled and killed between two
attempts; priced together."""
import os
import signal
import sqlite3
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


def executors_of(some):
    return [p for a in children(some.process.pid) for b in children(a) for p in children(b)]


def kill_executors(some):
    for executor in executors_of(some):
        os.kill(executor, signal.SIGKILL)


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
    kill_executors(mortal)
    ok(eventually(lambda: mortal.api.get(path).json["starts"] == 2), "it is started again, and that is stored")
    mortal.kill()
    mortal.start()
    ok(eventually(lambda: mortal.api.get(path).json["status"] == "failed"), "it is not started a third time")
    contains(mortal.api.get(path).json["errorMessage"], "started 2 times", "the error says why")
    equal(mortal.api.get(path).json["starts"], 2, "and so does the execution")
    mortal.stop()


def test_a_start_counts_though_nothing_came_of_it():
    """Each of its executors dies at once, the last one too."""
    mortal = Daemon({"executions": {"attempts": "3"}, "executors": {"ready": "0"}})
    sleeps = mortal.api.lua_agent("sleeps", 'return { name = "sleeps", version = "1.0.0", run = function() c9.sleep(60) end }')["id"]
    execution = mortal.api.execute(sleeps, None, {"Prefer": "respond-async"}).json["executionId"]
    path = f"/v1/executions/{execution}"

    def ended():
        kill_executors(mortal)
        return mortal.api.get(path).json["status"] == "failed"
    ok(eventually(ended, every=0.001), "it fails")
    contains(mortal.api.get(path).json["errorMessage"], "started 3 times", "by its starts")
    equal(mortal.api.get(path).json["starts"], 3, "of which none is forgotten")
    mortal.stop()


def test_who_waits_in_line_outlives_the_daemon():
    """It has not been started: that the daemon had claimed it is nothing to it."""
    cramped = Daemon({"model default": {"plugin": "openai", "base_url": models.base_url, "model": "hang"},
                      "executions": {"running": "1", "attempts": "3", "asks": "9"}})
    hangs = cramped.api.lua_agent("hangs", SOURCE.replace('"flaky"', '"hangs"'))["id"]
    source = 'return { name = "%s", version = "1.0.0", run = function(input) return input end }'
    waits = cramped.api.lua_agent("waits", source % "waits")["id"]
    keyed = cramped.api.lua_agent("keyed", source % "keyed", executionConfig={
        "entrypoint": "keyed", "concurrency": {"limit": 1}})["id"]
    before = models.calls()["calls"]
    first = cramped.api.execute(hangs, {"good": 1}, {"Prefer": "respond-async"}).json["executionId"]
    ok(eventually(lambda: models.calls()["calls"] == before + 1), "one runs")
    line = [cramped.api.execute(a, i, {"Prefer": "respond-async"}).json["executionId"] for i in range(3) for a in (waits, keyed)]
    owners = {None}

    def in_line():
        store = sqlite3.connect(f"file:{cramped.folder}/state/c9d.db?mode=ro", uri=True)
        rows = store.execute("SELECT DISTINCT lease_owner, attempt FROM agent_executions WHERE id <> ? AND status = 'pending'",
                             (first,)).fetchall()
        store.close()
        if len(rows) != 1 or rows[0][0] in owners or rows[0][1] != 0:
            return False
        owners.add(rows[0][0])
        return True
    for life in range(3):
        ok(eventually(lambda n=before + life + 1: models.calls()["calls"] == n and in_line()),
           "one runs, those in line are claimed, and have not been started")
        cramped.kill()
        cramped.start()
    ended = ("completed", "failed")
    ok(eventually(lambda: all(cramped.api.get(f"/v1/executions/{e}").json["status"] in ended for e in [first] + line)), "all end")
    equal([cramped.api.get(f"/v1/executions/{e}").json["status"] for e in [first] + line], ["failed"] + ["completed"] * len(line),
          "the one that ran has used its starts up, those in line have theirs")
    equal({cramped.api.get(f"/v1/executions/{e}").json["starts"] for e in line}, {1}, "and need one")
    cramped.stop()


def test_a_pause_between_attempts_is_no_start():
    mortal = Daemon({"executions": {"attempts": "1"}})
    source = """return { name = "second", version = "1.0.0",
      run = function(input, ctx) if ctx.execution.attempt < 2 then error("not yet") end return "done" end }"""
    second = mortal.api.lua_agent("second", source, executionConfig={
        "entrypoint": "second", "retry": {"attempts": 2, "backoffMs": 3000, "jitter": 0}})["id"]
    execution = mortal.api.execute(second, None, {"Prefer": "respond-async"}).json["executionId"]
    path = f"/v1/executions/{execution}"
    ok(eventually(lambda: "nextAttemptAt" in mortal.api.get(path).json), "between two attempts")
    equal(mortal.api.get(path).json["starts"], 0, "the next one has not begun")
    mortal.kill()
    mortal.start()
    ok(eventually(lambda: mortal.api.get(path).json["status"] in ("completed", "failed")), "it ends")
    equal((mortal.api.get(path).json["status"], mortal.api.get(path).json["starts"]), ("completed", 1), "after its one start")
    mortal.stop()


def test_starts_are_counted_in_the_store_behind_a_line():
    """It runs, a limit comes, its executor is killed, and it waits in the store for the place that it had."""
    mortal = Daemon({"model default": {"plugin": "openai", "base_url": models.base_url, "model": "hang"},
                     "executions": {"attempts": "10"}})
    own = f"/v1/organizations/{mortal.api.get('/v1/organizations').json['items'][0]['id']}"
    hangs = mortal.api.lua_agent("hangs", SOURCE.replace('"flaky"', '"hangs"'))["id"]
    source = 'return { name = "waits", version = "1.0.0", run = function(input) c9.sleep(input) end }'
    waits = mortal.api.lua_agent("waits", source)["id"]
    before = models.calls()["calls"]
    execution = mortal.api.execute(hangs, {"good": 1}, {"Prefer": "respond-async"}).json["executionId"]
    path = f"/v1/executions/{execution}"
    ok(eventually(lambda: models.calls()["calls"] == before + 1), "it has asked once")
    mortal.api.patch(own, {"settings": {"maxRunning": 1}})
    holder = mortal.api.execute(waits, 60, {"Prefer": "respond-async"}).json["executionId"]
    ok(eventually(lambda: mortal.api.get(f"/v1/executions/{holder}").json["status"] == "running"), "another has the only place")
    for _ in range(100):
        mortal.api.execute(waits, 0, {"Prefer": "respond-async"}, priority=-1)
    kill_executors(mortal)
    store = sqlite3.connect(f"file:{mortal.folder}/state/c9d.db?mode=ro", uri=True)
    ok(eventually(lambda: store.execute("SELECT blocked_on FROM agent_executions WHERE id = ?", (execution,)).fetchone()[0]),
       "killed, it waits in the store")
    store.close()
    equal(mortal.api.get(path).json["starts"], 1, "with its start")
    mortal.api.post(f"/v1/executions/{holder}/cancel")
    ok(eventually(lambda: models.calls()["calls"] == before + 2, 30 * SLOW), "it comes, and has asked twice")
    equal(mortal.api.get(path).json["starts"], 2, "its starts are two")
    kill_executors(mortal)
    ok(eventually(lambda: mortal.api.get(path).json["status"] == "failed"), "killed again, it does not ask a third time")
    equal((mortal.api.get(path).json["errorCode"], models.calls()["calls"]), ("OutcomeUnknown", before + 2), "and says why")
    mortal.stop()


def test_refused_configuration():
    for retry, place in (({"attempts": 0}, "attempts"), ({"attempts": 1000}, "attempts"), ({"backoffMs": -1}, "backoffMs"),
                         ({"jitter": 2}, "jitter"), ({"on": "x"}, "on"), ({"atempts": 3}, "atempts")):
        answer = daemon.api.post("/v1/agents", {"name": "bad", "skillset": ["quick"],
                                                "executionConfig": {"entrypoint": "quick", "retry": retry}})
        equal(answer.code, "InvalidAgentConfig", f"{retry} is refused")
        contains(answer.message, f"/executionConfig/retry/{place}", "at its place")


run(globals(), daemon)
