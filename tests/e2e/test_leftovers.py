"""mvswap leftovers and status: what is under temporary names, and what of it may go."""

import json
import re
import signal
import subprocess
import time

import pytest

import postgres
from conftest import connect, rows
from processes import PATIENCE, Proxy, eventually
from test_commands import Direct

DAY = "20260101_000000_000001"
NEXT = "20260102_000000_000001"


def left(stamp: str = DAY, name: str = "m", kind: str = "tmp") -> str:
    return f"{name}_{kind}_{stamp}"


class Left(Direct):
    """A server on which the program finds what is left."""

    def __init__(self, *switches: str):
        super().__init__(*switches)
        self.sql = connect(self.server.port)

    def make(self, *statements: str) -> None:
        for statement in statements:
            self.sql.execute(statement)

    def old(self, name: str, query: str = "SELECT a FROM t") -> None:
        self.make(f"CREATE MATERIALIZED VIEW {name} AS {query}")

    def found(self, *arguments: str) -> dict[str, str]:
        """Names and what is said of each."""
        done = self.run("leftovers", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        return {item["name"]: item["state"] for item in json.loads(done.stdout)}

    def names(self) -> set[str]:
        """All views and indexes that have a temporary name."""
        found = rows(self.sql, "SELECT name FROM rw_catalog.rw_relations")
        return {name for (name,) in found if re.search(r"_\d{6}(\+0000)?$", name)}

    def drops(self) -> list[str]:
        return [s for s in self.server.statements() if s.startswith("DROP")]


@pytest.fixture
def server():
    running = Left()
    with running.server:
        yield running


def test_nothing_is_left(server):
    done = server.run("leftovers")
    assert (done.returncode, done.stdout, done.stderr) == (
        0, "Nothing is left under temporary names.\n", "")
    assert server.run("leftovers", "--json").stdout == "[]\n"
    assert server.run("leftovers", "--clean").returncode == 0
    assert not server.drops()


def test_each_is_told_with_what_is_known_of_it(server):
    live = left("20260102_000000_000002", "live")
    server.old(left())
    server.old(left(NEXT), f"SELECT a FROM {left()}")
    server.make(f"CREATE INDEX {left(DAY, 'i')} ON {left()} (a)",
                f"CREATE INDEX {live} ON m (a)",
                f"CREATE VIEW v AS SELECT a FROM {left(NEXT)}")
    assert server.found("--older-than", "0s") == {
        left(): "read", left(NEXT): "read", left(DAY, "i"): "index",
        live: "live index"}
    item = json.loads(server.run("leftovers", "--json").stdout)[1]
    number = rows(server.sql, f"SELECT id FROM rw_catalog.rw_relations WHERE name = '{left()}'")
    assert item.pop("age_seconds") > 24 * 3600
    assert item == {
        "schema": "public", "name": live, "kind": "index", "of": "m",
        "owner": "root", "by": "mvswap", "since": "2026-01-02T00:00:00Z", "size_bytes": item[
            "size_bytes"], "progress": None, "readers": [], "state": "live index", "error": None}
    item = json.loads(server.run("leftovers", "--json").stdout)[2]
    assert (item["size_bytes"], item["readers"]) == (
        8 + 1000 * number[0][0], [f"public.{left(NEXT)}"])
    assert item["age_seconds"] < 3600  # it was finished just now, whatever its name says


def test_the_table_for_people(server):
    server.old(left())
    done = server.run("leftovers")
    heading, line = done.stdout.splitlines()
    assert heading.split("  ")[0] == "name"
    assert re.fullmatch(rf"public\.{left()}  materialized view  2026-01-01 00:00:00  \d+ s  +"
                        r"\d+ [kB]+  not old enough", line), line
    assert server.run("leftovers", "--older-than", "0s").stdout.splitlines()[1].endswith(
        "can be dropped")


def test_only_exact_names_count(server):
    near = ["m_tmp_20260101_000000_00001", "m_tmp_20261301_000000_000001", "m_TMP_" + DAY,
            "m_tmp_20260101-000000-000001", "m_new_" + DAY, "_tmp_" + DAY, "mxtmpx" + DAY,
            "m_tmp_" + DAY + "x"]
    for name in near:
        server.make(f'CREATE MATERIALIZED VIEW "{name}" AS SELECT a FROM t')
    server.old(left(kind="old"))
    server.old(left(kind="probe"))
    assert set(server.found()) == {left(kind="old"), left(kind="probe")}
    assert server.run("leftovers", "--clean", "--older-than", "0s").returncode == 0
    kept = {name for (name,) in rows(server.sql, "SELECT name FROM rw_catalog.rw_relations")}
    assert kept >= set(near)
    assert not server.found()


def test_what_is_newer_than_the_limit_stays(server):
    server.old(left())  # an old stamp, but it was finished just now
    assert server.run("leftovers", "--clean").returncode == 0
    assert server.run("leftovers", "--clean", "--older-than", "10min").returncode == 0
    assert not server.drops()
    assert eventually(lambda: server.found("--older-than", "1s") == {left(): "due"})
    assert server.run("leftovers", "--clean", "--older-than", "1s").returncode == 0
    assert server.drops() == [f'DROP MATERIALIZED VIEW "public"."{left()}"']


def test_what_was_replaced_just_now_stays(server):
    """What is under the temporary name is old; but it has left its own name just now."""
    server.old("s")
    server.old(left(name="s"))
    server.make(f"ALTER MATERIALIZED VIEW s SWAP WITH {left(name='s')}")
    assert eventually(lambda: server.found("--older-than", "1s") == {left(name="s"): "due"})
    server.old("x")
    later = server.run("replace", "-c", "CREATE OR REPLACE MATERIALIZED VIEW x AS SELECT a FROM t "
                       "WHERE a > 1", "--set", "keep_old=1h")
    assert later.returncode == 0, later.stderr
    assert [s for n, s in server.found("--older-than", "5min").items()
            if n.startswith("x_tmp_")] == ["young"]


def test_leaf_first(server):
    server.old(left())
    server.old(left(NEXT), f"SELECT a FROM {left()}")
    server.old(left(name="k"), f"SELECT x.a FROM {left()} x JOIN {left(NEXT)} y ON x.a = y.a")
    server.make(f"CREATE VIEW {left(name='v')} AS SELECT a FROM {left(name='k')}",
                f"CREATE INDEX {left(NEXT, 'i')} ON {left()} (a)")
    done = server.run("leftovers", "--clean", "--older-than", "0s")
    assert done.returncode == 0, done.stderr
    assert server.drops() == [f'DROP VIEW "public"."{left(name="v")}"',
                              f'DROP MATERIALIZED VIEW "public"."{left(name="k")}"',
                              f'DROP MATERIALIZED VIEW "public"."{left(NEXT)}"',
                              f'DROP MATERIALIZED VIEW "public"."{left()}"']
    assert not server.names()
    assert len(done.stderr.splitlines()) == 4
    assert done.stdout.count("dropped") == 4


def test_what_is_read_stays_and_what_that_reads(server):
    server.old(left())
    server.old(left(NEXT), f"SELECT a FROM {left()}")
    server.old(left(name="other"))
    server.old("reader", f"SELECT a FROM {left(NEXT)}")
    done = server.run("leftovers", "--clean", "--older-than", "0s")
    assert done.returncode == 0, done.stderr
    assert server.names() == {left(), left(NEXT)}
    assert "read by public.reader" in done.stdout


def test_dry_run_says_and_does_nothing(server):
    server.old(left())
    done = server.run("leftovers", "--clean", "--dry-run", "--older-than", "0s")
    assert done.returncode == 0
    assert "can be dropped" in done.stdout
    assert not server.drops()


def test_one_schema_only(server):
    server.make("CREATE SCHEMA s2")
    server.old(left())
    server.old(f"s2.{left()}")
    assert len(json.loads(server.run("leftovers", "--json").stdout)) == 2
    assert server.run("leftovers", "--schema", "s2", "--clean", "--older-than",
                      "0s").returncode == 0
    assert server.drops() == [f'DROP MATERIALIZED VIEW "s2"."{left()}"']
    assert server.names() == {left()}


def test_dbt_only_if_asked_for(server):
    names = ["m_dbt_zero_down_tmp_20260101T101112_123456+0000",
             "m_dbt_zero_down_tmp_20260101T101112+0000"]
    for name in [*names, "m_dbt_zero_down_tmp_20260101T101112Z", "m_dbt_zero_down_tmp_1"]:
        server.make(f'CREATE MATERIALIZED VIEW "{name}" AS SELECT a FROM t')
    assert not server.found("--older-than", "0s")
    assert server.run("leftovers", "--clean", "--older-than", "0s").returncode == 0
    assert not server.drops()
    assert server.found("--older-than", "0s", "--dbt") == dict.fromkeys(names, "due")
    assert server.run("leftovers", "--clean", "--older-than", "0s", "--dbt").returncode == 0
    assert len(server.drops()) == 2


def build(server: Left, statement: str) -> subprocess.Popen:
    return server.start("replace", "-c", statement)


NEW_M = "CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a, a * 10 AS b FROM t"


def test_a_running_replacement_is_told_and_left_alone():
    server = Left("--build-hang", "_tmp_")
    with server.server:
        running = build(server, NEW_M)
        assert eventually(lambda: "building" in server.found().values())
        done = server.run("status")
        assert done.returncode == 0, done.stderr
        assert re.search(r"that are running:\nname .*\npublic\.m_tmp_\d{8}_\d{6}_\d{6}  "
                         r"materialized view .* is being built: .*%.*\n\n"
                         r"Left under temporary names:\nnothing\n", done.stdout), done.stdout
        told = json.loads(server.run("status", "--json").stdout)
        assert [item["of"] for item in told["replacements"]] == ["m"]
        assert told["leftovers"] == []
        assert server.run("leftovers", "--clean", "--older-than", "0s").returncode == 0
        assert not [s for s in server.drops() if "_tmp_" in s]
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE) == 1


def test_what_a_view_that_is_being_replaced_has_left_stays():
    server = Left("--build-hang", f"m_tmp_(?!{DAY})")
    with server.server:
        server.old(left())
        server.old(left(name="other"))
        running = build(server, NEW_M)
        assert eventually(lambda: "building" in server.found().values())
        found = server.found("--older-than", "0s")
        assert (found[left()], found[left(name="other")]) == ("replacing", "due")
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE) == 1
        assert server.found("--older-than", "0s")[left()] == "due"


def test_an_index_is_being_built_on_it():
    server = Left("--build-hang", "CREATE INDEX")
    with server.server:
        server.old(left())
        with connect(server.server.port) as other:
            other.execute("SET background_ddl = true")
            other.execute(f"CREATE INDEX slow ON {left()} (a)")
            assert eventually(lambda: server.found("--older-than", "0s") == {left(): "building"})
            assert server.run("leftovers", "--clean", "--older-than", "0s").returncode == 0
            assert not server.drops()


def test_a_statement_that_reads_it(server):
    server.old(left())
    server.old(left(name="other"))
    time.sleep(2.5)  # what is as old as a leftover may read it by any name
    reader = connect(server.server.port)
    reader.pgconn.send_query(f"SELECT a, pg_sleep(10) FROM {left()}".encode())
    assert eventually(lambda: any("pg_sleep" in (row[6] or "")
                                  for row in rows(server.sql, "SHOW PROCESSLIST")))
    done = server.run("leftovers", "--clean", "--older-than", "0s")
    assert done.returncode == 0, done.stderr
    assert server.names() == {left()}
    assert "a running statement may read it" in done.stdout


def test_a_statement_that_is_older_than_what_is_left():
    """It may read it through other views, by whatever names."""
    server = Left("--ghost", "SELECT * FROM elsewhere")
    with server.server:
        server.old(left())
        done = server.run("leftovers", "--clean", "--older-than", "0s")
        assert done.returncode == 0, done.stderr
        assert "a running statement may read it" in done.stdout


def test_the_server_refuses():
    server = Left("--fail", rf'DROP MATERIALIZED VIEW "public"."{left()}"@1')
    with server.server:
        server.old(left())
        server.old(left(name="other"))
        done = server.run("leftovers", "--clean", "--older-than", "0s")
        assert done.returncode == 1
        assert re.search("refused: .*injected failure", done.stdout)
        assert server.names() == {left()}


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_the_connection_is_lost(flags):
    """What was dropped before is told."""
    server = Left("--disconnect", "DROP MATERIALIZED VIEW@2")
    with server.server:
        server.old(left())
        server.old(left(NEXT))
        done = server.run("leftovers", "--clean", "--older-than", "0s", *flags)
        assert done.returncode == 1
        assert "the connection to the server is lost" in done.stderr
        if flags:
            states = {i["name"]: i["state"] for i in json.loads(done.stdout)}
            assert states == {left(): "dropped", left(NEXT): "due"}
        else:
            assert re.search(rf"{left()}.*dropped", done.stdout)
            assert re.search(rf"{left(NEXT)}.*was not dropped", done.stdout)


def test_sizes_are_left_out_when_they_cannot_be_had():
    server = Left("--fail", "rw_table_stats@1")
    with server.server:
        server.old(left())
        item, = json.loads(server.run("leftovers", "--json").stdout)
        assert (item["size_bytes"], item["state"]) == (None, "young")


@pytest.mark.parametrize("version", ["2.2", "2.6", "2.8", "3.0"])
def test_other_versions(version):
    server = Left("--version", version)
    with server.server:
        server.old(left())
        assert server.found() == {left(): "young"}
        assert server.run("leftovers", "--clean", "--older-than", "0s").returncode == 0
        assert not server.names()


def test_another_server(server):
    with postgres.running_postgres() as other:
        done = server.run("leftovers", "-d",
                          f"host=127.0.0.1 port={other.port} user=root dbname=postgres")
    assert done.returncode == 1
    assert done.stderr == "ERROR:  the server is not a RisingWave\n"


@pytest.mark.parametrize(("arguments", "said"), [
    (["leftovers", "--older-than", "soon"], "--older-than soon: expected a time"),
    (["leftovers", "--older-than", "41d"], "--older-than 41d: expected a time"),
    (["leftovers", "-f", "x"], "invalid option"),
    (["leftovers", "m"], 'argument "m": not expected'),
    (["status", "--clean"], "unrecognized option"),
])
def test_wrong_command_lines(server, arguments, said):
    done = server.run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_stopped_before_the_next_drop():
    server = Left("--delay", "DROP MATERIALIZED VIEW@1=3")
    with server.server:
        server.old(left())
        server.old(left(name="other"))
        running = server.start("leftovers", "--clean", "--older-than", "0s")
        assert eventually(server.drops)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE)
        assert running.returncode == 1
        assert "ends behind the statement that runs" in err
        assert len(server.names()) == 1
        assert "dropped" in out and "was not dropped" in out


def clean(server: Left) -> dict[str, str]:
    assert server.run("leftovers", "--clean", "--older-than", "0s").returncode == 0
    return server.found("--older-than", "0s")


@pytest.mark.parametrize(("hangs_at", "new"), [
    ("CREATE MATERIALIZED VIEW \\S*_tmp_", False),
    ("CREATE INDEX", False),
    ("SWAP WITH", True),
    ("DROP MATERIALIZED VIEW", True),
])
def test_a_killed_proxy_leaves_what_is_found_and_cleaned(hangs_at, new):
    server = Left("--delay", f"{hangs_at}@{2 if hangs_at == 'CREATE INDEX' else 1}=2")
    with server.server, Proxy(server.server.port) as proxy:
        server.make("CREATE INDEX i ON m (a)")
        session = connect(proxy.port)
        session.pgconn.send_query(NEW_M.encode())
        assert eventually(lambda: any(re.search(hangs_at, s) and "_tmp_" in s
                                      for s in server.server.statements()))
        proxy.signal(signal.SIGKILL)
        proxy.wait(PATIENCE)
        # The server goes on with what it was told.
        assert eventually(lambda: "building" not in server.found().values())
        eventually(lambda: rows(server.sql, "SELECT count(*) FROM rw_catalog.rw_ddl_progress") ==
                   [(0,)])
        # An index of the live view that has not got its own name yet is not left.
        assert eventually(lambda: set(clean(server).values()) <= {"live index"}), server.found()
        assert rows(server.sql, "SELECT * FROM m ORDER BY 1") == (
            [(1, 10), (2, 20)] if new else [(1,), (2,)])
