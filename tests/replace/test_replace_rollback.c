/*
 * Tests of the way back: what is chosen, what is refused and how that is said, what is sent. That
 * nothing is lost on the way is in promise_rollback.c.
 */
#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct script s;

static void run(const char *name)
{
    scenario_prepare(scenario_find(name), &s);
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s: %s", name, s.problem);
}

static void run_well(const char *name)
{
    run(name);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s: %s%s", name, s.error, s.raw);
}

/* What is remembered afterwards: name and id, each with a blank behind. */
static const char *list_left(void)
{
    static char text[SCRIPT_TEXT];
    size_t len = 0;
    text[0] = 0;
    for (size_t i = 0; i < s.num_left; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s ", s.left[i].name,
                                s.left[i].id == s.catalog.target_id ? "" : "(another)");
    }
    return text;
}

static const struct {
    const char *scenario;
    const char *left; /* as list_left has it */
    const char *moved;
} chosen[] = {
    {"rollback: one", "mv_tmp_20250101_000000_000001 ", "mv "},
    {"rollback: one, 2.2", "mv_tmp_20250101_000000_000001 ", "mv "},
    {"rollback: not remembered", "mv_tmp_20250101_000000_000001 ", "mv "},
    /* The first one is over, the second is kept on purpose. */
    {"rollback: several", "mv_tmp_20250202_000000_000002(another) mv_tmp_20250303_000000_000003 ",
     "mv "},
    {"rollback: one of several remembered", "mv_tmp_20250202_000000_000002 ", "mv "},
    {"rollback: several not remembered", "mv_tmp_20250202_000000_000002 ", "mv "},
    {"rollback: broken off meanwhile", "mv_tmp_20250202_000000_000002 ", "mv "},
    {"rollback: by stamp",
     "mv_tmp_20250202_000000_000002(another) mv_tmp_20250303_000000_000003(another) "
     "mv_tmp_20250101_000000_000001 ",
     "mv "},
    {"rollback: a younger one by stamp", "mv_tmp_20250303_000000_000003 ", "mv "},
    {"rollback: a plain view", "mv_tmp_20250101_000000_000001 ", "mv v mv v "},
    {"rollback: rich", "mv_tmp_20250101_000000_000001 ", "mv "},
    {"rollback: an index is missing", "mv_tmp_20250101_000000_000001 ", "mv "},
    /* Of those that are kept on purpose only the newest. */
    {"rollback: keep_old", "mv_tmp_20250303_000000_000003 ", "mv "},
    {"rollback: views", "mv_tmp_20250101_000000_000001 ", "mv v2 v1 mv v2 v1 "},
    {"rollback: a lost column", "mv_tmp_20250101_000000_000001 ", "mv v mv v "},
    {"rollback: read by a sink", "mv_tmp_20250101_000000_000001 ", "mv v mv v "},
    {"rollback: what is live reads it", "mv_tmp_20250101_000000_000001 ", "mv "},
    {"rollback: readers", "mv_tmp_20250101_000000_000001 ", "mv "},
    {"rollback: a late swap", "mv_tmp_20250101_000000_000001 ", "mv v2 v1 mv v2 v1 "},
    {"rollback: hooks", "mv_tmp_20250101_000000_000001 ", "mv "},
};

/* It is live, what was live has its name, and is told as left: nothing else is. */
Test(replace_rollback, what_is_gone_back_to)
{
    for (size_t i = 0; i < sizeof(chosen) / sizeof(chosen[0]); i++) {
        run_well(chosen[i].scenario);
        const struct catalog_object *live = catalog_find(&s.catalog, "public", "mv");
        cr_assert(ne(ptr, (void *)live, NULL));
        cr_expect(eq(u64, live->id, s.catalog.predecessor_id), "%s", chosen[i].scenario);
        cr_expect(eq(str, (char *)list_left(), (char *)chosen[i].left), "%s", chosen[i].scenario);
        cr_expect(eq(str, s.moved, (char *)chosen[i].moved), "%s", chosen[i].scenario);
        cr_expect(script_says(&s, "Rolled back "), "%s", chosen[i].scenario);
        cr_expect(not(script_sent(&s, "CREATE MATERIALIZED VIEW")), "%s", chosen[i].scenario);
        cr_expect(not(script_sent(&s, "(slot)")), "%s", chosen[i].scenario);
    }
}

static const struct {
    const char *scenario;
    const char *sqlstate;
    const char *says;
} refused[] = {
    {"rollback: none", "42704", "there is no predecessor of \"public.mv\" to go back to"},
    {"rollback: only a younger one", "42704", "there is no predecessor of \"public.mv\""},
    {"rollback: none of that stamp", "42704", "with the stamp 20250303_000000_000003 to go back"},
    {"rollback: others of such names", "42704", "there is no predecessor of \"public.mv\""},
    {"rollback: was a plain view", "42704", "there is no predecessor of \"public.mv\""},
    {"rollback: no view", "42704", "there is no view \"public.mv\""},
    {"rollback: being created", "55006",
     "\"mv_tmp_20250101_000000_000001\" is still being created"},
    {"rollback: not the owner", "42501", "must be owner of materialized view public.mv"},
    {"rollback: reads both", "55000", "The view \"public.both\" reads both the view and the one"},
    {"rollback: namesake", "55000", "The view \"public.v\" reads two relations of the name"},
    {"rollback: it reads what is live", "42P17", "reads the view that it replaces"},
    {"rollback: unsafe text", "55000", "cannot read back when it renames"},
};

Test(replace_rollback, refusals)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        run(refused[i].scenario);
        cr_expect(eq(int, s.outcome, REPLACE_FAILED), "%s", refused[i].scenario);
        cr_expect(eq(str, s.sqlstate, (char *)refused[i].sqlstate), "%s", refused[i].scenario);
        cr_expect(ne(ptr, strstr(s.error, refused[i].says), NULL), "%s: %s", refused[i].scenario,
                  s.error);
        cr_expect(script_unchanged(&s), "%s", refused[i].scenario);
        cr_expect(not(script_says(&s, "DROP ")), "%s", refused[i].scenario);
        cr_expect(not(s.left_known), "%s", refused[i].scenario);
    }
    /* What only the server can tell is said in its words. */
    run("rollback: owned by somebody else");
    cr_expect(eq(int, s.outcome, REPLACE_FAILED_BY_SERVER));
    cr_expect(script_unchanged(&s));
}

/* Owner, exactly the grants, comments, parallelism; and the indexes exchange their names. */
Test(replace_rollback, what_is_sent)
{
    static const char *const sent[] = {
        "REVOKE SELECT ON MATERIALIZED VIEW \"public\".\"mv_tmp_20250101_000000_000001\" FROM"
        " \"dave\"",
        "ALTER MATERIALIZED VIEW \"public\".\"mv_tmp_20250101_000000_000001\" OWNER TO \"alice\"",
        "ALTER MATERIALIZED VIEW \"public\".\"mv_tmp_20250101_000000_000001\" SET PARALLELISM = "
        "ADAPTIVE",
        /* The other way round than a new view: others may drop the predecessor. */
        "ALTER MATERIALIZED VIEW \"public\".\"mv\" SWAP WITH"
        " \"public\".\"mv_tmp_20250101_000000_000001\"",
        "ALTER INDEX \"public\".\"My Index\" RENAME TO \"My Index_old_20260101_000000_000000\"",
        "ALTER INDEX \"public\".\"My Index_old_20250202_000000_000002\" RENAME TO \"My Index\"",
    };
    run_well("rollback: an index is missing");
    for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
        cr_expect(script_sent(&s, sent[i]), "%s", sent[i]);
    }
    cr_expect(script_says(&s, "index \"mv_since\" is not on the view that was gone back to"));
    run_well("rollback: hooks");
    cr_expect(
        script_sent(&s, "SELECT ok FROM \"public\".\"mv_tmp_20250101_000000_000001\", \"public\""));
    cr_expect(script_sent(&s, "NOTIFY x"));
}

/* Nothing of the view's is dropped, so nobody's statement is waited for. */
Test(replace_rollback, readers)
{
    run_well("rollback: readers");
    cr_expect(not(script_sent(&s, "SHOW PROCESSLIST")));
    cr_expect(not(script_sent(&s, "DROP ")));
    run_well("rollback: read by a sink");
    const struct catalog_object *k = catalog_find(&s.catalog, "public", "k");
    cr_expect(eq(u64, k->reads[0], s.catalog.predecessor_id));
    cr_expect(not(script_says(&s, "\"public.k\"")));
}

/* Whether the names were swapped is not known: both are told, and neither is to be dropped. */
Test(replace_rollback, in_doubt)
{
    static const char both[] = "\"public.mv\" and \"mv_tmp_20250101_000000_000001\"";
    scenario_prepare(scenario_find("rollback: one"), &s);
    size_t at = script_find_run(&s, "swap", 0);
    s.faults[0] = (struct script_fault){.at = at, .fault = FAULT_LOST_AFTER};
    script_run(&s);
    cr_expect(eq(str, s.sqlstate, (char *)"08006"));
    cr_expect(script_says(&s, both), "%s", s.error);
    cr_expect(not(script_says(&s, "DROP ")));
    s.faults[0] = (struct script_fault){.at = at, .fault = FAULT_ERROR_LATE};
    s.faults[1] = (struct script_fault){.at = at + 1, .fault = FAULT_ERROR};
    script_again(&s);
    script_run(&s);
    cr_expect(eq(int, s.outcome, REPLACE_FAILED_BY_SERVER));
    cr_expect(script_says(&s, both));
    cr_expect(not(script_says(&s, "DROP ")));
}

/* Known: comments that came with what is gone back to stay on it, though what was live has none. */
Test(replace_rollback, comments_stay)
{
    scenario_prepare(scenario_find("rollback: one"), &s);
    struct catalog_object *kept = catalog_by_id(&s.catalog, s.catalog.predecessor_id);
    (void)snprintf(kept->comment, CATALOG_WORD, "of then");
    script_run(&s);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(not(script_kept_promise(&s)));
    cr_expect(eq(str, s.problem, (char *)"another comment: of then"));
}

static const struct {
    const char *scenario;
    const char *line;
} plans[] = {
    {"rollback: plan", "Roll back materialized view \"public.mv\" to \"mv_tmp_20250101_000000_0000"
                       "01\"\nDependent: view \"public.v\" follows\n"},
    {"rollback: plan", "swap: ALTER MATERIALIZED VIEW \"public\".\"mv\""
                       " SWAP WITH \"public\".\"mv_tmp_20250101_000000_000001\"\n"},
    {"rollback: plan", "ALTER INDEX \"public\".\"mv_i\" RENAME TO \"mv_i_old_20260101_000000_0000"},
    {"rollback: plan", "What is live now is kept as \"mv_tmp_20250101_000000_000001\".\n"},
    {"rollback: plan of a view", "swap: ALTER VIEW \"public\".\"mv\" SWAP WITH"},
    {"rollback: plan of none", "Refused (42704): there is no predecessor of \"public.mv\""},
    /* It takes no lock, with which what is remembered would come. */
    {"rollback: plan of keep_old", "Roll back materialized view \"public.mv\" to"
                                   " \"mv_tmp_20250303_000000_000003\"\n"},
};

Test(replace_rollback, plans)
{
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        run(plans[i].scenario);
        cr_expect(eq(int, s.outcome, REPLACE_PLANNED), "%s", plans[i].scenario);
        cr_expect(script_unchanged(&s), "%s", plans[i].scenario);
        cr_expect(ne(ptr, strstr(s.plan, plans[i].line), NULL), "%s: %s\nin:\n%s",
                  plans[i].scenario, plans[i].line, s.plan);
    }
}
