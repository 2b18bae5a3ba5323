/*
 * hints: settings for one statement, in a comment inside it or around it:
 *
 *     [slash][star] mvswap: build=foreground, build_timeout='2 h' [star][slash]
 *
 * for tools that can send one statement only. Must not know: sessions.
 */
#ifndef MVSWAP_REPLACE_HINTS_H
#define MVSWAP_REPLACE_HINTS_H

#include "attributes.h"
#include "settings.h"

#include <stdbool.h>
#include <stddef.h>

enum hints_result {
    HINTS_READ, /* all that there are, perhaps none */
    HINTS_BAD,  /* an unknown name, a bad value, no value: see `out_problem`. Nothing is ignored */
    HINTS_NO_MEMORY
};

/* hints_read sets what the comments of `text`[0, len) say, the later over the earlier. A value in
 * '...' may hold commas and blanks. On HINTS_BAD some may have been set. */
MUST_CHECK enum hints_result hints_read(const char *text, size_t len,
                                        struct replace_settings *settings,
                                        struct settings_problem *out_problem);

#endif
