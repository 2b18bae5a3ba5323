/* cmd_rollback: `mvswap rollback`: the way back to a view that a replacement has kept. */
#include "commands.h"

#include "buf.h"
#include "console.h"
#include "direct_options.h"
#include "direct_run.h"
#include "ident.h"
#include "mem.h"
#include "rows.h"
#include "sql_scan.h"

#include <stdio.h>
#include <string.h>

enum { FLAGS = DIRECT_SETTINGS | DIRECT_DRY_RUN | DIRECT_TO | DIRECT_ARGUMENT };

struct way_back {
    const struct direct_options *options;
    struct console *console;
    char *schema; /* NULL: not known yet, the current one is asked for */
    char *name;
    bool begun;
    bool failed;
};

static char *part(const char *text, const struct sql_token *token)
{
    struct buf name = {0};
    char *copy = NULL;
    if (ident_fold(text, token, &name) && buf_text(&name) != NULL) {
        copy = mem_copy(buf_text(&name), buf_len(&name));
    }
    buf_cleanup(&name);
    return copy;
}

/* `[schema.]name`, quoted as in SQL. */
static bool read_name(const char *text, struct way_back *w)
{
    struct sql_tokens tokens = {0};
    if (sql_scan(text, strlen(text), &tokens) == SQL_SCAN_OK) {
        const struct sql_token *t = tokens.items;
        if (tokens.num_items == 1) {
            w->name = part(text, &t[0]);
        } else if (tokens.num_items == 3 && sql_token_is_symbol(text, &t[1], '.')) {
            w->schema = part(text, &t[0]);
            w->name = part(text, &t[2]);
        }
        bool good = w->name != NULL && (tokens.num_items == 1 || w->schema != NULL);
        sql_tokens_cleanup(&tokens);
        if (good) {
            return true;
        }
    }
    (void)fprintf(stderr, "mvswap: \"%s\" is no name of a view: expected [schema.]name\n", text);
    return false;
}

static const char *ask(void *context, struct moment now)
{
    struct way_back *w = context;
    (void)now;
    return w->schema == NULL ? "SELECT current_schema()" : NULL;
}

static bool answered(void *context, const struct replace_result *result, struct moment now)
{
    struct way_back *w = context;
    const char *name = cell(result, 0, 0);
    (void)now;
    if (result->kind == REPLACE_LOST) {
        (void)fputs("mvswap: the connection to the server is lost\n", stderr);
        return false;
    }
    w->schema = name != NULL ? mem_copy(name, strlen(name)) : NULL;
    if (w->schema == NULL) {
        (void)fputs("mvswap: there is no current schema: give the view's name with its schema\n",
                    stderr);
    }
    return w->schema != NULL;
}

static struct replace *next(void *context, struct moment now)
{
    struct way_back *w = context;
    if (w->begun) {
        return NULL;
    }
    w->begun = true;
    struct replace *engine =
        replace_new_rollback(w->schema, w->name, w->options->to, &w->options->settings,
                             w->options->dry_run ? REPLACE_PLAN : REPLACE_CARRY_OUT, now);
    if (engine == NULL) {
        (void)fputs("mvswap: out of memory\n", stderr);
        w->failed = true;
    }
    return engine;
}

static void noticed(void *context, const struct replace_notice *notice)
{
    struct way_back *w = context;
    console_notice(w->console, notice);
}

static bool ended(void *context, const struct replace *engine, const struct replace_notice *error,
                  uint64_t ms)
{
    struct way_back *w = context;
    console_outcome(w->console, engine, NULL, error, ms);
    w->failed = error != NULL || replace_outcome(engine)->would_be_refused;
    return false;
}

static int run(const struct direct_options *options)
{
    struct way_back w = {.options = options};
    struct direct_work work = {.context = &w,
                               .ask = ask,
                               .answered = answered,
                               .next = next,
                               .noticed = noticed,
                               .ended = ended};
    int status = EXIT_USAGE;
    if (read_name(options->argument, &w)) {
        status = EXIT_ERROR;
        w.console = console_new(options->json);
    }
    if (w.console != NULL) {
        bool good = direct_run(options, &work) && !w.failed;
        status = console_end(w.console) && good ? EXIT_OK : EXIT_ERROR;
    }
    mem_free(w.schema);
    mem_free(w.name);
    return status;
}

int cmd_rollback(int argc, char **argv)
{
    struct direct_options options;
    int status = EXIT_OK;
    switch (direct_options_read(argc, argv, FLAGS, &options)) {
    case DIRECT_READ:
        status = run(&options);
        break;
    case DIRECT_HELP:
        (void)fputs(
            "Usage: mvswap rollback [SCHEMA.]VIEW [--to STAMP] [OPTIONS]\n"
            "\n"
            "Swaps back the newest predecessor of the view that is kept (mvswap.keep_old), or "
            "the one of\n"
            "that stamp. Plain views that read it follow; what was live is kept in its "
            "turn.\n"
            "\n"
            "Exit status: 0 done, 1 an error, 2 a wrong command line.\n"
            "\n",
            stdout);
        direct_options_print(FLAGS);
        break;
    case DIRECT_USAGE:
        status = EXIT_USAGE;
        break;
    }
    direct_options_cleanup(&options);
    return status;
}
