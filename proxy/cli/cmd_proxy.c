/* cmd_proxy: `mvswap proxy`: reads the options, runs the daemon (proxy.h). */
#include "commands.h"

#include "log.h"
#include "options.h"

#include <stdio.h>

static void print_help(void)
{
    (void)fputs(
        "Usage: mvswap proxy --listen HOST:PORT --server HOST:PORT [OPTIONS]\n"
        "       mvswap proxy --config FILE [OPTIONS]\n"
        "\n"
        "Listens for PostgreSQL clients and passes them on to a RisingWave server. CREATE OR\n"
        "REPLACE MATERIALIZED VIEW, which RisingWave refuses, is carried out without "
        "downtime.\n"
        "\n"
        "Options are read from the file, then from environment variables (MVSWAP_LISTEN,\n"
        "...), then from the command line; the last wins. SIGHUP reads them again.\n"
        "\n"
        "  --config FILE\n"
        "      the configuration file\n",
        stdout);
    options_print_flags();
    (void)fputs("  --help\n      this text\n", stdout);
}

static void complain_on_stderr(void *context, const char *line)
{
    (void)context;
    (void)fprintf(stderr, "mvswap: %s\n", line);
}

static void complain_in_log(void *context, const char *line)
{
    (void)context;
    log_line(LOG_ERROR, "config", "detail", line, NULL);
}

struct arguments {
    int argc;
    char **argv;
};

static bool has_addresses(const struct proxy_options *options)
{
    return options->listen.port[0] != 0 && options->server.port[0] != 0;
}

static bool read_again(void *context, struct proxy_options *out_options)
{
    const struct arguments *a = context;
    struct proxy_options options;
    if (options_read(a->argc, a->argv, complain_in_log, NULL, &options) != OPTIONS_READ) {
        return false;
    }
    if (!has_addresses(&options)) {
        config_cleanup(&options);
        return false;
    }
    *out_options = options;
    return true;
}

int cmd_proxy(int argc, char **argv)
{
    struct proxy_options options;
    struct arguments arguments = {argc, argv};
    switch (options_read(argc, argv, complain_on_stderr, NULL, &options)) {
    case OPTIONS_READ:
        break;
    case OPTIONS_HELP:
        print_help();
        return EXIT_OK;
    case OPTIONS_USAGE:
    case OPTIONS_WRONG:
        return EXIT_USAGE;
    }
    if (!has_addresses(&options)) {
        (void)fputs("mvswap: --listen HOST:PORT and --server HOST:PORT are required"
                    " (see mvswap proxy --help)\n",
                    stderr);
        config_cleanup(&options);
        return EXIT_USAGE;
    }
    return proxy_run(&options, &(struct proxy_reload){.read = read_again, .context = &arguments});
}
