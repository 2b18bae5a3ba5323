/*
 * log: structured lines (logfmt) on standard error, one write each.
 *
 * Never a statement, a parameter or a password: callers give names, numbers and sentences of ours.
 */
#ifndef MVSWAP_SHELL_LOG_H
#define MVSWAP_SHELL_LOG_H

#include <stdarg.h>
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* log_set_level: lines below `level` are not written. Info at first. */
void log_set_level(enum log_level level);
/* log_level_named finds a level by its name ("debug", "info", "warning", "error"); -1 if none. */
int log_level_named(const char *name);
const char *log_level_name(enum log_level level);

/*
 * log_line writes time, level and event, then key/value pairs ended by NULL:
 *     log_line(LOG_INFO, "listening", "address", text, NULL);
 * A pair whose value is NULL or "" is left out. Values are quoted where they need it.
 */
void log_line(enum log_level level, const char *event, ...) __attribute__((sentinel));

#endif
