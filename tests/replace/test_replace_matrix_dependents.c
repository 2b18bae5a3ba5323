/* The table of matrix.h for views that others read: one test for each scenario of
 * scenarios_dependents.c. */
#include "matrix.h"

MATRIX_OF(replace_matrix_dependents, dependent_scenarios, num_dependent_scenarios)
