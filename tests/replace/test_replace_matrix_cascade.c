/* The table of matrix.h for what is rebuilt downstream, from the swap of the view on: what comes
 * before it is as in test_replace_matrix_dependents.c. */
#include "matrix.h"

#include <criterion/criterion.h>

#define MATRIX_TEST(test_, name_)                                                                  \
    Test(replace_matrix_cascade, test_)                                                            \
    {                                                                                              \
        check_scenario_from(name_, "swap");                                                        \
    }

MATRIX_TEST(one, "cascade: one")
MATRIX_TEST(view_of_two, "cascade: a view of two")
MATRIX_TEST(views_between, "cascade: views between")
MATRIX_TEST(rich, "cascade: rich")
MATRIX_TEST(other_path, "cascade: another search_path")
MATRIX_TEST(refused, "cascade: one is refused")
MATRIX_TEST(sink_below, "cascade: a sink below")
MATRIX_TEST(rollback, "cascade: rollback")
