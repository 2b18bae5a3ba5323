"""Grants, owner and comments of a replaced view: those that it had, before any reader meets it."""

import psycopg
import pytest

import rich_view as rich
from conftest import connect, make_view, rows, serving
from one_view import numbered, replacing

ODD_NAMES = ['"with blank"', '"Upper"', '"comma,"', '"br{ace}"', '"ünï 漢"', '"back\\slash"',
             '"apo\'s"', '"null"', '"a.b"', '"*"', '"sla/sh"']


@pytest.fixture
def own():
    """A world of its own: users and default privileges outlive a view."""
    with serving(flags=["--drain-min", "0"]) as proxy:
        make_view(proxy.server.port)
        yield proxy


def replace_and_compare(proxy, conn: psycopg.Connection, query: str = "SELECT a, b FROM t") -> dict:
    """What must be equal is; the new view's anatomy."""
    before, view_id = rich.anatomy(conn), rich.id_of(conn, "m")
    with connect(proxy.port) as through:
        through.execute(replacing(query))
    after = rich.anatomy(conn)
    assert rich.id_of(conn, "m") != view_id
    for part in ("owner", "grants", "comments", "indexes"):
        assert after[part] == before[part], part
    assert rich.ours(rich.all_names(conn)) == set()
    return after


def test_grants_with_and_without_their_option(own):
    with connect(own.server.port) as conn:
        for name in ("plain", "giver", "nobody"):
            conn.execute(f"CREATE USER {name}")
        conn.execute("GRANT SELECT ON MATERIALIZED VIEW m TO plain")
        conn.execute("GRANT SELECT ON MATERIALIZED VIEW m TO giver WITH GRANT OPTION")
        after = replace_and_compare(own, conn)
        assert after["grants"] == {("plain", "r"), ("giver", "r*")}
        for name, allowed in (("plain", True), ("giver", True), ("nobody", False)):
            with connect(own.port, user=name) as user:
                if allowed:
                    assert rows(user, "SELECT a FROM m ORDER BY a") == [(1,), (2,)]
                else:
                    with pytest.raises(psycopg.Error):
                        user.execute("SELECT a FROM m")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_users_with_odd_names(own, name):
    with connect(own.server.port) as conn:
        conn.execute(f"CREATE USER {name}")
        conn.execute(f"GRANT SELECT ON MATERIALIZED VIEW m TO {name} WITH GRANT OPTION")
        before = rows(conn, "SELECT acl FROM rw_catalog.rw_relations WHERE name = 'm'")
        assert len(before[0][0]) == 4
        with connect(own.port) as through:
            through.execute(replacing("SELECT a, b FROM t"))
        assert rows(conn, "SELECT acl FROM rw_catalog.rw_relations WHERE name = 'm'") == before


def test_an_entry_that_can_be_read_in_two_ways_is_refused(own):
    """`a=r/b=r*/root`: to a user a=r/b, or to a by the user b=r*/root?"""
    with connect(own.server.port) as conn:
        conn.execute('CREATE USER "eq=r/x"')
        conn.execute('GRANT SELECT ON MATERIALIZED VIEW m TO "eq=r/x" WITH GRANT OPTION')
        view_id = rich.id_of(conn, "m")
        with connect(own.port) as through:
            with pytest.raises(psycopg.Error, match="would lose its grants") as refused:
                through.execute(replacing("SELECT a, b FROM t"))
        assert refused.value.sqlstate == "0A000" and "eq=r/x" in refused.value.diag.message_detail
        assert rich.id_of(conn, "m") == view_id and rich.all_names(conn) == {"t", "m"}


def test_default_privileges_do_not_open_the_new_view(own):
    """Those who may read it are those who may read the old one, in both directions."""
    with connect(own.server.port) as conn:
        for name in ("wanted", "unwanted", "both"):
            conn.execute(f"CREATE USER {name}")
        conn.execute("GRANT SELECT ON MATERIALIZED VIEW m TO wanted")
        conn.execute("GRANT SELECT ON MATERIALIZED VIEW m TO both")
        for name in ("unwanted", "both"):
            conn.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON "
                         f"MATERIALIZED VIEWS TO {name}")
        conn.execute("CREATE MATERIALIZED VIEW shows_it AS SELECT a FROM t")
        assert ("unwanted", "r") in rich.grants(conn, rich.id_of(conn, "shows_it"))
        after = replace_and_compare(own, conn)
        assert after["grants"] == {("wanted", "r"), ("both", "r")}
        # Before the swap: the view was never open to him under its name.
        sent = own.server.statements()
        revoked = [n for n, s in enumerate(sent) if s.startswith("REVOKE") and '"unwanted"' in s]
        swapped = [n for n, s in enumerate(sent) if " SWAP WITH " in s]
        assert len(revoked) == 1 and revoked[0] < swapped[0]


def test_default_privileges_with_grant_option_are_brought_down(own):
    with connect(own.server.port) as conn:
        conn.execute("CREATE USER u")
        conn.execute("GRANT SELECT ON MATERIALIZED VIEW m TO u")
        conn.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON MATERIALIZED VIEWS"
                     " TO u WITH GRANT OPTION")
        assert replace_and_compare(own, conn)["grants"] == {("u", "r")}


def test_superusers_are_left_alone(own):
    with connect(own.server.port) as conn:
        conn.execute("CREATE USER boss SUPERUSER")
        conn.execute("GRANT SELECT ON MATERIALIZED VIEW m TO boss")
        with connect(own.port) as through:
            through.execute(replacing("SELECT a, b FROM t"))
    assert not any(s.startswith(("GRANT", "REVOKE")) and "_tmp_" in s
                   for s in own.server.statements())


def test_what_a_second_user_granted(own):
    with connect(own.server.port) as conn:
        for name in ("giver", "given"):
            conn.execute(f"CREATE USER {name}")
        conn.execute("GRANT SELECT ON MATERIALIZED VIEW m TO giver WITH GRANT OPTION")
        with connect(own.server.port, user="giver") as giver:
            giver.execute("GRANT SELECT ON MATERIALIZED VIEW m TO given")
        conn.execute("GRANT SELECT ON MATERIALIZED VIEW m TO given")
        assert replace_and_compare(own, conn)["grants"] == {("giver", "r*"), ("given", "r")}


@pytest.mark.parametrize("by", ["root", "owner1"])
def test_the_owner_stays(own, by):
    """A superuser replaces somebody's view, or the owner does it."""
    with connect(own.server.port) as conn:
        for sql in ("CREATE USER owner1", "CREATE USER reader",
                    "GRANT CREATE, USAGE ON SCHEMA public TO owner1",
                    "GRANT SELECT ON TABLE t TO owner1 WITH GRANT OPTION",
                    "ALTER MATERIALIZED VIEW m OWNER TO owner1",
                    "CREATE INDEX i ON m(a)",
                    "GRANT SELECT ON MATERIALIZED VIEW m TO reader"):
            conn.execute(sql)
        for number in range(2):
            before = rich.anatomy(conn)
            with connect(own.port, user=by) as through:
                through.execute(numbered(number))
            after = rich.anatomy(conn)
            assert after["owner"] == "owner1"
            assert ("reader", "r") in after["grants"]
            assert (after["grants"], after["indexes"]) == (before["grants"], before["indexes"])
            assert rich.owner(conn, rich.id_of(conn, "i")) == "owner1"
        # It is still his in every sense.
        with connect(own.server.port, user="owner1") as owner:
            assert rows(owner, "SELECT a FROM m ORDER BY a") == [(1,), (2,)]
            owner.execute("DROP MATERIALIZED VIEW m")


def test_comments_on_the_view_and_its_columns(own):
    with connect(own.server.port) as conn:
        text = "it's -- a \"comment\"\nof two lines; ünï 漢"
        for on in ("TABLE m", "COLUMN m.a"):
            conn.execute(f"COMMENT ON {on} IS '{text.replace(chr(39), chr(39) * 2)}'")
        for number in range(2):
            after = replace_and_compare(own, conn, f"SELECT b, a, {number} AS n FROM t")
            assert after["comments"] == {None: text, "a": text}


def test_the_comment_of_a_column_that_is_gone_is_told(own):
    with connect(own.server.port) as conn:
        conn.execute("COMMENT ON COLUMN m.a IS 'the key'")
        told = []
        with connect(own.port) as through:
            through.add_notice_handler(lambda n: told.append((n.severity, n.message_primary)))
            through.execute(replacing("SELECT b FROM t"))
        assert ("NOTICE", 'The comment on column "a" is gone with the column.') in told
        assert rich.described(conn, "m") == {}


def test_comments_on_indexes(own):
    with connect(own.server.port) as conn:
        conn.execute("CREATE INDEX i ON m(a)")
        conn.execute("COMMENT ON TABLE i IS 'of the index'")
        conn.execute("COMMENT ON COLUMN i.a IS 'of its column'")
        before = rich.described(conn, "i")
        if not before:
            pytest.xfail("the sandbox's DESCRIBE of an index has no rows yet")
        for number in range(2):
            with connect(own.port) as through:
                through.execute(numbered(number))
            assert rich.described(conn, "i") == before


def test_the_last_line_counts_what_was_carried(own):
    with connect(own.server.port) as conn:
        conn.execute("CREATE USER u")
        conn.execute("CREATE INDEX i ON m(a)")
        conn.execute("GRANT SELECT ON MATERIALIZED VIEW m TO u")
        conn.execute("COMMENT ON TABLE m IS 'x'")
        conn.execute("COMMENT ON COLUMN m.a IS 'y'")
    told = []
    with connect(own.port) as through:
        through.add_notice_handler(lambda n: told.append(n.message_primary))
        through.execute(replacing("SELECT a, b FROM t"))
    assert told[-1].endswith("Carried over: 1 index, 1 grant, 2 comments.")


@pytest.mark.parametrize("session, expected", [(None, "FIXED(2)"), (3, "FIXED(3)")])
def test_parallelism_that_was_set_by_hand(own, session, expected):
    with connect(own.server.port) as conn:
        conn.execute("ALTER MATERIALIZED VIEW m SET PARALLELISM = 2")
        with connect(own.port) as through:
            if session is not None:
                through.execute(f"SET streaming_parallelism = {session}")
            through.execute(replacing("SELECT a, b FROM t"))
        assert rows(conn, "SELECT parallelism FROM rw_catalog.rw_streaming_jobs WHERE id = "
                    f"{rich.id_of(conn, 'm')}") == [(expected,)]
