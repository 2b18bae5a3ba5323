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

/* conn_accept takes the waiting client of `listener`. `admission` as in session.h. False when there
 * was no memory to take it: it still waits. */
MUST_CHECK bool conn_accept(struct proxy *p, uv_stream_t *listener,
                            enum session_admission admission);
/* conn_tell hands an event (EVENT_LOCKED, EVENT_DRAIN, EVENT_SHUTDOWN) to the session. */
void conn_tell(struct conn *c, enum session_event_kind kind);
uint64_t conn_id(const struct conn *c);
struct conn *conn_next(const struct conn *c);

#endif
