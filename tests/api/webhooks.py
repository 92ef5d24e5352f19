#!/usr/bin/python3
"""Webhooks: who is told of what, signed so that it can be verified, tried again, logged, given up, sent again; and dead
letters."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, contains, equal, eventually, ok, run  # noqa: E402


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Takes what comes, and answers with the next of `answers`, then 204."""
    got, answers, lock = [], [], threading.Lock()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            status = self.answers.pop(0) if self.answers else 204
            self.got.append((self.path, dict(self.headers), body, status))
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        text = b"" if status == 204 else b"no, thanks"
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
threading.Thread(target=server.serve_forever, daemon=True).start()
URL = f"http://127.0.0.1:{server.server_address[1]}"
MOST = 20
daemon = Daemon({"outbound": {"allow": "127.0.0.0/8"},
                 "webhooks": {"backoff": "20ms", "attempts": 4, "timeout": "2s", "disable_after": "365d",
                              "per_organization": MOST}})
SOURCE = """return { name = "%s", version = "1.0.0", run = function(input)
  if input == "fail" then error("as asked") end
  return input end }"""
agent = daemon.api.lua_agent("told", SOURCE % "told")["id"]
other = daemon.api.lua_agent("other", SOURCE % "other")["id"]
tried = daemon.api.lua_agent("tried", SOURCE % "tried", executionConfig={
    "entrypoint": "tried", "retry": {"attempts": 2, "backoffMs": 1}})["id"]
SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()


def webhook(path, **more):
    return daemon.api.post("/v1/webhooks", {"url": URL + path, **more}).json


def got(path):
    with Endpoint.lock:
        return [g for g in Endpoint.got if g[0] == path]


def arrives(path, n=1):
    return eventually(lambda: len(got(path)) >= n, 20 * SLOW)


def signed(message, secret):
    _, headers, body, _ = message
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(base64.b64decode(secret[6:]), content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(mac).decode() in headers["webhook-signature"].split(" ")


def deliveries(query=""):
    return daemon.api.get("/v1/webhook-deliveries?" + query).json["items"]


def test_told_and_signed():
    hook = webhook("/all")
    contains(hook["secret"], "whsec_", "the secret is in the answer")
    equal(daemon.api.get(f"/v1/webhooks/{hook['id']}").json.get("secret"), None, "once")
    execution = daemon.api.execute(agent, {"a": 1}).json["executionId"]
    ok(arrives("/all"), "the end of an execution is told")
    message = got("/all")[0]
    ok(signed(message, hook["secret"]), "signed as Standard Webhooks says")
    ok(abs(int(message[1]["webhook-timestamp"]) - time.time()) < 60, "with the time of the attempt")
    body = json.loads(message[2])
    equal((body["type"], body["data"]["executionId"], body["data"]["output"]), ("execution.completed", execution, {"a": 1}),
          "and says what happened")
    ok(eventually(lambda: [d["status"] for d in deliveries(f"executionId={execution}")] == ["delivered"]), "it is delivered")
    daemon.api.execute(other, "fail")
    ok(arrives("/all", 2), "of every agent, and of failures")
    data = json.loads(got("/all")[1][2])["data"]
    equal((data["status"], data["errorCode"]), ("failed", "ExecutionFailed"), "with the error")
    later = daemon.api.post(f"/v1/agents/{agent}/execute", {"input": 1, "delay": "1h"}).json["executionId"]
    daemon.api.post(f"/v1/executions/{later}/cancel")
    ok(arrives("/all", 3), "and of what was cancelled before it ran")
    equal(json.loads(got("/all")[2][2])["type"], "execution.cancelled", "as such")
    daemon.api.delete(f"/v1/webhooks/{hook['id']}")
    equal(deliveries(), [], "deleting it deletes its deliveries")


def test_of_one_agent_and_event():
    hook = webhook("/some", agentId=agent, events=["execution.failed"])
    for which, body in ((agent, 1), (other, "fail"), (agent, "fail")):
        daemon.api.execute(which, body)
    ok(arrives("/some"), "what was asked for is told")
    time.sleep(0.2)
    equal([json.loads(m[2])["data"]["agentId"] for m in got("/some")], [agent], "nothing else")
    changed = daemon.api.request("PATCH", f"/v1/webhooks/{hook['id']}", {"isActive": False},
                                 {"Content-Type": "application/merge-patch+json"})
    equal((changed.status, changed.json["isActive"]), (200, False), "it can be switched off")
    daemon.api.execute(agent, "fail")
    time.sleep(0.2)
    equal(len(got("/some")), 1, "then nothing is told")


def test_of_one_execution():
    answer = daemon.api.execute(agent, 7, webhook={"url": URL + "/one", "secret": SECRET})
    ok(arrives("/one"), "an execution may bring its own")
    ok(signed(got("/one")[0], SECRET), "with its own secret")
    equal(json.loads(got("/one")[0][2])["data"]["executionId"], answer.json["executionId"], "for itself")
    for wrong in ({"url": "ftp://x/", "secret": SECRET}, {"url": URL, "secret": "whsec_AAAA" + "=" * 40}, {"url": URL},
                  {"url": "http://u@x/", "secret": SECRET}):
        equal(daemon.api.execute(agent, 1, webhook=wrong).code, "InvalidRequest", f"{wrong} is refused")


def test_tried_again():
    hook = webhook("/again", agentId=agent)
    Endpoint.answers[:] = [500, 0, 302]
    execution = daemon.api.execute(agent, 1).json["executionId"]
    ok(arrives("/again", 4), "until it is taken")
    messages = got("/again")
    equal(len({m[1]["webhook-id"] for m in messages}), 1, "under one webhook-id")
    ok(all(signed(m, hook["secret"]) for m in messages), "each signed anew")
    ok(eventually(lambda: deliveries(f"executionId={execution}")[0]["status"] == "delivered"), "at last it is delivered")
    delivery = deliveries(f"executionId={execution}")[0]
    log = daemon.api.get(f"/v1/webhook-deliveries/{delivery['id']}/attempts").json["items"]
    equal([a.get("responseStatus") for a in log], [500, None, 302, 204], "the log has every answer")
    equal(log[0]["response"], "no, thanks", "with its beginning")
    ok(log[1]["error"] and "error" not in log[3], "or the reason why there was none")
    again = daemon.api.post(f"/v1/webhook-deliveries/{delivery['id']}/redeliver")
    equal((again.status, again.json["status"]), (202, "pending"), "it can be delivered again")
    ok(arrives("/again", 5), "and is")
    rotated = daemon.api.post(f"/v1/webhooks/{hook['id']}/rotate").json["secret"]
    daemon.api.execute(agent, 2)
    ok(arrives("/again", 6), "with a new secret")
    ok(signed(got("/again")[5], rotated) and signed(got("/again")[5], hook["secret"]), "both sign for a while")
    daemon.api.delete(f"/v1/webhooks/{hook['id']}")


def test_given_up_and_sent_again():
    hook = webhook("/dead", agentId=agent)
    Endpoint.answers[:] = [503] * 4
    execution = daemon.api.execute(agent, 1).json["executionId"]
    ok(eventually(lambda: [d["status"] for d in deliveries(f"executionId={execution}")] == ["dead"], 20 * SLOW), "attempts run out")
    equal(len(got("/dead")), 4, "after as many as [webhooks] attempts says")
    letters = [x for x in daemon.api.get("/v1/dead-letters?kind=webhook&state=waiting").json["items"]
               if x["executionId"] == execution]
    equal(len(letters), 1, "it is a dead letter")
    contains(letters[0]["reason"], "503", "with the reason")
    ok("failingSince" in daemon.api.get(f"/v1/webhooks/{hook['id']}").json, "the webhook is known to fail")
    answer = daemon.api.post(f"/v1/dead-letters/{letters[0]['id']}/requeue")
    equal(answer.status, 202, "it is sent again")
    ok(arrives("/dead", 5), "and arrives")
    ok(eventually(lambda: "failingSince" not in daemon.api.get(f"/v1/webhooks/{hook['id']}").json), "the webhook is well again")
    equal(daemon.api.post(f"/v1/dead-letters/{letters[0]['id']}/requeue").code, "InvalidState", "once")
    Endpoint.answers[:] = [410]
    daemon.api.execute(agent, 1)
    ok(eventually(lambda: not daemon.api.get(f"/v1/webhooks/{hook['id']}").json["isActive"]), "410 Gone disables it")
    contains(daemon.api.get(f"/v1/webhooks/{hook['id']}").json["disabledReason"], "410", "and says why")
    daemon.api.delete(f"/v1/webhooks/{hook['id']}")


def test_a_dead_execution_runs_again():
    execution = daemon.api.execute(tried, "fail").json["executionId"]
    letters = [x for x in daemon.api.get("/v1/dead-letters?kind=execution").json["items"] if x["executionId"] == execution]
    equal(len(letters), 1, "an execution whose attempts ran out is a dead letter")
    once = daemon.api.execute(agent, "fail").json["executionId"]
    ok(once not in [x["executionId"] for x in daemon.api.get("/v1/dead-letters").json["items"]], "one that is tried once is none")
    answer = daemon.api.post(f"/v1/dead-letters/{letters[0]['id']}/requeue").json
    ok(eventually(lambda: daemon.api.get(f"/v1/executions/{answer['requeuedAs']}").json["status"] == "failed"), "it runs again")
    equal(daemon.api.get(f"/v1/executions/{answer['requeuedAs']}").json["inputData"], "fail", "on the same input")


def test_guarded():
    guarded = webhook("/x", agentId=other)
    daemon.api.request("PATCH", f"/v1/webhooks/{guarded['id']}", {"url": "http://169.254.169.254/latest"},
                       {"Content-Type": "application/merge-patch+json"})
    execution = daemon.api.execute(other, 1).json["executionId"]
    ok(eventually(lambda: [d["status"] for d in deliveries(f"executionId={execution}")] == ["dead"], 20 * SLOW),
       "an address that skills may not reach is not reached")
    contains(deliveries(f"executionId={execution}")[0]["error"], "169.254", "and that is said")
    daemon.api.delete(f"/v1/webhooks/{guarded['id']}")


def test_none_is_lost():
    webhook("/kill", agentId=agent)
    Endpoint.answers[:] = [500] * 20
    ids = [daemon.api.execute(agent, n).json["executionId"] for n in range(20)]
    daemon.kill()
    Endpoint.answers[:] = []
    daemon.start()

    def told():
        return {json.loads(m[2])["data"]["executionId"] for m in got("/kill") if m[3] == 204}
    ok(eventually(lambda: told() == set(ids), 30 * SLOW), "kill -9 loses no notification")


def test_who_made_it_sees_what_became_of_it():
    def somebody(name):
        user = daemon.api.post("/v1/users", {"name": name, "kind": "service"}).json["id"]
        return daemon.api.with_token(daemon.api.post(
            "/v1/tokens", {"name": name, "userId": user, "scopes": ["agents:read", "agents:write", "agents:execute", "executions:read", "skills:write"]}).json["token"])
    maker, stranger = somebody("maker"), somebody("stranger")
    own = maker.lua_agent("own", SOURCE % "own")["id"]
    made = maker.post("/v1/webhooks", {"url": URL + "/own", "agentId": own}).json
    maker.execute(own, 1)
    arrives("/own")
    query = f"/v1/webhook-deliveries?webhookId={made['id']}"
    equal([w["id"] for w in maker.get(f"/v1/webhooks?agentId={own}").json["items"]], [made["id"]],
          "who may change an agent lists its webhooks")
    delivery = maker.get(query).json["items"][0]["id"]
    equal(maker.get(f"/v1/webhook-deliveries/{delivery}").json["webhookId"], made["id"], "their deliveries")
    ok(eventually(lambda: maker.get(f"/v1/webhook-deliveries/{delivery}/attempts").json["items"]), "and attempts")
    ok(eventually(lambda: maker.post(f"/v1/webhook-deliveries/{delivery}/redeliver").status == 202), "and sends them again")
    equal(maker.get("/v1/webhooks").code, "InsufficientPermissions", "those of others not")
    equal(maker.get("/v1/webhook-deliveries").code, "InsufficientPermissions", "nor their deliveries")
    equal([stranger.get(path).code for path in (f"/v1/webhooks?agentId={own}", query, f"/v1/webhook-deliveries/{delivery}")],
          ["AgentNotFound", "WebhookNotFound", "DeliveryNotFound"], "who does not see the agent finds none of it")
    maker.delete(f"/v1/webhooks/{made['id']}")


def test_they_are_bounded():
    there = len(daemon.api.get("/v1/webhooks?limit=200").json["items"])
    made = [daemon.api.post("/v1/webhooks", {"url": URL + "/many"}) for _ in range(MOST - there + 1)]
    equal([m.status for m in made[:-1]], [201] * (MOST - there), "as many as the setting allows")
    equal((made[-1].status, made[-1].code), (403, "OrganizationLimitExceeded"), "and no more")
    contains(made[-1].message, "[webhooks] per_organization", "which names it")
    for m in made[:-1]:
        daemon.api.delete(f"/v1/webhooks/{m.json['id']}")


def test_it_can_be_tried():
    made = webhook("/tried", secret=SECRET, agentId=agent)
    path = f"/v1/webhooks/{made['id']}/test"
    answer = daemon.api.post(path)
    equal((answer.status, answer.json["delivered"], answer.json["responseStatus"]), (200, True, 204), "a test arrives")
    message = got("/tried")[-1]
    ok(signed(message, SECRET), "signed as all are")
    body = json.loads(message[2])
    equal((body["type"], body["data"]["webhookId"], body["data"]["agentId"]), ("webhook.test", made["id"], agent),
          "and says what it is")
    equal(message[1]["webhook-id"], answer.json["id"], "under the id of the answer")
    equal(daemon.api.get(f"/v1/webhook-deliveries?webhookId={made['id']}").json["items"], [], "it is no delivery")
    with Endpoint.lock:
        Endpoint.answers = [500]
    answer = daemon.api.post(path).json
    equal((answer["delivered"], answer["responseStatus"], answer["response"]), (False, 500, "no, thanks"),
          "a refusal is told with its answer")
    with Endpoint.lock:
        Endpoint.answers = [0]
    answer = daemon.api.post(path).json
    ok(not answer["delivered"] and "responseStatus" not in answer and answer["error"], "so is no answer")
    equal(len(got("/tried")), 3, "none is tried again")
    ok("failingSince" not in daemon.api.get(f"/v1/webhooks/{made['id']}").json, "nor counts against it")
    daemon.api.patch(f"/v1/webhooks/{made['id']}", {"isActive": False})
    ok(daemon.api.post(path).json["delivered"], "one that is not active can be tried")
    away = daemon.api.post("/v1/webhooks", {"url": "http://10.1.2.3/"}).json
    contains(daemon.api.post(f"/v1/webhooks/{away['id']}/test").json["error"], "10.1.2.3", "the guard holds here too")
    daemon.api.delete(f"/v1/webhooks/{away['id']}")
    daemon.api.delete(f"/v1/webhooks/{made['id']}")
    equal(daemon.api.post(path).code, "WebhookNotFound", "one that is gone is not")


run(globals(), daemon)
