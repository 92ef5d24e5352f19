#!/usr/bin/python3
"""What is older than [retention] says is removed, a little at a time; what runs is left alone."""
import os
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, contains, equal, eventually, ok, run  # noqa: E402

daemon = Daemon({"retention": {"journals": "0", "every": "200ms"}, "executions": {"evict": "100ms"}})
SOURCE = """return { name = "busy", version = "1.0.0", description = "logs, emits and asks the time",
  run = function(input) for i = 1, 300 do c9.now() c9.log.info("line " .. i) c9.emit(i) end
    if input == "wait" then c9.wait_for("go") end return c9.now() end }"""
agent = daemon.api.lua_agent("busy", SOURCE)["id"]
TABLES = ("execution_journal", "execution_events", "execution_logs")


def count(table, execution):
    store = sqlite3.connect(f"file:{daemon.folder}/state/c9d.db?mode=ro", uri=True, timeout=30)
    try:
        return store.execute(f"SELECT count(*) FROM {table} WHERE execution_id = ?", (execution,)).fetchone()[0]
    finally:
        store.close()


def again(**retention):
    daemon.stop()
    daemon.config["retention"] = {"every": "200ms", **retention}
    daemon.write_config()
    daemon.start()


old = [daemon.api.execute(agent).json["executionId"] for _ in range(25)]
waiting = daemon.api.execute(agent, "wait", headers={"Prefer": "respond-async"}).json["executionId"]


def test_the_defaults_keep_what_is_young():
    eventually(lambda: daemon.api.get(f"/v1/executions/{waiting}/waits").json["items"])
    time.sleep(0.5)
    ok(all(count(t, old[0]) >= 300 for t in TABLES), "nothing is removed that is young")


def test_journals_go_first():
    again(journals="1ms", executions="1h", events="1h", logs="0")
    ok(eventually(lambda: not any(count("execution_journal", e) for e in old), 30 * SLOW), "journals of ended executions go")
    ok(count("execution_events", old[0]) > 300 and count("execution_logs", old[0]) == 300, "events and logs stay")
    ok(count("execution_journal", waiting) == 300, "the journal of one that waits stays")
    shown = daemon.api.get(f"/v1/executions/{old[0]}").json
    equal(shown["journalRemoved"], True, "the execution says so")
    for path in ("replay", "fork"):
        refused = daemon.api.post(f"/v1/executions/{old[0]}/{path}", {} if path == "fork" else None)
        equal((refused.status, refused.code), (409, "InvalidState"), f"no {path} of it")
        contains(refused.message, "[retention] journals", "and the setting is named")
    equal(daemon.api.get(f"/v1/executions/{old[0]}/journal").json["items"], [], "its journal is empty")


def test_then_events_and_logs():
    again(journals="1h", events="1ms", logs="1ms", executions="1h")
    ok(eventually(lambda: not any(count(t, e) for e in old for t in TABLES), 30 * SLOW), "events and logs go")
    equal(daemon.api.get(f"/v1/executions/{old[0]}").json["status"], "completed", "the execution stays")


def test_then_all_of_it():
    again(executions="1ms")
    ok(eventually(lambda: daemon.api.get(f"/v1/executions/{old[-1]}").status == 404, 30 * SLOW), "executions go")
    ok(eventually(lambda: [e["id"] for e in daemon.api.get("/v1/executions").json["items"]] == [waiting], 30 * SLOW),
       "all that have ended, and no other")
    sent = daemon.api.post(f"/v1/executions/{waiting}/signals/go", {})
    equal(sent.status, 202, "what waits goes on")
    ok(eventually(lambda: daemon.api.get(f"/v1/executions/{waiting}").status == 404, 30 * SLOW), "to its end, and goes, too")
    store = sqlite3.connect(f"file:{daemon.folder}/state/c9d.db?mode=ro", uri=True)
    left = {t: store.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in (*TABLES, "agent_executions", "agent_resource_usage",
                                                                                    "execution_waits", "execution_signals")}
    store.close()
    equal(set(left.values()), {0}, "nothing is left of them")


run(globals(), daemon)
