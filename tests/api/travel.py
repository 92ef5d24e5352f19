#!/usr/bin/python3
"""Time travel: replay, fork, retry, export, and a draft on recorded executions."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, SLOW, Daemon, contains, equal, eventually, ok, run  # noqa: E402
from model_server import ModelServer  # noqa: E402

models = ModelServer()
models.__enter__()
daemon = Daemon({"model default": {"plugin": "openai", "base_url": models.base_url, "model": "echo", "price_input": 1000000, "attempts": 1}})

SKILL = """return { name = "%s", version = "1.0.%d", description = "asks twice", needs = { model = { "default" } },
  run = function(input, ctx)
    local function ask(text) return c9.model.chat{ messages = { { role = "user", content = text } } }.content end
    %s
  end }"""
TWICE = """local a = ask(input.text)
    local b = ask(a .. "!")
    c9.log.info("asked")
    return { a = a, b = b, random = c9.random(1000000), uuid = c9.uuid(), at = c9.now(), id = ctx.execution.id }"""


def agent(name, body):
    return daemon.api.lua_agent(name, SKILL % (name, 0, body))["id"]


def post(path, body=None, headers=None):
    return daemon.api.post(path, body, headers)


def get(execution):
    return daemon.api.get(f"/v1/executions/{execution}").json


def ended(execution):
    return eventually(lambda: get(execution)["status"] not in ("pending", "running") and get(execution), 20 * SLOW)


def calls():
    return models.calls()["calls"]


twice = agent("twice", TWICE)
first = daemon.api.execute(twice, {"text": "hello"}).json
FIRST = first["executionId"]


def test_a_replay_is_the_same():
    before = calls()
    answer = post(f"/v1/executions/{FIRST}/replay")
    equal(answer.status, 200, "a replay answers")
    equal((answer.json["same"], answer.json["status"], answer.json["steps"]), (True, "completed", 3), "it comes out the same, by all steps")
    equal(answer.json["output"], first["output"], "with random numbers, ids and times")
    equal(calls(), before, "and the model is not asked")
    equal(answer.json["resourceUsage"]["costMicrocents"], get(FIRST)["resourceUsage"]["costMicrocents"], "it tells what it cost")
    equal(daemon.api.get("/v1/executions").json["items"][0]["id"], FIRST, "and is no execution itself")


def test_failures_are_the_same_too():
    fails = agent("fails", 'ask("x") error("on purpose")')
    execution = daemon.api.execute(fails, {}).json["executionId"]
    equal(post(f"/v1/executions/{execution}/replay").json["same"], True, "a failure is repeated")
    waits = agent("waits", 'ask("x") c9.wait_for("never")')
    execution = daemon.api.execute(waits, {}, headers={"Prefer": "respond-async"}).json["executionId"]
    eventually(lambda: daemon.api.get(f"/v1/executions/{execution}/waits").json["items"])
    running = post(f"/v1/executions/{execution}/replay")
    equal((running.status, running.code), (409, "InvalidState"), "what runs is not replayed")
    post(f"/v1/executions/{execution}/cancel")
    ended(execution)
    replayed = post(f"/v1/executions/{execution}/replay").json
    equal((replayed["same"], replayed["steps"]), (True, 1), "what was cancelled comes as far as it came")
    equal(post("/v1/executions/00000000-0000-7000-8000-000000000000/replay").code, "ExecutionNotFound", "an unknown one is not found")


def test_a_draft_that_changed_differs():
    draft = daemon.api.execute(twice, {"text": "draft"}, version="draft").json["executionId"]
    daemon.api.skill(SKILL % ("twice", 1, TWICE.replace('a .. "!"', 'a .. "?"')))
    answer = post(f"/v1/executions/{draft}/replay").json
    equal(answer["same"], False, "a changed skill differs")
    difference = answer["difference"]
    equal((difference["step"], difference["path"]), (2, "/chat/messages/0/content"), "at the step and the place")
    ok(difference["expected"].endswith("!") and difference["got"].endswith("?"), "with what was expected and what came")
    equal(post(f"/v1/executions/{FIRST}/replay").json["same"], True, "a published version does not change")


def test_a_fork_goes_its_own_way():
    before = calls()
    answer = post(f"/v1/executions/{FIRST}/fork", {"step": 2})
    equal((answer.status, answer.json["originId"]), (202, FIRST), "a fork is made")
    contains(answer.headers["Location"], answer.json["executionId"], "with its address")
    fork = ended(answer.json["executionId"])
    equal(calls(), before + 1, "from step 2: the second call is asked anew")
    equal((fork["originId"], fork["originKind"]), (FIRST, "fork"), "it names its origin")
    equal((fork["outputData"]["a"], fork["outputData"]["random"]), (first["output"]["a"], first["output"]["random"]), "with the same answer before, and the same seed")
    equal(fork["resourceUsage"]["apiCallsCount"], 1, "it pays for its own calls alone")
    journal = daemon.api.get(f"/v1/executions/{fork['id']}/journal").json["items"]
    equal([e["copied"] for e in journal], [True, False, False], "the journal says which answers are its origin's")
    before = calls()
    fork = ended(post(f"/v1/executions/{FIRST}/fork", {"input": {"text": "other"}}).json["executionId"])
    equal(calls(), before + 2, "with another input all that differs is asked")
    contains(fork["outputData"]["a"], "other", "and answered")
    before = calls()
    changed = {"answers": [{"seq": 1, "answer": {"content": "mine", "finish_reason": "stop", "usage": {"input_tokens": 0, "output_tokens": 0}}}], "step": 2}
    fork = ended(post(f"/v1/executions/{FIRST}/fork", changed).json["executionId"])
    equal((fork["outputData"]["a"], fork["outputData"]["b"]), ("mine", "echo: mine!"), "an answer can be another one")
    failed = {"answers": [{"seq": 2, "failed": True, "answer": {"code": "ModelFailed", "message": "no luck"}}]}
    fork = ended(post(f"/v1/executions/{FIRST}/fork", failed).json["executionId"])
    equal((fork["status"], fork["errorCode"]), ("failed", "ModelFailed"), "or an error")
    wrong = post(f"/v1/executions/{FIRST}/fork", {"answers": [{"seq": 9, "answer": 1}]})
    equal((wrong.status, wrong.code), (400, "InvalidRequest"), "an answer to no step is refused")
    fork = ended(post(f"/v1/executions/{FIRST}/fork", {}).json["executionId"])
    equal(fork["outputData"]["at"], first["output"]["at"], "without a step all answers are kept")
    equal(post(f"/v1/executions/{fork['id']}/replay").json["same"], True, "a fork can be replayed")


def test_retry():
    flaky = agent("flaky", 'if ask("x") == "echo: x" then error("not yet") end return "done"')
    failed = daemon.api.execute(flaky, {"n": 1}, context={"why": "test"}).json["executionId"]
    models.script({"replies": [{"match": {"contains": "x"}, "content": "better"}]})
    answer = post(f"/v1/executions/{failed}/retry", {}, {"Idempotency-Key": "again"})
    equal(answer.status, 202, "what failed is tried again")
    again = ended(answer.json["executionId"])
    models.reset()
    models.script({"replies": []})
    equal((again["status"], again["outputData"], again["originId"], again["originKind"]), ("completed", "done", failed, "retry"), "by an execution of its own")
    equal((again["inputData"], again["executionContext"].get("why")), ({"n": 1}, "test"), "with its input and context")
    equal(post(f"/v1/executions/{failed}/retry", {}, {"Idempotency-Key": "again"}).json["executionId"], again["id"], "one for each key")
    refused = post(f"/v1/executions/{FIRST}/retry", {})
    equal((refused.status, refused.code), (409, "InvalidState"), "what completed is not")


def test_an_export_replays_elsewhere():
    path = f"{daemon.folder}/execution.json"
    file = daemon.api.get(f"/v1/executions/{FIRST}/export").json
    for change, status, text in ((None, 0, "the same: completed after 3 steps"), ("source", 1, "step 2"), ("output", 1, "/output/a")):
        copy = json.loads(json.dumps(file))
        if change == "source":
            skill = copy["launch"]["skills"][0]
            skill["source"] = skill["source"].replace('a .. "!"', 'a .. "."')
        elif change == "output":
            copy["execution"]["outputData"]["a"] = "nothing"
        with open(path, "w", encoding="utf-8") as f:
            json.dump(copy, f)
        done = subprocess.run([f"{BUILD}/c9d", "replay", "-c", daemon.file, path], capture_output=True, text=True, timeout=60 * SLOW, check=False)
        equal(done.returncode, status, f"without a daemon: exit status {status} with {change or 'nothing'} changed")
        contains(done.stdout, text, "and it says why")
    for part in ("format", "seed", "launch", "journal"):
        copy = json.loads(json.dumps(file))
        copy[part] = [{}] if part == "journal" else {} if part == "launch" else "x"
        with open(path, "w", encoding="utf-8") as f:
            json.dump(copy, f)
        done = subprocess.run([f"{BUILD}/c9d", "replay", "-c", daemon.file, path], capture_output=True, text=True, timeout=60 * SLOW, check=False)
        ok(done.returncode == 1 and part.split("-")[0] in done.stderr, f"a file whose {part} is damaged is refused")


def test_a_draft_on_recorded_executions():
    backtest = agent("backtest", TWICE)
    ids = [daemon.api.execute(backtest, {"text": t}).json["executionId"] for t in ("one", "two", "three")]
    before = calls()
    report = post(f"/v1/agents/{backtest}/backtest", {}).json
    equal((report["compared"], report["same"]), (3, 3), "the draft as published comes out the same")
    daemon.api.skill(SKILL % ("backtest", 1, TWICE.replace("b = b,", "b = b:upper(),").replace('a .. "!"', 'a .. "?"')))
    report = post(f"/v1/agents/{backtest}/backtest", {"executions": 2}).json
    equal((report["compared"], report["different"]), (2, 2), "a changed draft differs on each")
    item = report["items"][0]
    equal((item["executionId"], item["changedRequests"], item["difference"]["path"]), (ids[2], 1, "/output/b"), "where, and which requests changed")
    contains(item["difference"]["message"], "/output/b: expected ", "in words, too")
    equal(item["changes"][0]["step"], 2, "at which step")
    ok(item["costMicrocents"]["after"] == item["costMicrocents"]["before"] > 0, "what it would cost, beside what it did")
    daemon.api.skill(SKILL % ("backtest", 2, TWICE + ' ' if False else 'ask("a") ask("b") ask("c") return 1'))
    item = post(f"/v1/agents/{backtest}/backtest", {"executions": 1}).json["items"][0]
    contains(item["difference"]["message"], "step 3: the journal has no answer left for model.chat", "an effect that was never recorded ends the run")
    daemon.api.skill(SKILL % ("backtest", 3, 'return 1'))
    item = post(f"/v1/agents/{backtest}/backtest", {"executions": 1}).json["items"][0]
    equal((item["unusedAnswers"], item["costMicrocents"]["after"]), (3, 0), "answers that are not needed are counted")
    equal(calls(), before, "the model is never asked")
    equal(post(f"/v1/agents/{backtest}/backtest", {"version": "9.9.9"}).code, "VersionNotFound", "an unknown version is refused")


run(globals(), daemon)
