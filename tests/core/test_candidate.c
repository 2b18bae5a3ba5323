/* Tests of proxy/core/candidate.c: which Query bodies may be ours. In doubt none. */
#define _GNU_SOURCE /* strcasestr */

#include "candidate.h"

#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Asks about the text in an allocation of exactly its size. */
static bool find(const char *text, size_t len, struct candidate *out_candidate)
{
    uint8_t *copy = malloc(len != 0 ? len : 1);
    memcpy(copy, text, len);
    bool yes = candidate_find(copy, len, out_candidate);
    free(copy);
    return yes;
}

static bool is_candidate(const char *text)
{
    struct candidate ignored;
    return find(text, strlen(text), &ignored);
}

Test(candidate, one_statement_and_nothing_else)
{
    static const char *const yes[] = {
        "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1",
        "create or replace materialized view a.b.c as select 1;",
        ";; /* why */ CREATE OR REPLACE MATERIALIZED VIEW \"V w\" (x) AS SELECT 1 ; -- end\n ;",
        "CREATE OR REPLACE MATERIALIZED VIEW v WITH (a = 1) AS SELECT '$1' EMIT ON WINDOW CLOSE",
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "create or replace temp view a.\"B\" (x, y) as select 1, 2;",
        "EXPLAIN CREATE OR REPLACE TEMPORARY VIEW v AS SELECT 1",
    };
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        cr_expect(is_candidate(yes[i]), "%s", yes[i]);
    }
}

Test(candidate, everything_else_passes)
{
    static const char *const no[] = {
        "",
        ";",
        "SELECT 1",
        "replace",
        "CREATE MATERIALIZED VIEW v AS SELECT 1",
        "CREATE VIEW v AS SELECT replace('a', 'b', 'c')",
        "CREATE OR REPLACE VIEW IF NOT EXISTS v AS SELECT 1",
        "CREATE OR REPLACE VIEW v AS SELECT $1",
        "CREATE OR REPLACE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT 1",
        "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT $1",
        "EXPLAIN (VERBOSE) CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1",
        "EXPLAIN VERBOSE CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1",
        "EXPLAIN ANALYZE /* x */ CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1",
        "EXPLAIN EXPLAIN CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1",
        "EXPLAIN (VERBOSE) CREATE OR REPLACE VIEW v AS SELECT 1",
        "EXPLAIN CREATE VIEW v AS SELECT replace('a', 'b', 'c')",
        "EXPLAIN CREATE OR REPLACE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT 1",
        "EXPLAIN CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT $1",
        "EXPLAIN SELECT replace(a, 'b', 'c') FROM t",
        "EXPLAIN",
        "PREPARE p AS CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1",
        "SELECT 'CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1'",
        "-- CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1",
        "/* CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1 */",
        "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 'open",
        "CREATE OR REPLACE MATERIALIZED VIEW v",
        "CREATE OR REPLACE MATERIALIZED VIEW a.b.c.d AS SELECT 1",
    };
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        cr_expect(not(is_candidate(no[i])), "%s", no[i]);
    }
}

Test(candidate, must_be_one_text)
{
    static const char inner[] = "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\0 -- x";
    struct candidate ignored;
    cr_expect(find(inner, strlen(inner), &ignored));
    cr_expect(not(find(inner, sizeof(inner) - 1, &ignored)));
    cr_expect(not(find(inner, 0, &ignored)));
}

#define CANDIDATE "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1"
#define OF_A_VIEW "CREATE OR REPLACE VIEW w AS SELECT 1"

/* What stands in front, the candidate with its comments, what is left for the next Query. */
static const char *const batches[][3] = {
    {"", CANDIDATE, ""},
    {"", CANDIDATE, " ; -- no more\n;"},
    {"SELECT 1; ", CANDIDATE, "; SELECT 2"},
    {"SET a = 1;;/* x */;\n", "/* app */ " CANDIDATE " -- end", "\n;;  SELECT ';' ; SELECT 3;"},
    {"SELECT 'a;b';", CANDIDATE, "; " CANDIDATE},
    {"", CANDIDATE, "; " OF_A_VIEW},
    {"", OF_A_VIEW, "; " CANDIDATE},
    {"CREATE VIEW x AS SELECT 1; ", "/* a */ " OF_A_VIEW, ""},
    {"EXPLAIN CREATE MATERIALIZED VIEW w AS SELECT 1; ", "EXPLAIN " OF_A_VIEW, ";"},
    {"CREATE OR REPLACE SINK s FROM v;", CANDIDATE, ""},
    {"EXPLAIN CREATE MATERIALIZED VIEW w AS SELECT 1; EXPLAIN SELECT replace(a);", CANDIDATE, ""},
    {"", "EXPLAIN " CANDIDATE, "; SELECT 2"},
    {"SELECT 1;", "/* a */ EXPLAIN /* b */ " CANDIDATE " -- end", "\n; " CANDIDATE},
};

/* What the engine is given begins at CREATE when EXPLAIN stands in front. */
static void expect_create(const char *text, const struct candidate *c)
{
    const char *explain = strstr(text + c->start, "EXPLAIN");
    cr_expect(c->explained == (explain != NULL && explain < text + c->end), "%s", text);
    size_t create = c->explained ? (size_t)(strstr(explain, "CREATE") - text) : c->start;
    cr_expect(eq(sz, c->create, create), "%s", text);
    const char *materialized = strcasestr(text + create, "materialized");
    cr_expect(c->materialized == (materialized != NULL && materialized < text + c->end), "%s",
              text);
    cr_expect(
        eq(str, (char *)candidate_words(c),
           c->materialized ? "CREATE OR REPLACE MATERIALIZED VIEW" : "CREATE OR REPLACE VIEW"));
}

Test(candidate, is_found_in_batches)
{
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
        char text[400];
        (void)snprintf(text, sizeof(text), "%s%s%s", batches[i][0], batches[i][1], batches[i][2]);
        struct candidate c = {0};
        cr_assert(find(text, strlen(text), &c), "%s", text);
        cr_expect(eq(sz, c.start, strlen(batches[i][0])), "%s", text);
        cr_expect(eq(sz, c.end, c.start + strlen(batches[i][1])), "%s", text);
        expect_create(text, &c);
        bool more = strpbrk(batches[i][2], "SC") != NULL;
        size_t behind = c.end + strspn(batches[i][2], "; \n");
        cr_expect(eq(sz, c.rest, more ? behind : strlen(text)), "%s", text);
    }
}

Test(candidate, is_not_found_behind_what_is_refused_alike)
{
    static const char *const no[] = {
        "CREATE OR REPLACE VIEW IF NOT EXISTS w AS SELECT 1; " OF_A_VIEW,
        "EXPLAIN CREATE VIEW x AS SELECT 1; EXPLAIN " OF_A_VIEW,
        "EXPLAIN CREATE TEMP VIEW IF NOT EXISTS x AS SELECT 1; EXPLAIN " OF_A_VIEW,
        "EXPLAIN (VERBOSE) CREATE VIEW x AS SELECT 1; EXPLAIN " OF_A_VIEW,
        "CREATE OR REPLACE MATERIALIZED VIEW IF NOT EXISTS w AS SELECT 1; " CANDIDATE,
        "SELECT 1; CREATE OR REPLACE MATERIALIZED VIEW a.b.c.d AS SELECT 1; " CANDIDATE,
        "SELECT $1; " CANDIDATE,
        "EXPLAIN (VERBOSE) " CANDIDATE "; EXPLAIN " CANDIDATE,
        "EXPLAIN CREATE OR REPLACE MATERIALIZED VIEW IF NOT EXISTS w AS SELECT 1; " CANDIDATE,
        CANDIDATE "; SELECT $1",
        CANDIDATE "; SELECT 'open",
    };
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        cr_expect(not(is_candidate(no[i])), "%s", no[i]);
    }
}

static bool find_alone(const char *text, size_t len, struct candidate *out_candidate)
{
    uint8_t *copy = malloc(len != 0 ? len : 1);
    memcpy(copy, text, len);
    bool yes = candidate_find_alone(copy, len, out_candidate);
    free(copy);
    return yes;
}

/* A Parse may hold one statement and nothing else but comments and empty ones; with parameters. */
Test(candidate, is_found_alone)
{
    static const char *const yes[][3] = {
        {"", CANDIDATE, ""},
        {"", CANDIDATE, ";"},
        {";; ", "/* app */ " CANDIDATE " -- end", "\n;;"},
        {"", "create or replace materialized view v as select $1 + $2", " ; "},
        {"", "CREATE OR REPLACE MATERIALIZED VIEW a.b.c AS SELECT ';' /* ; */", ";"},
        {" ", "/* a */ EXPLAIN\n" CANDIDATE " -- end", "\n;"},
        {"", OF_A_VIEW " WHERE 1 = $1", ";"},
        {"", "/* a */ EXPLAIN " OF_A_VIEW, ""},
    };
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        char text[400];
        (void)snprintf(text, sizeof(text), "%s%s%s", yes[i][0], yes[i][1], yes[i][2]);
        struct candidate c = {0};
        cr_assert(find_alone(text, strlen(text), &c), "%s", text);
        cr_expect(eq(sz, c.start, strlen(yes[i][0])), "%s", text);
        cr_expect(eq(sz, c.end, c.start + strlen(yes[i][1])), "%s", text);
        cr_expect(eq(sz, c.rest, strlen(text)), "%s", text);
        expect_create(text, &c);
    }
}

Test(candidate, is_not_alone)
{
    static const char *const no[] = {
        "",
        "SELECT 1",
        "SELECT 'replace'",
        CANDIDATE "; SELECT 1",
        "SELECT 1; " CANDIDATE,
        "SET a = 1;;" CANDIDATE ";",
        CANDIDATE "; " CANDIDATE,
        CANDIDATE "; 'open",
        "CREATE OR REPLACE VIEW IF NOT EXISTS v AS SELECT 1",
        "EXPLAIN " OF_A_VIEW " WHERE 1 = $1",
        "CREATE OR REPLACE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT 1",
        "CREATE OR REPLACE MATERIALIZED VIEW a.b.c.d AS SELECT 1",
        "EXPLAIN ANALYZE " CANDIDATE,
        "EXPLAIN create or replace materialized view v as select $1",
    };
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        struct candidate c = {.start = 7, .end = 8, .rest = 9};
        cr_expect(not(find_alone(no[i], strlen(no[i]), &c)), "%s", no[i]);
        cr_expect(c.start == 7 && c.end == 8 && c.rest == 9, "%s", no[i]);
    }
}

Test(candidate, every_truncation_is_judged)
{
    static const char text[] = "CREATE OR REPLACE MATERIALIZED VIEW \"v\" AS SELECT 'a'";
    for (size_t len = 0; len < sizeof(text); len++) {
        char cut[sizeof(text)] = "";
        memcpy(cut, text, len);
        bool whole = len > strlen("CREATE OR REPLACE MATERIALIZED VIEW \"v\" AS ");
        bool open = strchr(cut, '\'') != NULL && cut[sizeof(text) - 2] != '\'';
        cr_expect(eq(int, is_candidate(cut), whole && !open), "%s", cut);
    }
}

/* With each allocation failing it is not found, and in the end it is. */
static size_t allocations_until_found(bool (*ask)(const uint8_t *, size_t, struct candidate *))
{
    static const char text[] = "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1";
    bool found = false;
    size_t nth = 1;
    for (; !found && nth < 100; nth++) {
        struct candidate ignored;
        mem_fail_at(nth);
        found = ask((const uint8_t *)text, sizeof(text) - 1, &ignored);
        mem_fail_at(0);
    }
    return found ? nth : 0;
}

Test(candidate, passes_without_memory)
{
    cr_expect(gt(sz, allocations_until_found(candidate_find), 2));
    cr_expect(gt(sz, allocations_until_found(candidate_find_alone), 2));
}
