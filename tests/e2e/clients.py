"""Clients of their own threads: one that replaces a view, and one that reads it for long."""

import collections
import threading
import time

import psycopg

from conftest import connect, rows
from one_view import replacing
from processes import PATIENCE

NEW = "SELECT a, b FROM t"


class LongReader(threading.Thread):
    """One query that sleeps `seconds` for each of the view's two rows."""

    def __init__(self, port: int, seconds: float, query: str = "SELECT a, pg_sleep({}) FROM m",
                 way: str = "simple"):
        super().__init__(daemon=True)
        self.conn = connect(port)
        self.query, self.way = query.format(seconds), way
        self.rows, self.error, self.began, self.ended = None, None, time.monotonic(), None
        self.start()

    def run(self) -> None:
        try:
            if self.way == "parameters":
                cursor = self.conn.execute(self.query + " WHERE a > %s", (0,))
            else:
                cursor = self.conn.execute(self.query, prepare=self.way == "prepared")
            self.rows = sorted(row[0] for row in cursor.fetchall())
        except psycopg.Error as error:
            self.error = error
        self.ended = time.monotonic()

    def finish(self) -> None:
        self.join(PATIENCE)
        assert not self.is_alive()
        self.conn.close()


Notice = collections.namedtuple("Notice", "severity message detail hint")


class Replacing(threading.Thread):
    """A replacement on a session of its own, with settings."""

    def __init__(self, port: int, query: str = NEW, view: str = "m", **settings):
        super().__init__(daemon=True)
        options = " ".join(f"-c mvswap.{name}={value}" for name, value in settings.items())
        self.conn = connect(port, options=options)
        self.conn.add_notice_handler(lambda n: self.notices.append(Notice(
            n.severity, n.message_primary, n.message_detail or "", n.message_hint or "")))
        self.sql, self.notices, self.error = replacing(query, view), [], None
        self.began, self.ended = time.monotonic(), None
        self.start()

    def run(self) -> None:
        try:
            self.conn.execute(self.sql)
        except psycopg.Error as error:
            self.error = error
        self.ended = time.monotonic()

    def finish(self) -> float:
        """Seconds that it took."""
        self.join(2 * PATIENCE)
        assert self.ended is not None
        self.conn.close()
        return self.ended - self.began

    def warnings(self) -> list:
        return [n for n in self.notices if n.severity == "WARNING"]


def is_running(conn: psycopg.Connection, text: str = "pg_sleep") -> bool:
    return any(text in (row[6] or "") for row in rows(conn, "SHOW PROCESSLIST"))
