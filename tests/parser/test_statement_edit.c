/* Tests of parser/statement.c, editing: statement | without OR REPLACE | under another name. */
#include "statement.h"

#include "exact.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define NEW_PLAIN "x_tmp_1"
#define NEW_ODD "X y"

/* clang-format off */
static const struct {
    const char *text;
    const char *plain;
    const char *renamed; /* to x_tmp_1 */
    const char *odd;     /* to "X y" */
} edits[] = {
    {"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1",
     "CREATE MATERIALIZED VIEW v AS SELECT 1",
     "CREATE MATERIALIZED VIEW x_tmp_1 AS SELECT 1",
     "CREATE MATERIALIZED VIEW \"X y\" AS SELECT 1"},
    {"  create Or rePlace  View Foo AS select Foo FROM Foo ; ",
     "create View Foo AS select Foo FROM Foo",
     "create View x_tmp_1 AS select Foo FROM Foo",
     "create View \"X y\" AS select Foo FROM Foo"},
    {"CREATE OR REPLACE TEMP VIEW \"a b.c\"AS SELECT 1",
     "CREATE TEMP VIEW \"a b.c\"AS SELECT 1",
     "CREATE TEMP VIEW \"x_tmp_1\"AS SELECT 1",
     "CREATE TEMP VIEW \"X y\"AS SELECT 1"},
    {"CREATE OR REPLACE VIEW\"\xc3\xa9\xe2\x82\xac\"AS SELECT '\xc3\xa9'",
     "CREATE VIEW\"\xc3\xa9\xe2\x82\xac\"AS SELECT '\xc3\xa9'",
     "CREATE VIEW\"x_tmp_1\"AS SELECT '\xc3\xa9'",
     "CREATE VIEW\"X y\"AS SELECT '\xc3\xa9'"},
    {"CREATE OR REPLACE VIEW d.\"S\".V(a) AS SELECT 1",
     "CREATE VIEW d.\"S\".V(a) AS SELECT 1",
     "CREATE VIEW d.\"S\".x_tmp_1(a) AS SELECT 1",
     "CREATE VIEW d.\"S\".\"X y\"(a) AS SELECT 1"},
    {"CREATE OR REPLACE VIEW a . b /*n*/ . \"c\" AS SELECT 1",
     "CREATE VIEW a . b /*n*/ . \"c\" AS SELECT 1",
     "CREATE VIEW a . b /*n*/ . \"x_tmp_1\" AS SELECT 1",
     "CREATE VIEW a . b /*n*/ . \"X y\" AS SELECT 1"},
    {"/*0*/CREATE/*1*/OR/*2*/REPLACE/*3*/MATERIALIZED/*4*/VIEW/*5*/v/*6*/AS/*7*/SELECT/*8*/1/*9*/",
     "CREATE/*1*//*3*/MATERIALIZED/*4*/VIEW/*5*/v/*6*/AS/*7*/SELECT/*8*/1",
     "CREATE/*1*//*3*/MATERIALIZED/*4*/VIEW/*5*/x_tmp_1/*6*/AS/*7*/SELECT/*8*/1",
     "CREATE/*1*//*3*/MATERIALIZED/*4*/VIEW/*5*/\"X y\"/*6*/AS/*7*/SELECT/*8*/1"},
    {"--0\nCREATE--1\nOR--2\nREPLACE--3\nVIEW--4\nv--5\nAS--6\nSELECT 1--7",
     "CREATE--1\n--3\nVIEW--4\nv--5\nAS--6\nSELECT 1",
     "CREATE--1\n--3\nVIEW--4\nx_tmp_1--5\nAS--6\nSELECT 1",
     "CREATE--1\n--3\nVIEW--4\n\"X y\"--5\nAS--6\nSELECT 1"},
    {"CREATE OR REPLACE VIEW select AS SELECT 1",
     "CREATE VIEW select AS SELECT 1",
     "CREATE VIEW x_tmp_1 AS SELECT 1",
     "CREATE VIEW \"X y\" AS SELECT 1"},
    {"CREATE OR REPLACE VIEW if AS SELECT 1",
     "CREATE VIEW if AS SELECT 1",
     "CREATE VIEW x_tmp_1 AS SELECT 1",
     "CREATE VIEW \"X y\" AS SELECT 1"},
    {"CREATE OR REPLACE VIEW a$1$ AS SELECT 1",
     "CREATE VIEW a$1$ AS SELECT 1",
     "CREATE VIEW x_tmp_1 AS SELECT 1",
     "CREATE VIEW \"X y\" AS SELECT 1"},
    {"SELECT 0;\nCREATE OR REPLACE\r\nMATERIALIZED VIEW s.v WITH (a = 'b;') AS\r\n"
     "  SELECT $$CREATE OR REPLACE VIEW v$$\r\n EMIT ON WINDOW CLOSE ; SELECT 2",
     "CREATE MATERIALIZED VIEW s.v WITH (a = 'b;') AS\r\n"
     "  SELECT $$CREATE OR REPLACE VIEW v$$\r\n EMIT ON WINDOW CLOSE",
     "CREATE MATERIALIZED VIEW s.x_tmp_1 WITH (a = 'b;') AS\r\n"
     "  SELECT $$CREATE OR REPLACE VIEW v$$\r\n EMIT ON WINDOW CLOSE",
     "CREATE MATERIALIZED VIEW s.\"X y\" WITH (a = 'b;') AS\r\n"
     "  SELECT $$CREATE OR REPLACE VIEW v$$\r\n EMIT ON WINDOW CLOSE"},
};
/* clang-format on */

/* Edits the first replacement in the text: `new_name` NULL gives the plain form. */
static void edit(const char *text, const char *new_name, struct buf *out)
{
    size_t len = strlen(text);
    char *exact = exact_copy(text, len);
    struct sql_tokens tokens = {0};
    struct sql_piece piece;
    struct statement s = {0};
    size_t cursor = 0;
    cr_assert(eq(int, sql_scan(exact, len, &tokens), SQL_SCAN_OK), "%s", text);
    while (s.kind == STATEMENT_OTHER && sql_next_piece(exact, len, &tokens, &cursor, &piece)) {
        cr_assert(eq(int, statement_read(exact, &tokens, &piece, &s), STATEMENT_READ));
    }
    cr_assert(ne(int, s.kind, STATEMENT_OTHER), "%s", text);
    if (new_name == NULL) {
        statement_plain(exact, &s, out);
    } else {
        statement_renamed(exact, &s, new_name, out);
    }
    statement_cleanup(&s);
    sql_tokens_cleanup(&tokens);
    free(exact);
}

static void expect_edit(const char *text, const char *new_name, const char *expected)
{
    struct buf out = {0};
    edit(text, new_name, &out);
    cr_expect(eq(str, (char *)buf_text(&out), (char *)expected), "%s", text);
    buf_cleanup(&out);
}

Test(statement_edit, keeps_every_other_byte)
{
    for (size_t i = 0; i < NUM_OF(edits); i++) {
        expect_edit(edits[i].text, NULL, edits[i].plain);
        expect_edit(edits[i].text, NEW_PLAIN, edits[i].renamed);
        expect_edit(edits[i].text, NEW_ODD, edits[i].odd);
    }
}

Test(statement_edit, quotes_inside_a_new_name_are_doubled)
{
    expect_edit("CREATE OR REPLACE VIEW v AS SELECT 1", "a\"b",
                "CREATE VIEW \"a\"\"b\" AS SELECT 1");
}

Test(statement_edit, survives_every_failed_allocation)
{
    const char *text = "CREATE OR REPLACE VIEW \"v\" AS SELECT 1";
    struct sql_tokens tokens = {0};
    struct sql_piece piece;
    struct statement s = {0};
    size_t cursor = 0;
    cr_assert(eq(int, sql_scan(text, strlen(text), &tokens), SQL_SCAN_OK));
    cr_assert(sql_next_piece(text, strlen(text), &tokens, &cursor, &piece));
    cr_assert(eq(int, statement_read(text, &tokens, &piece, &s), STATEMENT_READ));
    bool failed = true;
    for (size_t nth = 1; nth < 100 && failed; nth++) {
        struct buf out = {0};
        mem_fail_at(nth);
        statement_plain(text, &s, &out);
        statement_renamed(text, &s, NEW_ODD, &out);
        mem_fail_at(0);
        failed = buf_failed(&out);
        buf_cleanup(&out);
    }
    cr_expect(not(failed));
    statement_cleanup(&s);
    sql_tokens_cleanup(&tokens);
}
