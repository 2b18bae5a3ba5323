/* direct_options: see direct_options.h. */
#include "direct_options.h"

#include "duration.h"
#include "mem.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum {
    FLAG_HELP = 256,
    FLAG_JSON,
    FLAG_SET,
    FLAG_DRY_RUN,
    FLAG_TO,
    FLAG_SCHEMA,
    FLAG_OLDER_THAN,
    FLAG_CLEAN,
    FLAG_DBT
};

enum { ANY_COMMAND = 0, MOST_NAME = 64, DEFAULT_OLDER_THAN_MS = 24 * 60 * 60 * 1000 };

/* `flag`: which commands have it; ANY_COMMAND: all. */
static const struct {
    struct option option;
    unsigned flag;
    const char *shown;
    const char *meaning;
} table[] = {
    {{"file", required_argument, NULL, 'f'},
     DIRECT_SOURCES,
     "-f, --file FILE",
     "statements from a file; - is standard input; may be given several times"},
    {{"command", required_argument, NULL, 'c'},
     DIRECT_SOURCES,
     "-c, --command STATEMENT",
     "statements from the command line; may be given several times"},
    {{"set", required_argument, NULL, FLAG_SET},
     DIRECT_SETTINGS,
     "--set NAME=VALUE",
     "a setting of the replacement, without mvswap. in front (see mvswap settings)"},
    {{"to", required_argument, NULL, FLAG_TO},
     DIRECT_TO,
     "--to STAMP",
     "which predecessor, by the stamp in its name: YYYYMMDD_HHMMSS_microseconds"},
    {{"schema", required_argument, NULL, FLAG_SCHEMA},
     DIRECT_LEFT,
     "--schema NAME",
     "look at this schema only"},
    {{"older-than", required_argument, NULL, FLAG_OLDER_THAN},
     DIRECT_LEFT,
     "--older-than DURATION",
     "what is newer stays: 24h if not given"},
    {{"dbt", no_argument, NULL, FLAG_DBT},
     DIRECT_LEFT,
     "--dbt",
     "what dbt-risingwave has left under _dbt_zero_down_tmp_ names, too"},
    {{"clean", no_argument, NULL, FLAG_CLEAN}, DIRECT_CLEAN, "--clean", "drop what may go"},
    {{"dry-run", no_argument, NULL, FLAG_DRY_RUN},
     DIRECT_DRY_RUN,
     "--dry-run",
     "say what would be done, and do nothing"},
    {{"json", no_argument, NULL, FLAG_JSON},
     ANY_COMMAND,
     "--json",
     "one JSON document on standard output"},
    {{"dbname", required_argument, NULL, 'd'},
     ANY_COMMAND,
     "-d, --dbname DBNAME",
     "database, or a connection string or URI"},
    {{"host", required_argument, NULL, 'h'}, ANY_COMMAND, "-h, --host HOST", "server"},
    {{"port", required_argument, NULL, 'p'}, ANY_COMMAND, "-p, --port PORT", "its port"},
    {{"username", required_argument, NULL, 'U'}, ANY_COMMAND, "-U, --username NAME", "user"},
    {{"help", no_argument, NULL, FLAG_HELP}, ANY_COMMAND, "--help", "this text"},
};
enum { NUM_FLAGS = sizeof(table) / sizeof(table[0]) };

static bool has(unsigned flags, size_t i)
{
    return table[i].flag == ANY_COMMAND || (flags & table[i].flag) != 0;
}

void direct_options_print(unsigned flags)
{
    for (size_t i = 0; i < NUM_FLAGS; i++) {
        if (has(flags, i)) {
            (void)printf("  %-24s %s\n", table[i].shown, table[i].meaning);
        }
    }
    (void)fputs("\nThe connection is libpq's: PGHOST, PGPORT, PGUSER, PGDATABASE, PGSSLMODE, ...,\n"
                "service files and .pgpass count as for psql.\n",
                stdout);
}

static void complain_of_setting(const char *given, const struct settings_problem *problem)
{
    (void)fprintf(stderr, "mvswap: --set %s: %s%s%s\n", given, problem->message,
                  problem->hint[0] != 0 ? ". " : "", problem->hint);
}

static bool set(struct direct_options *options, const char *given)
{
    struct settings_problem problem;
    enum setting setting;
    char name[MOST_NAME] = "";
    const char *value = strchr(given, '=');
    size_t len = value != NULL ? (size_t)(value - given) : 0;
    if (len == 0 || len >= sizeof(name)) {
        (void)fprintf(stderr, "mvswap: --set %s: expected NAME=VALUE\n", given);
        return false;
    }
    memcpy(name, given, len);
    const char *bare = strncmp(name, "mvswap.", strlen("mvswap.")) == 0 ? name + 7 : name;
    if (!settings_find(bare, &setting, &problem) ||
        !settings_set(&options->settings, setting, value + 1, SOURCE_COMMAND_LINE, &problem)) {
        complain_of_setting(given, &problem);
        return false;
    }
    return true;
}

static enum direct_options_result add_source(struct direct_options *options, bool is_file,
                                             const char *text)
{
    if (options->num_sources == MOST_SOURCES) {
        (void)fprintf(stderr, "mvswap: more than %d files and statements\n", MOST_SOURCES);
        return DIRECT_USAGE;
    }
    options->sources[options->num_sources++] =
        (struct direct_source){.is_file = is_file, .text = text};
    return DIRECT_READ;
}

static void set_keyword(struct direct_options *options, const char *keyword, const char *value)
{
    size_t i = 0;
    while (options->keywords[i] != NULL && strcmp(options->keywords[i], keyword) != 0) {
        i++;
    }
    options->keywords[i] = keyword;
    options->values[i] = value;
}

static enum direct_options_result set_older_than(struct direct_options *options, const char *given)
{
    if (!duration_parse(given, &options->older_than_ms)) {
        (void)fprintf(stderr,
                      "mvswap: --older-than %s: expected a time such as 90min, 24h or 7d, of 40 "
                      "days at most\n",
                      given);
        return DIRECT_USAGE;
    }
    return DIRECT_READ;
}

static enum direct_options_result take(struct direct_options *options, int flag)
{
    switch (flag) {
    case FLAG_SCHEMA:
        options->schema = optarg;
        break;
    case FLAG_OLDER_THAN:
        return set_older_than(options, optarg);
    case FLAG_CLEAN:
        options->clean = true;
        break;
    case FLAG_DBT:
        options->dbt = true;
        break;
    case FLAG_HELP:
        return DIRECT_HELP;
    case FLAG_JSON:
        options->json = true;
        break;
    case FLAG_DRY_RUN:
        options->dry_run = true;
        break;
    case FLAG_TO:
        options->to = optarg;
        break;
    case FLAG_SET:
        return set(options, optarg) ? DIRECT_READ : DIRECT_USAGE;
    case 'f':
    case 'c':
        return add_source(options, flag == 'f', optarg);
    case 'd':
        set_keyword(options, "dbname", optarg);
        break;
    case 'h':
        set_keyword(options, "host", optarg);
        break;
    case 'p':
        set_keyword(options, "port", optarg);
        break;
    case 'U':
        set_keyword(options, "user", optarg);
        break;
    default:
        return DIRECT_USAGE; /* getopt has said why */
    }
    return DIRECT_READ;
}

static enum direct_options_result check(const struct direct_options *options, unsigned flags,
                                        const char *command)
{
    const char *missing = NULL;
    if ((flags & DIRECT_SOURCES) != 0 && options->num_sources == 0) {
        missing = "-f FILE or -c STATEMENT";
    } else if ((flags & DIRECT_ARGUMENT) != 0 && options->argument == NULL) {
        missing = "the name of a view";
    }
    if (missing != NULL) {
        (void)fprintf(stderr, "mvswap: %s is required (see mvswap %s --help)\n", missing, command);
        return DIRECT_USAGE;
    }
    return DIRECT_READ;
}

enum direct_options_result direct_options_read(int argc, char **argv, unsigned flags,
                                               struct direct_options *out_options)
{
    struct option list[NUM_FLAGS + 1] = {{0}};
    const char *letters = (flags & DIRECT_SOURCES) != 0 ? "d:h:p:U:f:c:" : "d:h:p:U:";
    size_t num = 0;
    for (size_t i = 0; i < NUM_FLAGS; i++) {
        if (has(flags, i)) {
            list[num++] = table[i].option;
        }
    }
    *out_options = (struct direct_options){.older_than_ms = DEFAULT_OLDER_THAN_MS};
    settings_init(&out_options->settings);
    set_keyword(out_options, "fallback_application_name", "mvswap");
    out_options->sources = mem_new(MOST_SOURCES * sizeof(struct direct_source));
    if (out_options->sources == NULL) {
        (void)fputs("mvswap: out of memory\n", stderr);
        return DIRECT_USAGE;
    }
    optind = 1;
    for (;;) {
        int flag = getopt_long(argc, argv, letters, list, NULL);
        enum direct_options_result result = flag == -1 ? DIRECT_READ : take(out_options, flag);
        if (result != DIRECT_READ) {
            return result;
        }
        if (flag == -1) {
            break;
        }
    }
    if (optind < argc && (flags & DIRECT_ARGUMENT) != 0) {
        out_options->argument = argv[optind++];
    }
    if (optind < argc) {
        (void)fprintf(stderr, "mvswap: argument \"%s\": not expected\n", argv[optind]);
        return DIRECT_USAGE;
    }
    return check(out_options, flags, argv[0]);
}

void direct_options_cleanup(struct direct_options *options)
{
    settings_cleanup(&options->settings);
    mem_free(options->sources);
}
