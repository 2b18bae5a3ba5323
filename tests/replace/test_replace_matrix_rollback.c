/* The table of matrix.h for the way back: one test for each scenario of scenarios_rollback.c. */
#include "matrix.h"
#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

enum { MOST = 64 };

/* Numbers, since each test is a process of its own, with addresses of its own. */
ParameterizedTestParameters(replace_matrix_rollback, each)
{
    static size_t numbers[MOST];
    for (size_t i = 0; i < num_rollback_scenarios && i < MOST; i++) {
        numbers[i] = i;
    }
    return cr_make_param_array(size_t, numbers, num_rollback_scenarios);
}

ParameterizedTest(const size_t *number, replace_matrix_rollback, each)
{
    check_scenario(rollback_scenarios[*number].name);
}
