/* Tests of parser/rewriting.c: which stored texts a swap's rewriting breaks, and what jobs read. */
#include "rewriting.h"

#include "exact.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

enum { UNREADABLE = 1, NAMED = 2, QUALIFIED = 3 };

static const struct {
    const char *text;
    enum rewriting_fault fault; /* when public.x is given another name */
} faults[] = {
    {"SELECT a FROM x", REWRITING_FINE},
    {"SELECT a FROM t", REWRITING_FINE},
    {"", REWRITING_FINE},
    {"SELECT q.a FROM x AS q JOIN x AS r ON q.a = r.a", REWRITING_FINE},

    /* Minus before a negative number is stored as the beginning of a comment. */
    {"SELECT --1 AS c FROM x", REWRITING_UNREADABLE},
    {"SELECT - -1 AS c FROM x", REWRITING_FINE},
    {"SELECT '--1' AS c FROM x", REWRITING_FINE},
    {"SELECT \"--1\" AS c FROM x", REWRITING_FINE},
    {"SELECT $$--1$$ AS c FROM x", REWRITING_FINE},
    {"SELECT /* a */ a FROM x", REWRITING_UNREADABLE},
    {"SELECT 'open FROM x", REWRITING_UNREADABLE},
    {"SELECT \"open FROM x", REWRITING_UNREADABLE},

    /* A WITH query of the name. */
    {"WITH x AS (SELECT 1 AS a) SELECT a FROM x", REWRITING_QUERY_NAMED},
    {"WITH X AS (SELECT 1 AS a) SELECT a FROM X", REWRITING_QUERY_NAMED},
    {"WITH \"x\" AS (SELECT 1 AS a) SELECT a FROM x", REWRITING_QUERY_NAMED},
    {"WITH \"X\" AS (SELECT 1 AS a) SELECT a FROM \"X\"", REWRITING_FINE},
    {"with x as(select 1 as a) select a from x", REWRITING_QUERY_NAMED},
    {"WITH x (a, b) AS (SELECT 1, 2) SELECT a FROM x", REWRITING_QUERY_NAMED},
    {"WITH x(a) AS MATERIALIZED (SELECT 1) SELECT a FROM x", REWRITING_QUERY_NAMED},
    {"WITH x AS NOT MATERIALIZED (SELECT 1) SELECT a FROM x", REWRITING_QUERY_NAMED},
    {"WITH RECURSIVE x AS (SELECT 1) SELECT a FROM x", REWRITING_QUERY_NAMED},
    {"WITH q AS (SELECT 1), x AS (SELECT 2) SELECT a FROM x", REWRITING_QUERY_NAMED},
    {"SELECT a FROM (WITH x AS (SELECT 1 AS a) SELECT a FROM x) q", REWRITING_QUERY_NAMED},
    {"WITH q AS (SELECT a FROM x) SELECT a FROM q", REWRITING_FINE},
    {"WITH xx AS (SELECT a FROM x) SELECT a FROM xx", REWRITING_FINE},
    {"SELECT count(x) AS c FROM t", REWRITING_FINE},
    {"SELECT x AS y FROM t", REWRITING_FINE},
    {"SELECT x (1) AS y FROM t", REWRITING_FINE},
    {"SELECT a FROM x AS x (a)", REWRITING_FINE},
    {"SELECT x (1) (2) AS y FROM t", REWRITING_FINE},
    {"SELECT a FROM x(f(1)) AS (a INT)", REWRITING_QUERY_NAMED}, /* careful */
    {"SELECT 'WITH x AS (SELECT 1)' AS c", REWRITING_FINE},

    /* The last part of a name is all that is looked at. */
    {"SELECT a FROM public.x", REWRITING_FINE},
    {"SELECT a FROM \"public\".\"x\"", REWRITING_FINE},
    {"SELECT a FROM PUBLIC.X", REWRITING_FINE},
    {"SELECT a FROM dev.public.x", REWRITING_FINE},
    {"SELECT a FROM other.x", REWRITING_QUALIFIED},
    {"SELECT a FROM \"Public\".x", REWRITING_QUALIFIED},
    {"SELECT a FROM dev.other.x", REWRITING_QUALIFIED},
    {"SELECT a FROM other . x", REWRITING_QUALIFIED},
    {"SELECT a FROM x, other.x AS y", REWRITING_QUALIFIED},
    {"SELECT a FROM t JOIN other.x ON t.a = x.a", REWRITING_QUALIFIED},
    {"SELECT a FROM t LEFT JOIN other.x USING (a)", REWRITING_QUALIFIED},
    {"SELECT a FROM t JOIN u ON t.a = u.a, other.x", REWRITING_QUALIFIED},
    {"SELECT a FROM t JOIN u USING (a), other.x", REWRITING_QUALIFIED},
    {"SELECT a FROM f(1, 2), other.x", REWRITING_QUALIFIED},
    {"SELECT a FROM (SELECT 1) q, other.x", REWRITING_QUALIFIED},
    {"SELECT a FROM (other.x JOIN t ON true)", REWRITING_QUALIFIED},
    {"SELECT a FROM ((other.x))", REWRITING_QUALIFIED},
    {"SELECT a FROM TUMBLE(other.x, ts, INTERVAL '1 minute')", REWRITING_QUALIFIED},
    {"SELECT a FROM HOP(dev.other.x, ts, INTERVAL '1 minute')", REWRITING_QUALIFIED},
    {"SELECT (SELECT max(a) FROM other.x) AS m", REWRITING_QUALIFIED},
    {"SELECT a FROM t WHERE a IN (SELECT a FROM other.x)", REWRITING_QUALIFIED},
    {"SELECT a FROM t UNION SELECT a FROM other.x", REWRITING_QUALIFIED},
    /* Columns. */
    {"SELECT q.x FROM q", REWRITING_FINE},
    {"SELECT a, q.x FROM q", REWRITING_FINE},
    {"SELECT other.x.a FROM other.y AS x", REWRITING_FINE},
    {"SELECT f(q.x), (q.x) FROM q", REWRITING_FINE},
    {"SELECT a FROM q WHERE q.x = 1", REWRITING_FINE},
    {"SELECT a FROM q ORDER BY a, q.x", REWRITING_FINE},
    {"SELECT a FROM q GROUP BY a, q.x", REWRITING_FINE},
    {"SELECT a FROM t JOIN q ON t.a = q.x", REWRITING_FINE},
    {"SELECT a FROM t, f(a, q.x) AS g", REWRITING_FINE},
    {"SELECT x.a FROM x", REWRITING_FINE},
    {"SELECT public.x.a FROM public.x", REWRITING_FINE},
    {"SELECT a FROM other.\"X\"", REWRITING_FINE},
    {"SELECT a FROM other.xx", REWRITING_FINE},

    /* The first kind of all that there are. */
    {"WITH x AS (SELECT 1) SELECT a FROM other.x", REWRITING_QUERY_NAMED},
    {"SELECT a FROM other.x, (WITH x AS (SELECT 1) SELECT a FROM x) q", REWRITING_QUERY_NAMED},
    {"WITH x AS (SELECT --1 AS c) SELECT a FROM other.x", REWRITING_UNREADABLE},
    {"SELECT a FROM other.x WHERE a > --1", REWRITING_UNREADABLE},
};

/* Texts of jobs that are being created. */
static const struct {
    const char *text;
    bool reads; /* x */
    bool indexes;
} jobs[] = {
    {"CREATE MATERIALIZED VIEW m AS SELECT a FROM x", true, false},
    {"CREATE MATERIALIZED VIEW m AS SELECT a FROM t, other.x AS q", true, false},
    {"CREATE MATERIALIZED VIEW m AS SELECT a FROM t JOIN \"x\" ON true", true, false},
    {"CREATE MATERIALIZED VIEW m AS SELECT a FROM TUMBLE(x, ts, INTERVAL '1 minute')", true, false},
    {"CREATE MATERIALIZED VIEW m AS SELECT x, t.x FROM t", false, false},
    {"CREATE MATERIALIZED VIEW x AS SELECT a FROM t", false, false},
    {"CREATE MATERIALIZED VIEW m AS SELECT 'FROM x' AS c FROM \"X\"", false, false},
    {"CREATE SINK k FROM x WITH (connector = 'blackhole')", true, false},
    {"CREATE SINK k INTO x FROM t", true, false},
    {"CREATE SINK x FROM t WITH (connector = 'blackhole')", false, false},
    {"CREATE SUBSCRIPTION s FROM public.x WITH (retention = '1 day')", true, false},
    {"CREATE INDEX i ON x(a)", true, true},
    {"CREATE INDEX \"on\" ON dev.public.\"x\"(a)", true, true},
    {"CREATE UNIQUE INDEX i ON X(a)", true, true},
    {"CREATE INDEX x ON t(a)", false, false},
    {"CREATE INDEX i ON x.t(a)", false, false},
    {"CREATE INDEX i ON t(x)", false, false},
    {"CREATE MATERIALIZED VIEW m AS SELECT a FROM t JOIN u ON x = 1", true, false}, /* careful */
    {"CREATE SINK z FROM \"open", true, false},
    {"", false, false},
};

Test(rewriting, jobs)
{
    for (size_t i = 0; i < NUM_OF(jobs); i++) {
        char *text = exact_copy(jobs[i].text, strlen(jobs[i].text) + 1);
        cr_expect(eq(int, rewriting_reads(text, "x"), jobs[i].reads), "%s", text);
        cr_expect(eq(int, rewriting_indexes(text, "x"), jobs[i].indexes), "%s", text);
        free(text);
    }
}

static const struct {
    const char *text;
    unsigned rewritten;
    unsigned missed;
} places[] = {
    {"SELECT a FROM x", 1, 0},
    {"SELECT a FROM t", 0, 0},
    {"", 0, 0},
    {"SELECT x.a FROM x, x AS y JOIN other.x ON true", 3, 0},
    {"SELECT a FROM (SELECT a FROM x) q", 1, 0},
    {"SELECT a FROM t WHERE EXISTS (SELECT 1 FROM x)", 1, 0},
    {"SELECT a FROM t WHERE a IN (SELECT a FROM x)", 1, 0},
    {"SELECT a FROM t WHERE a IN (WITH q AS (SELECT a FROM x) SELECT a FROM q)", 1, 0},
    {"SELECT coalesce((SELECT max(b) FROM x), 0) AS b", 1, 0},
    {"SELECT CAST((SELECT max(b) FROM x) AS CHARACTER VARYING) AS b", 1, 0},

    {"SELECT b FROM TUMBLE(x, ts, INTERVAL '1 minute')", 0, 1},
    {"SELECT b FROM tumble (x, ts, INTERVAL '1 minute')", 0, 1},
    {"SELECT b FROM HOP(x, ts, INTERVAL '1 minute', INTERVAL '1 minute')", 0, 1},
    {"SELECT b FROM TUMBLE(\"x\", ts, INTERVAL '1 minute')", 0, 1},
    {"SELECT b FROM TUMBLE(dev.public.x, ts, INTERVAL '1 minute')", 0, 1},
    {"SELECT b FROM TUMBLE(t, ts, INTERVAL '1 minute') JOIN x ON true", 1, 0},
    {"SELECT b FROM TUMBLE(x.t, ts, INTERVAL '1 minute')", 0, 0},
    {"SELECT b FROM TUMBLE(x, ts, INTERVAL '1 minute'), x AS y", 1, 1},
    {"SELECT tumble FROM x", 1, 0},

    {"SELECT CASE WHEN (SELECT max(b) FROM x) > 1 THEN 1 ELSE 2 END AS w", 0, 1},
    {"SELECT CASE WHEN a = 1 THEN 1 END AS w FROM x", 1, 0},
    {"SELECT CASE WHEN (CASE WHEN true THEN 1 END) = 1 THEN (SELECT 1 FROM x) END AS w FROM x", 1,
     1},
    {"SELECT (CASE WHEN a = 1 THEN 1 END), (SELECT 1 FROM x) AS w FROM x", 2, 0},
    {"SELECT 1 IN (1, (SELECT max(b) FROM x)) AS w", 0, 1},
    {"SELECT 1 IN ((SELECT max(b) FROM x), 1) AS w", 0, 1},
    {"SELECT a IN (1, 2) AS w FROM x", 1, 0},
    {"SELECT (ARRAY[1, 2])[(SELECT 1 FROM x)] AS w", 0, 1},
    {"SELECT c[1] AS w FROM x", 1, 0},
    {"SELECT SUBSTRING('abc' FROM (SELECT 1 FROM x)) AS w", 0, 1},
    {"SELECT TRIM((SELECT a FROM x)) AS w", 0, 1},
    {"SELECT OVERLAY('abc' PLACING 'y' FROM (SELECT 1 FROM x)) AS w", 0, 1},
    {"SELECT SUBSTRING(a FROM 2) AS w, TRIM(a) AS v FROM x", 1, 0},
    {"SELECT 'CASE', (SELECT a FROM x) AS w", 1, 0},
    {"SELECT \"case\", (SELECT a FROM x) AS w", 1, 0},
    {"SELECT x, t.x FROM t", 0, 0},
    {"SELECT 'open", 1, 1},
};

Test(rewriting, places)
{
    for (size_t i = 0; i < NUM_OF(places); i++) {
        char *text = exact_copy(places[i].text, strlen(places[i].text) + 1);
        struct rewriting_places got = rewriting_count(text, "x");
        cr_expect(eq(uint, got.rewritten, places[i].rewritten), "%s", text);
        cr_expect(eq(uint, got.missed, places[i].missed), "%s", text);
        free(text);
    }
}

/* What is nested deeper than can be kept counts as missed; behind it all is as before. */
Test(rewriting, places_in_the_deep)
{
    static char text[4096];
    for (size_t depth = 1; depth < 400; depth++) {
        struct rewriting_places got;
        (void)strcpy(text, "SELECT ");
        for (size_t i = 0; i < depth; i++) {
            (void)strcat(text, "(");
        }
        (void)strcat(text, "SELECT 1 FROM x");
        for (size_t i = 0; i < depth; i++) {
            (void)strcat(text, ")");
        }
        (void)strcat(text, " AS c FROM x");
        got = rewriting_count(text, "x");
        cr_expect(eq(uint, got.rewritten, depth > 64 ? 1 : 2), "%zu", depth);
        cr_expect(eq(uint, got.missed, depth > 64 ? 1 : 0), "%zu", depth);
    }
}

Test(rewriting, faults)
{
    for (size_t i = 0; i < NUM_OF(faults); i++) {
        char *text = exact_copy(faults[i].text, strlen(faults[i].text) + 1);
        cr_expect(eq(int, rewriting_fault(text, "public", "x"), faults[i].fault), "%s", text);
        free(text);
    }
}

/* Names that need quotes, and an identifier that would be another one without them. */
Test(rewriting, names_that_need_quotes)
{
    cr_expect(eq(int, rewriting_fault("SELECT a FROM other.\"My X\"", "S 1", "My X"), QUALIFIED));
    cr_expect(
        eq(int, rewriting_fault("SELECT a FROM \"S 1\".\"My X\"", "S 1", "My X"), REWRITING_FINE));
    cr_expect(
        eq(int, rewriting_fault("WITH \"My X\" AS (SELECT 1) SELECT 1", "S 1", "My X"), NAMED));
    cr_expect(eq(int, rewriting_fault("SELECT a FROM other.my", "S 1", "My"), REWRITING_FINE));
}

/* Without memory the answer is the careful one. */
Test(rewriting, without_memory)
{
    bool done = false;
    for (size_t nth = 1; !done; nth++) {
        mem_fail_at(nth);
        enum rewriting_fault fault = rewriting_fault("SELECT a FROM x", "public", "x");
        done = mem_count() < nth;
        mem_fail_at(nth);
        bool reads = rewriting_reads("SELECT a FROM t", "x");
        mem_fail_at(nth);
        bool indexes = rewriting_indexes("CREATE INDEX i ON x(a)", "x");
        mem_fail_at(0);
        cr_expect(eq(int, fault, done ? REWRITING_FINE : UNREADABLE), "%zu", nth);
        cr_expect(eq(int, reads, !done), "%zu", nth);
        cr_expect(eq(int, indexes, done), "%zu", nth);
    }
}
