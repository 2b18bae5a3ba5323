/*
 * Tests of parser/statement.c, reading: every recognisable statement, and the look-alikes. The
 * tables are written down by the grammar of the server, not by what the code happens to do.
 */
#include "statement.h"

#include "exact.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#define CORM "CREATE OR REPLACE MATERIALIZED VIEW "

/* clang-format off */
/* MV or V, then name parts, columns, options, query, emit, each behind a bar; P: has parameters. */
static const struct {
    const char *text;
    const char *summary;
} recognised[] = {
    {CORM "v AS SELECT 1",                      "MV|v|||SELECT 1|"},
    {"CREATE OR REPLACE VIEW v AS SELECT 1",    "V|v|||SELECT 1|"},
    {"create or replace materialized view V as select 1", "MV|v|||select 1|"},
    {"CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "V|v|||SELECT 1|"},
    {"CREATE OR REPLACE TEMPORARY VIEW v AS SELECT 1", "V|v|||SELECT 1|"},
    {"CREATE OR REPLACE TEMPORARY MATERIALIZED VIEW v AS SELECT 1", "MV|v|||SELECT 1|"},
    {"CREATE OR REPLACE temp MATERIALIZED VIEW v AS SELECT 1", "MV|v|||SELECT 1|"},
    {CORM "s.v AS SELECT 1",                    "MV|s.v|||SELECT 1|"},
    {CORM "d.s.v AS SELECT 1",                  "MV|d.s.v|||SELECT 1|"},
    {CORM "D . /* x */ S\n.\tV AS SELECT 1",    "MV|d.s.v|||SELECT 1|"},
    {CORM "\"D x\".\"S.y\".\"V\" AS SELECT 1",  "MV|D x.S.y.V|||SELECT 1|"},
    {CORM "\"\xc3\xa9\" AS SELECT 1",           "MV|\xc3\xa9|||SELECT 1|"},
    {CORM "a$1$b AS SELECT 1",                  "MV|a$1$b|||SELECT 1|"},
    {CORM "select AS SELECT 1",                 "MV|select|||SELECT 1|"},
    {CORM "table.view.as AS SELECT 1",          "MV|table.view.as|||SELECT 1|"},
    {CORM "as AS SELECT 1",                     "MV|as|||SELECT 1|"},
    {CORM "with AS SELECT 1",                   "MV|with|||SELECT 1|"},
    {CORM "if AS SELECT 1",                     "MV|if|||SELECT 1|"},
    {CORM "if.not AS SELECT 1",                 "MV|if.not|||SELECT 1|"},
    {CORM "if (a) AS SELECT 1",                 "MV|if|(a)||SELECT 1|"},
    {CORM "materialized AS SELECT 1",           "MV|materialized|||SELECT 1|"},
    {"CREATE OR REPLACE VIEW temp AS SELECT 1", "V|temp|||SELECT 1|"},
    {"CREATE OR REPLACE VIEW view AS SELECT 1", "V|view|||SELECT 1|"},
    {CORM "v(a, \"B c\", _d) AS SELECT 1,2,3",  "MV|v|(a, \"B c\", _d)||SELECT 1,2,3|"},
    {CORM "v WITH (resource_group = 'x') AS SELECT 1",
     "MV|v||WITH (resource_group = 'x')|SELECT 1|"},
    {CORM "v(a) with(a.b = 1, backfill_order = FIXED(a -> b, c -> d),) AS SELECT 1",
     "MV|v|(a)|with(a.b = 1, backfill_order = FIXED(a -> b, c -> d),)|SELECT 1|"},
    {CORM "v WITH () AS SELECT 1",              "MV|v||WITH ()|SELECT 1|"},
    {CORM "v AS WITH c AS (SELECT 1) SELECT * FROM c",
     "MV|v|||WITH c AS (SELECT 1) SELECT * FROM c|"},
    {CORM "v AS (SELECT 1)",                    "MV|v|||(SELECT 1)|"},
    {CORM "v AS VALUES (1), (2)",               "MV|v|||VALUES (1), (2)|"},
    {CORM "v AS SELECT a FROM t EMIT IMMEDIATELY", "MV|v|||SELECT a FROM t|EMIT IMMEDIATELY"},
    {CORM "v AS SELECT a FROM t /*x*/ emit on /*y*/ Window Close -- z",
     "MV|v|||SELECT a FROM t|emit on /*y*/ Window Close"},
    {CORM "v AS SELECT a FROM t EMIT",          "MV|v|||SELECT a FROM t EMIT|"},
    {CORM "v AS SELECT a FROM t ON WINDOW CLOSE", "MV|v|||SELECT a FROM t ON WINDOW CLOSE|"},
    {CORM "v AS (SELECT a FROM t EMIT IMMEDIATELY)", "MV|v|||(SELECT a FROM t EMIT IMMEDIATELY)|"},
    {CORM "v AS (SELECT a FROM t EMIT IMMEDIATELY", "MV|v|||(SELECT a FROM t EMIT IMMEDIATELY|"},
    {CORM "v AS SELECT \"emit\" immediately",   "MV|v|||SELECT \"emit\" immediately|"},
    {CORM "v AS EMIT IMMEDIATELY",              "MV|v|||EMIT IMMEDIATELY|"},
    {"CREATE OR REPLACE VIEW v AS SELECT a FROM t EMIT IMMEDIATELY",
     "V|v|||SELECT a FROM t EMIT IMMEDIATELY|"},
    {CORM "v AS SELECT $1",                     "MV|v|||SELECT $1|P"},
    {CORM "v WITH (a = $2) AS SELECT 1",        "MV|v||WITH (a = $2)|SELECT 1|P"},
    {CORM "v AS SELECT '$1', \"$2\" /* $3 */, a$4", "MV|v|||SELECT '$1', \"$2\" /* $3 */, a$4|"},
    {"  -- lead\n/* /* in */ */ CREATE/**/OR--\nREPLACE/**/VIEW/**/v/**/AS/**/SELECT/**/1/**/--",
     "V|v|||SELECT/**/1|"},
    {CORM "v AS SELECT 1 -- ; DROP",            "MV|v|||SELECT 1|"},
    {CORM "v AS SELECT 'CREATE OR REPLACE'",    "MV|v|||SELECT 'CREATE OR REPLACE'|"},
    {CORM "v AS SELEC nonsense )",              "MV|v|||SELEC nonsense )|"},
    {"CREATE\r\nOR\r\nREPLACE\r\nVIEW v -- c\r\nAS SELECT 1\r\n", "V|v|||SELECT 1|"},
    {"\tCREATE\tOR\fREPLACE\tVIEW v AS SELECT 1", "V|v|||SELECT 1|"},
};

static const char *const other[] = {
    "",
    "SELECT 1",
    "CREATE MATERIALIZED VIEW v AS SELECT 1",
    "CREATE VIEW v AS SELECT 1",
    "CREATE REPLACE VIEW v AS SELECT 1",
    "CREATE OR VIEW v AS SELECT 1",
    "OR REPLACE VIEW v AS SELECT 1",
    "REPLACE VIEW v AS SELECT 1",
    "CREATE OR REPLACE VIEWS v AS SELECT 1",
    "CREATE OR REPLACE TABLE v AS SELECT 1",
    "CREATE OR REPLACE SINK v AS SELECT 1 WITH (connector = 'blackhole')",
    "CREATE OR REPLACE SOURCE v WITH (connector = 'kafka') FORMAT PLAIN ENCODE JSON",
    "CREATE OR REPLACE FUNCTION f() RETURNS int AS 'CREATE OR REPLACE VIEW v AS SELECT 1'",
    "CREATE FUNCTION f() RETURNS int LANGUAGE SQL AS $$CREATE OR REPLACE VIEW v AS SELECT 1$$",
    "CREATE OR REPLACE MATERIALIZED v AS SELECT 1",
    "CREATE OR REPLACE VIEW MATERIALIZED v AS SELECT 1",
    "CREATE OR REPLACE MATERIALIZED TEMP VIEW v AS SELECT 1",
    "CREATE OR REPLACE TEMP TEMPORARY VIEW v AS SELECT 1",
    "CREATE TEMP OR REPLACE VIEW v AS SELECT 1",
    "CREATE OR REPLACE RECURSIVE VIEW v AS SELECT 1",
    "CREATE OR OR REPLACE VIEW v AS SELECT 1",
    "CREATE OR REPLACE OR REPLACE VIEW v AS SELECT 1",
    "CREATEOR REPLACE VIEW v AS SELECT 1",
    "createor replace view v as select 1",
    "CREATE ORREPLACE VIEW v AS SELECT 1",
    "CREATE OR REPLACEVIEW v AS SELECT 1",
    "CREATE OR REPLACE MATERIALIZEDVIEW v AS SELECT 1",
    "\"CREATE\" OR REPLACE VIEW v AS SELECT 1",
    "CREATE \"OR\" REPLACE VIEW v AS SELECT 1",
    "CREATE OR REPLACE \"VIEW\" v AS SELECT 1",
    "CREATE OR REPLACE VIEW v \"AS\" SELECT 1",
    "EXPLAIN CREATE OR REPLACE VIEW v AS SELECT 1",
    "EXPLAIN (VERBOSE) " CORM "v AS SELECT 1",
    "PREPARE p AS " CORM "v AS SELECT 1",
    "DO $$ BEGIN " CORM "v AS SELECT 1; END $$",
    "(" CORM "v AS SELECT 1)",
    "1 " CORM "v AS SELECT 1",
    "SELECT 'x' " CORM "v AS SELECT 1",
    "SELECT '" CORM "v AS SELECT 1'",
    "SELECT $$" CORM "v AS SELECT 1$$",
    "SELECT $x$; " CORM "v AS SELECT 1; $x$",
    "SELECT E'\\'; " CORM "v AS SELECT 1;'",
    "SELECT \"; " CORM "v AS SELECT 1;\"",
    "-- " CORM "v AS SELECT 1",
    "/* " CORM "v AS SELECT 1 */",
    "/* /* */ " CORM "v AS SELECT 1 */",
    CORM "IF NOT EXISTS v AS SELECT 1",
    CORM "if /**/ not exists v AS SELECT 1",
    CORM "v IF NOT EXISTS AS SELECT 1",
    CORM "a.b.c.d AS SELECT 1",
    CORM "a. AS SELECT 1",
    CORM ".a AS SELECT 1",
    CORM "a..b AS SELECT 1",
    CORM "a.1 AS SELECT 1",
    CORM "1 AS SELECT 1",
    CORM "'v' AS SELECT 1",
    CORM "$1 AS SELECT 1",
    CORM "a-b AS SELECT 1",
    CORM "a b AS SELECT 1",
    CORM "a, b AS SELECT 1",
    CORM "\xc3\xa9 AS SELECT 1",
    CORM "s.v\xc3\xa9 AS SELECT 1",
    CORM "AS SELECT 1",
    CORM "v",
    CORM "v SELECT 1",
    CORM "v AS",
    CORM "v USING x AS SELECT 1",
    CORM "v() AS SELECT 1",
    CORM "v(a int) AS SELECT 1",
    CORM "v(a,) AS SELECT 1",
    CORM "v(a.b) AS SELECT 1",
    CORM "v(1) AS SELECT 1",
    CORM "v(a AS SELECT 1",
    CORM "v(a)(b) AS SELECT 1",
    CORM "v WITH AS SELECT 1",
    CORM "v WITH x AS SELECT 1",
    CORM "v WITH (a = 1 AS SELECT 1",
    CORM "v WITH (a = 1] AS SELECT 1",
    CORM "v WITH (a = 1) WITH (b = 2) AS SELECT 1",
    CORM "v WITH (a = 1) (b) AS SELECT 1",
    "\xef\xbb\xbf" CORM "v AS SELECT 1",
    "\\" CORM "v AS SELECT 1",
    CORM,
    "CREATE OR REPLACE",
    "CREATE OR REPLACE /* c */",
    "CREATE OR",
    "CREATE",
};

/* Not read at all: the servers might disagree on where the statement ends. */
static const char *const refused[] = {
    CORM "U&\"v\" AS SELECT 1",
    CORM "U&\"v\" UESCAPE '!' AS SELECT 1",
    CORM "v AS SELECT 'a",
    CORM "v AS SELECT /* a",
    CORM "v AS SELECT $$a",
    CORM "\"v AS SELECT 1",
    CORM "\"a\"\"b\" AS SELECT 1",
    CORM "\"\" AS SELECT 1",
    CORM "v AS SELECT 1 -- c\r",
    CORM "v AS SELECT 1 -- c\r; DROP TABLE t",
    CORM "v AS SELECT 1 /* /*/ */",
    CORM "v AS SELECT $1$x$1$",
    CORM "v AS SELECT 1e",
    CORM "v AS SELECT E'\\0'",
    CORM "v AS SELECT '\xc0\x80'",
    CORM "\"\xed\xa0\x80\" AS SELECT 1",
};
/* clang-format on */

static void add_range(struct buf *out, const char *text, struct byte_range range)
{
    buf_add_byte(out, '|');
    buf_add(out, text + range.start, range.end - range.start);
}

static void add_summary(struct buf *out, const char *text, const struct statement *s)
{
    buf_add_text(out, s->kind == STATEMENT_REPLACE_VIEW ? "V|" : "MV|");
    if (s->database != NULL) {
        buf_add_format(out, "%s.", s->database);
    }
    if (s->schema != NULL) {
        buf_add_format(out, "%s.", s->schema);
    }
    buf_add_text(out, s->name);
    add_range(out, text, s->columns);
    add_range(out, text, s->options);
    add_range(out, text, s->query);
    add_range(out, text, s->emit);
    buf_add_text(out, s->has_parameters ? "P" : "");
}

enum reading { READ_REFUSED, READ_OTHER, READ_REPLACE, READ_NO_MEMORY };

/* Reads every statement of an exact copy of the text; the summary is that of the first replacement.
 */
static enum reading read_all(const char *text, size_t len, struct buf *summary)
{
    char *exact = exact_copy(text, len);
    struct sql_tokens tokens = {0};
    struct sql_piece piece;
    size_t cursor = 0;
    enum sql_scan_result scanned = sql_scan(exact, len, &tokens);
    enum reading reading = scanned == SQL_SCAN_REFUSED     ? READ_REFUSED
                           : scanned == SQL_SCAN_NO_MEMORY ? READ_NO_MEMORY
                                                           : READ_OTHER;
    while (reading == READ_OTHER && sql_next_piece(exact, len, &tokens, &cursor, &piece)) {
        struct statement s = {0};
        if (statement_read(exact, &tokens, &piece, &s) == STATEMENT_NO_MEMORY) {
            reading = READ_NO_MEMORY;
        } else if (s.kind != STATEMENT_OTHER) {
            reading = READ_REPLACE;
            add_summary(summary, exact, &s);
        }
        statement_cleanup(&s);
    }
    sql_tokens_cleanup(&tokens);
    free(exact);
    return reading;
}

static void expect_summary(const char *text, struct buf *summary, const char *expected)
{
    cr_expect(eq(str, (char *)buf_text(summary), (char *)expected), "%s", text);
    buf_cleanup(summary);
}

Test(statement, recognises)
{
    for (size_t i = 0; i < NUM_OF(recognised); i++) {
        const char *text = recognised[i].text;
        struct buf summary = {0};
        cr_expect(eq(int, read_all(text, strlen(text), &summary), READ_REPLACE), "%s", text);
        expect_summary(text, &summary, recognised[i].summary);
    }
}

Test(statement, recognises_in_every_place_of_a_batch)
{
    static const char *const frames[][2] = {
        {";", ";"}, {"SELECT 1; ", " ;SELECT 2"}, {"SELECT ';' ;/* ; */", "\n;"}};
    for (size_t i = 0; i < NUM_OF(recognised); i++) {
        for (size_t f = 0; f < NUM_OF(frames); f++) {
            struct buf text = {0};
            struct buf summary = {0};
            buf_add_text(&text, frames[f][0]);
            buf_add_text(&text, recognised[i].text);
            /* A row may end in a line comment. */
            buf_add_byte(&text, '\n');
            buf_add_text(&text, frames[f][1]);
            enum reading reading = read_all(buf_text(&text), buf_len(&text), &summary);
            cr_expect(eq(int, reading, READ_REPLACE), "%s", buf_text(&text));
            expect_summary(recognised[i].text, &summary, recognised[i].summary);
            buf_cleanup(&text);
        }
    }
}

Test(statement, passes_look_alikes)
{
    for (size_t i = 0; i < NUM_OF(other); i++) {
        struct buf summary = {0};
        enum reading reading = read_all(other[i], strlen(other[i]), &summary);
        cr_expect(eq(int, reading, READ_OTHER), "%s", other[i]);
        buf_cleanup(&summary);
    }
}

Test(statement, refuses_doubtful_text)
{
    for (size_t i = 0; i < NUM_OF(refused); i++) {
        struct buf summary = {0};
        enum reading reading = read_all(refused[i], strlen(refused[i]), &summary);
        cr_expect(eq(int, reading, READ_REFUSED), "%s", refused[i]);
        buf_cleanup(&summary);
    }
    struct buf none = {0};
    static const char zero[] = CORM "v AS SELECT 1\0; SELECT 2";
    cr_expect(eq(int, read_all(zero, sizeof(zero) - 1, &none), READ_REFUSED));
    buf_cleanup(&none);
}

Test(statement, needs_a_query)
{
    static const char *const texts[] = {CORM "v AS", CORM "v AS ", CORM "v AS /* nothing */",
                                        CORM "v AS -- nothing\n;"};
    for (size_t i = 0; i < NUM_OF(texts); i++) {
        struct buf summary = {0};
        cr_expect(eq(int, read_all(texts[i], strlen(texts[i]), &summary), READ_OTHER));
        buf_cleanup(&summary);
    }
}

/* A blank for PostgreSQL from version 16 on and never for the server, which refuses the text: read
 * it in either way, as long as it is read. */
Test(statement, vertical_tab)
{
    static const char text[] = "CREATE OR\vREPLACE VIEW v AS SELECT 1";
    struct buf summary = {0};
    enum reading reading = read_all(text, strlen(text), &summary);
    cr_expect(reading == READ_OTHER || reading == READ_REPLACE);
    buf_cleanup(&summary);
}

/* Where the AS before the query ends; the query is searched for by the row's own summary. */
static size_t end_of_as(const char *text, const char *summary)
{
    char query[256];
    for (size_t bars = 0; bars < 4; bars++) {
        summary = strchr(summary, '|') + 1;
    }
    (void)snprintf(query, sizeof(query), "%.*s", (int)strcspn(summary, "|"), summary);
    size_t at = (size_t)(strstr(text, query) - text);
    while ((text[at - 1] | 0x20) != 's' || (text[at - 2] | 0x20) != 'a') {
        at--;
    }
    return at;
}

Test(statement, no_cut_before_the_query_is_recognised)
{
    for (size_t i = 0; i < NUM_OF(recognised); i++) {
        const char *text = recognised[i].text;
        size_t complete = end_of_as(text, recognised[i].summary);
        for (size_t cut = 0; cut < strlen(text); cut++) {
            struct buf summary = {0};
            enum reading reading = read_all(text, cut, &summary);
            cr_expect(reading != READ_REPLACE || cut > complete, "%.*s", (int)cut, text);
            buf_cleanup(&summary);
        }
    }
    for (size_t i = 0; i < NUM_OF(other); i++) {
        for (size_t cut = 0; cut < strlen(other[i]); cut++) {
            struct buf summary = {0};
            enum reading reading = read_all(other[i], cut, &summary);
            cr_expect(ne(int, reading, READ_REPLACE), "%.*s", (int)cut, other[i]);
            buf_cleanup(&summary);
        }
    }
}

Test(statement, ranges)
{
    const char *text = " CREATE OR  REPLACE\n VIEW a.\"B\" AS SELECT 1 -- end";
    struct sql_tokens tokens = {0};
    struct sql_piece piece;
    struct statement s = {0};
    size_t cursor = 0;
    cr_assert(eq(int, sql_scan(text, strlen(text), &tokens), SQL_SCAN_OK));
    cr_assert(sql_next_piece(text, strlen(text), &tokens, &cursor, &piece));
    cr_assert(eq(int, statement_read(text, &tokens, &piece, &s), STATEMENT_READ));
    cr_expect(eq(sz, s.whole.start, 1));
    cr_expect(eq(sz, s.whole.end, strlen(text) - strlen(" -- end")));
    cr_expect(eq(sz, s.or_replace.start, 8));
    cr_expect(eq(sz, s.or_replace.end, (size_t)(strstr(text, "VIEW") - text)));
    cr_expect(eq(sz, s.last_part.start, (size_t)(strchr(text, '"') - text)));
    cr_expect(eq(sz, s.last_part.end, s.last_part.start + 3));
    cr_expect(s.last_part_quoted);
    statement_cleanup(&s);
    cr_expect(eq(ptr, s.name, NULL));
    statement_cleanup(&s);
    statement_cleanup(NULL);
    sql_tokens_cleanup(&tokens);
}

Test(statement, command_tags)
{
    const char *view = statement_command_tag(STATEMENT_REPLACE_VIEW);
    const char *materialized = statement_command_tag(STATEMENT_REPLACE_MATERIALIZED_VIEW);
    cr_expect(eq(str, (char *)view, (char *)"CREATE_VIEW"));
    cr_expect(eq(str, (char *)materialized, (char *)"CREATE_MATERIALIZED_VIEW"));
}

Test(statement, survives_every_failed_allocation)
{
    const char *text = CORM "\"D\".s.v(a) WITH (b = 1) AS SELECT $1 EMIT IMMEDIATELY";
    for (size_t nth = 1; nth < 100; nth++) {
        struct buf summary = {0};
        mem_fail_at(nth);
        enum reading reading = read_all(text, strlen(text), &summary);
        mem_fail_at(0);
        bool failed = buf_failed(&summary);
        buf_cleanup(&summary);
        if (reading == READ_REPLACE && !failed) {
            cr_expect(gt(sz, nth, 7));
            return;
        }
        cr_expect(reading == READ_NO_MEMORY || failed, "an allocation failed without a word");
    }
    cr_assert(0, "it never succeeded");
}
