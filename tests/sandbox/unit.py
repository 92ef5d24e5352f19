#!/usr/bin/python3
"""The sandbox inside packaging/c9d.service, without systemd: what the unit asks for is done to a child here, and in it
strict mode holds, check-sandbox's attempts are denied and a daemon executes. Needs root, as systemd has it.

Done as systemd does: mounts (ProtectSystem=strict, ProtectHome=, PrivateTmp=, PrivateDevices=, ProtectKernelTunables=,
ProtectKernelModules=), user without any capability, bounding set, no new privileges, and the system calls
(SystemCallFilter=, SystemCallArchitectures=, RestrictAddressFamilies=, RestrictSUIDSGID=, LockPersonality=). What
systemd's groups of calls hold is recorded in tests/data/systemd. A setting of the unit that is not known here fails."""
import ctypes
import json
import os
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import ROOT, SANITIZED, SLOW, Daemon, equal, note, ok, run  # noqa: E402

libc = ctypes.CDLL(None, use_errno=True)
NOBODY = 65534
CLONE_NEWNS = 0x20000
MS_RDONLY, MS_BIND, MS_REC, MS_SLAVE = 1, 4096, 16384, 1 << 19
MOUNT_SETATTR, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, 0x8000, 1
SECCOMP_KILL, SECCOMP_ERRNO, SECCOMP_ALLOW = 0x80000000, 0x00050000, 0x7fff0000
EPERM, EAFNOSUPPORT = 1, 97
ARCHES = {"x86_64": 0xc000003e, "aarch64": 0xc00000b7}
# Settings that need nothing to be done here: about systemd's own work, or what an ordinary user cannot do anyway.
NOTHING = {"ExecStart", "ExecReload", "Restart", "RestartSec", "TimeoutStopSec", "User", "Group", "StateDirectory",
           "StateDirectoryMode", "ConfigurationDirectory", "LimitNOFILE", "TasksMax", "Delegate", "ProtectClock",
           "ProtectKernelLogs", "RestrictRealtime"}


def unit_settings():
    with open(os.path.join(ROOT, "packaging", "c9d.service"), encoding="utf-8") as f:
        service = f.read().split("[Service]")[1].split("[Install]")[0]
    return dict(re.findall(r"^(\w+)=(.*)$", service, re.MULTILINE))


def syscall_numbers():
    with open(os.path.join(ROOT, "build", "walls", "wire", "generated", "syscalls.inc"), encoding="utf-8") as f:
        return {name: int(n) for n, name in re.findall(r'\[(\d+)\] = "(\w+)"', f.read())}


def syscall_groups():
    with open(os.path.join(ROOT, "tests", "data", "systemd", "syscall-filter"), encoding="utf-8") as f:
        parts = re.split(r"^(@\S+)$", f.read(), flags=re.MULTILINE)
    return {name: text.split() for name, text in zip(parts[1::2], parts[2::2])}


UNIT, NUMBERS, GROUPS = unit_settings(), syscall_numbers(), syscall_groups()


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(source, target, kind=None, flags=0, data=None):
    check(libc.mount(*(x.encode() if isinstance(x, str) else x for x in (source, target, kind)),
                     ctypes.c_ulong(flags), data.encode() if data else None))


def read_only(path, yes, recursive=True):
    attr = struct.pack("=QQQQ", MOUNT_ATTR_RDONLY if yes else 0, 0 if yes else MOUNT_ATTR_RDONLY, 0, 0)
    check(libc.syscall(MOUNT_SETATTR, -100, path.encode(), AT_RECURSIVE if recursive else 0, attr, len(attr)))


def again(path):
    """Makes a mount of a folder, to be changed on its own."""
    mount(path, path, None, MS_BIND | MS_REC)


def hide(path):
    if os.path.isdir(path):
        mount("tmpfs", path, "tmpfs", 0, "mode=000,size=4k")


def do_private_tmp(_, folder):
    """The test's own folder, which stands for StateDirectory=, is kept."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for path in ("/tmp", "/var/tmp"):
        mount("tmpfs", path, "tmpfs", 0, "mode=1777")
    os.makedirs(folder, exist_ok=True)
    mount(f"/proc/self/fd/{fd}", folder, None, MS_BIND)
    os.close(fd)


def do_private_devices(_, __):
    names = ("null", "zero", "full", "random", "urandom", "tty")
    fds = {name: os.open(f"/dev/{name}", os.O_PATH) for name in names if os.path.exists(f"/dev/{name}")}
    mount("tmpfs", "/dev", "tmpfs", 0, "mode=755,size=64k")
    for name, fd in fds.items():
        open(f"/dev/{name}", "wb").close()
        mount(f"/proc/self/fd/{fd}", f"/dev/{name}", None, MS_BIND)
        os.close(fd)


def do_protect_home(_, __):
    for path in ("/home", "/root", "/run/user"):
        hide(path)


def do_protect_tunables(_, __):
    for path in ("/proc/sys", "/sys"):
        again(path)
        read_only(path, True)


def do_protect_modules(_, __):
    hide("/usr/lib/modules")


def do_protect_system(_, folder):
    read_only("/", True)
    for path in ("/proc", "/dev", folder, "/tmp", "/var/tmp"):
        read_only(path, False)


def do_bounding_set(value, __):
    assert value == "", "the unit has capabilities, this test knows none"
    for cap in range(64):
        libc.prctl(24, cap, 0, 0, 0)  # PR_CAPBSET_DROP; EINVAL beyond the last


def do_no_new_privileges(_, __):
    check(libc.prctl(38, 1, 0, 0, 0))


# ---- system calls ----

def bpf(code, k, jt=0, jf=0):
    return struct.pack("=HBBI", code, jt, jf, k)


def load(offset):
    return bpf(0x20, offset)


def seccomp(body):
    """body is for the native architecture; any other is killed (SystemCallArchitectures=native)."""
    code = load(4) + bpf(0x15, ARCHES[os.uname().machine], 1, 0) + bpf(0x06, SECCOMP_KILL) + load(0) + body
    text = ctypes.create_string_buffer(code, len(code))
    check(libc.prctl(22, 2, struct.pack("@HP", len(code) // 8, ctypes.addressof(text)), 0, 0))


def seccomp_refuse(names, error, before=b""):
    for name in names:
        if name in NUMBERS:
            seccomp(bpf(0x15, NUMBERS[name], 0, (len(before) // 8) + 1) + before + bpf(0x06, SECCOMP_ERRNO | error) +
                    bpf(0x06, SECCOMP_ALLOW))


def do_architectures(value, __):
    assert value == "native"
    seccomp(bpf(0x06, SECCOMP_ALLOW))


def do_personality(_, __):
    seccomp_refuse(["personality"], EPERM)


def do_hostname(_, __):
    seccomp_refuse(["sethostname", "setdomainname"], EPERM)


def do_suid(_, __):
    for name, argument in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1), ("mkdirat", 2), ("creat", 1)):
        seccomp_refuse([name], EPERM, load(16 + 8 * argument) + bpf(0x45, 0o6000, 1, 0) + bpf(0x06, SECCOMP_ALLOW))


def do_address_families(value, __):
    families = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
    allow = b"".join(bpf(0x15, families[word], 0, 1) + bpf(0x06, SECCOMP_ALLOW) for word in value.split())
    seccomp_refuse(["socket"], EAFNOSUPPORT, load(16) + allow)


def do_call_filter(value, __):
    names = [name for word in value.split() for name in GROUPS.get(word, [word])]
    numbers = sorted({NUMBERS[name] for name in names if name in NUMBERS})
    seccomp(b"".join(bpf(0x15, n, 0, 1) + bpf(0x06, SECCOMP_ALLOW) for n in numbers) + bpf(0x06, SECCOMP_KILL))


MOUNTS = {"PrivateTmp": do_private_tmp, "ProtectHome": do_protect_home, "PrivateDevices": do_private_devices,
          "ProtectKernelTunables": do_protect_tunables, "ProtectKernelModules": do_protect_modules,
          "ProtectSystem": do_protect_system}
PRIVILEGES = {"CapabilityBoundingSet": do_bounding_set, "NoNewPrivileges": do_no_new_privileges}
CALLS = {"RestrictAddressFamilies": do_address_families, "RestrictSUIDSGID": do_suid,
         "LockPersonality": do_personality, "ProtectHostname": do_hostname,
         "SystemCallArchitectures": do_architectures, "SystemCallFilter": do_call_filter}


def in_unit(folder):
    """For a child, before exec: as systemd starts it. The user is changed in between, by the caller."""
    def before():
        check(libc.unshare(CLONE_NEWNS))
        mount(None, "/", None, MS_REC | MS_SLAVE)
        for table in (MOUNTS, PRIVILEGES):
            for name, do in table.items():
                if name in UNIT:
                    do(UNIT[name], folder)
        os.chdir("/")

    def after():
        for name, do in CALLS.items():
            if name in UNIT:
                do(UNIT[name], folder)
    return before, after


class UnitDaemon(Daemon):
    def _become(self):
        before, after = in_unit(self.folder)
        before()
        super()._become()
        after()


def test_settings_are_known():
    unknown = set(UNIT) - NOTHING - set(MOUNTS) - set(PRIVILEGES) - set(CALLS)
    equal(unknown, set(), "every setting of the unit is emulated here, or needs nothing")
    for name in ("ProtectSystem", "NoNewPrivileges", "SystemCallFilter", "CapabilityBoundingSet"):
        ok(name in UNIT, f"the unit has {name}")


def test_in_the_unit():
    if os.geteuid() != 0:
        ok(True, "in the unit # SKIP needs root")
        return
    if SANITIZED:
        ok(True, "in the unit # SKIP sanitizers need more of the kernel than the unit gives")
        return
    daemon = UnitDaemon({"sandbox": {"mode": "strict"}}, user=NOBODY)
    done = subprocess.run([f"{daemon.build}/c9d", "check-sandbox", "-c", daemon.file, "--json"],
                          preexec_fn=daemon._become, capture_output=True, text=True, timeout=60 * SLOW, check=False)
    said = json.loads(done.stdout or "{}")
    if not ok(done.returncode == 0 and said.get("holds"), "strict mode holds in the unit"):
        note(done.stderr)
        note([layer for layer in said.get("layers", []) if layer["state"] == "off"])
    equal([a for a in said.get("attempts", [1]) if not a["denied"]], [], "and every attempt is denied")
    with open(f"/proc/{daemon.process.pid}/status", encoding="utf-8") as f:
        status = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
    equal((status["CapBnd"], status["NoNewPrivs"], status["Seccomp"]), ("0" * 16, "1", "2"),
          "the daemon runs without capabilities, without new privileges, under a filter")
    agent = daemon.api.lua_agent("in-unit", 'return { name = "in-unit", version = "1.0.0", run = function(n) '
                                 "c9.log.info('here') return n * 2 end }")["id"]
    equal(daemon.api.execute(agent, 21).json.get("output"), 42, "an execution completes")
    equal(daemon.stop(), 0, "and the daemon stops")


run(globals())
