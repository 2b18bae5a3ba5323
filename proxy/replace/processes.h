/*
 * processes: what SHOW PROCESSLIST says of the statements that run: of all users, on all frontends
 * (docs/risingwave.md 13). In doubt a statement counts. Must not know: why it is asked.
 */
#ifndef MVSWAP_REPLACE_PROCESSES_H
#define MVSWAP_REPLACE_PROCESSES_H

#include "replace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is there a statement in the row, whatever it reads, that has run for that long? */
bool process_has_run(const struct replace_result *result, size_t row, uint64_t for_ms);
/* Does the text not tell what it reads: a FETCH, or it is cut, or cannot be scanned? */
bool process_is_unclear(const struct replace_result *result, size_t row);
/* Does the text, as far as it is there, name one of these views? */
bool process_names(const struct replace_result *result, size_t row, const char *const *view_names,
                   size_t num_names);
/* Has it run for that long, and may it read one of these views? */
bool process_reads(const struct replace_result *result, size_t row, const char *const *view_names,
                   size_t num_names, uint64_t older_than_ms);
/* What KILL takes; NULL when the list does not say it. */
const char *process_id(const struct replace_result *result, size_t row);

#endif
