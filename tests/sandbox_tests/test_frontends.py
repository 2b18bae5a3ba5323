"""Several frontends: late catalogs, objects that are gone, cancel keys that repeat, one cluster."""

from __future__ import annotations

import socket
import time

import pytest
from conftest import FRONTENDS, SETUP, VIEWS, eventually, is_running

LAG = ("--frontends", "2", "--lag", "3", "--build-time", "0.02")
PAIR = (
    "CREATE MATERIALIZED VIEW m AS SELECT a FROM t WHERE a = 1",
    "CREATE MATERIALIZED VIEW m_tmp AS SELECT b AS a FROM t WHERE a = 2",
)
NAMES = "SELECT name FROM rw_relations ORDER BY id"


@pytest.fixture
def cluster(start):
    """A client on each frontend; both know the two views."""
    sandbox = start(*LAG)
    here, there = sandbox.client(), sandbox.client(frontend=1)
    here.do(*SETUP, *PAIR)
    eventually(lambda: there.rows("SHOW MATERIALIZED VIEWS") == [["public.m"], ["public.m_tmp"]])
    return here, there


def test_ports_follow_the_first_one(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    sandbox = start("--port", str(port), FRONTENDS, "3")
    assert sandbox.ports == [port, port + 1, port + 2]


def test_a_swap_reaches_the_other_frontend_late_and_whole(cluster):
    here, there = cluster
    both = "SELECT (SELECT a FROM m), (SELECT a FROM m_tmp)"
    begin = time.monotonic()
    here.do("ALTER MATERIALIZED VIEW m_tmp SWAP WITH m")
    assert here.rows(both) == [["20", "1"]]
    seen = [there.rows(both)[0]]
    while seen[-1] != ["20", "1"]:
        seen.append(there.rows(both)[0])
    assert time.monotonic() - begin > 2.9
    assert seen[0] == ["1", "20"]
    assert all(row in (["1", "20"], ["20", "1"]) for row in seen)


def test_create_rename_grant_and_drop_reach_the_other_frontend_late(cluster):
    here, there = cluster
    here.do(
        "CREATE VIEW v AS SELECT 1 AS a",
        "ALTER MATERIALIZED VIEW m_tmp RENAME TO n",
        "CREATE USER bob",
        "GRANT SELECT ON MATERIALIZED VIEW m TO bob",
        "DROP MATERIALIZED VIEW n",
    )
    acl = "SELECT acl FROM rw_materialized_views WHERE name = 'm'"
    assert here.rows(NAMES) == [["t"], ["m"], ["v"]]
    assert there.rows(NAMES) == [["t"], ["m"], ["m_tmp"]]
    assert "bob" in here.rows(acl)[0][0] and "bob" not in there.rows(acl)[0][0]
    eventually(lambda: there.rows(NAMES) == [["t"], ["m"], ["v"]])
    assert "bob" in there.rows(acl)[0][0]


def test_a_frontend_that_names_a_dropped_view_gets_the_recorded_error(cluster):
    here, there = cluster
    here.do("DROP MATERIALIZED VIEW m")
    error = there.error("SELECT a FROM m")
    assert error["C"] == "XX000"
    assert "Streaming vnode mapping not found for fragment" in error["M"]
    eventually(lambda: there.error("SELECT a FROM m")["C"] == "42704")


def test_what_a_late_frontend_prepares_on_a_dropped_view_fails_at_execute(cluster):
    here, there = cluster
    here.do("DROP MATERIALIZED VIEW m")
    there.send("Parse", {"sql": "SELECT a FROM m"})
    there.send("Bind", {})
    there.send("Execute", {})
    there.send("Sync")
    answer = there.read()
    assert [name for name, _ in answer] == [
        "ParseComplete",
        "BindComplete",
        "ErrorResponse",
        "ReadyForQuery",
    ]
    assert answer[2][1]["M"].startswith("Failed to execute the statement\n")


def test_a_query_on_the_other_frontend_dies_with_its_view(cluster):
    here, there = cluster
    there.send("Query", "SELECT a, pg_sleep(4) FROM m")
    eventually(lambda: is_running(here, "pg_sleep"))
    here.do("DROP MATERIALIZED VIEW m")
    assert "has been dropped" in there.read()[0][1]["M"]


def test_a_late_frontend_works_on_ids(cluster):
    here, there = cluster
    [[old]] = here.rows("SELECT id FROM rw_relations WHERE name = 'm'")
    here.do("ALTER MATERIALIZED VIEW m_tmp SWAP WITH m")
    # For this frontend m is still the old object, which meta calls m_tmp by now.
    there.do("DROP MATERIALIZED VIEW m")
    assert there.rows(NAMES) == [["t"], ["m"]]
    assert there.rows("SELECT id FROM rw_relations WHERE name = 'm'") != [[old]]


def test_ddl_of_a_late_frontend_is_checked_by_meta(cluster):
    here, there = cluster
    here.do("CREATE VIEW v AS SELECT 1 AS a", "DROP MATERIALIZED VIEW m_tmp")
    error = there.error("CREATE VIEW v AS SELECT 2 AS a")
    assert error["C"] == "42710" and "DdlService/CreateView" in error["M"]
    error = there.error("DROP MATERIALIZED VIEW m_tmp")
    assert error["C"] == "42704" and "table id not found: " in error["M"]


def test_an_own_ddl_shows_everything_before_it(cluster):
    here, there = cluster
    here.do("CREATE VIEW v AS SELECT 1 AS a")
    assert ["v"] not in there.rows(NAMES)
    there.do("CREATE VIEW w AS SELECT 1 AS a")
    assert there.rows(NAMES) == [["t"], ["m"], ["m_tmp"], ["v"], ["w"]]


def test_jobs_and_their_states_are_metas(start):
    sandbox = start("--frontends", "2", "--lag", "5", "--build-hang", "view m")
    here, there = sandbox.client(), sandbox.client(frontend=1)
    here.do(*SETUP, "SET background_ddl = true", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    assert there.rows(VIEWS) == []
    assert there.rows("SELECT name, status FROM rw_streaming_jobs WHERE name = 'm'") == [
        ["m", "CREATING"]
    ]
    assert len(there.rows("SHOW JOBS")) == len(there.rows("SELECT * FROM rw_ddl_progress")) == 1


@pytest.mark.parametrize(("version", "pairs"), [("2.8", 1), ("3.0", 0)])
def test_dependencies_are_the_frontends_own_since_3_0(start, version, pairs):
    sandbox = start("--frontends", "2", "--lag", "5", "--version", version)
    here, there = sandbox.client(), sandbox.client(frontend=1)
    here.do("CREATE TABLE t (a INT)", "CREATE VIEW v AS SELECT a FROM t")
    assert len(there.rows("SELECT * FROM rw_depend")) == pairs


def test_a_background_create_is_answered_before_its_view_is_shown(start):
    sandbox = start("--create-lag", "3", "--build-time", "300")
    client, other = sandbox.client(), sandbox.client()
    client.do(*SETUP, "SET background_ddl = true")
    begin = time.monotonic()
    client.do("CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    assert client.rows(VIEWS) == other.rows(VIEWS) == []
    assert client.error("DROP MATERIALIZED VIEW m")["C"] == "42704"
    eventually(lambda: client.rows(VIEWS) == [["m", "t"]])
    assert time.monotonic() - begin > 2.9


def test_a_foreground_create_is_shown_at_once_whatever_the_lag(start):
    client = start("--create-lag", "5", "--lag", "5").client()
    client.do(*SETUP, "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    assert client.rows(VIEWS) == [["m", "f"]]


def test_the_next_ddl_ends_the_create_lag(start):
    client = start("--create-lag", "5", "--build-time", "30").client()
    client.do(*SETUP, "SET background_ddl = true", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    client.do("CREATE VIEW v AS SELECT 1 AS a")
    assert client.rows(VIEWS) == [["m", "t"]]


def test_cancel_keys_repeat_and_reach_their_own_frontend_only(start):
    sandbox = start(FRONTENDS, "2")
    here, there = sandbox.client(), sandbox.client(frontend=1)
    assert here.conn.key == there.conn.key == bytes(8)
    here.send("Query", "SELECT pg_sleep(300)")
    there.send("Query", "SELECT pg_sleep(3)")
    watcher = sandbox.client()
    eventually(lambda: is_running(watcher, "(300)") and is_running(watcher, "(3)"))
    sandbox.cancel(here.conn.key)
    assert here.read()[0][0] == "ErrorResponse"
    assert there.read()[-2] == ("CommandComplete", "SELECT 1")


def test_the_process_list_is_of_the_whole_cluster(start):
    sandbox = start(FRONTENDS, "2")
    clients = [sandbox.client(), sandbox.client(), sandbox.client(frontend=1)]
    for client in clients:
        listed = client.rows("SHOW PROCESSLIST")
        assert [row[:2] for row in listed] == [["1", "1:0"], ["1", "1:1"], ["2", "2:0"]]


def test_the_log_tells_the_frontends_apart(start, tmp_path):
    sandbox = start(FRONTENDS, "2", "--log", str(tmp_path / "log"))
    for frontend in (0, 1):
        sandbox.client(frontend=frontend).rows("SELECT 1")
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split("\t")[1] for line in lines] == ["1:0", "2:0"]
