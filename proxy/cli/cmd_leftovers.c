/* cmd_leftovers: `mvswap leftovers` and `mvswap status`: what is under temporary names. */
#include "commands.h"

#include "direct_options.h"
#include "direct_run.h"
#include "sweep.h"
#include "sweep_view.h"

#include <stdio.h>

enum { LEFT_FLAGS = DIRECT_LEFT | DIRECT_CLEAN | DIRECT_DRY_RUN, STATUS_FLAGS = DIRECT_LEFT };

struct looking {
    struct sweep *sweep;
    struct moment now;
    bool tells; /* each drop as it ends, to people */
};

static const char *ask(void *context, struct moment now)
{
    struct looking *l = context;
    struct sweep_request request;
    l->now = now;
    for (;;) {
        sweep_next(l->sweep, &request);
        if (request.kind != SWEEP_LOCK) {
            return request.kind == SWEEP_RUN ? request.sql : NULL;
        }
        /* There is nobody else in this process. */
        sweep_result(l->sweep, &(struct replace_result){.kind = REPLACE_LOCKED}, now);
    }
}

static bool answered(void *context, const struct replace_result *result, struct moment now)
{
    struct looking *l = context;
    sweep_result(l->sweep, result, now);
    const struct sweep_item *item = sweep_take_ended(l->sweep);
    if (item != NULL && l->tells) {
        (void)fprintf(stderr, "%s.%s: %s\n", item->schema, item->name, sweep_fate_word(item->fate));
    }
    return result->kind != REPLACE_LOST;
}

static void stop(void *context)
{
    struct looking *l = context;
    sweep_stop(l->sweep);
}

/* Everything that may go is gone, or need not go. */
static bool is_clean(const struct sweep *sweep)
{
    for (size_t i = 0; i < sweep_num_items(sweep); i++) {
        enum sweep_fate fate = sweep_item(sweep, i)->fate;
        if (fate == SWEEP_REFUSED || fate == SWEEP_DUE) {
            return false;
        }
    }
    return true;
}

static bool show(const struct looking *l, const struct direct_options *options, bool status,
                 bool drops)
{
    struct sweep_view view = {.sweep = l->sweep, .now_us = l->now.unix_us, .drops = drops};
    if (options->json) {
        return sweep_view_json(&view, status);
    }
    if (status) {
        (void)puts("Replacements that are running:");
        sweep_view_table(&view, SWEEP_VIEW_RUNNING, "none");
        (void)puts("\nLeft under temporary names:");
        sweep_view_table(&view, SWEEP_VIEW_LEFT, "nothing");
    } else {
        sweep_view_table(&view, SWEEP_VIEW_ALL, "Nothing is left under temporary names.");
    }
    return fflush(stdout) == 0;
}

static int run(const struct direct_options *options, bool status)
{
    bool drops = options->clean && !options->dry_run;
    struct sweep_options wanted = {.schema = options->schema,
                                   .older_than_ms = options->older_than_ms,
                                   .with_dbt = options->dbt,
                                   .drops = drops};
    struct looking l = {.tells = drops && !options->json};
    struct direct_work work = {
        .context = &l, .ask = ask, .answered = answered, .stop = drops ? stop : NULL};
    l.sweep = sweep_new(&wanted, (struct moment){0});
    if (l.sweep == NULL) {
        (void)fputs("mvswap: out of memory\n", stderr);
        return EXIT_ERROR;
    }
    bool good = direct_run(options, &work);
    const struct replace_notice *error = sweep_error(l.sweep);
    if (error != NULL) {
        (void)fprintf(stderr, "ERROR:  %s\n", error->message);
        good = false;
    }
    /* After an error, too, as far as it came: some may have been dropped. */
    if (good || sweep_num_items(l.sweep) != 0) {
        good = show(&l, options, status, drops) && good;
    }
    good = good && (!drops || is_clean(l.sweep));
    sweep_free(l.sweep);
    return good ? EXIT_OK : EXIT_ERROR;
}

static const char left_help[] =
    "Usage: mvswap leftovers [--clean] [--older-than 24h] [--schema NAME] [OPTIONS]\n"
    "\n"
    "Lists what crashes, and replacements on purpose, have left in the database under names of "
    "the\n"
    "form name_{tmp|probe|old}_YYYYMMDD_HHMMSS_microseconds. With --clean it drops what is older\n"
    "than the limit, read by nothing and not being built, the readers first, never with CASCADE.\n"
    "With --clean --dry-run it only says what may go.\n"
    "\n"
    "Exit status: 0 done, 1 an error, or something that was to be dropped is still there, 2 a\n"
    "wrong command line.\n"
    "\n";

static const char status_help[] =
    "Usage: mvswap status [--schema NAME] [OPTIONS]\n"
    "\n"
    "Says which replacements are running on the server now, whoever began them: what is being\n"
    "built under a temporary name, since when, and how far it is. And what is left.\n"
    "\n"
    "Exit status: 0 done, 1 an error, 2 a wrong command line.\n"
    "\n";

static int command(int argc, char **argv, unsigned flags, bool status)
{
    struct direct_options options;
    int result = EXIT_OK;
    switch (direct_options_read(argc, argv, flags, &options)) {
    case DIRECT_READ:
        result = run(&options, status);
        break;
    case DIRECT_HELP:
        (void)fputs(status ? status_help : left_help, stdout);
        direct_options_print(flags);
        break;
    case DIRECT_USAGE:
        result = EXIT_USAGE;
        break;
    }
    direct_options_cleanup(&options);
    return result;
}

int cmd_leftovers(int argc, char **argv)
{
    return command(argc, argv, LEFT_FLAGS, false);
}

int cmd_status(int argc, char **argv)
{
    return command(argc, argv, STATUS_FLAGS, true);
}
