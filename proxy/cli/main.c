/* main: finds the command. Knows the list of commands and nothing of what they do. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"proxy", "run the proxy between PostgreSQL clients and RisingWave", cmd_proxy},
    {"replace", "carry out CREATE OR REPLACE statements on a direct connection", cmd_replace},
    {"plan", "say what replace would do", cmd_plan},
    {"rollback", "go back to a view that a replacement has kept", cmd_rollback},
    {"leftovers", "list what is left under temporary names, and drop it", cmd_leftovers},
    {"status", "say what is being replaced on the server now, and what is left", cmd_status},
    {"check-config", "read a configuration file and say what is wrong with it", cmd_check_config},
    {"settings", "list everything that can be set", cmd_settings},
};
enum { NUM_COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void print_help(FILE *to)
{
    (void)fputs("mvswap gives RisingWave CREATE OR REPLACE MATERIALIZED VIEW with zero downtime.\n"
                "\n"
                "Usage: mvswap COMMAND [OPTIONS]\n"
                "       mvswap COMMAND --help\n"
                "\n"
                "Commands:\n",
                to);
    for (int i = 0; i < NUM_COMMANDS; i++) {
        (void)fprintf(to, "  %-13s %s\n", commands[i].name, commands[i].summary);
    }
    (void)fputs("\n"
                "Options:\n"
                "  --help     this text\n"
                "  --version  the version\n",
                to);
}

int main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
        print_help(stdout);
        return EXIT_OK;
    }
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) {
        (void)printf("mvswap %s\n", MVSWAP_VERSION);
        return EXIT_OK;
    }
    for (int i = 0; i < NUM_COMMANDS; i++) {
        if (strcmp(first, commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    if (argc > 1) {
        (void)fprintf(stderr, "mvswap: unknown command \"%s\" (see mvswap --help)\n", first);
    } else {
        print_help(stderr);
    }
    return EXIT_USAGE;
}
