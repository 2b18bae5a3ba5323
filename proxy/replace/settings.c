/* settings: see settings.h. */
#include "settings.h"

#include "mem.h"
#include "setting_sql.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum kind {
    KIND_CHOICE,
    KIND_DURATION,
    KIND_SQL /* its text is in settings.sql */
};

enum { MOST_CHOICES = 4, SECOND_MS = 1000 };

struct entry {
    struct setting_info info;
    enum kind kind;
    const char *choices[MOST_CHOICES]; /* the default first */
    uint32_t default_value;
};

/* Initialisers cannot stand in parentheses. NOLINTBEGIN(bugprone-macro-parentheses) */
#define CHOICES(name_, description_, values_, default_, ...)                                       \
    {                                                                                              \
        .info = {.name = name_,                                                                    \
                 .values = values_,                                                                \
                 .default_text = default_,                                                         \
                 .description = description_},                                                     \
        .kind = KIND_CHOICE, .choices = {                                                          \
            default_,                                                                              \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define DURATION(name_, description_, text_, ms_)                                                  \
    {                                                                                              \
        .info = {.name = name_,                                                                    \
                 .values = "duration",                                                             \
                 .default_text = text_,                                                            \
                 .description = description_},                                                     \
        .kind = KIND_DURATION, .default_value = ms_                                                \
    }
#define SQL(name_, description_)                                                                   \
    {                                                                                              \
        .info = {.name = name_,                                                                    \
                 .values = "SQL, or empty",                                                        \
                 .default_text = "",                                                               \
                 .description = description_},                                                     \
        .kind = KIND_SQL                                                                           \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

static const struct entry entries[SETTING_COUNT] = {
    [SETTING_ZERO_DOWNTIME] =
        CHOICES("zero_downtime",
                "off: the old view is dropped and then created anew, after the same inspection; "
                "readers see a gap, and a build that fails loses the view",
                "on, off", "on", "off"),
    [SETTING_UNCHANGED] = CHOICES("unchanged", "what an identical definition does", "skip, rebuild",
                                  "skip", "rebuild"),
    [SETTING_ON_CHANGE] = CHOICES(
        "on_change", "what a changed definition does: replace; a NOTICE and nothing else; an error",
        "apply, continue, fail", "apply", "continue", "fail"),
    [SETTING_DEPENDENTS] =
        CHOICES("dependents", "what happens to objects that read the view",
                "views, keep, refuse, cascade", "views", "keep", "refuse", "cascade"),
    [SETTING_COLUMNS] = CHOICES("columns", "which changes of the columns are accepted",
                                "any, compatible, same", "any", "compatible", "same"),
    [SETTING_INDEXES] = CHOICES("indexes", "whether the old view's indexes are made anew",
                                "carry, drop", "carry", "drop"),
    [SETTING_CHECK] =
        SQL("check", "runs before the swap, with {new} and {old}: no row, or one row whose first "
                     "column is true, passes"),
    [SETTING_BEFORE_BUILD] = SQL("before_build", "runs before the build"),
    [SETTING_AFTER_SWAP] = SQL("after_swap", "runs after the swap"),
    [SETTING_BUILD] =
        CHOICES("build",
                "how the server builds: a job in the background survives a recovery of the cluster",
                "background, foreground", "background", "foreground"),
    [SETTING_BUILD_TIMEOUT] =
        DURATION("build_timeout", "after this the build is given up and undone; 0: never", "0", 0),
    [SETTING_DRAIN_MIN] =
        DURATION("drain_min", "how long the old view is kept after the swap in any case", "500ms",
                 SECOND_MS / 2),
    [SETTING_DRAIN] = DURATION(
        "drain", "how long the drop waits for queries that were already reading the old view",
        "30s", 30 * SECOND_MS),
    [SETTING_KEEP_OLD] =
        DURATION("keep_old", "how long the old view is kept, fresh, for a rollback", "0", 0),
    [SETTING_PREPARED] = CHOICES("prepared", "whether prepared statements follow the swap",
                                 "follow, leave", "follow", "leave"),
    [SETTING_ON_DISCONNECT] = CHOICES(
        "on_disconnect", "what a replacement does when its client goes away: undo, or finish",
        "cancel, finish", "cancel", "finish"),
    [SETTING_NOTICES] = CHOICES("notices", "how much the client is told: warnings come in any case",
                                "progress, summary, off", "progress", "summary", "off"),
    [SETTING_PROGRESS_INTERVAL] =
        DURATION("progress_interval", "time between NOTICEs while the view is built; 0: none",
                 "10s", 10 * SECOND_MS),
};

static const char *const sources[] = {
    [SOURCE_BUILT_IN] = "default",
    [SOURCE_FILE] = "configuration file",
    [SOURCE_ENVIRONMENT] = "environment variable",
    [SOURCE_COMMAND_LINE] = "command line",
    [SOURCE_STARTUP] = "client",
    [SOURCE_SESSION] = "session",
    [SOURCE_HINT] = "hint",
};

const char *setting_source_name(enum setting_source source)
{
    return sources[source];
}

const struct setting_info *setting_info(enum setting setting)
{
    return &entries[setting].info;
}

bool setting_is_sql(enum setting setting)
{
    return entries[setting].kind == KIND_SQL;
}

void settings_lack_memory(struct settings_problem *out_problem)
{
    *out_problem = (struct settings_problem){.sqlstate = "53200", .message = "out of memory"};
}

bool settings_lacked_memory(const struct settings_problem *problem)
{
    return strcmp(problem->sqlstate, "53200") == 0;
}

void settings_init(struct replace_settings *out_settings)
{
    *out_settings = (struct replace_settings){.values = {0}};
    for (int i = 0; i < SETTING_COUNT; i++) {
        out_settings->values[i] = entries[i].default_value;
        out_settings->sources[i] = SOURCE_BUILT_IN;
    }
}

void settings_cleanup(struct replace_settings *settings)
{
    for (int i = 0; i < SETTINGS_NUM_SQL; i++) {
        mem_free(settings->sql[i]);
        settings->sql[i] = NULL;
    }
}

bool settings_copy(const struct replace_settings *settings, struct replace_settings *out_settings)
{
    struct replace_settings copy = *settings;
    bool good = true;
    for (int i = 0; i < SETTINGS_NUM_SQL; i++) {
        const char *text = settings->sql[i];
        copy.sql[i] = text != NULL ? mem_copy(text, strlen(text)) : NULL;
        good = good && (text == NULL || copy.sql[i] != NULL);
    }
    if (!good) {
        settings_cleanup(&copy);
        return false;
    }
    *out_settings = copy;
    return true;
}

bool settings_assign(struct replace_settings *settings, const struct replace_settings *to)
{
    struct replace_settings copy;
    if (!settings_copy(to, &copy)) {
        return false;
    }
    settings_cleanup(settings);
    *settings = copy;
    return true;
}

const char *settings_sql(const struct replace_settings *settings, enum setting setting)
{
    const char *text = settings->sql[setting - SETTINGS_FIRST_SQL];
    return text != NULL ? text : "";
}

size_t settings_memory(const struct replace_settings *settings)
{
    size_t memory = 0;
    for (int i = 0; i < SETTINGS_NUM_SQL; i++) {
        memory += settings->sql[i] != NULL ? strlen(settings->sql[i]) + 1 : 0;
    }
    return memory;
}

/* Becomes a copy of `text`. */
static bool keep_sql(struct replace_settings *settings, enum setting setting, const char *text)
{
    char **kept = &settings->sql[setting - SETTINGS_FIRST_SQL];
    char *copy = text[0] != 0 ? mem_copy(text, strlen(text)) : NULL;
    if (text[0] != 0 && copy == NULL) {
        return false;
    }
    mem_free(*kept);
    *kept = copy;
    return true;
}

bool settings_reset(struct replace_settings *settings, enum setting setting,
                    const struct replace_settings *to)
{
    if (setting_is_sql(setting) && !keep_sql(settings, setting, settings_sql(to, setting))) {
        return false;
    }
    settings->values[setting] = to->values[setting];
    settings->sources[setting] = to->sources[setting];
    return true;
}

enum { MOST_NAME = 40 /* longer than any; a longer one is near to none */ };

/* Lower case, and `_` for `-`; false when it is too long to be one. */
static bool normal_name(const char *name, char out_name[MOST_NAME])
{
    size_t len = strlen(name);
    if (len >= MOST_NAME) {
        return false;
    }
    for (size_t i = 0; i <= len; i++) {
        char c = name[i];
        if (c >= 'A' && c <= 'Z') {
            c = (char)(c - 'A' + 'a');
        }
        out_name[i] = (char)(c == '-' ? '_' : c);
    }
    return true;
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* How many letters have to be changed, added or left out to make `b` of `a` (Levenshtein). */
static unsigned name_distance(const char *a, const char *b)
{
    unsigned row[MOST_NAME];
    size_t len = strlen(b);
    if (len >= MOST_NAME || strlen(a) >= MOST_NAME) {
        return MOST_NAME;
    }
    for (size_t j = 0; j <= len; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 0; a[i] != 0; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < len; j++) {
            unsigned changed = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = smaller(changed, smaller(row[j], row[j + 1]) + 1);
        }
    }
    return row[len];
}

size_t name_nearest(const char *name, size_t num, const char *(*nth)(size_t index))
{
    /* As many wrong letters as a name of that length may have. */
    unsigned least = 3 + (unsigned)strlen(name) / 4;
    size_t nearest = num;
    for (size_t i = 0; i < num && strlen(name) < MOST_NAME; i++) {
        unsigned away = name_distance(name, nth(i));
        if (away < least) {
            least = away;
            nearest = i;
        }
    }
    return nearest;
}

static const char *name_at(size_t index)
{
    return entries[index].info.name;
}

bool settings_find(const char *name, enum setting *out_setting,
                   struct settings_problem *out_problem)
{
    char normal[MOST_NAME] = "";
    bool short_enough = normal_name(name, normal);
    for (int i = 0; short_enough && i < SETTING_COUNT; i++) {
        if (strcmp(normal, entries[i].info.name) == 0) {
            *out_setting = (enum setting)i;
            return true;
        }
    }
    size_t nearest = name_nearest(short_enough ? normal : name, SETTING_COUNT, name_at);
    *out_problem = (struct settings_problem){.sqlstate = "42704"};
    (void)snprintf(out_problem->message, sizeof(out_problem->message),
                   "unrecognized setting \"mvswap.%.60s\"", name);
    if (nearest != SETTING_COUNT) {
        (void)snprintf(out_problem->hint, sizeof(out_problem->hint), "Perhaps you meant mvswap.%s.",
                       name_at(nearest));
    } else {
        (void)snprintf(out_problem->hint, sizeof(out_problem->hint),
                       "SHOW mvswap lists all settings.");
    }
    return false;
}

/* The words of PostgreSQL's booleans (manual, 20.1.1). */
static const char *plain_choice(const struct entry *entry, const char *text)
{
    static const char *const on[] = {"true", "yes", "1"};
    static const char *const off[] = {"false", "no", "0"};
    bool is_switch = strcmp(entry->choices[0], "on") == 0;
    for (size_t i = 0; is_switch && i < sizeof(on) / sizeof(on[0]); i++) {
        if (strcasecmp(text, on[i]) == 0) {
            return "on";
        }
        if (strcasecmp(text, off[i]) == 0) {
            return "off";
        }
    }
    return text;
}

static bool parse_choice(const struct entry *entry, const char *text, uint32_t *out_value)
{
    text = plain_choice(entry, text);
    for (uint32_t i = 0; i < MOST_CHOICES && entry->choices[i] != NULL; i++) {
        if (strcasecmp(text, entry->choices[i]) == 0) {
            *out_value = i;
            return true;
        }
    }
    return false;
}

static bool parse(const struct entry *entry, const char *text, uint32_t *out_value)
{
    return entry->kind == KIND_CHOICE ? parse_choice(entry, text, out_value)
                                      : duration_parse(text, out_value);
}

static void refuse_value(const struct entry *entry, const char *value,
                         struct settings_problem *out_problem)
{
    *out_problem = (struct settings_problem){.sqlstate = "22023"};
    (void)snprintf(out_problem->message, sizeof(out_problem->message),
                   "invalid value for setting \"mvswap.%s\": \"%.60s\"", entry->info.name, value);
    (void)snprintf(out_problem->hint, sizeof(out_problem->hint), "%s: %s.",
                   entry->kind == KIND_DURATION ? "A number and ms, s, min, h or d, at most 40d"
                                                : "Available values",
                   entry->kind == KIND_DURATION ? "for example 30s" : entry->info.values);
}

static bool set_sql(struct replace_settings *settings, enum setting setting, const char *value,
                    enum setting_source source, struct settings_problem *out_problem)
{
    /* A check is asked for one answer. */
    bool one_statement = setting == SETTING_CHECK;
    if (value[0] != 0 &&
        !setting_sql_judge(entries[setting].info.name, value, one_statement, out_problem)) {
        return false;
    }
    if (!keep_sql(settings, setting, value)) {
        settings_lack_memory(out_problem);
        return false;
    }
    settings->sources[setting] = (uint8_t)source;
    return true;
}

bool settings_set(struct replace_settings *settings, enum setting setting, const char *value,
                  enum setting_source source, struct settings_problem *out_problem)
{
    const struct entry *entry = &entries[setting];
    uint32_t parsed = 0;
    if (entry->kind == KIND_SQL) {
        return set_sql(settings, setting, value, source, out_problem);
    }
    if (!parse(entry, value, &parsed)) {
        refuse_value(entry, value, out_problem);
        return false;
    }
    settings->values[setting] = parsed;
    settings->sources[setting] = (uint8_t)source;
    return true;
}

const char *settings_text(const struct replace_settings *settings, enum setting setting,
                          char scratch[SETTING_TEXT_LEN])
{
    const struct entry *entry = &entries[setting];
    switch (entry->kind) {
    case KIND_CHOICE:
        (void)snprintf(scratch, SETTING_TEXT_LEN, "%s", entry->choices[settings->values[setting]]);
        break;
    case KIND_DURATION:
        duration_text(settings->values[setting], scratch);
        break;
    case KIND_SQL:
        return settings_sql(settings, setting);
    }
    return scratch;
}
