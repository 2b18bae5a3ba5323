/* Tests of parser/index_definition.c: stored definitions of indexes under other names. */
#include "index_definition.h"

#include "exact.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define RENAMED "CREATE INDEX \"My n\" ON \"s 1\".\"t_tmp\""

static const struct {
    const char *definition;
    const char *renamed; /* NULL: it is none */
} rows[] = {
    {"CREATE INDEX i ON mv(a)", RENAMED "(a)"},
    {"CREATE INDEX i ON mv (a DESC, lower(b)) INCLUDE(c) DISTRIBUTED BY(a)",
     RENAMED " (a DESC, lower(b)) INCLUDE(c) DISTRIBUTED BY(a)"},
    {"create index \"I x\" on public.\"M.v(\"(a NULLS FIRST)", RENAMED "(a NULLS FIRST)"},
    {"CREATE INDEX i ON dev.public.mv(a)", RENAMED "(a)"},
    {"CREATE INDEX i ON mv USING hash (a) WITH (x = '1')",
     RENAMED " USING hash (a) WITH (x = '1')"},
    {"CREATE INDEX i ON on(a)", RENAMED "(a)"},
    {"CREATE INDEX on ON mv('it''s')", RENAMED "('it''s')"},
    {"CREATE /* 1 */ INDEX i/* 2 */ ON mv /* 3 */ (a)", RENAMED " /* 3 */ (a)"},
    {"", NULL},
    {"CREATE", NULL},
    {"CREATE INDEX", NULL},
    {"CREATE INDEX i", NULL},
    {"CREATE INDEX i ON", NULL},
    {"CREATE INDEX i ON mv", NULL},
    {"CREATE INDEX i ON mv.", NULL},
    {"CREATE INDEX i ON 'mv'(a)", NULL},
    {"CREATE INDEX 'i' ON mv(a)", NULL},
    {"CREATE INDEX s.i ON mv(a)", NULL},
    {"CREATE UNIQUE INDEX i ON mv(a)", NULL},
    {"CREATE INDEX IF NOT EXISTS i ON mv(a)", NULL},
    {"CREATE TABLE t (a INT)", NULL},
    {"DROP INDEX i", NULL},
    {"CREATE INDEX i ON mv('open", NULL},
};

Test(index_definition, renamed)
{
    for (size_t i = 0; i < NUM_OF(rows); i++) {
        struct buf out = {0};
        char *exact = exact_copy(rows[i].definition, strlen(rows[i].definition) + 1);
        bool read = index_definition_renamed(exact, "My n", "s 1", "t_tmp", &out);
        cr_expect(eq(int, read, rows[i].renamed != NULL), "%s", rows[i].definition);
        const char *text = buf_text(&out);
        cr_assert(ne(ptr, (void *)(uintptr_t)text, NULL));
        cr_expect(
            eq(str, (char *)(uintptr_t)text, (char *)(uintptr_t)(read ? rows[i].renamed : "")));
        buf_cleanup(&out);
        free(exact);
    }
}

Test(index_definition, appends)
{
    struct buf out = {0};
    buf_add_text(&out, "-- ");
    cr_expect(index_definition_renamed("CREATE INDEX i ON t(a)", "n", "s", "u", &out));
    cr_expect(
        eq(str, (char *)(uintptr_t)buf_text(&out), "-- CREATE INDEX \"n\" ON \"s\".\"u\"(a)"));
    buf_cleanup(&out);
}

Test(index_definition, without_memory)
{
    bool done = false;
    for (size_t nth = 1; nth < 100 && !done; nth++) {
        struct buf out = {0};
        mem_fail_at(nth);
        bool read = index_definition_renamed("CREATE INDEX i ON t(a)", "n", "s", "u", &out);
        done = mem_count() < nth;
        mem_fail_at(0);
        cr_expect(eq(int, read && !buf_failed(&out), done));
        buf_cleanup(&out);
    }
    cr_expect(done);
}
