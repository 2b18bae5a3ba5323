"""What was seen and said during a replacement, and what must hold of it. See dependents.py."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg

import rich_view as rich
from conftest import rows
from dependents_server import Answer, State, answer
from dependents_shapes import FOLLOWS, MATERIALIZED, PLAIN, Expected, Key, Shape, refused, stays

if TYPE_CHECKING:
    from dependents import Stage

CHANGE = re.compile(r"\s*(CREATE(?! OR REPLACE)|ALTER|DROP|GRANT|REVOKE)\b", re.IGNORECASE)


@dataclass
class Watch:
    """One reader of one relation, and what he has seen: only what differs from the answer before."""

    key: Key
    user: str
    path: str | None
    seen: list[tuple[str, Answer]] = field(default_factory=list)

    def look(self, conn: psycopg.Connection, moment: str) -> None:
        found = answer(conn, self.key)
        if not self.seen or self.seen[-1][1] != found:
            self.seen.append((moment, found))


@dataclass
class Told:
    """What the client was told."""

    error: psycopg.Error | None = None
    tag: str | None = None
    notices: list[tuple[str, str]] = field(default_factory=list)
    named: str = ""  # where a WARNING names what it is about: the rest may name anything
    settings: tuple = ()

    def hear(self, diagnostic) -> None:
        parts = (diagnostic.message_primary, diagnostic.message_detail, diagnostic.message_hint)
        self.notices.append((diagnostic.severity, "\n".join(part for part in parts if part)))
        if diagnostic.severity == "WARNING":
            # "… stays on the old m": this is about what stands in front.
            self.named += re.split(r"\bstays? on\b", diagnostic.message_primary)[0] + "\n"

    def warnings(self) -> str:
        return "\n".join(text for severity, text in self.notices if severity == "WARNING")

    def everything(self) -> str:
        return "\n".join(f"{severity}: {text}" for severity, text in self.notices)

    def warned_of(self, name: str) -> bool:
        return says(self.named, name)


def says(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text) is not None


@dataclass
class Played:
    stage: Stage
    shape: Shape
    before: State
    after: State
    told: Told
    watches: list[Watch]
    sent: list[str]

    @property
    def x(self) -> Key:
        return self.shape.key(self.before.things)

    def moving(self) -> set[int]:
        """What reads the old view and ought to read the new one."""
        return self.before.downstream(self.before.things[self.x].id, self.shape.moved)

    def outcome(self) -> Expected:
        if self.told.error is not None:
            return refused(self.told.error.sqlstate)
        dependents = self.moving()
        named = {thing.key[1] for thing in self.before.things.values()
                 if thing.id in dependents and thing.kind != "index"
                 and self.told.warned_of(thing.key[1])}
        # The catalog does not say what is read by what is being created.
        named |= {name for one in self.shape.expect for name in one.names if self.told.warned_of(name)}
        if named or self.told.warnings():
            return stays(*named)
        return FOLLOWS

    def judge(self) -> None:
        """What must hold whatever was expected."""
        assert self.stage.sandbox.child.poll() is None, "the server has died"
        assert not any(re.search(r"\bCASCADE\b", sql) for sql in self.sent if CHANGE.match(sql))
        if self.told.settings:
            assert self.told.settings[0] == self.told.settings[1]
        if self.told.error is not None:
            self.judge_refused()
        else:
            tag = f"CREATE_{self.shape.kind.upper().replace(' ', '_')}"
            assert self.told.tag in (None, tag)
            self.judge_done()
        self.judge_seen()

    def judge_refused(self) -> None:
        assert self.after.things == self.before.things
        assert self.after.answers == self.before.answers
        assert self.after.references == self.before.references

    def judge_done(self) -> None:
        before, after = self.before, self.after
        old, new = before.things[self.x], after.things[self.x]
        assert new.id != old.id
        assert set(before.things) <= set(after.things), "gone: %s" % (
            set(before.things) - set(after.things))
        moving = self.moving()
        for key, thing in before.things.items():
            now = after.things[key]
            assert (now.kind, now.owner, now.grants) == (thing.kind, thing.owner, thing.grants), key
            if key == self.x or (thing.kind in self.shape.moved and thing.id in moving):
                self.judge_view(key)
            elif thing.kind != "index":
                assert now.id == thing.id, f"{key} is another object"
                assert after.answers.get(key) == before.answers.get(key), key
                same = after.references.get(thing.id) == before.references.get(thing.id)
                assert same, f"{key} reads other objects"
                if thing.id in moving:
                    assert key[1] in self.shape.unseen or self.told.warned_of(key[1]), (
                        f"nobody was told that {key} stays on the old view", self.told.everything())
        for index, table in before.indexes.items():
            assert after.indexes.get(index) == table, f"the index {index} on {table}"
        self.judge_left()

    def judge_view(self, key: Key) -> None:
        """x itself, and plain views that read it."""
        before, after = self.before, self.after
        thing, now = before.things[key], after.things[key]
        reads = before.references.get(thing.id, set())
        named = key != self.x and (key[1] in self.shape.unseen or self.told.warned_of(key[1]))
        if named:
            assert now.id == thing.id, f"{key} was said to stay, and is another object"
            assert after.references[thing.id] == reads
            assert after.answers[key] == before.answers[key], f"{key} was said to stay"
            return
        fresh = answer(self.stage.reference.session("root", self.stage.server.paths.get(key)), key)
        assert fresh[0] == "rows", f"{key} cannot be on the new view: {fresh}"
        assert after.answers[key] == fresh, (
            f"{key} does not answer what a fresh one does", after.answers[key], fresh,
            self.told.everything())
        if key != self.x:
            assert self.reads(after, now.id) == self.reads(before, thing.id), (
                f"{key} reads other objects")

    def reads(self, state: State, reader: int) -> set[Key | None]:
        """By name; but for what it reads through x, when that is a plain view."""
        through: set[Key | None] = set()
        if self.shape.kind == PLAIN:
            for one in (self.before, self.after):
                through |= one.names_of(one.references.get(one.things[self.x].id, ()))
        return state.names_of(state.references.get(reader, set())) - through

    def judge_left(self) -> None:
        """Only what somebody still reads is there under a name of ours, and it was told."""
        left = {key: thing for key, thing in self.after.things.items()
                if key not in self.before.things}
        mine = {thing.id for key, thing in self.after.things.items() if key not in left}
        creating = {key for (key,) in rows(self.stage.server.conn, "SELECT ddl_id FROM rw_ddl_progress")}
        for key, thing in left.items():
            assert rich.OURS.fullmatch(key[1]), key
            if self.after.indexes.get(key) in left:
                continue  # goes with its view
            # What is being created reads, too, and the catalog does not tell what.
            readers = self.after.downstream(thing.id, (PLAIN, MATERIALIZED)) | creating
            assert readers & mine, f"{key} was left and nobody reads it"
            assert says(self.told.everything(), key[1]), (
                f"nobody was told of {key}", self.told.everything())
        if self.before.things[self.x].id not in {thing.id for thing in left.values()}:
            # The old one is gone: then nobody was on it.
            assert left == {}, left

    def judge_seen(self) -> None:
        for watch in self.watches:
            first, last = self.before.answers[watch.key], self.after.answers[watch.key]
            seen = [found for _, found in watch.seen]
            assert seen in ([first], [first, last]) or (first == last and seen == [first]), (
                f"{watch.user} read {watch.key}", watch.seen)

    def check(self) -> None:
        try:
            self.judge()
        except AssertionError as error:
            raise AssertionError(f"{error}\noutcome: {self.outcome()}\n{self.told.error}\n"
                                 f"{self.told.everything()}\n" + "\n".join(
                                     sql for sql in self.sent if CHANGE.match(sql))) from None
        found = self.outcome()
        assert any(fits(found, one) for one in self.shape.expect), (
            f"{found}; expected {' or '.join(map(str, self.shape.expect))}",
            self.told.error, self.told.everything())


def fits(found: Expected, expected: Expected) -> bool:
    if found.kind != expected.kind:
        return False
    if found.kind == "refused":
        return not expected.codes or found.codes[0] in expected.codes
    return found.names == expected.names
