#!/usr/bin/python3
"""A full disk, a disk with errors, a clock that jumps: each ends in the right error or waits, and heals."""
import errno
import hashlib
import mmap
import os
import signal
import sqlite3
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, SLOW, Daemon, children, contains, equal, eventually, note, ok, run  # noqa: E402
from model_server import ModelServer  # noqa: E402

if os.environ.get("C9_SANITIZED"):
    print("1..0 # SKIP a sanitizer's runtime must be loaded first")
    sys.exit(0)


class Mapped:
    """A file that a shim looks into while the daemon runs."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="c9d-shim-")
        self.file.truncate(mmap.PAGESIZE)
        self.map = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)
        self.name = self.file.name


class Disk(Mapped):
    """tests/shims/faults.c"""

    def fails(self, write=0, sync=0):
        self.map[0:8] = struct.pack("=ii", write, sync)

    def refused(self):
        return struct.unpack("=q", self.map[8:16])[0]

    def reads_in(self, seconds):
        self.map[16:24] = struct.pack("=q", int(seconds * 1e6))


class Clock(Mapped):
    """tests/shims/clock.c"""

    def is_ahead(self, seconds):
        self.map[0:8] = struct.pack("=q", seconds * 10**9)


disk, clock, models = Disk(), Clock(), ModelServer()
models.__enter__()
daemon = Daemon({"model default": {"plugin": "openai", "base_url": models.base_url, "model": "echo", "concurrency": 100, "attempts": 1},
                 "executions": {"evict": "200ms", "asks": 3}},
                env={"LD_PRELOAD": f"{BUILD}/tests/shims/faults.so:{BUILD}/tests/shims/clock.so", "C9_FAULTS": disk.name, "C9_CLOCK": clock.name})
SOURCE = """return { name = "asks", version = "1.0.0", description = "asks four times", needs = { model = { "default" } },
  run = function(input)
    local t = {}
    for i = 1, 4 do
      t[i] = c9.model.chat{ model = ("echo+slow:100+%s/%d"):format(input, i), messages = { { role = "user", content = "x" } } }.content
      c9.emit(i)
    end
    return t
  end }"""
agent = daemon.api.lua_agent("asks", SOURCE)["id"]
sleeper = daemon.api.lua_agent("sleeper", """return { name = "sleeper", version = "1.0.0", description = "sleeps",
  run = function(input) c9.sleep(input) return "slept" end }""")["id"]

teller = daemon.api.lua_agent("teller", """return { name = "teller", version = "1.0.0", description = "streams", needs = { model = { "default" } },
  run = function(input)
    return c9.model.chat{ model = "words:300+drip:2+" .. input, emit = true, messages = { { role = "user", content = "x" } } }.content
  end }""")["id"]

parent = daemon.api.lua_agent("parent", """return { name = "parent", version = "1.0.0", needs = { agents = { "sleeper" } },
  run = function() return c9.agents.execute("sleeper", "1ms") end }""")["id"]


def start(agent_id, input_):
    return daemon.api.execute(agent_id, input_, headers={"Prefer": "respond-async"}).json["executionId"]


def get(execution):
    return daemon.api.get(f"/v1/executions/{execution}").json


def all_end(ids, name):
    ok(eventually(lambda: all(get(e)["status"] not in ("pending", "running") for e in ids), 60 * SLOW, 0.1), f"{name}: everything ends")
    equal({get(e)["status"] for e in ids}, {"completed"}, f"{name}: well")
    for execution in ids:
        events = list(daemon.api.stream("GET", f"/v1/executions/{execution}/stream"))
        numbers = [e.id for e in events if e.id is not None]
        if numbers != list(range(1, len(numbers) + 1)) or [e.type for e in events].count("end") != 1:
            ok(False, f"{name}: one end, and no gap in the events")
            note(events)
            return
    ok(True, f"{name}: one end each, and no gap in the events")


def asked(prefix):
    return {name: n for name, n in models.calls()["byModel"].items() if f"+{prefix}" in name}


def under(name, seconds, **order):
    ids = [start(agent, f"{name}{i}") for i in range(10)]
    time.sleep(0.15)
    before = disk.refused()
    disk.fails(**order)
    refused = daemon.api.execute(agent, f"{name}-refused", headers={"Prefer": "respond-async"})
    equal((refused.status, refused.code), (503, "StorageFailed"), f"{name}: what comes then is refused")
    begin, total = time.monotonic(), len(daemon.api.get("/v1/executions?limit=200").json["items"])
    equal(daemon.api.get(f"/v1/executions/{ids[0]}").status, 200, f"{name}: reading goes on")
    created = daemon.api.post("/v1/agents", {"name": f"{name}-agent", "skillset": ["asks"]})
    equal(created.code, "StorageFailed", f"{name}: so is any other change")
    time.sleep(max(0.0, seconds - (time.monotonic() - begin)))
    ok(disk.refused() > before, f"{name}: the disk did fail")
    disk.fails()
    all_end(ids, name)
    equal(len(daemon.api.get("/v1/executions?limit=200").json["items"]), total, f"{name}: what was refused is not there")
    worst = max(asked(name).values())
    ok(len(asked(name)) >= 40 and worst <= 3, f"{name}: no call is made oftener than [executions] asks: {worst}")
    equal(get(ids[0]).get("starts", 1), 1, f"{name}: and none of it counts as an attempt")
    equal(daemon.api.execute(agent, f"{name}-after").json["status"], "completed", f"{name}: it works again")


def test_a_full_disk():
    under("full", 4, write=errno.ENOSPC)
    contains(daemon.log(), "execution.commit", "the log says so")


def test_a_disk_with_errors():
    under("broken", 2.5, write=errno.EIO)
    under("unsynced", 2.5, sync=errno.EIO)
    daemon.kill()
    daemon.start()
    store = sqlite3.connect(f"{daemon.folder}/state/c9d.db")
    equal(store.execute("PRAGMA integrity_check").fetchone()[0], "ok", "the database is whole")
    store.close()
    equal(daemon.api.execute(agent, "after-all").json["status"], "completed", "and is used again")


def test_a_clock_that_jumps():
    ids = [start(agent, f"jump{i}") for i in range(10)]
    long = start(sleeper, "3h")
    ok(eventually(lambda: get(long).get("waitingFor")), "one sleeps for three hours")
    time.sleep(0.5)
    clock.is_ahead(2 * 3600)
    time.sleep(0.3)
    equal(get(long)["status"], "running", "two hours ahead it sleeps yet")
    clock.is_ahead(4 * 3600)
    ok(eventually(lambda: get(long)["status"] == "completed", 20 * SLOW), "four hours ahead it has slept")
    all_end(ids, "jump")
    ids = [start(agent, f"back{i}") for i in range(5)]
    nap = start(sleeper, "60s")
    ok(eventually(lambda: get(nap).get("waitingFor")), "another sleeps until a time")
    clock.is_ahead(-3600)
    all_end(ids, "back")
    equal(daemon.api.execute(agent, "now").json["status"], "completed", "an hour back it works")
    equal(daemon.api.execute(sleeper, "100ms").json["output"], "slept", "and short sleeps end")
    equal(get(nap)["status"], "running", "what sleeps until a time waits for that")
    clock.is_ahead(5 * 3600)
    ok(eventually(lambda: get(nap)["status"] == "completed", 20 * SLOW), "and ends when the clock is right again")


def events_of(execution):
    return list(daemon.api.stream("GET", f"/v1/executions/{execution}/stream"))


def test_a_disk_that_is_slow_to_read():
    """Executors die while there is text to be written, and the store takes its time until it says where they were."""
    ids = [start(teller, f"told{i}") for i in range(5)]
    told = "SELECT count(DISTINCT execution_id) FROM execution_events WHERE type = 'delta'"
    store = sqlite3.connect(f"file:{daemon.folder}/state/c9d.db?mode=ro", uri=True)
    ok(eventually(lambda: store.execute(told).fetchone()[0] == len(ids), every=0.01), "text of each is streamed")
    store.close()
    disk.reads_in(0.05)
    for executor in [p for a in children(daemon.process.pid) for b in children(a) for p in children(b)]:
        os.kill(executor, signal.SIGKILL)
    ok(eventually(lambda: len(asked("told")) == len(ids) and min(asked("told").values()) > 1), "each is asked again")
    disk.reads_in(0)
    all_end(ids, "slow")
    equal(set(asked("told").values()), {2}, "by one process, once")
    for execution in ids:
        events = events_of(execution)
        again = max(i for i, e in enumerate(events) if e.type == "step" and e.data["state"] == "started")
        text = "".join(e.data["text"] for e in events[again:] if e.type == "delta")
        if not equal(text, get(execution)["outputData"], "what is streamed then is the whole text, and nothing else"):
            break


def test_a_store_that_has_what_is_to_be_written():
    """As if its lease had been another's for a while: it goes on from what is there."""
    execution = start(teller, "conflict")
    store = sqlite3.connect(f"{daemon.folder}/state/c9d.db", timeout=30)
    has = "SELECT count(*) FROM execution_events WHERE execution_id = ? AND type = 'delta'"
    ok(eventually(lambda: store.execute(has, (execution,)).fetchone()[0] > 0, every=0.01), "it asks")
    with store:
        store.execute("INSERT INTO execution_events (execution_id, seq, type, data, timestamp) SELECT execution_id, max(seq) + 1, 'status',"
                      " '{\"status\":\"running\"}', max(timestamp) FROM execution_events WHERE execution_id = ?", (execution,))
    store.close()
    all_end([execution], "conflict")
    equal(list(asked("conflict").values()), [2], "what had no answer is asked again, once")


def test_who_executes_is_not_evicted_before_there_is_a_child():
    """Nothing would wake it."""
    disk.reads_in(0.3)
    execution = start(parent, None)
    ok(eventually(lambda: get(execution)["status"] == "completed", 60 * SLOW), "looking for a child takes longer than [executions] evict")
    disk.reads_in(0)
    equal(get(execution).get("outputData"), "slept", "its parent gets the answer")


def test_a_child_that_comes_while_it_is_looked_for():
    """A former life has started it, which is stored only when the next one has read that there is none."""
    disk.reads_in(1)
    execution = start(parent, None)
    time.sleep(1)
    h = hashlib.sha256(f"{execution}/1".encode()).hexdigest()
    child = f"{execution[:13]}-8001-a{h[15:18]}-{h[18:30]}"
    store = sqlite3.connect(f"{daemon.folder}/state/c9d.db", timeout=30)
    with store:
        store.execute("INSERT INTO agent_executions (id, agent_id, agent_version, organization_id, output_data, status, triggered_by,"
                      " parent_id, available_at, created_at, completed_at) SELECT ?, agent_id, agent_version, organization_id, '\"before\"',"
                      " 'completed', triggered_by, id, available_at, created_at, created_at FROM agent_executions WHERE id = ?",
                      (child, execution))
    store.close()
    ok(eventually(lambda: get(execution)["status"] == "completed", 60 * SLOW), "its parent completes")
    disk.reads_in(0)
    equal(get(execution).get("outputData"), "before", "with what it has said")


run(globals(), daemon)
