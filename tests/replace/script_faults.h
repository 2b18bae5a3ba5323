/*
 * script_faults: what befalls a request of a script: others who change the catalog, answers that
 * are untrue, cancels.
 */
#ifndef MVSWAP_TESTS_REPLACE_SCRIPT_FAULTS_H
#define MVSWAP_TESTS_REPLACE_SCRIPT_FAULTS_H

#include "script.h"

/* Somebody else changes the catalog; false when there is nothing to change. */
bool fault_by_others(struct catalog *c, enum fault fault);
/* Rows of other shapes than asked for, and cells that are no numbers, names or states. */
void fault_distort(struct answer *a, enum fault fault);
bool fault_is_cancel(enum fault fault, enum replace_reason *out_why);
/* Is it met before the request is asked for? */
bool fault_comes_first(enum fault fault);

#endif
