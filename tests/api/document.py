#!/usr/bin/python3
"""openapi.json itself: every operation says what it is for, shows what it takes and gives, and names its errors."""
import os
import re
import sys

import jsonschema

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import DOCUMENT, ROOT, equal, ok, run  # noqa: E402

SCHEMAS = DOCUMENT.json["components"]["schemas"]
OPERATIONS = {operation["operationId"]: (method, operation) for _, _, _, item in DOCUMENT.routes
              for method, operation in item.items() if method != "parameters"}
with open(os.path.join(ROOT, "core", "base", "errors.def"), encoding="utf-8") as f:
    ERRORS = re.findall(r'^ERROR\(\w+, "(\w+)", (\d+)', f.read(), re.M)

# POST operations that take no Idempotency-Key, and why.
WITHOUT_KEY = {
    "validateAgent": "changes nothing", "validateChain": "changes nothing",
    "previewSchedule": "changes nothing", "testEvents": "changes nothing",
    "backtestAgent": "changes nothing", "replayExecution": "changes nothing", "testWebhook": "changes nothing",
    "cancelExecution": "a second one finds it done", "cancelBatch": "a second one finds it done",
    "pauseSchedule": "a second one finds it done", "resumeSchedule": "a second one finds it done",
    "redeliverWebhook": "refused while it is pending", "requeueDeadLetter": "done once",
    "sendEvents": "source and id of an event are its key", "deliverHook": "id or signature of a delivery are its key",
    "redeliverHook": "another delivery each time, and listed",
    "createToken": "the token would have to be kept", "rotateToken": "the token would have to be kept",
    "rotateWebhookSecret": "another secret each time is as good", "rotateHook": "another secret each time is as good",
}
# What is met in tools, at the start, or not yet by any operation.
NO_ANSWER = {"SandboxUnavailable", "ConfigInvalid", "PluginInvalid"}


def shown(content):
    """Whether a body has an example: its own, its schema's, or, of a page, that of its items."""
    if "example" in content or "examples" in content:
        return True
    schema = DOCUMENT.follow(content["schema"])
    items = schema.get("properties", {}).get("items", {}).get("items")
    return ("examples" in schema or (items is not None and "examples" in DOCUMENT.follow(items))
            or "properties" not in schema)  # a text, or JSON of any shape


def test_every_operation_is_described():
    for name, (method, operation) in OPERATIONS.items():
        ok(operation["summary"] and operation["description"] and operation["tags"], f"{name} is described")
        bodies = list(operation.get("requestBody", {}).get("content", {}).values())
        for status, answer in operation["responses"].items():
            answer = DOCUMENT.follow(answer)
            ok(answer["description"], f"{name}: so is its answer {status}")
            bodies += answer.get("content", {}).values()
        ok(all(shown(body) for body in bodies), f"{name}: what it takes and gives is shown")
        keyed = any(p.get("$ref", "").endswith("/IdempotencyKey") for p in operation.get("parameters", []))
        if method == "post":
            ok(keyed != (name in WITHOUT_KEY), f"{name}: an Idempotency-Key, or not, as it {WITHOUT_KEY.get(name, 'makes something')}")


def test_examples_are_what_they_show():
    for name, schema in SCHEMAS.items():
        for example in schema.get("examples", []):
            problems = list(jsonschema.Draft202012Validator(schema, resolver=DOCUMENT.resolver).iter_errors(example))
            equal([p.message for p in problems], [], f"the example of {name} is one")


def test_every_error_is_named():
    said = {}
    for name, response in DOCUMENT.json["components"]["responses"].items():
        for word in re.findall(r"[A-Z][A-Za-z]+", response["description"]):
            said.setdefault(word, set()).add(name)
    ended = re.findall(r"[A-Z][A-Za-z]+", SCHEMAS["ExecutionResult"]["properties"]["errorCode"]["description"])
    for name, status in ERRORS:
        ok(name in said or name in ended or name in NO_ANSWER, f"{name} ({status}) is named where it is met")
    for word in ended[1:]:
        ok(word in dict(ERRORS), f"{word} is an error")


run(globals())
