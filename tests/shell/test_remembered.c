/* remembered: what is put in comes out, also through the text; caps; texts that are damaged. */
#include "remembered.h"

#include "limits.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct remembered *m;

static void set_up(void)
{
    m = remembered_new();
    cr_assert(ne(ptr, m, NULL));
}

static void tear_down(void)
{
    remembered_free(m);
}

TestSuite(remembered, .init = set_up, .fini = tear_down);

static size_t set(const char *family, const struct replace_left *left, size_t num)
{
    size_t forgotten = 77;
    cr_expect(eq(int, remembered_set(m, family, left, num, &forgotten), REMEMBERED_CHANGED));
    return forgotten;
}

static void expect(const char *family, const struct replace_left *left, size_t num)
{
    size_t found = 77;
    const struct replace_left *is = remembered_find(m, family, &found);
    cr_assert(eq(sz, found, num), "%s", family);
    for (size_t i = 0; i < num; i++) {
        cr_expect(eq(str, (char *)is[i].schema, (char *)left[i].schema), "%s", family);
        cr_expect(eq(str, (char *)is[i].name, (char *)left[i].name), "%s", family);
        cr_expect(eq(u64, is[i].id, left[i].id));
        cr_expect(eq(u64, is[i].until_us, left[i].until_us));
    }
}

static const struct replace_left two[] = {{"s", "v_tmp_1", 7, 0},
                                          {"o o", "v_tmp_2", 8, 1234567890123456}};
static const struct replace_left one[] = {{"s", "w_tmp_1", 9, 5}};

Test(remembered, a_list_takes_the_place_of_the_one_before)
{
    expect("a", NULL, 0);
    cr_expect(eq(sz, set("a", two, 2), 0));
    cr_expect(eq(sz, set("b", one, 1), 0));
    expect("a", two, 2);
    expect("b", one, 1);
    expect("A", NULL, 0);
    cr_expect(eq(sz, set("a", one, 1), 0));
    expect("a", one, 1);
    expect("b", one, 1);
    cr_expect(eq(sz, set("a", NULL, 0), 0));
    expect("a", NULL, 0);
    expect("b", one, 1);
}

static void add_id(void *context, const struct replace_left *left)
{
    uint64_t *sum = context;
    *sum = *sum * 10 + left->id;
}

static uint64_t all_ids(void)
{
    uint64_t ids = 0;
    remembered_each(m, add_id, &ids);
    return ids;
}

Test(remembered, one_is_dropped_by_its_id)
{
    (void)set("a", two, 2);
    (void)set("b", one, 1);
    cr_expect(eq(u64, all_ids(), 789));
    cr_expect(eq(sz, remembered_num(m), 3));
    cr_expect(not(remembered_drop(m, 6)));
    cr_expect(remembered_drop(m, 7));
    cr_expect(not(remembered_drop(m, 7)));
    expect("a", &two[1], 1);
    cr_expect(remembered_drop(m, 9));
    expect("b", NULL, 0);
    cr_expect(eq(u64, all_ids(), 8));
    (void)set("b", one, 1);
    cr_expect(remembered_drop(m, 8));
    expect("a", NULL, 0);
    expect("b", one, 1);
    cr_expect(eq(sz, remembered_num(m), 1));
}

Test(remembered, the_same_once_more_is_no_change)
{
    static const struct replace_left others[] = {{"s", "w_tmp_2", 9, 5},
                                                 {"s", "w_tmp_1", 8, 5},
                                                 {"s", "w_tmp_1", 9, 6},
                                                 {"t", "w_tmp_1", 9, 5}};
    size_t forgotten = 77;
    cr_expect(eq(int, remembered_set(m, "a", NULL, 0, &forgotten), REMEMBERED_SAME));
    (void)set("a", one, 1);
    cr_expect(eq(int, remembered_set(m, "a", one, 1, &forgotten), REMEMBERED_SAME));
    cr_expect(eq(sz, forgotten, 0));
    for (size_t i = 0; i < 4; i++) {
        (void)set("a", &others[i], 1);
        expect("a", &others[i], 1);
        (void)set("a", one, 1);
    }
}

static struct buf text_of_all(void)
{
    struct buf text = {0};
    remembered_write(m, &text);
    cr_assert(not(buf_failed(&text)));
    return text;
}

/* What is written is read, and written alike. */
static void expect_round_trip(void)
{
    struct buf text = text_of_all();
    struct remembered_damage damage = {.why = ""};
    remembered_free(m);
    m = remembered_new();
    cr_expect(remembered_read(m, (const char *)buf_bytes(&text), buf_len(&text), &damage),
              "line %zu: %s", damage.line, damage.why);
    struct buf again = text_of_all();
    cr_expect(eq(str, (char *)buf_text(&again), (char *)buf_text(&text)));
    buf_cleanup(&text);
    buf_cleanup(&again);
}

Test(remembered, odd_names_survive_the_text)
{
    static char all_bytes[256];
    for (int i = 1; i < 256; i++) {
        all_bytes[i - 1] = (char)i;
    }
    const struct replace_left odd[] = {
        {all_bytes, all_bytes, UINT64_MAX, UINT64_MAX},
        {"", "", 0, 0},
        {"", " ", 1, 1},
        {" ", "", 1, 1},
        {"%", "%", 2, 2},
        {"%41", "%41", 3, 3},
        {"a\n%end 3", "a\n%end 3", 4, 4},
        {"%end 1", "%end 1", 5, 5},
    };
    (void)set("\"d\".\"s\".\"v w\"", odd, 8);
    (void)set(all_bytes, two, 2);
    (void)set("%end", one, 1);
    (void)set("", one, 1);
    expect_round_trip();
    expect("\"d\".\"s\".\"v w\"", odd, 8);
    expect(all_bytes, two, 2);
    expect("%end", one, 1);
    expect("", one, 1);
}

Test(remembered, the_text_is_one_line_for_each_object)
{
    (void)set("\"d\".\"s\".\"v w\"", two, 2);
    (void)set("f", one, 1);
    struct buf text = text_of_all();
    cr_expect(eq(str, (char *)buf_text(&text),
                 "mvswap state 2\n"
                 "\"d\".\"s\".\"v%20w\" 7 0 s v_tmp_1\n"
                 "\"d\".\"s\".\"v%20w\" 8 1234567890123456 o%20o v_tmp_2\n"
                 "f 9 5 s w_tmp_1\n"
                 "%end 3\n"));
    buf_cleanup(&text);
}

Test(remembered, nothing_survives_the_text)
{
    expect_round_trip();
    expect("a", NULL, 0);
}

/* Over the cap the oldest go, of whatever family. */
Test(remembered, the_oldest_are_forgotten)
{
    static struct replace_left many[LIMIT_REMEMBERED + 5];
    for (size_t i = 0; i < LIMIT_REMEMBERED + 5; i++) {
        many[i] = (struct replace_left){.schema = "s", .name = "n", .id = i};
    }
    cr_expect(eq(sz, set("old", two, 2), 0));
    cr_expect(eq(sz, set("a", many, LIMIT_REMEMBERED - 3), 0));
    cr_expect(eq(sz, set("b", one, 1), 0));
    cr_expect(eq(sz, set("c", one, 1), 1));
    expect("old", &two[1], 1);
    cr_expect(eq(sz, set("d", two, 2), 2));
    expect("old", NULL, 0);
    expect("a", many + 1, LIMIT_REMEMBERED - 4);
    cr_expect(eq(sz, set("b", two, 2), 1)); /* told again, so it is young */
    cr_expect(eq(sz, set("e", many, LIMIT_REMEMBERED - 2), LIMIT_REMEMBERED - 2));
    expect("a", NULL, 0);
    expect("b", two, 2);
    cr_expect(eq(sz, set("f", many, LIMIT_REMEMBERED + 5), LIMIT_REMEMBERED + 5));
    expect("b", NULL, 0);
    expect("f", many + 5, LIMIT_REMEMBERED);
    expect_round_trip();
    expect("f", many + 5, LIMIT_REMEMBERED);
}

Test(remembered, names_have_a_cap_together)
{
    static char name[LIMIT_REMEMBERED_BYTES / 8 + 1];
    memset(name, 'a', sizeof(name) - 1);
    struct replace_left large = {.schema = name, .name = name + 1};
    for (int i = 0; i < 4; i++) {
        char family[] = {(char)('a' + i), 0};
        cr_expect(eq(sz, set(family, &large, 1), 0));
    }
    cr_expect(eq(sz, set("e", &large, 1), 1));
    expect("a", NULL, 0);
    expect("b", &large, 1);
    cr_expect(eq(sz, set("b", NULL, 0), 0));
    cr_expect(eq(sz, set("f", &large, 1), 0)); /* what was taken out counts no more */
    expect_round_trip();
    cr_expect(eq(sz, set("a", &large, 1), 1));
    expect("c", NULL, 0);
}

static const struct {
    const char *text;
    size_t line;
    const char *why;
} damaged[] = {
    {"", 1, "the end is missing"},
    {"mvswap state 2", 1, "the line does not end"},
    {"mvswap state 1\n%end 0\n", 1, "not a state file of this version"},
    {"mvswap state 2 \n%end 0\n", 1, "not a state file of this version"},
    {"\nmvswap state 2\n%end 0\n", 1, "not a state file of this version"},
    {"mvswap state 2\n", 2, "the end is missing"},
    {"mvswap state 2\nf 1 2 s n\n", 3, "the end is missing"},
    {"mvswap state 2\nf 1 2 s n\n%end 0\n", 3, "the number of lines is another"},
    {"mvswap state 2\nf 1 2 s n\n%end 2\n", 3, "the number of lines is another"},
    {"mvswap state 2\n%end \n", 2, "the number of lines is another"},
    {"mvswap state 2\n%end 0 \n", 2, "the number of lines is another"},
    {"mvswap state 2\n%end 0", 2, "the line does not end"},
    {"mvswap state 2\n%end 0\n\n", 3, "nothing may stand behind the end"},
    {"mvswap state 2\n%end 0\nf 1 2 s n\n", 3, "nothing may stand behind the end"},
    {"mvswap state 2\n\n%end 0\n", 2, "expected a family, two numbers, a schema and a name"},
    {"mvswap state 2\nf 1 2\n%end 1\n", 2, "expected a family, two numbers, a schema and a name"},
    {"mvswap state 2\nf 1 2 s n n\n%end 1\n", 2,
     "expected a family, two numbers, a schema and a name"},
    {"mvswap state 2\nf 1 2 s n\nf  1 2 s n\n%end 2\n", 3,
     "expected a family, two numbers, a schema and a name"},
    {"mvswap state 2\nf -1 2 s n\n%end 1\n", 2,
     "expected a family, two numbers, a schema and a name"},
    {"mvswap state 2\nf 1x 2 s n\n%end 1\n", 2,
     "expected a family, two numbers, a schema and a name"},
    {"mvswap state 2\nf 1 18446744073709551616 s n\n%end 1\n", 2,
     "expected a family, two numbers, a schema and a name"},
    {"mvswap state 2\nf 1 2 s n%\n%end 1\n", 2,
     "expected a family, two numbers, a schema and a name"},
    {"mvswap state 2\nf 1 2 s n%4\n%end 1\n", 2,
     "expected a family, two numbers, a schema and a name"},
    {"mvswap state 2\nf 1 2 s n%4g\n%end 1\n", 2,
     "expected a family, two numbers, a schema and a name"},
    {"mvswap state 2\nf 1 2 s n%4e\n%end 1\n", 2,
     "expected a family, two numbers, a schema and a name"},
    {"mvswap state 2\nf 1 2 s n%00\n%end 1\n", 2,
     "expected a family, two numbers, a schema and a name"},
    {"mvswap state 2\nf%00 1 2 s n\n%end 1\n", 2,
     "expected a family, two numbers, a schema and a name"},
    {"mvswap state 2\nf 1 2 s \xc3\xa4\n%end 1\n", 2,
     "expected a family, two numbers, a schema and a name"},
    {"mvswap state 2\nf 1 2 s n\tn\n%end 1\n", 2,
     "expected a family, two numbers, a schema and a name"},
};

/* From an allocation of exactly its size: the sanitizer guards the end. */
static bool read_exact(const char *text, size_t len, struct remembered_damage *out_damage)
{
    char *exact = malloc(len != 0 ? len : 1);
    cr_assert(ne(ptr, exact, NULL));
    memcpy(exact, text, len);
    bool good = remembered_read(m, exact, len, out_damage);
    free(exact);
    return good;
}

Test(remembered, damage_is_told_with_its_line)
{
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        struct remembered_damage damage = {.why = "no damage"};
        cr_expect(not(read_exact(damaged[i].text, strlen(damaged[i].text), &damage)), "%s",
                  damaged[i].text);
        cr_expect(eq(sz, damage.line, damaged[i].line), "%s", damaged[i].text);
        cr_expect(eq(str, (char *)damage.why, (char *)damaged[i].why), "%s", damaged[i].text);
        remembered_free(m);
        m = remembered_new();
    }
    struct remembered_damage damage;
    cr_expect(not(read_exact("mvswap state 2\nf 1 2 s \0\n%end 1\n", 32, &damage)));
}

/* A file that was cut off anywhere is damaged. */
Test(remembered, no_beginning_of_a_text_is_good)
{
    (void)set("a", two, 2);
    (void)set("b", one, 1);
    struct buf text = text_of_all();
    for (size_t len = 0; len <= buf_len(&text); len++) {
        struct remembered_damage damage;
        remembered_free(m);
        m = remembered_new();
        cr_expect(eq(int, read_exact(buf_text(&text), len, &damage), len == buf_len(&text)),
                  "%zu bytes", len);
    }
    buf_cleanup(&text);
}

Test(remembered, without_memory)
{
    (void)set("a", one, 1);
    size_t nth = 1;
    for (enum remembered_result got = REMEMBERED_NO_MEMORY; got == REMEMBERED_NO_MEMORY; nth++) {
        size_t forgotten = 77;
        expect("a", one, 1);
        mem_fail_at(nth);
        got = remembered_set(m, "a", two, 2, &forgotten);
        mem_fail_at(0);
    }
    cr_expect(gt(sz, nth, 4));
    expect("a", two, 2);
    struct buf text = text_of_all();
    bool good = false;
    for (nth = 1; !good; nth++) {
        struct remembered_damage damage = {.why = ""};
        remembered_free(m);
        m = remembered_new();
        mem_fail_at(nth);
        good = remembered_read(m, (const char *)buf_bytes(&text), buf_len(&text), &damage);
        mem_fail_at(0);
        cr_expect(good || strcmp(damage.why, "out of memory") == 0);
    }
    cr_expect(gt(sz, nth, 5));
    expect("a", two, 2);
    buf_cleanup(&text);
    mem_fail_at(1);
    struct remembered *none = remembered_new();
    mem_fail_at(0);
    cr_expect(eq(ptr, none, NULL));
    remembered_free(NULL);
}
