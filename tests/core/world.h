/*
 * world: a session between a client that a test plays and a fake_server, with a clock, a lock and a
 * slot that are granted at once and a shell that does what it is asked. Allocations fail inside the
 * session only.
 */
#ifndef MVSWAP_TESTS_CORE_WORLD_H
#define MVSWAP_TESTS_CORE_WORLD_H

#include "fake_server.h"
#include "session.h"

struct world {
    struct session *s;
    struct fake_server server;
    struct moment now;
    struct buf to_client; /* everything that came out to it */
    bool connected;
    bool server_gone; /* takes and says nothing more */
    bool wants_lock;
    bool holds_lock;
    size_t num_families; /* of that lock */
    bool hold_locks;     /* do not grant them */
    bool wants_slot;
    bool holds_slot;
    bool hold_slots;
    unsigned slots_ended;
    size_t num_readers;              /* what it is told of the READ ONLY transactions of others */
    unsigned num_moved;              /* ACTION_MOVED, which this session has been told */
    const struct replace_left *left; /* what is remembered: told with the lock */
    size_t num_left;
    char remembered[128];  /* the last that was to be: family and objects */
    bool cancel_asked;     /* by a CancelRequest, of some other session */
    bool cancel_under_way; /* one of the session's own, to the server */
    unsigned cancels_sent;
    unsigned cancels_done;
    unsigned shut_down_writes;
    bool closed;
    bool aborted;
    size_t fail_at; /* allocation of the session that fails, counted from now; 0: none */
    bool fail_once; /* ... and only those of that call */
    size_t allocations;
};

/* False without memory for the session. */
MUST_CHECK bool world_init(struct world *w, size_t fail_at, bool fail_once);
void world_cleanup(struct world *w);

/* Each does what the session asks for afterwards. */
void world_feed(struct world *w, enum side from, const uint8_t *bytes, size_t len);
void world_event(struct world *w, enum session_event_kind kind, enum side side);
/* What the client sends, written as in message_text.h. */
void world_say(struct world *w, const char *line);
/* Grants the lock or the slot that is wanted; false when there is none. */
bool world_grant(struct world *w);
/* Delivers one message of the server, or lets the time come that a replacement waits for; false
 * when there is nothing to do. */
bool world_step(struct world *w);
void world_run(struct world *w);
/* From the start to the first ReadyForQuery. */
void world_login(struct world *w);

bool world_ended(const struct world *w);
/* How many whole messages of this tag the client got; *out_whole: nothing but whole messages. */
size_t world_count(const struct world *w, uint8_t tag, bool *out_whole);

#endif
