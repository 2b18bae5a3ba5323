"""The process list, and KILL."""

from __future__ import annotations

import time

import pytest
from conftest import FRONTENDS, SETUP, eventually, is_running

VERSIONS = ("2.2", "2.6", "2.7", "2.8", "3.0")


def listed(client, word: str) -> list[list]:
    """Processes whose statement has this word, without the one that asks."""
    found = client.rows("SHOW PROCESSLIST")
    return [row for row in found if word in (row[-1] or "") and "PROCESSLIST" not in row[-1]]


def running(sandbox, sql: str, word: str, watcher=None) -> tuple:
    """A client that is in the middle of a statement, and the row of the list that shows it."""
    client, watcher = sandbox.client(), watcher or sandbox.client()
    client.send("Query", sql)
    eventually(lambda: len(listed(watcher, word)) == 1)
    return client, listed(watcher, word)[0]


def test_time_and_text_of_what_runs(start):
    sandbox = start()
    watcher = sandbox.client()
    watcher.do(*SETUP)
    _, row = running(
        sandbox, "select  a::bigint,pg_sleep(9) from t /* x */ ; select 1", "pg_sleep", watcher
    )
    assert row[0] == "1" and row[1].startswith("1:") and row[4] == "dev"
    assert row[6] == "SELECT CAST(a AS BIGINT), pg_sleep(9) FROM t;SELECT 1"
    assert row[5].endswith("ms")
    before = int(row[5].removesuffix("ms"))
    time.sleep(0.2)
    after = int(listed(watcher, "pg_sleep")[0][5].removesuffix("ms"))
    assert after - before >= 150


def test_an_idle_session_has_neither_time_nor_text(start):
    sandbox = start()
    idle, watcher = sandbox.client(), sandbox.client()
    idle.do("SELECT 1", "BEGIN READ ONLY")
    [row] = [row for row in watcher.rows("SHOW PROCESSLIST") if row[6] is None]
    assert row[5] is None


@pytest.mark.parametrize(
    ("sql", "parameters", "shown"),
    [
        ("select pg_sleep(9)", {}, "SELECT pg_sleep(9), params = Some([])"),
        (
            "select pg_sleep(9), $1::int, $2::varchar, $3::bigint",
            {"params": ["7", 'a"b', None]},
            "SELECT pg_sleep(9), CAST($1 AS INT), CAST($2 AS CHARACTER VARYING), "
            'CAST($3 AS BIGINT), params = Some([Some(Int32(7)), Some(Utf8("a\\"b")), None])',
        ),
    ],
)
def test_statements_of_the_extended_protocol(start, sql, parameters, shown):
    sandbox = start()
    client, watcher = sandbox.client(), sandbox.client()
    client.send("Parse", {"sql": sql})
    client.send("Bind", parameters)
    client.send("Execute", {})
    client.send("Sync")
    eventually(lambda: len(listed(watcher, "pg_sleep")) == 1)
    assert listed(watcher, "pg_sleep")[0][6] == shown


def test_of_a_query_through_a_view_only_the_view_is_named(start):
    sandbox = start()
    watcher = sandbox.client()
    watcher.do(*SETUP, "CREATE VIEW v AS SELECT a FROM t")
    _, row = running(sandbox, "SELECT a, pg_sleep(9) FROM v", "pg_sleep", watcher)
    assert row[6] == "SELECT a, pg_sleep(9) FROM v"


@pytest.mark.parametrize("version", VERSIONS)
def test_long_texts_are_cut(start, version):
    sandbox = start("--version", version)
    sql = "SELECT pg_sleep(9), '" + "x" * 1200 + "'"
    _, row = running(sandbox, sql, "pg_sleep")
    size = len(sql)
    if version in ("2.6", "2.7"):  # cut twice
        size = 1024 + len(f"...(truncated,{size})")
    assert row[-1] == f"{sql[:1024]}...(truncated,{size})"


def test_long_texts_are_cut_between_characters(start):
    sql = "SELECT pg_sleep(9), 'x" + "ä" * 600 + "'"
    _, row = running(start("--version", "3.0"), sql, "pg_sleep")
    assert row[-1] == f"SELECT pg_sleep(9), 'x{'ä' * 501}...(truncated,{len(sql.encode())})"


def test_before_2_6_the_list_is_of_one_frontend(start):
    sandbox = start("--version", "2.2", FRONTENDS, "2", "--ghost", "SELECT 7")
    here, there = sandbox.client(), sandbox.client(frontend=1)
    there.send("Query", "select  pg_sleep(9)")
    watcher = sandbox.client(frontend=1)
    eventually(lambda: is_running(watcher, "pg_sleep"))
    found = here.rows("SHOW PROCESSLIST")
    assert [row[0] for row in found] == ["0", "9000"] and len(found[0]) == 6
    assert [row[0] for row in watcher.rows("SHOW PROCESSLIST")] == ["0", "1"]
    assert watcher.rows("SHOW PROCESSLIST")[0][-1] == "select  pg_sleep(9)"
    assert "parser error" in watcher.error("KILL '1:0'")["M"]
    assert watcher.query("KILL 0")[0] == ("CommandComplete", "KILL")
    assert there.read()[0][0] == "ErrorResponse"


def test_a_ghost_stays_listed_until_it_is_killed(start):
    client = start("--ghost", "SELECT a FROM x", "--ghost", "FETCH NEXT FROM c").client()
    [ghost], [other] = listed(client, "FROM x"), listed(client, "FETCH")
    assert ghost[:3] == ["1", "1:9000", "root"]
    assert (other[1], other[6]) == ("1:9001", "FETCH NEXT FROM c")
    assert int(ghost[5].removesuffix("ms")) >= 600_000
    time.sleep(0.1)
    assert int(listed(client, "FROM x")[0][5][:-2]) >= int(ghost[5][:-2]) + 90
    client.do("KILL '1:9000'")
    assert listed(client, "FROM x") == [] and listed(client, "FETCH") != []


def test_a_client_that_is_gone_stays_listed_while_its_statement_runs(start):
    sandbox = start()
    watcher = sandbox.client()
    client, _ = running(sandbox, "SELECT pg_sleep(3)", "pg_sleep", watcher)
    client.conn.sock.close()
    time.sleep(0.2)
    assert len(listed(watcher, "pg_sleep")) == 1
    eventually(lambda: listed(watcher, "pg_sleep") == [])


def test_kill_ends_the_statement_and_not_the_session(start):
    sandbox = start(FRONTENDS, "2")
    client = sandbox.client(frontend=1)
    client.send("Query", "SELECT pg_sleep(300)")
    watcher = sandbox.client()
    eventually(lambda: len(listed(watcher, "pg_sleep")) == 1)
    [row] = listed(watcher, "pg_sleep")
    assert row[:2] == ["2", "2:0"]
    assert watcher.query(f"KILL '{row[1]}'")[0] == ("CommandComplete", "KILL")
    assert "Cancelled by user" in client.read()[0][1]["M"]
    client.do("SELECT 1")


def test_kill_cancels_a_build_in_the_foreground(start):
    sandbox = start("--build-hang", "view m")
    builder, other = sandbox.client(), sandbox.client()
    builder.do(*SETUP)
    builder.send("Query", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    eventually(lambda: len(other.rows("SHOW JOBS")) == 1)
    other.do("KILL '1:0'")
    assert builder.read()[0][1]["M"].endswith("3: Cancelled: create\n")


@pytest.mark.parametrize(
    ("process", "problem"),
    [
        ("'7:0'", "Invalid Parameter Value: worker 7 not found"),
        ("'1'", "Invalid Parameter Value: invalid WorkerProcessId"),
        ("'a:b'", "Invalid Parameter Value: invalid WorkerProcessId"),
        ("'1:77'", "Session not found"),
        ("1", "expected literal string"),
    ],
)
def test_kill_of_nothing(start, process, problem):
    assert problem in start().client().error(f"KILL {process}")["M"]
