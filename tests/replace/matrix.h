/*
 * matrix: the promise of replace.h as a table: every request that the engine makes in a whole run,
 * crossed with everything that can befall it. The rows are printed, so that the test log is the
 * table; a row that breaks the promise fails.
 */
#ifndef MVSWAP_TESTS_REPLACE_MATRIX_H
#define MVSWAP_TESTS_REPLACE_MATRIX_H

#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>

void check_scenario(const char *name);
/* Only from the first request of that step on: what comes before it is in another table. */
void check_scenario_from(const char *name, const char *step);

/* One test for each scenario of a list: by its number, since each test is a process of its own,
 * with addresses of its own. */
#define MATRIX_OF(suite_, list_, num_)                                                             \
    ParameterizedTestParameters(suite_, each)                                                      \
    {                                                                                              \
        static size_t numbers[64];                                                                 \
        if ((num_) > sizeof numbers / sizeof *numbers) {                                           \
            abort();                                                                               \
        }                                                                                          \
        for (size_t i = 0; i < (num_); i++) {                                                      \
            numbers[i] = i;                                                                        \
        }                                                                                          \
        return cr_make_param_array(size_t, numbers, (num_));                                       \
    }                                                                                              \
    ParameterizedTest(const size_t *number, suite_, each)                                          \
    {                                                                                              \
        check_scenario((list_)[*number].name);                                                     \
    }

#endif
