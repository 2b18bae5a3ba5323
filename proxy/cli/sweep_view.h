/*
 * sweep_view: what a sweep has found, as tables for people or as JSON for programs, on standard
 * output. Must not know: connections, which command it is for.
 */
#ifndef MVSWAP_CLI_SWEEP_VIEW_H
#define MVSWAP_CLI_SWEEP_VIEW_H

#include "attributes.h"
#include "sweep.h"

#include <stdbool.h>
#include <stdint.h>

/* Which items. */
enum sweep_view_part {
    SWEEP_VIEW_ALL,
    SWEEP_VIEW_RUNNING, /* what is being built */
    SWEEP_VIEW_LEFT     /* the others */
};

struct sweep_view {
    struct sweep *sweep;
    uint64_t now_us; /* ages are counted to here */
    bool drops;      /* else what is due is only said to be so */
};

/* sweep_view_table: a table, or the line `nothing` when there is no such item. */
void sweep_view_table(const struct sweep_view *view, enum sweep_view_part part,
                      const char *nothing);
/* sweep_view_json: an array with an object for each item; `by_part`: an object with two of them,
 * "replacements" and "leftovers". False without memory, or when standard output could not take it.
 */
MUST_CHECK bool sweep_view_json(const struct sweep_view *view, bool by_part);

#endif
