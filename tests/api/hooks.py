#!/usr/bin/python3
"""Webhook endpoints: signatures of both styles, replays, secrets, and what a delivery becomes."""
import base64
import hashlib
import hmac
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import Daemon, contains, equal, eventually, note, ok, run  # noqa: E402

daemon = Daemon({"hooks": {"max_body": "4KiB", "per_agent": 5}})
api = daemon.api
anybody = api.with_token(None)
ECHO = ('return { name = "echo", version = "1.0.0", description = "d", run = function(input) '
        'return input end }')
agent = api.lua_agent("hooked", ECHO, inputSchema={"type": ["object", "string", "null"]})
HOOKS = f"/v1/agents/{agent['id']}/hooks"
numbers = iter(range(1000000))


def make(**members):
    answer = api.post(HOOKS, {"name": f"hook-{next(numbers)}", **members})
    if answer.status != 201:
        raise AssertionError(repr(answer))
    return answer.json


def standard(hook, body=None, secret=None, id_=None, at=None, name="v1", **headers):
    body = json.dumps({"n": next(numbers)}) if body is None else body
    raw = body.encode() if isinstance(body, str) else body
    id_ = id_ or f"msg_{next(numbers)}"
    at = str(int(time.time()) if at is None else at)
    key = base64.b64decode((secret or hook["secret"])[6:])
    digest = base64.b64encode(hmac.new(key, f"{id_}.{at}.".encode() + raw, hashlib.sha256).digest()).decode()
    return anybody.request("POST", hook["path"], raw, {
        "Content-Type": "application/json", "webhook-id": id_, "webhook-timestamp": at,
        "webhook-signature": f"v1,{'A' * 43}= {name},{digest}", **headers})


def github(hook, body=None, secret=None, **headers):
    raw = (json.dumps({"n": next(numbers)}) if body is None else body).encode()
    digest = hmac.new((secret or hook["secret"]).encode(), raw, hashlib.sha256).hexdigest()
    return anybody.request("POST", hook["path"], raw, {
        "Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}", "X-GitHub-Event": "push",
        "X-GitHub-Delivery": str(next(numbers)), **headers})


def test_who_made_it_leaves():
    who = api.post("/v1/users", {"name": "leaves", "kind": "service"}).json["id"]
    token = api.post("/v1/tokens", {"name": "leaves", "scopes": ["admin"], "userId": who}).json["token"]
    leaves = api.with_token(token)
    api.post(f"/v1/agents/{agent['id']}/grants", {"permission": "write", "userId": who})
    hook = leaves.post(HOOKS, {"name": "left"}).json
    leaves.agent("waits", skillset=["echo"], executionConfig={"entrypoint": "echo"}, triggerMode="event",
                 triggerConfig={"events": [{"type": "org.example.left"}]})
    me = api.get("/v1/me").json["user"]["id"]
    equal(api.delete(f"/v1/users/{who}?handOverTo={me}").status, 204, "who made an endpoint is removed")
    equal(api.get(f"/v1/hooks/{hook['id']}").json["createdBy"], me, "it is the heir's")
    equal(standard(hook).status, 202, "and takes deliveries in his name")
    sent = api.post("/v1/events", {"specversion": "1.0", "id": "1", "source": "/tests", "type": "org.example.left"},
                    {"Content-Type": "application/cloudevents+json"}).json["items"][0]
    equal([match["outcome"] for match in sent["matches"]], ["started"], "as an agent does that he had published")
    api.delete(f"/v1/hooks/{hook['id']}")


def test_life():
    made = make(name="first")
    contains(made["secret"], "whsec_", "an endpoint is made with a secret")
    got = api.get(f"/v1/hooks/{made['id']}")
    ok("secret" not in got.json and made["secret"] not in got.raw.decode(), "which is shown this once")
    ok(made["secret"] not in api.get(HOOKS).raw.decode(), "and in no list")
    equal([h["id"] for h in api.get("/v1/hooks?name=first&agentId=hooked").json["items"]], [made["id"]], "it is listed")
    patched = api.patch(f"/v1/hooks/{made['id']}", {"name": "renamed"}, {"If-Match": got.headers["ETag"]})
    equal(patched.json["name"], "renamed", "it is edited")
    equal(api.patch(f"/v1/hooks/{made['id']}", {"name": "x"}, {"If-Match": got.headers["ETag"]}).code,
          "PreconditionFailed", "once for a tag")
    api.patch(f"/v1/hooks/{made['id']}", {"isActive": False})
    equal(standard(made).code, "InvalidState", "paused, it takes nothing")
    equal(api.delete(f"/v1/hooks/{made['id']}").status, 204, "it is deleted")
    equal(api.get(f"/v1/hooks/{made['id']}").code, "EndpointNotFound", "and gone")
    equal((standard(made).status, standard(made).code), (401, "SignatureInvalid"), "also for who delivers")


def test_refusals():
    for body, says in (({}, "name"), ({"name": "x", "delivers": "event"}, "/eventType"),
                       ({"name": "x", "eventType": "a"}, "/eventType"),
                       ({"name": "x", "secret": "whsec_" + "A" * 8 + "===="}, "/secret"),
                       ({"name": "x", "style": "github", "secret": "short"}, "/secret"), ({"name": "x", "x": 1}, "/x")):
        answer = api.post(HOOKS, body)
        ok(answer.code == "InvalidEndpoint" and says in answer.message, f"{body} is refused")
    equal(api.post(HOOKS, {"name": "x", "version": "9.0.0"}).code, "VersionNotFound", "a version must be there")
    reader = api.with_token(api.post("/v1/tokens", {"name": "r", "scopes": ["agents:read"]}).json["token"])
    equal(reader.post(HOOKS, {"name": "x"}).details["requiredScope"], "agents:write", "making one needs agents:write")


def test_standard():
    hook = make()
    answer = standard(hook, '{"n": 1}')
    equal(answer.status, 202, "a signed delivery is taken without a token")
    execution = answer.json["executionId"]
    done = eventually(lambda: (lambda e: e if e["status"] == "completed" else None)(
        api.get(f"/v1/executions/{execution}").json))
    equal((done["outputData"], done["executionContext"]["trigger"]),
          ({"n": 1}, {"type": "webhook", "endpointId": hook["id"], "deliveryId": done["executionContext"]["trigger"]["deliveryId"]}),
          "and is an execution")
    other = make()
    for name, answer in (
            ("another endpoint's secret", standard(hook, secret=other["secret"])),
            ("another version of signature", standard(hook, name="v2")),
            ("an old timestamp", standard(hook, at=time.time() - 301)),
            ("a timestamp to come", standard(hook, at=time.time() + 302)),
            ("no timestamp", standard(hook, **{"webhook-timestamp": "now"})),
            ("another body", anybody.request("POST", hook["path"], "{}", {"Content-Type": "application/json"})),
            ("an endpoint that is not", standard({**hook, "path": hook["path"][:-1] + "01"[hook["path"][-1] == "0"]})),
            ("GitHub's style", github(hook, secret=hook["secret"]))):
        ok((answer.status, answer.code) == (401, "SignatureInvalid"), f"refused: {name}")
    first = standard(hook, id_="once")
    again = standard(hook, id_="once", body='{"other": 1}')
    equal((first.json["duplicate"], again.json["duplicate"]), (False, True), "an id is taken once")
    equal(again.json["executionId"], first.json["executionId"], "and answered as it was")
    ok(not standard(other, id_="once").json["duplicate"], "of its endpoint")
    equal(standard(hook, "[1]").code, "InvalidInput", "an input that does not fit is refused")
    equal(standard(hook, "{").code, "InvalidRequest", "what is no JSON, too")
    equal(standard(hook, "a=1", **{"Content-Type": "application/x-www-form-urlencoded"}).status, 202, "a form is text")
    equal(standard(hook, b"\x00", **{"Content-Type": "image/png"}).code, "UnsupportedMediaType", "bytes are refused")
    equal(standard(hook, '"' + "x" * 5000 + '"').status, 413, "[hooks] max_body bounds it")
    for h in (hook, other):
        api.delete(f"/v1/hooks/{h['id']}")


def test_github():
    hook = make(style="github", secret="a secret of sixteen")
    answer = github(hook, '{"ref": "main"}')
    equal(answer.status, 202, "GitHub's style is taken")
    again = github(hook, '{"ref": "main"}')
    equal((again.json["duplicate"], again.json["executionId"]), (True, answer.json["executionId"]),
          "a replay under another delivery id is known by its signature")
    for name, answer in (("a wrong secret", github(hook, secret="another secret!!")),
                         ("no signature", github(hook, **{"X-Hub-Signature-256": None})),
                         ("SHA-1", github(hook, **{"X-Hub-Signature-256": "sha1=" + "0" * 40})),
                         ("the other style", standard(hook, secret="whsec_" + base64.b64encode(b"k" * 32).decode()))):
        ok(answer.code == "SignatureInvalid", f"refused: {name}")
    api.delete(f"/v1/hooks/{hook['id']}")


def test_rotation():
    hook = make()
    rotated = api.post(f"/v1/hooks/{hook['id']}/rotate", {"graceMs": 1500}).json
    ok(rotated["secret"] != hook["secret"] and "previousSecretUntil" in rotated, "a new secret is given")
    equal((standard(hook).status, standard(hook, secret=rotated["secret"]).status), (202, 202), "both are valid")
    ok(eventually(lambda: standard(hook).status == 401), "until the grace is over")
    equal(standard(hook, secret=rotated["secret"]).status, 202, "then the new one is")
    at_once = api.post(f"/v1/hooks/{hook['id']}/rotate", {"graceMs": 0}).json
    equal((standard(hook, secret=rotated["secret"]).status, standard(hook, secret=at_once["secret"]).status),
          (401, 202), "or at once")
    api.delete(f"/v1/hooks/{hook['id']}")


def test_events():
    waiting = api.lua_agent("waiting", ECHO, triggerMode="event",
                            triggerConfig={"events": [{"type": "com.github.push", "input": "/data"}]})
    hook = make(style="github", delivers="event", eventType="com.github")
    answer = github(hook, '{"ref": "x"}')
    equal([m["agentId"] for m in answer.json["matches"]], [waiting["id"]], "a delivery may be an event")
    event = api.get(f"/v1/events/{answer.json['eventId']}").json
    equal((event["type"], event["endpointId"], event["event"]["data"]), ("com.github.push", hook["id"], {"ref": "x"}),
          "with its type, source and data")
    again = github(hook, '{"ref": "x"}')
    equal((again.json["duplicate"], again.json["eventId"]), (True, event["id"]), "and is one only once")
    ok("lastDeliveryAt" in api.get(f"/v1/hooks/{hook['id']}").json, "its endpoint knows when")


def test_what_became_of_them():
    hook = make()
    path = f"/v1/hooks/{hook['id']}"

    def listed(query=""):
        return api.get(f"{path}/deliveries{query}").json["items"]
    equal(listed(), [], "nothing came yet")
    standard(hook, secret="whsec_" + "A" * 43 + "=")
    equal(listed(), [], "what has no right signature leaves nothing")
    execution = standard(hook, '{"n": 1}', id_="a").json["executionId"]
    ok(standard(hook, '{"n": 1}', id_="a").json["duplicate"], "the same again is no other one")
    equal(standard(hook, "[1]", id_="b").code, "InvalidInput", "one is refused")
    equal(standard(hook, "{", id_="c").code, "InvalidRequest", "another could not be read")
    ended = eventually(lambda: (lambda i: i if i[-1].get("executionStatus") == "completed" else None)(listed()))
    equal([(d["outcome"], d.get("executionId"), d.get("errorCode")) for d in ended],
          [("refused", None, "InvalidRequest"), ("refused", None, "InvalidInput"), ("started", execution, None)],
          "all are listed, with what became of them")
    unreadable, refused, started = (d["id"] for d in ended)
    equal([d["id"] for d in listed("?outcome=refused")], [unreadable, refused], "by outcome too")
    one = api.get(f"{path}/deliveries/{refused}").json
    equal(one["payload"], [1], "what was refused is kept")
    contains(one["reason"], "is an array", "with the reason")
    equal(api.get(f"/v1/executions/{execution}").json["executionContext"]["trigger"]["deliveryId"], started,
          "an execution names its delivery")

    again = api.post(f"{path}/deliveries/{started}/redeliver")
    equal((again.status, again.json["duplicate"]), (202, False), "it is taken once more")
    other = api.get(f"/v1/executions/{again.json['executionId']}").json
    equal((other["inputData"], other["id"] != execution), ({"n": 1}, True), "as another execution of the same input")
    equal([d.get("redeliveryOf") for d in listed("?limit=1")], [started], "which the list tells")
    equal(api.post(f"{path}/deliveries/{refused}/redeliver").code, "InvalidInput", "what does not fit still does not")
    api.patch(f"/v1/agents/{agent['id']}", {"inputSchema": True})
    versions = f"/v1/agents/{agent['id']}/versions"
    api.post(f"{versions}/{api.post(versions, {}).json['version']}/publish")
    equal(api.post(f"{path}/deliveries/{refused}/redeliver").status, 202, "until it does")
    equal(standard(hook, "[1]", id_="b").json["duplicate"], False, "its sender may send it again as well")
    equal([d["outcome"] for d in listed() if d["id"] == refused], [], "and it is refused no more")
    equal(api.post(f"{path}/deliveries/{unreadable}/redeliver").code, "InvalidState", "what could not be read cannot be taken")
    equal(api.get(f"{path}/deliveries/{hook['id']}").code, "DeliveryNotFound", "others are not found")
    api.patch(path, {"isActive": False})
    equal((standard(hook).code, listed("?limit=1")[0]["reason"]), ("InvalidState", "the endpoint is paused"),
          "what came while it was paused is known")
    equal(api.post(f"{path}/deliveries/{started}/redeliver").code, "InvalidState", "and none is taken then")
    api.delete(path)


def test_events_again():
    hook = make(delivers="event", eventType="org.example.made")
    first = standard(hook, '{"n": 2}').json["eventId"]
    listed = api.get(f"/v1/hooks/{hook['id']}/deliveries").json["items"]
    equal([(d["outcome"], d["eventId"], d["eventType"]) for d in listed], [("event", first, "org.example.made")],
          "a delivery that is an event is listed")
    again = api.post(f"/v1/hooks/{hook['id']}/deliveries/{listed[0]['id']}/redeliver").json
    event = api.get(f"/v1/events/{again['eventId']}").json
    equal((again["eventId"] != first, event["type"], event["event"]["data"]), (True, "org.example.made", {"n": 2}),
          "and is one once more")
    api.delete(f"/v1/hooks/{hook['id']}")


def test_secrets_stay():
    log = daemon.log()
    secrets = [api.post(HOOKS, {"name": "last"}).json["secret"]]
    ok(not any(s in log + daemon.log() for s in secrets), "no secret is in the log")
    note(len(log))


def test_wrong_signatures_are_bounded():
    daemon.stop()
    daemon.config["hooks"]["unverified_per_minute"] = 5
    daemon.write_config()
    daemon.start()
    global api, anybody  # pylint: disable=global-statement
    api, anybody = daemon.api, daemon.api.with_token(None)
    attacked, other = make(), make()
    wrong = "whsec_" + base64.b64encode(bytes(24)).decode()
    answers = [standard(attacked, secret=wrong) for _ in range(8)]
    equal([a.status for a in answers][:5], [401] * 5, "some wrong signatures are looked at")
    equal((answers[-1].status, answers[-1].code), (429, "TooManyRequests"), "then nothing more from there")
    contains(answers[-1].message, "[hooks] unverified_per_minute", "which names the setting")
    ok(0 < int(answers[-1].headers["Retry-After"]) <= 61, "and says for how long")
    equal(standard(attacked).status, 429, "not even what is right")
    equal(standard(other).status, 202, "another endpoint goes on")
    many = [standard({"path": f"/v1/hooks/01890000-0000-7000-8000-{n:012}", "secret": wrong}).status for n in range(60)]
    equal((many[0], many[-1]), (401, 429), "nor does it help to try many")
    equal(standard(other).status, 429, "the address as a whole is bounded too")


run(globals(), daemon)
