#!/usr/bin/python3
"""ETag, If-None-Match and If-Match: the same for everything that can be changed."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import Daemon, Document, contains, equal, ok, run  # noqa: E402

daemon = Daemon({})
api = daemon.api
ECHO = 'return { name = "%s", version = "%s", description = "d", run = function(input) return input end }'
agent = api.lua_agent("guarded", ECHO % ("echo", "1.0.0"))
AGENT = f"/v1/agents/{agent['id']}"
person = api.post("/v1/users", {"name": "grace", "email": "grace@example.org"}).json

# Operations that change or delete what has an address, and why they take no If-Match.
WITHOUT = {
    "addTeamMember": "a member is there or not, however often it is asked for",
    "removeTeamMember": "the same",
    "revokeToken": "must never be refused for what else was changed",
}


def test_every_operation():
    document = Document()
    for path, methods in document.json["paths"].items():
        for method, operation in methods.items():
            if method not in ("put", "patch", "delete"):
                continue
            name = operation["operationId"]
            names = [p.get("$ref", "").rsplit("/", 1)[-1] for p in operation["parameters"]]
            if name in WITHOUT:
                ok("IfMatch" not in names, f"{name} takes no If-Match: {WITHOUT[name]}")
                continue
            ok("IfMatch" in names and "412" in operation["responses"], f"{name} takes If-Match")
            get = document.json["paths"][path].get("get", {})
            ok("ETag" in get["responses"]["200"]["headers"] and "304" in get["responses"],
               f"and {get['operationId']} gives the ETag")


def edited(made, path, patch):
    """One that is changed by a PATCH."""
    first = api.get(path)
    tag = first.headers["ETag"]
    equal(made.headers["ETag"], tag, f"{path}: the answer that made it has its ETag")
    equal(api.get(path, headers={"If-None-Match": tag}).status, 304, "it is not sent again to who has it")
    for wrong in (f"W/{tag}", '"999"', '"nonsense"'):
        answer = api.patch(path, patch, {"If-Match": wrong})
        equal((answer.status, answer.code), (412, "PreconditionFailed"), f"If-Match: {wrong} changes nothing")
    equal(api.patch(path, patch, {"If-Match": "1"}).status, 400, "what is no tag is refused")
    equal(api.get(path).headers["ETag"], tag, "and nothing did")
    changed = api.patch(path, patch, {"If-Match": tag})
    ok(changed.status == 200 and changed.headers["ETag"] != tag, "the right one does, and there is another ETag")
    equal(api.get(path, headers={"If-None-Match": tag}).headers["ETag"], changed.headers["ETag"], "which is sent")
    equal(api.patch(path, patch, {"If-Match": tag}).code, "PreconditionFailed", "who comes second is told")
    equal(api.patch(path, patch).status, 200, "who does not ask is not")
    equal(api.patch(path, patch, {"If-Match": "*"}).status, 200, "nor who takes any")
    deleted(path)


def deleted(path, wrong='"999"'):
    tag = api.get(path).headers["ETag"]
    answer = api.delete(path, headers={"If-Match": wrong})
    equal((answer.status, answer.code), (412, "PreconditionFailed"), f"{path}: deleted only as it is known")
    equal(api.get(path).headers["ETag"], tag, "it is still there")
    equal(api.delete(path, headers={"If-Match": tag}).status, 204, "and then not")
    equal(api.get(path).status, 404, "any more")


def test_edited():
    def both(path, body, patch):
        made = api.post(path, body)
        edited(made, made.headers["Location"], patch)
    both("/v1/organizations", {"name": "other"}, {"settings": {"maxAgents": 3}})
    both("/v1/users", {"name": "ada"}, {"role": "viewer"})
    both("/v1/teams", {"name": "red"}, {"description": "d"})
    both("/v1/personas", {"name": "p", "prompt": "x"}, {"prompt": "y"})
    both("/v1/webhooks", {"url": "http://127.0.0.1:1/x", "agentId": agent["id"]}, {"description": "d"})
    both(f"{AGENT}/schedules", {"cronExpression": "@daily"}, {"jitterMs": 1000})
    both(f"{AGENT}/hooks", {"name": "h"}, {"toleranceMs": 60000})
    both(f"{AGENT}/versions", {"version": "9.0.0"}, {"changelog": "c"})
    both("/v1/agents", {"name": "a", "skillset": ["echo"], "triggerMode": "manual"}, {"description": "d"})


def test_deleted():
    made = api.post(f"{AGENT}/grants", {"permission": "read", "userId": person["id"]})
    deleted(made.headers["Location"])
    api.skill(ECHO % ("s", "1.0.0"))
    one = api.get("/v1/skills/s").headers["ETag"]
    api.skill(ECHO % ("s", "1.1.0"))
    two = api.get("/v1/skills/s").headers["ETag"]
    ok(one != two, "a skill's is another with another source")

    def upload(name, version, tag):
        return api.request("POST", "/v1/skills", ECHO % (name, version), {"Content-Type": "text/x-lua", "If-Match": tag})
    answer = upload("s", "1.2.0", one)
    equal((answer.status, answer.code), (412, "PreconditionFailed"), "it is not uploaded over what one has not seen")
    equal(upload("other", "1.0.0", one).status, 412, "nor where there is none")
    equal(upload("s", "1.2.0", two).status, 201, "but over what one has")
    deleted("/v1/skills/s", one)
    api.put(f"{AGENT}/aliases/stable", {"targets": [{"version": "1.0.0"}]})
    answer = api.put(f"{AGENT}/aliases/stable", {"targets": [{"version": "1.0.0"}]}, headers={"If-None-Match": "*"})
    equal((answer.status, answer.code), (412, "PreconditionFailed"), "an alias that is there is not changed when it shall be new")
    answer = api.put(f"{AGENT}/aliases/newer", {"targets": [{"version": "1.0.0"}]}, headers={"If-None-Match": "*"})
    equal(answer.status, 201, "one that is not is made")
    answer = api.put(f"{AGENT}/aliases/newer", {"targets": [{"version": "1.0.0"}]}, headers={"If-None-Match": '"1"'})
    equal((answer.status, answer.code), (400, "InvalidRequest"), "and a tag says nothing there")
    deleted(f"{AGENT}/aliases/stable")


def test_what_is_counted_is_seen():
    team = api.post("/v1/teams", {"name": "blue"}).headers["Location"]
    empty = api.get(team).headers["ETag"]
    api.put(f"{team}/members/{person['id']}")
    full = api.get(team).headers["ETag"]
    ok(full != empty, "a team with another member has another ETag, for it says how many they are")
    api.put(f"{team}/members/{person['id']}")
    equal(api.get(team).headers["ETag"], full, "to add him again changes nothing")
    api.delete(f"{team}/members/{person['id']}")
    ok(api.get(team).headers["ETag"] != full, "without him it is another again")
    api.put(f"{team}/members/{person['id']}")
    full = api.get(team)
    organization = f"/v1/organizations/{api.get('/v1/me').json['organization']['id']}"
    before = api.get(organization).headers["ETag"]
    user = f"/v1/users/{person['id']}"
    was = api.get(user).headers["ETag"]
    api.patch(user, {"name": "Grace"})
    equal(api.get(organization).headers["ETag"], before, "a user's name is nothing of the organization")
    api.patch(user, {"role": "admin"})
    ok(api.get(organization).headers["ETag"] != before, "his role is")
    ok(api.get(user).headers["ETag"] != was, "and his own")
    equal(api.delete(user, headers={"If-Match": was}).code, "PreconditionFailed", "a user who changed stays")
    equal(api.delete(user).status, 204, "unless one does not ask")
    left = api.get(team)
    ok((left.json["members"], full.json["members"]) == (0, 1) and left.headers["ETag"] != full.headers["ETag"],
       "and his team is another")
    contains(api.patch(team, {"name": "x"}, {"If-Match": full.headers["ETag"]}).message, "changed since", "as it says")


run(globals(), daemon)
