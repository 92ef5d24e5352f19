#!/usr/bin/python3
"""Long waits: signals, sleeps and children; an execution that waits gives its process back and comes back."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, contains, equal, eventually, ok, run  # noqa: E402

daemon = Daemon({"executions": {"evict": "200ms", "signals": 4}, "limits": {"wall_time": "700ms"}})

SKILL = """return { name = "%s", version = "1.0.0", description = "waits", needs = { agents = { "*" }, model = { "default" } },
  run = function(input) %s end }"""


def agent(name, body):
    return daemon.api.lua_agent(name, SKILL % (name, body))["id"]


def start(agent_id, input_=None):
    return daemon.api.execute(agent_id, input_, headers={"Prefer": "respond-async"}).json["executionId"]


def get(execution):
    return daemon.api.get(f"/v1/executions/{execution}").json


def signal(execution, name, payload=None, headers=None):
    return daemon.api.post(f"/v1/executions/{execution}/signals/{name}", {"payload": payload}, headers)


def ended(execution):
    return eventually(lambda: get(execution)["status"] not in ("pending", "running") and get(execution), 20 * SLOW)


def waits(execution):
    return daemon.api.get(f"/v1/executions/{execution}/waits").json["items"]


def executors():
    return daemon.api.get("/v1/executions?status=running").json["items"]


def evicted(execution):
    """It has no process any more: the engine does not know it."""
    return eventually(lambda: "execution.evicted" in daemon.log() and execution in daemon.log().split("execution.evicted", 1)[1])


daemon.stop()
daemon.config["log"] = {"level": "debug"}
daemon.write_config()
daemon.start()

APPROVE = agent("approve", """
  c9.log.info("before")
  local answer = c9.model.chat{ messages = { { role = "user", content = "plan" } } }
  local payload, signal = c9.wait_for("approval", { schema = { type = "object", required = { "ok" },
    properties = { ok = { type = "boolean" } } } })
  c9.log.info("after")
  return { ok = payload.ok, by = signal.sent_by, id = signal.signal_id, plan = answer.content }""")


def test_a_signal_ends_the_wait():
    execution = start(APPROVE)
    ok(eventually(lambda: waits(execution)), "it is listed as waiting")
    wait = waits(execution)[0]
    equal((wait["kind"], wait["name"], wait["schema"]["required"]), ("signal", "approval", ["ok"]), "for what, and with which schema")
    equal(get(execution)["waitingFor"][0]["name"], "approval", "its detail waitingFor says it")
    ok(evicted(execution), "its process is given back")
    equal(get(execution)["starts"], 1, "which was its first start")
    time.sleep(1)
    equal(get(execution)["status"], "running", "its wall time of 700 ms does not count while it waits")
    bad = signal(execution, "approval", {"ok": "yes"})
    equal((bad.status, bad.code), (422, "InvalidInput"), "a payload that does not match the schema is refused")
    equal(bad.details["validationErrors"][0]["path"], "/ok", "with the path")
    sent = signal(execution, "approval", {"ok": True}, {"Idempotency-Key": "k1"})
    equal(sent.status, 202, "one that matches is taken")
    end = ended(execution)
    equal(end["status"], "completed", "the execution comes back and completes")
    equal((end["outputData"]["ok"], end["outputData"]["id"]), (True, sent.json["signalId"]), "with the payload")
    ok("waitingFor" not in end and waits(execution) == [], "and waits no more")
    logs = [r["message"] for r in daemon.api.get(f"/v1/executions/{execution}/logs").json["items"]]
    equal(logs, ["before", "after"], "its log has no gap and no repeat")
    equal(end["resourceUsage"]["apiCallsCount"], 1, "the model was asked once")
    events = list(daemon.api.stream("GET", f"/v1/executions/{execution}/stream"))
    numbers = [e.id for e in events if e.id is not None]
    equal(numbers, list(range(1, len(numbers) + 1)), "its events have no gap and no repeat")
    late = signal(execution, "approval", {"ok": True})
    equal((late.status, late.code), (409, "InvalidState"), "a signal to what has ended is refused")
    again = signal(execution, "approval", {"ok": True}, {"Idempotency-Key": "k1"})
    equal((again.status, again.json), (202, sent.json), "but the same key gets the same answer")


def test_early_signals_are_kept():
    early = agent("early", """
      c9.wait_for("go")
      local a = c9.wait_for("n", { schema = { type = "integer" } })
      local b = c9.wait_for("n")
      return { a, b }""")
    execution = start(early)
    ok(eventually(lambda: waits(execution)), "it waits for go")
    first = signal(execution, "n", "no number")
    equal(first.status, 202, "a signal that nothing waits for yet is kept")
    equal(signal(execution, "n", 1, {"Idempotency-Key": "one"}).status, 202, "and another one")
    equal(signal(execution, "n", 1, {"Idempotency-Key": "one"}).status, 202, "sent twice with a key")
    equal(signal(execution, "n", 2, {"Idempotency-Key": "one"}).code, "IdempotencyConflict", "a key is for one payload")
    equal(signal(execution, "n", 2).status, 202, "a third")
    equal(signal(execution, "other").status, 202, "a fourth")
    many = signal(execution, "n", 3)
    equal((many.status, many.code), (429, "ResourceExhausted"), "more than [executions] signals are refused")
    contains(many.message, "[executions] signals", "and the setting is named")
    daemon.kill()
    daemon.start()
    equal(signal(execution, "go").status, 202, "but never what it waits for")
    end = ended(execution)
    equal(end["outputData"], [1, 2], "kept ones come in order, each once; one that does not match is passed over")
    events = list(daemon.api.stream("GET", f"/v1/executions/{execution}/stream"))
    equal([e.data["signalId"] for e in events if e.type == "signalRefused"], [first.json["signalId"]], "which an event says")


def test_a_timeout_can_be_caught():
    catch = agent("catch", """
      local ok, e = pcall(c9.wait_for, "never", { timeout = input })
      return { ok = ok, code = e.code, message = e.message }""")
    end = ended(start(catch, "300ms"))
    equal((end["outputData"]["ok"], end["outputData"]["code"]), (False, "WaitTimeout"), "in time")
    end = ended(start(catch, "2s"))
    equal((end["outputData"]["ok"], end["outputData"]["code"]), (False, "WaitTimeout"), "and out of the store")
    fails = agent("fails", "c9.wait_for('never', { timeout = 0.1 })")
    end = ended(start(fails))
    equal((end["status"], end["errorCode"]), ("failed", "WaitTimeout"), "one that is not caught fails the execution")
    wrong = agent("wrong", "local ok, e = pcall(c9.wait_for, 'x', { schema = { type = 'nonsense' } }) return tostring(e.message or e)")
    contains(ended(start(wrong))["outputData"], "c9.wait_for: schema", "a schema that is none is an error")


def test_sleep_goes_on_where_it_was():
    nap = agent("nap", "local before = c9.now() c9.sleep(input) return c9.now() - before")
    execution = start(nap, "2500ms")
    ok(eventually(lambda: waits(execution)), "a sleep is a wait")
    time.sleep(1)
    daemon.kill()
    daemon.start()
    end = ended(execution)
    ok(end["status"] == "completed" and 2.5 <= end["outputData"] < 2.5 + 2 * SLOW, "a crash does not begin it again")
    equal(end["attempt"], 1, "an eviction is no attempt")
    for _ in range(3):
        execution = start(nap, "1200ms")
        equal(ended(execution)["status"], "completed", "and due ones come back")


def test_many_at_once():
    many = agent("many", """
      local r = { c9.all(function() return c9.wait_for("a") end, function() return c9.wait_for("b") end,
        function() c9.sleep(1.5) return "slept" end) }
      return r""")
    execution = start(many)
    ok(eventually(lambda: len(waits(execution)) == 3), "three waits at once")
    evicted(execution)
    signal(execution, "b", "B")
    ok(eventually(lambda: len(waits(execution)) == 2), "one comes back, two go on")
    ok(eventually(lambda: [w.get("name") for w in waits(execution)] == ["a"]), "a sleep is over, one is left")
    equal([w["name"] for w in daemon.api.get("/v1/waits?kind=signal&name=a").json["items"]], ["a"], "all that waits can be listed")
    equal(daemon.api.get("/v1/waits?name=zz").json["items"], [], "by name")
    signal(execution, "a", "A")
    equal(ended(execution)["outputData"], ["A", "B", "slept"], "each answer in its place")


def test_a_child_wakes_its_parent():
    agent("child", "return { got = c9.wait_for('go') }")
    parent = agent("parent", "return c9.agents.execute('child', input)")
    execution = start(parent, 1)
    ok(eventually(lambda: get(execution).get("waitingFor")), "the parent waits, too")
    wait = waits(execution)[0]
    equal(wait["kind"], "execution", "for its child")
    child = wait["name"]
    equal(get(execution)["waitingFor"][0]["executionId"], child, "which it names")
    ok(evicted(execution), "it is evicted")
    signal(child, "go", 7)
    equal(ended(execution)["outputData"], {"got": 7}, "and the child's end wakes it")


def test_a_parent_waits_as_long_as_it_says():
    parent = agent("hasty", "local ok, why = pcall(c9.agents.execute, 'child', input, { timeout = input, label = 'mine' })"
                            " return { why.code, why.details.limit, why.details.limitMs, why.details.executionId }")
    for timeout in (0.05, 2):
        execution = start(parent, timeout)
        if timeout > 1:  # it is evicted meanwhile, and the time goes on while c9d is not there
            ok(evicted(execution), "the parent is evicted")
            daemon.kill()
            daemon.start()
        code, limit, ms, child = ended(execution)["outputData"]
        equal((code, limit, ms), ("ExecutionTimeout", "timeout", timeout * 1000), f"after {timeout} s it is told")
        equal(ended(child)["status"], "cancelled", "and the child is cancelled")
        equal(get(child)["executionContext"]["label"], "mine", "which has the label")


def test_cancelled_in_its_sleep():
    parent = agent("parent2", "return c9.agents.execute('child', input)")
    execution = start(parent)
    ok(eventually(lambda: get(execution).get("waitingFor")), "parent and child sleep")
    child = waits(execution)[0]["name"]
    evicted(execution)
    evicted(child)
    equal(daemon.api.post(f"/v1/executions/{execution}/cancel").status, 202, "the parent is cancelled")
    equal(ended(execution)["status"], "cancelled", "and ends")
    equal(ended(child)["status"], "cancelled", "and takes its child along")
    equal(waits(execution) + waits(child), [], "nothing waits any more")


def test_a_child_cancelled_between_attempts_wakes_its_parent():
    """Nobody has the child then, and its parent has no process."""
    daemon.api.lua_agent("tries", SKILL % ("tries", 'error("not yet")'), executionConfig={
        "entrypoint": "tries", "retry": {"attempts": 2, "backoffMs": 3600000}})
    parent = start(agent("executes_tries", 'local good, err = pcall(c9.agents.execute, "tries", 1) return err.code'))

    def put_off():
        children = [e for e in daemon.api.get("/v1/executions?status=pending").json["items"] if e.get("parentId") == parent]
        return [e["id"] for e in children if "nextAttemptAt" in e]
    child = eventually(put_off)
    ok(child, "the child waits for its second attempt")
    ok(evicted(parent), "its parent sleeps")
    equal(daemon.api.post(f"/v1/executions/{child[0]}/cancel").json["status"], "cancelled", "it is cancelled")
    seen = ended(parent)
    equal(seen and (seen["status"], seen["outputData"]), ("completed", "Cancelled"), "and its parent goes on")


def test_children_of_a_cancelled_one_end_whatever_happens():
    """One that does not heed it has its time of grace, in which the daemon is killed."""
    daemon.config["executions"]["grace"] = "60s"
    daemon.config["limits"] = {"wall_time": "60s", "cpu_time": "60s"}
    daemon.write_config()
    daemon.stop()
    daemon.start()
    agent("stubborn", "while true do end")
    parent = start(agent("executes_stubborn", 'return c9.agents.execute("stubborn", 1)'))

    def child():
        running = daemon.api.get("/v1/executions?status=running").json["items"]
        return [e["id"] for e in running if e.get("parentId") == parent]
    ok(eventually(child), "a child runs")
    one = child()[0]
    daemon.api.post(f"/v1/executions/{parent}/cancel")
    equal(ended(parent)["status"], "cancelled", "its parent is cancelled")
    daemon.kill()
    daemon.start()
    seen = ended(one)
    equal(seen and seen["status"], "cancelled", "and so is the child, after the crash")
    daemon.config["executions"]["grace"] = "2s"
    daemon.config["limits"] = {"wall_time": "700ms"}
    daemon.write_config()
    daemon.stop()
    daemon.start()


def test_signals_from_many_sides_come_once():
    body = "local t = {} for i = 1, 20 do t[i] = c9.wait_for('s') end return t"
    collect = daemon.api.lua_agent("collect", SKILL % ("collect", body), executionConfig={"limits": {"wallTimeMs": 60000}})
    execution = start(collect["id"])
    daemon.api.get("/v1/waits")

    def send(k):
        client = daemon.api.fresh()
        for i in range(5):
            client.post(f"/v1/executions/{execution}/signals/s", {"payload": k * 5 + i}, {"Idempotency-Key": f"{k}/{i}"})
            while client.post(f"/v1/executions/{execution}/signals/s", {"payload": k * 5 + i},
                              {"Idempotency-Key": f"{k}/{i}"}).status == 429:
                time.sleep(0.02)
    threads = [threading.Thread(target=send, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    end = ended(execution)
    equal(sorted(end["outputData"]), list(range(20)), "each signal is delivered exactly once")


def test_errors():
    unknown = "00000000-0000-7000-8000-000000000000"
    equal(signal(unknown, "x").code, "ExecutionNotFound", "an unknown execution")
    equal(daemon.api.get(f"/v1/executions/{unknown}/waits").code, "ExecutionNotFound", "has no waits")
    equal(daemon.api.get(f"/v1/executions/{unknown}/journal").code, "ExecutionNotFound", "and no journal")
    equal(signal(unknown, "a%20b").status, 400, "a name that is none")


def test_the_journal():
    execution = start(APPROVE)
    eventually(lambda: waits(execution))
    page = daemon.api.get(f"/v1/executions/{execution}/journal").json["items"]
    equal([(e["seq"], e["kind"]) for e in page], [(1, "model.chat")], "has what was answered")
    equal(page[0]["request"]["chat"]["messages"][0]["content"], "plan", "what was asked")
    equal(page[0]["answer"]["content"], get(execution) and page[0]["answer"]["content"], "the answer")
    equal(page[0]["apiCallsCount"], 1, "and its cost")
    signal(execution, "approval", {"ok": False})
    ended(execution)
    first = daemon.api.get(f"/v1/executions/{execution}/journal?limit=1").json
    second = daemon.api.get(f"/v1/executions/{execution}/journal?limit=1&cursor={first['nextCursor']}").json
    equal([first["items"][0]["seq"], second["items"][0]["kind"]], [1, "wait_for"], "in pages")


run(globals(), daemon)
