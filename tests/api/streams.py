#!/usr/bin/python3
"""Server-sent events: order, resuming, heartbeats, the end."""
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, equal, eventually, ok, read_all, run  # noqa: E402

daemon = Daemon({"http": {"heartbeat": "300ms"}, "model default": {"plugin": "fake"}})
api = daemon.api


def lua(name, body):
    return f'return {{ name = "{name}", version = "1.0.0", run = function(input, ctx) {body} end }}'


emits = api.lua_agent("emits", lua("emits", """
  for i = 1, input.n do
    c9.emit({ i = i })
    if i % 10 == 0 then c9.log.info("line " .. i) end
    if input.pause then c9.sleep(input.pause) end
  end
  return "done" """))["id"]
sleeper = api.lua_agent("sleeper", lua("sleeper", "c9.sleep(input) return 1"))["id"]

asker = api.lua_agent("asker", """return { name = "asker", version = "1.0.0", needs = { model = { "default" } },
  run = function()
    c9.now()
    local answer = c9.model.chat{ messages = { { role = "user", content = "hello" } } }
    c9.sleep(0.01)
    return answer.content
  end }""")["id"]
steady = api.lua_agent("steady", lua("steady", """
  for i = 1, input do c9.emit({ i = i }) c9.sleep(0.05) end return "done" """))["id"]


def execute(n, pause=None):
    input_ = {"n": n, "pause": pause} if pause else {"n": n}
    return api.execute(emits, input_, {"Prefer": "respond-async"}).headers["Location"]


def ids(events):
    return [e.id for e in events if e.id is not None]


def test_execute_streams():
    stream = api.stream("POST", f"/v1/agents/{emits}/execute", {"input": {"n": 25}})
    equal((stream.status, stream.headers["Content-Type"]), (200, "text/event-stream"), "a stream answers")
    events = list(stream)
    equal(events[0].type, "execution", "the first event names the execution")
    equal(stream.headers["Content-Location"], f"/v1/executions/{events[0].data['executionId']}",
          "as Content-Location does")
    equal([e.data["value"]["i"] for e in events if e.type == "emit"],
          list(range(1, 26)), "what is emitted comes in order")
    equal([e.data["message"] for e in events if e.type == "log"], ["line 10", "line 20"], "so do logs")
    equal(events[-1].type, "end", "the last event is the end")
    equal(events[-1].data["status"], "completed", "with the outcome")
    equal(ids(events), list(range(1, len(ids(events)) + 1)), "ids count without gaps")


def test_a_finished_one_is_told_again():
    path = execute(5)
    eventually(lambda: api.get(path).json["status"] == "completed")
    first = list(api.stream("GET", f"{path}/stream"))
    equal(first[-1].type, "end", "the whole story ends with the end")
    equal([(e.id, e.type, e.data) for e in api.stream("GET", f"{path}/stream")],
          [(e.id, e.type, e.data) for e in first], "and is the same each time")
    rest = list(api.stream("GET", f"{path}/stream", headers={"Last-Event-ID": "3"}))
    equal(ids(rest), ids(first)[3:], "Last-Event-ID resumes behind it")
    rest = list(api.stream("GET", f"{path}/stream?lastEventId=3"))
    equal(ids(rest), ids(first)[3:], "so does the parameter")
    rest = list(api.stream("GET", f"{path}/stream", headers={"Last-Event-ID": "999"}))
    equal([e.type for e in rest], ["execution"], "behind the end there is nothing")


def test_resuming_a_live_one():
    path = execute(60, 0.02)
    seen, last = [], 0
    for _ in range(20):
        stream = api.stream("GET", f"{path}/stream", headers={"Last-Event-ID": str(last)} if last else None)
        for event in stream:
            if event.id is not None:
                seen.append(event.id)
                last = event.id
            if event.type == "end" or (event.id is not None and len(seen) % 13 == 12):
                break
        stream.close()
        if event.type == "end":
            break
    equal(event.type, "end", "a client that loses its connection again and again gets to the end")
    equal(seen, list(range(1, len(seen) + 1)), "with each event once")


def test_heartbeats():
    stream = api.stream("POST", f"/v1/agents/{sleeper}/execute", {"input": 1.5})
    events = list(stream)
    ok(stream.comments >= 3, f"a silent stream shows that it lives ({stream.comments} comments)")
    equal(events[-1].type, "end", "and ends")


def test_many_followers():
    path = execute(30, 0.02)
    streams = [api.stream("GET", f"{path}/stream") for _ in range(20)]
    told = [[(e.id, e.type) for e in s] for s in streams]
    ok(all(t == told[0] for t in told), "twenty followers hear the same")
    equal(told[0][-1][1], "end", "to the end")


def test_a_slow_reader():
    path = execute(3000)
    with socket.create_connection((daemon.host, daemon.port)) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall((f"GET {path}/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {daemon.token}\r\n"
                   "Connection: close\r\n\r\n").encode())
        time.sleep(1)
        ok(eventually(lambda: api.get(path).json["status"] == "completed"), "holds up nobody")
        data = read_all(s)
    ok(data.count(b"event: emit") == 3000 and b"event: end" in data, "and gets all of it")


def test_steps_and_usage():
    events = list(api.stream("POST", f"/v1/agents/{asker}/execute", {"input": None}))
    steps = [(e.data["step"], e.data["kind"], e.data["state"]) for e in events if e.type == "step"]
    equal(steps, [(2, "model.chat", "started"), (2, "model.chat", "completed"), (3, "sleep", "started"),
                  (3, "sleep", "completed")], "each effect's begin and end is a step")
    ok(all("tookMs" in e.data for e in events if e.type == "step" and e.data["state"] == "completed"), "with its time")
    usages = [e.data for e in events if e.type == "usage"]
    ok(len(usages) == 1 and usages[0]["tokensConsumed"] > 0, "what was used is said behind the step that used it")
    equal(usages[0]["tokensConsumed"], events[-1].data["resourceUsage"]["tokensConsumed"], "and adds up at the end")


def gone(path):
    return eventually(lambda: api.get(path).json["status"] == "cancelled", 20 * SLOW)


def test_on_disconnect():
    for accept in ("text/event-stream", "application/json"):
        before = {e["id"] for e in api.get(f"/v1/agents/{sleeper}/executions").json["items"]}
        for wish in ("cancel", "continue"):
            body = json.dumps({"input": 3, "onDisconnect": wish})
            with socket.create_connection((daemon.host, daemon.port)) as s:
                s.sendall((f"POST /v1/agents/{sleeper}/execute HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {daemon.token}\r\n"
                           f"Accept: {accept}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                           + body).encode())

                def new():
                    return [e for e in api.get(f"/v1/agents/{sleeper}/executions").json["items"]
                            if e["id"] not in before and e["status"] == "running"]
                found = eventually(new)
            path = f"/v1/executions/{found[0]['id']}"
            if wish == "cancel":
                ok(gone(path), f"{accept}: a client that leaves takes its execution along, if it said so")
            else:
                ok(eventually(lambda p=path: api.get(p).json["status"] == "completed", 20 * SLOW), f"{accept}: else it goes on")
            before.add(found[0]["id"])
    equal(api.execute(sleeper, 0, onDisconnect="cancel").json["status"], "completed", "who stays gets the answer")
    equal(api.execute(sleeper, 0, onDisconnect="perhaps").code, "InvalidRequest", "there are two choices")


def test_refusals():
    equal(api.get("/v1/executions/01890000-0000-7000-8000-000000000000/stream",
                  {"Accept": "text/event-stream"}).code, "ExecutionNotFound", "an unknown one has no stream")
    path = execute(1)
    answer = api.get(f"{path}/stream", {"Accept": "application/json"})
    equal((answer.status, answer.code), (406, "NotAcceptable"), "a stream is no JSON")
    answer = api.get(f"{path}/stream", {"Last-Event-ID": "abc"})
    equal((answer.status, answer.code), (400, "InvalidRequest"), "an event's id is a number")
    answer = api.request("HEAD", f"{path}/stream")
    equal((answer.status, answer.raw), (200, b""), "HEAD does not wait")


def test_resuming_across_a_restart():
    path = api.execute(steady, 40, {"Prefer": "respond-async"}).headers["Location"]
    seen = []
    for event in api.stream("GET", f"{path}/stream"):
        if event.id is not None:
            seen.append(event.id)
        if len(seen) == 10:
            break
    daemon.kill()
    daemon.start()
    for event in daemon.api.stream("GET", f"{path}/stream", headers={"Last-Event-ID": str(seen[-1])}):
        if event.id is not None:
            seen.append(event.id)
    equal(event.type, "end", "a stream goes on behind Last-Event-ID after kill -9")
    equal(seen, list(range(1, len(seen) + 1)), "without loss or repeat")


run(globals(), daemon)
