/*
 * The promise of replace.h as a table: every request that the engine makes in a whole run, crossed
 * with everything that can befall it. Each test prints its rows, so that the test log is the table;
 * a row that breaks the promise fails.
 */
#include "script.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

enum { FEW_REQUESTS = 80 };

struct scenario {
    const char *name;
    void (*prepare)(struct script *s);
};

static struct script base;
static struct script s;

static void background_27(struct script *p)
{
    script_init(p, 2, 7);
}

static void foreground_30(struct script *p)
{
    script_init(p, 3, 0);
    p->build = REPLACE_BUILD_FOREGROUND;
    p->catalog.background_ddl = true;
}

static void slow_to_be_seen(struct script *p)
{
    script_init(p, 2, 8);
    p->catalog.seen_after_ms = 300;
    p->catalog.build_ms = 400;
}

static void other_owner_22(struct script *p)
{
    struct catalog_object *mv;
    script_init(p, 2, 2);
    mv = catalog_by_id(&p->catalog, p->catalog.target_id);
    (void)snprintf(mv->owner, sizeof(mv->owner), "alice");
}

static void first_creation(struct script *p)
{
    script_init(p, 2, 7);
    *catalog_by_id(&p->catalog, p->catalog.target_id) = (struct catalog_object){0};
    p->catalog.target_id = 0;
}

static void taken_name(struct script *p)
{
    script_init(p, 2, 7);
    p->catalog.names_taken = 1;
}

static void taken_names(struct script *p)
{
    script_init(p, 2, 7);
    p->catalog.names_taken = 9;
}

static void undone_at_the_end(struct script *p)
{
    script_init(p, 2, 7);
    p->catalog.build_definition = "CREATE MATERIALIZED VIEW x AS SELECT --1 AS c";
}

static void undone_while_building_22(struct script *p)
{
    script_init(p, 2, 2);
    p->catalog.build_ms = 100000;
    p->faults[0] = (struct script_fault){.at = 16, .fault = FAULT_CANCEL};
}

static void undone_before_it_is_seen(struct script *p)
{
    script_init(p, 2, 7);
    p->catalog.seen_after_ms = 700;
    p->catalog.build_ms = 100000;
    p->faults[0] = (struct script_fault){.at = 12, .fault = FAULT_GONE};
}

static const struct scenario scenarios[] = {
    {"2.7, background", background_27},
    {"3.0, foreground", foreground_30},
    {"2.8, background, seen late", slow_to_be_seen},
    {"2.2, background, another owner", other_owner_22},
    {"2.7, first creation", first_creation},
    {"2.7, a taken name", taken_name},
    {"2.7, only taken names", taken_names},
    {"2.7, undone at the end", undone_at_the_end},
    {"2.2, undone while building", undone_while_building_22},
    {"2.7, undone before it is seen", undone_before_it_is_seen},
};

static const char *ending(const struct script *p)
{
    static char text[120];
    bool left = script_says(p, "DROP MATERIALIZED VIEW");
    const char *what = p->outcome == REPLACE_SUCCEEDED          ? "replaced"
                       : p->outcome == REPLACE_NOT_OURS         ? "not ours"
                       : p->outcome == REPLACE_FAILED           ? p->sqlstate
                       : p->outcome == REPLACE_FAILED_BY_SERVER ? "the server's error"
                                                                : "pending";
    (void)snprintf(text, sizeof(text), "%s%s", what, left ? ", leftover named" : "");
    return text;
}

/* An answer that is untrue: nobody can tell from it that something is there, or is not. */
static bool is_untrue(const char *step, enum fault fault)
{
    bool create_unseen =
        strcmp(step, "build") == 0 && (s.catalog.seen_after_ms != 0 || s.before.names_taken != 0);
    return (fault == FAULT_NO_ROWS && strcmp(step, "undo: find") == 0) ||
           (fault == FAULT_ERROR_LATE && (create_unseen || strcmp(step, "drop") == 0));
}

static void check_row(const struct scenario *scenario, size_t at, enum fault fault)
{
    scenario->prepare(&s);
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

static void check_scenario(size_t num)
{
    const struct scenario *scenario = &scenarios[num];
    scenario->prepare(&base);
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

Test(replace_matrix, background)
{
    check_scenario(0);
}

Test(replace_matrix, foreground)
{
    check_scenario(1);
}

Test(replace_matrix, seen_late)
{
    check_scenario(2);
}

Test(replace_matrix, another_owner)
{
    check_scenario(3);
}

Test(replace_matrix, first_creation)
{
    check_scenario(4);
}

Test(replace_matrix, taken_names)
{
    check_scenario(5);
    check_scenario(6);
}

Test(replace_matrix, undone)
{
    check_scenario(7);
    check_scenario(8);
    check_scenario(9);
}
