/*
 * step_table: the steps of a replacement, each with what it asks and who takes the answer.
 * Not for others than the files of the engine.
 */
#ifndef MVSWAP_REPLACE_STEP_TABLE_H
#define MVSWAP_REPLACE_STEP_TABLE_H

#include "replace_internal.h"

struct step_entry {
    const char *name;
    void (*ask)(struct replace *r, struct replace_request *out);
    enum step (*take)(struct replace *r, const struct replace_result *result);
    /* NULL: the server's error is the answer to the client, after undo. */
    enum step (*refused)(struct replace *r, const struct replace_result *result);
    /* EXPLAIN: in place of asking; NULL: it asks, since nothing that lasts is changed. */
    enum step (*in_plan)(struct replace *r);
};

extern const struct step_entry step_table[STEP_COUNT];

/* replace.c: a step that would change something: its statement becomes a line of the plan, and it
 * counts as done. */
enum step step_written(struct replace *r);

#endif
