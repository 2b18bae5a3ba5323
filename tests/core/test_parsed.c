/* Tests of what is kept of prepared statements: caps, names, which texts mention what has moved. */
#include "limits.h"
#include "parsed.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct parsed k;

static void parse(const char *name, const char *text)
{
    struct buf body = {0};
    buf_add(&body, name, strlen(name) + 1);
    buf_add(&body, text, strlen(text) + 1);
    buf_add_u16(&body, 0);
    parsed_parse_sent(&k, buf_bytes(&body), buf_len(&body), true);
    buf_cleanup(&body);
}

Test(parsed, keeps_so_many_and_counts_the_others)
{
    char name[16];
    for (unsigned i = 0; i < LIMIT_PARSED_NUM + 5; i++) {
        (void)snprintf(name, sizeof(name), "s%u", i);
        parse(name, "SELECT 1");
        parsed_parse_complete(&k);
    }
    cr_expect(eq(sz, k.num, LIMIT_PARSED_NUM));
    cr_expect(eq(u64, k.num_over, 5));
    cr_expect(parsed_find(&k, "s0") != NULL && parsed_find(&k, name) == NULL);
    parsed_forget(&k, "s0");
    parse(name, "SELECT 1");
    cr_expect(parsed_find(&k, name) != NULL);
    parsed_cleanup(&k);
    cr_expect(eq(sz, k.memory, 0));
}

Test(parsed, keeps_so_much_and_no_long_name)
{
    static char text[LIMIT_PARSED / 2];
    static char name[2000];
    memset(text, 'x', sizeof(text) - 1);
    memset(name, 'n', sizeof(name) - 1);
    parse(name, "SELECT 1");
    cr_expect(eq(sz, k.num, 0));
    parse("a", text);
    parse("b", text);
    cr_expect(eq(sz, k.num, 1));
    cr_expect(le(sz, k.memory, LIMIT_PARSED));
    cr_expect(eq(u64, k.num_over, 2));
    parsed_cleanup(&k);
}

Test(parsed, has_no_room_for_endless_pipelines)
{
    for (unsigned i = 0; i < 2 * LIMIT_PARSED_SENT && !parsed_is_unclear(&k); i++) {
        parse("", "SELECT 1");
    }
    cr_expect(parsed_is_unclear(&k));
    cr_expect(eq(sz, k.num_sent, 0));
    cr_expect(eq(sz, k.num, 0));
    parsed_settle(&k);
    cr_expect(not(parsed_is_unclear(&k)));
    parsed_cleanup(&k);
}

Test(parsed, an_answer_to_nothing_makes_it_unclear)
{
    parsed_parse_complete(&k);
    cr_expect(parsed_is_unclear(&k));
    parsed_settle(&k);
    parse("a", "SELECT 1");
    parsed_ready(&k);
    cr_expect(parsed_is_unclear(&k) && parsed_find(&k, "a") == NULL);
    parsed_cleanup(&k);
}

/* An error that answers nothing known may be of anything, and the server may take the Parse. */
Test(parsed, what_is_overwritten_is_forgotten_even_if_it_may_be_skipped)
{
    parse("", "SELECT 1");
    parsed_parse_complete(&k);
    cr_expect(parsed_find(&k, "") != NULL);
    parsed_error(&k, ERROR_OF_ANY);
    parse("", "SELECT 2");
    cr_expect(parsed_find(&k, "") == NULL);
    parsed_cleanup(&k);
}

Test(parsed, mentions)
{
    static const struct {
        const char *text;
        const char *name;
        bool mentions;
    } rows[] = {
        {"SELECT * FROM mv", "mv", true},
        {"select * from s.MV", "mv", true},
        {"SELECT * FROM \"Mv\"", "Mv", true},
        {"SELECT * FROM mv2, my_mv, mv_x, mv$", "mv", false},
        {"SELECT mv.a FROM t AS mv", "mv", true},
        {"SELECT 1", "mv", false},
        {"", "mv", false},
        {"SELECT * FROM \"a\"\"b\"", "a\"b", true},
        {"SELECT 1", "a\"b", true},
        {"SELECT * FROM U&\"\\006dv\"", "mv", true},
        {"SELECT * FROM u&\"\\006dv\"", "mv", true},
        {"SELECT a &\"b\" FROM t", "mv", false},
        {"SELECT * FROM \xc3\x84pfel", "\xc3\xa4pfel", true},
        {"SELECT * FROM apfel", "\xc3\xa4pfel", false},
        {"SELECT 1", "", true},
        {"SELECT * FROM \"odd name-\"", "odd name-", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect(eq(int, parsed_mentions(rows[i].text, rows[i].name), rows[i].mentions),
                  "%s in %s", rows[i].name, rows[i].text);
    }
}
