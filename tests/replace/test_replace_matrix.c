/* The table of matrix.h for replacements of views that nobody reads. */
#include "matrix.h"

#include <criterion/criterion.h>

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
