/* Tests of mistakes that the engine once made, each as small as it can be shown. */
#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct script s;

static const char lost_on_the_way[] =
    "gRPC request to meta service (call `x`) failed: transport error";

static struct catalog_object *mv(void)
{
    return catalog_by_id(&s.catalog, s.catalog.target_id);
}

static void off(void)
{
    script_init(&s, 2, 7);
    s.settings.values[SETTING_ZERO_DOWNTIME] = REPLACE_ZERO_DOWNTIME_OFF;
}

static void fault_at_step(const char *step, size_t num, enum fault fault)
{
    size_t at = script_find_run(&s, step, num);
    cr_assert(lt(sz, at, SCRIPT_REQUESTS), "%s", step);
    s.faults[0] = (struct script_fault){.at = at, .fault = fault};
}

static void run_well(void)
{
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
}

/* Before 2.5 the process list has no column "Worker Id". */
Test(replace_regressions, process_list_before_2_5)
{
    for (unsigned minor = 2; minor <= 5; minor++) {
        script_init(&s, 2, minor);
        s.settings.values[SETTING_DRAIN] = 2000;
        scenario_add_reader(&s, 0, 1000000);
        run_well();
        cr_expect(eq(sz, s.num_left, 1), "2.%u: dropped under a reader", minor);
        cr_expect(script_says(&s, "still run: 1:0."), "2.%u", minor);
    }
}

/* Names neither swapped nor unswapped: both are told with the SQL. */
Test(replace_regressions, odd_ids_after_the_swap)
{
    script_init(&s, 2, 7);
    fault_at_step("swap", 0, FAULT_TARGET_RENAMED);
    run_well();
    cr_expect(eq(str, s.sqlstate, (char *)"40001"));
    cr_expect(script_says(&s, "DROP MATERIALIZED VIEW \"public\".\"mv_tmp_"));
}

/* zero_downtime = off: an index whose CREATE was perhaps taken on is left out, once. */
Test(replace_regressions, index_left_out)
{
    static const uint64_t build_ms[] = {0, 300, 1000000};
    for (size_t i = 0; i < 3; i++) {
        off();
        (void)catalog_add_index(&s.catalog, "mv_i");
        s.catalog.index_build_ms = build_ms[i];
        s.late_error = lost_on_the_way;
        fault_at_step("build an index", 0, FAULT_ERROR_LATE);
        s.catalog.index_build_ms = build_ms[i];
        run_well();
        cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
        cr_expect(script_says(&s, "index \"mv_i\" cannot be built on the new view"));
        cr_expect(not(script_says(&s, "not all was done")));
    }
}

/* A leftover is read by statements that name the view: they began before that swap. */
Test(replace_regressions, leftover_that_is_still_read)
{
    script_init(&s, 2, 7);
    s.settings.values[SETTING_DRAIN] = 1000;
    struct catalog_object *o =
        catalog_add(&s.catalog, "public", "mv_tmp_20250101_000000_000001", "materialized view", 0);
    script_remember(&s, o, 0);
    s.catalog.now_ms = 100000;
    s.catalog.processes[0] = (struct catalog_process){
        .info = "SELECT * FROM mv", .began_ms = 0, .ends_ms = 10000000, .reads = o->id};
    run_well();
    cr_expect(ne(ptr, catalog_by_id(&s.catalog, s.remembered[0].id), NULL));
    cr_expect(eq(sz, s.num_left, 2));
}

/* keep_old counts whether or not somebody still reads the old view. */
Test(replace_regressions, keep_old_with_readers)
{
    script_init(&s, 2, 7);
    s.settings.values[SETTING_DRAIN] = 1000;
    s.settings.values[SETTING_KEEP_OLD] = 3600000;
    scenario_add_reader(&s, 0, 1000000);
    run_well();
    cr_assert(eq(sz, s.num_left, 1));
    cr_expect(gt(u64, s.left[0].until_us, script_now_us(&s)), "due at once");

    script_init(&s, 2, 7);
    s.settings.values[SETTING_KEEP_OLD] = 3600000;
    size_t at = script_find_run(&s, "drain", 1);
    if (at != SCRIPT_REQUESTS) {
        s.faults[0] = (struct script_fault){.at = at, .fault = FAULT_ERROR};
        run_well();
        cr_assert(eq(sz, s.num_left, 1));
        cr_expect(gt(u64, s.left[0].until_us, script_now_us(&s)), "due at once");
    }
}

/* zero_downtime = off: the session has its background_ddl back, however an index ends. */
Test(replace_regressions, background_ddl_after_the_gap)
{
    off();
    (void)catalog_add_index(&s.catalog, "mv_i");
    fault_at_step("restore background_ddl", 1, FAULT_ERROR);
    run_well();
    off();
    (void)catalog_add_index(&s.catalog, "mv_i");
    fault_at_step("set background_ddl", 1, FAULT_ERROR_LATE);
    run_well();
}

/* background_ddl that could not be put back: the index that comes next is not built with it, where
 * nothing tells when such an index is finished. */
Test(replace_regressions, index_after_a_setting_that_stayed)
{
    for (unsigned minor = 4; minor <= 7; minor += 3) {
        script_init(&s, 2, minor);
        (void)catalog_add_index(&s.catalog, "mv_i");
        (void)catalog_add_index(&s.catalog, "mv_j");
        fault_at_step("restore background_ddl", 0, FAULT_ERROR);
        run_well();
        cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
        cr_expect(eq(int, s.catalog.background_ddl, s.before.background_ddl));
    }
}

/* ... and is not told that the view is unchanged. */
Test(replace_regressions, gone_is_not_unchanged)
{
    static const enum fault faults[] = {FAULT_SHUTDOWN, FAULT_CANCEL};
    for (size_t i = 0; i < 2; i++) {
        off();
        s.catalog.build_ms = 100000;
        fault_at_step("poll the build", 2, faults[i]);
        run_well();
        cr_expect(not(script_says(&s, "view is unchanged")), "%s", s.error);
        cr_expect(script_says(&s, "was dropped and could not be created anew"));
    }
    off();
    s.catalog.build_ms = 100000;
    s.settings.values[SETTING_BUILD_TIMEOUT] = 1000;
    run_well();
    cr_expect(not(script_says(&s, "view is unchanged")), "%s", s.error);
    off();
    s.catalog.build_ms = 100000;
    s.catalog.fails_after_ms = 300;
    run_well();
    cr_expect(not(script_says(&s, "view is unchanged")), "%s", s.error);
}

Test(replace_regressions, lost_view_is_told_once)
{
    off();
    s.catalog.foreground_ms = 1000;
    s.settings.values[SETTING_BUILD] = REPLACE_BUILD_FOREGROUND;
    fault_at_step("build", 0, FAULT_CANCEL_HITS);
    run_well();
    size_t num = 0;
    for (size_t i = 0; i < s.num_notices; i++) {
        num += strstr(s.notices[i], "was dropped and could not be created anew") != NULL;
    }
    cr_expect(eq(sz, num, 1));
}

static void swap_by_others(struct script *script)
{
    struct catalog_object *view = catalog_by_id(&script->catalog, script->catalog.target_id);
    struct catalog_object *theirs = catalog_find(&script->catalog, "public", "theirs");
    if (script->catalog.slot_held && theirs != NULL && view != NULL) {
        (void)snprintf(view->name, CATALOG_NAME, "theirs_old");
        (void)snprintf(theirs->name, CATALOG_NAME, "mv");
        view->touched = true;
        theirs->touched = true;
    }
}

/* zero_downtime = off: somebody else swapped the view before it was dropped. */
Test(replace_regressions, ids_before_anything_has_a_name)
{
    off();
    s.meanwhile = swap_by_others;
    script_run(&s);
    cr_expect(eq(str, s.sqlstate, (char *)"40001"));
    cr_expect(not(script_says(&s, "null")));
    cr_expect(not(script_sent(&s, "DROP MATERIALIZED VIEW")));
}

/* While indexes are built somebody takes a grant back, and adds a comment. */
static void change_during_indexes(struct script *script)
{
    struct catalog_object *view = catalog_by_id(&script->catalog, script->catalog.target_id);
    for (size_t i = 0; view != NULL && i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &script->catalog.objects[i];
        if (o->id != 0 && o->ours && strcmp(o->kind, "index") == 0) {
            view->grants[0] = (struct catalog_grant){.option = false};
        }
    }
}

Test(replace_regressions, revoked_while_indexes_are_built)
{
    script_init(&s, 2, 7);
    (void)catalog_add_index(&s.catalog, "mv_i");
    catalog_grant(mv(), "mallory", "root", false);
    s.meanwhile = change_during_indexes;
    script_run(&s);
    const struct catalog_object *live = catalog_find(&s.catalog, "public", "mv");
    cr_assert(ne(ptr, (void *)(uintptr_t)live, NULL));
    cr_expect(eq(str, (char *)(uintptr_t)live->grants[0].user, (char *)""),
              "mallory can read it again");
}

/* zero_downtime = off: while it waits for a slot somebody takes a grant back. */
static void change_while_waiting(struct script *script)
{
    struct catalog_object *view = catalog_by_id(&script->catalog, script->catalog.target_id);
    if (view != NULL && script->catalog.slot_held) {
        view->grants[0] = (struct catalog_grant){.option = false};
    }
}

Test(replace_regressions, revoked_before_the_gap)
{
    off();
    catalog_grant(mv(), "mallory", "root", false);
    s.meanwhile = change_while_waiting;
    script_run(&s);
    const struct catalog_object *live = catalog_find(&s.catalog, "public", "mv");
    cr_assert(ne(ptr, (void *)(uintptr_t)live, NULL));
    cr_expect(eq(str, (char *)(uintptr_t)live->grants[0].user, (char *)""),
              "mallory can read it again");
}

/* zero_downtime = off: a DROP that took effect although it was answered by an error. */
Test(replace_regressions, drop_first_answered_late)
{
    off();
    s.late_error = lost_on_the_way;
    fault_at_step("drop", 0, FAULT_ERROR_LATE);
    run_well();
}

/* zero_downtime = off: nothing that can be refused stands between the drop and the build. */
Test(replace_regressions, gap_is_short)
{
    off();
    script_run(&s);
    size_t drop = script_find_step(&s, "drop", 0);
    cr_expect(eq(sz, script_find_step(&s, "build", 0), drop + 1));
}

/* zero_downtime = off: a question that is refused does not end everything else. */
Test(replace_regressions, gap_is_filled_as_far_as_possible)
{
    static const struct {
        const char *step;
        size_t num;
    } rows[] = {{"read the new view", 0}, {"read the new view", 1}, {"read the new view", 2},
                {"read grants", 0},       {"carry over", 0},        {"build an index", 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        off();
        (void)catalog_add_index(&s.catalog, "mv_i");
        (void)catalog_add_index(&s.catalog, "mv_j");
        catalog_grant(mv(), "bob", "root", true);
        fault_at_step(rows[i].step, rows[i].num, FAULT_ERROR);
        run_well();
        bool built = catalog_find(&s.catalog, "public", "mv_j") != NULL;
        cr_expect(built || script_says(&s, "mv_j"), "%s %zu: mv_j is neither there nor told",
                  rows[i].step, rows[i].num);
    }
}

/* Found before an hour of building, and not called a lack of memory. */
Test(replace_regressions, unreadable_index_definition)
{
    static const char *const definitions[] = {"CREATE INDEX IF NOT EXISTS mv_i ON mv(a)",
                                              "CREATE UNIQUE INDEX mv_i ON mv(a)", "SELECT 1"};
    for (size_t i = 0; i < 3; i++) {
        script_init(&s, 2, 7);
        struct catalog_object *index = catalog_add_index(&s.catalog, "mv_i");
        (void)snprintf(index->definition, CATALOG_TEXT, "%s", definitions[i]);
        run_well();
        cr_expect(not(script_sent(&s, "CREATE MATERIALIZED VIEW")), "%s", definitions[i]);
        cr_expect(ne(str, s.sqlstate, (char *)"53200"));
    }
}

static void spoil_acl(struct script *script)
{
    struct catalog_object *built = catalog_by_id(&script->catalog, script->catalog.seen_id);
    if (built != NULL && script_sent(script, "GRANT ")) {
        (void)snprintf(built->acl, CATALOG_TEXT, "{bob=x/root}");
    }
}

Test(replace_regressions, unreadable_grants_at_the_end)
{
    script_init(&s, 2, 7);
    catalog_grant(mv(), "bob", "root", false);
    s.meanwhile = spoil_acl;
    run_well();
    cr_expect(eq(str, s.sqlstate, (char *)"0A000"), "%s", s.error);
}

/* What may be left is remembered, too. */
Test(replace_regressions, unreadable_id_before_the_drop)
{
    script_init(&s, 2, 7);
    fault_at_step("id before the drop", 0, FAULT_NULLS);
    run_well();
    cr_expect(script_says(&s, "may be left"));
    cr_expect(eq(sz, s.num_left, 1));
}

/* Lost among the leftovers: the old view was dropped by then, and all that the client wanted is
 * done. What was left before stays remembered. */
Test(replace_regressions, lost_after_the_drop)
{
    script_init(&s, 2, 7);
    struct catalog_object *o =
        catalog_add(&s.catalog, "public", "mv_tmp_20250101_000000_000001", "materialized view", 0);
    script_remember(&s, o, 0);
    fault_at_step("leftovers", 0, FAULT_LOST_BEFORE);
    run_well();
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(s.server_lost);
    cr_expect(not(script_says(&s, "mv_tmp_2026")), "%s", s.error);
    cr_assert(eq(sz, s.num_left, 1));
    cr_expect(eq(u64, s.left[0].id, s.remembered[0].id));
}

/* The name is free: the new index takes it. */
Test(replace_regressions, old_index_was_dropped_meanwhile)
{
    script_init(&s, 2, 7);
    (void)catalog_add_index(&s.catalog, "mv_i");
    fault_at_step("hand over index names", 0, FAULT_INDEX_DROPPED);
    run_well();
    const struct catalog_object *index = catalog_find(&s.catalog, "public", "mv_i");
    cr_expect(index != NULL && index->ours, "the new index has its temporary name still");
}

/* A probe that was made although CREATE VIEW was answered by an error. */
Test(replace_regressions, probe_answered_late)
{
    script_init(&s, 2, 7);
    fault_at_step("probe", 0, FAULT_ERROR_LATE);
    run_well();
}

/* Nothing at all is not known to be read, neither then nor now. */
Test(replace_regressions, reads_not_told)
{
    script_init(&s, 2, 7);
    scenario_unchanged(&s);
    fault_at_step("read the probe", 2, FAULT_NO_ROWS);
    script_run(&s);
    cr_expect(s.catalog.swapped, "\"FROM t\" without a row of what is read");
}

/* While the drain lasts somebody takes the old view: nobody is told to drop what is there then. */
Test(replace_regressions, old_view_taken_during_the_drain)
{
    static const enum fault faults[] = {FAULT_TEMP_DROPPED, FAULT_TEMP_RENAMED, FAULT_TEMP_SWAPPED};
    for (size_t i = 0; i < 3; i++) {
        script_init(&s, 2, 7);
        s.settings.values[SETTING_DRAIN] = 1000;
        scenario_add_reader(&s, 0, 1000000);
        fault_at_step("drain", 2, faults[i]);
        run_well();
    }
}

/* The comments of an index that could be read at first are not lost without a word. */
Test(replace_regressions, index_comments_refused_later)
{
    script_init(&s, 2, 7);
    struct catalog_object *index = catalog_add_index(&s.catalog, "mv_i");
    (void)snprintf(index->comment, CATALOG_WORD, "mine");
    fault_at_step("inspect indexes", 3, FAULT_ERROR);
    script_run(&s);
    index = catalog_find(&s.catalog, "public", "mv_i");
    bool kept = index != NULL && strcmp(index->comment, "mine") == 0;
    cr_expect(kept || script_says(&s, "mv_i"));
}

/* Names of indexes that the server stores without the quotes that they need: the next rename
 * stops it. */
Test(replace_regressions, names_of_indexes_that_need_quotes)
{
    static const struct {
        unsigned minor;
        const char *name;
        bool refused;
    } rows[] = {{2, "My Index", true},  {4, "1st", true},      {4, "plain_1", false},
                {5, "My Index", false}, {5, "1st", true},      {7, "select", true},
                {8, "select", false},   {7, "selected", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        script_init(&s, 2, rows[i].minor);
        struct catalog_object *index = catalog_add_index(&s.catalog, rows[i].name);
        (void)snprintf(index->definition, CATALOG_TEXT, "CREATE INDEX i ON mv(a)");
        script_run(&s);
        cr_expect(eq(int, strcmp(s.sqlstate, "55000") == 0, rows[i].refused), "2.%u: %s",
                  rows[i].minor, rows[i].name);
    }
}

/* Likewise keywords, which are quoted from 2.8 on. */
Test(replace_regressions, views_called_like_a_keyword)
{
    static const unsigned minors[] = {2, 5, 7, 8};
    for (size_t i = 0; i < 4; i++) {
        script_init(&s, 2, minors[i]);
        (void)snprintf(mv()->name, CATALOG_NAME, "select");
        (void)snprintf(s.catalog.target_name, CATALOG_NAME, "select");
        s.text = "CREATE OR REPLACE MATERIALIZED VIEW \"select\" AS SELECT a FROM t";
        script_run(&s);
        cr_expect(eq(int, strcmp(s.sqlstate, "55000") == 0, minors[i] < 8), "2.%u", minors[i]);
    }
}

/* A plan that ends early sends no SET either. */
Test(replace_regressions, plan_that_ends_early)
{
    script_init(&s, 2, 7);
    struct catalog_object *index = catalog_add_index(&s.catalog, "mv_i");
    (void)snprintf(index->definition, CATALOG_TEXT, "CREATE INDEX IF NOT EXISTS mv_i ON mv(a)");
    s.mode = REPLACE_PLAN;
    run_well();
    cr_expect(not(script_sent(&s, "SET ")));
}
