/* The table of matrix.h for the way back: one test for each scenario of scenarios_rollback.c. */
#include "matrix.h"

MATRIX_OF(replace_matrix_rollback, rollback_scenarios, num_rollback_scenarios)
