#!/usr/bin/python3
"""The Lua 5.4 that skills may rely on: the files of tests/language, run in the real sandbox."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import ROOT, Daemon, equal, note, ok, run  # noqa: E402

FOLDER = os.path.join(ROOT, "tests", "language")
# Garbage that checks leave on purpose: the deepest recursion needs a little more than the default.
LIMITS = {"limits": {"memoryMb": 128}}
daemons = [Daemon()] + ([Daemon(user=65534)] if os.geteuid() == 0 else [])


def source(name):
    with open(os.path.join(FOLDER, f"{name}.lua"), encoding="utf-8") as f:
        return f.read()


def language(api):
    api.skill(source("language"))
    names = sorted(name[:-4] for name in os.listdir(FOLDER) if name.startswith("lang_") and name.endswith(".lua"))
    equal([n for n in ("string", "table", "math", "utf8", "coroutine") if f"lang_{n}" not in names], [],
          "each library has its file")
    for name in names:
        api.skill(source(name))
        agent = api.agent(name.replace("_", "-"), skillset=["language", name],
                          executionConfig={"entrypoint": "language", **LIMITS})["id"]
        result = api.execute(agent, name).json
        if not ok(result["status"] == "completed", f"{name} runs to its end"):
            note(result)
        for what, fine, instead in result.get("output") or []:
            if not ok(fine, f"{name[5:]}: {what}"):
                note(instead)


def test_as_this_user():
    language(daemons[0].api)


def test_as_an_ordinary_user():
    if len(daemons) > 1:
        language(daemons[1].api)


run(globals(), *daemons)
