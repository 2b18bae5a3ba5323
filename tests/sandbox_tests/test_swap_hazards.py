"""What can go wrong between the look-up of a swap and meta's turn, and texts that meta cannot
parse.
"""

from __future__ import annotations

import threading

import pytest
from conftest import SETUP, Client, eventually, is_running

PAIR = ("CREATE VIEW x AS SELECT 1 AS a", "CREATE VIEW y AS SELECT 2 AS a")
WINDOW = ("--swap-window", "3")


def while_swapping(client: Client, other: Client, statement: str) -> list[tuple]:
    """The answer of the swap; the statement of another session hits its window."""
    client.send("Query", "ALTER VIEW x SWAP WITH y")
    eventually(lambda: is_running(other, "SWAP"))
    other.do(statement)
    return client.read()


def test_meta_dies_when_the_first_object_is_dropped(start):
    sandbox = start(*WINDOW)
    client = sandbox.client()
    client.do(*PAIR)
    assert while_swapping(client, sandbox.client(), "DROP VIEW x") == [("Closed", None)]
    code, complaints = sandbox.died()
    assert code == 72
    assert complaints.startswith("meta died: view ") and complaints.count("\n") == 1


def test_the_drop_of_the_second_object_is_a_clean_error(start):
    sandbox = start(*WINDOW)
    client = sandbox.client()
    client.do(*PAIR)
    name, error = while_swapping(client, sandbox.client(), "DROP VIEW y")[0]
    assert name == "ErrorResponse" and error["C"] == "42704"
    assert "DdlService/AlterSwapRename" in error["M"] and "id not found: " in error["M"]
    assert client.rows("SELECT a FROM x") == [["1"]]


@pytest.mark.parametrize(
    ("renamed", "left"), [("x", {"y": "1", "z": "2"}), ("y", {"x": "2", "z": "1"})]
)
def test_a_rename_in_the_window_leaves_ids_and_a_name_without_object(start, renamed, left):
    sandbox = start(*WINDOW)
    client = sandbox.client()
    client.do(*PAIR)
    answer = while_swapping(client, sandbox.client(), f"ALTER VIEW {renamed} RENAME TO z")
    assert answer[0] == ("CommandComplete", "ALTER_VIEW")
    assert {name: client.rows(f"SELECT a FROM {name}")[0][0] for name in left} == left
    assert client.rows("SELECT count(*) FROM rw_views") == [["2"]]


def test_two_opposite_swaps_both_succeed(start):
    sandbox = start(*WINDOW)
    clients = [sandbox.client(), sandbox.client()]
    clients[0].do(*PAIR)
    swaps = ("ALTER VIEW x SWAP WITH y", "ALTER VIEW y SWAP WITH x")
    threads = [
        threading.Thread(target=client.do, args=(swap,))
        for client, swap in zip(clients, swaps, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clients[0].rows("SELECT a FROM x") == [["1"]]


def test_a_late_frontend_may_kill_meta_without_a_window(start):
    sandbox = start("--frontends", "2", "--lag", "5")
    here, there = sandbox.client(), sandbox.client(frontend=1)
    there.do(*PAIR)
    here.do("CREATE VIEW z AS SELECT 3 AS a")  # now it knows the others as well
    there.do("DROP VIEW y")
    assert here.error("ALTER VIEW x SWAP WITH y")["C"] == "42704"
    assert here.query("ALTER VIEW y SWAP WITH x") == [("Closed", None)]
    assert sandbox.died()[0] == 72


def test_meta_dies_of_a_text_that_reads_as_a_comment(start):
    sandbox = start()
    client = sandbox.client()
    client.do(*SETUP, "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    client.do("CREATE INDEX i ON m((- -1))")
    assert "--1" in client.rows("SELECT definition FROM rw_indexes")[0][0]
    assert client.query("ALTER MATERIALIZED VIEW m RENAME TO n") == [("Closed", None)]
    code, complaints = sandbox.died()
    assert code == 72
    assert complaints.startswith("meta died: cannot parse the definition of index i: ")


def test_before_2_5_the_second_swap_of_a_name_that_needs_quotes_kills_meta(start):
    sandbox = start("--version", "2.2")
    client = sandbox.client()
    client.do(*SETUP)
    client.do('CREATE MATERIALIZED VIEW "my-view" AS SELECT a FROM t')
    client.do("CREATE MATERIALIZED VIEW m_tmp AS SELECT b FROM t")
    client.do('ALTER MATERIALIZED VIEW m_tmp SWAP WITH "my-view"')
    texts = [row[0] for row in client.rows("SELECT definition FROM rw_materialized_views")]
    assert "CREATE MATERIALIZED VIEW my-view AS SELECT b FROM t" in texts
    assert client.query('ALTER MATERIALIZED VIEW m_tmp SWAP WITH "my-view"')[0][0] == "Closed"
    assert sandbox.died()[0] == 72


def test_before_2_5_a_dependent_is_written_without_quotes_too(start):
    sandbox = start("--version", "2.2")
    client = sandbox.client()
    client.do(*PAIR, "CREATE VIEW reader AS SELECT a FROM x")
    client.do('ALTER VIEW x RENAME TO "my-view"')
    [[text]] = client.rows("SELECT definition FROM rw_views WHERE name = 'reader'")
    assert text == "CREATE VIEW reader AS SELECT a FROM my-view AS x"
    assert client.rows("SELECT a FROM reader") == [["1"]]
    assert client.query('ALTER VIEW "my-view" RENAME TO x') == [("Closed", None)]
    assert sandbox.died()[0] == 72


@pytest.mark.parametrize("version", ["2.6", "3.0"])
def test_names_that_need_quotes_survive_since_2_5(start, version):
    client = start("--version", version).client()
    client.do(*PAIR, 'ALTER VIEW x RENAME TO "My-View"')
    for _ in range(3):
        client.do('ALTER VIEW y SWAP WITH "My-View"')
    assert client.rows('SELECT a FROM "My-View"') == [["2"]]
