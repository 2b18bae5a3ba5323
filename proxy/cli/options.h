/*
 * options: the proxy's options from all their places: file, environment, command line.
 */
#ifndef MVSWAP_CLI_OPTIONS_H
#define MVSWAP_CLI_OPTIONS_H

#include "attributes.h"
#include "config.h"

enum options_result {
    OPTIONS_READ,
    OPTIONS_HELP,  /* --help was asked for */
    OPTIONS_USAGE, /* a flag is wrong: told on standard error */
    OPTIONS_WRONG  /* file or environment are: told to `complain` */
};

/* options_read: may be called again with the same arguments. On OPTIONS_READ the caller owns
 * `out_options` (config_cleanup), else they are untouched. */
MUST_CHECK enum options_result options_read(int argc, char **argv, config_complain complain,
                                            void *context, struct proxy_options *out_options);
/* The flags, as --help lists them. */
void options_print_flags(void);

#endif
