"""What reads a view: what the catalog says of it, what SWAP and DROP do to it, what it answers."""

from __future__ import annotations

import pytest
from conftest import SETUP, VIEWS

TABLES = (
    *SETUP,
    "CREATE TABLE e (ts TIMESTAMP, a INT, s VARCHAR)",
    "INSERT INTO e VALUES ('2024-01-01 00:00:10', 1, 'old')",
)
OLD = "CREATE MATERIALIZED VIEW x AS SELECT ts, a, s, 1 AS n FROM e"
NEW = "CREATE MATERIALIZED VIEW y AS SELECT ts, a, 'new' AS s, 2 AS n FROM e"
SWAP = "ALTER MATERIALIZED VIEW y SWAP WITH x"
TEXT = "SELECT definition FROM rw_relations WHERE name = '{}'"
READERS = (
    "SELECT d.name, r.name FROM rw_depend p JOIN rw_relations d ON d.id = p.objid "
    "JOIN rw_relations r ON r.id = p.refobjid ORDER BY 1, 2"
)
MAX_S, MAX_N = "(SELECT max(s) FROM x)", "(SELECT max(n) FROM x)"

MISSED = [
    "SELECT s AS o FROM TUMBLE(x, ts, INTERVAL '1 minute')",
    "SELECT s AS o FROM HOP(public.x, ts, INTERVAL '1 minute', INTERVAL '1 minute')",
    f"SELECT CASE WHEN {MAX_N} = 1 THEN 'old' ELSE 'new' END AS o",
    f"SELECT CASE {MAX_N} WHEN 1 THEN 'old' ELSE 'new' END AS o",
    f"SELECT 'new' AS o WHERE 2 IN (7, {MAX_N}) UNION ALL SELECT 'old' AS o WHERE 1 IN ({MAX_N}, 7)",
    f"SELECT (ARRAY['old', 'new'])[{MAX_N}] AS o",
    f"SELECT array_to_string((ARRAY['old', 'new'])[{MAX_N}:{MAX_N}], '') AS o",
    f"SELECT SUBSTRING('oldnew' FROM 3 * {MAX_N} - 2 FOR 3) AS o",
    f"SELECT SUBSTRING({MAX_S} FROM 1 FOR 3) AS o",
    f"SELECT OVERLAY('...' PLACING {MAX_S} FROM 1 FOR 3) AS o",
    f"SELECT TRIM({MAX_S}) AS o",
    f"SELECT TRIM(BOTH ' ' FROM {MAX_S}) AS o",
]
REACHED = [
    "SELECT s AS o FROM x",
    f"SELECT {MAX_S} AS o",
    "SELECT q.s AS o FROM t LEFT JOIN x AS q ON q.a = t.a WHERE q.s IS NOT NULL",
    "SELECT (SELECT s FROM x WHERE x.a = t.a) AS o FROM t WHERE t.a IN (SELECT a FROM x)",
    "SELECT s AS o FROM x WHERE a = ANY(SELECT a FROM x) AND a NOT IN (SELECT a + 1 FROM x)",
    "SELECT s AS o FROM x INTERSECT SELECT s FROM x EXCEPT SELECT 'z'",
    "WITH q AS (SELECT s FROM x) SELECT s AS o FROM q",
    "SELECT s AS o FROM (SELECT s, row_number() OVER (ORDER BY a) AS r FROM x) AS q WHERE r = 1",
    f"SELECT coalesce({MAX_S}, '') AS o",
]


@pytest.fixture
def client(start):
    client = start("--build-time", "0.01").client()
    client.do(*TABLES, OLD, NEW)
    return client


@pytest.mark.parametrize("sql", MISSED)
def test_a_missed_reference_reads_the_new_one_at_once(client, sql):
    client.do(f"CREATE VIEW v AS {sql}")
    before = client.rows(TEXT.format("v"))
    assert client.rows("SELECT o FROM v") == [["old"]]
    client.do(SWAP)
    assert client.rows(TEXT.format("v")) == before
    assert client.rows("SELECT o FROM v") == [["new"]]
    assert ["v", "y"] in client.rows(READERS)


@pytest.mark.parametrize("sql", REACHED)
def test_any_other_reference_stays_with_its_object(client, sql):
    client.do(f"CREATE VIEW v AS {sql}")
    before = client.rows(TEXT.format("v"))
    client.do(SWAP)
    assert client.rows(TEXT.format("v")) != before
    assert client.rows("SELECT o FROM v") == [["old"]]


def test_views_list_what_they_read_through_views(client):
    client.do("CREATE VIEW v AS SELECT s FROM x", "CREATE VIEW w AS SELECT s FROM v")
    client.do("CREATE VIEW z AS SELECT s FROM w", "CREATE MATERIALIZED VIEW m AS SELECT s FROM z")
    pairs = client.rows(READERS)
    assert [pair for pair in pairs if pair[0] == "z"] == [["z", "v"], ["z", "w"], ["z", "x"]]
    assert [p[1] for p in pairs if p[0] == "m"] == ["v", "w", "x", "z"]


def test_moving_a_chain_of_views_by_hand(client):
    client.do("CREATE VIEW v (q) AS SELECT s FROM x", "CREATE VIEW w AS SELECT q FROM v")
    assert client.rows(TEXT.format("v")) == [["CREATE VIEW v AS SELECT s FROM x"]]
    client.do(SWAP, "CREATE VIEW v_tmp (q) AS SELECT s FROM x", "ALTER VIEW v_tmp SWAP WITH v")
    assert client.rows("SELECT q FROM v") == [["new"]]
    assert client.rows("SELECT q FROM w") == [["old"]]
    assert client.rows(TEXT.format("w")) == [["CREATE VIEW w AS SELECT q FROM v_tmp AS v"]]
    client.do("CREATE VIEW w_tmp AS SELECT q FROM v", "ALTER VIEW w_tmp SWAP WITH w")
    assert client.rows("SELECT q FROM w") == [["new"]]
    for sql, reader in (("MATERIALIZED VIEW y", "view public.v_tmp"), ("VIEW v_tmp", "w_tmp")):
        assert reader in client.error(f"DROP {sql}")["M"]
    client.do("DROP VIEW w_tmp", "DROP VIEW v_tmp", "DROP MATERIALIZED VIEW y")
    assert client.rows("SELECT q FROM w") == [["new"]]


def test_what_keeps_a_materialized_view(client):
    blockers = {
        "VIEW b": "CREATE VIEW b AS SELECT s FROM x",
        "MATERIALIZED VIEW b": "CREATE MATERIALIZED VIEW b AS SELECT s FROM x",
        "SINK b": "CREATE SINK b FROM x WITH (connector = 'blackhole')",
        "SUBSCRIPTION b": "CREATE SUBSCRIPTION b FROM x WITH (retention = '1 day')",
    }
    for name, create in blockers.items():
        client.do(create)
        assert "used by 1 other" in client.error("DROP MATERIALIZED VIEW x")["M"]
        client.do(f"DROP {name}")
    client.do("CREATE INDEX i ON x(a)", "DROP MATERIALIZED VIEW x")
    assert client.rows("SELECT name FROM rw_indexes") == []


def test_a_sink_into_a_table_does_not_lead_to_the_table(client):
    client.do("CREATE TABLE target (s VARCHAR)")
    client.do("CREATE SINK k INTO target FROM x WITH (type = 'append-only')")
    assert [pair for pair in client.rows(READERS) if "k" in pair] == [["k", "x"]]
    assert not [pair for pair in client.rows(READERS) if "target" in pair]
    client.do(SWAP)
    text = "CREATE SINK k INTO target FROM y WITH (type = 'append-only')"
    assert client.rows(TEXT.format("k")) == [[text]]
    client.do("CREATE SINK l INTO target AS SELECT s FROM x WITH (type = 'append-only')")
    assert client.error("CREATE SINK z INTO nothing FROM x")["C"] == "42704"
    assert client.error("CREATE SINK z INTO x FROM y")["C"] == "42704"


def test_functions_count_for_materialized_views_only(client):
    client.do("CREATE FUNCTION f(INT) RETURNS INT LANGUAGE SQL AS 'SELECT $1 + 100'")
    client.do("CREATE FUNCTION g(q INT) RETURNS INT LANGUAGE SQL AS $$ SELECT f(q) * 2 $$")
    client.do("CREATE VIEW v AS SELECT g(n) AS n FROM x")
    client.do("CREATE MATERIALIZED VIEW m AS SELECT f(n) AS n FROM x")
    assert client.rows("SELECT n FROM v UNION ALL SELECT n FROM m") == [["202"], ["101"]]
    counts = client.rows(
        "SELECT r.name, count(*) FROM rw_depend p JOIN rw_relations r ON r.id = p.objid "
        "WHERE r.name IN ('v', 'm') GROUP BY r.name ORDER BY 1"
    )
    assert counts == [["m", "2"], ["v", "1"]]
    assert "materialized view public.m" in client.error("DROP FUNCTION f")["M"]
    client.do("DROP MATERIALIZED VIEW m", "DROP FUNCTION f(INT)", "DROP FUNCTION g")
    assert "g(n)" in client.error("SELECT n FROM v")["M"]


def test_grants_and_owner_of_a_view(start):
    sandbox = start()
    root = sandbox.client()
    root.do(*TABLES, OLD, "CREATE VIEW v AS SELECT s FROM x", "CREATE USER bob", "CREATE USER eve")
    acl = "SELECT acl FROM rw_relations WHERE name = 'v'"
    root.do("GRANT SELECT ON VIEW v TO bob WITH GRANT OPTION", "GRANT SELECT ON VIEW v TO eve")
    assert "bob=r*/root" in root.rows(acl)[0][0] and "eve=r/root" in root.rows(acl)[0][0]
    assert sandbox.client("eve").rows("SELECT s FROM v") == [["old"]]
    root.do("REVOKE SELECT ON VIEW v FROM eve", "ALTER VIEW v OWNER TO bob")
    assert "eve" not in root.rows(acl)[0][0]
    assert "SELECT" in sandbox.client("eve").error("SELECT s FROM v")["M"]
    owner = "SELECT u.name FROM rw_views v JOIN rw_users u ON u.id = v.owner"
    assert root.rows(owner) == [["bob"]]
    bob = sandbox.client("bob")
    assert "CREATE" in bob.error("ALTER VIEW v OWNER TO eve")["M"]
    root.do("GRANT CREATE ON SCHEMA public TO eve")
    bob.do("ALTER VIEW v OWNER TO eve")
    assert root.rows(owner) == [["eve"]]
    # Both must be one's own for a swap.
    root.do("CREATE VIEW w AS SELECT 1 AS s", "ALTER VIEW w OWNER TO bob")
    assert "not the owner" in bob.error("ALTER VIEW w SWAP WITH v")["M"]


def test_default_privileges_for_views(start):
    client = start().client()
    client.do(*TABLES, OLD, "CREATE USER bob")
    client.do("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON VIEWS TO bob")
    client.do("CREATE VIEW v AS SELECT s FROM x")
    assert "bob=r/root" in client.rows("SELECT acl FROM rw_views")[0][0]


def test_who_may_not_see_a_reader_sees_its_id(start):
    sandbox = start()
    root = sandbox.client()
    root.do(*TABLES, OLD, "CREATE VIEW v AS SELECT s FROM x", "CREATE USER bob")
    root.do("ALTER MATERIALIZED VIEW x OWNER TO bob")
    assert sandbox.client("bob").rows(
        "SELECT count(p.objid), count(d.id) FROM rw_depend p "
        "LEFT JOIN rw_relations d ON d.id = p.objid "
        "JOIN rw_relations x ON x.id = p.refobjid AND x.name = 'x'"
    ) == [["1", "0"]]


def test_a_creating_reader(start):
    client = start("--build-time", "1000").client()
    client.do(*SETUP, "CREATE VIEW x AS SELECT a FROM t", "CREATE VIEW y AS SELECT b AS a FROM t")
    client.do("SET background_ddl = true", "CREATE MATERIALIZED VIEW m AS SELECT a FROM x")
    assert not [pair for pair in client.rows(READERS) if pair[0] == "m"]
    assert client.rows("SELECT ddl_statement FROM rw_ddl_progress") == [
        ["CREATE MATERIALIZED VIEW m AS SELECT a FROM x"]
    ]
    assert client.rows("SHOW JOBS")[0][1] == "CREATE MATERIALIZED VIEW m AS SELECT a FROM x"
    client.do("ALTER VIEW y SWAP WITH x")
    text = "CREATE MATERIALIZED VIEW m AS SELECT a FROM y AS x"
    assert client.rows(TEXT.format("m")) == [[text]]
    assert "materialized view public.m" in client.error("DROP VIEW y")["M"]
    client.do("DROP MATERIALIZED VIEW m", "DROP VIEW y")
    assert client.rows(VIEWS) == []
