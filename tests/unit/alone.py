#!/usr/bin/env python3
"""alone.py, under which every test runs: what fails one although it says itself that all is well."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import ROOT, SANITIZED, contains, equal, run  # noqa: E402

FOLDER = tempfile.mkdtemp()
FREED = "#include <stdlib.h>\nint main(void) { volatile char *p = malloc(1); free((void *)p); return *p; }\n"


def alone(seconds, *words):
    return subprocess.run([sys.executable, f"{ROOT}/tests/alone.py", str(seconds), *words], capture_output=True,
                          text=True, timeout=300, check=False)


def sanitized(kind, source):
    """A program with such a sanitizer; its path."""
    path = f"{FOLDER}/{kind}"
    subprocess.run(["gcc", "-x", "c", "-w", f"-fsanitize={kind}", "-o", path, "-"], input=source, text=True, check=True)
    return path


def test_a_status_is_the_tests():
    equal(alone(60, "true").returncode, 0, "a test that passes")
    equal(alone(60, "sh", "-c", "exit 3").returncode, 3, "one that fails")
    equal(alone(0.1, "sleep", "1000").returncode, 124, "one that does not end")


def test_a_report_fails_the_test_whose_process_it_is():
    for kind, source, says in (
            ("undefined", "int main(int n, char **v) { return 1 << (n + 63) & 0; }\n", "runtime error: shift exponent"),
            ("address", FREED, "AddressSanitizer: heap-use-after-free"),
            ("thread", FREED, "ThreadSanitizer: heap-use-after-free")):
        if not SANITIZED and kind != "undefined":
            continue  # not every machine has room for a shadow, and this is about the other builds
        done = alone(60, "sh", "-c", f"{sanitized(kind, source)} 2> /dev/null; true")
        equal(done.returncode, 1, f"{kind}: a process at which nobody looks")
        contains(done.stdout, says, "and the report is shown")
    equal(alone(60, "sh", "-c", f"{FOLDER}/undefined; exit 3").returncode, 3, "a status that says more stays")


run(globals())
