/*
 * direct_options: the flags of the commands that work on a connection of their own. Those of the
 * connection are psql's (-d -h -p -U); all else about it libpq takes from PG* variables, service
 * files and .pgpass. Must not know: what the commands do.
 */
#ifndef MVSWAP_CLI_DIRECT_OPTIONS_H
#define MVSWAP_CLI_DIRECT_OPTIONS_H

#include "attributes.h"
#include "settings.h"

#include <stdbool.h>
#include <stddef.h>

enum { MOST_SOURCES = 1000, NUM_CONNECTION_KEYWORDS = 6 };

/* Which flags a command has besides --help, --json and those of the connection. */
enum direct_flags {
    DIRECT_SOURCES = 1,   /* -f FILE, -c STATEMENT */
    DIRECT_SETTINGS = 2,  /* --set NAME=VALUE */
    DIRECT_DRY_RUN = 4,   /* --dry-run */
    DIRECT_TO = 8,        /* --to STAMP */
    DIRECT_ARGUMENT = 16, /* one argument that is no flag, required */
    DIRECT_LEFT = 32,     /* --schema, --older-than, --dbt */
    DIRECT_CLEAN = 64     /* --clean */
};

struct direct_source {
    bool is_file; /* "-": standard input */
    const char *text;
};

/* Texts are those of argv. */
struct direct_options {
    const char *keywords[NUM_CONNECTION_KEYWORDS];
    const char *values[NUM_CONNECTION_KEYWORDS];
    struct direct_source *sources; /* in their order */
    size_t num_sources;
    struct replace_settings settings;
    bool json;
    bool dry_run;
    const char *to;
    const char *schema; /* NULL: all */
    uint32_t older_than_ms;
    bool clean;
    bool dbt;
    const char *argument;
};

enum direct_options_result { DIRECT_READ, DIRECT_HELP, DIRECT_USAGE };

/* direct_options_read: on DIRECT_USAGE it has said why on standard error. Free with
 * direct_options_cleanup, whatever the result. `flags`: a sum of enum direct_flags. */
MUST_CHECK enum direct_options_result direct_options_read(int argc, char **argv, unsigned flags,
                                                          struct direct_options *out_options);
void direct_options_cleanup(struct direct_options *options);

/* The part of --help that is about these flags. */
void direct_options_print(unsigned flags);

#endif
