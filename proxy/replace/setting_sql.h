/*
 * setting_sql: is a text one that a setting which holds SQL (check, the hooks) may have? Judged
 * when it is set, so that nobody learns of it after an hour of building. Must not know: what the
 * statements do; who runs them.
 */
#ifndef MVSWAP_REPLACE_SETTING_SQL_H
#define MVSWAP_REPLACE_SETTING_SQL_H

#include "attributes.h"
#include "settings.h"

#include <stdbool.h>

/*
 * setting_sql_judge: may `text`, which is not empty, be the value of the setting `name`? False with
 * 22023 when it is longer than LIMIT_SETTING_SQL, cannot be read (sql_scan), holds a parameter, no
 * statement, or several of them where `one_statement` is asked for; with 53200 without memory. The
 * text itself is never in the message, which may go to a log.
 */
MUST_CHECK bool setting_sql_judge(const char *name, const char *text, bool one_statement,
                                  struct settings_problem *out_problem);

#endif
