#!/usr/bin/python3
"""Personas."""
import os
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import Daemon, equal, ok, run  # noqa: E402

daemon = Daemon()
api = daemon.api


def test_life():
    made = api.post("/v1/personas", {"name": "editor", "prompt": "You edit."})
    equal(made.status, 201, "a persona is created")
    path = made.headers["Location"]
    equal(api.get(path).json, made.json, "it reads back")
    tag = made.headers["ETag"]
    equal(api.get(path, {"If-None-Match": tag}).status, 304, "ETag holds")
    patched = api.patch(path, {"prompt": "You edit well.", "description": "d"}, {"If-Match": tag})
    equal((patched.status, patched.json["prompt"]), (200, "You edit well."), "it is edited")
    equal(api.patch(path, {"prompt": "x"}, {"If-Match": tag}).code, "PreconditionFailed", "once for a tag")
    ok("description" not in api.patch(path, {"description": None}).json, "null removes")
    equal(api.delete(path).status, 204, "it is deleted")
    equal(api.get(path).code, "PersonaNotFound", "and gone")


def test_in_use():
    persona = api.post("/v1/personas", {"name": "p", "prompt": "x"}).json
    agent = api.agent("a", publish=False, personaId=persona["id"])
    answer = api.delete(f"/v1/personas/{persona['id']}")
    equal((answer.status, answer.code), (409, "ResourceInUse"), "what a draft uses stays")
    api.patch(f"/v1/agents/{agent['id']}", {"personaId": None})
    equal(api.delete(f"/v1/personas/{persona['id']}").status, 204, "then it goes")


def test_refusals():
    api.post("/v1/personas", {"name": "taken", "prompt": "x"})
    equal(api.post("/v1/personas", {"name": "taken", "prompt": "y"}).code, "DuplicateName", "names are unique")
    for body in ({"name": "n"}, {"prompt": "p"}, {"name": "", "prompt": "p"}, {"name": "n", "prompt": ""},
                 {"name": "n", "prompt": "p", "promt": 1}, {"name": "a\nb", "prompt": "p"}, []):
        equal(api.post("/v1/personas", body).status, 400, f"{body} is refused")
    equal(api.get("/v1/personas/abc").code, "InvalidRequest", "an id has its form")


def test_list():
    for name in "cab":
        api.post("/v1/personas", {"name": f"list-{name}", "prompt": "x"})
    equal([p["name"] for p in api.get("/v1/personas?text=list-").json["items"]],
          ["list-b", "list-a", "list-c"], "newest first")
    equal([p["name"] for p in api.get("/v1/personas?text=list-&sort=name").json["items"]],
          ["list-a", "list-b", "list-c"], "or by name")
    equal([p["name"] for p in api.get("/v1/personas?text=list-&sort=-name&limit=1").json["items"]],
          ["list-c"], "or the other way round")


def test_contended():
    """A client that gave no If-Match is not told of a condition, whoever else changes the same thing."""
    for made in (api.post("/v1/personas", {"name": "contended", "prompt": "x"}),
                 api.post("/v1/webhooks", {"url": "http://127.0.0.1:9/"})):
        path = made.headers["Location"]

        def change(n, path=path):
            client = api.fresh()
            return {client.patch(path, {"description": f"{n}/{k}"}).status for k in range(20)}
        with ThreadPoolExecutor(6) as pool:
            statuses = set().union(*pool.map(change, range(6)))
        ok(200 in statuses and statuses <= {200, 503}, f"{path}: {statuses}")
        equal(api.delete(path).status, 204, "and then it goes")


run(globals(), daemon)
