/* Tests of what is kept of prepared statements: caps, names, which texts mention what has moved. */
#include "limits.h"
#include "mentions.h"
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

Test(parsed, may_have_portals_when_it_is_older_than_a_bind_that_was_not_seen)
{
    parse("a", "SELECT 1");
    cr_expect(not(parsed_may_have_portals(&k, parsed_find(&k, "a"))));
    parsed_bind_unseen(&k);
    parse("b", "SELECT 1");
    cr_expect(parsed_may_have_portals(&k, parsed_find(&k, "a")));
    cr_expect(not(parsed_may_have_portals(&k, parsed_find(&k, "b"))));
    parsed_forget(&k, "a");
    parse("a", "SELECT 1");
    cr_expect(not(parsed_may_have_portals(&k, parsed_find(&k, "a"))));
    parsed_cleanup(&k);
}

Test(parsed, sheds_all_but_what_another_stands_in_for)
{
    parse("a", "SELECT 1");
    parse("b", "SELECT 1");
    parsed_parse_complete(&k);
    parsed_parse_complete(&k);
    parsed_enter(&k, parsed_find(&k, "a"), PARSED_STAND_IN, "x");
    parse("c", "SELECT 1");
    parsed_shed(&k);
    cr_expect(eq(sz, k.num, 1));
    cr_expect(eq(str, parsed_find(&k, "a")->stand_in, "x"));
    parsed_parse_complete(&k); /* of "c" */
    cr_expect(not(parsed_is_unclear(&k)));
    parsed_forget(&k, "a");
    parsed_shed(&k);
    cr_expect(k.buckets == NULL);
    cr_expect(eq(sz, k.memory, 0));
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

static bool is_mentioned(const char *text, const char *name)
{
    struct mentions m;
    mentions_init(&m, name, strlen(name) + 1);
    return mentions_any(&m, text);
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
        cr_expect(eq(int, is_mentioned(rows[i].text, rows[i].name), rows[i].mentions), "%s in %s",
                  rows[i].name, rows[i].text);
    }
}

Test(parsed, mentions_one_of_many)
{
    static const char names[] = "mv\0other\0\xc3\xa4pfel\0odd name-\0MV2\0Mv2";
    struct mentions m;
    mentions_init(&m, names, sizeof(names));
    cr_expect(mentions_any(&m, "SELECT * FROM a, mV2"));
    cr_expect(mentions_any(&m, "SELECT * FROM OTHER"));
    cr_expect(mentions_any(&m, "SELECT * FROM \"Odd name-\""));
    cr_expect(not(mentions_any(&m, "SELECT * FROM mv3, others, \"odd name\"")));
    mentions_init(&m, names, 0);
    cr_expect(not(mentions_any(&m, "SELECT * FROM mv, U&\"x\"")));
    mentions_init(&m, NULL, 0);
    cr_expect(mentions_any(&m, ""));
}

/* A minute of CPU time and more for what searches for each name at each byte. */
Test(parsed, mentions_is_fast_whatever_the_client_has_sent, .timeout = 20)
{
    static char text[LIMIT_STATEMENT];
    static char names[LIMIT_MOVED];
    struct mentions m;
    memset(names, 'a', sizeof(names));
    for (size_t i = 8; i < sizeof(names); i += 9) {
        names[i] = 0;
    }
    mentions_init(&m, names, sizeof(names) / 9 * 9);
    for (size_t step = 1; step <= 8; step++) {
        memset(text, 'a', sizeof(text) - 1);
        for (size_t i = 0; i < sizeof(text) - 1; i += step) {
            text[i] = step == 1 ? 'a' : ' ';
        }
        for (unsigned i = 0; i < 16; i++) {
            cr_expect(not(mentions_any(&m, text)));
        }
    }
}
