/*
 * console: what the commands show: lines for people, a progress bar on a terminal, or one JSON
 * document. Messages go to standard error, results to standard output.
 * Must not know: connections, what the commands do.
 */
#ifndef MVSWAP_CLI_CONSOLE_H
#define MVSWAP_CLI_CONSOLE_H

#include "attributes.h"
#include "replace.h"

#include <stdbool.h>
#include <stdint.h>

struct console;

/* console_new: NULL without memory. `json`: nothing is shown until console_end. */
MUST_CHECK struct console *console_new(bool json);
/* Is there somebody who watches? */
bool console_is_terminal(const struct console *c);

void console_notice(struct console *c, const struct replace_notice *notice);

/* One statement has ended: `error` NULL: well. `source`: where the statement stands, or NULL. */
void console_outcome(struct console *c, const struct replace *engine, const char *source,
                     const struct replace_notice *error, uint64_t ms);
/* It was not begun, since an earlier one failed. */
void console_not_begun(struct console *c, const char *view, const char *source);

/* Shows the document, if it is one, and frees. False when standard output could not take it. */
MUST_CHECK bool console_end(struct console *c);

#endif
