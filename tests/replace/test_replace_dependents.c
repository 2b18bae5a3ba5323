/*
 * Tests of what becomes of those who read the view: who follows, who stays and why, what is sent
 * for a view that follows, what is left. That nothing is lost on the way is in promise_depend.c.
 */
#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct script s;

static void run_well(const char *name)
{
    scenario_prepare(scenario_find(name), &s);
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s: %s", name, s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s: %s%s", name, s.error, s.raw);
}

static bool has_followed(const char *schema, const char *name)
{
    const struct catalog_object *o = catalog_find(&s.catalog, schema, name);
    return o != NULL && o->ours;
}

static const struct {
    const char *scenario;
    const char *follow[4]; /* in public, but for "S 2" */
    const char *stay[4];   /* `"schema.name" stays on the old "public.mv"`, and why */
    const char *why[4];
    bool old_is_there;
} rows[] = {
    {"dependents: one view", {"v"}, {NULL}, {NULL}, false},
    {"dependents: one view, 2.2", {"v"}, {NULL}, {NULL}, false},
    {"dependents: a chain", {"v3", "v2", "v1"}, {NULL}, {NULL}, false},
    {"dependents: a diamond", {"l", "r", "top"}, {NULL}, {NULL}, false},
    {"dependents: grants and owner", {"v"}, {NULL}, {NULL}, false},
    {"dependents: star", {"v"}, {NULL}, {NULL}, false},
    {"dependents: created meanwhile", {"v", "late"}, {NULL}, {NULL}, false},
    {"dependents: replaced meanwhile", {"v"}, {NULL}, {NULL}, false},
    {"dependents: a reader through a view", {"v3", "v2", "v1", "w7"}, {NULL}, {NULL}, false},
    {"dependents: keep_old", {"v3", "v2", "v1"}, {NULL}, {NULL}, true},
    {"dependents: no search_path",
     {NULL},
     {"v"},
     {"created anew it would read other objects than before"},
     true},
    {"dependents: reads more",
     {NULL},
     {"v"},
     {"created anew it would read other objects than before"},
     true},
    {"dependents: a lost column",
     {"other"},
     {"v", "w"},
     {"Item not found: Invalid column", "it reads a view that stays"},
     true},
    {"dependents: star, a lost column",
     {NULL},
     {"v"},
     {"created anew it would lose a column"},
     true},
    {"dependents: materialized views",
     {"v"},
     {"d", "e"},
     {"mvswap.dependents is not cascade", "mvswap.dependents is not cascade"},
     true},
    {"dependents: sink and subscription",
     {"v"},
     {"k", "sub"},
     {"only views are moved", "only views are moved"},
     true},
    {"dependents: sink on a view", {"v3", "v2", "v1"}, {"k"}, {"only views are moved"}, true},
    {"dependents: owned by somebody else",
     {"v"},
     {"theirs_too", "over"},
     {"it belongs to another user", "it reads a view that stays"},
     true},
    {"dependents: open to others",
     {NULL},
     {"v"},
     {"its grants cannot be given to its new self exactly"},
     true},
    {"dependents: keep",
     {NULL},
     {"l", "r", "top"},
     {"mvswap.dependents is keep", "mvswap.dependents is keep", "mvswap.dependents is keep"},
     true},
    {"dependents: a view is refused",
     {NULL},
     {"v3", "v2", "v1"},
     {"no such function", "it reads a view that stays", "it reads a view that stays"},
     true},
    {"dependents: views of a view", {"v", "w"}, {NULL}, {NULL}, false},
    {"dependents: all of a view",
     {"v", "w"},
     {"d", "e"},
     {"mvswap.dependents is not cascade", "mvswap.dependents is not cascade"},
     true},
};

/* Is there one message with both texts? */
static bool is_told(const char *text, const char *why)
{
    bool told = false;
    for (size_t i = 0; i < s.num_notices; i++) {
        told = told || (strstr(s.notices[i], text) != NULL && strstr(s.notices[i], why) != NULL);
    }
    return told;
}

Test(replace_dependents, follow_or_stay)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256];
        size_t followed = 0;
        run_well(rows[i].scenario);
        for (size_t k = 0; k < 4 && rows[i].follow[k] != NULL; k++) {
            followed++;
            cr_expect(has_followed("public", rows[i].follow[k]), "%s: %s", rows[i].scenario,
                      rows[i].follow[k]);
        }
        for (size_t k = 0; k < 4 && rows[i].stay[k] != NULL; k++) {
            (void)snprintf(text, sizeof(text), "\"public.%s\" stays on the old \"public.mv\"",
                           rows[i].stay[k]);
            cr_expect(is_told(text, rows[i].why[k]), "%s: %s", rows[i].scenario, rows[i].stay[k]);
        }
        (void)snprintf(text, sizeof(text), "%zu view%s moved to it.", followed,
                       followed == 1 ? " was" : "s were");
        cr_expect(followed == 0 || followed == 4 || script_says(&s, text), "%s: %s",
                  rows[i].scenario, text);
        cr_expect(
            eq(int, catalog_by_id(&s.catalog, s.catalog.target_id) != NULL, rows[i].old_is_there),
            "%s", rows[i].scenario);
    }
}

/* Each apart from the others, with the client's session as it was. */
Test(replace_dependents, under_another_search_path)
{
    run_well("dependents: another search_path");
    cr_expect(has_followed("S 2", "v"));
    cr_expect(eq(str, s.catalog.search_path, (char *)"\"$user\", it's, public"));
    cr_expect(script_sent(&s, "SET search_path TO '\"$user\", it''s, public'"));
    cr_expect(script_sent(&s, "SET search_path TO \"S 2\""));
    /* Names that mean the same under the session's path need no other. */
    run_well("dependents: a diamond");
    cr_expect(not(script_sent(&s, "SET search_path")));
}

/* Its text from before the swap, its columns, its owner, exactly its grants; then the swap. */
Test(replace_dependents, what_is_sent)
{
    run_well("dependents: grants and owner");
    cr_expect(script_sent(&s, "CREATE VIEW \"public\".\"v_tmp_20260101_000000_000000\" (\"a\")"
                              " AS SELECT a FROM mv"));
    cr_expect(script_sent(&s, "GRANT SELECT ON VIEW \"public\".\"v_tmp_20260101_000000_000000\""
                              " TO \"bob\" WITH GRANT OPTION"));
    cr_expect(script_sent(&s, "REVOKE SELECT ON VIEW \"public\".\"v_tmp_20260101_000000_000000\""
                              " FROM \"al\""));
    cr_expect(script_sent(&s, "ALTER VIEW \"public\".\"v_tmp_20260101_000000_000000\""
                              " OWNER TO \"alice\""));
    cr_expect(script_sent(&s, "ALTER VIEW \"public\".\"v_tmp_20260101_000000_000000\""
                              " SWAP WITH \"public\".\"v\""));
    cr_expect(script_sent(&s, "DROP VIEW \"public\".\"v_tmp_20260101_000000_000000\""));
    const struct catalog_object *v = catalog_find(&s.catalog, "public", "v");
    cr_expect(eq(str, (char *)v->definition, (char *)"CREATE VIEW v AS SELECT a FROM mv"));
    cr_expect(eq(str, (char *)v->owner, (char *)"alice"));
}

/* Columns that have been given other names keep these; those of a `*` are what it means by now. */
Test(replace_dependents, columns)
{
    scenario_prepare(scenario_find("dependents: one view"), &s);
    struct catalog_object *v = catalog_find(&s.catalog, "public", "v");
    catalog_set_column(&v->columns[0], "My A", "integer", "");
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(script_sent(&s, "CREATE VIEW \"public\".\"v_tmp_20260101_000000_000000\""
                              " (\"My A\") AS SELECT a FROM mv"));
    cr_expect(has_followed("public", "v"));
    run_well("dependents: star");
    v = catalog_find(&s.catalog, "public", "v");
    cr_expect(eq(str, v->columns[1].name, (char *)"b"));
}

/* One that stays is told with the SQL that moves it; that of a sink may hold secrets. */
Test(replace_dependents, remedies)
{
    run_well("dependents: materialized views");
    cr_expect(is_told("\"public.d\" stays", "\nCREATE OR REPLACE MATERIALIZED VIEW \"public\".\"d\""
                                            " AS SELECT a FROM mv;"));
    run_well("dependents: keep");
    cr_expect(is_told("\"public.top\" stays",
                      "\nCREATE OR REPLACE VIEW \"public\".\"top\" (\"x\","
                      " \"y\") AS SELECT l.a AS x, r.a AS y FROM l, r, mv;"));
    run_well("dependents: sink and subscription");
    cr_expect(is_told("\"public.k\" stays", "Drop the sink \"public\".\"k\" and create it again."));
    cr_expect(not(script_says(&s, "blackhole")));
}

/* What cannot be dropped is remembered where it is, and dropped when nothing reads it. */
Test(replace_dependents, old_selves)
{
    run_well("dependents: another schema");
    bool remembered = false;
    for (size_t i = 0; i < s.num_left; i++) {
        remembered = remembered || (strcmp(s.left[i].schema, "S 2") == 0 &&
                                    strcmp(s.left[i].name, "v_tmp_20260101_000000_000000") == 0);
    }
    cr_expect(remembered);
    cr_expect(not(script_sent(&s, "DROP VIEW \"S 2\"")));
    cr_expect(eq(sz, s.num_left, 2));
    run_well("dependents: views were left");
    cr_expect(eq(sz, s.num_left, 0));
    cr_expect(eq(ptr, catalog_find(&s.catalog, "other", "w_tmp_20250101_000000_000001"), NULL));
    cr_expect(eq(ptr, catalog_find(&s.catalog, "public", "v_tmp_20250101_000000_000001"), NULL));
}

/* A statement that reads the view through another one is waited for. */
Test(replace_dependents, readers_through_views)
{
    run_well("dependents: a reader through a view");
    cr_expect(gt(u64, s.catalog.now_ms, s.catalog.processes[0].ends_ms));
    cr_expect(ne(u64, s.catalog.processes[0].ends_ms, 0));
}

/* A plain view is replaced by the same engine, and has nothing to build. */
Test(replace_dependents, of_a_view)
{
    run_well("dependents: of a view");
    cr_expect(eq(str, s.tag, (char *)"CREATE_VIEW"));
    cr_expect(script_sent(&s, "CREATE VIEW mv_tmp_20260101_000000_000000 AS SELECT a FROM t"));
    cr_expect(script_sent(&s, "GRANT SELECT ON VIEW \"public\".\"mv_tmp_20260101_000000_000000\""
                              " TO \"bob\" WITH GRANT OPTION"));
    cr_expect(script_sent(&s, "ALTER VIEW \"public\".\"mv_tmp_20260101_000000_000000\""
                              " SWAP WITH \"public\".\"mv\""));
    cr_expect(script_sent(&s, "DROP VIEW \"public\".\"mv_tmp_20260101_000000_000000\""));
    cr_expect(not(script_sent(&s, "SHOW PROCESSLIST")));
    cr_expect(not(script_sent(&s, "SHOW MATERIALIZED VIEWS")));
    cr_expect(not(script_sent(&s, "SET background_ddl")));
    run_well("dependents: a view is created");
    cr_expect(eq(str, s.tag, (char *)"CREATE_VIEW"));
}

/* What the swap's rewriting of texts would break is refused before anything is made. */
Test(replace_dependents, hazards)
{
    static const char *const hazards[][2] = {
        {"dependents: namesake", "The view \"public.v\" reads"},
        {"dependents: namesake by the search_path", "The view \"S 2.v\" reads two relations"},
        {"dependents: namesake of a view", "The materialized view \"public.d\" reads"},
        {"dependents: WITH query", "has a WITH query of the name \"mv\""},
        {"dependents: unsafe text", "cannot read back"},
        {"dependents: reads both", "reads both the view and the one that would take its place"},
    };
    for (size_t i = 0; i < sizeof(hazards) / sizeof(hazards[0]); i++) {
        scenario_prepare(scenario_find(hazards[i][0]), &s);
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s: %s", hazards[i][0], s.problem);
        cr_expect(eq(str, s.sqlstate, (char *)"55000"), "%s", hazards[i][0]);
        cr_expect(script_says(&s, hazards[i][1]), "%s: %s", hazards[i][0], s.error);
        bool made = script_find_step(&s, "probe", 0) != SCRIPT_REQUESTS;
        cr_expect(eq(int, made, s.meanwhile != NULL), "%s", hazards[i][0]);
    }
}

static const struct {
    const char *scenario;
    const char *line;
} plans[] = {
    {"dependents: plan of a chain", "Dependent: view \"public.v1\" follows\n"},
    {"dependents: plan of a chain", "swap a view: ALTER VIEW \"public\".\"v2_tmp_"},
    {"dependents: plan of a chain", "drop: DROP VIEW \"public\".\"v3_tmp_"},
    {"dependents: plan of a chain", "drop: DROP MATERIALIZED VIEW \"public\".\"mv_tmp_"},
    {"dependents: plan of materialized views", "Dependent: view \"public.v\" follows\n"},
    {"dependents: plan of materialized views",
     "Dependent: materialized view \"public.e\" stays on the old one: "},
    {"dependents: plan of materialized views", "The old view is left: what stays reads it.\n"},
    {"dependents: plan of a sink on a view", "Dependent: sink \"public.k\" stays on the old one: "},
    {"dependents: plan of keep", "stays on the old one: mvswap.dependents is keep\n"},
    {"dependents: plan of refuse", "Refused (2BP01): other objects depend on \"public.mv\""},
    {"dependents: plan of off", "Refused (2BP01): cannot drop \"public.mv\""},
    {"dependents: plan of a hazard", "Refused (55000): swapping \"public.mv\" would break"},
    {"dependents: plan of keep_old", "The old view is kept for 1h.\n"},
    {"dependents: plan of a creating job",
     "Dependents being created, which stay on the old one: 1\n"},
    {"dependents: plan of unseen", "an object that this user cannot see stays on the old one"},
    {"dependents: plan of owned by somebody else",
     "Dependent: view \"public.over\" stays on the old one: it reads a view that stays\n"},
    {"dependents: plan of all of a view", "swap: ALTER VIEW \"public\".\"mv_tmp_"},
    {"dependents: plan of a view, off", "drop: DROP VIEW \"public\".\"mv\"\n"},
    {"dependents: plan of a view that is created", "create: CREATE VIEW mv AS SELECT a FROM t\n"},
};

Test(replace_dependents, plans)
{
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        scenario_prepare(scenario_find(plans[i].scenario), &s);
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s: %s", plans[i].scenario, s.problem);
        cr_expect(script_unchanged(&s), "%s", plans[i].scenario);
        cr_expect(ne(ptr, strstr(s.plan, plans[i].line), NULL), "%s: %s\nin:\n%s",
                  plans[i].scenario, plans[i].line, s.plan);
    }
}
