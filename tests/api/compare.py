#!/usr/bin/python3
"""Comparing versions: the patch, the lines, the capabilities, the callers, the next version."""
import copy
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import Daemon, contains, equal, ok, run  # noqa: E402

daemon = Daemon()
api = daemon.api
SAY = 'return { name = "say", version = "%s", needs = { %s },\n  input = { type = "object" },\n' \
      '  run = function() return "%s" end }\n'


def say(version, answer, needs=""):
    source = SAY % (version, needs, answer)
    api.skill(source)
    return source


def compare(agent, **refs):
    query = "&".join(f"{k}={v}" for k, v in refs.items())
    answer = api.get(f"/v1/agents/{agent['id']}/compare" + (f"?{query}" if query else ""))
    equal(answer.status, 200, f"{refs or 'latest and draft'} are compared")
    return answer.json


def edit(agent, **patch):
    equal(api.patch(f"/v1/agents/{agent['id']}", patch).status, 200, f"the agent is edited: {', '.join(patch)}")


def follow(document, patch):
    """RFC 6902: add, remove, replace."""
    document = copy.deepcopy(document)
    for operation in patch:
        *way, last = [t.replace("~1", "/").replace("~0", "~") for t in operation["path"].split("/")[1:]]
        at = document
        for token in way:
            at = at[int(token) if isinstance(at, list) else token]
        key = int(last) if isinstance(at, list) else last
        if operation["op"] == "remove":
            del at[key]
        elif operation["op"] == "add" and isinstance(at, list):
            at.insert(key, operation["value"])
        else:
            at[key] = operation["value"]
    return document


def patched(text, diff):
    """What patch(1) makes of a text."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/text", "w", encoding="utf-8") as f:
            f.write(text)
        subprocess.run(["patch", "-s", f"{folder}/text"], input=diff, text=True, check=True)
        with open(f"{folder}/text", encoding="utf-8") as f:
            return f.read()


def test_nothing():
    say("1.0.0", "one")
    agent = api.agent("same", skillset=["say"], executionConfig={"entrypoint": "say"})
    diff = compare(agent)
    equal((diff["from"], diff["to"]), ("1.0.0", "draft"), "the current version and the working copy")
    equal((diff["patch"], diff["skills"], diff["persona"], diff["suggestedBump"], diff["suggestedVersion"]),
          ([], [], None, "none", None), "nothing has changed")


def test_everything():
    first = say("1.0.0", "one", 'http = { "a.example" }')
    persona = api.post("/v1/personas", {"name": "p", "prompt": "Be kind.\nBe short.\n"}).json
    agent = api.agent("all", skillset=["say"], personaId=persona["id"], metadata={"a/b": [1, 2], "c": 1},
                      executionConfig={"entrypoint": "say"}, inputSchema={"type": "object"})
    second = say("2.0.0", "two", 'http = { "b.example" }')
    api.patch(f"/v1/personas/{persona['id']}", {"prompt": "Be kind.\nBe long.\n"})
    edit(agent, description="new", metadata={"a/b": [1, 3, 2], "c": None},
         inputSchema={"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}})
    diff = compare(agent)
    path = f"/v1/agents/{agent['id']}"
    before, after = api.get(f"{path}/versions/1.0.0").json["config"], api.get(path).json
    wanted = {k: v for k, v in after.items() if k in before or k == "description"}
    equal(follow(before, diff["patch"]), wanted, "the patch makes one configuration of the other")
    skill = diff["skills"][0]
    equal((skill["name"], skill["change"], skill["from"]["version"], skill["to"]["version"]),
          ("say", "changed", "1.0.0", "2.0.0"), "the skill has changed")
    equal(patched(first, skill["diff"]), second, "patch(1) makes one source of the other")
    equal(diff["persona"]["change"], "changed", "so has the persona")
    contains(diff["persona"]["diff"], "-Be short.\n+Be long.\n", "by line")
    equal(diff["capabilities"], {"gained": ["http:b.example"], "lost": ["http:a.example"]}, "what it may do")
    changes = diff["compatibility"]["input"]
    equal([(c["path"], c["breaking"]) for c in changes], [("/properties/text", False), ("/required", True)],
          "a new required input breaks callers")
    equal((diff["compatibility"]["compatible"], diff["suggestedBump"], diff["suggestedVersion"]),
          (False, "major", "2.0.0"), "so it is a major version")
    back = compare(agent, **{"from": "draft", "to": "latest"})
    equal(follow(wanted, back["patch"]), before, "and back again")
    equal(back["compatibility"]["compatible"], True, "which breaks nobody")


def test_bumps():
    say("1.0.0", "one")
    agent = api.agent("bumps", skillset=["say"], executionConfig={"entrypoint": "say"}, inputSchema={"type": "object"},
                      outputSchema={"type": "object", "required": ["a"], "properties": {"a": {}, "b": {}}})
    path = f"/v1/agents/{agent['id']}"
    say("1.0.1", "other")
    diff = compare(agent)
    equal((diff["suggestedBump"], diff["suggestedVersion"]), ("patch", "1.0.1"), "another source is a patch")
    say("1.1.0", "other", 'model = { "default" }')
    diff = compare(agent)
    equal((diff["suggestedBump"], diff["suggestedVersion"]), ("minor", "1.1.0"), "a capability is a minor version")
    edit(agent, inputSchema={"type": ["object", "null"]})
    equal(compare(agent)["suggestedBump"], "minor", "so is an input that takes more")
    edit(agent, outputSchema={"properties": {"b": None}})
    diff = compare(agent)
    equal((diff["suggestedBump"], diff["compatibility"]["output"][0]["path"]), ("major", "/properties/b"),
          "an output that is gone is a major one")
    api.post(f"{path}/versions", {"version": "3.4.5"})
    equal(compare(agent)["suggestedVersion"], "4.0.0", "above every version that there is")
    say("1.2.0", "one")
    edit(agent, skillset=[], executionConfig=None, inputSchema=None, outputSchema=None)
    diff = compare(agent)
    equal({s["name"]: s["change"] for s in diff["skills"]}, {"say": "removed", "agent_loop": "added"},
          "without an entry point the agent loop comes in")


def test_refusals():
    agent = api.agent("never", publish=False)
    equal(api.get(f"/v1/agents/{agent['id']}/compare").code, "VersionNotFound", "nothing is published")
    equal(api.get(f"/v1/agents/{agent['id']}/compare?from=draft&to=draft").status, 200, "drafts are there always")
    equal(api.get(f"/v1/agents/{agent['id']}/compare?from=1.0.0").code, "VersionNotFound", "an unknown version")
    reader = api.post("/v1/tokens", {"name": "r", "scopes": ["agents:read"]}).json["token"]
    answer = api.with_token(reader).get(f"/v1/agents/{agent['id']}/compare")
    equal((answer.code, answer.details["requiredScope"]), ("AgentAccessDenied", "skills:read"),
          "sources are shown to who may read skills")


def test_long_texts_are_left_out():
    big = "\n".join(f"-- line {i} of a long skill" for i in range(30000))
    agent = api.lua_agent("long", f"{big}\n" + SAY % ("1.0.0", "", "a"))
    other = big.replace("line", "row")
    api.skill(f"{other}\n" + SAY % ("1.0.1", "", "b"))
    skill = compare(agent)["skills"][0]
    equal((skill.get("truncated"), "diff" in skill), (True, False), "a diff beyond a megabyte is left out")


run(globals(), daemon)
