"""Ctrl-C at every step of a replacement, whether the server gives cancel keys or not.

`Cancel` tells when the proxy has closed the cancel connection, which is what libpq waits for: from
then on nothing may be cancelled any more, and an answer 57014 may not come before.
"""

import contextlib
import os
import random
import re
import select
import socket
import struct
import threading
import time

import psycopg
import pytest

import play
from conftest import NEW, OLD, REPLACE, Catalog, connect, make_view, rows, serving
from middleman import CANCEL_CODE
from processes import eventually
from test_every_step import STEPS

TRIES = 1000 if os.environ.get("MVSWAP_LONG") == "1" else 50
PASSWORD = "open sesame"
WITH_PASSWORD = ("--password", f"root={PASSWORD}")
SWAP = r"SWAP WITH@1"
DONE = ("CommandComplete", "CREATE_MATERIALIZED_VIEW")
SETS_BACKGROUND = [step for step in STEPS if step.startswith("^SET background_ddl")]


def request(key: bytes, size: int | None = None) -> bytes:
    return struct.pack(">ii", size or 8 + len(key), CANCEL_CODE) + key


class Cancel:
    """A cancel connection: the request is sent; `closed` once the other side has closed."""

    def __init__(self, port: int, key: bytes):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.sock.sendall(request(key))

    def closed(self) -> bool:
        return bool(select.select([self.sock], [], [], 0)[0])

    def wait(self) -> None:
        """Until it is closed; not a byte may come before."""
        with contextlib.suppress(ConnectionResetError):
            assert self.sock.recv(1) == b""
        self.sock.close()


class Session:
    """A raw session that knows its key."""

    def __init__(self, port: int, **more: str):
        self.port = port
        self.conn = play.Conn("127.0.0.1", port, {"user": "root", "database": "dev", **more})
        self.conn.startup()
        self.heard: list[tuple] = []
        while (got := self.conn.recv(60)) != ("ReadyForQuery", "I"):
            assert got is not None and got[0] not in ("Closed", "ErrorResponse"), got
            if got == ("Authentication", 3):
                self.conn.send("p", PASSWORD.encode() + b"\0")
        self.key = self.conn.key
        assert self.key is not None and len(self.key) == 8

    def send(self, sql: str) -> None:
        self.heard = []
        self.conn.send("Q", sql.encode() + b"\0")

    def answer(self, cancel: Cancel | None = None, seconds: float = 60) -> dict | None:
        """The error, or None for success. With a cancel: it must have been closed before."""
        error = None
        while not self.heard or self.heard[-1] != ("ReadyForQuery", "I"):
            message = self.conn.recv(seconds)
            assert message is not None and message[0] != "Closed", self.heard
            if message[0] == "ErrorResponse" or message == DONE:
                assert cancel is None or cancel.closed(), message
            self.heard.append(message)
            if message[0] == "ErrorResponse":
                error = message[1]
        return error

    def run(self, sql: str) -> list[list]:
        self.send(sql)
        error = self.answer()
        assert error is None, error
        return [value for name, value in self.heard if name == "DataRow"]

    def cancel(self) -> Cancel:
        return Cancel(self.port, self.key)

    def notices(self) -> list[str]:
        return [value["M"] for name, value in self.heard if name == "NoticeResponse"]

    def close(self) -> None:
        self.conn.sock.close()


def is_at(proxy, step: str) -> bool:
    """Has the server been sent the statement of this step?"""
    pattern, number = step.split("@")
    found = [s for s in proxy.server.statements() if pattern.strip("^") in s]
    return len(found) >= int(number)


def assert_untouched(catalog: Catalog, session: Session, view_id: str) -> None:
    assert catalog.leftovers() == set()
    assert catalog.view_id("m") == view_id
    assert catalog.definition("m").endswith(OLD)
    assert session.run("SHOW background_ddl") == [["false"]]
    assert session.run("SELECT * FROM m ORDER BY a") == [["1"], ["2"]]


def assert_replaced(catalog: Catalog, session: Session) -> None:
    assert catalog.leftovers() == set()
    assert session.run("SELECT * FROM m ORDER BY a") == [["1", "10"], ["2", "20"]]


def after_the_swap(step: str) -> bool:
    return STEPS.index(step) >= STEPS.index(SWAP)


# (a) Replacements.

@pytest.mark.parametrize("build, step", [
    (build, step) for build in ("background", "foreground") for step in STEPS
    if build == "background" or step not in SETS_BACKGROUND])
def test_at_every_step_a_cancel_undoes_or_the_swap_was_done(build, step):
    """A cancel that comes when the step is over, on a busy machine, shows nothing: once more."""
    assert any(cancel_at(build, step) for _ in range(10))


def cancel_at(build: str, step: str) -> bool:
    """False when it was too late."""
    with serving("--delay", step + "=1", flags=["--build", build, "--drain-min", "0"]) as proxy:
        make_view(proxy.server.port)
        catalog = Catalog(proxy.server.port)
        view_id = catalog.view_id("m")
        session = Session(proxy.port)
        session.send(REPLACE)
        assert eventually(lambda: is_at(proxy, step)), proxy.output()
        cancel = session.cancel()
        if re.search(step.split("@")[0], proxy.server.statements()[-1]) is None:
            return False
        error = session.answer(cancel)
        cancel.wait()
        if after_the_swap(step):
            assert error is None, error
            assert_replaced(catalog, session)
        else:
            assert error is not None and error["C"] == "57014", (step, error)
            assert_untouched(catalog, session, view_id)
        assert session.run("SELECT 1") == [["1"]]
        session.run(REPLACE)
        assert_replaced(catalog, session)
        session.close()
        return True


@pytest.fixture(params=["background", "foreground"])
def slow(request):
    """Builds take a minute, so that only a cancel ends them; the view was made before."""
    with serving("--build-hang", "VIEW m_tmp", flags=["--build", request.param]) as proxy:
        make_view(proxy.server.port)
        yield proxy


def test_while_it_builds(slow):
    catalog = Catalog(slow.server.port)
    view_id = catalog.view_id("m")
    session = Session(slow.port)
    for _ in range(3):
        session.send(REPLACE)
        assert eventually(catalog.builds)
        cancel = session.cancel()
        error = session.answer(cancel)
        cancel.wait()
        assert error is not None and (error["S"], error["C"]) == ("ERROR", "57014"), error
        assert_untouched(catalog, session, view_id)
    session.close()


def test_by_a_driver_while_it_builds(slow):
    catalog = Catalog(slow.server.port)
    view_id = catalog.view_id("m")
    with connect(slow.port) as conn:
        for cancel in (conn.cancel, conn.cancel_safe):
            canceller = threading.Thread(
                target=lambda c=cancel: eventually(catalog.builds) and c())
            canceller.start()
            with pytest.raises(psycopg.errors.QueryCanceled):
                conn.execute(REPLACE)
            canceller.join()
            assert catalog.leftovers() == set() and catalog.view_id("m") == view_id
            assert rows(conn, "SELECT * FROM m ORDER BY a") == [(1,), (2,)]


def test_ten_cancels_at_once_have_one_answer(slow):
    catalog = Catalog(slow.server.port)
    session = Session(slow.port)
    session.send(REPLACE)
    assert eventually(catalog.builds)
    cancels = [session.cancel() for _ in range(10)]
    assert session.answer()["C"] == "57014"
    for cancel in cancels:
        cancel.wait()
    assert [name for name, _ in session.heard].count("ErrorResponse") == 1
    assert session.run("SELECT 1") == [["1"]]
    assert catalog.leftovers() == set()
    session.close()


def test_while_it_waits_for_another_replacement_of_the_view(slow):
    catalog = Catalog(slow.server.port)
    first, second = Session(slow.port), Session(slow.port)
    first.send(REPLACE)
    assert eventually(catalog.builds)
    before = len(slow.server.statements())
    second.send(REPLACE)
    assert eventually(lambda: any("is_super" in s or "version" in s
                                  for s in slow.server.statements()[before:]))
    for session in (second, first):
        cancel = session.cancel()
        assert session.answer(cancel)["C"] == "57014"
        cancel.wait()
        assert session.run("SELECT 1") == [["1"]]
        session.close()
    assert catalog.leftovers() == set()


def test_in_the_extended_protocol(slow):
    """The rest of the series is skipped up to its Sync; what is behind that runs."""
    catalog = Catalog(slow.server.port)
    session = Session(slow.port)
    for name, argument in (("Parse", {"sql": REPLACE}), ("Bind", {}), ("Execute", {}),
                           ("Parse", {"sql": "SELECT 2"}), ("Bind", {}), ("Execute", {}),
                           ("Sync", None), ("Query", "SELECT 3")):
        session.conn.send(*play.encode(name, argument))
    assert eventually(catalog.builds)
    cancel = session.cancel()
    assert session.answer(cancel)["C"] == "57014"
    cancel.wait()
    session.heard = []
    assert session.answer() is None
    assert [value for name, value in session.heard if name == "DataRow"] == [["3"]]
    assert session.run("SELECT * FROM m ORDER BY a") == [["1"], ["2"]]
    assert catalog.leftovers() == set()
    session.close()


def test_in_a_batch_it_stops_the_rest(slow):
    catalog = Catalog(slow.server.port)
    session = Session(slow.port)
    session.send(f"SELECT 1; {REPLACE}; SELECT 2")
    assert eventually(catalog.builds)
    cancel = session.cancel()
    assert session.answer(cancel)["C"] == "57014"
    cancel.wait()
    assert [value for name, value in session.heard if name == "DataRow"] == [["1"]]
    assert not any(s == "SELECT 2" for s in slow.server.statements())
    session.close()


@pytest.mark.parametrize("drain_min, left", [("0.4", 0), ("20", 1)])
def test_while_the_old_view_is_kept_it_has_succeeded(drain_min, left):
    """A long drain_min is not waited for: the old view is left, and named."""
    with serving(flags=["--drain-min", drain_min]) as proxy:
        make_view(proxy.server.port)
        catalog = Catalog(proxy.server.port)
        session = Session(proxy.port)
        session.send(REPLACE)
        assert eventually(lambda: is_at(proxy, SWAP))
        assert eventually(lambda: catalog.definition("m").endswith(NEW))
        cancel = session.cancel()
        assert session.answer(cancel) is None
        cancel.wait()
        hints = [value["H"] for name, value in session.heard
                 if name == "NoticeResponse" and value["S"] == "WARNING"]
        assert hints == [f'DROP MATERIALIZED VIEW "public"."{name}";' for name in catalog.leftovers()]
        assert len(hints) == left
        for hint in hints:
            session.run(hint)
        assert_replaced(catalog, session)
        session.close()


def test_before_the_build_has_been_answered():
    """The server's answer to CREATE waits for a barrier, in the background too."""
    with serving("--first-barrier", "30") as proxy:
        make_view(proxy.server.port)
        catalog = Catalog(proxy.server.port)
        view_id = catalog.view_id("m")
        session = Session(proxy.port)
        session.send(REPLACE)
        assert eventually(catalog.builds)
        cancel = session.cancel()
        error = session.answer(cancel)
        cancel.wait()
        assert error is not None and error["C"] == "57014", error
        assert_untouched(catalog, session, view_id)
        session.close()


def test_a_build_that_the_server_moves_to_the_foreground(slow):
    """It builds in the background only what it can recover; a list of values it cannot."""
    catalog = Catalog(slow.server.port)
    session = Session(slow.port)
    session.send("CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT 7 AS a")
    assert eventually(catalog.builds)
    cancel = session.cancel()
    assert session.answer(cancel)["C"] == "57014"
    cancel.wait()
    assert catalog.leftovers() == set()
    assert session.run("SELECT * FROM m ORDER BY a") == [["1"], ["2"]]
    session.close()


def test_what_the_client_has_sent_behind_it_is_not_hit(slow):
    catalog = Catalog(slow.server.port)
    session = Session(slow.port)
    session.send(REPLACE)
    session.conn.send("Q", b"SELECT 'behind', pg_sleep(0.2)\0")
    assert eventually(catalog.builds)
    cancel = session.cancel()
    assert session.answer(cancel)["C"] == "57014"
    cancel.wait()
    session.heard = []
    assert session.answer() is None
    assert catalog.leftovers() == set()
    session.close()


def has_come(proxy, before: int, moment: int) -> bool:
    """So many statements, or the last one: how often a build is asked about is not the same."""
    sent = proxy.server.statements()[before:]
    return len(sent) >= moment or any(s.startswith("DROP MATERIALIZED VIEW") for s in sent)


@pytest.mark.parametrize("build", ["background", "foreground"])
def test_at_any_moment_it_is_undone_or_done(build):
    """Wherever the cancel falls: one answer, the old view or the new one, nothing else. It falls
    behind so many statements, from the first one to the last, and a moment."""
    source = random.Random(build)
    undone = 0
    with serving("--build-time", "0.02", flags=["--build", build, "--drain-min", "0.02"]) as proxy:
        make_view(proxy.server.port)
        catalog = Catalog(proxy.server.port)
        session = Session(proxy.port)
        before = len(proxy.server.statements())
        session.run(REPLACE)
        whole = len(proxy.server.statements()) - before
        view_id = catalog.view_id("m")
        for number in range(TRIES):
            before = len(proxy.server.statements())
            session.send(f"CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a, {number} AS n FROM t")
            moment = source.randint(1, whole) if number > 1 else (1, whole)[number]
            assert eventually(lambda n=moment: has_come(proxy, before, n), every=0.002)
            time.sleep(source.uniform(0, 0.005))
            cancel = session.cancel()
            error = session.answer()
            cancel.wait()
            now = catalog.view_id("m")
            assert error is None or error["C"] == "57014", (number, error)
            assert (now == view_id) == (error is not None), (number, error)
            assert session.run("SELECT 1") == [["1"]], number
            assert catalog.leftovers() == set(), number
            assert session.run("SHOW background_ddl") == [["false"]]
            view_id, undone = now, undone + (error is not None)
        session.close()
    assert 0 < undone < TRIES


def test_after_a_cancelled_replacement_twenty_succeed():
    """(i)"""
    with serving("--build-hang", "b FROM t", flags=["--drain-min", "0"]) as proxy:
        make_view(proxy.server.port)
        catalog = Catalog(proxy.server.port)
        session = Session(proxy.port)
        session.send(REPLACE)
        assert eventually(catalog.builds)
        cancel = session.cancel()
        assert session.answer(cancel)["C"] == "57014"
        cancel.wait()
        for number in range(20):
            session.run(f"CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a, {number} AS n FROM t")
            assert session.run("SELECT n FROM m WHERE a = 1") == [[str(number)]]
            assert catalog.leftovers() == set()
        session.close()


# (b) Servers that give no key: logins with a password.

def test_without_a_server_key_a_background_build_is_cancelled():
    with serving(*WITH_PASSWORD, "--build-hang", "VIEW m_tmp") as proxy:
        make_view_with_password(proxy.server.port)
        session = Session(proxy.port)
        session.send(REPLACE)
        assert eventually(lambda: leftovers_with_password(proxy))
        cancel = session.cancel()
        assert session.answer(cancel)["C"] == "57014"
        cancel.wait()
        assert session.run("SELECT * FROM m ORDER BY a") == [["1"], ["2"]]
        assert leftovers_with_password(proxy) == set()
        session.close()


@pytest.mark.parametrize("build, switch", [("foreground", "--build-time"),
                                           ("background", "--first-barrier")])
def test_without_a_server_key_a_running_create_is_waited_for(build, switch):
    with serving(*WITH_PASSWORD, switch, "4", flags=["--build", build]) as proxy:
        make_view_with_password(proxy.server.port)
        session = Session(proxy.port)
        session.send(REPLACE)
        assert eventually(lambda: leftovers_with_password(proxy))
        session.cancel().wait()
        while (heard := session.conn.recv(0.001)) is not None:
            assert heard[0] == "NoticeResponse", "the create was not waited for"
            session.heard.append(heard)
        assert session.answer()["C"] == "57014"
        assert build == "background" or "no cancel key" in session.notices()[-1]
        assert session.run("SELECT * FROM m ORDER BY a") == [["1"], ["2"]]
        assert leftovers_with_password(proxy) == set()
        session.close()


def make_view_with_password(port: int) -> None:
    """As make_view, on a server that asks root for a password."""
    with connect(port, password=PASSWORD) as conn:
        conn.execute("CREATE TABLE t (a INT PRIMARY KEY, b INT)")
        conn.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
        conn.execute(f"CREATE MATERIALIZED VIEW m AS {OLD}")


def leftovers_with_password(proxy) -> set[str]:
    with connect(proxy.server.port, password=PASSWORD) as conn:
        names = rows(conn, "SELECT name FROM rw_catalog.rw_relations")
    return {name for (name,) in names if "_tmp_" in name}


def test_without_a_server_key_an_ordinary_statement_cannot_be_cancelled():
    """As without the proxy; but the cancel connection is closed all the same."""
    with serving(*WITH_PASSWORD) as proxy:
        session = Session(proxy.port)
        session.send("SELECT 'slept', pg_sleep(1)")
        session.cancel().wait()
        assert session.answer() is None
        session.close()
