#!/usr/bin/python3
"""Executing: waiting, not waiting, bounded waiting; looking at executions; cancelling."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import Daemon, Stream, contains, equal, eventually, note, ok, run  # noqa: E402

daemon = Daemon()
api = daemon.api
NOWHERE = "01890000-0000-7000-8000-000000000000"


def lua(name, body, rest=""):
    return f'return {{ name = "{name}", version = "1.0.0", {rest} run = function(input, ctx) {body} end }}'


echo = api.lua_agent("echo", lua("echo", "c9.log.info('got it', { n = 1 }) c9.log.debug('more') return input"),
                     inputSchema={"type": "object"})["id"]
sleeper = api.lua_agent("sleeper", lua("sleeper", "c9.sleep(input) return 'awake'"))["id"]
busy = api.lua_agent("busy", lua("busy", "while true do end"),
                     executionConfig={"entrypoint": "busy", "limits": {"cpuTimeMs": 1000}})["id"]
broken = api.lua_agent("broken", lua("broken", "\n\nerror('kaputt')"))["id"]


def test_waiting():
    answer = api.execute(echo, {"a": [1, 2.5, None, "ü"]})
    equal((answer.status, answer.json["status"]), (200, "completed"), "it waits for the end")
    equal(answer.json["output"], {"a": [1, 2.5, None, "ü"]}, "and gives the output")
    ok(answer.json["resourceUsage"]["cpuTimeUs"] > 0, "and what it used")
    location = answer.headers["Content-Location"]
    equal(location, f"/v1/executions/{answer.json['executionId']}", "Content-Location names the execution")
    execution = api.get(location).json
    equal((execution["status"], execution["agentVersion"]), ("completed", "1.0.0"), "which is there")
    equal((execution["inputData"], execution["outputData"]), ({"a": [1, 2.5, None, "ü"]},) * 2,
          "with input and output")
    equal(api.execute("echo", {}).status, 200, "an agent can be executed by name")


def test_failure_is_a_result():
    answer = api.execute(broken)
    equal((answer.status, answer.json["status"]), (200, "failed"), "a failed execution is an answer too")
    equal(answer.json["errorCode"], "ExecutionFailed", "with the error's name")
    contains(answer.json["error"], "kaputt", "its message")
    contains(str(answer.json), "broken.lua:3:", "file and line")


def test_not_waiting():
    begin = time.monotonic()
    answer = api.execute(sleeper, 0.5, {"Prefer": "respond-async"})
    equal(answer.status, 202, "respond-async answers at once")
    ok(time.monotonic() - begin < 0.4, "before the end")
    equal(answer.headers["Preference-Applied"], "respond-async", "and says so")
    execution = api.get(answer.headers["Location"]).json
    ok(execution["status"] in ("pending", "running"), f"it is {execution['status']}")
    done = eventually(lambda: api.get(answer.headers["Location"]).json["status"] == "completed")
    ok(done, "and it ends")


def test_bounded_waiting():
    begin = time.monotonic()
    answer = api.execute(sleeper, 3, {"Prefer": "wait=1"})
    took = time.monotonic() - begin
    equal((answer.status, answer.headers["Preference-Applied"]), (202, "wait=1"), "wait=1 turns into a 202")
    ok(0.9 < took < 2.5, f"after a second ({took:.2f})")
    equal(api.execute(sleeper, 0, {"Prefer": "wait=30"}).status, 200, "what ends in time is a 200")
    answer = api.execute(sleeper, 0, {"Prefer": 'foo; bar="a,b", wait=x, unknown'})
    equal(answer.status, 200, "preferences that are not known are ignored")


def test_refusals():
    answer = api.execute(echo, 1)
    equal((answer.status, answer.code), (422, "InvalidInput"), "input is checked by the schema")
    ok(answer.details["validationErrors"], "the place is named")
    equal(api.execute(NOWHERE).code, "AgentNotFound", "an unknown agent is not found")
    equal(api.execute("nobody").code, "AgentNotFound", "nor an unknown name")
    equal(api.execute(echo, {}, version="7.0.0").code, "VersionNotFound", "nor an unknown version")
    for body in ({"inputs": {}}, {"priority": "high"}, {"priority": 10 ** 6}, {"context": 1}, [], 1):
        answer = api.post(f"/v1/agents/{echo}/execute", body)
        equal((answer.status, answer.code), (400, "InvalidRequest"), f"{body} is refused")
    before = len(api.get("/v1/executions?limit=200").json["items"])
    api.execute(echo, 1)
    equal(len(api.get("/v1/executions?limit=200").json["items"]), before, "a refused one leaves nothing")


def test_logs():
    id_ = api.execute(echo, {}).json["executionId"]
    logs = api.get(f"/v1/executions/{id_}/logs").json["items"]
    equal([(l["level"], l["message"]) for l in logs], [("info", "got it"), ("debug", "more")], "in order")
    equal(logs[0]["metadata"], {"n": 1}, "with what the skill added")
    logs = api.get(f"/v1/executions/{id_}/logs?level=info").json["items"]
    equal([l["message"] for l in logs], ["got it"], "from a level on")
    page = api.get(f"/v1/executions/{id_}/logs?limit=1").json
    page = api.get(f"/v1/executions/{id_}/logs?limit=1&cursor={page['nextCursor']}").json
    equal([l["message"] for l in page["items"]], ["more"], "in pages")


def test_cancel():
    answer = api.execute(sleeper, 60, {"Prefer": "respond-async"})
    path = answer.headers["Location"]
    waiting = {}
    stream = api.stream("GET", f"{path}/stream")
    thread = threading.Thread(target=lambda: waiting.update(events=list(stream)))
    thread.start()
    equal(api.post(f"{path}/cancel").status, 202, "a running execution is asked to stop")
    ok(eventually(lambda: api.get(path).json["status"] == "cancelled"), "and ends as cancelled")
    thread.join(20)
    equal(waiting["events"][-1].data["status"], "cancelled", "whoever follows it hears of it")
    answer = api.post(f"{path}/cancel")
    equal((answer.status, answer.code), (409, "InvalidState"), "what has ended cannot be cancelled")
    ok("allowed" not in answer.details and "details.allowed" not in str(answer.details["suggestedActions"]),
       "and nobody is sent to a detail that is not there")
    equal(api.post(f"/v1/executions/{NOWHERE}/cancel").code, "ExecutionNotFound", "nor what is not there")


def test_a_waiting_client_hears_of_the_cancel():
    result = {}
    client, alone = api.fresh(), api.agent("alone", skillset=["sleeper"],
                                           executionConfig={"entrypoint": "sleeper"})["id"]
    thread = threading.Thread(target=lambda: result.update(answer=client.execute(alone, 60)))
    thread.start()
    running = eventually(lambda: api.get(f"/v1/agents/{alone}/executions?status=running").json["items"])
    api.post(f"/v1/executions/{running[0]['id']}/cancel")
    thread.join(30)
    equal((result["answer"].status, result["answer"].json["status"]), (200, "cancelled"),
          "it gets the result")


def test_what_computes_is_listed():
    """Nothing of it is to be told before its end, and no effect needs its row."""
    thread = threading.Thread(target=lambda: api.fresh().execute(busy))
    thread.start()
    ok(eventually(lambda: api.get(f"/v1/agents/{busy}/executions?status=running").json["items"]),
       "a running execution without effects, logs or anyone who watches it")
    thread.join(30)


def test_lists():
    page = api.get(f"/v1/agents/{broken}/executions").json
    ok(page["items"] and all(e["agentId"] == broken for e in page["items"]), "of one agent")
    ok(all("inputData" not in e for e in page["items"]), "without input and output")
    failed = api.get("/v1/executions?status=failed").json["items"]
    ok(failed and all(e["status"] == "failed" for e in failed), "of one status")
    both = api.get(f"/v1/executions?agentId={broken}&status=completed").json["items"]
    equal(both, [], "filters hold together")
    newest = api.get("/v1/executions?limit=1").json["items"][0]
    later = api.get(f"/v1/executions?createdAfter={newest['createdAt']}").json["items"]
    equal(later, [], "after the newest there is none")
    equal(api.get("/v1/executions?createdAfter=yesterday").code, "InvalidRequest", "a time has its form")
    equal(api.get(f"/v1/executions/{NOWHERE}").code, "ExecutionNotFound", "an unknown one is not found")


def test_clients_that_leave():
    before = {e["id"] for e in api.get(f"/v1/agents/{sleeper}/executions").json["items"]}
    client = api.fresh()
    client.timeout = 0.3
    try:
        client.execute(sleeper, 1)
        ok(False, "the client left")
    except OSError:
        ok(True, "the client left")
    new = [e for e in api.get(f"/v1/agents/{sleeper}/executions").json["items"] if e["id"] not in before]
    equal(len(new), 1, "the execution is there")
    path = f"/v1/executions/{new[0]['id']}"
    ok(eventually(lambda: api.get(path).json["status"] == "completed"), "and goes on to its end")


def test_many_at_once():
    errors, results = [], []

    def work(n):
        client = api.fresh()
        for i in range(20):
            answer = client.execute(echo, {"n": n, "i": i})
            (results if answer.status == 200 and answer.json.get("output") == {"n": n, "i": i}
             else errors).append(answer)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal((len(results), len(errors)), (320, 0), "320 executions of 16 clients each get their own output")
    if errors:
        note(errors[0])


def test_children_are_listed_where_they_were_made():
    api.lua_agent("leaf", 'return { name = "leaf", version = "1.0.0", description = "x", run = function(i) return i end }')
    tree = api.lua_agent("tree", 'return { name = "tree", version = "1.0.0", description = "x", needs = { agents = { "*" } }, '
                         'run = function() for i = 1, 12 do c9.agents.execute("leaf", i) end end }')
    before = api.execute(tree["id"], None).json["executionId"]
    after = api.execute(tree["id"], None).json["executionId"]
    listed = api.get("/v1/executions?limit=26").json["items"]
    times = [e["createdAt"] for e in listed]
    equal(times, sorted(times, reverse=True), "the newest first, children too")
    equal([e["id"] for e in listed if "parentId" not in e], [after, before], "and each behind its parent")


run(globals(), daemon)
