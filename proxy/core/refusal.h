/*
 * refusal: the words with which RisingWave refuses a candidate, which make it ours. Must not know:
 * what is done then.
 */
#ifndef MVSWAP_CORE_REFUSAL_H
#define MVSWAP_CORE_REFUSAL_H

#include <stdbool.h>

/*
 * refusal_is: does this error text refuse CREATE OR REPLACE VIEW (`explained`: EXPLAIN CREATE OR
 * REPLACE MATERIALIZED VIEW), not having been implemented? The words stand on a line of their own,
 * the first cause: an error that quotes the client's text does not match. Behind those about
 * EXPLAIN the server writes the statement (risingwave.md 1.2).
 */
bool refusal_is(const char *error_text, bool explained);

#endif
