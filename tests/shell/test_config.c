/* config: files as people write them, right and wrong; variables; every option by every way. */
#define _POSIX_C_SOURCE 200809L

#include "config.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct complaints {
    size_t num;
    char text[2048]; /* one line each, without the file's name */
};

static void complain(void *context, const char *line)
{
    struct complaints *c = context;
    const char *colon = strncmp(line, "/", 1) == 0 ? strchr(line, ':') + 1 : line;
    size_t len = strlen(c->text);
    c->num++;
    (void)snprintf(c->text + len, sizeof(c->text) - len, "%s\n", colon);
}

/* Reads `text` as a file. */
static bool read_text(const char *text, struct proxy_options *options, struct complaints *c)
{
    char path[] = "/tmp/mvswap-test-config-XXXXXX";
    int file = mkstemp(path);
    cr_assert(ge(int, file, 0));
    cr_assert(eq(int, (int)write(file, text, strlen(text)), (int)strlen(text)));
    (void)close(file);
    *c = (struct complaints){.num = 0};
    config_defaults(options);
    bool good = config_read_file(options, path, complain, c);
    (void)unlink(path);
    return good;
}

static const char *value_of(const struct proxy_options *options, const char *key)
{
    static char scratch[CONFIG_TEXT_LEN];
    struct config_problem problem;
    size_t index = 0;
    cr_assert(config_find(NULL, key, &index, &problem), "%s", key);
    return config_text(options, index, scratch);
}

Test(config, a_file_is_read)
{
    struct proxy_options o;
    struct complaints c;
    cr_assert(read_text("; what people write\n"
                        "# and this\n"
                        "[proxy]\n"
                        "listen = [::1]:6432\n"
                        "server: db.example:4566   ; behind a value\n"
                        "max_connections=50\n"
                        "max_builds = 0\n"
                        "state_file = /var/lib/mvswap/state\n"
                        "\n"
                        "[replace]\n"
                        "build = Foreground\n"
                        "drain_min = 2s\n"
                        "[log]\n"
                        "log_level = debug",
                        &o, &c),
              "%s", c.text);
    cr_expect(eq(str, (char *)value_of(&o, "listen"), "[::1]:6432"));
    cr_expect(eq(str, (char *)value_of(&o, "server"), "db.example:4566"));
    cr_expect(eq(str, (char *)value_of(&o, "max_connections"), "50"));
    cr_expect(eq(str, (char *)value_of(&o, "build"), "foreground"));
    cr_expect(eq(str, (char *)value_of(&o, "drain_min"), "2s"));
    cr_expect(eq(str, (char *)value_of(&o, "log_level"), "debug"));
    cr_expect(eq(str, (char *)value_of(&o, "max_builds"), "0"));
    cr_expect(eq(str, (char *)value_of(&o, "state_file"), "/var/lib/mvswap/state"));
    cr_expect(eq(int, o.settings.sources[SETTING_BUILD], SOURCE_FILE));
    cr_expect(eq(int, o.settings.sources[SETTING_NOTICES], SOURCE_BUILT_IN));
}

/* Letters: a key that is so long is near to none. */
#define FIFTY "listenlistenlistenlistenlistenlistenlistenlisten__"

Test(config, a_section_need_not_be_said_twice)
{
    struct proxy_options o;
    struct complaints c;
    cr_assert(read_text("[log]\nlevel = debug\n"
                        "[janitor]\ndsn = host=x\njanitor_interval = 5s\ndry_run = on\n",
                        &o, &c),
              "%s", c.text);
    cr_expect(eq(str, (char *)value_of(&o, "log_level"), "debug"));
    cr_expect(eq(str, (char *)value_of(&o, "janitor_dsn"), "host=x"));
    cr_expect(eq(str, (char *)value_of(&o, "janitor_interval"), "5s"));
    cr_expect(eq(str, (char *)value_of(&o, "janitor_dry_run"), "on"));
    config_cleanup(&o);
    cr_expect(not(read_text("[proxy]\ndsn = x\n[log]\nlog_log_level = info\n"
                            "[janitor]\n_dsn = x\njanitordsn = x\n",
                            &o, &c)));
    cr_expect(eq(sz, c.num, 4));
    config_cleanup(&o);
}

Test(config, what_may_hold_a_password_is_private_and_in_no_message)
{
    struct proxy_options o;
    struct config_problem problem = {"", ""};
    char dsn[400] = "password=secret123";
    size_t index = 0;
    size_t num = 0;
    memset(dsn + strlen(dsn), 'x', sizeof(dsn) - 1 - strlen(dsn));
    config_defaults(&o);
    cr_assert(config_find("janitor", "dsn", &index, &problem));
    cr_expect(config_is_private(index));
    cr_expect(not(config_set(&o, index, dsn, SOURCE_FILE, &problem)));
    cr_expect(eq(ptr, strstr(problem.message, "secret123"), NULL));
    dsn[255] = 0;
    cr_expect(config_set(&o, index, dsn, SOURCE_FILE, &problem));
    for (size_t i = 0; i < config_num_options(); i++) {
        num += config_is_private(i);
    }
    cr_expect(eq(sz, num, 4)); /* and check, before_build, after_swap */
    config_cleanup(&o);
}

Test(config, every_problem_is_told_with_its_line)
{
    static const struct {
        const char *text;
        const char *complaint;
    } rows[] = {
        {"[proxy]\nlissen = x\n", "2: unknown key: \"lissen\". Perhaps you meant listen.\n"},
        {"[proxy]\nquitedifferent = x\n", "2: unknown key: \"quitedifferent\"\n"},
        {"[replace]\nlisten = a:1\n", "2: unknown key: \"listen\". Perhaps you meant listen.\n"},
        {"[nothing]\nlisten = a:1\n", "2: unknown key: \"listen\". Perhaps you meant listen.\n"},
        {FIFTY FIFTY FIFTY "____ = a:1\n", "1: unknown key: \"" FIFTY FIFTY "\"\n"},
        {"listen = a:1\n", "1: unknown key: \"listen\". Perhaps you meant listen.\n"},
        {"[proxy]\n\nlisten\n", "3: expected [section] or key = value\n"},
        {"[proxy\nlisten = a:1\n", NULL},
        {"[proxy]\nmax_connections = 0\n",
         "2: bad number: \"0\". Expected a number from 1 to 100000.\n"},
        {"[proxy]\nmax_builds = many\n",
         "2: bad number: \"many\". Expected a number from 0 to 100000.\n"},
        {"[proxy]\nmax_connections = -5\n",
         "2: bad number: \"-5\". Expected a number from 1 to 100000.\n"},
        {"[proxy]\nmax_connections = 7x\n",
         "2: bad number: \"7x\". Expected a number from 1 to 100000.\n"},
        {"[proxy]\nshutdown_timeout = soon\n",
         "2: bad duration: \"soon\". Expected a number and ms, s, min, h or d, for example 30s.\n"},
        {"[log]\nlog_level = loud\n",
         "2: bad level: \"loud\". Expected debug, info, warning or error.\n"},
        {"[replace]\nbuild = quick\nnotices = none\n",
         "2: invalid value for setting \"mvswap.build\": \"quick\". Available values: background, "
         "foreground.\n"
         "3: invalid value for setting \"mvswap.notices\": \"none\". Available values: progress, "
         "summary, off.\n"},
        {"[replace]\nbefore_build = DELETE FROM a ; DELETE FROM b\n",
         "2: SQL stands on one line here, without a ; behind a blank. Behind a blank it begins a "
         "comment.\n"},
        {"[replace]\ncheck = SELECT true\n  FROM a\n",
         "3: SQL stands on one line here, without a ; behind a blank. Behind a blank it begins a "
         "comment.\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct proxy_options o;
        struct complaints c;
        cr_expect(not(read_text(rows[i].text, &o, &c)), "%s", rows[i].text);
        if (rows[i].complaint != NULL) {
            cr_expect(eq(str, c.text, (char *)rows[i].complaint));
        }
        config_cleanup(&o);
    }
}

Test(config, a_line_that_is_too_long_is_told_and_the_next_is_read)
{
    char text[2000] = "[proxy]\nlisten = ";
    size_t len = strlen(text);
    struct proxy_options o;
    struct complaints c;
    memset(text + len, 'a', 1000);
    (void)snprintf(text + len + 1000, sizeof(text) - len - 1000, "\nmax_connections = 7\n");
    cr_expect(not(read_text(text, &o, &c)));
    cr_expect(eq(str, c.text, "2: the line is too long\n"));
    cr_expect(eq(str, (char *)value_of(&o, "max_connections"), "7"));
    cr_expect(eq(str, (char *)value_of(&o, "listen"), ":"));
}

Test(config, a_path_that_is_too_long_is_not_cut)
{
    char path[STATE_FILE_PATH_LEN + 1];
    struct proxy_options o;
    struct config_problem problem;
    size_t index = 0;
    memset(path, 'a', sizeof(path));
    path[STATE_FILE_PATH_LEN] = 0;
    config_defaults(&o);
    cr_assert(config_find("proxy", "state_file", &index, &problem));
    cr_expect(not(config_set(&o, index, path, SOURCE_COMMAND_LINE, &problem)));
    cr_expect(eq(str, problem.hint, "At most 255 bytes."));
    cr_expect(eq(str, (char *)value_of(&o, "state_file"), ""));
    path[STATE_FILE_PATH_LEN - 1] = 0;
    cr_expect(config_set(&o, index, path, SOURCE_COMMAND_LINE, &problem));
    cr_expect(eq(str, (char *)value_of(&o, "state_file"), path));
}

Test(config, sql_in_a_file)
{
    struct proxy_options o;
    struct complaints c;
    cr_assert(read_text("[replace]\n; about it\nbefore_build = DELETE FROM a; DELETE FROM b\n"
                        " ; and more\ncheck: SELECT a = ';' FROM {new}\n",
                        &o, &c),
              "%s", c.text);
    cr_expect(eq(str, (char *)value_of(&o, "before_build"), "DELETE FROM a; DELETE FROM b"));
    cr_expect(eq(str, (char *)value_of(&o, "check"), "SELECT a = ';' FROM {new}"));
    config_cleanup(&o);
}

Test(config, a_file_that_is_not_there)
{
    struct proxy_options o;
    struct complaints c = {.num = 0};
    config_defaults(&o);
    cr_expect(not(config_read_file(&o, "/nowhere/mvswap.conf", complain, &c)));
    cr_expect(eq(str, c.text, "0: cannot be read\n"));
}

Test(config, variables_are_stronger_than_the_file)
{
    struct proxy_options o;
    struct complaints c;
    cr_assert(read_text("[replace]\nbuild = foreground\nnotices = off\n", &o, &c));
    (void)setenv("MVSWAP_BUILD", "background", 1);
    (void)setenv("MVSWAP_DRAIN_MIN", "3s", 1);
    cr_assert(config_read_environment(&o, complain, &c), "%s", c.text);
    cr_expect(eq(str, (char *)value_of(&o, "build"), "background"));
    cr_expect(eq(str, (char *)value_of(&o, "drain_min"), "3s"));
    cr_expect(eq(str, (char *)value_of(&o, "notices"), "off"));
    cr_expect(eq(int, o.settings.sources[SETTING_BUILD], SOURCE_ENVIRONMENT));
    (void)setenv("MVSWAP_BUILD", "fast", 1);
    cr_expect(not(config_read_environment(&o, complain, &c)));
    cr_expect(eq(str, c.text,
                 "MVSWAP_BUILD: invalid value for setting \"mvswap.build\": \"fast\". "
                 "Available values: background, foreground.\n"));
}

Test(config, every_option_is_documented_and_reads_its_own_text)
{
    struct proxy_options o;
    config_defaults(&o);
    for (size_t i = 0; i < config_num_options(); i++) {
        const struct config_option *option = config_option(i);
        struct config_problem problem;
        char scratch[CONFIG_TEXT_LEN];
        size_t found = 0;
        cr_expect(ne(str, (char *)option->description, ""), "%s", option->key);
        cr_expect(config_find(option->section, option->key, &found, &problem) && found == i);
        const char *text = config_text(&o, i, scratch);
        if (option->default_text[0] != 0 || strcmp(option->section, "replace") == 0) {
            cr_expect(eq(str, (char *)text, (char *)option->default_text), "%s", option->key);
            cr_expect(config_set(&o, i, text, SOURCE_COMMAND_LINE, &problem), "%s", option->key);
        }
    }
}
