"""What becomes of prepared statements and READ ONLY transactions around a swap, case by case."""

import re
import threading
import time

import psycopg
import pytest
from psycopg import pq

from conftest import Catalog, connect, make_view, serving
from processes import PATIENCE, eventually

READ = b"SELECT * FROM m ORDER BY a"


@pytest.fixture
def server():
    with serving() as proxy:
        make_view(proxy.server.port)
        yield proxy


class Libpq:
    """A session that sends what it is told, statement by statement."""

    def __init__(self, port: int, options: str = ""):
        self.conn = pq.PGconn.connect(
            f"host=127.0.0.1 port={port} user=root dbname=dev options='{options}'".encode())
        assert self.conn.status == pq.ConnStatus.OK, self.conn.error_message

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.conn.finish()

    def prepare(self, name: str, sql: bytes = READ, types=None):
        return answer(self.conn.prepare(name.encode(), sql, types))

    def execute(self, name: str, values=None, **more):
        return answer(self.conn.exec_prepared(name.encode(), values, **more))

    def run(self, sql: str):
        return answer(self.conn.exec_(sql.encode()))


def answer(result):
    if result.status == pq.ExecStatus.FATAL_ERROR:
        return (result.error_field(pq.DiagnosticField.SQLSTATE).decode(),
                (result.error_field(pq.DiagnosticField.SOURCE_FUNCTION) or b"").decode())
    return [tuple(result.get_value(row, i) for i in range(result.nfields))
            for row in range(result.ntuples)]


def replaced(port: int, query: str) -> None:
    with connect(port) as conn:
        conn.execute("CREATE OR REPLACE MATERIALIZED VIEW m AS " + query)


AS_MADE = [(b"1",), (b"2",)]


def test_one_session_replaces_and_reads(server):
    with Libpq(server.port) as session:
        session.prepare("s")
        session.prepare("again", b"CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a + 1 AS a FROM t")
        assert session.execute("s") == AS_MADE
        assert session.execute("again") == []
        assert session.execute("s") == [(b"2",), (b"3",)]


@pytest.mark.parametrize("kind, policy", [("VIEW", "views"), ("MATERIALIZED VIEW", "cascade")])
def test_what_reads_the_view_is_read_anew(server, kind, policy):
    """Statements on a view that follows, and on one that is rebuilt: also the second time, and those
    that read both."""
    texts = {"below": b"SELECT a FROM d ORDER BY a", "top": b"SELECT a FROM v ORDER BY a",
             "both": b"SELECT m.a FROM m JOIN d ON m.a = d.a ORDER BY m.a"}
    with connect(server.port) as conn:
        conn.execute(f"CREATE {kind} d AS SELECT a FROM m")
        conn.execute("CREATE VIEW v AS SELECT a FROM d")
        with Libpq(server.port) as session:
            for name, text in texts.items():
                session.prepare(name, text)
            for more in (1, 2):
                conn.execute(f"/* mvswap: dependents={policy} */ CREATE OR REPLACE MATERIALIZED VIEW m AS "
                             f"SELECT a + {more} AS a FROM t")
                for name in texts:
                    assert session.execute(name) == [
                        (str(n + more).encode(),) for n in (1, 2)], name
    assert "event=prepared" not in server.output()


def test_between_the_swap_and_the_drop_the_new_view_is_read(server):
    """The old view is there for five seconds: nothing fails, and nothing old is read."""
    with Libpq(server.port) as session, connect(server.port) as conn:
        session.prepare("s")
        conn.execute("SET mvswap.drain_min = '5s'")
        worker = threading.Thread(target=conn.execute, args=(
            "CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a + 1 AS a FROM t",))
        worker.start()
        deadline = time.monotonic() + PATIENCE
        while session.execute("s") == AS_MADE and time.monotonic() < deadline:
            time.sleep(0.01)
        assert session.execute("s") == [(b"2",), (b"3",)]
        assert len(Catalog(server.server.port).builds()) == 1, "the old view is gone already"
        worker.join()
        assert session.execute("s") == [(b"2",), (b"3",)]


def test_parameters_keep_their_types(server):
    """The column becomes BIGINT: the parameter, which the client sends in binary, stays INT."""
    with Libpq(server.port) as session:
        session.prepare("s", b"SELECT a FROM m WHERE a = $1")
        binary = {"param_formats": [pq.Format.BINARY]}
        assert session.execute("s", [(2).to_bytes(4, "big")], **binary) == [(b"2",)]
        replaced(server.port, "SELECT a::BIGINT AS a FROM t")
        assert session.execute("s", [(2).to_bytes(4, "big")], **binary) == [(b"2",)]


def test_a_column_is_gone(server):
    """Its own error comes once it is parsed anew, and not before the old view is gone."""
    with Libpq(server.port) as session:
        session.prepare("s", b"SELECT a FROM m")
        replaced(server.port, "SELECT b FROM t")
        assert session.execute("s") == ("0A000", "RevalidateCachedQuery")
        assert session.prepare("t", b"SELECT a FROM m")[0] == "XX000"
        replaced(server.port, "SELECT a FROM t")
        assert session.execute("s") == AS_MADE


def test_swapped_by_somebody_else(server):
    """Behind the proxy's back: one error that tells the client to parse again, then all is well."""
    with Libpq(server.port) as session, connect(server.server.port) as other:
        session.prepare("s")
        session.prepare("more", b"SELECT count(*) FROM m")
        other.execute("CREATE MATERIALIZED VIEW n AS SELECT a + 1 AS a FROM t")
        other.execute("ALTER MATERIALIZED VIEW n SWAP WITH m")
        other.execute("DROP MATERIALIZED VIEW n")
        assert session.execute("s") == ("0A000", "RevalidateCachedQuery")
        assert session.execute("s") == [(b"2",), (b"3",)]
        assert session.execute("more") == [(b"2",)]


def test_leave(server):
    for how in ("option", "SET"):
        options = "-c mvswap.prepared=leave" if how == "option" else ""
        with Libpq(server.port, options) as session:
            if how == "SET":
                session.run("SET mvswap.prepared = leave")
            session.prepare("s")
            replaced(server.port, f"SELECT a, '{how}' AS h FROM t")
            assert session.execute("s") == ("XX000", "")
            session.run("SET mvswap.prepared = follow")
            session.prepare("new")
            assert len(session.execute("new")) == 2


def test_a_portal_is_open(server):
    """A portal with a name goes on with what it has, while its statement reads the new view."""
    def frames(*messages):
        return b"".join(tag + (len(body) + 4).to_bytes(4, "big") + body for tag, body in messages)

    import socket
    with socket.create_connection(("127.0.0.1", server.port), 10) as sock:
        stream = sock.makefile("rwb")
        body = (196608).to_bytes(4, "big") + b"user\0root\0database\0dev\0\0"
        stream.write((len(body) + 4).to_bytes(4, "big") + body)
        stream.flush()

        def answers() -> list[tuple[bytes, bytes]]:
            got = []
            while not got or got[-1][0] != b"Z":
                tag = stream.read(1)
                got.append((tag, stream.read(int.from_bytes(stream.read(4), "big") - 4)))
            return got

        def ask(*messages):
            stream.write(frames(*messages, (b"S", b"")))
            stream.flush()
            return [(tag, body[6:] if tag == b"D" else b"") for tag, body in answers()]

        answers()
        bind = b"\0\0\0\0\0\0"
        ask((b"P", b"s\0SELECT a FROM m ORDER BY a\0\0\0"), (b"B", b"p\0s\0" + bind))
        assert ask((b"E", b"p\0\0\0\0\1")) == [(b"D", b"1"), (b"s", b""), (b"Z", b"")]
        replaced(server.port, "SELECT a + 10 AS a FROM t")
        assert ask((b"B", b"\0s\0" + bind), (b"E", b"\0\0\0\0\0"))[1] == (b"D", b"11")
        assert ask((b"E", b"p\0\0\0\0\0"))[0] == (b"D", b"2")
        # Closing the statement closes both.
        ask((b"C", b"Ss\0"))
        assert ask((b"E", b"p\0\0\0\0\0"))[0][0] == b"E"
        ask((b"P", b"s\0SELECT a FROM m ORDER BY a\0\0\0"), (b"B", b"p\0s\0" + bind))
        assert ask((b"E", b"p\0\0\0\0\0"))[1] == (b"D", b"12")


# ---- READ ONLY transactions ----

def begun_build(conn) -> threading.Thread:
    thread = threading.Thread(target=conn.execute, args=(
        "CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a + 1 AS a FROM t",))
    thread.start()
    return thread


def test_an_older_transaction_is_waited_for(server):
    """It goes on reading what it began with, and nobody is told."""
    with connect(server.port) as conn, Libpq(server.port) as reader:
        notices = []
        conn.add_notice_handler(lambda notice: notices.append(notice))
        reader.prepare("s")
        reader.run("BEGIN READ ONLY")
        assert reader.execute("s") == AS_MADE
        worker = begun_build(conn)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert reader.execute("s") == AS_MADE == reader.run(READ.decode())
        assert worker.is_alive()
        reader.run("COMMIT")
        worker.join(PATIENCE)
        assert not worker.is_alive()
        assert reader.execute("s") == [(b"2",), (b"3",)]
        assert not [n for n in notices if n.severity == "WARNING"]


def test_drain_is_the_most_that_is_waited(server):
    with connect(server.port) as conn, Libpq(server.port) as reader:
        warnings = []
        conn.add_notice_handler(lambda n: warnings.append(n.message_primary)
                                if n.severity == "WARNING" else None)
        conn.execute("SET mvswap.drain = '1s'")
        reader.run("BEGIN READ ONLY")
        began = time.monotonic()
        worker = begun_build(conn)
        worker.join(PATIENCE)
        assert not worker.is_alive() and time.monotonic() - began > 1.5
        assert warnings == ["READ ONLY transactions that are older than the new view are still open",
                            "READ ONLY transactions that are older than the swap are still open"]
        assert reader.run("SELECT 1") == [(b"1",)]
    assert Catalog(server.server.port).leftovers() == set()


def test_a_cascade_waits_for_a_transaction_once(server):
    """An idle one would make each rebuild wait, while some views are new and others old."""
    with connect(server.port) as conn, Libpq(server.port) as reader:
        warnings = []
        conn.execute("CREATE MATERIALIZED VIEW n AS SELECT a FROM m")
        conn.execute("CREATE MATERIALIZED VIEW o AS SELECT a FROM n")
        conn.add_notice_handler(lambda n: warnings.append(n.message_primary)
                                if n.severity == "WARNING" else None)
        conn.execute("SET mvswap.drain = '1s'")
        conn.execute("SET mvswap.dependents = cascade")
        reader.run("BEGIN READ ONLY")
        worker = begun_build(conn)
        worker.join(PATIENCE)
        assert not worker.is_alive()
        assert sum("older than the new view" in told for told in warnings) == 1, warnings
        assert conn.execute("SELECT * FROM o ORDER BY a").fetchall() == [(2,), (3,)]


def test_a_transaction_that_ends_with_its_connection(server):
    with connect(server.port) as conn:
        reader = Libpq(server.port)
        reader.run("BEGIN READ ONLY")
        worker = begun_build(conn)
        time.sleep(2)
        assert worker.is_alive()
        reader.conn.finish()
        worker.join(PATIENCE)
        assert not worker.is_alive()


def test_younger_transactions_keep_nobody_waiting(server):
    """They begin all the time, and prepare what they read: one that began behind the swap follows
    it."""
    stop = threading.Event()
    errors, told = [], []

    def read():
        with psycopg.connect(host="127.0.0.1", port=server.port, user="root", dbname="dev",
                             autocommit=True) as conn:
            while not stop.is_set():
                try:
                    conn.execute("BEGIN READ ONLY")
                    conn.execute("SELECT * FROM m").fetchall()
                    conn.execute("COMMIT")
                except psycopg.Error as error:
                    errors.append(str(error))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        with connect(server.port) as conn:
            conn.add_notice_handler(lambda notice: told.append(notice.message_primary))
            conn.execute("SET mvswap.drain = '2s'")
            for n in range(3):
                conn.execute(f"CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a + {n} AS a FROM t")
    finally:
        stop.set()
        for reader in readers:
            reader.join(PATIENCE)
    assert errors == [] and not [text for text in told if "READ ONLY" in text]


@pytest.mark.parametrize("texts", [
    [b"SELECT %d" % n for n in range(2003)],
    [b"SELECT 1 -- " + b"x" * 1000000] * 5,
    [b"SELECT 1 -- " + b"x" * 2000000] * 3], ids=["many", "much", "long"])
def test_statements_over_the_limits_are_counted(server, texts):
    """Over 2000, over 2 MiB together, over 1 MiB each: three; a session that keeps all says nothing."""
    with Libpq(server.port) as session:
        session.prepare("few")
    with Libpq(server.port) as session:
        for n, text in enumerate(texts):
            assert session.prepare(f"s{n}", text) == []
    assert eventually(lambda: "not_kept=" in server.output())
    assert re.findall(r"event=prepared .*not_kept=(\d+)", server.output()) == ["3"]
    assert server.output().count("from now on not all statements are kept") == 1
    server.stop()
    assert re.findall(r"event=stopped statements_not_kept=(\d+)", server.output()) == ["3"]
    assert "xxx" not in server.output()
