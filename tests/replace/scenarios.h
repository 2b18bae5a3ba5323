/*
 * scenarios: whole replacements that the tables of tests go through: every request of each, crossed
 * with faults (test_replace_matrix.c) and with failing allocations (test_replace_memory.c).
 */
#ifndef MVSWAP_TESTS_REPLACE_SCENARIOS_H
#define MVSWAP_TESTS_REPLACE_SCENARIOS_H

#include "script.h"

struct scenario {
    const char *name;
    void (*prepare)(struct script *s);
    /* A first fault, at the num-th request of that step; NULL: none. */
    const char *step;
    size_t num;
    enum fault fault;
};

/* A line of a list whose names all begin with `prefix_`; no fault of its own. */
#define SCENARIO_OF(prefix_, name_, prepare_)                                                      \
    {                                                                                              \
        prefix_ name_, prepare_, NULL, 0, FAULT_NONE                                               \
    }

extern const struct scenario scenarios[];
extern const size_t num_scenarios;
/* Of views that others read (scenarios_dependents.c). */
extern const struct scenario dependent_scenarios[];
extern const size_t num_dependent_scenarios;
/* Of what is rebuilt downstream (scenarios_cascade.c). */
extern const struct scenario cascade_scenarios[];
extern const size_t num_cascade_scenarios;
/* Of the way back (scenarios_rollback.c). */
extern const struct scenario rollback_scenarios[];
extern const size_t num_rollback_scenarios;

/* Prepares `s` with the first fault of the scenario, which it finds by a run. */
void scenario_prepare(const struct scenario *scenario, struct script *s);
const struct scenario *scenario_find(const char *name);

/* What the view of a rich scenario has: two indexes with comments, grants, comments. */
void scenario_enrich(struct script *s);
/* The query is what the view has already. */
void scenario_unchanged(struct script *s);
/* A statement that reads mv, from `began_ms` to `ends_ms`. */
void scenario_add_reader(struct script *s, uint64_t began_ms, uint64_t ends_ms);

#endif
