#!/usr/bin/python3
"""Agents: create, read, list, edit, validate, delete."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import Daemon, contains, equal, ok, run  # noqa: E402

NOWHERE = "01890000-0000-7000-8000-000000000000"
daemon = Daemon()
api = daemon.api
api.skill('return { name = "hello", version = "1.0.0", run = function() return "hello" end }')


def test_create_and_get():
    config = {"name": "first", "description": "d", "skillset": ["hello"], "triggerMode": "manual",
              "inputSchema": {"type": "object"}, "outputSchema": True, "triggerConfig": {},
              "executionConfig": {"entrypoint": "hello"}, "visibility": "organization",
              "metadata": {"team": "ü"}}
    made = api.post("/v1/agents", config)
    equal(made.status, 201, "an agent is created")
    equal(made.headers["Location"], f"/v1/agents/{made.json['id']}", "Location names it")
    equal({k: made.json[k] for k in config}, config, "it has what it was given")
    equal(made.json["status"], "draft", "it begins as a draft")
    got = api.get(made.headers["Location"])
    equal(got.json, made.json, "it reads back as it was created")
    equal(got.headers["ETag"], made.headers["ETag"], "with the same ETag")
    equal(got.headers["Cache-Control"], "private, no-cache", "and may be kept, to be asked about")


def test_defaults():
    agent = api.post("/v1/agents", {"name": "small"}).json
    equal((agent["skillset"], agent["triggerMode"], agent["visibility"]), ([], "manual", "private"),
          "what is not given has defaults")


def test_refusals_name_the_place():
    answer = api.post("/v1/agents", {"name": "x", "skillset": "hello"})
    equal((answer.status, answer.code), (422, "InvalidAgentConfig"), "a wrong type is refused")
    equal(answer.details["validationErrors"][0]["path"], "/skillset", "with the path")
    answer = api.post("/v1/agents", {"name": "x", "skilset": []})
    equal(answer.code, "InvalidAgentConfig", "an unknown member is refused")
    contains(str(answer.details), "skilset", "by its name")
    answer = api.post("/v1/agents", {"name": "x", "skillset": ["nobody"]})
    equal(answer.code, "InvalidAgentConfig", "a skill that is not there is refused")
    answer = api.post("/v1/agents", {"name": "x", "inputSchema": {"type": "strange"}})
    equal(answer.code, "InvalidAgentConfig", "a schema that is none is refused")
    answer = api.post("/v1/agents", {"skillset": []})
    equal(answer.code, "InvalidAgentConfig", "an agent without a name is refused")
    answer = api.post("/v1/agents", {"name": "first"})
    equal((answer.status, answer.code), (409, "DuplicateAgentName"), "a name is given once")


def test_validate_changes_nothing():
    before = api.get("/v1/agents").json
    answer = api.post("/v1/agents/validate", {"name": "v", "skillset": ["nobody"], "foo": 1})
    equal((answer.status, answer.json["valid"]), (200, False), "a wrong configuration is said to be so")
    paths = {e["path"] for e in answer.json["errors"]}
    ok({"/skillset/0", "/foo"} <= paths, f"with every place: {paths}")
    equal(api.post("/v1/agents/validate", {"name": "v", "skillset": ["hello"], "executionConfig":
          {"entrypoint": "hello"}}).json["valid"], True, "a right one too")
    equal(api.get("/v1/agents").json, before, "and nothing was created")


def test_merge_patch():
    agent = api.agent("patched", publish=False, description="old", metadata={"a": 1, "b": 2})
    path = f"/v1/agents/{agent['id']}"
    answer = api.patch(path, {"metadata": {"a": None, "c": 3}, "description": None})
    equal(answer.status, 200, "a patch is taken")
    equal(answer.json["metadata"], {"b": 2, "c": 3}, "members are merged, null removes")
    ok("description" not in answer.json, "null takes the default of a member")
    ok(answer.headers["ETag"] != f'"{agent["revision"]}"', "the ETag is another one")
    equal(api.request("PATCH", path, {"name": "patched2"}).json["name"], "patched2",
          "plain JSON is a merge patch too")
    answer = api.patch(path, {"status": "published"})
    equal(answer.code, "InvalidAgentConfig", "what a client does not decide cannot be patched")
    answer = api.patch(path, {"name": "first"})
    equal(answer.code, "DuplicateAgentName", "nor can another's name be taken")
    equal(api.get(path).json["name"], "patched2", "a refused patch changes nothing")


def test_replace():
    agent = api.agent("replaced", publish=False, description="old", metadata={"a": 1})
    path, tag = f"/v1/agents/{agent['id']}", f'"{agent["revision"]}"'
    schema = {"type": "object", "properties": {"a": {"default": None}}}
    answer = api.request("PUT", path, {"name": "replaced", "metadata": {"b": None}, "inputSchema": schema}, {"If-Match": tag})
    equal((answer.status, answer.json["metadata"], answer.json["inputSchema"]), (200, {"b": None}, schema),
          "a whole configuration takes the place of another, null and all")
    ok("description" not in answer.json, "what it does not name takes its default")
    equal(api.get(path).json, answer.json, "it reads back")
    equal(api.request("PUT", path, {"name": "replaced"}, {"If-Match": tag}).status, 412, "If-Match holds once")
    equal(api.request("PUT", path, {"metadata": {}}).code, "InvalidAgentConfig", "it is checked as a new one is")


def test_conditions():
    agent = api.agent("conditional", publish=False)
    path, tag = f"/v1/agents/{agent['id']}", f'"{agent["revision"]}"'
    equal(api.get(path, {"If-None-Match": tag}).status, 304, "If-None-Match spares the body")
    equal(api.get(path, {"If-None-Match": f'"x", W/{tag}'}).status, 304, "also in a list, and weakly")
    equal(api.get(path, {"If-None-Match": '"x"'}).status, 200, "another tag does not")
    equal(api.patch(path, {"description": "1"}, {"If-Match": tag}).status, 200, "If-Match holds once")
    answer = api.patch(path, {"description": "2"}, {"If-Match": tag})
    equal((answer.status, answer.code), (412, "PreconditionFailed"), "and not a second time")
    equal(api.patch(path, {"description": "3"}, {"If-Match": "*"}).status, 200, "* is anything")
    equal(api.patch(path, {"description": "4"}, {"If-Match": "abc"}).code, "InvalidRequest",
          "what is no entity tag is refused")
    equal(api.delete(path, {"If-Match": tag}).status, 412, "deleting asks too")
    equal(api.get(path).json["description"], "3", "nothing was changed by the refused ones")


def test_delete():
    agent = api.agent("gone", publish=False)
    path = f"/v1/agents/{agent['id']}"
    equal(api.delete(path).status, 204, "an agent is deleted")
    for answer in (api.get(path), api.delete(path), api.patch(path, {"description": "x"})):
        equal((answer.status, answer.code), (404, "AgentNotFound"), "then it is not there any more")


def test_unknown_agent():
    answer = api.get(f"/v1/agents/{NOWHERE}")
    equal((answer.status, answer.code), (404, "AgentNotFound"), "an unknown id is not found")
    ok(answer.details["suggestedActions"], "the envelope says what to do")


def test_lists():
    for i in range(25):
        api.agent(f"list-{i:02}", publish=False, visibility="private" if i % 2 else "organization")
    names, cursor, pages = [], None, 0
    while True:
        page = api.get(f"/v1/agents?sort=name&limit=10&text=list-{'&cursor=' + cursor if cursor else ''}")
        equal(page.status, 200, "a page comes")
        names += [a["name"] for a in page.json["items"]]
        pages, cursor = pages + 1, page.json["nextCursor"]
        if pages == 1:
            api.agent("list-00-later", publish=False)  # sorts into the part that was read
        if cursor is None:
            break
    equal(pages, 3, "25 agents are three pages of 10")
    equal(names, [f"list-{i:02}" for i in range(25)], "each comes once, whatever is inserted meanwhile")
    got = api.get("/v1/agents?visibility=private&text=list-&limit=200").json["items"]
    ok(len(got) == 13 and all(a["visibility"] == "private" for a in got), "filters hold together")
    equal([a["name"] for a in api.get("/v1/agents?name=list-07").json["items"]], ["list-07"], "by name")
    ok(all("hello" in a["skillset"] for a in api.get("/v1/agents?skill=hello").json["items"]), "by skill")
    mine = api.get("/v1/agents?name=list-07").json["items"][0]
    equal(len(api.get(f"/v1/agents?owner={mine['userId']}&text=list-0").json["items"]), 11, "by owner")
    equal(api.get(f"/v1/agents?owner={NOWHERE}").json["items"], [], "another owner has none")
    equal(len(api.get(f"/v1/agents?organization={mine['organizationId']}&text=list-0").json["items"]), 11,
          "by organization")
    equal(api.get(f"/v1/agents?organization={NOWHERE}").json["items"], [], "another one has none")
    times = [a["createdAt"] for a in api.get("/v1/agents").json["items"]]
    equal(times, sorted(times, reverse=True), "newest first unless said otherwise")


def test_list_refusals():
    for query, word in (("limit=0", "limit"), ("limit=201", "limit"), ("limit=ten", "limit"),
                        ("limit=1&limit=2", "twice"), ("limt=1", "did you mean 'limit'"),
                        ("status=gone", "status"), ("sort=color", "sort"), ("cursor=%21", "cursor")):
        answer = api.get(f"/v1/agents?{query}")
        equal((answer.status, answer.code), (400, "InvalidRequest"), f"?{query} is refused")
        contains(answer.message, word, "the message says what")


run(globals(), daemon)
