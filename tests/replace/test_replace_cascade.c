/*
 * Tests of mvswap.dependents = cascade: what is rebuilt, what stays and why, what is left, what is
 * told to have moved. That nothing is lost on the way is in promise_depend.c.
 */
#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct script s;

static void run(void)
{
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
}

static void run_well(const char *name)
{
    scenario_prepare(scenario_find(name), &s);
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s: %s", name, s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s: %s%s", name, s.error, s.raw);
}

/* Is there one message with both texts? */
static bool is_told(const char *text, const char *why)
{
    bool told = false;
    for (size_t i = 0; i < s.num_notices; i++) {
        told = told || (strstr(s.notices[i], text) != NULL && strstr(s.notices[i], why) != NULL);
    }
    return told;
}

static const struct {
    const char *scenario;
    const char *rebuilt[4]; /* or moved */
    const char *stay[3];
    const char *why[3];
    const char *left; /* names without stamps */
} rows[] = {
    {"cascade: one", {"m"}, {NULL}, {NULL}, ""},
    {"cascade: one, 2.2", {"m"}, {NULL}, {NULL}, ""},
    {"cascade: a chain", {"m", "n", "over"}, {NULL}, {NULL}, ""},
    {"cascade: a diamond", {"l", "r", "top"}, {NULL}, {NULL}, ""},
    {"cascade: a view of two", {"l", "r", "v"}, {NULL}, {NULL}, ""},
    {"cascade: views between", {"v", "m", "w", "n"}, {NULL}, {NULL}, ""},
    {"cascade: rich", {"m"}, {NULL}, {NULL}, ""},
    {"cascade: another search_path", {NULL}, {NULL}, {NULL}, ""},
    {"cascade: no search_path",
     {NULL},
     {"m", "n"},
     {"created anew it would read other objects than before", "it reads an object that stays"},
     "mv "},
    {"cascade: a lost column",
     {"l"},
     {"m", "n"},
     {"Item not found: Invalid column", "it reads an object that stays"},
     "mv "},
    {"cascade: one is refused",
     {"r", "n"},
     {"l", "top"},
     {"no such function", "it reads an object that stays"},
     "r mv "},
    {"cascade: a sink below", {"m"}, {NULL}, {NULL}, "m mv "},
    {"cascade: owned by somebody else", {"m"}, {"l"}, {"it belongs to another user"}, "mv "},
    {"cascade: keep_old", {"m", "n", "over"}, {NULL}, {NULL}, "m n mv "},
    {"cascade: of a view", {"m"}, {NULL}, {NULL}, ""},
    {"cascade: a reader", {"m", "n", "over"}, {NULL}, {NULL}, "m mv "},
    {"cascade: dropped meanwhile", {"m"}, {NULL}, {NULL}, ""},
    /* What was live is kept, as after any rollback. */
    {"cascade: rollback", {"m", "n", "over"}, {NULL}, {NULL}, "mv "},
};

Test(replace_cascade, rebuilt_or_stays)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256] = "";
        size_t len = 0;
        run_well(rows[i].scenario);
        for (size_t k = 0; k < 4 && rows[i].rebuilt[k] != NULL; k++) {
            const struct catalog_object *o = catalog_find(&s.catalog, "public", rows[i].rebuilt[k]);
            cr_expect(o != NULL && o->ours, "%s: %s", rows[i].scenario, rows[i].rebuilt[k]);
        }
        for (size_t k = 0; k < 3 && rows[i].stay[k] != NULL; k++) {
            (void)snprintf(text, sizeof(text), "\"public.%s\" stays on the old \"public.mv\"",
                           rows[i].stay[k]);
            cr_expect(is_told(text, rows[i].why[k]), "%s: %s", rows[i].scenario, rows[i].stay[k]);
            cr_expect(is_told(text, "\nCREATE OR REPLACE MATERIALIZED VIEW"));
        }
        text[0] = 0;
        for (size_t k = 0; k < s.num_left; k++) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s ",
                                    (int)(strstr(s.left[k].name, "_tmp_") - s.left[k].name),
                                    s.left[k].name);
        }
        cr_expect(eq(str, text, (char *)rows[i].left), "%s", rows[i].scenario);
    }
}

/* The server's own reason, and what reads what stays; what does not follow a rebuild is told of
 * that. */
Test(replace_cascade, reports)
{
    run_well("cascade: one is refused");
    cr_expect(is_told("2 materialized views were rebuilt on it.", "Replaced"));
    cr_expect(is_told("\"r_tmp_", "DROP MATERIALIZED VIEW \"public\".\"r_tmp_"));
    run_well("cascade: a sink below");
    cr_expect(is_told("\"public.k\" stays on the old \"public.m\"", "only views are moved"));
    run_well("cascade: dropped meanwhile");
    cr_expect(not(script_says(&s, "\"public.n\"")));
}

/* What is meant for the view is not meant for what reads it. */
Test(replace_cascade, settings)
{
    static char check[] = "SELECT ok FROM {new}";
    static char after_swap[] = "NOTIFY x";
    scenario_prepare(scenario_find("cascade: one"), &s);
    s.settings.sql[0] = check;
    s.settings.sql[2] = after_swap;
    s.catalog.hooks[0] = (struct catalog_hook){.begins = "SELECT ok", .num_rows = 1, .cell = "t"};
    s.catalog.hooks[1] = (struct catalog_hook){.begins = after_swap};
    run();
    cr_expect(eq(sz, script_find_step(&s, "check", 1), SCRIPT_REQUESTS));
    cr_expect(eq(sz, script_find_step(&s, "after_swap", 1), SCRIPT_REQUESTS));
    cr_expect(catalog_find(&s.catalog, "public", "m")->ours);
}

/* Cancelled while the first of two is built: that is undone, both stay, and the statement has
 * succeeded. */
Test(replace_cascade, cancelled)
{
    scenario_prepare(scenario_find("cascade: a chain"), &s);
    size_t at = script_find_run(&s, "build", 1);
    s.faults[0] = (struct script_fault){.at = at, .fault = FAULT_CANCEL};
    run();
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(is_told("\"public.m\" stays", "canceling statement due to user request"));
    cr_expect(is_told("\"public.n\" stays", "the replacement was cancelled"));
    cr_expect(not(s.catalog.background_ddl));
}

/* The connection is lost when the first one is live: it is not named as staying, the other one is,
 * and the old selves are remembered. */
Test(replace_cascade, lost)
{
    scenario_prepare(scenario_find("cascade: a chain"), &s);
    size_t at = script_find_run(&s, "ids after the swap", 1) + 1;
    s.faults[0] = (struct script_fault){.at = at, .fault = FAULT_LOST_BEFORE};
    run();
    cr_expect(eq(int, s.outcome, REPLACE_FAILED));
    cr_expect(eq(str, s.sqlstate, (char *)"08006"));
    cr_expect(not(script_says(&s, "\"public.m\" stays")));
    cr_expect(is_told("\"public.n\" stays", "the server connection was lost"));
    cr_expect(eq(sz, s.num_left, 2));
    /* At the swap itself nobody knows. */
    s.faults[0].at = at - 1;
    script_again(&s);
    run();
    cr_expect(script_says(&s, "\"public.m\" may stay on the old \"public.mv\""));
}

/* Who has prepared statements on any of them must hear of it, behind the swap and before the
 * drop. */
Test(replace_cascade, moved)
{
    run_well("cascade: views between");
    cr_expect(eq(str, s.moved, (char *)"mv v m w m w m w n n n mv v m w n "));
    run_well("cascade: rollback");
    cr_expect(eq(str, s.moved, (char *)"mv m m n over n over n over mv m n over "));
    run_well("cascade: one is refused");
    cr_expect(eq(str, s.moved, (char *)"mv r r n n n mv r n "));
}

static const struct {
    const char *scenario;
    const char *line;
} plans[] = {
    {"cascade: plan", "Dependent: materialized view \"public.n\" is rebuilt\n"},
    {"cascade: plan", "Dependent: sink \"public.k\" stays on the old one: only views are moved\n"},
    {"cascade: plan", "cascade: CREATE OR REPLACE MATERIALIZED VIEW \"public\".\"m\" AS SELECT a"
                      " FROM mv\n"},
    {"cascade: plan of a rollback", "What is live now is kept as \"mv_tmp_20250101_000000_000001"},
};

Test(replace_cascade, plans)
{
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        scenario_prepare(scenario_find(plans[i].scenario), &s);
        run();
        cr_expect(script_unchanged(&s), "%s", plans[i].scenario);
        cr_expect(ne(ptr, strstr(s.plan, plans[i].line), NULL), "%s: %s\nin:\n%s",
                  plans[i].scenario, plans[i].line, s.plan);
    }
}
