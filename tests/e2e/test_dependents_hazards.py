"""What the server's rewriting of texts would break or silently change is refused before anything is
built: it compares base names only, in the texts of all that read what is swapped, directly or
through views.

See dependents.py for what is judged.
"""

import pytest

from dependents import FOLLOWS, GONE, UNSAFE, refused, shape, stays

IN_S = ("CREATE SCHEMA s1", "CREATE SCHEMA s2")
OTHER_TABLE = "CREATE TABLE s2.x (a INT, b INT)"
OTHER_VIEW = "CREATE VIEW s2.x AS SELECT 1 AS a, 7 AS b"
OTHER_X = "CREATE MATERIALIZED VIEW s2.x AS SELECT a, 77 AS b FROM public.t"
OTHERS = {"a table": OTHER_TABLE, "a view": OTHER_VIEW, "a materialized view": OTHER_X}
BOTH = "SELECT p.b AS l, q.b AS r FROM public.x AS p LEFT JOIN s2.x AS q ON p.a = q.a"


def hazard(name: str, *readers: str, expect=UNSAFE, **more):
    return shape(name, *readers, expect=expect, **{"before": IN_S, **more})


SHAPES = [
    *(hazard(f"reads {name} of the same name too", sql, BOTH) for name, sql in OTHERS.items()),
    hazard("reads both, unqualified once", OTHER_X, "SET search_path TO public, s2",
           "SELECT p.b AS l, q.b AS r FROM x AS p JOIN s2.x AS q ON p.a = q.a"),
    hazard("reads both in different places", OTHER_X,
           "SELECT (SELECT max(b) FROM s2.x) AS m, b FROM public.x WHERE a IN (SELECT a FROM s2.x)"),
    hazard("reads the other one where the rewriting does not reach", OTHER_X,
           "SELECT CASE WHEN (SELECT max(b) FROM s2.x) = 77 THEN b END AS c FROM public.x",
           expect=(UNSAFE, FOLLOWS)),
    hazard("reads the other one through a view", OTHER_X, "CREATE VIEW s2.w AS SELECT b FROM s2.x",
           "SELECT p.b, q.b AS c FROM public.x AS p, s2.w AS q"),
    hazard("reads x through a view and the other one", OTHER_X, "SELECT a, b FROM public.x",
           "SELECT p.b AS l, q.b AS r FROM v1 AS p JOIN s2.x AS q ON p.a = q.a"),
    hazard("reads x through two views and the other one", OTHER_TABLE, "SELECT a, b FROM public.x",
           "SELECT a, b FROM v1", "SELECT p.b FROM v2 AS p LEFT JOIN s2.x AS q ON p.a = q.a"),
    hazard("a materialized view reads both", OTHER_X,
           f"CREATE MATERIALIZED VIEW m AS {BOTH}", expect=(UNSAFE, stays("m"))),
    hazard("a materialized view reads x through a view and the other one", OTHER_X,
           "SELECT a, b FROM public.x", "CREATE MATERIALIZED VIEW m AS SELECT p.b AS l, q.b AS r"
           " FROM v1 AS p JOIN s2.x AS q ON p.a = q.a", expect=(UNSAFE, stays("m"))),
    hazard("a sink reads both", OTHER_X, f"CREATE SINK k AS {BOTH} WITH (connector = 'blackhole')",
           expect=(UNSAFE, stays("k"))),
    # Views that follow have names, too.
    hazard("reads a view that follows and another one of its name",
           "CREATE VIEW v AS SELECT a, b FROM public.x", "CREATE VIEW s2.v AS SELECT 1 AS a, 7 AS c",
           "CREATE VIEW w AS SELECT p.b, q.c FROM public.v AS p LEFT JOIN s2.v AS q ON p.a = q.a",
           expect=(UNSAFE, stays("v", "w"))),
    hazard("reads two views of one name that both follow",
           "CREATE VIEW v AS SELECT a, b FROM public.x", "CREATE VIEW s2.v AS SELECT a, b FROM public.x",
           "CREATE VIEW w AS SELECT p.b AS l, q.b AS r FROM public.v AS p JOIN s2.v AS q ON p.a = q.a",
           expect=(UNSAFE, stays("v", "w"))),
    hazard("a view of the name of x in another schema, nothing more",
           "CREATE VIEW s2.x AS SELECT a, b FROM public.x", expect=(FOLLOWS, UNSAFE)),
    hazard("a view of the name of x in another schema is read",
           "CREATE VIEW s2.x AS SELECT a, b FROM public.x", "CREATE VIEW w AS SELECT b FROM s2.x"),
    hazard("a view of the name of x in another schema, and a materialized view on it",
           "CREATE VIEW s2.x AS SELECT a, b FROM public.x",
           "CREATE MATERIALIZED VIEW m AS SELECT b FROM s2.x", expect=(UNSAFE, stays("x", "m"))),
    hazard("a materialized view of the name of x in another schema",
           "CREATE MATERIALIZED VIEW s2.x AS SELECT a, b FROM public.x", expect=(UNSAFE, stays("x"))),
    hazard("one name in three schemas, a chain", "CREATE VIEW s1.x AS SELECT a, b FROM public.x",
           "CREATE VIEW s2.x AS SELECT a, b FROM s1.x"),
    # WITH
    hazard("WITH of the name of x, beside it",
           "WITH x AS (SELECT 1 AS b) SELECT x.b, r.b AS rb FROM x, public.x AS r"),
    hazard("WITH of the name of x, made of it", "WITH x AS (SELECT a, b FROM public.x) SELECT b FROM x"),
    hazard("WITH of the name of x, in capitals", "WITH X AS (SELECT 1 AS b) SELECT q.b FROM x, public.x q"),
    hazard("WITH of the name of x, quoted",
           'WITH "x" AS (SELECT 1 AS b) SELECT q.b FROM "x", "public"."x" AS q'),
    hazard("WITH of the name of x in a subquery",
           "SELECT r.b FROM public.x AS r WHERE r.a IN (WITH x AS (SELECT 1 AS a) SELECT a FROM x)"),
    hazard("WITH of the name of x, not used", "WITH x AS (SELECT 1 AS b) SELECT b FROM public.x AS q",
           expect=(UNSAFE, FOLLOWS)),
    hazard("WITH of the name of x, and x through a view", "SELECT a, b FROM public.x",
           "WITH x AS (SELECT 1 AS a, 5 AS c) SELECT v1.b, x.c FROM v1 JOIN x ON x.a = v1.a"),
    hazard("WITH of the name of a view that follows", "CREATE VIEW v AS SELECT a, b FROM public.x",
           "CREATE VIEW w AS WITH v AS (SELECT a, b FROM public.v) SELECT b FROM v",
           expect=(UNSAFE, stays("v", "w"))),
    hazard("WITH of another name", "WITH xx AS (SELECT a, b FROM public.x) SELECT xx.b FROM xx, t",
           expect=FOLLOWS),
    hazard("a materialized view with WITH of the name of x",
           "CREATE MATERIALIZED VIEW m AS WITH x AS (SELECT a, b FROM public.x) SELECT b FROM x",
           expect=(UNSAFE, stays("m"))),
    # No reader of x: whatever it is called
    hazard("somebody else's relations of that name", OTHER_X, "CREATE VIEW w AS SELECT b FROM s2.x",
           "CREATE VIEW s1.x AS SELECT b FROM w", "SELECT b FROM public.x", expect=FOLLOWS),
    hazard("a WITH that has nothing to do with it", "CREATE VIEW w AS WITH x AS (SELECT 1 AS b) "
           "SELECT b FROM x", "SELECT q.b, w.b AS c FROM public.x AS q, w", expect=FOLLOWS),
    # Texts that cannot be parsed again: the server's meta would die at the swap.
    hazard("an index whose text reads as a comment", "CREATE INDEX i ON x((- -1))",
           expect=refused(), before=()),
    hazard("an index of a materialized view on x whose text reads as a comment",
           "CREATE MATERIALIZED VIEW m AS SELECT a FROM x", "CREATE INDEX i ON m((- -1))",
           expect=(UNSAFE, stays("m")), before=()),
    # Being created: nothing is known of it yet but its text.
    hazard("a job that is being created", "SET background_ddl = true",
           "CREATE MATERIALIZED VIEW hang_me AS SELECT b FROM x",
           expect=(refused(), stays("hang_me")), before=()),
    hazard("a job that is being created on a view", "SELECT a, b FROM x", "SET background_ddl = true",
           "CREATE MATERIALIZED VIEW hang_me AS SELECT b FROM v1",
           expect=(refused(), stays("hang_me")), before=()),
    hazard("a job that is being created on something else", "SELECT b FROM x",
           "SET background_ddl = true", "CREATE MATERIALIZED VIEW hang_me AS SELECT b FROM t",
           before=(), expect=FOLLOWS),
    hazard("an index that is being created on x", "SELECT b FROM x", "SET background_ddl = true",
           "CREATE INDEX hang_me ON x(b)", expect=refused(), before=()),
    # Columns that are gone, where the view would not even stay what it was
    hazard("the column is gone where the rewriting does not reach", "CREATE VIEW v1 AS SELECT a, "
           "CASE WHEN a > 0 THEN (SELECT count(s) FROM x) END AS w FROM t", expect=refused(), new=GONE,
           before=()),
]


@pytest.mark.parametrize("one", SHAPES, ids=str)
def test_hazard(stages, one):
    stages.of(one.version).play(one).check()
