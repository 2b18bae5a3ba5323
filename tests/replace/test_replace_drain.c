/*
 * Tests of what comes after the swap: which statements keep the old view, for how long, keep_old,
 * and what is done about the leftovers of earlier replacements.
 */
#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct script s;
static char cut[1100];

/* The swap is answered at about this time, with a build that takes none. */
static uint64_t find_swap(void)
{
    script_init(&s, 2, 7);
    s.catalog.build_ms = 0;
    script_run(&s);
    /* From the swap on: its ids, the drain, two readings, ids, drop. */
    return s.catalog.now_ms - 500 - 50 - 5 * 5;
}

static void prepare(void)
{
    script_init(&s, 2, 7);
    s.catalog.build_ms = 0;
    s.settings.values[SETTING_DRAIN] = 3000;
}

static void expect_kept(const char *what, bool kept)
{
    cr_expect(script_kept_promise(&s), "%s: %s", what, s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(eq(int, catalog_by_id(&s.catalog, 10) != NULL, kept), "%s", what);
    cr_expect(s.left_known, "%s", what);
    cr_expect(eq(sz, s.num_left, (size_t)kept), "%s", what);
    if (kept) {
        cr_expect(eq(u64, s.left[0].id, 10));
        cr_expect(eq(u64, s.left[0].until_us, 0));
        cr_expect(script_says(&s, "Statements that were reading it still run: 1:0."), "%s", what);
    }
}

Test(replace_drain, which_statements_count)
{
    uint64_t swap = find_swap();
    memset(cut, 'x', 1024);
    memcpy(cut, "SELECT 1 ", 9);
    const struct {
        const char *what;
        struct catalog_process process;
        bool counts;
    } rows[] = {
        {"older", {.info = "SELECT * FROM mv"}, true},
        {"with its schema", {.info = "select a from public.MV where a > 1"}, true},
        {"quoted", {.info = "SELECT * FROM \"mv\""}, true},
        {"the temporary name", {.info = "SELECT * FROM mv_tmp_20260101_000000_000000"}, true},
        {"with parameters", {.info = "SELECT * FROM mv WHERE a = $1, params = Some([1])"}, true},
        {"another view", {.info = "SELECT * FROM mv2"}, false},
        {"in a literal only", {.info = "SELECT 'mv' FROM t"}, false},
        {"in a comment only", {.info = "SELECT 1 /* mv */ FROM t"}, false},
        {"quoted in another case", {.info = "SELECT * FROM \"MV\""}, false},
        {"a cursor", {.info = "FETCH NEXT FROM c"}, true},
        {"a cursor in lower case", {.info = "  fetch 10 from c"}, true},
        {"fetch further behind", {.info = "SELECT fetch FROM t"}, false},
        {"cut", {.info = cut}, true},
        {"cut, as 2.6 and later say", {.info = "SELECT 1...(truncated,5000)"}, true},
        {"not cut", {.info = "SELECT '...' FROM truncated"}, false},
        {"not to be read", {.info = "SELECT 'open"}, true},
        {"idle", {.info = NULL}, false},
        {"idle, an empty text", {.info = ""}, false},
        {"no time", {.info = "SELECT * FROM mv", .time = "NULL"}, true},
        {"an empty time", {.info = "SELECT * FROM mv", .time = ""}, true},
        {"another unit", {.info = "SELECT * FROM mv", .time = "1s"}, true},
        {"a negative time", {.info = "SELECT * FROM mv", .time = "-1ms"}, true},
        {"of the moment of the swap", {.info = "SELECT * FROM mv", .began_ms = swap}, true},
        {"of a frontend that learns late",
         {.info = "SELECT * FROM mv", .began_ms = swap + 240},
         true},
        {"after the swap", {.info = "SELECT * FROM mv", .began_ms = swap + 265}, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        prepare();
        s.catalog.processes[0] = rows[i].process;
        s.catalog.processes[0].ends_ms = 1000000;
        script_run(&s);
        expect_kept(rows[i].what, rows[i].counts);
    }
}

/* Dropped as soon as the last one has ended and two readings were quiet. */
Test(replace_drain, ends_with_the_readers)
{
    uint64_t swap = find_swap();
    static const uint64_t ends[] = {100, 600, 1500, 2900};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        prepare();
        scenario_add_reader(&s, 0, swap + ends[i]);
        script_run(&s);
        expect_kept("a reader that ends", false);
        cr_expect(ge(u64, s.catalog.now_ms, swap + ends[i]));
        cr_expect(le(u64, s.catalog.now_ms, swap + (ends[i] < 500 ? 500 : ends[i]) + 600));
    }
}

Test(replace_drain, never_longer_than_drain)
{
    static const uint32_t drains[] = {0, 100, 1000, 5000};
    uint64_t swap = find_swap();
    for (size_t i = 0; i < sizeof(drains) / sizeof(drains[0]); i++) {
        prepare();
        s.settings.values[SETTING_DRAIN] = drains[i];
        scenario_add_reader(&s, 0, 10000000);
        script_run(&s);
        expect_kept("a reader that does not end", true);
        cr_expect(le(u64, s.catalog.now_ms, swap + (drains[i] < 500 ? 500 : drains[i]) + 600));
    }
}

/* drain_min is kept in any case, and may be longer than drain. */
Test(replace_drain, never_shorter_than_drain_min)
{
    static const uint32_t least[] = {0, 100, 2000, 10000};
    uint64_t swap = find_swap();
    for (size_t i = 0; i < sizeof(least) / sizeof(least[0]); i++) {
        prepare();
        s.settings.values[SETTING_DRAIN_MIN] = least[i];
        script_run(&s);
        expect_kept("nobody", false);
        cr_expect(ge(u64, s.catalog.now_ms, swap + least[i]));
        cr_expect(le(u64, s.catalog.now_ms, swap + least[i] + 600));
    }
}

/* A client who cancels or a shutdown does not wait; a client that went away does not matter. */
Test(replace_drain, cancelled)
{
    static const struct {
        enum fault fault;
        bool waits;
    } rows[] = {{FAULT_CANCEL, false},
                {FAULT_SHUTDOWN, false},
                {FAULT_GONE, true},
                {FAULT_CANCEL_FIRST, false}};
    uint64_t swap = find_swap();
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        prepare();
        scenario_add_reader(&s, 0, swap + 2000);
        size_t at = script_find_run(&s, "drain", i % 2 == 0 ? 0 : 2);
        s.faults[0] = (struct script_fault){.at = at, .fault = rows[i / 2].fault};
        script_run(&s);
        cr_expect(s.faults[0].applied);
        expect_kept("cancelled", !rows[i / 2].waits);
        cr_expect(eq(int, s.catalog.now_ms > swap + 1500, rows[i / 2].waits));
    }
}

Test(replace_drain, list_refused)
{
    prepare();
    size_t at = script_find_run(&s, "drain", 1);
    s.faults[0] = (struct script_fault){.at = at, .fault = FAULT_ERROR};
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(ne(ptr, catalog_by_id(&s.catalog, 10), NULL));
    cr_expect(eq(sz, s.num_left, 1));
}

Test(replace_drain, keep_old)
{
    prepare();
    s.settings.values[SETTING_KEEP_OLD] = 3600000;
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(sz, s.num_left, 1));
    cr_expect(eq(u64, s.left[0].id, 10));
    uint64_t hour_us = UINT64_C(3600000000);
    cr_expect(ge(u64, s.left[0].until_us, script_now_us(&s) + hour_us - 1000000));
    cr_expect(le(u64, s.left[0].until_us, script_now_us(&s) + hour_us));
    cr_expect(script_says(&s, "the old one is kept."));
    cr_expect(script_says(&s, "It is \"mv_tmp_"));
    cr_expect(script_says(&s, " for 1h."), "%s", s.notices[s.num_notices - 1]);
    cr_expect(not(script_says(&s, "WARNING")));
}

/* Something that an earlier replacement left. */
static struct catalog_object *add_left(const char *stamp, uint64_t until_us)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "mv_tmp_20250101_000000_%s", stamp);
    struct catalog_object *o = catalog_add(&s.catalog, "public", name, "materialized view", 0);
    script_remember(&s, o, until_us);
    return o;
}

static bool is_left(uint64_t id)
{
    bool found = false;
    for (size_t i = 0; i < s.num_left; i++) {
        found = found || s.left[i].id == id;
    }
    return found;
}

static void expect_left(const char *what, uint64_t id, bool there, bool remembered)
{
    cr_expect(script_kept_promise(&s), "%s: %s", what, s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(eq(int, catalog_by_id(&s.catalog, id) != NULL, there), "%s", what);
    cr_expect(eq(int, is_left(id), remembered), "%s", what);
    cr_expect(s.left_known);
}

Test(replace_drain, leftovers)
{
    prepare();
    uint64_t id = add_left("000001", 0)->id;
    script_run(&s);
    expect_left("due", id, false, false);

    prepare();
    id = add_left("000001", script_now_us(&s) + 1)->id;
    script_run(&s);
    expect_left("due meanwhile", id, false, false);

    prepare();
    id = add_left("000001", script_now_us(&s) + 3600000000)->id;
    script_run(&s);
    expect_left("not yet", id, true, true);

    /* Of those that are kept on purpose only the newest. */
    prepare();
    s.settings.values[SETTING_KEEP_OLD] = 1000;
    id = add_left("000001", script_now_us(&s) + 3600000000)->id;
    script_run(&s);
    expect_left("superseded", id, false, false);
    cr_expect(is_left(10));

    prepare();
    struct catalog_object *o = add_left("000001", 0);
    id = o->id;
    (void)snprintf(o->name, CATALOG_NAME, "somebody_wants_it");
    o->touched = true;
    o->left = false;
    script_run(&s);
    expect_left("renamed", id, true, false);

    /* The same name in another schema: somebody moved it there. */
    prepare();
    o = add_left("000001", 0);
    id = o->id;
    (void)snprintf(o->schema, CATALOG_NAME, "theirs");
    o->touched = true;
    o->left = false;
    script_run(&s);
    expect_left("moved", id, true, false);

    prepare();
    o = add_left("000001", 0);
    id = o->id;
    (void)catalog_add(&s.catalog, "public", "reader", "view", id);
    script_run(&s);
    expect_left("read by a view", id, true, true);

    prepare();
    o = add_left("000001", 0);
    id = o->id;
    s.catalog.processes[0] =
        (struct catalog_process){.info = "SELECT * FROM mv_tmp_20250101_000000_000001",
                                 .began_ms = 0,
                                 .ends_ms = 1000000,
                                 .reads = id};
    script_run(&s);
    expect_left("read by a statement", id, true, true);
}

/* A view that followed was left in its own schema. */
Test(replace_drain, leftover_in_another_schema)
{
    prepare();
    struct catalog_object *o = catalog_add(&s.catalog, "other schema",
                                           "w_tmp_20250101_000000_000001", "materialized view", 0);
    uint64_t id = o->id;
    script_remember(&s, o, 0);
    script_run(&s);
    expect_left("due", id, false, false);
    cr_expect(script_sent(&s, "DROP MATERIALIZED VIEW \"other schema\".\"w_tmp_"));

    prepare();
    o = catalog_add(&s.catalog, "other schema", "w_tmp_20250101_000000_000001", "materialized view",
                    0);
    id = o->id;
    script_remember(&s, o, script_now_us(&s) + 3600000000);
    script_run(&s);
    expect_left("not yet", id, true, true);
    cr_expect(eq(str, s.left[0].schema, "other schema"));
}

/* Another object has the name by now: what is remembered is forgotten, and nothing dropped. */
Test(replace_drain, leftover_of_another_id)
{
    prepare();
    struct catalog_object *o = add_left("000001", 0);
    s.remembered[0].id = 999;
    o->left = false;
    o->touched = true;
    uint64_t id = o->id;
    script_run(&s);
    expect_left("another object", id, true, false);
    cr_expect(eq(sz, s.num_left, 0));
}

/* Nothing is dropped when the statement did not replace anything. */
Test(replace_drain, leftovers_of_a_statement_that_fails)
{
    prepare();
    uint64_t id = add_left("000001", 0)->id;
    s.catalog.build_definition = "CREATE MATERIALIZED VIEW x AS SELECT --1";
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_FAILED));
    cr_expect(not(s.left_known));
    cr_expect(ne(ptr, catalog_by_id(&s.catalog, id), NULL));
}
