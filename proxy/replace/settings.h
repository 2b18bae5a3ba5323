/*
 * settings: what a replacement can be told, described once: names, values, defaults, what each
 * does. The configuration file, the command line, start-up packets, SET, SHOW, hints and
 * docs/settings.md all come here.
 *
 * A setting whose feature does not exist yet is known and checked, and refuses any value but its
 * default (0A000): better than being told and ignored.
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
enum replace_zero_downtime { REPLACE_ZERO_DOWNTIME_ON, REPLACE_ZERO_DOWNTIME_OFF };
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

/* A value is the number of a choice, or milliseconds. Texts (check and the hooks) can only be empty
 * so far. */
struct replace_settings {
    uint32_t values[SETTING_COUNT];
    uint8_t sources[SETTING_COUNT]; /* enum setting_source */
};

struct setting_info {
    const char *name;
    const char *values;       /* as the documentation lists them, the default first */
    const char *default_text; /* as settings_text writes it */
    const char *description;
    bool available; /* false: any value but the default is refused */
};
const struct setting_info *setting_info(enum setting setting);
const char *setting_source_name(enum setting_source source);

/* What is wrong with a name or a value. Texts are cut to these sizes. */
struct settings_problem {
    const char *sqlstate; /* 42704, 22023, 0A000 */
    char message[160];
    char hint[160]; /* "" when there is nothing to say */
};

/* All defaults. */
void settings_init(struct replace_settings *out_settings);

/* settings_find: the setting of that name, in any case, without "mvswap."; a `-` counts as `_` (as
 * in start-up options). False with 42704 and the nearest name as hint. */
MUST_CHECK bool settings_find(const char *name, enum setting *out_setting,
                              struct settings_problem *out_problem);
/* settings_set: false, with nothing changed, when the value is none of the setting's (22023) or its
 * feature is missing (0A000). Durations are numbers with ms, s, min, h or d; without a unit
 * seconds; at most 40 days. */
MUST_CHECK bool settings_set(struct replace_settings *settings, enum setting setting,
                             const char *value, enum setting_source source,
                             struct settings_problem *out_problem);
/* settings_reset: back to what `to` has. */
void settings_reset(struct replace_settings *settings, enum setting setting,
                    const struct replace_settings *to);

enum { SETTING_TEXT_LEN = DURATION_TEXT_LEN };
/* settings_text writes a value as settings_set reads it. */
void settings_text(const struct replace_settings *settings, enum setting setting,
                   char out_text[SETTING_TEXT_LEN]);

/* How many letters have to be changed, added or left out to make `b` of `a` (Levenshtein); names of
 * 40 letters and more are far from everything. */
unsigned name_distance(const char *a, const char *b);

#endif
