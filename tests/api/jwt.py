#!/usr/bin/python3
"""JWTs of identity providers: real keys made by openssl, key sets from files and over HTTP."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, Daemon, contains, equal, eventually, ok, run  # noqa: E402

SECRET = "a shared secret of more than 32 bytes"
folder = tempfile.TemporaryDirectory(prefix="c9d-jwt-")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*words, input_=b""):
    return subprocess.run(["openssl", *words], input=input_, capture_output=True, check=True, timeout=60).stdout


class Key:
    """An RSA or EC key pair in a file, and its public JWK."""

    def __init__(self, kid, kind="RSA", bits=2048):
        self.kid, self.kind, self.file = kid, kind, f"{folder.name}/{kid}.pem"
        if kind == "RSA":
            openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}", "-out", self.file)
            n = openssl("rsa", "-in", self.file, "-noout", "-modulus").decode().strip().split("=")[1]
            self.jwk = {"kty": "RSA", "n": b64(bytes.fromhex(n)), "e": "AQAB", "kid": kid, "use": "sig"}
        else:
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.file)
            point = openssl("pkey", "-in", self.file, "-pubout", "-outform", "DER")[-64:]
            self.jwk = {"kty": "EC", "crv": "P-256", "x": b64(point[:32]), "y": b64(point[32:]), "kid": kid}

    def sign(self, alg, data):
        words = ["dgst", "-sha256", "-sign", self.file]
        if alg == "PS256":
            words += ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
        signature = openssl(*words, input_=data)
        return der_to_raw(signature) if alg == "ES256" else signature


def der_to_raw(der):
    r_len = der[3]
    r, s = der[4:4 + r_len], der[6 + r_len:]
    return b"".join(part.lstrip(b"\0").rjust(32, b"\0") for part in (r, s))


def token(alg="HS256", key=None, secret=SECRET, header=None, **claims):
    now = int(time.time())
    payload = {"iss": "https://login.example.org", "aud": "c9d", "sub": "u1", "exp": now + 600, "iat": now, **claims}
    payload = {k: v for k, v in payload.items() if v is not None}
    head = {"alg": alg, "typ": "JWT", **({"kid": key.kid} if key else {}), **(header or {})}
    data = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(payload).encode())}".encode()
    if key is not None:
        signature = key.sign(alg, data)
    elif secret is None:
        signature = b""
    else:
        signature = hmac.new(secret.encode() if isinstance(secret, str) else secret, data, hashlib.sha256).digest()
    return f"{data.decode()}.{b64(signature)}"


class KeySet(http.server.BaseHTTPRequestHandler):
    keys, asked = [], 0

    def do_GET(self):
        KeySet.asked += 1
        body = json.dumps({"keys": KeySet.keys}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


rsa, ec, second, alien = Key("rsa-1"), Key("ec-1", "EC"), Key("rsa-2"), Key("alien")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), KeySet)
threading.Thread(target=server.serve_forever, daemon=True).start()
KeySet.keys = [rsa.jwk, ec.jwk, {"kty": "oct", "k": b64(SECRET.encode()), "kid": "oct"}]
with open(f"{folder.name}/set.json", "w", encoding="utf-8") as f:
    json.dump({"keys": [rsa.jwk]}, f)
with open(f"{folder.name}/secret", "w", encoding="utf-8") as f:
    f.write(SECRET + "\n")

daemon = Daemon({
    "jwt plain": {"issuer": "https://login.example.org", "audience": "c9d other", "secret_file": f"{folder.name}/secret",
                  "role_claim": "app_metadata.role", "roles": "boss=admin worker=member authenticated=viewer",
                  "provision": "yes"},
    "jwt web": {"issuer": "https://web.example.org", "audience": "c9d", "provision": "yes", "refresh_pause": "1s",
                "jwks": f"http://127.0.0.1:{server.server_port}/keys", "name_claim": "user_metadata.full_name"},
    "jwt file": {"issuer": "https://file.example.org", "audience": "any", "jwks": f"{folder.name}/set.json",
                 "link_by_email": "yes", "organization_claim": "org", "refresh_pause": "1s", "scopes": "agents:read"},
})
api = daemon.api


def get(text, path="/v1/me"):
    return api.with_token(text).get(path)


def refused(name, text, says):
    answer = get(text)
    if equal((answer.status, answer.code), (401, "AuthenticationRequired"), f"{name} is refused"):
        contains(answer.message, says, "and why is said")


def test_a_secret():
    me = get(token(sub="ann", email="ann@example.org", name="Ann", app_metadata={"role": "worker"}))
    equal(me.status, 200, "a token signed with the secret")
    equal((me.json["user"]["name"], me.json["user"]["email"], me.json["user"]["role"]),
          ("Ann", "ann@example.org", "member"), "makes its user")
    again = get(token(sub="ann", app_metadata={"role": "worker"}))
    equal(again.json["user"]["id"], me.json["user"]["id"], "once")
    ok("tokenId" not in me.json and "admin" not in me.json["scopes"], "without a token of ours, and without admin")
    promoted = get(token(sub="ann", app_metadata={"role": ["worker", "boss", "x"]}))
    equal(promoted.json["user"]["role"], "admin", "its role follows the claim, the mightiest of several")
    equal(get(token(sub="zed")).json["user"]["role"], "member", "without one it is the configured")
    entries = api.get(f"/v1/audit?resourceId={me.json['user']['id']}").json["items"]
    equal([e["after"]["role"] for e in entries], ["admin", "member"], "the audit log has both")
    equal(api.with_token(token(sub="ann")).post("/v1/tokens", {"name": "x", "scopes": ["admin"]}).code,
          "AgentAccessDenied", "it makes no tokens of ours")


def test_what_is_refused():
    now = int(time.time())
    refused("another secret", token(secret="another secret of more than 32 bytes"), "signature")
    refused("alg none", token(alg="none", secret=None), "signature")
    refused("alg none with a signature", token(alg="none"), "may not")
    refused("another algorithm", token(alg="HS512"), "may not")
    refused("an expired one", token(exp=now - 120), "expired")
    equal(get(token(exp=now - 30)).status, 200, "but for the clocks' skew")
    refused("one without expiry", token(exp=None), "exp")
    refused("a strange expiry", token(exp="soon"), "exp")
    refused("one for later", token(nbf=now + 300), "nbf")
    refused("one from the future", token(iat=now + 300), "iat")
    refused("another audience", token(aud="x"), "aud")
    equal(get(token(aud=["x", "other"])).status, 200, "one of several will do")
    refused("another issuer", token(iss="https://evil.example.org"), "not one that is trusted")
    refused("nobody", token(sub=None), "sub")
    refused("critical extensions", token(header={"crit": ["b64"], "b64": False}), "crit")
    good = token()
    head, payload, signature = good.split(".")
    for name, text in (("two parts", f"{head}.{payload}"), ("four parts", f"{good}.x"), ("padding", good + "="),
                       ("no JSON", f"{b64(b'x')}.{payload}.{signature}"), ("an array", f"{b64(b'[]')}.{payload}.{signature}"),
                       ("another payload", f"{head}.{b64(json.dumps({'sub': 'root'}).encode())}.{signature}"),
                       ("dots alone", ".."), ("a very long one", "a" * 15000 + ".b.c")):
        equal(get(text).status, 401, f"{name}: refused")


def test_a_key_set_by_url():
    web = {"iss": "https://web.example.org", "sub": "w1", "user_metadata": {"full_name": "Wüb"}}
    ok(eventually(lambda: get(token("RS256", rsa, **web)).status == 200), "RS256, once the keys are there")
    equal(get(token("RS256", rsa, **web)).json["user"]["name"], "Wüb", "with a name from within")
    equal(get(token("PS256", rsa, **web)).status, 200, "PS256")
    equal(get(token("ES256", ec, **web)).status, 200, "ES256")
    refused("a key of somebody else under a known name",
            token("RS256", alien, header={"kid": "rsa-1"}, **web), "signature")
    modulus = json.dumps(rsa.jwk).encode()
    refused("the public key as a secret", token("HS256", secret=modulus, header={"kid": "rsa-1"}, **web), "may not")
    refused("a secret in the set", token("HS256", header={"kid": "oct"}, **web), "may not")
    refused("an EC key for RSA", token("RS256", rsa, header={"kid": "ec-1"}, **web), "key")


def test_a_new_key():
    web = {"iss": "https://web.example.org", "sub": "w1"}
    KeySet.keys = [second.jwk]
    first = token("RS256", second, **web)
    ok(eventually(lambda: get(first).status == 200), "a key that is new is fetched")
    answer = get(token("RS256", rsa, **{**web, "sub": "w1", "jti": "2"}))
    equal(answer.status in (401, 503), True, "one that is gone is no good")
    before = KeySet.asked
    for i in range(30):
        get(token("HS256", header={"alg": "RS256", "kid": f"random-{i}"}, **web))
    ok(KeySet.asked - before <= 8, "unknown keys do not make it ask again and again")
    equal(get(token("RS256", second, jti="3", **web)).status, 200, "what is known works meanwhile")


def test_a_key_set_in_a_file_and_links():
    ours = api.get("/v1/me").json["organization"]["name"]
    claims = {"iss": "https://file.example.org", "aud": None, "org": ours}
    refused("somebody unknown", token("RS256", rsa, sub="f1", email="lin@example.org", **claims), "not a member")
    lin = api.post("/v1/users", {"name": "Lin", "email": "lin@example.org", "role": "viewer"}).json
    me = get(token("RS256", rsa, sub="f1", email="lin@example.org", jti="2", **claims))
    equal((me.status, me.json["user"]["id"], me.json["scopes"]), (200, lin["id"], ["agents:read"]),
          "is the user with that address, with the configured scopes")
    equal(get(token("RS256", rsa, sub="f1", **claims)).json["user"]["id"], lin["id"], "and stays it")
    refused("another organization", token("RS256", rsa, sub="f1", **{**claims, "org": "Nowhere"}), "does not exist")
    refused("none", token("RS256", rsa, sub="f1", **{**claims, "org": None}), "organization")
    with open(f"{folder.name}/set.json", "w", encoding="utf-8") as out:
        json.dump({"keys": [rsa.jwk, second.jwk]}, out)
    ok(eventually(lambda: get(token("RS256", second, sub="f1", jti="4", **claims)).status == 200),
       "a new key of the file is seen")
    text = token("RS256", rsa, sub="f1", jti="5", **claims)
    equal(get(text).status, 200, "he comes in")
    api.delete(f"/v1/users/{lin['id']}")
    equal(get(text).status, 401, "and does not once he is removed, at once")


def check(**keys):
    file = f"{folder.name}/check.conf"
    with open(file, "w", encoding="utf-8") as out:
        out.write(f"[daemon]\nstate = {folder.name}/state\nplugins = {BUILD}/plugins\n[jwt x]\n")
        out.writelines(f"{k} = {v}\n" for k, v in keys.items())
    done = subprocess.run([f"{BUILD}/c9d", "run", "-c", file], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def test_configuration():
    good = {"issuer": "i", "audience": "any", "secret": SECRET}
    for name, keys, says in (
            ("no issuer", {**good, "issuer": None}, "issuer: must be given"),
            ("no audience", {**good, "audience": None}, "audience: must be given"),
            ("a short secret", {**good, "secret": "short"}, "at least 32 bytes"),
            ("secret and keys", {**good, "jwks": "x"}, "not both"),
            ("a public algorithm with a secret", {**good, "algorithms": "HS256 RS256"}, "RS256 does not go with secret"),
            ("none", {**good, "algorithms": "none"}, "none is none"),
            ("an unknown role", {**good, "roles": "a=king"}, "VALUE=ROLE"),
            ("an unknown scope", {**good, "scopes": "agents:fly"}, "no scope agents:fly")):
        code, text = check(**{k: v for k, v in keys.items() if v is not None})
        ok(code == 1 and says in text, f"{name}: refused at start")


run(globals(), daemon)
