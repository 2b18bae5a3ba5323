"""Indexes: their columns and comments, who sees and changes them, builds in the background."""

from __future__ import annotations

import time

import pytest
from conftest import SETUP, eventually

SINCE_2_6 = ("2.6", "2.7", "2.8", "3.0")
VIEW = "CREATE MATERIALIZED VIEW x AS SELECT a, b, b + 1 AS c, CAST(a AS VARCHAR) AS d FROM t"
BACKGROUND = "SET background_ddl = true"
INDEX = 'CREATE INDEX "i_tmp" ON "public"."x"(b)'
STATE = (
    "SELECT i.id, j.status FROM rw_catalog.rw_indexes i "
    "JOIN rw_catalog.rw_schemas s ON s.id = i.schema_id "
    "LEFT JOIN rw_catalog.rw_streaming_jobs j ON j.id = i.id "
    "WHERE s.name = 'public' AND i.name = 'i_tmp'"
)
DROP = 'DROP MATERIALIZED VIEW "public"."x"'
BLOCKED = "can not drop 1 creating streaming job"


def state(client) -> list[str]:
    return [status for _, status in client.rows(STATE)]


def described(client, name: str) -> dict[str, list]:
    return {name: rest for name, *rest in client.rows(f"DESCRIBE {name}")}


@pytest.mark.parametrize(
    ("form", "keys", "rest"),
    [
        ("(b)", "b ASC, a ASC", "c, d"),
        ("(b DESC)", "b DESC, a ASC", "c, d"),
        ("(b ASC NULLS FIRST)", "b ASC NULLS FIRST, a ASC", "c, d"),
        ("(b NULLS LAST)", "b ASC, a ASC", "c, d"),
        ("(b DESC NULLS FIRST)", "b DESC, a ASC", "c, d"),
        ("(b DESC NULLS LAST)", "b DESC NULLS LAST, a ASC", "c, d"),
        ("(lower(d), b + 1)", "LOWER ASC, ADD ASC, a ASC", "b, c, d"),
        ("(b) INCLUDE(d)", "b ASC", "d"),
        ("(b, c) INCLUDE(a) DISTRIBUTED BY(b)", "b ASC, c ASC, a ASC", ""),
    ],
)
def test_forms_of_an_index(start, form, keys, rest):
    client = start().client()
    client.do(*SETUP, VIEW, f"CREATE INDEX i ON x{form}")
    [[_, on, shown_keys, shown_rest, _]] = client.rows("SHOW INDEXES FROM x")
    assert (on, shown_keys, shown_rest) == ("x", keys, rest)
    assert client.rows("SELECT definition FROM rw_indexes") == [[f"CREATE INDEX i ON x{form}"]]


def test_columns_of_an_index(start):
    client = start().client()
    client.do(*SETUP, VIEW, "CREATE INDEX i ON x(lower(d), lower(d), b) INCLUDE(c)")
    assert client.rows("DESCRIBE i") == [
        ["LOWER", "character varying", "false", None],
        ["LOWER1", "character varying", "false", None],
        ["b", "integer", "false", None],
        ["c", "integer", "false", None],
        ["x.a", "integer", "true", None],
        ["_rw_timestamp", "timestamp with time zone", "true", None],
        ["primary key", "LOWER, LOWER1, b, x.a", None, None],
        ["distribution key", "LOWER", None, None],
        ["table description", "i", None, None],
    ]
    columns = "SELECT c.name FROM rw_columns c JOIN rw_indexes i ON i.id = c.relation_id"
    assert client.rows(f"{columns} WHERE NOT c.is_hidden ORDER BY c.position") == [
        ["LOWER"],
        ["LOWER1"],
        ["b"],
        ["c"],
    ]
    included = "SELECT key_columns, include_columns FROM rw_indexes"
    assert client.rows(included) == [["{0,0,2}", "{3,1}"]]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("(nope)", "Invalid column: nope"),
        ("(b) INCLUDE(nope)", "Invalid column: nope"),
        ("(lower(nope))", "Invalid column: nope"),
        ("(b, c) DISTRIBUTED BY(c)", "Distributed by columns should be a prefix"),
    ],
)
def test_bad_indexes(start, form, problem):
    client = start().client()
    client.do(*SETUP, VIEW)
    assert problem in client.error(f"CREATE INDEX i ON x{form}")["M"]


def test_options_and_methods_of_indexes_are_not_known_in_2_2(start):
    for version, known in (("2.2", False), ("2.6", True)):
        client = start("--version", version).client()
        client.do(*SETUP)
        for index in ("i ON t(b) WITH (x = 1)", "j ON t USING default (b)"):
            failed = "ErrorResponse" in dict(client.query(f"CREATE INDEX {index}"))
            assert failed != known


def test_comments_of_a_view_and_its_index(start):
    client = start().client()
    client.do(*SETUP, VIEW, "CREATE INDEX idx ON x(b)")
    client.do(
        """COMMENT ON TABLE "public"."x" IS 'the ''x'''""",
        """COMMENT ON COLUMN "public"."x"."b" IS 'its b'""",
        """COMMENT ON TABLE "public"."idx" IS 'the index'""",
        """COMMENT ON COLUMN "public"."idx"."b" IS 'its key'""",
    )
    view, index = described(client, '"public"."x"'), described(client, '"public"."idx"')
    assert view["b"][2] == "its b" and view["table description"] == ["x", None, "the 'x'"]
    assert index["b"][2] == "its key" and index["table description"] == ["idx", None, "the index"]
    client.do('ALTER INDEX "public"."idx" RENAME TO "i_old_1"')
    assert described(client, "i_old_1")["table description"] == ["i_old_1", None, "the index"]
    assert described(client, "i_old_1")["b"][2] == "its key"
    client.do("COMMENT ON TABLE i_old_1 IS ''", "COMMENT ON COLUMN i_old_1.b IS NULL")
    index = described(client, "i_old_1")
    assert index["table description"][2] is None and index["b"][2] is None
    missing = client.error("COMMENT ON COLUMN i_old_1.nope IS 'x'")
    assert "Invalid column: nope" in missing["M"]


def test_a_view_has_a_row_for_its_description_too(start):
    client = start().client()
    client.do("CREATE VIEW v AS SELECT 1 AS a")
    assert client.rows("DESCRIBE v")[-1] == ["table description", "v", None, None]


def test_who_may_do_what_with_an_index(start):
    sandbox = start()
    root = sandbox.client()
    root.do(*SETUP, VIEW, "CREATE INDEX i ON x(b)", "CREATE USER bob", "CREATE USER eve")
    bob, eve = sandbox.client("bob"), sandbox.client("eve")
    assert bob.rows("SELECT name FROM rw_indexes") == []
    root.do("GRANT SELECT ON MATERIALIZED VIEW x TO bob")
    assert bob.rows("SELECT name FROM rw_indexes") == [["i"]]
    assert eve.rows("SELECT name FROM rw_indexes") == []
    assert 'must be owner of table "x"' in bob.error("CREATE INDEX j ON x(b)")["M"]
    assert 'must be owner of index "i"' in bob.error("DROP INDEX i")["M"]
    assert 'permission denied for schema "public"' in bob.error("COMMENT ON TABLE i IS 'x'")["M"]
    root.do("GRANT CREATE ON SCHEMA public TO bob")
    assert "must be owner of relation i" in bob.error("COMMENT ON TABLE i IS 'x'")["M"]
    root.do("ALTER MATERIALIZED VIEW x OWNER TO bob")
    bob.do("COMMENT ON TABLE i IS 'x'", "CREATE INDEX j ON x(c)", "DROP INDEX i")
    root.do("DROP INDEX j")


def test_before_2_6_an_index_is_dropped_by_its_owner_only(start):
    client = start("--version", "2.2").client()
    client.do(*SETUP, VIEW, "CREATE INDEX i ON x(b)", "CREATE USER bob")
    client.do("ALTER MATERIALIZED VIEW x OWNER TO bob")
    assert "Do not have the privilege" in client.error("DROP INDEX i")["M"]
    client.do(DROP)
    assert client.rows("SELECT name FROM rw_indexes") == []


@pytest.mark.parametrize("version", SINCE_2_6)
def test_an_index_is_built_in_the_background(start, version):
    client = start("--version", version, "--build-time", "3").client()
    client.do(*SETUP, VIEW, BACKGROUND, INDEX)
    [[index, status]] = client.rows(STATE)
    assert status == "CREATING"
    [[job, text, kind]] = client.rows(
        "SELECT ddl_id, ddl_statement, create_type FROM rw_catalog.rw_ddl_progress"
    )
    assert (job, text, kind) == (index, 'CREATE INDEX "i_tmp" ON "public"."x"(b)', "BACKGROUND")
    view = "SELECT id FROM rw_materialized_views WHERE name = 'x'"
    assert client.rows(f"SELECT objid FROM rw_depend WHERE refobjid = ({view})") == []
    assert client.rows("SHOW INDEXES FROM x") == []
    problem = f"PermissionDenied: {BLOCKED}, please cancel them firstly\n"
    assert client.error(DROP)["M"].endswith(problem)
    assert client.error("DESCRIBE i_tmp")["C"] == "42704"
    assert "exists but under creation" in client.error(INDEX)["M"]
    eventually(lambda: state(client) == ["CREATED"])
    assert client.rows(f"SELECT objid FROM rw_depend WHERE refobjid = ({view})") == [[index]]
    client.do(DROP)
    assert client.rows(STATE) == []


def test_before_2_6_an_index_is_built_in_the_foreground_whatever_was_asked(start):
    client = start("--version", "2.2", "--build-time", "0.3").client()
    client.do(*SETUP, VIEW, BACKGROUND)
    begin = time.monotonic()
    client.do(INDEX)
    assert time.monotonic() - begin >= 0.3


def test_an_index_in_the_foreground_is_shown_when_it_is_built(start):
    sandbox = start("--build-hang", "create index")
    builder, other = sandbox.client(), sandbox.client()
    builder.do(*SETUP, VIEW)
    builder.send("Query", INDEX)
    eventually(lambda: len(other.rows("SELECT * FROM rw_ddl_progress")) == 1)
    assert other.rows("SELECT name FROM rw_indexes") == []
    assert other.rows("SELECT name, status FROM rw_streaming_jobs WHERE name = 'i_tmp'") == [
        ["i_tmp", "CREATING"]
    ]
    assert BLOCKED in other.error(DROP)["M"]
    assert other.error("DROP INDEX i_tmp")["C"] == "42704"
    sandbox.cancel(builder.conn.key)
    assert builder.read()[0][1]["M"].endswith("3: Cancelled: create\n")
    other.do(DROP)


@pytest.mark.parametrize("version", SINCE_2_6)
def test_drop_index_cancels_its_build(start, version):
    client = start("--version", version, "--build-hang", "create index").client()
    client.do(*SETUP, VIEW, BACKGROUND, INDEX, 'DROP INDEX "public"."i_tmp"')
    assert client.rows(STATE) == client.rows("SHOW JOBS") == []
    client.do(DROP)


def test_an_index_in_the_background_survives_a_recovery_and_looks_created(start):
    client = start("--version", "2.8", "--build-hang", "create index").client()
    client.do(*SETUP, VIEW, BACKGROUND, INDEX)
    looks = "SELECT created_at IS NOT NULL, background_ddl FROM rw_indexes"
    assert client.rows(looks) == [["f", "t"]]
    client.do("RECOVER")
    assert client.rows(looks) == [["t", "f"]]
    assert state(client) == ["CREATING"]
    assert BLOCKED in client.error(DROP)["M"]
    client.do("DROP INDEX i_tmp")


def test_an_index_in_the_foreground_dies_of_a_recovery(start):
    client = start("--recover-at", "create index", "--build-time", "0.3").client()
    client.do(*SETUP, VIEW)
    error = client.error(INDEX)
    assert "DdlService/CreateIndex" in error["M"] and "adhoc recovery" in error["M"]
    client.do(INDEX)


def test_an_index_in_the_background_may_fail_or_be_shown_late(start):
    client = start("--build-fail", "create index", "--build-time", "5").client()
    client.do(*SETUP, VIEW, BACKGROUND, INDEX)
    assert state(client) == ["CREATING"]
    client.do("WAIT")
    assert state(client) == []
    client = start("--create-lag", "3", "--build-time", "30").client()
    client.do(*SETUP, BACKGROUND, 'CREATE INDEX "i_tmp" ON t(b)')
    assert state(client) == []
    eventually(lambda: state(client) == ["CREATING"])


def test_the_first_barrier_of_an_index(start):
    sandbox = start("--first-barrier", "3", "--build-time", "300")
    client, other = sandbox.client(), sandbox.client()
    client.do(*SETUP, BACKGROUND)
    begin = time.monotonic()
    client.do('CREATE INDEX "i_tmp" ON t(b)')
    assert time.monotonic() - begin >= 3
    client.send("Query", "CREATE INDEX other ON t(b)")
    eventually(lambda: len(other.rows("SHOW JOBS")) == 2)
    sandbox.cancel(client.conn.key)
    assert client.read()[0][1]["M"].endswith("3: Cancelled: create\n")
    assert state(client) == ["CREATING"]
