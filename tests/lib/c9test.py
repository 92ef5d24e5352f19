"""A daemon of its own for each test program, a client that checks every answer against
api/openapi.json, and TAP.

    from c9test import Daemon, ok, equal, run
    daemon = Daemon()

    def test_agents_are_listed():
        answer = daemon.api.get("/v1/agents")
        equal(answer.status, 200, "the list answers")

    run(globals(), daemon)

C9_BUILD is the build folder (default build). Only the standard library and python3-jsonschema.
"""
import atexit
import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse
import warnings

warnings.simplefilter("ignore", DeprecationWarning)
import jsonschema  # noqa: E402

import contract  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("C9_BUILD", os.path.join(ROOT, "build")))
SANITIZED = bool(os.environ.get("C9_SANITIZED"))  # such a build has a wider syscall policy
SLOW = 8 if SANITIZED else 1  # how much longer a sanitizer's build may take
START_TIMEOUT = 20 * SLOW
REPORTS = re.compile(r"==\d+==ERROR: \w+Sanitizer: .*|WARNING: ThreadSanitizer: .*|.*: runtime error: .*")


def end_with_parent(prctl=ctypes.CDLL(None).prctl):
    """In a child: a test that is killed leaves nothing behind."""
    prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


# ---- TAP -------------------------------------------------------------------------------------

_run, _failed = 0, 0


def ok(passed, name):
    """One line of TAP; True when it passed."""
    global _run, _failed
    _run += 1
    _failed += not passed
    print(f"{'' if passed else 'not '}ok {_run} - {name}", flush=True)
    return bool(passed)


def note(text):
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def equal(got, want, name):
    if not ok(got == want, name):
        note(f"got  {got!r}"[:2000])
        note(f"want {want!r}"[:2000])
    return got == want


def contains(text, part, name):
    if not ok(part in (text or ""), name):
        note(f"{part!r} is not in {text!r}"[:2000])


def run(names, *daemons):
    """Runs every test_… function of the module in the order written, stops the daemons, exits."""
    for name, function in list(names.items()):
        if name.startswith("test_") and callable(function):
            try:
                function()
            except Exception:  # a test that dies is a test that fails
                ok(False, name.replace("_", " "))
                note(traceback.format_exc())
    for daemon in daemons:
        if daemon is not None:
            equal(daemon.stop(), 0, "the daemon stops with exit status 0")
            if _failed:
                note(daemon.log()[-4000:])
    print(f"1..{_run}")
    sys.exit(1 if _failed else 0)


# ---- the OpenAPI document --------------------------------------------------------------------

FORMATS = jsonschema.FormatChecker(formats=("uuid",))


@FORMATS.checks("date-time")
def _is_date_time(value):
    return not isinstance(value, str) or re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value) is not None


class Document:
    """api/openapi.json as the judge of answers."""

    def __init__(self, path=os.path.join(ROOT, "api", "openapi.json")):
        with open(path, encoding="utf-8") as f:
            self.json = json.load(f)
        self.resolver = jsonschema.RefResolver("", self.json)
        self.routes = []
        for template, item in self.json["paths"].items():
            pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template))
            self.routes.append(("{" in template, re.compile(pattern), template, item))
        self.routes.sort(key=lambda route: route[0])
        self.seen = set()

    def follow(self, value):
        while "$ref" in value:
            value = self.resolver.resolve(value["$ref"])[1]
        return value

    def operation(self, method, path):
        for _, pattern, _, item in self.routes:
            if pattern.fullmatch(path):
                return item.get({"HEAD": "get"}.get(method, method.lower()))
        return None

    def response(self, method, path, status):
        operation = self.operation(method, path)
        if operation is None:
            return self.json["components"]["responses"]["Error"] if status >= 400 else None
        self.seen.add((operation["operationId"], status))
        responses = operation["responses"]
        found = responses.get(str(status))
        if found is None and status >= 400:
            found = responses["default"]
        return self.follow(found) if found is not None else None

    def problems(self, method, path, status, headers, body):
        """What of an answer is not as the document says; [] when all is."""
        response = self.response(method, path, status)
        if response is None:
            return [f"{method} {path}: status {status} is not described"]
        found = []
        for name, header in response.get("headers", {}).items():
            header = self.follow(header)
            if name not in headers:
                if header.get("required"):
                    found.append(f"the header {name} is missing")
        content = response.get("content", {})
        media = (headers.get("Content-Type") or "").split(";")[0]
        if method == "HEAD" or not content:
            return found + ([f"there is a body: {body[:200]!r}"] if body else [])
        if media not in content:
            return found + [f"the media type is {media!r}, not one of {list(content)}"]
        if media == "application/json":
            schema = content[media]["schema"]
            validator = jsonschema.Draft202012Validator(
                schema, resolver=self.resolver, format_checker=FORMATS)
            found += [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:500]}"
                      for e in validator.iter_errors(json.loads(body))]
        return found


DOCUMENT = Document()


# ---- the client ------------------------------------------------------------------------------

class Answer:
    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw
        media = (headers.get("Content-Type") or "").split(";")[0]
        self.json = json.loads(raw) if raw and media == "application/json" else None

    @property
    def code(self):
        """The error's name, or None."""
        error = self.json.get("error") if isinstance(self.json, dict) else None
        return error.get("code") if isinstance(error, dict) else None

    @property
    def message(self):
        return self.json["error"]["message"] if self.code else ""

    @property
    def details(self):
        return self.json["error"].get("details", {}) if self.code else {}

    def __repr__(self):
        return f"<{self.status} {self.raw[:500]!r}>"


class Event:
    def __init__(self, type_, id_, data):
        self.type, self.id, self.data = type_, id_, data

    def __repr__(self):
        return f"<{self.id} {self.type} {self.data}>"


class Stream:
    """Server-sent events of one answer, one at a time."""

    def __init__(self, connection, response):
        self.connection, self.response = connection, response
        self.status, self.headers = response.status, response.headers
        self.comments = 0

    def __iter__(self):
        type_, id_, data = "message", None, []
        while True:
            line = self.response.readline()
            if not line:
                return
            line = line.rstrip(b"\r\n").decode()
            if line.startswith(":"):
                self.comments += 1
            elif line:
                field, _, value = line.partition(": ")
                if field == "event":
                    type_ = value
                elif field == "id":
                    id_ = int(value)
                elif field == "data":
                    data.append(value)
            elif data:
                yield Event(type_, id_, json.loads("\n".join(data)))
                type_, id_, data = "message", None, []

    def close(self):
        self.connection.close()


class Client:
    """One token, one connection that is kept. Every answer is checked against the document."""

    def __init__(self, host, port, token=None, timeout=60 * SLOW):
        self.host, self.port, self.token, self.timeout = host, port, token, timeout
        self.connection, self.used = None, 0

    def with_token(self, token):
        return Client(self.host, self.port, token, self.timeout)

    def fresh(self):
        """Another connection with the same token."""
        return self.with_token(self.token)

    def _headers(self, headers):
        given = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        given.update(headers or {})
        return {k: v for k, v in given.items() if v is not None}

    def _send(self, connection, method, path, body, headers):
        headers = self._headers(headers)
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        connection.request(method, path, body=body, headers=headers)
        return connection.getresponse()

    def request(self, method, path, body=None, headers=None, check=True):
        if time.monotonic() - self.used > 1:
            self.close()  # the server may be about to close what is idle
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            response = self._send(self.connection, method, path, body, headers)
            raw = response.read()
        except (http.client.HTTPException, OSError):
            self.close()
            raise
        if response.will_close:
            self.close()
        self.used = time.monotonic()
        if check and method != "OPTIONS":
            bare = urllib.parse.urlsplit(path).path
            for problem in DOCUMENT.problems(method, bare, response.status, response.headers, raw):
                ok(False, f"{method} {path} answers {response.status} as openapi.json says")
                note(problem)
            for violation in contract.violations(response.status, response.headers):
                ok(False, f"{method} {path} and its answer {response.status} are as openapi.json says")
                note(violation)
        return Answer(response.status, response.headers, raw)

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def post(self, path, body=None, headers=None):
        return self.request("POST", path, body, headers)

    def patch(self, path, body, headers=None):
        return self.request("PATCH", path, body, {
            "Content-Type": "application/merge-patch+json", **(headers or {})})

    def put(self, path, body=None, headers=None):
        return self.request("PUT", path, body, headers)

    def delete(self, path, headers=None):
        return self.request("DELETE", path, headers=headers)

    def stream(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        response = self._send(connection, method, path, body,
                              {"Accept": "text/event-stream", **(headers or {})})
        return Stream(connection, response)

    def raw(self, data, timeout=None):
        """Sends bytes, returns all bytes that come back until the server closes."""
        with socket.create_connection((self.host, self.port), timeout=timeout or self.timeout) as s:
            s.sendall(data)
            return read_all(s)

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    # What tests need again and again:

    def skill(self, source):
        answer = self.request("POST", "/v1/skills", source, {"Content-Type": "text/x-lua"})
        if answer.status not in (200, 201):
            raise AssertionError(f"the skill is refused: {answer!r}")
        return answer.json

    def agent(self, name, publish=True, **config):
        answer = self.post("/v1/agents", {"name": name, **config})
        if answer.status != 201:
            raise AssertionError(f"the agent is refused: {answer!r}")
        agent = answer.json
        if publish:
            version = self.post(f"/v1/agents/{agent['id']}/versions", {}).json
            answer = self.post(f"/v1/agents/{agent['id']}/versions/{version['version']}/publish")
            if answer.status != 200:
                raise AssertionError(f"the version is not published: {answer!r}")
        return agent

    def lua_agent(self, name, source, **config):
        """An agent that runs one skill."""
        skill = self.skill(source)
        config.setdefault("executionConfig", {}).setdefault("entrypoint", skill["name"])
        return self.agent(name, skillset=[skill["name"]], **config)

    def execute(self, agent_id, input_=None, headers=None, **members):
        return self.post(f"/v1/agents/{agent_id}/execute", {"input": input_, **members}, headers)


def read_all(s):
    data = b""
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                return data
            data += piece
    except (ConnectionResetError, TimeoutError):
        return data


def children(pid):
    """The processes that a process has started and that are still there, as of all its threads."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
            found += map(int, f.read().split())
    return found


def eventually(check, timeout=20 * SLOW, every=0.05):
    """Asks until the answer is true; the last answer."""
    until = time.monotonic() + timeout
    while True:
        answer = check()
        if answer or time.monotonic() > until:
            return answer
        time.sleep(every)


# ---- the daemon ------------------------------------------------------------------------------

class Daemon:
    """`c9d run` in a folder of its own. config: {"section": {"key": value}} over the defaults here.
    env: what is added to the environment. user: a uid to run as (the test is root's), on a copy of the build, which
    that user may read; {build} in a value is that, or the build itself."""

    def __init__(self, config=None, start=True, env=None, user=None):
        self.env = env or {}
        self.folder = tempfile.mkdtemp(prefix="c9d-test-")
        atexit.register(self._remove)
        self.process, self.proxy = None, None  # the proxy: contract.py
        self.log_file, self.looked_at = None, 0
        self.user = user
        self.build = BUILD if user is None else self._build_copy()
        self.config = {
            "daemon": {"state": f"{self.folder}/state", "plugins": f"{self.build}/plugins"},
            "sandbox": {"zygote": f"{self.build}/c9d-zygote", "mode": "best-effort"},
            "http": {"listen": "127.0.0.1:0", "heartbeat": "1s"},
            "model default": {"plugin": "fake"},
        }
        for section, keys in (config or {}).items():
            self.config.setdefault(section, {}).update(keys)
        self.file = f"{self.folder}/c9d.conf"
        self.write_config()
        self.token = self.command("init").strip()
        if start:
            self.start()

    def write_config(self):
        with open(self.file, "w", encoding="utf-8") as f:
            for section, keys in self.config.items():
                f.write(f"[{section}]\n")
                f.writelines(f"{key} = {value}\n".replace("{build}", self.build) for key, value in keys.items())

    def _build_copy(self):
        copy = f"{self.folder}/build"
        os.mkdir(copy)
        for name in ("c9d", "c9d-zygote"):
            shutil.copy(f"{BUILD}/{name}", copy)
        shutil.copytree(f"{BUILD}/plugins", f"{copy}/plugins")
        shutil.copytree(f"{BUILD}/tests/attacker", f"{copy}/tests/attacker", ignore=shutil.ignore_patterns("*.[od]"))
        shutil.copytree(f"{ROOT}/skills", f"{copy}/skills")
        os.chown(self.folder, self.user, self.user)
        return copy

    def _become(self):
        """In a child."""
        if self.user is not None:
            os.setgroups([])
            os.setresgid(self.user, self.user, self.user)
            os.setresuid(self.user, self.user, self.user)
        end_with_parent()

    def command(self, *words):
        """Runs `c9d WORDS -c FILE`; what it prints."""
        done = subprocess.run([f"{self.build}/c9d", words[0], "-c", self.file, *words[1:]], preexec_fn=self._become,
                              capture_output=True, text=True, timeout=60 * SLOW, check=False)
        if done.returncode != 0:
            raise AssertionError(f"c9d {' '.join(words)}: {done.stderr}")
        return done.stdout

    def start(self):
        self.log_file = open(f"{self.folder}/log", "ab")
        begin = self.log_file.tell()
        self.process = subprocess.Popen([f"{self.build}/c9d", "run", "-c", self.file],
                                        stderr=self.log_file, stdout=self.log_file,
                                        env={**os.environ, **self.env},
                                        start_new_session=True, preexec_fn=self._become)
        self.addresses = eventually(lambda: self._addresses(begin), START_TIMEOUT, 0.01)
        if not self.addresses:
            raise AssertionError(f"the daemon does not start:\n{self.log()}")
        host, port = next(a for a in self.addresses if a.startswith("http://"))[7:].rsplit(":", 1)
        self.host, self.port = host.strip("[]"), int(port)
        if contract.PROXY:
            self.proxy = contract.Proxy(f"{ROOT}/api/openapi.json", self.port, f"{self.folder}/proxy.log",
                                        preexec_fn=end_with_parent)
            self.proxy.wait(120)
        self.api = Client(self.host, self.proxy.port if self.proxy else self.port, self.token)
        return self

    def _addresses(self, begin):
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon does not start:\n{self.log()}")
        return re.findall(r"listens on (\S+)", self.log()[begin:])

    def reports(self):
        """A sanitizer's, in the log; each once."""
        if not SANITIZED or not os.path.exists(f"{self.folder}/log"):
            return []  # another build's log says nothing; a bench has removed the folder by then
        text = self.log()
        found = REPORTS.findall(text[self.looked_at:])
        self.looked_at = len(text)
        for report in found:
            note(report)
        return found

    def log(self):
        with open(f"{self.folder}/log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self, how=signal.SIGTERM, timeout=60 * SLOW):
        """Its exit status; negative when a signal ended it."""
        if self.process is None:
            return 0
        self.api.close()
        if self.proxy is not None:
            self.proxy.stop()
        self.process.send_signal(how)
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            note("the daemon does not stop; it is killed")
            self.process.kill()
            status = self.process.wait()
        self.process = None
        self.log_file.close()
        if self.reports():
            ok(False, "no sanitizer reports anything")
            note(self.log()[-20000:])
        return status

    def kill(self):
        """As a crash would."""
        return self.stop(signal.SIGKILL)

    def _remove(self):
        if self.proxy is not None:
            self.proxy.stop()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        failed = self.reports()
        shutil.rmtree(self.folder, ignore_errors=True)
        if failed:  # the plan is printed, so only the status can say it
            os._exit(1)
