"""duckdb: where rows live and queries really run.

Every stored object is a table or a view `store.o<id>`; names of the SQL world never reach
duckdb. Structure changes and type questions are asked on the event loop's own connection (they
take about a millisecond); queries run on a connection per session in threads, so that nobody
waits for anybody.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import duckdb

from .values import PgType, from_duckdb
from .wire import Column

_MACROS = (
    "CREATE MACRO general_div(a, b) AS CASE WHEN b = 0 THEN "
    "error('Division by zero in `general_div(''' || a || ''', ''' || b || ''')`') ELSE a / b END",
)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass
class SystemTable:
    """A snapshot of a system relation, ready to be stored under a temporary name; `stamp` tells
    one snapshot from another.
    """

    name: str
    columns: list[tuple[str, PgType]]
    rows: list[tuple[Any, ...]]
    stamp: object

    def statements(self) -> list[str]:
        columns = ", ".join(f"{quoted(name)} {kind.duck}" for name, kind in self.columns)
        out = [f"CREATE OR REPLACE TEMP TABLE {quoted(self.name)} ({columns})"]
        if self.rows:
            rows = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in self.rows)
            out.append(f"INSERT INTO temp.{quoted(self.name)} VALUES {rows}")
        return out


def literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return "'" + str(value).replace("'", "''") + "'"


class Connection:
    """One duckdb connection; used by one thread at a time."""

    def __init__(self, parent: duckdb.DuckDBPyConnection) -> None:
        self.raw = parent.cursor()
        self.raw.execute("SET integer_division = true")
        self.raw.execute("SET TimeZone = 'UTC'")
        self._stamps: dict[str, object] = {}

    def execute(
        self, sql: str, parameters: list[str | None] | None = None
    ) -> list[tuple[Any, ...]]:
        found = self.raw.execute(sql, parameters) if parameters else self.raw.execute(sql)
        return found.fetchall() if self.raw.description else []

    def store_system(self, tables: list[SystemTable]) -> None:
        for table in tables:
            if self._stamps.get(table.name) != table.stamp:
                for statement in table.statements():
                    self.raw.execute(statement)
                self._stamps[table.name] = table.stamp

    def close(self) -> None:
        self.raw.close()


class Engine:
    def __init__(self) -> None:
        self._root = duckdb.connect(":memory:")
        self._root.execute("SET threads = 1")
        self._root.execute("CREATE SCHEMA store")
        for macro in _MACROS:
            self._root.execute(macro)
        self._pool = ThreadPoolExecutor(max_workers=32)
        self.structure = Connection(self._root)
        # Two writers to one table would be a conflict in duckdb and are none in the server.
        self.write_lock = asyncio.Lock()

    def connect(self) -> Connection:
        return Connection(self._root)

    def describe(self, sql: str) -> list[Column]:
        """Names and types of the columns of a query, without running it."""
        return [
            Column(row[0], from_duckdb(row[1])) for row in self.structure.execute(f"DESCRIBE {sql}")
        ]

    def duckdb_types(self, sql: str) -> list[str]:
        return [row[1] for row in self.structure.execute(f"DESCRIBE {sql}")]

    async def run(
        self,
        connection: Connection,
        sql: str,
        parameters: list[str | None],
        system: list[SystemTable],
    ) -> list[tuple[Any, ...]]:
        def work() -> list[tuple[Any, ...]]:
            if system:
                connection.store_system(system)
            return connection.execute(sql, parameters)

        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def create_table(
        self, stored_as: str, columns: list[tuple[str, str, str | None]], key: list[str]
    ) -> None:
        parts = [
            f"{quoted(name)} {kind}" + (f" DEFAULT {default}" if default else "")
            for name, kind, default in columns
        ]
        if key:
            parts.append(f"PRIMARY KEY ({', '.join(map(quoted, key))})")
        self.structure.execute(f"CREATE TABLE store.{stored_as} ({', '.join(parts)})")

    def create_view(self, stored_as: str, columns: list[Column], sql: str) -> None:
        names = ", ".join(quoted(column.name) for column in columns)
        self.structure.execute(f"CREATE VIEW store.{stored_as} ({names}) AS {sql}")

    def add_column(self, stored_as: str, name: str, kind: str) -> None:
        self.structure.execute(f"ALTER TABLE store.{stored_as} ADD COLUMN {quoted(name)} {kind}")

    def drop(self, stored_as: str, is_table: bool) -> None:
        self.structure.execute(
            f"DROP {'TABLE' if is_table else 'VIEW'} IF EXISTS store.{stored_as}"
        )

    def count_rows(self, stored_as: str) -> int:
        return self.structure.execute(f"SELECT count(*) FROM store.{stored_as}")[0][0]
