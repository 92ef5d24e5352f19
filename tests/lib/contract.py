"""An outside judge between the tests and the daemon: a proxy that knows api/openapi.json and marks every
answer that is not as it says, and every request that the server took although it is not.
make contract-openapi puts its command into C9_CONTRACT."""
import json
import os
import socket
import subprocess
import time

PROXY = os.environ.get("C9_CONTRACT")
MARK = "sl-violations"


class Proxy:
    """In front of a daemon's port; its own port is `port`."""

    def __init__(self, document, port, log, **more):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [PROXY, "proxy", document, f"http://127.0.0.1:{port}", "-h", "127.0.0.1", "-p", str(self.port)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, **more)

    def wait(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"{PROXY} does not start")

    def stop(self):
        self.process.kill()
        self.process.wait()


def violations(status, headers):
    """What the judge says of an answer; [] when it is content. A request that is refused may be wrong."""
    return [f"{'.'.join(v['location'])}: {v['message']}" for v in json.loads(headers.get(MARK) or "[]")
            if v.get("severity") == "Error" and (v["location"][0] == "response" or status < 300)]
