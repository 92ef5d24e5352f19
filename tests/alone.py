#!/usr/bin/env python3
"""alone.py SECONDS PROGRAM [ARGUMENT…]: runs one test program, and ends all that it left running.

A process that outlives its test holds the test's output open, and whoever reads that waits for ever. So this
process adopts whatever loses its parent (PR_SET_CHILD_SUBREAPER), kills it when the test has ended or its time is
over, and then ends with the test's status; with 1 when something was left that did not end by itself in time. What
the test leaves in TMPDIR, a folder of its own, goes too. What a sanitizer has to say of any process of the test, also
of one whose end or words nobody looks at, is shown and fails it.
"""
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# seconds that the processes of a test have for ending after it
LEAVING = 80 if os.environ.get("C9_SANITIZED") else 10
TIMED_OUT = 124  # as timeout(1)
SANITIZERS = ("ASAN", "LSAN", "TSAN", "UBSAN")


def children():
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as f:
        return [int(pid) for pid in f.read().split()]


def reap():
    """Takes in who has ended; True when nobody is left."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return False
        except ChildProcessError:
            return True


def name(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().replace(b"\0", b" ").decode(errors="replace").strip() or "?"
    except OSError:
        return "?"


def end_all():
    """What a killed process leaves comes to us in turn, so until there is nobody."""
    while not reap():
        for pid in children():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)


def reporting(folder):
    """The environment in which each process with a sanitizer reports to a file of its own there. One that is given
    another environment reports to its standard error."""
    os.mkdir(folder)
    os.chmod(folder, 0o1777)
    given = {f"{name}_OPTIONS": os.environ.get(f"{name}_OPTIONS", "") for name in SANITIZERS}
    return {name: f"{options}:log_path={folder}/report".lstrip(":") for name, options in given.items()}


def reported(folder):
    """Shows the reports; True when there is one."""
    names = sorted(os.listdir(folder))
    for report in names:
        with open(f"{folder}/{report}", encoding="utf-8", errors="replace") as f:
            print("".join(f"# {line}" for line in f), flush=True)
    return bool(names)


def run(folder):
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    reports = f"{folder}/sanitizer"
    test = subprocess.Popen(sys.argv[2:], env={**os.environ, "TMPDIR": folder, **reporting(reports)})
    status = end(test)
    return status or 1 if reported(reports) else status


def end(test):
    """Waits for the test and all that it started; its status."""
    try:
        status = test.wait(float(sys.argv[1]))
    except subprocess.TimeoutExpired:
        print(f"# it did not end within {sys.argv[1]} s", flush=True)
        end_all()
        return TIMED_OUT
    until = time.monotonic() + LEAVING
    while not reap():
        if time.monotonic() > until:
            for pid in children():
                print(f"# left running: {pid} {name(pid)}", flush=True)
            end_all()
            return status or 1
        time.sleep(0.002)
    return status if status >= 0 else 128 - status


def main():
    folder = tempfile.mkdtemp(prefix="c9-")
    os.chmod(folder, 0o1777)  # a test may be several users
    try:
        return run(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
