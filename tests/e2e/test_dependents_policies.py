"""mvswap.dependents = keep and refuse, EXPLAIN under each policy, and what becomes of an old view that
was kept because something read it."""

import re

import psycopg
import pytest

import dependents as d
import rich_view as rich
from conftest import connect, rows
from dependents import UNSAFE, refused, shape

MAX_B = "(SELECT max(b) FROM x)"
M = "CREATE MATERIALIZED VIEW m AS SELECT {} FROM {}"
POLICIES = ["views", "keep", "refuse", "cascade"]
RICH = shape("rich", "SELECT a, b FROM x", "CREATE VIEW v2 (p, q) AS SELECT a, b FROM v1",
             M.format("q", "v2"), "CREATE SINK k FROM x WITH (connector = 'blackhole')",
             "GRANT SELECT ON VIEW v2 TO zoe", "CREATE INDEX i ON x(b)")
PLAIN = shape("plain", "SELECT a, b FROM x", "SELECT b FROM v1")


@pytest.fixture
def stage(stages):
    return stages.of()


def with_policy(one: d.Shape, policy: str, *expect: d.Expected) -> d.Shape:
    return d.Shape(one.name, one.readers, expect, policy=policy)


def nobody_moved(played: d.Played) -> None:
    before, after = played.before, played.after
    moving = played.moving()
    told = played.told.everything()
    for key, thing in before.things.items():
        if thing.id in moving and thing.kind != "index":
            assert after.things[key] == thing
            assert d.says(told, key[1]), (key, told)
    (left,) = [key for key, thing in after.things.items()
               if key not in before.things and thing.kind != "index"]
    assert after.things[left].id == before.things[played.x].id and d.says(told, left[1])


@pytest.mark.parametrize("one", [PLAIN, RICH], ids=str)
def test_keep(stage, one):
    played = stage.play(with_policy(one, "keep"))
    assert played.told.error is None, played.told.error
    assert played.after.things[played.x].id != played.before.things[played.x].id
    nobody_moved(played)
    for key, found in played.before.answers.items():
        if key != played.x:
            assert played.after.answers[key] == found
    played.judge_seen()


@pytest.mark.parametrize("sql", [
    f"SELECT CASE WHEN {MAX_B} > 100 THEN 'new' ELSE 'old' END AS w",
    "SELECT b, window_start FROM TUMBLE(x, ts, INTERVAL '1 minute')"])
def test_keep_tells_of_what_reads_the_new_one_at_once(stage, sql):
    """It cannot be kept on the old one: the server's rewriting does not reach it."""
    played = stage.play(with_policy(shape("missed", sql, "SELECT b FROM x"), "keep"))
    if played.told.error is not None:
        assert played.outcome().codes[0] == "55000"
        played.judge()
        return
    nobody_moved(played)
    # In another line than the SQL that moves it.
    told = [line for _, text in played.told.notices for line in text.splitlines()
            if not line.startswith("CREATE")]
    assert any(re.search(r"\bnew\b.*\bat once\b|\bat once\b.*\bnew\b|reads the new", line)
               for line in told), told


@pytest.mark.parametrize("one", [PLAIN, RICH], ids=str)
def test_refuse(stage, one):
    played = stage.play(with_policy(one, "refuse", refused("2BP01")))
    played.check()
    assert not any("_tmp_" in sql for sql in played.sent)
    error = played.told.error
    text = f"{error.diag.message_primary} {error.diag.message_detail} {error.diag.message_hint}"
    for name in ("v1", "v2"):
        assert d.says(text, name), text


def test_refuse_without_dependents(stage):
    stage.play(with_policy(shape("alone", "CREATE INDEX i ON x(b)"), "refuse", d.FOLLOWS)).check()


def test_refuse_goes_by_what_is_there_before_the_swap(stage):
    """Nothing reads it at the beginning; when the build is done something does."""
    one = with_policy(shape("alone"), "refuse", refused())

    def somebody_comes(stage: d.Stage, one: d.Shape) -> d.Told:
        watching = stage.link.fault
        hold = d.AtChanges("hold", 0, after=True)
        hold.strikes = lambda number, text: (
            text.startswith("CREATE MATERIALIZED VIEW") and "_tmp_" in text)
        hold.on_strike = lambda: stage.server.conn.execute("CREATE VIEW late AS SELECT b FROM x")
        stage.link.arm(hold)
        told = d.by_proxy(stage, one)
        stage.link.fault = watching
        return told

    played = stage.play(one, somebody_comes)
    assert played.told.error is not None and played.told.error.sqlstate in ("2BP01", "40001")
    late = played.after.things.pop(("public", "late"))
    played.after.references.pop(late.id)
    played.after.answers.pop(late.key)
    played.judge()


@pytest.mark.parametrize("policy", ["views", "cascade"])
def test_a_view_that_came_during_the_build_follows(stage, policy):
    one = with_policy(shape("alone", "SELECT a, b FROM x"), policy, d.FOLLOWS)

    def somebody_comes(stage: d.Stage, one: d.Shape) -> d.Told:
        hold = d.AtChanges("hold", 0, after=True)
        hold.strikes = lambda number, text: (
            text.startswith("CREATE MATERIALIZED VIEW") and "_tmp_" in text)
        hold.on_strike = lambda: stage.server.conn.execute("CREATE VIEW late AS SELECT b FROM v1")
        stage.link.arm(hold)
        return d.by_proxy(stage, one)

    played = stage.play(one, somebody_comes)
    late = d.answer(stage.server.conn, ("public", "late"))
    if played.told.error is not None:
        assert played.told.error.sqlstate in ("40001", "55000", "2BP01")
        assert late[2] == ("(10,)", "(20,)")
    elif not played.told.warned_of("late"):
        assert late[2] == ("(1010,)", "(1020,)", "(1030,)")
        assert rich.ours(rich.all_names(stage.server.conn)) == set()


def test_a_view_on_both_objects_that_came_during_the_build(stage):
    """The swap would make it read one of them twice, for good."""
    one = shape("alone", "SELECT a, b FROM x")
    names = []

    def somebody_comes(stage: d.Stage, one: d.Shape) -> d.Told:
        hold = d.AtChanges("hold", 0, after=True)
        hold.strikes = lambda number, text: text.startswith("GRANT") and "_tmp_" in text

        def come() -> None:
            (name,) = rich.ours(rich.all_names(stage.server.conn))
            names.append(name)
            stage.server.conn.execute(
                f"CREATE VIEW late AS SELECT p.b AS l, q.b AS r FROM x AS p JOIN {name} AS q"
                " ON p.a = q.a")

        hold.on_strike = come
        stage.link.arm(hold)
        return d.by_proxy(stage, one)

    one = d.Shape("both", (*one.readers, "GRANT SELECT ON MATERIALIZED VIEW x TO zoe"))
    played = stage.play(one, somebody_comes)
    assert names and played.told.error is not None
    assert played.told.error.sqlstate in ("55000", "40001"), played.told.error
    assert d.answer(stage.server.conn, ("public", "late"))[2] == ("(10, 1010)", "(20, 1020)")
    assert played.after.things[played.x].id == played.before.things[played.x].id
    # It reads the new one, which therefore cannot be dropped; that is told.
    text = " ".join(filter(None, (played.told.error.diag.message_primary,
                                  played.told.error.diag.message_detail,
                                  played.told.error.diag.message_hint, played.told.everything())))
    assert d.says(text, names[0]), text


# -- EXPLAIN


HAZARD = shape("hazard", "WITH x AS (SELECT a, b FROM public.x) SELECT b FROM x")
GONE = shape("gone", "SELECT s FROM x", new=d.GONE)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("one", [PLAIN, RICH, HAZARD, GONE], ids=str)
def test_explain(stage, one, policy):
    stage.server.build(one)
    before = stage.state()
    with connect(stage.proxy.port, options=f"-c mvswap.dependents={policy}") as conn:
        plan = "\n".join(line for (line,) in rows(
            conn, f"EXPLAIN CREATE OR REPLACE MATERIALIZED VIEW x AS {one.new}"))
    after = stage.state()
    assert (after.things, after.references, after.answers) == (
        before.things, before.references, before.answers)
    if one is HAZARD:
        assert ("2BP01" if policy == "refuse" else "55000") in plan, plan
    elif policy == "refuse":
        assert "2BP01" in plan, plan
    else:
        for name in ("v1", "v2") if one is not GONE else ("v1",):
            assert d.says(plan, name), plan
    if one is RICH and policy != "refuse":
        for name in ("m", "k", "i"):
            assert d.says(plan, name), plan


# -- again and again


def replace(stage: d.Stage, query: str, **settings) -> d.Told:
    told = d.Told()
    options = " ".join(f"-c mvswap.{name}={value}" for name, value in settings.items())
    with connect(stage.proxy.port, options=options) as conn:
        conn.add_notice_handler(told.hear)
        try:
            told.tag = conn.execute(f"CREATE OR REPLACE MATERIALIZED VIEW x AS {query}").statusmessage
        except psycopg.Error as error:
            told.error = error
    return told


def left(stage: d.Stage) -> set[str]:
    return rich.ours(rich.all_names(stage.server.conn))


def test_twice_in_a_row(stage):
    one = shape("rich views", "SELECT a, b FROM x", "CREATE VIEW v2 (p, q) AS SELECT a, b FROM v1",
                "GRANT SELECT ON VIEW v2 TO zoe WITH GRANT OPTION", "ALTER VIEW v1 OWNER TO bob")
    played = stage.play(one)
    played.check()
    anatomy = {key: (thing.owner, thing.grants) for key, thing in played.after.things.items()}
    for number in (5, 6):
        told = replace(stage, f"SELECT a, {number} AS b, s, ts FROM t")
        assert told.error is None and told.warnings() == ""
        assert rows(stage.server.conn, "SELECT max(q), min(q) FROM v2") == [(number, number)]
        now = d.things(stage.server.conn)
        assert {key: (thing.owner, thing.grants) for key, thing in now.items()} == anatomy


def test_what_was_kept_is_dropped_when_nobody_reads_it_any_more(stage):
    """Leaf first, views and materialized views mixed."""
    one = shape("kept", "SELECT a, b FROM x", "CREATE VIEW v2 (p, q) AS SELECT a, b FROM v1",
                M.format("q", "v2"), expect=d.stays("m"))
    played = stage.play(one)
    played.check()
    assert len(left(stage)) == 3
    told = replace(stage, "SELECT a, 5 AS b, s, ts FROM t")
    assert told.error is None
    # m reads what it read.
    assert rows(stage.server.conn, "SELECT sum(q) FROM m") == [(30,)]
    assert len(left(stage)) == 3, left(stage)
    stage.server.conn.execute("DROP MATERIALIZED VIEW m")
    told = replace(stage, "SELECT a, 6 AS b, s, ts FROM t")
    assert told.error is None and told.warnings() == ""
    assert left(stage) == set()
    assert rows(stage.server.conn, "SELECT DISTINCT q FROM v2") == [(6,)]


def test_of_two_that_were_kept_the_one_that_nobody_reads_is_dropped(stage):
    stage.play(shape("kept", "SELECT a, b FROM x", M.format("b", "v1"), expect=d.stays("m"))).check()
    first = left(stage)
    stage.server.conn.execute("CREATE MATERIALIZED VIEW n AS SELECT b FROM x")
    told = replace(stage, "SELECT a, 5 AS b, s, ts FROM t")
    assert told.error is None and told.warned_of("n") and not told.warned_of("v1")
    second = left(stage) - first
    assert len(first) == 2 and len(second) == 1
    stage.server.conn.execute("DROP MATERIALIZED VIEW m")
    assert replace(stage, "SELECT a, 6 AS b, s, ts FROM t").error is None
    assert left(stage) == second
    stage.server.conn.execute("DROP MATERIALIZED VIEW n")
    assert replace(stage, "SELECT a, 7 AS b, s, ts FROM t").error is None
    assert left(stage) == set()


def test_a_view_that_stayed_can_be_moved_by_its_user(stage):
    """The column is back: the statement that the WARNING gives does it, or the user's own."""
    stage.play(shape("gone", "SELECT s FROM x", new=d.GONE, expect=d.stays("v1"))).check()
    assert len(left(stage)) == 1
    told = replace(stage, d.NEW)
    assert told.error is None
    stage.server.conn.execute("DROP VIEW v1")
    stage.server.conn.execute("CREATE VIEW v1 AS SELECT s FROM x")
    told = replace(stage, d.OLD)
    assert told.error is None and told.warnings() == ""
    assert left(stage) == set()
    assert rows(stage.server.conn, "SELECT s FROM v1 ORDER BY s") == [("one",), ("two",)]


def test_keep_old_goes_with_views_that_follow(stage):
    stage.play(PLAIN).check()
    told = replace(stage, "SELECT a, 5 AS b, s, ts FROM t", keep_old="1h")
    assert told.error is None and told.warnings() == ""
    (kept,) = left(stage)
    assert rows(stage.server.conn, "SELECT DISTINCT b FROM v2") == [(5,)]
    assert rows(stage.server.conn, f'SELECT max(b) FROM "{kept}"') == [(1030,)]
    stage.server.conn.execute(f'DROP MATERIALIZED VIEW "{kept}"')


def test_zero_downtime_off_with_dependents(stage):
    """The old view cannot be dropped first while something reads it."""
    stage.server.build(PLAIN)
    before = stage.state()
    told = replace(stage, d.NEW, zero_downtime="off")
    if told.error is not None:
        after = stage.state()
        assert (after.things, after.answers) == (before.things, before.answers)
    else:
        assert rows(stage.server.conn, "SELECT max(b) FROM v2") == [(1030,)]


@pytest.mark.parametrize("policy, codes", [("views", UNSAFE.codes), ("keep", UNSAFE.codes),
                                           ("refuse", ("2BP01", "55000")), ("cascade", UNSAFE.codes)])
def test_a_hazard_is_one_under_each_policy(stage, policy, codes):
    played = stage.play(with_policy(HAZARD, policy, refused(*codes)))
    played.check()
    assert not any("_tmp_" in sql for sql in played.sent)
