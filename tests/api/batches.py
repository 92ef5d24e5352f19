#!/usr/bin/python3
"""Batches: all inputs or none, one status, its executions in order, cancelled together; and the filters of lists."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, contains, equal, eventually, ok, run  # noqa: E402

daemon = Daemon({"limits": {"batch": 50}})
NOWHERE = "01890000-0000-7000-8000-000000000000"
double = daemon.api.lua_agent("double", """return { name = "double", version = "1.0.0", run = function(input)
  if input.n == 13 then error("unlucky") end
  if input.sleep then c9.sleep(input.sleep) end
  return input.n * 2 end }""", inputSchema={"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}})["id"]


def create(inputs, headers=None, **more):
    return daemon.api.post(f"/v1/agents/{double}/batches", {"inputs": inputs, **more}, headers)


def batch(id_):
    return daemon.api.get(f"/v1/batches/{id_}").json


def ended(id_):
    return eventually(lambda: batch(id_)["status"] not in ("pending", "running"), 60 * SLOW)


def test_all_run():
    answer = create([{"n": n} for n in range(12)])
    equal((answer.status, answer.json["total"]), (202, 12), "a batch is accepted")
    equal(answer.headers["Location"], f"/v1/batches/{answer.json['id']}", "with its place")
    ok(ended(answer.json["id"]), "it ends")
    seen = batch(answer.json["id"])
    equal((seen["status"], seen["counts"]["completed"]), ("completed", 12), "with one status and counts")
    page = daemon.api.get(f"/v1/batches/{seen['id']}/executions?limit=5").json
    rest = daemon.api.get(f"/v1/batches/{seen['id']}/executions?limit=200&cursor={page['nextCursor']}").json
    items = page["items"] + rest["items"]
    equal([e["batchIndex"] for e in items], list(range(12)), "its executions are listed in the order of the inputs")
    outputs = [daemon.api.get(f"/v1/executions/{e['id']}").json["outputData"] for e in items]
    equal(outputs, [2 * n for n in range(12)], "each with its own output")
    equal(items[0]["batchId"], seen["id"], "and names its batch")
    ok(seen["id"] in [b["id"] for b in daemon.api.get(f"/v1/batches?agentId={double}").json["items"]], "batches are listed")


def test_all_or_nothing():
    before = len(daemon.api.get("/v1/executions?limit=200").json["items"])
    answer = create([{"n": 1}, {"n": "two"}, {"n": 3}, {}])
    equal((answer.status, answer.code), (422, "InvalidInput"), "one wrong input refuses all")
    equal([p["path"] for p in answer.details["validationErrors"]], ["/inputs/1/n", "/inputs/3"], "and all wrong places are named")
    answer = create([{"n": 1}] * 51)
    equal(answer.code, "InvalidRequest", "too many are refused")
    contains(answer.message, "[limits] batch allows 50", "and the setting is named")
    equal(create([]).code, "InvalidRequest", "as are none")
    equal(create([{"n": 1}], version="9.9.9").code, "VersionNotFound", "and an unknown version")
    equal(len(daemon.api.get("/v1/executions?limit=200").json["items"]), before, "nothing was accepted")
    equal(daemon.api.get(f"/v1/batches/{NOWHERE}").code, "BatchNotFound", "an unknown batch is not found")


def test_some_fail():
    id_ = create([{"n": n} for n in (12, 13, 14)]).json["id"]
    ok(ended(id_), "it ends")
    seen = batch(id_)
    equal((seen["status"], seen["counts"]["failed"], seen["counts"]["completed"]), ("failed", 1, 2), "one failure is its status")
    failed = daemon.api.get(f"/v1/batches/{id_}/executions?status=failed").json["items"]
    equal([e["batchIndex"] for e in failed], [1], "which one can be asked for")
    equal(len(daemon.api.get(f"/v1/batches/{id_}/executions?errorCode=ExecutionFailed").json["items"]), 1, "also by its error")


def test_cancelled_together():
    id_ = create([{"n": n, "sleep": 60} for n in range(5)], priority=3).json["id"]
    ok(eventually(lambda: batch(id_)["counts"]["running"] == 5), "all run")
    answer = daemon.api.post(f"/v1/batches/{id_}/cancel")
    equal(answer.status, 202, "and are asked to stop")
    ok(ended(id_), "together")
    equal((batch(id_)["status"], batch(id_)["counts"]["cancelled"]), ("cancelled", 5), "they are cancelled")
    equal(daemon.api.post(f"/v1/batches/{id_}/cancel").code, "InvalidState", "once")
    id_ = create([{"n": n} for n in range(5)], delay="1h").json["id"]
    equal(batch(id_)["status"], "pending", "one that is put off")
    daemon.api.post(f"/v1/batches/{id_}/cancel")
    equal(batch(id_)["counts"]["cancelled"], 5, "is cancelled at once")
    one = daemon.api.get(f"/v1/batches/{id_}/executions").json["items"][0]
    events = [e.type for e in daemon.api.stream("GET", f"/v1/executions/{one['id']}/stream") if e.id is not None]
    equal(events, ["end"], "each with its end")


def test_idempotency():
    first = create([{"n": 1}], {"Idempotency-Key": "b1"})
    again = create([{"n": 1}], {"Idempotency-Key": "b1"})
    equal((again.status, again.json["id"]), (202, first.json["id"]), "the same key gives the same batch")
    equal(create([{"n": 2}], {"Idempotency-Key": "b1"}).code, "IdempotencyConflict", "another body is refused")


def test_survives():
    id_ = create([{"n": n, "sleep": 0.3} for n in range(100, 140)]).json["id"]
    daemon.kill()
    daemon.start()
    ok(ended(id_), "a batch survives kill -9")
    equal(batch(id_)["counts"]["completed"], 40, "whole")


def test_filters():
    done = daemon.api.execute(double, {"n": 4711}).json["executionId"]
    failed = daemon.api.execute(double, {"n": 13}, concurrencyKey="unlucky one").json["executionId"]
    mine = daemon.api.get(f"/v1/executions/{done}").json["triggeredBy"]

    def ids(query):
        return [e["id"] for e in daemon.api.get(f"/v1/executions?limit=200&{query}").json["items"]]
    equal(ids("text=4711"), [done], "by a text in the input")
    ok(failed in ids("text=unlucky&errorCode=ExecutionFailed"), "in the error")
    equal(ids("concurrencyKey=unlucky%20one"), [failed], "by concurrency key")
    ok(done not in ids("errorCode=ExecutionFailed") and failed in ids("errorCode=ExecutionFailed"), "by error code")
    ok(done in ids("version=1.0.0") and ids("version=2.0.0") == [], "by version")
    ok(done in ids(f"triggeredBy={mine}") and ids(f"triggeredBy={NOWHERE}") == [], "by user")
    equal(ids(f"parentId={NOWHERE}"), [], "by parent")
    equal(len(ids("batchId=" + daemon.api.get("/v1/batches").json["items"][0]["id"])), 40, "by batch")


run(globals(), daemon)
