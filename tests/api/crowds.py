#!/usr/bin/python3
"""Many executions that stop, or are put aside, at the same moment."""
import os
import signal
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


run(globals(), daemon)
