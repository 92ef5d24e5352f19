#!/usr/bin/python3
"""Executions that are put off: not before their time, not lost by a restart, cancelled meanwhile, followed from the
start."""
import datetime
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, contains, equal, eventually, ok, run  # noqa: E402

daemon = Daemon()
api = daemon.api
echo = api.lua_agent("echo", """return { name = "echo", version = "1.0.0",
  run = function(input) c9.log.info("here") return input end }""")["id"]


def start(more, headers=None):
    return daemon.api.post(f"/v1/agents/{echo}/execute", {"input": 1, **more}, headers)


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_a_delay():
    answer = start({"delay": "400ms"})
    equal((answer.status, answer.json["status"]), (202, "pending"), "what is put off answers at once")
    ok("Preference-Applied" not in answer.headers, "without having been asked to")
    path = answer.headers["Location"]
    execution = api.get(path).json
    equal(execution["status"], "pending", "it is pending")
    at = when(execution["startAt"])
    ok(at - when(execution["createdAt"]) > 0.3, "and says when it may start")
    ok(eventually(lambda: api.get(path).json["status"] == "completed"), "it runs")
    execution = api.get(path).json
    ok(when(execution["startedAt"]) >= at, "not before its time")
    ok("startAt" not in execution, "and is not put off any more")


def test_a_time():
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=0.4)
    answer = start({"startAt": at.isoformat()}, {"Prefer": "wait=60"})
    equal((answer.status, answer.json.get("output")), (200, 1), "Prefer: wait waits for it")
    execution = api.get(answer.headers["Content-Location"]).json
    ok(when(execution["startedAt"]) >= at.timestamp(), "not before its time")
    past = start({"startAt": "2001-01-01T00:00:00Z"}, {"Prefer": "wait=60"})
    equal(past.status, 200, "a time in the past is now")


def test_refusals():
    for more in ({"delay": "soon"}, {"delay": 3}, {"delay": "1s", "startAt": "2031-01-01T00:00:00Z"},
                 {"startAt": "tomorrow"}, {"delay": "400d"}):
        answer = start(more)
        equal((answer.status, answer.code), (400, "InvalidRequest"), f"{more} is refused")
    contains(start({"delay": "400d"}).message, "366 days", "the bound is named")


def test_followed_from_the_start():
    events = []

    def follow(path):
        events.extend(api.fresh().stream("GET", path + "/stream"))
    answer = start({"delay": "500ms"})
    thread = threading.Thread(target=follow, args=(answer.headers["Location"],))
    thread.start()
    thread.join(30 * SLOW)
    types = [e.type for e in events if e.id is not None]
    equal(types, ["status", "log", "end"], "a stream that was opened before the start gets all of it")
    equal([e.id for e in events if e.id is not None], [1, 2, 3], "numbered from 1")


def test_cancelled_before_its_time():
    path = start({"delay": "1h"}).headers["Location"]
    ended = []
    thread = threading.Thread(
        target=lambda: ended.extend(api.fresh().stream("GET", path + "/stream")))
    thread.start()
    time.sleep(0.2)
    begin = time.monotonic()
    equal(api.post(path + "/cancel").json["status"], "cancelled", "cancelled at once")
    thread.join(30 * SLOW)
    equal([e.type for e in ended][-1:], ["end"], "who follows it is told")
    ok(time.monotonic() - begin < 5 * SLOW, "soon")


def test_a_restart_keeps_it():
    soon, later = start({"delay": "1s"}).headers["Location"], start({"delay": "1h"}).headers["Location"]
    daemon.kill()
    daemon.start()
    ok(eventually(lambda: daemon.api.get(soon).json["status"] == "completed"), "after kill -9 it runs at its time")
    equal(daemon.api.get(later).json["status"], "pending", "and not before")
    daemon.api.post(later + "/cancel")


run(globals(), daemon)
