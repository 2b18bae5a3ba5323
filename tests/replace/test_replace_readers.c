/*
 * Tests of READ ONLY transactions that are too old for what comes next, and of the names that are
 * told to have moved.
 */
#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct script s;

static void prepare(void)
{
    script_init(&s, 2, 7);
    s.settings.values[SETTING_DRAIN] = 3000;
}

static size_t nth_question(size_t num)
{
    return script_find_step(&s, "transactions", num);
}

Test(replace_readers, are_counted_from_the_end_of_the_build_and_from_the_swap)
{
    prepare();
    script_run(&s);
    size_t slot = script_find_step(&s, "end of the builds", 0);
    size_t swap = script_find_step(&s, "swap", 0);
    size_t before = nth_question(0);
    size_t again = nth_question(1);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(eq(sz, before, slot + 1));
    cr_expect(lt(sz, before, swap));
    cr_expect(gt(sz, again, swap));
    cr_expect(eq(sz, again + 2, script_find_step(&s, "drop", 0)));
    cr_expect(ge(u64, s.since_ms[before], s.at_ms[slot]));
    cr_expect(le(u64, s.since_ms[before], s.at_ms[before]));
    /* Other frontends learn of it a moment later. */
    cr_expect(gt(u64, s.since_ms[again], s.at_ms[swap] + 250));
    cr_expect(le(u64, s.since_ms[again], s.at_ms[swap + 1] + 251));
    cr_expect(eq(sz, nth_question(2), SCRIPT_REQUESTS));
}

Test(replace_readers, are_waited_for_before_the_swap)
{
    prepare();
    script_run(&s);
    uint64_t asked = s.at_ms[nth_question(0)];
    prepare();
    s.num_readers = 2;
    s.readers_until_ms = asked + 1000;
    script_run(&s);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(ge(u64, s.at_ms[script_find_step(&s, "swap", 0)], asked + 1000));
    cr_expect(lt(u64, s.at_ms[script_find_step(&s, "swap", 0)], asked + 1200));
    cr_expect(not(script_says(&s, "READ ONLY")));
}

Test(replace_readers, are_not_waited_for_longer_than_drain)
{
    prepare();
    s.num_readers = 2;
    s.readers_until_ms = UINT64_MAX;
    script_run(&s);
    uint64_t asked = s.at_ms[nth_question(0)];
    uint64_t swapped = s.at_ms[script_find_step(&s, "swap", 0)];
    uint64_t dropped = s.at_ms[script_find_step(&s, "drop", 0)];
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(ge(u64, swapped, asked + 3000));
    cr_expect(lt(u64, swapped, asked + 3500));
    cr_expect(ge(u64, dropped, swapped + 3000));
    cr_expect(lt(u64, dropped, swapped + 3500));
    cr_expect(script_says(&s, "READ ONLY transactions that are older than the new view are still"
                              " open\n2 of this proxy, after mvswap.drain. They cannot read the"
                              " view until they end."));
    cr_expect(
        script_says(&s, "READ ONLY transactions that are older than the swap are still open"));
    cr_expect(catalog_by_id(&s.catalog, 10) == NULL);
}

Test(replace_readers, keep_nobody_waiting_who_cancels)
{
    prepare();
    s.num_readers = 1;
    s.readers_until_ms = UINT64_MAX;
    script_run(&s);
    size_t wait = nth_question(1);
    size_t last = script_find_step(&s, "ids after the swap", 0);
    prepare();
    s.num_readers = 1;
    s.readers_until_ms = UINT64_MAX;
    s.faults[0] = (struct script_fault){.at = wait, .fault = FAULT_CANCEL};
    script_run(&s);
    cr_expect(eq(str, s.sqlstate, "57014"));
    cr_expect(script_unchanged(&s));
    prepare();
    s.num_readers = 1;
    s.readers_until_ms = UINT64_MAX;
    s.faults[0] = (struct script_fault){.at = last, .fault = FAULT_CANCEL};
    script_run(&s);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(lt(u64, s.at_ms[script_find_step(&s, "drop", 0)], s.at_ms[last] + 1000));
}

Test(replace_readers, are_nobody_in_a_plan)
{
    prepare();
    s.mode = REPLACE_PLAN;
    s.num_readers = 1;
    s.readers_until_ms = UINT64_MAX;
    script_run(&s);
    cr_expect(eq(int, s.outcome, REPLACE_PLANNED));
    cr_expect(eq(sz, nth_question(0), SCRIPT_REQUESTS));
}

/* ---- names that have moved ---- */

static void expect_moved(const char *moved)
{
    cr_expect(eq(str, s.moved, (char *)moved));
}

Test(replace_moved, is_told_at_the_swap_and_before_the_drop)
{
    prepare();
    script_run(&s);
    size_t after = script_find_step(&s, "ids after the swap", 0);
    size_t drop = script_find_step(&s, "id before the drop", 0);
    expect_moved("mv mv ");
    cr_expect(eq(sz, s.moved_at[0], after + 1));
    cr_expect(eq(sz, s.moved_at[1], drop));
    /* Who began in between knows them, and those who do not were waited for. */
    cr_expect(eq(u64, s.moved_ms[1], s.since_ms[nth_question(1)] - 1));
    cr_expect(lt(u64, s.moved_ms[1], s.at_ms[drop]));
}

Test(replace_moved, is_told_once_of_what_is_kept_and_never_of_what_failed)
{
    prepare();
    s.settings.values[SETTING_KEEP_OLD] = 60000;
    script_run(&s);
    expect_moved("mv ");
    prepare();
    s.mode = REPLACE_PLAN;
    script_run(&s);
    expect_moved("");
    prepare();
    s.faults[0] = (struct script_fault){.at = 3, .fault = FAULT_ERROR};
    script_run(&s);
    expect_moved("");
    prepare();
    s.settings.values[SETTING_ZERO_DOWNTIME] = REPLACE_ZERO_DOWNTIME_OFF;
    script_run(&s);
    expect_moved("mv ");
}
