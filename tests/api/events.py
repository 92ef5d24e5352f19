#!/usr/bin/python3
"""Events: CloudEvents in their three shapes, which agents they start, and that each starts them once."""
import base64
import concurrent.futures
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import Daemon, contains, equal, eventually, note, ok, run  # noqa: E402

daemon = Daemon({"events": {"batch": 5}})
api = daemon.api
STRUCTURED = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
ECHO = ('return { name = "echo", version = "1.0.0", description = "d", run = function(input) '
        'return input end }')


def waits(name, *events, **config):
    return api.lua_agent(name, ECHO, triggerMode="event", triggerConfig={"events": list(events)}, **config)


orders = waits("orders", {"type": "com.example.order.*", "source": "/shop/#",
                          "filter": {"not": {"exact": {"subject": "test"}}}, "input": "/data"})
every = waits("every", {"type": "com.example.#"})
big = waits("big", {"type": "com.example.order.created", "input": "/data/total", "filter": {
    "any": [{"data": {"/total": 100}}, {"all": [{"prefix": {"subject": "vip-"}}, {"suffix": {"subject": "-x"}}]}]}},
    inputSchema={"type": "integer", "minimum": 10})
counter = iter(range(1000000))


def event(**members):
    return {"specversion": "1.0", "id": f"e{next(counter)}", "source": "/shop/berlin",
            "type": "com.example.order.created", "data": {"total": 1}, **members}


def send(*events, path="/v1/events"):
    if len(events) == 1:
        return api.request("POST", path, json.dumps(events[0]), STRUCTURED)
    return api.request("POST", path, json.dumps(events), BATCH)


def started(answer, n=0):
    return {m["agentId"]: m.get("executionId") for m in answer.json["items"][n]["matches"]}


def agents(answer, n=0):
    names = {a["id"]: name for name, a in (("orders", orders), ("every", every), ("big", big))}
    return sorted(names[i] for i in started(answer, n))


def test_structured():
    one = event(data={"total": 7}, subject="o-1", time="2026-01-31T12:00:00Z", traceid="a", n=3)
    answer = send(one)
    equal((answer.status, agents(answer)), (202, ["every", "orders"]), "an event starts who waits for it")
    execution = started(answer)[orders["id"]]
    done = eventually(lambda: (lambda e: e if e["status"] == "completed" else None)(
        api.get(f"/v1/executions/{execution}").json))
    equal(done["outputData"], {"total": 7}, "with the part it asks for")
    equal(done["executionContext"]["trigger"], {"type": "event", "eventId": answer.json["items"][0]["id"]},
          "and the context says what started it")
    whole = api.get(f"/v1/executions/{started(answer)[every['id']]}").json
    equal(whole["inputData"], one, "or with the whole event")
    kept = api.get(f"/v1/events/{answer.json['items'][0]['id']}").json
    equal((kept["event"], len(kept["matches"])), (one, 2), "the event and its matches are kept")
    ok(eventually(lambda: all(m["executionStatus"] == "completed" for m in
                              api.get(f"/v1/events/{kept['id']}").json["matches"])), "with how they ended")


def test_once():
    one = event()
    first, again = send(one), send({**one, "data": {"other": 1}})
    ok(again.json["items"][0]["duplicate"] and not first.json["items"][0]["duplicate"],
       "the same source and id again is a duplicate")
    equal(started(again), started(first), "that starts nothing")
    ok(not send({**one, "source": "/shop/rom"}).json["items"][0]["duplicate"], "of another source it is another")
    race = event()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.fresh().request("POST", "/v1/events", json.dumps(race), STRUCTURED),
                                range(8)))
    equal([a.status for a in answers], [202] * 8, "eight at a time are all acknowledged")
    equal(len({json.dumps(started(a), sort_keys=True) for a in answers}), 1, "with the same executions")
    twice = event()
    batch = send(twice, twice)
    equal([i["duplicate"] for i in batch.json["items"]], [False, True], "also within a batch")


def test_at_once():
    """What agents wait for is kept in memory, and never older than the last change."""
    def starts(agent):
        return started(send(event(type="com.example.late"))).get(agent["id"]) is not None
    soon = waits("soon", {"type": "com.example.late"})
    ok(starts(soon), "a new agent gets the next event")
    gone = waits("gone", {"type": "com.example.late"})
    ok(starts(gone) and starts(soon), "so does another one")
    for agent in (gone, soon):
        ok(eventually(lambda a=agent: api.delete(f"/v1/agents/{a['id']}?force=true").status == 204), "one is deleted")
        ok(not starts(agent), "and gets none any more")


def test_survives():
    one = event()
    first = send(one)
    daemon.kill()
    daemon.start()
    globals()["api"] = daemon.api
    for execution in started(first).values():
        ok(eventually(lambda: api.get(f"/v1/executions/{execution}").json["status"] == "completed"),
           "what was acknowledged is executed after a crash")
    ok(send(one).json["items"][0]["duplicate"], "and known again")


def test_matching():
    equal(agents(send(event(type="com.example.order.created.late"))), ["every"], "* is one segment")
    equal(agents(send(event(type="com.example"))), ["every"], "# is any number")
    equal(agents(send(event(type="com.examples.x"))), [], "a segment is whole")
    equal(agents(send(event(source="/shop"))), ["every", "orders"], "# is none, too")
    equal(agents(send(event(source="/shopping"))), ["every"], "of a source as well")
    equal(agents(send(event(subject="test"))), ["every"], "not")
    equal(agents(send(event(data={"total": 100.0}))), ["big", "every", "orders"], "data, equal as JSON is")
    answer = send(event(subject="vip-x", data={"total": 3}))
    refused, = [m for m in answer.json["items"][0]["matches"] if m["agentId"] == big["id"]]
    equal((refused["outcome"], refused["errorCode"]), ("failed", "InvalidInput"),
          "an input that does not fit is said where the match is")
    equal(agents(send(event(subject="vip-y"))), ["every", "orders"], "suffix")


def test_binary():
    headers = {"ce-specversion": "1.0", "ce-id": "b1", "ce-source": "/shop/b%C3%A9ziers".replace("%C3%A9", "e"),
               "ce-type": "com.example.order.created", "ce-subject": "%C3%A4 1", "Content-Type": "application/json"}
    answer = api.request("POST", "/v1/events", '{"total": 5}', headers)
    equal(answer.status, 202, "a binary message is taken")
    kept = api.get(f"/v1/events/{answer.json['items'][0]['id']}").json["event"]
    equal((kept["data"], kept["subject"], kept["datacontenttype"]), ({"total": 5}, "ä 1", "application/json"),
          "with attributes from headers and data from the body")
    bytes_ = api.request("POST", "/v1/events", b"\x00\xff", {**headers, "ce-id": "b2", "Content-Type": "image/png"})
    kept = api.get(f"/v1/events/{bytes_.json['items'][0]['id']}").json["event"]
    equal(base64.b64decode(kept["data_base64"]), b"\x00\xff", "bytes are kept in base64")
    none = api.request("POST", "/v1/events", None, {k: v for k, v in headers.items() if k != "Content-Type"} |
                       {"ce-id": "b3"})
    equal(none.status, 202, "there may be no data")
    for name, change, says in (
            ("no id", {"ce-id": None}, "/id"), ("bad JSON", {}, "/data"), ("a version", {"ce-specversion": "0.3"}, "1.0"),
            ("a bad escape", {"ce-subject": "%zz"}, "percent-encoded"), ("an extension", {"ce-my_ext": "1"}, "my_ext")):
        body = "{" if name == "bad JSON" else "{}"
        answer = api.request("POST", "/v1/events", body, {**headers, "ce-id": "x", **change})
        ok(answer.code == "InvalidEvent" and says in answer.message, f"{name} is refused")
    answer = api.post("/v1/events", event())
    equal((answer.status, answer.code), (415, "UnsupportedMediaType"), "JSON that is no CloudEvent is refused")
    contains(answer.message, "application/cloudevents+json", "and it says how")


def test_refusals():
    for change, place in (({"specversion": None}, "/specversion"), ({"specversion": "0.3"}, "/specversion"),
                          ({"id": ""}, "/id"), ({"source": "a b"}, "/source"), ({"type": 1}, "/type"),
                          ({"time": "yesterday"}, "/time"), ({"datacontenttype": "json"}, "/datacontenttype"),
                          ({"dataschema": "x"}, "/dataschema"), ({"Ext": "x"}, "/Ext"), ({"ext": {}}, "/ext"),
                          ({"ext": 2**31}, "/ext"), ({"data_base64": "AA=="}, "/data_base64"),
                          ({"subject": ""}, "/subject"), ({"type": "a\nb"}, "/type")):
        answer = send(event(**change))
        places = [e["path"] for e in answer.details.get("validationErrors", [])]
        if not ok(answer.code == "InvalidEvent" and places == [place], f"{change} is refused"):
            note(answer)
    before = len(api.get("/v1/events?limit=200").json["items"])
    answer = send(event(), event(id=""))
    equal([e["path"] for e in answer.details["validationErrors"]], ["/1/id"], "a batch names which")
    equal(len(api.get("/v1/events?limit=200").json["items"]), before, "and takes none of them")
    contains(send(*[event() for _ in range(6)]).message, "[events] batch", "[events] batch bounds a batch")
    reader = api.with_token(api.post("/v1/tokens", {"name": "r", "scopes": ["agents:read"]}).json["token"])
    answer = reader.request("POST", "/v1/events", json.dumps(event()), STRUCTURED)
    equal(answer.details["requiredScope"], "agents:execute", "sending needs agents:execute")
    for trigger, place in (({}, "/triggerConfig/events"), ({"events": [{}]}, "/triggerConfig/events/0/type"),
                           ({"events": [{"type": "a.#.b"}]}, "/triggerConfig/events/0/type"),
                           ({"events": [{"type": "a.b*"}]}, "/triggerConfig/events/0/type"),
                           ({"events": [{"type": "a", "filter": {"exakt": {"id": "1"}}}]},
                            "/triggerConfig/events/0/filter/exakt"),
                           ({"events": [{"type": "a", "filter": {"not": {"all": [{}]}}}]},
                            "/triggerConfig/events/0/filter/not/all/0"),
                           ({"events": [{"type": "a", "input": "data"}]}, "/triggerConfig/events/0/input"),
                           ({"events": [{"type": "a"}], "x": 1}, "/triggerConfig/x")):
        answer = api.post("/v1/agents", {"name": "bad", "triggerMode": "event", "triggerConfig": trigger})
        places = [e["path"] for e in answer.details.get("validationErrors", [])]
        if not ok(answer.code == "InvalidAgentConfig" and places == [place], f"triggerConfig {trigger} is refused"):
            note(answer)


def test_test():
    answer = send(event(subject="o"), path="/v1/events:test")
    equal((answer.status, agents(answer)), (200, ["every", "orders"]), "a test says what would match")
    inputs = {m["agentName"]: m["input"] for m in answer.json["items"][0]["matches"]}
    equal(inputs["orders"], {"total": 1}, "with what input")
    ok("id" not in answer.json["items"][0] and "executionId" not in json.dumps(answer.json), "and takes nothing")


def test_list():
    one = send(event(type="list.me", source="/l")).json["items"][0]
    equal([e["id"] for e in api.get("/v1/events?type=list.me").json["items"]], [one["id"]], "by type")
    equal([e["id"] for e in api.get("/v1/events?source=/l").json["items"]], [one["id"]], "by source")
    equal([e["id"] for e in api.get(f"/v1/events?eventId={one['eventId']}").json["items"]], [one["id"]], "by id")
    equal(api.get("/v1/events?receivedBefore=2020-01-01T00:00:00Z").json["items"], [], "by time")
    equal(api.get("/v1/events/0198c0de-7a11-7c0d-8e1f-0123456789ab").code, "EventNotFound", "or there is none")


def test_published():
    agent = waits("late", {"type": "late.first"})
    draft = {"triggerConfig": {"events": [{"type": "late.second"}]}}
    api.patch(f"/v1/agents/{agent['id']}", draft)
    equal(len(send(event(type="late.second")).json["items"][0]["matches"]), 0, "a draft waits for nothing")
    version = api.post(f"/v1/agents/{agent['id']}/versions", {}).json["version"]
    api.post(f"/v1/agents/{agent['id']}/versions/{version}/publish")
    equal(len(send(event(type="late.second")).json["items"][0]["matches"]), 1, "publishing changes that")
    equal(len(send(event(type="late.first")).json["items"][0]["matches"]), 0, "and ends what was")
    api.delete(f"/v1/agents/{agent['id']}")


run(globals(), daemon)
