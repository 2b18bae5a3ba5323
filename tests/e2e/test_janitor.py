"""The janitor: the proxy looks after one database by itself."""

import contextlib
import re
import signal
import socket
import threading
import time

import pytest

from conftest import connect, rows
from processes import PATIENCE, Proxy, Sandbox, eventually
from test_leftovers import DAY, NEXT, left

WATCHED = r"IN \('materialized view', 'view'\)"
NEW_M = "CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a, a * 10 AS b FROM t"


class Kept:
    """A server, a proxy with a janitor in front of it, and a connection to each."""

    def __init__(self, *flags: str, switches: tuple[str, ...] = (), dsn: str = "", tail: str = ""):
        self.server = Sandbox(*switches)
        self.sql = connect(self.server.port)
        for statement in ("CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1), (2)",
                          "CREATE MATERIALIZED VIEW m AS SELECT a FROM t"):
            self.sql.execute(statement)
        self.flags = ["--janitor-dsn",
                      dsn or f"host=127.0.0.1 port={self.server.port} user=root dbname=dev{tail}",
                      "--janitor-interval", "1s", "--janitor-older-than", "0s", *flags]
        self.proxy: Proxy | None = None

    def start(self) -> None:
        self.proxy = Proxy(self.server.port, *self.flags)

    def make(self, *names: str, query: str = "SELECT a FROM t") -> None:
        for name in names:
            self.sql.execute(f'CREATE MATERIALIZED VIEW "{name}" AS {query}')

    def names(self) -> set[str]:
        return {n for (n,) in rows(self.sql, "SELECT name FROM rw_catalog.rw_relations")
                if "_tmp_" in n}

    def log(self) -> list[str]:
        return [line for line in self.proxy.output().splitlines() if "event=janitor" in line]

    def looks(self, more: int = 1) -> None:
        """Waits until it has looked so often again."""
        def count() -> int:
            return sum("rw_relations" in s for s in self.server.statements())
        wanted = count() + 2 * more + 1
        assert eventually(lambda: count() >= wanted)


class Thread(threading.Thread):
    """Runs a statement beside."""

    def __init__(self, session, statement: str):
        super().__init__(target=lambda: session.execute(statement))

    def __enter__(self):
        self.start()

    def __exit__(self, *error):
        self.join()


@contextlib.contextmanager
def kept(*flags: str, **how):
    running = Kept(*flags, **how)
    with running.server, contextlib.ExitStack() as stack:
        stack.callback(lambda: running.proxy and running.proxy.stop())
        yield running


def test_it_is_off_by_default():
    with Sandbox() as server, Proxy(server.port) as proxy:
        time.sleep(1.5)
        assert not server.statements()
        assert "event=janitor" not in proxy.output()


def test_it_drops_what_may_go_and_nothing_else():
    with kept() as k:
        k.make(left(), left(name="x") + "x", "m_tmp_1")
        k.make(left(name="read"))
        k.make("reader", query=f"SELECT a FROM {left(name='read')}")
        k.make("x_dbt_zero_down_tmp_20260101T101112_123456+0000")
        before = k.names()
        k.start()
        assert eventually(lambda: left() not in k.names())
        k.looks(2)
        assert k.names() == before - {left()}
        lines = sorted(k.log())
        assert len(lines) == 2
        assert any(f"object=public.{left()} what=dropped" in line for line in lines)
        assert any(f"object=public.{left(name='read')} what=read detail=public.reader" in line
                   for line in lines)
        assert k.proxy.end() == 0


def test_what_is_in_use_is_said_once():
    with kept(switches=("--delay", "pause@1=6")) as k:
        k.make(left())
        with connect(k.server.port) as reader, Thread(
                reader, f"SELECT a AS pause FROM {left()}"):
            assert eventually(lambda: any("pause" in s for s in k.server.statements()))
            k.start()
            assert eventually(k.log)
            k.looks(2)
            line, = k.log()
            assert f"object=public.{left()} what=\"in use\"" in line
        assert eventually(lambda: not k.names())


def test_leaf_first():
    with kept() as k:
        k.make(left())
        k.make(left(NEXT), query=f"SELECT a FROM {left()}")
        k.start()
        assert eventually(lambda: not k.names())
        assert [s for s in k.server.statements() if s.startswith("DROP")] == [
            f'DROP MATERIALIZED VIEW "public"."{left(NEXT)}"',
            f'DROP MATERIALIZED VIEW "public"."{left()}"']


def test_what_is_young_stays():
    with kept("--janitor-older-than", "10min") as k:
        k.make(left())
        k.start()
        k.looks(3)
        assert k.names() == {left()}
        assert not k.log()


def test_dry_run_says_it_once():
    with kept("--janitor-dry-run", "on") as k:
        k.make(left())
        k.start()
        assert eventually(k.log)
        k.looks(3)
        line, = k.log()
        assert f"object=public.{left()} what=\"would be dropped\"" in line
        assert k.names() == {left()}


def test_a_replacement_of_this_proxy_is_left_alone():
    """The old view is under a temporary name, and nothing reads it: only the proxy knows that it is
    not left."""
    with kept() as k:
        k.start()
        with connect(k.proxy.port) as session:
            session.execute("SET mvswap.drain_min = '4s'")
            session.execute(NEW_M)
        assert rows(k.sql, "SELECT * FROM m ORDER BY a") == [(1, 10), (2, 20)]
        assert not [line for line in k.log() if "what=" in line]


def test_what_is_kept_on_purpose_stays_until_its_time_is_over():
    with kept() as k:
        k.start()
        with connect(k.proxy.port) as session:
            session.execute("SET mvswap.keep_old = '6s'")
            session.execute(NEW_M)
            began = time.monotonic()
            assert len(k.names()) == 1
            k.looks(2)
            assert len(k.names()) == 1
            assert eventually(lambda: not k.names())
            assert time.monotonic() - began > 4


def test_kept_goes_when_its_time_is_over_however_young_it_is():
    with kept("--janitor-older-than", "40d") as k:
        k.start()
        with connect(k.proxy.port) as session:
            session.execute("SET mvswap.keep_old = '2s'")
            session.execute(NEW_M)
        assert eventually(lambda: not k.names())


def test_it_is_forgotten_in_the_state_file(tmp_path):
    state = tmp_path / "state"
    with kept("--state-file", str(state)) as k:
        k.start()
        with connect(k.proxy.port) as session:
            session.execute("SET mvswap.keep_old = '3s'")
            session.execute(NEW_M)
        assert eventually(lambda: "%end 1" in state.read_text())
        assert eventually(lambda: "%end 0" in state.read_text())
        assert not k.names()


def test_what_is_kept_on_purpose_goes_in_time_behind_a_restart(tmp_path):
    with kept("--state-file", str(tmp_path / "state"), "--janitor-older-than", "40d") as k:
        k.start()
        with connect(k.proxy.port) as session:
            session.execute("SET mvswap.keep_old = '8s'")
            session.execute(NEW_M)
        assert k.proxy.end() == 0
        assert len(k.names()) == 1
        k.start()
        assert eventually(lambda: not k.names())


def test_swaps_of_others_are_told():
    """A statement that was prepared before somebody else's swap reads the new view, before the old
    one is gone."""
    with kept("--janitor-older-than", "40d") as k:
        k.start()
        k.looks()
        with connect(k.proxy.port) as session:
            session.prepare_threshold = 0
            assert session.execute("SELECT * FROM m WHERE a >= %s ORDER BY a", (1,)).fetchall() == [
                (1,), (2,)]
            k.make("other", query="SELECT a + 5 AS a FROM t")
            k.sql.execute("ALTER MATERIALIZED VIEW m SWAP WITH other")
            assert eventually(lambda: [line for line in k.log() if "noticed=m " in line])
            assert session.execute("SELECT * FROM m WHERE a >= %s ORDER BY a", (1,)).fetchall() == [
                (6,), (7,)]


def test_own_swaps_are_not_noticed():
    with kept() as k:
        k.start()
        k.looks()
        with connect(k.proxy.port) as session:
            session.execute(NEW_M)
        k.looks(2)
        assert not k.log()


def test_no_connection():
    with kept(dsn="host=127.0.0.1 port=1 user=root password=secret123") as k:
        k.start()
        assert eventually(k.log)
        time.sleep(2.5)
        assert len(k.log()) == 1
        assert "refused" in k.log()[0] and "secret123" not in k.proxy.output()
        with connect(k.proxy.port) as session:
            assert rows(session, "SELECT 1") == [(1,)]
        assert k.proxy.end() == 0


def test_a_lost_connection_is_made_again():
    with kept(switches=("--disconnect", r"rw_depend@1",)) as k:
        k.make(left())
        k.start()
        assert eventually(lambda: not k.names())
        assert eventually(lambda: len(k.log()) == 3)
        assert "lost" in k.log()[0]
        assert {"what=dropped" in line for line in k.log()[1:]} == {True, False}


def test_a_connection_that_was_lost_while_idle_is_made_again_at_once():
    with kept(switches=("--disconnect", WATCHED + "@2")) as k:
        k.start()
        k.looks(2)
        assert sum(bool(re.search(WATCHED, s)) for s in k.server.statements()) >= 2
        assert not k.log()


def test_a_server_that_does_not_answer_locks_no_name():
    """It has the name for its drop when the server falls silent; a minute later it gives it back."""
    with kept("--janitor-interval", "1h", switches=("--delay", "^DROP MATERIALIZED VIEW@1=90")) as k:
        k.make(left())
        k.start()
        assert eventually(lambda: any(s.startswith("DROP") for s in k.server.statements()))
        with connect(k.proxy.port) as session:
            session.execute(NEW_M)
            assert rows(session, "SELECT b FROM m ORDER BY b") == [(10,), (20,)]
        assert "the server does not answer" in k.log()[0]


def test_refused_is_a_warning_once():
    with kept(switches=("--fail", "DROP MATERIALIZED VIEW@1", "--fail",
                        "DROP MATERIALIZED VIEW@2")) as k:
        k.make(left())
        k.start()
        assert eventually(lambda: not k.names())
        refused, dropped = k.log()
        assert "level=warning" in refused and "what=refused" in refused
        assert "what=dropped" in dropped


def test_settings_are_read_again(tmp_path):
    file = tmp_path / "mvswap.conf"
    with kept() as k:
        k.make(left())
        dsn = k.flags[1]
        file.write_text("[log]\nlevel = info\n")
        k.flags = ["--config", str(file)]
        k.start()
        file.write_text(f"[janitor]\ndsn = {dsn} password=secret123\ninterval = 1s\n"
                        "older_than = 0s\n")
        k.proxy.signal(signal.SIGHUP)
        assert eventually(lambda: not k.names())
        assert re.search("key=janitor_dsn", k.proxy.output())
        assert "secret123" not in k.proxy.output()
        file.write_text("")
        k.proxy.signal(signal.SIGHUP)
        assert eventually(lambda: k.proxy.output().count("key=janitor_dsn") == 2)
        k.make(left())
        time.sleep(2.5)
        assert k.names() == {left()}
        assert k.proxy.end() == 0


@pytest.mark.parametrize(("key", "value", "said"), [
    ("interval", "10ms", "At least 1s"),
    ("older_than", "soon", "bad duration"),
    ("dry_run", "perhaps", "Expected on or off"),
    ("dsn", "password=secret123 " + "x" * 250, "too long"),
    ("dsn", "host=h password=my secret123", "cannot be read"),
    ("dsn", "postgres://u:50%secret123@h/db", "cannot be read"),
    ("dsn", "postgres://u:p@secret123@h/db", "percent-encoded"),
    ("dsn", "postgres://u:secret123/ss@h/db", "percent-encoded"),
])
def test_wrong_settings(key, value, said):
    with Sandbox() as server, pytest.raises(RuntimeError) as failed:
        Proxy(server.port, f"--janitor-{key.replace('_', '-')}", value)
    assert said in str(failed.value)
    assert "secret123" not in str(failed.value)


def test_another_name_for_the_stamp():
    """The time of a name is UTC, whatever the zone of the proxy's machine."""
    assert DAY < NEXT
    with kept("--janitor-older-than", "1s") as k:
        k.make(left(time.strftime("%Y%m%d_%H%M%S_000000", time.gmtime(time.time() + 3600))))
        k.start()
        k.looks(3)
        assert len(k.names()) == 1


def test_the_end_of_the_proxy_waits_for_nobody():
    with kept(switches=("--delay", "rw_depend@1=30",)) as k:
        k.make(left())
        k.start()
        assert eventually(lambda: any("rw_depend" in s for s in k.server.statements()))
        began = time.monotonic()
        assert k.proxy.end(PATIENCE) == 0
        assert time.monotonic() - began < 10


def test_the_end_of_the_proxy_does_not_wait_for_a_server_that_is_silent():
    """Whatever the string says of connect_timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with kept(dsn=f"host=127.0.0.1 port={port} user=root connect_timeout=0") as k:
            k.start()
            peer, _ = silent.accept()
            with peer:
                assert k.proxy.end(PATIENCE) == 0


class Reread:
    """A janitor whose settings are in a file."""

    def __init__(self, k: Kept, path):
        self.k, self.file = k, path
        self.flags = list(k.flags)

    def write(self, **values: str) -> None:
        settings = {"dsn": self.flags[1], "interval": "1s", "older_than": "0s", **values}
        lines = [f"{key} = {value}" for key, value in settings.items()]
        self.file.write_text("\n".join(["[janitor]", *lines, ""]))

    def start(self) -> None:
        self.k.flags = ["--config", str(self.file)]
        self.k.start()


def test_dry_run_stops_what_is_under_way(tmp_path):
    with kept(switches=("--delay", "^DROP MATERIALIZED VIEW@1=3")) as k:
        reread = Reread(k, tmp_path / "mvswap.conf")
        reread.write()
        k.make(left(), left(NEXT), left(name="x"))
        reread.start()
        assert eventually(lambda: any(s.startswith("DROP") for s in k.server.statements()))
        reread.write(dry_run="on")
        k.proxy.signal(signal.SIGHUP)
        assert eventually(lambda: len(k.names()) == 2)
        assert eventually(lambda: len([x for x in k.log() if "would be dropped" in x]) == 2)
        assert len([s for s in k.server.statements() if s.startswith("DROP")]) == 1


def test_each_reason_is_said(tmp_path):
    """Also when it is another one under the same, or another, connection string."""
    with kept() as k:
        reread = Reread(k, tmp_path / "mvswap.conf")
        reread.write(dsn="host=127.0.0.1 port=1 user=root")
        reread.start()
        assert eventually(lambda: len(k.log()) == 1)
        reread.write(dsn="host=127.0.0.1 port=2 user=root")
        k.proxy.signal(signal.SIGHUP)
        assert eventually(lambda: len(k.log()) == 2)
        assert "port 1 failed" in k.log()[0] and "port 2 failed" in k.log()[1]


def test_it_looks_although_the_settings_are_read_again_and_again(tmp_path):
    with kept() as k:
        reread = Reread(k, tmp_path / "mvswap.conf")
        reread.write()
        reread.start()
        k.looks()
        k.make(left())

        def signal_and_look() -> bool:
            k.proxy.signal(signal.SIGHUP)
            return not k.names()
        assert eventually(signal_and_look, every=0.2)
