"""Drivers as applications use them: psycopg 3 and psycopg 2, in their default settings and in those
that change what they send (prepared, binary, client-side parameters, transactions).

psycopg 3's pipelines are in test_pipelines.py, asyncpg is in test_asyncpg.py.
"""

import asyncio
from decimal import Decimal

import psycopg
import psycopg2
import psycopg2.extras
import pytest
from psycopg.rows import dict_row

from conftest import REPLACE
from one_view import (AS_MADE, NEW, NOTICE_FIRST, NOTICE_LAST, TABLE, TABLE_ROWS, TAG, numbered,
                      numbered_view, one_world, replacing)

READ_ONLY = "25006"
LOGIN = {"host": "127.0.0.1", "user": "root"}


# -- psycopg 3

def psycopg3(port: int, autocommit: bool = True, **more) -> psycopg.Connection:
    return psycopg.connect(**LOGIN, dbname="dev", port=port, autocommit=autocommit, **more)


# How to connect, and how to execute. Without parameters psycopg 3 sends a simple query, unless the
# statement is prepared or its result is wanted in binary.
PSYCOPG3 = {
    "default": ({"autocommit": False}, {}),
    "autocommit": ({}, {}),
    "prepared": ({}, {"prepare": True}),
    "prepared_in_transactions": ({"autocommit": False}, {"prepare": True}),
    "prepared_at_once": ({"prepare_threshold": 0}, {}),
    "never_prepared": ({"prepare_threshold": None}, {"binary": True}),
    "binary": ({}, {"binary": True}),
    "binary_prepared": ({}, {"binary": True, "prepare": True}),
    "client_side": ({"cursor_factory": psycopg.ClientCursor}, {}),
    "numbered_parameters": ({"cursor_factory": psycopg.RawCursor}, {"prepare": True}),
    "rows_as_dicts": ({"row_factory": dict_row}, {"binary": True}),
}


@pytest.mark.parametrize("mode", PSYCOPG3)
def test_psycopg3_replaces_several_times_in_one_session(world, mode):
    connecting, executing = PSYCOPG3[mode]
    before = world.swaps()
    with psycopg3(world.port, **connecting) as conn:
        for n in range(3):
            done = conn.execute(numbered(n), **executing)
            assert done.statusmessage == TAG and done.description is None
            assert world.view() == numbered_view(n)
            found = conn.execute(TABLE, **executing).fetchall()
            assert [tuple(row.values()) if isinstance(row, dict) else row
                    for row in found] == TABLE_ROWS
        done = conn.execute(replacing("SELECT b FROM t", "fresh"), **executing)
        assert done.statusmessage == TAG
    assert world.view("fresh") == (["b"], [(10,), (20,)])
    assert world.swaps() == before + 3


@pytest.mark.parametrize("autocommit", [True, False])
def test_psycopg3_prepares_a_text_behind_our_back(world, autocommit):
    """The same text eight times: simple queries, from the sixth on a prepared statement."""
    with psycopg3(world.port, autocommit) as conn:
        for _ in range(8):
            assert conn.execute(REPLACE).statusmessage == TAG
            assert world.view() == NEW
            assert conn.execute(TABLE).fetchall() == TABLE_ROWS


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("prepare", [False, True])
@pytest.mark.parametrize("query, params, expected", [
    ("SELECT a, b FROM t WHERE a > %s", [1], (["a", "b"], [(2, 20)])),
    ("SELECT a, b FROM t WHERE b < %s", [70000], NEW),
    ("SELECT a, b FROM t WHERE a < %s", [2 ** 40], NEW),
    ("SELECT a, b FROM t WHERE b = %s OR a = %s", [10, 2], NEW),
    ("SELECT a FROM t WHERE %s", [True], AS_MADE),
    ("SELECT a FROM t WHERE b > %s", [None], (["a"], [])),
    ("SELECT a, %s::varchar AS s FROM t", ["it's %s \\ $1 ünï"],
     (["a", "s"], [(1, "it's %s \\ $1 ünï"), (2, "it's %s \\ $1 ünï")])),
    ("SELECT a, b * %s AS b FROM t", [Decimal("1.5")],
     (["a", "b"], [(1, Decimal(15)), (2, Decimal(30))])),
], ids=["smallint", "integer", "bigint", "two", "boolean", "null", "text", "numeric"])
def test_psycopg3_parameters(world, binary, prepare, query, params, expected):
    with psycopg3(world.port) as conn:
        for _ in range(2):
            done = conn.execute(replacing(query), params, prepare=prepare, binary=binary)
            assert done.statusmessage == TAG
            assert world.view() == expected
        assert conn.execute(TABLE, prepare=prepare, binary=binary).fetchall() == TABLE_ROWS


@pytest.mark.parametrize("place", ["%t", "%b"])
def test_psycopg3_parameter_formats(world, place):
    with psycopg3(world.port) as conn:
        conn.execute(replacing(f"SELECT a, b FROM t WHERE a > {place}"), [1])
        assert world.view() == (["a", "b"], [(2, 20)])


def test_psycopg3_the_same_statement_with_other_parameters(world):
    """One prepared statement, bound again each time: the view must have the newest values."""
    with psycopg3(world.port) as conn:
        for least, expected in ((0, TABLE_ROWS), (1, [(2, 20)]), (2, []), (0, TABLE_ROWS)):
            conn.execute(replacing("SELECT a, b FROM t WHERE a > %s"), [least], prepare=True)
            assert world.view() == (["a", "b"], expected)


def test_psycopg3_executemany(world):
    before = world.swaps()
    with psycopg3(world.port) as conn, conn.cursor() as cursor:
        selects = "SELECT b FROM t WHERE a = %s"
        cursor.executemany(selects, [(1,), (2,)], returning=True)
        cursor.executemany(replacing("SELECT a, b FROM t WHERE a > %s"), [(0,), (5,), (1,)])
        assert world.view() == (["a", "b"], [(2, 20)])
        cursor.executemany(selects, [(1,), (2,)], returning=True)
        assert [result.fetchall() for result in cursor.results()] == [[(10,)], [(20,)]]
    assert world.swaps() == before + 3


@pytest.mark.parametrize("mode", ["default", "prepared", "binary", "prepared_in_transactions"])
@pytest.mark.parametrize("query, words", [("SELECT a FROM nowhere", "nowhere"),
                                          ("SELECT nope FROM t", "nope"),
                                          ("SELEC a FROM t", "SELEC"),
                                          ("SELECT a + 1 AS a FROM m", "reads the view")])
def test_psycopg3_errors(world, mode, query, words):
    connecting, executing = PSYCOPG3[mode]
    with psycopg3(world.port, **connecting) as conn:
        for _ in range(2):
            with pytest.raises(psycopg.Error, match=words):
                conn.execute(replacing(query), **executing)
            conn.rollback()
            assert conn.execute(TABLE, **executing).fetchall() == TABLE_ROWS
            assert world.view() == AS_MADE
        assert conn.execute(REPLACE, **executing).statusmessage == TAG
    assert world.view() == NEW


@pytest.mark.parametrize("prepare", [None, True])
def test_psycopg3_read_only_transaction(world, prepare):
    with psycopg3(world.port, autocommit=False) as conn:
        conn.read_only = True
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as refused:
            conn.execute(REPLACE, prepare=prepare)
        assert refused.value.sqlstate == READ_ONLY
        assert conn.execute(TABLE, prepare=prepare).fetchall() == TABLE_ROWS
        conn.rollback()
        conn.read_only = None
        assert world.view() == AS_MADE
        assert conn.execute(REPLACE, prepare=prepare).statusmessage == TAG
    assert world.view() == NEW


@pytest.mark.parametrize("prepare", [None, True])
def test_psycopg3_notices(world, prepare):
    told = []
    with psycopg3(world.port) as conn:
        conn.add_notice_handler(lambda notice: told.append(notice.message_primary))
        conn.execute(REPLACE, prepare=prepare)
        assert told[0] == NOTICE_FIRST and told[-1].startswith(NOTICE_LAST)
        told.clear()
        conn.execute(TABLE, prepare=prepare)
    assert told == []


def test_psycopg3_streams_before_and_after(world):
    with psycopg3(world.port) as conn, conn.cursor() as cursor:
        for n in range(2):
            numbers = cursor.stream("SELECT * FROM generate_series(1, %s)", [5000], size=1 + 99 * n)
            assert sum(number for (number,) in numbers) == 5000 * 5001 // 2
            cursor.execute(numbered(n), prepare=True)
            assert world.view() == numbered_view(n)


# -- psycopg 2

def psycopg2_connection(port: int, autocommit: bool):
    conn = psycopg2.connect(**LOGIN, dbname="dev", port=port)
    conn.autocommit = autocommit
    return conn


@pytest.mark.parametrize("autocommit", [False, True])
def test_psycopg2(world, autocommit):
    conn = psycopg2_connection(world.port, autocommit)
    with conn, conn.cursor() as cursor:
        for n in range(3):
            del conn.notices[:]
            cursor.execute(numbered(n))
            assert cursor.statusmessage == TAG and cursor.description is None
            assert f"NOTICE:  {NOTICE_FIRST}\n" in conn.notices
            assert conn.notices[-1].startswith("NOTICE:  " + NOTICE_LAST)
            assert world.view() == numbered_view(n)
            cursor.execute(TABLE)
            assert cursor.fetchall() == TABLE_ROWS
        cursor.execute(replacing("SELECT a, %s AS s FROM t WHERE a > %s"), ("it's", 1))
        assert world.view() == (["a", "s"], [(2, "it's")])
    conn.close()


@pytest.mark.parametrize("autocommit", [False, True])
def test_psycopg2_many(world, autocommit):
    before = world.swaps()
    sql, params = replacing("SELECT a, b FROM t WHERE a > %s"), [(0,), (5,), (1,)]
    conn = psycopg2_connection(world.port, autocommit)
    with conn, conn.cursor() as cursor:
        cursor.executemany(sql, params)
        assert world.view() == (["a", "b"], [(2, 20)])
        psycopg2.extras.execute_batch(cursor, sql, params[:2])  # several statements in one query
        assert world.view() == (["a", "b"], [])
        cursor.execute(TABLE)
        assert cursor.fetchall() == TABLE_ROWS
    conn.close()
    assert world.swaps() == before + 5


def test_psycopg2_errors_and_read_only(world):
    conn = psycopg2_connection(world.port, False)
    with conn.cursor() as cursor:
        with pytest.raises(psycopg2.Error, match="nowhere"):
            cursor.execute(replacing("SELECT a FROM nowhere"))
        conn.rollback()
        conn.set_session(readonly=True)
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction) as refused:
            cursor.execute(REPLACE)
        assert refused.value.pgcode == READ_ONLY and world.view() == AS_MADE
        conn.rollback()
        conn.set_session(readonly=False)
        cursor.execute(REPLACE)
        assert world.view() == NEW
    conn.close()


# -- A build that fails, a user who gives up: with a server of its own

def run_psycopg3(port: int, prepare: bool):
    conn = psycopg3(port)
    return conn, lambda: conn.execute(REPLACE, prepare=prepare), conn.cancel


def run_psycopg3_safe(port: int):
    conn = psycopg3(port)
    return conn, lambda: conn.execute(REPLACE, prepare=True), conn.cancel_safe


def run_psycopg2(port: int):
    conn = psycopg2_connection(port, True)
    return conn, lambda: conn.cursor().execute(REPLACE), conn.cancel


# Each gives a connection, what replaces, and what cancels it from another thread.
SYNCHRONOUS = {
    "psycopg3": lambda port: run_psycopg3(port, False),
    "psycopg3_prepared": lambda port: run_psycopg3(port, True),
    "psycopg3_cancel_safe": run_psycopg3_safe,
    "psycopg2": run_psycopg2,
}


def table_through(conn) -> list[tuple]:
    with conn.cursor() as cursor:
        cursor.execute(TABLE)
        return cursor.fetchall()


@pytest.mark.parametrize("build", ["background", "foreground"])
@pytest.mark.parametrize("driver", SYNCHRONOUS)
def test_a_failing_build(build, driver):
    flags = ["--drain-min", "0", "--build", build]
    # In the foreground it is tried once more, as behind a recovery: the server's words are the same.
    faults = ["--build-fail", "m_tmp@1"] + ["--build-fail", "m_tmp@2"] * (build == "foreground")
    with one_world(*faults, flags=flags) as world:
        conn, replace, _ = SYNCHRONOUS[driver](world.port)
        with pytest.raises((psycopg.Error, psycopg2.Error), match="fail"):
            replace()
        assert world.view() == AS_MADE
        world.assert_clean()
        assert table_through(conn) == TABLE_ROWS
        replace()
        assert world.view() == NEW
        conn.close()
        world.assert_clean()


@pytest.mark.parametrize("driver", SYNCHRONOUS)
def test_a_cancel_from_another_thread(driver):
    flags = ["--drain-min", "0", "--build", "foreground"]
    with one_world("--build-hang", "m_tmp@1", flags=flags) as world:
        conn, replace, cancel = SYNCHRONOUS[driver](world.port)
        canceller = world.when_building(cancel)
        with pytest.raises((psycopg.Error, psycopg2.Error)):
            replace()
        canceller.join()
        assert world.view() == AS_MADE
        world.assert_clean()
        assert table_through(conn) == TABLE_ROWS
        replace()
        assert world.view() == NEW
        conn.close()
        world.assert_clean()


@pytest.mark.parametrize("prepare", [False, True])
def test_psycopg3_asynchronous(prepare):
    """A task that is cancelled cancels its statement; the connection stays good."""
    async def work(port: int) -> None:
        conn = await psycopg.AsyncConnection.connect(**LOGIN, dbname="dev", port=port,
                                                     autocommit=True)
        async with conn:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(conn.execute(REPLACE, prepare=prepare), 5)
            assert world.view() == AS_MADE
            cursor = await conn.execute(TABLE, prepare=prepare)
            assert await cursor.fetchall() == TABLE_ROWS
            done = await conn.execute(REPLACE, prepare=prepare)
            assert done.statusmessage == TAG and world.view() == NEW

    flags = ["--drain-min", "0", "--build", "foreground"]
    with one_world("--build-hang", "m_tmp@1", flags=flags) as world:
        asyncio.run(work(world.port))
        world.assert_clean()
