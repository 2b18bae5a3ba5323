/* Tests of parser/statement.c: statement_explained, EXPLAIN in front of a CREATE. */
#include "statement.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

struct explained {
    const char *text;
    enum statement_explain explain;
    const char *inner; /* where what is explained begins */
};
static const struct explained explained[] = {
    {"EXPLAIN CREATE VIEW v AS SELECT 1", EXPLAIN_BARE, "CREATE"},
    {"/* a */ explain -- b\n /* c */ create or replace view v", EXPLAIN_BARE, "create"},
    {"EXPLAIN (VERBOSE) CREATE VIEW v", EXPLAIN_WITH_OPTIONS, "CREATE"},
    {"EXPLAIN VERBOSE CREATE VIEW v", EXPLAIN_WITH_OPTIONS, "CREATE"},
    {"EXPLAIN ANALYZE CREATE VIEW v", EXPLAIN_WITH_OPTIONS, "CREATE"},
    {"EXPLAIN EXPLAIN CREATE VIEW v", EXPLAIN_WITH_OPTIONS, "CREATE"},
    {"EXPLAIN PREPARE p AS CREATE VIEW v", EXPLAIN_WITH_OPTIONS, "CREATE"},
    {"EXPLAIN", EXPLAIN_NOTHING, NULL},
    {"EXPLAIN SELECT 1", EXPLAIN_NOTHING, NULL},
    {"EXPLAIN SELECT 'CREATE' AS \"CREATE\" /* CREATE */", EXPLAIN_NOTHING, NULL},
    {"CREATE VIEW v AS SELECT 1", EXPLAIN_NOTHING, NULL},
    {"\"EXPLAIN\" CREATE VIEW v", EXPLAIN_NOTHING, NULL},
    {"EXPLAINED CREATE VIEW v", EXPLAIN_NOTHING, NULL},
    {"-- EXPLAIN\nCREATE VIEW v", EXPLAIN_NOTHING, NULL},
};

/* EXPLAIN of a view is refused with the same words, however it is made. */
Test(statement_explained, tells_what_is_refused_alike)
{
    static const struct {
        const char *text;
        bool alone;
        bool explained;
    } texts[] = {
        {"CREATE VIEW v AS SELECT 1", false, true},
        {"create /* a */ temp VIEW", false, true},
        {"CREATE VIEW IF NOT EXISTS v AS SELECT 1", false, true},
        {"CREATE OR REPLACE VIEW v AS SELECT 1", true, true},
        {"CREATE OR REPLACE TEMPORARY VIEW IF NOT EXISTS v", true, true},
        {"CREATE MATERIALIZED VIEW v AS SELECT 1", false, false},
        {"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1", true, false},
        {"CREATE TABLE view (a INT)", false, false},
        {"CREATE OR REPLACE SINK view FROM v", false, false},
        {"SELECT 1", false, false},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *text = texts[i].text;
        struct sql_tokens tokens = {0};
        struct sql_piece piece;
        struct statement s = {0};
        size_t cursor = 0;
        cr_assert(eq(int, sql_scan(text, strlen(text), &tokens), SQL_SCAN_OK));
        cr_assert(sql_next_piece(text, strlen(text), &tokens, &cursor, &piece));
        cr_assert(eq(int, statement_read(text, &tokens, &piece, &s), STATEMENT_READ));
        cr_expect(eq(int, s.refused_alike, texts[i].alone), "%s", text);
        cr_expect(eq(int, s.explain_refused_alike, texts[i].explained), "%s", text);
        statement_cleanup(&s);
        sql_tokens_cleanup(&tokens);
    }
}

Test(statement_explained, finds_what_is_explained)
{
    for (size_t i = 0; i < sizeof(explained) / sizeof(explained[0]); i++) {
        const char *text = explained[i].text;
        struct sql_tokens tokens = {0};
        struct sql_piece piece;
        struct sql_piece inner = {.num = 77};
        size_t cursor = 0;
        cr_assert(eq(int, sql_scan(text, strlen(text), &tokens), SQL_SCAN_OK));
        cr_assert(sql_next_piece(text, strlen(text), &tokens, &cursor, &piece));
        enum statement_explain explain = statement_explained(text, &tokens, &piece, &inner);
        cr_expect(eq(int, explain, explained[i].explain), "%s", text);
        if (explained[i].inner != NULL) {
            size_t at = (size_t)(strstr(text, explained[i].inner) - text);
            cr_expect(eq(sz, inner.start, at), "%s", text);
            cr_expect(eq(sz, tokens.items[inner.first].start, at), "%s", text);
            cr_expect(eq(sz, inner.first + inner.num, piece.first + piece.num), "%s", text);
        } else {
            cr_expect(eq(sz, inner.num, 77), "%s", text);
        }
        sql_tokens_cleanup(&tokens);
    }
}
