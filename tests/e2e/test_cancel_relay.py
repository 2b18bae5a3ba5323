"""Cancels of ordinary statements: whom they reach, and when they are done.

Requests are counted and held back by a server in the middle.
"""

import contextlib
import itertools
import os
import random
import socket
import struct
import threading

import psycopg
import pytest

from conftest import connect, rows, serving
from middleman import CANCEL_CODE, Middleman, read_to_end
from processes import Proxy, Sandbox, eventually
from test_cancel import Cancel, Session, request

LONG = os.environ.get("MVSWAP_LONG") == "1"
TRIES = 10_000 if LONG else 500
SLEEPER = itertools.count(1)


@pytest.fixture(scope="module")
def proxy():
    with serving() as running:
        yield running


@contextlib.contextmanager
def in_the_middle(on_cancel=None, switches=(), flags=()):
    """Sandbox, server in the middle, proxy; given is the middle one, with `proxy` and `server`."""
    with Sandbox(*switches) as server, Middleman(server.port, on_cancel) as middle:
        with Proxy(middle.port, *flags) as running:
            middle.server, middle.proxy = server, running
            yield middle
            if running.child.poll() is None:
                assert running.end(60) == 0, running.output()


@pytest.fixture(scope="module")
def middle():
    with in_the_middle() as running:
        yield running


def is_running(server, text: str) -> bool:
    """Is a statement with this text being executed?"""
    with connect(server.port) as conn:
        return any(text in (row[-1] or "") for row in rows(conn, "SHOW PROCESSLIST"))


def start_sleeping(session: Session, server) -> None:
    """Returns when the server executes it."""
    session.slept = f"'slept {next(SLEEPER)}'"
    session.send(f"SELECT {session.slept}, pg_sleep(300)")
    assert eventually(lambda: is_running(server, session.slept))


# (c) Cancelled is the statement that runs, with the server's answer and the server's time.

def test_an_ordinary_statement_gets_the_servers_answer(proxy):
    session, direct = Session(proxy.port), Session(proxy.server.port)
    errors = []
    for one in (direct, session):
        start_sleeping(one, proxy.server)
        one.cancel().wait()
        errors.append(one.answer())
        assert one.run("SELECT 1") == [["1"]]
        one.close()
    assert errors[0] == errors[1] and "cancelled" in errors[0]["M"].lower()


@pytest.mark.parametrize("version", ["3.0", "latest"])
def test_by_a_driver(proxy, version):
    """Also by one that asked for a protocol with longer keys."""
    with connect(proxy.port, max_protocol_version=version) as conn:
        for cancel in (conn.cancel, conn.cancel_safe):
            thread = threading.Thread(target=lambda c=cancel: (
                eventually(lambda: is_running(proxy.server, "by a driver")) and c()))
            thread.start()
            with pytest.raises(psycopg.Error, match="(?i)cancelled"):
                conn.execute("SELECT 'by a driver', pg_sleep(300)")
            thread.join()
            assert rows(conn, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("protocol", ["simple", "extended"])
def test_a_foreground_build_of_the_client_itself(protocol):
    with serving("--build-hang", "VIEW slow") as proxy:
        with connect(proxy.server.port) as conn:
            conn.execute("CREATE TABLE t (a INT)")
        session = Session(proxy.port)
        sql = b"CREATE MATERIALIZED VIEW slow AS SELECT a FROM t\0"
        if protocol == "simple":
            session.conn.send("Q", sql)
        else:
            for tag, body in (("P", b"\0" + sql + b"\0\0"), ("B", b"\0" * 8), ("E", b"\0" * 5),
                              ("S", b"")):
                session.conn.send(tag, body)
        assert eventually(lambda: is_running(proxy.server, "VIEW slow"))
        session.cancel().wait()
        assert session.answer()["M"].endswith("Cancelled: create\n")
        with connect(proxy.server.port) as conn:
            assert rows(conn, "SELECT * FROM rw_catalog.rw_materialized_views") == []
        session.close()


def test_the_client_is_let_go_when_the_server_has_closed(middle):
    """The request goes on with the server's key, and its end comes back, not earlier."""
    may_go_on = threading.Event()

    def hold(self, packet: bytes) -> None:
        may_go_on.wait(600)
        self.pass_cancel(packet)

    with in_the_middle(hold) as held:
        session = Session(held.proxy.port)
        start_sleeping(session, held.server)
        cancel = session.cancel()
        assert eventually(lambda: held.cancels)
        (packet,) = held.cancels
        size, code, process, secret = struct.unpack(">IIII", packet)
        assert (size, code) == (16, CANCEL_CODE) and process == secret  # the sandbox's own
        assert packet[8:] != session.key
        assert Session(held.proxy.port).run("SELECT 1") == [["1"]]  # a whole login later
        assert not cancel.closed()
        may_go_on.set()
        cancel.wait()
        assert "cancelled" in session.answer(cancel=None)["M"].lower()
        session.close()


def test_an_idle_session_is_left_alone(proxy):
    session = Session(proxy.port)
    for _ in range(20):
        session.cancel().wait()
        assert session.run("SELECT 1") == [["1"]]
    session.close()


# (d) Requests of no use.

def test_a_wrong_key_reaches_nobody(middle):
    session = Session(middle.proxy.port)
    ended = Session(middle.proxy.port)
    ended.conn.send("X", b"")
    ended.conn.recv(60)
    start_sleeping(session, middle.server)
    process, secret = session.key[:4], session.key[4:]
    before, asked = middle.num_connections, len(middle.cancels)
    number = struct.pack(">I", 0)
    wrong = [number * 2, b"\xff" * 8, process + number, number + secret, secret + process,
             process + bytes([secret[0] ^ 1]) + secret[1:], process + secret[:3] + b"\0",
             struct.pack(">II", 1, 1), *(random.randbytes(8) for _ in range(50))]
    assert session.key not in wrong
    for key in wrong:
        Cancel(middle.proxy.port, key).wait()
    assert eventually(lambda: cancel_is_forgotten(middle, ended))
    assert middle.num_connections - before == len(middle.cancels) - asked
    assert is_running(middle.server, session.slept)
    session.cancel().wait()
    assert session.answer() is not None
    session.close()


def cancel_is_forgotten(middle, ended: Session) -> bool:
    """The key of a session that has ended, as soon as the proxy knows that it has."""
    before = middle.num_connections
    ended.cancel().wait()
    return middle.num_connections == before


@pytest.mark.parametrize("size", [8, 9, 12, 15, 17, 20, 44, 264])
def test_requests_of_other_sizes_are_closed_silently(middle, size):
    """Alive is the server too, which dies of those that are too short."""
    session = Session(middle.proxy.port)
    start_sleeping(session, middle.server)
    before = middle.num_connections
    key = (session.key + bytes(size))[:size - 8]
    for cut in range(1, size, 5):
        with socket.create_connection(("127.0.0.1", middle.proxy.port), timeout=60) as sock:
            packet = request(key, size)
            sock.sendall(packet[:cut])
            with contextlib.suppress(ConnectionError):
                sock.sendall(packet[cut:])
            assert read_to_end(sock) == b""
    assert middle.num_connections == before
    assert middle.server.child.poll() is None and is_running(middle.server, session.slept)
    session.cancel().wait()
    assert session.answer() is not None
    session.close()


def test_bytes_behind_a_request_change_nothing(middle):
    session = Session(middle.proxy.port)
    start_sleeping(session, middle.server)
    asked = len(middle.cancels)
    with socket.create_connection(("127.0.0.1", middle.proxy.port), timeout=60) as sock:
        sock.sendall(request(session.key) + b"Q\0\0\0\3" + request(session.key))
        assert read_to_end(sock) == b""
    assert session.answer() is not None
    assert [len(packet) for packet in middle.cancels[asked:]] == [16]
    session.close()


def test_a_request_cut_at_every_byte(proxy):
    session = Session(proxy.port)
    witness = Session(proxy.port)
    for cut in range(1, 16):
        start_sleeping(session, proxy.server)
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=60) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(request(session.key)[:cut])
            witness.run("SELECT 1")
            sock.sendall(request(session.key)[cut:])
            assert read_to_end(sock) == b""
        assert session.answer() is not None
    session.close()
    witness.close()


# (e) Others.

def test_another_session_is_never_hit(proxy):
    one, other = Session(proxy.port), Session(proxy.port)
    start_sleeping(other, proxy.server)
    for _ in range(50):
        start_sleeping(one, proxy.server)
        one.cancel().wait()
        assert one.answer() is not None
    assert is_running(proxy.server, other.slept)
    assert other.conn.recv(0) is None
    other.cancel().wait()
    assert other.answer() is not None
    one.close()
    other.close()


# (f) The next statement.

def test_the_next_statement_is_never_hit(proxy):
    """Closed is the cancel connection when the cancel is over: what is sent then is safe."""
    session = Session(proxy.port)
    for number in range(TRIES):
        if number % 10 == 0:
            session.send("SELECT pg_sleep(0.002)")  # may be cancelled, or end by itself
        session.cancel().wait()
        if number % 10 == 0:
            session.answer()
        assert session.run("SELECT 1, pg_sleep(0.0002)")[0][0] == "1", number
    session.close()
