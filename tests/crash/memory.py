#!/usr/bin/python3
"""Memory that runs out, at each of many allocations: a clean error, the same answer, or the end that says so; never another
answer, and never a crash. Of what reads configurations, requests, schemas and frames."""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, ROOT, note, ok, run  # noqa: E402

if os.environ.get("C9_SANITIZED"):
    print("1..0 # SKIP a sanitizer has an allocator of its own")
    sys.exit(0)

FIRST, SAMPLE = 60, 60  # allocations that fail one by one; and of the rest, at random
folder = tempfile.mkdtemp(prefix="c9d-memory-")
CONFIG = """[daemon]
state = %s
[http]
listen = 127.0.0.1:0
[limits]
cpu_time = 3s
[model default]
plugin = fake
""" % folder


def once(words, n):
    env = {**os.environ, "LD_PRELOAD": f"{BUILD}/tests/shims/memory.so", "C9_MEMORY_FAILS": str(n), "C9_MEMORY_COUNT": f"{folder}/count"}
    done = subprocess.run(words, capture_output=True, cwd=ROOT, env=env, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def tried(name, words, answers):
    """answers: what is printed on success is an answer, which must be the same."""
    status, right, _ = once(words, 0)
    with open(f"{folder}/count", encoding="ascii") as f:
        total = int(f.read())
    if not ok(status == 0 and total > 100, f"{name}: {total} allocations"):
        return
    rng = random.Random(total)
    wanted = list(range(1, min(FIRST, total) + 1))
    if total > FIRST:
        wanted += sorted(rng.sample(range(FIRST + 1, total + 1), min(SAMPLE, total - FIRST)))
    wrong, ended = [], 0
    for n in wanted:
        status, out, err = once(words, n)
        said = status == -signal.SIGABRT and b"out of memory" in err
        ended += said
        fine = said or (status > 0 and (err or out)) or (status == 0 and (out == right or not answers))
        if not fine:
            wrong.append((n, status, err[-200:]))
    if not ok(not wrong, f"{name}: each of {len(wanted)} ends as it may"):
        note(wrong[:5])
    ok(ended > 0, f"{name}: in {ended} of them c9d says that there is no memory")


def test_configuration():
    with open(f"{folder}/c9d.conf", "w", encoding="utf-8") as f:
        f.write(CONFIG)
    tried("check-config", [f"{BUILD}/c9d", "check-config", "--defaults", "-c", f"{folder}/c9d.conf"], True)


def test_decoders():
    """The fuzz targets, each on one file of its corpus."""
    for target in ("base_config", "base_json", "schema_validate", "wire_start", "wire_reader", "api_request", "service_event"):
        corpus = f"{ROOT}/tests/fuzz/corpus/{target}"
        one = f"{folder}/{target}"
        os.mkdir(one)
        largest = max((f for f in os.scandir(corpus) if f.stat().st_size < 4096), key=lambda f: (f.stat().st_size, f.name))
        shutil.copy(largest.path, one)
        tried(target, [f"{BUILD}/tests/fuzz/{target}", one], False)


try:
    run(globals())
finally:
    shutil.rmtree(folder)
