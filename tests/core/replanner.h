/*
 * replanner: what a client may be answered that has a view_server which plans prepared statements
 * anew, as PostgreSQL does, while the view is replaced at any moment. Not one answer is right then,
 * but all that some order of messages and swaps gives: so this keeps all that such a server may
 * know by now, and drops what has answered otherwise than the client was.
 *
 * What is allowed, of a message that was sent whole at one moment and answered at another:
 *     Parse    is bound to a version that the view had between the two
 *     Bind     likewise, but to none that is older than the newest swap that had been published
 *              when it was sent; nothing published, it may stay at what it is
 *     Execute  fails if its version was dropped before the end; must, if before it was sent
 *     BEGIN    begins between the two
 *     Describe of a statement tells of other columns than are known only while it is not certain,
 * the Bind that the client learns them from being on its way, and in another series. In a
 * transaction that began in a flight of messages older than the last telling a statement may stay
 * at what it is (docs/prepared.md), and does not become younger than the transaction.
 */
#ifndef MVSWAP_TESTS_CORE_REPLANNER_H
#define MVSWAP_TESTS_CORE_REPLANNER_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How things stand. */
struct replanner_moment {
    uint64_t order;     /* the later, the greater */
    unsigned published; /* the newest version that the session has been told of */
    unsigned told;      /* how often it has been: of one swap perhaps twice */
    unsigned version;   /* of the view */
    unsigned oldest;    /* that has not been dropped */
};

/* A message of the client. */
struct replanner_message {
    uint8_t tag;
    const uint8_t *body;
    size_t len;
    struct replanner_moment sent;
    unsigned flight; /* `told` when the first message was sent behind the last answer */
    const struct replanner_message *next; /* or NULL */
};

/* What the client got, and when. */
struct replanner_answers {
    struct buf bytes;
    struct buf marks; /* struct replanner_mark, in order */
};
struct replanner_mark {
    size_t end; /* so much had come */
    struct replanner_moment moment;
};

/* Statements and portals are told by the first letter of their names. */
enum { REPLANNER_NAMES = 3, REPLANNER_MOST = 128 };

struct replanner_entry {
    bool used;
    bool reads;
    char statement;   /* of a portal; '?': it is gone */
    unsigned version; /* whose columns the client knows */
    unsigned other;   /* of a statement: ... or would if a Bind had gone the other way */
    uint64_t bound;   /* ... when the client was told which */
    bool synced;      /* ... and a Sync was sent behind that Bind */
};
/* What a server may know. */
struct replanner_state {
    struct replanner_entry statements[REPLANNER_NAMES];
    struct replanner_entry portals[REPLANNER_NAMES];
    bool in_transaction;
    bool skipping;
    unsigned begun;
    unsigned flight; /* of its BEGIN */
    uint64_t ended;  /* when the client was told of the end of the last one */
    unsigned ended_flight;
    size_t at; /* in the answers */
};
struct replanner {
    struct replanner_state states[REPLANNER_MOST];
    size_t num; /* 0: no such server answers that */
    bool full;
    size_t most; /* of num, ever */
};

void replanner_init(struct replanner *r);
/* The next message was answered by what comes next in `got`. */
void replanner_take(struct replanner *r, const struct replanner_message *message,
                    const struct replanner_answers *got);
/* That was all of `got`; more to come are counted anew. */
void replanner_end(struct replanner *r, const struct replanner_answers *got);
/* What is known, for a report. */
void replanner_show(const struct replanner *r, struct buf *out);
void replanner_add_mark(struct replanner_answers *got, const struct replanner_moment *moment);
void replanner_clear_answers(struct replanner_answers *got);

#endif
