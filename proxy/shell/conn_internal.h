/*
 * conn_internal: what conn.c (life, bytes, actions), conn_shares.c (what sessions share) and dial.c
 * (finding the server) have in common.
 */
#ifndef MVSWAP_SHELL_CONN_INTERNAL_H
#define MVSWAP_SHELL_CONN_INTERNAL_H

#include "conn.h"
#include "peer.h"

enum { KEEPALIVE_S = 60 };

struct conn {
    struct conn *next;
    struct conn *previous;
    struct proxy *proxy;
    uint64_t id;
    char *family; /* the first that it holds, waits for, or had last; NULL: none */
    struct session *session;
    enum conn_role role;
    uint64_t cancels; /* session that this CancelRequest is for, or 0 */
    bool cancel_sent; /* ... and it has been passed on to the server */
    struct peer peers[NUM_SIDES];
    uv_timer_t timer;
    uint64_t timer_due; /* what the timer is set to, or MOMENT_NEVER */
    uv_getaddrinfo_t resolve;
    uv_connect_t connect;
    struct addrinfo *addresses; /* of the server, while dialling */
    struct addrinfo *address;   /* the one being tried */
    unsigned num_pending;       /* handles and requests whose last callback has not come */
    size_t memory;              /* this session's part of proxy.memory */
    size_t kept;                /* ... of proxy.kept */
    uint64_t reads_since;       /* as proxy.readers has it */
    uint64_t num_not_kept;      /* ... of proxy.num_not_kept */
    bool resolving;             /* the look-up's callback has not come */
    bool finishing;             /* flush, then close */
    bool destroyed;
};

/* An event for the session; conn_pump is due afterwards. */
void conn_tell_side(struct conn *c, enum session_event_kind kind, enum side side,
                    const char *reason);
/* Brings the sockets in line with the session. Called at the end of every callback. */
void conn_pump(struct conn *c);
/* The last callback of a handle or request has come; the last of all frees `c`. */
void conn_release(struct conn *c);

/* Ends it at once. */
void conn_destroy(struct conn *c);

/* conn_memory.c: what its session keeps has changed. */
void conn_account(struct conn *c);
/* ... for the last time: says how many of its statements were too many. */
void conn_log_not_kept(struct conn *c);

/* conn_shares.c: each tells the session, now or later. Without memory the connection ends. */
void conn_lock(struct conn *c, const struct action *action);
void conn_unlock(struct conn *c);
void conn_remember(const struct conn *c, const struct action *action);
void conn_take_slot(struct conn *c);
void conn_count_readers(struct conn *c, uint64_t from_ms, uint64_t before_ms);
/* Whether its session is in a READ ONLY transaction may have changed. */
void conn_note_reading(struct conn *c, uint64_t since_ms);
/* Tells all sessions of the process, a moment later. */
void conn_publish_moved(const struct conn *c, const struct action *action);
void conn_end_slot(struct conn *c);

/* dial.c: looks the server up and tries its addresses, then EVENT_CONNECTED or
 * EVENT_CONNECT_FAILED. */
void conn_dial(struct conn *c);

#endif
