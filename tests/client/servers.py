#!/usr/bin/python3
"""c9ctl against servers that are not there, are something else, break off, or are hostile."""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, SLOW, contains, equal, note, ok, run  # noqa: E402

HOME = tempfile.mkdtemp(prefix="c9ctl-test-")
ID = "0198c0de-7b22-7c0d-8e1f-0123456789ab"
USAGE = {"cpuTimeMs": 3, "memoryPeakMb": 1, "apiCallsCount": 1, "tokensConsumed": 7, "costCents": 1,
         "cpuTimeUs": 2710, "memoryPeakBytes": 421888, "costMicrocents": 250000}


class Server:
    """Answers each connection with the next of `answers`: bytes, or a function of the request."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        for answer in self.answers:
            connection, _ = self.socket.accept()
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(65536)
                if not piece:
                    break
                request += piece
            head, _, body = request.partition(b"\r\n\r\n")
            length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                           if line.lower().startswith(b"content-length:")), 0)
            while len(body) < length:
                body += connection.recv(65536)
            self.requests.append(head.decode() + "\n\n" + body.decode())
            try:
                for piece in [answer] if isinstance(answer, bytes) else answer():
                    connection.sendall(piece)
            except OSError:
                pass
            connection.close()
        self.socket.close()


def reply(status, body, media="application/json", more=""):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (f"HTTP/1.1 {status} X\r\nContent-Type: {media}\r\nContent-Length: {len(data)}\r\n"
            f"{more}Connection: close\r\n\r\n").encode() + data


def event(type_, data, id_=None):
    return ((f"id: {id_}\n" if id_ else "") + f"event: {type_}\ndata: {json.dumps(data)}\n\n").encode()


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
FIRST = event("execution", {"executionId": ID})
END = event("end", {"status": "completed", "output": {"n": 1}, "resourceUsage": USAGE}, 9)


def ctl(*words, url=None, token="secret-token", timeout=90 * SLOW, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("C9CTL_", "XDG_"))}
    env.update({"HOME": HOME, "C9CTL_URL": url or "", "C9CTL_TOKEN": token or "", **more})
    return subprocess.run([f"{BUILD}/c9ctl", *words], capture_output=True, text=True, env=env,
                          timeout=timeout, check=False)


def test_nobody_is_there():
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    for words in (("agent", "list"), ("run", "x"), ("status",)):
        done = ctl(*words, url=f"http://127.0.0.1:{port}")
        equal(done.returncode, 3, f"{words[0]}: exit 3")
        for part in (f"127.0.0.1:{port}", "C9CTL_URL", "systemctl start c9d", "c9d run"):
            contains(done.stderr, part, f"the message says {part!r}")
    done = ctl("status", url="unix:/nowhere/c9d.sock")
    equal(done.returncode, 3, "a socket that is not there: exit 3")
    contains(done.stderr, "/nowhere/c9d.sock", "with its path")


def test_something_else_answers():
    for answer, part in ((reply(200, b"<html>hello", "text/html"), "not c9d"),
                         (reply(404, b"nope", "text/plain"), "not c9d"),
                         (reply(200, b"{\"items\":", "application/json"), "cannot be read"),
                         (reply(500, {"message": "x"}), "envelope"),
                         (reply(302, b"", "text/html", "Location: http://127.0.0.1:1/\r\n"), "envelope"),
                         (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
                         (b"", "without an answer")):
        server = Server(answer)
        done = ctl("agent", "list", url=server.url)
        equal(done.returncode, 3, f"{answer[:40]!r}: exit 3")
        contains(done.stderr, part, f"and {part!r}")


def test_tokens_are_asked_for_and_refused_with_help():
    refusal = reply(401, {"error": {"code": "AuthenticationRequired", "message": "m",
                                    "timestamp": "2026-01-31T12:00:00Z", "requestId": "r"}})
    done = ctl("agent", "list", url=Server(refusal).url, token=None)
    equal(done.returncode, 3, "none: exit 3")
    contains(done.stderr, "c9ctl login", "and how to get one")
    done = ctl("agent", "list", url=Server(refusal).url)
    contains(done.stderr, "refuses the token (from C9CTL_TOKEN)", "a refused one: where it came from")
    ok("secret-token" not in done.stdout + done.stderr, "but never the token")
    done = ctl("agent", "list", url="http://127.0.0.1:1", token="two words")
    equal(done.returncode, 3, "a token that cannot be one is refused before it is sent")


def test_errors_are_shown_whole():
    error = {"code": "InvalidInput", "message": "does not fit", "requestId": "req-1",
             "timestamp": "2026-01-31T12:00:00Z",
             "details": {"validationErrors": [{"path": "/n", "message": "not a number"},
                                              {"path": "", "parameter": "limit", "message": "too big"}],
                         "suggestedActions": ["Correct it."]}}
    done = ctl("run", "a", url=Server(reply(422, {"error": error})).url)
    equal(done.returncode, 1, "exit 1")
    for part in ("InvalidInput: does not fit", "/n: not a number", "limit: too big", "Correct it.",
                 "request req-1"):
        contains(done.stderr, part, f"it shows {part!r}")
    hostile = dict(error, message="a\x1b[2Jb\u009bc\u202ed", details={})
    done = ctl("agent", "list", url=Server(reply(422, {"error": hostile})).url)
    ok("\x1b" not in done.stderr and "\u009b" not in done.stderr and "\u202e" not in done.stderr,
       "control characters of the server are not obeyed")


def test_lists_follow_their_cursor():
    item = {"id": ID, "name": "näme 東京", "status": "draft", "currentVersion": "1.0.0",
            "updatedAt": "2020-01-31T12:00:00Z", "skillset": ["a", "b"]}
    server = Server(reply(200, {"items": [item] * 2, "nextCursor": "c/1"}),
                    reply(200, {"items": [dict(item, name="z\ty\x1b")], "nextCursor": None}))
    done = ctl("agent", "list", url=server.url)
    lines = done.stdout.splitlines()
    equal(len(lines), 4, "the rows of both pages")
    contains(server.requests[1], "cursor=c%2F1", "the cursor goes back encoded")
    equal(lines[1].index(ID) + 2, lines[3].index(ID), "columns are aligned by width: two wide ones")
    contains(lines[3], "z y\\x1b", "a name stays on its line")
    server = Server(*[reply(200, {"items": [], "nextCursor": "more"})] * 3)
    equal(ctl("agent", "list", url=server.url).returncode, 0, "empty pages do not go on for ever")
    equal(len(server.requests), 1, "one was enough")
    server = Server(reply(200, {"items": [item] * 2, "nextCursor": "c"}))
    done = ctl("agent", "list", "--limit", "2", "--json", url=server.url)
    equal(json.loads(done.stdout)["nextCursor"], "c", "--limit stops, and the cursor is there")


def test_a_stream_that_breaks_is_resumed():
    server = Server(STREAM + FIRST + event("status", {"status": "running"}, 1)
                    + event("log", {"level": "warn", "message": "one", "metadata": {}}, 2)
                    + event("delta", {"text": "half a"}, 3) + b"id: 4\nevent: log\nda",
                    b"",
                    reply(503, {"error": {"code": "ServiceUnavailable", "message": "m",
                                          "timestamp": "t", "requestId": "r"}}),
                    STREAM + FIRST + event("delta", {"text": "half a"}, 3)
                    + event("delta", {"text": " word"}, 4) + event("emit", {"value": [1]}, 5)
                    + event("unheard-of", {}, 6) + END)
    done = ctl("run", "a b/c", "--input-json", "1", url=server.url)
    equal((done.returncode, done.stdout), (0, '{"n":1}\n'), "it ends with the output")
    equal(done.stderr.count("half a"), 1, "what came twice is shown once")
    for part in ("warn", "one", " word", "emit  [1]", "completed", "2.71 ms CPU", "412 KiB",
                 "1 call,", "7 tokens", "0.25 cents"):
        contains(done.stderr, part, f"stderr has {part!r}")
    contains(server.requests[0], "POST /v1/agents/a%20b%2Fc/execute", "the name is encoded")
    contains(server.requests[0].lower(), "idempotency-key: ", "the POST may be repeated")
    contains(server.requests[0], "Bearer secret-token", "with the token")
    contains(server.requests[3], f"GET /v1/executions/{ID}/stream", "the stream is taken up")
    contains(server.requests[3], "Last-Event-ID: 3", "behind the last event")


def test_a_post_that_breaks_before_an_answer_is_repeated_with_its_key():
    server = Server(b"", STREAM + FIRST + END)
    done = ctl("run", "a", url=server.url)
    equal(done.returncode, 0, "it is")
    keys = [line for r in server.requests for line in r.split("\n") if line.startswith("Idempotency")]
    ok(len(keys) == 2 and keys[0] == keys[1], "the same key both times")


def test_an_answer_without_a_stream_is_taken():
    result = {"executionId": ID, "status": "failed", "error": "why", "errorCode": "ExecutionFailed",
              "errorDetails": {"traceback": "a.lua:1"}, "executionTime": 12, "resourceUsage": USAGE}
    done = ctl("run", "a", url=Server(reply(200, result)).url)
    equal(done.returncode, 1, "a result")
    contains(done.stderr, "a.lua:1", "with its traceback")
    contains(done.stderr, "failed in 12 ms", "and its time")
    server = Server(reply(202, {"executionId": ID, "status": "pending"}), STREAM + END)
    equal(ctl("run", "a", url=server.url).returncode, 0, "an acceptance is followed")


def test_hostile_streams_end_with_a_message():
    for data, part in ((b"event: end\ndata: {\"status\":\n\n", "no JSON object"),
                       (b"event: log\ndata: [1]\n\n", "no JSON object")):
        done = ctl("run", "a", url=Server(STREAM + data).url)
        ok(done.returncode != 0, f"{data!r} is not taken")
        contains(done.stderr, part, "and said")

    def endless():
        yield STREAM + b"data: "
        for _ in range(40):
            yield b"x" * (1 << 20)
    done = ctl("run", "a", url=Server(endless).url)
    ok(done.returncode != 0, "an event without an end is not kept")
    contains(done.stderr, "larger than", "and said")

    def much():
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n["
        for _ in range(80):
            yield b" " * (1 << 20)
    done = ctl("agent", "get", ID, url=Server(much).url)
    equal(done.returncode, 3, "nor a reply without one")
    contains(done.stderr, "larger than 64 MiB", "and said")


def test_ctrl_c_twice_leaves():
    hold = threading.Event()

    def slow():
        yield STREAM + FIRST
        hold.wait(30)
    server = Server(slow)
    env = {**os.environ, "HOME": HOME, "C9CTL_URL": server.url, "C9CTL_TOKEN": "t"}
    process = subprocess.Popen([f"{BUILD}/c9ctl", "run", "a"], env=env, stderr=subprocess.PIPE, text=True)
    seen = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    seen += process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=30 * SLOW)
    hold.set()
    equal(process.returncode, 130, "exit 130")
    contains(seen + rest, "cancelling", "after having tried to cancel")
    contains(rest, f"c9ctl execution follow {ID}", "and saying how to come back")
    if process.returncode != 130:
        note(seen + rest)


def test_completion_and_manual_say_what_the_table_says():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    made = ctl("completion").stdout
    with open(f"{root}/packaging/completion/c9ctl.bash", encoding="utf-8") as f:
        equal(f.read(), made, "packaging/completion/c9ctl.bash is what `c9ctl completion` prints")
    words = subprocess.run(["bash", "-c", made + """
        COMP_WORDS=(c9ctl agent cr); COMP_CWORD=2; _c9ctl; echo "${COMPREPLY[*]}"
        COMP_WORDS=(c9ctl exec); COMP_CWORD=1; _c9ctl; echo "${COMPREPLY[*]}"
        COMP_WORDS=(c9ctl run x --in); COMP_CWORD=3; _c9ctl; echo "${COMPREPLY[*]}"
        COMP_WORDS=(c9ctl event send x --data /etc/os-rel); COMP_CWORD=5; _c9ctl; echo "${COMPREPLY[*]}"
        COMP_WORDS=(c9ctl export /etc/os-rel); COMP_CWORD=2; _c9ctl; echo "${COMPREPLY[*]}"
        """], capture_output=True, text=True, check=False).stdout.split("\n")
    equal(words[:3], ["create", "execution", "--input --input-json"], "and it completes")
    equal(words[3:5], ["/etc/os-release"] * 2, "files where they are taken")
    with open(f"{root}/packaging/man/c9ctl.1", encoding="utf-8") as f:
        manual = f.read().replace("\\-", "-")
    for line in made.splitlines():
        line = line.strip()
        if line.startswith('"') and ") words=" in line:
            name = line.split('"')[1].strip()
            contains(manual, f".It Nm Cm {name}", f"the manual has `{name}`")
            options = line.split('words="')[1].split('"')[0].split()
            section = manual.partition(f".It Nm Cm {name}\n")[2].partition("\n.It Nm")[0]
            for option in options:
                contains(section, "Fl " + option[1:].replace("-", "Fl ", 1) if option[1] == "-" else "Fl " + option[1:], f"the manual has `{name} {option}`")


run(globals())
