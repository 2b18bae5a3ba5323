"""Whatever it is that reads the view: what can follow follows, with owner, grants and column names;
what cannot stays on the old view, which is kept, and is named.

See dependents.py for what is judged.
"""

import pytest

from dependents import FOLLOWS, GONE, MORE, NEW, TURNED, WIDER, refused, shape, stays

SUBSCRIPTION = "CREATE SUBSCRIPTION u FROM {} WITH (retention = '1 day')"
SINK = "CREATE SINK k FROM {} WITH (connector = 'blackhole')"
M = "CREATE MATERIALIZED VIEW m AS SELECT {} FROM {}"
GRANT = "GRANT SELECT ON VIEW {} TO {}"
FUNCTION = "CREATE FUNCTION f(INT) RETURNS INT LANGUAGE SQL AS 'SELECT $1 * 2'"
CHAIN = ["SELECT a, b FROM x", *(f"SELECT a, b FROM v{n}" for n in range(1, 5))]
DIAMOND = ["SELECT a, b FROM x", "SELECT a, b + 1 AS b FROM x", "SELECT a, b + 2 AS b FROM v1",
           "SELECT p.b, q.b AS c, r.b AS d FROM v1 AS p JOIN v2 AS q ON p.a = q.a"
           " JOIN v3 AS r ON r.a = q.a JOIN x ON x.a = r.a"]
DEFAULTS = "ALTER DEFAULT PRIVILEGES IN SCHEMA public {} SELECT ON {} {} zoe"
OF_BOB = ("ALTER MATERIALIZED VIEW x OWNER TO bob",)
STAR = "SELECT * FROM x"

SHAPES = [
    # Views on views
    shape("depth 5", *CHAIN),
    shape("depth 5, grants on each", *CHAIN, *(GRANT.format(f"v{n}", "zoe") for n in range(1, 6))),
    shape("a diamond", *DIAMOND),
    shape("x and a view on x", "SELECT a, b FROM x",
          "SELECT x.b AS l, v1.b AS r FROM x JOIN v1 ON x.a = v1.a"),
    shape("created in another order than they are named", "CREATE VIEW z AS SELECT a, b FROM x",
          "CREATE VIEW a AS SELECT b FROM z", "CREATE VIEW m AS SELECT a.b, z.a FROM a, z"),
    shape("nine views", *(f"SELECT a, b + {n} AS b FROM {'x' if n % 3 else 'v1'}"
                          for n in range(1, 10)), GRANT.format("v9", "bob")),
    shape("a view that was made anew", "SELECT b FROM x", "DROP VIEW v1",
          "CREATE VIEW v1 AS SELECT a FROM x"),
    shape("one that does not read it", "SELECT b FROM x", "CREATE VIEW w AS SELECT b FROM t",
          "CREATE VIEW z AS SELECT b FROM w"),
    # Owners and grants
    shape("grants with and without their option", "SELECT a, b FROM x", "SELECT b FROM v1",
          GRANT.format("v1", "zoe"), GRANT.format("v1", "bob, eve") + " WITH GRANT OPTION",
          GRANT.format("v2", "eve"), "GRANT SELECT ON MATERIALIZED VIEW x TO zoe"),
    shape("granted by somebody else", "SELECT a, b FROM x", GRANT.format("v1", "bob") +
          " WITH GRANT OPTION", "@bob " + GRANT.format("v1", "zoe")),
    shape("a grant that was revoked", "SELECT b FROM x", GRANT.format("v1", "zoe, bob"),
          "REVOKE SELECT ON VIEW v1 FROM bob"),
    shape("default privileges do not open it", "SELECT b FROM x", GRANT.format("v1", "eve"),
          DEFAULTS.format("GRANT", "VIEWS", "TO"), DEFAULTS.format("GRANT", "MATERIALIZED VIEWS", "TO"),
          behind=(DEFAULTS.format("REVOKE", "VIEWS", "FROM"),
                  DEFAULTS.format("REVOKE", "MATERIALIZED VIEWS", "FROM"))),
    shape("default privileges with an option", DEFAULTS.format("GRANT", "VIEWS", "TO") +
          " WITH GRANT OPTION", "SELECT b FROM x", "REVOKE GRANT OPTION FOR SELECT ON VIEW v1 FROM zoe",
          behind=(DEFAULTS.format("REVOKE", "VIEWS", "FROM"),)),
    shape("of another owner", "SELECT a, b FROM x", "SELECT b FROM v1", "ALTER VIEW v1 OWNER TO bob",
          GRANT.format("v1", "zoe")),
    shape("of two owners, a chain", "SELECT a, b FROM x", "SELECT b FROM v1", "SELECT b FROM v2",
          "ALTER VIEW v1 OWNER TO bob", "ALTER VIEW v2 OWNER TO eve", "ALTER MATERIALIZED VIEW x OWNER "
          "TO bob", GRANT.format("v2", "bob")),
    shape("an owner who may read nothing of it any more", "GRANT SELECT ON MATERIALIZED VIEW x TO eve",
          "@eve CREATE VIEW v1 AS SELECT b FROM x", "REVOKE SELECT ON MATERIALIZED VIEW x FROM eve"),
    shape("an owner who may create nothing any more", "SELECT b FROM x", "ALTER VIEW v1 OWNER TO zoe"),
    shape("the owner of all replaces", *OF_BOB, "@bob CREATE VIEW v1 AS SELECT a, b FROM x",
          "@bob CREATE VIEW v2 AS SELECT b FROM v1", GRANT.format("v2", "zoe"), by="bob"),
    shape("a view of somebody else", *OF_BOB, "SELECT a, b FROM x", GRANT.format("v1", "bob"),
          by="bob", expect=(stays("v1"), refused())),
    shape("a view of somebody else, and one's own", *OF_BOB, "SELECT a, b FROM x",
          "@bob CREATE VIEW v2 AS SELECT b FROM x", GRANT.format("v1", "bob"), by="bob",
          expect=(stays("v1"), refused())),
    shape("one's own on a view of somebody else", *OF_BOB, "SELECT a, b FROM x",
          GRANT.format("v1", "bob"), "@bob CREATE VIEW v2 AS SELECT b FROM v1", by="bob",
          expect=(stays("v1", "v2"), refused())),
    shape("a view that one cannot see", *OF_BOB, "SELECT a, b FROM x", by="bob",
          expect=(stays(), refused()), unseen=("v1",)),
    shape("a view that one cannot see, and one's own", *OF_BOB, "SELECT a, b FROM x",
          "@bob CREATE VIEW w AS SELECT b FROM x", by="bob", expect=(stays(), refused()),
          unseen=("v1",)),
    shape("a materialized view that one cannot see", *OF_BOB, M.format("b", "x"), by="bob",
          expect=(stays(), refused()), unseen=("m",)),
    shape("one's own, read by a view that one cannot see", *OF_BOB,
          "@bob CREATE VIEW w AS SELECT a, b FROM x", "SELECT b FROM w", by="bob",
          expect=(stays(), stays("w"), refused()), unseen=("v1",)),
    # Columns
    shape("a column list", "CREATE VIEW v1 (p, q) AS SELECT a, b FROM x", "SELECT q FROM v1",
          "CREATE VIEW v3 (r) AS SELECT count(p) FROM v1"),
    shape("a column list over a star", "CREATE VIEW v1 (p, q, r, z) AS SELECT * FROM x",
          "SELECT r, q FROM v1"),
    shape("a column list that turns names round", "CREATE VIEW v1 (b, a) AS SELECT a, b FROM x",
          "SELECT b, a FROM v1"),
    shape("a star", STAR, "SELECT * FROM v1", "SELECT q.* FROM x AS q"),
    shape("a star, one column more", STAR, "SELECT * FROM v1", new=MORE,
          expect=(FOLLOWS, stays("v1", "v2"))),
    shape("a star, one column less", STAR, "SELECT * FROM v1", new=GONE,
          expect=(FOLLOWS, stays("v1", "v2"))),
    shape("a star, other types", STAR, "SELECT * FROM v1", new=WIDER),
    shape("a star, another order", STAR, "SELECT * FROM v1", new=TURNED,
          expect=(FOLLOWS, stays("v1", "v2"))),
    shape("a star with a list, another order", "CREATE VIEW v1 (p, q, r, z) AS SELECT * FROM x",
          new=TURNED, expect=(FOLLOWS, stays("v1"))),
    shape("a star with a list, one column more", "CREATE VIEW v1 (p, q, r, z) AS SELECT * FROM x",
          "SELECT p FROM v1", "SELECT b FROM x", new=MORE, expect=stays("v1", "v2")),
    shape("a star of a part, another order", "SELECT t.s, x.* FROM t JOIN x ON t.a = x.a", new=TURNED,
          expect=(FOLLOWS, stays("v1"))),
    shape("one column more", "SELECT a, b FROM x", "SELECT b FROM v1", new=MORE),
    shape("another order of columns", "SELECT a, b FROM x", "SELECT b FROM v1", new=TURNED),
    shape("a wider type", "SELECT a, b FROM x", "SELECT b + 1 AS c FROM v1", new=WIDER),
    shape("a column that nobody reads is gone", "SELECT a, b FROM x", "SELECT b FROM v1", new=GONE),
    shape("a column is gone", "SELECT s FROM x", new=GONE, expect=stays("v1")),
    shape("a column is gone, others follow", "SELECT s FROM x", "SELECT a, b FROM x", "SELECT b FROM v2",
          GRANT.format("v1", "zoe"), GRANT.format("v2", "zoe"), new=GONE, expect=stays("v1")),
    shape("a column is gone in a chain", "SELECT a, s FROM x", "SELECT a FROM v1", "SELECT a FROM v2",
          new=GONE, expect=stays("v1", "v2", "v3")),
    shape("a column is gone at the end of a chain", "SELECT * FROM x", "SELECT a, b FROM v1",
          "SELECT s FROM x", new=GONE, expect=(stays("v3"), stays("v1", "v2", "v3"))),
    shape("a column is gone, and x is read beside the one that stays", "SELECT a, s FROM x",
          "SELECT x.b, v1.s FROM x JOIN v1 ON x.a = v1.a", new=GONE, expect=stays("v1", "v2")),
    shape("a column is gone in a diamond", "SELECT a, s FROM x", "SELECT a, b FROM x",
          "SELECT v1.s, v2.b FROM v1 JOIN v2 ON v1.a = v2.a", new=GONE, expect=stays("v1", "v3")),
    shape("a type that does not fit any more", "SELECT b + 1 AS c FROM x", "SELECT a FROM x",
          new="SELECT a, s AS b, s, ts FROM public.t", expect=stays("v1")),
    # What cannot follow
    shape("a materialized view", M.format("sum(b) AS b", "x"), expect=stays("m")),
    shape("a materialized view with an index and grants", M.format("a, b", "x"), "CREATE INDEX i ON m(b)",
          "GRANT SELECT ON MATERIALIZED VIEW m TO zoe WITH GRANT OPTION", expect=stays("m")),
    shape("a materialized view, and a view beside it", M.format("b", "x"), "SELECT b FROM x",
          expect=stays("m")),
    shape("a materialized view on a view", "SELECT a, b FROM x", M.format("b", "v1"),
          GRANT.format("v1", "zoe"), expect=stays("m")),
    shape("a materialized view on a view on a view", *CHAIN[:3], M.format("b", "v2"), expect=stays("m")),
    shape("a view on x and on a materialized view on x", M.format("a, b", "x"),
          "SELECT x.b AS l, m.b AS r FROM x LEFT JOIN m ON x.a = m.a", expect=stays("m")),
    shape("a view on a materialized view", M.format("a, b", "x"), "SELECT b FROM m",
          "SELECT v1.b, m.a FROM v1, m", expect=stays("m")),
    shape("materialized views, a chain", M.format("a, b", "x"),
          "CREATE MATERIALIZED VIEW n AS SELECT b FROM m", expect=stays("m")),
    shape("a materialized view on a view and x", "SELECT a, b FROM x",
          "CREATE MATERIALIZED VIEW m AS SELECT x.b, v1.a FROM x JOIN v1 ON x.a = v1.a",
          expect=stays("m")),
    shape("a sink", SINK.format("x"), expect=stays("k")),
    shape("a sink of a query", "SELECT a, b FROM x",
          "CREATE SINK k AS SELECT b FROM v1 WITH (connector = 'blackhole')", expect=stays("k")),
    shape("a sink into a table", "CREATE TABLE target (a INT, b INT, s VARCHAR, ts TIMESTAMP)",
          "CREATE SINK k INTO target FROM x WITH (type = 'append-only', force_append_only = 'true')",
          "SELECT b FROM target", "SELECT b FROM x", expect=stays("k")),
    shape("a subscription", SUBSCRIPTION.format("x"), expect=stays("u")),
    shape("an index", "CREATE INDEX i ON x(b)", "SELECT b FROM x",
          'CREATE INDEX "I 2" ON x(a DESC) INCLUDE(b)'),
    shape("an index and a materialized view", "CREATE INDEX i ON x(b)", M.format("b", "x"),
          expect=stays("m")),
    shape("a function in a view", FUNCTION, "SELECT f(b) AS b FROM x", "SELECT f(b) + 1 AS c FROM v1"),
    shape("a function in a materialized view", FUNCTION, M.format("f(b) AS b", "x"),
          "SELECT f(a) AS b FROM x", expect=stays("m")),
    shape("all at once", "SELECT a, b FROM x", "CREATE VIEW v2 (p, q) AS SELECT a, b FROM v1",
          "SELECT s FROM x", M.format("q", "v2"), SINK.format("x"), SUBSCRIPTION.format("x"),
          "CREATE INDEX i ON x(b)", GRANT.format("v2", "zoe") + " WITH GRANT OPTION",
          "ALTER VIEW v2 OWNER TO bob", "SELECT p.a, q.q FROM v1 AS p JOIN v2 AS q ON p.a = q.p",
          "GRANT SELECT ON MATERIALIZED VIEW x TO eve", expect=stays("m", "k", "u")),
    shape("all at once, and a column is gone", "SELECT a, b FROM x", "SELECT s FROM x",
          "SELECT v1.b, v2.s FROM v1, v2", M.format("s", "v2"), SINK.format("x"), "CREATE INDEX i ON x(b)",
          new=GONE, expect=stays("v2", "v3", "m", "k")),
    shape("a view on a table of a name like x", "CREATE TABLE xx (a INT)", "SELECT a FROM xx",
          "SELECT b FROM x", new=NEW),
]


@pytest.mark.parametrize("one", SHAPES, ids=str)
def test_kind(stages, one):
    stages.of(one.version).play(one).check()
