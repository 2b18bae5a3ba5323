/* cmd_check_config: `mvswap check-config FILE`: says what is wrong with a configuration file. */
#include "commands.h"

#include "config.h"

#include <stdio.h>
#include <string.h>

static void complain(void *context, const char *line)
{
    (void)context;
    (void)printf("%s\n", line);
}

int cmd_check_config(int argc, char **argv)
{
    struct proxy_options options;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs("Usage: mvswap check-config FILE\n"
                    "\n"
                    "Reads a configuration file as mvswap proxy would and lists what is wrong with "
                    "it,\n"
                    "with line numbers. Exit status 0: nothing is.\n",
                    stdout);
        return EXIT_OK;
    }
    if (argc != 2 || argv[1][0] == '-') {
        (void)fputs("mvswap: expected one file (see mvswap check-config --help)\n", stderr);
        return EXIT_USAGE;
    }
    config_defaults(&options);
    bool good = config_read_file(&options, argv[1], complain, NULL);
    config_cleanup(&options);
    if (!good) {
        return EXIT_ERROR;
    }
    (void)printf("%s: good\n", argv[1]);
    return EXIT_OK;
}
