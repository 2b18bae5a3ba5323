"""psycopg 3's pipeline mode: many statements in flight, replacements among them, errors around
them; and libpq's own, which goes further, by the program tests/drivers/libpq_pipeline.c."""

import pathlib
import subprocess

import psycopg
import pytest

from conftest import REPLACE, connect
from one_view import (AS_MADE, NEW, NOTICE_FIRST, NOTICE_LAST, TABLE, TABLE_ROWS, TAG, numbered,
                      numbered_view, one_world, replacing)
from processes import BINARY

PROGRAM = pathlib.Path(BINARY).parent / "tests" / "drivers" / "libpq_pipeline"

SELECTED = "SELECT 2"  # the command tag of TABLE
BROKEN = "SELECT a / 0 AS z FROM t"
# What to execute each statement of a pipeline with.
MODES = {
    "text": {},
    "binary": {"binary": True},
    "prepared": {"prepare": True},
    "binary_prepared": {"binary": True, "prepare": True},
}


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


def series(conn: psycopg.Connection, pipeline: psycopg.Pipeline, statements: list,
           mode: dict) -> tuple[list, psycopg.Error | None]:
    """Queues all, synchronizes; the tag of each (None: failed or never run) and the first error.
    psycopg reports an error at whatever call happens to read it."""
    cursors, error = [], None
    for statement in statements:
        sql, params = (statement, None) if isinstance(statement, str) else statement
        cursors.append(conn.cursor())
        try:
            cursors[-1].execute(sql, params, **mode)
        except psycopg.Error as found:
            error = error or found
    try:
        pipeline.sync()
    except psycopg.Error as found:
        error = error or found
    return [cursor.statusmessage for cursor in cursors], error


@pytest.mark.parametrize("position", [0, 1, 5, 9])
def test_a_replacement_at_each_position(world, mode, position):
    statements = [TABLE] * 9
    statements.insert(position, REPLACE)
    with connect(world.port) as conn:
        with conn.pipeline() as pipeline:
            tags, error = series(conn, pipeline, statements, mode)
        assert error is None
        assert tags == [TAG if n == position else SELECTED for n in range(10)]
        assert world.view() == NEW
        assert conn.execute(TABLE).fetchall() == TABLE_ROWS


def test_replacements_only(world, mode):
    before = world.swaps()
    with connect(world.port) as conn:
        with conn.pipeline() as pipeline:
            tags, error = series(conn, pipeline, [numbered(n) for n in range(5)], mode)
            assert error is None and tags == [TAG] * 5
            assert world.view() == numbered_view(4)
            assert series(conn, pipeline, [numbered(9), TABLE], mode) == ([TAG, SELECTED], None)
    assert world.view() == numbered_view(9) and world.swaps() == before + 6


def test_a_text_that_gets_prepared_in_the_pipeline(world):
    """psycopg's default: from the sixth execution on a prepared statement, here in one pipeline."""
    with psycopg.connect(host="127.0.0.1", port=world.port, user="root", dbname="dev",
                         autocommit=True) as conn:
        with conn.pipeline() as pipeline:
            for _ in range(2):
                tags, error = series(conn, pipeline, [REPLACE, TABLE] * 8, {})
                assert error is None and tags == [TAG, SELECTED] * 8
    assert world.view() == NEW


def test_default_settings_begin_a_transaction(world):
    """BEGIN is part of the pipeline. The server takes it and begins nothing."""
    with psycopg.connect(host="127.0.0.1", port=world.port, user="root", dbname="dev") as conn:
        for n in range(2):
            with conn.pipeline() as pipeline:
                assert series(conn, pipeline, [TABLE, numbered(n), TABLE], {}) == (
                    [SELECTED, TAG, SELECTED], None)
            conn.commit()
            assert world.view() == numbered_view(n)


@pytest.mark.parametrize("place", ["%s", "%t", "%b"])
def test_parameters(world, mode, place):
    sql = replacing(f"SELECT a, b FROM t WHERE a > {place}")
    selects = f"SELECT a, b FROM t WHERE b > {place}"
    with connect(world.port) as conn:
        with conn.pipeline() as pipeline:
            tags, error = series(conn, pipeline, [(selects, [0]), (sql, [5]), (selects, [70000]),
                                                  (sql, [1]), (selects, [10])], mode)
        assert error is None and tags == ["SELECT 2", TAG, "SELECT 0", TAG, "SELECT 1"]
        assert world.view() == (["a", "b"], [(2, 20)])


def test_answers_are_read_while_later_statements_wait(world, mode):
    """fetch asks for a flush; the pipeline is synchronized at its end only."""
    with connect(world.port) as conn:
        with conn.pipeline():
            for n in range(3):
                replaced = conn.execute(numbered(n), **mode)
                selected = conn.execute(TABLE, **mode)
                assert selected.fetchall() == TABLE_ROWS
                assert replaced.statusmessage == TAG
                assert world.view() == numbered_view(n)
        assert conn.execute(TABLE).fetchall() == TABLE_ROWS


@pytest.mark.parametrize("error_at", [0, 1, 2, 3, 4])
def test_an_error_aborts_what_is_behind_it(world, mode, error_at):
    """An error before, in the place of, or behind a replacement in the middle; then a series that
    succeeds."""
    statements = [TABLE, TABLE, REPLACE, TABLE, TABLE]
    statements[error_at] = BROKEN
    expected = [TAG if sql == REPLACE else SELECTED for sql in statements[:error_at]]
    with connect(world.port) as conn:
        with conn.pipeline() as pipeline:
            tags, error = series(conn, pipeline, statements, mode)
            assert "Division by zero" in str(error)
            assert tags == expected + [None] * (5 - error_at)
            assert world.view() == (NEW if error_at > 2 else AS_MADE)
            assert series(conn, pipeline, [TABLE, numbered(1), TABLE], mode) == (
                [SELECTED, TAG, SELECTED], None)
        assert world.view() == numbered_view(1)
        assert conn.execute(TABLE).fetchall() == TABLE_ROWS


@pytest.mark.parametrize("query, words", [("SELECT a FROM nowhere", "nowhere"),
                                          ("SELEC a FROM t", "SELEC"),
                                          ("SELECT a + 1 AS a FROM m", "reads the view")])
def test_a_replacement_that_fails_aborts_what_is_behind_it(world, mode, query, words):
    before = world.swaps()
    with connect(world.port) as conn:
        with conn.pipeline() as pipeline:
            tags, error = series(conn, pipeline, [TABLE, replacing(query), TABLE, REPLACE], mode)
            assert tags == [SELECTED, None, None, None] and words in str(error)
            assert world.view() == AS_MADE
            assert series(conn, pipeline, [TABLE, REPLACE], mode) == ([SELECTED, TAG], None)
    assert world.view() == NEW and world.swaps() == before + 1


@pytest.mark.parametrize("build", ["background", "foreground"])
def test_a_failing_build(build, mode):
    flags = ["--drain-min", "0", "--build", build]
    # In the foreground it is tried once more, as behind a recovery: the server's words are the same.
    faults = ["--build-fail", "m_tmp@1"] + ["--build-fail", "m_tmp@2"] * (build == "foreground")
    with one_world(*faults, flags=flags) as world:
        with connect(world.port) as conn:
            with conn.pipeline() as pipeline:
                tags, error = series(conn, pipeline, [TABLE, REPLACE, TABLE, numbered(1)], mode)
                assert tags == [SELECTED, None, None, None] and "fail" in str(error)
                assert world.view() == AS_MADE and world.swaps() == 0
                world.assert_clean()
                assert series(conn, pipeline, [REPLACE, TABLE], mode) == ([TAG, SELECTED], None)
        assert world.view() == NEW
        world.assert_clean()


def test_a_read_only_transaction(world, mode):
    with connect(world.port) as conn:
        with conn.pipeline() as pipeline:
            tags, error = series(conn, pipeline, ["BEGIN READ ONLY", TABLE, REPLACE, TABLE], mode)
            assert tags == ["BEGIN", SELECTED, None, None] and error.sqlstate == "25006"
            assert world.view() == AS_MADE
            assert series(conn, pipeline, [TABLE, "COMMIT", REPLACE], mode) == (
                [SELECTED, "COMMIT", TAG], None)
    assert world.view() == NEW


def test_notices(world, mode):
    told = []
    with connect(world.port) as conn:
        conn.add_notice_handler(lambda notice: told.append(notice.message_primary))
        with conn.pipeline() as pipeline:
            series(conn, pipeline, [TABLE, REPLACE, TABLE], mode)
    assert told[0] == NOTICE_FIRST and told[-1].startswith(NOTICE_LAST)


def test_executemany_in_a_pipeline(world):
    before = world.swaps()
    with connect(world.port) as conn, conn.pipeline(), conn.cursor() as cursor:
        cursor.executemany("SELECT b FROM t WHERE a = %s", [(1,), (2,)], returning=True)
        assert cursor.fetchall() == [(10,)]
        cursor.executemany(replacing("SELECT a, b FROM t WHERE a > %s"), [(0,), (5,), (1,)])
    assert world.view() == (["a", "b"], [(2, 20)]) and world.swaps() == before + 3


def test_a_long_pipeline(world, mode):
    """Enough answers to fill the sockets' buffers in both directions, in front and behind."""
    many = "SELECT * FROM generate_series(1, 2000)"
    with connect(world.port) as conn:
        with conn.pipeline() as pipeline:
            tags, error = series(conn, pipeline, [many] * 60 + [REPLACE] + [many] * 60, mode)
        assert error is None
        assert tags == ["SELECT 2000"] * 60 + [TAG] + ["SELECT 2000"] * 60
    assert world.view() == NEW


def test_a_cancel_in_a_pipeline(mode):
    flags = ["--drain-min", "0", "--build", "foreground"]
    with one_world("--build-hang", "m_tmp@1", flags=flags) as world:
        with connect(world.port) as conn:
            with conn.pipeline() as pipeline:
                canceller = world.when_building(conn.cancel)
                tags, error = series(conn, pipeline, [TABLE, REPLACE, TABLE, numbered(1)], mode)
                canceller.join()
                assert tags == [SELECTED, None, None, None] and error is not None
                assert world.view() == AS_MADE
                world.assert_clean()
                assert series(conn, pipeline, [REPLACE, TABLE], mode) == ([TAG, SELECTED], None)
        assert world.view() == NEW
        world.assert_clean()


def test_libpq(world):
    assert PROGRAM.exists(), "not built: scripts/build release libpq_pipeline"
    conninfo = f"host=127.0.0.1 port={world.port} user=root dbname=dev"
    done = subprocess.run([PROGRAM, conninfo], capture_output=True, text=True, timeout=300)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
