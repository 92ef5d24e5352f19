#!/usr/bin/python3
"""A zygote whose executors are an attacker's: they speak the protocol well enough to be started, then do what
the skill's source names with `-- hostile: NAME`. It takes c9d-zygote's place ([sandbox] zygote), has no sandbox,
and runs nothing of the skill. See core/wire/PROTOCOL.md.
"""
import json
import os
import re
import socket
import struct
import threading

CONTROL = struct.Struct("=HHIQiIQQQQII")
HEADER = struct.Struct("<IHHQ")
SETUP, SPAWN, KILL, UP, DOWN, FAILED, EXITED = range(1, 8)
START, SKILL, RUN, ANSWER, DELTA, CANCEL, READY, LOCKFAIL, REQUEST, LOG, EMIT, RESULT, FAILURE, DENIED = range(1, 15)
NOW, SLEEP, CHAT, HTTP, EXECUTE, VALIDATE = range(1, 7)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
with open(f"{ROOT}/core/wire/wire.h", encoding="utf-8") as header:
    VERSION = int(re.search(r"#define WIRE_VERSION (\d+)", header.read()).group(1))
READY_SAYS = struct.pack("<QI", 0, 1)  # CPU time of its lock-down, its pid
STATS = struct.pack("<QQ", 1000, 10)

control = socket.socket(fileno=3)
lock = threading.Lock()


def tell(type_, cookie=0, status=0, text=b""):
    packet = CONTROL.pack(type_, VERSION, 0, cookie, status, 1, 1000, 0, 1 << 20, 0, 0, len(text)) + text
    try:
        with lock:
            control.send(packet)
    except OSError:
        os._exit(0)  # the supervisor is gone


class Executor:
    def __init__(self, cookie, fd):
        self.cookie = cookie
        self.gone = False
        self.socket = socket.socket(fileno=fd)
        self.request_id = self.notice_id = 0
        threading.Thread(target=self.live, daemon=True).start()

    # ---- the protocol

    def frame(self, type_, payload=b"", id_=0, flags=0, length=None):
        self.socket.sendall(HEADER.pack(len(payload) if length is None else length, type_, flags, id_) + payload)

    def request(self, kind, value, id_=None):
        self.request_id += 1
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.frame(REQUEST, struct.pack("<H", kind) + text, self.request_id if id_ is None else id_)

    def log(self, message=b"x", metadata=b"", level=1, length=None):
        self.notice_id += 1
        size = len(message) if length is None else length
        self.frame(LOG, bytes([level]) + struct.pack("<I", size) + message + metadata, self.notice_id)

    def emit(self, text):
        self.notice_id += 1
        self.frame(EMIT, text, self.notice_id)

    def result(self, value):
        self.frame(RESULT, STATS + (value if isinstance(value, bytes) else json.dumps(value).encode()))

    def read(self):
        def exactly(n):
            data = b""
            while len(data) < n:
                more = self.socket.recv(n - len(data))
                if not more:
                    raise EOFError
                data += more
            return data
        length, type_, flags, id_ = HEADER.unpack(exactly(HEADER.size))
        return type_, flags, id_, exactly(length)

    def answer(self):
        while True:
            type_, _, _, payload = self.read()
            if type_ == ANSWER:
                return json.loads(payload)

    # ---- a life

    def live(self):
        try:
            self.frame(READY, READY_SAYS)
            start, source = b"", b""
            while True:
                type_, _, _, payload = self.read()
                if type_ == START:
                    start = payload
                elif type_ == SKILL and not source:
                    source = payload
                elif type_ == RUN:
                    break
            if struct.unpack_from("<I", start)[0] == 2:
                self.describe(source)
            else:
                ATTACKS[re.search(rb"-- hostile: (\S+)", source).group(1).decode()](self)
            self.wait()
        except (OSError, EOFError):
            pass
        self.exit(0)

    def describe(self, source):
        name = re.search(rb'name = "([^"]+)"', source).group(1).decode()
        self.result({"name": name, "version": "1.0.0", "needs": {"http": ["*"], "model": ["*"]}})
        self.exit(0)

    def wait(self):
        """Until the other side has had enough."""
        while self.socket.recv(65536):
            pass

    def exit(self, status):
        with lock:
            gone, self.gone = self.gone, True
        if not gone:
            self.socket.close()
            tell(EXITED, self.cookie, status)

    def kill(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        with lock:
            gone, self.gone = self.gone, True
        if not gone:
            tell(EXITED, self.cookie, 9)


# ---- attacks ---------------------------------------------------------------------------------

def too_many_pending(e):
    for _ in range(65):
        e.request(SLEEP, {"us": 60000000})


def too_many_requests(e):
    for _ in range(100):
        e.request(NOW, {})
        e.answer()


def after_final(e):
    e.result(1)
    e.frame(EMIT, b"1", 1)


def flood_of_logs(e):
    for _ in range(5000):
        e.log(b"y" * 1000)


def flood_of_emits(e):
    for _ in range(5000):
        e.emit(b"1")


def heavy(n):
    return b"[" + b"1," * n + b"1]"


def heavy_requests(e):
    """Sixty-four pending requests that each weigh fifty megabytes once they are decoded."""
    for _ in range(64):
        e.request(SLEEP, b'{"us":1000000,"x":' + heavy(500000) + b"}")
    refused = [e.answer() for _ in range(64)]
    e.result([sum(1 for a in refused if a.get("code") == "ResourceExhausted"), refused[0]])


def heavy_emits(e):
    for _ in range(80):
        e.emit(b'"' + b"z" * 1000000 + b'"')
    e.result(1)


def never_reads(e):
    e.request(NOW, {})
    e.answer()  # its row is stored: from now on what is refused is answered at once
    for i in range(100000):
        e.request(VALIDATE, {"of": "nothing", "value": i})


def cpu_by_checks(e):
    for _ in range(400):
        e.request(VALIDATE, {"of": "output", "value": [f"{i}" * 40 for i in range(5000)]})
        answer = e.answer()
        if answer.get("code"):
            break
    e.frame(FAILURE, STATS + json.dumps(answer).encode())


ATTACKS = {
    "unknown-type": lambda e: e.frame(99, b"x"),
    "wrong-direction": lambda e: e.frame(ANSWER, b"{}", 1),
    "unknown-flag": lambda e: e.frame(EMIT, b"1", 1, flags=4),
    "too-long": lambda e: e.frame(EMIT, b"1", 1, length=1 << 30),
    "longer-than-its-limits": lambda e: e.frame(EMIT, b"1", 1, length=60 << 20),
    "too-short": lambda e: e.frame(RESULT, b"x"),
    "without-id": lambda e: e.frame(EMIT, b"1"),
    "ready-again": lambda e: e.frame(READY, READY_SAYS),
    "lock-failed-late": lambda e: e.frame(LOCKFAIL, struct.pack("<I", 1) + b"late"),
    "after-final": after_final,
    "request-of-unknown-kind": lambda e: e.request(99, {}),
    "request-out-of-order": lambda e: e.request(NOW, {}, id_=2),
    "request-not-json": lambda e: e.request(NOW, b"{"),
    "request-not-an-object": lambda e: e.request(NOW, b"[]"),
    "request-too-deep": lambda e: e.request(NOW, b'{"x":' + b"[" * 100 + b"]" * 100 + b"}"),
    "too-many-pending": too_many_pending,
    "too-many-requests": too_many_requests,
    "notice-out-of-order": lambda e: e.frame(EMIT, b"1", 7),
    "log-of-no-level": lambda e: e.log(level=9),
    "log-lengths": lambda e: e.log(length=0xffffffff),
    "log-not-utf8": lambda e: e.log(b"\xff\xfe"),
    "log-with-nul": lambda e: e.log(b"a\0b"),
    "log-metadata-no-object": lambda e: e.log(metadata=b"[]"),
    "emit-not-json": lambda e: e.emit(b"{]"),
    "emit-surrogate": lambda e: e.emit(b'"\\ud800"'),
    "emit-twice-the-key": lambda e: e.emit(b'{"a":1,"a":2}'),
    "flood-of-logs": flood_of_logs,
    "flood-of-emits": flood_of_emits,
    "result-not-json": lambda e: e.result(b"nope"),
    "large-result-not-json": lambda e: e.result(b"[" + b"1," * 20000),
    "failure-not-an-object": lambda e: e.frame(FAILURE, STATS + b"[]"),
    "denied-too-short": lambda e: e.frame(DENIED, b"x"),
    "heavy-requests": heavy_requests,
    "heavy-emit": lambda e: e.emit(heavy(500000)),
    "heavy-result": lambda e: e.result(heavy(500000)),
    "heavy-emits": heavy_emits,
    "never-reads": never_reads,
    "cpu-by-checks": cpu_by_checks,
    "honest": lambda e: e.result("honest"),
}


def main():
    executors = {}
    while True:
        try:
            packet, fds, _, _ = socket.recv_fds(control, 65536, 2)
        except OSError:
            packet = b""
        if not packet:
            os._exit(0)
        type_, _, _, cookie, *_ = CONTROL.unpack_from(packet)
        if type_ == SETUP:
            tell(UP, text=b"[]")
        elif type_ == SPAWN:
            executors[cookie] = Executor(cookie, fds[0])
            for other in fds[1:]:  # a cgroup: nobody needs it here
                os.close(other)
        elif type_ == KILL and cookie in executors:
            executors[cookie].kill()


main()
