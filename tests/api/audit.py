#!/usr/bin/python3
"""The audit log: what is written, that secrets are not, and that tampering is found."""
import os
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, Daemon, contains, equal, eventually, ok, run  # noqa: E402

daemon = Daemon({"audit": {"denied_per_minute": "20"}})
api = daemon.api
api.skill('return { name = "hello", version = "1.0.0", run = function() return "hello" end }')


def entries(query=""):
    return api.get(f"/v1/audit?{query}").json["items"]


def test_a_change_has_who_what_when_and_from_where():
    made = api.post("/v1/agents", {"name": "first", "skillset": ["hello"], "triggerMode": "manual",
                                   "executionConfig": {"entrypoint": "hello"},
                                   "metadata": {"apiToken": "hush", "plain": "said", "deep": [{"password": "hush"}]}},
                    {"User-Agent": "tester/1\xe9", "X-Request-Id": "change-1"})
    entry = entries("requestId=change-1")[0]
    equal((entry["kind"], entry["operation"], entry["resourceType"], entry["resourceId"]),
          ("change", "createAgent", "agent", made.json["id"]), "the change of the agent")
    equal((entry["address"], entry["userAgent"]), ("127.0.0.1", "tester/1?"), "from where")
    equal(entry["userId"], made.json["userId"], "by whom")
    equal(entry["after"]["metadata"], {"apiToken": "[redacted]", "plain": "said", "deep": [{"password": "[redacted]"}]},
          "what is there since, without its secrets")
    ok("before" not in entry, "and nothing before")
    api.patch(f"/v1/agents/{made.json['id']}", {"description": "new"}, {"X-Request-Id": "change-2"})
    entry = entries("requestId=change-2")[0]
    equal((entry.get("before"), entry["after"]), ({}, {"description": "new"}), "of an edit what differs")
    api.delete(f"/v1/agents/{made.json['id']}", {"X-Request-Id": "change-3"})
    equal(entries("requestId=change-3")[0]["before"]["name"], "first", "of a removal what was there")


def test_a_new_token_is_not_in_it():
    token = api.post("/v1/tokens", {"name": "t", "scopes": ["agents:read"]}).json
    page = api.get("/v1/audit?operation=createToken")
    ok(token["token"] not in page.raw.decode() and token["id"] in page.raw.decode(), "its row has no token")
    api.delete(f"/v1/tokens/{token['id']}")
    equal(entries("operation=revokeToken")[0]["resourceId"], token["id"], "the revocation has a row")


def test_what_is_denied_is_written():
    reader = api.with_token(api.post("/v1/tokens", {"name": "r", "scopes": ["agents:read"]}).json["token"])
    reader.post("/v1/agents", {}, {"X-Request-Id": "denied-1"})
    entry = eventually(lambda: entries("requestId=denied-1"))[0]
    equal((entry["kind"], entry["operation"], entry["code"]), ("denied", "createAgent", "AgentAccessDenied"),
          "a token without the scope")
    api.with_token("c9d_" + "A" * 43).get("/v1/agents", {"X-Request-Id": "denied-2"})
    entry = eventually(lambda: entries("requestId=denied-2"))[0]
    equal((entry["code"], "userId" in entry), ("AuthenticationRequired", False), "a token that nobody knows")
    api.with_token(None).get("/v1/agents", {"X-Request-Id": "denied-3"})
    api.get("/v1/agents/01890000-0000-7000-8000-000000000000", {"X-Request-Id": "missing-1"})
    for _ in range(40):
        reader.post("/v1/skills", "return {}", {"Content-Type": "text/x-lua"})
    denied = eventually(lambda: len(entries("kind=denied&limit=200")) >= 20 and entries("kind=denied&limit=200"))
    ok(20 <= len(denied) <= 40, "no more than [audit] denied_per_minute are written of 42 (two minutes may be met)")
    equal(entries("requestId=denied-3") + entries("requestId=missing-1"), [],
          "no token at all, and what is not there, are no attempts")


def test_lists_are_for_admins():
    equal(api.get("/v1/audit?kind=x").status, 400, "a filter that there is not")
    page = api.get("/v1/audit?limit=2")
    second = api.get(f"/v1/audit?limit=2&cursor={page.json['nextCursor']}").json["items"]
    ok(page.json["items"][1]["id"] > second[0]["id"], "pages go back in time")


def verify(query=""):
    return api.get(f"/v1/audit/verify{query}").json


def test_the_chain_is_whole():
    first = verify()
    equal((first["valid"], first["problems"], first["unsealed"]), (True, [], 0), "it verifies, and all is sealed")
    ok(first["entries"] >= 25, "all of it")
    api.post("/v1/personas", {"name": "p", "prompt": "x"})
    later = verify(f"?expect={first['head']}")
    ok(later["valid"] and later["entries"] > first["entries"], "an earlier head is still in it")
    position = first["head"].split(":")[0]
    wrong = verify(f"?expect={position}:{'0' * 64}")
    contains(wrong["problems"][0]["message"], "forged anew", "another head is not")
    equal(api.get("/v1/audit/verify?expect=xyz").status, 400, "and that is no head")


def offline():
    return subprocess.run([f"{BUILD}/c9d", "audit", "-c", daemon.file, "verify"], capture_output=True, text=True,
                          timeout=60, check=False)


def tamper(sql):
    """Runs it in the database file, verifies with c9d, and takes it back."""
    path = f"{daemon.folder}/state/c9d.db"
    with open(path, "rb") as f:
        before = f.read()
    db = sqlite3.connect(path)
    changed = db.execute(sql).rowcount
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    done = offline()
    with open(path, "wb") as f:
        f.write(before)
    return changed, done


def test_tampering_is_found():
    equal(daemon.stop(), 0, "the daemon stops")
    db = sqlite3.connect(f"{daemon.folder}/state/c9d.db")
    equal(db.execute("SELECT COUNT(*) FROM audit_log WHERE position IS NULL").fetchone()[0], 0, "everything is sealed")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    done = offline()
    equal((done.returncode, done.stdout.split(":")[0]), (0, "intact"), "c9d audit verify finds it intact")
    for what, sql in (
            ("an altered value", "UPDATE audit_log SET after = '{}' WHERE position = 5"),
            ("another user", "UPDATE audit_log SET user_id = NULL WHERE position = 5"),
            ("another time", "UPDATE audit_log SET at = at + 1 WHERE position = 7"),
            ("a removed row", "DELETE FROM audit_log WHERE position = 3"),
            ("a removed first row", "DELETE FROM audit_log WHERE position = 1"),
            ("a removed end", "DELETE FROM audit_log WHERE position > 20"),
            ("a forged hash", f"UPDATE audit_log SET hash = '{'0' * 64}' WHERE position = 9"),
            ("rows changed about", "UPDATE audit_log SET position = CASE position WHEN 4 THEN 1004 ELSE position END "
                                   "WHERE position = 4")):
        changed, done = tamper(sql)
        ok(changed > 0 and done.returncode == 1 and "NOT intact" in done.stdout, f"{what} is found")
    equal(offline().returncode, 0, "and without it all is well again")


def test_behind_a_proxy():
    daemon.start()
    said = {"X-Forwarded-For": "203.0.113.9, 192.0.2.7"}
    daemon.api.post("/v1/personas", {"name": "p1", "prompt": "p"}, {**said, "X-Request-Id": "proxy-1"})
    equal(daemon.api.get("/v1/audit?requestId=proxy-1").json["items"][0]["address"], "127.0.0.1",
          "anybody can say where he comes from")
    daemon.stop()
    daemon.config["http"]["trusted_proxies"] = "127.0.0.1 unix"
    daemon.write_config()
    daemon.start()
    daemon.api.post("/v1/personas", {"name": "p2", "prompt": "p"}, {**said, "X-Request-Id": "proxy-2"})
    equal(daemon.api.get("/v1/audit?requestId=proxy-2").json["items"][0]["address"], "192.0.2.7",
          "a trusted proxy is believed, and nobody behind it")
    daemon.api.post("/v1/personas", {"name": "p3", "prompt": "p"},
                    {**said, "Forwarded": "for=\"[2001:db8::7]:80\"", "X-Request-Id": "proxy-3"})
    equal(daemon.api.get("/v1/audit?requestId=proxy-3").json["items"][0]["address"], "2001:db8::7",
          "the standard header first")
    ok(eventually(lambda: " info  audit.sealed " in daemon.log()), "heads of the chain are in the log")
    equal(daemon.stop(), 0, "and it stops")


run(globals())
