"""asyncpg as applications use it: prepared statements, but for execute() without arguments."""

import asyncio

import asyncpg
import pytest

from conftest import REPLACE
from one_view import (AS_MADE, NEW, NOTICE_FIRST, NOTICE_LAST, TABLE, TABLE_ROWS, TAG, numbered,
                      numbered_view, one_world, replacing)


def with_asyncpg(port: int, work, **settings) -> None:
    async def run() -> None:
        conn = await asyncpg.connect(host="127.0.0.1", port=port, user="root", database="dev",
                                     timeout=60, **settings)
        try:
            await work(conn)
        finally:
            await conn.close()

    asyncio.run(run())


async def table_of(conn: asyncpg.Connection) -> list[tuple]:
    return [tuple(record) for record in await conn.fetch(TABLE)]


ASYNCPG = {"default": {}, "no_cache": {"statement_cache_size": 0}}


@pytest.mark.parametrize("settings", ASYNCPG)
def test_every_way_to_send_it(world, settings):
    async def work(conn):
        assert await conn.execute(numbered(0)) == TAG  # a simple query
        assert world.view() == numbered_view(0)
        for n in (1, 1, 2):  # a statement that is new, then one from the cache
            assert await conn.fetch(numbered(n)) == []
            assert world.view() == numbered_view(n)
        assert await conn.fetchrow(numbered(3)) is None
        assert await conn.fetchval(numbered(4)) is None
        assert world.view() == numbered_view(4)
        assert await table_of(conn) == TABLE_ROWS
        statement = await conn.prepare(numbered(5))
        assert statement.get_attributes() == () and statement.get_parameters() == ()
        for _ in range(3):
            assert await statement.fetch() == [] and statement.get_statusmsg() == TAG
        assert world.view() == numbered_view(5)
        assert await conn.fetch(replacing("SELECT b FROM t", "fresh")) == []
        assert await table_of(conn) == TABLE_ROWS

    before = world.swaps()
    with_asyncpg(world.port, work, **ASYNCPG[settings])
    assert world.view("fresh") == (["b"], [(10,), (20,)])
    assert world.swaps() == before + 9


@pytest.mark.parametrize("settings", ASYNCPG)
def test_arguments(world, settings):
    async def work(conn):
        above = replacing("SELECT a, b FROM t WHERE a > $1")
        for least, expected in ((0, TABLE_ROWS), (1, [(2, 20)]), (None, [])):
            assert await conn.execute(above, least) == TAG
            assert world.view() == (["a", "b"], expected)
        await conn.execute(replacing("SELECT a, $1::varchar AS s, $2::bigint AS n FROM t "
                                     "WHERE b = $3"), "it's", 2 ** 40, 10)
        assert world.view() == (["a", "s", "n"], [(1, "it's", 2 ** 40)])
        statement = await conn.prepare(above)
        assert [kind.name for kind in statement.get_parameters()] == ["int4"]
        for least, expected in ((1, [(2, 20)]), (0, TABLE_ROWS)):
            await statement.fetch(least)
            assert world.view() == (["a", "b"], expected)
        await conn.executemany(above, [(0,), (5,), (1,)])
        assert world.view() == (["a", "b"], [(2, 20)])
        assert await table_of(conn) == TABLE_ROWS

    with_asyncpg(world.port, work, **ASYNCPG[settings])


@pytest.mark.parametrize("way", ["execute", "fetch"])
@pytest.mark.parametrize("query, words", [("SELECT a FROM nowhere", "nowhere"),
                                          ("SELEC a FROM t", "SELEC"),
                                          ("SELECT a + 1 AS a FROM m", "reads the view")])
def test_errors(world, way, query, words):
    async def work(conn):
        send = getattr(conn, way)
        for _ in range(2):
            with pytest.raises(asyncpg.PostgresError, match=words):
                await send(replacing(query))
            assert await table_of(conn) == TABLE_ROWS
            assert world.view() == AS_MADE
        await send(REPLACE)
        assert world.view() == NEW

    with_asyncpg(world.port, work)


@pytest.mark.parametrize("way", ["execute", "fetch"])
def test_cursors_and_read_only_transactions(world, way):
    """Portals fetched in parts before and after; in the transaction the statement is refused."""
    async def work(conn):
        for n in range(2):
            async with conn.transaction(readonly=True):
                cursor = await conn.cursor("SELECT * FROM generate_series(1, 100)")
                assert [row[0] for row in await cursor.fetch(3)] == [1, 2, 3]
                with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                    await getattr(conn, way)(REPLACE)
                assert [row[0] for row in await cursor.fetch(2)] == [4, 5]
                assert len(await cursor.fetch(1000)) == 95
            await getattr(conn, way)(numbered(n))
            assert world.view() == numbered_view(n)

    with_asyncpg(world.port, work)


@pytest.mark.parametrize("way", ["execute", "fetch"])
def test_notices(world, way):
    told = []

    async def work(conn):
        conn.add_log_listener(lambda _, message: told.append(message.message))
        await getattr(conn, way)(REPLACE)
        assert await table_of(conn) == TABLE_ROWS

    with_asyncpg(world.port, work)
    assert told[0] == NOTICE_FIRST and told[-1].startswith(NOTICE_LAST)


@pytest.mark.parametrize("way", ["execute", "fetch"])
def test_gives_up(way):
    """asyncpg cancels a statement whose time is over, and goes on with the session."""
    async def work(conn):
        send = getattr(conn, way)
        with pytest.raises(asyncio.TimeoutError):
            await send(REPLACE, timeout=5)
        assert await table_of(conn) == TABLE_ROWS
        assert world.view() == AS_MADE
        await send(REPLACE)

    flags = ["--drain-min", "0", "--build", "foreground"]
    with one_world("--build-hang", "m_tmp@1", flags=flags) as world:
        with_asyncpg(world.port, work)
        assert world.view() == NEW
        world.assert_clean()
