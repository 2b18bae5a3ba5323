"""Builds: what is seen of them, how they are ended, those that hang or fail, recoveries."""

from __future__ import annotations

import re
import time

import pytest
from conftest import SETUP, VIEWS, eventually

BACKGROUND = "SET background_ddl = true"
CREATE = "CREATE MATERIALIZED VIEW m AS SELECT a FROM t"
STATES = "SELECT status FROM rw_streaming_jobs WHERE name = 'm'"
FAILED = "failed to wait streaming job finish: "


def test_background_build_is_visible_but_not_readable(start):
    client = start("--build-time", "3").client()
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
    sandbox = start("--build-time", "300")
    builder, other = sandbox.client(), sandbox.client()
    builder.do(*SETUP)
    builder.send("Query", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    eventually(lambda: other.rows(VIEWS) == [["m", "t"]])
    other.do("DROP MATERIALIZED VIEW m")
    assert builder.read()[0][1]["M"].endswith("3: Cancelled: create\n")
    assert other.rows(VIEWS) == []


def test_before_2_7_a_creating_view_cannot_be_dropped(start):
    client = start("--version", "2.6", "--build-time", "300").client()
    client.do(*SETUP, "SET background_ddl = true", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    assert "can not drop 1 creating streaming job" in client.error("DROP MATERIALIZED VIEW m")["M"]
    [[job, *_]] = client.rows("SHOW JOBS")
    assert client.rows(f"CANCEL JOBS {job}") == [[job]]
    assert client.rows(VIEWS) == []


def test_a_client_that_leaves_does_not_stop_its_build(start):
    sandbox = start("--build-time", "3")
    builder, other = sandbox.client(), sandbox.client()
    builder.do(*SETUP)
    builder.send("Query", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    eventually(lambda: other.rows(VIEWS) == [["m", "t"]])
    builder.conn.sock.close()
    eventually(lambda: other.rows(VIEWS) == [["m", "f"]])


def test_progress_only_grows(start):
    client = start("--build-time", "2").client()
    client.do("CREATE TABLE t (a INT)", "INSERT INTO t SELECT * FROM generate_series(1, 1000)")
    client.do(BACKGROUND, CREATE)
    shares = []
    while found := client.rows("SELECT progress FROM rw_ddl_progress"):
        shares.append(float(found[0][0].split("%")[0]))
    assert shares == sorted(shares)
    assert len(set(shares)) > 1 and 0 <= shares[0] and shares[-1] <= 100


def test_a_hanging_build_ends_by_cancel_or_drop_only(start):
    sandbox = start("--build-hang", "view m as", "--build-time", "0.05")
    client = sandbox.client()
    client.do(*SETUP, BACKGROUND, CREATE)
    eventually(lambda: client.rows("SELECT progress FROM rw_ddl_progress") == [["50.00% (1/2)"]])
    time.sleep(0.2)
    [[job, *_]] = client.rows("SHOW JOBS")
    assert client.rows(f"CANCEL JOBS {job}") == [[job]]
    client.do(CREATE, "DROP MATERIALIZED VIEW m")
    assert client.rows(VIEWS) == []
    client.do("CREATE MATERIALIZED VIEW n AS SELECT a FROM t", "WAIT")
    client.do("SET background_ddl = false")
    client.send("Query", CREATE)
    eventually(lambda: sandbox.client().rows(VIEWS) == [["m", "t"], ["n", "f"]])
    sandbox.cancel(client.conn.key)
    assert client.read()[0][1]["M"].endswith("3: Cancelled: create\n")


def test_the_nth_build_hangs(start):
    client = start("--build-hang", "view m@2").client()
    client.do(*SETUP, CREATE, "DROP MATERIALIZED VIEW m", BACKGROUND, CREATE)
    eventually(lambda: client.rows("SELECT progress FROM rw_ddl_progress") == [["50.00% (1/2)"]])
    client.do("DROP MATERIALIZED VIEW m", CREATE, "WAIT")
    assert client.rows(VIEWS) == [["m", "f"]]


def test_a_build_in_the_background_is_cancelled_until_its_create_is_answered(start):
    sandbox = start("--first-barrier", "3", "--build-time", "300")
    client, other = sandbox.client(), sandbox.client()
    client.do(*SETUP, BACKGROUND)
    client.send("Query", CREATE)
    eventually(lambda: other.rows(VIEWS) == [["m", "t"]])
    sandbox.cancel(client.conn.key)
    assert client.read()[0][1]["M"].endswith("3: Cancelled: create\n")
    assert other.rows(VIEWS) == []
    begin = time.monotonic()
    client.do(CREATE)
    assert time.monotonic() - begin >= 3
    sandbox.cancel(client.conn.key)
    assert client.rows(VIEWS) == [["m", "t"]]


def test_a_cancel_of_the_session_ends_a_foreground_build_in_the_extended_protocol(start):
    sandbox = start("--build-time", "300")
    client, other = sandbox.client(), sandbox.client()
    client.do(*SETUP)
    client.send("Parse", {"sql": CREATE})
    client.send("Bind", {})
    client.send("Execute", {})
    client.send("Sync")
    eventually(lambda: other.rows(VIEWS) == [["m", "t"]])
    sandbox.cancel(client.conn.key)
    answer = client.read()
    assert [name for name, _ in answer] == [
        "ParseComplete",
        "BindComplete",
        "ErrorResponse",
        "ReadyForQuery",
    ]
    assert answer[2][1]["M"].endswith("3: Cancelled: create\n")
    assert other.rows(VIEWS) == []


def test_the_nth_build_fails_in_the_foreground(start):
    client = start("--build-fail", "view m@2").client()
    client.do(*SETUP, CREATE, "DROP MATERIALIZED VIEW m")
    error = client.error(CREATE)
    assert error["C"] == "XX000"
    assert error["M"].endswith(f"failed: Internal error\n  2: {FAILED}injected failure\n")
    assert client.rows(VIEWS) == []
    client.do(CREATE)


def test_a_failing_build_vanishes_in_the_background(start):
    client = start("--build-fail", "view m", "--build-time", "6").client()
    client.do(*SETUP, BACKGROUND, CREATE)
    assert client.rows(VIEWS) == [["m", "t"]]
    client.do("WAIT")
    assert client.rows(VIEWS) == client.rows("SHOW JOBS") == []


def test_an_index_build_may_fail_too(start):
    client = start("--build-fail", "create index").client()
    client.do(*SETUP)
    assert "DdlService/CreateIndex" in client.error("CREATE INDEX i ON t(b)")["M"]
    assert client.rows("SELECT name FROM rw_indexes") == []


def test_recover_kills_builds_in_the_foreground(start):
    sandbox = start("--build-time", "300")
    builder, other = sandbox.client(), sandbox.client()
    builder.do(*SETUP)
    builder.send("Query", CREATE)
    eventually(lambda: other.rows(VIEWS) == [["m", "t"]])
    assert other.query("RECOVER")[0] == ("CommandComplete", "RECOVER")
    error = builder.read()[0][1]
    assert error["C"] == "XX000" and error["M"].endswith(f"{FAILED}adhoc recovery\n")
    assert other.rows(VIEWS) == []
    builder.do("SELECT 1")


def test_builds_in_the_background_survive_a_recovery_and_look_created(start):
    sandbox = start("--build-time", "4", "--frontends", "2", "--lag", "30")
    client, other = sandbox.client(), sandbox.client(frontend=1)
    client.do(*SETUP, BACKGROUND, CREATE, "RECOVER")
    for one in (client, other):
        looks = "SELECT created_at IS NOT NULL, background_ddl FROM rw_materialized_views"
        assert one.rows(looks) == [["t", "f"]]
        assert one.rows(STATES) == [["CREATING"]]
        assert one.rows("SHOW MATERIALIZED VIEWS") == []
        assert one.error("SELECT a FROM m")["C"] == "42704"
    client.do("WAIT")
    assert client.rows(STATES) == [["CREATED"]]
    assert len(client.rows("SELECT a FROM m")) == 2


def test_only_superusers_may_recover(start):
    sandbox = start()
    sandbox.client().do("CREATE USER bob")
    assert "only superusers" in sandbox.client("bob").error("RECOVER")["M"]


@pytest.mark.parametrize("background", [False, True])
def test_a_recovery_at_the_nth_statement(start, background):
    sandbox = start("--recover-at", "^create materialized@2", "--build-time", "0.3")
    client = sandbox.client()
    client.do(*SETUP, "CREATE MATERIALIZED VIEW first AS SELECT a FROM t")
    if background:
        client.do(BACKGROUND, CREATE)
        assert client.rows(STATES) == [["CREATING"]]
        client.do("WAIT")
        assert client.rows(STATES) == [["CREATED"]]
    else:
        assert client.error(CREATE)["M"].endswith(f"{FAILED}adhoc recovery\n")
        assert client.rows(VIEWS) == [["first", "f"]]


def test_a_recovery_at_a_swap_changes_nothing_of_it(start):
    client = start("--recover-at", "swap with").client()
    client.do("CREATE VIEW x AS SELECT 1 AS a", "CREATE VIEW y AS SELECT 2 AS a")
    client.do("ALTER VIEW x SWAP WITH y")
    assert client.rows("SELECT a FROM x") == [["2"]]
