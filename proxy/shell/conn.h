/*
 * conn: one session and its two sockets. Translates libuv's callbacks into session calls and the
 * session's outputs and actions into libuv calls; decides nothing.
 *
 * Lifetime: conn_accept makes it; conn_destroy, called for whatever reason and as often as one
 * likes, closes every handle; the memory goes in the last close callback.
 */
#ifndef MVSWAP_SHELL_CONN_H
#define MVSWAP_SHELL_CONN_H

#include "session.h"

#include <uv.h>

struct conn;
struct proxy;

/* What a connection counts as, each with a limit of its own. */
enum conn_role {
    CONN_NEW,     /* has not said yet what it is */
    CONN_SESSION, /* has a server, or asked for one */
    CONN_CANCEL   /* a CancelRequest */
};
enum { NUM_CONN_ROLES = 3 };

/* conn_accept takes the waiting client of `listener`. False when there was no memory to take it: it
 * still waits. */
MUST_CHECK bool conn_accept(struct proxy *p, uv_stream_t *listener);
/* conn_drop ends a connection that has not said yet what it is, without a word. */
void conn_drop(struct conn *c);
bool conn_is_ending(const struct conn *c);
enum conn_role conn_role(const struct conn *c);
/* conn_tell hands an event that concerns no side to the session. */
void conn_tell(struct conn *c, enum session_event_kind kind);
/* conn_locked: the lock that its session waits for is held; the session is told what is remembered.
 */
void conn_locked(struct conn *c);
/* conn_moved: names mean other objects now (session.h, EVENT_MOVED). */
void conn_moved(struct conn *c, const struct session_event *event);
uint64_t conn_id(const struct conn *c);
struct conn *conn_next(const struct conn *c);

#endif
