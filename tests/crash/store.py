#!/usr/bin/python3
"""A store that fails now and then: what it was asked to keep is not there, or is there although it said that it failed.
Nothing accepted is lost, nothing ends twice, nothing is asked oftener than is allowed."""
import collections
import itertools
import json
import mmap
import os
import sqlite3
import struct
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, SLOW, Daemon, equal, eventually, note, ok, run  # noqa: E402
from model_server import ModelServer  # noqa: E402

QUERY_FAILS, BATCH_FAILS, BATCH_LIES = 1, 2, 3
FINAL = ("completed", "failed", "cancelled")


class Orders:
    """tests/plugins/storage_faulty.c"""
    SIZE = 256

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="c9d-orders-")
        self.file.truncate(mmap.PAGESIZE)
        self.map = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)

    def give(self, n, kind, part="", times=-1, one_in=1):
        at = n * self.SIZE
        self.map[at + 16:at + self.SIZE] = part.encode().ljust(self.SIZE - 16, b"\0")
        self.map[at:at + 16] = struct.pack("=iiii", times, 0, kind, one_in)

    def hits(self, n):
        return struct.unpack("=i", self.map[n * self.SIZE + 4:n * self.SIZE + 8])[0]

    def none(self):
        for n in range(8):
            self.map[n * self.SIZE + 8:n * self.SIZE + 12] = struct.pack("=i", 0)


orders, models = Orders(), ModelServer()
models.__enter__()
daemon = Daemon({"daemon": {"plugins": f"{BUILD}/tests/plugins:{BUILD}/plugins"},
                 "storage": {"plugin": "faulty", "orders": orders.file.name, "real": f"{BUILD}/plugins/storage_sqlite.so"},
                 "model default": {"plugin": "openai", "base_url": models.base_url, "model": "echo", "concurrency": 100, "attempts": 1},
                 "executions": {"evict": "200ms", "asks": 3, "lease": "3s"}})
plain = daemon.api.lua_agent("plain", 'return { name = "plain", version = "1.0.0", run = function(input) return input end }')["id"]


def start(agent_id, input_="x", api=None, **more):
    """Until it is accepted; each time by another name, since what is refused may be there."""
    for n in itertools.count():
        answer = (api or daemon.api).execute(agent_id, f"{input_}t{n}", {"Prefer": "respond-async"}, **more)
        if answer.status != 503:
            return answer.json["executionId"]


def get(execution):
    return daemon.api.get(f"/v1/executions/{execution}").json


def all_end(ids):
    return ok(eventually(lambda: all(get(e)["status"] in FINAL for e in ids), 120 * SLOW, 0.2), "all end")


def test_what_cannot_be_read_is_read_again():
    """One that was put off is claimed; then what it needs is read, of which nothing is known yet."""
    for part in ("FROM agent_executions WHERE id = $1", "FROM execution_events", "FROM execution_journal", "FROM agent_versions",
                 "FROM skills", "FROM agents"):
        orders.give(0, QUERY_FAILS, part, 0)
        later = start(plain, delay="300ms")
        daemon.kill()
        daemon.start()
        orders.give(0, QUERY_FAILS, part, 1)
        ok(eventually(lambda: orders.hits(0) > 0 or get(later)["status"] in FINAL), f"reading fails: {part}")
        orders.none()
        ok(eventually(lambda: get(later)["status"] in FINAL), f"it ends though: {orders.hits(0)} failed")
        equal(get(later)["status"], "completed", "well")


def test_a_queue_that_cannot_be_asked_is_asked_again():
    """Nothing else wakes whoever asks it: nothing comes, and the leases last."""
    orders.give(0, BATCH_FAILS, "attempt = attempt + 1", times=2)
    later = start(plain, delay="200ms")
    ok(eventually(lambda: orders.hits(0) == 2 and get(later)["status"] in FINAL, 7 * SLOW), "after two failures it is claimed, before long")
    orders.none()


def test_leases_that_cannot_be_renewed():
    """For longer than one lasts: nobody else has this store, so what runs goes on, and is run once."""
    orders.give(0, BATCH_FAILS, "SET lease_until = $2 WHERE")
    slow = daemon.api.lua_agent("slow", """return { name = "slow", version = "1.0.0", needs = { model = { "default" } },
      run = function(input) return c9.model.chat{ model = "echo+slow:4000+" .. input, messages = { { role = "user", content = "x" } } }.content
      end }""")["id"]
    running = [start(slow, f"lease{i}") for i in range(5)]
    all_end(running)
    ok(orders.hits(0) >= 2, f"renewing failed {orders.hits(0)} times")
    orders.none()
    equal([(get(e)["status"], get(e)["starts"]) for e in running], [("completed", 1)] * 5, "well, each started once")
    calls = models.calls()["byModel"]
    equal([n for name, n in calls.items() if "+lease" in name], [1] * 5, "and each asked once")
    ok("queue.renew" in daemon.log(), "and the log says what could not be done")


def test_whose_version_is_gone():
    later = start(plain, delay="300ms")
    daemon.kill()
    store = sqlite3.connect(f"{daemon.folder}/state/c9d.db", timeout=30)
    with store:
        store.execute("UPDATE agent_executions SET agent_version = '9.9.9' WHERE id = ?", (later,))
    store.close()
    daemon.start()
    ok(eventually(lambda: get(later)["status"] in FINAL), "it ends")
    equal((get(later)["status"], get(later)["errorCode"], get(later)["starts"]), ("failed", "VersionNotFound", 0), "and says why")


# Each call of a model has a name of its own, by which the endpoint counts it.
STEPS = """return { name = "%s", version = "1.0.0", needs = { model = { "default" }, agents = { "leaf" } },
  run = function(input, ctx)
    local function ask(i)
      local model = ("echo+slow:30+%%s/%%s"):format(input, i)
      return c9.model.chat{ model = model, messages = { { role = "user", content = "x" } } }.content
    end
    ask("a" .. ctx.execution.attempt)
    c9.emit(1)
    %s
    c9.sleep(0.5)
    c9.emit(2)
    return ask("b")
  end }"""


def test_a_store_that_fails_now_and_then():
    kinds = [daemon.api.lua_agent("leaf", STEPS % ("leaf", ""))["id"],
             daemon.api.lua_agent("parent", STEPS % ("parent", 'c9.agents.execute("leaf", input .. "c")'))["id"],
             daemon.api.lua_agent("again", STEPS % ("again", 'if ctx.execution.attempt == 1 then error("not yet") end'), executionConfig={
                 "entrypoint": "again", "retry": {"attempts": 2, "backoffMs": 100}, "concurrency": {"limit": 3}})["id"]]
    orders.give(0, BATCH_FAILS, "", one_in=40)
    for n, part in enumerate(("execution_journal", "SET status = ", "execution_asks", "SET attempt = ", "active_us = $4, cpu_us", "SET retries")):
        orders.give(n + 1, BATCH_LIES, part, one_in=12)
    orders.give(7, BATCH_LIES, "attempt = attempt + 1", one_in=3)
    ids, lock = [], threading.Lock()

    def some(k):
        api = daemon.api.fresh()
        for i in range(12):
            execution = start(kinds[i % 3], f"t{k}n{i}", api)
            with lock:
                ids.append(execution)
    threads = [threading.Thread(target=some, args=(k,)) for k in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eventually(lambda: False, 3)
    note(f"failed: {[orders.hits(n) for n in range(8)]}")
    equal((len(ids), sum(orders.hits(n) for n in range(1, 7)) > 5, orders.hits(0) > 5), (36, True, True), "it did fail")
    orders.none()
    all_end(ids)
    unended = "SELECT count(*) FROM agent_executions WHERE status IN ('pending', 'running')"
    store = sqlite3.connect(f"file:{daemon.folder}/state/c9d.db?mode=ro", uri=True)
    ok(eventually(lambda: store.execute(unended).fetchone()[0] == 0), "and so do their children, and what was there though it was refused")
    rows = store.execute("SELECT id, status, error_details FROM agent_executions WHERE agent_id IN (?, ?, ?)", kinds).fetchall()
    wrong = [r for r in rows if r[1] != "completed" and json.loads(r[2] or "{}").get("code") != "OutcomeUnknown"]
    equal(wrong, [], "well, but those that would have asked too often")
    ends = store.execute("SELECT execution_id, count(*) FROM execution_events WHERE type = 'end' GROUP BY execution_id HAVING count(*) <> 1")
    equal(ends.fetchall(), [], "each has one end")
    gaps = store.execute("SELECT execution_id FROM execution_events GROUP BY execution_id HAVING count(*) <> max(seq) OR min(seq) <> 1")
    equal(gaps.fetchall(), [], "no stream has a gap")
    emits = collections.defaultdict(list)
    for execution, data in store.execute("SELECT execution_id, data FROM execution_events WHERE type = 'emit' ORDER BY execution_id, seq"):
        emits[execution].append(json.loads(data)["value"])
    equal([e for e in emits.values() if e not in ([1], [1, 2], [1, 1, 2], [1, 1])], [], "each emit comes once an attempt, in order")
    store.close()
    calls = models.calls()["byModel"]
    equal({name: n for name, n in calls.items() if n > 3}, {}, "nothing was asked oftener than [executions] asks")
    note(f"{len(rows)} executions, {sum(calls.values())} calls, {sum(n > 1 for n in calls.values())} asked again")


run(globals(), daemon)
