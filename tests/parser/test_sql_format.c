/* Tests of parser/sql_format.c: the four conversions, and that nothing else produces SQL. */
#include "sql_format.h"

#include "exact.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdint.h>

static void expect_text(struct buf *out, const char *expected)
{
    cr_expect(not(buf_failed(out)));
    cr_expect(eq(str, (char *)buf_text(out), (char *)expected));
    buf_cleanup(out);
}

Test(sql_format, converts)
{
    struct buf out = {0};
    sql_format(&out, "");
    expect_text(&out, "");
    sql_format(&out, "SELECT 1");
    expect_text(&out, "SELECT 1");
    sql_format(&out, "DROP VIEW %I.%I", "s", "it\"s");
    expect_text(&out, "DROP VIEW \"s\".\"it\"\"s\"");
    sql_format(&out, "SELECT %L, %u %% %u", "O'Brien\\", UINT64_MAX, (uint64_t)0);
    expect_text(&out, "SELECT 'O''Brien\\', 18446744073709551615 % 0");
    sql_format(&out, "%%");
    expect_text(&out, "%");
}

Test(sql_format, appends)
{
    struct buf out = {0};
    buf_add_text(&out, "a ");
    sql_format(&out, "%L", "%I");
    sql_format(&out, "%I", "%");
    expect_text(&out, "a '%I'\"%\"");
}

Test(sql_format, unknown_conversions_spoil_the_buffer)
{
    static const char *const formats[] = {"%s", "%d", "a%", "%", "%i", "%l", "%5u", "% I", "%L %x"};
    for (size_t i = 0; i < NUM_OF(formats); i++) {
        struct buf out = {0};
        sql_format(&out, formats[i], "x", "y");
        cr_expect(buf_failed(&out), "%s", formats[i]);
        buf_cleanup(&out);
    }
}

Test(sql_format, survives_every_failed_allocation)
{
    for (size_t nth = 1; nth < 100; nth++) {
        struct buf out = {0};
        mem_fail_at(nth);
        for (uint64_t i = 0; i < 20; i++) {
            sql_format(&out, "ALTER %I SWAP %L %u;", "name", "value", i);
        }
        mem_fail_at(0);
        bool failed = buf_failed(&out);
        buf_cleanup(&out);
        if (!failed) {
            cr_expect(gt(sz, nth, 2));
            return;
        }
    }
    cr_assert(0, "it never succeeded");
}
