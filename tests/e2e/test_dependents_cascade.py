"""mvswap.dependents = cascade: materialized views downstream are rebuilt, one after the other.

See dependents.py for what is judged; the reference makes them afresh as well.
"""

import pytest

import dependents as d
from dependents import GONE, MORE, UNSAFE, refused, stays

GRANT = "GRANT SELECT ON {} TO {}"


def m(name: str, query: str) -> str:
    return f"CREATE MATERIALIZED VIEW {name} AS {query}"


def cascading(name: str, *readers: str, **more) -> d.Shape:
    return d.shape(name, *readers, **{"policy": "cascade", **more})


CHAIN = (m("m", "SELECT a, b FROM x"), m("n", "SELECT a, b + 1 AS b FROM m"),
         m("o", "SELECT sum(b) AS b FROM n"))
SHAPES = [
    cascading("one", m("m", "SELECT sum(b) AS b FROM x")),
    cascading("a chain of three", *CHAIN),
    cascading("a diamond", m("m", "SELECT a, b FROM x"), m("n", "SELECT a, b + 1 AS b FROM x"),
              m("o", "SELECT m.b, n.b AS c, x.s FROM m JOIN n ON m.a = n.a JOIN x ON x.a = m.a")),
    cascading("views and materialized ones, mixed", "SELECT a, b FROM x", m("m", "SELECT a, b FROM v1"),
              "SELECT a, b FROM m", m("n", "SELECT v2.b, v1.a FROM v2 JOIN v1 ON v1.a = v2.a"),
              "SELECT b FROM n"),
    cascading("indexes", *CHAIN, "CREATE INDEX i ON m(b)", 'CREATE INDEX "J j" ON n(a DESC) INCLUDE(b)',
              "CREATE INDEX k ON x(b)"),
    cascading("grants and owners", *CHAIN, GRANT.format("MATERIALIZED VIEW m", "zoe") +
              " WITH GRANT OPTION", GRANT.format("MATERIALIZED VIEW o", "eve"),
              "ALTER MATERIALIZED VIEW n OWNER TO bob", "SELECT b FROM o",
              GRANT.format("VIEW v1", "eve")),
    cascading("a column list", "CREATE MATERIALIZED VIEW m (p, q) AS SELECT a, b FROM x",
              m("n", "SELECT q FROM m")),
    cascading("odd names", 'CREATE MATERIALIZED VIEW "My View" AS SELECT a, b FROM x',
              'CREATE MATERIALIZED VIEW n AS SELECT b FROM "My View"'),
    cascading("another schema", "CREATE MATERIALIZED VIEW s1.m AS SELECT a, b FROM public.x",
              m("n", "SELECT b FROM s1.m"), before=("CREATE SCHEMA s1",)),
    cascading("under a search path", "SET search_path TO s1, public", m("m", "SELECT a, b FROM x"),
              m("n", "SELECT b FROM m"), before=("CREATE SCHEMA s1",), x="s1.x"),
    cascading("missed references", m("m", "SELECT CASE WHEN (SELECT max(b) FROM x) > 100 THEN 'new' "
                                     "ELSE 'old' END AS w, a FROM t")),
    cascading("one column more", *CHAIN, new=MORE),
    cascading("only views", "SELECT a, b FROM x", "SELECT b FROM v1"),
    cascading("nothing reads it"),
    cascading("a sink", m("m", "SELECT a, b FROM x"),
              "CREATE SINK k FROM x WITH (connector = 'blackhole')", expect=stays("k")),
    cascading("a sink of a downstream one", m("m", "SELECT a, b FROM x"),
              "CREATE SINK k FROM m WITH (connector = 'blackhole')", expect=stays("k")),
    cascading("a subscription", *CHAIN, "CREATE SUBSCRIPTION u FROM n WITH (retention = '1 day')",
              expect=stays("u")),
    cascading("the column of the first is gone", m("m", "SELECT s FROM x"), m("n", "SELECT s FROM m"),
              new=GONE, expect=(stays("m", "n"), stays("m"), refused())),
    cascading("the column of one of two is gone", m("m", "SELECT s FROM x"), m("n", "SELECT b FROM x"),
              new=GONE, expect=(stays("m"), refused())),
    cascading("a hazard", m("m", "WITH x AS (SELECT a, b FROM public.x) SELECT b FROM x"),
              expect=UNSAFE),
    cascading("somebody else's", "ALTER MATERIALIZED VIEW x OWNER TO bob", m("m", "SELECT b FROM x"),
              GRANT.format("MATERIALIZED VIEW m", "bob"), by="bob", expect=(stays("m"), refused())),
]


@pytest.mark.parametrize("one", SHAPES, ids=str)
def test_cascade(stages, one):
    stages.of(one.version).play(one).check()


def test_the_second_one_fails_to_build(stages):
    """x and the first are live and consistent; who stays on what is told."""
    stage = d.Stage("--build-fail", r"MATERIALIZED VIEW \S*n_tmp_@1")
    try:
        one = d.Shape("fails", CHAIN, policy="cascade", expect=(stays("n", "o"), stays("n"), refused()))
        played = stage.play(one)
        if played.told.error is not None:
            played.judge()
            return
        after = played.after
        fresh = {key: d.answer(stage.reference.conn, key) for key in after.answers}
        assert after.answers[played.x] == fresh[played.x]
        assert after.answers["public", "m"] in (
            fresh["public", "m"], played.before.answers["public", "m"])
        for name in ("n", "o"):
            assert after.answers["public", name] == played.before.answers["public", name]
        assert played.told.warned_of("n"), played.told.everything()
        if after.answers["public", "m"] == played.before.answers["public", "m"]:
            assert played.told.warned_of("m"), played.told.everything()
        played.judge_left()
        played.judge_seen()
    finally:
        stage.close()
