#!/usr/bin/python3
"""Tokens, and what each scope lets in."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import DOCUMENT, Daemon, contains, equal, ok, run  # noqa: E402

daemon = Daemon()
api = daemon.api
AGENT = "01890000-0000-7000-8000-000000000000"


def token(*scopes, **members):
    answer = api.post("/v1/tokens", {"name": "t", "scopes": list(scopes), **members})
    equal(answer.status, 201, f"a token for {', '.join(scopes)} is made")
    return answer


def test_create_and_use():
    made = token("agents:read")
    ok(made.json["token"].startswith("c9d_"), "it is shown")
    equal(made.headers["Cache-Control"], "no-store", "and kept by no cache")
    client = api.with_token(made.json["token"])
    equal(client.get("/v1/agents").status, 200, "it opens what its scope says")
    answer = client.post("/v1/agents", {"name": "x"})
    equal((answer.status, answer.code), (403, "AgentAccessDenied"), "and nothing else")
    equal(answer.details["requiredScope"], "agents:write", "the answer names the scope")
    contains(answer.headers["WWW-Authenticate"], 'scope="agents:write"', "and so does the header")
    listed = [t for t in api.get("/v1/tokens").json["items"] if t["id"] == made.json["id"]]
    ok(len(listed) == 1 and "token" not in listed[0], "the list has it without the token")


def test_revoke():
    made = token("agents:read").json
    client = api.with_token(made["token"])
    equal(client.get("/v1/agents").status, 200, "it works")
    equal(api.delete(f"/v1/tokens/{made['id']}").status, 204, "it is revoked")
    answer = client.get("/v1/agents")
    equal((answer.status, answer.code), (401, "AuthenticationRequired"), "and is out at once")
    contains(answer.headers["WWW-Authenticate"], "invalid_token", "the header says why")
    equal(api.delete(f"/v1/tokens/{AGENT}").code, "TokenNotFound", "an unknown one is not found")


def test_expiry():
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    client = api.with_token(token("agents:read", expiresAt=soon).json["token"])
    equal(client.get("/v1/agents").status, 200, "before its end it works")
    time.sleep(3)
    equal(client.get("/v1/agents").status, 401, "behind it, it does not")
    answer = api.post("/v1/tokens", {"name": "t", "scopes": ["agents:read"], "expiresAt": "2001-01-01T00:00:00Z"})
    ok(answer.status >= 400, "an end in the past is refused")


def test_nobody_gives_more_than_he_has():
    answer = api.with_token(token("agents:read").json["token"]).post(
        "/v1/tokens", {"name": "t", "scopes": ["admin"]})
    equal(answer.status, 403, "a token without admin makes none")
    answer = api.post("/v1/tokens", {"name": "t", "scopes": ["agents:raed"]})
    equal((answer.status, answer.details["validationErrors"][0]["path"]), (400, "/scopes/0"), "an unknown scope is refused")
    contains(answer.json["error"]["message"], "did you mean 'agents:read'?", "with the nearest that there is")
    equal(api.post("/v1/tokens", {"name": "t", "scopes": []}).status, 400, "so is none at all")


def test_every_operation_needs_its_scope():
    """Without a token 401, with every scope but its own 403: from the document, so none is forgotten."""
    every = ["agents:read", "agents:write", "agents:execute", "executions:read", "skills:read",
             "skills:write", "usage:read"]
    clients = {}
    for _, _, template, item in DOCUMENT.routes:
        for method, operation in item.items():
            if method == "parameters" or not operation["security"]:
                continue
            scopes = operation["security"][0]["bearer"]
            path = re.sub(r"\{(\w+Id|skill)\}", AGENT, template)
            path = path.replace("{version}", "1.0.0").replace("{sha256}", "0" * 64)
            equal(api.with_token(None).request(method.upper(), path).status, 401,
                  f"{operation['operationId']} needs a token")
            if not scopes:
                continue
            scope = scopes[0]
            if scope not in clients:
                clients[scope] = api.with_token(token(*[s for s in every if s != scope]).json["token"])
            equal(clients[scope].request(method.upper(), path).status, 403,
                  f"{operation['operationId']} needs {scope}")


def test_bad_credentials():
    for value in ("", "Bearer", "Bearer ", "Basic dTpw", "Bearer x", "Bearer " + "c9d_" + "A" * 43,
                  "Bearer " + "A" * 5000, f"bearer{api.token}"):
        answer = api.with_token(None).get("/v1/agents", {"Authorization": value})
        equal((answer.status, answer.code), (401, "AuthenticationRequired"), f"'{value[:20]}' is no token")
    equal(api.with_token(None).get("/v1/agents", {"Authorization": f"bearer {api.token}"}).status, 200,
          "the scheme's case does not matter")


run(globals(), daemon)
