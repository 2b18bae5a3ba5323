"""Parallelism, resource groups and configuration of streaming jobs, and where they are shown."""

from __future__ import annotations

import pytest
from conftest import SETUP

VERSIONS = ("2.2", "2.6", "2.7", "2.8", "3.0")
VIEW = "CREATE MATERIALIZED VIEW x AS SELECT a, b FROM t"
CHANGE = 'ALTER MATERIALIZED VIEW "public"."x"'


def job(client) -> list[str]:
    [[own]] = client.rows("SELECT id FROM rw_catalog.rw_materialized_views WHERE name = 'x'")
    [row] = client.rows(
        "SELECT j.id, j.parallelism, j.resource_group FROM rw_catalog.rw_streaming_jobs j "
        f"WHERE j.id IN ({own}, 4711)"
    )
    assert row[0] == own
    return row[1:]


def shown(version: str, kept: str) -> str:
    if version >= "3.0":
        return kept
    return f"FIXED({kept})" if kept.isdigit() else kept.upper()


def usual(version: str) -> str:
    return "bounded(64)" if version >= "3.0" else "adaptive"


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_parallelism_of_a_view(start, version):
    client = start("--version", version).client()
    client.do(*SETUP, VIEW)
    assert job(client) == [shown(version, usual(version)), "default"]
    for form, kept in (
        ("= 2", "2"),
        ("TO 3", "3"),
        ("= ADAPTIVE", "adaptive"),
        ("= 4", "4"),
        ("= 0", "adaptive"),
        ("= 4 DEFERRED", "4"),
        ("= DEFAULT", "adaptive"),
    ):
        answer = client.query(f"{CHANGE} SET PARALLELISM {form}")
        assert ("CommandComplete", "ALTER_MATERIALIZED_VIEW") in answer
        assert ("NoticeResponse" in dict(answer)) == ("DEFERRED" in form)
        assert job(client)[0] == shown(version, kept), form
    assert "target parallelism" in client.error(f"{CHANGE} SET PARALLELISM = many")["M"]


def test_strategies_since_3_0(start):
    client = start("--version", "3.0").client()
    client.do(*SETUP, VIEW, f"{CHANGE} SET PARALLELISM = 'bounded(4)'")
    assert job(client)[0] == "bounded(4)"
    client.do("SET streaming_parallelism = 'bounded(8)'", "CREATE INDEX i ON x(b)")
    assert client.rows("SELECT parallelism FROM rw_streaming_jobs WHERE name = 'i'") == [
        ["bounded(8)"]
    ]


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_parallelism_of_the_session(start, version):
    client = start("--version", version).client()
    client.do(*SETUP)
    for own, common, kept in (
        ("default", "default", usual(version)),
        ("default", "3", "3"),
        ("2", "3", "2"),
        ("adaptive", "3", "adaptive"),
        ("0", "3", "adaptive"),
    ):
        client.do(f"SET streaming_parallelism_for_materialized_view = {own}")
        client.do(f"SET streaming_parallelism = {common}", VIEW)
        assert job(client)[0] == shown(version, kept)
        client.do("DROP MATERIALIZED VIEW x")


@pytest.mark.parametrize("version", VERSIONS)
def test_show_of_parallelisms(start, version):
    client = start("--version", version).client()
    known = version >= "2.6"
    assert client.rows("SHOW streaming_parallelism") == [["default" if known else "0"]]
    client.do("SET streaming_parallelism = 4")
    assert client.rows("SHOW streaming_parallelism") == [["4"]]
    for kind in ("materialized_view", "index"):
        question = f"SHOW streaming_parallelism_for_{kind}"
        if known:
            assert client.rows(question) == [["default"]]
        else:
            assert "Unrecognized config entry" in client.error(question)["M"]
    client.do("SET streaming_parallelism = 0")
    assert client.rows("SHOW streaming_parallelism") == [["adaptive" if known else "0"]]
    assert "Invalid value" in client.error("SET streaming_parallelism = many")["M"]


@pytest.mark.parametrize("version", VERSIONS)
def test_resource_groups(start, version):
    client = start("--version", version).client()
    client.do(*SETUP, VIEW)
    if version < "2.6":
        client.query(f"{CHANGE} SET RESOURCE_GROUP = 'g'")
        assert "parser error" in client.error(f"{CHANGE} RESET RESOURCE_GROUP")["M"]
        return
    for form, kept in (
        ("SET RESOURCE_GROUP = 'g'", "g"),
        ("SET RESOURCE_GROUP TO h", "h"),
        ("RESET RESOURCE_GROUP", "default"),
        ("SET RESOURCE_GROUP = 'My group' DEFERRED", "My group"),
        ("SET RESOURCE_GROUP = 'default'", "default"),
    ):
        client.do(f"{CHANGE} {form}")
        assert job(client)[1] == kept
    client.do("DROP MATERIALIZED VIEW x", VIEW.replace(" AS", " WITH (resource_group = 'w') AS", 1))
    assert job(client)[1] == "w"


@pytest.mark.parametrize("version", VERSIONS)
def test_configuration(start, version):
    client = start("--version", version).client()
    client.do(*SETUP, VIEW)
    question = "SELECT key, value FROM rw_catalog.rw_streaming_job_config ORDER BY key"
    sets = f"{CHANGE} SET CONFIG (streaming.developer.chunk_size = 99, streaming.a = 'x')"
    if version < "2.8":
        assert client.error(question)["C"] == ("42704" if version >= "2.6" else "XX000")
        return
    notice = dict(client.query(sets))["NoticeResponse"]["M"]
    assert notice.startswith("ALTER CONFIG requires a RECOVER")
    sized = ["streaming.developer.chunk_size", "99"]
    assert client.rows(question) == [["streaming.a", '"x"'], sized]
    client.do(f"{CHANGE} RESET CONFIG (streaming.a)")
    assert client.rows(question) == [sized]
    assert "only accepts options starting" in client.error(f"{CHANGE} SET CONFIG (a = 1)")["M"]


def test_settings_stay_with_their_job_in_a_swap(start):
    client = start().client()
    client.do(*SETUP, VIEW, VIEW.replace("x", "x_tmp", 1))
    client.do(f"{CHANGE} SET PARALLELISM = 2", 'ALTER MATERIALIZED VIEW x_tmp SWAP WITH "x"')
    assert job(client)[0] == "ADAPTIVE"


@pytest.mark.parametrize(("version", "found"), [("2.7", False), ("2.8", True)])
def test_parallelism_of_a_running_job(start, version, found):
    client = start("--version", version, "--build-hang", "view x").client()
    client.do(*SETUP, "SET background_ddl = true", VIEW)
    answer = dict(client.query(f"{CHANGE} SET PARALLELISM = 2"))
    assert ("ErrorResponse" not in answer) == found


def test_everybody_sees_the_jobs_of_everybody(start):
    sandbox = start()
    sandbox.client().do(*SETUP, VIEW, "CREATE USER bob")
    bob = sandbox.client("bob")
    assert bob.rows("SELECT name FROM rw_streaming_jobs ORDER BY id") == [["t"], ["x"]]
    assert bob.rows("SELECT name FROM rw_streaming_parallelism") == []
