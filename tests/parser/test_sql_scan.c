/* Tests of parser/sql_scan.c: token kinds, refusals, pieces, names and the gate. */
#include "sql_scan.h"

#include "exact.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* clang-format off */
/* A letter per token: Word, Quoted, String, Number, Parameter, Comment, Other; or the symbol. */
static const struct {
    const char *text;
    const char *kinds;
} scans[] = {
    {"",                                  ""},
    {" \t\r\n",                           ""},
    {";",                                 ";"},
    {"SELECT 1",                          "WN"},
    {"select Foo, _x1, a$b FROM emit",    "WW,W,WWW"},
    {"SELECT \"a b\".c",                  "WQ.W"},
    {"SELECT 'a', E'\\n', $$b$$, $t$c$t$", "WS,S,S,S"},
    {"SELECT x'ff', B'01'",               "WS,S"},
    {"SELECT N'x'",                       "WWS"},
    {"SELECT 1.5, .5, 1e5, 12345678901234", "WN,N,N,N"},
    {"SELECT $1+$2",                      "WP+P"},
    {"-- a\nSELECT /* b /* c */ */ 1--d", "CWCNC"},
    {"a::int >= b->>'c' || d",            "WOWOWOSOW"},
    {"(a[1]) . * % ^ < > = / - ? | { }",  "(W[N]).*%^<>=/-?|{}"},
    {"map {'a': 1}",                      "W{S:N}"},
    {"\xc3\xa9",                          "W"},
    {"\xef\xbb\xbf" "CREATE",             "W"},
    {"SELECT 'a'\n'b'",                   "WS"},
};

static const struct {
    const char *text;
    const char *pieces; /* joined by |, `~` before an empty one */
} splits[] = {
    {"",                          ""},
    {"SELECT 1",                  "SELECT 1"},
    {"SELECT 1;",                 "SELECT 1"},
    {"SELECT 1; ",                "SELECT 1|~ "},
    {";",                         "~"},
    {" ; ;",                      "~ |~ "},
    {"a;b;;c",                    "a|b|~|c"},
    {" a ; /* ; */ ; -- ;\n b ",  " a |~ /* ; */ | -- ;\n b "},
    {"SELECT ';', $$;$$, \";\";b", "SELECT ';', $$;$$, \";\"|b"},
    {"  ",                        "~  "},
    {"--",                        "~--"},
};
/* clang-format on */

static const char *const refused[] = {
    "SELECT U&'d'",    "SELECT U&\"d\"", "SELECT u&'d' UESCAPE '!'",
    "SELECT 'a",       "SELECT \"a",     "SELECT /* a",
    "SELECT $$a",      "SELECT 1e",      "SELECT 1.5E-",
    "SELECT E'\\000'", "SELECT \"\"",    "SELECT \"a\"\"b\"",
    "SELECT '\xff'",   "-- c\rSELECT 1", "/* /*/ */ SELECT",
    "SELECT $1$a$1$",  "SELECT 1a",      "SELECT $1a",
};

static enum sql_scan_result scan(const char *text, size_t len, struct sql_tokens *out)
{
    char *exact = exact_copy(text, len);
    enum sql_scan_result result = sql_scan(exact, len, out);
    free(exact);
    return result;
}

static char letter_of(const char *text, const struct sql_token *token)
{
    static const char letters[] = {
        [SQL_TOKEN_WORD] = 'W',   [SQL_TOKEN_QUOTED] = 'Q',    [SQL_TOKEN_STRING] = 'S',
        [SQL_TOKEN_NUMBER] = 'N', [SQL_TOKEN_PARAMETER] = 'P', [SQL_TOKEN_COMMENT] = 'C',
        [SQL_TOKEN_OTHER] = 'O'};
    return token->kind == SQL_TOKEN_SYMBOL ? text[token->start] : letters[token->kind];
}

Test(sql_scan, finds_kinds)
{
    for (size_t i = 0; i < NUM_OF(scans); i++) {
        const char *text = scans[i].text;
        struct sql_tokens tokens = {0};
        char kinds[64] = "";
        cr_assert(eq(int, scan(text, strlen(text), &tokens), SQL_SCAN_OK), "%s", text);
        for (size_t t = 0; t < tokens.num_items && t < sizeof(kinds) - 1; t++) {
            kinds[t] = letter_of(text, &tokens.items[t]);
        }
        cr_expect(eq(str, kinds, (char *)scans[i].kinds), "%s", text);
        sql_tokens_cleanup(&tokens);
    }
}

Test(sql_scan, ranges_are_those_of_the_text)
{
    const char *text = "  Foo /*c*/\"b c\"('x''y')--e";
    static const char *const expected[] = {"Foo", "/*c*/", "\"b c\"", "(", "'x''y'", ")", "--e"};
    struct sql_tokens tokens = {0};
    cr_assert(eq(int, scan(text, strlen(text), &tokens), SQL_SCAN_OK));
    cr_assert(eq(sz, tokens.num_items, NUM_OF(expected)));
    for (size_t i = 0; i < NUM_OF(expected); i++) {
        size_t len = tokens.items[i].end - tokens.items[i].start;
        cr_expect(eq(sz, len, strlen(expected[i])));
        cr_expect(strncmp(text + tokens.items[i].start, expected[i], len) == 0, "%s", expected[i]);
    }
    cr_expect(sql_token_is_word(text, &tokens.items[0], "foo"));
    cr_expect(not(sql_token_is_word(text, &tokens.items[0], "fo")));
    cr_expect(not(sql_token_is_word(text, &tokens.items[2], "b c")));
    cr_expect(sql_token_is_symbol(text, &tokens.items[3], '('));
    cr_expect(not(sql_token_is_symbol(text, &tokens.items[3], ')')));
    cr_expect(not(sql_token_is_symbol(text, &tokens.items[0], 'F')));
    sql_tokens_cleanup(&tokens);
    sql_tokens_cleanup(&tokens);
    sql_tokens_cleanup(NULL);
}

Test(sql_scan, refuses_and_writes_nothing)
{
    struct sql_tokens tokens = {.num_items = 77};
    for (size_t i = 0; i < NUM_OF(refused); i++) {
        enum sql_scan_result result = scan(refused[i], strlen(refused[i]), &tokens);
        cr_expect(eq(int, result, SQL_SCAN_REFUSED), "%s", refused[i]);
        cr_expect(eq(sz, tokens.num_items, 77));
    }
    cr_expect(eq(int, scan("SELECT\0001", 8, &tokens), SQL_SCAN_REFUSED));
}

/* The scanner would need days for these; the entry's time limit stands guard. */
Test(sql_scan, refuses_what_takes_square_time)
{
    static const char *const units[] = {"+", "<=>", "/**/", "/*++*/+", "-+"};
    size_t len = 1U << 22;
    char *text = malloc(len);
    cr_assert(ne(ptr, text, NULL));
    for (size_t u = 0; u < NUM_OF(units); u++) {
        struct sql_tokens tokens = {0};
        size_t unit_len = strlen(units[u]);
        for (size_t i = 0; i < len; i++) {
            text[i] = units[u][i % unit_len];
        }
        cr_expect(eq(int, sql_scan(text, len, &tokens), SQL_SCAN_REFUSED), "%s", units[u]);
    }
    free(text);
}

Test(sql_scan, every_cut_is_harmless)
{
    for (size_t i = 0; i < NUM_OF(scans); i++) {
        for (size_t cut = 0; cut < strlen(scans[i].text); cut++) {
            struct sql_tokens tokens = {0};
            if (scan(scans[i].text, cut, &tokens) == SQL_SCAN_OK && tokens.num_items != 0) {
                cr_expect(le(sz, tokens.items[tokens.num_items - 1].end, cut));
            }
            sql_tokens_cleanup(&tokens);
        }
    }
}

Test(sql_scan, splits)
{
    for (size_t i = 0; i < NUM_OF(splits); i++) {
        const char *text = splits[i].text;
        struct sql_tokens tokens = {0};
        struct sql_piece piece;
        size_t cursor = 0;
        char joined[128] = "";
        cr_assert(eq(int, scan(text, strlen(text), &tokens), SQL_SCAN_OK), "%s", text);
        while (sql_next_piece(text, strlen(text), &tokens, &cursor, &piece)) {
            strcat(joined, joined[0] != '\0' ? "|" : "");
            strcat(joined, piece.empty ? "~" : "");
            strncat(joined, text + piece.start, piece.end - piece.start);
        }
        cr_expect(eq(str, joined, (char *)splits[i].pieces), "%s", text);
        cr_expect(not(sql_next_piece(text, strlen(text), &tokens, &cursor, &piece)));
        sql_tokens_cleanup(&tokens);
    }
}

Test(sql_scan, tokens_name_folds_words_and_not_quotes)
{
    const char *text = "SELECT Foo, \"Bar\", 'baz' /* qux */ FROM a.\"b c\"";
    static const struct {
        const char *name;
        bool named;
    } rows[] = {{"foo", true},  {"Foo", false}, {"bar", false}, {"Bar", true}, {"baz", false},
                {"qux", false}, {"a", true},    {"b c", true},  {"", false},   {"fo", false}};
    struct sql_tokens tokens = {0};
    cr_assert(eq(int, scan(text, strlen(text), &tokens), SQL_SCAN_OK));
    for (size_t i = 0; i < NUM_OF(rows); i++) {
        bool named = sql_tokens_name(text, &tokens, rows[i].name, strlen(rows[i].name));
        cr_expect(eq(int, named, rows[i].named), "%s", rows[i].name);
    }
    sql_tokens_cleanup(&tokens);
}

/* The gate against the slow way to say the same. */
static bool slow_gate(const char *text, size_t len)
{
    static const char *const words[] = {"replace", "mvswap"};
    for (size_t at = 0; at < len; at++) {
        for (size_t w = 0; w < NUM_OF(words); w++) {
            size_t n = 0;
            while (words[w][n] != '\0' && at + n < len && (text[at + n] | 0x20) == words[w][n]) {
                n++;
            }
            if (words[w][n] == '\0') {
                return true;
            }
        }
    }
    return false;
}

Test(sql_scan, gate_finds_words_at_every_place)
{
    static const char *const words[] = {"replace", "mvswap", "REPLACE", "MvSwap",  "replac",
                                        "mvswa",   "eplace", "mvsrap",  "rep lace"};
    for (size_t w = 0; w < NUM_OF(words); w++) {
        size_t word_len = strlen(words[w]);
        for (size_t at = 0; at < 20; at++) {
            for (size_t behind = 0; behind < 10; behind++) {
                char text[64];
                memset(text, 'm', sizeof(text));
                memcpy(text + at, words[w], word_len);
                size_t len = at + word_len + behind;
                char *exact = exact_copy(text, len);
                cr_expect(eq(int, sql_gate(exact, len), slow_gate(exact, len)), "%s", words[w]);
                free(exact);
            }
        }
    }
}

Test(sql_scan, gate_agrees_on_noise)
{
    static const char letters[] = "replacmvswREPx ";
    unsigned state = 1;
    for (size_t round = 0; round < 200000; round++) {
        char text[24];
        for (size_t i = 0; i < sizeof(text); i++) {
            state = state * 1103515245U + 12345U;
            text[i] = letters[(state >> 16) % (sizeof(letters) - 1)];
        }
        /* Mostly right words: noise alone would hardly ever hold one. */
        memcpy(text + round % 17, round % 2 == 0 ? "REPlace" : "MVswap", round % 2 == 0 ? 7 : 6);
        text[(state >> 8) % sizeof(text)] = 'p';
        cr_assert(eq(int, sql_gate(text, sizeof(text)), slow_gate(text, sizeof(text))));
    }
}

Test(sql_scan, survives_every_failed_allocation)
{
    const char *text = "CREATE OR REPLACE VIEW v AS SELECT 1";
    for (size_t nth = 1; nth < 100; nth++) {
        struct sql_tokens tokens = {0};
        mem_fail_at(nth);
        enum sql_scan_result result = scan(text, strlen(text), &tokens);
        mem_fail_at(0);
        sql_tokens_cleanup(&tokens);
        if (result == SQL_SCAN_OK) {
            cr_expect(gt(sz, nth, 1));
            return;
        }
        cr_expect(eq(int, result, SQL_SCAN_NO_MEMORY));
    }
    cr_assert(0, "it never succeeded");
}
