"""Real processes for the end-to-end tests and the demonstration: the sandbox and the proxy.

Each is started on a free loopback port, ends by its own process id when its `with` block ends, and
keeps what it wrote. MVSWAP_BINARY names another build of the proxy.
"""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("MVSWAP_BINARY", str(ROOT / "build" / "release" / "mvswap"))
READY_SECONDS = 60
PATIENCE = 60  # what never comes is given up: costs time only when something is wrong


class Process:
    """A child that says on one of its streams where it listens."""

    ready_pattern = ""

    def __init__(self, command: list[str]):
        self.lines: list[str] = []
        self.port = 0
        self._ready = threading.Event()
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      text=True, errors="replace")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(READY_SECONDS) or not self.port:
            self.child.kill()
            raise RuntimeError(f"{command[0]} did not start: {self.output()}")

    def _read(self) -> None:
        for line in self.child.stdout:
            self.lines.append(line)
            found = re.search(self.ready_pattern, line)
            if found and not self.port:
                self.port = int(found.group(1))
                self._ready.set()
        self._ready.set()

    def output(self) -> str:
        return "".join(self.lines)

    def signal(self, number: int) -> None:
        self.child.send_signal(number)

    def wait(self, seconds: float) -> int:
        """The exit status; raises when it takes longer. All output has been read by then."""
        status = self.child.wait(seconds)
        self._reader.join(seconds)
        return status

    def stop(self) -> None:
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self._reader.join(PATIENCE)
        self.child.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Sandbox(Process):
    ready_pattern = r"listening on \S*:(\d+)"

    def __init__(self, *switches: str, port: int = 0):
        self._log = tempfile.NamedTemporaryFile(prefix="mvswap-sandbox-", suffix=".log")
        super().__init__([str(ROOT / "tests" / "sandbox" / "run"), "--port", str(port),
                          "--log", self._log.name, *switches])

    def statements(self) -> list[str]:
        """What the server was sent, oldest first (tab-separated log, text is the fourth field)."""
        with open(self._log.name, encoding="utf-8") as log:
            return [line.rstrip("\n").split("\t", 3)[-1] for line in log]

    def __exit__(self, *_):
        super().__exit__()
        self._log.close()


class Proxy(Process):
    ready_pattern = r"event=listening address=\S*:(\d+)"

    def __init__(self, server_port: int, *flags: str, listen: str = "127.0.0.1:0"):
        super().__init__([BINARY, "proxy", "--listen", listen,
                          "--server", f"127.0.0.1:{server_port}", *flags])

    def end(self, seconds: float = PATIENCE) -> int:
        """SIGTERM, then the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)


def eventually(what, seconds: float = PATIENCE, every: float = 0.02):
    """Waits until `what()` is true and returns its value; the last value when time is over."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(every)
