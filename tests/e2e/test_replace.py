"""A materialized view replaced through the proxy: what readers, the client and the catalog see."""

import re
import subprocess
import threading

import psycopg
import pytest

from conftest import NEW, OLD, REPLACE, Catalog, connect, make_view, rows, serving
from processes import eventually


class Reader(threading.Thread):
    """Polls the view every millisecond and keeps (columns, rows) of every answer, and every error."""

    def __init__(self, port: int):
        super().__init__()
        self.conn = connect(port)
        self.over, self.answers, self.errors = threading.Event(), [], []

    def run(self):
        while not self.over.wait(0.001):
            try:
                cursor = self.conn.execute("SELECT * FROM m ORDER BY a")
                self.answers.append((tuple(c.name for c in cursor.description),
                                     tuple(cursor.fetchall())))
            except psycopg.Error as error:
                self.errors.append(str(error))

    def finish(self):
        self.over.set()
        self.join()
        self.conn.close()


OLD_ANSWER = (("a",), ((1,), (2,)))
NEW_ANSWER = (("a", "b"), ((1, 10), (2, 20)))


@pytest.mark.parametrize("build", ["background", "foreground"])
def test_readers_see_one_switch_and_no_error(build):
    with serving("--build-time", "0.7", flags=["--build", build]) as proxy:
        make_view(proxy.server.port)
        readers = [Reader(proxy.server.port), Reader(proxy.port)]
        for reader in readers:
            reader.start()
        with connect(proxy.port) as conn:
            assert eventually(lambda: all(reader.answers for reader in readers))
            assert conn.execute(REPLACE).statusmessage == "CREATE_MATERIALIZED_VIEW"
            assert eventually(lambda: all(reader.answers[-1] != OLD_ANSWER for reader in readers))
        for reader in readers:
            reader.finish()
            assert reader.errors == []
            seen = [answer for n, answer in enumerate(reader.answers)
                    if n == 0 or answer != reader.answers[n - 1]]
            assert seen == [OLD_ANSWER, NEW_ANSWER]
        assert Catalog(proxy.server.port).leftovers() == set()


def test_the_sequence_that_the_server_sees(proxy):
    with connect(proxy.port) as conn:
        conn.execute(REPLACE)
    sent = [s for s in proxy.server.statements() if s.split(" ")[0] in
            ("CREATE", "ALTER", "DROP", "SET")][2:]
    temp = sent[4].split(" ")[3]
    assert temp.startswith("m_tmp_20") and len(temp) == len("m_tmp_YYYYMMDD_HHMMSS_uuuuuu")
    probe = temp.replace("_tmp_", "_probe_")
    assert sent == [
        REPLACE,
        f'CREATE VIEW "public"."{probe}"  AS {NEW}',
        f'DROP VIEW "public"."{probe}"',
        "SET background_ddl = true",
        f"CREATE MATERIALIZED VIEW {temp} AS {NEW}",
        "SET background_ddl = false",
        f'ALTER MATERIALIZED VIEW "public"."{temp}" SWAP WITH "public"."m"',
        f'DROP MATERIALIZED VIEW "public"."{temp}"',
    ]


def test_first_creation_is_a_plain_create(proxy, catalog):
    with connect(proxy.port) as conn:
        answer = conn.execute("CREATE OR REPLACE MATERIALIZED VIEW fresh AS SELECT b FROM t")
        assert answer.statusmessage == "CREATE_MATERIALIZED_VIEW"
        assert sorted(rows(conn, "SELECT * FROM fresh")) == [(10,), (20,)]
    assert catalog.leftovers() == set()
    assert "CREATE MATERIALIZED VIEW fresh AS SELECT b FROM t" in proxy.server.statements()


@pytest.mark.parametrize("name", ['"Mixed Case"', "public.m", "dev.public.m", "M", '"ünï.cødé"'])
def test_names_in_every_form(proxy, catalog, name):
    with connect(proxy.port) as conn:
        if name.startswith('"'):
            conn.execute(f"CREATE MATERIALIZED VIEW {name} AS {OLD}")
        conn.execute(f"CREATE OR REPLACE MATERIALIZED VIEW {name} AS {NEW}")
        assert sorted(rows(conn, f"SELECT * FROM {name}")) == [(1, 10), (2, 20)]
    assert catalog.leftovers() == set()


def test_a_failing_query_is_the_servers_error_and_changes_nothing(proxy, catalog):
    before = catalog.view_id("m")
    with connect(proxy.port) as conn:
        with pytest.raises(psycopg.Error, match="Invalid column: nope"):
            conn.execute("CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT nope FROM t")
        assert rows(conn, "SELECT * FROM m ORDER BY a") == [(1,), (2,)]
        assert rows(conn, "SHOW background_ddl") == [("false",)]
    assert catalog.view_id("m") == before and catalog.leftovers() == set()


@pytest.mark.parametrize("build", ["background", "foreground"])
@pytest.mark.parametrize("fault", [
    "^CREATE MATERIALIZED VIEW m_tmp@1", "r.acl, o.name@1", "r.acl, o.name@2", "x.refobjid IN@1",
    "x.refobjid IN@2", "x.objid = @1", "x.objid = @2", "relation_id = @3", "rw_indexes@2", "^DESCRIBE@2",
    "j.parallelism@2", "rw_ddl_progress@2", "r.name IN@1", "SWAP WITH@1"])
def test_a_failure_before_the_swap_leaves_everything_as_it_was(fault, build):
    with serving("--fail", fault, flags=["--build", build]) as proxy:
        make_view(proxy.server.port)
        catalog = Catalog(proxy.server.port)
        before = catalog.view_id("m")
        with connect(proxy.port) as conn:
            with pytest.raises(psycopg.Error, match="injected failure"):
                conn.execute(REPLACE)
            assert rows(conn, "SELECT * FROM m ORDER BY a") == [(1,), (2,)]
            assert rows(conn, "SHOW background_ddl") == [("false",)]
            assert catalog.view_id("m") == before and catalog.leftovers() == set()
            conn.execute(REPLACE)
            assert rows(conn, "SELECT * FROM m ORDER BY a") == [(1, 10), (2, 20)]


@pytest.mark.parametrize("fault", [
    "^CREATE VIEW@1", "r.relation_type, r.definition@1", "relation_id = @2", "x.objid IN@1",
    "rw_streaming_jobs j ON@1", "^SHOW MATERIALIZED VIEWS@2"])
def test_a_failure_that_says_nothing_of_the_view_ends_nothing(fault):
    """The probe only saves an hour, and how a build stands can be asked again."""
    with serving("--fail", fault) as proxy:
        make_view(proxy.server.port)
        with connect(proxy.port) as conn:
            conn.execute(REPLACE)
            assert rows(conn, "SELECT * FROM m ORDER BY a") == [(1, 10), (2, 20)]
        pattern, number = fault.split("@")
        assert sum(bool(re.search(pattern, s)) for s in proxy.server.statements()) >= int(number)
        assert Catalog(proxy.server.port).leftovers() == set()


def test_a_probe_that_cannot_be_dropped_is_a_warning_that_names_it():
    with serving("--fail", "^DROP VIEW@1") as proxy:
        make_view(proxy.server.port)
        catalog = Catalog(proxy.server.port)
        told = []
        with connect(proxy.port) as conn:
            conn.add_notice_handler(lambda n: told.append((n.severity, n.message_hint)))
            conn.execute(REPLACE)
            assert rows(conn, "SELECT * FROM m ORDER BY a") == [(1, 10), (2, 20)]
            (left,) = catalog.leftovers()
            assert left.startswith("m_probe_")
            hint = f'DROP VIEW "public"."{left}";'
            assert ("WARNING", hint) in told
            conn.execute(hint)
        assert catalog.leftovers() == set()


def test_a_failing_drop_is_a_warning_that_names_what_is_left():
    with serving("--fail", "^DROP MATERIALIZED VIEW@1") as proxy:
        make_view(proxy.server.port)
        catalog = Catalog(proxy.server.port)
        told = []
        with connect(proxy.port) as conn:
            conn.add_notice_handler(lambda n: told.append((n.severity, n.message_hint)))
            conn.execute(REPLACE)
            assert rows(conn, "SELECT * FROM m ORDER BY a") == [(1, 10), (2, 20)]
            (left,) = catalog.leftovers()
            hint = f'DROP MATERIALIZED VIEW "public"."{left}";'
            assert ("WARNING", hint) in told
            conn.execute(hint)
        assert catalog.leftovers() == set()


@pytest.mark.parametrize("build", ["background", "foreground"])
def test_a_client_that_is_killed_during_the_build(build):
    with serving("--build-hang", "VIEW m_tmp", flags=["--build", build]) as proxy:
        make_view(proxy.server.port)
        catalog = Catalog(proxy.server.port)
        before = catalog.view_id("m")
        client = subprocess.Popen(["psql", "-X", "-h", "127.0.0.1", "-p", str(proxy.port), "-U",
                                   "root", "-d", "dev", "-c", REPLACE], stderr=subprocess.DEVNULL)
        assert eventually(catalog.builds) != set()
        client.kill()
        client.wait()
        assert eventually(lambda: not catalog.leftovers()), proxy.output()
        # When the session is over nothing can come any more.
        assert eventually(lambda: len(rows(catalog.conn, "SHOW PROCESSLIST")) == 1)
        assert catalog.view_id("m") == before and catalog.leftovers() == set()


@pytest.mark.parametrize("build", ["background", "foreground"])
def test_a_cancel_during_the_build_undoes_it(build):
    with serving("--build-hang", "VIEW m_tmp", flags=["--build", build]) as proxy:
        make_view(proxy.server.port)
        catalog = Catalog(proxy.server.port)
        with connect(proxy.port) as conn:
            canceller = threading.Thread(
                target=lambda: eventually(catalog.builds) and conn.cancel())
            canceller.start()
            with pytest.raises(psycopg.errors.QueryCanceled):
                conn.execute(REPLACE)
            canceller.join()
            assert rows(conn, "SELECT * FROM m ORDER BY a") == [(1,), (2,)]
        assert catalog.leftovers() == set()


@pytest.mark.parametrize("fault, live", [
    ("^CREATE MATERIALIZED VIEW m_tmp@1", False), ("after:^CREATE MATERIALIZED VIEW m_tmp@1", False),
    ("SWAP WITH@1", False), ("after:SWAP WITH@1", True), ("^DROP MATERIALIZED VIEW@1", True)])
def test_a_lost_server_connection_says_what_may_be_left(fault, live):
    with serving("--disconnect", fault) as proxy:
        make_view(proxy.server.port)
        catalog = Catalog(proxy.server.port)
        with pytest.raises(psycopg.OperationalError) as lost:
            with connect(proxy.port) as conn:
                conn.execute(REPLACE)
        assert lost.value.sqlstate == "08006"
        expected = [(1, 10), (2, 20)] if live else [(1,), (2,)]
        assert rows(catalog.conn, "SELECT * FROM m ORDER BY a") == expected
        for left in catalog.leftovers():
            assert f'DROP MATERIALIZED VIEW "public"."{left}";' in lost.value.diag.message_hint


@pytest.mark.parametrize("prepare, sqlstate, message", [
    ("DROP MATERIALIZED VIEW m; CREATE TABLE m (a INT)", "42809", "is a table"),
    ("DROP MATERIALIZED VIEW m; CREATE VIEW m AS SELECT a FROM t", "42809", "is a view"),
])
def test_what_would_be_lost_is_refused_before_the_build(proxy, catalog, prepare, sqlstate, message):
    for statement in prepare.split("; "):
        catalog.conn.execute(statement)
    before = catalog.view_id("m"), catalog.names()
    with connect(proxy.port) as conn:
        with pytest.raises(psycopg.Error, match=message) as refused:
            conn.execute(REPLACE)
    assert refused.value.sqlstate == sqlstate
    assert (catalog.view_id("m"), catalog.names()) == before
    assert not any("_tmp_" in s for s in proxy.server.statements())


def test_a_query_that_reads_its_own_view_is_refused(proxy, catalog):
    with connect(proxy.port) as conn:
        with pytest.raises(psycopg.Error, match="reads the view that it replaces") as refused:
            conn.execute("CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a + 1 AS a FROM m")
    assert refused.value.sqlstate == "42P17" and catalog.leftovers() == set()


def test_only_the_owner_or_a_superuser_replaces(proxy, catalog):
    for sql in ("CREATE USER other", "CREATE USER boss", "GRANT CREATE ON SCHEMA public TO other",
                "GRANT SELECT ON TABLE t TO other",
                "ALTER MATERIALIZED VIEW m OWNER TO boss"):
        catalog.conn.execute(sql)
    with connect(proxy.port, user="other") as conn:
        # The view is invisible to this user, so that the server's own CREATE says it exists.
        with pytest.raises(psycopg.Error) as refused:
            conn.execute(REPLACE)
        assert "with name m exists" in str(refused.value) or refused.value.sqlstate == "42501"
    with connect(proxy.port) as conn:
        conn.execute(REPLACE)
        owner = rows(conn, "SELECT u.name FROM rw_catalog.rw_relations r JOIN rw_catalog.rw_users u "
                     "ON u.id = r.owner WHERE r.name = 'm'")
        assert owner == [("boss",)]


def test_a_read_only_transaction_is_refused_and_goes_on(proxy):
    with connect(proxy.port) as conn:
        conn.execute("BEGIN READ ONLY")
        with pytest.raises(psycopg.Error) as refused:
            conn.execute(REPLACE)
        assert refused.value.sqlstate == "25006"
        assert rows(conn, "SELECT * FROM m ORDER BY a") == [(1,), (2,)]
        conn.execute("COMMIT")
        conn.execute(REPLACE)


def test_two_replacements_of_one_name_queue_up():
    with serving("--build-time", "0.5") as proxy:
        make_view(proxy.server.port)
        errors = []

        def replace(number: int) -> None:
            try:
                with connect(proxy.port) as conn:
                    conn.execute("CREATE OR REPLACE MATERIALIZED VIEW m AS "
                                 f"SELECT a, {number} AS n FROM t")
            except psycopg.Error as error:
                errors.append(str(error))

        threads = [threading.Thread(target=replace, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert Catalog(proxy.server.port).leftovers() == set()
        kinds = ["swap" if "SWAP" in s else "drop" for s in proxy.server.statements()
                 if s.startswith(("ALTER MATERIALIZED", "DROP MATERIALIZED"))]
        assert kinds == ["swap", "drop"] * 3


@pytest.mark.parametrize("version", ["2.2", "2.6", "2.7", "2.8", "3.0"])
def test_every_version(version):
    with serving("--version", version, "--build-time", "0.3") as proxy:
        make_view(proxy.server.port)
        with connect(proxy.port) as conn:
            conn.execute(REPLACE)
            assert rows(conn, "SELECT * FROM m ORDER BY a") == [(1, 10), (2, 20)]
        assert Catalog(proxy.server.port).leftovers() == set()


def test_psql_shows_the_story_and_one_tag(proxy):
    shown = subprocess.run(["psql", "-X", "-h", "127.0.0.1", "-p", str(proxy.port), "-U", "root",
                            "-d", "dev", "-c", "/* app */ -- why\n" + REPLACE + " ;\n"],
                           capture_output=True, text=True, check=True)
    assert shown.stdout == "CREATE_MATERIALIZED_VIEW\n"
    notices = shown.stderr.splitlines()
    assert notices[0] == ("NOTICE:  Detected changes to materialized view definition. "
                          "Using zero downtime rebuild with SWAP.")
    assert notices[-1].startswith('NOTICE:  Replaced materialized view "public.m" in ')


def test_the_log_tells_the_steps_and_no_statement(proxy):
    with connect(proxy.port, application_name="secret_application") as conn:
        conn.execute("CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a, 'secret_literal' AS s FROM t")
        with pytest.raises(psycopg.Error):
            conn.execute("CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT secret_column FROM t")
    assert eventually(lambda: "detail=succeeded" in proxy.output())
    assert "secret" not in proxy.output()
    assert "event=step" in proxy.output() and "detail=swap" in proxy.output()
