"""One fault at one statement of a replacement, with a reader and a writer all the time, and the verdict.

A `World` is kept for many cases: each one makes the view anew. What is replaced, and what of it is
watched and judged, may be something else: see kill_dependents.py.
"""

import contextlib
import os
import re
import threading
import time

import psycopg
import pytest

import rich_view as rich
from conftest import connect, rows
from faulty_link import Fault, FaultyLink
from processes import Proxy, Sandbox, eventually
from raw_session import RawSession, reset_connection

MODES = {"background 2.7": ("2.7", "background"), "foreground 2.7": ("2.7", "foreground"),
         "2.2": ("2.2", "background")}
FLAGS = ("--drain-min", "0", "--drain", "2s")
FAULTS = ["cut before", "cut after", "client killed", "proxy killed", "fails", "cancel"]
LONG = os.environ.get("MVSWAP_LONG") == "1"
TABLE_FILE = os.environ.get("MVSWAP_KILL_TABLE")
# Of these the sample takes each occurrence, of all others the first one.
CHANGES = re.compile("CREATE (?!OR)|ALTER|DROP|SET|GRANT|COMMENT|PROCESSLIST")


class World:
    """A server, the link, a proxy that may be killed, and direct connections."""

    replace = rich.REPLACE
    options: dict[str, str] = {}  # of the session that replaces

    def __init__(self, mode: str):
        version, build = MODES[mode]
        self.version = version
        self.stack = contextlib.ExitStack()
        self.server = self.stack.enter_context(
            Sandbox("--version", version, "--build-time", "0.02"))
        self.link = self.stack.enter_context(FaultyLink(self.server.port, "CREATE OR REPLACE "))
        self.flags = (*FLAGS, "--build", build)
        self.prepare()
        self.proxy = Proxy(self.link.port, *self.flags)
        self.killed = False
        self.old = self.new = None
        self.num_written = 100

    def prepare(self) -> None:
        """Once, for all cases."""
        self.conn = self.stack.enter_context(connect(self.server.port))
        self.conn.execute("CREATE TABLE t (a INT PRIMARY KEY, b INT)")
        self.conn.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
        rich.make_users(self.conn)
        self.indexes = rich.PLAIN_INDEXES if self.version == "2.2" else rich.INDEXES

    def close(self) -> None:
        with self.stack:
            assert self.killed or self.proxy.end(60) == 0

    def reset(self) -> None:
        self.revive()
        self.link.arm(None)
        self.build()

    def revive(self) -> None:
        if self.killed:
            self.proxy = Proxy(self.link.port, *self.flags)
        self.killed = False

    def num_sessions(self) -> int:
        """Those on the server that are ours for good."""
        return 1

    def build(self) -> None:
        for kind, relation in (("VIEW", "rw_views"), ("MATERIALIZED VIEW", "rw_materialized_views")):
            for (name,) in rows(self.conn, f"SELECT name FROM rw_catalog.{relation}"):
                if rich.OURS.fullmatch(name) or name == "m":
                    self.conn.execute(f'DROP {kind} "{name}"')
        rich.make_rich(self.conn, self.indexes)
        assert rich.all_names(self.conn) == {"t", "m", *self.indexes}

    def restore(self) -> None:
        """After a case that went wrong: a proxy that has nothing to do with it."""
        if not self.killed:
            self.killed = True
            self.proxy.child.kill()
            self.proxy.child.wait()

    def learn(self) -> list[str]:
        """An undisturbed replacement: its statements, and what the view is before and after it."""
        self.reset()
        self.old = rich.anatomy(self.conn)
        with connect(self.proxy.port) as conn:
            conn.execute(self.replace)
        self.new = rich.anatomy(self.conn)
        assert rich.all_names(self.conn) == {"t", "m", *self.indexes}
        assert {**self.new, "columns": ("a",), "rows": rich.OLD_ROWS} == self.old
        assert set(self.new["indexes"]) == set(self.indexes)
        return list(self.link.statements)


class Poller(threading.Thread):
    """Reads the view through the proxy, to the end of the test or of the proxy."""

    def __init__(self, world: World):
        super().__init__(daemon=True)
        self.world, self.over = world, threading.Event()
        self.conn = connect(world.proxy.port)
        self.num_answers, self.seen, self.errors = 0, [], []

    def run(self) -> None:
        while not self.over.wait(0.003):
            try:
                answer = tuple(self.conn.execute("SELECT * FROM m ORDER BY a").fetchall())
            except psycopg.Error as error:
                if not self.world.killed:
                    self.errors.append(str(error))
                break
            self.num_answers += 1
            if not self.seen or self.seen[-1] != answer:
                self.seen.append(answer)

    def finish(self) -> None:
        self.over.set()
        self.join()
        self.conn.close()


class Writer(threading.Thread):
    def __init__(self, world: World):
        super().__init__(daemon=True)
        self.world, self.over = world, threading.Event()
        self.conn = connect(world.server.port)
        self.num_rows, self.errors = 0, []

    def run(self) -> None:
        while not self.over.wait(0.01):
            self.world.num_written += 1
            try:
                self.conn.execute(f"INSERT INTO t (a, b) VALUES ({self.world.num_written}, 0)")
                self.num_rows += 1
            except psycopg.Error as error:
                self.errors.append(str(error))

    def finish(self) -> None:
        self.over.set()
        self.join()
        self.conn.close()


class Case:
    """One fault at one statement."""

    def __init__(self, world: World, kind: str, at: int):
        self.world, self.kind, self.at = world, kind, at
        world.reset()
        self.begin()
        self.session = RawSession(world.proxy.port, **world.options)
        self.error = self.answered = None
        world.link.arm(self.fault(), self.watch())

    def begin(self) -> None:
        """What is there before."""
        self.id_before = rich.id_of(self.world.conn, "m")

    def watch(self) -> Fault | None:
        return None

    def fault(self) -> Fault:
        if self.kind.startswith("cut"):
            return Fault("cut", self.at, after=self.kind == "cut after")
        if self.kind == "fails":
            return Fault("fail", self.at)
        strike = {"client killed": self.kill_client, "proxy killed": self.kill_proxy,
                  "cancel": self.cancel}[self.kind]
        return Fault("hold", self.at, after=True, on_strike=strike)

    def kill_client(self) -> None:
        reset_connection(self.session.conn.sock)
        time.sleep(0.02)  # until the proxy has noticed, or nearly so

    def kill_proxy(self) -> None:
        self.world.killed = True
        self.world.proxy.child.kill()
        self.world.proxy.child.wait()

    def cancel(self) -> None:
        self.session.cancel()
        time.sleep(0.02)

    def play(self) -> str:
        """What came of it, in a word for the table."""
        self.poller, writer = self.begin_polling(), Writer(self.world)
        writer.start()
        assert eventually(lambda: writer.num_rows), writer.errors
        try:
            self.session.send(self.world.replace)
            # Whoever is killed waits for nothing: a socket that is being read would stay open.
            if self.kind != "client killed" or not self.world.link.struck.wait(20):
                with contextlib.suppress(OSError):
                    self.session.until_ready()
            assert eventually(self.at_rest), self.told()
        finally:
            for thread in (self.poller, writer):
                thread.finish()
        outcome = self.judge() if self.world.link.struck.is_set() else "not reached"
        # Polls are more or less: the last statements are not there every time.
        assert outcome != "not reached" or (self.error is None and self.at > 40), self.told()
        assert writer.errors == [], writer.errors
        self.judge_seen()
        self.session.close()
        return outcome

    def begin_polling(self) -> Poller:
        poller = Poller(self.world)
        poller.start()
        assert eventually(lambda: poller.num_answers), poller.errors
        return poller

    def judge_seen(self) -> None:
        poller = self.poller
        assert poller.errors == [], poller.errors
        assert poller.seen in ([rich.OLD_ROWS], [rich.OLD_ROWS, rich.NEW_ROWS]), poller.seen

    def at_rest(self) -> bool:
        """Nothing of the replacement runs or builds on the server any more."""
        conn = self.world.conn
        texts = [row[-1] for row in rows(conn, "SHOW PROCESSLIST") if row[-1]]
        busy = [text for text in texts if not re.match("SHOW PROCESSLIST|INSERT|SELECT \\* FROM",
                                                       text)]
        if busy or rows(conn, "SELECT * FROM rw_catalog.rw_ddl_progress"):
            return False
        if self.kind != "client killed" or not self.world.link.struck.is_set():
            return True
        # The poller and the writer are there.
        return len(rows(conn, "SHOW PROCESSLIST")) <= self.world.num_sessions() + 2

    def told(self) -> str:
        return "\n".join(self.session.told())

    def judge(self) -> str:
        world = self.world
        is_new = rich.id_of(world.conn, "m") != self.id_before
        names = rich.all_names(world.conn)
        left = rich.ours(names)
        told = self.told()
        assert names - left <= {"t", "m", *world.indexes}, names
        now = rich.anatomy(world.conn)
        renamed = {name for name in now["indexes"] if rich.OURS.fullmatch(name)}
        if renamed:
            assert is_new
            # The handing over of the names was struck: the index is there under another one.
            now["indexes"] = {re.sub(f"_tmp_{rich.STAMP}$", "", name): rest
                              for name, rest in now["indexes"].items()}
            left -= renamed
        assert now == (world.new if is_new else world.old)
        dead = self.kind == "proxy killed"
        if not dead and self.kind != "client killed":
            for name in renamed:
                assert name in told, (name, told)
        self.judge_left(left, told)
        if self.kind in ("client killed", "cancel"):
            # Up to the swap it is undone, from then on it is done.
            sent = self.world.link.statements[:self.at + 1]
            assert is_new == any(" SWAP WITH " in statement for statement in sent)
        if self.kind in ("fails", "cancel"):
            self.judge_answer(is_new)
        elif self.kind.startswith("cut"):
            # Behind the drop of the old view all is done, and that is what the client is told.
            done = is_new and not left and self.session.error is None
            assert done or (self.session.error or {}).get("C") == "08006", told
        kinds = sorted({re.search(f"_([a-z]+)_{rich.STAMP}$", name).group(1) for name in left})
        return ("new" if is_new else "old") + "".join(f" +{k}" for k in kinds) + " ~" * bool(renamed)

    def judge_left(self, left: set[str], told: str) -> None:
        if self.kind == "client killed":
            # Nobody is told any more: then all that can be removed is.
            assert left == set(), left
        if self.kind in ("client killed", "proxy killed"):
            return
        of_index = dict(rows(self.world.conn, "SELECT i.name, r.name FROM rw_catalog.rw_indexes i"
                             " JOIN rw_catalog.rw_relations r ON r.id = i.primary_table_id"))
        for name in left:
            # An index goes with its view.
            assert name in told or of_index.get(name) in left, (name, told)

    def judge_answer(self, is_new: bool) -> None:
        error = self.session.error
        assert (error is None) == is_new, error
        if error is not None:
            expected = ("57014",) if self.kind == "cancel" else ("XX000",)
            assert error["C"] in expected, error
        assert self.session.query("SHOW background_ddl") == [["false"]]
        if is_new:
            assert self.session.query("SELECT * FROM m ORDER BY a") == [["1", "10"], ["2", "20"]]


def label(statement: str) -> str:
    """The statement without what differs from one time to the next."""
    text = re.sub(rich.STAMP, "…", statement)
    text = re.sub(r"\b\d+\b", "#", text).replace("rw_catalog.", "").replace('"public".', "")
    return re.sub(r"mvswap_[0-9a-f]{16}", "mvswap_…", text)[:70]


def choose(statements: list[str], begin: int, every: int) -> list[int]:
    """All of them, or a sample: one of `every`, from the one numbered `begin` on."""
    if LONG:
        return list(range(len(statements)))
    seen: set[str] = set()
    chosen = []
    for number, statement in enumerate(statements):
        if label(statement) not in seen or CHANGES.match(statement):
            chosen.append(number)
        seen.add(label(statement))
    return chosen[begin % every::every]


def show(title: str, kind: str, table: list[tuple[int, str, str]]) -> None:
    text = "".join(f"{title:15} {kind:14} {n:3} {outcome:12} {statement}\n"
                   for n, statement, outcome in table)
    print(text)
    if TABLE_FILE:
        with open(TABLE_FILE, "a", encoding="utf-8") as out:
            out.write(text)


def play_each(world: World, case: type[Case], title: str, kind: str, numbers: list[int],
              statements: list[str]) -> list[str]:
    """One case for each statement. What was wrong."""
    failures, table = [], []
    for at in numbers:
        if kind == "fails" and statements[at].startswith("mvswap_"):
            continue  # it is a syntax error in any case
        try:
            outcome = case(world, kind, at).play()
        except AssertionError as error:
            outcome = "WRONG"
            world.restore()
            failures.append(f"{kind} {at} {label(statements[at])}: {str(error)[:3000]}")
        struck = world.link.statements[at] if at < len(world.link.statements) else "-"
        table.append((at, label(struck), outcome))
    show(title, kind, table)
    return failures


def fail_for(failures: list[str]) -> None:
    if failures:
        pytest.fail("\n\n".join(failures), pytrace=False)
