#!/usr/bin/python3
"""What the guides in docs/ show is what happens: their skills pass their own examples, their commands are run, in order and in
one shell, and an answer that is shown has what is shown of it."""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, ROOT, SLOW, Daemon, equal, note, ok, run  # noqa: E402

daemon = Daemon({"executions": {"evict": "50ms"}})


def blocks(name):
    """(language, text) of each fenced block."""
    with open(f"{ROOT}/docs/{name}", encoding="utf-8") as f:
        return re.findall(r"^```([a-z]+)\n(.*?)^```$", f.read(), re.M | re.S)


class Shell:
    """One shell for all of a guide's commands, as its reader has."""

    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            ["bash", "--norc"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={"PATH": f"{BUILD}:{os.environ['PATH']}", "HOME": folder, "LC_ALL": "C.UTF-8", "C9CTL_URL": f"http://127.0.0.1:{daemon.port}",
                 "C9CTL_TOKEN": daemon.token, "URL": f"http://127.0.0.1:{daemon.port}", "TOKEN": daemon.token,
                 "C9D_DAEMON_PLUGINS": f"{BUILD}/plugins", "C9D_SANDBOX_ZYGOTE": f"{BUILD}/c9d-zygote", "C9D_SANDBOX_MODE": "best-effort"})

    def run(self, text):
        """Runs it up to the first command that fails; (status, what it printed)."""
        self.process.stdin.write(f"{{ set -o pipefail; trap 'failed=$?' ERR; failed=0\n{text}\n}}; echo; echo \"=END=$failed\"; trap - ERR\n")
        self.process.stdin.flush()
        out = []
        for line in self.process.stdout:
            if line.startswith("=END="):
                return int(line[5:]), "".join(out)
            out.append(line)
        return -1, "".join(out)

    def close(self):
        self.process.stdin.close()
        self.process.wait(20 * SLOW)


def lacks(shown, got, at="$"):
    """The first place where what is got is not what is shown; texts that are shown shortened, ids, times and numbers may differ."""
    if isinstance(shown, dict) and isinstance(got, dict):
        return next((found for key, value in shown.items()
                     for found in [f"{at}.{key} is missing" if key not in got else lacks(value, got[key], f"{at}.{key}")] if found), None)
    if isinstance(shown, list) and isinstance(got, list):
        return f"{at} has {len(got)}" if len(got) < len(shown) else next(
            (found for i, value in enumerate(shown) for found in [lacks(value, got[i], f"{at}[{i}]")] if found), None)
    if isinstance(shown, str) and isinstance(got, str):
        return None if "…" in shown or re.match(r"[0-9a-f]{8}-|\d{4}-\d\d-", shown) or shown == got else f"{at} is {got!r}"
    if isinstance(shown, bool) or shown is None:
        return None if shown is got else f"{at} is {got!r}"
    return None if isinstance(shown, (int, float)) and isinstance(got, (int, float)) else f"{at} is {got!r}"


def follow(name):
    with tempfile.TemporaryDirectory() as folder:
        shell, n, out = Shell(folder), 0, ""
        for language, text in blocks(name):
            first = text.strip().splitlines()[0]
            if language == "lua":
                n += 1
                with open(f"{folder}/skill{n}.lua", "w", encoding="utf-8") as f:
                    f.write(text)
                done = subprocess.run([f"{BUILD}/c9ctl", "skill", "test", f"{folder}/skill{n}.lua"], capture_output=True, text=True,
                                      timeout=60 * SLOW, check=False)
                ok(done.returncode == 0 and "passed, 0 failed" in done.stdout, f"{name}: the skill that begins '{first}' passes its examples")
                if done.returncode != 0:
                    note(done.stdout + done.stderr)
            elif language == "sh":
                status, out = shell.run(text)
                equal(status, 0, f"{name}: {first}")
                if status != 0:
                    note(out)
            elif language == "ini":
                with open(f"{folder}/some.conf", "w", encoding="utf-8") as f:
                    f.write(text)
                for key in re.findall(r"^\w+_file = (\S+)$", text, re.M):
                    with open(f"{folder}/{key}", "w", encoding="utf-8") as f:
                        f.write("the-secret-of-a-test\n")
                    os.chmod(f"{folder}/{key}", 0o600)
                status, out = shell.run("c9d check-config -c some.conf")
                equal(status, 0, f"{name}: {first} is a right configuration")
                if status != 0:
                    note(out)
            elif language == "json":
                body = out[out.index("{"):] if "{" in out else "null"
                missing = lacks(json.loads(text), json.JSONDecoder().raw_decode(body)[0])
                equal(missing, None, f"{name}: the answer has what is shown: {' '.join(text.split())[:60]}")
                if missing:
                    note(body)
        shell.close()


def test_skills():
    follow("skills.md")


def test_rest():
    follow("rest.md")


def test_operating():
    follow("operating.md")


run(globals(), daemon)
