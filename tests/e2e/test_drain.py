"""Readers that were reading the old view at the swap finish: it is dropped behind them."""

import contextlib
import os
import re
import threading
import time

import psycopg
import pytest

import rich_view as rich
from clients import LongReader, Replacing, is_running
from conftest import connect, make_view, rows, serving
from processes import Proxy, Sandbox, eventually

LONG = os.environ.get("MVSWAP_LONG") == "1"


@pytest.fixture(scope="module")
def running():
    with serving(flags=["--drain-min", "100ms"]) as proxy:
        make_view(proxy.server.port)
        yield proxy


@pytest.fixture
def conn(running):
    with connect(running.server.port) as conn:
        yield conn
        for (name,) in rows(conn, "SELECT name FROM rw_catalog.rw_materialized_views"):
            conn.execute(f'DROP MATERIALIZED VIEW "{name}"')
        conn.execute("CREATE MATERIALIZED VIEW m AS SELECT a FROM t")


def num_swaps(proxy) -> int:
    return sum(" SWAP WITH " in s for s in proxy.server.statements())


def looks_for_readers(proxy) -> bool:
    """Behind the last swap."""
    sent = proxy.server.statements()
    last = max(n for n, s in enumerate(sent) if " SWAP WITH " in s)
    return any("PROCESSLIST" in s for s in sent[last:])


def assert_read_old(reader: LongReader) -> None:
    reader.finish()
    assert reader.error is None, reader.error
    assert reader.rows == [1, 2]


@pytest.mark.parametrize("way", ["simple", "prepared", "parameters"])
@pytest.mark.parametrize("through", ["proxy", "direct"])
def test_a_reader_finishes(running, conn, through, way):
    reader = LongReader(running.port if through == "proxy" else running.server.port, 0.8, way=way)
    assert eventually(lambda: is_running(conn))
    replacement = Replacing(running.port)
    replacement.finish()
    assert replacement.error is None and replacement.warnings() == []
    # The old view was there until the reader was done.
    assert replacement.ended > reader.began + 1.5
    assert_read_old(reader)
    assert rich.all_names(conn) == {"t", "m"}
    assert rich.anatomy(conn)["columns"] == ("a", "b")


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.6, 1.2, pytest.param(10, marks=pytest.mark.skipif(
    not LONG, reason="takes 20 s"))])
def test_readers_of_any_length(running, conn, seconds):
    readers = [LongReader(running.port, seconds), LongReader(running.server.port, seconds)]
    replacement = Replacing(running.port)
    replacement.finish()
    for reader in readers:
        assert_read_old(reader)
    assert replacement.error is None and replacement.warnings() == []
    assert rich.all_names(conn) == {"t", "m"}


@pytest.mark.parametrize("query", [
    "SELECT a, pg_sleep({}) FROM M", 'SELECT a, pg_sleep({}) FROM "m"',
    "SELECT a, pg_sleep({}) FROM public.m", "WITH c AS (SELECT a FROM m) SELECT a, pg_sleep({}) FROM c",
    "SELECT a, pg_sleep({}), '" + "x" * 1500 + "' FROM m",
    "SELECT x.a, pg_sleep({}) FROM t AS x JOIN m AS y ON x.a = y.a"])
def test_readers_in_every_spelling(running, conn, query):
    reader = LongReader(running.server.port, 0.6, query)
    assert eventually(lambda: is_running(conn))
    replacement = Replacing(running.port)
    replacement.finish()
    assert replacement.error is None and replacement.warnings() == []
    assert_read_old(reader)
    assert rich.all_names(conn) == {"t", "m"}


def test_the_wait_is_bounded_and_what_is_kept_is_named(running, conn):
    reader = LongReader(running.server.port, 5)
    assert eventually(lambda: is_running(conn))
    replacement = Replacing(running.port, drain="1s")
    assert replacement.finish() >= 1
    assert replacement.error is None and reader.ended is None
    (warning,) = replacement.warnings()
    (left,) = rich.ours(rich.all_names(conn))
    assert left in warning.message
    assert warning.hint == f'DROP MATERIALIZED VIEW "public"."{left}";'
    (process,) = [row[1] for row in rows(conn, "SHOW PROCESSLIST") if "pg_sleep" in (row[6] or "")]
    assert process in warning.detail and "KILL" in warning.detail
    assert_read_old(reader)
    # What the warning says is what finishes it.
    conn.execute(warning.hint)
    assert rich.all_names(conn) == {"t", "m"}


def test_the_process_that_is_named_can_be_killed(running, conn):
    reader = LongReader(running.server.port, 60)
    assert eventually(lambda: is_running(conn))
    replacement = Replacing(running.port, drain="300ms")
    replacement.finish()
    (warning,) = replacement.warnings()
    process = re.search(r"still run: (\S+?)\.? KILL", warning.detail).group(1)
    conn.execute(f"KILL '{process}'")
    reader.finish()
    assert reader.error is not None
    conn.execute(warning.hint)
    assert rich.all_names(conn) == {"t", "m"}


def test_the_next_replacement_drops_what_was_kept_for_readers(running, conn):
    reader = LongReader(running.server.port, 3)
    assert eventually(lambda: is_running(conn))
    first = Replacing(running.port, drain="200ms")
    first.finish()
    assert len(first.warnings()) == 1
    (left,) = rich.ours(rich.all_names(conn))
    # It is still read: it is left alone.
    second = Replacing(running.port, "SELECT a, b, 2 AS n FROM t", drain="200ms")
    second.finish()
    assert left in rich.all_names(conn)
    assert_read_old(reader)
    third = Replacing(running.port, "SELECT a, b, 3 AS n FROM t")
    third.finish()
    assert third.error is None and third.warnings() == []
    assert rich.all_names(conn) == {"t", "m"}


def test_queries_that_begin_behind_the_swap_do_not_delay(running, conn):
    before = num_swaps(running)
    old = LongReader(running.port, 1.5)
    assert eventually(lambda: is_running(conn))
    replacement = Replacing(running.port)
    assert eventually(lambda: num_swaps(running) > before)
    # Behind the swap's answer, and the quarter of a second that is allowed for other frontends.
    assert eventually(lambda: looks_for_readers(running))
    time.sleep(0.5)
    young = LongReader(running.port, 5)
    replacement.finish()
    assert replacement.error is None and replacement.warnings() == []
    assert young.ended is None, "the replacement waited for a reader of the new view"
    assert_read_old(old)
    young.finish()
    assert young.error is None and young.rows == [1, 2]


@pytest.mark.parametrize("text", ["SELECT pg_sleep({})", "SELECT a, pg_sleep({}) FROM t",
                                  "SELECT pg_sleep({}), 'm'", "SELECT pg_sleep({}) AS mm"])
def test_queries_that_read_something_else_do_not_delay(running, conn, text):
    reader = LongReader(running.server.port, 100, text)
    assert eventually(lambda: is_running(conn))
    replacement = Replacing(running.port, drain="10min")
    replacement.finish()
    assert replacement.error is None and replacement.warnings() == []
    assert reader.ended is None
    reader.conn.cancel()
    reader.finish()


def test_idle_sessions_do_not_delay(running, conn):
    with contextlib.ExitStack() as stack:
        for port in (running.port, running.server.port):
            idle = stack.enter_context(connect(port))
            assert rows(idle, "SELECT a FROM m ORDER BY a") == [(1,), (2,)]
            inside = stack.enter_context(connect(port))
            inside.execute("BEGIN")
            assert rows(inside, "SELECT a FROM m ORDER BY a") == [(1,), (2,)]
        replacement = Replacing(running.port, drain="10min")
        replacement.finish()
        assert replacement.error is None and replacement.warnings() == []
        assert rich.all_names(conn) == {"t", "m"}


def test_a_cancel_ends_the_wait_and_the_statement_has_succeeded(running, conn):
    reader = LongReader(running.server.port, 4)
    assert eventually(lambda: is_running(conn))
    before = num_swaps(running)
    replacement = Replacing(running.port)
    assert eventually(lambda: num_swaps(running) > before)
    # It asks who is reading once the swap is done; nobody else does now.
    assert eventually(lambda: looks_for_readers(running))
    replacement.conn.cancel()
    replacement.finish()
    assert replacement.error is None and reader.ended is None
    (warning,) = replacement.warnings()
    assert rich.ours(rich.all_names(conn)) == {re.search('"(m_tmp_[^"]*)"',
                                                         warning.message).group(1)}
    assert rich.anatomy(conn)["columns"] == ("a", "b")
    assert_read_old(reader)


def test_without_readers_drain_min_is_all_that_it_takes(running, conn):
    replacement = Replacing(running.port, drain_min="1s", drain="10min")
    assert replacement.finish() >= 1
    assert replacement.error is None and replacement.warnings() == []
    replacement = Replacing(running.port, "SELECT a, b, 2 AS n FROM t", drain_min="0", drain="10min")
    replacement.finish()
    assert replacement.error is None and replacement.warnings() == []


# Several frontends.

@contextlib.contextmanager
def two_frontends(*switches: str):
    """The proxy in front of the first; yields it with the port of the other one."""
    with Sandbox("--frontends", "2", *switches) as server, Proxy(server.port) as proxy:
        proxy.server = server
        make_view(server.port)
        ports = eventually(lambda: [p for p in map(int, re.findall(
            r"listening on \S*:(\d+)", server.output())) if p != server.port])
        yield proxy, ports[0]
        assert proxy.end() == 0


@pytest.mark.parametrize("lag", ["0.02", "0.2"])
def test_readers_on_a_frontend_that_learns_of_the_swap_late(lag):
    with two_frontends("--lag", lag) as (proxy, other):
        assert eventually(lambda: is_there(other))
        over, errors, seen = threading.Event(), [], set()

        def poll(port, seconds):
            with connect(port) as conn:
                while not over.is_set():
                    try:
                        for row in rows(conn, f"SELECT *, pg_sleep({seconds}) FROM m"):
                            seen.add(row[:-1])
                    except psycopg.Error as error:
                        errors.append((port == other, str(error)))

        pollers = [threading.Thread(target=poll, args=(port, seconds))
                   for port in (proxy.port, other) for seconds in (0, 0.01, 0.13, 0.4)]
        for poller in pollers:
            poller.start()
        assert eventually(lambda: (1,) in seen)
        for number in range(3):
            replacement = Replacing(proxy.port, f"SELECT a, b, {number} AS n FROM t")
            replacement.finish()
            assert replacement.error is None, replacement.error
            assert replacement.warnings() == []
            assert eventually(lambda n=number: (1, 10, n) in seen)
        time.sleep(0.5)
        over.set()
        for poller in pollers:
            poller.join()
        assert errors == []
        assert {(1,), (1, 10, 0), (1, 10, 1), (1, 10, 2)} <= seen


def is_there(port: int) -> bool:
    with connect(port) as conn, contextlib.suppress(psycopg.Error):
        return bool(rows(conn, "SELECT * FROM m"))
    return False


def test_a_long_reader_on_the_other_frontend():
    with two_frontends("--lag", "0.1") as (proxy, other):
        assert eventually(lambda: is_there(other))
        reader = LongReader(other, 1)
        with connect(proxy.server.port) as conn:
            assert eventually(lambda: is_running(conn))
            replacement = Replacing(proxy.port)
            replacement.finish()
            assert replacement.error is None and replacement.warnings() == []
            assert_read_old(reader)
            assert rich.all_names(conn) == {"t", "m"}
