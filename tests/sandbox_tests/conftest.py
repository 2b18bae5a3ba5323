"""Starts sandboxes on free ports and talks to them with the player's own little client."""

from __future__ import annotations

import importlib.util
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parent.parent
RUN = TESTS / "sandbox" / "run"
FRONTENDS = "--frontends"
SETUP = ("CREATE TABLE t (a INT PRIMARY KEY, b INT)", "INSERT INTO t VALUES (1, 10), (2, 20)")
VIEWS = "SELECT name, created_at IS NULL FROM rw_materialized_views ORDER BY 1"
PLAYER = TESTS / "transcripts" / "play.py"


def _load_player():
    spec = importlib.util.spec_from_file_location("play", PLAYER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


play = _load_player()


class Client:
    """One connection; `query` returns the messages up to ReadyForQuery."""

    def __init__(self, port: int, user: str = "root") -> None:
        self.conn = play.Conn("127.0.0.1", port, {"user": user, "database": "dev"})
        self.conn.startup()
        self.greeting = self.read()

    def read(self, timeout: float = 60) -> list[tuple]:
        out = []
        while True:
            message = self.conn.recv(timeout)
            assert message is not None, "no answer"
            out.append(message)
            if message[0] in ("ReadyForQuery", "Closed"):
                return out

    def send(self, name: str, argument=None) -> None:
        self.conn.send(*play.encode(name, argument))

    def query(self, sql: str) -> list[tuple]:
        self.send("Query", sql)
        return self.read()

    def rows(self, sql: str) -> list[list]:
        answer = self.query(sql)
        assert not [message for message in answer if message[0] == "ErrorResponse"], answer
        return [values for name, values in answer if name == "DataRow"]

    def do(self, *statements: str) -> None:
        for sql in statements:
            self.rows(sql)

    def error(self, sql: str) -> dict:
        found = [values for name, values in self.query(sql) if name == "ErrorResponse"]
        assert found, f"no error for {sql}"
        return found[0]


class Sandbox:
    def __init__(self, *switches: str) -> None:
        self.process = subprocess.Popen(
            [str(RUN), "--port", "0", *switches],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        frontends = int(switches[switches.index(FRONTENDS) + 1]) if FRONTENDS in switches else 1
        self.ports = [self._port() for _ in range(frontends)]
        self.port = self.ports[0]

    def _port(self) -> int:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:"), line
        return int(line.rpartition(":")[2])

    def client(self, user: str = "root", frontend: int = 0) -> Client:
        return Client(self.ports[frontend], user)

    def connection(self, user: str = "root", **parameters: str) -> Any:
        """A connection that has not sent its start-up packet yet."""
        return play.Conn("127.0.0.1", self.port, {"user": user, **parameters})

    def cancel(self, key: bytes, frontend: int = 0) -> None:
        """A CancelRequest; returns when the server has closed its connection."""
        conn = play.Conn("127.0.0.1", self.ports[frontend], {})
        conn.sock.sendall(struct.pack(">ii", 16, 80877102) + key)
        assert conn.sock.recv(1) == b""
        conn.sock.close()

    def stop(self) -> tuple[int, str]:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, complaints = self.process.communicate(timeout=60)
        return self.process.returncode, complaints

    def died(self) -> tuple[int, str]:
        """Waits for a death that nobody asked for."""
        _, complaints = self.process.communicate(timeout=60)
        return self.process.returncode, complaints


@pytest.fixture
def start() -> Iterator[Callable[..., Sandbox]]:
    running: list[Sandbox] = []

    def one(*switches: str) -> Sandbox:
        running.append(Sandbox(*switches))
        return running[-1]

    yield one
    for sandbox in running:
        sandbox.stop()


def is_running(watcher: Client, word: str) -> bool:
    """Does another session execute a statement with this word?"""
    texts = [row[-1] or "" for row in watcher.rows("SHOW PROCESSLIST")]
    return any(word in text and "PROCESSLIST" not in text for text in texts)


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)
