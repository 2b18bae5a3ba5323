"""Storms of cancels, and servers that do not end theirs: nobody else is held up.

A cancel connection takes no place of a session and is given up after a while.
"""

import contextlib
import random
import threading
import time

import psycopg
import pytest

from conftest import REPLACE, Catalog, connect, make_view, rows, serving
from processes import eventually
from test_cancel import Cancel, Session
from test_cancel_relay import in_the_middle, is_running, start_sleeping

STORM = 2000
CANCEL_SECONDS = 10  # LIMIT_CANCEL_MS
GIVEN_UP = "event=cancel"  # in the log: nobody has closed in time
HOLD = 600  # of a server that does not close: until it is told to; longer than any client waits


class Storm(threading.Thread):
    """Cancel connections as fast as they go; every third is dropped without waiting."""

    def __init__(self, port: int, keys, number: int):
        super().__init__(daemon=True)
        self.port, self.keys, self.number = port, keys, number
        self.done = 0

    def run(self) -> None:
        for n in range(self.number):
            cancel = Cancel(self.port, self.keys[n % len(self.keys)])
            if n % 3 == 0:
                cancel.sock.close()
            else:
                cancel.wait()
            self.done += 1


def test_a_storm_disturbs_nobody():
    """Two places are left, for a newcomer and for the one before, which may still be ending. The
    valid key is that of an idle session."""
    with serving(flags=["--max-connections", "10"]) as proxy:
        idle, *busy = [Session(proxy.port) for _ in range(8)]
        keys = [idle.key, *(random.randbytes(8) for _ in range(3))]
        storms = [Storm(proxy.port, keys[n % 2:], STORM // 4) for n in range(4)]
        for storm in storms:
            storm.start()
        num_logins = 0
        while any(storm.is_alive() for storm in storms):
            for session in busy:
                assert session.run("SELECT 7") == [["7"]]
            newcomer = Session(proxy.port)
            assert newcomer.run("SELECT 8") == [["8"]]
            newcomer.conn.send("X", b"")
            assert newcomer.conn.recv(60) == ("Closed", None)
            newcomer.close()
            assert eventually(lambda: sessions(proxy) == 8)
            num_logins += 1
        assert sum(storm.done for storm in storms) == STORM and num_logins > 0
        assert GIVEN_UP not in proxy.output()
        assert idle.run("SELECT 9") == [["9"]]
        for session in (idle, *busy):
            session.close()


def sessions(proxy) -> int:
    """Sessions of the proxy on the server."""
    with connect(proxy.server.port) as conn:
        return len(rows(conn, "SHOW PROCESSLIST")) - 1


def test_a_cancel_in_a_storm_comes_through():
    """Many ask for the same session at once: each is let go in time, and the statement ends."""
    with serving(flags=["--max-connections", "10"]) as proxy:
        session = Session(proxy.port)
        storms = [Storm(proxy.port, [session.key], 200) for _ in range(4)]
        start_sleeping(session, proxy.server)
        for storm in storms:
            storm.start()
        assert session.answer() is not None
        for storm in storms:
            storm.join(120)
            assert storm.done == 200
        assert GIVEN_UP not in proxy.output()
        assert session.run("SELECT 1") == [["1"]]
        session.close()


def test_cancels_work_when_all_places_are_taken():
    with serving(flags=["--max-connections", "2"]) as proxy:
        session, other = Session(proxy.port), Session(proxy.port)
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            connect(proxy.port)
        start_sleeping(session, proxy.server)
        session.cancel().wait()
        assert session.answer() is not None
        assert other.run("SELECT 1") == [["1"]]
        session.close()
        other.close()


# (h) Servers that do not close.

def test_a_server_that_never_closes_a_cancel_holds_nobody_up():
    ended = threading.Event()
    with in_the_middle(lambda *_: ended.wait(HOLD), flags=["--max-connections", "10"]) as mute:
        session, other = Session(mute.proxy.port), Session(mute.proxy.port)
        session.send("SELECT 'slept', pg_sleep(1)")
        begin = time.monotonic()
        cancels = [session.cancel() for _ in range(5)] + [other.cancel() for _ in range(5)]
        assert session.answer() is None
        for _ in range(20):
            assert session.run("SELECT 1") == [["1"]]
            assert other.run("SELECT 2") == [["2"]]
            late = Session(mute.proxy.port)
            assert late.run("SELECT 3") == [["3"]]
            late.close()
        closed = any(cancel.closed() for cancel in cancels)
        assert not closed or time.monotonic() - begin > CANCEL_SECONDS - 1
        for cancel in cancels:
            cancel.wait()
        assert time.monotonic() - begin > CANCEL_SECONDS - 1
        assert session.run("SELECT 1") == [["1"]]
        ended.set()
        session.cancel().wait()
        session.close()
        other.close()


def test_a_server_that_is_gone_for_cancels_lets_the_client_go():
    """The connection for the request is refused: the client waits for nothing."""
    with in_the_middle() as middle:
        session = Session(middle.proxy.port)
        session.send("SELECT 'slept', pg_sleep(0.5)")
        middle.stop_accepting()
        session.cancel().wait()
        assert session.answer() is None
        session.close()


# Cancels that the proxy sends itself: a foreground build is ended by one.

@contextlib.contextmanager
def foreground_build(on_cancel):
    """A replacement whose build never ends, seen on the server; as (middle, session)."""
    with in_the_middle(on_cancel, ["--build-hang", "VIEW m_tmp"],
                       ["--build", "foreground"]) as middle:
        make_view(middle.server.port)
        session = Session(middle.proxy.port)
        session.send(REPLACE)
        assert eventually(lambda: is_running(middle.server, "VIEW m_tmp"))
        yield middle, session
        assert Catalog(middle.server.port).leftovers() == set()
        assert session.run("SELECT * FROM m ORDER BY a") == [["1"], ["2"]]
        session.close()


def test_no_statement_of_ours_is_sent_while_our_cancel_is_on_its_way():
    """The server has cancelled, but not closed: whatever it is sent now could be hit."""
    may_close = threading.Event()

    def pass_and_hold(self, packet: bytes) -> None:
        self.pass_cancel(packet)
        may_close.wait(HOLD)

    with foreground_build(pass_and_hold) as (middle, session):
        session.cancel().wait()
        assert eventually(lambda: not is_running(middle.server, "VIEW m_tmp"))
        before = middle.server.statements()
        assert Session(middle.proxy.port).run("SELECT 1") == [["1"]]
        while (heard := session.conn.recv(0.2)) is not None:
            assert heard[0] == "NoticeResponse", heard
        assert [s for s in middle.server.statements()[len(before):] if "PROCESSLIST" not in s] == [
            "SELECT 1"]
        may_close.set()
        assert session.answer()["C"] == "57014"


def test_our_cancel_is_given_up_when_the_server_never_closes():
    ended = threading.Event()

    def pass_and_never_close(self, packet: bytes) -> None:
        self.pass_cancel(packet)
        ended.wait(HOLD)

    with foreground_build(pass_and_never_close) as (_, session):
        session.cancel().wait()
        assert session.answer()["C"] == "57014"
        ended.set()


# Sessions and processes that end while a cancel is on its way.

@contextlib.contextmanager
def cancel_on_its_way():
    """A session that sleeps, and a cancel for it that the server holds back; as (middle, session,
    cancel)."""
    may_close = threading.Event()
    with in_the_middle(lambda *_: may_close.wait(HOLD)) as middle:
        session = Session(middle.proxy.port)
        session.send("SELECT 'slept', pg_sleep(0.5)")
        cancel = session.cancel()
        assert eventually(lambda: middle.cancels)
        assert not cancel.closed()
        yield middle, session, cancel
        may_close.set()


def test_a_session_that_ends_while_its_cancel_is_on_its_way():
    with cancel_on_its_way() as (middle, session, cancel):
        session.close()
        assert eventually(cancel.closed)
        cancel.wait()
        assert Session(middle.proxy.port).run("SELECT 1") == [["1"]]


def test_a_server_that_ends_the_session_while_a_cancel_is_on_its_way():
    with cancel_on_its_way() as (middle, session, cancel):
        middle.server.stop()
        while session.conn.recv(60)[0] != "Closed":
            pass
        assert eventually(cancel.closed)
        cancel.wait()
        session.close()


def test_a_client_that_drops_its_cancel_while_it_is_on_its_way():
    with cancel_on_its_way() as (_, session, cancel):
        cancel.sock.close()
        assert session.answer() is None
        assert session.run("SELECT 1") == [["1"]]
        session.close()


def test_a_proxy_that_ends_while_a_cancel_is_on_its_way():
    with cancel_on_its_way() as (middle, session, cancel):
        assert session.answer() is None
        session.close()
        assert middle.proxy.end() == 0, middle.proxy.output()
        cancel.wait()
