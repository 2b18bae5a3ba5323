/* setting_statement: what is recognised as a statement about settings of ours, and what is not. */
#include "mem.h"
#include "setting_statement.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct setting_statement read_first(const char *text)
{
    struct sql_tokens tokens = {0};
    struct setting_statement statement = {.kind = SETTING_NO_STATEMENT};
    struct sql_piece piece;
    size_t cursor = 0;
    cr_assert(eq(int, sql_scan(text, strlen(text), &tokens), SQL_SCAN_OK), "%s", text);
    if (sql_next_piece(text, strlen(text), &tokens, &cursor, &piece)) {
        cr_assert(eq(int, setting_statement_read(text, &tokens, &piece, &statement),
                     SETTING_STATEMENT_READ));
    }
    sql_tokens_cleanup(&tokens);
    return statement;
}

static const struct {
    const char *text;
    enum setting_statement_kind kind;
    const char *name;
    const char *value;
} rows[] = {
    {"SET mvswap.build = foreground", SETTING_SET, "build", "foreground"},
    {"set MVSWAP.Build to 'Foreground';", SETTING_SET, "build", "Foreground"},
    {"SET SESSION mvswap.drain_min TO '2s'", SETTING_SET, "drain_min", "2s"},
    {"SET LOCAL mvswap.build=background", SETTING_SET_LOCAL, "build", "background"},
    {"/* a */ SET -- b\n mvswap . /* c */ build = /* d */ x -- e", SETTING_SET, "build", "x"},
    {"SET \"mvswap\".\"build\" = \"foreground\"", SETTING_SET, "build", "foreground"},
    {"SET mvswap.check = 'it''s'", SETTING_SET, "check", "it's"},
    {"SET mvswap.check = ''", SETTING_SET, "check", ""},
    {"SET mvswap.drain = 10", SETTING_SET, "drain", "10"},
    {"SET mvswap.drain = 0.5", SETTING_SET, "drain", "0.5"},
    {"SET mvswap.drain = -1", SETTING_SET, "drain", "-1"},
    {"SET mvswap.drain = a, b", SETTING_SET, "drain", "a, b"},
    {"SET mvswap.drain = E'x'", SETTING_SET, "drain", "E'x'"},
    {"SET mvswap.drain = on", SETTING_SET, "drain", "on"},
    {"SET mvswap.drain = default + 1", SETTING_SET, "drain", "default + 1"},
    {"SET mvswap.a.b = 1", SETTING_SET, "a.b", "1"},
    {"SET mvswap.drain TO DEFAULT", SETTING_RESET, "drain", ""},
    {"SET mvswap.drain = default", SETTING_RESET, "drain", ""},
    {"RESET mvswap.drain", SETTING_RESET, "drain", ""},
    {"SHOW mvswap.drain", SETTING_SHOW, "drain", ""},
    {"show \"mvswap\".drain", SETTING_SHOW, "drain", ""},
    {"SHOW mvswap", SETTING_SHOW_ALL, "", ""},
    {"SHOW mvswap;", SETTING_SHOW_ALL, "", ""},
    {"RESET ALL", SETTING_RESET_ALL, "", ""},
    {"/* x */ discard /* y */ all ;", SETTING_RESET_ALL, "", ""},
    {"DISCARD PLANS", SETTING_NO_STATEMENT, NULL, NULL},
    {"RESET all.b", SETTING_NO_STATEMENT, NULL, NULL},
    {"DISCARD ALL now", SETTING_NO_STATEMENT, NULL, NULL},
    {"SHOW ALL", SETTING_NO_STATEMENT, NULL, NULL},
    {"RESET mvswap", SETTING_NO_STATEMENT, NULL, NULL},
    {"SHOW mvswap all", SETTING_NO_STATEMENT, NULL, NULL},
    {"SHOW mvswap.drain drain", SETTING_NO_STATEMENT, NULL, NULL},
    {"SHOW mvswap.", SETTING_NO_STATEMENT, NULL, NULL},
    {"SHOW \"Mvswap\"", SETTING_NO_STATEMENT, NULL, NULL},
    {"SET mvswap = 1", SETTING_NO_STATEMENT, NULL, NULL},
    {"SET mvswap.drain", SETTING_NO_STATEMENT, NULL, NULL},
    {"SET mvswap.drain =", SETTING_NO_STATEMENT, NULL, NULL},
    {"SET mvswap.drain 1", SETTING_NO_STATEMENT, NULL, NULL},
    {"SET mvswap.'drain' = 1", SETTING_NO_STATEMENT, NULL, NULL},
    {"SET other.drain = 1", SETTING_NO_STATEMENT, NULL, NULL},
    {"SET search_path = mvswap", SETTING_NO_STATEMENT, NULL, NULL},
    {"SET TIME ZONE mvswap", SETTING_NO_STATEMENT, NULL, NULL},
    {"SELECT 'SET mvswap.drain = 1'", SETTING_NO_STATEMENT, NULL, NULL},
    {"EXPLAIN SET mvswap.drain = 1", SETTING_NO_STATEMENT, NULL, NULL},
    {"ALTER SYSTEM SET mvswap.drain = 1", SETTING_NO_STATEMENT, NULL, NULL},
};

Test(setting_statement, is_recognised_by_its_form)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct setting_statement s = read_first(rows[i].text);
        cr_expect(eq(int, s.kind, rows[i].kind), "%s", rows[i].text);
        if (s.kind != SETTING_NO_STATEMENT && s.kind == rows[i].kind) {
            cr_expect(eq(str, s.name, (char *)rows[i].name), "%s", rows[i].text);
            cr_expect(eq(str, s.value, (char *)rows[i].value), "%s", rows[i].text);
        }
        setting_statement_cleanup(&s);
    }
}

/* Without memory there is no statement, never another one. */
Test(setting_statement, needs_memory)
{
    static const char text[] = "SET mvswap.build = foreground";
    struct sql_tokens tokens = {0};
    struct sql_piece piece;
    size_t cursor = 0;
    bool failed = true;
    cr_assert(eq(int, sql_scan(text, strlen(text), &tokens), SQL_SCAN_OK));
    cr_assert(sql_next_piece(text, strlen(text), &tokens, &cursor, &piece));
    for (size_t nth = 1; failed; nth++) {
        struct setting_statement s = {.kind = SETTING_NO_STATEMENT};
        mem_fail_at(nth);
        failed = setting_statement_read(text, &tokens, &piece, &s) != SETTING_STATEMENT_READ;
        size_t count = mem_count();
        mem_fail_at(0);
        /* A name that could not be gathered makes it none. */
        if (!failed && s.kind != SETTING_NO_STATEMENT) {
            cr_expect(eq(str, s.value, "foreground"));
        }
        failed = failed || s.kind == SETTING_NO_STATEMENT;
        if (failed) {
            cr_expect(ge(sz, count, nth));
        }
        setting_statement_cleanup(&s);
        cr_assert(lt(sz, nth, 100));
    }
    sql_tokens_cleanup(&tokens);
}
