"""SET, RESET and SHOW of mvswap's settings, in both protocols and by several drivers."""

import asyncio
import itertools

import asyncpg
import psycopg
import psycopg2
import pytest

from conftest import connect, make_view, serving

NAMES = ["zero_downtime", "unchanged", "on_change", "dependents", "columns", "indexes", "check",
         "before_build", "after_swap", "build", "build_timeout", "drain_min", "drain", "keep_old",
         "prepared", "on_disconnect", "notices", "progress_interval"]


NUMBERS = itertools.count()


def replacing() -> str:
    """A replacement by something new: of what is unchanged only that is told."""
    return f"CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a, b, {next(NUMBERS)} AS n FROM t"


@pytest.fixture(scope="module")
def proxy():
    with serving("--build-time", "0.2") as running:
        make_view(running.server.port)
        yield running


@pytest.fixture(params=[None, True], ids=["simple", "extended"])
def session(proxy, request):
    # Without a threshold psycopg does not even heed prepare=True.
    with connect(proxy.port, prepare_threshold=5 if request.param else None) as conn:
        conn.run = lambda sql: conn.execute(sql, prepare=request.param)
        conn.value = lambda name: conn.run(f"SHOW mvswap.{name}").fetchone()[0]
        conn.told = []
        conn.add_notice_handler(lambda diagnostic: conn.told.append(diagnostic.message_primary))
        yield conn


def test_a_value_is_set_shown_and_reset(session):
    assert session.value("build_timeout") == "0"
    assert session.run("SET mvswap.build_timeout = '90s'").statusmessage == "SET_VARIABLE"
    assert session.value("build_timeout") == "90s"
    session.run("SET SESSION mvswap.build_timeout TO '2h'")
    assert session.value("build_timeout") == "2h"
    session.run("RESET mvswap.build_timeout")
    assert session.value("build_timeout") == "0"
    session.run("SET mvswap.build_timeout = 5")
    session.run("SET mvswap.build_timeout TO DEFAULT")
    assert session.value("build_timeout") == "0"


def test_sql_is_set_and_shown_whole(session):
    for name, text in [("check", "SELECT count(*) > 0 FROM {new} -- and no more"),
                       ("before_build", "FLUSH; SELECT 'it''s'"), ("after_swap", "SELECT " + "1 + " * 2000 + "1")]:
        quoted = text.replace("'", "''")
        session.run(f"SET mvswap.{name} = '{quoted}'")
        assert session.value(name) == text
        session.run(f"RESET mvswap.{name}")
        assert session.value(name) == ""


def test_all_are_shown_with_their_source(session):
    session.run("SET mvswap.notices = off")
    shown = session.run("SHOW mvswap")
    assert [column.name for column in shown.description] == ["name", "value", "source", "description"]
    table = {row[0]: row[1:] for row in shown.fetchall()}
    assert list(table) == [f"mvswap.{name}" for name in NAMES]
    assert table["mvswap.notices"][:2] == ("off", "session")
    assert table["mvswap.build"][:2] == ("background", "default")


def test_it_does_what_it_says(session):
    session.run("SET mvswap.notices = off")
    session.run(replacing())
    assert session.told == []
    session.run("RESET mvswap.notices")
    session.run(replacing())
    assert len(session.told) == 2


def test_what_is_unchanged_is_built_anew_when_that_is_wanted(session):
    sql = replacing()
    session.run(sql)
    session.told.clear()
    session.run(sql)
    assert session.told == ['Materialized view "public.m" is unchanged: nothing was done.']
    session.run("SET mvswap.unchanged = rebuild")
    session.told.clear()
    session.run(sql)
    assert len(session.told) == 2


@pytest.mark.parametrize("sql, code, message, hint", [
    ("SET mvswap.bild = x", "42704", 'unrecognized setting "mvswap.bild"',
     "Perhaps you meant mvswap.build."),
    ("SHOW mvswap.nothing_like_it", "42704", 'unrecognized setting "mvswap.nothing_like_it"',
     "SHOW mvswap lists all settings."),
    ("RESET mvswap.drains", "42704", 'unrecognized setting "mvswap.drains"',
     "Perhaps you meant mvswap.drain."),
    ("SET mvswap.build = fast", "22023", 'invalid value for setting "mvswap.build": "fast"',
     "Available values: background, foreground."),
    ("SET mvswap.check = 'SELECT true; SELECT true'", "22023",
     'invalid value for setting "mvswap.check": it holds more than one statement', "Write one query."),
    ("SET mvswap.after_swap = 'SELECT 1 WHERE $1'", "22023",
     'invalid value for setting "mvswap.after_swap": it holds a parameter', "Nothing is bound to $1 here."),
])
def test_errors_are_full(session, sql, code, message, hint):
    with pytest.raises(psycopg.Error) as caught:
        session.run(sql)
    found = caught.value.diag
    assert (found.sqlstate, found.message_primary, found.message_hint) == (code, message, hint)
    assert session.run("SELECT 1").fetchone() == (1,)


def test_in_a_pipeline_the_order_is_kept(session):
    with session.pipeline():
        first = session.execute("SHOW mvswap.notices")
        session.execute("SET mvswap.notices = summary")
        second = session.execute("SHOW mvswap.notices")
        other = session.execute("SELECT 7")
        session.execute("RESET mvswap.notices")
        third = session.execute("SHOW mvswap.notices")
    assert [found.fetchone()[0] for found in (first, second, other, third)] \
        == ["progress", "summary", 7, "progress"]


def test_an_error_in_a_pipeline_stops_the_rest(session):
    with pytest.raises(psycopg.Error, match="unrecognized setting"), session.pipeline() as pipeline:
        session.execute("SET mvswap.notices = off")
        session.execute("SET mvswap.nope = 1")
        session.execute("SET mvswap.notices = summary")
        pipeline.sync()
    assert session.value("notices") == "off"


def test_local_ends_with_the_transaction(session):
    session.run("SET LOCAL mvswap.build = foreground")
    assert session.told == ["SET LOCAL can only be used in transaction blocks"]
    assert session.value("build") == "background"
    session.execute("BEGIN READ ONLY")
    session.run("SET LOCAL mvswap.build = foreground")
    assert session.value("build") == "foreground"
    session.execute("COMMIT")
    assert session.value("build") == "background"


def test_sessions_do_not_share(proxy, session):
    session.run("SET mvswap.notices = off")
    with connect(proxy.port) as other:
        assert other.execute("SHOW mvswap.notices").fetchone() == ("progress",)


def test_prepared_once_it_shows_what_is_true_now(proxy):
    async def main() -> list[str]:
        conn = await asyncpg.connect(host="127.0.0.1", port=proxy.port, user="root", database="dev")
        show = await conn.prepare("SHOW mvswap.notices")
        found = [await show.fetchval()]
        for value in ("off", "summary"):
            await conn.execute(f"SET mvswap.notices = {value}")
            found.append(await show.fetchval())
        await conn.close()
        return found

    assert asyncio.run(main()) == ["progress", "off", "summary"]


def test_psycopg2(proxy):
    conn = psycopg2.connect(host="127.0.0.1", port=proxy.port, user="root", dbname="dev")
    conn.autocommit = True
    with conn.cursor() as cursor:
        cursor.execute("SET mvswap.build TO %s", ("foreground",))
        cursor.execute("SHOW mvswap.build")
        assert cursor.fetchall() == [("foreground",)]
    conn.close()


def test_a_hint_holds_for_its_statement(session):
    session.run("SET mvswap.notices = progress")
    session.run(replacing().replace("VIEW m", "VIEW /* mvswap: notices=off */ m"))
    assert session.told == []
    session.run("/* mvswap: notices='summary' */ " + replacing())
    assert len(session.told) == 2 and session.value("notices") == "progress"


@pytest.mark.parametrize("hint, code", [("notice=off", "42704"), ("notices=loud", "22023"),
                                        ("notices", "22023"), ("dependents=none", "22023")])
def test_a_hint_is_never_ignored(proxy, session, hint, code):
    with connect(proxy.server.port) as direct:
        before = direct.execute("SELECT id FROM rw_catalog.rw_relations WHERE name = 'm'").fetchall()
        with pytest.raises(psycopg.Error) as caught:
            session.run(f"{replacing()} /* mvswap: {hint} */")
        assert caught.value.sqlstate == code
        assert before == direct.execute(
            "SELECT id FROM rw_catalog.rw_relations WHERE name = 'm'").fetchall()
    assert session.run("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("sql", ["DISCARD ALL", "/* pool */ discard all; -- again"])
def test_discard_all_resets_ours(session, sql):
    session.run("SET mvswap.notices = off")
    session.run("SET mvswap.build = foreground")
    assert session.run(sql).statusmessage == "DISCARD"
    assert (session.value("notices"), session.value("build")) == ("progress", "background")
    assert session.run(sql).statusmessage == "DISCARD"  # nothing to reset


def test_what_the_server_refuses_resets_nothing(session):
    """RisingWave has no RESET ALL."""
    session.run("SET mvswap.notices = off")
    with pytest.raises(psycopg.Error, match="found: RESET"):
        session.run("RESET ALL")
    assert session.value("notices") == "off"


def test_discard_all_in_a_pipeline(session):
    with session.pipeline():
        session.execute("SET mvswap.notices = off")
        first = session.execute("SHOW mvswap.notices")
        session.execute("DISCARD ALL")
        second = session.execute("SHOW mvswap.notices")
        session.execute("SET mvswap.notices = summary")
    assert (first.fetchone(), second.fetchone()) == (("off",), ("progress",))
    assert session.value("notices") == "summary"


def answers(conn, sql: str) -> list[tuple]:
    cursor, found = conn.execute(sql), []
    while True:
        found.append((cursor.statusmessage, cursor.fetchall() if cursor.description else None))
        if not cursor.nextset():
            return found


def test_in_a_batch_the_order_is_kept(proxy):
    with connect(proxy.port) as conn:
        assert answers(conn, "SHOW mvswap.notices; SELECT 1; SET mvswap.notices = off; SELECT 2; SELECT 3;"
                       " SHOW mvswap.notices; RESET mvswap.notices") == [
            ("SHOW_VARIABLE", [("progress",)]), ("SELECT 1", [(1,)]), ("SET_VARIABLE", None),
            ("SELECT 1", [(2,)]), ("SELECT 1", [(3,)]), ("SHOW_VARIABLE", [("off",)]),
            ("SET_VARIABLE", None)]


def test_in_a_batch_discard_all_has_its_place(proxy):
    with connect(proxy.port) as conn:
        conn.execute("SET mvswap.notices = off")
        assert answers(conn, "SELECT 1; DISCARD ALL; SELECT 2") == [
            ("SELECT 1", [(1,)]), ("DISCARD", None), ("SELECT 1", [(2,)])]
        assert answers(conn, "SHOW mvswap.notices; SET mvswap.notices = off; DISCARD ALL;"
                       " SHOW mvswap.notices; SET mvswap.notices = summary") == [
            ("SHOW_VARIABLE", [("progress",)]), ("SET_VARIABLE", None), ("DISCARD", None),
            ("SHOW_VARIABLE", [("progress",)]), ("SET_VARIABLE", None)]
        assert answers(conn, "SHOW mvswap.notices") == [("SHOW_VARIABLE", [("summary",)])]


@pytest.mark.parametrize("batch", ["DISCARD ALL; SELEC 1", "SELECT 1/0; DISCARD ALL"])
def test_in_a_batch_that_fails_before_it_nothing_is_reset(proxy, batch):
    with connect(proxy.port) as conn:
        conn.execute("SET mvswap.notices = off")
        with pytest.raises(psycopg.Error):
            conn.execute(batch)
        assert conn.execute("SHOW mvswap.notices").fetchone() == ("off",)


def test_in_a_batch_a_replacement_goes_by_what_was_set(proxy):
    with connect(proxy.port) as conn:
        told = []
        conn.add_notice_handler(lambda diagnostic: told.append(diagnostic.message_primary))
        done = answers(conn, f"SET mvswap.notices = off; {replacing()}; SELECT 1; SET mvswap.notices ="
                       f" summary; {replacing()}; SELECT a FROM m ORDER BY a")
        assert [tag for tag, _ in done] == ["SET_VARIABLE", "CREATE_MATERIALIZED_VIEW", "SELECT 1",
                                            "SET_VARIABLE", "CREATE_MATERIALIZED_VIEW", "SELECT 2"]
        assert len(told) == 2


@pytest.mark.parametrize("batch, message, then", [
    ("SET mvswap.notices = off; SELEC 1", "sql parser error", "progress"),
    ("SET mvswap.notices = off; SELECT 1/0; SET mvswap.notices = summary", "Division by zero", "off"),
    ("SET mvswap.notices = off; SET mvswap.nope = 1; SET mvswap.notices = summary",
     "unrecognized setting", "off"),
])
def test_in_a_batch_the_first_error_stops_the_rest(proxy, batch, message, then):
    with connect(proxy.port) as conn:
        with pytest.raises(psycopg.Error, match=message):
            conn.execute(batch)
        assert conn.execute("SHOW mvswap.notices").fetchone() == (then,)


@pytest.mark.parametrize("options, changed", [
    ("-c mvswap.notices=off", {"notices": "off"}),
    ("-cmvswap.build=foreground -c search_path=s1", {"build": "foreground"}),
    ("--mvswap.drain-min=2s  --MVSWAP.notices=sum\\mary", {"drain_min": "2s", "notices": "summary"}),
])
def test_start_up_options(options, changed):
    """RisingWave from 3.0 refuses options that it does not know."""
    with serving("--version", "3.0") as proxy, connect(proxy.port, options=options) as conn:
        shown = {row[0].removeprefix("mvswap."): row[1:3] for row in conn.execute("SHOW mvswap")}
        assert {name: row[0] for name, row in shown.items() if row[1] == "client"} == changed
        path = conn.execute("SHOW search_path").fetchone()[0]
        assert (path == "s1") == ("search_path" in options)
        conn.execute("SET mvswap.notices = progress")
        conn.execute("RESET mvswap.notices")
        wanted = changed.get("notices", "progress")
        assert conn.execute("SHOW mvswap.notices").fetchone() == (wanted,)


@pytest.mark.parametrize("options, message", [
    ("-c mvswap.notice=off", "unrecognized setting"),
    ("--mvswap.build=x", "invalid value for setting"),
    ("-c nope=1", "nope"),
])
def test_bad_start_up_options_end_the_login(options, message):
    with serving("--version", "3.0") as proxy:
        with pytest.raises(psycopg.OperationalError, match=message):
            connect(proxy.port, options=options)
