#!/usr/bin/python3
"""Random sequences of calls, several at a time: whatever is asked, one version is current, what is published does
not change, names are unique, and every state was reached along the diagram.

C9_SEED repeats a run (as far as threads let it); C9_ROUNDS makes it longer."""
import json
import os
import random
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, equal, note, ok, run  # noqa: E402

SEED = int(os.environ.get("C9_SEED") or random.SystemRandom().randrange(1 << 32))
ROUNDS = int(os.environ.get("C9_ROUNDS") or (100 if SLOW == 1 else 20))
CALLERS = 4
MUST_HAPPEN = ("publish", "edit")  # a short run may draw none that succeeds; it goes on until there is one
NAMES = ("ant", "bee", "cat", "dog")
VERSIONS = ("1.0.0", "1.1.0", "2.0.0-rc.1", "2.0.0")
AFTER = {"draft": {"draft", "published", "deprecated", "archived"}, "published": {"published", "deprecated", "archived"},
         "deprecated": {"deprecated", "archived"}, "archived": {"archived"}}

daemon = Daemon()
api = daemon.api
api.skill('return { name = "say", version = "1.0.0", run = function() return 1 end }')
seen = {}  # (agent, version): what is fixed of it since it was published; and its last status


# ---- calls ----

def config(rng):
    return {"name": rng.choice(NAMES), "skillset": ["say"], "executionConfig": {"entrypoint": "say"},
            "description": str(rng.random())}


def some_agent(rng, client):
    items = client.get("/v1/agents?limit=200").json["items"]
    return f"/v1/agents/{rng.choice(items)['id']}" if items else "/v1/agents/01890000-0000-7000-8000-000000000000"


def some_version(rng):
    return "/versions/" + rng.choice(VERSIONS)


def alias_body(rng):
    first, second = rng.sample(VERSIONS, 2)
    return {"targets": [{"version": first, "weight": 70}, {"version": second, "weight": 30}]}


CALLS = {  # name: (weight, what it does)
    "create": (3, lambda r, c: c.post("/v1/agents", config(r))),
    "edit": (4, lambda r, c: c.patch(some_agent(r, c), {"description": str(r.random())})),
    "rename": (2, lambda r, c: c.patch(some_agent(r, c), {"name": r.choice(NAMES)})),
    "replace": (1, lambda r, c: c.request("PUT", some_agent(r, c), config(r))),
    "delete": (1, lambda r, c: c.delete(some_agent(r, c))),
    "version": (8, lambda r, c: c.post(some_agent(r, c) + "/versions", {"version": r.choice(VERSIONS)})),
    "copy": (2, lambda r, c: c.post(some_agent(r, c) + "/versions", {"from": r.choice((*VERSIONS, "^1", "latest"))})),
    "edit version": (6, lambda r, c: c.patch(some_agent(r, c) + some_version(r), {"config": {"description": str(r.random())}, "changelog": str(r.random())})),
    "publish": (10, lambda r, c: c.post(some_agent(r, c) + some_version(r) + "/publish", {"changelog": str(r.random())})),
    "rollback": (5, lambda r, c: c.post(some_agent(r, c) + some_version(r) + "/rollback")),
    "deprecate version": (2, lambda r, c: c.post(some_agent(r, c) + some_version(r) + "/deprecate")),
    "archive version": (2, lambda r, c: c.post(some_agent(r, c) + some_version(r) + "/archive")),
    "delete version": (2, lambda r, c: c.delete(some_agent(r, c) + some_version(r))),
    "alias": (3, lambda r, c: c.request("PUT", some_agent(r, c) + "/aliases/stable", alias_body(r))),
    "deprecate": (0.3, lambda r, c: c.post(some_agent(r, c) + "/deprecate")),
    "archive": (0.3, lambda r, c: c.post(some_agent(r, c) + "/archive")),
    "execute": (3, lambda r, c: c.post(some_agent(r, c) + "/execute", {"input": None, "version": r.choice((*VERSIONS, "latest", "stable", "1.x"))})),
}


def caller(rng, client, done):
    name = rng.choices(list(CALLS), [weight for weight, _ in CALLS.values()])[0]
    done.append((name, CALLS[name][1](rng, client)))


# ---- what always holds ----

def broken_by_versions(agent, versions):
    current = [v["version"] for v in versions if v["isCurrent"]]
    if len(current) != (agent["status"] != "draft"):
        yield f"a {agent['status']} agent has {len(current)} current versions"
    if current and current[0] != agent["currentVersion"]:
        yield f"the agent says {agent['currentVersion']} is current, the versions {current}"
    for v in versions:
        if (v["status"] == "draft") == ("publishedAt" in v):
            yield f"{v['version']} is {v['status']}, published {v.get('publishedAt')}"
        if v["isCurrent"] and v["status"] in ("draft", "archived"):
            yield f"the current version is {v['status']}"


def broken_by_history(agent, versions):
    for v in versions:
        if "publishedAt" not in v:
            continue
        key = (agent["id"], v["version"], v["publishedAt"])
        fixed = json.dumps([v["config"], v["pins"], v.get("changelog")], sort_keys=True)
        was, status = seen.setdefault(key, (fixed, "draft"))
        if was != fixed:
            yield f"{v['version']} was published as {was} and is {fixed}"
        if v["status"] not in AFTER[status]:
            yield f"{v['version']} was {status} and is {v['status']}"
        seen[key] = (fixed, v["status"])


def broken():
    agents = api.get("/v1/agents?limit=200").json["items"]
    names = [a["name"] for a in agents]
    if len(names) != len(set(names)):
        yield f"names are not unique: {sorted(names)}"
    for agent in agents:
        path = f"/v1/agents/{agent['id']}"
        versions = api.get(f"{path}/versions?limit=200").json["items"]
        yield from broken_by_versions(agent, versions)
        yield from broken_by_history(agent, versions)
        runs = {v["version"] for v in versions if v["status"] in ("published", "deprecated")}
        for alias in api.get(f"{path}/aliases").json["items"]:
            if not {t["version"] for t in alias["targets"]} <= runs:
                yield f"alias {alias['name']} has {alias['targets']}, and only {runs} run"


def much_was_done(counts):
    return all(counts.get(name, [0])[0] > 0 for name in MUST_HAPPEN)


def test_random_sequences():
    note(f"C9_SEED={SEED}")
    rng = random.Random(SEED)
    clients = [api.fresh() for _ in range(CALLERS)]
    counts, problems, rounds = {}, [], 0
    while rounds < ROUNDS or (rounds < 100 * ROUNDS and not much_was_done(counts)):
        done, rounds = [], rounds + 1
        threads = [threading.Thread(target=caller, args=(random.Random(rng.random()), client, done)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(len(done), CALLERS, "every call is answered") if len(done) != CALLERS else None
        for name, answer in done:
            counts.setdefault(name, [0, 0])[answer.status >= 400] += 1
            if answer.status >= 500:
                problems.append(f"{name}: {answer!r}")
        problems += list(broken())
        if problems:
            break
    for problem in problems[:10]:
        note(problem)
    ok(not problems, f"one current version, published is immutable, unique names, in {rounds} rounds of {CALLERS} calls")
    note(", ".join(f"{name} {done}+{refused}" for name, (done, refused) in sorted(counts.items())))
    ok(much_was_done(counts), "and much of it was done")


run(globals(), daemon)
