"""Following the swap by hand: what the engine does, typed by a patient user, with or without a slip."""

import re

import psycopg

from conftest import connect, rows
from dependents import PLAIN, Key, Shape, Stage, Told, quoted

STAMP = "20260101_000000_000001"


def temporary(key: Key) -> Key:
    return key[0], f"{key[1]}_tmp_{STAMP}"


class ByHand:
    """`slip` names one thing that is forgotten."""

    def __init__(self, slip: str = ""):
        self.slip = slip

    def __call__(self, stage: Stage, one: Shape) -> Told:
        told = Told()
        with connect(stage.link.port, sslmode="disable", gssencmode="disable") as conn:
            if one.path is not None:
                conn.execute(f"SET search_path TO {one.path}")
            Moving(self.slip, stage, one, conn, told).replace()
        return told


class Moving:
    def __init__(self, slip: str, stage: Stage, one: Shape, conn: psycopg.Connection, told: Told):
        self.slip, self.one, self.conn, self.told = slip, one, conn, told
        self.paths = stage.server.paths
        self.before = stage.state()
        *_, base = re.findall(r'"[^"]*"|[^.]+', one.x)
        base = base.strip('"') if base.startswith('"') else base.lower()
        found = [key for key in self.before.things if key[1] == base]
        schema = one.x.split(".")[-2].strip('"') if "." in one.x.replace(f'"{base}"', "") else None
        self.x = next(key for key in found if schema in (None, key[0]))

    def replace(self) -> None:
        conn, x = self.conn, self.x
        texts = {key: text for key, text in (((schema, name), text) for schema, name, text in rows(
            conn, "SELECT s.name, v.name, v.definition FROM rw_catalog.rw_views v"
            " JOIN rw_catalog.rw_schemas s ON s.id = v.schema_id"))}
        order = self.views_in_order()
        columns = {key: self.columns(key) for key in order}
        conn.execute(f"CREATE MATERIALIZED VIEW {quoted(temporary(x))} AS {self.one.new}")
        self.carry(x, "MATERIALIZED VIEW")
        if self.slip == "drops first":
            conn.execute(f"ALTER MATERIALIZED VIEW {quoted(x)} RENAME TO gone_for_a_moment")
            conn.execute(f"ALTER MATERIALIZED VIEW {quoted((x[0], 'gone_for_a_moment'))}"
                         f' RENAME TO "{x[1]}"')
        conn.execute(f"ALTER MATERIALIZED VIEW {quoted(temporary(x))} SWAP WITH {quoted(x)}")
        if self.slip == "no views":
            order = []
        if self.slip == "last view":
            order = order[:-1]
        for key in order:
            self.move(key, texts[key], columns[key])
        for key in reversed(order):
            self.drop("VIEW", temporary(key))
        self.drop("MATERIALIZED VIEW", temporary(x))

    def views_in_order(self) -> list[Key]:
        moving = self.before.downstream(self.before.things[self.x].id)
        views = {thing.id: key for key, thing in self.before.things.items()
                 if thing.id in moving and thing.kind == PLAIN}
        order: list[Key] = []
        while len(order) < len(views):
            done = {self.before.things[key].id for key in order}
            order += sorted(key for one, key in views.items() if key not in order
                            and self.before.references[one] & set(views) <= done)
        return order

    def columns(self, key: Key) -> list[str]:
        return [name for (name,) in rows(
            self.conn, "SELECT c.name FROM rw_catalog.rw_columns c WHERE NOT c.is_hidden"
            f" AND c.relation_id = {self.before.things[key].id} ORDER BY c.position")]

    def move(self, key: Key, text: str, columns: list[str]) -> None:
        path = self.paths.get(key)
        if path:
            self.conn.execute(f"SET search_path TO {path}")
        query = re.fullmatch(r'CREATE VIEW (?:"[^"]*"|\S+) AS (.*)', text, re.DOTALL)[1]
        listed = ", ".join(f'"{name}"' for name in columns)
        if self.slip == "column list":
            self.conn.execute(f"CREATE VIEW {quoted(temporary(key))} AS {query}")
        else:
            self.conn.execute(f"CREATE VIEW {quoted(temporary(key))} ({listed}) AS {query}")
        if path:
            self.conn.execute("SET search_path TO DEFAULT")
        self.carry(key, "VIEW")
        self.conn.execute(f"ALTER VIEW {quoted(temporary(key))} SWAP WITH {quoted(key)}")

    def carry(self, key: Key, kind: str) -> None:
        thing = self.before.things[key]
        for user, letters in sorted(thing.grants):
            option = " WITH GRANT OPTION" if "*" in letters and self.slip != "option" else ""
            if self.slip != "grants":
                self.conn.execute(f'GRANT SELECT ON {kind} {quoted(temporary(key))}'
                                  f' TO "{user}"{option}')
        if thing.owner != "root" and self.slip != "owner":
            self.conn.execute(f'ALTER {kind} {quoted(temporary(key))} OWNER TO "{thing.owner}"')

    def drop(self, kind: str, key: Key) -> None:
        if self.slip == "drop":
            return
        try:
            self.conn.execute(f"DROP {kind} {quoted(key)}")
        except psycopg.Error:
            if self.slip == "warning":
                return
            # All that read it, as anybody would write it.
            moving = self.before.downstream(self.before.things[self.x].id)
            names = [thing.key[1] for thing in self.before.things.values()
                     if thing.id in moving and thing.kind not in (PLAIN, "index")]
            self.told.named = ", ".join(names)
            self.told.notices.append(("WARNING", f"{self.told.named} stay on {quoted(key)}"))
