#!/usr/bin/python3
"""An attacker with native code in an executor of a real daemon: each forbidden system call ends the execution and is
named in its error and in the log; what he writes on his one socket harms nobody but himself."""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, SANITIZED, Daemon, contains, equal, ok, run  # noqa: E402

CONFIG = {"sandbox": {"zygote": "{build}/tests/attacker/c9d-zygote"}}
daemons = [Daemon(CONFIG)] + ([Daemon(CONFIG, user=65534)] if os.geteuid() == 0 else [])
daemon = ATTACKER = None
REPORTS = {"asan": "heap-use-after-free", "tsan": "heap-use-after-free", "ubsan": "shift exponent 100"}
AT_FDCWD, CLONE_NEWUSER = -100, 0x10000000
SOURCE = """return { name = "attacker", version = "1.0.0",
  description = "makes the call, or sends the bytes, that it is told to", run = function(input)
    if input.call then print(input.call, table.unpack(input.args)) end
    if input.bytes then
      local s = string.char(table.unpack(input.bytes))
      print("write", 3, s, #s)
      while input.waits do end
      print("exit_group", 0) -- before there is a result of the skill's
    end
    if input.caught then
      while true do pcall(function() coroutine.wrap(function() print("openat", -100, "/", 0) end)() end) end
    end
    return 2
  end }"""


def prepare(d):
    """All below is tried in this daemon."""
    global daemon, ATTACKER
    daemon, ATTACKER = d, d.api.lua_agent("attacker", SOURCE)["id"]


def attack(call=None, *args, **more):
    return daemon.api.execute(ATTACKER, {"call": call, "args": args, **more} if call else more).json


def details(result):
    return (result.get("errorDetails") or {}).get("details") or {}


def test_forbidden_calls_are_named():
    for name, *args in (("openat", AT_FDCWD, "/etc/passwd", 0), ("socket", 2, 1, 0), ("connect", 3, "", 0),
                        ("execve", "/bin/sh", 0, 0), ("ptrace", 16, 1), ("kill", -1, 9),
                        ("process_vm_readv", 1, 0, 0, 0, 0, 0), ("mremap", 0, 4096, 8192, 1), ("prctl", 4, 1),
                        ("unshare", CLONE_NEWUSER), ("sendmsg", 3, 0), ("ioctl", 3, 0), ("bpf", 0, 0, 0),
                        ("write", 4, "x", 1), ("read", 0, "x", 1), ("clock_gettime", 0, "x")):
        result = attack(name, *args)
        equal((result["status"], result.get("errorCode")), ("failed", "ExecutionFailed"), f"{name}: the execution ends")
        contains(result["error"], f"forbidden system call {name} (", f"{name}: its error names the call")
        said = details(result)
        equal((said.get("syscall"), isinstance(said.get("number"), int)), (name, True), f"{name}: so do its details")
        ok(said.get("architecture") == os.uname().machine, f"{name}: with the architecture")
        if not SANITIZED:  # there the call is libc's, which is not linked in
            contains(said.get("instructionPointer"), "c9d-zygote+0x", f"{name}: and the place in the program")
        contains(daemon.log(), f"system call {name} (", f"{name}: the log has it too")


def test_a_call_without_a_name():
    result = attack(100000)
    contains(result["error"], "without a name (100000", "a number that nobody knows is told")


def test_in_coroutines_and_pcall():
    result = attack(caught=True)
    contains(result["error"], "system call openat (", "no Lua code survives the call")


def test_while_a_skill_is_loaded():
    answer = daemon.api.request("POST", "/v1/skills", "print('openat', -100, '/', 0) return {}",
                                {"Content-Type": "text/x-lua"})
    equal((answer.status, answer.code), (422, "InvalidSkill"), "a file that does it when it is loaded is refused")
    contains(answer.message, "system call openat (", "and the call named")


def frame(type_, payload, flags=0, id_=0, length=None):
    return struct.pack("<IHHQ", len(payload) if length is None else length, type_, flags, id_) + payload


def sends(data, waits=True):
    return attack(bytes=list(data), waits=waits)


READY, LOCKFAIL, REQUEST, LOG, EMIT, RESULT, FAILURE, DENIED = range(7, 15)


def test_frames_that_break_the_protocol():
    stats = bytes(16)
    for what, data in {
            "an unknown type": frame(99, b"x"), "a type of the other direction": frame(1, bytes(124)),
            "READY again": frame(READY, bytes(8)), "LOCKFAIL after START": frame(LOCKFAIL, bytes(8)),
            "a length beyond all bounds": frame(EMIT, b"1", id_=1, length=0xffffffff),
            "a request out of order": frame(REQUEST, b"\1\0{}", id_=7),
            "a request of no kind": frame(REQUEST, b"\x63\0{}", id_=1),
            "a request that is not JSON": frame(REQUEST, b"\1\0{", id_=1),
            "an emit out of order": frame(EMIT, b"1", id_=9), "an emit that is not JSON": frame(EMIT, b"\xff", id_=1),
            "a log whose lengths lie": frame(LOG, b"\1\xff\xff\0\0x", id_=1), "an unknown flag": frame(EMIT, b"1", 8, 1),
            "a result that is not JSON": frame(RESULT, stats + b"{]"), "a result without stats": frame(RESULT, b"1"),
            "two results": frame(RESULT, stats + b"1") * 2, "a failure that is a number": frame(FAILURE, stats + b"1"),
            "a short DENIED": frame(DENIED, bytes(3)),
    }.items():
        result = sends(data)
        code = result.get("errorCode") if result["status"] == "failed" else result["status"]
        ok(code == "ProtocolViolation" or (what == "two results" and code == "completed"),
           f"{what}: {code}")


def test_who_lies_lies_about_himself():
    lie = frame(DENIED, struct.pack("<IIQ", 59, 0xc000003e, 0x1234))
    result = sends(lie)
    equal(result["errorCode"], "ExecutionFailed", "a DENIED of his own ends the execution")
    contains(result["error"], "execve (59", "with what he said")
    honest = attack(nothing=True)
    equal((honest["status"], honest["output"]), ("completed", 2), "others go on")


def test_statistics_are_bounded():
    result = sends(frame(RESULT, struct.pack("<QQ", 1 << 62, 1 << 62) + b"7"), waits=False)
    equal((result["status"], result["output"]), ("completed", 7), "a result of his own making is a result")
    usage = result["resourceUsage"]
    ok(usage["memoryPeakBytes"] <= 64 << 20 and usage["cpuTimeMs"] < 10000, f"but not what he says of its cost: {usage}")


def test_a_sanitizers_report_is_seen():
    """Of an executor, too, whose policy, limits and descriptors leave it nothing to write on in other builds."""
    wanted = REPORTS.get(os.path.basename(BUILD))
    if wanted is not None:
        attack("misbehave")
        contains("\n".join(daemon.reports()), wanted, "it is in the log")


def test_all_again_as_an_ordinary_user():
    for d in daemons[1:]:
        prepare(d)
        for name, function in list(globals().items()):
            if name.startswith("test_") and not name.startswith("test_all_again"):
                function()


prepare(daemons[0])
run(globals(), *daemons)
