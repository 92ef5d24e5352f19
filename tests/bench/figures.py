"""What c9d promises in figures, each measured beside its reference, interleaved, in the same run; medians.

    C9_BUILD=build tests/bench/run.sh [GROUP …]      GROUP: executions waiting read lists access schemas start memory lockdown density hook bombs schedules streams
                                                     journal resume evicted recovery

Needs a plain build (make bench). Everything happens in a folder below the build folder, on that disk, and is
removed at the end. A machine that does something else at the same time shows in both columns.
"""
import json
import os
import platform
import re
import resource
import selectors
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, Daemon, eventually  # noqa: E402

TOOLS = f"{BUILD}/tests/bench"
ROUNDS = 5
SECONDS = 1.5
SUM = """return { name = "sum", version = "1.0.0", description = "Sums squares modulo 7.",
  run = function() local sum = 0 for i = 1, 10000 do sum = sum + i * i % 7 end return sum end }"""
ASK = """return { name = "ask", version = "1.0.0", description = "Asks a model.", needs = { model = { "default" } },
  run = function() return c9.model.chat{ messages = { { role = "user", content = "Well?" } } }.content end }"""
ROWS = []


# ---- the table -------------------------------------------------------------------------------

def row(what, reference, ours, figure, reached, note=""):
    """figure: what is compared with the limit, with the limit."""
    ROWS.append((what, reference, ours, figure, {True: "yes", False: "NO", None: ""}[reached], note))
    print(f"  {what}: {reference or '-'} | {ours} | {figure} | {ROWS[-1][4]}", file=sys.stderr, flush=True)


def print_table():
    head = ("what", "reference", "ours", "ratio or limit", "reached")
    rows = [r[:5] for r in ROWS]
    widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    for r in [head, tuple("-" * w for w in widths), *rows]:
        print("  ".join(text.ljust(w) for text, w in zip(r, widths)).rstrip())
    notes = [f"  {r[0]}: {r[5]}" for r in ROWS if r[5]]
    if notes:
        print("\n" + "\n".join(notes))


def first_line(path, pattern):
    with open(path, encoding="utf-8") as f:
        found = re.search(pattern, f.read())
    return found.group(1) if found else "?"


def print_machine(folder):
    file_system = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=False).stdout
    print(f"machine: {os.cpu_count()} x {first_line('/proc/cpuinfo', r'model name.*: (.*)')}, "
          f"{int(first_line('/proc/meminfo', r'MemTotal: *([0-9]+)')) >> 20} GiB, Linux {platform.release()}, "
          f"{file_system.strip()}, load before {os.getloadavg()[0]:.2f}; "
          f"SQLite {sqlite3.sqlite_version}, medians of {ROUNDS} interleaved rounds\n", flush=True)


# ---- tools ---------------------------------------------------------------------------------------

def tool(name, *words):
    done = subprocess.run([f"{TOOLS}/{name}", *map(str, words)], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{name} {' '.join(map(str, words))}: {done.stderr or done.stdout}")
    return done.stdout


class Target:
    """One request to one server, to be sent again and again."""
    n = 0

    def __init__(self, port, method, path, token=None, body=None, headers=()):
        Target.n += 1
        self.port = port
        self.file = f"{tempfile.tempdir}/request-{Target.n}"
        data = json.dumps(body).encode() if body is not None else b""
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: application/json", *headers]
        lines += [f"Authorization: Bearer {token}"] if token else []
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"] if data else []
        with open(self.file, "wb") as f:
            f.write("\r\n".join([*lines, "", ""]).encode() + data)

    def load(self, connections=1, seconds=SECONDS, requests=0):
        return json.loads(tool("base_load", "127.0.0.1", self.port, connections, seconds, requests, self.file))


def rate(result):
    return result["requests"] / result["seconds"]


def interleaved(*measures, rounds=ROUNDS):
    """Calls each in turn, so many rounds; the median of each."""
    got = [[measure() for measure in measures] for _ in range(rounds)]
    return [statistics.median(values) for values in zip(*got)]


def daemon(**sections):
    return Daemon({"log": {"level": "warn"}, **{k.replace("_", " "): v for k, v in sections.items()}}, start=False)


def up(d):
    """Starts it on a port that it told before (nothing is logged at this level)."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        d.port = s.getsockname()[1]
    d.config["http"]["listen"] = f"127.0.0.1:{d.port}"
    d.config["log"]["level"] = "info"
    d.write_config()
    return d.start()


def execute_target(d, agent, **more):
    return Target(d.port, "POST", f"/v1/agents/{agent['id']}/execute", d.token, {"input": None}, **more)


def family(pid):
    """A process and all that descend from it."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as f:
                parents[int(name)] = int(f.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {pid}
    while True:
        more = {p for p, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def mappings(pid):
    """The fields of each mapping in /proc/PID/smaps, in KiB, with its path and place."""
    fields = None
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as f:
        for line in f:
            name, _, value = line.partition(":")
            if value.endswith(" kB\n"):
                fields[name] = int(value[:-4])
            elif re.match("[0-9a-f]+-[0-9a-f]+ ", line):
                if fields:
                    yield fields
                words = line.split(None, 5)
                fields = {"file": (words[5].strip(), words[2]) if words[4] != "0" else None}
    if fields:
        yield fields


def memory(pid):
    """Bytes of a process and its descendants: (PSS, the same as if nobody else shared their files)."""
    pss, private, files = 0, 0, {}
    for p in family(pid):
        try:
            for m in mappings(p):
                pss += m["Pss"]
                if m["file"] is None:
                    private += m["Pss"]
                else:
                    private += m["Anonymous"]
                    files[m["file"]] = max(files.get(m["file"], 0), m["Rss"] - m["Anonymous"])
        except (OSError, KeyError):
            continue  # it ended meanwhile
    return pss * 1024, (private + sum(files.values())) * 1024


def pss(pid):
    """Bytes: each page divided by how many processes share it."""
    total = 0
    for p in family(pid):
        try:
            total += int(first_line(f"/proc/{p}/smaps_rollup", r"\nPss: +([0-9]+) kB")) * 1024
        except (OSError, ValueError):
            continue  # it ended meanwhile
    return total


# ---- executions --------------------------------------------------------------------------------

def measure_executions():
    d = up(daemon())
    target = execute_target(d, d.api.lua_agent("sum", SUM))
    widths = {w: float(tool("sandbox_reference", "rate", w, 0.5)) for w in (1, 2, 4, 8)}
    width = max(widths, key=widths.get)
    target.load(32, 0.5)
    reference, ours = interleaved(lambda: float(tool("sandbox_reference", "rate", width, SECONDS)),
                                  lambda: rate(target.load(32)))
    row("executions/s, 32 clients", f"{reference:,.0f}/s", f"{ours:,.0f}/s", f"{ours / reference:.2f} x >= 0.6 x",
        ours >= 0.6 * reference, f"the reference forks {width} at a time, the best of {', '.join(map(str, widths))}")
    d.stop()


def measure_waiting():
    d = up(daemon())
    target = execute_target(d, d.api.lua_agent("sum", SUM))
    parts = []

    def reference():
        append, fork = map(int, tool("sandbox_reference", "wait", 200, f"{tempfile.tempdir}/append").split())
        parts.append((append, fork))
        return append + fork

    target.load(1, 0.3)
    reference_us, ours = interleaved(reference, lambda: target.load(1)["p50_us"])
    append, fork = (statistics.median(column) for column in zip(*parts))
    row("p50 of one waiting execute, 1 client", f"{reference_us:,.0f} us", f"{ours:,.0f} us",
        f"{ours / reference_us:.2f} x <= 1.5 x", ours <= 1.5 * reference_us,
        f"the reference is {append:,.0f} us of append and {fork:,.0f} us of fork, lock-down, Lua, exit")
    d.stop()


def measure_read():
    d = up(daemon())
    quiet = up(daemon(http={"access_log": "off"}))
    agent = d.api.lua_agent("sum", SUM, description="Sums squares modulo 7, for measuring.")
    other = quiet.api.lua_agent("sum", SUM, description="Sums squares modulo 7, for measuring.")
    answer = d.api.get(f"/v1/agents/{agent['id']}")
    headers = "\n".join(f"{k}: {v}" for k, v in answer.headers.items() if k not in ("Content-Length", "Date", "Connection"))
    constant = subprocess.Popen([f"{TOOLS}/api_constant", str(len(answer.raw)), str(os.cpu_count()), headers],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        plain = Target(int(constant.stdout.readline()), "GET", "/")
        ours = Target(d.port, "GET", f"/v1/agents/{agent['id']}", d.token)
        unlogged = Target(quiet.port, "GET", f"/v1/agents/{other['id']}", quiet.token)
        ours.load(32, 0.5)
        reference, got, silent = interleaved(*(lambda t=t: rate(t.load(32)) for t in (plain, ours, unlogged)))
    finally:
        constant.communicate()
    row("GET /v1/agents/{id}, 32 connections", f"{reference:,.0f}/s", f"{got:,.0f}/s",
        f"{got / reference:.2f} x >= 0.4 x", got >= 0.4 * reference,
        f"a body of {len(answer.raw)} bytes, the same headers and threads; without the access log {silent:,.0f}/s, "
        f"{silent / reference:.2f} x")
    d.stop()
    quiet.stop()


# ---- lists ---------------------------------------------------------------------------------------

FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows),
row(i, at, hex, status) AS (SELECT i, :from + i * 1000000, printf('%012x', (:from + i * 1000000) / 1000),
  CASE WHEN i % 50 = 0 THEN 'cancelled' WHEN i % 12 = 0 THEN 'failed' ELSE 'completed' END FROM n)
INSERT INTO agent_executions (id, agent_id, agent_version, organization_id, input_data, output_data, status, started_at,
  completed_at, execution_time_ms, error_message, error_details, resource_usage, triggered_by, execution_context,
  available_at, attempt, created_at)
SELECT substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-7000-8000-' || printf('%012x', i), t.agent_id, t.agent_version,
  t.organization_id, json_object('text', hex(randomblob(60))), json_object('answer', hex(randomblob(90))), row.status, at + 900,
  at + 3900, 3, CASE row.status WHEN 'failed' THEN 'skill:12: attempt to index a nil value (local ''answer'')' END,
  CASE row.status WHEN 'failed' THEN json_object('code', 'ExecutionFailed', 'message', 'attempt to index a nil value') END,
  t.resource_usage, t.triggered_by, t.execution_context, at, 1, at
FROM row, (SELECT * FROM agent_executions ORDER BY id LIMIT 1) t
"""


def filled(rows):
    """A daemon whose store has so many executions, made through SQL from one real one."""
    d = up(daemon())
    agent = d.api.lua_agent("sum", SUM)
    d.api.execute(agent["id"])
    d.stop()
    base = int((time.time() - rows - 3600) * 1e6)
    store = sqlite3.connect(f"{d.folder}/state/c9d.db")
    store.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000;")
    store.execute(FILL, {"rows": rows - 1, "from": base})
    store.commit()
    store.close()
    up(d)
    middle = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(base / 1e6 + rows // 2))
    return d, {
        "newest": "/v1/executions?limit=50",
        "from the middle": f"/v1/executions?limit=50&createdBefore={middle}",
        "failed": "/v1/executions?limit=50&status=failed",
        "of one agent": f"/v1/agents/{agent['id']}/executions?limit=50",
    }


def measure_lists():
    (small, small_pages), (large, large_pages) = filled(10_000), filled(1_000_000)
    worst, lines = None, []
    for name in small_pages:
        targets = [Target(d.port, "GET", pages[name], d.token) for d, pages in ((small, small_pages), (large, large_pages))]
        for target in targets:
            target.load(1, 0.2)
        reference, ours = interleaved(*(lambda t=t: t.load(1, 0.4)["p50_us"] for t in targets))
        lines.append(f"{name} {reference:,.0f} and {ours:,.0f} us")
        if worst is None or ours / reference > worst[2]:
            worst = (reference, ours, ours / reference)
    row("list page of 50 of 1,000,000 executions", f"{worst[0]:,.0f} us", f"{worst[1]:,.0f} us",
        f"{worst[2]:.2f} x <= 1.3 x", worst[2] <= 1.3, "p50 of 10,000 and 1,000,000, the worst above: " + ", ".join(lines))
    small.stop()
    large.stop()


# ---- who may see what ----------------------------------------------------------------------------

FILL_AGENTS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
INSERT INTO agents (id, name, user_id, organization_id, skillset, execution_config, visibility, created_at, updated_at)
SELECT printf('01%06x-0000-7000-8000-000000000000', i), printf('agent %06d', i),
  CASE WHEN i % 50 = 7 THEN :member ELSE :owner END, :organization, '["sum"]', '{"entrypoint":"sum"}',
  CASE WHEN i % 50 = 3 THEN 'organization' WHEN i % 100 = 5 THEN 'public' ELSE 'private' END,
  1700000000000000 + i * 1000000, 1700000000000000 + i * 1000000 FROM n"""
GRANT_USER = """
INSERT INTO agent_permissions (id, agent_id, user_id, permission_type, granted_at)
SELECT 'u' || id, id, :member, 'read', 1 FROM agents WHERE CAST(substr(name, 7) AS INTEGER) % 40 = 11"""
GRANT_TEAM = """
INSERT INTO agent_team_permissions (id, agent_id, team_id, permission_type, granted_at)
SELECT :team || id, id, :team, 'execute', 1 FROM agents WHERE CAST(substr(name, 7) AS INTEGER) % 100 = :place"""
AUDIENCE = """
INSERT INTO agent_audience (audience_id, agent_created_at, agent_id)
SELECT p.user_id, a.created_at, a.id FROM agent_permissions p JOIN agents a ON a.id = p.agent_id
UNION SELECT p.team_id, a.created_at, a.id FROM agent_team_permissions p JOIN agents a ON a.id = p.agent_id"""


def filled_with_agents(rows):
    """A daemon with so many agents, of which a member sees a tenth by visibility, ownership, and grants to him and
    his four teams; his token, and the id of an agent that he has through a team alone."""
    d = up(daemon(http={"access_log": "off"}))
    d.api.lua_agent("sum", SUM)
    me = d.api.get("/v1/me").json
    member = d.api.post("/v1/users", {"name": "member", "kind": "service"}).json["id"]
    token = d.api.post("/v1/tokens", {"name": "m", "scopes": ["agents:read"], "userId": member}).json["token"]
    teams = [d.api.post("/v1/teams", {"name": f"team {i}"}).json["id"] for i in range(4)]
    for team in teams:
        d.api.request("PUT", f"/v1/teams/{team}/members/{member}")
    d.stop()
    db = sqlite3.connect(f"{d.folder}/state/c9d.db")
    db.execute(FILL_AGENTS, {"rows": rows, "member": member, "owner": me["user"]["id"],
                             "organization": me["organization"]["id"]})
    db.execute(GRANT_USER, {"member": member})
    for place, team in enumerate(teams):
        db.execute(GRANT_TEAM, {"team": team, "place": 20 + place})
    db.execute(AUDIENCE)
    db.commit()
    db.execute("ANALYZE")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return up(d), token, "01000014-0000-7000-8000-000000000000"


def measure_access():
    d, token, agent = filled_with_agents(100_000)
    owners, members = (Target(d.port, "GET", f"/v1/agents/{agent}", t) for t in (d.token, token))
    owners.load(32, 0.5)
    reference, ours = interleaved(*(lambda t=t: rate(t.load(32)) for t in (owners, members)))
    row("GET of one agent through a team grant", f"{reference:,.0f}/s", f"{ours:,.0f}/s",
        f"{ours / reference:.2f} x >= 0.8 x", ours >= 0.8 * reference, "32 connections; the reference is its owner's")
    client, pages = d.api.with_token(token), {"first": "/v1/agents?limit=50"}
    for _ in range(20):
        pages["20th"] = f"/v1/agents?limit=50&cursor={client.get(pages.get('20th', pages['first'])).json['nextCursor']}"
    worst, lines = None, []
    for name, path in pages.items():
        page = Target(d.port, "GET", path, token)
        page.load(1, 0.2)
        reference, ours = interleaved(*(lambda t=t: t.load(1, 1)["p99_us"] for t in (members, page)))
        lines.append(f"{name} {reference:,.0f} and {ours:,.0f} us")
        if worst is None or ours / reference > worst[2]:
            worst = (reference, ours, ours / reference)
    row("list page of 50 of 100,000 agents, mixed grants", f"{worst[0]:,.0f} us", f"{worst[1]:,.0f} us",
        f"{worst[2]:.2f} x <= 5 x", worst[2] <= 5, "p99, the reference is GET of one: " + ", ".join(lines))
    d.stop()


# ---- schemas ---------------------------------------------------------------------------------------------

def measure_schemas():
    text = tool("schema_validate")
    found = re.search(r"(\d+) bytes, (\d+) keywords: parse (\d+) us, validate (\d+) us", text)
    size, keywords, parse, validate = map(int, found.groups())
    row("validate 100 KiB against 200 keywords", f"{parse} us", f"{validate} us", f"{validate / parse:.2f} x <= 1 x",
        validate <= parse, f"{size:,} bytes, {keywords} keywords, a compiled schema; the reference is jansson's parsing")


# ---- start and memory ------------------------------------------------------------------------------

def start_once(d, request):
    """ms from exec to the answer of the first execution."""
    begin = time.monotonic()
    process = subprocess.Popen([f"{BUILD}/c9d", "run", "-c", d.file], stderr=subprocess.DEVNULL)
    try:
        while time.monotonic() < begin + 20:
            try:
                with socket.create_connection(("127.0.0.1", d.port)) as s:
                    s.sendall(request)
                    answer = s.recv(65536)
                break
            except OSError:
                time.sleep(0.0005)
        took = (time.monotonic() - begin) * 1000
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer)
        return took
    finally:
        process.terminate()
        process.wait()


def measure_start():
    d = up(daemon())
    target = execute_target(d, d.api.lua_agent("sum", SUM))
    d.stop()
    with open(target.file, "rb") as f:
        request = f.read()
    took = [start_once(d, request) for _ in range(2 * ROUNDS + 1)]
    row("start to the first execution answered", "", f"{statistics.median(took):.0f} ms", "<= 100 ms",
        statistics.median(took) <= 100, f"slowest of {len(took)}: {max(took):.0f} ms")


def waiting(d, count, connections=32):
    """Starts so many executions without waiting for them."""
    agent = d.api.lua_agent("ask", ASK)
    target = execute_target(d, agent, headers=["Prefer: respond-async"])
    begin = time.monotonic()
    result = target.load(connections, 60, count)
    if result["failed"] or result["requests"] != count:
        raise RuntimeError(f"only {result['requests']} were taken, {result['failed']} refused")
    return begin


def measure_memory():
    d = up(daemon())
    time.sleep(1)
    shared, alone = memory(d.process.pid)
    row("PSS of the idle daemon and its zygote", "", f"{alone / 2**20:.1f} MiB", "<= 10 MiB", alone <= 10 * 2**20,
        f"as if nothing else on the machine shared its libraries; PSS here and now: {shared / 2**20:.1f} MiB")
    d.stop()
    row_waiting(1000, 300)


def row_waiting(count, limit):
    """Memory of each of so many executions that wait for a model at the same time, in KiB."""
    d = up(daemon(model_default={"plugin": "fake", "delay": "120s", "concurrency": count}))
    time.sleep(1)
    before, processes = pss(d.process.pid), len(family(d.process.pid))
    waiting(d, count)
    if not eventually(lambda: len(family(d.process.pid)) >= processes + count, 30, 0.2):
        raise RuntimeError(f"not all of {count} run")
    time.sleep(1)
    each = (pss(d.process.pid) - before) / count
    row(f"memory of each of {count:,} that wait for a model", "", f"{each / 1024:.0f} KiB", f"<= {limit} KiB",
        each <= limit * 1024, "PSS of daemon, zygote and executors, less what it was idle")
    d.kill()


# ---- the sandbox ---------------------------------------------------------------------------------------

def measure_lockdown():
    bare, locked = interleaved(*(lambda mode=mode: float(tool("sandbox_reference", mode, 2, SECONDS)) for mode in ("bare", "lock")))
    row("fork + lock-down + exit, 2 at a time", f"{bare:,.0f}/s", f"{locked:,.0f}/s", f"{locked / bare:.2f} x >= 0.7 x",
        locked >= 0.7 * bare, "the reference is fork + exit of the same process")


def measure_hook():
    bare, limited = map(float, tool("sandbox_hook").split())
    row("ordinary Lua under a CPU limit", f"{bare / 1000:.1f} ms", f"{limited / 1000:.1f} ms",
        f"{limited / bare:.3f} x <= 1.03 x", limited <= 1.03 * bare, "the reference is the same without the limit")


BOMBS = {
    "loop": "while true do pcall(function() while true do end end) end",
    "memory": "local t = {} while true do t = { t, {} } if #t > 1e9 then break end pcall(string.rep, 'x', 1 << 20) end",
    "pattern": "return (('a'):rep(30000)):find(('.-'):rep(20) .. 'b')",
    "garbage": "while true do local t = {} for i = 1, 1000 do t[i] = {} end end",
}


class Bombs:
    """So many executions that burn what they get, started anew as they end. Each runs until its CPU time is up."""

    def __init__(self, d, count):
        self.d, self.count = d, count
        self.agents = [d.api.lua_agent(f"bomb-{name}", f'return {{ name = "bomb-{name}", version = "1.0.0", '
                                       f"run = function() {body} end }}",
                                       executionConfig={"limits": {"cpuTimeMs": 60000, "memoryMb": 16}})["id"]
                       for name, body in BOMBS.items()]

    def running(self):
        return len(self.d.api.get("/v1/executions?limit=200&status=running").json["items"])

    def light(self):
        for i in range(self.count - self.running()):
            self.d.api.execute(self.agents[i % len(self.agents)], None, {"Prefer": "respond-async"})
        if not eventually(lambda: self.running() >= self.count * 3 // 4, 30, 0.2):
            raise RuntimeError("the bombs do not burn")


def measure_bombs():
    d = up(daemon(limits={"wall_time": "10m"}))
    target = execute_target(d, d.api.lua_agent("sum", SUM))
    bombs = Bombs(d, 100)
    target.load(2, 0.5)
    quiet = [target.load(2, 2)["p99_us"] for _ in range(ROUNDS)]
    beside, running = [], []
    for _ in range(ROUNDS):
        bombs.light()
        result = target.load(2, 2)
        if result["failed"]:
            raise RuntimeError(f"{result['failed']} honest executions failed")
        beside.append(result["p99_us"])
        running.append(bombs.running())
    alone, with_bombs = statistics.median(quiet), statistics.median(beside)
    row("p99 of honest executions beside 100 bombs", f"{alone:,.0f} us", f"{with_bombs:,.0f} us",
        f"{with_bombs / alone:.2f} x <= 3 x", with_bombs <= 3 * alone,
        f"2 clients; the reference is without bombs; {min(running)} to {max(running)} of them burned at the end of a round")
    d.kill()


def active(d):
    return sum(len(d.api.get(f"/v1/executions?limit=1&status={s}").json["items"]) for s in ("pending", "running"))


def measure_density():
    count = 10_000
    d = up(daemon(model_default={"plugin": "fake", "delay": "2s", "concurrency": count}))
    begin = waiting(d, count)
    taken = time.monotonic() - begin
    if not eventually(lambda: active(d) == 0, 60, 0.02):
        raise RuntimeError("they do not end")
    took = time.monotonic() - begin
    total, completed = sqlite3.connect(f"{d.folder}/state/c9d.db").execute(
        "SELECT COUNT(*), SUM(status = 'completed') FROM agent_executions").fetchone()
    row("10,000 executions wait 2 s for a model", "", f"{took:.1f} s", "<= 8 s", took <= 8 and completed == total == count,
        f"{completed:,} of {total:,} completed; accepted within {taken:.1f} s")
    d.stop()
    row_waiting(count, 256)


# ---- schedules -----------------------------------------------------------------------------------------

SCHEDULES = """
WITH RECURSIVE row (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < :rows)
INSERT INTO scheduled_executions (id, agent_id, organization_id, created_by, cron_expression, timezone, is_active,
  overlap_policy, scheduled_for, next_execution_at, created_at, updated_at)
SELECT printf('%08x-%04x-7000-8000-%012x', i, i % 65536, i), agent_id, organization_id, created_by, cron_expression,
  timezone, 1, overlap_policy, at, at, created_at, updated_at
FROM (SELECT i, CASE WHEN i <= :due THEN :at ELSE :at + 3600000000 + i * 800000 END AS at FROM row),
  (SELECT * FROM scheduled_executions LIMIT 1) AS one
"""


def cpu(pid):
    """Seconds of CPU time that a process and its descendants have used."""
    ticks = 0
    for p in family(pid):
        with open(f"/proc/{p}/stat", encoding="utf-8") as f:
            ticks += sum(map(int, f.read().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def idle(d, seconds):
    """Percent of one CPU."""
    before = cpu(d.process.pid)
    time.sleep(seconds)
    return (cpu(d.process.pid) - before) / seconds * 100


def measure_schedules():
    active_, due, wait = 100_000, 1000, 12
    d = up(daemon())
    agent = d.api.lua_agent("sum", SUM)
    d.api.post(f"/v1/agents/{agent['id']}/schedules", {"cronExpression": "0 0 1 1 *"})
    none = idle(d, 4)
    d.stop()
    path = f"{d.folder}/state/c9d.db"
    at = int(time.time()) + wait
    store = sqlite3.connect(path)
    store.execute(SCHEDULES, {"rows": active_, "due": due, "at": at * 10**6})
    store.commit()
    store.close()
    up(d)
    time.sleep(1)
    between = idle(d, 5)
    if time.time() >= at:
        raise RuntimeError("this machine is too slow: the schedules were due before the daemon was idle")

    def started():
        with sqlite3.connect(path, timeout=30) as s:
            return s.execute("SELECT COUNT(*), MAX(started_at) FROM agent_executions"
                             " WHERE schedule_id IS NOT NULL AND started_at IS NOT NULL").fetchone()

    time.sleep(max(0, at - time.time()))
    if not eventually(lambda: started()[0] == due, 60, 0.1):
        raise RuntimeError(f"only {started()[0]} of {due} started")
    took = started()[1] / 1e6 - at
    row(f"{due:,} of {active_:,} schedules are due in one second", "", f"the last started after {took:.2f} s", "<= 2 s",
        took <= 2)
    row(f"CPU of the idle daemon, {active_:,} schedules active", f"{none:.2f} %", f"{between:.2f} %", "< 1 %", between < 1,
        "the reference is one without schedules; of one CPU, with its zygote and executors")


# ---- streams -------------------------------------------------------------------------------------

STREAMS = 2000
WAITS = """return { name = "waits", version = "1.0.0", description = "Emits at each signal.",
  run = function(n) for i = 1, n do c9.wait_for("go") c9.emit(i) end end }"""


class Streams:
    """Streams that are read together, by one poll."""

    def __init__(self, d, paths):
        self.poll, self.sockets, self.text = selectors.DefaultSelector(), [], {}
        for path in paths:
            s = socket.create_connection(("127.0.0.1", d.port))
            s.sendall(f"GET {path}/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {d.token}\r\n"
                      "Accept: text/event-stream\r\n\r\n".encode())
            self.sockets.append(s)
            self.text[s] = b""
            self.poll.register(s, selectors.EVENT_READ)

    def until_all_have(self, text, seconds):
        """Seconds until every stream has said it; an error when one has not."""
        begin, missing = time.monotonic(), set(self.sockets)
        while missing and time.monotonic() < begin + seconds:
            for key, _ in self.poll.select(0.5):
                s = key.fileobj
                data = s.recv(65536)
                if not data:
                    raise RuntimeError("a stream has ended")
                self.text[s] = (self.text[s] + data)[-4096:]
                if text in self.text[s]:
                    missing.discard(s)
        if missing:
            raise RuntimeError(f"{len(missing)} of {len(self.sockets)} streams have not heard {text!r}")
        return time.monotonic() - begin

    def close(self):
        self.poll.close()
        for s in self.sockets:
            s.close()


def measure_streams():
    """2,000 streams over 20 executions, each of which emits at the same moment: one event to each stream."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * STREAMS:
        raise RuntimeError(f"{STREAMS} streams need {2 * STREAMS} descriptors, the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    d = up(daemon())
    agent = d.api.lua_agent("waits", WAITS)["id"]
    ids = [d.api.execute(agent, ROUNDS + 1, {"Prefer": "respond-async"}).json["executionId"] for _ in range(20)]
    before = pss(d.process.pid)
    streams = Streams(d, [f"/v1/executions/{ids[n % len(ids)]}" for n in range(STREAMS)])
    try:
        streams.until_all_have(b"running", 60)
        each = (pss(d.process.pid) - before) / STREAMS
        took = []
        for n in range(ROUNDS + 1):  # the first is for warming up
            begin = time.monotonic()
            for id_ in ids:
                d.api.post(f"/v1/executions/{id_}/signals/go", {"payload": None})
            sent = time.monotonic() - begin
            rest = streams.until_all_have(b'event: emit\ndata: {"value":%d}' % (n + 1), 10)
            took.append((sent + rest) * 1000)
    finally:
        streams.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    ours = statistics.median(took[1:])
    row(f"{STREAMS:,} event streams open, one event to each", "", f"{ours:.0f} ms", "<= 250 ms", ours <= 250,
        f"from the first of 20 signals to the last stream; {each / 1024:.1f} KiB of memory a stream")
    d.stop()


# ---- the journal -----------------------------------------------------------------------------------------

NOTHING = """return { name = "nothing", version = "1.0.0", description = "Does nothing.", run = function() return 1 end }"""
EFFECT = """return { name = "effect", version = "1.0.0", description = "Asks the time.", run = function() return c9.now() end }"""
THOUSAND = """return { name = "thousand", version = "1.0.0", description = "Asks the time a thousand times, then waits.",
  run = function(input) for i = 1, 1000 do c9.now() end return c9.wait_for("go") end }"""
FOREVER = """return { name = "forever", version = "1.0.0", description = "Waits.", run = function() return c9.wait_for("go") end }"""


def measure_journal():
    d = up(daemon())
    none, one = (execute_target(d, d.api.lua_agent(name, source)) for name, source in (("nothing", NOTHING), ("effect", EFFECT)))
    none.load(32, 0.5)
    reference, ours = interleaved(lambda: rate(none.load(32)), lambda: rate(one.load(32)))
    row("executions/s with one journaled effect, 32 clients", f"{reference:,.0f}/s", f"{ours:,.0f}/s",
        f"{ours / reference:.2f} x >= 0.7 x", ours >= 0.7 * reference, "the reference has no effect")
    d.stop()


def stored(d, sql, *values):
    store = sqlite3.connect(f"file:{d.folder}/state/c9d.db?mode=ro", uri=True, timeout=30)
    try:
        return store.execute(sql, values).fetchone()[0]
    finally:
        store.close()


# Evicted: it runs, nobody has it, and it is not available yet.
ASLEEP = "SELECT COUNT(*) FROM agent_executions WHERE status = 'running' AND lease_owner IS NULL AND available_at > ?"


def asleep(d):
    return stored(d, ASLEEP, int(time.time() * 1e6))


def measure_resume():
    d = up(daemon(executions={"evict": "50ms"}, limits={"requests": 2000}))
    agent, fresh = d.api.lua_agent("thousand", THOUSAND)["id"], d.api.lua_agent("nothing", NOTHING)["id"]
    resumed, plain = [], []
    for _ in range(2 * ROUNDS + 1):
        execution = d.api.execute(agent, headers={"Prefer": "respond-async"}).json["executionId"]
        if not eventually(lambda: asleep(d) == 1, 30, 0.01):
            raise RuntimeError("it is not evicted")
        d.api.post(f"/v1/executions/{execution}/signals/go", {})
        if not eventually(lambda e=execution: d.api.get(f"/v1/executions/{e}").json["status"] == "completed", 30, 0.005):
            raise RuntimeError("it does not come back")
        resumed.append(stored(d, "SELECT e.completed_at - s.created_at FROM agent_executions e JOIN execution_signals s"
                                 " ON s.execution_id = e.id WHERE e.id = ?", execution) / 1000)
        plain.append(d.api.execute(fresh).json["executionTime"])
    reference, ours = statistics.median(plain), statistics.median(resumed)
    row("resume of an execution with 1,000 effects", f"{reference:.1f} ms", f"{ours:.1f} ms", f"{ours - reference:.1f} ms more <= 50 ms",
        ours - reference <= 50, f"from the signal that wakes it to its end; slowest {max(resumed):.1f} ms; the reference is a fresh execution")
    d.stop()


def own_pss(pid):
    return int(first_line(f"/proc/{pid}/smaps_rollup", r"\nPss: +([0-9]+) kB")) * 1024


def measure_evicted():
    count, at_once = 100_000, 1000
    d = up(daemon(executions={"evict": "1ms"}))
    target = execute_target(d, d.api.lua_agent("forever", FOREVER), headers=["Prefer: respond-async"])
    before, begin, taken = own_pss(d.process.pid), time.monotonic(), 0
    while taken < count:  # what is to be measured is what waits, not a crowd that comes
        taken += target.load(8, 60, at_once)["requests"]
        if not eventually(lambda n=taken: asleep(d) == n, 60, 0.05):
            raise RuntimeError(f"only {asleep(d):,} of {taken:,} are evicted")
    took = time.monotonic() - begin
    time.sleep(2)
    more = own_pss(d.process.pid) - before
    row(f"{count:,} evicted waiting executions: PSS of the daemon", "", f"{more / 2**20:.1f} MiB more", "<= 30 MB more",
        more <= 30e6, f"against none; they came {at_once:,} at a time within {took:.0f} s")
    d.kill()


def measure_recovery():
    count = 10_000
    d = up(daemon(model_default={"plugin": "fake", "delay": "120s", "concurrency": count}, executions={"running": count // 2}))
    waiting(d, count)
    moving = "SELECT COUNT(*) FROM agent_executions WHERE status IN ('pending', 'running') AND lease_owner <> ?"
    if not eventually(lambda: stored(d, moving, "") == count, 60, 0.2):
        raise RuntimeError("they do not all run or wait")
    former = stored(d, "SELECT MAX(lease_owner) FROM agent_executions")
    d.kill()
    begin = time.monotonic()
    d.start()
    if not eventually(lambda: stored(d, moving, former) == count, 60, 0.02):
        raise RuntimeError(f"only {stored(d, moving, former):,} move")
    took = time.monotonic() - begin
    row(f"recovery after kill -9 with {count:,} pending and running", "", f"{took:.2f} s", "<= 3 s", took <= 3,
        "from exec until all are in the new daemon's hands")
    d.kill()


GROUPS = {
    "executions": measure_executions, "waiting": measure_waiting, "read": measure_read, "lists": measure_lists, "access": measure_access,
    "schemas": measure_schemas,
    "memory": measure_memory, "start": measure_start, "lockdown": measure_lockdown, "density": measure_density,
    "hook": measure_hook, "bombs": measure_bombs,
    "schedules": measure_schedules, "streams": measure_streams,
    "journal": measure_journal, "resume": measure_resume, "evicted": measure_evicted, "recovery": measure_recovery,
}


def main():
    wanted = sys.argv[1:] or list(GROUPS)
    unknown = [g for g in wanted if g not in GROUPS]
    if unknown:
        sys.exit(f"bench: no group '{unknown[0]}'; there are: {' '.join(GROUPS)}")
    tempfile.tempdir = tempfile.mkdtemp(prefix="bench-", dir=BUILD)
    failed = False
    try:
        print_machine(tempfile.tempdir)
        for group in wanted:
            try:
                GROUPS[group]()
            except (RuntimeError, AssertionError, OSError, subprocess.TimeoutExpired) as e:
                failed = True
                row(group, "", "not measured", str(e).strip()[-200:], False)
        print_table()
    finally:
        shutil.rmtree(tempfile.tempdir, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
