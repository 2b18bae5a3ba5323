"""CREATE OR REPLACE VIEW: the same engine, nothing to build. What reads the view follows.

See dependents.py for what is judged.
"""

import psycopg
import pytest

import dependents as d
import rich_view as rich
from conftest import connect, rows
from dependents import FOLLOWS, GONE, MORE, UNSAFE, refused, stays

M = "CREATE MATERIALIZED VIEW m AS SELECT {} FROM {}"
GRANT = "GRANT SELECT ON VIEW {} TO {}"
IN_S = ("CREATE SCHEMA s1", "CREATE SCHEMA s2")


def of_view(name: str, *readers: str, **more) -> d.Shape:
    return d.shape(name, *readers, **{"kind": "view", **more})


ANOTHER = {"old": "SELECT a, b FROM public.t", "new": "SELECT a, b FROM public.other",
           "before": ("CREATE TABLE other (a INT, b INT)", "INSERT INTO other VALUES (1, 7), (2, 8)")}
SHAPES = [
    of_view("nobody reads it"),
    of_view("a view", "SELECT a, b FROM x"),
    of_view("a chain", "SELECT a, b FROM x", "SELECT a, b FROM v1", "SELECT b FROM v2"),
    of_view("a diamond", "SELECT a, b FROM x", "SELECT a, b + 1 AS b FROM x",
            "SELECT v1.b, v2.b AS c, x.s FROM v1, v2, x WHERE v1.a = v2.a AND x.a = v1.a"),
    of_view("grants and owner", "SELECT a, b FROM x", GRANT.format("x", "zoe") + " WITH GRANT OPTION",
            GRANT.format("x", "eve"), GRANT.format("v1", "eve"), "ALTER VIEW x OWNER TO bob"),
    of_view("default privileges", "SELECT b FROM x",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON VIEWS TO zoe",
            behind=("ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON VIEWS FROM zoe",)),
    of_view("a column list", "SELECT p, q FROM x", lists=(" (p, q)", " (p, q)"),
            old="SELECT a, b FROM t WHERE a < 3", new="SELECT a, b + 1000 FROM t"),
    of_view("another column list", "SELECT q FROM x", "SELECT p FROM x", "SELECT q FROM v1",
            lists=(" (p, q)", " (r, q)"), old="SELECT a, b FROM t", new="SELECT a, b + 1000 FROM t",
            expect=stays("v2")),
    of_view("a column list that goes", "SELECT a FROM x", lists=(" (b, a)", ""),
            old="SELECT a, b FROM t", new="SELECT a, b FROM t"),
    of_view("one column more", "SELECT b FROM x", new=MORE),
    of_view("a column is gone", "SELECT s FROM x", "SELECT b FROM x", new=GONE, expect=stays("v1")),
    of_view("a materialized view", M.format("a, b", "x"), expect=stays("m")),
    of_view("a materialized view on a view on it", "SELECT a, b FROM x", M.format("b", "v1"),
            "SELECT b FROM m", expect=stays("m")),
    of_view("a sink of a query", "CREATE SINK k AS SELECT b FROM x WITH (connector = 'blackhole')",
            expect=stays("k")),
    of_view("reads a materialized view", "SELECT b FROM x", old="SELECT a, b FROM mv WHERE a < 3",
            new="SELECT a, b + 1000 AS b FROM mv",
            before=("CREATE MATERIALIZED VIEW mv AS SELECT a, b FROM t",)),
    # What reads a plain view reads, for the server, also what that one reads.
    of_view("reads another table", "SELECT a, b FROM x", "SELECT x.b, t.s FROM x JOIN t ON x.a = t.a",
            "SELECT v1.b, v2.s FROM v1, v2", **ANOTHER),
    of_view("reads another table, a materialized view", M.format("a, b", "x"), "SELECT b FROM m",
            policy="cascade", **ANOTHER),
    of_view("reads another table, another t under the search path", "SET search_path TO s1, public",
            "CREATE VIEW v1 AS SELECT x.b, t.z FROM x JOIN t ON x.a = t.z",
            **{**ANOTHER, "before": (*ANOTHER["before"], "CREATE SCHEMA s1",
                                     "CREATE TABLE s1.t (z INT)", "INSERT INTO s1.t VALUES (1)")}),
    of_view("another t with the same columns under the search path", "SET search_path TO s1, public",
            "CREATE VIEW public.v1 AS SELECT x.b, t.a FROM x JOIN t ON x.a = t.a", expect=stays("v1"),
            before=("CREATE SCHEMA s1", "CREATE TABLE s1.t (a INT)", "INSERT INTO s1.t VALUES (1)")),
    of_view("odd names", 'SELECT b FROM "My View"', x='"My View"'),
    of_view("in another schema", "SELECT b FROM s1.x", "CREATE VIEW s1.v2 AS SELECT b FROM s1.x",
            x="s1.x", before=IN_S),
    of_view("another one of its name is read beside it", "CREATE VIEW s2.x AS SELECT 7 AS b",
            "SELECT p.b, q.b AS c FROM public.x AS p, s2.x AS q", before=IN_S, expect=UNSAFE),
    of_view("WITH of its name", "WITH x AS (SELECT a, b FROM public.x) SELECT b FROM x",
            expect=UNSAFE),
    of_view("missed", "SELECT CASE WHEN (SELECT max(b) FROM x) > 100 THEN 'n' ELSE 'o' END AS w"),
    of_view("refuse", "SELECT b FROM x", policy="refuse", expect=refused("2BP01")),
    of_view("refuse, nobody reads it", policy="refuse"),
    of_view("a materialized view follows too", "SELECT a, b FROM x", M.format("b", "v1"),
            policy="cascade", expect=FOLLOWS),
]


@pytest.mark.parametrize("one", SHAPES, ids=str)
def test_replace_view(stages, one):
    stages.of(one.version).play(one).check()


@pytest.fixture
def stage(stages):
    stage = stages.of()
    stage.server.build(of_view("x", "SELECT a, b FROM x"))
    return stage


@pytest.fixture
def conn(stage):
    with connect(stage.proxy.port) as conn:
        conn.told = []
        conn.add_notice_handler(lambda n: conn.told.append(n.message_primary))
        yield conn


def state_of(stage) -> tuple:
    state = stage.state()
    return state.things, state.references, state.answers


NEW = f"CREATE OR REPLACE VIEW x AS {d.NEW}"


def test_the_first_one_is_a_plain_create(stage, conn):
    assert conn.execute("CREATE OR REPLACE VIEW first AS SELECT 1 AS n").statusmessage == "CREATE_VIEW"
    assert rows(conn, "SELECT n FROM first") == [(1,)]
    assert not any(" SWAP WITH " in sql and "first" in sql for sql in stage.sandbox.statements())


def test_an_unchanged_one_is_left(stage, conn):
    before = state_of(stage)
    conn.execute("SET mvswap.unchanged = skip")
    assert conn.execute(f"CREATE OR REPLACE VIEW x AS {d.OLD}").statusmessage == "CREATE_VIEW"
    assert state_of(stage) == before and "unchanged" in conn.told[-1]


def test_a_changed_column_list_is_a_change(stage, conn):
    conn.execute("SET mvswap.unchanged = skip")
    conn.execute(f"CREATE OR REPLACE VIEW x (a, b, p, q) AS {d.OLD}")
    assert len(rows(conn, "SELECT p, q FROM x")) == 2 and len(rows(conn, "SELECT b FROM v1")) == 2


@pytest.mark.parametrize("sql, code", [
    ("CREATE OR REPLACE VIEW x AS SELECT a FROM x", "42P17"),
    ("CREATE OR REPLACE VIEW x AS SELECT a FROM v1", "42P17"),
    ("CREATE OR REPLACE VIEW x AS SELECT a FROM (SELECT * FROM t, v1) AS q (a)", "42P17"),
    ("CREATE OR REPLACE VIEW t AS SELECT 1 AS a", "42809"),
    ("CREATE OR REPLACE VIEW mv AS SELECT 1 AS a", "42809"),
    ("CREATE OR REPLACE MATERIALIZED VIEW x AS SELECT 1 AS a", "42809"),
    ("CREATE OR REPLACE MATERIALIZED VIEW v1 AS SELECT 1 AS a", "42809"),
    ("/* mvswap: columns=same */ CREATE OR REPLACE VIEW x AS SELECT a FROM t", "42P16"),
])
def test_what_is_refused_changes_nothing(stage, conn, sql, code):
    stage.server.conn.execute("CREATE MATERIALIZED VIEW mv AS SELECT a FROM t")
    before = state_of(stage)
    with pytest.raises(psycopg.Error) as caught:
        conn.execute(sql)
    assert caught.value.sqlstate == code
    assert state_of(stage) == before


@pytest.mark.parametrize("query", ["SELECT nope FROM t", "SELECT a FROM nothing", "SELECT a FRM t"])
def test_an_error_of_the_server_is_the_answer(stage, conn, query):
    before = state_of(stage)
    with connect(stage.sandbox.port) as direct, pytest.raises(psycopg.Error) as wanted:
        direct.execute(f"CREATE VIEW another AS {query}")
    with pytest.raises(psycopg.Error) as caught:
        conn.execute(f"CREATE OR REPLACE VIEW x AS {query}")
    assert caught.value.sqlstate == wanted.value.sqlstate
    assert str(caught.value).split("Caused by")[-1].split("LINE")[0] == (
        str(wanted.value).split("Caused by")[-1].split("LINE")[0])
    assert state_of(stage) == before


@pytest.mark.parametrize("sees, code", [(True, "42501"), (False, "42710")])
def test_somebody_else_may_not(stage, sees, code):
    """Who cannot see it makes a first one, and the server says that it is there."""
    if sees:
        stage.server.conn.execute("GRANT SELECT ON VIEW x TO bob")
    before = state_of(stage)
    with connect(stage.proxy.port, user="bob") as bob, pytest.raises(psycopg.Error) as caught:
        bob.execute(NEW)
    assert caught.value.sqlstate == code
    assert state_of(stage) == before


def test_in_a_batch(stage, conn):
    cursor = conn.execute(f"SELECT 1; {NEW}; SELECT max(b) FROM v1")
    tags = [cursor.statusmessage]
    while cursor.nextset():
        tags.append(cursor.statusmessage)
    assert tags == ["SELECT 1", "CREATE_VIEW", "SELECT 1"]
    assert cursor.fetchall() == [(1030,)]


def test_in_the_extended_protocol(stage):
    with connect(stage.proxy.port, prepare_threshold=5) as conn:
        for number in (1, 2):
            cursor = conn.execute(f"CREATE OR REPLACE VIEW x AS SELECT a, {number} AS b FROM t",
                                  prepare=True)
            assert cursor.statusmessage == "CREATE_VIEW"
            assert rows(conn, "SELECT DISTINCT b FROM v1") == [(number,)]
    assert rich.ours(rich.all_names(stage.server.conn)) == set()


def test_in_a_read_only_transaction(stage, conn):
    before = state_of(stage)
    conn.execute("BEGIN READ ONLY")
    with pytest.raises(psycopg.Error) as caught:
        conn.execute(NEW)
    assert caught.value.sqlstate == "25006"
    conn.execute("COMMIT")
    assert state_of(stage) == before


@pytest.mark.parametrize("form", ["CREATE OR REPLACE TEMP VIEW x AS", "create or replace view X as",
                                  '/* a */ CREATE OR REPLACE VIEW "public"."x" AS'])
def test_other_forms(stage, conn, form):
    assert conn.execute(f"{form} {d.NEW}").statusmessage == "CREATE_VIEW"
    assert rows(conn, "SELECT max(b) FROM v1") == [(1030,)]


def test_with_if_not_exists_it_is_the_servers(stage, conn):
    before = state_of(stage)
    with pytest.raises(psycopg.Error) as caught:
        conn.execute("CREATE OR REPLACE VIEW IF NOT EXISTS x AS SELECT 1 AS a")
    assert caught.value.sqlstate == "XX000"
    assert state_of(stage) == before


def test_explain(stage, conn):
    before = state_of(stage)
    plan = "\n".join(line for (line,) in rows(conn, f"EXPLAIN {NEW}"))
    assert d.says(plan, "v1") and state_of(stage) == before


def test_twice_and_back(stage, conn):
    for query in (d.NEW, d.OLD, d.NEW):
        conn.execute(f"CREATE OR REPLACE VIEW x AS {query}")
        with connect(stage.sandbox.port) as direct:
            wanted = rows(direct, f"SELECT a, b FROM ({query}) AS q ORDER BY a")
        assert rows(conn, "SELECT a, b FROM v1 ORDER BY a") == wanted
    assert rich.ours(rich.all_names(stage.server.conn)) == set()
