#!/usr/bin/python3
"""Versions: snapshots, publishing, pins."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import Daemon, equal, ok, run  # noqa: E402

daemon = Daemon()
api = daemon.api


def skill(answer, needs="{}"):
    return api.skill(f'return {{ name = "say", version = "1.0.0", needs = {needs}, '
                     f'run = function() return "{answer}" end }}')


def test_a_version_is_made_and_published():
    skill("one")
    agent = api.agent("says", publish=False, skillset=["say"], executionConfig={"entrypoint": "say"})
    path = f"/v1/agents/{agent['id']}/versions"
    made = api.post(path, {"changelog": "first"})
    equal((made.status, made.json["version"]), (201, "1.0.0"), "the first version is 1.0.0")
    equal(made.headers["Location"], f"{path}/1.0.0", "Location names it")
    ok(not made.json["isCurrent"] and "publishedAt" not in made.json, "it is not published yet")
    equal(api.execute(agent["id"]).code, "InvalidState", "nor can the agent be executed")
    done = api.post(f"{path}/1.0.0/publish")
    equal(done.status, 200, "it is published without a body")
    ok(done.json["isCurrent"] and "publishedAt" in done.json, "and is the current one")
    ok("capabilities" in done.json, "the answer says what it gained and lost")
    pins = done.json["pins"]["skills"]
    equal([(p["name"], len(p["sha256"])) for p in pins], [("say", 64)], "its skills are pinned")
    equal(api.get(f"/v1/agents/{agent['id']}").json["status"], "published", "the agent is published")
    equal(api.get(f"{path}/latest").json["version"], "1.0.0", "latest is the current one")


def test_published_is_immutable():
    agent = api.get("/v1/agents?name=says").json["items"][0]
    path = f"/v1/agents/{agent['id']}/versions"
    answer = api.post(f"{path}/1.0.0/publish", {})
    equal((answer.status, answer.code), (409, "VersionConflict"), "it is published once")
    answer = api.post(path, {"version": "1.0.0"})
    equal((answer.status, answer.code), (409, "VersionConflict"), "nor is a version made twice")
    skill("two")
    equal(api.execute(agent["id"]).json["output"], "one", "a new skill does not change what is pinned")
    equal(api.execute(agent["id"], version="draft").json["output"], "two", "the draft has the new one")
    made = api.post(path, {}).json
    equal(made["version"], "1.0.1", "the next version is the next patch")
    api.post(f"{path}/1.0.1/publish")
    equal(api.execute(agent["id"]).json["output"], "two", "publishing takes the new one in")
    equal(api.execute(agent["id"], version="1.0.0").json["output"], "one", "the old one still runs")


def test_gained_capabilities():
    agent = api.get("/v1/agents?name=says").json["items"][0]
    path = f"/v1/agents/{agent['id']}/versions"
    skill("three", '{ http = { "example.org" } }')
    api.post(path, {"version": "2.0.0"})
    done = api.post(f"{path}/2.0.0/publish").json
    ok("example.org" in str(done["capabilities"]["gained"]), f"gained: {done['capabilities']}")


def test_refusals():
    agent = api.get("/v1/agents?name=says").json["items"][0]
    path = f"/v1/agents/{agent['id']}/versions"
    for version in ("1", "1.2", "v1.2.3", "01.2.3", "latest"):
        equal(api.post(path, {"version": version}).status, 422, f"'{version}' is no version")
    equal(api.get(f"{path}/9.9.9").code, "VersionNotFound", "an unknown version is not found")
    equal(api.post(f"{path}/9.9.9/publish").code, "VersionNotFound", "nor can it be published")
    equal(api.get("/v1/agents/01890000-0000-7000-8000-000000000000/versions").code, "AgentNotFound",
          "nor those of an unknown agent")
    answer = api.post(path, {"config": {"name": "x", "skillset": ["nobody"]}})
    equal(answer.code, "InvalidAgentConfig", "a given configuration is checked")


def test_list():
    agent = api.get("/v1/agents?name=says").json["items"][0]
    page = api.get(f"/v1/agents/{agent['id']}/versions?limit=2").json
    equal([v["version"] for v in page["items"]], ["2.0.0", "1.0.1"], "newest first")
    page = api.get(f"/v1/agents/{agent['id']}/versions?limit=2&cursor={page['nextCursor']}").json
    equal([v["version"] for v in page["items"]], ["1.0.0"], "the cursor goes on")
    equal(page["nextCursor"], None, "and ends")


run(globals(), daemon)
