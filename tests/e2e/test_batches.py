"""Several statements in one Query, with candidates among them: every answer in its place."""

import pytest

import play
from conftest import Catalog, REPLACE, connect, make_view, rows, serving

DONE = ("CommandComplete", "CREATE_MATERIALIZED_VIEW")
READY = ("ReadyForQuery", "I")
STORY = ("NoticeResponse", "NOTICE")


def summary(name: str, value) -> tuple:
    """What is compared of a message: of reports only severity (notices) or SQLSTATE (errors)."""
    if name == "NoticeResponse":
        return name, value["S"]
    if name == "ErrorResponse":
        return name, value["C"]
    return (name, value) if name in ("CommandComplete", "DataRow", "ReadyForQuery") else (name,)


class Client:
    """Speaks the simple protocol and keeps every message."""

    def __init__(self, port: int):
        self.conn = play.Conn("127.0.0.1", port, {"user": "root", "database": "dev"})
        self.conn.startup()
        self.read()

    def read(self) -> list[tuple]:
        got = []
        while not got or got[-1][0] not in ("ReadyForQuery", "Closed"):
            name, value = self.conn.recv(30)
            got.append(summary(name, value))
        assert self.conn.recv(0.05) is None  # not one message more
        return got

    def query(self, sql: str) -> list[tuple]:
        self.conn.send("Q", sql.encode() + b"\0")
        return [m for m in self.read() if m[0] != "RowDescription"]


@pytest.fixture
def proxy():
    with serving() as running:
        make_view(running.server.port)
        yield running


def select(number: int) -> list[tuple]:
    return [("DataRow", [str(number)]), ("CommandComplete", "SELECT 1")]


def test_statements_before_and_after(proxy):
    got = Client(proxy.port).query(f"SELECT 1; {REPLACE}; SELECT 2; SELECT 3")
    assert got == [*select(1), STORY, STORY, DONE, *select(2), *select(3), READY]


def test_as_dbt_sends_it(proxy):
    got = Client(proxy.port).query('/* {"app": "dbt"} */\nset background_ddl = true;\n'
                                   "set streaming_parallelism = 2;\n\n  create or replace "
                                   'materialized view "dev"."public"."m"\n as select a, b from t\n'
                                   "  ;\n")
    assert got == [("CommandComplete", "SET_VARIABLE")] * 2 + [STORY, STORY, DONE, READY]
    assert not any(s.startswith("SET background") for s in proxy.server.statements())


def test_empty_pieces_are_nothing(proxy):
    assert Client(proxy.port).query(f";; {REPLACE} ;; /* x */ ; -- end") == [
        STORY, STORY, DONE, READY]


def test_several_candidates(proxy):
    got = Client(proxy.port).query(
        "CREATE OR REPLACE MATERIALIZED VIEW n AS SELECT b FROM t; SELECT 1; "
        f"{REPLACE}; CREATE OR REPLACE MATERIALIZED VIEW n AS SELECT b + 1 AS b FROM t; SELECT 2")
    assert got == [DONE, *select(1), STORY, STORY, DONE, STORY, STORY, DONE, *select(2), READY]
    catalog = Catalog(proxy.server.port)
    assert sorted(rows(catalog.conn, "SELECT * FROM n")) == [(11,), (21,)]
    assert catalog.leftovers() == set()


@pytest.mark.parametrize("batch, before", [
    (f"SELECT nope; {REPLACE}; SELECT 2", []),
    (f"SELECT 1; SELECT nope; {REPLACE}", select(1)),
    ("SELECT 1; CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT nope FROM t; SELECT 2",
     [*select(1), STORY]),
])
def test_the_first_error_stops_the_rest(proxy, batch, before):
    catalog = Catalog(proxy.server.port)
    was = catalog.view_id("m")
    client = Client(proxy.port)
    assert client.query(batch) == [*before, ("ErrorResponse", "XX000"), READY]
    assert catalog.view_id("m") == was and catalog.leftovers() == set()
    assert client.query("SELECT 1") == [*select(1), READY]


def test_an_error_behind_a_replacement_leaves_it_done(proxy):
    got = Client(proxy.port).query(f"{REPLACE}; SELECT nope; SELECT 2")
    assert got == [STORY, STORY, DONE, ("ErrorResponse", "XX000"), READY]
    with connect(proxy.port) as conn:
        assert rows(conn, "SELECT * FROM m ORDER BY a") == [(1, 10), (2, 20)]


@pytest.mark.parametrize("batch", [
    f"SELECT 1; {REPLACE}; SELEC 2", f"SELEC 1; {REPLACE}",
    "SELECT 1; CREATE OR REPLACE MATERIALIZED VIEW m AS SELEC a FROM t; SELECT 2"])
def test_a_syntax_error_anywhere_runs_nothing(proxy, batch):
    direct = Client(proxy.server.port).query(batch)
    assert Client(proxy.port).query(batch) == direct == [("ErrorResponse", "XX000"), READY]
    assert not any("_tmp_" in s for s in proxy.server.statements())


@pytest.mark.parametrize("first", [
    "CREATE OR REPLACE VIEW IF NOT EXISTS w AS SELECT 1 AS x",
    "CREATE OR REPLACE MATERIALIZED VIEW IF NOT EXISTS m AS SELECT a FROM t"])
def test_what_is_refused_alike_in_front_passes_as_a_whole(proxy, first):
    batch = f"SELECT 1; {first}; {REPLACE}; SELECT 2"
    direct = Client(proxy.server.port).query(batch)
    assert Client(proxy.port).query(batch) == direct
    assert direct == [*select(1), ("ErrorResponse", "XX000"), READY]


def test_what_is_refused_alike_behind_stops_there(proxy):
    refused = "CREATE OR REPLACE VIEW IF NOT EXISTS w AS SELECT 1"
    got = Client(proxy.port).query(f"{REPLACE}; SELECT 1; {refused}")
    assert got == [STORY, STORY, DONE, *select(1), ("ErrorResponse", "XX000"), READY]


def test_a_transaction_begun_in_the_batch(proxy):
    client = Client(proxy.port)
    got = client.query(f"BEGIN READ ONLY; {REPLACE}; SELECT 2")
    assert got == [("CommandComplete", "BEGIN"), ("ErrorResponse", "25006"), ("ReadyForQuery", "T")]
    assert client.query(f"COMMIT; {REPLACE}") == [("CommandComplete", "COMMIT"), STORY, STORY, DONE,
                                                  READY]


def test_large_results_in_front_stream_through(proxy):
    got = Client(proxy.port).query("SELECT * FROM generate_series(1, 20000); "
                                   f"{REPLACE}; SELECT * FROM generate_series(1, 20000)")
    assert got == [*[("DataRow", [str(n)]) for n in range(1, 20001)],
                   ("CommandComplete", "SELECT 20000"), STORY, STORY, DONE,
                   *[("DataRow", [str(n)]) for n in range(1, 20001)],
                   ("CommandComplete", "SELECT 20000"), READY]
