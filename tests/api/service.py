#!/usr/bin/python3
"""Health, the document, listening, draining."""
import hashlib
import json
import os
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import ROOT, Daemon, contains, equal, eventually, ok, read_all, run  # noqa: E402

daemon = Daemon()
daemon.stop()
daemon.config["http"]["listen"] = f"127.0.0.1:0 [::1]:0 unix:{daemon.folder}/c9d.sock"
daemon.write_config()
daemon.start()
api = daemon.api
LUA = 'return { name = "sleeper", version = "1.0.0", run = function(input) c9.sleep(input) return 1 end }'


def test_without_a_token():
    client = api.with_token(None)
    equal(client.get("/healthz").json, {"status": "ok"}, "health")
    equal(client.get("/readyz").json, {"status": "ready"}, "readiness")
    got = client.get("/v1/openapi.json")
    with open(os.path.join(ROOT, "api/openapi.json"), "rb") as f:
        equal(hashlib.sha256(got.raw).hexdigest(), hashlib.sha256(f.read()).hexdigest(),
              "the document, byte for byte")
    equal(client.get("/v1/openapi.json", {"If-None-Match": got.headers["ETag"]}).status, 304,
          "which need not be read twice")


def test_an_address_that_is_taken():
    other = Daemon({"http": {"listen": f"127.0.0.1:{api.port}"}}, start=False)
    try:
        said = other.command("run")
    except AssertionError as failure:
        said = str(failure)
    contains(said, f"listen 127.0.0.1:{api.port}: another process listens there", "whose it is, is guessed")


def test_the_document():
    document = api.get("/v1/openapi.json").json
    names = [o["operationId"] for item in document["paths"].values()
             for m, o in item.items() if m != "parameters"]
    equal(len(names), len(set(names)), "operations have names of their own")
    ok(all("security" in o for item in document["paths"].values()
           for m, o in item.items() if m != "parameters"), "each says which scope it needs")


def test_every_address():
    equal([a.split(":")[0] for a in daemon.addresses], ["http", "http", "unix"], "three addresses")
    port = int(daemon.addresses[1].rsplit(":", 1)[1])
    with socket.create_connection(("::1", port)) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        contains(read_all(s).decode(), '{"status":"ok"}', "IPv6 answers")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"{daemon.folder}/c9d.sock")
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        contains(read_all(s).decode(), '{"status":"ok"}', "so does the Unix socket")
    equal(os.stat(f"{daemon.folder}/c9d.sock").st_mode & 0o777, 0o660, "which is not for everybody")


def test_the_log():
    api.get("/v1/agents?text=secret", {"X-Request-Id": "logged-1"})
    line = eventually(lambda: next((l for l in daemon.log().splitlines() if "logged-1" in l), None))
    contains(line, "GET /v1/agents 200", "a request is logged, with its id")
    ok("secret" not in line and daemon.token not in daemon.log(), "without what it asks for, or its token")


def test_draining():
    agent = api.lua_agent("sleeper", LUA)["id"]
    waiting, client = {}, api.fresh()
    thread = threading.Thread(target=lambda: waiting.update(answer=client.execute(agent, 2)))
    thread.start()
    stream = api.stream("POST", f"/v1/agents/{agent}/execute", {"input": 2})
    eventually(lambda: len(api.get("/v1/executions?status=running").json["items"]) == 2)
    kept = api.fresh()
    kept.get("/healthz")
    daemon.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    answer = kept.get("/v1/agents")
    equal((answer.status, answer.code), (503, "ServiceUnavailable"), "new requests are turned away")
    ok(int(answer.headers["Retry-After"]) >= 1, "and told when to come back")
    equal(api.fresh().get("/readyz").status, 503, "readiness says no")
    equal(api.fresh().get("/healthz").status, 200, "health says yes")
    thread.join(30)
    equal((waiting["answer"].status, waiting["answer"].json["status"]), (200, "completed"),
          "who waits gets the result")
    equal(list(stream)[-1].type, "end", "who streams gets the end")
    daemon.process.wait(30)
    ok(not os.path.exists(f"{daemon.folder}/c9d.sock"), "the Unix socket is gone")


run(globals(), daemon)
