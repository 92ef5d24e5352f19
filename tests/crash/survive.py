#!/usr/bin/python3
"""Kills the daemon, its zygote and its executors at random moments under load, then holds the promises against the store:
no accepted execution is lost, none ends twice, no effect was asked more than once beyond the journal, no stream has a gap.

    tests/crash/survive.py [--kills N] [--hours H] [--seed S]       make crash HOURS=…

The seed that is printed makes the same choices again; what they meet is the machine's.
"""
import argparse
import collections
import http.client
import json
import os
import random
import signal
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, children, eventually, note, ok, run  # noqa: E402
from model_server import ModelServer  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--kills", type=int, default=40 if SLOW > 1 else 210)
parser.add_argument("--hours", type=float, default=0)
parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
options = parser.parse_args()
note(f"--seed {options.seed}")

SUBMITTERS = 3
FINAL = ("completed", "failed", "cancelled")
# Each call of a model has a name of its own, by which the endpoint counts it.
STEPS = """return { name = "steps", version = "1.0.0", description = "asks, waits and executes",
  needs = { model = { "default" }, agents = { "leaf" } },
  run = function(input)
    local function ask(i)
      return c9.model.chat{ model = ("echo+slow:%d+%s/%s"):format(input.slow, input.name, i), messages = { { role = "user", content = input.name } } }.content
    end
    local sum = {}
    for i = 1, 3 do
      c9.emit({ step = i })
      sum[i] = ask(i)
      c9.log.info("step " .. i)
    end
    if input.how == "all" then
      c9.all(function() ask("a") end, function() ask("b") end, function() c9.sleep(0.02) ask("c") end)
    elseif input.how == "sleep" then
      c9.sleep(1.5)
      ask(4)
    elseif input.how == "signal" then
      sum[4] = c9.wait_for("go", { schema = { type = "string" } })
    elseif input.how == "child" then
      sum[4] = c9.agents.execute("leaf", input)
    end
    return { sum = sum, random = c9.random(1000000) }
  end }"""
LEAF = """return { name = "leaf", version = "1.0.0", description = "asks once", needs = { model = { "default" } },
  run = function(input)
    return c9.model.chat{ model = ("echo+slow:%d+%s/leaf"):format(input.slow, input.name), messages = { { role = "user", content = "x" } } }.content
  end }"""
HOWS = ("plain", "plain", "all", "sleep", "signal", "child", "chain")
CHAIN = {"steps": [{"id": f"s{i}", "agentId": "leaf", "inputMapping": {"name": "{{$.input.name}}/%d" % i, "slow": "$.input.slow"},
                    **({"parallel": "middle"} if i in (2, 3) else {})} for i in (1, 2, 3, 4)], "timeout": 86400000}

models = ModelServer()
models.__enter__()
daemon = Daemon({
    "model default": {"plugin": "openai", "base_url": models.base_url, "model": "echo", "concurrency": 1000, "attempts": 1},
    "executions": {"attempts": 1000, "evict": "300ms", "drain": "100ms"},
})
daemon.config["http"]["listen"] = f"127.0.0.1:{daemon.port}"
daemon.write_config()
daemon.api.lua_agent("leaf", LEAF)
agent = daemon.api.lua_agent("steps", STEPS)["id"]
chain = daemon.api.post("/v1/chains", {"name": "chain", "chainConfig": CHAIN}).json["id"]
accepted, lock, finished = {}, threading.Lock(), threading.Event()
final_seen, seen_twice = {}, []
kills = []  # (when, what)
died = []  # (when, the daemon's status): of itself


def persistent(client, method, path, body=None, headers=None):
    """Asks until there is an answer that is none of a daemon that comes or goes."""
    while True:
        try:
            answer = client.request(method, path, body, headers)
            if answer.status != 503:
                return answer
        except (OSError, http.client.HTTPException):
            client.close()
        time.sleep(0.01)


def submitter(k):
    rng, client, n = random.Random(options.seed * 1000 + k), daemon.api.fresh(), 0
    while not finished.is_set():
        n += 1
        name = f"s{k}n{n}"
        input_ = {"name": name, "how": rng.choice(HOWS), "slow": rng.choice((1, 20, 60))}
        path = f"/v1/chains/{chain}/execute" if input_["how"] == "chain" else f"/v1/agents/{agent}/execute"
        answer = persistent(client, "POST", path, {"input": input_},
                            {"Prefer": "respond-async", "Idempotency-Key": name})
        if answer.status != 202:
            ok(False, f"{name} is accepted")
            note(answer)
            return
        execution = answer.json["executionId"]
        with lock:
            accepted[execution] = input_
        if input_["how"] == "signal":
            sent = persistent(client, "POST", f"/v1/executions/{execution}/signals/go", {"payload": "gone"}, {"Idempotency-Key": f"{name}/go"})
            if sent.status not in (202, 409):
                ok(False, f"the signal to {name} is taken")
                note(sent)
        time.sleep(rng.uniform(0.0, 0.2))


def looker():
    """What was once seen at an end stays there."""
    client, rng = daemon.api.fresh(), random.Random(1)
    while not finished.is_set():
        with lock:
            some = rng.sample(sorted(accepted), min(8, len(accepted)))
        for execution in some:
            status = persistent(client, "GET", f"/v1/executions/{execution}").json["status"]
            if final_seen.get(execution, status) != status:
                seen_twice.append((execution, final_seen[execution], status))
            if status in FINAL:
                final_seen[execution] = status
        time.sleep(0.02)


def follower(gaps):
    """One client that follows one execution after the other, across restarts, by Last-Event-ID."""
    while not finished.is_set():
        with lock:
            execution = max(accepted) if accepted else None
        if execution is None:
            time.sleep(0.05)
            continue
        last, ended, until = 0, False, time.monotonic() + 20
        while not ended and not finished.is_set() and time.monotonic() < until:
            try:
                stream = daemon.api.stream("GET", f"/v1/executions/{execution}/stream",
                                           headers={"Last-Event-ID": str(last)} if last else None)
                for event in stream:
                    if event.id is None:
                        continue
                    if event.id != last + 1:
                        gaps.append((execution, last, event.id))
                    last, ended = event.id, event.type == "end"
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.02)
        time.sleep(0.01)


# ---- killing -----------------------------------------------------------------------------------

def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False


def kill_daemon(rng):
    daemon.process.kill()
    if rng.random() < 0.1:
        time.sleep(rng.uniform(0, 0.3))
    daemon.process.wait()
    daemon.process = None
    daemon.log_file.close()
    daemon.start()
    return True


def kill_zygote(rng):
    first = children(daemon.process.pid)
    below = [p for pid in first for p in children(pid)]
    return bool(first) and kill(rng.choice(first + below[:1]))


def kill_executors(rng):
    executors = [p for a in children(daemon.process.pid) for b in children(a) for p in children(b)]
    rng.shuffle(executors)
    return sum(kill(p) for p in executors[:rng.randint(1, 4)]) > 0


def kill_at_random():
    rng, counts = random.Random(options.seed), collections.Counter()
    until = time.monotonic() + options.hours * 3600
    while sum(counts.values()) < options.kills or time.monotonic() < until:
        time.sleep(rng.uniform(0.02, 0.35))
        what = rng.choice((kill_daemon, kill_zygote, kill_executors))
        if daemon.process.poll() is not None:
            died.append((time.time(), daemon.process.returncode))
            what = kill_daemon
        kills.append((time.time(), what.__name__))
        try:
            counts[what.__name__] += what(rng)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it went of itself meanwhile
    return counts


# ---- the promises ----------------------------------------------------------------------------------

def rows(sql, dicts=False):
    store = sqlite3.connect(f"file:{daemon.folder}/state/c9d.db?mode=ro", uri=True, timeout=30)
    if dicts:
        store.row_factory = sqlite3.Row
    try:
        found = store.execute(sql).fetchall()
        return [dict(row) for row in found] if dicts else found
    finally:
        store.close()


def explain(execution):
    """All that is known of it, in the order of time."""
    told = [(at, what) for at, what in kills]
    for table, when in (("agent_executions", "created_at"), ("execution_attempts", "started_at"), ("execution_asks", "asked_at"),
                        ("execution_events", "timestamp"), ("execution_logs", "timestamp"), ("execution_waits", "since"),
                        ("execution_signals", "created_at"), ("execution_journal", "answered_at")):
        key = "id" if table == "agent_executions" else "execution_id"
        for row in rows(f"SELECT * FROM {table} WHERE {key} = '{execution}'", dicts=True):
            told.append(((row[when] or 0) / 1e6, f"{table} " + ", ".join(f"{k}={v}" for k, v in row.items() if v is not None and k != key)))
    name = json.loads(rows(f"SELECT input FROM agent_executions WHERE id = '{execution}'")[0][0])["name"]
    for model, times in models.times().items():
        if model.partition("+")[2].partition("+")[2].partition("/")[0] == name:
            told += [(at, f"CALL {model}") for at in times]
    told.sort(key=lambda t: t[0])
    of_it = [at for at, what in told if " " in what]
    note(f"execution {execution}")
    for at, what in told:
        if of_it and min(of_it) - 1 < at < max(of_it) + 1:
            note(f"  {time.strftime('%H:%M:%S', time.gmtime(at))}.{at % 1 * 1e6:06.0f}  {what[:400]}")
    for line in daemon.log().splitlines():
        if execution in line:
            note(f"  {line}")


def none(found, name, execution_of=None):
    if ok(not found, name):
        return
    note(f"{len(found)}: {found[:5]!r}")
    for item in found[:3]:
        for execution in execution_of(item) if execution_of else []:
            explain(execution)


def first(item):
    return [item[0]]


def called(item):
    """Those that a model's name says: an execution, and its child."""
    name = item[0].partition("+")[2].partition("+")[2].partition("/")[0]
    mine = [e for e, input_ in accepted.items() if input_["name"] == name]
    return mine + [c for e in mine for (c,) in rows(f"SELECT id FROM agent_executions WHERE parent_id = '{e}'")]


def check_promises():
    status = {r[0]: (r[1], json.loads(r[2] or "{}"), r[3]) for r in rows("SELECT id, status, error_details, parent_id FROM agent_executions")}
    none([e for e in accepted if e not in status], "no accepted execution is lost")
    none([(e, s) for e, s in status.items() if s[0] not in FINAL], "every execution has ended", first)
    asked_out = [e for e, s in status.items() if s[1].get("code") == "OutcomeUnknown"]
    children_out = {status[e][2] for e in asked_out}
    none([(e, s[:2]) for e, s in status.items() if s[0] != "completed" and e not in asked_out and e not in children_out],
         "all complete, but those that would ask a third time", first)
    none(rows("SELECT execution_id, count(*) FROM execution_events WHERE type = 'end' GROUP BY execution_id HAVING count(*) <> 1"),
         "each has one end", first)
    none(seen_twice, "an end that was seen stays", first)
    none(rows("SELECT execution_id, count(*), max(seq) FROM (SELECT execution_id, seq FROM execution_events UNION ALL"
              " SELECT execution_id, seq FROM execution_logs) GROUP BY execution_id HAVING count(*) <> max(seq) OR min(seq) <> 1"),
         "no stream has a gap or a repeat", first)
    emits, told = collections.defaultdict(list), collections.defaultdict(list)
    for execution, data in rows("SELECT execution_id, data FROM execution_events WHERE type = 'emit' ORDER BY execution_id, seq"):
        value = json.loads(data)["value"]
        if "chainStep" in value:
            told[execution].append((value["chainStep"]["id"], value["chainStep"]["status"]))
        else:
            emits[execution].append(value["step"])
    none([(e, t) for e, t in told.items() if len(set(t)) != len(t) or status[e][0] == "completed" and len(t) != 8],
         "each step of a chain begins and ends once", first)
    none([(p, n) for p, n in rows("SELECT parent_id, count(*) FROM agent_executions WHERE parent_id IS NOT NULL GROUP BY parent_id")
          if p in told and status[p][0] == "completed" and n != 4], "and is one execution", first)
    none([(e, s) for e, s in emits.items() if s != [1, 2, 3][:len(s)]], "each emit comes once, in order", first)
    journaled = collections.Counter()
    for (request,) in rows("SELECT request FROM execution_journal WHERE kind = 'model.chat'"):
        journaled[json.loads(request)["chat"]["model"]] += 1
    calls = models.calls()["byModel"]
    none([(name, n, journaled[name]) for name, n in calls.items() if n > journaled[name] + 1],
         "no effect was asked more than once beyond the journal", called)
    answered = {json.loads(request)["chat"]["model"] for (request,) in
                rows("SELECT request FROM execution_journal WHERE kind = 'model.chat' AND is_error = 0")}
    none([(name,) for name in answered if calls.get(name, 0) < 1], "and no answer is in the journal that nobody gave", called)
    none(rows("SELECT id, state FROM execution_signals WHERE state <> 'delivered' AND execution_id IN"
              " (SELECT id FROM agent_executions WHERE status = 'completed')"), "each signal was delivered")
    none(rows("SELECT execution_id FROM execution_waits"), "nothing waits any more")
    note(f"{len(status)} executions, {sum(calls.values())} calls for {sum(journaled.values())} effects, "
         f"{len(asked_out)} ended because they would have asked a third time")


def test_nothing_is_lost():
    gaps = []
    threads = [threading.Thread(target=submitter, args=(k,), daemon=True) for k in range(SUBMITTERS)]
    threads += [threading.Thread(target=looker, daemon=True), threading.Thread(target=follower, args=(gaps,), daemon=True)]
    for t in threads:
        t.start()
    counts = kill_at_random()
    finished.set()
    for t in threads:
        t.join(30)
    note(", ".join(f"{n} x {what}" for what, n in counts.items()))
    ok(sum(counts.values()) >= options.kills, f"there were {options.kills} kills")
    waiting = "SELECT id, status, attempt, waiting_for FROM agent_executions WHERE status IN ('pending', 'running')"
    eventually(lambda: not rows(waiting), 60 * SLOW, 0.2)
    none(rows(waiting), "when it is left alone everything ends", first)
    none(died, "the daemon dies only when it is killed")
    none(gaps, "a client that comes back by Last-Event-ID misses nothing and sees nothing twice", first)
    check_promises()


run(globals(), daemon)
