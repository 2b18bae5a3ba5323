/*
 * matrix: the promise of replace.h as a table: every request that the engine makes in a whole run,
 * crossed with everything that can befall it. The rows are printed, so that the test log is the
 * table; a row that breaks the promise fails.
 */
#ifndef MVSWAP_TESTS_REPLACE_MATRIX_H
#define MVSWAP_TESTS_REPLACE_MATRIX_H

#include "scenarios.h"

void check_scenario(const char *name);
/* Only from the first request of that step on: what comes before it is in another table. */
void check_scenario_from(const char *name, const char *step);

#endif
