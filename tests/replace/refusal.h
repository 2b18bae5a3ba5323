/*
 * refusal: what a refusal of the engine is: the catalog as it was, nothing behind, the session's
 * background_ddl as it was, and one error with a SQLSTATE and a reason.
 */
#ifndef MVSWAP_TESTS_REPLACE_REFUSAL_H
#define MVSWAP_TESTS_REPLACE_REFUSAL_H

#include "script.h"

#include <stdbool.h>

/* Runs what was set up, in both builds and with both settings of the session. */
void expect_refusal(struct script *s, const char *what, const char *sqlstate, const char *says);
bool was_built(const struct script *s);

#endif
