/*
 * Tests of what the settings accept and refuse: columns, indexes, on_change, zero_downtime, slots.
 * As in test_replace_refusals.c a refusal leaves the catalog as it was and is one error.
 */
#include "refusal.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct script s;

Test(replace_policy, columns)
{
    static const struct {
        uint32_t policy;
        const char *name;
        const char *type;
        bool appended;
        const char *says; /* NULL: accepted */
    } rows[] = {
        {REPLACE_COLUMNS_ANY, "b", "bigint", false, NULL},
        {REPLACE_COLUMNS_COMPATIBLE, "a", "integer", false, NULL},
        {REPLACE_COLUMNS_COMPATIBLE, "a", "integer", true, NULL},
        {REPLACE_COLUMNS_COMPATIBLE, "a", "bigint", false,
         "Column 1 was \"a\" integer and would be \"a\" bigint."},
        {REPLACE_COLUMNS_COMPATIBLE, "b", "integer", true,
         "Column 1 was \"a\" integer and would be \"b\" integer."},
        {REPLACE_COLUMNS_SAME, "a", "integer", false, NULL},
        {REPLACE_COLUMNS_SAME, "a", "integer", true,
         "Column 2 was nothing and would be \"more\" integer."},
    };
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        bool probed = i % 2 == 0;
        script_init(&s, 2, 7);
        s.settings.values[SETTING_COLUMNS] = rows[i / 2].policy;
        s.catalog.probe_refusal = probed ? NULL : "no";
        catalog_set_column(&s.catalog.build_columns[0], rows[i / 2].name, rows[i / 2].type, "");
        if (rows[i / 2].appended) {
            catalog_set_column(&s.catalog.build_columns[1], "more", "integer", "");
        }
        if (rows[i / 2].says != NULL) {
            expect_refusal(&s, "columns", "42P16", rows[i / 2].says);
            cr_expect(eq(int, was_built(&s), !probed));
            continue;
        }
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s", s.problem);
        cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s", s.error);
    }
}

Test(replace_policy, index_on_a_column_that_goes)
{
    script_init(&s, 2, 7);
    (void)catalog_add_index(&s.catalog, "mv_i");
    catalog_set_column(&s.catalog.build_columns[0], "b", "integer", "");
    expect_refusal(&s, "an index on a column that goes", "42703", "\"mv_i\"");
    cr_expect(script_says(&s, "column \"a\""));
    cr_expect(not(was_built(&s)));
    /* Without its indexes it is replaced. */
    script_again(&s);
    s.settings.values[SETTING_INDEXES] = REPLACE_INDEXES_DROPPED;
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s", s.error);
    cr_expect(eq(ptr, catalog_find(&s.catalog, "public", "mv_i"), NULL));
}

Test(replace_policy, index_that_cannot_be_built)
{
    static const unsigned minors[] = {2, 6, 7};
    for (size_t i = 0; i < 3; i++) {
        script_init(&s, 2, minors[i]);
        (void)catalog_add_index(&s.catalog, "mv_i");
        s.catalog.index_refusal = "no such thing";
        expect_refusal(&s, "an index that is refused", "XX000", "no such thing");
        cr_expect(was_built(&s));
        cr_expect(script_says(&s, "mvswap.indexes = drop"));
    }
}

Test(replace_policy, index_with_an_unsafe_definition)
{
    static const char *const definitions[] = {"", "CREATE INDEX i ON mv(a, --1)",
                                              "CREATE INDEX i ON mv('open"};
    for (size_t i = 0; i < sizeof(definitions) / sizeof(definitions[0]); i++) {
        script_init(&s, 2, 7);
        struct catalog_object *index = catalog_add_index(&s.catalog, "mv_i");
        (void)snprintf(index->definition, CATALOG_TEXT, "%s", definitions[i]);
        expect_refusal(&s, definitions[i], "55000", "\"mv_i\" could stop the server");
        cr_expect(not(was_built(&s)));
    }
}

Test(replace_policy, name_of_an_index_is_taken)
{
    script_init(&s, 2, 7);
    (void)catalog_add_index(&s.catalog, "mv_i");
    s.catalog.index_name_taken = true;
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_FAILED));
    cr_expect(not(script_sent(&s, "DROP INDEX")));
}

Test(replace_policy, no_slot)
{
    script_init(&s, 2, 7);
    s.slots_full = true;
    expect_refusal(&s, "no slot", "53300", "too many replacements at once");
    cr_expect(not(was_built(&s)));
}

Test(replace_policy, on_change)
{
    script_init(&s, 2, 7);
    s.settings.values[SETTING_ON_CHANGE] = REPLACE_CHANGE_FAILS;
    expect_refusal(&s, "on_change = fail", "42P07", "exists with another definition");
    cr_expect(not(was_built(&s)));
    script_init(&s, 2, 7);
    s.settings.values[SETTING_ON_CHANGE] = REPLACE_CHANGE_CONTINUES;
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(script_says(&s, "was left as it is: mvswap.on_change is continue"));
    cr_expect(script_unchanged(&s));
    cr_expect(not(was_built(&s)));
}

Test(replace_policy, zero_downtime_off)
{
    script_init(&s, 2, 7);
    s.settings.values[SETTING_ZERO_DOWNTIME] = REPLACE_ZERO_DOWNTIME_OFF;
    s.catalog.probe_refusal = "Failed to run the query: views take no EMIT";
    expect_refusal(&s, "a query that cannot be tried", "0A000", "views take no EMIT");
    script_init(&s, 2, 7);
    s.settings.values[SETTING_ZERO_DOWNTIME] = REPLACE_ZERO_DOWNTIME_OFF;
    s.text = "CREATE OR REPLACE MATERIALIZED VIEW mv AS SELECT a FROM t WHERE a > $1";
    expect_refusal(&s, "parameters", "0A000", "A query with parameters");
    script_init(&s, 2, 7);
    s.settings.values[SETTING_ZERO_DOWNTIME] = REPLACE_ZERO_DOWNTIME_OFF;
    s.settings.values[SETTING_KEEP_OLD] = 1000;
    expect_refusal(&s, "keep_old", "0A000", "need mvswap.zero_downtime = on");
}
