/*
 * config: everything that can be told to the proxy, in one table: sections and keys of the
 * configuration file, MVSWAP_* environment variables, flags of the command line. The settings of a
 * replacement (settings.h) are the section [replace].
 *
 * Strength: built in, file, environment, command line. Must not know: the running proxy.
 */
#ifndef MVSWAP_SHELL_CONFIG_H
#define MVSWAP_SHELL_CONFIG_H

#include "attributes.h"
#include "proxy.h"
#include "settings.h"

#include <stdbool.h>
#include <stddef.h>

struct config_option {
    const char *section;
    const char *key;          /* as in the file; in flags with `-` for `_`, in the environment in
                               * capitals */
    const char *argument;     /* "HOST:PORT" */
    const char *default_text; /* "" when it has none */
    const char *description;
    bool needs_restart;
};

/* All of them, in the order in which they are documented. */
size_t config_num_options(void);
const struct config_option *config_option(size_t index);

/* What is wrong, for a person; cut to these sizes. */
struct config_problem {
    char message[200];
    char hint[160]; /* "" when there is nothing to say */
};

/* Options own the texts of their settings: config_cleanup frees them. */
void config_defaults(struct proxy_options *out_options);
void config_cleanup(struct proxy_options *options);
/* config_find: the option with that key in any section (NULL) or in `section`, where the section's
 * own name in front of a key may be left out. Keys are unique. */
MUST_CHECK bool config_find(const char *section, const char *key, size_t *out_index,
                            struct config_problem *out_problem);
MUST_CHECK bool config_set(struct proxy_options *options, size_t index, const char *value,
                           enum setting_source source, struct config_problem *out_problem);
enum { CONFIG_TEXT_LEN = 272 };
/* config_text: the value as config_set reads it; as settings_text, `scratch` may hold it. */
const char *config_text(const struct proxy_options *options, size_t index,
                        char scratch[CONFIG_TEXT_LEN]);
bool config_is_sql(size_t index);
/* Is it never logged: SQL, or what may hold a password? */
bool config_is_private(size_t index);

/* Each problem is one line for a person, with file and line number or the variable's name. */
typedef void (*config_complain)(void *context, const char *line);
/* Both go on after a problem, so that all are told; false when there was one. */
MUST_CHECK bool config_read_file(struct proxy_options *options, const char *path,
                                 config_complain complain, void *context);
MUST_CHECK bool config_read_environment(struct proxy_options *options, config_complain complain,
                                        void *context);

#endif
