"""Prepared statements follow the swap: real drivers with their default settings read a view that
is replaced again and again. Through the proxy nobody may see an error while the columns stay;
where they change, none that the same driver does not see on PostgreSQL with the same change.
"""

import asyncio
import contextlib
import threading
import time

import asyncpg
import psycopg
import pytest
from psycopg import pq

from conftest import connect, make_view, serving
from postgres import running_postgres

REPLACEMENTS = 50
QUERY = "SELECT * FROM m WHERE a >= {} ORDER BY a"


def definition(n: int, changes: bool) -> str:
    """The n-th view: its number is in every row; with `changes` each has other columns than the
    last: one more, another type, or in another order."""
    columns = (f"a, {n} AS n", f"a, {n} AS n, b AS more", f"a, {n}::BIGINT AS n", f"{n} AS n, a")
    return f"SELECT {columns[n % 4 if changes else 0]} FROM t"


class Reader(threading.Thread):
    """A driver at work: calls `once`, which answers the number of the view, until it is stopped."""

    def __init__(self, name: str, work):
        super().__init__(name=name)
        self.work = work
        self.asked = threading.Event()
        self.errors: list[str] = []
        self.numbers: list[tuple[float, int]] = []  # when it was asked, what was answered
        self.unexpected: BaseException | None = None

    def run(self):
        try:
            self.work(self)
        except BaseException as error:  # noqa: BLE001 (it is raised by the test)
            self.unexpected = error

    def took(self, began: float, rows) -> None:
        numbers = {row["n"] for row in rows}
        assert len(rows) == 2 and len(numbers) == 1, rows
        self.numbers.append((began, numbers.pop()))

    def failed(self, sqlstate: str, message: str) -> None:
        self.errors.append(f"{sqlstate} {message.splitlines()[0]}")


def psycopg_reads(port: int, reader: Reader, binary: bool = False, **more) -> None:
    with psycopg.connect(host="127.0.0.1", port=port, user="root", dbname="dev", autocommit=True,
                         row_factory=psycopg.rows.dict_row, **more) as conn:
        while not reader.asked.is_set():
            began = time.monotonic()
            try:
                reader.took(began, conn.execute(QUERY.format("%s"), (0,), binary=binary).fetchall())
            except psycopg.Error as error:
                reader.failed(error.sqlstate or "", str(error))


def psycopg_default(port: int, reader: Reader) -> None:
    """Prepares what it has executed five times."""
    psycopg_reads(port, reader)


def psycopg_binary(port: int, reader: Reader) -> None:
    psycopg_reads(port, reader, binary=True, prepare_threshold=0)


def psycopg_pipeline(port: int, reader: Reader) -> None:
    """Several statements on the same view in one flight."""
    with psycopg.connect(host="127.0.0.1", port=port, user="root", dbname="dev", autocommit=True,
                         row_factory=psycopg.rows.dict_row, prepare_threshold=0) as conn:
        while not reader.asked.is_set():
            began = time.monotonic()
            try:
                with conn.pipeline():
                    cursors = [conn.execute(QUERY.format("%s") + limit, (0,))
                               for limit in ("", " LIMIT 2", "")]
                    for cursor in cursors:
                        reader.took(began, cursor.fetchall())
            except psycopg.Error as error:
                reader.failed(error.sqlstate or "", str(error))


def asyncpg_default(port: int, reader: Reader) -> None:
    """Keeps every statement that it has executed."""
    async def run():
        conn = await asyncpg.connect(host="127.0.0.1", port=port, user="root", database="dev")
        while not reader.asked.is_set():
            began = time.monotonic()
            try:
                reader.took(began, await conn.fetch(QUERY.format("$1"), 0))
            except asyncpg.PostgresError as error:
                reader.failed(error.sqlstate, str(error))
        await conn.close()

    asyncio.run(run())


def asyncpg_prepared(port: int, reader: Reader) -> None:
    """One prepared statement, held by the application: asyncpg does not make it anew."""
    async def run():
        conn = await asyncpg.connect(host="127.0.0.1", port=port, user="root", database="dev")
        statement = await conn.prepare(QUERY.format("$1"))
        while not reader.asked.is_set():
            began = time.monotonic()
            try:
                reader.took(began, await statement.fetch(0))
            except asyncpg.PostgresError as error:
                reader.failed(error.sqlstate, str(error))
                statement = await conn.prepare(QUERY.format("$1"))
        await conn.close()

    asyncio.run(run())


def libpq_prepared(port: int, reader: Reader) -> None:
    """PQprepare once, PQexecPrepared again and again."""
    conn = pq.PGconn.connect(f"host=127.0.0.1 port={port} user=root dbname=dev".encode())
    conn.prepare(b"s", QUERY.format("$1").encode())
    while not reader.asked.is_set():
        began = time.monotonic()
        result = conn.exec_prepared(b"s", [b"0"])
        if result.status == pq.ExecStatus.TUPLES_OK:
            names = [result.fname(i).decode() for i in range(result.nfields)]
            reader.took(began, [{name: int(result.get_value(row, i))
                                 for i, name in enumerate(names)}
                                for row in range(result.ntuples)])
        else:
            state = result.error_field(pq.DiagnosticField.SQLSTATE) or b""
            reader.failed(state.decode(), result.error_message.decode())
    conn.finish()


DRIVERS = (psycopg_default, psycopg_binary, psycopg_pipeline, asyncpg_default, asyncpg_prepared,
           libpq_prepared)


@contextlib.contextmanager
def reading(port: int):
    readers = [Reader(work.__name__, lambda r, work=work: work(port, r)) for work in DRIVERS]
    for reader in readers:
        reader.start()
    try:
        yield readers
    finally:
        for reader in readers:
            reader.asked.set()
        for reader in readers:
            reader.join(60)


def replace_often(conn: psycopg.Connection, readers, statement, num: int) -> list[float]:
    """When each was done; every reader reads each view at least twice."""
    done = []
    for n in range(1, num + 1):
        conn.execute(statement(n))
        done.append(time.monotonic())
        deadline = done[-1] + 60
        counts = [len(reader.numbers) + len(reader.errors) for reader in readers]
        while (any(len(r.numbers) + len(r.errors) < count + 3
                   for r, count in zip(readers, counts, strict=True))
               and time.monotonic() < deadline):
            time.sleep(0.005)
            assert all(r.is_alive() for r in readers), [r.unexpected for r in readers]
    return done


def assert_never_late(readers, done: list[float]) -> None:
    """What is asked when a replacement is done is answered by its view or a later one."""
    for reader in readers:
        assert reader.unexpected is None, (reader.name, reader.unexpected)
        for began, number in reader.numbers:
            assert number >= sum(1 for when in done if when <= began), (reader.name, number)
        assert reader.numbers[-1][1] == len(done), reader.name


def errors_of(readers) -> dict[str, set[str]]:
    return {reader.name: set(reader.errors) for reader in readers}


def through_the_proxy(changes: bool, num: int):
    with serving() as proxy:
        make_view(proxy.server.port)
        with connect(proxy.port) as conn:
            conn.execute("SET mvswap.drain_min = '20ms'")
            conn.execute("CREATE OR REPLACE MATERIALIZED VIEW m AS " + definition(0, changes))
            with reading(proxy.port) as readers:
                done = replace_often(
                    conn, readers,
                    lambda n: "CREATE OR REPLACE MATERIALIZED VIEW m AS " + definition(n, changes),
                    num)
        assert_never_late(readers, done)
        return errors_of(readers)


def on_postgres(changes: bool, num: int):
    with running_postgres() as server:
        with connect(server.port) as conn:
            conn.execute("CREATE TABLE t (a INT PRIMARY KEY, b INT)")
            conn.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
            conn.execute("CREATE VIEW m AS " + definition(0, changes))
            with reading(server.port) as readers:
                done = replace_often(
                    conn, readers,
                    lambda n: f"BEGIN; DROP VIEW m; CREATE VIEW m AS {definition(n, changes)};"
                              " COMMIT", num)
        assert_never_late([r for r in readers if not r.errors], done)
        return errors_of(readers)


def test_no_error_while_the_columns_stay():
    errors = through_the_proxy(False, REPLACEMENTS)
    assert errors == {work.__name__: set() for work in DRIVERS}


def test_other_columns_are_no_worse_than_on_postgres():
    ours = through_the_proxy(True, REPLACEMENTS)
    theirs = on_postgres(True, REPLACEMENTS)
    for name, errors in ours.items():
        assert errors <= theirs[name], (name, errors, theirs[name])
    assert ours["asyncpg_default"] == set() == ours["libpq_prepared"] == ours["psycopg_default"]
    assert theirs["libpq_prepared"] != set(), "PostgreSQL did not mind: nothing is compared"
