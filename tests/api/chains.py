#!/usr/bin/python3
"""Chains: made, checked and executed; conditions, mappings, versions, what becomes of failures; they survive what
executions survive."""
import json
import os
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import ROOT, SLOW, Daemon, contains, equal, eventually, ok, run  # noqa: E402

daemon = Daemon({"executions": {"evict": "200ms"}, "log": {"level": "debug"}})
count = 0

SKILL = """return { name = "%s", version = "1.0.0", description = "of a chain", %s
  run = function(input) %s end }"""


def agent(name, body, more=""):
    return daemon.api.lua_agent(name, SKILL % (name, more, body), visibility="organization")["id"]


UPPER = agent("upper", 'return { text = input.text:upper(), length = #input.text }',
              'input = { type = "object", required = { "text" }, additionalProperties = false,'
              ' properties = { text = { type = "string" } } },')
ECHO = agent("echo", 'return input')
FAIL = agent("fail", 'error({ code = "OutOfInk", message = "no ink" })')
WAIT = agent("wait", 'return c9.wait_for("go")')
NAP = agent("nap", 'c9.sleep(0.3) return { napped = true }')


def api():
    return daemon.api


def chain(*steps, **config):
    """A new chain's id; a step is (id, agent, members)."""
    global count
    count += 1
    body = {"name": f"chain {count}", "chainConfig": {"steps": [
        {"id": id_, "agentId": agent_id, **(more[0] if more else {})} for id_, agent_id, *more in steps], **config}}
    answer = api().post("/v1/chains", body)
    if answer.status != 201:
        raise AssertionError(f"the chain is refused: {answer!r}")
    return answer.json["id"]


def execute(chain_id, input_=None, headers=None, **members):
    return api().post(f"/v1/chains/{chain_id}/execute", {"input": input_, **members}, headers)


def start(chain_id, input_=None):
    return execute(chain_id, input_, {"Prefer": "respond-async"}).json["executionId"]


def get(execution):
    return api().get(f"/v1/chain-executions/{execution}").json


def ended(execution):
    return eventually(lambda: get(execution)["status"] not in ("pending", "running") and get(execution), 20 * SLOW)


def steps(execution):
    return {step["id"]: step for step in execution["executionSteps"]}


def statuses(execution):
    return [step["status"] for step in execution["executionSteps"]]


def children(execution, agent_id=None):
    of = f"/v1/agents/{agent_id}/executions" if agent_id else "/v1/executions"
    return api().get(f"{of}?parentId={execution}&limit=200").json["items"]


# ---- what chains are ---------------------------------------------------------------------------

def test_a_chain_is_made_changed_and_deleted():
    config = {"steps": [{"id": "one", "agentId": UPPER}]}
    answer = api().post("/v1/chains", {"name": "life", "description": "of one", "chainConfig": config})
    made = answer.json
    equal((answer.status, made["status"], made["currentVersion"], made["chainConfig"]), (201, "active", "1.0.0", config),
          "it is made as it was given")
    path = f"/v1/chains/{made['id']}"
    equal(answer.headers["Location"], path, "and is where Location says")
    equal(api().get(path).json, made, "it is read back")
    equal([c["id"] for c in api().get("/v1/chains?name=life").json["items"]], [made["id"]], "it is listed")
    ok(made["id"] not in [a["id"] for a in api().get("/v1/agents?limit=200").json["items"]], "and no agent")
    equal(api().get(f"/v1/agents/{made['id']}").json["error"]["code"], "AgentNotFound", "nor got as one")
    equal(api().post(f"/v1/agents/{made['id']}/archive").json["error"]["code"], "AgentNotFound", "nor archived as one")
    equal([api().get(f"/v1/chains/life{more}").status for more in ("", "/executions", "/optimize")], [200] * 3,
          "its name does where its id does")
    equal(api().get("/v1/chains/life/optimize").json["chainId"], made["id"], "and the answer has its id")
    equal(execute("life", {"text": "x"}).json["chainId"], made["id"], "also to execute it")
    equal([api().get(f"/v1/chains/{name}").json["error"]["code"] for name in ("upper", "nobody")],
          ["ChainNotFound"] * 2, "but an agent's name does not, nor one that nobody has")
    tag = answer.headers["ETag"]
    changed = api().patch("/v1/chains/life", {"chainConfig": {"timeout": 5000}}, {"If-Match": tag})
    equal((changed.status, changed.json["chainConfig"], changed.json["currentVersion"]),
          (200, {**config, "timeout": 5000}, "2.0.0"), "a patch makes a version more")
    equal(api().patch(path, {"name": "x"}, {"If-Match": tag}).status, 412, "an old ETag is refused")
    equal(api().patch(path, {"description": None}).json["currentVersion"], "3.0.0", "the description is a part of it")
    again = api().post("/v1/chains", {"name": "life", "chainConfig": config})
    equal(again.json["error"]["code"], "DuplicateName", "names are unique")
    equal(api().post("/v1/chains", {"name": "upper", "chainConfig": config}).json["error"]["code"], "DuplicateName",
          "among chains and agents")
    off = api().patch(path, {"status": "inactive"}).json
    equal((off["status"], off["currentVersion"]), ("inactive", "3.0.0"), "a status is no version")
    equal(execute(made["id"], {"text": "x"}).json["error"]["code"], "InvalidState", "what is inactive is not executed")
    api().patch(path, {"status": "deprecated"})
    equal(execute(made["id"], {"text": "x"}).json["warnings"][0]["code"], "Deprecated", "what is deprecated warns")
    equal(api().delete(path).status, 204, "it is deleted")
    equal(api().get(path).json["error"]["code"], "ChainNotFound", "and gone")
    rows = api().get(f"/v1/audit?resourceId={made['id']}").json["items"]
    equal(sorted({row["operation"] for row in rows}), ["createChain", "deleteChain", "updateChain"],
          "each change is in the audit log")


def test_the_same_request_makes_one():
    body = {"name": "once", "chainConfig": {"steps": [{"id": "one", "agentId": UPPER}]}}
    first, second = (api().post("/v1/chains", body, {"Idempotency-Key": "once"}) for _ in range(2))
    equal((second.status, second.json), (201, first.json), "with one Idempotency-Key")


def problems(config):
    answer = api().post("/v1/chains/validate", config).json
    return answer["valid"], {e["path"]: e["message"] for e in answer["errors"]}


def test_all_problems_are_told_at_once():
    valid, found = problems({
        "steps": [
            {"id": "a", "agentId": UPPER, "inputMapping": {"txt": "$.input.t"}},
            {"id": "a", "agentId": "nobody"},
            {"id": "b", "agentId": ECHO, "version": "^9", "condition": "$.input.n >"},
            {"id": "c", "agentId": ECHO, "inputMapping": {"x": "$.steps.d.output", "y": "$.steps.zz.output",
                                                           "z": "$.vars.none", "w": "=[1,", "v": "$.inputs.x"}},
            {"id": "d", "agentId": ECHO, "onError": {"strategy": "fallback"}, "outputMapping": {"$": "$.output"}},
            {"id": "e", "agentId": ECHO, "onError": {"strategy": "fallback", "fallbackStep": "e"},
             "condition": "$.output.x == 1", "inputMapping": {"a": "=1", "a.b": "=2"}}],
        "limits": {"tokens": -1}, "output": {"o": "$.steps.q.status"}})
    ok(not valid, "the configuration is not valid")
    for path, part in (
            ("/steps/0/inputMapping", "'text'"), ("/steps/0/inputMapping/txt", "no member"), ("/steps/1/id", "another"),
            ("/steps/1/agentId", "does not exist"), ("/steps/2/version", "^9"), ("/steps/2/condition", "column 12"),
            ("/steps/3/inputMapping/x", "not run"), ("/steps/3/inputMapping/y", "zz"),
            ("/steps/3/inputMapping/z", "$.vars.none"), ("/steps/3/inputMapping/w", "column 2"),
            ("/steps/3/inputMapping/v", "$.inputs"), ("/steps/4/onError/fallbackStep", "needed"),
            ("/steps/4/outputMapping/$", "variable"), ("/steps/5/onError/fallbackStep", "itself"),
            ("/steps/5/condition", "outputMapping"), ("/steps/5/inputMapping/a.b", "part"), ("/limits/tokens", ""),
            ("/output/o", "q")):
        contains(found.get(path), part, f"{path} is told: {found.get(path)}")
    valid, found = problems({"steps": [{"id": "a b", "agentId": ECHO, "what": 1}], "timeout": 0})
    equal(sorted(found), ["/steps/0/id", "/steps/0/what", "/timeout"], "so are shapes")
    equal(problems({})[0], False, "without steps it is none")
    equal(problems({"steps": [{"id": "a", "agentId": "echo"}]}), (True, {}), "agents may be named")
    answer = api().post("/v1/chains", {"name": "bad", "chainConfig": {"steps": [{"id": "a", "agentId": "nobody"}]}})
    equal((answer.status, answer.json["error"]["code"], answer.json["error"]["details"]["validationErrors"][0]["path"]),
          (422, "InvalidChain", "/chainConfig/steps/0/agentId"), "what is not valid is not made")


def test_a_chain_does_not_come_to_itself():
    inner = chain(("x", ECHO))
    outer = chain(("y", inner))
    equal(execute(outer, 7).json["output"], 7, "a chain may be a step")
    for step in (inner, outer):
        answer = api().patch(f"/v1/chains/{inner}", {"chainConfig": {"steps": [{"id": "x", "agentId": step}]}})
        contains(answer.json["error"]["details"]["validationErrors"][0]["message"], "chain",
                 "but not one that comes to it again")


# ---- what they do ------------------------------------------------------------------------------

def test_outputs_flow_from_step_to_step():
    answer = execute(chain(("up", UPPER), ("again", ECHO)), {"text": "ink"})
    equal((answer.status, answer.json["status"], answer.json["output"]),
          (200, "completed", {"text": "INK", "length": 3}), "without mappings an output is the next input")
    equal([(s["id"], s["status"], s["output"]) for s in answer.json["executionSteps"]],
          [("up", "completed", {"text": "INK", "length": 3}), ("again", "completed", {"text": "INK", "length": 3})],
          "the result has the steps")
    shown = get(answer.json["executionId"])
    equal((shown["status"], shown["inputData"], shown["outputData"]),
          ("completed", {"text": "ink"}, {"text": "INK", "length": 3}), "so has the execution")
    first = steps(shown)["up"]
    equal((first["agentId"], first["agentVersion"], first["attempt"]), (UPPER, "1.0.0", 1), "with agent and version")
    child = api().get(f"/v1/executions/{first['executionId']}").json
    equal((child["agentId"], child["parentId"], child["executionContext"]["label"]), (UPPER, shown["id"], "up"),
          "each step is an execution of its agent")
    ok(first["startedAt"] <= first["completedAt"], "and times")
    equal(api().get(f"/v1/chain-executions/{first['executionId']}").json["error"]["code"], "ChainNotFound",
          "a step's execution is of no chain")


def test_mappings_make_inputs_variables_and_outputs():
    made = execute(chain(
        ("up", UPPER, {"inputMapping": {"text": "$.input.items[1]['a b']"}, "outputMapping": {"up.text": "$.output.text"}}),
        ("all", ECHO, {"inputMapping": {
            "who.name": "$.vars.up.text", "whole": "$.steps.up.output", "list": "=[1, {\"x\": null}]",
            "greeting": "Dear {{ $.input.name }}, {{$.steps.up.output.length}} of {{$.vars.up}}{{$.input.none}}",
            "absent": "$.input.none", "was": "$.steps.up.status", "before": "$.previous.length"}}),
        output={"answer": "$.steps.all.output", "n": "$.vars.up.text"}),
        {"items": [0, {"a b": "ink"}], "name": "Ann"}).json
    equal(made["output"], {"n": "INK", "answer": {
        "who": {"name": "INK"}, "whole": {"text": "INK", "length": 3}, "list": [1, {"x": None}],
        "greeting": 'Dear Ann, 3 of {"text":"INK"}', "was": "completed", "before": 3}}, "everything is where it belongs")
    whole = execute(chain(("w", ECHO, {"inputMapping": {"$": "$.input.list"}}), output={"$": "$.steps.w.output[2]"}),
                    {"list": ["a", "b", "c"]}).json
    equal(whole["output"], "c", "a target may be the whole")
    equal(execute(chain(("w", ECHO), output={"$": "$.input.none"}), {}).json["output"], None, "nothing is null")


CONDITIONS = [  # a condition, whether it holds for the input below
    ("$.input.n > 2", True), ("$.input.n > 3", False), ("$.input.n>=3", True), ("$.input.n < 3.5", True),
    ("$.input.n <= 2", False), ("$.input.n == 3.0", True), ("$.input.n != 3", False), ("$.input.s == \"x\\u0041\"", True),
    ("$.input.s == 'xA'", True), ("$.input.s < 'y'", True), ("$.input.s > 1", False), ("$.input.none == null", True),
    ("$.input.nil == null", True), ("exists($.input.nil)", False), ("exists($.input.n)", True), ("$.input.no", False),
    ("not $.input.no", True), ("not not $.input.n", True), ("$.input.n == 3 and $.input.s == 'q'", False),
    ("$.input.n == 9 or $.input.s == 'xA'", True), ("$.input.n == 3 or $.input.n == 4 and $.input.no", True),
    ("($.input.n == 3 or $.input.n == 4) and $.input.no", False), ("$.input.list == $.input.list", True),
    ("$.input.list[1] == 2", True), ("$.input.list[7] == 2", False), ("$.input.n.deep.er == 1", False),
    ("$.input[\"a.b\"] == true", True), ("$.input.n == -3", False), ("$.previous.n == 3", True), ("$.input.and == 1", True),
]
NO_CONDITIONS = [  # and the column that is wrong
    ("", 0), ("$", 2), ("$.input.n =", 11), ("$.input.n == ", 14), ("$.input.n == 3 and", 19), ("(1 == 1", 8),
    ("1 == 1)", 7), ("exists $.input", 8), ("exists(3)", 8), ("'open", 1), ("$.input..n", 9), ("$.input[x]", 9),
    ("$.input[1", 10), ("foo", 1), ("1 == 1 1", 8), ("\"\\q\"", 1), ("1 == 01", 6), ("$.input.n == 1 == 1", 16),
    ("(" * 40 + "1" + ")" * 40, 31),
]


def test_conditions_hold_or_not():
    given = {"n": 3, "s": "xA", "nil": None, "no": False, "list": [1, 2], "a.b": True, "and": 1}
    # One execution for all of them: each in a step side by side with the others.
    made = execute(chain(*[(f"s{i}", ECHO, {"condition": text, "parallel": "all", "inputMapping": {"i": f"={i}"}})
                           for i, (text, _) in enumerate(CONDITIONS)]), given).json
    for (text, holds), step in zip(CONDITIONS, made["executionSteps"]):
        equal((step["status"], step.get("reason")), ("completed", None) if holds else ("skipped", "condition"),
              f"{text} {'holds' if holds else 'does not hold'}")
    for text, column in NO_CONDITIONS:
        _, found = problems({"steps": [{"id": "a", "agentId": ECHO, "condition": text}]})
        contains(found.get("/steps/0/condition"), f"column {column}:" if column else "", f"{text[:20]} is none")


def test_a_step_that_is_skipped_leaves_what_was_before():
    made = execute(chain(("up", UPPER), ("no", FAIL, {"condition": "$.steps.up.output.length > 10"}), ("end", ECHO)),
                   {"text": "ink"}).json
    equal((made["output"]["text"], [s["status"] for s in made["executionSteps"]]),
          ("INK", ["completed", "skipped", "completed"]), "the step behind it gets the output before it")


def test_steps_of_one_group_run_side_by_side():
    made = execute(chain(*[(f"s{i}", NAP, {"parallel": "naps"}) for i in range(8)], ("end", ECHO)), {})
    waited = [steps(get(made.json["executionId"]))[f"s{i}"] for i in range(8)]
    ok(max(s["startedAt"] for s in waited) < min(s["completedAt"] for s in waited), "all began before one ended")
    equal(made.json["output"], {"napped": True}, "and the next one waited for them")


# ---- what becomes of failures --------------------------------------------------------------------

def test_a_failed_step_ends_the_chain():
    made = execute(chain(("up", UPPER), ("bad", FAIL), ("end", ECHO)), {"text": "ink"}).json
    equal((made["status"], made["errorCode"], [s["status"] for s in made["executionSteps"]]),
          ("failed", "ChainExecutionFailed", ["completed", "failed", "pending"]), "the rest does not run")
    details = made["errorDetails"]["details"]
    equal((details["stepId"], details["agentId"], details["error"]["code"]), ("bad", FAIL, "ExecutionFailed"),
          "the error says which step")
    contains(made["error"], "no ink", "and why")
    equal(api().get(f"/v1/executions/{details['executionId']}").json["agentId"], FAIL, "and which execution")


def test_strategies():
    on = {"errorHandling": {"strategy": "continue"}}
    made = execute(chain(("up", UPPER), ("bad", FAIL), ("end", ECHO, {"inputMapping": {
        "last": "$.previous.text", "why": "$.steps.bad.error.code", "how": "$.steps.bad.status"}}), **on),
        {"text": "ink"}).json
    equal((made["status"], made["output"]), ("completed", {"last": "INK", "why": "ExecutionFailed", "how": "failed"}),
          "continue: the chain goes on without it")
    made = execute(chain(("up", UPPER), ("bad", FAIL, {"onError": {"strategy": "fallback", "fallbackStep": "sorry"},
                                                       "outputMapping": {"said": "$.output.text"}}),
                         ("sorry", ECHO, {"inputMapping": {"text": "sorry: {{$.error.message}}", "was": "$.previous"}}),
                         ("end", ECHO, {"inputMapping": {"got": "$.previous", "said": "$.vars.said",
                                                         "bad": "$.steps.bad.output.text"}})),
                   {"text": "ink"}).json
    equal(made["status"], "completed", "fallback: another step takes its place")
    contains(made["output"]["got"]["text"], "no ink", "which knows the error")
    equal((made["output"]["got"]["was"]["text"], made["output"]["said"]), ("INK", made["output"]["bad"]),
          "its input, and gives its output")
    equal([s["status"] for s in made["executionSteps"]], ["completed", "failed", "completed", "completed"],
          "and is run in its place alone")
    made = execute(chain(("up", UPPER), ("sorry", ECHO), errorHandling={"strategy": "fallback", "fallbackStep": "sorry"}),
                   {"text": "ink"}).json
    equal([s["status"] for s in made["executionSteps"]], ["completed", "pending"], "or not at all")
    made = execute(chain(("bad", FAIL), ("sorry", FAIL), errorHandling={"strategy": "fallback", "fallbackStep": "sorry"})).json
    equal((made["errorCode"], made["errorDetails"]["details"]["stepId"]), ("ChainExecutionFailed", "sorry"),
          "when that fails too, the chain does")
    made = execute(chain(("bad", FAIL, {"onError": {"strategy": "stop"}}), **on)).json
    equal(made["status"], "failed", "a step's own strategy goes first")


def test_a_failed_step_is_tried_again():
    policy = {"maxAttempts": 3, "backoffMs": 10}
    made = execute(chain(("bad", FAIL, {"retryPolicy": policy}))).json
    equal((made["status"], made["executionSteps"][0]["attempt"], len(children(made["executionId"], FAIL))), ("failed", 3, 3),
          "as often as its policy says")
    for on, tries in (("ExecutionTimeout", 1), ("ExecutionFailed", 3)):
        made = execute(chain(("bad", FAIL), retryPolicy={**policy, "retryOn": [on]})).json
        equal(len(children(made["executionId"], FAIL)), tries, f"on {on} alone: {tries}")
    made = execute(chain(("bad", UPPER), retryPolicy=policy), {"none": 1}).json
    equal((made["errorDetails"]["details"]["error"]["code"], len(children(made["executionId"]))), ("InvalidInput", 0),
          "what is hopeless is not tried again")
    inner = chain(("bad", FAIL))
    made = execute(chain(("inner", inner), retryPolicy=policy)).json
    equal(len(children(made["executionId"], inner)), 3, "a chain that failed as a step is")


def test_time_is_bounded():
    made = execute(chain(("w", WAIT, {"timeout": 300}))).json
    equal((made["errorCode"], made["errorDetails"]["details"]["error"]["code"]), ("ChainExecutionFailed", "ExecutionTimeout"),
          "a step's timeout fails the step")
    child = made["errorDetails"]["details"]["executionId"]
    equal(eventually(lambda: api().get(f"/v1/executions/{child}").json["status"] == "cancelled"), True,
          "its execution is cancelled")
    made = execute(chain(("w", WAIT, {"onError": {"strategy": "continue"}}), ("end", ECHO), timeout=1300)).json
    equal((made["status"], made["errorCode"], made["errorDetails"]["details"]["stepId"]), ("failed", "ExecutionTimeout", "w"),
          "the chain's ends it, whatever the strategy")
    made = execute(chain(("bad", FAIL), retryPolicy={"maxAttempts": 9, "backoffMs": 60000}, timeout=500)).json
    equal(made["errorCode"], "ExecutionTimeout", "also in a pause")


# ---- versions --------------------------------------------------------------------------------------

def test_versions_are_found_when_a_step_runs():
    of = agent("versioned", "return 1")

    def publish(version, body):
        skill = api().skill((SKILL % ("versioned", "", body)).replace('"1.0.0"', f'"{version}"'))
        api().post(f"/v1/agents/{of}/versions", {"version": version})
        equal(api().post(f"/v1/agents/{of}/versions/{version}/publish").status, 200, f"{skill['name']} {version} is published")

    publish("1.1.0", "return 11")
    publish("2.0.0", "return 20")
    made = {ref: chain(("v", of, {"version": ref})) for ref in ("latest", "1.0.0", "^1.0", "~1.0.0")}
    api().put(f"/v1/agents/{of}/aliases/stable", {"targets": [{"version": "1.0.0"}]})
    made["stable"] = chain(("v", of, {"version": "stable"}))
    equal({ref: execute(id_).json["output"] for ref, id_ in made.items()},
          {"latest": 20, "1.0.0": 1, "^1.0": 11, "~1.0.0": 1, "stable": 1}, "latest, exact, ranges and aliases")
    publish("1.2.0", "return 12")
    api().put(f"/v1/agents/{of}/aliases/stable", {"targets": [{"version": "2.0.0"}]})
    again = {ref: execute(id_).json for ref, id_ in made.items()}
    equal({ref: a["output"] for ref, a in again.items()}, {"latest": 12, "1.0.0": 1, "^1.0": 12, "~1.0.0": 1, "stable": 20},
          "are what they are by then")
    equal(again["^1.0"]["executionSteps"][0]["agentVersion"], "1.2.0", "and the step says which it was")
    equal(problems({"steps": [{"id": "a", "agentId": of, "version": "3.0.0"}]})[0], False, "what is not there is told")


def test_a_chain_runs_by_version_and_schedule():
    made = chain(("a", ECHO, {"inputMapping": {"v": "=1"}}))
    api().patch(f"/v1/chains/{made}", {"chainConfig": {"steps": [{"id": "a", "agentId": ECHO, "inputMapping": {"v": "=2"}}]}})
    equal([execute(made, version=v).json["output"]["v"] for v in ("1.0.0", "^1.0", "latest", "2.0.0")], [1, 1, 2, 2],
          "each edit is a version")
    equal(execute(made, version="draft").json["error"]["code"], "InvalidRequest", "there is no draft")
    plan = api().post(f"/v1/agents/{made}/schedules", {"cronExpression": "0 0 1 1 *", "version": "^1.0"}).json
    run_ = api().post(f"/v1/schedules/{plan['id']}/run").json
    equal(ended(run_["executionId"])["outputData"], {"v": 1}, "a schedule runs a chain, by a range")


# ---- as any other execution ---------------------------------------------------------------------

def test_keys_streams_and_lists():
    made = chain(("up", UPPER), ("no", FAIL, {"condition": "false"}))
    key = {"Idempotency-Key": "chain-1"}
    first, second = execute(made, {"text": "a"}, key), execute(made, {"text": "a"}, key)
    equal((first.json["executionId"], second.headers.get("Idempotent-Replayed")), (second.json["executionId"], "true"),
          "one key is one execution")
    stream = api().stream("POST", f"/v1/chains/{made}/execute", {"input": {"text": "b"}})
    events = list(stream)
    told = [(e.data["value"]["chainStep"]["id"], e.data["value"]["chainStep"]["status"]) for e in events if e.type == "emit"]
    equal(told, [("up", "running"), ("up", "completed"), ("no", "skipped")], "a stream tells of the steps")
    equal(events[-1].type, "end", "and of the end")
    page = api().get(f"/v1/chains/{made}/executions").json["items"]
    equal([p["status"] for p in page], ["completed", "completed"], "executions are listed")
    equal(len(api().get(f"/v1/chains/{made}/executions?status=failed").json["items"]), 0, "by status")
    equal(execute("0198c0de-7a11-7c0d-8e1f-0123456789ab").json["error"]["code"], "ChainNotFound", "no chain, no execution")
    equal(execute(ECHO).json["error"]["code"], "ChainNotFound", "an agent is none")
    later = execute(made, {"text": "c"}, {"Prefer": "respond-async"})
    equal((later.status, ended(later.json["executionId"])["status"]), (202, "completed"), "or comes later")


def test_a_chain_is_cancelled():
    execution = start(chain(("w", WAIT), ("end", ECHO)))
    child = eventually(lambda: children(execution))[0]["id"]
    equal(eventually(lambda: get(execution)["executionSteps"][0].get("executionId")), child, "the step that runs is known")
    equal(api().post(f"/v1/executions/{execution}/cancel").status, 202, "it is cancelled as any execution")
    done = ended(execution)
    equal((done["status"], statuses(done)), ("cancelled", ["cancelled", "pending"]), "with the step that ran")
    ok(eventually(lambda: api().get(f"/v1/executions/{child}").json["status"] == "cancelled"), "and its execution")


def test_a_chain_that_waits_has_no_process():
    execution = start(chain(("up", UPPER), ("w", WAIT), ("end", ECHO)), {"text": "ink"})
    child = eventually(lambda: children(execution, WAIT))[0]["id"]

    def evicted(id_):
        return any("execution.evicted" in line and id_ in line for line in daemon.log().splitlines())

    ok(eventually(lambda: evicted(execution) and evicted(child)), "neither the chain nor the step has one")
    equal(get(execution)["status"], "running", "it runs on")
    api().post(f"/v1/executions/{child}/signals/go", {"payload": 5})
    done = ended(execution)
    equal((done["status"], done["outputData"], statuses(done)), ("completed", 5, ["completed"] * 3), "and comes back")
    equal([len(children(execution, a)) for a in (UPPER, WAIT, ECHO)], [1, 1, 1], "each step ran once")


def test_a_chain_survives_kill():
    made = chain(("up", UPPER), ("nap", NAP, {"inputMapping": {"x": "$.steps.up.output"}}), ("w", WAIT),
                 ("end", ECHO, {"inputMapping": {"w": "$.previous", "up": "$.steps.up.output.text"}}), timeout=600000)
    execution = start(made, {"text": "ink"})
    eventually(lambda: children(execution, NAP))
    daemon.kill()
    daemon.start()
    child = eventually(lambda: children(execution, WAIT))[0]["id"]
    daemon.kill()
    daemon.start()
    api().post(f"/v1/executions/{child}/signals/go", {"payload": "on"})
    done = ended(execution)
    equal((done["status"], done["outputData"]), ("completed", {"w": "on", "up": "INK"}), "it goes on where it was")
    equal([len(children(execution, a)) for a in (UPPER, NAP, WAIT, ECHO)], [1, 1, 1, 1], "each step ran once")
    equal(statuses(done), ["completed"] * 4, "and is told of once")
    equal(len(api().get(f"/v1/chains/{made}/executions").json["items"]), 1, "one execution")


def test_a_failed_chain_is_tried_again():
    made = start(chain(("up", UPPER), ("w", WAIT, {"timeout": 400}), ("end", ECHO)), {"text": "ink"})
    equal(ended(made)["status"], "failed", "it fails")
    for how, body, runs in (("retry", {}, 1), ("fork", {"step": 2}, 0)):
        again = api().post(f"/v1/executions/{made}/{how}", body).json["executionId"]
        child = eventually(lambda: children(again, WAIT))[0]["id"]
        api().post(f"/v1/executions/{child}/signals/go", {"payload": 1})
        done = ended(again)
        equal((done["status"], done["outputData"], len(children(again, UPPER))), ("completed", 1, runs),
              f"{how}: from {'the start' if runs else 'the step that failed'}")
        equal((statuses(done), steps(done)["up"]["output"]["text"]), (["completed"] * 3, "INK"), "its steps are known")


def test_the_tables_say_the_same():
    made = execute(chain(("up", UPPER)), {"text": "ink"}).json
    database = sqlite3.connect(f"file:{daemon.folder}/state/c9d.db?mode=ro", uri=True)
    row = database.execute("SELECT chain_id, status, output_data, json_array_length(execution_steps), triggered_by IS NOT NULL"
                           " FROM chain_executions WHERE id = ?", (made["executionId"],)).fetchone()
    database.close()
    equal(row, (made["chainId"], "completed", '{"length":3,"text":"INK"}', 2, 1), "a row of chain_executions is the execution")


# ---- who may, and what could be better -----------------------------------------------------------

def account(role):
    user = api().post("/v1/users", {"name": role, "kind": "service", "role": role}).json["id"]
    return api().with_token(api().post("/v1/tokens", {"name": role, "scopes": ["admin"], "userId": user}).json["token"])


def test_steps_run_for_the_caller():
    secret = daemon.api.lua_agent("secret", SKILL % ("secret", "", "return 1"), visibility="private")["id"]
    made = chain(("s", secret))
    member, viewer = account("member"), account("viewer")
    equal(api().post(f"/v1/chains/{made}/execute", {}).json["output"], 1, "who may execute the agent may run the chain")
    answer = member.post(f"/v1/chains/{made}/execute", {}).json
    equal((answer["errorCode"], answer["errorDetails"]["details"]["error"]["code"]), ("ChainExecutionFailed", "AgentNotFound"),
          "for others the step fails")
    equal(member.post("/v1/chains", {"name": "m", "chainConfig": {"steps": [{"id": "s", "agentId": secret}]}}).status, 422,
          "nor may they make such a chain")
    equal(viewer.post(f"/v1/chains/{made}/execute", {}).json["error"]["code"], "InsufficientPermissions",
          "viewers do not execute")
    equal(member.patch(f"/v1/chains/{made}", {"name": "mine"}).json["error"]["code"], "InsufficientPermissions",
          "members change their own")
    own = member.post("/v1/chains", {"name": "m", "chainConfig": {"steps": [{"id": "s", "agentId": ECHO}]}}).json["id"]
    equal(member.patch(f"/v1/chains/{own}", {"name": "mine"}).json["name"], "mine", "which they do")


def test_a_token_for_one_chain():
    made, other = chain(("a", ECHO)), chain(("a", ECHO))
    one = api().with_token(api().post("/v1/tokens", {"name": "one", "scopes": [f"agents:execute:{made}"]}).json["token"])
    equal(one.post(f"/v1/chains/{made}/execute", {"input": 1}).json["output"], 1, "executes that one")
    equal(one.post(f"/v1/chains/{other}/execute", {}).json["error"]["code"], "AgentAccessDenied", "and no other")


def test_what_belongs_to_its_agent():
    made = chain(("a", ECHO))
    equal([v["version"] for v in api().get(f"/v1/agents/{made}/versions").json["items"]], ["1.0.0"], "its edits are listed")
    api().put(f"/v1/agents/{made}/aliases/stable", {"targets": [{"version": "1.0.0"}]})
    equal(execute(made, 3, version="stable").json["output"], 3, "an alias names one of them")
    equal(api().post(f"/v1/agents/{made}/versions", {}).json["error"]["code"], "AgentNotFound", "none is made there")
    equal(api().post(f"/v1/agents/{made}/versions/1.0.0/rollback").json["error"]["code"], "AgentNotFound", "nor made current")
    equal(api().execute(made, 4).json["output"], 4, "it is executed as an agent, too")
    batch = api().post(f"/v1/agents/{made}/batches", {"inputs": [1, 2]}).json["id"]
    ok(eventually(lambda: [e["status"] for e in api().get(f"/v1/batches/{batch}/executions").json["items"]] == ["completed"] * 2),
       "and in batches")


def suggestions(made):
    answer = api().get(f"/v1/chains/{made}/optimize").json
    return answer, {(s["kind"], s.get("stepId")): s["evidence"] for s in answer["suggestions"]}


def test_what_could_be_better():
    made = chain(("nap", NAP), ("up", UPPER, {"inputMapping": {"text": "$.input.text"}}),
                 ("bad", FAIL, {"onError": {"strategy": "continue"}}),
                 ("never", ECHO, {"condition": "$.input.text == 'x'", "inputMapping": {"t": "$.steps.up.output"}}),
                 ("always", ECHO, {"condition": "exists($.input.text)", "version": "^1.0",
                                   "inputMapping": {"t": "$.steps.up.output"}}),
                 output={"t": "$.steps.always.output"})
    equal(suggestions(made)[0]["executions"], 0, "nothing ran yet")
    for _ in range(6):
        execute(made, {"text": "ink"})
    whole, found = suggestions(made)
    equal(whole["executions"], 6, "all executions are looked at")
    equal([(s["id"], s["runs"], s["failed"], s["skipped"]) for s in whole["steps"]],
          [("nap", 6, 0, 0), ("up", 6, 0, 0), ("bad", 6, 6, 0), ("never", 0, 0, 6), ("always", 6, 0, 0)], "each step is counted")
    for key in (("unusedOutput", "nap"), ("parallel", "up"), ("retry", "bad"), ("conditionNeverHeld", "never"),
                ("conditionAlwaysHeld", "always"), ("pinVersion", "always"), ("dominatesTime", "nap")):
        ok(key in found, f"{key[0]} is suggested for {key[1]}")
    equal(found.get(("retry", "bad")), {"runs": 6, "failed": 6, "failedPercent": 100}, "with the figures")
    ok(("unusedOutput", "up") not in found and ("parallel", "never") in found, "and nothing that is not so")


def test_the_example_of_the_docs():
    with open(os.path.join(ROOT, "docs", "chains.md"), encoding="utf-8") as f:
        body = json.loads(f.read().partition("```json\n")[2].partition("```")[0])
    agent("classifier", 'return { topic = "orders", urgency = #input.text > 5 and 0.9 or 0.1 }')
    agent("archive", 'return { "about " .. input.query }')
    agent("customers", 'if input.id == 7 then return { name = "Ann" } end return {}')
    agent("writer", 'if input.tone and input.name == "Ann" then error("no ink") end return input.facts')
    made = api().post("/v1/chains", body)
    equal((made.status, made.json.get("error")), (201, None), "it is a chain")
    answer = execute(made.json["id"], {"message": "My order is lost", "customer": 7}).json
    equal([s["status"] for s in answer["executionSteps"]], ["completed"] * 3 + ["failed", "completed"], "it runs as it says")
    contains(answer["output"]["letter"], "We are late: ", "with another step in the place of one that failed")
    answer = execute(made.json["id"], {"message": "lost", "customer": 8}).json
    equal(answer["output"], {"topic": "orders", "letter": {}}, "or without one whose condition does not hold")


def test_a_large_chain():
    n = 300
    made = chain(*[(f"s{i}", ECHO) for i in range(n)])
    began = time.monotonic()
    answer = execute(made, {"x": 1}).json
    equal((answer["status"], answer.get("output"), len(answer["executionSteps"])), ("completed", {"x": 1}, n),
          f"{n} steps run, in {time.monotonic() - began:.1f} s")


run(globals(), daemon)
