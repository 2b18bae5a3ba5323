"""keep_old: the old view stays for a rollback, until its time is over or a newer one is kept."""

import time

import pytest

import rich_view as rich
from clients import LongReader, Replacing, is_running
from conftest import connect, make_view, rows, serving
from processes import eventually


@pytest.fixture
def own():
    with serving(flags=["--drain-min", "0"]) as proxy:
        make_view(proxy.server.port)
        yield proxy


@pytest.fixture
def conn(own):
    with connect(own.server.port) as conn:
        yield conn


def replace(proxy, number: int, **settings) -> Replacing:
    done = Replacing(proxy.port, f"SELECT a, b, {number} AS n FROM t", **settings)
    done.finish()
    assert done.error is None, done.error
    return done


def kept(conn) -> set[str]:
    return rich.ours(rich.all_names(conn))


def test_the_old_one_is_there_fresh_and_can_be_swapped_back(own, conn):
    done = replace(own, 1, keep_old="1h")
    (name,) = kept(conn)
    assert done.warnings() == []
    assert f'It is "{name}" for 1h.' in done.notices[-1].message
    conn.execute("INSERT INTO t VALUES (3, 30)")
    assert rows(conn, f'SELECT a FROM "{name}" ORDER BY a') == [(1,), (2,), (3,)]
    conn.execute(f'ALTER MATERIALIZED VIEW "{name}" SWAP WITH m')
    assert rich.anatomy(conn)["columns"] == ("a",)


def test_before_its_time_the_next_replacement_leaves_it(own, conn):
    replace(own, 1, keep_old="1h")
    before = kept(conn)
    replace(own, 2)
    assert kept(conn) == before
    replace(own, 3)
    assert kept(conn) == before


def test_behind_its_time_the_next_replacement_drops_it(own, conn):
    replace(own, 1, keep_old="500ms")
    assert len(kept(conn)) == 1
    time.sleep(0.6)
    assert len(kept(conn)) == 1
    done = replace(own, 2)
    assert kept(conn) == set() and done.warnings() == []


def test_a_newer_one_takes_its_place(own, conn):
    replace(own, 1, keep_old="1h")
    (first,) = kept(conn)
    replace(own, 2, keep_old="1h")
    (second,) = kept(conn)
    assert first != second
    assert rich.anatomy(conn, second)["columns"] == ("a", "b", "n")


def test_somebody_who_renamed_or_uses_it_keeps_it(own, conn):
    replace(own, 1, keep_old="100ms")
    (name,) = kept(conn)
    conn.execute(f'ALTER MATERIALIZED VIEW "{name}" RENAME TO mine')
    time.sleep(0.2)
    replace(own, 2)
    assert rich.all_names(conn) == {"t", "m", "mine"}
    replace(own, 3, keep_old="100ms")
    (name,) = kept(conn)
    conn.execute(f'CREATE VIEW user_of_it AS SELECT a FROM "{name}"')
    time.sleep(0.2)
    replace(own, 4)
    assert kept(conn) == {name} and rows(conn, "SELECT a FROM user_of_it ORDER BY a") == [(1,), (2,)]
    conn.execute("DROP VIEW user_of_it")
    replace(own, 5)
    assert kept(conn) == set()


def test_a_name_like_ours_that_is_somebody_elses_is_never_touched(own, conn):
    name = "m_tmp_20200101_000000_000000"
    conn.execute(f"CREATE MATERIALIZED VIEW {name} AS SELECT a FROM t")
    replace(own, 1, keep_old="100ms")
    time.sleep(0.2)
    replace(own, 2)
    assert kept(conn) == {name}


def test_its_indexes_have_names_of_ours_and_go_with_it(own, conn):
    conn.execute("CREATE INDEX i ON m(a)")
    replace(own, 1, keep_old="100ms")
    names = kept(conn)
    assert {name.rsplit("_", 4)[0] + "_" + name.rsplit("_", 4)[1] for name in names} == \
        {"m_tmp", "i_old"}
    time.sleep(0.2)
    replace(own, 2)
    assert rich.all_names(conn) == {"t", "m", "i"}
    assert set(rich.indexes(conn, rich.id_of(conn, "m"))) == {"i"}


def test_a_reader_of_the_one_that_is_kept_does_not_lose_it(own, conn):
    """The one that is due is read under its own name when the next replacement looks."""
    replace(own, 1, keep_old="100ms")
    (name,) = kept(conn)
    time.sleep(0.2)
    reader = LongReader(own.server.port, 0.8, 'SELECT a, pg_sleep({}) FROM "' + name + '"')
    assert eventually(lambda: is_running(conn))
    replace(own, 2)
    reader.finish()
    assert reader.error is None and reader.rows == [1, 2]
    replace(own, 3)
    assert kept(conn) == set()


def test_a_reader_that_still_reads_what_was_left_for_it_does_not_lose_it(own, conn):
    """It read `m`: that is what its text names, though the object has another name by now."""
    reader = LongReader(own.server.port, 3)
    assert eventually(lambda: is_running(conn))
    replace(own, 1, drain="200ms")
    assert len(kept(conn)) == 1
    replace(own, 2, drain="200ms")
    replace(own, 3, drain="200ms", keep_old="1h")
    reader.finish()
    assert reader.error is None, reader.error
    assert reader.rows == [1, 2]
    replace(own, 4, keep_old="1h")
    assert len(kept(conn)) == 1
