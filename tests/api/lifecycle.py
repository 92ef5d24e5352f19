#!/usr/bin/python3
"""The life of agents and versions: drafts, publishing, deprecation, archives; ranges and aliases."""
import email.utils
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import Daemon, contains, equal, ok, run  # noqa: E402

daemon = Daemon()
api = daemon.api
SOON = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400 * 90))


def skill(answer, name="say"):
    return api.skill(f'return {{ name = "{name}", version = "1.0.0", run = function() return "{answer}" end }}')


def agent(name, *versions, **config):
    """An agent whose versions, published in this order, say what they are."""
    skill("draft", name)
    made = api.agent(name, publish=False, skillset=[name], executionConfig={"entrypoint": name}, **config)
    for version in versions:
        skill(version, name)
        publish(made, version)
    skill("draft", name)
    return made


def publish(of, version, **body):
    path = f"/v1/agents/{of['id']}/versions"
    equal(api.post(path, {"version": version, **body}).status, 201, f"{version} is made")
    equal(api.post(f"{path}/{version}/publish").status, 200, f"{version} is published")


def at(of, rest=""):
    return f"/v1/agents/{of['id']}{rest}"


def refused(answer, code, part, name):
    equal(answer.code, code, name)
    contains(answer.message, part, "the message says what")
    return answer


def runs(of, version=None, **headers):
    return api.execute(of["id"], headers=headers, **({"version": version} if version else {}))


# ---- every state ----

def in_state(state):
    """An agent in it, with a version 1.0.0 in it, made current by another."""
    made = agent(f"in-{state}", *(["1.0.0"] if state != "draft" else []))
    if state == "draft":
        api.post(at(made, "/versions"), {"version": "1.0.0"})
    if state == "deprecated":
        api.post(at(made, "/deprecate"))
    if state == "archived":
        api.post(at(made, "/archive"))
    return made


def test_every_event_in_every_state_of_an_agent():
    allowed = {"draft": {"edit", "version", "execute-draft"},
               "published": {"edit", "version", "deprecate", "execute", "execute-draft", "rollback"},
               "deprecated": {"archive", "execute", "execute-draft"},
               "archived": set()}
    allowed["published"].add("archive")
    events = {"edit": lambda a: api.patch(at(a), {"description": "x"}),
              "version": lambda a: api.post(at(a, "/versions"), {"version": "2.0.0"}),
              "rollback": lambda a: api.post(at(a, "/versions/1.0.0/rollback")),
              "execute": runs,
              "execute-draft": lambda a: runs(a, "draft"),
              "delete": lambda a: api.delete(at(a)) if a["status"] in ("published", "deprecated") else None,
              "deprecate": lambda a: api.post(at(a, "/deprecate")),
              "archive": lambda a: api.post(at(a, "/archive"))}
    order = ["edit", "version", "rollback", "execute", "execute-draft", "delete", "deprecate", "archive"]
    for state in allowed:
        for event in order:
            made = api.get(f"/v1/agents?name=in-{state}").json["items"]
            made = made[0] if made and made[0]["status"] == state else None
            if made is None:
                for old in api.get(f"/v1/agents?name=in-{state}").json["items"]:
                    api.delete(at(old, "?force=true"))
                made = api.get(at(in_state(state))).json
            answer = events[event](made)
            if answer is None:
                continue
            if event in allowed[state]:
                ok(answer.status < 300, f"{state}: {event}")
            else:
                equal(answer.code, "InvalidState", f"{state}: {event} is refused")
                if event != "rollback":
                    equal(answer.details.get("state"), state, "with the state")
                ok(isinstance(answer.details.get("allowed"), list), "and what is possible")
                contains(answer.details["suggestedActions"][0], "details.allowed", "which is pointed at")
                equal(api.get(at(made)).json, made, "nothing has changed")


def test_every_event_in_every_state_of_a_version():
    made = agent("states", "0.1.0", "0.2.0", "0.3.0", "9.0.0")
    api.post(at(made, "/versions"), {"version": "0.0.1"})
    api.post(at(made, "/versions/0.2.0/deprecate"))
    api.post(at(made, "/versions/0.3.0/archive"))
    of = {"draft": "0.0.1", "published": "0.1.0", "deprecated": "0.2.0", "archived": "0.3.0"}
    rows = {  # what each event answers in each state, in the order of `of`
        "edit": (None, "VersionConflict", "VersionConflict", "VersionConflict"),
        "from": (201, 201, "InvalidState", "InvalidState"),
        "rollback": ("InvalidState", None, "InvalidState", "InvalidState"),
        "execute": (200, 200, 200, "InvalidState"),
        "publish": (None, "VersionConflict", "VersionConflict", "VersionConflict"),
        "deprecate": ("InvalidState", None, "InvalidState", "InvalidState"),
        "archive": ("InvalidState", None, None, "InvalidState"),
        "delete": (None, "InvalidState", "InvalidState", None),
    }
    calls = {
        "edit": lambda v: api.patch(at(made, f"/versions/{v}"), {"changelog": "x"}),
        "from": lambda v: api.post(at(made, "/versions"), {"version": f"8.{v[2:]}", "from": v}),
        "rollback": lambda v: api.post(at(made, f"/versions/{v}/rollback")),
        "execute": lambda v: runs(made, v),
        "publish": lambda v: api.post(at(made, f"/versions/{v}/publish")),
        "deprecate": lambda v: api.post(at(made, f"/versions/{v}/deprecate")),
        "archive": lambda v: api.post(at(made, f"/versions/{v}/archive")),
        "delete": lambda v: api.delete(at(made, f"/versions/{v}")),
    }
    for state, version in of.items():
        equal(api.get(at(made, f"/versions/{version}")).json["status"], state, f"{version} is {state}")
    for event, wanted in rows.items():
        for (state, version), want in zip(of.items(), wanted):
            if want is None:
                continue  # it would change the state: below
            before = api.get(at(made, f"/versions/{version}")).json
            answer = calls[event](version)
            equal(answer.code if isinstance(want, str) else answer.status, want, f"{state}: {event}")
            if want == "InvalidState":
                equal(answer.details["state"], state, "with the state")
                ok(isinstance(answer.details["allowed"], list), "and what is possible")
            equal(api.get(at(made, f"/versions/{version}")).json, before, "the version is as it was")
    equal(calls["edit"]("0.0.1").json["changelog"], "x", "draft: edit")
    equal(calls["rollback"]("0.1.0").json["currentVersion"], "0.1.0", "published: rollback")
    equal(calls["rollback"]("9.0.0").json["currentVersion"], "9.0.0", "and forth")
    equal(calls["deprecate"]("0.1.0").json["status"], "deprecated", "published: deprecate")
    equal(calls["archive"]("0.2.0").json["status"], "archived", "deprecated: archive")
    equal(calls["delete"]("0.3.0").status, 204, "archived: delete")
    equal(calls["publish"]("0.0.1").json["isCurrent"], True, "draft: publish")
    equal(calls["archive"]("9.0.0").json["status"], "archived", "published: archive")


# ---- drafts ----

def test_drafts_are_edited_and_run_as_tests():
    made = agent("drafts")
    answer = runs(made, "draft")
    equal(answer.json["output"], "draft", "the working copy runs for those who may write")
    execution = api.get(answer.headers["Content-Location"]).json
    equal((execution["test"], execution["agentVersion"]), (True, "draft"), "and is marked as a test")
    version = api.post(at(made, "/versions"), {"version": "1.0.0"})
    path, tag = version.headers["Location"], version.headers["ETag"]
    equal(runs(made, "1.0.0").json["output"], "draft", "so does a version that is a draft")
    execution = api.get(runs(made, "1.0.0").headers["Content-Location"]).json
    equal((execution["test"], execution["agentVersion"]), (True, "1.0.0"), "marked too")
    changed = api.patch(path, {"config": {"description": "d"}, "changelog": "c"}, {"If-Match": tag})
    equal((changed.status, changed.json["config"]["description"], changed.json["changelog"]), (200, "d", "c"),
          "it is edited by a merge patch")
    equal(api.patch(path, {"changelog": "e"}, {"If-Match": tag}).code, "PreconditionFailed", "If-Match holds once")
    answer = api.patch(path, {"config": {"skillset": ["nobody"]}})
    equal(answer.code, "InvalidAgentConfig", "and is checked")
    api.post(f"{path}/publish")
    equal(api.get(api.execute(made["id"]).headers["Content-Location"]).json["test"], False,
          "what is published is no test")
    refused(api.patch(path, {"changelog": "f"}), "VersionConflict", "published", "nor edited any more")
    equal(api.get(path).json["changelog"], "c", "it is as it was published")


# ---- deprecation ----

def test_deprecated_versions_say_so_in_every_result():
    made = agent("old", "1.0.0", "2.0.0")
    path = at(made, "/versions/1.0.0")
    equal(api.post(f"{path}/deprecate", {"sunset": "2001-01-01T00:00:00Z"}).details["validationErrors"][0]["path"],
          "/sunset", "a sunset is not past")
    done = api.post(f"{path}/deprecate", {"sunset": SOON, "reason": "Use 2.0.0."}).json
    equal((done["status"], done["deprecationReason"], done["isCurrent"]), ("deprecated", "Use 2.0.0.", False),
          "a version is deprecated")
    answer = runs(made, "1.0.0")
    equal(answer.json["output"], "1.0.0", "it runs")
    warning = answer.json["warnings"][0]
    equal((warning["code"], warning["deprecatedAt"]), ("Deprecated", done["deprecatedAt"]), "with a warning")
    contains(warning["message"], "Use 2.0.0.", "that says why")
    ok(answer.headers["Deprecation"].startswith("@") and
       abs(int(answer.headers["Deprecation"][1:]) - time.time()) < 600, "Deprecation is a date (RFC 9745)")
    sunset_header = answer.headers["Sunset"]
    sunset = email.utils.parsedate_to_datetime(answer.headers["Sunset"]).strftime("%Y-%m-%dT%H:%M:%SZ")
    equal(sunset, SOON, "Sunset is an HTTP date (RFC 8594)")
    equal(api.get(answer.headers["Content-Location"]).json["warnings"], [warning], "the execution keeps it")
    answer = runs(made, "1.0.0", Prefer="respond-async")
    ok(answer.status == 202 and answer.headers["Deprecation"], "202 has the header too")
    key = {"Idempotency-Key": "old-1"}
    first, again = runs(made, "1.0.0", **key), runs(made, "1.0.0", **key)
    equal((again.headers["Deprecation"], again.json["warnings"]), (first.headers["Deprecation"],
          first.json["warnings"]), "and an answer that is repeated")
    answer = runs(made)
    ok("warnings" not in answer.json and answer.headers["Deprecation"] is None, "others have none")
    api.post(at(made, "/deprecate"), {"reason": "All of it."})
    answer = runs(made, "1.0.0")
    equal(len(answer.json["warnings"]), 2, "a deprecated version of a deprecated agent has two")
    ok(answer.headers["Sunset"] == sunset_header, "and the earliest sunset there is")
    equal(len(runs(made).json["warnings"]), 1, "its current one has one")
    equal(api.get(at(made)).json["status"], "deprecated", "the agent is deprecated")


def test_archived_is_read_and_not_run():
    made = agent("gone", "1.0.0", "2.0.0")
    refused(api.post(at(made, "/versions/2.0.0/archive")), "ResourceInUse", "current", "the current one stays")
    api.post(at(made, "/versions/1.0.0/archive"))
    refused(runs(made, "1.0.0"), "InvalidState", "archived", "an archived version does not run")
    refused(runs(made, "1.x"), "VersionNotFound", "1.x", "nor is it found by a range")
    equal(api.get(at(made, "/versions/1.0.0")).json["version"], "1.0.0", "it can be read")
    api.post(at(made, "/archive"))
    answer = refused(runs(made), "InvalidState", "archived", "an archived agent does not run")
    equal(answer.details["allowed"], ["delete"], "it can only be deleted")
    refused(runs(made, "draft"), "InvalidState", "archived", "nor does its draft")
    equal(api.delete(at(made)).status, 204, "and is")


def test_delete_is_no_accident():
    made = agent("kept", "1.0.0")
    answer = refused(api.delete(at(made)), "InvalidState", "archive it first", "what is published stays")
    ok("archive" in answer.details["allowed"], "details say what comes before")
    equal(runs(made).status, 200, "it runs on")
    equal(api.delete(at(made, "?force=true")).status, 204, "unless it is forced")


# ---- references ----

def test_ranges():
    made = agent("ranges", "1.2.0", "1.2.3", "1.3.0", "2.0.0", "2.1.0-rc.1")
    for ref, want in (("^1.2", "1.3.0"), ("~1.2", "1.2.3"), ("1.x", "1.3.0"), (">=1.2 <2", "1.3.0"), ("*", "2.0.0"),
                      ("1.2.0", "1.2.0"), ("latest", "2.1.0-rc.1"), ("^2.1.0-rc.0", "2.1.0-rc.1"),
                      ("<1.2.3 || 2", "2.0.0")):
        answer = runs(made, ref)
        equal(answer.json.get("output"), want, f"{ref} runs {want}")
        execution = api.get(answer.headers["Content-Location"]).json
        equal((execution["agentVersion"], execution.get("versionRef")),
              (want, ref if want != ref and ref != "latest" else None), "the execution has both")
    refused(runs(made, "^3"), "VersionNotFound", "^3", "a range with nothing in it")
    refused(runs(made, "not a range"), "InvalidRequest", "no version", "what is no reference")
    equal(api.get(at(made, "/versions/%5E1.2")).json["version"], "1.3.0", "a version is got by a range")
    api.post(at(made, "/versions/1.3.0/deprecate"))
    equal(runs(made, "^1.2").json["output"], "1.2.3", "what is not deprecated comes first")
    api.post(at(made, "/versions/1.2.3/deprecate"))
    api.post(at(made, "/versions/1.2.0/deprecate"))
    answer = runs(made, "^1.2")
    equal((answer.json["output"], len(answer.json["warnings"])), ("1.3.0", 1), "then the highest of those that are")


def test_rollback():
    made = agent("back", "1.0.0", "2.0.0")
    before = api.get(at(made)).json
    answer = api.post(at(made, "/versions/1.0.0/rollback"))
    equal((answer.status, answer.json["currentVersion"]), (200, "1.0.0"), "an old version is current again")
    ok(answer.json["revision"] > before["revision"] and answer.headers["ETag"], "which is a change of the agent")
    equal(runs(made).json["output"], "1.0.0", "and runs")
    current = [v["version"] for v in api.get(at(made, "/versions")).json["items"] if v["isCurrent"]]
    equal(current, ["1.0.0"], "it is the only current one")
    equal(api.post(at(made, "/versions"), {}).json["version"], "2.0.1", "the next version is above all")
    refused(api.post(at(made, "/versions/2.0.1/rollback")), "InvalidState", "draft", "a draft was never published")


def test_a_version_of_another():
    made = agent("copies", "1.0.0")
    api.patch(at(made), {"description": "new"})
    version = api.post(at(made, "/versions"), {"from": "latest"}).json
    ok("description" not in version["config"], "a version is made of a version")
    equal(api.post(at(made, "/versions"), {"from": "1.0.0", "config": {"name": "x"}}).code, "InvalidRequest",
          "not of two things")
    equal(api.post(at(made, "/versions"), {"from": "^7"}).code, "VersionNotFound", "nor of none")


# ---- aliases ----

def test_aliases():
    made = agent("aliased", "1.4.0", "1.5.0-rc.1")
    path = at(made, "/aliases/stable")
    targets = [{"version": "1.4.0", "weight": 90}, {"version": "1.5.0-rc.1", "weight": 10}]
    answer = api.request("PUT", path, {"targets": targets})
    equal((answer.status, answer.json["targets"], answer.headers["Location"]), (201, targets, path), "one is made")
    equal(api.get(path).json, answer.json, "it reads back")
    got = [api.get(runs(made, "stable").headers["Content-Location"]).json for _ in range(40)]
    versions = {e["agentVersion"] for e in got}
    ok(versions <= {"1.4.0", "1.5.0-rc.1"} and "1.4.0" in versions, f"executions get one of them: {versions}")
    ok(all(e["versionRef"] == "stable" and e["outputData"] == e["agentVersion"] for e in got),
       "and keep what was asked for and what was picked")
    even = [{"version": "1.4.0", "weight": 50}, {"version": "1.5.0-rc.1", "weight": 50}]
    tag = api.get(path).headers["ETag"]
    equal(api.request("PUT", path, {"targets": even}, {"If-Match": tag}).status, 200, "it is changed")
    equal(api.request("PUT", path, {"targets": even}, {"If-Match": tag}).code, "PreconditionFailed", "once")
    equal({runs(made, "stable").json["output"] for _ in range(40)}, {"1.4.0", "1.5.0-rc.1"}, "both are picked")
    refused(api.post(at(made, "/versions/1.4.0/archive")), "ResourceInUse", "alias", "what it names stays")
    equal([a["name"] for a in api.get(at(made, "/aliases")).json["items"]], ["stable"], "it is listed")
    one = api.request("PUT", at(made, "/aliases/canary"), {"targets": [{"version": "1.5.0-rc.1"}]})
    equal(one.json["targets"], [{"version": "1.5.0-rc.1", "weight": 100}], "one target has all")
    equal(runs(made, "canary").json["output"], "1.5.0-rc.1", "and runs")
    equal(api.delete(path).status, 204, "it is deleted")
    refused(runs(made, "stable"), "VersionNotFound", "stable", "and then not there")


def test_aliases_are_checked():
    made = agent("checked", "1.0.0", "1.1.0", "1.2.0")
    api.post(at(made, "/versions"), {"version": "2.0.0"})
    for name, targets, code, part in (
            ("a", [], "InvalidRequest", "targets"),
            ("a", [{"version": "1.0.0", "weight": 50}, {"version": "1.1.0", "weight": 49}], "InvalidRequest", "99"),
            ("a", [{"version": "1.0.0", "weight": 50}, {"version": "1.0.0", "weight": 50}], "InvalidRequest", "twice"),
            ("a", [{"version": "1.0.0"}, {"version": "1.1.0", "weight": 50}], "InvalidRequest", "weight"),
            ("a", [{"version": "^1.0.0"}], "InvalidRequest", "exact"),
            ("a", [{"version": "2.0.0"}], "VersionNotFound", "2.0.0"),
            ("a", [{"version": "7.0.0"}], "VersionNotFound", "7.0.0"),
            ("latest", [{"version": "1.0.0"}], "InvalidRequest", "name"),
            ("x", [{"version": "1.0.0"}], "InvalidRequest", "name"),
            ("A", [{"version": "1.0.0"}], "InvalidRequest", "name")):
        answer = api.request("PUT", at(made, f"/aliases/{name}"), {"targets": targets})
        equal(answer.code, code, f"{name} {targets}")
        contains(str(answer.json), part, "with the place")
    equal(api.get(at(made, "/aliases")).json["items"], [], "nothing was made")


# ---- the audit log ----

def test_every_step_is_in_the_audit_log():
    made = agent("audited", "1.0.0", "1.1.0")
    api.post(at(made, "/versions/1.0.0/rollback"))
    api.post(at(made, "/versions/1.1.0/deprecate"), {"reason": "r"})
    api.request("PUT", at(made, "/aliases/stable"), {"targets": [{"version": "1.0.0"}]})
    api.post(at(made, "/deprecate"))

    def last(type_, id_):
        entry = api.get(f"/v1/audit?resourceType={type_}&resourceId={id_}&limit=1").json["items"][0]
        return entry["operation"], entry.get("before"), entry.get("after")

    equal(last("version", made["id"] + "%2F1.1.0"), ("deprecateVersion", {"status": "published"},
          {"status": "deprecated", "reason": "r"}), "a version's states")
    equal(last("alias", made["id"] + "%2Fstable"), ("putAlias", None, {"targets": [{"version": "1.0.0", "weight": 100}]}),
          "an alias's targets")
    equal(last("agent", made["id"]), ("deprecateAgent", {"status": "published"}, {"status": "deprecated"}), "an agent's states")
    operations = [(e["operation"], e.get("after")) for e in api.get(f"/v1/audit?resourceId={made['id']}").json["items"]]
    ok(("rollbackVersion", {"currentVersion": "1.0.0"}) in operations, "and which version is current")


# ---- pins ----

def test_what_is_published_behaves_the_same_for_ever():
    persona = api.post("/v1/personas", {"name": "p", "prompt": "First."}).json
    api.skill('return { name = "pinned", version = "1.0.0", run = function(_, ctx) '
              'return { said = "one", persona = ctx.agent.persona, settings = ctx.agent.settings } end }')
    made = api.agent("pinned", skillset=["pinned"], personaId=persona["id"],
                     executionConfig={"entrypoint": "pinned", "maxSteps": 3})
    before = runs(made).json["output"]
    equal((before["said"], before["persona"]), ("one", "First."), "it has its skill and its persona")
    api.patch(f"/v1/personas/{persona['id']}", {"prompt": "Second."})
    api.skill('return { name = "pinned", version = "2.0.0", run = function() error("another") end }')
    equal(runs(made).json["output"], before, "changing both changes nothing")
    api.patch(at(made), {"skillset": [], "personaId": None, "executionConfig": None, "description": "empty"})
    equal(runs(made).json["output"], before, "nor does editing the agent")
    equal(api.delete("/v1/skills/pinned").status, 204, "the skill is deleted")
    equal(api.delete(f"/v1/personas/{persona['id']}").status, 204, "the persona too")
    equal(runs(made).json["output"], before, "it still behaves the same")
    daemon.stop()
    daemon.start()
    equal(daemon.api.execute(made["id"]).json["output"], before, "also after a restart, from the store")


run(globals(), daemon)
