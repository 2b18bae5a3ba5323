/* Tests of parser/ident.c: folding, plainness, quoting. */
#include "ident.h"

#include "exact.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* clang-format off */
static const struct {
    const char *token;
    const char *name; /* NULL: refused */
} folds[] = {
    {"foo",             "foo"},
    {"FOO_1$x",         "foo_1$x"},
    {"SELECT",          "select"},
    {"_",               "_"},
    {"\"Foo\"",         "Foo"},
    {"\"a b.c\"",       "a b.c"},
    {"\"\xc3\x89\"",    "\xc3\x89"},
    {"\"'\"",           "'"},
    {"\xc3\xa9",        NULL},
    {"a\xc3\xa9",       NULL},
    {"\xef\xbb\xbf" "a", NULL},
    {"'x'",             NULL},
    {"1",               NULL},
    {"$1",              NULL},
    {".",               NULL},
    {"/**/",            NULL},
};

static const struct {
    const char *name;
    bool plain;
    const char *ident;
    const char *literal;
} quotes[] = {
    {"foo",      true,  "\"foo\"",         "'foo'"},
    {"_a$1",     true,  "\"_a$1\"",        "'_a$1'"},
    {"select",   true,  "\"select\"",      "'select'"},
    {"",         false, "\"\"",            "''"},
    {"Foo",      false, "\"Foo\"",         "'Foo'"},
    {"fOo",      false, "\"fOo\"",         "'fOo'"},
    {"1a",       false, "\"1a\"",          "'1a'"},
    {"$a",       false, "\"$a\"",          "'$a'"},
    {"a b",      false, "\"a b\"",         "'a b'"},
    {"a.b",      false, "\"a.b\"",         "'a.b'"},
    {"\xc3\xa9", false, "\"\xc3\xa9\"",    "'\xc3\xa9'"},
    {"a\"b",     false, "\"a\"\"b\"",      "'a\"b'"},
    {"\"\"",     false, "\"\"\"\"\"\"",    "'\"\"'"},
    {"it's",     false, "\"it's\"",        "'it''s'"},
    {"''",       false, "\"''\"",          "''''''"},
    {"\\'",      false, "\"\\'\"",         "'\\'''"},
};
/* clang-format on */

Test(ident, folds)
{
    for (size_t i = 0; i < NUM_OF(folds); i++) {
        size_t len = strlen(folds[i].token);
        char *exact = exact_copy(folds[i].token, len);
        struct sql_tokens tokens = {0};
        struct buf name = {0};
        cr_assert(eq(int, sql_scan(exact, len, &tokens), SQL_SCAN_OK), "%s", folds[i].token);
        bool folded = ident_fold(exact, &tokens.items[0], &name);
        cr_expect(eq(int, folded, folds[i].name != NULL), "%s", folds[i].token);
        const char *expected = folds[i].name != NULL ? folds[i].name : "";
        cr_expect(eq(str, (char *)buf_text(&name), (char *)expected), "%s", folds[i].token);
        buf_cleanup(&name);
        sql_tokens_cleanup(&tokens);
        free(exact);
    }
}

/* The scanner refuses these before; whoever makes tokens himself gets the same answer. */
Test(ident, refuses_double_quotes_in_names)
{
    static const char *const texts[] = {"\"\"", "\"a\"\"b\""};
    for (size_t i = 0; i < NUM_OF(texts); i++) {
        struct sql_token token = {SQL_TOKEN_QUOTED, 0, strlen(texts[i])};
        struct buf name = {0};
        cr_expect(not(ident_fold(texts[i], &token, &name)));
        buf_cleanup(&name);
    }
}

Test(ident, quotes)
{
    for (size_t i = 0; i < NUM_OF(quotes); i++) {
        const char *name = quotes[i].name;
        struct buf ident = {0};
        struct buf literal = {0};
        ident_quote(&ident, name);
        literal_quote(&literal, name);
        cr_expect(eq(str, (char *)buf_text(&ident), (char *)quotes[i].ident));
        cr_expect(eq(str, (char *)buf_text(&literal), (char *)quotes[i].literal));
        char *exact = exact_copy(name, strlen(name));
        cr_expect(eq(int, ident_is_plain(exact, strlen(name)), quotes[i].plain), "%s", name);
        free(exact);
        buf_cleanup(&ident);
        buf_cleanup(&literal);
    }
}

Test(ident, survives_every_failed_allocation)
{
    const char *text = "Foo";
    struct sql_token token = {SQL_TOKEN_WORD, 0, 3};
    for (size_t nth = 1; nth < 100; nth++) {
        struct buf out = {0};
        mem_fail_at(nth);
        cr_expect(ident_fold(text, &token, &out));
        for (size_t i = 0; i < 20; i++) {
            ident_quote(&out, "a\"b");
            literal_quote(&out, "a'b");
        }
        mem_fail_at(0);
        bool failed = buf_failed(&out);
        buf_cleanup(&out);
        if (!failed) {
            cr_expect(gt(sz, nth, 1));
            return;
        }
    }
    cr_assert(0, "it never succeeded");
}
