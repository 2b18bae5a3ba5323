/*
 * cmd_settings: `mvswap settings [--markdown | --mdoc]`: everything that can be set, from the one
 * table; as a part of docs/settings.md and of man/mvswap.conf.5, too.
 */
#include "commands.h"

#include "config.h"

#include <stdio.h>
#include <string.h>

enum form { FORM_NONE, FORM_PLAIN, FORM_MARKDOWN, FORM_MDOC };

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

static void print_markdown_heading(const char *section)
{
    (void)printf("\n## [%s]\n\n| key | values | default | meaning |\n|---|---|---|---|\n", section);
}

/* One word of a text line, so that roff takes it for nothing else. Returns its length. */
static size_t print_roff_word(const char *word, bool begins_line)
{
    size_t len = strcspn(word, " ");
    if (begins_line && (word[0] == '.' || word[0] == '\'')) {
        (void)fputs("\\&", stdout);
    }
    for (size_t i = 0; i < len; i++) {
        if (word[i] == '\\') {
            (void)fputs("\\e", stdout);
        } else {
            (void)putchar(word[i]);
        }
    }
    return len;
}

static void print_roff(const char *text)
{
    enum { WIDTH = 78 };
    size_t column = 0;
    while (*text != 0) {
        bool fits = column == 0 || column + 1 + strcspn(text, " ") <= WIDTH;
        if (column != 0) {
            (void)putchar(fits ? ' ' : '\n');
            column = fits ? column + 1 : 0;
        }
        size_t len = print_roff_word(text, column == 0);
        column += len;
        text += len + strspn(text + len, " ");
    }
    (void)putchar('\n');
}

static void print_mdoc(const struct config_option *option)
{
    (void)printf(".It Ic %s No = %s", option->key, option->argument);
    if (option->default_text[0] != 0) {
        (void)printf(" Pq default %s", option->default_text);
    }
    (void)putchar('\n');
    print_roff(option->description);
}

static void print_mdoc_heading(const char *section, bool first)
{
    (void)printf("%s.Ss Section %s\n.Bl -tag -width Ds\n", first ? "" : ".El\n", section);
}

static enum form form_of(int argc, char **argv)
{
    if (argc == 1) {
        return FORM_PLAIN;
    }
    if (argc == 2 && strcmp(argv[1], "--markdown") == 0) {
        return FORM_MARKDOWN;
    }
    if (argc == 2 && strcmp(argv[1], "--mdoc") == 0) {
        return FORM_MDOC;
    }
    return FORM_NONE;
}

static void print_option(const struct config_option *option, enum form form, bool first,
                         bool begins_section)
{
    switch (form) {
    case FORM_NONE:
        break;
    case FORM_PLAIN:
        print_plain(option);
        break;
    case FORM_MARKDOWN:
        if (begins_section) {
            print_markdown_heading(option->section);
        }
        print_markdown(option);
        break;
    case FORM_MDOC:
        if (begins_section) {
            print_mdoc_heading(option->section, first);
        }
        print_mdoc(option);
        break;
    }
}

int cmd_settings(int argc, char **argv)
{
    enum form form = form_of(argc, argv);
    const char *section = "";
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs("Usage: mvswap settings [--markdown | --mdoc]\n"
                    "\n"
                    "Lists the keys of the configuration file with defaults and meaning. The same "
                    "names are\n"
                    "flags of mvswap proxy (--listen) and environment variables (MVSWAP_LISTEN).\n"
                    "\n"
                    "  --markdown  as tables in Markdown\n"
                    "  --mdoc      as a part of a manual page\n",
                    stdout);
        return EXIT_OK;
    }
    if (form == FORM_NONE) {
        (void)fputs("mvswap: unexpected argument (see mvswap settings --help)\n", stderr);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < config_num_options(); i++) {
        const struct config_option *option = config_option(i);
        print_option(option, form, i == 0, strcmp(option->section, section) != 0);
        section = option->section;
    }
    if (form == FORM_MDOC) {
        (void)printf(".El\n");
    }
    return EXIT_OK;
}
