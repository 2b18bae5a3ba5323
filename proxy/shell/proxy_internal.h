/*
 * proxy_internal: what the listener (proxy.c) and the connections (conn.c) share.
 */
#ifndef MVSWAP_SHELL_PROXY_INTERNAL_H
#define MVSWAP_SHELL_PROXY_INTERNAL_H

#include "conn.h"
#include "moment.h"
#include "proxy.h"
#include "readers.h"
#include "registry.h"
#include "remembered.h"
#include "state_file.h"
#include "swaps.h"

#include <uv.h>

enum { READ_BUFFER_LEN = 64 * 1024 };

enum proxy_phase {
    PROXY_SERVING,
    PROXY_DRAINING, /* no new connections; sessions end when they are idle */
    PROXY_STOPPING  /* sessions were told to end now */
};

struct proxy {
    struct proxy_options options; /* as they were read last */
    unsigned max_connections;     /* as at start, or fewer */
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_signal_t signals[3]; /* TERM, INT, HUP */
    struct proxy_reload reload;
    uv_timer_t shutdown_timer;
    uv_async_t wake; /* locks or slots were granted, names have moved */
    uv_tcp_t spare;  /* takes clients that can only be dropped */
    bool spare_busy;
    bool client_waits; /* to be dropped when the spare handle is free again */
    enum proxy_phase phase;
    struct registry *registry;
    struct remembered *remembered;
    struct readers *readers;
    struct swaps *swaps;
    uint64_t swaps_told;           /* to the sessions */
    struct janitor *janitor;       /* NULL: before the start and after the end */
    struct state_file *state_file; /* NULL: it is remembered until the process ends */
    struct conn *conns;            /* all of them, linked by conn.next; the youngest first */
    unsigned num_conns;
    unsigned num_roles[NUM_CONN_ROLES]; /* of them, by conn_role */
    unsigned others_most;   /* connections that are no sessions: new ones, and cancel requests */
    struct cancel *cancels; /* to the server, oldest first */
    unsigned num_cancels_running;
    unsigned cancels_most; /* running */
    uint64_t last_id;
    size_t memory; /* the sum of session_memory over all sessions */
    bool pressed;  /* it is over LIMIT_PROCESS, or was and is still near it */
    size_t kept;   /* the sum of session_kept, of which there is a limit, too */
    bool kept_full;
    uint64_t num_not_kept; /* Parses that could not be kept, of all sessions */
    /* One buffer serves all reads: what was read is consumed before the read callback returns. */
    char read_buffer[READ_BUFFER_LEN];
};

struct moment proxy_now(const struct proxy *p);
/* Keeps what is remembered across restarts, if that is wanted. */
void proxy_save(struct proxy *p);
/* The last line of all (conn_memory.c). */
void proxy_log_stopped(const struct proxy *p);
/* NULL when it is gone. */
struct conn *proxy_find_conn(const struct proxy *p, uint64_t id);
/* A connection is gone: the last one ends a shutdown. */
void proxy_forget_conn(struct proxy *p);

#endif
