#!/usr/bin/python3
"""c9ctl apply and export: files to the server and back."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, SLOW, Daemon, contains, equal, note, ok, run  # noqa: E402

daemon = Daemon()
other = Daemon()
HOME = daemon.folder + "/home"
os.mkdir(HOME)
DONE, FAILED, USAGE, DIFFERS = 0, 1, 2, 5


def ctl(*words, server=daemon):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("C9CTL_", "XDG_"))}
    env.update({"HOME": HOME, "C9CTL_URL": f"http://{server.host}:{server.port}", "C9CTL_TOKEN": server.token})
    return subprocess.run([f"{BUILD}/c9ctl", *words], capture_output=True, text=True, cwd=HOME, env=env,
                          timeout=60 * SLOW, check=False)


def exits(want, name, *words, server=daemon):
    done = ctl(*words, server=server)
    if not ok(done.returncode == want, name):
        note(f"{words}: exit {done.returncode}, not {want}\n{done.stdout}\n{done.stderr}")
    return done


def write(path, value):
    os.makedirs(os.path.dirname(f"{HOME}/{path}"), exist_ok=True)
    with open(f"{HOME}/{path}", "w", encoding="utf-8") as f:
        f.write(value if isinstance(value, str) else json.dumps(value))


def read(path):
    with open(f"{HOME}/{path}", encoding="utf-8") as f:
        return f.read()


def lua(name, answer, more=""):
    return f'return {{ name = "{name}", version = "1.0.0", {more}\n  run = function() return "{answer}" end }}\n'


AGENT = {"name": "greeter / ü", "skillset": ["greet", "extra"], "persona": "Editor, the second",
         "executionConfig": {"entrypoint": "greet"}, "metadata": {"nothing": None, "a~/b": [1, 2.5]},
         "inputSchema": {"type": "object", "properties": {"a": {"default": None}}}}


def folder(name="stack", **agent):
    write(f"{name}/skills/greet.lua", lua("greet", "hello"))
    write(f"{name}/skills/extra.lua", lua("extra", "more"))
    write(f"{name}/skills/README.md", "left alone")
    write(f"{name}/personas/editor.json", {"name": "Editor, the second", "promptFile": "editor.txt", "description": "d"})
    write(f"{name}/personas/editor.txt", "You are terse.\nAlways.\n")
    write(f"{name}/agents/greeter.json", {**AGENT, **agent})


def test_a_folder_is_applied():
    folder(version="1.0.0", changelog="first")
    done = exits(DIFFERS, "--dry-run of what is new exits with 5", "apply", "-f", "stack", "--dry-run")
    for line in ("+ skill greet\n", "+ skill extra\n", "+ persona Editor, the second\n", "+ agent greeter / ü\n",
                 "+ version greeter / ü 1.0.0 is published\n"):
        contains(done.stdout, line, "it shows what would be made")
    order = [done.stdout.index(w) for w in ("skill", "persona", "+ agent", "version")]
    equal(order, sorted(order), "skills, personas, agents, versions")
    equal(daemon.api.get("/v1/agents").json["items"], [], "nothing is changed")
    done = exits(DONE, "then it is applied", "apply", "-f", "stack", "--yes")
    contains(done.stderr, "5 changes are done", "and says so")
    agent = daemon.api.get("/v1/agents").json["items"][0]
    equal((agent["name"], agent["status"], agent["currentVersion"], agent["metadata"]),
          (AGENT["name"], "published", "1.0.0", AGENT["metadata"]), "the agent is there, and published")
    equal(daemon.api.execute(agent["id"], {}).json["output"], "hello", "it runs")
    done = exits(DONE, "applied again", "apply", "-f", "stack", "--yes")
    contains(done.stderr, "nothing to change", "there is nothing to change")
    equal(daemon.api.get("/v1/agents").json["items"][0], agent, "and nothing is")
    exits(DONE, "--dry-run of no difference exits with 0", "apply", "-f", "stack", "--dry-run")


def test_only_differences_are_applied():
    write("stack/personas/editor.txt", "You are kind.\nAlways.\n")
    done = exits(FAILED, "a published version does not change", "apply", "-f", "stack", "--yes")
    contains(done.stderr, "version 1.0.0 is published and differs from the files: the persona", "it says why")
    equal(daemon.api.get("/v1/personas").json["items"][0]["prompt"], "You are terse.\nAlways.\n", "nothing is changed")
    folder(version="1.1.0", description="new", metadata={})
    write("stack/personas/editor.txt", "You are kind.\nAlways.\n")
    write("stack/skills/extra.lua", lua("extra", "even more"))
    done = exits(DIFFERS, "with another version it can be", "apply", "-f", "stack", "--dry-run", "--json")
    changes = [(c["kind"], c["change"]) for c in json.loads(done.stdout)["changes"]]
    equal(changes, [("skill", "update"), ("persona", "update"), ("agent", "update"), ("version", "create")],
          "of each kind one")
    done = exits(DONE, "it is", "apply", "-f", "stack", "--yes")
    for part in ("-You are terse.\n+You are kind.\n", '+  run = function() return "even more" end', "/description",
                 "/metadata/nothing"):
        contains(done.stdout, part, "the difference is shown")
    agent = daemon.api.get("/v1/agents").json["items"][0]
    equal((agent["description"], agent["metadata"], agent["currentVersion"]), ("new", {}, "1.1.0"), "all is new")


def test_mistakes_change_nothing():
    before = daemon.api.get("/v1/agents").json
    for file, value, code, part in (
            ("agents/bad.json", '{"name": }', USAGE, "bad.json"),
            ("agents/bad.json", {"name": "x", "skilset": []}, USAGE, "did you mean 'skillset'"),
            ("agents/bad.json", {"skillset": []}, USAGE, "/name"),
            ("agents/bad.json", {"name": AGENT["name"]}, USAGE, "greeter.json"),
            ("agents/bad.json", {"name": "x", "persona": "nobody"}, FAILED, "there is no persona 'nobody'"),
            ("personas/bad.json", {"name": "x"}, USAGE, "/promptFile"),
            ("personas/bad.json", {"name": "x", "promptFile": "../agents/greeter.json"}, USAGE, "beside it"),
            ("personas/bad.json", {"name": "x", "promptFile": "none.txt"}, USAGE, "none.txt")):
        folder("wrong", version="1.1.0", description="new", metadata={})
        write(f"wrong/{file}", value)
        done = exits(code, f"{file} with {value} is refused", "apply", "-f", "wrong", "--yes")
        contains(done.stderr, part, "by its name")
        os.unlink(f"{HOME}/wrong/{file}")
    exits(USAGE, "a folder that is none", "apply", "-f", "nowhere", "--yes")
    folder("named", description="other")
    write("named/skills/liar.lua", lua("somebody", "else"))
    done = exits(FAILED, "a skill has the name of its file", "apply", "-f", "named", "--yes")
    contains(done.stderr, "is called 'somebody'", "or is told so")
    contains(done.stderr, "changes are done", "with how far it came")
    equal(daemon.api.get("/v1/agents").json, before, "no agent was changed")


def test_export_and_apply_are_a_round_trip():
    exits(DONE, "the server is brought back to the files", "apply", "-f", "stack", "--yes")
    exits(DONE, "everything is exported", "export", "out")
    config = json.loads(read("out/agents/greeter%20%2F%20ü.json"))
    equal((config["persona"], config["version"], "personaId" in config), (AGENT["persona"], "1.1.0", False),
          "an agent names its persona, and the version that it runs")
    equal(read("out/personas/Editor%2C%20the%20second.txt"), "You are kind.\nAlways.\n",
          "a long prompt is a file of its own")
    done = exits(DONE, "applied where it came from, it changes nothing", "apply", "-f", "out", "--dry-run")
    contains(done.stderr, "nothing to change", "it says so")
    exits(DONE, "applied elsewhere", "apply", "-f", "out", "--yes", server=other)
    done = exits(DONE, "nothing is left to do", "apply", "-f", "out", "--dry-run", server=other)
    exits(DONE, "and exported from there", "export", "again", server=other)
    same = subprocess.run(["diff", "-r", f"{HOME}/out", f"{HOME}/again"], capture_output=True, text=True, check=False)
    equal(same.stdout, "", "it is the same, byte for byte")
    agent = other.api.get("/v1/agents").json["items"][0]
    equal(other.api.execute(agent["id"], {}).json["output"], "hello", "and runs there")
    exits(FAILED, "what is there is not written over", "export", "out")
    exits(DONE, "unless it is forced", "export", "out", "--force")


CHAIN = {"name": "tour", "description": "there and back",
         "chainConfig": {"steps": [{"id": "a", "agentId": "greeter / ü", "version": "^1.1", "inputMapping": {"a": "=1"}},
                                   {"id": "b", "agentId": "a part", "onError": {"strategy": "continue"}}]}}


def test_chains():
    write("stack/chains/a.json", CHAIN)
    write("stack/chains/b.json", {"name": "a part", "chainConfig": {"steps": [{"id": "x", "agentId": "greeter / ü"}]}})
    done = exits(DIFFERS, "chains are planned", "apply", "-f", "stack", "--dry-run")
    contains(done.stdout, "+ chain a part\n+ chain tour\n", "each behind those that it executes")
    exits(DONE, "and made", "apply", "-f", "stack", "--yes")
    made = daemon.api.get("/v1/chains?name=tour").json["items"][0]
    equal(made["chainConfig"], CHAIN["chainConfig"], "as the file says")
    exits(DONE, "then there is no difference", "apply", "-f", "stack", "--dry-run")
    write("stack/chains/a.json", {"name": "tour", "status": "deprecated", "chainConfig": {
        "timeout": 9000, "steps": CHAIN["chainConfig"]["steps"][:1]}})
    done = exits(DONE, "what differs is changed", "apply", "-f", "stack", "--yes")
    for part in ("/description", "/status", "/chainConfig/timeout"):
        contains(done.stdout, part, "and shown")
    made = daemon.api.get(f"/v1/chains/{made['id']}").json
    equal((made.get("description"), made["status"], made["chainConfig"]["timeout"], len(made["chainConfig"]["steps"])),
          (None, "deprecated", 9000, 1), "what the file does not have is taken away")
    agent = daemon.api.get("/v1/agents?name=greeter%20%2F%20%C3%BC").json["items"][0]["id"]
    daemon.api.patch(f"/v1/chains/{made['id']}", {"chainConfig": {"steps": [{"id": "a", "agentId": agent}]}})
    exits(DONE, "they are exported", "export", "with-chains")
    equal(json.loads(read("with-chains/chains/tour.json"))["chainConfig"]["steps"][0]["agentId"], "greeter / ü",
          "with their agents by name")
    write("stack/chains/a.json", {"name": "tour", "chainConfg": {}})
    done = exits(USAGE, "a mistake changes nothing", "apply", "-f", "stack", "--yes")
    contains(done.stderr, "did you mean 'chainConfig'", "and is named")
    os.remove(f"{HOME}/stack/chains/a.json")


def test_export_of_one_agent():
    daemon.api.lua_agent("alone", lua("lonely", "one"))
    agent = daemon.api.get("/v1/agents?name=alone").json["items"][0]
    daemon.api.patch(f"/v1/agents/{agent['id']}", {"description": "changed since"})
    done = exits(DONE, "one agent is exported", "export", "one", "alone")
    contains(done.stderr, "changed since version 1.0.0", "that it was changed is said")
    equal(sorted(os.listdir(f"{HOME}/one/skills")), ["lonely.lua"], "with the skills that it needs")
    equal(os.listdir(f"{HOME}/one/personas"), [], "and no other")
    ok("version" not in json.loads(read("one/agents/alone.json")), "without a version that is another")
    exits(DONE, "it applies without a difference", "apply", "-f", "one", "--dry-run")
    equal(ctl("export", "none", "nobody").returncode, FAILED, "an unknown agent fails")
    ok(not os.path.exists(f"{HOME}/none"), "and makes nothing")


run(globals(), daemon, other)
