#!/usr/bin/python3
"""Plugins that break their contracts: an error that names them, and c9d goes on."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, SLOW, Daemon, contains, equal, ok, run  # noqa: E402

daemon = Daemon({"daemon": {"plugins": f"{BUILD}/tests/plugins:{BUILD}/plugins"},
                 "model default": {"plugin": "faulty", "attempts": 1, "price_input": 100, "price_output": 100}})
asks = daemon.api.lua_agent("asks", """return { name = "asks", version = "1.0.0", needs = { model = { "default" } },
  run = function(input)
    return c9.model.chat{ model = input, messages = { { role = "user", content = "x" } } }
  end }""")["id"]


def ask(what):
    answer = daemon.api.execute(asks, what)
    equal(answer.status, 200, f"{what}: an answer")
    return answer.json


def test_a_model_that_keeps_its_contract():
    answer = ask("well")
    equal((answer["status"], answer["output"]["content"]), ("completed", "text"), "which it is")
    equal(answer["resourceUsage"]["tokensConsumed"], 2, "and counted")


def test_a_model_that_breaks_it():
    for what, says in (("refuses", "failed without saying why"), ("bad-url", "URL"), ("no-method", ""), ("stops-reading", "stopped reading"),
                       ("takes-none", "takes no reply"), ("no-text", "not UTF-8"), ("says-nothing", "did not say how"), ("null-error", "default: "), ("both", "first")):
        answer = ask(what)
        if not ok(answer["status"] == "failed" and says in answer["error"], f"{what}: an error that says so"):
            print("#", answer)
    answer = ask("nulls")
    equal((answer["status"], answer["output"]["finish_reason"], answer["output"].get("tool_calls")), ("completed", "stop", None),
          "nulls: what is not said is as if it were not there")


def test_usage_that_cannot_be():
    answer = ask("negative")
    equal((answer["status"], answer["resourceUsage"]["tokensConsumed"]), ("completed", 0), "nobody gets tokens back")
    answer = ask("huge")
    usage = answer["resourceUsage"]
    ok(usage["tokensConsumed"] >= 1e12 and usage["costMicrocents"] >= 1e12, "nor is too much of them nothing")
    equal(daemon.api.execute(asks, "well").json["status"], "completed", "and c9d goes on")


def test_a_model_that_does_not_open():
    daemon.stop()
    daemon.config["model default"]["opens"] = "no"
    daemon.write_config()
    done = subprocess.run([f"{BUILD}/c9d", "run", "-c", daemon.file], capture_output=True, text=True, timeout=60 * SLOW, check=False)
    ok(done.returncode > 0, "c9d does not start without it")
    contains(done.stderr, "[model default] model_faulty", "and says which")
    contains(done.stderr, "failed without saying why", "as far as it knows why")
    daemon.config["model default"]["opens"] = "yes"
    daemon.write_config()
    daemon.start()


run(globals(), daemon)
