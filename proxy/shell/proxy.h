/*
 * proxy: the running daemon: one loop, its listener, its connections, its signals.
 */
#ifndef MVSWAP_SHELL_PROXY_H
#define MVSWAP_SHELL_PROXY_H

#include "address.h"
#include "attributes.h"
#include "replace.h"

#include <stdbool.h>
#include <stdint.h>

enum { STATE_FILE_PATH_LEN = 256 };

enum { JANITOR_DSN_LEN = 256 };

struct janitor_options {
    char dsn[JANITOR_DSN_LEN]; /* what libpq takes; "": there is no janitor */
    uint32_t interval_ms;
    uint32_t older_than_ms;
    bool dry_run;
};

struct proxy_options {
    struct address listen;
    struct address server;
    unsigned max_connections;
    unsigned max_builds;                  /* at one time; 0: any number */
    char state_file[STATE_FILE_PATH_LEN]; /* "": none */
    uint32_t shutdown_timeout_ms;         /* first signal: how long running statements may go on */
    int log_level;                        /* enum log_level */
    struct janitor_options janitor;
    struct replace_settings settings;
};

/* Reads the configuration once more; the proxy owns what it gets. False, after every problem has
 * been logged, when any part of it is wrong: then nothing changes. */
struct proxy_reload {
    bool (*read)(void *context, struct proxy_options *out_options);
    void *context;
};

/*
 * proxy_run serves with `options`, which it owns from now on, and on SIGHUP with what `reload`
 * reads, until SIGTERM or SIGINT has been obeyed and returns 0, or returns 1 after it has written
 * one line that says why it could not start.
 */
MUST_CHECK int proxy_run(struct proxy_options *options, const struct proxy_reload *reload);

#endif
