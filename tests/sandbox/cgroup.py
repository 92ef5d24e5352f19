#!/usr/bin/python3
"""Where c9d's cgroup is delegated, each executor has one of its own, bounded where the kernel gives the controllers; and
nothing is left behind. Needs root, to delegate; as systemd does (root's service) and to an ordinary user."""
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import BUILD, SLOW, Daemon, contains, equal, eventually, note, ok, run  # noqa: E402

NOBODY = 65534


def mount_point():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        found = re.search(r"^\S+ \S+ \S+ / (\S+) .* - cgroup2 ", f.read(), re.MULTILINE)
    return found and found.group(1)


def delegate(user):
    """A folder like that of a service with Delegate=yes."""
    path = f"{mount_point()}/c9d-test-{os.getpid()}-{user or 0}"
    os.mkdir(path)
    if user is None:
        os.setxattr(path, "user.delegate", b"1")
    else:
        for name in ("", "/cgroup.procs", "/cgroup.subtree_control"):
            os.chown(path + name, user, user)
    return path


def remove(path):
    """Deepest first; a cgroup cannot be removed before its last process is gone."""
    for folder in sorted(glob.glob(f"{path}/**/", recursive=True) + [path], key=len, reverse=True):
        eventually(lambda: not os.path.isdir(folder) or try_rmdir(folder), 5, 0.05)


def try_rmdir(folder):
    try:
        os.rmdir(folder)
        return True
    except OSError:
        return False


class Delegated(Daemon):
    def _become(self):
        with open(f"{self.config_cgroup}/cgroup.procs", "w", encoding="utf-8") as f:
            f.write(str(os.getpid()))
        super()._become()


def cgroup_of(pid):
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as f:
        return re.search(r"^0::(.*)$", f.read(), re.MULTILINE).group(1)


def below(path, name="cgroup.procs"):
    """{folder: its processes} of all that are below path and have any."""
    found = {}
    for file in glob.glob(f"{path}/**/{name}", recursive=True):
        try:
            with open(file, encoding="utf-8") as f:
                pids = f.read().split()
        except OSError:
            continue  # it went meanwhile
        if pids:
            found[os.path.relpath(os.path.dirname(file), path)] = [int(p) for p in pids]
    return found


def delegated(user, who):
    path = delegate(user)
    Delegated.config_cgroup = path
    try:
        daemon = Delegated(user=user)
        sleeper = daemon.api.lua_agent("sleeper", 'return { name = "sleeper", version = "1.0.0", run = function(s) '
                                       'c9.sleep(s) return 1 end }', executionConfig={"limits": {"memoryMb": 32}})["id"]
        answers = [daemon.api.execute(sleeper, 2, {"Prefer": "respond-async"}) for _ in range(10)]
        eventually(lambda: len(below(path)) >= 12, 10 * SLOW)
        places = below(path)
        leaves = {k: v for k, v in places.items() if re.fullmatch(r"executors\.\d+/\d+", k)}
        equal(places.get("supervisor"), [daemon.process.pid], f"{who}: the supervisor has moved to a place of its own")
        ok(len(places.get("executors.1/zygote", [])) in (1, 2), f"{who}: the zygote has one")
        ok(len(leaves) >= 10 and all(len(v) == 1 for v in leaves.values()),
           f"{who}: each executor has one, {len(leaves)} of them")
        controllers = open(f"{path}/cgroup.subtree_control", encoding="utf-8").read().split()
        note(f"controllers here: {controllers or 'none'}")
        leaf = f"{path}/{next(iter(leaves), 'executors.1/0')}"
        if "pids" in controllers:
            equal(open(f"{leaf}/pids.max", encoding="utf-8").read().strip(), "1", f"{who}: no second process in it")
        if "memory" in controllers:
            bounds = {open(f"{path}/{k}/memory.max", encoding="utf-8").read().strip() for k in leaves}
            ok(str((2 * 32 + 24) << 20) in bounds, f"{who}: its memory is bounded by the execution's limit: {bounds}")
        for answer in answers:
            eventually(lambda at=answer.headers["Location"]: daemon.api.get(at).json["status"] == "completed", 20 * SLOW)
        equal({daemon.api.get(a.headers["Location"]).json["status"] for a in answers}, {"completed"},
              f"{who}: all complete")
        before = len(glob.glob(f"{path}/executors.1/*/"))
        for _ in range(30):
            daemon.api.execute(sleeper, 0)
        equal(len(glob.glob(f"{path}/executors.1/*/")), before, f"{who}: those that ended are used again")
        zygote = below(path)["executors.1/zygote"]
        os.kill(zygote[0], 9)
        ok(eventually(lambda: "executors.2/zygote" in below(path), 20 * SLOW), f"{who}: a new zygote has a new one")
        ok(eventually(lambda: not os.path.isdir(f"{path}/executors.1"), 10 * SLOW), f"{who}: the old one is gone")
        equal(daemon.stop(), 0, f"{who}: the daemon stops")
        equal([os.path.relpath(p, path) for p in glob.glob(f"{path}/*/")], [], f"{who}: and leaves no cgroup behind")
    finally:
        remove(path)


def test_told():
    done = subprocess.run([f"{BUILD}/c9d", "check-sandbox", "-c", Daemon(start=False).file], capture_output=True, text=True,
                          timeout=60 * SLOW, check=False)  # its status is another test's
    contains(done.stdout, "cgroup ", "check-sandbox tells whether executors have cgroups")


def test_as_root():
    if os.geteuid() != 0 or not mount_point():
        ok(True, "delegated to root # SKIP needs root and cgroups of version 2")
        return
    delegated(None, "root")


def test_as_an_ordinary_user():
    if os.geteuid() != 0 or not mount_point():
        ok(True, "delegated to a user # SKIP needs root and cgroups of version 2")
        return
    delegated(NOBODY, "uid 65534")


run(globals())
