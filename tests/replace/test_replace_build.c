/*
 * Tests of builds that do not go straight: recoveries of the cluster, build_timeout, progress,
 * cancels while an index is built, and what others do meanwhile.
 */
#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct script s;

static size_t num_steps(const char *step)
{
    size_t num = 0;
    while (script_find_step(&s, step, num) != SCRIPT_REQUESTS) {
        num++;
    }
    return num;
}

Test(replace_build, recovery_is_tried_once_more)
{
    for (unsigned i = 0; i < 6; i++) {
        script_init(&s, 2, 7);
        s.settings.values[SETTING_BUILD] = i % 2;
        s.catalog.recoveries = 1 + i / 2;
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s", s.problem);
        cr_expect(eq(int, s.outcome, i / 2 == 0 ? REPLACE_SUCCEEDED : REPLACE_FAILED_BY_SERVER));
        cr_expect(eq(sz, num_steps("build"), 2));
        cr_expect(eq(int, script_unchanged(&s), i / 2 != 0));
    }
}

Test(replace_build, recovering_cluster_is_waited_for)
{
    static const struct {
        uint64_t until_ms;
        unsigned recoveries;
        bool built;
    } rows[] = {{3000, 0, true}, {50000, 1, true}, {59000, 0, true}, {70000, 0, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        script_init(&s, 3, 0);
        s.catalog.recovers_until_ms = rows[i].until_ms;
        s.catalog.recoveries = rows[i].recoveries;
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s", s.problem);
        cr_expect(eq(int, s.outcome, rows[i].built ? REPLACE_SUCCEEDED : REPLACE_FAILED_BY_SERVER));
        cr_expect(lt(u64, s.catalog.now_ms, rows[i].until_ms + 5000));
        cr_expect(lt(u64, s.catalog.now_ms, 65000));
    }
}

/* The answer of CREATE spoke of a recovery, which the job has survived: the second CREATE finds the
 * name taken, by what is ours. */
Test(replace_build, what_was_thought_dead_has_survived)
{
    static const char *const steps[] = {"build", "build an index"};
    for (unsigned i = 0; i < 4; i++) {
        script_init(&s, 2, i / 2 == 0 ? 7 : 8);
        (void)catalog_add_index(&s.catalog, "mv_i");
        s.faults[0] = (struct script_fault){.at = script_find_run(&s, steps[i % 2], 0),
                                            .fault = FAULT_ERROR_LATE};
        s.late_error = "failed to wait streaming job finish: adhoc recovery";
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s: %s", steps[i % 2], s.problem);
        cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s: %s%s", steps[i % 2], s.error, s.raw);
        cr_expect(eq(sz, num_steps(steps[i % 2]), 2));
    }
}

/* ... without a recovery the same answer means somebody else's object. */
Test(replace_build, taken_name_without_a_recovery)
{
    script_init(&s, 2, 7);
    s.catalog.names_taken = 1;
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(sz, num_steps("build"), 2));
    cr_expect(
        ne(str, s.sql[script_find_step(&s, "build", 0)], s.sql[script_find_step(&s, "build", 1)]));
}

/* While the cluster recovers nobody can be asked how the build is: it goes on all the same. */
Test(replace_build, polls_may_fail_for_a_minute)
{
    static const struct {
        uint64_t until_ms;
        bool built;
    } rows[] = {{2000, true}, {59000, true}, {63000, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        script_init(&s, 2, 7);
        s.catalog.polls_fail_until_ms = rows[i].until_ms;
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s", s.problem);
        cr_expect(eq(int, s.outcome, rows[i].built ? REPLACE_SUCCEEDED : REPLACE_FAILED_BY_SERVER),
                  "%zu: %s%s", i, s.error, s.raw);
        cr_expect(lt(u64, s.catalog.now_ms, 65000));
        cr_expect(eq(sz, num_steps("build"), 1));
    }
}

static unsigned flicker;

/* Each second poll is refused, for a moment: no gap lasts for long. */
static void refuse_now_and_then(struct script *script)
{
    bool fails = flicker++ % 4 < 2;
    script->catalog.polls_fail_until_ms = fails ? script->catalog.now_ms + 100 : 0;
}

Test(replace_build, polls_that_fail_now_and_then)
{
    script_init(&s, 2, 7);
    s.catalog.build_ms = 90000;
    s.meanwhile = refuse_now_and_then;
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s%s", s.error, s.raw);
    cr_expect(gt(u64, s.catalog.now_ms, 90000));
}

static unsigned recoveries_left;

/* As soon as the view is finished. */
static void recover_during_indexes(struct script *script)
{
    const struct catalog_object *built = catalog_by_id(&script->catalog, script->catalog.seen_id);
    if (recoveries_left != 0 && built != NULL && catalog_created(&script->catalog, built)) {
        script->catalog.recoveries = recoveries_left;
        recoveries_left = 0;
    }
}

Test(replace_build, recovery_while_an_index_is_built)
{
    for (unsigned i = 0; i < 4; i++) {
        script_init(&s, 2, i % 2 == 0 ? 7 : 2);
        (void)catalog_add_index(&s.catalog, "mv_i");
        s.meanwhile = recover_during_indexes;
        recoveries_left = 1 + i / 2;
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s", s.problem);
        cr_expect(eq(sz, num_steps("build an index"), 2));
        cr_expect(eq(int, s.outcome, i / 2 == 0 ? REPLACE_SUCCEEDED : REPLACE_FAILED));
    }
}

/* The wait for the cluster ends with build_timeout, with a cancel at once. */
Test(replace_build, waiting_for_the_cluster_is_given_up)
{
    script_init(&s, 2, 7);
    s.catalog.recovers_until_ms = 1000000;
    s.settings.values[SETTING_BUILD_TIMEOUT] = 3500;
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(str, s.sqlstate, (char *)"57014"), "%s", s.error);
    cr_expect(script_says(&s, "mvswap.build_timeout is "));
    cr_expect(lt(u64, s.catalog.now_ms, 3700));
    cr_expect(script_unchanged(&s));

    script_again(&s);
    s.settings.values[SETTING_BUILD_TIMEOUT] = 0;
    size_t at = script_find_run(&s, "wait for the cluster", 1);
    s.faults[0] = (struct script_fault){.at = at, .fault = FAULT_CANCEL};
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(str, s.sqlstate, (char *)"57014"));
    cr_expect(lt(u64, s.catalog.now_ms, 1500));
    cr_expect(script_unchanged(&s));
}

/* In all four phases: the view and an index, in the background and the foreground. */
Test(replace_build, timeout)
{
    static const unsigned versions[][2] = {{2, 2}, {2, 6}, {2, 7}, {3, 0}};
    for (size_t i = 0; i < 4 * sizeof(versions) / sizeof(versions[0]); i++) {
        bool foreground = i % 2 != 0;
        bool index = i / 2 % 2 != 0;
        script_init(&s, versions[i / 4][0], versions[i / 4][1]);
        (void)catalog_add_index(&s.catalog, "mv_i");
        s.settings.values[SETTING_BUILD] = foreground;
        s.settings.values[SETTING_BUILD_TIMEOUT] = 5000;
        if (foreground) {
            s.catalog.foreground_ms = index ? 3000 : 100000;
        } else {
            s.catalog.build_ms = index ? 100 : 100000;
            s.catalog.index_build_ms = 100000;
            s.catalog.foreground_ms = 100000; /* of an index before 2.6 */
        }
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%zu: %s", i, s.problem);
        cr_expect(eq(str, s.sqlstate, (char *)"57014"), "%zu: %s", i, s.error);
        cr_expect(script_says(&s, "canceling statement due to build timeout"), "%s", s.error);
        cr_expect(script_says(&s, "mvswap.build_timeout is 5s."), "%s", s.error);
        cr_expect(script_unchanged(&s), "%zu", i);
        cr_expect(lt(u64, s.catalog.now_ms, 6000));
        cr_expect(eq(int, script_find_step(&s, "build an index", 0) != SCRIPT_REQUESTS, index));
    }
}

Test(replace_build, progress)
{
    for (unsigned i = 0; i < 4; i++) {
        script_init(&s, 2, 7);
        (void)catalog_add_index(&s.catalog, "mv_i");
        s.settings.values[SETTING_BUILD] = i % 2;
        s.settings.values[SETTING_NOTICES] = i / 2;
        s.catalog.foreground_ms = 25000;
        s.catalog.build_ms = 25000;
        s.catalog.index_build_ms = 25000;
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s", s.problem);
        cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
        bool told = script_says(&s, "Building materialized view \"public.mv\": ");
        cr_expect(eq(int, told, i / 2 == REPLACE_NOTICES_PROGRESS));
        told = script_says(&s, "Building index \"mv_i\": ");
        cr_expect(eq(int, told, i / 2 == REPLACE_NOTICES_PROGRESS));
        told = script_says(&s, "12.50%, 10 s elapsed.");
        cr_expect(eq(int, told, i == 0), "%u", i);
    }
}

/* An error of CREATE INDEX that came although meta had taken the job on. */
Test(replace_build, index_answered_by_a_lost_way_back)
{
    static const uint64_t seen[] = {0, 3000};
    for (size_t i = 0; i < 2; i++) {
        script_init(&s, 2, 7);
        (void)catalog_add_index(&s.catalog, "mv_i");
        size_t at = script_find_run(&s, "build an index", 0);
        s.late_error = "gRPC request to meta service (call `x`) failed: transport error";
        s.catalog.index_build_ms = 100000;
        s.catalog.seen_after_ms = seen[i];
        s.faults[0] = (struct script_fault){.at = at, .fault = FAULT_ERROR_LATE};
        script_run(&s);
        if (!s.faults[0].applied || strncmp(s.sql[at], "CREATE INDEX", 12) != 0) {
            /* Seen later, the index is built at a later request. */
            script_again(&s);
            s.faults[0].fault = FAULT_NONE;
            s.faults[0].at = script_find_run(&s, "build an index", 0);
            s.faults[0].fault = FAULT_ERROR_LATE;
            script_run(&s);
        }
        cr_expect(script_kept_promise(&s), "%s", s.problem);
        cr_expect(eq(int, s.outcome, REPLACE_FAILED));
        cr_expect(script_unchanged(&s));
    }
}

/* Cancelled at each request of an index that is built, in every version. */
Test(replace_build, cancelled_while_an_index_is_built)
{
    static const enum fault faults[] = {FAULT_CANCEL, FAULT_CANCEL_HITS, FAULT_GONE_FIRST,
                                        FAULT_SHUTDOWN};
    for (unsigned i = 0; i < 2 * 6; i++) {
        unsigned minor = 2 + i / 2;
        script_init(&s, 2, minor);
        (void)catalog_add_index(&s.catalog, "mv_i");
        s.catalog.build_ms = 0;
        s.catalog.index_build_ms = i % 2 == 0 ? 100000 : 300;
        s.catalog.fails_after_ms = 0;
        script_run(&s);
        size_t first = script_find_step(&s, "build an index", 0);
        size_t last = first + 5;
        for (size_t at = first; at < last; at++) {
            for (size_t k = 0; k < 4; k++) {
                script_again(&s);
                s.faults[0] = (struct script_fault){.at = at, .fault = faults[k]};
                script_run(&s);
                if (s.faults[0].applied) {
                    cr_expect(script_kept_promise(&s), "2.%u, %zu: %s", minor, at, s.problem);
                    cr_expect(script_unchanged(&s), "2.%u, %zu, %s", minor, at,
                              fault_names[faults[k]]);
                }
            }
        }
    }
}

/* A table that the new view reads has another name when it is to be swapped: it was replaced. */
static void swap_what_is_read(struct script *script)
{
    struct catalog_object *t = catalog_find(&script->catalog, "public", "t");
    if (script->catalog.created && script->catalog.locked && t != NULL &&
        !script->catalog.slot_held) {
        (void)snprintf(t->name, CATALOG_NAME, "t_tmp_20250101_000000_000000");
    }
}

Test(replace_build, what_it_reads_was_replaced)
{
    script_init(&s, 2, 7);
    s.meanwhile = swap_what_is_read;
    script_run(&s);
    cr_expect(eq(str, s.sqlstate, (char *)"40001"), "%s", s.error);
    cr_expect(script_says(&s, "\"t\", which the new view reads, was replaced or renamed"));
    cr_expect(eq(int, s.catalog.swapped, 0));
    cr_expect(eq(ptr, catalog_by_id(&s.catalog, s.catalog.seen_id), NULL));
}

Test(replace_build, index_created_meanwhile)
{
    script_init(&s, 2, 7);
    size_t at = script_find_run(&s, "inspect dependents", 1);
    s.faults[0] = (struct script_fault){.at = at, .fault = FAULT_INDEX_CREATED};
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(str, s.sqlstate, (char *)"40001"));
    cr_expect(script_says(&s, "an index was created on the view meanwhile"));
}

static void add_dependent(struct script *script)
{
    if (script->catalog.created &&
        catalog_find(&script->catalog, "public", "late_reader") == NULL) {
        (void)catalog_add_view(&script->catalog, "public", "public", "late_reader",
                               "SELECT a FROM mv");
    }
}

Test(replace_build, dependent_created_meanwhile)
{
    script_init(&s, 2, 7);
    s.meanwhile = add_dependent;
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(script_says(&s, "1 view was moved to it."));
    cr_expect(catalog_find(&s.catalog, "public", "late_reader")->ours);
}

Test(replace_build, zero_downtime_off)
{
    for (unsigned i = 0; i < 2; i++) {
        script_init(&s, 2, 7);
        scenario_enrich(&s);
        s.settings.values[SETTING_ZERO_DOWNTIME] = REPLACE_ZERO_DOWNTIME_OFF;
        s.settings.values[SETTING_BUILD] = i;
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s", s.problem);
        cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
        cr_expect(script_says(&s, "it was dropped first. Carried over: 2 indexes, 2 grants, 2"));
        cr_expect(not(script_sent(&s, "SHOW PROCESSLIST")));
    }
    /* A build that fails loses the view, and says so with its definition. */
    script_init(&s, 2, 7);
    s.settings.values[SETTING_ZERO_DOWNTIME] = REPLACE_ZERO_DOWNTIME_OFF;
    size_t at = script_find_run(&s, "build", 0);
    s.faults[0] = (struct script_fault){.at = at, .fault = FAULT_ERROR};
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_FAILED_BY_SERVER));
    cr_expect(script_says(&s, "\"public.mv\" was dropped and could not be created anew"));
    cr_expect(script_says(&s, "CREATE MATERIALIZED VIEW x AS SELECT 1"));
}
