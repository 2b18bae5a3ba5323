/*
 * proxy: the running daemon: one loop, its listener, its connections, its signals.
 */
#ifndef MVSWAP_SHELL_PROXY_H
#define MVSWAP_SHELL_PROXY_H

#include "address.h"
#include "attributes.h"
#include "replace.h"

#include <stdint.h>

struct proxy_options {
    struct address listen;
    struct address server;
    unsigned max_connections;
    uint32_t shutdown_timeout_ms; /* first signal: how long running statements may go on */
    struct replace_settings settings;
};

/*
 * proxy_run serves until SIGTERM or SIGINT has been obeyed and returns 0, or returns 1 after it has
 * written one line that says why it could not start.
 */
MUST_CHECK int proxy_run(const struct proxy_options *options);

#endif
