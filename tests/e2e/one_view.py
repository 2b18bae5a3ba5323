"""One sandbox and one proxy for a whole file of tests; each test finds the view as it was made, and
must leave nothing behind."""

import contextlib
import threading
from dataclasses import dataclass

import psycopg

from conftest import OLD, Catalog, make_view, rows, serving
from processes import Proxy, eventually

TAG = "CREATE_MATERIALIZED_VIEW"
NOTICE_FIRST = ("Detected changes to materialized view definition. "
                "Using zero downtime rebuild with SWAP.")
NOTICE_LAST = 'Replaced materialized view "public.m" in '

TABLE = "SELECT a, b FROM t ORDER BY a"
TABLE_ROWS = [(1, 10), (2, 20)]
# What World.view says of m: before, and behind conftest's REPLACE.
AS_MADE = (["a"], [(1,), (2,)])
NEW = (["a", "b"], TABLE_ROWS)


def replacing(query: str, name: str = "m") -> str:
    return f"CREATE OR REPLACE MATERIALIZED VIEW {name} AS {query}"


def numbered(n: int) -> str:
    """A replacement that can be told from others."""
    return replacing(f"SELECT a, b, {n} AS n FROM t")


def numbered_view(n: int) -> tuple:
    return ["a", "b", "n"], [(1, 10, n), (2, 20, n)]


@dataclass
class World:
    """A running proxy (`port`), its server, and a direct connection that looks at the catalog."""

    proxy: Proxy
    catalog: Catalog

    @property
    def port(self) -> int:
        return self.proxy.port

    @property
    def direct(self) -> int:
        return self.proxy.server.port

    def view(self, name: str = "m") -> tuple[list[str], list[tuple]]:
        """Names of the columns and the rows, sorted, as the server has them now."""
        cursor = self.catalog.conn.execute(f"SELECT * FROM {name}")
        return [column.name for column in cursor.description], sorted(cursor.fetchall())

    def when_building(self, act) -> threading.Thread:
        """Another thread that does it as soon as something is being built."""
        thread = threading.Thread(target=lambda: eventually(self.catalog.builds) and act())
        thread.start()
        return thread

    def sessions(self) -> int:
        """Of the proxy, on the server."""
        return len(rows(self.catalog.conn, "SHOW PROCESSLIST")) - 1

    def swaps(self) -> int:
        """How often a view was replaced since the server was started."""
        return sum(" SWAP WITH " in s for s in self.proxy.server.statements())

    def reset(self) -> None:
        """The view as it was made, whatever a failed test left; views may read one another."""
        views = "SELECT name FROM rw_catalog.rw_materialized_views"
        while others := rows(self.catalog.conn, views):
            for (name,) in others:
                with contextlib.suppress(psycopg.Error):
                    self.catalog.conn.execute(f'DROP MATERIALIZED VIEW "{name}"')
        self.catalog.conn.execute(f"CREATE MATERIALIZED VIEW m AS {OLD}")

    def assert_clean(self) -> None:
        assert self.catalog.leftovers() == set()
        assert rows(self.catalog.conn, TABLE) == TABLE_ROWS


@contextlib.contextmanager
def one_world(*switches: str, flags=("--drain-min", "0")):
    # Tests repeat their statements.
    with serving(*switches, flags=[*flags, "--unchanged", "rebuild"]) as proxy:
        make_view(proxy.server.port)
        yield World(proxy, Catalog(proxy.server.port))
