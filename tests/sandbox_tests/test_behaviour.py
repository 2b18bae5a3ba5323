"""What no recording shows: many sessions at once, cancelling, the log, logins, portals."""

from __future__ import annotations

import struct
import threading
import time
from datetime import datetime

from conftest import SETUP, Client, eventually, is_running


class Reader(threading.Thread):
    """Reads one view all the time and keeps every distinct answer."""

    def __init__(self, client: Client, sql: str) -> None:
        super().__init__()
        self.client, self.sql = client, sql
        self.answers: set[str] = set()
        self.stopping = False

    def run(self) -> None:
        while not self.stopping:
            answer = self.client.query(self.sql)
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


def test_sleeping_query_blocks_nobody_and_dies_with_its_view(start):
    sandbox = start()
    writer, sleeper = sandbox.client(), sandbox.client()
    writer.do(*SETUP, "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    sleeper.send("Query", "SELECT a, pg_sleep(4) FROM m WHERE a = 1")
    eventually(lambda: is_running(writer, "pg_sleep"))
    assert len(writer.rows("SELECT * FROM m")) == 2
    listed = [row for row in writer.rows("SHOW PROCESSLIST") if row[-1] and "pg_sleep" in row[-1]]
    assert len(listed) == 1 and listed[0][-2].endswith("ms")
    writer.do("DROP MATERIALIZED VIEW m")
    assert "has been dropped" in sleeper.read()[0][1]["M"]


def test_cancel_stops_a_running_query(start):
    sandbox = start()
    client, other = sandbox.client(), sandbox.client()
    client.send("Query", "SELECT pg_sleep(300)")
    eventually(lambda: is_running(other, "pg_sleep"))
    sandbox.cancel(client.conn.key)
    assert client.read()[0][0] == "ErrorResponse"
    assert client.rows("SELECT 1") == [["1"]]


def test_cancel_stops_a_query_from_its_beginning(start):
    sandbox = start()
    client, other = sandbox.client(), sandbox.client()
    for number in range(200):
        client.send("Query", f"SELECT '{number}', pg_sleep(300)")
        while not any(f"'{number}'" in (row[-1] or "") for row in other.rows("SHOW PROCESSLIST")):
            pass
        sandbox.cancel(client.conn.key)
        assert client.read()[0][0] == "ErrorResponse"
    sandbox.cancel(client.conn.key)
    assert client.rows("SELECT 1") == [["1"]]


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


def test_encryption_requests_are_answered_no(start):
    conn = start().connection()
    for code in (80877103, 80877104):
        conn.sock.sendall(struct.pack(">ii", 8, code))
        assert conn.sock.recv(1) == b"N"
    conn.startup()
    assert conn.recv(5) == ("Authentication", 0)


def test_password_login_sends_no_key(start):
    sandbox = start("--password", "root=secret")
    for password, last in (("secret", "ReadyForQuery"), ("wrong", "Closed")):
        conn = sandbox.connection()
        conn.startup()
        assert conn.recv(5) == ("Authentication", 3)
        conn.send("p", password.encode() + b"\0")
        names = []
        while not names or names[-1] not in ("ReadyForQuery", "Closed"):
            names.append(conn.recv(5)[0])
        assert "BackendKeyData" not in names
        assert names[-1] == last


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


def test_explain_of_a_view_is_refused_in_words_of_its_own(start):
    """As the source has it (explain.rs, 2.2 to 3.0): with OR REPLACE and without."""
    client = start().client()
    for head in ("CREATE VIEW", "CREATE OR REPLACE VIEW"):
        told = client.error(f"EXPLAIN {head} v AS SELECT 1 AS x")["M"].splitlines()
        assert told[3] == "  Not supported: EXPLAIN CREATE VIEW"
        assert told[4].startswith("HINT: A created VIEW is just an alias.")
    assert client.rows("SHOW VIEWS") == []


def test_ends_quietly(start):
    sandbox = start()
    sandbox.client().rows("SELECT 1")
    assert sandbox.stop() == (0, "")
