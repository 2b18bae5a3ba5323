"""Somebody drops, renames or swaps the view by hand, on a connection of his own, at each statement.

What he did stays as he did it. The replacement gives way with 40001 (or the server's own word for it),
or was done before; what is left of it is announced; the server lives.
"""

import os

import psycopg
import pytest

import rich_view as rich
from conftest import connect
from faulty_link import Fault
from kill_matrix import Case, World, label
from processes import eventually

LONG = os.environ.get("MVSWAP_LONG") == "1"
SOMEBODY = {
    "drops": ["DROP MATERIALIZED VIEW m"],
    "renames": ["ALTER MATERIALIZED VIEW m RENAME TO mine"],
    "swaps": ["ALTER MATERIALIZED VIEW m SWAP WITH spare"],
    "replaces": ["DROP MATERIALIZED VIEW m", "CREATE MATERIALIZED VIEW m AS SELECT 7 AS a"],
}
# 40001 is ours; the others are what the server says to a name that is gone.
CODES = {"40001", "42704", "XX000", "42809", "55006"}


class Meddling(Case):
    """At one statement somebody else does his own."""

    def __init__(self, world: World, what: str, at: int):
        self.what, self.refused = what, None
        super().__init__(world, "cancel", at)
        world.conn.execute("CREATE MATERIALIZED VIEW spare AS SELECT 5 AS a")
        self.spare_id = rich.id_of(world.conn, "spare")

    def fault(self) -> Fault:
        return Fault("hold", self.at, on_strike=self.meddle)

    def meddle(self) -> None:
        with connect(self.world.server.port) as conn:
            try:
                for sql in SOMEBODY[self.what]:
                    conn.execute(sql)
            except psycopg.Error as error:
                self.refused = error

    def play(self) -> str:
        self.session.send(rich.REPLACE)
        self.session.until_ready()
        assert self.world.server.child.poll() is None, "the server's meta has died"
        assert eventually(self.at_rest)
        if not self.world.link.struck.is_set():
            # How often the process list is looked at is not the same each time.
            assert any("PROCESSLIST" in sql for sql in self.world.link.statements)
            assert self.session.error is None and not rich.ours(rich.all_names(self.world.conn))
            self.session.close()
            return "not reached"
        error, told, conn = self.session.error, self.told(), self.world.conn
        names = rich.all_names(conn)
        for name in rich.ours(names):
            assert name in told or self.goes_with_announced(name, told), (name, told)
        if error is not None:
            assert error["C"] in CODES, error
            assert self.session.query("SHOW background_ddl") == [["false"]]
        # In the moment of our own swap both may have happened: then it is told what was found.
        if self.refused is None and not self.at_our_swap():
            self.judge_his(error, names)
        elif error is not None:
            assert "Nothing was dropped" in told, told
        self.session.close()
        return ("done" if error is None else error["C"]) + (" left" if rich.ours(names) else "")

    def at_our_swap(self) -> bool:
        sent = self.world.link.statements
        return any(" SWAP WITH " in s for s in sent[max(0, self.at - 1):self.at + 1])

    def goes_with_announced(self, index: str, told: str) -> bool:
        found = self.world.conn.execute(
            "SELECT r.name FROM rw_catalog.rw_indexes i JOIN rw_catalog.rw_relations r"
            f" ON r.id = i.primary_table_id WHERE i.name = '{index}'").fetchall()
        return bool(found) and (found[0][0] in told or found[0][0] in ("spare", "mine"))

    def judge_his(self, error: dict | None, names: set[str]) -> None:
        """What he did is to be seen, unless the replacement came behind it and took it as it was."""
        conn = self.world.conn
        if self.what == "drops" and error is not None:
            assert "m" not in names
        if self.what == "renames":
            mine = rich.id_of(conn, "mine")
            assert mine == self.id_before or error is None
        if self.what == "swaps" and error is not None:
            assert rich.id_of(conn, "m") == self.spare_id
            assert rich.id_of(conn, "spare") == self.id_before
        if self.what == "replaces" and error is not None:
            assert conn.execute("SELECT * FROM m").fetchall() == [(7,)]


def clean(world: World) -> None:
    for name in ("m", "mine", "spare"):
        world.conn.execute(f"DROP MATERIALIZED VIEW IF EXISTS {name}")


@pytest.mark.parametrize("what", SOMEBODY)
def test_at_each_statement(what):
    world = World("background 2.7")
    failures, table = [], []
    try:
        statements = world.learn()
        for at in range(0 if LONG else 2, len(statements), 1 if LONG else 6):
            clean(world)
            case = None
            try:
                case = Meddling(world, what, at)
                outcome = case.play()
            except AssertionError as error:
                outcome = "WRONG"
                failures.append(f"{at} {label(statements[at])}: {str(error)[:1500]}")
                if world.server.child.poll() is not None:
                    break
            table.append(f"{what:9} {at:3} {outcome:12} {label(statements[at])}")
    finally:
        print("\n".join(table))
        world.close()
    if failures:
        pytest.fail("\n\n".join(failures), pytrace=False)
