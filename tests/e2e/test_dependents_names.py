"""Whatever the names are, and whatever the search path: what reads the view follows the swap, or is
left alone and named, or the replacement is refused.

See dependents.py for what is judged.
"""

import pytest

from dependents import FOLLOWS, UNSAFE, refused, shape, stays

LONG = "v" + "_and_on" * 28 + "end"
NAMES = {
    "quoted lower case": '"x"',
    "mixed case": '"My View"',
    "upper case": '"X"',
    "keyword": '"select"',
    "another keyword": '"materialized"',
    "digits first": '"1x"',
    "unicode": '"ünï 漢 😀"',
    "dot": '"a.b"',
    "apostrophe": "\"it's\"",
    "dash": '"my-view"',
    "dashes": '"--x"',
    "dollar": '"$x$"',
    "dollar inside": "x$1",
    "backslash": r'"a\b"',
    "percent": '"%s%n%I"',
    "braces": '"{x}"',
    "semicolon": '"x;y"',
    "comment": '"/*x*/"',
    "comma and brackets": '"x, (y)"',
    "space at the end": '"x "',
    "like a temporary one": '"x_tmp_2026"',
    "long": LONG,
    "long with blanks": f'"{"A b." * 50}"',
}
SPELLINGS = {
    "upper case": "SELECT b FROM X",
    "quoted": 'SELECT "x"."b" FROM "x"',
    "schema": "SELECT b FROM public.x",
    "schema, qualified column": "SELECT x.b FROM public.x",
    "quoted schema": 'SELECT b FROM "public"."x"',
    "three parts": "SELECT b FROM dev.public.x",
    "quoted three parts": 'SELECT b FROM "dev"."public"."x" AS q',
    "several spellings": 'SELECT p.b AS l, q.b AS r, s.b AS m FROM x AS p JOIN public.x AS q'
                         ' ON p.a = q.a JOIN dev.public."x" AS s ON s.a = q.a',
}
READER = "GRANT SELECT ON VIEW {} TO zoe"
IN_S = ("CREATE SCHEMA s1", "CREATE SCHEMA s2")
OTHER_X = "CREATE MATERIALIZED VIEW s2.x AS SELECT a, 77 AS b, 'other' AS s, ts FROM public.t"


def of_x(name: str):
    """x has the name, and so is it read."""
    # Keywords are quoted by the server since 2.8.
    return shape(f"x is {name}", f"SELECT b FROM {NAMES[name]}",
                 f"SELECT q.a FROM {NAMES[name]} AS q", f"SELECT count(*) AS n FROM v1, {NAMES[name]}",
                 x=NAMES[name], version="2.8" if name == "keyword" else "2.7")


def of_view(name: str):
    """The view that follows has the name, and another one reads it."""
    view = NAMES[name]
    return shape(f"a view is {name}", f"CREATE VIEW {view} AS SELECT a, b FROM y", READER.format(view),
                 f"SELECT b FROM {view}", f"CREATE VIEW w (\"a b\", \"select\") AS SELECT * FROM {view}",
                 x="y", version="2.8" if name == "keyword" else "2.7")


SHAPES = [
    *map(of_x, NAMES),
    *map(of_view, NAMES),
    *(shape(f"spelt {name}", sql) for name, sql in SPELLINGS.items()),
    *(shape(f"spelt {name}, replaced by its full name", sql, x="dev.public.x")
      for name, sql in list(SPELLINGS.items())[::3]),
    shape("odd column names", 'CREATE VIEW v1 ("A b", "select", "ünï", "c.d") AS SELECT * FROM x',
          'CREATE VIEW v2 AS SELECT "A b", "select" AS "from", "c.d" FROM v1',
          'CREATE VIEW v3 AS SELECT b AS "x", a AS "?column?" FROM x'),
    shape("unnamed columns", "SELECT b + 1, max(b) FROM x GROUP BY b", "SELECT count(*) FROM x"),
    shape("a schema with an odd name", 'CREATE VIEW "S 1".v1 AS SELECT b FROM "S 1".x',
          'CREATE VIEW v2 AS SELECT b FROM "S 1".v1', x='"S 1".x', before=('CREATE SCHEMA "S 1"',)),
    shape("a keyword as schema", 'CREATE VIEW v1 AS SELECT b FROM "order".x',
          'CREATE VIEW "order".v2 AS SELECT b FROM v1', x='"order".x',
          before=('CREATE SCHEMA "order"',)),
    shape("a view in another schema", "CREATE VIEW s1.v1 AS SELECT b FROM public.x",
          "CREATE VIEW s2.v1 AS SELECT a FROM public.x", "SELECT p.b, q.a FROM s1.v1 AS p, x AS q",
          before=IN_S, expect=(FOLLOWS, UNSAFE)),
    # Under a search path
    shape("unqualified in the schema of x", "SET search_path TO s1, public", "SELECT b FROM x",
          "SELECT b FROM v1", x="s1.x", before=IN_S),
    shape("unqualified in another schema", "SET search_path TO s2, s1, public", "SELECT b FROM x",
          "SELECT b FROM v1", x="s1.x", before=IN_S),
    shape("unqualified in public", "SET search_path TO public, s1", "SELECT b FROM x",
          "CREATE VIEW s1.v2 AS SELECT x.b FROM v1, x", x="s1.x", before=IN_S),
    shape("under a path that begins with $user", 'SET search_path TO "$user", s1, public',
          "SELECT b FROM x", x="s1.x", before=IN_S),
    shape("under a path with blanks", 'SET search_path TO "S 1", public', "SELECT b FROM x",
          x='"S 1".x', before=('CREATE SCHEMA "S 1"',)),
    shape("reads relations of three schemas", "CREATE TABLE s2.u (a INT, c INT)",
          "SET search_path TO public, s2, s1", "SELECT x.b, u.c, t.s FROM x LEFT JOIN u ON u.a = x.a"
          " JOIN t ON t.a = x.a", x="s1.x", before=IN_S),
    shape("who replaces has another path", "SELECT b FROM x", "SELECT b FROM v1", x="public.x",
          path="s1, s2", before=IN_S),
    shape("another x comes first on the path of who replaces", "SELECT b FROM x", "SELECT b FROM v1",
          x="public.x", path="s2, public", before=(*IN_S, OTHER_X)),
    shape("another x is found first in the view's own schema", "SET search_path TO s1",
          "CREATE VIEW s2.v1 AS SELECT b FROM x", x="s1.x", before=(*IN_S, OTHER_X),
          expect=(FOLLOWS, stays("v1"))),
    shape("another x came into the view's own schema later", "CREATE VIEW s2.v1 AS SELECT b FROM x",
          OTHER_X, x="public.x", before=IN_S),
    shape("the view's own schema comes first on the path of who replaces",
          "CREATE VIEW s2.v1 AS SELECT b FROM x", OTHER_X, x="public.x", path="s2, public",
          before=IN_S),
    shape("the path of who replaces is odd", "SELECT b FROM x", x="public.x",
          path="'s1, \"$user\"', public", before=IN_S),
    # Names like ours
    shape("a view with a name like ours", "CREATE VIEW v1_tmp_20260101_000000_000001 AS SELECT b FROM x",
          "SELECT b FROM v1_tmp_20260101_000000_000001",
          expect=(FOLLOWS, stays("v1_tmp_20260101_000000_000001"), refused(),
                  stays("v1_tmp_20260101_000000_000001", "v1"))),
    shape("names that begin with one another", "CREATE VIEW xx AS SELECT b FROM x",
          "CREATE VIEW x_x AS SELECT b FROM xx", "CREATE VIEW xx_tmp AS SELECT b FROM x_x"),
    # Versions that do not quote
    *(shape(f"plain names, {version}", "SELECT b FROM x", "SELECT b FROM v1", "SELECT x.b FROM v2, x",
            version=version) for version in ("2.2", "2.6", "2.8", "3.0")),
    *(shape(f"a view that needs quotes, {version}", 'CREATE VIEW "My View" AS SELECT b FROM x',
            'SELECT b FROM "My View"', version=version, expect=expect)
      for version, expect in (("2.2", (UNSAFE, stays("My View", "v1"), stays("My View"))),
                              ("2.6", FOLLOWS), ("3.0", FOLLOWS))),
    *(shape(f"a view that is a keyword, {version}", 'CREATE VIEW "order" AS SELECT b FROM x',
            'SELECT b FROM "order"', version=version, expect=expect)
      for version, expect in (("2.2", (UNSAFE, stays("order", "v1"), stays("order"))),
                              ("2.6", (UNSAFE, stays("order", "v1"), stays("order"))),
                              ("2.8", FOLLOWS))),
    *(shape(f"x is a keyword, {version}", 'SELECT b FROM "order"', x='"order"', version=version,
            expect=expect) for version, expect in (("2.2", UNSAFE), ("2.6", UNSAFE), ("2.8", FOLLOWS))),
    shape("x needs quotes, 2.2", 'SELECT b FROM "My X"', x='"My X"', version="2.2", expect=UNSAFE),
    shape("other names that need quotes, 2.2", 'CREATE TABLE "My T" (a INT, "B c" INT)',
          'SELECT x.b, q."B c" AS "D" FROM x LEFT JOIN "My T" AS q ON q.a = x.a', version="2.2"),
]


@pytest.mark.parametrize("one", SHAPES, ids=str)
def test_name(stages, one):
    stages.of(one.version).play(one).check()
