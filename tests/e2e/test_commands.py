"""mvswap replace, plan and rollback: the engine on a connection of its own."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

import postgres
from conftest import NEW, OLD, REPLACE, Catalog, connect, make_view, rows
from processes import BINARY, PATIENCE, ROOT, Sandbox, eventually

OLD_ROWS, NEW_ROWS = [(1,), (2,)], [(1, 10), (2, 20)]


class Direct:
    """A server, and the program run against it."""

    def __init__(self, *switches: str):
        self.server = Sandbox(*switches)
        make_view(self.server.port)
        self.catalog = Catalog(self.server.port)

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(self.server.port),
                "PGUSER": "root", "PGDATABASE": "dev"}

    def run(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess:
        return subprocess.run([BINARY, *arguments], env=self.environment(), input=text,
                              capture_output=True, text=True, timeout=PATIENCE, check=False)

    def start(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen([BINARY, *arguments], env=self.environment(), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def view(self, name: str = "m") -> list[tuple]:
        return rows(self.catalog.conn, f"SELECT * FROM {name} ORDER BY 1")

    def changes(self) -> list[str]:
        """What the program has sent that lasts; probes come and go."""
        return [s for s in self.server.statements()
                if re.match(r"CREATE (?!TABLE)|ALTER|DROP", s) and "_probe_" not in s][1:]


@pytest.fixture
def direct():
    running = Direct()
    with running.server:
        yield running


@pytest.fixture
def serve():
    """A server with switches."""
    started = []

    def start(*switches):
        started.append(Direct(*switches))
        return started[-1]

    yield start
    for one in started:
        one.server.stop()


def test_replace_replaces(direct):
    before = direct.catalog.view_id("m")
    done = direct.run("replace", "-c", REPLACE)
    assert done.returncode == 0
    assert re.fullmatch(r"public\.m: replaced \(\d+\.\d s\)\n", done.stdout)
    assert "NOTICE:  Replaced materialized view \"public.m\"" in done.stderr
    assert direct.view() == NEW_ROWS and direct.catalog.view_id("m") != before
    assert direct.catalog.leftovers() == set()
    again = direct.run("replace", "-c", REPLACE)
    assert (again.returncode, again.stdout.split(" (")[0]) == (0, "public.m: unchanged")


def test_plan_says_what_would_be_done_and_does_nothing(direct):
    done = direct.run("plan", "-c", REPLACE)
    assert done.returncode == 2, done.stderr
    assert 'Replace materialized view "public.m"' in done.stdout and "SWAP WITH" in done.stdout
    assert direct.changes() == [] and direct.view() == OLD_ROWS
    done = direct.run("plan", "-c", f"CREATE OR REPLACE MATERIALIZED VIEW m AS {OLD}")
    assert (done.returncode, "Nothing to do" in done.stdout) == (0, True)
    done = direct.run("plan", "-c", "CREATE OR REPLACE MATERIALIZED VIEW other AS SELECT a FROM t")
    assert (done.returncode, "there is no relation" in done.stdout) == (2, True)
    done = direct.run("plan", "-c", "CREATE OR REPLACE MATERIALIZED VIEW t AS SELECT 1 AS a")
    assert (done.returncode, "Refused (42809)" in done.stdout) == (1, True)
    assert direct.changes() == []


BATCH = f"""-- the last one reads the first, which reads the one between
CREATE OR REPLACE VIEW top AS SELECT a FROM middle;
CREATE OR REPLACE MATERIALIZED VIEW m AS {NEW};
/* quoted */ CREATE OR REPLACE VIEW "middle" AS SELECT a, b FROM m;
"""


def test_many_are_ordered_by_what_reads_what(direct, tmp_path):
    path = tmp_path / "views.sql"
    path.write_text(BATCH)
    done = direct.run("replace", "-f", str(path))
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "public.m", "public.middle", "public.top"]
    assert direct.view("top") == OLD_ROWS
    assert direct.run("plan", "-f", str(path)).returncode == 0
    assert direct.run("replace", "-f", "-", text=BATCH).returncode == 0


def test_what_names_one_another_keeps_its_order(direct):
    done = direct.run("replace", "-c", "CREATE OR REPLACE VIEW p AS SELECT 1 AS q", "-c",
                      "CREATE OR REPLACE VIEW q AS SELECT 1 AS p")
    assert done.returncode == 0
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["public.p", "public.q"]


def test_the_first_error_stops_the_rest(direct):
    done = direct.run("replace", "-c", REPLACE, "-c", "CREATE OR REPLACE VIEW v AS SELECT nope FROM m",
                      "-c", "CREATE OR REPLACE VIEW w AS SELECT a FROM v")
    assert done.returncode == 1
    assert "-c2:1: ERROR:  Failed to run the query" in done.stderr
    assert 'Invalid column: nope' in done.stderr and '"w" was not begun' in done.stderr
    assert direct.view() == NEW_ROWS and direct.catalog.names() == {"t", "m"}


def test_a_plan_goes_on(direct):
    """Behind what would be refused."""
    direct.catalog.conn.execute("CREATE TABLE k (a INT)")
    statements = ["CREATE OR REPLACE VIEW k AS SELECT 1 AS x", "CREATE OR REPLACE VIEW m AS SELECT 1 AS x",
                  "CREATE OR REPLACE VIEW v AS SELECT 1 AS x", REPLACE]
    given = [word for statement in statements for word in ("-c", statement)]
    done = direct.run("plan", "--json", *given)
    assert done.returncode == 1
    assert [one["outcome"] for one in json.loads(done.stdout)] == [
        "refuse", "refuse", "create", "replace"]
    assert direct.changes() == []


def test_hints_are_read_before_anything_is_done(direct):
    done = direct.run("replace", "-c", REPLACE, "-c",
                      "/* mvswap: dependents=perhaps */ CREATE OR REPLACE VIEW v AS SELECT 1 AS x")
    assert done.returncode == 1 and "-c2:1: " in done.stderr
    assert direct.view() == OLD_ROWS and direct.changes() == []


def test_json_without_a_connection(direct):
    done = direct.run("replace", "--json", "-p", "1", "-c", REPLACE)
    assert done.returncode == 1 and "refused" in done.stderr
    assert json.loads(done.stdout) == [{"view": "m", "source": "-c:1", "outcome": "not begun"}]


def test_the_examples_work(direct, tmp_path):
    """Those at the top of docs/commands.md, in their order."""
    direct.catalog.conn.execute("CREATE MATERIALIZED VIEW revenue AS SELECT a FROM t")
    (tmp_path / "views.sql").write_text(
        "/* mvswap: keep_old=1h */ CREATE OR REPLACE MATERIALIZED VIEW revenue AS SELECT a, b FROM t;")
    examples = re.findall(r"^    (mvswap .*?)(?:  .*)?$", (ROOT / "docs" / "commands.md").read_text(), re.M)
    assert [example.split()[1] for example in examples] == [
        "plan", "replace", "rollback", "leftovers", "status"]
    for example in examples:
        done = subprocess.run([BINARY, *example.split()[1:]], cwd=tmp_path, env=direct.environment(),
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == (2 if " plan " in example else 0), done.stderr
    assert direct.view("revenue") == OLD_ROWS and len(direct.catalog.leftovers()) == 1


def keys_of_tables() -> list[set[str]]:
    """The first column of each table of keys in docs/commands.md."""
    text = (ROOT / "docs" / "commands.md").read_text().split("## --json")[1]
    tables = text.split("| key | |")[1:]
    return [set(re.findall(r"`(\w+)`", " ".join(
        line.split("|")[1] for line in table.splitlines() if line.startswith("| `")))) for table in tables]


def test_json_has_the_keys_of_the_tables(direct):
    of_statement, of_object = keys_of_tables()
    done = json.loads(direct.run("plan", "--json", "-c", REPLACE).stdout)
    done += json.loads(direct.run("replace", "--json", "-c", REPLACE, "--set", "keep_old=1h").stdout)
    for found in done:
        assert set(found) | {"plan"} == of_statement, found
    assert "plan" in done[0] and "plan" not in done[1]
    (left,) = json.loads(direct.run("leftovers", "--json").stdout)
    assert set(left) == of_object
    status = json.loads(direct.run("status", "--json").stdout)
    assert set(status) == {"replacements", "leftovers"} and set(status["leftovers"][0]) == of_object
    (back,) = json.loads(direct.run("rollback", "--json", "m").stdout)
    assert set(back) == of_statement - {"plan"}


def test_json(direct):
    direct.catalog.conn.execute("CREATE TABLE k (a INT)")
    done = direct.run("replace", "--json", "-c", REPLACE, "-c", "CREATE OR REPLACE VIEW v AS SELECT 1 AS x",
                      "-c", "CREATE OR REPLACE VIEW k AS SELECT x FROM v", "-c",
                      "CREATE OR REPLACE VIEW u AS SELECT a FROM k")
    first, second, third, fourth = json.loads(done.stdout)
    assert done.returncode == 1
    assert (first["view"], first["outcome"], first["error"]) == ("public.m", "replaced", None)
    assert first["seconds"] > 0 and first["source"] == "-c:1"
    assert [n["severity"] for n in first["notices"]] == ["NOTICE", "NOTICE"]
    assert (second["view"], second["outcome"]) == ("public.v", "created")
    assert (third["outcome"], third["error"]["sqlstate"]) == ("failed", "42809")
    assert third["error"]["message"] and third["error"]["severity"] == "ERROR"
    assert (fourth["view"], fourth["outcome"]) == ("u", "not begun")
    done = direct.run("plan", "--json", "-c", REPLACE, "-c", "CREATE OR REPLACE VIEW k AS SELECT 1 AS a")
    planned = {one["view"]: one for one in json.loads(done.stdout)}
    assert done.returncode == 1
    assert planned["public.m"]["outcome"] == "nothing"
    assert planned["public.k"]["outcome"] == "refuse"
    assert any("Refused (42809)" in line for line in planned["public.k"]["plan"])


@pytest.mark.parametrize("arguments, status, message", [
    (["replace"], 2, "-f FILE or -c STATEMENT is required"),
    (["plan"], 1, "-f FILE or -c STATEMENT is required"),
    (["rollback"], 2, "the name of a view is required"),
    (["rollback", "a.b.c"], 2, "is no name of a view"),
    (["rollback", ""], 2, "is no name of a view"),
    (["rollback", "m", "-f", "x"], 2, "invalid option"),
    (["replace", "-f", "/nowhere/x.sql"], 1, "No such file"),
    (["replace", "-c", ""], 1, "there is no statement"),
    (["replace", "-c", "SELECT 1"], 1, "-c:1: expected CREATE OR REPLACE"),
    (["replace", "-c", f"{REPLACE};\n\n-- x\nDROP TABLE t"], 1, "-c:4: expected CREATE OR REPLACE"),
    (["replace", "-c", "CREATE OR REPLACE VIEW v AS SELECT $1"], 1, "holds a parameter"),
    (["replace", "-c", "CREATE OR REPLACE VIEW v AS SELECT 'x"], 1, "cannot be read as SQL"),
    (["replace", "-c", REPLACE, "--set", "notice=off"], 2, "unrecognized setting"),
    (["replace", "-c", REPLACE, "--set", "notices=loud"], 2, "invalid value"),
    (["replace", "-c", REPLACE, "--set", "notices"], 2, "expected NAME=VALUE"),
    (["replace", "-c", f"/* mvswap: notices=loud */ {REPLACE}"], 1, "-c:1: invalid value"),
    (["replace", "-c", REPLACE, "more"], 2, 'argument "more"'),
    (["replace", "-c", REPLACE, "-p", "1"], 1, "Connection refused"),
])
def test_what_is_wrong_is_said_and_nothing_done(direct, arguments, status, message):
    done = direct.run(*arguments)
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr
    assert direct.changes() == []


@pytest.mark.parametrize("command", ["replace", "plan", "rollback"])
def test_help(direct, command):
    done = direct.run(command, "--help")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith(f"Usage: mvswap {command}")


def test_settings_count(direct):
    done = direct.run("replace", "-c", REPLACE, "--set", "notices=off", "--set", "mvswap.keep-old=1h")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(direct.catalog.leftovers()) == 1
    done = direct.run("replace", "-c", f"/* mvswap: on_change=fail */ CREATE OR REPLACE MATERIALIZED VIEW m AS {OLD}")
    assert (done.returncode, "on_change" in done.stderr) == (1, True)


def test_the_connection_is_libpqs(direct, tmp_path):
    service = tmp_path / "services"
    service.write_text(f"[here]\nhost=127.0.0.1\nport={direct.server.port}\nuser=root\ndbname=dev\n")
    bare = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    for arguments, more in (
            (["-d", f"postgresql://root@127.0.0.1:{direct.server.port}/dev"], {}),
            (["-d", "service=here"], {"PGSERVICEFILE": str(service)}),
            (["-h", "127.0.0.1", "-p", str(direct.server.port), "-U", "root", "-d", "dev"], {})):
        done = subprocess.run([BINARY, "plan", "-c", REPLACE, *arguments], env={**bare, **more},
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 2, done.stderr


def test_the_password_comes_from_a_file_as_everywhere(serve, tmp_path):
    direct = serve("--password", "bob=secret")
    direct.catalog.conn.execute("CREATE USER bob WITH PASSWORD 'secret'")
    passwords = tmp_path / "passwords"
    passwords.write_text(f"127.0.0.1:{direct.server.port}:dev:bob:secret\n")
    passwords.chmod(0o600)
    for file, status in ((passwords, 0), (tmp_path / "none", 1)):
        done = subprocess.run([BINARY, "status", "-U", "bob"], capture_output=True, text=True,
                              env={**direct.environment(), "PGPASSFILE": str(file)}, timeout=PATIENCE,
                              check=False)
        assert done.returncode == status, done.stderr


def test_another_server_is_told(direct):
    with postgres.running_postgres() as other:
        done = direct.run("replace", "-d", f"host=127.0.0.1 port={other.port} user=root dbname=postgres",
                          "-c", REPLACE)
    assert done.returncode == 1 and "is not a RisingWave" in done.stderr


def test_a_build_takes_no_longer_than_it_may(serve):
    direct = serve("--build-hang", "VIEW m_tmp")
    done = direct.run("replace", "-c", REPLACE, "--set", "build_timeout=1s", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)[0]["error"]["sqlstate"] == "57014"
    assert direct.view() == OLD_ROWS and direct.catalog.names() == {"t", "m"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("build", ["background", "foreground"])
def test_an_interrupt_undoes_it(serve, build, number):
    direct = serve("--build-hang", "VIEW m_tmp")
    before = direct.catalog.view_id("m")
    running = direct.start("replace", "-c", REPLACE, "-c", "CREATE OR REPLACE VIEW v AS SELECT a FROM m",
                           "--set", f"build={build}")
    assert eventually(direct.catalog.builds)
    running.send_signal(number)
    told = running.communicate(timeout=PATIENCE)[1]
    assert running.returncode == 1 and "undoing it" in told and "was not begun" in told
    assert direct.catalog.view_id("m") == before and direct.catalog.names() == {"t", "m"}


def interrupted_twice(running: subprocess.Popen, said: str) -> str:
    """What it tells behind the second interrupt, which comes when it has said that to the first."""
    running.send_signal(signal.SIGINT)
    for line in running.stderr:
        if said in line:
            break
    running.send_signal(signal.SIGINT)
    return running.communicate(timeout=PATIENCE)[1]


def test_a_second_interrupt_says_what_may_be_left(serve):
    direct = serve("--build-hang", "VIEW m_tmp", "--delay", f"^DROP MATER|^CANCEL@1={PATIENCE}")
    running = direct.start("replace", "-c", REPLACE, "--set", "build=background")
    assert eventually(direct.catalog.builds)
    (left,) = direct.catalog.builds()
    told = interrupted_twice(running, "undoing it")
    assert running.returncode == 1 and left.removeprefix("m_tmp_") in told


# Seen by readers is earlier than known to the program, which reads the answer and the ids first.
AFTER_SWAP = "SELECT 'swapped'"
TELLS_OF_SWAP = ("--set", f"after_swap={AFTER_SWAP}")


def test_an_interrupt_behind_the_swap_ends_the_waiting(direct):
    running = direct.start("replace", "-c", REPLACE, "--set", f"drain_min={PATIENCE}s", *TELLS_OF_SWAP)
    assert eventually(lambda: AFTER_SWAP in direct.server.statements())
    assert direct.view() == NEW_ROWS
    running.send_signal(signal.SIGINT)
    told = running.communicate(timeout=PATIENCE)[1]
    assert running.returncode == 0 and "it is live already" in told and "undoing" not in told
    for left in direct.catalog.leftovers():
        assert left in told


def test_an_interrupt_behind_the_swap_begins_nothing_more(direct):
    running = direct.start("replace", "-c", REPLACE, "--set", f"drain_min={PATIENCE}s", "-c",
                           "CREATE OR REPLACE VIEW v AS SELECT a FROM m", *TELLS_OF_SWAP)
    assert eventually(lambda: AFTER_SWAP in direct.server.statements())
    assert direct.view() == NEW_ROWS
    running.send_signal(signal.SIGINT)
    told = running.communicate(timeout=PATIENCE)[1]
    assert running.returncode == 1 and '"v" was not begun' in told


def test_a_second_interrupt_behind_the_swap_says_that_it_is_live(serve):
    direct = serve("--delay", f"SHOW PROCESSLIST@1={PATIENCE}")
    running = direct.start("replace", "-c", REPLACE, *TELLS_OF_SWAP)
    assert eventually(lambda: AFTER_SWAP in direct.server.statements())
    assert direct.view() == NEW_ROWS
    (left,) = direct.catalog.leftovers()
    told = interrupted_twice(running, "it is live already")
    assert running.returncode == 1 and "the other view is live" in told and left in told


@pytest.mark.parametrize("fault, live", [("^CREATE MATERIALIZED VIEW m_tmp@1", False),
                                         ("after:SWAP WITH@1", True)])
def test_a_lost_connection_says_what_may_be_left(serve, fault, live):
    direct = serve("--disconnect", fault)
    done = direct.run("replace", "-c", REPLACE, "-c", "CREATE OR REPLACE VIEW v AS SELECT a FROM m")
    assert done.returncode == 1 and "was not begun" in done.stderr
    assert direct.view() == (NEW_ROWS if live else OLD_ROWS)
    for left in direct.catalog.leftovers():
        assert left in done.stderr


def test_a_terminal_shows_a_bar(serve):
    direct = serve("--build-time", "2.5")
    leader, follower = pty.openpty()
    running = subprocess.Popen([BINARY, "replace", "-c", REPLACE], env=direct.environment(),
                               stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    shown = b""
    until = time.monotonic() + PATIENCE
    while running.poll() is None and time.monotonic() < until:
        if select.select([leader], [], [], 0.1)[0]:
            with contextlib.suppress(OSError):  # the other end is closed
                shown += os.read(leader, 4096)
    os.close(leader)
    assert running.wait(PATIENCE) == 0
    assert re.search(rb"\[[#.]{24}\] Building materialized view", shown) and b"\r\x1b[K" in shown


def test_rollback_swaps_back_and_forth(direct):
    direct.catalog.conn.execute("CREATE VIEW v AS SELECT a FROM m")
    assert direct.run("replace", "-c", REPLACE, "--set", "keep_old=1h").returncode == 0
    (kept,) = direct.catalog.leftovers()
    new = direct.catalog.view_id("m")
    planned = direct.run("rollback", "m", "--dry-run")
    assert planned.returncode == 0 and f'to "{kept}"' in planned.stdout
    assert direct.catalog.view_id("m") == new
    done = direct.run("rollback", "public.m")
    assert done.returncode == 0, done.stderr
    assert "public.m: replaced" in done.stdout and "1 view was moved" in done.stderr
    assert direct.view() == OLD_ROWS and direct.view("v") == OLD_ROWS
    stamp = kept.removeprefix("m_tmp_")
    assert direct.run("rollback", "m").returncode == 1  # what is newer was not live before it
    done = direct.run("rollback", '"m"', "--to", stamp, "--json")
    assert json.loads(done.stdout)[0]["outcome"] == "replaced"
    assert direct.view() == NEW_ROWS and direct.catalog.view_id("m") == new


def test_rollback_takes_the_newest_of_several(direct):
    """It is nobody's memory that tells: each has the stamp of what has replaced it."""
    third = REPLACE.replace(NEW, OLD)
    assert third != REPLACE
    for statement in (REPLACE, third):
        assert direct.run("replace", "-c", statement, "--set", "keep_old=1h").returncode == 0
    older, newer = sorted(direct.catalog.leftovers())
    done = direct.run("rollback", "m")
    assert done.returncode == 0, done.stderr
    assert direct.view() == NEW_ROWS
    assert "the newest of several" in done.stderr and f'Others: "{older}"' in done.stderr
    assert newer not in done.stderr.split("Others:")[1].splitlines()[0]
    assert direct.run("rollback", "m", "--to", older.removeprefix("m_tmp_")).returncode == 0
    assert direct.view() == OLD_ROWS


def test_rollback_without_a_predecessor(direct):
    done = direct.run("rollback", "m")
    assert done.returncode == 1 and "there is no predecessor" in done.stderr
    done = direct.run("rollback", "nothing", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)[0]["error"]["sqlstate"] in ("42704", "42P01")
    assert direct.changes() == []


def test_the_connection_may_have_no_schema(direct):
    environment = {**direct.environment(), "PGOPTIONS": "-c search_path=nowhere"}
    done = subprocess.run([BINARY, "rollback", "m"], env=environment, capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    assert done.returncode == 1 and done.stderr
