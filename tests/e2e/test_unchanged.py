"""A definition that is the one that the view has: nothing is done, unless that is not certain."""

import contextlib

import psycopg
import pytest

import rich_view as rich
from conftest import connect, make_view, rows, serving
from one_view import NOTICE_FIRST, replacing

UNCHANGED = 'Materialized view "public.m" is unchanged: nothing was done.'
LEFT = 'Materialized view "public.m" was left as it is: mvswap.on_change is continue.'


class Run:
    """One statement through the proxy: what the client was told, what the server was sent."""

    def __init__(self, proxy, sql: str, **options):
        before = len(proxy.server.statements())
        self.notices, self.error = [], None
        settings = " ".join(f"-c mvswap.{name}={value}" for name, value in options.items())
        with connect(proxy.port, options=settings) as conn:
            conn.add_notice_handler(lambda n: self.notices.append((n.severity, n.message_primary)))
            try:
                self.tag = conn.execute(sql).statusmessage
            except psycopg.Error as error:
                self.error = error
        self.sent = proxy.server.statements()[before:]

    def built(self) -> bool:
        return any(s.startswith("CREATE MATERIALIZED VIEW") for s in self.sent)


@pytest.fixture(scope="module")
def server():
    with serving(flags=["--drain-min", "0"]) as proxy:
        make_view(proxy.server.port)
        with connect(proxy.server.port) as conn:
            conn.execute("CREATE TABLE u (a INT, s VARCHAR, ts TIMESTAMPTZ)")
            conn.execute("CREATE TABLE p (a INT, s VARCHAR)")
            conn.execute("CREATE SCHEMA other")
        yield proxy


@pytest.fixture
def conn(server):
    with connect(server.server.port) as conn:
        yield conn
        drop_views(conn)
        assert rich.all_names(conn) == {"t", "u", "p"}


def drop_views(conn: psycopg.Connection) -> None:
    """All of them, whatever reads what."""
    for _ in range(5):
        for kind, relation in (("VIEW", "rw_views"), ("MATERIALIZED VIEW", "rw_materialized_views")):
            for name, schema in rows(conn, f"SELECT r.name, s.name FROM rw_catalog.{relation} r"
                                     " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id"):
                with contextlib.suppress(psycopg.Error):  # read by another one, which goes first
                    conn.execute(f'DROP {kind} {schema}."{name}"')


def make(conn: psycopg.Connection, definition: str) -> int:
    conn.execute("DROP MATERIALIZED VIEW IF EXISTS m")
    conn.execute(f"CREATE MATERIALIZED VIEW m{definition}")
    return rich.id_of(conn, "m")


SAME = [
    (" AS SELECT a FROM t", " AS SELECT a FROM t"),
    (" AS SELECT a FROM t", " as  select\n\ta from -- what\n t /* why */ ;"),
    (" AS SELECT a FROM t", " AS SELECT A FROM T"),
    (" AS SELECT a, b FROM t WHERE a > 1 AND b < 5", " AS SELECT a, b FROM t WHERE a > 1 AND b < 5"),
    (" AS SELECT b, count(*) AS n FROM t GROUP BY b", " AS SELECT b, count(*) AS n FROM t GROUP BY b"),
    (" AS SELECT a AS \"Ü b\" FROM t", " AS SELECT a AS \"Ü b\" FROM t"),
    (" AS SELECT x.a, y.s FROM t AS x JOIN p AS y ON x.a = y.a",
     " AS SELECT x.a, y.s FROM t AS x JOIN p AS y ON x.a = y.a"),
    (" AS SELECT a, 'It''s; -- x' AS s FROM t", " AS SELECT a, 'It''s; -- x' AS s FROM t"),
    (" (x, y) AS SELECT a, b FROM t", " (x, y) AS SELECT a, b FROM t"),
    (" AS WITH c AS (SELECT a FROM t) SELECT a FROM c",
     " AS WITH c AS (SELECT a FROM t) SELECT a FROM c"),
    (" AS SELECT a FROM t UNION ALL SELECT b FROM t", " AS SELECT a FROM t UNION ALL SELECT b FROM t"),
]


@pytest.mark.parametrize("old, new", SAME)
def test_the_same_definition_does_nothing(server, conn, old, new):
    view_id = make(conn, old)
    run = Run(server, "CREATE OR REPLACE MATERIALIZED VIEW m" + new)
    assert run.error is None and run.tag == "CREATE_MATERIALIZED_VIEW"
    assert run.notices == [("NOTICE", UNCHANGED)]
    assert not run.built() and not any(" SWAP WITH " in s for s in run.sent)
    assert rich.id_of(conn, "m") == view_id and rich.ours(rich.all_names(conn)) == set()


CHANGED = [
    (" AS SELECT a FROM t", " AS SELECT b FROM t", "another column"),
    (" AS SELECT a FROM t", " AS SELECT a AS b FROM t", "another name of a column"),
    (" AS SELECT a FROM t WHERE a > 1", " AS SELECT a FROM t WHERE a > 2", "a literal"),
    (" AS SELECT a, 'x' AS s FROM t", " AS SELECT a, 'X' AS s FROM t", "case in a literal"),
    (" AS SELECT a FROM t", " AS SELECT a FROM t AS t (a)", "an alias with columns"),
    (" (x) AS SELECT a FROM t", " (y) AS SELECT a FROM t", "the column list"),
    (" AS SELECT a FROM t", " (a) AS SELECT b FROM t", "the column behind the list"),
    (" AS SELECT a FROM t", " WITH (source_rate_limit = 5) AS SELECT a FROM t", "options"),
    (" AS SELECT a FROM t", " AS SELECT a FROM t EMIT ON WINDOW CLOSE", "EMIT"),
    (" AS SELECT a FROM t", " AS SELECT DISTINCT a FROM t", "a word more"),
]


@pytest.mark.parametrize("old, new, what", CHANGED)
def test_a_change_is_seen(server, conn, old, new, what):
    view_id = make(conn, old)
    run = Run(server, "CREATE OR REPLACE MATERIALIZED VIEW m" + new)
    assert ("NOTICE", UNCHANGED) not in run.notices, what
    if run.error is None:
        assert rich.id_of(conn, "m") != view_id and run.built()
    else:  # the sandbox's refusal of a construct: nothing has happened
        assert rich.id_of(conn, "m") == view_id
        pytest.skip(f"not in the sandbox: {run.error}")


NOT_CERTAIN = [
    "SELECT * FROM t, u", "SELECT t.* FROM t JOIN u ON t.a = u.a", "SELECT t.a FROM t NATURAL JOIN u",
    "SELECT a, current_user AS who FROM t", "SELECT a, current_schema AS s FROM t",
    "SELECT a, session_user AS s FROM t", "SELECT ts FROM u",
    "SELECT a, ts::date AS d FROM u", "SELECT a, now() AS n FROM t", "SELECT a, user AS who FROM t",
    "SELECT a, '2026-01-01 00:00:00'::timestamptz AS ts FROM t",
    "SELECT a, to_timestamp(a) AS ts FROM t",
]


@pytest.mark.parametrize("query", NOT_CERTAIN)
def test_what_is_not_certain_is_rebuilt(server, conn, query):
    try:
        view_id = make(conn, f" AS {query}")
    except psycopg.Error as error:
        pytest.skip(f"not in the sandbox: {error}")
    run = Run(server, replacing(query))
    assert run.error is None and run.built() and rich.id_of(conn, "m") != view_id


def test_a_star_of_a_table_that_got_a_column(server, conn):
    """It is stored as a star, so that the text is the same."""
    make(conn, " AS SELECT * FROM p")
    assert Run(server, replacing("SELECT * FROM p")).error is None
    conn.execute("ALTER TABLE p ADD COLUMN added INT")
    view_id = rich.id_of(conn, "m")
    run = Run(server, replacing("SELECT * FROM p"))
    assert run.error is None and rich.id_of(conn, "m") != view_id
    assert rich.anatomy(conn)["columns"] == ("a", "s", "added")


def test_an_upstream_view_that_was_replaced_makes_it_a_change(server, conn):
    conn.execute("CREATE MATERIALIZED VIEW up AS SELECT a, b FROM t")
    view_id = make(conn, " AS SELECT a FROM up")
    assert Run(server, replacing("SELECT a FROM up")).notices == [("NOTICE", UNCHANGED)]
    conn.execute("CREATE MATERIALIZED VIEW up2 AS SELECT a + 100 AS a, b FROM t")
    conn.execute("ALTER MATERIALIZED VIEW up SWAP WITH up2")
    run = Run(server, replacing("SELECT a FROM up"))
    assert run.error is None and run.built()
    assert rich.id_of(conn, "m") != view_id
    assert rich.anatomy(conn)["rows"] == ((101,), (102,))


def test_another_relation_of_the_same_name(server, conn):
    """Under another search_path the same text means other tables."""
    view_id = make(conn, " AS SELECT a FROM t")
    conn.execute("CREATE TABLE other.t (a INT)")
    conn.execute("INSERT INTO other.t VALUES (77)")
    try:
        with connect(server.port) as through:
            through.execute("SET search_path TO other, public")
            through.execute("CREATE OR REPLACE MATERIALIZED VIEW public.m AS SELECT a FROM t")
        assert rich.id_of(conn, "m") != view_id
        assert rich.anatomy(conn)["rows"] == ((77,),)
    finally:
        conn.execute("DROP MATERIALIZED VIEW m")
        conn.execute("DROP TABLE other.t")


def test_with_parameters_it_is_never_unchanged(server, conn):
    view_id = make(conn, " AS SELECT a FROM t WHERE a > 1")
    ids = {view_id}
    with connect(server.port) as through:
        for number in range(2):
            through.execute("CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a FROM t WHERE a > %s",
                            (1,))
            ids.add(rich.id_of(conn, "m"))
            assert rich.anatomy(conn)["rows"] == ((2,),), number
    assert len(ids) == 3


def test_in_the_extended_protocol_without_parameters_it_is(server, conn):
    view_id = make(conn, " AS SELECT a FROM t")
    with connect(server.port) as through:
        told = []
        through.add_notice_handler(lambda n: told.append(n.message_primary))
        for _ in range(2):
            through.execute(replacing("SELECT a FROM t"), prepare=True)
        assert told == [UNCHANGED, UNCHANGED]
    assert rich.id_of(conn, "m") == view_id


# Settings.

def test_rebuild_of_what_is_unchanged(server, conn):
    view_id = make(conn, " AS SELECT a FROM t")
    run = Run(server, replacing("SELECT a FROM t"), unchanged="rebuild")
    assert run.error is None and run.built() and rich.id_of(conn, "m") != view_id


@pytest.mark.parametrize("query, changed", [("SELECT a FROM t", False), ("SELECT a, b FROM t", True)])
@pytest.mark.parametrize("on_change", ["apply", "continue", "fail"])
def test_on_change(server, conn, query, changed, on_change):
    view_id = make(conn, " AS SELECT a FROM t")
    run = Run(server, replacing(query), on_change=on_change)
    assert rich.ours(rich.all_names(conn)) == set()
    if not changed:
        assert run.notices == [("NOTICE", UNCHANGED)] and rich.id_of(conn, "m") == view_id
    elif on_change == "apply":
        assert run.notices[0] == ("NOTICE", NOTICE_FIRST) and rich.id_of(conn, "m") != view_id
    elif on_change == "continue":
        assert run.error is None and run.notices == [("NOTICE", LEFT)]
        assert rich.id_of(conn, "m") == view_id and not run.built()
    else:
        assert run.error.sqlstate == "42P07" and rich.id_of(conn, "m") == view_id
        assert not run.built()


@pytest.mark.parametrize("query, allowed", [
    ("SELECT a, b, a AS c FROM t WHERE a > 0", {"any", "compatible"}),
    ("SELECT a, b FROM t WHERE a > 0", {"any", "compatible", "same"}),
    ("SELECT b, a FROM t", {"any"}), ("SELECT a FROM t", {"any"}),
    ("SELECT a AS x, b FROM t", {"any"}), ("SELECT a, b::bigint AS b FROM t", {"any"}),
    ("SELECT a, a AS c, b FROM t", {"any"}),
])
@pytest.mark.parametrize("columns", ["any", "compatible", "same"])
def test_columns(server, conn, columns, query, allowed):
    view_id = make(conn, " AS SELECT a, b FROM t")
    run = Run(server, replacing(query), columns=columns)
    assert rich.ours(rich.all_names(conn)) == set()
    if columns in allowed:
        assert run.error is None and rich.id_of(conn, "m") != view_id
    else:
        assert run.error.sqlstate == "42P16" and "Column" in run.error.diag.message_detail
        assert rich.id_of(conn, "m") == view_id and not run.built()


def test_columns_without_a_probe_are_compared_behind_the_build(server, conn):
    view_id = make(conn, " AS SELECT a, b FROM t")
    with connect(server.port, options="-c mvswap.columns=same") as through:
        with pytest.raises(psycopg.Error) as refused:
            through.execute(replacing("SELECT b, a FROM t WHERE a > %s"), (0,))
        assert refused.value.sqlstate == "42P16"
        assert rich.id_of(conn, "m") == view_id and rich.ours(rich.all_names(conn)) == set()
        through.execute(replacing("SELECT a, b FROM t WHERE a > %s"), (1,))
    assert rich.anatomy(conn)["rows"] == ((2, 20),)


# A view that would read itself.

@pytest.mark.parametrize("between", [
    [], ["VIEW v"], ["MATERIALIZED VIEW v"], ["VIEW v", "VIEW w"], ["MATERIALIZED VIEW v", "VIEW w"]])
@pytest.mark.parametrize("parameters", [False, True])
def test_a_view_that_reads_itself(server, conn, between, parameters):
    view_id, source = make(conn, " AS SELECT a FROM t"), "m"
    for what in between:
        conn.execute(f"CREATE {what} AS SELECT a FROM {source}")
        source = what.split()[-1]
    query = f"SELECT a + 1 AS a FROM {source}"
    with connect(server.port) as through:
        with pytest.raises(psycopg.Error) as refused:
            if parameters:
                through.execute(replacing(query + " WHERE a > %s"), (0,))
            else:
                through.execute(replacing(query))
    assert refused.value.sqlstate == "42P17"
    assert rich.id_of(conn, "m") == view_id and rich.ours(rich.all_names(conn)) == set()


def test_the_probe_is_gone_in_every_outcome(server, conn):
    make(conn, " AS SELECT a FROM t")
    for sql in (replacing("SELECT nope FROM t"), replacing("SELECT a FROM t"),
                replacing("SELECT a FROM m"), replacing("SELECT b FROM t")):
        Run(server, sql)
        assert rich.ours(rich.all_names(conn)) == set(), sql
    assert any("_probe_" in s and s.startswith("CREATE VIEW") for s in server.server.statements())
