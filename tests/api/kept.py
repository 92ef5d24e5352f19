#!/usr/bin/python3
"""An answer that is given again is the one that would be made anew: for every caller, after every change, by whomever."""
import os
import sqlite3
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import Daemon, equal, ok, run  # noqa: E402

daemon = Daemon()
api = daemon.api
agent = api.agent("kept", publish=False, visibility="private")["id"]
path = f"/v1/agents/{agent}"


def test_same_question_same_answer():
    first, second = api.get(path), api.get(path)
    equal((second.status, second.json), (200, first.json), "the same body")
    drop = ("Date", "X-Request-Id")
    equal([h for h in second.headers.items() if h[0] not in drop], [h for h in first.headers.items() if h[0] not in drop],
          "the same headers")
    ok(first.headers["X-Request-Id"] != second.headers["X-Request-Id"], "but for the request's own")


def test_other_questions():
    second = api.agent("second", publish=False)["id"]
    for _ in range(2):
        equal([api.get(f"/v1/agents/{a}").json["id"] for a in (agent, second)], [agent, second], "each agent is itself")
        lists = [api.get(f"/v1/agents{query}").json["items"] for query in ("", "?limit=1", "?name=second", "?name=none")]
        equal([len(items) for items in lists], [2, 1, 1, 0], "each query has its own answer")
    equal(api.get(f"/v1/agents/%6{'b'}ept").json["id"], agent, "however the path is written")


def test_revalidation():
    tag = api.get(path).headers["ETag"]
    again = api.get(path, {"If-None-Match": tag})
    equal((again.status, again.raw, again.headers["ETag"]), (304, b"", tag), "the tag is known: 304")
    equal(api.get(path, {"If-None-Match": '"other"'}).status, 200, "another one: 200")
    equal(api.get(path).json["id"], agent, "and the body is not lost by that")
    equal(api.request("HEAD", path).headers["ETag"], tag, "HEAD says the same")


def test_a_change_is_seen_at_once():
    for i in range(50):
        api.get(path)
        changed = api.patch(path, {"description": f"number {i}"})
        got = api.get(path)
        if got.json["description"] != f"number {i}" or got.headers["ETag"] != changed.headers["ETag"]:
            ok(False, f"change {i} is seen")
            return
    ok(True, "each of 50 changes is seen by the next request")
    equal([a["description"] for a in api.get("/v1/agents").json["items"] if a["id"] == agent], ["number 49"], "in lists as well")


def test_a_change_of_another_process_is_seen():
    api.get(path)
    with sqlite3.connect(f"{daemon.folder}/state/c9d.db") as store:
        store.execute("UPDATE agents SET description = 'by hand' WHERE id = ?", [agent])
    equal(api.get(path).json["description"], "by hand", "what another program wrote into the store")


def test_other_callers():
    user = api.post("/v1/users", {"name": "other", "kind": "service", "role": "member"}).json["id"]
    token = api.post("/v1/tokens", {"name": "other", "scopes": ["agents:read"], "userId": user}).json["token"]
    other = api.with_token(token)
    equal(api.get(path).status, 200, "the owner gets it")
    equal(other.get(path).status, 404, "who may not see it does not get what is kept for the owner")
    grant = api.post(f"{path}/grants", {"permission": "read", "userId": user})
    equal(other.get(path).status, 200, "a grant holds at once")
    equal(api.delete(f"{path}/grants/{grant.json['id']}").status, 204, "the grant is taken back")
    equal(other.get(path).status, 404, "which holds at once")
    scopes = api.with_token(api.post("/v1/tokens", {"name": "blind", "scopes": ["usage:read"]}).json["token"])
    equal(scopes.get(path).status, 403, "nor without the scope")


def test_while_others_write():
    """Reads beside writes: what is read never goes back."""
    wrong, done = [], threading.Event()

    def read():
        client, last = api.fresh(), 0
        while not done.is_set():
            revision = client.get(path).json["revision"]
            if revision < last:
                wrong.append((last, revision))
            last = revision

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(100):
        api.patch(path, {"description": f"write {i}"})
    done.set()
    for thread in threads:
        thread.join()
    equal(wrong, [], "no revision came back")


def test_gone_is_gone():
    api.get(path)
    equal(api.delete(path).status, 204, "the agent is deleted")
    equal(api.get(path).status, 404, "and not found any more")


run(globals(), daemon)
