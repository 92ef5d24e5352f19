#!/usr/bin/python3
"""Organizations, users, service accounts, teams and grants over HTTP."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import Daemon, contains, equal, ok, run  # noqa: E402

NOWHERE = "01890000-0000-7000-8000-000000000000"
daemon = Daemon({"limits": {"users": "12"}})
api = daemon.api
api.skill('return { name = "hello", version = "1.0.0", run = function() return "hello" end }')
HELLO = {"skillset": ["hello"], "triggerMode": "manual", "executionConfig": {"entrypoint": "hello"}}
me = api.get("/v1/me").json


def account(name, role="member", scopes=("admin",), client=api):
    """A service account and a client with a token of its own."""
    user = client.post("/v1/users", {"name": name, "kind": "service", "role": role})
    if user.status != 201:
        raise AssertionError(repr(user))
    token = client.post("/v1/tokens", {"name": name, "scopes": list(scopes), "userId": user.json["id"]})
    if token.status != 201:
        raise AssertionError(repr(token))
    return user.json["id"], api.with_token(token.json["token"])


admin_id, admin = account("adm", "admin")
mel_id, mel = account("mel")
vic_id, vic = account("vic", "viewer")


def test_me():
    equal((me["user"]["role"], me["organization"]["role"], me["scopes"]), ("owner", "owner", ["admin"]), "who one is")
    equal(mel.get("/v1/me").json["user"], api.get(f"/v1/users/{mel_id}").json, "a service account too")


def test_users():
    ann = api.post("/v1/users", {"name": "Ann", "email": "ann@example.org", "role": "admin"})
    equal((ann.status, ann.json["kind"], ann.json["role"]), (201, "person", "admin"), "a user is added")
    equal(api.get(ann.headers["Location"]).json, ann.json, "and reads back")
    url = f"/v1/users/{ann.json['id']}"
    equal(api.post("/v1/users", {"name": "Other", "email": "ann@example.org"}).code, "DuplicateName", "a member already")
    equal(api.post("/v1/users", {"name": "x", "email": "no address"}).status, 400, "no address")
    changed = api.patch(url, {"role": "member", "name": "Ännchen", "email": None})
    equal((changed.status, changed.json["role"], changed.json["name"], "email" in changed.json),
          (200, "member", "Ännchen", False), "it is edited")
    equal(mel.get("/v1/users?kind=person&sort=name").status, 200, "every member sees the members")
    equal(mel.patch(url, {"name": "x"}).code, "InsufficientPermissions", "and does not edit them")
    equal(mel.patch(f"/v1/users/{mel_id}", {"name": "Mel"}).json["name"], "Mel", "but himself")
    equal(mel.patch(f"/v1/users/{mel_id}", {"role": "admin"}).code, "InsufficientPermissions", "not his role")
    equal(mel.post("/v1/users", {"name": "x"}).code, "InsufficientPermissions", "nor adds any")
    equal(api.get(f"/v1/users/{NOWHERE}").code, "UserNotFound", "who is not there")
    equal(api.delete(url).status, 204, "a user is removed")
    equal(api.get(url).code, "UserNotFound", "and gone")


def test_owners():
    equal(admin.post("/v1/users", {"name": "x", "role": "owner"}).code, "InsufficientPermissions",
          "an admin makes no owner")
    equal(admin.patch(f"/v1/users/{mel_id}", {"role": "owner"}).code, "InsufficientPermissions", "of nobody")
    own = f"/v1/users/{me['user']['id']}"
    equal(admin.patch(own, {"role": "member"}).code, "InsufficientPermissions", "nor unmakes one")
    equal(admin.delete(own).code, "InsufficientPermissions", "nor removes one")
    equal(api.patch(own, {"role": "admin"}).code, "InvalidState", "the last owner stays one")
    equal(api.delete(own).code, "InvalidState", "and stays")
    second = api.post("/v1/users", {"name": "second", "kind": "service", "role": "owner"}).json["id"]
    equal(admin.post("/v1/tokens", {"name": "t", "scopes": ["admin"], "userId": second}).code,
          "InsufficientPermissions", "an admin makes no token of an owner's")
    equal(api.patch(own, {"role": "owner"}).status, 200, "no change is fine")
    equal(api.delete(f"/v1/users/{second}").status, 204, "one of two can go")


def test_removed_at_once():
    who, client = account("gone")
    agent = client.post("/v1/agents", {"name": "left", **HELLO}).json
    persona = client.post("/v1/personas", {"name": "left", "prompt": "x"}).json
    refused = api.delete(f"/v1/users/{who}")
    equal((refused.code, refused.details["agents"]), ("ResourceInUse", [{"id": agent["id"], "name": "left"}]),
          "who owns agents is not removed")
    equal(client.get("/v1/agents").status, 200, "and nothing has changed")
    equal(api.delete(f"/v1/users/{who}?handOverTo={vic_id}").status, 400, "a viewer gets none")
    equal(api.delete(f"/v1/users/{who}?handOverTo={mel_id}").status, 204, "unless they are handed over")
    equal(client.get("/v1/agents").status, 401, "his tokens are no good at once")
    equal(mel.get(f"/v1/agents/{agent['id']}").json["userId"], mel_id, "the agent is another's")
    equal(mel.get(f"/v1/personas/{persona['id']}").json["userId"], mel_id, "and the persona")
    equal(mel.delete(f"/v1/agents/{agent['id']}").status, 204, "who may do what an owner may")


def test_roles_act_at_once():
    who, client = account("promoted", "viewer")
    equal(client.post("/v1/teams", {"name": "x"}).code, "InsufficientPermissions", "a viewer makes no team")
    api.patch(f"/v1/users/{who}", {"role": "admin"})
    made = client.post("/v1/teams", {"name": "x"})
    equal(made.status, 201, "once an admin he does")
    equal(client.delete(made.headers["Location"]).status, 204, "and deletes it")
    api.patch(f"/v1/users/{who}", {"role": "viewer"})
    equal(client.post("/v1/teams", {"name": "x"}).code, "InsufficientPermissions", "and not any more")
    api.delete(f"/v1/users/{who}")


def test_teams_and_grants():
    team = admin.post("/v1/teams", {"name": "red", "description": "d"}).json
    url = f"/v1/teams/{team['id']}"
    equal(admin.post("/v1/teams", {"name": "red"}).code, "DuplicateName", "names of teams are unique")
    equal(admin.patch(url, {"description": None}).json.get("description"), None, "a team is edited")
    agent = api.post("/v1/agents", {"name": "secret", **HELLO}).json
    path = f"/v1/agents/{agent['id']}"
    equal(mel.get(path).code, "AgentNotFound", "a private agent is not seen")
    grant = api.post(f"{path}/grants", {"permission": "read", "teamId": team["id"]})
    equal((grant.status, grant.json["teamId"]), (201, team["id"]), "it is granted to a team")
    equal(api.post(f"{path}/grants", {"permission": "read", "teamId": team["id"]}).status, 200, "once")
    equal(mel.get(path).code, "AgentNotFound", "who is not in it sees it no more than before")
    equal(admin.request("PUT", f"{url}/members/{mel_id}").status, 204, "he gets into the team")
    equal(mel.get(path).status, 200, "and sees it")
    equal([a["id"] for a in mel.get("/v1/agents").json["items"]], [agent["id"]], "in lists too")
    equal(mel.patch(path, {"description": "x"}).code, "InsufficientPermissions", "but does not change it")
    equal(mel.post(f"{path}/grants", {"permission": "read", "userId": vic_id}).code, "InsufficientPermissions",
          "nor grant it on")
    both = mel.post(f"{path}/grants", {"permission": "read", "userId": vic_id, "teamId": team["id"]})
    equal(both.code, "InsufficientPermissions", "whatever he sends")
    equal(api.post(f"{path}/grants", {"permission": "read"}).status, 400, "nobody to grant to")
    equal(api.post(f"{path}/grants", {"permission": "read", "userId": NOWHERE}).status, 400, "a stranger")
    equal([m["userId"] for m in vic.get(f"{url}/members").json["items"]], [mel_id], "a team's members are seen")
    equal(len(api.get(f"/v1/teams?userId={mel_id}").json["items"]), 1, "and one's teams")
    equal(len(api.get(f"{path}/grants").json["items"]), 1, "the owner sees the grants")
    equal(api.delete(f"{path}/grants/{grant.json['id']}").status, 204, "a grant is taken back")
    equal(mel.get(path).code, "AgentNotFound", "at once")
    api.patch(path, {"visibility": "team"})
    equal(mel.get(path).code, "AgentNotFound", "visible to teams of the owner, who is in none")
    admin.request("PUT", f"{url}/members/{me['user']['id']}")
    equal(mel.get(path).status, 200, "once he is in one with him it is seen")
    equal(admin.delete(f"{url}/members/{mel_id}").status, 204, "he leaves the team")
    equal(admin.delete(f"{url}/members/{mel_id}").code, "UserNotFound", "once")
    equal(mel.get(path).code, "AgentNotFound", "and it is not")
    equal(admin.delete(url).status, 204, "the team is deleted")
    equal(api.delete(path).status, 204, "and the agent")


def test_organizations():
    equal(admin.post("/v1/organizations", {"name": "Second"}).code, "InsufficientPermissions",
          "admins create no organization")
    made = api.post("/v1/organizations", {"name": "Second", "settings": {"maxAgents": 1, "maxTeams": 0}})
    equal((made.status, made.json["role"]), (201, "owner"), "an owner of the installation's does")
    url = made.headers["Location"]
    equal(api.post("/v1/organizations", {"name": "Second"}).code, "DuplicateName", "under another name")
    equal(api.post("/v1/organizations", {"name": "x", "settings": {"maxAgnts": 1}}).status, 400, "with known settings")
    equal(len(api.get("/v1/organizations").json["items"]), 2, "they are listed")
    equal(mel.get(url).code, "OrganizationNotFound", "a member of another does not see it")
    equal(len(mel.get("/v1/organizations").json["items"]), 1, "nor in lists")
    token = api.post("/v1/tokens", {"name": "there", "scopes": ["admin"], "organizationId": made.json["id"]})
    there = api.with_token(token.json["token"])
    equal(there.get("/v1/me").json["organization"]["name"], "Second", "one has a token for it")
    equal(mel.post("/v1/tokens", {"name": "there", "scopes": ["admin"], "organizationId": made.json["id"]}).code,
          "OrganizationNotFound", "who is no member, has not")
    equal(there.get("/v1/agents").json["items"], [], "it has agents of its own")
    there.skill('return { name = "hello", version = "1.0.0", run = function() return "hello" end }')
    agent = there.post("/v1/agents", {"name": "only", "visibility": "public", **HELLO})
    equal(agent.status, 201, "as many as its settings say")
    equal(there.post("/v1/agents", {"name": "more", **HELLO}).code, "OrganizationLimitExceeded", "and no more")
    equal(there.post("/v1/teams", {"name": "more"}).code, "OrganizationLimitExceeded", "nor teams")
    path = f"/v1/agents/{agent.json['id']}"
    equal(mel.get(path).status, 200, "a public agent is seen from elsewhere")
    equal(mel.patch(path, {"description": "x"}).code, "InsufficientPermissions", "and not changed")
    there.patch(path, {"visibility": "organization"})
    equal(mel.get(path).code, "AgentNotFound", "another is not")
    equal(api.get(path).code, "VisibilityViolation", "who sees it with another token of his is told")
    equal(api.delete(url).code, "ResourceInUse", "an organization with agents is not deleted")
    there.delete(path)
    equal(api.patch(url, {"settings": {"maxAgents": None}, "name": "2nd"}).json["settings"], {"maxTeams": 0},
          "settings are merged")
    equal(there.patch(url, {"name": "Second"}).status, 200, "its own owner edits it too")
    bob = there.post("/v1/users", {"name": "Bob", "email": "bob@example.org"}).json
    equal(api.post("/v1/users", {"name": "Bobby", "email": "bob@example.org"}).json["id"], bob["id"],
          "the same user in two organizations")
    equal(api.patch(f"/v1/users/{bob['id']}", {"name": "x"}).code, "InsufficientPermissions",
          "whose name is his own then")
    equal(api.delete(f"/v1/organizations/{me['organization']['id']}").code, "InvalidState", "the first one stays")
    equal(api.delete(url).status, 204, "the second is deleted")
    equal(there.get("/v1/agents").status, 401, "with its tokens, at once")
    equal(api.get(f"/v1/users/{bob['id']}").json["name"], "Bob", "who is in another stays there")
    api.delete(f"/v1/users/{bob['id']}")


def test_public_execution():
    made = api.post("/v1/organizations", {"name": "Guests"})
    guest = api.with_token(api.post("/v1/tokens", {"name": "g", "scopes": ["admin"],
                                                   "organizationId": made.json["id"]}).json["token"])
    _, visitor = account("visitor", client=guest)
    agent = api.agent("open", visibility="public", **HELLO)
    answer = visitor.execute(agent["id"])
    equal((answer.status, answer.json["output"]), (200, "hello"), "a public agent executes for others")
    api.execute(agent["id"])
    execution = answer.json["executionId"]
    equal(visitor.get(f"/v1/executions/{execution}").status, 200, "who started it sees it")
    listed = visitor.get(f"/v1/agents/{agent['id']}/executions").json["items"]
    equal([e["id"] for e in listed], [execution], "and of all of that agent his alone")
    equal(len(api.get(f"/v1/agents/{agent['id']}/executions").json["items"]), 2, "its owner sees all")


def test_limits():
    for i in range(12):
        answer = api.post("/v1/users", {"name": f"u{i}"})
        if answer.status != 201:
            break
    equal(answer.code, "OrganizationLimitExceeded", "[limits] users holds")
    contains(answer.message, "[limits] users", "and is named")


def test_rotation():
    token = api.post("/v1/tokens", {"name": "r", "scopes": ["agents:read"]}).json
    old = api.with_token(token["token"])
    equal(old.get("/v1/agents").status, 200, "a token")
    url = f"/v1/tokens/{token['id']}"
    fresh = api.post(f"{url}/rotate").json
    equal((fresh["name"], fresh["scopes"]), ("r", ["agents:read"]), "is rotated")
    equal((old.get("/v1/agents").status, api.with_token(fresh["token"]).get("/v1/agents").status), (200, 200),
          "both are good for a while")
    equal(api.get(url).json["rotatedTo"], fresh["id"], "the old one names the new")
    equal(api.post(f"{url}/rotate").code, "InvalidState", "once")
    last = api.post(f"/v1/tokens/{fresh['id']}/rotate", {"overlapSeconds": 0}).json
    equal(api.with_token(fresh["token"]).get("/v1/agents").status, 401, "without overlap it ends at once")
    equal(api.post(f"/v1/tokens/{last['id']}/rotate", {"overlapSeconds": 10 ** 9}).status, 400,
          "nor for longer than configured")
    equal(vic.post(f"/v1/tokens/{last['id']}/rotate").code, "TokenNotFound", "nobody else does it")
    limited = api.post("/v1/tokens", {"name": "l", "scopes": ["agents:read", "admin"]}).json
    equal(admin.post(f"/v1/tokens/{limited['id']}/rotate").code, "InsufficientPermissions", "nor an admin")
    equal(admin.delete(f"/v1/tokens/{limited['id']}").status, 204, "who may revoke it")
    own = vic.post("/v1/tokens", {"name": "own", "scopes": ["agents:read"]})
    equal(vic.get(own.headers["Location"]).json["userId"], vic_id, "a viewer has tokens of his own")
    equal(vic.delete(own.headers["Location"]).status, 204, "and revokes them")


def test_a_token_for_one_agent():
    one, other = api.agent("one", **HELLO), api.agent("other", **HELLO)
    token = api.post("/v1/tokens", {"name": "one", "scopes": [f"agents:execute:{one['id']}"]})
    equal(token.status, 201, "a token that executes one agent")
    only = api.with_token(token.json["token"])
    answer = only.execute(one["id"])
    equal((answer.status, answer.json["output"]), (200, "hello"), "which it does")
    equal(only.execute("one").status, 200, "by name, too")
    refused = only.execute(other["id"])
    equal((refused.status, refused.code), (403, "AgentAccessDenied"), "and no other")
    equal(only.get(f"/v1/executions/{answer.json['executionId']}").json["outputData"], "hello", "it sees its execution")
    mine = api.execute(other["id"]).json["executionId"]
    equal(only.get(f"/v1/executions/{mine}").code, "AgentAccessDenied", "not those of others")
    for path in ("/v1/agents", f"/v1/agents/{one['id']}", "/v1/executions", f"/v1/agents/{one['id']}/executions",
                 "/v1/skills", "/v1/users", "/v1/tokens"):
        equal(only.get(path).code, "AgentAccessDenied", f"nor {path.replace(one['id'], 'ID')}")
    both = api.with_token(api.post("/v1/tokens", {"name": "b", "scopes": [f"agents:execute:{one['id']}", "agents:read",
                                                                          "admin"]}).json["token"])
    equal(both.execute(other["id"]).status, 200, "with a greater scope beside it nothing is limited")
    equal(api.post("/v1/tokens", {"name": "x", "scopes": ["agents:execute:x"]}).status, 400, "an id that is none")


run(globals(), daemon)
