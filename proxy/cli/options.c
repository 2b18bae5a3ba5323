/* options: see options.h. Flags are the keys of the configuration, and --config, --help. */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLAG_CONFIG = 256, FLAG_HELP, FIRST_OPTION_FLAG, MOST_FLAGS = 64, MOST_FLAG = 48 };

static void flag_name(const char *key, char out_name[MOST_FLAG])
{
    (void)snprintf(out_name, MOST_FLAG, "%s", key);
    for (char *c = out_name; *c != 0; c++) {
        if (*c == '_') {
            *c = '-';
        }
    }
}

struct flags {
    struct option list[MOST_FLAGS];
    char names[MOST_FLAGS][MOST_FLAG];
};

static void make_flags(struct flags *out)
{
    size_t num = config_num_options();
    *out = (struct flags){.list = {{"config", required_argument, NULL, FLAG_CONFIG},
                                   {"help", no_argument, NULL, FLAG_HELP}}};
    for (size_t i = 0; i < num && i + 3 < MOST_FLAGS; i++) {
        flag_name(config_option(i)->key, out->names[i]);
        out->list[i + 2] = (struct option){
            .name = out->names[i], .has_arg = required_argument, .val = FIRST_OPTION_FLAG + (int)i};
    }
}

static bool set_flag(struct proxy_options *options, int flag, const char *value)
{
    struct config_problem problem;
    size_t index = (size_t)(flag - FIRST_OPTION_FLAG);
    char name[MOST_FLAG];
    if (config_set(options, index, value, SOURCE_COMMAND_LINE, &problem)) {
        return true;
    }
    flag_name(config_option(index)->key, name);
    (void)fprintf(stderr, "mvswap: --%s: %s%s%s\n", name, problem.message,
                  problem.hint[0] != 0 ? ". " : "", problem.hint);
    return false;
}

/* Goes through the flags; those of options count when `options` is given. */
static enum options_result read_flags(int argc, char **argv, const char **out_file,
                                      struct proxy_options *options)
{
    struct flags flags;
    make_flags(&flags);
    optind = 1;
    for (;;) {
        int flag = getopt_long(argc, argv, "", flags.list, NULL);
        if (flag == -1) {
            break;
        }
        if (flag == FLAG_HELP) {
            return OPTIONS_HELP;
        }
        bool is_option = flag >= FIRST_OPTION_FLAG;
        if (flag == FLAG_CONFIG) {
            *out_file = optarg;
        } else if (!is_option || (options != NULL && !set_flag(options, flag, optarg))) {
            return OPTIONS_USAGE; /* getopt or set_flag has said why */
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "mvswap: argument \"%s\": not expected\n", argv[optind]);
        return OPTIONS_USAGE;
    }
    return OPTIONS_READ;
}

static enum options_result read_all(int argc, char **argv, config_complain complain, void *context,
                                    struct proxy_options *options)
{
    const char *file = getenv("MVSWAP_CONFIG");
    enum options_result result = read_flags(argc, argv, &file, NULL);
    if (result != OPTIONS_READ) {
        return result;
    }
    bool good = file == NULL || file[0] == 0 || config_read_file(options, file, complain, context);
    good = config_read_environment(options, complain, context) && good;
    result = read_flags(argc, argv, &file, options);
    if (result != OPTIONS_READ) {
        return result;
    }
    return good ? OPTIONS_READ : OPTIONS_WRONG;
}

enum options_result options_read(int argc, char **argv, config_complain complain, void *context,
                                 struct proxy_options *out_options)
{
    struct proxy_options options;
    config_defaults(&options);
    enum options_result result = read_all(argc, argv, complain, context, &options);
    if (result == OPTIONS_READ) {
        *out_options = options;
    } else {
        config_cleanup(&options);
    }
    return result;
}

/* A paragraph at an indent, broken at blanks. */
static void print_paragraph(const char *text, size_t indent, size_t width)
{
    while (*text != 0) {
        size_t len = strlen(text);
        if (len > width) {
            len = width;
            while (len != 0 && text[len] != ' ') {
                len--;
            }
        }
        (void)printf("%*s%.*s\n", (int)indent, "", (int)len, text);
        text += len + strspn(text + len, " ");
    }
}

void options_print_flags(void)
{
    enum { INDENT = 6, WIDTH = 72 };
    for (size_t i = 0; i < config_num_options(); i++) {
        const struct config_option *option = config_option(i);
        char name[MOST_FLAG];
        flag_name(option->key, name);
        (void)printf("  --%s %s", name, option->argument);
        if (option->default_text[0] != 0) {
            (void)printf(" (default %s)", option->default_text);
        }
        (void)printf("\n");
        print_paragraph(option->description, INDENT, WIDTH);
    }
}
