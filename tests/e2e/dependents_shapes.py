"""What a test of dependents says: the tables, what is created on them, and what is to become of it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dependents_server import Thing

COLUMNS = "a INT PRIMARY KEY, b INT, s VARCHAR, ts TIMESTAMP"
TABLE = (
    f"CREATE TABLE t ({COLUMNS})",
    "INSERT INTO t VALUES (1, 10, 'one', '2024-01-01 00:00:10'), "
    "(2, 20, 'two', '2024-01-01 00:01:10'), (3, 30, 'three', '2024-01-01 00:02:10')",
    "FLUSH",
    *(f"CREATE USER {name}" for name in ("bob", "eve", "zoe")),
    *(f"GRANT CREATE, USAGE ON SCHEMA public TO {name}" for name in ("bob", "eve")),
    *(f"GRANT SELECT ON TABLE t TO {name}" for name in ("bob", "eve")),
)
OLD = "SELECT a, b, s, ts FROM public.t WHERE a < 3"
NEW = "SELECT a, b + 1000 AS b, s || '!' AS s, ts FROM public.t"
# s is gone, b is wider, one more at the end, in another order
GONE = "SELECT a, b + 1000 AS b, ts FROM public.t"
WIDER = "SELECT a, CAST(b + 1000 AS BIGINT) AS b, s || '!' AS s, ts FROM public.t"
MORE = "SELECT a, b + 1000 AS b, s || '!' AS s, ts, 'more' AS m FROM public.t"
TURNED = "SELECT b + 1000 AS b, a, s || '!' AS s, ts FROM public.t"

PLAIN, MATERIALIZED = "view", "materialized view"
Key = tuple[str, str]  # schema and name


@dataclass(frozen=True)
class Expected:
    """`names` are those that stay on the old view, `codes` those that it may be refused with."""

    kind: str  # follows, stays, refused
    names: frozenset[str] = frozenset()
    codes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.kind, *sorted(self.names), *self.codes])


FOLLOWS = Expected("follows")
UNSAFE = Expected("refused", codes=("55000",))


def stays(*names: str) -> Expected:
    return Expected("stays", frozenset(names))


def refused(*codes: str) -> Expected:
    """Without codes: with any."""
    return Expected("refused", codes=codes)


@dataclass(frozen=True)
class Shape:
    name: str
    readers: tuple[str, ...]  # what is created behind x; "@bob …" is said by bob
    expect: tuple[Expected, ...] = (FOLLOWS,)  # any of them
    x: str = "x"
    old: str = OLD
    new: str = NEW
    before: tuple[str, ...] = ()  # behind the table, in front of x
    behind: tuple[str, ...] = ()  # takes away what a reset does not
    by: str = "root"
    path: str | None = None  # the search path of who replaces
    policy: str | None = None
    kind: str = "materialized view"  # what x is
    lists: tuple[str, str] = ("", "")  # its column lists, the old one and the new one
    version: str = "2.7"
    unseen: tuple[str, ...] = ()  # dependents that cannot be named to who replaces

    def __str__(self) -> str:
        return self.name

    @property
    def replacement(self) -> str:
        return f"CREATE OR REPLACE {self.kind.upper()} {self.x}{self.lists[1]} AS {self.new}"

    @property
    def moved(self) -> tuple[str, ...]:
        """The kinds of what follows."""
        return (PLAIN, MATERIALIZED) if self.policy == "cascade" else (PLAIN,)

    def key(self, found: dict[Key, "Thing"]) -> Key:
        """Of x among what there is."""
        parts = [part.strip('"') if part.startswith('"') else part.lower()
                 for part in re.findall(r'"[^"]*"|[^.]+', self.x)]
        if len(parts) > 1:
            return parts[-2], parts[-1]
        schemas = [schema.strip() for schema in (self.path or "public").split(",")]
        return next((schema, parts[0]) for schema in schemas if (schema, parts[0]) in found)


def shape(name: str, *readers: str, expect=FOLLOWS, **more) -> Shape:
    """`readers` that are queries become the views v1, v2, …"""
    number = 0
    statements = []
    for sql in readers:
        if named := re.match(r"(?:@\w+ )?CREATE VIEW v(\d+) ", sql):
            number = int(named[1])
        if re.match(r"(SELECT|WITH|VALUES|\()", sql):
            number += 1
            sql = f"CREATE VIEW v{number} AS {sql}"
        statements.append(sql)
    allowed = expect if isinstance(expect, tuple) else (expect,)
    return Shape(name, tuple(statements), allowed, **more)
