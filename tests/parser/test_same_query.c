/* Tests of parser/same_query.c: which texts say the same, and which say all there is to say. */
#include "same_query.h"

#include "exact.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

/* A text of exactly its size between two others, which do not belong to it. */
struct held {
    char *text;
    struct sql_tokens tokens;
    struct query_text query;
};

#define FRONT "SELECT now(), * AS "
#define BACK " EMIT x"

static void hold(struct held *h, const char *text)
{
    char whole[512];
    size_t len = strlen(FRONT) + strlen(text) + strlen(BACK);
    cr_assert(lt(sz, len, sizeof(whole)));
    (void)strcat(strcat(strcpy(whole, FRONT), text), BACK);
    *h = (struct held){.text = exact_copy(whole, len)};
    cr_assert(eq(int, sql_scan(h->text, len, &h->tokens), SQL_SCAN_OK), "%s", text);
    h->query =
        (struct query_text){h->text, &h->tokens, {strlen(FRONT), strlen(FRONT) + strlen(text)}};
}

static void let_go(struct held *h)
{
    sql_tokens_cleanup(&h->tokens);
    free(h->text);
}

static const struct {
    const char *a;
    const char *b;
    bool tokens; /* same_tokens */
    bool query;  /* same_query */
} pairs[] = {
    {"SELECT a FROM t", "SELECT a FROM t", true, true},
    {"select A From T", "SELECT a FROM t", true, true},
    {"SELECT a/* why */FROM t -- x\n", "SELECT a  FROM\nt", true, true},
    {"SELECT a+b", "SELECT a + b", true, true},
    {"", "", true, true},
    {"", "SELECT 1", false, false},
    {"SELECT a FROM t", "SELECT a FROM u", false, false},
    {"SELECT a FROM t", "SELECT a FROM t WHERE a = 1", false, false},
    {"SELECT \"A\"", "SELECT \"a\"", false, false},
    {"SELECT \"a\"", "SELECT a", false, false},
    {"SELECT 'A'", "SELECT 'a'", false, false},
    {"SELECT 'a'", "SELECT a", false, false},
    {"SELECT 1", "SELECT 2", false, false},
    {"SELECT 1.0", "SELECT 1.00", false, false},
    {"SELECT a - b", "SELECT a + b", false, false},
    {"SELECT a || b", "SELECT a <> b", false, false},
    /* Aliases that say nothing. */
    {"SELECT t.a AS a FROM t", "SELECT t.a FROM t", false, true},
    {"SELECT a AS a FROM t", "SELECT a FROM t", false, true},
    {"SELECT a as A, \"b\" AS \"b\" FROM t AS t", "SELECT a, \"b\" FROM t", false, true},
    {"SELECT t.a AS a, t.b FROM s.t AS t", "SELECT t.a, t.b AS b FROM s.t", false, true},
    /* ... and those that say something. */
    {"SELECT a AS b FROM t", "SELECT a FROM t", false, false},
    {"SELECT a AS \"a\" FROM t", "SELECT a FROM t", false, false},
    {"SELECT \"a\" AS a FROM t", "SELECT \"a\" FROM t", false, false},
    {"SELECT a FROM t AS t (a)", "SELECT a FROM t (a)", false, false},
    {"SELECT f(a) AS a FROM t", "SELECT f(a) FROM t", false, false},
    {"SELECT 'a' AS a FROM t", "SELECT 'a' FROM t", false, false},
    {"SELECT a a FROM t", "SELECT a FROM t", false, false},
    {"SELECT a AS b FROM t", "SELECT a AS c FROM t", false, false},
    {"SELECT a, a AS a FROM t", "SELECT a FROM t", false, false},
    {"SELECT t.a FROM t", "SELECT a FROM t", false, false},
};

Test(same_query, pairs)
{
    for (size_t i = 0; i < 2 * NUM_OF(pairs); i++) {
        bool turned = i % 2 != 0;
        struct held a;
        hold(&a, turned ? pairs[i / 2].b : pairs[i / 2].a);
        struct held b;
        hold(&b, turned ? pairs[i / 2].a : pairs[i / 2].b);
        cr_expect(eq(int, same_tokens(&a.query, &b.query), pairs[i / 2].tokens), "%s | %s",
                  pairs[i / 2].a, pairs[i / 2].b);
        cr_expect(eq(int, same_query(&a.query, &b.query), pairs[i / 2].query), "%s | %s",
                  pairs[i / 2].a, pairs[i / 2].b);
        let_go(&a);
        let_go(&b);
    }
}

static const char *const fixed[] = {
    "SELECT a FROM t",
    "SELECT * FROM t",
    "SELECT t.*, u.* FROM t JOIN u ON t.a = u.a",
    "SELECT count(*) FROM t",
    "SELECT a FROM (SELECT COUNT ( * ) AS a FROM t) AS s",
    "SELECT a FROM (SELECT b * 2 AS a FROM t) AS s",
    "SELECT a FROM t WHERE a * b > 2 * 3 AND (a) * 2 > 1 AND x[1] * 2 > 1 AND \"a\" * 2 > 1",
    "SELECT a FROM (SELECT 'x' * 2 FROM t) AS s",
    "SELECT '* now() natural $1' AS a FROM t",
    "SELECT nowhere, users, zones, naturally, has, pg FROM t",
    "WITH s AS (SELECT a FROM t) SELECT * FROM s",
    "SELECT /* now() * */ a FROM t",
    "VALUES (1), (2)",
};

static const char *const not_fixed[] = {
    /* Stars that are not the outermost ones. */
    "SELECT a FROM (SELECT * FROM t) AS s",
    "SELECT a FROM (SELECT t.* FROM t) AS s",
    "SELECT a FROM (SELECT ALL * FROM t) AS s",
    "SELECT a FROM (SELECT DISTINCT * FROM t) AS s",
    "SELECT a FROM t WHERE a IN (SELECT * FROM u)",
    "SELECT a FROM t WHERE EXISTS (SELECT * FROM u)",
    "WITH s AS (SELECT * FROM t) SELECT a FROM s",
    "SELECT a FROM t UNION ALL SELECT * FROM u",
    "SELECT a FROM (SELECT sum(*) AS a FROM t) AS s",
    "SELECT a FROM (SELECT count(DISTINCT *) AS a FROM t) AS s",
    "SELECT a FROM (SELECT count(*, 1) AS a FROM t) AS s",
    "SELECT a FROM (SELECT counts(*) AS a FROM t) AS s",
    "SELECT 1 AS x UNION ALL SELECT * FROM u",
    "SELECT 1 AS x EXCEPT SELECT u.* FROM u",
    /* What is found by names, or folded when it is created. */
    "SELECT \"now\"() FROM t",
    "SELECT \"current_schema\" () FROM t",
    "SELECT \"pg_typeof\"(a) FROM t",
    "SELECT a FROM t NATURAL JOIN u",
    "SELECT $1 FROM t",
    "SELECT current_user FROM t",
    "SELECT CURRENT_SCHEMA() FROM t",
    "SELECT current_date FROM t",
    "SELECT current_setting('x') FROM t",
    "SELECT user FROM t",
    "SELECT session_user FROM t",
    "SELECT system_user FROM t",
    "SELECT a FROM t WHERE b > NOW() - INTERVAL '1 day'",
    "SELECT proctime() FROM t",
    "SELECT localtime FROM t",
    "SELECT localtimestamp FROM t",
    "SELECT version() FROM t",
    "SELECT pg_typeof(a) FROM t",
    "SELECT has_table_privilege('t', 'SELECT') FROM t",
    "SELECT 't'::regclass FROM t",
    "SELECT _rw_timestamp FROM t",
    /* Types with a time zone. */
    "SELECT a::timestamptz FROM t",
    "SELECT CAST(a AS TIMESTAMP WITH TIME ZONE) FROM t",
    "SELECT a AT TIME ZONE 'UTC' FROM t",
    "SELECT timezone('UTC', a) FROM t",
    "SELECT to_timestamp(a) FROM t",
    "SELECT to_timestamptz(a, 'x') FROM t",
    "SELECT make_timestamptz(1, 2, 3, 4, 5, 6) FROM t",
};

Test(same_query, is_fixed)
{
    for (size_t i = 0; i < NUM_OF(fixed); i++) {
        struct held h;
        hold(&h, fixed[i]);
        cr_expect(query_is_fixed(&h.query), "%s", fixed[i]);
        let_go(&h);
    }
    for (size_t i = 0; i < NUM_OF(not_fixed); i++) {
        struct held h;
        hold(&h, not_fixed[i]);
        cr_expect(not(query_is_fixed(&h.query)), "%s", not_fixed[i]);
        let_go(&h);
    }
}

Test(same_query, names)
{
    static const struct {
        const char *text;
        const char *name;
        bool named;
    } rows[] = {
        {"SELECT a FROM t", "t", true},          {"SELECT a FROM T", "t", true},
        {"SELECT a FROM s.t", "t", true},        {"SELECT a FROM \"T x\"", "T x", true},
        {"SELECT a FROM \"t\"", "t", true},      {"SELECT a FROM \"T\"", "t", false},
        {"SELECT a FROM T", "T", false},         {"SELECT 't' FROM u", "t", false},
        {"SELECT a /* t */ FROM u", "t", false}, {"SELECT a FROM tt", "t", false},
        {"SELECT a FROM t", "emit", false},      {"SELECT a FROM t", "now", false},
    };
    for (size_t i = 0; i < NUM_OF(rows); i++) {
        struct held h;
        hold(&h, rows[i].text);
        cr_expect(eq(int, query_names(&h.query, rows[i].name), rows[i].named), "%s: %s",
                  rows[i].text, rows[i].name);
        let_go(&h);
    }
}
