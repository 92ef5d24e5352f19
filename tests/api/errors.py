#!/usr/bin/python3
"""What is malformed, too large, too slow or not there: the envelope, and that the daemon stays up."""
import json
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import SLOW, Daemon, contains, equal, eventually, note, ok, read_all, run  # noqa: E402

daemon = Daemon({"http": {"max_body": "64KiB", "request_timeout": "2s", "idle_timeout": "2s"}})
api = daemon.api
AUTH = f"Authorization: Bearer {daemon.token}\r\n"
JSON = {"Content-Type": "application/json"}


def raw(head, body=b"", timeout=10):
    """Sends a request as it is; [(status, headers, body)…] of all that comes back."""
    data = api.raw(head.encode("latin-1") + body, timeout)
    answers = []
    while data:
        head_, _, rest = data.partition(b"\r\n\r\n")
        lines = head_.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        status = int(lines[0].split()[1])
        if status == 100:
            data = rest
            continue
        length = int(headers.get("Content-Length", 0))
        answers.append((status, headers, rest[:length]))
        data = rest[length:]
    return answers


def refused(name, head, body=b"", status=400, code="InvalidRequest"):
    answers = raw(head, body)
    if not ok(len(answers) == 1 and answers[0][0] == status, f"{name}: {status}"):
        note(answers)
        return
    if answers[0][1].get("Content-Type") == "application/json":
        equal(json.loads(answers[0][2])["error"]["code"], code, f"{name}: {code}")


def request_line(path, headers="", method="GET"):
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{AUTH}Connection: close\r\n{headers}\r\n"


def test_envelope():
    answer = api.get("/v1/nothing", {"X-Request-Id": "my-id:1"})
    equal((answer.status, answer.code), (404, "NotFound"), "what is not there is not found")
    error = answer.json["error"]
    equal((error["requestId"], answer.headers["X-Request-Id"]), ("my-id:1",) * 2, "the client's id comes back")
    ok(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", error["timestamp"]), "with the time")
    ok(error["details"]["suggestedActions"], "and what to do")
    equal(answer.headers["X-Content-Type-Options"], "nosniff", "and nosniff")
    ok(len(api.get("/healthz").headers["X-Request-Id"]) == 36, "a request without an id gets one")
    for bad in ("a b", "x" * 129, "ü".encode().decode("latin-1"), ""):
        equal(api.get("/healthz", {"X-Request-Id": bad}).status, 400, f"'{bad[:8]}' is no id")


def test_methods():
    answer = api.request("PUT", "/v1/agents", {})
    equal((answer.status, answer.code), (405, "MethodNotAllowed"), "a method that is not taken")
    equal(answer.headers["Allow"], "GET, HEAD, POST, OPTIONS", "Allow says which are")
    answer = api.request("OPTIONS", "/v1/agents")
    equal((answer.status, answer.headers["Allow"]), (204, "GET, HEAD, POST, OPTIONS"), "OPTIONS says it too")
    everything = api.request("OPTIONS", "*", check=False)
    equal((everything.status, everything.headers["Allow"]), (204, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
          "of the whole server: what any of its paths takes")
    equal(api.request("BREW", "/v1/agents").status, 405, "an unknown method")
    head, get = api.request("HEAD", "/v1/agents"), api.get("/v1/agents")
    equal((head.status, head.raw), (200, b""), "HEAD has no body")
    equal(head.headers["Content-Length"], get.headers["Content-Length"], "but its length")


def test_paths():
    for path in ("/v1/agents%00", "/v1/agents/%2e%2e/skills", "/v1/../v1/agents", "/v1/agents/a%2Fb",
                 "/v1/agents/a%5Cb", "/v1/agents/%zz", "/v1/agents/%", "/v1//agents", "/v1/agents/",
                 "/v1/agents/%ff", "/v1/agents/a%0ab", "/v1/agents/a%c0%af", "nothing"):
        refused(f"path {path}", request_line(path))
    refused("a path that is too long", request_line("/v1/agents/" + "a" * 9000))
    refused("a path that is too deep", request_line("/a" * 40), status=404, code="NotFound")
    equal(raw(request_line("http://x/healthz"))[0][0], 200, "the absolute form is taken")
    equal(raw(request_line("/he%61lthz"))[0][0], 200, "escapes are decoded")


def test_queries():
    for query in ("a%00b=1", "name=%zz", "name=%ff", "name=a&name=b", "nam%65=a&name=b"):
        answer = api.get(f"/v1/agents?{query}")
        equal((answer.status, answer.code), (400, "InvalidRequest"), f"?{query}")
    equal(api.get("/v1/agents?name=a+b%20c%C3%BC").status, 200, "what is encoded well is taken")
    equal(api.get("/v1/agents?&&").status, 200, "empty parts are nothing")
    contains(api.get("/healthz?x=1").message, "takes none", "an operation without parameters says so")


def test_framing():
    body = b'{"name":"x"}'
    n = f"Content-Length: {len(body)}\r\n"
    post = "POST /v1/agents/validate HTTP/1.1\r\nHost: x\r\n" + AUTH + "Content-Type: application/json\r\n"
    smuggled = b"GET /v1/tokens HTTP/1.1\r\nHost: x\r\n\r\n"
    refused("two lengths", post + n + "Content-Length: 5\r\n\r\n", body + smuggled)
    refused("a length twice", post + n + n + "\r\n", body + smuggled)
    refused("length and coding", post + n + "Transfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n" + smuggled)
    refused("another coding", post + "Transfer-Encoding: gzip, chunked\r\n\r\n", b"0\r\n\r\n" + smuggled)
    refused("a blank before the colon", request_line("/healthz", "X-A : 1\r\n"))
    refused("Content-Length with a blank before the colon",
            post + f"Content-Length : {len(body)}\r\n\r\n", smuggled)
    refused("a second Host", request_line("/healthz", "Host: y\r\n"))
    refused("a second token", request_line("/v1/agents", AUTH))
    chunked = post + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    equal(raw(chunked, b"5\r\n{\"nam\r\n7\r\ne\":\"x\"}\r\n0\r\n\r\n")[0][0], 200, "chunks are taken")
    for text in (b"\x00\x01\x02", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 50, b"A" * 70000):
        api.raw(text, 5)
    equal(api.fresh().get("/healthz").status, 200, "rubbish does no harm")


def test_header_bounds():
    refused("a hundred headers", request_line("/healthz", "".join(f"X-{i}: 1\r\n" for i in range(100))),
            status=431, code="HeadersTooLarge")
    refused("20 KiB of headers", request_line("/healthz", f"X-Big: {'a' * 20000}\r\n"),
            status=431, code="HeadersTooLarge")


def test_media_types():
    for type_, word in (("text/plain", "text/plain"), ("application/xml", "application/json"),
                        ("nonsense", "malformed"), ("application/json; charset=latin1", "UTF-8")):
        answer = api.post("/v1/personas", "{}", {"Content-Type": type_})
        equal((answer.status, answer.code), (415, "UnsupportedMediaType"), f"Content-Type: {type_}")
        contains(answer.message, word, "the message says it")
    answer = api.request("POST", "/v1/personas", b"{}", {"Content-Type": None})
    equal(answer.status, 415, "no type at all")
    answer = api.post("/v1/personas", "{}", {**JSON, "Content-Encoding": "gzip"})
    equal(answer.status, 415, "Content-Encoding is not taken")
    for accept in ("text/html", "application/*;q=0", "application/json;q=2", "a b"):
        answer = api.get("/v1/agents", {"Accept": accept})
        equal((answer.status, answer.code), (406, "NotAcceptable"), f"Accept: {accept}")
    for accept in ("*/*", "application/*", "text/html, application/json;q=0.1", ""):
        equal(api.get("/v1/agents", {"Accept": accept}).status, 200, f"Accept: {accept}")


def test_bodies():
    deep = "[" * 65 + "]" * 65
    for text, word in (('{"name":', "line 1"), ('{"name":"a","name":"b"}', "uplicate"), ('{"a":1} x', ""),
                       ('{"a":1e999}', ""), ('{"a":123456789012345678901234567890}', ""),
                       (f'{{"a":{deep}}}', "64"), ('{"a":"\\u0000"}', "\\u0000 is not taken"), ('{"a":"\\ud800"}', ""),
                       (b'{"a":"\xff"}', "decode"), ('\ufeff{}', ""), ("NaN", ""), ("", "missing")):
        answer = api.post("/v1/personas", text, JSON)
        equal((answer.status, answer.code), (400, "InvalidRequest"), f"{text[:24]!r}")
        contains(answer.message, word, "the message says it")
    answer = api.request("DELETE", "/v1/personas/01890000-0000-7000-8000-000000000000", b"{}", JSON)
    equal(answer.status, 400, "a body where none is taken")


def test_large_bodies():
    big = json.dumps({"name": "x", "prompt": "a" * 70000}).encode()
    answer = api.request("POST", "/v1/personas", big, JSON)
    equal((answer.status, answer.code), (413, "PayloadTooLarge"), "a body beyond the bound")
    equal(answer.details["maxBytes"], 65536, "the answer says the bound")
    head = "POST /v1/personas HTTP/1.1\r\nHost: x\r\n" + AUTH + "Content-Type: application/json\r\n"
    refused("an announced one is not even read", head + "Content-Length: 999999999\r\n\r\n", b"{",
            413, "PayloadTooLarge")
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    refused("nor is one in chunks taken", head + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
            chunk * 6 + b"0\r\n\r\n", 413, "PayloadTooLarge")
    answers = raw(head + "Transfer-Encoding: chunked\r\n\r\n", chunk * 40)
    ok(len(answers) <= 1, "who goes on and on is cut off")


def test_slow_clients():
    """Time is counted in waits of 0.1 s: what stops all of us at once is no time."""
    waits = 0
    with socket.create_connection((daemon.host, daemon.port), timeout=15) as s:
        try:
            for byte in (request_line("/healthz") * 3).encode():
                s.send(bytes([byte]))
                time.sleep(0.1)
                waits += 1
        except OSError:
            pass
    ok(waits < 80, f"a request that drips is cut off after its time ({waits / 10} s)")
    with socket.create_connection((daemon.host, daemon.port), timeout=0.1) as s:
        for waits in range(80):
            try:
                said = s.recv(1)
                break
            except TimeoutError:
                said = None
    equal(said, b"", f"a connection without a request is closed after its time ({waits / 10} s)")


def test_keep_alive():
    with socket.create_connection((daemon.host, daemon.port), timeout=10) as s:
        one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        last = b"GET /v1/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        s.sendall(one * 3 + last)
        data = read_all(s)
    equal((data.count(b" 200 OK"), data.count(b" 404 Not Found")), (3, 1), "pipelined requests are answered in order")
    equal(api.get("/v1/agents/x y".replace(" ", "%20")).status, 404, "an error does not end a connection")


def test_the_memory_of_bodies_is_bounded():
    narrow = Daemon({"http": {"body_memory": "1MiB"}})
    try:
        answer = narrow.api.post("/v1/agents", {"name": "x", "metadata": {"a": [1] * 100000}})
        equal((answer.status, answer.code), (413, "PayloadTooLarge"), "a body of many small values is large")
        contains(answer.json["error"]["message"], "body_memory", "the error names the setting")
        text = {"name": "x", "metadata": {"a": "x" * 300000}}
        equal(narrow.api.post("/v1/agents", text).status, 422, "one long text is not")
        head = (f"POST /v1/agents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {narrow.token}\r\n"
                "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n")

        def beside(s):
            """What is said to a large body while another one is on its way; that may itself find no place."""
            s.sendall(head.encode() + b" " * 900000)
            return eventually(lambda: (a := narrow.api.post("/v1/agents", text)).status != 422 and a, SLOW)

        for _ in range(20):
            with socket.create_connection((narrow.host, narrow.port), timeout=10 * SLOW) as s:
                crowded = beside(s)
                if crowded:
                    equal(narrow.api.post("/v1/agents", {"name": "small"}).status, 201, "a small one has a place")
                    break
        if ok(crowded, "beside another large one it has none"):
            equal((crowded.status, crowded.code), (503, "ServiceUnavailable"), "and is to come again")
            contains(crowded.json["error"]["message"], "body_memory", "the error names the setting")
            ok("Retry-After" in crowded.headers, "and a time")
        ok(eventually(lambda: narrow.api.post("/v1/agents", text).status == 422), "it has one when the other is gone")
    finally:
        narrow.stop()


run(globals(), daemon)
