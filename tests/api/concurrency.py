#!/usr/bin/python3
"""How many run at once: of an agent, of a key, of an organization; and what becomes of more."""
import base64
import hashlib
import hmac
import json
import os
import signal
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Client, Daemon, children, contains, equal, eventually, note, ok, run  # noqa: E402

daemon = Daemon({"executions": {"grace": "200ms"}})
SOURCE = """return { name = "%s", version = "1.0.0", needs = { agents = { "%s" } },
  run = function(input)
    if input.child then return c9.agents.execute("%s", { sleep = 0 }) end
    c9.sleep(input.sleep or 0.15)
    return input
  end }"""


def agent(name, **concurrency):
    return daemon.api.lua_agent(name, SOURCE % (name, name, name), executionConfig={
        "entrypoint": name, "concurrency": concurrency})["id"]


two = agent("two", limit=2)
keyed = agent("keyed", key="/customer/id")
reject = agent("reject", limit=1, policy="reject")
latest = agent("latest", key="/customer/id", policy="cancel-in-progress")
first = agent("first", limit=1, policy="cancel-newest")
plain = agent("plain")


def start(which, body, **more):
    return daemon.api.execute(which, body, {"Prefer": "respond-async"}, **more)


def execution(id_):
    return daemon.api.get(f"/v1/executions/{id_}").json


def ended(ids):
    return eventually(lambda: all(execution(i)["status"] not in ("pending", "running") for i in ids), 60 * SLOW)


def most_at_once(ids):
    """From what the executions say of themselves."""
    edges = []
    for one in map(execution, ids):
        edges += [(one["startedAt"], 1), (one["completedAt"], -1)]
    running = most = 0
    for _, step in sorted(edges):
        running += step
        most = max(most, running)
    return most


def test_of_an_agent():
    ids = [start(two, {}).json["executionId"] for _ in range(8)]
    ok(ended(ids), "all run")
    equal({execution(i)["status"] for i in ids}, {"completed"}, "and complete")
    equal(most_at_once(ids), 2, "two at a time")


def test_of_a_key():
    ids = [start(keyed, {"customer": {"id": n % 2}, "sleep": 0.1}).json["executionId"] for n in range(8)]
    ok(ended(ids), "all run")
    for n in range(2):
        equal(most_at_once(ids[n::2]), 1, "of one key one at a time")
    equal(most_at_once(ids), 2, "different keys at the same time")
    equal(execution(ids[1])["concurrencyKey"], "1", "the key is kept")
    ids = [start(plain, {"sleep": 0.1}, concurrencyKey="k").json["executionId"] for _ in range(3)]
    ok(ended(ids), "a key given with the request")
    equal(most_at_once(ids), 1, "holds without any configuration")
    too_long = daemon.api.post(f"/v1/agents/{plain}/execute", {"input": {}, "concurrencyKey": "x" * 300})
    equal(too_long.code, "InvalidRequest", "a key is bounded")
    equal(start(keyed, {"customer": {"id": "x" * 300}}).code, "InvalidInput", "also from the input")


def deliver(hook, body):
    raw, at, id_ = json.dumps(body).encode(), str(int(time.time())), os.urandom(8).hex()
    digest = hmac.new(base64.b64decode(hook["secret"][6:]), f"{id_}.{at}.".encode() + raw, hashlib.sha256).digest()
    return Client(daemon.host, daemon.port).request("POST", hook["path"], raw, {  # what is signed stays as it is
        "Content-Type": "application/json", "webhook-id": id_, "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}"})


def test_whatever_starts_it():
    api, input_ = daemon.api, {"customer": {"id": "any"}, "sleep": 0.02}
    waits = api.lua_agent("waits", SOURCE % ("waits", "waits", "waits"), triggerMode="event", triggerConfig={
        "events": [{"type": "com.example.#", "input": "/data"}]}, executionConfig={
            "entrypoint": "waits", "concurrency": {"key": "/customer/id"}})["id"]
    holder = start(waits, {"customer": {"id": "any"}, "sleep": 30}).json["executionId"]
    hook = api.post(f"/v1/agents/{waits}/hooks", {"name": "h"}).json
    schedule = api.post(f"/v1/agents/{waits}/schedules", {"cronExpression": "0 0 1 1 *", "inputData": input_}).json
    event = api.request("POST", "/v1/events", json.dumps({
        "specversion": "1.0", "id": "1", "source": "/s", "type": "com.example.a", "data": input_}),
        {"Content-Type": "application/cloudevents+json"})
    batch = api.post(f"/v1/agents/{waits}/batches", {"inputs": [input_] * 2}).json
    ids = [execution_["id"] for execution_ in api.get(f"/v1/batches/{batch['id']}/executions").json["items"]] + [
        deliver(hook, input_).json["executionId"], event.json["items"][0]["matches"][0]["executionId"],
        api.post(f"/v1/schedules/{schedule['id']}/run").json["executionId"]]
    equal([execution(i).get("concurrencyKey") for i in ids], ["any"] * 5,
          "a batch, a delivery, an event and a schedule find the key in the input")
    equal(api.execute(plain, {"sleep": 0}).json["status"], "completed", "while others run")
    equal([execution(i)["status"] for i in ids], ["pending"] * 5, "they wait for their turn")
    api.post(f"/v1/executions/{holder}/cancel")
    ok(ended(ids), "which comes")
    equal(most_at_once(ids), 1, "one at a time")
    too_long = {"customer": {"id": "x" * 300}}
    equal(deliver(hook, too_long).code, "InvalidInput", "a key that is too long is refused at the door")
    equal(api.post(f"/v1/agents/{waits}/schedules", {"cronExpression": "0 0 1 1 *", "inputData": too_long}).code,
          "InvalidInput", "and when a schedule is made")


def test_order_in_line():
    holder = start(keyed, {"customer": {"id": "line"}, "sleep": 0.6}).json["executionId"]
    low, high = (start(keyed, {"customer": {"id": "line"}, "sleep": 0.01}, priority=p).json["executionId"] for p in (0, 5))
    ok(ended([holder, low, high]), "a line moves on")
    ok(execution(high)["startedAt"] < execution(low)["startedAt"], "the higher priority first")


def test_reject():
    holder = start(reject, {"sleep": 30}).json["executionId"]
    answer = start(reject, {})
    equal((answer.status, answer.code), (429, "ConcurrencyLimitReached"), "reject refuses")
    contains(answer.message, "1 executions", "and says how many run")
    ok("Retry-After" in answer.headers, "with Retry-After")
    delayed = daemon.api.post(f"/v1/agents/{reject}/execute", {"input": {}, "delay": "50ms"}).json["executionId"]
    ok(ended([delayed]), "what was put off cannot be refused any more")
    equal(execution(delayed)["errorCode"], "ConcurrencyLimitReached", "and fails")
    daemon.api.post(f"/v1/executions/{holder}/cancel")
    ok(ended([holder]), "once the holder is gone")
    equal(daemon.api.execute(reject, {"sleep": 0}).json["status"], "completed", "there is a place again")


def test_cancel_in_progress():
    older = start(latest, {"customer": {"id": "a"}, "sleep": 30}).json["executionId"]
    other = start(latest, {"customer": {"id": "b"}, "sleep": 0.5}).json["executionId"]
    newer = start(latest, {"customer": {"id": "a"}, "sleep": 0.01}).json["executionId"]
    ok(ended([older, newer, other]), "the newer one takes the place")
    equal([execution(i)["status"] for i in (older, newer, other)], ["cancelled", "completed", "completed"],
          "of the older one, not of another key's")
    equal(execution(older)["errorDetails"]["supersededBy"], newer, "which says for whose sake")
    many = [start(latest, {"customer": {"id": "c"}, "sleep": 0.3}).json["executionId"] for _ in range(6)]
    ok(ended(many), "of many at once")
    equal([execution(i)["status"] for i in many], ["cancelled"] * 5 + ["completed"], "the last one is left")


def test_cancel_newest():
    holder = start(first, {"sleep": 0.5}).json["executionId"]
    answer = daemon.api.execute(first, {})
    equal(answer.json["status"], "cancelled", "the newest is cancelled")
    ok(ended([holder]), "the older one goes on")
    equal(execution(holder)["status"], "completed", "to its end")


def test_a_child_shares_its_parents_place():
    answer = daemon.api.execute(reject, {"child": True})
    equal(answer.json["status"], "completed", "an agent that executes itself does not wait for itself")


def test_cancelled_in_line():
    holder = start(keyed, {"customer": {"id": "x"}, "sleep": 0.5}).json["executionId"]
    waits = start(keyed, {"customer": {"id": "x"}}).json["executionId"]
    daemon.api.post(f"/v1/executions/{waits}/cancel")
    ok(ended([waits]), "one that waits in line can be cancelled")
    ok(execution(holder)["status"] in ("pending", "running"), "before its turn")
    ok(ended([holder]), "without harm to others")


def test_a_long_line_waits_in_the_store():
    holder = start(keyed, {"customer": {"id": "long"}, "sleep": 30}).json["executionId"]
    ids = []

    def some():
        api = daemon.api.fresh()
        for _ in range(30):
            ids.append(api.execute(keyed, {"customer": {"id": "long"}, "sleep": 0}, {"Prefer": "respond-async"})
                       .json["executionId"])
    threads = [threading.Thread(target=some) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(daemon.api.execute(plain, {"sleep": 0}).json["status"], "completed", "it is in nobody's way")
    daemon.kill()
    daemon.start()
    equal(execution(ids[-1])["status"], "pending", "nor lost by kill -9")
    ok(eventually(lambda: execution(holder)["status"] == "running"), "who held the place has it again")
    daemon.api.post(f"/v1/executions/{holder}/cancel")
    ok(ended(ids), "and all have their turn")
    equal({execution(i)["status"] for i in ids}, {"completed"}, "all complete")
    equal(most_at_once(ids), 1, "one at a time")


def test_of_an_organization():
    daemon.stop()
    daemon.config["executions"]["per_organization"] = 3
    daemon.write_config()
    daemon.start()
    ids = [start(plain, {"sleep": 0.1}).json["executionId"] for _ in range(9)]
    ok(ended(ids), "all run")
    equal(most_at_once(ids), 3, "as many at a time as the organization may")
    equal(daemon.api.execute(plain, {"child": True}).json["status"], "completed", "children share it too")


def test_of_an_organization_by_its_settings():
    own = f"/v1/organizations/{daemon.api.get('/v1/organizations').json['items'][0]['id']}"
    daemon.api.patch(own, {"settings": {"maxRunning": 2}})
    ids = [start(plain, {"sleep": 0.1}).json["executionId"] for _ in range(6)]
    ok(ended(ids), "all run")
    equal(most_at_once(ids), 2, "as many at a time as it has set for itself")
    daemon.api.patch(own, {"settings": {"maxRunning": 1}})
    daemon.kill()
    daemon.start()
    holder = start(plain, {"sleep": 30}).json["executionId"]
    ok(eventually(lambda: execution(holder)["status"] == "running"), "after a crash too")
    waits = start(plain, {"sleep": 0}).json["executionId"]
    equal(daemon.api.get(f"/v1/executions/{waits}").json["status"], "pending", "the rest waits")
    daemon.api.patch(own, {"settings": {"maxRunning": 100}})
    ok(ended([waits]), "a higher limit is in force at once")
    ids = [start(plain, {"sleep": 0.2}).json["executionId"] for _ in range(9)]
    ok(ended(ids), "many run")
    equal(most_at_once(ids), 2, "but beside the holder no more than the server allows")
    daemon.api.patch(own, {"settings": {"maxRunning": None}})
    equal(daemon.api.patch(own, {"settings": {"maxRunning": 0}}).status, 400, "none at all is no limit")
    daemon.api.post(f"/v1/executions/{holder}/cancel")
    ok(ended([holder]), "and the last one ends")


def test_cancelled_in_the_store_behind_a_line():
    """It ran, lost its executor, and has found its place taken."""
    own = f"/v1/organizations/{daemon.api.get('/v1/organizations').json['items'][0]['id']}"
    daemon.stop()
    daemon.config["executions"]["per_organization"] = 0
    daemon.write_config()
    daemon.start()
    ran = start(plain, {"sleep": 60}).json["executionId"]
    ok(eventually(lambda: execution(ran)["status"] == "running"), "one runs without a limit")
    daemon.api.patch(own, {"settings": {"maxRunning": 1}})
    holder = start(plain, {"sleep": 60}).json["executionId"]
    ok(eventually(lambda: execution(holder)["status"] == "running"), "another has the only place")
    line = [start(plain, {"sleep": 0}).json["executionId"] for _ in range(100)]
    for executor in [p for a in children(daemon.process.pid) for b in children(a) for p in children(b)]:
        os.kill(executor, signal.SIGKILL)
    store = sqlite3.connect(f"file:{daemon.folder}/state/c9d.db?mode=ro", uri=True)
    blocked = "SELECT blocked_on FROM agent_executions WHERE id = ?"
    ok(eventually(lambda: store.execute(blocked, (ran,)).fetchone()[0]), "the first one is killed, and waits in the store")
    store.close()
    daemon.api.post(f"/v1/executions/{ran}/cancel")
    ok(eventually(lambda: execution(ran)["status"] == "cancelled", 5 * SLOW), "it is cancelled there")
    equal(execution(holder)["status"], "running", "while the place is taken")
    daemon.api.patch(own, {"settings": {"maxRunning": None}})
    daemon.api.post(f"/v1/executions/{holder}/cancel")
    ok(ended(line + [holder]), "and the line goes on")


def test_refused_configuration():
    for concurrency, place in (({"limit": 0}, "limit"), ({"policy": "drop"}, "policy"), ({"key": "customer"}, "key"),
                               ({"perkey": 1}, "perkey")):
        answer = daemon.api.post("/v1/agents", {"name": "bad", "skillset": ["plain"], "executionConfig": {
            "entrypoint": "plain", "concurrency": concurrency}})
        equal(answer.code, "InvalidAgentConfig", f"{concurrency} is refused")
        contains(answer.message, f"/executionConfig/concurrency/{place}", "at its place")


run(globals(), daemon)
