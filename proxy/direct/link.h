/*
 * link: one libpq connection to the server on a libuv loop: opened in a thread of the loop's pool
 * (libpq resolves names while it blocks), one statement at a time, cancelled on request.
 *
 * Everything about the connection is libpq's: PG* variables, service files, .pgpass, sslmode.
 * Must not know: what the statements are for.
 */
#ifndef MVSWAP_DIRECT_LINK_H
#define MVSWAP_DIRECT_LINK_H

#include "attributes.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <uv.h>

struct link;

/* Called on the loop's thread; results are the link's, and valid for the call. */
struct link_hooks {
    void *context;
    /* NULL: it is open; else why not, as libpq says it. */
    void (*opened)(void *context, const char *problem);
    /* The last result of the statement; NULL: the connection is lost. */
    void (*answered)(void *context, const PGresult *result);
    /* A NOTICE of the server; may be called inside of link_run. */
    void (*noticed)(void *context, const PGresult *notice);
    /* A cancel has been delivered, or could not be. */
    void (*cancelled)(void *context);
};

/*
 * link_open begins to connect with these parameters (PQconnectdbParams, with expand_dbname; both
 * lists end with NULL and are copied); `opened` says how it went. NULL without memory. Until
 * link_close the loop has something to wait for.
 */
MUST_CHECK struct link *link_open(uv_loop_t *loop, const char *const *keywords,
                                  const char *const *values, const struct link_hooks *hooks);

/* link_run sends one statement; `answered` follows, later. Not before the last one was answered. */
void link_run(struct link *link, const char *sql);

/* link_cancel asks the server to cancel what runs, on a connection of its own; `cancelled` follows
 * unless false is returned (one is on its way, or nothing can be sent). */
bool link_cancel(struct link *link);
bool link_is_cancelling(const struct link *link);

/* link_close ends the connection. No hook is called any more; the memory is freed by the loop. */
void link_close(struct link *link);

#endif
