/* Tests of parser/sql_doubt.c: the classes of doubt, and ordinary text that must raise none. */
#include "sql_doubt.h"

#include "exact.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static bool doubts(const char *text, size_t len)
{
    char *exact = exact_copy(text, len);
    const char *why = NULL;
    bool doubt = sql_doubt(exact, len, &why);
    cr_expect(eq(int, doubt, why != NULL), "a reason exactly when there is doubt: %s", text);
    free(exact);
    return doubt;
}

static const char *const ordinary[] = {
    "",
    ";",
    "SELECT 1",
    "SELECT 1 -- to the end",
    "SELECT 1 -- c\r\n+ 2\r\n",
    "SELECT\r1\r",
    "-- ''' \"\" $1$ /*\nSELECT 1",
    "/* one /* two */ one */ SELECT 1",
    "/**/ SELECT /***/ 1 /****/",
    "/*/ c */ SELECT 1",
    "/*//* c */ */ SELECT 1",
    "SELECT 2 /* c */* 3",
    "SELECT 2 */* c */ 3",
    "/* -- \r ' \" $1$ */ SELECT 1",
    "SELECT 'a''b', '', '\\', '-- \r', '/*/', '$1$'",
    "SELECT e'\\'', E'a''\\\\', E'\\\\' || 'x'",
    "SELECT te'\\' , 1 AS \"x\"",
    "SELECT \"a b\", \"-- \r /*/\", \"$1$\"",
    "SELECT \"a\".\"b\" . \"c\"",
    "SELECT $1, $2+$10, $1::int",
    "SELECT $$ ; ' \" -- \r /*/ $1$ $$",
    "SELECT $a$ x $a$, $_$y$_$, $\xc3\xa9$z$\xc3\xa9$",
    "SELECT $a$ $$ $ $b$ $a$",
    "SELECT a$1$b, x$$y$$ FROM t$1$",
    "SELECT 1.5e-3, .5, 1., 0xFF, 1_000",
    "SELECT - -1, a->>'b', c #> '{d}', x || y, a <-> b",
    "SELECT '\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80', \"\xf4\x8f\xbf\xbf\"",
    "\xef\xbb\xbfSELECT 1",
    "/* ================================================================================ */",
    "-- --------------------------------------------------------------------------------",
    "SELECT U&'\\', x'ff', B'01', N'n'",
    "SELECT $",
    "SELECT $x",
};

static const char *const doubtful[] = {
    "SELECT 1 -- c\r; SELECT 2",
    "SELECT 1 -- c\r",
    "SELECT 1 -- c\r\r\n",
    "SELECT 1 +-- c\r; SELECT 2",
    "/*/*/ SELECT 1",
    "/* /*/ */ SELECT 1",
    "/* /* */* */ SELECT 1",
    "/* /* a */*/ SELECT 1 */",
    "/*//* c */*/ SELECT 1",
    "SELECT 1 +/* /*/ */ 2",
    "SELECT $1$ ; $1$",
    "SELECT $1a$ ; $1a$",
    "SELECT $1$2",
    "SELECT 1$1$ x $1$",
    "SELECT \"a\"\"b\"",
    "SELECT \"\"\"\"",
    "SELECT \"\"",
    "SELECT 'a",
    "SELECT 'a''",
    "SELECT E'a\\'",
    "SELECT E'a\\",
    "SELECT \"a",
    "SELECT /* a",
    "SELECT /* /* a */",
    "SELECT /*",
    "SELECT /*/",
    "SELECT $$ a $",
    "SELECT $a$ x $A$",
    "SELECT $a$ x $a",
    "SELECT $$",
    /* not UTF-8 */
    "SELECT '\x80'",
    "SELECT '\xc0\xaf'",
    "SELECT '\xc1\xbf'",
    "SELECT '\xe0\x9f\xbf'",
    "SELECT '\xed\xa0\x80'",
    "SELECT '\xf0\x8f\xbf\xbf'",
    "SELECT '\xf4\x90\x80\x80'",
    "SELECT '\xf5\x80\x80\x80'",
    "SELECT '\xff'",
    "SELECT '\xe2\x82'",
    "SELECT '\xe2\x28\xa1'",
    "SELECT 1 -- \xe2\x82",
    "\xc3",
    "\xf0\x9f\x98",
};

Test(sql_doubt, leaves_ordinary_text_alone)
{
    for (size_t i = 0; i < NUM_OF(ordinary); i++) {
        cr_expect(not(doubts(ordinary[i], strlen(ordinary[i]))), "%s", ordinary[i]);
    }
}

Test(sql_doubt, doubts)
{
    for (size_t i = 0; i < NUM_OF(doubtful); i++) {
        cr_expect(doubts(doubtful[i], strlen(doubtful[i])), "%s", doubtful[i]);
    }
}

Test(sql_doubt, zero_bytes_anywhere)
{
    cr_expect(doubts("SELECT 1\0", 9));
    cr_expect(doubts("\0SELECT 1", 9));
    cr_expect(doubts("SELECT '\0'", 10));
}

Test(sql_doubt, long_runs_of_operators)
{
    char text[400] = "SELECT 1 ";
    size_t len = strlen(text);
    memset(text + len, '+', 32);
    cr_expect(not(doubts(text, len + 32)));
    memset(text + len, '+', 33);
    cr_expect(doubts(text, len + 33));
    memset(text, '=', sizeof(text));
    memcpy(text, "/*", 2);
    memcpy(text + 198, "*/", 2);
    cr_expect(not(doubts(text, 200)));
    cr_expect(doubts(text, 201));
}

Test(sql_doubt, every_cut_is_harmless)
{
    for (size_t i = 0; i < NUM_OF(ordinary) + NUM_OF(doubtful); i++) {
        bool first = i < NUM_OF(ordinary);
        const char *text = first ? ordinary[i] : doubtful[i - NUM_OF(ordinary)];
        for (size_t cut = 0; cut < strlen(text); cut++) {
            (void)doubts(text, cut);
        }
    }
}

/* Deep nesting and many doubled quotes must not use the stack. */
Test(sql_doubt, large_inputs)
{
    size_t len = 1U << 22;
    static const char *const units[] = {"''", "/* ", "'a' ", "$a ", "\"b\".", "$$x$$", "-- \n"};
    char *text = malloc(len);
    cr_assert(ne(ptr, text, NULL));
    for (size_t u = 0; u < NUM_OF(units); u++) {
        size_t unit_len = strlen(units[u]);
        for (size_t i = 0; i < len; i++) {
            text[i] = units[u][i % unit_len];
        }
        const char *why = NULL;
        (void)sql_doubt(text, len, &why);
    }
    free(text);
}
