/*
 * driver: carries out replacements on a connection of its own, as the session does on a client's:
 * runs what the engine asks for, waits, cancels, and tells how it went.
 *
 * An engine has the process to itself: locks and slots are granted at once, no session is in a
 * transaction. The janitor of a proxy only asks statements of its own. Must not know: the command
 * line, how anything is shown.
 */
#ifndef MVSWAP_DIRECT_DRIVER_H
#define MVSWAP_DIRECT_DRIVER_H

#include "attributes.h"
#include "link.h"
#include "replace.h"

#include <stdbool.h>
#include <uv.h>

struct driver;

struct driver_hooks {
    void *context;
    /* NULL: connected, nothing runs yet; else why not. */
    void (*opened)(void *context, const char *problem);
    void (*noticed)(void *context, const struct replace_notice *notice);
    /* The engine has ended: replace_outcome, driver_error. It is the caller's again. */
    void (*ended)(void *context);
    /* The answer to driver_ask: REPLACE_OK, REPLACE_ERROR or REPLACE_LOST. */
    void (*answered)(void *context, const struct replace_result *result);
};

/* driver_open begins to connect; see link_open. NULL without memory. */
MUST_CHECK struct driver *driver_open(uv_loop_t *loop, const char *const *keywords,
                                      const char *const *values, const struct driver_hooks *hooks);
/* driver_carry_out drives `engine` (borrowed until `ended`) from its beginning. */
void driver_carry_out(struct driver *driver, struct replace *engine);
/* driver_ask runs one statement that is no engine's, between engines. */
void driver_ask(struct driver *driver, const char *sql);
/* driver_cancel begins undo; the end comes as usual. Without an engine it does nothing. */
void driver_cancel(struct driver *driver);
void driver_close(struct driver *driver);

/* driver_error: the error of an outcome that is no success, whoever made it. Valid as the outcome.
 */
struct replace_notice driver_error(const struct replace_outcome *outcome);

/* The time as engines are told it. */
struct moment driver_now(const uv_loop_t *loop);

#endif
