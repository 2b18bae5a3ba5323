/*
 * Tests of the moment of the swap: an answer that was lost on its way from meta (docs/decisions/
 * 0011), what the new view reads having been swapped meanwhile, and names of indexes that are not
 * where they were.
 */
#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct script s;

static void run_well(const char *what)
{
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s: %s", what, s.problem);
}

static bool sent_to_drop(void)
{
    return script_sent(&s, "DROP MATERIALIZED VIEW") || script_sent(&s, "DROP INDEX");
}

/* Meta has the swap and carries it out when it comes to it: within ten seconds the names are read
 * again, and the replacement goes on. */
Test(replace_swap, late_answer_and_late_swap)
{
    static const uint64_t after_ms[] = {0, 100, 3000, 9000};
    for (size_t i = 0; i < sizeof(after_ms) / sizeof(after_ms[0]); i++) {
        script_init(&s, 2, 7);
        (void)catalog_add_index(&s.catalog, "mv_i");
        s.catalog.swap_is_late = true;
        s.catalog.swap_late_ms = after_ms[i];
        run_well("late");
        cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s%s", s.error, s.raw);
        cr_expect(eq(sz, script_find_step(&s, "swap", 1), SCRIPT_REQUESTS), "swapped twice");
        cr_expect(eq(sz, s.num_left, 0));
        cr_expect(ne(ptr, catalog_find(&s.catalog, "public", "mv_i"), NULL));
    }
}

/* Not within ten seconds: nothing is dropped, since the swap may still come. */
Test(replace_swap, late_answer_is_never_undone)
{
    static const uint64_t after_ms[] = {11000, 100000000};
    for (size_t i = 0; i < 2; i++) {
        script_init(&s, 2, 7);
        s.catalog.swap_is_late = true;
        s.catalog.swap_late_ms = after_ms[i];
        run_well("very late");
        cr_expect(eq(int, s.outcome, REPLACE_FAILED_BY_SERVER));
        cr_expect(ne(ptr, strstr(s.raw, "gRPC request to meta service"), NULL), "%s", s.raw);
        cr_expect(not(sent_to_drop()));
        cr_expect(script_says(&s, "may still swap the names: look before dropping it"));
        cr_expect(script_says(&s, "DROP MATERIALIZED VIEW \"public\".\"mv_tmp_"));
        cr_expect(ge(u64, s.catalog.now_ms, 10000));
        cr_expect(le(u64, s.catalog.now_ms, 12000));
        cr_expect(eq(int, s.catalog.background_ddl, s.before.background_ddl));
    }
}

/* Any other error is meta's word: nothing was swapped, and all is taken back at once. */
Test(replace_swap, refused_swap_is_undone)
{
    script_init(&s, 2, 7);
    s.faults[0] = (struct script_fault){.at = script_find_run(&s, "swap", 0), .fault = FAULT_ERROR};
    run_well("refused");
    cr_expect(eq(int, s.outcome, REPLACE_FAILED_BY_SERVER));
    cr_expect(script_unchanged(&s));
    cr_expect(lt(u64, s.catalog.now_ms, 2000));
}

/* In that doubt the client's cancel changes nothing: the swap may come. */
Test(replace_swap, cancelled_in_doubt)
{
    script_init(&s, 2, 7);
    s.catalog.swap_is_late = true;
    s.catalog.swap_late_ms = 3000;
    s.faults[0] = (struct script_fault){.at = script_find_run(&s, "ids after the swap", 2),
                                        .fault = FAULT_CANCEL};
    run_well("cancelled");
    cr_expect(s.faults[0].applied);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s%s", s.error, s.raw);
}

static struct catalog_object *other_table(struct script *script)
{
    return catalog_find(&script->catalog, "public", "t2");
}

/* Between the probe and CREATE another replacement swaps the table t. */
static void swap_what_is_read(struct script *script)
{
    struct catalog *c = &script->catalog;
    struct catalog_object *t = catalog_by_id(c, c->build_reads[0]);
    bool probed = script_sent(script, "DROP VIEW");
    if (probed && !c->created && other_table(script) != NULL) {
        (void)snprintf(t->name, CATALOG_NAME, "t_tmp_20250101_000000_000000");
        c->build_reads[0] = other_table(script)->id;
        (void)snprintf(other_table(script)->name, CATALOG_NAME, "t");
    }
}

/* What was probed is not what was built: columns, indexes and "unchanged" were judged by another.
 */
Test(replace_swap, what_it_reads_was_swapped_before_the_build)
{
    script_init(&s, 2, 7);
    (void)catalog_add(&s.catalog, "public", "t2", "table", 0);
    s.meanwhile = swap_what_is_read;
    script_run(&s);
    cr_expect(eq(str, s.sqlstate, (char *)"40001"), "%s%s", s.error, s.raw);
    cr_expect(script_says(&s, "\"t\", which the new view reads, was replaced or renamed"));
    cr_expect(eq(int, s.catalog.swapped, 0));
    cr_expect(eq(ptr, catalog_by_id(&s.catalog, s.catalog.seen_id), NULL));
}

/* ... or it reads more, or less. */
static void read_more(struct script *script)
{
    if (script_sent(script, "DROP VIEW")) {
        script->catalog.build_reads[1] = other_table(script)->id;
    }
}

static void read_less(struct script *script)
{
    if (script_sent(script, "DROP VIEW")) {
        script->catalog.build_reads[1] = 0;
    }
}

Test(replace_swap, it_reads_more_or_less_than_the_probe)
{
    for (size_t i = 0; i < 2; i++) {
        script_init(&s, 2, 7);
        (void)catalog_add(&s.catalog, "public", "t2", "table", 0);
        s.catalog.build_reads[1] = i == 0 ? 0 : other_table(&s)->id;
        s.meanwhile = i == 0 ? read_more : read_less;
        run_well("reads");
        cr_expect(eq(str, s.sqlstate, (char *)"40001"), "%s%s", s.error, s.raw);
    }
}

/* An index that has kept a temporary name, of an earlier replacement or of several, gets its own.
 */
Test(replace_swap, temporary_name_of_an_index_ends)
{
    static const char *const names[] = {
        "mv_i_tmp_20250101_000000_000000",
        "mv_i_tmp_20250101_000000_000000_tmp_20250202_000000_000000",
        "mv_i_old_20250101_000000_000000",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (unsigned off = 0; off < 2; off++) {
            script_init(&s, 2, 7);
            s.settings.values[SETTING_ZERO_DOWNTIME] = off;
            (void)catalog_add_index(&s.catalog, names[i]);
            run_well(names[i]);
            cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s%s", s.error, s.raw);
            struct catalog_object *index = catalog_find(&s.catalog, "public", "mv_i");
            cr_assert(ne(ptr, index, NULL), "%s", names[i]);
            cr_expect(eq(u64, index->reads[0], catalog_find(&s.catalog, "public", "mv")->id));
            cr_expect(eq(sz, s.num_notices, 2), "%s", names[i]);
        }
    }
}

/* Somebody else's index has the name when it is to be handed over. */
static void take_the_name(struct script *script)
{
    struct catalog *c = &script->catalog;
    struct catalog_object *index = catalog_find(c, "public", "mv_i");
    if (c->swapped && index != NULL && index->reads[0] == c->target_id) {
        (void)snprintf(index->name, CATALOG_NAME, "renamed_by_them");
        index->touched = true;
        index = catalog_add(c, "public", "mv_i", "index", catalog_find(c, "public", "theirs")->id);
        index->touched = true;
    }
}

Test(replace_swap, name_of_an_index_is_somebody_elses)
{
    script_init(&s, 2, 7);
    (void)catalog_add_index(&s.catalog, "mv_i");
    (void)catalog_add_index(&s.catalog, "mv_j");
    s.meanwhile = take_the_name;
    run_well("taken");
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    struct catalog_object *index = catalog_find(&s.catalog, "public", "mv_i");
    cr_assert(ne(ptr, index, NULL));
    cr_expect(eq(u64, index->reads[0], catalog_find(&s.catalog, "public", "theirs")->id));
    cr_expect(script_says(&s, "index \"mv_i\" has kept its temporary name \"mv_i_tmp_"));
    index = catalog_find(&s.catalog, "public", "mv_j");
    cr_expect(index != NULL && index->ours);
}

/* Who has which name cannot be read: none is touched, each is told. */
Test(replace_swap, names_of_indexes_cannot_be_read)
{
    script_init(&s, 2, 7);
    (void)catalog_add_index(&s.catalog, "mv_i");
    (void)catalog_add_index(&s.catalog, "mv_j");
    s.faults[0] = (struct script_fault){.at = script_find_run(&s, "hand over index names", 0),
                                        .fault = FAULT_ERROR};
    run_well("unreadable");
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(not(script_sent(&s, "ALTER INDEX")));
    cr_expect(script_says(&s, "RENAME TO \"mv_i\";"));
    cr_expect(script_says(&s, "RENAME TO \"mv_j\";"));
}
