/*
 * cmd_replace: `mvswap replace` and `mvswap plan`: the statements of files or of the command line,
 * ordered, each carried out by the engine, or only planned.
 */
#include "commands.h"

#include "console.h"
#include "direct_options.h"
#include "direct_run.h"
#include "hints.h"
#include "statements.h"

#include <stdio.h>
#include <string.h>

enum {
    FLAGS = DIRECT_SOURCES | DIRECT_SETTINGS,
    /* `mvswap plan`: as diff and terraform have it, and told apart from an error. */
    EXIT_CHANGES = 2,
    /* A bar moves each second; lines come as mvswap.progress_interval says. */
    BAR_MS = 1000,
    MOST_SOURCE_TEXT = 300
};

struct batch {
    struct cli_statements statements;
    const struct direct_options *options;
    enum replace_mode mode;
    struct console *console;
    size_t at;
    bool failed;
    bool changes; /* or would change */
};

static void source_text(const struct cli_statement *s, char out[MOST_SOURCE_TEXT])
{
    char nth[24] = "";
    if (s->nth > 1) {
        (void)snprintf(nth, sizeof(nth), "%zu", s->nth);
    }
    (void)snprintf(out, MOST_SOURCE_TEXT, "%s%s:%zu", s->source, nth, s->line);
}

static void complain(const struct cli_statement *s, const char *message, const char *hint)
{
    char source[MOST_SOURCE_TEXT];
    source_text(s, source);
    (void)fprintf(stderr, "mvswap: %s: %s%s%s\n", source, message, hint[0] != 0 ? ". " : "", hint);
}

/* Its settings, with those in its comments. False: that was said. */
static bool read_settings(const struct batch *b, const struct cli_statement *s,
                          struct replace_settings *out)
{
    struct settings_problem problem = {.message = "out of memory"};
    bool good = settings_copy(&b->options->settings, out) &&
                hints_read(s->text, strlen(s->text), out, &problem) == HINTS_READ;
    if (!good) {
        complain(s, problem.message, problem.hint);
    }
    return good;
}

/* Before anything is done. */
static bool check_settings(const struct batch *b)
{
    bool good = true;
    for (size_t i = 0; i < b->statements.num && good; i++) {
        struct replace_settings settings = {0};
        good = read_settings(b, &b->statements.items[i], &settings);
        settings_cleanup(&settings);
    }
    return good;
}

static struct replace *next(void *context, struct moment now)
{
    struct batch *b = context;
    struct replace_settings settings = {0};
    struct replace *engine = NULL;
    if (b->at == b->statements.num || (b->failed && b->mode == REPLACE_CARRY_OUT)) {
        return NULL;
    }
    const struct cli_statement *s = &b->statements.items[b->at];
    if (read_settings(b, s, &settings)) {
        bool is_default = settings.sources[SETTING_PROGRESS_INTERVAL] == SOURCE_BUILT_IN;
        if (console_is_terminal(b->console) && is_default) {
            settings.values[SETTING_PROGRESS_INTERVAL] = BAR_MS;
        }
        engine = replace_new(s->text, strlen(s->text), &settings, b->mode, now);
        if (engine == NULL) {
            complain(s, "out of memory", "");
        }
    }
    settings_cleanup(&settings);
    b->failed = b->failed || engine == NULL;
    return engine;
}

static void noticed(void *context, const struct replace_notice *notice)
{
    struct batch *b = context;
    console_notice(b->console, notice);
}

static bool ended(void *context, const struct replace *engine, const struct replace_notice *error,
                  uint64_t ms)
{
    struct batch *b = context;
    char source[MOST_SOURCE_TEXT];
    const struct replace_outcome *outcome = replace_outcome(engine);
    source_text(&b->statements.items[b->at], source);
    console_outcome(b->console, engine, source, error, ms);
    b->at++;
    b->failed = b->failed || error != NULL || outcome->would_be_refused;
    b->changes = b->changes || outcome->effect != REPLACE_UNTOUCHED;
    /* A plan goes on: each statement is looked at by itself. */
    return error == NULL || b->mode == REPLACE_PLAN;
}

/* Exit status 0, or 1 when something went wrong. */
static int carry_out(struct batch *b)
{
    struct direct_work work = {.context = b, .next = next, .noticed = noticed, .ended = ended};
    bool good = direct_run(b->options, &work) && b->at == b->statements.num;
    /* People have seen why when nothing was begun at all. */
    bool tells = b->at != 0 || b->options->json;
    for (size_t i = b->at; tells && i < b->statements.num; i++) {
        char source[MOST_SOURCE_TEXT];
        source_text(&b->statements.items[i], source);
        console_not_begun(b->console, b->statements.items[i].name, source);
    }
    return good && !b->failed ? EXIT_OK : EXIT_ERROR;
}

static int run(const struct direct_options *options, enum replace_mode mode)
{
    struct batch b = {.options = options, .mode = mode};
    int status = EXIT_ERROR;
    if (statements_read(options, &b.statements) && statements_order(&b.statements) &&
        check_settings(&b)) {
        b.console = console_new(options->json);
        if (b.console == NULL) {
            (void)fputs("mvswap: out of memory\n", stderr);
        } else {
            status = carry_out(&b);
            status = console_end(b.console) ? status : EXIT_ERROR;
        }
    }
    if (status == EXIT_OK && mode == REPLACE_PLAN && b.changes) {
        status = EXIT_CHANGES;
    }
    statements_cleanup(&b.statements);
    return status;
}

static void print_help(enum replace_mode mode)
{
    if (mode == REPLACE_CARRY_OUT) {
        (void)fputs(
            "Usage: mvswap replace {-f FILE | -c STATEMENT}... [OPTIONS]\n"
            "\n"
            "Carries out CREATE OR REPLACE [MATERIALIZED] VIEW statements on a connection of "
            "its own,\n"
            "as the proxy does it. Several are ordered by what reads what; the first error "
            "stops the\n"
            "rest. Ctrl-C undoes the one that runs.\n"
            "\n"
            "Exit status: 0 all done (or nothing to do), 1 an error, 2 a wrong command "
            "line.\n"
            "\n",
            stdout);
    } else {
        (void)fputs(
            "Usage: mvswap plan {-f FILE | -c STATEMENT}... [OPTIONS]\n"
            "\n"
            "Says what mvswap replace would do with the statements, each by itself, and does "
            "nothing.\n"
            "\n"
            "Exit status: 0 nothing to do, 2 changes, 1 an error, a refusal or a wrong "
            "command line.\n"
            "\n",
            stdout);
    }
    direct_options_print(FLAGS);
}

static int command(int argc, char **argv, enum replace_mode mode)
{
    struct direct_options options;
    int status = EXIT_OK;
    switch (direct_options_read(argc, argv, FLAGS, &options)) {
    case DIRECT_READ:
        status = run(&options, mode);
        break;
    case DIRECT_HELP:
        print_help(mode);
        break;
    case DIRECT_USAGE:
        status = mode == REPLACE_PLAN ? EXIT_ERROR : EXIT_USAGE;
        break;
    }
    direct_options_cleanup(&options);
    return status;
}

int cmd_replace(int argc, char **argv)
{
    return command(argc, argv, REPLACE_CARRY_OUT);
}

int cmd_plan(int argc, char **argv)
{
    return command(argc, argv, REPLACE_PLAN);
}
