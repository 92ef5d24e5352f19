#!/usr/bin/python3
"""Executors that an attacker has taken over: each bad message kills its sender, is logged with the reason, and
ends the execution with ProtocolViolation; nothing that one sends grows the supervisor beyond its share."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import ROOT, SANITIZED, SLOW, Daemon, contains, equal, eventually, note, ok, run  # noqa: E402

daemon = Daemon({"sandbox": {"zygote": f"{ROOT}/tests/lib/hostile_zygote.py"},
                 "executions": {"grace": "200ms"}, "executors": {"rate": "16MiB"},
                 "limits": {"log_count": 50, "emit_count": 500, "requests": 70, "requests_max": 200000,
                            "wall_time": f"{30 * SLOW}s", "host_memory": "16MiB", "output": "2MiB"}})

WIDER = 8 if SANITIZED else 1  # a sanitizer gives memory back late

VIOLATIONS = {
    "unknown-type": "unknown type",
    "wrong-direction": "other direction",
    "unknown-flag": "flag",
    "too-long": "too long",
    "longer-than-its-limits": "longer than this execution's limits",
    "too-short": "too short",
    "without-id": "lacks its id",
    "ready-again": "out of order",
    "lock-failed-late": "out of order",
    "request-of-unknown-kind": "unknown kind",
    "request-out-of-order": "out of order",
    "request-not-json": "request: line 1",
    "request-not-an-object": "not an object",
    "request-too-deep": "nested deeper",
    "too-many-pending": "pending",
    "too-many-requests": "more requests",
    "notice-out-of-order": "number is out of order",
    "log-of-no-level": "lengths do not fit",
    "log-lengths": "lengths do not fit",
    "log-not-utf8": "not text",
    "log-with-nul": "not text",
    "log-metadata-no-object": "not an object",
    "emit-not-json": "line 1",
    "emit-surrogate": "line 1",
    "emit-twice-the-key": "line 1",
    "flood-of-logs": "more logs",
    "flood-of-emits": "more emits",
    "result-not-json": "line 1",
    "large-result-not-json": "line 1",
    "failure-not-an-object": "not an object",
    "denied-too-short": "too short",
}


def attack(name, **config):
    agent = daemon.api.lua_agent(name, f'-- hostile: {name}\nreturn {{ name = "{name}" }}', **config)["id"]
    return agent, daemon.api.execute(agent).json


def resident():
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as f:
        fields = dict(line.split(":", 1) for line in f)
    return int(fields["VmHWM"].split()[0]) << 10, int(fields["VmRSS"].split()[0]) << 10


def peak_while(function):
    """How much more than before the daemon held at its highest."""
    with open(f"/proc/{daemon.process.pid}/clear_refs", "w", encoding="ascii") as f:
        f.write("5")  # VmHWM starts again
    before = resident()[1]
    result = function()
    return resident()[0] - before, result


def test_bad_messages():
    for name, reason in VIOLATIONS.items():
        _, result = attack(name)
        equal((result["status"], result.get("errorCode")), ("failed", "ProtocolViolation"), f"{name}: the execution fails")
        contains(result["error"], reason, f"{name}: and says why")
    lines = [line for line in daemon.log().splitlines() if "execution.violation" in line]
    equal(len(lines), len(VIOLATIONS), "each is logged once")
    for (name, reason), line in zip(VIOLATIONS.items(), lines):
        if reason not in line or "execution=" not in line:
            ok(False, f"{name}: the log has the execution and the reason: {line}")
    ok(eventually(lambda: "completed" == attack("honest")[1]["status"]), "others run as before")


def test_what_comes_after_the_end():
    _, result = attack("after-final")
    ok(result["status"] == "completed" or result.get("errorCode") == "ProtocolViolation",
       "what follows the final frame changes nothing, or is a violation")


def exhausted(result, name):
    equal(result.get("errorCode"), "ResourceExhausted", f"{name}: it is too much")
    details = result["errorDetails"].get("details", result["errorDetails"])
    equal(details.get("limit"), "hostMemoryMb", f"{name}: the error names the limit")
    ok(details.get("what") and details.get("limitBytes") == 16 << 20, f"{name}: and for what: {details.get('what')}")


def test_messages_that_weigh_more_than_they_look():
    for name in ("heavy-emit", "heavy-result"):
        grown, (_, result) = peak_while(lambda n=name: attack(n))
        exhausted(result, name)
        ok(grown < (48 << 20) * WIDER, f"{name}: the daemon grew by {grown >> 20} MiB")


def test_pending_requests_are_counted():
    grown, (_, result) = peak_while(lambda: attack("heavy-requests"))
    equal(result["status"], "completed", "effects beyond the budget are refused, the execution goes on")
    refused, first = result["output"]
    equal(refused, 64, "all that are too heavy")
    contains(first["message"], "16 MiB", "with the limit")
    ok(grown < (64 << 20) * WIDER, f"the daemon grew by {grown >> 20} MiB, not by 64 times 50")


def test_an_executor_is_not_read_faster_than_is_stored():
    grown, (_, result) = peak_while(lambda: attack("heavy-emits"))
    equal(result["status"], "completed", "80 MB of events pass")
    ok(result["executionTime"] > 700, f"64 MiB at once, the rest at 16 MiB/s: {result['executionTime']:.0f} ms")
    ok(grown < (96 << 20) * WIDER, f"the daemon grew by {grown >> 20} MiB")


def test_answers_that_are_not_read():
    grown, (_, result) = peak_while(lambda: attack(
        "never-reads", executionConfig={"limits": {"requests": 100000, "hostMemoryMb": 1, "wallTimeMs": 60000 * SLOW}}))
    equal(result.get("errorCode"), "ResourceExhausted", "an executor that only asks is stopped")
    contains(result["error"], "does not read", "and told why")
    ok(grown < (32 << 20) * WIDER, f"the daemon grew by {grown >> 20} MiB")


def test_checks_are_charged():
    words = {"type": "array", "items": {"anyOf": [{"pattern": f"^({i}|[a-f]+)*x$"} for i in range(20)]}}
    _, result = attack("cpu-by-checks", outputSchema=words,
                       executionConfig={"limits": {"cpuTimeMs": 200, "requests": 1000}})
    equal(result.get("errorCode"), "ResourceExhausted", "values checked against schemas cost CPU time")
    contains(result["error"], "200 ms of CPU time", "as much as the execution has")
    ok(result["resourceUsage"]["cpuTimeMs"] >= 200, f"which it is charged: {result['resourceUsage']['cpuTimeMs']} ms")
    note(result["error"])


run(globals(), daemon)
