#!/usr/bin/python3
"""What is outside may be anything: hosts that skills must not reach, servers that send too much or too slowly, models
that hang, drip, break off and talk rubbish, and too few descriptors. Each ends in its error, or waits and heals."""
import os
import resource
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import c9test  # noqa: E402
from c9test import SLOW, Daemon, contains, equal, ok, run  # noqa: E402
from model_server import ModelServer  # noqa: E402

models = ModelServer().__enter__()


def serve(connection):
    try:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536) or b"\r\n\r\n"
        path = head.split()[1].decode()
        heads.append(head)
        if path == "/many":
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(300)) + b"\r\n")
        elif path == "/wide":
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: " % i + b"y" * 9000 + b"\r\n" for i in range(9)) + b"\r\n")
        elif path == "/endless":
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while True:
                connection.sendall(b"y" * 4096)
        elif path == "/slow":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while True:
                connection.sendall(b"y")
                time.sleep(0.1)
        elif path == "/file":
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")
        elif path == "/round":
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /round\r\nContent-Length: 0\r\n\r\n")
        elif path == "/bomb":
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(b"z" * 65536)
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    except OSError:
        pass
    finally:
        connection.close()


def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


heads = []
listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, daemon=True).start()
here = f"http://127.0.0.1:{listener.getsockname()[1]}"

provider = {"plugin": "openai", "base_url": models.base_url, "attempts": 1}
daemon = Daemon({
    "outbound": {"allow": "127.0.0.1/32"},
    "model hangs": provider | {"model": "hang", "timeout": f"{500 * SLOW}ms"},
    "model drips": provider | {"model": "words:500+drip:100", "timeout": f"{700 * SLOW}ms"},
    "model breaks": provider | {"model": "words:50+cut:40"},
    "model rubbish": provider | {"model": "rubbish"},
    "model half": provider | {"model": "badjson"},
    "model breaks_late": provider | {"model": "words:50+streamerror"},
    "model gone": provider | {"base_url": "http://127.0.0.1:1/v1", "model": "x"},
    "model fine": provider | {"model": "echo"},
})
strict = Daemon({"outbound": {"hosts": "*.example.org, 127.0.0.1, localhost, 2130706433, 127.1, [::1], ::1"}})

FETCH = """return {{ name = "{name}", version = "1.0.0", description = "a test", needs = {{ http = {{ "*" }} }},
  run = function(r) return c9.http.request(r).status end }}"""
fetch = daemon.api.lua_agent("fetch", FETCH.format(name="fetch"))["id"]
strict_fetch = strict.api.lua_agent("fetch", FETCH.format(name="fetch"))["id"]
CHAT = """return {{ name = "{name}", version = "1.0.0", description = "a test", needs = {{ model = {{ "*" }} }},
  run = function(provider)
    return c9.model.chat{{ provider = provider, emit = {emit}, messages = {{ {{ role = "user", content = "x" }} }} }}.content
  end }}"""
chat = daemon.api.lua_agent("chat", CHAT.format(name="chat", emit="false"))["id"]
streamed = daemon.api.lua_agent("streamed", CHAT.format(name="streamed", emit="true"))["id"]


def fails(agent, input_, code, part, name, of=daemon):
    result = of.api.execute(agent, input_).json
    equal(result.get("errorCode"), code, f"{name}: {code}")
    contains(result.get("error"), part, f"{name}: says why")


def test_schemes_and_forms():
    for url in ("file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "dict://127.0.0.1:11211/stats", "ldap://127.0.0.1/"):
        fails(fetch, {"url": url}, "HttpFailed", "", url)
    fails(fetch, {"url": f"{here}/file"}, "HttpFailed", "file:", "a redirect to a file")
    fails(fetch, {"url": here.replace("//", "//user:pass@")}, "HttpFailed", "user name", "a user in the URL")
    equal(daemon.api.execute(fetch, {"url": f"{here}/round"}).json["output"], 302, "redirects are followed five times, no more")


def test_addresses_after_resolution():
    port = listener.getsockname()[1]
    before = len(heads)
    for host in ("127.0.0.1", "localhost", "127.1", "2130706433", "[::1]"):
        fails(strict_fetch, {"url": f"http://{host}:{port}/"}, "AddressDenied", "", host, strict)
    for host in ("elsewhere.invalid", "example.org", "badexample.org"):
        fails(strict_fetch, {"url": f"http://{host}/"}, "AddressDenied", "[outbound] hosts", host, strict)
    equal(len(heads), before, "nothing was connected to")


def test_header_injection():
    before = len(heads)
    for headers in ({"a": "b\r\nX-Evil: 1"}, {"a\r\nX-Evil": "1"}, {"a": "b\nc"}, {"a b": "c"}, {"a:": "c"}, {"": "c"}):
        fails(fetch, {"url": here, "headers": headers}, "HttpFailed", "header", str(headers))
    for url in (f"{here}/\r\nX-Evil: 1", f"{here}/ HTTP/1.1\r\nHost: evil\r\n\r\n"):
        result = daemon.api.execute(fetch, {"url": url}).json
        ok(result.get("errorCode") == "HttpFailed" or b"Evil" not in heads[-1].split(b"\r\n", 1)[1], "a URL cannot become two lines")
    ok(not any(b"\r\nX-Evil" in head for head in heads[before:]), "no header was let in")
    daemon.api.execute(fetch, {"url": here, "headers": {"Host": "evil", "Content-Length": "99", "Transfer-Encoding": "chunked"}})
    ok(b"evil" not in heads[-1] and b"content-length: 99" not in heads[-1].lower() and b"chunked" not in heads[-1], "what frames a request is not the skill's to say")


def test_sizes_and_times():
    for path in ("many", "wide", "endless"):
        fails(fetch, {"url": f"{here}/{path}"}, "HttpFailed", "64 KiB", f"headers, {path}")
    fails(fetch, {"url": f"{here}/bomb", "max_bytes": 100000}, "ResourceExhausted", "max_bytes 100000", "an endless body")
    fails(fetch, {"url": f"{here}/slow", "timeout": "500ms"}, "HttpFailed", "", "a body that drips")
    equal(daemon.api.execute(fetch, {"url": here}).json["output"], 200, "the next request is fine")


def test_models():
    for agent, kind in ((chat, "whole"), (streamed, "streamed")):
        for name in ("hangs", "drips", "breaks", "rubbish", "half", "gone") + (("breaks_late",) if kind == "streamed" else ()):
            fails(agent, name, "ModelFailed", name, f"{name}, {kind}")
            equal(daemon.api.execute(agent, "fine").json["status"], "completed", f"after {name} others are asked as before")


def test_few_descriptors():
    plain = c9test.end_with_parent

    def limited():
        plain()
        resource.setrlimit(resource.RLIMIT_NOFILE, (540, 540))
    c9test.end_with_parent = limited
    try:
        few = Daemon()
    finally:
        c9test.end_with_parent = plain
    contains(few.log(), "LimitNOFILE", "a limit of descriptors that is too low is told, with what to raise")
    nap = few.api.lua_agent("nap", 'return { name = "nap", version = "1.0.0", description = "a test", run = function() c9.sleep(0.1) return 1 end }')["id"]
    ids = [few.api.execute(nap, None, {"Prefer": "respond-async"}).json["executionId"] for _ in range(150)]
    deadline = time.monotonic() + 60 * SLOW
    done = 0
    while done < 150 and time.monotonic() < deadline:
        done = sum(few.api.get(f"/v1/executions/{i}").json["status"] == "completed" for i in ids)
        time.sleep(0.1)
    equal(done, 150, "more executions than descriptors wait for each other, and all complete")
    hold = [socket.create_connection((few.host, few.port)) for _ in range(400)]
    time.sleep(0.2)
    for s in hold:
        s.close()
    equal(few.api.fresh().execute(nap).json["status"], "completed", "after a flood of connections it serves again")
    equal(few.stop(), 0, "and stops cleanly")


run(globals(), daemon, strict)
