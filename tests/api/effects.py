#!/usr/bin/python3
"""What executions ask the broker for: models over real HTTP, outbound HTTP and its guard, other agents, cancelling."""
import http.server
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, contains, equal, eventually, ok, run  # noqa: E402
from model_server import ModelServer  # noqa: E402

models = ModelServer()
models.__enter__()


class Pages(http.server.BaseHTTPRequestHandler):
    """What skills fetch."""
    seen = []

    def do_GET(self):
        Pages.seen.append((self.path, dict(self.headers)))
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
            self.end_headers()
        elif self.path == "/hop":
            self.send_response(302)
            self.send_header("Location", "/page")
            self.end_headers()
        elif self.path == "/odd-hop":
            self.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: %s/\xff?\xfe\r\nContent-Length: 0\r\n\r\n" % page.encode())
        elif self.path == "/large":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * 300000)
        elif self.path == "/odd-header":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-\xff: a\r\nX-\xff: b\r\nX-Fine: \xfe\r\nContent-Length: 2\r\n\r\nok")
        elif self.path == "/bytes":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"\xff\xfe")
        else:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(b"a page")

    def do_POST(self):
        Pages.seen.append((self.path, dict(self.headers)))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.end_headers()

    do_PUT = do_POST

    def log_message(self, *words):
        pass


class Steady(http.server.BaseHTTPRequestHandler):
    """Keeps its connections; what comes to /drop it reads, and hangs up."""
    protocol_version = "HTTP/1.1"
    seen = []

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Steady.seen.append((self.command, self.path))
        if self.path == "/drop":
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PATCH = do_POST

    def log_message(self, *words):
        pass


pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
threading.Thread(target=pages.serve_forever, daemon=True).start()
steady = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Steady)
threading.Thread(target=steady.serve_forever, daemon=True).start()
page = f"http://127.0.0.1:{pages.server_port}"

provider = {"plugin": "openai", "base_url": models.base_url, "attempts": 3}
daemon = Daemon({
    "model default": provider | {"model": "echo", "price_input": 15, "price_output": 60},
    "model flaky": provider | {"model": "fail:1:503:0+flaky1"},
    "model down": provider | {"model": "error:500"},
    "model refuses": provider | {"model": "error:401"},
    "model once": provider | {"model": "echo", "attempts": 1},
    "model slow": provider | {"model": "slow:1500"},
    "model words": provider | {"model": "words:5+drip:20"},
    "executions": {"grace": "300ms"},
    "outbound": {"allow": "127.0.0.1/32"},
})


def agent(name, body, needs="{}", **config):
    return daemon.api.lua_agent(name, f"""return {{ name = "{name}", version = "1.0.0", description = "a test", needs = {needs},
  run = function(input)
{body}
  end }}""", **config)["id"]


def execute(name, body, needs="{}", input_=None, **config):
    return daemon.api.execute(agent(name, body, needs, **config), input_).json


CHAT = 'return c9.model.chat{ provider = "%s", messages = { { role = "user", content = input == c9.null and "hi" or input } } }'


narrow = Daemon({"executors": {"ready": "0"}, "executions": {"running": "8", "drain": "1s"}})


def test_model():
    result = execute("chat", CHAT % "default", '{ model = { "default" } }', "hello there")
    equal(result["status"], "completed", "a model answers")
    contains(result["output"]["content"], "hello there", "what it was asked")
    usage = result["resourceUsage"]
    equal(usage["apiCallsCount"], 1, "one call is counted")
    ok(usage["tokensConsumed"] > 0 and usage["costMicrocents"] > 0, "tokens and cost are counted")


def test_model_retries():
    before = models.calls()["calls"]
    result = execute("flaky", CHAT % "flaky", '{ model = { "flaky" } }')
    equal(result["status"], "completed", "a provider that fails once is asked again")
    equal(models.calls()["calls"] - before, 2, "once more, not oftener")
    before = models.calls()["calls"]
    result = execute("down", CHAT % "down", '{ model = { "down" } }')
    equal(result["errorCode"], "ModelFailed", "a provider that stays down fails the call")
    equal(models.calls()["calls"] - before, 3, "after as many attempts as are configured")
    before = models.calls()["calls"]
    result = execute("refused", CHAT % "refuses", '{ model = { "refuses" } }')
    equal((result["errorCode"], models.calls()["calls"] - before), ("ModelFailed", 1), "a refusal is not tried again")


def test_what_is_not_answered_is_not_sent_twice():
    """Over a connection that was kept libcurl would send it again by itself, and nobody would count that."""
    result = execute("dropped", """
      local function ask(model) return c9.model.chat{ provider = "once", model = model, messages = { { role = "user", content = "x" } } } end
      ask("echo+kept")
      local fine, err = pcall(ask, "drop+once")
      return { fine = fine, message = err.message }""", '{ model = { "once" } }')
    equal(result["output"]["fine"], False, "a model that hangs up without a byte fails the call")
    contains(result["output"]["message"], "ended without an answer", "the error says how")
    equal(models.calls()["byModel"]["drop+once"], 1, "it was asked once")
    equal(result["resourceUsage"]["apiCallsCount"], 2, "and as many calls are counted as were made")
    for method in ("POST", "PATCH"):
        result = execute(f"dropped_{method.lower()}", f"""
          local function send(path) return c9.http.request{{ method = "{method}", url = "http://127.0.0.1:{steady.server_port}" .. path, body = "x" }} end
          send("/kept")
          return {{ fine = (pcall(send, "/drop")) }}""", '{ http = { "127.0.0.1" } }')
        equal((result["output"], Steady.seen.count((method, "/drop"))), ({"fine": False}, 1), f"a {method} is sent once")


def test_model_errors_can_be_caught():
    result = execute("catch-model", """
    local ok, err = pcall(c9.model.chat, { provider = "refuses", messages = { { role = "user", content = "x" } } })
    return { ok = ok, code = err.code, retryable = err.retryable, text = tostring(err) }""", '{ model = { "refuses" } }')
    equal(result["output"]["code"], "ModelFailed", "a skill can catch a model's failure")
    contains(result["output"]["text"], "ModelFailed", "and print it")


def test_model_streams_into_events():
    agent_id = agent("streamed", """
    local seen = {}
    local answer = c9.model.chat{ provider = "words", emit = true, messages = { { role = "user", content = "go" } },
                                  stream = function(delta) seen[#seen + 1] = delta end }
    return { content = answer.content, seen = table.concat(seen) }""", '{ model = { "words" } }')
    events = list(daemon.api.stream("POST", f"/v1/agents/{agent_id}/execute", {"input": None}))
    text = "".join(e.data["text"] for e in events if e.type == "delta")
    output = events[-1].data["output"]
    equal(text, output["content"], "the deltas add up to the answer")
    equal(output["seen"], output["content"], "the skill's own callback saw them too")
    ok(len([e for e in events if e.type == "delta"]) > 1, "in more than one piece")


def test_capabilities():
    result = execute("no-model", CHAT % "default")
    equal(result["errorCode"], "CapabilityDenied", "a model that the manifest does not name is refused")
    result = execute("no-http", f'return c9.http.request{{ url = "{page}/x" }}', '{ http = { "example.org" } }')
    equal(result["errorCode"], "CapabilityDenied", "a host that the manifest does not name is refused")
    result = execute("no-agent", 'return c9.agents.execute("chat", "x")')
    equal(result["errorCode"], "CapabilityDenied", "an agent that the manifest does not name is refused")


FETCH = 'return c9.http.request{ url = input }'
HERE = '{ http = { "127.0.0.1", "169.254.169.254", "localhost", "[::1]" } }'


def test_http():
    fetch = agent("fetch", FETCH, HERE)
    result = daemon.api.execute(fetch, f"{page}/page").json
    equal((result["output"]["status"], result["output"]["body"]), (200, "a page"), "a page is fetched")
    equal(daemon.api.execute(fetch, f"{page}/hop").json["output"]["body"], "a page", "a redirect is followed")
    result = execute("bytes", f'local r = c9.http.request{{ url = "{page}/bytes" }} return {{ r.body:byte(1, -1) }}', HERE)
    equal(result["output"], [255, 254], "a body may be any bytes")


def test_http_guard():
    fetch = agent("guard", FETCH, HERE)
    for url in ("http://169.254.169.254/", f"{page}/redirect", f"http://localhost:{pages.server_port + 1}/",
                "http://[::1]:1/"):
        code = daemon.api.execute(fetch, url).json.get("errorCode")
        ok(code in ("AddressDenied", "CapabilityDenied", "HttpFailed"), f"{url} is not reached: {code}")
    equal(daemon.api.execute(fetch, "http://169.254.169.254/").json["errorCode"], "AddressDenied", "the metadata address is refused")
    equal(daemon.api.execute(fetch, f"{page}/redirect").json["errorCode"], "AddressDenied", "also behind a redirect")
    for url in ("file:///etc/passwd", "gopher://127.0.0.1/", "no url", f"http://user:pw@127.0.0.1:{pages.server_port}/"):
        equal(daemon.api.execute(fetch, url).json["status"], "failed", f"{url} is refused")


def test_http_headers_cannot_be_injected():
    result = execute("inject", f'''return c9.http.request{{ url = "{page}/page", headers = {{ ["x-a"] = "1\\r\\nx-b: 2" }} }}''', HERE)
    equal(result["status"], "failed", "a header with a line break is refused")
    ok(not any("x-b" in headers for _, headers in Pages.seen), "and nothing of it was sent")


def test_http_hostile():
    needs = '{ http = { "127.0.0.1" } }'
    body = 'local r = c9.http.request{ url = input } return { status = r.status, body = r.body, odd = r.headers["x-fine"] }'
    got = execute("http_odd_header", body, needs, page + "/odd-header")
    equal(got["output"], {"status": 200, "body": "ok"}, "headers that are not UTF-8 are left out")
    got = execute("http_one_slash", body, needs, page.replace("//", "/") + "/hop")
    equal(got["output"], {"status": 200, "body": "a page"}, "a URL with one slash is followed through a redirect")
    got = execute("http_odd_hop", body, needs, page + "/odd-hop")
    equal(got["output"], {"status": 200, "body": "a page"}, "a redirect to a URL that is not UTF-8 is followed")
    equal(Pages.seen[-1][0], "/%ff?%fe", "percent-encoded")


def test_http_bounds():
    result = execute("large", f'return c9.http.request{{ url = "{page}/large", max_bytes = 1000 }}', HERE)
    equal(result["errorCode"], "ResourceExhausted", "a reply over max_bytes is refused")


def test_parallel():
    result = execute("parallel", """
    local function wait() c9.sleep(0.3) return 1 end
    return c9.all{ wait, wait, wait, wait, wait }""")
    equal(result["output"], [1] * 5, "c9.all gives the results in order")
    ok(result["executionTime"] < 1200, "and runs them at the same time")


def test_children():
    agent("child", "return { got = input }")
    result = execute("parent", """
    local output, info = c9.agents.execute("child", { n = 1 })
    return { output = output, id = info and info.execution_id }""", '{ agents = { "child" } }')
    equal(result["output"]["output"], {"got": {"n": 1}}, "a child's output comes back")
    child = daemon.api.get(f"/v1/executions/{result['output']['id']}").json
    equal(child["parentId"], result["executionId"], "the child knows its parent")
    result = execute("orphan", 'return c9.agents.execute("nobody", 1)', '{ agents = { "*" } }')
    equal(result["errorCode"], "AgentNotFound", "an agent that is not there is told")
    result = execute("snake", 'return c9.agents.execute("snake", 1)', '{ agents = { "*" } }')
    equal(result["errorCode"], "ResourceExhausted", "executions that call themselves end")


def test_cancel():
    waiting = agent("waits", "c9.sleep(60)")
    busy = agent("busy", "while true do end", executionConfig={"limits": {"cpuTimeMs": 60000}})
    model = agent("waits-for-model", CHAT % "slow", '{ model = { "slow" } }')
    for name, agent_id in (("waits", waiting), ("computes", busy), ("waits for a model", model)):
        execution = daemon.api.execute(agent_id, headers={"Prefer": "respond-async"}).json["executionId"]
        eventually(lambda e=execution: daemon.api.get(f"/v1/executions/{e}").json["status"] == "running")
        begun = time.monotonic()
        equal(daemon.api.post(f"/v1/executions/{execution}/cancel").status in (200, 202), True, f"cancel is taken: {name}")
        ended = eventually(lambda e=execution: daemon.api.get(f"/v1/executions/{e}").json["status"] == "cancelled")
        ok(ended, f"what {name} is cancelled in {time.monotonic() - begun:.1f} s")
        equal(daemon.api.post(f"/v1/executions/{execution}/cancel").code, "InvalidState", "a second time is refused")


def test_agent_loop():
    daemon.api.skill("""return { name = "add", version = "1.0.0", description = "Adds two numbers.",
      input = { type = "object", required = { "a", "b" }, properties = { a = { type = "number" }, b = { type = "number" } } },
      run = function(input) return { sum = input.a + input.b } end }""")
    persona = daemon.api.post("/v1/personas", {"name": "clerk", "prompt": "You add numbers."}).json
    models.script({"replies": [
        {"match": {"after_tool": "add"}, "content": "The sum is 5."},
        {"match": {"contains": "2 and 3"}, "tool_calls": [{"name": "add", "arguments": {"a": 2, "b": 3}}]},
    ]})
    loop = daemon.api.agent("adder", skillset=["add"], personaId=persona["id"])
    result = daemon.api.execute(loop["id"], "what is 2 and 3").json
    models.script({"replies": []})
    equal(result.get("output"), "The sum is 5.", "the built-in loop calls a tool and answers")
    seen = [r["body"] for r in models.requests()][-2:]
    contains(str(seen[0]), "You add numbers.", "the persona is the system prompt")
    contains(str(seen[0]), "Adds two numbers.", "the skill is a tool")
    contains(str(seen[1]), "5", "its result goes back to the model")


def test_cancel_in_line():
    """Cancelled at any moment on its way to an executor: none is ready, each has to be forked first."""
    nap = narrow.api.lua_agent("nap", """return { name = "nap", version = "1.0.0", description = "sleeps",
      run = function() c9.sleep(30) end }""")["id"]
    ids = []

    def some(n):
        api = narrow.api.fresh()
        for i in range(12):
            execution = api.execute(nap, None, {"Prefer": "respond-async"}).json["executionId"]
            time.sleep((i + n) % 8 * 0.0007)
            api.post(f"/v1/executions/{execution}/cancel")
            ids.append(execution)

    threads = [threading.Thread(target=some, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ok(len(ids) == 72 and eventually(lambda: all(narrow.api.get(f"/v1/executions/{i}").json["status"] == "cancelled" for i in ids)),
       "executions cancelled in line for an executor end cancelled")


def processes(of):
    def below(pid):
        pids = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
        return len(pids) + sum(below(p) for p in pids if len(pids) == 1)
    return below(of.process.pid)


def test_agents_take_turns():
    """Places are free when the test says so, and not before."""
    many = narrow.api.lua_agent("many", """return { name = "many", version = "1.0.0", description = "keeps its place",
      run = function() for _ = 1, 1000 do c9.sleep(5) end end }""")["id"]
    single = narrow.api.lua_agent("single", 'return { name = "single", version = "1.0.0", run = function() return 1 end }')["id"]
    ids = [narrow.api.execute(many, None, {"Prefer": "respond-async"}).json["executionId"] for _ in range(300)]
    one = narrow.api.execute(single, None, {"Prefer": "respond-async"}).json["executionId"]

    def status(i):
        return narrow.api.get(f"/v1/executions/{i}").json["status"]
    ok(eventually(lambda: all(status(i) == "running" for i in ids[:8])), "eight of an agent have all the places")
    equal({status(i) for i in ids[8:] + [one]}, {"pending"}, "292 more of it wait, and behind them one of another")
    for i in ids[:2]:
        narrow.api.post(f"/v1/executions/{i}/cancel")
    ok(eventually(lambda: status(one) == "completed"), "of the next two places the second is the other's")
    ok(eventually(lambda: status(ids[9]) == "running"), "which it gives back at once")
    equal({status(i) for i in ids[10:]}, {"pending"}, "while all others wait")
    for i in reversed(ids):
        narrow.api.post(f"/v1/executions/{i}/cancel")


def test_children_are_bounded():
    brood = narrow.api.lua_agent("brood", """return { name = "brood", version = "1.0.0", description = "executes itself",
      needs = { agents = { "brood" } }, run = function(depth)
        local calls = {}
        for i = 1, 5 do
          calls[i] = function()
            local fine, failure = pcall(c9.agents.execute, "brood", depth - 1)
            return { fine = fine, code = not fine and failure.code or nil }
          end
        end
        local answers = depth > 0 and c9.all(calls) or {}
        c9.sleep(1.5) -- long enough to be counted
        return answers
      end }""")["id"]
    first = narrow.api.execute(brood, 4, {"Prefer": "respond-async"}).json["executionId"]
    seen = [0]
    eventually(lambda: seen.append(processes(narrow)) or seen[-1] > 8, 60 * SLOW)  # on a busy machine it takes its time
    most = max(seen + [processes(narrow) for _ in range(30) if time.sleep(0.05) is None])
    # [executions] running = 8 leaves 64 places for children, one brood gets half of them.
    ok(8 < most <= 1 + 32 + 8, f"an execution that executes itself is bounded: {most} processes at most")
    other = narrow.api.lua_agent("other_parent", """return { name = "other_parent", version = "1.0.0", description = "a test",
      needs = { agents = { "brood" } }, run = function() return c9.agents.execute("brood", 0) end }""")["id"]
    equal(narrow.api.execute(other).json["status"], "completed", "another's child finds a place beside it")
    answer = eventually(lambda: narrow.api.get(f"/v1/executions/{first}").json.get("outputData"))
    ok(isinstance(answer, list) and len(answer) == 5, "the first one ends")
    equal(narrow.api.get("/v1/agents").status, 200, "and the daemon answers")


def test_requests_that_change_something_have_a_key():
    source = f"""return {{ name = "keyed", version = "1.0.0", description = "posts", needs = {{ http = {{ "127.0.0.1" }} }},
      run = function()
        for _, r in ipairs{{ {{ "POST", "a" }}, {{ "POST", "b" }}, {{ "PUT", "c" }}, {{ "GET", "d" }}, {{ "POST", "e", "mine" }} }} do
          c9.http.request{{ method = r[1], url = "{page}/key/" .. r[2], body = r[1] ~= "GET" and "x" or nil,
            headers = r[3] and {{ ["idempotency-KEY"] = r[3] }} or nil }}
        end
      end }}"""
    result = daemon.api.execute(daemon.api.lua_agent("keyed", source)["id"]).json
    equal(result["status"], "completed", "requests that change something")
    keys = {path[-1]: [v for k, v in headers.items() if k.lower() == "idempotency-key"] for path, headers in Pages.seen if "/key/" in path}
    ok(all(len(keys[p]) == 1 for p in "abc") and len({keys[p][0] for p in "abc"}) == 3, "have an Idempotency-Key each")
    equal((keys["d"], keys["e"]), ([], ["mine"]), "others have none, and the skill's own is left alone")


run(globals(), daemon, narrow)
