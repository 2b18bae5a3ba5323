/*
 * Tests of the client's own statements: mvswap.check, before_build and after_swap: when they run,
 * with which names in them, and what becomes of their answers.
 */
#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct script s;

static void hook(enum setting setting, const char *sql, struct catalog_hook answer)
{
    struct settings_problem problem;
    bool set = settings_set(&s.settings, setting, sql, SOURCE_SESSION, &problem);
    cr_assert(set, "%s", problem.message);
    answer.begins = answer.begins != NULL ? answer.begins : sql;
    s.catalog.hooks[setting - SETTING_CHECK] = answer;
}

static void run_well(const char *what)
{
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s: %s", what, s.problem);
    settings_cleanup(&s.settings);
}

static size_t at(const char *step)
{
    return script_find_step(&s, step, 0);
}

static void expect_untouched(const char *what, const char *sqlstate)
{
    cr_expect(eq(str, s.sqlstate, (char *)sqlstate), "%s: %s%s", what, s.error, s.raw);
    cr_expect(script_unchanged(&s), "%s", what);
    cr_expect(not(s.catalog.swapped), "%s", what);
}

Test(replace_hooks, check_decides)
{
    static const struct {
        const char *what;
        struct catalog_hook answer;
        const char *sqlstate; /* NULL: it passes */
        const char *says;
    } rows[] = {
        {"no row", {.num_rows = 0}, NULL, NULL},
        {"true", {.num_rows = 1, .cell = "t"}, NULL, NULL},
        {"false", {.num_rows = 1, .cell = "f"}, "23514", "one row whose first column is not true"},
        {"NULL", {.num_rows = 1}, "23514", "one row whose first column is not true"},
        {"a number", {.num_rows = 1, .cell = "1"}, "23514", "first column is not true"},
        {"more than t", {.num_rows = 1, .cell = "tt"}, "23514", "first column is not true"},
        {"two rows", {.num_rows = 2, .cell = "t"}, "23514", "It answered several rows."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        script_init(&s, 2, 7);
        hook(SETTING_CHECK, "SELECT ok FROM {new}", rows[i].answer);
        s.catalog.hooks[0].begins = "SELECT ok";
        run_well(rows[i].what);
        if (rows[i].sqlstate == NULL) {
            cr_expect(s.catalog.swapped, "%s: %s", rows[i].what, s.error);
        } else {
            expect_untouched(rows[i].what, rows[i].sqlstate);
            cr_expect(script_says(&s, rows[i].says), "%s: %s", rows[i].what, s.error);
        }
    }
}

/* Its error is the client's answer, and everything is taken back. */
Test(replace_hooks, check_fails)
{
    script_init(&s, 2, 7);
    hook(SETTING_CHECK, "SELECT ok FROM {new}",
         (struct catalog_hook){.begins = "SELECT ok", .error = "division by zero"});
    run_well("error");
    cr_expect(eq(int, s.outcome, REPLACE_FAILED_BY_SERVER));
    cr_expect(eq(str, s.raw, (char *)"division by zero"));
    cr_expect(script_unchanged(&s));
}

/* The names are quoted, with their schema, each time that they stand in the text. */
Test(replace_hooks, check_has_the_names)
{
    char expected[SCRIPT_TEXT];
    script_init(&s, 2, 8);
    s.text = "CREATE OR REPLACE MATERIALIZED VIEW \"My View\" AS SELECT a FROM t";
    struct catalog_object *mv = catalog_by_id(&s.catalog, s.catalog.target_id);
    (void)snprintf(mv->name, CATALOG_NAME, "My View");
    (void)snprintf(s.catalog.target_name, CATALOG_NAME, "My View");
    hook(SETTING_CHECK, "SELECT {{new}} {new}{old} {NEW} {ne {new} %s",
         (struct catalog_hook){.begins = "SELECT {", .num_rows = 0});
    run_well("names");
    cr_assert(lt(sz, at("check"), SCRIPT_REQUESTS));
    (void)snprintf(expected, sizeof(expected),
                   "SELECT {\"public\".\"My View_tmp_%s\"} \"public\".\"My View_tmp_%s\""
                   "\"public\".\"My View\" {NEW} {ne \"public\".\"My View_tmp_%s\" %%s",
                   s.stamp, s.stamp, s.stamp);
    cr_expect(eq(str, s.sql[at("check")], expected));
    cr_expect(s.notices_to_client[at("check")]);
    cr_expect(s.catalog.swapped, "%s%s", s.error, s.raw);
}

/* The new view is finished with its indexes; the last look comes after it, and no slot is held. */
Test(replace_hooks, check_comes_before_the_last_look)
{
    script_init(&s, 2, 7);
    scenario_enrich(&s);
    hook(SETTING_CHECK, "SELECT 1", (struct catalog_hook){.num_rows = 0});
    run_well("order");
    cr_expect(gt(sz, at("check"), at("end of the builds")));
    cr_expect(lt(sz, at("check"), script_find_step(&s, "inspect dependents", 1)));
    cr_expect(lt(sz, at("check"), at("ids before the swap")));
    cr_expect(lt(sz, at("check"), at("read grants")));
}

Test(replace_hooks, cancelled_during_the_check)
{
    static const enum fault faults[] = {FAULT_CANCEL, FAULT_CANCEL_HITS, FAULT_GONE};
    for (size_t i = 0; i < 3; i++) {
        script_init(&s, 2, 7);
        hook(SETTING_CHECK, "SELECT 1", (struct catalog_hook){.num_rows = 0});
        s.faults[0] =
            (struct script_fault){.at = script_find_run(&s, "check", 0), .fault = faults[i]};
        run_well(fault_names[faults[i]]);
        cr_expect(s.faults[0].applied);
        expect_untouched(fault_names[faults[i]], "57014");
    }
}

Test(replace_hooks, before_build_runs_once_and_early)
{
    script_init(&s, 2, 7);
    hook(SETTING_BEFORE_BUILD, "SET x = 1", (struct catalog_hook){.num_rows = 0});
    run_well("before_build");
    cr_expect(eq(str, s.sql[at("before_build")], (char *)"SET x = 1"));
    cr_expect(s.notices_to_client[at("before_build")]);
    cr_expect(lt(sz, at("before_build"), at("slot")));
    cr_expect(gt(sz, at("before_build"), at("drop the probe")));
    cr_expect(s.catalog.swapped);
    /* Not for a statement that has nothing to do. */
    script_init(&s, 2, 7);
    scenario_unchanged(&s);
    hook(SETTING_BEFORE_BUILD, "SET x = 1", (struct catalog_hook){.num_rows = 0});
    run_well("unchanged");
    cr_expect(not(script_sent(&s, "SET x")));
}

Test(replace_hooks, before_build_fails)
{
    script_init(&s, 2, 7);
    hook(SETTING_BEFORE_BUILD, "SET x = 1", (struct catalog_hook){.error = "no such x"});
    run_well("error");
    cr_expect(eq(int, s.outcome, REPLACE_FAILED_BY_SERVER));
    cr_expect(eq(str, s.raw, (char *)"no such x"));
    cr_expect(script_unchanged(&s));
    cr_expect(eq(sz, at("build"), SCRIPT_REQUESTS));
}

/* A name without a schema would be created somewhere else than the view was found. */
Test(replace_hooks, before_build_changes_the_schema)
{
    static const char *const texts[] = {
        "CREATE OR REPLACE MATERIALIZED VIEW mv AS SELECT a FROM t",
        "CREATE OR REPLACE MATERIALIZED VIEW public.mv AS SELECT a FROM t",
    };
    for (size_t i = 0; i < 2; i++) {
        script_init(&s, 2, 7);
        s.text = texts[i];
        hook(SETTING_BEFORE_BUILD, "SET search_path = other",
             (struct catalog_hook){.schema = "other"});
        run_well(texts[i]);
        if (i == 0) {
            expect_untouched(texts[i], "55000");
            cr_expect(script_says(&s, "before_build has changed the schema"), "%s", s.error);
        } else {
            cr_expect(s.catalog.swapped, "%s%s", s.error, s.raw);
        }
    }
}

Test(replace_hooks, after_swap_fails)
{
    for (unsigned i = 0; i < 2; i++) {
        script_init(&s, 2, 7);
        (void)catalog_add_index(&s.catalog, "mv_i");
        s.settings.values[SETTING_ZERO_DOWNTIME] = i;
        hook(SETTING_AFTER_SWAP, "NOTIFY x", (struct catalog_hook){.error = "nobody listens"});
        run_well("error");
        cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
        cr_expect(script_says(&s, "WARNING\nmvswap.after_swap failed; the new view is live\n"
                                  "nobody listens"));
        cr_expect(eq(sz, s.num_left, 0));
        cr_expect(eq(ptr, catalog_by_id(&s.catalog, 10), NULL), "the old view is still there");
        cr_expect(ne(ptr, catalog_find(&s.catalog, "public", "mv_i"), NULL));
    }
}

/* When the new view is live, and before the old one is waited for. */
Test(replace_hooks, after_swap_runs_at_once)
{
    for (unsigned i = 0; i < 2; i++) {
        script_init(&s, 2, 7);
        s.settings.values[SETTING_ZERO_DOWNTIME] = i;
        hook(SETTING_AFTER_SWAP, "NOTIFY x", (struct catalog_hook){.num_rows = 0});
        run_well("after_swap");
        size_t hooked = at("after_swap");
        cr_assert(lt(sz, hooked, SCRIPT_REQUESTS));
        cr_expect(s.notices_to_client[hooked]);
        cr_expect(eq(sz, script_find_step(&s, "after_swap", 1), SCRIPT_REQUESTS));
        if (i == REPLACE_ZERO_DOWNTIME_ON) {
            cr_expect(gt(sz, hooked, at("ids after the swap")));
            cr_expect(lt(sz, hooked, at("drain")));
        } else {
            cr_expect(gt(sz, hooked, at("build")));
        }
    }
}

Test(replace_hooks, not_after_a_failure)
{
    script_init(&s, 2, 7);
    hook(SETTING_AFTER_SWAP, "NOTIFY x", (struct catalog_hook){.num_rows = 0});
    s.faults[0] = (struct script_fault){.at = script_find_run(&s, "swap", 0), .fault = FAULT_ERROR};
    run_well("a swap that is refused");
    cr_expect(not(script_sent(&s, "NOTIFY")));
}

/* EXPLAIN writes them down and runs none of them. */
Test(replace_hooks, plan)
{
    script_init(&s, 2, 7);
    s.mode = REPLACE_PLAN;
    hook(SETTING_BEFORE_BUILD, "SET x = 1", (struct catalog_hook){.num_rows = 0});
    hook(SETTING_CHECK, "SELECT {old}", (struct catalog_hook){.begins = "SELECT \""});
    hook(SETTING_AFTER_SWAP, "NOTIFY x", (struct catalog_hook){.num_rows = 0});
    run_well("plan");
    cr_expect(eq(int, s.outcome, REPLACE_PLANNED));
    cr_expect(ne(ptr, strstr(s.plan, "  1. before_build: SET x = 1\n"), NULL), "%s", s.plan);
    cr_expect(ne(ptr, strstr(s.plan, ". check: SELECT \"public\".\"mv\"\n"), NULL), "%s", s.plan);
    cr_expect(ne(ptr, strstr(s.plan, ". after_swap: NOTIFY x\n"), NULL), "%s", s.plan);
}
