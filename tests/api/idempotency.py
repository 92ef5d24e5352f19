#!/usr/bin/python3
"""Idempotency-Key: the same request does its work once."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import Daemon, equal, eventually, ok, run  # noqa: E402

daemon = Daemon()
api = daemon.api
LUA = 'return { name = "%s", version = "1.0.0", run = function(input) c9.sleep(input or 0) return input end }'
sleeper = api.lua_agent("sleeper", LUA % "sleeper")["id"]


def count():
    return len(api.get(f"/v1/agents/{sleeper}/executions?limit=200").json["items"])


def test_create_once():
    first = api.post("/v1/agents", {"name": "one"}, {"Idempotency-Key": "k1"})
    again = api.post("/v1/agents", {"name": "one"}, {"Idempotency-Key": "k1"})
    equal((first.status, again.status), (201, 201), "the same request gets the same status")
    equal(again.json, first.json, "the same answer")
    equal(again.headers["Location"], first.headers["Location"], "the same Location")
    equal(again.headers["Idempotent-Replayed"], "true", "and is told so")
    other = api.post("/v1/agents", {"name": "two"}, {"Idempotency-Key": "k1"})
    equal((other.status, other.code), (422, "IdempotencyConflict"), "another request is refused")
    other = api.post("/v1/personas", {"name": "one", "prompt": "p"}, {"Idempotency-Key": "k1"})
    equal(other.code, "IdempotencyConflict", "also of another operation")


def test_what_fails_is_not_kept():
    bad = api.post("/v1/agents", {"name": "one"}, {"Idempotency-Key": "k2"})
    equal(bad.code, "DuplicateAgentName", "a request fails")
    good = api.post("/v1/agents", {"name": "three"}, {"Idempotency-Key": "k2"})
    equal(good.status, 201, "its key can be used again")


def test_execute_once():
    before = count()
    first = api.execute(sleeper, 0, {"Idempotency-Key": "e1"})
    again = api.execute(sleeper, 0, {"Idempotency-Key": "e1"})
    equal((first.status, again.status), (200, 200), "both wait")
    equal(again.json, first.json, "and get the same result")
    equal(count(), before + 1, "of one execution")
    equal(api.execute(sleeper, 1, {"Idempotency-Key": "e1"}).code, "IdempotencyConflict",
          "another input is another request")


def test_a_retry_joins_what_still_runs():
    before = count()
    first = api.execute(sleeper, 1.5, {"Idempotency-Key": "e2", "Prefer": "respond-async"})
    equal(first.status, 202, "it runs")
    again = api.execute(sleeper, 1.5, {"Idempotency-Key": "e2"})
    equal((again.status, again.json["executionId"]), (200, first.json["executionId"]),
          "a retry waits for the same one")
    stream = list(api.stream("POST", f"/v1/agents/{sleeper}/execute", {"input": 1.5},
                             {"Idempotency-Key": "e2"}))
    equal((stream[0].data["executionId"], stream[-1].type), (first.json["executionId"], "end"),
          "or streams it")
    equal(count(), before + 1, "there is one execution")


def test_at_the_same_time():
    before, answers = count(), []
    clients = [api.fresh() for _ in range(8)]
    threads = [threading.Thread(target=lambda c=c: answers.append(
        c.execute(sleeper, 0.3, {"Idempotency-Key": "e3"}))) for c in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ok(all(a.status == 200 or a.code == "InvalidState" for a in answers),
       f"each gets the result, or hears that it is being handled: {[a.status for a in answers]}")
    equal(count(), before + 1, "eight requests at once are one execution")


def test_across_a_restart():
    first = api.execute(sleeper, 0, {"Idempotency-Key": "e4"})
    daemon.kill()
    daemon.start()
    again = daemon.api.execute(sleeper, 0, {"Idempotency-Key": "e4"})
    equal(again.json, first.json, "a key outlives a crash")


def test_keys_have_a_form():
    for key in ("", "a b", "ü".encode().decode("latin-1"), "x" * 256):
        equal(daemon.api.post("/v1/agents", {"name": "never"}, {"Idempotency-Key": key}).status, 400,
              f"'{key[:10]}' is refused")


run(globals(), daemon)
