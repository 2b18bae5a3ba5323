/*
 * settings: what a replacement can be told, described once: names, values, defaults, what each
 * does. The configuration file, the command line, start-up packets, SET, SHOW, hints and
 * docs/settings.md all come here.
 *
 * Must not know: where a value comes from, how SQL spells a SET.
 */
#ifndef MVSWAP_REPLACE_SETTINGS_H
#define MVSWAP_REPLACE_SETTINGS_H

#include "attributes.h"
#include "duration.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order in which they are shown. */
enum setting {
    SETTING_ZERO_DOWNTIME,
    SETTING_UNCHANGED,
    SETTING_ON_CHANGE,
    SETTING_DEPENDENTS,
    SETTING_COLUMNS,
    SETTING_INDEXES,
    SETTING_CHECK,
    SETTING_BEFORE_BUILD,
    SETTING_AFTER_SWAP,
    SETTING_BUILD,
    SETTING_BUILD_TIMEOUT,
    SETTING_DRAIN_MIN,
    SETTING_DRAIN,
    SETTING_KEEP_OLD,
    SETTING_PREPARED,
    SETTING_ON_DISCONNECT,
    SETTING_NOTICES,
    SETTING_PROGRESS_INTERVAL,
    SETTING_COUNT
};

/* Choices, in the order in which the table names them; the first is the default. */
enum replace_unchanged { REPLACE_UNCHANGED_SKIPS, REPLACE_UNCHANGED_REBUILDS };
enum replace_on_change { REPLACE_CHANGE_APPLIES, REPLACE_CHANGE_CONTINUES, REPLACE_CHANGE_FAILS };
enum replace_dependents {
    REPLACE_DEPENDENTS_FOLLOW,
    REPLACE_DEPENDENTS_KEPT,
    REPLACE_DEPENDENTS_REFUSED,
    REPLACE_DEPENDENTS_CASCADE
};
enum replace_columns { REPLACE_COLUMNS_ANY, REPLACE_COLUMNS_COMPATIBLE, REPLACE_COLUMNS_SAME };
enum replace_indexes { REPLACE_INDEXES_CARRIED, REPLACE_INDEXES_DROPPED };
enum replace_zero_downtime { REPLACE_ZERO_DOWNTIME_ON, REPLACE_ZERO_DOWNTIME_OFF };
/* Of every session, whether it replaces or not: its prepared statements. */
enum replace_prepared { REPLACE_PREPARED_FOLLOW, REPLACE_PREPARED_LEAVE };
/* How the server builds the new view. */
enum replace_build {
    REPLACE_BUILD_BACKGROUND, /* a job that survives recovery; the engine polls it */
    REPLACE_BUILD_FOREGROUND  /* CREATE answers when it is done */
};
enum replace_on_disconnect { REPLACE_DISCONNECT_CANCELS, REPLACE_DISCONNECT_FINISHES };
enum replace_notices { REPLACE_NOTICES_PROGRESS, REPLACE_NOTICES_SUMMARY, REPLACE_NOTICES_OFF };

/* Where a value comes from, weakest first. */
enum setting_source {
    SOURCE_BUILT_IN,
    SOURCE_FILE,
    SOURCE_ENVIRONMENT,
    SOURCE_COMMAND_LINE,
    SOURCE_STARTUP,
    SOURCE_SESSION,
    SOURCE_HINT
};

enum {
    SETTINGS_FIRST_SQL = SETTING_CHECK, /* up to after_swap they hold SQL */
    SETTINGS_NUM_SQL = SETTING_AFTER_SWAP - SETTING_CHECK + 1,
    /* Most bytes of one such text. Every session may set its own, and keeps each up to four times
     * (what it began with, what holds, what holds again after SET LOCAL, what a replacement uses):
     * a thousand sessions could keep 96 MiB. Checks that people write are one SELECT. */
    LIMIT_SETTING_SQL = 8 * 1024
};

/* A value is the number of a choice, or milliseconds; of a setting that holds SQL its text is the
 * value. Zero bytes are good settings, which own nothing. A copy by assignment only borrows the
 * texts; see settings_copy. */
struct replace_settings {
    uint32_t values[SETTING_COUNT];
    uint8_t sources[SETTING_COUNT]; /* enum setting_source */
    char *sql[SETTINGS_NUM_SQL];    /* owned; NULL when empty. Read with settings_sql */
};

struct setting_info {
    const char *name;
    const char *values;       /* as the documentation lists them, the default first */
    const char *default_text; /* as settings_text writes it */
    const char *description;
};
const struct setting_info *setting_info(enum setting setting);
const char *setting_source_name(enum setting_source source);

/* What is wrong with a name or a value. Texts are cut to these sizes. */
struct settings_problem {
    const char *sqlstate; /* 42704, 22023, 53200 */
    char message[160];
    char hint[160]; /* "" when there is nothing to say */
};

/* settings_lack_memory: the problem is that there is none (53200). */
void settings_lack_memory(struct settings_problem *out_problem);
bool settings_lacked_memory(const struct settings_problem *problem);

/* All defaults. What they are made of later is freed with settings_cleanup, which leaves the
 * defaults again but for the sources. */
void settings_init(struct replace_settings *out_settings);
void settings_cleanup(struct replace_settings *settings);
/* settings_copy makes an independent copy; what `out_settings` held is not freed. False without
 * memory: nothing is written. */
MUST_CHECK bool settings_copy(const struct replace_settings *settings,
                              struct replace_settings *out_settings);
/* settings_assign makes `settings` such a copy of `to`, and frees what they held. False without
 * memory: they are as they were. */
MUST_CHECK bool settings_assign(struct replace_settings *settings,
                                const struct replace_settings *to);

/* settings_find: the setting of that name, in any case, without "mvswap."; a `-` counts as `_` (as
 * in start-up options). False with 42704 and the nearest name as hint. */
MUST_CHECK bool settings_find(const char *name, enum setting *out_setting,
                              struct settings_problem *out_problem);
/* settings_set: false, with nothing changed, when the value is none of the setting's (22023),
 * or there is no memory (53200). Durations are numbers with ms, s, min,
 * h or d; without a unit seconds; at most 40 days. SQL is judged by setting_sql.h; a message never
 * holds it. */
MUST_CHECK bool settings_set(struct replace_settings *settings, enum setting setting,
                             const char *value, enum setting_source source,
                             struct settings_problem *out_problem);
/* settings_reset: back to what `to` has. False without memory, with nothing changed. */
MUST_CHECK bool settings_reset(struct replace_settings *settings, enum setting setting,
                               const struct replace_settings *to);

enum { SETTING_TEXT_LEN = DURATION_TEXT_LEN };
/* settings_text: the value as settings_set reads it: the settings' own text of one that holds SQL,
 * any other is written to `scratch`. Valid while neither changes. */
const char *settings_text(const struct replace_settings *settings, enum setting setting,
                          char scratch[SETTING_TEXT_LEN]);
/* Does it hold SQL? Such a value is never logged. */
bool setting_is_sql(enum setting setting);
/* settings_sql: the text of a setting that holds SQL; "" when it is empty. */
const char *settings_sql(const struct replace_settings *settings, enum setting setting);
/* settings_memory: bytes of all texts. */
size_t settings_memory(const struct replace_settings *settings);

/* name_nearest: which of the `num` names that `nth` gives is meant by `name`, when it is none of
 * them: the one that takes the fewest letters to be changed, added or left out, if these are few.
 * `num`: none; names of 40 letters and more are near to none. Also for other options. */
size_t name_nearest(const char *name, size_t num, const char *(*nth)(size_t index));

#endif
