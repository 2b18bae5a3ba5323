/* Tests of statement_read_stored: definitions as the catalog has them. */
#include "statement.h"

#include "exact.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

static const struct {
    const char *text;
    enum statement_kind kind;
    const char *name;
    const char *columns;
    const char *options;
    const char *query;
    const char *emit;
} rows[] = {
    {"CREATE MATERIALIZED VIEW mv AS SELECT 1", STATEMENT_REPLACE_MATERIALIZED_VIEW, "mv", "", "",
     "SELECT 1", ""},
    {"CREATE VIEW v AS SELECT 1", STATEMENT_REPLACE_VIEW, "v", "", "", "SELECT 1", ""},
    {"CREATE MATERIALIZED VIEW s.\"M v\" (a, \"b\") WITH (x = 'y', z = 1) AS SELECT a, b FROM t"
     " EMIT ON WINDOW CLOSE",
     STATEMENT_REPLACE_MATERIALIZED_VIEW, "M v", "(a, \"b\")", "WITH (x = 'y', z = 1)",
     "SELECT a, b FROM t", "EMIT ON WINDOW CLOSE"},
    {"CREATE MATERIALIZED VIEW d.s.mv AS WITH c AS (SELECT 1) SELECT * FROM c EMIT IMMEDIATELY",
     STATEMENT_REPLACE_MATERIALIZED_VIEW, "mv", "", "", "WITH c AS (SELECT 1) SELECT * FROM c",
     "EMIT IMMEDIATELY"},
    {"CREATE VIEW emit AS SELECT emit, immediately FROM t AS emit", STATEMENT_REPLACE_VIEW, "emit",
     "", "", "SELECT emit, immediately FROM t AS emit", ""},
    {"CREATE MATERIALIZED VIEW mv AS SELECT 'EMIT IMMEDIATELY'",
     STATEMENT_REPLACE_MATERIALIZED_VIEW, "mv", "", "", "SELECT 'EMIT IMMEDIATELY'", ""},
    {"CREATE MATERIALIZED VIEW mv AS (SELECT 1 EMIT IMMEDIATELY)",
     STATEMENT_REPLACE_MATERIALIZED_VIEW, "mv", "", "", "(SELECT 1 EMIT IMMEDIATELY)", ""},
    {"CREATE MATERIALIZED VIEW \"select\" AS VALUES (1)", STATEMENT_REPLACE_MATERIALIZED_VIEW,
     "select", "", "", "VALUES (1)", ""},
    {"CREATE MATERIALIZED VIEW mv WITH (a = (1)) AS SELECT 1", STATEMENT_REPLACE_MATERIALIZED_VIEW,
     "mv", "", "WITH (a = (1))", "SELECT 1", ""},
    {"CREATE OR REPLACE MATERIALIZED VIEW mv AS SELECT 1", STATEMENT_OTHER, "", "", "", "", ""},
    {"CREATE OR REPLACE VIEW v AS SELECT 1", STATEMENT_OTHER, "", "", "", "", ""},
    {"CREATE MATERIALIZED VIEW IF NOT EXISTS mv AS SELECT 1", STATEMENT_OTHER, "", "", "", "", ""},
    {"CREATE MATERIALIZED VIEW mv", STATEMENT_OTHER, "", "", "", "", ""},
    {"CREATE MATERIALIZED VIEW mv AS", STATEMENT_OTHER, "", "", "", "", ""},
    {"CREATE TABLE t AS SELECT 1", STATEMENT_OTHER, "", "", "", "", ""},
    {"CREATE INDEX i ON mv(a)", STATEMENT_OTHER, "", "", "", "", ""},
    {"SELECT 1", STATEMENT_OTHER, "", "", "", "", ""},
};

static void expect_range(const char *text, struct byte_range range, const char *wanted)
{
    char got[256];
    (void)snprintf(got, sizeof(got), "%.*s", (int)(range.end - range.start), text + range.start);
    cr_expect(eq(str, got, (char *)(uintptr_t)wanted), "%s", text);
}

Test(statement_stored, read)
{
    for (size_t i = 0; i < NUM_OF(rows); i++) {
        size_t len = strlen(rows[i].text);
        char *text = exact_copy(rows[i].text, len);
        struct sql_tokens tokens = {0};
        struct sql_piece piece;
        struct statement s;
        size_t cursor = 0;
        cr_assert(eq(int, sql_scan(text, len, &tokens), SQL_SCAN_OK));
        cr_assert(sql_next_piece(text, len, &tokens, &cursor, &piece));
        cr_assert(eq(int, statement_read_stored(text, &tokens, &piece, &s), STATEMENT_READ));
        cr_expect(eq(int, s.kind, rows[i].kind), "%s", rows[i].text);
        if (s.kind != STATEMENT_OTHER) {
            cr_expect(eq(str, s.name, (char *)(uintptr_t)rows[i].name));
            cr_expect(eq(sz, s.or_replace.start, s.or_replace.end));
            cr_expect(eq(sz, s.whole.end, len));
            expect_range(rows[i].text, s.columns, rows[i].columns);
            expect_range(rows[i].text, s.options, rows[i].options);
            expect_range(rows[i].text, s.query, rows[i].query);
            expect_range(rows[i].text, s.emit, rows[i].emit);
        }
        statement_cleanup(&s);
        sql_tokens_cleanup(&tokens);
        free(text);
    }
}

/* statement_read does not take what the catalog stores, nor the reverse. */
Test(statement_stored, not_of_clients)
{
    static const char text[] = "CREATE MATERIALIZED VIEW mv AS SELECT 1";
    struct sql_tokens tokens = {0};
    struct sql_piece piece;
    struct statement s;
    size_t cursor = 0;
    cr_assert(eq(int, sql_scan(text, strlen(text), &tokens), SQL_SCAN_OK));
    cr_assert(sql_next_piece(text, strlen(text), &tokens, &cursor, &piece));
    cr_assert(eq(int, statement_read(text, &tokens, &piece, &s), STATEMENT_READ));
    cr_expect(eq(int, s.kind, STATEMENT_OTHER));
    statement_cleanup(&s);
    sql_tokens_cleanup(&tokens);
}
