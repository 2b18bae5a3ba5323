/* config: see config.h. */
#include "config.h"

#include "dsn.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum own_option {
    OPTION_LISTEN,
    OPTION_SERVER,
    OPTION_MAX_CONNECTIONS,
    OPTION_MAX_BUILDS,
    OPTION_STATE_FILE,
    OPTION_SHUTDOWN_TIMEOUT,
    OPTION_LOG_LEVEL,
    OPTION_JANITOR_DSN,
    OPTION_JANITOR_INTERVAL,
    OPTION_JANITOR_OLDER_THAN,
    OPTION_JANITOR_DRY_RUN,
    NUM_OWN_OPTIONS
};
enum { NUM_OPTIONS = NUM_OWN_OPTIONS + SETTING_COUNT };

static const struct config_option own[NUM_OWN_OPTIONS] = {
    [OPTION_LISTEN] = {"proxy", "listen", "HOST:PORT", "",
                       "where clients connect; [::1]:6432 for IPv6, of a name the first address, "
                       "port 0 picks a free one",
                       true},
    [OPTION_SERVER] = {"proxy", "server", "HOST:PORT", "",
                       "RisingWave; the name is looked up at every connection", false},
    [OPTION_MAX_CONNECTIONS] = {"proxy", "max_connections", "N", "1000",
                                "more are refused with 53300; lowered when the limit of open files "
                                "is too low",
                                true},
    [OPTION_MAX_BUILDS] = {"proxy", "max_builds", "N", "4",
                           "views that are built at one time; further replacements wait in the "
                           "order in which they came, more than 64 are refused with 53300; 0: no "
                           "limit",
                           false},
    [OPTION_STATE_FILE] = {"proxy", "state_file", "PATH", "",
                           "where it is kept across restarts which views were left under temporary "
                           "names; without it until the process ends",
                           true},
    [OPTION_SHUTDOWN_TIMEOUT] = {"proxy", "shutdown_timeout", "DURATION", "30s",
                                 "after SIGTERM, how long running statements may go on; a second "
                                 "signal ends them at once",
                                 false},
    [OPTION_LOG_LEVEL] = {"log", "log_level", "LEVEL", "info", "debug, info, warning or error",
                          false},
    [OPTION_JANITOR_DSN] = {"janitor", "janitor_dsn", "CONNINFO", "",
                            "a connection string or URI of libpq, at most 255 bytes: with it the "
                            "proxy looks for what is left under temporary names in that database "
                            "and drops what may go, and notices views that others have replaced",
                            false},
    [OPTION_JANITOR_INTERVAL] = {"janitor", "janitor_interval", "DURATION", "1min",
                                 "how often it looks, at least 1s", false},
    [OPTION_JANITOR_OLDER_THAN] = {"janitor", "janitor_older_than", "DURATION", "1d",
                                   "what is newer stays; longer than any build and any keep_old "
                                   "of others, at most 40d",
                                   false},
    [OPTION_JANITOR_DRY_RUN] = {"janitor", "janitor_dry_run", "off, on", "off",
                                "it only logs what it would drop", false},
};

size_t config_num_options(void)
{
    return NUM_OPTIONS;
}

const struct config_option *config_option(size_t index)
{
    static struct config_option settings[SETTING_COUNT];
    if (index < NUM_OWN_OPTIONS) {
        return &own[index];
    }
    const struct setting_info *info = setting_info((enum setting)(index - NUM_OWN_OPTIONS));
    struct config_option *option = &settings[index - NUM_OWN_OPTIONS];
    *option = (struct config_option){.section = "replace",
                                     .key = info->name,
                                     .argument = info->values,
                                     .default_text = info->default_text,
                                     .description = info->description};
    return option;
}

static const char *key_at(size_t index)
{
    return config_option(index)->key;
}

/* Something to say of a key that nobody knows. */
static const char *nearest_key(const char *key)
{
    static char hint[96];
    size_t nearest = name_nearest(key, NUM_OPTIONS, key_at);
    if (nearest == NUM_OPTIONS) {
        return "";
    }
    (void)snprintf(hint, sizeof(hint), "Perhaps you meant %s.", key_at(nearest));
    return hint;
}

static bool refuse(struct config_problem *out_problem, const char *message, const char *value,
                   const char *hint)
{
    (void)snprintf(out_problem->message, sizeof(out_problem->message), "%s: \"%.100s\"", message,
                   value);
    (void)snprintf(out_problem->hint, sizeof(out_problem->hint), "%s", hint);
    return false;
}

static bool is_key(const struct config_option *option, const char *section, const char *key)
{
    size_t len = strlen(section);
    if (strcmp(option->section, section) != 0) {
        return false;
    }
    return strcmp(option->key, key) == 0 ||
           (strncmp(option->key, section, len) == 0 && option->key[len] == '_' &&
            strcmp(option->key + len + 1, key) == 0);
}

bool config_find(const char *section, const char *key, size_t *out_index,
                 struct config_problem *out_problem)
{
    for (size_t i = 0; i < NUM_OPTIONS; i++) {
        const struct config_option *option = config_option(i);
        if (section == NULL ? strcmp(option->key, key) == 0 : is_key(option, section, key)) {
            *out_index = i;
            return true;
        }
    }
    return refuse(out_problem, "unknown key", key, nearest_key(key));
}

static bool set_address(struct address *out, const char *value, struct config_problem *out_problem)
{
    const char *why = NULL;
    return address_parse(value, out, &why) || refuse(out_problem, "bad address", value, why);
}

static bool set_number(unsigned *out, const char *value, unsigned least,
                       struct config_problem *out_problem)
{
    enum { MOST = 100000 };
    char hint[64];
    char *end = NULL;
    unsigned long number = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != 0 || number < least || number > MOST) {
        (void)snprintf(hint, sizeof(hint), "Expected a number from %u to %u.", least, MOST);
        return refuse(out_problem, "bad number", value, hint);
    }
    *out = (unsigned)number;
    return true;
}

static bool set_path(char out_path[STATE_FILE_PATH_LEN], const char *value,
                     struct config_problem *out_problem)
{
    if (strlen(value) >= STATE_FILE_PATH_LEN) {
        return refuse(out_problem, "the path is too long", value, "At most 255 bytes.");
    }
    (void)snprintf(out_path, STATE_FILE_PATH_LEN, "%s", value);
    return true;
}

static bool set_duration(uint32_t *out_ms, const char *value, uint32_t least_ms,
                         struct config_problem *out_problem)
{
    uint32_t ms = 0;
    if (!duration_parse(value, &ms)) {
        return refuse(out_problem, "bad duration", value,
                      "Expected a number and ms, s, min, h or d, for example 30s.");
    }
    if (ms < least_ms) {
        return refuse(out_problem, "the duration is too short", value, "At least 1s.");
    }
    *out_ms = ms;
    return true;
}

/* Its text may hold a password: it is in no message. */
static bool set_dsn(char out_dsn[JANITOR_DSN_LEN], const char *value,
                    struct config_problem *out_problem)
{
    if (strlen(value) >= JANITOR_DSN_LEN) {
        return refuse(out_problem, "the connection string is too long", "...",
                      "At most 255 bytes; service files and .pgpass keep it short.");
    }
    const char *problem = dsn_problem(value);
    if (problem != NULL) {
        return refuse(out_problem, "the connection string cannot be read", "...", problem);
    }
    (void)snprintf(out_dsn, JANITOR_DSN_LEN, "%s", value);
    return true;
}

static bool set_switch(bool *out, const char *value, struct config_problem *out_problem)
{
    bool on = strcmp(value, "on") == 0;
    if (!on && strcmp(value, "off") != 0) {
        return refuse(out_problem, "bad switch", value, "Expected on or off.");
    }
    *out = on;
    return true;
}

static bool set_own(struct proxy_options *options, size_t index, const char *value,
                    struct config_problem *out_problem)
{
    switch ((enum own_option)index) {
    case OPTION_LISTEN:
        return set_address(&options->listen, value, out_problem);
    case OPTION_SERVER:
        return set_address(&options->server, value, out_problem);
    case OPTION_MAX_CONNECTIONS:
        return set_number(&options->max_connections, value, 1, out_problem);
    case OPTION_MAX_BUILDS:
        return set_number(&options->max_builds, value, 0, out_problem);
    case OPTION_STATE_FILE:
        return set_path(options->state_file, value, out_problem);
    case OPTION_SHUTDOWN_TIMEOUT:
        return set_duration(&options->shutdown_timeout_ms, value, 0, out_problem);
    case OPTION_JANITOR_DSN:
        return set_dsn(options->janitor.dsn, value, out_problem);
    case OPTION_JANITOR_INTERVAL:
        return set_duration(&options->janitor.interval_ms, value, 1000, out_problem);
    case OPTION_JANITOR_OLDER_THAN:
        return set_duration(&options->janitor.older_than_ms, value, 0, out_problem);
    case OPTION_JANITOR_DRY_RUN:
        return set_switch(&options->janitor.dry_run, value, out_problem);
    default:
        if (log_level_named(value) < 0) {
            return refuse(out_problem, "bad level", value,
                          "Expected debug, info, warning or error.");
        }
        options->log_level = log_level_named(value);
        return true;
    }
}

bool config_set(struct proxy_options *options, size_t index, const char *value,
                enum setting_source source, struct config_problem *out_problem)
{
    struct settings_problem problem;
    if (index < NUM_OWN_OPTIONS) {
        return set_own(options, index, value, out_problem);
    }
    if (settings_set(&options->settings, (enum setting)(index - NUM_OWN_OPTIONS), value, source,
                     &problem)) {
        return true;
    }
    (void)snprintf(out_problem->message, sizeof(out_problem->message), "%s", problem.message);
    (void)snprintf(out_problem->hint, sizeof(out_problem->hint), "%s", problem.hint);
    return false;
}

void config_defaults(struct proxy_options *out_options)
{
    struct config_problem ignored;
    *out_options = (struct proxy_options){.max_connections = 1};
    settings_init(&out_options->settings);
    for (size_t i = 0; i < NUM_OWN_OPTIONS; i++) {
        if (own[i].default_text[0] != 0) {
            (void)set_own(out_options, i, own[i].default_text, &ignored);
        }
    }
}

void config_cleanup(struct proxy_options *options)
{
    settings_cleanup(&options->settings);
}

bool config_is_sql(size_t index)
{
    return index >= NUM_OWN_OPTIONS && setting_is_sql((enum setting)(index - NUM_OWN_OPTIONS));
}

bool config_is_private(size_t index)
{
    return config_is_sql(index) || index == OPTION_JANITOR_DSN;
}

static void address_text(const struct address *address, char out_text[CONFIG_TEXT_LEN])
{
    bool is_ipv6 = strchr(address->host, ':') != NULL;
    (void)snprintf(out_text, CONFIG_TEXT_LEN, is_ipv6 ? "[%s]:%s" : "%s:%s", address->host,
                   address->port);
}

const char *config_text(const struct proxy_options *options, size_t index,
                        char scratch[CONFIG_TEXT_LEN])
{
    if (index >= NUM_OWN_OPTIONS) {
        return settings_text(&options->settings, (enum setting)(index - NUM_OWN_OPTIONS), scratch);
    }
    switch ((enum own_option)index) {
    case OPTION_LISTEN:
        address_text(&options->listen, scratch);
        break;
    case OPTION_SERVER:
        address_text(&options->server, scratch);
        break;
    case OPTION_MAX_CONNECTIONS:
        (void)snprintf(scratch, CONFIG_TEXT_LEN, "%u", options->max_connections);
        break;
    case OPTION_MAX_BUILDS:
        (void)snprintf(scratch, CONFIG_TEXT_LEN, "%u", options->max_builds);
        break;
    case OPTION_STATE_FILE:
        (void)snprintf(scratch, CONFIG_TEXT_LEN, "%s", options->state_file);
        break;
    case OPTION_SHUTDOWN_TIMEOUT:
        duration_text(options->shutdown_timeout_ms, scratch);
        break;
    case OPTION_JANITOR_DSN:
        (void)snprintf(scratch, CONFIG_TEXT_LEN, "%s", options->janitor.dsn);
        break;
    case OPTION_JANITOR_INTERVAL:
        duration_text(options->janitor.interval_ms, scratch);
        break;
    case OPTION_JANITOR_OLDER_THAN:
        duration_text(options->janitor.older_than_ms, scratch);
        break;
    case OPTION_JANITOR_DRY_RUN:
        (void)snprintf(scratch, CONFIG_TEXT_LEN, "%s", options->janitor.dry_run ? "on" : "off");
        break;
    default:
        (void)snprintf(scratch, CONFIG_TEXT_LEN, "%s",
                       log_level_name((enum log_level)options->log_level));
        break;
    }
    return scratch;
}
