/*
 * direct_run: connects, carries out one engine after the other, and ends; Ctrl-C undoes what runs,
 * a second one leaves at once and says what may be left. The one place of the commands that has a
 * loop. Must not know: which command it works for.
 */
#ifndef MVSWAP_CLI_DIRECT_RUN_H
#define MVSWAP_CLI_DIRECT_RUN_H

#include "attributes.h"
#include "direct_options.h"
#include "replace.h"

#include <stdbool.h>
#include <stdint.h>

struct direct_work {
    void *context;
    /* Statements that are no engine's, before the first engine: the next one, or NULL when there is
     * none. `answered` says whether to go on. NULL: nothing is asked. */
    const char *(*ask)(void *context, struct moment now);
    bool (*answered)(void *context, const struct replace_result *result, struct moment now);
    /* Ctrl-C while such a statement runs: no more of them than needed. NULL: it ends at once. */
    void (*stop)(void *context);
    /* The next engine, which is freed here; NULL: there is none. `next` NULL: none at all. */
    struct replace *(*next)(void *context, struct moment now);
    void (*noticed)(void *context, const struct replace_notice *notice);
    /* How it ended; `error` is NULL for a success. False: no more engines. */
    bool (*ended)(void *context, const struct replace *engine, const struct replace_notice *error,
                  uint64_t ms);
};

/* direct_run: false without a connection, which was said on standard error. After a signal the rest
 * is not begun: the caller knows how far it came. */
MUST_CHECK bool direct_run(const struct direct_options *options, const struct direct_work *work);

#endif
