"""EXPLAIN CREATE OR REPLACE [MATERIALIZED] VIEW: a plan in both protocols, nothing is changed."""

import asyncio

import asyncpg
import psycopg
import psycopg2
import pytest

from conftest import REPLACE, Catalog, connect, make_view, serving
from test_differential import FLUSH, SYNC, Line, bind, close, describe, execute, parse, query

EXPLAIN = f"EXPLAIN {REPLACE}"


@pytest.fixture(scope="module")
def proxy():
    with serving("--build-time", "0.2") as running:
        make_view(running.server.port)
        yield running


@pytest.fixture(autouse=True)
def nothing_changes(proxy):
    """After each test the view is the one that was there, and nothing else is."""
    catalog = Catalog(proxy.server.port)
    before = catalog.view_id("m"), catalog.names()
    yield
    assert (catalog.view_id("m"), catalog.names()) == before
    catalog.conn.close()


@pytest.fixture(params=[None, True], ids=["simple", "extended"])
def session(proxy, request):
    # Without a threshold psycopg does not even heed prepare=True.
    with connect(proxy.port, prepare_threshold=5 if request.param else None) as conn:
        conn.run = lambda sql: conn.execute(sql, prepare=request.param)
        yield conn


def is_plan(cursor) -> bool:
    lines = cursor.fetchall()
    return (cursor.statusmessage == "EXPLAIN" and len(lines) >= 1
            and [column.name for column in cursor.description] == ["QUERY PLAN"]
            and all(isinstance(line, str) and line for (line,) in lines))


@pytest.mark.parametrize("sql", [
    EXPLAIN, f"/* a */ explain /* b */\n{REPLACE} -- c", f"{EXPLAIN};;", f"EXPLAIN {REPLACE.lower()}",
    EXPLAIN.replace("VIEW m", "VIEW public.m"), EXPLAIN.replace("VIEW m", "VIEW nothing_yet"),
    f"/* mvswap: build=foreground */ {EXPLAIN}",
    EXPLAIN.replace("MATERIALIZED VIEW m", "VIEW nothing_yet"),
    EXPLAIN.replace("MATERIALIZED VIEW", "TEMP VIEW"),
])
def test_a_plan_is_answered(session, sql):
    assert is_plan(session.run(sql))
    assert is_plan(session.run(sql))
    assert session.run("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("sql, code", [
    (f"{EXPLAIN} /* mvswap: notices=loud */", "22023"),
    (EXPLAIN.replace("EXPLAIN", "EXPLAIN /* mvswap: no=thing */"), "42704"),
])
def test_a_bad_hint_is_an_error(session, sql, code):
    with pytest.raises(psycopg.Error) as caught:
        session.run(sql)
    assert caught.value.sqlstate == code
    assert is_plan(session.run(EXPLAIN))


def test_what_would_be_refused_is_told(session):
    plan = [line for (line,) in session.run(EXPLAIN.replace("VIEW m", "VIEW t")).fetchall()]
    assert plan[0].startswith('Refused (42809): "public.t" is a table')


@pytest.mark.parametrize("sql", [
    f"EXPLAIN (VERBOSE) {REPLACE}",
    EXPLAIN.replace("VIEW m", "VIEW IF NOT EXISTS m"),
    EXPLAIN.replace("EXPLAIN", "EXPLAIN (VERBOSE)").replace("MATERIALIZED ", ""),
    "EXPLAIN CREATE VIEW w AS SELECT replace('a', 'b', 'c') AS x",
])
def test_other_forms_are_the_servers(proxy, session, sql):
    with pytest.raises(psycopg.Error) as caught:
        session.run(sql)
    with connect(proxy.server.port) as direct, pytest.raises(psycopg.Error) as same:
        direct.execute(sql)
    ours, its = caught.value.diag.message_primary, same.value.diag.message_primary
    assert ours.splitlines()[-2:] == its.splitlines()[-2:] and "EXPLAIN" in its


def test_parameters_are_the_servers(proxy):
    with (connect(proxy.port, prepare_threshold=5) as conn,
          pytest.raises(psycopg.Error, match="unsupported statement")):
        conn.execute(f"{EXPLAIN} WHERE a > %s", (1,), prepare=True)


def test_a_syntax_error_in_it_is_the_servers(proxy):
    with connect(proxy.port) as conn, pytest.raises(psycopg.Error, match="sql parser error"):
        conn.execute(EXPLAIN.replace("SELECT", "SELEC"))


def test_a_view_in_front_is_refused_alike(proxy):
    """Whose refusal it is could not be told: the batch passes as a whole."""
    batch = f"EXPLAIN CREATE VIEW w AS SELECT 1 AS x; {EXPLAIN.replace('MATERIALIZED ', '')}"
    with connect(proxy.port) as conn, pytest.raises(psycopg.Error, match="EXPLAIN CREATE VIEW"):
        conn.execute(batch)


def test_the_longest(proxy):
    """In a Query the server's refusal quotes it, and is looked at up to 64 KiB."""
    long = EXPLAIN.replace("SELECT a", f"SELECT '{'x' * 100_000}' AS c, a")
    with connect(proxy.port, prepare_threshold=5) as conn:
        assert is_plan(conn.execute(long.replace("x" * 100_000, "x" * 60_000)))
        with pytest.raises(psycopg.Error, match="unsupported statement for EXPLAIN"):
            conn.execute(long)
        assert is_plan(conn.execute(long, prepare=True))


def test_in_a_transaction(session):
    session.execute("BEGIN READ ONLY")
    with pytest.raises(psycopg.Error, match="cannot execute EXPLAIN CREATE OR REPLACE") as caught:
        session.run(EXPLAIN)
    assert caught.value.sqlstate == "25006"
    assert session.execute("SELECT 1").fetchone() == (1,)
    session.execute("COMMIT")
    assert is_plan(session.run(EXPLAIN))


def test_in_a_batch(proxy):
    with connect(proxy.port) as conn:
        cursor = conn.execute(f"SELECT 1; {EXPLAIN}; SELECT 2; SET mvswap.notices = off; {EXPLAIN};"
                              " SELECT 3")
        tags = [cursor.statusmessage]
        while cursor.nextset():
            tags.append(cursor.statusmessage)
        assert tags == ["SELECT 1", "EXPLAIN", "SELECT 1", "SET_VARIABLE", "EXPLAIN", "SELECT 1"]


def test_in_a_pipeline(proxy):
    with connect(proxy.port) as conn, conn.pipeline():
        first = conn.execute("SELECT 1")
        plan = conn.execute(EXPLAIN)
        last = conn.execute("SELECT 2")
    assert first.fetchone() == (1,) and is_plan(plan) and last.fetchone() == (2,)


def test_asyncpg_describes_it_first(proxy):
    async def main():
        conn = await asyncpg.connect(host="127.0.0.1", port=proxy.port, user="root", database="dev")
        plan = await conn.prepare(EXPLAIN)
        names = [attribute.name for attribute in plan.get_attributes()]
        found = [await plan.fetch(), await plan.fetchval(), await conn.fetch(EXPLAIN)]
        await conn.close()
        return names, found

    names, (rows, value, again) = asyncio.run(main())
    assert names == ["QUERY PLAN"] and rows and rows[0]["QUERY PLAN"] == value and len(again) == len(rows)


def test_psycopg2(proxy):
    conn = psycopg2.connect(host="127.0.0.1", port=proxy.port, user="root", dbname="dev")
    conn.autocommit = True
    with conn.cursor() as cursor:
        cursor.execute(EXPLAIN)
        assert cursor.description[0].name == "QUERY PLAN" and cursor.fetchall()
    conn.close()


def hear(line: Line, *messages: bytes) -> str:
    """The tags of the answer up to its ReadyForQuery; rows and notices in a row count once."""
    line.heard.clear()
    line.send(*messages)
    tags = ""
    while not tags.endswith("Z"):
        tag = line.next()
        tags += tag if tag != "N" and not (tag == "D" and tags.endswith("D")) else ""
    return tags


@pytest.fixture
def line(proxy):
    line = Line(proxy.port)
    line.login()
    yield line
    line.sock.close()


def test_message_by_message(line):
    assert hear(line, query(EXPLAIN)) == "TDCZ"
    assert hear(line, parse(EXPLAIN, "s"), describe("S", "s"), SYNC) == "1tTZ"
    assert hear(line, bind(portal="p", name="s"), describe("P", "p"), FLUSH, execute("p", 1), FLUSH,
                execute("p"), SYNC) == "2TDCDCZ"
    assert hear(line, bind(name="s", binary=True), execute(), SYNC) == "2DCZ"
    assert hear(line, close("S", "s"), close("P", "p"), SYNC) == "33Z"
    assert hear(line, execute("p"), SYNC) == "EZ"


def test_an_error_stops_the_series(line):
    bad = f"{EXPLAIN} /* mvswap: notices=loud */"
    assert hear(line, parse(bad), bind(), execute(), execute(), query("SELECT 1"), SYNC) == "12EZ"
    assert hear(line, bind(name="missing"), parse(EXPLAIN), bind(), execute(), SYNC) == "EZ"
    assert hear(line, parse(EXPLAIN), bind(), execute(), SYNC) == "12DCZ"


def test_the_log_tells_a_plan_from_a_replacement(proxy):
    with connect(proxy.port) as conn:
        conn.execute(EXPLAIN)
    assert "event=plan" in proxy.output() and "event=replace" not in proxy.output()
