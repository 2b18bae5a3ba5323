"""One fault at one statement of a replacement of something that others read, and the verdict.

What the views are to answer is not learned from the engine: the same statements are typed with the
other query in place of the old one. See kill_matrix.py and dependents.py.
"""

import re
from dataclasses import dataclass, field, replace

import psycopg

import rich_view as rich
from conftest import connect, rows
from dependents import AtChanges, Poller
from dependents_judged import Told, Watch, says
from dependents_server import Answer, Server, State, quoted, state_of
from dependents_shapes import FOLLOWS, MATERIALIZED, PLAIN, Key, Shape, stays
from faulty_link import Fault
from kill_matrix import Case, World
from processes import eventually
from raw_session import RawSession

OLD = "SELECT a, b, s FROM public.t WHERE a < 100"
NEW = "SELECT a, b + 1000 AS b FROM public.t WHERE a < 100"
THIRD = "SELECT a, b + 2000 AS b FROM public.t WHERE a < 100"

SCENES = {one.name: one for one in (
    Shape("views", (
        # Its x is found under this search_path only.
        "SET search_path TO s1, public",
        "GRANT USAGE ON SCHEMA s1 TO bob, zoe",
        "GRANT SELECT ON MATERIALIZED VIEW x TO bob, zoe",
        "CREATE VIEW v1 (p, q) AS SELECT a, b FROM x",
        "GRANT SELECT ON VIEW v1 TO zoe WITH GRANT OPTION",
        "ALTER VIEW v1 OWNER TO bob",
        "CREATE VIEW public.v2 AS SELECT q, p FROM s1.v1",
        "GRANT SELECT ON VIEW public.v2 TO eve",
        "CREATE VIEW public.lost AS SELECT s FROM x",
    ), (stays("lost"),), x="s1.x", old=OLD, new=NEW, before=("CREATE SCHEMA s1",)),
    Shape("cascade", (
        "CREATE MATERIALIZED VIEW n AS SELECT a, b + 1 AS b FROM x",
        "CREATE INDEX by_b ON n(b)",
        "GRANT SELECT ON MATERIALIZED VIEW n TO zoe WITH GRANT OPTION",
        "CREATE VIEW w (c) AS SELECT b FROM n",
        "GRANT SELECT ON VIEW w TO eve",
    ), (FOLLOWS,), old=OLD, new=NEW, policy="cascade"),
    Shape("plain", (
        "GRANT SELECT ON VIEW x TO zoe",
        "CREATE VIEW v1 (p, q) AS SELECT a, b FROM x",
        "GRANT SELECT ON VIEW v1 TO eve WITH GRANT OPTION",
    ), (FOLLOWS,), old=OLD, new=NEW, kind="view"),
)}


@dataclass
class Heard(Told):
    """What the client was told, until it was gone."""

    certain: str = ""  # what is said to stay, not what may stay
    remedies: list[str] = field(default_factory=list)
    drops: list[str] = field(default_factory=list)

    def take(self, session: RawSession) -> None:
        for what, value in session.heard:
            if what not in ("NoticeResponse", "ErrorResponse"):
                continue
            parts = [value.get(letter, "") for letter in "MDH"]
            self.notices.append((value["S"], "\n".join(parts)))
            self.drops += re.findall(r"DROP (?:MATERIALIZED )?VIEW [^;]+(?=;)", parts[2])
            subject = re.split(r" (?:may stay|stays) on ", parts[0])
            if value["S"] == "WARNING" and len(subject) > 1:
                self.named += subject[0] + "\n"
                self.certain += "" if " may stay on " in parts[0] else subject[0] + "\n"
                self.remedies.append(parts[2])


class DependentsWorld(World):
    """Shapes are built on the server; `expected` says what each is to answer on which query."""

    def __init__(self, scene: Shape):
        self.scene = scene
        self.replace = scene.replacement
        self.further = replace(scene, new=THIRD).replacement
        if scene.policy:
            self.options = {"options": f"-c mvswap.dependents={scene.policy}"}
        self.unmoved = {name for one in scene.expect for name in one.names}
        super().__init__("background 2.7")

    def prepare(self) -> None:
        self.held = Server(self.server)
        self.stack.callback(self.held.close)
        self.conn = self.held.conn
        self.expected: dict[str, dict[Key, Answer]] = {}
        for query in (OLD, NEW, THIRD):
            self.build(query)
            self.expected[query] = state_of(self.held).answers
        self.x = self.scene.key(state_of(self.held).things)

    def num_sessions(self) -> int:
        """With the poller's, but for one."""
        paths = {self.held.paths.get(key) for key in self.expected[OLD]}
        return self.held.num_sessions() + len(paths) - 1

    def build(self, query: str = OLD) -> None:
        """What cannot be created on a later query is not there, then."""
        one = self.scene
        self.held.reset()
        self.held.run([*one.before, f"CREATE {one.kind.upper()} {one.x} AS {query}", *one.readers],
                      lenient=query != OLD)

    def state(self) -> State:
        return state_of(self.held)

    def watches(self, state: State) -> list[Watch]:
        """Root reads all; whoever was granted something reads that."""
        return [Watch(key, user, self.held.paths.get(key))
                for key, thing in state.things.items() if thing.kind in (PLAIN, MATERIALIZED)
                for user in ["root", *sorted(user for user, _ in thing.grants)]]

    def learn(self) -> list[str]:
        self.reset()
        before = self.state()
        assert before.answers == self.expected[OLD]
        assert set(self.expected[NEW]) == set(before.answers) - {
            key for key in before.answers if key[1] in self.unmoved}
        with connect(self.proxy.port, **self.options) as conn:
            conn.execute(self.replace)
        after = self.state().answers
        for key in before.answers:
            wanted = OLD if key[1] in self.unmoved else NEW
            assert after[key] == self.expected[wanted][key], key
        return list(self.link.statements)


class DependentsCase(Case):
    def begin(self) -> None:
        self.before = self.world.state()
        assert self.before.answers == self.world.expected[OLD]
        self.watches = self.world.watches(self.before)
        self.look("the beginning")

    def look(self, moment: str) -> None:
        for one in self.watches:
            one.look(self.world.held.session(one.user, one.path), moment)

    def watch(self) -> Fault:
        fault = AtChanges("hold", 0, after=True)
        fault.on_strike = lambda: self.look(fault.text)
        return fault

    def begin_polling(self) -> Poller:
        self.polled = [Watch(one.key, one.user, one.path) for one in self.watches
                       if one.user == "root"]
        poller = Poller(self.world.proxy.port, self.polled)
        assert eventually(lambda: poller.rounds)
        return poller

    def judge_seen(self) -> None:
        for one in self.watches + self.polled:
            seen = [answer for _, answer in one.seen]
            while self.kind == "proxy killed" and seen[-1][:2] == ("error", None):
                seen.pop()  # the connection is lost
            first, last = self.before.answers[one.key], self.now.answers[one.key]
            assert seen in ([first], [first, last]), (one.user, one.key, one.seen)

    @property
    def somebody_hears(self) -> bool:
        return self.kind not in ("client killed", "proxy killed")

    def is_new(self, key: Key) -> bool:
        return self.now.things[key].id != self.before.things[key].id

    def judge(self) -> str:
        self.look("the end")
        self.now = self.world.state()
        self.heard = Heard()
        self.heard.take(self.session)
        x_is_new = self.is_new(self.world.x)
        assert set(self.before.things) - set(self.now.things) <= self.struck_indexes()
        moved = {key for key, thing in self.before.things.items()
                 if thing.kind in (PLAIN, MATERIALIZED) and self.judge_one(key)}
        assert x_is_new or moved == set(), moved
        left = rich.ours(name for _, name in self.now.things)
        assert len(set(self.now.things) - set(self.before.things)) == len(left)
        self.judge_announced(moved, left)
        self.judge_answered(x_is_new)
        stayed = sorted(key[1] for key in set(self.before.answers) - moved) if x_is_new else []
        self.judge_afterwards(x_is_new)
        return ("new" if x_is_new else "old") + "".join(f" -{name}" for name in stayed) + "".join(
            sorted({" +" + re.search(rf"_([a-z]+)_{rich.STAMP}$", name)[1] for name in left}))

    def struck_indexes(self) -> set[Key]:
        """Indexes that have not taken their names: they are there under another one."""
        return {key for key, thing in self.before.things.items() if thing.kind == "index" and any(
            name.startswith(key[1] + "_tmp_") for _, name in self.now.things)}

    def judge_one(self, key: Key) -> bool:
        """The old one as it was, or the new one complete. Is it new?"""
        world, before, now = self.world, self.before, self.now
        was, thing = before.things[key], now.things[key]
        assert (thing.kind, thing.owner, thing.grants) == (was.kind, was.owner, was.grants), key
        is_new = thing.id != was.id
        assert now.answers[key] == world.expected[NEW if is_new else OLD].get(key), (
            key, now.answers[key])
        reads = before.references.get(was.id), now.references.get(thing.id)
        if not is_new:
            assert reads[0] == reads[1], key
        elif key != world.x:
            assert before.names_of(reads[0]) == now.names_of(reads[1]), key
        return is_new

    def judge_announced(self, moved: set[Key], left: set[str]) -> None:
        told, heard = self.heard.everything(), self.heard
        if self.is_new(self.world.x) and self.somebody_hears:
            for key in self.before.answers:
                assert key in moved or self.was_told(key), f"nobody was told that {key} stays"
        assert not any(says(heard.certain, key[1]) for key in moved), heard.certain
        readers = self.read_by_stayers()
        for key, thing in self.now.things.items():
            if key[1] not in left or self.now.indexes.get(key, key)[1] in left - {key[1]}:
                continue  # an index goes with its view
            if self.somebody_hears:
                assert says(told, key[1]), f"nobody was told of {key}"
            elif self.kind == "client killed":
                assert thing.id in readers, f"{key} was left and nobody reads it"

    def was_told(self, key: Key) -> bool:
        """Of a view on a materialized one that stays nothing is said: it follows that one."""
        thing = self.before.things[key]
        reads = self.before.names_of(self.before.references.get(thing.id, ()))
        return self.heard.warned_of(key[1]) or thing.kind == PLAIN and any(
            self.before.things[one].kind == MATERIALIZED and self.heard.warned_of(one[1])
            for one in reads if one != self.world.x)

    def read_by_stayers(self) -> set[int]:
        """Of what is left: what something reads that has a name of its own."""
        state = self.world.state()
        mine = {thing.id for key, thing in state.things.items() if not rich.OURS.fullmatch(key[1])}
        return {thing.id for thing in state.things.values()
                if state.downstream(thing.id, (PLAIN, MATERIALIZED)) & mine}

    def judge_answered(self, x_is_new: bool) -> None:
        error = self.session.error
        sent = self.world.link.statements[:self.at + 1]
        if self.kind in ("client killed", "cancel"):
            # Up to the swap it is undone, from then on it is done.
            assert x_is_new == any(" SWAP WITH " in statement for statement in sent)
            stayed = {key[1] for key in self.before.answers if not self.is_new(key)}
            # A cascade gives up what it has not begun.
            done = not x_is_new or self.world.scene.policy == "cascade"
            assert done or stayed == self.world.unmoved, stayed
        if self.kind in ("fails", "cancel"):
            assert (error is None) == x_is_new, error
            if error is not None:
                assert error["C"] == ("57014" if self.kind == "cancel" else "XX000"), error
            assert self.session.query("SHOW background_ddl") == [["false"]]
            path = self.session.query("SHOW search_path")
            told = "search_path could not be put back" in self.heard.everything()
            assert told or path == [['"$user", public']], path
        elif self.kind.startswith("cut"):
            assert error is None and x_is_new or (error or {}).get("C") == "08006", error

    # What comes after.

    def judge_afterwards(self, x_is_new: bool) -> None:
        """The client does what it was told to, and replaces once more."""
        world = self.world
        world.link.arm(None)
        world.revive()
        if self.somebody_hears and x_is_new:
            self.follow_remedies()
        while any(self.drop(sql) for sql in self.heard.drops):
            pass
        before = world.state()
        reading = before.downstream(before.things[world.x].id, world.scene.moved)
        with connect(world.proxy.port, **world.options) as conn:
            conn.execute(world.further)
        after = world.state()
        for key in self.before.answers:
            thing, now = before.things[key], after.things[key]
            assert (now.owner, now.grants) == (thing.owner, thing.grants), f"{key} afterwards"
            follows = key == world.x or (thing.id in reading and key[1] not in world.unmoved)
            wanted = world.expected[THIRD][key] if follows else before.answers[key]
            assert after.answers[key] == wanted, f"{key} afterwards"
            assert follows or not self.somebody_hears or key[1] in world.unmoved, (
                f"{key} has not followed afterwards")
        if self.kind != "proxy killed":
            self.judge_left_afterwards()

    def follow_remedies(self) -> None:
        for sql in self.heard.remedies:
            key = next(key for key in self.before.answers if f"{quoted(key)}" in sql)
            with connect(self.world.proxy.port, **self.world.options) as conn:
                if key in self.world.held.paths:
                    conn.execute(f"SET search_path TO {self.world.held.paths[key]}")
                try:
                    conn.execute(sql)
                except psycopg.Error as error:
                    assert key[1] in self.world.unmoved, (sql, str(error))

    def judge_left_afterwards(self) -> None:
        state, read = self.world.state(), self.read_by_stayers()
        left = {key for key, thing in state.things.items()
                if rich.OURS.fullmatch(key[1]) and thing.id not in read
                and state.indexes.get(key) is None}
        assert left == set(), ("afterwards", left, self.heard.everything())

    def drop(self, sql: str) -> bool:
        """Only what never took its name: old selves are remembered, and dropped by what follows."""
        name = sql.rsplit(".", 1)[-1].strip('"')
        ids = {one for (one,) in rows(
            self.world.conn, f"SELECT id FROM rw_catalog.rw_relations WHERE name = '{name}'")}
        if not ids - {thing.id for thing in self.before.things.values()}:
            return False
        assert rich.OURS.fullmatch(name), sql
        try:
            self.world.conn.execute(sql)
        except psycopg.Error:
            return False  # somebody reads it
        return True
