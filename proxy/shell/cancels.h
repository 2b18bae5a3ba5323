/*
 * cancels: CancelRequests to the server: each a connection of its own, which the server closes when
 * it has taken the request. A few at a time, the others wait in line, each with a deadline; so
 * neither a storm of them nor a server that does not answer uses up what sessions need.
 *
 * Sessions are known by number: one that is gone when its cancel is done is told nothing.
 */
#ifndef MVSWAP_SHELL_CANCELS_H
#define MVSWAP_SHELL_CANCELS_H

#include "session.h"

#include <sys/socket.h>

struct proxy;

/* cancels_send begins or queues one; when it is done, or given up, the session gets
 * EVENT_CANCEL_DONE, never during this call. False without memory: nothing will come. */
bool cancels_send(struct proxy *p, const struct sockaddr_storage *server,
                  const struct cancel_key *key, uint64_t session);
/* cancels_stop gives up all of them, at the end of the proxy. */
void cancels_stop(struct proxy *p);

#endif
