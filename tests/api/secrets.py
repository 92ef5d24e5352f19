#!/usr/bin/python3
"""Secrets by reference: a skill puts a reference into a request, the value leaves only for the secret's hosts, and is in
nothing that the skill, a client, the store or the log can see."""
import base64
import glob
import http.server
import os
import subprocess
import sys
import tempfile
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, Daemon, contains, equal, eventually, ok, run  # noqa: E402

VALUE = "s3cret/with+odd \"chars\"=="
ENCODED = urllib.parse.quote(VALUE, safe="")
OTHER = "another-secret-value"


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with all that came, and keeps it."""
    seen = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        Echo.seen.append({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                          "body": body.decode()})
        if self.path.startswith("/away"):
            self.send_response(307)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/landed")
            self.end_headers()
            return
        if self.path.startswith("/again"):
            self.send_response(302)
            self.send_header("Location", f"/page?token={ENCODED}&n=2")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("X-Echo", self.headers.get("Authorization") or "none")
        self.send_header("X-Encoded", ENCODED)
        self.end_headers()
        self.wfile.write(f"{self.path} {self.headers} ".encode() + body + b' {"json":"s3cret/with+odd \\"chars\\"=="}')

    do_GET = do_POST

    def log_message(self, *words):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_port
here = f"http://127.0.0.1:{port}"

key_file = tempfile.NamedTemporaryFile("w", suffix=".key")
key_file.write(VALUE + "\n")
key_file.flush()
daemon = Daemon({"outbound": {"allow": "127.0.0.1/32, ::1/128"},
                 "secret api": {"value_file": key_file.name, "hosts": "127.0.0.1", "plain_http": "yes"},
                 "secret strict": {"value": OTHER, "hosts": "127.0.0.1"},
                 "secret theirs": {"value": "value-of-others", "hosts": "127.0.0.1", "agents": "somebody_else",
                                   "plain_http": "yes"},
                 "secret ours": {"value": "value-of-ours-1", "hosts": "127.0.0.1", "agents": "ours", "plain_http": "yes"}})

NEEDS = '{ http = { "127.0.0.1", "localhost" }, secrets = { "api", "strict", "theirs", "ours", "absent" } }'


def execute(name, body, input_=None, needs=NEEDS):
    agent = daemon.api.lua_agent(name, f"""return {{ name = "{name}", version = "1.0.0", description = "a test", needs = {needs},
  run = function(input)
{body}
  end }}""")["id"]
    return daemon.api.execute(agent, input_).json


def fails(name, body, code, part, **options):
    before = len(Echo.seen)
    result = execute(name, body, **options)
    equal(result.get("errorCode"), code, f"{name}: it fails with {code}")
    contains(result.get("error"), part, f"{name}: and says why")
    equal(len(Echo.seen), before, f"{name}: nothing left")


def test_in_a_header():
    result = execute("header", f"""
    local reference = c9.secret("api")
    c9.log.info("reference", {{ reference = reference }})
    local r = c9.http.request{{ method = "POST", url = "{here}/h", body = "plain",
                               headers = {{ authorization = "Bearer " .. reference, ["x-two"] = reference .. "," .. reference }} }}
    return {{ reference = reference, body = r.body, headers = r.headers, url = r.url }}""")
    equal(result["status"], "completed", "a request with a reference is made")
    seen = Echo.seen[-1]["headers"]
    equal(seen["authorization"], "Bearer " + VALUE, "the value takes its place in a header")
    equal(seen["x-two"], VALUE + "," + VALUE, "wherever it is")
    out = result["output"]
    ok(out["reference"].startswith("c9-secret-") and len(out["reference"]) == 42, "a reference means nothing by itself")
    contains(out["body"], "Bearer " + out["reference"], "what the far side echoes has the reference again")
    contains(out["body"], '"json":"' + out["reference"], "also as JSON writes it")
    equal(out["headers"]["x-echo"], "Bearer " + out["reference"], "in headers too")
    equal(out["headers"]["x-encoded"], out["reference"], "and percent-encoded")


def test_in_query_and_body():
    result = execute("query", f"""
    local key = c9.secret("api")
    local r = c9.http.request{{ method = "POST", url = "{here}/q?a=1&token=" .. key .. "&b=2", body = "key=" .. key .. ";" }}
    return {{ url = r.url or "", body = r.body, key = key }}""")
    equal(Echo.seen[-1]["path"], f"/q?a=1&token={ENCODED}&b=2", "in a query it is percent-encoded")
    equal(Echo.seen[-1]["body"], f"key={VALUE};", "in a body it is as it is")
    ok(result["output"]["key"] in result["output"]["body"] and VALUE not in str(result), "the echo of both is hidden")


def test_redirects():
    result = execute("again", f"""
    return c9.http.request{{ url = "{here}/again?token=" .. c9.secret("api") }}.body""")
    equal(Echo.seen[-1]["path"], f"/page?token={ENCODED}&n=2", "a redirect that has the value in it is followed")
    ok("c9-secret-" in result["output"] and ENCODED not in result["output"], "and shows the reference")
    before = len(Echo.seen)
    result = execute("away", f"""
    return c9.http.request{{ url = "{here}/away", headers = {{ ["x-key"] = c9.secret("api") }} }}.status""")
    equal(result.get("errorCode"), "AddressDenied", "a redirect to a host that may not have it is not followed")
    contains(result["error"], "[secret api] hosts", "with the setting")
    equal([s["path"] for s in Echo.seen[before:]], ["/away"], "nothing came there")


def test_what_is_refused():
    fails("elsewhere", f"""return c9.http.request{{ url = "http://localhost:{port}/", headers = {{ a = c9.secret("api") }} }}""",
          "AddressDenied", "may not be sent to localhost")
    fails("insecure", f"""return c9.http.request{{ url = "{here}/", headers = {{ a = c9.secret("strict") }} }}""",
          "AddressDenied", "https only")
    fails("in-the-path", f"""return c9.http.request{{ url = "{here}/" .. c9.secret("api") .. "?x=1" }}""",
          "AddressDenied", "in the query")
    fails("not-for-it", """return c9.secret("theirs")""", "CapabilityDenied", "[secret theirs]")
    fails("not-there", """return c9.secret("absent")""", "CapabilityDenied", "[secret absent]")
    fails("not-named", """return c9.secret("api")""", "CapabilityDenied", "needs.secrets", needs="{}")
    fails("no-name", """return c9.secret(1)""", "ExecutionFailed", "must be a string")
    equal(execute("ours", """return #c9.secret("ours")""")["output"], 42, "one that is for this agent only is given to it")


def test_references_of_others():
    stolen = execute("lender", 'return c9.secret("api")')["output"]
    execute("thief", f'return c9.http.request{{ url = "{here}/t", headers = {{ a = input }} }}.status', stolen)
    equal(Echo.seen[-1]["headers"]["a"], stolen, "another execution's reference is just a text")
    result = execute("unnamed", f'return c9.http.request{{ url = "{here}/u", headers = {{ a = input }} }}.body', stolen,
                     needs='{ http = { "127.0.0.1" } }')
    contains(result["output"], '{"json":"[hidden secret]"}', "what a far side tells of others' secrets is hidden")
    equal(Echo.seen[-1]["headers"]["a"], stolen, "also where no secret is named")


def test_errors_hide_it():
    result = execute("refused", """
    local ok, e = pcall(c9.http.request, { url = "http://127.0.0.1:1/?token=" .. c9.secret("api") })
    return tostring(e)""")
    contains(result["output"], "c9-secret-", "a failed request's error has the reference")
    ok(VALUE not in result["output"] and ENCODED not in result["output"], "and not the value")


def test_after_a_crash():
    agent = daemon.api.lua_agent("crash", f"""return {{ name = "crash", version = "1.0.0", description = "a test", needs = {NEEDS},
  run = function(input)
    local reference = c9.secret("api")
    c9.http.request{{ url = "{here}/before" }}
    c9.sleep(2)
    return c9.http.request{{ url = "{here}/after", headers = {{ a = reference }} }}.status
  end }}""")["id"]
    execution = daemon.api.execute(agent, None, {"Prefer": "respond-async"}).json["executionId"]
    ok(eventually(lambda: any(s["path"] == "/before" for s in Echo.seen)), "an execution has its reference")
    eventually(lambda: b"before" in b"".join(open(f, "rb").read() for f in glob.glob(f"{daemon.folder}/state/c9d.db*")))
    daemon.kill()
    daemon.start()
    ended = eventually(lambda: (e := daemon.api.get(f"/v1/executions/{execution}").json)["status"] == "completed" and e)
    ok(ended, "the daemon is killed, the execution goes on")
    equal([s["headers"].get("a") for s in Echo.seen if s["path"] == "/after"], [VALUE], "and its reference still stands for the value")


def test_it_is_nowhere():
    everything = daemon.log().encode() + b"".join(
        open(f, "rb").read() for f in glob.glob(f"{daemon.folder}/state/**", recursive=True) if os.path.isfile(f))
    for value in (VALUE, ENCODED, OTHER, base64.b64encode(VALUE.encode()).decode()):
        ok(value.encode() not in everything, f"neither log nor database has {value[:6]}…")
    contains(everything.decode(errors="replace"), "c9-secret-", "the reference is there")


def test_configuration():
    path = f"{daemon.folder}/bad.conf"
    for lines, part in (("value = short\nhosts = a.example\n", "8 to"), ("value = long enough\n", "hosts is missing"),
                        ("value_file = nowhere.key\nhosts = a.example\n", "nowhere.key"),
                        ("value = long enough\nhost = a.example\n", "hosts")):
        with open(path, "w", encoding="ascii") as f:
            f.write(f"[secret bad]\n{lines}")
        done = subprocess.run([f"{BUILD}/c9d", "check-config", "-c", path], capture_output=True, text=True, check=False)
        ok(done.returncode == 1 and part in done.stderr, f"check-config says: {done.stderr.splitlines()[0]}")


def test_skill_test():
    path = f"{daemon.folder}/s.lua"
    with open(path, "w", encoding="ascii") as f:
        f.write("""return { name = "s", version = "1.0.0", needs = { http = { "a.example" }, secrets = { "key" } },
  examples = { { name = "one", input = c9.null, output = 200, http = { { status = 200, headers = {}, body = "" } } },
               { name = "two", input = "other", error = "CapabilityDenied" } },
  run = function(input)
    return c9.http.request{ url = "https://a.example/", headers = { a = c9.secret(input == c9.null and "key" or input) } }.status
  end }""")
    done = subprocess.run([f"{BUILD}/c9d", "skill-test", path], capture_output=True, text=True, check=False)
    equal(done.returncode, 0, "a skill's own examples run without the secret")


run(globals(), daemon)
