"""The judge of the tests of dependents finds each slip, and nothing where there is none.

The replacement is done by hand here; no proxy takes part but for reading through it.
"""

import pytest

import dependents as d
from conftest import rows
from dependents import FOLLOWS, shape, stays
from dependents_by_hand import ByHand


@pytest.fixture
def stage(stages):
    return stages.of()


CHAIN = shape("a chain", "CREATE VIEW v1 (p, q) AS SELECT a, b FROM x", "SELECT q FROM v1",
              "GRANT SELECT ON VIEW v2 TO zoe WITH GRANT OPTION", "GRANT SELECT ON VIEW v2 TO eve",
              "ALTER VIEW v2 OWNER TO bob")
KEPT = shape("a materialized view stays", "SELECT a, b FROM x",
             "CREATE MATERIALIZED VIEW m AS SELECT sum(b) AS b FROM v1", expect=stays("m"))
SLIPS = ["no views", "last view", "column list", "grants", "option", "owner", "drop"]


@pytest.mark.parametrize("one", [CHAIN, KEPT], ids=str)
def test_without_a_slip_nothing_is_found(stage, one):
    stage.play(one, ByHand()).check()


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_found(stage, slip):
    with pytest.raises((AssertionError, d.psycopg.Error)):
        stage.play(CHAIN, ByHand(slip)).check()


@pytest.mark.parametrize("slip", ["no views", "last view", "warning"])
def test_a_slip_is_found_where_something_stays(stage, slip):
    with pytest.raises(AssertionError):
        stage.play(KEPT, ByHand(slip)).check()


def test_a_moment_without_the_view_is_found(stage):
    with pytest.raises(AssertionError, match="read"):
        stage.play(CHAIN, ByHand("drops first")).check()


def test_a_mixture_is_found(stage):
    """One of the two references moves with the swap, the other one only with the view."""
    mixed = shape("mixed", "SELECT CASE WHEN (SELECT max(b) FROM x) > 100 THEN 'new' ELSE 'old' END"
                  " AS w, (SELECT max(b) FROM x) AS b")
    with pytest.raises(AssertionError, match="read"):
        stage.play(mixed, ByHand()).check()


def test_a_wrong_expectation_is_found(stage):
    for one, expect in ((CHAIN, stays("v1")), (KEPT, FOLLOWS), (KEPT, stays("v1", "m"))):
        played = stage.play(d.shape(one.name, *one.readers, expect=expect), ByHand())
        played.judge()
        with pytest.raises(AssertionError, match="expected"):
            played.check()


def test_the_reference_does_not_take_part_in_what_it_judges(stage):
    stage.play(CHAIN, ByHand()).check()
    assert rows(stage.reference.conn, "SELECT q FROM v2") != []
    assert d.things(stage.reference.conn).keys() >= {("public", "v2"), ("public", "renamed_0")}
