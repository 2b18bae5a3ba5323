"""Fixtures: a sandbox and a proxy in front of it, connections, and what the server's catalog holds."""

import contextlib

import psycopg
import pytest

from processes import Proxy, Sandbox


@contextlib.contextmanager
def serving(*switches, flags=()):
    """A sandbox with these switches and a proxy with these flags. The proxy must end cleanly: a
    sanitizer's report or an open handle at its end is an exit status other than 0."""
    with Sandbox(*switches) as server, Proxy(server.port, *flags) as proxy:
        proxy.server = server
        yield proxy
        if proxy.child.poll() is None:
            assert proxy.end(60) == 0, proxy.output()


def connect(port: int, **more) -> psycopg.Connection:
    """A connection that sends simple queries only (no statement is prepared behind our back)."""
    settings = {"host": "127.0.0.1", "user": "root", "dbname": "dev", "autocommit": True,
                "prepare_threshold": None, "connect_timeout": 60}
    return psycopg.connect(port=port, **{**settings, **more})


def rows(conn: psycopg.Connection, sql: str) -> list[tuple]:
    return conn.execute(sql).fetchall()


class Catalog:
    """What the server holds, asked on a direct connection."""

    def __init__(self, port: int):
        self.conn = connect(port)

    def names(self) -> set[str]:
        """All relations, those that are being created included."""
        return {name for (name,) in rows(self.conn, "SELECT name FROM rw_catalog.rw_relations "
                                         "WHERE relation_type <> 'system table'")}

    def leftovers(self) -> set[str]:
        return {name for name in self.names() if "_tmp_" in name or "_probe_" in name}

    def builds(self) -> set[str]:
        """What is being built, or was: a probe is no build."""
        return {name for name in self.names() if "_tmp_" in name}

    def view_id(self, name: str) -> str:
        return rows(self.conn, f"SELECT id FROM rw_catalog.rw_relations WHERE name = '{name}'")[0][0]

    def definition(self, name: str) -> str:
        return rows(self.conn, "SELECT definition FROM rw_catalog.rw_relations "
                    f"WHERE name = '{name}'")[0][0]


OLD = "SELECT a FROM t"
NEW = "SELECT a, b FROM t"
REPLACE = f"CREATE OR REPLACE MATERIALIZED VIEW m AS {NEW}"


def make_view(port: int) -> None:
    with connect(port) as conn:
        conn.execute("CREATE TABLE t (a INT PRIMARY KEY, b INT)")
        conn.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
        conn.execute("FLUSH")
        conn.execute(f"CREATE MATERIALIZED VIEW m AS {OLD}")


@pytest.fixture
def proxy():
    with serving() as running:
        make_view(running.server.port)
        yield running


@pytest.fixture
def catalog(proxy):
    return Catalog(proxy.server.port)


@pytest.fixture(scope="module")
def shared():
    """See one_view.py, which needs this file."""
    from one_view import one_world

    with one_world() as running:
        yield running


@pytest.fixture
def world(shared):
    shared.reset()
    yield shared
    shared.assert_clean()


@pytest.fixture(scope="module")
def stages():
    """See dependents.py, which needs this file."""
    from dependents import Stages

    running = Stages()
    yield running
    running.close()
