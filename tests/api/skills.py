#!/usr/bin/python3
"""Skills: upload, revisions, delete."""
import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import Daemon, contains, equal, ok, run  # noqa: E402

daemon = Daemon()
api = daemon.api
ONE = 'return { name = "greet", version = "1.0.0", description = "Größe", run = function() end }\n'
TWO = ONE.replace("1.0.0", "1.1.0")
LUA = {"Content-Type": "text/x-lua; charset=utf-8"}


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_upload():
    made = api.request("POST", "/v1/skills", ONE, LUA)
    equal(made.status, 201, "a Lua file is taken")
    equal((made.json["name"], made.json["version"], made.json["sha256"]), ("greet", "1.0.0", sha(ONE)),
          "name and version are the file's")
    equal(made.headers["Location"], "/v1/skills/greet", "Location names it")
    equal(api.request("POST", "/v1/skills", ONE, LUA).status, 200, "the same source changes nothing")
    made = api.post("/v1/skills", {"source": TWO})
    equal((made.status, made.json["sha256"]), (201, sha(TWO)), "JSON does as well, as a new revision")


def test_get():
    got = api.get("/v1/skills/greet")
    equal((got.json["source"], got.json["version"]), (TWO, "1.1.0"), "the current source")
    equal(got.json["manifest"]["description"], "Größe", "and what the file says of itself")
    equal(api.get(f"/v1/skills/{got.json['id']}").json, got.json, "by id too")
    equal(api.get("/v1/skills/greet", {"If-None-Match": got.headers["ETag"]}).status, 304, "ETag holds")
    revisions = api.get("/v1/skills/greet/revisions").json["items"]
    equal({r["sha256"] for r in revisions}, {sha(ONE), sha(TWO)}, "both revisions are there")
    equal(api.get(f"/v1/skills/greet/revisions/{sha(ONE)}").json["source"], ONE, "each with its source")
    equal(api.get(f"/v1/skills/greet/revisions/{sha('x')}").code, "SkillNotFound", "no other")
    equal(api.get("/v1/skills/greet/revisions/abc").code, "InvalidRequest", "a digest has its form")
    equal(api.get("/v1/skills/nobody").code, "SkillNotFound", "an unknown one is not found")


def test_list():
    for name in "bca":
        api.skill(ONE.replace("greet", f"list_{name}"))
    page = api.get("/v1/skills?limit=2&text=list_").json
    names = [s["name"] for s in page["items"]]
    page = api.get(f"/v1/skills?limit=2&text=list_&cursor={page['nextCursor']}").json
    equal(names + [s["name"] for s in page["items"]], ["list_a", "list_b", "list_c"], "by name")
    ok(all("source" not in s for s in page["items"]), "without the sources")


def test_refusals():
    for source, word, name in (
            ("return {", ":1:", "a syntax error"),
            ("return 1", "table", "no table"),
            ('return { name = "x", run = function() end }', "version", "no version"),
            ("\nerror('boom')", ":2:", "an error when it is read"),
            ("while true do end", "", "one that never ends"),
            ("\x1bLua", "", "compiled Lua")):
        answer = api.request("POST", "/v1/skills", source, LUA)
        equal((answer.status, answer.code), (422, "InvalidSkill"), f"{name} is no skill")
        contains(answer.message, word, "the message says where")
    answer = api.request("POST", "/v1/skills", b"return \xff", LUA)
    equal(answer.code, "InvalidRequest", "what is no UTF-8 is refused")
    answer = api.request("POST", "/v1/skills", ONE, {"Content-Type": "text/plain"})
    equal((answer.status, answer.code), (415, "UnsupportedMediaType"), "another media type is refused")
    contains(answer.message, "text/x-lua", "the message says which are taken")
    answer = api.request("POST", "/v1/skills", ONE, {"Content-Type": "text/x-lua; charset=latin1"})
    equal(answer.status, 415, "another charset too")
    equal(api.request("POST", "/v1/skills", "", LUA).status, 400, "nothing is no skill")


def test_delete():
    api.skill(ONE.replace("greet", "used"))
    agent = api.agent("user", publish=False, skillset=["used"])
    answer = api.delete("/v1/skills/used")
    equal((answer.status, answer.code), (409, "ResourceInUse"), "what a draft names stays")
    contains(str(answer.details), agent["id"], "the answer names the agent")
    api.patch(f"/v1/agents/{agent['id']}", {"skillset": []})
    equal(api.delete("/v1/skills/used").status, 204, "then it goes")
    equal(api.get("/v1/skills/used").code, "SkillNotFound", "and is gone")


run(globals(), daemon)
