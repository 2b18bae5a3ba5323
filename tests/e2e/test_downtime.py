"""zero_downtime = off: the old view is dropped first, and everything else is as without."""


import psycopg
import pytest

import rich_view as rich
from clients import Replacing
from conftest import connect, make_view, rows, serving
from one_view import replacing
from processes import eventually

OFF = {"zero_downtime": "off"}
NEW = rich.NEW


def serve(*switches: str, build: str = "background"):
    return serving(*switches, flags=["--drain-min", "0", "--zero-downtime", "off", "--build", build])


def prepare(proxy, with_indexes: bool = True) -> psycopg.Connection:
    """A rich view m; a direct connection."""
    make_view(proxy.server.port)
    conn = connect(proxy.server.port)
    conn.execute("DROP MATERIALIZED VIEW m")
    rich.make_users(conn)
    rich.make_rich(conn)
    if not with_indexes:
        for name in rich.INDEXES:
            conn.execute(f'DROP INDEX "{name}"')
    return conn


def assert_never_cascade(proxy) -> None:
    assert not any("cascade" in s.lower() for s in proxy.server.statements())


@pytest.mark.parametrize("build", ["background", "foreground"])
def test_everything_is_carried_over(build):
    with serve(build=build) as proxy, prepare(proxy) as conn:
        before, number = rich.anatomy(conn), len(proxy.server.statements())
        view_id = rich.id_of(conn, "m")
        done = Replacing(proxy.port, NEW)
        done.finish()
        assert done.error is None and done.warnings() == []
        after = rich.anatomy(conn)
        assert rich.id_of(conn, "m") != view_id
        assert after == {**before, "columns": ("a", "b"), "rows": rich.NEW_ROWS}
        assert rich.all_names(conn) == {"t", "m", *rich.INDEXES}
        sent = proxy.server.statements()[number:]
        dropped = sent.index('DROP MATERIALIZED VIEW "public"."m"')
        built = next(n for n, s in enumerate(sent) if s.startswith("CREATE MATERIALIZED VIEW m AS"))
        assert dropped < built and not any(" SWAP WITH " in s for s in sent)
        assert "Dropping and creating it anew" in done.notices[0].message
        assert "it was dropped first" in done.notices[-1].message
        assert_never_cascade(proxy)


def test_twice_in_a_row_and_unchanged():
    with serve() as proxy, prepare(proxy) as conn:
        for query in (NEW, rich.OLD):
            done = Replacing(proxy.port, query)
            done.finish()
            assert done.error is None and done.warnings() == []
        before, view_id = rich.anatomy(conn), rich.id_of(conn, "m")
        done = Replacing(proxy.port, rich.OLD)
        done.finish()
        assert "is unchanged" in done.notices[-1].message and rich.id_of(conn, "m") == view_id
        assert rich.anatomy(conn) == before


@pytest.mark.parametrize("settings, query, parameters, sqlstate", [
    ({"check": "select"}, NEW, None, "0A000"),
    ({"keep_old": "1h"}, NEW, None, "0A000"),
    ({}, NEW + " AND a > %s", (0,), "0A000"),
    ({"columns": "same"}, NEW, None, "42P16"),
    ({"on_change": "fail"}, NEW, None, "42P07"),
    ({}, "SELECT b FROM t", None, "42703"),  # an index needs a
    ({}, "SELECT a + 1 AS a FROM m", None, "42P17"),
    ({}, "SELECT nope FROM t", None, None),
])
def test_what_is_refused_is_refused_before_the_drop(settings, query, parameters, sqlstate):
    with serve() as proxy, prepare(proxy) as conn:
        before, view_id = rich.anatomy(conn), rich.id_of(conn, "m")
        options = " ".join(f"-c mvswap.{name}={value}" for name, value in settings.items())
        with connect(proxy.port, options=options) as through:
            with pytest.raises(psycopg.Error) as refused:
                through.execute(replacing(query), parameters)
        if sqlstate is not None:
            assert refused.value.sqlstate == sqlstate, refused.value
        assert rich.anatomy(conn) == before and rich.id_of(conn, "m") == view_id
        assert rich.all_names(conn) == {"t", "m", *rich.INDEXES}
        assert not any(s.startswith("DROP MATERIALIZED VIEW") and '"m"' in s
                       for s in proxy.server.statements())


@pytest.mark.parametrize("build, times", [("background", 1), ("foreground", 2)])
def test_a_build_that_fails_tells_the_old_definition(build, times):
    # The first one is make_view's.
    failing = [switch for n in range(times)
               for switch in ("--build-fail", f"VIEW m AS SELECT a, b@{1 + n}")]
    with serve(*failing, build=build) as proxy, prepare(proxy) as conn:
        definition = rows(conn, "SELECT definition FROM rw_catalog.rw_relations WHERE name = 'm'")
        done = Replacing(proxy.port, NEW)
        done.finish()
        assert done.error is not None
        warning, *of_indexes = done.warnings()
        assert "was dropped and could not be created anew" in warning.message
        assert warning.detail == definition[0][0]
        assert rich.all_names(conn) == {"t"}
        conn.execute(warning.detail)
        assert rows(conn, "SELECT a FROM m ORDER BY a") == [(1,), (2,)]
        for one in of_indexes:
            conn.execute(one.hint)
        assert rich.indexes(conn, rich.id_of(conn, "m")) == rich.INDEXES
        assert_never_cascade(proxy)


@pytest.mark.parametrize("build", ["background", "foreground"])
def test_a_cancel_of_the_build_tells_it_too(build):
    with serve("--build-hang", "VIEW m AS SELECT a, b", build=build) as proxy, \
            prepare(proxy) as conn:
        done = Replacing(proxy.port, NEW)
        assert eventually(lambda: any(s.startswith("CREATE MATERIALIZED VIEW m AS SELECT a, b")
                                      for s in proxy.server.statements()))
        assert eventually(lambda: rows(conn, "SHOW JOBS"))
        # What was not seen yet may be somebody else's: it is left, and named.
        assert build == "foreground" or eventually(
            lambda: sum(s.startswith("SELECT m.id, j.status") for s in proxy.server.statements()) > 1)
        done.conn.cancel()
        done.finish()
        assert done.error.sqlstate == "57014"
        warning = done.warnings()[0]
        assert warning.detail.startswith("CREATE MATERIALIZED VIEW m AS")
        assert eventually(lambda: rich.all_names(conn) == {"t"})
        assert rows(conn, "SHOW JOBS") == []


def test_an_index_that_cannot_be_built_is_a_warning():
    with serve("--build-fail", "CREATE INDEX .*by_a@2") as proxy, prepare(proxy) as conn:
        done = Replacing(proxy.port, NEW)
        done.finish()
        assert done.error is None
        assert any("by_a" in w.message for w in done.warnings())
        assert set(rich.indexes(conn, rich.id_of(conn, "m"))) == {"By A, descending"}
        assert rich.grants(conn, rich.id_of(conn, "m")) == {
            ("reader", "r"), ("Mixed, User", "r"), ("giver", "r*")}


@pytest.mark.parametrize("statement", ["^GRANT SELECT .* TO .giver. WITH", "^COMMENT ON TABLE@2"])
def test_what_cannot_be_carried_over_is_told(statement):
    with serve("--fail", statement) as proxy, prepare(proxy) as conn:
        done = Replacing(proxy.port, NEW)
        done.finish()
        assert done.error is None and done.warnings() != []
        assert rows(conn, "SELECT * FROM m ORDER BY a") == list(rich.NEW_ROWS)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_setting_that_cannot_be_put_back_at_once_does_not_undo_the_view(number):
    with serve("--fail", f"^SET background_ddl = false@{number}") as proxy, prepare(proxy) as conn:
        before = rich.anatomy(conn)
        with connect(proxy.port) as through:
            told = []
            through.add_notice_handler(lambda n: told.append(n.message_primary))
            through.execute(replacing(NEW))
            value = rows(through, "SHOW background_ddl")
        assert value == [("false",)] or any("background_ddl" in text for text in told)
        assert rich.anatomy(conn) == {**before, "columns": ("a", "b"), "rows": rich.NEW_ROWS}


def test_what_reads_the_view_keeps_it_from_being_dropped():
    with serve() as proxy, prepare(proxy, with_indexes=False) as conn:
        conn.execute("CREATE MATERIALIZED VIEW reads_it AS SELECT a FROM m")
        view_id = rich.id_of(conn, "m")
        done = Replacing(proxy.port, NEW)
        done.finish()
        assert done.error is not None
        assert rich.id_of(conn, "m") == view_id and rich.all_names(conn) == {"t", "m", "reads_it"}
        assert_never_cascade(proxy)


def test_a_first_creation_and_the_hint():
    with serving(flags=["--drain-min", "0"]) as proxy, prepare(proxy) as conn:
        with connect(proxy.port) as through:
            through.execute("/* mvswap: zero_downtime=off */ " + replacing("SELECT a FROM t", "fresh"))
            through.execute("/* mvswap: zero_downtime=off */ " + replacing(NEW))
        assert rich.all_names(conn) == {"t", "m", "fresh", *rich.INDEXES}
        assert not any(" SWAP WITH " in s for s in proxy.server.statements())
