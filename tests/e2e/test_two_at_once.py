"""Several replacements of one view at the same time, and an upstream view that is replaced meanwhile."""

import threading
import time

import psycopg
import pytest

import rich_view as rich
from clients import Replacing
from conftest import connect, make_view, rows, serving
from one_view import replacing
from processes import Proxy, eventually


def numbered(number: int) -> str:
    return f"SELECT a, b, {number} AS n FROM t"


def assert_sound(conn: psycopg.Connection, results: list[Replacing]) -> None:
    """The view is what one of those that succeeded made, with its grants and its index, under its name
    or under one that was told; what else is there was told, and when it is gone all is well again."""
    warned = "\n".join(w.message for one in results for w in one.warnings())
    now = rich.anatomy(conn)
    assert now["grants"] == {("reader", "r")} and list(now["indexes"].values()) == ["(a)"]
    assert set(now["indexes"]) == {"i"} or next(iter(now["indexes"])) in warned
    n = now["rows"][0][2]
    assert any(one.error is None and one.sql.endswith(numbered(n)) for one in results)
    # An index goes with its view.
    view_of = dict(rows(conn, "SELECT i.name, r.name FROM rw_catalog.rw_indexes i"
                        " JOIN rw_catalog.rw_relations r ON r.id = i.primary_table_id"))
    left = {view_of.get(name, name) for name in rich.ours(rich.all_names(conn))} - {"m"}
    assert all(name in warned for name in left), (left, warned)
    for name in left:
        conn.execute(f'DROP MATERIALIZED VIEW "{name}"')


def assert_nothing_is_left(conn: psycopg.Connection) -> None:
    assert rich.all_names(conn) == {"t", "m", "i"}
    assert rich.indexes(conn, rich.id_of(conn, "m")) == {"i": "(a)"}


def prepare(proxy) -> psycopg.Connection:
    make_view(proxy.server.port)
    conn = connect(proxy.server.port)
    conn.execute("CREATE INDEX i ON m(a)")
    conn.execute("CREATE USER reader")
    conn.execute("GRANT SELECT ON MATERIALIZED VIEW m TO reader")
    return conn


@pytest.mark.parametrize("build", ["background", "foreground"])
def test_ten_sessions_of_one_proxy_queue_up(build):
    with serving(flags=["--drain-min", "0", "--build", build]) as proxy, prepare(proxy) as conn:
        results = [Replacing(proxy.port, numbered(n)) for n in range(10)]
        for one in results:
            one.finish()
        assert [one.error for one in results] == [None] * 10
        assert all(one.warnings() == [] for one in results)
        assert_nothing_is_left(conn)
        assert_sound(conn, results)
        swaps = [s for s in proxy.server.statements() if " SWAP WITH " in s]
        assert len(swaps) == 10
        # The last one that ended made what is there now.
        last = max(results, key=lambda one: one.ended)
        assert last.sql.endswith(numbered(rich.anatomy(conn)["rows"][0][2]))


def test_ten_sessions_that_want_the_same():
    with serving(flags=["--drain-min", "0"]) as proxy, prepare(proxy) as conn:
        results = [Replacing(proxy.port, numbered(1)) for _ in range(10)]
        for one in results:
            one.finish()
        assert [one.error for one in results] == [None] * 10
        unchanged = [one for one in results if "is unchanged" in one.notices[-1].message]
        assert len(unchanged) == 9
        assert_nothing_is_left(conn)
        assert_sound(conn, results)


def test_different_views_do_not_wait_for_one_another():
    """The build of the one never ends: the other one is replaced meanwhile, a third is queueing."""
    with serving("--build-hang", "VIEW m_tmp@1", flags=["--drain-min", "0"]) as proxy:
        make_view(proxy.server.port)
        with connect(proxy.server.port) as conn:
            conn.execute("CREATE MATERIALIZED VIEW other AS SELECT a FROM t")
            held = Replacing(proxy.port, numbered(1))
            assert eventually(lambda: rows(conn, "SHOW JOBS"))
            queueing = Replacing(proxy.port, numbered(2))
            other = Replacing(proxy.port, "SELECT b FROM t", view="other")
            other.finish()
            assert other.error is None
            assert rows(conn, "SELECT b FROM other ORDER BY b") == [(10,), (20,)]
            assert held.ended is None and queueing.ended is None
            swaps = [s for s in proxy.server.statements() if " SWAP WITH " in s]
            assert len(swaps) == 1 and "other" in swaps[0]
            held.conn.cancel()
            held.finish()
            queueing.finish()
            assert held.error.sqlstate == "57014" and queueing.error is None
            assert rich.anatomy(conn)["rows"] == ((1, 10, 2), (2, 20, 2))


@pytest.mark.parametrize("round_", range(4))
@pytest.mark.parametrize("delay", [0, 0.1, 0.3])
def test_two_proxies(round_, delay):
    """They know nothing of one another: one wins, the other one does so in turn or gives way."""
    with serving("--build-time", "0.1", flags=["--drain-min", "0"]) as proxy, \
            Proxy(proxy.server.port, "--drain-min", "0") as second, prepare(proxy) as conn:
        results = [Replacing(proxy.port, numbered(1))]
        time.sleep(delay + round_ * 0.02)
        results.append(Replacing(second.port, numbered(2)))
        for one in results:
            one.finish()
        errors = [one.error for one in results if one.error is not None]
        assert len(errors) <= 1
        assert all(error.sqlstate in ("40001", "42704") for error in errors), errors
        assert proxy.server.child.poll() is None
        assert_sound(conn, results)
        last = Replacing(proxy.port, numbered(3))
        last.finish()
        assert last.error is None and last.warnings() == []
        assert_nothing_is_left(conn)
        assert second.end() == 0


def test_many_of_two_proxies_leave_nothing():
    with serving("--build-time", "0.02", "--swap-window", "0.03", flags=["--drain-min", "0"]) as proxy, \
            Proxy(proxy.server.port, "--drain-min", "0") as second, prepare(proxy) as conn:
        results = []
        for number in range(5):
            some = [Replacing(port, numbered(10 * number + k))
                    for k, port in enumerate((proxy.port, second.port, proxy.port, second.port))]
            for one in some:
                one.finish()
            results += some
        assert proxy.server.child.poll() is None, "the server's meta has died"
        errors = {one.error.sqlstate for one in results if one.error is not None}
        # 42704: it was renamed or dropped by the other one while it was looked at.
        assert errors <= {"40001", "42704"}, [one.error for one in results if one.error is not None]
        assert_sound(conn, results)
        assert sum(one.error is None for one in results) >= 5
        last = Replacing(proxy.port, numbered(99))
        last.finish()
        assert last.error is None and last.warnings() == []
        assert_nothing_is_left(conn)
        assert second.end() == 0


# What the new view reads.

@pytest.mark.parametrize("how", ["swap", "rename"])
def test_an_upstream_view_that_is_replaced_meanwhile(how):
    # The build is answered late: what is done as soon as it is seen is done in the middle of it.
    with serving("--delay", "^CREATE MATERIALIZED VIEW m_tmp@1=3",
                 flags=["--drain-min", "0"]) as proxy:
        make_view(proxy.server.port)
        with connect(proxy.server.port) as conn:
            conn.execute("CREATE MATERIALIZED VIEW up AS SELECT a, b FROM t")
            conn.execute("CREATE MATERIALIZED VIEW up2 AS SELECT a, b + 1 AS b FROM t")
            view_id = rich.id_of(conn, "m")
            done = Replacing(proxy.port, "SELECT a, b FROM up")
            assert eventually(lambda: any("_tmp_" in name for name in rich.all_names(conn)))
            conn.execute("ALTER MATERIALIZED VIEW up SWAP WITH up2" if how == "swap"
                         else "ALTER MATERIALIZED VIEW up RENAME TO up3")
            done.finish()
            assert done.error is not None and done.error.sqlstate == "40001", done.error
            assert '"up' in str(done.error)
            assert rich.id_of(conn, "m") == view_id
            assert rich.ours(rich.all_names(conn)) == set()
            if how == "swap":
                again = Replacing(proxy.port, "SELECT a, b FROM up")
                again.finish()
                assert again.error is None
                assert rich.anatomy(conn)["rows"] == ((1, 11), (2, 21))


def test_upstream_and_downstream_through_one_proxy():
    with serving("--build-time", "0.3", flags=["--drain-min", "0"]) as proxy:
        make_view(proxy.server.port)
        with connect(proxy.server.port) as conn:
            conn.execute("CREATE MATERIALIZED VIEW up AS SELECT a, b FROM t")
            down = Replacing(proxy.port, "SELECT a, b FROM up")
            errors, warned = [], []

            def upstream():
                with connect(proxy.port) as through:
                    through.add_notice_handler(lambda n: warned.append(n.message_primary))
                    try:
                        through.execute(replacing("SELECT a, b + 1 AS b FROM t", "up"))
                    except psycopg.Error as error:
                        errors.append(error)

            other = threading.Thread(target=upstream)
            other.start()
            other.join()
            down.finish()
            # Whoever was late gives way; nobody is left on an object without a name.
            for error in errors + [down.error]:
                assert error is None or error.sqlstate in ("40001", "0A000"), error
            left = rich.ours(rich.all_names(conn))
            warned += [w.message for w in down.warnings()]
            assert all(any(name in text for text in warned) for name in left), left
            reads = {name for (name,) in rows(
                conn, "SELECT d.name FROM rw_catalog.rw_depend x JOIN rw_catalog.rw_relations d"
                f" ON d.id = x.refobjid WHERE x.objid = {rich.id_of(conn, 'm')}")}
            assert reads <= {"t", "up"} | left
