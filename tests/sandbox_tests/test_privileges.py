"""Who granted what to whom, as the catalogs print it; what default privileges add."""

from __future__ import annotations

import pytest
from conftest import SETUP

SUPERS = {"root=arwd/root", "postgres=arwd/root", "rwadmin=arwd/root"}
VIEW = "CREATE MATERIALIZED VIEW x AS SELECT a FROM t"
ON_X = 'ON MATERIALIZED VIEW "public"."x"'


@pytest.fixture
def sandbox(start):
    sandbox = start()
    sandbox.client().do(*SETUP, VIEW, *(f"CREATE USER {name}" for name in ("bob", "eve", "zoe")))
    return sandbox


def acl(client, name: str = "x") -> set[str]:
    """What is granted to others than superusers."""
    [[text]] = client.rows(f"SELECT acl FROM rw_materialized_views WHERE name = '{name}'")
    items, inside = [""], False
    for i, letter in enumerate(text[1:-1]):
        if letter == '"':
            inside = not inside
        elif letter == "," and not inside:
            items.append("")
        else:
            items[-1] += letter
        assert letter != "\\", (text, i)
    assert set(items) >= SUPERS
    return set(items) - SUPERS


def test_grants_and_their_options(sandbox):
    root = sandbox.client()
    root.do(f'GRANT SELECT {ON_X} TO "bob"', f'GRANT SELECT {ON_X} TO "eve" WITH GRANT OPTION')
    assert acl(root) == {"bob=r/root", "eve=r*/root"}
    root.do(f'GRANT SELECT {ON_X} TO "eve"')
    assert "eve=r*/root" in acl(root)
    root.do(f'GRANT SELECT {ON_X} TO "bob" WITH GRANT OPTION')
    root.do(f'REVOKE GRANT OPTION FOR SELECT {ON_X} FROM "eve"')
    assert acl(root) == {"bob=r*/root", "eve=r/root"}
    root.do(f'REVOKE SELECT {ON_X} FROM "bob"', f'REVOKE SELECT {ON_X} FROM "eve", "zoe"')
    assert acl(root) == set()


def test_grantors(sandbox):
    root, bob, eve = (sandbox.client(name) for name in ("root", "bob", "eve"))
    root.do("ALTER MATERIALIZED VIEW x OWNER TO bob")
    bob.do(f"GRANT SELECT {ON_X} TO eve WITH GRANT OPTION GRANTED BY zoe")
    eve.do(f"GRANT SELECT {ON_X} TO zoe")
    root.do(f"GRANT SELECT {ON_X} TO zoe")
    assert acl(root) == {"eve=r*/bob", "zoe=r/eve", "zoe=r/root"}
    # Others revoke what they granted; a superuser revokes what anybody did.
    bob.do(f"REVOKE SELECT {ON_X} FROM zoe")
    assert "zoe=r/eve" in acl(root) and "zoe=r/root" in acl(root)
    assert "privileges granted to 1 other ones" in root.error(f"REVOKE SELECT {ON_X} FROM eve")["M"]
    root.do(f"REVOKE SELECT {ON_X} FROM zoe")
    assert acl(root) == {"eve=r*/bob"}
    eve.do(f"GRANT SELECT {ON_X} TO zoe")
    root.do(f"REVOKE SELECT {ON_X} FROM eve CASCADE")
    assert acl(root) == set()


@pytest.mark.parametrize(("version", "silent"), [("2.2", False), ("2.6", True), ("3.0", True)])
def test_what_may_not_be_granted_is_left_out(start, version, silent):
    sandbox = start("--version", version)
    root = sandbox.client()
    root.do(*SETUP, VIEW, "CREATE USER bob", "CREATE USER eve", f"GRANT SELECT {ON_X} TO bob")
    answer = dict(sandbox.client("bob").query(f"GRANT SELECT {ON_X} TO eve"))
    assert ("ErrorResponse" not in answer) == silent
    assert acl(root) == {"bob=r/root"}
    assert "grant option" in sandbox.client("bob").error(f"REVOKE SELECT {ON_X} FROM eve")["M"]
    missing = root.error(f"GRANT SELECT {ON_X} TO nobody")["M"]
    assert ('User "nobody" does not exist' if silent else "Grantee does not exist") in missing
    root.error(f"GRANT SELECT {ON_X} TO eve GRANTED BY nobody")


@pytest.mark.parametrize("name", ["Upper", "with blank", "a=b", "c/d", "e,f", "{g}", "ünï", "h'i"])
def test_odd_names_of_users(sandbox, name):
    root = sandbox.client()
    root.do(f'CREATE USER "{name}"', f'GRANT SELECT {ON_X} TO "{name}"')
    assert acl(root) == {f"{name}=r/root"}
    assert len(sandbox.client(name).rows("SELECT * FROM x")) == 2
    root.do(f'ALTER MATERIALIZED VIEW x OWNER TO "{name}"')
    sandbox.client(name).do(f"GRANT SELECT {ON_X} TO bob")
    assert acl(root) == {f"{name}=r/root", f"bob=r/{name}"}
    root.do(f'REVOKE SELECT {ON_X} FROM "{name}"')
    assert acl(root) == {f"bob=r/{name}"}


def test_default_privileges(sandbox):
    root, bob = sandbox.client(), sandbox.client("bob")
    root.do("GRANT CREATE ON SCHEMA public TO bob", "GRANT SELECT ON TABLE t TO bob")
    root.do(
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON MATERIALIZED VIEWS TO eve WITH GRANT OPTION",
        "ALTER DEFAULT PRIVILEGES FOR USER bob IN SCHEMA public "
        "GRANT SELECT ON MATERIALIZED VIEWS TO zoe",
    )
    root.do(VIEW.replace("x", "of_root", 1))
    bob.do(VIEW.replace("x", "of_bob", 1))
    assert acl(root, "of_root") == {"eve=r*/root"}
    assert acl(root, "of_bob") == {"zoe=r/root"}
    root.do("CREATE SCHEMA later", VIEW.replace("x", "later.y", 1))
    assert acl(root, "y") == set()  # meant the schemas of that time
    root.do("ALTER DEFAULT PRIVILEGES REVOKE SELECT ON MATERIALIZED VIEWS FROM eve")
    root.do(VIEW.replace("x", "z", 1))
    assert acl(root, "z") == set()
    assert "for other users" in bob.error(
        "ALTER DEFAULT PRIVILEGES FOR USER root GRANT SELECT ON MATERIALIZED VIEWS TO zoe"
    )["M"]


def test_default_privileges_come_when_the_build_is_done(start):
    client = start("--build-time", "3").client()
    client.do(*SETUP, "CREATE USER eve", "SET background_ddl = true", VIEW)
    client.do("ALTER DEFAULT PRIVILEGES GRANT SELECT ON MATERIALIZED VIEWS TO eve")
    assert acl(client) == set()
    client.do("WAIT")
    assert acl(client) == {"eve=r/root"}


def test_there_are_no_default_privileges_in_2_2(start):
    sql = "ALTER DEFAULT PRIVILEGES GRANT SELECT ON MATERIALIZED VIEWS TO root"
    assert "parser error" in start("--version", "2.2").client().error(sql)["M"]
