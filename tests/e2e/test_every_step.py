"""The steps of a replacement x each way in which a client leaves, and servers that die.

Afterwards the view is the old one, untouched, or the new one, complete; nothing is left behind.
"""

import re
import socket
import struct

import psycopg
import pytest

import play
from conftest import REPLACE, Catalog, connect, make_view, rows, serving
from processes import eventually

# What a replacement says to the server, in order, as patterns of the sandbox's faults: one of each kind.
# Every single statement, of a view with everything, is in test_kill_matrix.py.
STEPS = [
    r"^CREATE OR REPLACE@1", r"SELECT version@1", r"SELECT r.id, r.relation_type@1", r"u.is_super@1",
    r"^SHOW MATERIALIZED VIEWS@1", r"rw_indexes@1", r"^DESCRIBE@1", r"x.refobjid IN@1",
    r"rw_ddl_progress p@1", r"^CREATE VIEW@1", r"x.objid IN@1", r"^DROP VIEW@1", r"^SHOW background_ddl@1",
    r"^SET background_ddl = true@1", r"^CREATE MATERIALIZED VIEW m_tmp@1",
    r"^SET background_ddl = false@1", r"SELECT m.id, j.status@1", r"^SHOW MATERIALIZED VIEWS@2",
    r"SELECT x.refobjid@1", r"x.refobjid IN@2", r"rw_ddl_progress p@2", r"r.name IN@1", r"SWAP WITH@1",
    r"r.name IN@2",
    r"^SHOW PROCESSLIST@1", r"r.name IN@3", r"^DROP MATERIALIZED VIEW@1",
]
OLD, NEW = [(1,), (2,)], [(1, 10), (2, 20)]


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def leave_with_terminate(conn: play.Conn) -> None:
    conn.send("X", b"")
    conn.sock.close()


def leave_by_reset(conn: play.Conn) -> None:
    reset(conn.sock)


def leave_half(conn: play.Conn) -> None:
    conn.sock.shutdown(socket.SHUT_WR)


def leave_while_talking(conn: play.Conn) -> None:
    conn.send("Q", b"SELECT 1\0")
    conn.send("Q", b"x" * 100_000 + b"\0")
    reset(conn.sock)


def test_the_steps_are_there():
    """In this order."""
    with serving() as proxy:
        make_view(proxy.server.port)
        with connect(proxy.port) as conn:
            conn.execute(REPLACE)
        sent = proxy.server.statements()
    at = -1
    for step in STEPS:
        pattern, number = step.split("@")
        found = [n for n, s in enumerate(sent) if re.search(pattern, s)]
        assert len(found) >= int(number) and found[int(number) - 1] > at, step
        at = found[int(number) - 1]


@pytest.mark.parametrize("step", STEPS)
def test_a_client_that_leaves(step):
    for leave in (leave_with_terminate, leave_by_reset, leave_half, leave_while_talking):
        with serving("--delay", step + "=0.3", "--build-time", "0.1") as proxy:
            make_view(proxy.server.port)
            catalog = Catalog(proxy.server.port)
            conn = play.Conn("127.0.0.1", proxy.port, {"user": "root", "database": "dev"})
            conn.startup()
            while conn.recv(20)[0] != "ReadyForQuery":
                pass
            conn.send("Q", REPLACE.encode() + b"\0")
            pattern = step.split("@")[0].strip("^")
            count = int(step.split("@")[1])
            assert eventually(lambda: sum(pattern in s for s in proxy.server.statements()) >= count)
            leave(conn)
            # The session is over when the proxy has said so and nothing of it is on the server.
            assert eventually(lambda: others(catalog) == 0), (step, leave.__name__, proxy.output())
            assert catalog.leftovers() == set(), (step, leave.__name__)
            assert rows(catalog.conn, "SELECT * FROM m ORDER BY a") in (OLD, NEW)
            with connect(proxy.port) as again:
                again.execute(REPLACE)
                assert rows(again, "SELECT * FROM m ORDER BY a") == NEW
            conn.sock.close()


def others(catalog: Catalog) -> int:
    """Sessions on the server besides this one."""
    return len(rows(catalog.conn, "SHOW PROCESSLIST")) - 1


@pytest.mark.parametrize("step", [r"^CREATE MATERIALIZED VIEW m_tmp@1", r"SWAP WITH@1",
                                  r"^DROP MATERIALIZED VIEW@1"])
def test_a_server_that_dies(step):
    with serving("--crash", step) as proxy:
        make_view(proxy.server.port)
        with pytest.raises(psycopg.OperationalError) as lost:
            with connect(proxy.port) as conn:
                conn.execute(REPLACE)
        assert lost.value.sqlstate == "08006"
        # Until the process has gone its port may take a connection, which is reset then.
        with pytest.raises(psycopg.OperationalError,
                           match="could not connect to the server|before it answered"):
            connect(proxy.port)
        proxy.server.wait(60)
        with pytest.raises(psycopg.OperationalError, match="could not connect to the server"):
            connect(proxy.port)
        assert proxy.child.poll() is None


def test_another_frontend_with_a_lag():
    """The new view shows late on the session's own frontend: it is waited for, not lost."""
    with serving("--create-lag", "1") as proxy:
        make_view(proxy.server.port)
        with connect(proxy.port) as conn:
            conn.execute(REPLACE)
            assert rows(conn, "SELECT * FROM m ORDER BY a") == NEW
        assert Catalog(proxy.server.port).leftovers() == set()
