/*
 * The promise of replace.h as a table: every request that the engine makes in a whole run, crossed
 * with everything that can befall it. Each test prints its rows, so that the test log is the table;
 * a row that breaks the promise fails.
 */
#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

enum { FEW_REQUESTS = 140 };

static struct script prepared;
static struct script base;
static struct script s;

static const char *ending(const struct script *p)
{
    static char text[120];
    bool left = script_says(p, "DROP MATERIALIZED VIEW") || script_says(p, "DROP INDEX") ||
                script_says(p, "DROP VIEW");
    const char *what = p->outcome == REPLACE_SUCCEEDED          ? "replaced"
                       : p->outcome == REPLACE_PLANNED          ? "planned"
                       : p->outcome == REPLACE_NOT_OURS         ? "not ours"
                       : p->outcome == REPLACE_FAILED           ? p->sqlstate
                       : p->outcome == REPLACE_FAILED_BY_SERVER ? "the server's error"
                                                                : "pending";
    what = script_says(p, "nothing was done") ? "nothing done" : what;
    (void)snprintf(text, sizeof(text), "%s%s%s", what, left ? ", leftover named" : "",
                   script_says(p, "\nALTER INDEX") ? ", rename told" : "");
    return text;
}

/* An answer that is untrue: nobody can tell from it that something is there, or is not. */
static bool is_untrue(const char *step, enum fault fault)
{
    bool create_unseen =
        strcmp(step, "build") == 0 && (s.catalog.seen_after_ms != 0 || s.before.names_taken != 0);
    bool dropped = strcmp(step, "drop") == 0 && !s.catalog.gap_allowed;
    bool finds = strcmp(step, "undo: find") == 0 || strcmp(step, "undo: find the index") == 0;
    return (fault == FAULT_NO_ROWS && finds) ||
           (fault >= FAULT_NO_ROWS && strcmp(step, "leftovers") == 0) ||
           (fault == FAULT_ERROR_LATE && (create_unseen || dropped));
}

static void check_row(const struct scenario *scenario, size_t at, enum fault fault)
{
    memcpy(&s, &prepared, sizeof(s));
    s.faults[1] = (struct script_fault){.at = at, .fault = fault};
    script_run(&s);
    if (!s.faults[1].applied) {
        return;
    }
    bool kept = script_kept_promise(&s) || is_untrue(base.steps[at], fault);
    (void)printf("%-24s x %-26s -> %s%s%s\n", base.steps[at], fault_names[fault], ending(&s),
                 kept ? "" : "  BROKEN: ", kept ? "" : s.problem);
    cr_expect(kept, "%s: request %zu (%s) x %s: %s", scenario->name, at, base.steps[at],
              fault_names[fault], s.problem);
}

static void check_scenario(const char *name)
{
    const struct scenario *scenario = scenario_find(name);
    scenario_prepare(scenario, &prepared);
    memcpy(&base, &prepared, sizeof(base));
    script_run(&base);
    (void)printf("== %s: %zu requests -> %s\n", scenario->name, base.num_requests, ending(&base));
    cr_expect(script_kept_promise(&base), "%s: %s", scenario->name, base.problem);
    cr_assert(lt(sz, base.num_requests, FEW_REQUESTS));
    for (size_t at = 0; at < base.num_requests; at++) {
        for (int fault = FAULT_ERROR; fault < FAULT_COUNT; fault++) {
            check_row(scenario, at, (enum fault)fault);
        }
    }
}

#define MATRIX_TEST(test_, name_)                                                                  \
    Test(replace_matrix, test_)                                                                    \
    {                                                                                              \
        check_scenario(name_);                                                                     \
    }

MATRIX_TEST(background, "2.7, background")
MATRIX_TEST(foreground, "3.0, foreground")
MATRIX_TEST(seen_late, "2.8, background, seen late")
MATRIX_TEST(another_owner, "2.2, background, another owner")
MATRIX_TEST(first_creation, "2.7, first creation")
MATRIX_TEST(taken_name, "2.7, a taken name")
MATRIX_TEST(taken_names, "2.7, only taken names")
MATRIX_TEST(undone_at_the_end, "2.7, undone at the end")
MATRIX_TEST(undone_while_building, "2.2, undone while building")
MATRIX_TEST(undone_before_it_is_seen, "2.7, undone before it is seen")
MATRIX_TEST(rich, "2.7, rich")
MATRIX_TEST(rich_22, "2.2, rich")
MATRIX_TEST(rich_foreground, "3.0, rich, foreground")
MATRIX_TEST(default_privileges, "2.8, default privileges")
MATRIX_TEST(keeps_old, "2.7, keeps the old view")
MATRIX_TEST(leftovers, "2.7, leftovers")
MATRIX_TEST(zero_downtime_off, "2.7, zero_downtime = off")
MATRIX_TEST(readers_end, "2.7, readers that end")
MATRIX_TEST(readers_stay, "2.7, readers that do not end")
MATRIX_TEST(unchanged, "2.7, unchanged")
MATRIX_TEST(rebuilt, "2.7, unchanged but rebuilt")
MATRIX_TEST(plan, "2.7, plan")
MATRIX_TEST(plan_off, "2.7, plan, zero_downtime = off")
MATRIX_TEST(undone_index, "2.7, undone while an index is built")
MATRIX_TEST(undone_index_26, "2.6, undone while an index is built")
MATRIX_TEST(recovery, "3.0, the cluster recovers")
MATRIX_TEST(hooks, "2.7, hooks")
MATRIX_TEST(late_swap, "2.7, a late swap")
MATRIX_TEST(temporary_index, "2.7, an index with a temporary name")
MATRIX_TEST(job_config, "3.0, the configuration of a job")
MATRIX_TEST(no_slot, "2.7, no slot")
MATRIX_TEST(refused_probe, "2.7, the probe is refused")
MATRIX_TEST(unseen_probe, "2.7, the probe is not seen")
