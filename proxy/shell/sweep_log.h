/*
 * sweep_log: one line in the log for each object of which a sweep has done something, or would;
 * what is so at each look is said once. Zero bytes are a valid new one. Must not know: who sweeps.
 */
#ifndef MVSWAP_SHELL_SWEEP_LOG_H
#define MVSWAP_SHELL_SWEEP_LOG_H

#include "sweep.h"

#include <stdbool.h>
#include <stddef.h>

struct sweep_told;

struct sweep_log {
    struct sweep_told *told; /* owned: what the last look has said */
    size_t num;
};

/* sweep_log_item: a drop has ended. */
void sweep_log_item(struct sweep_log *log, const struct sweep_item *item);
/* sweep_log_end: the sweep has ended: what would have gone, were it not read or in use, is said
 * now; in a dry run also what is due. */
void sweep_log_end(struct sweep_log *log, struct sweep *sweep, bool dry_run);
void sweep_log_cleanup(struct sweep_log *log);

#endif
