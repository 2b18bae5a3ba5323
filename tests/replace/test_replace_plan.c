/* Tests of EXPLAIN: what the plan says, and that nothing which lasts is changed. */
#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct script s;

static void expect_plan(const char *what)
{
    s.mode = REPLACE_PLAN;
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s: %s", what, s.problem);
    cr_expect(script_unchanged(&s), "%s", what);
    cr_expect(eq(int, s.outcome, REPLACE_PLANNED), "%s: %s", what, s.error);
    cr_expect(not(script_sent(&s, "(slot)")), "%s", what);
    cr_expect(not(script_sent(&s, "\"dev\"")), "%s: it waits for a lock", what);
}

static void expect_line(const char *line)
{
    cr_expect(ne(ptr, strstr(s.plan, line), NULL), "%s\nin:\n%s", line, s.plan);
}

Test(replace_plan, whole)
{
    script_init(&s, 2, 7);
    scenario_enrich(&s);
    expect_plan("whole");
    expect_line("Replace materialized view \"public.mv\" (id 10) with zero downtime\n");
    expect_line("Definition: changed, or not certainly unchanged\nColumns: the same\n");
    expect_line("Steps:\n  1. set background_ddl: SET background_ddl = true\n"
                "  2. build: CREATE MATERIALIZED VIEW mv_tmp_");
    expect_line(" AS SELECT a FROM t\n  3. restore background_ddl: SET background_ddl = false\n"
                "  4. wait: until it is built\n  5. set background_ddl: SET background_ddl = true\n"
                "  6. build an index: CREATE INDEX \"mv_i_tmp_");
    /* Grants and comments come last: what they were meanwhile counts. */
    expect_line(" IS 'of an index'\n  15. carry over: GRANT SELECT ");
    expect_line(" IS 'it''s a view'\n  19. swap: ALTER MATERIALIZED VIEW ");
    expect_line("hand over index names: ALTER INDEX \"public\".\"mv_i\" RENAME TO \"mv_i_old_");
    expect_line("drain: at least 500ms, at most 30s, until no statement reads the old view\n");
    expect_line("drop: DROP MATERIALIZED VIEW ");
}

Test(replace_plan, keep_old)
{
    script_init(&s, 2, 7);
    s.settings.values[SETTING_KEEP_OLD] = 60000;
    expect_plan("keep_old");
    expect_line("The old view is kept for 1min.");
    cr_expect(eq(ptr, strstr(s.plan, "DROP"), NULL));
}

Test(replace_plan, unchanged)
{
    script_init(&s, 2, 7);
    scenario_unchanged(&s);
    expect_plan("unchanged");
    expect_line("Definition: unchanged\n");
    expect_line("Nothing to do: materialized view \"public.mv\" is unchanged\n");
    cr_expect(eq(ptr, strstr(s.plan, "Steps:"), NULL));
}

Test(replace_plan, columns)
{
    script_init(&s, 2, 7);
    catalog_set_column(&s.catalog.build_columns[0], "b", "bigint", "");
    catalog_set_column(&s.catalog.build_columns[1], "c", "integer", "");
    expect_plan("columns");
    expect_line("Column 1: a integer becomes b bigint\nColumn 2: none becomes c integer\n");
}

Test(replace_plan, refusals)
{
    script_init(&s, 2, 7);
    s.catalog.user = "bob";
    expect_plan("another owner");
    expect_line("Refused (42501): must be owner of materialized view public.mv\n");

    script_init(&s, 2, 7);
    (void)catalog_add(&s.catalog, "public", "reader", "sink", s.catalog.target_id);
    expect_plan("a dependent");
    expect_line("Dependent: sink \"public.reader\" stays on the old one: only views are moved\n");
    expect_line("The old view is left: what stays reads it.\n");
    script_again(&s);
    s.settings.values[SETTING_DEPENDENTS] = REPLACE_DEPENDENTS_REFUSED;
    expect_plan("a dependent, refused");
    expect_line("Refused (2BP01): other objects depend on \"public.mv\" and mvswap.dependents is "
                "refuse\n  Detail: sink \"public.reader\" reads it.\n");

    script_init(&s, 2, 7);
    s.settings.values[SETTING_ON_CHANGE] = REPLACE_CHANGE_FAILS;
    expect_plan("on_change");
    expect_line("Refused (42P07): ");
}

Test(replace_plan, refused_probe)
{
    script_init(&s, 2, 7);
    s.catalog.probe_refusal = "Failed to run the query\n\nCaused by:\n  views take no EMIT\n";
    expect_plan("refused probe");
    expect_line("Definition: the server does not take the query as a plain view: "
                "views take no EMIT\n");
    expect_line("swap: ");
}

Test(replace_plan, first_creation)
{
    script_init(&s, 2, 7);
    s.catalog.objects[0] = (struct catalog_object){0};
    s.catalog.target_id = 0;
    expect_plan("first creation");
    cr_expect(
        eq(str, s.plan,
           (char *)"Create materialized view \"public.mv\": there is no relation of that name\n"
                   "Steps:\n  1. create: CREATE MATERIALIZED VIEW mv AS SELECT a FROM t\n"));
}

Test(replace_plan, zero_downtime_off)
{
    script_init(&s, 2, 7);
    scenario_enrich(&s);
    s.settings.values[SETTING_ZERO_DOWNTIME] = REPLACE_ZERO_DOWNTIME_OFF;
    expect_plan("off");
    expect_line("with a gap: mvswap.zero_downtime is off\n");
    /* What may be refused comes before the drop; what readers wait for, before the indexes. */
    expect_line("Steps:\n  1. set background_ddl: SET background_ddl = true\n"
                "  2. drop: DROP MATERIALIZED VIEW \"public\".\"mv\"\n"
                "  3. build: CREATE MATERIALIZED VIEW mv AS SELECT a FROM t\n");
    expect_line("  6. carry over: GRANT SELECT ");
    expect_line("build an index: CREATE INDEX \"mv_i\" ON \"public\".\"mv\"(a DESC)\n");
    cr_expect(eq(ptr, strstr(s.plan, "SWAP WITH"), NULL));
}

Test(replace_plan, not_ours_and_errors)
{
    script_init(&s, 2, 7);
    s.catalog.version = "PostgreSQL 16.2";
    s.mode = REPLACE_PLAN;
    script_run(&s);
    cr_expect(eq(int, s.outcome, REPLACE_NOT_OURS));

    script_init(&s, 2, 7);
    s.mode = REPLACE_PLAN;
    s.faults[0] = (struct script_fault){.at = 4, .fault = FAULT_ERROR};
    script_run(&s);
    cr_expect(eq(int, s.outcome, REPLACE_FAILED_BY_SERVER));
    cr_expect(script_unchanged(&s));
}
