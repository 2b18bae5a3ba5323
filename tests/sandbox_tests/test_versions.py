"""What differs between the releases: catalogs, codes, start-up, statements, stored texts."""

from __future__ import annotations

import struct

import pytest
from conftest import SETUP, Client, Sandbox

VERSIONS = ("2.2", "2.6", "2.7", "2.8", "3.0")


@pytest.fixture(scope="module")
def servers():
    """One sandbox of each release, shared by the tests that leave nothing behind."""
    running = {
        version: Sandbox("--version", version, "--password", "rwadmin=secret")
        for version in VERSIONS
    }
    yield running
    for sandbox in running.values():
        assert sandbox.stop() == (0, "")


def since(first: str) -> list[tuple[str, bool]]:
    return [(version, version >= first) for version in VERSIONS]


def columns(client: Client, sql: str) -> list[str]:
    return [column[0] for column in dict(client.query(sql))["RowDescription"]]


def start_up(sandbox, user: str = "root", **parameters: str) -> list[tuple]:
    """All messages of a start-up, to ReadyForQuery or to the end."""
    conn = sandbox.connection(user, **parameters)
    conn.startup()
    messages = []
    while not messages or messages[-1][0] not in ("ReadyForQuery", "Closed"):
        messages.append(conn.recv(5))
        if messages[-1] == ("Authentication", 3):
            conn.send("p", b"wrong\0")
    conn.sock.close()
    return messages


@pytest.mark.parametrize(
    ("version", "release"),
    list(zip(VERSIONS, ("2.2.0", "2.6.3", "2.7.0-alpha", "2.8.5", "3.0.3"), strict=True)),
)
def test_version_text(servers, version, release):
    text = f"PostgreSQL 13.14.0-RisingWave-{release} (unknown)"
    assert servers[version].client().rows("SELECT version()") == [[text]]


@pytest.mark.parametrize(("version", "status"), since("2.8"))
def test_columns_of_materialized_views(servers, version, status):
    found = columns(servers[version].client(), "SELECT * FROM rw_materialized_views")
    assert ("status" in found, "schema_name" in found) == (status, version >= "3.0")
    assert {"id", "schema_id", "definition", "created_at"} <= set(found)


@pytest.mark.parametrize("version", VERSIONS)
def test_columns_of_progress_and_jobs(servers, version):
    client = servers[version].client()
    wanted = ["ddl_id", "ddl_statement", "progress", "initialized_at"]
    listed = ["Id", "Statement", "Progress"]
    if version >= "2.6":
        wanted.insert(2, "create_type")
        listed.insert(2, "Create Type")
    if version >= "3.0":
        wanted += ["is_serverless_backfill", "backfill_type"]
    assert columns(client, "SELECT * FROM rw_ddl_progress") == wanted
    assert columns(client, "SHOW JOBS") == listed


@pytest.mark.parametrize(("version", "there"), since("2.6"))
def test_relation_of_streaming_jobs(servers, version, there):
    answer = dict(servers[version].client().query("SELECT * FROM rw_streaming_jobs"))
    assert ("ErrorResponse" not in answer) == there


@pytest.mark.parametrize(("version", "coded"), since("2.6"))
def test_error_codes(servers, version, coded):
    client = servers[version].client()
    client.do("CREATE VIEW v AS SELECT 1 AS a")
    assert client.error("SELECT * FROM nope")["C"] == ("42704" if coded else "XX000")
    taken = client.error("CREATE VIEW v AS SELECT 1 AS a")
    assert taken["C"] == ("42710" if coded else "XX000")
    assert client.error("SELEC 1")["C"] == "XX000"
    client.do("DROP VIEW v")


@pytest.mark.parametrize(("version", "fatal"), since("3.0"))
@pytest.mark.parametrize(
    ("user", "parameters", "cause"),
    [
        ("root", {"database": "nope"}, 'database "nope" does not exist'),
        ("stranger", {}, "Role stranger does not exist"),
        ("rwadmin", {}, "Invalid password"),
    ],
)
def test_refused_start(servers, version, fatal, user, parameters, cause):
    *_, (_, error), closed = start_up(servers[version], user, **parameters)
    assert closed[0] == "Closed"
    headline = "Failed to start a new session"
    assert error["S"] == ("FATAL" if fatal else "ERROR")
    text = f"{headline}: {cause}" if fatal else f"{headline}\n\nCaused by:\n  {cause}\n"
    assert error["M"] == text
    coded = "database" in parameters and version >= "2.8"
    assert error["C"] == ("3D000" if coded else "XX000")


@pytest.mark.parametrize(("version", "announced"), since("2.6"))
def test_parameters_at_the_start(servers, version, announced):
    names = [values[0] for name, values in start_up(servers[version]) if name == "ParameterStatus"]
    usual = ["client_encoding", "standard_conforming_strings", "server_version"]
    assert names == (["TimeZone"] if announced else []) + usual


@pytest.mark.parametrize(("version", "heard"), since("3.0"))
@pytest.mark.parametrize(
    ("options", "value"),
    [
        ("-c streaming_parallelism=2", "2"),
        ("-cstreaming_parallelism=2", "2"),
        ("--streaming-parallelism=2", "2"),
        ("-x -c streaming_parallelism=2", "2"),
        ("-c application_name=a\\ b -c streaming_parallelism=2", "2"),
        ("-c streaming_parallelism=\\2", "2"),
    ],
)
def test_options_at_the_start(servers, version, heard, options, value):
    conn = servers[version].connection(options=options)
    conn.startup()
    while conn.recv(5)[0] != "ReadyForQuery":
        pass
    conn.send("Q", b"SHOW streaming_parallelism\0")
    conn.recv(5)
    usual = "default" if version >= "2.6" else "0"
    assert conn.recv(5) == ("DataRow", [value if heard else usual])
    conn.sock.close()


@pytest.mark.parametrize(("version", "heard"), since("3.0"))
@pytest.mark.parametrize("options", ["-c nothing.known=1", "-c timezone", "--=x", "-c"])
def test_bad_options_at_the_start(servers, version, heard, options):
    messages = start_up(servers[version], options=options)
    names = [name for name, _ in messages]
    assert ("ErrorResponse" in names) == heard
    if heard:
        assert messages[0][1]["S"] == "FATAL"
        assert messages[0][1]["M"].startswith("Failed to start a new session: ")


@pytest.mark.parametrize(("version", "mended"), since("3.0"))
def test_an_empty_last_value_at_the_start(servers, version, mended):
    names = [name for name, _ in start_up(servers[version], options="")]
    assert names[-1] == ("ReadyForQuery" if mended else "Closed")
    assert mended or names == ["Closed"]


@pytest.mark.parametrize(("version", "named"), since("3.0"))
def test_forms_of_wait(servers, version, named):
    client = servers[version].client()
    client.do("CREATE TABLE w (a INT)", "CREATE MATERIALIZED VIEW wm AS SELECT a FROM w")
    assert client.query("WAIT")[0] == ("CommandComplete", "WAIT")
    for what in ("TABLE w", "MATERIALIZED VIEW wm"):
        answer = dict(client.query(f"WAIT {what}"))
        if named:
            assert answer["CommandComplete"] == "WAIT"
        else:
            assert "sql parser error" in answer["ErrorResponse"]["M"]
    client.do("DROP TABLE w CASCADE")


@pytest.mark.parametrize(("version", "cancels"), since("2.7"))
def test_drop_of_a_creating_view(servers, version, cancels):
    client = servers[version].client()
    client.do(*SETUP, "SET background_ddl = true", "SET backfill_rate_limit = 1")
    client.do("CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    if cancels:
        client.do("DROP MATERIALIZED VIEW m")
    else:
        error = client.error("DROP MATERIALIZED VIEW m")
        assert "can not drop 1 creating streaming job, please cancel them firstly" in error["M"]
        [[job, *_]] = client.rows("SHOW JOBS")
        client.rows(f"CANCEL JOBS {job}")
    client.do("DROP TABLE t")


@pytest.mark.parametrize("version", VERSIONS)
def test_quotes_that_a_swap_writes(servers, version):
    client = servers[version].client()
    client.do('CREATE VIEW "Upper" AS SELECT 1 AS a', 'CREATE VIEW "select" AS SELECT 1 AS a')
    client.do("CREATE VIEW x AS SELECT 1 AS a", 'ALTER VIEW x SWAP WITH "Upper"')
    client.do('ALTER VIEW x SWAP WITH "select"')
    texts = dict(client.rows("SELECT name, definition FROM rw_views"))
    upper = "Upper" if version == "2.2" else '"Upper"'
    keyword = '"select"' if version >= "2.8" else "select"
    assert texts["Upper"] == f"CREATE VIEW {upper} AS SELECT 1 AS a"
    assert texts["select"] == f"CREATE VIEW {keyword} AS SELECT 1 AS a"
    client.do('DROP VIEW "Upper"', 'DROP VIEW "select"', "DROP VIEW x")


@pytest.mark.parametrize(("version", "limited"), since("2.6"))
def test_catalogs_are_limited_to_what_the_user_may_see(servers, version, limited):
    client = servers[version].client()
    client.do("CREATE VIEW v AS SELECT 1 AS a", "CREATE USER carl")
    seen = servers[version].client("carl").rows("SELECT name FROM rw_views")
    assert seen == ([] if limited else [["v"]])
    client.do("DROP VIEW v", "DROP USER carl")


@pytest.mark.parametrize(("version", "known"), since("2.7"))
def test_setting_for_slow_statements(servers, version, known):
    answer = dict(servers[version].client().query("SET slow_ddl_notification_secs = 0"))
    assert ("ErrorResponse" not in answer) == known


@pytest.mark.parametrize(("version", "parsed"), since("2.6"))
def test_alter_as_query_is_refused(servers, version, parsed):
    error = servers[version].client().error("ALTER MATERIALIZED VIEW m AS SELECT 1 AS a")
    wanted = "not yet implemented: ALTER MATERIALIZED VIEW AS QUERY" if parsed else "parser error"
    assert wanted in error["M"]


@pytest.mark.parametrize(("version", "silent"), since("2.6"))
def test_a_query_that_is_not_utf_8(servers, version, silent):
    client = servers[version].client()
    body = b"SELECT '\xff'\0"
    client.conn.sock.sendall(b"Q" + struct.pack(">i", len(body) + 4) + body)
    if silent:
        assert client.conn.recv(0.2) is None
    else:
        assert [name for name, _ in client.read()] == ["ErrorResponse", "ReadyForQuery"]
    client.rows("SELECT 1")
