#!/usr/bin/python3
"""Many executions that stop, or are put aside, at the same moment."""
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, equal, eventually, ok, run  # noqa: E402

N = 100 if SLOW > 1 else 500  # messages: more than a socket holds, where a process is cheap
daemon = Daemon({"executions": {"evict": "2s"}, "log": {"level": "debug"}})
WAITS = """return { name = "waits", version = "1.0.0", description = "waits",
  run = function() return c9.wait_for("go") end }"""


def children(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(child) for child in found.stdout.split()]


def zygote():
    """It has one above it, where it has a pid namespace of its own."""
    pid = children(daemon.process.pid)[0]
    below = children(pid)
    return below[0] if len(below) == 1 else pid


def counts(batch):
    return daemon.api.get(f"/v1/batches/{batch}").json["counts"]


def test_all_are_put_aside_at_once():
    agent = daemon.api.lua_agent("waits", WAITS)["id"]
    batch = daemon.api.post(f"/v1/agents/{agent}/batches", {"inputs": [None] * N}).json["id"]
    ok(eventually(lambda: counts(batch)["running"] == N, 60 * SLOW), f"{N} executions run")
    pid = zygote()
    os.kill(pid, signal.SIGSTOP)  # it takes no message while they come
    try:
        time.sleep(3)
    finally:
        os.kill(pid, signal.SIGCONT)
    ok(eventually(lambda: daemon.log().count("execution.evicted") == N, 60 * SLOW), "all give their processes back")
    daemon.api.post(f"/v1/batches/{batch}/cancel")
    ok(eventually(lambda: counts(batch)["cancelled"] == N, 60 * SLOW), "and can be cancelled together")
    equal(zygote(), pid, "it is still the same zygote")
    ok("zygote.lost" not in daemon.log(), "which nobody killed")


def test_all_come_back():
    """Claims of what is just being put aside wait for that, and none outlasts its lease unseen."""
    daemon.stop()
    daemon.config["executions"] = {"evict": "1ms", "lease": "3s"}
    daemon.config["log"] = {"level": "info"}
    daemon.write_config()
    daemon.start()
    sleeps = daemon.api.lua_agent("sleeps", """return { name = "sleeps", version = "1.0.0", description = "sleeps",
      run = function(input) c9.sleep(0.5) return input end }""")["id"]
    batches = [daemon.api.post(f"/v1/agents/{sleeps}/batches", {"inputs": list(range(2 * N))}).json["id"] for _ in range(10)]
    for batch in batches:
        ok(eventually(lambda: counts(batch)["completed"] == 2 * N, 60 * SLOW, 0.2), f"{2 * N} that sleep all complete")
    with contextlib.closing(sqlite3.connect(f"{daemon.folder}/state/c9d.db")) as db:
        left = db.execute("SELECT count(*) FROM agent_executions WHERE lease_owner IS NOT NULL").fetchone()[0]
    equal(left, 0, "and no lease is left")


run(globals(), daemon)
