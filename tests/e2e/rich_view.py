"""A view with all that a replacement carries over, and what the server has of a view at the moment.

`anatomy` is everything that a reader, a user or an operator may rely on, as plain values: equal
anatomies are views that nobody can tell apart but for their ids.
"""

import re

import psycopg

from conftest import rows

STAMP = r"[0-9]{8}_[0-9]{6}_[0-9]{6}"
OURS = re.compile(rf".+_(tmp|probe|old)_{STAMP}", re.DOTALL)
SUPERUSERS = {"root", "postgres", "rwadmin"}

OLD = "SELECT a FROM t WHERE a < 100"
NEW = "SELECT a, b FROM t WHERE a < 100"
REPLACE = f"CREATE OR REPLACE MATERIALIZED VIEW m AS {NEW}"
OLD_ROWS = ((1,), (2,))
NEW_ROWS = ((1, 10), (2, 20))
# Before 2.5 the server cannot swap what has names that need quotes.
PLAIN_INDEXES = {"by_a": "(a)", "by_a_descending": "(a DESC NULLS LAST) INCLUDE(a)"}
INDEXES = {"by_a": "(a)", "By A, descending": "(a DESC NULLS LAST) INCLUDE(a)"}


def make_users(conn: psycopg.Connection) -> None:
    for name in ("reader", '"Mixed, User"', "giver"):
        conn.execute(f"CREATE USER {name}")


def make_rich(conn: psycopg.Connection, with_indexes: dict[str, str] = INDEXES) -> None:
    """The view m on t with indexes, grants and comments."""
    conn.execute(f"CREATE MATERIALIZED VIEW m AS {OLD}")
    for name, rest in with_indexes.items():
        conn.execute(f'CREATE INDEX "{name}" ON m{rest}')
    conn.execute('GRANT SELECT ON MATERIALIZED VIEW m TO reader, "Mixed, User"')
    conn.execute("GRANT SELECT ON MATERIALIZED VIEW m TO giver WITH GRANT OPTION")
    conn.execute("COMMENT ON TABLE m IS 'what it''s for'")
    conn.execute("COMMENT ON COLUMN m.a IS 'the key'")


def id_of(conn: psycopg.Connection, name: str) -> int:
    found = rows(conn, "SELECT id FROM rw_catalog.rw_relations WHERE name = '%s'"
                 % name.replace("'", "''"))
    assert len(found) == 1, (name, found)
    return found[0][0]


def described(conn: psycopg.Connection, name: str) -> dict[str | None, str]:
    """Comments by column; None for the relation itself."""
    return {(column if hidden is not None else None): comment
            for column, _, hidden, comment in rows(conn, f'DESCRIBE "{name}"')
            if comment is not None}


def grants(conn: psycopg.Connection, view_id: int) -> set[tuple[str, str]]:
    """(user, letters) but for superusers. Who granted is not looked at."""
    ((acl,),) = rows(conn, f"SELECT acl FROM rw_catalog.rw_relations WHERE id = {view_id}")
    entries = [entry.rsplit("/", 1)[0].rsplit("=", 1) for entry in acl or []]
    return {(user, letters) for user, letters in entries if user not in SUPERUSERS}


def owner(conn: psycopg.Connection, view_id: int) -> str:
    return rows(conn, "SELECT u.name FROM rw_catalog.rw_relations r JOIN rw_catalog.rw_users u"
                f" ON u.id = r.owner WHERE r.id = {view_id}")[0][0]


def indexes(conn: psycopg.Connection, view_id: int) -> dict[str, str]:
    """Name to what stands behind the table's name in its definition. Finished ones."""
    found = rows(conn, "SELECT i.name, i.definition FROM rw_catalog.rw_indexes i"
                 f" WHERE i.primary_table_id = {view_id}")
    return {name: definition[definition.index("("):] if '"' not in name or "(" not in name
            else definition for name, definition in found}


def anatomy(conn: psycopg.Connection, name: str = "m") -> dict:
    view_id = id_of(conn, name)
    cursor = conn.execute(f'SELECT * FROM "{name}"')
    return {
        "columns": tuple(column.name for column in cursor.description),
        "rows": tuple(sorted(cursor.fetchall())),
        "owner": owner(conn, view_id),
        "grants": grants(conn, view_id),
        "comments": described(conn, name),
        "indexes": indexes(conn, view_id),
    }


def ours(names) -> set[str]:
    """Names that a replacement made up."""
    return {name for name in names if OURS.fullmatch(name)}


def all_names(conn: psycopg.Connection) -> set[str]:
    return {name for (name,) in rows(conn, "SELECT name FROM rw_catalog.rw_relations "
                                     "WHERE relation_type <> 'system table'")}
