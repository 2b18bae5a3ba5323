"""A PostgreSQL 15 of its own for tests in which volume or the protocol's far corners matter.

It lives in a temporary directory on a free loopback port and ends by its own process id. User
`root` needs no password; USERS lists those that log in by a method with PASSWORD.
"""

import contextlib
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import tempfile
import time

import psycopg

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
PASSWORD = "open sesame"
USERS = {"scram_user": "scram-sha-256", "md5_user": "md5", "clear_user": "password"}
START_SECONDS = 60
SETTINGS = {
    "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
    "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "32MB",
    "max_connections": "300", "autovacuum": "off", "timezone": "UTC", "log_timezone": "UTC",
}


def _unprivileged() -> dict:
    """PostgreSQL refuses to run as root: then its package's own user runs it."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Postgres:
    """A running server: `port`, and what a direct connection tells of its sessions."""

    def __init__(self, folder: str):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self._identity = _unprivileged()
        if self._identity:
            os.chown(folder, self._identity["user"], self._identity["group"])
        self._initialize()
        self._log = open(self.folder / "log", "wb")
        self.child = self._start()
        try:
            self._create_users()
        except BaseException:
            self.stop()
            raise

    def _run(self, *command) -> None:
        done = subprocess.run([str(part) for part in command], cwd=self.folder, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **self._identity)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stdout}")

    def _initialize(self) -> None:
        self._run(BIN / "initdb", "-D", self.data, "-U", "root", "-E", "UTF8", "--locale=C",
                  "--auth=trust", "--no-sync", "--no-instructions")
        lines = [f"host all {user} 127.0.0.1/32 {method}" for user, method in USERS.items()]
        lines.append("host all root 127.0.0.1/32 trust")
        (self.data / "pg_hba.conf").write_text("\n".join(lines) + "\n", encoding="ascii")

    def _start(self) -> subprocess.Popen:
        """Another process may take the free port in between: then the next one is tried."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            self.port = _free_port()
            settings = [part for item in SETTINGS.items() for part in ("-c", "%s=%s" % item)]
            child = subprocess.Popen(
                [str(BIN / "postgres"), "-D", str(self.data), "-p", str(self.port), *settings],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
                **self._identity)
            while child.poll() is None and time.monotonic() < end:
                with contextlib.suppress(psycopg.OperationalError):
                    self.connect(dbname="postgres").close()
                    return child
                time.sleep(0.05)
            child.kill()
            child.wait()
        raise RuntimeError(f"PostgreSQL did not start: {self.log()}")

    def _create_users(self) -> None:
        with self.connect(dbname="postgres") as conn:
            conn.execute("CREATE DATABASE dev")
            for user, method in USERS.items():
                kind = "md5" if method == "md5" else "scram-sha-256"
                conn.execute(f"SET password_encryption = '{kind}'")
                conn.execute(f"CREATE USER {user} PASSWORD '{PASSWORD}'")

    def connect(self, **more) -> psycopg.Connection:
        settings = {"host": "127.0.0.1", "user": "root", "dbname": "dev", "autocommit": True}
        return psycopg.connect(port=self.port, **{**settings, **more})

    def sessions(self) -> list[tuple]:
        """Client sessions but the one that asks: (process id, state, what they last ran)."""
        with self.connect() as conn:
            return conn.execute(
                "SELECT pid, state, left(query, 100) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()").fetchall()

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """A fast shutdown: sessions are ended by the server."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)
            try:
                self.child.wait(30)
            except subprocess.TimeoutExpired:
                self.child.send_signal(signal.SIGQUIT)
                self.child.wait()
        self._log.close()


@contextlib.contextmanager
def running_postgres():
    with tempfile.TemporaryDirectory(prefix="mvswap-postgres-") as folder:
        server = Postgres(folder)
        try:
            yield server
        finally:
            server.stop()
