#!/usr/bin/python3
"""c9ctl against a real daemon: every command of its table, tables and JSON, outcomes as exit codes."""
import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, SLOW, Daemon, contains, equal, eventually, note, ok, run  # noqa: E402

SOCKET = "%s/c9ctl-test-%d.sock" % (tempfile.gettempdir(), os.getpid())
daemon = Daemon(config={"http": {"listen": f"127.0.0.1:0 unix:{SOCKET}"}})
HOME = daemon.folder + "/home"
os.mkdir(HOME)
URL = f"http://{daemon.host}:{daemon.port}"
used = set()


class Done:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)


def environment(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("C9CTL_", "XDG_"))}
    env.update({"HOME": HOME, "C9CTL_URL": URL, "C9CTL_TOKEN": daemon.token, **more})
    return {k: v for k, v in env.items() if v is not None}


def ctl(*words, input_=None, **env):
    used.add(" ".join(words[:2]))
    done = subprocess.run([f"{BUILD}/c9ctl", *words], input=input_, capture_output=True, text=True,
                          cwd=HOME, env=environment(**env), timeout=60 * SLOW, check=False)
    return Done(done)


def succeeds(name, *words, **more):
    done = ctl(*words, **more)
    if not ok(done.code == 0, name):
        note(f"{words}: exit {done.code}\n{done.out}\n{done.err}")
    return done


def write(name, text):
    with open(f"{HOME}/{name}", "w", encoding="utf-8") as f:
        f.write(text if isinstance(text, str) else json.dumps(text))
    return name


def skill(name, body, more=""):
    return write(f"{name}.lua", f'return {{ name = "{name}", version = "1.0.0", '
                                f'description = "Ä test", {more} run = function(input) {body} end }}\n')


def make_agent(name, body, **config):
    """Skill, agent, version, publication: all through c9ctl."""
    succeeds(f"{name}: the skill is uploaded", "skill", "upload",
             skill(name.replace("-", "_"), body))
    write(f"{name}.json", {"name": name, "skillset": [name.replace("-", "_")],
                           "triggerMode": "manual", **config,
                           "executionConfig": {"entrypoint": name.replace("-", "_"),
                                               **config.get("executionConfig", {})}})
    succeeds(f"{name}: the agent is created", "agent", "create", "-f", f"{name}.json")
    succeeds(f"{name}: a version is made", "version", "create", name, "--version", "1.0.0")
    succeeds(f"{name}: and published", "version", "publish", name, "1.0.0", "--changelog", "first")


def test_status_says_how_the_server_is():
    done = succeeds("status answers", "status")
    contains(done.out, "ready", "the server is ready")
    contains(done.out, "accepted", "and takes the token")
    equal(ctl("status", "--json").json["health"], "ok", "as JSON too")
    done = ctl("status", C9CTL_TOKEN="c9d_wrong")
    equal(done.code, 3, "a refused token is exit 3")
    contains(done.out, "refused", "and is said")


def test_login_writes_a_profile_nobody_else_can_read():
    write("token", daemon.token + "\n")
    done = succeeds("login stores the token", "login", URL, "--token-file", "token",
                    C9CTL_URL=None, C9CTL_TOKEN=None)
    path = f"{HOME}/.config/c9d/c9ctl.conf"
    equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, "the file's mode is 0600")
    ok(daemon.token not in done.out + done.err, "the token is not printed")
    succeeds("the default profile is used", "agent", "list", C9CTL_URL=None, C9CTL_TOKEN=None)
    succeeds("another profile, the token from a pipe", "login", URL, "--profile", "second",
             input_=daemon.token + "\n", C9CTL_URL=None, C9CTL_TOKEN=None)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    contains(text, "[profile default]", "the first profile stays")
    contains(text, "[profile second]", "the second is there")
    contains(text, "profile = default", "and the default is the first")
    succeeds("it is chosen by --profile", "--profile", "second", "status", C9CTL_URL=None,
             C9CTL_TOKEN=None)
    done = ctl("status", "--profile", "secnod")
    contains(done.err, "did you mean second", "a misspelt profile is met with the nearest")
    done = ctl("login", URL, "--profile", "bad", input_="wrong\n")
    equal(done.code, 3, "a token that the server refuses is not stored")
    with open(path, encoding="utf-8") as f:
        ok("[profile bad]" not in f.read(), "nothing was written for it")
    done = ctl("agent", "list", "--url", URL, C9CTL_URL=None, C9CTL_TOKEN=None)
    equal(done.code, 3, "a profile's token does not go to another address")
    contains(done.err, "c9ctl login", "and the message says how to give one")


def test_a_unix_socket_serves_as_well():
    socket = next((a for a in daemon.addresses if a.startswith("unix:")), None)
    if ok(socket is not None, "the daemon listens on a socket"):
        succeeds("c9ctl speaks through it", "status", C9CTL_URL=socket)


def test_skills():
    done = succeeds("skill new writes a file", "skill", "new", "greeter")
    equal(ctl("skill", "new", "greeter").code, 1, "and does not overwrite one")
    equal(ctl("skill", "new", "Not A Name").code, 2, "a name that cannot be is refused")
    done = succeeds("its examples pass at once", "skill", "test", "greeter.lua")
    contains(done.out, "3 passed", "and there are some")
    report = succeeds("skill test --json", "skill", "test", "--json", "greeter.lua").json
    ok(all(e["passed"] for e in report["examples"]), "says so too")
    skill("broken", "error('no')", 'examples = { { input = 1, output = 2 } },')
    ok(ctl("skill", "test", "broken.lua").code != 0, "a failing example is a failing exit")
    write("unfinished.lua", "return {\n  nam = 'unfinished' }")
    contains(ctl("skill", "test", "unfinished.lua").err, "unfinished.lua:2: ", "a mistake has its file and line")
    contains(succeeds("upload", "skill", "upload", "greeter.lua").out, "uploaded", "is said")
    contains(succeeds("again", "skill", "upload", "greeter.lua").out, "already", "nothing new")
    out = succeeds("list", "skill", "list").out
    ok(re.search(r"^NAME +VERSION +REVISION", out), "a table with headings")
    contains(out, "greeter", "it is in the list")
    source = succeeds("get --source", "skill", "get", "greeter", "--source").out
    with open(f"{HOME}/greeter.lua", encoding="utf-8") as f:
        equal(source, f.read(), "gives the file back, byte for byte")
    page = succeeds("revisions", "skill", "revisions", "greeter", "--json").json
    sha = page["items"][0]["sha256"]
    contains(succeeds("revisions", "skill", "revisions", "greeter").out, sha, "as a table")
    succeeds("a revision", "skill", "get", "greeter", "--revision", sha)
    done = ctl("skill", "upload", write("bad.lua", "return {"))
    equal(done.code, 1, "a file that is no Lua is refused")
    contains(done.err, "bad.lua was not uploaded", "and named")
    contains(succeeds("delete", "skill", "delete", "greeter").err, "is deleted", "is said")
    equal(ctl("skill", "get", "greeter").code, 1, "then it is gone")


def test_schedules():
    make_agent("daily-echo", "return input")
    write("given.json", {"a": 1})
    made = succeeds("schedule", "schedule", "create", "daily-echo", "--cron", "30 9 * * mon-fri", "--timezone",
                    "Europe/Berlin", "--name", "morning", "--input", "given.json", "--overlap", "queue",
                    "--jitter", "5s", "--json").json
    equal((made["jitterMs"], made["overlapPolicy"], made["inputData"]), (5000, "queue", {"a": 1}), "as it was said")
    contains(succeeds("list", "schedule", "list", "--agent", "daily-echo").out, "30 9 * * mon-fri", "it is listed")
    contains(succeeds("get", "schedule", "get", "morning").out, "Europe/Berlin", "it is found by its name")
    succeeds("update", "schedule", "update", "morning", "--cron", "@daily", "--missed", "skip")
    contains(succeeds("next", "schedule", "next", "morning", "--count", "2").out, "T00:00:00", "its next times")
    contains(succeeds("pause", "schedule", "pause", "morning", "--json").out, "false", "it is paused")
    succeeds("resume", "schedule", "resume", "morning")
    succeeds("run", "schedule", "run", "morning")
    contains(succeeds("runs", "schedule", "runs", "morning").out, "started", "history has the run")
    contains(succeeds("preview", "schedule", "preview", "30 2 29 2 *", "--from", "2026-01-01T00:00:00Z", "--count",
                      "1").out, "2028-02-29T02:30:00", "an expression is tried")
    done = ctl("schedule", "preview", "61 * * * *")
    contains(done.err, "61 is not from 0 to 59", "or refused with its place")
    equal(ctl("schedule", "create", "daily-echo", "--cron", "@daily", "--jitter", "soon").code, 2,
          "a duration has its form")
    succeeds("delete", "schedule", "delete", "morning", "--yes")


def test_events():
    make_agent("on-order", "return input", triggerMode="event",
               triggerConfig={"events": [{"type": "shop.order.*", "input": "/data"}]})
    write("order.json", {"total": 3})
    done = succeeds("send", "event", "send", "shop.order.made", "--source", "/shop", "--id", "1", "--data", "order.json")
    contains(done.out, "for 1 agent", "an event is sent")
    contains(succeeds("again", "event", "send", "shop.order.made", "--source", "/shop", "--id", "1").out,
             "was taken before", "once")
    contains(succeeds("test", "event", "send", "shop.order.made", "--test").out, "on-order", "or only tried")
    write("events.json", [{"specversion": "1.0", "id": str(n), "source": "/f", "type": "shop.order.b"} for n in (1, 2)])
    equal(len(succeeds("file", "event", "send", "-f", "events.json", "--json").json["items"]), 2, "a file may have many")
    listed = succeeds("list", "event", "list", "--type", "shop.order.made", "--json").json["items"]
    contains(succeeds("get", "event", "get", listed[0]["id"]).out, "executionId", "an event is shown with its executions")
    equal(ctl("event", "send").code, 2, "it needs a type or a file")
    contains(ctl("event", "send", "x", "--id", "").err, "/id", "the server's problem is shown")


def test_hooks():
    make_agent("on-hook", "return input")
    done = succeeds("create", "hook", "create", "on-hook", "--name", "in", "--tolerance", "1m")
    contains(done.out, "whsec_", "the secret alone is printed")
    equal(done.out.count("\n"), 1, "on a line")
    shown = succeeds("get", "hook", "get", "in", "--json").json
    equal((shown["toleranceMs"], shown["isActive"]), (60000, True), "as it was said")
    write("secret.txt", "a secret of my own\n")
    succeeds("another", "hook", "create", "on-hook", "--name", "gh", "--style", "github", "--secret-file", "secret.txt")
    contains(succeeds("list", "hook", "list", "--agent", "on-hook").out, "github", "they are listed")
    contains(succeeds("update", "hook", "update", "in", "--active", "false").out, "false", "it is paused")
    equal(ctl("hook", "update", "in", "--active", "no").code, 2, "a boolean has its form")
    ok(succeeds("rotate", "hook", "rotate", "in", "--grace", "1h").out != done.out, "it gets another secret")
    contains(succeeds("deliveries", "hook", "deliveries", "in", "--outcome", "refused", "--json").out, "[]", "none came")
    nothing = "01890000-0000-7000-8000-000000000000"
    contains(ctl("hook", "delivery", "in", nothing).err, "DeliveryNotFound", "what is not there is not shown")
    contains(ctl("hook", "redeliver", "in", nothing).err, "DeliveryNotFound", "nor taken again")
    succeeds("delete", "hook", "delete", "in", "--yes")


def test_personas():
    write("prompt.txt", "You are terse.\nAlways.\n")
    created = succeeds("create", "persona", "create", "editor", "--prompt", "prompt.txt", "--json").json
    equal(created["prompt"], "You are terse.\nAlways.\n", "the prompt is the file's text")
    contains(succeeds("list", "persona", "list").out, created["id"], "it is listed")
    contains(succeeds("get by name", "persona", "get", "editor").out, "You are terse.", "is shown")
    succeeds("update", "persona", "update", "editor", "--description", "short")
    equal(succeeds("get by id", "persona", "get", created["id"], "--json").json["description"], "short",
          "the description is the new one")
    done = ctl("persona", "get", "edittor")
    equal(done.code, 1, "an unknown name is an error")
    contains(done.err, "did you mean 'editor'", "with the nearest")
    succeeds("delete", "persona", "delete", "editor", "--yes")


def test_agents_and_versions():
    make_agent("adder", 'c9.log.info("adding", { n = #input.n }) local s = 0 '
                        "for _, x in ipairs(input.n) do s = s + x end c9.emit({ sum = s }) return s")
    agent = succeeds("get by name", "agent", "get", "adder", "--json").json
    equal(agent["status"], "published", "it is published")
    equal(succeeds("get by id", "agent", "get", agent["id"], "--json").json["name"], "adder", "same")
    contains(succeeds("list", "agent", "list", "--status", "published").out, "adder", "listed")
    equal(ctl("agent", "list", "--name", "nobody").out, "", "an empty list prints no table")
    write("patch.json", {"description": "Adds."})
    succeeds("update", "agent", "update", "adder", "-f", "patch.json")
    succeeds("from standard input", "agent", "update", "adder", "-f", "-", input_='{"metadata":{"a":1}}')
    replaced = {**json.loads(open(f"{HOME}/adder.json", encoding="utf-8").read()), "description": "Adds up."}
    succeeds("replace", "agent", "replace", "adder", "-f", write("whole.json", replaced))
    equal(succeeds("get", "agent", "get", "adder", "--json").json["metadata"], {}, "what the file has not is gone")
    contains(succeeds("list", "agent", "list", "--owner", succeeds("me", "whoami", "--json").json["user"]["id"],
                      "--sort", "name").out, "adder", "one's own agents")
    draft = succeeds("of a file", "version", "create", "adder", "--version", "7.0.0", "--config", "whole.json", "--json")
    equal(draft.json["config"]["description"], "Adds up.", "a version is made")
    succeeds("delete", "version", "delete", "adder", "7.0.0", "--yes")
    contains(succeeds("versions", "version", "list", "adder").out, "1.0.0", "are listed")
    equal(succeeds("one", "version", "get", "adder", "1.0.0", "--json").json["isCurrent"], True, "current")
    contains(succeeds("validate", "agent", "validate", "-f", "adder.json").out, "valid", "is said")
    write("wrong.json", {"name": "x", "skillset": ["adder", "missing"], "triggerMode": "manual"})
    done = ctl("agent", "validate", "-f", "wrong.json")
    equal(done.code, 1, "not valid is exit 1")
    contains(done.out, "/skillset/1", "with the place")
    done = ctl("agent", "create", "-f", "wrong.json")
    equal(done.code, 1, "creating it is refused")
    for part in ("InvalidAgentConfig", "/skillset/1", "request "):
        contains(done.err, part, f"the message has {part!r}")
    error = json.loads(ctl("agent", "create", "-f", "wrong.json", "--json").err)
    equal(error["error"]["code"], "InvalidAgentConfig", "--json gives the envelope on stderr")
    done = ctl("agent", "create", "-f", write("broken.json", '{"name": }'))
    equal(done.code, 2, "a file that is no JSON is a usage error")
    contains(done.err, "broken.json", "that names the file")
    done = ctl("version", "publish", "adder", "9.9.9")
    contains(done.err, "VersionNotFound", "publishing what is not there says so")


def test_the_life_of_an_agent():
    make_agent("lively", "return 1")
    done = succeeds("publish makes a version and publishes it", "agent", "publish", "lively", "--version", "1.1.0",
                    "--changelog", "second", "--json").json
    equal((done["version"], done["isCurrent"], done["changelog"]), ("1.1.0", True, "second"), "it is current")
    contains(succeeds("publish", "agent", "publish", "lively").out, "1.1.1", "the next patch without --version")
    equal(ctl("agent", "publish", "lively", "--version", "1.1.0").code, 1, "a version is made once")
    contains(succeeds("diff", "agent", "diff", "lively").err, "are the same", "nothing has changed")
    write("patch.json", {"inputSchema": {"type": "object", "required": ["n"]}})
    succeeds("it is edited", "agent", "update", "lively", "-f", "patch.json")
    out = succeeds("diff", "agent", "diff", "lively", "1.0.0").out
    for part in ("1.0.0 → draft", "+ /inputSchema", "breaks callers: input /required", "next version: 2.0.0 (major)"):
        contains(out, part, "what changed is shown")
    equal(succeeds("as JSON", "agent", "diff", "lively", "1.0.0", "1.1.0", "--json").json["suggestedBump"], "none", "too")
    equal(succeeds("rollback", "agent", "rollback", "lively", "1.0.0", "--json").json["currentVersion"], "1.0.0",
          "an old version is current again")
    made = succeeds("of another version", "version", "create", "lively", "--version", "2.0.0", "--from", "1.0.0", "--json")
    equal(made.json["status"], "draft", "a version is made")
    write("patch.json", {"changelog": "patched"})
    contains(succeeds("update", "version", "update", "lively", "2.0.0", "-f", "patch.json").out, "patched", "and edited")
    contains(succeeds("delete", "version", "delete", "lively", "2.0.0", "--yes").err, "2.0.0 is deleted", "and deleted")
    done = succeeds("deprecate", "version", "deprecate", "lively", "1.1.0", "--sunset", "30d", "--reason", "old", "--json")
    ok(done.json["sunsetAt"] > done.json["deprecatedAt"], "until then")
    contains(ctl("run", "lively", "--version", "1.1.0").err, "what runs is deprecated; it is to run until ", "run says it")
    contains(succeeds("list", "version", "list", "lively", "--status", "deprecated").out, "1.1.0", "listed by status")
    done = succeeds("alias set", "alias", "set", "lively", "stable", "1.0.0=90", "1.1.1=10", "--json").json
    equal([t["weight"] for t in done["targets"]], [90, 10], "with its weights")
    succeeds("one target", "alias", "set", "lively", "canary", "1.1.1")
    contains(succeeds("alias list", "alias", "list", "lively").out, "1.0.0 90 %, 1.1.1 10 %", "as a table")
    contains(succeeds("alias get", "alias", "get", "lively", "stable").out, "1.0.0", "shown")
    equal(succeeds("run an alias", "run", "lively", "--version", "canary").out, "1\n", "it runs")
    equal(ctl("alias", "set", "lively", "bad", "1.0.0=x").code, 2, "what is no target is a usage error")
    for name in ("stable", "canary"):
        contains(succeeds("delete it", "alias", "delete", "lively", name).err, f"{name} is deleted", "is said")
    contains(succeeds("archive", "version", "archive", "lively", "1.1.0", "--yes").out, "archived", "a version")
    contains(succeeds("deprecate", "agent", "deprecate", "lively").out, "deprecated", "an agent")
    equal(ctl("agent", "delete", "lively", "--yes").code, 1, "it is not deleted by accident")
    contains(succeeds("archive", "agent", "archive", "lively", "--yes").out, "archived", "an agent")
    succeeds("then it can be deleted", "agent", "delete", "lively", "--yes")


def test_folders():
    succeeds("export", "export", "folder", "adder")
    succeeds("apply", "apply", "-f", "folder", "--dry-run")  # tests/client/folders.py has the rest


def test_run_follows_and_exits_with_the_outcome():
    done = succeeds("run", "run", "adder", "--input-json", '{"n":[1,2,39]}')
    equal(done.out, "42\n", "the output alone is on stdout")
    for part in ("adding", "emit", '{"sum":42}', "completed", "CPU", "peak", "execution "):
        contains(done.err, part, f"stderr has {part!r}")
    result = succeeds("run --json", "run", "adder", "--input", "-", "--json", "--no-follow",
                      input_='{"n":[1]}').json
    equal((result["status"], result["output"]), ("completed", 1), "the result is an ExecutionResult")
    ok("cpuTimeMs" in result["resourceUsage"], "with its usage")
    id_ = succeeds("run --async", "run", "adder", "--async", "--input-json", '{"n":[]}').out.strip()
    ok(re.fullmatch(r"[0-9a-f-]{36}", id_), "prints the execution's id alone")
    equal(succeeds("follow it", "execution", "follow", id_).out, "0\n", "replays it to its end")
    contains(succeeds("logs", "execution", "logs", id_).out, "adding", "its logs")
    contains(succeeds("get", "execution", "get", id_).out, "CPU", "its usage")
    out = succeeds("list", "execution", "list", "--agent", "adder", "--after", "1h", "--limit", "2").out
    equal(len(out.splitlines()), 3, "a heading and as many as --limit says")
    out = succeeds("usage", "usage", "--agent", "adder", "--from", "1h").out
    ok("adder" in out and "EXECUTIONS" in out, "usage sums up by agent")
    whole = succeeds("usage --json", "usage", "--by", "organization", "--json").json["items"]
    ok(len(whole) == 1 and whole[0]["executions"] > 0, "or for the organization")
    page = succeeds("list --json", "execution", "list", "--limit", "0", "--json").json
    equal(page["nextCursor"], None, "all of them")
    equal(ctl("run", "nobody").code, 1, "an unknown agent fails")
    contains(ctl("run", "adder", "--input", '{"n":[1]}').err, "--input-json", "JSON where a file belongs: the other option")
    contains(ctl("run", "adder", "--input", "missing.json").err, "missing.json", "so does a missing file")
    make_agent("echo", "return input")
    write("text.txt", "line one\nline two\n")
    done = succeeds("--set", "run", "echo", "--set", "a=b=c", "--set", "text=@text.txt", "--json")
    equal(done.json["output"], {"a": "b=c", "text": "line one\nline two\n"}, "makes the input's members")
    done = succeeds("a text", "run", "echo", "--input-json", '"Zwölf \\u001b[31m"')
    equal(done.out, "Zwölf \x1b[31m\n", "goes into a pipe as it is")


def test_run_takes_what_the_api_takes():
    write("hook.secret", "whsec_" + "A" * 43 + "=\n")
    write("context.json", {"ticket": 7})
    words = ("run", "echo", "--input-json", "1", "--webhook", "http://127.0.0.1:9/told", "--webhook-secret", "hook.secret",
             "--context", "context.json", "--on-disconnect", "cancel", "--idempotency-key", "once", "--priority", "-5")
    first = succeeds("with a webhook, a context, a key", *words, "--json").json["executionId"]
    equal(succeeds("again", *words, "--json").json["executionId"], first, "the same key is the same execution")
    kept = succeeds("get", "execution", "get", first, "--json").json
    equal((kept["executionContext"]["ticket"], kept["priority"]), (7, -5), "which has what was given")
    told = eventually(lambda: succeeds("deliveries", "delivery", "list", "--execution", first, "--json").json["items"])
    equal([d["url"] for d in told], ["http://127.0.0.1:9/told"], "its webhook is told")
    done = ctl("run", "echo", "--webhook", "http://127.0.0.1:9/")
    equal(done.code, 2, "a webhook without a secret is a mistake")
    contains(done.err, "--webhook-secret FILE", "that says what is missing")
    contains(ctl("run", "echo", "--on-disconnect", "explode").err, "onDisconnect", "the server's word on what it does not know")


def test_run_shows_what_goes_on():
    make_agent("busy", 'c9.sleep(1.2) c9.model.chat{ messages = { { role = "user", content = "x" } } } error("no luck")',
               executionConfig={"retry": {"attempts": 2, "backoffMs": 100}})
    succeeds("with a model", "skill", "upload", skill("busy", 'c9.sleep(1.2) c9.model.chat{ messages = { { role = "user", '
             'content = "x" } } } error("no luck")', 'needs = { model = { "default" } },'))
    succeeds("published", "agent", "publish", "busy")
    done = ctl("run", "busy")
    equal(done.code, 1, "it fails in the end")
    for part in ("step 1: sleep\n", "step 1: sleep took 1.", "step 2: model.chat\n", "so far: ", "no luck",
                 "attempt 2 of 2 comes "):
        contains(done.err, part, f"stderr has {part!r}")
    ok(all(part not in ctl("run", "busy", "--no-follow").err for part in ("step 1", "so far", "comes")),
       "--no-follow shows none of it")


def test_a_failing_execution_is_exit_1_with_its_traceback():
    make_agent("failer", "error('deliberately')")
    done = ctl("run", "failer")
    equal(done.code, 1, "exit 1")
    equal(done.out, "", "no output")
    contains(done.err, "ExecutionFailed", "the code")
    contains(done.err, "deliberately", "the message")
    ok(re.search(r"failer(\.lua)?:\d+", done.err), "file and line")
    result = json.loads(ctl("run", "failer", "--json").out)
    equal((result["status"], result["errorCode"]), ("failed", "ExecutionFailed"), "as JSON")


def test_interrupting_cancels():
    make_agent("sleeper", 'c9.log.info("asleep") c9.sleep(60) return 1')
    process = subprocess.Popen([f"{BUILD}/c9ctl", "run", "sleeper"], cwd=HOME, env=environment(),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen = ""
    while "asleep" not in seen:
        line = process.stderr.readline()
        if not line:
            break
        seen += line
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30 * SLOW)
    equal(process.returncode, 4, "a cancelled execution is exit 4")
    contains(err, "cancelling", "it says what Ctrl-C does")
    id_ = ctl("run", "sleeper", "--async").out.strip()
    succeeds("execution cancel", "execution", "cancel", id_)
    equal(ctl("execution", "follow", id_).code, 4, "following it ends with 4 too")


def test_batches():
    write("batch.json", {"inputs": ["one", "two"], "priority": 1})
    made = json.loads(succeeds("a batch is accepted", "batch", "create", "echo", "-f", "batch.json", "--json").out)
    ok(eventually(lambda: succeeds("batch get", "batch", "get", made["id"], "--json").json["status"] == "completed"), "it ends")
    contains(succeeds("its executions", "batch", "executions", made["id"], "--status", "completed").out, "completed", "are listed")
    contains(succeeds("batches are listed", "batch", "list", "--agent", "echo").out, made["id"], "by agent")
    equal(ctl("batch", "cancel", made["id"]).code, 1, "what has ended cannot be cancelled")
    one = succeeds("by batch", "execution", "list", "--batch", made["id"], "--text", "two", "--json").json["items"]
    equal([e["batchIndex"] for e in one], [1], "and text")


def test_webhooks():
    made = succeeds("a webhook is made", "webhook", "create", "http://127.0.0.1:9/", "--agent", "echo", "--event",
                    "execution.completed", "--json").json
    contains(made["secret"], "whsec_", "its secret is shown")
    contains(succeeds("webhooks are listed", "webhook", "list").out, "http://127.0.0.1:9/", "with their URL")
    equal(succeeds("webhook get", "webhook", "get", made["id"], "--json").json["events"], ["execution.completed"], "one")
    ok(succeeds("webhook rotate", "webhook", "rotate", made["id"], "--json").json["secret"] != made["secret"], "another secret")
    execution = succeeds("run", "run", "echo", "--input-json", '"x"', "--async").out.strip()
    ok(eventually(lambda: succeeds("deliveries", "delivery", "list", "--execution", execution, "--json").json["items"]), "it is told")
    delivery = succeeds("deliveries", "delivery", "list", "--webhook", made["id"], "--json").json["items"][0]["id"]
    ok(eventually(lambda: succeeds("delivery log", "delivery", "log", delivery, "--json").json["items"]), "each attempt")
    contains(succeeds("delivery get", "delivery", "get", delivery).out, "pending", "which goes on")
    equal(ctl("delivery", "redeliver", delivery).code, 1, "what is pending is not sent again")
    done = ctl("webhook", "test", made["id"])
    equal(done.code, 1, "a test that nobody answers is exit 1")
    contains(done.out, "it did not answer: ", "with the reason")
    write("off.json", {"isActive": False})
    contains(succeeds("webhook update", "webhook", "update", made["id"], "-f", "off.json", "--json").out, "false", "switched off")
    succeeds("dead letters", "dead-letter", "list", "--kind", "webhook")
    equal(ctl("dead-letter", "requeue", "01890000-0000-7000-8000-000000000000").code, 1, "an unknown one is not found")
    succeeds("webhook delete", "webhook", "delete", made["id"], "--yes")


def test_people_answer():
    make_agent("asker", 'return c9.wait_for("yes", { schema = { type = "boolean" } })')
    id_ = ctl("run", "asker", "--async").out.strip()
    succeeds("wait list", "wait", "list", "--kind", "signal", "--agent", "asker")
    for _ in range(100):
        listed = succeeds("execution waits", "execution", "waits", id_).out
        if "yes" in listed:
            break
    contains(listed, "yes", "what it waits for")
    done = ctl("execution", "signal", id_, "yes", "--payload-json", "1")
    equal(done.code, 1, "a payload that does not match is refused")
    contains(done.err, "boolean", "with the reason")
    succeeds("execution signal", "execution", "signal", id_, "yes", "--payload-json", "true")
    equal(ctl("execution", "follow", id_).out.strip(), "true", "the execution gets it")
    contains(succeeds("execution journal", "execution", "journal", id_).out, "wait_for", "the journal has it")


def test_time_travel():
    make_agent("traveller", 'local n = c9.random(1000) if input == 0 then error("no") end return n')
    id_ = ctl("run", "traveller", "--async", "--input-json", "1").out.strip()
    ctl("execution", "follow", id_)
    contains(succeeds("replay", "replay", id_).out, "the same: completed", "it comes out the same")
    file = os.path.join(HOME, "traveller.json")
    succeeds("export", "replay", id_, "--export", file)
    contains(succeeds("replay of a file", "replay", "--file", file, C9CTL_URL="http://127.0.0.1:1").out, "the same", "without a server")
    equal(ctl("replay").code, 2, "something is to be replayed")
    contains(succeeds("fork", "execution", "fork", id_, "--input-json", "2").out, id_, "a fork names its origin")
    contains(succeeds("backtest", "agent", "backtest", "traveller").out, "come out the same", "the draft is tried")
    failed = ctl("run", "traveller", "--async", "--input-json", "0").out.strip()
    equal(ctl("execution", "follow", failed).code, 1, "it fails")
    contains(succeeds("retry", "execution", "retry", failed).out, failed, "and is tried again")


def test_a_restart_of_the_server_is_survived():
    make_agent("patient", 'c9.log.info("began") c9.sleep(3) c9.log.info("slept") return "through"')
    process = subprocess.Popen([f"{BUILD}/c9ctl", "run", "patient"], cwd=HOME,
                               env=environment(C9CTL_URL=URL), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    seen = ""
    while "began" not in seen:
        line = process.stderr.readline()
        if not line:
            break
        seen += line
    daemon.config["http"]["listen"] = f"127.0.0.1:{daemon.port}"
    daemon.stop(signal.SIGKILL)
    daemon.write_config()
    daemon.start()
    out, err = process.communicate(timeout=60 * SLOW)
    equal((process.returncode, out), (0, "through\n"), "it completes, and c9ctl sees it")
    if process.returncode != 0:
        note(seen + err)
    equal((seen + err).count("began"), 1, "no event is shown twice")


def test_tokens():
    done = succeeds("create", "token", "create", "ci", "--scope", "agents:read,executions:read",
                    "--expires", "30d")
    token = done.out.strip()
    succeeds("stdout has the token alone", "agent", "list", C9CTL_TOKEN=token)
    done = ctl("persona", "create", "x", "--prompt", "prompt.txt", C9CTL_TOKEN=token)
    equal(done.code, 3, "a scope that lacks is exit 3")
    listed = succeeds("list", "token", "list").out
    contains(listed, "agents:read, executions:read", "the scopes are listed")
    contains(listed, "in 29 d", "and the expiry")
    ok(token not in listed, "the token is not")
    succeeds("revoke by name", "token", "revoke", "ci")
    equal(ctl("agent", "list", C9CTL_TOKEN=token).code, 3, "then it is refused")


def test_tokens_are_rotated():
    old = succeeds("a token", "token", "create", "rotating", "--scope", "agents:read").out.strip()
    contains(succeeds("get", "token", "get", "rotating").out, "rotating", "a token is shown")
    new = succeeds("rotate", "token", "rotate", "rotating", "--overlap", "0s").out.strip()
    ok(new.startswith("c9d_") and new != old, "a new one is printed")
    equal(ctl("agent", "list", C9CTL_TOKEN=old).code, 3, "the old one is no good without overlap")
    contains(succeeds("whoami", "whoami", C9CTL_TOKEN=new).out, "agents:read", "the new one is")


def test_people():
    succeeds("a user", "user", "create", "Bea", "--email", "bea@example.org", "--role", "viewer")
    succeeds("a service account", "user", "create", "robot", "--kind", "service")
    contains(succeeds("list", "user", "list", "--kind", "service").out, "robot", "users are listed")
    contains(succeeds("get", "user", "get", "Bea").out, "bea@example.org", "and shown")
    contains(succeeds("update", "user", "update", "Bea", "--role", "member").out, "member", "and edited")
    robot = succeeds("its token", "token", "create", "r", "--scope", "agents:read", "--user", "robot").out.strip()
    contains(succeeds("whose", "whoami", "--json", C9CTL_TOKEN=robot).out, "robot", "a token for a service account")
    contains(succeeds("by user", "token", "list", "--user", "robot").out, "agents:read", "is listed")
    succeeds("a team", "team", "create", "red", "--description", "The red ones")
    succeeds("add", "team", "add", "red", "robot")
    contains(succeeds("members", "team", "members", "red").out, "robot", "a team's members")
    contains(succeeds("teams", "team", "list", "--user", "robot").out, "red", "one's teams")
    contains(succeeds("get", "team", "get", "red").out, "The red ones", "a team is shown")
    contains(succeeds("update", "team", "update", "red", "--name", "crimson").out, "crimson", "and renamed")
    make_agent("granted", "return 1")
    equal(ctl("agent", "get", "granted", C9CTL_TOKEN=robot).code, 1, "what is not granted is not seen")
    succeeds("grant", "grant", "create", "granted", "--permission", "read", "--team", "crimson")
    succeeds("what is granted is", "agent", "get", "granted", C9CTL_TOKEN=robot)
    grants = ctl("grant", "list", "granted", "--json").json["items"]
    succeeds("a grant is shown", "grant", "get", "granted", grants[0]["id"])
    succeeds("take back", "grant", "delete", "granted", grants[0]["id"])
    succeeds("remove", "team", "remove", "crimson", "robot")
    succeeds("delete", "team", "delete", "crimson", "--yes")
    succeeds("delete", "user", "delete", "robot", "--hand-over-to", "Bea", "--yes")
    equal(ctl("user", "get", "robot").code, 1, "a user is removed")


def test_organizations():
    write("settings.json", {"maxAgents": 3})
    succeeds("create", "org", "create", "Second", "--settings", "settings.json")
    contains(succeeds("list", "org", "list").out, "owner", "organizations are listed")
    contains(succeeds("get", "org", "get", "Second").out, "maxAgents", "and shown")
    contains(succeeds("update", "org", "update", "Second", "--name", "2nd").out, "2nd", "and renamed")
    token = succeeds("token", "token", "create", "there", "--scope", "admin", "--org", "2nd").out.strip()
    contains(succeeds("there", "whoami", C9CTL_TOKEN=token).out, "2nd", "a token acts in one")
    succeeds("delete", "org", "delete", "2nd", "--yes")


def test_chains():
    make_agent("link", 'return { n = input.n + 1 }')
    config = {"steps": [{"id": "one", "agentId": "link"}, {"id": "two", "agentId": "link"}]}
    write("config.json", config)
    equal(succeeds("chain validate", "chain", "validate", "-f", "config.json").code, 0, "a configuration that is right")
    write("bad.json", {"steps": [{"id": "one", "agentId": "nobody", "condition": "1 =="}]})
    bad = ctl("chain", "validate", "-f", "bad.json")
    equal(bad.code, 1, "and one that is not")
    contains(bad.out + bad.err, "/steps/0/condition", "with the places")
    write("chain.json", {"name": "links", "chainConfig": config})
    succeeds("chain create", "chain", "create", "-f", "chain.json")
    contains(succeeds("chain list", "chain", "list", "--status", "active").out, "links", "it is listed")
    write("patch.json", {"description": "two links"})
    succeeds("chain update", "chain", "update", "links", "-f", "patch.json")
    contains(succeeds("chain get", "chain", "get", "links").out, "two links", "it is shown")
    done = succeeds("chain run", "chain", "run", "links", "--input-json", '{"n": 1}')
    equal(done.json, {"n": 3}, "its output is printed")
    contains(done.err, "completed", "and how it ended")
    contains(done.err, "chain step two: completed", "and what became of each step")
    contains(ctl("chain", "run", "links", "--input-json", '{"n": "x"}').err, "chain step one: failed: ", "or did not")
    equal(ctl("chain", "run", "links", "--input-json", '{"n": "x"}', "--no-follow").code, 1, "a failure is exit 1")
    contains(succeeds("chain executions", "chain", "executions", "links").out, "ChainExecutionFailed", "executions")
    id_ = succeeds("as JSON", "chain", "executions", "links", "--status", "completed", "--json").json["items"][0]["id"]
    contains(succeeds("chain execution", "chain", "execution", id_).out, "two", "one with its steps")
    contains(succeeds("chain optimize", "chain", "optimize", "links").out, "3 executions were looked at", "suggestions")
    equal(succeeds("as an agent", "run", "links", "--input-json", '{"n": 5}').json, {"n": 7}, "it is run by its name")
    write("six.json", {"n": 6})
    made = succeeds("and scheduled", "schedule", "create", "links", "--cron", "0 0 1 1 *", "--input", "six.json", "--json").json
    equal(daemon.api.get(f"/v1/schedules/{made['id']}").json["agentId"], daemon.api.get("/v1/chains?name=links").json["items"][0]["id"],
          "which is the chain's")
    succeeds("chain delete", "chain", "delete", "links", "--yes")


def test_audit():
    contains(succeeds("list", "audit", "list", "--operation", "createUser").out, "createUser", "changes are listed")
    contains(succeeds("denied", "audit", "list", "--kind", "denied", "--after", "1h").out, "Denied", "and denials")
    head = succeeds("verify", "audit", "verify").out
    contains(head, "intact", "the chain is verified")
    equal(ctl("audit", "verify", "--expect", "1:" + "0" * 64).code, 1, "another head is exit 1")


def test_a_terminal_gets_no_control_characters():
    make_agent("hostile", 'c9.log.info("a\\27[31mred\\7\\194\\155b") return "x\\27]0;title\\7y"')
    main, child = pty.openpty()
    process = subprocess.Popen([f"{BUILD}/c9ctl", "run", "hostile"], cwd=HOME, stdin=child,
                               stdout=child, stderr=child, env=environment(NO_COLOR="1"))
    os.close(child)
    seen = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    process.wait()
    os.close(main)
    ok(b"\x1b" not in seen and b"\x07" not in seen and b"\xc2\x9b" not in seen, "none comes through")
    ok(rb"\x1b[31mred" in seen and rb"x\x1b]0;title\x07y" in seen, "they are shown instead")
    if b"\x1b" in seen:
        note(repr(seen))


def test_mistakes_are_usage_errors():
    contains(succeeds("-h first", "-h", "user", "create").out, "[--role owner|admin|member|viewer]",
             "help says what an option takes")
    for words, part in ((("agnet", "list"), "did you mean 'agent'"),
                        (("taem", "list"), "did you mean 'team'"),
                        (("agent", "lits"), "did you mean 'agent list'"),
                        (("agent",), "c9ctl help agent"),
                        (("agent", "list", "--stauts", "draft"), "did you mean --status"),
                        (("agent", "get"), "AGENT is missing"),
                        (("agent", "get", "a", "b"), "too many"),
                        (("agent", "create"), "-f is missing"),
                        (("agent", "list", "--limit", "many"), "--limit"),
                        (("run", "a", "--input-json", "{"), "--input-json"),
                        (("execution", "list", "--after", "soon"), "is no time"),
                        (("status", "--url", "ftp://x"), "http://HOST:PORT")):
        done = ctl(*words)
        equal(done.code, 2, f"{' '.join(words)}: exit 2")
        contains(done.err, part, "with the reason")


def test_the_rest_of_the_table():
    succeeds("agent delete", "agent", "delete", "echo", "--force", "--yes")
    equal(ctl("version").out.split()[0], "c9ctl", "version")
    equal(succeeds("openapi", "openapi").json["openapi"][:3], "3.1", "the API's description")
    rows = set()
    equal(succeeds("a noun's help", "execution", "--help").out, succeeds("help of a noun", "help", "execution").out,
          "`execution --help` says what `help execution` does")
    out = succeeds("help", "help").out
    for match in re.finditer(r"^  ([a-z]+(?: [a-z]+)?)  ", out, re.M):
        rows.add(match[1])
    tried = {" ".join(u.split()[:n]) for u in used for n in (1, 2)}
    equal(sorted(r for r in rows - tried - {"completion"}), [], "every command was tried here")
    ok(len(rows) > 30, "and there are many")


try:
    run(globals(), daemon)
finally:
    if os.path.exists(SOCKET):
        os.unlink(SOCKET)
