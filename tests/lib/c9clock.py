"""A daemon whose wall clock the test sets (tests/shims/clock.c)."""
import mmap
import os
import struct
import tempfile
import time

from c9test import BUILD, Daemon


class Clock:
    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="c9-clock-")
        self.file.write(bytes(8))
        self.file.flush()
        self.memory = mmap.mmap(self.file.fileno(), 8)
        self.ahead = 0.0
        self.env = {"C9_CLOCK": self.file.name, "LD_PRELOAD": f"{BUILD}/tests/shims/clock.so",
                    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def now(self):
        return time.time() + self.ahead

    def shift(self, seconds):
        """Seconds forward or back from what it shows now."""
        self.ahead += seconds
        self.memory[:] = struct.pack("=q", int(self.ahead * 1e9))

    def set(self, to):
        self.shift(to - self.now())

    def before_minute(self, seconds):
        """To this long before the next full minute."""
        now = self.now()
        self.set(now - now % 60 + 120 - seconds)


def daemon_with_clock(config=None):
    clock = Clock()
    return Daemon(config, env=clock.env), clock
