/* matrix: see matrix.h. */
#include "matrix.h"

#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

/* The most is a reader that is waited for: each look at the process list is a request. */
enum { FEW_REQUESTS = 250 };

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
    /* Somebody else's has the name before ours was seen under it, and is younger. */
    bool before_seen =
        strcmp(step, "restore background_ddl") == 0 || strcmp(step, "poll the build") == 0;
    return (fault == FAULT_NO_ROWS && finds) || (fault == FAULT_TEMP_SWAPPED && before_seen) ||
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

static void check_rows(const char *name, const char *step)
{
    const struct scenario *scenario = scenario_find(name);
    scenario_prepare(scenario, &prepared);
    memcpy(&base, &prepared, sizeof(base));
    script_run(&base);
    (void)printf("== %s: %zu requests -> %s\n", scenario->name, base.num_requests, ending(&base));
    cr_expect(script_kept_promise(&base), "%s: %s", scenario->name, base.problem);
    cr_assert(lt(sz, base.num_requests, FEW_REQUESTS));
    for (size_t at = step != NULL ? script_find_step(&base, step, 0) : 0; at < base.num_requests;
         at++) {
        for (int fault = FAULT_ERROR; fault < FAULT_COUNT; fault++) {
            check_row(scenario, at, (enum fault)fault);
        }
    }
}

void check_scenario(const char *name)
{
    check_rows(name, NULL);
}

void check_scenario_from(const char *name, const char *step)
{
    check_rows(name, step);
}
