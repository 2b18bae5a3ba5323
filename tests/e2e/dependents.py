"""What reads a replaced view: a stage on which a shape is built, replaced and judged.

The judge is independent of what a shape expects. It compares with what the same statements give
when a user types them by hand on a second server (`Reference`): there the new view takes the name,
and every plain view is created afresh from its original text. After a replacement

- a plain view answers what the fresh one does, unless a WARNING names it: then it answers what it
  answered before, and is the object that it was;
- everything else that reads the old view (materialized views, sinks, …) is what it was;
- when the statement was refused, all of it is what it was, and nothing of ours is left;
- at each change on the way, and all the time through the proxy, every reader gets what was there
  before, and then only what is there afterwards.
"""

import contextlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from conftest import connect, rows
from dependents_judged import Played, Told, Watch, says
from dependents_server import Reference, Server, State, Thing, answer, quoted, state_of, things
from dependents_shapes import (
    FOLLOWS, GONE, MATERIALIZED, MORE, NEW, OLD, PLAIN, TURNED, UNSAFE, WIDER, Expected, Key, Shape,
    refused, shape, stays)
from faulty_link import Fault, FaultyLink
from processes import Proxy, Sandbox, eventually

__all__ = [
    "FOLLOWS", "GONE", "MATERIALIZED", "MORE", "NEW", "OLD", "PLAIN", "TURNED", "UNSAFE", "WIDER",
    "Expected", "Key", "Played", "Shape", "Stage", "Stages", "State", "Thing", "Told", "answer",
    "by_proxy", "quoted", "refused", "says", "shape", "stays", "things"]

# What a reader might notice.
SEEN = re.compile(r"\s*(ALTER .*\b(SWAP|RENAME)\b|DROP|REVOKE)", re.IGNORECASE | re.DOTALL)


class Poller(threading.Thread):
    """Reads everything through the proxy, round and round."""

    def __init__(self, port: int, watches: list[Watch]):
        super().__init__(daemon=True)
        self.watches, self.over, self.rounds = watches, threading.Event(), 0
        self.conns = {path: connect(port) for path in {watch.path for watch in watches}}
        for path, conn in self.conns.items():
            if path is not None:
                conn.execute(f"SET search_path TO {path}")
        self.start()

    def run(self) -> None:
        while not self.over.is_set():
            for watch in self.watches:
                watch.look(self.conns[watch.path], "some time")
            self.rounds += 1
            self.over.wait(0.02)

    def finish(self) -> None:
        self.over.set()
        self.join(30)
        for conn in self.conns.values():
            conn.close()


@dataclass
class AtChanges(Fault):
    """Looks when the server has carried out a change and before the proxy learns of it."""

    text: str = ""

    def strikes(self, number: int, text: str) -> bool:
        if SEEN.match(text) and "_probe_" not in text:
            self.text = text
            return True
        return False


Replacer = Callable[["Stage", Shape], Told]


class Stage:
    """A proxy between two links of the chain client - proxy - link - server, and the reference."""

    def __init__(self, *switches: str, flags: tuple[str, ...] = ()):
        self.stack = contextlib.ExitStack()
        switches = ("--build-time", "0.01", "--build-hang", "hang_me", *switches)
        self.sandbox = self.stack.enter_context(Sandbox(*switches))
        self.server = Server(self.sandbox)
        # This one quotes whatever needs it.
        self.reference_switches = (*switches, "--version", "3.0")
        self.begin_reference()
        self.link = self.stack.enter_context(FaultyLink(self.sandbox.port, ""))
        self.proxy = self.stack.enter_context(Proxy(
            self.link.port, "--drain-min", "0", "--unchanged", "rebuild", *flags))

    def close(self) -> None:
        with self.stack:
            self.server.close()
            self.reference.close()
            assert self.proxy.end(60) == 0, self.proxy.output()[-4000:]

    def begin_reference(self) -> None:
        self.reference = Reference(self.stack.enter_context(Sandbox(*self.reference_switches)))

    def build_reference(self, one: Shape) -> None:
        """A shape that kills a server is one that must be refused: then nothing is compared."""
        try:
            self.reference.build(one)
        except psycopg.OperationalError:
            self.reference.close()
            self.begin_reference()

    def state(self) -> State:
        return state_of(self.server)

    def watches(self, state: State) -> list[Watch]:
        """Root reads all; whoever was granted something reads that."""
        out = []
        for key, thing in state.things.items():
            if thing.kind in (PLAIN, MATERIALIZED):
                path = self.server.paths.get(key)
                users = {"root"} | {user for user, _ in thing.grants}
                out += [Watch(key, user, path) for user in sorted(users)]
        return out

    def play(self, one: Shape, replacer: Replacer | None = None) -> "Played":
        self.link.arm(None)
        self.build_reference(one)
        self.server.build(one)
        before = self.state()
        watches = self.watches(before)
        polled = [Watch(w.key, w.user, w.path) for w in watches if w.user == "root"]
        fault = AtChanges("hold", 0, after=True)

        def look(moment: str) -> None:
            for watch in watches:
                watch.look(self.server.session(watch.user, watch.path), moment)

        fault.on_strike = lambda: look(fault.text)
        look("the beginning")
        poller = Poller(self.proxy.port, polled)
        try:
            assert eventually(lambda: poller.rounds, 10)
            self.link.arm(fault)
            told = (replacer or by_proxy)(self, one)
            rounds = poller.rounds
            assert eventually(lambda: poller.rounds > rounds + 1, 10)
        finally:
            poller.finish()
        look("the end")
        sent = list(self.link.statements)
        self.link.arm(None)
        played = Played(self, one, before, self.state(), told, watches + polled, sent)
        for sql in one.behind:
            self.server.conn.execute(sql)
            self.reference.conn.execute(sql)
        return played


class Stages:
    """One for each version; another one when its server has died."""

    def __init__(self) -> None:
        self.known: dict[str, Stage] = {}

    def of(self, version: str = "2.7") -> Stage:
        stage = self.known.get(version)
        if stage is not None and stage.sandbox.child.poll() is not None:
            stage.stack.close()
            stage = None
        if stage is None:
            stage = self.known[version] = Stage("--version", version)
        return stage

    def close(self) -> None:
        for stage in self.known.values():
            stage.close()


def by_proxy(stage: Stage, one: Shape) -> Told:
    """The statement through the proxy."""
    told = Told()
    options = f"-c mvswap.dependents={one.policy}" if one.policy else ""
    with connect(stage.proxy.port, user=one.by, options=options) as conn:
        conn.add_notice_handler(told.hear)
        if one.path is not None:
            conn.execute(f"SET search_path TO {one.path}")
        settings = [rows(conn, f"SHOW {name}") for name in ("search_path", "background_ddl")]
        try:
            told.tag = conn.execute(one.replacement).statusmessage
        except psycopg.Error as error:
            told.error = error
        told.settings = (settings, [rows(conn, f"SHOW {name}")
                                    for name in ("search_path", "background_ddl")])
    return told
