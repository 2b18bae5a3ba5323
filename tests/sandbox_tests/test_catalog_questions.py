"""The questions that a proxy asks the catalog about a view, for every release and as its owner."""

from __future__ import annotations

import pytest
from conftest import SETUP, Sandbox

VERSIONS = ("2.2", "2.6", "2.7", "2.8", "3.0")
PROBE = "x_probe_20260101_000000_000001"
READS = (
    "SELECT x.objid, x.refobjid, s.name, d.name, d.relation_type FROM rw_catalog.rw_depend x "
    "LEFT JOIN rw_catalog.rw_relations d ON d.id = x.refobjid "
    "LEFT JOIN rw_catalog.rw_schemas s ON s.id = d.schema_id WHERE x.objid IN ({})"
)
READERS = READS.replace("d.id = x.refobjid", "d.id = x.objid").replace(
    "WHERE x.objid", "WHERE x.refobjid"
)
COLUMNS = (
    "SELECT c.name, c.data_type FROM rw_catalog.rw_columns c "
    "WHERE c.relation_id = {} AND NOT c.is_hidden ORDER BY c.position"
)


@pytest.fixture(scope="module", params=VERSIONS)
def server(request):
    """A table of root's, and what bob made of it."""
    sandbox = Sandbox("--version", request.param)
    root = sandbox.client()
    root.do(*SETUP, "CREATE USER bob", "GRANT CREATE ON SCHEMA public TO bob")
    root.do("GRANT SELECT ON TABLE t TO bob")
    sandbox.client("bob").do(
        "CREATE MATERIALIZED VIEW x AS SELECT a, b, CAST('2026-01-01' AS TIMESTAMPTZ) AS c FROM t",
        'CREATE INDEX "I i" ON "public"."x"(b)',
        'CREATE INDEX j ON x(a DESC) INCLUDE("b")',
        "CREATE VIEW v (q, w) AS SELECT a, c FROM x",
        "CREATE VIEW w AS SELECT q FROM v",
        "CREATE MATERIALIZED VIEW m AS SELECT q FROM w",
    )
    yield sandbox
    assert sandbox.stop() == (0, "")


@pytest.fixture(params=["root", "bob"])
def client(server, request):
    return server.client(request.param)


def ids(client) -> dict[str, str]:
    return dict(client.rows("SELECT name, id FROM rw_catalog.rw_relations"))


def test_indexes_of_a_view(client):
    known = ids(client)
    found = client.rows(
        "SELECT i.id, i.name, i.definition FROM rw_catalog.rw_indexes i "
        f"WHERE i.primary_table_id = {known['x']} ORDER BY i.id"
    )
    assert found == [
        [known["I i"], "I i", 'CREATE INDEX "I i" ON "public"."x"(b)'],
        [known["j"], "j", 'CREATE INDEX j ON x(a DESC) INCLUDE("b")'],
    ]


def test_columns_of_views(client):
    known = ids(client)
    zoned = "timestamp with time zone"
    assert client.rows(COLUMNS.format(known["x"])) == [
        ["a", "integer"],
        ["b", "integer"],
        ["c", zoned],
    ]
    assert client.rows(COLUMNS.format(known["v"])) == [["q", "integer"], ["w", zoned]]
    zones = (
        "SELECT c.relation_id FROM rw_catalog.rw_columns c WHERE c.relation_id IN "
        f"({known['t']}, {known['x']}, {known['v']}, {known['w']}) "
        "AND NOT c.is_hidden AND c.data_type LIKE '%with time zone%' ORDER BY 1"
    )
    assert client.rows(zones) == [[known["x"]], [known["v"]]]


def test_a_probe(client):
    look = (
        "SELECT r.id, r.relation_type, r.definition FROM rw_catalog.rw_relations r "
        "JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id "
        f"WHERE s.name = 'public' AND r.name = '{PROBE}'"
    )
    client.do(f'CREATE VIEW "public"."{PROBE}" ("a", b) AS select q, q::int8 FROM v')
    [[probe, kind, text]] = client.rows(look)
    assert kind == "view"
    assert text == f"CREATE VIEW {PROBE} AS SELECT q, CAST(q AS BIGINT) FROM v"
    assert client.rows(COLUMNS.format(probe)) == [["a", "integer"], ["b", "bigint"]]
    client.do(f'DROP VIEW "public"."{PROBE}"')
    assert client.rows(look) == []
    answer = dict(client.query(f'DROP VIEW IF EXISTS "public"."{PROBE}"'))
    assert answer["NoticeResponse"]["M"] == f'view "{PROBE}" does not exist, skipping'
    assert "view not found" in client.error(f'DROP VIEW "public"."{PROBE}"')["M"]


def test_what_is_read(client):
    known = ids(client)

    def found(question: str, *names: str) -> list[tuple]:
        rows = client.rows(question.format(", ".join(known[name] for name in names)))
        assert all(row[2] == "public" for row in rows)
        return sorted((row[3], row[4]) for row in rows)

    x, v, w = ("x", "materialized view"), ("v", "view"), ("w", "view")
    assert found(READS, "v") == [x]
    assert found(READS, "w") == [v, x]  # through views, as far as they go
    assert {v, w, x} >= set(found(READS, "m")) >= {w}
    assert found(READS, "I i", "j") == [x, x]
    assert ("I i", "index") in found(READERS, "x")
    assert {("v", "view"), ("w", "view")} <= set(found(READERS, "x"))


def test_ids_of_others_have_no_relation(server):
    root = server.client()
    root.do("CREATE VIEW secret AS SELECT a FROM t")
    bob = server.client("bob")
    hidden = bob.rows("SELECT version()")[0][0] >= "PostgreSQL 13.14.0-RisingWave-2.6"
    known = ids(root)
    rows = bob.rows(READERS.format(known["t"]))
    [row] = [row for row in rows if row[0] == known["secret"]]
    assert row[2:] == ([None, None, None] if hidden else ["public", "secret", "view"])
    root.do("DROP VIEW secret")
