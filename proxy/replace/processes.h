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

/* Does the statement of a row read one of these views, and has it run for that long? */
bool process_reads(const struct replace_result *result, size_t row, const char *const *view_names,
                   size_t num_names, uint64_t older_than_ms);
/* Is there a statement in the row, whatever it reads, that has run for that long? */
bool process_has_run(const struct replace_result *result, size_t row, uint64_t for_ms);
/* What KILL takes; NULL when the list does not say it. */
const char *process_id(const struct replace_result *result, size_t row);

#endif
