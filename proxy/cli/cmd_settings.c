/* cmd_settings: `mvswap settings [--markdown]`: everything that can be set, from the one table. */
#include "commands.h"

#include "config.h"

#include <stdio.h>
#include <string.h>

static void print_plain(const struct config_option *option)
{
    (void)printf("[%s] %s = %s\n    %s\n    values: %s\n", option->section, option->key,
                 option->default_text, option->description, option->argument);
}

static const char *after_default(const struct config_option *option)
{
    return option->default_text[0] != 0 ? option->default_text : " ";
}

static void print_markdown(const struct config_option *option)
{
    (void)printf("| `%s` | %s | `%s` | %s |\n", option->key, option->argument,
                 after_default(option), option->description);
}

static void print_heading(const char *section)
{
    (void)printf("\n## [%s]\n\n| key | values | default | meaning |\n|---|---|---|---|\n", section);
}

int cmd_settings(int argc, char **argv)
{
    bool markdown = argc == 2 && strcmp(argv[1], "--markdown") == 0;
    const char *section = "";
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs("Usage: mvswap settings [--markdown]\n"
                    "\n"
                    "Lists the keys of the configuration file with defaults and meaning. The same "
                    "names are\n"
                    "flags of mvswap proxy (--listen) and environment variables (MVSWAP_LISTEN).\n",
                    stdout);
        return EXIT_OK;
    }
    if (argc > 1 && !markdown) {
        (void)fputs("mvswap: unexpected argument (see mvswap settings --help)\n", stderr);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < config_num_options(); i++) {
        const struct config_option *option = config_option(i);
        if (markdown && strcmp(option->section, section) != 0) {
            section = option->section;
            print_heading(section);
        }
        if (markdown) {
            print_markdown(option);
        } else {
            print_plain(option);
        }
    }
    return EXIT_OK;
}
