#!/usr/bin/python3
"""Idempotency-Key: the same request does its work once."""
import contextlib
import http.client
import os
import sqlite3
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


def result(answer):
    """Without the CPU time: what the process took to end is counted behind the first answer."""
    usage = {k: v for k, v in answer.json["resourceUsage"].items() if not k.startswith("cpuTime")}
    return {**answer.json, "resourceUsage": usage}


def test_execute_once():
    before = count()
    first = api.execute(sleeper, 0, {"Idempotency-Key": "e1"})
    again = api.execute(sleeper, 0, {"Idempotency-Key": "e1"})
    equal((first.status, again.status), (200, 200), "both wait")
    equal(result(again), result(first), "and get the same result")
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
    equal([a.status for a in answers], [200] * 8, "each gets the result")
    equal(len({a.json["executionId"] for a in answers}), 1, "of one execution")
    equal(count(), before + 1, "and there is only this one")


def at_once(clients, call):
    answers = []
    threads = [threading.Thread(target=lambda c=c: answers.append(call(c))) for c in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_creating_at_the_same_time():
    clients = [api.fresh() for _ in range(8)]
    answers = at_once(clients, lambda c: c.post(
        "/v1/skills", {"source": LUA % "at_once"}, {"Idempotency-Key": "c1"}))
    equal([a.status for a in answers], [201] * 8, "eight uploads at once are answered alike")
    equal(sum("Idempotent-Replayed" in a.headers for a in answers), 7, "seven wait for the first")
    mixed = at_once(clients, lambda c: c.post(
        "/v1/personas", {"name": "p", "prompt": str(clients.index(c) % 2)}, {"Idempotency-Key": "c2"}))
    equal(sorted(a.status for a in mixed), [201] * 4 + [422] * 4,
          "of two requests with one key the second is refused, also at the same time")


def test_across_a_restart():
    first = api.execute(sleeper, 0, {"Idempotency-Key": "e4"})
    daemon.kill()
    daemon.start()
    again = daemon.api.execute(sleeper, 0, {"Idempotency-Key": "e4"})
    equal(result(again), result(first), "a key outlives a crash")


def sql(statement):
    """In the daemon's own database, while it is down."""
    with contextlib.closing(sqlite3.connect(f"{daemon.folder}/state/c9d.db")) as db, db:
        return db.execute(statement).fetchall()


def test_a_crash_before_the_answer_is_kept():
    """The key is in the batch of the work, the answer's body is filled in later: a crash between."""
    made = {
        "d1": ("/v1/agents", {"name": "crash"}),
        "d2": ("/v1/personas", {"name": "crash", "prompt": "p"}),
        "d3": ("/v1/skills", {"source": LUA % "crash"}),
        "d4": (f"/v1/agents/{sleeper}/versions", {"version": "7.0.0"}),
        "d5": (f"/v1/agents/{sleeper}/versions/7.0.0/publish", {}),
    }
    first = {key: daemon.api.post(path, body, {"Idempotency-Key": key})
             for key, (path, body) in made.items()}
    equal([a.status for a in first.values()], [201, 201, 201, 201, 200], "five things are made")
    daemon.kill()
    sql("UPDATE idempotency_keys SET body = NULL WHERE key LIKE 'd_'")
    daemon.start()
    for key, (path, body) in made.items():
        again = daemon.api.post(path, body, {"Idempotency-Key": key})
        equal((again.status, again.headers.get("Idempotent-Replayed"), again.headers.get("Location")),
              (first[key].status, "true", first[key].headers.get("Location")),
              f"{path}: the key knows what was made")
        if key in ("d1", "d2"):
            equal(again.json, first[key].json, "which answers for itself")
    equal(daemon.api.post("/v1/agents", {"name": "x"}, {"Idempotency-Key": "d1"}).code,
          "IdempotencyConflict", "another request is refused as before")


def test_whatever_is_made_knows_its_key():
    """The same for all else that takes a key: what answers after the crash is what answered before."""
    api_ = daemon.api
    failing = api_.lua_agent("failing", 'return { name = "failing", version = "1.0.0", run = function() error("no") end }')["id"]
    idle = api_.lua_agent("idle", LUA % "idle")["id"]  # no delivery changes its webhook
    failed = api_.execute(failing).json["executionId"]
    org = api_.get("/v1/organizations").json["items"][0]["id"]
    user = api_.post("/v1/users", {"email": "held@example.org", "name": "held"}).json["id"]
    schedule = {"cronExpression": "0 0 1 1 *"}
    made = {
        "f1": (f"/v1/agents/{sleeper}/batches", {"inputs": [0, 0]}),
        "f2": ("/v1/webhooks", {"url": "http://127.0.0.1:9/", "agentId": idle}),
        "f3": (f"/v1/agents/{sleeper}/hooks", {"name": "crash"}),
        "f4": (f"/v1/agents/{sleeper}/schedules", schedule),
        "f5": ("/v1/organizations", {"name": "crash"}),
        "f6": ("/v1/users", {"email": "crash@example.org", "name": "crash"}),
        "f7": ("/v1/teams", {"name": "crash"}),
        "f8": (f"/v1/agents/{sleeper}/grants", {"userId": user, "permission": "read"}),
        "f9": (f"/v1/executions/{failed}/retry", {}),
        "fa": (f"/v1/executions/{failed}/fork", {}),
    }
    first = {key: api_.post(path, body, {"Idempotency-Key": key}) for key, (path, body) in made.items()}
    for key, answer in first.items():
        ok(answer.status in (201, 202), f"{made[key][0]}: {answer!r}")
    eventually(lambda: api_.get(f"/v1/batches/{first['f1'].json['id']}").json["status"] == "completed")
    daemon.kill()
    sql("UPDATE idempotency_keys SET body = NULL WHERE key LIKE 'f_' AND location NOT LIKE '/v1/executions/%'")
    daemon.start()
    for key, (path, body) in made.items():
        again = daemon.api.post(path, body, {"Idempotency-Key": key})
        equal((again.status, again.headers.get("Idempotent-Replayed"), again.headers.get("Location")),
              (first[key].status, "true", first[key].headers.get("Location")), f"{path}: again the same")
        if key == "f1":
            equal(again.json["id"], first[key].json["id"], "as it is now")
        else:
            equal(again.json, first[key].json, "with all that the first answer had, secrets too")


def test_kill_during_keyed_requests():
    """Whatever the moment: what was asked for twice is there once."""
    keys, stop = [f"kill{i}" for i in range(400)], threading.Event()

    def ask(client, mine):
        for key in mine:
            try:
                if stop.is_set():
                    return
                client.post(f"/v1/agents/{sleeper}/execute", {"input": 0, "context": {"key": key}},
                            {"Idempotency-Key": key, "Prefer": "respond-async"})
            except OSError:
                return
            except http.client.HTTPException:
                return
    threads = [threading.Thread(target=ask, args=(daemon.api.fresh(), keys[i::4]))
               for i in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(daemon.api.get("/v1/executions?limit=200").json["items"]) > 40)
    daemon.kill()
    stop.set()
    for thread in threads:
        thread.join()
    pairs = sql("SELECT (SELECT count(*) FROM idempotency_keys WHERE key LIKE 'kill%'),"
                " (SELECT count(*) FROM agent_executions WHERE execution_context LIKE '%\"kill%'),"
                " (SELECT count(*) FROM agent_executions e JOIN idempotency_keys k"
                "  ON k.location = '/v1/executions/' || e.id WHERE k.key LIKE 'kill%')")[0]
    ok(0 < pairs[0] == pairs[1] == pairs[2] < 400, f"each key has its execution, and the reverse: {pairs}")
    daemon.start()
    stop.clear()
    ask(daemon.api, keys[:150])
    eventually(lambda: daemon.api.get("/healthz").status == 200)
    daemon.kill()
    asked = sql("SELECT count(*), count(DISTINCT execution_context) FROM agent_executions"
                " WHERE execution_context LIKE '%\"kill%'")[0]
    equal(asked[0], asked[1], "asked for again, none is there twice")
    ok(asked[0] >= 150, "and all are there")
    daemon.start()


def test_keys_have_a_form():
    for key in ("", "a b", "ü".encode().decode("latin-1"), "x" * 256):
        equal(daemon.api.post("/v1/agents", {"name": "never"}, {"Idempotency-Key": key}).status, 400,
              f"'{key[:10]}' is refused")


run(globals(), daemon)
