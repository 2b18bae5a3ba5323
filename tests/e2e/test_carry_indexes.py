"""Indexes of a replaced view: every form of key and of name, built before the swap, named as before."""

import threading

import psycopg
import pytest

import rich_view as rich
from conftest import connect, make_view, rows, serving
from kill_matrix import Poller, World, Writer
from one_view import replacing
from processes import eventually

OLD = "SELECT a, b FROM t"
NEW = "SELECT a, b, a + b AS c FROM t"
FORMS = [
    "(a)", "(a DESC)", "(a ASC NULLS FIRST)", "(a DESC NULLS LAST)", "(b, a DESC)",
    "(a) INCLUDE (b)", "(b) DISTRIBUTED BY (b)", "(b, a) INCLUDE (a) DISTRIBUTED BY (b)",
    "(abs(a))", "(a, b) DISTRIBUTED BY (a, b)",
]
NAMES = ['"Quoted"', '"with a blank"', '"ünï cødé 漢"', '"dot.ted"', '"by (b)"',
         '"semi;colon"', "i_tmp", '"-- no comment"', '"it\'s"']


def make(conn: psycopg.Connection, query: str = OLD, name: str = "m") -> None:
    conn.execute(f"DROP MATERIALIZED VIEW IF EXISTS {name}")
    conn.execute(f"CREATE MATERIALIZED VIEW {name} AS {query}")


def keys(conn: psycopg.Connection, name: str = "m") -> dict[str, tuple]:
    """By index: on, key, included, distributed by, as SHOW INDEXES tells it."""
    return {row[0]: row[1:] for row in rows(conn, f"SHOW INDEXES FROM {name}")}


def sent(world, beginning: str, since: int = 0) -> list[str]:
    return [s for s in world.proxy.server.statements()[since:] if s.startswith(beginning)]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_key(world, form):
    conn = world.catalog.conn
    make(conn)
    conn.execute(f"CREATE INDEX i ON m{form}")
    before, shown = rich.indexes(conn, rich.id_of(conn, "m")), keys(conn)["i"]
    index_id = rich.id_of(conn, "i")
    with connect(world.port) as through:
        through.execute(replacing(NEW))
    assert rich.indexes(conn, rich.id_of(conn, "m")) == before
    assert rich.id_of(conn, "i") != index_id
    after = keys(conn)["i"]
    assert (after[0], after[1], after[3]) == ("m", shown[1], shown[3])
    assert rich.all_names(conn) == {"t", "m", "i"}


def test_an_expression_and_a_quoted_column(world):
    conn = world.catalog.conn
    make(conn, 'SELECT a AS "Col ü", b FROM t')
    conn.execute('CREATE INDEX one ON m("Col ü" DESC) INCLUDE (b)')
    conn.execute('CREATE INDEX two ON m(("Col ü" + b), b)')
    before = rich.indexes(conn, rich.id_of(conn, "m"))
    assert len(before) == 2
    with connect(world.port) as through:
        through.execute(replacing('SELECT a AS "Col ü", b, 1 AS n FROM t'))
    assert rich.indexes(conn, rich.id_of(conn, "m")) == before


@pytest.mark.parametrize("name", NAMES)
def test_every_form_of_name(world, name):
    conn = world.catalog.conn
    make(conn)
    conn.execute(f"CREATE INDEX {name} ON m(b DESC)")
    (plain,) = keys(conn)
    with connect(world.port) as through:
        through.execute(replacing(NEW))
    assert set(keys(conn)) == {plain}
    definition = rows(conn, "SELECT definition FROM rw_catalog.rw_indexes")[0][0]
    assert definition.endswith("(b DESC)") and "_20" not in definition
    assert rich.all_names(conn) == {"t", "m", plain}


def test_a_view_and_a_schema_with_odd_names(world):
    conn = world.catalog.conn
    conn.execute('CREATE SCHEMA IF NOT EXISTS "S, s"')
    name = '"S, s"."V (b) ü"'
    make(conn, name=name)
    conn.execute(f'CREATE INDEX "I (a)" ON {name}(a)')
    try:
        with connect(world.port) as through:
            for number in range(2):
                through.execute(replacing(f"SELECT a, b, {number} AS n FROM t", name))
        assert set(keys(conn, name)) == {"I (a)"}
        assert rich.ours(rich.all_names(conn)) == set()
    finally:
        conn.execute(f"DROP MATERIALIZED VIEW {name}")
        conn.execute('DROP SCHEMA "S, s"')


def test_an_index_is_finished_before_the_swap_and_named_after_it(world):
    conn = world.catalog.conn
    make(conn)
    for name in ("i", "j"):
        conn.execute(f"CREATE INDEX {name} ON m(a)")
    before = len(world.proxy.server.statements())
    with connect(world.port) as through:
        through.execute(replacing(NEW))
    story = [kind for s in world.proxy.server.statements()[before:]
             for kind, beginning in (("view", "CREATE MATERIALIZED"), ("index", "CREATE INDEX"),
                                     ("swap", "ALTER MATERIALIZED"), ("name", "ALTER INDEX"),
                                     ("drop", "DROP MATERIALIZED"))
             if s.startswith(beginning)]
    assert story == ["view", "index", "index", "swap", "name", "name", "name", "name", "drop"]


def test_five_times_in_a_row(world):
    conn = world.catalog.conn
    make(conn)
    conn.execute('CREATE INDEX "One" ON m(a DESC) INCLUDE (b)')
    conn.execute("CREATE INDEX two ON m(abs(b))")
    before = rich.indexes(conn, rich.id_of(conn, "m"))
    with connect(world.port) as through:
        for number in range(5):
            through.execute(replacing(f"SELECT a, b, {number} AS n FROM t"))
            assert rich.indexes(conn, rich.id_of(conn, "m")) == before
    definitions = [text for (text,) in rows(conn, "SELECT definition FROM rw_catalog.rw_indexes")]
    assert len(definitions) == 2 and not any("_tmp_" in d or "_old_" in d for d in definitions)
    assert world.catalog.definition("m") == "CREATE MATERIALIZED VIEW m AS SELECT a, b, 4 AS n FROM t"
    assert rows(conn, "SHOW JOBS") == []


def test_under_load_nobody_meets_the_view_without_its_indexes():
    """Readers and writers all the time; whoever looks finds both indexes on what is named m."""
    world = World("background 2.7")
    try:
        world.reset()
        conn = world.conn
        poller, writer = Poller(world), Writer(world)
        for thread in (poller, writer):
            thread.start()
        counts = set()
        with connect(world.proxy.port) as through:
            done = []

            def replace_all():
                for query in (rich.NEW, rich.OLD) * 3:
                    through.execute(replacing(query))
                done.append(True)

            replacer = threading.Thread(target=replace_all)
            replacer.start()
            while replacer.is_alive():
                counts.add(len(keys(conn)))
            replacer.join()
        for thread in (poller, writer):
            thread.finish()
        assert done == [True] and counts == {2}
        assert poller.errors == [] and writer.errors == []
        assert len(poller.seen) >= 5 and writer.num_rows > 0
        assert set(poller.seen) == {rich.OLD_ROWS, rich.NEW_ROWS}
        assert rich.all_names(conn) == {"t", "m", *rich.INDEXES}
    finally:
        world.close()


# Those that cannot be built.

def assert_as_it_was(world, before: dict) -> None:
    conn = world.catalog.conn
    assert rich.anatomy(conn) == before
    assert rich.all_names(conn) == {"t", "m", *before["indexes"]}


def test_a_column_that_is_gone_is_found_before_the_build(world):
    conn = world.catalog.conn
    make(conn)
    conn.execute('CREATE INDEX "On B" ON m(b)')
    before, number = rich.anatomy(conn), len(world.proxy.server.statements())
    with connect(world.port) as through:
        with pytest.raises(psycopg.Error, match='index "On B" cannot be built') as refused:
            through.execute(replacing("SELECT a FROM t"))
        assert '"b"' in refused.value.diag.message_detail
        assert "mvswap.indexes = drop" in refused.value.diag.message_hint
        assert refused.value.sqlstate == "42703"
        assert sent(world, "CREATE MATERIALIZED VIEW", number) == []
        assert rows(through, "SHOW background_ddl") == [("false",)]
    assert_as_it_was(world, before)


@pytest.mark.parametrize("build", ["background", "foreground"])
def test_an_index_that_the_server_refuses_undoes_all(world, build):
    """With parameters there is no probe that would find it before the build."""
    conn = world.catalog.conn
    make(conn)
    conn.execute("CREATE INDEX good ON m(a)")
    conn.execute('CREATE INDEX "bad one" ON m(b DESC)')
    before = rich.anatomy(conn)
    text = replacing("SELECT a FROM t WHERE a > %s")
    with connect(world.port, options=f"-c mvswap.build={build}") as through:
        with pytest.raises(psycopg.Error, match='index "bad one" cannot be built') as refused:
            through.execute(text, (0,))
        assert "b" in refused.value.diag.message_detail
        assert "mvswap.indexes = drop" in refused.value.diag.message_hint
        assert rows(through, "SHOW background_ddl") == [("false",)]
        assert_as_it_was(world, before)
        through.execute("SET mvswap.indexes = drop")
        through.execute(text, (0,))
    assert keys(conn) == {} and rich.all_names(conn) == {"t", "m"}


@pytest.mark.parametrize("build", ["background", "foreground"])
def test_an_index_build_that_fails_on_the_server_undoes_all(build):
    # In the foreground the server says of it what it says of a recovery: it is tried once more.
    failing = [switch for n in range(1, 3 if build == "foreground" else 2)
               for switch in ("--build-fail", f"CREATE INDEX .*j_tmp_@{n}")]
    with serving(*failing, "--build-time", "0.2",
                 flags=["--build", build, "--drain-min", "0"]) as proxy:
        make_view(proxy.server.port)
        with connect(proxy.server.port) as conn, connect(proxy.port) as through:
            for name in ("i", "j", "k"):
                conn.execute(f"CREATE INDEX {name} ON m(a)")
            before = rich.anatomy(conn)
            view_id = rich.id_of(conn, "m")
            with pytest.raises(psycopg.Error) as refused:
                through.execute(replacing(NEW))
            assert '"j"' in str(refused.value)
            assert rows(through, "SHOW background_ddl") == [("false",)]
            assert rich.anatomy(conn) == before and rich.id_of(conn, "m") == view_id
            assert rich.all_names(conn) == {"t", "m", "i", "j", "k"}
            assert rows(conn, "SHOW JOBS") == []
            through.execute(replacing(NEW))
            assert set(keys(conn)) == {"i", "j", "k"}


def test_indexes_that_are_to_be_dropped(world):
    conn = world.catalog.conn
    make(conn)
    conn.execute("CREATE INDEX i ON m(b)")
    told, number = [], len(world.proxy.server.statements())
    with connect(world.port) as through:
        through.add_notice_handler(lambda n: told.append(n.message_primary))
        through.execute("/* mvswap: indexes=drop */ " + replacing("SELECT a FROM t"))
        assert keys(conn) == {}
        # The next one has none to carry.
        through.execute(replacing(NEW))
    assert sent(world, "CREATE INDEX", number) == []
    assert rich.all_names(conn) == {"t", "m"}
    assert not any("Carried over: 1 index" in text for text in told)


def test_what_comes_during_the_build_is_carried_too():
    """What the view has is read once more when the new one is built."""
    with serving("--delay", "^CREATE MATERIALIZED VIEW m_tmp@1=3",
                 flags=["--drain-min", "0"]) as proxy:
        make_view(proxy.server.port)
        with connect(proxy.server.port) as conn, connect(proxy.port) as through:
            replacer = threading.Thread(target=through.execute, args=(replacing(NEW),))
            replacer.start()
            assert eventually(lambda: any("_tmp_" in name for name in rich.all_names(conn)))
            conn.execute("CREATE USER late")
            conn.execute("GRANT SELECT ON MATERIALIZED VIEW m TO late")
            conn.execute("COMMENT ON TABLE m IS 'late'")
            replacer.join()
            now = rich.anatomy(conn)
            assert now["grants"] == {("late", "r")} and now["comments"] == {None: "late"}
            assert now["columns"] == ("a", "b", "c")


def test_an_index_that_is_made_behind_the_last_look_stops_the_swap():
    with serving("--delay", "^CREATE INDEX .*_tmp_@1=3", flags=["--drain-min", "0"]) as proxy:
        make_view(proxy.server.port)
        with connect(proxy.server.port) as conn, connect(proxy.port) as through:
            conn.execute("CREATE INDEX i ON m(a)")
            errors = []

            def replace():
                try:
                    through.execute(replacing(NEW))
                except psycopg.Error as error:
                    errors.append(error)

            replacer = threading.Thread(target=replace)
            replacer.start()
            assert eventually(lambda: any(s.startswith("CREATE INDEX") and "_tmp_" in s
                                          for s in proxy.server.statements()))
            conn.execute("CREATE INDEX late ON m(a DESC)")
            replacer.join()
            assert [error.sqlstate for error in errors] == ["40001"]
            assert set(keys(conn)) == {"i", "late"}
            assert rich.all_names(conn) == {"t", "m", "i", "late"}
            through.execute(replacing(NEW))
            assert set(keys(conn)) == {"i", "late"}


@pytest.mark.parametrize("version, name", [("2.2", '"Quoted"'), ("2.7", '"select"')])
def test_a_name_that_the_server_cannot_swap_is_refused_before_the_build(version, name):
    """Before 2.5 names that need quotes, before 2.8 keywords: a swap writes them without."""
    with serving("--version", version, flags=["--drain-min", "0"]) as proxy:
        make_view(proxy.server.port)
        with connect(proxy.server.port) as conn, connect(proxy.port) as through:
            conn.execute(f"CREATE INDEX {name} ON m(a)")
            view_id = rich.id_of(conn, "m")
            with pytest.raises(psycopg.Error, match="could stop the server") as refused:
                through.execute(replacing(NEW))
            assert refused.value.sqlstate == "55000"
            assert rich.id_of(conn, "m") == view_id
            assert rich.all_names(conn) == {"t", "m", name.strip('"')}
