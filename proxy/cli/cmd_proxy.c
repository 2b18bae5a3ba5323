/* cmd_proxy: the command line of `mvswap proxy`. Knows its flags; the daemon is proxy.h. */
#include "commands.h"

#include "log.h"
#include "proxy.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_MAX_CONNECTIONS = 1000,
    MOST_CONNECTIONS = 100000,
    DEFAULT_SHUTDOWN_TIMEOUT_S = 30,
    DEFAULT_DRAIN_MIN_MS = 500, /* other frontends learn of a swap a moment later */
    MOST_SECONDS = 86400
};

static const char help[] =
    "Usage: mvswap proxy --listen HOST:PORT --server HOST:PORT [OPTIONS]\n"
    "\n"
    "Listens for PostgreSQL clients and passes them on to a RisingWave server. CREATE OR REPLACE\n"
    "MATERIALIZED VIEW, which RisingWave refuses, is carried out without downtime.\n"
    "\n"
    "Options:\n"
    "  --listen HOST:PORT          where clients connect ([::1]:6432 for IPv6; port 0: any free "
    "one)\n"
    "  --server HOST:PORT          RisingWave; the name is looked up at every connection\n"
    "  --max-connections N         more are refused with 53300 (default 1000)\n"
    "  --build background|foreground\n"
    "                              how the server builds a new view (default background)\n"
    "  --drain-min SECONDS         how long the old view is kept after the swap (default 0.5)\n"
    "  --shutdown-timeout SECONDS  after SIGTERM, how long running statements may go on\n"
    "                              (default 30); a second signal ends it at once\n"
    "  --log-level LEVEL           debug, info, warning or error (default info)\n"
    "  --help                      this text\n";

static int usage_error(const char *what, const char *value, const char *why)
{
    (void)fprintf(stderr, "mvswap: %s \"%s\": %s\n", what, value, why);
    return EXIT_USAGE;
}

static bool parse_number(const char *text, double least, double most, double *out_number)
{
    char *end = NULL;
    double number = strtod(text, &end);
    if (end == text || *end != 0 || !(number >= least && number <= most)) {
        return false;
    }
    *out_number = number;
    return true;
}

enum flag {
    FLAG_LISTEN = 256,
    FLAG_SERVER,
    FLAG_MAX_CONNECTIONS,
    FLAG_BUILD,
    FLAG_DRAIN_MIN,
    FLAG_SHUTDOWN_TIMEOUT,
    FLAG_LOG_LEVEL,
    FLAG_HELP
};

static const struct option flags[] = {
    {"listen", required_argument, NULL, FLAG_LISTEN},
    {"server", required_argument, NULL, FLAG_SERVER},
    {"max-connections", required_argument, NULL, FLAG_MAX_CONNECTIONS},
    {"build", required_argument, NULL, FLAG_BUILD},
    {"drain-min", required_argument, NULL, FLAG_DRAIN_MIN},
    {"shutdown-timeout", required_argument, NULL, FLAG_SHUTDOWN_TIMEOUT},
    {"log-level", required_argument, NULL, FLAG_LOG_LEVEL},
    {"help", no_argument, NULL, FLAG_HELP},
    {NULL, 0, NULL, 0},
};

static int set_address(const char *flag, const char *value, struct address *out)
{
    const char *why = NULL;
    return address_parse(value, out, &why) ? EXIT_OK : usage_error(flag, value, why);
}

static int set_build(const char *value, struct replace_settings *settings)
{
    if (strcmp(value, "background") == 0) {
        settings->build = REPLACE_BUILD_BACKGROUND;
    } else if (strcmp(value, "foreground") == 0) {
        settings->build = REPLACE_BUILD_FOREGROUND;
    } else {
        return usage_error("--build", value, "expected background or foreground");
    }
    return EXIT_OK;
}

static int set_seconds(const char *flag, const char *value, uint32_t *out_ms)
{
    double seconds = 0;
    if (!parse_number(value, 0, MOST_SECONDS, &seconds)) {
        return usage_error(flag, value, "expected seconds from 0 to 86400");
    }
    *out_ms = (uint32_t)(seconds * 1000);
    return EXIT_OK;
}

/* Takes one flag; EXIT_OK, or the status with which to leave. */
static int set_flag(int flag, const char *value, struct proxy_options *options)
{
    double number = 0;
    switch (flag) {
    case FLAG_LISTEN:
        return set_address("--listen", value, &options->listen);
    case FLAG_SERVER:
        return set_address("--server", value, &options->server);
    case FLAG_MAX_CONNECTIONS:
        if (!parse_number(value, 1, MOST_CONNECTIONS, &number)) {
            return usage_error("--max-connections", value, "expected a number from 1 to 100000");
        }
        options->max_connections = (unsigned)number;
        return EXIT_OK;
    case FLAG_BUILD:
        return set_build(value, &options->settings);
    case FLAG_DRAIN_MIN:
        return set_seconds("--drain-min", value, &options->settings.drain_min_ms);
    case FLAG_SHUTDOWN_TIMEOUT:
        return set_seconds("--shutdown-timeout", value, &options->shutdown_timeout_ms);
    case FLAG_LOG_LEVEL:
        if (log_level_named(value) < 0) {
            return usage_error("--log-level", value, "expected debug, info, warning or error");
        }
        log_set_level((enum log_level)log_level_named(value));
        return EXIT_OK;
    default:
        return EXIT_USAGE; /* getopt has said why */
    }
}

int cmd_proxy(int argc, char **argv)
{
    struct proxy_options options = {
        .max_connections = DEFAULT_MAX_CONNECTIONS,
        .shutdown_timeout_ms = DEFAULT_SHUTDOWN_TIMEOUT_S * 1000,
        .settings = {.build = REPLACE_BUILD_BACKGROUND, .drain_min_ms = DEFAULT_DRAIN_MIN_MS},
    };
    for (;;) {
        int flag = getopt_long(argc, argv, "", flags, NULL);
        if (flag == -1) {
            break;
        }
        if (flag == FLAG_HELP) {
            (void)fputs(help, stdout);
            return EXIT_OK;
        }
        int status = set_flag(flag, optarg, &options);
        if (status != EXIT_OK) {
            return status;
        }
    }
    if (optind < argc) {
        return usage_error("argument", argv[optind], "not expected");
    }
    if (options.listen.port[0] == 0 || options.server.port[0] == 0) {
        (void)fputs("mvswap: --listen HOST:PORT and --server HOST:PORT are required"
                    " (see mvswap proxy --help)\n",
                    stderr);
        return EXIT_USAGE;
    }
    return proxy_run(&options);
}
