"""Replacements of the extended protocol that do not go well: a step fails, the build fails, the
user gives up, the client or the server is lost. With parameters the build is a series of its own.
"""

import socket
import struct
import threading

import psycopg
import pytest

from conftest import connect
from one_view import AS_MADE, TABLE, TABLE_ROWS, TAG, numbered, numbered_view, one_world, replacing
from processes import eventually
from test_differential import SYNC, bind, execute, parse, query
from test_extended import READY, ROW, SELECT, Client, one

ABOVE = replacing("SELECT a, b FROM t WHERE a > $1")
# How the portal p is made, and what the view is once it was executed.
PORTALS = {
    "plain": ([parse(numbered(1), "s"), bind(portal="p", name="s")], numbered_view(1)),
    "parameters": ([parse(ABOVE, types=(21,)), bind(b"\0\1", portal="p", binary=True)],
                   (["a", "b"], [(2, 20)])),
}


@pytest.fixture(params=PORTALS)
def portal(request):
    return PORTALS[request.param]


def flags(build: str) -> list[str]:
    return ["--drain-min", "0", "--build", build]


def untold(client: Client) -> list:
    """What was told up to ReadyForQuery, NOTICEs aside."""
    return [word for word in client.told("Z") if word != "N"]


def assert_fails_then_succeeds(world, portal, sqlstate: str) -> None:
    """The first time the replacement fails and the rest of the series is dropped; the portal is
    still there, and the second time it succeeds."""
    bound, view = portal
    client = Client(world.port)
    before = world.catalog.view_id("m")
    client.send(*one(SELECT), *bound, execute("p"), *one(SELECT), query(SELECT), execute("p"), SYNC,
                *one(SELECT), SYNC)
    assert untold(client) == [*ROW, "1", "2", sqlstate, READY]
    assert untold(client) == [*ROW, READY]
    assert world.view() == AS_MADE and world.catalog.view_id("m") == before
    world.assert_clean()
    client.send(*one("SHOW background_ddl"), SYNC)
    client.told("Z")
    assert ("D", b"\0\1\0\0\0\5false") in client.heard
    client.send(execute("p"), SYNC, *one(SELECT), SYNC)
    assert untold(client) == [TAG, READY]
    assert untold(client) == [*ROW, READY]
    assert world.view() == view
    world.assert_clean()


@pytest.mark.parametrize("build, sqlstate", [("background", "57014"), ("foreground", "XX000")])
def test_a_build_that_fails(portal, build, sqlstate):
    # In the foreground it is tried once more, as behind a recovery: the server's words are the same.
    faults = ["--build-fail", "m_tmp@1"] + ["--build-fail", "m_tmp@2"] * (build == "foreground")
    with one_world(*faults, flags=flags(build)) as world:
        assert_fails_then_succeeds(world, portal, sqlstate)


@pytest.mark.parametrize("build", ["background", "foreground"])
@pytest.mark.parametrize("fault", ["^CREATE MATERIALIZED VIEW m_tmp@1",
                                   "r.acl, o.name@1", "x.refobjid IN@2", "SWAP WITH@1"])
def test_a_step_that_fails(portal, build, fault):
    with one_world("--fail", fault, flags=flags(build)) as world:
        assert_fails_then_succeeds(world, portal, "XX000")


def test_a_query_that_reads_its_own_view(portal):
    with one_world() as world:
        client = Client(world.port)
        client.send(parse(replacing("SELECT a FROM m WHERE a > $1")), bind(b"0"), execute(),
                    *one(SELECT), SYNC, *portal[0], execute("p"), SYNC)
        assert untold(client) == ["1", "2", "42P17", READY]
        assert untold(client) == ["1", "2", TAG, READY]
        assert world.view() == portal[1]
        world.assert_clean()


@pytest.mark.parametrize("fault, live", [
    ("^CREATE MATERIALIZED VIEW m_tmp@1", False),
    ("after:^CREATE MATERIALIZED VIEW m_tmp@1", False),
    ("SWAP WITH@1", False), ("after:SWAP WITH@1", True), ("^DROP MATERIALIZED VIEW@1", True)])
def test_a_lost_server_connection_says_what_may_be_left(portal, fault, live):
    with one_world("--disconnect", fault) as world:
        client = Client(world.port)
        client.send(*one(SELECT), *portal[0], execute("p"), *one(SELECT), SYNC)
        told = [word for word in client.told("end") if word != "N"]
        assert told == [*ROW, "1", "2", "08006", "end"]
        assert world.view() == (portal[1] if live else AS_MADE)
        error = next(body for tag, body in client.heard if tag == "E")
        for left in world.catalog.leftovers():
            assert f'DROP MATERIALIZED VIEW "public"."{left}";'.encode() in error


@pytest.mark.parametrize("how", ["reset", "closed", "terminated"])
@pytest.mark.parametrize("build", ["background", "foreground"])
def test_a_client_that_leaves_during_the_build(portal, build, how):
    with one_world("--build-hang", "VIEW m_tmp", flags=flags(build)) as world:
        before = world.catalog.view_id("m")
        client = Client(world.port)
        client.send(*portal[0], execute("p"), *one(SELECT), SYNC)
        assert eventually(world.catalog.builds) != set()
        if how == "terminated":
            client.send(b"X\0\0\0\4")
        elif how == "reset":
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sock.close()
        assert eventually(lambda: not world.catalog.leftovers()), world.proxy.output()
        assert world.catalog.view_id("m") == before
        # When the session is over nothing can come any more.
        assert eventually(lambda: world.sessions() == 0)
        assert world.view() == AS_MADE
        world.assert_clean()


@pytest.mark.parametrize("build", ["background", "foreground"])
def test_a_cancel_during_a_build_with_parameters(build):
    sql, params = replacing("SELECT a, b FROM t WHERE a > %s"), [1]
    with one_world("--build-hang", "m_tmp@1", flags=flags(build)) as world:
        with connect(world.port) as conn:
            canceller = world.when_building(conn.cancel)
            with pytest.raises(psycopg.errors.QueryCanceled):
                conn.execute(sql, params)
            canceller.join()
            assert world.view() == AS_MADE
            world.assert_clean()
            assert conn.execute(TABLE).fetchall() == TABLE_ROWS
            assert conn.execute(sql, params).statusmessage == TAG
        assert world.view() == (["a", "b"], [(2, 20)])
        world.assert_clean()


def test_sessions_at_once_with_parameters():
    """Ten sessions replace three views, each by a statement prepared once."""
    with one_world() as world:
        for name in ("m1", "m2"):
            world.catalog.conn.execute(f"CREATE MATERIALIZED VIEW {name} AS SELECT a FROM t")
        errors = []

        def work(n: int) -> None:
            name = ("m", "m1", "m2")[n % 3]
            try:
                with connect(world.port) as conn:
                    for least in (5, n % 2):
                        conn.execute(replacing("SELECT a, b FROM t WHERE a > %s", name), [least],
                                     prepare=True)
                        assert conn.execute(TABLE).fetchall() == TABLE_ROWS
            except (psycopg.Error, AssertionError) as error:
                errors.append(str(error))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == [] and world.swaps() == 20
        for name in ("m", "m1", "m2"):
            assert world.view(name)[0] == ["a", "b"]
        world.assert_clean()
