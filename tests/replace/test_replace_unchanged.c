/*
 * Tests of "unchanged": a statement that would build what is there already does nothing, and every
 * clause without which a real change would be skipped has a case here in which only this clause
 * tells. All cases start from one that is unchanged.
 */
#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct script s;

static struct catalog_object *mv(void)
{
    return catalog_by_id(&s.catalog, s.catalog.target_id);
}

static struct catalog_object *table(void)
{
    return catalog_find(&s.catalog, "public", "t");
}

/* The same `query` is stored and sent; `clauses` stand behind each name. */
static void both(const char *stored_clauses, const char *sent_clauses, const char *query,
                 const char *stored_emit, const char *sent_emit)
{
    static char text[SCRIPT_TEXT];
    (void)snprintf(mv()->definition, CATALOG_TEXT, "CREATE MATERIALIZED VIEW mv%s AS %s%s",
                   stored_clauses, query, stored_emit);
    (void)snprintf(text, sizeof(text), "CREATE OR REPLACE MATERIALIZED VIEW mv%s AS %s%s",
                   sent_clauses, query, sent_emit);
    s.text = text;
}

static void same_query_of(const char *query)
{
    both("", "", query, "", "");
}

static void nothing(void)
{
}

static void aliases(void)
{
    scenario_unchanged(&s);
}

static void same_clauses(void)
{
    both(" WITH (x = '1')", " with(X='1')", "SELECT a FROM t", " EMIT ON WINDOW CLOSE",
         " emit on window close");
}

static void outermost_star(void)
{
    same_query_of("SELECT * FROM t");
}

/* A view that is named, and the table behind it. */
static void through_a_view(void)
{
    uint64_t v = catalog_add(&s.catalog, "public", "v", "view", table()->id)->id;
    same_query_of("SELECT a FROM v");
    mv()->reads[1] = v;
    s.catalog.build_reads[1] = v;
}

static void zone_of_a_hidden_column(void)
{
    catalog_set_column(&table()->columns[1], "_rw_timestamp", "timestamp with time zone", "");
    table()->columns[1].hidden = true;
}

static const struct {
    const char *name;
    void (*prepare)(void);
} unchanged[] = {
    {"the same text", nothing},
    {"aliases that say nothing", aliases},
    {"the same clauses", same_clauses},
    {"the outermost star", outermost_star},
    {"what is read through a view", through_a_view},
    {"a hidden column with a time zone", zone_of_a_hidden_column},
};

static void probe_refused(void)
{
    s.catalog.probe_refusal = "no";
}

static void probe_unseen(void)
{
    s.catalog.probe_unseen = true;
}

static void parameters(void)
{
    same_query_of("SELECT a FROM t WHERE a > $1");
}

/* It looks like an answer that came too early. */
static void reads_nothing(void)
{
    same_query_of("SELECT 1 AS a");
    s.catalog.build_reads[0] = 0;
    mv()->reads[0] = 0;
}

static void another_literal(void)
{
    same_query_of("SELECT a FROM t WHERE a > 1");
    (void)snprintf(mv()->definition, CATALOG_TEXT,
                   "CREATE MATERIALIZED VIEW mv AS SELECT a FROM t WHERE a > 2");
}

static void more_text(void)
{
    (void)snprintf(mv()->definition, CATALOG_TEXT,
                   "CREATE MATERIALIZED VIEW mv AS SELECT a FROM t WHERE a > 2");
}

static void new_options(void)
{
    both("", " WITH (x = '1')", "SELECT a FROM t", "", "");
}

static void old_options(void)
{
    both(" WITH (x = '1')", "", "SELECT a FROM t", "", "");
}

static void other_options(void)
{
    both(" WITH (x = '1')", " WITH (x = '2')", "SELECT a FROM t", "", "");
}

static void new_emit(void)
{
    both("", "", "SELECT a FROM t", "", " EMIT ON WINDOW CLOSE");
}

static void old_emit(void)
{
    both("", "", "SELECT a FROM t", " EMIT ON WINDOW CLOSE", "");
}

static void column_name(void)
{
    both("", " (b)", "SELECT a FROM t", "", "");
    catalog_set_column(&s.catalog.build_columns[0], "b", "integer", "");
}

static void column_type(void)
{
    catalog_set_column(&s.catalog.build_columns[0], "a", "bigint", "");
}

static void one_column_more(void)
{
    same_query_of("SELECT * FROM t");
    catalog_set_column(&s.catalog.build_columns[1], "b", "integer", "");
}

static void one_column_less(void)
{
    same_query_of("SELECT * FROM t");
    catalog_set_column(&mv()->columns[1], "b", "integer", "");
}

static void order_of_columns(void)
{
    same_query_of("SELECT * FROM t");
    catalog_set_column(&mv()->columns[1], "b", "integer", "");
    s.catalog.build_columns[1] = s.catalog.build_columns[0];
    catalog_set_column(&s.catalog.build_columns[0], "b", "integer", "");
}

/* The name means another table today: under another search_path, or after a swap. */
static void another_table(void)
{
    s.catalog.build_reads[0] = catalog_add(&s.catalog, "other", "t", "table", 0)->id;
}

static void reads_more(void)
{
    same_query_of("SELECT a FROM t, u");
    s.catalog.build_reads[1] = catalog_add(&s.catalog, "public", "u", "table", 0)->id;
}

static void reads_less(void)
{
    same_query_of("SELECT a FROM t, u");
    mv()->reads[1] = catalog_add(&s.catalog, "public", "u", "table", 0)->id;
}

/* Whether it is the same function cannot be seen. */
static void function(void)
{
    uint64_t f = catalog_add(&s.catalog, "public", "f", "function", 0)->id;
    same_query_of("SELECT f(a) AS a FROM t");
    mv()->reads[1] = f;
    s.catalog.build_reads[1] = f;
}

static void invisible_table(void)
{
    table()->hidden = true;
}

/* What is read is called otherwise than in the text: the text was rewritten, or means another. */
static void unnamed_table(void)
{
    uint64_t u = catalog_add(&s.catalog, "public", "u", "table", 0)->id;
    mv()->reads[0] = u;
    s.catalog.build_reads[0] = u;
}

/* Which of the two a name means cannot be told. */
static void two_of_one_name(void)
{
    uint64_t other = catalog_add(&s.catalog, "other", "t", "table", 0)->id;
    same_query_of("SELECT a FROM t UNION ALL SELECT a FROM other.t");
    mv()->reads[1] = other;
    s.catalog.build_reads[1] = other;
}

static void inner_star(void)
{
    same_query_of("SELECT a FROM (SELECT * FROM t) AS s");
}

static void star_of_a_second_branch(void)
{
    same_query_of("SELECT a FROM t UNION ALL SELECT * FROM t");
}

static void natural_join(void)
{
    same_query_of("SELECT a FROM t NATURAL JOIN t AS u");
}

static void folded_user(void)
{
    same_query_of("SELECT a FROM t WHERE a = current_user");
}

static void folded_now(void)
{
    same_query_of("SELECT a FROM t WHERE a > now()");
}

static void cast_to_a_zone(void)
{
    same_query_of("SELECT CAST(a AS timestamptz) AS a FROM t");
}

static void column_with_a_zone(void)
{
    catalog_set_column(&table()->columns[1], "b", "timestamp with time zone", "");
}

static void nested_column_with_a_zone(void)
{
    catalog_set_column(&table()->columns[1], "b", "struct<x timestamp with time zone>[]", "");
}

static void zone_behind_a_view(void)
{
    through_a_view();
    column_with_a_zone();
}

static void unreadable_definition(void)
{
    (void)snprintf(mv()->definition, CATALOG_TEXT, "CREATE TABLE mv AS SELECT a FROM t");
}

static const struct {
    const char *name;
    void (*prepare)(void);
} changed[] = {
    {"the probe is refused", probe_refused},
    {"the probe is not seen", probe_unseen},
    {"parameters", parameters},
    {"a query that reads nothing", reads_nothing},
    {"another literal", another_literal},
    {"a text that goes on", more_text},
    {"new options", new_options},
    {"old options", old_options},
    {"other options", other_options},
    {"a new EMIT", new_emit},
    {"an old EMIT", old_emit},
    {"the name of a column", column_name},
    {"the type of a column", column_type},
    {"one column more", one_column_more},
    {"one column less", one_column_less},
    {"the order of columns", order_of_columns},
    {"another table of the name", another_table},
    {"one table more", reads_more},
    {"one table less", reads_less},
    {"a function", function},
    {"an invisible table", invisible_table},
    {"a table that is not named", unnamed_table},
    {"two tables of one name", two_of_one_name},
    {"an inner star", inner_star},
    {"the star of a second branch", star_of_a_second_branch},
    {"NATURAL", natural_join},
    {"current_user", folded_user},
    {"now()", folded_now},
    {"a cast to a type with a time zone", cast_to_a_zone},
    {"a column with a time zone", column_with_a_zone},
    {"a nested type with a time zone", nested_column_with_a_zone},
    {"a time zone behind a view", zone_behind_a_view},
    {"a definition that is none", unreadable_definition},
};

static void run(void (*prepare)(void))
{
    script_init(&s, 2, 7);
    same_query_of("SELECT a FROM t");
    prepare();
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s%s", s.error, s.raw);
}

static void expect_nothing_done(const char *name)
{
    cr_expect(script_unchanged(&s), "%s", name);
    cr_expect(script_says(&s, "Materialized view \"public.mv\" is unchanged: nothing was done."),
              "%s", name);
    cr_expect(not(script_sent(&s, "CREATE MATERIALIZED")), "%s", name);
    cr_expect(eq(str, s.tag, (char *)"CREATE_MATERIALIZED_VIEW"));
}

Test(replace_unchanged, nothing_is_done)
{
    for (size_t i = 0; i < sizeof(unchanged) / sizeof(unchanged[0]); i++) {
        run(unchanged[i].prepare);
        expect_nothing_done(unchanged[i].name);
    }
}

Test(replace_unchanged, in_doubt_it_is_changed)
{
    for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++) {
        run(changed[i].prepare);
        cr_expect(s.catalog.swapped, "%s", changed[i].name);
        cr_expect(script_says(&s, "Detected changes"), "%s", changed[i].name);
    }
}

/* Every question about the probe that is refused, or not answered as it should be. */
Test(replace_unchanged, without_answers_it_is_changed)
{
    static const enum fault faults[] = {FAULT_ERROR, FAULT_NULLS, FAULT_ODD_CELLS};
    for (size_t i = 0; i < 5 * 3; i++) {
        script_init(&s, 2, 7);
        same_query_of("SELECT a FROM t");
        if (i / 3 == 3) {
            through_a_view(); /* else the answer to this question does not matter */
        }
        size_t at = script_find_run(&s, "read the probe", i / 3);
        cr_assert(lt(sz, at, SCRIPT_REQUESTS));
        s.faults[0] = (struct script_fault){.at = at, .fault = faults[i % 3]};
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s", s.problem);
        cr_expect(s.catalog.swapped, "question %zu, %s", i / 3, fault_names[faults[i % 3]]);
    }
}

Test(replace_unchanged, settings)
{
    script_init(&s, 2, 7);
    same_query_of("SELECT a FROM t");
    s.settings.values[SETTING_UNCHANGED] = REPLACE_UNCHANGED_REBUILDS;
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(s.catalog.swapped);
    for (uint32_t i = REPLACE_CHANGE_APPLIES; i <= REPLACE_CHANGE_FAILS; i++) {
        script_init(&s, 2, 7);
        same_query_of("SELECT a FROM t");
        s.settings.values[SETTING_ON_CHANGE] = i;
        script_run(&s);
        cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
        expect_nothing_done("on_change");
        script_again(&s);
        /* Rebuilt on demand, whatever a change would do. */
        s.settings.values[SETTING_UNCHANGED] = REPLACE_UNCHANGED_REBUILDS;
        script_run(&s);
        cr_expect(s.catalog.swapped, "%u", i);
    }
}
