#!/usr/bin/python3
"""The permission matrix: every operation of openapi.json, by role, visibility, grant and scope, as
tests/data/permissions.json expects it. That file says how an operation is added: one line."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import DOCUMENT, ROOT, Daemon, equal, note, ok, run  # noqa: E402

with open(os.path.join(ROOT, "tests", "data", "permissions.json"), encoding="utf-8") as f:
    DATA = json.load(f)
OPERATIONS, PARTS = DATA["operations"], DATA["parts"]
SCOPES = ["agents:read", "agents:write", "agents:execute", "executions:read", "skills:read", "skills:write",
          "usage:read", "admin"]
ROLES = DATA["roles"]
VISIBILITIES = [v for v in DATA["agents"] if v != "about"]
daemon = Daemon({"audit": {"denied_per_minute": "0"}, "http": {"access_log": "no"},
                 "limits": {"agents": "100000", "users": "100000"}})
api = daemon.api
api.skill('return { name = "hello", version = "1.0.0", run = function() return "hello" end }')
api.agent("leaf", skillset=["hello"], visibility="organization", executionConfig={"entrypoint": "hello"})  # of chains
routes = {operation["operationId"]: (method.upper(), template, operation)
          for _, _, template, item in DOCUMENT.routes for method, operation in item.items() if method != "parameters"}
count = 0


def made(answer, *statuses):
    if answer.status not in (statuses or (200, 201)):
        raise AssertionError(f"cannot be made: {answer!r}")
    return answer.json


def filled(value):
    """{n} is a fresh number, {spare} a user for grants."""
    global count
    count += 1
    return json.loads(json.dumps(value).replace("{n}", str(count)).replace("{spare}", spare()))


# ---- people ----------------------------------------------------------------------------------

def account(role, client=api, name=None):
    user = made(client.post("/v1/users", {"name": name or role, "kind": "service", "role": role}))["id"]
    return user, client.with_token(token(client, userId=user))


def token(client, *scopes, **more):
    return made(client.post("/v1/tokens", {"name": "t", "scopes": scopes or ["admin"], **more}))["token"]


def spare():
    return people["spare"]


guests = made(api.post("/v1/organizations", {"name": "Guests"}))["id"]
guest_owner = api.with_token(token(api, organizationId=guests))
people, clients = {"spare": ""}, {"owner": api}
for _role in ("admin", "member", "viewer"):
    people[_role], clients[_role] = account(_role)
people["mate"], clients["mate"] = account("admin", name="mate")
people["other"], clients["other"] = account("member", guest_owner)
clients["elsewhere"] = guest_owner  # the organization's owner, with a token of another organization
people["spare"] = made(api.post("/v1/users", {"name": "spare"}))["id"]
teams = {name: made(api.post("/v1/teams", {"name": name}))["id"] for name in ("mates", "granted")}
for _team, _who in (("mates", "mate"), ("mates", "member"), ("mates", "viewer"), ("granted", "member"),
                    ("granted", "viewer")):
    api.request("PUT", f"/v1/teams/{teams[_team]}/members/{people[_who]}")


# ---- agents and what hangs from them -----------------------------------------------------------

class Agent:
    """One agent of a visibility and an access; its parts are made by its owner when they are asked for."""

    def __init__(self, visibility, access):
        self.visibility, self.access = visibility, access
        self.client = clients[{"own": "member", "team": "mate"}.get(access, "owner")]
        self.parts = {}
        self.make()

    def make(self):
        config = filled({"name": "m{n}", "skillset": ["hello"], "triggerMode": "manual", "visibility": self.visibility,
                         "executionConfig": {"entrypoint": "hello"}})
        self.parts = {"agentId": made(self.client.post("/v1/agents", config))["id"]}
        versions = f"/v1/agents/{self.parts['agentId']}/versions"
        made(self.client.post(versions, {"version": "0.0.0"}))
        made(self.client.post(f"{versions}/0.0.0/publish"))
        to, _, permission = self.access.partition(" ")
        grants = {"user": [{"userId": people["member"]}, {"userId": people["viewer"]}],
                  "team": [{"teamId": teams["granted"]}]}[to] if permission else []
        for grant in grants:
            made(self.client.post(f"/v1/agents/{self.parts['agentId']}/grants", {"permission": permission, **grant}))

    def part(self, name, fresh=False):
        if name == "agentId" and fresh:
            self.make()
        elif name not in self.parts or fresh:
            maker = clients[PARTS[name]["by"]] if "by" in PARTS[name] else self.client
            self.parts[name] = make_part(maker, name, self.parts["agentId"])
        return self.parts[name]

    def may(self, role):
        """Letters of the actions."""
        column = {"member": 0, "viewer": 1, "other": 2, "elsewhere": 2}
        return DATA["agents"][self.visibility][self.access][column[role]] if role in column else "rwxa"


def make_part(client, name, agent=None):
    part = filled(PARTS[name])
    if "path" not in part:
        return part["value"]
    path = part["path"].replace("{agentId}", agent or "")
    if "lua" in part:
        value = client.skill(part["lua"])
        things.update(skill=value["name"], sha256=value["sha256"])
    else:
        value = client.request(part.get("method", "POST"), path, part.get("body"), part.get("headers"))
    if "value" in part:
        return part["value"]
    value = value if isinstance(value, dict) else made(value, 200, 201, 202)
    for key in part["id"].split("/"):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


things = {}  # path parameters that are not of an agent, by name


def thing(name, fresh=False):
    if name not in things or fresh:
        things[name] = make_part(api, name)
    return things[name]


# ---- asking ------------------------------------------------------------------------------------

def ask(name, client, part):
    """Sends the operation's probe; part(parameter, fresh) gives path parameters."""
    method, template, operation = routes[name]
    spec = OPERATIONS[name]
    fresh = spec.get("fresh", [])
    path = re.sub(r"\{(\w+)\}", lambda m: part(m[1], m[1] in fresh), template) + spec.get("query", "")
    headers, body = dict(spec.get("headers", {})), filled(spec["body"]) if "body" in spec else None
    if body is not None and "requestBody" not in operation:
        raise AssertionError(f"{name} takes no body")
    if "lua" in spec:
        body, headers["Content-Type"] = filled(spec["lua"]), "text/x-lua"
    elif body is not None and "application/json" not in operation["requestBody"]["content"]:
        headers["Content-Type"] = "application/merge-patch+json"
    if spec.get("headers", {}).get("Accept") == "text/event-stream":
        stream = client.stream(method, path, body, headers)
        raw = stream.response.read() if stream.status != 200 else b""
        stream.close()
        return stream.status, json.loads(raw)["error"]["code"] if raw else None
    answer = client.request(method, path, body, headers, check=False)
    return answer.status, answer.code


def verdict(spec, status, code):
    """+ may, - may not, ? does not see, ! sees it elsewhere; else what came."""
    unseen = spec.get("unseen", "AgentNotFound")
    if code in ("InsufficientPermissions", "VisibilityViolation", unseen):
        return {"InsufficientPermissions": "-", "VisibilityViolation": "!"}.get(code, "?")
    if status in (401, 403) or status >= 500:
        return f"{status} {code}"
    return "+"


def expected_of_agent(spec, agent, role):
    letters = {DATA["actions"][a] for a in (spec["agent"], *spec.get("also", []))}
    if role == "viewer" and "viewer" in spec:
        return spec["viewer"]
    may = agent.may(role)
    outside = role in ("other", "elsewhere")
    if outside and "outside" in spec:
        if spec["outside"] == "-" and may != "":
            return "-"
        may = ""
    if letters <= set(may):
        return "+"
    if may != "":
        return "-"
    return "!" if role == "elsewhere" and spec.get("unseen") is None else "?"


# ---- the tests ---------------------------------------------------------------------------------

def test_every_operation_is_in_the_matrix():
    equal(sorted(set(routes) - set(OPERATIONS)), [],
          "tests/data/permissions.json has every operation (it says there how one is added)")
    equal(sorted(set(OPERATIONS) - set(routes)), [], "and no other")
    for name, spec in OPERATIONS.items():
        public = routes[name][2]["security"] == [] if name in routes else False
        if sum(k in spec for k in ("agent", "who", "public")) != 1 or spec.get("public", False) != public:
            ok(False, f"{name} is of one kind, and public where the document says so")


def report(name, wrong, n):
    if not ok(not wrong, f"{name}: as expected in {n} cases"):
        note("\n".join(wrong[:10]))


def test_agents():
    agents = [Agent(v, a) for v in VISIBILITIES for a in DATA["agents"][v]]
    for name, spec in OPERATIONS.items():
        if "agent" not in spec or name not in routes:
            continue
        wrong, n = [], 0
        for agent in agents:
            for role in ROLES + ["elsewhere"]:
                if role in ("owner", "admin") and agent.access not in ("none", "own"):
                    continue  # what they may does not depend on grants
                n += 1
                got = verdict(spec, *ask(name, clients[role], agent.part))
                want = expected_of_agent(spec, agent, role)
                if got != want:
                    wrong.append(f"{role}, {agent.visibility}, {agent.access}: expected {want}, got {got}")
        report(name, wrong, n)


def test_everything_else():
    for name, spec in OPERATIONS.items():
        if "who" not in spec or name not in routes:
            continue
        wrong = []
        for role, want in zip(ROLES, spec["who"]):
            got = verdict({"unseen": "", **spec}, *ask(name, clients[role], thing))
            if got != want:
                wrong.append(f"{role}: expected {want}, got {got}")
        report(name, wrong, len(ROLES))


def test_scopes():
    """By every role: every scope but the one that is needed is refused, that one alone is enough."""
    agent = Agent("public", "user admin")
    lacking, having = {}, {}
    for role in ROLES:
        for scope in SCOPES:
            client = clients["mate"] if role == "other" else clients[role]
            lacking[role, scope] = client.with_token(token(client, *[s for s in SCOPES[:-1] if s != scope]))
    single = {}
    for name, (_, _, operation) in routes.items():
        if name not in OPERATIONS or operation["security"] == []:
            continue
        scopes, wrong = operation["security"][0]["bearer"], []
        part = agent.part if "agent" in OPERATIONS[name] else thing
        for role in ROLES if scopes else []:
            got = ask(name, lacking[role, scopes[0]], part)
            if got != (403, "AgentAccessDenied"):
                wrong.append(f"{role} without {scopes[0]}: {got}")
            if (role, *scopes) not in having:
                client = clients["mate"] if role == "other" else clients[role]
                having[role, *scopes] = client.with_token(token(client, *scopes))
            got = ask(name, having[role, *scopes], part)
            if got[1] == "AgentAccessDenied" or got[0] == 401:
                wrong.append(f"{role} with {scopes} alone: {got}")
        of_chain = "agents:execute:{chainId}" in str(operation["security"])
        id_ = thing("chainId") if of_chain else agent.parts["agentId"]
        if id_ not in single:
            single[id_] = api.with_token(token(api, f"agents:execute:{id_}"))
        got = ask(name, single[id_], part)
        want = len(operation["security"]) > 1 or not scopes
        if (got[1] != "AgentAccessDenied") != want:
            wrong.append(f"a token for one agent: {got}")
        report(f"{name}, scopes", wrong, len(ROLES) * 2 + 1)


def test_tokens_for_one_agent():
    agent, other = Agent("private", "none"), Agent("private", "none")
    only = api.with_token(token(api, f"agents:execute:{other.parts['agentId']}"))
    for name, (_, _, operation) in routes.items():
        if len(operation["security"]) > 1 and name in OPERATIONS:
            code = ask(name, only, agent.part)[1]
            ok(code in ("AgentAccessDenied", "ExecutionNotFound"), f"{name}: of another agent it is refused")


run(globals(), daemon)
