"""Every place in a query where a relation can stand: a view that names x there follows the swap.

See dependents.py for what is judged.
"""

import pytest

from dependents import FOLLOWS, GONE, UNSAFE, refused, shape, stays

MAX_B, MAX_S = "(SELECT max(b) FROM x)", "(SELECT max(s) FROM x)"
MINUTE = "INTERVAL '1 minute'"

REACHED = {
    "FROM": "SELECT a, b FROM x",
    "alias": "SELECT q.b FROM x AS q",
    "alias with columns": "SELECT q.d FROM x AS q (c, d, e, f)",
    "qualified column": "SELECT x.b, x.s FROM x",
    "join on the left": "SELECT x.b, t.s FROM x JOIN t ON x.a = t.a",
    "join on the right": "SELECT x.b, t.s FROM t JOIN x ON x.a = t.a",
    "left join": "SELECT t.a, x.b FROM t LEFT JOIN x ON x.a = t.a",
    "right join": "SELECT t.a, x.b FROM x RIGHT JOIN t ON x.a = t.a",
    "full join": "SELECT t.a, x.b FROM x FULL JOIN t ON x.a = t.a + 1",
    "cross join": "SELECT t.a, x.b FROM x CROSS JOIN t",
    "join using": "SELECT x.b, t.s FROM x JOIN t USING (a)",
    "join in parentheses": "SELECT x.b, t.s FROM (t JOIN x ON x.a = t.a)",
    "three joins": "SELECT x.b, p.s FROM t JOIN x ON x.a = t.a JOIN t AS p ON p.a = x.a",
    "comma": "SELECT t.a, x.b FROM t, x WHERE t.a = x.a",
    "twice": "SELECT p.b AS l, q.b AS r FROM x AS p JOIN x AS q ON p.a = q.a",
    "twice, once without alias": "SELECT x.b AS l, q.b AS r FROM x, x AS q WHERE x.a = q.a",
    "subquery": "SELECT b FROM (SELECT b FROM x WHERE a > 0) AS q",
    "subquery in a subquery": "SELECT b FROM (SELECT b FROM (SELECT * FROM x) AS p) AS q",
    "scalar subquery": f"SELECT {MAX_B} AS b",
    "correlated scalar": "SELECT (SELECT max(b) FROM x WHERE x.a = t.a) AS b FROM t",
    "EXISTS": "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM x WHERE b > 100)",
    "NOT EXISTS, correlated": "SELECT a FROM t WHERE NOT EXISTS (SELECT 1 FROM x WHERE x.b = t.b)",
    "EXISTS as a column": "SELECT EXISTS (SELECT 1 FROM x WHERE b > 100) AS e",
    "IN": "SELECT a FROM t WHERE a IN (SELECT a FROM x WHERE b > 100)",
    "NOT IN": "SELECT a FROM t WHERE b NOT IN (SELECT b FROM x)",
    "ANY": "SELECT a FROM t WHERE b + 1000 = ANY (SELECT b FROM x)",
    "ALL": "SELECT a FROM t WHERE b < ALL (SELECT b FROM x WHERE b > 10)",
    "UNION ALL": "SELECT b FROM x UNION ALL SELECT b FROM t UNION ALL SELECT b FROM x",
    "UNION": "SELECT b FROM t UNION SELECT b FROM x",
    "INTERSECT": "SELECT b FROM x INTERSECT SELECT b + 1000 FROM t",
    "EXCEPT": "SELECT b FROM t EXCEPT SELECT b FROM x",
    "set operations in parentheses":
        "(SELECT b FROM x) UNION ALL ((SELECT b FROM t) EXCEPT (SELECT b FROM x))",
    "WITH": "WITH q AS (SELECT b FROM x) SELECT b FROM q",
    "WITH, used twice": "WITH q AS (SELECT a, b FROM x) SELECT p.b FROM q AS p JOIN q ON p.a = q.a",
    "WITH and outside": "WITH q AS (SELECT a FROM x) SELECT x.b FROM x JOIN q ON q.a = x.a",
    "WITH in WITH": "WITH p AS (SELECT b FROM x), q AS (SELECT b FROM p) SELECT b FROM q",
    "WITH in a subquery": "SELECT b FROM (WITH q AS (SELECT b FROM x) SELECT b FROM q) AS r",
    "LATERAL": "SELECT q.b FROM t, LATERAL (SELECT b FROM x WHERE x.a = t.a) AS q",
    "GROUP BY": "SELECT a, sum(b) AS b FROM x GROUP BY a",
    "HAVING subquery": f"SELECT a FROM t GROUP BY a HAVING max(b) + 980 > {MAX_B}",
    "ORDER BY and LIMIT": "SELECT b FROM x ORDER BY b DESC LIMIT 1",
    "ORDER BY subquery": f"SELECT b FROM x ORDER BY {MAX_B}, b LIMIT 1 OFFSET 1",
    "VALUES": "SELECT x.b, q.n FROM (VALUES (1, 'p'), (2, 'q')) AS q (a, n) JOIN x ON x.a = q.a",
    "window": "SELECT a, row_number() OVER (PARTITION BY s ORDER BY b) AS n, b FROM x",
    "DISTINCT ON": "SELECT DISTINCT ON (s) s, b FROM x ORDER BY s, b",
    "FILTER": "SELECT count(*) FILTER (WHERE b > 100) AS n FROM x",
    "argument of a function": f"SELECT coalesce({MAX_B}, 0) AS b, concat({MAX_S}, '?') AS s",
    "cast": "SELECT (SELECT max(b) FROM x)::varchar AS b",
    "BETWEEN": f"SELECT a FROM t WHERE 500 BETWEEN b AND {MAX_B}",
    "EXTRACT": "SELECT EXTRACT(MINUTE FROM (SELECT max(ts) FROM x)) AS m",
    "no column of it": "SELECT count(*) AS n FROM x",
    "a constant": "SELECT 1 AS one FROM x",
    "names that are no references": "SELECT 'x' AS l, x.b AS x, 'FROM x' AS f FROM x",
    "alias of another table": "SELECT x.b, y.b AS c FROM t AS x JOIN public.x AS y ON x.a = y.a",
    "minus signs": "SELECT a - -1 AS c, '--1' AS d, - b AS e FROM x",
    "strings": r"SELECT 'it''s' AS p, E'a\nb' AS q, $$d'q$$ AS r, b FROM x",
    "comments": "SELECT /* mvswap: dependents=keep */ b -- from x\nFROM /* x */ x -- end",
    "now()": "SELECT b FROM x WHERE now() > '2020-01-01'::timestamptz",
}
# The server's rewriting passes these by: they read the new one from the swap on.
MISSED = {
    "CASE": f"SELECT CASE WHEN {MAX_B} > 100 THEN 'new' ELSE 'old' END AS w",
    "CASE operand": f"SELECT CASE {MAX_B} WHEN 20 THEN 'old' ELSE 'new' END AS w",
    "CASE result": f"SELECT CASE WHEN 1 = 1 THEN {MAX_S} END AS w",
    "IN list": f"SELECT 20 IN (1, {MAX_B}) AS w",
    "array index": "SELECT (ARRAY['p', 'q', 'r'])[(SELECT count(*)::int FROM x)] AS w",
    "array slice": "SELECT (ARRAY['p', 'q', 'r'])[1:(SELECT count(*)::int FROM x)] AS w",
    "SUBSTRING of": f"SELECT SUBSTRING({MAX_S} FROM 1 FOR 9) AS w",
    "SUBSTRING FROM": "SELECT SUBSTRING('abcdef' FROM (SELECT count(*)::int FROM x)) AS w",
    "SUBSTRING FOR": "SELECT SUBSTRING('abcdef' FROM 1 FOR (SELECT count(*)::int FROM x)) AS w",
    "TRIM": f"SELECT TRIM(BOTH '!' FROM {MAX_S}) AS w, TRIM({MAX_S}) AS z",
    "OVERLAY": f"SELECT OVERLAY('......' PLACING {MAX_S} FROM 2 FOR 3) AS w",
    "TUMBLE": f"SELECT b, window_start FROM TUMBLE(x, ts, {MINUTE})",
    "TUMBLE of a schema": f"SELECT b, window_start FROM TUMBLE(public.x, ts, {MINUTE})",
    "TUMBLE with an alias": f"SELECT q.b, q.window_end FROM TUMBLE(x, ts, {MINUTE}) AS q",
    "HOP": f"SELECT b, window_start FROM HOP(x, ts, {MINUTE}, INTERVAL '2 minutes')",
}
# One reference moves with the swap, the other one with the view: between them it would read both.
MIXED = {
    "CASE and FROM": f"SELECT b, CASE WHEN {MAX_B} > 100 THEN 'new' ELSE 'old' END AS w FROM x",
    "TUMBLE and join": f"SELECT q.b, x.b AS c FROM TUMBLE(x, ts, {MINUTE}) AS q JOIN x ON q.a = x.a",
    "IN list and scalar": f"SELECT {MAX_B} IN (1, {MAX_B}) AS w, {MAX_B} AS b",
}

SHAPES = [
    *(shape(name, sql) for name, sql in REACHED.items()),
    *(shape(f"missed: {name}", sql) for name, sql in MISSED.items()),
    *(shape(f"missed, through a view: {name}", "SELECT * FROM x", sql.replace(" x", " v1").replace(
        "(x,", "(v1,")) for name, sql in list(MISSED.items())[::4]),
    *(shape(f"both: {name}", sql, expect=(UNSAFE, FOLLOWS)) for name, sql in MIXED.items()),
    # It would fail from the swap on.
    shape("missed, and the column is gone", f"SELECT CASE WHEN 1 = 1 THEN {MAX_S} END AS w",
          expect=refused(), new=GONE),
    shape("missed by a materialized view", "CREATE MATERIALIZED VIEW m AS SELECT b, window_start "
          f"FROM TUMBLE(x, ts, {MINUTE})", expect=stays("m")),
]


@pytest.mark.parametrize("one", SHAPES, ids=str)
def test_place(stages, one):
    stages.of(one.version).play(one).check()
