"""Faults at the N-th statement: failing, cutting, delaying, crashing."""

from __future__ import annotations

import subprocess
import time

import pytest
from conftest import RUN, SETUP, eventually, play


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


def test_several_faults_of_one_kind_count_apart(start):
    client = start("--fail", "select 1@2", "--fail", "select@3").client()
    outcomes = ["ErrorResponse" in dict(client.query(f"SELECT {i}")) for i in (1, 2, 1, 1)]
    assert outcomes == [False, False, True, False]


def test_faults_strike_at_execute_of_the_extended_protocol(start):
    client = start("--fail", "select 7").client()
    client.send("Parse", {"sql": "SELECT 7"})
    client.send("Bind", {})
    client.send("Execute", {})
    client.send("Sync")
    names = [message[0] for message in client.read()]
    assert names == ["ParseComplete", "BindComplete", "ErrorResponse", "ReadyForQuery"]


def test_a_delayed_answer_comes_late_but_the_work_is_done(start):
    sandbox = start("--delay", "^create view@2=3")
    client, other = sandbox.client(), sandbox.client()
    client.do("CREATE VIEW x AS SELECT 1 AS a")
    begin = time.monotonic()
    client.send("Query", "CREATE VIEW y AS SELECT 2 AS a")
    eventually(lambda: other.query("SELECT a FROM y")[1] == ("DataRow", ["2"]))
    assert client.conn.recv(0.001) is None
    assert client.read()[0][0] == "CommandComplete"
    assert time.monotonic() - begin >= 3


def test_an_error_is_delayed_too(start):
    client = start("--delay", "from nowhere=0.3").client()
    begin = time.monotonic()
    assert client.error("SELECT * FROM nowhere")["C"] == "42704"
    assert time.monotonic() - begin >= 0.3


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_resets_all_connections(start, after):
    fault = ("after:" if after else "") + "copied@2"
    sandbox = start("--crash", fault)
    client, other = sandbox.client(), sandbox.client()
    client.do("CREATE TABLE copied (a INT)")
    client.send("Query", "DROP TABLE copied")
    for one in (client, other):
        one.conn.sock.settimeout(60)
        with pytest.raises(ConnectionResetError):
            one.conn.sock.recv(1)
    code, complaints = sandbox.died()
    assert code == 71
    assert complaints == "crashed at: DROP TABLE copied\n"
    with pytest.raises(ConnectionRefusedError):
        play.Conn("127.0.0.1", sandbox.port, {})


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_happens_before_or_after_the_work(start, after):
    fault = ("after:" if after else "") + "create materialized"
    # The other way the answer would not come in time.
    sandbox = start("--crash", fault, "--build-time", "0.6" if after else "600")
    client = sandbox.client()
    client.do(*SETUP)
    begin = time.monotonic()
    assert client.query("CREATE MATERIALIZED VIEW m AS SELECT a FROM t")[0][0] == "Closed"
    assert not after or time.monotonic() - begin >= 0.6


def test_a_crash_before_the_statement_strikes_before_a_failure(start):
    sandbox = start("--crash", "select 5", "--fail", "select 5")
    sandbox.client().query("SELECT 5")
    assert sandbox.died()[0] == 71


@pytest.mark.parametrize(
    "switches",
    [
        ("--fail", "("),
        ("--delay", "x"),
        ("--delay", "x@1=soon"),
        ("--lag", "-1"),
        ("--frontends", "0"),
        ("--version", "9.9"),
    ],
)
def test_bad_switches_are_refused(switches):
    done = subprocess.run([str(RUN), *switches], capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert b"usage: run" in done.stderr
