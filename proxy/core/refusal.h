/*
 * refusal: the words with which RisingWave refuses a candidate, which make it ours. Must not know:
 * what is done then.
 */
#ifndef MVSWAP_CORE_REFUSAL_H
#define MVSWAP_CORE_REFUSAL_H

#include "candidate.h"

#include <stdbool.h>

/*
 * refusal_is: does this error text refuse the candidate, not having been implemented? The words
 * stand on a line of their own, the first cause: an error that quotes the client's text does not
 * match. They are the same for views of both kinds, but not with EXPLAIN in front: that of a
 * materialized view is refused with the statement behind the words, that of a view as is any
 * EXPLAIN CREATE VIEW (docs/risingwave.md).
 */
bool refusal_is(const char *error_text, const struct candidate *candidate);

#endif
