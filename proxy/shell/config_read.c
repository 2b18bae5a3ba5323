/* config_read: the options as files and environment variables say them. See config.h. */
#include "config.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One file that is being read. */
struct reading {
    struct proxy_options *options;
    const char *path;
    FILE *file;
    unsigned line;  /* the last that was read */
    bool continued; /* it begins with a blank: for inih the value of the key before, in its place */
    bool commented; /* it has a `;` behind a blank: for inih the value ends there */
    config_complain complain;
    void *context;
    bool good;
};

static void complain_at_line(struct reading *r, const char *what, const char *hint)
{
    char line[512];
    (void)snprintf(line, sizeof(line), "%s:%u: %s%s%s", r->path, r->line, what,
                   hint[0] != 0 ? ". " : "", hint);
    r->complain(r->context, line);
    r->good = false;
}

/* What inih does not tell of a line. */
static void look_at_line(struct reading *r, const char *line)
{
    static const char blanks[] = " \t";
    r->continued = strchr(blanks, line[0]) != NULL;
    r->commented = false;
    for (const char *c = line; *c != 0 && c[1] != 0; c++) {
        r->commented |= strchr(blanks, *c) != NULL && c[1] == ';';
    }
}

/* One line for inih, which would go on in the middle of a line that is longer than its buffer. */
static char *read_line(char *out_line, int size, void *stream)
{
    struct reading *r = stream;
    char *got = fgets(out_line, size, r->file);
    if (got == NULL) {
        return NULL;
    }
    r->line++;
    if (strchr(out_line, '\n') == NULL && !feof(r->file)) {
        complain_at_line(r, "the line is too long", "");
        int c = 0;
        while ((c = fgetc(r->file)) != '\n' && c != EOF) {
            /* the rest of it */
        }
        out_line[0] = 0;
    }
    look_at_line(r, out_line);
    return got;
}

static int take_pair(void *user, const char *section, const char *key, const char *value)
{
    struct reading *r = user;
    struct config_problem problem;
    size_t index = 0;
    if (config_find(section, key, &index, &problem) && config_is_sql(index) &&
        (r->continued || r->commented)) {
        /* Half a statement must not run. */
        complain_at_line(r, "SQL stands on one line here, without a ; behind a blank",
                         "Behind a blank it begins a comment.");
        return 1;
    }
    if (!config_find(section, key, &index, &problem) ||
        !config_set(r->options, index, value, SOURCE_FILE, &problem)) {
        complain_at_line(r, problem.message, problem.hint);
    }
    return 1; /* go on: all problems are told */
}

bool config_read_file(struct proxy_options *options, const char *path, config_complain complain,
                      void *context)
{
    struct reading r = {.options = options,
                        .path = path,
                        .file = fopen(path, "r"),
                        .complain = complain,
                        .context = context,
                        .good = true};
    if (r.file == NULL) {
        complain_at_line(&r, "cannot be read", "");
        return false;
    }
    int bad_line = ini_parse_stream(read_line, &r, take_pair, &r);
    if (bad_line != 0) {
        r.line = bad_line > 0 ? (unsigned)bad_line : r.line;
        complain_at_line(&r, "expected [section] or key = value", "");
    }
    (void)fclose(r.file);
    return r.good;
}

static void variable_name(const char *key, char out_name[64])
{
    (void)snprintf(out_name, 64, "MVSWAP_%s", key);
    for (char *c = out_name; *c != 0; c++) {
        if (*c >= 'a' && *c <= 'z') {
            *c = (char)(*c - 'a' + 'A');
        }
    }
}

bool config_read_environment(struct proxy_options *options, config_complain complain, void *context)
{
    bool good = true;
    for (size_t i = 0; i < config_num_options(); i++) {
        char name[64];
        char line[512];
        struct config_problem problem;
        variable_name(config_option(i)->key, name);
        const char *value = getenv(name);
        if (value == NULL || config_set(options, i, value, SOURCE_ENVIRONMENT, &problem)) {
            continue;
        }
        (void)snprintf(line, sizeof(line), "%s: %s%s%s", name, problem.message,
                       problem.hint[0] != 0 ? ". " : "", problem.hint);
        complain(context, line);
        good = false;
    }
    return good;
}
