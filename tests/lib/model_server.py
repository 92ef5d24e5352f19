#!/usr/bin/python3
"""A server of OpenAI's chat completions for tests and benches, over real HTTP.

    tests/lib/model_server.py --port 0 --port-file F [--host 127.0.0.1] [--script S.json]

POST …/chat/completions answers; GET …/models lists; beside the protocol there are
    GET  /_calls     {"calls", "active", "peak", "completed", "byModel": {name: n}}
    GET  /_times     {name: [when it was called, in seconds since 1970]}
    GET  /_requests  the last 200 requests: {"path", "headers", "body"}
    POST /_script    takes the place of the script file
    POST /_reset     sets the counters to 0 and forgets requests

What is answered is decided by the script's first reply that fits, else by the model's name: words
joined by "+", each with arguments behind ":"; unknown words are ignored, so "echo+slow:100+run7"
is a name of its own with counters of its own.

    echo            "echo: LAST USER MESSAGE", or of the results after tools (the default); user lines
                    "call NAME {json}" call tools that are offered; a JSON schema gets its smallest value
    text:W          the words W ("_" is a blank)       words:N         N words
    slow:MS         before anything is sent            drip:MS         between chunks (or bytes)
    usage:IN:OUT    instead of counting                nousage         says none
    error:S[:AFTER] HTTP status S, Retry-After: AFTER  fail:N:S[:AFTER] only the first N calls
    hang            never answers                      cut[:N]         closes after N bytes of body
    drop            closes without a byte
    rubbish         HTML with status 200               badjson         half an object
    streamerror     an error inside the stream         noreason        the stream lacks the end
    noids           tool calls without ids             key:K           401 unless the bearer token is K

The script: {"replies": [{"match": {"contains", "model", "after_tool", "turn"}, "content", "tool_calls",
"finish", "delay": "50ms", "error": {"status", "message", "retry_after"}, "as": "drip:5+cut:100",
"times": n}]}, as model_fake reads it; "as" adds words from above, "times" bounds its uses.

From Python:  with ModelServer() as m: m.base_url, m.calls(), m.requests(), m.script({...})
"""
import argparse
import asyncio
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

BODY_MAX = 64 << 20
HEAD_MAX = 64 << 10
KEEP_REQUESTS = 200
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
           408: "Request Timeout", 409: "Conflict", 413: "Content Too Large",
           429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway",
           503: "Service Unavailable", 504: "Gateway Timeout"}
ERROR_TYPES = {400: "invalid_request_error", 401: "authentication_error",
               404: "not_found_error", 429: "rate_limit_error"}


class Refused(Exception):
    """Ends a call with an error of the protocol."""

    def __init__(self, status, message, headers=()):
        super().__init__(message)
        self.status, self.headers = status, list(headers)


class Hung(Exception):
    """Ends a call by closing the connection."""


def seconds(duration):
    for unit, factor in (("us", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600)):
        if duration.endswith(unit) and duration[: -len(unit)].isdigit():
            return int(duration[: -len(unit)]) * factor
    raise ValueError(f"not a duration: {duration}")


def smallest(schema, root=None, depth=0):
    """The least value that fits a schema, as far as tests need it."""
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth > 20:
        return None
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].lstrip("#/").split("/"):
            target = target.get(part, {}) if part else target
        return smallest(target, root, depth + 1)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return smallest(schema[key][0], root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "null")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: smallest(properties.get(name, {}), root, depth + 1)
                for name in schema.get("required", [])}
    if kind == "array":
        return [smallest(schema.get("items", {}), root, depth + 1)
                for _ in range(min(schema.get("minItems", 0), 100))]
    if kind == "string":
        return "x" * min(schema.get("minLength", 0), 4096)
    if kind in ("integer", "number"):
        return max(schema.get("minimum", 0), schema.get("exclusiveMinimum", -1) + 1)
    return False if kind == "boolean" else None


class Conversation:
    """Where the messages of a request stand."""

    def __init__(self, body):
        self.body = body
        self.messages = body.get("messages")
        if not isinstance(self.messages, list) or not self.messages:
            raise Refused(400, "'messages' must be a non-empty array")
        self.model = body.get("model")
        if not isinstance(self.model, str) or not self.model:
            raise Refused(400, "you must provide a model parameter")
        users = [m for m in self.messages if m.get("role") == "user"]
        self.user = str(users[-1].get("content") or "") if users else ""
        self.turn = sum(m.get("role") == "assistant" for m in self.messages)
        self.tail = []
        for message in reversed(self.messages):
            if message.get("role") != "tool":
                break
            self.tail.insert(0, message)
        self.check()

    def check(self):
        """What the real API refuses: tool messages that answer no call, wrong shapes."""
        calls = {}
        for i, message in enumerate(self.messages):
            role = message.get("role")
            if role not in ("system", "developer", "user", "assistant", "tool"):
                raise Refused(400, f"messages[{i}].role: invalid value {role!r}")
            for call in message.get("tool_calls") or []:
                if call.get("type") != "function" or not isinstance(
                        call.get("function", {}).get("arguments"), str):
                    raise Refused(400, f"messages[{i}].tool_calls: invalid call")
                calls[call["id"]] = call["function"]["name"]
            if role == "tool" and message.get("tool_call_id") not in calls:
                raise Refused(400, f"messages[{i}]: a tool message must follow its tool_calls")
        self.called = calls
        for i, tool in enumerate(self.body.get("tools") or []):
            if tool.get("type") != "function" or "name" not in tool.get("function", {}):
                raise Refused(400, f"tools[{i}]: invalid tool")

    def tools(self):
        return {t["function"]["name"]: t["function"] for t in self.body.get("tools") or []}

    def results(self):
        return "\n".join(str(m.get("content")) for m in self.tail)

    def fits(self, match):
        after = match.get("after_tool")
        names = [self.called.get(m.get("tool_call_id")) for m in self.tail]
        position = not self.tail if after is None else bool(names) and (after == "*" or after in names)
        return (position and match.get("contains", "") in self.user
                and match.get("model", self.model) == self.model
                and match.get("turn", self.turn) == self.turn)

    def input_bytes(self):
        total = 0
        for message in self.messages:
            total += len(str(message.get("content") or "").encode())
            for call in message.get("tool_calls") or []:
                total += len(call["function"]["arguments"].encode())
        return total


class Answer:
    """What is said, and in which manner."""

    def __init__(self):
        self.content, self.calls, self.finish = "", [], None
        self.manner = {}

    def number(self, word, index=0, otherwise=0):
        arguments = self.manner.get(word, [])
        return int(arguments[index]) if len(arguments) > index and arguments[index] else otherwise


def manner_of(name):
    return {word: arguments.split(":") if arguments else []
            for word, _, arguments in (part.partition(":") for part in name.split("+"))}


def answer_by_rules(answer, conversation):
    body, tools = conversation.body, conversation.tools()
    if not conversation.tail and body.get("tool_choice") != "none":
        for line in conversation.user.splitlines():
            word, _, rest = line.partition(" ")
            name, _, arguments = rest.partition(" ")
            if word == "call" and name in tools:
                answer.calls.append((name, arguments.strip() or "{}"))
        choice = body.get("tool_choice")
        forced = choice["function"]["name"] if isinstance(choice, dict) else None
        if not answer.calls and (forced or choice == "required") and tools:
            name = forced or next(iter(tools))
            answer.calls.append((name, json.dumps(smallest(tools[name].get("parameters", {})) or {})))
    if answer.calls:
        return
    form = body.get("response_format") or {}
    if "text" in answer.manner:
        answer.content = ":".join(answer.manner["text"]).replace("_", " ")
    elif "words" in answer.manner:
        answer.content = " ".join(f"word{i}" for i in range(answer.number("words")))
    elif form.get("type") == "json_schema":
        answer.content = json.dumps(smallest(form["json_schema"]["schema"]))
    else:
        answer.content = "echo: " + (conversation.results() if conversation.tail else conversation.user)


def answer_by_script(answer, reply, conversation):
    answer.content = reply.get("content", "").replace("{{user}}", conversation.user).replace(
        "{{result}}", conversation.results())
    for call in reply.get("tool_calls", []):
        arguments = call.get("arguments", {})
        answer.calls.append((call["name"],
                             arguments if isinstance(arguments, str) else json.dumps(arguments)))
    answer.finish = reply.get("finish")
    answer.manner.update(manner_of(reply.get("as", "")))
    if "delay" in reply:
        answer.manner["slow"] = [str(int(seconds(reply["delay"]) * 1000))]


def error_body(status, message):
    return json.dumps({"error": {"message": message, "type": ERROR_TYPES.get(status, "server_error"),
                                 "param": None, "code": None}}).encode()


class Server:
    def __init__(self, script):
        self.replies = script.get("replies", [])
        self.reset()

    def reset(self):
        self.calls = self.active = self.peak = self.completed = 0
        self.by_model, self.times, self.requests, self.used = {}, {}, [], {}

    # ---- HTTP, as much as tests need ----

    async def connection(self, reader, writer):
        try:
            while await self.exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, Hung,
                asyncio.CancelledError):  # cancelled by the end of the loop
            pass
        finally:
            writer.close()

    async def exchange(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = (lines[0].split(" ") + ["", ""])[:3]
        headers = {name.strip().lower(): value.strip()
                   for name, _, value in (line.partition(":") for line in lines[1:] if line)}
        length = int(headers.get("content-length", 0))
        if length > BODY_MAX:
            await self.send(writer, 413, error_body(413, "too large"))
            return False
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = await self.chunked_body(reader)
        else:
            body = await reader.readexactly(length) if length else b""
        writer.peer_left = reader.at_eof
        await self.route(writer, method, path.partition("?")[0], headers, body)
        return headers.get("connection", "").lower() != "close"

    @staticmethod
    async def chunked_body(reader):
        body = b""
        while True:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            body += (await reader.readexactly(size + 2))[:size]
            if size == 0 or len(body) > BODY_MAX:
                return body

    @staticmethod
    async def send(writer, status, body, headers=(), kind="application/json"):
        extra = "".join(f"{name}: {value}\r\n" for name, value in headers)
        writer.write((f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\nContent-Type: {kind}\r\n"
                      f"Content-Length: {len(body)}\r\n{extra}\r\n").encode() + body)
        await writer.drain()

    async def route(self, writer, method, path, headers, body):
        if path == "/_calls":
            await self.send(writer, 200, json.dumps(
                {"calls": self.calls, "active": self.active, "peak": self.peak,
                 "completed": self.completed, "byModel": self.by_model}).encode())
        elif path == "/_times":
            await self.send(writer, 200, json.dumps(self.times).encode())
        elif path == "/_requests":
            await self.send(writer, 200, json.dumps(self.requests).encode())
        elif path == "/_reset" and method == "POST":
            active = self.active
            self.reset()
            self.active = self.peak = active
            await self.send(writer, 200, b"{}")
        elif path == "/_script" and method == "POST":
            self.replies, self.used = json.loads(body).get("replies", []), {}
            await self.send(writer, 200, b"{}")
        elif path.endswith("/models") and method == "GET":
            await self.send(writer, 200, json.dumps(
                {"object": "list", "data": [{"id": "echo", "object": "model"}]}).encode())
        elif path.endswith("/chat/completions") and method == "POST":
            await self.counted_call(writer, path, headers, body)
        else:
            await self.send(writer, 404, error_body(404, f"Unknown request URL: {method} {path}"))

    # ---- a call ----

    async def counted_call(self, writer, path, headers, body):
        self.calls += 1
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            await self.call(writer, path, headers, body)
            self.completed += 1
        except Refused as refused:
            await self.send(writer, refused.status, error_body(refused.status, str(refused)),
                            refused.headers)
        finally:
            self.active -= 1

    async def call(self, writer, path, headers, raw):
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise Refused(400, f"We could not parse the JSON body of your request: {error}") from None
        if not isinstance(body, dict):
            raise Refused(400, "the body must be an object")
        self.requests = (self.requests + [{"path": path, "headers": headers, "body": body}])[
            -KEEP_REQUESTS:]
        conversation = Conversation(body)
        model = conversation.model
        self.by_model[model] = self.by_model.get(model, 0) + 1
        self.times.setdefault(model, []).append(time.time())
        answer = Answer()
        answer.manner = manner_of(model)
        reply = self.script_reply(conversation)
        if reply is not None:
            answer_by_script(answer, reply, conversation)
        else:
            answer_by_rules(answer, conversation)
        await self.obstacles(writer, answer, reply, headers, model)
        await self.say(writer, answer, conversation)

    def script_reply(self, conversation):
        for i, reply in enumerate(self.replies):
            if not conversation.fits(reply.get("match", {})):
                continue
            if self.used.get(i, 0) < reply.get("times", float("inf")):
                self.used[i] = self.used.get(i, 0) + 1
                return reply
        return None

    async def obstacles(self, writer, answer, reply, headers, model):
        """All that comes in place of an answer."""
        await asyncio.sleep(answer.number("slow") / 1000)
        if "hang" in answer.manner:
            while not writer.peer_left():
                await asyncio.sleep(0.2)
            raise Hung
        if "drop" in answer.manner:
            raise Hung
        key = ":".join(answer.manner.get("key", []))
        if key and headers.get("authorization") != f"Bearer {key}":
            raise Refused(401, "Incorrect API key provided")
        fault = (reply or {}).get("error")
        if fault:
            after = [("Retry-After", f"{seconds(fault['retry_after']):g}")] if "retry_after" in fault else []
            raise Refused(fault.get("status", 500), fault.get("message", "scripted"), after)
        failing = self.by_model[model] <= answer.number("fail")
        for word, at, active in (("error", 0, "error" in answer.manner), ("fail", 1, failing)):
            if active:
                after = answer.number(word, at + 1)
                raise Refused(answer.number(word, at, 500), f"you asked for it ({word})",
                              [("Retry-After", after)] if after else [])
        if "rubbish" in answer.manner:
            await self.send(writer, 200, b"<html><body>rubbish</body></html>", kind="text/html")
            raise Hung
        if "badjson" in answer.manner:
            await self.send(writer, 200, b'{"choices": [{"message": {"content": "half')
            raise Hung

    def usage_of(self, answer, conversation):
        said = len(answer.content.encode()) + sum(len(n) + len(a.encode()) for n, a in answer.calls)
        used = [answer.number("usage", 0, (conversation.input_bytes() + 3) // 4),
                answer.number("usage", 1, (said + 3) // 4)]
        return {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)}

    async def say(self, writer, answer, conversation):
        calls = []
        for i, (name, arguments) in enumerate(answer.calls):
            call = {"id": f"call_{conversation.turn}_{i}", "type": "function",
                    "function": {"name": name, "arguments": arguments}}
            if "noids" in answer.manner:
                del call["id"]
            calls.append(call)
        finish = answer.finish or ("tool_calls" if calls else "stop")
        base = {"id": f"chatcmpl-{self.calls}", "created": int(time.time()), "model": conversation.model}
        usage = None if "nousage" in answer.manner else self.usage_of(answer, conversation)
        if conversation.body.get("stream"):
            asked = (conversation.body.get("stream_options") or {}).get("include_usage")
            await self.say_streamed(writer, answer, base, calls, finish, usage if asked else None)
        else:
            await self.say_whole(writer, answer, base, calls, finish, usage)

    async def say_whole(self, writer, answer, base, calls, finish, usage):
        message = {"role": "assistant", "content": answer.content or None, "refusal": None}
        if calls:
            message["tool_calls"] = calls
        whole = {**base, "object": "chat.completion", "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}]}
        if usage:
            whole["usage"] = usage
        body = json.dumps(whole).encode()
        pieces = [bytes([byte]) for byte in body] if "drip" in answer.manner else [body]
        head = (f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode()
        await self.send_pieces(writer, answer, head, pieces)

    async def say_streamed(self, writer, answer, base, calls, finish, usage):
        def chunk(delta, reason=None, **more):
            event = {**base, "object": "chat.completion.chunk", "choices": [
                {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}], **more}
            return b"data: " + json.dumps(event).encode() + b"\n\n"

        events = [chunk({"role": "assistant", "content": "" if answer.content else None})]
        words = answer.content.split(" ")
        events += [chunk({"content": word + (" " if i < len(words) - 1 else "")})
                   for i, word in enumerate(words) if answer.content]
        for i, call in enumerate(calls):
            arguments = call["function"]["arguments"]
            first = {**call, "index": i, "function": {**call["function"], "arguments": ""}}
            events.append(chunk({"tool_calls": [first]}))
            for at in range(0, len(arguments), 8):
                part = {"index": i, "function": {"arguments": arguments[at:at + 8]}}
                events.append(chunk({"tool_calls": [part]}))
        if "streamerror" in answer.manner:
            events.append(b"data: " + error_body(500, "you asked for it (streamerror)") + b"\n\n")
        elif "noreason" not in answer.manner:
            events.append(chunk({}, finish))
            if usage:
                events.append(chunk({}, choices=[], usage=usage))
            events.append(b"data: [DONE]\n\n")
        framed = [f"{len(event):x}\r\n".encode() + event + b"\r\n" for event in events] + [b"0\r\n\r\n"]
        await self.send_pieces(writer, answer, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n", framed)

    @staticmethod
    async def send_pieces(writer, answer, head, pieces):
        """cut counts bytes as they are on the wire behind the head."""
        pause = answer.number("drip") / 1000
        left = None
        if "cut" in answer.manner:
            left = answer.number("cut", 0, sum(map(len, pieces)) // 2)
        writer.write(head)
        for piece in pieces:
            if left is not None and len(piece) >= left:
                writer.write(piece[:left])
                await writer.drain()
                raise Hung
            left = left - len(piece) if left is not None else None
            writer.write(piece)
            if pause:
                await writer.drain()
                await asyncio.sleep(pause)
        await writer.drain()


async def serve(options):
    script = {}
    if options.script:
        with open(options.script, encoding="utf-8") as file:
            script = json.load(file)
    server = Server(script)
    listener = await asyncio.start_server(server.connection, options.host, options.port,
                                          backlog=4096, limit=HEAD_MAX)
    port = listener.sockets[0].getsockname()[1]
    if options.port_file:
        with open(options.port_file + ".new", "w", encoding="ascii") as file:
            file.write(f"{port}\n")
        os.replace(options.port_file + ".new", options.port_file)
    else:
        print(port, flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    listener.close()


class ModelServer:
    """The server as a child process, for `with`."""

    def __init__(self, script=None):
        self.folder = tempfile.TemporaryDirectory(prefix="c9-model-")
        self.first_script = script

    def __enter__(self):
        port_file = os.path.join(self.folder.name, "port")
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--port", "0",
                                         "--port-file", port_file, "--with-parent"])
        deadline = time.monotonic() + 20
        while not os.path.exists(port_file):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the model server did not start")
            time.sleep(0.01)
        with open(port_file, encoding="ascii") as file:
            self.port = int(file.read())
        self.url = f"http://127.0.0.1:{self.port}"
        self.base_url = self.url + "/v1"
        if self.first_script is not None:
            self.script(self.first_script)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()

    def ask(self, path, value=None):
        data = None if value is None else json.dumps(value).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data), timeout=20) as reply:
            return json.loads(reply.read())

    def calls(self):
        return self.ask("/_calls")

    def times(self):
        return self.ask("/_times")

    def requests(self):
        return self.ask("/_requests")

    def script(self, script):
        self.ask("/_script", script)

    def reset(self):
        self.ask("/_reset", {})


def main():
    parser = argparse.ArgumentParser(description="Chat completions for tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file")
    parser.add_argument("--script")
    parser.add_argument("--with-parent", action="store_true", help="end when the parent ends")
    options = parser.parse_args()
    if options.with_parent:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(serve(options))


if __name__ == "__main__":
    main()
