#!/usr/bin/python3
"""The commands of c9d, and the files that are installed with it."""
import ctypes
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, ROOT, SANITIZED, SLOW, Daemon, contains, equal, ok, run  # noqa: E402

folder = tempfile.TemporaryDirectory()
daemon = Daemon()


def c9d(*words, env=None, before=None):
    return subprocess.run([f"{BUILD}/c9d", *words], capture_output=True, text=True, timeout=60 * SLOW, check=False,
                          stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], **(env or {})},
                          preexec_fn=before)


def without_unshare(libc=ctypes.CDLL(None, use_errno=True)):
    """In a child: as on a kernel that has no namespaces for this user. A filter that answers unshare with EPERM."""
    number = {"x86_64": 272, "aarch64": 97}[os.uname().machine]
    code = b"".join(struct.pack("=HBBI", *row) for row in (
        (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)))
    text = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(text))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP
        os._exit(96)


def config(text):
    path = os.path.join(folder.name, "c9d.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def keys(text):
    """{(section, key)} of a configuration file, commented keys too."""
    section, found = None, set()
    for line in text.splitlines():
        head = re.fullmatch(r"\[(.+)\]", line)
        key = re.match(r"#?([a-z_]+) =", line)
        if head:
            section = head.group(1)
        elif key and section:
            found.add((section, key.group(1)))
    return found


def test_default_configuration():
    path = os.path.join(ROOT, "packaging", "c9d.conf")
    done = c9d("check-config", "-c", path)
    equal((done.returncode, done.stderr), (0, ""), "the installed configuration is fine")
    with open(path, encoding="utf-8") as f:
        installed = {k for k in keys(f.read().split("# Model providers")[0])}
    known = keys(c9d("check-config", "--defaults").stdout)
    equal(installed ^ known, set(), "it has every key there is, and no other")


def test_mistakes_are_named():
    for text, place, hint in (
            ("[http]\nlisten = 127.0.0.1:0\nmax_bodi = 1\n", "c9d.conf:3", "max_body"),
            ("[executions]\n\nrunning = many\n", "c9d.conf:3", "running"),
            ("[http]\n\nlisten = 127.0.0.1:0 nowhere\n", "c9d.conf:3", "HOST:PORT"),
            ("[http]\nlisten = 127.0.0.1:99999\n", "c9d.conf:2", "65535"),
            ("[http]\nlisten = 127.0.0.1:http\n", "c9d.conf:2", "65535"),
            ("[http]\nlisten = unix:c9d.sock\n", "c9d.conf:2", "absolute"),
            ("[http]\ntrusted_proxies = banana\n", "c9d.conf:2", "network"),
            ("[sandbox]\nzygote = /nowhere\n", "c9d.conf:2", "cannot run /nowhere"),
            ("[sandbox]\nmode = lax\n", "c9d.conf:2", "strict"),
            ("[storage]\nsynchronos = full\n", "c9d.conf:2", "synchronous"),
            ("[htpp]\nlisten = x\n", "c9d.conf", "http"),
            ("[model default]\nplugin = fake\ndelai = 1s\n", "c9d.conf:3", "delay"),
            ("[model default]\nplugin = nowhere\n", "model", "nowhere"),
            ("[storage]\nplugin = nowhere\n", "storage_nowhere", "nowhere"),
            ("[queue]\nplugin = memory\n", "c9d.conf:2", "use store")):
        done = c9d("check-config", "-c", config(text))
        equal(done.returncode, 1, f"a mistake is found: {text.strip().splitlines()[-1]}")
        contains(done.stderr, place, "with its place")
        contains(done.stderr, hint, "and what is right")
    done = c9d("check-config", "-c", config("[htp]\n[limits]\nmemory = 12x\ncpu_tme = 1s\ncpu_time = 9h\n"
                                            "[model a]\nplugin = openai\nbase_ur = x\n"))
    for line in (":1: there is no section", ":3: memory = 12x", ":4: [limits] has no key", ":5: [limits] cpu_time is above",
                 ":8: [model a] has no key"):
        contains(done.stderr, line, f"one run tells every mistake: {line}")
    equal(c9d("check-config", "-c", "/nowhere.conf").returncode, 1, "a file that is not there is told")


def test_start_is_refused_with_one_clear_line():
    state = os.path.join(folder.name, "state")
    done = c9d("run", "-c", config(f"[daemon]\nstate = {state}\n[sandbox]\nmode = best-effort\nzygote = /nowhere\n"))
    equal(done.returncode, 1, "without a zygote it does not start")
    contains(done.stderr, "/nowhere", "and says what is missing")
    done = c9d("run", "-c", daemon.file)
    equal(done.returncode, 1, "a second daemon on the same state is refused")
    contains(done.stderr, "c9d.db", "and says whose it is")
    ok("server's log" not in done.stderr, "without sending to the log who reads it")


def test_init():
    done = c9d("init", "-c", config(f"[daemon]\nstate = {folder.name}/fresh\n"))
    ok(re.fullmatch(r"c9d_[A-Za-z0-9_-]{43}\n", done.stdout), "init prints a token and nothing else")
    again = c9d("init", "-c", config(f"[daemon]\nstate = {folder.name}/fresh\n"))
    equal((again.returncode, again.stdout), (1, ""), "once")
    again = c9d("init", "-c", config(f"[daemon]\nstate = {folder.name}/fresh\n"), "--again")
    ok(again.returncode == 0 and again.stdout != done.stdout, "but another token can be had")
    mode = os.stat(f"{folder.name}/fresh").st_mode & 0o077
    equal(mode, 0, "the state folder is nobody else's to read")


def test_backup():
    copy = f"{folder.name}/copy.db"
    agent = daemon.api.lua_agent("kept", "return { name = 'kept', version = '1.0.0', run = function() return 1 end }")
    done = c9d("backup", "-c", daemon.file, copy)
    equal(done.returncode, 0, "a backup is made beside the running daemon")
    equal(done.stdout, f"{copy}: {os.path.getsize(copy)} bytes\n", "and it says how large")
    equal(os.stat(copy).st_mode & 0o777, 0o600, "it is nobody else's to read")
    done = c9d("backup", "-c", daemon.file, copy)
    equal(done.returncode, 1, "a file that is there is left alone")
    contains(done.stderr, "exists", "and it says so")
    done = c9d("backup", "-c", daemon.file, "/nowhere/copy.db")
    contains(done.stderr, "/nowhere/copy.db", "a folder that is not there is named")
    done = c9d("backup", "-c", config(f"[daemon]\nstate = {folder.name}/empty\n"), f"{folder.name}/none.db")
    equal((done.returncode, os.path.exists(f"{folder.name}/none.db")), (1, False), "of no database there is no copy")
    contains(done.stderr, "empty/c9d.db", "and it is named")
    equal(c9d("backup", "-c", daemon.file).returncode, 2, "without a file it tells its usage")
    restored = Daemon(start=False)
    state = f"{restored.folder}/state"
    for name in os.listdir(state):
        os.unlink(f"{state}/{name}")
    os.rename(copy, f"{state}/c9d.db")
    restored.token = daemon.token
    restored.start()
    equal(restored.api.get(f"/v1/agents/{agent['id']}").json["name"], "kept", "a daemon starts from it, with what was there")
    restored.stop()


def test_plugins():
    found = {p.get("name"): p for p in json.loads(c9d("plugins", "--json").stdout)}
    for name in ("storage_sqlite", "queue_store", "queue_memory", "model_openai", "model_fake"):
        ok(name in found, f"{name} is listed")
    ok(any(s["name"] == "base_url" for s in found["model_openai"]["settings"]), "with its settings")
    contains(c9d("plugins").stdout, "storage_sqlite", "for people too")


def test_sandbox():
    done = c9d("check-sandbox", "--json", env={"C9D_SANDBOX_MODE": "best-effort"})
    said = json.loads(done.stdout)
    layers = {layer["layer"]: layer["state"] for layer in said["layers"]}
    equal(layers.get("no new privileges"), "on", "check-sandbox shows the layers")
    allowed = [a["attempt"] for a in said["attempts"] if not a["denied"]]
    if SANITIZED:
        allowed = [name for name in allowed if name not in ("map executable memory", "exceed the memory")]
    equal(allowed, [], "every attempt from inside an executor is denied")
    ok(SANITIZED or (said["mode"], said["holds"], done.returncode) == ("best-effort", True, 0),
       "it says that the configured level holds")
    how = {a["attempt"]: a for a in said["attempts"]}
    for attempt, call in (("open a file", "openat"), ("connect", "socket"), ("fork", "clone"), ("exec", "execve"),
                          ("ptrace a neighbour", "ptrace"), ("send on another descriptor", "write"),
                          ("signal a neighbour", "kill"), ("read a neighbour's memory", "process_vm_readv")):
        contains(how[attempt]["how"], f"system call {call} ", f"{attempt}: the call is named")
    for attempt in ("open a file", "create a folder", "connect", "fork", "exec", "ptrace a neighbour",
                    "send on another descriptor", "read a neighbour's memory", "take a capability"):
        ok(how[attempt]["behindDenied"], f"{attempt}: denied without the syscall policy too ({how[attempt]['behind']})")


def test_sandbox_for_people():
    done = c9d("check-sandbox", env={"C9D_SANDBOX_MODE": "best-effort"})
    for word in ("user namespace", "Layers of each executor", "exceed the CPU time", "mode = best-effort"):
        contains(done.stdout, word, f"check-sandbox tells: {word}")
    done = c9d("check-sandbox", env={"C9D_SANDBOX_MODE": "best-effort", "C9D_SANDBOX_ZYGOTE": "/nowhere"})
    equal(done.returncode, 1, "without its program the level does not hold")


def test_sandbox_as_an_ordinary_user():
    if os.geteuid() != 0 or SANITIZED:
        ok(True, "check-sandbox as another user # SKIP needs root and a plain build")
        return
    said = json.loads(Daemon({"sandbox": {"mode": "strict"}}, start=False, user=65534).command("check-sandbox", "--json"))
    equal((said["mode"], said["holds"]), ("strict", True), "strict mode holds for an ordinary user")
    equal([a["attempt"] for a in said["attempts"] if not a["denied"]], [], "who is denied every attempt, too")


def test_sandbox_without_namespaces():
    for mode, holds in (("strict", False), ("best-effort", True)):
        done = c9d("check-sandbox", "--json", env={"C9D_SANDBOX_MODE": mode}, before=without_unshare)
        said = json.loads(done.stdout)
        lost = [layer["layer"] for layer in said["layers"] if layer["state"] == "off" and layer["required"]]
        equal([word for word in ("user namespace", "pid namespace", "network namespace", "empty root")
               if word not in lost], [], f"{mode}: it says what is lost without namespaces")
        ok((said["holds"], done.returncode) == (holds, 0 if holds else 1) or (SANITIZED and holds),
           f"{mode}: and whether that is enough")


IN_ORDER = """
local function ask(i) return function() return c9.agents.execute("other", i) end end
local list = {}
for i = 1, 40 do
  list[i] = { name = "run " .. i, output = { "first", "second", "third" }, agents = { "first", "second", "third" } }
end
return { name = "in_order", version = "1.0.0", needs = { agents = { "other" } }, examples = list,
  run = function() return c9.all({ ask(1), ask(2), ask(3) }) end }
"""


def test_skill_test():
    path = f"{folder.name}/in_order.lua"
    with open(path, "w", encoding="utf-8") as f:
        f.write(IN_ORDER)
    done = c9d("skill-test", path)
    contains(done.stdout, "40 passed, 0 failed", "recorded replies are given in the order of the calls, also of those made at once")


def test_usage():
    for words in (["rum"], ["run", "--nonsense"], ["skill-test"]):
        equal(c9d(*words).returncode, 2, f"wrong usage: {' '.join(words)}")
    contains(c9d("rum").stderr, "run", "a misspelt command gets a hint")
    equal(c9d("help").returncode, 0, "help")


def test_reload():
    import signal
    import time
    daemon.config["log"] = {"level": "debug", "format": "json"}
    daemon.write_config()
    daemon.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + 10 * SLOW
    while "daemon.reload" not in daemon.log() and time.monotonic() < until:
        time.sleep(0.05)
    last = [line for line in daemon.log().splitlines() if "daemon.reload" in line][-1]
    equal(json.loads(last)["event"], "daemon.reload", "SIGHUP applies the log's format")
    for mistake, said in (({"level": "loud"}, "level = loud"), ({"levl": "info"}, "no key 'levl'")):
        daemon.config["log"] = {"format": "text", **mistake}
        daemon.write_config()
        daemon.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 10 * SLOW
        while said not in daemon.log() and time.monotonic() < until:
            time.sleep(0.05)
        last = [line for line in daemon.log().splitlines() if "daemon.reload" in line][-1]
        contains(json.loads(last)["message"], "nothing was changed", f"a reload with a mistake changes nothing: {said}")
        contains(last, said, "and says which")
    equal(daemon.api.get("/v1/agents").status, 200, "and the daemon goes on")


run(globals(), daemon)
