/* Tests of parser/temp_name.c: stamps at the corners of the calendar, names made and read. */
#include "temp_name.h"

#include "exact.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define SECOND UINT64_C(1000000)

/* clang-format off */
static const struct {
    uint64_t unix_us;
    const char *stamp;
} stamps[] = {
    {0,                                 "19700101_000000_000000"},
    {1,                                 "19700101_000000_000001"},
    {86400 * SECOND - 1,                "19700101_235959_999999"},
    {86400 * SECOND,                    "19700102_000000_000000"},
    {68169600 * SECOND,                 "19720229_000000_000000"},
    {951782399 * SECOND,                "20000228_235959_000000"},
    {951782400 * SECOND,                "20000229_000000_000000"},
    {951868800 * SECOND,                "20000301_000000_000000"},
    {1709210096 * SECOND + 123,         "20240229_123456_000123"},
    {1735689599 * SECOND + 999999,      "20241231_235959_999999"},
    {4107542400 * SECOND,               "21000301_000000_000000"},
    {4107542399 * SECOND,               "21000228_235959_000000"},
    {UINT64_C(253402300799) * SECOND,   "99991231_235959_000000"},
    {UINT64_C(253402300800) * SECOND,   "99991231_235959_999999"},
    {UINT64_MAX,                        "99991231_235959_999999"},
};

static const struct {
    const char *name;
    size_t base_len; /* 0: no temporary name */
    enum temp_kind kind;
} names[] = {
    {"mv_tmp_20240229_123456_000123",            2, TEMP_BUILD},
    {"mv_probe_20240229_123456_000123",          2, TEMP_PROBE},
    {"mv_old_20240229_123456_000123",            2, TEMP_OLD},
    {"M V.x_old_19700101_000000_000000",         5, TEMP_OLD},
    {"_tmp__tmp_20240229_123456_000123",         5, TEMP_BUILD},
    {"a_tmp_20240229_123456_000123_old_20240229_123456_000123", 28, TEMP_OLD},
    {"x_tmp_99991231_235959_999999",             1, TEMP_BUILD},
    {"_tmp_20240229_123456_000123",              0, TEMP_BUILD},
    {"tmp_20240229_123456_000123",               0, TEMP_BUILD},
    {"20240229_123456_000123",                   0, TEMP_BUILD},
    {"mv20240229_123456_000123",                 0, TEMP_BUILD},
    {"mv_new_20240229_123456_000123",            0, TEMP_BUILD},
    {"mv_TMP_20240229_123456_000123",            0, TEMP_BUILD},
    {"mv_tmp_20240229_123456_00012",             0, TEMP_BUILD},
    {"mv_tmp_20240229_123456_0001234",           0, TEMP_BUILD},
    {"mv_tmp_20240229_123456_000123 ",           0, TEMP_BUILD},
    {"mv_tmp_20230229_123456_000123",            0, TEMP_BUILD},
    {"mv_tmp_21000229_123456_000123",            0, TEMP_BUILD},
    {"mv_tmp_20240230_123456_000123",            0, TEMP_BUILD},
    {"mv_tmp_20240431_123456_000123",            0, TEMP_BUILD},
    {"mv_tmp_20240200_123456_000123",            0, TEMP_BUILD},
    {"mv_tmp_20240029_123456_000123",            0, TEMP_BUILD},
    {"mv_tmp_20241329_123456_000123",            0, TEMP_BUILD},
    {"mv_tmp_19691231_123456_000123",            0, TEMP_BUILD},
    {"mv_tmp_20240229_243456_000123",            0, TEMP_BUILD},
    {"mv_tmp_20240229_126056_000123",            0, TEMP_BUILD},
    {"mv_tmp_20240229_123460_000123",            0, TEMP_BUILD},
    {"mv_tmp_20240229-123456_000123",            0, TEMP_BUILD},
    {"mv_tmp_20240229_123456-000123",            0, TEMP_BUILD},
    {"mv_tmp_2024022a_123456_000123",            0, TEMP_BUILD},
    {"mv_tmp_20240229_123456_00012x",            0, TEMP_BUILD},
    {"mv_tmp_ 0240229_123456_000123",            0, TEMP_BUILD},
    {"",                                         0, TEMP_BUILD},
};

static const struct {
    const char *name;
    size_t base_len; /* 0: none of dbt's */
    uint64_t unix_us;
} dbt_names[] = {
    {"mv_dbt_zero_down_tmp_20240229T123456_000123+0000",  2, 1709210096 * SECOND + 123},
    {"mv_dbt_zero_down_tmp_20240229T123456_999999+0000",  2, 1709210096 * SECOND + 999999},
    {"mv_dbt_zero_down_tmp_20240229T123456+0000",         2, 1709210096 * SECOND},
    {"m_dbt_zero_down_tmp_19700101T000000+0000",          1, 0},
    {"M v_dbt_zero_down_tmp_19700101T000001+0000",        3, SECOND},
    {"a_dbt_zero_down_tmp_20240229T123456+0000_dbt_zero_down_tmp_19700101T000000+0000", 40, 0},
    {"a_dbt_zero_down_tmp__dbt_zero_down_tmp_19700101T000000+0000", 20, 0},
    {"mv_dbt_zero_down_tmp_20240229T123456_000000+0000",  0, 0},
    {"_dbt_zero_down_tmp_20240229T123456+0000",           0, 0},
    {"_dbt_zero_down_tmp_20240229T123456_000123+0000",    0, 0},
    {"dbt_zero_down_tmp_20240229T123456+0000",            0, 0},
    {"mv_dbt_zero_down_tmp_20230229T123456+0000",         0, 0},
    {"mv_dbt_zero_down_tmp_20241301T123456+0000",         0, 0},
    {"mv_dbt_zero_down_tmp_20240229T243456+0000",         0, 0},
    {"mv_dbt_zero_down_tmp_20240229T126056+0000",         0, 0},
    {"mv_dbt_zero_down_tmp_20240229T123460+0000",         0, 0},
    {"mv_dbt_zero_down_tmp_19691231T235959+0000",         0, 0},
    {"mv_dbt_zero_down_tmp_20240229t123456+0000",         0, 0},
    {"mv_dbt_zero_down_tmp_20240229_123456+0000",         0, 0},
    {"mv_dbt_zero_down_tmp_20240229T123456_00012+0000",   0, 0},
    {"mv_dbt_zero_down_tmp_20240229T123456_0001234+0000", 0, 0},
    {"mv_dbt_zero_down_tmp_20240229T123456_00012x+0000",  0, 0},
    {"mv_dbt_zero_down_tmp_20240229T123456.000123+0000",  0, 0},
    {"mv_dbt_zero_down_tmp_20240229T123456+0100",         0, 0},
    {"mv_dbt_zero_down_tmp_20240229T123456-0000",         0, 0},
    {"mv_dbt_zero_down_tmp_20240229T123456Z",             0, 0},
    {"mv_dbt_zero_down_tmp_20240229T123456",              0, 0},
    {"mv_dbt_zero_down_tmp_20240229T123456+0000 ",        0, 0},
    {"mv_DBT_zero_down_tmp_20240229T123456+0000",         0, 0},
    {"mv_dbt_zero_downtmp_20240229T123456+0000",          0, 0},
    {"mv_dbt_zero_down_tmp_",                             0, 0},
    {"mv_tmp_20240229_123456_000123",                     0, 0},
    {"+0000",                                             0, 0},
    {"",                                                  0, 0},
};
/* clang-format on */

Test(temp_name, stamps)
{
    for (size_t i = 0; i < NUM_OF(stamps); i++) {
        char stamp[TEMP_STAMP_LEN + 1];
        temp_stamp(stamps[i].unix_us, stamp);
        cr_expect(eq(str, stamp, (char *)stamps[i].stamp));
    }
}

Test(temp_name, parses)
{
    for (size_t i = 0; i < NUM_OF(names); i++) {
        size_t base_len = 99;
        enum temp_kind kind = TEMP_BUILD;
        char *exact = exact_copy(names[i].name, strlen(names[i].name) + 1);
        bool parsed = temp_name_parse(exact, &base_len, &kind);
        free(exact);
        cr_expect(eq(int, parsed, names[i].base_len != 0), "%s", names[i].name);
        cr_expect(eq(sz, base_len, parsed ? names[i].base_len : 99), "%s", names[i].name);
        cr_expect(eq(int, kind, names[i].kind), "%s", names[i].name);
    }
}

Test(temp_name, reads_what_it_makes)
{
    static const char *const bases[] = {"a", "A b", "x_tmp_", "\xc3\xa9", "a_old_x"};
    for (uint64_t us = 0; us < UINT64_C(250000000000) * SECOND;
         us += UINT64_C(86399) * 40 * SECOND + 7) {
        char stamp[TEMP_STAMP_LEN + 1];
        const char *base = bases[us % NUM_OF(bases)];
        enum temp_kind kind = (enum temp_kind)(us % 3);
        struct buf name = {0};
        size_t base_len = 0;
        enum temp_kind out_kind = TEMP_BUILD;
        temp_stamp(us, stamp);
        temp_name(&name, base, kind, stamp);
        cr_assert(temp_name_parse(buf_text(&name), &base_len, &out_kind), "%s", stamp);
        cr_expect(eq(sz, base_len, strlen(base)));
        cr_expect(eq(int, out_kind, kind));
        cr_expect(eq(u64, temp_name_time(buf_text(&name)), us), "%s", stamp);
        buf_cleanup(&name);
    }
}

Test(temp_name, time_is_the_inverse_of_the_stamp)
{
    for (size_t i = 0; i < NUM_OF(stamps); i++) {
        struct buf name = {0};
        uint64_t last = UINT64_C(253402300799) * SECOND + 999999;
        temp_name(&name, "a", TEMP_OLD, stamps[i].stamp);
        cr_expect(eq(u64, temp_name_time(buf_text(&name)),
                     stamps[i].unix_us < last ? stamps[i].unix_us : last),
                  "%s", stamps[i].stamp);
        buf_cleanup(&name);
    }
}

Test(temp_name, parses_those_of_dbt)
{
    for (size_t i = 0; i < NUM_OF(dbt_names); i++) {
        size_t base_len = 99;
        uint64_t unix_us = 99;
        char *exact = exact_copy(dbt_names[i].name, strlen(dbt_names[i].name) + 1);
        bool parsed = temp_name_parse_dbt(exact, &base_len, &unix_us);
        free(exact);
        cr_expect(eq(int, parsed, dbt_names[i].base_len != 0), "%s", dbt_names[i].name);
        cr_expect(eq(sz, base_len, parsed ? dbt_names[i].base_len : 99), "%s", dbt_names[i].name);
        cr_expect(eq(u64, unix_us, parsed ? dbt_names[i].unix_us : 99), "%s", dbt_names[i].name);
    }
}

/* Nothing of it can be left out, and none of it be something else. */
Test(temp_name, every_character_of_dbt_counts)
{
    static const char good[] = "m_dbt_zero_down_tmp_20240229T123456_000123+0000";
    for (size_t at = 1; at < sizeof(good) - 1; at++) {
        size_t base_len = 0;
        uint64_t unix_us = 0;
        char name[sizeof(good)];
        memcpy(name, good, sizeof(good));
        name[at] = '#';
        cr_expect(not(temp_name_parse_dbt(name, &base_len, &unix_us)), "%s", name);
        memcpy(name + at, good + at + 1, sizeof(good) - at - 1);
        cr_expect(not(temp_name_parse_dbt(name, &base_len, &unix_us)), "%s", name);
        char *exact = exact_copy(good + at, sizeof(good) - at);
        cr_expect(not(temp_name_parse_dbt(exact, &base_len, &unix_us)), "%s", good + at);
        free(exact);
    }
}

Test(temp_name, survives_every_failed_allocation)
{
    char base[300];
    memset(base, 'b', sizeof(base) - 1);
    base[sizeof(base) - 1] = '\0';
    for (size_t nth = 1; nth < 100; nth++) {
        struct buf out = {0};
        mem_fail_at(nth);
        temp_name(&out, "a", TEMP_OLD, "20240229_123456_000123");
        temp_name(&out, base, TEMP_OLD, "20240229_123456_000123");
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
