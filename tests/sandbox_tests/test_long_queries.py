"""Queries that run while what they read is dropped; what a recovery that takes time refuses."""

from __future__ import annotations

import time

import pytest
from conftest import FRONTENDS, SETUP, eventually, is_running

DIED = "has been dropped"
RECOVERING = "The cluster is recovering"
VIEWS = (
    "CREATE MATERIALIZED VIEW x AS SELECT a, b FROM t",
    "CREATE MATERIALIZED VIEW x_tmp AS SELECT a, b FROM t WHERE a > 1",
    "CREATE VIEW v AS SELECT a FROM x",
)
SWAP = "ALTER MATERIALIZED VIEW x_tmp SWAP WITH x"
DROP = "DROP MATERIALIZED VIEW x_tmp CASCADE"


def send(client, protocol: str, sql: str) -> None:
    if protocol == "simple":
        client.send("Query", sql)
    else:
        client.send("Parse", {"sql": sql})
        client.send("Bind", {})
        client.send("Execute", {})
        client.send("Sync")


@pytest.mark.parametrize("protocol", ["simple", "extended"])
@pytest.mark.parametrize("frontend", [0, 1])
@pytest.mark.parametrize(
    ("sql", "dies"),
    [
        ("SELECT a, pg_sleep(1.5) FROM x", True),
        ("SELECT a, pg_sleep(1.5) FROM v", True),
        ("SELECT x.a, pg_sleep(1.5) FROM t JOIN x ON x.a = t.a", True),
        ("SELECT count(*), pg_sleep(1.5) FROM x", False),
        ("SELECT n, pg_sleep(1.5) FROM (SELECT b AS n FROM x ORDER BY b) q", False),
        ("SELECT a, pg_sleep(0.3) FROM t", False),
    ],
)
def test_a_reader_dies_of_the_drop_unless_it_has_read(start, protocol, frontend, sql, dies):
    sandbox = start(FRONTENDS, "2", "--lag", "0.05")
    root, reader = sandbox.client(), sandbox.client(frontend=frontend)
    root.do(*SETUP, *VIEWS)
    eventually(lambda: ["v"] in reader.rows("SELECT name FROM rw_relations"))
    send(reader, protocol, sql)
    eventually(lambda: is_running(root, "pg_sleep"))
    root.do(SWAP, DROP)
    answer = reader.read()
    errors = [message["M"] for name, message in answer if name == "ErrorResponse"]
    assert bool(errors) == dies, answer
    assert all(DIED in error for error in errors)
    reader.do("SELECT 1")


def test_a_sleep_takes_its_time_for_every_row(start):
    client = start().client()
    client.do(*SETUP)
    for sql, seconds in (
        ("SELECT a, pg_sleep(0.3) FROM t", 0.6),
        ("SELECT a, pg_sleep(0.3) FROM t WHERE a = 1", 0.3),
        ("SELECT count(*), pg_sleep(0.3) FROM t", 0.3),
    ):
        begin = time.monotonic()
        client.do(sql)
        assert time.monotonic() - begin >= seconds


def test_the_read_ends_at_the_first_row_after_the_drop(start):
    sandbox = start()
    root, reader = sandbox.client(), sandbox.client()
    root.do(*SETUP, "INSERT INTO t SELECT * FROM generate_series(3, 40), (SELECT 1) q", VIEWS[0])
    # All 40 rows would take longer than the answer is waited for.
    reader.send("Query", "SELECT a, pg_sleep(2) FROM x")
    eventually(lambda: is_running(root, "pg_sleep"))
    root.do("DROP MATERIALIZED VIEW x")
    assert DIED in reader.read(60)[0][1]["M"]


def test_nothing_is_built_during_a_recovery(start):
    sandbox = start("--recovery-time", "5")
    client, other = sandbox.client(), sandbox.client()
    client.do(*SETUP, *VIEWS, "CREATE USER bob")
    begin = time.monotonic()
    other.send("Query", "RECOVER")
    eventually(lambda: is_running(client, "RECOVER"))
    for sql in (
        "CREATE MATERIALIZED VIEW y AS SELECT a FROM t",
        "CREATE INDEX i ON x(a)",
        "CREATE TABLE u (a INT)",
    ):
        error = client.error(sql)
        assert error["C"] == "XX000" and RECOVERING in error["M"]
    client.do("CREATE VIEW w AS SELECT a FROM t", SWAP, "COMMENT ON TABLE x IS 'x'")
    client.do("GRANT SELECT ON MATERIALIZED VIEW x TO bob", DROP)
    assert client.rows("SELECT count(*) FROM x") == [["1"]]
    assert other.read()[0] == ("CommandComplete", "RECOVER")
    assert time.monotonic() - begin >= 5
    client.do("CREATE MATERIALIZED VIEW y AS SELECT a FROM t")


def test_builds_in_the_background_wait_for_the_end_of_a_recovery(start):
    sandbox = start("--recovery-time", "3", "--recover-at", "SELECT 4711", "--build-time", "0.2")
    client = sandbox.client()
    client.do(*SETUP, "SET background_ddl = true", VIEWS[0], "SELECT 4711")
    begin = time.monotonic()
    assert RECOVERING in client.error(VIEWS[1])["M"]
    client.do("WAIT")
    assert time.monotonic() - begin >= 0.5
    client.do(VIEWS[1])
