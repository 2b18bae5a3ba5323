"""Builds of the view and its indexes: recoveries, time-outs, cancels, clients that leave, shutdown."""

import signal

import psycopg
import pytest

import rich_view as rich
from clients import Replacing
from conftest import connect, make_view, rows, serving
from one_view import replacing
from processes import eventually
from raw_session import RawSession, reset_connection

NEW = "SELECT a, b FROM t"
VIEW, INDEX = "MATERIALIZED VIEW m_tmp_", "INDEX .i_tmp_"
BUILDS = ["background", "foreground"]


def serve(*switches: str, build: str, more=()):
    return serving(*switches, flags=["--drain-min", "0", "--build", build, *more])


def prepare(proxy) -> psycopg.Connection:
    make_view(proxy.server.port)
    conn = connect(proxy.server.port)
    conn.execute("CREATE INDEX i ON m(a DESC)")
    conn.execute("CREATE USER reader")
    conn.execute("GRANT SELECT ON MATERIALIZED VIEW m TO reader")
    return conn


def begun(proxy, what: str) -> bool:
    """Has the CREATE been sent?"""
    kind, name = what.split(" ")[-2:] if what == VIEW else ("INDEX", '"i_tmp_')
    return any(s.startswith("CREATE") and f"{kind} {name}" in s for s in proxy.server.statements())


def is_building(conn) -> bool:
    return bool(rows(conn, "SHOW JOBS"))


class Before:
    """What must be so again."""

    def __init__(self, conn):
        self.conn = conn
        self.anatomy, self.view_id = rich.anatomy(conn), rich.id_of(conn, "m")

    def assert_so_again(self) -> None:
        assert eventually(lambda: rich.all_names(self.conn) == {"t", "m", "i"}), \
            rich.all_names(self.conn)
        assert rich.anatomy(self.conn) == self.anatomy
        assert rich.id_of(self.conn, "m") == self.view_id
        assert rows(self.conn, "SHOW JOBS") == []

    def assert_replaced(self) -> None:
        now = rich.anatomy(self.conn)
        assert now == {**self.anatomy, "columns": ("a", "b"), "rows": ((1, 10), (2, 20))}
        assert rich.id_of(self.conn, "m") != self.view_id
        assert rich.all_names(self.conn) == {"t", "m", "i"}
        assert rows(self.conn, "SHOW JOBS") == []


# Recoveries.

@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("what", [VIEW, INDEX])
def test_a_recovery_in_the_middle_of_a_build(what, build):
    with serve("--build-time", "0.8", build=build) as proxy, prepare(proxy) as conn:
        before = Before(conn)
        done = Replacing(proxy.port, NEW)
        assert eventually(lambda: begun(proxy, what) and is_building(conn))
        conn.execute("RECOVER")
        done.finish()
        assert done.error is None, done.error
        before.assert_replaced()
        assert rows(conn, "SHOW background_ddl") == [("false",)]


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("at", [f"CREATE {VIEW}", f"CREATE {INDEX}", "SELECT m.id, j.status",
                                "^GRANT SELECT .*_tmp_", "SWAP WITH", "^DROP MATERIALIZED VIEW"])
def test_a_recovery_at_a_statement(at, build):
    with serve("--recover-at", at + "@1", build=build) as proxy, prepare(proxy) as conn:
        before = Before(conn)
        done = Replacing(proxy.port, NEW)
        done.finish()
        assert done.error is None, done.error
        before.assert_replaced()


@pytest.mark.parametrize("what", [VIEW, INDEX])
def test_a_build_in_the_foreground_that_dies_twice_is_given_up(what):
    with serve("--build-hang", f"CREATE {what}", build="foreground") as proxy, \
            prepare(proxy) as conn:
        before = Before(conn)
        done = Replacing(proxy.port, NEW)
        for number in (1, 2):
            assert eventually(lambda: sum(what.replace(".", '"') in s and s.startswith("CREATE")
                                          for s in proxy.server.statements()) >= number)
            assert eventually(lambda: is_building(conn))
            conn.execute("RECOVER")
        done.finish()
        assert done.error is not None and "wait streaming job finish" in str(done.error)
        before.assert_so_again()


# Time-out, cancel, client gone, shutdown: all of them undo.

@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("what", [VIEW, INDEX])
@pytest.mark.parametrize("why", ["timeout", "cancel", "client", "shutdown"])
def test_what_stops_a_build_undoes_it(what, build, why):
    more = ("--build-timeout", "3s") if why == "timeout" else ()
    with serve("--build-hang", f"CREATE {what}", build=build, more=more) as proxy, \
            prepare(proxy) as conn:
        before = Before(conn)
        session = RawSession(proxy.port)
        session.send(replacing(NEW))
        if why != "timeout":
            assert eventually(lambda: begun(proxy, what) and is_building(conn))
        if why == "cancel":
            session.cancel()
        elif why == "client":
            reset_connection(session.conn.sock)
        elif why == "shutdown":
            proxy.signal(signal.SIGTERM)
        if why != "client":
            session.until_ready()
            assert session.error is not None
            assert session.error["C"] == ("57P01" if why == "shutdown" else "57014")
            if why == "timeout":
                assert "build timeout" in session.error["M"]
        assert begun(proxy, what)
        before.assert_so_again()
        if why in ("timeout", "cancel"):
            assert session.query("SHOW background_ddl") == [["false"]]
            assert session.query("SELECT a FROM m ORDER BY a") == [["1"], ["2"]]
        if why == "shutdown":
            assert proxy.wait(60) == 0, proxy.output()
        session.close()


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("what", [VIEW, INDEX])
def test_a_client_that_leaves_may_want_it_finished(what, build):
    with serve("--build-time", "0.6", build=build, more=("--on-disconnect", "finish")) as proxy, \
            prepare(proxy) as conn:
        before = Before(conn)
        session = RawSession(proxy.port)
        session.send(replacing(NEW))
        assert eventually(lambda: begun(proxy, what) and is_building(conn))
        reset_connection(session.conn.sock)
        assert eventually(lambda: rich.id_of(conn, "m") != before.view_id
                          and rich.all_names(conn) == {"t", "m", "i"})
        before.assert_replaced()


def test_a_shutdown_that_lets_it_finish():
    with serve("--build-time", "0.4", build="background", more=("--on-disconnect", "finish")) \
            as proxy, prepare(proxy) as conn:
        before = Before(conn)
        session = RawSession(proxy.port)
        session.send(replacing(NEW))
        assert eventually(lambda: begun(proxy, VIEW) and is_building(conn))
        proxy.signal(signal.SIGTERM)
        session.until_ready()
        assert proxy.wait(60) == 0
        if session.error is None:
            before.assert_replaced()
        else:
            assert session.error["C"] == "57P01"
            before.assert_so_again()


# The session's own setting.

@pytest.mark.parametrize("own", ["true", "false"])
@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("outcome", ["done", "cancelled", "fails", "index fails", "unchanged"])
def test_background_ddl_is_what_it_was(own, build, outcome):
    switches = {"fails": ("--fail", f"CREATE {VIEW}"), "index fails": ("--fail", f"CREATE {INDEX}"),
                "cancelled": ("--build-hang", f"CREATE {INDEX}")}.get(outcome, ())
    with serve(*switches, build=build) as proxy, prepare(proxy) as conn:
        before = Before(conn)
        session = RawSession(proxy.port)
        session.query(f"SET background_ddl = {own}")
        session.send(replacing("SELECT a FROM t" if outcome == "unchanged" else NEW))
        if outcome == "cancelled":
            assert eventually(lambda: begun(proxy, INDEX) and is_building(conn))
            session.cancel()
        session.until_ready()
        assert (session.error is None) == (outcome in ("done", "unchanged")), session.error
        assert session.query("SHOW background_ddl") == [[own]]
        if outcome == "done":
            before.assert_replaced()
        else:
            before.assert_so_again()
        session.close()


def test_progress_names_the_index_that_is_built():
    with serve("--build-time", "0.5", build="background",
               more=("--progress-interval", "100ms")) as proxy, prepare(proxy):
        done = Replacing(proxy.port, NEW)
        done.finish()
        told = [n.message for n in done.notices]
        assert any(m.startswith('Building materialized view "public.m": ') for m in told)
        assert any(m.startswith('Building index "i": ') and "%" in m for m in told)
