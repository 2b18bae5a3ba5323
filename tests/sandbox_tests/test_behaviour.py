"""What no recording shows: many sessions at once, builds in time, faults, death, versions, odd
messages.
"""

from __future__ import annotations

import re
import struct
import threading
import time
from datetime import datetime

import pytest
from conftest import Client, eventually, play

SETUP = ("CREATE TABLE t (a INT PRIMARY KEY, b INT)", "INSERT INTO t VALUES (1, 10), (2, 20)")
VIEWS = "SELECT name, created_at IS NULL FROM rw_materialized_views ORDER BY 1"


class Reader(threading.Thread):
    """Reads one view all the time and keeps every distinct answer."""

    def __init__(self, client: Client, sql: str) -> None:
        super().__init__()
        self.client, self.sql = client, sql
        self.answers: set[str] = set()
        self.times: list[float] = []
        self.stopping = False

    def run(self) -> None:
        while not self.stopping:
            begin = time.monotonic()
            answer = self.client.query(self.sql)
            self.times.append(time.monotonic() - begin)
            self.answers.add(str([m for m in answer if m[0] in ("DataRow", "ErrorResponse")]))
            time.sleep(0.001)


def test_readers_see_the_old_or_the_new_view_during_swaps(start):
    sandbox = start("--build-time", "0.01")
    writer = sandbox.client()
    writer.do(*SETUP, "CREATE MATERIALIZED VIEW m AS SELECT a FROM t WHERE a = 1")
    writer.do("CREATE MATERIALIZED VIEW m_tmp AS SELECT b AS a FROM t WHERE a = 2")
    readers = [Reader(sandbox.client(), "SELECT a FROM m") for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(50):
        writer.do("ALTER MATERIALIZED VIEW m_tmp SWAP WITH m")
        time.sleep(0.005)
    for reader in readers:
        reader.stopping = True
        reader.join()
    seen = set.union(*(reader.answers for reader in readers))
    assert seen == {"[('DataRow', ['1'])]", "[('DataRow', ['20'])]"}
    median = sorted(readers[0].times)[len(readers[0].times) // 2]
    assert median < 0.05


def test_materialized_view_follows_its_table(start):
    client = start().client()
    client.do(*SETUP, "CREATE MATERIALIZED VIEW m AS SELECT sum(b) AS s FROM t")
    client.do(
        "UPDATE t SET b = 11 WHERE a = 1",
        "DELETE FROM t WHERE a = 2",
        "INSERT INTO t VALUES (3, 1)",
        "FLUSH",
    )
    assert client.rows("SELECT s FROM m") == [["12"]]


def test_insert_of_an_existing_key_overwrites(start):
    client = start().client()
    client.do(*SETUP, "INSERT INTO t VALUES (1, 99)")
    assert client.rows("SELECT b FROM t WHERE a = 1") == [["99"]]


def test_background_build_is_visible_but_not_readable(start):
    client = start("--build-time", "0.6").client()
    client.do(*SETUP, "SET background_ddl = true", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    assert client.rows(VIEWS) == [["m", "t"]]
    assert client.rows("SHOW MATERIALIZED VIEWS") == []
    [[progress]] = client.rows("SELECT progress FROM rw_ddl_progress")
    assert re.fullmatch(r"\d+\.\d\d% \(\d+/2\)", progress)
    assert client.rows("SELECT status FROM rw_streaming_jobs WHERE name = 'm'") == [["CREATING"]]
    assert client.error("SELECT * FROM m")["C"] == "42704"
    client.do("WAIT")
    assert client.rows(VIEWS) == [["m", "f"]]
    assert client.rows("SHOW MATERIALIZED VIEWS") == [["public.m"]]
    assert client.rows("SELECT status FROM rw_streaming_jobs WHERE name = 'm'") == [["CREATED"]]
    assert len(client.rows("SELECT * FROM m")) == 2


def test_drop_cancels_a_build_in_the_foreground_of_another_session(start):
    sandbox = start("--build-time", "30")
    builder, other = sandbox.client(), sandbox.client()
    builder.do(*SETUP)
    builder.send("Query", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    eventually(lambda: other.rows(VIEWS) == [["m", "t"]])
    other.do("DROP MATERIALIZED VIEW m")
    assert builder.read()[0][1]["M"].endswith("3: Cancelled: create\n")
    assert other.rows(VIEWS) == []


def test_before_2_7_a_creating_view_cannot_be_dropped(start):
    client = start("--version", "2.6", "--build-time", "30").client()
    client.do(*SETUP, "SET background_ddl = true", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    assert "can not drop 1 creating streaming job" in client.error("DROP MATERIALIZED VIEW m")["M"]
    [[job, *_]] = client.rows("SHOW JOBS")
    assert client.rows(f"CANCEL JOBS {job}") == [[job]]
    assert client.rows(VIEWS) == []


def test_a_client_that_leaves_does_not_stop_its_build(start):
    sandbox = start("--build-time", "0.5")
    builder, other = sandbox.client(), sandbox.client()
    builder.do(*SETUP)
    builder.send("Query", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    eventually(lambda: other.rows(VIEWS) == [["m", "t"]])
    builder.conn.sock.close()
    eventually(lambda: other.rows(VIEWS) == [["m", "f"]])


def test_sleeping_query_blocks_nobody_and_dies_with_its_view(start):
    sandbox = start()
    writer, sleeper = sandbox.client(), sandbox.client()
    writer.do(*SETUP, "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    sleeper.send("Query", "SELECT a, pg_sleep(0.4) FROM m WHERE a = 1")
    begin = time.monotonic()
    assert len(writer.rows("SELECT * FROM m")) == 2
    assert time.monotonic() - begin < 0.3
    time.sleep(0.1)
    listed = [row for row in writer.rows("SHOW PROCESSLIST") if row[-1] and "pg_sleep" in row[-1]]
    assert len(listed) == 1 and listed[0][-2].endswith("ms")
    writer.do("DROP MATERIALIZED VIEW m")
    assert "has been dropped" in sleeper.read()[0][1]["M"]


def test_cancel_stops_a_running_query(start):
    sandbox = start()
    client = sandbox.client()
    client.send("Query", "SELECT pg_sleep(30)")
    time.sleep(0.2)
    canceller = play.Conn("127.0.0.1", sandbox.port, {})
    canceller.sock.sendall(struct.pack(">ii", 16, 80877102) + client.conn.key)
    assert canceller.sock.recv(1) == b""
    assert client.read()[0][0] == "ErrorResponse"
    assert client.rows("SELECT 1") == [["1"]]


def test_fault_strikes_the_nth_statement_of_all_sessions(start):
    sandbox = start("--fail", "swap with@2")
    first, second = sandbox.client(), sandbox.client()
    first.do(
        *SETUP,
        "CREATE VIEW x AS SELECT 1 AS a",
        "CREATE VIEW y AS SELECT 2 AS a",
        "ALTER VIEW x SWAP WITH y",
    )
    assert (
        second.error("ALTER VIEW x SWAP WITH y")["M"]
        == "Failed to run the query\n\nCaused by:\n  injected failure\n"
    )
    assert first.rows("SELECT a FROM x") == [["2"]]
    second.do("ALTER VIEW x SWAP WITH y")
    assert first.rows("SELECT a FROM x") == [["1"]]


@pytest.mark.parametrize(
    ("fault", "executed"), [("^drop view@1", False), ("after:^drop view@1", True)]
)
def test_disconnect_before_or_after_the_statement(start, fault, executed):
    sandbox = start("--disconnect", fault)
    client, other = sandbox.client(), sandbox.client()
    client.do("CREATE VIEW x AS SELECT 1 AS a")
    assert client.query("DROP VIEW x") == [("Closed", None)]
    assert bool(other.rows("SELECT name FROM rw_views WHERE name = 'x'")) != executed


def test_log_has_one_line_per_statement(start, tmp_path):
    log = tmp_path / "log"
    client = start("--log", str(log)).client()
    client.query("SELECT 1;\nSELECT 2")
    client.query("one_word")
    client.send("Parse", {"sql": "SELECT 3"})
    client.send("Bind", {})
    client.send("Execute", {})
    client.send("Sync")
    client.read()
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    assert [line[1:] for line in lines] == [
        ["0", "Query", "SELECT 1;\\nSELECT 2"],
        ["0", "Query", "one_word"],
        ["0", "Parse", "SELECT 3"],
        ["0", "Execute", "SELECT 3"],
    ]
    assert all(datetime.fromisoformat(line[0]) for line in lines)


def framed(tag: bytes, body: bytes) -> bytes:
    return tag + struct.pack(">i", len(body) + 4) + body


MALFORMED = {
    "length 3": b"Q" + struct.pack(">i", 3),
    "length 0": b"S" + struct.pack(">i", 0),
    "length -1": b"S" + struct.pack(">i", -1),
    "Parse without NUL": framed(b"P", b"abc"),
    "Parse with one NUL": framed(b"P", b"abc\0def"),
    "Parse with fewer types": framed(b"P", b"\0SELECT 1\0" + struct.pack(">hi", 2, 23)),
    "Bind too short": framed(b"B", b"\0\0" + struct.pack(">h", 0)),
    "Bind past its end": framed(b"B", b"\0\0" + struct.pack(">hhi", 0, 1, 9) + b"x"),
    "Bind length below -1": framed(b"B", b"\0\0" + struct.pack(">hhih", 0, 1, -2, 0)),
    "Bind count 32768": framed(b"B", b"\0\0" + struct.pack(">hh", 0, -32768)),
    "Execute without row limit": framed(b"E", b"\0"),
    "Describe without body": framed(b"D", b""),
    "Close without NUL": framed(b"C", b"Sabc"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_dies_of_a_malformed_message(start, what):
    sandbox = start()
    sandbox.client().conn.sock.sendall(MALFORMED[what])
    code, complaints = sandbox.died()
    assert code == 70
    assert complaints.startswith("died of a malformed message: ")


def test_dies_of_a_short_cancel_request(start):
    sandbox = start()
    play.Conn("127.0.0.1", sandbox.port, {}).sock.sendall(struct.pack(">iii", 12, 80877102, 0))
    assert sandbox.died()[0] == 70


@pytest.mark.parametrize("body", [b"", b"SELECT 1", b"SELECT '\xff'\0", b"SELECT 1\0x\0"])
def test_odd_query_gets_no_answer_at_all(start, body):
    client = start().client()
    client.conn.sock.sendall(framed(b"Q", body))
    assert client.conn.recv(0.2) is None
    assert client.rows("SELECT 1") == [["1"]]


@pytest.mark.parametrize("message", [framed(b"d", b""), framed(b"F", b"x"), framed(b"X", b"")])
def test_other_messages_close_without_a_word(start, message):
    client = start().client()
    client.conn.sock.sendall(message)
    assert client.conn.recv(5) == ("Closed", None)


def test_describe_of_an_unknown_kind_answers_and_closes(start):
    client = start().client()
    client.conn.sock.sendall(framed(b"D", b"Q\0"))
    assert [message[0] for message in client.read()] == ["ErrorResponse", "Closed"]


def test_encryption_requests_are_answered_no(start):
    conn = play.Conn("127.0.0.1", start().port, {"user": "root"})
    for code in (80877103, 80877104):
        conn.sock.sendall(struct.pack(">ii", 8, code))
        assert conn.sock.recv(1) == b"N"
    conn.startup()
    assert conn.recv(5) == ("Authentication", 0)


def test_password_login_sends_no_key(start):
    sandbox = start("--password", "root=secret")
    for password, last in (("secret", "ReadyForQuery"), ("wrong", "Closed")):
        conn = play.Conn("127.0.0.1", sandbox.port, {"user": "root"})
        conn.startup()
        assert conn.recv(5) == ("Authentication", 3)
        conn.send("p", password.encode() + b"\0")
        names = []
        while not names or names[-1] not in ("ReadyForQuery", "Closed"):
            names.append(conn.recv(5)[0])
        assert "BackendKeyData" not in names
        assert names[-1] == last


@pytest.mark.parametrize(
    ("version", "release", "status", "schema_name", "streaming_jobs"),
    [
        ("2.2", "2.2.0", False, False, False),
        ("2.6", "2.6.3", False, False, True),
        ("2.7", "2.7.0-alpha", False, False, True),
        ("2.8", "2.8.5", True, False, True),
        ("3.0", "3.0.3", True, True, True),
    ],
)
def test_versions_differ_in_their_catalogs(
    start, version, release, status, schema_name, streaming_jobs
):
    client = start("--version", version).client()
    assert client.rows("SELECT version()") == [
        [f"PostgreSQL 13.14.0-RisingWave-{release} (unknown)"]
    ]
    columns = [
        column[0]
        for column in dict(client.query("SELECT * FROM rw_materialized_views"))["RowDescription"]
    ]
    assert ("status" in columns, "schema_name" in columns) == (status, schema_name)
    found = "ErrorResponse" not in dict(client.query("SELECT * FROM rw_streaming_jobs"))
    assert found == streaming_jobs
    assert client.error("SELECT * FROM nope")["C"] == ("XX000" if version == "2.2" else "42704")


def test_portal_gives_its_rows_in_parts(start):
    client = start().client()
    client.send("Parse", {"sql": "SELECT * FROM (VALUES (1), (2), (3)) t(a)"})
    client.send("Bind", {"portal": "p"})
    for _ in range(2):
        client.send("Execute", {"portal": "p", "max": 2})
    client.send("Sync")
    names = [message[0] for message in client.read()]
    assert names == [
        "ParseComplete",
        "BindComplete",
        "DataRow",
        "DataRow",
        "PortalSuspended",
        "DataRow",
        "CommandComplete",
        "ReadyForQuery",
    ]


def test_ends_quietly(start):
    sandbox = start()
    sandbox.client().rows("SELECT 1")
    assert sandbox.stop() == (0, "")
