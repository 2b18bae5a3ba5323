"""What a server holds, and servers on which a shape is built: one for the proxy, and the reference,
where the replacement is done by hand without regard to readers.
"""

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import psycopg

import rich_view as rich
from conftest import connect, rows
from dependents_shapes import MATERIALIZED, PLAIN, TABLE, Key, Shape
from processes import Sandbox


def quoted(key: Key) -> str:
    return ".".join(f'"{part}"' for part in key)


@dataclass(frozen=True)
class Thing:
    id: int
    key: Key
    kind: str
    owner: str
    grants: frozenset[tuple[str, str]]


def things(conn: psycopg.Connection) -> dict[Key, Thing]:
    out = {}
    for one, schema, name, kind, owner, acl in rows(
            conn, "SELECT r.id, s.name, r.name, r.relation_type, u.name, r.acl"
            " FROM rw_catalog.rw_relations r JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id"
            " JOIN rw_catalog.rw_users u ON u.id = r.owner"
            " WHERE r.relation_type <> 'system table'"):
        entries = [entry.rsplit("/", 1)[0].rsplit("=", 1) for entry in acl or []]
        grants = {(user, letters) for user, letters in entries if user not in rich.SUPERUSERS}
        out[schema, name] = Thing(one, (schema, name), kind, owner, frozenset(grants))
    return out


def references(conn: psycopg.Connection) -> dict[int, set[int]]:
    out: dict[int, set[int]] = {}
    for reader, read in rows(conn, "SELECT objid, refobjid FROM rw_catalog.rw_depend"):
        out.setdefault(reader, set()).add(read)
    return out


Answer = tuple


def answer(conn: psycopg.Connection, key: Key) -> Answer:
    """Columns with types, and rows; or the code of the error."""
    try:
        cursor = conn.execute(f"SELECT * FROM {quoted(key)}")
    except psycopg.Error as error:
        return "error", error.sqlstate, str(error)[:300]
    columns = tuple((column.name, column.type_code) for column in cursor.description)
    return "rows", columns, tuple(sorted(repr(row) for row in cursor.fetchall()))


class Server:
    """A sandbox on which shapes are built one behind the other."""

    def __init__(self, sandbox: Sandbox):
        self.port = sandbox.port
        self.conn = connect(self.port)
        for sql in TABLE:
            self.conn.execute(sql)
        self.paths: dict[Key, str] = {}  # under which a view was created
        self._others: dict[tuple[str, str | None], psycopg.Connection] = {}

    def num_sessions(self) -> int:
        return 1 + len(self._others)

    def close(self) -> None:
        for conn in (self.conn, *self._others.values()):
            conn.close()

    def session(self, user: str, path: str | None) -> psycopg.Connection:
        """A connection that is kept, for reading."""
        if (user, path) not in self._others:
            conn = connect(self.port, user=user)
            if path is not None:
                conn.execute(f"SET search_path TO {path}")
            self._others[user, path] = conn
        return self._others[user, path]

    def reset(self) -> None:
        self.conn.execute("SET search_path TO DEFAULT")
        for (job, *_) in rows(self.conn, "SHOW JOBS"):
            self.conn.execute(f"CANCEL JOBS {job}")
        for _ in range(2):
            for key, thing in things(self.conn).items():
                if key != ("public", "t"):
                    with contextlib.suppress(psycopg.Error):
                        self.conn.execute(f"DROP {thing.kind.upper()} {quoted(key)} CASCADE")
        for (name,) in rows(self.conn, "SELECT name FROM rw_catalog.rw_schemas"):
            if name not in ("public", "pg_catalog", "rw_catalog", "information_schema"):
                self.conn.execute(f'DROP SCHEMA "{name}" CASCADE')
        self.conn.execute("DROP FUNCTION IF EXISTS f")
        assert set(things(self.conn)) == {("public", "t")}
        self.paths = {}

    def run(self, statements: Iterable[str], lenient: bool = False) -> None:
        """As users would: in order, those that begin with @ by the user of that name."""
        path = None
        with connect(self.port) as conn:
            for sql in statements:
                if sql.upper().startswith("SET SEARCH_PATH TO "):
                    path = sql[len("SET search_path TO "):]
                known = set(things(self.conn)) if path else set()
                try:
                    if sql.startswith("@"):
                        user, sql = sql[1:].split(" ", 1)
                        with connect(self.port, user=user) as other:
                            other.execute(sql)
                    else:
                        conn.execute(sql)
                except psycopg.Error:
                    if not lenient:
                        raise
                if path:
                    for key in set(things(self.conn)) - known:
                        self.paths[key] = path

    def build(self, one: Shape) -> None:
        self.reset()
        create = f"CREATE {one.kind.upper()} {one.x}{one.lists[0]} AS {one.old}"
        self.run([*one.before, create, *one.readers])


class Reference(Server):
    """The second server, where all is done by hand, without regard to readers."""

    def build(self, one: Shape) -> None:
        super().build(one)
        found = things(self.conn)
        x, kind = one.key(found), one.kind.upper()
        by_hand = quoted((x[0], "by_hand"))
        self.run([
            *(sql for sql in one.before if sql.upper().startswith("SET ")),
            f"CREATE {kind} {by_hand}{one.lists[1]} AS {one.new}",
            f"ALTER {kind} {by_hand} SWAP WITH {quoted(x)}",
        ])
        old = sorted(key for key, thing in found.items() if thing.kind in one.moved and key != x)
        for number, key in enumerate(old):
            self.conn.execute(
                f"ALTER {found[key].kind.upper()} {quoted(key)} RENAME TO renamed_{number}")
        again = [re.sub(r"^@\w+ ", "", sql) for sql in (*one.before, *one.readers)]
        kinds = "|".join(kind.upper() for kind in one.moved)
        made = re.compile(f"SET |(CREATE|DROP) ({kinds}) ")
        self.run([sql for sql in again if made.match(sql)], lenient=True)


@dataclass
class State:
    things: dict[Key, Thing]
    references: dict[int, set[int]]
    answers: dict[Key, Answer]
    indexes: dict[Key, Key | None]  # to the table that each is on

    def names_of(self, ids: Iterable[int]) -> set[Key | None]:
        keys = {thing.id: key for key, thing in self.things.items()}
        return {keys.get(one) for one in ids}

    def downstream(self, one: int, through: tuple[str, ...] = (PLAIN,)) -> set[int]:
        """What reads it, directly or through relations of these kinds."""
        kinds = {thing.id: thing.kind for thing in self.things.values()}
        out: set[int] = set()
        todo = [one]
        while todo:
            read = todo.pop()
            for reader, ids in self.references.items():
                if read in ids and reader not in out:
                    out.add(reader)
                    if kinds.get(reader) in through:
                        todo.append(reader)
        return out


def state_of(server: Server) -> State:
    found = things(server.conn)
    readable = [key for key, thing in found.items() if thing.kind in (PLAIN, MATERIALIZED)]
    answers = {key: answer(server.session("root", server.paths.get(key)), key) for key in readable}
    keys = {thing.id: key for key, thing in found.items()}
    indexes = {keys[one]: keys.get(table) for one, table in rows(
        server.conn, "SELECT id, primary_table_id FROM rw_catalog.rw_indexes")}
    return State(found, references(server.conn), answers, indexes)
